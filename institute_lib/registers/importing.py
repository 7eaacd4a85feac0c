"""Reading a register, and keeping it as a dated snapshot."""

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pandas as pd

from institute_lib import paths, tables, terms
from institute_lib.errors import DataError, ParameterError
from institute_lib.registers import cleaning, contract, digests, layout, reading, vocabulary
from institute_lib.registers.identity import Key, load_key
from institute_lib.registers.report import Problem, RegisterError, Report, Source, count_mappings
from institute_lib.results import Result


@dataclass(frozen=True)
class Imported(Result):
    """A register that was read: `frame` in the contract's columns, without a name, a phone or an identity number.

    `changes` holds the `worker_changes` that a register of workers brings with it, else None; `digests` the keyed
    digests by which the release scan knows the register's names.
    """

    frame: pd.DataFrame
    report: Report
    changes: pd.DataFrame | None = None
    digests: frozenset[str] = field(default=frozenset(), repr=False)

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
    """What an import wrote: the snapshot's day, the files, the report."""

    table: str
    snapshot: str
    paths: tuple[Path, ...]
    rows: int
    report: Report
    accepted_warnings: bool = False

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.report.warnings

    def to_frame(self) -> pd.DataFrame:
        return pd.DataFrame([{"table": self.table, "snapshot": self.snapshot, "rows": self.rows}])

    def summary(self, language: str = "zh") -> str:
        """One sentence: table, day, rows."""
        return terms.text(
            "registers.receipt",
            language,
            table=self.table,
            date=terms.date(self.snapshot, language),
            rows=terms.number(self.rows, language),
        )


def check(
    path: Path | str | Iterable[Path | str], *, table: str = "workers", today: str | date | None = None
) -> Report:
    """Everything that reading these files finds, without raising and without the pseudonym key; nothing is kept."""
    return _gather(_listed(path), table, _day(today))[1]


def read(
    path: Path | str | Iterable[Path | str],
    *,
    table: str = "workers",
    today: str | date | None = None,
    root: Path | None = None,
) -> Imported:
    """One register out of one or several files (.xlsx, .xls, .csv, .tsv; all visible sheets), pseudonymised.

    Args:
        path: the file or files.
        table: one of `registers.tables()`.
        today: the last day on which anything can have happened; None for today.
        root: unused by reading; accepted so that `read` and `import_files` are called alike.

    Raises:
        RegisterError: (a DataError) with every fault of every file; values are masked.
        DataError: there is no pseudonym key.
        ParameterError: no register is imported as that table.
    """
    frame, report = _gather(_listed(path), table, _day(today))
    report.refuse_faults()
    needs_key = "identity" in frame
    key = load_key() if needs_key else None
    kept = _digests(frame, key) if key else frozenset()
    return replace(_in_contract(frame, replace(report, key_id=key.id if key else None), key), digests=kept)


def _digests(frame: pd.DataFrame, key: Key) -> frozenset[str]:
    """What the release scan needs to know these persons by; neither a name nor a number."""
    names = frame["name"].dropna() if "name" in frame else ()
    numbers = (found.number for found in frame["identity"].dropna())
    return frozenset(digests.lines(key, names, numbers))


def import_files(
    files: Path | str | Iterable[Path | str],
    *,
    table: str = "workers",
    as_of: str | date | None = None,
    root: Path | None = None,
    accept_warnings: bool = False,
) -> Receipt:
    """Read registers and keep them as the snapshot of a day, beside their manifest; all of it or nothing.

    Args:
        files: one file or several.
        table: one of `registers.tables()`.
        as_of: the day that the registers describe (ISO); None for today. Later events in them are faults.
        root: another project folder to write to.
        accept_warnings: keep the snapshot although there are warnings; the manifest records it.

    Raises:
        RegisterError: any fault, or warnings that were not accepted.
        DataError: no key, another key than the earlier snapshots', or the day already has a snapshot.
    """
    day = _day(as_of)
    imported = read(files, table=table, today=day)
    if not accept_warnings:
        _refuse_warnings(imported.report)
    folder = (Path(root) / "data" / "registers") if root else paths.registers()
    _check_linkage(folder / table, imported.report.key_id)
    parts = {table: imported.frame}
    if imported.changes is not None:
        parts = {"worker_changes": contract.with_history(imported.changes, folder, day), **parts}
    if imported.digests:
        digests.keep(imported.digests)
    written = _write_snapshot(folder, parts, day, imported.report, accept_warnings)
    return Receipt(table, day.isoformat(), written, len(imported.frame), imported.report, accept_warnings)


def _refuse_warnings(report: Report) -> None:
    if report.problems:
        faults = tuple(
            replace(problem, rule="not_accepted", detail=problem.fault().rule) for problem in report.problems
        )
        raise RegisterError(replace(report, faults=faults, problems=()))


def _listed(path: Path | str | Iterable[Path | str]) -> list[Path]:
    return [Path(path)] if isinstance(path, str | Path) else [Path(part) for part in path]


