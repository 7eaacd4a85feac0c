"""Several outcomes of one policy: p values that answer for all of them."""

from collections.abc import Sequence

import numpy as np

from institute_lib.errors import DataError, ParameterError, nearest

ROUNDING = 1e-9
METHODS = ("holm", "bonferroni", "holm-sidak", "sidak", "simes-hochberg", "hommel", "fdr_bh", "fdr_by")


def adjust(p_values: Sequence[float], method: str = "holm") -> np.ndarray:
    """p values adjusted for their number, in the given order; a missing p stays missing and is not counted.

    Args:
        p_values: raw p of each outcome, 0 to 1. method: "holm" (Holm 1979) or another of statsmodels' corrections.

    Raises:
        ParameterError: unknown method. DataError: a value outside 0 to 1.
    """
    if method not in METHODS:
        raise ParameterError(f"method {method!r}: {nearest(method, METHODS)}")
    raw = np.asarray(list(p_values), float)
    known = ~np.isnan(raw)
    if ((raw[known] < 0) | (raw[known] > 1)).any():
        raise DataError(f"p values must lie between 0 and 1: {raw[known].tolist()}")
    adjusted = np.full(raw.shape, np.nan)
    if known.any():
        from statsmodels.stats.multitest import multipletests

        adjusted[known] = multipletests(raw[known], method=method)[1]
    return adjusted


def step_down(statistics: Sequence[float], placebos: np.ndarray) -> np.ndarray:
    """p values adjusted for several outcomes with the dependence among them, in the given order.

    Args:
        statistics: one an outcome, all in units of their own noise. placebos: donors by outcomes, the same of units
            without the policy; a donor's row is one joint draw.

    Returns:
        One p an outcome; NaN without placebos.

    Source: Romano and Wolf (2005), Stepwise multiple testing as formalized data snooping, Econometrica 73(4): the
    largest statistic is judged by the largest of all outcomes, the next by the largest of those that remain.
    """
    own, others = np.abs(np.asarray(list(statistics), float)), np.abs(np.asarray(placebos, float))
    found, highest = np.full(own.shape, np.nan), 0.0
    if not len(others):
        return found
    order = np.argsort(-own, kind="stable")
    for place, outcome in enumerate(order):
        largest = others[:, order[place:]].max(axis=1)
        reached = (1 + (largest >= own[outcome] * (1 - ROUNDING)).sum()) / (1 + len(others))
        highest = max(highest, float(reached))
        found[outcome] = highest
    return found
