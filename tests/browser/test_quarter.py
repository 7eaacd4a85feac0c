"""Every page of a quarter in headless Chromium, network off: drawn, quiet, accessible, readable without scripts.

The briefs here are those of two areas; `python -m tests.bench briefs` checks all of the plan in the same way.
"""

import time
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest

from institute_lib import brief
from institute_lib.runs import compare
from tests.browser import pages

NOTEBOOKS = sorted(path.stem for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
JOBS = list(product(("zh", "en"), NOTEBOOKS, ("320600", "320613")))
COVERAGE = "04_station_coverage"
RICHEST = "02_policy_evaluation"  # the most charts
CHARTS_READY = """() => { const charts = Array.from(document.querySelectorAll('.plot'));
    return charts.length && charts.every(one => one.querySelector('.main-svg .trace') && one._ev); }"""
# A region of a map is a trace that fills its outline; its painted shape has an area on the screen.
REGIONS = """() => {
    const holder = document.querySelector('script.figure'), place = document.getElementById(holder.dataset.plot);
    const names = JSON.parse(holder.textContent).data.filter(trace => trace.fill === 'toself').map(trace => trace.name);
    const shapes = Array.from(place.querySelectorAll('.trace .fills path')).map(path => path.getBoundingClientRect());
    return {names: names, painted: shapes.filter(box => box.width * box.height > 20).length};
}"""


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
    with pages.drawn(browser, job.path) as seen:
        yield seen


@pytest.fixture(scope="module", params=["zh", "en"])
def index(request, browser):
    """The page from which every brief opens."""
    run = request.getfixturevalue(f"quarter_{request.param}")
    with pages.opened(browser, run.folder / "index.html") as seen:
        yield SimpleNamespace(**vars(seen), seen=seen, run=run)


# --- the briefs -------------------------------------------------------------------------------------------------------


def test_every_chart_paints_every_trace_of_its_figure(drawn):
    assert pages.badly_drawn(drawn) == []


def test_nothing_is_logged_and_nothing_but_the_file_is_asked_for(drawn):
    assert pages.noises(drawn, brief.SHARED_NAME) == []
    shared = (drawn.path.parents[2] / brief.SHARED_NAME).as_uri() in drawn.requests
    assert shared is bool(drawn.page.locator("script.figure").count())


def test_the_page_says_its_language_and_has_one_title(drawn, job):
    assert pages.badly_titled(drawn, job.language) == []


def test_axe_finds_no_violation(drawn):
    assert pages.inaccessible(drawn) == []


def test_without_scripts_every_table_is_visible_and_no_empty_plot_is(browser, job):
    assert pages.lost_without_scripts(browser, job.path) == []


def test_it_prints_to_pages_of_a4_none_empty_none_cut(browser, job, tmp_path):
    assert pages.badly_printed(browser, job.path, tmp_path / "brief.pdf") == []


def test_a_brief_is_small_since_the_quarters_briefs_share_plotly(job):
    assert job.path.stat().st_size < 400_000
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
    with pages.opened(browser, path) as seen:
        seen.page.wait_for_selector(".plot .main-svg .fills path")
        regions = seen.page.evaluate(REGIONS)
    assert len(regions["names"]) == len(set(regions["names"])) >= 7
    assert regions["painted"] >= len(regions["names"])
    with pages.opened(browser, path, scripts=False) as still:
        assert still.page.locator(".static svg path").count() >= len(regions["names"])
        assert still.page.locator(".static svg").first.is_visible()


# --- the index page ---------------------------------------------------------------------------------------------------


def test_the_index_is_quiet_accessible_and_in_its_language(index):
    assert pages.noises(index.seen) == []
    assert index.page.evaluate("document.documentElement.lang") == pages.LANG[index.run.language]
    assert pages.inaccessible(index.seen) == []


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
    briefs = [f"{notebook}/{area}/brief.html" for notebook, area in index.run.jobs]
    assert sorted(set(links)) == sorted([*briefs, compare.NAME])
    index.page.locator('a[href$="brief.html"]').first.click()
    index.page.wait_for_load_state()
    assert index.page.locator("header.head h1").count() == 1
    assert index.console == []
