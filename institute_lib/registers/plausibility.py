"""Rules between the columns of a row that only warn: an office may be right, and should look once."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from institute_lib.registers import vocabulary
from institute_lib.registers.report import Problem

AGES = (16, 70)  # full years at entry
_NOT_ABOVE = (("overstaffed", "posts_filled", "posts"), ("subsidy_above_pay", "subsidy", "monthly_pay"))
PROVINCE = {"x": (116.2, 122.1), "y": (30.6, 35.3)}  # degrees; the province with some water around it


def find(frame: pd.DataFrame, table: str) -> Iterator[Problem]:
    """What is unlikely in the rows of a register.

    Args:
        frame: parsed columns, with file, sheet and row.
        table: the register's table.
    """
    yield from _of_the_person(frame, table)
    if {"left", "leave_reason"} <= set(frame):
        for index in frame.index[frame["left"].isna() & frame["leave_reason"].notna()]:
            yield at(frame, index, table, "reason_without_day", "left")
    for column, (low, high) in vocabulary.declared()["plausible"].items():
        if column in frame:
            numbers = pd.to_numeric(frame[column])
            is_odd = ((numbers < low) | (numbers > high)) & (numbers != 0)
            for index in frame.index[is_odd]:
                yield at(frame, index, table, "amount_odd", column, detail=f"{numbers[index]:,.10g}")
    for rule, part, whole in _NOT_ABOVE:
        if {part, whole} <= set(frame):
            less, more = pd.to_numeric(frame[part]), pd.to_numeric(frame[whole])
            for index in frame.index[less > more]:
                yield at(frame, index, table, rule, part, detail=f"{less[index]:g} > {more[index]:g}")
    for column in {"station_id", "contract_id"} & set(frame):
        yield from _of_the_codes(frame, table, column)
    if {"x", "y"} <= set(frame):
        yield from _of_the_point(frame, table)


def _of_the_person(frame: pd.DataFrame, table: str) -> Iterator[Problem]:
    """Age at entry, and the sex that the identity number states, against what the register says."""
    if "identity" not in frame or not {"entered", "gender"} & set(frame):
        return
    known = [found is not None and found.birth_year is not None for found in frame["identity"]]
    people = frame[known]
    if "entered" in people:
        birth = np.array([int(found.number[6:14]) for found in people["identity"]], dtype="int64")
        days = people["entered"]
        entered = np.array([0 if d is None else d.year * 10_000 + d.month * 100 + d.day for d in days], dtype="int64")
        ages = (entered - birth) // 10_000
        for place in np.flatnonzero((entered > 0) & ((ages < AGES[0]) | (ages > AGES[1]))):
            rule = "entered_before_birth" if entered[place] < birth[place] else "age_odd"
            yield at(people, people.index[place], table, rule, "entered", detail=str(ages[place]))
    if "gender" in people:
        computed = np.array([found.gender for found in people["identity"]], dtype=object)
        stated = people["gender"].to_numpy(dtype=object)
        for place in np.flatnonzero([said in ("male", "female") for said in stated] & (stated != computed)):
            yield at(people, people.index[place], table, "gender_conflict", "gender")


def _of_the_codes(frame: pd.DataFrame, table: str, column: str) -> Iterator[Problem]:
    """Codes that have lost the zeros which their like have."""
    codes = frame[column].fillna("").astype(str)
    lengths = set(codes[codes.str.fullmatch(r"0\d+")].str.len())
    if len(lengths) == 1:
        for index in frame.index[codes.str.fullmatch(r"[1-9]\d*") & (codes.str.len() < max(lengths))]:
            yield at(frame, index, table, "code_zeros", column, detail=codes[index])


def _of_the_point(frame: pd.DataFrame, table: str) -> Iterator[Problem]:
    """Points outside the province, also those whose two numbers are exchanged; points in no stated system."""
    points = frame[["x", "y"]].apply(pd.to_numeric)
    filled = points.notna().all(axis=1)
    inside = pd.Series(True, frame.index)
    for column, (low, high) in PROVINCE.items():
        inside &= points[column].between(low, high)
    for index in frame.index[filled & ~inside]:
        swapped = PROVINCE["x"][0] <= points["y"][index] <= PROVINCE["x"][1]
        yield at(frame, index, table, "point_swapped" if swapped else "point_outside", "x")
    stated = frame["crs"].notna() if "crs" in frame else pd.Series(False, frame.index)
    for (_, _), part in frame[filled & ~stated].groupby(["file", "sheet"], dropna=False):
        rows = tuple(int(row) for row in part["row"])
        yield at(part, part.index[0], table, "point_system", "crs", rows=rows)


def at(
    frame: pd.DataFrame,
    index: object,
    table: str,
    rule: str,
    column: str,
    *,
    detail: str = "",
    rows: tuple[int, ...] = (),
) -> Problem:
    """A finding of one row, under the first header that its column may have."""
    row = frame.loc[index]
    header = vocabulary.header_of(table, column)
    return Problem(rule, row["file"], row["sheet"], int(row["row"]), header, None, detail, rows=rows)
