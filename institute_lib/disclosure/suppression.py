"""Which further cells to hide so that nobody can compute the hidden ones back: one integer program.

Each cell is hidden or not (0 or 1); the cost of hiding is to be least; and for every cell to be protected an attacker
who knows all that is shown must still find possible a value `down` below and `up` above the true one. What stands in
the way of that is a linear inequality on the 0-1 variables, found by the dual of the attacker's linear program and
added when it is violated (Fischetti and Salazar-González, 2001, Management Science 47(7), eq. 10 to 17: the
capacity constraints; they are a Benders decomposition of the full model).

All the tables that share cells are one set of equations, so linked tables are solved together.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from institute_lib.disclosure.structure import Line, matrix

SECONDS = 8.0  # after so long the best pattern found is taken, with its gap
SLACK = 1e-6


@dataclass(frozen=True)
class Measure:
    """A figure that adds up: its true value in each cell, and how far an attacker must stay from it (0: no matter)."""

    values: np.ndarray
    down: np.ndarray
    up: np.ndarray


@dataclass(frozen=True)
class Pattern:
    """What to hide.

    Attributes:
        hidden: for each cell whether it is hidden.
        cost: cost of the cells hidden beside the given ones; `bound` is what no pattern can undercut.
        exposed: cells that cannot be protected as far as asked, whatever is hidden.
    """

    hidden: np.ndarray
    cost: float
    bound: float
    exposed: tuple[int, ...] = ()

    @property
    def gap(self) -> float:
        """How much dearer than the best possible pattern this one can be, as a share of its cost."""
        return 0.0 if self.cost <= SLACK else max(self.cost - self.bound, 0.0) / self.cost


@dataclass(frozen=True)
class _Target:
    """One cell in one direction: an attacker must find a value `need` away possible."""

    cell: int
    sign: float
    need: float
    measure: Measure


@dataclass(frozen=True)
class _Cut:
    """`weights @ hidden >= need`."""

    weights: np.ndarray
    need: float


def solve(
    lines: Sequence[Line],
    measures: Sequence[Measure],
    *,
    given: np.ndarray,
    allowed: np.ndarray,
    cost: np.ndarray,
    seconds: float = SECONDS,
) -> Pattern:
    """The cheapest pattern that protects every cell of every measure.

    Args:
        lines: totals and their parts.
        measures: what adds up, with the distances to keep.
        given: cells that are hidden whatever it costs; `allowed`: cells that may be hidden at `cost`.
        seconds: how long to look for the best pattern.
    """
    if not given.any():
        return Pattern(given.copy(), 0.0, 0.0)
    system = matrix(lines, len(given))
    targets, exposed = _reachable(system, measures, given | allowed)
    cuts = [*_bridges(lines, given, allowed), *(cut for target in targets for cut in _line_cuts(lines, target))]
    started, bound, best = time.monotonic(), 0.0, None
    while True:
        left = seconds - (time.monotonic() - started)
        pattern, lower = _master(cuts, given, allowed, cost, max(left, 0.5))
        bound = max(bound, lower)
        if pattern is not None:
            found = [cut for target in targets if (cut := _violated(system, target, pattern)) is not None]
            whole = pattern if not found else _repair(system, targets, pattern, given | allowed, cost)
            if best is None or cost[whole].sum() < cost[best].sum():
                best = whole
            cuts += found
        stuck = pattern is None or not found
        if stuck or _price(best, given, cost) <= bound * (1 + SLACK) + SLACK or time.monotonic() - started > seconds:
            break
    if best is None:  # the program found nothing in its time: the hidden cells grow until all are protected
        best = _repair(system, targets, given.copy(), given | allowed, cost)
    return Pattern(best, _price(best, given, cost), bound, exposed)


def _price(pattern: np.ndarray | None, given: np.ndarray, cost: np.ndarray) -> float:
    return np.inf if pattern is None else float(cost[pattern & ~given].sum())


def _reachable(system, measures: Sequence[Measure], possible: np.ndarray) -> tuple[list[_Target], tuple[int, ...]]:
    """Every cell and direction to protect, no farther than hiding everything could; and the cells that fall short."""
    targets, exposed = [], []
    for measure in measures:
        for sign, needs in ((1.0, measure.up), (-1.0, measure.down)):
            for cell in np.flatnonzero(needs > 0):
                asked = _Target(int(cell), sign, float(needs[cell]), measure)
                reached, _ = _attack(system, asked, possible)
                if reached < asked.need - SLACK:
                    exposed.append(int(cell))
                if reached > SLACK:
                    targets.append(_Target(asked.cell, sign, min(asked.need, reached), measure))
    return targets, tuple(dict.fromkeys(exposed))


def _bridges(lines: Sequence[Line], given: np.ndarray, allowed: np.ndarray) -> Iterator[_Cut]:
    """No total may have a lone hidden cell: whatever is hidden has company in each of its lines, if it can have any."""
    for whole, parts in lines:
        line = [whole, *parts]
        possible = (given | allowed)[line].sum()
        for cell in line:
            if not given[cell] or possible > 1:
                weights = np.zeros(len(given))
                weights[line] = 1.0
                weights[cell] = -1.0
                yield _Cut(weights, 0.0)


def _line_cuts(lines: Sequence[Line], target: _Target) -> Iterator[_Cut]:
    """Within one total: the other hidden cells must be able to give way as far as the target has to move.

    Parts give way downwards by what they hold and upwards without limit; the total the other way round.
    """
    values = target.measure.values
    for whole, parts in lines:
        if target.cell not in (whole, *parts):
            continue
        weights = np.zeros(len(values))
        same = target.sign if target.cell != whole else -target.sign
        for part in parts:
            weights[part] = values[part] if same > 0 else target.need
        weights[whole] = target.need if target.sign > 0 else values[whole]
        if target.cell == whole:
            weights[parts] = target.need if target.sign > 0 else values[parts]
        weights[target.cell] = 0.0
        yield _Cut(np.minimum(weights, target.need), target.need)


def _attack(system, target: _Target, hidden: np.ndarray) -> tuple[float, np.ndarray]:
    """How far the target can move, and for each cell how much of that its being hidden can contribute."""
    from scipy.optimize import linprog

    places = np.flatnonzero(hidden)
    values = target.measure.values
    goal = np.where(places == target.cell, -target.sign, 0.0)
    if system.shape[0] == 0:
        return target.need, np.zeros(len(values))
    own = (-values[target.cell], target.need) if target.sign > 0 else (-target.need, None)
    ends = [own if i == target.cell else (-values[i], None) for i in places]
    solved = linprog(goal, A_eq=system[:, places], b_eq=np.zeros(system.shape[0]), bounds=ends, method="highs")
    if solved.status != 0:  # a numerical failure counts as not protected; everything that could help is called for
        return 0.0, np.full(len(values), target.need)
    whole = np.zeros(len(values))
    whole[target.cell] = -target.sign
    price = whole - system.T @ solved.eqlin.marginals
    # A cell may fall by what it holds; it may rise without limit, so there one cell alone could do all that is needed.
    return -float(solved.fun), np.where(price > SLACK, price * values, np.where(price < -SLACK, target.need, 0.0))


def _violated(system, target: _Target, hidden: np.ndarray) -> _Cut | None:
    reached, help_of = _attack(system, target, hidden)
    if reached >= target.need - SLACK * max(1.0, target.need):
        return None
    help_of[target.cell] = 0.0
    return _Cut(np.minimum(help_of, target.need), target.need)


def _master(
    cuts: Sequence[_Cut], given: np.ndarray, allowed: np.ndarray, cost: np.ndarray, seconds: float
) -> tuple[np.ndarray | None, float]:
    """The cheapest pattern under the inequalities found so far, and the bound that is proven."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    free = np.flatnonzero(allowed & ~given)
    if not len(free):
        return given.copy(), 0.0
    rows, needs = [], []
    for cut in cuts:
        need = cut.need - cut.weights[given].sum()
        row = cut.weights[free]
        if need > SLACK or (row < 0).any():
            # A cell that cannot help more than is still lacking counts with what is lacking: a tighter relaxation.
            rows.append(np.minimum(row, need) if need > SLACK else row)
            needs.append(need)
    limits = [LinearConstraint(np.array(rows), np.array(needs), np.inf)] if rows else []
    solved = milp(
        cost[free],
        constraints=limits,
        integrality=np.ones(len(free)),
        bounds=Bounds(0, 1),
        options={"time_limit": seconds},
    )
    bound = solved.mip_dual_bound
    pattern = given.copy()
    if solved.x is None:
        return None, float(bound or 0.0)
    pattern[free[solved.x > 0.5]] = True
    return pattern, float(solved.fun if bound is None else bound)


