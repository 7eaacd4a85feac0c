"""A policy as a notebook shows it: rounded counts, findings with their verdicts, and panels of one's own."""

import re

import numpy as np
import pandas as pd
import pytest

from institute_lib import areas, disclosure, policy, sharing
from institute_lib.errors import DataError, DisclosureError, ParameterError
from institute_lib.result import Provenance, with_provenance
from institute_lib.sharing import Read

QUARTERS = [str(one) for one in pd.period_range("2019Q1", "2025Q4", freq="Q")]
OWN = Provenance([Read("files", "panel.csv", source="own", personal=False)])
DEMO = Provenance([Read("tables", "district_panel", "2025-12-31", source="demo", personal=True)])
YEARS = range(2000, 2012)
COLUMNS = {"outcome": "rate", "unit": "state", "period": "year"}
# Districts of cities without a policy of their own; the last eight adopt a programme.
KNOWN = [
    one.code
    for city in ("320100", "320200", "320300", "320400", "320700", "320800", "320900", "321000")
    for one in areas.districts(city)[:4]
]


@pytest.fixture(autouse=True)
def forgotten():
    sharing.forget_reads()
    yield
    sharing.forget_reads()


@pytest.fixture
def panel():
    """The institute's panel: an effect of ten points in 320613 from 2025Q1; eight districts adopt in 2022Q1."""
    rng = np.random.default_rng(4)
    rows = pd.MultiIndex.from_product([["320613", "320612", *KNOWN], QUARTERS], names=["district", "quarter"])
    rows = rows.to_frame(index=False)
    place = pd.factorize(rows["district"])[0]
    rows["headcount"] = 303.0 + 50 * place
    rows["certified_share"] = 0.3 + 0.01 * pd.factorize(rows["quarter"])[0] + 0.004 * rng.normal(size=len(rows))
    rows["stay_rate"] = 0.9 + 0.004 * rng.normal(size=len(rows))
    rows["treated_from"] = rows["district"].map(dict.fromkeys(KNOWN[-8:], "2022Q1"))
    rows.loc[(rows["district"] == "320613") & (rows["quarter"] >= "2025Q1"), "certified_share"] += 0.1
    on = rows["treated_from"].notna() & (rows["quarter"] >= "2022Q1")
    rows.loc[on, "certified_share"] += 0.05
    return with_provenance(rows, DEMO)


@pytest.fixture
def ledger():
    row = {"policy_id": "pilot", "area": "320613", "treated_from": "2025Q1", "partial_quarter": "2024Q4"}
    row |= {"name_zh": "试点", "name_en": "Pilot", "start": pd.Timestamp("2024-11-08")}
    rows = [
        row | {"outcome": name, "recorded": pd.Timestamp("2026-11-23")} for name in ("certified_share", "stay_rate")
    ]
    published = Provenance([Read("tables", "policies", source="published", personal=False)])
    return with_provenance(pd.DataFrame(rows), published)


def states(units=30, treated=("State 1",), start=2006, effect=2.0):
    """A panel of one's own, with names that hold numbers."""
    rng = np.random.default_rng(1)
    frame = pd.MultiIndex.from_product([[f"State {k}" for k in range(1, units + 1)], YEARS], names=["state", "year"])
    frame = frame.to_frame(index=False)
    frame["rate"] = 10 + 0.1 * frame["year"] + rng.normal(0, 0.3, len(frame))
    frame.loc[frame["state"].isin(treated) & (frame["year"] >= start), "rate"] += effect
    return with_provenance(frame, OWN)


def said(result, language="zh") -> str:
    return str(disclosure.protected(result, language=language).summary(language))


# --- persons ---


def test_shares_of_persons_are_those_of_rounded_counts_and_others_stay():
    frame = pd.DataFrame(
        {
            "district": ["320613", "320612", "320614"],
            "quarter": "2025Q4",
            "headcount": [203.0, 9.0, 98.0],
            "certified_share": [61 / 203, 0.5, 97 / 98],
            "stay_rate": [1.0, 1.0, np.nan],
            "town_money_share": [0.123, 0.5, 0.456],
        }
    )
    found = policy.rounded(frame)
    assert found["district"].tolist() == ["320613", "320614"]  # nine workers are too few for any figure
    assert found["headcount"].tolist() == [205, 100]
    assert found["certified_share"].tolist() == [60 / 205, 95 / 100]
    assert found["stay_rate"].iloc[0] == 1
    assert np.isnan(found["stay_rate"].iloc[1])
    assert found["town_money_share"].tolist() == [0.123, 0.456]


