"""What an import found: faults (nothing is written), warnings (written if accepted), notes (for the record).

Values are masked to their first and last character before they get here, so that a report never carries a name, a
phone or an identity number.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, Fault
from institute_lib.registers import screen
from institute_lib.registers.personal import printable

EXAMPLE = "【示例】"  # how the row of a template begins that shows what to write
MARK = "【核对】"  # how a comment and a sheet begin that the workbench wrote into an office's workbook
Mapping = tuple[str, str, str, int]
SEVERITIES = {
    "fault": "FFC7CE",
    "warning": "FFEB9C",
    "confirmed": "FFFFFF",
    "note": "FFFFFF",
}  # and how a workbook colours them
WIDTHS = {"file": 24, "row": 8, "severity": 8, "rule": 46, "remedy": 46}
ROWS_SHOWN = 6
ADVICE = frozenset({"identity_area"})


@dataclass(frozen=True)
class Problem:
    """One thing found at one place. `rule` is a key of the texts; `value` is masked, unless it is a word of nobody's.

    `rows` are those that have it, where it is told once for many; `alike` counts what is not listed one by one: so many
    more of the same rule in the same column. `token` stands for the question and for what it was asked about.
    """

    rule: str
    file: str
    sheet: str | None = None
    row: int | None = None
    column: str | None = None
    value: str | None = None
    detail: str = ""
    alike: int = 0
    rows: tuple[int, ...] = ()
    token: str = ""

    @property
    def times(self) -> int:
        """How many places have it."""
        return self.alike or max(1, len(self.rows))

    @property
    def name(self) -> str:
        """The rule by which a question can be confirmed."""
        return self.detail.partition(":")[0] if self.rule == "not_accepted" else self.rule

    @property
    def place(self) -> str:
        return self.file if self.sheet is None else f"{self.file} [{self.sheet}]"

    def fault(self, language: str = "en") -> Fault:
        """The problem in words."""
        return Fault(
            self.place,
            self.row,
            self.column,
            self.value,
            self._rule(language),
            terms.text(f"registers.remedy_{self.rule}", language, detail=self.detail, name=self.name),
        )

    def _rule(self, language: str) -> str:
        detail = terms.translate(self.detail, language, package="tables") if self.rule == "contract" else self.detail
        if self.rule == "not_accepted":
            rule, _, own = self.detail.partition(":")
            detail = terms.text(f"registers.rule_{rule}", language, detail=own)
        rule = terms.text(f"registers.rule_{self.rule}", language, detail=detail)
        if len(self.rows) > 1:
            rows = "、".join(map(str, self.rows[:ROWS_SHOWN])) + ("…" if len(self.rows) > ROWS_SHOWN else "")
            number = terms.number(len(self.rows), language)
            return terms.text("registers.in_rows", language, rule=rule, count=number, rows=rows)
        if not self.alike:
            return rule
        return terms.text("registers.alike", language, rule=rule, count=terms.number(self.alike, language))


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
class Answer:
    """What an office says a word means: in a list of levels, as a district, or as a text that may stay as it is."""

    list: str
    word: str
    meaning: str


@dataclass(frozen=True)
class Origin:
    """A file that was read.

    Attributes:
        path: where it lies.
        sheets: its sheets' own names by those that people are shown.
        headers: the row of each sheet's header, by the sheet's shown name.
        columns: the place (from 0) of each column, by the sheet's and the header's shown names.
    """

    path: Path
    sheets: dict[str | None, str | None]
    headers: dict[str | None, int]
    columns: dict[tuple[str | None, str | None], int]


@dataclass(frozen=True)
class Report:
    """Everything that an import found, and how many rows went in and came out.

    `mappings` counts the words that were translated by a declared table: (column, written, meant, rows). `confirmed`
    are the warnings that the office has answered in the marked workbook, `answers` the words that it explained there.
    `origins` says which file and sheets stand behind the names that people are shown.
    """

    table: str
    sources: tuple[Source, ...]
    faults: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    mappings: tuple[Mapping, ...] = ()
    key_id: str | None = None
    confirmed: tuple[Problem, ...] = ()
    answers: tuple[Answer, ...] = ()
    origins: dict[str, Origin] = field(default_factory=dict, repr=False, compare=False)

    @property
    def rows_in(self) -> int:
        return sum(source.rows_in for source in self.sources)

    @property
    def rows_out(self) -> int:
        return sum(source.rows_out for source in self.sources)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings as plain sentences: those that an import needs accepted, then those it does not."""
        return tuple(str(problem.fault()) for problem in (*self.problems, *self.advice))

    @property
    def found(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.faults or self.problems or self.notes)

    @property
    def advice(self) -> tuple[Problem, ...]:
        """Notes that warn of something, but that no one can act on before the import: published lists lag."""
        return tuple(note for note in self.notes if note.rule in ADVICE)

    def summary(self, language: str = "zh") -> str:
        """One sentence: files, rows in and out, faults and warnings."""
        return terms.text(
            "registers.summary",
            language,
            sheets=terms.number(len(self.sources), language),
            rows_in=terms.number(self.rows_in, language),
            rows_out=terms.number(self.rows_out, language),
            faults=terms.number(count(self.faults), language),
            warnings=terms.number(count(self.problems), language),
        )

    def to_frame(self, language: str = "zh") -> pd.DataFrame:
        """One row a problem: severity, place, row, column, masked value, rule, remedy."""
        advice = self.advice
        listed = [
            *(("fault", problem) for problem in self.faults),
            *(("warning", problem) for problem in (*self.problems, *advice)),
            *(("confirmed", problem) for problem in self.confirmed),
            *(("note", problem) for problem in self.notes if problem not in advice),
        ]
        rows = [
            {"severity": severity, "sheet": problem.sheet, "file": problem.file}
            | {key: value for key, value in asdict(problem.fault(language)).items() if key != "table"}
            for severity, problem in listed
        ]
        columns = ["severity", "file", "sheet", "row", "column", "value", "rule", "remedy"]
        return pd.DataFrame(rows, columns=columns).astype({"row": "Int64"})

    def listing(self, language: str = "zh") -> str:
        """All that was found as an aligned table for the screen: a line each, faults first."""
        frame = self.to_frame(language)
        headers = [terms.text(f"registers.column_{column}", language) for column in frame]
        severities = {name: terms.text(f"registers.severity_{name}", language) for name in SEVERITIES}
        frame["severity"] = frame["severity"].map(severities)
        return screen.align(headers, frame.astype(object).where(frame.notna(), "").astype(str).to_numpy().tolist())

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
        found = count(report.faults)
        super().__init__(f"register refused as table {report.table!r}: {found} fault(s), nothing written", faults)


