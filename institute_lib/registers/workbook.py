"""Cells of a workbook, read in a process of its own whose time and memory are bounded.

A workbook is a packed program for a parser that is not ours: a few kilobytes may unpack to gigabytes, and a parser
that runs out of memory ends its whole process. So this file is also a script, of the standard library, python-calamine
and xlrd alone: workbook on standard input, pickled messages on standard output, the last of them `END` with the
SHA-256 of what was read. Where limits cannot be set (Windows), the reader's clock (`reading`) still stops it.

Values come from calamine. The package's XML (in the old .xls format: xlrd) says what calamine does not: formulas
without a stored value and error cells (both read as blanks), hidden rows and columns, number formats that add zeros or
a unit, rows that are struck through, comments, a stray cell a million rows down.
"""

import hashlib
import io
import pickle
import posixpath
import re
import string
import struct
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any
from xml.etree import ElementTree

MEMORY, SECONDS = 900_000_000, 8
MAX_UNPACKED, MAX_ENTRIES = 300_000_000, 10_000
MAX_CELLS, MAX_SENT = 2_000_000, 100_000_000  # twice the largest register that the room is made for
ROWS_PER_MESSAGE = 5_000
SPARE_ROWS, WIDEST = 100_000, 702  # rows beyond four times the filled ones, and column ZZ: farther cells are strays
REFUSED, SHEET, ROWS, END = "refused", "sheet", "rows", "end"
_BOOK = "xl/workbook.xml"
_FOREIGN = {"xl/workbook.bin": "xlsb", "word/document.xml": "docx", "ppt/presentation.xml": "pptx", "mimetype": "ods"}
_TAG = rb"<(?:\w+:)?"
_CELL = rb"""\br=["']([A-Z]{1,3})(\d{1,7})["']"""
# What spreadsheet programs write comes first: a pattern that begins with its own letters is found five times as fast.
_COMMON_ROW = re.compile(rb'<row [^>]*?\br="(\d+)"')
_COMMON_FAR = re.compile(rb' r="([A-Z]{3})(\d+)"')
_ROW = re.compile(_TAG + rb"""row\b[^>]*?\br=["'](\d+)["']""")
_FAR = re.compile(rb"""\br=["']([A-Z]{3})(\d+)["']""")
_ERROR = re.compile(_TAG + rb"""c\b([^>]*\bt=["']e["'][^>]*)>""")
_FORMULA = re.compile(
    _TAG + rb"c\b([^>]*)>\s*" + _TAG + rb"f\b[^>]*?(?:/>|>[^<]*</(?:\w+:)?f>)\s*(<(?:\w+:)?v\b[^>]*>)?([^<]*)"
)
_HIDDEN_ROW = re.compile(_TAG + rb"""row\b(?=[^>]*\bhidden=["'](?:1|true)["'])[^>]*?\br=["'](\d+)["']""")
_HIDDEN_COLUMNS = re.compile(_TAG + rb"""col\b(?=[^>]*\bhidden=["'](?:1|true)["'])([^>]*)>""")
_SPAN = re.compile(rb"""\b(min|max)=["'](\d+)["']""")
_STYLED = re.compile(_TAG + rb"""c\b(?=[^>]*\bs=["'](\d+)["'])([^>]*)>""")
_SHARED = re.compile(_TAG + rb"""c\b([^>]*\bt=["']s["'][^>]*)>\s*<(?:\w+:)?v>(\d+)<""")
_MAIN = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
_TELLING_FORMAT = re.compile(r"0{2,}|[\u4e00-\u9fff%‰]|\"[^\"]+\"|[A-Z]")  # zeros in front, a unit, letters
LONGEST_COMMENT, MOST_COMMENTS = 200, 2_000


class Refusal(Exception):
    """Why a workbook is not read: a rule of the room's texts, the sheet, the row, a detail."""

    def __init__(self, rule: str, *, sheet: str | None = None, row: int | None = None, detail: str = ""):
        super().__init__(rule)
        self.content = {"rule": rule, "sheet": sheet, "row": row, "detail": detail}


