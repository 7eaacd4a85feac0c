"""JupyterLab as `make lab` starts it: launcher, every notebook run to its end, completion, errors, Chinese menus."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

NOTEBOOKS = (
    "01_data_quality",
    "02_policy_evaluation",
    "03_retention_drivers",
    "04_station_coverage",
    "05_talent_pipeline",
    "06_quarterly_overview",
)
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


def test_the_launcher_shows_a_card_for_each_notebook(lab):
    assert cards(lab)[:6] == [
        "01 Data quality",
        "02 Policy evaluation",
        "03 Retention drivers",
        "04 Station coverage",
        "05 Talent pipeline",
        "06 Quarterly overview",
    ]
    assert any("institute" in title for title in cards(lab)[6:])


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_cell_of_a_notebook_runs_and_its_figures_are_drawn(lab, server, notebook):
    outcomes = run_all(lab, f"{notebook}.ipynb")
    waited = time.monotonic() - server.started
    assert lab.evaluate(READY) == "institute"
    assert [one for one in outcomes if one["errors"]] == []
    assert [one["source"] for one in outcomes if not one["ran"] and one["source"].strip()] == []
    figures = sum(one["figures"] for one in outcomes)
    assert figures > 0 or notebook == OVERVIEW
    lab.wait_for_function(f"({DRAWN})().filter(traces => traces > 0).length >= {figures}")
    if notebook == NOTEBOOKS[0]:
        assert waited < MAKE_LAB_SECONDS
    lab.evaluate(CLOSE)


@pytest.fixture(scope="module")
def kernel(lab):
    """A page with a running kernel of the project in which the rooms are imported."""
    lab.evaluate(OPEN, "01_data_quality.ipynb")
    lab.wait_for_function(READY, timeout=60_000)
    lab.evaluate(EXECUTE, "import institute_lib\nfrom institute_lib import parameters, policy, retention")
    yield lab
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


def test_the_menus_are_chinese_if_the_user_chooses(lab, server):
    languages = lab.request.get(f"{server.url}lab/api/translations?token={server.token}").json()
    assert "zh_CN" in languages["data"]
    settings = f"{server.url}lab/api/settings/@jupyterlab/translation-extension:plugin?token={server.token}"
    cookie = next(one["value"] for one in lab.context.cookies() if one["name"] == "_xsrf")
    chosen = {"raw": '{"locale": "zh_CN"}'}
    assert lab.request.put(settings, data=chosen, headers={"X-XSRFToken": cookie}).ok
    page = lab.context.new_page()
    page.goto(f"{server.url}lab/workspaces/chinese?token={server.token}")
    page.wait_for_selector(".jp-Launcher", timeout=60_000)
    assert "03 留任因素" in cards(page)
    assert "文件" in page.locator("#jp-MainMenu").inner_text()
