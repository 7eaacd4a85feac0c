"""Rows of tables as small tests write them. Nobody in them exists."""

import math

import pandas as pd


def fives(count: float) -> int:
    """A count of persons as it is shown: to the nearest five, halves up."""
    return 5 * math.floor(count / 5 + 0.5)


WORKER = {
    "worker_id": "w1",
    "kind": "community",
    "employer": "e1",
    "station": None,
    "district": "320613",
    "town": None,
    "entered": pd.Timestamp("2020-01-01"),
    "left": pd.NaT,
    "leave_reason": None,
    "birth_year": 1990,
    "gender": "female",
    "education": "bachelor",
    "contract": "permanent",
    "field": "community",
}
