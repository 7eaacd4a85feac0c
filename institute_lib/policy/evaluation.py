"""One policy, all the outcomes that were named beforehand, and all other defensible choices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, EstimationError
from institute_lib.policy.ledger import Specification, sample
from institute_lib.policy.periods import calendar_of
from institute_lib.policy.pilots import headline, judge, pilot, read_design
from institute_lib.policy.results import PilotEffect, Verdict, outcome_name
from institute_lib.policy.synthetic import METHODS
from institute_lib.sharing import once_a_run

FEWEST_BEFORE = 2
CHOICE_COLUMNS = ("pool", "window", "method", "att", "ci_low", "ci_high", "p_value", "detectable", "n_donors")


@dataclass(frozen=True)
class Evaluation:
    """The effects of one policy on the outcomes that were named beforehand, judged by one rule.

    The rule: an outcome counts as changed where its p, corrected by Holm (1979) for the number of outcomes, is at most
    5 %; as unchanged where the whole interval lies within a size that would not matter; else it cannot be told.

    Attributes:
        effects: outcome to its PilotEffect, in the ledger's order.
        table: outcome, att, ci_low, ci_high, p_value, p_adjusted (Holm), conformal_p, detectable, n_donors,
            smallest_p.
    """

    specification: Specification
    effects: Mapping[str, PilotEffect]
    table: pd.DataFrame
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """A copy of the table."""
        return self.table.copy()

    def verdicts(self, *, relevant: float | None = None) -> dict[str, Verdict]:
        """Outcome to its verdict. relevant: the smallest size that would matter."""
        adjusted = self.table.set_index("outcome")["p_adjusted"]
        return {name: one.verdict(relevant=relevant, p=float(adjusted[name])) for name, one in self.effects.items()}

    def cautions(self, language: str = "zh") -> tuple[str, ...]:
        """Outcomes whose pre-period the comparison fits badly, one sentence each."""
        return tuple(
            terms.text("policy.bad_fit", language, outcome=outcome_name(outcome, language))
            for outcome, effect in self.effects.items()
            if effect.fits_badly
        )


@once_a_run
def evaluate(
    panel: pd.DataFrame,
    specification: Specification,
    *,
    donors: Sequence[Any] | None = None,
    method: str = "synthetic_did",
) -> Evaluation:
    """The pilot's effect on each of its outcomes, with p-values adjusted for their number.

    By Holm (1979), which holds whatever the outcomes have in common.

    Args:
        panel: one row a unit and period.
        donors: units to compare with; None for every other unit.

    Raises:
        DataError, EstimationError: as `pilot`.
    """
    rows = sample(panel, specification, donors=donors)
    columns = {"unit": specification.unit, "period": specification.period, "start": specification.start}
    columns |= {"treated_unit": specification.treated_unit, "method": method}
    effects = {outcome: pilot(rows, outcome=outcome, **columns) for outcome in specification.outcomes}
    names = ["outcome", "att", "ci_low", "ci_high", "p_value", "conformal_p", "detectable", "n_donors", "smallest_p"]
    table = pd.concat([one.to_frame()[names] for one in effects.values()], ignore_index=True)
    table.insert(table.columns.get_loc("p_value") + 1, "p_adjusted", adjust(list(table["p_value"])))
    warnings = tuple(dict.fromkeys(warning for effect in effects.values() for warning in effect.warnings))
    return Evaluation(specification, effects, table, warnings)


def adjust(p_values: Sequence[float]) -> np.ndarray:
    """p values adjusted for their number by Holm (1979), in the given order; a missing p stays so and is not counted.

    Args:
        p_values: raw p of each outcome, 0 to 1.

    Raises:
        DataError: a value outside 0 to 1.
    """
    from statsmodels.stats.multitest import multipletests

    raw = np.asarray(list(p_values), float)
    known = ~np.isnan(raw)
    if ((raw[known] < 0) | (raw[known] > 1)).any():
        raise DataError(f"p values must lie between 0 and 1: {raw[known].tolist()}")
    if known.any():
        raw[known] = multipletests(raw[known], method="holm")[1]
    return raw


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
    """The effect on one outcome under all combinations of donor pools, windows and estimators: a specification curve.

    All defensible choices are estimated and all are shown, so that none could be picked for its result (Simonsohn,
    Simmons and Nelson 2020, Nature Human Behaviour 4).

    Args:
        pools: name to donors, None for every other unit. methods: estimators as in `pilot`.
        windows: name to the periods kept; None for those of `windows_of`.

    Returns:
        pool, window, method, att, ci_low, ci_high, p_value, detectable, n_donors, smallest_p; one row a choice.
        `.attrs["not_estimated"]`: choices that the data do not allow, with the reason.
    """
    chosen = windows_of(panel, specification) if windows is None else windows
    columns = {"outcome": outcome, "unit": specification.unit, "period": specification.period, "donors": None}
    columns |= {"treated_units": [specification.treated_unit], "start": specification.start}
    rows, refused = [], []
    for pool, donors in pools.items():
        whole = sample(panel, specification, donors=donors)
        for window, periods in chosen.items():
            part = whole[whole[specification.period].isin(periods)]
            for method in methods:
                try:
                    design = read_design(part, method=method, **columns)
                    found = headline(judge(design, method))
                except EstimationError as reason:
                    refused.append(f"{pool}, {window}, {method}: {reason}")
                    continue
                low, high = found["ci"]
                bounds = {"ci_low": low, "ci_high": high, "n_donors": len(design.donors)}
                rows.append({"pool": pool, "window": window, "method": method} | found | bounds)
    if not rows:
        raise EstimationError(f"no choice can be estimated: {refused[0]}")
    table = pd.DataFrame(rows)[[*CHOICE_COLUMNS, "smallest_p"]]
    table.attrs["not_estimated"] = tuple(refused)
    return table


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
    start, year = calendar.ordinal(specification.start, name="start"), calendar.year
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
