"""What the package diff-diff is given and what it gives back: its refusals and warnings in this library's words."""

import re
import warnings as python_warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from institute_lib.errors import EstimationError
from institute_lib.policy.aggregation import Cells
from institute_lib.policy.fixed_effects import positive_weights
from institute_lib.policy.panel import Panel, constant_by_unit, covariate, listed

POOR_OVERLAP = (
    "in some groups the covariates all but decide who is treated (poor overlap): there the estimates lean on the "
    "outcome regression; use fewer covariates, or compare with the estimate without them"
)
ALONE = (
    "where a group shows but one unit in a period, nothing shows how much it moves by itself: errors that rest on it "
    "are too small; use policy.pilot for a group of one"
)
NO_THRESHOLD = 1e-9  # small groups are warned of here, not refused there
GAPS = "Unbalanced panel detected"  # said here in this library's words
UNDEFINED = "leave_one_out=True"
LOST = re.compile(r"(\d+) \(group, time\) cell\(s\) could not be estimated")
OVERLAP = ("Propensity", "Logistic", "Large coefficients", "Near-separation", "Low Events")


def group_time(
    data: Panel,
    start: np.ndarray,
    *,
    base: str,
    control: str,
    covariates: Sequence[str],
    weights: str | None,
    cluster: str | None,
) -> tuple[Cells, tuple[str, ...]]:
    """Group-time effects with the units' influence on them, and what diff-diff warned of."""
    from diff_diff import CallawaySantAnna, SurveyDesign

    frame = frame_of(data, start, covariates, weights, cluster)
    design = {"survey_design": SurveyDesign(weights="weight")} if weights else {}
    estimator = CallawaySantAnna(
        control_group=control, base_period=base, rank_deficient_action="error", epv_threshold=NO_THRESHOLD
    )
    with python_warnings.catch_warnings(record=True) as heard:
        python_warnings.simplefilter("always")
        fitted = fitted_by(estimator, frame, covariates, **design)
    effects, origin = fitted.group_time_effects, data.periods[0] - 1
    influence = fitted._aggregation_kit.influence
    found = [cell for cell in effects if cell in influence and np.isfinite(effects[cell]["effect"])]
    if not any(when >= group for group, when in found):
        raise EstimationError("no group can be compared with anybody after its start")
    matrix = np.zeros((len(data.units), len(found)))
    for place, cell in enumerate(found):
        for side in ("treated", "control"):
            matrix[influence[cell][f"{side}_idx"], place] += influence[cell][f"{side}_inf"]
    first = frame.drop_duplicates("unit").sort_values("unit")
    return (
        Cells(
            groups=np.array([group for group, _ in found], float) + origin,
            periods=np.array([when for _, when in found], float) + origin,
            estimates=np.array([effects[cell]["effect"] for cell in found], float),
            influence=matrix,
            unit_group=start,
            mass=first["weight"].to_numpy() if weights else np.ones(len(data.units)),
            cluster=first["cluster"].to_numpy() if cluster else None,
        ),
        said(heard),
    )


def frame_of(
    data: Panel, start: np.ndarray, covariates: Sequence[str], weights: str | None, cluster: str | None
) -> pd.DataFrame:
    """The rows under names of our own, so that no caller's column can collide; periods from 1, since 0 says never."""
    rows, origin = data.rows, data.periods[0] - 1
    frame = rows[["unit", "period", "outcome"]].assign(period=rows["period"] - origin)
    frame["start"] = np.where(np.isfinite(start), start - origin, 0)[rows["unit"]].astype(int)
    names = [f"covariate_{place}" for place, _ in enumerate(covariates)]
    for name, given in zip(names, covariates, strict=True):
        frame[name] = covariate(rows[f"x:{given}"], given)
        if frame[name].min() == frame[name].max():
            raise EstimationError(f"{given}: a covariate that never varies adjusts for nothing; leave it out")
    if weights:
        by_unit = constant_by_unit(data, weights, meaning="a weight must be one number a unit")
        mass = positive_weights(by_unit, weights)[rows["unit"]]
        frame["weight"] = mass / mass.mean()
    if cluster:
        by_unit = constant_by_unit(data, cluster, meaning="a unit must lie in one cluster")
        codes = pd.factorize(by_unit)[0]
        if codes.max() < 1:
            raise EstimationError(f"{cluster}: clustered errors need at least two clusters, there is one")
        frame["cluster"] = codes[rows["unit"]]
    return frame


def fitted_by(estimator: Any, frame: pd.DataFrame, given: Sequence[str], **options: Any) -> Any:
    """diff-diff's result, its refusals in this library's words.

    Args:
        given: the covariates as the caller names them.
    """
    names = [f"covariate_{place}" for place, _ in enumerate(given)] or None
    columns = {"outcome": "outcome", "unit": "unit", "time": "period", "first_treat": "start"}
    try:
        return estimator.fit(frame, **columns, covariates=names, **options)
    except (ValueError, np.linalg.LinAlgError) as refused:
        if "rank-deficient" in str(refused):
            raise EstimationError(
                f"covariates {listed(given)}: in some group and period one is decided by the others, or is the same "
                "for all, or marks the treated units; leave it out"
            ) from refused
        if str(refused).startswith("Fewer observations"):
            raise EstimationError(
                f"covariates {listed(given)}: in some group and period fewer units are compared than it takes to "
                "adjust for them; leave some out"
            ) from refused
        raise EstimationError(f"the effects cannot be estimated: {refused}") from refused


def said(heard: list) -> tuple[str, ...]:
    """What a library warned of, each sentence once; the many ways of saying that overlap is poor as one."""
    sentences = [str(one.message).split("\n")[0] for one in heard]
    overlap = any(one.startswith(OVERLAP) for one in sentences)
    others = dict.fromkeys(_own(one) for one in sentences if not one.startswith((GAPS, *OVERLAP)))
    return (POOR_OVERLAP, *others) if overlap else tuple(others)


def _own(sentence: str) -> str:
    """The sentence as it is, unless this library has words for it."""
    if sentence.startswith(UNDEFINED):
        return ALONE
    lost = LOST.match(sentence)
    if lost is None:
        return sentence
    return (
        f"{lost[1]} group-time effects are left out: in one of their two periods nobody of the group, or nobody to "
        "compare it with, is observed"
    )
