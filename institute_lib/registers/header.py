"""Where a sheet's header stands, which column means what, and in which unit an amount is declared."""

from dataclasses import dataclass
from typing import Any

from institute_lib.registers import vocabulary
from institute_lib.registers.decoding import looks_misdecoded
from institute_lib.registers.reading import Sheet
from institute_lib.registers.refusal import Refused
from institute_lib.registers.workbook import WIDEST

WITHIN, LONGEST = 30, 200  # rows that may hold the header, characters of one
NAMING = {"name", "identity", "station_id", "contract_id"}


@dataclass(frozen=True)
class Header:
    """A header row.

    Attributes:
        at: its place among the sheet's rows, from 0.
        positions: column name to place, from 0.
        naming: the places of the columns that say whom or what a row is about.
        shown: column name to the header in its declared form, for people.
        scales: column name to what one unit of the header's is in yuan (月薪(万元): 10,000).
        unused: places that mean no column, with their text, or "" where there is none.
        width: how many fields a row has. `cells` is the row itself.
    """

    at: int
    positions: dict[str, int]
    naming: frozenset[int]
    shown: dict[str, str]
    scales: dict[str, float]
    unused: dict[int, str]
    width: int
    cells: list[Any]

    @property
    def row(self) -> int:
        return self.at + 1


def find(sheet: Sheet, table: str) -> Header:
    """The row with the most declared headers.

    Raises:
        Refused: a required header is missing, two mean the same, or one declares another currency.
    """
    at, found = _best(sheet, table)
    required = {column.name for column in vocabulary.columns(table) if column.required}
    _refuse_missing(sheet, table, required - set(found))
    texts = {name: vocabulary.plain(_text(sheet, at, places[0], table)) for name, places in found.items()}
    for name, places in found.items():
        if len(places) > 1:
            raise Refused("headers_duplicate", sheet=sheet.name, row=at + 1, detail=f"{texts[name]} = {name}")
        if vocabulary.in_other_currency(texts[name]):
            raise Refused("header_currency", sheet=sheet.name, row=at + 1, detail=texts[name])
    positions = {name: places[0] for name, places in found.items()}
    width = _width(sheet.rows[at])
    taken = set(positions.values())
    return Header(
        at=at,
        positions=positions,
        naming=frozenset(positions[name] for name in NAMING & set(positions) or required),
        shown={name: vocabulary.declared_form(table, text) for name, text in texts.items()},
        scales={name: vocabulary.scale_of(text) for name, text in texts.items()},
        unused={index: _own_text(sheet, at, index) for index in range(len(sheet.rows[at])) if index not in taken},
        width=max(width, *(index + 1 for index in taken)),
        cells=sheet.rows[at],
    )


def _best(sheet: Sheet, table: str) -> tuple[int, dict[str, list[int]]]:
    """The first row with the most declared headers; on a tie the lower row of a merged header, which names the rest."""
    best: tuple[int, dict[str, list[int]]] = (0, {})
    for at in range(min(len(sheet.rows), WITHIN)):
        if len(sheet.rows[at]) > WIDEST:
            raise Refused("stray_cell", sheet=sheet.name, row=at + 1)
        found: dict[str, list[int]] = {}
        for index, _ in enumerate(sheet.rows[at]):
            name = vocabulary.column_of(table, _text(sheet, at, index, table))
            if name is not None:
                found.setdefault(name, []).append(index)
        is_lower = at == best[0] + 1 and len(found) == len(best[1]) > 0 and _names_the_rest(sheet.rows[at])
        if len(found) > len(best[1]) or is_lower:
            best = (at, found)
    return best


def _names_the_rest(row: list[Any]) -> bool:
    own = [part for part in row if _is_filled(part)]
    return bool(own) and all(isinstance(part, str) and not any(map(str.isdigit, part)) for part in own)


def _refuse_missing(sheet: Sheet, table: str, missing: set[str]) -> None:
    if not missing:
        return
    lacking = [column.headers[0] for column in vocabulary.columns(table) if column.name in missing]
    texts = [part[:LONGEST] for row in sheet.rows[:WITHIN] for part in row if isinstance(part, str)]
    rule = "headers_misdecoded" if looks_misdecoded(texts, table) else "headers_missing"
    raise Refused(rule, sheet=sheet.name, detail="、".join(lacking))


def _text(sheet: Sheet, at: int, index: int, table: str) -> str:
    """A header's text: its own, or below the heading over it (入职 over 日期) if that makes a declared one."""
    own = _own_text(sheet, at, index)
    if at == 0 or vocabulary.column_of(table, own) is not None or not _is_filled(cell(sheet.rows[at], index)):
        return own
    both = _heading(sheet.rows[at - 1], index) + own
    return both if vocabulary.column_of(table, both) is not None else own


def _own_text(sheet: Sheet, at: int, index: int) -> str:
    """Where a header is merged downwards, its text stands in the row above."""
    own = cell(sheet.rows[at], index)
    return str(own if _is_filled(own) or at == 0 else cell(sheet.rows[at - 1], index))[:LONGEST]


def _heading(row: list[Any], index: int) -> str:
    """The heading over a column; where it is merged over several, it stands over the first of them."""
    over = (part for part in reversed(row[: index + 1]) if _is_filled(part))
    return str(next(over, ""))[:LONGEST]


def cell(row: list[Any], index: int) -> Any:
    """A row's cell, blank beyond its end."""
    return row[index] if index < len(row) else ""


def _is_filled(part: Any) -> bool:
    return bool(part.strip()) if isinstance(part, str) else part is not None


def _width(row: list[Any]) -> int:
    return max((index + 1 for index, part in enumerate(row) if _is_filled(part)), default=0)
