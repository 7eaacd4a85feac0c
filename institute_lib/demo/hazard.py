"""The planted hazard: the log-odds of leaving within a quarter, given the state at the quarter's start.

One driver, one tuple of levels with their coefficients, the first level being the reference. A worker at risk in a
quarter is employed at its start; tenure counts whole years of completed quarters since the quarter of entry. The kind
of worker and the field have no effect: they are planted nulls.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

INTERCEPT = -2.80


@dataclass(frozen=True)
class Driver:
    """One driver of leaving: its levels in order, their log odds ratios, and where a number is cut into levels.

    `cuts` are lower bounds of the second and later levels; a driver without cuts is already a code (its position in
    `levels`).
    """

    name: str
    levels: tuple[str, ...]
    effects: tuple[float, ...]
    cuts: tuple[float, ...] = ()

    def codes(self, values: np.ndarray) -> np.ndarray:
        """The position of each value's level."""
        return np.searchsorted(self.cuts, values, side="right") if self.cuts else values


DRIVERS = (
    Driver("tenure", ("0", "1", "2", "3-4", "5-9", "10+"), (0, -0.20, -0.35, -0.55, -0.75, -0.85), (1, 2, 3, 5, 10)),
    Driver("monthly_pay", ("<4500", "4500-5999", "6000-7999", "8000+"), (0, -0.20, -0.40, -0.60), (4500, 6000, 8000)),
    Driver("subsidy", ("0", "1-299", "300+"), (0, -0.25, -0.50), (1, 300)),
    Driver("caseload", ("<30", "30-39", "40-49", "50+"), (0, 0.12, 0.28, 0.48), (30, 40, 50)),
    Driver("supervised", ("false", "true"), (0, -0.35)),
    Driver("certificate", ("none", "assistant", "social_worker", "senior"), (0, -0.12, -0.25, -0.40)),
    Driver("education", ("secondary", "college", "bachelor", "master"), (0, 0.08, 0.20, 0.35)),
    Driver("contract", ("permanent", "fixed_term", "project"), (0, 0.35, 0.75)),
    Driver("gender", ("female", "male"), (0, 0.18)),
    Driver("age", ("<30", "30-39", "40-49", "50-54", "55+"), (0, -0.20, -0.40, 0.10, 1.30), (30, 40, 50, 55)),
    Driver("season", ("other", "first_quarter"), (0, 0.25)),
)
BY_NAME = {driver.name: driver for driver in DRIVERS}
NULL_DRIVERS = ("kind", "field")


def levels(name: str) -> tuple[str, ...]:
    """The levels of one driver, the reference first."""
    return BY_NAME[name].levels


def driver_codes(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every driver's level positions, from arrays of the drivers' values (one entry a person)."""
    return {driver.name: driver.codes(state[driver.name]) for driver in DRIVERS}


def probability(codes: Mapping[str, np.ndarray]) -> np.ndarray:
    """The probability of leaving within the quarter: the logistic function of the summed coefficients."""
    total = INTERCEPT + sum(np.asarray(driver.effects)[codes[driver.name]] for driver in DRIVERS)
    return logistic(total)


def logistic(value: np.ndarray | float) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(value, dtype=float)))
