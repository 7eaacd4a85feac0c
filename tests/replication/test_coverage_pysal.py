"""PySAL's judgement: floating catchment areas by `access`, Moran's I by `esda` and `libpysal`, on the same input."""

import warnings

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.affinity import translate
from shapely.geometry import box

from institute_lib import coverage

CATCHMENT_M, BANDWIDTH_M = 4000, 1500


def cloud(rng, number, **columns):
    places = gpd.points_from_xy(*rng.uniform(0, 30_000, (2, number)))
    return gpd.GeoDataFrame({"id": np.arange(number)} | columns, geometry=places, crs=coverage.METRES)


@pytest.fixture(scope="module")
def judged():
    """Demand, supply, and PySAL's two-step and enhanced two-step scores of them."""
    from access import Access, weights

    rng = np.random.default_rng(12)
    demand = cloud(rng, 400, population=rng.integers(1, 5000, 400).astype(float))
    supply = cloud(rng, 150, posts_filled=rng.integers(0, 9, 150).astype(float))
    with warnings.catch_warnings():  # it warns of its own logging and of points without a geographic index
        warnings.simplefilter("ignore")
        model = Access(
            demand_df=demand,
            demand_index="id",
            demand_value="population",
            supply_df=supply,
            supply_index="id",
            supply_value="posts_filled",
        )
        model.create_euclidean_distance(threshold=CATCHMENT_M, centroid_o=True, centroid_d=True)
        step = model.two_stage_fca(name="step", cost="euclidean", max_cost=CATCHMENT_M)
        weighted = model.enhanced_two_stage_fca(
            name="gaussian", cost="euclidean", max_cost=CATCHMENT_M, weight_fn=weights.gaussian(BANDWIDTH_M)
        )
    scores = {"step": step["step_posts_filled"], "gaussian": weighted["gaussian_posts_filled"]}
    return demand, supply, {decay: found.reindex(demand["id"]).fillna(0) for decay, found in scores.items()}


@pytest.mark.parametrize("decay", ["step", "gaussian"])
def test_access_is_pysals_to_nine_digits(judged, decay):
    demand, supply, scores = judged
    ours = coverage.access(demand, supply, catchment_m=CATCHMENT_M, decay=decay, bandwidth_m=BANDWIDTH_M)
    assert (ours["access"] > 0).sum() > 350
    np.testing.assert_allclose(ours["access"] / 10_000, scores[decay], rtol=1e-9, atol=1e-15)


def checkerboard(size, values):
    cells = [box(x, y, x + 1, y + 1) for y in range(size) for x in range(size)]
    return gpd.GeoDataFrame({"value": values, "people": 1.0}, geometry=cells, crs=coverage.METRES)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("neighbours", ["contiguity", "nearest"])
def test_moran_is_esdas_and_its_permutations_agree(neighbours, seed):
    from esda import Moran
    from libpysal.weights import KNN, Queen

    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 3, 100)
    frame = checkerboard(10, np.add.outer(np.arange(10.0), np.arange(10.0)).ravel() / 4 + noise + 20)
    if neighbours == "nearest":  # a lattice has ties among its six nearest; moved a little, each cell has one answer
        frame = moved(frame, rng)
        weights = KNN.from_dataframe(frame, k=6)
    else:
        weights = Queen.from_dataframe(frame, use_index=False)
    theirs = Moran(frame["value"], weights, permutations=4999)
    ours = coverage.equity(frame, value="value", weight="people", neighbours=neighbours, permutations=4999).moran
    assert ours.i == pytest.approx(theirs.I, rel=1e-9)
    assert ours.expected == pytest.approx(theirs.EI)
    # Two independent sets of permutations: five standard errors of the difference of their shares.
    assert ours.p_one_sided == pytest.approx(
        theirs.p_sim, abs=5 * np.sqrt(2 * theirs.p_sim * (1 - theirs.p_sim) / 4999)
    )


def moved(frame, rng):
    """Each cell moved a little."""
    moves = rng.uniform(-0.2, 0.2, (len(frame), 2))
    cells = [translate(cell, *move) for cell, move in zip(frame.geometry, moves, strict=True)]
    return frame.set_geometry(gpd.GeoSeries(cells, crs=frame.crs))


def test_a_pattern_of_no_kind_has_no_small_p():
    rng = np.random.default_rng(3)
    found = [
        coverage.equity(checkerboard(7, rng.gamma(2, 3, 49)), value="value", weight="people", permutations=199).moran
        for _ in range(200)
    ]
    # Two-sided at 5 %: of 200 draws about ten, by the binomial law between 3 and 19 with 99.7 %.
    assert 3 <= sum(one.p_value <= 0.05 for one in found) <= 19


def test_distances_to_the_nearest_station_are_geopandas():
    rng = np.random.default_rng(4)
    demand, supply = cloud(rng, 200, population=1.0), cloud(rng, 40, posts_filled=1.0)
    ours = coverage.access(demand, supply, catchment_m=1000)["nearest_m"]
    joined = demand.sjoin_nearest(supply[["geometry"]], distance_col="metres")
    pd.testing.assert_series_equal(ours, joined["metres"].loc[ours.index], check_names=False, rtol=1e-12)
