"""Before JupyterLab opens: outputs are kept out of commits, and nothing opens the server to others."""

import json
import shutil
import subprocess
import sys

import pytest

from institute_lib import lab, paths
from institute_lib.errors import RunError

NOTEBOOK = "01_data_quality.ipynb"


def git(folder, *arguments):
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    (tmp_path / "notebooks").mkdir()
    shutil.copy(paths.PACKAGE.parent / "notebooks" / NOTEBOOK, tmp_path / "notebooks")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "as kept")
    return tmp_path


def test_a_commit_holds_no_output_and_shows_no_cell_as_changed(checkout):
    assert lab.strip_outputs()
    path = checkout / "notebooks" / NOTEBOOK
    path.touch()
    assert git(checkout, "status", "--porcelain") == ""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["a name\n"]}]
    cell["execution_count"] = 7
    path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    git(checkout, "add", "-A")
    assert git(checkout, "diff", "--cached", "--no-textconv") == ""


def test_outside_a_git_checkout_it_says_that_it_could_not(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    assert not lab.strip_outputs()


@pytest.mark.parametrize(
    "option",
    [
        *("--ip=0.0.0.0", "--ServerApp.ip=*", "--IdentityProvider.token=", "--ServerApp.allow_remote_access=True"),
        *("--config=/tmp/open.py", "--ServerApp.sock=/tmp/s", "--allow-root", "-y", "--port=0 --ip=0.0.0.0"),
    ],
)
def test_an_option_that_opens_the_server_to_others_is_refused(checkout, monkeypatch, option):
    monkeypatch.setattr(subprocess, "run", lambda *_given, **_options: pytest.fail("JupyterLab was started"))
    with pytest.raises(RunError, match="stays on this computer"):
        lab.start([option])


def test_its_root_is_the_project_and_it_opens_on_the_notebooks(checkout, monkeypatch):
    seen = []
    monkeypatch.setattr(
        lab.subprocess, "run", lambda command, **_: seen.append(command) or type("D", (), {"returncode": 0})
    )
    assert lab.start(["--no-browser"]) == 0
    (command,) = seen
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    where = {f"--ServerApp.root_dir={checkout}", f"--ServerApp.preferred_dir={checkout / 'notebooks'}"}
    assert where | {"--ip=127.0.0.1", "--no-browser"} <= set(command)


def test_neither_a_users_configuration_nor_a_variable_opens_it(checkout, monkeypatch):
    seen = []
    monkeypatch.setattr(
        lab.subprocess, "run", lambda *_, env, **__: seen.append(env) or type("D", (), {"returncode": 0})
    )
    monkeypatch.setenv("JUPYTER_TOKEN", "a")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", "/home/somebody/.jupyter")
    lab.start()
    assert "JUPYTER_TOKEN" not in seen[0]
    assert seen[0]["JUPYTER_CONFIG_DIR"] == str(checkout / ".cache" / "jupyter")


def test_without_notebooks_it_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    with pytest.raises(RunError, match="INSTITUTE_HOME"):
        lab.start()
