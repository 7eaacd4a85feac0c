"""What results of talent tell: totals that say whom they hold, figures of few persons as bounds, contracts exactly."""

import numpy as np
import pandas as pd
import pytest

from institute_lib import areas, disclosure, talent
from institute_lib.result import Provenance, with_provenance
from institute_lib.sharing import Read

HAIAN, CHONGCHUAN = "320685", "320613"
POPULATION = pd.DataFrame({"code": [CHONGCHUAN, HAIAN], "population": [1_000_000, 500_000]})


def read(frame, name, *, personal=True):
    return with_provenance(frame, Provenance([Read("tables", name, source="register", personal=personal)]))


def published(frame):
    return with_provenance(frame, Provenance([Read("reference", "population_2020", source="published")]))


def exams(passed, *, sat=200, year=2025):
    """Who sat in a year, by district and how many of them passed."""
    rows = [
        {"candidate_id": f"{code}-{year}-{n}", "district": code, "passed": n < count, "worker_id": None}
        for code, count in passed.items()
        for n in range(sat)
    ]
    frame = pd.DataFrame(rows).assign(exam_date=pd.Timestamp(year, 6, 10), level="assistant", stock=False)
    return frame.assign(registered=True, sat=True)


def services(rows):
    columns = ["district", "quarter", "field", "caseload", "outcome_numerator", "outcome_denominator"]
    return read(pd.DataFrame(rows, columns=columns), "services")


def contracts(rows):
    frame = pd.DataFrame(rows, columns=["district", "signed", "field", "amount", "social_worker_share"])
    frame = frame.assign(contract_id=[f"c{at}" for at in frame.index], provider="p", level="town", labour_share=0.9)
    return read(frame.assign(signed=pd.to_datetime(frame["signed"])), "procurement", personal=False)


def test_passes_of_few_read_as_bounds_and_the_city_holds_every_district():
    sat = read(exams({CHONGCHUAN: 53, HAIAN: 7}), "exams")
    shown = disclosure.protected(talent.passes_by_district(sat, population=published(POPULATION)))
    cells = {code: shown.figure("exam_passed", district=code).cell("zh") for code in (CHONGCHUAN, HAIAN, "total")}
    assert cells == {CHONGCHUAN: "≥40", HAIAN: "<10", "total": "60"}  # 60 less 7 is 53, and no figure of its own
    assert shown.figure("exam_pass_rate", district=HAIAN).state == "below"
    assert shown.figure("holders_per_10000", district=CHONGCHUAN).value == pytest.approx(0.55)


def test_the_years_sentence_gives_passes_growth_and_the_pass_rate():
    sat = read(pd.concat([exams({HAIAN: 40}, year=2024), exams({HAIAN: 60}, year=2025)]), "exams")
    nobody = pd.DataFrame({"worker_id": ["w"], "entered": pd.Timestamp("2020-01-01"), "left": pd.NaT})
    shown = disclosure.protected(talent.passes(sat, workers=read(nobody, "workers"), at="2025-12-31"))
    said = shown.summary("zh")
    assert "海安市2025年职业资格考试通过60人，比上年增长50.0%（变化的95%区间" in said
    assert "通过率30.0%" in said
    assert "上升10.0个百分点" in said


def test_a_growth_is_that_of_the_counts_that_are_shown_and_of_few_there_is_none():
    nobody = pd.DataFrame({"worker_id": ["w"], "entered": pd.Timestamp("2020-01-01"), "left": pd.NaT})
    grown = []
    for before, after in ((38, 58), (42, 62), (9, 60)):
        sat = read(pd.concat([exams({HAIAN: before}, year=2024), exams({HAIAN: after}, year=2025)]), "exams")
        found = talent.passes(sat, workers=read(nobody, "workers"), at="2025-12-31").frame.iloc[-1]
        grown.append(
            found[["passed_growth", "passed_growth_low", "passed_growth_high"]].astype(float).round(1).tolist()
        )
    assert grown[0] == grown[1]
    assert grown[0][0] == 50.0
    assert pd.isna(grown[2]).all()


def test_a_pass_rate_is_not_compared_over_a_year_without_an_examination():
    sat = read(pd.concat([exams({HAIAN: 40}, year=2023), exams({HAIAN: 60}, year=2025)]), "exams")
    nobody = pd.DataFrame({"worker_id": ["w"], "entered": pd.Timestamp("2020-01-01"), "left": pd.NaT})
    frame = talent.passes(sat, workers=read(nobody, "workers"), at="2025-12-31").frame
    assert frame["pass_rate_before"].isna().all()


def test_outcomes_stand_by_quarter_with_the_year_before_in_the_sentence():
    rows = [(HAIAN, quarter, "drug", 300, reached, 200) for quarter, reached in (("2024Q4", 100), ("2025Q4", 150))]
    shown = disclosure.protected(talent.outcome_history(services(rows), quarter="2025Q4"))
    assert shown.figure("outcome_reached", quarter="2025Q4").value == 0.75
    assert "上升25.0个百分点" in shown.summary("zh")
    assert shown.figure("outcome_reached", quarter="2025Q1").state == "missing"


