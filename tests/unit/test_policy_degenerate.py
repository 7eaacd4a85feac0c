"""Panels at the edge: units that move together, few donors, odd calendars, sizes beyond arithmetic."""

import dataclasses
import math
import warnings

import numpy as np
import pandas as pd
import pytest

from institute_lib import policy
from institute_lib.errors import DataError, EstimationError
from institute_lib.policy.synthetic import METHODS

NAMES = {"outcome": "y", "unit": "unit", "period": "year"}
START, YEARS = 2007, list(range(2001, 2011))


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    """A number that numpy warned of is no result."""
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error", RuntimeWarning)
        yield


def grid(kind, units=24, seed=0):
    """Outcomes, units by years; unit 0 gains one from `START` on."""
    rng = np.random.default_rng(seed)
    level, path = rng.normal(size=(units, 1)), rng.normal(size=(1, len(YEARS))).cumsum(axis=1)
    shapes = {
        "noise": lambda: level + path + rng.normal(size=(units, len(YEARS))),
        "parallel": lambda: level + path,
        "identical": lambda: np.repeat(path, units, axis=0),
        "flat": lambda: np.repeat(level, len(YEARS), axis=1),
        "flat before": lambda: np.hstack([np.repeat(level, 6, axis=1), level + rng.normal(size=(units, 4))]),
        "one donor moves": lambda: np.where(np.arange(units)[:, None] == 1, rng.normal(size=(1, len(YEARS))), 0.0),
        "outlier": lambda: (
            (level + path + rng.normal(size=(units, len(YEARS)))) * np.where(np.arange(units)[:, None] == 2, 1e9, 1)
        ),
    }
    found = np.array(shapes[kind](), float)
    found[0, 6:] += 1
    return found


def frame(values, *, units=None, years=YEARS):
    units = list(range(len(values))) if units is None else units
    table = pd.DataFrame(values, index=pd.Index(units, name="unit"), columns=years).reset_index()
    return table.melt("unit", var_name="year", value_name="y")


def run(values, method="did", **options):
    return policy.pilot(frame(values), **NAMES, treated_unit=0, start=START, method=method, **options)


def missing_numbers(result):
    """Fields of a result, and columns of its tables, that hold NaN."""
    found = []
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if isinstance(value, float) and math.isnan(value):
            found.append(field.name)
        if isinstance(value, pd.DataFrame):
            found += [f"{field.name}.{name}" for name in value.select_dtypes(float) if value[name].isna().any()]
    return found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("units", [3, 24])
@pytest.mark.parametrize(
    "kind", ["noise", "parallel", "identical", "flat", "flat before", "one donor moves", "outlier"]
)
def test_every_panel_ends_in_numbers(kind, units, method):
    effect = run(grid(kind, units), method)
    assert missing_numbers(effect) == []
    assert 1 / units - 1e-12 <= effect.p_value <= 1
    for language in ("zh", "en"):
        assert "nan" not in effect.summary(language)
    columns = {**NAMES, "treated_units": [0], "start": START, "method": method}
    found = policy.detectable_effect(frame(grid(kind, units)), **columns)
    assert missing_numbers(found) == []
    assert found.warnings == effect.warnings


@pytest.mark.parametrize("method", ["did", "synthetic_did"])
def test_donors_that_move_together_leave_a_bare_rank_and_the_result_says_so(method):
    effect = run(grid("parallel"), method)
    assert effect.att == pytest.approx(1)
    assert effect.p_value == pytest.approx(1 / 24)
    assert effect.se == pytest.approx(0, abs=1e-12)
    assert any("follow one another exactly" in warning for warning in effect.warnings)
    still = grid("parallel")
    still[0, 6:] -= 1
    assert run(still, method).att == pytest.approx(0, abs=1e-12)
    assert run(still, method).p_value == 1


@pytest.mark.parametrize("method", METHODS)
def test_one_donor_is_an_estimate_without_inference(method):
    effect = run(grid("noise", 2), method)
    assert np.isfinite(effect.att)
    assert effect.ci == (-np.inf, np.inf)
    assert any("1 donor: the smallest p" in warning for warning in effect.warnings)
    found = policy.detectable_effect(frame(grid("noise", 2)), **NAMES, treated_units=0, start=START, method=method)
    assert found.effect == np.inf
    assert (found.curve["power"] == 0).all()
    assert found.warnings == effect.warnings


