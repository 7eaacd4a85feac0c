"""Spells, changes and leavers, derived from the states of the workers' register that are in force.

A state says who works in a district on a day, and for many offices who has left before. Between two states of a
district, whoever is no longer listed has left in the gap or was left out: the office's answer decides (`--missing`).
Nothing derived is ever stored, so that an import which is undone leaves no trace in it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from institute_lib import areas
from institute_lib.errors import ParameterError
from institute_lib.tables.journal import CELL, Entry, quarter_of_state

STATE = ("certificate", "monthly_pay", "subsidy", "caseload", "supervised", "training_hours")
LASTING = ("kind", "employer", "station", "town", "birth_year", "gender", "education", "contract", "field")
SPELL = ("worker_id", "district", "entered", "left", "leave_reason")
UNKNOWN = "unknown"
NAMED_AFTER = pd.Timedelta(days=92)  # a leaver whom another district takes on within a quarter was transferred


@dataclass(frozen=True)
class Gap:
    """The time between two states of a district, and who is no longer listed after it.

    Attributes:
        missing: persons (pseudonyms) whom no district lists any more and no leaving day explains.
        open: those of them about whom nothing was answered.
        left: how many left in it on a day that is not recorded.
    """

    district: str
    first: str
    last: str
    missing: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    left: int = 0


@dataclass(frozen=True)
class History:
    """What the states say together.

    Attributes:
        workers: the contract's `workers`, one row a spell.
        changes: the contract's `worker_changes`: each person's state from the first day on which one named it.
        gaps: between successive states of a district.
        observed: for each district the quarters at whose ends its headcount is known, in runs within which everyone
            who left is known to have left: a rate over some quarters needs both of its ends in one run.
        described, first: for each district the days of its last and of its first state.
    """

    workers: pd.DataFrame
    changes: pd.DataFrame
    gaps: tuple[Gap, ...]
    observed: Mapping[str, tuple[tuple[str, ...], ...]]
    described: Mapping[str, str]
    first: Mapping[str, str]


def derive(rows: pd.DataFrame, as_of: str, answers: Iterable[Entry] = ()) -> History:
    """The history that the rows of several states tell.

    Args:
        rows: what is kept of each state: the columns of `workers` and of `worker_changes`, and the `cell`.
        as_of: an ISO day; the states of later quarters are left out by the caller.
        answers: the entries of kind "missing" that stand.
    """
    rows = _filed(rows)
    answered = _answers(answers)
    spells, gaps, observed, described, begun = [], [], {}, {}, {}
    for district, of_district in rows.groupby("lineage", sort=True):
        states = dict(list(of_district.groupby("described", sort=True)))
        own, found = _spells(str(district), states, answered)
        spells.append(own)
        gaps += found
        described[str(district)], begun[str(district)] = max(states), min(states)
    joined = pd.concat(spells, ignore_index=True) if spells else rows.assign(seen="", gap=-1, last="")
    joined = _name_transfers(joined)
    gaps = [_close(gap, joined, answered) for gap in gaps]
    for district, of_district in rows.groupby("lineage", sort=True):
        observed[str(district)] = _observed(of_district, [gap for gap in gaps if gap.district == district])
    workers = joined.assign(district=joined["lineage"])
    return History(workers, _changes(rows, as_of), tuple(gaps), observed, described, begun)


def gaps(rows: pd.DataFrame, answers: Iterable[Entry] = ()) -> tuple[Gap, ...]:
    """The gaps of `derive` alone, of rows that need hold no more than `SPELL` and the cell."""
    rows = _filed(rows)
    numbers, persons = pd.factorize(rows["worker_id"])  # a pseudonym has 64 characters, and is merged by often
    number_of = dict(zip(persons, range(len(persons)), strict=True))
    answered = {
        gap: {number_of[one]: answer for one, answer in of_gap.items() if one in number_of}
        for gap, of_gap in _answers(answers).items()
    }
    rows = rows.assign(worker_id=numbers).drop(columns=CELL)
    spells, found = [], []
    for district, of_district in rows.groupby("lineage", sort=True):
        own, between = _spells(str(district), dict(list(of_district.groupby("described", sort=True))), answered)
        spells.append(own)
        found += between
    if not found:
        return ()
    joined = _name_transfers(pd.concat(spells, ignore_index=True))
    closed = (_close(gap, joined, answered) for gap in found)
    return tuple(
        replace(gap, **{name: tuple(sorted(persons[list(getattr(gap, name))])) for name in ("missing", "open")})
        for gap in closed
    )


def _filed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the day they describe and the district that stands for the filed code today."""
    parts = {cell: state.split(" ") for cell, state in states(rows[CELL].unique()).items()}
    rows = rows[rows[CELL].isin(parts)]
    lineage, described = (
        rows[CELL].map({cell: part[at] for cell, part in parts.items()}).astype("str") for at in (0, 1)
    )
    return rows.assign(described=described, lineage=lineage)


