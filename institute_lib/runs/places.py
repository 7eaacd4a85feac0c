"""Where a run's files lie, and how one is replaced without ever being half written."""

import hashlib
import json
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from institute_lib import terms
from institute_lib.errors import RunError

RESULT, BRIEF, EXECUTED, MANIFEST = "result.json", "brief.html", "executed.ipynb", "manifest.json"
WORD = "brief.docx"  # where the plan asks for it
FAILURE, FAILED = "failure.json", "failed.ipynb"
READS, SUMMARY, PREPARED = "reads.jsonl", "summary.json", "prepared.ipynb"
OUTPUTS = (EXECUTED, RESULT, BRIEF, WORD)
LOGS = "logs"  # beside the notebooks' folders: the summary and the log of every run, by its date
LOCK, RUNNING = ".lock", ".running.json"
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


def share(path: Path) -> None:
    """Let the group write what lies in a folder that the group may write: two colleagues with umask 022 take turns.

    Executed notebooks and logs are internal: nobody else reads them, and the group only in a folder that it writes.
    """
    folder, own = path.parent.stat().st_mode, path.stat().st_mode
    wanted = own | stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH
    wanted |= folder & stat.S_IWGRP
    if path.name in (EXECUTED, FAILED) or path.parent.name == LOGS:
        wanted &= ~stat.S_IRWXO if folder & stat.S_IWGRP else ~(stat.S_IRWXG | stat.S_IRWXO)
    if path.is_dir():
        wanted |= stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
    if wanted != own:
        with suppress(PermissionError):  # somebody else's: it is as that person left it
            path.chmod(stat.S_IMODE(wanted))


def make_folder(path: Path) -> None:
    """A folder and those above it, each as open to the group as the one that it lies in."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        share(path)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, a crash or a full disk meets either the old one or the new one."""
    make_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PRIVATE)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        share(temporary)
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


def new_private(place: Path) -> Path:
    """A folder beside a job's place, in which the job makes its files."""
    make_folder(place.parent)
    private = Path(tempfile.mkdtemp(prefix=PRIVATE, dir=place.parent))
    share(private)
    return private


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


def commit(
    private: Path, place: Path, manifest: Mapping[str, Any], *, check: Callable[[], None] = lambda: None
) -> None:
    """Put a job's files in their place, the manifest last: until it names them, they do not count.

    The folder is first made whole, manifest and all, then marked as ready by one rename: whatever ends this process
    before that leaves the earlier files untouched, and after it `sweep` finishes the move.

    Args:
        check: raises if the job's run has ended meanwhile; asked last, before anything can be seen.
    """
    names = [name for name in OUTPUTS if (private / name).is_file()]
    for name in names:
        with (private / name).open("rb+") as file:
            os.fsync(file.fileno())
    outputs = {name: _described(private / name) for name in names}
    write_json(private / MANIFEST, {**manifest, "outputs": outputs})
    check()
    ready = private.with_name(f"{READY}{place.name}")
    if ready.is_dir():  # of a worker that was killed while it moved these files
        _move(ready, place)
    private.rename(ready)
    sync_folder(ready.parent)
    _move(ready, place)


def _move(ready: Path, place: Path) -> None:
    make_folder(place)
    for name in OUTPUTS:
        if (ready / name).is_file():
            (ready / name).replace(place / name)
            share(place / name)
        elif (ready / MANIFEST).is_file() and name not in (read_json(ready / MANIFEST) or {}).get("outputs", {}):
            (place / name).unlink(missing_ok=True)  # this time the notebook leaves none
    sync_folder(place)
    if (ready / MANIFEST).is_file():
        (ready / MANIFEST).replace(place / MANIFEST)
        share(place / MANIFEST)
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
    if not isinstance(outputs, dict) or EXECUTED not in outputs or not set(outputs) <= set(OUTPUTS):
        return None
    return manifest if all(_is_as_described(place / name, described) for name, described in outputs.items()) else None


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
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def check_free_space(folder: Path, needed: int) -> None:
    """
    Raises:
        RunError: the disk has less free space than the run is expected to write.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise terms.error(
            RunError, "runs.error_disk", folder=folder, free=f"{free / 1e6:.0f}", needed=f"{needed / 1e6:.0f}"
        )


@contextmanager
def reserve(folder: Path) -> Iterator[Callable[[], None]]:
    """Keep room on the disk until it is given back: for the summary and the index, should the jobs fill the rest."""
    path = folder / f"{PRIVATE}reserve"
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
def locked(folder: Path, run_id: str = "") -> Iterator[None]:
    """Hold a run folder alone. The operating system lets go of the lock when this process ends, however it ends.

    Raises:
        RunError: another run holds it (which process on which computer, since when), or something in it is a link.
    """
    for place in (folder, folder / LOCK, *folder.glob("*"), *folder.glob("*/*"), *folder.glob("*/*/*")):
        if place.is_symlink():
            raise terms.error(RunError, "runs.error_link", path=place)
    make_folder(folder)
    try:
        lock = FileLock(folder / LOCK, timeout=0, mode=0o664 if folder.stat().st_mode & stat.S_IWGRP else 0o644)
        held = lock.acquire()
    except Timeout:
        raise terms.error(RunError, "runs.error_busy", folder=folder.name, holder=holder(folder) or "?") from None
    with held:
        began = psutil.Process().create_time()
        here = {"run": run_id, "process": os.getpid(), "host": socket.gethostname(), "since": now(), "began": began}
        write_json(folder / RUNNING, here)
        try:
            yield
        finally:
            (folder / RUNNING).unlink(missing_ok=True)


def running(folder: Path) -> dict[str, Any] | None:
    """The run that holds a folder now, as it noted itself: run, process, host, since. Takes no lock and writes nothing.

    Of a run on another computer only its note is known: it counts as running as long as that is there.
    """
    noted = read_json(folder / RUNNING)
    if noted and noted.get("host") == socket.gethostname():
        try:
            alive = psutil.Process(noted["process"]).create_time() == noted["began"]
        except psutil.AccessDenied:
            alive = True
        except (psutil.Error, KeyError):
            alive = False
        return noted if alive else None
    return noted


def holder(folder: Path) -> str:
    """Who is running a folder now; empty if nobody is."""
    noted = running(folder)
    return f"process {noted['process']} on {noted['host']} since {noted['since']}" if noted else ""
