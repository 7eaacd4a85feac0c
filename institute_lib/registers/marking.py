"""The answer to a refused or doubtful file: the office's own workbook, with its faulty cells coloured and explained.

A sheet in front lists what was found, with a column to confirm in; another asks what unknown words mean, with drop-down
lists. The parts of the package that hold values, formulas and layout stay byte for byte what they were, but for the
styles of the cells that are marked. A text file, or a workbook in the old format, becomes a new workbook of its values.
Corrected and saved, the workbook is imported again: `answers` finds what was confirmed and explained.
"""

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from institute_lib import terms
from institute_lib.errors import DataError
from institute_lib.registers import answers, reading, vocabulary, workbook
from institute_lib.registers.cleaning import NAME
from institute_lib.registers.package import Package
from institute_lib.registers.personal import printable
from institute_lib.registers.report import MARK, Origin, Problem, Report
from institute_lib.registers.workbook import column_letters

COLOURS = {"fault": "FFFFC7CD", "warning": "FFFFEB9B"}  # one off the usual ones, so that only ours are taken back
WORDS = {"level_unknown", "district_unknown"}
LONGEST_COMMENT, MOST_ROWS = 400, 20_000
MEANING = "含义（请选择）"


@dataclass
class _Marks:
    """What to mark in one sheet: severity and text by (row, column), from 1."""

    cells: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)

    def add(self, row: int, column: int, severity: str, text: str) -> None:
        kind, before = self.cells.get((row, column), (severity, ""))
        joined = f"{before}\n{text}" if before and text not in before else before or text
        self.cells[row, column] = ("fault" if "fault" in (kind, severity) else severity, joined[:LONGEST_COMMENT])


def can_mark(report: Report, label: str) -> bool:
    """Whether a file was read far enough to be marked."""
    return bool(report.origins[label].sheets)


def mark(report: Report, label: str, to: Path, *, language: str = "zh") -> Path:
    """Write the marked workbook of one of the report's files.

    Args:
        report: of the import.
        label: the file, by the name that people are shown.
        to: where; another file than the office's own.
        language: of the explanations.

    Raises:
        OSError: it cannot be written there.
    """
    origin = report.origins[label]
    faults = [("warning" if one.rule == "not_accepted" else "fault", one) for one in report.faults]
    every = [*faults, *(("warning", one) for one in report.problems)]
    found = [(severity, problem) for severity, problem in every if problem.file == label]
    package = Package(_as_package(origin))
    package.remove_sheets(answers.OWN_SHEETS.values())
    marks = _marks(origin, found, language)
    for name in package.sheets():
        package.mark(name, marks.get(name, _Marks()).cells, COLOURS, MARK)
    package.add_sheets(
        {
            answers.OWN_SHEETS["findings"]: _findings(package, origin, found, language),
            **_words(package, origin, report, found, language),
        }
    )
    partial = to.with_name(f".{to.name}.partial")
    partial.write_bytes(package.save())
    partial.replace(to)
    return to


def beside(path: Path) -> Path:
    """Where the marked workbook of a file is put if nobody says it: beside it, under a name that is still free."""
    stem = re.sub(r"（核对\d*）$", "", path.stem)
    names = (f"{stem}（核对{number or ''}）.xlsx" for number in (0, *range(2, 1_000)))
    return next(place for place in map(path.with_name, names) if not place.exists())


def _as_package(origin: Origin) -> bytes:
    """The office's workbook, or its values as one."""
    content = origin.path.read_bytes()
    if content.startswith(b"PK"):
        return workbook.in_standard_form(content)
    import xlsxwriter

    made = io.BytesIO()
    as_written = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(made, as_written)
    for sheet in reading.read_sheets(origin.path):
        page = book.add_worksheet(_sheet_name(sheet.name or origin.path.stem))
        _copy(sheet, page, book)
    book.close()
    return made.getvalue()


