"""Staggered adoption: units start at different times, some never; group-time effects and what they add up to.

The package diff-diff estimates; what is here chooses the units that carry information, asks few treated clusters by
placebos (`clusters`), and gives small groups the intervals that they can carry (`intervals`).
"""

import re
import warnings as python_warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from institute_lib.errors import EstimationError, ParameterError, nearest
from institute_lib.policy.aggregation import Cells, event_estimates, pre_trend, summaries
from institute_lib.policy.clusters import headline_of
from institute_lib.policy.intervals import Noise, with_interval
from institute_lib.policy.panel import (
    Panel,
    constant_by_unit,
    covariate,
    listed,
    names_of,
    positive_weights,
    read_adoption,
    refuse_no_control,
)
from institute_lib.policy.results import PolicyEffect
from institute_lib.sharing import once_a_run

CONTROLS = ("not_yet_treated", "never_treated")
Control = Literal["not_yet_treated", "never_treated"]
SMALL_GROUP = 5
POOR_OVERLAP = (
    "in some groups the covariates all but decide who is treated (poor overlap): there the estimates lean on the "
    "outcome regression; use fewer covariates, or compare with the estimate without them"
)
ALONE = (
    "where a group shows but one unit in a period, nothing shows how much it moves by itself: errors that rest on it "
    "are too small; use policy.pilot for a group of one"
)
LOST = re.compile(r"(\d+) \(group, time\) cell\(s\) could not be estimated")
NO_EFFECTS = pd.DataFrame(columns=["estimate", "se", "ci_low", "ci_high"], dtype=float)
REFUSED = {  # diff-diff's words, and what they mean
    "rank-deficient": "in some group and period one is decided by the others, or is the same for all, or marks the "
    "treated units; leave it out",
    "Fewer observations": "in some group and period fewer units are compared than it takes to adjust for them; leave "
    "some out",
}


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
    anticipation: int = 0,
    balance: int | None = None,
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
        anticipation: how many periods before the start the outcome may already react; the base lies before them.
        balance: an event study of the same groups throughout: those seen at least so many periods after the start, up
            to that period.
        seed: of the draws behind the simultaneous bands and the placebos.

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
    _refuse_no_count(anticipation=anticipation, balance=0 if balance is None else balance)
    covariates = names_of(covariates)
    columns = {"outcome": outcome, "unit": unit, "period": period, "treated_from": treated_from}
    data, start = read_adoption(panel, **columns, further=[*covariates, weights, cluster])
    refuse_no_control(data, start, control)
    data, start, treated = _informative(data, start, control, anticipation)
    fields = {"covariates": covariates, "weights": weights, "cluster": cluster, "control": control}
    fields |= {"anticipation": anticipation, "treated": treated}
    cells, heard = _group_time(data, start, base="varying", **fields)
    universal, _ = _group_time(data, start, base="universal", **fields)
    aggregations, events = summaries(cells, seed, balance)
    aggregations["level"] = pd.Series(
        [
            data.label(level) if kind in ("group", "calendar") and level is not None else level
            for kind, level in zip(aggregations["kind"], aggregations["level"], strict=True)
        ],
        index=aggregations.index,
        dtype=object,
    )
    labels = {name: [data.label(one) for one in getattr(cells, f"{name}s")] for name in ("group", "period")}
    att, influence = cells.average(cells.since >= 0)
    headline = headline_of(
        data,
        np.where(treated, start, np.inf),
        att=att,
        se=float(aggregations["se"].iloc[0]),
        noise=cells.noise(influence[:, None]),
        cluster=cells.cluster,
        mass=cells.mass,
        last=True,
        seed=seed,
        said=(*_group_warnings(data, start, cells), *heard),
    )
    return PolicyEffect(
        method="callaway_santanna",
        outcome=outcome,
        event_study=events,
        group_time=cells.with_errors(pd.DataFrame(labels | {"estimate": cells.estimates}), cells.influence),
        aggregations=aggregations,
        control=control,
        for_sensitivity=event_estimates(universal),
        pretrend=pre_trend(cells, universal, seed),
        **headline,
    )


def _refuse_no_count(**given: int) -> None:
    for name, value in given.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
            raise ParameterError(f"{name} {value!r}: a whole number of periods is needed, 0 or more")


