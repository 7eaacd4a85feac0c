"""Commands about data: `import · check · demo · key`."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from institute_lib.cli.options import language_option
from institute_lib.cli.saying import BAD_INPUT, in_full, say, words


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Their options."""
    one = command("import", _import, "import a register from workbooks or CSV files; all of it or nothing")
    one.add_argument("files", nargs="*", type=Path, help="workbooks or CSV files; with --compare they may be left out")
    one.add_argument("--table", default="workers", help="the table it is (default: workers)")
    one.add_argument("--as-of", help="the day that the register describes, such as 2025-12-31 (default: today)")
    one.add_argument("--accept-warnings", action="store_true", help="keep it although there are warnings")
    one.add_argument("--compare", action="store_true", help="count joiners, leavers, corrections since the last one")
    one.add_argument("--dry-run", action="store_true", help="say what would be kept, and keep nothing")
    one.add_argument("--report", type=Path, metavar="FILE", help="write what was found to this .xlsx or .json too")
    language_option(one)
    one = command("check", _check, "check every table that is there against its contract")
    one.add_argument("--as-of", help="as known on this day")
    language_option(one)
    one = command("demo", _demo, "write the demo registers")
    language_option(one)
    one = command("key", _key, "make the institute's pseudonym key, or one's own key for signing releases")
    one.add_argument("action", choices=["new", "person"], help="new: the pseudonym key; person: one's own")
    one.add_argument("--name", default="", help="person: the name that is printed in releases (default: the account)")
    language_option(one)


def _import(given: argparse.Namespace) -> int:
    """A refused register ends with all that was found in the reader's language; the report is written either way."""
    from institute_lib import registers, terms

    language = terms.check_language(given.language or "zh")
    if not given.files and given.compare:
        say(registers.compare(given.table, day=given.as_of).summary(language))
        return 0
    if given.report:
        registers.check_report(given.report)
    options = {"table": given.table, "as_of": given.as_of, "accept_warnings": given.accept_warnings}
    try:
        receipt = registers.import_files(given.files, **options, keep=not given.dry_run)
    except registers.RegisterError as refused:
        _keep_report(refused.report, given.report, language)
        told = (words("refused", language, table=given.table), refused.report.listing(language))
        sys.stderr.write("institute: " + "\n".join((*told, refused.report.summary(language))) + "\n")
        return BAD_INPUT
    _keep_report(receipt.report, given.report, language)
    told = receipt.report.listing(language) if receipt.report.found else ""
    say("\n".join(filter(None, (told, receipt.report.summary(language), receipt.summary(language)))))
    for path in receipt.paths:
        say(words("imported", language, path=path))
    if given.compare:
        say(receipt.comparison.summary(language) if receipt.comparison else words("nothing_before", language))
    return 0


def _keep_report(report: Any, path: Path | None, language: str) -> None:
    if path:
        say(words("report", language, path=report.save(path, language=language)))


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
