"""Single figures and sentences: none leaves that nobody protected; and how a table reads in a spreadsheet."""

import copy
import pickle
from dataclasses import replace

import pandas as pd
import pytest

from institute_lib import disclosure
from institute_lib.disclosure import Figure, Protected, SafeSentence, show
from institute_lib.disclosure.figures import MAKER
from institute_lib.disclosure.totals import equations
from institute_lib.errors import DisclosureError
from tests.shown import shown


@pytest.fixture
def shares() -> Protected:
    frame = pd.DataFrame({"district": ["320613", "320614"], "rate": [0.25, 0.5], "people": [1000, 1000]})
    return shown(frame, value="rate", persons="people")


def test_nobody_else_makes_a_view_a_figure_or_a_sentence(shares):
    with pytest.raises(DisclosureError, match=r"disclosure\.protected alone"):
        replace(shares, made_by=object())
    with pytest.raises(DisclosureError, match=r"disclosure\.protected alone"):
        Figure(object(), 4)
    with pytest.raises(DisclosureError, match=r"disclosure\.protected alone"):
        SafeSentence(object(), "4人")


def test_changing_what_a_view_hands_out_changes_nothing(shares):
    handed_out = shares.frame
    handed_out["rate"] = 1.0
    assert shares.frame["rate"].tolist() == [0.25, 0.5]


@pytest.mark.parametrize("part", [4, 4.0, "4人", "４人", "约 4.5%", "3,671"])
def test_a_number_that_nobody_protected_enters_no_sentence(part):
    with pytest.raises(DisclosureError, match="sentence"):
        disclosure.sentence("{name}。", "zh", name=part)


@pytest.mark.parametrize(
    "words", ["崇川区", "2025Q4", "2025年四季度", "2025年12月31日", "31 December 2025", "Q4 2025", "320613"]
)
def test_names_and_times_are_no_numbers(words):
    assert disclosure.sentence("{name}。", "zh", name=words)


def test_a_template_of_ones_own_holds_no_number_either(shares):
    figure = shares.figure(district="320613")
    assert disclosure.sentence("{n}在岗（95%区间）。", "zh", n=figure) == "25.0%在岗（95%区间）。"
    with pytest.raises(DisclosureError, match="template"):
        disclosure.sentence("4人在岗，{n}。", "zh", n=figure)


def test_what_is_cut_out_of_a_sentence_or_read_from_a_file_is_plain_text_again():
    said = SafeSentence(MAKER, "共有400人。")
    assert isinstance(copy.deepcopy(said), SafeSentence)
    for plain in (said[:3], said + "4人", pickle.loads(pickle.dumps(said))):
        assert not isinstance(plain, SafeSentence)


def test_the_citys_row_counts_as_the_sum_of_its_districts():
    keys = pd.DataFrame({"district": ["320612", "320613", "320614", "320600"]})
    assert equations(keys) == [(3, [0, 1, 2])]


def test_csv_cells_hold_no_live_formula():
    for text in ("=1+1", "+1", "-1", "@x", "\t=1", " =1", "＝1"):
        assert show.csv_text(text).startswith("'")
    assert show.csv_cell("1,234", numeric=True) == "1234"
    assert show.csv_cell("−0.5", numeric=True) == "-0.5"