def test_one_persons_coming_or_going_leaves_nothing_to_see_but_at_a_step():
    """Two panels that differ by one certificate give the same figures of every kind, unless a count crosses a step."""
    frame = pd.DataFrame({"district": ["320613"], "quarter": ["2025Q4"], "headcount": [203.0], "stay_rate": [1.0]})
    shares = [policy.rounded(frame.assign(certified_share=n / 203))["certified_share"].iloc[0] for n in range(58, 63)]
    assert len(set(shares)) == 1


def test_districts_of_fewer_than_ten_show_no_effect(panel, ledger):
    assert policy.assess(panel, ledger, policy_id="pilot").effects is not None
    for few in (panel.assign(headcount=9.0), panel.iloc[:0]):
        found = policy.assess(with_provenance(few, DEMO), ledger, policy_id="pilot")
        assert found.effects is None
        assert found.programme is None
        assert isinstance(found.findings[0], str)


# --- findings ---


def test_a_finding_says_the_effect_each_quarter_the_verdict_and_when_the_ledger_was_written(panel, ledger):
    found = policy.assess(panel, ledger, policy_id="pilot")
    sentence = said(found.findings[0])
    effect = found.evaluation.effects["certified_share"]
    assert sentence.startswith("崇川区自2025年一季度起，社区工作者持证率平均上升")
    assert f"{100 * effect.att:.1f}个百分点" in sentence
    assert len(re.findall("2025年.季度", sentence)) == 5  # the start, then four quarters
    assert "已按2个指标一起判断。" in sentence
    assert found.evaluation.verdicts(relevant=0.01)["certified_share"].word("zh") in sentence
    assert "设定于2026年11月23日记入台账，晚于政策起始（2024年11月8日）" in sentence


def test_the_verdict_of_each_outcome_is_that_of_the_corrected_p(panel, ledger):
    found = policy.assess(panel, ledger, policy_id="pilot")
    for outcome, verdict in found.evaluation.verdicts(relevant=0.01).items():
        assert verdict.sentence("zh").strip() in said(found.finding(outcome))


def test_an_interval_within_one_point_says_that_there_was_no_effect_that_matters(panel, ledger):
    flat = panel.assign(stay_rate=0.9 + 1e-4 * np.random.default_rng(0).normal(size=len(panel)))
    flat["headcount"] *= 10  # so that rounding costs little
    found = policy.assess(with_provenance(flat, DEMO), ledger, policy_id="pilot")
    assert "结论：没有" in said(found.finding("stay_rate"))
    strict = policy.assess(with_provenance(flat, DEMO), ledger, policy_id="pilot", relevant=1e-6)
    assert "结论：不能确定" in said(strict.finding("stay_rate"))


def test_every_table_of_a_share_reads_in_points_and_every_level_in_per_cent(panel, ledger):
    found = policy.assess(panel, ledger, policy_id="pilot")
    for result in (found.effects, found.gap, found.placebos, found.choices, found.programme, found.methods):
        assert result.measures[0].unit == "points"
    assert {one.unit for one in found.path("stay_rate").measures} == {"share"}
    assert {result.persons for result in (found.effects, found.trends, found.weights)} == {"persons"}


def test_a_policy_that_has_not_begun_says_so_and_estimates_nothing_of_it(panel, ledger):
    early = with_provenance(panel[panel["quarter"] < "2025Q1"], DEMO)
    found = policy.assess(early, ledger, policy_id="pilot")
    assert found.findings[0] == "policy.not_begun"
    assert [found.trends, found.effects, found.gap, found.next, *found.doubts] == [None] * 4
    assert disclosure.protected(found.headline).figure("pilot_effect").state == "missing"
    assert found.programme is not None


def test_the_joint_test_before_adoption_is_shown_with_what_it_cannot_do(panel, ledger):
    found = policy.assess(panel, ledger, policy_id="pilot")
    shown = disclosure.protected(found.pretrend)
    assert shown.figure("p_value").value == pytest.approx(found.staggered.headline.pretrend.p_value, rel=0.01)
    assert found.pretrend.notes == ("policy.pretrend_limits",)


def test_sensitivity_is_that_of_the_reported_average(panel, ledger):
    found = policy.assess(panel, ledger, policy_id="pilot")
    expected = policy.sensitivity(found.staggered.headline, m=(0.5,), target="att")
    row = found.sensitivity.frame.iloc[0]
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((expected["ci_low"][0], expected["ci_high"][0]))
    assert "所报告的平均效应" in said(found.sensitivity)


