import base64
import hashlib
import re
from pathlib import Path

import pytest

from institute_lib import terms
from institute_lib.runs import contents, fingerprints, index, places
from institute_lib.runs.plan import Job, NotebookPlan, Plan, extended, load_plan, notebook_title
from institute_lib.sharing import KINDS

PROJECT = Path(__file__).parents[2]

PLAN = Plan(areas=("320600", "320613"), notebooks=(NotebookPlan("01_first"), NotebookPlan("02_second")))
LONGEST = {"text": "字" * 500, "value": 1234.5, "words": "1,234.5元", "change_words": "增长10.0%"}
RUN = {"started": "2026-01-05T02:00:00+08:00", "seconds": 12.3, "counts": {"done": 1, "current": 2, "failed": 1}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    return tmp_path / "papermill_runs" / "2025Q4"


def finish(folder, job, **manifest):
    private = folder / "private"
    private.mkdir(parents=True, exist_ok=True)
    for name in places.OUTPUTS:
        (private / name).touch()
    places.commit(private, folder / job.notebook / job.area, {"finished": "2026-01-05T02:00:00+08:00", **manifest})


def page(folder):
    return index.write(PLAN, quarter="2025Q4", folder=folder, run=RUN).read_text(encoding="utf-8")


def test_a_headline_cannot_bring_markup_into_the_page(folder):
    finish(folder, Job("01_first", "320613"), headline={"text": "<img src=x onerror=alert(1)>"})
    assert "<img" not in page(folder)


def test_the_page_asks_for_nothing_and_runs_its_own_script_alone(folder):
    text = page(folder)
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'sha256-{digest}'; style-src" in text
    assert not re.search(r"https?://|<script |<link|<iframe|@import|url\(", text)


def test_a_failure_shows_its_kind_and_cell_and_keeps_the_link_to_the_last_good_brief(folder):
    job = Job("02_second", "320600")
    finish(folder, job, headline={"value": 0.125, "words": "12.5%"})
    places.write_json(
        folder / job.notebook / job.area / places.FAILURE, {"kind": "ValueError", "cell": 7, "sentence": "没有这一列"}
    )
    text = page(folder)
    assert "单元格 [7]：ValueError：没有这一列" in text
    assert 'href="02_second/320600/brief.html"' in text
    assert "12.5%" in text


def test_the_demo_mark_appears_only_with_demo_data(folder):
    finish(folder, Job("01_first", "320613"), demo=False)
    assert "演示" not in page(folder)
    finish(folder, Job("01_first", "320600"), demo=True)
    assert "演示" in re.search(r"<title>(.*?)</title>", page(folder))[1]


def test_every_place_has_a_cell_whether_it_ran_or_not(folder):
    assert page(folder).count('<td data-state="missing"') == len(PLAN.jobs())


def test_an_area_without_a_notebook_of_its_own_links_to_the_brief_of_its_city(folder):
    """And what ran for an area under an earlier plan is still shown."""
    once = Plan(areas=("320600", "320612", "320613"), notebooks=(NotebookPlan("02_second", areas=("320600",)),))
    finish(folder, Job("02_second", "320600"))
    finish(folder, Job("02_second", "320613"))
    text = index.write(extended(once, folder), quarter="2025Q4", folder=folder, run=RUN).read_text(encoding="utf-8")
    cells = re.findall(r'<td data-state="(\w+)".*?href="(.*?)"', text, re.DOTALL)
    assert cells[1] == ("elsewhere", "02_second/320600/brief.html")
    assert [link for _, link in cells[::2]] == ["02_second/320600/brief.html", "02_second/320613/brief.html"]
    assert terms.text("runs.state_elsewhere", "zh") not in re.search('<ul class="counts">.*?</ul>', text, re.DOTALL)[0]


def test_a_stale_brief_says_which_input_changed(folder):
    finish(folder, Job("01_first", "320613"))
    text = page(folder)
    assert '<li><span class="state stale">已过期</span> 笔记本已有变动，请重新运行：崇川区 01_first</li>' in text
    assert text.count('data-state="stale"') == 1


def test_every_input_of_a_job_has_its_word_for_the_page(folder, monkeypatch):
    plan = load_plan(PROJECT / "papermill_runs" / "quarterly.toml")
    monkeypatch.delenv("INSTITUTE_HOME")
    inputs = fingerprints.job_inputs(plan, Job("01_data_quality", "320613"), quarter="2025Q4", folder=folder)
    inputs["reads"] = [{"kind": kind, "name": "a", "as_of": "", "districts": [], "hash": "1"} for kind in KINDS]
    assert {f"input_{name}" for name in contents.by_kind(inputs)} <= set(terms.catalogue("runs"))


@pytest.mark.parametrize(("words", "shown"), [("增长12.5%", ["比上年增长12.5%"]), ("", [])])
def test_a_change_stands_as_the_notebook_said_it(folder, words, shown):
    finish(folder, Job("01_first", "320613"), headline={"value": 480, "words": "480人", "change_words": words})
    assert re.findall(r'class="change">(.*?)<', page(folder)) == shown


def test_the_page_of_a_whole_plan_is_small_enough_to_mail(folder):
    for job in PLAN.jobs():
        finish(folder, job, headline=LONGEST)
    per_cell = len(page(folder).encode()) / len(PLAN.jobs())
    assert per_cell * 48 < 200_000


def test_a_notebooks_number_stands_before_its_heading_in_both_languages(tmp_path):
    path = tmp_path / "n.ipynb"
    path.write_text('{"cells": [{"cell_type": "markdown", "source": ["# 07 离职 / Leaving"]}]}', encoding="utf-8")
    assert (notebook_title(path, "zh"), notebook_title(path, "en")) == ("07 离职", "07 Leaving")


def test_a_notebooks_heading_is_taken_in_the_pages_language(tmp_path):
    path = tmp_path / "n.ipynb"
    path.write_text('{"cells": [{"cell_type": "markdown", "source": ["# 离职 / Leaving"]}]}', encoding="utf-8")
    assert (notebook_title(path, "zh"), notebook_title(path, "en")) == ("离职", "Leaving")
