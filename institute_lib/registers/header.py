"""Where a sheet's header stands, which column means what, and in which unit its amounts are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from institute_lib.errors import closest
from institute_lib.registers import vocabulary
from institute_lib.registers.decoding import looks_misdecoded
from institute_lib.registers.reading import Sheet
from institute_lib.registers.refusal import Refused
from institute_lib.registers.vocabulary import Column, Unit
from institute_lib.registers.workbook import WIDEST

WITHIN, LONGEST = 30, 200  # rows that may hold the header, characters of one
NAMING = {"name", "identity", "station_id", "contract_id"}
FEWEST = 2  # declared headers below which a sheet is another one, not a register that lacks a column
_TITLE_UNIT = re.compile(r"(?:单位|金额)[::](.{1,30})")
_LISTED = re.compile(r"[、,，;；/\s]+(?![年月季])|和|及")


@dataclass(frozen=True)
class Header:
    """A header row.

    Attributes:
        at: its place among the sheet's rows, from 0.
        positions: column name to place, from 0.
        naming: the places of the columns that say whom or what a row is about.
        needed: the places of the columns that no record is without.
        shown: column name to the header in its declared form, for people.
        units: column name to the unit that the header, or else the title, declares.
        unclear: column name to a unit that cannot be settled for it.
        remarks: column name to a remark of its header that nobody declared.
        aside: texts of headers that only look like ours (区县（户籍所在地）).
        unused: places that mean no column, with their text, or "" where there is none.
        width: how many fields a row has. `cells` is the row itself.
    """

    at: int
    positions: dict[str, int]
    naming: frozenset[int]
    needed: frozenset[int]
    shown: dict[str, str]
    units: dict[str, Unit]
    unclear: dict[str, str]
    remarks: dict[str, str]
    aside: tuple[str, ...]
    unused: dict[int, str]
    width: int
    cells: list[Any] = field(repr=False)

    @property
    def row(self) -> int:
        return self.at + 1


def find(sheet: Sheet, table: str) -> Header:
    """The row with the most declared headers. A district may also stand in the sheet's name or title (`layout`).

    Raises:
        Refused: a required header is missing, two mean the same, or one declares another currency.
    """
    at, found = _best(sheet, table)
    columns = {column.name: column for column in vocabulary.columns(table)}
    required = {name for name, column in columns.items() if column.required}
    missing = required - set(found) - {"district"}
    if missing or not found:
        _refuse_missing(sheet, table, at, missing, len(found))
    texts = {name: _text(sheet, at, places[0], table) for name, places in found.items()}
    for name, places in found.items():
        if len(places) > 1:
            detail = f"{vocabulary.plain(texts[name])} = {name}"
            raise Refused("headers_duplicate", sheet=sheet.name, row=at + 1, detail=detail)
        if vocabulary.in_other_currency(texts[name]):
            raise Refused("header_currency", sheet=sheet.name, row=at + 1, detail=vocabulary.plain(texts[name]))
    positions = {name: places[0] for name, places in found.items()}
    width, taken = _width(sheet.rows[at]), set(positions.values())
    unused = {index: _own_text(sheet, at, index) for index in range(len(sheet.rows[at])) if index not in taken}
    meanings = {name: vocabulary.meaning(table, text) for name, text in texts.items()}
    units, unclear = _units(sheet, at, {columns[name]: meanings[name].unit for name in found})
    return Header(
        at=at,
        positions=positions,
        naming=frozenset(positions[name] for name in NAMING & set(positions) or required & set(positions)),
        needed=frozenset(positions[name] for name in required & set(positions)),
        shown={name: vocabulary.declared_form(table, text) for name, text in texts.items()},
        units=units,
        unclear=unclear,
        remarks={name: meaning.remark for name, meaning in meanings.items() if meaning.remark},
        aside=tuple(vocabulary.plain(text) for text in unused.values() if _is_aside(table, text)),
        unused=unused,
        width=max(width, *(index + 1 for index in taken)),
        cells=sheet.rows[at],
    )


def _is_aside(table: str, text: str) -> bool:
    """Whether a header is set aside although it names a declared column: 区县（户籍所在地）."""
    return bool(text and vocabulary.set_aside(table, text))


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
    own = [part for part in row if filled(part)]
    return bool(own) and all(isinstance(part, str) and not any(map(str.isdigit, part)) for part in own)


def _refuse_missing(sheet: Sheet, table: str, at: int, missing: set[str], found: int) -> None:
    """Say which headers are missing and, of a sheet that is nearly right, which of its own were probably meant."""
    lacking = [
        column for column in vocabulary.columns(table) if column.name in missing or (not found and column.required)
    ]
    texts = [part[:LONGEST] for row in sheet.rows[:WITHIN] for part in row if isinstance(part, str)]
    named = "、".join(column.headers[0] for column in lacking)
    if looks_misdecoded(texts, table):
        raise Refused("headers_misdecoded", sheet=sheet.name, detail=named)
    if found < FEWEST:
        raise Refused("headers_missing", sheet=sheet.name, detail=named)
    row = [_own_text(sheet, at, index) for index in range(len(sheet.rows[at]))]
    own = [text for text in row if text.strip() and vocabulary.column_of(table, text) is None]
    hints = [hint for column in lacking for hint in _hints(table, column, own)]
    odd = vocabulary.odd_characters("".join(own))
    detail = named + (f"（{'；'.join(hints)}）" if hints else "") + (f"（{odd}）" if odd else "")
    raise Refused("headers_missing", sheet=sheet.name, row=at + 1, detail=detail)


def _hints(table: str, column: Column, own: list[str]) -> Iterator[str]:
    """Headers of the sheet that may have been meant for a column, or that look like it and mean something else."""
    for text in own:
        aside = vocabulary.set_aside(table, text)
        if aside == column.name or (aside == "" and column.type in ("day", "district")):
            yield f"“{vocabulary.plain(text)}”≠{column.headers[0]}"
            return
    plain = [vocabulary.bare(text) for text in own]
    near = next(
        (text for header in column.headers for text in plain if text and (text in header or header in text)), None
    )
    near = near or next(filter(None, (closest(header, plain) for header in column.headers)), None)
    if near:
        yield f"“{near}”→“{column.headers[0]}”？"


def _units(sheet: Sheet, at: int, declared: dict[Column, Unit | None]) -> tuple[dict[str, Unit], dict[str, str]]:
    """The unit of each amount: its header's, else the one of the title lines that fits; and what cannot be settled."""
    titles = _title_units(sheet, at)
    units, unclear = {}, {}
    for column, own in declared.items():
        kept_in = column.unit or column.type
        if kept_in not in vocabulary.declared()["kinds"]:
            continue
        fits = [unit for unit in titles if _fits(kept_in, unit)]
        unit = own or (fits[0] if fits else None)
        if own is None and len({(fit.factor, fit.period) for fit in fits}) > 1:
            unclear[column.name] = "、".join(_written(fit) for fit in fits)
        elif unit is not None and not _fits(kept_in, unit):
            unclear[column.name] = _written(unit)
        elif unit is not None:
            units[column.name] = unit
    return units, unclear


