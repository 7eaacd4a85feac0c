"""One job, in a process of its own: execute, check, export, commit. A failure is an outcome, never an exception."""

import errno
import json
import logging
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from institute_lib.runs import contents, places
from institute_lib.runs.exchange import JOB_VARIABLE, RESULTS_VARIABLE, headline_text
from institute_lib.runs.fingerprints import fingerprint, library_of, provenance, versions
from institute_lib.runs.plan import PLAN_VARIABLE
from institute_lib.runs.tasks import Failure, JobError, Outcome, Task
from institute_lib.sharing import READS_VARIABLE, SHARED_VARIABLE, noted

if TYPE_CHECKING:
    from institute_lib.kernels import PrivateKernelManager

logger = logging.getLogger(__name__)
START_SECONDS = 60
_ONE_AT_A_TIME = threading.Lock()  # papermill changes things of its whole process: one job a process


def run_job(task: Task) -> Outcome:
    """Do one job in a private folder beside its place, and put the files in place only if all of it is sound."""
    with _ONE_AT_A_TIME:
        started, private = time.perf_counter(), None
        os.environ["INSTITUTE_HOME"] = str(task.root)  # a worker may have been made for another project folder
        try:
            check_worker(task)
            task.place.mkdir(parents=True, exist_ok=True)
            private = Path(tempfile.mkdtemp(prefix=places.PRIVATE, dir=task.place.parent))
            done = _outcome_of(task, private, started)
        except JobError as error:
            failure = error.failure
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            failure = Failure("DiskFull" if full else type(error).__name__, "write", transient=not full)
        except Exception as error:  # whatever else goes wrong fails this job alone, and is named
            logger.exception("%s", task.job)
            failure = Failure(type(error).__name__, "run")
        else:
            return done
        finally:
            if private and private.is_dir():
                _keep_failed(private, task.place)
                shutil.rmtree(private, ignore_errors=True)
        return failed(task, failure, time.perf_counter() - started)


def _outcome_of(task: Task, private: Path, started: float) -> Outcome:
    begun = time.time()
    cell_seconds, kernel = execute(task, private)
    result = accept(task, private)
    inputs = {**task.inputs, "reads": contents.hashed(noted(private / places.READS), since=begun)}
    export(task, private, inputs)
    measured = {
        "seconds": time.perf_counter() - started,
        "cell_seconds": cell_seconds,
        "warm": kernel.was_forked,
        "memory_bytes": kernel.memory_bytes,
    }
    places.commit(private, task.place, _manifest(task, result, inputs=inputs, **measured))
    return Outcome(task.job, "done", **measured)


def check_worker(task: Task) -> None:
    """
    Raises:
        JobError: this worker has other versions than the computer that planned the job, or as another computer other
            code, so that the manifest would lie.
    """
    differing = sorted(name for name, number in versions().items() if task.inputs["versions"].get(name) != number)
    if task.host not in ("", socket.gethostname()) and library_of(task.notebook) != task.inputs["library"]:
        differing.append("institute_lib")
    if differing:
        logger.error("%s: this worker has other versions of %s", task.job, ", ".join(differing))
        raise JobError(Failure("OtherVersions", "worker"))


def execute(task: Task, private: Path) -> tuple[float, "PrivateKernelManager"]:
    """papermill executes the notebook within its time limits.

    Returns:
        Seconds that its cells took, and the manager of its kernel, which has ended.

    Raises:
        JobError: a cell raised, the kernel died, or a limit was passed.
    """
    import nbclient.exceptions
    import papermill

    from institute_lib import kernels
    from institute_lib.runs import engine

    output = private / places.EXECUTED
    manager = kernels.manager_class(env=_environment(task, private), cwd=str(private), warm=task.warm)
    deadline = threading.Timer(task.notebook_seconds, lambda: [kernel.end_now() for kernel in manager.running])
    deadline.daemon = True
    deadline.start()
    started = time.perf_counter()
    failure = None
    try:
        executed = papermill.execute_notebook(
            task.notebook,
            output,
            parameters=dict(task.parameters),
            engine_name=engine.NAME,
            kernel_name="python3",
            progress_bar=False,
            start_timeout=START_SECONDS,
            execution_timeout=task.cell_seconds,
            kernel_manager_class=manager,
        )
    except papermill.PapermillExecutionError as error:
        failure = Failure(error.ename, "notebook", error.exec_count, _cell_id(output, error.exec_count))
    except nbclient.exceptions.CellTimeoutError:
        failure = _unfinished(output, "CellTimeout", transient=False)
    except (nbclient.exceptions.DeadKernelError, RuntimeError):
        late = time.perf_counter() - started >= task.notebook_seconds
        failure = _unfinished(output, "NotebookTimeout" if late else "KernelDied", transient=not late)
    finally:
        deadline.cancel()
    if failure:
        raise JobError(failure) from None
    seconds = sum(cell.metadata.get("papermill", {}).get("duration") or 0 for cell in executed.cells)
    return seconds, manager.running[-1]


