"""From files to one frame of clean rows and everything that was found on the way."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.errors import ParameterError
from institute_lib.registers import cleaning, conflicts, layout, reading, vocabulary
from institute_lib.registers.personal import labels, printable
from institute_lib.registers.refusal import Refused
from institute_lib.registers.report import Mapping, Problem, Report, Source, count_mappings

LISTED = 10_000


def listed(path: Path | str | Iterable[Path | str]) -> dict[str, Path]:
    """The files by the names that people are shown: their own, with the folder before it where two are called alike."""
    files = [Path(path)] if isinstance(path, str | Path) else [Path(part) for part in path]
    if not files:
        raise terms.error(ParameterError, "registers.error_no_file_named")
    own = Counter(file.name for file in files)
    named: dict[str, Path] = {}
    for file in files:
        shown = printable(file.name if own[file.name] == 1 else f"{file.parent.name}/{file.name}")
        copies = sum(name == shown or name.startswith(f"{shown} (") for name in named)
        named[f"{shown} ({copies + 1})" if copies else shown] = file
    return named


@dataclass
class _Found:
    """What reading the files has found so far."""

    faults: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    parts: list[cleaning.Cleaned] = field(default_factory=list)


def gather(files: dict[str, Path], table: str, today: date) -> tuple[pd.DataFrame, Report]:
    """The rows of the files, persons still in them, and the report; a frame without rows if no sheet could be read.

    Args:
        files: by the names that people are shown.
        table: one of `vocabulary.tables()`.
        today: the last day on which anything can have happened.

    Raises:
        ParameterError: no register is imported as that table.
    """
    vocabulary.columns(table)
    found, contents = _Found(), {}
    for label, path in files.items():
        for records in _records(path, label, table, found, contents):
            found.parts.append(cleaning.clean(records, table, today=today))
            found.sources.append(records.source)
            found.faults += records.faults
            found.problems += records.problems
            found.notes += records.notes
    if not found.parts:
        return pd.DataFrame(), _report(table, found, files, _shown(found, people=()))
    cleaned = cleaning.concatenate(found.parts)
    frame, repeats = conflicts.drop_repeats(cleaned.frame, table)
    found.faults += [*cleaned.faults, *conflicts.find(frame, table)]
    found.problems += [*cleaned.problems, *repeats]
    found.notes += cleaned.notes
    kept = Counter(zip(frame["file"], frame["sheet"], strict=True))
    found.sources = [replace(source, rows_out=kept[source.file, source.sheet]) for source in found.sources]
    people = [name for name in frame["name"] if name] if "name" in frame and table != "stations" else ()
    shown = _shown(found, people)
    frame = frame.assign(**{place: frame[place].map(shown) for place in ("file", "sheet")})
    return frame, _report(table, found, files, shown, mappings=count_mappings(cleaned.mappings))


def _shown(found: _Found, people: Iterable[str]) -> dict[str, str]:
    """Names of files and sheets as they may be shown and kept, with no person in them."""
    every = [*found.faults, *found.problems, *found.notes, *found.sources]
    names = dict.fromkeys(name for part in every for name in (part.file, part.sheet) if name)
    return dict(zip(names, labels(names, people), strict=True))


def _report(
    table: str, found: _Found, files: Iterable[str], shown: dict[str, str], mappings: tuple[Mapping, ...] = ()
) -> Report:
    """All that was found, in the files' order."""
    order = {label: at for at, label in enumerate(files)}

    def named(part: Any) -> Any:
        return replace(part, file=shown[part.file], sheet=shown.get(part.sheet))

    def in_order(problems: list[Problem]) -> tuple[Problem, ...]:
        ordered = sorted(problems, key=lambda problem: (order[problem.file], problem.sheet or "", problem.row or 0))
        return tuple(map(named, _shortened(ordered)))

    sources = tuple(map(named, found.sources))
    return Report(table, sources, *map(in_order, (found.faults, found.problems, found.notes)), mappings)


def _shortened(ordered: list[Problem]) -> list[Problem]:
    """The first ten thousand, and the others counted by place and rule: nobody works through a longer list, and a file
    in which every row is at fault would take minutes to tell.
    """
    rest = Counter((problem.rule, problem.file, problem.sheet, problem.column) for problem in ordered[LISTED:])
    return [
        *ordered[:LISTED],
        *(Problem(*place[:3], column=place[3], detail="…", alike=count) for place, count in rest.items()),
    ]


def _records(path: Path, label: str, table: str, found: _Found, contents: dict[str, str]) -> list[layout.Records]:
    try:
        sheets = reading.read_sheets(path, label)
    except Refused as refused:
        found.faults.append(_refusal(label, refused))
        return []
    first = contents.setdefault(sheets[0].sha256, label) if sheets else label
    if first != label:
        found.faults.append(Problem("file_repeated", label, detail=first))
        return []
    records, refusals = [], []
    for sheet in sheets:
        found.problems += [Problem(rule, label, name) for rule, name in sheet.remarks]
        if not any(cell not in ("", None) for row in sheet.rows for cell in row):
            continue
        try:
            records.append(layout.find_records(sheet, table))
        except Refused as refused:
            refusals.append(refused)
    if not records and not refusals:
        found.faults.append(Problem("empty_file", label))
    for refused in refusals:
        is_other_sheet = bool(records) and refused.rule == "headers_missing"
        if is_other_sheet:
            found.problems.append(Problem("sheet_unread", label, refused.sheet))
        else:
            found.faults.append(_refusal(label, refused))
    return records


def _refusal(label: str, refused: Refused) -> Problem:
    return Problem(refused.rule, label, refused.sheet, refused.row, detail=refused.detail)
