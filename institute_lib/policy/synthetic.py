"""One treated unit against a weighted mixture of donors: synthetic difference-in-differences and its relatives.

Arkhangelsky, Athey, Hirshberg, Imbens and Wager (2021), Synthetic difference-in-differences, American Economic Review
111(12), 4088–4118: the three estimators are one weighted two-way regression that differ in their unit and time weights.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from institute_lib.policy.predictors import predictor_weights
from institute_lib.policy.simplex import simplex_weights

Method = Literal["synthetic_did", "synthetic_control", "did"]
METHODS: tuple[str, ...] = ("synthetic_did", "synthetic_control", "did")
ROUNDING = 64 * np.finfo(float).eps  # of the outcomes' size: a gap below it is none


@dataclass(frozen=True)
class Fit:
    """One unit's estimate: effect, gap to its counterfactual in every period, weights of donors and of pre-periods."""

    att: float
    gap: np.ndarray
    unit_weights: np.ndarray
    time_weights: np.ndarray
    pre_rmspe: float

    @property
    def half_errors(self) -> tuple[float, float]:
        """The mean squared gap in the first and in the second half of the periods before the start."""
        n_pre = len(self.time_weights)
        before = self.gap[:n_pre] ** 2
        return float(before[: n_pre // 2].mean()), float(before[n_pre // 2 :].mean())


def fit_unit(
    own: np.ndarray, donors: np.ndarray, n_pre: int, *, method: str, traits: tuple[np.ndarray, np.ndarray] | None = None
) -> Fit:
    """The effect on one unit.

    Args:
        own: the unit's outcomes, one a period.
        donors: donors by periods, no gaps.
        n_pre: how many periods come before the start.
        traits: the unit's predictors, and predictors by donors, for synthetic control; None matches on outcomes.

    Source: Arkhangelsky et al. (2021), eq. 2.1–2.3 and algorithm 1. The regularisation of the unit weights is
    ζ = (number of treated unit-periods)^¼ · σ̂, σ̂ the standard deviation of the donors' first differences before the
    start; that of the time weights is 10⁻⁶ σ̂. Synthetic control: Abadie, Diamond and Hainmueller (2010) on outcomes.
    """
    if traits is None:
        unit_weights, time_weights = _weights(own, donors, n_pre, method)
    else:
        unit_weights = predictor_weights(*traits, donors[:, :n_pre].T, own[:n_pre])
        time_weights = np.zeros(n_pre)
    raw = own - unit_weights @ donors
    gap = without_rounding(raw - time_weights @ raw[:n_pre], own, donors)
    return Fit(
        att=float(gap[n_pre:].mean()),
        gap=gap,
        unit_weights=unit_weights,
        time_weights=time_weights,
        pre_rmspe=float(np.sqrt(np.mean(gap[:n_pre] ** 2))),
    )


def without_rounding(gap: np.ndarray, own: np.ndarray, donors: np.ndarray) -> np.ndarray:
    """The gap, zero where it is rounding: units that move together differ by nothing, and nothing has a rank."""
    return np.where(np.abs(gap) <= ROUNDING * max(np.abs(own).max(), np.abs(donors).max()), 0.0, gap)


def _weights(own: np.ndarray, donors: np.ndarray, n_pre: int, method: str) -> tuple[np.ndarray, np.ndarray]:
    before, after = donors[:, :n_pre], donors[:, n_pre:]
    if method == "did":
        return np.full(len(donors), 1 / len(donors)), np.full(n_pre, 1 / n_pre)
    if method == "synthetic_control":
        return simplex_weights(before.T, own[:n_pre]), np.zeros(n_pre)
    noise = noise_of(before)
    zeta = after.shape[1] ** 0.25 * noise
    centred = (before - before.mean(axis=1, keepdims=True)).T
    units = simplex_weights(centred, own[:n_pre] - own[:n_pre].mean(), ridge=n_pre * zeta**2)
    mean_after = after.mean(axis=1)
    times = simplex_weights(
        before - before.mean(axis=0), mean_after - mean_after.mean(), ridge=len(donors) * (1e-6 * noise) ** 2
    )
    return units, times


def noise_of(before: np.ndarray) -> float:
    """The standard deviation of the donors' changes from one pre-period to the next."""
    changes = np.diff(before, axis=1).ravel()
    return float(changes.std(ddof=1)) if len(changes) > 1 else 0.0
