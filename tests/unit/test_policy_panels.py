"""What a panel must be before anything is estimated on it, and the error where it is not."""

import time

import numpy as np
import pandas as pd
import pytest

from institute_lib import policy
from institute_lib.errors import DataError, EstimationError, ParameterError
from institute_lib.policy.panel import read_panel

QUARTERS = [str(one) for one in pd.period_range("2021Q1", "2023Q4", freq="Q")]
NAMES = {"outcome": "share", "unit": "district", "period": "quarter"}
PILOT = {**NAMES, "treated_unit": "320613", "start": "2023Q1"}
STAGGERED = {**NAMES, "treated_from": "from"}
TWO_WAY = {**NAMES, "treated": "on"}


@pytest.fixture
def panel():
    """Ten districts over twelve quarters: three start in 2022Q1, three in 2022Q4, four never."""
    rng = np.random.default_rng(5)
    districts = [f"3206{code}" for code in range(11, 21)]
    rows = pd.MultiIndex.from_product([districts, QUARTERS], names=["district", "quarter"]).to_frame(index=False)
    starts = dict(zip(districts, ["2022Q1"] * 3 + ["2022Q4"] * 3 + [None] * 4, strict=True))
    rows["from"] = rows["district"].map(starts)
    rows["on"] = (rows["quarter"] >= rows["from"].fillna("9999Q4")).astype(int)
    rows["share"] = rng.normal(size=len(rows)) + 2 * rows["on"]
    return rows


def treated(panel, district, start):
    changed = panel.copy()
    changed.loc[changed["district"] == district, "from"] = start
    changed["on"] = (changed["quarter"] >= changed["from"].fillna("9999Q4")).astype(int)
    return changed


def test_an_unknown_column_is_refused_with_the_nearest(panel):
    with pytest.raises(ParameterError, match=r"'shares'.*did you mean 'share'"):
        policy.pilot(panel, **{**PILOT, "outcome": "shares"})


def test_a_start_outside_the_panel_names_the_panels_span(panel):
    with pytest.raises(EstimationError, match=r"2024Q1.*outside the panel.*2021Q1 to 2023Q4"):
        policy.pilot(panel, **{**PILOT, "start": "2024Q1"})


def test_a_start_that_is_no_quarter_is_refused(panel):
    with pytest.raises(DataError, match=r"2023-01.*2024Q4"):
        policy.pilot(panel, **{**PILOT, "start": "2023-01"})


def test_treatment_from_the_first_period_is_refused_in_every_design(panel):
    with pytest.raises(EstimationError, match="first period of the panel"):
        policy.pilot(panel, **{**PILOT, "start": "2021Q1"})
    always = treated(panel, "320611", "2021Q1")
    with pytest.raises(EstimationError, match="320611"):
        policy.staggered(always, **STAGGERED)


def test_units_treated_throughout_serve_as_comparison_alone_in_the_two_way_number(panel):
    found = policy.two_way(treated(panel, "320611", "2021Q1"), **TWO_WAY)
    assert found.n_treated == 5
    assert "treated in all their periods, so they serve as comparison alone: 320611" in found.warnings


def test_fewer_than_two_pre_periods_are_refused(panel):
    with pytest.raises(EstimationError, match="only one period before '2021Q2'"):
        policy.pilot(panel, **{**PILOT, "start": "2021Q2"})
    with pytest.raises(EstimationError, match="fewer than two periods before every start"):
        policy.staggered(
            panel[panel["quarter"] >= "2022Q3"].assign(**{"from": panel["from"].replace("2022Q1", None)}), **STAGGERED
        )


def test_a_treated_unit_that_is_not_there_is_named_with_the_nearest(panel):
    with pytest.raises(EstimationError, match=r"'320631'.*did you mean '3206\d\d'"):
        policy.pilot(panel, **{**PILOT, "treated_unit": "320631"})


def test_no_donors_is_an_error_in_every_design(panel):
    with pytest.raises(EstimationError, match="no donors"):
        policy.pilot(panel[panel["district"] == "320613"], **PILOT)
    with pytest.raises(EstimationError, match="no donors"):
        policy.pilot(panel, **PILOT, donors=[])
    adopters = panel[panel["from"].notna()]
    with pytest.raises(EstimationError, match="no donors"):
        policy.staggered(adopters, **STAGGERED, control="never_treated")
    together = adopters[adopters["from"] == "2022Q1"]
    with pytest.raises(EstimationError, match=r"no donors.*2022Q1"):
        policy.staggered(together, **STAGGERED)


