"""Controlled rounding: every count a multiple of the base, and every total still the sum of its parts."""

from collections.abc import Sequence

import numpy as np

from institute_lib.disclosure.structure import Line, matrix
from institute_lib.errors import DisclosureError

BASE = 5


def controlled(values: np.ndarray, lines: Sequence[Line], base: int = BASE) -> np.ndarray:
    """Each value to one of its neighbouring multiples of `base`, totals included, so that the table adds up.

    A multiple stays as it is. Of all such tables the one is taken that is nearest to the true one (least sum of
    absolute differences). In tables of more than two ways no neighbour may fit; then a value may move by two bases.

    Raises:
        DisclosureError: no such table was found.

    Source of the method: Cox and Ernst (1982), "Controlled rounding", INFOR 20(4); as an integer program.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    floor = np.floor(values / base)
    exact = floor * base == values
    system = matrix(lines, len(values))
    for reach in (0, 1, 2):
        low = np.maximum(floor - reach, 0)
        high = np.where(exact & (reach == 0), floor, floor + 1 + reach)
        # The variables are the multiples, then the distances from the true values.
        size = len(values)
        eye = np.eye(size)
        limits = [
            LinearConstraint(np.hstack([base * eye, -eye]), -np.inf, values),
            LinearConstraint(np.hstack([base * eye, eye]), values, np.inf),
        ]
        if lines:
            limits.append(LinearConstraint(np.hstack([system.toarray(), np.zeros((len(lines), size))]), 0, 0))
        solved = milp(
            np.concatenate([np.zeros(size), np.ones(size)]),
            constraints=limits,
            integrality=np.concatenate([np.ones(size), np.zeros(size)]),
            bounds=Bounds(np.concatenate([low, np.zeros(size)]), np.concatenate([high, np.full(size, np.inf)])),
            options={"time_limit": 10.0, "mip_rel_gap": 0.01},
        )
        if solved.x is not None:
            return np.round(solved.x[:size]) * base
    raise DisclosureError(
        f"no table of multiples of {base} adds up to its totals here; leave the totals out, or use method='suppress'"
    )
