"""The scan: a file is taken apart until only texts, tables and charts are left, and those are judged.

It is for careless authors, not for malicious ones: what only a program would undo (a QR code, a cipher, a picture of a
text) is beyond it.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from institute_lib.errors import ReleaseError
from institute_lib.release import containers, disguises, documents, pages
from institute_lib.release.findings import Finding, Found, Part
from institute_lib.release.names import find_names
from institute_lib.release.patterns import find_in_text
from institute_lib.release.rows import find_in_table, find_in_trace

DEEPEST = 10  # a file in a page in a file …
KINDS = (
    *(".html", ".htm", ".xhtml", ".svg", ".xml", ".json", ".ipynb", ".txt", ".csv", ".tsv", ".md", ".toml", ".log"),
    *(".css", ".js", ".xlsx", ".docx", ".pptx", ".ods", ".odt", ".zip", ".gz", ".yaml", ".yml", ".geojson", ".jsonl"),
    *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".py", ".r", ".sql", ".ini", ".cfg", ".eml"),
)


def scan(path: Path | str) -> list[Finding]:
    """Everything in a file or folder that should not leave, gravest first, each thing once a place.

    Args:
        path: a page, picture, notebook, table, workbook, document, archive or text; of a folder every file in it. The
            names of files and folders are looked into too.

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


def _scan_file(path: Path, place: str) -> list[Finding]:
    if path.suffix.lower() not in KINDS:
        raise ReleaseError(
            f"{path.name}: a {path.suffix or 'nameless'} file cannot be scanned, so it cannot be released; "
            f"allowed: {' '.join(KINDS)}"
        )
    name = Part(place or "name", "text", place or path.name)
    return _judge([name, Part(place or _kind_of(path), "bytes", path.read_bytes(), path.name)])


def _kind_of(path: Path) -> str:
    return "page" if path.suffix.lower() in (".html", ".htm") else path.suffix.lower().lstrip(".")


@dataclass
class _Texts:
    """All texts of a file, each once, which are judged together: a page has thousands, most of them the same."""

    places: dict[str, str] = field(default_factory=dict)

    def add(self, text: str, where: str) -> None:
        if len(text) > 1:
            self.places.setdefault(pages.without_data(text).replace(disguises.APART, " "), where)

    def findings(self, *, css: bool) -> Iterator[Finding]:
        wheres = list(self.places.values())
        for reading in disguises.views(disguises.APART.join(self.places), css=css):
            starts = disguises.Starts(reading)
            for find in (find_in_text, find_names):
                for at, severity, value, rule in find(reading):
                    yield Finding.masked(severity, wheres[starts.part(at)], value, rule)


def _judge(waiting: list[Part]) -> list[Finding]:
    """Take parts apart until findings are left."""
    found: list[Finding] = []
    texts = {"text": _Texts(), "css": _Texts()}
    inside: list[Part] = []
    seen: set[bytes] = set()
    depths = [0] * len(waiting)
    while waiting or any(one.places for one in texts.values()):
        if not waiting:  # everything is in texts: judge them, and take apart what stands in them encoded
            for kind, collected in texts.items():
                found += collected.findings(css=kind == "css")
            for text, where in [pair for one in texts.values() for pair in one.places.items()]:
                inside += _encoded(text, where)
            for one in inside:
                if one.content not in seen:
                    seen.add(one.content)
                    waiting.append(one)
                    depths.append(1)
            inside = []
            texts = {"text": _Texts(), "css": _Texts()}
            continue
        part, depth = waiting.pop(), depths.pop()
        if depth > DEEPEST:
            raise ReleaseError(f"{part.where}: files within files, {DEEPEST} deep, cannot be scanned; unpack them")
        if part.kind in texts:
            texts[part.kind].add(part.content, part.where)
            inside += pages.data_addresses(part.content, part.where)
            continue
        for one in _TAKE[part.kind](part):
            if isinstance(one, Finding):
                found.append(one)
            else:
                waiting.append(one)
                depths.append(depth + 1)
    return found


def _encoded(text: str, where: str) -> Iterator[Part]:
    for content in disguises.encoded(text):
        yield Part(f"{where}: base64", "bytes", content)


def _take_base64(part: Part) -> Found:
    """A file that a notebook keeps as text."""
    try:
        yield Part(part.where, "bytes", base64.b64decode(part.content, validate=False))
    except (binascii.Error, ValueError):  # not encoded after all
        yield Part(part.where, "text", part.content)


_TAKE: dict[str, Callable[[Part], Found]] = {
    "script": pages.take_script,
    "page": pages.take_page,
    "json": documents.take_json,
    "bytes": containers.take_bytes,
    "base64": _take_base64,
    "table": lambda part: find_in_table(part.content, part.where),
    "trace": lambda part: find_in_trace(part.content, part.where),
}


def _once(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(dict.fromkeys(findings), key=lambda finding: finding.severity != "refuse")
