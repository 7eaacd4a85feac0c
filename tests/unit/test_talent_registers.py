"""What the talent room counts out of registers: who works after passing, who is certified where, what is bought."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from institute_lib import areas, disclosure, talent
from institute_lib.errors import DataError, EstimationError


def days(frame, *names):
    return frame.assign(**{name: pd.to_datetime(frame[name]) for name in names})


def exams(rows, **more):
    columns = ["candidate_id", "exam_date", "district", "level", "registered", "sat", "passed", "worker_id"]
    return days(pd.DataFrame(rows, columns=columns), "exam_date").assign(**{"stock": False, **more})


def workers(rows):
    columns = ["worker_id", "kind", "district", "town", "entered", "left", "field"]
    return days(pd.DataFrame(rows, columns=columns), "entered", "left")


def changes(rows):
    columns = ["worker_id", "date", "certificate", "subsidy", "supervised", "training_hours"]
    return days(pd.DataFrame(rows, columns=columns), "date")


# --- the funnel -------------------------------------------------------------------------------------------------------

PASSES = exams(
    [
        ("a", "2023-06-10", "320613", "assistant", True, True, True, "w1"),  # employed then, and a year later
        ("b", "2023-06-10", "320613", "assistant", True, True, True, "w2"),  # employed then, gone within the year
        ("c", "2023-06-10", "320613", "assistant", True, True, True, "w3"),  # hired half a year later
        ("d", "2023-06-10", "320613", "assistant", True, True, True, None),  # never in a post
        ("e", "2023-06-10", "320613", "assistant", True, True, False, "w1"),
    ]
)
POSTS = workers(
    [
        ("w1", "agency", "320613", None, "2020-01-01", "2023-12-01", "drug"),
        ("w1", "agency", "320614", None, "2023-12-01", None, "drug"),  # changed posts, still there
        ("w2", "agency", "320613", None, "2020-01-01", "2024-03-01", "drug"),
        ("w3", "agency", "320613", None, "2024-01-10", None, "drug"),
    ]
)


def test_the_funnel_follows_who_passed_into_post_and_a_year_on():
    row = talent.funnel(PASSES, workers=POSTS, at="2025-12-31").frame.iloc[0]
    assert row[["passed", "in_post", "followed", "year_later"]].tolist() == [4, 3, 3, 2]
    assert row["in_post_rate"] == 0.75


def test_nobody_is_followed_beyond_the_day_of_knowledge():
    row = talent.funnel(PASSES, workers=POSTS, at="2024-06-30").frame.iloc[0]
    assert row[["in_post", "followed", "year_later"]].tolist() == [3, 2, 1]  # w3's year is not over


def test_a_denominator_that_is_not_recorded_is_refused_with_the_reason():
    unknown = PASSES.assign(sat=PASSES["sat"].astype(object))
    unknown.loc[0, "sat"] = None
    found = talent.funnel(unknown)
    assert math.isnan(found.frame["pass_rate"].iloc[0])
    assert "the denominator is not known" in found.warnings[0]
    assert "2023" in found.warnings[0]


def test_counts_work_as_well_as_persons():
    counts = exams([(None, "2023-06-10", "320613", "assistant", 120, 100, 30, None)])
    row = talent.funnel(counts).frame.iloc[0]
    assert row[["registered", "sat", "passed", "pass_rate"]].tolist() == [120, 100, 30, 0.3]


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("passed", 101, ("passed", 101)),
        ("sat", 121, ("sat", 121)),
        ("level", "master", ("level", "master")),
        ("registered", ">17000", ("registered", ">17000")),
        ("sat", -5, ("sat", -5)),
    ],
)
def test_examinations_that_cannot_be_are_named_with_row_and_column(column, value, expected):
    counts = exams([(None, "2023-06-10", "320613", "assistant", 120, 100, 30, None)] * 3).astype({column: object})
    counts.loc[1, column] = value
    with pytest.raises(DataError) as caught:
        talent.funnel(counts)
    assert (3, *expected) in [(fault.row, fault.column, fault.value) for fault in caught.value.faults]


# --- the ladder -------------------------------------------------------------------------------------------------------


def titles(rows):
    return days(pd.DataFrame(rows, columns=["person_id", "title", "district", "awarded"]), "awarded")


def test_the_time_to_supervisor_runs_from_the_first_certificate_to_the_first_title():
    passed = exams(
        [
            ("a", "2019-06-15", "320613", "assistant", True, True, True, "w1"),
            ("a", "2021-06-15", "320613", "social_worker", True, True, True, "w1"),
            ("b", "2020-06-15", "320613", "assistant", True, True, True, "w2"),
            ("c", "2018-12-31", "320613", "assistant", True, True, True, "w3"),
        ],
        stock=[False, False, False, True],
    )
    held = titles(
        [
            ("w1", "supervisor_trainee", "320613", "2021-06-15"),
            ("w1", "supervisor", "320613", "2023-06-15"),
            ("w2", "supervisor", "320613", "2024-06-15"),
            ("w3", "supervisor", "320613", "2022-01-01"),
            ("w9", "supervisor", "320613", "2022-01-01"),
        ]
    )
    found = talent.time_to_supervisor(held, passed, at="2025-12-31")
    row = found.set_index("title")
    assert row.loc["any", ["persons", "known", "earlier"]].tolist() == [4, 2, 1]
    assert row.loc["any", "median"] == pytest.approx(3.0, abs=0.01)  # 2 and 4 years
    assert row.loc["supervisor", "median"] == pytest.approx(4.0, abs=0.01)
    assert talent.time_to_supervisor(held, passed, at="2021-12-31")["persons"].tolist() == [1, 1, 0]


def test_a_title_that_does_not_exist_is_named_with_its_row():
    with pytest.raises(DataError) as caught:
        talent.ladder(titles([("w1", "hero", "320613", "2021-06-15")]), PASSES, at="2025-12-31")
    assert [(fault.row, fault.column, fault.value) for fault in caught.value.faults] == [(2, "title", "hero")]


# --- community workers ------------------------------------------------------------------------------------------------

FORCE = workers(
    [
        ("c1", "community", "320613", "320613001", "2020-01-01", None, "community"),
        ("c2", "community", "320613", "320613001", "2020-01-01", None, "elderly"),
        ("c3", "community", "320613", "320613002", "2020-01-01", "2024-01-01", "elderly"),
        ("c4", "community", "320613", "320613002", "2020-01-01", None, "elderly"),
        ("a1", "agency", "320613", None, "2020-01-01", None, "drug"),
    ]
)
STATES = changes(
    [
        ("c1", "2020-01-01", "none", 0.0, False, 10.0),
        ("c1", "2023-09-01", "assistant", 300.0, True, 30.0),
        ("c2", "2020-01-01", "none", 0.0, False, 0.0),
        ("c4", "2020-01-01", "unknown", None, None, None),
        ("a1", "2020-01-01", "social_worker", 0.0, True, 20.0),
    ]
)


def test_the_share_certified_by_subdistrict_counts_those_whose_certificate_is_known():
    found = talent.certified_share(FORCE, STATES, at="2025-12-31").set_index("town")
    assert found.loc["320613001", ["headcount", "known", "certified", "share"]].tolist() == [2, 2, 1, 0.5]
    assert found.loc["320613002", ["headcount", "known"]].tolist() == [1, 0]
    assert math.isnan(found.loc["320613002", "share"])
    assert talent.certified_share(FORCE, STATES, at="2022-12-31", by=())["certified"].tolist() == [0]


def test_the_subsidy_bill_is_twelve_months_of_what_is_paid():
    found = talent.subsidy_bill(FORCE, STATES, at="2025-12-31")
    assert found[["certificate", "subsidised", "monthly", "yearly"]].values.tolist() == [
        ["assistant", 1, 300.0, 3600.0]
    ]


@dataclass
class Effect:
    att: float
    se: float
    ci: tuple[float, float]


def test_the_cost_of_one_more_certified_worker_carries_the_effects_interval():
    effect = Effect(0.10, 0.01, (0.08, 0.12))
    row = talent.cost_effectiveness(1_000_000, {"certified_share": effect}, headcount=1000).iloc[0]
    assert (row["additional"], row["estimate"], row["kind"]) == (100, 10_000, "bounded")
    low, high = (1_000_000 / (1000 * (0.10 + sign * 1.959964 * 0.01)) for sign in (1, -1))
    assert (row["low"], row["high"]) == (pytest.approx(low), pytest.approx(high))


def test_an_effect_that_may_be_zero_leaves_the_cost_without_a_limit():
    effect = Effect(0.01, 0.01, (-0.01, 0.03))
    found = talent.cost_effectiveness(1_000_000, {"stay_rate": effect}, headcount=1000)
    assert not found["bounded"].any()
    assert found["kind"].tolist() == ["exclusive"]


def test_a_quarterly_stay_rate_counts_four_times_a_year():
    found = talent.cost_effectiveness(1000, {"stay_rate": Effect(0.01, 0.001, (0, 0))}, headcount=1000)
    assert found["additional"].iloc[0] == 40


def test_costs_that_cannot_be_are_refused():
    effect = {"certified_share": Effect(0.1, 0.01, (0, 0))}
    with pytest.raises(DataError, match="cost"):
        talent.cost_effectiveness(-5, effect, headcount=10)
    with pytest.raises(EstimationError, match="nobody"):
        talent.cost_effectiveness(5, effect, headcount=0)
    with pytest.raises(EstimationError, match="no standard error"):
        talent.cost_effectiveness(5, {"certified_share": Effect(0.1, math.nan, (0, 0))}, headcount=10)


def test_holders_and_community_workers_stand_beside_their_own_target_and_norm():
    population = pd.DataFrame({"code": ["320613"], "population": [20_000]})
    asked = {"at": "2025-12-31", "districts": ["320613"], "population": population}
    frames = {city: talent.against_targets(PASSES, FORCE, area=city, **asked).frame for city in ("320500", "320600")}
    suzhou, nantong = (frame.set_index("target_of") for frame in frames.values())
    assert nantong.loc["certified", ["counted", "per_10000", "stated_target"]].tolist() == [4, 2.0, 28.3]
    assert suzhou.loc["community_workers", ["counted", "stated_target"]].tolist() == [3, 18]
    per = 10_000 * 3 / suzhou.loc["community_workers", "residents"]
    assert suzhou.loc["community_workers", "per_10000"] == pytest.approx(per)
    assert math.isnan(nantong.loc["community_workers", "per_10000"])  # its urban population is not published


def test_the_stated_targets_are_those_of_the_reference_file_and_of_different_kinds():
    facts = areas.reference("other_facts")
    found = talent.targets(facts)
    assert (found["certified"].per_10000, found["community_workers"].per_10000) == (28.3, 18)
    assert found["certified"].per != found["community_workers"].per
    assert found["community_workers"].status == "recalled"
    changed = facts.copy()
    changed.loc[changed["amount"] == 28.3, "amount"] = 31.0
    assert talent.targets(changed)["certified"].per_10000 == 31.0


# --- courses ----------------------------------------------------------------------------------------------------------


def test_a_courses_rates_are_those_of_the_registers_year_ends():
    sat = [
        (f"x{n}", f"{year}-06-10", "320613", "assistant", True, True, n < 2, None)
        for year in (2023, 2024, 2025)
        for n in range(10)
    ]
    people = workers(
        [(f"s{n}", "agency", "320613", None, "2019-01-01", "2024-05-01" if n < 3 else None, "drug") for n in range(12)]
        + [("new", "agency", "320613", None, "2019-01-01", None, "drug")]
    )
    held = changes(
        [(f"s{n}", "2021-06-01", "assistant", 0.0, True, 0.0) for n in range(12)]
        + [("new", "2025-09-01", "assistant", 0.0, True, 0.0)]
    )
    found = talent.worker_courses(exams(sat), people, held, at="2025-12-31", here=["320613"], retention_points=5)
    assert found.start == 2025
    stock = found.stock[found.stock["persons"] > 0].set_index("years_since")["persons"]
    assert stock.to_dict() == {0: 1, 4: 9}
    today = found.exits[found.exits["scenario"] == "today"].set_index("years_since")
    assert today["exit_rate"].to_dict() == {1: 0.0, 2: 0.25, 3: 0.0}
    better = found.exits[found.exits["scenario"] == "retention"].set_index("years_since")["exit_rate"]
    assert better.to_dict() == {1: 0.0, 2: pytest.approx(0.20), 3: 0.0}
    row = found.rates.iloc[0]
    assert (row["candidates"], row["pass_rate"], row["placed"]) == (10, 0.2, pytest.approx(1 / 6))


def test_a_register_that_is_too_young_has_no_course_and_says_why():
    found = talent.worker_courses(PASSES, POSTS, STATES, at="2019-03-31", here=["320613"])
    assert not found.known
    assert "year-ends" in found.warnings[0]


def test_holders_are_persons_with_their_first_certificate_and_none_exits():
    passed = exams(
        [
            ("a", "2018-12-31", "320613", "assistant", True, True, True, None),
            ("b", "2024-06-10", "320613", "assistant", True, True, True, None),
            ("b", "2025-06-10", "320613", "social_worker", True, True, True, None),
            ("c", "2025-06-10", "320613", "assistant", True, True, False, None),
        ],
        stock=[True, False, False, False],
    )
    found = talent.holder_courses(passed, at="2025-12-31", here=["320613"])
    stock = found.stock[found.stock["persons"] > 0].set_index("years_since")["persons"]
    assert stock.to_dict() == {1: 1, 7: 1}
    assert found.exits["exit_rate"].tolist() == [0.0]
    assert found.rates["placed"].tolist() == [0.5]  # one new person in two passes


CITY = ("320612", "320613")


def register_of_two_districts():
    """Candidates, workers and states of two districts, the second with the more passes and the more leavers."""
    sat, people, states = [], [], []
    for code, leavers in zip(CITY, (1, 5), strict=True):
        for n in range(20):
            person = f"{code}-{n}"
            people.append((person, "agency", code, None, "2019-01-01", "2024-05-01" if n < leavers else None, "drug"))
            states.append((person, "2021-06-01", "assistant", 0.0, True, 0.0))
            for year in (2023, 2024, 2025):
                sat.append((f"{person}-{year}", f"{year}-06-10", code, "assistant", True, True, n < leavers, None))
    return exams(sat), workers(people), changes(states)


def test_a_district_is_projected_alike_in_its_citys_brief_and_in_its_own():
    frames = register_of_two_districts()
    ends = []
    for here in (CITY, CITY[:1]):
        courses = talent.worker_courses(*frames, at="2025-12-31", here=here)
        found = talent.project(courses.stock, courses.rates, courses.exits, start=courses.start, draws=200).frame
        ends.append(found[(found["unit"] == CITY[0]) & (found["year"] == 2030)].reset_index(drop=True))
    pd.testing.assert_frame_equal(*ends)


# --- services ---------------------------------------------------------------------------------------------------------


def services(rows):
    columns = ["district", "quarter", "field", "caseload", "outcome_numerator", "outcome_denominator"]
    return pd.DataFrame(rows, columns=[*columns, "schools_covered", "schools"])


def drug(quarters):
    return services([("320613", quarter, "drug", 100, 45, 50, np.nan, np.nan) for quarter in quarters])


def test_three_year_outcomes_belong_to_the_year_of_entry():
    found = talent.cohorts(drug(["2024Q1", "2024Q2", "2024Q3", "2024Q4", "2025Q1"])).set_index("entry_year")
    assert found["outcome_denominator"].to_dict() == {2021: 200, 2022: 50}
    assert found["complete"].to_dict() == {2021: True, 2022: False}


def test_schools_without_their_total_have_no_coverage():
    table = services(
        [
            ("320613", "2025Q4", "school", 9, 1, 2, 3.0, 30.0),
            ("320614", "2025Q4", "school", 9, 1, 2, 4.0, np.nan),
        ]
    )
    found = talent.schools(table, quarter="2025Q4").set_index("district")["share"]
    assert found["320613"] == pytest.approx(0.1)
    assert math.isnan(found["320614"])
    assert math.isnan(talent.schools(table, quarter="2025Q4", by=())["share"].iloc[0])


@pytest.mark.parametrize(
    ("column", "value"),
    [("outcome_numerator", 51), ("schools_covered", 31), ("field", "magic"), ("caseload", "近100")],
)
def test_services_that_cannot_be_are_named_with_row_and_column(column, value):
    table = services([("320613", "2025Q4", "school", 90, 45, 50, 3.0, 30.0)] * 2).astype({column: object})
    table.loc[1, column] = value
    with pytest.raises(DataError) as caught:
        talent.outcomes(table, quarter="2025Q4")
    assert [(fault.row, fault.column, fault.value) for fault in caught.value.faults] == [(3, column, value)]


def test_signals_are_those_of_each_districts_own_control_chart():
    rates = [40] * 8 + [20]
    quarters = [str(one) for one in pd.period_range("2023Q1", periods=9, freq="Q")]
    table = services([("320613", q, "drug", 100, k, 50, np.nan, np.nan) for q, k in zip(quarters, rates, strict=True)])
    found = talent.signals(table)
    assert found[["district", "quarter"]].values.tolist() == [["320613", "2025Q1"]]


def test_a_quarter_that_is_a_signal_does_not_set_the_centre_that_it_is_judged_by():
    quarters = [str(one) for one in pd.period_range("2022Q1", periods=12, freq="Q")]
    reached = [400] * 11 + [250]
    rows = [("320613", q, "drug", 900, k, 500, np.nan, np.nan) for q, k in zip(quarters, reached, strict=True)]
    found = talent.signals(services(rows)).iloc[0]
    assert found["quarter"] == "2024Q4"
    assert (found["centre"], found["baseline_denominator"]) == (0.8, 11 * 500)


def test_the_list_of_signals_rests_on_counts_as_they_are_shown():
    """Two clients more or fewer, who vanish in the rounding, change nothing that is shown."""
    quarters = [str(one) for one in pd.period_range("2022Q1", periods=12, freq="Q")]
    lists = []
    for shift in (-2, 0, 2):
        counts = [400] * 11 + [350 + shift]
        rows = [("320613", q, "drug", 900, k, 500, np.nan, np.nan) for q, k in zip(quarters, counts, strict=True)]
        shown = disclosure.protected(talent.signal_list(services(rows), quarter="2024Q4"))
        lists.append(shown.text_table("zh"))
    assert lists[0] == lists[1] == lists[2]


# --- purchase ---------------------------------------------------------------------------------------------------------


def contracts(**changes):
    base = {
        "district": "320613",
        "signed": pd.to_datetime(["2020-03-01", "2024-03-01", "2024-05-01"]),
        "level": "town",
        "field": "drug",
        "provider": ["p", "p", "q"],
        "amount": [100.0, 200.0, 300.0],
        "social_worker_share": [0.7, 0.8, 0.7],
        "labour_share": 0.9,
    }
    return pd.DataFrame({"contract_id": ["c0", "c1", "c2"], **base, **changes})


def test_floors_bind_from_the_year_the_province_set_them():
    floors = talent.floors()
    assert (floors["social_worker_share"].share, floors["labour_share"].share) == (0.75, 0.80)
    assert floors["labour_share"].since == 2021
    assert talent.purchase(contracts()).breaches["contract_id"].tolist() == ["c2"]  # c0 was signed before


def test_floors_are_read_from_the_reference_file():
    facts = areas.reference("other_facts")
    facts.loc[facts["indicator"].str.startswith("政府购买项目"), "amount"] = 60
    found = talent.purchase(contracts(), bounds=talent.floors(facts))
    assert found.breaches.empty


def test_money_per_resident_and_per_case():
    population = pd.DataFrame({"code": ["320613"], "population": [100]})
    cases = services([("320613", f"2024Q{n}", "drug", 10 * n, 1, 2, np.nan, np.nan) for n in (1, 2, 3, 4)])
    found = talent.purchase(contracts(), by=("year",), population=population, services=cases).frame.set_index("year")
    assert found.loc[2024, "per_resident"] == 5.0
    assert found.loc[2024, "per_case"] == 500 / 25
    assert math.isnan(found.loc[2020, "per_case"])  # no services on record then


def test_providers_are_a_grouping():
    found = talent.purchase(contracts(), by=("provider",)).frame.set_index("provider")
    assert found["amount"].to_dict() == {"p": 300, "q": 300}


@pytest.mark.parametrize(
    ("column", "value"), [("amount", -1.0), ("amount", ">200000000"), ("labour_share", 1.2), ("level", "moon")]
)
def test_contracts_that_cannot_be_are_named_with_row_and_column(column, value):
    table = contracts().astype({column: object})
    table.loc[2, column] = value
    with pytest.raises(DataError) as caught:
        talent.purchase(table)
    assert [(fault.row, fault.column, fault.value) for fault in caught.value.faults] == [(4, column, value)]


# --- training ---------------------------------------------------------------------------------------------------------


def test_subjects_failed_are_out_of_those_who_sat_them():
    rows = [(f"c{n}", "2024-06-10", "320613", "assistant", True, True, n == 0, None) for n in range(4)]
    table = exams(rows, subjects_failed=[None, "ability", "ability;practice", None])
    found = talent.subjects_failed(table).set_index("subject")
    assert found.loc["ability", ["sat", "failed"]].tolist() == [3, 2]  # the last one's subjects are not on record
    assert found.loc["practice", ["sat", "failed"]].tolist() == [3, 1]


def test_a_subject_that_the_level_does_not_have_is_named():
    rows = [("c", "2024-06-10", "320613", "assistant", True, True, False, None)]
    with pytest.raises(DataError) as caught:
        talent.subjects_failed(exams(rows, subjects_failed=["law"]))
    assert [(fault.row, fault.value) for fault in caught.value.faults] == [(2, "law")]


def test_training_needs_compare_hours_with_the_rule_and_leave_unknowns_out():
    found = talent.training_needs(FORCE, STATES, at="2025-12-31")
    fields = found.set_index("field")
    assert fields.loc["elderly", ["headcount", "uncertified", "uncertified_of"]].tolist() == [2, 1, 1]
    assert fields.loc["community", ["short", "short_of"]].tolist() == [0, 1]  # 30 hours, 24 a year are due
    assert fields.loc["drug", ["short", "short_of"]].tolist() == [1, 1]  # 20 hours, 30 a year are due


# --- the yardstick ----------------------------------------------------------------------------------------------------

PUBLISHED = areas.reference("published_facts")


def with_row(**changes):
    row = PUBLISHED[(PUBLISHED["area"] == "320600") & (PUBLISHED["indicator"] == "exam_passed")].iloc[0]
    return pd.concat([PUBLISHED, pd.DataFrame([row.to_dict() | changes])], ignore_index=True)


def test_of_several_periods_the_last_that_both_cities_have_is_compared():
    found = talent.yardstick(with_row(period="2025", value=3900.0)).set_index("indicator").loc["exam_passed"]
    assert (found["here_period"], found["here_value"]) == ("2024", 3671)


def test_a_growth_that_is_a_bound_tells_no_years():
    changed = PUBLISHED.copy()
    changed.loc[changed["indicator"] == "exam_passed_growth", "bound"] = "lower"
    found = talent.yardstick(changed).set_index("indicator").loc["exam_passed"]
    assert found["gap"] == 5092 - 3671
    assert math.isnan(found["years_behind"])


def test_years_behind_are_those_of_the_published_pace():
    found = talent.yardstick(PUBLISHED).set_index("indicator").loc["exam_passed"]
    assert found["years_behind"] == pytest.approx(math.log(5092 / 3671) / math.log(1.40))


def test_figures_in_different_units_are_not_compared():
    changed = PUBLISHED.copy()
    changed.loc[(changed["area"] == "320500") & (changed["indicator"] == "exam_passed"), "unit"] = "percent"
    assert talent.yardstick(changed).empty
