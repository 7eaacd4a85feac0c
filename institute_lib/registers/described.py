"""The day that a state of a register describes: what its title, sheet, column or file name says, or what was given."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, ParameterError
from institute_lib.registers import vocabulary
from institute_lib.registers.layout import Records
from institute_lib.tables.journal import quarter_of_state

HEADERS = ("季度", "统计季度", "报告期", "统计日期", "截至日期", "截止日期", "数据日期", "统计截止日期")
_DAY = re.compile(r"(\d{4})\s*[年\-./_]\s*(\d{1,2})\s*[月\-./_]\s*(\d{1,2})(?!\d)")
_COMPACT = re.compile(r"截[至止]\D{0,3}(\d{4})(\d{2})(\d{2})(?!\d)")
_QUARTER = re.compile(r"(\d{4})\s*年?度?\s*(?:第?\s*([1-4一二三四])\s*季度?|[Qq]\s*([1-4])(?!\d))")
_MONTH = re.compile(r"(\d{4})\s*年\s*(\d{1,2})\s*月(?!\s*\d)")
_HALF = re.compile(r"(\d{4})\s*年?度?\s*([上下])半年")
_YEAR_END = re.compile(r"(\d{4})\s*年\s*(?:年?底|年?末|度)")
_TWO = re.compile(
    r"[1-4一二三四]季?度?\s*[、,至到和及~—-]\s*第?[1-4一二三四]\s*季|[Qq][1-4]\s*[、,至到和及~—+-]\s*(?:\d{4})?[Qq]?[1-4](?!\d)"
)
_OF_FILLING = re.compile(r"填报|填表|制表|报送|打印|生成|导出|修改|审核")
_UNTIL = re.compile(r"截[至止]")
TWO = "two"


def given(as_of: str | date | None, quarter: str | None, *, today: date) -> tuple[date | None, str | None]:
    """The day and the quarter that a person states for the file.

    Raises:
        ParameterError: neither is written as a day or a quarter, they disagree, or they have not come.
    """
    day = None
    if as_of is not None:
        try:
            day = as_of if isinstance(as_of, date) else date.fromisoformat(as_of)
        except ValueError:
            raise terms.error(ParameterError, "registers.error_as_of", day=as_of) from None
    if quarter is not None and not re.fullmatch(r"\d{4}Q[1-4]", quarter):
        raise terms.error(ParameterError, "registers.error_quarter", quarter=quarter)
    if day and quarter and quarter_of_state(day.isoformat()) != quarter:
        raise terms.error(ParameterError, "registers.error_day_and_quarter", day=day, quarter=quarter)
    if (day and day > today) or (quarter and last_day(quarter) > today):
        raise terms.error(ParameterError, "registers.error_tomorrow", day=day or quarter, today=today)
    return day, quarter


def last_day(quarter: str) -> date:
    """The last day of a quarter."""
    return pd.Period(quarter, freq="Q").end_time.date()


def of_records(records: Records, file: str) -> list[str | None]:
    """For each record of a sheet the day (ISO) that it describes, as far as the file says it.

    A column of its own comes first, then the lines above the header and the sheet's name, then the file's name; `TWO`
    where they name more than one quarter.
    """
    above = records.sheet.rows[: records.source.header_row - 1]
    titles = [str(cell) for row in above for cell in row if isinstance(cell, str)]
    days = [cell for row in above for cell in row if isinstance(cell, date)]
    of_sheet = in_texts([*titles, records.sheet.name or ""]) or (_iso(days[0]) if len(days) == 1 else None)
    whole = of_sheet if of_sheet not in (None, TWO) else None
    of_file = in_texts([file])
    if whole is None:
        whole = TWO if TWO in (of_sheet, of_file) else of_file
    elif of_file not in (None, TWO) and quarter_of_state(of_file) != quarter_of_state(whole):
        whole = TWO
    column = _column(records)
    if column is None:
        return [whole] * len(records.rows)
    return [in_cell(cell) or whole for cell in column]


def _column(records: Records) -> list[Any] | None:
    header = records.sheet.rows[records.source.header_row - 1]
    at = next((at for at, cell in enumerate(header) if vocabulary.plain(str(cell or "")) in HEADERS), None)
    if at is None:
        return None
    return [row[at] if at < len(row := records.sheet.rows[number - 1]) else None for number in records.rows]


def in_cell(cell: Any) -> str | None:
    """The day that one cell of such a column states."""
    if isinstance(cell, date):
        return _iso(cell)
    return in_texts([str(cell)]) if cell not in (None, "") else None


def in_texts(texts: Iterable[str]) -> str | None:
    """The day that some texts name: a day, or the last one of the quarter, month or half-year that they name.

    Returns:
        an ISO day; None where they name none, `TWO` where they name days of more than one quarter.

    >>> in_texts(["崇川区社会工作从业人员登记表（截至2025年12月31日）"])
    '2025-12-31'
    >>> in_texts(["2025年第三季度名册"])
    '2025-09-30'
    """
    found: list[str] = []
    until: list[str] = []
    for text in map(vocabulary.normal, texts):
        if _TWO.search(text):
            return TWO
        if _OF_FILLING.search(text) and not _UNTIL.search(text):
            continue
        own = _days(text)
        found += own
        until += own if _UNTIL.search(text) else []
    chosen = sorted(set(until or found))
    if not chosen:
        return None
    quarters = {quarter_of_state(day) for day in chosen}
    if len(quarters) > 1:
        return TWO
    exact = [day for day in chosen if day != last_day(next(iter(quarters))).isoformat()]
    return exact[0] if len(exact) == 1 else chosen[-1]


def _days(text: str) -> list[str]:
    exact = [_calendar(*map(int, match.groups())) for match in (*_DAY.finditer(text), *_COMPACT.finditer(text))]
    if any(exact):
        return [day for day in exact if day]
    found = []
    for match in _QUARTER.finditer(text):
        number = match[2] or match[3]
        at = "一二三四".find(number) + 1 or int(number)
        found.append(last_day(f"{match[1]}Q{at}").isoformat())
    for match in _HALF.finditer(text):
        found.append(f"{match[1]}-06-30" if match[2] == "上" else f"{match[1]}-12-31")
    if not found:
        found += [_month_end(int(match[1]), int(match[2])) for match in _MONTH.finditer(text)]
    if not any(found):
        found += [f"{match[1]}-12-31" for match in _YEAR_END.finditer(text)]
    return [day for day in found if day]


def _calendar(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _month_end(year: int, month: int) -> str | None:
    return pd.Period(f"{year}-{month:02d}", freq="M").end_time.date().isoformat() if 1 <= month <= 12 else None


def _iso(day: date) -> str:
    return (day.date() if isinstance(day, datetime) else day).isoformat()


def decide(found: Sequence[str | None], day: date | None, quarter: str | None, *, today: date) -> pd.Series:
    """The day that each row describes.

    Args:
        found: what the file says of each row.
        day, quarter: what a person stated.

    Raises:
        DataError: nobody says it, the file and the person disagree, the file names two quarters, or the day is to come.
    """
    said = {one for one in found if one is not None}
    if TWO in said and not (day or quarter):
        raise terms.error(DataError, "registers.error_two_quarters")
    told = {one for one in said if one != TWO}
    wanted = quarter or (day and quarter_of_state(day.isoformat()))
    if wanted:
        other = sorted(one for one in told if quarter_of_state(one) != wanted)
        if other:
            raise terms.error(DataError, "registers.error_disagree", found=other[0], given=quarter or day)
        chosen = day.isoformat() if day else None
        fallback = chosen or last_day(wanted).isoformat()
        days = [chosen or (one if one not in (None, TWO) else fallback) for one in found]
    elif None in set(found):
        raise terms.error(DataError, "registers.error_no_day")
    else:
        days = list(found)
    late = max(days, default="")
    if late > today.isoformat():
        raise terms.error(ParameterError, "registers.error_tomorrow", day=late, today=today)
    return pd.Series(days, dtype="str")
