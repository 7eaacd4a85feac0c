"""Points, access, equity and siting: by hand, by brute force, and by laws that any right answer keeps."""

from dataclasses import replace
from itertools import combinations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import Point, box

from institute_lib import areas, coverage
from institute_lib.coverage import catchment
from institute_lib.errors import DataError, EstimationError, Fault, ParameterError


def points(places, **columns):
    return gpd.GeoDataFrame(columns, geometry=[Point(*place) for place in places], crs=coverage.METRES)


def cloud(rng, number, size, **columns):
    return points(rng.uniform(0, size, (number, 2)), **columns)


# --- points

INSIDE = {"x": 120.9, "y": 31.98, "crs": "EPSG:4326", "district": "320613"}


def located(rows, **options):
    frame = pd.DataFrame([INSIDE | {"station_id": str(index)} | row for index, row in enumerate(rows)])
    return coverage.locate(frame, boundaries=areas.boundaries("320600"), **options)


def test_a_point_lands_where_it_is_in_either_system():
    lon, lat = (float(part) for part in areas.wgs84_to_gcj02(INSIDE["x"], INSIDE["y"]))
    found = located([{}, {"x": lon, "y": lat, "crs": "GCJ-02"}]).points
    assert found.geometry.iloc[0].distance(found.geometry.iloc[1]) < 0.01
    unshifted = located([{"x": lon, "y": lat}]).points
    assert 400 < found.geometry.iloc[0].distance(unshifted.geometry.iloc[0]) < 600


@pytest.mark.parametrize(
    ("row", "rule", "remedy"),
    [
        ({"x": None}, "has a point", "survey"),
        ({"x": INSIDE["y"], "y": INSIDE["x"]}, "not swapped", "exchange"),
        ({"x": 0.0, "y": 0.0}, "degrees within China", "degrees"),
        ({"crs": "BD-09"}, "a declared system", "where the point was read"),
        ({"x": 118.8, "y": 32.06}, "lies in the area", "check the point"),
        ({"district": "320681"}, "at most 500 m outside 320681", "m off"),
        ({"district": "320500"}, "a district with a boundary", "own stations"),
    ],
)
def test_each_wrong_point_is_refused_by_name_or_left_out_and_counted(row, rule, remedy):
    with pytest.raises(DataError) as caught:
        located([{}, row])
    (fault,) = caught.value.faults
    assert (fault.table, fault.row) == ("stations", "1")
    assert rule in fault.rule
    assert remedy in fault.remedy
    kept = located([{}, row], on_fault="leave_out")
    assert (len(kept.points), kept.left_out) == (1, 1)
    assert "2个点位中1个可用，1个未上图" in kept.summary()


def test_a_row_that_the_map_leaves_out_is_listed_with_its_reason_in_the_readers_language():
    found = located([{}, {"x": None}, {"district": "320681"}], on_fault="leave_out")
    words = {language: coverage.fault_rows(*found.faults, language=language) for language in ("zh", "en")}
    assert words["zh"]["rule"].tolist() == ["上图站点应有坐标", "点位至多在区县320681界外500米"]
    assert words["en"]["rule"].tolist() == ["a station on the map has a point", "at most 500 m outside 320681"]
    assert words["zh"]["remedy"][1].endswith("米，请核对坐标或区县")
    plain = Fault("stations", "b", "town", "1", "a rule of another room", "its remedy")
    (row,) = coverage.fault_rows(plain, language="zh").to_dict("records")
    assert (row["rule"], row["remedy"]) == ("a rule of another room", "its remedy")


