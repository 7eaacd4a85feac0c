"""From one raw cell to one value: dates, amounts, levels, words. Explicit rules; what fits none is a fault."""

import calendar
import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from itertools import compress
from typing import Any, NamedTuple

from institute_lib.registers import decoding, identity, vocabulary
from institute_lib.registers.personal import count_personal

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
_NEWLINE = re.compile(r"[\r\n\u2028\u2029]")
_FORMULA = ("=", "+", "-", "@", "\t")
_SCIENTIFIC = re.compile(r"\d+(\.\d+)?[Ee]\+?\d+")
_YEAR_FIRST = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*[日号]?(?:[T\s]+[\d:.]+)?")
_NO_DAY = re.compile(r"\d{4}\s*[-/.年]\s*(?:\d{1,2}\s*月?)?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")
_SERIAL = re.compile(r"\d{5}(\.0+)?")
_NUMERALS = "一二三四五六七八九"
_CHINESE_DATE = re.compile(f"([〇零○{_NUMERALS}]{{4}})年([{_NUMERALS}十]{{1,2}})月([{_NUMERALS}十]{{1,3}})[日号]")
_CHINESE_DIGITS = str.maketrans("〇零○一二三四五六七八九", "000123456789")
_AMOUNT = re.compile(
    r"(?:¥|RMB|人民币)?\s*(-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)\s*(亿元?|百万元|[万千百]元|[万千元])?整?"
    r"(?:人|名|小时|学时|课时|个|所|例)?(?:/月|/年|每月|每年)?",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"[;；、,，/\n]")
_QUARTER = re.compile(r"(\d{4})\s*[年-]?\s*(?:Q|第)?\s*([1-4一二三四])\s*(?:季度|季)?", re.IGNORECASE)
FIRST_YEAR = 1950
LONGEST = 200  # characters of a name or a text
PLACES = 4  # 0.57 times 10,000 is 5,699.999999999999


class Value(NamedTuple):
    """A parsed cell: its value (None is missing), the rule it breaks (if any), and remarks."""

    value: Any = None
    fault: str = ""
    remarks: tuple[str, ...] = ()
    detail: str = ""


MISSING = Value()
Parser = Callable[[Any], Value]


def tidy(cell: str) -> tuple[str, tuple[str, ...]]:
    """A text without control characters, invisible marks and line breaks, and what had to be removed."""
    if cell.isprintable():
        return cell.strip(), ()
    remarks = []
    if _CONTROL.search(cell):
        cell = _CONTROL.sub("", cell)
        remarks.append("control_characters")
    cell = _INVISIBLE.sub("", cell)
    if _NEWLINE.search(cell.strip()):
        cell = " ".join(line.strip() for line in _NEWLINE.split(cell) if line.strip())
        remarks.append("newline_in_cell")
    return cell.strip(), tuple(remarks)


def written(cell: Any) -> str:
    """A cell as its office sees it: a whole number without the .0 that a workbook's reader gives it."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def parse_text(cell: Any) -> Value:
    """Free text, kept as written. Texts such as `NA` or `null` are texts; formula-shaped ones are remarked on.

    It reaches the tables, so a phone or an identity number in it is a fault; so is text that was decoded wrongly.
    """
    if isinstance(cell, bool | date | time | timedelta):
        return Value(fault="text_form")
    cell = written(cell)
    text, remarks = tidy(cell)
    if vocabulary.is_missing(text):
        return Value(None, remarks=remarks)
    if len(text) > LONGEST:
        return Value(fault="text_long")
    if count_personal(text):
        return Value(fault="text_personal")
    if decoding.is_mojibake(text):
        return Value(fault="text_misdecoded")
    return Value(text, remarks=remarks + _shape(cell))


def parse_name(cell: Any) -> Value:
    """A person's name, to tell people apart by; it is kept nowhere. Names may be written in any script."""
    if not isinstance(cell, str):
        return Value(fault="name_form")
    if cell.isalpha() and len(cell) <= LONGEST and not vocabulary.is_missing(cell):
        return Value(cell)  # letters alone break none of the rules below, and nearly all names are that
    text, remarks = tidy(cell)
    if vocabulary.is_missing(text):
        return Value(None, remarks=remarks)
    if len(text) > LONGEST or text.isnumeric() or count_personal(text):
        return Value(fault="name_form")
    if "\ufffd" in text:
        return Value(fault="text_misdecoded")
    return Value(text, remarks=remarks + _shape(cell))


