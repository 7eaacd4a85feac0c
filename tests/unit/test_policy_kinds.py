"""Kinds of panel that once gave a wrong number without a warning; values from R's and Python's own packages.

Files: bcallaway11/did#157 (phantom_units), lrberge/fixest#438 (one_treated_cluster), bcallaway11/did#185 (biennial),
and own ones judged by fixest and by the same panel renumbered (always_treated, yyyyq).
"""

from decimal import Decimal
from pathlib import Path

import diff_diff
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from institute_lib import policy
from institute_lib.errors import DataError, ParameterError
from institute_lib.result import Provenance

CASES = Path(__file__).parents[1] / "cases" / "estimators"
NAMES = {"outcome": "y", "unit": "unit", "period": "year"}
STAGGERED = NAMES | {"treated_from": "treated_from"}


def case(name):
    return pd.read_csv(CASES / f"{name}.csv")


def drawn(seed=0, units=60, periods=9, start=5, treated=20):
    rng = np.random.default_rng(seed)
    panel = pd.DataFrame({"unit": np.repeat(np.arange(units), periods), "year": np.tile(np.arange(periods), units)})
    panel["treated_from"] = np.where(panel["unit"] < treated, start, np.nan)
    panel["on"] = (panel["year"] >= panel["treated_from"]).astype(int)
    return panel.assign(y=rng.normal(size=len(panel)) + 0.5 * panel["on"] + rng.normal(size=units)[panel["unit"]])


# --- units, groups and clusters without information ---


def test_units_first_seen_after_their_start_neither_weigh_nor_count():
    found = policy.staggered(case("phantom_units"), **STAGGERED)
    assert found.att == pytest.approx(0.6836, abs=5e-5)
    assert (found.n_treated, found.n_units) == (12, 42)
    assert found.event_study["n_treated"].max() == 12
    assert (
        "60 of 102 units carry no information and are left out: first observed after their start: p0"
        in (found.warnings[0])
    )
    beside = policy.imputation(case("phantom_units"), **STAGGERED)
    assert (beside.n_treated, beside.n_units) == (12, 42)
    assert found.att == pytest.approx(beside.att, abs=0.01)


@pytest.mark.parametrize("call", [policy.staggered, policy.imputation])
def test_units_seen_once_after_their_start_or_without_comparison_change_nothing(call):
    panel = drawn()
    clean = call(panel, **STAGGERED)
    once = panel[(panel["unit"] < 30) & (panel["year"] == 2)].assign(unit=lambda frame: frame["unit"] + 1000)
    late = panel[(panel["unit"] < 9) & (panel["year"] > 5)].assign(unit=lambda frame: frame["unit"] + 2000, y=9.0)
    found = call(pd.concat([panel, once, late]), **STAGGERED)
    assert (found.att, found.se, *found.ci) == pytest.approx((clean.att, clean.se, *clean.ci))
    assert (found.n_units, found.n_treated, found.n_clusters) == (clean.n_units, clean.n_treated, clean.n_clusters)
    assert any("2000" in one for one in found.warnings)
    assert any("observed once: " in one for one in found.warnings)


def test_a_unit_not_seen_before_its_start_counts_only_where_it_is_compared_with():
    """Unit 0 misses the base period of its group but is a control of the earlier group."""
    panel = drawn(treated=8)
    panel["treated_from"] = np.where(panel["unit"].between(8, 15), 3, panel["treated_from"])
    found = policy.staggered(panel[(panel["unit"] > 0) | (panel["year"] != 4)], **STAGGERED)
    assert found.n_treated == 15
    assert "only compared with, not counted as treated, as they enter no effect: 0" in found.warnings
    assert dict(found.event_study[["relative_period", "n_treated"]].to_numpy())[0] == 15


def test_one_real_treated_unit_among_phantoms_is_judged_by_placebos():
    panel = drawn(treated=1)
    late = panel[(panel["unit"].between(1, 9)) & (panel["year"] > 5)]
    late = late.assign(unit=late["unit"] + 1000, treated_from=5.0)
    found = policy.staggered(pd.concat([panel, late]), **STAGGERED)
    assert (found.n_treated, found.inference) == (1, "placebos")
    assert found.p_value >= 1 / 60


