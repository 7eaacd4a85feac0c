"""Reading a register, and keeping it: a state of each district on a day, or the events of districts and quarters."""

import gc
import hashlib
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pandas as pd

from institute_lib import tables, terms
from institute_lib.errors import DataError, ParameterError, closest
from institute_lib.registers import contract, described, digests, facts, keeping, store, vocabulary
from institute_lib.registers.comparison import Comparison
from institute_lib.registers.districts import filed_name
from institute_lib.registers.gathering import gather, kept_texts, listed
from institute_lib.registers.identity import Key, load_key
from institute_lib.registers.report import Problem, RegisterError, Report, Source
from institute_lib.results import Result
from institute_lib.tables import history, journal
from institute_lib.tables.journal import CELL

ANSWERS = ("left", "keep")


@dataclass(frozen=True)
class Imported(Result):
    """A register that was read: `frame` in the contract's columns, without a name, a phone or an identity number.

    `changes` holds what a register of workers says of each row beside the spell (certificate, pay, …), else None;
    `described` the day that the file says each row of a state describes (ISO, None where it does not say).
    """

    frame: pd.DataFrame
    report: Report
    changes: pd.DataFrame | None = None
    described: tuple[str | None, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.report.warnings

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def summary(self, language: str = "zh") -> str:
        """One sentence: sheets, rows in and out, faults and warnings."""
        return self.report.summary(language)


@dataclass(frozen=True)
class Receipt(Result):
    """What an import kept (nothing if `paths` is empty).

    Attributes:
        number: of the import in the journal; None where nothing was kept.
        snapshot: the last day that it describes; of events the day of the import.
        modes: for each cell (district and day, or district and quarter) new, add, replace or same.
        gaps: the people no longer listed since the state before.
        late: districts that handed in more than thirty days after the quarter's end.
        lacking: columns of the district's last state that this one lacks; the last known values are carried on.
        comparison: joiners, leavers and corrections since the state before it, if there is one.
    """

    table: str
    snapshot: str
    paths: tuple[Path, ...]
    rows: int
    report: Report
    accepted_warnings: bool = False
    comparison: Comparison | None = None
    number: int | None = None
    modes: Mapping[str, str] = field(default_factory=dict)
    gaps: tuple[history.Gap, ...] = ()
    late: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*self.report.warnings, *self.messages("en"))

    def to_frame(self) -> pd.DataFrame:
        return pd.DataFrame([{"table": self.table, "snapshot": self.snapshot, "rows": self.rows}])

    def summary(self, language: str = "zh") -> str:
        """One sentence: table, day, rows."""
        unchanged = self.modes and set(self.modes.values()) == {"same"}
        key = "registers.unchanged" if unchanged else "registers.receipt" if self.number else "registers.not_kept"
        return terms.text(
            key,
            language,
            table=terms.label(self.table, language, column="table"),
            date=terms.date(self.snapshot, language),
            rows=terms.number(self.rows, language),
            number=self.number or "",
        )

    def messages(self, language: str = "zh") -> tuple[str, ...]:
        """What somebody has to know or to answer, a sentence each."""
        said = []
        for gap in self.gaps:
            if gap.missing:
                key = "missing_open" if gap.open else "missing_answered"
                days = {name: terms.date(getattr(gap, name), language) for name in ("first", "last")}
                quarter = journal.quarter_of_state(gap.last)
                count = {"number": len(gap.missing), "open": len(gap.open), "code": gap.district, "quarter": quarter}
                said.append(
                    terms.text(
                        f"registers.{key}", language, district=filed_name(gap.district, language), **days, **count
                    )
                )
        joined = "、" if language == "zh" else ", "
        if self.late:
            names = joined.join(filed_name(code, language) for code in self.late)
            said.append(terms.text("registers.late", language, names=names))
        if self.lacking:
            names = joined.join(terms.label(column, language) for column in self.lacking)
            said.append(terms.text("registers.lacking", language, names=names))
        return tuple(said)


