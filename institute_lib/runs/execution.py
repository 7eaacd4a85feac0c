"""The run itself: check everything, then work through the graph of jobs, longest first, and say what came of it."""

import logging
import time
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from institute_lib import kernels, paths
from institute_lib.runs import checks, index, places
from institute_lib.runs.fingerprints import fingerprint, job_inputs, job_parameters
from institute_lib.runs.jobs import Failure, Outcome, Task, failed
from institute_lib.runs.plan import Job, Plan, load_plan, with_language
from institute_lib.runs.progress import Event, Reporter, reporter
from institute_lib.runs.summary import RunSummary
from institute_lib.runs.workers import Workers, enough_memory, open_workers

logger = logging.getLogger(__name__)
ATTEMPTS = 3  # a kernel or worker that died is tried twice more; a notebook's own error never
BYTES_PER_JOB = 8_000_000
FREE_MARGIN = 20_000_000


def run(
    plan: Plan | Path | str | None = None,
    *,
    quarter: str,
    areas: Iterable[str] | None = None,
    notebooks: Iterable[str] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    force: bool = False,
    language: str | None = None,
    progress: str | Reporter = "auto",
    warm: bool = True,
    single: bool | None = None,
) -> RunSummary:
    """Run a quarter's plan: every notebook for every area, each in its own kernel, and an index page of the briefs.

    A job whose notebook, parameters, code, tables and read results are unchanged is not run again. A job that fails
    keeps the last good brief, and the others go on.

    Args:
        plan: a plan or its file; None for `papermill_runs/quarterly.toml`.
        quarter: such as "2025Q4"; the data must cover it.
        areas, notebooks: only these of the plan; None for all.
        workers: jobs at once; None for as many as processors and memory allow.
        scheduler: address of a Dask scheduler (`tcp://…`) that does the work instead of this computer.
        force: run unchanged jobs too.
        language: "zh" or "en"; None for the plan's.
        progress: "auto", "bar", "lines", "json", "none", or something that takes an `Event`.
        warm: fork kernels where possible.
        single: each brief is one file that may be sent alone (5 MB); None for the plan's choice.

    Raises:
        ParameterError: unknown quarter, area, notebook or parameter; nothing was started or written.
        DataError: a table breaks its contract, with every fault; nothing was started or written.
        RunError: the quarter is being run already, the disk is too full, or the cluster does not answer.
    """
    plan = with_language(load_plan(plan), language)
    plan = plan if single is None else replace(plan, single=single)
    checks.check_quarter(quarter)
    checks.check_workers(workers)
    jobs = plan.select(areas, notebooks)
    checks.check_notebooks(plan, jobs, quarter=quarter)
    checks.check_tables(plan.tables, quarter=quarter)
    folder = places.run_folder(quarter, plan.language)
    started, begun = places.now(), time.perf_counter()
    run_id = f"{started[:19].replace(':', '')}-{uuid.uuid4().hex[:6]}"
    if warm and kernels.library_changed():
        logger.warning("kernels start cold: a module of institute_lib was edited after this process began")
        warm = False
    with places.locked(folder):
        places.sweep(folder)
        places.check_free_space(folder, FREE_MARGIN + BYTES_PER_JOB * len(jobs))
        work = Work(plan, jobs, quarter, folder, run_id, force, warm, reporter(progress))
        outcomes = work.through(workers=workers, scheduler=scheduler)
        summary = RunSummary(quarter, plan.language, run_id, started, folder, outcomes, time.perf_counter() - begun)
        places.write_json(folder / "summary.json", summary.to_dict())
        index.write(plan, quarter=quarter, folder=folder, run=summary.to_dict())
    return summary