def _fits(kept_in: str, unit: Unit) -> bool:
    if kept_in == "share":
        return unit.count in ("%", "‰")
    return vocabulary.scale(kept_in, unit) is not None


def _written(unit: Unit) -> str:
    multiples = {factor: word for word, factor in vocabulary.declared()["multiples"].items()}
    return f"{multiples.get(unit.factor, '')}{unit.count}{'/' if unit.period else ''}{unit.period}"


def _title_units(sheet: Sheet, at: int) -> list[Unit]:
    """Units that the lines above the header state: 单位：万元、人."""
    rows = [[part for part in row if filled(part)] for row in sheet.rows[:at]]
    lines = [re.sub(r"\s", "", vocabulary.normal(part)) for row in rows for part in row if isinstance(part, str)]
    lines += [re.sub(r"\s", "", vocabulary.normal(text)) for row, _, text in sheet.comments if row <= at + 1]
    stated = [found[1] for line in lines if (found := _TITLE_UNIT.search(line))]
    if not stated:  # a line of its own: (万元), 以万元计
        alone = [str(row[0]) for row in rows if len(row) == 1]
        stated = [text for text in alone if (unit := vocabulary.unit_of(text.strip("()（） "))) and unit.count]
    words = [word.strip("()（） ") for text in stated for word in _LISTED.split(text)]
    return [unit for unit in map(vocabulary.unit_of, words) if unit is not None]


def _text(sheet: Sheet, at: int, index: int, table: str) -> str:
    """A header's text: its own, or below the heading over it (入职 over 日期) if that makes a declared one."""
    own = _own_text(sheet, at, index)
    if at == 0 or vocabulary.column_of(table, own) is not None or not filled(cell(sheet.rows[at], index)):
        return own
    both = _heading(sheet.rows[at - 1], index) + own
    return both if vocabulary.column_of(table, both) is not None else own


def _own_text(sheet: Sheet, at: int, index: int) -> str:
    """Where a header is merged downwards, its text stands in the row above."""
    own = cell(sheet.rows[at], index)
    return str(own if filled(own) or at == 0 else cell(sheet.rows[at - 1], index))[:LONGEST]


def _heading(row: list[Any], index: int) -> str:
    """The heading over a column; where it is merged over several, it stands over the first of them."""
    over = (part for part in reversed(row[: index + 1]) if filled(part))
    return str(next(over, ""))[:LONGEST]


def cell(row: list[Any], index: int) -> Any:
    """A row's cell, blank beyond its end."""
    return row[index] if index < len(row) else ""


def filled(part: Any) -> bool:
    """Whether anything stands in a cell."""
    return bool(part.strip()) if isinstance(part, str) else part is not None


def _width(row: list[Any]) -> int:
    return max((index + 1 for index, part in enumerate(row) if filled(part)), default=0)
