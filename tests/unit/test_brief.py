"""The brief: what it takes from a notebook, what it leaves behind, and that the same notebook gives the same bytes."""

import base64
import hashlib
import html
import json
import re

import docx
import nbformat
import pandas as pd
import pytest

from institute_lib import brief, charts, disclosure
from institute_lib.brief.blocks import METHODS, OPENING, SOURCES, Block
from institute_lib.brief.page import json_block, picture
from institute_lib.brief.reading import prose
from institute_lib.charts import CHART_MIME
from institute_lib.errors import DisclosureError, ParameterError, RunError
from institute_lib.result import Measure, Provenance, Result
from institute_lib.sharing import Read
from tests.shown import opening, shown

NEW = nbformat.v4
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def head(language: str = "en", **options) -> Block:
    options = {"title": "A title", "findings": ["One.", "Two."], "as_of": "2025-12-31"} | options
    return opening(language=language, **options)


def table() -> disclosure.Protected:
    frame = pd.DataFrame({"level": ["city", "=1+1"], "stations": [1, 99]})
    return shown(frame, source="ledger", title="Stations")


def chart() -> charts.Chart:
    return charts.draw_bars(table(), language="en", title="Stations by level")


def notebook(*outputs: object, markdown: tuple = ()) -> nbformat.NotebookNode:
    """An executed notebook of things shown and markdown (source, tags)."""
    cells = [NEW.new_markdown_cell(source, metadata={"tags": list(tags)}) for source, tags in markdown]
    for one in outputs:
        data = one if isinstance(one, dict) else one._repr_mimebundle_()
        cells.append(NEW.new_code_cell("code()", outputs=[NEW.new_output("display_data", data=data)]))
    for number, cell in enumerate(cells):
        cell["id"] = f"c{number}"
    return NEW.new_notebook(cells=cells)


def with_head(made: nbformat.NotebookNode, language: str) -> nbformat.NotebookNode:
    opened = notebook(head(language)).cells[0]
    opened["id"] = "opening"
    return NEW.new_notebook(cells=[*made.cells, opened])


def export(tmp_path, made: nbformat.NotebookNode, language: str = "en", **options) -> str:
    return brief.export(made, tmp_path / "brief.html", language=language, **options).read_text(encoding="utf-8")


def test_the_same_notebook_gives_the_same_bytes(tmp_path):
    first = brief.export(notebook(head(), chart()), tmp_path / "a.html", language="en").read_bytes()
    second = brief.export(notebook(head(), chart()), tmp_path / "b.html", language="en").read_bytes()
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_only_outputs_of_our_types_and_prose_survive(tmp_path):
    made = notebook(
        head(), table(), {"text/html": "<b>RAW</b>"}, {"text/plain": "RAW"}, markdown=[("Some **prose**.", ())]
    )
    text = export(tmp_path, made)
    assert "<strong>prose</strong>" in text
    assert "RAW" not in text
    assert "code()" not in text


def test_a_brief_states_title_place_quarter_findings_and_marks(tmp_path):
    text = export(tmp_path, notebook(head(demo=True)))
    assert re.findall(r"<h1>(.*?)</h1>", text) == ["A title"]
    assert "Chongchuan District · Q4 2025" in text
    assert re.findall(r"<li>(.*?)</li>", text)[:2] == ["One.", "Two."]
    assert "Demonstration data" in re.search(r"<title>(.*?)</title>", text)[1]
    assert 'class="mark internal"' in text


def test_three_findings_lead_and_the_rest_follow_them(tmp_path):
    text = export(tmp_path, notebook(head(findings=["1st", "2nd", "3rd", "4th", "5th"])))
    assert re.findall(r"<li>(.*?)</li>", re.search(r"<ol>(.*?)</ol>", text)[1]) == ["1st", "2nd", "3rd"]
    assert "<h3>Further</h3>\n<ul><li>4th</li><li>5th</li></ul>" in text
    assert "Further" not in export(tmp_path, notebook(head(findings=["1st", "2nd", "3rd"])))


