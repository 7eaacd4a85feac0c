"""What an attacker can tell of single persons from the briefs of two quarters, of a made register with known truth.

The whole city stands in `python -m tests.bench attack`; here three districts with workers, two of them with briefs,
try every kind of count.
"""

import pytest

from institute_lib import areas
from tests.bench import attack
from tests.bench.attacker import Interval, Program, count

DISTRICTS = 3


@pytest.fixture(scope="module")
def register():
    return attack.people(attack.SEED, [one.name_zh for one in areas.districts(attack.CITY)[:DISTRICTS]])


@pytest.fixture(scope="module")
def found(workshop, register) -> list[attack.Found]:
    """The attack on 01 and 03 of the city and of all its districts with workers but one, in two quarters."""
    home = workshop.home("attack")
    codes = [attack.CITY, *(one.code for one in areas.districts(attack.CITY)[: DISTRICTS - 1])]
    workshop.once("attack-runs", lambda place: (attack.write_runs(home, register, codes), place.mkdir()))
    return attack.attack(home, register)


@pytest.fixture(scope="module")
def small(found) -> list[attack.Found]:
    """The true counts of one to nine."""
    return [one for one in found if 1 <= one.true <= 9]


def test_every_kind_of_count_is_tried(small):
    assert {one.what for one in small} >= {
        "left in four quarters",
        "left in a quarter",
        "no station",
        "left for a reason",
        "left at a tenure",
        "left at a tenure between quarters",
        "people of a kind",
    }


def test_no_count_of_one_to_nine_can_be_told_exactly(small):
    assert [one for one in small if one.told] == []


def test_at_least_three_values_are_left_of_each(small):
    assert [one for one in small if one.number < 3] == []


def test_no_single_leaver_is_read_off_a_curve_or_between_quarters(found):
    assert attack.singles(found) == []


@pytest.mark.parametrize(("total", "part", "left"), [("23", "17", (6, 6)), ("25", "15", (6, 9))])
def test_the_attacker_subtracts_exact_figures_and_is_left_with_more_of_rounded_ones(total, part, left):
    base = 1 if total == "23" else 5
    program = Program()
    for key in ("part", "rest"):
        program.variable(key)
    program.know({"part": 1, "rest": 1}, count(total, base))
    program.know({"part": 1}, count(part, base))
    program.know({"rest": 1}, count("<10", base))
    assert program.values_left({"rest": 1}) == left
    assert program.values_left({"rest": 1}, {"part": 17}) == (6, 6 if base == 1 else 9)


def test_a_figure_that_the_truth_does_not_fit_is_named():
    program = Program()
    program.know({program.variable("leavers"): 1}, Interval(3, 5))
    assert program.broken({"leavers": 4}) == []
    assert program.broken({"leavers": 6}) == ["['leavers']: 6.0 not in 3 … 5"]
