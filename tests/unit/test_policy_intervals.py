"""Intervals of small groups: Welch's, which for one comparison are those of his test."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp, ttest_ind

from institute_lib import policy
from institute_lib.policy.intervals import Noise, simultaneous_critical

NAMES = {"outcome": "y", "unit": "unit", "period": "period"}
ADOPTION = NAMES | {"treated_from": "start"}
START = 5


def grid(treated=7, never=22, *, periods=8, seed=3):
    """Two groups of units by periods, the treated ones three times as noisy."""
    rng = np.random.default_rng(seed)
    spread = np.r_[np.full(treated, 3.0), np.ones(never)]
    return rng.normal(size=(treated + never, periods)) * spread[:, None]


def panel(values, starts):
    units, periods = values.shape
    rows = {"unit": np.repeat(np.arange(units), periods), "period": np.tile(np.arange(periods) + 1, units)}
    return pd.DataFrame(rows | {"y": values.ravel(), "start": np.repeat(starts, periods)})


def starts(treated=7, never=22):
    return np.r_[np.full(treated, START), np.full(never, np.nan)]


def welch(one, two):
    found = ttest_ind(one, two, equal_var=False)
    return (*found.confidence_interval(0.95), found.pvalue)


def change(values, period):
    return values[:, period - 1] - values[:, START - 2]


def test_one_group_in_one_period_has_the_interval_of_welchs_test():
    values = grid()
    cells = policy.staggered(panel(values, starts()), **ADOPTION).group_time.set_index("period")
    for period in range(START, 9):
        low, high, _ = welch(change(values, period)[:7], change(values, period)[7:])
        assert cells.loc[period, ["ci_low", "ci_high"]].tolist() == pytest.approx([low, high])


def test_the_headline_of_one_group_has_the_interval_and_p_of_welchs_test():
    values = grid()
    found = policy.staggered(panel(values, starts()), **ADOPTION)
    mean = np.mean([change(values, period) for period in range(START, 9)], axis=0)
    assert (*found.ci, found.p_value) == pytest.approx(welch(mean[:7], mean[7:]))


def test_a_period_that_some_units_miss_has_the_interval_of_those_seen():
    values = grid()
    values[[0, 4, 9, 10], START + 1] = np.nan
    change_seen = change(values, START + 2)
    cells = policy.staggered(panel(values, starts()).dropna(subset="y"), **ADOPTION).group_time.set_index("period")
    low, high, _ = welch(*(part[~np.isnan(part)] for part in (change_seen[:7], change_seen[7:])))
    assert cells.loc[START + 2, ["ci_low", "ci_high"]].tolist() == pytest.approx([low, high])


def test_clusters_that_start_together_have_the_interval_of_welchs_test_on_their_means():
    cities, each = 18, 4
    rng = np.random.default_rng(8)
    values = rng.normal(size=(cities, 8)).repeat(each, axis=0) + rng.normal(size=(cities * each, 8))
    starting = np.where(np.arange(cities * each) < 6 * each, START, np.nan)
    rows = panel(values, starting)
    rows["city"] = rows["unit"] // each
    found = policy.staggered(rows, **ADOPTION, cluster="city")
    means = np.mean([change(values, period) for period in range(START, 9)], axis=0).reshape(cities, each).mean(axis=1)
    assert (*found.ci, found.p_value) == pytest.approx(welch(means[:6], means[6:]))


def test_clusters_that_hold_treated_and_untreated_alike_count_as_one_group_of_clusters():
    """Each city is then a comparison in itself: Student's t with one degree less than there are cities."""
    cities, each = 12, 6
    values = np.random.default_rng(5).normal(size=(cities * each, 8))
    rows = panel(values, np.where(np.arange(cities * each) % each < 2, START, np.nan))
    rows["city"] = rows["unit"] // each
    found = policy.staggered(rows, **ADOPTION, cluster="city")
    own = np.mean([change(values, period) for period in range(START, 9)], axis=0).reshape(cities, each)
    differences = own[:, :2].mean(axis=1) - own[:, 2:].mean(axis=1)
    expected = ttest_1samp(differences, 0).confidence_interval(0.95)
    assert found.ci == pytest.approx(tuple(expected))


