"""Many treated units: group-time effects, imputation, two-way fixed effects, sensitivity, several outcomes."""

import time

import diff_diff
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from institute_lib import policy
from institute_lib.errors import DataError, EstimationError, ParameterError
from institute_lib.policy.regression import without_effects

NAMES = {"outcome": "y", "unit": "unit", "period": "period"}
STARTS = {0: 6, 1: 10, 2: 15}


def world(units=95, periods=24, *, seed=0, trend=0.0):
    """Effects grow with time since the start and are larger for those who start early; a third never starts."""
    rng = np.random.default_rng(seed)
    panel = pd.DataFrame(
        {"unit": np.repeat(np.arange(units), periods), "period": np.tile(np.arange(periods) + 1, units)}
    )
    group = rng.integers(0, 5, units)
    start = pd.Series(group).map(STARTS)
    panel["start"] = start[panel["unit"]].to_numpy()
    since = (panel["period"] - panel["start"]).fillna(-1)
    panel["treated"] = (since >= 0).astype(int)
    panel["true"] = np.where(since >= 0, (1 + 0.1 * since) * (20 - panel["start"].fillna(0)) / 10, 0)
    panel["x"] = rng.normal(size=units)[panel["unit"]]
    panel["weight"] = rng.uniform(0.5, 3, units)[panel["unit"]]
    panel["city"] = panel["unit"] % 20
    noise = rng.normal(size=len(panel)) + rng.normal(size=units)[panel["unit"]] + np.sin(panel["period"])
    return panel.assign(y=noise + panel["true"] + trend * panel["period"] * panel["start"].notna())


@pytest.fixture(scope="module")
def panel():
    return world(units=300)


@pytest.fixture(scope="module")
def effect(panel):
    return policy.staggered(panel, **NAMES, treated_from="start")


def truth(panel):
    return panel.loc[panel["treated"] == 1, "true"].mean()


def test_growing_effects_are_recovered_where_two_way_fixed_effects_are_not(panel, effect):
    two_way = policy.two_way(panel, **NAMES, treated="treated")
    assert abs(effect.att - truth(panel)) < 3 * effect.se
    assert abs(two_way.att - truth(panel)) > 3 * two_way.se


def test_imputation_recovers_the_same_effect(panel):
    found = policy.imputation(panel, **NAMES, treated_from="start")
    assert abs(found.att - truth(panel)) < 3 * found.se
    assert found.event_study["relative_period"].min() == 0


def test_nothing_is_seen_before_the_start(effect):
    before = effect.event_study[effect.event_study["relative_period"] < 0]
    assert ((before["band_low"] <= 0) & (before["band_high"] >= 0)).all()


@pytest.mark.parametrize("cluster", [None, "city"])
@pytest.mark.parametrize("weights", [None, "weight"])
@pytest.mark.parametrize("control", ["never_treated", "not_yet_treated"])
def test_aggregations_are_diff_diffs_own(panel, cluster, weights, control):
    ours = policy.staggered(panel, **NAMES, treated_from="start", control=control, weights=weights, cluster=cluster)
    mass = panel["weight"] / panel["weight"].mean()
    frame = panel.assign(first=panel["start"].fillna(0).astype(int), mass=mass)
    design = {"survey_design": diff_diff.SurveyDesign(weights="mass", psu=cluster)} if weights else {}
    estimator = diff_diff.CallawaySantAnna(control_group=control, cluster=None if weights else cluster)
    theirs = estimator.fit(frame, outcome="y", unit="unit", time="period", first_treat="first", **design)
    study = theirs.aggregate("event_study")
    assert (ours.att, ours.se) == pytest.approx((theirs.overall_att, theirs.overall_se))
    assert ours.event_study["estimate"].to_numpy() == pytest.approx(study.att)
    assert ours.event_study["se"].to_numpy() == pytest.approx(study.se)
    by_group = ours.aggregations.query("kind == 'group' and level.notna()")
    assert by_group["se"].to_numpy() == pytest.approx(theirs.aggregate("group").se)


def test_covariates_that_drive_trends_are_adjusted_for():
    panel = world(units=400, seed=3)
    rng = np.random.default_rng(9)
    x = panel["start"].notna() * 1.0 + rng.normal(size=400)[panel["unit"]]
    drifting = panel.assign(x=x, y=panel["y"] + 0.2 * x * panel["period"])
    plain = policy.staggered(drifting, **NAMES, treated_from="start")
    adjusted = policy.staggered(drifting, **NAMES, treated_from="start", covariates=["x"])
    assert abs(plain.att - truth(panel)) > 4 * plain.se
    assert abs(adjusted.att - truth(panel)) < 3 * adjusted.se


