"""The brief in headless Chromium, network off: drawn, quiet, accessible, printable, readable without scripts."""

import re
from itertools import pairwise
from types import SimpleNamespace

import pytest
from axe_playwright_python.sync_playwright import Axe

from institute_lib import brief, charts
from tests.shown import shown

ALERTS = "window.alert = function () { window.alerted = true; };"


def open_brief(browser, written_brief):
    """A page with the brief drawn on it, and everything that went over the console and the wire."""
    context = browser.new_context(offline=True, viewport={"width": 1100, "height": 900})
    page = context.new_page()
    seen = SimpleNamespace(page=page, brief=written_brief, console=[], errors=[], requests=[], close=context.close)
    page.on("console", lambda message: seen.console.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.add_init_script(ALERTS)
    page.goto(written_brief.path.as_uri())
    page.wait_for_function(f"document.querySelectorAll('.plot .main-svg .xy').length >= {written_brief.charts}")
    return seen


@pytest.fixture(scope="module")
def drawn(browser, written_brief):
    """The brief, open; for tests that only look."""
    seen = open_brief(browser, written_brief)
    yield seen
    seen.close()


@pytest.fixture
def opened(browser, written_brief):
    """The brief, freshly open; for tests that touch it."""
    seen = open_brief(browser, written_brief)
    yield seen
    seen.close()


def test_every_chart_draws_every_trace_of_its_figure(drawn):
    figures = drawn.page.evaluate(
        """() => Array.from(document.querySelectorAll('script.figure')).map(holder => {
            const figure = JSON.parse(holder.textContent);
            const place = document.getElementById(holder.dataset.plot);
            return [figure.data.length, place._fullData.length,
                    place.querySelectorAll('.trace').length, place.getBoundingClientRect().height];
        })"""
    )
    assert len(figures) == drawn.brief.charts
    for stated, read, painted, height in figures:
        assert read == stated > 0
        assert painted == stated
        assert height > 100


def test_nothing_is_logged_and_nothing_is_asked_of_the_network(drawn):
    assert drawn.console == []
    assert drawn.errors == []
    assert [url for url in drawn.requests if not url.startswith("data:")] == [drawn.brief.path.as_uri()]


def test_markup_in_names_and_prose_is_shown_and_never_runs(drawn):
    page = drawn.page
    assert page.evaluate("window.alerted") is None
    assert page.locator("main img").count() == 0
    assert "<img src=x onerror=alert(1)>" in page.locator("#figure-3").inner_text()


def test_outputs_and_code_of_other_kinds_do_not_survive(drawn):
    assert "SECRET" not in drawn.brief.path.read_text(encoding="utf-8")


def test_axe_finds_no_violation(opened):
    page = opened.page
    page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    found = Axe().run(page)
    assert found.response["violations"] == [], found.generate_report()


def test_the_page_is_built_in_order(drawn):
    page = drawn.page
    levels = page.evaluate(
        "Array.from(document.querySelectorAll('h1,h2,h3,h4,h5,h6')).map(one => Number(one.tagName[1]))"
    )
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.evaluate("document.documentElement.lang") == {"zh": "zh-CN", "en": "en"}[drawn.brief.language]
    for landmark in ("header", "main", "footer"):
        assert page.locator(f"body > {landmark}").count() == 1


def test_tables_fold_away_when_scripts_run_and_open_by_keyboard(opened):
    page = opened.page
    fold = page.locator("details.data").first
    assert not fold.evaluate("fold => fold.open")
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert fold.locator("table").is_visible()
    assert fold.locator("caption").inner_text().strip()


def test_csv_downloads_hold_no_live_formula(opened, tmp_path):
    page = opened.page
    page.locator("details.data").nth(2).locator("summary").click()
    with page.expect_download() as waiting:
        page.locator("details.data").nth(2).locator(".download a").click()
    target = tmp_path / "table.csv"
    waiting.value.save_as(target)
    text = target.read_text(encoding="utf-8-sig")
    assert "HYPERLINK" in text
    assert not re.search(r'(^|[\r\n,"])=', text)
    assert waiting.value.suggested_filename.startswith({"zh": "演示", "en": "demo"}[opened.brief.language])


def test_the_page_speaks_one_language(opened):
    page = opened.page
    page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    text = page.evaluate("document.querySelector('main').innerText")
    data = ("甲社工服务中心", "采购合同台账")  # a provider's name and a source are data
    for words in data:
        text = text.replace(words, "")
    if opened.brief.language == "en":
        assert not re.search(r"[\u3400-\u9fff]", text)
    else:
        markup = r"<img src=x onerror=alert\(\d\)>|</?script>|alert\(2\)|=HYPERLINK\S*|https?://\S+"
        text = re.sub(markup, "", text)
        assert set(re.findall(r"[A-Za-z]{2,}", text)) <= {"CSV", "xlsx"}


def test_without_scripts_every_table_is_visible_and_no_empty_plot_is(browser, written_brief):
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(written_brief.path.as_uri())
    tables = page.locator("figure.chart table")
    assert tables.count() == written_brief.charts + 1
    for number in range(tables.count()):
        assert tables.nth(number).is_visible()
    assert page.locator(".plot").first.is_hidden()
    context.close()


def test_it_prints_to_pages_of_a4_with_charts_uncut(opened):
    page = opened.page
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 1010})  # what A4 leaves between the margins
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.wait_for_function("Array.from(document.querySelectorAll('.plot')).every(one => one._fullLayout.width === 455)")
    edges = page.evaluate(
        """() => {
            const edge = document.querySelector('main').getBoundingClientRect().right;
            const texts = Array.from(document.querySelectorAll('.plot .main-svg text'));
            return texts.map(text => text.getBoundingClientRect().right - edge);
        }"""
    )
    assert edges
    assert max(edges) <= 0
    assert page.locator("details.methods").evaluate("fold => fold.open")


