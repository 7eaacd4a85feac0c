"""Staggered adoption, beside the two-way regression that it replaces: another estimand, at a price that is shown."""

import time

import numpy as np
import pandas as pd

from institute_lib import demo, policy
from tests.bench.lines import Bound, Line
from tests.bench.timing import in_turns

UNITS, MANY, PERIODS = 95, 10_000, 24
ALLOWED_S, MANY_ALLOWED_S = 0.5, 3.0
SEED = 3


def measure(*, large: bool) -> list[Line | Bound]:
    """Group-time effects, event study and bands against one coefficient with dummies."""
    panel = demo.draw_panel(SEED, units=UNITS, periods=PERIODS)
    names = {"outcome": "outcome", "unit": "unit", "period": "period"}

    def ours() -> policy.PolicyEffect:
        return policy.staggered(panel, **names, treated_from="treated_from")

    timed = in_turns(ours, lambda: two_way_dummies(panel), repetitions=9 if large else 5, label="staggered")
    note = (
        f"true effect {panel.attrs['att']:.4f}; ours {timed.our_result.att:.4f} with "
        f"{len(timed.our_result.group_time)} group-time effects, bands and aggregations; "
        f"two-way {timed.peer_result:.4f}, one number"
    )
    what = f"staggered, {UNITS} × {PERIODS}"
    found = [
        Line(what, timed.ours, "statsmodels OLS, dummies", timed.peer, note),
        Bound(what, cpu_seconds(panel), ALLOWED_S, "s"),
    ]
    many = demo.draw_panel(SEED, units=MANY, periods=PERIODS)
    return [*found, Bound(f"staggered, {MANY:,} × {PERIODS}", cpu_seconds(many), MANY_ALLOWED_S, "s")]


def cpu_seconds(panel: pd.DataFrame) -> float:
    """Processor time of one estimate, after imports."""
    began = time.process_time()
    policy.staggered(panel, outcome="outcome", unit="unit", period="period", treated_from="treated_from")
    return time.process_time() - began


def two_way_dummies(panel: pd.DataFrame) -> float:
    """The coefficient of treatment with a dummy for every unit and period, errors clustered by unit."""
    import statsmodels.api as sm

    treated = (panel["period"] >= panel["treated_from"]).fillna(False).to_numpy(float)
    effects = pd.get_dummies(panel[["unit", "period"]].astype("str"), drop_first=True, dtype=float)
    matrix = np.column_stack([treated, np.ones(len(panel)), effects])
    model = sm.OLS(panel["outcome"].to_numpy(), matrix)
    return float(model.fit(cov_type="cluster", cov_kwds={"groups": panel["unit"].to_numpy()}).params[0])
