"""One job, in a process of its own: execute, check, export, commit. A failure is an outcome, never an exception."""

import errno
import json
import logging
import os
import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from institute_lib import areas, terms
from institute_lib.errors import DataError, InstituteError
from institute_lib.result import Provenance
from institute_lib.runs import contents, places
from institute_lib.runs.exchange import AUDIENCE_VARIABLE, JOB_VARIABLE, RESULTS_VARIABLE, headline_text
from institute_lib.runs.fingerprints import fingerprint, library_hash, provenance, versions
from institute_lib.runs.plan import PLAN_VARIABLE
from institute_lib.runs.tasks import Failure, JobError, Outcome, Task
from institute_lib.sharing import READS_VARIABLE, SHARED_VARIABLE, noted, without_persons

if TYPE_CHECKING:
    from institute_lib.kernels import PrivateKernelManager

logger = logging.getLogger(__name__)
START_SECONDS = 60
LONGEST_SENTENCE = 300  # characters
HAN = re.compile(r"[\u3400-\u9fff]{2,}")
STUDY = re.compile(r"^[^#\n]*\b[Ss]tudy\(", re.MULTILINE)  # a notebook that makes a study must close it
_ONE_AT_A_TIME = threading.Lock()  # papermill changes things of its whole process: one job a process


def run_job(task: Task) -> Outcome:
    """Do one job in a private folder beside its place, and put the files in place only if all of it is sound."""
    with _ONE_AT_A_TIME:
        started, begun, private, absent_inputs = time.perf_counter(), time.time(), None, None
        os.environ["INSTITUTE_HOME"] = str(task.root)  # a worker may have been made for another project folder
        try:
            check_worker(task)
            private = places.new_private(task.place)
            return _outcome_of(task, private, started, begun)
        except JobError as error:
            failure, absent_inputs = _with_reason(error.failure, task, private, begun)
        except RunEnded:
            return Outcome(task.job, "failed", failure=Failure("RunEnded", "worker"))
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            failure = Failure("DiskFull" if full else type(error).__name__, "write", transient=not full)
        except Exception as error:  # whatever else goes wrong fails this job alone, and is named
            logger.exception("%s", task.job)
            failure = Failure(type(error).__name__, "run", sentence=sentence_of(str(error), task.language))
        finally:
            if private and private.is_dir():
                _keep_failed(private, task)
                shutil.rmtree(private, ignore_errors=True)
        return failed(task, failure, time.perf_counter() - started, inputs=absent_inputs)


def _outcome_of(task: Task, private: Path, started: float, begun: float) -> Outcome:
    cell_seconds, kernel = execute(task, private)
    result = accept(task, private)
    reads = noted(private / places.READS)
    inputs = {**task.inputs, "reads": contents.hashed(reads, since=begun)}
    if result is not None:
        read_from = Provenance(reads)
        result |= {"demo": result["demo"] or read_from.demo, "partial": result["partial"] or bool(read_from.absent)}
        export(task, private, inputs, demo=read_from.demo, own=without_persons(reads))
    measured = {
        "seconds": time.perf_counter() - started,
        "cell_seconds": cell_seconds,
        "warm": kernel.was_forked,
        "memory_bytes": kernel.memory_bytes,
    }
    manifest = _manifest(task, result, inputs=inputs, **measured)
    places.commit(private, task.place, manifest, check=lambda: check_run(task))
    return Outcome(task.job, "done", **measured)


class RunEnded(Exception):
    """The run that asked for this job has ended, so that nothing of it may be written any more."""


def check_run(task: Task) -> None:
    """
    Raises:
        RunEnded: the quarter's folder is held by another run, or by none.
    """
    holding = places.running(task.place.parents[1])
    if (holding or {}).get("run") != task.run_id:
        raise RunEnded


