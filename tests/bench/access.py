"""Two-step floating catchment areas: beside PySAL, at the province's size, and at the nation's."""

import sys
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from institute_lib import coverage
from tests.bench.lines import Bound, Line
from tests.bench.timing import Timed, in_turns

if TYPE_CHECKING:
    import geopandas as gpd

DEMAND, SUPPLY = 22_000, 24_000  # villages, stations and rooms of the province
NATION = (650_000, 110_000)  # villages, and points that hold a post
PROVINCE_M2, NATION_M2 = 107_200e6, 9.6e12
PART = 4  # PySAL is asked at a quarter of the points, on a quarter of the area
CATCHMENT_M, BANDWIDTH_M = 5_000, 1_650
METRES = "EPSG:32651"
SEED = 5
ALLOWED_S, ALLOWED_GB, LEAST_RATIO = 3.0, 4.0, 10.0


def measure(*, large: bool) -> list[Line | Bound]:
    """A quarter of the province beside PySAL; the whole, and with `large` the nation, against n log n from there."""
    demand, supply = points(DEMAND // PART, SUPPLY // PART, PROVINCE_M2 / PART)
    small = in_turns(lambda: ours(demand, supply), lambda: pysal(demand, supply), label="access")
    gap = np.abs(small.our_result["access"].to_numpy() / small.peer_result.to_numpy() - 1)
    first = Line(
        f"access, {len(demand):,} × {len(supply):,}",
        small.ours,
        "PySAL access",
        small.peer,
        f"Gaussian within {CATCHMENT_M / 1000:.0f} km; |Δ|/score ≤ {np.nanmax(gap):.0e}",
    )
    sizes = [(DEMAND, SUPPLY, PROVINCE_M2)] + ([(*NATION, NATION_M2)] if large else [])
    least = Bound("access, times PySAL's speed", small.peer / small.ours, LEAST_RATIO, "×", least=True)
    return [first, least, *(one for size in sizes for one in growth(size, small, len(demand) + len(supply)))]


def growth(size: tuple[int, int, float], small: Timed, n_small: int) -> list[Line | Bound]:
    """A larger map: n log n from the quarter's time is what it may take, and the seconds or gigabytes allowed."""
    demand, supply = points(*size)
    larger = in_turns(lambda: ours(demand, supply), lambda: None, label="access")
    n = len(demand) + len(supply)
    allowed = small.ours * n * np.log(n) / (n_small * np.log(n_small))
    pairs = int(larger.our_result["reached"].sum())
    what = f"access, {len(demand):,} × {len(supply):,}"
    note = f"{pairs:,} pairs; {larger.ours / small.ours:.1f} × the time for {n / n_small:.0f} × the points"
    found: list[Line | Bound] = [Line(what, larger.ours, "n log n from the quarter", allowed, note)]
    if size[0] == DEMAND:
        return [*found, Bound(what, larger.ours, ALLOWED_S, "s")]
    return [*found, Bound(what, held_gb(), ALLOWED_GB, "GB", "the most held so far, the benchmarks before it included")]


def held_gb() -> float:
    """The most memory that the process has held so far; nothing on Windows, which does not say."""
    if sys.platform == "win32":
        return float("nan")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


def ours(demand: "gpd.GeoDataFrame", supply: "gpd.GeoDataFrame") -> "gpd.GeoDataFrame":
    """The library's scores."""
    return coverage.access(demand, supply, catchment_m=CATCHMENT_M, decay="gaussian", bandwidth_m=BANDWIDTH_M)


def pysal(demand: "gpd.GeoDataFrame", supply: "gpd.GeoDataFrame") -> pd.Series:
    """The same scores from PySAL's `access`, its distances included; missing where nothing is reached."""
    from access import Access, weights

    named = {"demand_index": "id", "demand_value": "population", "supply_index": "id", "supply_value": "posts_filled"}
    with warnings.catch_warnings():  # it warns of its own index and of geographic coordinates
        warnings.simplefilter("ignore")
        model = Access(demand_df=demand, supply_df=supply, **named)
        model.create_euclidean_distance(threshold=CATCHMENT_M, centroid_o=True, centroid_d=True)
        weigh = weights.gaussian(BANDWIDTH_M)
        found = model.enhanced_two_stage_fca(name="a", cost="euclidean", max_cost=CATCHMENT_M, weight_fn=weigh)
    return 10_000 * found["a_posts_filled"].reindex(demand["id"])


def points(n_demand: int, n_supply: int, area_m2: float) -> "tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]":
    """People and posts, evenly scattered over a square."""
    import geopandas as gpd

    random = np.random.default_rng([SEED, n_demand])
    people = {"population": random.integers(100, 5000, n_demand).astype(float)}
    posts = {"posts_filled": random.integers(1, 9, n_supply).astype(float)}
    frames = []
    for columns, n in ((people, n_demand), (posts, n_supply)):
        places = gpd.points_from_xy(*random.uniform(0, np.sqrt(area_m2), (2, n)))
        frames.append(gpd.GeoDataFrame({"id": np.arange(n)} | columns, geometry=places, crs=METRES))
    return frames[0], frames[1]
