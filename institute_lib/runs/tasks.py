"""What goes to a worker, and what comes back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from institute_lib import terms
from institute_lib.runs.plan import Job


@dataclass(frozen=True)
class Task:
    """Everything that a worker needs to do one job; it can be pickled, and sent to another computer."""

    job: Job
    notebook: Path
    place: Path
    root: Path
    plan_path: Path | None
    quarter: str
    language: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Any]
    run_id: str
    cell_seconds: int
    notebook_seconds: int
    results: tuple[Job, ...] = ()
    shared: Path | None = None
    warm: bool = True
    single: bool = False
    word: bool = False
    host: str = ""


@dataclass(frozen=True)
class Failure:
    """Why a job failed.

    Attributes:
        kind: the name of the error.
        stage: "parameters", "notebook", "result", "brief", "write", "run" or "worker".
        cell: the number of its cell, as JupyterLab shows it.
        transient: whether the same job may well succeed when it is tried again.
        sentence: what the error says, for whoever may see the institute's own pages; never an identity number, a phone
            or a name of a register.
        state: "failed"; or "not_reported" (the district has not reported) or "no_register" (a register that it asks
            for is not there): nothing to mend in the notebook.
    """

    kind: str
    stage: str
    cell: int | None = None
    cell_id: str | None = None
    transient: bool = False
    sentence: str = ""
    state: str = "failed"

    def say(self, language: str = "zh") -> str:
        """Where, what and why, in one line."""
        where = terms.text("runs.cell", language, cell=self.cell) if self.cell else ""
        words = f"kind_{self.kind}"
        kind = terms.text(f"runs.{words}", language) if words in terms.catalogue("runs") else self.kind
        said = f"{terms.text('runs.colon', language)}{self.sentence}" if self.sentence else ""
        return f"{where}{kind}{said}"


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        state: "done", "current" (unchanged, not run), "failed", "not_reported" or "no_register".
        seconds: of the whole job; `cell_seconds` of the notebook's own computing.
        memory_bytes: the most that its kernel held for itself.
        kept: when the brief that is still there was made, and kept_run by which run, if the job failed and an earlier
            one exists.
    """

    job: Job
    state: str
    seconds: float = 0.0
    cell_seconds: float = 0.0
    warm: bool = False
    memory_bytes: int | None = None
    failure: Failure | None = None
    kept: str | None = None
    kept_run: str | None = None
    attempts: int = 1

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class JobError(Exception):
    """A job cannot be accepted; carries its Failure."""

    def __init__(self, failure: Failure):
        self.failure = failure
        super().__init__(f"{failure.stage}: {failure.kind}")
