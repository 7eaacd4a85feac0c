"""The two-way fixed-effects number, and the comparisons it averages: shown beside the headline, never as it."""

from collections.abc import Sequence
from math import comb

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, EstimationError, ParameterError, nearest
from institute_lib.policy.decomposition import decompose
from institute_lib.policy.intervals import Noise, errors_of, with_bands, with_interval
from institute_lib.policy.least_squares import Errors, LeastSquares, least_squares, without_two_way_effects
from institute_lib.policy.panel import Panel, covariate, names_of, read_panel
from institute_lib.policy.results import FEW_TREATED, EventEstimates, PolicyEffect
from institute_lib.policy.starts import switched_on

EVENT_COLUMNS = ("relative_period", "estimate", "se", "ci_low", "ci_high", "band_low", "band_high", "n_treated")
CELL_COLUMNS = ("group", "period", "estimate", "se", "ci_low", "ci_high")
COLLINEAR = 1e-9
FEW_CLUSTERS = 30
AGGREGATE_COLUMNS = ("kind", "level", "estimate", "se", "ci_low", "ci_high")


def two_way(
    panel: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    period: str,
    treated: str,
    covariates: Sequence[str] = (),
    weights: str | None = None,
    cluster: str | None = None,
    errors: Errors = "cluster",
    repeated: bool = False,
) -> PolicyEffect:
    """The coefficient of a 0/1 treatment with unit and period effects.

    Args:
        panel: one row a unit and period (or several, with repeated=True: persons or houses of a unit, different ones
            each period).
        treated: 0/1 or False/True, switched on for good.
        covariates: numeric columns that enter linearly. weights: positive row weights.
        cluster: column to cluster errors by; None: the unit. errors: "robust" and "classical" for published tables.

    Returns:
        A PolicyEffect with `decomposition` where it is exact (balanced, unweighted, without covariates), and with an
        event study where all treated units start together.

    Raises:
        DataError: a treatment that is not 0/1, non-positive weights. EstimationError: a treatment that switches off,
            units treated from their first period, nobody treated or everybody always, collinear covariates.

    Source: Goodman-Bacon (2021) on what it estimates; errors as in `least_squares`. Unit effects nested in the clusters
    are not counted as parameters, as in Stata's reghdfe.
    """
    if errors not in ("cluster", "robust", "classical"):
        raise ParameterError(f"errors {errors!r}: {nearest(errors, ('cluster', 'robust', 'classical'))}")
    covariates = names_of(covariates)
    required = [treated, *covariates, *([weights] if weights else []), *([cluster] if cluster else [])]
    data = read_panel(panel, outcome=outcome, unit=unit, period=period, required=required, repeated=repeated)
    start = switched_on(data, treated)
    further = {"covariates": covariates, "weights": weights, "cluster": cluster, "errors": errors}
    fit = _fit(data, data.rows[[f"x:{treated}"]].to_numpy(float), treated, **further)
    att, se = float(fit.coefficients[0]), float(fit.se[0])
    noise = Noise.student(fit.se[:1], fit.df)
    half, p = float(noise.half_widths()[0]), float(noise.p_values(fit.coefficients[:1])[0])
    n_treated = int(np.isfinite(start).sum())
    exact = not (repeated or weights or covariates or data.gaps())
    few = n_treated < FEW_TREATED
    study, df = _common_start_study(data, start, treated, further)
    return PolicyEffect(
        method="two_way",
        outcome=outcome,
        att=att,
        se=se,
        ci=(att - half, att + half),
        p_value=float("nan") if few else p,
        cluster_p_value=p,
        event_study=_event_table(study, df, n_treated),
        group_time=pd.DataFrame(columns=list(CELL_COLUMNS), dtype=float),
        aggregations=pd.DataFrame(columns=list(AGGREGATE_COLUMNS), dtype=float),
        n_units=len(data.units),
        n_treated=n_treated,
        n_periods=len(data.periods),
        n_rows=len(data.rows),
        n_clusters=fit.n_clusters,
        decomposition=_decomposition(data, start) if exact else None,
        for_sensitivity=study,
        warnings=(
            *data.warnings,
            *few_treated_warning(n_treated, len(data.units)),
            *(few_clusters_warning(fit.n_clusters) if errors == "cluster" else ()),
            *no_error_warning(se),
        ),
    )


def few_treated_warning(n_treated: int, n_units: int) -> tuple[str, ...]:
    """Why the headline p is missing where few units are treated, and what placebos could say instead."""
    if n_treated >= FEW_TREATED:
        return ()
    treated = "1 treated unit" if n_treated == 1 else f"{n_treated} treated units"
    return (
        f"{treated}: p values from clustered errors are not to be trusted below {FEW_TREATED}, so none is given as the "
        f"headline; {n_units - n_treated} units are never treated, and the smallest p that placebos among them can "
        f"reach is {1 / comb(n_units, n_treated):.3g}; for one treated unit use policy.pilot",
    )


