"""The planted truths of the demo registers are in the data, and can be recovered from the files alone."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from institute_lib import demo, tables
from institute_lib.errors import ParameterError

SEED = 2019
SHARES = ["certified_share", "stay_rate", "town_money_share", "town_posts_share"]


@pytest.fixture(scope="module")
def registers():
    return demo.draw(SEED)


@pytest.fixture(scope="module")
def person_quarters(registers):
    """Who was at risk in each quarter, and in what state, from `workers` and `worker_changes` alone."""
    workers = tables.validate("workers", registers["workers"])
    changes = tables.validate("worker_changes", registers["worker_changes"]).sort_values("date")
    parts = []
    for quarter in pd.period_range("2019Q1", "2025Q4", freq="Q"):
        begins, ends = quarter.start_time, (quarter + 1).start_time
        at_risk = workers[(workers["entered"] < begins) & ~(workers["left"] <= begins)]
        months = (begins.year - at_risk["entered"].dt.year) * 4 + begins.quarter - at_risk["entered"].dt.quarter
        parts.append(
            at_risk.assign(
                date=begins,
                event=at_risk["left"] < ends,
                tenure=(months - 1) // 4,
                age=begins.year - at_risk["birth_year"],
                season="first_quarter" if quarter.quarter == 1 else "other",
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    rows["date"] = rows["date"].astype(changes["date"].dtype)
    return pd.merge_asof(rows, changes, on="date", by="worker_id")


def design(rows: pd.DataFrame, extra: tuple[str, ...] = ()) -> pd.DataFrame:
    """Every driver in its levels, as `truth.toml` cuts them, and further columns as they are."""
    levels = {}
    for driver in demo.DRIVERS:
        values = rows[driver.name]
        if driver.cuts and pd.api.types.is_numeric_dtype(values):
            codes = np.searchsorted(driver.cuts, values.to_numpy(dtype=float), side="right")
            levels[driver.name] = pd.Categorical.from_codes(codes, driver.levels)
        else:
            levels[driver.name] = pd.Categorical(values.astype(str).str.lower(), driver.levels)
        assert not pd.isna(levels[driver.name]).any()
    return pd.DataFrame(levels | {name: pd.Categorical(rows[name]) for name in extra})


def fit(rows: pd.DataFrame, extra: tuple[str, ...] = ()):
    """A binomial model on exits and exposures by cell of the drivers, with the planted coefficient of each column."""
    import statsmodels.api as sm

    drivers = design(rows, extra)
    cells = drivers.assign(event=rows["event"].to_numpy()).groupby(list(drivers), observed=True)["event"]
    counts = cells.agg(["sum", "count"]).reset_index()
    dummies = pd.get_dummies(counts[list(drivers)], drop_first=True, dtype=float)
    outcome = np.column_stack([counts["sum"], counts["count"] - counts["sum"]])
    fitted = sm.GLM(outcome, sm.add_constant(dummies), family=sm.families.Binomial()).fit()
    planted = {
        f"{driver.name}_{level}": effect
        for driver in demo.DRIVERS
        for level, effect in zip(driver.levels, driver.effects, strict=True)
    }
    truth = pd.Series(planted | {"const": demo.INTERCEPT}).reindex(dummies.columns.insert(0, "const")).fillna(0.0)
    return fitted, truth


def assert_recovered(fitted, truth: pd.Series) -> None:
    """Each coefficient within four standard errors, and all of them jointly at 0.001."""
    gap = fitted.params - truth
    assert (gap.abs() < 4 * fitted.bse).all(), (gap / fitted.bse).sort_values()
    wald = float(gap @ np.linalg.solve(fitted.cov_params(), gap))
    assert stats.chi2.sf(wald, len(gap)) > 0.001, wald


def test_the_planted_hazard_is_recovered_from_the_two_registers_and_the_kind_of_worker_has_no_effect(person_quarters):
    fitted, truth = fit(person_quarters, extra=("kind",))
    kinds = truth.index[truth.index.str.startswith("kind_")]
    assert set(kinds) == {"kind_community", "kind_drug", "kind_school"}
    assert (truth[kinds] == 0).all()
    assert_recovered(fitted, truth)


def test_small_draws_for_simulation_studies_follow_the_planted_hazard():
    rows = demo.draw_person_quarters(7, n=30_000, units=60)
    fitted, truth = fit(rows)
    assert_recovered(fitted, truth)


def test_small_draws_differ_by_seed_and_repeat_with_it():
    once, again, other = (demo.draw_person_quarters(seed, n=500) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(once, again)
    assert len(once) != len(other) or not once.equals(other)


def starts(registers) -> dict[str, tuple[str, str]]:
    """District to its policy's group and the quarter in which the policy starts."""
    return {
        district: (policy["group"], str(pd.Period(policy["start"], freq="Q")))
        for policy in registers.truth["policy"]
        for district in policy["districts"]
    }


def test_no_district_differs_from_its_untreated_outcome_before_its_policy_starts(registers):
    began = starts(registers)
    treated, untreated = registers["district_panel"], registers.untreated_panel
    before = treated["quarter"] < treated["district"].map(lambda code: began.get(code, ("", "9999Q9"))[1])
    assert before.sum() > len(treated) / 2
    pd.testing.assert_frame_equal(treated[before], untreated[before])


