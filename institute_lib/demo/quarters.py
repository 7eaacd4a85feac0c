"""The demo's clock, and its independent streams of random numbers.

Every event falls on a day strictly inside its quarter, never on the quarter's first day. Who is employed, and in what
state, at a quarter's start therefore does not depend on whether a reader counts the first day in.
"""

import zlib

import numpy as np
import pandas as pd

QUARTERS = tuple(str(quarter) for quarter in pd.period_range("2019Q1", "2025Q4", freq="Q"))
YEARS = tuple(range(2019, 2026))
COUNT = len(QUARTERS)
# First day of each quarter, and the day after the last one.
STARTS = np.arange("2019-01", "2026-04", 3, dtype="datetime64[M]").astype("datetime64[D]")
OPENS = STARTS[0]
OPENING_INVENTORY = OPENS - np.timedelta64(1, "D")
ONE_DAY = np.timedelta64(1, "D")


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator of one register: its own stream, so that one register's draw never shifts another's."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def index(quarter: str) -> int:
    """The position of a quarter in the demo's clock."""
    return QUARTERS.index(quarter)


def day_inside(uniform: np.ndarray, quarter: np.ndarray) -> np.ndarray:
    """A day of a quarter, neither its first nor its last, chosen by a uniform number."""
    length = (STARTS[quarter + 1] - STARTS[quarter]).astype(int) - 2
    return STARTS[quarter] + 1 + np.floor(uniform * length).astype(int)


def season(quarter: np.ndarray | int) -> np.ndarray | int:
    """The quarter of the year, 1 to 4."""
    return quarter % 4 + 1


def year_index(quarter: np.ndarray | int) -> np.ndarray | int:
    """The position of the quarter's year in `YEARS`."""
    return quarter // 4


def quarter_of(day: np.ndarray) -> np.ndarray:
    """The position of the quarter that holds each day; negative before the first quarter."""
    months = np.asarray(day, dtype="datetime64[M]").astype(int)
    return months // 3 - int(STARTS[0].astype("datetime64[M]").astype(int)) // 3
