"""Ways out that compete: the share who have left by each reason, none of them treated as mere censoring."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, Fault
from institute_lib.results import Result
from institute_lib.retention.intervals import normal_quantile
from institute_lib.retention.spells import YEAR_IN_DAYS, observation, require_columns, truncation_warnings
from institute_lib.retention.survival import group_label, grouped_rows


@dataclass(frozen=True)
class IncidenceCurves(Result):
    """`table`: group, reason, time (years), at_risk, events, incidence, se, ci_low, ci_high, one row an exit time."""

    table: pd.DataFrame
    by: tuple[str, ...]
    until: str
    n_people: int
    n_events: int
    warnings: tuple[str, ...] = ()

    def summary(self, language: str = "zh") -> str:
        """Each reason's share at the last time observed, largest first."""
        parts = []
        for group, rows in self.table.groupby("group", sort=False):
            last = rows.groupby("reason", sort=False).tail(1).sort_values("incidence", ascending=False)
            shares = [
                terms.text(
                    "retention.incidence_share",
                    language,
                    reason=terms.label(row.reason, language),
                    share=terms.percent(row.incidence, language),
                )
                for row in last.itertuples()
            ]
            parts.append(
                terms.text(
                    "retention.incidence",
                    language,
                    group=group_label(group, language),
                    years=terms.number(float(last["time"].max()), language, 1),
                    shares=("、" if language == "zh" else ", ").join(shares),
                )
            )
        return ("" if language == "zh" else " ").join(parts)

    def at(self, years: float) -> pd.DataFrame:
        """group, reason, incidence, ci_low, ci_high after so many years of tenure, and `leavers`: those seen by then.

        Missing where nobody is observed for so long.
        """
        rows = []
        for (group, reason), curve in self.table.groupby(["group", "reason"], sort=False):
            by_then = curve[curve["time"] <= years]
            seen = curve["time"].max() >= years
            blank = {"incidence": 0.0, "ci_low": 0.0, "ci_high": 0.0}
            last = by_then.iloc[-1][list(blank)].to_dict() if len(by_then) else blank
            values = last if seen else dict.fromkeys(blank, float("nan"))
            rows.append({"group": group, "reason": reason, **values, "leavers": int(by_then["events"].sum())})
        return pd.DataFrame(rows)

    def to_frame(self) -> pd.DataFrame:
        """The curves as a copy of `table`."""
        return self.table.copy()


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
    columns = [by] if by else []
    require_columns(workers, [*columns, "leave_reason"], table="workers")
    seen = observation(workers, until=until, since=since)
    reasons = workers.loc[seen.index, "leave_reason"]
    unnamed = (seen["left"] == 1) & reasons.isna()
    if unnamed.any():
        faults = [
            Fault("workers", row, "leave_reason", None, "a leaver needs a reason", "use 'unknown'")
            for row in seen.index[unnamed]
        ]
        raise DataError(f"workers: {len(faults)} leavers have no reason", tuple(faults))
    causes = sorted(reasons[seen["left"] == 1].unique())
    tables = []
    for name, index in grouped_rows(workers.loc[seen.index], columns):
        rows = seen.loc[index]
        entry, exit = rows["entry"] / YEAR_IN_DAYS, rows["exit"] / YEAR_IN_DAYS
        cause = reasons.loc[index].where(rows["left"] == 1)
        tables += [table.assign(group=name) for table in aalen_johansen(entry, exit, cause, causes)]
    if not tables:
        raise DataError("workers: nobody leaves in the period observed; there is no way out to count")
    table = pd.concat(tables, ignore_index=True)
    return IncidenceCurves(
        table=table[["group", *[column for column in table if column != "group"]]],
        by=tuple(columns),
        until=until,
        n_people=int(workers.loc[seen.index, "worker_id"].nunique()),
        n_events=int(seen["left"].sum()),
        warnings=truncation_warnings(workers, since),
    )


def aalen_johansen(entry: np.ndarray, exit: np.ndarray, cause: pd.Series, causes: list[str]) -> list[pd.DataFrame]:
    """One table a cause: reason, time, at_risk, events, incidence, se, ci_low, ci_high; risk sets (entry, exit].

    `cause` is missing where the exit is censored. Intervals are on the log(−log) scale.
    """
    entry, exit = np.asarray(entry, float), np.asarray(exit, float)
    times, position = np.unique(exit, return_inverse=True)
    size = len(times)
    leaving = np.bincount(position, minlength=size)
    at_risk = np.searchsorted(np.sort(entry), times, side="left") - (np.cumsum(leaving) - leaving)
    any_cause = np.bincount(position, weights=cause.notna(), minlength=size)
    survival = np.cumprod(1 - any_cause / at_risk)
    before = np.concatenate([[1.0], survival[:-1]])
    return [
        _one_cause(
            name,
            np.bincount(position, weights=cause.eq(name), minlength=size),
            times=times,
            at_risk=at_risk,
            any_cause=any_cause,
            before=before,
        )
        for name in causes
    ]


def _one_cause(
    name: str, events: np.ndarray, *, times: np.ndarray, at_risk: np.ndarray, any_cause: np.ndarray, before: np.ndarray
) -> pd.DataFrame:
    incidence = np.cumsum(before * events / at_risk)
    remaining = at_risk - any_cause
    with np.errstate(divide="ignore", invalid="ignore"):
        a = np.where(remaining > 0, any_cause / (at_risk * remaining), 0.0)
    b = before**2 * (at_risk - events) * events / at_risk.astype(float) ** 3
    c = before * events / at_risk.astype(float) ** 2
    variance = (
        incidence**2 * np.cumsum(a)
        - 2 * incidence * np.cumsum(incidence * a)
        + np.cumsum(incidence**2 * a)
        + np.cumsum(b)
        - 2 * (incidence * np.cumsum(c) - np.cumsum(incidence * c))
    )
    se = np.sqrt(np.maximum(variance, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        half = normal_quantile() * se / (incidence * np.abs(np.log(incidence)))
        low, high = incidence ** np.exp(half), incidence ** np.exp(-half)
    inside = (incidence > 0) & (incidence < 1)
    return pd.DataFrame(
        {
            "reason": name,
            "time": times,
            "at_risk": at_risk.astype(int),
            "events": events.astype(int),
            "incidence": incidence,
            "se": se,
            "ci_low": np.where(inside, low, np.where(incidence == 0, 0.0, np.nan)),
            "ci_high": np.where(inside, high, np.where(incidence == 0, 0.0, np.nan)),
        }
    )
