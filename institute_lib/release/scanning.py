"""The scan: every file is taken apart until only plain text and numbers are left, and those are judged."""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from institute_lib.errors import ReleaseError
from institute_lib.release.containers import take_bytes
from institute_lib.release.disguises import encoded, views
from institute_lib.release.documents import take_json
from institute_lib.release.findings import Finding
from institute_lib.release.names import find_names
from institute_lib.release.pages import take_css, take_data_uris, take_page, take_script
from institute_lib.release.parts import Found, Part
from institute_lib.release.patterns import find_in_text

DEEPEST = 10  # a file in a page in a file …
KINDS = (
    *(".html", ".htm", ".xhtml", ".svg", ".xml", ".mht", ".json", ".ipynb", ".txt", ".csv", ".tsv", ".md", ".toml"),
    *(".log", ".css", ".js", ".xlsx", ".xls", ".docx", ".pptx", ".ods", ".zip", ".gz", ".bz2", ".xz", ".tar", ".pdf"),
    *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".parquet", ".feather", ".yaml", ".yml", ".geojson"),
    *(".jsonl", ".ndjson", ".ini", ".cfg", ".rst", ".tex", ".py", ".r", ".sql", ".mjs", ".rtf", ".eml"),
)


def scan(path: Path | str) -> list[Finding]:
    """Everything in a file or folder that should not leave, gravest first, each thing once a place.

    Args:
        path: a page, picture, notebook, table, workbook, archive, PDF or text; of a folder every file in it. The names
            of files and folders are looked into too.

    Raises:
        ReleaseError: no such file, or a kind that cannot be looked into.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return _once(finding for file in files for finding in _scan_file(file, str(file.relative_to(path))))
    if not path.is_file():
        raise ReleaseError(f"{path.name}: there is no such file to scan")
    return _once(_scan_file(path, ""))


def _scan_file(path: Path, place: str) -> Iterator[Finding]:
    if path.suffix.lower() not in KINDS:
        raise ReleaseError(
            f"{path.name}: a {path.suffix or 'nameless'} file cannot be scanned, so it cannot be released; "
            f"allowed: {' '.join(KINDS)}"
        )
    yield from _work_off(Part(place or "name", "text", place or path.name))
    yield from _work_off(Part(place or _kind_of(path), "bytes", path.read_bytes(), path.name))


def scan_text(text: str, name: str) -> list[Finding]:
    """What `scan` would find in a file of this name and content."""
    return _once(_work_off(Part("page", "bytes", text.encode(), name)))


def _kind_of(path: Path) -> str:
    return "page" if path.suffix.lower() in (".html", ".htm") else path.suffix.lower().lstrip(".")


def _work_off(first: Part) -> Iterator[Finding]:
    """Take parts apart until findings are left."""
    waiting = [(first, 0)]
    while waiting:
        part, depth = waiting.pop()
        if depth > DEEPEST:
            raise ReleaseError(f"{part.where}: files within files, {DEEPEST} deep, cannot be scanned; unpack them")
        for one in _TAKE[part.kind](part):
            if isinstance(one, Finding):
                yield one
            else:
                waiting.append((one, depth + 1))


def _take_text(part: Part) -> Found:
    """Plain text: judged in every reading, and what stands in it encoded is taken apart in turn."""
    text = part.content
    if not text:
        return
    for reading in views(text, css=part.kind == "css"):
        yield from find_in_text(reading, part.where)
        yield from find_names(reading, part.where)
    yield from take_data_uris(text, part.where)
    for content in encoded(text):
        yield Part(f"{part.where}: base64", "bytes", content)


def _take_css(part: Part) -> Found:
    yield from take_css(part)
    yield from _take_text(part)


def _take_base64(part: Part) -> Found:
    """A file that a notebook keeps as text."""
    try:
        yield Part(part.where, "bytes", base64.b64decode(part.content, validate=False))
    except (binascii.Error, ValueError):  # not encoded after all
        yield Part(part.where, "text", part.content)


_TAKE: dict[str, Callable[[Part], Found]] = {
    "text": _take_text,
    "css": _take_css,
    "script": take_script,
    "page": take_page,
    "json": take_json,
    "bytes": take_bytes,
    "base64": _take_base64,
}


def _once(findings: Iterable[Finding]) -> list[Finding]:
    unique = dict.fromkeys(findings)
    return sorted(unique, key=lambda finding: finding.severity != "refuse")
