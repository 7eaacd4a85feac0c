"""Variation and chance: limits of a funnel plot and of a control chart, and shares shrunk to those of their like."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from institute_lib.errors import EstimationError, ParameterError
from institute_lib.talent.checks import Framed, above, not_numbers, refuse, require

WARNING, ALARM = 0.95, 0.998
SIGMAS = 3.0
RUN = 8  # points in a row on one side of the centre (Western Electric Company 1956, rule 4)


def control_limits(target: float, sizes: ArrayLike, *, level: float = WARNING) -> tuple[np.ndarray, np.ndarray]:
    """Between which limits a rate stays by chance, if its true value is the target: binomial quantiles.

    Args:
        target: the true rate, 0 to 1.
        sizes: denominators, any shape, at least 1.
        level: the share of rates inside: 0.95 (warning) and 0.998 (alarm) are usual.

    Returns:
        low and high of the sizes' shape, within 0 to 1, interpolated between whole counts.

    Raises:
        ParameterError: a target outside 0 to 1, a size below 1.

    Source: Spiegelhalter (2005), Statistics in Medicine 24, 1185-1202, appendix A.1.1.
    """
    trials = np.asarray(sizes, dtype=float)
    if not 0 <= target <= 1 or (trials < 1).any():
        raise ParameterError(f"target {target}: allowed: 0 to 1, with sizes of at least 1")
    tail = (1 - level) / 2
    return _quantile(target, trials, tail), _quantile(target, trials, 1 - tail)


def _quantile(target: float, trials: np.ndarray, probability: float) -> np.ndarray:
    """The rate below which a binomial lies with a probability; between whole counts the distribution is made even."""
    from scipy.stats import binom

    whole = np.round(trials)
    count = binom.ppf(probability, whole, target)
    reached, before = binom.cdf(count, whole, target), binom.cdf(count - 1, whole, target)
    jump = reached - before
    back = np.divide(reached - probability, jump, out=np.zeros_like(jump), where=jump > 0)
    return np.clip((count - back) / whole, 0, 1)


def tail_probability(target: float, events: ArrayLike, trials: ArrayLike) -> np.ndarray:
    """How likely a count as extreme on its own side is, if the true rate is the target (binomial, one-sided)."""
    from scipy.stats import binom

    count, size = np.round(np.asarray(events, dtype=float)), np.round(np.asarray(trials, dtype=float))
    return np.minimum(binom.cdf(count, size, target), binom.sf(count - 1, size, target))


@dataclass(frozen=True)
class ControlChart(Framed):
    """A rate period by period, with the limits that a stable process keeps (p-chart).

    `frame`: period, numerator, denominator, rate, centre, lower, upper, signal (beyond a limit), run (the eighth or a
    later point in a row on one side of the centre of those that are no signals).
    """

    frame: pd.DataFrame
    period: str
    centre: float
    warnings: tuple[str, ...] = ()

    @property
    def signals(self) -> tuple[str, ...]:
        """Periods beyond the limits or at the end of a run."""
        return tuple(map(str, self.frame.loc[self.frame["signal"] | self.frame["run"], self.period]))


def p_chart(
    frame: pd.DataFrame,
    *,
    numerator: str = "outcome_numerator",
    denominator: str = "outcome_denominator",
    period: str = "quarter",
    baseline: Sequence[str] | None = None,
    sigmas: float = SIGMAS,
) -> ControlChart:
    """A control chart for proportions with limits of each period's own size.

    Source: Shewhart (1931); Montgomery, Introduction to Statistical Quality Control, section 7.2, eq. 7.6 to 7.8.

    Args:
        frame: one row a period; those without a denominator are left out.
        baseline: the periods that set the centre; None for all.
        sigmas: standard errors from the centre to a limit.

    Raises:
        DataError: a column is missing, a period stands twice, a value is no number or a numerator is too large.
        EstimationError: no period of the baseline has a denominator.
    """
    require(frame, (period, numerator, denominator), table="p-chart")
    columns = (numerator, denominator)
    faults = not_numbers(frame, columns, table="p-chart"), above(frame, numerator, denominator, table="p-chart")
    refuse("p-chart", *faults)
    if frame[period].duplicated().any():
        twice = frame.loc[frame[period].duplicated(), period].iloc[0]
        raise ParameterError(f"p-chart: {period} {twice!r} stands twice; choose one series, or sum over the others")
    known = frame[(frame[denominator] > 0) & frame[numerator].notna()].sort_values(period).reset_index(drop=True)
    base = known if baseline is None else known[known[period].isin(list(baseline))]
    if base.empty:
        raise EstimationError(f"p-chart: no period of the baseline has a {denominator}")
    centre = float(base[numerator].sum() / base[denominator].sum())
    events, trials = known[numerator].to_numpy(float), known[denominator].to_numpy(float)
    lower, upper = p_limits(centre, trials, sigmas=sigmas)
    rate = events / trials
    made = pd.DataFrame({period: known[period], numerator: events, denominator: trials, "rate": rate, "centre": centre})
    outside = (rate < lower) | (rate > upper)
    # One outlier pulls the centre, and would put ordinary points on one side of it.
    within = ~outside & known[period].isin(base[period]).to_numpy()
    middle = events[within].sum() / trials[within].sum() if within.any() else centre
    run = runs_on_one_side(rate - middle)
    return ControlChart(made.assign(lower=lower, upper=upper, signal=outside, run=run), period, centre)


def set_apart(events: np.ndarray, trials: np.ndarray, *, sigmas: float = SIGMAS) -> np.ndarray:
    """Which points lie beyond the limits that all the others keep, so that they shall not set the centre."""
    others = trials.sum() - trials
    centre = np.divide(events.sum() - events, others, out=np.full(len(events), np.nan), where=others > 0)
    lower, upper = p_limits(centre, trials, sigmas=sigmas)
    rate = np.divide(events, trials, out=np.full(len(events), np.nan), where=trials > 0)
    return (rate < lower) | (rate > upper)


def p_limits(centre: ArrayLike, sizes: ArrayLike, *, sigmas: float = SIGMAS) -> tuple[ArrayLike, ArrayLike]:
    """The limits of a p-chart (Montgomery, section 7.2): centre ± sigmas × standard error, within 0 to 1.

    Args:
        sizes: denominators; an array or a Series, whose kind the limits keep.
    """
    half = sigmas * np.sqrt(centre * (1 - centre) / np.maximum(sizes, 0.5))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def runs_on_one_side(distance: ArrayLike) -> np.ndarray:
    """Whether each point is the eighth or a later one in a row on one side of the centre (Western Electric, 1956).

    Args:
        distance: of each point from the centre, in order.
    """
    side = pd.Series(np.sign(np.asarray(distance, float)))
    length = side.groupby((side != side.shift()).cumsum()).cumcount() + 1
    return ((length >= RUN) & (side != 0)).to_numpy()
