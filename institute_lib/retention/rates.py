"""Turnover and stability: the figures that workforce statistics print."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from institute_lib.retention.intervals import exact_rate, wilson
from institute_lib.retention.spells import (
    check_spells,
    first_day_after,
    plain,
    quarter_of,
    refuse_missing,
    require_columns,
)


def rates(workers: pd.DataFrame, *, quarter: str, by: Sequence[str] = ("district",)) -> pd.DataFrame:
    """Turnover and stability over the four quarters that end with `quarter`, by group.

    Definitions:
        turnover: leavers over the four quarters / average headcount: the crude wastage rate of the Chartered Institute
            of Personnel and Development (CIPD, Turnover and retention factsheet), leavers of every reason included.
        average headcount: the chronological mean of the five quarter-boundary headcounts, first and last counted half
            (序时平均, the National Bureau of Statistics of China's rule for the mean of a series of moments).
        stability: of those employed on the first day of the four quarters, the share still employed in the group on
            the day after the last (CIPD's stability index: staff with a year's service / staff a year ago).
        A worker whose next spell in the same group begins on the very day the former ends has not left the group; one
        who works in two districts counts in each, and once in what holds both.
        moved: of the leavers, those whose reason is a move to another district, or who are in post in another district
            of the same city on the day after the last.

    Parameters:
        workers: one row a spell: worker_id, entered, left (first day not employed) and the columns of `by`.
        quarter: the last of the four quarters, 2024Q4.
        by: columns that make groups; () for one row over all.

    Returns:
        the columns of `by`, quarter, headcount_start, headcount_end, entrants, leavers, average_headcount, stayers,
        turnover with turnover_low and turnover_high (exact Poisson, since a rate may exceed 1), stability with
        stability_low and stability_high (Wilson), moved. Shares are fractions; a group of nobody has missing rates.
        Of own registers, districts in which who left cannot be known (`tables.withheld`) have none either, and count in
        no larger group; `attrs["withheld"]` names them.

    Raises:
        DataError: spells that cannot be, all rows at once.
        ParameterError: unknown quarter or column.
    """
    last = quarter_of(quarter, name="quarter")
    by, workers = [by] if isinstance(by, str) else list(by), plain(workers)
    require_columns(workers, by, table="workers")
    check_spells(workers)
    refuse_missing(workers, by, table="workers")
    hidden = _withheld(workers, last)
    if hidden and "district" not in by:
        workers = workers[~workers["district"].isin(hidden)]
    spells = _continuous(workers, by)
    marks = [(last - back).start_time for back in (3, 2, 1, 0)] + [first_day_after(last)]
    flags = pd.DataFrame({f"at_{i}": employed(spells, day) for i, day in enumerate(marks)}, index=spells.index)
    flags["entrants"] = (spells["entered"] > marks[0]) & (spells["entered"] <= marks[-1])
    flags["leavers"] = (spells["left"] > marks[0]) & (spells["left"] <= marks[-1])
    here = spells.loc[flags["at_4"], [*by, "worker_id"]].drop_duplicates().assign(here=True)
    still = spells[[*by, "worker_id"]].merge(here, how="left", on=[*by, "worker_id"])["here"].notna().to_numpy()
    flags["stayers"] = flags["at_0"] & still
    flags["moved"] = flags["leavers"] & (spells["moved"] | _elsewhere(workers, spells, marks[-1]))
    counted = pd.concat([spells[by], flags.astype(int)], axis=1)
    sums = counted.groupby(by, observed=True, sort=True).sum().reset_index() if by else counted.sum().to_frame().T
    found = _with_rates(sums, by, str(last))
    if hidden and "district" in by:
        found.loc[found["district"].isin(hidden), [*OF_LEAVERS]] = float("nan")
    elif hidden and not by and workers.empty:
        found[[*OF_LEAVERS]] = float("nan")
    found.attrs["withheld"] = hidden
    return found


OF_LEAVERS = (
    "entrants",
    "leavers",
    "stayers",
    "turnover",
    "turnover_low",
    "turnover_high",
    "stability",
    "stability_low",
    "stability_high",
    "moved",
)


def _withheld(workers: pd.DataFrame, last: pd.Period) -> tuple[str, ...]:
    """The districts of which nobody knows who left over the four quarters, as their registers' states say."""
    observed = workers.attrs.get("observed")
    if observed is None or "district" not in workers:
        return ()
    ends = {str(last - 4), str(last)}
    here = [code for code in workers["district"].unique() if code in observed]
    return tuple(sorted(code for code in here if not any(ends <= set(run) for run in observed[code])))


def _with_rates(sums: pd.DataFrame, by: list[str], quarter: str) -> pd.DataFrame:
    average = (sums["at_0"] / 2 + sums["at_1"] + sums["at_2"] + sums["at_3"] + sums["at_4"] / 2) / 4
    turnover_low, turnover_high = exact_rate(sums["leavers"], average)
    stability_low, stability_high = wilson(sums["stayers"], sums["at_0"])
    return sums[by].assign(
        quarter=quarter,
        headcount_start=sums["at_0"],
        headcount_end=sums["at_4"],
        entrants=sums["entrants"],
        leavers=sums["leavers"],
        average_headcount=average,
        stayers=sums["stayers"],
        turnover=sums["leavers"] / average.where(average > 0),
        turnover_low=turnover_low,
        turnover_high=turnover_high,
        stability=sums["stayers"] / sums["at_0"].where(sums["at_0"] > 0),
        stability_low=stability_low,
        stability_high=stability_high,
        moved=sums["moved"],
    )


def _elsewhere(workers: pd.DataFrame, spells: pd.DataFrame, day: pd.Timestamp) -> np.ndarray:
    """Whether the worker of each spell is in post in another district of the same city on a day."""
    if "district" not in spells:
        return np.zeros(len(spells), dtype=bool)
    there = workers.loc[employed(workers, day), ["worker_id", "district"]].drop_duplicates()
    pairs = spells[["worker_id", "district"]].reset_index().merge(there, on="worker_id", suffixes=("", "_there"))
    pairs = pairs[pairs["district"] != pairs["district_there"]]
    same_city = pairs["district"].astype(str).str[:4] == pairs["district_there"].astype(str).str[:4]
    return spells.index.isin(pairs.loc[same_city, "index"])


def employed(spells: pd.DataFrame, day: pd.Timestamp) -> pd.Series:
    """Whether each spell holds a day."""
    return (spells["entered"] <= day) & (spells["left"].isna() | (spells["left"] > day))


def _continuous(workers: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Spells of a worker in one group that overlap, or follow on each other without a day between, are one."""
    keys = [*by, "worker_id"]
    last = [name for name in ("district",) if name in workers and name not in keys]
    ordered = workers[list(dict.fromkeys([*keys, *last, "entered", "left"]))].sort_values(
        ["worker_id", "entered"], kind="stable"
    )
    ordered["moved"] = workers["leave_reason"].eq("moved_district") if "leave_reason" in workers else False
    # An open spell is given a day beyond all others, so that it wins the maximum.
    open_end = pd.Timestamp.max.floor("D")
    ended = ordered.assign(left=ordered["left"].fillna(open_end))
    of_one = [ordered[key] for key in keys]
    latest = ended.groupby(keys, observed=True, sort=False)["left"].cummax()
    previous = latest.groupby(of_one, observed=True, sort=False).shift()
    number = (~(ordered["entered"] <= previous)).groupby(of_one, observed=True).cumsum()
    ended = ended.assign(number=number)
    grouped = ended.groupby([*keys, "number"], observed=True, sort=False, dropna=False)
    of_last = {name: (name, "last") for name in ("moved", *last)}
    merged = grouped.agg(entered=("entered", "min"), left=("left", "max"), **of_last).reset_index()
    return merged.assign(left=merged["left"].where(merged["left"] < open_end)).drop(columns="number")
