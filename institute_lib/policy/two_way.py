"""The two-way fixed-effects number, and the comparisons it averages: shown beside the headline, never as it."""

import warnings as python_warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, EstimationError
from institute_lib.policy.adoption import NO_EFFECTS
from institute_lib.policy.clusters import headline_of
from institute_lib.policy.intervals import Noise, errors_of, joint_test, with_bands, with_interval
from institute_lib.policy.panel import (
    Panel,
    covariate,
    listed,
    names_of,
    positive_weights,
    read_panel,
    refuse_no_control,
    refuse_nobody_treated,
)
from institute_lib.policy.periods import plain
from institute_lib.policy.regression import Errors, least_squares, refuse_errors, summed
from institute_lib.policy.results import EventEstimates, PolicyEffect, PreTrend

EVENT_COLUMNS = ["relative_period", "estimate", "se", "ci_low", "ci_high", "band_low", "band_high", "n_treated"]


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
    seed: int = 0,
) -> PolicyEffect:
    """The coefficient of a 0/1 treatment with unit and period effects.

    Args:
        panel: one row a unit and period (or several, with repeated=True: persons or houses of a unit, different ones
            each period).
        treated: 0/1 or False/True, switched on for good. Units treated in all their periods, which published tables
            hold, only serve as comparison, with a warning.
        covariates: numeric columns that enter linearly. weights: positive row weights.
        cluster: column to cluster errors by; None: the unit. errors: "robust" and "classical" for published tables.
        seed: of the placebos where few clusters are treated.

    Returns:
        A PolicyEffect with `decomposition` where it is exact (balanced, unweighted, without covariates, nobody always
        treated), and with an event study where all treated units start together.

    Raises:
        DataError: a treatment that is not 0/1, non-positive weights. EstimationError: a treatment that switches off,
            nobody treated or everybody always, collinear covariates.

    Source: Goodman-Bacon (2021) on what it estimates; errors as in `regression`, interval and p with Welch's degrees of
    freedom over groups of clusters (`intervals`).
    """
    refuse_errors(errors)
    covariates = names_of(covariates)
    required = [treated, *covariates, *([weights] if weights else []), *([cluster] if cluster else [])]
    data = read_panel(panel, outcome=outcome, unit=unit, period=period, required=required, repeated=repeated)
    data = _without_single(data)
    start = _switched_on(data, treated)
    rows, begun = data.rows, np.where(start == 0, np.inf, start)
    refuse_no_control(data, begun, "not_yet_treated")
    codes = pd.factorize(rows[f"x:{cluster}"])[0] if cluster else data.unit
    others = [covariate(rows[f"x:{name}"], name) for name in covariates]
    mass = positive_weights(rows[f"x:{weights}"], weights) if weights else None

    def fitted(columns: np.ndarray):
        return least_squares(
            rows["outcome"].to_numpy(),
            np.column_stack([columns, *others]),
            effects=(data.unit, data.period),
            weights=mass,
            clusters=(codes,),
            errors=errors,
            names=[*([treated] * columns.shape[1]), *covariates],
        )

    fit = fitted(rows[[f"x:{treated}"]].to_numpy(float))
    switching = np.isfinite(begun)[data.unit]
    cells = pd.DataFrame({"unit": data.unit, "code": codes}).drop_duplicates()
    by_unit = cells.sort_values("unit")["code"].to_numpy() if len(cells) == len(data.units) else None
    noise = Noise.student(fit.se[:1], fit.df)
    if errors == "cluster" and by_unit is not None:
        own = summed(fit.influence[:, :1], data.unit)
        noise = noise.at_least(Noise.grouped(own, start, np.bincount(data.unit).astype(float), by_unit))
    study, df = None, np.inf
    if len(np.unique(begun[np.isfinite(begun)])) == 1 and np.isinf(begun).any():
        # with several starts such coefficients would mix groups (Sun and Abraham 2021)
        at, periods = int(begun.min()), len(data.ordinals)
        relative = np.delete(np.arange(periods), at - 1) - at
        by_period = fitted((switching[:, None] & (data.period[:, None] - at == relative)).astype(float))
        covariance = by_period.covariance[: len(relative), : len(relative)]
        shares = (relative >= 0) / (relative >= 0).sum()
        study, df = EventEstimates(relative, by_period.coefficients[: len(relative)], covariance, shares), by_period.df
    if (start == 0).any():
        said = f"treated in all their periods, so they serve as comparison alone: {data.named(start == 0)}"
        data = replace(data, warnings=(*data.warnings, said))
    plainly = data.present.all() and not (repeated or weights or covariates)
    return PolicyEffect(
        method="two_way",
        outcome=outcome,
        event_study=_event_table(study, df, int(np.isfinite(begun).sum())),
        group_time=NO_EFFECTS.reindex(columns=["group", "period", *NO_EFFECTS]),
        aggregations=NO_EFFECTS.reindex(columns=["kind", "level", *NO_EFFECTS]),
        decomposition=_decomposition(data, start) if plainly else None,
        for_sensitivity=study,
        pretrend=_pre_trend(study, df, seed),
        **headline_of(
            data,
            begun,
            att=float(fit.coefficients[0]),
            se=float(fit.se[0]),
            noise=noise,
            cluster=by_unit if cluster else None,
            seed=seed,
            counts=(int(codes.max()) + 1, len(np.unique(codes[switching]))) if cluster else None,
            dealt=not repeated and by_unit is not None,
        ),
    )


