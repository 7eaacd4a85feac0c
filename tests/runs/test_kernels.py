"""Forked kernels against ordinary ones, with papermill and real processes."""

import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import papermill
import psutil
import pytest
from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError

from institute_lib import kernels
from institute_lib.kernels import forking

CELLS = (
    "import plotly.graph_objects as go, pandas as pd",
    "go.Figure(go.Scatter(x=[1, 2], y=[1, 3])).show()",
    "go.Figure(go.Bar(x=[1, 2], y=[1, 3]))",
    "pd.DataFrame({'a': [1]})",
    "print('text')",
)


def execute(folder: Path, *cells: str, warm: bool = True, env: dict[str, str] | None = None):
    """The executed notebook and its kernel manager."""
    given = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    given.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    source = folder / "given.ipynb"
    nbformat.write(given, source)
    manager = kernels.manager_class(env=env or {}, cwd=str(folder), warm=warm)
    done = papermill.execute_notebook(
        source, folder / "done.ipynb", kernel_manager_class=manager, progress_bar=False, kernel_name="python3"
    )
    return done, manager.running[0]


def texts(notebook) -> list[str]:
    return [output.text.strip() for cell in notebook.cells for output in cell.outputs if output.output_type == "stream"]


def kinds(notebook) -> list[list[str]]:
    return [sorted(output.get("data", {"stream": 0})) for cell in notebook.cells for output in cell.outputs]


def gone(pid: int, within: float = 5.0) -> bool:
    """Whether a process ends in time; a zombie has ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def removed(path: Path, within: float = 5.0) -> bool:
    """Whether a path vanishes in time."""
    deadline = time.monotonic() + within
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not path.exists()


def test_a_forked_and_a_cold_kernel_give_the_same_kinds_of_output(tmp_path):
    warm, forked = execute(tmp_path, *CELLS)
    cold, ordinary = execute(tmp_path, *CELLS, warm=False)
    assert (forked.was_forked, ordinary.was_forked) == (True, False)
    assert kinds(warm) == kinds(cold)
    assert ["application/vnd.plotly.v1+json"] in kinds(warm)


def test_nothing_is_carried_from_one_notebook_to_the_next(tmp_path):
    look = "print('left' in dir(), hasattr(pandas, 'left'), os.environ.get('LEFT'), os.getcwd())"
    leave = "left = 1; pandas.left = 1; os.environ['LEFT'] = '1'; os.chdir('/')"
    _, one = execute(tmp_path, "import os, pandas", leave)
    after, two = execute(tmp_path, "import os, pandas", look)
    assert one.was_forked
    assert two.was_forked
    assert texts(after) == [f"False False None {tmp_path}"]


def test_each_kernel_has_a_random_state_of_its_own(tmp_path):
    draw = "import random, numpy as np; print(random.random(), np.random.rand())"
    numbers = [texts(execute(tmp_path, draw)[0])[0].split() for _ in range(2)]
    assert numbers[0][0] != numbers[1][0]
    assert numbers[0][1] != numbers[1][1]


def test_the_environment_given_reaches_the_kernel(tmp_path):
    done, _ = execute(tmp_path, "import os; print(os.environ['GIVEN'])", env={"GIVEN": "here"})
    assert texts(done) == ["here"]


def test_children_that_a_notebook_leaves_behind_end_with_it(tmp_path):
    leave = (
        "import subprocess\n"
        "one = subprocess.Popen(['sleep', '300'])\n"
        "two = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        "print(one.pid, two.pid)"
    )
    done, kernel = execute(tmp_path, leave)
    assert kernel.was_forked
    assert all(gone(int(pid)) for pid in texts(done)[0].split())
    assert not Path(kernel.private).exists()


def test_a_kernel_that_dies_is_noticed_within_two_seconds(tmp_path):
    marker = tmp_path / "pid"
    hang = f"import os, time; open({str(marker)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    killed = []

    def kill() -> None:
        while not (marker.is_file() and marker.read_text()):
            time.sleep(0.02)
        os.kill(int(marker.read_text()), signal.SIGKILL)
        killed.append(time.monotonic())

    with ThreadPoolExecutor(1) as thread:
        thread.submit(kill)
        with pytest.raises(DeadKernelError):
            execute(tmp_path, hang)
    assert time.monotonic() - killed[0] < 2


def test_kernels_that_start_side_by_side_all_answer(tmp_path):
    """On the default IPC path they collide and hang."""

    async def start_and_ask(manager):
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=60)
            return manager.was_forked
        finally:
            client.stop_channels()
            await manager.shutdown_kernel(now=True)

    def one(_number: int) -> bool:
        return run_sync(start_and_ask)(kernels.manager_class(env={})(kernel_name="python3"))

    with ThreadPoolExecutor(20) as threads:
        assert all(threads.map(one, range(20)))


def test_a_kernel_starts_cold_and_says_why_where_forking_fails(tmp_path, monkeypatch, caplog):
    def no_fork(*_arguments, **_settings):
        raise ConnectionRefusedError("the forkserver is gone")

    monkeypatch.setattr(kernels.ForkedProvisioner, "broken", "")
    monkeypatch.setattr(forking, "fork_kernel", no_fork)
    with caplog.at_level(logging.WARNING):
        done, kernel = execute(tmp_path, "print('answer')")
    assert texts(done) == ["answer"]
    assert not kernel.was_forked
    assert "cold" in caplog.text
    assert "the forkserver is gone" in caplog.text


PARENT = """
import sys, time
from pathlib import Path
from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError
from institute_lib import kernels

async def start():
    manager = kernels.manager_class(env={})(kernel_name="python3")
    await manager.start_kernel()
    assert manager.was_forked
    print(manager.provisioner.pid, manager.private, flush=True)

if __name__ == "__main__":
    run_sync(start)()
    time.sleep(300)
"""


def test_no_kernel_and_no_forkserver_outlives_a_parent_that_was_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    pid, private = parent.stdout.readline().split()
    tree = psutil.Process(parent.pid).children(recursive=True)
    assert int(pid) in [process.pid for process in tree]
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert all(gone(process.pid) for process in tree)
    assert removed(Path(private))