# --- few treated clusters ---


CITY = {"cluster": "city"}


def three_ways(panel):
    panel = panel.assign(on=(panel["year"] >= panel["treated_from"]).astype(int))
    return (
        policy.staggered(panel, **STAGGERED, **CITY),
        policy.imputation(panel, **STAGGERED, **CITY),
        policy.two_way(panel, **NAMES, treated="on", **CITY),
    )


def test_one_treated_city_of_forty_has_no_p_from_clustered_errors():
    for found in three_ways(case("one_treated_cluster")):
        assert (found.n_treated, found.n_treated_clusters, found.inference) == (10, 1, "placebos")
        assert found.p_value > 0.05
        assert found.ci[0] < 0 < found.ci[1]
        assert found.verdict().word("zh") == "不能确定"
        assert any("1 treated cluster of 40: clustered errors are not to be trusted" in one for one in found.warnings)


def test_one_comparison_unit_is_no_better_than_one_treated_unit():
    """Nothing shows how much a single unit moves: clustered errors reject without effect in 77 of 100 draws."""
    rejected = clustered = 0
    for seed in range(40):
        panel = drawn(seed, units=40, treated=39)
        panel["y"] -= 0.5 * panel["on"]
        found = policy.two_way(panel, **NAMES, treated="on")
        assert found.inference == "placebos"
        rejected += found.p_value <= 0.05
        clustered += found.cluster_p_value <= 0.05
    assert "1 comparison unit of 40: clustered errors are not to be trusted" in found.warnings[0]
    assert binomtest(rejected, 40, 0.05, alternative="greater").pvalue > 0.001
    assert clustered > 20
    few = policy.staggered(drawn(units=12, treated=11), **STAGGERED)
    assert (few.inference, np.isnan(few.p_value)) == ("withheld", True)


def with_city_shocks(seed, treated, *, cities=40, each=5, periods=8, effect=0.0):
    rng = np.random.default_rng(seed)
    units = cities * each
    panel = pd.DataFrame({"unit": np.repeat(np.arange(units), periods), "year": np.tile(np.arange(periods), units)})
    panel["city"] = panel["unit"] // each
    shocks = rng.normal(size=(cities, periods))[panel["city"], panel["year"]]
    panel["treated_from"] = np.where(panel["city"] < treated, 4, np.nan)
    return panel.assign(y=rng.normal(size=len(panel)) + shocks + effect * (panel["year"] >= panel["treated_from"]))


@pytest.mark.parametrize("treated", [1, 3])
def test_sixty_draws_without_effect_reject_no_more_often_than_a_binomial_allows(treated):
    rejected = sum(
        policy.two_way(
            panel.assign(on=(panel["year"] >= panel["treated_from"]).astype(int)), **NAMES, treated="on", **CITY
        ).p_value
        <= 0.05
        for panel in (with_city_shocks(seed, treated) for seed in range(60))
    )
    assert rejected <= 9  # of 60 at 5 %: more has a chance of one in a thousand


def test_placebos_find_a_large_effect_and_their_interval_holds_it():
    for treated in (1, 3, 5):
        for found in three_ways(with_city_shocks(treated, treated, effect=5.0)):
            assert found.p_value <= 0.05
            assert found.ci[0] < 5 < found.ci[1]
            assert found.ci[0] > 0


def test_cities_that_hold_treated_and_untreated_districts_cannot_be_dealt_to():
    panel = with_city_shocks(1, 2)
    mixed = panel.assign(treated_from=panel["treated_from"].where(panel["unit"] % 5 != 0))
    for found in three_ways(mixed):
        assert found.inference == "withheld"
        assert np.isnan(found.p_value)
        assert found.ci == (-np.inf, np.inf)


