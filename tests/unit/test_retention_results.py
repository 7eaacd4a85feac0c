"""What results of retention say, and what they may tell of single leavers."""

import math

import numpy as np
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


def test_turnover_without_moves_leaves_out_who_went_to_another_district():
    rows = [
        WORKER | {"worker_id": f"w{i}", "district": "320613", "entered": pd.Timestamp("2020-01-01")} for i in range(9)
    ]
    gone = pd.Timestamp("2025-05-01")
    rows[0] |= {"left": gone, "leave_reason": "left_field"}
    rows[1] |= {"left": gone, "leave_reason": "moved_district"}
    rows[2] |= {"left": gone, "leave_reason": "unknown"}  # and is in post next door when the quarter ends
    rows += [rows[2] | {"district": "320612", "entered": gone, "left": pd.NaT, "leave_reason": None}]
    table = retention.turnover(pd.DataFrame(rows), quarter="2025Q4").frame.set_index("district")
    assert table.loc["320613", ["leavers", "leavers_gone"]].tolist() == [3, 1]
    assert table.at["total", "leavers_gone"] == 1


def test_the_workforce_is_counted_on_the_last_day_and_shares_are_of_those_on_record():
    rows = [
        WORKER | {"worker_id": f"w{i}", "entered": pd.Timestamp("2020-01-01"), "district": "320613"} for i in range(4)
    ]
    rows[0] |= {"gender": "male"}
    rows[1] |= {"gender": "female"}
    rows[2] |= {"gender": "unknown"}
    rows[3] |= {"gender": "female", "left": pd.Timestamp("2025-06-01"), "leave_reason": "retired"}
    (row,) = retention.workforce(pd.DataFrame(rows), quarter="2025Q4").frame.to_dict("records")
    assert (row["workforce"], row["workforce_last_year"]) == (3, 4)
    assert (row["women_share"], row["women_share_known"]) == (0.5, 2)


def register(seed: int = 0, n: int = 3000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Workers of three districts, men leaving the field more often and everybody over 54 retiring early; one state."""
    draw = np.random.default_rng(seed)
    entered = pd.Timestamp("2019-01-01") + pd.to_timedelta(draw.integers(0, 1500, n), unit="D")
    gender, birth = draw.choice(["female", "male"], n), draw.integers(1962, 2000, n)
    hazard = np.where(gender == "male", 0.35, 0.2)
    stays = [draw.exponential(365 / hazard), draw.exponential(365 / np.where(birth < 1968, 0.9, 0.01))]
    left = pd.Series(entered + pd.to_timedelta(np.minimum(*stays).astype(int) + 1, unit="D"))
    seen = left <= "2025-12-31"
    reason = np.where(stays[0] < stays[1], "left_field", "retired")
    workers = pd.DataFrame([WORKER] * n).assign(
        worker_id=[f"w{i}" for i in range(n)],
        entered=entered,
        left=left.where(seen),
        leave_reason=np.where(seen, reason, None),
        gender=gender,
        birth_year=birth,
        district=draw.choice(["320612", "320613", "320614"], n),
        kind=draw.choice(["community", "agency"], n),
    )
    return workers, pd.DataFrame({"worker_id": workers["worker_id"], "date": entered, "caseload": 20.0})


@pytest.fixture(scope="module")
def drivers() -> retention.Drivers:
    workers, changes = register()
    return retention.what_goes_with_leaving(
        workers,
        changes,
        area=["320612", "320613", "320614"],
        among=["tenure_band", "gender", "age_band"],
        bands={"age": (40, 55)},
        levers={},
        quarter="2025Q4",
    )


def test_leaving_the_field_is_told_apart_from_retiring(drivers):
    field, everyone = (one.frame.set_index(["term", "level"]) for one in (drivers.ratios, drivers.everyone))
    assert everyone.at[("age_band", "≥55"), "ratio_low"] > 2, "whoever is old retires"
    assert field.at[("age_band", "≥55"), "ratio_low"] < 1 < field.at[("age_band", "≥55"), "ratio_high"]
    assert field["events"].groupby("term").sum().max() < everyone["events"].groupby("term").sum().max()


def test_calendar_and_season_stand_in_the_baseline_and_are_not_drawn(drivers):
    assert not set(drivers.ratios.frame["term"]) & {"year", "season"}
    assert any("日历年份与季节" in note for note in drivers.notes)
    persons = retention.person_quarters(register()[0], until="2025Q4")["worker_id"].nunique()
    shown = drivers.ratios.frame.query("ratio == ratio")
    assert persons - drivers.ratios.residual == 1 + len(shown) + 6 + 3, "an intercept, 2019 to 2025, four seasons"


def test_the_finding_picked_has_the_wider_interval_and_the_table_gives_it_for_each(drivers):
    frame = drivers.ratios.frame.dropna(subset=["ratio"])
    assert (frame["picked_low"] < frame["ratio_low"]).all()
    assert (frame["picked_high"] > frame["ratio_high"]).all()
    shown = disclosure.protected(drivers.ratios)
    best = shown.figure("picked_low", term="gender", level="male").words("zh")
    assert best in str(shown.summary("zh"))
    assert "离开行业" in str(shown.summary("zh"))


def test_curves_are_compared_by_the_log_rank_test_of_all_groups():
    workers, _ = register()
    found = retention.compared(workers, by="kind", quarter="2025Q4").frame.set_index("kind")
    curves = retention.survival(workers, by="kind", until="2025Q4")
    assert found.at["total", "logrank_p"] == curves.logrank["p_value"]
    assert (found["mean_years_low"].dropna() < found["mean_years"].dropna()).all()
    assert retention.compared(workers.assign(kind="agency"), by="kind", quarter="2025Q4") is None


def test_a_last_year_without_leavers_judges_no_model_and_says_so():
    workers, changes = register(2)
    late = workers["left"] >= "2025-01-01"
    workers.loc[late, ["left", "leave_reason"]] = [pd.NaT, None]
    options = {"area": ["320612"], "among": ["gender"], "bands": {}, "levers": {}, "quarter": "2025Q4"}
    found = retention.what_goes_with_leaving(workers, changes, **options)
    assert found.calibration is None
    assert any("不足以检验模型" in note for note in found.notes)
    assert not any("2025" in note for note in found.notes), "a merged year is no figure of the methods"
