import json
import socket
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from institute_lib.runs import places
from institute_lib.runs.fingerprints import library_hash, versions
from institute_lib.runs.jobs import accept, check_worker
from institute_lib.runs.plan import Job
from institute_lib.runs.tasks import JobError, Task

RESULT = {"notebook": "01_first", "area": "320613", "quarter": "2025Q4", "demo": False, "partial": False}
RESULT |= {"headline": {"text": "12.0%"}}


def task(tmp_path):
    return Task(Job("01_first", "320613"), tmp_path, tmp_path, tmp_path, None, "2025Q4", "zh", {}, {}, "r", 10, 10)


def executed(folder: Path, *cells, result=RESULT):
    """An executed notebook with (source, execution count, outputs) for each cell, as papermill leaves it: all
    'completed'."""
    given = nbformat.v4.new_notebook()
    for source, count, outputs in cells:
        cell = nbformat.v4.new_code_cell(source, execution_count=count, outputs=outputs)
        cell.metadata["papermill"] = {"status": "completed", "exception": None}
        given.cells.append(cell)
    nbformat.write(given, folder / places.EXECUTED)
    if result is not None:
        (folder / places.RESULT).write_text(json.dumps(result), encoding="utf-8")


def kind_of_refusal(tmp_path):
    with pytest.raises(JobError) as refused:
        accept(task(tmp_path), tmp_path)
    return refused.value.failure.kind


def test_a_notebook_whose_cells_all_ran_and_which_left_its_result_is_accepted(tmp_path):
    executed(tmp_path, ("a = 1", 1, []), ("", None, []))
    assert accept(task(tmp_path), tmp_path) == RESULT


def test_a_cell_that_never_ran_is_found_although_papermill_calls_it_completed(tmp_path):
    executed(tmp_path, ("a = 1", 1, []), ("b = 2", None, []))
    assert kind_of_refusal(tmp_path) == "CellNotRun"


def test_an_error_that_the_notebook_went_on_from_is_still_an_error(tmp_path):
    error = nbformat.v4.new_output("error", ename="KeyError", evalue="x", traceback=[])
    executed(tmp_path, ("a", 1, [error]), ("b = 2", 2, []))
    assert kind_of_refusal(tmp_path) == "KeyError"


def test_a_study_that_was_not_closed_is_refused(tmp_path):
    executed(tmp_path, ("study = parameters.study(area=area)", 1, []), result=None)
    assert kind_of_refusal(tmp_path) == "NoResult"


def test_a_notebook_without_a_study_is_done_without_a_result(tmp_path):
    executed(tmp_path, ("a = 1", 1, []), result=None)
    assert accept(task(tmp_path), tmp_path) is None


def test_a_cell_that_is_skipped_or_expected_to_fail_by_its_tag_is_no_failure(tmp_path):
    error = nbformat.v4.new_output("error", ename="KeyError", evalue="x", traceback=[])
    executed(tmp_path, ("a", 1, [error]), ("b = 2", None, []))
    given = nbformat.read(tmp_path / places.EXECUTED, as_version=4)
    for cell, tag in zip(given.cells, ("raises-exception", "skip-execution"), strict=True):
        cell.metadata["tags"] = [tag]
    nbformat.write(given, tmp_path / places.EXECUTED)
    assert accept(task(tmp_path), tmp_path) == RESULT


@pytest.mark.parametrize("wrong", [{"area": "320612"}, {"quarter": "2025Q3"}, {"notebook": "02_second"}])
def test_a_result_of_something_else_is_refused(tmp_path, wrong):
    executed(tmp_path, ("a = 1", 1, []), result=RESULT | wrong)
    assert kind_of_refusal(tmp_path) == "WrongResult"


def test_a_worker_with_other_versions_or_another_computers_other_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    notebook = tmp_path / "n.ipynb"
    notebook.write_text('{"cells": []}', encoding="utf-8")
    inputs = {"versions": versions(), "library": library_hash()}
    planned = replace(task(tmp_path), notebook=notebook, inputs=inputs, host="elsewhere")
    check_worker(planned)
    check_worker(replace(planned, inputs=inputs | {"library": "edited"}, host=socket.gethostname()))
    older = {**versions(), "pandas": "2.3"}
    for wrong in ({"library": "edited"}, {"versions": older}):
        with pytest.raises(JobError) as refused:
            check_worker(replace(planned, inputs=inputs | wrong))
        assert refused.value.failure.kind == "OtherVersions"
