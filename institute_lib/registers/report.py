"""What an import found: faults (nothing is written), warnings (written if accepted), notes (for the record).

Values are masked to their first and last character before they get here, so that a report never carries a name, a
phone or an identity number.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, Fault

SHOWN_WIDTH = 24


def mask(value: object) -> str | None:
    """A value shown by its first and last character: 王小明 → 王*明; two characters show only the first.

    >>> mask("13800138000")
    '1*********0'
    """
    if value is None:
        return None
    text = str(value).strip()
    if len(text) <= 2:
        return text[:1] + "*" if text else ""
    return text[0] + "*" * min(len(text) - 2, SHOWN_WIDTH) + text[-1]


@dataclass(frozen=True)
class Problem:
    """One thing found at one place. `rule` is a key of the room's texts; `value` is masked."""

    rule: str
    file: str
    sheet: str | None = None
    row: int | None = None
    column: str | None = None
    value: str | None = None
    detail: str = ""

    @property
    def place(self) -> str:
        return self.file if self.sheet is None else f"{self.file} [{self.sheet}]"

    def line(self, language: str = "zh") -> str:
        """The problem in one line for people: place, row, column, masked value, rule, what to do."""
        said, where = self.fault(language), [self.place]
        for part in ("row", "column", "value"):
            if getattr(self, part) not in (None, ""):
                where.append(terms.text(f"registers.at_{part}", language, **{part: getattr(self, part)}))
        return terms.text("registers.line", language, place=" ".join(where), rule=said.rule, remedy=said.remedy)

    def fault(self, language: str = "en") -> Fault:
        """The problem in words."""
        return Fault(
            self.place,
            self.row,
            self.column,
            self.value,
            terms.text(f"registers.rule_{self.rule}", language, detail=self.detail),
            terms.text(f"registers.remedy_{self.rule}", language, detail=self.detail),
        )


@dataclass(frozen=True)
class Source:
    """One sheet that was read. `name` is shown to people; it is never part of a path."""

    file: str
    sha256: str
    encoding: str
    sheet: str | None
    header_row: int
    rows_in: int
    rows_out: int
    excluded_totals: int = 0
    excluded_footers: int = 0
    personal_data_in_footers: int = 0


@dataclass(frozen=True)
class Report:
    """Everything that an import found, and how many rows went in and came out.

    `mappings` counts the words that were translated by a declared table: (column, written, meant, rows).
    """

    table: str
    sources: tuple[Source, ...]
    faults: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    mappings: tuple[tuple[str, str, str, int], ...] = ()
    key_id: str | None = None

    @property
    def rows_in(self) -> int:
        return sum(source.rows_in for source in self.sources)

    @property
    def rows_out(self) -> int:
        return sum(source.rows_out for source in self.sources)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings as plain sentences; an import needs them accepted."""
        return tuple(str(problem.fault()) for problem in self.problems)

    def summary(self, language: str = "zh") -> str:
        """One sentence: files, rows in and out, faults and warnings."""
        return terms.text(
            "registers.summary",
            language,
            sheets=terms.number(len(self.sources), language),
            rows_in=terms.number(self.rows_in, language),
            rows_out=terms.number(self.rows_out, language),
            faults=terms.number(len(self.faults), language),
            warnings=terms.number(len(self.problems), language),
        )

    def lines(self, language: str = "zh") -> tuple[str, ...]:
        """Every fault, a line each."""
        return tuple(problem.line(language) for problem in self.faults)

    def to_frame(self, language: str = "zh") -> pd.DataFrame:
        """One row a problem: severity, place, row, column, masked value, rule, remedy."""
        listed = [
            (severity, problem)
            for severity, problems in (("fault", self.faults), ("warning", self.problems), ("note", self.notes))
            for problem in problems
        ]
        return pd.DataFrame(
            [
                {"severity": severity, "sheet": problem.sheet, "file": problem.file}
                | {key: value for key, value in asdict(problem.fault(language)).items() if key != "table"}
                for severity, problem in listed
            ],
            columns=["severity", "file", "sheet", "row", "column", "value", "rule", "remedy"],
        )

    def to_dict(self, language: str = "zh") -> dict[str, Any]:
        """Plain JSON types, for the manifest and the machine-readable report."""
        return {
            "table": self.table,
            "rows_in": self.rows_in,
            "rows_out": self.rows_out,
            "key_id": self.key_id,
            "sources": [asdict(source) for source in self.sources],
            "mappings": [list(mapping) for mapping in self.mappings],
            "problems": json.loads(self.to_frame(language).to_json(orient="records", force_ascii=False)),
        }

    def save(self, path: Path, *, language: str = "zh") -> Path:
        """The report as .json, or as an .xlsx that the office can work through (text cells only, faults coloured).

        Raises:
            DataError: another ending, or no such folder.
        """
        path = check_report(path)
        if path.suffix == ".json":
            path.write_text(json.dumps(self.to_dict(language), ensure_ascii=False, indent=1), encoding="utf-8")
        else:
            _write_workbook(path, self.to_frame(language), language)
        return path

    def refuse_faults(self) -> None:
        """Raise if there is any fault.

        Raises:
            RegisterError: with every fault, and this report.
        """
        if self.faults:
            raise RegisterError(self)


class RegisterError(DataError):
    """A register was refused. `faults` in words, `report` with everything else that was found."""

    def __init__(self, report: Report):
        self.report = report
        faults = tuple(problem.fault() for problem in report.faults)
        super().__init__(f"register refused as table {report.table!r}: {len(faults)} fault(s), nothing written", faults)


def check_report(path: Path | str) -> Path:
    """
    Raises:
        DataError: no report can be saved there.
    """
    path = Path(path)
    if path.suffix not in (".xlsx", ".json"):
        raise DataError(f"report {path.name!r}: save it as .xlsx or .json")
    if not path.parent.is_dir():
        raise DataError(f"report {path.name!r}: there is no folder {path.parent}")
    return path


def _write_workbook(path: Path, frame: pd.DataFrame, language: str) -> None:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import PatternFill

    colours = {"fault": "FFC7CE", "warning": "FFEB9C", "note": "FFFFFF"}
    book = Workbook(write_only=True)
    sheet = book.create_sheet(terms.text("registers.sheet", language))
    for index, column in enumerate(frame.columns):
        sheet.column_dimensions["ABCDEFGH"[index]].width = 46 if column in ("rule", "remedy") else 16
    sheet.append([terms.text(f"registers.column_{column}", language) for column in frame.columns])
    for record in frame.to_dict("records"):
        severity = record["severity"]
        shown = record | {"severity": terms.text(f"registers.severity_{severity}", language)}
        cells = []
        for value in shown.values():
            cell = WriteOnlyCell(sheet, value="" if pd.isna(value) else str(value))
            cell.data_type = "s"
            cell.fill = PatternFill("solid", fgColor=colours[severity])
            cells.append(cell)
        sheet.append(cells)
    book.save(path)


def count_mappings(pairs: Iterable[tuple[tuple[str, str, str], int]]) -> tuple[tuple[str, str, str, int], ...]:
    """Translations with the rows each touched, in order of column and word."""
    total: Counter[tuple[str, str, str]] = Counter()
    for pair, rows in pairs:
        total[pair] += rows
    return tuple((*pair, rows) for pair, rows in sorted(total.items()))
