"""From a file to sheets of raw cells: what kind of file it is (by its content), how it is encoded, what is in it.

Values come from python-calamine. A sheet's XML is looked at first where that decides whether to open it at all:
formulas without a stored value, a stray cell a million rows down, a compressed bomb.
"""

import codecs
import csv
import hashlib
import io
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from institute_lib.registers import vocabulary

MAX_FILE = 200_000_000
MAX_UNPACKED = 400_000_000
MAX_CELLS = 20_000_000
_ZIP, _OLE = b"PK\x03\x04", bytes.fromhex("d0cf11e0a1b11ae1")
_MARKUP = re.compile(rb"^\s*<(!doctype|html|table|\?xml|meta|head|body)", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_CJK = re.compile(r"[\u3400-\u9fff]")


class Refused(Exception):
    """A whole file or sheet that cannot be read; `rule` is a key of the room's texts."""

    def __init__(self, rule: str, *, sheet: str | None = None, row: int | None = None, detail: str = ""):
        super().__init__(rule)
        self.rule, self.sheet, self.row, self.detail = rule, sheet, row, detail


@dataclass(frozen=True)
class Sheet:
    """Raw cells. `rows[i]` stands in row `first_row + i` of the file; `formulas` are cells without a stored value."""

    file: str
    sha256: str
    encoding: str
    name: str | None
    rows: list[list[Any]]
    first_row: int = 1
    epoch_1904: bool = False
    ragged: bool = False
    formulas: tuple[tuple[int, int], ...] = ()
    remarks: tuple[tuple[str, str], ...] = field(default=())


def read_sheets(path: Path) -> list[Sheet]:
    """Every visible sheet of a file that holds anything.

    Raises:
        Refused: empty, encrypted, renamed, damaged, oversized, or in no encoding that we can be sure of.
    """
    path = Path(path)
    if not path.is_file():
        raise Refused("no_file")
    if path.stat().st_size > MAX_FILE:
        raise Refused("too_large")
    content = path.read_bytes()
    if not content.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise Refused("empty_file")
    if content.startswith(_ZIP):
        return _read_workbook(path, content, "xlsx")
    if content.startswith(_OLE):
        return _read_workbook(path, content, "xls")
    if _MARKUP.match(content[:2000]):
        raise Refused("markup")
    if path.suffix.lower() in (".xlsx", ".xls", ".xlsm", ".xlsb"):
        raise Refused("renamed")
    return [_read_text(path, content)]


def _read_text(path: Path, content: bytes) -> Sheet:
    text, encoding = decode(content)
    if "\ufffd" in text:
        raise Refused("replacement_character")
    lines = text.splitlines()[:20]
    delimiter = max(",\t;", key=lambda mark: sum(line.count(mark) for line in lines))
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise Refused("csv_form", detail=str(error)) from None
    return Sheet(path.name, _digest(content), encoding, None, rows, ragged=True)


def decode(content: bytes) -> tuple[str, str]:
    """A text file's text and the encoding it was in, strictly: UTF-8 (with or without BOM), UTF-16, GB 18030.

    Raises:
        Refused: no encoding fits, the last character is cut off, or two encodings stand in one file.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _strict(content, encoding), encoding
    if content.count(0) > len(content) // 5:
        encoding = "utf-16-le" if content[1::2].count(0) > content[::2].count(0) else "utf-16-be"
        return _strict(content, encoding), encoding
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            raise Refused("cut_off") from None
    text = _strict(content, "gb18030")
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.isascii() and _is_utf8_chinese(line):
            raise Refused("two_encodings", row=number)
    return text, "gb18030"


def _strict(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        rule = "cut_off" if error.end >= len(content) else "two_encodings"
        row = content[: error.start].count(b"\n") + 1
        raise Refused(rule, row=row) from None


def _is_utf8_chinese(line: bytes) -> bool:
    try:
        return len(_CJK.findall(line.decode("utf-8"))) >= 3
    except UnicodeDecodeError:
        return False


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_workbook(path: Path, content: bytes, kind: str) -> list[Sheet]:
    import python_calamine as calamine

    structure = _inspect_package(content) if kind == "xlsx" else {}
    epoch_1904, formulas = structure.get("epoch_1904", False), structure.get("formulas", {})
    digest, sheets = _digest(content), []
    try:
        book = calamine.load_workbook(io.BytesIO(content))
        for meta in book.sheets_metadata:
            if meta.typ != calamine.SheetTypeEnum.WorkSheet:
                continue
            hidden = meta.visible != calamine.SheetVisibleEnum.Visible
            rows = [] if hidden else _cells(book.get_sheet_by_name(meta.name))
            sheets.append(
                Sheet(
                    path.name,
                    digest,
                    kind,
                    meta.name,
                    rows,
                    epoch_1904=epoch_1904,
                    formulas=formulas.get(meta.name, ()),
                    remarks=(("hidden_sheet", meta.name),) if hidden else (),
                )
            )
    except calamine.CalamineError as error:
        raise Refused("encrypted_or_old", detail=type(error).__name__) from None
    return sheets


def _cells(sheet: Any) -> list[list[Any]]:
    if sheet.total_height * sheet.total_width > MAX_CELLS:
        raise Refused("too_large", sheet=sheet.name)
    return sheet.to_python(skip_empty_area=False)


def _inspect_package(content: bytes) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            entries = package.infolist()
            if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
                raise Refused("too_large")
            if any(entry.filename.startswith("/") or ".." in entry.filename.split("/") for entry in entries):
                raise Refused("unsafe_package")
            if any(entry.flag_bits & 1 for entry in entries):
                raise Refused("encrypted_or_old")
            return _inspect_sheets(package)
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, EOFError):
        raise Refused("damaged") from None


def _inspect_sheets(package: zipfile.ZipFile) -> dict[str, Any]:
    workbook = ElementTree.fromstring(package.read("xl/workbook.xml"))
    links = ElementTree.fromstring(package.read("xl/_rels/workbook.xml.rels"))
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    properties = workbook.find("{*}workbookPr")
    formulas = {}
    for sheet in workbook.iterfind("{*}sheets/{*}sheet"):
        link = next((value for key, value in sheet.attrib.items() if key.endswith("}id")), None)
        target = targets.get(link, "")
        part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        if part in package.namelist():
            formulas[sheet.get("name")] = _inspect_cells(package.read(part), sheet.get("name"))
    epoch = properties is not None and properties.get("date1904") in ("1", "true")
    return {"epoch_1904": epoch, "formulas": formulas}


def _inspect_cells(xml: bytes, sheet: str | None) -> tuple[tuple[int, int], ...]:
    last_row = max((int(row) for row in re.findall(rb'<(?:\w+:)?row [^>]*?\br="(\d+)"', xml)), default=0)
    wide = max((column_number(name.decode()) for name in set(re.findall(rb'r="([A-Z]{1,3})\d+"', xml))), default=0)
    if last_row * wide > MAX_CELLS:
        raise Refused("stray_cell", sheet=sheet, row=last_row)
    if b"<f" not in xml and b":f" not in xml:
        return ()
    unstored = []
    for _, element in ElementTree.iterparse(io.BytesIO(xml)):
        tag = element.tag.rpartition("}")[2]
        if tag == "c" and _is_unstored(element):
            unstored.append(_position(element.get("r", "A1")))
        elif tag == "row":
            element.clear()
    return tuple(unstored)


def _is_unstored(cell: ElementTree.Element) -> bool:
    value = cell.find("{*}v")
    return cell.find("{*}f") is not None and (value is None or not value.text)


def column_number(name: str) -> int:
    """A column's number from its letters: A is 1, Z 26, AA 27."""
    number = 0
    for letter in name:
        number = number * 26 + ord(letter) - 64
    return number


def _position(reference: str) -> tuple[int, int]:
    letters, digits = re.fullmatch(r"([A-Z]+)(\d+)", reference).groups()
    return int(digits), column_number(letters)


def looks_misdecoded(headers: list[str], table: str) -> bool:
    """Whether the headers become declared ones once their wrong decoding is undone."""
    for wrong, right in (("latin-1", "gb18030"), ("cp1252", "gb18030"), ("latin-1", "utf-8"), ("gb18030", "utf-8")):
        mended = (_mend(header, wrong, right) for header in headers)
        if sum(bool(text) and vocabulary.column_of(table, text) is not None for text in mended) >= 2:
            return True
    return False


def _mend(text: str, wrong: str, right: str) -> str | None:
    try:
        return text.encode(wrong).decode(right)
    except UnicodeError:
        return None
