"""Where next: the sites that bring most people within reach, and the fewest that bring everybody.

Both are integer programmes, solved to proven optimality by HiGHS (`scipy.optimize.milp`); where time runs out first,
its best choice is given with the gap to the bound that it proved.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.coverage.catchment import check_amounts, coordinates, in_metres
from institute_lib.coverage.checks import require_columns
from institute_lib.errors import EstimationError, ParameterError
from institute_lib.results import Result
from institute_lib.retention.spells import plain

if TYPE_CHECKING:
    import geopandas as gpd
    from scipy.optimize import OptimizeResult
    from scipy.sparse import csr_array

EXACT = 1e-7  # relative: a gap smaller than the solver's own tolerance is none


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
    proven optimality, or with the gap to the proven bound when time runs out.

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
    candidates = plain(candidates)
    problem = _pose(demand, candidates, existing, radius_m, people=people)
    rows, caps = _limits(candidates, int(k), one_per, cost, budget)
    picked, gap = _most(*_distinct(problem.reach, problem.uncovered), rows, caps, seconds=time_limit_s)
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
    picked, gap = _fewest(_distinct(problem.reach, problem.uncovered)[0], time_limit_s)
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
    demand = plain(demand)
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
) -> tuple[np.ndarray, np.ndarray]:
    """One row a limit and one column a site, and the most that each row may add up to."""
    require_columns(candidates, [name for name in (one_per, cost) if name is not None], "candidates")
    rows, caps = [np.ones(len(candidates))], [float(k)]
    if cost is not None:
        check_amounts(candidates, "candidates", cost)
        rows.append(candidates[cost].to_numpy(float))
        caps.append(float(budget))
    if one_per is not None:
        codes = pd.factorize(candidates[one_per])[0]
        rows += [(codes == code).astype(float) for code in np.unique(codes[codes >= 0])]
        caps += [1.0] * (len(rows) - len(caps))
    return np.array(rows), np.array(caps)


def _most(
    reach: "csr_array", gains: np.ndarray, limits: np.ndarray, caps: np.ndarray, *, seconds: float
) -> tuple[np.ndarray, float]:
    """The sites that together reach the greatest sum of gains, and the relative gap to the proven bound."""
    from scipy.optimize import LinearConstraint
    from scipy.sparse import csr_array, eye_array, hstack

    points, sites = reach.shape
    if not points:
        return np.array([], int), 0.0
    scale = gains.mean()  # so that the solver's absolute tolerance is a fraction of one point
    linked = LinearConstraint(hstack([-reach, eye_array(points)], format="csr"), ub=0)
    capped = LinearConstraint(csr_array(np.column_stack([limits, np.zeros((len(limits), points))])), ub=caps)
    objective, integral = np.r_[np.zeros(sites), -gains / scale], np.r_[np.ones(sites), np.zeros(points)]
    solved = _solve(objective, [linked, capped], integral, seconds)
    choice = np.flatnonzero(solved.x[:sites] > 0.5)
    value = float(gains[reach[:, choice].sum(axis=1) > 0].sum())
    bound = min(-solved.mip_dual_bound * scale, gains.sum())
    gap = max(bound / value - 1, 0.0) if value else np.inf
    return choice, 0.0 if gap <= EXACT else float(gap)


def _fewest(reach: "csr_array", seconds: float) -> tuple[np.ndarray, float]:
    """The fewest sites that reach every point, and the relative gap to the bound."""
    from scipy.optimize import LinearConstraint

    points, sites = reach.shape
    if not points:
        return np.array([], int), 0.0
    solved = _solve(np.ones(sites), [LinearConstraint(reach, lb=1)], np.ones(sites), seconds)
    chosen = np.flatnonzero(solved.x > 0.5)
    bound = max(np.ceil(solved.mip_dual_bound - 1e-6), 1.0)
    return chosen, float(max(len(chosen) - bound, 0.0) / len(chosen))


def _solve(objective: np.ndarray, constraints: list, integral: np.ndarray, seconds: float) -> "OptimizeResult":
    from scipy.optimize import Bounds, milp

    options = {"mip_rel_gap": 0, "time_limit": seconds}
    solved = milp(objective, constraints=constraints, integrality=integral, bounds=Bounds(0, 1), options=options)
    if solved.x is None:  # every problem posed here has a choice
        raise EstimationError(f"siting: no choice in {seconds:g} s; raise time_limit_s: {solved.message}")
    return solved


def _distinct(reach: "csr_array", weights: np.ndarray) -> "tuple[csr_array, np.ndarray]":
    """Points that count and can be reached, with those that the same sites reach merged into one."""
    reach.sort_indices()
    bounds = zip(reach.indptr[:-1], reach.indptr[1:], strict=True)
    keys = pd.Series([reach.indices[start:stop].tobytes() for start, stop in bounds], dtype="object")
    keys = keys[(weights > 0) & (np.diff(reach.indptr) > 0)]
    merged = pd.Series(weights[keys.index], keys.index).groupby(keys).sum()
    first = keys.drop_duplicates()
    return reach[first.index.to_numpy()], merged.loc[first].to_numpy()


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
