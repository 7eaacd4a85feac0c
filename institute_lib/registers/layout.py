"""From raw cells to records: where the header stands, which rows are people and which are totals and signatures."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from institute_lib.registers import header, vocabulary
from institute_lib.registers.personal import count_personal, mask
from institute_lib.registers.reading import Sheet
from institute_lib.registers.refusal import Refused
from institute_lib.registers.report import Problem, Source

LONGEST_TOTAL = 20
_THOUSANDS = re.compile(r"\d{3}(\.\d+)?")
_WHOLE_NUMBER = re.compile(r"\d{1,3}")


@dataclass(frozen=True)
class Records:
    """The rows of one sheet that are records: cells by column name, and the row of the file each stands in."""

    sheet: Sheet
    headers: dict[str, str]
    scales: dict[str, float]
    rows: list[int]
    cells: dict[str, list[Any]]
    source: Source
    faults: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]


@dataclass(frozen=True)
class _Body:
    """What stands below a header: records with their rows, how many totals and repeated headers, and the footers."""

    records: list[tuple[int, list[Any]]]
    totals: int
    repeats: int
    footers: list[list[Any]]
    merged: int


def find_records(sheet: Sheet, table: str) -> Records:
    """The records of a sheet.

    Raises:
        Refused: no header row with all the required headers, two columns that mean the same, or no rows below.
    """
    found = header.find(sheet, table)
    body = _split(sheet, found)
    kept, faults, problems = _fitted(sheet, found, body.records, table)
    if not kept and not faults:
        raise Refused("no_rows", sheet=sheet.name, row=found.row)
    numbers = [number for number, _ in kept]
    faults += _blank_by_formula(sheet, set(numbers), found)
    problems += _hidden(sheet, numbers, found)
    source = Source(
        file=sheet.file,
        sha256=sheet.sha256,
        encoding=sheet.encoding,
        sheet=sheet.name,
        header_row=found.row,
        rows_in=len(body.records) + body.totals + len(body.footers),
        rows_out=len(kept),
        excluded_totals=body.totals,
        excluded_footers=len(body.footers),
        personal_data_in_footers=sum(count_personal(str(cell)) for row in body.footers for cell in row),
    )
    cells = {name: [row[index] for _, row in kept] for name, index in found.positions.items()}
    notes = tuple(_notes(sheet, source, found, body))
    return Records(sheet, found.shown, found.scales, numbers, cells, source, tuple(faults), tuple(problems), notes)


def _split(sheet: Sheet, found: header.Header) -> _Body:
    body, merged = _fill_merged(sheet, found.row)
    records: list[tuple[int, list[Any]]] = []
    totals = repeats = 0
    for number, row in enumerate(body, start=found.row + 1):
        first = row[0] if row and row[0] != "" else next(filter(filled, row), None)
        if not filled(first) and not any(map(filled, row)):
            continue
        if row == found.cells:
            repeats += 1
        elif _is_total(first, row):
            totals += 1
        else:
            records.append((number, row))
    end = len(records)
    while end and _is_footer(records[end - 1][1], found):
        end -= 1
    return _Body(records[:end], totals, repeats, [row for _, row in records[end:]], merged)


def _fill_merged(sheet: Sheet, start: int) -> tuple[list[list[Any]], int]:
    """The rows from `start` on, each row of a range merged downwards with the range's value; how many were filled."""
    body, count = sheet.rows[start:], 0
    for (first, column), (last, _) in sheet.merged:
        for at in range(first + 1 - start, min(last + 1 - start, len(body))) if first >= start else ():
            if any(map(filled, body[at])) and not filled(body[at][column]):
                body[at] = [*body[at][:column], sheet.rows[first][column], *body[at][column + 1 :]]
                count += 1
    return body, count


def _fitted(
    sheet: Sheet, found: header.Header, records: list[tuple[int, list[Any]]], table: str
) -> tuple[list[tuple[int, list[Any]]], list[Problem], list[Problem]]:
    """Records in the header's width, the ragged ones as faults, the mended ones as warnings."""
    if not sheet.ragged:
        return records, [], []
    kept, faults, problems = [], [], []
    for number, row in records:
        if len(row) in (found.width, len(found.cells)):
            kept.append((number, row))
            continue
        cells = _fit(row, found, table)
        if cells is None:
            detail = f"{len(row)} / {found.width}"
            faults.append(Problem("ragged", sheet.file, sheet.name, number, detail=detail))
            continue
        if len(_trimmed(row)) > found.width:
            problems.append(Problem("unquoted_thousands", sheet.file, sheet.name, number))
        kept.append((number, cells))
    return kept, faults, problems


