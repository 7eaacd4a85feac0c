"""Two-step floating catchment areas at the province's size, and beside the whole distance matrix where that fits."""

from typing import TYPE_CHECKING

import numpy as np

from institute_lib import coverage
from tests.bench.lines import Line
from tests.bench.timing import Timed, in_turns

if TYPE_CHECKING:
    import geopandas as gpd

DEMAND, SUPPLY = 22_000, 24_000  # villages, stations and rooms of the province
PROVINCE_M2 = 107_200e6
PART = 4  # the whole matrix is made at a quarter of the points, on a quarter of the area
CATCHMENT_M = 5_000
METRES = "EPSG:32651"
SEED = 5


def measure(*, large: bool) -> list[Line]:
    """A quarter of the province against the matrix; the whole against n log n from that quarter."""
    demand, supply = points(PART, DEMAND), points(PART, SUPPLY)
    small = in_turns(lambda: ours(demand, supply), lambda: by_matrix(demand, supply), label="access")
    gap = np.abs(small.our_result["access"].to_numpy() / small.peer_result - 1)[small.peer_result > 0].max()
    first = Line(
        f"access, {len(demand):,} × {len(supply):,}",
        small.ours,
        "whole distance matrix",
        small.peer,
        f"Gaussian within {CATCHMENT_M / 1000:.0f} km; |Δ|/score ≤ {gap:.0e}",
    )
    return [first, *(growth(times, small) for times in ((1, 1 / PART, 1 / 16) if large else (1,)))]


def growth(part: float, small: Timed) -> Line:
    """A larger map of the same density: n log n from the quarter's time is what it may take."""
    demand, supply = points(part, DEMAND), points(part, SUPPLY)
    larger = in_turns(lambda: ours(demand, supply), lambda: None, label="access")
    n, n_small = len(demand) + len(supply), (DEMAND + SUPPLY) // PART
    allowed = small.ours * n * np.log(n) / (n_small * np.log(n_small))
    pairs = int(larger.our_result["reached"].sum())
    note = f"{pairs:,} pairs within reach; {larger.ours / small.ours:.1f} × the time for {n / n_small:.0f} × the points"
    return Line(f"access, {len(demand):,} × {len(supply):,}", larger.ours, "n log n from the quarter", allowed, note)


def ours(demand: "gpd.GeoDataFrame", supply: "gpd.GeoDataFrame") -> "gpd.GeoDataFrame":
    """The library's scores."""
    return coverage.access(demand, supply, catchment_m=CATCHMENT_M, decay="gaussian")


def by_matrix(demand: "gpd.GeoDataFrame", supply: "gpd.GeoDataFrame") -> np.ndarray:
    """The same scores from all distances at once."""
    from scipy.spatial.distance import cdist

    distance = cdist(*(np.column_stack([frame.geometry.x, frame.geometry.y]) for frame in (demand, supply)))
    width = CATCHMENT_M / np.sqrt(-2 * np.log(0.01))
    weight = np.where(distance <= CATCHMENT_M, np.exp(-0.5 * (distance / width) ** 2), 0.0)
    within = demand["population"].to_numpy() @ weight
    ratio = np.divide(supply["posts_filled"].to_numpy(), within, out=np.zeros(len(supply)), where=within > 0)
    return 10_000 * weight @ ratio


def points(part: float, count: int) -> "gpd.GeoDataFrame":
    """Evenly scattered points, as dense as in the province whatever their number."""
    import geopandas as gpd

    random = np.random.default_rng([SEED, count])
    n, side = int(count / part), np.sqrt(PROVINCE_M2 / part)
    columns = {
        "population": random.integers(100, 5000, n).astype(float),
        "posts_filled": random.integers(1, 9, n) * 1.0,
    }
    return gpd.GeoDataFrame(columns, geometry=gpd.points_from_xy(*random.uniform(0, side, (2, n))), crs=METRES)
