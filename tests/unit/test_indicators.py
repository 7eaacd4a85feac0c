"""The indicator catalogue, and that an indicator has one value."""

import re
from importlib import import_module

import pandas as pd
import pytest

from institute_lib import areas, indicators
from institute_lib.errors import ParameterError
from institute_lib.indicators import Claim
from institute_lib.result import UNITS, Measure, Provenance, Result
from institute_lib.sharing import Read
from institute_lib.study import Study

KNOWN = list(indicators.catalogue())


@pytest.mark.parametrize("name", KNOWN)
def test_every_indicator_is_defined_in_both_languages_with_a_known_unit(name):
    one = indicators.get(name)
    assert one.unit in UNITS
    assert one.better in ("up", "down", "")
    assert one.question in ("stay", "placed", "effective", "")
    for words in (one.name, one.definition, one.population, one.period, one.numerator):
        assert words["zh"]
        assert words["en"]
        assert not re.search(r"[\u4e00-\u9fff]", words["en"])
    assert one.name["zh"] in one.explanation("zh")
    assert one.definition["en"] in one.explanation("en")


@pytest.mark.parametrize("name", KNOWN)
def test_every_indicator_names_the_function_that_computes_it(name):
    module, function = indicators.get(name).computed.rsplit(".", 1)
    assert callable(getattr(import_module(f"institute_lib.{module}"), function))


def test_no_two_indicators_share_a_name():
    for language in ("zh", "en"):
        names = [indicators.get(one).name[language] for one in KNOWN]
        assert len(set(names)) == len(names)


def test_an_unknown_indicator_is_named_with_the_nearest_one():
    with pytest.raises(ParameterError, match=r"'turnovr'.*did you mean 'turnover'.*indicators\.toml") as raised:
        indicators.get("turnovr")
    assert "turnovr" in raised.value.say("zh")
    assert "指标" in raised.value.say("zh")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("turnover", ("turnover", "2025Q1")),
        ("turnover_last_quarter", ("turnover", "2024Q4")),
        ("turnover_last_year", ("turnover", "2024Q1")),
        ("turnover_change", None),
        ("pay", None),
    ],
)
def test_a_measure_of_an_earlier_quarter_is_that_quarters_indicator(name, found):
    assert indicators.parse(name, "2025Q1") == found


def test_two_values_of_one_indicator_are_found():
    claims = [
        Claim("turnover", "320613", "2025Q4", words, where)
        for words, where in (("15.1%", "01"), ("15.1%", "03"), ("15.2%", "06"))
    ]
    assert indicators.contradictions(claims) == [(claims[0], claims[2])]
    without = Claim("turnover", "320613", "2025Q4", "15.3%", "03", absent=("320623",))
    assert indicators.contradictions([claims[0], without]) == []
    other = [Claim("turnover", "320600", "2025Q4", "18.6%", "03"), Claim("turnover", "320613", "2024Q4", "1%", "03")]
    assert indicators.contradictions([claims[0], *other]) == []


def _shares(share: float, unit: str = "share") -> Result:
    frame = pd.DataFrame({"district": ["320613"], "turnover": [share], "part": [share * 1000], "whole": [1000.0]})
    published = Provenance([Read("table", "published_facts", source="published")])
    return Result(
        frame, ("district",), (Measure("turnover", unit, of=("part", "whole")),), None, published, title="甲表"
    )


@pytest.fixture
def study(demo_home, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(demo_home))
    return Study(area="320613", quarter="2025Q4")


@pytest.mark.parametrize(
    ("listed", "area"),
    [(["320613"], "320613"), (["320613", "320614"], None), (None, "320600")],
)
def test_the_total_of_districts_is_claimed_for_what_it_sums_alone(study, listed, area):
    codes = listed or [one.code for one in areas.districts("320600")]
    frame = pd.DataFrame({"district": [*codes, "total"], "turnover": 0.15, "part": 150, "whole": 1000.0})
    published = Provenance([Read("table", "published_facts", source="published")])
    measure = Measure("turnover", "share", of=("part", "whole"))
    study.view(Result(frame, ("district",), (measure,), None, published, title="甲表"))
    assert {claimed for _, claimed, _ in study._claims} == {*codes, *([area] if area else [])}


def test_a_second_value_of_an_indicator_stops_the_notebook_with_one_sentence(study):
    study.view(_shares(0.15))
    study.view(_shares(0.15))
    with pytest.raises(ParameterError) as raised:
        study.view(_shares(0.16))
    said = raised.value.say("zh")
    assert all(part in said for part in ("turnover", "崇川区", "2025年四季度", "15.0%", "16.0%", "甲表"))


def test_an_indicator_in_another_unit_stops_the_notebook_with_one_sentence(study):
    with pytest.raises(ParameterError, match=r"'turnover' is a share, and the result says per_10000"):
        study.view(_shares(0.15, "per_10000"))
