"""What in a text is about a person: one detector for the registers' door and for the release gate.

`find` tells phones, identity numbers, permits, passports, bank cards and accounts by their shape, however they are
spaced, grouped, bracketed or prefixed; `find_names` finds given names, also split and spaced. Both tell places in the
text as it is written. `mask` and `labels` make values and names of files fit to be shown.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date

from institute_lib.registers.identity import PROVINCES, check_character

SHOWN_WIDTH, LONGEST_NAME = 24, 20
FOREIGNERS = frozenset(f"9{province}" for province in "12345678")  # how their permanent residence permits begin
Place = tuple[str, int, int]

# What may stand between the digits of one number: spaces, hyphens, dots, brackets, marks that cannot be seen.
_BETWEEN = r"[ \t\u00a0\u3000\-.·•_/()\[\]\u2010-\u2015\u200b-\u200f\u2060\ufeff]"
_RUN = re.compile(rf"\d(?:{_BETWEEN}{{0,3}}[\dXx](?![A-Za-z]))*")
_GROUP = re.compile(r"\d+[Xx]?")
_FEW_DIGITS, _FEWEST = 5, 10  # of anything at all (accounts, permits), and of a number in groups
# How people group the eleven digits of a mobile phone.
_PHONE_GROUPS = frozenset(
    {
        (11,),
        (3, 4, 4),
        (3, 8),
        (7, 4),
        (4, 4, 3),
        (3, 3, 5),
        (4, 3, 4),
        (5, 6),
        (6, 5),
        (3, 5, 3),
        (3, 3, 3, 2),
        (3, 2, 2, 2, 2),
    }
)
_MOBILE = re.compile(r"(?:0086|086|86|0|17951|12593)?1[3-9]\d{9}")
_PREFIXES = frozenset({"86", "086", "0086", "0", "17951", "12593"})
_LANDLINE = re.compile(r"(?:(?:0086|86)?0|0086|86)(?:10|2\d|[3-9]\d\d)[2-8]\d{6,7}")
_AREA_CODE = re.compile(r"(?:0|86|0086)?(?:10|2\d|[3-9]\d\d)")
_LONE_CIRCLE = re.compile("(?<![\u2460-\u24ff])[\u2460-\u24ff](?![\u2460-\u24ff])")  # a list's number
_MONEY = re.compile(r"\s*(?:元|万|亿|%|％|‰|人次)")
_EDGE, _END = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
_PERMIT = re.compile(rf"{_EDGE}(?:[HM]\d{{8}}(?:\d{{2}})?|[CWTL]\d{{8}}|C[A-HJ-NP-Z]\d{{7}}|[A-Z]{{3}}\d{{12}}){_END}")
_PASSPORT = re.compile(rf"{_EDGE}(?:[EGDSPK]\d{{8}}|E[A-HJ-NP-Z]\d{{7}}|MA\d{{7}}|[DSP]E\d{{7}}){_END}")
_LABELLED = re.compile(
    r"(护照|passport|台胞证|台湾居民|通行证|回乡证|港澳居民|居留证|居留许可|permit)"
    r"(?:证?号码?|\s*(?:no|number))?[^0-9A-Za-z\u4e00-\u9fff]{0,4}([A-Z]{0,3}\d{6,12}(?:\([A-Z0-9]{1,2}\)|[A-Z])?)"
    + _END,
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+\-]{0,63}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{2,63}){1,4}")
_ACCOUNT = re.compile(
    r"(?:QQ|微信|WeChat|vx)(?:号码?|账号|\s*id)?[:\s]{0,3}([A-Za-z0-9_\-]{5,20})(?![A-Za-z0-9])", re.IGNORECASE
)
_CARD = re.compile(r"(?:62|4\d|5[1-5]|35|37)\d{13,17}")
_HAN = r"\u3400-\u9fff\U00020000-\U0003ffff"
_HAN_ONLY = re.compile(f"[{_HAN}]+")
_ORDINARY = re.compile("[\u4e00-\u9fff]+")  # nothing in such a name is written in two ways
_NAME_MARKS = re.compile(r"[\s_/|·•∙●⋅・･ㆍ‧᛫⸱․.．'’‘`\-*＊#△▲☆★\u200b-\u200f\u2060\ufeff]")
_PLAIN_NAME = re.compile("[\u3400-\u9fff]+")  # to which nothing of the below applies
_REMARK = re.compile(r"[(\[【〔<《].*?[)\]】〕>》]")
_TITLES = re.compile(
    rf"(?<=[{_HAN}]{{2}})(?:同志|先生|女士|小姐|老师|教授|博士|主任|副主任|站长|副站长|社工|社工师|书记|院长|所长|督导|理事长|总干事|医生|律师)$"
)


_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭"
    "陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤葛施季冒缪保成管单樊羌甄"
    "倪殷桑欧阿买努古麦艾司诸上东尉皇"
)


def may_be_name(text: str) -> bool:
    """Whether a text could be a Chinese name: two to four characters, a surname first."""
    return 2 <= len(text) <= 4 and text[0] in _SURNAMES and bool(_HAN_ONLY.fullmatch(text))


def find(text: str) -> list[Place]:
    """Personal numbers and addresses in a text, as (kind, start, end) in order of their places.

    Kinds: identity (the check character fits, or an old one of fifteen digits), identity_like (its birth and province
    fit, its check character does not), phone, landline, permit, passport, bank_card, email, account.

    >>> find("甲站（+86）139-1234-5678")
    [('phone', 4, 20)]
    >>> find("320613199003070012 不对")
    [('identity_like', 0, 18)]
    """
    if not _may_hold_any(text):
        return []
    flat = flatten(text)
    found = [place for match in _RUN.finditer(flat) for place in _in_run(flat, match)]
    if "@" in flat:
        found += [("email", *match.span()) for match in _EMAIL.finditer(flat)]
    for kind, pattern in (("permit", _PERMIT), ("passport", _PASSPORT)):
        found += [(kind, *match.span()) for match in pattern.finditer(flat)]
    for match in _LABELLED.finditer(flat):
        found.append(("passport" if match[1].lower() in ("护照", "passport") else "permit", *match.span(2)))
    found += [("account", *match.span(1)) for match in _ACCOUNT.finditer(flat)]
    return _without_overlaps(found)


def _may_hold_any(text: str) -> bool:
    digits = 0
    for match in re.finditer(r"\d+", text):
        digits += len(match[0])
        if digits >= _FEW_DIGITS:
            return True
    lower = text.lower()
    if not text.isascii() and any(letter.isnumeric() for letter in text if letter > "\u00a0"):
        return True
    return any(sign in lower for sign in ("@", "qq", "微信", "wechat", "vx"))


def flatten(text: str) -> str:
    """A text of the same length in which full-width letters, other scripts' digits and brackets are plain ones."""
    if text.isascii():
        return text
    text = _LONE_CIRCLE.sub(" ", text)
    table = {}
    for letter in set(text):
        if letter > "\x7f":
            plain = unicodedata.normalize("NFKC", letter)
            if not plain.isascii() and unicodedata.digit(letter, None) is not None:
                plain = str(unicodedata.digit(letter))
            if len(plain) == 1 and plain != letter:
                table[ord(letter)] = plain
    return text.translate(table) if table else text


