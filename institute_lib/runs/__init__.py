"""The quarterly run: a plan becomes a graph of jobs, each job a brief, and nothing already written is lost.

`run` executes the plan, `status` says what is current, stale, failed or missing. Inside a notebook, `results`
reads what the others left.
"""

from typing import TYPE_CHECKING, Any

from institute_lib.runs.exchange import Results, results

if TYPE_CHECKING:
    from institute_lib.runs.execution import run
    from institute_lib.runs.plan import Job, Plan, load_plan
    from institute_lib.runs.states import JobStatus, status
    from institute_lib.runs.summary import RunSummary
    from institute_lib.runs.template import new_notebook

__all__ = [
    "Job",
    "JobStatus",
    "Plan",
    "Results",
    "RunSummary",
    "load_plan",
    "new_notebook",
    "results",
    "run",
    "status",
]
_HOMES = {
    "run": "execution",
    "RunSummary": "summary",
    "Job": "plan",
    "Plan": "plan",
    "load_plan": "plan",
    "new_notebook": "template",
    "status": "states",
    "JobStatus": "states",
}


def __getattr__(name: str) -> Any:
    """What a notebook does not need is imported when asked for."""
    if name in _HOMES:
        from importlib import import_module

        value = getattr(import_module(f"institute_lib.runs.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"institute_lib.runs has no {name!r}; it has {', '.join(__all__)}")
