"""What the forkserver imports once, so that no kernel has to.

An exception other than ImportError in a preload module ends the forkserver without a word, so each step is guarded and
says on stderr what it left out. No thread, connection or event loop may be opened here: forks would inherit it.
"""

import atexit
import gc
import os
import sys
import warnings
from importlib import import_module

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
)


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
    warnings.simplefilter("ignore")
    steps = [lambda name=name: import_module(name) for name in LIBRARIES]
    steps += [lambda name=name: import_module(f"institute_lib.{name}") for name in ROOMS]
    for step in (*steps, walk_first_uses):
        try:
            step()
        except Exception as error:  # noqa: BLE001 – a kernel only starts slower without it; see the module's docstring
            sys.stderr.write(f"kernels: not preloaded: {type(error).__name__}: {error}\n")
    warnings.resetwarnings()
    _leave_quietly()
    gc.collect()
    gc.freeze()


def _leave_quietly() -> None:
    """Let the forkserver end without tearing down every library, some of which complain at length on the way out."""
    server = os.getpid()
    atexit.register(lambda: os._exit(0) if os.getpid() == server else None)


# The forkserver imports this module as its own main program's child; anybody else imports it for its names only.
if sys.argv[:1] == ["-c"]:
    preload()
