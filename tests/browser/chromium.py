"""Finds Chromium for the browser tests, else installs it, else says which command to type.

python tests/browser/chromium.py        prints the path of the browser
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge")
# A fresh machine knows no package by name before its lists are fetched.
APT_LISTS = ["apt-get", "update"]
APT = ["apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-noto-cjk"]
OWN = [sys.executable, "-m", "playwright", "install", "chromium"]


class NoChromium(RuntimeError):
    """No browser is here and none could be installed; the message holds the command to type."""


def find() -> str | None:
    """The path of a Chromium: INSTITUTE_CHROMIUM, one on the PATH, or playwright's own."""
    named = os.environ.get("INSTITUTE_CHROMIUM")
    if named:
        return named
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    return found or _playwrights()


def _playwrights() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def install() -> None:
    """Install Chromium: the Debian package when root, else playwright's own.

    Raises:
        NoChromium: the installation failed.
    """
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    for command in (APT_LISTS, APT) if is_root and shutil.which("apt-get") else (OWN,):
        sys.stderr.write(f"no Chromium yet: {' '.join(command)}\n")
        _run(command)


def _run(command: list[str]) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=quiet)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise NoChromium(f"no Chromium, and `{' '.join(command)}` failed: {last[0]}\n{_advice()}")


def _advice() -> str:
    return (
        "Type one of:\n"
        f"  sudo {' '.join(APT_LISTS)} && sudo {' '.join(APT)}\n"
        f"  {' '.join(OWN)}\n"
        "or set INSTITUTE_CHROMIUM to the path of a Chromium, Chrome or Edge."
    )


def find_or_install() -> str:
    """The path of a Chromium, installed if need be.

    Raises:
        NoChromium: there is none and none could be installed.
    """
    found = find()
    if not found:
        install()
        found = find()
    if not found:
        raise NoChromium(f"Chromium was installed but is not found.\n{_advice()}")
    return found


if __name__ == "__main__":
    try:
        sys.stdout.write(find_or_install() + "\n")
    except NoChromium as missing:
        sys.exit(str(missing))
