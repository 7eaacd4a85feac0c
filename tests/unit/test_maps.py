"""Maps: classes, stamps, labels, cells, tiles, the slider and the static picture."""

import re
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import MultiPolygon, Point, Polygon, box

from institute_lib import areas, coverage, maps, terms
from institute_lib.areas.shapes import tiles
from institute_lib.brief import page
from institute_lib.errors import DataError, DisclosureError, ParameterError
from institute_lib.maps.classes import SEQUENCE, classify
from institute_lib.maps.labels import place_labels
from institute_lib.maps.marks import MANY, NAMED
from institute_lib.maps.regions import rings, to_screen
from tests.shown import shown

CODES = ("320612", "320613", "320614")
SHARES = (0.25, 0.5, 1.0)
SVG = "{http://www.w3.org/2000/svg}"
STAGES = ("before", "after")
STAMP = terms.text("maps.stamp", "zh")


def boundaries(approval=None, codes=CODES):
    """Squares of 10 km in a row under the names of real districts."""
    shapes = [box(12_000 * place, 0, 12_000 * place + 10_000, 10_000) for place in range(len(codes))]
    names = {f"name_{language}": [areas.get(code).name(language) for code in codes] for language in ("zh", "en")}
    frame = gpd.GeoDataFrame({"code": codes} | names, geometry=shapes, crs=coverage.METRES)
    frame.attrs = {"approval": approval, "source": "squares"}
    return frame


def safe(shares=SHARES, codes=CODES, **more):
    frame = pd.DataFrame({"district": codes, "coverage": shares, "units": 4} | more)
    return shown(frame, units={"coverage": "share"}, title="Coverage <b>&", source="stations register")


def protected():
    """Cells of 40, 3 and 5 persons: the two small ones must not be shown."""
    frame = pd.DataFrame({"district": CODES, "share": [0.5, 0.1, 0.2], "persons": [40, 3, 5]})
    return shown(frame, value="share", persons="persons", title="Certified")


def stations():
    frame = pd.DataFrame(
        {
            "station_id": ["a", "b"],
            "name": ["站<1>", "站2"],
            "level": ["town", "district"],
            "district": CODES[:2],
            "x": [120.5, 120.6],
            "y": [32.0, 32.0],
            "crs": "EPSG:4326",
            "point_kind": ["illustrative", "surveyed"],
        }
    )
    return coverage.locate(frame)


def regions_of(chart):
    return [trace for trace in chart.figure.data if trace.type == "scatter" and trace.fill == "toself"]


def marks_of(chart):
    return [trace for trace in chart.figure.data if trace.type == "scatter" and trace.mode == "markers"]


def texts_of(svg):
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_map_is_drawn_from_safe_tables_only():
    frame = safe().frame
    for draw in (maps.draw_coverage_map, maps.draw_slider):
        with pytest.raises(DisclosureError, match=r"study\.show or disclosure\.protected"):
            draw(frame, boundaries=boundaries())


def test_every_region_is_drawn_with_its_name_figure_and_hover():
    chart = maps.draw_coverage_map(safe(), boundaries=boundaries())
    regions = regions_of(chart)
    assert [trace.name for trace in regions] == ["通州区", "崇川区", "海门区"]
    assert regions[1].text.startswith("崇川区<br>覆盖率 50.0%")
    labels = [annotation.text for annotation in chart.figure.layout.annotations]
    assert "崇川区<br>50.0%" in labels
    assert {"崇川区", "50.0%"} <= set(texts_of(chart.svg))
    assert "最高为海门区（100.0%），最低为通州区（25.0%）" in chart.alt


def test_no_trace_needs_webgl_or_a_network():
    chart = maps.draw_coverage_map(safe(), boundaries=boundaries(), stations=stations())
    assert {trace.type for trace in chart.figure.data} == {"scatter", "bar"}
    assert "http" not in chart.svg.replace("http://www.w3.org/2000/svg", "")


def test_a_map_is_stamped_until_its_boundaries_are_approved():
    stamped = maps.draw_coverage_map(safe(), boundaries=boundaries())
    assert STAMP in [annotation.text for annotation in stamped.figure.layout.annotations]
    assert STAMP in texts_of(stamped.svg)
    assert STAMP in stamped.notes
    approved = maps.draw_coverage_map(safe(), boundaries=boundaries(approval="苏S(2024)012号"))
    words = [annotation.text for annotation in approved.figure.layout.annotations] + texts_of(approved.svg)
    assert STAMP not in words
    assert words.count("审图号：苏S(2024)012号") == 2


