"""A light notebook (imports, two charts) on a forked kernel, and a plan of them, beside the `papermill` command."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pandas as pd

from institute_lib import kernels
from institute_lib.errors import RunError
from tests.bench.lines import Bound, Line
from tests.bench.timing import in_turns, steps

AREAS = ("320600", "320612", "320613", "320614", "320623", "320681", "320682", "320685")
QUARTER = "2025Q4"
PARAMETERS = f'area = "320600"\nquarter = "{QUARTER}"\nlanguage = "zh"\nas_of = ""'
IMPORTS = (
    "import pandas as pd\nimport plotly.graph_objects as go\nimport statsmodels.api as sm\n"
    "from institute_lib.result import Measure, Provenance, Result\n"
    "from institute_lib.sharing import Read\nfrom institute_lib.study import Study"
)
CHARTS = (
    "go.Figure(go.Scatter(x=[1, 2, 3], y=[1, 3, 2])).show()",
    "go.Figure(go.Bar(x=[1, 2, 3], y=[1, 3, 2])).show()",
)
LAST = """study = Study(area=area, quarter=quarter, language=language, as_of=as_of)
own = Provenance([Read("files", "counted", source="own", title="bench")])
one = Result(pd.DataFrame([{"value": 1}]), (), [Measure("value", "count", counts="places")], None, own)
study.say("{value}", value=study.view(one).figure())
study.close(headline="value")"""


def measure(*, large: bool) -> list[Line | Bound]:
    """One notebook warm against cold, then a plan of 48 from nothing; the peer runs eight of them, with `large` all."""
    with project(notebooks=6, areas=AREAS) as folder:
        plan = whole_plan(folder, AREAS, share=1 if large else 6)
        return [
            one_notebook(folder, repetitions=5 if large else 3),
            plan,
            Bound("48 light notebooks: ratio", plan.ratio, 8, "×", least=True),
        ]


def one_notebook(folder: Path, *, repetitions: int) -> Line:
    """The kernel's start, the cells and its end; the peer's Python starts too, as it does in a loop of commands."""
    import papermill

    source = next((folder / "notebooks").glob("*.ipynb"))

    def warm() -> None:
        manager = kernels.manager_class(env={"INSTITUTE_HOME": str(folder)}, cwd=str(folder))
        target = folder / "warm.ipynb"
        papermill.execute_notebook(
            source, target, kernel_manager_class=manager, progress_bar=False, kernel_name="python3"
        )
        if not manager.running[0].was_forked:
            raise RunError("the kernel was not forked, so that a cold one would be compared with a cold one")

    begun = time.perf_counter()
    warm()
    first = time.perf_counter() - begun
    timed = in_turns(warm, lambda: command(folder, source), repetitions=repetitions, label="notebook")
    note = f"imports and two charts; the first took {first:.1f} s with the start of the process that all fork from"
    return Line("one light notebook, warm", timed.ours, "papermill command", timed.peer, note)


def whole_plan(folder: Path, areas: tuple[str, ...], *, share: int) -> Line:
    """`institute run` from nothing against the command job by job, of which each `share`-th runs and stands for all."""
    begun = time.perf_counter()
    started(folder, "institute_lib", "run", QUARTER)
    ours = time.perf_counter() - begun
    jobs = [(source, area) for source in sorted((folder / "notebooks").glob("*.ipynb")) for area in areas]
    begun = time.perf_counter()
    for source, area in steps(jobs[::share], "papermill, job by job"):
        command(folder, source, area=area)
    peer = share * (time.perf_counter() - begun)
    note = "ours starts its forkserver, exports each brief and writes the index too"
    note += f"; the peer ran {len(jobs[::share])} of them" if share > 1 else ""
    return Line(f"plan of {len(jobs)} light notebooks", ours, "papermill command, one by one", peer, note)


def command(folder: Path, source: Path, **parameters: str) -> Path:
    """The `papermill` command as one would type it; the notebook that it executed."""
    given = [word for name, value in parameters.items() for word in ("-r", name, value)]
    executed = folder / "cold.ipynb"
    started(folder, "papermill", "--no-progress-bar", str(source), str(executed), *given)
    return executed


def started(folder: Path, *words: str) -> None:
    """`python -m …` in the project folder, to its end."""
    environment = os.environ | {"INSTITUTE_HOME": str(folder)}
    subprocess.run([sys.executable, "-m", *words], check=True, capture_output=True, cwd=folder, env=environment)


@contextmanager
def project(*, notebooks: int, areas: tuple[str, ...]) -> Iterator[Path]:
    """A project folder with the notebook under one or several names, its plan, and a register of one worker."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for place in ("notebooks", "papermill_runs", "data/demo"):
            (folder / place).mkdir(parents=True)
        names = [f"{number:02}_light" for number in range(1, notebooks + 1)]
        for name in names:
            write_notebook(folder / "notebooks" / f"{name}.ipynb", name)
        sections = [f"[notebooks.{name}]" for name in names]
        plan = "\n".join(['language = "zh"', f"areas = {list(areas)}", *sections])
        (folder / "papermill_runs" / "quarterly.toml").write_text(plan, encoding="utf-8")
        write_registers(folder / "data" / "demo")
        yield folder


def write_notebook(path: Path, name: str) -> None:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    declared = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    cells = [nbformat.v4.new_code_cell(source) for source in (IMPORTS, *CHARTS, LAST)]
    notebook.cells = [nbformat.v4.new_markdown_cell(f"# {name[:2]} {name[3:]}"), declared, *cells]
    nbformat.write(notebook, path)


def write_registers(folder: Path) -> None:
    """What a run asks of the demo registers: which quarters they cover, and who has reported."""
    rows = [{"district": "320613", "quarter": QUARTER, "reported": True}]
    pd.DataFrame(rows).to_parquet(folder / "reporting.parquet")
    pd.DataFrame({"worker_id": ["one"]}).to_parquet(folder / "workers.parquet")
