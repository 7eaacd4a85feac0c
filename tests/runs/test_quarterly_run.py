"""The quarterly run on tiny notebooks, with real kernels, and what happens when something breaks in the middle."""

import json

import docx
import pandas as pd
import pytest

from institute_lib import cli, runs, terms
from institute_lib.errors import DataError, ParameterError
from institute_lib.runs import places
from tests.runs.conftest import LAST, PLAN, recording

QUIET = {"progress": "none"}
ONLY = {"areas": ["320613"], **QUIET}


def states(summary) -> dict[str, str]:
    return {str(outcome.job): outcome.state for outcome in summary.outcomes}


def result(project, notebook, area="320613"):
    return json.loads((project.place(notebook, area) / places.RESULT).read_text(encoding="utf-8"))


def once(marker, action: str) -> str:
    """A cell that does something only the first time it is executed."""
    first = f"if not Path({str(marker)!r}).exists():"
    return f"from pathlib import Path\n{first}\n    Path({str(marker)!r}).touch()\n    {action}"


def test_every_job_leaves_its_brief_and_the_second_run_does_nothing(project):
    first = runs.run(quarter="2025Q4", **QUIET)
    assert set(states(first).values()) == {"done"}
    assert len(first.outcomes) == 9
    assert all(outcome.warm for outcome in first.outcomes)
    left = {*places.OUTPUTS, places.MANIFEST} - {places.WORD}
    for notebook in ("01_first", "02_second", "06_last"):
        for area in project.areas:
            assert {path.name for path in project.place(notebook, area).iterdir()} == left
            assert f'href="{notebook}/{area}/brief.html"' in first.index.read_text(encoding="utf-8")
    assert result(project, "06_last")["numbers"] == {"found": 6, "missing": 0}

    before = {path: content for path, content in project.snapshot().items() if places.BRIEF in path}
    second = runs.run(quarter="2025Q4", **QUIET)
    assert set(states(second).values()) == {"current"}
    assert {path: content for path, content in project.snapshot().items() if places.BRIEF in path} == before
    assert {one.state for one in runs.status(quarter="2025Q4")} == {"current"}


def test_a_plan_that_asks_for_word_gets_it_beside_each_brief_until_it_asks_no_more(project):
    only = {"notebooks": ["01_first"], **ONLY}
    document = project.place("01_first") / places.WORD
    runs.run(quarter="2025Q4", **only)
    project.write_plan(f"word = true\n{PLAN}")
    assert states(runs.run(quarter="2025Q4", **only)) == {"01_first/320613": "done"}
    assert docx.Document(document).paragraphs
    assert places.WORD in (project.place("01_first") / places.BRIEF).read_text(encoding="utf-8")
    assert states(runs.run(quarter="2025Q4", **only)) == {"01_first/320613": "current"}
    project.write_plan(PLAN)
    runs.run(quarter="2025Q4", **only)
    assert not document.exists()


def test_a_changed_notebook_runs_again_with_what_reads_it_and_nothing_else(project):
    runs.run(quarter="2025Q4", **ONLY)
    project.write_notebook("02_second", "x = 2")
    stale = {str(one.job): one.state for one in runs.status(quarter="2025Q4", areas=["320613"])}
    assert stale["02_second/320613"] == "stale"
    again = states(runs.run(quarter="2025Q4", **ONLY))
    # The overview's inputs are the results, and this notebook's result is what it was.
    assert again == {"01_first/320613": "current", "02_second/320613": "done", "06_last/320613": "current"}


def test_a_changed_table_runs_exactly_the_jobs_that_read_it(project):
    """However it is read: by a name that is computed, and not at all where a job asks only who has reported."""
    project.write_notebook("01_first", 'frames = [tables.load(name, study.as_of) for name in ("work" + "ers",)]')
    project.write_notebook(
        "02_second", "late = tables.reports(study.all_districts, quarter=quarter, as_of=study.as_of)"
    )
    runs.run(quarter="2025Q4", **ONLY)
    project.write_workers(birth_year=1991)
    stale = {str(one.job): (one.state, one.why) for one in runs.status(quarter="2025Q4", areas=["320613"])}
    assert stale.pop("01_first/320613") == ("stale", "tables: workers")
    assert {state for state, _ in stale.values()} == {"current"}
    again = states(runs.run(quarter="2025Q4", **ONLY))
    assert again == {"01_first/320613": "done", "02_second/320613": "current", "06_last/320613": "current"}


