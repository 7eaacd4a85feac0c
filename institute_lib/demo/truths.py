"""The planted truths, as they are written beside the data: hazard, effects on the treated, published figures met."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from institute_lib.demo import exams, hazard, services
from institute_lib.demo.exams import yearly_passes
from institute_lib.demo.facts import NANTONG
from institute_lib.demo.panel import SHARES
from institute_lib.demo.policies import LEVERS, Policy
from institute_lib.demo.quarters import OPENS, QUARTERS, STARTS, YEARS, quarter_of
from institute_lib.demo.setting import Setting


def effects(setting: Setting, treated: pd.DataFrame, untreated: pd.DataFrame) -> pd.DataFrame:
    """The effect on the treated, from paired potential outcomes, by group, quarter and outcome.

    Args:
        treated: the district panel as it is; untreated: the same counties and quarters had no policy been enacted.

    Returns:
        policy_id, group, first_quarter, quarter, outcome, att: the mean over the group's counties (each counts once) of
        treated minus untreated, from the quarter in which the policy starts.
    """
    keys = ["district", "quarter"]
    gap = treated.set_index(keys)[list(SHARES)] - untreated.set_index(keys)[list(SHARES)]
    codes = setting.places.counties["code"]
    parts = []
    for policy in setting.policies:
        own = gap.loc[codes.iloc[list(policy.counties)].tolist()]
        mean = own.groupby(level="quarter").mean().iloc[_begins(policy) :]
        long = mean.rename_axis(columns="outcome").stack().rename("att").reset_index()
        group = {"policy_id": policy.policy_id, "group": policy.group, "first_quarter": policy.first_quarter}
        parts.append(long.assign(**group, counties=len(policy.counties)))
    columns = ["policy_id", "group", "first_quarter", "quarter", "outcome", "att", "counties"]
    return pd.concat(parts, ignore_index=True)[columns]


def _begins(policy: Policy) -> int:
    """The quarter in which a day is treated: the start's own, or the next if it is that quarter's last day."""
    quarter = int(quarter_of(policy.start))
    return quarter + int(policy.start + 1 == STARTS[quarter + 1])


def overall(effect: pd.DataFrame) -> pd.DataFrame:
    """Each policy's mean effect over treated counties and quarters from its first full quarter: the "simple" ATT.

    The cohorts of the staggered programme are one policy here (`staggered`), each county and quarter counting once.
    """
    full = effect[effect["quarter"] >= effect["first_quarter"]]
    cohort = full["group"] == full["first_quarter"]
    full = full.assign(group=full["group"].mask(cohort, "staggered"))
    weighted = full.assign(total=full["att"] * full["counties"]).groupby(["group", "outcome"])[["total", "counties"]]
    summed = weighted.sum()
    return (summed["total"] / summed["counties"]).rename("att").reset_index()


def truth(setting: Setting, effect: pd.DataFrame) -> dict[str, Any]:
    """Everything planted, as plain types for `truth.toml`."""
    low, high = setting.facts.passes_2023()
    _, passes = yearly_passes(setting, NANTONG)
    return {
        "draw": {"seed": setting.seed, "quarters": list(QUARTERS), "register_opens": str(OPENS)},
        "hazard": _hazard(),
        "policy": [_policy(setting, policy) for policy in setting.policies],
        "att": [row.to_dict() for _, row in overall(effect).iterrows()],
        "effect": _effect_rows(effect),
        "inferred": {
            "nantong_passes_2023": {
                "low": low,
                "high": high,
                "drawn": int(passes[YEARS.index(2023)]),
                "status": "inferred",
            },
        },
        "service_signal": dict(services.SIGNAL),
        "weak_subject": dict(exams.WEAK),
        "not_reported": dict(services.LATE),
    }


def _hazard() -> dict[str, Any]:
    drivers = {}
    for driver in hazard.DRIVERS:
        drivers[driver.name] = {
            "levels": list(driver.levels),
            "log_odds_ratio": [float(effect) for effect in driver.effects],
            "lower_bounds": [float(cut) for cut in driver.cuts],
        }
    return {
        "link": "logit",
        "time": "quarter; at risk are those employed when it begins, drivers as they stand then",
        "intercept": hazard.INTERCEPT,
        "drivers": drivers,
        "no_effect": list(hazard.NULL_DRIVERS),
    }


def _policy(setting: Setting, policy: Policy) -> dict[str, Any]:
    return {
        "policy_id": policy.policy_id,
        "group": policy.group,
        "start": str(policy.start),
        "treated_from": policy.first_quarter,
        "districts": setting.places.counties["code"].iloc[list(policy.counties)].tolist(),
        "levers": {lever: getattr(policy, lever) for lever in LEVERS if getattr(policy, lever)},
    }


def _effect_rows(effect: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for (policy, group, outcome), own in effect.groupby(["policy_id", "group", "outcome"], sort=False):
        row = {"policy_id": policy, "group": group, "outcome": outcome, "quarters": own["quarter"].tolist()}
        rows.append(row | {"att": own["att"].tolist()})
    return rows


def to_toml(table: Mapping[str, Any], prefix: str = "") -> str:
    """Nested tables of plain types as TOML text."""
    plain = {key: value for key, value in table.items() if not _is_table(value)}
    lines = [f"{key} = {_value(value)}" for key, value in plain.items()]
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            lines += ["", f"[{name}]", to_toml(value, f"{name}.")]
        elif _is_table(value):
            for row in value:
                lines += ["", f"[[{name}]]", to_toml(row, f"{name}.")]
    return "\n".join(lines)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _value(value: object) -> str:
    if isinstance(value, float | np.floating):
        return repr(float(value))
    return json.dumps(value, ensure_ascii=False)
