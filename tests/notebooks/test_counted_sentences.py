"""Findings of the briefs against a count of the demo registers with pandas alone (`tests/counted.py`)."""

import re

import pytest

from tests import counted

AREAS = ("320600", "320613")


@pytest.fixture(scope="module")
def registers(demo_home):
    return counted.Registers(demo_home)


def findings(run, notebook, area):
    return [one.get_text() for one in run.page(notebook, area).select(".findings li")]


@pytest.mark.parametrize("area", AREAS)
def test_every_figure_of_the_technical_findings_is_what_a_count_gives(quarter_zh, registers, area):
    found = list(counted.sentences(registers, area))
    assert len(found) == 8
    wrong = [fault for one in found for fault in counted.faults(findings(quarter_zh, one.notebook, area), one)]
    assert wrong == []


@pytest.mark.parametrize("area", AREAS)
def test_every_figure_of_the_one_page_is_what_a_count_gives(quarter_zh, registers, area):
    said = findings(quarter_zh, "06_quarterly_overview", area)
    found = [one for one in counted.one_page(registers, area) if any(one.about in text for text in said)]
    assert len(found) == 3
    assert [fault for one in found for fault in counted.faults(said, one)] == []


def test_a_wrong_figure_a_missing_period_and_a_number_too_many_are_each_found(registers):
    (right,) = [one for one in counted.sentences(registers, "320613") if one.about == "空岗率"]
    posts, vacant = right.figures
    told = "{name}{period}，四级站（室）共有岗位{posts}，空岗率{vacant}。"
    good = told.format(name="崇川区", period="2025年四季度", posts=posts, vacant=vacant)
    assert counted.faults([good], right) == []
    for wrong in (
        good.replace(vacant, "33.3%"),
        good.replace("四季度", ""),
        good.replace("。", "，比全市高1.5个百分点。"),
    ):
        assert counted.faults([wrong], right)


@pytest.mark.parametrize("area", AREAS)
def test_both_languages_say_the_same_figures(quarter_zh, quarter_en, area):
    for one in ("03_retention_drivers", "05_talent_pipeline", "07_services", "06_quarterly_overview"):
        told = [findings(run, one, area) for run in (quarter_zh, quarter_en)]
        assert len(told[0]) == len(told[1])
        shares = [[sorted(re.findall(r"\d+\.\d", text)) for text in said] for said in told]
        assert shares[0] == shares[1]
