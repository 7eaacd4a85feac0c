"""HTML, SVG and XML taken apart: what is seen, tables, attributes, comments, styles, scripts."""

import base64
import binascii
import html
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import unquote_to_bytes

from institute_lib.release.disguises import BREAK, undisguise
from institute_lib.release.findings import Finding, Found, Part

# Text of neighbouring inline elements stays together; cells and labels of a drawing do not belong together.
INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "em", "font", "i", "ins", "kbd", "mark", "q", "s", "small"}
    | {"span", "strong", "sub", "sup", "tspan", "tt", "u", "wbr", "r", "t", "w:r", "w:t", "a:r", "a:t", "text:span"}
    | {"ruby", "rt", "rp", "rb", "w:rpr", "w:rfonts", "w:b", "w:prooferr"}
)
CELLS = frozenset({"td", "th", "tr", "table", "option", "li", "text", "c", "v", "row", "cell", "svg", "rect", "path"})
CELLS |= {"w:tc", "w:tr", "w:tbl", "si", "dt", "dd"}
TABLE, ROW, CELL = frozenset({"table", "w:tbl"}), frozenset({"tr", "w:tr"}), frozenset({"td", "th", "w:tc"})
RAW = {"script": "script", "style": "css"}
READING = frozenset({"rt", "rp"})  # how a character is read, above it
GEOMETRY = frozenset({"d", "points", "transform", "viewbox"})  # coordinates of a drawing
LONGEST_SCRIPT = 2_000_000  # beyond this a script is a library, not data written by hand
_DATA_URI = re.compile(r"data:([\w.+/\-]*)((?:;[\w=.\-]+)*?)(;base64)?,([^\"'\s<>)\0]*)", re.IGNORECASE)
_LONG = re.compile(r"\d{11}")
_JSON_START = re.compile(r"[\[{](?=\s*(?:[\[{]|\"[^\"\\\n]{0,200}\"\s*[:,\]]))")
_PARSED = re.compile(r"JSON\.parse\(\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|`((?:[^`\\]|\\.)*)`)", re.DOTALL)
_BARE_KEY = re.compile(r"([{,]\s*)([A-Za-z_$][\w$]*)\s*:")
_TRAILING = re.compile(r",\s*([\]}])")


# What is no part of it is text. A script or a style ends at its own end tag alone.
_MARKUP = re.compile(
    r"<(?:(/?[A-Za-z][^\s/>]*)((?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+)>|!--(.*?)-->|!\[CDATA\[(.*?)\]\]>|([!?][^>]*)>)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([^\s=/>\"']+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+)))?")