def test_a_table_from_the_demo_marks_the_whole_brief(tmp_path):
    frame = pd.DataFrame({"level": ["a"], "n": [20]})
    safe = shown(frame, demo=True)
    assert 'class="mark demo"' in export(tmp_path, notebook(head(demo=False), safe))


def test_every_script_is_allowed_by_its_hash_and_nothing_else_is(tmp_path):
    text = export(tmp_path, notebook(head(), chart()))
    policy = html.unescape(re.search(r'Content-Security-Policy" content="(.*?)"', text)[1])
    scripts = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    hashes = {base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts}
    assert len(scripts) == 3
    assert set(re.findall(r"'sha256-(.*?)'", policy)) == hashes
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    assert not re.search(r"<script(?![^>]*application/json)[^>]+>", text)
    assert text.index("PlotlyGeoAssets={") < text.index("plotly.js v")


def test_a_brief_without_charts_carries_no_script(tmp_path):
    text = export(tmp_path, notebook(head(), table()))
    assert "<script" not in text
    assert "script-src 'none'" in html.unescape(text)


def test_a_brief_with_charts_stays_below_five_megabytes_and_a_half(tmp_path):
    assert len(export(tmp_path, notebook(head(), chart(), chart())).encode()) < 5_600_000


def test_a_shared_brief_is_small_and_names_its_plotly_once(tmp_path):
    title = "script-src &#39;self&#39; and <script src='x'></script>"
    made = notebook(head(title=title), chart())
    shared = export(tmp_path, made, shared="../../plotly.min.js")
    assert len(shared.encode()) < 400_000
    assert '<script src="../../plotly.min.js"></script>' in shared


def outlined(shift: float) -> dict:
    """An output of our chart type whose figure has an outline, a look, and points of its own."""
    data = chart()._repr_mimebundle_()
    places = {axis: {"dtype": "f4", "bdata": letters * 40} for axis, letters in (("x", "AACA"), ("y", "AAAB"))}
    outline = {"type": "scatter", "mode": "lines", "fill": "toself", "name": f"r{shift}", **places}
    points = {"type": "scatter", "mode": "markers", "fill": "toself", **places}
    figure = {"data": [outline, points], "layout": data[CHART_MIME]["figure"]["layout"]}
    return {CHART_MIME: data[CHART_MIME] | {"figure": figure}}


def test_what_figures_have_in_common_is_said_once_and_each_keeps_its_points_and_words(tmp_path):
    made = notebook(head(), outlined(1), outlined(2))
    before = json.dumps(made)
    blocks = [json.loads(one) for one in re.findall(r'application/json"[^>]*>(.*?)</script>', export(tmp_path, made))]
    assert json.dumps(made) == before
    figures, common = blocks[:-1], blocks[-1]
    for shift, figure in enumerate(figures, 1):
        outline, points = figure["data"]
        assert outline["name"] == f"r{shift}"
        assert [common[outline[axis]["common"]] for axis in "xy"] == [points[axis] for axis in "xy"]
        assert "font" in common[figure["layout"]["template"]["common"]]["layout"]
    assert len(common) == 3


def test_a_page_of_one_figure_keeps_all_of_it_in_its_place(tmp_path):
    (block,) = re.findall(r'application/json"[^>]*>(.*?)</script>', export(tmp_path, notebook(head(), outlined(1))))
    assert "common" not in block


def test_data_cannot_end_the_element_it_stands_in():
    block = json_block({"name": "</script><script>alert(1)</script>\u2028"})
    assert "<" not in block
    assert "\u2028" not in block


@pytest.mark.parametrize(
    "markdown",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "![x](http://example.org/x.png)",
        '<a href="data:text/html,x" onclick="alert(1)">x</a>',
        "<style>body{background:url(http://example.org)}</style>",
        "<iframe src=//example.org></iframe>",
    ],
)
def test_markdown_brings_nothing_that_runs_or_calls_out(markdown):
    tags = " ".join(re.findall(r"<[^>]+>", prose(markdown)))
    assert not re.search(r"script|img|iframe|style|javascript:|data:|\son\w+=", tags)


