"""Registers into the tables that models read: one row a worker-quarter, or one row a stretch of unchanged drivers.

A worker is at risk in a quarter when employed on its first day. The quarter of leaving is the one that holds the last
day employed, so each exit belongs to exactly one quarter. Drivers are those known on the quarter's first day.
"""

from itertools import pairwise

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, ParameterError
from institute_lib.retention.drivers import UNKNOWN, ordered_levels
from institute_lib.retention.spells import (
    check_spells,
    faults_where,
    first_day_after,
    observation,
    plain,
    quarter_of,
    require_columns,
    truncation_warnings,
)

TENURE_EDGES = (4, 8, 12, 20, 40)
TENURE_BANDS = ("under_1", "1_to_2", "2_to_3", "3_to_5", "5_to_10", "10_and_over")
LASTING = ("kind", "employer", "town", "birth_year", "gender", "education", "contract", "field")
SEASONS = ("Q1", "Q2", "Q3", "Q4")


def person_quarters(
    workers: pd.DataFrame, *, until: str, changes: pd.DataFrame | None = None, since: str | None = None
) -> pd.DataFrame:
    """One row for each quarter in which a worker was at risk of leaving.

    Parameters:
        workers: one row a spell: worker_id, district, station, entered, left (first day not employed), leave_reason.
        until: the last quarter observed; later exits are censored.
        changes: dated states of a worker (worker_id, date, drivers); each quarter gets the state of its first day.
        since: the quarter in which the register opens. People employed by then enter the risk set with the tenure that
            they have (left truncation); their earlier quarters are not rows. None: everyone is seen from entry.

    Returns:
        worker_id, district, station, quarter ("2024Q4"), year, season ("Q4"; both for the baseline), tenure_quarters
        (whole quarters completed by the first day), tenure_band (ordered category, years), the lasting attributes of
        the spell that `workers` holds, age, the drivers of `changes`, left (0/1), leave_reason (missing where left is
        0).
        `.attrs["warnings"]` says what the rows leave out, such as spells within a single quarter.

    Raises:
        DataError: spells that cannot be (exit before entry, overlaps, entry after `until`), all rows at once.

    Source: Singer and Willett, Applied Longitudinal Data Analysis (2003), section 10.5 (the person-period data set).
    """
    last, workers = quarter_of(until, name="until"), plain(workers)
    since = _drivers_known(since, until, changes)
    check_spells(workers, closes=first_day_after(last))
    opens = quarter_of(since, name="since") if since else None
    rows = _expand(workers, last=last, opens=opens)
    notes = [*truncation_warnings(workers, since)]
    unseen = len(workers) - rows["spell"].nunique()
    if unseen:
        notes.append(f"{unseen} spells hold no first day of an observed quarter and give no rows")
    if changes is not None:
        rows, missing = _join_changes(rows, plain(changes))
        if missing:
            notes.append(f"{missing} worker-quarters come before the worker's first row in the changes table")
    rows = rows.drop(columns=["spell", "start"])
    ends = [column for column in ("left", "leave_reason") if column in rows]
    rows = rows[[column for column in rows if column not in ends] + ends]
    rows.attrs["warnings"] = tuple(notes)
    return rows


def _drivers_known(since: str | None, until: str, changes: pd.DataFrame | None) -> str | None:
    """The quarter in which observation opens: own registers know nobody's drivers before their first states."""
    known = None if changes is None else changes.attrs.get("since")
    return max(since or known, known) if known and known <= until else since