def test_few_treated_units_are_judged_by_placebos_not_by_clustered_errors(panel):
    few = panel[(panel["start"].isna()) | (panel["unit"].isin(panel.loc[panel["start"] == 6, "unit"].unique()[:3]))]
    for found in (
        policy.staggered(few, **NAMES, treated_from="start"),
        policy.two_way(few, **NAMES, treated="treated"),
    ):
        assert found.inference == "placebos"
        assert found.p_value < 0.05
        assert found.ci[0] < truth(few) < found.ci[1]
        assert any("policy.pilot" in warning for warning in found.warnings)
        assert any("p and interval come from placebos" in warning for warning in found.warnings)


def test_summaries_speak_both_languages(effect):
    assert "95% confidence interval" in effect.summary("en")
    assert "95%置信区间" in effect.summary("zh")
    assert effect.to_frame().loc[0, "n_treated"] == effect.n_treated


def test_two_way_effects_are_taken_out_exactly_on_unbalanced_weighted_panels(panel):
    part = panel[panel["unit"] < 30].sample(frac=0.8, random_state=1)
    unit, period = (pd.factorize(part[name])[0] for name in ("unit", "period"))
    ours = without_effects(part[["y"]].to_numpy(), (unit, period), part["weight"].to_numpy())[:, 0]
    theirs = smf.wls("y ~ C(unit) + C(period)", part, weights=part["weight"]).fit().resid
    assert ours == pytest.approx(theirs.to_numpy(), abs=1e-9)


@pytest.mark.parametrize("weights", [None, "weight"])
def test_two_way_clustered_errors_are_statsmodels_up_to_the_count_of_parameters(panel, weights):
    part = panel[panel["unit"] < 60]
    ours = policy.two_way(part, **NAMES, treated="treated", weights=weights, cluster="city")
    model = smf.wls("y ~ treated + C(unit) + C(period)", part, weights=part[weights] if weights else 1.0)
    theirs = model.fit(cov_type="cluster", cov_kwds={"groups": part["city"]})
    n, counted, nested = len(part), 1 + 60 + 24 - 1, 60 - 1
    factor = np.sqrt((n - counted) / (n - counted + nested))
    assert ours.att == pytest.approx(theirs.params["treated"])
    assert ours.se == pytest.approx(theirs.bse["treated"] * factor)


def test_the_decomposition_adds_up_and_is_shown_only_where_it_is_exact(panel):
    balanced = policy.two_way(panel, **NAMES, treated="treated")
    parts = balanced.decomposition
    assert parts["weight"].sum() == pytest.approx(1)
    assert (parts["weight"] * parts["estimate"]).sum() == pytest.approx(balanced.att)
    assert set(parts["kind"]) == {"treated_vs_never", "earlier_vs_later", "later_vs_earlier"}
    assert policy.two_way(panel, **NAMES, treated="treated", weights="weight").decomposition is None


def test_collinear_covariates_are_refused(panel):
    with pytest.raises(EstimationError, match="collinear"):
        policy.two_way(panel.assign(twice=panel["treated"] * 2), **NAMES, treated="treated", covariates=["twice"])


def test_sensitivity_widens_with_the_bound_and_breaks_down_in_between(effect):
    for kind, bounds in (("relative_magnitudes", (0, 0.5, 1, 2)), ("smoothness", (0, 0.05, 0.1, 0.2))):
        table = policy.sensitivity(effect, m=bounds, kind=kind, target=0)
        assert table["ci_low"].is_monotonic_decreasing
        assert table["ci_high"].is_monotonic_increasing
        breakdown = table.attrs["breakdown"]
        below, above = policy.sensitivity(effect, m=(breakdown * 0.98, breakdown * 1.02), kind=kind, target=0)["ci_low"]
        assert below > 0 > above


def test_a_trend_that_would_explain_the_effect_is_not_robust():
    drifting = world(units=300, trend=0.15)
    no_effect = drifting.assign(y=drifting["y"] - drifting["true"])
    found = policy.staggered(no_effect, **NAMES, treated_from="start")
    assert found.ci[0] > 0
    low, high = policy.sensitivity(found, m=(0,), kind="smoothness").loc[0, ["ci_low", "ci_high"]]
    assert low < 0 < high


