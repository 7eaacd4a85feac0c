"""HTML, SVG and XML taken apart: what is seen, attributes, comments, styles, scripts."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from institute_lib.release.disguises import BREAK, undisguise
from institute_lib.release.findings import found
from institute_lib.release.parts import Found, Part

# Text of neighbouring inline elements stays together; cells and labels of a drawing do not belong together.
INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "em", "font", "i", "ins", "kbd", "mark", "q", "s", "small"}
    | {"span", "strong", "sub", "sup", "tspan", "tt", "u", "wbr", "r", "t", "w:r", "w:t", "a:r", "a:t", "text:span"}
)
APART = frozenset({"td", "tr", "table", "option", "li", "text", "c", "v", "row", "cell", "svg", "rect", "path"})
GEOMETRY = frozenset({"d", "points", "transform", "viewbox"})
LONGEST_SCRIPT = 2_000_000  # beyond this a script is a library, not data written by hand
_DATA_URI = re.compile(r"data:([\w.+/\-]*)((?:;[\w=.\-]+)*?)(;base64)?,([^\"'\s<>)]*)", re.IGNORECASE)
_JSON_START = re.compile(r"[\[{](?=\s*(?:[\[{]|\"[^\"\\\n]{0,200}\"\s*[:,\]]))")
_PARSED = re.compile(r"JSON\.parse\(\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|`((?:[^`\\]|\\.)*)`)", re.DOTALL)
_BARE_KEY = re.compile(r"([{,]\s*)([A-Za-z_$][\w$]*)\s*:")
_TRAILING = re.compile(r",\s*([\]}])")


class _Page(HTMLParser):
    """Takes a page apart into what is seen and everything else as (place, kind, content)."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.visible: list[str] = []
        self.parts: list[tuple[str, str, str]] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag if tag in ("script", "style") else ""
        self._part_from_the_last(tag)
        for name, value in attrs:
            place = f"{tag}@{name}"
            if any(letter.isdigit() for letter in name):
                self.parts.append((place, "text", name))
            if value:
                self.parts.append((place, *_attribute(name, value)))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        self._part_from_the_last(tag)

    def _part_from_the_last(self, tag: str) -> None:
        if tag not in INLINE:
            self.visible.append(BREAK if tag in APART else "\n")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.parts.append((self._inside, "css" if self._inside == "style" else "script", data))
        else:
            self.visible.append(data)

    def handle_comment(self, data: str) -> None:
        self.parts.append(("comment", "page" if "<" in data else "text", data))

    def handle_decl(self, decl: str) -> None:
        self.parts.append(("declaration", "text", decl))

    def handle_pi(self, data: str) -> None:
        self.parts.append(("instruction", "text", data))

    def unknown_decl(self, data: str) -> None:
        if data.startswith("CDATA["):
            self.visible.append(data.removeprefix("CDATA["))
        self.parts.append(("declaration", "text", data.removeprefix("CDATA[")))


def _attribute(name: str, value: str) -> tuple[str, str]:
    if name in GEOMETRY:  # coordinates stand side by side; they are not read as one number
        return "text", BREAK.join(value.split())
    if name == "srcdoc" or ("<" in value and ">" in value):
        return "page", value
    if name == "style":
        return "css", value
    if name.startswith("on") or value.lower().startswith("javascript:"):
        return "script", value
    return "text", value


def take_page(part: Part) -> Found:
    """The parts of a page."""
    page = _Page()
    page.feed(part.content)
    page.close()
    seen = re.sub(rf"[ \t\r\n]*{BREAK}[\s]*", BREAK, "".join(page.visible))
    yield Part(f"{part.where}: text", "text", re.sub(r"[ \t\r]*\n[ \t\r\n]*", "\n", seen))
    for place, kind, content in page.parts:
        yield Part(f"{part.where}: {place}", kind, content)


def take_data_uris(text: str, where: str) -> Iterator[Part]:
    """Files that stand in a text as data: addresses."""
    if "data:" not in text:
        return
    for match in _DATA_URI.finditer(text):
        content = unquote_to_bytes(match[4])
        if match[3]:
            try:
                content = base64.b64decode(content + b"=" * (-len(content) % 4))
            except binascii.Error:  # broken: nothing that a browser would show
                continue
        if content:
            kind = match[1].lower()
            name = ".html" if "html" in kind else ".svg" if "xml" in kind else ".js" if "script" in kind else ""
            yield Part(f"{where}: data", "bytes", content, f"data{name}")


def take_script(part: Part) -> Found:
    """A script as text and every piece of JSON in it; the plotly library itself is known by its hash."""
    script = part.content
    if is_plotly_itself(script):
        return
    values, rest = _values(script)
    yield Part(part.where, "text", rest)
    for match in _PARSED.finditer(script):
        quoted = match[1] or match[2] or match[3] or ""
        values += _values(undisguise(quoted.replace("\\\\", "\\").replace('\\"', '"')))[0]
    if not values and len(script) < LONGEST_SCRIPT and ("type" in script or "bdata" in script):
        values += _values(_TRAILING.sub(r"\1", _BARE_KEY.sub(r'\1"\2":', script.replace("'", '"'))))[0]
    for value in values:
        yield Part(part.where, "json", value)


def _values(script: str) -> tuple[list[Any], str]:
    """The JSON values in a script, and the script without them: what is walked as JSON need not be read as text."""
    decoder, position, last = json.JSONDecoder(), 0, 0
    values, rest = [], []
    while match := _JSON_START.search(script, position):
        try:
            value, position = decoder.raw_decode(script, match.start())
        except (json.JSONDecodeError, RecursionError):
            position = match.start() + 1
            continue
        values.append(value)
        rest.append(script[last : match.start()])
        last = position
    return values, BREAK.join([*rest, script[last:]])


def is_plotly_itself(script: str) -> bool:
    return len(script) > 1_000_000 and hashlib.sha256(script.strip().encode()).hexdigest() in _plotly_hashes()


@cache
def _plotly_hashes() -> frozenset[str]:
    spec = find_spec("plotly")
    bundle = Path(spec.origin).parent / "package_data" / "plotly.min.js" if spec and spec.origin else None
    if bundle is None or not bundle.is_file():
        return frozenset()
    return frozenset({hashlib.sha256(bundle.read_text(encoding="utf-8").strip().encode()).hexdigest()})


def take_css(part: Part) -> Found:
    """A style sheet: its texts are read with the escapes of style sheets."""
    yield from take_data_uris(part.content, part.where)
    if "expression(" in part.content or "@import" in part.content:
        yield found("warn", part.where, "@import", "style_calls")
