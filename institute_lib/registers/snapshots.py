"""Keeping a register: dated snapshots beside their manifests, never overwritten, whole or not at all.

A register of workers fills two tables. Its own file is written last and is the commit: `tables.locate` does not see
the `worker_changes` of a day without it, so that a kill between the two leaves the earlier pair in force.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import sharing, terms
from institute_lib.errors import DataError

LOCK = ".importing"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """The registers' folder for one import alone; what a killed one left half-written is cleared away.

    Raises:
        DataError: another import is writing there, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder) as is_ours:
            if not is_ours:
                raise terms.error(DataError, "registers.error_importing", folder=folder)
            for partial in folder.glob("*/.*.partial"):
                partial.unlink()
            yield
    except OSError as error:
        raise terms.error(DataError, "registers.error_cannot_write", folder=folder, why=error.strerror) from None


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether the folder could be locked; Windows cannot lock a folder, so there a file in it stands for it."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT) if sharing.fcntl is None else os.open(folder, os.O_RDONLY)
    try:
        yield sharing.lock(handle, wait=False)
    finally:
        os.close(handle)


def days(folder: Path, table: str) -> list[str]:
    """The days of a table's snapshots, first to last."""
    return sorted(path.stem for path in (folder / table).glob("*.parquet"))


def check_linkage(folder: Path, key_id: str | None) -> None:
    """
    Raises:
        DataError: persons of an earlier snapshot, of any table, were given their pseudonyms with another key.
    """
    if key_id is None:
        return
    for manifest in sorted(folder.glob("*/*.json"), key=lambda path: path.stem):
        earlier = json.loads(manifest.read_text(encoding="utf-8"))["key_id"]
        if earlier not in (None, key_id) and manifest.with_suffix(".parquet").is_file():
            of_it = {"day": manifest.stem, "table": manifest.parent.name, "earlier": earlier}
            raise terms.error(DataError, "registers.error_key_other", ours=key_id, **of_it)


def write(
    folder: Path, table: str, parts: dict[str, pd.DataFrame], day: date, manifest: dict[str, Any]
) -> tuple[Path, ...]:
    """Write every part whole beside its place, then put it there: companions, manifest, and last the table itself.

    Raises:
        DataError: the day has a snapshot already.
    """
    final = folder / table / f"{day}.parquet"
    if final.exists():
        raise terms.error(DataError, "registers.error_snapshot_exists", table=table, day=day)
    companions = {folder / name / f"{day}.parquet": part for name, part in parts.items() if name != table}
    contents = {**companions, final.with_suffix(".json"): manifest, final: parts[table]}
    partials = {path: _write_beside(path, content) for path, content in contents.items()}
    for path, partial in partials.items():
        if path != final:
            partial.replace(path)
    _commit(partials[final], final)
    return tuple(contents)


def _write_beside(path: Path, content: pd.DataFrame | dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        if isinstance(content, pd.DataFrame):
            content.to_parquet(file, index=False)
        else:
            file.write(json.dumps(content, ensure_ascii=False, indent=1).encode())
        file.flush()
        os.fsync(file.fileno())
    return partial


def _commit(partial: Path, final: Path) -> None:
    """A link never replaces what is there; a file system without links renames, which under the lock is as good."""
    try:
        os.link(partial, final)
    except FileExistsError:
        raise
    except OSError:
        partial.rename(final)
    else:
        partial.unlink()
