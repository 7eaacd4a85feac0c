"""Average marginal effects and changes of levers: what goes with a change in a driver, averaged over the rows.

For a number, the mean derivative of the hazard, squares and interactions followed through; for a level, the mean
difference between everyone at that level and everyone at the reference. Errors by the delta method, the rows fixed
(Greene, Econometric Analysis, 7th edition, section 17.3.2).
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from institute_lib.retention.blocks import Block, Design
from institute_lib.retention.design import evaluate
from institute_lib.retention.fitting import Fit, Problem
from institute_lib.retention.intervals import estimate_columns

Mean = tuple[float, np.ndarray]


def average_marginal_effects(problem: Problem, fit: Fit, covariance: np.ndarray) -> pd.DataFrame:
    """term, level, estimate (change of the hazard: 0.01 is one person in a hundred), se, ci_low, ci_high, p_value."""
    labels, found = [], []
    eta = problem.design.predictor(fit.beta)
    for name, variable in problem.design.variables.items():
        if variable.kind == "number":
            found.append(_derivative(problem, name, fit.beta, eta))
            labels.append((name, ""))
            continue
        everyone = [mean_hazard(problem, fit.beta, {name: level}, eta) for level in variable.levels]
        found += [difference(one, everyone[0]) for one in everyone[1:]]
        labels += [(name, str(level)) for level in variable.levels[1:]]
    table = pd.DataFrame(labels, columns=["term", "level"])
    return pd.concat([table, with_errors(found, covariance)], axis=1)


def difference(after: Mean, before: Mean) -> Mean:
    """What changes, and its gradient."""
    return after[0] - before[0], after[1] - before[1]


def with_errors(found: list[Mean], covariance: np.ndarray) -> pd.DataFrame:
    """Values and gradients into estimates with intervals (delta method)."""
    gradient = np.array([one for _, one in found])
    se = np.sqrt(np.einsum("ij,jk,ik->i", gradient, covariance, gradient))
    return estimate_columns(np.array([value for value, _ in found]), se)


def mean_hazard(
    problem: Problem, beta: np.ndarray, held: Mapping[str, object], eta: np.ndarray, *, periods: int = 1
) -> Mean:
    """The mean probability of leaving within `periods` with drivers held at a value for everyone, and its gradient.

    Over several periods the hazard of each row is kept: 1 − (1 − h)^periods.
    """
    design, shares = problem.design, problem.rows / problem.rows.sum()
    moved, tables = eta.copy(), {}
    for number, block in enumerate(design.blocks):
        if set(held) & set(block.drivers):
            tables[number] = _held(design, block, held)
            moved += block.spread((tables[number] - block.table) @ beta[block.columns])
    hazard = problem.link.mean(moved)
    stay = (1 - hazard) ** (periods - 1)
    slope = shares * periods * stay * problem.link.slope(moved, hazard)
    gradient = np.zeros(design.width)
    for number, block in enumerate(design.blocks):
        gradient[block.columns] = tables.get(number, block.table).T @ block.add(slope)
    return float(shares @ (1 - stay * (1 - hazard))), gradient


def _held(design: Design, block: Block, held: Mapping[str, object]) -> np.ndarray:
    """The block's table with drivers held at a level or at a number, which need not occur in the data."""
    grid, variables = dict(block.grid), dict(design.variables)
    for name in set(held) & set(block.drivers):
        if variables[name].kind == "number":
            variables[name] = replace(variables[name], levels=np.array([float(held[name])]))
            grid[name] = np.zeros_like(grid[name])
        else:
            grid[name] = np.full_like(grid[name], list(variables[name].levels).index(held[name]))
    return _with_intercept(block, evaluate(block.terms, variables, grid), 1.0)


def _derivative(problem: Problem, name: str, beta: np.ndarray, eta: np.ndarray) -> Mean:
    """Mean of h'(η) ∂η/∂v and its gradient: mean of h''(η) (∂η/∂v) x + h'(η) ∂x/∂v."""
    design, shares = problem.design, problem.rows / problem.rows.sum()
    block = next(block for block in design.blocks if name in block.drivers)
    change = _with_intercept(block, evaluate(block.terms, design.variables, block.grid, derivative=name), 0.0)
    pull = block.spread(change @ beta[block.columns])
    slope = shares * problem.link.slope(eta)
    gradient = design.scores(shares * problem.link.curve(eta) * pull)
    gradient[block.columns] += change.T @ block.add(slope)
    return float(slope @ pull), gradient


def _with_intercept(block: Block, table: np.ndarray, value: float) -> np.ndarray:
    if len(block.columns) == table.shape[1]:
        return table
    return np.column_stack([np.full(len(table), value), table])
