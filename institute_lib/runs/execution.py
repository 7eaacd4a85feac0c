"""The run itself: check everything, then work through the graph of jobs, longest first, and say what came of it."""

import logging
import socket
import time
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

from institute_lib import kernels, paths, terms
from institute_lib.errors import InstituteError, RunError
from institute_lib.runs import checks, index, places
from institute_lib.runs.estimates import Estimates, free_memory
from institute_lib.runs.fingerprints import job_inputs, job_parameters
from institute_lib.runs.jobs import failed, note_failure, run_job
from institute_lib.runs.plan import Job, Plan, extended, load_plan, with_language
from institute_lib.runs.progress import Event, Reporter, logged, reporter
from institute_lib.runs.states import ABSENT_STATES, job_status
from institute_lib.runs.summary import RunSummary, provenance
from institute_lib.runs.tasks import Failure, Outcome, Task
from institute_lib.runs.workers import ClusterExecutor, LocalExecutor, open_executor

logger = logging.getLogger(__name__)
ATTEMPTS = 3  # a kernel or worker that died is tried twice more; a notebook's own error never
BYTES_PER_JOB = 8_000_000
FREE_MARGIN = 20_000_000
SUMMARY_SECONDS = 1.0  # how often the summary on disk follows the run


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
    wrong = checks.check_notebooks(plan, jobs, quarter=quarter)
    checks.check_tables(plan.tables, quarter=quarter)
    folder = paths.run_folder(quarter, plan.language)
    if warm and kernels.library_changed():
        logger.warning("kernels start cold: a module of institute_lib was edited after this process began")
        warm = False
    run_id = f"{places.now()[:19].replace(':', '')}-{uuid.uuid4().hex[:6]}"
    with places.locked(folder, run_id):
        places.sweep(folder)
        places.check_free_space(folder, FREE_MARGIN + BYTES_PER_JOB * len(jobs))
        with (
            places.shared_folder(folder) as shared,
            places.reserve(folder) as give_back,
            logged(folder / places.LOGS / f"{run_id}.log", reporter(progress)) as report,
        ):
            work = Work(plan, jobs, quarter, folder, force, warm, shared, report, run_id, wrong)
            try:
                work.through(workers=workers, scheduler=scheduler)
            finally:  # when it is interrupted too, the summary and the index say what was done until then
                give_back()
                summary = work.finish()
    return summary


