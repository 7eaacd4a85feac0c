"""Commands by which briefs leave: `release · approve`."""

import argparse
import sys
from collections.abc import Callable

from institute_lib.cli.options import language_option, resolved
from institute_lib.cli.saying import FAILED, say
from institute_lib.errors import ParameterError


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Their options."""
    one = command("release", _release, "ask that a quarter's briefs may leave; another person approves it")
    one.add_argument("quarter", nargs="?", metavar="QUARTER", help="such as 2025Q4, or `last` for the last closed one")
    one.add_argument("--accept", nargs="+", default=[], metavar="RULE", help="warnings of these rules may leave")
    one.add_argument("--why", default="", metavar="TEXT", help="why they may; printed in the record")
    one.add_argument("--show", metavar="NUMBER", help="print a request or a release instead, such as 2025Q4-1")
    one.add_argument("--verify", action="store_true", help="compare what was released with the signed record instead")
    language_option(one, "zh")
    one = command("approve", _approve, "release what another person asked for")
    one.add_argument("request", metavar="REQUEST", help="its number, such as 2025Q4-1")
    language_option(one, "zh")


def _release(given: argparse.Namespace) -> int:
    from institute_lib import paths, release, terms

    language = terms.check_language(given.language)
    if given.verify:
        return _verify(language)
    if given.show:
        say(release.show(given.show).describe(language))
        return 0
    if not given.quarter:
        raise ParameterError("release: say which QUARTER, or --show NUMBER, or --verify")
    asked = release.request(resolved(given.quarter), language=language, accept=given.accept, why=given.why)
    say(asked.describe(language))
    if not asked.number:
        return FAILED
    folder = paths.runs() / "releases" / "requests" / asked.number
    say(terms.text("release.ask_other", language, number=asked.number, folder=folder))
    return 0


def _verify(language: str) -> int:
    from institute_lib import release, terms
    from institute_lib.release import chain

    wrong = release.verify()
    for one in wrong:
        sys.stderr.write(f"{one.describe(language)}\n")
    if not wrong:
        say(terms.text("release.all_well", language, n=len(chain.sound())))
    return FAILED if wrong else 0


def _approve(given: argparse.Namespace) -> None:
    from institute_lib import release, terms

    language = terms.check_language(given.language)
    say(release.record_text(release.approve(given.request), language))
