"""Kaplan–Meier curves of staying, with people who were already employed when the register opened."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.results import Result
from institute_lib.retention.intervals import normal_quantile
from institute_lib.retention.spells import (
    YEAR_IN_DAYS,
    observation,
    refuse_missing,
    require_columns,
    truncation_warnings,
)

ALL = "all"


@dataclass(frozen=True)
class SurvivalCurves(Result):
    """Curves by group. `table`: group, time (years), at_risk, events, censored, survival, se, ci_low, ci_high.

    `groups`: group, people, events, median (years; missing where the curve stays above one half), retained_1, _2, _3,
    _5 (share still employed after that many years; missing beyond the last one observed).
    """

    table: pd.DataFrame
    groups: pd.DataFrame
    by: tuple[str, ...]
    until: str
    n_people: int
    n_events: int
    warnings: tuple[str, ...] = ()

    def summary(self, language: str = "zh") -> str:
        """How many stay one and three years, in one sentence a group."""
        sentences = []
        for row in self.groups.itertuples():
            median = terms.number(row.median, language, 1) if np.isfinite(row.median) else None
            key = "retention.survival" if median else "retention.survival_no_median"
            sentences.append(
                terms.text(
                    key,
                    language,
                    group=group_label(row.group, language),
                    people=terms.count(row.people, language),
                    one=terms.percent(row.retained_1, language),
                    three=terms.percent(row.retained_3, language),
                    median=median,
                )
            )
        return ("" if language == "zh" else " ").join(sentences)

    def to_frame(self) -> pd.DataFrame:
        """The curves as a copy of `table`."""
        return self.table.copy()


def survival(
    workers: pd.DataFrame, *, by: str | Sequence[str] | None = None, until: str, since: str | None = None
) -> SurvivalCurves:
    """The share of workers still employed after each length of tenure.

    Parameters:
        workers: one row a spell: worker_id, entered, left (first day not employed) and the columns of `by`.
        by: column or columns that make groups, each with a curve of its own; None for one curve.
        until: the last quarter observed; people still employed then are right-censored.
        since: the quarter in which the register opens: people employed by then enter the risk set late, at the tenure
            that they have. None: everyone is seen from entry.

    Returns:
        SurvivalCurves, with Greenwood's errors and intervals on the log(−log) scale, which stay between 0 and 1.

    Raises:
        DataError: spells that cannot be, all rows at once.
        ParameterError: unknown quarter or column.

    Source: Kaplan and Meier (1958); left truncation and intervals as in Klein and Moeschberger, Survival Analysis
    (2003), sections 4.2–4.6.
    """
    columns = [by] if isinstance(by, str) else list(by or ())
    require_columns(workers, columns, table="workers")
    seen = observation(workers, until=until, since=since)
    tables, groups, notes = [], [], [*truncation_warnings(workers, since)]
    for name, index in grouped_rows(workers.loc[seen.index], columns):
        rows = seen.loc[index]
        table = kaplan_meier(rows["entry"] / YEAR_IN_DAYS, rows["exit"] / YEAR_IN_DAYS, rows["left"])
        emptied = table["survival"].eq(0) & (table["at_risk"] < len(rows) / 10)
        if emptied.any() and table.loc[emptied, "time"].min() < table["time"].max():
            notes.append(f"{name}: the few at risk early all left, so the curve is 0 afterwards; start it later")
        tables.append(table.assign(group=name))
        groups.append(_group_row(name, rows, table))
    table = pd.concat(tables, ignore_index=True)
    return SurvivalCurves(
        table=table[["group", *[column for column in table if column != "group"]]],
        groups=pd.DataFrame(groups),
        by=tuple(columns),
        until=until,
        n_people=int(workers.loc[seen.index, "worker_id"].nunique()),
        n_events=int(seen["left"].sum()),
        warnings=tuple(notes),
    )


def grouped_rows(frame: pd.DataFrame, columns: list[str]) -> list[tuple[str, pd.Index]]:
    """Each group's name and rows, in order of name; one group named `all` without columns.

    Raises:
        DataError: a grouping column has missing values.
    """
    refuse_missing(frame, columns, table="workers")
    if not columns:
        return [(ALL, frame.index)]
    keys = columns[0] if len(columns) == 1 else columns
    groups = frame.groupby(keys, observed=True, sort=True).groups.items()
    return [(" · ".join(map(str, key)) if len(columns) > 1 else str(key), index) for key, index in groups]


def group_label(group: str, language: str) -> str:
    """A group's name in the reader's words, as far as the catalogue of labels knows them."""
    if group == ALL:
        return terms.text("retention.everyone", language)
    known = terms.catalogue("labels")
    return " · ".join(terms.label(part, language) if part in known else part for part in group.split(" · "))


def kaplan_meier(entry: np.ndarray, exit: np.ndarray, event: np.ndarray) -> pd.DataFrame:
    """The product-limit estimate at each distinct exit time, risk sets (entry, exit].

    Parameters:
        entry, exit: times of equal length; event: 1 where the exit was observed.

    Returns:
        time, at_risk, events, censored, survival, se (Greenwood), ci_low, ci_high; one row a distinct exit time.
    """
    entry, exit, event = (np.asarray(values, float) for values in (entry, exit, event))
    times, position = np.unique(exit, return_inverse=True)
    leavers = np.bincount(position, weights=event, minlength=len(times))
    leaving = np.bincount(position, minlength=len(times))
    entered = np.searchsorted(np.sort(entry), times, side="left")
    at_risk = entered - (np.cumsum(leaving) - leaving)
    survival = np.cumprod(1 - leavers / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms_of_variance = leavers / (at_risk * (at_risk - leavers))
        relative = np.sqrt(np.cumsum(np.where(leavers > 0, terms_of_variance, 0.0)))
        se = np.where(survival > 0, survival * relative, 0.0)
        half = normal_quantile() * relative / np.abs(np.log(survival))
        low, high = survival ** np.exp(half), survival ** np.exp(-half)
    inside = (survival > 0) & (survival < 1)
    return pd.DataFrame(
        {
            "time": times,
            "at_risk": at_risk.astype(int),
            "events": leavers.astype(int),
            "censored": (leaving - leavers).astype(int),
            "survival": survival,
            "se": se,
            "ci_low": np.where(inside, low, np.where(survival == 1, 1.0, np.nan)),
            "ci_high": np.where(inside, high, np.where(survival == 1, 1.0, np.nan)),
        }
    )


def share_at(table: pd.DataFrame, time: float) -> float:
    """The curve's value at a time; missing beyond the last time observed unless it has reached 0."""
    if time > table["time"].iloc[-1] and table["survival"].iloc[-1] > 0:
        return float("nan")
    at = np.searchsorted(table["time"], time, side="right")
    return float(table["survival"].iloc[at - 1]) if at else 1.0


def _group_row(name: str, rows: pd.DataFrame, table: pd.DataFrame) -> dict:
    below = table.loc[table["survival"] <= 0.5, "time"]
    return {
        "group": name,
        "people": len(rows),
        "events": int(rows["left"].sum()),
        "median": float(below.iloc[0]) if len(below) else float("nan"),
        **{f"retained_{years}": share_at(table, years) for years in (1, 2, 3, 5)},
    }
