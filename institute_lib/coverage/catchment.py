"""Access: how much provision each resident can reach, by two-step floating catchment areas."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.coverage.checks import require_columns
from institute_lib.errors import DataError, ParameterError, nearest
from institute_lib.results import Result
from institute_lib.retention.spells import plain

if TYPE_CHECKING:
    import geopandas as gpd
    from scipy.spatial import cKDTree

DECAYS = ("step", "gaussian")
# The Gaussian falls to this weight at the edge of the catchment (Luo & Qi 2009 after Kwan 1998).
EDGE_WEIGHT = 0.01
_PAIRS_AT_ONCE = 4_000_000


def access(
    demand: "gpd.GeoDataFrame",
    supply: "gpd.GeoDataFrame",
    *,
    catchment_m: float,
    decay: str = "step",
    bandwidth_m: float | None = None,
    people: str = "population",
    capacity: str = "posts_filled",
) -> "gpd.GeoDataFrame":
    """Two-step floating catchment area scores of every demand point.

    Step one gives each supply point j its capacity per person within reach, R_j = S_j / sum_i P_i f(d_ij); step two
    sums over what each demand point reaches, A_i = sum_j R_j f(d_ij), with d in metres and f = 0 beyond the catchment
    (Luo & Wang 2003, Environment and Planning B 30; weights by Luo & Qi 2009, Health & Place 15). Distances are
    straight lines. What all people together receive equals the capacity within anyone's reach.

    Args:
        demand: points with a `people` column.
        supply: points with a `capacity` column, in the same projected system in metres (see `locate`).
        catchment_m: the radius beyond which nothing is reached; a point exactly on it is.
        decay: "step" (f = 1 within the catchment) or "gaussian" (f = exp(−d²/2h²) within it).
        bandwidth_m: h of the Gaussian; by default the weight at the catchment's edge is 0.01.

    Returns:
        demand with access (capacity per 10,000 people), nearest_m (metres to the nearest supply point of any
        capacity, missing when there is none) and reached (supply points within the catchment). The system and
        row order of demand; time grows with the number of pairs within reach plus n log n.

    Raises:
        ParameterError: an unknown decay, or a radius that is not positive.
        DataError: no system in metres, different systems, or negative or missing people or capacity.
    """
    weigh = _decay(decay, catchment_m, bandwidth_m)
    in_metres(demand, supply)
    check_amounts(demand, "demand", people)
    check_amounts(supply, "supply", capacity)
    from scipy.spatial import cKDTree

    demand, supply = plain(demand), plain(supply)
    population, posts = (np.asarray(frame[name], float) for frame, name in ((demand, people), (supply, capacity)))
    places, stations = coordinates(demand, "demand"), cKDTree(coordinates(supply, "supply"))
    reached, nearest_m, score = np.zeros(len(demand), int), np.full(len(demand), np.nan), np.zeros(len(demand))
    if len(demand) and len(supply):
        # Neighbours in space become neighbours in memory: a nation of points is searched twice as fast so.
        order = cKDTree(places, balanced_tree=False).indices
        places, population = places[order], population[order]
        nearest_m[order] = stations.query(places)[0]
        within_reach = stations.query_ball_point(places, catchment_m, return_length=True)
        pairs = _Pairs(places, stations, catchment_m, within_reach)
        within = np.zeros(len(supply))
        for origin, station, distance in pairs:
            within += np.bincount(station, population[origin] * weigh(distance), minlength=len(supply))
        ratio = np.divide(posts, within, out=np.zeros(len(supply)), where=within > 0)
        found = np.zeros(len(demand))
        for origin, station, distance in pairs:
            found += np.bincount(origin, ratio[station] * weigh(distance), minlength=len(demand))
        score[order], reached[order] = found, within_reach
    scored = demand.assign(access=10_000 * score, nearest_m=nearest_m, reached=reached)
    scored.attrs = demand.attrs | {"catchment_m": catchment_m, "decay": decay}
    return scored


@dataclass(frozen=True)
class Access(Result):
    """Access scores summed up over people."""

    scores: "gpd.GeoDataFrame"
    people: str = "population"
    warnings: tuple[str, ...] = ()

    @property
    def without(self) -> float:
        """The share of people who reach no station within the catchment; missing where nobody lives."""
        people = self.scores[self.people]
        return float(people[self.scores["reached"] == 0].sum() / people.sum()) if people.sum() else float("nan")

    @property
    def mean(self) -> float:
        """Access of the average resident: scores weighted by people."""
        people = self.scores[self.people]
        return float((self.scores["access"] * people).sum() / people.sum()) if people.sum() else float("nan")

    @property
    def median_distance_m(self) -> float:
        """The distance to the nearest station that half of the people stay below."""
        ordered = self.scores.sort_values("nearest_m")
        reached = ordered[self.people].cumsum() >= ordered[self.people].sum() / 2
        return float(ordered.loc[reached, "nearest_m"].iloc[0]) if ordered[self.people].sum() else float("nan")

    def by(self, column: str) -> pd.DataFrame:
        """By district, town or any other column: people, access (people-weighted mean), median_m, without (share).

        Raises:
            DataError: the scores have no such column.
        """
        require_columns(self.scores, (column,), "access")
        rows = pd.DataFrame(self.scores[[column, self.people, "access", "nearest_m", "reached"]])
        rows = rows.rename(columns={self.people: "people"}).sort_values([column, "nearest_m"], kind="stable")
        rows["access"] *= rows["people"]
        rows["without"] = rows["people"].where(rows["reached"] == 0, 0)
        grouped = rows.groupby(column)
        table = grouped[["people", "access", "without"]].sum()
        inhabited = table["people"].where(table["people"] > 0)
        table[["access", "without"]] = table[["access", "without"]].div(inhabited, axis=0)
        half = grouped["people"].cumsum() >= rows[column].map(inhabited) / 2
        table["median_m"] = rows[half].groupby(column)["nearest_m"].first()
        return table[["people", "access", "median_m", "without"]].reset_index()

    def to_frame(self) -> pd.DataFrame:
        """`by("district")`."""
        return self.by("district")

    def summary(self, language: str = "zh") -> str:
        return terms.text(
            "coverage.access",
            language,
            median=terms.number(self.median_distance_m / 1000, language, 1),
            catchment=terms.number(self.scores.attrs["catchment_m"] / 1000, language, 1),
            without=terms.percent(self.without, language),
        )


@dataclass(frozen=True)
class _Pairs:
    """All (demand, supply, distance) within the catchment, in blocks that fit in memory, as often as asked."""

    demand: np.ndarray
    supply: "cKDTree"
    catchment_m: float
    reached: np.ndarray

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        from scipy.spatial import cKDTree

        ends = np.cumsum(self.reached)
        cuts = np.searchsorted(ends, np.arange(_PAIRS_AT_ONCE, ends[-1] + _PAIRS_AT_ONCE, _PAIRS_AT_ONCE))
        start = 0
        for cut in cuts:
            stop = min(cut + 1, len(ends))
            if stop <= start:
                continue
            block = cKDTree(self.demand[start:stop], balanced_tree=False)
            found = block.sparse_distance_matrix(self.supply, self.catchment_m, output_type="ndarray")
            yield found["i"] + start, found["j"], found["v"]
            start = stop


def _decay(decay: str, catchment_m: float, bandwidth_m: float | None):
    if decay not in DECAYS:
        raise ParameterError(f"decay {decay!r}: {nearest(decay, DECAYS)}")
    if not catchment_m > 0 or not (bandwidth_m is None or bandwidth_m > 0):
        raise ParameterError(f"catchment_m {catchment_m!r}, bandwidth_m {bandwidth_m!r}: metres above zero")
    if decay == "step":
        return np.ones_like
    width = bandwidth_m or catchment_m / np.sqrt(-2 * np.log(EDGE_WEIGHT))
    return lambda distance: np.exp(-0.5 * (distance / width) ** 2)


def check_amounts(frame: pd.DataFrame, name: str, column: str) -> None:
    """Refuse a table without a column, or with rows in which it is no number from 0 up.

    Raises:
        DataError: the column is missing, or the rows are named.
    """
    require_columns(frame, (column,), name)
    amounts = pd.to_numeric(frame[column], errors="coerce").to_numpy(float)
    bad = ~((amounts >= 0) & np.isfinite(amounts))
    if bad.any():
        rows = ", ".join(map(str, frame.index[bad][:10]))
        raise DataError(f"{name}: {column} is missing or negative in {int(bad.sum())} rows: {rows}")


def in_metres(*frames: "gpd.GeoDataFrame") -> None:
    """Refuse points that are not all in one projected system in metres."""
    systems = {frame.crs for frame in frames}
    crs = next(iter(systems))
    if len(systems) > 1 or crs is None or not crs.is_projected or crs.axis_info[0].unit_name != "metre":
        raise DataError(
            f"points stand in {', '.join(str(crs) for crs in systems)}: "
            "distances need one projected system in metres; pass them through coverage.locate"
        )


def coordinates(points: "gpd.GeoDataFrame", name: str) -> np.ndarray:
    """One row a point: x and y in metres.

    Raises:
        DataError: rows whose geometry is missing, empty or no point.
    """
    bad = (points.geometry.geom_type != "Point") | points.geometry.is_empty
    if bad.any():
        rows = ", ".join(map(str, points.index[bad][:10]))
        raise DataError(f"{name}: no point in {int(bad.sum())} rows: {rows}; leave them out with coverage.locate")
    return np.column_stack([points.geometry.x, points.geometry.y]).reshape(-1, 2)
