"""A warm kernel is a cold kernel: the whole state of the interpreter, compared between a forked kernel of a run, an
ordinary one, and the kernel that JupyterLab starts.
"""

import json
import os
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel
from jupyter_core.utils import run_sync

from institute_lib import kernels
from institute_lib.kernels.preload import LIBRARIES

# Libraries add filters, loggers and finders when they are imported, and the forked kernel has imported them already: so
# the ordinary kernel imports them too, and then everything must be the same.
IMPORT = f"import importlib\nfor name in {LIBRARIES!r}: importlib.import_module(name)\n"
LOOK = r"""
import asyncio, atexit, builtins, gc, json, locale, logging, multiprocessing, os, signal, socket, sys, tempfile
import threading, time, warnings, decimal, resource
import numpy, pandas, plotly.io

def said(thing): return repr(thing).split(" at 0x")[0]
def pattern(part): return getattr(part, "pattern", part)

state = {
    "start method": (multiprocessing.get_start_method(allow_none=True), multiprocessing.get_start_method()),
    "process": (multiprocessing.current_process().name, said(type(multiprocessing.current_process())),
                multiprocessing.current_process().daemon, said(multiprocessing.parent_process()),
                len(multiprocessing.active_children())),
    "warning filters": sorted(str((one[0], pattern(one[1]), one[2].__name__, pattern(one[3]), one[4]))
                              for one in warnings.filters),
    "warnings shown": (said(warnings.showwarning), len(warnings.onceregistry), sys.warnoptions),
    "sys.path": sys.path,
    "finders": ([said(one) for one in sys.meta_path], len(sys.path_hooks)),
    "argv": [one for one in sys.argv if not one.endswith(".json")],
    "orig_argv": [one for one in sys.orig_argv if not one.endswith(".json")],
    "flags": (repr(sys.flags), sys.dont_write_bytecode, sys.pycache_prefix, sys.executable, sys.prefix),
    "environment": sorted(f"{name}={value}" for name, value in os.environ.items()),
    "folder": os.getcwd(),
    "umask": (os.umask(0o22), os.umask(0o22)),
    "signals": {one.name: said(signal.getsignal(one)) for one in signal.valid_signals()
                if isinstance(one, signal.Signals)},
    "blocked signals": [str(one) for one in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "hooks": (said(sys.excepthook), said(sys.displayhook), said(sys.gettrace()), said(sys.getprofile()),
              said(threading.excepthook), said(sys.unraisablehook)),
    "streams": (said(type(sys.stdin)), said(type(sys.stdout)), sys.stdout.encoding, said(type(sys.stderr))),
    "main thread": threading.current_thread() is threading.main_thread(),
    "main module": (sys.modules["__main__"].__name__, said(getattr(sys.modules["__main__"], "__file__", None)),
                    said(sys.modules["__main__"].__spec__)),
    "locale": (locale.setlocale(locale.LC_ALL), time.tzname, sys.getfilesystemencoding()),
    "logging": (logging.getLogger().level, [said(one) for one in logging.getLogger().handlers], logging.root.disabled,
                logging.raiseExceptions),
    "asyncio": (said(type(asyncio.get_event_loop_policy())), said(type(asyncio.get_running_loop()))
                if asyncio._get_running_loop() else None),
    "limits": (sys.getrecursionlimit(), sys.getswitchinterval(), gc.isenabled(), gc.get_threshold(),
               {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource)
                if name.startswith("RLIMIT")}),
    "builtins": sorted(dir(builtins)),
    "socket": socket.getdefaulttimeout(),
    "temporary": tempfile.gettempdir() == os.environ.get("TMPDIR", "/tmp"),
    "session": (os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid(), os.nice(0), len(os.sched_getaffinity(0))),
    "names": sorted(name for name in globals() if not name.startswith("_") and name not in ("importlib", "name")),
    "numpy": (numpy.geterr(), repr(numpy.get_printoptions())),
    "pandas": (pandas.get_option("display.max_rows"), pandas.options.plotting.backend, pandas.options.mode.copy_on_write
               if hasattr(pandas.options.mode, "copy_on_write") else None),
    "plotly": (plotly.io.renderers.default, plotly.io.templates.default),
    "decimal": repr(decimal.getcontext()),
    "prompt": (get_ipython().execution_count, type(get_ipython()).__name__, len(get_ipython().user_ns_hidden) > 0),
}
with open(TOLD, "w") as file: json.dump(state, file, default=repr)
"""
OF_THE_KERNEL = ("INSTITUTE_KERNEL=", "TMPDIR=")  # each run kernel has a temporary folder of its own


def told(path: Path) -> dict:
    found = json.loads(path.read_text(encoding="utf-8"))
    found["environment"] = [one for one in found["environment"] if not one.startswith(OF_THE_KERNEL)]
    return found


def unlike(one, other):
    """Of two lists what one of them alone has; else both."""
    if not isinstance(one, list):
        return one, other
    return [item for item in one if item not in other], [item for item in other if item not in one]


@pytest.fixture(scope="module")
def states(tmp_path_factory) -> dict[str, dict]:
    folder = tmp_path_factory.mktemp("states")
    found = {}

    async def in_a_run(name: str, *, warm: bool) -> None:
        manager = kernels.manager_class(env={}, cwd=str(folder), warm=warm)(kernel_name="python3")
        await manager.start_kernel()
        assert manager.was_forked == warm
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=60)
        await client.execute_interactive(IMPORT + f"TOLD = {str(folder / name)!r}\n" + LOOK, timeout=60)
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
        found[name] = told(folder / name)

    for name, warm in (("warm", True), ("cold", False)):
        run_sync(in_a_run)(name, warm=warm)
    for name in ("institute", "python3"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernels.forking, "library_changed", lambda: False)
            manager, client = start_new_kernel(kernel_name=name, cwd=str(folder))
        client.execute_interactive(IMPORT + f"TOLD = {str(folder / name)!r}\n" + LOOK, timeout=60)
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        found[name] = told(folder / name)
    return found


@pytest.mark.parametrize("other", ["warm", "institute", "python3"])
def test_every_kernel_of_the_project_is_like_an_ordinary_one(states, other):
    """What differs is what the command line says: where the history is kept, and JupyterLab's own extension."""
    left_out = {"argv", "orig_argv"} if other != "warm" else set()
    cold = {name: value for name, value in states["cold"].items() if name not in left_out}
    different = {name: unlike(states[other][name], cold[name]) for name in cold if states[other][name] != cold[name]}
    assert different == {}


def test_jupyterlabs_kernel_is_started_with_the_extensions_of_a_run(states):
    assert set(states["institute"]["argv"]) >= {"--ext=institute_lib.kernels.session", "--ext=institute_lib.charts"}
    assert "--ext=institute_lib.kernels.session" in states["warm"]["argv"]
    assert os.environ.get("INSTITUTE_KERNEL") is None
