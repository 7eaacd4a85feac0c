"""One start, treated units and donors: the matrices of an evaluation, or the error that stands in its way."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from institute_lib.errors import EstimationError, ParameterError, closest, nearest
from institute_lib.policy.panel import Panel, as_written, listed, names_of, read_panel
from institute_lib.policy.predictors import Predictor, read_predictors
from institute_lib.policy.synthetic import METHODS


class Design:
    """Matrices of one evaluation: treated and donor outcomes (units by periods), and where the start falls.

    `predictors` by units, first the treated unit and then the donors; None where outcomes alone are matched.
    """

    def __init__(
        self,
        panel: Panel,
        treated: Sequence[Any],
        donors: Sequence[Any],
        start: int,
        *,
        warnings: tuple,
        predictors: np.ndarray | None = None,
    ):
        grid = panel.wide()
        place = {name: row for row, name in enumerate(panel.units)}
        self.panel, self.start, self.warnings = panel, start, warnings
        self.donor_units = tuple(donors)
        self.treated = grid[[place[one] for one in treated]]
        self.donors = grid[[place[one] for one in donors]]
        self.n_pre = int((panel.periods < start).sum())
        self.periods = panel.calendar.labels(panel.periods)
        order = [place[one] for one in (*treated, *donors)]
        self.predictors = None if predictors is None else predictors[:, order]

    def traits(self, unit: int, pool: Sequence[int]) -> tuple[np.ndarray, np.ndarray] | None:
        """Predictors of one unit and of a pool, by donors' positions; -1 is the treated unit."""
        if self.predictors is None:
            return None
        return self.predictors[:, unit + 1], self.predictors[:, [row + 1 for row in pool]]


def read_design(
    frame: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    period: str,
    treated_units: list[Any],
    start: str | int,
    method: str,
    donors: Sequence[Any] | None,
    incomplete: str = "refuse",
    predictors: Sequence[Predictor] = (),
) -> Design:
    """The checked matrices of a design with one start."""
    if method not in METHODS:
        raise ParameterError(f"method {method!r}: {nearest(method, METHODS)}")
    if predictors and method != "synthetic_control":
        raise ParameterError(f"predictors: only method='synthetic_control' matches on them, not {method!r}")
    if incomplete not in ("refuse", "drop"):
        raise ParameterError(f"incomplete {incomplete!r}: {nearest(incomplete, ('refuse', 'drop'))}")
    if not treated_units:
        raise ParameterError("treated_units: name at least one unit")
    whole = read_panel(frame, outcome=outcome, unit=unit, period=period)
    for one in treated_units:
        if not pd.api.types.is_scalar(one):
            raise ParameterError(f"treated unit {one!r}: one code or name is needed, as column {unit!r} holds it")
    treated_units = list(dict.fromkeys(as_written(one, whole.units) for one in treated_units))
    for one in treated_units:
        if one not in set(whole.units):
            close = closest(one, [str(unit) for unit in whole.units])
            hint = f"did you mean {close!r}? " if close else ""
            raise EstimationError(f"treated unit {one!r} is not in the panel: {hint}units: {listed(whole.units)}")
    donors = None if donors is None else [as_written(one, whole.units) for one in names_of(donors)]
    pool = _pool(whole, treated_units, donors)
    part = frame[frame[unit].isin([*treated_units, *pool])]
    chosen = read_panel(part, outcome=outcome, unit=unit, period=period)
    at = _start(chosen, start)
    pool, warnings = _complete(chosen, treated_units, pool, incomplete)
    _refuse_constant_donors(chosen, pool, outcome)
    traits = read_predictors(part, chosen, predictors, unit=unit, period=period, start=at) if predictors else None
    return Design(chosen, treated_units, pool, at, warnings=warnings, predictors=traits)


def _pool(panel: Panel, treated: list[Any], donors: Sequence[Any] | None) -> list[Any]:
    if donors is not None:
        unknown = [one for one in donors if one not in set(panel.units)]
        if unknown:
            raise EstimationError(f"donors not in the panel: {listed(unknown)}; units: {listed(panel.units)}")
        both = [one for one in donors if one in treated]
        if both:
            raise EstimationError(f"{listed(both)} cannot be both treated and a donor")
    allowed = set(panel.units if donors is None else donors)
    pool = [one for one in panel.units if one in allowed and one not in treated]
    if not pool:
        raise EstimationError(f"no donors: {listed(treated)} has nothing to be compared with")
    return pool


def _start(panel: Panel, start: str | int) -> int:
    """The start as an integer, if the panel reaches far enough on both sides of it."""
    at = panel.calendar.ordinal(start, name="start")
    periods = panel.periods
    first, last = panel.calendar.label(periods[0]), panel.calendar.label(periods[-1])
    if at > periods[-1] or at < periods[0]:
        raise EstimationError(f"start {start!r} lies outside the panel, which runs from {first} to {last}")
    before = int((periods < at).sum())
    if before == 0:
        raise EstimationError(f"treated from the first period of the panel ({first}): no period to compare with")
    if before < 2:
        raise EstimationError(
            f"only one period before {start!r} ({first}): at least two are needed, to see how well the comparison fits"
        )
    return at


def _refuse_constant_donors(panel: Panel, pool: list[Any], outcome: str) -> None:
    """Raise if nothing ever changes among the donors: placebos of theirs could not show what chance does."""
    rows = panel.wide()[[panel.units.index(one) for one in pool]]
    if (rows == rows[0, 0]).all():
        raise EstimationError(
            f"{outcome} is {rows[0, 0]:g} in all periods of all {len(pool)} donors ({listed(pool)}): a constant "
            "outcome shows nothing of what chance does; choose another outcome or other donors"
        )


def _complete(panel: Panel, treated: list[Any], pool: list[Any], incomplete: str) -> tuple[list[Any], tuple[str, ...]]:
    """The donors observed in every period, or an error that names who lacks which."""
    holes = np.isnan(panel.wide()).any(axis=1)
    lacking = {panel.units[row] for row in np.flatnonzero(holes)}
    if not lacking:
        return pool, ()
    holed = [one for one in treated if one in lacking]
    if holed:
        gaps = listed(panel.gaps_of(holed))
        raise EstimationError(f"the treated unit has gaps: {gaps}; fill them in, or drop these periods for all")
    if incomplete == "refuse":
        raise EstimationError(
            f"the panel has gaps: {listed(panel.gaps())}; drop the period, name other donors, or pass "
            "incomplete='drop' to leave out incomplete donors"
        )
    kept = [one for one in pool if one not in lacking]
    if not kept:
        raise EstimationError(f"no donors: all {len(pool)} have gaps, the first {listed(panel.gaps(), 1)}")
    return kept, (f"{len(lacking)} of {len(pool)} donors left out because they have gaps: {listed(panel.gaps())}",)
