"""From one raw cell to one value: dates, amounts, codes, levels, words. Explicit rules; what fits none is a fault."""

import calendar
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from itertools import compress
from types import MappingProxyType
from typing import Any, NamedTuple

from institute_lib.registers import decoding, identity, vocabulary
from institute_lib.registers.personal import bare_name, count_personal, find
from institute_lib.registers.vocabulary import Unit

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
    r"(?:[¥$]|RMB|人民币)?\s*(-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)\s*([^\d\s].{0,9})?", re.IGNORECASE
)
_BETWEEN = re.compile(r"[;；、,，/\n]")
_QUARTER = re.compile(r"(\d{4})\s*[年.\-/]?\s*(?:Q|第)\s*([1-4一二三四])\s*(?:季度|季)?", re.IGNORECASE)
_QUARTER_WORD = re.compile(r"(\d{4})\s*[年\-]?\s*([1-4一二三四])\s*(?:季度|季)")
_QUARTER_FIRST = re.compile(r"(?P<quarter>Q[1-4])\s*[-/,]?\s*(?P<year>\d{4})年?", re.IGNORECASE)
_QUARTER_MONTHS = re.compile(r"(\d{4})\s*[年.]\s*(0?1-0?3|0?4-0?6|0?7-0?9|10-12)月")
_UNTIL = re.compile(r"\s*月?\s*(?:[-~至到\u2010-\u2015]|--)\s*(?=\d)")
# 20183 is March 2018 as often as a day in 1955: no one can tell.
_YEAR_MONTH_SERIALS = range(19_900, 20_400)
_TEXT_MARK = re.compile(r"""^=\s*"(.*)"$|^['’‘](?=\S)""", re.DOTALL)
_LONG_CODE, _EXACT = 15, 10**15  # a spreadsheet keeps fifteen digits of a number
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
    cell = vocabulary.without_look_alikes(cell)
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


def unmarked(cell: str) -> str:
    """A text without the marks by which Excel is told that it is one: ="001" and '001 are 001."""
    found = _TEXT_MARK.match(cell)
    return cell if found is None else found[1] if found[1] is not None else cell[1:]


def parse_text(cell: Any) -> Value:
    """Free text, kept as written. Texts such as `NA` or `null` are texts; formula-shaped ones are remarked on.

    It reaches the tables, so a phone or an identity number in it is a fault; so is text that was decoded wrongly, and
    what a failed formula shows.
    """
    if isinstance(cell, bool | date | time | timedelta):
        return Value(fault="text_form")
    cell = unmarked(written(cell))
    text, remarks = tidy(cell)
    if vocabulary.is_missing(text):
        return Value(None, remarks=remarks)
    fault = _fault_of_text(text)
    return Value(fault=fault) if fault else Value(text, remarks=remarks + _shape(cell))


def _fault_of_text(text: str) -> str:
    if len(text) > LONGEST:
        return "text_long"
    if vocabulary.is_error(text):
        return "cell_error"
    if count_personal(text):
        return "text_personal"
    return "text_misdecoded" if decoding.is_mojibake(text) else ""


def parse_code(cell: Any) -> Value:
    """A code, kept with its zeros. Where a spreadsheet has rounded it, it is refused: 2.025E+16, or a number of more
    digits than a spreadsheet keeps. Letters and digits alone may look like a permit, so only phones and identity
    numbers are told.
    """
    if isinstance(cell, bool | date | time | timedelta):
        return Value(fault="text_form")
    text, remarks = tidy(unmarked(written(cell)))
    if vocabulary.is_missing(text):
        return Value(None, remarks=remarks)
    is_rounded = isinstance(cell, int | float) and (abs(cell) >= _EXACT or cell != int(cell))
    if is_rounded or _SCIENTIFIC.fullmatch(vocabulary.normal(text)):
        fault = "code_numeric"
    elif any(kind in ("identity", "phone") and end - start == len(text) for kind, start, end in find(text)):
        fault = "text_personal"
    else:
        fault = _fault_of_text(text) if len(text) > LONGEST or vocabulary.is_error(text) else ""
    return Value(fault=fault) if fault else Value(text, remarks=remarks + _shape(text))


