"""From records to clean columns: every cell parsed, every fault with its place, one person under one name."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from institute_lib.registers import values, vocabulary
from institute_lib.registers.layout import Records
from institute_lib.registers.report import Problem, mask
from institute_lib.registers.values import MISSING, Parser, Value

NOTES = frozenset(
    {
        "identity_area",
        "identity_expanded",
        "identity_residence_permit",
        "identity_foreigner",
        "identity_travel_document",
        "day_serial_text",
        "district_mapped",
    }
)


@dataclass(frozen=True)
class Cleaned:
    """Parsed columns, one row a record; `file`, `sheet` and `row` say where each stands."""

    frame: pd.DataFrame
    faults: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    mappings: tuple[tuple[tuple[str, str, str], int], ...]


def clean(records: Records, table: str, *, today: date) -> Cleaned:
    """One sheet's records as parsed columns. `today` is the last day on which anything can have happened."""
    columns = {column.name: column for column in vocabulary.columns(table)}
    parsed: dict[str, list[Value]] = {}
    for name, cells in records.cells.items():
        if columns[name].type != "district":
            parse = _parser(columns[name].type, records, name, today)
            parsed[name] = _parse_all(cells, parse)
    if "district" in records.cells:
        days = [value.value for value in parsed["entered"]] if "entered" in parsed else [None] * len(records.rows)
        parsed["district"] = _parse_districts(records.cells["district"], days)
    required = {name for name in parsed if columns[name].required}
    found = [*_problems(records, parsed, required), *_notes(records, parsed)]
    frame = pd.DataFrame({name: pd.Series([v.value for v in column], dtype=object) for name, column in parsed.items()})
    frame["file"], frame["sheet"], frame["row"] = records.sheet.file, records.sheet.name, records.rows
    kinds = {severity: tuple(problem for kind, problem in found if kind == severity) for severity in "fwn"}
    mappings = tuple(_mappings(records, parsed, columns))
    return Cleaned(frame, kinds["f"], kinds["w"], kinds["n"], mappings)


def _parser(type_name: str, records: Records, name: str, today: date) -> Parser:
    if vocabulary.is_level_list(type_name) and type_name != "flag":
        return values.parse_level(type_name)
    if type_name == "day":
        return values.parse_day(today=today, epoch_1904=records.sheet.epoch_1904)
    if type_name == "amount":
        return values.parse_amount(scale=_scale(records, name))
    return {
        "name": values.parse_text,
        "text": values.parse_text,
        "identity": values.parse_identity,
        "share": values.parse_share,
        "quarter": values.parse_quarter,
        "subjects": values.parse_subjects,
        "flag": values.parse_flag,
    }[type_name]


def _scale(records: Records, name: str) -> float:
    return 10_000.0 if vocabulary.in_ten_thousands(records.headers[name]) else 1.0


def _parse_all(cells: list[Any], parse: Parser) -> list[Value]:
    seen: dict[tuple[type, Any], Value] = {}
    parsed = []
    for cell in cells:
        key = (cell.__class__, cell)
        value = seen.get(key)
        if value is None:
            value = seen[key] = parse(cell)
        parsed.append(value)
    return parsed


def _parse_districts(cells: list[Any], days: list[date | None]) -> list[Value]:
    seen: dict[tuple[str, date | None], Value] = {}
    current: dict[str, Value] = {}
    parsed = []
    for cell, day in zip(cells, days, strict=True):
        text, remarks = values.tidy(str(cell))
        if text not in current:
            current[text] = _district_today(text, remarks)
        value = current[text]
        if value.fault == "district_retired":
            if (text, day) not in seen:
                seen[text, day] = _district_then(text, day, value.detail)
            value = seen[text, day]
        parsed.append(value)
    return parsed


def _district_today(text: str, remarks: tuple[str, ...]) -> Value:
    from institute_lib import areas
    from institute_lib.errors import ParameterError

    if vocabulary.is_missing(text):
        return MISSING
    try:
        area = areas.get(text)
    except ParameterError as refused:
        try:
            areas.get(text, on_retired="map")
        except ParameterError:
            return Value(fault="district_unknown")
        return Value(fault="district_retired", detail=str(refused))
    if area.level not in ("district", "zone"):
        return Value(fault="district_level")
    return Value(area.code, remarks=remarks)


def _district_then(text: str, day: date | None, why: str) -> Value:
    """A name no longer in use: right for a spell begun while it was, and mapped to today's district then."""
    from institute_lib import areas
    from institute_lib.errors import ParameterError

    if day is None:
        return Value(fault="district_retired", detail=why)
    try:
        areas.get(text, on=day)
        area = areas.get(text, on=day, on_retired="map")
    except ParameterError:
        return Value(fault="district_retired", detail=why)
    return Value(area.code, remarks=("district_mapped",), detail=area.code)


