"""Spells of employment: what is wrong with them, and when a person is under observation.

`left` is the first day not employed. The day after the last day of `until` is the first day not observed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, Fault, ParameterError, nearest

YEAR_IN_DAYS = 365.25
CALENDAR = "Asia/Shanghai"


def quarter_of(value: str | pd.Period, *, name: str) -> pd.Period:
    """A quarter as a period.

    Raises:
        ParameterError: not a quarter such as 2024Q4.
    """
    try:
        return pd.Period(value, freq="Q")
    except ValueError as wrong:
        raise ParameterError(f"{name}={value!r} is not a quarter; write it as 2024Q4") from wrong


def first_day_after(quarter: pd.Period) -> pd.Timestamp:
    """The first day of the next quarter."""
    return (quarter + 1).start_time.normalize()


def require_columns(frame: pd.DataFrame, columns: list[str], *, table: str) -> None:
    """Refuse a column that is not there, with the nearest name.

    Raises:
        ParameterError: naming the first missing column.
    """
    for column in columns:
        if column not in frame.columns:
            raise ParameterError(f"{table} has no column {column!r}: {nearest(column, frame.columns)}")


def faults_where(
    frame: pd.DataFrame,
    wrong: pd.Series | np.ndarray,
    column: str,
    rule: str,
    remedy: str = "",
    *,
    table: str = "workers",
) -> list[Fault]:
    """One fault for each row where `wrong` holds."""
    rows = frame.loc[np.asarray(wrong, dtype=bool), column].astype(object)
    return [
        Fault(table, _bare(row), column, None if pd.isna(value) else _bare(value), rule, remedy)
        for row, value in rows.items()
    ]


def _bare(value: Any) -> Any:
    """A number as Python prints it, not as numpy names it."""
    return value.item() if isinstance(value, np.generic) else value


def refuse_missing(frame: pd.DataFrame, columns: Sequence[str], *, table: str) -> None:
    """Refuse rows without a group, which a grouping would drop without a word.

    Raises:
        DataError: with one fault a row and column.
    """
    rule, remedy = "the group is missing", "give it a level of its own, such as 'unknown'"
    faults = [
        fault
        for column in columns
        for fault in faults_where(frame, frame[column].isna(), column, rule, remedy, table=table)
    ]
    if faults:
        found = {fault.column: sum(one.column == fault.column for one in faults) for fault in faults}
        said = "; ".join(f"column {column!r} is missing in {n} rows" for column, n in found.items())
        raise DataError(f"{table}: {said}", tuple(faults))


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows as databases and workbooks should have given them: days of China's calendar, and plain numbers.

    A time with a zone becomes its day in China; a Decimal becomes a float.
    """
    changed = {}
    for name in frame.columns[frame.dtypes.map(lambda kind: not isinstance(kind, np.dtype) or kind.kind == "O")]:
        values = frame[name]
        kind = values.dtype
        if isinstance(kind, pd.DatetimeTZDtype):
            changed[name] = values.dt.tz_convert(CALENDAR).dt.tz_localize(None).dt.normalize()
        elif isinstance(kind, pd.ArrowDtype) and "decimal" in str(kind):
            changed[name] = values.astype("float64")
        elif isinstance(kind, np.dtype) and pd.api.types.infer_dtype(values, skipna=True) == "decimal":
            changed[name] = values.astype(float)
    return frame.assign(**changed) if changed else frame


def require_dates(frame: pd.DataFrame, columns: Sequence[str], *, table: str) -> None:
    """Refuse columns that are not dates.

    Raises:
        DataError: naming the column, its type and its first value.
    """
    for column in columns:
        values = frame[column]
        if not pd.api.types.is_datetime64_any_dtype(values) and values.notna().any():
            first = values[values.notna()]
            raise DataError(
                f"{table}: column {column!r} holds {values.dtype} and not dates (row {first.index[0]}: "
                f"{first.iloc[0]!r}); convert it with pandas.to_datetime"
            )


