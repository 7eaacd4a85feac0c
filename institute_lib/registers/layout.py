"""From raw cells to records: where the header stands, which rows are people and which are totals and signatures."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from institute_lib.registers import districts, formats, header, vocabulary
from institute_lib.registers.header import filled
from institute_lib.registers.personal import count_personal, mask, may_be_name
from institute_lib.registers.reading import Sheet
from institute_lib.registers.refusal import Refused
from institute_lib.registers.report import EXAMPLE, MARK, Problem, Source
from institute_lib.registers.vocabulary import Unit

BLANKING = ("formula_unstored", "cell_error")
LONGEST_TOTAL = 20
_DAY = re.compile(r"\d{4}\s*[-/.年]\s*\d{1,2}\s*[-/.月]\s*\d{1,2}\s*日?(?: 00:00:00)?")
_NOTE = re.compile(r"[:。]|^[(]?\d{1,2}[.、)]")  # of a sentence or a numbered remark, not of a name
_THOUSANDS = re.compile(r"\d{3}(\.\d+)?")
_WHOLE_NUMBER = re.compile(r"\d{1,3}")


@dataclass(frozen=True)
class Records:
    """The rows of one sheet that are records: cells by column name, and the row of the file each stands in.

    Attributes:
        headers: column name to its header as people are shown it.
        places: column name to its place in the row, from 0.
        units: column name to the unit of its amounts.
        rest: the places of the cells that no column takes, but for those that only count the rows.
        excused: cells (row, header) that are blank for a reason which is told already.
    """

    sheet: Sheet
    headers: dict[str, str]
    places: dict[str, int]
    units: dict[str, Unit]
    rest: tuple[int, ...]
    excused: frozenset[tuple[int, str]]
    rows: list[int]
    cells: dict[str, list[Any]]
    source: Source
    faults: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]

    def unused(self, row: int) -> tuple[str, ...]:
        """What stands in the cells of a row that no column takes."""
        cells = self.sheet.rows[row - 1]
        return tuple(str(cells[at]).strip() for at in self.rest if at < len(cells))


@dataclass(frozen=True)
class _Body:
    """What stands below a header: records with their rows, how many totals and repeated headers, and the footers."""

    records: list[tuple[int, list[Any]]]
    totals: int
    repeats: int
    examples: int
    footers: list[list[Any]]
    merged: int
    shared: list[Problem]
    shared_cells: frozenset[tuple[int, str]]


def find_records(sheet: Sheet, table: str) -> Records:
    """The records of a sheet. Where it has no column for the district, its name or its title lines give it.

    Raises:
        Refused: no header row with all the required headers, two columns that mean the same, or no rows below.
    """
    found = header.find(sheet, table)
    body = _split(sheet, found, table)
    kept, faults, problems = _fitted(sheet, found, body.records, table)
    if not kept and not faults:
        raise Refused("no_rows", sheet=sheet.name, row=found.row)
    numbers = [number for number, _ in kept]
    faults += [*_blank_by_formula(sheet, set(numbers), found), *body.shared, *_unclear_units(sheet, found)]
    problems += [*_odd_headers(sheet, found), *_looks(sheet, numbers, found)]
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
    _show_formats(sheet, found, numbers, cells, table)
    notes = list(_notes(sheet, source, found, body))
    shown = dict(found.shown)
    if "district" not in cells and any(column.name == "district" for column in vocabulary.columns(table)):
        district = _district_of(sheet, found)
        shown["district"] = next(one.headers[0] for one in vocabulary.columns(table) if one.name == "district")
        cells["district"] = [district] * len(kept)
        notes.append(Problem("district_of_sheet", sheet.file, sheet.name, detail=district))
    rest = tuple(index for index, text in found.unused.items() if not vocabulary.is_serial(text))
    return Records(
        sheet,
        shown,
        found.positions,
        found.units,
        rest,
        frozenset((problem.row, problem.column) for problem in faults if problem.rule in BLANKING) | body.shared_cells,
        numbers,
        cells,
        source,
        tuple(faults),
        tuple(problems),
        tuple(notes),
    )


def _district_of(sheet: Sheet, found: header.Header) -> str:
    """The code of the one district that the sheet's name, else the lines above its header, else the file's name say.

    Raises:
        Refused: none of them names one, or one names several.
    """
    titles = " ".join(str(cell) for row in sheet.rows[: found.at] for cell in row if isinstance(cell, str))
    for text in (sheet.name or "", titles, sheet.file):
        codes = districts.find_in(text)
        if len(codes) == 1:
            return codes[0]
        if codes:
            break
    aside = [text for text in found.aside if vocabulary.set_aside_district(text)]
    raise Refused("district_missing", sheet=sheet.name, row=found.row, detail="、".join(aside))


def _split(sheet: Sheet, found: header.Header, table: str) -> _Body:
    body, merged, shared, cells = _fill_merged(sheet, found, table)
    records: list[tuple[int, list[Any]]] = []
    totals = repeats = examples = 0
    for number, row in enumerate(body, start=found.row + 1):
        first = row[0] if row and row[0] != "" else next(filter(filled, row), None)
        if not filled(first) and not any(map(filled, row)):
            continue
        if row == found.cells:
            repeats += 1
        elif isinstance(first, str) and first.startswith(EXAMPLE):
            examples += 1
        elif _is_total(first, row):
            totals += 1
        else:
            records.append((number, row))
    end = len(records)
    while end and _is_footer(records[end - 1][1], found):
        end -= 1
    return _Body(
        records[:end], totals, repeats, examples, [row for _, row in records[end:]], merged, shared, frozenset(cells)
    )


def _fill_merged(
    sheet: Sheet, found: header.Header, table: str
) -> tuple[list[list[Any]], int, list[Problem], set[tuple[int, str]]]:
    """The rows below the header, each row of a range merged downwards with the range's value; how many were filled; and
    the quantities that one cell states for several rows, which no row can be given, with the cells that they cover.
    """
    start, count, shared = found.row, 0, []
    covered: set[tuple[int, str]] = set()
    body = sheet.rows[start:]
    amounts = {
        found.positions[column.name]: column.name
        for column in vocabulary.columns(table)
        if column.type in ("amount", "share") and column.name in found.positions
    }
    for (first, column), (last, _) in sheet.merged:
        rows = range(first + 1 - start, min(last + 1 - start, len(body))) if first >= start else range(0)
        if column in amounts and len(rows):
            shown, detail = found.shown[amounts[column]], str(len(rows) + 1)
            value = mask(sheet.rows[first][column])
            shared.append(Problem("amount_merged", sheet.file, sheet.name, first + 1, shown, value, detail))
            covered.update((start + at + 1, shown) for at in rows)
            continue
        for at in rows:
            if any(map(filled, body[at])) and not filled(body[at][column]):
                body[at] = [*body[at][:column], sheet.rows[first][column], *body[at][column + 1 :]]
                count += 1
    return body, count, shared, covered


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
        is_whole = sheet.whole or number < len(sheet.rows)
        if cells is None and max(found.needed) < len(row) < found.width and is_whole:
            cells = [*row, *[""] * (found.width - len(row))]  # Excel leaves out the separators of empty last cells
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
    """Whether nothing in a last row is what a record needs: a signature (填表人:…), a stamp, a date, a remark."""
    cells = {index: str(cell) for index, cell in enumerate(row) if filled(cell)}
    if any(map(vocabulary.is_signature, cells.values())):
        needed = [cells[index] for index in found.needed | found.naming if index in cells]
        return all(vocabulary.is_signature(text) or _DAY.fullmatch(text) for text in needed)
    if len(cells) != 1:
        return False
    ((index, text),) = cells.items()
    return index not in found.naming or len(text) > LONGEST_TOTAL or bool(_NOTE.search(vocabulary.normal(text)))


def _blank_by_formula(sheet: Sheet, rows: set[int], found: header.Header) -> list[Problem]:
    """Cells of records that read as blanks though they are none; (0, 0) is a cell that does not say where it stands."""
    names = {index + 1: found.shown[name] for name, index in found.positions.items()}
    return [
        Problem(rule, sheet.file, sheet.name, row or None, names.get(column))
        for rule, places in (("formula_unstored", sheet.unstored), ("cell_error", sheet.errors))
        for row, column in places
        if (row in rows and column in names) or row == 0
    ]


def _unclear_units(sheet: Sheet, found: header.Header) -> list[Problem]:
    return [
        Problem("unit_unclear", sheet.file, sheet.name, found.row, found.shown[name], detail=unit)
        for name, unit in found.unclear.items()
    ]


def _odd_headers(sheet: Sheet, found: header.Header) -> list[Problem]:
    """Remarks in brackets that may change what a column means, and columns that they do change."""
    where = (sheet.file, sheet.name, found.row)
    remarks = [
        Problem("header_remark", *where, found.shown[name], detail=(mask(text) or "") if may_be_name(text) else text)
        for name, text in found.remarks.items()
    ]
    return remarks + [Problem("header_aside", *where, vocabulary.bare(text), detail=text) for text in found.aside]


def _looks(sheet: Sheet, rows: list[int], found: header.Header) -> list[Problem]:
    """What a look at the sheet says of its rows and nobody wrote into a column: hidden, struck through, a comment."""
    where, kept = (sheet.file, sheet.name), set(rows)
    hidden = [number for number in rows if number in sheet.hidden_rows]
    problems = [Problem("hidden_rows", *where, rows=tuple(hidden), detail=str(len(hidden)))] if hidden else []
    problems += [
        Problem("hidden_column", *where, found.row, found.shown[name])
        for name, index in found.positions.items()
        if index + 1 in sheet.hidden_columns
    ]
    naming = next((name for name in ("name", "station_id", "contract_id") if name in found.shown), None)
    column = found.shown.get(naming)
    problems += [Problem("row_struck", *where, number, column) for number in rows if number in sheet.struck_rows]
    shown = {index + 1: found.shown[name] for name, index in found.positions.items()}
    for row, at, text in sheet.comments:
        if row in kept and not text.startswith(MARK):
            problems.append(Problem("comment", *where, row, shown.get(at), detail=mask(text) or ""))
    return problems


def _show_formats(sheet: Sheet, found: header.Header, rows: list[int], cells: dict[str, list[Any]], table: str) -> None:
    """Numbers whose format shows more than they hold, as they are shown: 12 as 000012, 42.5 as 42.5万元."""
    columns = {column.name: column for column in vocabulary.columns(table)}
    at = {number: position for position, number in enumerate(rows)}
    names = {index + 1: name for name, index in found.positions.items()}
    for code, places in sheet.formats.items():
        for row, column in places:
            name = names.get(column)
            if name is None or row not in at or isinstance(value := cells[name][at[row]], str | bool):
                continue
            if isinstance(value, int | float):
                kind = columns[name].type
                shown = formats.shown(value, code, as_code=kind in ("code", "text"))
                if kind in ("code", "text", "amount", "share") and shown is not None:
                    cells[name][at[row]] = shown


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
        "examples_excluded": body.examples,
        "merged_filled": body.merged,
    }
    yield from (Problem(rule, sheet.file, sheet.name, detail=str(count)) for rule, count in counted.items() if count)
    if source.excluded_footers:
        detail = f"{source.excluded_footers} ({source.personal_data_in_footers})"
        yield Problem("footers_excluded", sheet.file, sheet.name, detail=detail)
