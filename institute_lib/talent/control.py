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
LARGEST_PRECISION = 1e6  # of a fitted prior
LEVEL = 0.95
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
class FunnelPlot(Framed):
    """Rates of units against what chance alone would give to units of their size.

    `frame`: unit, numerator, denominator, rate, low_95, high_95, low_998, high_998, signal ("within", "warning" outside
    the inner limits, "alarm" outside the outer ones). `dispersion`: mean squared z score, about 1 by chance alone.
    """

    frame: pd.DataFrame
    target: float
    dispersion: float
    warnings: tuple[str, ...] = ()


def funnel_plot(
    frame: pd.DataFrame,
    *,
    numerator: str = "passed",
    denominator: str = "sat",
    unit: str = "district",
    target: float | None = None,
) -> FunnelPlot:
    """Whether units differ by more than chance gives to units of their size (Spiegelhalter 2005).

    The drawn exact limits are interpolated; a unit is judged by the binomial itself, so that a unit of a few persons is
    never called out at a limit between two counts.

    Args:
        frame: one row a unit. Units without a denominator are left out.
        target: the rate that holds for all; None for their pooled rate.

    Raises:
        DataError: a column is missing, a value is no number, or a numerator lies above its denominator.
        EstimationError: no unit has a denominator.
    """
    require(frame, (unit, numerator, denominator), table="funnel")
    columns = (numerator, denominator)
    refuse("funnel", not_numbers(frame, columns, table="funnel"), above(frame, numerator, denominator, table="funnel"))
    known = frame[frame[denominator] > 0].reset_index(drop=True)
    if known.empty:
        raise EstimationError(f"a funnel plot needs units with a denominator: {denominator!r} is empty or 0 everywhere")
    events, trials = known[numerator].to_numpy(float), known[denominator].to_numpy(float)
    centre = float(events.sum() / trials.sum()) if target is None else float(target)
    rate = events / trials
    limits = {level: control_limits(centre, trials, level=level) for level in (WARNING, ALARM)}
    inner, outer = (tail_probability(centre, events, trials) < (1 - level) / 2 for level in limits)
    made = pd.DataFrame({unit: known[unit], numerator: events, denominator: trials, "rate": rate})
    for name, (low, high) in zip(("95", "998"), limits.values(), strict=True):
        made = made.assign(**{f"low_{name}": low, f"high_{name}": high})
    made["signal"] = np.select([outer, inner], ["alarm", "warning"], "within")
    error = np.sqrt(centre * (1 - centre) / trials)
    dispersion = float(np.mean(((rate - centre) / error) ** 2)) if 0 < centre < 1 else float("nan")
    return FunnelPlot(made, centre, dispersion, _overdispersed(dispersion, len(known)))


def _overdispersed(dispersion: float, units: int) -> tuple[str, ...]:
    """A warning where the units differ more than chance gives them as a whole (Spiegelhalter 2005, section 3.2)."""
    from scipy.stats import chi2

    if not dispersion * units > chi2.ppf(0.95, max(units - 1, 1)):
        return ()
    return (f"units differ more than chance allows as a whole (dispersion {dispersion:.1f}): limits are too narrow",)


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


@dataclass(frozen=True)
class Prior:
    """A beta prior of shares: mean `mean`, weight `precision` (as many cases as it counts for).

    mean_variance: of the mean, where it was itself estimated from the groups; 0 where it is known.
    """

    mean: float
    precision: float
    mean_variance: float = 0.0

    @property
    def alpha(self) -> float:
        return self.mean * self.precision

    @property
    def beta(self) -> float:
        return (1 - self.mean) * self.precision


def shrink(successes: pd.Series, trials: pd.Series) -> Prior:
    """The beta prior that maximises the beta-binomial likelihood of several groups (empirical Bayes).

    Source: Griffiths (1973), Biometrics 29, 637-648, parametrised by mean and precision. Where the groups differ no
    more than chance, the precision runs to its cap and every group is shrunk to the common mean.

    Args:
        successes, trials: counts of each group; groups without trials are left out.

    Raises:
        EstimationError: no group has a trial.
    """
    from scipy.optimize import minimize
    from scipy.special import betaln, psi

    counted = np.asarray(successes, dtype=float)
    total = np.asarray(trials, dtype=float)
    counted, total = counted[total > 0], total[total > 0]
    if not len(total):
        raise EstimationError("empirical Bayes needs at least one group with a denominator")
    pooled = counted.sum() / total.sum()
    if pooled in (0.0, 1.0):
        return Prior(float((counted.sum() + 0.5) / (total.sum() + 1)), float(total.sum() + 1))

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the log-likelihood at (logit mean, log precision), and its gradient."""
        mean, precision = 1 / (1 + np.exp(-point[0])), np.exp(point[1])
        alpha, below = mean * precision, (1 - mean) * precision
        value = np.sum(betaln(counted + alpha, total - counted + below) - betaln(alpha, below))
        both = psi(precision) - psi(total + precision)
        by_alpha = np.sum(psi(counted + alpha) - psi(alpha) + both)
        by_below = np.sum(psi(total - counted + below) - psi(below) + both)
        slope = [precision * mean * (1 - mean) * (by_alpha - by_below), alpha * by_alpha + below * by_below]
        return -float(value), -np.array(slope)

    start = np.array([np.log(pooled / (1 - pooled)), np.log(20.0)])
    bounds = [(-12.0, 12.0), (-3.0, np.log(LARGEST_PRECISION))]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-8})
    mean, precision = float(1 / (1 + np.exp(-found.x[0]))), float(np.exp(found.x[1]))
    each = mean * (1 - mean) / total * (1 + (total - 1) / (precision + 1))  # the variance of a group's share
    return Prior(mean, precision, float(1 / np.sum(1 / each)))


def posterior(successes: pd.Series, trials: pd.Series, prior: Prior) -> pd.DataFrame:
    """What each group's own count and the prior say together.

    The interval is that of the beta with the posterior's mean and variance, to which the variance of an estimated prior
    mean is added as far as the group leans on it (Kass and Steffey 1989, first order); without it, groups that differ
    no more than chance would be known better than their common mean.

    Returns:
        shrunk (posterior mean), shrunk_low, shrunk_high (95 %), prior_cases; indexed as `successes`.
    """
    from scipy.stats import beta

    size = trials + prior.precision
    shrunk = (successes + prior.alpha) / size
    spread = shrunk * (1 - shrunk)
    variance = spread / (size + 1) + (prior.precision / size) ** 2 * prior.mean_variance
    cases = spread / variance - 1  # what a beta of that variance counts for
    above, below, tail = shrunk * cases, (1 - shrunk) * cases, (1 - LEVEL) / 2
    return pd.DataFrame(
        {
            "shrunk": shrunk,
            "shrunk_low": beta.ppf(tail, above, below),
            "shrunk_high": beta.ppf(1 - tail, above, below),
            "prior_cases": prior.precision,
        },
        index=pd.Series(successes).index,
    )