def _with_reason(
    failure: Failure, task: Task, private: Path | None, begun: float
) -> tuple[Failure, dict[str, Any] | None]:
    """Tell a notebook that has nothing to work on from one that is wrong, by what it read until it failed.

    Returns:
        The failure; and for the first kind the job's inputs, so that it runs again when one of them has changed.
    """
    if private is None or failure.kind not in ("DataError", "EstimationError"):
        return failure, None
    reads = contents.hashed(noted(private / places.READS), since=begun)
    lacking = [read["name"] for read in reads if read["kind"] == "tables" and read["hash"] == contents.ABSENT]
    if lacking:
        return replace(failure, state="no_register"), {**task.inputs, "reads": reads}
    districts = [one.code for one in areas.districts(task.job.area)] or [task.job.area]
    with suppress(DataError):
        if set(contents.late(task.quarter, districts, "")) == set(districts):
            return replace(failure, state="not_reported"), {**task.inputs, "reads": reads}
    return failure, None


def check_worker(task: Task) -> None:
    """
    Raises:
        JobError: this worker has other versions than the computer that planned the job, or as another computer other
            code, so that the manifest would lie.
    """
    differing = sorted(name for name, number in versions().items() if task.inputs["versions"].get(name) != number)
    if task.host not in ("", socket.gethostname()) and library_hash() != task.inputs["library"]:
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

    output, prepared = private / places.EXECUTED, private / places.PREPARED
    prepared.write_text(json.dumps(prepare(task.notebook)), encoding="utf-8")
    # As in JupyterLab: modules and files beside the notebook are found there.
    folder = str(task.notebook.parent)
    manager = kernels.manager_class(env=_environment(task, private), cwd=folder, warm=task.warm)
    deadline = threading.Timer(task.notebook_seconds, lambda: [kernel.end_now() for kernel in manager.running])
    deadline.daemon = True
    deadline.start()
    started = time.perf_counter()
    failure = None
    try:
        executed = papermill.execute_notebook(
            prepared,
            output,
            parameters=dict(task.parameters),
            engine_name=engine.NAME,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            start_timeout=START_SECONDS,
            execution_timeout=task.cell_seconds,
            kernel_manager_class=manager,
        )
    except papermill.PapermillExecutionError as error:
        said = sentence_of(error.evalue, task.language)
        cell_id = _cell_id(output, error.exec_count)
        failure = Failure(error.ename, "notebook", error.exec_count, cell_id, sentence=said)
    except engine.NotebookStopped as stopped:
        failure = _unfinished(output, stopped.kind, transient=False)
    except (nbclient.exceptions.DeadKernelError, RuntimeError):
        late = time.perf_counter() - started >= task.notebook_seconds
        # Ended by a signal that nobody can refuse: by the system, for memory. Any other end is the notebook's own.
        killed = not manager.running or manager.running[-1].ended_by in (None, signal.SIGKILL)
        kind = "NotebookTimeout" if late else "KernelDied" if killed else "KernelEnded"
        failure = _unfinished(output, kind, transient=killed and not late)
    finally:
        deadline.cancel()
    if failure:
        raise JobError(failure) from None
    seconds = sum(cell.metadata.get("papermill", {}).get("duration") or 0 for cell in executed.cells)
    return seconds, manager.running[-1]


def prepare(notebook: Path) -> dict[str, Any]:
    """A notebook as papermill wants it, whatever wrote it: with a language, and all that a cell must have.

    Raises:
        JobError: it is not in Python.
    """
    content = json.loads(notebook.read_text(encoding="utf-8-sig"))
    metadata = content.setdefault("metadata", {})
    given = {**metadata.get("kernelspec", {}), **metadata.get("language_info", {})}
    language = given.get("language") or (metadata.get("language_info") or {}).get("name") or "python"
    if language.lower() not in ("python", "ipython", "python3"):
        raise JobError(Failure("NotPython", "notebook", sentence=str(language)))
    metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata["language_info"] = {"name": "python"}
    for number, cell in enumerate(content["cells"]):
        cell.setdefault("metadata", {})
        cell.setdefault("id", f"cell-{number}")
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
        else:
            cell.pop("outputs", None)
            cell.pop("execution_count", None)
    return {**content, "nbformat": 4, "nbformat_minor": 5}


