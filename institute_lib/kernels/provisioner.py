"""The kernel provisioner, and a kernel manager whose kernels never meet each other."""

import logging
import os
import shutil
import signal
import tempfile
from asyncio import to_thread
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, ClassVar

import psutil
from jupyter_client import AsyncKernelManager
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from institute_lib.errors import RunError
from institute_lib.kernels import forking

logger = logging.getLogger(__name__)
LAUNCHER, SESSION = "ipykernel_launcher", "institute_lib.kernels.session"
POLL_SECONDS = 0.02
LONGEST_SOCKET_FOLDER = 80  # a Unix socket's path holds 107 bytes


class ForkedProcess:
    """A forked kernel with the few methods of `subprocess.Popen` that a provisioner calls."""

    stdin = stdout = stderr = None

    def __init__(self, process: BaseProcess):
        self._process = process
        self.pid = process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()


class ForkedProvisioner(LocalProvisioner):
    """Forks the kernel; starts the ordinary cold kernel, and says why, where that cannot be done."""

    private: str | None = None
    follows_edits = True  # in JupyterLab an edited library is read anew; one run keeps the code that it began with
    broken: ClassVar[str] = ""
    left_behind: tuple[psutil.Process, ...] = ()

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel for the command that a cold kernel would be started with."""
        reason = self._reason_for_cold(cmd)
        if not reason:
            try:
                process = await to_thread(
                    forking.fork_kernel,
                    cmd[cmd.index(LAUNCHER) + 1 :],
                    cwd=str(kwargs.get("cwd") or Path.cwd()),
                    env={**kwargs.get("env", os.environ), "JPY_PARENT_PID": str(os.getpid())},  # as the launcher does
                    private=self.private,
                )
            except (OSError, EOFError, RuntimeError, AssertionError, RunError) as error:
                reason = ForkedProvisioner.broken = f"{type(error).__name__}: {error}"
            else:
                self.process, self.pid, self.pgid = ForkedProcess(process), process.pid, process.pid
                self.cwd = kwargs.get("cwd") or Path.cwd()
                return self.connection_info
        logger.warning("kernel starts cold: %s", reason)
        return await super().launch_kernel(cmd, **kwargs)

    def _reason_for_cold(self, cmd: list[str]) -> str:
        if LAUNCHER not in cmd:
            return f"not an IPython kernel: {cmd[:3]}"
        if not forking.available():
            return "this operating system cannot fork"
        if self.follows_edits and forking.library_changed():
            return "a module of institute_lib was edited after this process began"
        return ForkedProvisioner.broken and f"forking failed before ({ForkedProvisioner.broken})"

    @property
    def forked(self) -> bool:
        """Whether the running kernel was forked."""
        return isinstance(self.process, ForkedProcess)

    async def shutdown_requested(self, restart: bool = False) -> None:
        """Remember the kernel's own children while they can still be found."""
        self._remember_children()

    async def kill(self, restart: bool = False) -> None:
        self._remember_children()
        await super().kill(restart=restart)

    def _remember_children(self) -> None:
        with suppress(psutil.Error):
            self.left_behind = tuple(psutil.Process(self.pid).children(recursive=True))

    async def cleanup(self, restart: bool = False) -> None:
        """End whatever the notebook left running: its process group, and children that made their own."""
        if self.pgid and self.pgid != os.getpgrp() and hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pgid, signal.SIGKILL)
        for child in self.left_behind:
            with suppress(psutil.Error):  # psutil itself checks that the pid was not given to another process
                child.kill()
        await super().cleanup(restart=restart)


class PrivateKernelManager(AsyncKernelManager):
    """Starts kernels over IPC, each on a private path: the default path is shared, and kernels side by side collide."""

    warm: ClassVar[bool] = True
    kernel_env: ClassVar[Mapping[str, str]] = {}
    kernel_cwd: ClassVar[str | None] = None
    running: ClassVar[list["PrivateKernelManager"]]
    was_forked = False
    memory_bytes: int | None = None
    ended_by: int | None = None  # the signal that ended the kernel; 0 where it ended by itself

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.client_class = "institute_lib.kernels.client.PromptClient"
        base = tempfile.gettempdir()
        self.private = tempfile.mkdtemp(prefix="institute-", dir=base if len(base) < LONGEST_SOCKET_FOLDER else "/tmp")
        if os.name != "nt":
            self.transport, self.ip = "ipc", f"{self.private}/s"
        self.connection_file = f"{self.private}/kernel.json"

    async def _async_pre_start_kernel(self, **kw: Any):
        # Temporary files go where they are removed even if the kernel is killed.
        own = {"TMPDIR": self.private, forking.MARK: self.private}
        kw["env"] = {**os.environ, **kw.get("env", {}), **own, **self.kernel_env}
        if self.kernel_cwd:
            kw["cwd"] = self.kernel_cwd
        kw["extra_arguments"] = [*kw.get("extra_arguments", ()), f"--ext={SESSION}"]
        if self.provisioner is None and self.warm:
            self.provisioner = ForkedProvisioner(kernel_spec=self.kernel_spec, parent=self)
            self.provisioner.private = self.private
            self.provisioner.follows_edits = False
        return await super()._async_pre_start_kernel(**kw)

    async def _async_post_start_kernel(self, **kw: Any) -> None:
        self.running.append(self)
        self.was_forked = getattr(self.provisioner, "forked", False)
        await super()._async_post_start_kernel(**kw)

    async def _async_request_shutdown(self, restart: bool = False) -> None:
        """Ask how much memory it took while it is still there to be asked."""
        self.memory_bytes = forking.private_memory(self.provisioner.pid)
        await super()._async_request_shutdown(restart=restart)

    async def _async_is_alive(self) -> bool:
        """Remember how a kernel ended that was not asked to."""
        alive = await super()._async_is_alive()
        process = getattr(self.provisioner, "process", None)
        if not alive and process is not None and self.ended_by is None:
            self.ended_by = max(0, -(process.poll() or 0))
        return alive

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        self.end_now()
        forking.end_marked(self.private)
        await super()._async_cleanup_resources(restart=restart)
        if not restart:
            shutil.rmtree(self.private, ignore_errors=True)

    async def _async_finish_shutdown(self, waittime: float | None = None, restart: bool = False, **_kw: Any) -> None:
        await super()._async_finish_shutdown(waittime, pollinterval=POLL_SECONDS, restart=restart)

    request_shutdown = _async_request_shutdown
    finish_shutdown = _async_finish_shutdown
    cleanup_resources = _async_cleanup_resources
    pre_start_kernel = _async_pre_start_kernel
    post_start_kernel = _async_post_start_kernel
    is_alive = _async_is_alive

    def end_now(self) -> None:
        """Kill the kernel and its process group from another thread: nbclient then notices a dead kernel."""
        group = getattr(self.provisioner, "pgid", None)
        if group and group != os.getpgrp() and hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)


def manager_class(*, env: Mapping[str, str], cwd: str | None = None, warm: bool = True) -> type[PrivateKernelManager]:
    """A kernel manager class for one notebook, to be given to nbclient as `kernel_manager_class`.

    Args:
        env: variables added to the kernel's environment.
        cwd: the kernel's working folder.
        warm: fork if possible; False starts the ordinary cold kernel.

    Returns:
        A class; its `running` lists the managers that it started.
    """
    settings = {"kernel_env": dict(env), "kernel_cwd": cwd, "warm": warm, "running": []}
    return type("NotebookKernelManager", (PrivateKernelManager,), settings)
