"""Text files: which encoding they are in, strictly, how their fields are separated, and whether a text was misread."""

import codecs
import csv
import re
from collections.abc import Iterator

from institute_lib.registers import vocabulary
from institute_lib.registers.refusal import Refused
from institute_lib.registers.workbook import MAX_CELLS

DELIMITERS = ",\t;|，；、"  # full-width ones are what a Chinese keyboard gives
_HEAD, _LONGEST_LINE = 30, 5_000  # lines that may hold the header, characters of one
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CJK = re.compile(r"[\u3400-\u9fff]")
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
# What a decoding gone wrong looks like: (encoding it was read in, encoding it is in).
_MISREADINGS = (
    ("latin-1", "gb18030"),
    ("cp1252", "gb18030"),
    ("latin-1", "utf-8"),
    ("cp1252", "utf-8"),
    ("gb18030", "utf-8"),
    ("gb18030", "big5"),
)
_LOST = ("\ufffd", "锟斤拷")  # characters lost on saving, and how they look when that is read as GBK


def read_rows(content: bytes) -> tuple[list[list[str]], str]:
    """A text file's fields, row by row, and the encoding it is in: of two that are possible (GB 18030, Big5) the one in
    which there is a register's header.

    Raises:
        Refused: no encoding fits, characters were lost, quotation marks do not close, or there are too many fields.
    """
    text, encoding = decode(content)
    if any(mark in text for mark in _LOST):
        raise Refused("replacement_character")
    delimiter = max(DELIMITERS, key=lambda mark: (_headers(text, mark), sum(line.count(mark) for line in _head(text))))
    if text.count(delimiter) + text.count("\n") > MAX_CELLS:
        raise Refused("too_large")
    other = {",": "，", "，": ","}.get(delimiter)
    reader = csv.reader(_lines(text, delimiter, other), delimiter=delimiter, strict=True)
    try:
        return list(reader), encoding
    except csv.Error:
        raise Refused("csv_form", row=reader.line_num) from None


def _head(text: str) -> list[str]:
    return [line[:_LONGEST_LINE] for line in text[:100_000].splitlines()[:_HEAD]]


def _headers(text: str, delimiter: str) -> int:
    """How many declared headers the best of the first lines has."""
    lines = (line.split(delimiter) for line in _head(text) if delimiter in line)
    return max((sum(vocabulary.is_header(cell.strip('"')) for cell in line) for line in lines), default=0)


def _lines(text: str, delimiter: str, other: str | None) -> Iterator[str]:
    """The lines; one whose commas are all of the other width is separated by them."""
    for match in _LINE.finditer(text):
        line = match[0]
        is_other = other is not None and delimiter not in line and '"' not in line and line.count(other) > 1
        yield line.replace(other, delimiter) if is_other else line


def decode(content: bytes) -> tuple[str, str]:
    """A text file's text and its encoding: UTF-8, UTF-16 or UTF-32 (with or without a byte order mark), GB 18030,
    Big5.

    Raises:
        Refused: no encoding fits, the last character is cut off, or two encodings stand in one file.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _strict(content, encoding), encoding
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            raise Refused("cut_off") from None
    if wide := _unmarked_utf16(content):
        return _strict(content, wide), wide
    traditional = content.decode("cp950", "replace")
    if "\ufffd" not in traditional and _any_headers(traditional) > _any_headers(content.decode("gb18030", "replace")):
        return traditional, "big5"
    text = _strict(content, "gb18030")
    for number, line in enumerate(re.split(rb"\r\n?|\n", content), start=1):
        if not line.isascii() and _is_utf8_chinese(line):
            raise Refused("two_encodings", row=number)
    return text, "gb18030"


def _any_headers(text: str) -> int:
    return max(_headers(text, delimiter) for delimiter in DELIMITERS)


def _unmarked_utf16(content: bytes) -> str | None:
    """UTF-16 without its mark: the separators and digits of a register put zeros in every other place."""
    even, odd = content[::2].count(0), content[1::2].count(0)
    if even + odd <= len(content) // 20 or min(even, odd) * 10 > even + odd:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _strict(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        rule = "cut_off" if error.end >= len(content) else "two_encodings"
        row = len(re.findall(rb"\r\n?|\n", content[: error.start])) + 1
        raise Refused(rule, row=row) from None


def _is_utf8_chinese(line: bytes) -> bool:
    try:
        return len(_CJK.findall(line.decode("utf-8"))) >= 3
    except UnicodeDecodeError:
        return False


def looks_misdecoded(headers: list[str], table: str) -> bool:
    """Whether the headers become declared ones once their wrong decoding is undone."""
    for wrong, right in _MISREADINGS:
        mended = (_mend(header, wrong, right) for header in headers)
        if sum(bool(text) and vocabulary.column_of(table, text) is not None for text in mended) >= 2:
            return True
    return False


def is_mojibake(text: str) -> bool:
    """Whether a cell's text was misread: lost characters, or Chinese once its wrong decoding is undone.

    Three recovered characters leave nothing to doubt; two would be found by chance in every few ten thousand names.
    """
    if any(mark in text for mark in _LOST):
        return True
    western = sum("\x80" <= letter <= "\xff" for letter in text)
    if western < 6 and not (len(text) > 3 and _CJK.search(text)):
        return False
    pairs = _MISREADINGS[:4] if western >= 6 else _MISREADINGS[4:5]
    mended = (_mend(text, wrong, right) for wrong, right in pairs)
    return any(found is not None and found != text and len(_CJK.findall(found)) >= 3 for found in mended)


def _mend(text: str, wrong: str, right: str) -> str | None:
    """The text decoded anew; a last character that the wrong decoding had cut off stays away."""
    try:
        return codecs.getincrementaldecoder(right)().decode(text.encode(wrong).rstrip(b"?"))
    except UnicodeError:
        return None
