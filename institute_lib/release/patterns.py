"""Patterns of personal data in plain text, after every disguise is taken off.

An identity number that passes GB 11643 refuses. One that fails the check but carries a date of birth refuses too: a
spreadsheet rounds the last digits and fifteen true ones remain. A phone refuses. Unchecked look-alikes warn. Longer
runs of digits, fractions and hotlines pass.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from datetime import date

from institute_lib.registers.identity import PROVINCES, check_character
from institute_lib.release.findings import Finding, found

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_ESCAPE = re.compile(r"\\u\{?([0-9a-fA-F]{4,6})\}?|\\x([0-9a-fA-F]{2})")
_DIGIT_RUN = re.compile(r"(?<![\d.])\d{15}(?:\d{2}[\dXx])?(?![\dXx]|\.\d)")
_GROUPED = re.compile(r"(?<![\d.])\d{2,}(?:[ \u00a0\-_.]\d{2,}){1,6}[Xx]?(?!\d)")
_FLOATED = re.compile(r"(?<![\d.])\d\.\d{10,17}[eE]\+?17(?!\d)")
_PHONE = re.compile(r"(?<![\d.])(?:\+?86[ \-]?)?1[3-9]\d(?:[ \-]?\d{4}){2}(?!\d)")
_HOME = re.compile(r"(?:/home/|/Users/)(?!shared/)[^\s\"'<>/\\,;)]+", re.IGNORECASE)
_WINDOWS_HOME = re.compile(r"[A-Za-z]:(?:\\+|/)Users(?:\\+|/)[^\s\"'<>/\\,;)]+", re.IGNORECASE)
_MASKED_IDENTITY = re.compile(r"(?<!\d)\d{6}(\d{8})[*×xX•]{2,4}(?!\d{5})")
_MASKED_PHONE = re.compile(r"(?<!\d)1[3-9]\d[*×•]{4}\d{4}(?!\d)")
_HASH = re.compile(r"(?<![0-9a-zA-Z+/=\-])[0-9a-f]{64}(?![0-9a-zA-Z+/=])")
_PROVENANCE = re.compile(r"(sha-?256|fingerprint|digest|校验|指纹)[^0-9a-f]{0,12}$", re.IGNORECASE)


def undisguise(text: str) -> str:
    """A text without entities, script escapes, full-width digits, invisible characters and colour codes."""
    if "&" in text:
        text = html.unescape(text)
    if "\\u" in text or "\\x" in text:
        text = _ESCAPE.sub(_unescape, text)
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    return text if text.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


def _unescape(match: re.Match[str]) -> str:
    code = int(match[1] or match[2], 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else match[0]


def find_in_text(text: str, where: str) -> Iterator[Finding]:
    """Everything personal in one text."""
    plain = undisguise(text)
    yield from _identities(plain, where)
    for match in _PHONE.finditer(plain):
        yield found("refuse", where, match[0], "phone")
    for pattern in (_HOME, _WINDOWS_HOME):
        for match in pattern.finditer(plain):
            yield found("refuse", where, match[0], "path")
    for match in _MASKED_IDENTITY.finditer(plain):
        if is_birth(match[1]):
            yield found("refuse", where, match[0], "identity_masked")
    for match in _MASKED_PHONE.finditer(plain):
        yield found("warn", where, match[0], "phone_masked")
    for match in _HASH.finditer(plain):
        if not _PROVENANCE.search(plain[max(0, match.start() - 40) : match.start()]):
            yield found("warn", where, match[0], "hash")


def _identities(plain: str, where: str) -> Iterator[Finding]:
    for match in _DIGIT_RUN.finditer(plain):
        yield from _identity(match[0], where)
    for match in _GROUPED.finditer(plain):
        digits = re.sub(r"[^\dXx]", "", match[0])
        if len(digits) == 18 and is_checked(digits):
            yield found("refuse", where, digits, "identity")
    for match in _FLOATED.finditer(plain):
        yield from find_in_number(float(match[0]), where)


def _identity(digits: str, where: str) -> Iterator[Finding]:
    if len(digits) == 15:
        if digits[:2] in PROVINCES and is_birth("19" + digits[6:12]):
            yield found("warn", where, digits, "identity_old")
    elif is_checked(digits):
        yield found("refuse", where, digits, "identity")
    elif is_birth(digits[6:14]):
        yield found("refuse", where, digits, "identity_mangled")


def find_in_number(number: float, where: str) -> Iterator[Finding]:
    """An identity number kept as a floating-point number: seventeen zeros long, with a date of birth in it."""
    if 1e17 <= number < 1e18:
        yield from _identity(str(int(number)), where)


def is_checked(digits: str) -> bool:
    """Whether eighteen characters are an identity number by date of birth and check character (GB 11643)."""
    return is_birth(digits[6:14]) and check_character(digits) == digits[-1].upper()


def is_birth(digits: str) -> bool:
    """Whether eight digits are a day between 1900 and today."""
    try:
        born = date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return False
    return date(1900, 1, 1) <= born <= date.today()