def _expand(workers: pd.DataFrame, *, last: pd.Period, opens: pd.Period | None) -> pd.DataFrame:
    """Repeat each spell over its quarters at risk."""
    entered_month = workers["entered"].dt.year * 12 + workers["entered"].dt.month - 1
    late = (workers["entered"].dt.day > 1).astype(int)
    begun = -(-(entered_month + late) // 3)
    first = begun.clip(lower=_number(opens)) if opens is not None else begun
    final_day = workers["left"] - pd.Timedelta(days=1)
    exit_quarter = (final_day.dt.year * 4 + (final_day.dt.month - 1) // 3).fillna(np.inf)
    final = exit_quarter.clip(upper=_number(last)).astype(int)
    count = (final - first + 1).clip(lower=0).to_numpy(int)
    spell = np.repeat(np.arange(len(workers)), count)
    offset = np.arange(len(spell)) - np.repeat(np.cumsum(count) - count, count)
    number = first.to_numpy(int)[spell] + offset
    rows = workers.iloc[spell].reset_index(drop=True)
    tenure = number - begun.to_numpy()[spell]
    calendar = np.arange(first.min(), _number(last) + 1)
    periods = pd.PeriodIndex.from_fields(year=calendar // 4, quarter=calendar % 4 + 1, freq="Q")
    place = number - first.min()
    frame = pd.DataFrame({"worker_id": rows["worker_id"]})
    for column in ("district", "station"):
        if column in rows:
            frame[column] = rows[column]
    frame["quarter"] = periods.astype(str).astype("str").take(place)
    years = np.unique(number // 4)
    frame["year"] = pd.Categorical.from_codes(number // 4 - years.min(), [*range(years.min(), years.max() + 1)], True)
    frame["season"] = pd.Categorical.from_codes(number % 4, SEASONS)
    frame["tenure_quarters"] = tenure
    bands = np.searchsorted(TENURE_EDGES, frame["tenure_quarters"], side="right")
    frame["tenure_band"] = pd.Categorical.from_codes(bands, TENURE_BANDS, ordered=True)
    for column in LASTING:
        if column in rows:
            frame[column] = rows[column]
    if "birth_year" in rows:
        frame["age"] = number // 4 - rows["birth_year"]
    frame["left"] = (number == exit_quarter.to_numpy()[spell]).astype(int)
    if "leave_reason" in rows:
        frame["leave_reason"] = rows["leave_reason"].where(frame["left"] == 1)
    return frame.assign(spell=spell, start=periods.start_time.as_unit("us").take(place))


def _number(quarter: pd.Period) -> int:
    return quarter.year * 4 + quarter.quarter - 1


def _join_changes(rows: pd.DataFrame, changes: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Each row with the worker's latest state on or before its `start`; how many rows have none."""
    require_columns(changes, ["worker_id", "date"], table="worker_changes")
    faults = faults_where(changes, changes["date"].isna(), "date", "a date is missing", table="worker_changes")
    if faults:
        raise DataError(f"worker_changes: {len(faults)} rows without a date", tuple(faults))
    drivers = [column for column in changes if column not in ("worker_id", "date")]
    _refuse_two_states(changes, drivers)
    place = _latest_state(rows, changes)
    # Only these columns are taken, and once: sorting whole rows of text back and forth costs four times as much.
    found = changes[drivers].reset_index(drop=True).reindex(place).set_index(rows.index)
    return rows.join(found), int((place < 0).sum())


def _refuse_two_states(changes: pd.DataFrame, drivers: list[str]) -> None:
    """Refuse two different states of one worker on one day: which one holds?"""
    doubled = changes[changes.duplicated(["worker_id", "date"], keep=False)]
    if doubled.empty:
        return
    states = doubled.drop_duplicates(["worker_id", "date", *drivers])
    clash = changes.index.isin(states.index[states.duplicated(["worker_id", "date"], keep=False)])
    rule, remedy = "two different states of one worker on one day", "keep the one that holds"
    faults = faults_where(changes, clash, "date", rule, remedy, table="worker_changes")
    if faults:
        raise DataError(f"worker_changes: {len(faults)} rows contradict each other", tuple(faults))


def _latest_state(rows: pd.DataFrame, changes: pd.DataFrame) -> np.ndarray:
    """For each row the position in `changes` of its worker's last state on or before `start`, −1 if there is none."""
    worker, names = pd.factorize(rows["worker_id"])
    asked = pd.DataFrame(
        {"worker": worker, "day": rows["start"].to_numpy("datetime64[us]"), "row": np.arange(len(rows))}
    )
    known = pd.DataFrame(
        {"worker": names.get_indexer(changes["worker_id"]), "day": changes["date"].to_numpy("datetime64[us]")}
    )
    known = known.assign(place=np.arange(len(known))).sort_values("day", kind="stable")
    found = pd.merge_asof(asked.sort_values("day", kind="stable"), known, on="day", by="worker")
    return found.sort_values("row")["place"].fillna(-1).to_numpy(int)


def tenure_spells(
    workers: pd.DataFrame, *, until: str, changes: pd.DataFrame | None = None, since: str | None = None
) -> pd.DataFrame:
    """One row for each stretch of a spell over which no driver changed: what `cox` reads.

    Parameters: as `person_quarters`.

    Returns:
        worker_id, spell (number of the spell of employment), entry and exit (days of tenure; the stretch is
        (entry, exit]), left (1 on the stretch that ends in leaving), leave_reason, the attributes of the spell, the
        drivers of `changes` at the start of the stretch.

    Raises:
        DataError: spells that cannot be, all rows at once.
    """
    workers, since = plain(workers), _drivers_known(since, until, changes)
    seen = observation(workers, until=until, since=since)
    base = (
        workers.loc[seen.index]
        .drop(columns=["left"])
        .assign(entry=seen["entry"], exit=seen["exit"], left=seen["left"], spell=np.arange(len(seen)))
    )
    if changes is None:
        return base.drop(columns=["entered"]).reset_index(drop=True)
    changes = plain(changes)
    require_columns(changes, ["worker_id", "date"], table="worker_changes")
    drivers = [column for column in changes if column not in ("worker_id", "date")]
    cuts = base[["worker_id", "spell", "entered", "entry", "exit"]].merge(
        changes[["worker_id", "date"]], on="worker_id"
    )
    cuts["cut"] = (cuts["date"] - cuts["entered"]).dt.days.astype(float)
    inside = cuts.loc[(cuts["cut"] > cuts["entry"]) & (cuts["cut"] < cuts["exit"]), ["spell", "cut"]]
    starts = pd.concat([inside, base[["spell", "entry"]].rename(columns={"entry": "cut"})])
    starts = starts.drop_duplicates().sort_values(["spell", "cut"]).reset_index(drop=True)
    rows = starts.merge(base, on="spell", how="left")
    following = rows["cut"].shift(-1).where(rows["spell"].eq(rows["spell"].shift(-1)))
    rows["left"] = rows["left"].where(following.isna(), 0)
    rows["exit"], rows["entry"] = following.fillna(rows["exit"]), rows["cut"]
    if "leave_reason" in rows:
        rows["leave_reason"] = rows["leave_reason"].where(rows["left"] == 1)
    rows["start"] = (rows["entered"] + pd.to_timedelta(rows["entry"], unit="D")).astype("datetime64[us]")
    rows, _ = _join_changes(rows, changes[["worker_id", "date", *drivers]])
    return rows.drop(columns=["cut", "start", "entered"])


def band(frame: pd.DataFrame, **edges: tuple[float, ...]) -> pd.DataFrame:
    """Add a banded category `<column>_band` for each numeric column, with `unknown` where the value is missing.

    Parameters:
        frame: rows with the numeric columns.
        edges: column=(cut, cut, …), rising; a band holds its lower cut and not its upper one.

    Returns:
        a copy with ordered categories such as "<30", "30-40", "≥40", "unknown" (only if a value is missing).

    Raises:
        ParameterError: unknown column, or cuts that do not rise.

    >>> band(pd.DataFrame({"caseload": [25.0, 30.0, None]}), caseload=(30, 40))["caseload_band"].tolist()
    ['<30', '30-40', 'unknown']
    """
    require_columns(frame, list(edges), table="frame")
    banded = plain(frame).copy()
    for column, cuts in edges.items():
        if not cuts or any(later <= earlier for earlier, later in pairwise(cuts)):
            raise ParameterError(f"band: the cuts of {column!r} must rise; got {tuple(cuts)}")
        names = [f"<{cuts[0]:g}", *(f"{a:g}-{b:g}" for a, b in pairwise(cuts)), f"≥{cuts[-1]:g}"]
        values = banded[column].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        missing = np.isnan(values)
        codes = np.where(missing, len(names), np.searchsorted(cuts, values, side="right"))
        levels = [*names, "unknown"] if missing.any() else names
        banded[f"{column}_band"] = pd.Categorical.from_codes(codes, levels, ordered=True)
    return banded


def exit_columns(rows: pd.DataFrame, *, event: str = "left", reason: str = "leave_reason") -> pd.DataFrame:
    """Person-quarters with one 0/1 column for each way out, named by its reason: events of cause-specific hazards.

    `hazard(exit_columns(rows), event="left_field", drivers=…)` explains leaving the field; who retires, is promoted
    away or moves to another district is then at risk up to that quarter and censored in it (Prentice and others 1978,
    Biometrics 34, 541–554). The columns' names stand in `.attrs["exits"]`, in the contract's order.

    Raises:
        ParameterError: unknown column. DataError: a leaver without a reason, all rows at once.
    """
    require_columns(rows, [event, reason], table="rows")
    gone = rows[event].to_numpy(float) == 1
    unnamed = gone & rows[reason].isna().to_numpy()
    if unnamed.any():
        faults = faults_where(rows, unnamed, reason, "a leaver needs a reason", "use 'unknown'", table="rows")
        raise DataError(f"rows: {len(faults)} leavers have no reason", tuple(faults))
    names = ordered_levels(reason, rows.loc[gone, reason].unique())
    taken = {name: f"exit_{name}" if name == UNKNOWN else name for name in names}
    found = rows.assign(**{taken[name]: (gone & (rows[reason] == name)).astype(int) for name in names})
    found.attrs = rows.attrs | {"exits": tuple(taken.values())}
    return found