def test_a_static_picture_shows_where_no_script_runs_and_on_paper(browser, tmp_path, make_notebook):
    table = shown(_stations())
    drawn = charts.draw_bars(table, language="en")
    picture = (
        '<svg viewBox="0 0 40 20" onload="alert(5)"><path d="M0 0H40V20Z" fill="#0f4c81"/><script>1</script></svg>'
    )
    chart = charts.Chart(drawn.figure, table, title="Map", alt="A map.", svg=picture, language="en")
    path = brief.export(make_notebook([chart], "en"), tmp_path / "map.html", language="en")
    assert "alert(5)" not in path.read_text(encoding="utf-8")
    for scripts, media, still in ((False, "screen", True), (True, "screen", False), (True, "print", True)):
        context = browser.new_context(offline=True, java_script_enabled=scripts)
        page = context.new_page()
        page.emulate_media(media=media)
        page.goto(path.as_uri())
        assert page.locator(".static svg path").is_visible() == still
        assert page.locator(".plot").is_visible() != still
        context.close()


def test_briefs_that_share_plotly_stay_small_and_draw(browser, tmp_path, make_notebook):
    chart = charts.draw_bars(shown(_stations()), language="en")
    brief.write_plotly(tmp_path)
    (tmp_path / "area").mkdir()
    path = brief.export(
        make_notebook([chart], "en"), tmp_path / "area" / "b.html", language="en", shared="../plotly.min.js"
    )
    assert path.stat().st_size < 400_000
    context = browser.new_context(offline=True)
    page = context.new_page()
    errors = []
    page.on("console", lambda message: errors.append(message.text))
    page.goto(path.as_uri())
    page.wait_for_selector(".plot .main-svg .trace.bars path")
    assert errors == []
    context.close()


def _stations():
    import pandas as pd

    return pd.DataFrame({"level": ["city", "town"], "stations": [1, 99]})
