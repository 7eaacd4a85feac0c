"""Rules for personal data in plain text.

An identity number that passes GB 11643 refuses, and so does one that a spreadsheet rounded: fifteen true digits
remain. A phone, a partly masked number, a path with a user name, an undeclared hash, a name in a field for names
refuse. Look-alikes that nothing confirms warn. Longer runs of digits, fractions, order numbers and hotlines pass.
"""

import re
from collections.abc import Iterator
from datetime import date

from institute_lib.registers.identity import PROVINCES, check_character
from institute_lib.release.findings import Finding, found
from institute_lib.release.windows import condense

# A run of digits and what may stand between them; most of a page is passed over by this alone.
_RUN = re.compile(r"(?<![0-9a-fA-F])(?<!\d\.)\d(?:[ \n\r\t\-_/·]{0,3}[\dXx])+(?![0-9a-fA-F])")
_DOTTED = re.compile(r"(?<![\d.])\d{2,}(?:\.\d{2,}){2,5}[Xx]?(?![\d.])")  # two dots or more: no decimal fraction
_SINGLES = re.compile(r"(?<![\d.])\d(?:[\s,;|:/\-_.·\"']{1,4}[\dXx]){10,40}(?![\d.])")
_LETTERED = re.compile(r"(?<=[A-Za-z])(?<!0x)\d{17}[\dXx](?![\dA-Za-z])")
_FRACTION = re.compile(r"\.\d*[1-9]")
_FLOATED = re.compile(r"(?<![\d.])\d\.\d{8,17}[eE]\+?1[47](?!\d)")
_MASKED = re.compile(r"(?<![\w*])\d[\dXx*•●×■█#∗ \-]{8,24}(?![\w*])")
_MASKS = re.compile(r"[*•●×■█#∗xX]{3,}")
_HOMES = (
    re.compile(r"(?<![\w.\-])/(?:var/)?(?:home|Users|export/home)/[^\s\"'<>/\\,;)&|]+", re.IGNORECASE),
    re.compile(r"/mnt/[a-z]/Users/[^\s\"'<>/\\,;)&|]+", re.IGNORECASE),
    re.compile(
        r"\b[A-Za-z]:(?:\\+|/+)(?:Users|Documents and Settings|用户)(?:\\+|/+)[^\s\"'<>/\\,;)&|]+", re.IGNORECASE
    ),
    re.compile(r"(?<![\w/:\\])\\\\+[A-Za-z0-9.\-]+\\+(?:home|users|profiles)\$?\\+[^\s\"'<>/\\,;)&|]+", re.IGNORECASE),
)
_DRIVE = re.compile(r"\b[A-Za-z]:\\+[^\s\"'<>|*?\\]+\\+[^\s\"'<>|*?]+")
_NOBODY = frozenset({"shared", "public", "default", "jovyan", "runner", "user", "<user>", "username", "all users"})
_HASH = re.compile(
    r"(?<![0-9a-zA-Z+/=_\-])(?:[0-9a-f]{128}|[0-9a-f]{96}|[0-9a-f]{64}|[0-9a-f]{56}|[0-9a-f]{40}|[0-9a-f]{32}"
    r"|[0-9A-F]{128}|[0-9A-F]{64}|[0-9A-F]{40}|[0-9A-F]{32})(?![0-9a-zA-Z+/=_\-])"
    r"|(?<![0-9a-zA-Z+/=_\-])[A-Za-z0-9+/]{43}=(?![0-9a-zA-Z+/=])"
)
_PROVENANCE = re.compile(
    r"(?:sha-?\d{0,3}|md5|blake\w*|fingerprint|digest|hash|integrity|checksum|commit|revision|key_id|etag"
    r"|library|notebook|reference|工作本|笔记本|内容|校验|指纹|散列|哈希)[^0-9a-zA-Z\x1f]{0,16}$",
    re.IGNORECASE,
)
_OF_PERSONS = re.compile(r"身份证|证件|姓名|手机|person|identity|\bid\b|id_?card", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}")
_PERSON_FIELD = re.compile(
    r"(?:姓名|名字|经办人|操作人|填报人|负责人|联系人|operator|user_?name|full_?name|real_?name|author|creator"
    r"|last_?modified_?by)[\"']?\s*[:：=]\s*[\"'\[{]*([^\s\"',;:：}\])\x1f|，。；、<>]{2,40})",
    re.IGNORECASE,
)
_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭"
    "陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤葛施季冒缪保成管单樊葛羌"
    "倪殷桑欧阿买努古麦艾司诸上东尉皇"
)
_PERSON_WORDS = ("姓名", "名字", "人", "operator", "name", "author", "creator", "modified")
_HOME_WORDS = ("home", "users", "documents", "用户", "profiles")
_TRACEBACK = re.compile(r"Traceback \(most recent call last\)")
PHONE_GROUPS = frozenset({(11,), (3, 4, 4), (3, 8), (7, 4)})


