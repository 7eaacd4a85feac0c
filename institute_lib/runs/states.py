"""What is current, stale, failed or missing in a quarter, and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import areas as divisions
from institute_lib import parameters, paths, tables, terms
from institute_lib.errors import DataError
from institute_lib.runs import contents, places
from institute_lib.runs.fingerprints import changed, job_inputs
from institute_lib.runs.plan import Job, Plan, load_plan, notebook_title, with_language
from institute_lib.runs.tasks import Failure

MOST_NAMED = 4


ABSENT_STATES = ("not_reported", "no_register")  # nothing to mend in the notebook, and no failure


@dataclass(frozen=True)
class JobStatus:
    """The state of one job.

    Attributes:
        state: "current", "stale" (its inputs changed), "failed", "missing" (not run yet), "not_reported" (its district
            has not reported) or "no_register" (a register that it asks for is not there).
        changes: of a stale job, what changed since: the kind of input, and the names of those that have names.
        districts: of a stale job, those whose rows or reports changed (codes), as far as it read them by district.
        failure: why it ended without a brief.
        made: when the brief that is there was made.
    """

    job: Job
    state: str
    changes: Mapping[str, list[str]] = field(default_factory=dict)
    failure: Failure | None = None
    made: str | None = None
    districts: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """What changed or went wrong, for programs: such as `tables: workers`."""
        parts = [f"{kind}: {', '.join(names)}" if names else kind for kind, names in self.changes.items()]
        return self.failure.kind if self.failure else "; ".join(parts)

    def say(self, language: str = "zh") -> str:
        """What changed or went wrong, for readers; empty for a job that is current or was not run yet."""
        if self.failure:
            kept = terms.text("cli.kept", language, made=self.made) if self.made else ""
            return f"{self.failure.say(language)}{kept}"
        comma = terms.text("runs.comma", language).join
        parts = []
        for kind, names in self.changes.items():
            words = terms.text(f"runs.input_{kind}", language)
            listed = comma(_named(kind, name, language) for name in names[:MOST_NAMED])
            more = "…" if len(names) > MOST_NAMED else ""
            parts.append(terms.text("runs.which", language, what=words, names=listed + more) if listed else words)
        named = terms.listed([divisions.get(code).name(language) for code in self.districts[:MOST_NAMED]], language)
        more = "…" if len(self.districts) > MOST_NAMED else ""
        of = terms.text("runs.stale_of", language, names=named + more) if named else ""
        return terms.text("runs.stale_why", language, names=of + comma(parts)) if parts else ""


def _named(kind: str, name: str, language: str) -> str:
    if kind in ("tables", "quarters"):
        return terms.label(name, language, column="table")
    if kind == "reports":
        return terms.quarter(name, language)
    if kind in ("results", "earlier"):
        *quarter, notebook, area = name.split("/")
        title = notebook_title(paths.notebooks() / f"{notebook}.ipynb", language)
        return " ".join([*quarter, divisions.get(area).name(language), title])
    return name


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
    noted, manifest = places.read_json(place / places.FAILURE), places.intact_manifest(place)
    made = manifest.get("finished") if manifest else None
    before = (noted or manifest or {}).get("inputs")
    if noted and not (noted.get("state") in ABSENT_STATES and before):
        return JobStatus(job, "failed", failure=failure_from(noted), made=made)
    if not noted and not manifest:
        return JobStatus(job, "missing")
    if not plan.notebook(job.notebook).path.is_file():
        return JobStatus(job, "stale", {"notebook": []}, made=made)
    inputs = job_inputs(plan, job, quarter=quarter, folder=folder, reads=before.get("reads", ()))
    if differences := changed(before, inputs):
        return JobStatus(job, "stale", differences, made=made, districts=contents.districts_changed(before, inputs))
    if noted:
        return JobStatus(job, noted["state"], failure=failure_from(noted), made=made)
    return JobStatus(job, "current", made=made)


def failure_from(noted: Mapping[str, Any]) -> Failure:
    """What a job's place says of its failure, whichever version wrote it."""
    known = {one.name for one in fields(Failure)}
    given = {name: value for name, value in noted.items() if name in known}
    return Failure(**{"kind": "", "stage": "", **given})


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
