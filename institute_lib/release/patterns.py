"""Rules for personal data in plain text: by shape, and by the label that stands before a value.

What is certain refuses: an identity number whose check character fits or that a spreadsheet rounded, a mobile phone, a
labelled permit or bank card, a private mail address, a home address, a path with a user name, a name in a field for
names. What only looks alike warns, and somebody may answer for it. Hotlines, office lines, amounts, order and contract
numbers, and the checksum of a named file pass.
"""

import re
from collections.abc import Iterator
from datetime import date

from institute_lib.registers import personal
from institute_lib.registers.identity import PROVINCES, check_character
from institute_lib.release.disguises import APART, BREAK
from institute_lib.release.names import is_own_word, looks_like_a_name

Hit = tuple[int, str, object, str]  # where in the text, how grave, the value, the rule

# The stretches of a text in which a number can stand: a page of millions of characters has few of them.
_STRETCH = re.compile(r"[0-9xX \n\r\t\-_/·.*?•●×■█#∗+eE()\[\]]{11,}")
_DECIMALS = re.compile(r"(?<![\d.])\d{1,10}\.\d+(?![\d.eE])")
_RUN = re.compile(r"(?<![0-9a-fA-F])(?<!\d\.)\d(?:[ \n\r\t\-_/·]{0,3}[\dXx])+(?![0-9a-fA-F])")
_DOTTED = re.compile(r"(?<![\d.])\d{2,}(?:\.\d{2,}){2,5}[Xx]?(?![\d.])")  # two dots or more: no decimal fraction
_SINGLES = re.compile(r"(?<![\d.])\d(?:[\s,;|:/\-_.·\"']{1,4}[\dXx]){10,40}(?![\d.])")
_LETTERED = re.compile(r"(?<=[A-Za-z])(?<!0x)\d{17}[\dXx](?![\dA-Za-z])")
_FRACTION = re.compile(r"\.\d*[1-9]")
_FLOATED = re.compile(r"(?<![\d.])\d\.\d{8,17}[eE]\+?1[47](?!\d)")
_MASKED = re.compile(r"(?<![\w*])\d[\dXx*•●×■█#∗ \-]{8,24}(?![\w*])")
_MASKS = re.compile(r"[*•●×■█#∗xX]{3,}")
_MONEY = re.compile(r"\s{0,2}(?:元|万|亿|%|‰|人次|yuan|rmb)", re.IGNORECASE)
_AMOUNT = re.compile(
    r"(?:额|合计|总计|共计|金|款|预算|支出|收入|经费|¥|￥|rmb|yuan|total|amount)[^\d\n\0]{0,6}$", re.IGNORECASE
)
_AMOUNTS = re.compile(r"[(（]\s?(?:万|亿)?元\s?[)）]|金额|支出|收入|经费|预算|拨款")
_CALLED = re.compile(r"手机|电话|联系|号码|phone|mobile|tel", re.IGNORECASE)
# A mobile phone over the cells of a row that has no other number.
_PHONE_CELLS = re.compile(r"(?<![\d\x1f])\x1f+(1[3-9]\d)\x1f+(\d{4})\x1f+(\d{4})\x1f*(?![\d\x1f])")
# Groups of four as on a card, whatever the check digit; a phone with other signs between its groups.
_CARD = re.compile(r"(?<!\d)62\d\d(?:[ \-]\d{4}){3}(?:[ \-]\d{1,3})?(?![\d.])")
_PHONE_SIGNS = re.compile(r"(?<![\d,.~|;:])1[3-9]\d\s?[,~|;:]\s?\d{4}\s?[,~|;:]\s?\d{4}(?![\d,.~|;:])")
# An identity number over neighbouring cells, divided as people divide one.
_CELLS = re.compile(r"(?<![\d.,])\d{1,17}(?:[\x1f\n]{1,3}\d{1,12}){1,17}[Xx]?(?![\d.,])")
_DIVIDED = frozenset(
    {(6, 8, 4), (6, 4, 4, 4), (6, 8, 3, 1), (6, 12), (14, 4), (10, 8), (17, 1), (6, 4, 2, 2, 4), (4, 4, 4, 4, 2)}
)
_TAIL = re.compile(
    r"(?:手机|电话|身份证|号码|卡)[^\d\0\n]{0,6}(?:尾号|后[四4六6]位|末[四4]位|前[三3六6]位)\D{0,4}\d{3,6}"
)