@once_a_run
def imputation(
    panel: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    period: str,
    treated_from: str,
    covariates: Sequence[str] = (),
    cluster: str | None = None,
    anticipation: int = 0,
    seed: int = 0,
) -> PolicyEffect:
    """The same effect in another way, as a check: untreated outcomes imputed from unit and period effects.

    Arguments, result and errors as `staggered`; the event study starts at adoption. Treated rows whose untreated
    outcome nothing tells, as of units never observed before their start, are left out with a warning that names them.

    Source: Borusyak, Jaravel and Spiess (2024), Revisiting event-study designs, Review of Economic Studies 91(6),
    estimated by the package diff-diff; errors after their supplementary appendix A.9, which leaves a unit out of the
    mean of its group that its residual is taken from: with groups of six or fifteen the plain ones are too small.
    Intervals have one degree of freedom less than there are treated clusters.
    """
    from diff_diff import ImputationDiD

    _refuse_no_count(anticipation=anticipation)
    covariates = names_of(covariates)
    columns = {"outcome": outcome, "unit": unit, "period": period, "treated_from": treated_from}
    data, start = read_adoption(panel, **columns, further=[*covariates, cluster])
    refuse_no_control(data, start, "not_yet_treated")
    data, start = _imputable(data, start, anticipation)
    frame = _frame(data, start, covariates, None, cluster)
    codes = frame.drop_duplicates("unit")["cluster"].to_numpy() if cluster else None
    options = {"cluster": "cluster" if cluster else None, "leave_one_out": True, "anticipation": anticipation}
    with python_warnings.catch_warnings(record=True) as heard:
        python_warnings.simplefilter("always")
        fitted = _fitted(ImputationDiD(**options), frame, covariates)
        study = fitted.aggregate("event_study").to_dataframe()
    att, se = float(fitted.overall_att), float(fitted.overall_se)
    if not np.isfinite([att, se]).all():
        raise EstimationError(
            "the effect is not identified: untreated outcomes do not determine what the covariates do; leave some out"
        )
    treated = np.isfinite(start)
    df = max((treated.sum() if codes is None else len(np.unique(codes[treated]))) - 1, 1)
    events = study.rename(columns={"event_time": "relative_period", "att": "estimate"})
    known = (events["relative_period"] >= 0) & np.isfinite(events["se"])
    events = events.loc[known, ["relative_period", "estimate", "se"]].reset_index(drop=True)
    noise = Noise.student(np.array([se]), df)
    return PolicyEffect(
        method="imputation",
        outcome=outcome,
        event_study=with_interval(events, Noise.student(events["se"].to_numpy(float), df)),
        group_time=NO_EFFECTS.reindex(columns=["group", "period", *NO_EFFECTS]),
        aggregations=NO_EFFECTS.reindex(columns=["kind", "level", *NO_EFFECTS]),
        **headline_of(data, start, att=att, se=se, noise=noise, cluster=codes, seed=seed, said=_said(heard)),
    )


def _informative(
    data: Panel, start: np.ndarray, control: str, anticipation: int
) -> tuple[Panel, np.ndarray, np.ndarray]:
    """The units that enter some comparison after a start, their starts, and which of them enter as treated.

    A group-time effect compares those observed in its period and in the one before the start; who enters none, such as
    a unit first seen after its start, neither counts nor weighs.
    """
    seen, periods = data.present, len(data.ordinals)
    treated, compared = np.zeros(len(start), bool), np.zeros(len(start), bool)
    for group in np.unique(start[np.isfinite(start)]).astype(int):
        base = group - 1 - anticipation
        free = np.isinf(start) if control == "never_treated" else start != group
        for when in range(group, periods) if base >= 0 else ():
            both = seen[:, base] & seen[:, when]
            own, others = both & (start == group), both & free & (start > when + anticipation)
            if own.any() and others.any():
                treated |= own
                compared |= others
    used, silent = treated | compared, np.isfinite(start) & compared & ~treated
    reasons = "" if used.all() else _reasons(data, start, ~used, anticipation)
    if not treated.any():
        raise EstimationError(
            "no group can be compared with anybody after its start: nobody is observed both in the period before a "
            f"start and after it beside somebody untreated; {reasons}"
        )
    notes = []
    if reasons:
        notes.append(f"{(~used).sum()} of {len(used)} units carry no information and are left out: {reasons}")
    if silent.any():
        notes.append(f"only compared with, not counted as treated, as they enter no effect: {data.named(silent)}")
    kept, start, units = _only(data, start, used[data.unit], notes)
    return kept, start, treated[units]


def _only(
    data: Panel, start: np.ndarray, kept: np.ndarray, notes: Sequence[str]
) -> tuple[Panel, np.ndarray, np.ndarray]:
    """The panel of some of its rows, these units' starts in the periods that are left, and the units' old places."""
    found, units = data.only(kept, *notes)
    begun = np.searchsorted(found.ordinals, data.ordinals[_finite(start)])
    return found, np.where(np.isfinite(start), begun, np.inf)[units], units


def _finite(start: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(start), start, 0).astype(int)


