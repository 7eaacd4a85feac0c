"""The institute's own registers as they are kept, and which of their rows are in force.

`data/registers/journal.jsonl` holds one line for each import, undo, answer and link, in the order in which they were
made; the rows of an import lie beside it in `<table>/<number>.parquet`. Nothing is overwritten: an undone import stays
and no longer counts. Rows belong to cells, which replace each other as a whole: of a state (`workers`, `stations`) the
district and the day it describes, of events the district and the quarter.
"""

import getpass
import json
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import paths, terms
from institute_lib.errors import DataError

JOURNAL, LOG = "journal.jsonl", "log.jsonl"
CELL = "cell"  # the column of a kept file that names each row's cell
STATES = ("workers", "stations")
EVENTS = {"exams": "exam_date", "services": "quarter", "procurement": "signed", "talent": "awarded"}
FACTS = {  # and the columns whose values name a cell
    "policies": ("policy_id",),
    "reporting": ("district", "quarter"),
    "district_panel": ("district", "quarter"),
    "village_population": ("district",),
    "published_facts": ("area", "period"),
}
KEPT = (*STATES, *EVENTS, *FACTS)  # tables that are imported; the others are derived from them
PERSONS = {"workers": ("worker_id",), "exams": ("candidate_id", "worker_id"), "talent": ("person_id",)}
logger = logging.getLogger(__name__)
GRACE = pd.Timedelta(days=30)  # a state dated so long after a quarter's end is still that quarter's


@dataclass(frozen=True)
class Part:
    """The rows of one import in one cell: new there, added to those there, or in their place."""

    cell: str
    rows: int
    mode: str  # new, add or replace


@dataclass(frozen=True)
class Entry:
    """One line of the journal. `known` is the day since which it counts."""

    number: int
    kind: str  # import, undo, missing, link, rekey or forget
    when: str
    by: str
    table: str = ""
    file: str = ""
    parts: tuple[Part, ...] = ()
    columns: tuple[str, ...] = ()
    key_id: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def known(self) -> str:
        return self.when[:10]

    def to_dict(self) -> dict[str, Any]:
        """The line as plain JSON types."""
        own = {name: getattr(self, name) for name in ("number", "kind", "when", "by", "table", "file", "key_id")}
        parts = [[part.cell, part.rows, part.mode] for part in self.parts]
        return {**own, "parts": parts, "columns": list(self.columns), **self.body}


NAMES = ("number", "kind", "when", "by", "table", "file", "key_id", "parts", "columns")


def folder(root: Path | None = None) -> Path:
    """Where the institute's own registers are kept."""
    return Path(root) / "data" / "registers" if root else paths.registers()


def entries(root: Path | None = None) -> tuple[Entry, ...]:
    """The whole journal, first to last; empty where nothing was ever imported.

    Raises:
        DataError: the journal is damaged.
    """
    path = folder(root) / JOURNAL
    if not path.is_file():
        return ()
    stamp = path.stat()
    return _entries(path, (stamp.st_mtime_ns, stamp.st_size, stamp.st_ino))


@lru_cache(maxsize=8)
def _entries(path: Path, _stamp: tuple[int, ...]) -> tuple[Entry, ...]:
    found = []
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            read = json.loads(text)
            parts = tuple(Part(*part) for part in read["parts"])
            body = {name: value for name, value in read.items() if name not in NAMES}
            own = {name: read[name] for name in NAMES if name not in ("parts", "columns")}
            found.append(Entry(**own, parts=parts, columns=tuple(read["columns"]), body=body))
        except (ValueError, KeyError, TypeError):
            raise terms.error(DataError, "tables.error_journal", path=path, line=line) from None
    return tuple(found)


def standing(every: Iterable[Entry], known: str | None = None) -> tuple[Entry, ...]:
    """The entries that were made by a day and are not undone by then; None for all that there are."""
    made = [entry for entry in every if known is None or entry.known <= known]
    undone = {number for entry in made if entry.kind == "undo" for number in entry.body["of"]}
    return tuple(entry for entry in made if entry.kind != "undo" and entry.number not in undone)


def in_force(table: str, every: Iterable[Entry], known: str | None = None) -> dict[str, tuple[Entry, ...]]:
    """For each cell of a table the imports whose rows are in force: the last that stands alone, and what was added."""
    cells: dict[str, tuple[Entry, ...]] = {}
    for entry in standing(every, known):
        if entry.kind == "import" and entry.table == table:
            for part in entry.parts:
                before = cells.get(part.cell, ()) if part.mode == "add" else ()
                cells[part.cell] = (*before, entry)
    return cells


def has(table: str, *, known: str | None = None, root: Path | None = None) -> bool:
    """Whether any import of a table is in force."""
    return bool(in_force(table, entries(root), known))