def _repair(
    system, targets: Sequence[_Target], hidden: np.ndarray, possible: np.ndarray, cost: np.ndarray
) -> np.ndarray:
    """A pattern that holds, from one that does not yet: for each target the cheapest way to let it move is hidden.

    The way is a flow through the table, the cost of new cells to be least (Kelly, Golden and Assad, 1992).
    """
    from scipy.optimize import linprog
    from scipy.sparse import hstack

    hidden = hidden.copy()
    places = np.flatnonzero(possible)
    for target in targets:
        if _violated(system, target, hidden) is None:
            continue
        fee = np.where(hidden[places], 0.0, cost[places])
        values = target.measure.values[places]
        own = places == target.cell
        rise = np.where(own, target.need if target.sign > 0 else 0.0, np.inf)
        fall = np.where(own, target.need if target.sign < 0 else 0.0, values)
        floor = np.where(own, target.need, 0.0)
        part = system[:, places]
        solved = linprog(
            np.concatenate([fee, fee]) + SLACK,
            A_eq=hstack([part, -part]),
            b_eq=np.zeros(part.shape[0]),
            bounds=[
                *zip(np.where(target.sign > 0, floor, 0.0), rise, strict=True),
                *zip(np.where(target.sign < 0, floor, 0.0), fall, strict=True),
            ],
            method="highs",
        )
        moved = np.ones(len(places), bool) if solved.x is None else np.abs(np.split(solved.x, 2)).sum(axis=0) > SLACK
        hidden[places[moved]] = True
    return hidden