def test_truth_holds_the_mean_gap_between_both_potential_outcomes(registers):
    keys = ["district", "quarter"]
    gap = registers["district_panel"].set_index(keys)[SHARES] - registers.untreated_panel.set_index(keys)[SHARES]
    policies = {policy["group"]: policy for policy in registers.truth["policy"]}
    assert len(registers.truth["effect"]) == len(policies) * len(SHARES)
    for row in registers.truth["effect"]:
        own = gap.loc[policies[row["group"]]["districts"], row["outcome"]].groupby("quarter").mean()
        assert row["quarters"][-1] == "2025Q4"
        np.testing.assert_allclose(own.loc[row["quarters"]], row["att"], rtol=0, atol=1e-12)


def test_the_overall_effect_counts_each_treated_county_and_quarter_once(registers):
    panel = registers["district_panel"].merge(
        registers.untreated_panel, on=["district", "quarter"], suffixes=("", "_0")
    )
    treated = panel[panel["quarter"] >= panel["treated_from"].fillna("9999Q9")]
    for row in registers.truth["att"]:
        if row["group"] == "staggered":
            gap = treated[row["outcome"]] - treated[f"{row['outcome']}_0"]
            assert row["att"] == pytest.approx(gap.mean(), abs=1e-12)


def test_policies_raise_what_they_aim_at_and_leave_the_rest_alone(registers):
    att = pd.DataFrame(registers.truth["att"]).set_index(["group", "outcome"])["att"]
    assert (att.loc["chongchuan"] > 0).all()
    for group in ("suzhou", "staggered"):
        assert (att.loc[group, ["certified_share", "stay_rate"]] > 0).all()
        assert (att.loc[group, ["town_money_share", "town_posts_share"]] == 0).all()


def test_earlier_cohorts_gain_more_and_effects_grow(registers):
    effect = registers.effects[registers.effects["outcome"] == "certified_share"]
    cohorts = effect[effect["group"] == effect["first_quarter"]].copy()
    cohorts["since"] = cohorts.groupby("group").cumcount()
    by_cohort = cohorts[cohorts["since"] == 9].sort_values("group")["att"]
    assert by_cohort.is_monotonic_decreasing
    assert (cohorts[cohorts["since"] == 9]["att"].to_numpy() > cohorts[cohorts["since"] == 1]["att"].to_numpy()).all()


@pytest.mark.parametrize("outcome", ["certified_share", "stay_rate", "town_money_share"])
def test_differences_in_differences_recovers_each_cohorts_effect(registers, outcome):
    """Gain from the last quarter before adoption, adopters against never-adopters outside both cities."""
    panel = registers["district_panel"]
    elsewhere = panel[~panel["district"].str[:4].isin(["3205", "3206"])]
    wide = elsewhere.pivot(index="district", columns="quarter", values=outcome)
    cohort = elsewhere.groupby("district")["treated_from"].first()
    truth = registers.effects[registers.effects["outcome"] == outcome]
    for group in cohort.dropna().unique():
        before = str(pd.Period(group, freq="Q") - 1)
        gain = wide.loc[:, wide.columns >= group].mean(axis=1) - wide[before]
        treated, never = gain[cohort == group], gain[cohort.isna()]
        planted = truth.loc[(truth["group"] == group), "att"].mean()
        error = np.sqrt(treated.var() / len(treated) + never.var() / len(never))
        assert abs(treated.mean() - never.mean() - planted) < 4 * error


def test_small_counties_are_noisier(registers):
    panel = registers.untreated_panel
    spread = panel.groupby("district")["stay_rate"].std()
    size = panel.groupby("district")["headcount"].mean()
    small, large = spread[size < size.quantile(0.25)].mean(), spread[size > size.quantile(0.75)].mean()
    assert small > 1.5 * large


def test_a_drawn_panel_is_the_untreated_outcome_plus_its_effect():
    panel = demo.draw_panel(3, units=40, periods=12, cohorts={5: 6, 8: 4})
    assert panel.groupby("unit")["period"].count().eq(12).all()
    np.testing.assert_allclose(panel["outcome"], panel["untreated"] + panel["effect"])
    treated = (panel["period"] >= panel["treated_from"]).fillna(False)
    assert treated.sum() == 6 * 8 + 4 * 5
    assert (panel.loc[~treated, "effect"] == 0).all()
    assert panel.attrs["att"] == pytest.approx(panel.loc[treated, "effect"].mean())


def test_a_drawn_panel_takes_the_effect_and_the_units_it_is_asked_to():
    panel = demo.draw_panel(
        3, units=30, periods=8, cohorts={4: 1}, treat="largest", effect=lambda first, since: 0 * since
    )
    assert panel.attrs["att"] == 0
    assert panel.loc[panel["treated_from"].notna(), "size"].min() == panel["size"].max()
    pd.testing.assert_series_equal(panel["outcome"], panel["untreated"], check_names=False)


def test_small_units_of_a_drawn_panel_are_noisier():
    panel = demo.draw_panel(5, units=200, periods=40, cohorts={}, persistence=0.0)
    panel["shock"] = panel["outcome"] - panel.groupby("period")["outcome"].transform("mean")
    spread = panel.groupby("unit")["shock"].std()
    size = panel.groupby("unit")["size"].first()
    small, large = spread[size < size.quantile(0.25)].mean(), spread[size > size.quantile(0.75)].mean()
    assert small > 1.5 * large


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"cohorts": {5: 50}, "units": 40}, "50 treated units of 40"),
        ({"cohorts": {30: 2}}, "30"),
        ({"treat": "smallest"}, "largest"),
    ],
)
def test_an_impossible_panel_is_refused_by_name(options, named):
    with pytest.raises(ParameterError, match=named):
        demo.draw_panel(1, **options)


def test_fewer_persons_than_units_are_refused():
    with pytest.raises(ParameterError, match="units"):
        demo.draw_person_quarters(1, n=10, units=40)
