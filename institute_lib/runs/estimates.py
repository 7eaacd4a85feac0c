"""What jobs will take, by the last run's measure, and how much memory there is for them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from institute_lib.runs import places
from institute_lib.runs.plan import Job

BYTES_PER_JOB = 600_000_000  # a worker and its kernel, before the first run has measured its jobs
MARGIN = 1.2  # a job may grow a little since it was last measured
WORKER_BYTES = 200_000_000  # the process beside the kernel, which exports the brief
GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Estimates:
    """Seconds and bytes that each job is expected to take.

    A job that has not run takes what its notebook usually does: the median of the others' seconds, the most of their
    bytes. Where nothing has run, no time and BYTES_PER_JOB.
    """

    seconds: Mapping[Job, float]
    memory: Mapping[Job, int]

    @classmethod
    def from_last_run(cls, jobs: Iterable[Job], folder: Path) -> "Estimates":
        """What the manifests say."""
        listed = tuple(jobs)
        manifests = {job: places.read_json(folder / job.notebook / job.area / places.MANIFEST) or {} for job in listed}
        seconds = _known(manifests, "seconds", usual=median)
        memory = _known(manifests, "memory_bytes", usual=max)
        expected = {job: WORKER_BYTES + int(MARGIN * memory[job]) if job in memory else BYTES_PER_JOB for job in listed}
        return cls({job: seconds.get(job, 0.0) for job in listed}, expected)


def _known(
    manifests: Mapping[Job, Mapping[str, Any]], name: str, *, usual: Callable[[list[float]], float]
) -> dict[Job, float]:
    found = {job: one[name] for job, one in manifests.items() if isinstance(one.get(name), int | float)}
    by_notebook: dict[str, list[float]] = {}
    for job, value in found.items():
        by_notebook.setdefault(job.notebook, []).append(value)
    usually = {notebook: usual(values) for notebook, values in by_notebook.items()}
    return {job: found.get(job, usually[job.notebook]) for job in manifests if job.notebook in usually}


def free_memory() -> int:
    """Bytes that may be taken without swapping, and without passing a container's limit."""
    limits = [room for folder in _group_folders() if (room := _room(folder)) is not None]
    return min([psutil.virtual_memory().available, *limits])


def _group_folders() -> Iterator[Path]:
    """The control groups that this process is in and those above them; of either version, or none."""
    lines = OWN_GROUPS.read_text(encoding="utf-8").splitlines() if OWN_GROUPS.is_file() else []
    for line in lines:
        _number, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        top = GROUPS / controllers
        own = top / path.lstrip("/")
        yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(top))


def _room(folder: Path) -> int | None:
    """Bytes below a group's limit, file cache that can be dropped not counted as used."""
    for limit, usage, cache in (
        ("memory.max", "memory.current", "inactive_file "),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "),
    ):
        files = [folder / limit, folder / usage, folder / "memory.stat"]
        if not all(file.is_file() for file in files):
            continue
        most, used, details = (file.read_text(encoding="ascii").strip() for file in files)
        if most == "max":
            return None
        droppable = [int(line.split()[1]) for line in details.splitlines() if line.startswith(cache)]
        return int(most) - int(used) + sum(droppable)
    return None
