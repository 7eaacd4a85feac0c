"""Writing the institute's registers: whole or not at all, one writer at a time, nothing overwritten.

An import writes its rows first and then the journal anew, beside the old one, and renames it: that is the commit. A
process that is killed before leaves files that no line names; the next writer clears them away.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import sharing, terms
from institute_lib.errors import DataError
from institute_lib.tables import journal

LOCK = ".importing"
_NUMBERED = re.compile(r"\d{6}(\.\d+)?\.(parquet|json)")


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """The registers' folder for one writer alone; what a killed one left half-written is cleared away.

    Raises:
        DataError: another import is writing there, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(folder) as is_ours:
            if not is_ours:
                raise terms.error(DataError, "registers.error_importing", folder=folder)
            sweep(folder)
            yield
    except OSError as error:
        raise terms.error(DataError, "registers.error_cannot_write", folder=folder, why=error.strerror) from None


def sweep(folder: Path) -> None:
    """Clear away what no line of the journal names: a killed import's, and what was written anew."""
    named = {entry.file for entry in journal.entries(folder.parent.parent)}
    for path in (*folder.glob("*/*.parquet"), *folder.glob("*/*.json")):
        if path.with_suffix(".parquet").relative_to(folder).as_posix() not in named and _NUMBERED.fullmatch(path.name):
            path.unlink()
    for partial in (*folder.glob(".*.partial"), *folder.glob("*/.*.partial")):
        partial.unlink()


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether the folder could be locked; Windows cannot lock a folder, so there a file in it stands for it."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT) if sharing.fcntl is None else os.open(folder, os.O_RDONLY)
    try:
        yield sharing.lock(handle, wait=False)
    finally:
        os.close(handle)


def line(kind: str, number: int, *, day: str | None = None, **body: Any) -> dict[str, Any]:
    """A line of the journal that has no rows; `day` for the day since which it counts (today)."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    when = f"{day}{now[10:]}" if day else now
    empty = {"table": "", "file": "", "key_id": None, "parts": [], "columns": []}
    return {"number": number, "kind": kind, "when": when, "by": journal.account(), **empty, **body}


def next_number(folder: Path) -> int:
    """The number of the next line."""
    every = journal.entries(folder.parent.parent)
    return every[-1].number + 1 if every else 1


def file_of(table: str, number: int, suffix: str = "parquet") -> str:
    """Where the rows (or the report) of an import are kept, within the registers' folder."""
    return f"{table}/{number:06d}.{suffix}"


def commit(
    folder: Path,
    lines: Iterable[Mapping[str, Any]],
    files: Mapping[str, pd.DataFrame | dict],
    *,
    anew: bool = False,
) -> None:
    """Add lines to the journal and the files that they name, all of it or nothing.

    Args:
        lines: of the journal, below those that are there.
        files: by their name within the folder: rows as a table, reports as plain JSON types.
        anew: the lines are the whole journal.
    """
    partials = {folder / name: _write_beside(folder / name, content) for name, content in files.items()}
    for path, partial in partials.items():
        partial.replace(path)
    path = folder / journal.JOURNAL
    before = path.read_text(encoding="utf-8") if path.is_file() and not anew else ""
    added = "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in lines)
    rewrite(path, before + added)
    if "published_facts" in before + added:
        export_facts(folder)


def export_facts(folder: Path) -> None:
    """The published facts in force as the file that `areas.reference` reads beside the project's own."""
    rows = journal.rows("published_facts", root=folder.parent.parent)
    path = folder / "published_facts.csv"
    if len(rows):
        rewrite(path, rows.drop(columns=[journal.CELL, "number"]).to_csv(index=False))
    elif path.is_file():
        path.unlink()


def rewrite(path: Path, text: str) -> None:
    """A file's whole text, by one rename."""
    _write_beside(path, text).replace(path)
    if os.name == "posix":  # the rename itself is on the disk before anybody is told
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _write_beside(path: Path, content: pd.DataFrame | dict[str, Any] | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        if isinstance(content, pd.DataFrame):
            content.to_parquet(file, index=False)
        else:
            text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, indent=1)
            file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    return partial


def check_key(folder: Path, key_id: str | None) -> None:
    """
    Raises:
        DataError: persons of an earlier import, of any table, were given their pseudonyms with another key.
    """
    for entry in journal.standing(journal.entries(folder.parent.parent)):
        if key_id is not None and entry.key_id not in (None, key_id):
            of_it = {"day": entry.known, "table": entry.table, "earlier": entry.key_id}
            raise terms.error(DataError, "registers.error_key_other", ours=key_id, **of_it)
