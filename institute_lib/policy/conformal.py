"""Conformal inference: with the effect taken out, do the periods after the start look like all the others?

Chernozhukov, Wüthrich and Zhu (2021), An exact and robust conformal inference method for counterfactual and synthetic
controls, Journal of the American Statistical Association 116(536), 1849–1864. The proxy is fitted on all periods under
the effect that is tested, every period treated alike, so that its residuals may be permuted: over periods for the
effect in one of them, in moving blocks for a lasting effect. The placebo rank asks whether other units move as far;
this asks whether the treated unit itself ever did.
"""

from dataclasses import dataclass

import numpy as np

from institute_lib.policy.intervals import border
from institute_lib.policy.results import LEVEL
from institute_lib.policy.simplex import simplex_weights
from institute_lib.policy.synthetic import noise_of, without_rounding

ROUNDING = 1e-9


@dataclass(frozen=True)
class Conformal:
    """p of no effect, and the effects that are not rejected at 5 %; unbounded where the periods are too few."""

    p_value: float
    ci: tuple[float, float]


def conformal_test(own: np.ndarray, donors: np.ndarray, n_pre: int, estimate: float, *, method: str) -> Conformal:
    """A test of one constant effect on the periods after position `n_pre`, and its inversion.

    Args:
        own: the treated unit's outcomes, one a period. donors: donors by periods, no gaps.
        estimate: where the search for the bounds begins.
    """

    def p_of(effect: float) -> float:
        without = own - effect * (np.arange(len(own)) >= n_pre)
        return block_p(residuals(without, donors, len(own) - n_pre, method), n_pre)

    if 1 / len(own) > LEVEL:
        return Conformal(p_of(0.0), (-np.inf, np.inf))
    step = float(np.std(residuals(own, donors, len(own) - n_pre, method))) or max(abs(estimate), 1.0)
    low, high = (border(p_of, estimate, sign * step) for sign in (-1.0, 1.0))
    return Conformal(p_of(0.0), (low, high))


def by_period(
    own: np.ndarray, donors: np.ndarray, n_pre: int, estimates: np.ndarray, *, method: str
) -> list[Conformal]:
    """The test for each later period alone, the other later periods left out."""
    kept = range(n_pre)
    found = []
    for place, estimate in enumerate(estimates, n_pre):
        chosen = [*kept, place]
        found.append(conformal_test(own[chosen], donors[:, chosen], n_pre, float(estimate), method=method))
    return found


def residuals(own: np.ndarray, donors: np.ndarray, n_post: int, method: str) -> np.ndarray:
    """What the proxy leaves of the unit, all periods treated alike: no time weights, intercepts over all periods."""
    if method == "synthetic_control":
        return without_rounding(own - simplex_weights(donors.T, own) @ donors, own, donors)
    if method == "did":
        raw = own - donors.mean(axis=0)
    else:
        ridge = donors.shape[1] * n_post**0.5 * noise_of(donors) ** 2
        centred = (donors - donors.mean(axis=1, keepdims=True)).T
        raw = own - simplex_weights(centred, own - own.mean(), ridge=ridge) @ donors
    return without_rounding(raw - raw.mean(), own, donors)


def block_p(left: np.ndarray, n_pre: int) -> float:
    """The share of moving blocks whose residuals sum to at least as much as those after the start."""
    size = len(left) - n_pre
    around = np.concatenate([left, left[: size - 1]])
    sums = np.abs(np.convolve(around, np.ones(size), mode="valid"))
    return float((sums >= sums[n_pre] * (1 - ROUNDING)).mean())
