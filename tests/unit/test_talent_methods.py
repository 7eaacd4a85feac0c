"""Control limits, p-charts, Fieller's ratios, cohort projections: properties that hold on any data."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from institute_lib import talent
from institute_lib.errors import DataError, EstimationError, ParameterError

# --- control limits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [0.02, 0.3, 0.5, 0.97])
@pytest.mark.parametrize("size", [1, 7, 50, 4000])
@pytest.mark.parametrize("level", [0.95, 0.998])
def test_exact_limits_lie_where_the_binomial_puts_them(target, size, level):
    """Between the limits, rounded outwards to whole counts, lies at least the level of the distribution."""
    low, high = talent.control_limits(target, size, level=level)
    inside = stats.binom.cdf(math.floor(high * size + 1e-9) + 1, size, target)
    inside -= stats.binom.cdf(math.ceil(low * size - 1e-9) - 1, size, target)
    assert inside >= level - 1e-9
    assert 0 <= low <= high <= 1


def test_exact_limits_interpolate_between_whole_counts_as_spiegelhalter_writes():
    """Appendix A.1.1: with r the smallest count whose distribution reaches p, (r - (F(r) - p) / f(r)) / n."""
    target, size = 0.3, 20
    tail = 0.975
    count = next(r for r in range(size + 1) if stats.binom.cdf(r, size, target) >= tail)
    back = (stats.binom.cdf(count, size, target) - tail) / stats.binom.pmf(count, size, target)
    assert talent.control_limits(target, size)[1] == pytest.approx((count - back) / size)


def test_limits_approach_the_normal_ones_as_units_grow():
    low, high = talent.control_limits(0.3, 1_000_000)
    half = 1.96 * math.sqrt(0.3 * 0.7 / 1_000_000)
    assert (float(low), float(high)) == (pytest.approx(0.3 - half, abs=1e-5), pytest.approx(0.3 + half, abs=1e-5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"target": 1.2}, "1.2"), ({"sizes": [0.5, 3]}, "sizes")],
)
def test_limits_refuse_what_cannot_be(changes, message):
    with pytest.raises(ParameterError, match=message):
        talent.control_limits(**{"target": 0.3, "sizes": [10], **changes})


def test_a_small_districts_luck_is_no_signal_and_a_large_ones_difference_is():
    tails = talent.tail_probability(12_501 / 44_004, [4, 1500], [4, 4000])
    small, large = tails < (1 - talent.ALARM) / 2
    assert large
    assert not small


def series(rates, size=200):
    quarters = [str(one) for one in pd.period_range("2020Q1", periods=len(rates), freq="Q")]
    counts = {"outcome_numerator": np.round(np.array(rates) * size), "outcome_denominator": size}
    return pd.DataFrame({"quarter": quarters, **counts})


def test_a_planted_fall_is_the_only_signal():
    chart = talent.p_chart(series([0.8, 0.79, 0.81, 0.8, 0.6, 0.8, 0.79, 0.81]))
    assert chart.signals == ("2021Q1",)


def test_eight_in_a_row_on_one_side_are_a_run_though_none_is_beyond_a_limit():
    chart = talent.p_chart(series([0.78] * 8 + [0.82] * 7))
    assert not chart.frame["signal"].any()
    assert chart.signals == ("2021Q4",)


def test_one_outlier_turns_no_other_quarter_into_a_run():
    ordinary = [734, 727, 730, 720, 722, 738, 738, 730, 728, 726, 720, 729, 737, 734, 737, 740, 730, 730, 727, 733, 735]
    rates = np.array([*ordinary, 735, 727, 729, 727, 550, 730, 740]) / 1000
    frame = talent.p_chart(series(rates, size=4000)).frame
    assert frame.loc[frame["signal"], "quarter"].tolist() == ["2026Q2"]
    assert not frame["run"].any()


def test_a_quarter_without_assessments_is_left_out():
    frame = pd.concat([series([0.8] * 4), series([0.5]).assign(quarter="2030Q1", outcome_denominator=0.0)])
    frame["outcome_numerator"] = frame["outcome_numerator"].where(frame["outcome_denominator"] > 0, 0)
    assert len(talent.p_chart(frame).frame) == 4


def test_a_series_with_a_quarter_twice_is_no_series():
    with pytest.raises(ParameterError, match="2020Q1"):
        talent.p_chart(pd.concat([series([0.8]), series([0.7])]))


# --- Fieller ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("denominator", "error", "kind"), [(5.0, 1.0, "bounded"), (1.0, 1.0, "exclusive"), (-5.0, 1.0, "bounded")]
)
def test_a_ratio_belongs_to_the_set_where_its_difference_is_not_significant(denominator, error, kind):
    """By brute force over many ratios: r is in the set if |a - r b| ≤ z se(a - r b)."""
    found = talent.fieller(10, denominator, se_numerator=0.5, se_denominator=error, covariance=0.1)
    assert found.kind == kind
    for ratio in np.linspace(-60, 60, 4001):
        spread = math.sqrt(0.25 - 2 * ratio * 0.1 + ratio**2 * error**2)
        assert found.contains(ratio) == (abs(10 - ratio * denominator) <= 1.959963984540054 * spread)


def test_where_both_may_be_zero_no_ratio_is_excluded_and_it_says_so():
    found = talent.fieller(0.1, 0.2, se_numerator=1.0, se_denominator=1.0)
    assert found.kind == "unbounded"
    assert found.warnings


def test_a_cost_known_exactly_over_an_effect_that_may_be_zero_has_no_upper_limit():
    found = talent.fieller(1_000_000, 50, se_denominator=40)
    assert not found.bounded
    assert found.g > 1
    assert found.low < 0 < found.high


def test_fieller_with_exact_denominator_is_the_plain_interval():
    found = talent.fieller(10, 2, se_numerator=1, se_denominator=0)
    assert (found.low, found.high) == (pytest.approx(5 - 0.98, abs=1e-3), pytest.approx(5 + 0.98, abs=1e-3))


@pytest.mark.parametrize(
    "changes", [{"numerator": float("nan")}, {"se_denominator": -1}, {"covariance": 9.0}, {"level": 95}]
)
def test_fieller_refuses_numbers_that_cannot_be(changes):
    given = {"numerator": 1.0, "denominator": 1.0, "se_numerator": 1.0, "se_denominator": 1.0} | changes
    with pytest.raises(ParameterError, match=next(iter(changes))):
        talent.fieller(given.pop("numerator"), given.pop("denominator"), **given)


# --- projection -------------------------------------------------------------------------------------------------------

STOCK = pd.DataFrame({"unit": ["a", "a", "b"], "years_since": [0, 1, 0], "persons": [100, 50, 10]})


def rates(**changes):
    row = {"scenario": "today", "candidates": 100.0, "growth": 0.0, "pass_rate": 0.3, "placed": 0.5} | changes
    return pd.DataFrame([{"unit": unit, **row} for unit in ("a", "b")])


def exits(rate=0.1, scenario="today"):
    return pd.DataFrame({"scenario": [scenario], "years_since": [0], "exit_rate": [rate]})


def test_a_projection_adds_who_enters_and_takes_who_leaves():
    found = talent.project(STOCK, rates(), exits(), start=2025, until=2027, draws=50)
    path = found.frame.set_index(["unit", "year"])["expected"]
    assert path["a", 2025] == 150
    assert path["a", 2026] == pytest.approx(150 * 0.9 + 15)
    assert path["a", 2027] == pytest.approx((150 * 0.9 + 15) * 0.9 + 15)


def test_cohorts_grow_older_by_a_year_a_year():
    found = talent.project(STOCK, rates(), exits(), start=2025, until=2026, draws=50)
    cohorts = found.cohorts.query("unit == 'a' and year == 2026").set_index("years_since")["persons"]
    assert cohorts.to_dict() == {0: pytest.approx(15), 1: pytest.approx(90), 2: pytest.approx(45)}


def test_the_band_holds_the_expected_course_and_most_simulated_ones():
    found = talent.project(STOCK, rates(), exits(), start=2025, until=2030, draws=2000, seed=1)
    assert (found.frame["low"] <= found.frame["expected"]).all()
    assert (found.frame["expected"] <= found.frame["high"]).all()
    last = found.draws.xs(("a", "today", 2030))
    assert last.to_numpy().mean() == pytest.approx(
        found.frame.query("unit == 'a' and year == 2030")["expected"].iloc[0], rel=0.01
    )


def test_a_rate_that_rests_on_few_people_widens_the_band():
    certain = talent.project(STOCK, rates(), exits(), start=2025, until=2030, draws=1000)
    doubtful = talent.project(
        STOCK, rates(passes_known=30), exits().assign(known=20), start=2025, until=2030, draws=1000
    )
    width = [(one.frame["high"] - one.frame["low"]).iloc[-1] for one in (certain, doubtful)]
    assert width[1] > 1.3 * width[0]


def test_the_same_seed_gives_the_same_band():
    first, again = (talent.project(STOCK, rates(), exits(), start=2025, draws=100, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first.frame, again.frame)


def test_a_unit_has_the_same_course_alone_as_in_company():
    both = talent.project(STOCK, rates(passes_known=30), exits().assign(known=20), start=2025, draws=200)
    alone = talent.project(STOCK, rates(passes_known=30).tail(1), exits().assign(known=20), start=2025, draws=200)
    own = both.frame[both.frame["unit"] == "b"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, alone.frame)


def test_units_that_share_uncertain_rates_do_not_average_them_away():
    many = pd.DataFrame({"unit": list("abcdefgh"), "years_since": 0, "persons": 1000})
    shared = pd.concat([rates(candidates=0.0).head(1).assign(unit=unit) for unit in many["unit"]])
    found = talent.project(many, shared, exits(0.3).assign(known=20), start=2025, until=2026, draws=2000)
    one = found.frame.query("unit == 'a' and year == 2026").iloc[0]
    whole = found.totals().query("year == 2026").iloc[0]
    assert whole["high"] - whole["low"] == pytest.approx(8 * (one["high"] - one["low"]), rel=0.15)


def test_scenarios_stand_side_by_side_and_better_retention_ends_higher():
    both = pd.concat([rates(), rates(scenario="retention")])
    leaving = pd.concat([exits(0.15), exits(0.10, "retention")])
    ends = talent.project(STOCK, both, leaving, start=2025, draws=50).totals().query("year == 2030")
    ends = ends.set_index("scenario")["expected"]
    assert ends["retention"] > ends["today"]


def test_the_number_of_passes_needed_reaches_the_target_exactly():
    target = talent.Target(per_10000=30.0, of="certified", per="residents")
    found = talent.project(STOCK, rates(growth=0.2), exits(), start=2025, until=2030, draws=50)
    needed = talent.reaching(found, target, population=100_000).iloc[0]
    assert needed["target"] == 300
    assert needed["passes_needed"] == pytest.approx(2 * needed["joining_needed"])  # half of the passes are placed
    entering = rates(candidates=needed["passes_needed"] / 2, pass_rate=1.0)  # two units share them
    again = talent.project(STOCK, entering, exits(), start=2025, until=2030, draws=50).totals()
    assert again.query("year == 2030")["expected"].iloc[0] == pytest.approx(300)


def test_when_a_target_is_reached_is_the_first_year_at_or_above_it():
    target = talent.Target(per_10000=20.0, of="certified", per="residents")
    found = talent.project(STOCK, rates(), exits(0.0), start=2025, until=2030, draws=200)
    row = talent.reaching(found, target, population=100_000).iloc[0]
    assert row["reached_in"] == 2027  # 160, 190, 220
    assert row["chance"] == 1.0


def test_a_target_of_community_workers_is_never_set_beside_certified_persons():
    norm = talent.Target(per_10000=18, of="community_workers", per="urban_residents")
    found = talent.project(STOCK, rates(), exits(), start=2025, draws=10)
    with pytest.raises(ParameterError, match="never set on one axis"):
        talent.reaching(found, norm, population=1e6)
    with pytest.raises(ParameterError, match="residents"):
        talent.Target(per_10000=18, of="community_workers", per="residents")


def test_a_target_without_its_population_is_refused_with_the_reason():
    norm = talent.Target(per_10000=18, of="community_workers", per="urban_residents")
    with pytest.raises(EstimationError, match="urban_residents has no denominator"):
        norm.persons(None)


def test_rates_that_cannot_be_are_named_with_row_and_column():
    with pytest.raises(DataError) as caught:
        talent.project(STOCK, rates(pass_rate=1.3, candidates=-5), exits(), start=2025)
    assert {(fault.row, fault.column) for fault in caught.value.faults} == {
        (2, "pass_rate"), (3, "pass_rate"), (2, "candidates"), (3, "candidates")
    }  # fmt: skip
    with pytest.raises(DataError, match="no exit rates"):
        talent.project(STOCK, rates(), exits(scenario="other"), start=2025)
    with pytest.raises(DataError, match="no stock"):
        talent.project(STOCK[STOCK["unit"] == "a"], rates(), exits(), start=2025)
    with pytest.raises(ParameterError, match="2024"):
        talent.project(STOCK, rates(), exits(), start=2025, until=2024)
