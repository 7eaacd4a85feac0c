"""Group-time effects put together: overall, by time since the start, by group, by calendar period.

Callaway and Sant'Anna (2021), Difference-in-differences with multiple time periods, Journal of Econometrics 225(2),
200–230, section 3 and corollary 2: every summary is a weighted sum of group-time effects, and its influence function
the same sum of theirs plus the part that comes from estimating the groups' sizes.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib.policy.results import LEVEL, EventEstimates

DRAWS = 20_000


@dataclass(frozen=True)
class Noise:
    """The share of each estimate's variance that comes from each group of units (groups by estimates), and the group's
    degrees of freedom: a variance estimated from fifteen units is itself uncertain."""

    shares: np.ndarray
    df: np.ndarray

    def draw(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        """Estimated over true variances, draws by estimates, each group's variance a χ² of its own."""
        of_group = np.where(self.df > 0, rng.chisquare(np.maximum(self.df, 1), (draws, len(self.df))), 1.0)
        return of_group / np.maximum(self.df, 1) @ self.shares


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
        sums = np.zeros((self.cluster.max() + 1, influence.shape[1]))
        np.add.at(sums, self.cluster, influence)
        sums -= sums.mean(axis=0)
        return sums.T @ sums * len(sums) / (len(sums) - 1)

    @property
    def df(self) -> float:
        return np.inf if self.cluster is None else float(self.cluster.max())

    def noise(self, influence: np.ndarray) -> "Noise | None":
        """How the variance of estimates with these influence functions is made up; None with clusters."""
        if self.cluster is not None:
            return None
        groups, code = np.unique(self.unit_group, return_inverse=True)
        parts = np.zeros((len(groups), influence.shape[1]))
        np.add.at(parts, code, influence**2)
        return Noise(parts / parts.sum(axis=0).clip(np.finfo(float).tiny), np.bincount(code) - 1)

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


def critical(df: float) -> float:
    """The two-sided 5 % point of Student's t; of the normal where df is infinite."""
    from scipy.stats import t

    return float(t.ppf(1 - LEVEL / 2, df))


def two_sided_p(estimate: float, se: float, df: float) -> float:
    from scipy.stats import t

    return float(2 * t.sf(abs(estimate / se), df)) if se > 0 else float("nan")


def summaries(cells: Cells) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All aggregations (kind, level, estimate, se, ci_low, ci_high), and the event study without its bands.

    Kinds: "overall" (every treated unit-period alike), "dynamic", "group", "calendar"; level None is the average over
    the kind's levels, groups by their size, the others equally.
    """
    after = cells.periods >= cells.groups
    since = cells.periods - cells.groups
    rows: list[tuple] = [("overall", None, *cells.average(np.flatnonzero(after)))]
    events = [(int(one), *cells.average(np.flatnonzero(since == one))) for one in np.unique(since)]
    rows += _with_mean("dynamic", [one for one in events if one[0] >= 0])
    groups = np.unique(cells.groups[after])
    by_group = [(group, *_plain_mean(cells, after & (cells.groups == group))) for group in groups]
    rows += [("group", None, *_over_groups(cells, by_group)), *(("group", *one) for one in by_group)]
    calendar = [
        (when, *cells.average(np.flatnonzero(after & (cells.periods == when))))
        for when in np.unique(cells.periods[after])
    ]
    rows += _with_mean("calendar", calendar)
    return _table(cells, rows), _event_table(cells, events)


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
    se = np.sqrt(np.diag(cells.covariance(np.column_stack([one[3] for one in rows]))))
    table = pd.DataFrame({"kind": [one[0] for one in rows], "level": [one[1] for one in rows]}, dtype=object)
    table["kind"] = table["kind"].astype(str)
    return with_interval(table.assign(estimate=[one[2] for one in rows], se=se), cells.df)


def with_interval(table: pd.DataFrame, df: float) -> pd.DataFrame:
    half = critical(df) * table["se"]
    return table.assign(ci_low=table["estimate"] - half, ci_high=table["estimate"] + half)


def _event_table(cells: Cells, events: list[tuple]) -> pd.DataFrame:
    estimates = event_estimates(cells, events)
    table = event_table(estimates, cells.df)
    started = [np.isin(cells.unit_group, cells.groups[cells.periods - cells.groups == one]).sum() for one, *_ in events]
    table = table.assign(n_treated=started)
    noise = cells.noise(np.column_stack([one[2] for one in events]))
    table.attrs.update(covariance=estimates.covariance, noise=noise)
    return table


def event_table(study: EventEstimates, df: float) -> pd.DataFrame:
    """relative_period, estimate, se, ci_low, ci_high."""
    table = pd.DataFrame(
        {"relative_period": study.relative, "estimate": study.estimates, "se": _errors(study.covariance)}
    )
    return with_interval(table, df)


def _errors(covariance: np.ndarray) -> np.ndarray:
    """Standard errors; a variance that rounding has made negative is none."""
    return np.sqrt(np.diag(covariance).clip(0))


def with_bands(
    table: pd.DataFrame, covariance: np.ndarray, df: float, seed: int = 0, *, noise: Noise | None = None
) -> pd.DataFrame:
    """The table with the bounds that hold for all its estimates at once."""
    half = simultaneous_critical(covariance, df, seed, noise=noise) * table["se"]
    return table.assign(band_low=table["estimate"] - half, band_high=table["estimate"] + half)


def event_estimates(cells: Cells, events: list[tuple] | None = None) -> EventEstimates:
    """The event study with the covariance of its estimates."""
    if events is None:
        since = cells.periods - cells.groups
        events = [(int(one), *cells.average(np.flatnonzero(since == one))) for one in np.unique(since)]
    influence = np.column_stack([one[2] for one in events])
    return EventEstimates(
        np.array([one[0] for one in events]), np.array([one[1] for one in events]), cells.covariance(influence)
    )


def simultaneous_critical(covariance: np.ndarray, df: float, seed: int, *, noise: Noise | None = None) -> float:
    """The 95 % point of the largest absolute t among the estimates, never below the pointwise one.

    Source: Montiel Olea and Plagborg-Møller (2019), the plug-in sup-t band, with draws from the estimates' own
    covariance; the errors below the line are drawn too, by group of units as Welch (1947) has it, since the largest of
    many ratios is often one whose error came out too small.
    """
    spread = _errors(covariance)
    used = spread > 0
    if not used.any():
        return critical(df)
    correlation = covariance[np.ix_(used, used)] / np.outer(spread[used], spread[used])
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(values.clip(0))
    rng = np.random.default_rng(seed)
    draws = np.abs(rng.standard_normal((DRAWS, len(values))) @ root.T)
    if noise is not None:
        draws /= np.sqrt(noise.draw(rng, DRAWS)[:, used].clip(np.finfo(float).tiny))
    elif np.isfinite(df):
        draws /= np.sqrt(rng.chisquare(df, DRAWS) / df)[:, None]
    return max(float(np.quantile(draws.max(axis=1), 1 - LEVEL)), critical(df))