def messages(content: bytes) -> Iterator[tuple[str, Any]]:
    """What is in a workbook: `SHEET` with its structure, then its `ROWS`, sheet after sheet.

    Raises:
        Refusal: encrypted, damaged, of another format, or larger than the limits above.
    """
    import python_calamine as calamine

    is_package = content.startswith(b"PK")
    if is_package:
        content = in_standard_form(content)
        parts, of_the_book = unpack(content)
    cells = 0
    try:
        with ThreadPoolExecutor(1) as beside:  # calamine parses without the interpreter's lock
            inspection = (
                beside.submit(inspect, parts, of_the_book) if is_package else beside.submit(inspect_old, content)
            )
            book = calamine.load_workbook(io.BytesIO(content))
            for meta in book.sheets_metadata:
                if meta.typ != calamine.SheetTypeEnum.WorkSheet:
                    continue
                found = {"name": meta.name, "hidden": meta.visible != calamine.SheetVisibleEnum.Visible}
                if found["hidden"]:
                    yield SHEET, found
                    continue
                sheet = book.get_sheet_by_name(meta.name)
                cells += sheet.total_height * sheet.total_width
                if cells > MAX_CELLS:
                    raise Refusal("too_large", sheet=meta.name)
                structure = inspection.result().get(meta.name, {"unchecked": not is_package})
                yield SHEET, found | structure | {"merged": _merged_downwards(sheet)}
                yield from ((ROWS, rows) for rows in _portions(sheet))
    except calamine.PasswordError:
        raise Refusal("encrypted_or_old") from None
    except calamine.CalamineError as error:
        raise Refusal("damaged" if is_package else "encrypted_or_old", detail=type(error).__name__) from None


def in_standard_form(content: bytes) -> bytes:
    """A package as most programs write it, where Excel opens it and others do not: its main part under another name
    (xl/workbook2.xml), backslashes in names, other capitals.

    Raises:
        Refusal: see `unpack`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            _check_entries(package.infolist())
            names = _as_related(package, {name: _standard_name(name) for name in package.namelist()})
            main = _main_part(package, names)
            if main not in names.values() or main in _FOREIGN:
                raise Refusal(
                    "other_format", detail=next((_FOREIGN[name] for name in names if name in _FOREIGN), "zip")
                )
            if main == _BOOK and all(name == standard for name, standard in names.items()):
                return content
            return _rewritten(package, names, main)
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, EOFError, NotImplementedError, ValueError, OSError):
        raise Refusal("damaged") from None


def _standard_name(name: str) -> str:
    standard = name.replace("\\", "/")
    known = {
        known.lower(): known for known in ("[Content_Types].xml", "_rels/.rels", _BOOK, "xl/_rels/workbook.xml.rels")
    }
    return known.get(standard.lower(), standard)


def _as_related(package: zipfile.ZipFile, names: dict[str, str]) -> dict[str, str]:
    """The parts in the capitals by which other parts speak of them."""
    meant = {}
    for name, standard in names.items():
        if standard.endswith(".rels"):
            _refuse_declarations(package, name)
            folder = posixpath.dirname(posixpath.dirname(standard))
            for link in ElementTree.fromstring(package.read(name).replace(b"\\", b"/")):
                target = posixpath.normpath(posixpath.join("/", folder, link.get("Target", ""))).lstrip("/")
                of_target = f"{posixpath.dirname(target)}/_rels/{posixpath.basename(target)}.rels"
                meant |= {target.lower(): target, of_target.lower(): of_target}
    return {name: meant.get(standard.lower(), standard) for name, standard in names.items()}


def _main_part(package: zipfile.ZipFile, names: dict[str, str]) -> str:
    """The part that the package's own relations call its document."""
    rels = next((name for name, standard in names.items() if standard == "_rels/.rels"), None)
    if rels is None or _BOOK in names.values():
        return _BOOK
    _refuse_declarations(package, rels)
    links = ElementTree.fromstring(package.read(rels))
    return next(
        (link.get("Target", "").lstrip("/") for link in links if link.get("Type", "").endswith("/officeDocument")),
        _BOOK,
    )


def _rewritten(package: zipfile.ZipFile, names: dict[str, str], main: str) -> bytes:
    """The package with its parts under their standard names."""
    folder, _, own = main.rpartition("/")
    rels = f"{folder}/_rels/{own}.rels" if folder else f"_rels/{own}.rels"
    moved = {main: _BOOK, rels: "xl/_rels/workbook.xml.rels"}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as to:
        for name, standard in names.items():
            part = package.read(name)
            if standard in ("[Content_Types].xml", "_rels/.rels"):
                part = part.replace(main.encode(), _BOOK.encode()).replace(b"\\", b"/")
            elif standard.endswith(".rels"):
                part = part.replace(b"\\", b"/")
            to.writestr(moved.get(standard, standard), part)
    return written.getvalue()


