"""Group-time effects put together: overall, by time since the start, by group, by calendar period.

Callaway and Sant'Anna (2021), Difference-in-differences with multiple time periods, Journal of Econometrics 225(2),
200–230, section 3 and corollary 2: every summary is a weighted sum of group-time effects, and its influence function
the same sum of theirs plus the part that comes from estimating the groups' sizes.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib.policy.intervals import Noise, errors_of, with_bands, with_interval
from institute_lib.policy.results import EventEstimates


@dataclass(frozen=True)
class Cells:
    """Group-time effects with the influence of every unit on each.

    groups, periods, estimates: one a cell. influence: units by cells, scaled so that its squares sum to the variance.
    unit_group: each unit's first treated period (infinite if never). mass: each unit's weight. cluster: codes, or None.
    """

    groups: np.ndarray
    periods: np.ndarray
    estimates: np.ndarray
    influence: np.ndarray
    unit_group: np.ndarray
    mass: np.ndarray
    cluster: np.ndarray | None

    def covariance(self, influence: np.ndarray) -> np.ndarray:
        """Of estimates with these influence functions (units by estimates)."""
        if self.cluster is None:
            return influence.T @ influence
        sums = self._by_cluster(influence)
        sums -= sums.mean(axis=0)
        return sums.T @ sums * len(sums) / (len(sums) - 1)

    def noise(self, influence: np.ndarray) -> Noise:
        """How well the errors of estimates with these influence functions are known, by group of units.

        With clusters they are by group of clusters: those whose units all start together count as that group, and
        those that mix groups, each a comparison in itself, as one group more.
        """
        groups, code = np.unique(self.unit_group, return_inverse=True)
        if self.cluster is None:
            return Noise.welch(influence, code, self.mass)
        lowest, highest = np.full(self.n_clusters, len(groups)), np.zeros(self.n_clusters, int)
        np.minimum.at(lowest, self.cluster, code)
        np.maximum.at(highest, self.cluster, code)
        kind = np.where(lowest == highest, lowest, len(groups))
        return Noise.welch(self._by_cluster(influence), kind, self._by_cluster(self.mass))

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


def summaries(cells: Cells, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All aggregations (kind, level, estimate, se, ci_low, ci_high), and the event study with its bands.

    Kinds: "overall" (every treated unit-period alike), "dynamic", "group", "calendar"; level None is the average over
    the kind's levels, groups by their size, the others equally.
    """
    after = cells.periods >= cells.groups
    rows: list[tuple] = [("overall", None, *cells.overall())]
    events = _events(cells)
    rows += _with_mean("dynamic", [one for one in events if one[0] >= 0])
    groups = np.unique(cells.groups[after])
    by_group = [(group, *_plain_mean(cells, after & (cells.groups == group))) for group in groups]
    rows += [("group", None, *_over_groups(cells, by_group)), *(("group", *one) for one in by_group)]
    calendar = [
        (when, *cells.average(np.flatnonzero(after & (cells.periods == when))))
        for when in np.unique(cells.periods[after])
    ]
    rows += _with_mean("calendar", calendar)
    return _table(cells, rows), _event_table(cells, events, seed)


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
    """The event study with the covariance of its estimates."""
    relative, estimates, influence = zip(*_events(cells), strict=True)
    return EventEstimates(np.array(relative), np.array(estimates), cells.covariance(np.column_stack(influence)))


def _events(cells: Cells) -> list[tuple[int, float, np.ndarray]]:
    """Each period since the start, the average over groups there, and its influence function."""
    since = cells.periods - cells.groups
    return [(int(one), *cells.average(np.flatnonzero(since == one))) for one in np.unique(since)]
