"""Reading an executed notebook for its brief: the prose, what carries a type of ours, and where no person stands behind
it what the notebook shows besides. Nothing else survives.
"""

import ast
import base64
import hashlib
import html
import json
import re
from dataclasses import dataclass, field
from typing import Any

from institute_lib import indicators, terms
from institute_lib.brief.blocks import METHODS, OPENING, PREFIX, SOURCES, TILES
from institute_lib.charts import CHART_MIME
from institute_lib.disclosure import TABLE_MIME
from institute_lib.disclosure.numbers import unknown_number, values_of
from institute_lib.errors import DisclosureError, RunError

DIVIDER = re.compile(r"^\s*<!--\s*en\s*-->\s*$", re.MULTILINE)
CHINESE = re.compile(r"[\u3400-\u9fff]")
HEADING = re.compile(r"<(/?)h([1-6])>")
HIDDEN_TAGS = {"lab", "parameters", "question"}
LONGEST_LEVEL = 12  # characters of a level of a driver; longer texts are prose
REGISTERS = re.compile(r"registers|data[/\\\\]+demo")
RULES = {5.0, 10.0}  # the threshold and the base of rounding, which lines on methods name
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
TABLE_ATTRIBUTES = {name: {"colspan", "rowspan", "scope"} for name in ("th", "td")}
PLOTLY = "application/vnd.plotly.v1+json"
PICTURES = ("image/svg+xml", "image/png", "image/jpeg", "image/gif")
BASE64 = re.compile(r"[A-Za-z0-9+/]+=*")
LARGEST = 3_000_000  # characters of an output of the notebook's own
LONGEST_TEXT = 5_000
HEIGHT = 450  # of a figure that does not say its own
TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\n]*\r(?!\n)|[\x00-\x08\x0b-\x1f]")  # colours, lines written over


@dataclass
class Content:
    """A brief's content in the order of the notebook."""

    opening: dict[str, Any] | None = None
    # ("prose", html) | ("chart", {}) | ("table", {}) | ("own", {}): see `_own`
    body: list[tuple[str, Any]] = field(default_factory=list)
    fold: list[str] = field(default_factory=list)  # HTML of methods and limits
    sources: list[dict[str, str]] = field(default_factory=list)
    tiles: dict[str, Any] | None = None
    notebook_hash: str = ""


def read(notebook: Any, language: str, *, own: bool = True) -> Content:
    """The content of a brief.

    Args:
        own: whether pictures, tables and text that carry no type of ours may stand in it, as far as the notebook read
            no persons; else they are listed as left out.

    Raises:
        RunError: a cell of the notebook failed.
    """
    content, left_out = Content(notebook_hash=_hash(notebook)), []
    own = own and _without_persons(notebook)
    for number, cell in enumerate(notebook.cells, start=1):
        tags = set(cell.metadata.get("tags", ()))
        if cell.cell_type == "markdown" and not tags & HIDDEN_TAGS:
            said = prose(_in_language(cell.source, tags, language))
            if said and tags & FOLD_TAGS:
                content.fold.append(said)
            elif said:
                content.body.append(("prose", said))
        elif cell.cell_type == "code":
            for output in cell.get("outputs", ()):
                if output.output_type == "error" and "raises-exception" not in tags:
                    raise RunError(f"cell {number} of the notebook failed ({output.ename}); a brief needs all of them")
                if _take(content, output.get("data", {}), language) or "lab" in tags or _is_aside(output):
                    continue
                place = terms.text(f"brief.out_{_kind(output)}", language, cell=cell.get("execution_count") or "–")
                shown = _own(output) if own else None
                content.body += [("own", {**shown, "title": place})] if shown else []
                left_out += [] if shown else [place]
    if left_out:
        listed = terms.listed(dict.fromkeys(left_out), language)
        content.fold.append(prose(terms.text("brief.too_large" if own else "brief.left_out", language, items=listed)))
    if content.opening and not content.opening["title"]:
        content.opening = {**content.opening, **_title_and_question(notebook, language)}
    if content.opening and content.opening.get("personal"):
        _check_numbers(notebook, content, language)
    content.body = _ordered_headings(content.body)
    return content