def _in_run(flat: str, run: re.Match[str]) -> Iterator[Place]:
    """Numbers in one run of digits and of what may stand between them."""
    if len(run[0]) < _FEWEST:
        return
    groups = [(run.start() + group.start(), group[0]) for group in _GROUP.finditer(run[0])]
    if sum(len(digits) for _, digits in groups) < _FEWEST:
        return
    if len(groups) > 1 and all(len(digits) == 1 for _, digits in groups):
        yield from _joined(flat, groups)  # digits one by one, as in the boxes of a form
        return
    at = 0
    while at < len(groups):
        size, found = next(
            (
                (size, found)
                for size in range(min(7, len(groups) - at), 0, -1)
                for found in _joined(flat, groups[at : at + size])
            ),
            (1, None),
        )
        if found:
            yield found
        at += size


def _joined(flat: str, groups: list[tuple[int, str]]) -> Iterator[Place]:
    """What these groups are when they are taken together."""
    digits = "".join(part for _, part in groups).upper()
    start, end = groups[0][0], groups[-1][0] + len(groups[-1][1])
    if len(digits) < _FEWEST or "X" in digits[:-1] or _is_part_of_a_word(flat, start, end):
        return
    kind = _kind(digits, tuple(len(part) for _, part in groups), [part for _, part in groups])
    if kind and not (kind in ("phone", "bank_card") and _MONEY.match(flat, end)):
        yield kind, start, end


def _is_part_of_a_word(flat: str, start: int, end: int) -> bool:
    """Whether letters, or a decimal point and more digits, go on around the digits."""
    before, after = flat[max(0, start - 2) : start], flat[end : end + 2]
    is_fraction = flat.startswith("0.", start) or bool(re.search(r"\d\.$", before) or re.match(r"\.\d", after))
    return is_fraction or bool(re.search(r"[A-Za-z]$", before) or re.match(r"[A-Za-z]", after))


def _kind(digits: str, sizes: tuple[int, ...], parts: list[str]) -> str | None:
    is_number = digits.isdigit()
    if len(digits) == 18 and is_identity_like(digits):
        kind = "identity" if check_character(digits) == digits[17] else "identity_like"
    elif is_number and len(digits) == 15 and is_identity_like(f"{digits[:6]}19{digits[6:]}0"):
        kind = "identity"
    elif is_number and _MOBILE.fullmatch(digits) and _are_phone_groups(sizes, parts):
        kind = "phone"
    elif is_number and _LANDLINE.fullmatch(digits) and (len(sizes) == 1 or any(map(_AREA_CODE.fullmatch, parts))):
        kind = "landline"
    elif is_number and _CARD.fullmatch(digits) and set(sizes[:-1]) <= {4, 6} and is_luhn(digits):
        kind = "bank_card"
    else:
        kind = None
    return kind