def check_spells(workers: pd.DataFrame, *, closes: pd.Timestamp | None = None) -> None:
    """Refuse spells that cannot be: every fault at once, by row.

    Parameters:
        workers: one row a spell: worker_id, entered, left.
        closes: the first day not observed; nobody enters on or after it.

    Raises:
        DataError: entry missing, exit not after entry, overlapping spells of one person, entry after the close.
    """
    workers = plain(workers)
    require_columns(workers, ["worker_id", "entered", "left"], table="workers")
    if workers.empty:
        raise DataError("workers: no rows; nothing to analyse")
    require_dates(workers, ["entered", "left"], table="workers")
    faults = faults_where(workers, workers["entered"].isna(), "entered", "an entry date is missing")
    faults += faults_where(workers, workers["worker_id"].isna(), "worker_id", "the worker is missing")
    faults += faults_where(
        workers,
        workers["left"] <= workers["entered"],
        "left",
        "exit is not after entry",
        "correct one of the two dates",
    )
    faults += faults_where(
        workers, overlapping(workers), "entered", "overlaps an earlier spell of the same worker", "merge the two spells"
    )
    if closes is not None:
        faults += faults_where(
            workers,
            workers["entered"] >= closes,
            "entered",
            f"entry after the register closes ({closes:%Y-%m-%d})",
            "load the table as it was known then: tables.load('workers', as_of=…)",
        )
    if faults:
        raise DataError(f"workers: {len(faults)} faults in {len(workers)} spells", tuple(faults))


def overlapping(
    spells: pd.DataFrame, person: str = "worker_id", entry: str = "entered", exit: str = "left"
) -> np.ndarray:
    """True for each row that begins before an earlier spell of the same person has ended (missing exit: not ended).

    Somebody may work in two districts at once: where the spells have a district, those of one are compared.
    """
    own = [person, "district"] if "district" in spells else [person]
    ordered = spells[[*own, entry, exit]].reset_index(drop=True).sort_values([*own, entry], kind="stable")
    starts, ends, keys = ordered[entry], ordered[exit], [ordered[column] for column in own]
    latest = ends.groupby(keys).cummax()
    open_before = ends.isna().groupby(keys).cummax()
    same = (ordered[own] == ordered[own].shift()).all(axis=1)
    begins_early = same & (open_before.shift(fill_value=False) | (starts < latest.ffill().shift()))
    return begins_early.sort_index().to_numpy()


def observation(workers: pd.DataFrame, *, until: str, since: str | None) -> pd.DataFrame:
    """When each spell is under observation, in days of tenure.

    Returns:
        frame on the rows of `workers` that are observed at all: entry (days of tenure at which observation begins;
        above zero for people already employed when the register opens), exit (days of tenure at its end), left (0/1).

    Raises:
        DataError: as `check_spells`.
    """
    closes, workers = first_day_after(quarter_of(until, name="until")), plain(workers)
    check_spells(workers, closes=closes)
    opens = quarter_of(since, name="since").start_time if since else workers["entered"].min()
    begin = workers["entered"].clip(lower=opens)
    leaves = workers["left"].notna() & (workers["left"] <= closes)
    end = workers["left"].where(leaves, closes)
    frame = pd.DataFrame(
        {
            "entry": (begin - workers["entered"]).dt.days.astype(float),
            "exit": (end - workers["entered"]).dt.days.astype(float),
            "left": leaves.astype(int),
        },
        index=workers.index,
    )
    observed = frame["exit"] > frame["entry"]
    if not observed.any():
        raise DataError(f"workers: no spell is under observation between {since or 'entry'} and {until}")
    return frame[observed]


def truncation_warnings(workers: pd.DataFrame, since: str | None) -> tuple[str, ...]:
    """A warning where nobody leaves in the first year of a register that claims to see everyone from entry."""
    if since is not None or workers["left"].isna().all():
        return ()
    first_exit = workers["left"].min()
    before = workers["entered"] < first_exit - pd.Timedelta(days=YEAR_IN_DAYS)
    if before.sum() < 10:
        return ()
    quarter = str(pd.Period(first_exit, freq="Q"))
    return (
        f"{int(before.sum())} spells began more than a year before anyone is seen to leave ({quarter}): if the "
        f"register only holds people still employed when it opened, pass since={quarter!r}",
    )