def test_every_bad_row_is_reported_though_labels_repeat_and_a_zone_stands_in_its_host():
    frame = pd.DataFrame(
        [
            INSIDE | {"station_id": "a"},
            INSIDE | {"station_id": "a"},
            INSIDE | {"station_id": "z", "district": "320671"},
            INSIDE | {"station_id": "text", "x": "東經"},
            INSIDE | {"station_id": "none", "x": None, "y": None},
        ],
        index=[0, 0, 1, 1, 1],
    )
    found = coverage.locate(frame, boundaries=areas.boundaries("320600"), on_fault="leave_out")
    assert [(fault.row, fault.column, fault.value) for fault in found.faults] == [
        ("a", "station_id", "a"),
        ("text", "x", "東經, 31.98000"),
        ("none", "x", None),
    ]
    assert found.points["station_id"].tolist() == ["a", "z"]
    assert found.points.index.tolist() == [0, 1]
    with pytest.raises(DataError, match="column crs"):
        coverage.locate(frame.drop(columns="crs"))


def test_rows_that_cannot_be_counted_are_left_off_the_map_as_well():
    frame = pd.DataFrame([INSIDE | {"station_id": name} for name in ("a", "b")])
    fault = Fault("stations", "b", "town", "320613999", "a town code of the list")
    found = coverage.locate(frame, on_fault="leave_out", uncounted=[fault])
    assert (found.left_out, found.faults) == (1, (fault,))
    rows = coverage.fault_rows(*found.faults)
    assert rows.loc[0, ["row", "column", "value"]].tolist() == ["b", "town", "320613999"]


def test_a_point_a_little_outside_its_district_is_kept():
    shape = areas.boundaries("320600").to_crs(coverage.METRES).set_index("code").geometry["320613"]
    edge = shape.exterior if shape.geom_type == "Polygon" else max(shape.geoms, key=lambda part: part.area).exterior
    beside = next(
        place
        for place in (edge.interpolate(metre) for metre in range(0, int(edge.length), 500))
        for place in (Point(place.x + 300, place.y), Point(place.x - 300, place.y))
        if 200 < place.distance(shape) < 320
    )
    lonlat = gpd.GeoSeries([beside], crs=coverage.METRES).to_crs("EPSG:4326").iloc[0]
    assert located([{"x": lonlat.x, "y": lonlat.y}]).left_out == 0
    assert located([{"x": lonlat.x, "y": lonlat.y}], tolerance_m=100, on_fault="leave_out").left_out == 1


# --- access


def test_step_access_by_hand():
    demand = points([(0, 0), (1000, 0), (9000, 0)], population=[100, 300, 50])
    supply = points([(0, 0), (1500, 0)], posts_filled=[4, 6])
    scores = coverage.access(demand, supply, catchment_m=1000)
    # Station 1 serves 400 people with 4 posts, station 2 serves 300 with 6; the first point reaches only station 1.
    assert scores["access"].tolist() == pytest.approx([100, 100 + 200, 0])
    assert scores["nearest_m"].tolist() == pytest.approx([0, 500, 7500])
    assert scores["reached"].tolist() == [1, 2, 0]


def brute_access(demand, supply, weigh):
    distance = np.array([[a.distance(b) for b in supply.geometry] for a in demand.geometry])
    weights = weigh(distance)
    people, posts = demand["population"].to_numpy(), supply["posts_filled"].to_numpy()
    return 10_000 * weights @ (posts / (people @ weights))


def test_gaussian_access_is_the_formula_written_out():
    rng = np.random.default_rng(3)
    demand = cloud(rng, 60, 5000, population=rng.integers(1, 900, 60))
    supply = cloud(rng, 25, 5000, posts_filled=rng.integers(1, 9, 25))
    scores = coverage.access(demand, supply, catchment_m=2000, decay="gaussian", bandwidth_m=800)
    expected = brute_access(demand, supply, lambda d: np.where(d <= 2000, np.exp(-(d**2) / (2 * 800**2)), 0))
    np.testing.assert_allclose(scores["access"], expected, rtol=1e-12)
    default = coverage.access(demand, supply, catchment_m=2000, decay="gaussian")
    at_edge = brute_access(demand, supply, lambda d: np.where(d <= 2000, 0.01 ** ((d / 2000) ** 2), 0))
    np.testing.assert_allclose(default["access"], at_edge, rtol=1e-9)


