"""What goes with a change in a driver, averaged over the rows: marginal effects, and changes of levers.

For a number, the mean derivative of the hazard, squares and interactions followed through; for a level, the mean
difference between everyone at that level and everyone at the reference. Errors by the delta method, the rows fixed, and
clustered at the level at which the driver is set (Greene, Econometric Analysis, 7th edition, section 17.3.2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from institute_lib.errors import ParameterError, nearest
from institute_lib.retention.counting import Variable
from institute_lib.retention.drivers import level_name
from institute_lib.retention.fitting import Block, Problem, evaluate
from institute_lib.retention.intervals import estimate_columns

if TYPE_CHECKING:
    from institute_lib.retention.hazard import HazardModel

Mean = tuple[float, np.ndarray]


def change(model: "HazardModel", levers: Mapping[str, tuple[object, object]], *, quarters: int = 4) -> pd.DataFrame:
    """The mean change in leaving when everyone's driver is at one value instead of another, all else as it is.

    Parameters:
        model: a fitted hazard.
        levers: driver → (before, after): levels of a factor (a band is compared with a band), or numbers, which need
            not occur in the data.
        quarters: the time over which leavers are counted, each row's hazard kept: 1 − (1 − h)^quarters.

    Returns:
        term, before, after, rate_before, rate_after (leavers in a hundred), estimate (their difference: people in a
        hundred; below zero fewer leave), se, ci_low, ci_high, p_value, rows (those at the rarer of the two levels; all
        rows for a number); errors by the delta method, the rows fixed. `.attrs["warnings"]`: values that nobody has.

    Raises:
        ParameterError: unknown driver or level, before and after the same, fewer than one quarter.

    Source: average contrasts of adjusted predictions, Norton, Dowd and Maciejewski (2019), JAMA 321, 1304–1305.
    """
    if not levers:
        raise ParameterError("change: name at least one lever, such as {'caseload': (40, 30)}")
    if int(quarters) != quarters or quarters < 1:
        raise ParameterError(f"change: quarters={quarters!r}; give a whole number of quarters, at least 1")
    design, beta = model.problem.design, model.fit.beta
    eta = design.predictor(beta)
    effects, rows, notes = [], [], []
    for driver, pair in levers.items():
        if driver not in design.variables:
            raise ParameterError(
                f"change: {driver!r} is not a driver of the model: {nearest(driver, design.variables)}"
            )
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ParameterError(f"change: {driver!r}: {pair!r}; give (before, after)")
        variable = design.variables[driver]
        before, after = (_value(variable, one) for one in pair)
        if before == after:
            raise ParameterError(f"change: {driver!r} is {before!r} before and after; give two different values")
        notes += _beyond(variable, (before, after))
        means = [
            _mean_hazard(model.problem, beta, {driver: one}, eta, periods=int(quarters)) for one in (before, after)
        ]
        effects.append(_with_errors([_difference(means[1], means[0])], model, driver))
        own = model.levels[(model.levels["term"] == driver) & model.levels["level"].isin([before, after])]
        n = int(own["rows"].min()) if len(own) else model.n_rows
        rows.append((driver, before, after, 100 * means[0][0], 100 * means[1][0], n))
    found = pd.concat(effects, ignore_index=True)
    scaled = found.assign(**{name: 100 * found[name] for name in ("estimate", "se", "ci_low", "ci_high")})
    table = pd.DataFrame(rows, columns=["term", "before", "after", "rate_before", "rate_after", "rows"])
    found = pd.concat([table, scaled], axis=1)
    found.attrs["warnings"] = tuple(notes)
    return found


def average_marginal_effects(model: "HazardModel") -> pd.DataFrame:
    """term, level, estimate (change of the hazard: 0.01 is one person in a hundred), se, ci_low, ci_high, p_value."""
    problem, beta = model.problem, model.fit.beta
    eta, tables = problem.design.predictor(beta), []
    for name, variable in problem.design.variables.items():
        if variable.kind == "number":
            found, levels = [_derivative(problem, name, beta, eta)], [""]
        else:
            everyone = [_mean_hazard(problem, beta, {name: level}, eta) for level in variable.levels]
            found, levels = [_difference(one, everyone[0]) for one in everyone[1:]], map(str, variable.levels[1:])
        table = pd.DataFrame({"term": name, "level": list(levels)})
        tables.append(pd.concat([table, _with_errors(found, model, name)], axis=1))
    return pd.concat(tables, ignore_index=True)


def _difference(after: Mean, before: Mean) -> Mean:
    return after[0] - before[0], after[1] - before[1]


def _with_errors(found: Sequence[Mean], model: "HazardModel", driver: str) -> pd.DataFrame:
    """Values and gradients into estimates with intervals (delta method)."""
    covariance, df = model.errors_for(driver)
    gradient = np.array([one for _, one in found])
    touched = np.abs(gradient).max(axis=0) > 0
    part = gradient[:, touched]
    se = np.sqrt(np.einsum("ij,jk,ik->i", part, covariance[np.ix_(touched, touched)], part))
    return estimate_columns(np.array([value for value, _ in found]), se, df)


def _mean_hazard(
    problem: Problem, beta: np.ndarray, held: Mapping[str, object], eta: np.ndarray, *, periods: int = 1
) -> Mean:
    """The mean probability of leaving within `periods` with drivers held at a value for everyone, and its gradient.

    Over several periods the hazard of each row is kept: 1 − (1 − h)^periods.
    """
    design, shares = problem.design, problem.rows / problem.rows.sum(dtype=float)
    moved, tables = eta.copy(), {}
    for number, block in enumerate(design.blocks):
        if set(held) & set(block.drivers):
            tables[number] = _held(design.variables, block, held)
            moved += block.spread((tables[number] - block.table) @ beta[block.columns])
    hazard = problem.link.mean(moved)
    stay = (1 - hazard) ** (periods - 1)
    slope = shares * periods * stay * problem.link.slope(moved)
    gradient = np.zeros(design.width)
    for number, block in enumerate(design.blocks):
        gradient[block.columns] = tables.get(number, block.table).T @ block.add(slope)
    return float(shares @ (1 - stay * (1 - hazard))), gradient


def _held(known: Mapping[str, Variable], block: Block, held: Mapping[str, object]) -> np.ndarray:
    """The block's table with drivers held at a level or at a number, which need not occur in the data."""
    grid, variables = dict(block.grid), dict(known)
    for name in set(held) & set(block.drivers):
        if variables[name].kind == "number":
            variables[name] = replace(variables[name], levels=np.array([float(held[name])]))
            grid[name] = np.zeros_like(grid[name])
        else:
            grid[name] = np.full_like(grid[name], list(variables[name].levels).index(held[name]))
    return _with_intercept(block, evaluate(block.terms, variables, grid), 1.0)


