import re
import tomllib
from functools import partial
from pathlib import Path

import pytest

from institute_lib import terms
from institute_lib.errors import ParameterError

CATALOGUES = sorted((Path(terms.__file__).parent).glob("*.toml"))
FIELD = re.compile(r"\{(\w+)")


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_every_text_speaks_both_languages_with_the_same_fields(path):
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    assert entries
    for key, entry in entries.items():
        assert set(entry) == {"zh", "en"}, key
        assert set(FIELD.findall(entry["zh"])) == set(FIELD.findall(entry["en"])), key


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_no_chinese_is_left_in_an_english_text(path):
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    left = [key for key, entry in entries.items() if re.search(r"[\u4e00-\u9fff]", entry["en"])]
    assert left == []


def test_an_error_says_itself_in_either_language_and_is_english_in_a_log():
    nearest = partial(terms.nearest_in, value="worker", allowed=["workers", "exams"])
    error = terms.error(ParameterError, "registers.error_table", table="worker", nearest=nearest)
    assert (
        str(error)
        == error.say("en")
        == ("table 'worker' cannot be imported: did you mean 'workers'? allowed: workers, exams")
    )
    assert error.say("zh") == "没有名为“worker”的登记表；是否要写“workers”？可用：workers、exams"
    assert ParameterError("plain").say("zh") == "plain"


def test_every_error_of_the_registers_speaks_both_languages():
    room = Path(terms.__file__).parents[1] / "registers"
    raised = re.compile(r"raise (?:DataError|ParameterError)\b")
    assert [path.name for path in room.glob("*.py") if raised.search(path.read_text(encoding="utf-8"))] == []


def test_an_unknown_text_names_the_nearest_one():
    with pytest.raises(ParameterError, match="did you mean 'district'"):
        terms.text("labels.distrct")


def test_a_text_without_its_value_is_refused():
    key = next(
        f"{path.stem}.{key}"
        for path in CATALOGUES
        for key, entry in tomllib.loads(path.read_text(encoding="utf-8")).items()
        if FIELD.search(entry["zh"])
    )
    with pytest.raises(ParameterError, match="needs a value for"):
        terms.text(key)


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [(1234.5, 1, "1,234.5"), (-1234.56, 1, "−1,234.6"), (-0.04, 1, "0.0"), (None, 0, "—"), (float("nan"), 1, "—")],
)
def test_numbers_are_grouped_signed_and_never_minus_zero(value, digits, shown):
    assert terms.number(value, "zh", digits) == shown


def test_large_counts_are_in_ten_thousands_in_chinese_alone():
    assert terms.count(7_726_635, "zh") == "772.7万"
    assert terms.count(7_726_635, "en") == "7,726,635"


def test_an_unbounded_interval_is_shown_as_unbounded():
    assert terms.interval(float("-inf"), 2.5) == "−∞至2.5"
    assert terms.interval(-1.0, float("inf"), "en") == "−1.0 to ∞"


def test_quarters_and_days_follow_the_language():
    assert terms.quarter("2024Q4", "zh") == "2024年四季度"
    assert terms.quarter("2024Q4", "en") == "Q4 2024"
    assert terms.date("2024-11-08", "en") == "8 November 2024"


def test_an_unknown_language_is_refused():
    with pytest.raises(ParameterError, match="allowed: zh, en"):
        terms.number(1, "zh") and terms.quarter("2024Q4", "fr")


def test_what_rounds_to_no_change_is_not_called_the_same():
    assert (terms.points(0.0, "zh"), terms.points(0.0003, "zh")) == ("持平", "基本持平")


@pytest.mark.parametrize(
    ("name", "english"),
    [
        ("和平桥街道", "Hepingqiao Subdistrict"),
        ("西安路社区居委会", "Xi'anlu Community"),
        ("尚湖镇社工站", "Social work station, Shanghu Town"),
        ("Suzhou", "Suzhou"),
    ],
)
def test_a_place_is_named_by_its_kind_and_in_pinyin_in_english_alone(name, english):
    assert terms.place(name, "en") == english
    assert terms.place(name, "zh") == name
