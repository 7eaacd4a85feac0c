"""From files to one frame of clean rows and everything that was found on the way."""

import glob
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.errors import ParameterError
from institute_lib.registers import answers, cleaning, conflicts, described, layout, plausibility, reading, vocabulary
from institute_lib.registers.personal import bare_name, labels, printable, without_personal
from institute_lib.registers.refusal import Refused
from institute_lib.registers.report import Origin, Problem, Report, Source, count_mappings
from institute_lib.tables.journal import STATES

LISTED, ALIKE = 10_000, 20


def listed(path: Path | str | Iterable[Path | str]) -> dict[str, Path]:
    """The files by the names that people are shown: their own, with the folder before it where two are called alike.

    A pattern (*.xlsx) that no shell has filled in stands for the files that it fits.
    """
    files = [Path(path)] if isinstance(path, str | Path) else [Path(part) for part in path]
    files = [one for file in files for one in _expanded(file)]
    if not files:
        raise terms.error(ParameterError, "registers.error_no_file_named")
    own = Counter(file.name for file in files)
    named: dict[str, Path] = {}
    for file in files:
        shown = printable(file.name if own[file.name] == 1 else f"{file.parent.name}/{file.name}")
        copies = sum(name == shown or name.startswith(f"{shown} (") for name in named)
        named[f"{shown} ({copies + 1})" if copies else shown] = file
    return named


def _expanded(file: Path) -> list[Path]:
    """The files of a pattern, without those that a spreadsheet program keeps beside an open one (~$…)."""
    if not glob.has_magic(str(file)) or _exists(file):
        return [file]
    found = sorted(one for one in file.parent.glob(file.name) if not one.name.startswith("~$"))
    return found or [file]


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:
        return False


@dataclass
class _Found:
    """What reading the files has found so far."""

    faults: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    sheets: list[reading.Sheet] = field(default_factory=list)
    own: list[reading.Sheet] = field(default_factory=list)
    records: list[layout.Records] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)


def gather(
    files: dict[str, Path], table: str, today: date, confirm: Collection[str] = ()
) -> tuple[pd.DataFrame, Report]:
    """The rows of the files, persons still in them, and the report; a frame without rows if no sheet could be read.

    Args:
        files: by the names that people are shown.
        table: one of `vocabulary.tables()`.
        today: the last day on which anything can have happened.
        confirm: warnings that are confirmed, by name or by the number of a question.

    Raises:
        ParameterError: no register is imported as that table.
    """
    vocabulary.columns(table)
    found = _Found()
    for label, path in files.items():
        _read(path, label, table, found)
    explained, confirmed = answers.read(found.own)
    taught = answers.taught() | {(one.list, vocabulary.normal(one.word)): one.meaning for one in explained}
    parts = []
    for records in found.records:
        part = cleaning.clean(records, table, today=today, taught=taught)
        if table in STATES:
            part.frame["described"] = pd.Series(described.of_records(records, records.sheet.file), dtype=object)
        parts.append(part)
        found.sources.append(records.source)
        found.faults += records.faults
        found.problems += records.problems
        found.notes += records.notes
    frame, mappings, people = pd.DataFrame(), (), ()
    if parts:
        cleaned = cleaning.concatenate(parts)
        frame, repeats = conflicts.drop_repeats(cleaned.frame, table, _unused(found.records))
        found.faults += [*cleaned.faults, *conflicts.find(frame, table)]
        found.problems += [*cleaned.problems, *repeats, *plausibility.find(frame, table)]
        found.notes += cleaned.notes
        kept = Counter(zip(frame["file"], frame["sheet"], strict=True))
        found.sources = [replace(source, rows_out=kept[source.file, source.sheet]) for source in found.sources]
        people = [name for name in frame["name"] if name] if "name" in frame and table != "stations" else ()
        mappings = count_mappings(cleaned.mappings)
    report, shown = _report(table, found, files, people, confirmed | set(confirm))
    if len(frame):
        frame = frame.assign(**{place: frame[place].map(shown) for place in ("file", "sheet")})
    return frame, replace(report, mappings=mappings, answers=tuple(explained))


def kept_texts(report: Report) -> Report:
    """The report with what is asked once: a text with a name that is a place in it is kept from now on."""
    asked = [*report.confirmed, *report.problems]
    texts = [problem.value for problem in asked if problem.rule == "text_name_is_word" and problem.value]
    return replace(report, answers=(*report.answers, *(answers.Answer("text", one, answers.KEPT) for one in texts)))


def _unused(every: list[layout.Records]) -> Any:
    """What stands in the cells of a row of the frame that no column takes."""
    of_sheet = {(records.sheet.file, records.sheet.name): records for records in every}
    return lambda row: of_sheet[row["file"], row["sheet"]].unused(int(row["row"]))