def test_weights_that_are_all_alike_change_no_interval():
    rows = panel(grid(), starts())
    plain = policy.staggered(rows, **ADOPTION)
    weighted = policy.staggered(rows.assign(w=7.0), **ADOPTION, weights="w")
    assert weighted.ci == pytest.approx(plain.ci)
    columns = ["ci_low", "ci_high"]
    assert weighted.group_time[columns].to_numpy() == pytest.approx(plain.group_time[columns].to_numpy())


def test_weights_on_a_few_units_widen_the_interval_beyond_that_of_equal_ones():
    rows = panel(grid(treated=9), starts(treated=9))
    heavy = rows.assign(w=np.where(rows["unit"].isin([0, 1, 8, 9]), 50.0, 1.0))
    found = policy.staggered(heavy, **ADOPTION, weights="w")
    reach = (found.ci[1] - found.att) / found.se
    even = policy.staggered(rows, **ADOPTION)
    assert reach > 1.2 * (even.ci[1] - even.att) / even.se


def test_a_group_of_three_is_not_trusted_as_one_of_three_hundred_is():
    def reach(size):
        found = policy.staggered(panel(grid(size, 400), starts(size, 400)), **ADOPTION).group_time
        return ((found["ci_high"] - found["estimate"]) / found["se"]).to_numpy()

    assert reach(3).min() > 1.5 * reach(300).max()
    assert reach(300) == pytest.approx(1.96, abs=0.02)


def test_a_group_of_one_is_named_since_nothing_shows_its_own_noise():
    values = grid(8, 22)
    starting = np.r_[7.0, starts(7, 22)]
    found = policy.staggered(panel(values, starting), **ADOPTION)
    assert any(one.startswith("groups of one unit: 7;") and "policy.pilot" in one for one in found.warnings)
    assert not any(
        "groups of one unit" in one for one in policy.staggered(panel(grid(), starts()), **ADOPTION).warnings
    )


def test_errors_stay_those_of_the_published_method():
    """n below the line, as in the authors' package: only the intervals know how small the groups are."""
    values = grid()
    cells = policy.staggered(panel(values, starts()), **ADOPTION).group_time.set_index("period")
    own = change(values, START)
    assert cells.loc[START, "se"] == pytest.approx(np.sqrt(own[:7].var() / 7 + own[7:].var() / 22))


def test_bands_are_those_of_student_where_one_group_brings_all_the_variance():
    """Eight independent estimates of one group of sixteen."""
    covariance, errors = np.eye(8), np.ones(8)
    plain = simultaneous_critical(covariance, Noise.student(errors, np.inf), 0)
    rng = np.random.default_rng(1)
    largest = np.abs(rng.normal(size=(200_000, 8))).max(axis=1) / np.sqrt(rng.chisquare(15, 200_000) / 15)
    of_sixteen = simultaneous_critical(covariance, Noise(np.ones((1, 8)), np.full((1, 8), 15.0)), 0)
    assert of_sixteen == pytest.approx(np.quantile(largest, 0.95), rel=0.02)
    assert of_sixteen > plain
    of_many = simultaneous_critical(covariance, Noise(np.ones((1, 8)), np.full((1, 8), 1e5)), 0)
    assert of_many == pytest.approx(plain, rel=0.02)


def test_bands_never_lie_inside_the_pointwise_intervals():
    """One estimate rests on a group of three, the others on many."""
    values = np.random.default_rng(2).normal(size=(43, 8))
    starting = np.r_[np.full(3, 7), np.full(15, 4), np.full(25, np.nan)]
    study = policy.staggered(panel(values, starting), **ADOPTION).event_study
    assert (study["band_low"] <= study["ci_low"]).all()
    assert (study["band_high"] >= study["ci_high"]).all()


def test_imputation_takes_no_residual_from_a_mean_that_the_unit_itself_is_in():
    values = grid(periods=START)
    found = policy.imputation(panel(values, starts()), **ADOPTION)
    after = values[:, START - 1] - values[:, : START - 1].mean(axis=1)
    treated, never = after[:7], after[7:]
    assert found.att == pytest.approx(treated.mean() - never.mean())
    assert found.se**2 == pytest.approx(treated.var(ddof=1) / (7 - 1) + never.var() / 22)


def test_imputation_names_a_group_of_one_in_words_of_its_own():
    found = policy.imputation(panel(grid(8, 22), np.r_[7.0, starts(7, 22)]), **ADOPTION)
    assert [one for one in found.warnings if "one unit in a period" in one and "policy.pilot" in one]
    assert not any("leave_one_out" in one for one in found.warnings)
