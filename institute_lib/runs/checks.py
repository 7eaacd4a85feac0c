"""Everything that can be refused before a kernel starts."""

from collections.abc import Iterable

import pandas as pd

from institute_lib import parameters, paths, tables, terms
from institute_lib.errors import DataError, ParameterError
from institute_lib.runs import contents, places
from institute_lib.runs.fingerprints import job_parameters
from institute_lib.runs.plan import Job, Plan
from institute_lib.sharing import digest


def check_quarter(quarter: str) -> None:
    """
    Raises:
        ParameterError: the quarter is misspelt, or the data do not cover it.
    """
    parameters.check_quarter(quarter, tables.covered_quarters())


def check_workers(number: int | None) -> None:
    """
    Raises:
        ParameterError: fewer than one.
    """
    if number is not None and number < 1:
        raise terms.error(ParameterError, "runs.error_workers", number=number)


def check_notebooks(plan: Plan, jobs: Iterable[Job], *, quarter: str) -> dict[str, ParameterError]:
    """Each notebook's parameters cell, and what the plan gives it.

    Returns:
        Which notebooks declare their parameters wrongly, and how; the others can run.

    Raises:
        ParameterError: a notebook's file is missing, the plan gives one a parameter that it does not have or a value
            that it does not allow, or no notebook can run.
    """
    schemas, wrong = {}, {}
    for job in jobs:
        notebook = plan.notebook(job.notebook)
        if not notebook.path.is_file():
            there = sorted(path.stem for path in paths.notebooks().glob("*.ipynb"))
            raise terms.error(
                ParameterError,
                "runs.error_notebook_missing",
                name=job.notebook,
                folder=paths.notebooks().name,
                nearest=(job.notebook, there),
            )
        if job.notebook not in schemas and job.notebook not in wrong:
            try:
                schemas[job.notebook] = parameters.schema(notebook.path)
            except ParameterError as error:
                wrong[job.notebook] = error
        if job.notebook in schemas:
            schemas[job.notebook].check(job_parameters(plan, job, quarter=quarter))
    if wrong and set(wrong) == {job.notebook for job in jobs}:
        raise ParameterError("; ".join(str(error) for error in wrong.values()))
    return wrong


def check_tables(names: Iterable[str], *, quarter: str) -> None:
    """Each table that is there against its contract; one that was found sound and has not changed is not read again.

    One that is not there stops nothing: the jobs that ask for it say so.

    Raises:
        DataError: with every fault of every table.
    """
    as_of = pd.Period(quarter, freq="Q").end_time.date().isoformat()
    faults, messages, found = [], [], {}
    for name in names:
        try:
            kept = contents.kept_hash(name, as_of)
            if not kept.is_file():
                found[kept] = digest(tables.load(name, as_of))
        except DataError as error:
            if contents.table_file(name, as_of) is not None:
                faults += error.faults
                messages.append(str(error).splitlines()[0])
    if messages:
        raise DataError("the run does not start: " + "; ".join(messages), tuple(faults))
    for kept, content in found.items():
        places.keep(kept, content)