def _copy(sheet: reading.Sheet, page: Any, book: Any) -> None:
    """A sheet's values, and of its looks what a reader of the register asks about."""
    codes = {place: code for code, places in sheet.formats.items() for place in places}

    @cache
    def look(code: str, struck: bool) -> Any:
        return book.add_format({"num_format": code, "font_strikeout": struck})

    for number, row in enumerate(sheet.rows, start=1):
        for column, cell in enumerate(row, start=1):
            place, struck = (number - 1, column - 1), number in sheet.struck_rows
            if isinstance(cell, bool):
                page.write_boolean(*place, cell)
            elif isinstance(cell, int | float):
                page.write_number(*place, cell, look(codes.get((number, column), "General"), struck))
            elif isinstance(cell, date | datetime):
                page.write_datetime(*place, cell, look("yyyy-mm-dd", struck))
            elif cell not in ("", None):
                page.write_string(*place, str(cell), look("@", struck))
    for number in sheet.hidden_rows:
        page.set_row(number - 1, None, None, {"hidden": True})
    for column in sheet.hidden_columns:
        page.set_column(column - 1, column - 1, None, None, {"hidden": True})
    for number, column, text in sheet.comments:
        page.write_comment(number - 1, column - 1, text)
    for (first, column), (last, _) in sheet.merged:
        if last > first:
            value = sheet.rows[first][column]
            page.merge_range(first, column, last, column, value if value is not None else "")


def _sheet_name(text: str) -> str:
    return re.sub(r"[\[\]:*?/\\']", " ", printable(text))[:31].strip() or "Sheet1"


def _real_sheet(origin: Origin, problem: Problem) -> str:
    """The name of a problem's sheet in the package: a text file has one, under the file's own name."""
    return origin.sheets.get(problem.sheet) or _sheet_name(origin.path.stem)


def _marks(origin: Origin, found: Iterable[tuple[str, Problem]], language: str) -> dict[str, _Marks]:
    marks: dict[str, _Marks] = {}
    for severity, problem in found:
        fault = problem.fault(language)
        kind = terms.text(f"registers.severity_{severity}", language)
        for row, column in _places(origin, problem):
            of_sheet = marks.setdefault(_real_sheet(origin, problem), _Marks())
            of_sheet.add(row, column, severity, f"{MARK}{kind}：{fault.rule}。{fault.remedy}")
    return marks


def _places(origin: Origin, problem: Problem) -> list[tuple[int, int]]:
    """The cells of a problem; of one that names no column the first one of its rows."""
    if problem.sheet not in origin.sheets:
        return []
    rows = problem.rows[:MOST_ROWS] or ((problem.row,) if problem.row else ())
    column = origin.columns.get((problem.sheet, problem.column), 0)
    if not rows and problem.column is not None and problem.sheet in origin.headers:
        rows = (origin.headers[problem.sheet],)
    return [(row, column + 1) for row in rows]


def _findings(package: Package, origin: Origin, found: list[tuple[str, Problem]], language: str) -> bytes:
    """The sheet in front: a line each, with a link to the cell and, for a question, a place to confirm it."""
    names = ("severity", "sheet", "cell", "column", "value", "rule", "remedy", "confirm")
    heads = [*(terms.text(f"registers.column_{name}", language) for name in names), answers.TOKEN]
    rows, links, asked = [], [], []
    for number, (severity, problem) in enumerate(found, start=3):
        fault, places = problem.fault(language), _places(origin, problem)
        address = f"{column_letters(places[0][1])}{places[0][0]}" if places else ""
        sheet = _real_sheet(origin, problem) if problem.sheet in origin.sheets else ""
        cells = [
            terms.text(f"registers.severity_{severity}", language),
            sheet,
            address,
            problem.column or "",
            problem.value or "",
            fault.rule,
            fault.remedy,
            "",
            problem.token,
        ]
        rows.append((severity, cells))
        if address:
            links.append((f"C{number}", f"'{sheet.replace(chr(39), chr(39) * 2)}'!{address}"))
        if severity == "warning":
            asked.append(f"H{number}")
    title = f"{MARK}{terms.text('registers.marked_title', language)}"
    choice = [(asked, f'"{answers.CONFIRMED}"')] if asked else []
    return package.sheet(title, heads, rows, widths=(8, 14, 9, 14, 18, 44, 52, 12, 15), links=links, choices=choice)


