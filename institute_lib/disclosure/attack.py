"""The attacker: what somebody who holds every published number can say about a hidden one.

Hidden cells are unknown, not negative, and obey every equation of the table. The smallest and the largest value that
they then allow are two linear programs (Fischetti and Salazar-González, 2001, "Solving the cell suppression problem
on tabular data with linear constraints", Management Science 47(7), section 2).
"""

from collections.abc import Sequence

import numpy as np

from institute_lib.disclosure.structure import Line, matrix
from institute_lib.errors import DisclosureError


def bounds(
    lines: Sequence[Line], values: np.ndarray, hidden: np.ndarray, targets: Sequence[int] | None = None
) -> dict[int, tuple[float, float]]:
    """The interval in which an attacker can place each hidden cell.

    Args:
        lines: totals and their parts, as positions of cells.
        values: the true figures; those of hidden cells are used only to know that a solution exists.
        hidden: which cells are not published.
        targets: the hidden cells asked about; by default all of them.

    Returns:
        position to (lowest, highest); the highest may be infinite.
    """
    places = np.flatnonzero(hidden)
    targets = places if targets is None else targets
    system = matrix(lines, len(values))
    left = system[:, places]
    # The hidden cells keep the sum they have now: that also holds where a published total is not exactly its parts.
    right = left @ values[places]
    column = {int(place): i for i, place in enumerate(places)}
    return {int(cell): _interval(left, right, column[int(cell)]) for cell in targets}


def _interval(left, right: np.ndarray, place: int) -> tuple[float, float]:
    ends = []
    for sign in (1.0, -1.0):
        goal = np.zeros(left.shape[1])
        goal[place] = sign
        ends.append(sign * minimum(goal, left, right))
    return ends[0], ends[1]


def minimum(goal: np.ndarray, left, right: np.ndarray, low: float = 0.0) -> float:
    """The least value of a linear goal over figures not below `low` that obey the equations; minus infinity if none."""
    from scipy.optimize import linprog

    if left.shape[0] == 0:
        found = np.where(goal < 0, -np.inf, goal * low)
        return float(found.sum())
    solved = linprog(goal, A_eq=left, b_eq=right, bounds=(low, None), method="highs")
    if solved.status == 3:
        return -np.inf
    if solved.status != 0:
        raise DisclosureError(f"the attacker's linear program could not be solved: {solved.message}")
    return float(solved.fun)