def test_the_catalogues_indicator_is_the_effect_as_the_ledger_has_it(panel, ledger):
    assert policy.assess(panel, ledger, policy_id="pilot").headline.keys == ("district",)
    for chosen in ({"outcome": "stay_rate"}, {"start": "2024Q1"}):
        assert policy.assess(panel, ledger, policy_id="pilot", **chosen).headline.keys == ("unit",)


def test_a_policy_of_several_districts_is_a_staggered_programme(panel, ledger):
    programme = pd.DataFrame([ledger.iloc[0].to_dict() | {"policy_id": "programme", "area": ";".join(KNOWN[-8:])}])
    found = policy.assess(panel, pd.concat([ledger, programme]), policy_id="programme")
    columns = {"unit": "district", "period": "quarter", "treated_from": "treated_from"}
    rows = policy.rounded(panel[panel["district"].isin(KNOWN)])
    assert found.staggered.headline.att == policy.staggered(rows, outcome="certified_share", **columns).att
    assert (found.leading, found.effects, found.next) == ("staggered_effect", None, None)
    assert "结论：有" in said(found.findings[0])
    assert "policy.exploratory" not in found.findings


# --- panels of one's own ---


def test_an_own_panel_is_told_in_its_own_units_and_names():
    found = policy.assess(states(), pd.DataFrame(), **COLUMNS, treated_unit="State 1", start="2006")
    sentence = said(found.findings[0], "en")
    effect = found.evaluation.effects["rate"]
    assert sentence.startswith(f"Rate: a change of {effect.att:.2f} on average in State 1 from 2006")
    assert "points" not in sentence
    assert found.leading == "pilot_effect"
    assert found.findings[1] == "policy.exploratory"
    assert found.ledger is found.next is None


def test_several_treated_units_are_a_staggered_design_with_placebos_over_clusters():
    panel = states(treated=("State 1", "State 2"))
    found = policy.assess(panel, pd.DataFrame(), **COLUMNS, treated_unit="State 1; State 2", start="2006")
    columns = panel.assign(first=np.where(panel["state"].isin(["State 1", "State 2"]), 2006, np.nan))
    expected = policy.staggered(columns, **COLUMNS, treated_from="first")
    assert found.staggered.headline.att == pytest.approx(expected.att)
    assert expected.inference == "placebos"
    assert "30个单位中2个推行，只来自2个地方" in said(found.programme_finding)
    assert (found.leading, found.effects, found.outcomes) == ("staggered_effect", None, ())


def test_a_name_that_holds_a_separator_is_one_unit():
    panel = states()
    panel["state"] = panel["state"].replace({"State 1": "A；B"})
    found = policy.assess(with_provenance(panel, OWN), pd.DataFrame(), **COLUMNS, treated_unit="A；B", start="2006")
    assert found.outcomes == ("rate",)


def test_a_column_of_first_treated_periods_is_a_staggered_design():
    panel = states(treated=[f"State {k}" for k in range(1, 9)])
    panel["law"] = np.where(panel["state"].isin([f"State {k}" for k in range(1, 9)]), 2006, np.nan)
    found = policy.assess(with_provenance(panel, OWN), pd.DataFrame(), **COLUMNS, treated_from="law")
    assert "结论：有" in said(found.programme_finding)
    assert disclosure.protected(found.headline).figure("staggered_effect").value == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"treated_unit": "State 99", "start": "2006"}, ParameterError, "面板里没有单位“State 99”"),
        ({"treated_unit": "State 1; Stat 2", "start": "2006"}, ParameterError, "是否要写“State 2”"),
        ({"treated_unit": "State 1"}, ParameterError, "自备面板要写明结果列"),
        ({"treated_from": "laws"}, ParameterError, "面板里没有“laws”这一列"),
        ({"outcome": "rates", "treated_unit": "State 1", "start": "2006"}, ParameterError, "是否要写“rate”"),
        ({"outcome": "state", "treated_unit": "State 1", "start": "2006"}, DataError, "state：有360个值不是有限的数"),
    ],
)
def test_an_own_panel_that_cannot_be_used_is_refused_in_one_sentence(given, error, words):
    with pytest.raises(error) as refused:
        policy.assess(states(), pd.DataFrame(), **(COLUMNS | given))
    assert words in refused.value.say("zh")


def test_a_panel_that_nobody_described_is_taken_to_hold_persons_and_refused():
    panel = with_provenance(states(), Provenance([Read("files", "panel.csv", source="unknown", personal=True)]))
    with pytest.raises(DisclosureError):
        _ = policy.assess(panel, pd.DataFrame(), **COLUMNS, treated_unit="State 1", start="2006").effects
