"""What may not be shown: values masked to their first and last character, phones and identity numbers in texts."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

SHOWN_WIDTH = 24
# A phone; an identity number of eighteen or fifteen characters whose date of birth can be one, or a number of that
# length would be taken for a person's wherever a contract or a station has a long code.
_DAY = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_PERSONAL = re.compile(rf"(?<!\d)(?:1[3-9]\d{{9}}|\d{{6}}(?:19|20)\d\d{_DAY}\d{{3}}[\dXx]|\d{{8}}{_DAY}\d{{3}})(?!\d)")
_GROUPED = re.compile(r"(?<=\d)[\s\u2010-\u2015.-](?=\d)")
_DIGIT = re.compile(r"\d")
_DIGIT_RUN = re.compile(r"\d{10}")


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


def find_personal(text: str) -> list[str]:
    """Phones and identity numbers in a text, also in full-width digits or written in groups (138-0013-8000)."""
    if not _DIGIT.search(text):
        return []
    joined = _GROUPED.sub("", text if text.isascii() else unicodedata.normalize("NFKC", text))
    return _PERSONAL.findall(joined) if _DIGIT_RUN.search(joined) else []


def count_personal(text: str) -> int:
    """How many phones and identity numbers stand in a text."""
    return len(find_personal(text))


def labels(names: Iterable[str], people: Iterable[str]) -> Iterator[str]:
    """Names of files and sheets as they may be shown and kept: printable, without a phone, a number or a person.

    Args:
        names: of files or sheets.
        people: names of persons that stand in the register.
    """
    known = frozenset(people)
    for name in names:
        shown = printable(name)
        hidden = [*known.intersection(_parts(shown)), *find_personal(shown)]
        for secret in sorted(hidden, key=len, reverse=True):
            shown = shown.replace(secret, mask(secret) or "")
        yield re.sub(r"\d{11,18}", lambda found: mask(found[0]) or "", shown) if find_personal(shown) else shown


def _parts(text: str) -> Iterator[str]:
    """Every part of two characters or more; a name of a file has fewer of them than a register has people."""
    return (text[start:end] for start in range(len(text)) for end in range(start + 2, len(text) + 1))
