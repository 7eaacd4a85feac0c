"""The tables of one treated unit's evaluation: weights, path, placebos, and the checks that leave something out."""

import numpy as np
import pandas as pd

from institute_lib.policy.conformal import by_period
from institute_lib.policy.design import Design
from institute_lib.policy.placebos import Placebos, interval
from institute_lib.policy.results import LEVEL
from institute_lib.policy.synthetic import Fit, fit_unit

PAIRS = 2


def tables_of(design: Design, found: Placebos, method: str) -> dict[str, pd.DataFrame]:
    """All tables of a PilotEffect, by name."""
    own, units, periods = found.own, design.donor_units, design.periods
    weights = pd.DataFrame({"unit": units, "weight": own.unit_weights})
    placed = len(found.donors)
    return {
        "weights": weights.sort_values("weight", ascending=False, kind="stable", ignore_index=True),
        "time_weights": pd.DataFrame({"period": periods[: design.n_pre], "weight": own.time_weights}),
        "path": pd.DataFrame(
            {
                "period": periods,
                "observed": design.treated[0],
                "counterfactual": design.treated[0] - own.gap,
                "gap": own.gap,
            }
        ),
        "event_study": _event_study(design, found),
        "placebos": pd.DataFrame(
            {
                "unit": units[:placed],
                "att": found.effects,
                "pre_rmspe": found.errors,
                "statistic": found.statistics,
            }
        ),
        "placebo_paths": pd.DataFrame(
            {
                "unit": np.repeat(np.array(units[:placed], dtype=object), len(periods)),
                "period": periods * placed,
                "gap": np.concatenate([one.gap for one in found.donors]) if placed else [],
            }
        ),
        "leave_one_out": _leave_one_out(design, own, method),
        "in_time": _in_time(design, method),
        "conformal": _conformal(design, own, method),
    }


def _event_study(design: Design, found: Placebos) -> pd.DataFrame:
    """The gap period by period, with the interval that the placebos of that period give."""
    gaps = np.array([one.gap for one in found.donors]).reshape(len(found.donors), len(design.periods))
    statistics = gaps / found.scales[:, None]
    bounds = [interval(gap, found.scale, statistics[:, place], LEVEL) for place, gap in enumerate(found.own.gap)]
    return pd.DataFrame(
        {
            "relative_period": design.panel.periods - design.start,
            "period": design.periods,
            "estimate": found.own.gap,
            "ci_low": [low for low, _ in bounds],
            "ci_high": [high for _, high in bounds],
        }
    )


def _conformal(design: Design, own: Fit, method: str) -> pd.DataFrame:
    """Each period after the start against those before it, within the treated unit."""
    gaps = own.gap[design.n_pre :]
    found = by_period(design.treated[0], design.donors, design.n_pre, gaps, method=method)
    return pd.DataFrame(
        {
            "period": design.periods[design.n_pre :],
            "estimate": gaps,
            "ci_low": [one.ci[0] for one in found],
            "ci_high": [one.ci[1] for one in found],
            "p_value": [one.p_value for one in found],
        }
    )


def _leave_one_out(design: Design, own: Fit, method: str) -> pd.DataFrame:
    """The estimate without each donor that carries weight."""
    rows = [row for row in np.flatnonzero(own.unit_weights > 0) if len(design.donors) >= PAIRS]
    pools = [[one for one in range(len(design.donors)) if one != row] for row in rows]
    fits = [
        fit_unit(design.treated[0], design.donors[pool], design.n_pre, method=method, traits=design.traits(-1, pool))
        for pool in pools
    ]
    return pd.DataFrame(
        {
            "unit": [design.donor_units[row] for row in rows],
            "weight": own.unit_weights[rows],
            "att": [one.att for one in fits],
            "pre_rmspe": [one.pre_rmspe for one in fits],
        }
    )


def _in_time(design: Design, method: str) -> pd.DataFrame:
    """The start moved back into the pre-periods: an effect before the policy began would speak against the design."""
    treated, donors = design.treated[0, : design.n_pre], design.donors[:, : design.n_pre]
    starts = range(max(2, design.n_pre // 2), design.n_pre)
    fits = [fit_unit(treated, donors, at, method=method) for at in starts]
    return pd.DataFrame(
        {
            "start": [design.periods[at] for at in starts],
            "att": [one.att for one in fits],
            "pre_rmspe": [one.pre_rmspe for one in fits],
        }
    )