def parse_name(cell: Any) -> Value:
    """A person's name, to tell people apart by; it is kept nowhere. Names may be written in any script."""
    if not isinstance(cell, str):
        return Value(fault="name_form")
    cell = unmarked(cell)
    if cell.isalpha() and len(cell) <= LONGEST and not vocabulary.is_missing(cell):
        return Value(cell)  # letters alone break none of the rules below, and nearly all names are that
    text, remarks = tidy(cell)
    if vocabulary.is_missing(text):
        return Value(None, remarks=remarks)
    if vocabulary.is_error(text):
        fault = "cell_error"
    elif len(text) > LONGEST or text.isnumeric() or count_personal(text) or not bare_name(text):
        fault = "name_form"
    else:
        fault = "text_misdecoded" if "\ufffd" in text else ""
    return Value(fault=fault) if fault else Value(text, remarks=remarks + _shape(cell))


def _shape(cell: str) -> tuple[str, ...]:
    return ("formula_shaped",) if cell.lstrip(" ").startswith(_FORMULA) else ()


def parse_identity(cell: Any) -> Value:
    """An identity number. A number typed as a number is refused: a spreadsheet keeps fifteen digits of it."""
    if isinstance(cell, str) and cell.isascii() and cell.isalnum():
        text, remarks = cell, ()
    elif isinstance(cell, int | float):
        return Value(fault="identity_numeric")
    else:
        text, remarks = tidy(unmarked(str(cell)))
        if vocabulary.is_missing(text):
            return MISSING
        if vocabulary.is_error(text):
            return Value(fault="cell_error")
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


def parse_day(*, today: date, epoch_1904: bool = False, blanks: frozenset[str] = frozenset()) -> Parser:
    """A parser of days not after `today`: cells that are dates, Excel serials, year-first and Chinese forms.

    `blanks` are words that stand for no day in this column: 在职 as the day of leaving.
    """

    def parse(cell: Any) -> Value:
        if blanks and not isinstance(cell, date) and vocabulary.plain(written(cell)) in blanks:
            return MISSING
        found = _day(cell, epoch_1904)
        if isinstance(found.value, date):
            if found.value > today:
                return Value(fault="day_future")
            if found.value.year < FIRST_YEAR:
                return Value(fault="day_old")
        if blanks and found.fault == "day_form" and not any(map(str.isdigit, written(cell))):
            return Value(fault="day_word")
        return found

    return parse


def _day(cell: Any, epoch_1904: bool) -> Value:
    if isinstance(cell, date):
        return Value(cell.date() if isinstance(cell, datetime) else cell)
    if isinstance(cell, bool):
        return Value(fault="day_form")
    if isinstance(cell, int | float) and not _COMPACT.fullmatch(written(cell)):
        return _serial(float(cell), epoch_1904)
    text, remarks = tidy(unmarked(written(cell)))
    text = vocabulary.normal(text).rstrip(".,;。、")
    if vocabulary.is_missing(text) or vocabulary.is_error(text):
        return Value(fault="cell_error" if vocabulary.is_error(text) else "")
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
    is_month = _NO_DAY.fullmatch(text) or (re.fullmatch(r"\d{6}", text) and _is_year_month(float(text)))
    return Value(fault="day_incomplete" if is_month else "day_form")


def _serial(number: float, epoch_1904: bool) -> Value:
    if not 10_000 <= number < 75_000:
        return Value(fault="day_incomplete" if _is_year_month(number) else "day_form")
    if int(number) in _YEAR_MONTH_SERIALS and int(number) % 10 >= 1:
        return Value(fault="day_incomplete")
    epoch = date(1904, 1, 1) if epoch_1904 else date(1899, 12, 30)
    return Value(epoch + timedelta(days=int(number)))


def _is_year_month(number: float) -> bool:
    """Whether a number is a year and a month: 201803."""
    return FIRST_YEAR <= number // 100 <= 2100 and 1 <= number % 100 <= 12


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


