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

    def covariance(self, influence: np.ndarray) -> np.ndarray:
        """Of estimates with these influence functions (units by estimates)."""
        if self.cluster is None:
            return influence.T @ influence
        sums = self._by_cluster(influence)
        sums -= sums.mean(axis=0)
        return sums.T @ sums * len(sums) / (len(sums) - 1)

    def noise(self, influence: np.ndarray) -> Noise:
        """How well the errors of estimates with these influence functions are known, by group of units."""
        return Noise.grouped(influence, self.unit_group, self.mass, self.cluster)

    @property
    def n_clusters(self) -> int:
        return len(self.mass) if self.cluster is None else int(self.cluster.max()) + 1

    def _by_cluster(self, values: np.ndarray) -> np.ndarray:
        """Sums over the units of each cluster."""
        sums = np.zeros((self.n_clusters, *values.shape[1:]))
        np.add.at(sums, self.cluster, values)
        return sums

    def overall(self) -> tuple[float, np.ndarray]:
        """The average over all treated unit-periods, and its influence function."""
        return self.average(np.flatnonzero(self.periods >= self.groups))

    def group_mass(self, groups: np.ndarray) -> np.ndarray:
        """The share of all units' mass that lies in each of these groups."""
        return np.array([self.mass[self.unit_group == group].sum() for group in groups]) / self.mass.sum()

    def average(self, chosen: np.ndarray) -> tuple[float, np.ndarray]:
        """The average over chosen cells by group size, and its influence function."""
        share = self.group_mass(self.groups[chosen])
        total = share.sum()
        estimates = self.estimates[chosen]
        average = share @ estimates / total
        sizes = np.zeros(len(self.mass))
        for group, estimate in zip(self.groups[chosen], estimates, strict=True):
            sizes[self.unit_group == group] += (estimate - average) / total
        of_sizes = sizes * self.mass / self.mass.sum()
        return float(average), self.influence[:, chosen] @ (share / total) + of_sizes


