"""What a workbook shows in place of a number: Excel's number formats, as far as they add zeros, letters or a unit."""

import re

from institute_lib.registers.vocabulary import unit_of

_SECTION = re.compile(r'^(?:[^";]|"[^"]*")*')
_QUOTED = re.compile(r'"[^"]*"')
_DIGITS = re.compile(r"[0#?](?:[0#?,.]|[!\\]\.)*")
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|!(.)|_.|\*.|\[[^\]]*\]')
_MOVED_POINT = re.compile(r"[!\\]\.([0#]*)")


def shown(value: float, code: str, *, as_code: bool) -> str | None:
    """A number as the format shows it, or None where the format says no more than the number.

    Args:
        as_code: the number is a code: zeros in front and letters around it belong to it.

    >>> shown(12, "000000", as_code=True), shown(42.5, '0.00"万元"', as_code=False)
    ('000012', '42.5万元')
    >>> shown(425000, '0!.0,"万"', as_code=False), shown(0.75, "0%", as_code=False)
    ('42.5万', '75.0%')
    """
    section = _SECTION.match(code)[0]
    digits = _DIGITS.search(_QUOTED.sub(lambda found: "\x00" * len(found[0]), section))
    if digits is None:
        return None
    before, after = (_letters(part) for part in (section[: digits.start()], section[digits.end() :]))
    if as_code:
        width = digits[0].split(".", 1)[0].count("0")
        text = f"{before}{str(int(value)).zfill(width)}{after}"
        return text if float(value).is_integer() and text != str(int(value)) else None
    if unit_of(after) is None:
        return None
    moved = _MOVED_POINT.search(digits[0])
    thousands = len(digits[0]) - len(digits[0].rstrip(","))
    scaled = value * (100 if after == "%" else 1) / 1000**thousands / 10 ** (len(moved[1]) if moved else 0)
    return f"{round(scaled, 9)}{after}"


def _letters(text: str) -> str:
    """The letters that a part of a format shows."""
    return _LITERAL.sub(lambda found: found[1] or found[2] or found[3] or "", text).strip()