@pytest.mark.parametrize("decay", catchment.DECAYS)
def test_people_receive_together_what_the_stations_within_reach_hold(decay, monkeypatch):
    rng = np.random.default_rng(4)
    demand = cloud(rng, 300, 20_000, population=rng.integers(0, 900, 300))
    supply = cloud(rng, 80, 20_000, posts_filled=rng.integers(0, 9, 80))
    whole = coverage.access(demand, supply, catchment_m=1500, decay=decay)
    near = [demand["population"][demand.distance(place) <= 1500].sum() > 0 for place in supply.geometry]
    received = (whole["access"] / 10_000 * demand["population"]).sum()
    assert received == pytest.approx(supply["posts_filled"][near].sum())
    monkeypatch.setattr(catchment, "_PAIRS_AT_ONCE", 7)
    in_blocks = coverage.access(demand, supply, catchment_m=1500, decay=decay)
    np.testing.assert_allclose(in_blocks["access"], whole["access"], rtol=1e-12)


def test_access_refuses_degrees_mixed_systems_and_negative_people():
    demand, supply = points([(0, 0)], population=[1]), points([(0, 0)], posts_filled=[1])
    with pytest.raises(DataError, match="metres"):
        coverage.access(demand.to_crs("EPSG:4326"), supply.to_crs("EPSG:4326"), catchment_m=1000)
    with pytest.raises(DataError, match="metres"):
        coverage.access(demand, supply.to_crs("EPSG:4326"), catchment_m=1000)
    with pytest.raises(DataError, match="population is missing or negative in 1 rows"):
        coverage.access(demand.assign(population=-1), supply, catchment_m=1000)
    with pytest.raises(DataError, match="supply: column posts_filled"):
        coverage.access(demand, supply.drop(columns="posts_filled"), catchment_m=1000)
    nowhere = demand.set_geometry(gpd.GeoSeries([Point()], crs=coverage.METRES))
    with pytest.raises(DataError, match="no point in 1 rows: 0"):
        coverage.access(nowhere, supply, catchment_m=1000)
    with pytest.raises(ParameterError, match="'gaussian'"):
        coverage.access(demand, supply, catchment_m=1000, decay="gausian")
    with pytest.raises(ParameterError, match="above zero"):
        coverage.access(demand, supply, catchment_m=0)


def test_access_without_any_station_is_nothing_and_far():
    empty = points([], posts_filled=[])
    scores = coverage.access(points([(0, 0)], population=[5]), empty, catchment_m=1000)
    assert scores["access"].tolist() == [0]
    assert scores["nearest_m"].isna().all()


def test_access_is_summed_up_over_people_not_points():
    demand = points([(0, 0), (5000, 0), (0, 100)], population=[10, 80, 10], district=["a", "a", "b"])
    scores = coverage.access(demand, points([(0, 0)], posts_filled=[2]), catchment_m=1000)
    summed = coverage.Access(scores)
    assert summed.without == 0.8
    assert summed.median_distance_m == 5000
    assert summed.to_frame().set_index("district")["without"].to_dict() == {"a": pytest.approx(80 / 90), "b": 0}
    assert "80.0% have none within 1.0 km" in summed.summary("en")


def test_access_by_town_is_what_each_town_has_alone():
    rng = np.random.default_rng(8)
    demand = cloud(rng, 60, 9000, population=rng.integers(0, 50, 60), town=list("abcdef") * 10)
    demand.loc[demand["town"] == "f", "population"] = 0
    scores = coverage.access(demand, cloud(rng, 9, 9000, posts_filled=np.ones(9)), catchment_m=1500)
    by_town = coverage.Access(scores).by("town").set_index("town")
    for town in "abcde":
        alone = coverage.Access(scores[scores["town"] == town])
        assert by_town.loc[town].tolist() == pytest.approx(
            [scores.loc[scores["town"] == town, "population"].sum(), alone.mean, alone.median_distance_m, alone.without]
        )
    assert by_town.loc["f", ["access", "median_m", "without"]].isna().all()


