"""When each unit starts, by a date or by a 0/1 treatment, and whether there is anybody to compare with."""

from collections.abc import Sequence
from numbers import Number

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, EstimationError
from institute_lib.policy.panel import Panel, constant_by_unit, listed, read_panel


def read_adoption(frame: pd.DataFrame, *, treated_from: str, further: Sequence[str | None], **columns: str):
    """The checked panel and each unit's start as an integer (infinite if never)."""
    required = [name for name in further if name]
    data = read_panel(frame, **columns, required=required, kept=[treated_from])
    written = constant_by_unit(
        data, treated_from, meaning="treatment that switches off or changes its date cannot be evaluated here"
    )
    start = _dated(data, _ordinals(data, written, treated_from), treated_from)
    start[start > data.periods[-1]] = np.inf
    at_zero = data.periods[0] == 0 and not data.calendar.quarterly
    hint = f"; if 0 was to say never, {_how(treated_from)}" if at_zero else ""
    _refuse_no_contrast(data, start, treated_from, hint=hint)
    before = (data.periods < start[np.isfinite(start)].max()).sum()
    if before < 2:
        raise EstimationError(
            f"fewer than two periods before every start: the panel begins in {data.calendar.label(data.periods[0])}"
        )
    return data, start


def switched_on(data: Panel, treated: str) -> np.ndarray:
    """Each unit's start as an integer (infinite if never), by a 0/1 column of the panel's rows, which becomes numbers.

    Raises:
        DataError: neither 0 nor 1. EstimationError: a treatment that switches off or differs within a unit and period,
            units treated from the first period, nobody treated.
    """
    column = f"x:{treated}"
    values = pd.to_numeric(data.rows[column], errors="coerce").to_numpy(float)
    if not np.isin(values, (0, 1)).all():
        wrong = data.rows[column][~np.isin(values, (0, 1))].iloc[0]
        raise DataError(f"{treated}: {wrong!r} is neither 0 nor 1")
    data.rows[column] = values
    cells = data.rows.groupby(["unit", "period"])[column].agg(["min", "max"]).reset_index()
    mixed = cells[cells["min"] != cells["max"]]
    if len(mixed):
        raise EstimationError(
            f"{treated} differs among rows of one unit and period: {listed(data.units[one] for one in mixed['unit'])}"
        )
    off = cells["min"].diff().lt(0) & cells["unit"].eq(cells["unit"].shift())
    if off.any():
        places = [
            f"{data.units[one]} in {data.calendar.label(when)}"
            for one, when in cells.loc[off, ["unit", "period"]].itertuples(index=False)
        ]
        raise EstimationError(
            f"{treated} switches off ({listed(places)}): the effect of a policy that ends is not one "
            "number; shorten the window or leave these units out"
        )
    start = np.full(len(data.units), np.inf)
    first = cells[cells["min"] == 1].groupby("unit")["period"].min()
    start[first.index] = first.to_numpy(float)
    _refuse_no_contrast(data, start, treated)
    return start


def _ordinals(data: Panel, written: pd.Series, name: str) -> np.ndarray:
    """The starts as integers, NaN where missing; among quarters the numbers 0 and infinity can only say never."""
    if data.calendar.quarterly:
        written = written.astype(object).mask(written.map(lambda one: isinstance(one, Number) and one in (0, np.inf)))
    try:
        return data.calendar.ordinals(written, name=name)
    except DataError as wrong:
        raise DataError(f"{wrong}; {_how(name)}") from wrong


def _dated(data: Panel, written: np.ndarray, name: str) -> np.ndarray:
    """Each unit's start, infinite if never; 0 is never where it is no period of the panel.

    Raises:
        DataError: 0 is a later period of the panel and no unit is marked as never treated in another way, so that
            nobody can tell which of the two it means.
    """
    start = np.where(np.isnan(written), np.inf, written)
    zero = (start == 0) & (not data.calendar.quarterly)
    if not data.periods[0] <= 0 <= data.periods[-1]:
        return np.where(zero, np.inf, start)
    if zero.any() and data.periods[0] < 0 and not np.isinf(start).any():
        units = listed(data.units[one] for one in np.flatnonzero(zero))
        raise DataError(
            f"{name} is 0 for {units}, and 0 is also a period of the panel: treated from then, or never? {_how(name)}"
        )
    return start


def _how(name: str) -> str:
    return f"leave {name} missing for units that are never treated"


def _refuse_no_contrast(data: Panel, start: np.ndarray, name: str, *, hint: str = "") -> None:
    """Raise if some units are treated from the panel's first period, or nobody is treated within it."""
    early = np.flatnonzero(start <= data.periods[0])
    if len(early):
        raise EstimationError(
            f"treated from the first period of the panel ({data.calendar.label(data.periods[0])}): "
            f"{listed(data.units[one] for one in early)}; nothing shows how they were before, leave them out{hint}"
        )
    if not np.isfinite(start).any():
        raise EstimationError(
            f"{name}: no unit is treated within the panel, which runs from "
            f"{data.calendar.label(data.periods[0])} to {data.calendar.label(data.periods[-1])}"
        )


def refuse_no_control(data: Panel, start: np.ndarray, control: str) -> None:
    never = np.isinf(start).sum()
    if control == "never_treated" and not never:
        raise EstimationError("no donors: every unit is treated sooner or later; pass control='not_yet_treated'")
    if not never and len(np.unique(start)) == 1:
        when = data.calendar.label(start[0])
        raise EstimationError(f"no donors: every unit starts in {when}, nobody is left to compare with")
