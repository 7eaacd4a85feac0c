"""From records to clean columns: every cell parsed, every fault with its place."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from institute_lib.registers import districts, values, vocabulary
from institute_lib.registers.layout import Records
from institute_lib.registers.personal import mask
from institute_lib.registers.report import Problem
from institute_lib.registers.values import Parser, Value

# Remarks that need no decision: counted by column rather than listed by row, and no bar to an import.
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
WHERE = ["file", "sheet", "row"]
_LONGEST_NAME = 4
_PARSERS: dict[str, Parser] = {
    "name": values.parse_name,
    "text": values.parse_text,
    "identity": values.parse_identity,
    "share": values.parse_share,
    "quarter": values.parse_quarter,
    "subjects": values.parse_subjects,
    "flag": values.parse_flag,
}


@dataclass(frozen=True)
class Cleaned:
    """Parsed columns, one row a record; `file`, `sheet` and `row` say where each stands."""

    frame: pd.DataFrame
    faults: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    mappings: tuple[tuple[tuple[str, str, str], int], ...] = ()


def clean(records: Records, table: str, *, today: date) -> Cleaned:
    """One sheet's records as parsed columns. `today` is the last day on which anything can have happened."""
    columns = {column.name: column for column in vocabulary.columns(table)}
    parsed = {
        name: _parse_all(cells, _parser(columns[name].type, records, name, today))
        for name, cells in records.cells.items()
        if columns[name].type != "district"
    }
    if "district" in records.cells:
        parsed["district"] = districts.parse(records.cells["district"], districts.days_of(table, parsed))
    required = {name for name in parsed if columns[name].required}
    odd = {
        name: [(at, value) for at, value in enumerate(column) if value.value is None or value.remarks]
        for name, column in parsed.items()
    }
    found = [*_problems(records, odd, required), *_notes(records, odd)]
    if "name" in parsed and columns["name"].type == "name":
        found += _names_in_texts(records, parsed, [name for name in parsed if columns[name].type == "text"])
    frame = pd.DataFrame({name: pd.Series([v.value for v in column], dtype=object) for name, column in parsed.items()})
    frame["file"], frame["sheet"], frame["row"] = records.sheet.file, records.sheet.name, records.rows
    kinds = {severity: tuple(problem for kind, problem in found if kind == severity) for severity in "fwn"}
    mappings = tuple(_mappings(records, parsed, columns))
    return Cleaned(frame, kinds["f"], kinds["w"], kinds["n"], mappings)


def _parser(type_name: str, records: Records, name: str, today: date) -> Parser:
    if type_name == "day":
        return values.parse_day(today=today, epoch_1904=records.sheet.epoch_1904)
    if type_name == "amount":
        return values.parse_amount(scale=records.scales[name])
    return _PARSERS[type_name] if type_name in _PARSERS else values.parse_level(type_name)


def _parse_all(cells: list[Any], parse: Parser) -> list[Value]:
    """Each different cell once. True equals 1, so where truth values stand among numbers their kinds are told apart."""
    if bool in set(map(type, cells)):
        return [parse(cell) for cell in cells]
    different = dict.fromkeys(cells)
    is_identity = parse is values.parse_identity
    seen = values.parse_identities(different) if is_identity else {cell: parse(cell) for cell in different}
    return list(seen.values()) if len(seen) == len(cells) else [seen[cell] for cell in cells]


def _problems(
    records: Records, odd: dict[str, list[tuple[int, Value]]], required: set[str]
) -> Iterator[tuple[str, Problem]]:
    """Faults and what needs a decision, among the blanks, faults and remarks of each column."""
    file, sheet = records.sheet.file, records.sheet.name
    blank_by_formula = {(problem.row, problem.column) for problem in records.faults}
    for name, found in odd.items():
        header, cells = records.headers[name], records.cells[name]
        for at, value in found:
            row, cell = records.rows[at], cells[at]
            if value.fault:
                yield "f", Problem(value.fault, file, sheet, row, header, mask(cell), value.detail)
            elif value.value is None and name in required and (row, header) not in blank_by_formula:
                yield "f", Problem("required_missing", file, sheet, row, header, mask(cell))
            for remark in value.remarks:
                if remark not in NOTES:
                    yield "w", Problem(remark, file, sheet, row, header, mask(cell), value.detail)


def _notes(records: Records, odd: dict[str, list[tuple[int, Value]]]) -> Iterator[tuple[str, Problem]]:
    """Remarks that need no decision, counted by column rather than listed by row."""
    counted = Counter(
        (name, remark)
        for name, found in odd.items()
        for _, value in found
        for remark in value.remarks
        if remark in NOTES
    )
    for (name, remark), rows in counted.items():
        header = records.headers[name]
        yield "n", Problem(remark, records.sheet.file, records.sheet.name, column=header, detail=str(rows))


def _names_in_texts(
    records: Records, parsed: dict[str, list[Value]], texts: list[str]
) -> Iterator[tuple[str, Problem]]:
    """A text that reaches the tables must not hold a person: its own row's is a fault, another row's a warning."""
    people = [value.value for value in parsed["name"]]
    known = {person for person in people if person and 2 < len(person) <= _LONGEST_NAME}
    for name in texts:
        holding = {text for text in {value.value for value in parsed[name]} if text and _holds(text, known)}
        for at, (value, person) in enumerate(zip(parsed[name], people, strict=True)):
            text = value.value
            is_own = bool(text and person and person in text and not person.isascii() and len(person) > 1)
            if is_own or text in holding:
                place = (records.sheet.file, records.sheet.name, records.rows[at], records.headers[name], mask(text))
                yield "fw"[not is_own], Problem("text_personal" if is_own else "text_names_somebody", *place)


def _holds(text: str, known: set[str]) -> bool:
    return any(text[at : at + size] in known for size in range(3, _LONGEST_NAME + 1) for at in range(len(text)))


def _mappings(
    records: Records, parsed: dict[str, list[Value]], columns: dict[str, vocabulary.Column]
) -> Iterator[tuple[tuple[str, str, str], int]]:
    for name, column in parsed.items():
        type_name = columns[name].type
        if type_name != "district" and not vocabulary.is_level_list(type_name):
            continue
        cells = records.cells[name]
        as_written = cells if set(map(type, cells)) == {str} else map(values.written, cells)
        counted = Counter(zip(as_written, (value.value for value in column), strict=True))
        for (cell, value), rows in counted.items():
            if value is not None:
                yield (records.headers[name], vocabulary.normal(cell), str(value)), rows


def concatenate(parts: Iterable[Cleaned]) -> Cleaned:
    """Several sheets as one."""
    parts = list(parts)
    if len(parts) == 1:
        return parts[0]
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    return Cleaned(
        frame.astype(object).where(frame.notna(), None),
        tuple(problem for part in parts for problem in part.faults),
        tuple(problem for part in parts for problem in part.problems),
        tuple(problem for part in parts for problem in part.notes),
        tuple(mapping for part in parts for mapping in part.mappings),
    )