def _shape(cell: str) -> tuple[str, ...]:
    return ("formula_shaped",) if cell.lstrip(" ").startswith(_FORMULA) else ()


def parse_identity(cell: Any) -> Value:
    """An identity number. A number typed as a number is refused: a spreadsheet keeps fifteen digits of it."""
    if isinstance(cell, str) and cell.isascii() and cell.isalnum():
        text, remarks = cell, ()
    elif isinstance(cell, int | float):
        return Value(fault="identity_numeric")
    else:
        text, remarks = tidy(str(cell))
        if vocabulary.is_missing(text):
            return MISSING
        if _SCIENTIFIC.fullmatch(vocabulary.normal(text)):
            return Value(fault="identity_numeric")
    try:
        found = identity.parse(text)
    except identity.IdentityFault as fault:
        return Value(fault=str(fault))
    return Value(found, remarks=remarks + found.remarks)


def parse_identities(cells: Iterable[Any]) -> dict[Any, Value]:
    """`parse_identity` of many different cells: what is an ordinary number is found for all of them at once."""
    cells = list(cells)
    candidates = [cell for cell in cells if isinstance(cell, str) and len(cell) == 18 and cell.isascii()]
    ordinary = compress(candidates, identity.are_ordinary(candidates))
    known = {number: Value(identity.Identity(number, "resident")) for number in ordinary}
    return {cell: known.get(cell) or parse_identity(cell) for cell in cells}


def parse_day(*, today: date, epoch_1904: bool = False) -> Parser:
    """A parser of days not after `today`: cells that are dates, Excel serials, year-first and Chinese forms."""

    def parse(cell: Any) -> Value:
        found = _day(cell, epoch_1904)
        if isinstance(found.value, date):
            if found.value > today:
                return Value(fault="day_future")
            if found.value.year < FIRST_YEAR:
                return Value(fault="day_old")
        return found

    return parse


def _day(cell: Any, epoch_1904: bool) -> Value:
    if isinstance(cell, date):
        return Value(cell.date() if isinstance(cell, datetime) else cell)
    if isinstance(cell, bool):
        return Value(fault="day_form")
    if isinstance(cell, int | float) and not _COMPACT.fullmatch(written(cell)):
        return _serial(float(cell), epoch_1904)
    text, remarks = tidy(written(cell))
    text = vocabulary.normal(text)
    if vocabulary.is_missing(text):
        return MISSING
    if _SERIAL.fullmatch(text):
        found = _serial(float(text), epoch_1904)
        return Value(found.value, found.fault, (*remarks, "day_serial_text"))
    return _written_day(text, remarks)


def _written_day(text: str, remarks: tuple[str, ...]) -> Value:
    if match := _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text):
        return _calendar_day(*map(int, match.groups()), remarks)
    if match := _CHINESE_DATE.fullmatch(text):
        year = int(match[1].translate(_CHINESE_DIGITS))
        return _calendar_day(year, _chinese_number(match[2]), _chinese_number(match[3]), remarks)
    if match := _YEAR_LAST.fullmatch(text):
        return _year_last(*map(int, match.groups()), remarks)
    return Value(fault="day_incomplete" if _NO_DAY.fullmatch(text) else "day_form")


def _serial(number: float, epoch_1904: bool) -> Value:
    if not 10_000 <= number < 75_000:
        return Value(fault="day_form")
    epoch = date(1904, 1, 1) if epoch_1904 else date(1899, 12, 30)
    return Value(epoch + timedelta(days=int(number)))


