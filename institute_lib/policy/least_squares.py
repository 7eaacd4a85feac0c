"""Least squares with fixed effects taken out, and errors that allow for clusters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from institute_lib.errors import EstimationError

Errors = Literal["cluster", "robust", "classical"]
RANK_TOLERANCE = 1e-9


@dataclass(frozen=True)
class LeastSquares:
    """Coefficients, their covariance, and the degrees of freedom of their t statistics."""

    coefficients: np.ndarray
    covariance: np.ndarray
    df: float
    n_clusters: int

    @property
    def se(self) -> np.ndarray:
        return np.sqrt(np.diag(self.covariance))


def least_squares(
    outcome: np.ndarray,
    columns: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    clusters: Sequence[np.ndarray] = (),
    errors: Errors = "cluster",
    absorbed: int = 0,
) -> LeastSquares:
    """Regress the outcome on the columns.

    Args:
        columns: rows by regressors, a constant included if wanted.
        clusters: one or two groupings of the rows (integer codes) for errors="cluster".
        absorbed: parameters already taken out of outcome and columns (fixed effects).

    Raises:
        EstimationError: collinear columns, or fewer rows than parameters, or a single cluster.

    Source of the errors: Liang and Zeger (1986) with the factor G/(G−1)·(n−1)/(n−k), as Stata has it; two groupings by
    Cameron, Gelbach and Miller (2011), each grouping with its own factor; "robust" is HC1.
    """
    n, k = len(outcome), columns.shape[1] + absorbed
    if n <= k:
        raise EstimationError(f"{n} rows cannot carry {k} parameters")
    root = np.ones(n) if weights is None else np.sqrt(weights)
    x, y = columns * root[:, None], outcome * root
    gram = x.T @ x
    scaled = gram / np.sqrt(np.outer(np.diag(gram), np.diag(gram)).clip(np.finfo(float).tiny))
    if np.linalg.eigvalsh(scaled)[0] < RANK_TOLERANCE:
        raise EstimationError("the treatment and the covariates are collinear once the fixed effects are taken out")
    bread = np.linalg.inv(gram)
    coefficients = bread @ (x.T @ y)
    residuals = y - x @ coefficients
    scores = x * residuals[:, None]
    if errors == "cluster":
        meat, df, groups = _clustered(scores, clusters, n, k)
        return LeastSquares(coefficients, bread @ meat @ bread, df, groups)
    meat = scores.T @ scores * n / (n - k) if errors == "robust" else gram * (residuals @ residuals) / (n - k)
    return LeastSquares(coefficients, bread @ meat @ bread, n - k, n)


def _clustered(scores: np.ndarray, clusters: Sequence[np.ndarray], n: int, k: int) -> tuple[np.ndarray, float, int]:
    """The middle of the sandwich, its degrees of freedom, and the number of clusters (the smaller one of two)."""
    factor = (n - 1) / (n - k)
    sizes = [len(np.unique(one)) for one in clusters]
    if min(sizes) < 2:
        raise EstimationError("clustered errors need at least two clusters")
    meat = sum(factor * size / (size - 1) * _outer(scores, one) for one, size in zip(clusters, sizes, strict=True))
    if len(clusters) == 2:
        both = pd.factorize(pd.MultiIndex.from_arrays(clusters))[0]
        crossed = both.max() + 1
        meat = meat - factor * crossed / (crossed - 1) * _outer(scores, both)
    return meat, min(sizes) - 1, min(sizes)


def _outer(scores: np.ndarray, codes: np.ndarray) -> np.ndarray:
    places = np.unique(codes, return_inverse=True)[1]
    sums = np.zeros((places.max() + 1, scores.shape[1]))
    np.add.at(sums, places, scores)
    return sums.T @ sums


def without_two_way_effects(
    columns: np.ndarray, unit: np.ndarray, period: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """What is left of each column after unit and period effects, exactly, balanced or not.

    Unit means are taken out, then the period effects by the small normal equations among periods (Frisch–Waugh–Lovell).

    Args:
        columns: rows by variables. unit, period: integer codes from 0.
    """
    w = np.ones(len(unit)) if weights is None else np.asarray(weights, float)
    n_units, n_periods = unit.max() + 1, period.max() + 1
    cells = np.zeros((n_units, n_periods))
    np.add.at(cells, (unit, period), w)
    mass = cells.sum(axis=1)
    means = _sums(columns * w[:, None], unit, n_units) / mass[:, None]
    centred = columns - means[unit]
    normal = np.diag(cells.sum(axis=0)) - cells.T @ (cells / mass[:, None])
    effects = np.linalg.lstsq(normal, _sums(centred * w[:, None], period, n_periods), rcond=None)[0]
    of_unit = (cells @ effects) / mass[:, None]
    return centred - effects[period] + of_unit[unit]


def _sums(values: np.ndarray, codes: np.ndarray, size: int) -> np.ndarray:
    return np.column_stack([np.bincount(codes, weights=column, minlength=size) for column in values.T])
