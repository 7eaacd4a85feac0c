"""What results of coverage say of stations without staff, of supervisors, and of the few people in one station."""

import pandas as pd
import pytest

from institute_lib import areas, coverage, disclosure
from institute_lib.result import Provenance, with_provenance
from institute_lib.sharing import Read
from institute_lib.tables.villages import estimate
from tests.rows import WORKER

CHONGCHUAN, TONGZHOU, RUDONG, CITY = "320613", "320612", "320623", "320600"
DAY = "2025-12-31"


def read(name: str, frame: pd.DataFrame, *, personal: bool = False, absent: tuple[str, ...] = ()) -> pd.DataFrame:
    """A table as `Study.load` gives it."""
    one = Read("tables", name, DAY, personal=personal, absent=absent, source="register")
    return with_provenance(frame, Provenance([one]))


def villages_of(district: str) -> list[str]:
    listed = areas.villages(district)["village"]
    return sorted(listed[listed.str[6].isin(["0", "1"]) & listed.str[9].isin(["0", "1", "2"])])


def rooms(filled: list[float], *, level: str = "village", absent: tuple[str, ...] = ()) -> pd.DataFrame:
    """One room a village of Chongchuan, from the list's first; so many of their three posts are filled."""
    rows = [
        {
            "station_id": f"s{number}",
            "name": f"s{number}",
            "level": level,
            "district": CHONGCHUAN,
            "town": village[:9],
            "village": village,
            "opened": pd.Timestamp("2025-01-01" if number == 0 else "2020-01-01"),
            "closed": pd.NaT,
            "posts": 3.0,
            "posts_filled": posts,
            "x": 120.9,
            "y": 32.0,
            "crs": "EPSG:4326",
            "point_kind": "illustrative",
        }
        for number, (village, posts) in enumerate(zip(villages_of(CHONGCHUAN), filled, strict=False))
    ]
    return read("stations", pd.DataFrame(rows).astype({"closed": "datetime64[us]"}), absent=absent)


def network(stations: pd.DataFrame, area: str = CHONGCHUAN) -> coverage.Network:
    return coverage.network(stations, area=area, at=DAY)


def test_a_room_with_nobody_in_post_counts_and_is_said_beside_the_coverage():
    shown = disclosure.protected(coverage.levels(network(rooms([0, 0, 1]))))
    row = {name: figure.value for name, figure in shown.figures(level="village").items()}
    listed = len(coverage.denominators(CHONGCHUAN).query("level == 'village' and counts"))
    assert (row["covered"], row["stations"], row["unstaffed"]) == (3, 3, 2)
    assert row["coverage"] == pytest.approx(3 / listed)
    assert row["staffed_coverage"] == pytest.approx(1 / listed)
    assert "3个村（社区）社工室中2个无人在岗" in shown.summary("zh")
    assert "2 of 3 rooms have nobody in post" in shown.summary("en")


