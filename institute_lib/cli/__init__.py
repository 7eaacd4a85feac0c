"""The command line: `institute import · registers · run · status · brief · release · approve · demo · new · lab` …

A wrong input ends with one clear message and status 2, a failed job with status 1, never with a traceback.
"""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from institute_lib.cli import data, quarters, registers, releasing, research
from institute_lib.cli.saying import BAD_INPUT, INTERRUPTED, in_full, say, speak_any_language, words
from institute_lib.errors import InstituteError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status: 0 well, 1 a job failed, 2 bad input."""
    speak_any_language()
    top = parser()
    given, given_options = top.parse_known_args(arguments)
    if given_options and not getattr(given, "passes_on", False):
        top.error(f"unrecognized arguments: {' '.join(given_options)}")
    given.options = given_options
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that knows no Chinese shows escapes instead of a traceback
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    language = getattr(given, "language", None) or "zh"
    try:
        with _terminated_as_interrupted():
            status = given.command(given) or 0
            sys.stdout.flush()
            return status
    except InstituteError as error:
        sys.stderr.write(f"institute: {in_full(error, language)}\n")
        return BAD_INPUT
    except BrokenPipeError:  # whoever reads has seen enough: `institute status … | head`
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 – for the flush at the very end
        return 0
    except OSError as error:
        if error.filename is None:
            raise
        path = Path(os.fsdecode(error.filename))
        sys.stderr.write(f"institute: {words('not_writable', language, path=path, why=error.strerror)}\n")
        return BAD_INPUT
    except KeyboardInterrupt:
        sys.stderr.write(f"institute: {words('interrupted', language)}\n")
        return INTERRUPTED


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A service that is stopped (SIGTERM) ends as one that a user interrupts: what was finished is written down."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(prog="institute", description="Research workbench: registers in, briefs out.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Callable[[argparse.Namespace], int | None], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=function)
        return added

    for group in (registers, data, quarters, releasing, research):
        group.add(command)
    setup = command("setup", _setup, "create or update the virtual environment (.venv)")
    setup.add_argument("--tests", action="store_true", help="also what testing needs")
    command("version", _version, "print the versions that a run records")
    return top


def _setup(given: argparse.Namespace) -> None:
    from institute_lib import environment

    environment.create(environment.PROJECT / ".venv", tests=given.tests)


def _version(given: argparse.Namespace) -> None:
    from importlib.metadata import version

    from institute_lib.runs.fingerprints import versions

    say(f"institute-lib {version('institute-lib')}")
    for name, number in versions().items():
        say(f"{name} {number}")