def test_a_years_purchase_leaves_other_years_out_and_tells_contracts_exactly():
    bought = contracts(
        [
            (CHONGCHUAN, "2025-03-01", "drug", 1_234_567.0, 0.7),
            (CHONGCHUAN, "2024-12-31", "drug", 500_000.0, 0.9),
            (CHONGCHUAN, "2026-01-01", "drug", 900_000.0, 0.9),
        ]
    )
    total = talent.purchase_total(
        bought, population=published(POPULATION), districts=[CHONGCHUAN, HAIAN], quarter="2025Q4"
    )
    shown = disclosure.protected(total)
    assert shown.figure("purchase_yuan", quarter="2025Q4").value == 1_234_567
    assert shown.figure("purchase_per_resident", quarter="2025Q4").value == pytest.approx(1_234_567 / 1_500_000)
    assert shown.figure("contracts", quarter="2025Q4").value == 1
    assert shown.figure("below_floor", quarter="2025Q4").value == 1


def test_money_per_case_is_that_of_the_districts_whose_caseload_is_known():
    bought = contracts([(code, "2025-03-01", "drug", 100_000.0, 0.9) for code in (CHONGCHUAN, HAIAN)])
    cases = services([(HAIAN, f"2025Q{n}", "drug", 50 + n, 20, 40) for n in (1, 2, 3, 4)])
    found = talent.purchase_of_year(
        bought, population=published(POPULATION), districts=[CHONGCHUAN, HAIAN], services=cases, quarter="2025Q4"
    )
    row = found.frame.set_index("field").loc["drug"]
    assert row["amount"] == 200_000
    assert row["per_case"] == pytest.approx(100_000 / 55)  # a mean of 52.5 cases, in fives


def test_a_caseload_under_ten_has_no_money_per_case():
    bought = contracts([(HAIAN, "2025-03-01", "drug", 100_000.0, 0.9)])
    cases = services([(HAIAN, f"2025Q{n}", "drug", 9, 2, 4) for n in (1, 2, 3, 4)])
    found = talent.purchase_of_year(
        bought, population=published(POPULATION), districts=[HAIAN], services=cases, quarter="2025Q4"
    )
    assert found.frame["per_case"].isna().all()


def test_the_years_from_certificate_to_title_of_a_few_are_not_told():
    passed = read(exams({HAIAN: 9}).assign(worker_id=lambda frame: frame["candidate_id"]), "exams")
    held = passed[passed["passed"]].rename(columns={"worker_id": "person_id"})[["person_id", "district"]]
    titles = read(held.assign(title="supervisor", awarded=pd.Timestamp("2025-12-01")), "talent")
    shown = disclosure.protected(talent.years_to_supervisor(titles, passed, at="2025-12-31"))
    assert shown.figure("median", title="any").state == "hidden"
    assert shown.figure("known", title="any").cell("zh") == "<10"


def register(code, people, leavers):
    """Workers of a district, certified in 2021, of whom some leave in 2024, and who passed since."""
    names = [f"{code}-{n}" for n in range(people)]
    spells = pd.DataFrame({"worker_id": names, "kind": "agency", "district": code, "field": "drug"})
    spells = spells.assign(entered=pd.Timestamp("2019-01-01"), town=None)
    spells["left"] = [pd.Timestamp("2024-05-01") if n < leavers else pd.NaT for n in range(people)]
    states = pd.DataFrame({"worker_id": names, "date": pd.Timestamp("2021-06-01"), "certificate": "assistant"})
    sat = pd.concat([exams({code: 20}, sat=60, year=year) for year in (2023, 2024, 2025)])
    return sat, spells, states


def test_a_district_stands_in_its_own_brief_as_in_its_citys_and_the_city_is_their_sum():
    parts = [register(CHONGCHUAN, 80, 6), register(HAIAN, 40, 12)]
    frames = [
        read(pd.concat(one, ignore_index=True), name)
        for one, name in zip(zip(*parts, strict=True), ("exams", "workers", "worker_changes"), strict=True)
    ]
    asked = {"at": "2025-12-31", "among": [CHONGCHUAN, HAIAN], "population": published(areas.population())}
    city = talent.outlook(*frames, area=[CHONGCHUAN, HAIAN], **asked)
    own = talent.outlook(*frames, area=[HAIAN], **asked)
    pd.testing.assert_frame_equal(city.ends.frame, own.ends.frame)
    ends = city.ends.frame.set_index(["district", "scenario", "year"])["expected"]
    whole = city.course.frame.set_index(["scenario", "year"])["expected"]
    course = own.course.frame.set_index(["scenario", "year"])["expected"]
    assert course["today", "2030"] == ends[HAIAN, "today", "2030"]
    assert whole["today", "2030"] == pytest.approx(ends[HAIAN, "today", "2030"] + ends[CHONGCHUAN, "today", "2030"])
    assert "2025" not in set(own.course.frame["year"])  # the opening stock is a count, and no projection


