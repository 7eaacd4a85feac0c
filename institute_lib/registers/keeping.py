"""What an import changes in what is kept: which cells are new, added to, replaced or the same, and who is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError
from institute_lib.registers import districts, store
from institute_lib.registers.cleaning import WRITTEN
from institute_lib.registers.comparison import Comparison, between
from institute_lib.registers.report import Report
from institute_lib.tables import history, journal, own
from institute_lib.tables.journal import CELL, Entry, Part

# What makes two rows of one table the same thing: two files with such a row overlap.
KEYS = {
    "workers": ["worker_id"],
    "stations": ["station_id"],
    "exams": ["candidate_id", "exam_date", "level"],
    "services": ["district", "quarter", "field", "agency"],
    "procurement": ["contract_id"],
    "talent": ["person_id", "title", "awarded"],
    "policies": ["policy_id", "outcome"],
    "reporting": ["district", "quarter"],
    "district_panel": ["district", "quarter"],
    "village_population": ["village"],
    "published_facts": ["area", "period", "indicator"],
}


@dataclass
class Plan:
    """What an import would write.

    Attributes:
        rows: those to be kept, with their `cell`.
        modes: for each cell of the files new, add, replace or same.
        gaps: of the districts touched, with whoever is missing.
        answers: the lines of the journal that answer for them.
        lacking: columns that the districts' last state had and this one lacks.
    """

    table: str
    number: int
    rows: pd.DataFrame
    modes: Mapping[str, str]
    parts: tuple[Part, ...]
    gaps: tuple[history.Gap, ...] = ()
    answers: list[dict[str, Any]] = field(default_factory=list)
    lacking: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    comparison: Comparison | None = None


def kept_rows(
    table: str,
    frame: pd.DataFrame,
    changes: pd.DataFrame | None,
    read: pd.DataFrame,
    days: pd.Series | None,
) -> pd.DataFrame:
    """The rows as they are kept: the contract's columns, what a state says beside the spell, and the cell."""
    rows = frame.reset_index(drop=True)
    if changes is not None:
        rows = pd.concat([rows, changes[list(history.STATE)].reset_index(drop=True)], axis=1)
    if table == "services":
        agency = (
            read["agency"].reset_index(drop=True) if "agency" in read else pd.Series(None, rows.index, dtype=object)
        )
        rows = rows.assign(agency=agency.where(agency.notna(), "").astype("str"))
    if WRITTEN in read:
        rows["district"] = districts.filed(read[WRITTEN], rows["district"], _days(table, rows, days))
    rows.attrs = {}
    rows = rows.assign(**{CELL: journal.cells_of(table, rows, days)})
    rows.attrs = dict(frame.attrs)
    return rows


def _days(table: str, rows: pd.DataFrame, days: pd.Series | None) -> pd.Series:
    """The day (ISO) that each row says something of."""
    if table in journal.STATES:
        return days
    dates = rows[journal.EVENTS[table]]
    if table == "services":
        return pd.PeriodIndex(dates, freq="Q").start_time.strftime("%Y-%m-%d").to_series(index=rows.index)
    return dates.dt.strftime("%Y-%m-%d")


def plan(
    table: str, rows: pd.DataFrame, folder: Path, replaces: bool, missing: str | None, *, compares: bool = False
) -> Plan:
    """What keeping the rows would change; with `compares` joiners, leavers and corrections are counted too.

    Raises:
        DataError: they differ from what is kept of the same cells, and are not to replace it.
    """
    root = folder.parent.parent
    every = journal.entries(root)
    own_cells = rows[CELL].unique() if table in journal.STATES else None
    kept = journal.rows(table, root=root, cells=own_cells)
    linked = journal.merge_links(table, rows, journal.standing(every))
    modes = {cell: _mode(table, of_cell, kept[kept[CELL] == cell]) for cell, of_cell in linked.groupby(CELL)}
    written = rows[rows[CELL].map(modes).ne("same")]
    moved = _moved(table, linked.loc[written.index], kept)
    differing = sorted({cell for cell, mode in modes.items() if mode == "replace"} | set(moved[CELL]))
    if differing and not replaces:
        said = "、".join(differing[:5]) + ("…" if len(differing) > 5 else "")
        raise terms.error(DataError, "registers.error_differs", table=table, cells=said, number=len(differing))
    parts = [Part(cell, int((written[CELL] == cell).sum()), mode) for cell, mode in modes.items() if mode != "same"]
    if len(moved):  # what was filed in another cell and is now in these
        rest = kept[kept[CELL].isin(set(moved[CELL]) - set(modes))].drop(index=moved.index, errors="ignore")
        left = sorted(set(moved[CELL]) - set(modes))
        parts += [Part(cell, int((rest[CELL] == cell).sum()), "replace") for cell in left]
        written = pd.concat([written, rest.drop(columns="number")], ignore_index=True)
    written.attrs = dict(rows.attrs)
    planned = Plan(table, store.next_number(folder), written, modes, tuple(parts), columns=_filled(rows))
    if table in journal.STATES and parts:
        planned.lacking = _lacking(table, planned, every)
        planned.comparison = _compare(table, planned, linked, root) if compares else None
        if table == "workers":
            _look_for_the_missing(planned, linked, root, missing)
    return planned


