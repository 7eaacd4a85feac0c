"""Intervals for proportions and rates, and p-values adjusted for many tests."""

import numpy as np
import pandas as pd

LEVEL = 0.95


def normal_quantile(level: float = LEVEL) -> float:
    """The two-sided standard normal quantile: 1.96 at 95 %."""
    from scipy.special import ndtri

    return float(ndtri(0.5 + level / 2))


def wilson(successes: np.ndarray, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score interval for a proportion; missing where there are no trials.

    Source: Wilson (1927), Journal of the American Statistical Association 22, 209–212.
    """
    k, n = np.asarray(successes, float), np.asarray(trials, float)
    z = normal_quantile()
    with np.errstate(invalid="ignore", divide="ignore"):
        share = k / n
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return np.where(n > 0, np.where(k == 0, 0.0, centre - half), np.nan), np.where(
        n > 0, np.where(k == n, 1.0, centre + half), np.nan
    )


def exact_rate(events: np.ndarray, exposure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The exact Poisson interval of events / exposure; missing where there is no exposure.

    Source: Garwood (1936), Biometrika 28, 437–442.
    """
    from scipy.special import gammaincinv

    k, n = np.asarray(events, float), np.asarray(exposure, float)
    tail = (1 - LEVEL) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        low = np.where(k > 0, gammaincinv(np.maximum(k, 1), tail), 0.0) / n
        high = gammaincinv(k + 1, 1 - tail) / n
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values adjusted so that the chance of any false finding among them stays at the level.

    Missing p-values stay missing and are not counted.

    Source: Holm (1979), Scandinavian Journal of Statistics 6, 65–70.
    """
    p = np.asarray(p_values, float)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def estimate_columns(estimate: np.ndarray, se: np.ndarray, df: np.ndarray | float = np.inf) -> pd.DataFrame:
    """estimate, se, ci_low, ci_high, p_value by Student's t with `df` degrees of freedom, the normal if infinite."""
    from scipy.special import stdtr, stdtrit

    df = np.broadcast_to(np.asarray(df, float), np.shape(estimate))
    half = stdtrit(df, 0.5 + LEVEL / 2) * se
    with np.errstate(invalid="ignore", divide="ignore"):
        p_value = 2 * stdtr(df, -np.abs(estimate / se))
    columns = {"estimate": estimate, "se": se, "ci_low": estimate - half, "ci_high": estimate + half}
    return pd.DataFrame(columns | {"p_value": p_value})
