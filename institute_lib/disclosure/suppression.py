"""Which cells to hide so that totals do not give the small ones away.

A table with totals is a set of equations: a total less its parts is zero. A hidden cell is found out when the
equations determine it, that is when every vector in the null space of the hidden columns is zero there (Duncan and
Fienberg, 1999, "Obtaining information while preserving privacy"); and nearly so when all hidden cells of an equation
together hold fewer persons than the threshold. `complement` hides further cells, parts before
totals, those that mend most lines first, then the smallest, until neither holds.
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

TOTAL = "total"
SMALLEST_PIVOT = 1e-9


def parents(values: Sequence[object]) -> dict[object, object]:
    """Each value's total among the others: six-digit codes nest by prefix, all else adds up to TOTAL if it is there.

    >>> parents(["320600", "320612", "320613"])
    {'320612': '320600', '320613': '320600'}
    """
    present = set(values)
    found: dict[object, object] = {}
    for value in values:
        above: list[object] = []
        if re.fullmatch(r"\d{6}", str(value)):
            above = [str(value)[:4] + "00", str(value)[:2] + "0000"]
        parent = next((one for one in (*above, TOTAL) if one in present and one != value), None)
        if value != TOTAL and parent is not None:
            found[value] = parent
    return found


def equations(keys: pd.DataFrame) -> list[tuple[int, list[int]]]:
    """Every total of the table with the parts that add up to it, as positions of rows of `keys`."""
    position = {record: i for i, record in enumerate(keys.itertuples(index=False, name=None))}
    found: dict[tuple, list[int]] = {}
    for axis, name in enumerate(keys.columns):
        above = parents(list(dict.fromkeys(keys[name])))
        for record, i in position.items():
            parent = above.get(record[axis])
            whole = (*record[:axis], parent, *record[axis + 1 :])
            if parent is not None and whole in position:
                found.setdefault((axis, whole), []).append(i)
    return [(position[whole], parts) for (_, whole), parts in found.items()]


def complement(keys: pd.DataFrame, persons: pd.Series, primary: pd.Series, threshold: int) -> pd.Series:
    """The cells to hide beside the primary ones: a boolean Series on the rows of `keys`.

    Args:
        keys: the key columns, one row a cell, totals included.
        persons: persons behind each cell; missing where the cell is not reported.
        primary: which cells are hidden already.
        threshold: the fewest persons that hidden cells of one total must hold together.
    """
    lines = [
        (whole, [part for part in parts if pd.notna(persons.iloc[part])])
        for whole, parts in equations(keys)
        if pd.notna(persons.iloc[whole])
    ]
    count = persons.fillna(0).to_numpy(float)
    hidden = primary.to_numpy(bool).copy()
    wholes = {whole for whole, _ in lines}
    through: dict[int, list[int]] = {}
    for number, (whole, parts) in enumerate(lines):
        for cell in (whole, *parts):
            through.setdefault(cell, []).append(number)
    while weak := _weak_lines(lines, hidden, count, threshold):
        options = [cell for line in weak for cell in _shown(lines[line], hidden, count)]
        if not options:
            break  # all that these totals cover is hidden or empty: no further cell could help

        def cost(cell: int, weak: frozenset[int] = frozenset(weak)) -> tuple[bool, int, float, int]:
            return cell in wholes, -len(weak.intersection(through[cell])), count[cell], cell

        hidden[min(options, key=cost)] = True
    return pd.Series(hidden & ~primary.to_numpy(bool), index=keys.index)


def determined(lines: Sequence[tuple[int, list[int]]], hidden: np.ndarray) -> set[int]:
    """Hidden cells whose value the shown ones give away exactly."""
    places = np.flatnonzero(hidden)
    if not len(places) or not lines:
        return set()
    column = {place: i for i, place in enumerate(places)}
    matrix = np.zeros((len(lines), len(places)))
    for row, (whole, parts) in enumerate(lines):
        for cell, sign in [(whole, -1.0), *((part, 1.0) for part in parts)]:
            if cell in column:
                matrix[row, column[cell]] = sign
    _, sizes, basis = np.linalg.svd(matrix)
    free = basis[int((sizes > SMALLEST_PIVOT).sum()) :]
    fixed = np.abs(free).max(axis=0, initial=0.0) < SMALLEST_PIVOT
    return {int(place) for place in places[fixed]}


Line = tuple[int, list[int]]


def _weak_lines(lines: Sequence[Line], hidden: np.ndarray, count: np.ndarray, threshold: int) -> list[int]:
    """Totals to mend, as numbers of `lines`: those with a lone hidden cell or too few persons under their blanks;
    when there are none, those with a cell that several totals together give away."""
    weak = []
    for number, (whole, parts) in enumerate(lines):
        blank = [part for part in parts if hidden[part]]
        lone = len(blank) + int(hidden[whole]) == 1
        thin = bool(blank) and not hidden[whole] and count[blank].sum() < threshold
        if lone or thin:
            weak.append(number)
    if weak:
        return weak
    known = determined(lines, hidden)
    return [number for number, (whole, parts) in enumerate(lines) if known.intersection((whole, *parts))]


def _shown(line: Line, hidden: np.ndarray, count: np.ndarray) -> list[int]:
    """The cells of a line that hiding could still help: shown, and not empty."""
    whole, parts = line
    return [cell for cell in (*parts, whole) if not hidden[cell] and count[cell] > 0]