def _environment(task: Task, private: Path) -> dict[str, str]:
    environment = {
        "INSTITUTE_HOME": str(task.root),
        "PLOTLY_RENDERER": "plotly_mimetype",
        JOB_VARIABLE: str(private),
        RESULTS_VARIABLE: json.dumps([[read.notebook, read.area] for read in task.results]),
        READS_VARIABLE: str(private / places.READS),
    }
    optional = {PLAN_VARIABLE: task.plan_path, SHARED_VARIABLE: task.shared}
    return environment | {name: str(value) for name, value in optional.items() if value}


def accept(task: Task, private: Path) -> dict[str, Any]:
    """The job's result, if every code cell ran, none shows an error, and the last one left the result.

    papermill's own metadata are not asked: after a killed kernel they say that every cell completed.

    Raises:
        JobError: naming the first cell that did not run, or the missing result.
    """
    import nbformat

    cells = nbformat.read(private / places.EXECUTED, as_version=4).cells
    for cell in cells:
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if any(output.output_type == "error" for output in cell.outputs):
            kind = next(output.ename for output in cell.outputs if output.output_type == "error")
            raise JobError(Failure(kind, "notebook", cell.execution_count, cell.get("id")))
        if cell.execution_count is None:
            raise JobError(Failure("CellNotRun", "notebook", None, cell.get("id")))
    result = places.read_json(private / places.RESULT)
    if result is None:
        raise JobError(Failure("NoResult", "result"))
    expected = {"notebook": task.job.notebook, "area": task.job.area, "quarter": task.quarter}
    if any(result.get(name) != value for name, value in expected.items()):
        raise JobError(Failure("WrongResult", "result"))
    return result


def export(task: Task, private: Path, inputs: Mapping[str, Any]) -> None:
    """The brief of the executed notebook, and beside the quarter's briefs the plotly library that they share.

    Raises:
        JobError: it could not be written; the kind names the error.
    """
    from institute_lib import brief

    try:
        shared = None if task.single else brief.write_plotly(task.place.parents[1]).name
        brief.export(
            private / places.EXECUTED,
            private / places.BRIEF,
            language=task.language,
            provenance=provenance(inputs, task.language),
            shared=shared and f"../../{shared}",
        )
    except OSError:
        raise
    except Exception as error:  # whatever fails here fails this job alone, and is named
        logger.exception("brief of %s", task.job)
        raise JobError(Failure(type(error).__name__, "brief")) from None


def _manifest(task: Task, result: Mapping[str, Any], *, inputs: Mapping[str, Any], **measured: Any) -> dict[str, Any]:
    return {
        "notebook": task.job.notebook,
        "area": task.job.area,
        "quarter": task.quarter,
        "language": task.language,
        "run": task.run_id,
        "finished": places.now(),
        "fingerprint": fingerprint(inputs),
        "inputs": inputs,
        "demo": bool(result["demo"]),
        "partial": bool(result["partial"]),
        "headline": {**result["headline"], "text": headline_text(result, task.language)},
        **measured,
    }


def _unfinished(output: Path, kind: str, *, transient: bool) -> Failure:
    """The last cell that began: the one in which the kernel died or the time ran out."""
    ran = [cell for cell in _code_cells(output) if cell.source.strip()]
    begun = [number for number, cell in enumerate(ran, start=1) if cell.metadata.get("papermill", {}).get("start_time")]
    if not begun:
        return Failure(kind, "notebook", transient=transient)
    return Failure(kind, "notebook", begun[-1], ran[begun[-1] - 1].get("id"), transient)


def _cell_id(output: Path, count: int | None) -> str | None:
    return next((cell.get("id") for cell in _code_cells(output) if cell.execution_count == count), None)


def _code_cells(output: Path) -> list[Any]:
    import nbformat

    if not output.is_file():
        return []
    return [cell for cell in nbformat.read(output, as_version=4).cells if cell.cell_type == "code"]


def _keep_failed(private: Path, place: Path) -> None:
    """Leave the executed notebook for whoever mends the failure; it is internal, like every executed notebook."""
    executed = private / places.EXECUTED
    if executed.is_file():
        executed.replace(place / places.FAILED)


def failed(task: Task, failure: Failure, seconds: float = 0.0, attempts: int = 1) -> Outcome:
    """Record the failure beside the last good brief, which stays."""
    kept = places.intact_manifest(task.place)
    try:
        note_failure(task.place, failure, run_id=task.run_id)
    except OSError as error:  # the disk is full: the run notes it when it has given its reserve back
        logger.warning("%s: its failure could not be written: %s", task.job, os.strerror(error.errno or 0))
    made = {"kept": kept["finished"], "kept_run": kept["run"]} if kept else {}
    return Outcome(task.job, "failed", seconds, failure=failure, attempts=attempts, **made)


def note_failure(place: Path, failure: Failure, *, run_id: str) -> None:
    """Say beside a job's place that, and in which run, it failed."""
    place.mkdir(parents=True, exist_ok=True)
    places.write_json(place / places.FAILURE, {"run": run_id, "finished": places.now(), **asdict(failure)})