_HOMES = (
    re.compile(r"(?<![\w.\-])/(?:var/)?(?:home|Users|export/home)/[^\s\"'<>/\\,;)&|\0]+", re.IGNORECASE),
    re.compile(r"/mnt/[a-z]/Users/[^\s\"'<>/\\,;)&|\0]+", re.IGNORECASE),
    re.compile(
        r"\b[A-Za-z]:(?:\\+|/+)(?:Users|Documents and Settings|用户)(?:\\+|/+)[^\s\"'<>/\\,;)&|\0]+", re.IGNORECASE
    ),
    re.compile(
        r"(?<![\w/:\\])\\\\+[A-Za-z0-9.\-]+\\+(?:home|users|profiles)\$?\\+[^\s\"'<>/\\,;)&|\0]+", re.IGNORECASE
    ),
)
_DRIVE = re.compile(r"\b[A-Za-z]:\\+[^\s\"'<>|*?\\\0]+\\+[^\s\"'<>|*?\0]+")
_NOBODY = frozenset({"shared", "public", "default", "jovyan", "runner", "user", "<user>", "username", "all users"})
_TRACEBACK = re.compile(r"Traceback \(most recent call last\)")

_HASH = re.compile(
    r"(?<![0-9a-zA-Z+/=_\-])(?:[0-9a-f]{32,128}|[0-9A-F]{32,128})(?![0-9a-zA-Z+/=_\-])"
    r"|(?<![0-9a-zA-Z+/=_\-])[A-Za-z0-9+/]{43}=(?![0-9a-zA-Z+/=])"
)
_HASH_SIZES = frozenset({32, 40, 44, 56, 64, 96, 128})
# A checksum is declared by its kind, or by the file or thing of which it is; “hash” alone says nothing.
_DECLARED = re.compile(
    r"(?:sha-?\d{1,3}|md5|blake\w*|sm3|fingerprint|integrity|checksum|commit|revision|key_id|etag|library|notebook"
    r"|reference|工作本|笔记本|内容|校验值?|指纹|程序|资料|名册|登记表|[\w\-]+\.(?:parquet|csv|xlsx?|docx|ipynb|py|toml|json|html|png|zip))"
    r"[^0-9a-zA-Z\0]{0,16}$",
    re.IGNORECASE,
)
_OF_PERSONS = re.compile(r"身份证|证件|姓名|手机|person|identity|\bid\b|id_?card", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}")