def test_access_is_told_under_other_choices():
    rng = np.random.default_rng(9)
    demand = cloud(rng, 50, 9000, population=rng.integers(1, 50, 50))
    supply = cloud(rng, 9, 9000, posts_filled=np.ones(9))
    told = coverage.access_choices(demand, supply, catchments_m=(1, 1500)).set_index(["decay", "catchment_m"])
    scores = coverage.access(demand, supply, catchment_m=1500, decay="gaussian")
    assert told.loc[("gaussian", 1500), "without"] == coverage.Access(scores).without
    assert told.loc[("gaussian", 1500), "gini"] == coverage.equity(scores, value="access", weight="population").gini
    assert told.loc[("step", 1), ["without", "gini"]].isna().tolist() == [False, True]


def test_decimals_and_days_with_a_zone_are_read_as_numbers_and_days():
    from decimal import Decimal

    demand, supply = points([(0, 0), (900, 0)], population=[30, 70]), points([(0, 0)], posts_filled=[2])
    exact = demand.assign(population=[Decimal("30"), Decimal("70")]), supply.assign(posts_filled=[Decimal("2")])
    pd.testing.assert_series_equal(
        coverage.access(*exact, catchment_m=1000)["access"], coverage.access(demand, supply, catchment_m=1000)["access"]
    )
    sites = coverage.next_stations(
        exact[0], points([(900, 0)], cost=[Decimal("1")]), k=1, radius_m=10, cost="cost", budget=1
    )
    assert sites.people_after == 70
    opened = (
        pd.Series(pd.to_datetime(["2024-01-01", "2025-01-01"])).dt.tz_localize("Asia/Shanghai").dt.tz_convert("UTC")
    )
    stations = pd.DataFrame({"opened": opened, "closed": pd.Series([pd.NaT] * 2).dt.tz_localize("UTC")})
    assert coverage.working(stations, at="2024-01-01").index.tolist() == [0]


# --- equity


def grid(size, values):
    cells = [box(x, y, x + 1, y + 1) for y in range(size) for x in range(size)]
    return gpd.GeoDataFrame({"value": values, "people": 1.0}, geometry=cells, crs=coverage.METRES)


def test_gini_is_half_the_mean_difference_over_the_mean():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"value": rng.gamma(2, 3, 40), "people": rng.integers(1, 50, 40)})
    persons = np.repeat(frame["value"], frame["people"]).to_numpy()
    expected = np.abs(persons[:, None] - persons).mean() / (2 * persons.mean())
    found = coverage.equity(frame, value="value", weight="people")
    assert found.gini == pytest.approx(expected)
    assert found.lorenz.iloc[0].tolist() == [0, 0]
    assert found.lorenz.iloc[-1].tolist() == pytest.approx([1, 1])


def test_deciles_are_read_off_the_lorenz_curve():
    found = coverage.equity(pd.DataFrame({"v": [0.0, 1, 3], "w": [5, 4, 1]}), value="v", weight="w")
    told = found.deciles().set_index("people")["value"]
    assert told.loc[[0, 0.5, 1]].tolist() == [0, 0, 1]
    assert told.iloc[9] == pytest.approx(4 / 7)


def test_equal_shares_have_no_inequality_and_one_owner_has_all_of_it():
    equal = coverage.equity(pd.DataFrame({"v": [2.0] * 5, "w": [1, 2, 3, 4, 5]}), value="v", weight="w")
    assert (equal.gini, equal.theil) == (pytest.approx(0), pytest.approx(0))
    one = coverage.equity(pd.DataFrame({"v": [0.0, 0, 0, 4], "w": [1] * 4}), value="v", weight="w")
    assert (one.gini, one.theil) == (pytest.approx(0.75), pytest.approx(np.log(4)))


def test_theil_within_and_between_make_up_the_whole():
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({"v": rng.gamma(2, 3, 30), "w": rng.integers(1, 50, 30), "g": ["a", "b", "c"] * 10})
    found = coverage.equity(frame, value="v", weight="w", group="g")
    assert found.theil_between + found.theil_within == pytest.approx(found.theil)
    alone = coverage.equity(frame[frame["g"] == "a"], value="v", weight="w")
    assert found.groups.set_index("group").loc["a", "theil"] == pytest.approx(alone.theil)