def _reasons(data: Panel, start: np.ndarray, out: np.ndarray, anticipation: int) -> str:
    """Why units carry no information, each under the first reason that holds."""
    seen, base = data.present, _finite(start) - 1 - anticipation
    at_base = seen[np.arange(len(start)), np.maximum(base, 0)] & (base >= 0)
    reasons = {
        "first observed after their start": np.isfinite(start) & (seen.argmax(axis=1) > base),
        "observed once": seen.sum(axis=1) == 1,
        "not observed in the period before their start": np.isfinite(start) & ~at_base,
        "nobody is untreated beside them, or they are not observed beside anybody treated": np.ones(len(start), bool),
    }
    parts, left = [], out.copy()
    for words, holds in reasons.items():
        if (left & holds).any():
            parts.append(f"{words}: {data.named(left & holds)}")
            left &= ~holds
    return "; ".join(parts)


def _imputable(data: Panel, start: np.ndarray, anticipation: int) -> tuple[Panel, np.ndarray]:
    """The panel without rows that say nothing, and its units' starts.

    A unit effect plus a period effect is known where the untreated rows link the unit to the period, through other
    units and periods if need be: where both lie in one component of the graph that these rows draw between them. So
    treated rows that they do not link are left out, and units observed once, which say nothing of any change.

    Raises:
        EstimationError: no treated row is left.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    unit, period, units = data.unit, data.period, len(data.units)
    treated, free = period >= start[unit], period < start[unit] - anticipation
    edges, size = (unit[free], units + period[free]), units + len(data.ordinals)
    component = connected_components(coo_array((np.ones(free.sum()), edges), shape=(size, size)), directed=False)[1]
    lost = ~free & (component[unit] != component[units + period])
    kept = ~lost & (np.bincount(unit[~lost], minlength=units) > 1)[unit]
    alone, empty = lost & ~np.isin(unit, unit[free]), lost & ~np.isin(period, period[free])
    parts = {
        "never observed before their start:": [data.units[one] for one in np.unique(unit[alone])],
        "nobody is untreated in": [data.label(one) for one in np.unique(period[empty])],
        "no chain of comparisons reaches": [data.units[one] for one in np.unique(unit[lost & ~alone & ~empty])],
    }
    where = "; ".join(f"{words} {listed(names)}" for words, names in parts.items() if names)
    if not (treated & kept).any():
        raise EstimationError(f"the effect is not identified: no treated outcome can be imputed; {where}")
    notes, single = [], np.unique(unit[~kept & ~lost])
    if lost.any():
        notes.append(
            f"{(lost & treated).sum()} of {treated.sum()} treated rows left out, since nothing tells their outcome "
            f"untreated: {where}"
        )
    if len(single):
        notes.append(f"{len(single)} units carry no information and are left out: observed once: {data.named(single)}")
    found, begun, left = _only(data, start, kept, notes)
    return found, np.where(np.isin(left, unit[treated & kept]), begun, np.inf)


def _group_time(
    data: Panel,
    start: np.ndarray,
    *,
    base: str,
    control: str,
    covariates: Sequence[str],
    weights: str | None,
    cluster: str | None,
    anticipation: int,
    treated: np.ndarray,
) -> tuple[Cells, tuple[str, ...]]:
    """Group-time effects with the units' influence on them, and what diff-diff warned of."""
    from diff_diff import CallawaySantAnna, SurveyDesign

    frame = _frame(data, start, covariates, weights, cluster)
    design = {"survey_design": SurveyDesign(weights="weight")} if weights else {}
    estimator = CallawaySantAnna(
        control_group=control,
        base_period=base,
        anticipation=anticipation,
        rank_deficient_action="error",
        epv_threshold=1e-9,  # small groups are warned of here, not refused there
    )
    with python_warnings.catch_warnings(record=True) as heard:
        python_warnings.simplefilter("always")
        fitted = _fitted(estimator, frame, covariates, **design)
    effects, influence = fitted.group_time_effects, fitted._aggregation_kit.influence
    counted = set(start[treated] + 1)
    found = [
        cell for cell in effects if cell in influence and cell[0] in counted and np.isfinite(effects[cell]["effect"])
    ]
    if not any(when >= group for group, when in found):
        raise EstimationError("no group can be compared with anybody after its start")
    matrix = np.zeros((len(data.units), len(found)))
    for place, cell in enumerate(found):
        for side in ("treated", "control"):
            matrix[influence[cell][f"{side}_idx"], place] += influence[cell][f"{side}_inf"]
    first = frame.drop_duplicates("unit").sort_values("unit")
    cells = Cells(
        groups=np.array([group for group, _ in found], float) - 1,
        periods=np.array([when for _, when in found], float) - 1,
        estimates=np.array([effects[cell]["effect"] for cell in found], float),
        influence=matrix,
        unit_group=np.where(treated, start, np.inf),
        mass=first["weight"].to_numpy() if weights else np.ones(len(data.units)),
        cluster=first["cluster"].to_numpy() if cluster else None,
        anticipation=anticipation,
    )
    return cells, _said(heard)


