"""Which cells point at a person by themselves: too few behind them, one who dominates, all of a group in one cell.

Each rule gives the cells it hides a reason, and the distance that an attacker must be kept from their figure.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from institute_lib.disclosure.show import unit
from institute_lib.disclosure.structure import AREAS, TIMES, Line, families
from institute_lib.disclosure.suppression import Measure

PERSONS, EMPLOYERS, LARGEST = "__persons__", "__employers__", ("__largest__", "__second__")
MIN_EMPLOYERS = 3
DOMINANCE = (2, 0.9)  # the two largest together hold more than nine tenths
P_PERCENT = 0.1  # the second largest could estimate the largest to within a tenth
DISTANCE = 0.1  # how far, as a share of a sum of money, an attacker must stay from a hidden one
_ENDS = re.compile(r"(^|_)(min|max|minimum|maximum|smallest|largest|lowest|highest)(_|$)")
_QUANTILE = re.compile(r"(^|_)(?:(median)|q([123])|p(\d{1,2}))(_|$)")
_INTERVAL = re.compile(r"(^|_)(low|high|lower|upper|se)$")


def judge(
    cells: pd.DataFrame,
    keys: Sequence[str],
    values: Sequence[str],
    *,
    threshold: int,
    shares: Sequence[str] = (),
    dominance: tuple[int, float] = DOMINANCE,
    p_percent: float = P_PERCENT,
    distribution: bool = False,
) -> pd.Series:
    """The reason for which each cell is hidden, "" where there is none.

    Args:
        cells: one row a cell, with the number of persons and, where known, of employers and the largest contributions.
        shares: columns that are shares of the persons, so that share times persons is a count.
        distribution: the figures are counts of persons over the keys, so that a group may lie in one cell altogether.
    """
    persons = cells[PERSONS]
    reasons = pd.Series("", index=cells.index, dtype="str")

    def mark(found: pd.Series | np.ndarray, reason: str) -> None:
        reasons[(reasons == "") & np.asarray(found, bool)] = reason

    mark((persons > 0) & (persons < threshold), "few_persons")
    if EMPLOYERS in cells:
        mark((cells[EMPLOYERS] > 0) & (cells[EMPLOYERS] < MIN_EMPLOYERS), "few_employers")
    if LARGEST[0] in cells:
        first, second = (cells[name].fillna(0) for name in LARGEST)
        whole = cells[values[0]]
        mark(first + (second if dominance[0] > 1 else 0) > dominance[1] * whole, "dominance")
        mark((first > 0) & (whole - first - second < p_percent * first), "p_percent")
    for name in values:
        mark(_beyond(name, persons) < threshold, "extreme")
    for counted in _counts_behind(cells, shares):
        mark((counted > 0.5) & (counted < threshold), "small_share")
    for axis in _attributes(keys) if distribution else ():
        mark(_all_in_one(cells, keys, axis), "all_in_one")
    return reasons


def _beyond(name: str, persons: pd.Series) -> pd.Series:
    """How many persons lie beyond a quantile: of a smallest or largest value nobody, so one person's value is shown."""
    quantile = _QUANTILE.search(name)
    if quantile:
        at = 0.5 if quantile[2] else int(quantile[3]) / 4 if quantile[3] else int(quantile[4]) / 100
        return persons * min(at, 1 - at)
    return persons * 0 if _ENDS.search(name) else persons * np.inf


def shares_of(
    cells: pd.DataFrame, values: Sequence[str], contributors: str | None, units: Mapping[str, str]
) -> tuple[str, ...]:
    """The columns that are shares of the persons behind each cell: share times persons is a whole number everywhere."""
    if contributors is None:
        return ()
    found = []
    for name in values:
        if unit(name, cells[name], units) == "share" and not _INTERVAL.search(name):
            counted = (cells[name] * cells[PERSONS]).dropna()
            whole = (counted - counted.round()).abs() < 0.02  # shares are often rounded to four decimals
            if len(counted) and whole.all() and cells[name].dropna().between(0, 1).all():
                found.append(name)
    return tuple(found)


