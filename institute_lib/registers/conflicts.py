"""What only several cells or rows together show: one identity under two names, spells that overlap, rows repeated."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from institute_lib.registers import vocabulary
from institute_lib.registers.cleaning import WHERE, WRITTEN
from institute_lib.registers.personal import bare_name, mask
from institute_lib.registers.report import Problem

_ORDERED = (
    ("entered", "left", "left_before_entered", True),
    ("opened", "closed", "closed_before_opened", False),
    ("outcome_numerator", "outcome_denominator", "part_above_whole", False),
    ("schools_covered", "schools", "part_above_whole", False),
)
_ONCE = {"exams": ["year", "level"], "talent": ["title", "awarded"]}  # what a person has once: one examination a year


def drop_repeats(
    frame: pd.DataFrame, table: str, unused: Callable[[pd.Series], tuple[str, ...]] | None = None
) -> tuple[pd.DataFrame, list[Problem]]:
    """The frame without rows that repeat an earlier one in everything, and one warning for each.

    Args:
        frame: parsed columns.
        table: the register's table.
        unused: what stands in the cells of a row that no column takes. Rows without persons that differ in them are
            two: the services of two agencies.
    """
    content = frame.drop(columns=[*WHERE, WRITTEN], errors="ignore")
    if "identity" in content:
        content["identity"] = _numbers(content["identity"])
    repeated = content.duplicated()
    if repeated.any() and unused and "identity" not in content:
        alike = content[content.duplicated(keep=False)].index
        rest = pd.Series([unused(frame.loc[index]) for index in alike], alike, dtype=object)
        repeated = content.assign(rest=rest.reindex(content.index)).duplicated()
    if not repeated.any():
        return frame, []
    problems = [_at(frame, index, table, "row_repeated") for index in frame.index[repeated]]
    return frame[~repeated], problems


def find(frame: pd.DataFrame, table: str) -> list[Problem]:
    """One identity under two names, spells of one person that overlap, days and parts in the wrong order."""
    return [*_of_one_person(frame, table), *_orders(frame, table)]


def _of_one_person(frame: pd.DataFrame, table: str) -> Iterator[Problem]:
    if "identity" not in frame:
        return
    numbers = _numbers(frame["identity"])
    again = frame[numbers.duplicated(keep=False) & numbers.notna()]
    again = again.assign(number=numbers.reindex(again.index))
    if "exam_date" in again:
        again["year"] = [day and day.year for day in again["exam_date"]]
    yield from _two_names(again, table)
    if table == "workers":
        yield from _overlaps(again, table)
    if table in _ONCE and set(_ONCE[table]) <= set(again):
        twice = again.duplicated(["number", *_ONCE[table]], keep=False) & again[_ONCE[table]].notna().all(axis=1)
        for index in again.index[twice]:
            yield _at(again, index, table, "person_twice", "identity")


def _numbers(identities: pd.Series) -> pd.Series:
    return pd.Series([found and found.number for found in identities], identities.index, dtype=object)


def _two_names(again: pd.DataFrame, table: str) -> Iterator[Problem]:
    if "name" not in again:
        return
    known = again[again["name"].notna()]
    names = known["name"].map(bare_name)
    conflicting = names.groupby(known["number"]).transform("nunique") > 1
    for index in known.index[conflicting]:
        yield _at(known, index, table, "identity_two_names", "name")


def _overlaps(again: pd.DataFrame, table: str) -> Iterator[Problem]:
    if "entered" not in again:
        return
    known = again[again["entered"].notna()].copy()
    known["since"] = pd.to_datetime(known["entered"])
    known["until"] = pd.to_datetime(known["left"]) if "left" in known else pd.NaT
    state = [column for column in ("described", "district") if column in known]  # each is a list of its own
    known[state] = known[state].fillna("")
    known = known.sort_values(["number", *state, "since"], kind="stable")
    follows = (known[["number", *state]] == known[["number", *state]].shift()).all(axis=1)
    previous, before = known["until"].shift(), known["row"].shift()
    overlapping = follows & (previous.isna() | (previous > known["since"]))
    for index in known.index[overlapping]:
        yield _at(known, index, table, "spells_overlap", "entered", detail=f"{before[index]:.0f}")


def _orders(frame: pd.DataFrame, table: str) -> Iterator[Problem]:
    """Rows in which a later day stands before an earlier one, or a part is larger than its whole."""
    for low, high, rule, strict in _ORDERED:
        if {low, high} <= set(frame):
            both = frame[frame[low].notna() & frame[high].notna()]
            broken = both[low] >= both[high] if strict else both[low] > both[high]
            for index in both.index[broken.astype(bool)]:
                yield _at(frame, index, table, rule, high if strict else low)


def _at(
    frame: pd.DataFrame, index: Any, table: str, rule: str, column: str | None = None, *, detail: str = ""
) -> Problem:
    row = frame.loc[index]
    headers = {declared.name: declared.headers[0] for declared in vocabulary.columns(table)}
    value = None if column in (None, "identity") else mask(row[column])
    return Problem(rule, row["file"], row["sheet"], int(row["row"]), headers.get(column), value, detail)
