"""Confidence intervals when the slope of the difference in trends may change by at most M from period to period.

Rambachan and Roth (2023), section 4.1: the shortest interval of fixed length around an affine estimator. An estimator
that is safe from any linear trend is given by how strongly it leans on each earlier change of slope, c_1 … c_{P−1}; its
worst bias is M·(constant + Σ|c_k|) and its variance quadratic in c. So the best estimators for all M lie on one lasso
path (Efron, Hastie, Johnstone and Tibshirani 2004, with their modification for coefficients that return to zero), and
the interval for each M is a search along it.
"""

import numpy as np

from institute_lib.policy.results import LEVEL

STEPS = 60
FINE = 200
TINY = 1e-12


class Smoothness:
    """95 % intervals for target'τ if the slope changes by at most a bound from one period to the next.

    Args:
        pre, post: event-study estimates against the period before the start, in order of time. covariance: of both.
    """

    def __init__(self, pre: np.ndarray, post: np.ndarray, covariance: np.ndarray, target: np.ndarray):
        n_pre, n_post = len(pre), len(post)
        slope = float(target @ np.arange(1, n_post + 1))
        later = [float(target[k:] @ np.arange(1, n_post - k + 1)) for k in range(1, n_post)]
        self.estimates, self.covariance = np.concatenate([pre, post]), covariance
        self.least_bias = abs(slope) + float(np.abs(later).sum())
        self.without_lean = np.concatenate([np.zeros(n_pre - 1), [slope], target])
        self.of_lean = np.vstack([_second_differences(n_pre), np.zeros((n_post, n_pre - 1))])
        spread = covariance @ self.of_lean
        self.leans = _lasso_path(self.of_lean.T @ spread, spread.T @ self.without_lean)

    def interval(self, bound: float) -> tuple[float, float]:
        """The shortest interval, whose centre is an affine estimator."""
        best = int(self._half_lengths(self.leans, bound).argmin())
        fine = _between(self.leans[max(best - 1, 0) : best + 2])
        halves = self._half_lengths(fine, bound)
        centre = (self.without_lean + self.of_lean @ fine[halves.argmin()]) @ self.estimates
        return float(centre - halves.min()), float(centre + halves.min())

    def excludes_zero(self, bound: float) -> bool:
        """Whether no effect is incompatible with the estimates under this bound."""
        low, high = self.interval(bound)
        return not low <= 0 <= high

    def _half_lengths(self, leans: np.ndarray, bound: float) -> np.ndarray:
        weights = self.without_lean + leans @ self.of_lean.T
        sd = np.sqrt(np.einsum("ij,jk,ik->i", weights, self.covariance, weights).clip(TINY**2))
        return half_length(bound * (self.least_bias + np.abs(leans).sum(axis=1)), sd)


def _between(rows: np.ndarray) -> np.ndarray:
    """The rows, with many more in even steps from each to the next."""
    places = np.linspace(0, len(rows) - 1, (len(rows) - 1) * FINE + 1)
    below = np.minimum(places.astype(int), max(len(rows) - 2, 0))
    above = np.minimum(below + 1, len(rows) - 1)
    share = (places - below)[:, None]
    return (1 - share) * rows[below] + share * rows[above]


def half_length(bias: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Half the interval that covers with 95 % at this worst bias: sd times the 95 % point of |N(bias/sd, 1)|."""
    from scipy.special import ndtr, ndtri

    shift = bias / sd
    low = shift + ndtri(1 - LEVEL)
    high = shift + ndtri(1 - LEVEL / 2)
    for _ in range(STEPS):
        middle = (low + high) / 2
        covered = ndtr(middle - shift) - ndtr(-middle - shift) >= 1 - LEVEL
        low, high = np.where(covered, low, middle), np.where(covered, middle, high)
    return sd * high


def _second_differences(n_pre: int) -> np.ndarray:
    """Weights on the pre-periods (earliest first) that belong to each c_k, k = 1 … n_pre − 1.

    With v_s the weight s periods before the base, v_s = c_{s−1} − 2c_s + c_{s+1}.
    """
    table = np.zeros((n_pre, max(n_pre - 1, 0)))
    for k in range(1, n_pre):
        for s, value in ((k + 1, 1.0), (k, -2.0), (k - 1, 1.0)):
            if 1 <= s <= n_pre:
                table[n_pre - s, k - 1] += value
    return table


def _lasso_path(quadratic: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """Minimisers of ½c'Qc + b'c + λ·Σ|c| from λ = ∞ (all zero) to 0, with points in between; one row each."""
    size = len(linear)
    current = np.zeros(size)
    if size == 0:
        return current[None]
    penalty = float(np.abs(linear).max())
    active = [int(np.abs(linear).argmax())]
    points = [current]
    for _ in range(20 * size + 20):
        if penalty <= 0:
            break
        signs = -np.sign((quadratic @ current + linear)[active])
        direction = np.zeros(size)
        direction[active] = np.linalg.lstsq(quadratic[np.ix_(active, active)], signs, rcond=None)[0]
        step, event, place = _next_event(quadratic, linear, current, direction, penalty=penalty, active=active)
        points += [current + share * step * direction for share in np.linspace(0, 1, STEPS + 1)[1:]]
        current = current + step * direction
        penalty -= step
        if event == "leaves":
            current[place] = 0.0
            active.remove(place)
        elif event == "enters":
            active.append(place)
    return np.array(points)


def _next_event(
    quadratic: np.ndarray,
    linear: np.ndarray,
    current: np.ndarray,
    direction: np.ndarray,
    *,
    penalty: float,
    active: list[int],
) -> tuple[float, str, int]:
    """How far the penalty can fall before a coefficient enters or leaves; else to zero."""
    gradient, change = quadratic @ current + linear, quadratic @ direction
    step, event, place = penalty, "ends", -1
    for one in range(len(linear)):
        if one in active:
            moves = [(-current[one] / direction[one], "leaves")] if direction[one] else []
        else:
            moves = [
                ((penalty - sign * gradient[one]) / (1 + sign * change[one]), "enters")
                for sign in (1, -1)
                if abs(1 + sign * change[one]) > TINY
            ]
        for found, kind in moves:
            if TINY * max(penalty, TINY) < found < step:
                step, event, place = found, kind, one
    return step, event, place
