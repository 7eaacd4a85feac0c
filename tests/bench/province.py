"""A province: 95 districts × 3 light notebooks, and the memory that the run and everything below it takes."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from threading import Thread

import psutil

from institute_lib import areas
from tests.bench.lines import Bound
from tests.bench.notebooks import QUARTER, project

JIANGSU, NOTEBOOKS = "320000", 3
SAMPLE_SECONDS = 0.5
WINDOW = 50  # jobs


def measure(*, large: bool) -> list[Bound]:
    """The most that the tree of processes took, and its growth from the 50th job on."""
    districts = tuple(district.code for district in areas.districts(JIANGSU))
    begun = time.perf_counter()
    with project(notebooks=NOTEBOOKS, areas=districts) as folder:
        samples = watched_run(folder)
    jobs, seconds = NOTEBOOKS * len(districts), time.perf_counter() - begun
    early = median(taken for ended, taken in samples if WINDOW <= ended < 2 * WINDOW)
    late = median(taken for ended, taken in samples if jobs - WINDOW <= ended < jobs)
    what = f"{len(districts)} districts × {NOTEBOOKS} light notebooks"
    note = f"{early / 1e9:.2f} GB about the 75th job, {late / 1e9:.2f} GB about the {jobs - WINDOW // 2}th"
    return [
        Bound(f"{what}: memory", max(taken for _, taken in samples) / 1e9, 4, "GB", f"{jobs} jobs in {seconds:.0f} s"),
        Bound("  its growth", 100 * (late / early - 1), 5, "%", note),
    ]


def watched_run(folder: Path) -> list[tuple[int, int]]:
    """Jobs that had ended and bytes that the tree held, every half second of a run."""
    ended = [0]
    run = subprocess.Popen(
        [sys.executable, "-m", "institute_lib", "run", QUARTER, "--log", "json"],
        cwd=folder,
        env=os.environ | {"INSTITUTE_HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )

    def follow() -> None:
        for line in run.stderr:
            with suppress(ValueError):  # a warning is no JSON
                ended[0] = json.loads(line)["ended"]

    Thread(target=follow, daemon=True).start()
    samples = []
    while run.poll() is None:
        samples.append((ended[0], tree_bytes(run.pid)))
        time.sleep(SAMPLE_SECONDS)
    if run.returncode:
        raise subprocess.CalledProcessError(run.returncode, run.args)
    return samples


def tree_bytes(pid: int) -> int:
    """Memory of a process and all below it, shared pages divided among those who share them."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                taken = process.memory_full_info()
                total += getattr(taken, "pss", taken.uss)
    return total
