"""Files by their first bytes: archives, workbooks, documents, pictures, text in any encoding."""

import csv
import gzip
import io
import json
import re
import struct
import zipfile
import zlib
from pathlib import PurePosixPath

from institute_lib.errors import ReleaseError
from institute_lib.release.disguises import BREAK
from institute_lib.release.findings import Finding, Found, Part

LARGEST = 400_000_000  # bytes that one archive may unpack to
PAGES = (".html", ".htm", ".xhtml", ".svg", ".xml", ".rels")
_PRINTABLE = re.compile(rb"[\x20-\x7e\x80-\xff]{6,}")
_LIVE = re.compile(r"[\s\ufeff]*[=+\-@＝＋－＠\t\r]")
_NUMBER = re.compile(r"[+\-]?[\d,.]+(?:[eE][+\-]?\d+)?%?")
_VALUES = re.compile(rb"<v>[^<]*</v>")
_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"bKGD"})


def take_bytes(part: Part) -> Found:
    """The parts of a file.

    Raises:
        ReleaseError: a kind that cannot be looked into.
    """
    content = part.content
    for magic, read in _READERS:
        if content.startswith(magic):
            yield from read(part)
            return
    text = decode_text(content)
    if text is None:
        raise ReleaseError(
            f"{part.name or part.where}: this kind of file cannot be scanned, so it cannot be released; "
            "leave it out, or save it as .csv, .xlsx, .docx, .json or .html"
        )
    yield from _take_decoded(part, text)


def decode_text(content: bytes) -> str | None:
    """A text in UTF-8, UTF-16 or GB 18030; None if the bytes are no text."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    even, odd = content[:2000:2].count(0), content[1:2000:2].count(0)
    zeros = even + odd
    if zeros * 3 > len(content[:2000]) and min(even, odd) * 4 < zeros:
        return content.decode("utf-16-le" if odd > even else "utf-16-be", "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return content.decode(encoding) if zeros == 0 else None
        except UnicodeDecodeError:
            continue
    return None


def _take_decoded(part: Part, text: str) -> Found:
    suffix, start = PurePosixPath(part.name).suffix.lower(), text[:2000].lstrip("\ufeff \t\r\n")
    if suffix in (".json", ".ipynb", ".geojson") or (not suffix and start[:1] in ("{", "[")):
        try:
            yield Part(part.where, "json", json.loads(text.lstrip("\ufeff")))
        except json.JSONDecodeError as error:
            if suffix:
                raise ReleaseError(
                    f"{part.name}: not readable as JSON ({error.msg}), so it cannot be released"
                ) from None
            yield Part(part.where, "text", text)
    elif suffix == ".js":
        yield Part(part.where, "script", text)
    elif suffix == ".css":
        yield Part(part.where, "css", text)
    elif suffix in PAGES or (start.startswith("<") and suffix not in (".csv", ".tsv")):
        yield Part(part.where, "page", text)
    elif not suffix and "<" in text and ">" in text:
        yield Part(part.where, "page", text)
        yield Part(part.where, "text", text)
    else:
        yield Part(part.where, "text", text)
        if suffix in (".csv", ".tsv"):
            yield from _take_csv(text, part.where, suffix)


def _take_csv(text: str, where: str, suffix: str) -> Found:
    """Its table, and cells that a spreadsheet would run."""
    rows = list(csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter="\t" if suffix == ".tsv" else ","))
    yield Part(where, "table", rows)
    for number, row in enumerate(rows, start=1):
        for cell in row:
            if _LIVE.match(cell) and cell.strip() and not _NUMBER.fullmatch(cell.strip()) and len(cell.strip()) > 1:
                yield Finding.masked("refuse", f"{where} row {number}", cell, "formula")


def _take_zip(part: Part) -> Found:
    """An archive; workbooks and documents are archives of pages, workbooks are read by their sheets too."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(part.content))
    except zipfile.BadZipFile as error:
        raise ReleaseError(f"{part.name or part.where}: a damaged archive ({error}) cannot be scanned") from None
    with archive:
        if sum(member.file_size for member in archive.infolist()) > LARGEST:
            raise ReleaseError(f"{part.name or part.where}: unpacks to more than {LARGEST:,} bytes; split it")
        if archive.comment:
            yield Part(f"{part.where}: comment", "text", archive.comment.decode("utf-8", "replace"))
        for member in archive.infolist():
            place = f"{part.where}/{member.filename}"
            yield Part(place, "text", f"{member.filename}{BREAK}{member.comment.decode('utf-8', 'replace')}")
            if member.flag_bits & 1:
                raise ReleaseError(f"{place}: an encrypted file cannot be scanned, so it cannot be released")
            if not member.is_dir():
                content = archive.read(member)
                if b"<f>" in content[:2_000_000] and member.filename.startswith("xl/worksheets/"):
                    yield Finding.masked("refuse", place, "<f>", "formula")
                if member.filename.startswith("xl/worksheets/"):
                    content = _VALUES.sub(b"", content)  # they are read as the sheet's table
                if content:
                    yield Part(place, "bytes", content, PurePosixPath(member.filename).name)
        if "xl/workbook.xml" in archive.namelist():
            yield from _take_sheets(part)


