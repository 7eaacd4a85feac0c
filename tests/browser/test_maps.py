"""Maps in headless Chromium, network off: every polygon and point is there, hover speaks, the slider moves."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from institute_lib import areas, brief, coverage, maps, terms
from tests.shown import shown

CITY, DISTRICT = "320600", "320613"
QUARTERS = ("2024Q3", "2024Q4", "2025Q1")
# Painted shapes of the plot in their order: polygons that fill an area, and points that are not transparent.
PAINTED = """() => {
    const plot = document.querySelector('.plot .main-svg');
    const shapes = Array.from(plot.querySelectorAll('.trace .fills path')).map(path => path.getBoundingClientRect());
    const points = Array.from(plot.querySelectorAll('.trace .points path'));
    return {
        polygons: shapes.filter(box => box.width * box.height > 4).length,
        points: points.filter(point => Number(getComputedStyle(point).opacity) > 0).length,
    };
}"""


@pytest.fixture(scope="module")
def stations():
    """One station a town of Chongchuan's city, spread over its districts; every third opens in 2025."""
    shapes = areas.boundaries(CITY)
    towns = areas.towns(CITY).groupby("host").head(6)
    places = {code: shape.representative_point() for code, shape in shapes.set_index("code").geometry.items()}
    rows = pd.DataFrame(
        {
            "station_id": towns["town"],
            "name": towns["name"],
            "level": "town",
            "district": towns["host"],
            "opened": pd.to_datetime(np.where(np.arange(len(towns)) % 3, "2020-01-01", "2025-02-01")),
            "closed": pd.NaT,
            "posts": 7.0,
            "posts_filled": 5.0,
            "x": [places[code].x + 0.004 * (n % 6) for n, code in enumerate(towns["host"])],
            "y": [places[code].y + 0.004 * (n % 5) for n, code in enumerate(towns["host"])],
            "crs": "EPSG:4326",
            "point_kind": "surveyed",
        }
    )
    return coverage.locate(rows, boundaries=shapes)


@pytest.fixture(scope="module")
def shares():
    """A share for each district and quarter."""
    codes = [area.code for area in areas.districts(CITY)]
    rows = [
        (code, quarter, (n + 1) * (q + 1) / 30) for q, quarter in enumerate(QUARTERS) for n, code in enumerate(codes)
    ]
    frame = pd.DataFrame(rows, columns=["district", "quarter", "coverage"])
    named = {"rows": "district", "columns": "quarter", "units": {"coverage": "share"}, "title": "覆盖率"}
    return shown(frame, value="coverage", **named)


def opened(browser, chart, folder, make_notebook, *, scripts=True, width=1000):
    path = brief.export(make_notebook([chart], "zh"), folder / "map.html", language="zh")
    context = browser.new_context(offline=True, java_script_enabled=scripts, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(path.as_uri())
    if scripts:
        page.wait_for_selector(".plot .main-svg .fills path")
    return page


def hovered(page, point):
    """What the map says while the pointer rests on a point."""
    box = point.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + 30, y - 30)
    page.mouse.move(x, y, steps=5)
    page.wait_for_timeout(150)
    return page.locator(".hoverlayer .hovertext").all_text_contents()


def test_every_polygon_and_point_is_painted_and_hover_tells_the_numbers(
    browser, tmp_path, make_notebook, shares, stations
):
    chart = maps.draw_coverage_map(
        shares, boundaries=areas.boundaries(CITY), stations=stations, quarter="2024Q4", title="覆盖率"
    )
    page = opened(browser, chart, tmp_path, make_notebook)
    shapes = areas.boundaries(CITY)
    painted = page.evaluate(PAINTED)
    assert painted["polygons"] >= len(shapes)
    assert painted["points"] >= len(stations.points) == 42
    points = page.locator(".plot .main-svg .trace .points path")
    points.first.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    names = set(stations.points["name"])
    assert any(text in names for number in range(6) for text in hovered(page, points.nth(number)))
    place = page.locator(".plot").bounding_box()
    words = terms.text("maps.stamp", "zh")
    assert page.locator(".plot .annotation-text", has_text=words).count() == 1
    # Somewhere on the map a district speaks its name and its figure.
    heard = set()
    for part in np.linspace(0.1, 0.55, 12):
        page.mouse.move(place["x"] + part * place["width"], place["y"] + 0.45 * place["height"])
        page.wait_for_timeout(60)
        heard |= set(page.locator(".hoverlayer .hovertext").all_text_contents())
    names = [area.name_zh for area in areas.districts(CITY)]
    assert any(name in text and "%" in text for name in names for text in heard), heard
    page.context.close()


OUTSIDE = """() => {
    const plot = document.querySelector('.plot'), frame = plot.getBoundingClientRect();
    const texts = Array.from(plot.querySelectorAll('text')).filter(text => text.textContent.trim());
    return texts.filter(text => {
        const box = text.getBoundingClientRect();
        return box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1;
    }).map(text => text.textContent);
}"""


