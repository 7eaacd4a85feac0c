"""From raw cells to records: where the header stands, which rows are people and which are totals and signatures."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from institute_lib.registers import vocabulary
from institute_lib.registers.reading import Refused, Sheet, looks_misdecoded
from institute_lib.registers.report import Problem, Source, mask

HEADER_WITHIN = 30
LONGEST_TOTAL = 12
_PERSONAL = re.compile(r"(?<!\d)(?:1[3-9]\d{9}|\d{17}[\dXx]|\d{15})(?!\d)")
_THOUSANDS = re.compile(r"\d{3}(\.\d+)?")


@dataclass(frozen=True)
class Records:
    """The rows of one sheet that are records: cells by column name, and the row of the file each stands in."""

    sheet: Sheet
    headers: dict[str, str]
    rows: list[int]
    cells: dict[str, list[Any]]
    source: Source
    faults: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]


def find_records(sheet: Sheet, table: str) -> Records:
    """The records of a sheet.

    Raises:
        Refused: no header row with all the required headers, two columns that mean the same, or no rows below.
    """
    at, positions = _find_header(sheet, table)
    shown = {name: vocabulary.plain(str(_header_cell(sheet, at, index))) for name, index in positions.items()}
    body = _split(sheet, at)
    kept, faults, problems = _fitted(sheet, at, body.records, positions, table)
    header_row = sheet.first_row + at
    if not kept and not faults:
        raise Refused("no_rows", sheet=sheet.name, row=header_row)
    faults += _unstored_formulas(sheet, {number for number, _ in kept}, positions, shown)
    source = Source(
        file=sheet.file,
        sha256=sheet.sha256,
        encoding=sheet.encoding,
        sheet=sheet.name,
        header_row=header_row,
        rows_in=len(body.records) + body.totals + len(body.footers),
        rows_out=len(kept),
        excluded_totals=body.totals,
        excluded_footers=len(body.footers),
        personal_data_in_footers=_count_personal(body.footers),
    )
    cells = {name: [_cell(row, index) for _, row in kept] for name, index in positions.items()}
    rows = [number for number, _ in kept]
    notes = tuple(_notes(sheet, source, positions, at))
    return Records(sheet, shown, rows, cells, source, tuple(faults), tuple(problems), notes)


@dataclass(frozen=True)
class _Body:
    """What stands below a header: records with their rows, how many totals, and the footers."""

    records: list[tuple[int, list[Any]]]
    totals: int
    footers: list[list[Any]]


def _split(sheet: Sheet, at: int) -> _Body:
    first = sheet.first_row + at + 1
    body = [(first + offset, row) for offset, row in enumerate(sheet.rows[at + 1 :])]
    body = [(number, row) for number, row in body if any(_filled(cell) for cell in row)]
    totals = {number for number, row in body if _is_total(row)}
    body = [(number, row) for number, row in body if number not in totals]
    end = len(body)
    while end and _is_lonely(body[end - 1][1]):
        end -= 1
    return _Body(body[:end], len(totals), [row for _, row in body[end:]])


def _count_personal(rows: list[list[Any]]) -> int:
    return sum(len(_PERSONAL.findall(vocabulary.normal(str(cell)))) for row in rows for cell in row)


def _fitted(
    sheet: Sheet, at: int, records: list[tuple[int, list[Any]]], positions: dict[str, int], table: str
) -> tuple[list[tuple[int, list[Any]]], list[Problem], list[Problem]]:
    """Records in the header's width, the ragged ones as faults, the mended ones as warnings."""
    if not sheet.ragged:
        return records, [], []
    width = _width(sheet.rows[at])
    kept, faults, problems = [], [], []
    for number, row in records:
        cells = _fit(row, width, positions, table)
        if cells is None:
            faults.append(Problem("ragged", sheet.file, sheet.name, number, detail=f"{len(row)} / {width}"))
            continue
        if len(_trimmed(row)) > width:
            problems.append(Problem("unquoted_thousands", sheet.file, sheet.name, number))
        kept.append((number, cells))
    return kept, faults, problems


