"""Where jobs are executed: processes of this computer, or a Dask cluster; both are `concurrent.futures` executors."""

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Protocol

from institute_lib import kernels
from institute_lib.errors import RunError
from institute_lib.runs.jobs import run_job
from institute_lib.runs.tasks import Outcome, Task

logger = logging.getLogger(__name__)
CONNECT_SECONDS = 20
LOST_SECONDS = 60


class Workers(Protocol):
    """Something that executes tasks."""

    @property
    def slots(self) -> int:
        """How many at once."""

    @property
    def local(self) -> bool:
        """Whether they take this computer's memory."""

    def submit(self, task: Task) -> "Future[Outcome]": ...

    def renew(self) -> None:
        """Start anew after a worker process was lost."""

    def check(self) -> None:
        """
        Raises:
            RunError: nobody is left to do the work.
        """

    def close(self, *, now: bool = False) -> None:
        """End them; `now` without waiting for what they are doing."""


def open_workers(*, workers: int | None, scheduler: str | None) -> Workers:
    """
    Raises:
        RunError: the scheduler does not answer, or the extra `cluster` is not installed.
    """
    return ClusterWorkers(scheduler) if scheduler else LocalWorkers(workers or processors())


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalWorkers:
    """Processes of this computer, forked from the same forkserver as their kernels."""

    local = True

    def __init__(self, slots: int):
        self.slots = slots
        self._pool = self._open()

    def _open(self) -> Executor:
        context = kernels.context() if kernels.available() else multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.slots, mp_context=context, initializer=begin_worker)

    def submit(self, task: Task) -> "Future[Outcome]":
        return self._pool.submit(run_job, task)

    def renew(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._open()

    def check(self) -> None:
        """A process that was lost is renewed when its job comes back."""

    def close(self, *, now: bool = False) -> None:
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait=not now, cancel_futures=True)
        for process in processes if now else ():
            process.kill()  # its kernel ends with it


def begin_worker() -> None:
    """What a worker process does first: end with its parent, fork its kernels from the forkserver it came from."""
    # Ctrl-C reaches the whole process group, and the run itself ends its workers. A handler, because a signal that is
    # ignored would stay ignored in cold kernels.
    signal.signal(signal.SIGINT, lambda *_: None)
    kernels.end_with_parent()
    kernels.use_parents_forkserver()


class ClusterWorkers:
    """A Dask cluster whose workers see the same project folder. Its workers need
    `distributed.worker.daemon: false` to fork kernels; without it they start cold ones, and say so."""

    local = False

    def __init__(self, address: str):
        try:
            from distributed import Client
        except ImportError as error:
            raise RunError("--scheduler needs the extra: pip install 'institute-lib[cluster]'") from error
        try:
            self._client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise RunError(f"scheduler {address!r} does not answer: {type(error).__name__}: {error}") from error
        self._address, self._seen = address, time.monotonic()
        self._pool = self._client.get_executor(pure=False, retries=0)
        self._submit: Callable = self._pool.submit

    @property
    def slots(self) -> int:
        """The workers that there are now: they may come and go during a run."""
        return max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))

    def submit(self, task: Task) -> "Future[Outcome]":
        return self._submit(run_job, task)

    def renew(self) -> None:
        """The scheduler replaces lost workers itself."""

    def check(self) -> None:
        if self._client.status == "running" and self._client.scheduler_info(n_workers=-1)["workers"]:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > LOST_SECONDS:
            raise RunError(
                f"scheduler {self._address!r}: it or its last worker has been gone for {LOST_SECONDS} s; start them "
                "and run again: what was finished is kept"
            )

    def close(self, *, now: bool = False) -> None:
        """Let go of the cluster; what was submitted and not fetched is cancelled by its scheduler."""
        self._client.close()
