"""Rambachan and Roth (2023): Medicaid expansion, as the R package HonestDiD prints it."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

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
