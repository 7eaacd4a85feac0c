"""A project folder of its own for each test: tiny notebooks, a plan, a table of workers, a short brief."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from institute_lib import kernels
from tests.rows import WORKER

AREAS = ("320600", "320612", "320613")
PLAN = """
language = "zh"
areas = ["320600", "320612", "320613"]
tables = ["workers"]
[limits]
cell_seconds = 60
notebook_seconds = 120
[notebooks.01_first]
[notebooks.02_second]
[notebooks.06_last]
after = ["01_first", "02_second"]
reads = "peers"
"""
OPENING = """import pandas as pd

from institute_lib import sharing, tables
from institute_lib.result import Measure, Provenance, Result
from institute_lib.study import Study


def close(**values):
    # Numbers with no person behind them, said and kept.
    own = Provenance([sharing.Read("files", "counted", source="own", title="测试")])
    measures = [Measure(name, "count", counts="places") for name in values]
    shown = study.view(Result(pd.DataFrame([values]), (), measures, None, own))
    first = next(iter(values))
    study.say("共{" + first + "}处", **{first: shown.figure()})
    study.keep(**shown.figures())
    study.close(headline=first)
"""
STUDY = "study = Study(area=area, quarter=quarter, language=language, as_of=as_of)"
PARAMETERS = 'area = "320600"\nquarter = "2025Q4"\nlanguage = "zh"\nas_of = ""'
LAST = "found = study.results().found\nclose(found=len(found.to_frame()), missing=len(found.missing))"


def recording(value: str = "1") -> str:
    return f"close(value={value})"


class Project:
    """What a test does with its project folder."""

    areas = AREAS

    def __init__(self, root: Path):
        self.root = root

    @classmethod
    def in_folder(cls, root: Path) -> "Project":
        """One with its plan, its workers and its three notebooks."""
        made = cls(root)
        made.write_plan(PLAN)
        made.write_workers()
        made.write_notebook("01_first")
        made.write_notebook("02_second")
        made.write_notebook("06_last", last=LAST)
        return made

    @property
    def folder(self) -> Path:
        return self.root / "papermill_runs" / "2025Q4"

    def write_notebook(self, name: str, *cells: str, last: str | None = None) -> Path:
        """A notebook: parameters, the study, the cells given, and the record."""
        code = nbformat.v4.new_code_cell
        given = nbformat.v4.new_notebook(
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        )
        declared = code(PARAMETERS, metadata={"tags": ["parameters"]})
        sources = [OPENING, STUDY, *cells, recording() if last is None else last]
        given.cells = [nbformat.v4.new_markdown_cell(f"# {name[:2]} 笔记 / {name[3:]}"), declared, *map(code, sources)]
        path = self.root / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(given, path)
        return path

    def write_plan(self, text: str) -> Path:
        path = self.root / "papermill_runs" / "quarterly.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def write_workers(self, **changes) -> None:
        folder = self.root / "data" / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        workers = pd.DataFrame([WORKER | changes, WORKER | changes | {"worker_id": "w2", "district": "320612"}])
        workers.to_parquet(folder / "workers.parquet")
        self.write_reporting()

    def write_reporting(self, late: Iterable[tuple[str, str]] = ()) -> None:
        """Who has reported: everybody but the (district, quarter) given."""
        quarters = [(area, quarter) for area in AREAS[1:] for quarter in ("2025Q3", "2025Q4")]
        rows = [(*one, one not in set(late)) for one in quarters]
        frame = pd.DataFrame(rows, columns=["district", "quarter", "reported"])
        frame.to_parquet(self.root / "data" / "demo" / "reporting.parquet")

    def place(self, notebook: str, area: str = "320613", quarter: str = "2025Q4") -> Path:
        return self.root / "papermill_runs" / quarter / notebook / area

    def snapshot(self) -> dict[str, bytes]:
        """Every file of the runs with its content, to show that nothing changed."""
        folder = self.root / "papermill_runs"
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    # Whoever edits the library while its tests run must not turn every forked kernel into a cold one.
    monkeypatch.setattr(kernels, "library_changed", lambda: False)
    yield Project.in_folder(tmp_path)
    shutil.rmtree(tmp_path / "papermill_runs", ignore_errors=True)
