"""One treated unit: weights, estimate, and the inference that its donors can carry."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import binomtest

from institute_lib import policy
from institute_lib.errors import EstimationError, ParameterError
from institute_lib.policy.pilots import placebo_fits
from institute_lib.policy.placebos import (
    Placebos,
    _reliability,
    _variance_fits,
    averages,
    critical_value,
    interval,
    rank_p,
)
from institute_lib.policy.simplex import simplex_weights
from institute_lib.policy.synthetic import METHODS, fit_unit

NAMES = {"outcome": "share", "unit": "district", "period": "quarter"}


def world(units=40, periods=28, *, effect=0.0, start=24, noise=None, seed=1):
    """Units on three common factors; unit 0 gets `effect` from position `start` on."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(periods, 3)).cumsum(axis=0) * 0.3
    spread = np.ones(units) if noise is None else np.asarray(noise)
    grid = rng.dirichlet(np.ones(3), units) @ factors.T + spread[:, None] * rng.normal(size=(units, periods)) * 0.3
    grid[0, start:] += effect
    quarters = [str(one) for one in pd.period_range("2019Q1", periods=periods, freq="Q")]
    codes = [f"32{place:04d}" for place in range(units)]
    return (
        pd.DataFrame(grid, index=codes, columns=quarters)
        .rename_axis("district")
        .reset_index()
        .melt("district", var_name="quarter", value_name="share")
    )


def run(panel, **options):
    return policy.pilot(panel, **NAMES, **{"treated_unit": "320000", "start": "2025Q1"} | options)


@given(st.integers(2, 12), st.integers(2, 15), st.integers(0, 10_000), st.sampled_from([0.0, 0.5]))
@settings(max_examples=60, deadline=None)
def test_simplex_weights_satisfy_the_conditions_of_an_optimum(columns, rows, seed, ridge):
    rng = np.random.default_rng(seed)
    points, target = rng.normal(size=(rows, columns)), rng.normal(size=rows)
    weights = simplex_weights(points, target, ridge=ridge)
    gradient = points.T @ (points @ weights - target) + ridge * weights
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    assert gradient.min() == pytest.approx(weights @ gradient, abs=1e-8)


def test_simplex_weights_are_a_general_optimisers():
    rng = np.random.default_rng(3)
    points, target = rng.normal(size=(20, 8)), rng.normal(size=20)
    found = minimize(
        lambda weights: ((points @ weights - target) ** 2).sum(),
        np.full(8, 1 / 8),
        bounds=[(0, 1)] * 8,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    assert simplex_weights(points, target) == pytest.approx(found.x, abs=1e-5)


def test_a_donor_that_is_the_treated_units_twin_gets_all_the_weight():
    rng = np.random.default_rng(0)
    donors = rng.normal(size=(6, 10))
    fit = fit_unit(donors[4].copy(), donors, 8, method="synthetic_control")
    assert fit.unit_weights == pytest.approx(np.eye(6)[4], abs=1e-9)
    assert fit.att == pytest.approx(0, abs=1e-9)


def test_identical_donors_do_not_stop_the_search():
    fit = fit_unit(np.arange(6.0), np.tile(np.arange(6.0) * 2, (5, 1)), 4, method="synthetic_control")
    assert fit.unit_weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("method", METHODS)
def test_the_planted_effect_is_recovered_and_found(method):
    effect = run(world(effect=3.0), method=method)
    assert effect.ci[0] <= 3.0 <= effect.ci[1]
    assert effect.att == pytest.approx(3.0, abs=0.6)
    assert effect.p_value == pytest.approx(1 / 40)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("factor", "shift"), [(100.0, 0.0), (-2.5, 7.0), (1e-6, 0.0)])
def test_units_of_measurement_change_the_estimate_alone(method, factor, shift):
    panel = world(effect=1.0)
    changed = panel.assign(share=panel["share"] * factor + shift)
    plain, scaled = run(panel, method=method), run(changed, method=method)
    assert scaled.att == pytest.approx(plain.att * factor, rel=1e-5)
    assert scaled.p_value == plain.p_value
    assert sorted(np.array(plain.ci) * factor) == pytest.approx(list(scaled.ci), rel=1e-4)


def test_plain_difference_is_the_two_by_two_table():
    panel = world(effect=1.0)
    late, own = panel["quarter"] >= "2025Q1", panel["district"] == "320000"
    means = panel.groupby([own.rename("own"), late.rename("late")])["share"].mean()
    expected = means[True, True] - means[True, False] - means[False, True] + means[False, False]
    assert run(panel, method="did").att == pytest.approx(expected)


