"""The protected view of a result: what a reader may see of figures about persons, and what may not be told from it."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from institute_lib import disclosure
from institute_lib.disclosure import Protected, show
from institute_lib.errors import DisclosureError, ParameterError
from institute_lib.result import Measure, Provenance, Result
from institute_lib.sharing import Read

PERSONS = Provenance([Read("tables", "workers", "2025-12-31", source="register", personal=True)])
PUBLISHED = Provenance([Read("reference", "published_facts", source="published")])
STATIONS = Provenance([Read("tables", "stations", "2025-12-31", source="register")])


def shown(frame: dict, measures: list[Measure], *, keys=("level",), persons="n", of=PERSONS, **more) -> Protected:
    table = pd.DataFrame(frame)
    columns = {m.name: 0.0 for m in measures if m.name not in table and m.unit != "points"}
    return disclosure.protected(Result(table.assign(**columns), keys, tuple(measures), persons, of, **more))


def rows(view: Protected) -> list[list[str]]:
    return show.view(view, "zh")["rows"]


def texts(view: Protected, name: str) -> list[str]:
    return [view.text(place, name) for place in range(len(view.data))]


@pytest.mark.parametrize(
    ("count", "reads"),
    [(0, "<10"), (1, "<10"), (9, "<10"), (10, "10"), (12, "10"), (13, "15"), (98, "100"), (4321, "4,320")],
)
def test_a_count_under_ten_reads_as_such_and_others_go_in_fives(count, reads):
    assert texts(shown({"level": ["a"], "n": [count]}, [Measure("n", "count")]), "n") == [reads]


def test_a_count_that_leaves_few_of_its_whole_reads_as_a_bound():
    view = shown({"level": ["a"], "n": [47], "sat": [45]}, [Measure("n", "count"), Measure("sat", "count", of="n")])
    assert texts(view, "sat") == ["≥30"]


def test_counts_beside_the_contributors_are_judged_too():
    """other_counts: a bill of certificates with two subsidised holders."""
    view = shown(
        {"level": ["assistant", "social_worker"], "n": [34, 11], "subsidised": [19, 2], "yearly": [45600.0, 9600.0]},
        [
            Measure("n", "count"),
            Measure("subsidised", "count", of="n"),
            Measure("yearly", "yuan", of="subsidised", statistic="sum"),
        ],
    )
    assert texts(view, "subsidised") == ["20", "<10"]
    assert texts(view, "yearly") == ["48,000", "＊"]


def test_a_group_that_all_failed_is_not_shown_by_nobody_having_passed():
    """zero_contributors: three registered, sat, and failed."""
    view = shown(
        {"level": ["assistant", "senior"], "n": [47, 3], "sat": [32, 3], "passed": [12, 0]},
        [Measure("n", "count"), Measure("sat", "count", of="n"), Measure("passed", "count", of="sat")],
    )
    assert rows(view)[1][1:] == ["<10", "<10", "<10"]


def test_a_part_does_not_follow_from_a_total_in_the_same_table():
    """parent_child_rows: 25 of any title, 21 trainees, so 4 supervisors."""
    view = shown({"level": ["any", "trainee", "supervisor"], "n": [25, 21, 4]}, [Measure("n", "count")])
    assert texts(view, "n") == ["25", "20", "<10"]
    assert len(left_for_small(view, np.array([25, 21, 4]))[2]) >= 3


@pytest.mark.parametrize(
    ("top", "bottom", "reads"),
    [(30, 60, "50.0%"), (3, 60, "<17.3%"), (0, 60, "<17.3%"), (58, 60, ">82.7%"), (60, 60, ">82.7%"), (3, 8, "＊")],
)
def test_a_share_is_one_of_rounded_counts_and_a_bound_at_either_end(top, bottom, reads):
    view = shown({"level": ["a"], "n": [bottom], "k": [top]}, [Measure("share", "share", of=("k", "n"))], persons="n")
    assert texts(view, "share") == [reads]


@given(top=st.integers(0, 400), rest=st.integers(0, 400))
@settings(max_examples=400, deadline=None)
def test_a_bound_of_a_share_or_count_always_holds(top, rest):
    view = shown(
        {"level": ["a"], "n": [top + rest], "k": [top]},
        [Measure("k", "count", of="n"), Measure("share", "share", of=("k", "n"))],
    )
    for name, truth in (("k", top), ("share", top / max(top + rest, 1))):
        column = view.figures_of[name]
        if column.state[0] == "below":
            assert truth < column.limit[0]
        elif column.state[0] == "above":
            assert truth >= column.limit[0]


def test_an_interval_comes_from_the_rounded_counts_so_it_gives_no_count_back():
    measure = Measure("share", "share", of=("k", "n"), interval="wilson")
    one = shown({"level": ["a"], "n": [101], "k": [31]}, [measure])
    other = shown({"level": ["a"], "n": [99], "k": [28]}, [measure])
    assert one.data.equals(other.data)


def test_a_change_within_the_rounding_reads_as_unchanged():
    frame = {"level": ["a"], "n": [100], "k": [31], "n0": [100], "k0": [28]}
    view = shown(
        frame,
        [
            Measure("now", "share", of=("k", "n")),
            Measure("then", "share", of=("k0", "n0")),
            Measure("change", "points", of=("now", "then")),
        ],
    )
    assert texts(view, "change") == ["基本持平"]
    assert (view.figure("now", level="a") - view.figure("then", level="a")).words("zh") == "基本持平"


def test_money_needs_ten_persons_three_employers_and_no_dominant_one():
    view = shown(
        {
            "level": ["a", "b", "c", "d"],
            "n": [40, 9, 40, 40],
            "pay": [6123.0, 6123.0, 6123.0, 6123.0],
            "employers": [5, 5, 2, 5],
            "largest": [0.3, 0.3, 0.3, 0.6],
        },
        [Measure("pay", "yuan", of="n", employers="employers", largest="largest")],
    )
    assert texts(view, "pay") == ["6,100", "＊", "＊", "＊"]


def test_a_table_with_one_row_a_person_shows_nothing():
    """exempt_person_rows, trust_n: sixty wages."""
    wages = {"level": [str(i) for i in range(60)], "n": [1] * 60, "pay": [4000.0 + 37 * i for i in range(60)]}
    view = shown(wages, [Measure("pay", "yuan", of="n"), Measure("n", "count")])
    assert set(texts(view, "pay")) == {"＊"}
    assert view.data["pay"].isna().all()
    assert view.data["n"].isna().all()


def test_figures_of_places_and_published_ones_are_exact():
    stations = {"level": ["a"], "n": [3], "share": [0.123456]}
    assert rows(shown(stations, [Measure("n", "count")], persons=None, of=STATIONS)) == [["a", "3"]]
    mixed = shown({"level": ["a", "b"], "n": [3, 3]}, [Measure("n", "count")], of=(PUBLISHED, PERSONS))
    assert texts(mixed, "n") == ["3", "<10"]


def test_a_model_loses_a_driver_of_which_one_level_is_small_and_shows_three_digits():
    frame = {
        "term": ["kind", "kind", "sex", "sex"],
        "level": ["a", "b", "f", "m"],
        "persons": [40, 40, 40, 8],
        "events": [20, 20, 20, 20],
        "ratio": [np.nan, 1.23456, np.nan, 2.5],
        "ratio_low": [np.nan, 1.0, np.nan, 2.0],
        "ratio_high": [np.nan, 1.5, np.nan, 3.0],
    }
    model = {"keys": ("term", "level"), "persons": "persons", "events": "events"}
    view = shown(frame, [Measure("ratio", "ratio", interval="given")], residual=60, **model)
    assert view.data["ratio"].tolist()[1] == 1.23
    assert texts(view, "ratio")[2:] == ["—", "＊"]
    saturated = shown(frame, [Measure("ratio", "ratio", interval="given")], residual=4, **model)
    assert saturated.data["ratio"].isna().all()


def test_a_free_text_in_a_row_about_persons_is_refused():
    with pytest.raises(DisclosureError, match="closed vocabulary"):
        shown({"level": ["a"], "n": [40], "who": ["张三最多"]}, [Measure("who", "text")])


def test_units_are_stated_and_never_guessed():
    """units_guessed_from_names: a growth rate in percent, and `none` of a subsidy."""
    frame = {"subsidy": ["none", "some"], "growth_rate": [1.3, 12.5], "n": [50, 60]}
    view = shown(frame, [Measure("growth_rate", "number", digits=1)], keys=("subsidy",), persons=None, of=PUBLISHED)
    assert [row[1] for row in rows(view)] == ["1.3", "12.5"]
    assert rows(view)[0][0] != "无证书"


def test_a_share_reads_as_a_share_whatever_its_column_is_called():
    view = shown(
        {"level": ["a"], "n": [200], "k": [50]}, [Measure("stations_number", "share", of=("k", "n"))], persons="n"
    )
    assert texts(view, "stations_number") == ["25.0%"]


def test_an_interval_in_a_sentence_takes_the_unit_and_digits_of_its_figure():
    view = shown(
        {"level": ["a"], "n": [40], "gap": [0.017], "gap_low": [-0.071], "gap_high": [0.106]},
        [Measure("gap", "number", digits=3, interval="given")],
    )
    ends = (view.figure("ci_low", level="a"), view.figure("ci_high", level="a"))
    said = disclosure.sentence("差距{gap}（{ends}）", "zh", gap=view.figure("gap", level="a"), ends=ends)
    assert said == "差距0.017（−0.071至0.106）"


def test_a_figure_that_no_row_has_is_missing_and_an_unknown_one_is_refused():
    view = shown({"level": ["a"], "n": [40]}, [Measure("n", "count")])
    assert view.figure("n", level="zz").words("zh") == "—"
    with pytest.raises(ParameterError, match="did you mean 'n'"):
        view.figure("nn", level="a")


def test_for_internal_use_counts_from_ten_up_are_exact_and_the_table_says_so():
    frame = pd.DataFrame({"level": ["a", "b"], "n": [43, 7]})
    result = Result(frame, ("level",), (Measure("n", "count"),), "n", PERSONS)
    view = disclosure.protected(result, exact=True)
    assert texts(view, "n") == ["43", "<10"]
    assert "不得对外" in " ".join(view.notes("zh"))


# what is left to an attacker: every value that a small count may have, given everything that the table shows


def published_range(view: Protected, place: int) -> range:
    column = view.figures_of["n"]
    state, value, limit = column.state[place], column.value[place], column.limit[place]
    if state == "below":
        return range(10)
    if state == "above":
        return range(int(limit), 10_000)
    return range(max(10, int(value) - 5), int(value) + 6)


def left_for_small(view: Protected, true: np.ndarray) -> dict[int, set[int]]:
    """Of a total and its parts (the first row is the total): the values that each small part may have.

    The attacker knows the rule: fives, but for a total that the table may round to ten.
    """
    column = view.figures_of["n"]
    small = [place for place in range(1, len(true)) if column.state[place] == "below"]
    found: dict[int, set[int]] = {place: set() for place in small}
    ranges = [published_range(view, place) for place in range(len(true))]
    width = 5 if column.value[0] % 10 == 0 and small else 2
    total = (
        range(int(column.value[0]) - width, int(column.value[0]) + width + 1)
        if column.state[0] == "shown"
        else ranges[0]
    )
    others = [(r[0], min(r[-1], 10_000)) for place, r in enumerate(ranges) if place and place not in small]
    low, high = sum(a for a, _ in others), sum(b for _, b in others)
    for values in product(*(range(10) for _ in small)):
        rest = sum(values)
        if total[0] - high <= rest <= total[-1] - low:
            for place, value in zip(small, values, strict=True):
                found[place].add(value)
    return found


@given(parts=st.lists(st.integers(0, 60), min_size=2, max_size=5))
@settings(max_examples=300, deadline=None)
def test_every_small_part_of_a_total_keeps_three_values_or_more(parts):
    true = np.array([sum(parts), *parts])
    view = shown({"level": ["total", *map(str, range(len(parts)))], "n": true}, [Measure("n", "count")])
    if (true[1:] < 10).sum() > 3 or true[0] < 10:
        return
    for place, values in left_for_small(view, true).items():
        assert true[place] in values
        assert len(values) >= 3, (parts, place, values)


def test_a_part_that_its_total_leaves_nearly_alone_is_bounded_by_itself_and_not_by_the_column_it_is_part_of():
    """53 of 200 passed in one district, 7 in the other: 60 less 7 would be told, and 185 are not 53."""
    frame = {"district": ["320613", "320685", "total"], "sat": [200, 200, 400], "passed": [53, 7, 60]}
    view = shown(frame, [Measure("passed", "count", of="sat")], keys=("district",), persons="sat")
    assert texts(view, "passed") == ["≥40", "<10", "60"]


def test_the_highest_of_a_table_is_a_figure_that_is_shown_or_bounded_from_below():
    """A share that reads as "<…" may be anything under it, and a hidden one is none."""
    frame = {"level": ["a", "b", "c", "d"], "part": [30, 3, 14, 2], "whole": [100, 20, 20, 9]}
    view = shown(frame, [Measure("share", "share", of=("part", "whole"))], persons="whole")
    assert texts(view, "share") == ["30.0%", "<55.6%", ">44.4%", "＊"]
    assert (str(view.highest("share")["level"]), str(view.lowest("share")["level"])) == ("c", "a")


def test_a_total_whose_parts_do_not_add_up_to_it_is_rounded_as_everywhere():
    """257 people, of whom nobody's town is on record: 255 beside the towns as in any other table."""
    frame = pd.DataFrame({"town": ["320613001", "320613002", "total"], "n": [0.0, 0.0, 257.0]})
    view = disclosure.protected(Result(frame, ("town",), (Measure("n", "count"),), "n", PERSONS))
    assert view.figure("n", town="total").value == 255