def _merged_downwards(sheet: Any) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Ranges of one column. No two may overlap, so together they hold no more cells than the sheet."""
    ranges = [part for part in sheet.merged_cell_ranges or () if part[0][1] == part[1][1]]
    if sum(min(last, sheet.total_height) - first for (first, _), (last, _) in ranges) > MAX_CELLS:
        raise Refusal("damaged", sheet=sheet.name)
    return ranges


def _portions(sheet: Any) -> Iterator[list[list[Any]]]:
    portion = []
    for row in sheet.iter_rows():
        portion.append(row)
        if len(portion) == ROWS_PER_MESSAGE:
            yield portion
            portion = []
    yield portion


def unpack(content: bytes) -> tuple[dict[str | None, bytes], dict[str, Any]]:
    """A package's sheets by name, as XML, and what holds of all of them: epoch_1904, formats and struck (by style),
    comments (by sheet).

    Raises:
        Refusal: what no parser should be given: a package that is damaged, encrypted, of another format, or larger than
            any register; with paths or document types in it; with a stray cell far from the others.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            _check_entries(package.infolist())
            for name in package.namelist():
                if name.endswith((".xml", ".rels")):
                    _refuse_declarations(package, name)
            book = ElementTree.fromstring(package.read(_BOOK))
            read = cache(package.read)  # a thousand sheets may name one part
            paths = dict(_sheets(package, book))
            parts = {name: read(part) for name, part in paths.items()}
            formats, struck = _styles(package)
            pieces = _struck_texts(package)
            comments = {name: _comments(package, part) for name, part in paths.items()}
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, EOFError, NotImplementedError, ValueError):
        raise Refusal("damaged") from None
    for name, xml in parts.items():
        _refuse_strays(xml, name)
    properties = book.find("{*}workbookPr")
    epoch_1904 = properties is not None and properties.get("date1904") in ("1", "true")
    told = {"epoch_1904": epoch_1904, "formats": formats, "struck": struck, "pieces": pieces, "comments": comments}
    return parts, told


def _styles(package: zipfile.ZipFile) -> tuple[dict[int, str], set[int]]:
    """Styles whose number format says more than the number, and styles that strike text through."""
    if "xl/styles.xml" not in package.namelist():
        return {}, set()
    root = ElementTree.fromstring(package.read("xl/styles.xml"))
    codes = {int(one.get("numFmtId", 0)): one.get("formatCode", "") for one in root.iterfind("{*}numFmts/{*}numFmt")}
    codes |= {9: "0%", 10: "0.00%"}
    lines = [font.find("{*}strike") for font in root.iterfind("{*}fonts/{*}font")]
    fonts = {at for at, line in enumerate(lines) if line is not None and line.get("val", "1") not in ("0", "false")}
    formats, struck = {}, set()
    for at, style in enumerate(root.iterfind("{*}cellXfs/{*}xf")):
        code = codes.get(int(style.get("numFmtId", 0)), "")
        if is_telling(code):
            formats[at] = code
        if int(style.get("fontId", 0)) in fonts:
            struck.add(at)
    return formats, struck


def is_telling(code: str) -> bool:
    """Whether a number format shows more than the number itself (zeros in front, letters, a unit), and is no day's."""
    plain = re.sub(r"\[[^\]]*\]|\\.|_.", "", code.split(";", 1)[0])
    is_day = re.search(r"(?i)[ymdhs]", re.sub(r'"[^"]*"', "", plain)) is not None
    return bool(_TELLING_FORMAT.search(plain)) and not is_day and plain != "General"


def _comments(package: zipfile.ZipFile, part: str) -> list[tuple[int, int, str]]:
    """A sheet's comments: row, column, text."""
    folder, _, own = part.rpartition("/")
    rels = f"{folder}/_rels/{own}.rels"
    if rels not in package.namelist():
        return []
    found = []
    for link in ElementTree.fromstring(package.read(rels)):
        if not link.get("Type", "").endswith("/comments"):
            continue
        target = link.get("Target", "")
        name = target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"{folder}/{target}")
        for comment in ElementTree.fromstring(package.read(name)).iterfind(".//{*}comment"):
            place = re.fullmatch(r"([A-Z]{1,3})(\d{1,7})", comment.get("ref", ""))
            text = "".join(piece.text or "" for piece in comment.iterfind(".//{*}t"))
            if place and text.strip():
                found.append((int(place[2]), column_number(place[1]), text.strip()[:LONGEST_COMMENT]))
    return found[:MOST_COMMENTS]