def _counts_behind(cells: pd.DataFrame, shares: Sequence[str]) -> list[pd.Series]:
    """The counts that shares give away: those who are in it, and those who are not."""
    counts = []
    for name in shares:
        counted = (cells[name] * cells[PERSONS]).round(2)
        counts += [counted, (cells[PERSONS] - counted).round(2)]
    return counts


def _attributes(keys: Sequence[str]) -> list[str]:
    """Keys that say something of a person: neither where nor when."""
    return [name for name in keys if name not in AREAS | TIMES] if len(keys) > 1 else []


def _all_in_one(cells: pd.DataFrame, keys: Sequence[str], axis: str) -> np.ndarray:
    """Cells that hold a whole group: whoever is known to be in the group is known to be in the cell."""
    found = np.zeros(len(cells), bool)
    persons = cells[PERSONS].to_numpy(float)
    for family in families(cells[list(keys)], axis):
        filled = [i for i in family if persons[i] > 0]
        if len(family) > 1 and len(filled) == 1 and not np.isnan(persons[family]).any():
            found[filled[0]] = True
    return found


def wholes(cells: pd.DataFrame, keys: Sequence[str], shares: Sequence[str], distribution: bool) -> list[list[int]]:
    """Groups of cells whose sum is known although no cell shows it.

    The shares of a composition add up to one; and of a group that lies in one cell it must not be known that the
    others are empty.
    """
    known = []
    for axis in _attributes(keys):
        for family in families(cells[list(keys)], axis):
            composed = [name for name in shares if abs(cells[name].iloc[family].sum() - 1) < 1e-6 and len(family) > 1]
            if composed:
                known.append(family)
    if distribution:
        for axis in _attributes(keys):
            alone = _all_in_one(cells, keys, axis)
            known += [family for family in families(cells[list(keys)], axis) if alone[family].any()]
    return known


def measures(
    cells: pd.DataFrame,
    values: Sequence[str],
    reasons: pd.Series,
    lines: Sequence[Line],
    *,
    threshold: int,
    shares: Sequence[str] = (),
) -> list[Measure]:
    """What adds up over the table, with the distances to keep an attacker from the cells that are hidden.

    A small count may be anything from nobody to the threshold; a sum of money stays open by a tenth either way.
    """
    persons = cells[PERSONS].fillna(0).to_numpy(float)
    hidden = (reasons != "").to_numpy() & (reasons != "extreme").to_numpy()
    found = [_of_persons(persons, hidden & ~(reasons == "small_share").to_numpy(), threshold)]
    for counted in _counts_behind(cells, shares):
        figures = counted.fillna(0).to_numpy(float)
        found.append(_of_persons(figures, hidden & (figures > 0) & (figures < threshold), threshold))
    for name in values:
        figures = cells[name].fillna(0).to_numpy(float)
        for amount in (figures, figures * persons):
            if name not in shares and not np.allclose(amount, persons) and _adds_up(amount, lines):
                distance = np.where(hidden, DISTANCE * amount, 0.0)
                found.append(Measure(amount, distance, distance))
                break
    return found


def _of_persons(persons: np.ndarray, hidden: np.ndarray, threshold: int) -> Measure:
    down = np.where(hidden, np.minimum(persons, threshold), 0.0)
    up = np.where(hidden, np.where(persons < threshold, threshold - persons, 0.0), 0.0)
    return Measure(persons, down, up)


def _adds_up(amount: np.ndarray, lines: Sequence[Line]) -> bool:
    if not lines or (amount < 0).any():
        return False
    wholes_ = np.array([amount[whole] for whole, _ in lines])
    sums = np.array([amount[parts].sum() for _, parts in lines])
    return bool((np.abs(wholes_ - sums) <= 0.005 * np.maximum(np.abs(wholes_), 1)).all())
