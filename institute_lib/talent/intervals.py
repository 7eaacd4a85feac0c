"""Intervals for shares and for ratios of counts."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from institute_lib.retention.intervals import wilson


def poisson_ratio(after: ArrayLike, before: ArrayLike, *, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Exact conditional intervals of the ratio of two Poisson means (Przyborowski and Wilenski 1940).

    Given their sum, the later count is binomial; Clopper and Pearson's limits p give the ratio p / (1 - p). The high
    limit is infinite where the earlier count is zero.
    """
    from scipy.stats import beta

    later, earlier = np.asarray(after, dtype=float), np.asarray(before, dtype=float)
    tail = (1 - level) / 2
    low = np.where(later == 0, 0.0, beta.ppf(tail, np.maximum(later, 1e-300), earlier + 1))
    high = np.where(earlier == 0, 1.0, beta.ppf(1 - tail, later + 1, np.maximum(earlier, 1e-300)))
    with np.errstate(divide="ignore"):
        return low / (1 - low), high / (1 - high)


def with_share(frame: pd.DataFrame, *, numerator: str, denominator: str, name: str) -> pd.DataFrame:
    """The frame with a share and its Wilson interval: `name`, `name_low`, `name_high`; NaN without a denominator."""
    low, high = wilson(frame[numerator], frame[denominator])
    share = frame[numerator] / frame[denominator].where(frame[denominator] > 0)
    return frame.assign(**{name: share.astype(float), f"{name}_low": low, f"{name}_high": high})
