import re

import pytest

from institute_lib.runs import index, places
from institute_lib.runs.plan import Job, NotebookPlan, Plan

PLAN = Plan(areas=("320600", "320613"), notebooks=(NotebookPlan("01_first"), NotebookPlan("02_second")))
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


def test_the_page_asks_for_nothing_and_runs_nothing(folder):
    text = page(folder)
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|<script|<link|<iframe|@import|url\(", text)


def test_a_failure_shows_its_kind_and_cell_and_keeps_the_link_to_the_last_good_brief(folder):
    job = Job("02_second", "320600")
    finish(folder, job, headline={"value": 0.125, "unit": "share"})
    places.write_json(folder / job.notebook / job.area / places.FAILURE, {"kind": "ValueError", "cell": 7})
    text = page(folder)
    assert "单元格 [7]：ValueError" in text
    assert 'href="02_second/320600/brief.html"' in text
    assert "12.5%" in text


def test_the_demo_mark_appears_only_with_demo_data(folder):
    finish(folder, Job("01_first", "320613"), demo=False)
    assert "演示" not in page(folder)
    finish(folder, Job("01_first", "320600"), demo=True)
    assert "演示" in re.search(r"<title>(.*?)</title>", page(folder))[1]


def test_every_place_has_a_cell_whether_it_ran_or_not(folder):
    assert page(folder).count("尚未运行") == len(PLAN.jobs())


def test_a_notebooks_heading_is_taken_in_the_pages_language(tmp_path):
    path = tmp_path / "n.ipynb"
    path.write_text('{"cells": [{"cell_type": "markdown", "source": ["# 离职 / Leaving"]}]}', encoding="utf-8")
    assert (index.notebook_title(path, "zh"), index.notebook_title(path, "en")) == ("离职", "Leaving")
