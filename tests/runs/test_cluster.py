"""The same run on a real Dask scheduler with two worker processes, one of them killed in the middle."""

import pytest

from institute_lib import runs
from institute_lib.errors import RunError

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
