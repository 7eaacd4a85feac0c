"""What services achieve: outcome rates by field and district, shrunk where counts are small."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.results import Result
from institute_lib.retention.intervals import wilson
from institute_lib.talent.checks import check_by, require, require_at_most
from institute_lib.talent.intervals import with_share

LARGEST_PRECISION = 1e6


@dataclass(frozen=True)
class Prior:
    """A beta prior of outcome rates: mean `mean`, weight `precision` (as many cases as it counts for)."""

    mean: float
    precision: float

    @property
    def alpha(self) -> float:
        return self.mean * self.precision

    @property
    def beta(self) -> float:
        return (1 - self.mean) * self.precision


@dataclass(frozen=True)
class Outcomes(Result):
    """Outcome rates of one quarter.

    `frame`: the columns of `by`, caseload, outcome_numerator, outcome_denominator, rate with rate_low and rate_high
    (Wilson); by district and field also shrunk, shrunk_low, shrunk_high and prior_cases.
    """

    frame: pd.DataFrame
    quarter: str
    by: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def summary(self, language: str = "zh") -> str:
        """One sentence: cases assessed and the share that reached its outcome."""
        reached, assessed = self.frame["outcome_numerator"].sum(), self.frame["outcome_denominator"].sum()
        low, high = wilson(reached, assessed)
        return terms.text(
            "talent.outcomes",
            language,
            quarter=terms.quarter(self.quarter, language),
            assessed=terms.count(float(assessed), language),
            rate=terms.percent(float(reached / assessed) if assessed else None, language),
            interval=terms.interval(float(low), float(high), language, scale=100),
        )


def outcomes(services: pd.DataFrame, *, quarter: str, by: Sequence[str] = ("field",)) -> Outcomes:
    """Outcome rates of a quarter.

    Rates of districts within a field are shrunk towards the field's mean: a beta prior is fitted to all districts of
    the field (see `shrink`), and the posterior mean and 95 % interval are given beside the raw rate.

    Args:
        services: district, quarter, field, caseload, outcome_numerator, outcome_denominator. Rows without an outcome
            count in the caseload only.
        quarter: such as 2025Q4.
        by: field, district, or both.

    Raises:
        DataError: a numerator above its denominator, or a column missing.
        ParameterError: another grouping.
    """
    needed = ("district", "quarter", "field", "caseload", "outcome_numerator", "outcome_denominator")
    require(services, needed, table="services")
    groups = check_by(by, ("field", "district"))
    require_at_most(services, "outcome_numerator", "outcome_denominator", table="services")
    now = services[services["quarter"] == quarter]
    numbers = ["caseload", "outcome_numerator", "outcome_denominator"]
    assessed = now["outcome_numerator"].notna() & now["outcome_denominator"].notna()
    counted = now.assign(**{name: now[name].where(assessed) for name in numbers[1:]})
    sums = counted.groupby(groups, observed=True)[numbers].sum().reset_index() if groups else _total(counted[numbers])
    frame = with_share(sums, numerator="outcome_numerator", denominator="outcome_denominator", name="rate")
    if set(groups) == {"field", "district"}:
        frame = pd.concat([_with_shrunk(part) for _, part in frame.groupby("field", observed=True)])
        frame = frame.sort_index()
    without = int((~assessed).sum())
    warnings = (f"{without} rows of {quarter} report no outcome and count in the caseload only",) if without else ()
    return Outcomes(frame, quarter, tuple(groups), warnings)


def _total(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sum().to_frame().T


def _with_shrunk(part: pd.DataFrame) -> pd.DataFrame:
    from scipy.stats import beta

    successes, trials = part["outcome_numerator"], part["outcome_denominator"]
    if (trials > 0).sum() < 3:
        return part.assign(shrunk=np.nan, shrunk_low=np.nan, shrunk_high=np.nan, prior_cases=np.nan)
    prior = shrink(successes, trials)
    above, below = successes + prior.alpha, trials - successes + prior.beta
    return part.assign(
        shrunk=above / (above + below),
        shrunk_low=beta.ppf(0.025, above, below),
        shrunk_high=beta.ppf(0.975, above, below),
        prior_cases=prior.precision,
    )


def shrink(successes: pd.Series, trials: pd.Series) -> Prior:
    """The beta prior that maximises the beta-binomial likelihood of several groups (empirical Bayes).

    Source: Griffiths (1973), Biometrics 29, 637-648, parametrised by mean and precision. Where the groups differ no
    more than chance, the precision runs to its cap and every group is shrunk to the common mean.

    Args:
        successes, trials: counts of each group; groups without trials are left out.
    """
    from scipy.optimize import minimize
    from scipy.special import betaln

    counted = np.asarray(successes, dtype=float)
    total = np.asarray(trials, dtype=float)
    counted, total = counted[total > 0], total[total > 0]
    pooled = counted.sum() / total.sum()
    if pooled in (0.0, 1.0):
        return Prior(float((counted.sum() + 0.5) / (total.sum() + 1)), float(total.sum() + 1))

    def loss(point: np.ndarray) -> float:
        mean, precision = 1 / (1 + np.exp(-point[0])), np.exp(point[1])
        alpha, below = mean * precision, (1 - mean) * precision
        return -float(np.sum(betaln(counted + alpha, total - counted + below) - betaln(alpha, below)))

    start = np.array([np.log(pooled / (1 - pooled)), np.log(20.0)])
    bounds = [(-12.0, 12.0), (-3.0, np.log(LARGEST_PRECISION))]
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds)
    return Prior(float(1 / (1 + np.exp(-found.x[0]))), float(np.exp(found.x[1])))
