"""Notebooks as people really write them, in one run with real kernels: each works as it does in JupyterLab, or fails
by a true name. Most make no study, so they are done without a brief.
"""

import json
from pathlib import Path

import nbformat
import pytest

from institute_lib import kernels, runs, terms
from institute_lib.errors import ParameterError
from institute_lib.runs import places
from tests.runs.conftest import PARAMETERS, Project

AREA = "320613"
POOL = (
    "import multiprocessing\ndef square(x): return x * x\n"
    "with multiprocessing.Pool(2) as pool: print(pool.map(square, range(5)))"
)
PROCESS = (
    "import multiprocessing\ndef put(queue): queue.put(1)\nqueue = multiprocessing.Queue()\n"
    "one = multiprocessing.Process(target=put, args=(queue,)); one.start(); print(queue.get(timeout=20)); one.join()"
)
EXECUTOR = (
    "from concurrent.futures import ProcessPoolExecutor\ndef square(x): return x * x\n"
    "with ProcessPoolExecutor(2) as pool: print(list(pool.map(square, range(3))))"
)
JOBLIB = "from joblib import Parallel, delayed\nprint(Parallel(n_jobs=2)(delayed(abs)(x) for x in (-1, -2)))"
ASYNCIO = "import asyncio\nasync def one(): return 1\nprint(await asyncio.gather(one(), one()))"
FLOOD = "import sys\nfor _ in range(3000):\n    sys.stdout.write('0' * 100); sys.stdout.flush()\nprint('END-OF-FLOOD')"
HELPER = "import beside, atroot; print(beside.X, atroot.X, open('../data/own.txt').read())"
ERROR = "import pandas as pd\npd.DataFrame({'a': [1]})['合同']"
PHONE = "raise ValueError('13800138000 打不通')"

THREAD = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start(); print('left')"
WIDGET = "display({'application/vnd.jupyter.widget-view+json': {'model_id': 'a'}, 'text/plain': 'w'}, raw=True)"
COLLEAGUE = (
    "import os, pathlib\npathlib.Path(os.environ['INSTITUTE_JOB_FOLDER'], 'result.json').write_text('{\"value\": 1}')"
)

