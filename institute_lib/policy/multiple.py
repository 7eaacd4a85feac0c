"""Several outcomes of one policy: p values that answer for all of them."""

from collections.abc import Sequence

import numpy as np

from institute_lib.errors import DataError, ParameterError, nearest

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
