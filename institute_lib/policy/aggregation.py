"""Group-time effects put together: overall, by time since the start, by group, by calendar period.

Callaway and Sant'Anna (2021), Difference-in-differences with multiple time periods, Journal of Econometrics 225(2),
200–230, section 3 and corollary 2: every summary is a weighted sum of group-time effects, and its influence function
the same sum of theirs plus the part that comes from estimating the groups' sizes.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from institute_lib.errors import EstimationError
from institute_lib.policy.intervals import Noise, errors_of, joint_test, with_bands, with_interval
from institute_lib.policy.results import EventEstimates, PreTrend

Level = tuple[object, float, np.ndarray]  # which one, its estimate, its influence function


@dataclass(frozen=True)
class Cells:
    """Group-time effects with the influence of every unit on each.

    groups, periods, estimates: one a cell. influence: units by cells, scaled so that its squares sum to the variance.
    unit_group: each unit's first treated period (infinite if it enters no effect as treated). mass: each unit's weight.
    cluster: codes, or None. anticipation: periods before the start that already react.
    """

    groups: np.ndarray
    periods: np.ndarray
    estimates: np.ndarray
    influence: np.ndarray
    unit_group: np.ndarray
    mass: np.ndarray
    cluster: np.ndarray | None
    anticipation: int = 0

    @property
    def since(self) -> np.ndarray:
        return self.periods - self.groups

    def covariance(self, influence: np.ndarray) -> np.ndarray:
        """Of estimates with these influence functions (units by estimates)."""
        if self.cluster is None:
            return influence.T @ influence
        sums = np.zeros((int(self.cluster.max()) + 1, influence.shape[1]))
        np.add.at(sums, self.cluster, influence)
        sums -= sums.mean(axis=0)
        return sums.T @ sums * len(sums) / (len(sums) - 1)

    def noise(self, influence: np.ndarray) -> Noise:
        """How well the errors of estimates with these influence functions are known, by group of units."""
        return Noise.grouped(influence, self.unit_group, self.mass, self.cluster)

    def with_errors(self, table: pd.DataFrame, influence: np.ndarray) -> pd.DataFrame:
        """The table's estimates, which have these influence functions, with se, ci_low, ci_high."""
        return with_interval(table.assign(se=errors_of(self.covariance(influence))), self.noise(influence))

    def group_mass(self, groups: np.ndarray) -> np.ndarray:
        """The share of all units' mass that lies in each of these groups."""
        return np.array([self.mass[self.unit_group == group].sum() for group in groups]) / self.mass.sum()

    def average(self, chosen: np.ndarray) -> tuple[float, np.ndarray]:
        """The average over chosen cells by group size, and its influence function."""
        share = self.group_mass(self.groups[chosen])
        total = share.sum()
        average = share @ self.estimates[chosen] / total
        sizes = np.zeros(len(self.mass))
        for group, estimate in zip(self.groups[chosen], self.estimates[chosen], strict=True):
            sizes[self.unit_group == group] += (estimate - average) / total
        of_sizes = sizes * self.mass / self.mass.sum()
        return float(average), self.influence[:, chosen] @ (share / total) + of_sizes

    def by_period(self) -> list[Level]:
        """Each period since the start, the average over groups there, and its influence function."""
        return [(int(one), *self.average(self.since == one)) for one in np.unique(self.since)]

    def balanced(self, balance: int) -> "Cells":
        """The groups seen so many periods after their start, in the periods up to it in which all of them are seen."""
        groups = [one for one in np.unique(self.groups) if self.since[self.groups == one].max() >= balance]
        if not groups:
            raise EstimationError(f"balance {balance}: no group is seen so many periods after its start")
        of_them = np.isin(self.groups, groups)
        whole = [one for one in np.unique(self.since[of_them]) if (of_them & (self.since == one)).sum() == len(groups)]
        kept = of_them & np.isin(self.since, whole) & (self.since <= balance)
        parts = {name: getattr(self, name)[kept] for name in ("groups", "periods", "estimates")}
        return replace(self, **parts, influence=self.influence[:, kept])


