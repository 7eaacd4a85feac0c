"""JupyterLab as `make lab` starts it, used without a terminal: its launcher in Chinese and English, every notebook
run to its end, a brief beside its notebook, jobs that are started, scheduled and found failed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import nbformat
import pytest

NOTEBOOKS = (
    "01_data_quality",
    "02_policy_evaluation",
    "03_retention_drivers",
    "04_station_coverage",
    "05_talent_pipeline",
    "06_quarterly_overview",
    "07_services",
)
PREVIEWED = "04_station_coverage"
OVERVIEW = "06_quarterly_overview"  # without a run of the others it has nothing to draw
MAKE_LAB_SECONDS = 120
OPEN = "path => jupyterapp.commands.execute('docmanager:open', {path: path}).then(() => true)"
READY = """() => { const panel = jupyterapp.shell.currentWidget;
    if (!panel || !panel.context || !panel.sessionContext.isReady || !panel.sessionContext.session) return false;
    const kernel = panel.sessionContext.session.kernel;
    return kernel.status === 'idle' ? kernel.name : false; }"""
RUN_ALL = """() => { jupyterapp.shell.currentWidget.content.notebookConfig = Object.assign({},
        jupyterapp.shell.currentWidget.content.notebookConfig, {windowingMode: 'none'});
    return jupyterapp.commands.execute('notebook:run-all-cells').then(() => true); }"""
# What each code cell came to: whether it ran, its errors, the MIME types of its outputs.
OUTCOMES = """() => jupyterapp.shell.currentWidget.content.widgets
  .filter(cell => cell.model.type === 'code').map(cell => {
    const outputs = cell.model.sharedModel.outputs;
    return {source: cell.model.sharedModel.source, ran: cell.model.executionCount !== null,
            errors: outputs.filter(one => one.output_type === 'error').map(one => one.ename + ': ' + one.evalue),
            figures: outputs.map(one => (one.data || {})['application/vnd.plotly.v1+json'])
                .filter(figure => figure && figure.data.some(trace => trace.x && trace.x.length !== 0)).length}; })"""
DRAWN = """() => Array.from(jupyterapp.shell.currentWidget.node.querySelectorAll('.js-plotly-plot'))
    .map(plot => plot.querySelectorAll('.main-svg .trace').length)"""
PREVIEW = "() => jupyterapp.commands.execute('institute:preview-brief').then(() => true)"
CREATE_JOB = "() => jupyterapp.commands.execute('scheduling:create-from-notebook').then(() => true)"
CARDS = """() => Array.from(document.querySelectorAll('.jp-LauncherCard-label')).map(one => one.innerText.trim())"""
CLOSE = """() => { const panel = jupyterapp.shell.currentWidget;
    return panel.sessionContext.shutdown().then(() => { panel.context.model.dirty = false; panel.dispose(); }); }"""
COMPLETE = """code => jupyterapp.shell.currentWidget.sessionContext.session.kernel
    .requestComplete({code: code, cursor_pos: code.length}).then(reply => reply.content.matches)"""
INSPECT = """code => jupyterapp.shell.currentWidget.sessionContext.session.kernel
    .requestInspect({code: code, cursor_pos: code.length, detail_level: 0})
    .then(reply => (reply.content.data || {})['text/plain'] || '')"""
EXECUTE = """code => { const future = jupyterapp.shell.currentWidget.sessionContext.session.kernel
        .requestExecute({code: code}), seen = [];
    future.onIOPub = message => { if (message.header.msg_type !== 'status') seen.push(message); };
    return future.done.then(() => seen.map(one => [one.header.msg_type, one.content])); }"""


@pytest.fixture(scope="module")
def server(workshop, demo_home, tmp_path_factory):
    """JupyterLab, started by the project's own command in a home with demo registers; ended with its kernels."""
    folder = tmp_path_factory.mktemp("lab")
    home = folder / "home"
    shutil.copytree(demo_home, home, ignore=shutil.ignore_patterns("2*", ".cache"))
    (folder / "runtime").mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("INSTITUTE_", "JUPYTER"))}
    environment |= {"INSTITUTE_HOME": str(home), "HOME": str(folder)}
    environment |= {f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    options = ["--no-browser", "--port=0", "--LabApp.expose_app_in_browser=True"]
    started = time.monotonic()
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-m", "institute_lib", "lab", *options]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield SimpleNamespace(**_running(folder, process), folder=folder, started=started)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 15)
            process.wait(30)


def _running(folder, process) -> dict:
    """What the server says of itself once it listens."""
    for _ in range(600):
        found = list((folder / "runtime").glob("jpserver-*.json"))
        if found and (text := found[0].read_text()):
            return json.loads(text)
        assert process.poll() is None, (folder / "log").read_text()[-3000:]
        time.sleep(0.1)
    raise AssertionError("JupyterLab did not start: " + (folder / "log").read_text()[-3000:])


@pytest.fixture(scope="module")
def lab(server, browser):
    """The page that the command opens."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.goto(f"{server.url}lab?token={server.token}")
    page.wait_for_selector(".jp-Launcher", timeout=60_000)
    yield page
    context.close()


def cards(page) -> list[str]:
    """What the launcher's cards say, once those of the notebooks are there."""
    page.wait_for_function(f"({CARDS})().filter(title => /^\\d\\d /.test(title)).length >= {len(NOTEBOOKS)}")
    return page.evaluate(CARDS)


def run_all(page, path: str) -> list[dict]:
    """Open a notebook, run all its cells, and say what each came to."""
    page.evaluate(OPEN, path)
    page.wait_for_function(READY, timeout=60_000)
    page.evaluate(RUN_ALL)
    return page.evaluate(OUTCOMES)


def test_it_listens_on_this_computer_alone_and_asks_for_a_token(server, browser):
    assert server.hostname == "127.0.0.1"
    assert len(server.token) >= 32
    context = browser.new_context()
    assert context.request.get(f"{server.url}api/contents").status == 403
    context.close()


def test_the_launcher_is_chinese_and_shows_each_notebook_a_new_question_and_the_other_language(lab):
    lab.wait_for_function(f"({CARDS})().includes('English')")
    shown = [
        "01 数据质量",
        "02 政策评估",
        "03 留任因素",
        "04 站点覆盖",
        "05 人才梯队",
        "06 一页纸",
        "07 服务与购买",
        "新问题",
        "English",
    ]
    assert cards(lab)[: len(shown)] == shown
    assert "文件" in lab.locator("#jp-MainMenu").inner_text()
    assert any("institute" in title for title in cards(lab)[len(shown) :])


def test_its_root_is_the_project_so_that_briefs_and_guides_open_in_it(lab, server):
    found = lab.request.get(f"{server.url}api/contents?token={server.token}").json()
    assert {"notebooks", "papermill_runs", "data"} <= {one["name"] for one in found["content"]}


def test_a_notebook_is_not_modified_by_being_opened(lab):
    lab.evaluate(OPEN, "notebooks/02_policy_evaluation.ipynb")
    lab.wait_for_function(READY, timeout=60_000)
    lab.wait_for_timeout(3000)
    assert lab.evaluate("() => jupyterapp.shell.currentWidget.context.model.dirty") is False
    lab.evaluate(CLOSE)


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_cell_of_a_notebook_runs_and_its_figures_are_drawn(lab, server, notebook):
    outcomes = run_all(lab, f"notebooks/{notebook}.ipynb")
    waited = time.monotonic() - server.started
    assert lab.evaluate(READY) == "institute"
    assert [one for one in outcomes if one["errors"]] == []
    assert [one["source"] for one in outcomes if not one["ran"] and one["source"].strip()] == []
    figures = sum(one["figures"] for one in outcomes)
    assert figures > 0 or notebook == OVERVIEW
    lab.wait_for_function(f"({DRAWN})().filter(traces => traces > 0).length >= {figures}")
    if notebook == NOTEBOOKS[0]:
        assert waited < MAKE_LAB_SECONDS
    if notebook == PREVIEWED:
        lab.evaluate(PREVIEW)
        frame = lab.frame_locator("iframe[title=简报预览]")
        frame.locator("h1").wait_for(timeout=60_000)
        assert "站点覆盖" in frame.locator("h1").inner_text()
        lab.evaluate(OPEN, f"notebooks/{notebook}.ipynb")
    lab.evaluate(CLOSE)


@pytest.fixture(scope="module")
def kernel(lab):
    """A page with a running kernel of the project in which the rooms are imported."""
    lab.evaluate(OPEN, "notebooks/01_data_quality.ipynb")
    lab.wait_for_function(READY, timeout=60_000)
    lab.evaluate(EXECUTE, "import institute_lib\nfrom institute_lib import parameters, policy, retention")
    yield lab
    lab.evaluate(OPEN, "notebooks/01_data_quality.ipynb")
    lab.evaluate(CLOSE)


def test_names_complete_with_tab_and_explain_themselves_with_shift_tab(kernel):
    assert "staggered" in kernel.evaluate(COMPLETE, "policy.sta")
    assert "retention" in "".join(kernel.evaluate(COMPLETE, "institute_lib.ret"))
    shown = re.sub(r"\x1b\[[\d;]*m", "", kernel.evaluate(INSPECT, "policy.pilot"))
    assert "treated_unit" in shown
    assert "Raises" in shown


def test_an_error_is_one_readable_panel(kernel):
    seen = dict(kernel.evaluate(EXECUTE, "parameters.study(area='崇州区', quarter='2025Q4')"))
    panel = "\n".join(seen["error"]["traceback"]).splitlines()
    assert len(panel) <= 6
    assert "did you mean" in " ".join(panel)
    assert panel[-1].startswith("line 1: parameters.study(")


def write_notebook(server, name: str, *cells: str) -> str:
    """A small notebook in the project of the server; its path there."""
    code = nbformat.v4.new_code_cell
    kernel = {"name": "institute", "language": "python", "display_name": "institute"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    declared = 'area = "320600"\nquarter = "2025Q4"\nlanguage = "zh"\nas_of = ""'
    notebook.cells = [code(declared, metadata={"tags": ["parameters"]}), *map(code, cells)]
    nbformat.write(notebook, server.folder / "home" / "notebooks" / f"{name}.ipynb")
    return f"notebooks/{name}.ipynb"


def create_job(page, path: str, *, scheduled: bool = False) -> None:
    """Fill in the form of a job for Chongchuan, as a researcher does, and send it."""
    page.evaluate(OPEN, path)
    page.wait_for_function(READY, timeout=60_000)
    page.evaluate(CREATE_JOB)
    page.wait_for_selector("text=Create Job")
    page.click("button[title='Add new parameter']")
    page.fill("input[name=parameter-0-name]", "area")
    page.fill("input[name=parameter-0-value]", "320613")
    page.keyboard.press("Tab")
    if scheduled:
        page.check("input[name=createType][value=JobDefinition]")
    page.click("button:has-text('创建'):enabled")
    page.wait_for_selector("text=has been created")


def wait_for_state(page, name: str, state: str) -> None:
    """Reload the list of jobs until a job is in a state."""
    row = page.locator(f"tr:has-text('{name}'):has-text('{state}')")
    for _ in range(60):
        if row.count():
            return
        page.click("button:has-text('重新加载')")
        page.wait_for_timeout(1000)
    raise AssertionError(f"{name} is not {state}: {page.inner_text('#jp-main-dock-panel')}")


def test_jobs_are_started_and_followed_in_the_interface_and_a_failed_one_says_why(lab, server):
    for name, cell in (("91_runs", "print(area)"), ("90_fails", "raise ValueError('没有“合同”这一列')")):
        create_job(lab, write_notebook(server, name, cell))
        wait_for_state(lab, name, "Failed" if name == "90_fails" else "Completed")
    lab.click("a:has-text('90_fails')")
    lab.wait_for_selector("text=90_fails/320613: 单元格 [2]：ValueError：没有“合同”这一列")
    runs = server.folder / "home" / "papermill_runs" / "2025Q4"
    assert (runs / "91_runs" / "320613" / "executed.ipynb").is_file()
    lab.evaluate(OPEN, "papermill_runs/2025Q4/90_fails/320613/failed.ipynb")
    lab.wait_for_function("() => jupyterapp.shell.currentWidget.context.path.endsWith('90_fails/320613/failed.ipynb')")


def test_a_job_is_scheduled_for_each_quarter_in_the_interface(lab, server):
    create_job(lab, write_notebook(server, "92_each_quarter", "print(area)"), scheduled=True)
    listed = lab.request.get(f"{server.url}scheduler/job_definitions?token={server.token}").json()["job_definitions"]
    (definition,) = [one for one in listed if one["name"] == "92_each_quarter"]
    assert (definition["parameters"], definition["active"]) == ({"area": "320613"}, True)
    assert definition["schedule"]
    cookie = next(one["value"] for one in lab.context.cookies() if one["name"] == "_xsrf")
    quarterly = lab.request.patch(
        f"{server.url}scheduler/job_definitions/{definition['job_definition_id']}?token={server.token}",
        data={"schedule": "0 2 5 1,4,7,10 *", "timezone": "Asia/Shanghai"},
        headers={"X-XSRFToken": cookie},
    )
    assert quarterly.ok


def test_one_click_turns_it_english_and_back(lab, server):
    page = lab.context.new_page()
    page.goto(f"{server.url}lab/workspaces/language?token={server.token}")
    for word, menu, title in (("English", "File", "03 Retention drivers"), ("中文", "文件", "03 留任因素")):
        page.locator(f".jp-LauncherCard:visible:has-text('{word}')").first.click(timeout=60_000)
        page.wait_for_selector(f"#jp-MainMenu >> text={menu}", timeout=60_000)
        page.wait_for_function(f"({CARDS})().includes('{title}')")
    page.close()
