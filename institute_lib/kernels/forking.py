"""The forkserver, and how a fork of it becomes a kernel."""

import atexit
import logging
import multiprocessing
import multiprocessing.forkserver
import multiprocessing.process
import multiprocessing.resource_tracker
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

from institute_lib import paths, sharing
from institute_lib.errors import RunError
from institute_lib.kernels import preload

PRELOAD = ["institute_lib.kernels.preload"]
STARTUP_SECONDS = 120.0
STARTED = time.time()
MARK = "INSTITUTE_KERNEL"


def available() -> bool:
    """Whether this computer can fork kernels (Linux and macOS; not Windows)."""
    return "forkserver" in multiprocessing.get_all_start_methods()


@cache
def context() -> BaseContext:
    """The forkserver's context, its heavy libraries on order: the first process of it waits for them."""
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(PRELOAD)
    return forkserver


def use_parents_forkserver() -> None:
    """In a process that was itself forked from the forkserver: fork from that one, instead of starting a second.

    The standard library says that children reuse their parent's forkserver, and then starts another one, which would
    import everything again. Where its inner names differ, a second one is what happens: slower, and still right.
    """
    server = getattr(multiprocessing.forkserver, "_forkserver", None)
    inherited = getattr(server, "_forkserver_address", None) and getattr(server, "_forkserver_alive_fd", None)
    if inherited and getattr(server, "_forkserver_pid", None) is None:
        server.ensure_running = multiprocessing.resource_tracker.ensure_running


@cache
def _package_files() -> tuple[Path, ...]:
    return tuple(paths.PACKAGE.rglob("*.py"))


def library_changed() -> bool:
    """Whether a module of this library was edited after this process began, so that a fork would run old code."""
    return any(path.stat().st_mtime > STARTED for path in _package_files() if path.exists())


def fork_kernel(
    arguments: Sequence[str], *, cwd: str, env: Mapping[str, str], private: str | None = None
) -> BaseProcess:
    """A new process that is a kernel, with its own session, environment and working folder.

    Args:
        arguments: what `ipykernel_launcher` would be given, such as `-f connection.json`.
        cwd: its working folder.
        env: its whole environment.
        private: a folder that it removes if its parent dies first.

    Raises:
        RunError: the fork did not answer in time.
        OSError, EOFError, RuntimeError, AssertionError: the forkserver is gone or may not be used here.
    """
    reader, writer = context().Pipe(duplex=False)
    process = context().Process(
        target=become_kernel, args=(list(arguments), cwd, dict(env), private, writer), name="kernel"
    )
    process.start()
    writer.close()
    with reader:
        if not reader.poll(STARTUP_SECONDS):
            process.kill()
            raise RunError(f"a forked kernel did not answer within {STARTUP_SECONDS:.0f} s")
        reader.recv()
    return process


def become_kernel(arguments: list[str], cwd: str, env: dict[str, str], private: str | None, ready: Connection) -> None:
    """Turn this fork into an IPython kernel; returns when the kernel is shut down."""
    import ipykernel_launcher
    from ipykernel.kernelapp import IPKernelApp

    os.setsid()
    end_with_parent(remove=private)
    os.environ.clear()
    os.environ.update({**preload.SET_BY_LIBRARIES, **env})
    os.chdir(cwd)
    sys.argv = [str(ipykernel_launcher.__file__), *arguments]
    sys.orig_argv = [sys.executable, "-m", "ipykernel_launcher", *arguments]
    sys.path[:] = preload.COLD_PATH or sys.path
    _forget_inherited_state()
    _become_main_process()
    ready.send(os.getpid())
    ready.close()

    # 1: no poller of its own (`end_with_parent` is there), no banner; no word on the interrupt before a shutdown.
    app = IPKernelApp.instance(parent_handle=1, log_level=logging.CRITICAL)
    app.initialize(arguments)
    app.start()
    atexit._run_exitfuncs()


def _forget_inherited_state() -> None:
    """What forks share and must not: random state, temporary folder, callbacks, plotly's renderer."""
    import numpy as np
    import plotly.io

    random.seed()
    np.random.seed()  # the legacy global state: the one that forks share
    tempfile.tempdir = None
    atexit._clear()
    sharing.forget_reads()
    plotly.io.renderers.default = os.environ.get("PLOTLY_RENDERER", "plotly_mimetype")


def _become_main_process() -> None:
    """For multiprocessing a kernel is nobody's child: the platform's start method, its own children and tracker.

    The standard library has no call for this. A test compares what it leaves with an ordinary kernel.
    """
    multiprocessing.process._current_process = preload.MAIN_PROCESS()
    multiprocessing.process._parent_process = None
    multiprocessing.process._children = set()
    multiprocessing.set_start_method(None, force=True)
    multiprocessing.resource_tracker._resource_tracker.__init__()
    multiprocessing.forkserver._forkserver.__init__()


def end_with_parent(*, remove: str | None = None) -> None:
    """End this process and its group as soon as the process that asked for it is gone, however it went.

    Args:
        remove: a folder that is removed with it.
    """
    parent = multiprocessing.parent_process()

    def wait() -> None:
        parent.join()
        if remove:
            end_marked(remove)
            _remove_afterwards(remove)
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=wait, name="end-with-parent", daemon=True).start()


def end_marked(private: str) -> None:
    """Kill every process that a kernel started, and that still runs, wherever it has moved to.

    Args:
        private: the kernel's own folder, which its environment, and so that of whatever it starts, names in MARK.
    """
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # others' processes, and those that just ended
            if process.pid != os.getpid() and process.environ().get(MARK) == private:
                process.kill()


def private_memory(pid: int) -> int | None:
    """The most bytes that a process held for itself alone, its share of the forkserver's pages left out."""
    with suppress(psutil.Error, OSError):
        now = psutil.Process(pid).memory_full_info()
        return now.uss + max(0, _peak_resident(pid) - now.rss)
    return None


def _peak_resident(pid: int) -> int:
    """Linux alone says it."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text(encoding="ascii", errors="replace").splitlines() if status.is_file() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def _remove_afterwards(folder: str) -> None:
    """Leave a child behind that removes a folder when this process, which may still write to it, has ended."""
    writer = os.getpid()
    child = os.fork()
    if child:
        os.setpgid(child, child)  # out of the group that is about to be killed
        return
    while os.getppid() == writer:
        time.sleep(0.01)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)