def inspect(parts: dict[str | None, bytes], of_the_book: dict[str, Any]) -> dict[str | None, dict[str, Any]]:
    """The structure of each sheet: epoch_1904, unstored, errors and comments (row, column), formats (places by code),
    struck_rows, hidden_rows, hidden_columns.

    It takes the XML out of `parts`, so that no sheet is kept longer than it is looked at.
    """
    return {
        name: {"epoch_1904": of_the_book["epoch_1904"], "comments": of_the_book["comments"].get(name, [])}
        | _inspect_sheet(parts.pop(name), of_the_book["formats"], of_the_book["struck"], of_the_book["pieces"])
        for name in list(parts)
    }


def inspect_old(content: bytes) -> dict[str | None, dict[str, Any]]:
    """The same of a workbook in the old binary format."""
    import xlrd

    try:
        book = xlrd.open_workbook(file_contents=content, formatting_info=True, logfile=io.StringIO())
        return {sheet.name: _inspect_old_sheet(book, sheet) for sheet in book.sheets()}
    except (xlrd.XLRDError, AssertionError, LookupError, ValueError, TypeError, struct.error, NotImplementedError):
        return {}  # calamine reads it all the same; how it looks stays unknown


def _inspect_old_sheet(book: Any, sheet: Any) -> dict[str, Any]:
    formats: dict[str, set[tuple[int, int]]] = {}
    struck, errors = set(), set()
    for row in range(sheet.nrows):
        for column, kind in enumerate(sheet.row_types(row)):
            style = sheet.cell_xf_index(row, column)
            if kind == 5:
                errors.add((row + 1, column + 1))
            if kind in (1, 2) and (code := _old_format(book, style)):
                formats.setdefault(code, set()).add((row + 1, column + 1))
            if kind in (1, 2) and book.font_list[book.xf_list[style].font_index].struck_out:
                struck.add(row + 1)
    notes = [(row + 1, column + 1, note.text.strip()) for (row, column), note in sheet.cell_note_map.items()]
    return {
        "epoch_1904": book.datemode == 1,
        "errors": errors,
        "formats": formats,
        "struck_rows": struck,
        "comments": [(row, column, text[:LONGEST_COMMENT]) for row, column, text in notes if text],
        "hidden_rows": {row + 1 for row, found in sheet.rowinfo_map.items() if found.hidden},
        "hidden_columns": {column + 1 for column, found in sheet.colinfo_map.items() if found.hidden},
    }


def _old_format(book: Any, style: int) -> str:
    code = book.format_map[book.xf_list[style].format_key].format_str
    return code if is_telling(code) else ""


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise Refusal("too_large")
    if any(name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) for name in names):
        raise Refusal("unsafe_package")
    if any(entry.flag_bits & 1 for entry in entries):
        raise Refusal("encrypted_or_old")
    if len(set(names)) < len(names):
        raise Refusal("damaged")


def _sheets(package: zipfile.ZipFile, book: ElementTree.Element) -> Iterator[tuple[str | None, str]]:
    """Each sheet's name and the part of the package that it is."""
    links = ElementTree.fromstring(package.read("xl/_rels/workbook.xml.rels"))
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    for sheet in book.iterfind("{*}sheets/{*}sheet"):
        target = targets[next((value for key, value in sheet.attrib.items() if key.endswith("}id")), None)]
        yield sheet.get("name"), target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _refuse_declarations(package: zipfile.ZipFile, name: str) -> None:
    """A document type would come before the first element; no spreadsheet program writes one, bombs of entities do."""
    with package.open(name) as part:
        head = part.read(2_000)
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise Refusal("unsafe_package")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Refusal("damaged")


def _refuse_strays(xml: bytes, sheet: str | None) -> None:
    rows = list(map(int, _COMMON_ROW.findall(xml) or _ROW.findall(xml)))
    far = _COMMON_FAR.search(xml) or (_FAR.search(xml) if b"r='" in xml else None)
    if far:  # three letters lie beyond ZZ
        raise Refusal("stray_cell", sheet=sheet, row=int(far[2]))
    if rows and max(rows) > 4 * len(rows) + SPARE_ROWS:
        raise Refusal("stray_cell", sheet=sheet, row=max(rows))


