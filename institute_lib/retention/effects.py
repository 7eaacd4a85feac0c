"""Average marginal effects: what a change in one driver goes with, on the scale of the hazard, averaged over the rows.

For a number, the mean derivative of the hazard, squares and interactions followed through; for a level, the mean
difference between everyone at that level and everyone at the reference. Errors by the delta method, the rows fixed
(Greene, Econometric Analysis, 7th edition, section 17.3.2).
"""

import numpy as np
import pandas as pd

from institute_lib.retention.design import Block, Design, evaluate
from institute_lib.retention.fitting import Fit, Problem
from institute_lib.retention.intervals import estimate_columns


def average_marginal_effects(problem: Problem, fit: Fit, covariance: np.ndarray) -> pd.DataFrame:
    """term, level, estimate (change of the hazard: 0.01 is one person in a hundred), se, ci_low, ci_high, p_value."""
    labels, values, gradients = [], [], []
    for name, variable in problem.design.variables.items():
        if variable.kind == "number":
            found = [_derivative(problem, name, fit)]
            labels.append((name, ""))
        else:
            reference, reference_gradient = _fixed(problem, name, 0, fit)
            everyone = [_fixed(problem, name, level, fit) for level in range(1, len(variable.levels))]
            found = [(value - reference, gradient - reference_gradient) for value, gradient in everyone]
            labels += [(name, str(level)) for level in variable.levels[1:]]
        values += [value for value, _ in found]
        gradients += [gradient for _, gradient in found]
    gradient = np.array(gradients)
    se = np.sqrt(np.einsum("ij,jk,ik->i", gradient, covariance, gradient))
    table = pd.DataFrame(labels, columns=["term", "level"])
    return pd.concat([table, estimate_columns(np.array(values), se)], axis=1)


def _derivative(problem: Problem, name: str, fit: Fit) -> tuple[float, np.ndarray]:
    """Mean of h'(η) ∂η/∂v and its gradient: mean of h''(η) (∂η/∂v) x + h'(η) ∂x/∂v."""
    design, shares = problem.design, problem.rows / problem.rows.sum()
    block = _home(design, name)
    change = _with_intercept(block, evaluate(block.terms, design.variables, block.grid, derivative=name), 0.0)
    pull = block.spread(change @ fit.beta[block.columns])
    slope = shares * problem.link.slope(fit.eta)
    gradient = design.scores(shares * problem.link.curve(fit.eta) * pull)
    gradient[block.columns] += change.T @ block.add(slope)
    return float(slope @ pull), gradient


def _fixed(problem: Problem, name: str, level: int, fit: Fit) -> tuple[float, np.ndarray]:
    """Mean hazard with one driver held at a level for everyone, and its gradient."""
    design, shares = problem.design, problem.rows / problem.rows.sum()
    block = _home(design, name)
    grid = {**block.grid, name: np.full_like(block.grid[name], level)}
    table = _with_intercept(block, evaluate(block.terms, design.variables, grid), 1.0)
    eta = fit.eta + block.spread((table - block.table) @ fit.beta[block.columns])
    mean = problem.link.mean(eta)
    slope = shares * problem.link.slope(eta, mean)
    gradient = design.scores(slope)
    gradient[block.columns] = table.T @ block.add(slope)
    return float(shares @ mean), gradient


def _home(design: Design, name: str) -> Block:
    return next(block for block in design.blocks if name in block.drivers)


def _with_intercept(block: Block, table: np.ndarray, value: float) -> np.ndarray:
    if len(block.columns) == table.shape[1]:
        return table
    return np.column_stack([np.full(len(table), value), table])