def _find_header(sheet: Sheet, table: str) -> tuple[int, dict[str, int]]:
    required = {column.name for column in vocabulary.columns(table) if column.required}
    best: tuple[int, dict[str, list[int]]] = (0, {})
    for at in range(min(len(sheet.rows), HEADER_WITHIN)):
        found: dict[str, list[int]] = {}
        for index in range(len(sheet.rows[at])):
            name = vocabulary.column_of(table, str(_header_cell(sheet, at, index)))
            if name is not None:
                found.setdefault(name, []).append(index)
        if len(found) > len(best[1]):
            best = (at, found)
    at, found = best
    missing = required - set(found)
    if missing:
        lacking = [column for column in vocabulary.columns(table) if column.name in missing]
        headers = [str(cell) for row in sheet.rows[:HEADER_WITHIN] for cell in row if isinstance(cell, str)]
        rule = "headers_misdecoded" if looks_misdecoded(headers, table) else "headers_missing"
        detail = ", ".join(column.headers[0] for column in lacking)
        raise Refused(rule, sheet=sheet.name, detail=detail)
    for name, indices in found.items():
        if len(indices) > 1:
            header = vocabulary.plain(str(_header_cell(sheet, at, indices[0])))
            raise Refused("headers_duplicate", sheet=sheet.name, row=sheet.first_row + at, detail=f"{header} = {name}")
    return at, {name: indices[0] for name, indices in found.items()}


def _header_cell(sheet: Sheet, at: int, index: int) -> Any:
    """A header; where a header is merged downwards, its text stands in the row above."""
    cell = _cell(sheet.rows[at], index)
    return _cell(sheet.rows[at - 1], index) if not _filled(cell) and at > 0 else cell


def _cell(row: list[Any], index: int) -> Any:
    return row[index] if index < len(row) else ""


def _filled(cell: Any) -> bool:
    return bool(cell.strip()) if isinstance(cell, str) else cell is not None


def _trimmed(row: list[Any]) -> list[Any]:
    end = len(row)
    while end and not _filled(row[end - 1]):
        end -= 1
    return row[:end]


def _width(row: list[Any]) -> int:
    return len(_trimmed(row))


def _is_lonely(row: list[Any]) -> bool:
    return sum(_filled(cell) for cell in row) == 1


def _is_total(row: list[Any]) -> bool:
    first = next((cell for cell in row if _filled(cell)), "")
    if not isinstance(first, str) or len(first) > LONGEST_TOTAL:
        return False
    return vocabulary.plain(first) in vocabulary.declared()["totals"]


def _fit(row: list[Any], width: int, positions: dict[str, int], table: str) -> list[Any] | None:
    """A text row of the header's width, or None. An amount split at its thousands comma is put together again.

    `5,300.50` without quotes makes two fields, 5 and 300.50; it is mended only if one amount column alone explains
    the extra field.
    """
    cells = _trimmed(row)
    if len(row) == width or (len(row) > width and len(cells) <= width):
        return row[:width]
    amounts = [
        positions[column.name]
        for column in vocabulary.columns(table)
        if column.type == "amount" and column.name in positions
    ]
    splits = [index for index in amounts if len(cells) == width + 1 and _is_split(cells, index)]
    if len(splits) != 1:
        return None
    index = splits[0]
    return [*cells[:index], cells[index] + cells[index + 1], *cells[index + 2 :]]


def _is_split(cells: list[str], index: int) -> bool:
    head, tail = vocabulary.normal(cells[index]), vocabulary.normal(cells[index + 1])
    return head.isdigit() and 1 <= len(head) <= 3 and bool(_THOUSANDS.fullmatch(tail))


def _unstored_formulas(
    sheet: Sheet, rows: set[int], positions: dict[str, int], headers: dict[str, str]
) -> list[Problem]:
    names = {index + 1: name for name, index in positions.items()}
    return [
        Problem("formula_unstored", sheet.file, sheet.name, row, headers[names[column]])
        for row, column in sheet.formulas
        if row in rows and column in names
    ]


def _notes(sheet: Sheet, source: Source, positions: dict[str, int], at: int) -> Iterator[Problem]:
    taken = set(positions.values())
    for index in range(len(sheet.rows[at])):
        header = str(_header_cell(sheet, at, index))
        if index not in taken and header.strip():
            rule = "column_personal" if vocabulary.is_personal(header) else "column_unused"
            shown = vocabulary.plain(header) if rule == "column_personal" else mask(header)
            yield Problem(rule, sheet.file, sheet.name, source.header_row, shown)
    if source.excluded_totals:
        yield Problem("totals_excluded", sheet.file, sheet.name, detail=str(source.excluded_totals))
    if source.excluded_footers:
        detail = f"{source.excluded_footers} ({source.personal_data_in_footers})"
        yield Problem("footers_excluded", sheet.file, sheet.name, detail=detail)