def _mode(table: str, new: pd.DataFrame, kept: pd.DataFrame) -> str:
    if kept.empty:
        return "new"
    files = [kept, *(of_file for _, of_file in kept.groupby("number"))]
    if any(len(new) == len(one) and _fingerprints(new) == _fingerprints(one[list(new)]) for one in files):
        return "same"
    keys = KEYS[table]
    return "add" if new[keys].merge(kept[keys], on=keys).empty else "replace"


def _fingerprints(frame: pd.DataFrame) -> list[int]:
    ordered = frame[sorted(frame.columns)]
    plain = pd.DataFrame(
        {name: column.astype(object).where(column.notna(), None).astype(str) for name, column in ordered.items()}
    )
    return sorted(pd.util.hash_pandas_object(plain, index=False).tolist())


def _moved(table: str, new: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    """Kept events that stand in another cell than the same event of the files: its day or district was corrected."""
    if table in journal.STATES or table == "services" or kept.empty or new.empty:
        return kept.iloc[:0]
    keys = KEYS[table]
    known = pd.MultiIndex.from_frame(new[keys])
    again = kept[pd.MultiIndex.from_frame(kept[keys]).isin(known)]
    return again[~again[CELL].isin(new[CELL].unique())]


def _filled(rows: pd.DataFrame) -> tuple[str, ...]:
    """The columns in which anything stands."""
    blank = {history.UNKNOWN, ""}
    return tuple(
        str(name)
        for name, column in rows.items()
        if column.notna().any() and not set(column.dropna().unique()) <= blank
    )


def _lacking(table: str, planned: Plan, every: Iterable[Entry]) -> tuple[str, ...]:
    """Columns of the last import that said anything of these districts, and in which nothing stands any more."""
    touched = _districts(planned.modes)
    earlier = [
        entry
        for entry in journal.standing(every)
        if entry.table == table and touched & _districts(part.cell for part in entry.parts)
    ]
    said = set(earlier[-1].columns) if earlier else set()
    ends = {"left", "leave_reason", "closed"}
    return tuple(sorted(said - set(planned.columns) - ends))


def _districts(cells: Iterable[str]) -> set[str]:
    return {history.current(cell.partition(" ")[0]) for cell in cells}


def _prospective(planned: Plan, linked: pd.DataFrame, root: Path) -> pd.DataFrame:
    """The spells of the table as they would be in force afterwards."""
    kept = journal.rows("workers", root=root, columns=[*history.SPELL, CELL])
    replaced = {part.cell for part in planned.parts if part.mode == "replace"}
    new = {part.cell for part in planned.parts}
    columns = [*history.SPELL, CELL]
    parts = (kept[~kept[CELL].isin(replaced)].reindex(columns=columns), linked.loc[linked[CELL].isin(new), columns])
    return pd.concat(parts, ignore_index=True)


def _look_for_the_missing(planned: Plan, linked: pd.DataFrame, root: Path, missing: str | None) -> None:
    """Who is no longer listed between the states that are touched and their neighbours; answered where an answer is."""
    rows = _prospective(planned, linked, root)
    states = history.states(rows[CELL].unique())
    touched = {states[part.cell] for part in planned.parts if part.cell in states}
    several = [code for code, days in journal.state_days(set(states.values())).items() if len(days) > 1]
    if not _districts(touched) & set(several):
        return
    answers = own.answers(root=root)
    found = history.gaps(rows, answers)
    gaps = [gap for gap in found if {f"{gap.district} {gap.first}", f"{gap.district} {gap.last}"} & touched]
    if missing:
        every = journal.in_force("workers", journal.entries(root))
        number = planned.number + 1
        for gap in gaps:
            if gap.open:
                rests = rests_of(gap, every)
                rests |= {planned.number} if f"{gap.district} {gap.last}" in touched else set()
                rests |= {planned.number} if f"{gap.district} {gap.first}" in touched else set()
                planned.answers.append(answer_line(gap, missing, number, rests))
                number += 1
        extra = [Entry(0, "missing", "", "", body=line) for line in planned.answers]
        gaps = [gap for gap in history.gaps(rows, (*answers, *extra)) if _same(gap, gaps)]
    planned.gaps = tuple(gap for gap in gaps if gap.missing or missing)


def _same(gap: history.Gap, gaps: list[history.Gap]) -> bool:
    return (gap.district, gap.first, gap.last) in {(one.district, one.first, one.last) for one in gaps}


def rests_of(gap: history.Gap, cells: Mapping[str, tuple[Entry, ...]]) -> set[int]:
    """The imports that the two states of a gap come from."""
    ends = (f"{gap.district} {gap.first}", f"{gap.district} {gap.last}")
    filed = [cell for cell, state in history.states(cells).items() if state in ends]
    return {entry.number for cell in filed for entry in cells[cell]}


def answer_line(gap: history.Gap, answer: str, number: int, rests: set[int]) -> dict[str, Any]:
    """The line of the journal that answers for everybody missing in a gap."""
    body = {"district": gap.district, "first": gap.first, "last": gap.last, "answer": answer}
    return store.line("missing", number, **body, persons=list(gap.open), rests=sorted(rests))


def _compare(table: str, planned: Plan, linked: pd.DataFrame, root: Path) -> Comparison | None:
    """The new states against the one before each, all districts together."""
    kept = journal.rows(table, root=root)
    states = history.states(kept[CELL].unique())
    own, merged = journal.state_days(kept[CELL].unique()), journal.state_days(set(states.values()))
    first, last = set(), set()
    for cell, mode in planned.modes.items():
        district, _, day = cell.partition(" ")
        known = own.get(district) or merged.get(history.current(district), ())  # a new code's are its predecessors'
        earlier = [one for one in known if one < day or (one == day and mode == "replace")]
        if earlier:
            there = f"{district} {earlier[-1]}"
            first |= {there} if district in own else {one for one, state in states.items() if state == there}
            last.add(cell)
    if not first:
        return None
    before, after = kept[kept[CELL].isin(first)], linked[linked[CELL].isin(last)]
    return between(table, before, after, days=tuple(max(cell[7:] for cell in of_them) for of_them in (first, last)))


def write(
    planned: Plan,
    folder: Path,
    report: Report,
    *,
    day: date,
    given: tuple[str | None, str | None],
    accepted: bool,
) -> tuple[Path, ...]:
    """Keep what was planned: the rows, the report, and last the journal. The caller holds the lock."""
    file, told = store.file_of(planned.table, planned.number), store.file_of(planned.table, planned.number, "json")
    today = day.isoformat() if day != date.today() else None
    line = store.line("import", planned.number, day=today) | {
        "table": planned.table,
        "file": file,
        "key_id": report.key_id,
        "parts": [[part.cell, part.rows, part.mode] for part in planned.parts],
        "columns": list(planned.columns),
        "files": [{"name": source.file, "sheet": source.sheet, "sha256": source.sha256} for source in report.sources],
        "given": {"as_of": given[0], "quarter": given[1]},
        "accepted_warnings": sorted(
            {problem.rule for problem in (*report.confirmed, *(report.problems if accepted else ()))}
        ),
    }
    rows = planned.rows.reset_index(drop=True)
    lines = [line, *(one | {"when": line["when"]} for one in planned.answers)]
    manifest = report.to_dict("en") | {"number": planned.number, "accepted_warnings": accepted}
    store.commit(folder, lines, {file: rows, told: manifest})
    return (folder / file, folder / told)