def _words(
    package: Package, origin: Origin, report: Report, found: list[tuple[str, Problem]], language: str
) -> dict[str, bytes]:
    """The sheet that asks what unknown words mean, and the hidden one with what they may mean."""
    asked = [(problem, _list_of(report.table, problem)) for _, problem in found if _is_word(problem)]
    if not asked:
        return {}
    cells = {
        (sheet.name, at): row for sheet in reading.read_sheets(origin.path) for at, row in enumerate(sheet.rows, 1)
    }
    lists = list(dict.fromkeys(name for _, name in asked))
    rows, places, seen = [], {name: [] for name in lists}, set()
    for problem, name in asked:
        (row, column), *_ = _places(origin, problem)
        written = cells[origin.sheets[problem.sheet], row][column - 1]
        word = vocabulary.normal(answers.values.written(written))
        if (name, word) in seen:
            continue
        seen.add((name, word))
        rows.append(("warning", [problem.column or "", word, str(problem.times), "", name]))
        places[name].append(f"D{len(rows) + 2}")
    labels = [[label for _, label in answers.options(name)] for name in lists]
    letters = [column_letters(at + 1) for at in range(len(lists))]
    hidden = answers.OWN_SHEETS["options"]
    choices = [
        (places[name], f"'{hidden}'!${letter}$1:${letter}${len(options)}")
        for name, letter, options in zip(lists, letters, labels, strict=True)
    ]
    heads = [
        terms.text("registers.column_column", language),
        answers.WORD,
        terms.text("registers.column_times", language),
        MEANING,
        answers.TOKEN,
    ]
    title = f"{MARK}{terms.text('registers.words_title', language)}"
    sheet = package.sheet(title, heads, rows, widths=(16, 28, 8, 24, 15), choices=choices)
    return {answers.OWN_SHEETS["words"]: sheet, hidden: package.columns(labels)}


def _is_word(problem: Problem) -> bool:
    """Whether the office can explain it: a word that is not known, or a body that is named after somebody."""
    return problem.rule in WORDS or (problem.rule == "text_personal" and problem.detail == NAME)


def _list_of(table: str, problem: Problem) -> str:
    """The list in which a word is to be explained."""
    if problem.rule == "text_personal":
        return "text"
    columns = vocabulary.columns(table)
    return next((one.type for one in columns if problem.column in map(vocabulary.plain, one.headers)), "district")


def hand_back(report: Report, path: Path | None, *, language: str = "zh") -> tuple[str, ...]:
    """Give an office its answer to a file, and say in sentences what was written: never fails once a register is kept.

    Words that the office explained are learned. What was found goes to `path`: a .json for machines, an .xlsx as the
    marked workbook (one for each file). Without a path a file that needs mending is marked beside itself.
    """
    said = []
    try:
        learned = answers.teach(report.answers)
        if learned:
            number = terms.number(learned, language)
            said.append(terms.text("registers.learned", language, count=number, path=answers.words_file()))
    except DataError as error:
        said.append(error.say(language))
    for label, to in _destinations(report, path):
        try:
            if to.suffix == ".json" or not can_mark(report, label):
                written = report.save(to, language=language)
            else:
                written = mark(report, label, to, language=language)
        except OSError as error:
            said.append(
                terms.text("registers.not_marked", language, path=to, why=error.strerror or type(error).__name__)
            )
        else:
            shown = written if path else written.name.replace(report.origins[label].path.stem, Path(label).stem)
            said.append(terms.text("registers.marked" if path else "registers.marked_beside", language, path=shown))
    return tuple(said)


def _destinations(report: Report, path: Path | None) -> list[tuple[str, Path]]:
    """Files, by the names that people are shown, and where the answer to each is written."""
    labels = list(report.origins)
    if path is not None:
        is_one = path.suffix == ".json" or len(labels) == 1
        stems = [path.stem if is_one else f"{path.stem}_{_sheet_name(Path(label).stem)}" for label in labels]
        return [(label, path.with_name(f"{stem}{path.suffix}")) for label, stem in zip(labels, stems, strict=True)][
            : 1 if is_one else None
        ]
    found = {problem.file for problem in report.faults}
    return [
        (label, beside(report.origins[label].path)) for label in labels if label in found and can_mark(report, label)
    ]