def summaries(cells: Cells, seed: int, balance: int | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All aggregations (kind, level, estimate, se, ci_low, ci_high), and the event study with its bands.

    Kinds: "overall" (every treated unit-period alike), "dynamic", "group", "calendar"; level None is the average over
    the kind's levels, groups by their size, the others equally.

    balance: the event study and its average are of the groups seen so long after their start, up to that period.
    """
    after = cells.since >= 0
    even = cells if balance is None else cells.balanced(balance)
    events = even.by_period()
    groups = np.unique(cells.groups[after])
    chosen = [after & (cells.groups == one) for one in groups]
    own = [(cells.estimates[one].mean(), cells.influence[:, one].mean(axis=1)) for one in chosen]
    single = {"groups": groups, "periods": groups, "estimates": np.array([one for one, _ in own])}
    whole = replace(cells, **single, influence=np.column_stack([one for _, one in own]))
    calendar = [(when, *cells.average(after & (cells.periods == when))) for when in np.unique(cells.periods[after])]
    levels = [
        ("overall", (None, *cells.average(after))),
        *(("dynamic", one) for one in _with_mean([one for one in events if one[0] >= 0])),
        ("group", (None, *whole.average(np.full(len(groups), True)))),
        *(("group", (group, *one)) for group, one in zip(groups, own, strict=True)),
        *(("calendar", one) for one in _with_mean(calendar)),
    ]
    table = pd.DataFrame({"kind": [kind for kind, _ in levels], "estimate": [one[1] for _, one in levels]})
    table.insert(1, "level", pd.Series([one[0] for _, one in levels], dtype=object))
    return cells.with_errors(table, np.column_stack([one[2] for _, one in levels])), _event_table(even, events, seed)


def _with_mean(levels: list[Level]) -> list[Level]:
    """The levels of a kind, after their plain average."""
    return [(None, float(np.mean([one[1] for one in levels])), np.mean([one[2] for one in levels], axis=0)), *levels]


def _event_table(cells: Cells, events: list[Level], seed: int) -> pd.DataFrame:
    """relative_period, estimate, se, ci_low, ci_high, n_treated, band_low, band_high."""
    relative, estimates, influence = zip(*events, strict=True)
    influence = np.column_stack(influence)
    treated = [np.isin(cells.unit_group, cells.groups[cells.since == one]).sum() for one in relative]
    table = cells.with_errors(pd.DataFrame({"relative_period": relative, "estimate": estimates}), influence)
    return with_bands(table.assign(n_treated=treated), cells.covariance(influence), cells.noise(influence), seed)


def event_estimates(cells: Cells) -> EventEstimates:
    """The event study with the covariance of its estimates, and each period's part in the overall average."""
    relative, estimates, influence = (np.array(one) for one in zip(*cells.by_period(), strict=True))
    parts = [cells.group_mass(cells.groups[cells.since == one]).sum() if one >= 0 else 0.0 for one in relative]
    weights = np.array(parts) / sum(parts)
    return EventEstimates(relative, estimates, cells.covariance(influence.T), weights, -1 - cells.anticipation)


def pre_trend(cells: Cells, universal: Cells, seed: int) -> PreTrend | None:
    """The joint test that nothing happened before the start: by the event study against one base, and as published.

    The published one is that of the R package did: all group-time effects before the start, each against the period
    before it, by a χ² that takes their covariance as known.
    """
    from scipy.stats import chi2

    events = [one for one in universal.by_period() if one[0] < -1 - universal.anticipation]
    if not events:
        return None
    _, estimates, influence = (np.array(one) for one in zip(*events, strict=True))
    largest, p = joint_test(estimates, universal.covariance(influence.T), universal.noise(influence.T), seed)
    before, wald = cells.since < -cells.anticipation, np.nan
    covariance = cells.covariance(cells.influence[:, before])
    if before.any() and np.linalg.matrix_rank(covariance) == before.sum():
        wald = float(cells.estimates[before] @ np.linalg.solve(covariance, cells.estimates[before]))
    return PreTrend(len(events), largest, p, wald, float(chi2.sf(wald, before.sum())))
