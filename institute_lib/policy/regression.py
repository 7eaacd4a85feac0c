"""Least squares with fixed effects: one formula for a dose, a triple difference or an interrupted series.

The effects are taken out exactly, balanced or not (Frisch, Waugh and Lovell); errors and degrees of freedom are the
field's convention, as in fixest and pyfixest: factors G/(G−1)·(n−1)/(n−k), the smaller G of two groupings, effects that
lie within the clusters not counted as parameters (Cameron, Gelbach and Miller 2011; Correia 2015), rows dropped that
are alone in an effect.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, EstimationError, ParameterError, nearest
from institute_lib.policy.panel import listed, names_of, numbers_of, positive_weights, refuse_no_single_column
from institute_lib.policy.results import (
    FEW_CLUSTERS,
    FEW_TREATED,
    LEVEL,
    Estimate,
    few_clusters,
)

Errors = Literal["cluster", "robust", "classical"]
Factor = Literal["smallest", "own"]
COLLINEAR = 1e-8  # of a column's own spread
PASSES = 2
SINGULAR = 1e-11  # of the largest eigenvalue: some effects always decide others
EVEN = 0.8  # of the clusters: where they decide a coefficient alike, Student's t knows how few they are


@dataclass(frozen=True)
class LeastSquares:
    """Coefficients, their covariance, the degrees of freedom of their t statistics, and what each row adds to them.

    influence: rows by coefficients. share: rows by coefficients, how much each row decides a coefficient (sums to one).
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    df: float
    n_clusters: int
    influence: np.ndarray
    share: np.ndarray

    @property
    def se(self) -> np.ndarray:
        return np.sqrt(np.diag(self.covariance).clip(0))


def least_squares(
    outcome: np.ndarray,
    columns: np.ndarray,
    *,
    effects: Sequence[np.ndarray] = (),
    weights: np.ndarray | None = None,
    clusters: Sequence[np.ndarray] = (),
    errors: Errors = "cluster",
    factor: Factor = "smallest",
    names: Sequence[str] = (),
) -> LeastSquares:
    """Regress the outcome on the columns and the effects.

    Args:
        columns: rows by regressors, a constant included if wanted. effects: groupings of the rows (codes from 0).
        clusters: one or two groupings of the rows for errors="cluster". factor: G/(G−1) by the smaller of two, or each
            by its own, as Cameron, Gelbach and Miller (2011) and Petersen (2009) print. names: of the columns.

    Raises:
        EstimationError: collinear columns (named), fewer rows than parameters, or a single cluster.
    """
    w = np.ones(len(outcome)) if weights is None else weights
    clusters = [pd.factorize(one)[0] for one in clusters]
    centre = np.average(columns, axis=0, weights=w)
    spread = np.sqrt(np.average((columns - centre) ** 2, axis=0, weights=w))
    spread = np.where(spread > COLLINEAR * np.abs(centre), spread, np.abs(centre)).clip(np.finfo(float).tiny)
    left = without_effects(np.column_stack([outcome, columns / spread]), effects, w) * np.sqrt(w)[:, None]
    y, x = left[:, 0], left[:, 1:]
    triangle = np.linalg.qr(x)[1]
    alone = np.flatnonzero(np.abs(np.diag(triangle)) < COLLINEAR * np.sqrt(w.sum()))
    if len(triangle) < x.shape[1] or len(alone):
        raise EstimationError(_collinear(x, int(alone[0]) if len(alone) else len(triangle), names, bool(effects)))
    inverse = np.linalg.inv(triangle)
    bread = inverse @ inverse.T
    slopes = bread @ (x.T @ y)
    residuals = y - x @ slopes
    inside = clusters if errors == "cluster" else ()
    levels = [1 if any(_within(one, cluster) for cluster in inside) else int(one.max()) + 1 for one in effects]
    n, k = len(y), x.shape[1] + sum(levels) - max(len(levels) - 1, 0)  # effects within a cluster count as one
    if n <= k:
        raise EstimationError(f"{n} rows cannot carry {k} parameters")
    influence, df, groups = (x * residuals[:, None]) @ bread, n - k, n
    if errors == "cluster":
        covariance, groups = _clustered(influence, clusters, factor)
        covariance, df = covariance * (n - 1) / (n - k), groups - 1
    elif errors == "robust":
        covariance = influence.T @ influence * n / (n - k)
    else:
        covariance = bread * (residuals @ residuals) / (n - k)
    own = (x @ bread) ** 2 / np.diag(bread)
    return LeastSquares(
        slopes / spread, covariance / np.outer(spread, spread), df, groups, influence / spread, own / own.sum(axis=0)
    )