def test_a_changed_result_of_an_earlier_quarter_makes_its_reader_stale_and_an_unchanged_one_does_not(project):
    told = project.root / "told.txt"  # what the first notebook finds, whichever quarter it runs in
    told.write_text("3")
    project.write_notebook("01_first", last=recording(f"int(open({str(told)!r}).read())"))
    project.write_notebook("06_last", 'past = study.results("2025Q3")', last=LAST)
    earlier = {"quarter": "2025Q3", "notebooks": ["01_first"], "force": True, **ONLY}

    runs.run(quarter="2025Q4", **ONLY)
    why = [("stale", "earlier: 2025Q3/01_first/320613"), ("current", "")]
    seen = []
    for found in ("3", "3", "4"):  # there at last; the same again; another
        told.write_text(found)
        runs.run(**earlier)
        one = next(one for one in runs.status(quarter="2025Q4", areas=["320613"]) if one.job.notebook == "06_last")
        seen.append((one.state, one.why))
        again = states(runs.run(quarter="2025Q4", notebooks=["06_last"], **ONLY))
        assert again == {"06_last/320613": "done" if one.state == "stale" else "current"}
    assert seen == [why[0], why[1], why[0]]


def test_rows_of_the_next_quarter_leave_this_quarters_briefs_current(project):
    project.write_notebook("01_first", 'workers = tables.load("workers", as_of=study.as_of)')
    asked = {"quarter": "2025Q4", "notebooks": ["01_first"], **ONLY}
    runs.run(**asked)
    project.write_workers(left=pd.Timestamp("2026-02-01"), leave_reason="retired")
    assert states(runs.run(**asked)) == {"01_first/320613": "current"}


def test_a_district_that_reports_late_is_named_and_its_arrival_runs_what_it_touches(project, capsys):
    """Its own jobs and its city's; its neighbour asks for itself alone."""
    project.write_notebook("01_first", 'workers = study.load("workers")', last=recording("len(study.late)"))
    project.write_reporting(late=[("320612", "2025Q4")])
    first = {"quarter": "2025Q4", "notebooks": ["01_first"], **QUIET}
    runs.run(**first)
    assert [result(project, "01_first", area)["partial"] for area in project.areas] == [True, True, False]
    cli.main(["status", "2025Q4", "--notebooks", "01_first"])
    assert "未报送：通州区" in capsys.readouterr().out.replace(" ", "")
    project.write_reporting()
    again = states(runs.run(**first))
    assert again == {"01_first/320600": "done", "01_first/320612": "done", "01_first/320613": "current"}
    assert [result(project, "01_first", area)["partial"] for area in project.areas] == [False, False, False]


def test_a_failing_notebook_keeps_its_last_good_brief_and_the_others_finish(project, capsys):
    runs.run(quarter="2025Q4", **ONLY)
    brief = (project.place("02_second") / places.BRIEF).read_bytes()
    project.write_notebook("02_second", "raise ValueError('张三 13800138000')")
    assert cli.main(["run", "2025Q4", "--areas", "320613", "--log", "none"]) == 1
    summary = json.loads((project.root / "papermill_runs/2025Q4/summary.json").read_text(encoding="utf-8"))
    assert summary["counts"].items() >= {"done": 1, "current": 1, "failed": 1}.items()
    assert [(f["notebook"], f["kind"], f["cell"]) for f in summary["failures"]] == [("02_second", "ValueError", 4)]
    assert (project.place("02_second") / places.BRIEF).read_bytes() == brief
    assert result(project, "06_last")["numbers"] == {"found": 1, "missing": 5}
    said = "".join(capsys.readouterr())
    assert cli.main(["status", "2025Q4", "--areas", "320613"]) == 1
    kept = json.loads((project.place("02_second") / "manifest.json").read_text(encoding="utf-8"))["finished"]
    status, withheld = "".join(capsys.readouterr()), terms.text("runs.sentence_withheld")
    assert f"单元格 [4]：ValueError：{withheld}；保留{kept}的简报" in status
    shown = (project.root / "papermill_runs/2025Q4/index.html").read_text(encoding="utf-8")
    assert f"单元格 [4]：ValueError：{withheld}" in shown
    for text in (shown, json.dumps(summary, ensure_ascii=False), said, status):
        assert "张三" not in text
        assert "13800138000" not in text


def test_a_mended_notebook_clears_its_failure(project):
    project.write_notebook("01_first", "1 / 0")
    assert runs.run(quarter="2025Q4", notebooks=["01_first"], **ONLY).exit_status == 1
    project.write_notebook("01_first")
    assert runs.run(quarter="2025Q4", notebooks=["01_first"], **ONLY).exit_status == 0
    assert not (project.place("01_first") / places.FAILURE).exists()


