"""From spells to worker-quarters, rates and curves."""

import numpy as np
import pandas as pd
import pytest

from institute_lib import retention
from institute_lib.errors import DataError, ParameterError


def spells(*rows: tuple, **columns) -> pd.DataFrame:
    """worker, entered, left (None: still employed)."""
    frame = pd.DataFrame(rows, columns=["worker_id", "entered", "left"])
    frame = frame.assign(entered=pd.to_datetime(frame["entered"]), left=pd.to_datetime(frame["left"]))
    frame["leave_reason"] = np.where(frame["left"].isna(), None, "left_field")
    return frame.assign(**{"district": "320613", "station": "s1", **columns})


def test_a_worker_is_at_risk_in_quarters_whose_first_day_was_worked():
    rows = retention.person_quarters(
        spells(("a", "2024-01-01", "2024-08-02"), ("b", "2024-02-15", None)), until="2024Q4"
    )
    assert rows.loc[rows["worker_id"] == "a", "quarter"].tolist() == ["2024Q1", "2024Q2", "2024Q3"]
    assert rows.loc[rows["worker_id"] == "a", "left"].tolist() == [0, 0, 1]
    assert rows.loc[rows["worker_id"] == "b", "quarter"].tolist() == ["2024Q2", "2024Q3", "2024Q4"]
    assert rows.loc[rows["worker_id"] == "b", "tenure_quarters"].tolist() == [0, 1, 2]
    assert rows.loc[rows["left"] == 1, "leave_reason"].tolist() == ["left_field"]


def test_a_first_day_not_employed_that_opens_a_quarter_ends_the_quarter_before():
    rows = retention.person_quarters(spells(("a", "2024-01-01", "2024-07-01")), until="2024Q4")
    assert rows["quarter"].tolist() == ["2024Q1", "2024Q2"]
    assert rows["left"].tolist() == [0, 1]


def test_an_exit_after_the_last_quarter_is_censored():
    rows = retention.person_quarters(spells(("a", "2024-01-01", "2025-02-01")), until="2024Q4")
    assert rows["quarter"].tolist() == ["2024Q1", "2024Q2", "2024Q3", "2024Q4"]
    assert rows["left"].sum() == 0
    assert rows["leave_reason"].isna().all()


def test_people_employed_before_the_register_opens_enter_with_the_tenure_they_have():
    rows = retention.person_quarters(spells(("a", "2015-03-20", None)), until="2019Q2", since="2019Q1")
    assert rows["quarter"].tolist() == ["2019Q1", "2019Q2"]
    assert rows["tenure_quarters"].tolist() == [15, 16]
    assert rows["tenure_band"].astype(str).tolist() == ["3_to_5", "3_to_5"]


def test_drivers_are_those_known_on_the_quarters_first_day():
    changes = pd.DataFrame(
        {
            "worker_id": ["a", "a", "b"],
            "date": pd.to_datetime(["2024-04-01", "2024-07-02", "2024-01-01"]),
            "caseload": [30.0, 50.0, 9.0],
        }
    )
    rows = retention.person_quarters(spells(("a", "2024-01-01", None)), until="2024Q4", changes=changes)
    assert rows["caseload"].fillna(-1).tolist() == [-1, 30, 30, 50]
    assert any("1 worker-quarters" in note for note in rows.attrs["warnings"])


def test_a_spell_within_one_quarter_is_reported_and_not_silently_lost():
    rows = retention.person_quarters(
        spells(("a", "2024-01-10", "2024-02-10"), ("b", "2024-01-01", None)), until="2024Q2"
    )
    assert set(rows["worker_id"]) == {"b"}
    assert any("1 spells hold no first day" in note for note in rows.attrs["warnings"])


@pytest.mark.parametrize(
    ("rows", "column", "rule"),
    [
        ([("a", "2024-05-01", "2024-01-01")], "left", "exit is not after entry"),
        ([("a", "2024-01-01", None), ("a", "2024-06-01", None)], "entered", "overlaps an earlier spell"),
        (
            [("a", "2023-01-01", "2024-06-01"), ("a", "2023-03-01", "2023-04-01"), ("a", "2024-05-01", None)],
            "entered",
            "overlaps",
        ),
        ([("a", "2025-01-01", None)], "entered", "entry after the register closes"),
        ([("a", None, None)], "entered", "an entry date is missing"),
    ],
)
@pytest.mark.parametrize("analyse", [retention.person_quarters, retention.survival, retention.tenure_spells])
def test_spells_that_cannot_be_are_refused_by_row(analyse, rows, column, rule):
    with pytest.raises(DataError) as refused:
        analyse(spells(*rows), until="2024Q4")
    assert refused.value.faults[-1].column == column
    assert refused.value.faults[-1].row == len(rows) - 1
    assert rule in str(refused.value)


def test_a_return_after_leaving_is_not_an_overlap():
    rows = retention.person_quarters(
        spells(("a", "2023-01-01", "2023-07-01"), ("a", "2023-07-01", None)), until="2023Q4"
    )
    assert len(rows) == 4