_IS = r"[\"']?\s?(?:坐标|证|件|书|编?号码?|编号|账号|no\.?|number|id)?(?:为|是)?[\s:=\x1f\"'(\[{]{0,6}"
_IS += r"(?:[\u3400-\u9fff]{1,2}字第)?"
_NOT_COUNTED = r"(?![\d.,]*\s{0,2}(?:元|万|人|个|%|‰|年|月|日|张|本|户|次|名|件|项|家|所|份))"
_SERIAL = rf"((?=[A-Za-z\-()]*\d)[A-Za-z]{{0,6}}[A-Za-z\d\-]{{4,30}}(?:\(\w{{1,2}}\))?)(?![A-Za-z0-9]){_NOT_COUNTED}"
_NAME = r"([\u3400-\u9fff·]{2,15})(?![\u3400-\u9fff·])"
_GROUPED = r"([A-Za-z]{1,3} \d{4,9}(?: \d{4})?)(?![\dA-Za-z])"  # a passport as people space it
_NUMBERED = r"(?:编号|号)[\s:\x1f]{0,3}([\u3400-\u9fff]{1,4}\(?\d{4}\)?第?\d{3,})"
_ADDRESS = r"([^\0\n。;]{0,30}?(?:\d+ ?[号幢栋室弄座]|\d单元|村[\d一二三四五六七八九十]{1,3}组"
_ADDRESS += r"|\d{2,3}\.\d{3,}\D{1,6}\d{2,3}\.\d{3,}))"
_DAY = r"((?:19|20)\d\d(?:[\-/.年] ?\d{1,2}[\-/.月] ?\d{1,2}|(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?!\d))"
_DAY += r"|(?:\d{1,2} [a-z]{3,9}|[a-z]{3,9} \d{1,2}),? (?:19|20)\d\d)"
# Which rule, how grave, the labels, and what follows a label: its group is the value.
_FIELDS = tuple(
    (rule, severity, labels.split(), re.compile(pattern, re.IGNORECASE))
    for rule, severity, labels, pattern in (
        (
            "document",
            "refuse",
            "护照 通行证 台胞证 回乡证 居留证 居住证 军官证 士兵证 警官证 驾驶证 驾照 学生证 工作证 残疾证 "
            "残疾人证 身份证 户口簿 户口本 永居证 永久居留 社保卡 社保号 社保编号 社保账号 社保电脑号 "
            "社会保障卡 社会保障号 医保卡 医保号 医保编号 医保账号 公积金号 公积金账号 养老金账户 passport permit",
            _IS + _SERIAL,
        ),
        ("document", "refuse", "护照 通行证 passport permit", _IS + _GROUPED),
        ("certificate", "warn", "证书 资格证书 资格证 执业证 登记证", _NUMBERED),
        (
            "certificate",
            "warn",
            "准考证 证书 资格证 执业证 登记证 毕业证 学位证 结业证 管理号 档案号 档案编号 病历号 病案号 学籍号 学号 "
            "工号 员工号 员工编号 职工号",
            _IS + _SERIAL,
        ),
        (
            "bank_card",
            "refuse",
            "银行卡 工资卡 储蓄卡 信用卡 借记卡 卡号 银行账户 银行账号 银行帐号 工资账户 工资账号 个人账户",
            _IS + r"((?:\d[ \-]?){11,24}\d)(?!\d)",
        ),
        ("bank_account", "warn", "账号 账户 帐号 帐户", _IS + r"((?:\d[ \-]?){9,24}\d)(?!\d)"),
        ("plate", "refuse", "车牌 号牌 车号", _IS + r"([\u3400-\u9fff][A-Z][ ·\-]?[A-Z0-9]{5,6})"),
        (
            "home",
            "refuse",
            "家庭住址 家庭地址 家庭坐标 居住地 居住地址 现住 户籍地址 常住地址 通讯地址 通信地址 住址 住所 "
            "住处 家住 住在 现居 home",
            _ADDRESS,
        ),
        (
            "birth",
            "warn",
            "出生 出生日期 出生年月 出生年月日 生于 生日 born birth birthday birthdate",
            r"(?: on|日期|于|:|date)?[\s:=\x1f\"']{0,5}" + _DAY,
        ),
        (
            "person_field",
            "refuse",
            "姓名 名字 username user_name fullname full_name realname real_name",
            r"[\"']?\s*[:=][\s\"'\[{]*" + _NAME,
        ),
        (
            "person_field",
            "warn",
            "访谈对象 服务对象 帮扶对象 救助对象 受访者 受访人 被访者 被访人 访谈人 采访人 案主 当事人 "
            "受助人 求助者 监护人 家属 户主 申请人 患者 学员 经办人 操作人 填报人 填表人 负责人 联系人 "
            "审核人 operator creator modified_by modifiedby",
            r"[\"']?\s*[:=\x1f][\s\"'\[{]*" + _NAME,
        ),
        ("phone_home", "warn", "家庭电话 住宅电话 宅电", _IS + r"(\d[\d\- ]{6,14}\d)"),
        (
            "account",
            "warn",
            "qq 扣扣 微信 wechat vx 支付宝 抖音 快手 telegram whatsapp",
            _IS + r"([A-Za-z0-9_@.\-]{5,40})(?![A-Za-z0-9])",
        ),
    )
)
# Values that need no label.
_SHAPES = tuple(
    (rule, severity, re.compile(pattern))
    for rule, severity, pattern in (
        (
            "plate",
            "warn",
            r"(?<![\u3400-\u9fff])[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][ ·\-]?"
            r"(?=[A-HJ-NP-Z]{0,3}\d)[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳](?![A-Za-z0-9])",
        ),
        (
            "home_like",
            "warn",
            r"(?<!\d)\d+ ?(?:号楼|幢|栋|座)[^\0\n\d]{0,4}(?:\d+ ?单元)?[^\0\n\d]{0,4}\d{2,4} ?室?(?!\d)",
        ),
        (
            "birth",
            "warn",
            r"(?:19|20)\d\d[年.\-/] ?\d{1,2}[月.\-/](?: ?\d{1,2}日?)?(?:出|所)?生"
            r"(?!效|产|活|成|率|育|态|命|人口|登记|缺陷)",
        ),
    )
)
_MAIL = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._%+\-]{0,63}(?:@| ?[(\[]at[)\]] ?)[A-Za-z0-9\-]{1,63}"
    r"(?:(?:\.| ?[(\[]dot[)\]] ?)[A-Za-z0-9\-]{2,63}){1,4}",
    re.IGNORECASE,
)
_PRIVATE = re.compile(
    r"(?:@|at[)\]] ?)(?:vip\.)?(?:163|126|yeah|qq|foxmail|sina|sohu|139|189|wo|aliyun|gmail|outlook|hotmail|live|icloud"
    r"|yahoo|21cn|tom)(?:\.| ?[(\[]dot)",
    re.IGNORECASE,
)
_OF_AN_OFFICE = re.compile(
    r"(?:局|部|会|社|站|所|院|室|中心|科|处|组|办|委|镇|村|区|街道|公司|校|方|员|人|者|师|工|等|详|见|无|略)$"
)