def _title_and_question(notebook: Any, language: str) -> dict[str, str]:
    """The notebook's own heading (`# 03 留任因素 / Retention drivers`), and its cell tagged `question`."""
    title = question = ""
    for cell in (one for one in notebook.cells if one.cell_type == "markdown"):
        heading = re.match(r"#\s+(?:\d+\s+)?(.+)", cell.source.strip())
        if heading and not title:
            parts = heading[1].split(" / ")
            title = parts[0 if language == "zh" else -1].strip()
        if "question" in cell.metadata.get("tags", ()):
            words = _in_language(cell.source, set(), language).strip()
            question = re.sub(r"^\*\*[^*]+\*\*\s*[：:]\s*", "", words)
    return {"title": title, "question": question[:1].upper() + question[1:]}


def _check_numbers(notebook: Any, content: Content, language: str) -> None:
    """Refuse a number in prose that no shown figure, parameter or constant of the code gave.

    Raises:
        DisclosureError: naming the cell as JupyterLab counts it, and the number.
    """
    checked = [(kind, block) for kind, block in content.body if kind in ("chart", "table")]
    shown = [text for kind, block in checked for text in _words_of(kind, block)]
    shown += [json.dumps(block, ensure_ascii=False) for kind, block in content.body if kind == "own"]
    known = [*content.opening["findings"], content.opening["as_of"], content.opening.get("known", "")]
    given_in_code: set[float] = set()
    for cell in (one for one in notebook.cells if one.cell_type == "code"):
        given_in_code |= _constants(cell.source)
    given = given_in_code | values_of([*shown, *known])
    for number, cell in enumerate(notebook.cells, start=1):
        tags = set(cell.metadata.get("tags", ()))
        if cell.cell_type == "markdown" and not tags & HIDDEN_TAGS:
            _refuse_unknown(_in_language(cell.source, tags, language), given, "result.in_cell", cell=number)
    for text in (content.opening["title"], content.opening["question"]):
        _refuse_unknown(text, given, "result.in_opening")
    for kind, block in checked:
        cells, heads = _cells_and_heads(kind, block)
        _refuse_unknown(" ".join(heads), given_in_code | values_of([*cells, *known]) | RULES, "result.in_title")
    for paragraph in (text for cell in notebook.cells for text in _method_paragraphs(cell)):
        _refuse_unknown(paragraph, given | RULES, "result.in_methods")


def _words_of(kind: str, block: dict[str, Any]) -> list[str]:
    """What a reader reads as figures of a chart or table; not its notes, whose numbers are those of the rules."""
    cells, heads = _cells_and_heads(kind, block)
    return [*cells, *heads, *([block["alt"]] if kind == "chart" else [])]