def test_a_static_picture_keeps_its_shapes_and_nothing_else():
    svg = '<svg viewBox="0 0 1 1" onload="x()"><path d="M0 0"/><image href="http://x"/><script>1</script></svg>'
    assert picture(svg) == '<svg viewBox="0 0 1 1"><path d="M0 0"></path></svg>'


def test_headings_follow_the_title_without_skipping_a_level(tmp_path):
    made = notebook(head(), markdown=[("# Notebook\n\n## One\n\n##### Deep\n\n## Two", ())])
    levels = [int(n) for n in re.findall(r"<h([1-6])[ >]", export(tmp_path, made))]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))  # noqa: RUF007


def test_prose_appears_in_its_own_language(tmp_path):
    both = "中文段落\n\n<!-- en -->\n\nEnglish paragraph"
    made = notebook(markdown=[(both, ()), ("只有中文", ()), ("tagged zh text", ("zh",)), ("lab notes", ("lab",))])
    english = export(tmp_path, with_head(made, "en"))
    assert "English paragraph" in english
    assert not re.search(r"[\u3400-\u9fff]", re.sub(r"<style>.*?</style>", "", english, flags=re.DOTALL))
    assert "tagged zh text" not in english
    chinese = export(tmp_path, with_head(made, "zh"), language="zh")
    assert "中文段落" in chinese
    assert "English paragraph" not in chinese
    assert "lab notes" not in chinese + english


def test_methods_and_limits_stand_in_the_fold(tmp_path):
    made = notebook(
        head(),
        Block(METHODS, {"paragraphs": ["How it was made."]}, ()),
        markdown=[("What it cannot say.", ("limits",))],
    )
    fold = re.search(r'<details class="methods">(.*?)</details>', export(tmp_path, made), flags=re.DOTALL)[1]
    assert "How it was made." in fold
    assert "What it cannot say." in fold


def test_sources_link_only_to_the_web(tmp_path):
    links = {"A": "https://example.org/a", "B": "javascript:x"}
    items = [{"title": title, "publisher": "", "date": "", "url": url} for title, url in links.items()]
    made = notebook(head(), Block(SOURCES, {"items": items}, ()))
    text = export(tmp_path, made)
    assert 'href="https://example.org/a"' in text
    assert "javascript:x" not in text


def test_parameters_versions_and_hashes_stand_at_the_end(tmp_path):
    made = notebook(head())
    made.cells.append(NEW.new_code_cell('area = "320600"\nk = 3', metadata={"tags": ["parameters"]}))
    made.cells.append(NEW.new_code_cell('area = "320613"', metadata={"tags": ["injected-parameters"]}))
    text = export(tmp_path, made, provenance={"workers": "abc123"})
    rows = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))
    assert rows["area"] == "320613"
    assert rows["k"] == "3"
    assert rows["workers"] == "abc123"
    assert rows["pandas"] == pd.__version__
    assert len(rows["Notebook (SHA-256)"]) == 64


def test_a_csv_download_is_text_without_a_live_formula(tmp_path):
    text = export(tmp_path, notebook(head(), table()))
    encoded = re.search(r'href="data:text/csv;charset=utf-8;base64,(.*?)"', text)[1]
    rows = base64.b64decode(encoded).decode("utf-8-sig").split("\r\n")
    assert rows[2] == "'=1+1,99"


def test_a_failed_notebook_gives_no_brief(tmp_path):
    made = notebook(head())
    error = NEW.new_output("error", ename="DataError", evalue="secret value", traceback=["secret"])
    made.cells.append(NEW.new_code_cell("x", outputs=[error]))
    with pytest.raises(RunError, match="cell 2") as refusal:
        brief.export(made, tmp_path / "brief.html", language="en")
    assert "secret" not in str(refusal.value)
    assert not (tmp_path / "brief.html").exists()


def test_another_language_than_the_notebooks_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="'en'"):
        brief.export(notebook(head("en")), tmp_path / "brief.html", language="zh")