def find_in_text(plain: str) -> Iterator[Hit]:
    """Everything personal in texts without disguises (see `disguises.views`)."""
    for match in _STRETCH.finditer(plain):
        if sum(map(str.isdigit, match[0])) >= 7:
            yield from _find_numbers(plain, match)
    for match in _SINGLES.finditer(plain):
        yield from _judge_singles(re.sub(r"[^\dXx]", "", match[0]), match.start())
    for match in _LETTERED.finditer(plain):
        if is_checked(match[0]):
            yield match.start(), "refuse", match[0], "identity"
    for match in _PHONE_CELLS.finditer(plain):
        yield match.start(), "warn", "".join(match.groups()), "phone"
    for match in _PHONE_SIGNS.finditer(plain):
        yield match.start(), "warn", match[0], "phone"
    for match in _CARD.finditer(plain):
        yield match.start(), "warn", match[0], "bank_card"
    for match in _CELLS.finditer(plain):
        yield from ((match.start(), "refuse", digits, "identity") for digits in _over_cells(match[0]))
    for match in _TAIL.finditer(plain):
        yield match.start(), "warn", match[0], "phone_masked"
    for match in _MAIL.finditer(plain) if "@" in plain or "at)" in plain or "at]" in plain else ():
        yield match.start(), "refuse" if _PRIVATE.search(match[0]) else "warn", match[0], "email"
    yield from _find_labelled(plain)
    yield from _find_paths(plain)
    yield from _find_hashes(plain)
    for match in _TRACEBACK.finditer(plain):
        yield match.start(), "refuse", match[0], "traceback"


def _find_numbers(plain: str, stretch: re.Match[str]) -> Iterator[Hit]:
    """Identity numbers, phones and cards in one stretch, however their digits are grouped."""
    start, end = max(stretch.start() - 1, 0), stretch.end() + 1
    text = plain[start:end]
    if "." in text:
        text = _DECIMALS.sub(lambda match: BREAK * len(match[0]), text)
    for match in (*_RUN.finditer(text), *_DOTTED.finditer(text)):
        if match.end() - match.start() >= 11 and not _FRACTION.match(text, match.end()):
            yield from ((start + match.start(), *found) for found in _judge_run(match[0]))
    for match in _FLOATED.finditer(text):
        yield from ((start + match.start(), *found) for found in judge_digits(str(int(float(match[0])))))
    for match in _MASKED.finditer(text):
        yield from ((start + match.start(), *found) for found in _judge_mask(match[0]))
    for kind, first, last in personal.find(text):
        at, value, follows = start + first, text[first:last], plain[start + last : start + last + 8]
        if kind == "phone" and not _MONEY.match(follows) and not _is_amount(plain, at, value):
            lines = "\n" in value  # figures one below the other are no phone
            severity = "warn" if value.endswith("00000") else "refuse"  # an amount, most likely
            yield from () if lines else ((at, severity, value, "phone"),)
        elif kind == "bank_card" and not _MONEY.match(follows):
            yield at, "refuse", value, "bank_card"


def _is_amount(plain: str, at: int, value: str) -> bool:
    """Whether eleven digits stand behind a word for money, or in the cells of a table of amounts alone."""
    if _AMOUNT.search(plain[max(0, at - 12) : at]):
        return True
    before = plain[max(0, at - 300) : at].rpartition(APART)[2]
    return value.isdigit() and before.endswith(BREAK) and bool(_AMOUNTS.search(before)) and not _CALLED.search(before)


def _over_cells(cells: str) -> Iterator[str]:
    groups = re.split(r"[\x1f\n]+", cells)
    for first in range(len(groups)):
        for last in range(first + 2, min(first + 5, len(groups)) + 1):
            digits = "".join(groups[first:last])
            if tuple(map(len, groups[first:last])) in _DIVIDED and digits[:2] in PROVINCES and is_checked(digits):
                yield digits


def _judge_singles(digits: str, at: int) -> Iterator[Hit]:
    """Digits one by one, as in the boxes of a form."""
    if len(digits) == 18 and is_checked(digits):
        yield at, "refuse", digits, "identity"
    elif len(digits) == 11 and re.fullmatch(r"1[3-9]\d{9}", digits):
        yield at, "warn", digits, "phone"