def _calendar_day(year: int, month: int, day: int, remarks: tuple[str, ...]) -> Value:
    if not (1 <= month <= 12 and 1900 <= year <= 2200 and 1 <= day <= calendar.monthrange(year, month)[1]):
        return Value(fault="day_impossible")
    return Value(date(year, month, day), remarks=remarks)


def _year_last(first: int, second: int, year: int, remarks: tuple[str, ...]) -> Value:
    if first <= 12 and second <= 12 and first != second:
        return Value(fault="day_ambiguous")
    month, day = (second, first) if first > 12 else (first, second)
    return _calendar_day(year, month, day, remarks)


def _chinese_number(text: str) -> int:
    tens, ten, units = text.rpartition("十")
    value = int(units.translate(_CHINESE_DIGITS)) if units else 0
    return value + (10 * (int(tens.translate(_CHINESE_DIGITS)) if tens else 1) if ten else 0)


def parse_amount(*, scale: float = 1.0) -> Parser:
    """A parser of amounts: 5300.5, 5,300.50, ¥5300, 0.53万元, 5千. `scale` is 10,000 below a header in 万.

    A unit behind the number comes before the header's.
    """

    def parse(cell: Any) -> Value:
        if isinstance(cell, bool | date | time | timedelta):
            return Value(fault="amount_form")
        if isinstance(cell, int | float):
            return _not_negative(float(cell) if scale == 1 else round(cell * scale, PLACES), ())
        text, remarks = tidy(str(cell))
        text = vocabulary.normal(text)
        if vocabulary.is_missing(text):
            return MISSING
        match = _AMOUNT.fullmatch(text)
        if match is None:
            return Value(fault="amount_form")
        number = float(match[1].replace(",", ""))
        unit = vocabulary.declared()["units"][match[2]] if match[2] else scale
        return _not_negative(number if unit == 1 else round(number * unit, PLACES), remarks)

    return parse


def _not_negative(number: float, remarks: tuple[str, ...]) -> Value:
    return Value(fault="amount_negative") if number < 0 else Value(number, remarks=remarks)


_plain_amount = parse_amount()


def parse_share(cell: Any) -> Value:
    """A share between 0 and 1, written 0.75 or 75%."""
    text = vocabulary.normal(str(cell))
    found = _plain_amount(text.rstrip("%"))
    if found.value is None:
        return found
    value = found.value / 100 if text.endswith("%") else found.value
    return Value(value, remarks=found.remarks) if value <= 1 else Value(fault="share_form")


def parse_quarter(cell: Any) -> Value:
    """A quarter, written 2025Q4, 2025年第四季度 or 2025年4季度, as 2025Q4."""
    text = vocabulary.normal(tidy(str(cell))[0])
    if vocabulary.is_missing(text):
        return MISSING
    match = _QUARTER.fullmatch(text)
    if match is None:
        return Value(fault="quarter_form")
    return Value(f"{match[1]}Q{match[2].translate(_CHINESE_DIGITS)}")


def parse_level(list_name: str) -> Parser:
    """A parser of one declared list of levels."""
    words = vocabulary.levels(list_name)

    def parse(cell: Any) -> Value:
        text, remarks = tidy(written(cell))
        text = vocabulary.normal(text)
        if text.lower() in words:
            return Value(words[text.lower()], remarks=remarks)
        return Value(None, remarks=remarks) if vocabulary.is_missing(text) else Value(fault="level_unknown")

    return parse


def parse_subjects(cell: Any) -> Value:
    """Examination subjects, written one after the other: 综合能力、实务, as ability;practice."""
    parse = parse_level("subject")
    found = [parse(part) for part in _BETWEEN.split(vocabulary.normal(str(cell))) if part.strip()]
    fault = next((value.fault for value in found if value.fault), None)
    known = [value.value for value in found if value.value is not None]
    return Value(fault=fault) if fault else Value(";".join(known)) if known else MISSING


def parse_flag(cell: Any) -> Value:
    """Yes or no, by the declared words."""
    found = parse_level("flag")(cell)
    return found if found.value is None else Value(found.value == "true", remarks=found.remarks)