def _without_single(data: Panel) -> Panel:
    """The panel without units and periods of a single row, which their own effects fit exactly."""
    single, alone = np.bincount(data.unit) == 1, np.bincount(data.period) == 1
    if single.any():
        said = f"{single.sum()} units carry no information and are left out: observed once: {data.named(single)}"
        return _without_single(data.only(~single[data.unit], said)[0])
    if alone.any():
        said = f"one row alone in {listed(data.label(one) for one in np.flatnonzero(alone))}: left out"
        return _without_single(data.only(~alone[data.period], said)[0])
    return data


def _switched_on(data: Panel, treated: str) -> np.ndarray:
    """Each unit's first treated period (0: treated in all its periods; infinite: never), by a 0/1 column.

    The column becomes numbers.

    Raises:
        DataError: neither 0 nor 1. EstimationError: a treatment that switches off or differs within a unit and period,
            or nobody who switches on.
    """
    column = f"x:{treated}"
    values = pd.to_numeric(data.rows[column].astype(object), errors="coerce").to_numpy(float)
    if not np.isin(values, (0, 1)).all():
        wrong = data.rows[column][~np.isin(values, (0, 1))].iloc[0]
        raise DataError(f"{treated}: {plain(wrong)} is neither 0 nor 1")
    data.rows[column] = values
    cells = data.rows.groupby(["unit", "period"])[column].agg(["min", "max"]).reset_index()
    mixed = cells.loc[cells["min"] != cells["max"], "unit"]
    if len(mixed):
        raise EstimationError(
            f"{treated} differs among rows of one unit and period: {listed(data.units[one] for one in mixed)}"
        )
    off = cells["min"].diff().lt(0) & cells["unit"].eq(cells["unit"].shift())
    if off.any():
        where = cells.loc[off, ["unit", "period"]].to_numpy(int)
        places = [f"{data.units[one]} in {data.label(when)}" for one, when in where]
        raise EstimationError(
            f"{treated} switches off ({listed(places)}): the effect of a policy that ends is not one "
            "number; shorten the window or leave these units out"
        )
    first = cells[cells["min"] == 1].groupby("unit")["period"].min()
    start = np.full(len(data.units), np.inf)
    start[first.index] = first.to_numpy(float)
    start[cells.groupby("unit")["min"].min().to_numpy() == 1] = 0
    refuse_nobody_treated(data, np.isfinite(start) & (start > 0), treated)
    return start


def _event_table(study: EventEstimates | None, df: float, n_treated: int) -> pd.DataFrame:
    if study is None:
        return pd.DataFrame(columns=EVENT_COLUMNS, dtype=float)
    noise = Noise.student(errors_of(study.covariance), df)
    table = pd.DataFrame({"relative_period": study.relative, "estimate": study.estimates, "se": noise.errors})
    table = with_interval(table.assign(n_treated=n_treated), noise)
    return with_bands(table, study.covariance, noise)[EVENT_COLUMNS]


def _pre_trend(study: EventEstimates | None, df: float, seed: int) -> PreTrend | None:
    """The joint test of the event study's periods before the base."""
    if study is None or not (study.relative < 0).any():
        return None
    before = study.relative < 0
    covariance = study.covariance[np.ix_(before, before)]
    noise = Noise.student(errors_of(covariance), df)
    return PreTrend(int(before.sum()), *joint_test(study.estimates[before], covariance, noise, seed))


def _decomposition(data: Panel, start: np.ndarray) -> pd.DataFrame:
    """The two-by-two comparisons, groups as the panel writes periods (None: never, or always)."""
    from diff_diff import BaconDecomposition

    first = np.where(np.isfinite(start), start + 1, 0)[data.unit].astype(int)
    frame = data.rows[["unit", "period", "outcome"]].assign(period=data.period + 1, first=first)
    columns = {"outcome": "outcome", "unit": "unit", "time": "period", "first_treat": "first"}
    with python_warnings.catch_warnings():  # of units always treated, which this library warns of itself
        python_warnings.simplefilter("ignore")
        found = BaconDecomposition().fit(frame, **columns).comparisons

    def written(group: object) -> object:
        return data.label(group - 1) if isinstance(group, int | float | np.number) and 0 < group < np.inf else None

    table = pd.DataFrame({"kind": [one.comparison_type for one in found]})
    for name in ("treated_group", "control_group"):
        table[name] = pd.Series([written(getattr(one, name)) for one in found], dtype=object)
    for name in ("weight", "estimate"):
        table[name] = [getattr(one, name) for one in found]
    return table