def test_the_interval_holds_exactly_the_effects_that_the_rank_does_not_reject():
    rng = np.random.default_rng(2)
    others, estimate, scale = rng.normal(size=59), 1.3, 0.7
    low, high = interval(estimate, scale, others, 0.05)
    for tested in (*np.linspace(low - 1, high + 1, 50), low + 1e-7, high - 1e-7):
        inside = rank_p((estimate - tested) / scale, others) > 0.05
        assert inside == (low <= tested <= high)


def test_with_six_siblings_nothing_can_be_rejected_and_the_result_says_so():
    effect = run(world(units=7, effect=50.0))
    assert effect.smallest_p == pytest.approx(1 / 7)
    assert effect.p_value == pytest.approx(1 / 7)
    assert effect.ci == (-np.inf, np.inf)
    assert effect.detectable == np.inf
    assert any("0.143" in warning for warning in effect.warnings)
    assert "cannot be told (too few units to compare)" in effect.summary("en")
    assert "unbounded" in effect.summary("en")
    assert "无界" in effect.summary("zh")


def test_twenty_units_are_the_fewest_that_can_reject_at_five_per_cent():
    assert critical_value(np.ones(18), 0.05) == np.inf
    assert critical_value(np.ones(19), 0.05) == 1


def test_one_donor_gives_an_estimate_without_a_p():
    effect = run(world(units=2))
    assert np.isfinite(effect.att)
    assert np.isnan(effect.p_value)
    assert effect.ci == (-np.inf, np.inf)


def test_noisy_small_counties_do_not_hide_a_large_ones_effect():
    noise = np.r_[0.2, np.full(19, 0.2), np.full(20, 4.0)]
    effect = run(world(effect=1.0, noise=noise), method="did")
    assert effect.p_value <= 0.05 < effect.raw_p_value


def test_an_estimate_below_what_the_design_could_find_is_called_so():
    effect = run(world(effect=0.0, seed=8))
    assert abs(effect.att) < effect.detectable
    assert "不能确定（可能出于偶然，也可能真有作用）" in effect.summary("zh")


def test_effects_of_the_detectable_size_are_found_four_times_in_five():
    panel = world(units=60, periods=20, start=16, seed=4)
    columns = {**NAMES, "treated_units": ["320000"], "start": "2023Q1"}
    found = policy.detectable_effect(panel, **columns, method="did")
    curve = found.curve.set_index("effect")["power"]
    assert curve.index[20] == pytest.approx(found.effect)
    assert curve.iloc[20] >= 0.8
    assert curve.iloc[15] < 0.8
    assert curve.iloc[-1] > curve.iloc[20]


def test_the_detectable_effect_is_that_of_the_pilot_and_ignores_outcomes_after_the_start():
    panel = world(effect=2.0)
    columns = {**NAMES, "treated_units": ["320000"], "start": "2025Q1"}
    found = policy.detectable_effect(panel, **columns)
    assert found.effect == pytest.approx(run(panel).detectable)
    changed = panel.copy()
    changed.loc[(panel["district"] == "320000") & (panel["quarter"] >= "2025Q1"), "share"] += 99
    assert policy.detectable_effect(changed, **columns).effect == pytest.approx(found.effect)


def test_several_treated_units_can_detect_less():
    panel = world(units=60)
    one, four = (
        policy.detectable_effect(panel, **NAMES, treated_units=[f"32{k:04d}" for k in range(count)], start="2025Q1")
        for count in (1, 4)
    )
    assert four.effect < one.effect
    with pytest.raises(ParameterError, match="power 80"):
        policy.detectable_effect(panel, **NAMES, treated_units=["320000"], start="2025Q1", power=80)


def test_tables_of_a_pilot_fit_together():
    effect = run(world(effect=1.0))
    path = effect.path
    assert path["gap"].to_numpy() == pytest.approx(path["observed"] - path["counterfactual"])
    assert path["gap"].iloc[24:].mean() == pytest.approx(effect.att)
    assert effect.weights["weight"].sum() == pytest.approx(1)
    assert effect.event_study["relative_period"].tolist() == list(range(-24, 4))
    assert len(effect.placebos) == effect.n_donors == 39
    assert len(effect.placebo_paths) == 39 * 28
    of_paths = effect.placebo_paths[effect.placebo_paths["period"] >= "2025Q1"].groupby("unit")["gap"].mean()
    assert of_paths.to_numpy() == pytest.approx(effect.placebos["att"])
    assert set(effect.leave_one_out["unit"]) == set(effect.weights.loc[effect.weights["weight"] > 0, "unit"])
    assert effect.in_time["start"].max() == "2024Q4"


