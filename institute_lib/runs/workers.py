"""Where jobs are executed: processes of this computer, or a Dask cluster; both are `concurrent.futures` executors."""

import logging
import multiprocessing
import os
import signal
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any

from institute_lib import kernels, terms
from institute_lib.errors import RunError

logger = logging.getLogger(__name__)
CONNECT_SECONDS = 20
LOST_SECONDS = 60


def open_executor(*, workers: int | None, scheduler: str | None) -> "LocalExecutor | ClusterExecutor":
    """
    Raises:
        RunError: the scheduler does not answer or has another version, or the extra `cluster` is not installed.
    """
    return ClusterExecutor(scheduler) if scheduler else LocalExecutor(workers or processors())


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalExecutor(Executor):
    """Processes of this computer, forked from the same forkserver as their kernels.

    Attributes:
        slots: how many jobs at once.
        local: whether they take this computer's memory.
    """

    local = True

    def __init__(self, slots: int):
        self.slots = slots
        self._pool = self._open()

    def _open(self) -> ProcessPoolExecutor:
        context = kernels.context() if kernels.available() else multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.slots, mp_context=context, initializer=begin_worker)

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future:
        return self._pool.submit(function, *args, **kwargs)

    def renew(self) -> None:
        """Start anew after a process was lost, which breaks the standard library's pool."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._open()

    def check(self) -> None:
        """A process that was lost comes back as its job's outcome."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes; without `wait` at once, their kernels with them."""
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)
        for process in () if wait else processes:
            process.kill()


def begin_worker() -> None:
    """What a worker process does first: end with its parent, fork its kernels from the forkserver it came from."""
    # Ctrl-C reaches the whole process group, and the run itself ends its workers. A handler, because a signal that is
    # ignored would stay ignored in cold kernels.
    signal.signal(signal.SIGINT, lambda *_: None)
    kernels.end_with_parent()
    kernels.use_parents_forkserver()


class ClusterExecutor(Executor):
    """A Dask cluster whose workers see the same project folder; Dask itself replaces lost workers.

    Its workers need `distributed.worker.daemon: false` to fork kernels; without it they start cold ones, and say so.
    """

    local = False

    def __init__(self, address: str):
        try:
            from distributed import Client
        except ImportError as error:
            raise terms.error(RunError, "runs.error_scheduler_extra") from error
        try:
            self._client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except Exception as error:  # another version may answer with anything
            raise terms.error(
                RunError, "runs.error_scheduler_silent", address=address, reason=f"{type(error).__name__}: {error}"
            ) from error
        self._address, self._seen = address, time.monotonic()
        try:
            self._check_versions()
        except RunError:
            self.shutdown()
            raise
        self._pool = self._client.get_executor(pure=False, retries=0)

    def _check_versions(self) -> None:
        """
        Raises:
            RunError: the scheduler has another Dask or another Python than this computer.
        """
        found = self._client.get_versions()
        ours, theirs = found["client"], found["scheduler"] or {}
        for name in ("python", "dask", "distributed"):
            here, there = (one.get("packages", {}).get(name) for one in (ours, theirs))
            if _minor(here) != _minor(there):
                raise terms.error(
                    RunError, "runs.error_scheduler_version", address=self._address, name=name, there=there, here=here
                )

    @property
    def slots(self) -> int:
        """The workers that there are now: they may come and go during a run."""
        return max(1, len(self._workers()))

    def _workers(self) -> dict[str, Any]:
        if self._client.status != "running":
            return {}
        return self._client.scheduler_info(n_workers=-1).get("workers", {})

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future:
        return self._pool.submit(function, *args, **kwargs)

    def renew(self) -> None:
        """Dask's own work."""

    def check(self) -> None:
        """
        Raises:
            RunError: nobody is left to do the work.
        """
        if self._workers():
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > LOST_SECONDS:
            raise terms.error(RunError, "runs.error_scheduler_lost", address=self._address, seconds=LOST_SECONDS)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of the cluster; what was submitted and not fetched is cancelled by its scheduler."""
        self._client.close(timeout=5)


def _minor(version: str | None) -> list[str]:
    return str(version).split(".")[:2]