def test_a_file_that_is_no_notebook_is_refused(tmp_path):
    (tmp_path / "x.ipynb").write_text("{]", encoding="utf-8")
    with pytest.raises(RunError, match=r"x\.ipynb"):
        brief.export(tmp_path / "x.ipynb", tmp_path / "brief.html")


# a number in the text that nothing gave


PERSONS = Provenance([Read("tables", "workers", "2025-12-31", source="register", personal=True)])


def closed(language: str = "zh", *, personal: bool = True) -> dict:
    """The opening that a study of persons leaves."""
    content = {"title": "", "question": "", "findings": ["共40人。"], "area": "崇川区", "area_code": "320613"}
    content |= {"quarter": "2025Q4", "as_of": "2025-12-31", "language": language, "demo": False, "mark": "internal"}
    return {OPENING: content | {"personal": personal}}


def counted(n: int) -> disclosure.Protected:
    frame = pd.DataFrame({"kind": ["agency"], "persons": [n]})
    return disclosure.protected(Result(frame, ("kind",), (Measure("persons", "count"),), "persons", PERSONS))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("其中37人离开。", "37"),
        ("其中三十七人离开。", "三十七"),
        ("其中３７人离开。", "37"),
        ("离职率为12.4%。", "12.4"),
        ("有九名社工离开。", "九"),
        ("最高工资9,120元。", "9,120"),
    ],
)
def test_a_number_in_prose_that_nothing_gave_is_refused_with_its_cell(tmp_path, text, number):
    made = notebook(closed(), counted(43), markdown=(("# 01 题 / Title", ()), (f"{text}\n\n<!-- en -->\n\nOne.", ())))
    with pytest.raises(DisclosureError, match=number) as refused:
        export(tmp_path, made, language="zh")
    assert "第2个单元格" in refused.value.say("zh")
    assert "study.say" in refused.value.say("zh")


@pytest.mark.parametrize(
    "text",
    [
        "有45人在岗。",  # what the table shows
        "共40人。",  # what a finding said
        "分30以下与40以上两档。",  # constants of the code
        "截至2025年12月31日，95%区间；每百名在岗者；四个季度；个人信息；见第二节。",
        "2024—2025年，表1与图2。",
    ],
)
def test_numbers_that_are_shown_said_or_stated_pass(tmp_path, text):
    made = notebook(closed(), counted(43), markdown=(("# 01 题 / Title", ()), (f"{text}\n\n<!-- en -->\n\nOne.", ())))
    made.cells.append(NEW.new_code_cell("bands = (30, 40)", id="code"))
    assert "题" in export(tmp_path, made, language="zh")


def test_numbers_in_prose_of_a_study_without_persons_are_its_authors(tmp_path):
    made = notebook(closed(personal=False), markdown=(("其中37个站。\n\n<!-- en -->\n\nOne.", ()),))
    assert "37个站" in export(tmp_path, made, language="zh")


def test_the_title_and_the_question_of_a_study_are_the_notebooks_own(tmp_path):
    cells = (
        ("# 08 收入差距 / Income gap", ()),
        ("**问题**：差多少？\n\n<!-- en -->\n\n**Question**: how much?", ("question",)),
    )
    page = export(tmp_path, notebook(closed(), markdown=cells), language="zh")
    assert re.search(r"<h1[^>]*>\s*收入差距\s*</h1>", page)
    assert page.count("差多少？") == 1


def test_what_the_notebook_shows_besides_is_listed_as_left_out_with_its_cell(tmp_path):
    plotly = {"application/vnd.plotly.v1+json": {"data": []}, "text/html": "RAW"}
    made = notebook(head("zh"), {"text/html": "<b>RAW</b>", "text/plain": "RAW"}, plotly, {"image/png": "RAW"})
    made.cells.append(NEW.new_code_cell("p()", outputs=[NEW.new_output("stream", text="RAW")], id="last"))
    for count, cell in enumerate((one for one in made.cells if one.cell_type == "code"), start=1):
        cell.execution_count = count
    text = export(tmp_path, made, language="zh")
    assert "RAW" not in text
    assert "单元格 [2] 的表、单元格 [3] 的图、单元格 [4] 的图、单元格 [5] 打印的文字" in text
    assert "未列入简报" not in export(tmp_path, notebook(head("zh"), table()), language="zh")


