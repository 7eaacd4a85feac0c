"""What the jobs of one run share: results made once and read by all of them, and what each job notes that it read.

A run names two places in the environment of each kernel: a folder that all its jobs share and that ends with the run,
and a file in which the job notes what it reads. Outside a run neither is there: functions compute as they always do,
and nothing is noted.
"""

import functools
import json
import logging
import os
import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from filelock import FileLock

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

SHARED_VARIABLE = "INSTITUTE_SHARED"
READS_VARIABLE = "INSTITUTE_READS"
KINDS = ("tables", "reports", "quarters", "sources", "reference", "files", "earlier", "declared")
CANNOT_BE_PICKLED = (pickle.PicklingError, AttributeError, TypeError)
Function = TypeVar("Function", bound=Callable[..., Any])
logger = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class Read:
    """Something that a job read: a change of it makes the job stale, and figures made from it carry it as their source.

    Attributes:
        kind: one of `KINDS`: "tables" (its rows as of a day), "reports" (who had reported a quarter), "quarters"
            (which quarters a table describes), "sources"
            (whether a table is a register or the demo), "reference" (a file of published facts), "files" (any other,
            by its path), "earlier" (a result of another quarter: its run folder, notebook and area) or "declared"
            (something that an author states and no table proves, such as a count of persons typed by hand).
        name: the table, the quarter, the reference file, the path, or what is declared.
        as_of: the day of knowledge, where there is one.
        districts: the districts asked about; empty for all.
        source: what figures made from it rest on: "register", "demo", "published", "own" (a researcher's own file),
            "result" (protected figures of other jobs) or "unknown"; empty where no figure is made from it.
        personal: whether a row of it is a person, or says something of persons.
        absent: the districts that had not reported.
        title: the source's name in words, where no catalogue of ours knows it.
        known: the day of knowledge that was asked for: what had been imported by then; empty for the newest.
    """

    kind: str
    name: str
    as_of: str = ""
    districts: tuple[str, ...] = ()
    source: str = ""
    personal: bool = False
    absent: tuple[str, ...] = ()
    title: str = ""
    known: str = ""


_NOTED: dict[Read, None] = {}  # what this process has read: a kernel is one job


def reads_so_far() -> tuple[Read, ...]:
    """Everything that this process has read, each once, in order."""
    return tuple(_NOTED)


def forget_reads() -> None:
    """Begin anew: for a process that becomes a job's kernel after it has loaded the library."""
    _NOTED.clear()


def without_persons(reads: Iterable[Read]) -> bool:
    """Whether nothing read holds persons, or may: a file without a description may, a module or a description not."""
    listed = tuple(reads)
    described = {read.name for read in listed if read.source}

    def may(read: Read) -> bool:
        is_data = read.kind == "files" and not read.name.endswith((".py", ".toml")) and read.name not in described
        return read.personal or read.source == "unknown" or is_data

    return not any(map(may, listed))


def note_read(read: Read) -> None:
    """Note that this job read something: for its own figures, and for the run that decides what is stale."""
    _NOTED[read] = None
    if path := os.environ.get(READS_VARIABLE):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(read), ensure_ascii=False) + "\n")