def test_unknown_donors_and_a_treated_donor_are_refused(panel):
    with pytest.raises(EstimationError, match="320699"):
        policy.pilot(panel, **PILOT, donors=["320617", "320699"])
    with pytest.raises(EstimationError, match="both treated and a donor"):
        policy.pilot(panel, **PILOT, donors=["320617", "320613"])


def test_duplicate_unit_periods_are_all_listed(panel):
    twice = pd.concat([panel, panel.iloc[[0, 13]]])
    with pytest.raises(DataError, match="2 unit-periods") as raised:
        policy.staggered(twice, **STAGGERED)
    assert [fault.value for fault in raised.value.faults] == ["320611, 2021Q1", "320612, 2021Q2"]


def test_gaps_name_unit_and_period_and_may_drop_the_donor_only_on_request(panel):
    holed = panel[~((panel["district"] == "320618") & (panel["quarter"] == "2021Q3"))]
    with pytest.raises(EstimationError, match=r"320618 \(2021Q3\)"):
        policy.pilot(holed, **PILOT)
    effect = policy.pilot(holed, **PILOT, incomplete="drop")
    assert effect.n_donors == 8
    assert "320618 (2021Q3)" in effect.warnings[0]


def test_a_gap_of_the_treated_unit_is_never_dropped(panel):
    holed = panel[~((panel["district"] == "320613") & (panel["quarter"] == "2021Q3"))]
    with pytest.raises(EstimationError, match=r"the treated unit has gaps: 320613 \(2021Q3\); fill them in"):
        policy.pilot(holed, **PILOT, incomplete="drop")


def test_what_a_gap_leaves_to_be_detected_is_said_on_request(panel):
    holed = panel[~((panel["district"] == "320618") & (panel["quarter"] == "2021Q3"))]
    design = {**NAMES, "treated_units": ["320613"], "start": "2023Q1"}
    with pytest.raises(EstimationError, match=r"320618 \(2021Q3\).*incomplete='drop'"):
        policy.detectable_effect(holed, **design)
    found = policy.detectable_effect(holed, **design, incomplete="drop")
    assert found.effect == policy.detectable_effect(panel[panel["district"] != "320618"], **design).effect
    assert "320618 (2021Q3)" in found.warnings[0]


def test_all_three_ways_name_a_missing_quarter_as_the_panel_writes_it(panel):
    roads = policy.cross_check(panel[panel["quarter"] != "2021Q3"], **STAGGERED)
    (found,) = [one for one in roads.warnings if "no unit" in one]
    assert found == "no unit is observed in 2021Q3: time is counted in observed periods"


def test_more_covariates_than_units_to_compare_are_refused_in_words(panel):
    few = panel[panel["district"].isin(["320611", "320614", "320617"])]
    few = few.assign(size=few["district"].str[-1].astype(float))
    with pytest.raises(EstimationError, match="covariates size: in some group"):
        policy.staggered(few, **STAGGERED, covariates="size")


def test_an_unbalanced_panel_is_estimated_with_a_warning_where_the_design_allows_it(panel):
    holed = panel.drop(index=panel.index[5])
    effect = policy.staggered(holed, **STAGGERED)
    assert any("320611 (2022Q2)" in warning for warning in effect.warnings)
    assert np.isfinite(effect.att)
    assert policy.two_way(holed, **TWO_WAY).decomposition is None


@pytest.mark.parametrize("call", ["pilot", "staggered", "two_way"])
def test_a_constant_outcome_is_refused(panel, call):
    arguments = {"pilot": PILOT, "staggered": STAGGERED, "two_way": TWO_WAY}[call]
    with pytest.raises(EstimationError, match=r"share is 0\.5 in all"):
        getattr(policy, call)(panel.assign(share=0.5), **arguments)


def test_missing_outcomes_and_clusters_are_dropped_with_a_count_by_column(panel):
    city = panel["district"].str[-1]
    holed = panel.assign(city=city.mask(panel["district"] == "320620"))
    holed.loc[[4, 5], "share"] = np.nan
    effect = policy.staggered(holed, **STAGGERED, cluster="city")
    assert effect.warnings[0] == "14 of 120 rows dropped for missing values: share 2, city 12"
    assert effect.n_rows == 106
    assert effect.n_units == 9


def test_a_single_cluster_is_refused(panel):
    for call, arguments in ((policy.staggered, STAGGERED), (policy.two_way, TWO_WAY)):
        with pytest.raises(EstimationError, match="at least two clusters"):
            call(panel.assign(city="320600"), **arguments, cluster="city")