def test_sensitivity_needs_an_event_study_with_periods_before(panel, effect):
    with pytest.raises(EstimationError, match="two_way has no event study"):
        policy.sensitivity(policy.two_way(panel, **NAMES, treated="treated"))
    with pytest.raises(ParameterError, match="relative_magnitudes"):
        policy.sensitivity(effect, kind="relative")
    with pytest.raises(ParameterError, match="negative"):
        policy.sensitivity(effect, m=(-1,))
    assert policy.sensitivity(effect, m=0.5).equals(policy.sensitivity(effect, m=[0.5], target=0))
    with pytest.raises(ParameterError, match="target 99"):
        policy.sensitivity(effect, target=99)


def test_adjusted_p_values_keep_their_order_and_pass_over_missing_ones():
    assert policy.adjust([0.04, 0.01, np.nan, 0.03]) == pytest.approx([0.06, 0.03, np.nan, 0.06], nan_ok=True)
    assert policy.adjust([]).size == 0
    with pytest.raises(DataError, match="between 0 and 1"):
        policy.adjust([1.2])


def test_staggered_adoption_of_95_counties_takes_less_than_half_a_second(panel):
    counties = world()
    policy.staggered(counties, **NAMES, treated_from="start")
    assert cpu_seconds(counties) < 0.5


def test_staggered_adoption_of_10000_units_takes_less_than_three_seconds():
    assert cpu_seconds(world(units=10_000)) < 3


def cpu_seconds(panel):
    """Of this process alone: what else the computer does is no fault of the estimator's."""
    began = time.process_time()
    policy.staggered(panel, **NAMES, treated_from="start")
    return time.process_time() - began


def test_where_placebos_cannot_reject_p_is_withheld_and_says_so(panel):
    own = panel.loc[panel["start"] == 6, "unit"].iloc[0]
    others = panel.loc[panel["start"].isna(), "unit"].unique()[:12]
    found = policy.staggered(panel[panel["unit"].isin([own, *others])], **NAMES, treated_from="start")
    assert (found.inference, found.ci) == ("withheld", (-np.inf, np.inf))
    assert np.isnan(found.p_value)
    assert "1 treated unit of 13: clustered errors are not to be trusted below 6" in found.warnings[0]
    assert "too few units to compare for a p value" in found.summary("en")
    assert "不报告p值" in found.summary("zh")
    assert found.verdict().key == "unsure"


def test_a_person_panel_with_gaps_is_clustered_by_district():
    """Workers come and go; their district adopts; the planted effect is a half."""
    rng = np.random.default_rng(3)
    persons, districts = 600, 30
    home = rng.integers(0, districts, persons)
    begin, end = rng.integers(0, 6, persons), rng.integers(9, 16, persons)
    rows = pd.DataFrame([(f"w{one}", when) for one in range(persons) for when in range(16)], columns=["unit", "period"])
    who = rows["unit"].str[1:].astype(int)
    rows["district"] = home[who]
    rows["start"] = np.select([rows["district"] < 8, rows["district"] < 15], [6, 9], np.nan)
    rows["treated"] = (rows["period"] >= rows["start"]).astype(int)
    rows["y"] = (
        rng.normal(size=persons)[who] + 0.05 * rows["period"] + 0.5 * rows["treated"] + rng.normal(size=len(who))
    )
    seen = rows[(rows["period"] >= begin[who]) & (rows["period"] <= end[who])]
    for found in (
        policy.staggered(seen, **NAMES, treated_from="start", cluster="district"),
        policy.imputation(seen, **NAMES, treated_from="start", cluster="district"),
        policy.two_way(seen, **NAMES, treated="treated", cluster="district"),
        policy.two_way(seen, **NAMES | {"unit": "district"}, treated="treated", repeated=True),
    ):
        assert abs(found.att - 0.5) < 3 * found.se
        assert found.n_clusters == districts
        assert found.decomposition is None


def test_three_roads_are_shown_side_by_side(panel, effect):
    roads = policy.cross_check(panel, **NAMES, treated_from="start")
    two_way = policy.two_way(panel, **NAMES, treated="treated")
    assert roads.to_frame()["att"].tolist() == pytest.approx([effect.att, roads.beside.att, two_way.att])
    contrasts = roads.comparisons
    assert contrasts["share"].sum() == pytest.approx(1)
    assert (contrasts["share"] * contrasts["att"]).sum() == pytest.approx(two_way.att)
    assert contrasts["contrast"].tolist() == ["earlier_vs_later", "later_vs_earlier", "treated_vs_never"]
