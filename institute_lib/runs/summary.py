"""What a run did, as a result like any other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import tables, terms
from institute_lib.errors import DataError
from institute_lib.results import Result
from institute_lib.runs import fingerprints, places
from institute_lib.runs.plan import Plan
from institute_lib.runs.tasks import Outcome

STATES = ("done", "current", "failed", "not_reported", "no_register")


@dataclass(frozen=True)
class RunSummary(Result):
    """What a run did.

    Attributes:
        outcomes: one for each job of this run that has ended, in the plan's order.
        state: "running", "finished" or "interrupted"; a run that was killed stays "running".
        total: number of jobs of this run.
        provenance: the data and the code that it ran on: tables with their files' hashes, the plan, library, versions.
        index: the page from which every brief opens.
    """

    quarter: str
    language: str
    run_id: str
    started: str
    folder: Path
    outcomes: tuple[Outcome, ...]
    seconds: float
    state: str = "finished"
    total: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def index(self) -> Path:
        return self.folder / "index.html"

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.state == "failed")

    @property
    def exit_status(self) -> int:
        """1 if a job failed, else 0: that a district has not reported is no failure."""
        return 1 if self.failed else 0

    def counts(self) -> dict[str, int]:
        """Number of jobs by state, each of `STATES`."""
        states = [outcome.state for outcome in self.outcomes]
        return {state: states.count(state) for state in STATES}

    def summary(self, language: str | None = None) -> str:
        """One sentence."""
        language = language or self.language
        counts = self.counts()
        words = {name: terms.number(n, language) for name, n in counts.items()}
        said = terms.text(
            "runs.summary",
            language,
            quarter=terms.quarter(self.quarter, language),
            seconds=terms.number(self.seconds, language, 1),
            **words,
        )
        lacking = [terms.text(f"runs.n_{name}", language, n=words[name]) for name in STATES[3:] if counts[name]]
        return "".join([said, *lacking])

    def to_frame(self) -> pd.DataFrame:
        """One row a job: notebook, area, state, seconds, cell_seconds, warm, attempts, kind, stage, cell, sentence."""
        rows = [
            {
                "notebook": o.job.notebook,
                "area": o.job.area,
                **{name: getattr(o, name) for name in ("state", "seconds", "cell_seconds", "warm", "attempts")},
                **{name: getattr(o.failure, name, None) for name in ("kind", "stage", "cell", "sentence")},
            }
            for o in self.outcomes
        ]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """The content of `summary.json`."""
        return {
            "quarter": self.quarter,
            "language": self.language,
            "run": self.run_id,
            "state": self.state,
            "total": self.total,
            "started": self.started,
            "seconds": round(self.seconds, 3),
            "counts": self.counts(),
            "failures": [{**outcome.to_dict()["job"], **outcome.to_dict()["failure"]} for outcome in self.failed],
            **self.provenance,
            "jobs": [outcome.to_dict() for outcome in self.outcomes],
        }


def provenance(plan: Plan, quarter: str) -> dict[str, Any]:
    """The data and the code that a run stands on, each with its hash."""
    last_day = pd.Period(quarter, freq="Q").end_time.date().isoformat()
    return {
        "data": {name: found for name in tables.CONTRACTS if (found := _source_of(name, last_day))},
        "code": {
            "plan": places.file_hash(plan.path) if plan.path and plan.path.is_file() else None,
            "library": fingerprints.library_hash(),
            "versions": fingerprints.versions(),
        },
    }


def _source_of(name: str, day: str) -> dict[str, Any] | None:
    try:
        place = tables.locate(name, day)
    except DataError:  # not every table need be there
        return None
    return {"source": place.source, "snapshot": place.snapshot, "sha256": places.file_hash(place.path)}
