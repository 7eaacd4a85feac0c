"""An office's register read (100,000 rows by ten columns of a workbook and of a text file, checked, pseudonymised) and
marked, its templates filled in, saved through LibreOffice and imported, and a brief's Word document and workbook
opened by LibreOffice.
"""

import csv
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import openpyxl
import pypdfium2

from institute_lib import brief, registers
from institute_lib.registers import identity, template, vocabulary
from tests.alone import run_alone
from tests.bench import libreoffice
from tests.bench.lines import Bound, Line
from tests.bench.timing import steps
from tests.templates import fill
from tests.unit.test_brief_word import chart, executed, staff, workbook

HEADERS = ["序号", "姓名", "身份证号", "手机", "区", "社工站", "级别", "月薪", "入职日期", "离职日期"]
DISTRICTS = ["崇川区", "通州区", "海门区", "如东县", "启东市", "如皋市", "海安市"]
ROWS, SECONDS, MEGABYTES = 100_000, 4.0, 500.0
OURS = (
    "import sys, time; from institute_lib import registers; begun = time.perf_counter();"
    "found = registers.read(sys.argv[1]); print(time.perf_counter() - begun); assert len(found.frame) == {rows}"
)
WHOLE = (
    "import os, sys; from institute_lib import registers;"
    "registers.import_files(sys.argv[1], quarter='{quarter}', missing='left', accept_warnings=True);"
    "print(sum(os.times()[:4]))"
)
MARKED = (
    "import sys, time; from pathlib import Path; from institute_lib import registers;"
    "from institute_lib.registers import marking; begun = time.perf_counter();"
    "report = registers.check(sys.argv[1], today='2026-01-01'); assert len(report.faults) == {faults};"
    "(label,) = report.origins; marking.mark(report, label, Path(sys.argv[1]).with_suffix('.marked.xlsx'));"
    "print(time.perf_counter() - begun)"
)
PEERS = {
    "xlsx": ("openpyxl, read only", "list(openpyxl.load_workbook(sys.argv[1], read_only=True).active.values)"),
    "csv": ("pandas.read_csv, no check", "pandas.read_csv(sys.argv[1], dtype=str, keep_default_na=False)"),
}
PEER = "import openpyxl, pandas, sys, time; begun = time.perf_counter(); {call}; print(time.perf_counter() - begun)"


def measure(*, large: bool) -> list[Line | Bound]:
    """Both kinds of file; `large` repeats them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = [line for kind in PEERS for line in read(folder, kind, repetitions=3 if large else 1)]
        return [*found, *whole(folder), *marked(folder), *templates(folder), *briefs(folder)]


def whole(folder: Path) -> Iterator[Bound]:
    """The processor's seconds and the peak of importing a register and, a quarter later, the next one whole."""
    environment, head = key_in(folder) | {"INSTITUTE_HOME": str(folder / "home")}, [HEADERS]
    (folder / "home").mkdir()
    for quarter, stays in (("2025Q3", lambda row: True), ("2025Q4", lambda row: row[0] % 50)):
        path = folder / f"{quarter}.xlsx"
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet()
        for row in itertools.chain(head, filter(stays, rows())):
            sheet.append(row)
        book.save(path)
        seconds, megabytes = run(WHOLE.format(quarter=quarter), path, environment)
        what = f"import of {quarter}, {ROWS:,} × {len(HEADERS)}"
        yield Bound(what, seconds, SECONDS, "s", "processor, all processes")
        yield Bound(what, megabytes, MEGABYTES, "MB", "largest process")


