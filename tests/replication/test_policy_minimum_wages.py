"""Callaway and Sant'Anna (2021), the county teen employment example (mpdta), as the R package did prints it."""

import importlib.util
from pathlib import Path

import pytest

from institute_lib import policy

spec = importlib.util.spec_from_file_location("policy_data", Path(__file__).with_name("policy_data.py"))
published = importlib.util.module_from_spec(spec)
spec.loader.exec_module(published)
COLUMNS = {"outcome": "lemp", "unit": "countyreal", "period": "year", "treated_from": "first.treat"}


@pytest.fixture(scope="module")
def counties():
    return published.minimum_wages()


@pytest.fixture(scope="module")
def effect(counties):
    return policy.staggered(counties, **COLUMNS, control="never_treated")


def test_mpdta_twelve_group_time_effects_and_their_errors(effect):
    table = effect.group_time.set_index(["group", "period"])
    assert len(table) == len(published.MPDTA_GROUP_TIME)
    for group, period, estimate, se in published.MPDTA_GROUP_TIME:
        assert table.loc[(group, period), "estimate"] == pytest.approx(estimate, abs=5e-5)
        # did prints bootstrap errors, which vary in the third decimal.
        assert table.loc[(group, period), "se"] == pytest.approx(se, abs=2e-3)


def test_mpdta_group_time_effects_given_population(counties):
    table = policy.staggered(counties, **COLUMNS, control="never_treated", covariates=["lpop"]).group_time
    found = {(group, period): value for group, period, value in table.iloc[:, :3].itertuples(index=False)}
    for group, period, estimate in published.MPDTA_WITH_POPULATION:
        assert found[group, period] == pytest.approx(estimate, abs=5.1e-5)


def test_mpdta_aggregations(effect):
    found = {(kind, level): value for kind, level, value in effect.aggregations.iloc[:, :3].itertuples(index=False)}
    for kind, level, estimate in published.MPDTA_AGGREGATIONS:
        assert found[kind, level] == pytest.approx(estimate, abs=5.1e-5)
    assert effect.att == pytest.approx(-0.0400, abs=5e-5)


def test_mpdta_simultaneous_bands_are_wider_than_pointwise_intervals(effect):
    study = effect.event_study
    assert (study["band_high"] - study["band_low"] > study["ci_high"] - study["ci_low"]).all()


def test_imputation_agrees_with_group_time_effects_on_mpdta(counties, effect):
    check = policy.imputation(counties, **COLUMNS)
    assert abs(check.att - effect.att) < effect.se