def test_a_missing_outcome_of_a_donor_is_a_gap_for_the_pilot(panel):
    holed = panel.copy()
    holed.loc[(holed["district"] == "320618") & (holed["quarter"] == "2021Q3"), "share"] = np.nan
    with pytest.raises(EstimationError, match=r"320618 \(2021Q3\)"):
        policy.pilot(holed, **PILOT)


def test_an_outcome_that_is_no_number_is_refused(panel):
    with pytest.raises(DataError, match="未报送"):
        policy.two_way(panel.assign(share=panel["share"].astype(object).where(panel.index > 0, "未报送")), **TWO_WAY)


def test_rows_without_a_unit_or_period_are_refused_by_row(panel):
    holed = panel.assign(district=panel["district"].mask(panel.index == 7))
    with pytest.raises(DataError, match="row 7"):
        policy.staggered(holed, **STAGGERED)


def test_treatment_that_switches_off_is_refused_with_unit_and_period(panel):
    off = panel.copy()
    off.loc[(off["district"] == "320612") & (off["quarter"] >= "2023Q2"), ["on", "from"]] = [0, None]
    with pytest.raises(EstimationError, match=r"switches off.*320612 in 2023Q2"):
        policy.two_way(off, **TWO_WAY)
    with pytest.raises(DataError, match=r"320612.*switches off"):
        policy.staggered(off, **STAGGERED)


def test_a_treatment_other_than_zero_or_one_is_refused(panel):
    with pytest.raises(DataError, match=r"0\.5"):
        policy.two_way(panel.assign(on=panel["on"] * 0.5), **TWO_WAY)


def test_weights_and_clusters_that_change_within_a_unit_are_refused(panel):
    changing = panel.assign(weight=np.arange(len(panel)) + 1.0, city=panel["quarter"])
    with pytest.raises(DataError, match="one number a unit"):
        policy.staggered(changing, **STAGGERED, weights="weight")
    with pytest.raises(DataError, match="in one cluster"):
        policy.staggered(changing, **STAGGERED, cluster="city")
    with pytest.raises(DataError, match="positive"):
        policy.staggered(panel.assign(weight=0.0), **STAGGERED, weights="weight")


def test_a_start_after_the_panel_ends_counts_as_not_yet_treated(panel):
    later = treated(panel, "320620", "2025Q1")
    assert policy.staggered(later, **STAGGERED).n_treated == 6


def test_periods_may_be_years_and_zero_means_never(panel):
    years = panel.assign(year=panel["quarter"].map({name: 2000 + place for place, name in enumerate(QUARTERS)}))
    years["start"] = years["from"].map({"2022Q1": 2004, "2022Q4": 2007}).fillna(0)
    by_year = policy.staggered(years, outcome="share", unit="district", period="year", treated_from="start")
    by_quarter = policy.staggered(panel, **STAGGERED)
    assert by_year.att == pytest.approx(by_quarter.att, abs=1e-12)
    assert set(by_year.group_time["group"]) == {2004, 2007}
    assert set(by_quarter.group_time["group"]) == {"2022Q1", "2022Q4"}


def test_the_order_of_rows_changes_nothing(panel):
    shuffled = panel.sample(frac=1, random_state=3)
    assert policy.pilot(shuffled, **PILOT).to_frame().equals(policy.pilot(panel, **PILOT).to_frame())
    assert policy.staggered(shuffled, **STAGGERED).att == pytest.approx(policy.staggered(panel, **STAGGERED).att)


def test_the_callers_frame_is_left_alone(panel):
    before = panel.copy(deep=True)
    policy.staggered(panel, **STAGGERED)
    policy.two_way(panel, **TWO_WAY)
    policy.pilot(panel, **PILOT)
    pd.testing.assert_frame_equal(panel, before)


def test_codes_are_found_whether_written_as_text_or_as_numbers(panel):
    numbers = panel.assign(district=panel["district"].astype(int))
    by_text = policy.pilot(numbers, **PILOT, donors=["320617", "320618", 320619])
    by_number = policy.pilot(numbers, **{**PILOT, "treated_unit": 320613}, donors=[320617, 320618, 320619])
    assert by_text.att == by_number.att
    assert by_text.treated_unit == "320613"


def test_years_may_be_text(panel):
    years = panel.assign(quarter=panel["quarter"].map({name: str(2000 + k) for k, name in enumerate(QUARTERS)}))
    assert policy.pilot(years, **{**PILOT, "start": "2008"}).att == policy.pilot(panel, **PILOT).att


def test_a_period_in_which_nobody_is_observed_is_warned_of(panel):
    effect = policy.staggered(panel[panel["quarter"] != "2021Q3"], **STAGGERED)
    assert "no unit is observed in 2021Q3: time is counted in observed periods" in effect.warnings