class _Page:
    """A page taken apart into what is seen, its tables, and everything else as (place, kind, content)."""

    def __init__(self, page: str) -> None:
        self.visible: list[str] = []
        self.base: list[str] = []  # the same without what stands above characters
        self.parts: list[tuple[str, str, Any]] = []
        self._reading = False
        self._tables: list[list[list[str]]] = []
        self._known: dict[str, None] = {}
        last, scan = 0, _MARKUP.scanner(page)
        while match := scan.search():
            self._see(html.unescape(page[last : match.start()]))
            last = match.end()
            tag, rest, comment, cdata, other = match.groups()
            if tag and tag.lower() in RAW:
                self._take_attributes(tag.lower(), rest)
                end = _end_of(page, tag, last)
                self.parts.append((tag.lower(), RAW[tag.lower()], page[last:end]))
                last, scan = end, _MARKUP.scanner(page, end)
            elif tag:
                self._take_tag(tag.lower(), rest)
            elif cdata:
                self._see(cdata)
            elif comment:
                self.parts.append(("comment", "page" if "<" in comment else "text", comment))
            elif other:
                self.parts.append(("declaration", "text", other))
        self._see(html.unescape(page[last:]))

    def _take_tag(self, tag: str, rest: str) -> None:
        name = tag.lstrip("/")
        self._reading = name in READING and tag == name
        if name not in INLINE:
            self._see(BREAK if name in CELLS else "\n", is_text=False)
        if tag != name:
            if name in TABLE and self._tables:
                self.parts.append((name, "table", self._tables.pop()))
            return
        if name in TABLE:
            self._tables.append([])
        elif self._tables and name in ROW:
            self._tables[-1].append([])
        elif self._tables and self._tables[-1] and name in CELL:
            self._tables[-1][-1].append("")
        self._take_attributes(name, rest)

    def _take_attributes(self, tag: str, rest: str) -> None:
        if not rest.strip("/ ") or rest in self._known:  # most tags of a page are alike
            return
        self._known[rest] = None
        for name, double, single, bare in _ATTRIBUTE.findall(rest):
            value = double or single or bare
            if len(name) > 10 and not name.isalpha():
                self.parts.append((f"{tag}@{name}", "text", name))
            if len(value) > 1 and (name not in GEOMETRY or _LONG.search(value)):
                self.parts.append((f"{tag}@{name.lower()}", *_attribute(name.lower(), html.unescape(value))))

    def _see(self, text: str, *, is_text: bool = True) -> None:
        if not text:
            return
        self.visible.append(text)
        if not self._reading:
            self.base.append(text)
        if is_text and self._tables and self._tables[-1] and self._tables[-1][-1]:
            self._tables[-1][-1][-1] += text


def _end_of(page: str, tag: str, start: int) -> int:
    """Where a script or a style ends: before its own end tag, or with the page."""
    at = page.find("</", start)
    while at >= 0 and page[at + 2 : at + 2 + len(tag)].lower() != tag.lower():
        at = page.find("</", at + 2)
    return at if at >= 0 else len(page)


def _attribute(name: str, value: str) -> tuple[str, str]:
    if name == "srcdoc" or ("<" in value and ">" in value):
        return "page", value
    if name == "style":
        return "css", value
    if name.startswith("on") or value.lower().startswith("javascript:"):
        return "script", value
    return "text", value


def take_page(part: Part) -> Found:
    """The parts of a page."""
    page = _Page(part.content)
    for seen in [page.visible] if len(page.base) == len(page.visible) else [page.visible, page.base]:
        text = re.sub(rf"(?<![ \t\r\n])[ \t\r\n]*{BREAK}\s*", BREAK, "".join(seen))
        yield Part(f"{part.where}: text", "text", re.sub(r"(?<![ \t\r])[ \t\r]*\n[ \t\r\n]*", "\n", text))
    for place, kind, content in page.parts:
        if kind == "css" and ("expression(" in content or "@import" in content):
            yield Finding.masked("warn", f"{part.where}: {place}", "@import", "style_calls")
        yield Part(f"{part.where}: {place}", kind, content)


def without_data(text: str) -> str:
    """The text without the content of data: addresses, which is looked into as files."""
    return _DATA_URI.sub(lambda match: f"data:{match[1]}", text) if "data:" in text else text


def data_addresses(text: str, where: str) -> Iterator[Part]:
    """Files that stand in a text as data: addresses."""
    for match in _DATA_URI.finditer(text) if "data:" in text else ():
        content = unquote_to_bytes(match[4])
        if match[3]:
            try:
                content = base64.b64decode(content + b"=" * (-len(content) % 4))
            except binascii.Error:  # broken: nothing that a browser would show
                continue
        if content:
            kind = match[1].lower()
            names = {"html": ".html", "xml": ".svg", "script": ".js", "csv": ".csv", "tab-sep": ".tsv"}
            name = next((ending for word, ending in names.items() if word in kind), "")
            yield Part(f"{where}: data", "bytes", content, f"data{name}")


def take_script(part: Part) -> Found:
    """A script as text and every piece of JSON in it; the plotly library itself is known."""
    script = part.content
    if len(script) > LONGEST_SCRIPT and script.strip() == _plotly():
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


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs().strip()