def tile_map(table):
    return maps.draw_coverage_map(table, boundaries=tiles(table.frame["district"]))


def test_tiles_show_the_figures_without_any_boundary_or_stamp():
    chart = tile_map(safe())
    assert len(regions_of(chart)) == 3
    assert STAMP not in texts_of(chart.svg)
    assert all(len(trace.x) == 5 for trace in regions_of(chart))
    with pytest.raises(ParameterError, match="320102"):
        tile_map(safe(codes=("320102", *CODES[1:])))
    with pytest.raises(ParameterError, match="one city at a time"):
        tile_map(safe(codes=("320685", "320582", "320613")))


@pytest.mark.parametrize("city", ["320600", "320500"])
def test_the_tile_grid_has_a_place_for_every_district_of_both_cities(city):
    places = [areas.TILES[area.code] for area in areas.districts(city)]
    assert len(set(places)) == len(places)


def test_hidden_and_missing_regions_are_hatched_and_their_figures_are_nowhere():
    chart = maps.draw_coverage_map(protected(), boundaries=boundaries())
    patterns = [trace.fillpattern.shape for trace in regions_of(chart)]
    assert patterns == [None, "x", "x"]
    assert "10.0%" not in chart.figure.to_json() + chart.svg
    assert "人数过少，不予显示（2个）" in texts_of(chart.svg)
    missing = maps.draw_coverage_map(safe(shares=(0.25, None, 1.0)), boundaries=boundaries())
    assert [trace.fillpattern.shape for trace in regions_of(missing)] == [None, "/", None]
    assert "未报送或无数据（1个）" in texts_of(missing.svg)


def test_a_region_without_a_row_is_missing_and_a_row_without_a_shape_is_refused():
    chart = maps.draw_coverage_map(safe(SHARES[:2], CODES[:2]), boundaries=boundaries())
    assert regions_of(chart)[2].fillpattern.shape == "/"
    with pytest.raises(DataError, match="no shape for 320614"):
        maps.draw_coverage_map(safe(), boundaries=boundaries(codes=CODES[:2]))


def test_regions_without_a_row_are_called_what_they_are():
    """The treated district and those outside the comparison pool are not missing: nobody expected a figure of them."""
    codes = (*CODES, "320623")
    table = safe((0.1, None), CODES[:2])
    apart = {"highlight": {"320614": "试点单位"}, "others": "不在对照池"}
    chart = maps.draw_coverage_map(table, boundaries=boundaries(codes=codes), **apart)
    assert [trace.fillpattern.shape for trace in regions_of(chart)] == [None, "/", "-", "\\"]
    assert [trace.text.split("<br>")[-1] for trace in regions_of(chart)[2:]] == ["试点单位", "不在对照池"]
    legend = [words for words in texts_of(chart.svg) if words.endswith("（1个）")]
    assert legend == ["10.0%（1个）", "试点单位（1个）", "未报送或无数据（1个）", "不在对照池（1个）"]
    fills = [path.get("fill") for path in ElementTree.fromstring(chart.svg).findall(f".//{SVG}path[@class='region']")]
    assert chart.alt.endswith("试点单位（1个）、未报送或无数据（1个）、不在对照池（1个）。")
    assert len(set(fills)) == 3  # a class, the highlighted region, and white under the hatch of the others


def test_what_cannot_be_highlighted_is_refused_by_name():
    for code in ("320612", "320509"):  # one has a row of its own, the other no shape
        with pytest.raises(ParameterError, match=rf"highlight '{code}' \(treated\): .*a shape and no row"):
            maps.draw_coverage_map(safe(), boundaries=boundaries(), highlight={code: "treated"})


def test_rows_are_chosen_by_key_and_an_ambiguous_map_is_refused():
    table = safe((*SHARES, 0.1, 0.2, 0.3), CODES * 2, level=["town"] * 3 + ["village"] * 3)
    chart = maps.draw_coverage_map(table, boundaries=boundaries(), level="village")
    assert "覆盖率 10.0%" in regions_of(chart)[0].text
    with pytest.raises(DataError, match="choose one with level="):
        maps.draw_coverage_map(table, boundaries=boundaries())
    with pytest.raises(ParameterError, match="did you mean 'village'"):
        maps.draw_coverage_map(table, boundaries=boundaries(), level="vilage")
    with pytest.raises(ParameterError, match="did you mean 'coverage'"):
        maps.draw_coverage_map(table, boundaries=boundaries(), level="town", value="coverag")


