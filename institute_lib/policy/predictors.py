"""Synthetic control on predictors: which characteristics matter is decided by how well they foretell the outcome.

Abadie, Diamond and Hainmueller (2010), Synthetic control methods for comparative case studies, Journal of the American
Statistical Association 105(490), section 2.3: donor weights minimise the distance between predictors weighted by V, and
V is chosen so that these donors track the outcome before the start. V starts from the regression of the outcome on the
predictors (Kaul, Klößner, Pfeifer and Schieler 2022 on why all outcomes before the start may not all be predictors).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, EstimationError, ParameterError, nearest
from institute_lib.policy.panel import Panel, listed
from institute_lib.policy.simplex import simplex_weights

Predictor = str | tuple[str, Sequence[Any]]
STARTS, DESCENTS, EVALUATIONS = 64, 3, 60
LOWEST, STEP = -8.0, 1.5  # of the logarithm of a predictor's importance
SMALLEST = 1e-9


def read_predictors(
    frame: pd.DataFrame, panel: Panel, predictors: Sequence[Predictor], *, unit: str, period: str, start: int
) -> np.ndarray:
    """Predictors by units, each the mean over the periods named (or all before the start), in units of its spread.

    Raises:
        ParameterError: no such column. DataError: not a number. EstimationError: a unit without a value, a period at or
            after the start, or a predictor that is the same everywhere.
    """
    when = pd.Series(panel.calendar.ordinals(frame[period], name=period), index=frame.index)
    rows = []
    for one in predictors:
        name, chosen = (one, None) if isinstance(one, str) else one
        if name not in frame:
            raise ParameterError(f"predictors: column {name!r}: {nearest(name, frame.columns)}")
        values = pd.to_numeric(frame[name], errors="coerce").where(frame[name].notna())
        if (values.isna() & frame[name].notna()).any():
            raise DataError(f"predictors: {name} holds values that are not numbers")
        rows.append(_means(values, frame[unit], when, panel, name=name, chosen=chosen, start=start))
    found = np.array(rows)
    spread = found.std(axis=1, ddof=1)
    return found / spread[:, None]


def _means(
    values: pd.Series,
    units: pd.Series,
    when: pd.Series,
    panel: Panel,
    *,
    name: str,
    chosen: Sequence[Any] | None,
    start: int,
) -> np.ndarray:
    wanted = None if chosen is None else panel.calendar.ordinals(list(chosen), name=f"predictors: {name}")
    if wanted is not None and (wanted >= start).any():
        raise EstimationError(f"predictors: {name} in {listed(chosen)}: a predictor must lie before the start")
    kept = when < start if wanted is None else when.isin(wanted)
    means = values[kept].groupby(units[kept]).mean().reindex(list(panel.units))
    if means.isna().any():
        lacking = listed(means.index[means.isna()])
        raise EstimationError(f"predictors: {name} has no value before the start for {lacking}")
    if means.max() == means.min():
        raise EstimationError(f"predictors: {name} is the same in all units: leave it out")
    return means.to_numpy(float)


def predictor_weights(own: np.ndarray, donors: np.ndarray, before: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Donor weights on the simplex, under the importance of predictors that tracks the outcome best.

    The error is flat and broken in V, so the search begins at many places (equal, by regression, and scattered on a
    logarithmic scale, the same for every unit) and descends from the best few.

    Args:
        own: the unit's predictors. donors: predictors by donors.
        before: donors' outcomes before the start, periods by donors. path: the unit's.
    """
    from scipy.optimize import minimize

    size = len(own)

    def error(logs: np.ndarray) -> float:
        return float(np.mean((path - before @ nearest_mixture(own, donors, np.exp(logs))) ** 2))

    regression = _by_regression(np.column_stack([own, donors]), np.column_stack([path, before]))
    scattered = np.random.default_rng(0).uniform(LOWEST, 0, (STARTS, size))
    starts = sorted((np.zeros(size), regression, *scattered), key=error)[:DESCENTS]
    found = starts[0]
    if size > 1:
        options = {"maxfev": EVALUATIONS, "xatol": 1e-3}
        ends = [
            minimize(
                error,
                one,
                method="Nelder-Mead",
                options=options | {"initial_simplex": one + STEP * np.eye(size + 1, size)},
            ).x
            for one in starts
        ]
        found = min((found, *ends), key=error)
    return nearest_mixture(own, donors, np.exp(found))


def nearest_mixture(own: np.ndarray, donors: np.ndarray, importance: np.ndarray) -> np.ndarray:
    """Donor weights that bring the mixture's predictors nearest to the unit's, each predictor by its importance."""
    share = np.maximum(importance / importance.max(), SMALLEST)
    root = np.sqrt(share / share.sum())
    return simplex_weights(donors * root[:, None], own * root)


def _by_regression(predictors: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    """Log weights of predictors: how much of the outcome each foretells over the periods before the start."""
    columns = np.column_stack([np.ones(predictors.shape[1]), predictors.T])
    slopes = np.linalg.lstsq(columns, outcomes.T, rcond=None)[0][1:]
    size = (slopes**2).sum(axis=1)
    return np.log(np.maximum(size / max(size.sum(), np.finfo(float).tiny), SMALLEST))