def test_six_treated_clusters_have_the_p_of_clustered_errors():
    found = policy.staggered(with_city_shocks(3, 6), **STAGGERED, **CITY)
    assert (found.inference, found.p_value) == ("clusters", found.cluster_p_value)


# --- event time ---


def test_biennial_waves_are_as_waves_numbered_in_order():
    panel = case("biennial").rename(columns={"i": "unit", "g": "treated_from"})
    by_year = policy.staggered(panel, **STAGGERED)
    waves = panel.assign(year=(panel["year"] - 2000) // 2, treated_from=(panel["treated_from"] - 2000) / 2)
    table = policy.sensitivity(by_year, m=(1,))
    assert table.to_numpy()[0] == pytest.approx([1.0, 0.06624149077820896, 0.7713466415936239], abs=1e-9)
    assert table.equals(policy.sensitivity(policy.staggered(waves, **STAGGERED), m=(1,)))
    assert by_year.warnings == ()
    assert set(by_year.group_time["group"]) <= set(panel["treated_from"].dropna())


@pytest.mark.parametrize("codes", ["five digits", "six digits", "text"])
def test_codes_of_quarters_are_quarters(codes):
    panel = case("yyyyq").rename(columns={"i": "unit", "g": "treated_from"})

    def written(values):
        whole = values if codes == "five digits" else values // 10 * 100 + values % 10
        return whole.map(lambda one: None if pd.isna(one) else str(int(one))) if codes == "text" else whole

    found = policy.staggered(
        panel.assign(year=written(panel["year"]), treated_from=written(panel["treated_from"])), **STAGGERED
    )
    assert found.event_study["relative_period"].tolist() == list(range(-4, 5))
    dynamic = found.aggregations.query("kind == 'dynamic'")["estimate"].iloc[0]
    assert dynamic == pytest.approx(0.6576, abs=5e-5)
    assert found.warnings == ()


def test_a_partly_treated_quarter_that_was_dropped_leaves_no_hole_in_event_time():
    quarters = [str(one) for one in pd.period_range("2021Q1", periods=9, freq="Q")]
    panel = drawn()
    panel = panel.assign(year=panel["year"].map(dict(enumerate(quarters))))
    panel["treated_from"] = panel["treated_from"].map({5.0: "2022Q2"})
    dropped = panel[panel["year"] != "2022Q1"]  # the quarter before the start
    found = policy.staggered(dropped, **STAGGERED)
    assert found.event_study["relative_period"].tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert found.warnings == ("no unit is observed in 2022Q1: time is counted in observed periods",)
    assert len(policy.sensitivity(found, m=(1,))) == 1
    on = dropped.assign(on=(dropped["year"] >= dropped["treated_from"].fillna("9999Q4")).astype(int))
    simple = policy.two_way(on, **NAMES, treated="on")
    assert simple.event_study["relative_period"].tolist() == [-4, -3, -2, 0, 1, 2, 3]
    pilot = policy.pilot(dropped[dropped["unit"] > 18], **NAMES, treated_unit=19, start="2022Q2")
    assert pilot.event_study["relative_period"].tolist() == list(range(-4, 4))


# --- anticipation and balance ---


def test_anticipation_moves_the_base_as_in_diff_diff():
    panel = drawn(treated=24)
    ours = policy.staggered(panel, **STAGGERED, anticipation=2)
    frame = panel.assign(first=panel["treated_from"].fillna(-1) + 1, time=panel["year"] + 1)
    estimator = diff_diff.CallawaySantAnna(control_group="not_yet_treated", anticipation=2)
    theirs = estimator.fit(frame, outcome="y", unit="unit", time="time", first_treat="first")
    after = {when - 1: cell["effect"] for (_, when), cell in theirs.group_time_effects.items()}
    assert dict(ours.group_time[["period", "estimate"]].to_numpy()) == pytest.approx(after)
    assert ours.att == pytest.approx(np.mean([after[when] for when in range(5, 9)]))
    beside = policy.imputation(panel, **STAGGERED, anticipation=2)
    assert beside.att != policy.imputation(panel, **STAGGERED).att
    assert policy.sensitivity(ours, m=(0,), target="att")["ci_low"].notna().all()
    with pytest.raises(ParameterError, match="anticipation -1: a whole number of periods"):
        policy.staggered(panel, **STAGGERED, anticipation=-1)


def test_a_balanced_event_study_is_of_the_same_groups_throughout():
    panel = drawn(treated=24)
    panel["treated_from"] = np.where(panel["unit"] < 12, 3, panel["treated_from"])
    panel["treated_from"] = np.where(panel["unit"].between(12, 17), 7, panel["treated_from"])
    study = policy.staggered(panel, **STAGGERED, balance=3).event_study
    assert study["relative_period"].tolist() == [-2, -1, 0, 1, 2, 3]
    assert (study["n_treated"] == 18).all()
    frame = panel.assign(first=panel["treated_from"].fillna(-1) + 1, time=panel["year"] + 1)
    theirs = diff_diff.CallawaySantAnna(control_group="not_yet_treated").fit(
        frame, outcome="y", unit="unit", time="time", first_treat="first"
    )
    balanced = theirs.aggregate("event_study", balance_e=3).to_dataframe().set_index("event_time")["att"]
    assert study.set_index("relative_period")["estimate"].loc[0:3].tolist() == pytest.approx(balanced.loc[0:3].tolist())


# --- always treated ---


def test_units_treated_throughout_are_compared_with_as_fixest_does():
    panel = case("always_treated").rename(columns={"i": "unit", "t": "year"})
    found = policy.two_way(panel, **NAMES, treated="D")
    assert (found.att, found.se) == pytest.approx((0.40241, 0.17659), abs=5e-6)
    assert found.n_treated == 15
    assert any("they serve as comparison alone: 39" in one for one in found.warnings)
    parts = found.decomposition
    assert (parts["weight"] * parts["estimate"]).sum() == pytest.approx(found.att)


# --- crashes ---

LATER = pd.date_range("2020-01-01", periods=9, freq="QS", tz="Asia/Shanghai")


def calls(panel, names=NAMES):
    yield lambda: policy.staggered(panel, **names, treated_from="treated_from")
    yield lambda: policy.imputation(panel, **names, treated_from="treated_from")
    yield lambda: policy.two_way(panel, **names, treated="on")
    yield lambda: policy.pilot(panel[panel[names["unit"]] > 18], **names, treated_unit=19, start=5)


@pytest.mark.parametrize("column", ["y", "year", "treated_from"])
def test_dates_with_a_time_zone_are_refused_in_words(column):
    panel = drawn()
    given = panel[column].map(lambda one: pd.NaT if pd.isna(one) else LATER[int(abs(one)) % 9])
    dated = panel.assign(**{column: given})
    for call in list(calls(dated))[: 2 if column == "treated_from" else 4]:
        with pytest.raises(DataError, match=r"are not numbers|neither a quarter|is not a whole number"):
            call()


def test_decimal_columns_are_numbers():
    panel = drawn()
    exact = panel.assign(
        y=[Decimal(repr(one)) for one in panel["y"]],
        year=[Decimal(int(one)) for one in panel["year"]],
        on=[Decimal(int(one)) for one in panel["on"]],
        treated_from=[None if np.isnan(one) else Decimal(int(one)) for one in panel["treated_from"]],
    )
    for plain, decimal in zip(calls(panel), calls(exact), strict=True):
        assert decimal().att == pytest.approx(plain().att)


def test_names_with_brackets_and_in_chinese_are_names():
    named = {"y": "持证率（%）", "unit": "区县(代码)", "year": "季度[Q]"}
    panel = drawn()
    renamed = {"outcome": named["y"], "unit": named["unit"], "period": named["year"]}
    for plain, chinese in zip(calls(panel), calls(panel.rename(columns=named), renamed), strict=True):
        assert chinese().att == plain().att


@pytest.mark.parametrize("step", [10**9, 10**15])
def test_periods_may_be_large_numbers(step):
    panel = drawn()
    large = panel.assign(year=panel["year"] + step, treated_from=panel["treated_from"] + step)
    assert policy.staggered(large, **STAGGERED).att == policy.staggered(panel, **STAGGERED).att


@pytest.mark.parametrize("step", [2**62, 10**25])
def test_periods_that_cannot_be_told_apart_are_refused(step):
    panel = drawn()
    with pytest.raises(DataError, match="too large to be told from its neighbours; number the periods 1, 2, 3"):
        policy.staggered(panel.assign(year=[step + int(one) for one in panel["year"]]), **STAGGERED)


# --- squares ---


def test_a_year_and_its_square_are_two_covariates():
    panel = drawn()
    founded = 2000 + (panel["unit"] * 7) % 13
    squares = panel.assign(founded=founded.astype(float), square=founded.astype(float) ** 2)
    centred = squares.assign(founded=squares["founded"] - 2006, square=(squares["founded"] - 2006) ** 2)
    found, beside = (policy.staggered(one, **STAGGERED, covariates=["founded", "square"]) for one in (squares, centred))
    assert found.att == pytest.approx(beside.att, rel=1e-6)


# --- before the start, and the verdict ---


def test_a_joint_test_tells_trends_that_had_parted():
    parallel = policy.staggered(drawn(), **STAGGERED)
    panel = drawn()
    drifting = panel.assign(y=panel["y"] + 0.6 * panel["year"] * panel["treated_from"].notna())
    apart = policy.staggered(drifting, **STAGGERED)
    assert parallel.pretrend.p_value > 0.05 > apart.pretrend.p_value
    assert (apart.pretrend.n_periods, apart.verdict().key, apart.verdict().reason) == (4, "unsure", "before")
    simple = policy.two_way(drifting, **NAMES, treated="on")
    assert simple.pretrend.p_value < 0.05


def test_a_verdict_is_yes_no_or_not_to_be_told():
    large = policy.staggered(drawn().assign(y=lambda frame: frame["y"] + 2 * frame["on"]), **STAGGERED)
    assert large.verdict().word("zh") == "有"
    many = drawn(units=600, treated=300)
    nothing = policy.staggered(many.assign(y=many["y"] - 0.5 * many["on"]), **STAGGERED)
    assert nothing.verdict(relevant=0.5).word("zh") == "没有"
    assert nothing.verdict().word("zh") == "不能确定"
    assert "no effect that matters" in nothing.verdict(relevant=0.5).sentence("en")


def test_the_sensitivity_of_the_reported_average_is_about_the_reported_average():
    panel = drawn()
    panel["treated_from"] = np.where(panel["unit"] < 12, 3, panel["treated_from"])
    found = policy.staggered(panel, **STAGGERED)
    table = policy.sensitivity(found, m=(0.0,), kind="smoothness", target="att")
    assert np.isfinite(table.to_numpy()).all()
    study = found.for_sensitivity
    assert study.weights @ study.estimates == pytest.approx(found.att)


def test_a_result_knows_its_keys_its_interval_and_its_persons():
    found = policy.staggered(drawn(), **STAGGERED)
    shown = found.result("event_study", persons=40, provenance=Provenance(), share=True)
    assert shown.keys == ("relative_period",)
    assert (shown.measures[0].unit, shown.measures[0].statistic) == ("points", "estimate")
    assert shown.frame["estimate"].tolist() == found.event_study["estimate"].tolist()
    assert (shown.frame["estimate_low"] < shown.frame["estimate"]).all()
    assert (shown.persons, shown.frame["persons"].unique().tolist()) == ("persons", [40])
    pilot = policy.pilot(drawn()[lambda frame: frame["unit"] > 18], **NAMES, treated_unit=19, start=5)
    assert pilot.result("effect", persons=40, provenance=Provenance()).frame["estimate"].tolist() == [pilot.att]
    with pytest.raises(ParameterError, match="did you mean 'event_study'"):
        found.result("events", persons=40, provenance=Provenance())