def summaries(cells: Cells, seed: int, balance: int | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All aggregations (kind, level, estimate, se, ci_low, ci_high), and the event study with its bands.

    Kinds: "overall" (every treated unit-period alike), "dynamic", "group", "calendar"; level None is the average over
    the kind's levels, groups by their size, the others equally.

    balance: the event study and its average are of the groups seen so long after their start, up to that period.
    """
    after = cells.periods >= cells.groups
    rows: list[tuple] = [("overall", None, *cells.overall())]
    even = cells if balance is None else _balanced(cells, balance)
    events = _events(even)
    rows += _with_mean("dynamic", [one for one in events if one[0] >= 0])
    groups = np.unique(cells.groups[after])
    by_group = [(group, *_plain_mean(cells, after & (cells.groups == group))) for group in groups]
    rows += [("group", None, *_over_groups(cells, by_group)), *(("group", *one) for one in by_group)]
    calendar = [
        (when, *cells.average(np.flatnonzero(after & (cells.periods == when))))
        for when in np.unique(cells.periods[after])
    ]
    rows += _with_mean("calendar", calendar)
    return _table(cells, rows), _event_table(even, events, seed)


def _plain_mean(cells: Cells, chosen: np.ndarray) -> tuple[float, np.ndarray]:
    return float(cells.estimates[chosen].mean()), cells.influence[:, chosen].mean(axis=1)


def _with_mean(kind: str, levels: list[tuple]) -> list[tuple]:
    """The levels of a kind, after their plain average."""
    mean = float(np.mean([one[1] for one in levels]))
    return [(kind, None, mean, np.mean([one[2] for one in levels], axis=0)), *((kind, *one) for one in levels)]


def _over_groups(cells: Cells, by_group: list[tuple]) -> tuple[float, np.ndarray]:
    """The average over groups by size, each group's own average being one cell."""
    groups = np.array([one[0] for one in by_group], float)
    single = Cells(
        groups=groups,
        periods=groups,
        estimates=np.array([one[1] for one in by_group]),
        influence=np.column_stack([one[2] for one in by_group]),
        unit_group=cells.unit_group,
        mass=cells.mass,
        cluster=cells.cluster,
    )
    return single.average(np.arange(len(groups)))


def _table(cells: Cells, rows: list[tuple]) -> pd.DataFrame:
    table = pd.DataFrame({"kind": [one[0] for one in rows], "level": [one[1] for one in rows]}, dtype=object)
    table["kind"] = table["kind"].astype(str)
    table["estimate"] = [one[2] for one in rows]
    return _with_errors(cells, table, np.column_stack([one[3] for one in rows]))


def _with_errors(cells: Cells, table: pd.DataFrame, influence: np.ndarray) -> pd.DataFrame:
    """The table's estimates, which have these influence functions, with se, ci_low, ci_high."""
    return with_interval(table.assign(se=errors_of(cells.covariance(influence))), cells.noise(influence))


def cell_table(cells: Cells) -> pd.DataFrame:
    """group, period, estimate, se, ci_low, ci_high; groups and periods as integers."""
    table = pd.DataFrame({"group": cells.groups, "period": cells.periods, "estimate": cells.estimates})
    return _with_errors(cells, table, cells.influence)


def _event_table(cells: Cells, events: list[tuple], seed: int) -> pd.DataFrame:
    """relative_period, estimate, se, ci_low, ci_high, n_treated, band_low, band_high."""
    relative, estimates, influence = zip(*events, strict=True)
    covariance, noise = cells.covariance(np.column_stack(influence)), cells.noise(np.column_stack(influence))
    since = cells.periods - cells.groups
    treated = [np.isin(cells.unit_group, cells.groups[since == one]).sum() for one in relative]
    table = pd.DataFrame({"relative_period": relative, "estimate": estimates, "se": errors_of(covariance)})
    return with_bands(with_interval(table, noise).assign(n_treated=treated), covariance, noise, seed)


def event_estimates(cells: Cells) -> EventEstimates:
    """The event study with the covariance of its estimates, and each period's part in the overall average."""
    relative, estimates, influence = (np.array(one) for one in zip(*_events(cells), strict=True))
    since = cells.periods - cells.groups
    parts = np.array([cells.group_mass(cells.groups[since == one]).sum() if one >= 0 else 0.0 for one in relative])
    covariance = cells.covariance(influence.T)
    return EventEstimates(relative, estimates, covariance, parts / parts.sum(), -1 - cells.anticipation)


def pre_trend(cells: Cells, universal: Cells, seed: int) -> PreTrend | None:
    """The joint test that nothing happened before the start: by the event study against one base, and as published.

    The published one is that of the R package did: all group-time effects before the start, each against the period
    before it, by a χ² that takes their covariance as known.
    """
    from scipy.stats import chi2

    events = [one for one in _events(universal) if one[0] < -1 - universal.anticipation]
    before = cells.periods < cells.groups - cells.anticipation
    if not events:
        return None
    _, estimates, influence = (np.array(one) for one in zip(*events, strict=True))
    largest, p = joint_test(estimates, universal.covariance(influence.T), universal.noise(influence.T), seed)
    covariance, wald = cells.covariance(cells.influence[:, before]), np.nan
    if before.any() and np.linalg.matrix_rank(covariance) == before.sum():
        wald = float(cells.estimates[before] @ np.linalg.solve(covariance, cells.estimates[before]))
    return PreTrend(len(events), largest, p, wald, float(chi2.sf(wald, before.sum())))


def _events(cells: Cells) -> list[tuple[int, float, np.ndarray]]:
    """Each period since the start, the average over groups there, and its influence function."""
    since = cells.periods - cells.groups
    return [(int(one), *cells.average(np.flatnonzero(since == one))) for one in np.unique(since)]


def _balanced(cells: Cells, balance: int) -> Cells:
    """The groups seen so many periods after their start, in the periods up to it in which all of them are seen."""
    since, groups = cells.periods - cells.groups, np.unique(cells.groups)
    groups = [one for one in groups if since[cells.groups == one].max() >= balance]
    if not groups:
        raise EstimationError(f"balance {balance}: no group is seen so many periods after its start")
    of_them = np.isin(cells.groups, groups)
    whole = [one for one in np.unique(since) if one <= balance and (of_them & (since == one)).sum() == len(groups)]
    kept = of_them & np.isin(since, whole)
    parts = {name: getattr(cells, name)[kept] for name in ("groups", "periods", "estimates")}
    return replace(cells, **parts, influence=cells.influence[:, kept])