def test_boundaries_without_a_declared_system_are_refused():
    bare = boundaries().set_crs(None, allow_override=True)
    with pytest.raises(DataError, match="coordinate system"):
        maps.draw_coverage_map(safe(), boundaries=bare)


def test_only_points_that_are_real_are_drawn_and_those_left_out_are_counted():
    faulty = stations().points.drop(columns="geometry").assign(x=[120.5, None])
    found = coverage.locate(pd.DataFrame(faulty), on_fault="leave_out")
    chart = maps.draw_coverage_map(safe(), boundaries=boundaries(), stations=found)
    assert marks_of(chart) == []
    assert any("1个未上图" in note for note in chart.notes)
    assert any("不画点" in note for note in chart.notes)
    both = maps.draw_coverage_map(safe(), boundaries=boundaries(), stations=stations())
    assert [trace.name for trace in marks_of(both)] == ["市区指导站点（1个）"]
    assert len(ElementTree.fromstring(both.svg).findall(f".//{SVG}*[@class='station']")) == 1 + 1  # and the legend's


def test_text_from_data_stays_text():
    found = coverage.locate(pd.DataFrame(stations().points.drop(columns="geometry")).assign(point_kind="surveyed"))
    chart = maps.draw_coverage_map(safe(), boundaries=boundaries(), stations=found)
    assert "<b>" not in chart.svg
    root = ElementTree.fromstring(chart.svg)
    assert root.find(f"{SVG}title").text == "Coverage <b>&"
    assert "站<1>" in [node.text for node in root.iter(f"{SVG}title")]
    assert chart.figure.layout.title.text == "Coverage &lt;b&gt;&amp;"
    control = maps.draw_coverage_map(safe(), boundaries=boundaries(), title="a\x00b\x1b")
    assert ElementTree.fromstring(control.svg).find(f"{SVG}title").text == "a\ufffdb\ufffd"


def strokes(path: str) -> list[list[tuple[float, float]]]:
    """The lines of an SVG path in tenths that uses M, m, l, h0 and Z: each a list of places in pixels."""
    lines, x, y = [], 0.0, 0.0
    for letter, numbers in re.findall(r"([MmlhZ])([-\d ]*)", path):
        steps = np.array([int(number) for number in re.findall(r"-?\d+", numbers)]) / 10
        for dx, dy in steps.reshape(-1, 2) if letter in "Mml" else ():
            x, y = (dx, dy) if letter == "M" else (x + dx, y + dy)
            if letter in "Mm":
                lines.append([])
            lines[-1].append((x, y))
    return lines


def test_the_static_picture_says_itself_and_keeps_its_shapes():
    chart = maps.draw_coverage_map(safe(), boundaries=boundaries(), language="en")
    root = ElementTree.fromstring(chart.svg)
    assert root.get("role") == "img"
    referred = root.get("aria-labelledby").split()
    assert [root.find(f"{SVG}title").get("id"), root.find(f"{SVG}desc").get("id")] == referred
    assert root.find(f"{SVG}desc").text == chart.alt
    width, height = map(float, root.get("viewBox").split()[2:])
    numbers = [
        place
        for path in root.findall(f".//{SVG}path[@class='region']")
        for line in strokes(path.get("d"))
        for place in line
    ]
    assert len(numbers) == 3 * 4
    assert all(0 <= x <= width and 0 <= y <= height for x, y in numbers)