def test_a_wrong_quarter_says_how_to_write_one():
    with pytest.raises(ParameterError, match="2024Q4"):
        retention.person_quarters(spells(("a", "2024-01-01", None)), until="autumn")


def test_turnover_is_leavers_over_the_chronological_mean_of_headcounts():
    workers = spells(
        *[(f"w{i}", "2020-01-01", None) for i in range(8)],
        ("gone", "2020-01-01", "2024-02-01"),
        ("late", "2024-05-01", None),
        ("later", "2020-01-01", "2025-01-01"),
    )
    row = retention.rates(workers, quarter="2024Q4").iloc[0]
    assert (row["headcount_start"], row["headcount_end"]) == (10, 9)
    assert (row["leavers"], row["entrants"], row["stayers"]) == (2, 1, 8)
    assert row["average_headcount"] == pytest.approx((10 / 2 + 9 + 10 + 10 + 9 / 2) / 4)
    assert row["turnover"] == pytest.approx(2 / row["average_headcount"])
    assert row["stability"] == pytest.approx(8 / 10)
    assert row["turnover_low"] < row["turnover"] < row["turnover_high"]
    assert 0 < row["stability_low"] < row["stability"] < row["stability_high"] < 1


def test_a_move_within_a_group_is_not_a_departure_from_it():
    workers = spells(("a", "2020-01-01", "2024-03-05"), ("a", "2024-03-05", None), ("b", "2020-01-01", None))
    workers["district"] = ["320613", "320612", "320612"]
    city = retention.rates(workers, quarter="2024Q4", by=()).iloc[0]
    districts = retention.rates(workers, quarter="2024Q4").set_index("district")
    assert (city["leavers"], city["stayers"], city["headcount_start"]) == (0, 2, 2)
    assert districts.at["320613", "leavers"] == 1
    assert districts.at["320612", "entrants"] == 1


def test_a_group_without_anyone_has_missing_rates():
    workers = spells(("a", "2020-01-01", None), ("b", "2010-01-01", "2011-01-01"))
    workers["district"] = ["320612", "320613"]
    row = retention.rates(workers, quarter="2024Q4").set_index("district").loc["320613"]
    assert np.isnan(row["turnover"])
    assert np.isnan(row["stability"])


def test_wilson_interval_covers_as_often_as_it_says():
    from scipy.stats import binom

    from institute_lib.retention.intervals import wilson

    k = np.arange(51)
    low, high = wilson(k, np.full(51, 50))
    coverage = [binom.pmf(k[(low <= p) & (p <= high)], 50, p).sum() for p in np.linspace(0.05, 0.95, 91)]
    assert np.mean(coverage) == pytest.approx(0.95, abs=0.01)


def test_exact_rate_interval_inverts_the_poisson_tails():
    from scipy.stats import poisson

    from institute_lib.retention.intervals import exact_rate

    low, high = exact_rate(np.array([0, 7]), np.array([10.0, 10.0]))
    assert low[0] == 0
    assert poisson.cdf(7, high[1] * 10) == pytest.approx(0.025)
    assert poisson.sf(6, low[1] * 10) == pytest.approx(0.025)


def test_holm_adjusts_by_the_number_of_tests_still_standing():
    from institute_lib.retention.intervals import holm

    np.testing.assert_allclose(holm(np.array([0.01, 0.04, np.nan, 0.03])), [0.03, 0.06, np.nan, 0.06])


def test_late_entry_keeps_survivors_from_flattering_the_curve():
    draw = np.random.default_rng(5)
    n = 4000
    entered = pd.Timestamp("2009-01-01") + pd.to_timedelta(draw.integers(0, 365 * 15, n), unit="D")
    stays = pd.to_timedelta(1 + draw.exponential(2 * 365.25, n).astype(int), unit="D")
    left = pd.Series(entered + stays)
    left = left.where(left < "2024-01-01")
    workers = spells(*[(f"w{i}", entered[i], left[i]) for i in range(n)])
    opened = workers[workers["left"].isna() | (workers["left"] > "2019-01-01")].reset_index(drop=True)
    honest = retention.survival(opened, until="2023Q4", since="2019Q1").groups.iloc[0]
    flattering = retention.survival(opened, until="2023Q4")
    assert honest["retained_2"] == pytest.approx(np.exp(-1), abs=0.03)
    assert flattering.groups.iloc[0]["retained_2"] > np.exp(-1) + 0.1
    assert "since='2019Q1'" in flattering.warnings[0]


def test_curves_are_drawn_by_group_and_say_themselves():
    workers = spells(*[(f"w{i}", "2020-01-01", "2021-01-01" if i % 2 else None) for i in range(40)])
    workers["kind"] = ["drug"] * 20 + ["school"] * 20
    curves = retention.survival(workers, by="kind", until="2024Q4")
    assert curves.groups["group"].tolist() == ["drug", "school"]
    assert curves.groups["events"].tolist() == [10, 10]
    assert curves.table["at_risk"].max() == 20
    assert "100.0%" in curves.summary("en")
    assert curves.summary("zh") != curves.summary("en")