def test_a_badly_fitted_unit_is_warned_of():
    panel = world()
    trend = panel["quarter"].str[:4].astype(int) - 2019
    own = panel["district"] == "320000"
    effect = run(panel.assign(share=panel["share"] + own * trend * 2), method="did")
    assert any("fits it badly" in warning for warning in effect.warnings)


def test_an_unknown_method_is_refused_with_the_nearest():
    with pytest.raises(ParameterError, match="did you mean 'synthetic_did'"):
        run(world(), method="synthetic_dd")


@pytest.mark.parametrize("method", METHODS)
def test_size_is_kept_for_a_quiet_unit_among_noisy_ones(method):
    """120 draws without effect: lasting shocks of one size, noise of many; rejected no more often than it should be."""
    noise = np.linspace(0.1, 1.5, 30)[:, None]
    p = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        grid = rng.normal(size=(30, 16)).cumsum(axis=1) * 0.1 + noise * rng.normal(size=(30, 16)) * 0.5
        own = fit_unit(grid[0], grid[1:], 12, method=method)
        found = Placebos(own, placebo_fits(grid[1:], 12, method))
        p.append(rank_p(own.att / found.scale, found.statistics))
    for level in (0.05, 0.10):
        assert binomtest(int((np.array(p) <= level).sum()), len(p), level, alternative="greater").pvalue > 0.001


@pytest.mark.parametrize("treat", ["any", "largest"])
def test_the_size_is_met_where_small_units_are_noisier(treat):
    """400 draws without effect of 40 units by 28 quarters; rejected neither more nor less often than stated."""
    p = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        size = np.exp(rng.normal(0, 0.8, 40))
        grid = rng.normal(size=(40, 28)) / np.sqrt(size)[:, None]
        row = int(size.argmax()) if treat == "largest" else 0
        own, others = grid[row], np.delete(grid, row, axis=0)
        found = Placebos(fit_unit(own, others, 20, method="did"), placebo_fits(others, 20, "did"))
        p.append(rank_p(found.own.att / found.scale, found.statistics))
    for level in (0.05, 0.10):
        assert binomtest(int((np.array(p) <= level + 1e-9).sum()), len(p), level).pvalue > 0.001


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_noise_that_is_measured_with_error_does_not_flatten_what_it_explains(exponent):
    """4,000 units whose effects follow their noise, seen through two halves of ten draws each."""
    rng = np.random.default_rng(0)
    noise = np.exp(rng.normal(0, 0.8, 4_000))
    halves = noise * rng.chisquare(10, (2, 4_000)) / 10
    squares = noise**exponent * rng.chisquare(1, 4_000)
    exponents, levels = _variance_fits(squares, halves.mean(axis=0), _reliability(halves))
    assert exponents[0] == pytest.approx(exponent, abs=0.1)
    assert levels[0] == pytest.approx((squares / halves.mean(axis=0) ** exponents[0]).mean())


def test_a_donor_is_judged_by_the_noise_of_the_others_alone():
    rng = np.random.default_rng(1)
    noise = np.exp(rng.normal(0, 1, 12))
    squares = noise * rng.chisquare(1, 12)
    exponents, levels = _variance_fits(squares, noise, 0.8)
    for left in range(12):
        exponent, level = (one[0] for one in _variance_fits(np.delete(squares, left), np.delete(noise, left), 0.8))
        assert exponents[left + 1] == exponent
        assert levels[left + 1] == pytest.approx(level)


def test_a_pilot_among_95_counties_takes_less_than_ten_seconds():
    panel = world(units=95)
    began = time.process_time()
    run(panel)
    assert time.process_time() - began < 10


def test_too_few_donors_for_several_treated_units_is_an_error():
    treated = [f"32{place:04d}" for place in range(4)]
    with pytest.raises(EstimationError, match="too few"):
        policy.detectable_effect(world(units=7), **NAMES, treated_units=treated, start="2025Q1")


@pytest.mark.parametrize("treated", [2, 4])
def test_averages_of_donors_are_as_spread_out_as_those_of_treated_units(treated):
    """Against twenty donors, the mean of k independent units varies by 1/k + 1/20; donors' own averages by less."""
    spread = []
    for seed in range(300):
        units = np.random.default_rng(seed).normal(size=20)
        placebos = (units - units.mean()) * 20 / 19  # each against the others
        spread.append(averages(placebos, treated, 200, seed).var())
    assert np.mean(spread) == pytest.approx(1 / treated + 1 / 20, rel=0.05)