def find_in_text(plain: str, where: str) -> Iterator[Finding]:
    """Everything personal in one text without disguises (see `disguises.views`)."""
    numbers = condense(plain, "number")
    if numbers:
        yield from _find_numbers(numbers, where)
        for match in _MASKED.finditer(numbers):
            yield from _judge_mask(match[0], where)
    for match in _SINGLES.finditer(plain):
        yield from _judge_singles(re.sub(r"[^\dXx]", "", match[0]), where)
    for match in _LETTERED.finditer(plain):
        if is_checked(match[0]):
            yield found("refuse", where, match[0], "identity")
    yield from _find_paths(plain, where)
    yield from _find_hashes(plain, where)
    lower = plain.casefold()
    for match in _PERSON_FIELD.finditer(plain) if any(word in lower for word in _PERSON_WORDS) else ():
        if match[1][0] in _SURNAMES and re.fullmatch(r"[\u3400-\u9fff·]{2,15}", match[1]):
            yield found("refuse", where, match[1], "person_field")
    if "Traceback" in plain and (match := _TRACEBACK.search(plain)):
        yield found("refuse", where, match[0], "traceback")


def _find_numbers(plain: str, where: str) -> Iterator[Finding]:
    """Identity numbers and phones, however their digits are grouped."""
    for match in _RUN.finditer(plain):
        if match.end() - match.start() >= 11:
            yield from _judge_run(match[0], plain[match.end() : match.end() + 20], where)
    for match in _DOTTED.finditer(plain):
        yield from _judge_run(match[0], "", where)
    for match in _FLOATED.finditer(plain):
        yield from find_in_number(float(match[0]), where)


def _judge_singles(digits: str, where: str) -> Iterator[Finding]:
    """Digits one by one, as in the boxes of a form."""
    if len(digits) == 18 and is_checked(digits):
        yield found("refuse", where, digits, "identity")
    elif len(digits) == 11 and re.fullmatch(r"1[3-9]\d{9}", digits):
        yield found("warn", where, digits, "phone")


def _judge_run(run: str, after: str, where: str) -> Iterator[Finding]:
    """Digits with nothing, spaces, hyphens or the like between them."""
    if _FRACTION.match(after):
        return
    groups = _groups(run.rstrip("Xx") + _check_x(run))
    for part in groups:
        if 15 <= len(part) <= 18:
            yield from find_in_digits(part, where)
    if len(groups) > 1 and len(groups) <= 12:
        yield from _joined_groups(groups, where)
    for line in run.split("\n"):  # figures one below the other are no phone
        for phone in _phones(_groups(line)):
            yield found("refuse", where, phone, "phone")


def _groups(run: str) -> list[str]:
    return [part for part in re.split(r"[^\dXx]+", run) if part]


def _check_x(run: str) -> str:
    return run[len(run.rstrip("Xx")) :][:1]


def _joined_groups(groups: list[str], where: str) -> Iterator[Finding]:
    """Neighbouring groups that are an identity number together; the check character rules out mere numbers."""
    for first in range(len(groups)):
        size = 0
        for last in range(first, len(groups)):
            size += len(groups[last])
            if size == 18 and last > first:
                digits = "".join(groups[first : last + 1])
                if digits[:17].isdigit() and is_checked(digits):
                    yield found("refuse", where, digits, "identity")
            if size >= 18:
                break