def current(code: str) -> str:
    """The district of today that stands for a code: itself, or what alone succeeded it.

    A code keeps its rows where it was divided among several, because no split is guessed. Quarters before a reform are
    read by today's districts too: a study is asked for no others.
    """
    try:
        return areas.get(code, on_retired="map").code
    except ParameterError:
        return code


def states(cells: Iterable[str]) -> dict[str, str]:
    """The state, by today's district, that each filed cell is part of.

    The lists of one quarter by several districts that have merged since are one state, of the last of their days; a
    list that the merged district's own, or a later one of the same district, has overtaken in that quarter is no part.
    """
    filed: dict[tuple[str, str], dict[str, list[str]]] = {}
    for cell in cells:
        code, _, day = cell.partition(" ")
        filed.setdefault((current(code), quarter_of_state(day)), {}).setdefault(code, []).append(day)
    found = {}
    for (district, _), of_codes in filed.items():
        if len(of_codes) == 1:
            found |= {f"{code} {day}": f"{district} {day}" for code, days in of_codes.items() for day in days}
        else:
            last = max(day for days in of_codes.values() for day in days)
            there = {code: max(days) for code, days in of_codes.items() if _in_use(code, last)}
            found |= {f"{code} {day}": f"{district} {last}" for code, day in there.items()}
    return found


def _in_use(code: str, day: str) -> bool:
    try:
        return areas.get(code, on=day).code == code
    except ParameterError:
        return False


