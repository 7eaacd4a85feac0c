"""Making a `SafeResult`: what of a model, a curve or a path may leave, and what is taken out first."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.disclosure import regressions, show
from institute_lib.disclosure.protected import Protected, protected
from institute_lib.disclosure.regressions import INTERCEPTS
from institute_lib.disclosure.types import MAKER, SafeResult
from institute_lib.errors import DisclosureError, ParameterError, nearest
from institute_lib.result import job_provenance
from institute_lib.retention.results import curve_result

KINDS = {
    "HazardModel": "hazard",
    "CoxModel": "cox",
    "SurvivalCurves": "survival",
    "PilotEffect": "pilot",
    "PolicyEffect": "staggered",
    "Regression": "regression",
}
FRAMES = {
    "hazard": ("coefficients", "marginal_effects", "levels"),
    "cox": ("coefficients", "levels"),
    "regression": ("coefficients", "levels"),
    "staggered": ("event_study", "group_time"),
    "pilot": ("path", "event_study", "placebos", "placebo_paths", "weights", "leave_one_out", "in_time"),
}
NUMBERS = (
    "att",
    "se",
    "p_value",
    "n_units",
    "n_treated",
    "n_periods",
    "n_rows",
    "n_events",
    "n_clusters",
    "n_donors",
    "pre_rmspe",
    "detectable",
)
FACTS = ("start", "treated_unit", "outcome")
ROWS = ("rows", "n_rows")
EVENTS = ("events", "n_events")
MODELS = ("hazard", "cox", "regression")
EFFECTS = ("staggered", "pilot")


def protect_result(
    result: Any,
    *,
    threshold: int = 10,
    contributors: pd.Series | None = None,
    sizes: pd.DataFrame | None = None,
    title: str = "",
    source: str = "",
    demo: bool | None = None,
    labels: Mapping[str, str] | None = None,
    measure: str = "number",
) -> SafeResult | Protected:
    """A result without the parts that rest on fewer than `threshold` persons.

    Models lose every driver of which one category, the reference included, has fewer rows or events than the threshold
    (an intercept and a one-person dummy are that person); survival curves come from rounded counts (`protected`);
    effects of policies rest on district figures and pass if enough persons stand behind each district and period.

    Args:
        result: PolicyEffect, PilotEffect, HazardModel, CoxModel, SurvivalCurves, or a fitted statsmodels regression.
        threshold: the fewest persons, or events, behind anything shown.
        contributors: for effects of policies, the persons behind each unit and period. Without it the result carries
            the note that this was not checked.
        sizes: for models, the rows and events of each category (term, level, rows, events), reference included, where
            the result does not carry them itself in `levels`.
        measure: for effects of policies, "share" where the outcome is one: its sentence and its tables speak of
            percentage points.

    Raises:
        ParameterError: a kind of result this room does not know, or a measure of something that has none.
        DisclosureError: sizes are not known, or a district and period rests on too few persons.

    Source of the method: Hundepool et al. (2012), Statistical Disclosure Control, ch. 5 (output checking: models).
    """
    if regressions.is_regression(result):
        result = regressions.read(result)
    kind = KINDS.get(type(result).__name__)
    if kind is None or not is_dataclass(result):
        raise ParameterError(f"protect_result: {type(result).__name__}: {nearest(type(result).__name__, KINDS)}")
    units = show.effect_units(measure, "protect_result")
    if units and kind not in EFFECTS:
        raise ParameterError(f"protect_result: measure {measure!r} is for effects of policies alone; leave it out")
    if kind == "survival":
        view = protected(curve_result(result, provenance=job_provenance()))
        known = view.demo if demo is None else demo
        return replace(view, made_by=MAKER, title=title, source=source, demo=known)
    hidden: tuple[tuple[str, str], ...] = ()
    if kind in MODELS:
        result, hidden = _without_small_terms(result, sizes, threshold)
    elif contributors is not None:
        _check_contributors(contributors, threshold)
    return SafeResult(
        MAKER,
        kind=kind,
        tables=_frames(result, kind, [term for _, term in hidden] if kind in MODELS else []),
        numbers=_numbers(result),
        sentences=_sentences(result, kind, threshold, **({} if measure == "number" else {"measure": measure})),
        threshold=threshold,
        hidden=hidden,
        title=title,
        source=source,
        demo=job_provenance().demo if demo is None else demo,
        names=dict(labels or {}),
        units=units,
        facts={name: str(getattr(result, name)) for name in FACTS if getattr(result, name, None) is not None},
        unchecked=kind in EFFECTS and contributors is None,
        warnings=tuple(getattr(result, "warnings", ())),
    )


def _sentences(result: Any, kind: str, threshold: int, **options: str) -> dict[str, str]:
    """The result's own sentence, said after the cut; or that nothing is left to say."""
    left = result.to_frame() if kind in (*MODELS, "survival") else None
    if left is not None and left.empty:
        return {
            language: terms.text("disclosure.too_few", language, threshold=threshold) for language in terms.LANGUAGES
        }
    return {language: result.summary(language, **options) for language in terms.LANGUAGES}