@dataclass
class Work:
    """The state of one run while it works through its jobs."""

    plan: Plan
    jobs: tuple[Job, ...]
    quarter: str
    folder: Path
    force: bool
    warm: bool
    shared: Path | None
    report: Reporter
    run_id: str
    wrong: Mapping[str, InstituteError] = field(default_factory=dict)  # notebooks that cannot run, and why
    started: str = field(default_factory=places.now)
    begun: float = field(default_factory=time.perf_counter)
    outcomes: dict[Job, Outcome] = field(default_factory=dict)
    waiting: list[Job] = field(default_factory=list)
    running: dict[Future, Task] = field(default_factory=dict)
    attempts: dict[Job, int] = field(default_factory=dict)
    workers: LocalExecutor | ClusterExecutor | None = None
    written: float = 0.0

    def __post_init__(self) -> None:
        self.provenance = provenance(self.plan, self.quarter)
        self.estimates = Estimates.from_last_run(self.jobs, self.folder)

    def through(self, *, workers: int | None, scheduler: str | None) -> None:
        """All jobs, each as soon as what it reads has ended; kernels start only if a job is not current."""
        self.write_summary("running")
        self.tell("begin")
        self.waiting = sorted(self.jobs, key=lambda job: -self.estimates.seconds[job])
        ended = False
        try:
            while self.waiting or self.running:
                self._start_ready(workers, scheduler)
                self._collect()
            ended = True
        finally:
            if self.workers:
                self.workers.shutdown(wait=ended, cancel_futures=True)
        self.tell("end")

    def _start_ready(self, workers: int | None, scheduler: str | None) -> None:
        for job in tuple(self.waiting):
            if self._must_wait(job):
                continue
            self.waiting.remove(job)
            if job.notebook in self.wrong:
                said = self.wrong[job.notebook].say(self.plan.language)
                failure = Failure(type(self.wrong[job.notebook]).__name__, "parameters", sentence=said)
                note_failure(self._place(job), failure, run_id=self.run_id)
                self._end(Outcome(job, "failed", failure=failure), "failed")
                continue
            task = self._task(job)
            if isinstance(task, Outcome):
                self._end(task, task.state)
                continue
            if self.workers is None:
                self.workers = open_executor(workers=workers, scheduler=scheduler)
                self.memory = free_memory()
            self._submit(task)

    def _place(self, job: Job) -> Path:
        return self.folder / job.notebook / job.area

    def _must_wait(self, job: Job) -> bool:
        """For what it reads, for a free worker, for memory; the last try of a job that was killed has all to itself."""
        if any(read in self.jobs and read not in self.outcomes for read in self.plan.reads(job)):
            return True
        if self.workers is None or not self.running:
            return False
        last_try = ATTEMPTS - 1
        alone = [task.job for task in self.running.values() if self.attempts[task.job] > last_try]
        if alone or self.attempts.get(job, 0) == last_try or len(self.running) >= self.workers.slots:
            return True
        return self.workers.local and not self._fits(job)

    def _fits(self, job: Job) -> bool:
        expected = self.estimates.memory[job]
        taken = sum(self.estimates.memory[task.job] for task in self.running.values())
        return taken + expected <= self.memory and expected <= free_memory()

    def _task(self, job: Job) -> Task | Outcome:
        """What a worker needs for a job; its outcome, if nothing has changed since it last ended."""
        status = job_status(self.plan, job, quarter=self.quarter, folder=self.folder)
        if not self.force and status.state in ("current", *ABSENT_STATES):
            return Outcome(job, status.state, failure=status.failure)
        place = self._place(job)
        inputs = job_inputs(self.plan, job, quarter=self.quarter, folder=self.folder)
        notebook = self.plan.notebook(job.notebook)
        return Task(
            job=job,
            notebook=notebook.path,
            place=place,
            root=paths.root().resolve(),
            plan_path=self.plan.path,
            quarter=self.quarter,
            language=self.plan.language,
            parameters=job_parameters(self.plan, job, quarter=self.quarter),
            inputs=inputs,
            run_id=self.run_id,
            cell_seconds=notebook.cell_seconds,
            notebook_seconds=notebook.notebook_seconds,
            results=self.plan.reads(job),
            shared=self.shared,
            warm=self.warm,
            single=self.plan.single,
            word=self.plan.word,
            host=socket.gethostname(),
        )

    def _submit(self, task: Task) -> None:
        self.attempts[task.job] = self.attempts.get(task.job, 0) + 1
        try:
            future = self.workers.submit(run_job, task)
        except BrokenExecutor:  # a worker died since the last look; its jobs come back through `_collect`
            self.workers.renew()
            future = self.workers.submit(run_job, task)
        self.running[future] = task
        self.tell("start", task.job)

    def _collect(self) -> None:
        """Take in the jobs that ended; a lost worker or kernel is tried again, a notebook's own error is not."""
        ended, _ = wait(self.running, timeout=1.0, return_when=FIRST_COMPLETED)
        if not ended and self.workers:
            self.workers.check()
        lost = False
        for future in ended:
            task = self.running.pop(future)
            outcome = _outcome(future, task)
            failure = outcome.failure
            lost = lost or bool(failure and failure.kind == "WorkerLost")
            if failure and failure.transient and self.attempts[task.job] < ATTEMPTS:
                self.waiting.insert(0, task.job)
                self.tell("retry", task.job, failure.kind)
            else:
                if failure and failure.kind == "WorkerLost":
                    outcome = failed(task, failure)
                self._end(replace(outcome, attempts=self.attempts[task.job]), outcome.state)
        if lost:
            self.workers.renew()

    def _end(self, outcome: Outcome, what: str) -> None:
        self.outcomes[outcome.job] = outcome
        self.tell(what, outcome.job, outcome.failure.say(self.plan.language) if outcome.failure else "")
        if what not in ("current", *ABSENT_STATES) and time.perf_counter() - self.written > SUMMARY_SECONDS:
            try:
                self.write_summary("running")
            except OSError as error:  # room is kept for the last one
                logger.warning("the summary could not be brought up to date: %s", error.strerror)

    def finish(self) -> RunSummary:
        """The last word of the run: the summary and the index page.

        Raises:
            RunError: they could not be written.
        """
        state = "finished" if len(self.outcomes) == len(self.jobs) else "interrupted"
        try:
            self._note_failures()
            summary = self.write_summary(state)
            places.write_json(self.folder / places.LOGS / f"{self.run_id}.json", summary.to_dict())
            index.write(
                extended(self.plan, self.folder), quarter=self.quarter, folder=self.folder, run=summary.to_dict()
            )
        except OSError as error:
            raise terms.error(RunError, "runs.error_summary", folder=self.folder, reason=error.strerror) from error
        return summary

    def _note_failures(self) -> None:
        """Those that could not be noted while the disk was full."""
        for job, outcome in self.outcomes.items():
            place = self._place(job)
            if outcome.failure and not (place / places.FAILURE).is_file():
                note_failure(place, outcome.failure, run_id=self.run_id)

    def write_summary(self, state: str) -> RunSummary:
        """Keep on disk what was done until now; a run that is killed leaves it `running`."""
        outcomes = tuple(self.outcomes[job] for job in self.jobs if job in self.outcomes)
        seconds = time.perf_counter() - self.begun
        made = (self.quarter, self.plan.language, self.run_id, self.started, self.folder, outcomes, seconds)
        summary = RunSummary(*made, state=state, total=len(self.jobs), provenance=self.provenance)
        places.write_json(self.folder / places.SUMMARY, summary.to_dict())
        self.written = time.perf_counter()
        return summary

    def tell(self, what: str, job: Job | None = None, detail: str = "") -> None:
        ended, total = len(self.outcomes), len(self.jobs)
        worked = sum(outcome.seconds > 0 for outcome in self.outcomes.values())
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