@dataclass
class Work:
    """The state of one run while it works through its jobs."""

    plan: Plan
    jobs: tuple[Job, ...]
    quarter: str
    folder: Path
    run_id: str
    force: bool
    warm: bool
    report: Reporter
    outcomes: dict[Job, Outcome] = field(default_factory=dict)
    running: dict[Future, Task] = field(default_factory=dict)
    attempts: dict[Job, int] = field(default_factory=dict)
    workers: Workers | None = None
    begun: float = field(default_factory=time.perf_counter)

    def through(self, *, workers: int | None, scheduler: str | None) -> tuple[Outcome, ...]:
        """All jobs, each as soon as what it reads has ended; kernels start only if a job is not current."""
        self.tell("begin")
        durations = self._last_seconds()
        waiting = sorted(self.jobs, key=lambda job: -durations[job])
        try:
            while waiting or self.running:
                waiting = self._start_ready(waiting, workers, scheduler)
                self._collect()
        finally:
            if self.workers:
                self.workers.close()
        self.tell("end")
        return tuple(self.outcomes[job] for job in self.jobs)

    def _start_ready(self, waiting: list[Job], workers: int | None, scheduler: str | None) -> list[Job]:
        left = []
        for job in waiting:
            open_before = [read for read in self.plan.reads(job) if read in self.jobs and read not in self.outcomes]
            full = self.workers is not None and len(self.running) >= self.workers.slots
            short = bool(self.running) and not scheduler and not enough_memory()
            if open_before or full or short:
                left.append(job)
                continue
            task = self._task(job)
            if not self.force and self._is_current(job, task):
                self._end(Outcome(job, "current"), "current")
                continue
            if self.workers is None:
                self.workers = open_workers(workers=workers, scheduler=scheduler)
            self._submit(task)
        return left

    def _task(self, job: Job) -> Task:
        notebook = self.plan.notebook(job.notebook)
        inputs = job_inputs(self.plan, job, quarter=self.quarter, folder=self.folder)
        return Task(
            job=job,
            notebook=notebook.path,
            place=self.folder / job.notebook / job.area,
            root=paths.root().resolve(),
            plan_path=self.plan.path,
            quarter=self.quarter,
            language=self.plan.language,
            parameters=job_parameters(self.plan, job, quarter=self.quarter),
            inputs=inputs,
            fingerprint=fingerprint(inputs),
            run_id=self.run_id,
            cell_seconds=notebook.cell_seconds,
            notebook_seconds=notebook.notebook_seconds,
            warm=self.warm,
            single=self.plan.single,
        )

    def _is_current(self, job: Job, task: Task) -> bool:
        if (task.place / places.FAILURE).is_file():
            return False
        manifest = places.intact_manifest(task.place)
        return bool(manifest) and manifest.get("fingerprint") == task.fingerprint

    def _submit(self, task: Task) -> None:
        self.attempts[task.job] = self.attempts.get(task.job, 0) + 1
        try:
            future = self.workers.submit(task)
        except BrokenExecutor:  # a worker died since the last look; its jobs come back through `_collect`
            self.workers.renew()
            future = self.workers.submit(task)
        self.running[future] = task
        self.tell("start", task.job)

    def _collect(self) -> None:
        """Take in the jobs that ended; a lost worker or kernel is tried again, a notebook's own error is not."""
        ended, _ = wait(self.running, timeout=1.0, return_when=FIRST_COMPLETED)
        lost = []
        for future in ended:
            task = self.running.pop(future)
            outcome = _outcome(future, task)
            if outcome.failure and outcome.failure.kind == "WorkerLost":
                lost.append(task)
            elif outcome.failure and outcome.failure.transient and self.attempts[task.job] < ATTEMPTS:
                self.tell("retry", task.job, outcome.failure.kind)
                self._submit(task)
            else:
                self._end(replace(outcome, attempts=self.attempts[task.job]), outcome.state)
        if lost:
            self.workers.renew()
        for task in lost:
            if self.attempts[task.job] < ATTEMPTS:
                self.tell("lost", task.job, "WorkerLost")
                self._submit(task)
            else:
                self._end(failed(task, Failure("WorkerLost", "worker"), attempts=ATTEMPTS), "failed")

    def _end(self, outcome: Outcome, what: str) -> None:
        self.outcomes[outcome.job] = outcome
        failure = outcome.failure
        where = f" in cell [{failure.cell}]" if failure and failure.cell else ""
        self.tell(what, outcome.job, f"{failure.kind}{where}" if failure else "")

    def _last_seconds(self) -> Mapping[Job, float]:
        """How long each job took the last time; for a new one, what its notebook usually takes."""
        known = {}
        for job in self.jobs:
            manifest = places.read_json(self.folder / job.notebook / job.area / places.MANIFEST) or {}
            if isinstance(manifest.get("seconds"), int | float):
                known[job] = float(manifest["seconds"])
        usual = {
            name: median([seconds for job, seconds in known.items() if job.notebook == name] or [0.0])
            for name in {job.notebook for job in self.jobs}
        }
        return {job: known.get(job, usual[job.notebook]) for job in self.jobs}

    def tell(self, what: str, job: Job | None = None, detail: str = "") -> None:
        ended, total = len(self.outcomes), len(self.jobs)
        worked = sum(outcome.state != "current" for outcome in self.outcomes.values())
        seconds = time.perf_counter() - self.begun
        left = seconds / worked * (total - ended) if worked else None
        failed = sum(outcome.state == "failed" for outcome in self.outcomes.values())
        name = str(job) if job else ""
        self.report(Event(what, name, detail, ended, len(self.running), failed, total, seconds, left))


def _outcome(future: Future, task: Task) -> Outcome:
    try:
        return future.result()
    except (BrokenExecutor, CancelledError, OSError):
        return Outcome(task.job, "failed", failure=Failure("WorkerLost", "worker", transient=True))
    except Exception as error:
        if type(error).__module__.split(".")[0] == "distributed":  # KilledWorker and its kin
            return Outcome(task.job, "failed", failure=Failure("WorkerLost", "worker", transient=True))
        raise