def rows(
    table: str,
    *,
    known: str | None = None,
    root: Path | None = None,
    cells: Iterable[str] | None = None,
    columns: Iterable[str] | None = None,
) -> pd.DataFrame:
    """The rows of a table that are in force, under the persons' present pseudonyms.

    Each has its `cell`, and the `number` of its import. `cells` and `columns` read only these; None for all.

    Raises:
        DataError: a kept file is missing or damaged.
    """
    every = entries(root)
    force = in_force(table, every, known)
    wanted = force if cells is None else {cell: force[cell] for cell in cells if cell in force}
    return merge_links(table, _rows(wanted, folder(root), columns), standing(every, known))


def _rows(cells: Mapping[str, tuple[Entry, ...]], place: Path, columns: Iterable[str] | None = None) -> pd.DataFrame:
    wanted: dict[Entry, set[str]] = {}
    for cell, of_cell in cells.items():
        for entry in of_cell:
            wanted.setdefault(entry, set()).add(cell)
    parts = []
    for entry, own in wanted.items():
        kept = read_file(place / entry.file, columns).assign(number=entry.number)
        parts.append(kept if len(own) == len(entry.parts) else kept[kept[CELL].isin(own)])
    if not parts:
        return pd.DataFrame({CELL: pd.Series(dtype="str")})
    return parts[0].reset_index(drop=True) if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def read_file(path: Path, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """The kept rows of one import, all columns or some.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        return pd.read_parquet(path, columns=None if columns is None else list(columns))
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise terms.error(DataError, "tables.error_kept_file", path=path, why=type(error).__name__) from None


def merge_links(table: str, frame: pd.DataFrame, every: Iterable[Entry]) -> pd.DataFrame:
    """The rows with each linked person under the newer of the two pseudonyms."""
    newer = dict(pair for entry in every if entry.kind == "link" for pair in entry.body["pairs"])
    if not newer or table not in PERSONS or frame.empty:
        return frame

    def last(one: str) -> str:
        seen = set()
        while one in newer and one not in seen:
            seen.add(one)
            one = newer[one]
        return one

    frame = frame.copy()
    for column in PERSONS[table]:
        known = {one: last(one) for one in newer}
        frame[column] = frame[column].map(lambda one, known=known: known.get(one, one)).astype("str")
    return frame


def cells_of(table: str, frame: pd.DataFrame, days: pd.Series | None = None) -> pd.Series:
    """The cell of each row: district and described day of a state, district and quarter of an event, …

    Args:
        table: one of `KEPT`.
        frame: rows in the contract's columns.
        days: for a state, the day (ISO) that each row describes.
    """
    if table == "services":
        agency = frame["agency"].fillna("") if "agency" in frame else ""
        named = (frame["district"] + " " + frame["quarter"] + " " + agency).str.strip()
    elif table in STATES:
        named = frame["district"] + " " + days
    elif table in EVENTS:
        dates = frame[EVENTS[table]]
        named = frame["district"] + " " + dates.dt.year.astype("str") + "Q" + dates.dt.quarter.astype("str")
    else:
        first, *rest = FACTS[table]
        named = frame[first].str.cat([frame[column] for column in rest], sep=" ")
    return named.astype("str")


def quarter_of_state(day: str) -> str:
    """The quarter that a state of a day answers for: its own, or the one that ended up to thirty days before it."""
    return str((pd.Timestamp(day) - GRACE).to_period("Q"))


def state_days(cells: Iterable[str], as_of: str | None = None) -> dict[str, tuple[str, ...]]:
    """For each district the days that its states describe, first to last.

    With `as_of` those of its quarters only: described by then, or handed in for a quarter that had ended by then.
    """
    found: dict[str, list[str]] = {}
    for cell in cells:
        district, _, day = cell.partition(" ")
        if as_of is None or day <= as_of or _ended(quarter_of_state(day), as_of):
            found.setdefault(district, []).append(day)
    return {district: tuple(sorted(days)) for district, days in found.items()}


def _ended(quarter: str, as_of: str) -> bool:
    return pd.Period(quarter, freq="Q").end_time.date().isoformat() <= as_of


def account() -> str:
    """Who is at the computer."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no account by that number, as in some containers
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def log(place: Path, what: str, **body: Any) -> None:
    """Note who did what and when, in a file beside the journal; a folder that cannot be written to is only said."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    text = json.dumps({"when": now, "by": account(), "what": what, **body}, ensure_ascii=False)
    try:
        handle = os.open(place / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{text}\n")
    except OSError as error:
        logger.warning("%s could not be logged: %s", what, error.strerror)


@lru_cache(maxsize=256)
def log_load(place: Path, name: str, _process: int) -> None:
    """Note once a process that a table of persons was loaded."""
    log(place, "load", table=name)