@pytest.mark.parametrize("factor", [1e-60, 1e-12, -1.0, 1e12, 1e60])
@pytest.mark.parametrize("method", METHODS)
def test_the_unit_of_measurement_does_not_matter(factor, method):
    plain, scaled = run(grid("noise"), method), run(grid("noise") * factor, method)
    assert scaled.att == pytest.approx(plain.att * factor, rel=1e-6)
    assert scaled.p_value == plain.p_value


@pytest.mark.parametrize("factor", [1e-160, 1e200])
def test_sizes_whose_squares_leave_floating_point_are_refused(factor):
    with pytest.raises(DataError, match=r"y: its largest value is .*state it in units"):
        run(grid("noise") * factor)


def test_the_shortest_panel_has_two_periods_before_and_one_after():
    short = frame(grid("noise")[:, 4:7], years=YEARS[4:7])
    for method in METHODS:
        effect = policy.pilot(short, **NAMES, treated_unit=0, start=START, method=method)
        assert (effect.n_pre, effect.n_post) == (2, 1)
        assert missing_numbers(effect) == []


@pytest.mark.parametrize(
    ("years", "words"),
    [
        (pd.date_range("2001-01-01", periods=10, freq="QS"), r"to_period\('Q'\)"),
        (pd.period_range("2001-01", periods=10, freq="M"), r"frequency 'M'.*to_period\('Q'\)"),
        ([f"2001-Q{one}" for one in range(10)], "neither a quarter"),
        (list("abcdefghij"), "neither a quarter"),
    ],
)
def test_calendars_nobody_can_read_are_refused_with_what_to_write(years, words):
    with pytest.raises(DataError, match=words):
        policy.pilot(frame(grid("noise"), years=list(years)), **NAMES, treated_unit=0, start=years[6])


@pytest.mark.parametrize(
    "years",
    [
        pd.period_range("2001", periods=10, freq="Y"),
        pd.period_range("2001Q1", periods=10, freq="Q"),
        [str(one) for one in range(1, 11)],
        range(-5, 5),
        pd.Categorical(YEARS),
    ],
)
def test_years_and_quarters_are_read_however_pandas_holds_them(years):
    years = list(years)
    effect = policy.pilot(frame(grid("noise"), years=years), **NAMES, treated_unit=0, start=years[6], method="did")
    assert effect.att == run(grid("noise")).att


@pytest.mark.parametrize("outcome", ["complex", "datetime64[ns]"])
def test_an_outcome_that_cannot_be_averaged_is_refused(outcome):
    table = frame(np.round(grid("noise") * 1000))
    changed = table.assign(y=table["y"].astype("int64").astype(outcome))
    with pytest.raises(DataError, match=r"y: values of type .* are not numbers"):
        policy.pilot(changed, **NAMES, treated_unit=0, start=START)


def test_a_unit_that_is_a_pair_is_refused():
    table = frame(grid("noise"))
    table["unit"] = [(one, "x") for one in table["unit"]]
    with pytest.raises(DataError, match=r"unit: \(0, 'x'\) is a tuple"):
        policy.pilot(table, **NAMES, treated_unit=(0, "x"), start=START)


def adopters(first, starts, never=None):
    """Twelve units over ten periods from `first`; the first six start at `starts`, the others are marked `never`."""
    values = np.random.default_rng(1).normal(size=(12, 10))
    table = frame(values, years=list(range(first, first + 10)))
    return table.assign(start=table["unit"].map({unit: starts[unit % len(starts)] for unit in range(6)}).fillna(never))


@pytest.mark.parametrize("call", [policy.staggered, policy.imputation, policy.cross_check])
def test_a_panel_that_begins_at_zero_does_not_take_zero_for_never(call):
    for never in (0, None):
        with pytest.raises(EstimationError, match=r"first period of the panel \(0\): .*leave start missing"):
            call(adopters(0, [0, 4] if never is None else [4, 5], never), **NAMES, treated_from="start")


def test_zero_within_the_panel_is_a_period_if_never_is_said_otherwise_and_else_refused():
    with pytest.raises(DataError, match="treated from then, or never"):
        policy.staggered(adopters(-5, [2], 0), **NAMES, treated_from="start")
    effect = policy.staggered(adopters(-5, [0, 2]), **NAMES, treated_from="start")
    assert set(effect.group_time["group"]) == {0, 2}
    later = policy.staggered(adopters(2001, [2006, 2008]), **NAMES, treated_from="start")
    assert effect.group_time["estimate"].to_numpy() == pytest.approx(later.group_time["estimate"].to_numpy())


