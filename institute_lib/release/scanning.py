"""Where personal data hide in a file: pages taken apart by element, notebooks and JSON by key."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from institute_lib.errors import ReleaseError
from institute_lib.release.figures import find_in_figure, find_in_json
from institute_lib.release.findings import Finding
from institute_lib.release.patterns import find_in_text

PAGES = (".html", ".htm", ".svg", ".xml")
DATA = (".json", ".ipynb")
TEXTS = (".txt", ".csv", ".tsv", ".md", ".toml", ".log")
INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "big", "cite", "code", "em", "font", "i", "ins", "kbd", "mark", "q", "s", "small", "span"}
    | {"strong", "sub", "sup", "tspan", "tt", "u", "wbr"}
)
GEOMETRY = frozenset({"d", "points", "transform", "viewbox"})
_PLOTLY = "application/vnd.plotly.v1+json"
_JSON_START = re.compile(r"[\[{]\s*[\[{\"]")


def scan(path: Path | str) -> list[Finding]:
    """Everything in a file that should not leave, gravest first, each thing once a place.

    Args:
        path: a page (.html, .svg), notebook (.ipynb), .json or text file.

    Raises:
        ReleaseError: no such file, or a kind that cannot be looked into.
    """
    path = Path(path)
    if not path.is_file():
        raise ReleaseError(f"{path.name}: there is no such file to scan")
    kind = path.suffix.lower()
    if kind not in (*PAGES, *DATA, *TEXTS):
        raise ReleaseError(f"{path.name}: a {kind or 'nameless'} file cannot be scanned, so it cannot be released")
    text = path.read_text(encoding="utf-8", errors="replace")
    return _once(_find(text, kind, path.name))


def _find(text: str, kind: str, name: str) -> Iterator[Finding]:
    if kind in PAGES:
        yield from _find_in_page(text, "page")
    elif kind in DATA:
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise ReleaseError(f"{name}: not readable as JSON ({error.msg}), so it cannot be released") from None
        yield from _find_in_notebook(content, "")
    else:
        yield from find_in_text(text, "text")


def _once(findings: Iterable[Finding]) -> list[Finding]:
    unique = dict.fromkeys(findings)
    return sorted(unique, key=lambda finding: finding.severity != "refuse")


class _Page(HTMLParser):
    """Takes a page apart into (place, text); text of neighbouring inline elements stays together."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.visible: list[str] = []
        self.parts: list[tuple[str, str]] = []
        self.scripts: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag if tag in ("script", "style") else ""
        if tag not in INLINE:
            self.visible.append("\n")
        for name, value in attrs:
            if value:
                # Coordinates stand side by side; numbers apart from each other are not read as one there.
                self.parts.append((f"{tag}@{name}", "\n".join(value.split()) if name in GEOMETRY else value))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        if tag not in INLINE:
            self.visible.append("\n")

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside == "style":
            self.parts.append(("style", data))
        else:
            self.visible.append(data)

    def handle_comment(self, data: str) -> None:
        self.parts.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        self.parts.append(("declaration", decl))

    def unknown_decl(self, data: str) -> None:
        self.parts.append(("declaration", data))


def _find_in_page(text: str, where: str) -> Iterator[Finding]:
    page = _Page()
    page.feed(text)
    page.close()
    yield from find_in_text("".join(page.visible), f"{where}: text")
    for place, part in page.parts:
        yield from find_in_text(part, f"{where}: {place}")
    for script in page.scripts:
        if not _is_plotly_itself(script):
            yield from find_in_text(script, f"{where}: script")
            yield from _find_in_script_data(script, f"{where}: script")


def _find_in_script_data(script: str, where: str) -> Iterator[Finding]:
    decoder = json.JSONDecoder()
    position = 0
    while match := _JSON_START.search(script, position):
        try:
            value, position = decoder.raw_decode(script, match.start())
        except json.JSONDecodeError:
            position = match.start() + 1
            continue
        yield from _find_in_notebook(value, where)
        yield from find_in_figure(value, where)


def _find_in_notebook(value: Any, where: str) -> Iterator[Finding]:
    """Walk JSON: pages inside it as pages, figures as figures, texts split over lists joined."""
    if isinstance(value, dict):
        if isinstance(value.get("data"), list) and "layout" in value:
            yield from find_in_figure(value, where)
        for key, part in value.items():
            place = f"{where}.{key}" if where else key
            if key == _PLOTLY:
                yield from find_in_figure(part, place)
            elif key in ("text/html", "image/svg+xml"):
                yield from _find_in_page(_joined(part), place)
            elif key.startswith("image/") and isinstance(part, str):
                continue
            else:
                yield from _find_in_notebook(part, place)
    elif isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        yield from find_in_text(_joined(value), where)
        yield from find_in_json(value, where)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _find_in_notebook(part, f"{where}[{index}]")
    else:
        yield from find_in_json(value, where)


def _joined(part: Any) -> str:
    return "".join(part) if isinstance(part, list) else str(part)


def _is_plotly_itself(script: str) -> bool:
    return len(script) > 1_000_000 and hashlib.sha256(script.strip().encode()).hexdigest() in _plotly_hashes()


@cache
def _plotly_hashes() -> frozenset[str]:
    spec = find_spec("plotly")
    bundle = Path(spec.origin).parent / "package_data" / "plotly.min.js" if spec and spec.origin else None
    if bundle is None or not bundle.is_file():
        return frozenset()
    return frozenset({hashlib.sha256(bundle.read_text(encoding="utf-8").strip().encode()).hexdigest()})
