"""Commands about data: `check · demo · key`."""

import argparse
import sys
from collections.abc import Callable

from institute_lib.cli.options import language_option
from institute_lib.cli.saying import BAD_INPUT, in_full, say, words


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Their options."""
    one = command("check", _check, "check every table that is there against its contract")
    one.add_argument("--as-of", help="as known on this day")
    language_option(one)
    one = command("demo", _demo, "write the demo registers")
    language_option(one)
    one = command("key", _key, "make the institute's pseudonym key, or one's own key for signing releases")
    one.add_argument("action", choices=["new", "person"], help="new: the pseudonym key; person: one's own")
    one.add_argument("--name", default="", help="person: the name that is printed in releases (default: the account)")
    language_option(one)


def _check(given: argparse.Namespace) -> int:
    """Every table that is there; faults of all of them, then status 2."""
    from institute_lib import tables, terms
    from institute_lib.errors import DataError

    language, failed = given.language or "zh", False
    for name in tables.CONTRACTS:
        try:
            tables.locate(name, given.as_of or "9999-12-31")
        except DataError:
            say(words("not_there", language, table=name))
            continue
        try:
            frame = tables.load(name, as_of=given.as_of)
        except DataError as error:
            failed = True
            sys.stderr.write(f"{in_full(error, language)}\n")
            continue
        source = words(f"source_{frame.attrs['source']}", language)
        say(words("sound", language, table=name, rows=terms.number(len(frame), language), source=source))
    return BAD_INPUT if failed else 0


def _demo(given: argparse.Namespace) -> None:
    write_demo(given.language)


def write_demo(language: str | None = None) -> None:
    """The demo registers, where none are imported or somebody asks for them."""
    from institute_lib import demo

    written = demo.write(progress=lambda name: sys.stderr.write(f"demo: {name}\n"))
    say(written.summary(language or "zh"))


def _key(given: argparse.Namespace) -> None:
    from institute_lib import registers, terms

    if given.action == "new":
        say(str(registers.new_key()))
        return
    from institute_lib.release import people

    private, public = people.new(given.name)
    say(terms.text("release.key_made", given.language or "zh", private=private, public=public))