def _cells_and_heads(kind: str, block: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The figures and keys of a chart or table, and its title and column heads, which are its author's words."""
    table = block["table"] if kind == "chart" else block
    heads = [block["title"] if kind == "chart" else block["caption"], *(one["label"] for one in table["columns"])]
    return [cell for row in table["rows"] for cell in row], heads


def _method_paragraphs(cell: Any) -> list[str]:
    outputs = cell.get("outputs", ()) if cell.cell_type == "code" else ()
    return [text for one in outputs for text in one.get("data", {}).get(METHODS, {}).get("paragraphs", ())]


def _refuse_unknown(text: str, given: set[float], place: str, **where: object) -> None:
    if number := unknown_number(text, given):

        def named(language: str) -> str:
            return terms.text(place, language, **where)

        raise terms.error(DisclosureError, "result.number_in_words", place=named, number=number)


def _constants(source: str) -> set[float]:
    """The numbers that stand in a cell's code: what an author states, such as the limits of bands."""
    try:
        nodes = ast.walk(ast.parse(source))
    except SyntaxError:  # a cell with a magic command
        return values_of([source])
    found: set[float] = set()
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            found.add(float(node.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) <= LONGEST_LEVEL:
            found |= values_of([node.value])  # a level such as "40-50"
    return found


def _is_aside(output: Any) -> bool:
    """A warning, or the one line by which Python names a cell's last value: nothing that a reader would miss."""
    data = output.get("data", {})
    one_line = set(data) == {"text/plain"} and "\n" not in data["text/plain"].strip()
    return output.get("name") == "stderr" or (output.output_type == "execute_result" and one_line)


def _kind(output: Any) -> str:
    """What an output of no type of ours is to a reader: a key of `brief.out_…`."""
    data = output.get("data", {})
    if PLOTLY in data or any(mime.startswith("image/") for mime in data):
        return "picture"
    return "table" if "text/html" in data else "text"


def _without_persons(notebook: Any) -> bool:
    """Whether the notebook read nothing of persons until it closed, as its study noted, and names no register."""
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", ())]
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return any(data.get(OPENING, {}).get("own") for data in shown) and not REGISTERS.search(code)


def _own(output: Any) -> dict[str, Any] | None:
    """An output of no type of ours as markup of a page that can neither run nor call out; None where it cannot be.

    Returns:
        `html`; or `figure` and `height` of a plotly figure; and `picture`, a PNG as base64, where it is one.
    """
    data, made = output.get("data", {}), ""
    if len(json.dumps(data or output.get("text") or "")) > LARGEST:
        return None
    if PLOTLY in data:
        figure = {"data": data[PLOTLY].get("data", []), "layout": data[PLOTLY].get("layout", {})}
        return {"figure": figure, "height": int(figure["layout"].get("height") or HEIGHT)}
    if mime := next((one for one in PICTURES if one in data), None):
        text = "".join(data[mime])
        content = base64.b64encode(text.encode()).decode() if mime == PICTURES[0] else re.sub(r"\s", "", text)
        picture = {"picture": content} if mime == "image/png" else {}
        made = f'<img src="data:{mime};base64,{content}" alt="">'
        return {"html": made, **picture} if BASE64.fullmatch(content) else None
    if "text/html" in data:
        made = _clean("".join(data["text/html"]), PROSE_ATTRIBUTES | TABLE_ATTRIBUTES)
    elif "text/markdown" in data:
        made = prose("".join(data["text/markdown"]))
    elif not set(data) - {"text/plain"}:
        text = TERMINAL.sub("", "".join(output.get("text") or data.get("text/plain") or "")).strip("\n")
        cut = text[:LONGEST_TEXT] + ("\n…" if len(text) > LONGEST_TEXT else "")
        made = f"<pre>{html.escape(cut)}</pre>" if cut.strip() else ""
    return {"html": made} if re.sub(r"<[^>]*>|\s", "", made) else None


def _take(content: Content, data: dict[str, Any], language: str) -> bool:
    """Put one output in its place; returns whether it has a type of ours. What has none is left behind."""
    mime = next((name for name in data if name.startswith(PREFIX)), None)
    if mime == OPENING:
        content.opening = data[mime]
    elif mime == CHART_MIME:
        content.body.append(("chart", data[mime]))
    elif mime == TABLE_MIME:
        content.body.append(("table", data[mime][language]))
    elif mime == TILES:
        content.tiles = data[mime]
    elif mime == METHODS:
        content.fold += [prose(paragraph) for paragraph in data[mime]["paragraphs"]]
        quoted = [indicators.get(name).explanation(language) for name in data[mime].get("indicators", ())]
        heading = f"## {terms.text('brief.indicators', language)}\n\n"
        content.fold += [prose(heading + "\n".join(f"- {one}" for one in quoted))] if quoted else []
    elif mime == SOURCES:
        content.sources += [one for one in data[mime]["items"] if one not in content.sources]
    return mime is not None


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
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    if not markdown.strip():
        return ""
    renderer = IPythonRenderer(escape=True, allow_harmful_protocols=False, exclude_anchor_links=True)
    return _clean(MarkdownWithMath(renderer=renderer).render(markdown), PROSE_ATTRIBUTES)


def _clean(markup: str, attributes: dict[str, set[str]]) -> str:
    import nh3

    return nh3.clean(
        markup,
        tags=PROSE_TAGS,
        attributes=attributes,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
    ).strip()


def _ordered_headings(body: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Headings that start at h2 and never skip a level; the notebook's own h1 gives way to the brief's title."""
    level, done = 1, []
    for kind, content in body:
        if kind == "prose":
            text = re.sub(r"<h1>.*?</h1>\s*", "", content, flags=re.DOTALL)

            def shift(match: re.Match[str]) -> str:
                nonlocal level
                if not match[1]:
                    level = min(int(match[2]), level + 1, 4)
                return f"<{match[1]}h{level}>"

            text = HEADING.sub(shift, text).strip()
            if text:
                done.append((kind, text))
        else:
            done.append((kind, content))
    return done


def _hash(notebook: Any) -> str:
    """SHA-256 of what was run: the sources of all cells, injected parameters included."""
    digest = hashlib.sha256()
    for cell in notebook.cells:
        digest.update(f"{cell.cell_type}\0{cell.source}\0".encode())
    return digest.hexdigest()
