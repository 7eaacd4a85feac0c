"""The quarter's own plan, city and seven districts × six notebooks, beside the `papermill` command job by job."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat

from institute_lib import demo, paths
from institute_lib.runs import load_plan, places
from tests.bench.lines import Bound, Line
from tests.bench.notebooks import QUARTER, command, started
from tests.bench.timing import steps

PROJECT = paths.PACKAGE.parent


def measure(*, large: bool) -> list[Line | Bound]:
    """From nothing with as many workers as processors, again unchanged, again by force with one; then the peer.

    The peer runs the city's jobs and one district's, which stands for all of them; with `large` every job.

    Nothing is there before the first run but the notebooks, the plan and the demo registers. The peer comes after, in
    the same folder: it finds the cached boundaries, and the results that the overview reads.
    """
    with project() as folder:
        first, ours = timed_run(folder)
        again, _ = timed_run(folder)
        together = results(folder)
        alone, serial = timed_run(folder, "--force", "--workers", "1")
        differing = [place for place, content in results(folder).items() if together[place] != content]
        peer, peer_cells = job_by_job(folder, every=large)
    jobs, cells = len(ours["jobs"]), cell_seconds(ours)
    ran = "" if large else "; the peer ran the city and one district, which stands for all"
    note = f"cells' own time {cells:.0f} s, one at a time {cell_seconds(serial):.0f} s, in the peer {peer_cells:.0f} s"
    note += ran
    overhead, peer_overhead = (alone - cell_seconds(serial)) / jobs, (peer - peer_cells) / jobs
    plan = f"the quarter's plan, {jobs} jobs"
    return [
        Line(plan, first, "papermill command, one by one", peer, note),
        Line("  one worker", alone, "papermill command, one by one", peer),
        Bound(f"{plan}: ratio", peer / first, 5, "×", note, least=True),
        Bound("  overhead a notebook", overhead, 1, "s", f"one worker; the papermill command: {peer_overhead:.1f} s"),
        Bound("  unchanged second run", again, 2, "s"),
        Bound("  … of the first", 100 * again / first, 2, "%", f"the first took {first:.1f} s"),
        Bound("  results that two workers and one do not share", len(differing), 0, f"of {jobs}"),
    ]


def timed_run(folder: Path, *options: str) -> tuple[float, dict]:
    """Seconds of `institute run` as one types it, and its summary."""
    begun = time.perf_counter()
    started(folder, "institute_lib", "run", QUARTER, *options)
    seconds = time.perf_counter() - begun
    return seconds, json.loads((folder / "papermill_runs" / QUARTER / places.SUMMARY).read_text(encoding="utf-8"))


def cell_seconds(summary: dict) -> float:
    return sum(job["cell_seconds"] for job in summary["jobs"])


def results(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob(places.RESULT)}


def job_by_job(folder: Path, *, every: bool) -> tuple[float, float]:
    """Seconds of the papermill command for each job of the plan in turn, and of the cells within them."""
    plan = load_plan(folder / "papermill_runs" / "quarterly.toml")
    jobs, districts = plan.jobs(), plan.areas[1:]
    asked = jobs if every else [job for job in jobs if job.area not in districts[1:]]
    total = cells = 0.0
    for job in steps(asked, "papermill, job by job"):
        stands_for = 1 if every or job.area not in districts else sum(one.notebook == job.notebook for one in jobs) - 1
        begun = time.perf_counter()
        source = folder / "notebooks" / f"{job.notebook}.ipynb"
        executed = command(folder, source, area=job.area, quarter=QUARTER, language=plan.language)
        total += stands_for * (time.perf_counter() - begun)
        cells += stands_for * executed_seconds(executed)
    return total, cells


def executed_seconds(executed: Path) -> float:
    """What its cells took, as papermill noted it."""
    found = nbformat.read(executed, as_version=4).cells
    return sum(cell.metadata.get("papermill", {}).get("duration") or 0 for cell in found)


@contextmanager
def project() -> Iterator[Path]:
    """A project folder with the real notebooks, plan and demo registers, and nothing derived from them."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        shutil.copytree(PROJECT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
        (folder / "papermill_runs").mkdir()
        shutil.copy(PROJECT / "papermill_runs" / "quarterly.toml", folder / "papermill_runs")
        demo.write(folder / "data" / "demo")
        yield folder
