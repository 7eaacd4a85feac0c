"""What a workbook shows in place of a number: Excel's number formats, as far as they add zeros, letters or a unit."""

import re

from institute_lib.registers.vocabulary import unit_of

_SECTION = re.compile(r'^(?:[^";]|"[^"]*")*')
_QUOTED = re.compile(r'"[^"]*"')
_DIGITS = re.compile(r"[0#?](?:[0#?,.]|[!\\]\.)*")
_TOKEN = re.compile(r'"[^"]*"|\\.|!.|_.|\*.|\[[^\]]*\]|.')
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|!(.)|_.|\*.|\[[^\]]*\]')
_MOVED_POINT = re.compile(r"[!\\]\.([0#]*)")
_PLACES = frozenset("0#?")


def shown(value: float, code: str, *, as_code: bool) -> str | None:
    """A number as the format shows it, or None where the format says no more than the number.

    Args:
        as_code: the number is a code: zeros in front and letters around it belong to it.

    >>> shown(12, "000000", as_code=True), shown(1234, '"A"00-00', as_code=True)
    ('000012', 'A12-34')
    >>> shown(42.5, '0.00"万元"', as_code=False), shown(425000, '0!.0,"万"', as_code=False)
    ('42.5万元', '42.5万')
    >>> shown(0.75, "0%", as_code=False)
    '75.0%'
    """
    section = _SECTION.match(code)[0]
    digits = _DIGITS.search(_QUOTED.sub(lambda found: "\x00" * len(found[0]), section))
    if digits is None:
        return None
    if as_code:
        text = _filled(section, str(int(value))) if float(value).is_integer() else None
        return text if text != str(int(value)) else None
    after = _letters(section[digits.end() :])
    if unit_of(after) is None:
        return None
    moved = _MOVED_POINT.search(digits[0])
    thousands = len(digits[0]) - len(digits[0].rstrip(","))
    scaled = value * (100 if after == "%" else 1) / 1000**thousands / 10 ** (len(moved[1]) if moved else 0)
    return f"{round(scaled, 9)}{after}"


def _filled(section: str, digits: str) -> str:
    """The digits in the places of a format, from the last one on; those that are left stand in the first place."""
    tokens = _TOKEN.findall(section.split(".", 1)[0])
    first = next(at for at, token in enumerate(tokens) if token in _PLACES)
    made = []
    for at in range(len(tokens) - 1, -1, -1):
        if tokens[at] not in _PLACES:
            made.append("" if tokens[at] == "," else _letters(tokens[at]))
            continue
        own, digits = (digits, "") if at == first else (digits[-1:], digits[:-1])
        made.append(own or ("0" if tokens[at] == "0" else ""))
    return "".join(reversed(made))


def _letters(text: str) -> str:
    """The letters that a part of a format shows."""
    return _LITERAL.sub(lambda found: found[1] or found[2] or found[3] or "", text).strip()
