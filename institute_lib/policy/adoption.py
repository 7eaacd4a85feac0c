"""Staggered adoption: units start at different times, some never; group-time effects and what they add up to."""

import warnings as python_warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from institute_lib.errors import EstimationError, ParameterError, nearest
from institute_lib.policy.aggregation import Cells, cell_table, event_estimates, summaries
from institute_lib.policy.diffdiff import fitted_by, frame_of, group_time, said
from institute_lib.policy.fixed_effects import few_clusters_warning, few_treated_warning, no_error_warning
from institute_lib.policy.imputable import imputable
from institute_lib.policy.intervals import Noise, with_interval
from institute_lib.policy.panel import Panel, listed, names_of
from institute_lib.policy.results import FEW_TREATED, PolicyEffect
from institute_lib.policy.starts import read_adoption, refuse_no_control
from institute_lib.sharing import once_a_run

CONTROLS = ("not_yet_treated", "never_treated")
Control = Literal["not_yet_treated", "never_treated"]
SMALL_GROUP = 5


@once_a_run
def staggered(
    panel: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    period: str,
    treated_from: str,
    control: Control = "not_yet_treated",
    covariates: Sequence[str] = (),
    weights: str | None = None,
    cluster: str | None = None,
    seed: int = 0,
) -> PolicyEffect:
    """Effects of a policy that units adopt at different times.

    Args:
        panel: one row a unit and period; periods are quarters ("2024Q4") or whole numbers.
        treated_from: each unit's first treated period; missing if never. Infinite is never too, and so is 0 where the
            panel has no such period.
        control: units not yet treated, or only those never treated.
        covariates: numeric columns, taken at the base period, for doubly robust estimates. weights: a positive weight
            constant within each unit. cluster: column to cluster by, constant within each unit; None: the unit.
        seed: of the draws behind the simultaneous bands.

    Returns:
        A PolicyEffect; `att` averages over all treated unit-periods; `aggregations` holds the others.

    Raises:
        DataError: treatment that switches off or changes date, weights or clusters that change within a unit.
        EstimationError: units treated from the first period, nobody treated, nobody to compare with, fewer than two
            periods before every start.

    Source: Callaway and Sant'Anna (2021), estimated by the package diff-diff; summaries as in `aggregation`, with
    errors as published; pointwise intervals, p and bands after Welch (1947), as in `intervals`.
    """
    if control not in CONTROLS:
        raise ParameterError(f"control {control!r}: {nearest(control, CONTROLS)}")
    columns = {"outcome": outcome, "unit": unit, "period": period}
    covariates = names_of(covariates)
    data, start = read_adoption(panel, **columns, treated_from=treated_from, further=[*covariates, weights, cluster])
    refuse_no_control(data, start, control)
    fields = {"covariates": covariates, "weights": weights, "cluster": cluster, "control": control}
    cells, heard = group_time(data, start, base="varying", **fields)
    universal, _ = group_time(data, start, base="universal", **fields)
    aggregations, events = summaries(cells, seed)
    aggregations["level"] = _levels(data, aggregations)
    att, influence = cells.overall()
    se = float(aggregations["se"].iloc[0])
    return PolicyEffect(
        method="callaway_santanna",
        event_study=events,
        group_time=_group_time(data, cells),
        aggregations=aggregations,
        control=control,
        for_sensitivity=event_estimates(universal),
        outcome=outcome,
        **_headline(
            data,
            start,
            att=att,
            se=se,
            noise=cells.noise(influence[:, None]),
            n_clusters=cells.n_clusters,
        ),
        warnings=(*data.warnings, *_warnings(data, start, cells), *no_error_warning(se), *heard),
    )