MADE = {"made": "2026-01-12", "contact": "研究一部", "revision": "与放行稿相同。"}


def test_a_brief_says_how_to_cite_it_whom_to_ask_and_what_was_revised(tmp_path):
    text = export(tmp_path, notebook(head(language="zh", title="留任因素", demo=True, **MADE)), "zh")
    lines = re.findall(r"<p>(.*?)</p>", re.search(r'<div class="colophon">(.*?)</div>', text)[1])
    assert lines[0].endswith("：《留任因素》，崇川区，2025年四季度，2026年1月12日编制（演示数据，内部）。")
    assert lines[1:] == ["联系：研究一部", "与放行稿相同。"]


def test_a_brief_links_to_the_others_and_to_the_index_until_it_is_released(tmp_path):
    links = [{"notebook": "06_one", "title": "06 One page", "href": "../../06_one/320613/brief.html"}]
    addresses = re.compile(r'<nav class="links".*?</nav>', re.DOTALL)
    shown = addresses.search(export(tmp_path, notebook(head(links=links))))[0]
    assert re.findall('href="(.*?)"', shown) == ["../../06_one/320613/brief.html", "../../index.html"]
    assert not addresses.search(export(tmp_path, notebook(head(links=links, mark="public", release="2025Q4-1"))))


def test_the_sentence_of_a_chart_does_not_say_its_title_again(tmp_path):
    made = chart()._repr_mimebundle_()
    made[CHART_MIME]["alt"] = "Stations by level: the city has one."
    text = export(tmp_path, notebook(head(), made))
    assert '<p class="finding">The city has one.</p>' in text
    assert 'aria-label="Stations by level: the city has one."' in text


def test_what_a_notebook_shows_besides_appears_where_it_read_no_persons(tmp_path):
    plotly = {"application/vnd.plotly.v1+json": {"data": [{"type": "bar", "y": [3]}], "layout": {"height": 300}}}
    html = "<style>.x{}</style><table><tr><th onclick='boom()'>收入</th></tr><tr><td colspan=2>12</td></tr></table>"
    made = notebook(head("zh"), plotly, {"text/html": html, "text/plain": "x"}, {"image/png": PNG})
    made.cells.append(NEW.new_code_cell("p()", outputs=[NEW.new_output("stream", text="\x1b[31m1 < 2\x1b[0m")], id="p"))
    made.cells[0].outputs[0].data[OPENING]["own"] = True
    text = export(tmp_path, made, language="zh")
    assert '"type":"bar"' in text
    assert '<td colspan="2">12</td>' in text
    assert "boom" not in text
    assert f"data:image/png;base64,{PNG}" in text
    assert "<pre>1 &lt; 2</pre>" in text
    assert "未列入简报" not in text
    word = brief.export_word(made, tmp_path / "brief.docx", language="zh")
    assert "1 < 2" in "\n".join(one.text for one in docx.Document(word).paragraphs)
    assert "未列入简报" in export(tmp_path, made, language="zh", own=False)
    made.cells[1].source = "pq.read_table('data/registers/workers.parquet')"
    assert "未列入简报" in export(tmp_path, made, language="zh")


@pytest.mark.parametrize(
    "output", [{"image/png": '"><script>'}, {"text/html": "<iframe src='x'></iframe>"}, {"image/png": "A" * 3_000_001}]
)
def test_what_cannot_stand_in_a_page_without_network_is_named(tmp_path, output):
    made = notebook(head("zh"), output)
    made.cells[0].outputs[0].data[OPENING]["own"] = True
    text = export(tmp_path, made, language="zh")
    assert "这类输出不能放进离线网页" in text
    assert "<script>" not in text


def test_a_notebook_without_an_opening_is_refused_as_a_brief(tmp_path):
    with pytest.raises(RunError, match=re.escape("study.close")):
        export(tmp_path, notebook(table()))
    assert list(tmp_path.iterdir()) == []
