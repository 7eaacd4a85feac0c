"""Safe HTML: a text that a register or a researcher wrote is data wherever a brief shows it; nothing in it runs."""

import json
import re
from html.parser import HTMLParser

import nbformat
import pandas as pd
import pytest

from institute_lib import brief, charts, disclosure
from institute_lib.brief.blocks import METHODS, SOURCES, Block
from tests.shown import opening, shown

NEW = nbformat.v4
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "<a href='javascript:alert(1)'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "{{7*7}}{% raw %}",
    "</style><style>*{display:none}",
    "<!-- <script>alert(1)//",
    "<math><mi xlink:href='javascript:alert(1)'>",
    "\u2028alert(1)",
)
ACTIVE = (
    "script",
    "iframe",
    "object",
    "embed",
    "link",
    "form",
    "base",
    "img",
    "math",
    "video",
    "audio",
    "foreignobject",
)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def made(text: str) -> str:
    """A brief with one text in every place where a text can stand."""
    frame = pd.DataFrame({text: [text, "b"], "n": [20, 30]})
    safe = shown(frame, title=text, source=text, labels={text: text, "n": text})
    wide = shown(
        pd.DataFrame({"level": ["a", "b"] * 2, text: [text, text, "y", "y"], "n": 20}), columns=text, title=text
    )
    named = {"title": text, "publisher": text, "date": "", "url": "javascript:alert(1)"}
    outputs = [
        opening(title=text, findings=[text], question=text),
        safe,
        wide,
        charts.draw_bars(safe, language="zh", title=text),
        Block(METHODS, {"paragraphs": [text]}, (text,)),
        Block(SOURCES, {"items": [named]}, (text,)),
    ]
    cells = [
        NEW.new_code_cell("x", outputs=[NEW.new_output("display_data", data=one._repr_mimebundle_())])
        for one in outputs
    ]
    cells.append(NEW.new_markdown_cell(text))
    cells.append(NEW.new_code_cell(f"name = {text!r}", metadata={"tags": ["injected-parameters"]}))
    style = pd.DataFrame({"a": [text]}).style.set_caption(text).to_html()
    for mime in ("text/html", "image/svg+xml", "application/javascript", "text/markdown", "text/latex"):
        cells.append(NEW.new_code_cell("x", outputs=[NEW.new_output("display_data", data={mime: style + text})]))
    return NEW.new_notebook(cells=cells)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("briefs")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_in_every_place_of_a_brief_is_shown_and_never_runs(folder, text):
    path = brief.export(made(text), folder / "brief.html", provenance={text: text}, shared="plotly.min.js")
    page = path.read_text(encoding="utf-8")
    tags = _Tags()
    tags.feed(page)
    assert not [attrs for _, attrs in tags.seen for name in attrs if name.startswith("on")]
    assert not [
        v for _, attrs in tags.seen for n, v in attrs.items() if n in ("href", "src") and "javascript" in v.lower()
    ]
    assert {tag for tag, _ in tags.seen if tag in ACTIVE} <= {"script"}
    scripts = [attrs for tag, attrs in tags.seen if tag == "script"]
    assert [one for one in scripts if one.get("type") != "application/json"] == [{}, {"src": "plotly.min.js"}, {}]
    assert sum(tag == "style" for tag, _ in tags.seen) == 2  # the brief's own, and the one where no script runs
    for block in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, flags=re.DOTALL):
        json.loads(block)
    (policy,) = [attrs["content"] for tag, attrs in tags.seen if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe-inline'" not in policy


def test_the_same_text_runs_in_what_jupyter_shows_by_itself():
    styled = pd.DataFrame({"a": [HOSTILE[1]]}).style.to_html()
    assert HOSTILE[1] in styled  # the attack that the brief leaves behind


def test_nothing_of_a_charts_drawing_options_comes_from_data():
    safe = shown(pd.DataFrame({"level": [HOSTILE[1], "b"], "n": [20, 30]}))
    config = charts.draw_bars(safe, language="zh", title=HOSTILE[1])._repr_mimebundle_()[
        "application/vnd.plotly.v1+json"
    ]["config"]
    assert HOSTILE[1] not in json.dumps(config)


def test_an_unprotected_table_is_marked_on_the_screen_and_stays_out_of_a_brief(folder):
    table = disclosure.internal(pd.DataFrame({"level": [HOSTILE[1]], "n": [3]}), title=HOSTILE[0])
    html = table._repr_html_()
    assert "内部" in html
    assert HOSTILE[0] not in html
    assert HOSTILE[1] not in html
    shows = ({"text/html": html}, opening()._repr_mimebundle_())
    cells = [NEW.new_code_cell("x", outputs=[NEW.new_output("display_data", data=data)]) for data in shows]
    path = brief.export(NEW.new_notebook(cells=cells), folder / "internal.html")
    assert "<td>3</td>" in html
    assert "<td>3</td>" not in path.read_text(encoding="utf-8")
