"""Solving covering problems to proven optimality: from below by exchange, from above by relaxation, the rest by HiGHS.

Handing the whole integer programme to a solver works while sites reach few points; where each reaches hundreds, its
first relaxation alone takes longer than anyone waits. Bounds found first leave it a few dozen sites to decide about.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from institute_lib.coverage.reducing import distinct, reduced
from institute_lib.errors import EstimationError

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult
    from scipy.sparse import csr_array

_STEPS, _PATIENCE, _SHORTEST = 1500, 20, 1e-4
_SHAKES, _WORK, _LOOSENED = (10, 60), 2e7, 0.3  # searches: fewest and most, links looked at in all; share taken out
_FEW = 30  # open sites among which HiGHS decides at once, however loose the bound
_EXACT = 1e-9  # relative: two totals closer than this are equal


@dataclass(frozen=True)
class Limits:
    """At most `count` sites; together within `budget` by `cost`; at most one of each `group` (−1: none)."""

    count: int
    cost: np.ndarray
    budget: float
    group: np.ndarray

    def allows(self, chosen: list[int]) -> np.ndarray:
        """Which sites may still join the chosen."""
        taken = self.group[chosen]
        free = (self.group < 0) | ~np.isin(self.group, taken)
        free &= self.cost <= self.budget - self.cost[chosen].sum() + _EXACT * abs(self.budget if chosen else 0)
        free[chosen] = False
        return free

    def only(self, sites: np.ndarray) -> "Limits":
        """The same limits on some of the sites."""
        return replace(self, cost=self.cost[sites], group=self.group[sites])

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """One row a limit and one column a site, and the most that each row may add up to."""
        rows, caps = [np.ones(len(self.cost))], [float(self.count)]
        if np.isfinite(self.budget):
            rows.append(self.cost)
            caps.append(self.budget)
        for code in np.unique(self.group[self.group >= 0]):
            rows.append((self.group == code).astype(float))
            caps.append(1.0)
        return np.array(rows), np.array(caps)


def cover_most(reach: "csr_array", gains: np.ndarray, limits: Limits, seconds: float) -> tuple[np.ndarray, float]:
    """The sites that together reach the greatest sum of gains, and the relative gap to the proven bound.

    An exchange search (Teitz & Bart 1968) gives a choice, a Lagrangian relaxation (Galvão & ReVelle 1996, European
    Journal of Operational Research 88) a bound; sites that the bound shows to be in no better choice are dropped, and
    HiGHS decides about the others.

    Args:
        reach: points (rows) that each site (columns) reaches.
        gains: what each point counts, zero or more.
        limits: what may be chosen.
        seconds: for HiGHS.
    """
    rows, gains = distinct(reach, gains)
    if not rows.shape[0]:
        return np.array([], int), 0.0
    columns = rows.T.tocsr()
    picked, value = _exchange(columns, gains, limits)
    bound, by_site = _relax(rows, columns, gains, limits, value)
    if bound > value * (1 + _EXACT):
        picked, value = _shaken(picked, columns, gains, limits)
    open_sites = np.flatnonzero(by_site > value * (1 + _EXACT))
    if not len(open_sites):  # a better choice would hold one
        bound = min(bound, value)
    if bound > value * (1 + _EXACT):
        choice, proven = _decide(rows[:, open_sites].tocsr(), gains, limits.only(open_sites), value, seconds)
        better = open_sites[choice]
        if _sum(columns, gains, better) > value:
            picked, value = better, _sum(columns, gains, better)
        bound = min(bound, proven)
    gap = max(bound / value - 1, 0.0) if value else 0.0
    return np.asarray(picked, int), 0.0 if gap <= _EXACT else float(gap)


def cover_all(reach: "csr_array", gains: np.ndarray, seconds: float) -> tuple[np.ndarray, float]:
    """The fewest sites that reach every point which counts and can be reached, and the relative gap to the bound.

    Points that are reached whenever another is, and sites that reach no more than another, are dropped first (Toregas
    & ReVelle 1973); HiGHS decides about the rest.
    """
    from scipy.optimize import LinearConstraint

    rows, gains = distinct(reach, gains)
    if not rows.shape[0]:
        return np.array([], int), 0.0
    kept_rows, sites = reduced(rows)
    rows = rows[kept_rows][:, sites].tocsr()
    every = np.ones(len(sites))
    solved = _solve(every, [LinearConstraint(rows, lb=1)], every, seconds)
    greedy = _exhaust(rows)
    chosen = greedy if solved.x is None or solved.x.round().sum() > len(greedy) else np.flatnonzero(solved.x > 0.5)
    bound = 1.0 if solved.mip_dual_bound is None else np.ceil(solved.mip_dual_bound - 1e-6)
    return sites[chosen], float(max(len(chosen) - max(bound, 1.0), 0.0) / len(chosen))


def _exchange(columns: "csr_array", gains: np.ndarray, limits: Limits) -> tuple[list[int], float]:
    """The best of a few searches: from the sites that add most, and from those that add most for their cost."""
    powers = (0, 0.5, 1) if np.isfinite(limits.budget) else (0,)
    starts = [np.maximum(limits.cost, _EXACT) ** -power for power in powers]
    found = [_improved(_filled([], columns, gains, limits, rank), columns, gains, limits) for rank in starts]
    return max(found, key=lambda one: one[1])


def _shaken(chosen: list[int], columns: "csr_array", gains: np.ndarray, limits: Limits) -> tuple[list[int], float]:
    """The best of many searches, each from the best so far with a few sites taken out and others tried."""
    random = np.random.default_rng(0)  # the same answer for the same question
    value = _sum(columns, gains, chosen)
    for _ in range(int(np.clip(_WORK / columns.nnz, *_SHAKES))):
        kept = [site for site in chosen if random.random() > _LOOSENED]
        tried = _filled(kept, columns, gains, limits, random.uniform(0.5, 1, len(limits.cost)))
        tried, reached = _improved(tried, columns, gains, limits)
        if reached > value * (1 + _EXACT):
            chosen, value = tried, reached
    return chosen, value


def _improved(chosen: list[int], columns: "csr_array", gains: np.ndarray, limits: Limits) -> tuple[list[int], float]:
    """Each site exchanged for a better one, and room filled that this leaves, until nothing is gained."""
    value, even = _sum(columns, gains, chosen), np.ones(len(limits.cost))
    while True:
        before = value
        for site in list(chosen):
            others = [one for one in chosen if one != site]
            tried = _filled(others, columns, gains, limits, even)
            if _sum(columns, gains, tried) > value * (1 + _EXACT):
                chosen, value = tried, _sum(columns, gains, tried)
        if value == before:
            return chosen, value


def _filled(chosen: list[int], columns: "csr_array", gains: np.ndarray, limits: Limits, rank: np.ndarray) -> list[int]:
    """Sites added one by one where they add most (by `rank`), as long as any is allowed and adds something."""
    chosen, left = list(chosen), gains.copy()
    for site in chosen:
        left[_points(columns, site)] = 0
    while len(chosen) < limits.count:
        added = np.where(limits.allows(chosen), columns @ left * rank, 0.0)
        site = int(np.argmax(added))
        if not added[site] > 0:
            break
        chosen.append(site)
        left[_points(columns, site)] = 0
    return chosen


def _relax(
    rows: "csr_array", columns: "csr_array", gains: np.ndarray, limits: Limits, value: float
) -> tuple[float, np.ndarray]:
    """An upper bound on any choice, and on any choice that holds a given site.

    Each point has a price, what reaching it is worth to a site, and money has one. With prices given, the best sites
    are those worth most after their cost (one of each group), and the sum is a bound whatever the prices; steps along
    the subgradient lower it, until few sites are left that a better choice could hold.
    """
    money = np.sqrt(rows.shape[0]) * limits.cost / limits.budget if np.isfinite(limits.budget) else 0 * limits.cost
    prices = np.append(np.minimum(gains / np.maximum(np.diff(rows.indptr), 1) * limits.count, gains), 0.0)
    ceiling = np.append(gains, np.inf if money.any() else 0.0)
    best, by_site, best_prices, length, waited = np.inf, np.full(len(money), np.inf), prices, 1.0, 0
    for _ in range(_STEPS):
        worth = columns @ prices[:-1] - money * prices[-1]
        top = _top(worth, limits)
        unsold = np.maximum(gains - prices[:-1], 0).sum() + np.sqrt(rows.shape[0]) * prices[-1]
        bound = float(unsold + worth[top].sum())
        waited += 1
        if bound < best * (1 - _EXACT):
            best, by_site, best_prices, waited = bound, _with_each(bound, worth, top, limits), prices, 0
            if (by_site > value * (1 + _EXACT)).sum() <= _FEW:
                break
        elif waited > _PATIENCE:
            length, waited, prices = length / 1.5, 0, best_prices
            continue
        if length < _SHORTEST or best <= value * (1 + _EXACT):
            break
        taken = np.zeros(len(worth))
        taken[top] = 1
        slope = np.append(rows @ taken - (gains > prices[:-1]), np.sqrt(rows.shape[0]) - money @ taken)
        prices = np.clip(prices - length * (bound - value) / max((slope**2).sum(), 1.0) * slope, 0, ceiling)
    return best, by_site


def _with_each(bound: float, worth: np.ndarray, top: np.ndarray, limits: Limits) -> np.ndarray:
    """The bound of a choice that holds a given site: what the least of the best is worth more is lost."""
    least = worth[top].min() if len(top) == limits.count else 0.0
    return bound - np.maximum(least - worth, 0)


def _top(worth: np.ndarray, limits: Limits) -> np.ndarray:
    """The sites worth most, if anything, at most one of a group."""
    sites = np.flatnonzero(worth > 0)
    if (limits.group >= 0).any():
        sites = sites[np.argsort(-worth[sites], kind="stable")]
        codes = limits.group[sites]
        first = np.zeros(len(sites), bool)
        first[np.unique(codes, return_index=True)[1]] = True
        sites = sites[first | (codes < 0)]
    if len(sites) <= limits.count:
        return sites
    return sites[np.argpartition(-worth[sites], limits.count - 1)[: limits.count]]


def _decide(
    rows: "csr_array", gains: np.ndarray, limits: Limits, value: float, seconds: float
) -> tuple[np.ndarray, float]:
    """The best choice among few sites by HiGHS, and the bound that it proved (`value`, where that is more)."""
    from scipy.optimize import LinearConstraint
    from scipy.sparse import csr_array, eye_array, hstack

    rows, gains = distinct(rows, gains)
    points, sites = rows.shape
    scale = gains.mean()  # so that the solver's absolute tolerance is a fraction of one point
    linked = LinearConstraint(hstack([-rows, eye_array(points)], format="csr"), ub=0)
    table, caps = limits.rows()
    capped = LinearConstraint(csr_array(np.column_stack([table, np.zeros((len(table), points))])), ub=caps)
    integral = np.r_[np.ones(sites), np.zeros(points)]
    solved = _solve(np.r_[np.zeros(sites), -gains / scale], [linked, capped], integral, seconds)
    proven = gains.sum() if solved.mip_dual_bound is None else -solved.mip_dual_bound * scale
    chosen = np.array([], int) if solved.x is None else np.flatnonzero(solved.x[:sites] > 0.5)
    return chosen, max(float(proven), value)


def _solve(objective: np.ndarray, constraints: list, integral: np.ndarray, seconds: float) -> "OptimizeResult":
    from scipy.optimize import Bounds, milp

    options = {"mip_rel_gap": 0, "time_limit": seconds}
    solved = milp(objective, constraints=constraints, integrality=integral, bounds=Bounds(0, 1), options=options)
    if solved.status not in (0, 1):  # neither solved nor out of time: every problem posed here has a choice
        raise EstimationError(f"siting: the solver gave up: {solved.message}")
    return solved


def _exhaust(rows: "csr_array") -> np.ndarray:
    """A cover made by taking what adds most until all is reached: a choice for when the solver finds none in time."""
    columns, left, chosen = rows.T.tocsr(), np.ones(rows.shape[0]), []
    while left.any():
        site = int(np.argmax(columns @ left))
        chosen.append(site)
        left[_points(columns, site)] = 0
    return np.array(chosen, int)


def _points(columns: "csr_array", site: int) -> np.ndarray:
    return columns.indices[columns.indptr[site] : columns.indptr[site + 1]]


def _sum(columns: "csr_array", gains: np.ndarray, sites: np.ndarray) -> float:
    """What some sites reach together."""
    reached = np.zeros(columns.shape[1], bool)
    for site in sites:
        reached[_points(columns, site)] = True
    return float(gains[reached].sum())