def noted(path: Path) -> tuple[Read, ...]:
    """What a job noted, each once; nothing where it noted nothing."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    found = [json.loads(line) for line in lines]
    lists = ("districts", "absent")
    return tuple(sorted({Read(**one | {name: tuple(one.get(name, ())) for name in lists}) for one in found}))


def once_a_run(function: Function) -> Function:
    """A pure function whose result the first job of a run computes and the others read.

    The key is the function and the content of its arguments, so that other arguments are another result. The warnings
    that it raised and the reads that it noted are repeated for each reader, so that no job can tell who computed it. An
    error is nobody's result: each job meets its own. Outside a run the function is called as it stands.
    """

    @functools.wraps(function)
    def shared(*args: Any, **kwargs: Any) -> Any:
        folder = os.environ.get(SHARED_VARIABLE)
        if not folder:
            return function(*args, **kwargs)
        name = f"{function.__module__}.{function.__qualname__}"
        try:
            place = Path(folder) / digest((name, args, kwargs))
        except CANNOT_BE_PICKLED:  # such as a generator: only this call can use it up
            return function(*args, **kwargs)
        with FileLock(place.with_suffix(".lock")):
            kept = _stored(place) or _computed(function, args, kwargs, place)
        return kept.told()

    return shared


@dataclass(frozen=True)
class _Kept:
    """A result with what its making said."""

    value: Any
    warned: tuple[tuple[Any, type[Warning], str, int], ...]
    reads: tuple[Read, ...]

    def told(self) -> Any:
        for read in self.reads:
            note_read(read)
        for message, category, file, line in self.warned:
            warnings.warn_explicit(message, category, file, line)
        return self.value


def _computed(function: Callable[..., Any], args: tuple, kwargs: Mapping[str, Any], place: Path) -> _Kept:
    before, notes = os.environ.get(READS_VARIABLE), place.with_suffix(f".reads-{os.getpid()}")
    os.environ[READS_VARIABLE] = str(notes)
    try:
        with warnings.catch_warnings(record=True) as caught:
            value = function(*args, **kwargs)
    finally:
        os.environ.pop(READS_VARIABLE) if before is None else os.environ.update({READS_VARIABLE: before})
    warned = tuple((str(one.message), one.category, one.filename, one.lineno) for one in caught)
    kept = _Kept(value, warned, noted(notes))
    notes.unlink(missing_ok=True)
    _store(kept, place)
    return kept


def _store(kept: _Kept, place: Path) -> None:
    """Whole or not at all; what cannot be stored is only computed again by the next job."""
    try:
        content = pickle.dumps(kept, protocol=pickle.HIGHEST_PROTOCOL)
        handle, temporary = tempfile.mkstemp(dir=place.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(place)
    except (OSError, *CANNOT_BE_PICKLED) as error:
        logger.warning("not shared with the run's other jobs: %s: %s", type(error).__name__, error)


def _stored(place: Path) -> _Kept | None:
    if not place.is_file():
        return None
    try:
        with place.open("rb") as file:  # written by a job of this run alone, into the run's own folder
            return pickle.load(file)
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError) as error:
        logger.warning("what another job shared cannot be read here: %s: %s", type(error).__name__, error)
        return None


def lock(file: IO[Any] | int, *, wait: bool) -> bool:
    """Lock an open file for this process; the operating system lets go when it is closed or the process ends.

    Returns:
        Whether the lock was got (always, with `wait`).
    """
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            handle = file if isinstance(file, int) else file.fileno()
            os.lseek(handle, 1 << 20, os.SEEK_SET)  # a byte beyond the text, so that the holder's line stays readable
            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    except OSError:
        if wait:
            raise
        return False
    return True


def digest(value: Any) -> str:
    """Hash of a value's content: the same in every process, and another for another type, order, index or name."""
    import pandas as pd
    from joblib.hashing import NumpyHasher

    class Hasher(NumpyHasher):
        """joblib's, which hashes the bytes of arrays; of tables it is given the rows, however they lie in memory."""

        def save(self, obj: Any) -> None:
            if isinstance(obj, pd.Series | pd.Index):
                obj = (type(obj).__name__, obj.to_frame())
            elif isinstance(obj, pd.DataFrame):
                columns = [_column(obj.iloc[:, position]) for position in range(obj.shape[1])]
                index = [*obj.index.names, pd.util.hash_pandas_object(obj.index).to_numpy()]
                obj = ("DataFrame", list(obj.columns), [str(one) for one in obj.dtypes], index, columns, obj.attrs)
            super().save(obj)

    return Hasher("sha256").hash(value)


def _column(column: Any) -> Any:
    import pandas as pd

    categories = list(column.cat.categories) if isinstance(column.dtype, pd.CategoricalDtype) else []
    try:
        return [*categories, pd.util.hash_pandas_object(column, index=False).to_numpy()]
    except TypeError:  # cells that hold lists and the like
        return [*categories, *column]
