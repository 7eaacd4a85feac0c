"""Staggered adoption, beside the two-way regression that it replaces: another estimand, at a price that is shown."""

import numpy as np
import pandas as pd

from institute_lib import demo, policy
from tests.bench.lines import Line
from tests.bench.timing import in_turns

UNITS, PERIODS = 95, 24
SEED = 3


def measure(*, large: bool) -> list[Line]:
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
    return [Line(f"staggered, {UNITS} × {PERIODS}", timed.ours, "statsmodels OLS, dummies", timed.peer, note)]


def two_way_dummies(panel: pd.DataFrame) -> float:
    """The coefficient of treatment with a dummy for every unit and period, errors clustered by unit."""
    import statsmodels.api as sm

    treated = (panel["period"] >= panel["treated_from"]).fillna(False).to_numpy(float)
    effects = pd.get_dummies(panel[["unit", "period"]].astype("str"), drop_first=True, dtype=float)
    matrix = np.column_stack([treated, np.ones(len(panel)), effects])
    model = sm.OLS(panel["outcome"].to_numpy(), matrix)
    return float(model.fit(cov_type="cluster", cov_kwds={"groups": panel["unit"].to_numpy()}).params[0])
