"""JupyterLab on the project: on this computer alone, behind a token, with outputs kept out of commits.

Its root is the project, so that failed notebooks, briefs and guides open in it. Jobs that are started or scheduled
in it are runs of a quarter (`lab.jobs`).
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence

from institute_lib import paths, terms
from institute_lib.errors import RunError

# On this computer alone; packages come with `setup`, never from JupyterLab's own extension manager.
CLOSED = (
    "--ip=127.0.0.1",
    "--ServerApp.allow_remote_access=False",
    "--ServerApp.allow_origin=",
    "--ServerApp.allow_origin_pat=",
    "--LabApp.extension_manager=readonly",
)
ALLOWED = re.compile(r"--no-browser|--port(?:-retries)?=\d{1,5}|--debug|--LabApp\.expose_app_in_browser=True")
OPENING = ("JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE", "JUPYTER_CONFIG_PATH")  # variables that could open the server
JOBS = (
    "--Scheduler.execution_manager_class=institute_lib.lab.jobs.QuarterRun",
    "--SchedulerApp.environment_manager_class=institute_lib.lab.jobs.OneEnvironment",
)


def start(options: Sequence[str] = ()) -> int:
    """Open JupyterLab on the project and stay until it is closed; returns its exit status.

    Args:
        options: further options of `jupyter lab`, such as `--no-browser` or `--port=9999`.

    Raises:
        RunError: there are no notebooks, or an option is not one of the few that cannot open the server to others.
    """
    for option in options:
        if not ALLOWED.fullmatch(option):
            raise terms.error(RunError, "runs.error_lab_option", option=option)
    folder = paths.notebooks()
    if not folder.is_dir():
        raise terms.error(RunError, "runs.error_lab_folder", folder=folder)
    where = (f"--ServerApp.root_dir={paths.root()}", f"--ServerApp.preferred_dir={folder}")
    command = [sys.executable, "-m", "jupyterlab", *where, *CLOSED, *JOBS, *options]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    # A user's own Jupyter configuration could take the token away: this server has a folder of its own for it.
    environment = {name: value for name, value in os.environ.items() if name not in OPENING}
    environment["JUPYTER_CONFIG_DIR"] = str(paths.cache() / "jupyter")
    return subprocess.run(command, env=environment, check=False).returncode


def strip_outputs() -> bool:
    """Have git strip the outputs of notebooks on commit; returns whether this is a git checkout in which it could.

    Cell ids stay: renumbered ids would show every cell as changed.
    """
    if not (paths.root() / ".git").exists():
        return False
    filtered = f'"{sys.executable}" -m nbstripout --keep-id'
    install = [sys.executable, "-m", "nbstripout", "--install"]
    steps = (install, ["git", "config", "filter.nbstripout.clean", filtered])
    return all(
        subprocess.run(step, cwd=paths.root(), check=False, capture_output=True).returncode == 0 for step in steps
    )
