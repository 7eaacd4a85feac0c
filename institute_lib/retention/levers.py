"""What a change in a lever goes with: everyone's caseload at 30 instead of 40, or subsidy at 300 instead of 0."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import ParameterError, nearest
from institute_lib.results import Result
from institute_lib.retention.cells import Variable
from institute_lib.retention.drivers import level_name
from institute_lib.retention.effects import difference, mean_hazard, with_errors
from institute_lib.retention.hazard import HazardModel, driver_label, level_label


@dataclass(frozen=True)
class LeverChanges(Result):
    """`table`: term, before, after, rate_before, rate_after (leavers in a hundred), estimate (their difference: people
    in a hundred; below zero fewer leave), se, ci_low, ci_high, p_value, rows (those at the rarer of the two levels; all
    rows for a number). Within `quarters` quarters.
    """

    table: pd.DataFrame
    quarters: int
    n_rows: int
    warnings: tuple[str, ...] = ()

    def summary(self, language: str = "zh") -> str:
        """Each change in people in a hundred, and that this is association."""
        said = [
            terms.text(
                "retention.lever",
                language,
                **_words(row, language),
                period=terms.text(
                    f"retention.{'quarters' if self.quarters > 1 else 'quarter'}", language, n=self.quarters
                ),
                change=terms.number(abs(row.estimate), language, 1),
                direction=terms.text(f"retention.{'fewer' if row.estimate < 0 else 'more'}", language),
                low=terms.number(row.ci_low, language, 1),
                high=terms.number(row.ci_high, language, 1),
            )
            for row in self.table.itertuples()
        ]
        space = "" if language == "zh" else " "
        return space.join([*said, terms.text("retention.association", language)])

    def labelled(self, language: str = "zh") -> pd.DataFrame:
        """The table with a column `lever` in words: caseload: 40 → 30."""
        return self.table.assign(
            lever=[
                terms.text("retention.lever_name", language, **_words(row, language)) for row in self.table.itertuples()
            ]
        )

    def to_frame(self) -> pd.DataFrame:
        """The table as a copy."""
        return self.table.copy()


def change(model: HazardModel, levers: Mapping[str, tuple[object, object]], *, quarters: int = 4) -> LeverChanges:
    """The mean change in leaving when everyone's driver is at one value instead of another, all else as it is.

    Parameters:
        model: a fitted hazard.
        levers: driver → (before, after): levels of a factor, or numbers, which need not occur in the data.
        quarters: the time over which leavers are counted, each row's hazard kept: 1 − (1 − h)^quarters.

    Returns:
        LeverChanges, in people in a hundred; errors by the delta method, the rows fixed.

    Raises:
        ParameterError: unknown driver or level, before and after the same, fewer than one quarter.

    Source: average contrasts of adjusted predictions, Norton, Dowd and Maciejewski (2019), JAMA 321, 1304–1305.
    """
    if not levers:
        raise ParameterError("change: name at least one lever, such as {'caseload': (40, 30)}")
    if int(quarters) != quarters or quarters < 1:
        raise ParameterError(f"change: quarters={quarters!r}; give a whole number of quarters, at least 1")
    design, beta = model.problem.design, model.fit.beta
    eta = design.predictor(beta)
    found, rows, notes = [], [], []
    for driver, pair in levers.items():
        if driver not in design.variables:
            raise ParameterError(
                f"change: {driver!r} is not a driver of the model: {nearest(driver, design.variables)}"
            )
        variable = design.variables[driver]
        before, after = (_value(variable, one) for one in _pair(driver, pair))
        if before == after:
            raise ParameterError(f"change: {driver!r} is {before!r} before and after; give two different values")
        notes += _beyond(variable, (before, after))
        means = [mean_hazard(model.problem, beta, {driver: one}, eta, periods=int(quarters)) for one in (before, after)]
        found.append(difference(means[1], means[0]))
        rows.append(
            (driver, before, after, 100 * means[0][0], 100 * means[1][0], _rows(model, driver, (before, after)))
        )
    effects = with_errors(found, model.covariance)
    scaled = effects.assign(**{name: 100 * effects[name] for name in ("estimate", "se", "ci_low", "ci_high")})
    table = pd.DataFrame(rows, columns=["term", "before", "after", "rate_before", "rate_after", "rows"])
    return LeverChanges(pd.concat([table, scaled], axis=1), int(quarters), model.n_rows, (*model.warnings, *notes))


def _words(row: Any, language: str) -> dict[str, str]:
    """The driver of a row of `table` and what it changes from and to, in the reader's words."""
    return {
        "driver": driver_label(row.term, "", language),
        "before": _written(row.term, row.before, language),
        "after": _written(row.term, row.after, language),
    }


def _written(driver: str, value: object, language: str) -> str:
    return f"{value:g}" if isinstance(value, float) else level_label(driver, str(value), language)


def _pair(driver: str, pair: object) -> tuple[object, object]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ParameterError(f"change: {driver!r}: {pair!r}; give (before, after)")
    return pair[0], pair[1]


def _value(variable: Variable, value: object) -> object:
    """A number, or the name of a level."""
    if variable.kind == "number":
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = np.nan
        if not np.isfinite(number):
            raise ParameterError(f"change: {variable.name!r} is a number; got {value!r}")
        return number
    level = level_name(value)
    if level not in variable.levels:
        raise ParameterError(f"change: {variable.name!r} has no level {level!r}: {nearest(level, variable.levels)}")
    return level


def _rows(model: HazardModel, driver: str, values: tuple[object, object]) -> int:
    if model.problem.design.variables[driver].kind == "number":
        return model.n_rows
    own = model.levels[model.levels["term"].isin([driver]) & model.levels["level"].isin(values)]
    return int(own["rows"].min()) if len(own) else model.n_rows


def _beyond(variable: Variable, values: tuple[object, object]) -> list[str]:
    """A note on numbers that nobody has: the model then speaks beyond its data."""
    if variable.kind != "number":
        return []
    low, high = variable.levels.min(), variable.levels.max()
    far = [value for value in values if not low <= value <= high]
    return [f"{variable.name} = {value:g} lies beyond the data ({low:g} to {high:g})" for value in far]
