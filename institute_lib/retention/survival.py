"""Curves of staying and of each way out, with people who were already employed when the register opened.

Risk sets are (entry, exit]; times that differ by rounding alone are one time, as in R's `survival` (timefix).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, ParameterError
from institute_lib.results import Result
from institute_lib.retention.drivers import level_name, ordered_levels
from institute_lib.retention.intervals import normal_quantile
from institute_lib.retention.spells import (
    YEAR_IN_DAYS,
    faults_where,
    observation,
    plain,
    refuse_missing,
    require_columns,
    truncation_warnings,
)

ALL = "all"
ROUNDING = np.sqrt(np.finfo(float).eps)  # R's tolerance for times and for curves at one half
FEW_AT_RISK = 10


@dataclass(frozen=True)
class SurvivalCurves(Result):
    """Curves by group. `table`: group, time (years), at_risk, events, censored, survival, se, ci_low, ci_high.

    `groups`: group, people, events, median (years; missing where the curve stays above one half), retained_1, _2, _3,
    _5 (share still employed after that many years; missing beyond the last one observed).
    `restricted`: group, horizon, mean (years employed up to the horizon that all groups reach), se, ci_low, ci_high.
    `logrank`: chi2, df, p_value of no difference between the groups; None for one group.
    """

    table: pd.DataFrame
    groups: pd.DataFrame
    by: tuple[str, ...]
    until: str
    n_people: int
    n_events: int
    warnings: tuple[str, ...] = ()
    restricted: pd.DataFrame | None = None
    logrank: dict[str, float] | None = None

    def summary(self, language: str = "zh") -> str:
        """How many stay one and three years, in one sentence a group."""
        sentences = []
        for row in self.groups.itertuples():
            median = terms.number(row.median, language, 1) if np.isfinite(row.median) else None
            sentences.append(
                terms.text(
                    "retention.survival" if median else "retention.survival_no_median",
                    language,
                    group=group_label(row.group, language),
                    people=terms.count(row.people, language),
                    one=terms.percent(row.retained_1, language),
                    three=terms.percent(row.retained_3, language),
                    median=median,
                )
            )
        return ("" if language == "zh" else " ").join(sentences)

    def difference(self, language: str = "zh") -> str:
        """The log-rank test in a sentence; empty for one group."""
        if self.logrank is None:
            return ""
        shown = {name: terms.number(self.logrank[name], language, digits) for name, digits in (("chi2", 1), ("df", 0))}
        clear = "differ" if self.logrank["p_value"] < 0.05 else "alike"
        p = "<0.001" if self.logrank["p_value"] < 0.001 else terms.number(self.logrank["p_value"], language, 3)
        return terms.text(f"retention.curves_{clear}", language, p=p, **shown)

    def to_frame(self) -> pd.DataFrame:
        """The curves as a copy of `table`."""
        return self.table.copy()


@dataclass(frozen=True)
class IncidenceCurves:
    """`table`: group, reason, time (years), at_risk, events, incidence, se, ci_low, ci_high, one row an exit time."""

    table: pd.DataFrame
    by: tuple[str, ...]
    until: str
    n_people: int
    n_events: int
    warnings: tuple[str, ...] = ()


def survival(
    workers: pd.DataFrame,
    *,
    by: str | Sequence[str] | None = None,
    until: str,
    since: str | None = None,
    start: float = 0.0,
) -> SurvivalCurves:
    """The share of workers still employed after each length of tenure.

    Parameters:
        workers: one row a spell: worker_id, entered, left (first day not employed) and the columns of `by`.
        by: column or columns that make groups, each with a curve of its own; None for one curve.
        until: the last quarter observed; people still employed then are right-censored.
        since: the quarter in which the register opens: people employed by then enter the risk set late, at the tenure
            that they have. None: everyone is seen from entry.
        start: years of tenure from which the curves run, among those who got so far (R's `start.time`): for registers
            that see too few people early in their tenure. Medians and shares are then those of people who got there.

    Returns:
        SurvivalCurves, with Greenwood's errors and intervals on the log(−log) scale, which stay between 0 and 1, and a
        warning where a curve falls while hardly anybody is at risk yet.

    Raises:
        DataError: spells that cannot be, all rows at once; nobody observed beyond `start`.
        ParameterError: unknown quarter or column, or a start below 0.

    Source: Kaplan and Meier (1958); left truncation, intervals, log-rank and restricted means as in Klein and
    Moeschberger, Survival Analysis (2003), sections 4.2–4.6 and 7.3.
    """
    if not start >= 0:
        raise ParameterError(f"survival: start={start!r}; give years of tenure from 0")
    columns = [by] if isinstance(by, str) else list(by or ())
    workers = plain(workers)
    require_columns(workers, columns, table="workers")
    seen = observation(workers, until=until, since=since)
    seen = seen.assign(entry=seen["entry"] / YEAR_IN_DAYS, exit=seen["exit"] / YEAR_IN_DAYS)
    seen = seen[seen["exit"] > start].assign(entry=lambda rows: rows["entry"].clip(lower=start))
    if seen.empty:
        raise DataError(f"workers: nobody is observed beyond start={start:g} years; start the curves earlier")
    tables, groups, notes, names = {}, [], [*truncation_warnings(workers, since)], pd.Series(ALL, index=seen.index)
    for name, index in grouped_rows(workers.loc[seen.index], columns):
        rows = seen.loc[index]
        tables[name] = kaplan_meier(rows["entry"], rows["exit"], rows["left"])
        notes += _early(name, rows, tables[name])
        groups.append(_group_row(name, rows, tables[name], start))
        names[index] = name
    horizon = min(float(table["time"].max()) for table in tables.values())
    means = [(name, horizon, *restricted_mean(table, horizon, start)) for name, table in tables.items()]
    restricted = pd.DataFrame(means, columns=["group", "horizon", "mean", "se"])
    half = normal_quantile() * restricted["se"]
    table = pd.concat([one.assign(group=name) for name, one in tables.items()], ignore_index=True)
    return SurvivalCurves(
        table=table[["group", *[column for column in table if column != "group"]]],
        groups=pd.DataFrame(groups),
        by=tuple(columns),
        until=until,
        n_people=int(workers.loc[seen.index, "worker_id"].nunique()),
        n_events=int(seen["left"].sum()),
        warnings=tuple(notes),
        restricted=restricted.assign(ci_low=restricted["mean"] - half, ci_high=restricted["mean"] + half),
        logrank=logrank(seen["entry"], seen["exit"], seen["left"], names) if len(tables) > 1 else None,
    )


def cumulative_incidence(
    workers: pd.DataFrame, *, until: str, by: str | None = None, since: str | None = None
) -> IncidenceCurves:
    """The share of workers who have left for each reason by each length of tenure.

    Parameters:
        workers: one row a spell: worker_id, entered, left, leave_reason and the column of `by`.
        until, by, since: as `survival`.

    Returns:
        IncidenceCurves; at every time the reasons' shares and the share still employed add up to one.

    Raises:
        DataError: spells that cannot be, or a leaver without a reason, all rows at once.

    Source: Aalen and Johansen (1978); errors by the delta method, Marubini and Valsecchi, Analysing Survival Data
    (1995), equation 10.12.
    """
    columns, workers = [by] if by else [], plain(workers)
    require_columns(workers, [*columns, "leave_reason"], table="workers")
    seen = observation(workers, until=until, since=since)
    reasons = workers.loc[seen.index, "leave_reason"]
    unnamed = workers.index.isin(seen.index[(seen["left"] == 1) & reasons.isna()])
    faults = faults_where(workers, unnamed, "leave_reason", "a leaver needs a reason", "use 'unknown'")
    if faults:
        raise DataError(f"workers: {len(faults)} leavers have no reason", tuple(faults))
    causes = ordered_levels("leave_reason", reasons[seen["left"] == 1].unique())
    if not causes:
        raise DataError("workers: nobody leaves in the period observed; there is no way out to count")
    tables = []
    for name, index in grouped_rows(workers.loc[seen.index], columns):
        rows = seen.loc[index]
        cause = reasons.loc[index].where(rows["left"] == 1)
        found = aalen_johansen(rows["entry"] / YEAR_IN_DAYS, rows["exit"] / YEAR_IN_DAYS, cause, causes)
        tables += [table.assign(group=name) for table in found]
    table = pd.concat(tables, ignore_index=True)
    return IncidenceCurves(
        table=table[["group", *[column for column in table if column != "group"]]],
        by=tuple(columns),
        until=until,
        n_people=int(workers.loc[seen.index, "worker_id"].nunique()),
        n_events=int(seen["left"].sum()),
        warnings=truncation_warnings(workers, since),
    )


def kaplan_meier(entry: np.ndarray, exit: np.ndarray, event: np.ndarray) -> pd.DataFrame:
    """The product-limit estimate at each distinct exit time, risk sets (entry, exit].

    Parameters:
        entry, exit: times of equal length; event: 1 where the exit was observed.

    Returns:
        time, at_risk, events, censored, survival, se (Greenwood), ci_low, ci_high; one row a distinct exit time.
    """
    times, position, leaving, at_risk = _risk_sets(entry, exit)
    leavers = np.bincount(position, weights=np.asarray(event, float), minlength=len(times))
    survival = np.cumprod(1 - leavers / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.sqrt(np.cumsum(np.where(leavers > 0, leavers / (at_risk * (at_risk - leavers)), 0.0)))
        se = np.where(survival > 0, survival * relative, 0.0)
    low, high = _loglog(survival, relative)
    return pd.DataFrame(
        {
            "time": times,
            "at_risk": at_risk.astype(int),
            "events": leavers.astype(int),
            "censored": (leaving - leavers).astype(int),
            "survival": survival,
            "se": se,
            "ci_low": low,
            "ci_high": high,
        }
    )


def aalen_johansen(entry: np.ndarray, exit: np.ndarray, cause: pd.Series, causes: list[str]) -> list[pd.DataFrame]:
    """One table a cause: reason, time, at_risk, events, incidence, se, ci_low, ci_high; risk sets (entry, exit].

    `cause` is missing where the exit is censored. Intervals are on the log(−log) scale.
    """
    times, position, _, at_risk = _risk_sets(entry, exit)
    every = np.bincount(position, weights=cause.notna(), minlength=len(times))
    before = np.concatenate([[1.0], np.cumprod(1 - every / at_risk)[:-1]])
    remaining = at_risk - every
    with np.errstate(divide="ignore", invalid="ignore"):
        a = np.where(remaining > 0, every / (at_risk * remaining), 0.0)
    tables = []
    for name in causes:
        events = np.bincount(position, weights=cause.eq(name), minlength=len(times))
        incidence = np.cumsum(before * events / at_risk)
        b = before**2 * (at_risk - events) * events / at_risk.astype(float) ** 3
        c = before * events / at_risk.astype(float) ** 2
        variance = incidence**2 * np.cumsum(a) - 2 * incidence * np.cumsum(incidence * a)
        variance += np.cumsum(incidence**2 * a) + np.cumsum(b)
        variance -= 2 * (incidence * np.cumsum(c) - np.cumsum(incidence * c))
        se = np.sqrt(np.maximum(variance, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = _loglog(incidence, se / incidence)
        columns = {"reason": name, "time": times, "at_risk": at_risk.astype(int), "events": events.astype(int)}
        columns |= {"incidence": incidence, "se": se, "ci_low": low, "ci_high": high}
        tables.append(pd.DataFrame(columns))
    return tables


def _loglog(share: np.ndarray, relative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The log(−log) interval of a share whose logarithm has the error `relative`; what is certain has no width."""
    with np.errstate(divide="ignore", invalid="ignore"):
        half = normal_quantile() * relative / np.abs(np.log(share))
        low, high = share ** np.exp(half), share ** np.exp(-half)
    certain = (share == 0) & (np.nan_to_num(relative, nan=np.inf) == np.inf) | (share == 1)
    inside = (share > 0) & (share < 1)
    return tuple(np.where(inside, one, np.where(certain, share, np.nan)) for one in (low, high))


def logrank(entry: np.ndarray, exit: np.ndarray, event: np.ndarray, group: pd.Series) -> dict[str, float]:
    """The log-rank test of equal hazards with risk sets (entry, exit]: chi2, df, p_value.

    Source: Klein and Moeschberger (2003), section 7.3; the score test of Cox's model where nothing is tied.
    """
    from scipy.stats import chi2

    entry, exit = snapped(entry, exit)
    gone = np.asarray(event, float) > 0
    codes, names = pd.factorize(group)
    times = np.unique(exit[gone])
    at_risk, dying = np.zeros((len(names), len(times))), np.zeros((len(names), len(times)))
    for code in range(len(names)):
        own = codes == code
        began = np.searchsorted(np.sort(entry[own]), times, side="left")
        at_risk[code] = began - np.searchsorted(np.sort(exit[own]), times, side="left")
        dying[code] = np.bincount(np.searchsorted(times, exit[own & gone]), minlength=len(times))
    n, d = at_risk.sum(axis=0), dying.sum(axis=0)
    excess = (dying - at_risk * d / n).sum(axis=1)
    weight = d * (n - d) / (n**2 * np.maximum(n - 1, 1))
    variance = np.diag((weight * n * at_risk).sum(axis=1)) - (weight * at_risk) @ at_risk.T
    df = len(names) - 1
    value = float(excess[:df] @ np.linalg.pinv(variance[:df, :df]) @ excess[:df])
    return {"chi2": value, "df": df, "p_value": float(chi2.sf(value, df))}


def restricted_mean(table: pd.DataFrame, horizon: float, start: float = 0.0) -> tuple[float, float]:
    """The mean time employed between `start` and the horizon, the area under the curve, and its standard error.

    Source: Klein and Moeschberger (2003), equations 4.5.1 and 4.5.2.
    """
    time, survival = np.append(table["time"], horizon), np.append(table["survival"], 0.0)
    length = np.diff(np.concatenate([[start], time]).clip(max=horizon))
    area = length * np.concatenate([[1.0], survival[:-1]])
    rest = area.sum() - np.cumsum(area)[:-1]
    n, d = table["at_risk"].to_numpy(float), table["events"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where((d > 0) & (n > d), rest**2 * d / (n * (n - d)), 0.0)
    return float(area.sum()), float(np.sqrt(parts.sum()))


def snapped(*times: np.ndarray) -> tuple[np.ndarray, ...]:
    """Times of which those that differ by rounding alone are made equal, as R's `aeqSurv` does."""
    columns = [np.asarray(one, float) for one in times]
    every = np.unique(np.concatenate(columns))
    known = every[np.isfinite(every)]
    step = np.diff(known)
    apart = (step > ROUNDING) & (step > ROUNDING * np.abs(known).mean())
    if apart.all():
        return tuple(columns)
    kept = known[np.concatenate([[True], apart])]
    place = [np.searchsorted(kept, one, side="right") - 1 for one in columns]
    return tuple(np.where(np.isfinite(one), kept[at], one) for one, at in zip(columns, place, strict=True))


def median_time(table: pd.DataFrame) -> float:
    """When the curve reaches one half; where it stays exactly there for a while, the middle of that time (as R)."""
    low = table[table["survival"] < 0.5 + ROUNDING]
    if low.empty:
        return float("nan")
    below = low[low["survival"] < low["survival"].iloc[0]]
    first = float(low["time"].iloc[0])
    flat = abs(low["survival"].iloc[0] - 0.5) < ROUNDING and len(below)
    return (first + float(below["time"].iloc[0])) / 2 if flat else first


def share_at(table: pd.DataFrame, time: float) -> float:
    """The curve's value at a time; missing beyond the last time observed unless it has reached 0."""
    if time > table["time"].iloc[-1] and table["survival"].iloc[-1] > 0:
        return float("nan")
    at = np.searchsorted(table["time"], time, side="right")
    return float(table["survival"].iloc[at - 1]) if at else 1.0


def grouped_rows(frame: pd.DataFrame, columns: list[str]) -> list[tuple[str, pd.Index]]:
    """Each group's name and rows, in the order of the contract's levels, else of their names; `all` without columns.

    Raises:
        DataError: a grouping column has missing values.
    """
    refuse_missing(frame, columns, table="workers")
    if not columns:
        return [(ALL, frame.index)]
    place = {name: {level: at for at, level in enumerate(ordered_levels(name, frame[name]))} for name in columns}
    groups = frame.groupby(columns[0] if len(columns) == 1 else columns, observed=True, sort=False).groups.items()
    named = [(key if isinstance(key, tuple) else (key,), index) for key, index in groups]
    named.sort(key=lambda one: [place[name][level_name(level)] for name, level in zip(columns, one[0], strict=True)])
    return [(" · ".join(map(str, key)), index) for key, index in named]


def group_label(group: str, language: str) -> str:
    """A group's name in the reader's words, as far as the catalogue of labels knows them."""
    if group == ALL:
        return terms.text("retention.everyone", language)
    known = terms.catalogue("labels")
    return " · ".join(terms.label(part, language) if part in known else part for part in group.split(" · "))


def _risk_sets(entry: np.ndarray, exit: np.ndarray) -> tuple[np.ndarray, ...]:
    """The distinct exit times, each row's place among them, how many leave the risk set then and how many are in it."""
    entry, exit = snapped(entry, exit)
    times, position = np.unique(exit, return_inverse=True)
    leaving = np.bincount(position, minlength=len(times))
    at_risk = np.searchsorted(np.sort(entry), times, side="left") - (np.cumsum(leaving) - leaving)
    return times, position, leaving, at_risk


def _early(name: str, rows: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """A warning where people enter late and the curve falls while hardly anybody is at risk yet."""
    peak, least = table["at_risk"].max(), min(FEW_AT_RISK, table["at_risk"].max() / 2)
    early = table[(table.index < table["at_risk"].idxmax()) & (table["events"] > 0) & (table["at_risk"] < least)]
    if early.empty or not rows["entry"].gt(rows["entry"].min()).any():
        return []
    worst = early.iloc[-1]
    begins = np.sort(rows["entry"])
    present = np.searchsorted(begins, begins, side="right") - np.searchsorted(np.sort(rows["exit"]), begins, "right")
    enough = begins[present >= least]
    after = enough[enough >= worst["time"]]
    offer = f"; begin where more are seen, such as start={np.ceil(after[0] * 100) / 100:g}" if len(after) else ""
    return [
        f"{name}: early in tenure only {early['at_risk'].min()} of up to {peak} are at risk, and with those who leave "
        f"by {worst['time']:.2f} years the whole curve falls to {worst['survival']:.2f}{offer}"
    ]


def _group_row(name: str, rows: pd.DataFrame, table: pd.DataFrame, start: float) -> dict:
    return {
        "group": name,
        "people": len(rows),
        "events": int(rows["left"].sum()),
        "median": median_time(table),
        **{f"retained_{years}": share_at(table, years) if years > start else float("nan") for years in (1, 2, 3, 5)},
    }
