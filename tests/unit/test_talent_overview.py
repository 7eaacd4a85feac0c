"""The quarter at a glance: comparisons, order of importance, and a first paragraph without a number of its own."""

import re

import pandas as pd
import pytest

from institute_lib import talent
from institute_lib.errors import DataError, ParameterError

DISTRICTS = ("320612", "320613", "320614", "320623", "320681")


def numbers(**changes):
    """Recorded numbers of five districts and their city."""
    rows = []
    for place, area in enumerate((*DISTRICTS, "320600")):
        rows += [
            (area, "stability", 0.83 + 0.01 * place),
            (area, "stability_low", 0.81 + 0.01 * place),
            (area, "stability_high", 0.85 + 0.01 * place),
            (area, "stability_last_year", 0.83),
            (area, "certified_in_post", 0.45),
            (area, "certified_in_post_last_year", 0.30),
            (area, "certified_in_post_low", 0.43),
            (area, "certified_in_post_high", 0.47),
            (area, "exam_passed", 500.0 + place),
            (area, "exam_passed_last_year", 505.0),
            (area, "outcome_reached", 0.77),
        ]
    frame = pd.DataFrame(rows, columns=["area", "name", "value"]).assign(notebook="x")
    for name, value in changes.items():
        frame.loc[(frame["area"] == "320613") & (frame["name"] == name), "value"] = value
    return frame


def glance(frame=None, area="320613", **options):
    return talent.overview(numbers() if frame is None else frame, area=area, quarter="2025Q4", **options)


def test_the_questions_stand_in_the_articles_order():
    assert list(dict.fromkeys(glance().frame["question"])) == ["stay", "placed", "effective"]


def test_what_changed_most_is_most_notable():
    found = glance()
    assert found.frame.sort_values("importance").iloc[-1]["indicator"] == "certified_in_post"
    assert found.findings("zh")[0].startswith("在岗人员持证率")
    calm = glance(numbers(certified_in_post_last_year=0.45, stability_last_year=0.60))
    assert calm.findings("zh")[0].startswith("一年留任率")


def test_a_change_is_measured_in_standard_errors_of_its_interval():
    row = glance().frame.set_index("indicator").loc["certified_in_post"]
    error = 0.04 / (2 * 1.959963984540054)
    assert row["importance"] == pytest.approx(0.15 / (2**0.5 * error))


def test_a_count_changes_by_chance_as_its_root():
    row = glance().frame.set_index("indicator").loc["exam_passed"]
    assert row["importance"] == pytest.approx(4 / (501 + 505) ** 0.5)


def test_a_districts_rank_and_its_peers_median_leave_out_the_city():
    row = glance().frame.set_index("indicator").loc["stability"]
    assert (row["rank"], row["peers"]) == (4, 4)
    assert row["median"] == pytest.approx(0.855)
    assert pd.isna(glance(area="320600").frame.set_index("indicator").loc["stability", "rank"])


def test_saved_results_of_an_earlier_quarter_come_before_what_was_recorded_beside():
    before = pd.DataFrame([("320613", "stability", 0.70)], columns=["area", "name", "value"])
    row = glance(earlier={"last_quarter": before}).frame.set_index("indicator").loc["stability"]
    assert row["last_quarter"] == 0.70
    assert row["last_year"] == 0.83
    with pytest.raises(ParameterError, match="last_week"):
        glance(earlier={"last_week": before})


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("area", ["320613", "320600"])
def test_every_number_of_the_first_paragraph_stands_in_the_table(language, area):
    found = glance(area=area)
    cells = " ".join(found.shown(language).astype(str).to_numpy().ravel())
    in_table = set(re.findall(r"\d[\d,.]*\d|\d", cells))
    in_text = set(re.findall(r"\d[\d,.]*\d|\d", found.summary(language)))
    assert in_text
    assert in_text <= in_table


def test_one_changed_number_changes_the_paragraph():
    assert glance().summary("zh") != glance(numbers(stability=0.80)).summary("zh")


def test_the_headline_is_the_first_answer_with_its_change_on_the_year():
    found = glance().headline()
    assert found["text"] == glance().summary()
    assert (found["unit"], found["value"], found["change"]) == ("share", pytest.approx(0.84), pytest.approx(0.01))


def test_the_headline_of_counts_alone_changes_by_a_rate_and_of_nothing_is_a_sentence():
    counts = numbers().query("name.str.startswith('exam')")
    assert glance(counts).headline()["change"] == pytest.approx(501 / 505 - 1)
    assert glance(counts.query("name == 'exam_passed'")).headline()["change"] is None
    assert list(glance(counts[:0]).headline()) == ["text"]


def test_an_area_without_results_says_so():
    empty = pd.DataFrame(columns=["area", "name", "value"])
    assert "尚无" in glance(empty).summary("zh")
    assert glance(empty).shown("zh").empty
    with pytest.raises(DataError, match="value"):
        glance(empty.drop(columns="value"))


def test_a_figure_without_a_past_is_not_compared_with_one():
    frame = numbers()
    frame = frame[~frame["name"].str.endswith("_last_year")]
    assert "上年" not in glance(frame).summary("zh")


def test_a_year_ago_and_now_are_those_of_districts_that_have_both():
    frame = numbers()
    frame = frame[~((frame["area"] == "320614") & (frame["name"] == "certified_in_post_last_year"))]
    moved = talent.between(frame, name="certified_in_post", quarter="2025Q4", city="320600")
    assert set(moved["area"]) == set(DISTRICTS) - {"320614"}
    assert set(moved["quarter"]) == {"2024Q4", "2025Q4"}
