"""What is current, stale, failed or missing in a quarter, and why."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from institute_lib import areas as divisions
from institute_lib import parameters, paths, tables
from institute_lib.errors import DataError
from institute_lib.runs import contents, places
from institute_lib.runs.fingerprints import changed, job_inputs
from institute_lib.runs.plan import Job, Plan, load_plan, with_language


@dataclass(frozen=True)
class JobStatus:
    """The state of one job.

    Attributes:
        state: "current", "stale" (its inputs changed), "failed" or "missing".
        why: what changed, or the kind of error and its cell.
        made: when the brief that is there was made.
    """

    job: Job
    state: str
    why: str = ""
    made: str | None = None


def status(
    plan: Plan | Path | str | None = None,
    *,
    quarter: str,
    areas: Iterable[str] | None = None,
    notebooks: Iterable[str] | None = None,
    language: str | None = None,
) -> tuple[JobStatus, ...]:
    """The state of every job of a quarter; nothing is run or written.

    Raises:
        ParameterError: unknown quarter, area or notebook.
    """
    plan = with_language(load_plan(plan), language)
    _check_quarter(quarter)
    folder = paths.run_folder(quarter, plan.language)
    return tuple(job_status(plan, job, quarter=quarter, folder=folder) for job in plan.select(areas, notebooks))


def _check_quarter(quarter: str) -> None:
    try:
        covered = tables.covered_quarters()
    except DataError:  # no register yet: any quarter is one in which nothing was run
        covered = None
    parameters.check_quarter(quarter, covered)


def job_status(plan: Plan, job: Job, *, quarter: str, folder: Path) -> JobStatus:
    """The state of one job in a quarter's folder."""
    place = folder / job.notebook / job.area
    failure, manifest = places.read_json(place / places.FAILURE), places.intact_manifest(place)
    made = manifest.get("finished") if manifest else None
    if failure:
        cell = f" in cell [{failure['cell']}]" if failure.get("cell") else ""
        return JobStatus(job, "failed", f"{failure.get('kind')}{cell}", made)
    if not manifest:
        return JobStatus(job, "missing")
    if not plan.notebook(job.notebook).path.is_file():
        return JobStatus(job, "stale", "notebook", made)
    before = manifest.get("inputs") or {}
    inputs = job_inputs(plan, job, quarter=quarter, folder=folder, reads=before.get("reads", ()))
    differences = changed(before, inputs)
    return JobStatus(job, "stale" if differences else "current", "; ".join(differences), made)


@dataclass(frozen=True)
class Unfinished:
    """A run that has not come to its end.

    Attributes:
        state: "running" (`holder` says where) or "interrupted".
        started: when it began.
    """

    state: str
    started: str
    holder: str = ""


def last_run(quarter: str, language: str = "zh") -> Unfinished | None:
    """A quarter's last run, if it is still going on or ended before its jobs did; None if it finished."""
    folder = paths.run_folder(quarter, language)
    summary = places.read_json(folder / places.SUMMARY) or {}
    if holder := places.holder(folder):
        return Unfinished("running", summary.get("started", ""), holder)
    if summary.get("state", "finished") == "finished":
        return None
    return Unfinished("interrupted", summary.get("started", ""))


def not_reported(plan: Plan, *, quarter: str) -> tuple[str, ...]:
    """The districts of the plan that have not reported for a quarter (codes), as known on its last day."""
    districts = [code for code in plan.areas if divisions.get(code).level == "district"]
    as_of = pd.Period(quarter, freq="Q").end_time.date().isoformat()
    try:
        return contents.late(quarter, districts, as_of)
    except DataError:  # no table of workers: the states say for themselves that nothing ran
        return ()
