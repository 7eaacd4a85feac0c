"""Registers as offices write them: text files and workbooks, sound, odd and hostile. Nobody in them exists."""

import csv
import io
import re
import struct
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd

from institute_lib.registers import identity, store
from institute_lib.tables import history, journal

Rows = Iterable[Iterable[Any]]
HEADERS = ["姓名", "身份证号", "手机", "区", "社工站", "级别", "月薪", "入职日期", "离职日期"]
PEOPLE = [
    ["甄无名", 1, "13900001111", "崇川区", "甲社工站", "助理", "5300.5", "2019-07-01", ""],
    ["贾有名", 2, "13900002222", "海门区", "乙社工站", "中级", "7100", "2015-03-09", "2022-05-31"],
    ["甄别人", 3, "13900003333", "如东县", "", "未持证", "", "2008-12-31", ""],
]
FIRST_SHEET = "xl/worksheets/sheet1.xml"


def number(serial: int, birth: str = "19900307", district: str = "320613") -> str:
    """An identity number with the right check character."""
    digits = f"{district}{birth}{serial:03d}"
    return digits + identity.check_character(digits)


def people() -> list[list[Any]]:
    """Three sound rows below `HEADERS`."""
    return [[row[0], number(row[1]), *row[2:]] for row in PEOPLE]


def person(serial: int, **cells: Any) -> list[Any]:
    """One sound row, with the cells named by their headers changed."""
    row = [
        f"甄{chr(0x5000 + serial)}",
        number(serial),
        "13900001111",
        "崇川区",
        "甲社工站",
        "助理",
        "5300",
        "2019-07-01",
        "",
    ]
    for header, value in cells.items():
        row[HEADERS.index(header)] = value
    return row


def as_text(
    rows: Iterable[Iterable[Any]], headers: list[str] = HEADERS, delimiter: str = ",", end: str = "\r\n"
) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([headers, *rows])
    return text.getvalue().replace("\r\n", end)


def write_csv(
    path: Path,
    rows: Rows,
    headers: list[str] = HEADERS,
    encoding: str = "utf-8",
    delimiter: str = ",",
) -> Path:
    path.write_bytes(as_text(rows, headers, delimiter).encode(encoding))
    return path


def write_workbook(
    path: Path,
    rows: Rows,
    headers: list[str] = HEADERS,
    change: Callable[[openpyxl.Workbook], object] | None = None,
) -> Path:
    book = openpyxl.Workbook()
    book.active.append(headers)
    for row in rows:
        book.active.append(row)
    if change:
        change(book)
    book.save(path)
    return path


def repack(path: Path, changes: dict[str, Callable[[bytes], bytes]], added: dict[str, bytes] | None = None) -> Path:
    """The workbook with some of its parts changed and others added, in its own place."""
    with zipfile.ZipFile(path) as package:
        parts = [(entry.filename, package.read(entry)) for entry in package.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in [*parts, *(added or {}).items()]:
            package.writestr(name, changes.get(name, bytes)(content))
    return path


def claim_size(path: Path, name: str, size: int) -> Path:
    """Let the package's directory lie about how large one of its parts is once unpacked."""
    content = bytearray(path.read_bytes())
    for found in re.finditer(b"PK\x01\x02", bytes(content)):
        at = found.start()
        length = struct.unpack_from("<H", content, at + 28)[0]
        if content[at + 46 : at + 46 + length] == name.encode():
            struct.pack_into("<I", content, at + 24, size)
    path.write_bytes(content)
    return path


def rewrite_rows(xml: bytes, rows: bytes) -> bytes:
    """A sheet's XML with other rows."""
    return re.sub(
        rb"<sheetData>.*</sheetData>", lambda _: b"<sheetData>" + rows + b"</sheetData>", xml, flags=re.DOTALL
    )


def keep(root: Path, table: str, frame: pd.DataFrame, day: str = "2025-12-31") -> Path:
    """Keep a table as an import of its day would, in the project folder `root`, which is returned."""
    folder, number = root / "data" / "registers", store.next_number(root / "data" / "registers")
    rows = frame.copy()
    for column in history.STATE if table == "workers" else ():
        rows[column] = rows.get(column)
    try:
        rows[journal.CELL] = journal.cells_of(table, rows, pd.Series(day, rows.index))
    except KeyError:  # a table that lacks columns
        rows[journal.CELL] = "320613 2024Q1"
    parts = [[cell, len(part), "replace"] for cell, part in rows.groupby(journal.CELL)]
    file = store.file_of(table, number)
    line = store.line("import", number) | {"table": table, "file": file, "parts": parts, "files": []}
    folder.mkdir(parents=True, exist_ok=True)
    store.commit(folder, [line], {file: rows})
    return root
