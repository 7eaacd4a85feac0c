"""Least squares over the simplex: the weights of a synthetic control."""

import numpy as np

STEPS = 30  # of the solver, for each column
TINY = 1e-8  # a ridge on points of a size near one, where rounding makes the solver go in circles


def simplex_weights(points: np.ndarray, target: np.ndarray, *, ridge: float = 0.0) -> np.ndarray:
    """Weights w ≥ 0 that sum to one and minimise |points @ w − target|² + ridge·|w|².

    Args:
        points: rows (periods) by columns (donors). target: one value a row. ridge: penalty, ≥ 0.

    Returns:
        One weight a column.
    """
    away = points - target[:, None]
    if ridge:
        away = np.vstack([away, np.sqrt(ridge) * np.eye(away.shape[1])])
    return nearest_to_origin(away / (float(np.sqrt((away**2).sum(axis=0).mean())) or 1.0))


def nearest_to_origin(points: np.ndarray) -> np.ndarray:
    """Weights on the simplex of the mixture that lies nearest to the origin.

    Non-negative u that minimise |points @ u|² + (sum u − 1)² are those weights but for their sum, since for any mixture
    the best sum is 1/(1 + its squared distance) (Lawson and Hanson 1974, ch. 23).

    Args:
        points: coordinates by columns, of a size near one.
    """
    from scipy.optimize import nnls

    size = points.shape[1]
    system = np.vstack([np.ones(size), points])
    side = np.eye(len(system))[0]
    try:
        found = nnls(system, side, maxiter=STEPS * size)[0]
    except RuntimeError:
        side = np.append(side, np.zeros(size))
        found = nnls(np.vstack([system, TINY * np.eye(size)]), side, maxiter=STEPS * size)[0]
    return found / found.sum()
