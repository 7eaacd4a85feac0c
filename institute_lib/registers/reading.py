"""From a file to sheets of raw cells: what kind of file it is (by its content, never by its name), what is in it."""

import hashlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO, Any, ClassVar

from institute_lib.errors import closest
from institute_lib.registers import decoding, workbook
from institute_lib.registers.refusal import Refused

MAX_WORKBOOK, MAX_TEXT = 100_000_000, 50_000_000
# Seconds by the clock. Where its own limit (of processor time) can be set, the reading process stops by itself first,
# however busy the computer is.
PATIENCE = 9.0 if os.name == "nt" else 60.0
_ZIP, _OLE = b"PK\x03\x04", bytes.fromhex("d0cf11e0a1b11ae1")
_OTHERS = {
    b"%PDF": "PDF",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"Rar!": "RAR",
    b"7z\xbc\xaf": "7z",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"PK\x05\x06": "zip",
    b"SQLite format": "SQLite",
    b"PAR1": "Parquet",
    b"{\\rtf": "RTF",
}
_REMARKS = {"hidden_sheet": "hidden", "old_unchecked": "unchecked"}
_BLANK = b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"


@dataclass(frozen=True)
class Sheet:
    """Raw cells: `rows[i]` stands in row i + 1 of the file.

    Attributes:
        unstored, errors: cells (row, column, from 1) whose formula has no stored value, or an error as its value; both
            read as blanks.
        merged: ranges of one column, ((first row, column), (last row, column)) from 0, that share their first value.
        hidden_rows, hidden_columns, struck_rows: from 1.
        formats: number formats that show more than the number, with the cells (row, column, from 1) that have them.
        comments: (row, column, text), from 1.
        ragged: whether rows may have another number of fields than the header, as in a text file.
        whole: whether a text file ends with the end of a line, so that its last row is not cut off.
        remarks: (rule, detail) to be reported of the file.
    """

    file: str
    sha256: str
    encoding: str
    name: str | None
    rows: list[list[Any]]
    epoch_1904: bool = False
    ragged: bool = False
    whole: bool = True
    unstored: tuple[tuple[int, int], ...] = ()
    errors: tuple[tuple[int, int], ...] = ()
    merged: tuple[tuple[tuple[int, int], tuple[int, int]], ...] = ()
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()
    struck_rows: frozenset[int] = frozenset()
    formats: dict[str, frozenset[tuple[int, int]]] = field(default_factory=dict)
    comments: tuple[tuple[int, int, str], ...] = ()
    remarks: tuple[tuple[str, str], ...] = ()


def read_sheets(path: Path, label: str | None = None) -> list[Sheet]:
    """Every visible sheet of a file, under the name that people are shown (`label`; else the file's own).

    Raises:
        Refused: empty, encrypted, renamed, damaged, oversized, or in no encoding that we can be sure of.
    """
    path = Path(path)
    if path.name.startswith("~$"):
        raise Refused("lock_file")
    try:
        if path.is_dir():
            raise Refused("folder")
        if not path.is_file():
            raise Refused("no_file", detail=_nearest(path))
        with path.open("rb", buffering=0) as file:
            return _read(path, file, label or path.name)
    except PermissionError:
        raise Refused("locked") from None
    except OSError:
        raise Refused("no_file") from None


def _nearest(path: Path) -> str:
    """A file beside it that was probably meant."""
    names = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    close = closest(path.name, [name for name in names if not name.startswith(("~$", "."))])
    return close or ""


def _read(path: Path, file: IO[bytes], label: str) -> list[Sheet]:
    size, head = path.stat().st_size, file.read(4_096)
    file.seek(0)
    is_workbook = head.startswith((_ZIP, _OLE))
    if size > (MAX_WORKBOOK if is_workbook else MAX_TEXT):
        raise Refused("too_large")
    if is_workbook:
        return _read_workbook(file, label, "xlsx" if head.startswith(_ZIP) else "xls")
    content = file.read()
    if not content.strip(_BLANK):
        raise Refused("empty_file")
    _refuse_other_formats(head, path.suffix.lower())
    rows, encoding = decoding.read_rows(content)
    is_whole = content.rstrip(b"\x00")[-1:] in (b"\n", b"\r")
    return [Sheet(label, hashlib.sha256(content).hexdigest(), encoding, None, rows, ragged=True, whole=is_whole)]


def _refuse_other_formats(head: bytes, suffix: str) -> None:
    kind = next((kind for magic, kind in _OTHERS.items() if head.startswith(magic)), None)
    if kind:
        raise Refused("other_format", detail=kind)
    if head.lstrip(_BLANK).startswith((b"<", b"MIME-Version:")):
        raise Refused("markup")
    if suffix in (".xlsx", ".xls", ".xlsm", ".xlsb"):
        raise Refused("renamed")


def _read_workbook(file: IO[bytes], label: str, encoding: str) -> list[Sheet]:
    """The sheets that the reading process sends; if it ends before it said so, the workbook was too heavy for it."""
    found: list[dict[str, Any]] = []
    for kind, content in _messages(file):
        if kind == workbook.REFUSED:
            raise Refused(**content)
        if kind == workbook.SHEET:
            found.append(content | {"rows": []})
        elif kind == workbook.ROWS:
            found[-1]["rows"] += content
        else:
            return [_sheet(part, file=label, sha256=content, encoding=encoding) for part in found]
    raise Refused("too_heavy")


def _messages(file: IO[bytes]) -> Iterator[tuple[str, Any]]:
    command = [sys.executable, "-P", workbook.__file__]
    with subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        clock = threading.Timer(PATIENCE, process.kill)
        clock.start()
        try:
            while True:
                yield _Messages(process.stdout).load()
        except (EOFError, pickle.UnpicklingError):
            return
        finally:
            clock.cancel()
            process.kill()


class _Messages(pickle.Unpickler):
    """Plain values, days and times; whatever else a message might hold is not made."""

    made: ClassVar = {("datetime", kind.__name__): kind for kind in (date, datetime, time, timedelta)}

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.made[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name}") from None


def _sheet(found: dict[str, Any], **of_the_file: str) -> Sheet:
    return Sheet(
        **of_the_file,
        name=found["name"],
        rows=found["rows"],
        epoch_1904=found.get("epoch_1904", False),
        unstored=tuple(sorted(found.get("unstored", ()))),
        errors=tuple(sorted(found.get("errors", ()))),
        merged=tuple(found.get("merged", ())),
        hidden_rows=frozenset(found.get("hidden_rows", ())),
        hidden_columns=frozenset(found.get("hidden_columns", ())),
        struck_rows=frozenset(found.get("struck_rows", ())),
        formats=found.get("formats", {}),
        comments=tuple(found.get("comments", ())),
        remarks=tuple((rule, found["name"]) for rule, key in _REMARKS.items() if found.get(key)),
    )
