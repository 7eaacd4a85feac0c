"""Inference with one treated unit: its estimate among the estimates of units that had no policy.

A donor's placebo treats it as if it had started together with the treated unit, against the other donors. Units differ
in how noisy they are, small counties more than large ones, so a large one's effect is judged by the noise of its like:
the variance of a placebo effect is modelled, over the donors, as a + b·noise, where the squared error before the start
measures a unit's noise. Neither the raw effect (b = 0, which never rejects for a quiet unit) nor its ratio to the
pre-period error (a = 0, which rejects far too often for a quiet unit hit by lasting shocks) keeps its size. Ferman and
Pinto (2019), Inference in differences-in-differences with few treated groups and heteroskedasticity, Review of
Economics and Statistics 101(3), model it on group size; the pre-period error here takes size's place.

That error is itself a measurement: least squares on it would flatten the slope and judge the quietest units, a city's
large core among them, by too much noise. So the two halves of the periods before the start are taken as two
measurements, each the instrument of the other (Fuller 1987, Measurement error models, section 1.4): what they share is
noise that lasts, and only that is in their product.
"""

from dataclasses import dataclass

import numpy as np

from institute_lib.policy.synthetic import Fit

ROUNDING = 1e-9
ROUNDS = 50
FLOOR = 1e-3  # of the mean variance: no unit is so quiet that it alone decides
SETTLED = 1e-6


@dataclass(frozen=True)
class Placebos:
    """The donors' placebo estimates and their errors before the start, and those of the treated unit."""

    own: Fit
    donors: tuple[Fit, ...]

    @property
    def effects(self) -> np.ndarray:
        return np.array([one.att for one in self.donors])

    @property
    def errors(self) -> np.ndarray:
        return np.array([one.pre_rmspe for one in self.donors])

    @property
    def motionless(self) -> bool:
        """Whether no donor differs from the others, before the start or after: then chance has shown nothing."""
        return not (self.effects.any() or self.errors.any())

    def scale_of(self, errors: np.ndarray) -> np.ndarray:
        """The modelled standard deviation of a placebo effect, for units with these errors before the start.

        One where no donor's placebo moves at all: only ranks are left.
        """
        if self.motionless:
            return np.ones(len(errors))
        halves = np.array([one.half_errors for one in self.donors]).T
        unit = float(halves.mean()) or 1.0
        floor = ROUNDING**2 * max(float((self.effects**2).max()), float(halves.mean()))
        constant, slope = _variance_model(self.effects**2, halves / unit)
        return np.sqrt(np.maximum(constant + slope * np.asarray(errors) ** 2 / unit, floor))

    @property
    def scale(self) -> float:
        return float(self.scale_of(np.array([self.own.pre_rmspe]))[0])

    @property
    def statistics(self) -> np.ndarray:
        """The donors' effects in units of their modelled standard deviations."""
        return self.effects / self.scale_of(self.errors)


def _variance_model(squares: np.ndarray, halves: np.ndarray) -> tuple[float, float]:
    """a, b ≥ 0 of E[squares] = a + b·noise, by weighted moments iterated to their own weights.

    Args:
        squares: of the placebo effects, one a donor.
        halves: two by donors, mean squared errors in the two halves before the start: noise, twice measured.
    """
    mean = float(squares.mean())
    if mean == 0:
        return 0.0, 0.0
    constant, slope = 1.0, 0.0
    for _ in range(ROUNDS):
        before = constant, slope
        constant, slope = _moments(squares / mean, halves, np.maximum(constant + slope * halves, FLOOR) ** -2)
        if np.allclose(before, (constant, slope), rtol=SETTLED):
            break
    return constant * mean, slope * mean


def _moments(squares: np.ndarray, halves: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """One solution, at its bound where it would be negative.

    Each half weighs and instruments the other, so that the error of one measurement meets only the noise in the other.
    """
    other = halves[::-1]
    total, level = weights.sum(), (weights * squares).sum()
    mass, noise = (weights * halves).sum(), (weights * other).sum()
    spread = total * (weights * halves * other).sum() - noise * mass
    slope = (total * (weights * halves * squares).sum() - mass * level) / spread if spread > 0 else 0.0
    if slope <= 0:
        return float(level / total), 0.0
    constant = (level - noise * slope) / total
    return (float(constant), float(slope)) if constant >= 0 else (0.0, float(level / noise))


def smallest_p(n_donors: int) -> float:
    """The smallest p that the rank among this many donors can reach."""
    return 1 / (n_donors + 1)


def rank_p(own: float, others: np.ndarray) -> float:
    """The share of units, the treated one included, whose absolute statistic is at least the treated unit's."""
    if not len(others):
        return float("nan")
    reached = np.abs(others) >= abs(own) * (1 - ROUNDING)
    return float((1 + reached.sum()) / (1 + len(others)))


def critical_value(others: np.ndarray, alpha: float) -> float:
    """The absolute statistic that must be exceeded for p ≤ alpha; infinite where the pool is too small to reject."""
    allowed = int(np.floor(alpha * (len(others) + 1) + ROUNDING))
    if allowed == 0:
        return float("inf")
    return float(np.sort(np.abs(others))[::-1][allowed - 1])


def interval(estimate: float, scale: float, others: np.ndarray, alpha: float) -> tuple[float, float]:
    """All effects that the placebo rank does not reject at `alpha`: the rank test, inverted."""
    half = scale * critical_value(others, alpha)
    return float(estimate - half), float(estimate + half)


def detectable(scale: float, others: np.ndarray, *, alpha: float, power: float) -> float:
    """The smallest effect, of whichever sign is harder, that the rank test rejects with this power.

    Among the donors' own statistics r, an effect d·scale would be found in the share of them with |r + d| beyond the
    critical value.
    """
    critical = critical_value(others, alpha)
    if not np.isfinite(critical):
        return float("inf")
    needed = int(np.ceil(power * len(others) - ROUNDING))
    upward = np.sort(critical - others)[needed - 1]
    downward = np.sort(critical + others)[needed - 1]
    return float(scale * max(upward, downward, 0.0))


def power_at(effect: float, scale: float, others: np.ndarray, alpha: float) -> float:
    """The share of placebos in which an effect of this size would be found, the harder sign taken."""
    critical = critical_value(others, alpha)
    if not np.isfinite(critical):
        return 0.0
    shifted = [np.abs(others + sign * effect / scale) for sign in (1, -1)]
    return float(min(((one >= critical * (1 - ROUNDING)) & (one > 0)).mean() for one in shifted))