def _frame(
    data: Panel, start: np.ndarray, covariates: Sequence[str], weights: str | None, cluster: str | None
) -> pd.DataFrame:
    """The rows under names of our own, so that no caller's column can collide; periods from 1, since 0 says never."""
    rows = data.rows
    frame = rows[["unit", "period", "outcome"]].assign(period=rows["period"] + 1)
    frame["start"] = np.where(np.isfinite(start), start + 1, 0)[data.unit].astype(int)
    for place, given in enumerate(covariates):
        values = covariate(rows[f"x:{given}"], given)
        if values.min() == values.max():
            raise EstimationError(f"{given}: a covariate that never varies adjusts for nothing; leave it out")
        frame[f"covariate_{place}"] = (values - values.mean()) / values.std()  # years and their squares are not alike
    if weights:
        by_unit = constant_by_unit(data, weights, meaning="a weight must be one number a unit")
        mass = positive_weights(by_unit, weights)[data.unit]
        frame["weight"] = mass / mass.mean()
    if cluster:
        codes = pd.factorize(constant_by_unit(data, cluster, meaning="a unit must lie in one cluster"))[0]
        if codes.max() < 1:
            raise EstimationError(f"{cluster}: clustered errors need at least two clusters, there is one")
        frame["cluster"] = codes[data.unit]
    return frame


def _fitted(estimator: Any, frame: pd.DataFrame, given: Sequence[str], **options: Any) -> Any:
    """diff-diff's result, its refusals in this library's words.

    Args:
        given: the covariates as the caller names them.
    """
    names = [f"covariate_{place}" for place, _ in enumerate(given)] or None
    columns = {"outcome": "outcome", "unit": "unit", "time": "period", "first_treat": "start"}
    try:
        return estimator.fit(frame, **columns, covariates=names, **options)
    except (ValueError, np.linalg.LinAlgError) as refused:
        for theirs, ours in REFUSED.items():
            if theirs in str(refused):
                raise EstimationError(f"covariates {listed(given)}: {ours}") from refused
        raise EstimationError(f"the effects cannot be estimated: {refused}") from refused


def _said(heard: list) -> tuple[str, ...]:
    """What diff-diff warned of, each once, in this library's words where it has some; gaps are said elsewhere."""
    found = []
    for one in heard:
        sentence = str(one.message).split("\n")[0]
        if sentence.startswith(("Propensity", "Logistic", "Large coefficients", "Near-separation", "Low Events")):
            sentence = POOR_OVERLAP
        elif sentence.startswith("leave_one_out=True"):
            sentence = ALONE
        elif lost := LOST.match(sentence):
            sentence = (
                f"{lost[1]} group-time effects are left out: in one of their two periods nobody of the group, or "
                "nobody to compare it with, is observed"
            )
        if not sentence.startswith("Unbalanced panel detected"):
            found.append(sentence)
    return tuple(dict.fromkeys(found))


def _group_warnings(data: Panel, start: np.ndarray, cells: Cells) -> tuple[str, ...]:
    """Gaps, and groups too small, alone or without comparison."""
    notes, holes = [], data.gaps()
    if holes:
        notes.append(
            f"{len(holes)} of {len(data.units)} units have gaps: {listed(holes)}; each group-time effect rests on the "
            "units observed in both of its periods"
        )
    groups, sizes = np.unique(cells.unit_group[np.isfinite(cells.unit_group)], return_counts=True)
    small = [f"{data.label(one)} ({size})" for one, size in zip(groups, sizes, strict=True) if size < SMALL_GROUP]
    if small and len(groups) > 1:
        notes.append(
            f"groups of fewer than {SMALL_GROUP} units, whose own effects are not to be trusted: {listed(small)}"
        )
    if (sizes == 1).any():
        single = listed(data.label(one) for one in groups[sizes == 1])
        notes.append(
            f"groups of one unit: {single}; nothing shows how much such a unit moves by itself, so that intervals that "
            "rest on it are too short; use policy.pilot for it"
        )
    alone = np.setdiff1d(np.unique(start[np.isfinite(start)]), np.unique(cells.groups[cells.since >= 0]))
    if len(alone):
        notes.append(f"groups that nobody can be compared with: {listed(data.label(one) for one in alone)}")
    return tuple(notes)
