"""Where next: the sites that bring most people within reach, and the fewest that bring everybody."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.coverage.catchment import check_amounts, coordinates, in_metres
from institute_lib.coverage.checks import require_columns
from institute_lib.coverage.covering import Limits, cover_all, cover_most
from institute_lib.errors import ParameterError
from institute_lib.results import Result

if TYPE_CHECKING:
    import geopandas as gpd
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class Siting(Result):
    """Chosen sites, before and after.

    `chosen`: the candidates' rows with order and people_added (greedy order among the chosen). `demand`: the demand
    with covered_before and covered_after. `gap`: relative distance to the proven bound; 0 is optimal.
    `unreachable`: people whom no candidate and no existing station reaches; `weight`: the demand's column of people.
    """

    kind: str
    chosen: "gpd.GeoDataFrame"
    demand: "gpd.GeoDataFrame"
    radius_m: float
    people: float
    people_before: float
    people_after: float
    unreachable: float
    gap: float
    weight: str = "population"
    warnings: tuple[str, ...] = ()

    @property
    def optimal(self) -> bool:
        """Whether the solver proved that no other choice is better."""
        return self.gap <= 1e-6

    def summary(self, language: str = "zh") -> str:
        proof = "optimal" if self.optimal else "gap"
        return terms.text(
            f"coverage.siting_{self.kind}",
            language,
            sites=terms.number(len(self.chosen), language),
            radius=terms.number(self.radius_m / 1000, language, 1),
            before=terms.percent(_part(self.people_before, self.people), language),
            after=terms.percent(_part(self.people_after, self.people), language),
            proof=terms.text(f"coverage.proof_{proof}", language, gap=terms.percent(self.gap, language, 2)),
        )

    def by(self, column: str) -> pd.DataFrame:
        """The share of people covered before and after, by district or any other column of the demand.

        Returns:
            column, stage ("before", "after"), share (missing where nobody lives), people.

        Raises:
            DataError: the demand has no such column.
        """
        require_columns(self.demand, (column,), "demand")
        weights = self.demand[self.weight]
        frames = []
        for stage in ("before", "after"):
            covered = weights.where(self.demand[f"covered_{stage}"], 0)
            sums = pd.DataFrame({"covered": covered, "people": weights}).groupby(self.demand[column]).sum()
            share = sums["covered"] / sums["people"].where(sums["people"] > 0)
            frames.append(pd.DataFrame({"stage": stage, "share": share, "people": sums["people"]}).reset_index())
        return pd.concat(frames, ignore_index=True)

    def to_frame(self) -> pd.DataFrame:
        """The chosen sites without their geometry."""
        return pd.DataFrame(self.chosen.drop(columns="geometry"))


def next_stations(
    demand: "gpd.GeoDataFrame",
    candidates: "gpd.GeoDataFrame",
    *,
    k: int,
    radius_m: float,
    existing: "gpd.GeoDataFrame | None" = None,
    people: str = "population",
    one_per: str | None = None,
    cost: str | None = None,
    budget: float | None = None,
    time_limit_s: float = 30,
) -> Siting:
    """The at most k sites that cover most people not yet covered (Church & ReVelle 1974, maximal covering).

    Maximise the people covered, where a demand point counts when a chosen site lies within `radius_m`; solved to
    proven optimality (see `covering.cover_most`), or with the gap to the proven bound when time runs out.

    Args:
        demand: points with a `people` column, in a projected system in metres.
        candidates: possible sites, in the same system.
        k: how many sites may be chosen.
        radius_m: how far a site reaches.
        existing: stations that already serve; people near them count as covered and are not counted again.
        one_per: a column of candidates; at most one site in each of its values, such as "town".
        cost, budget: a column of candidates and the most that the chosen may cost together.
        time_limit_s: then the best choice found is returned with its gap.

    Raises:
        ParameterError: k below 1, a radius that is not positive, or only one of cost and budget.
        DataError: points not in one system in metres, a column that is missing, people or costs that are negative or
            missing.
    """
    if not k >= 1 or (cost is None) != (budget is None):
        raise ParameterError(f"k {k!r}, cost {cost!r}, budget {budget!r}: k from 1 up; a budget needs a cost column")
    problem = _pose(demand, candidates, existing, radius_m, people=people)
    limits = _limits(candidates, int(k), one_per, cost, budget)
    picked, gap = cover_most(problem.reach, problem.uncovered, limits, time_limit_s)
    return problem.answer("maximal", picked, gap)


def fewest_stations(
    demand: "gpd.GeoDataFrame",
    candidates: "gpd.GeoDataFrame",
    *,
    radius_m: float,
    existing: "gpd.GeoDataFrame | None" = None,
    people: str = "population",
    time_limit_s: float = 30,
) -> Siting:
    """The fewest sites that bring everybody within reach of a station who can be (Toregas et al. 1971, set covering).

    People whom no candidate reaches are counted as `unreachable`, with a warning; parameters as in `next_stations`.
    """
    problem = _pose(demand, candidates, existing, radius_m, people=people)
    picked, gap = cover_all(problem.reach, problem.uncovered, time_limit_s)
    return problem.answer("fewest", picked, gap)


@dataclass(frozen=True)
class _Problem:
    """`reach`: which demand (rows) each candidate (columns) reaches; `before`: demand that a station reaches today."""

    demand: "gpd.GeoDataFrame"
    candidates: "gpd.GeoDataFrame"
    radius_m: float
    reach: "csr_array"
    before: np.ndarray
    people: str

    @property
    def weights(self) -> np.ndarray:
        return self.demand[self.people].to_numpy(float)

    @property
    def uncovered(self) -> np.ndarray:
        return np.where(self.before, 0, self.weights)

    def answer(self, kind: str, picked: np.ndarray, gap: float) -> Siting:
        order, added = _greedy_order(picked, self.reach, self.uncovered)
        after = self.before | (np.diff(self.reach[:, picked].tocsr().indptr) > 0)
        stranded = ~self.before & (np.diff(self.reach.indptr) == 0)
        unreachable = float(self.weights[stranded].sum())
        note = f"{unreachable:,.0f} people at {int(stranded.sum())} points are beyond every candidate and every station"
        return Siting(
            kind=kind,
            chosen=self.candidates.iloc[order].assign(order=range(1, len(order) + 1), people_added=added),
            demand=self.demand.assign(covered_before=self.before, covered_after=after),
            radius_m=self.radius_m,
            people=float(self.weights.sum()),
            people_before=float(self.weights[self.before].sum()),
            people_after=float(self.weights[after].sum()),
            unreachable=unreachable,
            gap=gap,
            weight=self.people,
            warnings=(note,) if stranded.any() else (),
        )


def _part(people: float, everybody: float) -> float | None:
    return people / everybody if everybody else None


def _pose(demand, candidates, existing, radius_m: float, *, people: str) -> _Problem:
    in_metres(*(frame for frame in (demand, candidates, existing) if frame is not None))
    check_amounts(demand, "demand", people)
    if not radius_m > 0:
        raise ParameterError(f"radius_m {radius_m!r}: metres above zero")
    before = np.zeros(len(demand), bool)
    if existing is not None and len(existing):
        before = np.diff(reach_matrix(demand, existing, radius_m).indptr) > 0
    return _Problem(demand, candidates, radius_m, reach_matrix(demand, candidates, radius_m), before, people)


def _limits(
    candidates: "gpd.GeoDataFrame", k: int, one_per: str | None, cost: str | None, budget: float | None
) -> Limits:
    wanted = [name for name in (one_per, cost) if name is not None]
    require_columns(candidates, wanted, "candidates")
    price, group = np.zeros(len(candidates)), np.full(len(candidates), -1)
    if cost is not None:
        check_amounts(candidates, "candidates", cost)
        price = candidates[cost].to_numpy(float)
    if one_per is not None:
        group = pd.factorize(candidates[one_per])[0]
    return Limits(k, price, np.inf if budget is None else float(budget), group)


def reach_matrix(demand: "gpd.GeoDataFrame", sites: "gpd.GeoDataFrame", radius_m: float) -> "csr_array":
    """Which demand (rows) each site (columns) reaches: ones."""
    from scipy.sparse import csr_array
    from scipy.spatial import cKDTree

    trees = [cKDTree(coordinates(points, name)) for points, name in ((demand, "demand"), (sites, "sites"))]
    near = trees[0].sparse_distance_matrix(trees[1], radius_m, output_type="ndarray")
    return csr_array((np.ones(len(near)), (near["i"], near["j"])), shape=(len(demand), len(sites)))


def _greedy_order(picked: np.ndarray, reach: "csr_array", weights: np.ndarray) -> tuple[list[int], list[float]]:
    """The chosen sites, each next one adding most people to those before it."""
    sites = reach[:, picked].T.tocsr()
    left, waiting = weights.copy(), np.ones(len(picked), bool)
    order, added = [], []
    while waiting.any():
        gains = np.where(waiting, sites @ left, -1.0)
        best = int(np.argmax(gains))
        waiting[best] = False
        order.append(int(picked[best]))
        added.append(float(gains[best]))
        left[sites.indices[sites.indptr[best] : sites.indptr[best + 1]]] = 0
    return order, added
