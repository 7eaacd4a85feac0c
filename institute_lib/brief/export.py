"""Export: an executed notebook becomes one HTML file that opens with no network."""

import ast
import base64
import hashlib
import os
import platform
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from institute_lib import terms
from institute_lib.brief import page
from institute_lib.brief.reading import Content, read
from institute_lib.errors import ParameterError, RunError

HERE = Path(__file__).parent
SHORT = 8
DAY = re.compile(r"\d{4}-\d\d-\d\d")
SHARED_NAME = "plotly.min.js"
# plotly fetches a world map from the network for any choropleth, unless it finds one here; an empty one is enough.
GEO_STUB = (
    "window.PlotlyGeoAssets={topojson:{world_110m:{type:'Topology',arcs:[],objects:{}}}};"
    "window.PlotlyConfig={MathJaxConfig:'local'};"
)


def export(
    executed_notebook: str | Path | Any,
    path: str | Path,
    *,
    language: str = "zh",
    provenance: Mapping[str, str] | None = None,
    shared: str | None = None,
    demo: bool = False,
    word: str = "",
    own: bool = True,
) -> Path:
    """Write the brief of an executed notebook: prose, and charts and tables that passed disclosure control.

    Of a notebook that read no persons it also takes what that shows besides: pictures, plotly figures, tables, text. Of
    any other it lists them as left out.

    The same notebook gives the same bytes. Markdown cells tagged `lab` stay behind, those tagged `methods` or `limits`
    go into the fold, those tagged `zh` or `en` (or divided by a line `<!-- en -->`) appear in their language.

    Args:
        executed_notebook: path of the executed .ipynb, or the notebook itself.
        path: where the HTML file goes; its folder is made.
        language: the language in which the notebook was run.
        provenance: further rows for the end of the brief: what, and its hash or version.
        demo: whether anything that the job read was a demo, as the run has recorded it; the brief then says so.
        word: address of the Word document of the same brief, relative to it (see `export_word`), where there is one.
        own: False leaves what carries no type of ours behind in any case.
        shared: address of a shared `plotly.min.js` relative to the brief (see `write_plotly`); by default plotly is
            inside the file.

    Raises:
        ParameterError: another language than the notebook's own.
        RunError: a cell failed, the file is no notebook, or it has no opening (`study.close`).
    """
    notebook, content = opened(executed_notebook, language, demo=demo, own=own)
    html = _render(content, notebook, language, dict(provenance or {}), shared=shared, word=word)
    return write_whole(Path(path), html.encode())


