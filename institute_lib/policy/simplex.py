"""Least squares over the simplex, exactly: the weights of a synthetic control.

The weights that bring a mixture of points nearest to a target are those of the point of the points' convex hull that
lies nearest to the origin, once the target is subtracted. Wolfe, P. (1976), Finding the nearest point in a polytope,
Mathematical Programming 11, 128–149: finite, and exact to rounding.
"""

import numpy as np

TOLERANCE = 1e-12
DROP = 1e-14


def simplex_weights(points: np.ndarray, target: np.ndarray, *, ridge: float = 0.0) -> np.ndarray:
    """Weights w ≥ 0 that sum to one and minimise |points @ w − target|² + ridge·|w|².

    Args:
        points: rows (periods) by columns (donors).
        target: one value a row.
        ridge: penalty on the squared weights, ≥ 0.

    Returns:
        One weight a column. Where several mixtures are equally near, one that rests on few columns; where values differ
        so much in size that rounding hides further progress, the nearest one found.
    """
    away = points - target[:, None]
    gram = away.T @ away
    gram[np.diag_indices_from(gram)] += ridge
    scale = max(float(np.abs(np.diag(gram)).max()), np.finfo(float).tiny)
    before, weights, shortest = None, _start(gram, full=ridge > 0), np.inf
    while True:
        pull = gram @ weights
        nearest, distance = int(np.argmin(pull)), float(weights @ pull)
        if not distance < shortest:  # each step comes nearer, until rounding hides it
            return before / before.sum()
        if distance - pull[nearest] <= TOLERANCE * scale or weights[nearest] > 0:
            return weights / weights.sum()
        before, weights, shortest = weights, _step(gram, weights, nearest), distance


def nearest_to_origin(points: np.ndarray) -> np.ndarray:
    """Weights on the simplex of the mixture that lies nearest to the origin, for points of few dimensions.

    Non-negative u that minimise |points @ u|² + (sum u − 1)² are those weights but for their sum, since for any mixture
    the best sum is 1/(1 + its squared distance) (Lawson and Hanson 1974, ch. 23).

    Args:
        points: coordinates by columns, of a size near one.
    """
    from scipy.optimize import nnls

    system = np.vstack([points, np.ones(points.shape[1])])
    side = np.zeros(len(system))
    side[-1] = 1.0
    try:
        found = nnls(system, side)[0]
    except RuntimeError:  # its limit of steps, where rounding makes it go in circles
        return simplex_weights(points, np.zeros(len(points)))
    return found / found.sum()


def _start(gram: np.ndarray, *, full: bool) -> np.ndarray:
    """Weights that are best on their own support: all columns less those pushed out, or the nearest single one."""
    chosen = np.arange(len(gram))
    while full and len(chosen):
        best = _best_on(gram, chosen)
        if (best > 0).all():
            return _spread(best, chosen, len(gram))
        chosen = chosen[best > 0]
    return _spread(np.ones(1), np.array([int(np.argmin(np.diag(gram)))]), len(gram))


def _step(gram: np.ndarray, weights: np.ndarray, entering: int) -> np.ndarray:
    """Let one column in, then move towards the best of the chosen columns until none is negative."""
    chosen = np.append(np.flatnonzero(weights > 0), entering)
    current = weights[chosen]
    while True:
        best = _best_on(gram, chosen)
        if (best > DROP).all():
            return _spread(best, chosen, len(gram))
        falling = np.flatnonzero(best <= DROP)
        drop = current[falling] - best[falling]
        step = np.where(drop > 0, current[falling] / np.where(drop > 0, drop, 1.0), 0.0)
        current = current + min(1.0, float(step.min())) * (best - current)
        current[falling[np.argmin(step)]] = 0.0
        kept = current > DROP
        if not kept.any():
            return weights
        chosen, current = chosen[kept], current[kept]


def _best_on(gram: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The weights on `chosen` that sum to one, of any sign, nearest to the origin."""
    size = len(chosen)
    if size == 1:
        return np.ones(1)
    scale = np.abs(gram[chosen, chosen]).max() or 1.0
    system = np.ones((size + 1, size + 1))
    system[:size, :size] = gram[np.ix_(chosen, chosen)] / scale
    system[size, size] = 0.0
    side = np.zeros(size + 1)
    side[size] = 1.0
    try:
        return np.linalg.solve(system, side)[:size]
    except np.linalg.LinAlgError:
        return np.linalg.lstsq(system, side, rcond=None)[0][:size]


def _spread(values: np.ndarray, chosen: np.ndarray, size: int) -> np.ndarray:
    weights = np.zeros(size)
    weights[chosen] = values
    return weights
