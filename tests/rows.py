"""Rows of tables as small tests write them. Nobody in them exists."""

import pandas as pd

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