def test_a_missing_group_is_refused_and_not_dropped():
    workers = spells(("a", "2020-01-01", None), ("b", "2020-01-01", None)).assign(kind=["drug", None])
    with pytest.raises(DataError, match="'kind' is missing in 1 rows"):
        retention.survival(workers, by="kind", until="2024Q4")


def test_ways_out_compete():
    workers = spells(*[(f"w{i}", "2020-01-01", f"202{1 + i % 3}-01-01") for i in range(30)])
    workers["leave_reason"] = ["retired" if i % 2 else "left_field" for i in range(30)]
    curves = retention.cumulative_incidence(workers, until="2024Q4")
    last = curves.table.groupby("reason")["incidence"].last()
    assert last.sum() == pytest.approx(1.0)
    assert last["retired"] == pytest.approx(0.5)


def test_a_leaver_without_a_reason_is_named_by_row():
    workers = spells(("a", "2020-01-01", "2021-01-01"), ("b", "2020-01-01", None)).assign(leave_reason=None)
    with pytest.raises(DataError, match="row 0, column leave_reason"):
        retention.cumulative_incidence(workers, until="2024Q4")


def test_stretches_of_unchanged_drivers_cover_each_spell_exactly():
    changes = pd.DataFrame(
        {
            "worker_id": ["a", "a", "a"],
            "date": pd.to_datetime(["2024-01-01", "2024-03-01", "2024-12-31"]),
            "caseload": [20.0, 30.0, 40.0],
        }
    )
    rows = retention.tenure_spells(spells(("a", "2024-01-01", "2024-06-01")), until="2024Q4", changes=changes)
    assert rows[["entry", "exit"]].to_numpy().tolist() == [[0, 60], [60, 152]]
    assert rows["left"].tolist() == [0, 1]
    assert rows["caseload"].tolist() == [20, 30]


def test_life_table_from_worker_quarters_agrees_with_hand_counts():
    workers = spells(("a", "2024-01-01", "2024-06-01"), ("b", "2024-01-01", "2024-12-01"), ("c", "2024-01-01", None))
    table = retention.life_table(retention.person_quarters(workers, until="2024Q4")).table
    assert table["at_risk"].tolist() == [3, 3, 2, 2]
    assert table["events"].tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(table["survival"], [1, 2 / 3, 2 / 3, 1 / 3])


def test_bands_hold_their_lower_cut_and_name_what_is_missing():
    frame = retention.band(pd.DataFrame({"caseload": [29.9, 30.0, 40.0, None]}), caseload=(30, 40))
    assert frame["caseload_band"].tolist() == ["<30", "30-40", "≥40", "unknown"]
    with pytest.raises(ParameterError, match="must rise"):
        retention.band(frame, caseload=(40, 30))


def test_rates_name_the_rows_without_a_group():
    workers = spells(("a", "2020-01-01", None), ("b", "2020-01-01", None)).assign(field=["youth", None])
    with pytest.raises(DataError, match=r"(?s)'field' is missing in 1 rows.*row 1, column field"):
        retention.rates(workers, quarter="2024Q4", by=("field",))
    assert len(retention.rates(workers, quarter="2024Q4", by="district")) == 1


def test_dates_that_are_texts_are_refused_with_the_first_of_them():
    workers = spells(("a", "2020-01-01", None)).assign(entered="2020-01-01")
    with pytest.raises(DataError, match=r"'entered' holds str and not dates \(row 0: '2020-01-01'\)"):
        retention.person_quarters(workers, until="2024Q4")


def test_two_states_on_one_day_are_refused_unless_they_agree():
    changes = pd.DataFrame({"worker_id": "a", "date": pd.to_datetime(["2024-01-01"] * 2), "caseload": [20.0, 30.0]})
    workers = spells(("a", "2024-01-01", None))
    with pytest.raises(DataError, match=r"(?s)contradict.*row 1, column date"):
        retention.person_quarters(workers, until="2024Q4", changes=changes)
    agreeing = retention.person_quarters(workers, until="2024Q4", changes=changes.assign(caseload=20.0))
    assert (agreeing["caseload"] == 20).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tenure_quarters": [1, None]}, "row 1, column tenure_quarters"),
        ({"left": [0, 2]}, "row 1, column left.*0 or 1"),
        ({"people": [-1, 1]}, "row 0, column people"),
    ],
)
def test_life_table_names_the_rows_it_cannot_count(change, message):
    rows = pd.DataFrame({"tenure_quarters": [1, 2], "left": [0, 1], "people": [1, 1]}).assign(**change)
    with pytest.raises(DataError, match=f"(?s){message}"):
        retention.life_table(rows, weights="people")


def test_life_table_passes_over_periods_that_nobody_stands_for():
    rows = pd.DataFrame({"year": [1, 1, 2, 2, 3], "left": [0, 1, 0, 1, 1], "people": [6, 4, 3, 3, 0]})
    table = retention.life_table(rows, tenure="year", weights="people", origin=1).table
    assert table["tenure"].tolist() == [1, 2]
    assert table["hazard"].tolist() == [0.4, 0.5]