def _collinear(x: np.ndarray, column: int, names: Sequence[str], effects: bool) -> str:
    """Which column says nothing new, and what decides it."""
    names = names or [f"column {place + 1}" for place in range(x.shape[1])]
    before = x[:, :column]
    weights = np.linalg.lstsq(before, x[:, column], rcond=None)[0] if column else np.empty(0)
    others = [names[place] for place in np.flatnonzero(np.abs(weights) > COLLINEAR)]
    decided = " and ".join(filter(None, ["the fixed effects" if effects else "", listed(others)])) or "the constant"
    return f"{names[column]} is collinear: it is decided by {decided}; leave it out, or the effects that decide it"


def _within(effect: np.ndarray, cluster: np.ndarray) -> bool:
    """Whether each level of an effect lies in one cluster."""
    pairs = np.unique(np.column_stack([effect, cluster]), axis=0)
    return len(pairs) == effect.max() + 1


def _clustered(influence: np.ndarray, clusters: Sequence[np.ndarray], factor: Factor) -> tuple[np.ndarray, int]:
    """The covariance but for the factor of parameters, and the number of clusters (the smaller one of two)."""
    fewest = min(int(one.max()) + 1 for one in clusters)
    if fewest < 2:
        raise EstimationError("clustered errors need at least two clusters")
    parts = [(one, 1) for one in clusters]
    if len(clusters) == 2:
        parts.append((pd.factorize(clusters[0] * (clusters[1].max() + 1) + clusters[1])[0], -1))
    meat = np.zeros((influence.shape[1],) * 2)
    for one, sign in parts:
        sums = summed(influence, one)
        groups = fewest if factor == "smallest" else len(sums)
        meat += sign * groups / (groups - 1) * sums.T @ sums
    return meat, fewest