def _take_sheets(part: Part) -> Found:
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(part.content))
        sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    except python_calamine.CalamineError as error:
        raise ReleaseError(
            f"{part.name or part.where}: cannot be scanned ({error}), so it cannot be released"
        ) from None
    for name, rows in sheets.items():
        yield Part(f"{part.where}: {name}", "table", rows)
        cells = (BREAK.join(map(_cell, row)) for row in rows)
        yield Part(f"{part.where}: {name}", "text", BREAK.join(cells))


def _cell(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def _take_gzip(part: Part) -> Found:
    try:
        content = gzip.decompress(part.content)
    except (OSError, EOFError, zlib.error) as error:
        raise ReleaseError(f"{part.name or part.where}: cannot be unpacked ({error}), so not scanned") from None
    yield Part(f"{part.where}: unpacked", "bytes", content, PurePosixPath(part.name).stem)


def _take_png(part: Part) -> Found:
    """Texts of a picture's description, packed or not, and whatever was hung behind its end."""
    content, place = part.content, 8
    while place + 8 <= len(content):
        size, kind = struct.unpack(">I4s", content[place : place + 8])
        data = content[place + 8 : place + 8 + size]
        if kind not in _PIXELS:
            key, _, rest = data.partition(b"\0")
            unpacked = [_inflate(rest[start:]) for start in (1, 2, 4)] if rest else []
            texts = [key.decode("latin-1"), *(_strings(one) for one in (rest, *unpacked))]
            yield Part(f"{part.where}: {kind.decode('latin-1')}", "text", ": ".join(filter(None, texts)))
        place += 12 + size
        if kind == b"IEND":
            break
    if place < len(content):
        yield Part(f"{part.where}: tail", "text", _strings(content[place:]))


def _inflate(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, LARGEST)
    except zlib.error:
        return b""


def _take_picture(part: Part) -> Found:
    """Readable texts of any other picture (JPEG, GIF, WebP, TIFF): its EXIF, XMP and comments among them."""
    yield Part(part.where, "text", _strings(part.content))


def _strings(data: bytes) -> str:
    found = [match[0].decode("utf-8", "ignore") for match in _PRINTABLE.finditer(data)]
    found += re.findall(r"[\x20-\x7e\u3400-\u9fff]{6,}", data.decode("utf-16-le", "ignore"))
    return BREAK.join(found)


_READERS = (
    (b"PK\x03\x04", _take_zip),
    (b"PK\x05\x06", _take_zip),
    (b"\x1f\x8b", _take_gzip),
    (b"\x89PNG", _take_png),
    (b"\xff\xd8\xff", _take_picture),
    (b"GIF8", _take_picture),
    (b"RIFF", _take_picture),
    (b"II*\0", _take_picture),
    (b"MM\0*", _take_picture),
)
