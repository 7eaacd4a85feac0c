"""Staggered adoption in three ways: the headline, the check beside it, and the simple number with what it mixes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib.policy.adoption import imputation, staggered
from institute_lib.policy.panel import read_adoption
from institute_lib.policy.results import PolicyEffect
from institute_lib.policy.two_way import two_way
from institute_lib.results import Result
from institute_lib.sharing import once_a_run


@dataclass(frozen=True)
class CrossCheck(Result):
    """The same effect by three estimators.

    Attributes:
        headline: group-time effects (Callaway and Sant'Anna). beside: imputation. simple: two-way fixed effects.
    """

    headline: PolicyEffect
    beside: PolicyEffect
    simple: PolicyEffect

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.headline.warnings, *self.beside.warnings, *self.simple.warnings)))

    @property
    def comparisons(self) -> pd.DataFrame:
        """What the two-way number is made of: kind, weight, estimate; empty where it cannot be taken apart."""
        parts = self.simple.decomposition
        if parts is None:
            return pd.DataFrame({"contrast": [], "share": [], "att": []})
        sums = parts.assign(product=parts["weight"] * parts["estimate"]).groupby("kind")[["weight", "product"]].sum()
        table = pd.DataFrame({"share": sums["weight"], "att": sums["product"] / sums["weight"]})
        return table.rename_axis("contrast").reset_index()

    def to_frame(self) -> pd.DataFrame:
        """method, att, ci_low, ci_high; one row an estimator, the headline first."""
        rows = [effect.to_frame() for effect in (self.headline, self.beside, self.simple)]
        return pd.concat(rows, ignore_index=True)[["method", "att", "ci_low", "ci_high"]]

    def summary(self, language: str = "zh") -> str:
        """That of the headline."""
        return self.headline.summary(language)


@once_a_run
def cross_check(panel: pd.DataFrame, *, outcome: str, unit: str, period: str, treated_from: str) -> CrossCheck:
    """The effect by group-time effects, by imputation, and by two-way fixed effects.

    Arguments and errors as `staggered`.
    """
    columns = {"outcome": outcome, "unit": unit, "period": period}
    data, start = read_adoption(panel, **columns, treated_from=treated_from, further=())
    on = data.period >= start[data.unit]
    rows = pd.DataFrame(
        {
            "unit": np.array(data.units, dtype=object)[data.unit],
            "period": np.array(data.labels, dtype=object)[data.period],
            outcome: data.rows["outcome"],
            "treated": on.astype(int),
        }
    )
    return CrossCheck(
        headline=staggered(panel, **columns, treated_from=treated_from),
        beside=imputation(panel, **columns, treated_from=treated_from),
        simple=two_way(rows, outcome=outcome, unit="unit", period="period", treated="treated"),
    )