def test_gaps_are_named_in_the_warning_of_an_unbalanced_panel(panel):
    effect = policy.staggered(panel.drop(index=[2]), **STAGGERED)
    (found,) = [one for one in effect.warnings if "gaps" in one]
    assert "1 of 10 units have gaps: 320611 (2021Q3)" in found


def test_donors_whose_outcome_never_changes_are_refused(panel):
    own = panel["district"] == "320613"
    with pytest.raises(EstimationError, match=r"share is 1 in all periods of all 9 donors"):
        policy.pilot(panel.assign(share=panel["share"].where(own, 1.0)), **PILOT)


def test_a_panel_that_is_no_table_is_refused():
    with pytest.raises(ParameterError, match="a DataFrame is needed, not NoneType"):
        policy.staggered(None, **STAGGERED)


def test_one_name_may_stand_alone_where_several_are_allowed(panel):
    columns = {**NAMES, "start": "2023Q1"}
    one, listed = (policy.detectable_effect(panel, **columns, treated_units=units) for units in ("320613", ["320613"]))
    assert one.effect == listed.effect
    with pytest.raises(ParameterError, match="at least one unit"):
        policy.detectable_effect(panel, **columns, treated_units=[])
    covered = panel.assign(x=np.random.default_rng(0).normal(size=len(panel)))
    assert (
        policy.two_way(covered, **TWO_WAY, covariates="x").att
        == policy.two_way(covered, **TWO_WAY, covariates=["x"]).att
    )


def test_a_covariate_that_never_varies_is_refused_by_name(panel):
    with pytest.raises(EstimationError, match="x: a covariate that never varies"):
        policy.staggered(panel.assign(x=1.0), **STAGGERED, covariates=["x"])


def test_small_groups_with_covariates_are_estimated_with_one_warning(panel):
    near = panel.assign(x=panel["from"].notna() + 0.1 * np.random.default_rng(0).normal(size=len(panel)))
    effect = policy.staggered(near, **STAGGERED, covariates=["x"])
    assert np.isfinite(effect.att)
    assert sum("poor overlap" in one for one in effect.warnings) == 1


def test_few_clusters_are_warned_of(panel):
    for found in (policy.two_way(panel, **TWO_WAY), policy.staggered(panel, **STAGGERED)):
        assert any(one.startswith("10 clusters") for one in found.warnings)
    wide = pd.concat([panel.assign(district=panel["district"] + str(copy)) for copy in range(3)])
    noisy = wide.assign(share=wide["share"] + np.random.default_rng(1).normal(size=len(wide)))
    assert not any("clusters" in one for one in policy.two_way(noisy, **TWO_WAY).warnings)


def test_two_columns_of_one_name_and_one_column_in_two_roles_are_refused(panel):
    doubled = pd.concat([panel, panel[["share"]]], axis=1)
    for call, arguments in ((policy.staggered, STAGGERED), (policy.two_way, TWO_WAY), (policy.pilot, PILOT)):
        with pytest.raises(ParameterError, match="2 columns are called 'share'"):
            call(doubled, **arguments)
        with pytest.raises(ParameterError, match="'quarter' is named as outcome and as period"):
            call(panel, **arguments | {"outcome": "quarter"})


@pytest.mark.parametrize("never", [0, np.inf, pd.NA, np.nan, "9999Q4"])
def test_quarters_may_say_never_by_nothing_zero_or_infinity(panel, never):
    written = panel.assign(**{"from": panel["from"].astype(object).where(panel["from"].notna(), never)})
    assert policy.staggered(written, **STAGGERED).att == policy.staggered(panel, **STAGGERED).att


def test_another_word_for_never_is_refused_with_the_one_that_is_understood(panel):
    with pytest.raises(DataError, match=r"'无'.*leave from missing for units that are never treated"):
        policy.staggered(panel.assign(**{"from": panel["from"].fillna("无")}), **STAGGERED)


def test_persons_who_are_seen_once_are_told_what_to_do(panel):
    rows = panel.assign(person=[f"w{row}" for row in range(len(panel))])
    seen_once = {"outcome": "share", "unit": "person", "period": "quarter"}
    for call, further in (
        (policy.staggered, {"treated_from": "from"}),
        (policy.imputation, {"treated_from": "from"}),
        (policy.two_way, {"treated": "on"}),
    ):
        with pytest.raises(EstimationError, match=r"no person is observed in more than one period.*repeated=True"):
            call(rows, **seen_once, **further)


