"""The same effect under every other choice of donors, window and estimator: the specification curve.

Simonsohn, Simmons and Nelson (2020), Specification curve analysis, Nature Human Behaviour 4: all defensible choices are
estimated and all are shown, so that none could be picked for its result.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from institute_lib.errors import EstimationError
from institute_lib.policy.design import read_design
from institute_lib.policy.ledger import Specification, sample
from institute_lib.policy.periods import calendar_of
from institute_lib.policy.pilots import headline, judge
from institute_lib.policy.synthetic import METHODS
from institute_lib.sharing import once_a_run

FEWEST_BEFORE = 2
COLUMNS = ("pool", "window", "method", "att", "ci_low", "ci_high", "p_value", "detectable", "n_donors", "smallest_p")


@once_a_run
def robustness(
    panel: pd.DataFrame,
    specification: Specification,
    *,
    outcome: str,
    pools: Mapping[str, Sequence[Any] | None],
    methods: Sequence[str] = METHODS,
    windows: Mapping[str, Sequence[Any]] | None = None,
) -> pd.DataFrame:
    """The effect on one outcome under all combinations of donor pools, windows and estimators.

    Args:
        pools: name to donors, None for every other unit. methods: estimators as in `pilot`.
        windows: name to the periods kept; None for those of `windows_of`.

    Returns:
        pool, window, method, att, ci_low, ci_high, p_value, detectable, n_donors, smallest_p; one row a choice.
        `.attrs["not_estimated"]`: choices that the data do not allow, with the reason.
    """
    chosen = windows_of(panel, specification) if windows is None else windows
    rows, refused = [], []
    for pool, donors in pools.items():
        whole = sample(panel, specification, donors=donors)
        for window, periods in chosen.items():
            part = whole[whole[specification.period].isin(periods)]
            for method in methods:
                try:
                    found = _estimate(part, specification, outcome, method)
                except EstimationError as reason:
                    refused.append(f"{pool}, {window}, {method}: {reason}")
                else:
                    rows.append({"pool": pool, "window": window, "method": method} | found)
    if not rows:
        raise EstimationError(f"no choice can be estimated: {refused[0]}")
    table = pd.DataFrame(rows)[list(COLUMNS)]
    table.attrs["not_estimated"] = tuple(refused)
    return table


def _estimate(part: pd.DataFrame, specification: Specification, outcome: str, method: str) -> dict[str, Any]:
    """One choice; the tables and the further tests of a pilot are not needed for it."""
    design = read_design(
        part,
        outcome=outcome,
        unit=specification.unit,
        period=specification.period,
        treated_units=[specification.treated_unit],
        start=specification.start,
        method=method,
        donors=None,
    )
    found = headline(judge(design, method))
    low, high = found["ci"]
    return found | {"ci_low": low, "ci_high": high, "n_donors": len(design.donors)}


def windows_of(panel: pd.DataFrame, specification: Specification) -> dict[str, list[Any]]:
    """The windows that a reader would ask for, each with at least two periods before the start.

    window_all: every period. window_recent: the later half of the periods before the start. window_no_anticipation:
    without the year before the start, in which people may have acted on what was coming. window_settled: without the
    first year since, in which the policy may not have settled.
    """
    period = specification.period
    calendar = calendar_of(panel[period], name=period)
    written = panel[period].drop_duplicates()
    ordinals = calendar.ordinals(written, name=period).astype(int)
    start, year = calendar.ordinal(specification.start, name="start"), 4 if calendar.quarterly else 1
    before = np.sort(ordinals[ordinals < start])
    kept = {
        "window_all": np.isfinite(ordinals),
        "window_recent": ordinals >= before[len(before) // 2] if len(before) else ordinals >= start,
        "window_no_anticipation": (ordinals < start - year) | (ordinals >= start),
        "window_settled": (ordinals < start) | (ordinals >= start + year),
    }
    return {
        name: written[chosen].tolist()
        for name, chosen in kept.items()
        if (ordinals[chosen] < start).sum() >= FEWEST_BEFORE and (ordinals[chosen] >= start).any()
    }
