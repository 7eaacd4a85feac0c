"""Medicaid expansion: Rambachan and Roth (2023) as HonestDiD prints it; did, fixest and bacondecomp as the course does.

The course is Advanced DiD of the Mixtape Sessions (Roth 2022), exercises 1 and 2.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from institute_lib import policy
from institute_lib.policy.moments import RelativeMagnitudes
from institute_lib.policy.smooth import Smoothness

spec = importlib.util.spec_from_file_location("policy_data", Path(__file__).with_name("policy_data.py"))
published = importlib.util.module_from_spec(spec)
spec.loader.exec_module(published)
YEARS = [2008, 2009, 2010, 2011, 2012, 2014, 2015]
FIRST_YEAR = np.array([1.0, 0.0])


@pytest.fixture(scope="module")
def event_study():
    """The README's regression: states that expanded in 2014 against those that had not by 2015, base year 2013."""
    states = published.medicaid()
    states = states[(states["year"] < 2016) & (states["yexp2"] != 2015)]
    expanded = (states["yexp2"] == 2014).astype(float)
    own = pd.DataFrame({year: (states["year"] == year) * expanded for year in YEARS})
    effects = pd.get_dummies(states[["stfips", "year"]].astype(str), drop_first=True, dtype=float)
    columns = sm.add_constant(pd.concat([own, effects], axis=1))
    groups = {"groups": pd.factorize(states["stfips"])[0]}
    fit = sm.OLS(states["dins"], columns).fit(cov_type="cluster", cov_kwds=groups)
    # fixest does not count state effects, which lie within the clusters.
    n, k, nested = len(states), columns.shape[1], states["stfips"].nunique() - 1
    covariance = fit.cov_params().loc[YEARS, YEARS].to_numpy() * (n - k) / (n - k + nested)
    return fit.params[YEARS].to_numpy(), covariance


@pytest.mark.parametrize("bound", published.HONEST_RELATIVE_MAGNITUDES)
def test_medicaid_relative_magnitudes(event_study, bound):
    estimates, covariance = event_study
    found = RelativeMagnitudes(estimates[:5], estimates[5:], covariance, FIRST_YEAR).interval(bound)
    assert found == pytest.approx(published.HONEST_RELATIVE_MAGNITUDES[bound], abs=1e-3)


@pytest.mark.parametrize("bound", published.HONEST_SMOOTHNESS)
def test_medicaid_smoothness(event_study, bound):
    estimates, covariance = event_study
    found = Smoothness(estimates[:5], estimates[5:], covariance, FIRST_YEAR).interval(bound)
    assert found == pytest.approx(published.HONEST_SMOOTHNESS[bound], abs=5e-4)


def test_medicaid_breakdown_lies_just_below_two(event_study):
    estimates, covariance = event_study
    bounded = RelativeMagnitudes(estimates[:5], estimates[5:], covariance, FIRST_YEAR)
    assert bounded.excludes_zero(1.9)
    assert not bounded.excludes_zero(2.0)


@pytest.mark.parametrize("bound", [0, 0.01, 0.02, 0.05])
@pytest.mark.parametrize("target", [(1.0, 0.0), (0.5, 0.5), (0.0, 1.0)])
def test_medicaid_smoothness_is_diff_diffs_optimal_interval(event_study, bound, target):
    from diff_diff.honest_did import _compute_optimal_flci

    (estimates, covariance), weights = event_study, np.array(target)
    pre, post = estimates[:5], estimates[5:]
    expected = _compute_optimal_flci(pre, post, covariance, weights, 5, 2, bound, 0.05)
    assert Smoothness(pre, post, covariance, weights).interval(bound) == pytest.approx(expected, abs=2e-6)


STATES = {"outcome": "dins", "unit": "stfips", "period": "year"}


def expanded_once(states):
    """Who expanded in 2014 against who had not by the end of 2015."""
    return states.assign(
        first=states["yexp2"].where(states["yexp2"] == 2014),
        on=((states["yexp2"] == 2014) & (states["year"] >= 2014)).astype(int),
    )


@pytest.fixture(scope="module")
def two_way():
    """The event study of the public function on the README's states."""
    states = published.medicaid()
    return policy.two_way(
        expanded_once(states[(states["year"] < 2016) & (states["yexp2"] != 2015)]), **STATES, treated="on"
    )


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("relative_magnitudes", published.HONEST_RELATIVE_MAGNITUDES),
        ("smoothness", published.HONEST_SMOOTHNESS),
    ],
)
def test_medicaid_sensitivity_of_the_two_way_event_study(two_way, kind, table):
    found = policy.sensitivity(two_way, kind=kind, m=list(table))
    assert found[["ci_low", "ci_high"]].to_numpy() == pytest.approx(np.array(list(table.values())), abs=1e-3)
    if kind == "relative_magnitudes":
        assert 1.5 < found.attrs["breakdown"] <= 2


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("relative_magnitudes", published.COURSE_RELATIVE_MAGNITUDES),
        ("smoothness", published.COURSE_SMOOTHNESS),
    ],
)
def test_medicaid_sensitivity_without_later_states(kind, table):
    states = published.medicaid()
    states = states[(states["year"] < 2016) & ~(states["yexp2"] > 2014)]
    found = policy.sensitivity(policy.two_way(expanded_once(states), **STATES, treated="on"), kind=kind, m=list(table))
    assert found[["ci_low", "ci_high"]].to_numpy() == pytest.approx(np.array(list(table.values())), abs=1e-3)


def test_medicaid_group_time_effects_and_their_average():
    effect = policy.staggered(published.medicaid(), **STATES, treated_from="yexp2")
    found = effect.group_time.pivot(index="group", columns="period", values="estimate")
    for group, row in published.COURSE_GROUP_TIME.items():
        assert found.loc[group].to_numpy() == pytest.approx(row, abs=5.1e-5)
    assert (effect.att, effect.se) == pytest.approx((0.068, 0.008), abs=5e-4)


def test_medicaid_average_without_never_treated_states():
    states = published.medicaid().dropna(subset="yexp2")
    effect = policy.staggered(states, **STATES, treated_from="yexp2")
    assert effect.att == pytest.approx(0.0728, abs=5e-5)
    assert effect.se == pytest.approx(0.0092, abs=5e-4)


@pytest.mark.parametrize(
    ("never", "att", "se", "weights"),
    [
        (True, 0.070321, 0.007401, {"earlier": 0.14911, "later": 0.05827, "treated": 0.79262}),
        (False, 0.062817, 0.007653, {"earlier": 0.71902, "later": 0.28098}),
    ],
)
def test_medicaid_two_way_number_and_its_bacon_weights(never, att, se, weights):
    states = published.medicaid()
    states = states if never else states.dropna(subset="yexp2")
    effect = policy.two_way(states.assign(on=(states["year"] >= states["yexp2"]).astype(int)), **STATES, treated="on")
    found = effect.decomposition.groupby(effect.decomposition["kind"].str.split("_").str[0])["weight"].sum()
    assert (effect.att, effect.se) == pytest.approx((att, se), abs=5.1e-7)
    assert found.to_dict() == pytest.approx(weights, abs=5.1e-6)


def test_medicaid_event_study_is_shown_only_where_all_start_together(two_way):
    states = published.medicaid()
    assert two_way.event_study["relative_period"].tolist() == [-6, -5, -4, -3, -2, 0, 1]
    several = policy.two_way(states.assign(on=(states["year"] >= states["yexp2"]).astype(int)), **STATES, treated="on")
    assert several.event_study.empty
