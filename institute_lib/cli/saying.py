"""How the command line speaks: to the screen, in the reader's language, an error with all of its faults."""

import os
import sys
from typing import Any

from institute_lib.errors import InstituteError

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130


def say(text: str) -> None:
    """Write to the screen. Where that is gone (a closed pipe, a full disk) nothing fails: what was done is done."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def speak_any_language() -> None:
    """Let a console that lacks a character (𠮷 in GBK) show a mark in its place."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def words(key: str, language: str | None, **values: Any) -> str:
    from institute_lib import terms

    return terms.text(f"cli.{key}", language or "zh", **values)


def in_full(error: InstituteError, language: str) -> str:
    """An error's words; of data that break their contract every fault, not only the first ones."""
    faults = getattr(error, "faults", ())
    said = error.say(language)
    return "\n".join([said.splitlines()[0], *(f"  {fault}" for fault in faults)]) if faults else said
