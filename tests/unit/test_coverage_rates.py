"""Coverage, its denominators, and staffing, by hand on a small network."""

import json

import pandas as pd
import pytest

from institute_lib import areas, coverage
from institute_lib.errors import DataError, ParameterError

CHONGCHUAN, TONGZHOU = "320613", "320612"
TOWN_A, TOWN_B, ZONE = "320613001", "320613002", "320613401"
ROOMS = ["320613001001", "320613001002", "320613002001"]


def station(station_id, level="town", *, district=CHONGCHUAN, opened="2020-01-01", closed=None, unit=None):
    """One row of the stations table; `unit` is its town or village."""
    return {
        "station_id": station_id,
        "name": station_id,
        "level": level,
        "district": district,
        "town": unit[:9] if unit else None,
        "village": unit if level == "village" else None,
        "opened": pd.Timestamp(opened),
        "closed": pd.NaT if closed is None else pd.Timestamp(closed),
        "posts": 3.0,
        "posts_filled": 2.0,
    }


def table(*rows):
    return pd.DataFrame(rows).astype({"opened": "datetime64[us]", "closed": "datetime64[us]"})


@pytest.fixture
def units():
    """Two towns that count, one zone that does not, three villages, two districts."""
    rows = [
        ("city", "320600", None, None, True),
        ("district", CHONGCHUAN, None, CHONGCHUAN, True),
        ("district", TONGZHOU, None, TONGZHOU, True),
        *(("town", code, code, CHONGCHUAN, code != ZONE) for code in (TOWN_A, TOWN_B, ZONE)),
        ("town", "320612001", "320612001", TONGZHOU, True),
        *(("village", code, code[:9], CHONGCHUAN, True) for code in ROOMS),
    ]
    frame = pd.DataFrame(rows, columns=["level", "unit", "town", "district", "counts"]).assign(city="320600")
    frame.attrs = {"list": "legal", "include": (), "vintage": "2023"}
    return frame


def cell(rates, level, column, **keys):
    chosen = rates[rates["level"] == level]
    for name, value in keys.items():
        chosen = chosen[chosen[name] == value]
    assert len(chosen) == 1
    return chosen[column].iloc[0]


def test_two_stations_in_one_town_cover_it_once(units):
    stations = table(station("a", unit=TOWN_A), station("b", unit=TOWN_A))
    rates = coverage.rates(stations, at="2024-12-31", denominators=units)
    assert cell(rates, "town", "coverage", district=CHONGCHUAN) == 0.5
    assert cell(rates, "town", "stations", district=CHONGCHUAN) == 2
    assert cell(rates, "town", "coverage", district=TONGZHOU) == 0.0


def test_a_station_outside_the_list_is_counted_apart_and_covers_nothing(units):
    rates = coverage.rates(table(station("z", unit=ZONE)), at="2024-12-31", denominators=units)
    assert cell(rates, "town", "covered", district=CHONGCHUAN) == 0
    assert cell(rates, "town", "outside_list", district=CHONGCHUAN) == 1


def test_levels_are_counted_each_over_its_own_units(units):
    rows = [station(code, "village", unit=code) for code in ROOMS[:2]]
    stations = table(*rows, station("d", "district"), station("c", "city"))
    by_city = coverage.rates(stations, at="2024Q4", by="city", denominators=units).set_index("level")["coverage"]
    assert by_city.to_dict() == {"city": 1.0, "district": 0.5, "town": 0.0, "village": pytest.approx(2 / 3)}
    by_town = coverage.rates(stations, at="2024Q4", by="town", denominators=units)
    assert cell(by_town, "village", "coverage", town=TOWN_A) == 1.0
    assert cell(by_town, "village", "coverage", town=TOWN_B) == 0.0


@pytest.mark.parametrize(
    ("day", "covered"), [("2019-12-31", 0), ("2020-01-01", 1), ("2022-06-29", 1), ("2022-06-30", 0), ("2022Q2", 0)]
)
def test_a_station_works_from_its_opening_to_the_day_before_it_closed(units, day, covered):
    stations = table(station("a", unit=TOWN_A, opened="2020-01-01", closed="2022-06-30"))
    rates = coverage.rates(stations, at=day, denominators=units)
    assert cell(rates, "town", "covered", district=CHONGCHUAN) == covered


