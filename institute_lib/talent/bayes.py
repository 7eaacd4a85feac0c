"""Empirical Bayes for shares: what a small count says, given how much its like differ from each other."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib.errors import EstimationError

LARGEST_PRECISION = 1e6
LEVEL = 0.95


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