def _day(day: str | date | None) -> date:
    if day is None or isinstance(day, date):
        return day or date.today()
    try:
        return date.fromisoformat(day)
    except ValueError:
        raise ParameterError(f"as_of {day!r}: write a day as 2025-12-31") from None


def _gather(files: list[Path], table: str, today: date) -> tuple[pd.DataFrame, Report]:
    vocabulary.columns(table)
    faults: list[Problem] = []
    problems: list[Problem] = []
    notes: list[Problem] = []
    sources: list[Source] = []
    parts: list[cleaning.Cleaned] = []
    for path in files:
        for records in _records(path, table, faults, problems):
            parts.append(cleaning.clean(records, table, today=today))
            sources.append(records.source)
            faults += records.faults
            problems += records.problems
            notes += records.notes
    frame = pd.DataFrame()
    mappings: tuple[tuple[tuple[str, str, str], int], ...] = ()
    if parts:
        cleaned = cleaning.concatenate(parts)
        frame, repeats = cleaning.drop_repeats(cleaned.frame, table)
        conflicts = [*cleaning.find_conflicts(frame, table), *cleaning.order_faults(frame, table)]
        faults += [*cleaned.faults, *conflicts]
        problems += [*cleaned.problems, *repeats]
        notes += cleaned.notes
        mappings = cleaned.mappings
        kept = Counter(zip(frame["file"], frame["sheet"], strict=True))
        sources = [replace(source, rows_out=kept[source.file, source.sheet]) for source in sources]
    counted = count_mappings(mappings)
    order = {path.name: at for at, path in enumerate(files)}
    faults, problems = (
        sorted(found, key=lambda problem: (order[problem.file], problem.sheet or "", problem.row or 0))
        for found in (faults, problems)
    )
    report = Report(table, tuple(sources), tuple(faults), tuple(problems), tuple(notes), counted)
    return frame, report


def _records(path: Path, table: str, faults: list[Problem], problems: list[Problem]) -> list[layout.Records]:
    try:
        sheets = reading.read_sheets(path)
    except reading.Refused as refused:
        faults.append(_refusal(path, refused))
        return []
    found, refusals = [], []
    for sheet in sheets:
        problems += [Problem(rule, sheet.file, detail) for rule, detail in sheet.remarks]
        if not any(cell not in ("", None) for row in sheet.rows for cell in row):
            continue
        try:
            found.append(layout.find_records(sheet, table))
        except reading.Refused as refused:
            refusals.append(refused)
    if not found and not refusals:
        faults.append(Problem("empty_file", path.name))
    for refused in refusals:
        is_other_sheet = bool(found) and refused.rule == "headers_missing"
        if is_other_sheet:
            problems.append(Problem("sheet_unread", path.name, refused.sheet))
        else:
            faults.append(_refusal(path, refused))
    return found


def _refusal(path: Path, refused: reading.Refused) -> Problem:
    return Problem(refused.rule, path.name, refused.sheet, refused.row, detail=refused.detail)


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
                fault.column,
                detail=f"{fault.rule} {fault.remedy}".strip(),
            )
            for fault in refused.faults
        ]
        raise RegisterError(replace(report, faults=tuple(faults))) from None
    for part in checked.values():
        part.attrs = {"key_id": report.key_id}
    return Imported(checked[report.table], report, checked.get("worker_changes"))


def _check_linkage(folder: Path, key_id: str | None) -> None:
    manifests = sorted(folder.glob("*.json"))
    if not manifests or key_id is None:
        return
    earlier = json.loads(manifests[-1].read_text(encoding="utf-8"))["key_id"]
    if earlier != key_id:
        raise DataError(
            f"the snapshot {manifests[-1].stem} of {folder.name!r} was made with the key {earlier}, this computer's "
            f"key is {key_id}: nobody could be followed from one snapshot to the next. Restore the key {earlier}; "
            "if it is lost, move the earlier snapshots away and import them again"
        )


def _write_snapshot(
    folder: Path, parts: dict[str, pd.DataFrame], day: date, report: Report, accepted: bool
) -> tuple[Path, ...]:
    """Each file is written whole beside its place, then linked there; the table itself comes last and is the commit."""
    table = report.table
    final = folder / table / f"{day}.parquet"
    if final.exists():
        raise DataError(
            f"table {table!r} already has a snapshot of {day}; snapshots are never overwritten: give the register's "
            "own day with --as-of, or move the old file away"
        )
    manifest = report.to_dict("en") | {"snapshot": day.isoformat(), "accepted_warnings": accepted}
    writers = {folder / name / f"{day}.parquet": part for name, part in parts.items() if name != table}
    written = []
    for path, content in (*writers.items(), (final.with_suffix(".json"), manifest), (final, parts[table])):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        if isinstance(content, pd.DataFrame):
            content.to_parquet(partial, index=False)
        else:
            partial.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        if path == final:
            os.link(partial, path)
            partial.unlink()
        else:
            partial.replace(path)
        written.append(path)
    return tuple(written)