def _column(frame: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in frame), None)


def _without_small_terms(result: Any, sizes: pd.DataFrame | None, threshold: int) -> tuple[Any, tuple]:
    """The model without the drivers that have a category below the threshold, and then without its intercept."""
    known = next((one for one in (sizes, getattr(result, "levels", None)) if one is not None), None)
    if known is None:
        known = _with_reference(result.coefficients, getattr(result, "n_rows", None), getattr(result, "n_events", None))
    rows, events = _column(known, ROWS), _column(known, EVENTS)
    if rows is None or events is None:
        raise DisclosureError(
            f"{type(result).__name__}: the rows and events behind each category are not known; "
            "pass sizes= with term, level, rows, events, the reference category included"
        )
    small = (known[[rows, events]] < threshold).any(axis=1)
    dropped = sorted(set(known.loc[small & ~known["term"].isin(INTERCEPTS), "term"].astype(str)))
    shown = replace(result, coefficients=_drop_terms(result.coefficients, dropped))
    return shown, tuple(("coefficients", term) for term in dropped)


def _with_reference(coefficients: pd.DataFrame, n_rows: int | None, n_events: int | None) -> pd.DataFrame:
    """The levels that a model shows, and each factor's reference, which is all that the levels leave over."""
    rows, events = _column(coefficients, ROWS), _column(coefficients, EVENTS)
    if rows is None or events is None or n_rows is None or n_events is None:
        return coefficients[["term"]]
    known = coefficients[~coefficients["term"].isin(INTERCEPTS)]
    factors = known[known["level"].astype(str) != ""].groupby("term", sort=False)[[rows, events]].sum()
    rest = pd.DataFrame({rows: n_rows - factors[rows], events: n_events - factors[events]}).reset_index()
    return pd.concat([known, rest.assign(level="reference")], ignore_index=True)


def _drop_terms(frame: pd.DataFrame, dropped: list[str]) -> pd.DataFrame:
    """Without these drivers and, once one is gone, without the intercept that was measured beside it."""
    gone = [*dropped, *INTERCEPTS] if dropped else []
    return frame[~frame["term"].astype(str).isin(gone)] if "term" in frame else frame


def _is_field(result: Any, name: str) -> bool:
    return name in {one.name for one in fields(result)}


def _check_contributors(contributors: pd.Series, threshold: int) -> None:
    thin = contributors[contributors < threshold]
    if len(thin):
        raise DisclosureError(
            f"{len(thin)} units and periods rest on fewer than {threshold} persons, the first at {thin.index[0]!r}; "
            "leave them out of the panel or merge them with a neighbour"
        )


def _frames(result: Any, kind: str, dropped: list[str]) -> dict[str, pd.DataFrame]:
    """Every frame of the result, those it computes when asked for included, without the drivers that were dropped."""
    found = {name: getattr(result, name, None) for name in FRAMES[kind]}
    frames = {name: frame for name, frame in found.items() if isinstance(frame, pd.DataFrame) and len(frame.columns)}
    return {name: _drop_terms(frame, dropped) for name, frame in (frames or {"result": result.to_frame()}).items()}


def _numbers(result: Any) -> dict[str, float]:
    numbers = {name: getattr(result, name, None) for name in NUMBERS}
    low, high = getattr(result, "ci", None) or (None, None)
    numbers |= {"ci_low": low, "ci_high": high}
    return {name: float(value) for name, value in numbers.items() if isinstance(value, int | float | np.number)}
