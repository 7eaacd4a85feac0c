"""What may be removed because it can be made again; registers, releases, plans and notebooks are never among it."""

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from institute_lib import paths, terms
from institute_lib.errors import ParameterError
from institute_lib.runs import places

RUN_FOLDER = re.compile(r"\d{4}Q[1-4](-en)?")
OF_A_RUN = ("index.html", "compare.html", "plotly.min.js", places.SUMMARY, places.LOGS, places.RUNNING, places.LOCK)


@dataclass(frozen=True)
class Generated:
    """A file or folder that can be made again, with its size."""

    path: Path
    bytes: int


def generated(quarter: str | None = None) -> tuple[Generated, ...]:
    """The jobs of a quarter's run, its page and its logs; without a quarter those of all, and the caches.

    Raises:
        ParameterError: nothing was run in the quarter, or it is being run now.
    """
    folders = [path for path in sorted(paths.runs().glob("*")) if path.is_dir() and RUN_FOLDER.fullmatch(path.name)]
    if quarter is not None:
        folders = [path for path in folders if path.name.removesuffix("-en") == quarter]
        if not folders:
            raise terms.error(ParameterError, "runs.error_clean_nothing", quarter=quarter, folder=paths.runs())
    for folder in folders:
        if holder := places.holder(folder):
            raise terms.error(ParameterError, "runs.error_clean_busy", folder=folder.name, holder=holder)
    found = [path for folder in folders for path in _of_run(folder)]
    if quarter is None and paths.cache().is_dir():
        found.append(paths.cache())
    return tuple(Generated(path, _bytes(path)) for path in found)


def _of_run(folder: Path) -> list[Path]:
    jobs = {place.parent for name in (places.MANIFEST, places.FAILURE) for place in folder.glob(f"*/*/{name}")}
    return [*sorted(jobs), *(folder / name for name in OF_A_RUN if (folder / name).exists())]


def remove(found: Iterable[Generated]) -> None:
    """Remove them, and the folders that are empty after it."""
    for one in found:
        if one.path.is_dir():
            shutil.rmtree(one.path)
        else:
            one.path.unlink(missing_ok=True)
        for folder in one.path.parents:
            if folder in (paths.runs(), paths.root()) or any(folder.iterdir()):
                break
            folder.rmdir()


def _bytes(path: Path) -> int:
    return (
        path.stat().st_size if path.is_file() else sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    )