def _report(
    table: str, found: _Found, files: dict[str, Path], people: Iterable[str], confirmed: set[str]
) -> tuple[Report, dict[str, str]]:
    """All that was found, in the files' order, and the names of files and sheets as they may be shown and kept."""
    every = [*found.faults, *found.problems, *found.notes, *found.sources]
    names = dict.fromkeys(name for part in every for name in (part.file, part.sheet) if name)
    names |= dict.fromkeys(name for sheet in found.sheets for name in (sheet.file, sheet.name) if name)
    known = frozenset(filter(None, map(bare_name, people)))
    shown = dict(zip(names, labels(names, known), strict=True))
    order = {label: at for at, label in enumerate(files)}

    def named(part: Any) -> Any:
        part = replace(part, file=shown[part.file], sheet=shown.get(part.sheet))
        if not isinstance(part, Problem) or part.rule == "contract":
            return part
        texts = {name: getattr(part, name) for name in ("column", "detail") if getattr(part, name)}
        return replace(part, **{name: without_personal(text, known) for name, text in texts.items()})

    def in_order(problems: list[Problem]) -> list[Problem]:
        ordered = sorted(problems, key=lambda problem: (order[problem.file], problem.sheet or "", problem.row or 0))
        return _shortened(ordered)

    sheets = {(sheet.file, sheet.name): sheet for sheet in found.sheets}
    asked = answers.with_tokens(in_order(_together(found.problems)), sheets)
    faults, notes = (tuple(map(named, in_order(part))) for part in (found.faults, found.notes))
    origins = {shown.get(label, label): _origin(label, path, found, shown) for label, path in files.items()}
    report = Report(
        table,
        tuple(map(named, found.sources)),
        faults,
        tuple(named(problem) for problem in asked if not {problem.token, problem.rule} & confirmed),
        notes,
        confirmed=tuple(named(problem) for problem in asked if {problem.token, problem.rule} & confirmed),
        origins=origins,
    )
    return report, shown


def _origin(label: str, path: Path, found: _Found, shown: dict[str, str]) -> Origin:
    """The file behind a shown name, with the places of its columns."""
    sheets = {shown.get(sheet.name): sheet.name for sheet in found.sheets if sheet.file == label}
    of_file = [(shown.get(records.sheet.name), records) for records in found.records if records.sheet.file == label]
    headers = {sheet: records.source.header_row for sheet, records in of_file}
    columns = {
        (sheet, records.headers[name]): place for sheet, records in of_file for name, place in records.places.items()
    }
    return Origin(path, sheets, headers, columns)


def _together(problems: list[Problem]) -> list[Problem]:
    """One question for one rule in one column where it would be asked of many rows."""
    keys = [(problem.rule, problem.file, problem.sheet, problem.column) for problem in problems]
    times = Counter(keys)
    kept: dict[Any, list[Problem]] = {}
    for at, (key, problem) in enumerate(zip(keys, problems, strict=True)):
        many = times[key] > ALIKE and problem.row and not problem.rows
        kept.setdefault(key if many else at, []).append(problem)
    return [
        replace(same[0], value=None, detail="", rows=tuple(sorted({problem.row for problem in same})))
        if len(same) > 1
        else same[0]
        for same in kept.values()
    ]


def _shortened(ordered: list[Problem]) -> list[Problem]:
    """The first ten thousand, and the others counted by place and rule: nobody works through a longer list, and a file
    in which every row is at fault would take minutes to tell.
    """
    rest = Counter((problem.rule, problem.file, problem.sheet, problem.column) for problem in ordered[LISTED:])
    return [
        *ordered[:LISTED],
        *(Problem(*place[:3], column=place[3], detail="…", alike=count) for place, count in rest.items()),
    ]


def _read(path: Path, label: str, table: str, found: _Found) -> None:
    """The records of a file's sheets, or why there are none."""
    try:
        sheets = reading.read_sheets(path, label)
    except Refused as refused:
        found.faults.append(_refusal(label, refused))
        return
    first = found.contents.setdefault(sheets[0].sha256, label) if sheets else label
    if first != label:
        found.faults.append(Problem("file_repeated", label, detail=first))
        return
    _read_sheets(sheets, label, table, found)


def _read_sheets(sheets: list[reading.Sheet], label: str, table: str, found: _Found) -> None:
    """The records of a file's sheets; one that is none of the table's is told, a nearly right one is a fault."""
    records, refusals = [], []
    for sheet in sheets:
        found.problems += [
            Problem(rule, label, name) for rule, name in sheet.remarks if not answers.is_own_hidden(name)
        ]
        if answers.is_own(sheet):
            found.own.append(sheet)
            continue
        found.sheets.append(sheet)
        if not any(cell not in ("", None) for row in sheet.rows for cell in row):
            continue
        try:
            records.append(layout.find_records(sheet, table))
        except Refused as refused:
            refusals.append((sheet, refused))
    if not records and not refusals:
        found.faults.append(Problem("empty_file", label))
    is_there = bool(records) or any(refused.rule == "no_rows" for _, refused in refusals)
    for sheet, refused in refusals:
        is_lacking = refused.rule in ("headers_missing", "district_missing")
        other = _other_table(sheet, table) if is_lacking or refused.rule == "no_rows" else None
        if is_there and other:
            found.notes.append(Problem("sheet_of_another_table", label, refused.sheet, detail=other))
        elif records and refused.rule == "no_rows":
            found.notes.append(Problem("sheet_empty", label, refused.sheet))
        elif records and refused.rule == "headers_missing" and refused.row is None:
            found.problems.append(Problem("sheet_unread", label, refused.sheet))
        elif other:
            found.faults.append(Problem("other_table", label, refused.sheet, detail=other))
        else:
            found.faults.append(_refusal(label, refused))
    found.records += records


def _other_table(sheet: reading.Sheet, table: str) -> str | None:
    """The table whose headers a sheet has, if it has them all."""
    from institute_lib.registers import header

    for other in vocabulary.tables():
        try:
            if other != table and "district" in header.find(sheet, other).positions:
                return other
        except Refused:
            continue
    return None


def _refusal(label: str, refused: Refused) -> Problem:
    return Problem(refused.rule, label, refused.sheet, refused.row, detail=refused.detail)