def summed(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Sums over rows by code, codes by columns."""
    return np.column_stack([np.bincount(codes, weights=column) for column in values.T])


def without_effects(columns: np.ndarray, effects: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """What is left of each column after the effects, exactly: the largest by means, the others by normal equations."""
    if not effects:
        return columns
    from scipy.sparse import csr_array, hstack

    first, *others = sorted(effects, key=lambda one: -one.max())
    mass = np.bincount(first, weights)

    def centred(values: np.ndarray) -> np.ndarray:
        return values - (summed(values * weights[:, None], first) / mass[:, None])[first]

    left = centred(columns)
    if not others:
        return left
    rows = np.arange(len(weights))
    dummies = hstack([csr_array((np.ones(len(one)), (rows, one))) for one in others], format="csr")
    weighted = dummies.multiply(weights[:, None]).tocsr()
    cells = csr_array((weights, (first, rows))) @ dummies
    normal = (dummies.T @ weighted - cells.T @ cells.multiply(1 / mass[:, None]).tocsr()).toarray()
    inverse = np.linalg.pinv(normal, rcond=SINGULAR, hermitian=True)
    for _ in range(PASSES):  # once is exact but for rounding
        left = left - centred(dummies @ (inverse @ (weighted.T @ left)))
    return left


def refuse_errors(errors: str) -> None:
    """Raise if these are no errors that `least_squares` knows."""
    if errors not in ("cluster", "robust", "classical"):
        raise ParameterError(f"errors {errors!r}: {nearest(errors, ('cluster', 'robust', 'classical'))}")


@dataclass(frozen=True)
class Regression(Estimate):
    """A fitted regression.

    coefficients: term, estimate, se, ci_low, ci_high, p_value; p is missing where fewer than about six clusters decide
        the coefficient. covariance: in the same order. effects: taken out. df: of the t statistics.
    """

    formula: str
    outcome: str
    coefficients: pd.DataFrame
    covariance: np.ndarray
    effects: tuple[str, ...]
    errors: str
    df: float
    n_rows: int
    n_clusters: int
    warnings: tuple[str, ...] = ()

    def joint(self, *names: str) -> tuple[float, float]:
        """F and p of the hypothesis that these coefficients are all zero.

        Raises:
            ParameterError: no such term.
        """
        from scipy.stats import f

        known = list(self.coefficients["term"])
        for name in names:
            if name not in known:
                raise ParameterError(f"term {name!r}: {nearest(name, known)}")
        places = [known.index(name) for name in names]
        beta = self.coefficients["estimate"].to_numpy()[places]
        found = float(beta @ np.linalg.solve(self.covariance[np.ix_(places, places)], beta)) / len(places)
        return found, float(f.sf(found, len(places), self.df))

    def to_frame(self) -> pd.DataFrame:
        """A copy of the coefficients."""
        return self.coefficients.copy()

    @property
    def _tables(self) -> dict[str, tuple[pd.DataFrame, tuple[str, ...]]]:
        """The coefficients but the constant."""
        return {"coefficients": (self.coefficients[self.coefficients["term"] != "Intercept"], ("term",))}


def regression(
    panel: pd.DataFrame,
    formula: str,
    *,
    unit: str | None = None,
    period: str | None = None,
    cluster: str | Sequence[str] | None = None,
    weights: str | None = None,
    effects: Sequence[str | Sequence[str]] = (),
    errors: Errors | None = None,
    factor: Factor = "smallest",
) -> Regression:
    """Least squares of a formula with unit and period effects.

    Args:
        formula: "outcome ~ regressors", as in R: `+`, `a:b`, `a*b`, `C(group)`, `I(x**2)`, `log(x)`. A column may have
            any name, 持证率（%） too.
        unit, period: columns whose effects are taken out; None for none, as in an interrupted series.
        cluster: one or two columns to cluster errors by; None: the unit, where there is one.
        weights: positive row weights. effects: further effects, a column or several whose combinations are one effect,
            such as [("district", "quarter")] in a triple difference.
        errors: "cluster", "robust" (HC1) or "classical"; None: clustered where there are clusters. factor: of two
            clusters, see `least_squares`.

    Returns:
        A Regression; its numbers are pyfixest's.

    Raises:
        ParameterError: a formula that cannot be read, a column that is not there. EstimationError: collinear columns,
            too few rows or clusters.

    >>> panel = pd.DataFrame({"d": list("aabbcc"), "t": [1, 2] * 3, "x": [1, 2, 3, 5, 4, 4]})
    >>> panel["y"] = 2 * panel["x"] + panel["t"]
    >>> regression(panel, "y ~ x", unit="d", period="t").coefficients["estimate"].round(3).tolist()
    [2.0]
    """
    if not isinstance(panel, pd.DataFrame):
        raise ParameterError(f"panel: a DataFrame is needed, not {type(panel).__name__}")
    clusters = names_of(cluster) if cluster is not None else [unit] if unit else []
    errors = errors or ("cluster" if clusters else "robust")
    refuse_errors(errors)
    if errors == "cluster" and not 1 <= len(clusters) <= 2:
        raise ParameterError(f"cluster: errors can be clustered by one or two columns, not {len(clusters)}")
    further = [tuple(names_of(one)) for one in names_of(effects)]
    taken = [(one,) for one in (unit, period) if one] + further
    left, right, used = _formula(formula, panel)
    needed = list(
        dict.fromkeys([*used, *(name for one in taken for name in one), *clusters, *([weights] * bool(weights))])
    )
    for name in needed:
        refuse_no_single_column(panel, name, "panel")
    rows = panel[needed].dropna()
    notes = []
    if len(rows) < len(panel):
        lacking = panel[needed].isna().sum()
        counted = ", ".join(f"{name} {count}" for name, count in lacking.items() if count)
        notes.append(f"{len(panel) - len(rows)} of {len(panel)} rows dropped for missing values: {counted}")
    rows, alone = _without_single(rows, taken)
    if alone:
        named = " or ".join("×".join(one) for one in taken)
        notes.append(f"{alone} rows carry no information and are left out: each is the only one of its {named}")
    outcome, design, names = _matrices(left, right, used, rows, absorbed=bool(taken))
    codes = [_codes(rows, (one,)) for one in clusters]
    fit = least_squares(
        outcome,
        design,
        effects=[_codes(rows, one) for one in taken],
        weights=positive_weights(rows[weights], weights) if weights else None,
        clusters=codes,
        errors=errors,
        factor=factor,
        names=names,
    )
    table, few = _table(fit, names, codes if errors == "cluster" else [])
    if few:
        counted = ", ".join(f"{name} ({count:.1f})" for name, count in few.items())
        notes.append(
            f"fewer than {FEW_TREATED} effective clusters decide {counted}: errors by cluster are too small, no p is "
            "given; for a policy use policy.staggered or policy.pilot, which ask the clusters without it"
        )
    if errors == "cluster" and fit.n_clusters < FEW_CLUSTERS:
        notes.append(few_clusters(fit.n_clusters))
    return Regression(
        formula=formula,
        outcome=left.strip("`"),
        coefficients=table,
        covariance=fit.covariance,
        effects=tuple("×".join(one) for one in taken),
        errors=errors,
        df=fit.df,
        n_rows=len(rows),
        n_clusters=fit.n_clusters,
        warnings=tuple(notes),
    )


def _table(fit: LeastSquares, names: list[str], clusters: list[np.ndarray]) -> tuple[pd.DataFrame, dict[str, float]]:
    """The coefficients with intervals and p, and those that too few clusters decide, with how many these are."""
    from scipy.stats import t

    half = t.ppf(1 - LEVEL / 2, fit.df) * fit.se
    se = np.where(fit.se > 0, fit.se, np.nan)
    effective = np.full(len(names), np.inf)
    for codes in clusters:
        effective = np.minimum(effective, 1 / (summed(fit.share, codes) ** 2).sum(axis=0))
    few = (effective < FEW_TREATED) & (effective < EVEN * fit.n_clusters) & (np.array(names) != "Intercept")
    table = pd.DataFrame({"term": names, "estimate": fit.coefficients, "se": fit.se})
    table = table.assign(ci_low=fit.coefficients - half, ci_high=fit.coefficients + half)
    table["p_value"] = np.where(few, np.nan, 2 * t.sf(np.abs(fit.coefficients) / se, fit.df))
    return table, {names[place]: float(effective[place]) for place in np.flatnonzero(few)}


def _formula(formula: str, panel: pd.DataFrame) -> tuple[str, str, list[str]]:
    """Both sides, columns with unusual names quoted, and the columns used."""
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    if not isinstance(formula, str) or formula.count("~") != 1:
        raise ParameterError(f"formula {formula!r}: write 'outcome ~ regressors'")
    columns = [name for name in panel.columns if isinstance(name, str)]
    unusual = sorted((name for name in columns if not name.isidentifier()), key=len, reverse=True)
    pattern = "|".join(["`[^`]*`", *map(re.escape, unusual)])
    quoted = re.sub(pattern, lambda one: one[0] if one[0].startswith("`") else f"`{one[0]}`", formula)
    left, right = (side.strip() for side in quoted.split("~"))
    try:
        read = Formula(f"{left} ~ {right}")
        used = sorted(str(name) for name in read.required_variables)
    except (FormulaicError, SyntaxError) as wrong:
        raise ParameterError(f"formula {formula!r} cannot be read: {str(wrong).splitlines()[0]}") from wrong
    for name in used:
        if name not in columns:
            raise ParameterError(f"formula {formula!r}: column {name!r}: {nearest(name, columns)}")
    return left, right, used


def _matrices(
    left: str, right: str, used: list[str], rows: pd.DataFrame, *, absorbed: bool
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The outcome, the regressors and their names; no constant where effects are taken out."""
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    numbers = {name: numbers_of(rows[name], name) for name in used if _must_be_numbers(rows[name])}
    try:
        made = Formula(f"{left} ~ {right}").get_model_matrix(rows.assign(**numbers), na_action="ignore")
    except (FormulaicError, TypeError, ValueError, NameError) as wrong:
        reason = str(wrong).splitlines()[0] if str(wrong) else type(wrong).__name__
        raise ParameterError(f"formula '{left} ~ {right}' cannot be used on this panel: {reason}") from wrong
    outcome, design = pd.DataFrame(made.lhs), pd.DataFrame(made.rhs)
    if outcome.shape[1] != 1:
        raise DataError(f"{left.strip('`')}: the outcome must be one column of numbers, not of groups")
    if absorbed:
        design = design.drop(columns="Intercept", errors="ignore")
    if design.shape[1] == 0:
        raise ParameterError(f"formula '{left} ~ {right}': name at least one regressor")
    names = [str(name).replace("`", "") for name in design]
    y = numbers_of(outcome.iloc[:, 0], left.strip("`"))
    x = np.column_stack([numbers_of(design.iloc[:, place], name) for place, name in enumerate(names)])
    if np.isnan(x).any() or np.isnan(y).any():
        raise DataError(f"formula '{left} ~ {right}': a transformation gives no number in some rows, as log(0) does")
    return y, x, names


def _must_be_numbers(values: pd.Series) -> bool:
    """Numbers that are held as objects, as databases give them, and dates, which are none."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return True
    if values.dtype != object:
        return False
    return not any(isinstance(one, str) for one in values) and bool(
        pd.to_numeric(values, errors="coerce").notna().all()
    )


def _without_single(rows: pd.DataFrame, taken: list[tuple[str, ...]]) -> tuple[pd.DataFrame, int]:
    """The rows without those that are alone in an effect, which say nothing, and how many these are."""
    whole = len(rows)
    while taken:
        shared = np.all([rows.groupby(list(one))[one[0]].transform("size") > 1 for one in taken], axis=0)
        if shared.all():
            break
        rows = rows[shared]
    if not len(rows):
        raise EstimationError("no row is left: each is the only one of its unit or period, or lacks a value")
    return rows, whole - len(rows)


def _codes(rows: pd.DataFrame, names: Sequence[Any]) -> np.ndarray:
    return rows.groupby(list(names), sort=False).ngroup().to_numpy()
