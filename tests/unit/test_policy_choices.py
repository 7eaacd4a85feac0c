"""Around one pilot: with whom it is compared, other choices, several outcomes, conformal tests, and where next."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from institute_lib import policy
from institute_lib.errors import DataError, EstimationError, ParameterError
from institute_lib.policy.conformal import block_p, conformal_test, residuals
from institute_lib.policy.synthetic import METHODS

QUARTERS = [str(one) for one in pd.period_range("2019Q1", "2025Q4", freq="Q")]
# Districts of Nantong, of Suzhou, and of three cities that have no policy of their own.
NANTONG, SUZHOU = ("320613", "320612", "320614"), ("320505", "320506")
OTHERS = ("320102", "320104", "320105", "320205", "320206", "320211", "320302", "320303", "320305")


@pytest.fixture
def panel():
    """All districts move together but for noise; 320105 follows a programme; shares of heads."""
    rng = np.random.default_rng(2)
    rows = pd.MultiIndex.from_product([[*NANTONG, *SUZHOU, *OTHERS], QUARTERS], names=["district", "quarter"])
    rows = rows.to_frame(index=False)
    rows["headcount"] = 100 + 50 * pd.factorize(rows["district"])[0]
    rows["treated_from"] = rows["district"].map({"320105": "2022Q1"})
    trend = rows["quarter"].map({name: 0.01 * k for k, name in enumerate(QUARTERS)})
    rows["certified_share"] = 0.2 + trend + 0.01 * rng.normal(size=len(rows))
    rows["stay_rate"] = 0.9 + 0.01 * rng.normal(size=len(rows))
    own = (rows["district"] == "320613") & (rows["quarter"] >= "2025Q1")
    rows.loc[own, "certified_share"] += 0.1
    return rows


@pytest.fixture
def ledger():
    rows = [
        ("pilot", "320613", "2025Q1", "2024Q4", "certified_share"),
        ("pilot", "320613", "2025Q1", "2024Q4", "stay_rate"),
        ("subsidy", "320500", "2022Q1", None, "certified_share"),
        ("fund", "320583", None, None, "stay_rate"),
        ("programme", "320105;320505", "2022Q1", None, "certified_share"),
    ]
    table = pd.DataFrame(rows, columns=["policy_id", "area", "treated_from", "partial_quarter", "outcome"])
    return table.assign(recorded=pd.Timestamp("2024-10-01"))


def specification(ledger, policy_id="pilot", **choices):
    return policy.specify(ledger, policy_id=policy_id, **choices)


# --- with whom ---


def test_a_district_is_compared_outside_cities_with_a_policy_of_their_own_and_with_its_siblings(panel, ledger):
    found = policy.compare(panel, ledger, specification(ledger))
    assert set(found.pools["province_pool"]) == set(OTHERS) - {"320105"}
    assert set(found.pools["siblings_pool"]) == {"320612", "320614"}
    assert found.donors == found.pools["province_pool"]
    assert found.excluded == ("320500", "320600")


def test_a_citys_policy_is_compared_with_cities(panel, ledger):
    found = policy.compare(panel, ledger, specification(ledger, "subsidy"))
    assert set(found.panel["district"]) == {"320500", "320100", "320200", "320300"}
    assert set(found.pools["city_pool"]) == {"320100", "320200", "320300"}
    effect = policy.evaluate(found.panel, specification(ledger, "subsidy"), donors=found.donors).effects
    assert effect["certified_share"].ci == (-np.inf, np.inf)
    assert effect["certified_share"].smallest_p == pytest.approx(1 / 4)


def test_three_policies_are_never_pooled(panel, ledger):
    with pytest.raises(EstimationError, match="'fund' has no date in the ledger"):
        specification(ledger, "fund")
    with pytest.raises(EstimationError, match=r"several units; use policy\.staggered"):
        specification(ledger, "programme")


def test_a_policy_that_the_ledger_does_not_hold_or_date_is_refused_in_both_languages(ledger):
    with pytest.raises(ParameterError, match="did you mean 'pilot'") as unknown:
        specification(ledger, "pilots")
    assert "“pilots”不在台账里" in unknown.value.say("zh")
    with pytest.raises(EstimationError, match="first treated quarter") as undated:
        specification(ledger, "fund", start="2023Q1")
    assert "没有起始季度" in undated.value.say("zh")


def test_a_start_without_a_day_in_the_ledger_is_called_an_assumption(ledger):
    dated = ledger.assign(start=pd.Timestamp("2024-11-08"))
    assert "assumption" not in specification(dated).provenance("en")
    assert "Q1 2025 is the institute's assumption" in specification(dated.assign(start=pd.NaT)).provenance("en")


def test_a_row_written_between_the_policys_day_and_its_first_whole_quarter_is_late(ledger):
    """The pilot begins on 8 November 2024; its first whole quarter is 2025Q1."""
    dated = ledger.assign(start=pd.Timestamp("2024-11-08"), recorded=pd.Timestamp("2024-12-01"))
    late = specification(dated)
    assert late.recorded_late
    assert "政策始于2024年11月8日" in late.provenance("zh")
    assert not specification(dated.assign(recorded=pd.Timestamp("2024-11-01"))).recorded_late


def test_a_start_chosen_against_the_ledger_is_estimated_or_refused_never_not_yet_begun(panel, ledger):
    early = panel[panel["quarter"] < "2025Q1"]
    assert not policy.has_begun(early, specification(ledger))
    late = specification(ledger, start="2030Q1")
    assert policy.has_begun(early, late)
    with pytest.raises(EstimationError, match="lies outside the panel"):
        policy.evaluate(panel, late)


def test_an_own_panels_codes_and_years_may_be_text_or_numbers(panel):
    years = panel.assign(code=panel["district"].astype(int), year=panel["quarter"].map(str).rank(method="dense"))
    own = policy.specify(
        pd.DataFrame(), policy_id="", outcome="stay_rate", treated_unit="320613", start="25", unit="code", period="year"
    )
    assert policy.has_begun(years.assign(year=years["year"].astype(int).astype(str)), own)
    groups = policy.trends(years, own, outcome="stay_rate", donors=None)
    assert set(groups["group"]) == {"treated", "comparison"}
    few = policy.trends(years, own, outcome="stay_rate", donors=[320612, 320614])
    assert set(few["group"]) == {"treated", "comparison"}


def test_a_city_is_its_districts_weighted_by_size(panel):
    cities = policy.by_city(panel).set_index(["district", "quarter"])
    own = panel[panel["district"].isin(SUZHOU) & (panel["quarter"] == "2021Q3")]
    assert cities.loc[("320500", "2021Q3"), "headcount"] == own["headcount"].sum()
    expected = np.average(own["certified_share"], weights=own["headcount"])
    assert cities.loc[("320500", "2021Q3"), "certified_share"] == pytest.approx(expected)
    with pytest.raises(DataError, match=r"320500: not the same districts"):
        policy.by_city(panel.drop(index=own.index[:1]))
    with pytest.raises(ParameterError, match="did you mean 'headcount'"):
        policy.by_city(panel, size="headcounts")


def test_an_own_panel_is_taken_as_it_is(panel, ledger):
    own = policy.specify(ledger, policy_id="", outcome="stay_rate", treated_unit="320613", start="2025Q1")
    found = policy.compare(panel, ledger, own)
    assert found.panel is panel
    assert found.pools == {"all_pool": None}
    assert own.exploratory == ("outcome", "treated_unit", "start")


# --- other choices ---


def test_the_specification_curve_crosses_pools_windows_and_estimators(panel, ledger):
    found = policy.compare(panel, ledger, specification(ledger))
    curve = policy.robustness(panel, specification(ledger), outcome="certified_share", pools=found.pools)
    assert len(curve) == 2 * 3 * 3
    assert set(curve["window"]) == {"window_all", "window_recent", "window_no_anticipation"}
    assert curve["att"].between(0.08, 0.12).all()
    main = curve[(curve["pool"] == "province_pool") & (curve["window"] == "window_all")].set_index("method")
    headline = policy.evaluate(panel, specification(ledger), donors=found.donors).effects["certified_share"]
    assert main.loc["synthetic_did", "att"] == pytest.approx(headline.att)
    assert main.loc["synthetic_did", ["ci_low", "ci_high"]].tolist() == pytest.approx(list(headline.ci))


def test_windows_leave_out_what_their_names_say(panel, ledger):
    windows = policy.windows_of(panel[panel["quarter"] <= "2025Q4"], specification(ledger))
    assert "2024Q3" not in windows["window_no_anticipation"]
    assert min(windows["window_recent"]) == "2022Q1"
    assert "window_settled" not in windows  # all four treated quarters are the first year
    settled = policy.windows_of(panel, specification(ledger, "subsidy"))["window_settled"]
    assert "2022Q4" not in settled
    assert "2023Q1" in settled


def test_a_choice_that_cannot_be_estimated_is_listed_not_lost(panel, ledger):
    holed = panel.drop(index=panel.index[panel["district"] == "320102"][:1])
    pools = {"all": ["320104", "320105"], "holed": ["320102", "320104"]}
    curve = policy.robustness(holed, specification(ledger), outcome="certified_share", pools=pools)
    assert set(curve["pool"]) == {"all", "holed"}
    assert any("holed, window_all" in one and "320102 (2019Q1)" in one for one in curve.attrs["not_estimated"])
    with pytest.raises(EstimationError, match="no choice can be estimated"):
        policy.robustness(holed, specification(ledger), outcome="certified_share", pools={"none": ["320999"]})


# --- several outcomes ---


def test_an_evaluation_shows_raw_and_corrected_p_side_by_side(panel, ledger):
    table = policy.evaluate(panel, specification(ledger), donors=list(OTHERS)).to_frame()
    assert table["p_adjusted"].tolist() == pytest.approx(policy.adjust(table["p_value"]))
    assert (table["p_adjusted"] >= table["p_value"]).all()
    assert table["conformal_p"].between(0, 1).all()


def test_verdicts_judge_all_outcomes_by_one_corrected_p(panel, ledger):
    evaluation = policy.evaluate(panel, specification(ledger), donors=list(OTHERS))
    assert {one.key for one in evaluation.verdicts().values()} == {"unsure"}  # nine donors cannot reject
    rng = np.random.default_rng(1)
    units = ["320613", *(f"3299{place:02d}" for place in range(59))]
    many = pd.MultiIndex.from_product([units, QUARTERS], names=["district", "quarter"]).to_frame(index=False)
    own = (many["district"] == "320613") & (many["quarter"] >= "2025Q1")
    many["certified_share"] = 0.4 + 0.01 * rng.normal(size=len(many)) + 0.1 * own
    many["stay_rate"] = 0.9 + 0.01 * rng.normal(size=len(many))
    found = policy.evaluate(many, specification(ledger))
    verdicts = found.verdicts(relevant=0.2)
    assert (verdicts["certified_share"].key, verdicts["stay_rate"].key) == ("no", "no")
    adjusted = found.to_frame().set_index("outcome")["p_adjusted"]
    expected = {name: "有" if p <= 0.05 else "不能确定" for name, p in adjusted.items()}
    assert {name: one.word("zh") for name, one in found.verdicts().items()} == expected
    assert expected == {"certified_share": "有", "stay_rate": "不能确定"}


# --- conformal ---


@pytest.mark.parametrize("method", METHODS)
def test_conformal_p_is_the_share_of_moving_blocks(method):
    rng = np.random.default_rng(1)
    own, donors = rng.normal(size=24), rng.normal(size=(9, 24))
    left = residuals(own, donors, 3, method)
    sums = [abs(np.roll(left, -k)[:3].sum()) for k in range(24)]
    assert block_p(left, 21) == pytest.approx(np.mean([one >= sums[21] - 1e-12 for one in sums]))


@pytest.mark.parametrize("method", METHODS)
def test_conformal_bounds_are_where_the_test_begins_to_reject(method):
    rng = np.random.default_rng(4)
    own, donors = rng.normal(size=30), rng.normal(size=(12, 30))
    own[27:] += 3
    found = conformal_test(own, donors, 27, 3.0, method=method)
    late = np.arange(30) >= 27
    for bound, outward in zip(found.ci, (-1e-6, 1e-6), strict=True):
        assert block_p(residuals(own - (bound - outward) * late, donors, 3, method), 27) > 0.05
        assert block_p(residuals(own - (bound + outward) * late, donors, 3, method), 27) <= 0.05
    assert found.ci[0] < 3 < found.ci[1]
    assert found.p_value == pytest.approx(1 / 30)


def test_with_fewer_than_twenty_periods_the_conformal_set_is_unbounded():
    rng = np.random.default_rng(4)
    found = conformal_test(rng.normal(size=12), rng.normal(size=(5, 12)), 10, 0.0, method="did")
    assert found.ci == (-np.inf, np.inf)
    assert found.p_value >= 1 / 12


@pytest.mark.parametrize("method", METHODS)
def test_conformal_tests_keep_their_size(method):
    """400 draws of independent noise: rejected at 5 % no more often than a binomial allows."""
    rejected = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        own, donors = rng.normal(size=20), rng.normal(size=(6, 20))
        rejected += block_p(residuals(own, donors, 1, method), 19) <= 0.05
    assert binomtest(rejected, 400, 0.05, alternative="greater").pvalue > 0.001


def test_a_pilot_carries_its_conformal_intervals(panel, ledger):
    effect = policy.evaluate(panel, specification(ledger), donors=list(OTHERS)).effects["certified_share"]
    assert effect.conformal["period"].tolist() == ["2025Q1", "2025Q2", "2025Q3", "2025Q4"]
    assert effect.conformal["estimate"].mean() == pytest.approx(effect.att)
    assert (effect.conformal["ci_low"] > 0.05).all()
    assert effect.conformal_ci[0] > 0.05
    assert effect.conformal_p == pytest.approx(1 / 27)


# --- where next ---


def adopters(seed=0, slope=-0.5, units=60, spread=0.0):
    """Twenty never adopt, thirty adopt in two waves with effects falling in their level, ten are candidates."""
    rng = np.random.default_rng(seed)
    level = rng.normal(size=units) * 0.1
    rows = [(u, t) for u in range(units) for t in range(20)]
    table = pd.DataFrame(rows, columns=["unit", "period"])
    start = np.where(np.arange(units) < 20, np.nan, np.where(np.arange(units) < 35, 10, 13))
    start[50:] = np.nan
    own = 0.3 + slope * level + spread * rng.normal(size=units)
    on = (table["period"] >= table["unit"].map(dict(enumerate(start)))).to_numpy()
    noise = 0.01 * rng.normal(size=len(table))
    table["y"] = level[table["unit"]] + 0.02 * table["period"] + own[table["unit"]] * on + noise
    table["first"] = start[table["unit"]]
    table["heads"] = 100 + table["unit"]
    return table, level, own


WHERE = {"outcome": "y", "unit": "unit", "period": "period", "treated_from": "first"}


def test_the_gain_is_largest_where_adopters_effects_say_so():
    table, level, own = adopters()
    found = policy.where_next(table, **WHERE, candidates=range(50, 60))
    assert found.slope[0] == pytest.approx(-0.5, abs=0.05)
    assert found.table["unit"].iloc[0] == 50 + int(level[50:].argmin())
    planted = own[found.table["unit"]]
    assert ((found.table["ci_low"] <= planted) & (planted <= found.table["ci_high"])).mean() >= 0.8
    assert found.table["probability"].sum() == pytest.approx(1)
    assert (found.n_adopters, found.n_controls, found.horizon) == (30, 20, 7)


def test_prediction_intervals_hold_new_units_effects():
    held = total = 0
    for seed in range(60):
        table, _, own = adopters(seed, spread=0.1)
        found = policy.where_next(table, **WHERE, candidates=range(50, 60)).table
        planted = own[found["unit"]]
        held += int(((found["ci_low"] <= planted) & (planted <= found["ci_high"])).sum())
        total += len(found)
    assert 0.92 < held / total < 0.98


def test_with_a_size_the_order_is_by_persons_and_nobody_leads_for_sure():
    table, *_ = adopters(slope=0.0, spread=0.1)
    found = policy.where_next(table, **WHERE, candidates=range(50, 60), size="heads")
    assert found.table["total"].is_monotonic_decreasing
    assert found.table["probability"].max() < 0.95


def test_where_next_needs_adopters_controls_and_untreated_candidates():
    table, *_ = adopters()
    with pytest.raises(EstimationError, match="20 already have the policy"):
        policy.where_next(table, **WHERE, candidates=[20])
    with pytest.raises(EstimationError, match="99"):
        policy.where_next(table, **WHERE, candidates=[50, 99])
    with pytest.raises(EstimationError, match="3 adopters"):
        policy.where_next(table[~table["unit"].between(23, 49)], **WHERE, candidates=[50])
    with pytest.raises(EstimationError, match="periods before the first adoption"):
        policy.where_next(table[table["period"] >= 8], **WHERE, candidates=[50])
