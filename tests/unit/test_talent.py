"""Examinations, ladder, services, purchase, who is in post, and Nantong beside Suzhou."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from institute_lib import areas, disclosure, talent
from institute_lib.errors import DataError, ParameterError
from institute_lib.result import Provenance, with_provenance
from institute_lib.sharing import Read

RNG = np.random.default_rng(20241108)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_those_of_newcombe_1998_table_1(successes, trials, low, high):
    found = talent.wilson(successes, trials)
    assert [float(limit) for limit in found] == pytest.approx([low, high], abs=5e-5)


def test_no_trials_give_no_interval():
    assert np.isnan(talent.wilson(0, 0)).all()


def test_the_ratio_of_two_counts_has_the_exact_binomial_interval():
    low, high = talent.poisson_ratio(3671, 2622)
    exact = stats.binomtest(3671, 3671 + 2622).proportion_ci(method="exact")
    assert float(low / (1 + low)) == pytest.approx(exact.low)
    assert float(high / (1 + high)) == pytest.approx(exact.high)


def test_the_ratio_to_nothing_has_no_upper_limit():
    low, high = talent.poisson_ratio(5, 0)
    assert np.isinf(high)
    assert low > 0


def exams(rows):
    frame = pd.DataFrame(
        rows, columns=["candidate_id", "exam_date", "district", "level", "sat", "passed", "stock", "worker_id"]
    )
    return frame.assign(exam_date=pd.to_datetime(frame["exam_date"]), registered=True)


EXAMS = exams(
    [
        ("a", "2023-06-10", "320613", "assistant", True, True, False, "w1"),
        ("b", "2023-06-10", "320613", "assistant", True, False, False, None),
        ("a", "2024-05-25", "320613", "social_worker", True, True, False, "w1"),
        ("b", "2024-05-25", "320613", "assistant", True, True, False, None),
        ("c", "2024-05-25", "320614", "assistant", False, False, False, None),
        ("d", "2018-12-31", "320614", "senior", True, True, True, "w2"),
    ]
)


def test_the_funnel_counts_by_year_and_leaves_the_opening_stock_out():
    result = talent.funnel(EXAMS, by=("year",))
    assert result.frame[["year", "registered", "sat", "passed"]].values.tolist() == [[2023, 2, 2, 1], [2024, 3, 2, 2]]
    assert result.frame["pass_rate"].tolist() == [0.5, 1.0]
    assert "opening stock" in result.warnings[0]


def test_a_district_where_nobody_sat_has_no_pass_rate():
    frame = talent.funnel(EXAMS, by=("year", "district")).frame
    lonely = frame[frame["district"] == "320614"]
    assert lonely["pass_rate"].isna().all()
    assert lonely["pass_rate_low"].isna().all()


def test_levels_stand_as_the_ladder_goes_up():
    everyone = EXAMS.assign(stock=False, exam_date=pd.Timestamp("2024-05-25"))
    assert list(talent.funnel(everyone, by=("level",)).frame["level"]) == ["assistant", "social_worker", "senior"]


def test_an_unknown_grouping_names_the_nearest():
    with pytest.raises(ParameterError, match="did you mean 'district'"):
        talent.funnel(EXAMS, by=("districts",))


TITLES = pd.DataFrame(
    [("p", "supervisor", "320613", "2022-01-01"), ("q", "lecturer", "320614", "2025-01-01")],
    columns=["person_id", "title", "district", "awarded"],
).assign(awarded=lambda frame: pd.to_datetime(frame["awarded"]))


def test_the_ladder_puts_each_candidate_on_the_highest_rung_reached_by_the_day():
    result = talent.ladder(TITLES, EXAMS, at="2024-12-31")
    assert result[result > 0].to_dict() == {"assistant": 1, "social_worker": 1, "senior": 1, "supervisor": 1}
    assert talent.ladder(TITLES, EXAMS, at="2023-12-31")["assistant"] == 1


def services(rows):
    columns = ["district", "quarter", "field", "caseload", "outcome_numerator", "outcome_denominator"]
    return pd.DataFrame(rows, columns=columns)


def test_outcome_rates_count_only_what_was_assessed():
    table = services(
        [
            ("320613", "2025Q4", "drug", 100, 45, 50),
            ("320614", "2025Q4", "drug", 30, np.nan, np.nan),
            ("320613", "2025Q3", "drug", 90, 1, 50),
        ]
    )
    result = talent.outcomes(table, quarter="2025Q4", by=("field",))
    row = result.iloc[0]
    assert (row["caseload"], row["outcome_denominator"], row["rate"]) == (130, 50, 0.9)


def test_an_outcome_above_its_denominator_is_named_with_its_row():
    table = services([("320613", "2025Q4", "drug", 100, 60, 50)])
    with pytest.raises(DataError) as caught:
        talent.outcomes(table, quarter="2025Q4")
    assert [(fault.row, fault.column) for fault in caught.value.faults] == [(2, "outcome_numerator")]


def contracts(amounts, **changes):
    frame = pd.DataFrame({"amount": amounts, "provider": [f"p{at}" for at in range(len(amounts))]})
    base = {
        "district": "320613",
        "signed": pd.Timestamp("2024-03-01"),
        "level": "town",
        "field": "drug",
        "social_worker_share": 0.8,
        "labour_share": 0.9,
    }
    return frame.assign(contract_id=[f"c{at}" for at in frame.index], **{**base, **changes})


def test_concentration_is_that_of_the_four_firm_example_of_the_merger_guidelines():
    result = talent.purchase(contracts([30, 30, 20, 20]))
    assert result.hhi == pytest.approx(0.26)
    assert result.frame["share"].tolist() == [1.0]


def test_contracts_below_a_provincial_floor_are_listed():
    table = contracts([10, 10, 10], labour_share=[0.79, 0.8, 0.9], social_worker_share=[0.7, 0.75, 0.9])
    result = talent.purchase(table)
    assert result.breaches[["contract_id", "column"]].values.tolist() == [
        ["c0", "social_worker_share"],
        ["c0", "labour_share"],
    ]
    assert result.frame["below_floor"].tolist() == [1]


def test_the_period_of_signature_bounds_the_contracts():
    table = contracts([10, 20])
    table.loc[1, "signed"] = pd.Timestamp("2025-03-01")
    assert talent.purchase(table, until="2024-12-31").total == 10
    assert talent.purchase(table, by=("year",)).frame["amount"].tolist() == [10, 20]


def test_placement_counts_who_is_in_post_certified_and_supervises_in_the_same_districts():
    workers = pd.DataFrame(
        [("w1", "2020-01-01", None), ("w2", "2020-01-01", "2025-06-30"), ("w3", "2025-03-01", None)],
        columns=["worker_id", "entered", "left"],
    ).assign(district="320613", kind="community")
    workers[["entered", "left"]] = workers[["entered", "left"]].apply(pd.to_datetime)
    changes = pd.DataFrame(
        [("w1", "2020-01-01", "assistant"), ("w3", "2025-03-01", "unknown")],
        columns=["worker_id", "date", "certificate"],
    ).assign(date=lambda frame: pd.to_datetime(frame["date"]))
    titles = TITLES.assign(person_id=["w1", "w9"])
    found = talent.placement(workers, changes, EXAMS, titles, quarter="2025Q4").frame.set_index("district")
    counts = ["headcount", "known", "certified", "passed", "passed_employed", "supervisors"]
    assert found.loc["320613", counts].tolist() == [2, 1, 1, 2, 1, 1]
    assert found.loc["total", counts].tolist() == [2, 1, 1, 2, 1, 1]


PUBLISHED = areas.reference("published_facts")


def compared(published):
    return talent.yardstick(published).set_index("indicator").loc["exam_passed"]


def test_passes_of_both_cities_are_compared_from_the_published_file():
    passes = compared(PUBLISHED)
    by_area = PUBLISHED[PUBLISHED["indicator"] == "exam_passed"].set_index("area")["value"]
    assert passes["gap"] == by_area["320500"] - by_area["320600"]
    assert 0 < passes["years_behind"] < 2


def test_a_changed_published_figure_changes_the_yardstick():
    changed = PUBLISHED.copy()
    here = (changed["area"] == "320600") & (changed["indicator"] == "exam_passed")
    changed.loc[here, "value"] = 4000
    assert compared(changed)["gap"] < compared(PUBLISHED)["gap"]


def test_bounds_stay_bounds_in_words():
    shown = talent.published_figures(PUBLISHED, "zh").set_index(["area", "indicator"])["stated"]
    assert shown["320600", "发动报考人数（非报名人数）"] == "近20,000"
    assert shown["320500", "累计购买服务资金（元）"] == "超200,000,000"


def test_a_bound_is_never_subtracted():
    changed = PUBLISHED.copy()
    changed.loc[changed["indicator"] == "exam_passed", "bound"] = "lower"
    assert talent.yardstick(changed).empty


def read_from(frame, name, source="demo"):
    return with_provenance(frame, Provenance([Read("tables", name, source=source, personal=name != "stations")]))


@pytest.fixture
def yardstick():
    """Every published fact beside a register of twelve lecturers and one of three town stations."""
    lecturers = pd.DataFrame({"person_id": [f"p{n}" for n in range(12)], "title": "lecturer", "district": "320613"})
    stations = pd.DataFrame({"district": ["320613"] * 3, "level": "town", "opened": pd.Timestamp("2019-01-01")})
    registers = {
        "talent": read_from(lecturers.assign(awarded=pd.Timestamp("2020-01-01")), "talent"),
        "stations": read_from(stations.assign(closed=pd.NaT), "stations"),
    }
    return talent.beside_suzhou(PUBLISHED, population=areas.population(), registers=registers, at="2025-12-31")


def test_every_published_fact_stands_in_the_yardstick_as_the_bound_it_is(yardstick):
    stated = talent.published_figures(PUBLISHED, "zh")["stated"].replace("", None)
    rows = yardstick.frame[yardstick.frame["source"].notna()].set_index(["area", "indicator"])["published_figure"]
    wanted = pd.Series(stated.to_numpy(), pd.MultiIndex.from_frame(PUBLISHED[["area", "indicator"]]))
    assert rows[wanted.index].fillna("").tolist() == wanted.fillna("").tolist()


def test_published_rows_stand_exactly_beside_protected_rows_of_the_registers(yardstick):
    shown = disclosure.protected(yardstick)
    where = {"period": "2025年12月31日", "area": "320600"}
    assert shown.figure("register_figure", indicator="lecturers", **where).value == 10
    assert shown.figure("register_figure", indicator="town_stations", **where).value == 3
    suzhou = {"period": "2024年", "area": "320500"}
    assert shown.text(shown.data.index[shown.data["indicator"].eq("lecturers")][0], "published_figure") == "33"
    assert shown.figure("gap", indicator="exam_passed", **suzhou).value == 5092 - 3671
    assert yardstick.frame.loc[yardstick.frame["indicator"] == "lecturers", "gap"].isna().all()


def test_figures_per_ten_thousand_use_the_census_of_each_city_and_no_bound_has_one(yardstick):
    population = areas.population()
    passes = yardstick.frame.set_index(["indicator", "area"])
    nantong = population.loc[population["code"].str.startswith("3206"), "population"].sum()
    assert passes.loc[("exam_passed", "320600"), "per_10000"] == pytest.approx(10_000 * 3671 / nantong)
    assert math.isnan(passes.loc[("exam_mobilised", "320600"), "per_10000"])


def test_text_where_a_number_is_needed_is_refused():
    changed = PUBLISHED.astype({"value": object})
    changed.loc[3, "value"] = ">17000"
    with pytest.raises(DataError) as caught:
        talent.yardstick(changed)
    assert [(fault.row, fault.column, fault.value) for fault in caught.value.faults] == [(5, "value", ">17000")]


def test_register_indicators_count_nantong_alone_as_of_the_day():
    stations = pd.DataFrame(
        [
            ("320613", "town", "2019-01-01", None),
            ("320613", "village", "2030-01-01", None),
            ("320505", "town", "2019-01-01", None),
        ],
        columns=["district", "level", "opened", "closed"],
    )
    stations[["opened", "closed"]] = stations[["opened", "closed"]].apply(pd.to_datetime)
    workers = pd.DataFrame(
        {
            "district": ["320613"],
            "entered": [pd.Timestamp("2020-01-01")],
            "left": [pd.NaT],
            "kind": ["drug"],
            "worker_id": ["w"],
        }
    )
    registers = {"exams": EXAMS, "stations": stations, "workers": workers, "talent": TITLES}
    found = talent.register_indicators(registers, at="2024-12-31")
    assert {name: value for name, (value, _) in found.items() if value} == {
        "exam_passed_cumulative": 4,
        "town_stations": 1,
        "drug_social_workers": 1,
    }
    assert found["village_rooms"] == (0, "stations")
