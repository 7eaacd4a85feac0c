"""Intervals of estimates whose errors are themselves estimated: each for itself, and all of them at once.

A variance that fifteen units show is itself uncertain, and averages of squares about a mean are too small by one part
in fifteen. Published errors, like those of the papers' own packages, say nothing of either: they stay as they are. The
intervals follow Welch (1947), The generalization of Student's problem when several different population variances are
involved, Biometrika 34, equation 28 for the degrees of freedom, with every group's variance unbiased. In a comparison
of two means these are the HC2 errors and degrees of freedom of Bell and McCaffrey (2002) that Imbens and Kolesár
(2016), Robust standard errors in small samples, Review of Economics and Statistics 98(4), section II, recommend.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib.policy.results import LEVEL

DRAWS = 10_000
DOUBLINGS, HALVINGS = 60, 30
ROUNDING = 1e-12
MANY = 1e9  # degrees of freedom that are as good as infinitely many


@dataclass(frozen=True)
class Noise:
    """What is known of the errors of several estimates.

    parts: the variance that each group of units brings to each estimate, without bias (groups by estimates). df: the
    degrees of freedom with which it is known.
    """

    parts: np.ndarray
    df: np.ndarray

    @classmethod
    def student(cls, errors: np.ndarray, df: float) -> "Noise":
        """Of estimates whose errors share one number of degrees of freedom; infinite: the normal."""
        parts = np.square(errors)[None]
        return cls(parts, np.full_like(parts, min(df, MANY)))

    @classmethod
    def welch(cls, influence: np.ndarray, group: np.ndarray, mass: np.ndarray) -> "Noise":
        """Of estimates with these influence functions, each group with a variance of its own.

        Args:
            influence: units by estimates, squares summing to the variances. What a group's units have in common in it
                (that the groups' sizes are drawn too) is taken as known; a unit with no more than that has no part in
                the estimate.
            group: each unit's, as a code. mass: each unit's weight, to which its variance is taken to be inverse, so
                that unequal units count as Kish's effective number of equal ones (1965, Survey sampling, 11.7).
        """
        order = np.argsort(group, kind="stable")
        first, code = np.unique(group[order], return_index=True, return_inverse=True)[1:]
        influence, mass = influence[order], mass[order, None]
        own = influence - mass * (np.add.reduceat(influence, first) / np.add.reduceat(mass, first))[code]
        seen = np.where(np.abs(own) > ROUNDING * np.abs(influence).max(axis=0), mass, 0.0)
        squares = np.add.reduceat(seen**2, first).clip(np.finfo(float).tiny)
        df = np.maximum(np.add.reduceat(seen, first) ** 2 / squares - 1, 1)
        within = np.add.reduceat(own**2, first)
        common = ((influence**2).sum(axis=0) - within.sum(axis=0)).clip(0)
        return cls(np.vstack([within * (df + 1) / df, common]), np.vstack([df, np.full_like(common, MANY)]))

    @classmethod
    def grouped(
        cls, influence: np.ndarray, start: np.ndarray, mass: np.ndarray, cluster: np.ndarray | None = None
    ) -> "Noise":
        """Of estimates with these influence functions (units by estimates), by groups of units that start together.

        With clusters they are by group of clusters: those whose units all start together count as that group, and
        those that mix groups, each a comparison in itself, as one group more.
        """
        groups, code = np.unique(start, return_inverse=True)
        if cluster is None:
            return cls.welch(influence, code, mass)
        size = int(cluster.max()) + 1
        lowest, highest = np.full(size, len(groups)), np.zeros(size, int)
        np.minimum.at(lowest, cluster, code)
        np.maximum.at(highest, cluster, code)
        kind = np.where(lowest == highest, lowest, len(groups))
        sums = np.zeros((size, influence.shape[1] + 1))
        np.add.at(sums, cluster, np.column_stack([influence, mass]))
        return cls.welch(sums[:, :-1], kind, sums[:, -1])

    def at_least(self, other: "Noise") -> "Noise":
        """The larger of two variances of each estimate, with the fewer of their degrees of freedom."""
        errors = np.maximum(self.errors, other.errors)
        return Noise((errors**2)[None], np.minimum(self.degrees, other.degrees)[None])

    @property
    def errors(self) -> np.ndarray:
        return np.sqrt(self.parts.sum(axis=0))

    @property
    def degrees(self) -> np.ndarray:
        """Of freedom of each estimate's error, by Welch's equation 28; infinite where there is no error."""
        shares = self._shares()
        return 1 / (shares**2 / self.df).sum(axis=0).clip(1 / MANY)

    def half_widths(self) -> np.ndarray:
        """Of the 95 % intervals, each estimate for itself."""
        from scipy.stats import t

        return t.ppf(1 - LEVEL / 2, self.degrees) * self.errors

    def p_values(self, estimates: np.ndarray) -> np.ndarray:
        """Two-sided, each estimate for itself; missing where there is no error."""
        from scipy.stats import t

        errors = np.where(self.errors > 0, self.errors, np.nan)
        return 2 * t.sf(np.abs(estimates) / errors, self.degrees)

    def draw(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        """Estimated over true variances, draws by estimates, each group's variance a χ² of its own."""
        known = self.parts.sum(axis=1) / (self.parts / self.df).sum(axis=1).clip(np.finfo(float).tiny)
        known = known.clip(1, MANY)
        return rng.chisquare(known, (draws, len(known))) / known @ self._shares()

    def _shares(self) -> np.ndarray:
        return self.parts / self.parts.sum(axis=0).clip(np.finfo(float).tiny)


def with_interval(table: pd.DataFrame, noise: Noise) -> pd.DataFrame:
    """The table with the 95 % interval of each of its estimates."""
    half = noise.half_widths()
    return table.assign(ci_low=table["estimate"] - half, ci_high=table["estimate"] + half)


def with_bands(table: pd.DataFrame, covariance: np.ndarray, noise: Noise, seed: int = 0) -> pd.DataFrame:
    """The table with the bounds that hold for all its estimates at once, never inside the pointwise ones."""
    half = np.maximum(simultaneous_critical(covariance, noise, seed) * noise.errors, noise.half_widths())
    return table.assign(band_low=table["estimate"] - half, band_high=table["estimate"] + half)


def errors_of(covariance: np.ndarray) -> np.ndarray:
    """Standard errors; a variance that rounding has made negative is none."""
    return np.sqrt(np.diag(covariance).clip(0))


def simultaneous_critical(covariance: np.ndarray, noise: Noise, seed: int) -> float:
    """The 95 % point of the largest absolute t among the estimates; 0 where none has an error."""
    largest = _largest_drawn(covariance, noise, seed)
    return float(np.quantile(largest, 1 - LEVEL)) if len(largest) else 0.0


def joint_test(estimates: np.ndarray, covariance: np.ndarray, noise: Noise, seed: int) -> tuple[float, float]:
    """The largest absolute t among the estimates, and its p if all of them are zero; NaN where none has an error."""
    drawn, spread = _largest_drawn(covariance, noise, seed, DRAWS // 2), errors_of(covariance)
    if not len(drawn):
        return float("nan"), float("nan")
    found = float((np.abs(estimates)[spread > 0] / spread[spread > 0]).max())
    return found, float((1 + (drawn >= found).sum()) / (1 + len(drawn)))


def _largest_drawn(covariance: np.ndarray, noise: Noise, seed: int, size: int = DRAWS) -> np.ndarray:
    """Draws of the largest absolute t among the estimates if all are zero; none where none has an error.

    Source: Montiel Olea and Plagborg-Møller (2019), the plug-in sup-t band, with draws from the estimates' own
    covariance; the errors below the line are drawn too, since the largest of many ratios is often one whose error came
    out too small.
    """
    spread = errors_of(covariance)
    used = spread > 0
    if not used.any():
        return np.empty(0)
    correlation = covariance[np.ix_(used, used)] / np.outer(spread[used], spread[used])
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(values.clip(0))
    rng = np.random.default_rng(seed)
    draws = np.abs(rng.standard_normal((size, len(values))) @ root.T)
    draws /= np.sqrt(noise.draw(rng, size)[:, used].clip(np.finfo(float).tiny))
    return draws.max(axis=1)


def border(p_of: Callable[[float], float], inside: float, step: float, halvings: int = HALVINGS) -> float:
    """Where a test begins to reject, away from an effect that it does not reject in the direction of `step`."""
    for _ in range(DOUBLINGS):
        outside = inside + step
        if p_of(outside) <= LEVEL:
            break
        inside, step = outside, 2 * step
    else:
        return float(np.copysign(np.inf, step))
    for _ in range(halvings):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if p_of(middle) > LEVEL else (inside, middle)
    return inside