def marked(folder: Path) -> Iterator[Bound]:
    """Seconds in which a workbook with faults is read, judged and handed back marked."""
    for number, faults, limit in ((5_000, 500, 5.0), (ROWS, 5_000, 40.0)):
        path = folder / f"faulty{number}.xlsx"
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet()
        sheet.append(HEADERS)
        for at, row in enumerate(itertools.islice(rows(), number)):
            sheet.append([*row[:7], "面议", *row[8:]] if at % (number // faults) == 0 else row)
        book.save(path)
        seconds, megabytes = run(MARKED.format(faults=faults), path, key_in(folder))
        what = f"marked, {number:,} rows, {faults:,} faults"
        yield Bound(what, seconds, limit, "s", "reading and judging included")
        yield Bound(what, megabytes, 2 * MEGABYTES, "MB", "peak of one process")


def templates(folder: Path) -> Iterator[Bound]:
    """Questions and faults of each table's template with 500 rows, once LibreOffice has saved it."""
    for table in steps(vocabulary.tables(), "templates"):
        path = template.write(folder / f"{table}.xlsx", [table], quarter="2025Q4")
        saved = libreoffice.save(fill(path, table, rows=500), folder / "saved")
        report = registers.check(saved, table=table, today="2026-01-01")
        assert report.rows_out == 500, table
        asked = len(report.faults) + len(report.problems)
        yield Bound(f"template {table}, 500 rows, LibreOffice", asked, 0, "questions")


def briefs(folder: Path) -> Iterator[Bound]:
    """A brief's Word document and workbook as LibreOffice opens them: marks, page numbers, pictures, numbers."""
    made = executed(chart(), *[staff(f"Table {at}") for at in range(20)])
    document = libreoffice.save(brief.export_word(made, folder / "brief.docx", language="en"), folder, libreoffice.WORD)
    pages = [one.get_textpage().get_text_range() for one in pypdfium2.PdfDocument(document)]
    bare = sum("Internal" not in text or f"— {at} —" not in text for at, text in enumerate(pages, start=1))
    yield Bound("brief .docx, LibreOffice", len(pages), 2, "pages", "a chart and 20 tables", least=True)
    yield Bound("brief .docx, LibreOffice", bare, 0, "pages", "without the marks or the page's number")
    path = folder / "tables.xlsx"
    page = brief.export(made, folder / "brief.html", language="en").read_text(encoding="utf-8")
    workbook(page).save(path)
    sheets = openpyxl.load_workbook(libreoffice.save(path, folder / "saved")).worksheets[1:]
    texts = sum(not isinstance(sheet.cell(3, 2).value, int | float) for sheet in sheets)
    yield Bound("brief .xlsx, LibreOffice", texts, 0, "sheets", f"of {len(sheets)} whose figures became text")


def read(folder: Path, kind: str, *, repetitions: int) -> Iterator[Line | Bound]:
    """Seconds beside a peer that only reads the cells, and the peak of memory."""
    path, environment = write(folder, kind), key_in(folder)
    ours, peers = [], []
    for _ in steps(range(repetitions), f"register.{kind}"):
        ours.append(run(OURS.format(rows=ROWS), path, environment))
        peers.append(run(PEER.format(call=PEERS[kind][1]), path, environment))
    seconds, megabytes = (median(part) for part in zip(*ours, strict=True))
    peer = median(found for found, _ in peers)
    what = f"registers.read, {ROWS:,} × {len(HEADERS)} .{kind}"
    yield Line(what, seconds, PEERS[kind][0], peer, "ours also checks every cell and pseudonymises")
    yield Bound(what, seconds, SECONDS, "s")
    yield Bound(what, megabytes, MEGABYTES, "MB", "peak of one process")


def run(program: str, path: Path, environment: dict[str, str]) -> tuple[float, float]:
    said, peak = run_alone(program, path, env=environment)
    return float(said), peak / 2**20


def key_in(folder: Path) -> dict[str, str]:
    environment = os.environ | {"INSTITUTE_KEY_FILE": str(folder / "keys" / "pseudonym.key")}
    if not (folder / "keys").exists():
        command = [sys.executable, "-m", "institute_lib", "key", "new"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    return environment


def write(folder: Path, kind: str) -> Path:
    """The register as a file of one kind."""
    path = folder / f"register.{kind}"
    if kind == "csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADERS, *rows()])
        return path
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in (HEADERS, *rows()):
        sheet.append(row)
    book.save(path)
    return path


def rows() -> Iterator[list[object]]:
    """Invented people, no two alike."""
    for at in range(ROWS):
        born, entered = date(1960, 1, 1) + timedelta(days=at % 15_000), date(2010, 1, 1) + timedelta(days=at % 5_000)
        digits = f"3206{(12, 13, 14, 23, 81, 82, 85)[at // 15_000]}{born:%Y%m%d}{at % 1_000:03d}"
        name = f"甄{chr(0x4E00 + at % 20_000)}{chr(0x5E00 + at // 20_000)}"
        district, level = DISTRICTS[at % 7], ("助理", "中级", "未持证")[at % 3]
        left = entered + timedelta(days=400) if at % 3 == 0 else None
        number = digits + identity.check_character(digits)
        station = f"{district}第{at % 50}社工站"
        yield [at + 1, name, number, f"139{at:08d}", district, station, level, 3_000 + at % 6_000, entered, left]
