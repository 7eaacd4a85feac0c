"""Inference with one treated unit: its estimate among the estimates of units that had no policy.

A donor's placebo treats it as if it had started together with the treated unit, against the other donors. Small
counties are noisier than large ones, so an effect is judged by the noise of its like (Ferman and Pinto 2019, Inference
in differences-in-differences with few treated groups and heteroskedasticity, Review of Economics and Statistics
101(3)): over the donors, the variance of a placebo effect is level · noise^exponent, noise being the mean squared error
before the start, fitted by maximum likelihood (Davidian and Carroll 1987, Variance function estimation, JASA 82(400)).

That error is itself a measurement and would flatten the exponent: its two halves measure it twice and give its
reliability (Fuller 1987, Measurement error models, section 1.1), by which the exponent is raised again. The treated
unit has no part in the fit, so each donor is left out of its own (the jackknife+ of Barber, Candès, Ramdas and
Tibshirani 2021, Annals of Statistics 49(1)).

What it cannot mend: shocks that come at the start, as large in quiet units as in noisy ones, are no power of the noise,
and the quietest unit is still rejected somewhat too often; with few periods before the start, too seldom.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from institute_lib.errors import EstimationError
from institute_lib.policy.synthetic import Fit

ROUNDING = 1e-9
EXPONENTS = np.linspace(0, 2, 201)
FLOOR = 1e-3  # of the donors' mean noise: no unit is so quiet that it alone decides
LEAST_RELIABLE = 0.2  # below it two halves agree by chance, and nothing says how noisy a unit is


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
        exponents, levels = self._fits
        return self._deviation(levels[0], exponents[0], self._noise(np.asarray(errors) ** 2))

    @property
    def scale(self) -> float:
        return float(self.scale_of(np.array([self.own.pre_rmspe]))[0])

    @property
    def scales(self) -> np.ndarray:
        """Those of the donors, each by the model of the others."""
        if self.motionless:
            return np.ones(len(self.donors))
        exponents, levels = self._fits
        return self._deviation(levels[1:], exponents[1:], self._noise(self.errors**2))

    @property
    def statistics(self) -> np.ndarray:
        """The donors' effects in units of their modelled standard deviations."""
        return self.effects / self.scales

    @cached_property
    def _fits(self) -> tuple[np.ndarray, np.ndarray]:
        halves = np.array([one.half_errors for one in self.donors]).T
        return _variance_fits(self.effects**2, self._noise(self.errors**2), _reliability(self._noise(halves)))

    def _noise(self, squares: np.ndarray) -> np.ndarray:
        """Squared errors before the start in units of the donors' mean."""
        return np.maximum(squares / (float((self.errors**2).mean()) or 1.0), FLOOR)

    def _deviation(self, level: np.ndarray, exponent: np.ndarray, noise: np.ndarray) -> np.ndarray:
        floor = ROUNDING**2 * max(float((self.effects**2).max()), float((self.errors**2).max()))
        return np.sqrt(np.maximum(level * noise**exponent, floor))


def variance_model(squares: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """The variance of each unit's effect, by one model of all units.

    Args:
        squares: of the effects. measured: mean squared errors before the start, in its first half, in its second half;
            three by units.
    """
    noise, halves = measured[0], measured[1:]
    mean = float(noise.mean()) or 1.0
    relative = np.maximum(noise / mean, FLOOR)
    reliability = _reliability(np.maximum(halves / mean, FLOOR))
    exponents, levels = _variance_fits(squares, relative, reliability, each=False)
    floor = ROUNDING**2 * max(float(squares.max()), float(noise.max())) or 1.0
    return np.maximum(levels[0] * relative ** exponents[0], floor)


def _reliability(halves: np.ndarray) -> float:
    """The share of the variation of measured log noise between donors that is noise's own.

    Args:
        halves: two by donors, noise in the two halves before the start.
    """
    first, second = np.log(halves) - np.log(halves).mean(axis=1, keepdims=True)
    of_both = ((first + second) ** 2).mean() / 4
    return float(np.clip((first * second).mean() / of_both, LEAST_RELIABLE, 1.0)) if of_both > 0 else 1.0


def _variance_fits(
    squares: np.ndarray, noise: np.ndarray, reliability: float, *, each: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Exponents and levels of variance = level · noise^exponent: of all donors first, then (if asked) without each.

    Args:
        squares: of the placebo effects, one a donor; normal effects' likelihood is taken.
        noise: as measured. The likelihood sees it flattened by its reliability, as the measured is of the true.
    """
    n = np.r_[len(squares), np.full(len(squares) if each else 0, max(len(squares) - 1, 1))]
    flattened = np.outer(EXPONENTS * reliability, np.log(noise))
    level = np.maximum(_left_out(squares * np.exp(-flattened), each) / n, np.finfo(float).tiny)
    likelihood = -(n * np.log(level) + _left_out(flattened, each)) / 2
    best = np.argmax(likelihood >= likelihood.max(axis=0) - ROUNDING, axis=0)  # the smallest of equals
    levels = _left_out(squares * noise ** -EXPONENTS[:, None], each) / n
    return EXPONENTS[best], levels[best, np.arange(len(n))]


def _left_out(terms: np.ndarray, each: bool) -> np.ndarray:
    """Sums over donors, the last axis: of all, then without each."""
    total = terms.sum(axis=-1, keepdims=True)
    return np.concatenate([total, total - terms], axis=-1) if each else total


def averages(statistics: np.ndarray, size: int, draws: int, seed: int) -> np.ndarray:
    """The donors' statistics, or averages of `size` different ones, as spread out as that of treated units would be.

    Donors are compared with one another, treated units with all donors: of n donors, averages of k vary less than those
    of k treated units, by (1 − k/n)·(n/(n−1))² to 1 + k/n.
    """
    n = len(statistics)
    if size == 1:
        return statistics
    if size > n:
        raise EstimationError(f"{size} treated units against {n} donors: too few to draw placebos from")
    rng = np.random.default_rng(seed)
    drawn = np.array([rng.choice(statistics, size, replace=False).mean() for _ in range(draws)])
    spread = (1 + size / n) / max((1 - size / n) * (n / (n - 1)) ** 2, 1 / n)
    return drawn * np.sqrt(spread)


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