def sentence_of(error: str, language: str) -> str:
    """The first line of an error's words, or that they are withheld: an index page is read by many."""
    line = " ".join(str(error).strip().splitlines()[:1])[:LONGEST_SENTENCE]
    return terms.text("runs.sentence_withheld", language) if line and _may_name_persons(line) else line


def _may_name_persons(line: str) -> bool:
    """Whether it holds an identity number, a phone or the like, or a name of the register."""
    from institute_lib.registers import digests, personal

    if personal.find(line):
        return True
    try:
        known = digests.load()
    except InstituteError:  # names that cannot be checked
        return bool(HAN.search(line))
    pieces = (run[at : at + size] for run in HAN.findall(line) for size in known.lengths for at in range(len(run)))
    return any(known.is_name(piece) for piece in pieces)


def _environment(task: Task, private: Path) -> dict[str, str]:
    environment = {
        "INSTITUTE_HOME": str(task.root),
        "PLOTLY_RENDERER": "plotly_mimetype",
        JOB_VARIABLE: str(private),
        RESULTS_VARIABLE: json.dumps([[read.notebook, read.area] for read in task.results]),
        READS_VARIABLE: str(private / places.READS),
    }
    optional = {PLAN_VARIABLE: task.plan_path, SHARED_VARIABLE: task.shared}
    if task.inputs.get("audience") == "internal":
        optional[AUDIENCE_VARIABLE] = "internal"
    return environment | {name: str(value) for name, value in optional.items() if value}


