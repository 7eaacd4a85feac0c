"""When each unit of a staggered design starts, and whether anybody is left to compare with."""

from collections.abc import Sequence
from numbers import Number

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, EstimationError
from institute_lib.policy.fixed_effects import refuse_no_contrast
from institute_lib.policy.panel import Panel, constant_by_unit, listed, read_panel


def read_adoption(frame: pd.DataFrame, *, treated_from: str, further: Sequence[str | None], **columns: str):
    """The checked panel and each unit's start as an integer (infinite if never)."""
    required = [name for name in further if name]
    data = read_panel(frame, **columns, required=required, kept=[treated_from])
    written = constant_by_unit(
        data, treated_from, meaning="treatment that switches off or changes its date cannot be evaluated here"
    )
    start = _starts(data, _ordinals(data, written, treated_from), treated_from)
    start[start > data.periods[-1]] = np.inf
    refuse_no_contrast(data, start, treated_from)
    before = (data.periods < start[np.isfinite(start)].max()).sum()
    if before < 2:
        raise EstimationError(
            f"fewer than two periods before every start: the panel begins in {data.calendar.label(data.periods[0])}"
        )
    return data, start


def _ordinals(data: Panel, written: pd.Series, name: str) -> np.ndarray:
    """The starts as integers, NaN where missing; among quarters the numbers 0 and infinity can only say never."""
    if data.calendar.quarterly:
        written = written.astype(object).mask(written.map(lambda one: isinstance(one, Number) and one in (0, np.inf)))
    try:
        return data.calendar.ordinals(written, name=name)
    except DataError as wrong:
        raise DataError(f"{wrong}; leave {name} missing for units that are never treated") from wrong


def _starts(data: Panel, written: np.ndarray, name: str) -> np.ndarray:
    """Each unit's start, infinite if never; 0 is never where it is no period of the panel.

    Raises:
        EstimationError: 0 is the panel's first period. DataError: 0 is a period of the panel and no unit is marked as
            never treated in another way, so that nobody can tell which of the two it means.
    """
    start = np.where(np.isnan(written), np.inf, written)
    zero = (start == 0) & (not data.calendar.quarterly)
    if not zero.any() or not data.periods[0] <= 0 <= data.periods[-1]:
        return np.where(zero, np.inf, start)
    units = listed(data.units[one] for one in np.flatnonzero(zero))
    how = f"leave {name} missing for units that are never treated"
    if data.periods[0] == 0:
        raise EstimationError(
            f"{name} is 0 for {units}, and 0 is the first period of the panel: treated from the first period, nothing "
            f"shows how they were before. Leave them out; if 0 was to say never, {how}"
        )
    if not np.isinf(start).any():
        raise DataError(
            f"{name} is 0 for {units}, and 0 is also a period of the panel: treated from then, or never? {how}"
        )
    return start


def refuse_no_control(data: Panel, start: np.ndarray, control: str) -> None:
    never = np.isinf(start).sum()
    if control == "never_treated" and not never:
        raise EstimationError("no donors: every unit is treated sooner or later; pass control='not_yet_treated'")
    if not never and len(np.unique(start)) == 1:
        when = data.calendar.label(start[0])
        raise EstimationError(f"no donors: every unit starts in {when}, nobody is left to compare with")