def _problems(records: Records, parsed: dict[str, list[Value]], required: set[str]) -> Iterator[tuple[str, Problem]]:
    file, sheet = records.sheet.file, records.sheet.name
    formulas = {(problem.row, problem.column) for problem in records.faults if problem.rule == "formula_unstored"}
    for name, column in parsed.items():
        header = records.headers[name]
        for row, cell, value in zip(records.rows, records.cells[name], column, strict=True):
            if value.value is not None and not value.remarks:
                continue
            if value.fault:
                yield "f", Problem(value.fault, file, sheet, row, header, mask(cell), value.detail)
            elif value.value is None and name in required and (row, header) not in formulas:
                yield "f", Problem("required_missing", file, sheet, row, header, mask(cell))
            for remark in value.remarks:
                if remark not in NOTES:
                    yield "w", Problem(remark, file, sheet, row, header, mask(cell), value.detail)


def _notes(records: Records, parsed: dict[str, list[Value]]) -> Iterator[tuple[str, Problem]]:
    """Remarks that need no decision, counted by column rather than listed by row."""
    counted = Counter(
        (name, remark) for name, column in parsed.items() for v in column for remark in v.remarks if remark in NOTES
    )
    for (name, remark), rows in counted.items():
        header = records.headers[name]
        yield "n", Problem(remark, records.sheet.file, records.sheet.name, column=header, detail=str(rows))


def _mappings(
    records: Records, parsed: dict[str, list[Value]], columns: dict[str, vocabulary.Column]
) -> Iterator[tuple[tuple[str, str, str], int]]:
    for name, column in parsed.items():
        type_name = columns[name].type
        if type_name != "district" and not vocabulary.is_level_list(type_name):
            continue
        counted = Counter(zip(map(str, records.cells[name]), (value.value for value in column), strict=True))
        for (cell, value), rows in counted.items():
            if value is not None:
                yield (records.headers[name], vocabulary.normal(cell), str(value)), rows


def find_conflicts(frame: pd.DataFrame, table: str) -> list[Problem]:
    """One identity under two names, and the spells of one person that overlap."""
    return [*_two_names(frame, table), *_overlaps(frame, table)]


def _two_names(frame: pd.DataFrame, table: str) -> Iterator[Problem]:
    if not {"identity", "name"} <= set(frame):
        return
    known = frame[frame["identity"].notna() & frame["name"].notna()]
    numbers = known["identity"].map(lambda found: found.number)
    names = known["name"].map(lambda name: vocabulary.plain(name).replace("·", ""))
    conflicting = names.groupby(numbers).transform("nunique") > 1
    for index in known.index[conflicting]:
        yield _at(frame, index, table, "identity_two_names", "name")


def _overlaps(frame: pd.DataFrame, table: str) -> Iterator[Problem]:
    if not {"identity", "entered"} <= set(frame):
        return
    known = frame[frame["identity"].notna() & frame["entered"].notna()].copy()
    known["number"] = known["identity"].map(lambda found: found.number)
    known["since"] = pd.to_datetime(known["entered"])
    known["until"] = pd.to_datetime(known["left"]) if "left" in known else pd.NaT
    known = known.sort_values(["number", "since"], kind="stable")
    follows = known["number"] == known["number"].shift()
    previous = known["until"].shift()
    overlapping = follows & (previous.isna() | (previous > known["since"]))
    for index in known.index[overlapping]:
        yield _at(frame, index, table, "spells_overlap", "entered")


def order_faults(frame: pd.DataFrame, table: str) -> list[Problem]:
    """Rows in which a later day stands before an earlier one, or a part is larger than its whole."""
    pairs = (
        ("entered", "left", "left_before_entered", True),
        ("opened", "closed", "closed_before_opened", False),
        ("posts_filled", "posts", "part_above_whole", False),
        ("outcome_numerator", "outcome_denominator", "part_above_whole", False),
        ("schools_covered", "schools", "part_above_whole", False),
    )
    found = []
    for low, high, rule, strict in pairs:
        if {low, high} <= set(frame):
            both = frame[frame[low].notna() & frame[high].notna()]
            broken = both[low] >= both[high] if strict else both[low] > both[high]
            found += [
                _at(frame, index, table, rule, high if strict else low) for index in both.index[broken.astype(bool)]
            ]
    return found


def drop_repeats(frame: pd.DataFrame, table: str) -> tuple[pd.DataFrame, list[Problem]]:
    """The frame without rows that repeat an earlier one in everything, and one warning for each."""
    content = frame.drop(columns=["file", "sheet", "row"]).copy()
    if "identity" in content:
        content["identity"] = content["identity"].map(lambda found: found and found.number)
    repeated = content.astype(str).duplicated()
    problems = [_at(frame, index, table, "row_repeated") for index in frame.index[repeated]]
    return frame[~repeated], problems


def _at(frame: pd.DataFrame, index: Any, table: str, rule: str, column: str | None = None) -> Problem:
    row = frame.loc[index]
    headers = {declared.name: declared.headers[0] for declared in vocabulary.columns(table)}
    value = None if column is None else mask(row[column])
    return Problem(rule, row["file"], row["sheet"], int(row["row"]), headers.get(column), value)


def concatenate(parts: Iterable[Cleaned]) -> Cleaned:
    """Several sheets as one."""
    parts = list(parts)
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    frame = frame.astype(object).where(frame.notna(), None)
    return Cleaned(
        frame,
        tuple(problem for part in parts for problem in part.faults),
        tuple(problem for part in parts for problem in part.problems),
        tuple(problem for part in parts for problem in part.notes),
        tuple(mapping for part in parts for mapping in part.mappings),
    )