@contextmanager
def _collecting_later() -> Iterator[None]:
    """Hold the garbage collector: a million cells hold no cycles, and looking for some takes a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def check(
    path: Path | str | Iterable[Path | str], *, table: str = "workers", today: str | date | None = None
) -> Report:
    """Everything that reading these files finds, without raising and without the pseudonym key; nothing is kept."""
    with _collecting_later():
        return gather(listed(path), table, _day(today))[1]


def read(
    path: Path | str | Iterable[Path | str], *, table: str = "workers", today: str | date | None = None
) -> Imported:
    """One register out of one or several files (.xlsx, .xls, .csv, .tsv; all visible sheets), pseudonymised.

    Args:
        path: the file or files.
        table: one of `registers.tables()`.
        today: the last day on which anything can have happened; None for today.

    Raises:
        RegisterError: (a DataError) with every fault of every file; values are masked.
        DataError: there is no pseudonym key.
        ParameterError: no register is imported as that table.
    """
    with _collecting_later():
        return _read(listed(path), table, _day(today))[0]


def _read(
    files: dict[str, Path], table: str, day: date, confirm: Collection[str] = ()
) -> tuple[Imported, pd.DataFrame, Key | None]:
    """A register, its rows with their persons still in them, and the key that took their place."""
    vocabulary.columns(table)
    loading = threading.Thread(target=tables.columns, args=(table,))
    loading.start()  # the contracts take half a second to load, and reading a workbook mostly waits
    frame, report = gather(files, table, day, confirm)
    loading.join()
    report.refuse_faults()
    key = load_key() if "identity" in frame else None
    return _in_contract(frame, replace(report, key_id=key.id if key else None), key), frame, key


@_collecting_later()
def import_files(
    files: Path | str | Iterable[Path | str],
    *,
    table: str = "workers",
    as_of: str | date | None = None,
    quarter: str | None = None,
    replace_states: bool = False,
    missing: str | None = None,
    accept_warnings: bool = False,
    confirm: Collection[str] = (),
    keep: bool = True,
    compare: bool = False,
    today: str | date | None = None,
    root: Path | None = None,
) -> Receipt:
    """Read registers and keep them; all of it or nothing.

    A state (`workers`, `stations`) is kept for each district and the day it describes; events replace the quarters and
    districts that they are of. A file handed in twice changes nothing, people who are not there yet are added, and what
    differs from what is there needs `replace_states`.

    Args:
        files: one file or several.
        table: one of `registers.tables()`.
        as_of, quarter: the day or the quarter that a state describes, where the files do not say it. Later events in
            them are faults.
        replace_states: take the place of what is kept of the same districts and days.
        missing: "left" or "keep" for the people whom a state no longer lists and no leaving day explains.
        accept_warnings: confirm every warning; the journal records which.
        confirm: confirm these alone: by name (`hidden_rows`) or, of one question, by its number in the report.
        keep: False to do everything but write.
        compare: count joiners, leavers and corrections since the states before.
        today: the day of the import (ISO); None for today.
        root: another project folder to write to.

    Raises:
        RegisterError: any fault, or warnings that were not accepted.
        ParameterError: the day has not come, or `missing` is no answer.
        DataError: no key or another one, no day, a day that the file contradicts, or rows that differ from those kept.
    """
    _check_confirmed(confirm)
    if missing not in (None, *ANSWERS):
        raise terms.error(ParameterError, "registers.error_answer", answer=missing)
    now = _day(today)
    day, quarter = described.given(as_of, quarter, today=now)
    bound = day or (described.last_day(quarter) if quarter else now)
    if table in journal.FACTS:
        return _import_facts(files, table, now, folder=journal.folder(root), replaces=replace_states, keep=keep)
    imported, frame, key = _read(listed(files), table, min(bound, now), confirm)
    days = None
    if table in journal.STATES:
        days = described.decide(imported.described, day, quarter, today=now)
        _refuse_later(imported, frame, days)
    if not accept_warnings:
        _refuse_warnings(imported.report)
    imported = replace(imported, report=kept_texts(imported.report))
    rows = keeping.kept_rows(table, imported.frame, imported.changes, frame, days)
    folder = journal.folder(root)
    if not keep:
        store.check_key(folder, imported.report.key_id)
        return _receipt(
            keeping.plan(table, rows, folder, True, missing, compares=compare), imported, now, accept_warnings
        )
    with store.writing(folder):
        store.check_key(folder, imported.report.key_id)
        plan = keeping.plan(table, rows, folder, replace_states, missing, compares=compare)
        if key:
            digests.add(key, *_persons(frame), {source.sha256 for source in imported.report.sources})
        if plan.parts:
            told = (day.isoformat() if day else None, quarter)
            paths = keeping.write(plan, folder, imported.report, day=now, given=told, accepted=accept_warnings)
            journal.log(folder, "import", table=table, number=plan.number, rows=len(plan.rows))
            return replace(_receipt(plan, imported, now, accept_warnings), paths=paths, number=plan.number)
    return _receipt(plan, imported, now, accept_warnings)


def _import_facts(
    files: Path | str | Iterable[Path | str], table: str, now: date, *, folder: Path, replaces: bool, keep: bool
) -> Receipt:
    """Keep a table of facts as `import_files` keeps a register; it names no person."""
    named = listed(files)
    frame = facts.read(named.values(), table, today=now)
    rows = frame.assign(**{CELL: journal.cells_of(table, frame)})
    sources = tuple(
        Source(name, hashlib.sha256(path.read_bytes()).hexdigest(), "", None, 1, len(rows), len(rows))
        for name, path in named.items()
    )
    report = Report(table, sources)
    imported = Imported(frame, report)
    if not keep:
        return _receipt(keeping.plan(table, rows, folder, True, None), imported, now, False)
    with store.writing(folder):
        plan = keeping.plan(table, rows, folder, replaces, None)
        if not plan.parts:
            return _receipt(plan, imported, now, False)
        paths = keeping.write(plan, folder, report, day=now, given=(None, None), accepted=False)
        journal.log(folder, "import", table=table, number=plan.number, rows=len(plan.rows))
    return replace(_receipt(plan, imported, now, False), paths=paths, number=plan.number)


def reread(entry: journal.Entry, files: list[Path]) -> tuple[pd.DataFrame, set[str]]:
    """The rows that an earlier import kept and the digests of its people, from its files again by this computer's key.

    Raises:
        RegisterError: the files are refused today.
    """
    day, quarter = described.given(**entry.body["given"], today=date.fromisoformat(entry.known))
    bound = day or (described.last_day(quarter) if quarter else date.fromisoformat(entry.known))
    imported, frame, key = _read(listed(files), entry.table, bound)
    days = None
    if entry.table in journal.STATES:
        told = {part.cell.partition(" ")[2] for part in entry.parts}
        if len(told) == 1:
            days = pd.Series(told.pop(), imported.frame.index, dtype="str").reset_index(drop=True)
        else:
            days = described.decide(imported.described, day, quarter, today=date.fromisoformat(entry.known))
    rows = keeping.kept_rows(entry.table, imported.frame, imported.changes, frame, days)
    own = rows[rows[CELL].isin({part.cell for part in entry.parts})]
    hashes = {file["sha256"] for file in entry.body["files"]}
    return own, digests.lines(key, *_persons(frame), hashes) if key else set()


def _receipt(plan: "keeping.Plan", imported: Imported, now: date, accepted: bool) -> Receipt:
    last = max((cell.partition(" ")[2] for cell in plan.modes), default="") if plan.table in journal.STATES else ""
    late = {
        cell.partition(" ")[0]
        for cell, mode in plan.modes.items()
        if plan.table in journal.STATES and mode != "same" and _is_late(cell.partition(" ")[2], now)
    }
    return Receipt(
        plan.table,
        last or now.isoformat(),
        (),
        len(imported.frame),
        imported.report,
        accepted,
        plan.comparison,
        modes=plan.modes,
        gaps=plan.gaps,
        late=tuple(sorted(late)),
        lacking=plan.lacking,
    )


def _is_late(day: str, now: date) -> bool:
    """Handed in more than thirty days after the end of the quarter that it describes."""
    end = pd.Period(journal.quarter_of_state(day), freq="Q").end_time.normalize()
    return pd.Timestamp(now) > end + journal.GRACE


def _refuse_later(imported: Imported, frame: pd.DataFrame, days: pd.Series) -> None:
    """What happened after the day that a state describes cannot stand in it.

    Raises:
        RegisterError: with every such cell.
    """
    faults = []
    for column in ("entered", "left", "opened", "closed"):
        if column in frame:
            dates = pd.to_datetime(frame[column].reset_index(drop=True))
            for at in dates.index[dates > pd.to_datetime(days)]:
                row = frame.iloc[at]
                header = vocabulary.header_of(imported.report.table, column)
                faults.append(
                    Problem("day_future", row["file"], row["sheet"], int(row["row"]), header, str(dates[at])[:10])
                )
    if faults:
        raise RegisterError(replace(imported.report, faults=tuple(faults)))


def _persons(frame: pd.DataFrame) -> tuple[Iterable[str], Iterable[str]]:
    """Names and identity numbers, for the digests by which the release scan knows these persons."""
    names = frame["name"].dropna() if "name" in frame else ()
    return names, (found.number for found in frame["identity"].dropna())


def _check_confirmed(confirm: Collection[str]) -> None:
    """Refuse what is neither the name of a finding nor a question's number."""
    names = [name.removeprefix("rule_") for name in terms.catalogue("registers") if name.startswith("rule_")]
    for name in confirm:
        if name not in names and not re.fullmatch(r"[0-9a-f]{12}", name):
            raise terms.error(ParameterError, "registers.error_confirm", name=name, nearest=closest(name, names) or "—")