def brute_moran(values, neighbours):
    z = values - values.mean()
    sums = [np.mean([z[other] for other in near]) for near in neighbours]
    return (z * sums).sum() / (z**2).sum()


def test_moran_is_the_formula_written_out_and_a_gradient_is_no_accident():
    values = np.add.outer(np.arange(6.0), np.arange(6.0)).ravel()
    frame = grid(6, values)
    queen = [
        [6 * b + a for b in range(6) for a in range(6) if max(abs(a - x), abs(b - y)) == 1]
        for y in range(6)
        for x in range(6)
    ]
    found = coverage.equity(frame, value="value", weight="people").moran
    assert found.i == pytest.approx(brute_moran(values, queen))
    assert found.p_value == 1 / 1000
    assert found.expected == pytest.approx(-1 / 35)
    shuffled = np.random.default_rng(1).permutation(values)
    assert coverage.equity(grid(6, shuffled), value="value", weight="people").moran.p_value > 0.05


def test_moran_is_refused_with_the_reason_below_thirty_units_or_without_a_map():
    few = coverage.equity(grid(5, np.arange(25.0)), value="value", weight="people")
    assert few.moran is None
    assert "25 units, at least 30" in few.moran_reason
    assert few.moran_reason in few.warnings
    assert "仅25个单元" in few.summary()
    no_map = coverage.equity(
        pd.DataFrame(grid(6, np.arange(36.0)).drop(columns="geometry")), value="value", weight="people"
    )
    assert "no geometry" in no_map.moran_reason


def test_moran_says_why_it_is_refused_where_no_unit_touches_or_all_are_alike():
    rng = np.random.default_rng(0)
    dots = cloud(rng, 40, 1000, value=rng.random(40), people=1.0)
    assert "points do not touch" in coverage.equity(dots, value="value", weight="people").moran_reason
    assert coverage.equity(dots, value="value", weight="people", neighbours="nearest").moran is not None
    apart = grid(6, rng.random(36))
    apart["geometry"] = [box(3 * n, 0, 3 * n + 1, 1) for n in range(36)]
    found = coverage.equity(apart, value="value", weight="people")
    assert "0 units have a neighbour" in found.moran_reason
    assert "不足30个" in found.summary()
    same = coverage.equity(grid(6, np.ones(36)), value="value", weight="people")
    assert "the same in every unit" in same.moran_reason


def test_units_that_did_not_report_are_left_out_and_said():
    frame = pd.DataFrame({"v": [1.0, None, 3.0], "w": [1, 1, 1]})
    found = coverage.equity(frame, value="v", weight="w")
    assert found.units == 2
    assert "1 of 3 units" in found.warnings[0]
    empty = coverage.equity(frame.fillna(2).assign(w=[1, 0, 1]), value="v", weight="w")
    assert (empty.units, empty.mean) == (2, 2.0)
    with pytest.raises(DataError, match="column x"):
        coverage.equity(frame, value="x", weight="w")
    with pytest.raises(DataError, match="not all 0"):
        coverage.equity(frame.fillna(0) * 0, value="v", weight="w")


# --- siting


def brute_cover(demand, candidates, k, radius, before=None):
    near = np.array([[a.distance(b) <= radius for b in candidates.geometry] for a in demand.geometry])
    weights = np.where(np.zeros(len(demand), bool) if before is None else before, 0, demand["population"])
    return max(weights[near[:, list(chosen)].any(axis=1)].sum() for chosen in combinations(range(len(candidates)), k))


@pytest.mark.parametrize("seed", range(4))
def test_next_stations_cover_as_many_as_the_best_of_all_choices(seed):
    rng = np.random.default_rng(seed)
    demand = cloud(rng, 60, 10_000, population=rng.integers(1, 500, 60))
    candidates = cloud(rng, 12, 10_000, name=list("abcdefghijkl"))
    sites = coverage.next_stations(demand, candidates, k=3, radius_m=2000)
    assert sites.people_after == brute_cover(demand, candidates, 3, 2000)
    assert sites.optimal
    assert sites.chosen["people_added"].sum() == sites.people_after
    assert sites.chosen["people_added"].is_monotonic_decreasing