def _derivative(problem: Problem, name: str, beta: np.ndarray, eta: np.ndarray) -> Mean:
    """Mean of h'(η) ∂η/∂v and its gradient: mean of h''(η) (∂η/∂v) x + h'(η) ∂x/∂v."""
    design, shares = problem.design, problem.rows / problem.rows.sum(dtype=float)
    block = next(block for block in design.blocks if name in block.drivers)
    slopes = _with_intercept(block, evaluate(block.terms, design.variables, block.grid, derivative=name), 0.0)
    pull = block.spread(slopes @ beta[block.columns])
    slope = shares * problem.link.slope(eta)
    gradient = design.scores(shares * problem.link.curve(eta) * pull)
    gradient[block.columns] += slopes.T @ block.add(slope)
    return float(slope @ pull), gradient


def _with_intercept(block: Block, table: np.ndarray, value: float) -> np.ndarray:
    if len(block.columns) == table.shape[1]:
        return table
    return np.column_stack([np.full(len(table), value), table])


def _value(variable: Variable, value: object) -> object:
    """A number, or the name of a level."""
    if variable.kind == "number":
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = np.nan
        if not np.isfinite(number):
            raise ParameterError(f"change: {variable.name!r} is a number; got {value!r}")
        return number
    level = level_name(value)
    if level not in variable.levels:
        raise ParameterError(f"change: {variable.name!r} has no level {level!r}: {nearest(level, variable.levels)}")
    return level


def _beyond(variable: Variable, values: tuple[object, object]) -> list[str]:
    """A note on numbers that nobody has: the model then speaks beyond its data."""
    if variable.kind != "number":
        return []
    low, high = variable.levels.min(), variable.levels.max()
    far = [value for value in values if not low <= value <= high]
    return [f"{variable.name} = {value:g} lies beyond the data ({low:g} to {high:g})" for value in far]
