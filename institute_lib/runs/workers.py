"""Where jobs are executed: processes of this computer, or a Dask cluster; both are `concurrent.futures` executors."""

import logging
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Protocol

import psutil

from institute_lib import kernels
from institute_lib.errors import RunError
from institute_lib.runs.jobs import Outcome, Task, run_job

logger = logging.getLogger(__name__)
CONNECT_SECONDS = 20
BYTES_PER_JOB = 600_000_000  # a worker and its kernel, pages shared with the forkserver not counted twice


class Workers(Protocol):
    """Something that executes tasks, `slots` of them at once."""

    slots: int

    def submit(self, task: Task) -> "Future[Outcome]": ...

    def renew(self) -> None:
        """Start anew after a worker process was lost."""

    def close(self) -> None: ...


def open_workers(*, workers: int | None, scheduler: str | None) -> Workers:
    """
    Raises:
        RunError: the scheduler does not answer, or the extra `cluster` is not installed.
    """
    return ClusterWorkers(scheduler) if scheduler else LocalWorkers(workers or fitting_workers())


def fitting_workers() -> int:
    """As many as there are processors, and no more than fit into the free memory."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(processors, psutil.virtual_memory().available // BYTES_PER_JOB))


def enough_memory() -> bool:
    """Whether one more kernel fits now."""
    return psutil.virtual_memory().available > BYTES_PER_JOB


class LocalWorkers:
    """Processes of this computer, forked from the same forkserver as their kernels."""

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

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def begin_worker() -> None:
    """What a worker process does first: end with its parent, fork its kernels from the forkserver it came from."""
    kernels.end_with_parent()
    kernels.use_parents_forkserver()


class ClusterWorkers:
    """A Dask cluster whose workers see the same project folder. Its workers need
    `distributed.worker.daemon: false` to fork kernels; without it they start cold ones, and say so."""

    def __init__(self, address: str):
        try:
            from distributed import Client
        except ImportError as error:
            raise RunError("--scheduler needs the extra: pip install 'institute-lib[cluster]'") from error
        try:
            self._client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise RunError(f"scheduler {address!r} does not answer: {type(error).__name__}: {error}") from error
        self.slots = max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))
        self._pool = self._client.get_executor(pure=False, retries=0)
        self._submit: Callable = self._pool.submit

    def submit(self, task: Task) -> "Future[Outcome]":
        return self._submit(run_job, task)

    def renew(self) -> None:
        """The scheduler replaces lost workers itself."""

    def close(self) -> None:
        self._client.close()
