"""Synthetic control on predictors: which characteristics matter is decided by how well they foretell the outcome.

Abadie, Diamond and Hainmueller (2010), Synthetic control methods for comparative case studies, Journal of the American
Statistical Association 105(490), section 2.3: donor weights minimise the distance between predictors weighted by V, and
V is chosen so that these donors track the outcome before the start. V starts from the regression of the outcome on the
predictors (Kaul, Klößner, Pfeifer and Schieler 2022 on why all outcomes before the start may not all be predictors).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, EstimationError, ParameterError
from institute_lib.policy.panel import Panel, listed, names_of, refuse_no_single_column
from institute_lib.policy.simplex import nearest_to_origin

Predictor = str | tuple[str, Sequence[Any]]
SMALLEST = 1e-9  # of a predictor's importance, in units of the largest
LOWEST = float(np.log(SMALLEST))
POPULATION, GENERATIONS, CROSSOVER = 24, 36, 0.9
MATCHED = 1e-6  # standard deviations: predictors this near are matched


def read_predictors(
    frame: pd.DataFrame, panel: Panel, predictors: Sequence[Predictor], *, unit: str, period: str, n_pre: int
) -> np.ndarray:
    """Predictors by units, each the mean over the periods named (or all before the start), in units of its spread.

    Raises:
        ParameterError: no such column, or several. DataError: not a number. EstimationError: a unit without a value, a
            period at or after the start, or a predictor that is the same everywhere.
    """
    when = pd.Series(panel.calendar.ordinals(frame[period], name=period), index=frame.index)
    start, rows = panel.ordinals[n_pre], []
    for one in names_of(predictors):
        name, chosen = _named(one)
        refuse_no_single_column(frame, name, "predictors")
        values = pd.to_numeric(frame[name], errors="coerce").where(frame[name].notna())
        if (values.isna() & frame[name].notna()).any():
            raise DataError(f"predictors: {name} holds values that are not numbers")
        rows.append(_means(values, frame[unit], when, panel, name=name, chosen=chosen, start=start))
    found = np.array(rows)
    spread = found.std(axis=1, ddof=1)
    return found / spread[:, None]


def _named(predictor: Predictor) -> tuple[str, list[Any] | None]:
    """The column, and the periods if they are named."""
    if isinstance(predictor, str):
        return predictor, None
    if isinstance(predictor, tuple | list) and len(predictor) == 2 and isinstance(predictor[0], str):
        return predictor[0], names_of(predictor[1])
    raise ParameterError(
        f"predictors: {predictor!r} is neither a column nor a pair of a column and periods, ('share', ['2024Q1'])"
    )


def _means(
    values: pd.Series,
    units: pd.Series,
    when: pd.Series,
    panel: Panel,
    *,
    name: str,
    chosen: Sequence[Any] | None,
    start: float,
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

    Which importance that is decides a function with many valleys and flat stretches, and the best ones often let a
    predictor count for almost nothing but break ties (Becker and Klößner 2018; Malo, Eskelinen, Zhou and Kuosmanen
    2024). So the logarithms are searched over the whole box by differential evolution (Storn and Price 1997), from
    equal importance, importance by regression, each predictor alone, and points scattered alike for every unit.

    Where a mixture of donors matches all predictors at once, no importance matters; of such mixtures the one that
    tracks the outcome best is taken.

    Args:
        own: the unit's predictors. donors: predictors by donors.
        before: donors' outcomes before the start, periods by donors. path: the unit's.
    """
    size = len(own)
    away, missed = donors - own[:, None], before - path[:, None]
    equal = nearest_mixture(own, donors, np.ones(size))
    if np.abs(away @ equal).max() < MATCHED:
        scale = np.abs(missed).max() or 1.0
        return nearest_to_origin(np.vstack([away / MATCHED, missed / scale]))

    def error(logs: np.ndarray) -> float:
        left = missed @ nearest_mixture(own, donors, np.exp(logs))
        return float(left @ left)

    corners = LOWEST * (1 - np.eye(size))
    regression = _by_regression(np.column_stack([own, donors]), np.column_stack([path, before]))
    found = _evolved(error, np.vstack([np.zeros(size), regression, *corners]))
    return nearest_mixture(own, donors, np.exp(found))


def nearest_mixture(own: np.ndarray, donors: np.ndarray, importance: np.ndarray) -> np.ndarray:
    """Donor weights that bring the mixture's predictors nearest to the unit's, each predictor by its importance."""
    share = np.maximum(importance / importance.max(), SMALLEST)
    return nearest_to_origin((donors - own[:, None]) * np.sqrt(share / share.sum())[:, None])


def _evolved(error: Callable[[np.ndarray], float], begin: np.ndarray) -> np.ndarray:
    """The best point of the box [LOWEST, 0] that differential evolution finds from these points; always the same."""
    from scipy.optimize import differential_evolution

    size = begin.shape[1]
    if size == 1:
        return begin[0]
    scattered = np.random.default_rng(0).uniform(LOWEST, 0, (max(POPULATION - len(begin), 5), size))
    return differential_evolution(
        error,
        [(LOWEST, 0)] * size,
        init=np.vstack([begin, scattered]),
        maxiter=GENERATIONS,
        recombination=CROSSOVER,
        tol=0,
        polish=False,
        rng=0,
    ).x


def _by_regression(predictors: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    """Log weights of predictors: how much of the outcome each foretells over the periods before the start."""
    columns = np.column_stack([np.ones(predictors.shape[1]), predictors.T])
    slopes = np.linalg.lstsq(columns, outcomes.T, rcond=None)[0][1:]
    size = (slopes**2).sum(axis=1)
    return np.log(np.maximum(size / max(size.max(), np.finfo(float).tiny), SMALLEST))
