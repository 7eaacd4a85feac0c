"""A seventh question, as a new user asks it: one command, then the run; the brief is there and the index shows it."""

import os
import re
import subprocess
import sys

import pytest

NAME = "08_income_gap"
CITY = "320600"


@pytest.fixture(scope="module", params=["zh", "en"])
def run(request, workshop):
    def ask(tables_folder):
        home = tables_folder.parents[1]
        command = [sys.executable, "-m", "institute_lib", "new", "收入差距 / Income gap"]
        subprocess.run(command, env=os.environ | {"INSTITUTE_HOME": str(home)}, check=True, capture_output=True)

    home = workshop.home("home-seventh", ask)
    return workshop.run(home, areas=(CITY,), notebooks=(NAME,), language=request.param)


def test_the_template_runs_as_it_stands_and_its_brief_has_a_chart_findings_and_limits(run):
    page = run.page(NAME, CITY)
    assert page.h1.get_text() == {"zh": "收入差距", "en": "Income gap"}[run.language]
    assert len(page.select("script.figure")) == 1
    assert re.search(r"\d%", run.findings(NAME, CITY)[0])
    assert page.select_one("details.methods").get_text(strip=True)
    assert run.result(NAME, CITY)["demo"]


def test_the_index_shows_it_with_its_headline(run):
    index = (run.folder / "index.html").read_text(encoding="utf-8")
    assert f'href="{NAME}/{CITY}/brief.html"' in index
    assert {"zh": "08 收入差距", "en": "08 Income gap"}[run.language] in index


def test_its_english_brief_holds_no_chinese(run, chinese_names):
    if run.language == "zh":
        text = run.page(NAME, CITY).select_one(".findings").get_text()
        assert not re.search(r"[A-Za-z]{3}", text)
    else:
        text = chinese_names.sub("", run.page(NAME, CITY).select_one("main").get_text())
        assert not re.search(r"[\u3400-\u9fff]", text)