def _answers(answers: Iterable[Entry]) -> dict[tuple[str, str, str], dict[str, str]]:
    """What was answered of each person missing between two states: left or keep."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for entry in answers:
        of_gap = found.setdefault((entry.body["district"], entry.body["first"], entry.body["last"]), {})
        of_gap.update(dict.fromkeys(entry.body["persons"], entry.body["answer"]))
    return found


def _spells(district: str, states: dict[str, pd.DataFrame], answered: Mapping) -> tuple[pd.DataFrame, list[Gap]]:
    """The spells of one district; `gap` numbers the gap in which a spell ended on a day that nobody recorded."""
    days = list(states)
    listed = [states[days[0]]]
    for first, last in pairwise(days):
        kept = {one for one, answer in answered.get((district, first, last), {}).items() if answer == "keep"}
        before, now = listed[-1], states[last]
        stays = before[_open(before, first) & before["worker_id"].isin(kept - set(now["worker_id"]))]
        listed.append(pd.concat([now, stays], ignore_index=True) if len(stays) else now)
    accepted = listed[-1].assign(seen=days[-1], gap=-1, last=days[-1]).reset_index(drop=True)
    for at in range(len(days) - 2, -1, -1):
        accepted = _add_earlier(accepted, listed[at], at, days)
    return accepted, [Gap(district, first, last) for first, last in pairwise(days)]


def _open(state: pd.DataFrame, day: str) -> pd.Series:
    """Who is in service at the end of the day."""
    return state["left"].isna() | (state["left"] > pd.Timestamp(day))


def _add_earlier(accepted: pd.DataFrame, state: pd.DataFrame, at: int, days: list[str]) -> pd.DataFrame:
    """The spells of later states with those of an earlier one that they no longer list.

    A spell of the earlier state that overlaps a later one of the same person is that one as it was known then: the
    later state corrects it. Else it is a spell of its own; one that was open ends in the gap between the two states.
    """
    day, following = pd.Timestamp(days[at]), pd.Timestamp(days[at + 1])
    state = state.reset_index(drop=True)
    end = state["left"].where(state["left"] <= day, day + pd.Timedelta(days=1))
    earlier = pd.DataFrame({"worker_id": state["worker_id"], "from": state["entered"], "to": end, "row": state.index})
    later = accepted[["worker_id", "entered", "left"]].assign(at=accepted.index)
    pairs = earlier.merge(later, on="worker_id")
    same = ~(pairs["from"] >= pairs["left"]) & (pairs["entered"] < pairs["to"])
    accepted = _carry(accepted, state, pairs[same].drop_duplicates("at"), days[at])
    own = state.drop(index=pairs.loc[same, "row"].unique())
    if own.empty:
        return accepted
    is_open = own["left"].isna() | (own["left"] > day)
    after = pairs[pairs["entered"] > day].groupby("row")["entered"].min().reindex(own.index)
    until = after.clip(upper=following).fillna(following)
    middle = day + ((until - day) / 2).dt.ceil("D")
    gap = np.where(
        is_open, np.where(own["worker_id"].isin(later["worker_id"][accepted["seen"] > days[at]]), -2, at), -1
    )
    own = own.assign(
        left=own["left"].where(~is_open, middle).astype("datetime64[us]"),
        leave_reason=own["leave_reason"].where(~is_open, UNKNOWN),
        seen=days[at],
        gap=gap,
        last=days[at],
    )
    return pd.concat([accepted, own], ignore_index=True)


def _carry(accepted: pd.DataFrame, state: pd.DataFrame, pairs: pd.DataFrame, day: str) -> pd.DataFrame:
    """A blank of a later state keeps what the earlier one said of the same spell."""
    accepted = accepted.copy()
    accepted.loc[pairs["at"], "seen"] = day
    for column in (column for column in LASTING if column in accepted):
        now, before = accepted.loc[pairs["at"], column], state.loc[pairs["row"], column].set_axis(pairs["at"])
        blank = now.isna() | now.eq(UNKNOWN)
        if blank.any():
            accepted.loc[blank.index[blank], column] = before[blank]
    return accepted


def _name_transfers(spells: pd.DataFrame) -> pd.DataFrame:
    """A leaver whose reason nobody recorded and whom another district names afterwards was transferred there."""
    unknown = spells[spells["left"].notna() & spells["leave_reason"].eq(UNKNOWN)]
    others = spells[["worker_id", "lineage", "entered", "left", "seen"]]
    pairs = unknown.reset_index().merge(others, on="worker_id", suffixes=("", "_there"))
    pairs = pairs[pairs["lineage"] != pairs["lineage_there"]]
    stays = pairs["left_there"].isna() | (pairs["left_there"] > pairs["left"])
    in_gap = pairs["gap"] != -1
    named = in_gap & (pairs["seen_there"] > pairs["last"]) | (
        (pairs["entered_there"] - pairs["left"]).between(-NAMED_AFTER / 3, NAMED_AFTER)
    )
    found = pairs[stays & named].sort_values("entered_there").drop_duplicates("index").set_index("index")
    if found.empty:
        return spells
    spells = spells.copy()
    spells.loc[found.index, "leave_reason"] = "moved_district"
    moved = found[(found["gap"] >= 0) & (found["entered_there"] > pd.to_datetime(found["last"]))]
    moved = moved[moved["entered_there"] > moved["entered"]]
    spells.loc[moved.index, "left"] = moved["entered_there"]
    return spells


def _close(gap: Gap, spells: pd.DataFrame, answered: Mapping) -> Gap:
    """The gap with who is missing after it."""
    ended = spells[(spells["lineage"] == gap.district) & (spells["gap"] != -1) & (spells["last"] == gap.first)]
    unexplained = ended[(ended["gap"] >= 0) & ended["leave_reason"].ne("moved_district")]
    missing = tuple(sorted(set(unexplained["worker_id"])))
    known = answered.get((gap.district, gap.first, gap.last), {})
    return Gap(
        gap.district, gap.first, gap.last, missing, tuple(one for one in missing if one not in known), len(ended)
    )


def _observed(rows: pd.DataFrame, gaps: list[Gap]) -> tuple[tuple[str, ...], ...]:
    """The runs of quarters of `History.observed`."""
    days = sorted(rows["described"].unique())
    runs: list[list[pd.Period]] = [[_period(days[0])]]
    for gap in sorted(gaps, key=lambda gap: gap.first):
        first, last = _period(gap.first), _period(gap.last)
        if gap.open:
            runs.append([last])
        elif gap.left and (last - first).n > 1:
            runs[-1].append(last)  # who left in it left on an unknown day: only its ends are known
        else:
            runs[-1] += list(pd.period_range(first, last, freq="Q"))
    if (rows["left"].notna() & (rows["left"] <= pd.to_datetime(rows["described"]))).any():
        # An office that records leaving days tells of the time before its first state too.
        runs[0] += list(pd.period_range(pd.Period(rows["entered"].min(), freq="Q") - 4, runs[0][0], freq="Q"))
    return tuple(tuple(map(str, sorted(set(run)))) for run in runs)


def _period(day: str) -> pd.Period:
    return pd.Period(quarter_of_state(day), freq="Q")


def _changes(rows: pd.DataFrame, as_of: str) -> pd.DataFrame:
    """Each person's state from the first day on which a register named it; blanks carry the last known value on."""
    states = rows[["worker_id", "described", "entered", "left", *STATE]].copy()
    states["date"] = pd.to_datetime(states["described"]).clip(upper=pd.Timestamp(as_of)).astype("datetime64[us]")
    states["is_open"] = states["left"].isna()
    states = states.sort_values(["worker_id", "date", "described", "is_open", "entered"], kind="stable")
    values = states[list(STATE)].copy()
    values["certificate"] = values["certificate"].where(values["certificate"].ne(UNKNOWN))
    filled = values.groupby(states["worker_id"], sort=False).ffill()
    filled.insert(0, "worker_id", states["worker_id"])
    filled.insert(1, "date", states["date"])
    filled = filled[~filled.duplicated(["worker_id", "date"], keep="last")]
    before = filled.groupby("worker_id", sort=False)[list(STATE)].shift()
    differs = ~filled["worker_id"].duplicated()
    for column in STATE:
        same = (filled[column] == before[column]).fillna(False).astype(bool)
        differs |= ~(same | (filled[column].isna() & before[column].isna()))
    kept = filled[differs].reset_index(drop=True)
    return kept.assign(certificate=kept["certificate"].fillna(UNKNOWN).astype("str"))


def is_observed(observed: Mapping[str, Iterable[Iterable[str]]], district: str, first: str, last: str) -> bool:
    """Whether everyone who left a district from the end of one quarter to the end of another is known to have left."""
    return any({first, last} <= set(run) for run in observed.get(district, ()))
