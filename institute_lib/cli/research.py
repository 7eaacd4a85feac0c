"""Commands of the room that researchers work in: `new · lab`."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from institute_lib.cli.data import write_demo
from institute_lib.cli.options import language_option
from institute_lib.cli.saying import say, words


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Their options."""
    one = command("new", _new, "write a new notebook from the template, and its entry in the plan")
    one.add_argument("title", help='one title, or "Chinese / English"')
    one.add_argument("--name", default="", help="its file's name without number (default: from the English title)")
    language_option(one)
    text = "open JupyterLab on the notebooks, on this computer alone; further options go to jupyter lab"
    command("lab", _lab, text).set_defaults(passes_on=True)


def _new(given: argparse.Namespace) -> None:
    from institute_lib import runs, terms

    language = terms.check_language(given.language or "zh")
    path = runs.new_notebook(given.title, name=given.name)
    say(words("new_notebook", language, path=path))
    say(words("new_planned", language, python=_interpreter(), name=path.stem))


def _interpreter() -> str:
    """This interpreter as a user types it in the project's folder."""
    here, running = Path.cwd(), Path(sys.executable)
    return str(running.relative_to(here)) if running.is_relative_to(here) else "python"


def _lab(given: argparse.Namespace) -> int:
    from institute_lib import lab, tables
    from institute_lib.errors import DataError

    if not lab.strip_outputs():
        sys.stderr.write("institute: no git checkout: outputs of notebooks are not stripped on commit\n")
    try:
        tables.locate("workers", "9999-12-31")
    except DataError:  # neither a register nor the demo's: a notebook could not be tried
        write_demo()
    return lab.start(given.options)
