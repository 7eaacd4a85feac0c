"""One policy, all its outcomes, and the same estimate under other choices."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.policy.ledger import Specification, sample
from institute_lib.policy.multiple import adjust
from institute_lib.policy.pilots import pilot
from institute_lib.policy.results import LEVEL, PilotEffect, figure, figures, p_value, period_name, unit_name
from institute_lib.results import Result
from institute_lib.sharing import once_a_run

METHODS = ("synthetic_did", "synthetic_control", "did")
BAD_FIT = 2  # times the donors' median pre-period error


@dataclass(frozen=True)
class Evaluation(Result):
    """The effects of one policy on the outcomes that were named beforehand.

    Attributes:
        effects: outcome to its PilotEffect, in the ledger's order.
        table: outcome, att, ci_low, ci_high, p_value, p_adjusted (Holm), detectable, n_donors, smallest_p.
    """

    specification: Specification
    effects: Mapping[str, PilotEffect]
    table: pd.DataFrame
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """A copy of the table."""
        return self.table.copy()

    def findings(self, language: str = "zh") -> tuple[str, ...]:
        """One sentence an outcome, shares in percentage points."""
        return tuple(_sentence(effect, self.specification, language) for effect in self.effects.values())

    def cautions(self, language: str = "zh") -> tuple[str, ...]:
        """Outcomes whose pre-period the comparison fits badly, one sentence each."""
        return tuple(
            terms.text("policy.bad_fit", language, outcome=outcome_name(outcome, language))
            for outcome, effect in self.effects.items()
            if effect.pre_rmspe > BAD_FIT * effect.placebos["pre_rmspe"].median()
        )

    def summary(self, language: str = "zh") -> str:
        """The sentence of the first outcome."""
        return self.findings(language)[0]


@once_a_run
def evaluate(
    panel: pd.DataFrame,
    specification: Specification,
    *,
    donors: Sequence[Any] | None = None,
    method: str = "synthetic_did",
) -> Evaluation:
    """The pilot's effect on each of its outcomes, with p-values adjusted for their number (Holm 1979).

    Args:
        panel: one row a unit and period.
        donors: units to compare with; None for every other unit.

    Raises:
        DataError, EstimationError: as `pilot`.
    """
    rows = sample(panel, specification, donors=donors)
    effects = {outcome: _pilot(rows, specification, outcome, method) for outcome in specification.outcomes}
    table = pd.concat([_row(effect) for effect in effects.values()], ignore_index=True)
    table.insert(table.columns.get_loc("p_value") + 1, "p_adjusted", adjust(list(table["p_value"])))
    warnings = tuple(dict.fromkeys(warning for effect in effects.values() for warning in effect.warnings))
    return Evaluation(specification, effects, table, warnings)


@once_a_run
def robustness(
    panel: pd.DataFrame,
    specification: Specification,
    *,
    outcome: str,
    pools: Mapping[str, Sequence[Any] | None],
    methods: Sequence[str] = METHODS,
) -> pd.DataFrame:
    """The same effect under other donor pools and estimators: pool, method, then the columns of `Evaluation.table`."""
    found = []
    for name, donors in pools.items():
        rows = sample(panel, specification, donors=donors)
        found += [
            _row(_pilot(rows, specification, outcome, method)).assign(pool=name, method=method) for method in methods
        ]
    table = pd.concat(found, ignore_index=True).drop(columns="outcome")
    return table[["pool", "method", *[name for name in table if name not in ("pool", "method")]]]


def _pilot(rows: pd.DataFrame, specification: Specification, outcome: str, method: str) -> PilotEffect:
    return pilot(
        rows,
        outcome=outcome,
        unit=specification.unit,
        period=specification.period,
        treated_unit=specification.treated_unit,
        start=specification.start,
        method=method,
    )


def outcome_name(outcome: str, language: str) -> str:
    """An outcome in the reader's words, or its column where the catalogue does not know it."""
    return terms.label(outcome, language) if outcome in terms.catalogue("labels") else outcome


def _sentence(effect: PilotEffect, specification: Specification, language: str) -> str:
    share = specification.measure == "share"
    fields = {
        "unit": unit_name(effect.treated_unit, language),
        "start": period_name(effect.start, language),
        "outcome": outcome_name(effect.outcome, language),
        "change": _change(effect.att, language, share=share),
        "interval": _bounds(effect.ci, language, share=share),
        "donors": terms.count(effect.n_donors, language),
        "p": p_value(effect.p_value, language),
        "smallest": p_value(effect.smallest_p, language),
        "detectable": _size(effect.detectable, language, share=share),
    }
    few = effect.smallest_p > LEVEL
    sentence = terms.text("policy.finding_few" if few else "policy.finding", language, **fields)
    if not few and abs(effect.att) < effect.detectable:
        sentence += terms.text("policy.finding_undetected", language, **fields)
    return sentence


def _size(value: float, language: str, *, share: bool) -> str:
    if not share:
        return figure(value, language)
    return terms.text("policy.points", language, size=terms.number(100 * value, language, 1))


def _change(value: float, language: str, *, share: bool) -> str:
    if share:
        return terms.points(value, language)
    return terms.text("policy.by", language, size=figure(value, language))


def _bounds(interval: tuple[float, float], language: str, *, share: bool) -> str:
    if not share or not all(math.isfinite(bound) for bound in interval):
        return figures(interval, language)
    low, high = interval
    return terms.text("policy.points", language, size=terms.interval(100 * low, 100 * high, language))


def _row(effect: PilotEffect) -> pd.DataFrame:
    names = ["outcome", "att", "ci_low", "ci_high", "p_value", "detectable", "n_donors", "smallest_p"]
    return effect.to_frame()[names]