def _inspect_sheet(xml: bytes, formats: dict[int, str], struck: set[int], pieces: set[int]) -> dict[str, Any]:
    has_errors = b't="e"' in xml or b"t='e'" in xml
    has_formulas = b"<f" in xml or b":f" in xml
    has_hidden = b"hidden=" in xml
    return {
        "errors": {_position(found[1]) for found in _ERROR.finditer(xml)} if has_errors else set(),
        "unstored": {_position(found[1]) for found in _FORMULA.finditer(xml) if _is_unstored(found)}
        if has_formulas
        else set(),
        "hidden_rows": {int(row) for row in _HIDDEN_ROW.findall(xml)} if has_hidden else set(),
        "hidden_columns": _hidden_columns(xml) if has_hidden else set(),
        **_styled(xml, formats, struck, pieces),
    }


def _styled(xml: bytes, formats: dict[int, str], struck: set[int], pieces: set[int]) -> dict[str, Any]:
    """Places of the telling number formats, and rows with text that is struck through."""
    places: dict[str, set[tuple[int, int]]] = {}
    rows: set[int] = set()
    for found in _STYLED.finditer(xml) if formats or struck else ():
        style = int(found[1])
        if style in formats:
            places.setdefault(formats[style], set()).add(_position(found[2]))
        if style in struck and not found[2].endswith(b"/"):
            rows.add(_position(found[2])[0])
    struck_inside = re.finditer(rb"<(?:\w+:)?strike\b", xml) if b"strike" in xml else ()
    for piece in struck_inside:  # of a text that stands in its cell
        start = max(xml.rfind(b"<c ", 0, piece.start()), xml.rfind(b":c ", 0, piece.start()))
        rows.add(_position(xml[start : piece.start()])[0])
    if pieces:
        rows |= {_position(found[1])[0] for found in _SHARED.finditer(xml) if int(found[2]) in pieces}
    return {"formats": places, "struck_rows": rows}


def _struck_texts(package: zipfile.ZipFile) -> set[int]:
    """The numbers of the shared texts of which a piece is struck through."""
    if "xl/sharedStrings.xml" not in package.namelist():
        return set()
    content = package.read("xl/sharedStrings.xml")
    if b"strike" not in content:
        return set()
    texts = ElementTree.fromstring(content).iterfind("{*}si")
    lines = [[line.get("val", "1") for line in text.iterfind(".//{*}strike")] for text in texts]
    return {at for at, found in enumerate(lines) if any(value not in ("0", "false") for value in found)}


def _is_unstored(formula: re.Match[bytes]) -> bool:
    """Whether no result is stored; a formula of the type `str` that stores nothing has the empty text as its result."""
    is_text = b't="str"' in formula[1] or b"t='str'" in formula[1]
    return not formula[3].strip() and not (is_text and formula[2])


def _hidden_columns(xml: bytes) -> set[int]:
    columns: set[int] = set()
    for attributes in set(_HIDDEN_COLUMNS.findall(xml)):
        span = {key: int(value) for key, value in _SPAN.findall(attributes)}
        columns.update(range(span.get(b"min", 1), min(span.get(b"max", 0), WIDEST) + 1))
    return columns


def _position(attributes: bytes) -> tuple[int, int]:
    """Row and column of a cell, (0, 0) if it does not say."""
    found = re.search(_CELL, attributes)
    return (int(found[2]), column_number(found[1].decode())) if found else (0, 0)


def column_number(name: str) -> int:
    """A column's number from its letters: A is 1, Z 26, AA 27."""
    number = 0
    for letter in name:
        number = number * 26 + string.ascii_uppercase.index(letter) + 1
    return number


def column_letters(number: int) -> str:
    """A column's letters from its number."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = string.ascii_uppercase[rest] + letters
    return letters


def _limit() -> None:
    try:
        import resource
    except ImportError:
        return
    for kind, value in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def main() -> None:
    """Read standard input, write messages to standard output."""
    _limit()
    content, sent = sys.stdin.buffer.read(), 0
    try:
        for message in messages(content):
            sent += _send(message)
            if sent > MAX_SENT:
                raise Refusal("too_large")
        _send((END, hashlib.sha256(content).hexdigest()))
    except Refusal as refusal:
        _send((REFUSED, refusal.content))


def _send(message: tuple[str, Any]) -> int:
    packed = io.BytesIO()
    pickler = pickle.Pickler(packed, pickle.HIGHEST_PROTOCOL)
    pickler.fast = True  # no two cells share an object: remembering each would only cost
    pickler.dump(message)
    return sys.stdout.buffer.write(packed.getbuffer())


if __name__ == "__main__":
    main()