def _phones(groups: list[str]) -> Iterator[str]:
    """Mobile numbers: alone or behind a country code, grouped as people write them."""
    sizes, digits = tuple(map(len, groups)), "".join(groups)
    for prefix in ("", "86", "0086"):
        rest = digits.removeprefix(prefix)
        if len(rest) == 11 and digits.startswith(prefix) and re.fullmatch(r"1[3-9]\d{9}", rest):
            own = sizes[1:] if prefix and groups[0] == prefix else (sizes[0] - len(prefix), *sizes[1:])
            if own in PHONE_GROUPS or (prefix and len(own) > 1):
                yield rest
                return
    for at, part in enumerate(groups):
        if len(groups) > 1 and re.fullmatch(r"1[3-9]\d{9}", part):
            yield part
        together = tuple(sizes[at : at + 3])
        if len(groups) > 3 and together == (3, 4, 4) and re.match(r"1[3-9]", part):
            yield "".join(groups[at : at + 3])


def find_in_digits(digits: str, where: str) -> Iterator[Finding]:
    """One run of fifteen to eighteen digits."""
    if not digits[:-1].isdigit():
        return
    if len(digits) == 15:
        if digits.isdigit() and digits[:2] in PROVINCES and is_birth("19" + digits[6:12]):
            yield found("warn", where, digits, "identity_old")
    elif len(digits) == 17:
        if digits.isdigit() and digits[:2] in PROVINCES and is_birth(digits[6:14]):
            yield found("warn", where, digits, "identity_unchecked")
    elif len(digits) == 18:
        if is_checked(digits):
            yield found("refuse", where, digits, "identity")
        elif is_birth(digits[6:14]):
            # A spreadsheet keeps fifteen digits and a zero tail; a float lies on the grid of its fifty-three bits.
            lost = digits.isdigit() and (digits.endswith("000") or int(float(digits)) == int(digits))
            yield found(
                "refuse" if lost else "warn", where, digits, "identity_mangled" if lost else "identity_unchecked"
            )


def _judge_mask(text: str, where: str) -> Iterator[Finding]:
    mask = re.sub(r"[ \-]", "", text)
    if not _MASKS.search(mask):
        return
    shown = sum(character.isdigit() for character in mask)
    if len(mask) in (15, 16, 17, 18, 19) and shown >= 6:
        told = is_birth(mask[6:14]) if mask[6:14].isdigit() else False
        yield found("refuse" if told or shown >= 8 else "warn", where, mask, "identity_masked")
    elif len(mask) == 11 and shown >= 6 and re.match(r"1[3-9]", mask):
        yield found("refuse", where, mask, "phone_masked")


def _find_paths(plain: str, where: str) -> Iterator[Finding]:
    if "/" not in plain and "\\" not in plain:
        return
    lower = plain.casefold()
    for pattern in _HOMES if any(word in lower for word in _HOME_WORDS) else ():
        for match in pattern.finditer(plain):
            if re.split(r"[\\/]+", match[0])[-1].casefold() not in _NOBODY:
                yield found("refuse", where, match[0], "path")
    if ":\\" in plain:
        for match in _DRIVE.finditer(plain):
            yield found("warn", where, match[0], "path_local")


def _find_hashes(plain: str, where: str) -> Iterator[Finding]:
    if not condense(plain, "hex") and "=" not in plain:
        return
    for match in _HASH.finditer(plain):
        label = plain[max(0, match.start() - 40) : match.start()]
        declared = _PROVENANCE.search(label) and not _OF_PERSONS.search(label)
        if declared or len(set(match[0])) < 2 or match[0].isdigit():
            continue
        # Identifiers of a program's objects and repeated letters only look like one.
        doubtful = _UUID.fullmatch(match[0]) or len(set(match[0])) < 8
        yield found("warn" if doubtful else "refuse", where, match[0], "hash")


def find_in_number(number: float, where: str) -> Iterator[Finding]:
    """A number that is an identity number or a phone: as a float seventeen zeros long, with a date of birth in it."""
    if 1e17 <= number < 1e18:
        yield from find_in_digits(str(int(number)), where)
    elif 13e9 <= number < 2e10 and float(number).is_integer():
        yield found("refuse", where, int(number), "phone")
    elif 1e14 <= number < 1e15 and float(number).is_integer():
        yield from find_in_digits(str(int(number)), where)


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