def _refuse_warnings(report: Report) -> None:
    if report.problems:
        faults = tuple(
            replace(problem, rule="not_accepted", detail=f"{problem.rule}:{problem.detail}")
            for problem in report.problems
        )
        raise RegisterError(replace(report, faults=faults, problems=()))


def _day(day: str | date | None) -> date:
    if day is None or isinstance(day, date):
        return day or date.today()
    try:
        return date.fromisoformat(day)
    except ValueError:
        raise terms.error(ParameterError, "registers.error_as_of", day=day) from None


def _in_contract(frame: pd.DataFrame, report: Report, key: Key | None) -> Imported:
    frame = frame.reset_index(drop=True)
    places = frame[["file", "sheet", "row"]]
    days = tuple(frame["described"]) if "described" in frame else ()
    built = contract.build(report.table, frame, key)
    checked: dict[str, pd.DataFrame] = {}
    faults = []
    for name, part in built.items():
        # Each day is a state of its own, in which nobody is twice; what stands beside the spells has no such rule.
        # Each state, and each agency's services, is a list of its own; loading sums the agencies.
        own = "described" if days else "agency" if name == "services" and "agency" in frame else None
        states = part.groupby(frame[own].fillna("").to_numpy()) if own and name == report.table else [("", part)]
        unique = [one.drop_duplicates(["worker_id", "date"]) if name == "worker_changes" else one for _, one in states]
        try:
            valid = [tables.validate(name, one) for one in unique]
            checked[name] = (
                part.drop(columns="source_row") if name == "worker_changes" else pd.concat(valid).sort_index()
            )
        except DataError as refused:
            faults += [
                Problem(
                    "contract",
                    str(places.loc[fault.row, "file"]) if fault.row in places.index else report.sources[0].file,
                    places.loc[fault.row, "sheet"] if fault.row in places.index else None,
                    int(places.loc[fault.row, "row"]) if fault.row in places.index else None,
                    vocabulary.header_of(report.table, fault.column),
                    detail=f"{fault.rule} {fault.remedy}".strip(),
                )
                for fault in refused.faults
            ]
    if faults:
        raise RegisterError(replace(report, faults=tuple(faults)))
    for part in checked.values():
        part.attrs = {"key_id": report.key_id}
    return Imported(checked[report.table], report, checked.get("worker_changes"), days)
