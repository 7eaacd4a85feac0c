"""Finds LibreOffice, else installs it as the tests install Chromium, and saves workbooks and documents through it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("soffice", "libreoffice")
WRITER = "lowriter"
APT_LISTS = ["apt-get", "update"]
APT = [
    "apt-get",
    "install",
    "-y",
    "--no-install-recommends",
    "libreoffice-calc",
    "libreoffice-writer",
    "fonts-noto-cjk",
]
XLSX, PDF, WORD = "xlsx:Calc MS Excel 2007 XML", "pdf:calc_pdf_Export", "pdf:writer_pdf_Export"


class NoLibreOffice(RuntimeError):
    """It is not here and could not be installed; the message holds the command to type."""


def find_or_install() -> str:
    """The path of LibreOffice.

    Raises:
        NoLibreOffice: there is none and none could be installed.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    complete = found and shutil.which(WRITER)  # Debian parts it
    if not complete and is_root and shutil.which("apt-get"):
        for command in (APT_LISTS, APT):
            sys.stderr.write(f"no LibreOffice yet: {' '.join(command)}\n")
            quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(command, check=False, capture_output=True, env=quiet)
        found = next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise NoLibreOffice(f"no LibreOffice; type: sudo {' '.join(APT_LISTS)} && sudo {' '.join(APT)}")
    return found


def save(path: Path, folder: Path, kind: str = XLSX) -> Path:
    """Open a workbook or a document in LibreOffice and save it into another folder, as a workbook or a PDF."""
    folder.mkdir(parents=True, exist_ok=True)
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [find_or_install(), "--headless", profile, "--convert-to", kind, "--outdir", str(folder), str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return folder / f"{path.stem}.{kind.split(':', 1)[0]}"
