"""What an attacker can tell of single persons from the briefs of two quarters, of a made register with known truth.

The whole city stands in `python -m tests.bench attack`; here three districts with workers, two of them with briefs,
try every kind of count.
"""

import pytest

from institute_lib import areas
from tests.bench import attack, attack_tables
from tests.bench.attacker import Interval, Program, count

DISTRICTS = 3
CODES = [attack.CITY, *(one.code for one in areas.districts(attack.CITY)[: DISTRICTS - 1])]


@pytest.fixture(scope="module")
def register():
    return attack.people(attack.SEED, [one.name_zh for one in areas.districts(attack.CITY)[:DISTRICTS]])


@pytest.fixture(scope="module")
def found(workshop, register) -> list[attack.Found]:
    """The attack on 01 and 03 of the city and of all its districts with workers but one, in two quarters."""
    home = workshop.home("attack")
    more = attack.others(attack.SEED, register, list(attack.QUARTERS))
    workshop.once("attack-runs", lambda place: (attack.write_runs(home, register, CODES, more=more), place.mkdir()))
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


@pytest.fixture(scope="module")
def behind_tables(workshop, found) -> list[attack_tables.Count]:
    """The true counts of one to nine behind the tables of the other notebooks."""
    return attack.attack_on_tables(workshop.home("attack"), CODES)[0]


def test_no_count_behind_the_tables_of_the_other_notebooks_keeps_less_than_three_values(behind_tables):
    assert {one.series[0][:2] for one in behind_tables} == {"04", "05", "07"}
    assert [one for one in behind_tables if one.number < 3] == []


def test_the_attacker_tells_a_count_that_two_exact_tables_leave_over():
    """Of three districts and their city: what the city's table and two of the districts' leave of the third."""
    district, other, third = "320612", "320613", "320614"
    counts = {attack.CITY: 40, district: 17, other: 18, third: 5}
    tables = [
        {
            "title": "passes",
            "area": code,
            "quarter": "2025Q4",
            "keys": [{"year": "2025"}],
            "truth": {"passed": [value]},
            "lines": [({("passed", 0): 1}, 0, 9) if value < 10 else ({("passed", 0): 1}, value, value)],
            "rests": set(),
        }
        for code, value in counts.items()
    ]
    [told] = attack_tables.attack(tables, attack.CITY, [district, other, third])
    assert (told.true, told.left) == (5, (5, 5))


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
