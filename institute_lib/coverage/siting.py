"""Where next: the sites that bring most people within reach, and the fewest that bring everybody."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.coverage.catchment import in_metres
from institute_lib.errors import EstimationError, ParameterError
from institute_lib.results import Result

if TYPE_CHECKING:
    import geopandas as gpd
    from scipy.optimize import OptimizeResult
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class Siting(Result):
    """Chosen sites, before and after.

    `chosen`: the candidates' rows with order and people_added (greedy order among the chosen). `demand`: the demand
    with covered_before and covered_after. `gap`: relative distance to the proven bound; 0 is optimal.
    `unreachable`: people whom no candidate and no existing station reaches.
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
            before=terms.percent(self.people_before / self.people, language),
            after=terms.percent(self.people_after / self.people, language),
            proof=terms.text(f"coverage.proof_{proof}", language, gap=terms.percent(self.gap, language, 2)),
        )

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

    Maximise the people covered, where a demand point counts when a chosen site lies within `radius_m`; solved as a
    mixed-integer programme (HiGHS), with the gap to the proven bound.

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
        DataError: points not in one system in metres.
        EstimationError: no choice was found within the time.
    """
    if k < 1 or (cost is None) != (budget is None):
        raise ParameterError(f"k {k!r}, cost {cost!r}, budget {budget!r}: k from 1 up; a budget needs a cost column")
    problem = _pose(demand, candidates, existing, radius_m, people=people)
    limits = [(np.ones(len(candidates)), k)]
    if cost is not None:
        limits.append((candidates[cost].to_numpy(float), budget))
    if one_per is not None:
        codes = pd.factorize(candidates[one_per])[0]
        limits += [((codes == code).astype(float), 1) for code in np.unique(codes[codes >= 0])]
    picked, gap = _maximal(problem.reach, problem.uncovered, limits, time_limit_s)
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
    from scipy.optimize import LinearConstraint

    problem = _pose(demand, candidates, existing, radius_m, people=people)
    rows, _ = _distinct(problem.reach, problem.uncovered)
    if rows.shape[0] == 0:
        return problem.answer("fewest", np.array([], int), 0.0)
    must = LinearConstraint(rows, lb=1)
    solved = _solve(np.ones(len(candidates)), [must], np.ones(len(candidates)), time_limit_s)
    return problem.answer("fewest", np.flatnonzero(solved.x > 0.5), float(solved.mip_gap))


@dataclass(frozen=True)
class _Problem:
    """`reach`: which demand (rows) each candidate (columns) reaches; `before`: demand that a station reaches today."""

    demand: "gpd.GeoDataFrame"
    candidates: "gpd.GeoDataFrame"
    radius_m: float
    reach: "csr_array"
    before: np.ndarray
    weights: np.ndarray

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
            warnings=(note,) if stranded.any() else (),
        )


def _pose(demand, candidates, existing, radius_m: float, *, people: str) -> _Problem:
    in_metres(*(frame for frame in (demand, candidates, existing) if frame is not None))
    if not radius_m > 0:
        raise ParameterError(f"radius_m {radius_m!r}: metres above zero")
    before = np.zeros(len(demand), bool)
    if existing is not None and len(existing):
        before = np.diff(_within(demand, existing, radius_m).indptr) > 0
    reach, weights = _within(demand, candidates, radius_m), demand[people].to_numpy(float)
    return _Problem(demand, candidates, radius_m, reach, before, weights)


def _within(demand: "gpd.GeoDataFrame", sites: "gpd.GeoDataFrame", radius_m: float) -> "csr_array":
    from scipy.sparse import csr_array
    from scipy.spatial import cKDTree

    trees = [cKDTree(np.column_stack([points.geometry.x, points.geometry.y])) for points in (demand, sites)]
    near = trees[0].sparse_distance_matrix(trees[1], radius_m, output_type="ndarray")
    return csr_array((np.ones(len(near)), (near["i"], near["j"])), shape=(len(demand), len(sites)))


def _distinct(reach: "csr_array", weights: np.ndarray) -> "tuple[csr_array, np.ndarray]":
    """Demand that counts, with points that the same candidates reach merged into one."""
    reach.sort_indices()
    bounds = zip(reach.indptr[:-1], reach.indptr[1:], strict=True)
    keys = pd.Series([reach.indices[start:stop].tobytes() for start, stop in bounds])
    counts = (weights > 0) & (np.diff(reach.indptr) > 0)
    keys = keys[counts]
    merged = pd.Series(weights[counts], keys.index).groupby(keys).sum()
    first = keys.drop_duplicates()
    return reach[first.index.to_numpy()], merged.loc[first].to_numpy()


def _maximal(
    reach: "csr_array", weights: np.ndarray, limits: list[tuple[np.ndarray, float]], seconds: float
) -> tuple[np.ndarray, float]:
    from scipy.optimize import LinearConstraint
    from scipy.sparse import csr_array, eye_array, hstack

    rows, gains = _distinct(reach, weights)
    covered, sites = rows.shape
    if covered == 0:
        return np.array([], int), 0.0
    linked = LinearConstraint(hstack([-rows, eye_array(covered)], format="csr"), ub=0)
    table = np.column_stack([np.array([row for row, _ in limits]), np.zeros((len(limits), covered))])
    capped = LinearConstraint(csr_array(table), ub=[cap for _, cap in limits])
    integral = np.r_[np.ones(sites), np.zeros(covered)]
    solved = _solve(np.r_[np.zeros(sites), -gains / gains.sum()], [linked, capped], integral, seconds)
    return np.flatnonzero(solved.x[:sites] > 0.5), float(solved.mip_gap)


def _solve(objective: np.ndarray, constraints: list, integral: np.ndarray, seconds: float) -> "OptimizeResult":
    from scipy.optimize import Bounds, milp

    options = {"mip_rel_gap": 0, "time_limit": seconds}
    solved = milp(objective, constraints=constraints, integrality=integral, bounds=Bounds(0, 1), options=options)
    if solved.x is None:
        raise EstimationError(f"siting found no choice within {seconds:g} s: {solved.message}")
    return solved


def _greedy_order(picked: np.ndarray, reach: "csr_array", weights: np.ndarray) -> tuple[list[int], list[float]]:
    """The chosen sites, each next one adding most people to those before it."""
    columns, left, weights = reach.tocsc(), list(picked), weights.copy()
    order, added = [], []
    while left:
        gains = [weights[columns.indices[columns.indptr[j] : columns.indptr[j + 1]]].sum() for j in left]
        best = int(np.argmax(gains))
        site = left.pop(best)
        order.append(site)
        added.append(float(gains[best]))
        weights[columns.indices[columns.indptr[site] : columns.indptr[site + 1]]] = 0
    return order, added
