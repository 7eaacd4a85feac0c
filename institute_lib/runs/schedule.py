"""A systemd timer and a cron line that run the last closed quarter; both fail visibly if any job fails."""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from institute_lib import paths, terms
from institute_lib.errors import ParameterError

# Each night from the fifth day after a quarter closes to the end of the month: a run in which nothing changed takes a
# second, a district that reports late runs what it touches, and what failed is tried again.
CALENDAR = "*-01,04,07,10-05..31 02:00:00"
CRON = "0 2 5-31 1,4,7,10 *"
COMMAND = ("-m", "institute_lib", "run", "last", "--scheduled")
NOTIFY_SECONDS = 60
NAME = "institute-quarter"


def service() -> str:
    """The systemd unit that runs once; its state is `failed` if any job failed."""
    return (
        "[Unit]\nDescription=Quarterly run of the research workbench\n\n"
        "[Service]\nType=oneshot\n"
        f"WorkingDirectory={_escaped(paths.root())}\n"
        f'Environment="INSTITUTE_HOME={_quoted(paths.root())}"\n'
        f'ExecStart="{_quoted(sys.executable).replace("$", "$$")}" {" ".join(COMMAND)}\nNice=10\n'
    )


def timer() -> str:
    """The systemd unit that starts it; a computer that was off catches up."""
    return (
        "[Unit]\nDescription=Quarterly run of the research workbench, in the month after each quarter\n\n"
        f"[Timer]\nOnCalendar={CALENDAR}\nPersistent=true\nRandomizedDelaySec=10min\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )


def cron() -> str:
    """The same as a line of a crontab, which mails what goes wrong."""
    home = shlex.quote(str(paths.root()))
    line = f"{CRON} cd {home} && INSTITUTE_HOME={home} {shlex.join([sys.executable, *COMMAND])}"
    return line.replace("%", r"\%") + "\n"


def text() -> str:
    """Both, with where to put them."""
    return (
        f"# ~/.config/systemd/user/{NAME}.service\n{service()}\n"
        f"# ~/.config/systemd/user/{NAME}.timer\n{timer()}\n"
        f"# then: systemctl --user enable --now {NAME}.timer\n\n"
        f"# or, without systemd, in `crontab -e`:\n{cron()}"
    )


def install(folder: Path) -> tuple[Path, Path]:
    """Write both units into a folder.

    Raises:
        ParameterError: there is no such folder, or a unit of the name is there already.
    """
    if not folder.is_dir():
        raise terms.error(ParameterError, "runs.error_schedule_folder", folder=folder)
    written = (folder / f"{NAME}.service", folder / f"{NAME}.timer")
    for path, content in zip(written, (service(), timer()), strict=True):
        if path.exists() and path.read_text(encoding="utf-8") != content:
            raise terms.error(ParameterError, "runs.error_schedule_other", path=path)
        path.write_text(content, encoding="utf-8")
    return written


def notify(plan: Mapping[str, Any], *, subject: str, text: str) -> str:
    """Tell whom the plan names under [notify], by its `command` (the text on standard input) or by `mail`.

    Returns:
        Why nobody could be told; empty if all went well or nobody is named.
    """
    commands = [shlex.split(plan["command"])] if plan.get("command") else []
    commands += [["mail", "-s", subject, plan["mail"]]] if plan.get("mail") else []
    for command in commands:
        try:
            done = subprocess.run(
                command, input=f"{subject}\n\n{text}\n", text=True, timeout=NOTIFY_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{command[0]}: {error}"
        if done.returncode:
            return f"{command[0]}: status {done.returncode}"
    return ""


def _escaped(path: object) -> str:
    """A path as systemd reads it without quotation marks: to the end of the line."""
    return str(path).replace("%", "%%")


def _quoted(path: object) -> str:
    return _escaped(path).replace("\\", "\\\\").replace('"', '\\"')
