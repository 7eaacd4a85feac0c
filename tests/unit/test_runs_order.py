"""In which order jobs start, how many at once, and when a cluster is given up; workers that only note what they get."""

import json
from concurrent.futures import Future

import pytest

from institute_lib.errors import RunError
from institute_lib.runs import estimates, execution, places, workers
from institute_lib.runs.estimates import BYTES_PER_JOB, MARGIN, WORKER_BYTES, Estimates
from institute_lib.runs.execution import Work
from institute_lib.runs.plan import Job, NotebookPlan, Plan
from institute_lib.runs.tasks import Failure, Outcome
from institute_lib.runs.workers import ClusterExecutor

SHORT, LONG, READER = Job("01_short", "320613"), Job("02_long", "320613"), Job("06_reader", "320613")
PLAN = Plan(("320613",), (NotebookPlan("01_short"), NotebookPlan("02_long"), NotebookPlan("06_reader", ("02_long",))))
GB = 10**9


class Listed:
    """Takes tasks and ends the oldest one when asked to."""

    local = True

    def __init__(self, slots: int):
        self.slots, self.tasks, self.most = slots, [], 0

    def submit(self, _function, task):
        self.tasks.append((task.job, Future()))
        open_now = [future for _, future in self.tasks if not future.done()]
        self.most = max(self.most, len(open_now))
        return self.tasks[-1][1]

    def end_oldest(self, failure=None):
        job, future = next((job, future) for job, future in self.tasks if not future.done())
        future.set_result(Outcome(job, "failed" if failure else "done", failure=failure))

    @property
    def order(self):
        return [job for job, _ in self.tasks]

    def renew(self): ...

    def check(self): ...

    def shutdown(self, *, wait=True, cancel_futures=False): ...


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    for notebook in PLAN.notebooks:
        notebook.path.parent.mkdir(exist_ok=True)
        notebook.path.write_text('{"cells": []}', encoding="utf-8")
    folder = tmp_path / "papermill_runs" / "2025Q4"
    for job, seconds, taken in ((SHORT, 1, 1 * GB), (LONG, 9, 3 * GB)):
        manifest = folder / job.notebook / job.area / places.MANIFEST
        places.write_json(manifest, {"seconds": seconds, "memory_bytes": taken})
    return Work(PLAN, PLAN.jobs(), "2025Q4", folder, True, True, None, lambda _event: None, "run")


def drive(work, monkeypatch, *, slots, free=100 * GB, failures=()):
    """Run it with listed workers, one job ending at a time."""
    listed, failing = Listed(slots), list(failures)
    monkeypatch.setattr(execution, "open_executor", lambda **_given: listed)
    monkeypatch.setattr(execution, "free_memory", lambda: free)
    collect = work._collect

    def end_one_and_collect():
        listed.end_oldest(failing.pop(0) if failing else None)
        collect()

    monkeypatch.setattr(work, "_collect", end_one_and_collect)
    work.through(workers=None, scheduler=None)
    return listed


def test_the_longest_by_the_last_run_starts_first_and_readers_wait_for_what_they_read(work, monkeypatch):
    assert drive(work, monkeypatch, slots=1).order == [LONG, SHORT, READER]


def test_no_more_start_at_once_than_there_are_workers(work, monkeypatch):
    assert drive(work, monkeypatch, slots=2).most == 2


