"""One policy and all the outcomes that were named beforehand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.policy.ledger import Specification, sample
from institute_lib.policy.multiple import adjust, step_down
from institute_lib.policy.pilots import pilot
from institute_lib.policy.results import (
    LEVEL,
    PilotEffect,
    bounds_words,
    figure,
    outcome_name,
    p_value,
    period_name,
    size_words,
    unit_name,
)
from institute_lib.results import Result
from institute_lib.sharing import once_a_run

BAD_FIT = 2  # times the donors' median pre-period error


@dataclass(frozen=True)
class Evaluation(Result):
    """The effects of one policy on the outcomes that were named beforehand.

    Attributes:
        effects: outcome to its PilotEffect, in the ledger's order.
        table: outcome, att, ci_low, ci_high, p_value, p_adjusted (Holm), p_romano_wolf, conformal_p, detectable,
            n_donors, smallest_p.
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
    """The pilot's effect on each of its outcomes, with p-values adjusted for their number.

    Holm (1979) for any dependence; Romano and Wolf (2005) with the dependence that the donors' placebos show.

    Args:
        panel: one row a unit and period.
        donors: units to compare with; None for every other unit.

    Raises:
        DataError, EstimationError: as `pilot`.
    """
    rows = sample(panel, specification, donors=donors)
    effects = {outcome: _pilot(rows, specification, outcome, method) for outcome in specification.outcomes}
    table = pd.concat([_row(effect) for effect in effects.values()], ignore_index=True)
    after = table.columns.get_loc("p_value") + 1
    table.insert(after, "p_adjusted", adjust(list(table["p_value"])))
    table.insert(after + 1, "p_romano_wolf", _stepped_down(list(effects.values())))
    warnings = tuple(dict.fromkeys(warning for effect in effects.values() for warning in effect.warnings))
    return Evaluation(specification, effects, table, warnings)


def _stepped_down(effects: list[PilotEffect]) -> np.ndarray:
    """All outcomes of one donor are one draw: that is how they depend on each other."""
    placebos = [effect.placebos.set_index("unit")["statistic"].rename(effect.outcome) for effect in effects]
    return step_down([effect.statistic for effect in effects], pd.concat(placebos, axis=1).dropna().to_numpy())


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


def _sentence(effect: PilotEffect, specification: Specification, language: str) -> str:
    share = specification.measure == "share"
    fields = {
        "unit": unit_name(effect.treated_unit, language),
        "start": period_name(effect.start, language),
        "outcome": outcome_name(effect.outcome, language),
        "change": _change(effect.att, language, share=share),
        "interval": bounds_words(effect.ci, language, share=share),
        "donors": terms.count(effect.n_donors, language),
        "p": p_value(effect.p_value, language),
        "smallest": terms.number(effect.smallest_p, language, 3),
        "detectable": size_words(effect.detectable, language, share=share),
    }
    few = effect.smallest_p > LEVEL
    sentence = terms.text("policy.finding_few" if few else "policy.finding", language, **fields)
    if not few and abs(effect.att) < effect.detectable:
        caveat = "finding_undetected" if effect.p_value > LEVEL else "finding_weak"
        sentence += terms.text(f"policy.{caveat}", language, **fields)
    return sentence


def _change(value: float, language: str, *, share: bool) -> str:
    if share:
        return terms.points(value, language)
    return terms.text("policy.by", language, size=figure(value, language))


def _row(effect: PilotEffect) -> pd.DataFrame:
    names = ["outcome", "att", "ci_low", "ci_high", "p_value", "conformal_p", "detectable", "n_donors", "smallest_p"]
    return effect.to_frame()[names]
