"""The ledger comes first: what is evaluated, on which unit, from when, was written down before the estimate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.errors import EstimationError, ParameterError
from institute_lib.policy.panel import as_written
from institute_lib.policy.periods import calendar_of


@dataclass(frozen=True)
class Specification:
    """What an evaluation of one treated unit looks at.

    Attributes:
        policy_id: the ledger's code; empty for a panel that is not the institute's.
        outcomes: columns of the panel, as the ledger names them or as chosen.
        unit, period: columns of the panel.
        treated_unit, start: who is treated, and the first fully treated period.
        partial: a partly treated period that no estimate uses, if there is one.
        recorded: the day on which the ledger row was written.
        exploratory: what was chosen against the ledger, or without one.
        assumed: the ledger has no day of start, so that the first treated period is an assumption.
    """

    policy_id: str
    outcomes: tuple[str, ...]
    unit: str
    period: str
    treated_unit: Any
    start: str | int
    partial: str | None = None
    recorded: str = ""
    exploratory: tuple[str, ...] = ()
    assumed: bool = False

    @property
    def measure(self) -> str:
        """How its outcomes are measured: the ledger's are shares, those of an own panel plain numbers."""
        return "share" if self.policy_id else "number"

    def provenance(self, language: str = "zh") -> str:
        """Where it comes from: the ledger's row and its date, or what was chosen against it."""
        if self.exploratory:
            choices = terms.text("policy.listed", language).join(terms.label(one, language) for one in self.exploratory)
            return terms.text("policy.deviation", language, choices=choices)
        sentence = terms.text("policy.recorded", language, day=terms.date(self.recorded, language))
        if pd.Timestamp(self.recorded) >= pd.Period(self.start, freq="Q").start_time:
            sentence += terms.text("policy.recorded_late", language)
        if self.assumed:
            sentence += terms.text("policy.start_assumed", language, start=terms.quarter(self.start, language))
        return sentence


def specify(
    ledger: pd.DataFrame,
    *,
    policy_id: str,
    outcome: str = "",
    treated_unit: str = "",
    start: str = "",
    unit: str = "district",
    period: str = "quarter",
) -> Specification:
    """The specification that the ledger gives a policy, or that the arguments give a panel without one.

    Args:
        ledger: the `policies` table, one row a policy and outcome.
        policy_id: the ledger's code; empty takes everything from the other arguments.
        outcome, treated_unit, start: a choice that differs from the ledger's is marked as exploratory.
        unit, period: columns of the panel.

    Raises:
        ParameterError: no such policy, or an argument missing for a panel without a ledger.
        EstimationError: the ledger gives no date, or more than one treated unit.
    """
    if not policy_id:
        return _without_ledger(outcome=outcome, treated_unit=treated_unit, start=start, unit=unit, period=period)
    rows = ledger[ledger["policy_id"] == policy_id]
    if rows.empty:
        raise terms.error(
            ParameterError,
            "policy.error_unknown",
            policy=policy_id,
            allowed=lambda language: terms.nearest_in(language, policy_id, ledger["policy_id"].unique()),
        )
    first = rows.iloc[0]
    if pd.isna(first["treated_from"]):
        raise terms.error(EstimationError, "policy.error_undated", policy=policy_id)
    if ";" in first["area"]:
        raise EstimationError(f"policy {policy_id!r} treats several units; use policy.staggered")
    chosen = {
        "outcome": outcome if outcome and outcome not in set(rows["outcome"]) else "",
        "treated_unit": treated_unit if treated_unit not in ("", first["area"]) else "",
        "start": start if start not in ("", first["treated_from"]) else "",
    }
    return Specification(
        policy_id=policy_id,
        outcomes=(outcome,) if outcome else tuple(rows["outcome"]),
        unit=unit,
        period=period,
        treated_unit=treated_unit or first["area"],
        start=start or first["treated_from"],
        partial=None if pd.isna(first["partial_quarter"]) else first["partial_quarter"],
        recorded=str(pd.Timestamp(first["recorded"]).date()),
        exploratory=tuple(name for name, value in chosen.items() if value),
        assumed="start" in rows and bool(pd.isna(first["start"])),
    )


def _without_ledger(**given: str) -> Specification:
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise ParameterError(f"a panel without a ledger row needs {', '.join(missing)}")
    start = int(given["start"]) if given["start"].isdigit() else given["start"]
    return Specification(
        policy_id="",
        outcomes=(given["outcome"],),
        unit=given["unit"],
        period=given["period"],
        treated_unit=given["treated_unit"],
        start=start,
        exploratory=("outcome", "treated_unit", "start"),
    )


def has_begun(panel: pd.DataFrame, specification: Specification) -> bool:
    """Whether the panel holds a fully treated period.

    A start chosen against the ledger counts as begun: where the panel does not reach it, the estimate says so.
    """
    if "start" in specification.exploratory:
        return True
    calendar = calendar_of(panel[specification.period], name=specification.period)
    start = calendar.ordinal(specification.start, name="start")
    return bool((calendar.ordinals(panel[specification.period], name=specification.period) >= start).any())


def sample(panel: pd.DataFrame, specification: Specification, *, donors: Sequence[Any] | None = None) -> pd.DataFrame:
    """The rows of the treated unit and its donors, without the partly treated period."""
    kept = panel[specification.period] != specification.partial if specification.partial else slice(None)
    rows = panel[kept]
    if donors is None:
        return rows
    units = rows[specification.unit]
    return rows[units.isin([as_written(specification.treated_unit, units.unique()), *donors])]