def test_coverage_over_time_follows_the_opening_dates(units):
    stations = table(station("a", unit=TOWN_A, opened="2020-05-01"), station("b", unit=TOWN_B, opened="2021-02-01"))
    history = coverage.over_time(stations, quarters=["2020Q1", "2020Q2", "2021Q1"], denominators=units)
    towns = history[(history["level"] == "town") & (history["district"] == CHONGCHUAN)]
    assert towns["coverage"].tolist() == [0.0, 0.5, 1.0]


def test_every_fault_of_the_stations_is_named_at_once(units):
    stations = table(
        station("twice", unit=TOWN_A),
        station("twice", unit=TOWN_B),
        station("reversed", unit=TOWN_A, opened="2022-01-01", closed="2021-01-01"),
        station("nowhere", unit="320613999"),
        station("no town", unit=None),
        station("room", "village", unit="320613001999"),
        station("merged", unit=TOWN_A, district="320611"),
        station("absent", unit="320681001", district="320681"),
        station("moved", unit=TOWN_A, district=TONGZHOU),
        station("unopened", unit=TOWN_A, opened=None),
        station("levelless", "street", unit=TOWN_A),
    )
    with pytest.raises(DataError) as caught:
        coverage.rates(stations, at="2024-12-31", denominators=units)
    found = {(fault.row, fault.column, fault.value) for fault in caught.value.faults}
    assert found == {
        ("twice", "station_id", "twice"),
        ("reversed", "closed", "2021-01-01"),
        ("nowhere", "town", "320613999"),
        ("no town", "town", None),
        ("room", "village", "320613001999"),
        ("merged", "district", "320611"),
        ("absent", "district", "320681"),
        ("moved", "district", TONGZHOU),
        ("unopened", "opened", None),
        ("levelless", "level", "street"),
    }
    remedies = {fault.value: f"{fault.rule} {fault.remedy}" for fault in caught.value.faults}
    assert CHONGCHUAN in remedies["320611"]
    assert "lacks Qidong City" in remedies["320681"]
    assert f"lies in district {CHONGCHUAN}" in remedies[TONGZHOU]
    json.dumps([fault.to_dict() for fault in caught.value.faults])
    rows = {language: coverage.fault_rows(*caught.value.faults, language=language) for language in ("zh", "en")}
    assert rows["en"]["rule"].tolist() == [fault.rule for fault in caught.value.faults]
    for column in ("rule", "remedy"):
        assert rows["zh"][column].str.contains("[\u4e00-\u9fff]").all()
        assert not rows["en"][column].str.contains("[\u4e00-\u9fff]").any()
        assert rows["zh"][column].nunique() == rows["en"][column].nunique()
    said = rows["zh"].set_index("value")
    assert said.loc["320681", "rule"] == "区县应在分母名单内，名单缺启东市"
    assert said.loc["320611", "remedy"] == "该区划已调整，现为崇川区（320613），请改用现行代码"


def test_a_missing_column_or_a_date_that_is_none_is_named(units):
    stations = table(station("a", unit=TOWN_A))
    with pytest.raises(DataError, match="column posts"):
        coverage.rates(stations.drop(columns="posts"), at="2024Q4", denominators=units)
    with pytest.raises(DataError, match="denominators: column district"):
        coverage.rates(stations, at="2024Q4", denominators=units.drop(columns="district"))
    with pytest.raises(DataError, match="'in May' – a day"):
        coverage.rates(stations.assign(opened="in May"), at="2024Q4", denominators=units)
    with pytest.raises(ParameterError, match="no quarter"):
        coverage.over_time(stations, quarters=[], denominators=units)