def few_clusters_warning(n_clusters: int) -> tuple[str, ...]:
    """That the large-sample theory behind such errors wants more groups (Cameron, Gelbach and Miller 2008)."""
    if n_clusters >= FEW_CLUSTERS:
        return ()
    return (f"{n_clusters} clusters: with fewer than {FEW_CLUSTERS}, errors by cluster tend to be too small",)


def no_error_warning(se: float) -> tuple[str, ...]:
    """Why an estimate without error carries no p."""
    if se > 0:
        return ()
    return (
        "the standard error is zero: units that are compared change exactly alike, so nothing shows what chance does; "
        "no p is given, and the interval has no width",
    )


def _common_start_study(
    data: Panel, start: np.ndarray, treated: str, further: dict
) -> tuple[EventEstimates | None, float]:
    """Effects by period against the last one before the start, where all treated units start together.

    None with several starts, where such coefficients mix groups (Sun and Abraham 2021), or with nobody untreated.
    """
    starts = np.unique(start[np.isfinite(start)])
    if len(starts) > 1 or np.isfinite(start).all() or starts[0] - 1 not in data.periods:
        return None, np.inf
    own, period = np.isfinite(start)[data.rows["unit"]], data.rows["period"].to_numpy()
    relative = data.periods[data.periods != starts[0] - 1] - int(starts[0])
    columns = (own[:, None] & (period[:, None] - int(starts[0]) == relative)).astype(float)
    fit = _fit(data, columns, treated, **further)
    size = len(relative)
    return EventEstimates(relative, fit.coefficients[:size], fit.covariance[:size, :size]), fit.df


def _event_table(study: EventEstimates | None, df: float, n_treated: int) -> pd.DataFrame:
    if study is None:
        return pd.DataFrame(columns=list(EVENT_COLUMNS), dtype=float)
    errors = errors_of(study.covariance)
    noise = Noise.student(errors, df)
    table = pd.DataFrame({"relative_period": study.relative, "estimate": study.estimates, "se": errors})
    table = with_interval(table.assign(n_treated=n_treated), noise)
    return with_bands(table, study.covariance, noise)[list(EVENT_COLUMNS)]


def _fit(
    data: Panel,
    treatment: np.ndarray,
    treated: str,
    *,
    covariates: Sequence[str],
    weights: str | None,
    cluster: str | None,
    errors: Errors,
) -> LeastSquares:
    """The regression on the treatment's columns and the covariates, unit and period effects taken out of all."""
    rows = data.rows
    unit = rows["unit"].to_numpy()
    period = np.searchsorted(data.periods, rows["period"].to_numpy())
    mass = positive_weights(rows[f"x:{weights}"], weights) if weights else None
    others = [covariate(rows[f"x:{name}"], name) for name in covariates]
    every = np.column_stack([rows["outcome"], treatment, *others])
    columns = without_two_way_effects(every, unit, period, mass)
    if np.abs(columns[:, 1]).max() < COLLINEAR:
        raise EstimationError(
            f"{treated} is collinear with the unit and period effects: everybody starts at once, or nobody is left to "
            "compare with"
        )
    groups = pd.factorize(rows[f"x:{cluster}"])[0] if cluster else unit
    nested = errors == "cluster" and (rows.assign(group=groups).groupby("unit")["group"].nunique() == 1).all()
    absorbed = len(data.periods) if nested else len(data.periods) + len(data.units) - 1
    return least_squares(
        columns[:, 0], columns[:, 1:], weights=mass, clusters=(groups,), errors=errors, absorbed=absorbed
    )


def positive_weights(values: pd.Series, name: str) -> np.ndarray:
    """Weights as numbers.

    Raises:
        DataError: one of them is not positive, or not finite.
    """
    weights = pd.to_numeric(values, errors="coerce").to_numpy(float)
    wrong = ~((weights > 0) & np.isfinite(weights))
    if wrong.any():
        raise DataError(f"{name}: weights must be positive numbers, one is {values[wrong].iloc[:1].tolist()}")
    return weights / weights.max()


def _decomposition(data: Panel, start: np.ndarray) -> pd.DataFrame:
    """The two-by-two comparisons, groups written as the panel writes periods (None: never)."""
    positions = np.where(
        np.isfinite(start), np.searchsorted(data.periods, np.where(np.isfinite(start), start, 0)), start
    )
    table = decompose(data.wide(), positions)
    labels = dict(enumerate(data.calendar.labels(data.periods)))
    for column in ("treated_group", "control_group"):
        table[column] = pd.Series([labels.get(one) for one in table[column]], index=table.index, dtype=object)
    return table