def test_on_a_telephone_a_map_of_few_regions_fits_with_its_whole_legend(
    browser, tmp_path, make_notebook, shares, stations
):
    chart = maps.draw_coverage_map(shares, boundaries=areas.boundaries(CITY), stations=stations, quarter="2024Q4")
    page = opened(browser, chart, tmp_path, make_notebook, width=390)
    drawn, shown, whole = page.evaluate(
        """() => {
            const plot = document.querySelector('.plot');
            return [plot._fullLayout.width, plot.clientWidth, document.documentElement.scrollWidth];
        }"""
    )
    assert drawn == shown < whole <= 390
    assert page.evaluate(OUTSIDE) == []
    legend = page.locator(".plot .legendtext").all_text_contents()
    assert len(legend) == sum(trace.type == "bar" or trace.mode == "markers" for trace in chart.figure.data)
    visible = page.evaluate(
        """() => {
            const box = document.querySelector('.plot .legend .bg').getBoundingClientRect();
            return Array.from(document.querySelectorAll('.plot .legendtext'))
                .every(text => text.getBoundingClientRect().bottom <= box.bottom + 1);
        }"""
    )
    assert visible
    page.context.close()


def test_on_a_telephone_a_map_of_many_regions_fits_without_its_labels(browser, tmp_path, make_notebook):
    table, shape, units = towns_of_a_district()
    chart = maps.draw_coverage_map(table, boundaries=areas.regions(shape, units))
    page = opened(browser, chart, tmp_path, make_notebook, width=390)
    assert page.evaluate("document.querySelector('.plot').scrollWidth") <= 390
    assert page.evaluate(OUTSIDE) == []
    assert page.locator(".plot .annotation-text").count() == len(chart.figure.layout.annotations) - len(units) - 1
    page.context.close()


def test_the_slider_moves_figures_and_the_quarter_that_is_named(browser, tmp_path, make_notebook, shares):
    chart = maps.draw_slider(shares, boundaries=areas.boundaries(CITY))
    page = opened(browser, chart, tmp_path, make_notebook)
    titles = page.locator(".plot .legendtitletext").all_text_contents()
    before = page.locator(".plot .annotation-text").all_text_contents()
    page.locator(".slider-rail-touch-rect").first.scroll_into_view_if_needed()
    rail = page.locator(".slider-rail-touch-rect").first.bounding_box()
    page.mouse.click(rail["x"] + 4, rail["y"] + rail["height"] / 2)
    page.wait_for_function("document.querySelector('.plot')._fullLayout.sliders[0].active === 0")
    page.locator(".plot .annotation-text").filter(has_text="3.3%").first.wait_for()
    assert page.locator(".plot .annotation-text").all_text_contents() != before
    assert page.locator(".plot .legendtitletext").all_text_contents() != titles
    place, first = page.locator(".plot"), page.locator("figcaption").inner_text()
    assert (place.get_attribute("role"), place.get_attribute("aria-valuenow")) == ("slider", "0")
    place.press("ArrowRight")
    assert place.get_attribute("aria-valuenow") == "1"
    assert page.locator("figcaption").inner_text() != first
    assert page.locator(".finding").inner_text() == place.get_attribute("aria-valuetext")
    page.context.close()


def towns_of_a_district():
    """A table of Chongchuan's 26 towns, the district, and a point for each town."""
    towns = areas.towns(DISTRICT)
    rng = np.random.default_rng(3)
    shape = areas.boundaries(DISTRICT)
    inside = shape.to_crs(coverage.METRES).geometry.sample_points(len(towns), rng=rng).explode(index_parts=False)
    units = gpd.GeoDataFrame({"town": towns["town"], "name": towns["name"]}, geometry=list(inside), crs=coverage.METRES)
    frame = pd.DataFrame({"town": towns["town"], "coverage": np.linspace(0, 1, len(towns))})
    table = shown(frame, value="coverage")
    return table, shape, units


def test_a_districts_units_and_tiles_are_painted_without_scripts_too(browser, tmp_path, make_notebook):
    table, shape, units = towns_of_a_district()
    for layout in areas.LAYOUTS:
        chart = maps.draw_coverage_map(table, boundaries=areas.regions(shape, units, layout=layout))
        page = opened(browser, chart, tmp_path, make_notebook, scripts=False)
        # Each region is a path with its own title.
        assert page.locator(".static svg path:has(title)").count() == len(units) == 26
        words = page.locator(".static svg").text_content()
        named = ["".join(name.split()) in "".join(words.split()) for name in units["name"]]
        assert all(named)
        assert (terms.text("maps.stamp", "zh") in words) == (layout == "boundaries")
        page.context.close()