def test_zero_still_says_never_where_the_panel_has_no_such_period():
    zero, missing = (adopters(2001, [2006, 2008], never) for never in (0, None))
    found = [policy.staggered(one, **NAMES, treated_from="start") for one in (zero, missing)]
    assert found[0].to_frame().equals(found[1].to_frame())


def counted(values, starts):
    """A staggered panel of these outcomes, and whether treatment is on."""
    table = frame(values)
    start = table["unit"].map(starts)
    return table.assign(start=start, on=(table["year"] >= start).astype(int))


STARTS = {unit: 2005 + 2 * (unit % 2) for unit in range(6)}
ADDED = np.arange(12.0)[:, None] + np.arange(10.0)[None, :]  # whole numbers, so that equal changes are exactly equal


@pytest.mark.parametrize("call", [policy.staggered, policy.two_way, policy.imputation])
def test_units_that_change_exactly_alike_give_an_effect_without_error_and_without_p(call):
    values = ADDED + np.array([[year >= STARTS.get(unit, 9999) for year in YEARS] for unit in range(12)])
    start = {"treated": "on"} if call is policy.two_way else {"treated_from": "start"}
    effect = call(counted(values, STARTS), **NAMES, **start)
    assert effect.att == pytest.approx(1)
    assert effect.se == pytest.approx(0, abs=1e-9)
    if effect.se == 0:
        assert any("standard error is zero" in warning for warning in effect.warnings)
    assert "nan" not in effect.summary("en")


@pytest.mark.parametrize("kind", ["relative_magnitudes", "smoothness"])
def test_sensitivity_refuses_an_event_study_without_error(kind):
    values = ADDED + np.array([[year >= STARTS.get(unit, 9999) for year in YEARS] for unit in range(12)])
    effect = policy.staggered(counted(values, STARTS), **NAMES, treated_from="start")
    with pytest.raises(EstimationError, match="no error in relative periods"):
        policy.sensitivity(effect, kind=kind)


def test_a_variance_that_rounding_made_negative_is_none():
    values = np.zeros((12, 4))
    values[1, 0] = 1.0
    table = frame(values, years=YEARS[:4])
    effect = policy.two_way(
        table.assign(on=((table["unit"] < 6) & (table["year"] >= 2003)).astype(int)), **NAMES, treated="on"
    )
    assert effect.event_study.select_dtypes(float).notna().all(axis=None)


@pytest.mark.parametrize(
    ("x", "words"),
    [("a", "x: covariates must be numbers"), (np.inf, "x: .* not finite numbers"), (1e200, "x: its largest value")],
)
def test_covariates_that_are_no_usable_numbers_are_refused_alike_in_every_design(x, words):
    table = counted(grid("noise", 12), STARTS)
    table["x"] = pd.Series(np.arange(len(table), dtype=float)).astype(object).where(table.index > 0, x)
    for call, start in ((policy.staggered, {"treated_from": "start"}), (policy.two_way, {"treated": "on"})):
        with pytest.raises(DataError, match=words):
            call(table, **NAMES, **start, covariates="x")


def test_covariates_that_decide_each_other_are_named():
    table = counted(grid("noise", 12), STARTS)
    table["x"] = np.random.default_rng(0).normal(size=len(table))
    with pytest.raises(EstimationError, match="covariates x, z: in some group"):
        policy.staggered(table.assign(z=2 * table["x"]), **NAMES, treated_from="start", covariates=["x", "z"])


def test_imputation_refuses_a_panel_in_which_nobody_is_left_untreated():
    with pytest.raises(EstimationError, match="nobody is left to compare with"):
        policy.imputation(counted(grid("noise", 12), dict.fromkeys(range(12), 2006)), **NAMES, treated_from="start")
    effect = policy.imputation(
        counted(grid("noise", 12), {unit: 2005 + unit % 2 * 3 for unit in range(12)}), **NAMES, treated_from="start"
    )
    assert effect.event_study.notna().all(axis=None)


def test_the_size_of_weights_does_not_matter():
    table = counted(grid("noise", 12), STARTS)
    found = [
        policy.two_way(table.assign(w=(1 + table["unit"]) * size), **NAMES, treated="on", weights="w").se
        for size in (1.0, 1e150, 1e-150)
    ]
    assert found[1:] == pytest.approx([found[0]] * 2, rel=1e-9)