@pytest.mark.parametrize(
    ("asked", "error", "named"),
    [
        ({"quarter": "2025Q5"}, ParameterError, "2025Q5"),
        ({"quarter": "2026Q1"}, ParameterError, "the data cover 2025Q3 to 2025Q4"),
        ({"quarter": "2025Q4", "areas": ["320999"]}, ParameterError, "320999"),
        ({"quarter": "2025Q4", "notebooks": ["01_frist"]}, ParameterError, "did you mean '01_first'"),
        ({"quarter": "2025Q4", "workers": 0}, ParameterError, "workers = 0"),
        ({"quarter": "2025Q4", "language": "de"}, ParameterError, "'de'"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_written(project, asked, error, named):
    before = project.snapshot()
    with pytest.raises(error, match=named):
        runs.run(**{**QUIET, **asked})
    after = {path: content for path, content in project.snapshot().items() if not path.endswith(places.LOCK)}
    assert after == before


def test_a_parameter_that_the_notebook_does_not_declare_is_refused_by_name(project):
    plan = project.root / "papermill_runs" / "quarterly.toml"
    project.write_plan(
        plan.read_text(encoding="utf-8").replace(
            "[notebooks.01_first]", "[notebooks.01_first.parameters]\nlangauge = 'en'"
        )
    )
    with pytest.raises(ParameterError, match=r"langauge.*did you mean 'language'"):
        runs.run(quarter="2025Q4", **QUIET)


def test_a_broken_table_stops_the_run_with_every_fault_and_loses_nothing(project):
    runs.run(quarter="2025Q4", notebooks=["01_first"], **ONLY)
    before = project.snapshot()
    project.write_workers(gender="unbekannt", birth_year=1800)
    with pytest.raises(DataError) as refused:
        runs.run(quarter="2025Q4", **QUIET)
    assert {(fault.table, fault.column) for fault in refused.value.faults} >= {
        ("workers", "gender"),
        ("workers", "birth_year"),
    }
    assert project.snapshot() == before


def test_a_kernel_that_was_killed_is_tried_again(project, tmp_path):
    project.write_notebook("01_first", once(tmp_path / "killed", "import os; os.kill(os.getpid(), 9)"))
    summary = runs.run(quarter="2025Q4", notebooks=["01_first"], **ONLY)
    assert (summary.outcomes[0].state, summary.outcomes[0].attempts) == ("done", 2)


def test_a_worker_process_that_was_killed_is_replaced(project, tmp_path):
    kill = 'import os; os.kill(int(os.environ["JPY_PARENT_PID"]), 9)'
    project.write_notebook("01_first", once(tmp_path / "killed", kill))
    summary = runs.run(quarter="2025Q4", notebooks=["01_first", "02_second"], **ONLY)
    assert set(states(summary).values()) == {"done"}


def test_a_notebook_that_read_a_register_of_persons_and_records_a_plain_number_fails(project):
    plain = "study.keep(people=len(people))\nclose(value=1)"
    project.write_notebook("01_first", 'people = tables.load("workers", as_of=study.as_of)', last=plain)
    summary = runs.run(quarter="2025Q4", notebooks=["01_first"], **ONLY)
    assert [outcome.failure.kind for outcome in summary.failed] == ["DisclosureError"]
    assert not (project.place("01_first") / places.RESULT).exists()


def test_a_notebook_that_leaves_no_result_is_not_accepted(project):
    project.write_notebook("01_first", last="print('finished')")
    summary = runs.run(quarter="2025Q4", notebooks=["01_first"], **ONLY)
    assert summary.failed[0].failure.kind == "NoResult"
    assert not (project.place("01_first") / places.BRIEF).exists()


def test_what_is_current_runs_again_by_force(project):
    first_two = {"notebooks": ["01_first", "02_second"], **ONLY}
    runs.run(quarter="2025Q4", **first_two)
    assert set(states(runs.run(quarter="2025Q4", force=True, **first_two)).values()) == {"done"}


def test_one_worker_and_two_give_the_same_results(project):
    found = []
    for workers in (1, 2):
        runs.run(quarter="2025Q4", areas=["320612", "320613"], workers=workers, force=True, **QUIET)
        found.append({path: content for path, content in project.snapshot().items() if path.endswith(places.RESULT)})
    assert found[0] == found[1]
    assert len(found[0]) == 6