def _judge_run(run: str) -> Iterator[tuple[str, object, str]]:
    """Digits with nothing, spaces, hyphens or the like between them."""
    groups = [part for part in re.split(r"[^\dXx]+", run.rstrip("Xx") + run[len(run.rstrip("Xx")) :][:1]) if part]
    for part in groups:
        if 15 <= len(part) <= 18:
            yield from judge_digits(part)
    if 1 < len(groups) <= 12:
        for first in range(len(groups)):
            for last in range(first + 2, len(groups) + 1):
                digits = "".join(groups[first:last])
                if len(digits) == 18 and is_checked(digits):  # the check character rules out mere numbers
                    yield "refuse", digits, "identity"


def judge_digits(digits: str) -> Iterator[tuple[str, object, str]]:
    """One run of fifteen to eighteen digits."""
    if not digits[:-1].isdigit():
        return
    if len(digits) == 15:
        if digits.isdigit() and digits[:2] in PROVINCES and is_birth("19" + digits[6:12]):
            yield "warn", digits, "identity_old"
    elif len(digits) == 17:
        if digits.isdigit() and digits[:2] in PROVINCES and is_birth(digits[6:14]):
            yield "warn", digits, "identity_unchecked"
    elif len(digits) == 18:
        if is_checked(digits):
            yield "refuse", digits, "identity"
        elif is_birth(digits[6:14]):
            # A spreadsheet keeps fifteen digits and a zero tail; a float lies on the grid of its fifty-three bits.
            lost = digits.isdigit() and (digits.endswith("000") or int(float(digits)) == int(digits))
            yield ("refuse", digits, "identity_mangled") if lost else ("warn", digits, "identity_unchecked")


def _judge_mask(text: str) -> Iterator[tuple[str, object, str]]:
    mask = re.sub(r"[ \-]", "", text)
    if not _MASKS.search(mask):
        return
    shown = sum(character.isdigit() for character in mask)
    if 15 <= len(mask) <= 19 and shown >= 6:
        told = is_birth(mask[6:14]) if mask[6:14].isdigit() else False
        yield "refuse" if told or shown >= 8 else "warn", mask, "identity_masked"
    elif len(mask) == 11 and shown >= 6 and re.match(r"1[3-9]", mask):
        yield "refuse", mask, "phone_masked"


def _find_labelled(plain: str) -> Iterator[Hit]:
    """Values behind the label of a field, and those whose shape is enough."""
    lower = plain.lower()
    lower = lower if len(lower) == len(plain) else plain
    for rule, severity, labels, pattern in _FIELDS:
        for label in labels:
            at = lower.find(label)
            while at >= 0:
                match = pattern.match(plain, at + len(label))
                if match and (rule != "person_field" or _is_persons(match[1])) and _is_word(lower, at, label):
                    yield at, severity, match[1], rule
                at = lower.find(label, at + 1)
    for rule, severity, pattern in _SHAPES:
        for match in pattern.finditer(plain):
            yield match.start(), severity, match[0], rule


def _is_persons(name: str) -> bool:
    is_office = len(name) > 2 and _OF_AN_OFFICE.search(name)
    return not is_office and not is_own_word(name) and looks_like_a_name(name, longest=15)


def _is_word(lower: str, at: int, label: str) -> bool:
    """Whether a label in Latin letters stands by itself."""
    return not label.isascii() or at == 0 or not lower[at - 1].isalpha()


def _find_paths(plain: str) -> Iterator[Hit]:
    for pattern in _HOMES:
        for match in pattern.finditer(plain):
            if re.split(r"[\\/]+", match[0])[-1].casefold() not in _NOBODY:
                yield match.start(), "refuse", match[0], "path"
    if ":\\" in plain:
        for match in _DRIVE.finditer(plain):
            yield match.start(), "warn", match[0], "path_local"


def _find_hashes(plain: str) -> Iterator[Hit]:
    for match in _HASH.finditer(plain):
        value = match[0]
        if len(value) not in _HASH_SIZES or len(set(value)) < 2 or value.isdigit():
            continue
        label = plain[max(0, match.start() - 60) : match.start()].rpartition(APART)[2]
        if _DECLARED.search(label) and not _OF_PERSONS.search(label):
            continue
        # Identifiers of a program's objects and repeated letters only look like one.
        doubtful = _UUID.fullmatch(value) or len(set(value)) < 8 or (re.search("哈希|散列|hash|digest", label, re.I))
        yield match.start(), "warn" if doubtful else "refuse", value, "hash"


def is_checked(digits: str) -> bool:
    """Whether eighteen characters are an identity number by date of birth and check character (GB 11643)."""
    return digits[:17].isdigit() and is_birth(digits[6:14]) and check_character(digits) == digits[-1].upper()


def is_birth(digits: str) -> bool:
    """Whether eight digits are a day between 1900 and today."""
    try:
        born = date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return False
    return date(1900, 1, 1) <= born <= date.today()
