"""Hashes of what a job read: of a table the rows that were known by the quarter, of a file its bytes.

A table's hash is kept beside other derived files, so that an unchanged table is neither read nor checked again.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from institute_lib import paths, tables
from institute_lib.errors import DataError
from institute_lib.runs import places
from institute_lib.runs.exchange import result_hash
from institute_lib.runs.plan import Job
from institute_lib.sharing import Read, digest

ABSENT = "absent"
CODE = re.compile(r"\d{6}")
CHANGED = "changed while the job ran"
DIVISIONS = ("districts.csv", "area_aliases.csv", "traditional_characters.csv")  # what every table is read by


def hashed(reads: Iterable[Read], *, since: float | None = None) -> list[dict[str, Any]]:
    """Each thing read, with its hash as of now.

    Args:
        since: when the job began (seconds); what was changed from then until now is marked so, and never counts as
            current. A time to come says nothing: it is of a copy, or of a clock that was set back.
    """
    lists = ("districts", "absent")
    found = {
        (read.kind, _portable(read), read.as_of, read.districts, read.title, read.known): {
            **asdict(read),
            **{name: list(getattr(read, name)) for name in lists},
            "name": _portable(read),
            "hash": _hash(read, since),
        }
        for read in reads
    }
    return list(found.values())


def _portable(read: Read) -> str:
    """Files of the project by their place in it, so that a project which is moved or restored stays current."""
    path, root = Path(read.name), paths.root()
    inside = read.kind == "files" and path.is_relative_to(root)
    return path.relative_to(root).as_posix() if inside else read.name


def read_from(described: Mapping[str, Any]) -> Read:
    """The Read that `hashed` described."""
    own = {name: described.get(name, "") for name in ("title", "known")}
    return Read(described["kind"], described["name"], described["as_of"], tuple(described["districts"]), **own)


def by_kind(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs with what was read under its kind and name, as `changed` compares and names it."""
    named = {name: value for name, value in inputs.items() if name != "reads"}
    for read in inputs.get("reads", ()):
        hashes = named.setdefault(read["kind"], {}).setdefault(read["name"], {})
        asked = (read["as_of"], *read["districts"], read.get("title"), read.get("known"))
        hashes[" ".join(filter(None, asked))] = read["hash"]
    return named


def districts_changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """The districts (codes) whose rows or reports differ, of those that were read one by one."""
    found: set[str] = set()
    old, new = by_kind(before), by_kind(after)
    for kind in ("tables", "reports"):
        for name, asked in old.get(kind, {}).items():
            now = new.get(kind, {}).get(name, {})
            pairs = asked.items() if isinstance(asked, dict) else ()  # other versions knew no districts
            for key in (one for one, content in pairs if now.get(one) != content):
                late = set(asked[key].split()) ^ set(
                    now.get(key, "").split()
                )  # of reports: those who have come or gone
                codes = set(filter(CODE.fullmatch, key.split() if kind == "tables" else late))
                found |= codes if kind == "reports" or len(codes) == 1 else set()  # of several nobody knows which
    return tuple(sorted(found))


def table_hash(name: str, as_of: str, known: str = "", districts: Sequence[str] = ()) -> str:
    """Hash of what a table shows on a day (of some districts): rows, their order and types, where they come from.

    Raises:
        DataError: the table is missing or breaks its contract.
    """
    asked = {"known": known or None, "districts": districts}
    place = kept_hash(name, as_of, known, districts)
    return _kept(place, lambda: digest(tables.load(name, as_of or None, **asked)))


def kept_hash(name: str, as_of: str, known: str = "", districts: Sequence[str] = ()) -> Path:
    """The file in which a table's hash is kept, whether or not it is there: another file for another content.

    Raises:
        DataError: the table is missing.
    """
    place = tables.locate(name, as_of or "9999-12-31", known=known or None)
    content = places.file_hash(place.path)
    return _place_for(name, as_of, known, place.source, str(place.snapshot), content, *districts)


def late(
    quarter: str, districts: Iterable[str], as_of: str, *, known: str = "", table: str = "workers"
) -> tuple[str, ...]:
    """Who has not reported a quarter, as `tables.unreported` says it.

    Raises:
        DataError: there are no workers.
    """
    listed, asked = tuple(districts), {"as_of": as_of or None, "known": known or None, "table": table}
    place = tables.locate("workers", as_of or "9999-12-31", known=known or None)
    file = place.path if place.source == "register" else place.path.with_name("reporting.parquet")
    content = places.file_hash(file) if file.is_file() else ABSENT
    kept = _place_for("late", quarter, as_of, known, table, place.source, content, *listed)
    return tuple(_kept(kept, lambda: " ".join(tables.unreported(quarter, listed, **asked))).split())


def _place_for(*parts: str) -> Path:
    return paths.cache() / "contents" / hashlib.sha256("\n".join((*parts, _contract_hash())).encode()).hexdigest()


def _kept(place: Path, derive: Callable[[], str]) -> str:
    if place.is_file():
        return place.read_text(encoding="utf-8")
    found = derive()
    places.keep(place, found)
    return found


def table_file(name: str, as_of: str, known: str = "") -> Path | None:
    """The file that answers for a table on a day, if any."""
    try:
        return tables.locate(name, as_of or "9999-12-31", known=known or None).path
    except DataError:
        return None


def _hash(read: Read, since: float | None) -> str:
    if read.kind == "earlier":
        quarter, notebook, area = read.name.split("/")
        return result_hash(paths.runs() / quarter, Job(notebook, area))
    file = _file(read)
    if since is not None and file and file.is_file() and any(since < at <= time.time() for at in _changed_at(file)):
        return CHANGED
    # A job may show that a table is faulty or lacking: then it depends on the file as it stands.
    with suppress(DataError):
        if (found := _answer(read)) is not None:
            return found
    return places.file_hash(file) if file and file.is_file() else ABSENT


def _answer(read: Read) -> str | None:
    """What tables answer to what a job asked of them; None where it asked something else."""
    if read.kind == "tables":
        return table_hash(read.name, read.as_of, read.known, read.districts)
    if read.kind == "quarters":
        return " ".join(tables.covered_quarters(as_of=read.as_of or None, known=read.known or None))
    if read.kind == "reports":
        missing = late(read.name, read.districts, read.as_of, known=read.known, table=read.title or "workers")
        return f"late: {' '.join(missing)}" if missing else "all there"
    return tables.source(read.name) if read.kind == "sources" else None


def _file(read: Read) -> Path | None:
    if read.kind == "tables":
        return table_file(read.name, read.as_of, read.known)
    if read.kind == "reference":
        return paths.reference() / f"{read.name}.csv"
    return paths.root() / read.name if read.kind == "files" else None


def _changed_at(path: Path) -> tuple[float, float]:
    """When a file was written, and when it was put in its place."""
    state = path.stat()
    return state.st_mtime, state.st_ctime


def _contract_hash() -> str:
    """Stands for what decides what a table shows: the contracts, and the districts that its rows are folded into."""
    code = sorted((paths.PACKAGE / "tables").glob("*.py"))
    divisions = (paths.reference() / name for name in DIVISIONS)
    return hashlib.sha256("".join(places.file_hash(path) for path in (*code, *divisions)).encode()).hexdigest()