def test_imputation_leaves_out_and_names_what_nothing_tells(panel):
    late = panel[~((panel["district"] == "320611") & (panel["quarter"] < "2022Q1"))]
    found = policy.imputation(late, **STAGGERED)
    assert "8 of 39 treated rows left out" in found.warnings[0]
    assert "never observed before their start: 320611" in found.warnings[0]
    assert found.att == policy.imputation(panel[panel["district"] != "320611"], **STAGGERED).att
    assert (found.n_units, found.n_treated, found.n_rows) == (9, 5, 108)


def test_imputation_of_a_panel_in_which_everybody_starts_ends_before_the_last_start(panel):
    started = panel[panel["from"].notna()]
    found = policy.imputation(started, **STAGGERED)
    assert "nobody is untreated in 2022Q4, 2023Q1, 2023Q2, 2023Q3, 2023Q4" in found.warnings[0]
    assert found.att == policy.imputation(started[started["quarter"] < "2022Q4"], **STAGGERED).att


def test_imputation_follows_chains_of_comparisons(panel):
    """Two halves of the districts, observed in different years: neither tells the other's periods."""
    first = panel["district"] <= "320615"
    split = panel[np.where(first, panel["quarter"] < "2022Q3", panel["quarter"] >= "2022Q3")]
    split = pd.concat([split, panel[(panel["district"] == "320611") & (panel["quarter"] == "2023Q4")]])
    found = policy.imputation(split, **STAGGERED)
    assert "no chain of comparisons reaches 320611" in found.warnings[0]


def test_gaps_of_a_large_person_panel_are_named_in_one_pass():
    persons, periods = 10_000, 24
    keep = np.random.default_rng(1).uniform(size=persons * periods) < 0.7
    rows = pd.DataFrame(
        {"unit": np.repeat(np.arange(persons), periods), "period": np.tile(np.arange(periods), persons)}
    )
    data = read_panel(rows[keep].assign(y=np.arange(keep.sum()) % 7), outcome="y", unit="unit", period="period")
    begin = time.process_time()
    assert len(data.gaps()) > 9_000
    assert time.process_time() - begin < 3, "once it went through all rows for each person: 90 seconds"


def test_a_treated_unit_is_one_name_and_counts_once(panel):
    with pytest.raises(ParameterError, match=r"\['320613'\].*one code or name"):
        policy.pilot(panel, **PILOT | {"treated_unit": ["320613"]})
    design = {**NAMES, "start": "2023Q1"}
    twice = policy.detectable_effect(panel, **design, treated_units=["320613", "320613"])
    assert twice.effect == policy.detectable_effect(panel, **design, treated_units=["320613"]).effect
    assert twice.n_treated == 1


def test_a_unit_that_is_not_among_thousands_is_told_a_few_of_them():
    rows = pd.DataFrame([(f"w{one:04d}", when, one + when) for one in range(3000) for when in range(3)])
    rows.columns = ["unit", "period", "y"]
    with pytest.raises(EstimationError, match=r"did you mean 'w0\d\d\d'.*and 2994 more$"):
        policy.pilot(rows, outcome="y", unit="unit", period="period", treated_unit="w00001", start=2)


@pytest.mark.parametrize("power", ["0.8", 1, float("nan"), None])
def test_power_must_be_a_share(panel, power):
    with pytest.raises(ParameterError, match=r"power.*a share between 0 and 1"):
        policy.detectable_effect(panel, **NAMES, treated_units=["320613"], start="2023Q1", power=power)


def test_predictors_are_columns_or_pairs(panel):
    control = {**PILOT, "method": "synthetic_control"}
    one = policy.pilot(panel, **control, predictors=[("share", "2022Q1")])
    assert one.att == policy.pilot(panel, **control, predictors=[("share", ["2022Q1"])]).att
    for wrong in (("share", ["2022Q1"]), [("share", ["2022Q1"], "mean")], [7]):
        with pytest.raises(ParameterError, match="neither a column nor a pair"):
            policy.pilot(panel, **control, predictors=wrong)
    with pytest.raises(ParameterError, match="column 'shares'"):
        policy.pilot(panel, **control, predictors="shares")


def test_group_time_effects_that_gaps_leave_nothing_of_are_counted_in_words(panel):
    """The first group is observed in the quarter before its start and from then on alone."""
    late = panel[~(panel["from"].eq("2022Q1") & (panel["quarter"] < "2021Q3"))]
    (found,) = [one for one in policy.staggered(late, **STAGGERED).warnings if "group-time effects are left out" in one]
    assert found.startswith("2 group-time effects")