@pytest.mark.parametrize("seed", range(6))
def test_limits_of_budget_and_town_are_kept_by_the_best_of_all_choices(seed):
    rng = np.random.default_rng(100 + seed)
    demand = cloud(rng, 80, 10_000, population=rng.integers(1, 500, 80))
    candidates = cloud(rng, 11, 10_000, town=list("aabbccddeef"), cost=rng.integers(1, 9, 11))
    limits = {"one_per": "town", "cost": "cost", "budget": 12}
    sites = coverage.next_stations(demand, candidates, k=4, radius_m=2500, **limits)
    near = np.array([[a.distance(b) <= 2500 for b in candidates.geometry] for a in demand.geometry])
    cost, town = candidates["cost"].to_numpy(), candidates["town"].to_numpy()
    allowed = [
        list(chosen)
        for k in range(1, 5)
        for chosen in combinations(range(11), k)
        if cost[list(chosen)].sum() <= 12 and len(set(town[list(chosen)])) == k
    ]
    best = max(demand["population"][near[:, chosen].any(axis=1)].sum() for chosen in allowed)
    assert sites.people_after == best
    assert sites.optimal
    assert sites.chosen["cost"].sum() <= 12
    assert sites.chosen["town"].is_unique


def test_sites_that_each_reach_much_of_the_map_are_proven_or_their_gap_is_stated():
    rng = np.random.default_rng(5)
    demand = cloud(rng, 1500, 100_000, population=rng.integers(100, 5000, 1500))
    candidates = cloud(rng, 300, 100_000)
    proven = coverage.next_stations(demand, candidates, k=6, radius_m=10_000)
    assert proven.gap == 0
    with pytest.raises(EstimationError, match="raise time_limit_s"):
        coverage.next_stations(demand, candidates, k=8, radius_m=20_000, time_limit_s=0.01)
    hurried = replace(proven, gap=0.02)
    assert not hurried.optimal
    assert "与上界差距" in hurried.summary()


def test_shares_before_and_after_are_told_by_district():
    demand = points([(0, 0), (5000, 0), (9000, 0)], population=[30, 70, 0], district=["a", "a", "b"])
    sites = coverage.next_stations(demand, points([(5000, 0)]), k=1, radius_m=500, existing=points([(0, 0)]))
    told = sites.by("district").set_index(["district", "stage"])["share"]
    assert told["a"].to_dict() == {"before": 0.3, "after": 1.0}
    assert told["b"].isna().all()
    with pytest.raises(DataError, match="column town"):
        sites.by("town")


def test_what_cannot_be_sited_is_said():
    demand, candidates = points([(0, 0)], population=[1]), points([(0, 0)], cost=[-1])
    with pytest.raises(DataError, match="candidates: cost is missing or negative"):
        coverage.next_stations(demand, candidates, k=1, radius_m=10, cost="cost", budget=1)
    with pytest.raises(DataError, match="candidates: column town"):
        coverage.next_stations(demand, candidates, k=1, radius_m=10, one_per="town")
    with pytest.raises(DataError, match="demand: population is missing"):
        coverage.next_stations(demand.assign(population=np.nan), candidates, k=1, radius_m=10)
    with pytest.raises(ParameterError, match="k 0"):
        coverage.next_stations(demand, candidates, k=0, radius_m=10)
    none = coverage.next_stations(demand, points([]), k=1, radius_m=10)
    assert (len(none.chosen), none.people_after, none.optimal) == (0, 0, True)
    everybody = coverage.next_stations(demand, candidates, k=9, radius_m=10)
    assert len(everybody.chosen) == 1


