"""A register's districts: full, short, traditional, with a prefix, by code, or abolished since."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from institute_lib.registers import values, vocabulary
from institute_lib.registers.values import MISSING, Value

# The day on which a row's district was right: when the spell began, the contract was signed, the quarter began, …
DAY_OF = {
    "workers": "entered",
    "stations": "opened",
    "exams": "exam_date",
    "procurement": "signed",
    "talent": "awarded",
    "services": "quarter",
}
_CANDIDATE = re.compile(r"[^\s,:;]+ \(\d{6}\)")


def days_of(table: str, parsed: dict[str, list[Value]]) -> list[date | None] | None:
    """The day of each row that its district's name is to be understood by; None if the register has no such column."""
    column = parsed.get(DAY_OF.get(table, ""))
    return None if column is None else [_first_day(value.value) for value in column]


def _first_day(value: date | str | None) -> date | None:
    return date(int(value[:4]), 3 * int(value[5]) - 2, 1) if isinstance(value, str) else value


def parse(cells: Sequence[Any], days: Sequence[date | None] | None) -> list[Value]:
    """Six-digit codes of today. A name that is no longer in use is right for a row whose own day was before its end."""
    current = {cell: _today(cell) for cell in dict.fromkeys(cells)}
    then: dict[tuple[Any, date | None], Value] = {}
    parsed = []
    for at, cell in enumerate(cells):
        value = current[cell]
        if value.fault == "district_retired" and days is not None:
            key = (cell, days[at])
            if key not in then:
                then[key] = _on(*key, otherwise=value)
            value = then[key]
        parsed.append(value)
    return parsed


def _today(cell: Any) -> Value:
    from institute_lib import areas
    from institute_lib.errors import ParameterError

    text, remarks = values.tidy(values.written(cell))
    if vocabulary.is_missing(text):
        return MISSING
    if not areas.is_known(text):
        return Value(fault="district_unknown")
    try:
        area = areas.get(text)
    except ParameterError as refused:
        candidates = "、".join(_CANDIDATE.findall(str(refused)))
        return Value(fault=_why_not(text), detail=candidates)
    if area.level not in ("district", "zone"):
        return Value(fault="district_level")
    return Value(area.code, remarks=remarks)


def _why_not(text: str) -> str:
    from institute_lib import areas
    from institute_lib.errors import ParameterError

    try:
        areas.get(text, on_retired="map")
    except ParameterError:
        return "district_unclear"
    return "district_retired"


def _on(cell: Any, day: date | None, *, otherwise: Value) -> Value:
    """A name no longer in use: right for a day on which it was, and mapped to today's district then."""
    from institute_lib import areas
    from institute_lib.errors import ParameterError

    if day is None:
        return otherwise
    text, remarks = values.tidy(values.written(cell))
    try:
        areas.get(text, on=day)
        area = areas.get(text, on=day, on_retired="map")
    except ParameterError:
        return otherwise
    return Value(area.code, remarks=(*remarks, "district_mapped"), detail=area.code)