def imputation(
    panel: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    period: str,
    treated_from: str,
    covariates: Sequence[str] = (),
    cluster: str | None = None,
) -> PolicyEffect:
    """The same effect by another road, as a check: untreated outcomes imputed from unit and period effects.

    Arguments, result and errors as `staggered`; the event study starts at adoption. Treated rows whose untreated
    outcome nothing tells, as of units never observed before their start, are left out with a warning that names them.

    Source: Borusyak, Jaravel and Spiess (2024), Revisiting event-study designs, Review of Economic Studies 91(6),
    estimated by the package diff-diff; errors after their supplementary appendix A.9, which leaves a unit out of the
    mean of its group that its residual is taken from: with groups of six or fifteen the plain ones are too small.
    """
    columns = {"outcome": outcome, "unit": unit, "period": period}
    covariates = names_of(covariates)
    data, start = read_adoption(panel, **columns, treated_from=treated_from, further=[*covariates, cluster])
    refuse_no_control(data, start, "not_yet_treated")
    data, start = imputable(data, start)
    from diff_diff import ImputationDiD

    frame = frame_of(data, start, covariates, None, cluster)
    n_clusters = frame["cluster"].nunique() if cluster else len(data.units)
    estimator = ImputationDiD(cluster="cluster" if cluster else None, leave_one_out=True)
    with python_warnings.catch_warnings(record=True) as heard:
        python_warnings.simplefilter("always")
        fitted = fitted_by(estimator, frame, covariates)
        study = fitted.aggregate("event_study").to_dataframe()
    events = study.rename(columns={"event_time": "relative_period", "att": "estimate"})
    known = (events["relative_period"] >= 0) & np.isfinite(events["se"])
    events = events.loc[known, ["relative_period", "estimate", "se"]]
    events = with_interval(events, Noise.student(events["se"].to_numpy(float), np.inf))
    if not np.isfinite([fitted.overall_att, fitted.overall_se]).all():
        raise EstimationError(
            "the effect is not identified: untreated outcomes do not determine what the covariates do; leave some out"
        )
    return PolicyEffect(
        method="imputation",
        event_study=events.reset_index(drop=True),
        group_time=pd.DataFrame(columns=["group", "period", "estimate", "se", "ci_low", "ci_high"], dtype=float),
        aggregations=pd.DataFrame(columns=["kind", "level", "estimate", "se", "ci_low", "ci_high"], dtype=float),
        outcome=outcome,
        **_headline(
            data,
            start,
            att=float(fitted.overall_att),
            se=float(fitted.overall_se),
            noise=Noise.student(np.array([float(fitted.overall_se)]), np.inf),
            n_clusters=n_clusters,
        ),
        warnings=(
            *data.warnings,
            *few_treated_warning(int(np.isfinite(start).sum()), len(start)),
            *few_clusters_warning(n_clusters),
            *said(heard),
        ),
    )


def _headline(
    data: Panel, start: np.ndarray, *, att: float, se: float, noise: Noise, n_clusters: int
) -> dict[str, Any]:
    """The fields that every estimator of a PolicyEffect shares."""
    n_treated = int(np.isfinite(start).sum())
    p = float(noise.p_values(np.array([att]))[0])
    half = float(noise.half_widths()[0])
    return {
        "att": att,
        "se": se,
        "ci": (att - half, att + half),
        "p_value": float("nan") if n_treated < FEW_TREATED else p,
        "cluster_p_value": p,
        "n_units": len(data.units),
        "n_treated": n_treated,
        "n_periods": len(data.periods),
        "n_rows": len(data.rows),
        "n_clusters": n_clusters,
    }


def _group_time(data: Panel, cells: Cells) -> pd.DataFrame:
    """Groups and periods as the panel writes them."""
    table = cell_table(cells)
    return table.assign(group=data.calendar.labels(cells.groups), period=data.calendar.labels(cells.periods))


def _levels(data: Panel, table: pd.DataFrame) -> pd.Series:
    """Groups and calendar periods as the panel writes them; None for the average over a kind's levels."""

    def level(kind: str, value: float) -> Any:
        if pd.isna(value):
            return None
        return data.calendar.label(value) if kind in ("group", "calendar") else int(value)

    found = [level(kind, value) for kind, value in table[["kind", "level"]].itertuples(index=False)]
    return pd.Series(found, index=table.index, dtype=object)


def _warnings(data: Panel, start: np.ndarray, cells: Cells) -> tuple[str, ...]:
    notes = list(few_treated_warning(int(np.isfinite(start).sum()), len(start)))
    notes += few_clusters_warning(cells.n_clusters)
    holes = data.gaps()
    if holes:
        notes.append(
            f"{len(holes)} of {len(data.units)} units have gaps: {listed(holes)}; each group-time effect rests on the "
            "units observed in both of its periods"
        )
    groups, sizes = np.unique(start[np.isfinite(start)], return_counts=True)
    small = [
        f"{data.calendar.label(one)} ({size})" for one, size in zip(groups, sizes, strict=True) if size < SMALL_GROUP
    ]
    if small and len(groups) > 1:
        notes.append(
            f"groups of fewer than {SMALL_GROUP} units, whose own effects are not to be trusted: {listed(small)}"
        )
    single = groups[sizes == 1]
    if len(single):
        notes.append(
            f"groups of one unit: {listed(data.calendar.labels(single))}; nothing shows how much such a unit moves by "
            "itself, so that intervals that rest on it are too short; use policy.pilot for it"
        )
    alone = sorted(set(groups) - set(np.unique(cells.groups[cells.periods >= cells.groups])))
    if alone:
        notes.append(f"groups that nobody can be compared with: {listed(data.calendar.labels(alone))}")
    return tuple(notes)