def parse_amount(*, kept_in: str = "yuan", unit: Unit | None = None) -> Parser:
    """A parser of amounts: 5300.5, 5,300.50, ¥5300, 0.53万元, 5千, 6万元/年.

    Args:
        kept_in: the unit that the column is kept in, one of `vocabulary.declared()["kinds"]`.
        unit: that of the header, the title or the cell's format; what the cell itself states comes before it.
    """
    plain = vocabulary.scale(kept_in, unit) or 1.0

    def parse(cell: Any) -> Value:
        if isinstance(cell, bool | date | time | timedelta):
            return Value(fault="amount_form")
        if isinstance(cell, int | float):
            return _not_negative(float(cell) if plain == 1 else round(cell * plain, PLACES), ())
        text, remarks = tidy(unmarked(str(cell)))
        text = vocabulary.normal(text)
        if vocabulary.is_missing(text) or vocabulary.is_error(text):
            return Value(fault="cell_error" if vocabulary.is_error(text) else "")
        match = _AMOUNT.fullmatch(text)
        if match is None or "$" in text:
            return Value(fault="amount_form")
        factor = _factor(match[2], kept_in, unit) if match[2] else plain
        if factor is None:
            is_unit = match[2] not in "%‰" and vocabulary.unit_of(match[2]) is not None
            return Value(fault="amount_unit", detail=match[2]) if is_unit else Value(fault="amount_form")
        number = float(match[1].replace(",", ""))
        return _not_negative(number if factor == 1 else round(number * factor, PLACES), remarks)

    return parse


def _factor(text: str, kept_in: str, unit: Unit | None) -> float | None:
    """What one of a cell's own unit is; a period that only the header states holds for the cell too."""
    own = vocabulary.unit_of(text.removesuffix("整"))
    if own is None:
        return None
    period = own.period or (unit.period if unit else "")
    return vocabulary.scale(kept_in, own._replace(period=period))


def _not_negative(number: float, remarks: tuple[str, ...]) -> Value:
    return Value(fault="amount_negative") if number < 0 else Value(number, remarks=remarks)


_plain_amount = parse_amount()


def parse_share(*, unit: Unit | None = None) -> Parser:
    """A parser of shares between 0 and 1, written 0.75 or 75%, or 75 below a header in percent."""
    factor = {"%": 0.01, "‰": 0.001}.get(unit.count if unit else "", 1.0)

    def parse(cell: Any) -> Value:
        text = vocabulary.normal(written(cell))
        own = {"%": 0.01, "‰": 0.001}.get(text[-1:])
        found = _plain_amount(text.rstrip("%‰"))
        if found.value is None:
            return found
        value = round(found.value * (own or factor), 6)
        if value > 1:
            return Value(fault="share_form")
        is_odd = own is None and factor < 1 and 0 < found.value < 1
        return Value(value, remarks=(*found.remarks, "share_small") if is_odd else found.remarks)

    return parse


def parse_quarter(cell: Any) -> Value:
    """A quarter, written 2025Q4, 2025年第四季度, 2025年4季度 or 2025年10-12月, as 2025Q4; 2025-4 may be a month."""
    text = vocabulary.normal(tidy(unmarked(written(cell)))[0])
    if vocabulary.is_missing(text):
        return MISSING
    if vocabulary.is_error(text):
        return Value(fault="cell_error")
    if months := _QUARTER_MONTHS.fullmatch(_UNTIL.sub("-", text)):
        return Value(f"{months[1]}Q{(int(months[2].split('-')[0]) + 2) // 3}")
    if first := _QUARTER_FIRST.fullmatch(text):
        return Value(f"{first['year']}{first['quarter'].upper()}")
    text = text.replace("III", "3").replace("II", "2").replace("IV", "4").replace("I", "1")
    match = _QUARTER.fullmatch(text) or _QUARTER_WORD.fullmatch(text)
    if match is None:
        is_month = re.fullmatch(r"\d{4}[-./年]?\d{1,2}月?", text) is not None
        return Value(fault="quarter_month" if is_month else "quarter_form")
    return Value(f"{match[1]}Q{match[2].translate(_CHINESE_DIGITS)}")


def parse_level(
    list_name: str, taught: Mapping[tuple[str, str], str] = MappingProxyType({}), blanks: frozenset[str] = frozenset()
) -> Parser:
    """A parser of one declared list of levels, and of the words that the institute was taught for it."""

    def parse(cell: Any) -> Value:
        text, remarks = tidy(unmarked(written(cell)))
        text = vocabulary.normal(text)
        level = taught.get((list_name, text)) or vocabulary.level_of(list_name, text)
        if level is not None:
            return Value(level, remarks=remarks)
        if vocabulary.is_missing(text) or text in blanks:
            return Value(None, remarks=remarks)
        return Value(fault="cell_error" if vocabulary.is_error(text) else "level_unknown")

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