def _are_phone_groups(sizes: tuple[int, ...], parts: list[str]) -> bool:
    rest = sizes[1:] if len(sizes) > 1 and parts[0] in _PREFIXES else sizes
    return rest in _PHONE_GROUPS or len(sizes) == 1 or set(sizes) == {1}


def is_identity_like(digits: str) -> bool:
    """Whether the province and the birth in eighteen characters can be a person's, whatever the check character."""
    if not digits[:17].isdigit() or digits[:2] not in PROVINCES | FOREIGNERS:
        return False
    try:
        return date(1900, 1, 1) <= date(int(digits[6:10]), int(digits[10:12]), int(digits[12:14])) <= date.today()
    except ValueError:
        return False


def is_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of ISO/IEC 7812 (bank cards)."""
    doubled = (int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _without_overlaps(found: Iterable[Place]) -> list[Place]:
    """In order; of two that overlap the longer one, of two alike the first."""
    kept: list[Place] = []
    for place in sorted(dict.fromkeys(found), key=lambda place: (place[1], -place[2])):
        if not kept or place[1] >= kept[-1][2]:
            kept.append(place)
    return kept


def bare_name(name: str) -> str:
    """A person's name as it is compared: without remarks, titles, spaces, dots and marks.

    >>> bare_name("陈 雨桐（女）"), bare_name("阿依古丽∙买买提"), bare_name("赵立新*")
    ('陈雨桐', '阿依古丽买买提', '赵立新')
    """
    if _ORDINARY.fullmatch(name):
        return _TITLES.sub("", name) if len(name) > 2 else name
    if len(name) < 4 and _PLAIN_NAME.fullmatch(name):
        return name
    plain = unicodedata.normalize("NFKC", name)
    bare = _NAME_MARKS.sub("", _REMARK.sub("", plain))
    return _TITLES.sub("", bare or _NAME_MARKS.sub("", plain)).casefold()


def squeezed(text: str) -> str:
    """A text without the spaces, dots and marks by which a name in it might be split."""
    return text if text.isalnum() else _NAME_MARKS.sub("", unicodedata.normalize("NFKC", text)).casefold()


def find_names(text: str, names: frozenset[str]) -> list[Place]:
    """Names in a text as ("name", start, end), also where spaces, dots or marks stand inside them.

    Args:
        text: any text.
        names: names as `bare_name` gives them.
    """
    letters = [(at, letter) for at, letter in enumerate(flatten(text)) if not _NAME_MARKS.match(letter)]
    plain = "".join(letter for _, letter in letters).casefold()
    if len(plain) != len(letters):  # a letter whose lower case has two: no Chinese name holds one
        return []
    found = [
        ("name", letters[at][0], letters[at + size - 1][0] + 1)
        for size in range(min(LONGEST_NAME, len(plain)), 1, -1)
        for at in range(len(plain) - size + 1)
        if plain[at : at + size] in names
    ]
    return _without_overlaps(found)


def find_personal(text: str) -> list[str]:
    """The pieces of a text that `find` tells, as written."""
    return [text[start:end] for _, start, end in find(text)]


def count_personal(text: str) -> int:
    """How many of them there are."""
    return len(find(text))


def mask(value: object) -> str | None:
    """A value shown by its first and last character: 王小明 → 王*明; two characters show only the first.

    Characters that cannot be printed are not shown at all.

    >>> mask("13800138000")
    '1*********0'
    """
    if value is None:
        return None
    text = printable(str(value))
    if len(text) <= 2:
        return text[:1] + "*" if text else ""
    return text[0] + "*" * min(len(text) - 2, SHOWN_WIDTH) + text[-1]


def printable(text: str) -> str:
    """A text without line breaks, control characters and marks that turn the direction of what follows."""
    if text.isprintable():
        return text.strip()
    kept = (" " if letter.isspace() else letter for letter in text if letter.isspace() or letter.isprintable())
    return "".join(kept).strip()


def labels(names: Iterable[str], people: frozenset[str]) -> Iterator[str]:
    """Names of files and sheets as they may be shown and kept: printable, without a phone, a number or a person.

    Args:
        names: of files or sheets.
        people: names of persons that stand in the register, as `bare_name` gives them.
    """
    for name in names:
        yield without_personal(printable(name), people)


def without_personal(text: str, people: frozenset[str] = frozenset()) -> str:
    """A text whose personal pieces are masked, so that it may be shown."""
    places = _without_overlaps([*find(text), *(find_names(text, people) if people else ())])
    for _, start, end in reversed(places):
        text = text[:start] + (mask(text[start:end]) or "") + text[end:]
    return text