@pytest.mark.parametrize("filled", [4, 9])
def test_the_few_who_staff_the_stations_of_a_level_are_a_bound(filled):
    shown = disclosure.protected(coverage.posts(network(rooms([3.0] * (filled // 3) + [float(filled % 3)] + [0] * 4))))
    village = shown.figures(level="village")
    assert (village["posts_filled"].state, village["posts_filled"].limit) == ("below", 10)
    assert village["vacant_share"].value is None
    assert str(filled) not in [shown.text(place, "posts_filled") for place in range(len(shown.data))]


def test_a_district_that_did_not_report_is_no_unit_of_the_city():
    whole = network(rooms([1]), CITY)
    partly = network(rooms([1], absent=(RUDONG,)), CITY)
    assert set(whole.listed["district"].dropna()) - set(partly.listed["district"].dropna()) == {RUDONG}


def test_sites_in_two_villages_of_one_name_are_told_apart_by_their_towns():
    villages = estimate([TONGZHOU])
    listed = areas.villages(TONGZHOU)
    alike = listed.loc[listed["name"] == "新市社区居委会", "village"]
    known = read("village_population", villages[villages["village"].isin(alike)])
    around = coverage.network(rooms([1]), known, area=TONGZHOU, at=DAY)
    found = coverage.sites(around, around, k=len(alike), radius_m=500).chosen
    named = areas.towns(TONGZHOU).set_index("town").loc[alike.str[:9], "name"] + "新市社区居委会"
    assert len(alike) == 2
    assert set(found.frame["site"]) == set(named)


def test_the_history_of_a_city_is_by_district_and_changes_with_its_rooms():
    shown = disclosure.protected(coverage.history(network(rooms([1, 1]), CITY), quarters=["2024Q4", "2025Q4"]))
    first, last = (shown.figure(area=CHONGCHUAN, quarter=one).value for one in ("2024Q4", "2025Q4"))
    assert last == pytest.approx(2 * first)
    assert shown.figure(area=TONGZHOU, quarter="2025Q4").value == 0


def test_a_district_that_is_late_for_one_quarter_keeps_its_past():
    stations = rooms([1, 1])
    stations.attrs["reported"] = {"2024Q4": {CHONGCHUAN, TONGZHOU}, "2025Q4": {TONGZHOU}}
    shown = disclosure.protected(coverage.history(network(stations, CITY), quarters=["2024Q4", "2025Q4"]))
    told = shown.data.groupby("quarter")["area"].agg(set)
    assert told["2024Q4"] == {CHONGCHUAN, TONGZHOU}
    assert told["2025Q4"] == {TONGZHOU}


def staff() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Forty certified workers in each of two districts; of sixty titles twenty are of people who left."""
    serving = [(f"{code}-{n}", code, None) for code in (CHONGCHUAN, TONGZHOU) for n in range(40)]
    gone = [(f"gone-{n}", CHONGCHUAN, pd.Timestamp("2024-06-30")) for n in range(20)]
    people = [WORKER | {"worker_id": one, "district": code, "left": left} for one, code, left in serving + gone]
    changes = [
        {"worker_id": one["worker_id"], "date": one["entered"], "certificate": "assistant", "caseload": 30.0}
        for one in people
    ]
    held = [*(f"{CHONGCHUAN}-{n}" for n in range(40)), *(f"gone-{n}" for n in range(20))]
    titles = [
        {"person_id": one, "title": "supervisor", "district": RUDONG, "awarded": pd.Timestamp("2023-01-01")}
        for one in held
    ]
    workers = pd.DataFrame(people).assign(left=lambda frame: pd.to_datetime(frame["left"]))
    tables = (("workers", workers), ("worker_changes", pd.DataFrame(changes)), ("talent", pd.DataFrame(titles)))
    return tuple(read(name, frame, personal=True) for name, frame in tables)


def test_supervisors_are_those_in_post_beside_the_certified_of_the_same_districts():
    shown = disclosure.protected(coverage.staff(*staff(), at=DAY))
    whole = shown.figures(district="total")
    assert whole["supervisors_to_certified"].value == pytest.approx(40 / 80)
    assert shown.figure("supervisors_to_certified", district=CHONGCHUAN).cell("zh").startswith(">")
    assert shown.figure("supervisors_to_certified", district=TONGZHOU).cell("zh").startswith("<")
    residents = areas.population().set_index("code")["population"][[CHONGCHUAN, TONGZHOU]].sum()
    assert whole["certified_in_post_per_10k"].value == pytest.approx(10_000 * 80 / residents, rel=0.01)


def test_the_national_norm_and_published_counts_stand_exactly():
    shown = disclosure.protected(coverage.published_norms())
    assert shown.figure("community_norm_per_10k", area="nation").value == 18
    assert shown.figure("holders_per_10k", area="320200").value == 28.3
    assert not shown.guarded


def test_what_suzhou_published_stays_apart_from_ratios_over_lists():
    stations = rooms([1]).assign(district="320505", town=None, village=None)
    shown = disclosure.protected(coverage.published_coverage(read("stations", stations), area="320500"))
    stated = shown.figures(level="village", basis="published")
    assert (stated["stated"].value, stated["ratio_of_counts"].state) == (1, "missing")
    assert shown.figure("ratio_of_counts", level="village", basis="legal").value == pytest.approx(2172 / 2013)


def test_where_no_station_has_coordinates_coverage_stands_and_nothing_is_said_of_distances():
    stations = rooms([1, 1]).assign(x=float("nan"))
    bare = network(stations.assign(level=["town", "village"]))
    assert disclosure.protected(coverage.levels(bare)).figure("covered", level="town").value == 1
    assert not bare.placed
    assert coverage.reaching(bare, bare, catchment_m=5000).inequality is None
    assert coverage.sites(bare, bare, k=1, radius_m=2500).summary is None
    assert coverage.choices(bare, catchments_m=(2500,)) is None


def test_many_records_with_one_fault_are_told_by_the_first_of_them():
    stations = rooms([1] * 60).assign(x=float("nan"))
    told = coverage.left_out(network(stations)).frame
    assert (len(told), told["like_it"].iloc[0]) == (1, 59)
    few = coverage.left_out(network(stations.head(3))).frame
    assert list(few["row"]) == ["s0", "s1", "s2"]