def accept(task: Task, private: Path) -> dict[str, Any] | None:
    """The job's result, if every code cell ran and none shows an error that it did not expect.

    papermill's own metadata are not asked: after a killed kernel they say that every cell completed.

    Returns:
        The result; None for a notebook that makes no study, which is done without a brief.

    Raises:
        JobError: naming the first cell that did not run, or the missing result.
    """
    import nbformat

    from institute_lib.runs.engine import INJECTED

    cells = nbformat.read(private / places.EXECUTED, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code" and cell.source.strip()]
    for cell in code:
        tags = set(cell.metadata.get("tags", ()))
        error = next((output for output in cell.outputs if output.output_type == "error"), None)
        if error and "raises-exception" not in tags:
            said = sentence_of(error.evalue, task.language)
            raise JobError(Failure(error.ename, "notebook", cell.execution_count, cell.get("id"), sentence=said))
        if cell.execution_count is None and not tags & {INJECTED, "skip-execution"}:
            raise JobError(Failure("CellNotRun", "notebook", None, cell.get("id")))
    result = places.read_json(private / places.RESULT)
    if result is None:
        if any(STUDY.search(cell.source) for cell in code):
            raise JobError(Failure("NoResult", "result"))
        return None
    expected = {"notebook": task.job.notebook, "area": task.job.area, "quarter": task.quarter}
    headline, flags = result.get("headline"), [result.get("demo"), result.get("partial")]
    whole = isinstance(headline, dict) and isinstance(headline.get("text"), str)
    whole = whole and all(isinstance(one, bool) for one in flags)
    if not whole or any(result.get(name) != value for name, value in expected.items()):
        raise JobError(Failure("WrongResult", "result"))
    return result


def export(task: Task, private: Path, inputs: Mapping[str, Any], *, demo: bool, own: bool) -> None:
    """The brief of the executed notebook, also as a Word document where the plan says so, and the plotly library that
    the quarter's briefs share.

    Raises:
        JobError: it could not be written; the kind names the error.
    """
    from institute_lib import brief

    try:
        plotly = None if task.single else brief.write_plotly(task.place.parents[1])
        if plotly:
            places.share(plotly)
        brief.export(
            private / places.EXECUTED,
            private / places.BRIEF,
            language=task.language,
            demo=demo,
            provenance=provenance(inputs, task.language),
            shared=plotly and f"../../{plotly.name}",
            word=places.WORD if task.word else "",
            own=own,
        )
        if task.word:
            document = private / places.WORD
            brief.export_word(private / places.EXECUTED, document, language=task.language, demo=demo, own=own)
    except OSError:
        raise
    except Exception as error:  # whatever fails here fails this job alone, and is named
        logger.exception("brief of %s", task.job)
        said = sentence_of(str(error), task.language)
        raise JobError(Failure(type(error).__name__, "brief", sentence=said)) from None


def _manifest(
    task: Task, result: Mapping[str, Any] | None, *, inputs: Mapping[str, Any], **measured: Any
) -> dict[str, Any]:
    found = result or {}
    return {
        "notebook": task.job.notebook,
        "area": task.job.area,
        "quarter": task.quarter,
        "language": task.language,
        "run": task.run_id,
        "finished": places.now(),
        "fingerprint": fingerprint(inputs),
        "inputs": inputs,
        "demo": bool(found.get("demo")),
        "partial": bool(found.get("partial")),
        "headline": {**found["headline"], "text": headline_text(found, task.language)} if found else {},
        **measured,
    }


def _unfinished(output: Path, kind: str, *, transient: bool) -> Failure:
    """The last cell that began: the one in which the kernel died or the time ran out."""
    numbered = [cell for cell in _code_cells(output) if cell.source.strip() and not _has_no_number(cell)]
    begun = [
        number for number, cell in enumerate(numbered, start=1) if cell.metadata.get("papermill", {}).get("start_time")
    ]
    if not begun:
        return Failure(kind, "notebook", transient=transient)
    return Failure(kind, "notebook", begun[-1], numbered[begun[-1] - 1].get("id"), transient)


def _has_no_number(cell: Any) -> bool:
    return bool({"injected-parameters", "skip-execution"} & set(cell.metadata.get("tags", ())))


def _cell_id(output: Path, count: int | None) -> str | None:
    return next((cell.get("id") for cell in _code_cells(output) if cell.execution_count == count), None)


def _code_cells(output: Path) -> list[Any]:
    import nbformat

    if not output.is_file():
        return []
    return [cell for cell in nbformat.read(output, as_version=4).cells if cell.cell_type == "code"]


def _keep_failed(private: Path, task: Task) -> None:
    """Leave the executed notebook for whoever mends the failure; it is internal, like every executed notebook."""
    executed = private / places.EXECUTED
    with suppress(OSError, RunEnded):
        if executed.is_file():
            check_run(task)
            places.make_folder(task.place)
            executed.replace(task.place / places.FAILED)
            places.share(task.place / places.FAILED)


def failed(
    task: Task, failure: Failure, seconds: float = 0.0, attempts: int = 1, inputs: Mapping[str, Any] | None = None
) -> Outcome:
    """Record the failure beside the last good brief, which stays."""
    kept = places.intact_manifest(task.place)
    try:
        check_run(task)
        note_failure(task.place, failure, run_id=task.run_id, inputs=inputs)
    except RunEnded:
        logger.warning("%s: its run has ended, nothing is written", task.job)
    except OSError as error:  # the disk is full: the run notes it when it has given its reserve back
        logger.warning("%s: its failure could not be written: %s", task.job, os.strerror(error.errno or 0))
    made = {"kept": kept["finished"], "kept_run": kept["run"]} if kept else {}
    return Outcome(task.job, failure.state, seconds, failure=failure, attempts=attempts, **made)


def note_failure(place: Path, failure: Failure, *, run_id: str, inputs: Mapping[str, Any] | None = None) -> None:
    """Say beside a job's place that, and in which run, it failed; with its inputs, where only they can mend it."""
    known = {"inputs": inputs} if inputs else {}
    places.write_json(place / places.FAILURE, {"run": run_id, "finished": places.now(), **asdict(failure), **known})
