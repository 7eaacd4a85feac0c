"""What the forkserver imports once, so that no kernel has to.

An exception other than ImportError in a preload module ends the forkserver without a word, so each step is guarded and
says on stderr what it left out. No thread, connection or event loop may be opened here: forks would inherit it.
"""

import atexit
import gc
import json
import multiprocessing
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib import import_module

from institute_lib import sharing

LIBRARIES = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "scipy.stats",
    "scipy.optimize",
    "statsmodels.api",
    "statsmodels.formula.api",
    "diff_diff",
    "geopandas",
    "duckdb",
    "pandera.pandas",
    "plotly.io",
    "plotly.express",
    "plotly.graph_objects",
    "IPython.core.interactiveshell",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "nbformat.validator",
    "nbconvert",
    "papermill",
    "nbclient",
    "jinja2",
)
ROOMS = (
    "areas",
    "parameters",
    "tables",
    "policy",
    "retention",
    "coverage",
    "talent",
    "disclosure",
    "charts",
    "maps",
    "brief",
    "runs",
    "kernels.client",
    "runs.jobs",
    "runs.engine",
    "study",
)


MAIN_PROCESS = type(multiprocessing.current_process())  # in the forkserver: the class of a program's main process
SET_BY_LIBRARIES: dict[str, str] = {}  # variables that libraries set in the environment while they are imported
COLD_PATH: list[str] = []  # the module path of a fresh interpreter, without the folder of whoever asked for the fork


def find_cold_path() -> None:
    """Ask a fresh interpreter; `-c` puts the working folder first, which a kernel's launcher takes out."""
    code = "import json, sys; print(json.dumps(sys.path[1:]))"
    COLD_PATH[:] = json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)


def walk_first_uses() -> None:
    """Do once what is slow the first time: a plotly display (nbformat's validator), a data frame as HTML."""
    import nbformat
    import pandas as pd
    import plotly.graph_objects as go
    import plotly.io

    plotly.io.renderers.default = "plotly_mimetype"
    figure = go.Figure([go.Scatter(x=[1], y=[1]), go.Bar(x=[1], y=[1])])
    figure._repr_mimebundle_()
    pd.DataFrame({"a": [1.0]})._repr_html_()
    cell = nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("display_data")])
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))


def preload() -> None:
    """Import everything, then take what is there out of the garbage collector's sight (copy-on-write stays shared)."""
    environment = dict(os.environ)
    steps = [find_cold_path]
    steps += [lambda name=name: import_module(name) for name in LIBRARIES]
    steps += [lambda name=name: import_module(f"institute_lib.{name}") for name in ROOMS]
    for step in (*steps, _quietly(walk_first_uses)):
        try:
            step()
        except Exception as error:  # noqa: BLE001 – a kernel only starts slower without it; see the module's docstring
            sys.stderr.write(f"kernels: not preloaded: {type(error).__name__}: {error}\n")
    SET_BY_LIBRARIES.update(dict(os.environ.items() - environment.items()))
    sharing.forget_reads()  # what was read on the way is nothing that a job has read
    _leave_quietly()
    gc.collect()
    gc.freeze()


def _quietly(step: Callable[[], None]) -> Callable[[], None]:
    """The step, its warnings not shown and not remembered as shown."""

    def quiet() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            step()

    return quiet


def _leave_quietly() -> None:
    """Let the forkserver end without tearing down every library, some of which complain at length on the way out."""
    server = os.getpid()
    atexit.register(lambda: os._exit(0) if os.getpid() == server else None)


# The forkserver imports this module as its own main program's child; anybody else imports it for its names only.
if sys.argv[:1] == ["-c"]:
    preload()
