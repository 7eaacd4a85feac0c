"""Quarters that change after their end: late districts, corrections and undoings run exactly the jobs they touch."""

import pandas as pd
import pytest

from institute_lib import registers, runs, tables
from tests.offices import keep
from tests.rows import WORKER

LOADS = 'workers = study.load("workers")\nprint(len(workers))'
OPENS = "since = tables.covered_quarters(as_of=study.as_of)[0]"
ASKS = "late = tables.unreported(quarter, study.all_districts, as_of=study.as_of)"
FIRST, SECOND = "320612", "320613"
PLAN = """
language = "zh"
areas = ["320612", "320613"]
[notebooks.01_first]
[notebooks.02_second]
[notebooks.06_last]
after = ["01_first", "02_second"]
reads = "area"
"""


def state(*people, district=SECOND):
    rows = [WORKER | {"worker_id": f"{district} {one}", "district": district} for one in people]
    return pd.DataFrame(rows).astype({"left": "datetime64[us]"})


@pytest.fixture
def quarter(project):
    """Two districts and three notebooks: one loads the workers, one asks who reported, one reads the others."""
    project.write_plan(PLAN)
    project.write_notebook("01_first", LOADS, OPENS)
    project.write_notebook("02_second", ASKS)
    keep(project.root, "workers", state("a", "b"), "2025-09-30")
    keep(project.root, "workers", state("a", "b"), "2025-12-31")
    return project


def run() -> dict[str, str]:
    summary = runs.run(quarter="2025Q4", progress="none", workers=2)
    return {str(one.job): one.state for one in summary.outcomes}


def stale() -> set[str]:
    return {str(one.job) for one in runs.status(quarter="2025Q4") if one.state == "stale"}


def test_a_late_district_a_later_quarter_a_correction_and_an_undo_run_exactly_what_they_touch(quarter):
    assert {state for job, state in run().items() if job.endswith(SECOND)} == {"done"}
    assert stale() == set()

    keep(quarter.root, "workers", state("a", "b", "c"), "2026-03-31")  # of the next quarter
    assert stale() == set()

    keep(quarter.root, "workers", state("x", district=FIRST), "2025-12-31")  # late
    assert {job for job in stale() if job.endswith(SECOND)} == set()
    again = run()
    assert again[f"02_second/{SECOND}"] == again[f"06_last/{SECOND}"] == "current"
    assert again[f"01_first/{FIRST}"] == "done"
    assert stale() == set()

    before = tables.load("workers", "2025-12-31")
    keep(quarter.root, "workers", state("a", "b", "d"), "2025-12-31")  # a correction
    assert stale() == {f"01_first/{SECOND}"}
    registers.undo(5)
    assert tables.load("workers", "2025-12-31").equals(before)
    assert stale() == set()


def test_a_table_that_was_not_imported_stops_only_the_notebook_that_asks_for_it(quarter):
    quarter.write_notebook("02_second", 'exams = tables.load("exams", study.as_of)')
    ended = run()
    assert ended[f"01_first/{SECOND}"] == "done"
    assert ended[f"02_second/{SECOND}"] == "no_register"
    assert "缺登记表" in (quarter.folder / "index.html").read_text(encoding="utf-8")


def test_a_correction_makes_only_the_jobs_stale_that_used_its_district(quarter):
    quarter.write_notebook(
        "01_first", 'workers = study.load("workers")', 'changes = study.load("worker_changes")', OPENS
    )
    quarter.write_notebook("02_second", 'workers = study.load("workers", scope="city")')
    keep(quarter.root, "workers", state("x", "y", district=FIRST), "2025-09-30")
    keep(quarter.root, "workers", state("x", "y", district=FIRST), "2025-12-31")
    run()
    assert stale() == set()
    keep(quarter.root, "workers", state("a", "b", "c"), "2025-12-31")  # the second district hands its list in again
    both = {f"02_second/{FIRST}", f"02_second/{SECOND}"}  # show the city, and so depend on each of its districts
    assert stale() == {f"01_first/{SECOND}", *both}
    said = {one.say() for one in runs.status(quarter="2025Q4") if one.state == "stale"}
    named = "崇川区：登记表（变动记录、从业人员登记）已有变动，请重新运行"
    assert said == {named, "登记表（从业人员登记）已有变动，请重新运行"}


def test_a_day_of_knowledge_before_any_import_is_a_table_that_is_lacking(quarter):
    quarter.write_notebook(
        "02_second", 'study = Study(area=area, quarter=quarter, as_of="2025-10-01")', "study.districts"
    )
    assert run()[f"02_second/{SECOND}"] == "no_register"
