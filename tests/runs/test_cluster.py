"""The same run on a real Dask scheduler with two worker processes, one of them killed in the middle."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from institute_lib import cli, runs
from institute_lib.errors import RunError
from institute_lib.runs import places

KILL_WORKER_ONCE = """
import os
from pathlib import Path
if not Path({marker!r}).exists():
    Path({marker!r}).touch()
    os.kill(int(os.environ["JPY_PARENT_PID"]), 9)
"""


@pytest.fixture
def scheduler(project):
    import dask
    from distributed import LocalCluster

    # Workers that may have children can fork their kernels.
    with (
        dask.config.set({"distributed.worker.daemon": False}),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
    ):
        yield cluster.scheduler_address


def test_a_cluster_finishes_the_run_although_a_worker_is_killed(project, scheduler, tmp_path):
    runs.run(quarter="2025Q4", areas=["320612"], notebooks=["01_first"], progress="none")
    earlier = project.place("01_first", "320612")
    before = {path.name: path.read_bytes() for path in earlier.iterdir()}
    kill = KILL_WORKER_ONCE.format(marker=str(tmp_path / "killed"))
    project.write_notebook("01_first", kill)
    summary = runs.run(
        quarter="2025Q4", areas=["320613"], notebooks=["01_first", "02_second"], scheduler=scheduler, progress="none"
    )
    assert (tmp_path / "killed").is_file()
    assert {outcome.state for outcome in summary.outcomes} == {"done"}
    assert {outcome.warm for outcome in summary.outcomes} == {True}
    assert {path.name: path.read_bytes() for path in earlier.iterdir()} == before
    asked = {"quarter": "2025Q4", "areas": ["320613"], "notebooks": ["01_first", "02_second"]}
    assert {one.state for one in runs.status(**asked)} == {"current"}
    again = runs.run(**asked, scheduler=scheduler, progress="none")
    assert {outcome.state for outcome in again.outcomes} == {"current"}


def test_a_scheduler_that_does_not_answer_is_named(project, monkeypatch):
    monkeypatch.setattr("institute_lib.runs.workers.CONNECT_SECONDS", 1)
    with pytest.raises(RunError, match="does not answer"):
        runs.run(quarter="2025Q4", scheduler="tcp://127.0.0.1:9", progress="none")


@pytest.fixture
def processes(project, tmp_path):
    """A scheduler and a worker as one starts them on several computers, each a process of its own; their address."""
    address_file, started = tmp_path / "scheduler.json", []
    environment = os.environ | {"DASK_DISTRIBUTED__WORKER__DAEMON": "False"}

    def start(*words: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", *words, "--scheduler-file", str(address_file)]
        started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL))
        return started[-1]

    scheduler = start("scheduler", "--port", "0", "--no-dashboard")
    start("worker", "--nthreads", "1", "--no-dashboard")
    deadline = time.monotonic() + 60
    while not address_file.is_file() and time.monotonic() < deadline:
        time.sleep(0.1)
    yield SimpleNamespace(address=json.loads(address_file.read_text())["address"], scheduler=scheduler)
    for process in started:
        process.terminate()
        process.wait(30)


SLOW = (
    "import time\nfrom pathlib import Path\nPath({begun!r}).touch()\nwhile not Path({go!r}).exists(): time.sleep(0.05)"
)


def test_a_job_of_a_run_that_was_killed_writes_nothing_into_the_next_run(project, processes, tmp_path):
    begun, go = tmp_path / "begun", tmp_path / "go"
    project.write_notebook("01_first", SLOW.format(begun=str(begun), go=str(go)))
    asked = ["run", "2025Q4", "--areas", "320613", "--notebooks", "01_first", "--log", "none"]
    command = [sys.executable, "-m", "institute_lib", *asked, "--scheduler", processes.address]
    run = subprocess.Popen(command)
    wait_for(begun)
    run.kill()
    run.wait()
    project.write_notebook("01_first", "mended = True")
    assert cli.main(asked) == 0
    place = project.place("01_first")
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    go.touch()
    time.sleep(3)  # long enough for the orphan to end
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    assert [one.state for one in runs.status(quarter="2025Q4", areas=["320613"], notebooks=["01_first"])] == ["current"]


def test_a_scheduler_that_is_lost_in_the_middle_ends_the_run_in_one_sentence(project, processes, tmp_path, monkeypatch):
    monkeypatch.setattr("institute_lib.runs.workers.LOST_SECONDS", 2)
    begun = tmp_path / "begun"
    project.write_notebook("01_first", SLOW.format(begun=str(begun), go=str(tmp_path / "never")))

    def kill() -> None:
        wait_for(begun)
        processes.scheduler.kill()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(kill)
        with pytest.raises(RunError, match="has been gone for 2 s; start them and run again"):
            runs.run(quarter="2025Q4", areas=["320613"], scheduler=processes.address, progress="none")
    assert places.holder(project.folder) == ""


def wait_for(path) -> None:
    deadline = time.monotonic() + 300
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert path.exists()


def test_a_scheduler_of_another_version_is_refused_before_anything_starts(project, scheduler, monkeypatch):
    from distributed import Client

    told = Client.get_versions

    def older(client, **options):
        found = told(client, **options)
        found["scheduler"]["packages"]["distributed"] = "2024.1.0"
        return found

    monkeypatch.setattr(Client, "get_versions", older)
    with pytest.raises(RunError, match=r"has distributed 2024\.1\.0"):
        runs.run(quarter="2025Q4", areas=["320613"], scheduler=scheduler, progress="none")
    assert not list(project.folder.glob("*/*/manifest.json"))
