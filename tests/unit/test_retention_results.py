"""What results of retention may tell of single leavers."""

import math

import pandas as pd
import pytest

from institute_lib import disclosure, retention
from tests.rows import WORKER


def workers(*, leavers: int, after: int = 400) -> pd.DataFrame:
    """120 people who came one a week from 2020 on; the first few of them left after some days."""
    came = [pd.Timestamp("2020-01-06") + pd.Timedelta(weeks=i) for i in range(120)]
    rows = [
        WORKER
        | {"worker_id": f"w{i}", "entered": day}
        | ({"left": day + pd.Timedelta(days=after), "leave_reason": "retired"} if i < leavers else {})
        for i, day in enumerate(came)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("leavers", [0, 1, 3])
def test_where_few_or_none_leave_every_way_out_reads_as_one_bound(leavers):
    shown = disclosure.protected(retention.ways_out(workers(leavers=leavers), quarter="2025Q4"))
    cells = [shown.text(place, "incidence") for place in range(len(shown.data))]
    assert len(set(cells)) == 1
    assert cells[0].startswith("<")


@pytest.mark.parametrize("after", [30, 200, 300])
def test_the_bound_of_a_curve_follows_from_those_at_risk_and_does_not_tell_when_the_first_leave(after):
    shown = disclosure.protected(retention.staying(workers(leavers=2, after=after), by="kind", quarter="2022Q4"))
    for place in range(3):
        at_risk = int(shown.text(place, "at_risk"))
        assert shown.text(place, "survival") == f">{math.floor(1000 * (1 - 10 / (at_risk - 2))) / 10}%"