def test_no_more_start_at_once_than_fit_into_memory(work, monkeypatch):
    assert drive(work, monkeypatch, slots=8, free=19 * GB // 10).most == 1


def test_two_that_fit_together_run_together(work, monkeypatch):
    assert drive(work, monkeypatch, slots=8, free=4 * GB).most == 2


def test_the_last_try_of_a_job_that_was_killed_has_the_computer_to_itself(work, monkeypatch):
    died = Failure("KernelDied", "notebook", transient=True)
    alone = []
    submit = Listed.submit

    def noting(listed, function, task):
        future = submit(listed, function, task)
        running = [job for job, one in listed.tasks if not one.done()]
        alone.append((task.job, len(running)))
        return future

    monkeypatch.setattr(Listed, "submit", noting)
    # LONG and SHORT start together; LONG dies, is tried again, and dies again once SHORT has ended.
    drive(work, monkeypatch, slots=2, failures=[died, None, died])
    assert [(job, running) for job, running in alone if job == LONG] == [(LONG, 1), (LONG, 2), (LONG, 1)]
    assert work.outcomes[LONG].attempts == 3


def test_a_job_is_given_up_after_three_tries_and_its_reader_goes_on(work, monkeypatch):
    died = Failure("KernelDied", "notebook", transient=True)
    drive(work, monkeypatch, slots=1, failures=[died, died, died])
    assert {str(job): outcome.state for job, outcome in work.outcomes.items()} == {
        str(LONG): "failed",
        str(SHORT): "done",
        str(READER): "done",
    }


def test_a_job_that_has_not_run_is_expected_to_take_what_its_notebook_took_elsewhere(tmp_path):
    for area, seconds, taken in (("320612", 2, 10), ("320613", 4, 30), ("320614", 9, 20)):
        places.write_json(tmp_path / "01_short" / area / places.MANIFEST, {"seconds": seconds, "memory_bytes": taken})
    (tmp_path / "01_short" / "320623").mkdir()
    (tmp_path / "01_short" / "320623" / places.MANIFEST).write_text("{")
    new, damaged, other = Job("01_short", "320600"), Job("01_short", "320623"), Job("02_long", "320600")
    known = [Job("01_short", area) for area in ("320612", "320613", "320614")]
    found = Estimates.from_last_run([new, damaged, other, *known], tmp_path)
    assert [found.seconds[job] for job in (new, damaged, other)] == [4, 4, 0]
    assert found.memory[new] == WORKER_BYTES + int(MARGIN * 30)
    assert found.memory[other] == BYTES_PER_JOB


@pytest.mark.parametrize(
    ("files", "room"),
    [
        ({"memory.max": "1000", "memory.current": "600", "memory.stat": "inactive_file 100\nfile 5"}, 500),
        ({"memory.max": "max", "memory.current": "600", "memory.stat": ""}, None),
        (
            {
                "memory.limit_in_bytes": "1000",
                "memory.usage_in_bytes": "600",
                "memory.stat": "inactive_file 7\ntotal_inactive_file 100",
            },
            500,
        ),
        ({}, None),
    ],
)
def test_a_containers_limit_counts_as_the_memory_there_is(tmp_path, monkeypatch, files, room):
    controllers = "memory" if "memory.limit_in_bytes" in files else ""
    group = tmp_path / "groups" / controllers / "a" / "b"
    group.mkdir(parents=True)
    for name, content in files.items():
        (group.parent / name).write_text(content, encoding="ascii")  # the limit of the group above counts too
    own = tmp_path / "own"
    own.write_text(f"4:{controllers}:/a/b\n5:cpu:/elsewhere\n", encoding="ascii")
    monkeypatch.setattr(estimates, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(estimates, "OWN_GROUPS", own)
    monkeypatch.setattr(estimates.psutil, "virtual_memory", lambda: type("Memory", (), {"available": 10**6}))
    assert estimates.free_memory() == (10**6 if room is None else room)


class Client:
    """A Dask client as far as `check` looks at it."""

    status = "running"

    def __init__(self):
        self.workers = {"tcp://a": {}}

    def scheduler_info(self, n_workers):
        return {"workers": self.workers}


def test_a_cluster_that_is_gone_for_a_minute_is_given_up(monkeypatch):
    client, now = Client(), [0.0]
    monkeypatch.setattr(workers.time, "monotonic", lambda: now[0])
    cluster = object.__new__(ClusterExecutor)
    cluster._client, cluster._address, cluster._seen = client, "tcp://host:8786", 0.0
    now[0] = 1000.0
    cluster.check()
    client.workers = {}
    client.status = "connecting"
    now[0] += workers.LOST_SECONDS
    cluster.check()
    now[0] += 1
    with pytest.raises(RunError, match="tcp://host:8786"):
        cluster.check()


def test_the_summary_names_the_data_and_the_code(work):
    written = json.loads(json.dumps(work.write_summary("running").to_dict()))
    assert (written["state"], written["total"], written["counts"]["done"]) == ("running", 3, 0)
    assert set(written["code"]) == {"plan", "library", "versions"}
    assert set(written["data"]["policies"]) == {"source", "snapshot", "sha256"}
