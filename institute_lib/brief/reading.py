"""Reading an executed notebook for its brief: what carries a type of ours, and the prose. Nothing else survives."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from institute_lib.brief.blocks import METHODS, OPENING, PREFIX, SOURCES
from institute_lib.charts import CHART_MIME
from institute_lib.disclosure.types import TABLE_MIME
from institute_lib.errors import RunError

DIVIDER = re.compile(r"^\s*<!--\s*en\s*-->\s*$", re.MULTILINE)
CHINESE = re.compile(r"[\u3400-\u9fff]")
HEADING = re.compile(r"<(/?)h([1-6])>")
HIDDEN_TAGS = {"lab", "parameters"}
FOLD_TAGS = {"methods", "limits"}
PROSE_TAGS = {
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "li",
    "strong",
    "em",
    "b",
    "i",
    "code",
    "pre",
    "blockquote",
    "br",
    "hr",
    "sub",
    "sup",
    "a",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "dl",
    "dt",
    "dd",
    "del",
}
PROSE_ATTRIBUTES = {"a": {"href"}, "th": {"scope"}, "ol": {"start"}}


@dataclass
class Content:
    """A brief's content in the order of the notebook."""

    opening: dict[str, Any] | None = None
    body: list[tuple[str, Any]] = field(default_factory=list)  # ("prose", html) | ("chart", {}) | ("table", {})
    fold: list[str] = field(default_factory=list)  # HTML of methods and limits
    sources: list[dict[str, str]] = field(default_factory=list)
    notebook_hash: str = ""


def read(notebook: Any, language: str) -> Content:
    """The content of a brief.

    Raises:
        RunError: a cell of the notebook failed.
    """
    content = Content(notebook_hash=_hash(notebook))
    for number, cell in enumerate(notebook.cells, start=1):
        tags = set(cell.metadata.get("tags", ()))
        if cell.cell_type == "markdown" and not tags & HIDDEN_TAGS:
            html = prose(_in_language(cell.source, tags, language))
            if html and tags & FOLD_TAGS:
                content.fold.append(html)
            elif html:
                content.body.append(("prose", html))
        elif cell.cell_type == "code":
            for output in cell.get("outputs", ()):
                if output.output_type == "error":
                    raise RunError(f"cell {number} of the notebook failed ({output.ename}); a brief needs all of them")
                _take(content, output.get("data", {}), language)
    content.body = _ordered_headings(content.body)
    return content


def _take(content: Content, data: dict[str, Any], language: str) -> None:
    """Put one output in its place; what carries no type of ours is left behind."""
    mime = next((name for name in data if name.startswith(PREFIX)), None)
    if mime == OPENING:
        content.opening = data[mime]
    elif mime == CHART_MIME:
        content.body.append(("chart", data[mime]))
    elif mime == TABLE_MIME:
        content.body.append(("table", data[mime][language]))
    elif mime == METHODS:
        content.fold += [prose(paragraph) for paragraph in data[mime]["paragraphs"]]
    elif mime == SOURCES:
        content.sources += [one for one in data[mime]["items"] if one not in content.sources]


def _in_language(source: str, tags: set[str], language: str) -> str:
    """A cell's text in one language: by its tag `zh` or `en`, by the divider `<!-- en -->`, else by its letters."""
    stated = tags & {"zh", "en"}
    if stated:
        return source if language in stated else ""
    parts = DIVIDER.split(source, maxsplit=1)
    if len(parts) == 2:
        return parts[0 if language == "zh" else 1]
    return source if language == "zh" or not CHINESE.search(source) else ""


def prose(markdown: str) -> str:
    """Markdown as HTML the way Jupyter reads it, with nothing in it that could run or call out."""
    import nh3
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    if not markdown.strip():
        return ""
    renderer = IPythonRenderer(escape=True, allow_harmful_protocols=False, exclude_anchor_links=True)
    html = MarkdownWithMath(renderer=renderer).render(markdown)
    return nh3.clean(
        html,
        tags=PROSE_TAGS,
        attributes=PROSE_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
    ).strip()


def _ordered_headings(body: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Headings that start at h2 and never skip a level; the notebook's own h1 gives way to the brief's title."""
    level, done = 1, []
    for kind, content in body:
        if kind == "prose":
            html = re.sub(r"<h1>.*?</h1>\s*", "", content, flags=re.DOTALL)

            def shift(match: re.Match[str]) -> str:
                nonlocal level
                if not match[1]:
                    level = min(int(match[2]), level + 1, 4)
                return f"<{match[1]}h{level}>"

            html = HEADING.sub(shift, html).strip()
            if html:
                done.append((kind, html))
        else:
            done.append((kind, content))
    return done


def _hash(notebook: Any) -> str:
    """SHA-256 of what was run: the sources of all cells, injected parameters included."""
    digest = hashlib.sha256()
    for cell in notebook.cells:
        digest.update(f"{cell.cell_type}\0{cell.source}\0".encode())
    return digest.hexdigest()
