"""Where a run's files lie, and how one is replaced without ever being half written."""

import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from institute_lib import sharing
from institute_lib.errors import RunError

RESULT, BRIEF, EXECUTED, MANIFEST = "result.json", "brief.html", "executed.ipynb", "manifest.json"
FAILURE, FAILED = "failure.json", "failed.ipynb"
READS, SUMMARY = "reads.jsonl", "summary.json"
OUTPUTS = (EXECUTED, RESULT, BRIEF)
LOCK = ".lock"
PRIVATE, READY = ".private-", ".ready-"
RESERVED_BYTES = 2_000_000
SHARING_BYTES = 1_000_000_000


def now() -> str:
    """This moment, in the time zone of this computer, to the second."""
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes; remembered as long as its size and time stay the same."""
    state = path.stat()
    return _hash_of(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4096)
def _hash_of(path: Path, _size: int, _time: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, a crash or a full disk meets either the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PRIVATE)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def keep(path: Path, text: str) -> None:
    """Keep something that was derived; where it cannot be written, it is derived again the next time."""
    with suppress(OSError):
        write_whole(path, text)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_whole(path, json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """The file's content; None when it is absent or is no JSON object (then its job counts as not done)."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable; a system without folder handles (Windows) does so itself."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def commit(private: Path, place: Path, manifest: Mapping[str, Any]) -> None:
    """Put a job's files in their place, the manifest last: until it names them, they do not count.

    The folder is first made whole, manifest and all, then marked as ready by one rename: whatever ends this process
    before that leaves the earlier files untouched, and after it `sweep` finishes the move.
    """
    for name in OUTPUTS:
        with (private / name).open("rb+") as file:
            os.fsync(file.fileno())
    outputs = {name: _described(private / name) for name in OUTPUTS}
    write_json(private / MANIFEST, {**manifest, "outputs": outputs})
    ready = private.with_name(f"{READY}{place.name}")
    if ready.is_dir():  # of a worker that was killed while it moved these files
        _move(ready, place)
    private.rename(ready)
    sync_folder(ready.parent)
    _move(ready, place)


def _move(ready: Path, place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for names in (OUTPUTS, (MANIFEST,)):
        for name in names:
            if (ready / name).is_file():
                (ready / name).replace(place / name)
        sync_folder(place)
    for name in (FAILURE, FAILED):
        (place / name).unlink(missing_ok=True)
    shutil.rmtree(ready)


def _described(path: Path) -> dict[str, Any]:
    state = path.stat()
    return {"sha256": file_hash(path), "bytes": state.st_size, "modified_ns": state.st_mtime_ns}


def intact_manifest(place: Path) -> dict[str, Any] | None:
    """The manifest of a place whose every output is the one it names, else None."""
    manifest = read_json(place / MANIFEST)
    outputs = manifest.get("outputs") if manifest else None
    if not isinstance(outputs, dict) or set(outputs) != set(OUTPUTS):
        return None
    return manifest if all(_is_as_described(place / name, outputs[name]) for name in OUTPUTS) else None


def _is_as_described(path: Path, described: Mapping[str, Any]) -> bool:
    if not path.is_file():
        return False
    state = path.stat()
    if (state.st_size, state.st_mtime_ns) == (described.get("bytes"), described.get("modified_ns")):
        return True
    return state.st_size == described.get("bytes") and file_hash(path) == described.get("sha256")


def sweep(folder: Path) -> None:
    """Finish what was ready, and remove what interrupted jobs left beside their places.

    Call it only while holding the run's lock.
    """
    for ready in folder.rglob(f"{READY}*"):
        _move(ready, ready.with_name(ready.name.removeprefix(READY)))
    for left in folder.rglob(f"{PRIVATE}*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def check_free_space(folder: Path, needed: int) -> None:
    """
    Raises:
        RunError: the disk has less free space than the run is expected to write.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RunError(
            f"{folder}: {free / 1e6:.0f} MB free, the run needs about {needed / 1e6:.0f} MB; make room and run again"
        )


@contextmanager
def reserve(folder: Path) -> Iterator[Callable[[], None]]:
    """Keep room on the disk until it is given back: for the summary and the index, should the jobs fill the rest."""
    path = folder / f"{PRIVATE}room"
    path.write_bytes(bytes(RESERVED_BYTES))
    try:
        yield lambda: path.unlink(missing_ok=True)
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def shared_folder(folder: Path) -> Iterator[Path | None]:
    """A folder for what the jobs of a run share, gone after it; None where the disk has little room."""
    if shutil.disk_usage(folder).free < SHARING_BYTES:
        yield None
        return
    shared = Path(tempfile.mkdtemp(prefix=f"{PRIVATE}shared-", dir=folder))
    try:
        yield shared
    finally:
        shutil.rmtree(shared, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run folder alone. The operating system lets go of the lock when this process ends, however it ends.

    Raises:
        RunError: another run holds it; the message says which process on which computer, since when.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+", encoding="utf-8") as file:
        if not sharing.lock(file, wait=False):
            raise RunError(f"{folder.name} is being run by {_said(file)}; wait for it")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {now()}\n")
        file.flush()
        yield


def holder(folder: Path) -> str:
    """Who is running a folder now; empty if nobody is."""
    if not (folder / LOCK).is_file():
        return ""
    with (folder / LOCK).open("r+", encoding="utf-8") as file:
        return "" if sharing.lock(file, wait=False) else _said(file)


def _said(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip() or "another process"