def test_without_a_list_the_legal_one_of_the_stations_city_is_taken_and_said():
    rates = coverage.rates(table(station("a", unit=TOWN_A), station("z", unit=ZONE)), at="2024Q4")
    assert (rates.attrs["list"], rates.attrs["vintage"]) == ("legal", "2023")
    assert set(rates["district"]) == {area.code for area in areas.districts("320600")}
    assert cell(rates, "town", "covered", district=CHONGCHUAN) == 1
    assert cell(rates, "town", "units", district=CHONGCHUAN) == 16 + 4  # 4 subdistricts of the development zone
    assert cell(rates, "town", "outside_list", district=CHONGCHUAN) == 1


def test_a_station_of_the_development_zone_counts_in_its_host():
    own = station("z", unit="320671001", district="320671")
    rates = coverage.rates(table(own), at="2024Q4")
    assert cell(rates, "town", "covered", district=CHONGCHUAN) == 1


def test_a_list_of_ones_own_is_taken_as_it_is_and_called_so(units):
    own = pd.DataFrame(units.drop(columns="counts"))
    own.attrs = {}
    rates = coverage.rates(table(station("z", unit=ZONE)), at="2024Q4", denominators=own)
    assert cell(rates, "town", "coverage", district=CHONGCHUAN) == pytest.approx(1 / 3)
    assert "自备名单" in coverage.denominator(rates)


def test_an_unknown_level_of_detail_or_day_is_refused(units):
    with pytest.raises(ParameterError, match="did you mean 'district'"):
        coverage.rates(table(station("a", unit=TOWN_A)), at="2024Q4", by="distric", denominators=units)
    with pytest.raises(ParameterError, match="2024-13-01"):
        coverage.rates(table(station("a", unit=TOWN_A)), at="2024-13-01", denominators=units)


@pytest.mark.parametrize(
    ("include", "name", "towns", "villages"),
    [
        ((), "legal", 91, 2013),
        (("zones",), "committees", 118, 2226),
        (("zones", "virtual"), "all", 118, 2248),
    ],
)
def test_the_lists_of_suzhou_hold_as_many_units_as_the_county_counts_say(include, name, towns, villages):
    units = coverage.denominators("320500", include=include)
    counted = units[units["counts"]].groupby("level").size()
    assert (counted["town"], counted["village"], units.attrs["list"]) == (towns, villages, name)
    counts = areas.reference("county_counts")
    own = counts[counts["city"] == "苏州市"]
    whole = coverage.denominators("320500", include=("zones", "virtual"))
    assert (whole["level"] == "village").sum() == own["village_level_units"].sum()


def test_the_development_zone_counts_where_its_polygon_lies():
    units = coverage.denominators("320613", include=("zones", "virtual"))
    towns = units[units["level"] == "town"]["unit"]
    assert len(towns) == 16 + 3 + 7
    rates = coverage.rates(table(station("a", unit=TOWN_A)), at="2024Q4", by="town", denominators=units)
    assert cell(rates, "town", "name", town=TOWN_A) == "城东街道"
    assert rates["name"].notna().all()
    assert towns.str.startswith("320671").sum() == 7
    assert set(units["district"]) == {CHONGCHUAN}


def test_an_unknown_part_of_a_list_is_refused():
    with pytest.raises(ParameterError, match="did you mean 'zones'"):
        coverage.denominators("320500", include=("zone",))


def test_a_published_count_stands_beside_every_list_and_its_own_share_stays_apart():
    lists = [coverage.denominators("320500", include=extra) for extra in ((), ("zones",), ("zones", "virtual"))]
    beside = coverage.beside_published(areas.reference("published_facts"), lists, area="320500")
    rooms = beside[beside["level"] == "village"].set_index("basis")
    assert rooms.loc["published", "share"] == 1.0
    assert pd.isna(rooms.loc["published", "units"])
    assert rooms["count"].unique() == [2172]
    assert rooms.loc["legal", "share"] == pytest.approx(2172 / 2013)
    assert rooms.loc["committees", "share"] == pytest.approx(2172 / 2226)
    assert rooms.loc["all", "share"] == pytest.approx(2172 / 2248)
    towns = beside[beside["level"] == "town"].set_index("basis")
    assert towns.loc["legal", ["count", "units"]].tolist() == [99, 91]