def _fit(row: list[Any], found: header.Header, table: str) -> list[Any] | None:
    """A text row of the header's width, or None. An amount split at its thousands comma is put together again.

    `5,300.50` without quotes makes two fields, 5 and 300.50; it is mended only if one amount column alone explains
    the extra field.
    """
    cells = _trimmed(row)
    if len(row) > found.width >= len(cells):
        return row[: found.width]
    amounts = [
        found.positions[column.name]
        for column in vocabulary.columns(table)
        if column.type == "amount" and column.name in found.positions
    ]
    splits = [index for index in amounts if len(cells) == found.width + 1 and _is_split(cells, index)]
    if len(splits) != 1:
        return None
    index = splits[0]
    return [*cells[:index], cells[index] + cells[index + 1], *cells[index + 2 :]]


def _is_split(cells: list[str], index: int) -> bool:
    head, tail = vocabulary.normal(cells[index]), vocabulary.normal(cells[index + 1])
    return bool(_WHOLE_NUMBER.fullmatch(head) and _THOUSANDS.fullmatch(tail))


def filled(cell: Any) -> bool:
    """Whether anything stands in a cell."""
    return bool(cell.strip()) if isinstance(cell, str) else cell is not None


def _trimmed(row: list[Any]) -> list[Any]:
    end = len(row)
    while end and not filled(row[end - 1]):
        end -= 1
    return row[:end]


def _is_total(first: Any, row: list[Any]) -> bool:
    if not isinstance(first, str) or len(first) > LONGEST_TOTAL or not vocabulary.is_total(first):
        return False
    return not any(count_personal(str(cell)) for cell in row)


def _is_footer(row: list[Any], found: header.Header) -> bool:
    """A signature (填表人:…), or one lonely cell that names no person: a stamp, a date, a remark."""
    cells = {index: str(cell) for index, cell in enumerate(row) if filled(cell)}
    if any(map(vocabulary.is_signature, cells.values())):
        identity = cells.get(found.positions.get("identity", -1), "")
        return vocabulary.is_signature(identity) or not count_personal(identity)
    if len(cells) != 1:
        return False
    ((index, text),) = cells.items()
    return index not in found.naming or len(text) > LONGEST_TOTAL or ":" in vocabulary.normal(text)


def _blank_by_formula(sheet: Sheet, rows: set[int], found: header.Header) -> list[Problem]:
    """Cells of records that read as blanks though they are none; (0, 0) is a cell that does not say where it stands."""
    names = {index + 1: found.shown[name] for name, index in found.positions.items()}
    return [
        Problem(rule, sheet.file, sheet.name, row or None, names.get(column))
        for rule, places in (("formula_unstored", sheet.unstored), ("cell_error", sheet.errors))
        for row, column in places
        if (row in rows and column in names) or row == 0
    ]


def _hidden(sheet: Sheet, rows: list[int], found: header.Header) -> list[Problem]:
    """Hidden rows and columns are read, but somebody may have meant them to be left out."""
    hidden = sum(number in sheet.hidden_rows for number in rows)
    problems = [Problem("hidden_rows", sheet.file, sheet.name, detail=str(hidden))] if hidden else []
    return problems + [
        Problem("hidden_column", sheet.file, sheet.name, found.row, found.shown[name])
        for name, index in found.positions.items()
        if index + 1 in sheet.hidden_columns
    ]


def _notes(sheet: Sheet, source: Source, found: header.Header, body: _Body) -> Iterator[Problem]:
    for index, text in found.unused.items():
        if not text:
            if any(filled(row[index]) for _, row in body.records if index < len(row)):
                yield Problem("column_unnamed", sheet.file, sheet.name, source.header_row, detail=str(index + 1))
        elif vocabulary.is_personal(text):
            yield Problem("column_personal", sheet.file, sheet.name, source.header_row, vocabulary.bare(text))
        else:
            yield Problem("column_unused", sheet.file, sheet.name, source.header_row, mask(text))
    counted = {
        "totals_excluded": body.totals,
        "headers_repeated": body.repeats,
        "merged_filled": body.merged,
    }
    yield from (Problem(rule, sheet.file, sheet.name, detail=str(count)) for rule, count in counted.items() if count)
    if source.excluded_footers:
        detail = f"{source.excluded_footers} ({source.personal_data_in_footers})"
        yield Problem("footers_excluded", sheet.file, sheet.name, detail=detail)