def test_a_register_without_two_year_ends_is_projected_nowhere_and_says_why():
    sat, spells, states = register(HAIAN, 40, 12)
    frames = (read(sat, "exams"), read(spells, "workers"), read(states, "worker_changes"))
    asked = {"among": [HAIAN], "population": published(areas.population())}
    found = talent.outlook(*frames, at="2020-03-31", area=[HAIAN], **asked)
    assert (found.course, found.ends) == (None, None)
    assert found.why == "talent.projection_too_early"


def test_needs_have_a_total_of_all_fields():
    people = pd.DataFrame({"worker_id": [f"w{n}" for n in range(60)], "kind": "community", "district": HAIAN})
    people = people.assign(entered=pd.Timestamp("2020-01-01"), left=pd.NaT, field=["drug", "elderly"] * 30)
    states = pd.DataFrame({"worker_id": people["worker_id"], "date": pd.Timestamp("2020-01-01")})
    states = states.assign(certificate=["none", "assistant"] * 30, supervised=True, training_hours=10.0)
    found = talent.needs_by_field(read(people, "workers"), read(states, "worker_changes"), at="2025-12-31")
    shown = disclosure.protected(found)
    assert shown.figure("uncertified_share", field="total").value == 0.5
    assert shown.figure("short_share", field="total").state == "above"  # all thirty of the certified
    assert "禁毒" in shown.summary("zh")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_sentence_speaks_both_languages(language):
    rows = [(HAIAN, str(one), "drug", 300, 150, 200) for one in pd.period_range("2023Q1", "2025Q4", freq="Q")]
    of_services = services(rows)
    bought = contracts([(HAIAN, "2025-03-01", "drug", 1000.0, 0.9)])
    population = published(POPULATION)
    facts = areas.reference("published_facts")
    results = [
        talent.outcome_history(of_services, quarter="2025Q4"),
        talent.control_result(of_services, quarter="2025Q4", language=language),
        talent.purchase_total(bought, population=population, districts=[HAIAN], quarter="2025Q4"),
        talent.beside_suzhou(facts, population=population, registers={}, at="2025-12-31", language=language),
    ]
    for result in results:
        said = disclosure.protected(result, language=language).summary(language)
        assert said
        assert "{" not in said


def test_a_quarter_without_signals_lists_none():
    rows = [(HAIAN, str(one), "drug", 300, 150, 200) for one in pd.period_range("2023Q1", "2025Q4", freq="Q")]
    assert talent.signal_list(services(rows), quarter="2025Q4") is None


def test_a_register_of_less_than_four_quarters_gives_no_years_total():
    bought = contracts([(HAIAN, "2025-07-01", "drug", 1000.0, 0.9)])
    asked = {"population": published(POPULATION), "districts": [HAIAN], "quarter": "2025Q4"}
    total = disclosure.protected(talent.purchase_total(bought, **asked))
    assert total.figure("purchase_yuan", quarter="2025Q4").state == "missing"
    assert "不足四个季度" in total.summary("zh")
    assert talent.purchase_of_year(bought, services=services([]), **asked) is None


def test_a_group_without_anybody_reads_like_one_with_a_few():
    few = read(exams({CHONGCHUAN: 3, HAIAN: 0}, sat=5).assign(subjects_failed="practice"), "exams")
    levels = disclosure.protected(talent.passes_by_level(few[few["district"] == HAIAN]))
    assert {levels.text(place, "sat") for place in range(3)} == {"<10"}
    subjects = disclosure.protected(talent.failed_subjects(few))
    assert {subjects.text(place, "failed_share") for place in np.flatnonzero(subjects.data["district"] == HAIAN)} == {
        "＊"
    }
    spell = {"worker_id": ["w"], "kind": "community", "district": HAIAN, "town": None, "field": "drug"}
    nobody = read(pd.DataFrame(spell).assign(entered=pd.Timestamp("2020-01-01"), left=pd.NaT), "workers")
    state = {"certificate": "senior", "subsidy": 0.0, "supervised": True, "training_hours": 40.0}
    states = read(pd.DataFrame({"worker_id": ["w"], "date": pd.Timestamp("2020-01-01"), **state}), "worker_changes")
    bill = disclosure.protected(talent.subsidies(nobody, states, at="2025-12-31"))
    rows = [[bill.text(place, name) for name in ("headcount", "monthly", "yearly")] for place in range(3)]
    assert rows == [["<10", "＊", "＊"]] * 3
    needs = disclosure.protected(talent.needs_by_field(nobody, states, at="2025-12-31"))
    assert {needs.text(place, "uncertified_share") for place in range(len(needs.data))} == {"＊"}