def test_the_register_is_counted_on_the_day_of_the_published_fact():
    stations = table(station("a", opened="2023-12-31"), station("b", opened="2024-01-01"))
    lists = [coverage.denominators("320500")]
    facts = areas.reference("published_facts")
    beside = coverage.beside_published(facts, lists, area="320500", stations=stations)
    assert set(beside[beside["level"] == "town"]["registered"]) == {1.0}
    with pytest.raises(DataError, match="320100"):
        coverage.beside_published(facts, lists, area="320100")


def test_a_rate_names_its_list_in_both_languages(units):
    rates = coverage.rates(table(station("a", unit=TOWN_A)), at="2024Q4", denominators=units)
    assert coverage.denominator(rates, "en").startswith("subdistricts, towns and townships with their committees")
    assert coverage.denominator(rates).startswith("街道、镇、乡")


def test_staffing_counts_people_in_service_and_their_newest_state():
    workers = pd.DataFrame(
        {
            "worker_id": ["a", "b", "c", "d"],
            "kind": ["community", "agency", "community", "community"],
            "district": ["320671", *[CHONGCHUAN] * 2, TONGZHOU],  # the first one's is the zone inside Chongchuan
            "entered": pd.to_datetime(["2020-01-01", "2021-01-01", "2020-01-01", "2025-01-01"]),
            "left": pd.to_datetime([None, None, "2024-01-01", None]),
        }
    )
    changes = pd.DataFrame(
        {
            "worker_id": ["a", "a", "b", "c", "a"],
            "date": pd.to_datetime(["2020-01-01", "2022-01-01", "2021-01-01", "2020-01-01", "2025-01-01"]),
            "certificate": ["none", "assistant", "none", "senior", "senior"],
            "caseload": [10.0, 20.0, None, 99.0, 50.0],
        }
    )
    talent = pd.DataFrame(
        {
            "person_id": ["p", "p", "q"],
            "title": ["supervisor", "supervisor_trainee", "lecturer"],
            "district": CHONGCHUAN,
            "awarded": pd.Timestamp("2023-01-01"),
        }
    )
    residents = pd.DataFrame({"code": [CHONGCHUAN, TONGZHOU], "population": [20_000, 10_000]})
    staff = coverage.staffing(
        workers, changes, at="2024-12-31", residents=residents, talent=talent, norms={"certified_per_10k": 2}
    ).set_index("district")
    own = staff.loc[CHONGCHUAN]
    assert (own["workers"], own["certified"], own["supervisors"]) == (2, 1, 1)
    assert (own["certified_per_10k"], own["certified_per_10k_gap"]) == (0.5, -1.5)
    assert (own["caseload"], own["caseload_known"], own["caseload_per_worker"]) == (20, 1, 20)
    assert (own["community"], own["community_per_10k"]) == (1, 0.5)
    assert (own["supervisors_per_10k"], own["caseload_per_10k"]) == (0.5, 10)
    assert staff.loc[TONGZHOU, "workers"] == 0
    without = coverage.staffing(workers, changes, at="2024-12-31", residents=residents)
    assert without["supervisors"].isna().all()
    with pytest.raises(ParameterError, match="certified_per_10k"):
        coverage.staffing(workers, changes, at="2024-12-31", residents=residents, norms={"certified_per_10": 1})


def test_norms_come_from_the_reference_data_with_their_source_and_standing():
    norms = coverage.norms()
    binding = norms[norms["kind"] == "norm"]
    assert binding[["measure", "geo", "value", "status"]].to_numpy().tolist() == [
        ["community_per_10k", "全国", 18.0, "recalled"]
    ]
    compared = norms[norms["measure"] == "certified_per_10k"].set_index("geo")["value"]
    assert compared.to_dict() == {"南京": 19.0, "无锡": 28.3, "湖州": 87.0}
    assert norms["source"].str.len().gt(5).all()