def write_whole(target: Path, content: bytes) -> Path:
    """Write a file, its folder included, so that nobody meets half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    partial.write_bytes(content)
    partial.replace(target)
    return target


def opened(executed_notebook: str | Path | Any, language: str, *, demo: bool, own: bool) -> tuple[Any, Content]:
    """An executed notebook and the content of its brief.

    Raises:
        ParameterError, RunError: as `export`.
    """
    terms.check_language(language)
    notebook = _notebook(executed_notebook)
    content = read(notebook, language, own=own)
    if not content.opening:
        raise terms.error(RunError, "brief.error_no_opening")
    ran = content.opening.get("language", language)
    if ran != language:
        raise ParameterError(f"brief.export: language {language!r}: the notebook was run in {ran!r}; allowed: {ran}")
    if demo:
        content.opening = {**content.opening, "demo": True}
    return notebook, content


def write_plotly(folder: str | Path) -> Path:
    """Put the plotly library that several briefs share into a folder, once."""
    target = Path(folder) / SHARED_NAME
    if not target.is_file() or target.stat().st_size != len(_plotly().encode()):
        write_whole(target, _plotly().encode())
    return target


def _notebook(given: Any) -> Any:
    import nbformat

    if not isinstance(given, str | Path):
        return given
    try:
        return nbformat.read(given, as_version=4)
    except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
        raise RunError(f"{given}: not a notebook that can be read: {error}") from error


def _render(
    content: Content, notebook: Any, language: str, more: dict[str, str], *, shared: str | None, word: str
) -> str:
    has_charts = any(kind == "chart" or "figure" in block for kind, block in content.body)
    tags, allowed = _scripts(shared) if has_charts else ([], [])
    head = page.head(content, language)
    content.fold[:0] = page.cautions(content, language)
    python = notebook.metadata.get("language_info", {}).get("version") or platform.python_version()
    body = page.body(content, language)
    common = page.common(body)
    return (
        _environment()
        .get_template("brief.html.j2")
        .render(
            lang=page.LANG[language],
            policy=_policy(allowed),
            style=_style(head["marks"], page.made(content, language)),
            words=page.words(language),
            head=head,
            tiles=page.tiles(content, language),
            body=_safe(body),
            contents=page.contents(body),
            workbook=page.workbook(head, body, content, language),
            appendix=any(block["kind"] == "appendix" for block in body),
            common=_markup(page.json_block(common)) if common else "",
            word={"href": word, "text": page.word("word", language)} if word else None,
            fold=[_markup(html) for html in content.fold],
            sources=page.sources(content),
            colophon=page.colophon(content, language),
            made=page.made(content, language),
            provenance=page.provenance(content, _parameters(notebook), more, python, language),
            scripts=[_markup(tag) for tag in tags],
        )
    )


@cache
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.tests["unbroken"] = _unbroken
    return environment


def _unbroken(cell: str) -> bool:
    """Whether a table keeps the cell on one line: a short word, or a day."""
    return len(cell) < SHORT or DAY.fullmatch(cell) is not None


def _markup(html: str) -> Any:
    from markupsafe import Markup

    return Markup(html)  # only sanitised prose, sanitised pictures, escaped JSON and our own scripts come here


def _safe(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks with what is markup already: sanitised prose and pictures, figures as escaped JSON."""
    made = {"html": _markup, "svg": _markup, "figure": lambda figure: _markup(page.json_block(figure))}
    return [{k: made[k](v) if k in made else v for k, v in block.items()} for block in blocks]


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    source = get_plotlyjs()
    if "</script" in source.lower():
        raise RunError("this plotly.js cannot stand inside a page: it holds an end tag of a script")
    return source


def _scripts(shared: str | None) -> tuple[list[str], list[str]]:
    """Script tags in order, and what the policy allows for each: the hash of an inline one, 'self' for the shared."""
    inline = [GEO_STUB, _plotly(), (HERE / "draw.js").read_text(encoding="utf-8")]
    tags = [f"<script>{text}</script>" for text in inline]
    allowed = [f"'sha256-{_hash(text)}'" for text in inline]
    if shared:
        tags[1] = f'<script src="{_environment().from_string("{{ src }}").render(src=shared)}"></script>'
        allowed[1] = "'self'"  # on file:// a hash of an external file is refused
    return tags, allowed


@cache
def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _policy(allowed: list[str]) -> str:
    scripts = " ".join(allowed) or "'none'"
    return (
        f"default-src 'none'; script-src {scripts}; "
        "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
    )


def _style(marks: list[dict[str, str]], made: str) -> Any:
    css = (HERE / "brief.css").read_text(encoding="utf-8")
    line = " · ".join(mark["text"] for mark in marks)
    return _markup(
        css.replace("FONT_STACK", terms.FONT_STACK).replace("PAGE_MARK", f'"{line}"').replace("PAGE_MADE", f'"{made}"')
    )


def _parameters(notebook: Any) -> dict[str, Any]:
    """The parameters of the run: the defaults of the parameters cell, then the injected ones; read, never executed."""
    found: dict[str, Any] = {}
    for tag in ("parameters", "injected-parameters"):
        for cell in notebook.cells:
            if cell.cell_type == "code" and tag in cell.metadata.get("tags", ()):
                found |= _assignments(cell.source)
    return found


def _assignments(source: str) -> dict[str, Any]:
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:  # not a literal: shown as written
                found[node.targets[0].id] = ast.unparse(node.value)
    return found
