"""Files by their first bytes: archives, workbooks, pictures, PDF, Parquet, text in any encoding."""

import bz2
import csv
import gzip
import io
import json
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from institute_lib.errors import ReleaseError
from institute_lib.release.disguises import BREAK
from institute_lib.release.findings import found
from institute_lib.release.parts import Found, Part

LARGEST = 400_000_000  # bytes that one archive may unpack to
PAGES = (".html", ".htm", ".xhtml", ".svg", ".xml", ".mht", ".rels")
PERSON_HEADERS = frozenset(
    {"姓名", "身份证号", "身份证号码", "证件号码", "手机", "手机号", "联系电话", "name", "id_card"}
)
_PRINTABLE = re.compile(rb"[\x20-\x7e\x80-\xff]{6,}")
_LIVE = re.compile(r"[\s\ufeff]*[=+\-@＝＋－＠\t\r]")
_NUMBER = re.compile(r"[+\-]?[\d,.]+(?:[eE][+\-]?\d+)?%?")


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
    if content[257:262] == b"ustar":
        yield from _take_tar(part)
        return
    text = decode_text(content)
    if text is None:
        raise ReleaseError(
            f"{part.name or part.where}: this kind of file cannot be scanned, so it cannot be released; "
            "leave it out, or save it as .csv, .xlsx, .json or .html"
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
    if suffix in (".json", ".ipynb") or (not suffix and start[:1] in ("{", "[")):
        try:
            yield Part(part.where, "json", json.loads(text.lstrip("\ufeff")))
        except json.JSONDecodeError as error:
            if suffix:
                raise ReleaseError(
                    f"{part.name}: not readable as JSON ({error.msg}), so it cannot be released"
                ) from None
            yield Part(part.where, "text", text)
    elif suffix in (".js", ".mjs"):
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
    """Columns of persons, and cells that a spreadsheet would run."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if suffix == ".tsv" else ",")
    for number, row in enumerate(rows, start=1):
        if number == 1:
            yield from _find_headers(row, where)
        for cell in row:
            if _LIVE.match(cell) and cell.strip() and not _NUMBER.fullmatch(cell.strip()) and len(cell.strip()) > 1:
                yield found("refuse", f"{where} row {number}", cell, "formula")


def _find_headers(names: list[str], where: str) -> Found:
    for name in names:
        if str(name).strip().casefold() in PERSON_HEADERS:
            yield found("refuse", where, name, "person_column")


def _take_zip(part: Part) -> Found:
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
                    yield found("refuse", place, "<f>", "formula")
                if content:
                    yield Part(place, "bytes", content, PurePosixPath(member.filename).name)


def _take_tar(part: Part) -> Found:
    with tarfile.open(fileobj=io.BytesIO(part.content)) as archive:
        for member in archive.getmembers():
            yield Part(part.where, "text", f"{member.name}{BREAK}{member.uname}")
            if member.isfile() and (file := archive.extractfile(member)):
                yield Part(f"{part.where}/{member.name}", "bytes", file.read(), PurePosixPath(member.name).name)


def _unpacked(unpack: Callable[[bytes], bytes]) -> Callable[[Part], Found]:
    def take(part: Part) -> Found:
        try:
            content = unpack(part.content)
        except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
            raise ReleaseError(f"{part.name or part.where}: cannot be unpacked ({error}), so not scanned") from None
        yield Part(f"{part.where}: unpacked", "bytes", content, PurePosixPath(part.name).stem)

    return take


def _take_png(part: Part) -> Found:
    """Texts of a picture's description, and whatever was hung behind its end."""
    content, place = part.content, 8
    while place + 8 <= len(content):
        size, kind = struct.unpack(">I4s", content[place : place + 8])
        data = content[place + 8 : place + 8 + size]
        if kind == b"tEXt":
            yield Part(f"{part.where}: tEXt", "text", data.replace(b"\0", b": ").decode("latin-1"))
        elif kind in (b"iTXt", b"zTXt"):
            yield Part(f"{part.where}: {kind.decode()}", "text", _png_text(kind, data))
        elif kind == b"eXIf":
            yield Part(f"{part.where}: eXIf", "text", _strings(data))
        place += 12 + size
        if kind == b"IEND":
            break
    if place < len(content):
        yield Part(f"{part.where}: tail", "text", _strings(content[place:]))


def _png_text(kind: bytes, data: bytes) -> str:
    key, _, rest = data.partition(b"\0")
    if kind == b"zTXt":
        return f"{key.decode('latin-1')}: {_inflate(rest[1:]).decode('latin-1')}"
    packed, texts = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
    body = texts[-1]
    return f"{key.decode('latin-1')}: {(_inflate(body) if packed else body).decode('utf-8', 'replace')}"


def _inflate(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, LARGEST)
    except zlib.error:
        return b""


def _take_picture(part: Part) -> Found:
    """Readable texts of any other picture (JPEG, GIF, WebP, TIFF): its EXIF, XMP and comments among them."""
    yield Part(part.where, "text", _strings(part.content))


def _strings(data: bytes) -> str:
    found_ = [match[0].decode("utf-8", "ignore") for match in _PRINTABLE.finditer(data)]
    found_ += re.findall(r"[\x20-\x7e\u3400-\u9fff]{6,}", data.decode("utf-16-le", "ignore"))
    return BREAK.join(found_)


def _take_pdf(part: Part) -> Found:
    """The texts of a PDF: strings of its objects and pages, glyph numbers by the font's own table.

    Raises:
        ReleaseError: an encrypted file.
    """
    content = part.content
    if b"/Encrypt" in content:
        raise ReleaseError(f"{part.name or part.where}: an encrypted PDF cannot be scanned, so it cannot be released")
    streams = [content] + [
        _inflate(match[1]) or match[1] for match in re.finditer(rb"stream\r?\n(.*?)\r?\n?endstream", content, re.DOTALL)
    ]
    glyphs: dict[str, str] = {}
    for stream in streams[1:]:
        if b"beginbf" in stream:
            glyphs |= _glyphs(stream.decode("latin-1"))
    for number, stream in enumerate(streams):
        if number and (b"beginbf" in stream or stream[:4] in (b"\0\1\0\0", b"OTTO", b"true")):
            continue
        texts = list(_pdf_texts(stream, glyphs))
        if texts:
            yield Part(f"{part.where}: stream {number}", "text", BREAK.join(texts))


def _glyphs(table: str) -> dict[str, str]:
    """A font's table from glyph numbers to characters (ToUnicode)."""
    found_: dict[str, str] = {}
    for block in re.findall(r"beginbfchar(.*?)endbfchar", table, re.DOTALL):
        for code, text in re.findall(r"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            found_[code.upper()] = bytes.fromhex(text).decode("utf-16-be", "ignore")
    for block in re.findall(r"beginbfrange(.*?)endbfrange", table, re.DOTALL):
        for low, high, text in re.findall(r"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            for step in range(min(int(high, 16) - int(low, 16), 65535) + 1):
                code = f"{int(low, 16) + step:0{len(low)}X}"
                found_[code] = chr(min(int(text[-4:], 16) + step, 0x10FFFF))
    return found_


def _pdf_texts(stream: bytes, glyphs: dict[str, str]) -> Iterator[str]:
    for array in re.findall(
        rb"\[((?:[^\[\]]|\\.)*?)\]\s*TJ|((?:\((?:[^()\\]|\\.)*\)|<[0-9A-Fa-f\s]+>))", stream, re.DOTALL
    ):
        piece = array[0] or array[1]
        text = ""
        for plain, coded in re.findall(rb"\(((?:[^()\\]|\\.)*)\)|<([0-9A-Fa-f\s]+)>", piece, re.DOTALL):
            text += _pdf_string(plain) if plain else _pdf_codes(coded, glyphs)
        if text.strip():
            yield text


def _pdf_string(plain: bytes) -> str:
    data = re.sub(rb"\\([()\\])", rb"\1", plain)
    return data.decode("utf-16", "ignore") if data[:2] in (b"\xfe\xff", b"\xff\xfe") else data.decode("latin-1")


def _pdf_codes(coded: bytes, glyphs: dict[str, str]) -> str:
    text = re.sub(rb"\s", b"", coded).decode().upper()
    width = max((len(code) for code in glyphs), default=4)
    mapped = "".join(glyphs.get(text[i : i + width], "") for i in range(0, len(text), width))
    if mapped or not text:
        return mapped
    data = bytes.fromhex(text + "0" * (len(text) % 2))
    return data.decode("utf-16", "ignore") if data[:2] in (b"\xfe\xff", b"\xff\xfe") else data.decode("latin-1")


def _take_table(part: Part) -> Found:
    """Columns of a Parquet or Feather file, its description included."""
    import pyarrow as pa
    from pyarrow import feather, parquet

    read = parquet.read_table if part.content.startswith(b"PAR1") else feather.read_table
    try:
        table = read(io.BytesIO(part.content))
    except (pa.ArrowException, OSError) as error:
        raise ReleaseError(
            f"{part.name or part.where}: cannot be scanned as a table ({error}), so not released"
        ) from None
    yield from _find_headers(table.column_names, part.where)
    yield Part(f"{part.where}: description", "text", str(table.schema.metadata or ""))
    for name in table.column_names:
        values = table[name].unique().to_pylist()
        yield Part(f"{part.where}.{name}", "json", [v if isinstance(v, int | float | str) else str(v) for v in values])


def _take_workbook(part: Part) -> Found:
    """An old workbook (.xls), by its sheets."""
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(part.content))
        sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    except python_calamine.CalamineError as error:
        raise ReleaseError(
            f"{part.name or part.where}: cannot be scanned ({error}), so it cannot be released"
        ) from None
    for name, rows in sheets.items():
        yield from _find_headers([str(cell) for cell in (rows or [[]])[0]], f"{part.where}: {name}")
        values = [[v if isinstance(v, int | float | str) else str(v) for v in row] for row in rows]
        yield Part(f"{part.where}: {name}", "json", [name, *values])


_READERS: tuple[tuple[bytes, Callable[[Part], Found]], ...] = (
    (b"PK\x03\x04", _take_zip),
    (b"PK\x05\x06", _take_zip),
    (b"\x1f\x8b", _unpacked(gzip.decompress)),
    (b"BZh", _unpacked(bz2.decompress)),
    (b"\xfd7zXZ", _unpacked(lzma.decompress)),
    (b"\x89PNG", _take_png),
    (b"\xff\xd8\xff", _take_picture),
    (b"GIF8", _take_picture),
    (b"RIFF", _take_picture),
    (b"II*\0", _take_picture),
    (b"MM\0*", _take_picture),
    (b"%PDF", _take_pdf),
    (b"PAR1", _take_table),
    (b"ARROW1", _take_table),
    (b"\xd0\xcf\x11\xe0", _take_workbook),
)