# name: (cells after the parameters, state, kind and cell of the failure)
NOTEBOOKS = {
    "11_pool": ([POOL], "done", None),
    "12_process": ([PROCESS], "done", None),
    "13_executor": ([EXECUTOR], "done", None),
    "14_joblib": ([JOBLIB], "done", None),
    "15_asyncio": ([ASYNCIO], "done", None),
    "16_flood": ([FLOOD], "done", None),
    "17_exit": (["x = 1", "exit()", "print('after')"], "failed", ("NotebookExit", 3)),
    "18_quit_last": (["quit()"], "failed", ("NotebookExit", 2)),
    "19_os_exit": (["import os; os._exit(0)"], "failed", ("KernelEnded", 2)),
    "20_huge": (["print('x' * 200_000_000)", "print('after')"], "failed", ("TooMuchOutput", 2)),
    "21_endless": (["while True: print('x' * 100_000)"], "failed", ("TooMuchOutput", 2)),
    "22_helper": ([HELPER], "done", None),
    "23_key_error": (["x = 1", ERROR], "failed", ("KeyError", 3)),
    "24_phone": ([PHONE], "failed", ("ValueError", 2)),
    "25_shell": (["!echo shell", "%%bash\necho bash"], "done", None),
    "26_atexit": (
        ["import atexit, pathlib\natexit.register(pathlib.Path('left.txt').write_text, 'left')"],
        "done",
        None,
    ),
    "27_interrupts_itself": (
        ["import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time; time.sleep(5)"],
        "failed",
        ("KeyboardInterrupt", 2),
    ),
    "28_reads_own_file": (["print(open('../data/own.txt').read())"], "done", None),
    "29_asks": (["name = input('姓名？')"], "failed", ("StdinNotImplementedError", 2)),
    "30_thread_left_running": ([THREAD], "done", None),
    "31_handler": (
        ["import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.alarm(0); print('set')"],
        "done",
        None,
    ),
    "32_moves": (
        ["import os, sys, tempfile\nos.chdir(tempfile.mkdtemp()); sys.path[:] = []", "print('moved')"],
        "done",
        None,
    ),
    "33_system_exit": (["raise SystemExit(3)"], "failed", ("SystemExit", 2)),
    "34_widget": ([WIDGET], "done", None),
    "35_async_for": (["async def many():\n    yield 1\n[one async for one in many()]"], "done", None),
    "36_syntax": (["x = (1,", "print('after')"], "failed", ("SyntaxError", 2)),
    "38_empty": ([], "done", None),
    "39_blank_cells": (["", "   ", "# only a remark"], "done", None),
    "40_reset": (["x = 1\n%reset -f", "print('x' in dir())"], "done", None),
    "41_time": (["%%time\nprint('timed')", "%cd -q ..", "%pwd"], "done", None),
    "42_clear": (
        ["from IPython.display import clear_output\nfor i in range(50):\n    print(i); clear_output(wait=True)"],
        "done",
        None,
    ),
    "44_closes_stdout": (["import sys; sys.stdout = open('/dev/null', 'w'); print('gone')", "x = 1"], "done", None),
    "45_colleagues_result": ([COLLEAGUE], "failed", ("WrongResult", None)),
    "46_study_in_a_remark": (["# study = Study(area)\nprint('none')"], "done", None),
}
SHOWN = {
    "11_pool": "[0, 1, 4, 9, 16]",
    "12_process": "1",
    "13_executor": "[0, 1, 4]",
    "14_joblib": "[1, 2]",
    "15_asyncio": "[1, 1]",
    "16_flood": "END-OF-FLOOD",
    "22_helper": "beside root own",
    "32_moves": "moved",
    "40_reset": "False",
    "41_time": "timed",
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The project, and the summary of one run of all."""
    root = tmp_path_factory.mktemp("odd")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTITUTE_HOME", str(root))
        patch.setattr(kernels, "library_changed", lambda: False)
        project = Project(root)
        project.write_workers()
        sections = "\n".join(f"[notebooks.{name}]" for name in NOTEBOOKS)
        project.write_plan(f'areas = ["{AREA}"]\n[limits]\ncell_seconds = 60\nnotebook_seconds = 120\n{sections}\n')
        for name, (cells, _state, _failure) in NOTEBOOKS.items():
            write_plain(project, name, *cells)
        (root / "notebooks" / "beside.py").write_text("X = 'beside'", encoding="utf-8")
        (root / "atroot.py").write_text("X = 'root'", encoding="utf-8")
        (root / "data" / "own.txt").write_text("own", encoding="utf-8")
        yield project, runs.run(quarter="2025Q4", progress="none")


def write_plain(project: Project, name: str, *cells: str, **metadata) -> Path:
    """A notebook of a parameters cell and the cells given."""
    code = nbformat.v4.new_code_cell
    given = nbformat.v4.new_notebook()
    given.metadata = metadata or {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    given.cells = [code(PARAMETERS, metadata={"tags": ["parameters"]}), *map(code, cells)]
    path = project.root / "notebooks" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(given), encoding="utf-8")
    return path


def printed(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.get("text", "") for output in outputs)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_works_as_in_jupyterlab_or_fails_by_its_true_name(ran, name):
    project, summary = ran
    outcome = next(one for one in summary.outcomes if one.job.notebook == name)
    _cells, state, failure = NOTEBOOKS[name]
    assert outcome.state == state, outcome.failure
    assert outcome.attempts == 1
    if failure:
        assert (outcome.failure.kind, outcome.failure.cell) == failure
        assert (project.place(name) / places.FAILED).stat().st_size < 1_000_000
    else:
        assert outcome.warm
        assert SHOWN.get(name, "") in printed(project.place(name) / places.EXECUTED)
        assert not (project.place(name) / places.BRIEF).exists()


def test_the_number_of_the_cell_is_the_one_that_the_failed_notebook_shows_in_jupyterlab(ran):
    project, _summary = ran
    cells = nbformat.read(project.place("23_key_error") / places.FAILED, as_version=4).cells
    counts = {cell.source: cell.execution_count for cell in cells if cell.cell_type == "code"}
    assert (counts[PARAMETERS], counts["x = 1"], counts[ERROR]) == (1, 2, 3)


def test_the_errors_sentence_stands_in_the_index_unless_it_holds_personal_data(ran):
    _project, summary = ran
    page = summary.index.read_text(encoding="utf-8")
    assert "单元格 [3]：KeyError：&#39;合同&#39;" in page
    assert "13800138000" not in page
    assert terms.text("runs.sentence_withheld").strip("（）") in page
    assert terms.text("runs.kind_NotebookExit") in page


def test_what_a_notebook_registered_for_its_end_is_done(ran):
    project, _summary = ran
    assert (project.root / "notebooks" / "left.txt").read_text(encoding="utf-8") == "left"


def test_a_helper_module_and_an_own_file_make_exactly_their_readers_stale(ran, monkeypatch):
    project, _summary = ran
    monkeypatch.setenv("INSTITUTE_HOME", str(project.root))
    (project.root / "notebooks" / "beside.py").write_text("X = 'changed'", encoding="utf-8")
    stale = {one.job.notebook: one.why for one in runs.status(quarter="2025Q4") if one.state == "stale"}
    assert stale == {"22_helper": "files: notebooks/beside.py"}
    (project.root / "data" / "own.txt").write_text("other", encoding="utf-8")
    stale = {one.job.notebook for one in runs.status(quarter="2025Q4") if one.state == "stale"}
    assert stale == {"22_helper", "28_reads_own_file"}


def test_every_run_keeps_its_dated_summary_and_log(ran):
    project, summary = ran
    kept = json.loads((project.folder / places.LOGS / f"{summary.run_id}.json").read_text(encoding="utf-8"))
    log = (project.folder / places.LOGS / f"{summary.run_id}.log").read_text(encoding="utf-8")
    assert kept["run"] == summary.run_id
    assert "23_key_error/320613" in log


@pytest.mark.parametrize(
    "metadata",
    [
        {
            "colab": {"provenance": []},
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
            "accelerator": "GPU",
        },
        {"language_info": {"name": "python"}},
    ],
)
def test_a_notebook_without_language_runs(project, metadata):
    path = write_plain(project, "01_first", "print('ran')", **metadata)
    content = json.loads(path.read_text(encoding="utf-8"))
    for cell in content["cells"]:  # as other editors leave them
        del cell["id"], cell["outputs"], cell["execution_count"]
    content["nbformat_minor"] = 0
    path.write_text("\ufeff" + json.dumps(content), encoding="utf-8")
    summary = runs.run(quarter="2025Q4", areas=[AREA], notebooks=["01_first"], progress="none")
    assert [outcome.state for outcome in summary.outcomes] == ["done"]
    assert "ran" in printed(project.place("01_first") / places.EXECUTED)


def test_a_notebook_in_another_language_is_named(project):
    write_plain(project, "01_first", "x <- 1", kernelspec={"name": "ir", "language": "R"})
    summary = runs.run(quarter="2025Q4", areas=[AREA], notebooks=["01_first"], progress="none")
    assert [(one.failure.kind, one.failure.sentence) for one in summary.failed] == [("NotPython", "R")]


@pytest.mark.parametrize(
    "line", ["area = “320600”", "area ＝ '320600'", "x =", "%matplotlib inline", "x = (1,", "area = '320613'"]
)
def test_a_wrong_parameters_cell_names_notebook_cell_and_line_and_stops_its_notebook_alone(project, line):
    path = project.root / "notebooks" / "01_first.ipynb"
    given = nbformat.read(path, as_version=4)
    given.cells[1].source = f"{PARAMETERS}\n{line}"
    nbformat.write(given, path)
    write_plain(project, "02_second")
    asked = {"quarter": "2025Q4", "areas": [AREA], "notebooks": ["01_first", "02_second"], "progress": "none"}
    outcomes = {one.job.notebook: one for one in runs.run(**asked).outcomes}
    assert outcomes["02_second"].state == "done"
    assert outcomes["01_first"].failure.kind == "ParameterError"
    assert outcomes["01_first"].failure.sentence.startswith("01_first.ipynb, cell [1]：")
    assert "第5行" in outcomes["01_first"].failure.sentence
    with pytest.raises(ParameterError, match=r"01_first.ipynb, cell \[1\]: line 5"):
        runs.run(**{**asked, "notebooks": ["01_first"]})


@pytest.mark.parametrize("text", ["<html>", '{"nbformat": 3, "worksheets": []}'])
def test_a_file_that_is_no_notebook_stops_itself_alone_and_the_index_is_written(project, text):
    (project.root / "notebooks" / "01_first.ipynb").write_text(text, encoding="utf-8")
    write_plain(project, "02_second")
    asked = {"quarter": "2025Q4", "areas": [AREA], "notebooks": ["01_first", "02_second"], "progress": "none"}
    outcomes = {one.job.notebook: one for one in runs.run(**asked).outcomes}
    assert outcomes["02_second"].state == "done"
    assert "01_first.ipynb：不是第4版格式的笔记本" in outcomes["01_first"].failure.sentence
    assert (project.root / "papermill_runs" / "2025Q4" / "index.html").is_file()


@pytest.mark.parametrize(
    ("reading", "shown"),
    [
        ("frame = pd.DataFrame({'收入': [12, 15]})", True),
        ("tables.load('workers'); frame = pd.DataFrame({'收入': [12, 15]})", False),
        ("frame = pd.read_parquet('../data/demo/workers.parquet')[['district']]", False),
        (
            "raw = open('/'.join(('..', 'data', 'demo', 'workers.parquet')), 'rb').read()"
            "; frame = pd.DataFrame({'n': [len(raw)]})",
            False,
        ),
        ("open('../data/own.csv').read(); frame = pd.DataFrame({'收入': [12, 15]})", False),
    ],
)
def test_a_brief_takes_what_a_notebook_shows_unless_it_read_persons_in_any_way(project, reading, shown):
    (project.root / "data" / "own.csv").write_text("name\n", encoding="utf-8")
    project.write_notebook("01_first", f"{reading}\nprint('PRINTED')\nframe")
    (outcome,) = runs.run(quarter="2025Q4", areas=[AREA], notebooks=["01_first"], progress="none").outcomes
    assert outcome.state == "done", outcome.failure
    page = (project.place("01_first") / places.BRIEF).read_text(encoding="utf-8")
    assert ("PRINTED" in page) is shown
    assert ("未列入简报" in page) is not shown
