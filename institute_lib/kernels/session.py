"""An IPython extension for every kernel of the project, in a run, cold or forked, and in JupyterLab.

Modules are looked for in the notebook's folder, then in the project's root. In a job of a run, files of the project
that the notebook opens by itself are noted as read, so that a change of one makes the job stale.
"""

import os
import sys
from pathlib import Path
from typing import Any

from institute_lib import paths, sharing

# What has reads of its own kind, or is no input: registers are noted by table and day, results by their job.
NOT_NOTED = ("papermill_runs", ".cache", ".git", ".venv", "data/reference")
REGISTERS = ("data/registers", "data/demo")
WRITING = os.O_WRONLY | os.O_RDWR


def load_ipython_extension(shell: Any) -> None:
    """Prepare the kernel; IPython calls it before the first cell."""
    root = str(paths.root())
    if root not in sys.path:
        sys.path.append(root)
    if os.environ.get(sharing.READS_VARIABLE):
        _note_opened_files(paths.root())


def _note_opened_files(root: Path) -> None:
    top, noted = f"{root}{os.sep}", set()
    left_out = tuple(f"{root / part}{os.sep}" for part in (*NOT_NOTED, paths.PACKAGE.name))
    left_out += (f"{paths.PACKAGE}{os.sep}", f"{sys.prefix}{os.sep}", f"{sys.base_prefix}{os.sep}")
    registers = tuple(f"{root / part}{os.sep}" for part in REGISTERS)

    def note(event: str, given: tuple) -> None:
        if event != "open" or not isinstance(given[0], str) or not isinstance(given[2], int) or given[2] & WRITING:
            return
        path = os.path.abspath(given[0])  # noqa: PTH100 – called at every opening of a file: a string will do
        if path in noted or not path.startswith(top) or path.startswith(left_out) or path.endswith(".ipynb"):
            return
        if path.startswith(registers):
            if not _asked_by_library():  # which notes what it reads of them; nothing protects what goes past it
                noted.add(path)
                sharing.note_read(sharing.Read("files", path, source="unknown", personal=True))
            return
        noted.add(path)
        if path.endswith(".pyc"):
            path = str(Path(path).parent.parent / f"{Path(path).name.split('.')[0]}.py")
        if Path(path).is_file():
            sharing.note_read(sharing.Read("files", path))

    sys.addaudithook(note)


def _asked_by_library() -> bool:
    """Whether a function of this library is being called; what makes the kernel itself always is."""
    top, kernels, frame = f"{paths.PACKAGE}{os.sep}", str(Path(__file__).parent), sys._getframe(2)
    while frame:
        if frame.f_code.co_filename.startswith(top) and not frame.f_code.co_filename.startswith(kernels):
            return True
        frame = frame.f_back
    return False