def test_the_fewest_among_many_are_the_fewest_that_highs_finds():
    from scipy.optimize import Bounds, LinearConstraint, milp

    rng = np.random.default_rng(13)
    demand, candidates = cloud(rng, 300, 20_000, population=np.ones(300)), cloud(rng, 80, 20_000)
    near = np.array([candidates.distance(place) <= 5000 for place in demand.geometry])
    must = LinearConstraint(near[near.any(axis=1)].astype(float), lb=1)
    found = milp(np.ones(80), constraints=[must], integrality=np.ones(80), bounds=Bounds(0, 1))
    sites = coverage.fewest_stations(demand, candidates, radius_m=5000)
    assert len(sites.chosen) == round(found.fun)
    assert sites.optimal
    assert sites.people_after == near.any(axis=1).sum()


def test_existing_stations_are_respected():
    rng = np.random.default_rng(9)
    demand = cloud(rng, 60, 10_000, population=rng.integers(1, 500, 60))
    candidates, existing = cloud(rng, 12, 10_000), cloud(rng, 3, 10_000)
    sites = coverage.next_stations(demand, candidates, k=2, radius_m=2000, existing=existing)
    before = np.array([existing.distance(place).min() <= 2000 for place in demand.geometry])
    assert sites.people_before == demand["population"][before].sum()
    assert sites.people_after == sites.people_before + brute_cover(demand, candidates, 2, 2000, before)
    assert (sites.demand["covered_after"] >= sites.demand["covered_before"]).all()


def test_one_per_town_and_a_budget_bind():
    demand = points([(0, 0), (1000, 0), (9000, 0)], population=[100, 90, 10])
    candidates = points([(0, 0), (1000, 0), (9000, 0)], town=["a", "a", "b"], cost=[5, 1, 1])
    free = coverage.next_stations(demand, candidates, k=2, radius_m=100)
    assert free.people_after == 190
    one_per_town = coverage.next_stations(demand, candidates, k=2, radius_m=100, one_per="town")
    assert one_per_town.people_after == 110
    cheap = coverage.next_stations(demand, candidates, k=2, radius_m=100, cost="cost", budget=2)
    assert cheap.people_after == 100
    with pytest.raises(ParameterError, match="budget"):
        coverage.next_stations(demand, candidates, k=2, radius_m=100, budget=2)


def test_the_fewest_stations_are_the_fewest_and_the_unreachable_are_counted():
    rng = np.random.default_rng(11)
    demand = cloud(rng, 40, 6000, population=rng.integers(1, 500, 40))
    candidates = cloud(rng, 10, 6000)
    near = np.array([[a.distance(b) <= 2500 for b in candidates.geometry] for a in demand.geometry])
    can = near.any(axis=1)
    fewest = next(
        k for k in range(1, 11) for chosen in combinations(range(10), k) if near[can][:, list(chosen)].any(axis=1).all()
    )
    sites = coverage.fewest_stations(demand, candidates, radius_m=2500)
    assert len(sites.chosen) == fewest
    assert sites.people_after == demand["population"][can].sum()
    assert sites.unreachable == demand["population"][~can].sum()
    assert bool(sites.warnings) == bool((~can).any())


def test_nothing_left_to_cover_chooses_nothing():
    demand, far = points([(0, 0)], population=[10]), points([(90_000, 0)])
    served = coverage.next_stations(demand, far, k=1, radius_m=500, existing=points([(0, 0)]))
    assert len(served.chosen) == 0
    assert served.people_after == 10
    stranded = coverage.fewest_stations(demand, far, radius_m=500)
    assert stranded.unreachable == 10
    assert "10 people at 1 points" in stranded.warnings[0]


def test_a_siting_says_what_it_raises_and_that_it_is_proven():
    demand = points([(0, 0), (5000, 0)], population=[30, 70])
    sites = coverage.next_stations(demand, points([(5000, 0)]), k=1, radius_m=500)
    assert sites.summary("en") == (
        "1 more stations would raise the residents within 0.5 km of one from 0.0% to 70.0% (proven optimal)."
    )
    assert sites.to_frame()["order"].tolist() == [1]