def test_a_brief_lets_the_static_picture_through_whole():
    table = safe(shares=(0.25, None, 1.0))
    points = coverage.locate(pd.concat([village_rooms(), stations().points.drop(columns="geometry")]))
    chart = maps.draw_coverage_map(table, boundaries=boundaries(), stations=points, sites=stations().points)
    assert {"stations", "station", "site", "hatch"} <= set(re.findall(r'class="(\w+)"', chart.svg))
    kept = ElementTree.fromstring(page.picture(chart.svg).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '))
    given = ElementTree.fromstring(chart.svg)
    assert [node.tag for node in kept.iter()] == [node.tag for node in given.iter()]
    dropped = {
        name for one, other in zip(given.iter(), kept.iter(), strict=True) for name in {*one.keys()} - {*other.keys()}
    }
    assert dropped <= {"class", "id", "aria-labelledby"}
    assert "url(" not in chart.svg


def test_hatching_stays_inside_its_region():
    hidden, missing = (
        maps.draw_coverage_map(one, boundaries=boundaries()) for one in (protected(), safe((0.1, None, 1)))
    )
    for chart, regions, directions in ((hidden, 2, 2), (missing, 1, 1)):
        root = ElementTree.fromstring(chart.svg)
        drawn = root.findall(f".//{SVG}path[@class='hatch']")
        assert len(drawn) == regions + 1  # and the legend's
        lines = np.array(strokes(drawn[0].get("d"))).reshape(-1, 4)
        assert len({np.sign((d - b) / (c - a)) for a, b, c, d in lines}) == directions
        shapes = [path.get("d") for path in root.findall(f".//{SVG}path[@class='region']")]
        corners = np.concatenate(strokes(shapes[1]))
        x, y = lines[:, [0, 2]], lines[:, [1, 3]]
        assert (x >= corners[:, 0].min() - 0.2).all()
        assert (x <= corners[:, 0].max() + 0.2).all()
        assert (y >= corners[:, 1].min() - 0.2).all()
        assert (y <= corners[:, 1].max() + 0.2).all()


def test_a_hole_stays_open_whatever_the_fill_rule():
    hole = [(2, 2), (4, 2), (4, 4), (2, 4)]
    shape = MultiPolygon([Polygon([(0, 0), (9, 0), (9, 9), (0, 9)], [hole]), box(20, 0, 30, 9)])
    wound = [np.sign(_area(ring)) for ring in rings(shape)]
    assert wound[0] == wound[2] == -wound[1]


def _area(ring):
    x, y = ring[:, 0], ring[:, 1]
    return (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2


def test_voronoi_cells_hold_what_is_nearest_and_fill_the_district():
    district = boundaries(approval=None, codes=CODES[:1])
    rng = np.random.default_rng(2)
    towns = [f"32061200{number}" for number in range(1, 9)]
    sites = gpd.GeoDataFrame(
        {"town": towns, "name": [f"单元{town[-1]}" for town in towns]},
        geometry=[Point(*place) for place in rng.uniform(500, 9500, (8, 2))],
        crs=coverage.METRES,
    )
    cells = areas.voronoi_cells(sites, district)
    assert cells.geometry.area.sum() == pytest.approx(1e8)
    for place in (Point(*place) for place in rng.uniform(0, 10_000, (50, 2))):
        nearest = sites.loc[sites.distance(place).idxmin(), "town"]
        assert cells.set_index("code").geometry[nearest].distance(place) < 1e-6
    table = shown(pd.DataFrame({"town": towns, "coverage": np.linspace(0, 1, 8)}))
    chart = maps.draw_coverage_map(table, boundaries=cells)
    assert any("非行政区划界线" in note for note in chart.notes)
    assert {f"单元{number}" for number in range(1, 9)} <= set(texts_of(chart.svg))
    with pytest.raises(DataError, match=towns[0]):
        areas.voronoi_cells(sites.assign(geometry=[Point(-501, 0), *sites.geometry[1:]]), district)


def test_a_unit_of_several_points_is_one_region():
    places = [Point(1000, 5000), Point(4000, 5000), Point(9000, 5000)]
    names = {"town": ["a", "a", "b"], "name": ["甲", "甲", "乙"]}
    sites = gpd.GeoDataFrame(names, geometry=places, crs=coverage.METRES)
    cells = areas.voronoi_cells(sites, boundaries(codes=CODES[:1])).set_index("code")
    assert cells.geometry.area.to_dict() == {"a": pytest.approx(6500 * 10_000), "b": pytest.approx(3500 * 10_000)}
    with pytest.raises(DataError, match="two or more units"):
        areas.voronoi_cells(sites[:2], boundaries(codes=CODES[:1]))
    with pytest.raises(DataError, match="a, b"):
        areas.voronoi_cells(sites.assign(geometry=[places[0], places[1], places[1]]), boundaries(codes=CODES[:1]))


def test_the_slider_has_one_step_a_quarter_and_one_set_of_classes():
    table = safe((*SHARES, 0.5, 0.75, 1.0), CODES * 2, quarter=["2023Q4"] * 3 + ["2024Q4"] * 3)
    chart = maps.draw_slider(table, boundaries=boundaries())
    (slider,) = chart.figure.layout.sliders
    assert [step.label for step in slider.steps] == ["2023Q4", "2024Q4"]
    colour_of = {}
    for step, shares in zip(slider.steps, (SHARES, (0.5, 0.75, 1.0)), strict=True):
        style, layout, traces = step.args
        assert list(traces) == [0, 1, 2]
        for share, colour in zip(shares, style["fillcolor"], strict=True):
            assert colour_of.setdefault(share, colour) == colour
        moved = [int(re.search(r"\[(\d+)\]", key)[1]) for key in layout if key.startswith("annotations")]
        shown = [chart.figure.layout.annotations[index].text.split("<br>")[0] for index in moved]
        assert shown == ["通州区", "崇川区", "海门区"]
    assert len(set(colour_of.values())) == 4
    assert chart.title == "Coverage <b>&"  # the legend names the quarter that is shown, the words the last one
    assert "2024年四季度" in chart.alt
    titles = [step.args[1]["legend.title.text"].split("<br>")[0] for step in slider.steps]
    assert titles == ["2023年四季度", "2024年四季度"]
    assert chart.figure.layout.legend.title.text.startswith("2024年四季度<br>")


def test_the_legend_of_a_slider_holds_for_every_quarter():
    table = safe((0.25, None, 1.0, 0.5, 0.75, 1.0), CODES * 2, quarter=["2023Q4"] * 3 + ["2024Q4"] * 3)
    legend = [
        trace.name for trace in maps.draw_slider(table, boundaries=boundaries()).figure.data if trace.type == "bar"
    ]
    assert legend == ["25.0%", "50.0%", "75.0%", "100.0%", terms.text("maps.missing", "zh")]


def test_a_slider_takes_its_quarters_from_the_table_alone():
    with pytest.raises(ParameterError, match="quarter"):
        maps.draw_slider(safe(), boundaries=boundaries())


def test_proposed_sites_are_crosses_with_their_rank():
    sites = stations().points.assign(name=["甲", "乙"])
    chart = maps.draw_coverage_map(safe(), boundaries=boundaries(), sites=sites)
    (mark,) = marks_of(chart)
    assert (mark.marker.symbol, mark.name, len(mark.x)) == ("x", "拟新增站点（2个，示意位置）", 2)
    assert list(mark.text) == ["拟新增第1处 甲", "拟新增第2处 乙"]
    assert len(ElementTree.fromstring(chart.svg).findall(f".//{SVG}path[@class='site']")) == 2 + 1  # and the legend's


def test_a_station_says_its_name_and_not_how_many_work_there():
    posts = stations().points.drop(columns="geometry").assign(posts=[7.0, 30.0], posts_filled=[5.0, 27.0])
    posts["point_kind"] = "surveyed"
    chart = maps.draw_coverage_map(safe(), boundaries=boundaries(), stations=coverage.locate(pd.DataFrame(posts)))
    assert sorted(text for trace in marks_of(chart) for text in trace.text) == ["站&lt;1&gt;", "站2"]
    assert all(trace.customdata is None for trace in marks_of(chart))
    assert "在岗" not in chart.svg


def village_rooms() -> pd.DataFrame:
    """One more than are drawn one by one, in a row."""
    one = stations().points.iloc[[0] * (MANY + 1)].drop(columns="geometry").reset_index(drop=True)
    return pd.DataFrame(
        one.assign(
            station_id=[f"s{n}" for n in one.index],
            x=one["x"] + 0.001 * one.index,
            level="village",
            point_kind="surveyed",
        )
    )


def test_many_points_are_one_shape_of_dots_that_stand_where_the_points_do():
    many = village_rooms()
    chart = maps.draw_coverage_map(safe(), boundaries=boundaries(), stations=coverage.locate(many))
    few = maps.draw_coverage_map(
        safe(), boundaries=boundaries(), stations=coverage.locate(pd.DataFrame(many.iloc[:MANY]))
    )
    assert len(marks_of(chart)[0].text) == MANY + 1
    hundreds = pd.concat([many] * (NAMED // MANY + 1)).reset_index(drop=True)
    hundreds = coverage.locate(hundreds.assign(station_id=hundreds.index.astype("str")))
    (mark,) = marks_of(maps.draw_coverage_map(safe(), boundaries=boundaries(), stations=hundreds))
    assert (mark.text, mark.hoverinfo) == (None, "skip")
    (dots,) = ElementTree.fromstring(chart.svg).findall(f".//{SVG}path[@class='stations']")
    circles = ElementTree.fromstring(few.svg).findall(f".//{SVG}circle")[:MANY]
    found = sorted(line[0] for line in strokes(dots.get("d")))
    assert len(found) == MANY + 1
    drawn = sorted((float(circle.get("cx")), float(circle.get("cy"))) for circle in circles)
    np.testing.assert_allclose(found[:MANY], drawn, atol=0.1001)


def test_bends_too_small_to_be_seen_are_not_drawn_and_neighbours_stay_edge_to_edge():
    wave = [(5 + 0.001 * (-1) ** n, n / 50) for n in range(51)]
    left, right = Polygon([(0, 0), *wave, (0, 1)]), Polygon([(10, 0), *wave, (10, 1)])
    shapes = gpd.GeoDataFrame({"code": ["a", "b"]}, geometry=[left, right], crs=coverage.METRES)
    drawn = to_screen(shapes, 0.1).geometry
    assert [len(shape.exterior.coords) for shape in drawn] == [5, 5]
    assert shapely.coverage_is_valid(drawn.to_numpy())
    apart = shapes.set_geometry([left, box(4, 0, 10, 1)])
    assert to_screen(apart, 0.1).geometry.iloc[0].equals(left)


def test_before_and_after_are_drawn_in_the_same_classes():
    table = safe((*SHARES, 0.5, 0.75, 1.0), CODES * 2, stage=["before"] * 3 + ["after"] * 3)
    shared = [maps.draw_coverage_map(table, boundaries=boundaries(), stage=one) for one in STAGES]
    colours = [{t.text.split("<br>")[1].split()[1]: t.fillcolor for t in regions_of(chart)} for chart in shared]
    assert colours[0]["50.0%"] == colours[1]["50.0%"]
    assert colours[0]["100.0%"] == colours[1]["100.0%"]
    legends = [[trace.name for trace in chart.figure.data if trace.type == "bar"] for chart in shared]
    assert legends[0] == ["25.0%（1个）", "50.0%（1个）", "75.0%（0个）", "100.0%（1个）"]
    assert legends[1] == ["25.0%（0个）", "50.0%（1个）", "75.0%（1个）", "100.0%（1个）"]
    assert [chart.title.split(" · ")[1] for chart in shared] == [terms.text(f"labels.stage_{one}") for one in STAGES]


def test_units_of_a_district_have_tiles_that_keep_their_order_and_show_no_point():
    towns = [f"32061200{number}" for number in range(1, 9)]
    places = [Point(1000 * (number % 3), -1000 * (number // 3)) for number in range(8)]
    units = gpd.GeoDataFrame({"town": towns, "name": towns}, geometry=places, crs=coverage.METRES)
    shapes = areas.regions(boundaries(codes=CODES[:1]), units, layout="tiles").set_index("code").geometry.centroid
    for one in range(8):
        for other in range(8):
            if places[one].x < places[other].x and places[one].y == places[other].y:
                assert shapes[towns[one]].x < shapes[towns[other]].x
    assert len({(round(place.x), round(place.y)) for place in shapes}) == 8
    chart = maps.draw_coverage_map(safe(), boundaries=areas.regions(boundaries(), layout="tiles"), stations=stations())
    assert [trace.mode for trace in chart.figure.data if trace.type == "scatter"] == ["lines"] * 3
    assert STAMP not in texts_of(chart.svg)
    assert any("不标点位" in note for note in chart.notes)
    with pytest.raises(ParameterError, match="did you mean 'tiles'"):
        areas.regions(boundaries(), layout="tile")


def test_that_a_map_is_internal_stands_in_its_corner_and_covers_nothing():
    chart = maps.draw_coverage_map(safe(), boundaries=boundaries())
    (note,) = [one for one in chart.figure.layout.annotations if one.text == STAMP]
    assert (note.xref, note.x, note.xanchor) == ("paper", 0, "left")
    assert (note.yref, note.y, note.yanchor) == ("paper", 0, "top")  # under the map
    (text,) = [node for node in ElementTree.fromstring(chart.svg).iter(f"{SVG}text") if node.text == STAMP]
    shapes = [path.get("d") for path in ElementTree.fromstring(chart.svg).findall(f".//{SVG}path[@class='region']")]
    lowest = max(y for shape in shapes for line in strokes(shape) for _, y in line)
    assert float(text.get("y")) - 12 > lowest


def test_classes_hold_every_value_once_and_name_their_ends():
    values = pd.Series([*np.random.default_rng(7).uniform(0, 1, 40), np.nan])
    for scheme in ("fisher_jenks", "quantiles", "equal"):
        classes = classify(values, scheme=scheme, k=5)
        assert sum(classes.sizes) == 40
        assert classes.of[-1] == -1
        for value, of in zip(values[:-1], classes.of[:-1], strict=True):
            assert classes.ranges[of][0] <= value <= classes.ranges[of][1]
        assert [low for low, _ in classes.ranges] == sorted(low for low, _ in classes.ranges)


def test_natural_breaks_split_where_the_gaps_are():
    classes = classify(pd.Series([0.1, 0.11, 0.12, 0.5, 0.51, 0.9, 0.91]), k=3)
    assert classes.of.tolist() == [0, 0, 0, 1, 1, 2, 2]


def test_few_distinct_values_get_a_class_each():
    same = classify(pd.Series([1.0, 1.0, 1.0]))
    assert (same.scheme, same.sizes, len(same.colours)) == ("each", (3,), 1)
    assert classify(pd.Series([None, None], dtype="float64")).colours == ()
    with pytest.raises(ParameterError, match="k 7"):
        classify(pd.Series([1.0]), k=7)
    with pytest.raises(ParameterError, match="did you mean 'quantiles'"):
        classify(pd.Series([1.0]), scheme="quantile")


def test_a_map_of_equal_figures_says_so():
    chart = maps.draw_coverage_map(safe(shares=(1.0, 1.0, 1.0)), boundaries=boundaries())
    assert "均为100.0%" in chart.alt
    legend = [trace.name for trace in chart.figure.data if trace.type == "bar"]
    assert legend == ["100.0%（3个）"]
    empty = maps.draw_coverage_map(safe(shares=pd.array([None] * 3, "Float64")), boundaries=boundaries())
    assert "均无可显示的数值" in empty.alt


def _lightness(colour):
    """CIE L* of a hex colour."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return 116 * luminance ** (1 / 3) - 16


def test_colours_grow_darker_in_steps_that_a_grey_copy_keeps():
    steps = -np.diff([_lightness(colour) for colour in SEQUENCE])
    assert (steps > 9).all()


def test_the_row_of_the_whole_has_no_shape_and_makes_no_class():
    table = safe((*SHARES, 0.9), (*CODES, "total"))
    chart = maps.draw_coverage_map(table, boundaries=boundaries())
    assert [trace.name for trace in chart.figure.data if trace.type == "bar"] == [
        "25.0%（1个）",
        "50.0%（1个）",
        "100.0%（1个）",
    ]
    assert "90.0%" not in chart.alt


def test_labels_are_moved_apart_until_none_covers_another():
    rng = np.random.default_rng(8)
    places = [tuple(place) for place in rng.uniform(0, 30_000, (26, 2))]
    labels = place_labels([("崇川街道", "50.0%")] * 26, places, metres_a_pixel=50)
    size = 10.5
    for one in range(26):
        for other in range(one):
            x, y = (
                (labels[one].x - labels[other].x) / 50 + labels[one].dx - labels[other].dx,
                -(labels[one].y - labels[other].y) / 50 + labels[one].dy - labels[other].dy,
            )
            assert abs(x) >= 4 * 13.2 * size / 13 or abs(y) >= 2 * size * 1.3
    around = [tuple(place) for place in rng.uniform(0, 30_000, (26, 2))]
    for label in place_labels([("崇川街道", "50.0%")] * 26, places, metres_a_pixel=50, around=around):
        for x, y in around:
            beside = abs((x - label.x) / 50 - label.dx) >= label.box[0] / 2
            assert beside or abs(-(y - label.y) / 50 - label.dy) >= label.box[1] / 2
    assert place_labels([("a", "1")] * 61, [(0.0, 0.0)] * 61, metres_a_pixel=50) == ()


def test_long_names_are_wrapped_and_lose_nothing():
    (label,) = place_labels([("南通市经济技术开发区老洪港", "0.0%")], [(0.0, 0.0)], metres_a_pixel=50)
    assert "".join(label.lines[:-1]) == "南通市经济技术开发区老洪港"
    assert max(map(len, label.lines)) <= 8
