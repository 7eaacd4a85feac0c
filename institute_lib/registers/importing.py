"""Reading a register, and keeping it as a dated snapshot."""

import gc
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pandas as pd

from institute_lib import paths, tables, terms
from institute_lib.errors import DataError, ParameterError
from institute_lib.registers import contract, digests, snapshots, vocabulary
from institute_lib.registers.comparison import Comparison, against_last
from institute_lib.registers.gathering import gather, listed
from institute_lib.registers.identity import Key, load_key
from institute_lib.registers.report import Problem, RegisterError, Report
from institute_lib.results import Result


@dataclass(frozen=True)
class Imported(Result):
    """A register that was read: `frame` in the contract's columns, without a name, a phone or an identity number.

    `changes` holds the `worker_changes` that a register of workers brings with it, else None.
    """

    frame: pd.DataFrame
    report: Report
    changes: pd.DataFrame | None = None

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
    """What an import wrote (nothing if `paths` is empty): the snapshot's day, the files, the report.

    `comparison` sets it against the snapshot before it, if there is one.
    """

    table: str
    snapshot: str
    paths: tuple[Path, ...]
    rows: int
    report: Report
    accepted_warnings: bool = False
    comparison: Comparison | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.report.warnings

    def to_frame(self) -> pd.DataFrame:
        return pd.DataFrame([{"table": self.table, "snapshot": self.snapshot, "rows": self.rows}])

    def summary(self, language: str = "zh") -> str:
        """One sentence: table, day, rows."""
        return terms.text(
            "registers.receipt" if self.paths else "registers.not_kept",
            language,
            table=self.table,
            date=terms.date(self.snapshot, language),
            rows=terms.number(self.rows, language),
        )


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
    return _read(listed(path), table, _day(today))[0]


def _read(files: dict[str, Path], table: str, day: date) -> tuple[Imported, pd.DataFrame, Key | None]:
    """A register, its rows with their persons still in them, and the key that took their place."""
    vocabulary.columns(table)
    with _collecting_later():
        loading = threading.Thread(target=tables.columns, args=(table,))
        loading.start()  # the contracts take half a second to load, and reading a workbook mostly waits
        frame, report = gather(files, table, day)
        loading.join()
        report.refuse_faults()
        key = load_key() if "identity" in frame else None
        return _in_contract(frame, replace(report, key_id=key.id if key else None), key), frame, key


def import_files(
    files: Path | str | Iterable[Path | str],
    *,
    table: str = "workers",
    as_of: str | date | None = None,
    root: Path | None = None,
    accept_warnings: bool = False,
    keep: bool = True,
) -> Receipt:
    """Read registers and keep them as the snapshot of a day, beside their manifest; all of it or nothing.

    Args:
        files: one file or several.
        table: one of `registers.tables()`.
        as_of: the day that the registers describe (ISO); None for today. Later events in them are faults.
        root: another project folder to write to.
        accept_warnings: keep the snapshot although there are warnings; the manifest records it.
        keep: False to do everything but write.

    Raises:
        RegisterError: any fault, or warnings that were not accepted.
        DataError: no key, another key than the earlier snapshots', or the day already has a snapshot.
    """
    day = _day(as_of)
    imported, frame, key = _read(listed(files), table, day)
    if not accept_warnings:
        _refuse_warnings(imported.report)
    folder = (Path(root) / "data" / "registers") if root else paths.registers()
    comparison = against_last(table, imported.frame, day=day, root=root)
    receipt = Receipt(table, day.isoformat(), (), len(imported.frame), imported.report, accept_warnings, comparison)
    if not keep:
        snapshots.check_linkage(folder, imported.report.key_id)
        return receipt
    manifest = imported.report.to_dict("en") | {"snapshot": day.isoformat(), "accepted_warnings": accept_warnings}
    with snapshots.writing(folder):
        snapshots.check_linkage(folder, imported.report.key_id)
        parts = {table: imported.frame}
        if imported.changes is not None:
            parts = {"worker_changes": contract.with_history(imported.changes, folder, day), **parts}
        if key:
            digests.keep(_digests(frame, key))
        written = snapshots.write(folder, table, parts, day, manifest)
    return replace(receipt, paths=written)


def _digests(frame: pd.DataFrame, key: Key) -> set[str]:
    """What the release scan needs to know these persons by; neither a name nor a number."""
    names = frame["name"].dropna() if "name" in frame else ()
    numbers = (found.number for found in frame["identity"].dropna())
    return digests.lines(key, names, numbers)


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


def _refuse_warnings(report: Report) -> None:
    if report.problems:
        faults = tuple(
            replace(problem, rule="not_accepted", detail=problem.fault().rule) for problem in report.problems
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
    places = frame[["file", "sheet", "row"]].reset_index(drop=True)
    built = contract.build(report.table, frame.reset_index(drop=True), key)
    try:
        checked = {name: tables.validate(name, part) for name, part in built.items()}
    except DataError as refused:
        faults = [
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
        raise RegisterError(replace(report, faults=tuple(faults))) from None
    for part in checked.values():
        part.attrs = {"key_id": report.key_id}
    return Imported(checked[report.table], report, checked.get("worker_changes"))