def count(problems: Iterable[Problem]) -> int:
    """How many there are, listed or not."""
    return sum(problem.times for problem in problems)


def check_report(path: Path | str) -> Path:
    """
    Raises:
        DataError: no report can be saved there.
    """
    path = Path(path)
    if path.suffix not in (".xlsx", ".json"):
        raise terms.error(DataError, "registers.error_report_form", name=path.name)
    if not path.parent.is_dir():
        raise terms.error(DataError, "registers.error_report_folder", name=path.name, folder=path.parent)
    return path


def _write_workbook(path: Path, frame: pd.DataFrame, language: str) -> None:
    """Texts only, never a formula; faults red, warnings yellow; filters and a header that stays."""
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet(terms.text("registers.sheet", language))
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(frame), len(frame.columns) - 1)
    bold = book.add_format({"bold": True})
    looks = {
        severity: book.add_format({"bg_color": f"#{colour}", "valign": "top", "text_wrap": True})
        for severity, colour in SEVERITIES.items()
    }
    for at, column in enumerate(frame):
        sheet.set_column(at, at, WIDTHS.get(column, 16))
        sheet.write_string(0, at, terms.text(f"registers.column_{column}", language), bold)
    for number, record in enumerate(frame.to_dict("records"), start=1):
        shown = record | {"severity": terms.text(f"registers.severity_{record['severity']}", language)}
        for at, value in enumerate(shown.values()):
            write = sheet.write_number if isinstance(value, int) else sheet.write_string
            text = value if isinstance(value, int) else "" if pd.isna(value) else printable(str(value))
            write(number, at, text, looks[record["severity"]])
    book.close()


def count_mappings(pairs: Iterable[tuple[tuple[str, str, str], int]]) -> tuple[Mapping, ...]:
    """Translations with the rows each touched, in order of column and word."""
    total: Counter[tuple[str, str, str]] = Counter()
    for pair, rows in pairs:
        total[pair] += rows
    return tuple((*pair, rows) for pair, rows in sorted(total.items()))
