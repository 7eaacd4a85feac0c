"""Commands about the institute's own registers: `import · template · registers`."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from institute_lib.cli.options import language_option
from institute_lib.cli.saying import BAD_INPUT, say, words

ACTIONS = ("list", "show", "undo", "replace", "missing", "link", "rekey", "forget", "log")


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Their options."""
    one = command("import", _import, "import a register from workbooks or CSV files; all of it or nothing")
    one.add_argument("files", nargs="*", type=Path, help="workbooks or CSV files; with --compare they may be left out")
    _import_options(one)
    one = command("template", _template, "write an empty workbook to fill in, with drop-down lists and a guide")
    one.add_argument("tables", nargs="*", metavar="TABLE", help="workers, stations, … (default: every table)")
    one.add_argument("--quarter", help="the quarter whose last day stands in the titles (default: the last closed one)")
    one.add_argument("--to", type=Path, metavar="FILE", help="where to write it")
    language_option(one)
    one = command("registers", _registers, "list, show, undo, replace, answer for, link, re-key or forget what is kept")
    one.add_argument("action", nargs="?", default="list", choices=ACTIONS)
    one.add_argument(
        "arguments",
        nargs="*",
        help="show, undo: a number; replace, rekey: files; link, forget: a file; missing: DISTRICT QUARTER left|keep",
    )
    _import_options(one)


def _import_options(one: argparse.ArgumentParser) -> None:
    one.add_argument("--table", help="the table it is (default: workers)")
    one.add_argument("--quarter", help="the quarter that a state describes, such as 2025Q4, or that is to be forgotten")
    one.add_argument("--as-of", help="the day that a state describes, such as 2025-12-31 (default: what the file says)")
    one.add_argument("--missing", choices=["left", "keep"], help="people no longer listed have left, or were left out")
    one.add_argument("--replace", action="store_true", help="take the place of what is kept of the same time and place")
    one.add_argument(
        "--yes", "--accept-warnings", action="store_true", help="confirm every warning; recorded with your name"
    )
    one.add_argument("--confirm", action="append", metavar="NAME", help="confirm one kind of warning, by its name")
    one.add_argument("--compare", action="store_true", help="count joiners, leavers, corrections since the last one")
    one.add_argument("--dry-run", action="store_true", help="say what would be kept, and keep nothing")
    one.add_argument("--report", type=Path, metavar="FILE", help="the marked workbook (.xlsx), or findings as .json")
    language_option(one)


def _import(given: argparse.Namespace) -> int:
    """A refused register ends with all that was found in the reader's language, and comes back marked."""
    from institute_lib import registers, terms

    language = terms.check_language(given.language or "zh")
    table = given.table or "workers"
    if not given.files and given.compare:
        say(registers.compare(table, day=given.as_of).summary(language))
        return 0
    if given.report:
        registers.check_report(given.report)
    try:
        receipt = registers.import_files(
            given.files,
            table=table,
            as_of=given.as_of,
            quarter=given.quarter,
            replace_states=given.replace,
            missing=given.missing,
            accept_warnings=given.yes,
            confirm=[name.strip() for names in given.confirm or () for name in names.split(",")],
            keep=not given.dry_run,
            compare=given.compare,
        )
    except registers.RegisterError as refused:
        _keep_report(refused.report, given.report, language)
        told = (words("refused", language, table=table), refused.report.listing(language))
        sys.stderr.write("institute: " + "\n".join((*told, refused.report.summary(language))) + "\n")
        return BAD_INPUT
    _keep_report(receipt.report, given.report, language)
    told = receipt.report.listing(language) if receipt.report.found else ""
    lines = (told, receipt.report.summary(language), receipt.summary(language), *receipt.messages(language))
    say("\n".join(filter(None, lines)))
    for path in receipt.paths:
        say(words("imported", language, path=path))
    if given.compare:
        say(receipt.comparison.summary(language) if receipt.comparison else words("nothing_before", language))
    return 0


def _keep_report(report: Any, path: Path | None, language: str) -> None:
    """The office's answer: its workbook marked, or a report for machines; a register that is kept stays kept."""
    from institute_lib import registers

    for line in registers.hand_back(report, path, language=language):
        say(line)


def _template(given: argparse.Namespace) -> None:
    """Templates of the tables that are named, in one workbook; under the table's own name, if it is one."""
    from institute_lib import registers, terms

    language = terms.check_language(given.language or "zh")
    one = terms.label(given.tables[0], "zh", column="table") if len(given.tables) == 1 else ""
    to = given.to or Path(terms.text("registers.template_file", language, table=one))
    said = registers.write_template(to, given.tables, quarter=given.quarter)
    say(terms.text("registers.template", language, path=said))


def _registers(given: argparse.Namespace) -> int:
    from institute_lib import registers, terms
    from institute_lib.errors import ParameterError

    language = terms.check_language(given.language or "zh")
    wanted = {"show": 1, "undo": 1, "missing": 3, "link": 1, "list": 0, "log": 0}.get(given.action)
    if wanted is not None and len(given.arguments) != wanted:
        raise terms.error(ParameterError, "cli.registers_arguments", action=given.action, number=wanted)
    if given.action == "list":
        return _list(given.table, language)
    if given.action == "log":
        return _log()
    if given.action == "replace":
        given.files, given.replace = [Path(name) for name in given.arguments], True
        return _import(given)
    if given.action == "show":
        import json

        say(json.dumps(registers.show(_number(given.arguments[0])), ensure_ascii=False, indent=1))
    elif given.action == "undo":
        done = registers.undo(_number(given.arguments[0]))
        say(words("undone", language, number=done.entry.number))
        if done.asked_again:
            say(words("asked_again", language, number=done.asked_again))
    elif given.action == "missing":
        answered = registers.answer(*given.arguments)
        number = sum(len(gap.open) for gap in answered)
        say(words(f"answered_{given.arguments[2]}", language, number=number))
    elif given.action == "link":
        say(words("linked", language, number=registers.link(given.arguments[0])))
    elif given.action == "rekey":
        say(words("rekeyed", language, number=registers.rekey(given.arguments)))
    else:
        path = given.arguments[0] if given.arguments else None
        if path is None and given.quarter is None:
            raise terms.error(ParameterError, "cli.registers_arguments", action="forget", number=1)
        rows = registers.forget(path, quarter=given.quarter, keep=given.yes)
        say(words("forgotten" if given.yes else "would_forget", language, rows=rows))
    return 0


def _number(text: str) -> int:
    from institute_lib import terms
    from institute_lib.errors import ParameterError

    if not text.isdigit():
        raise terms.error(ParameterError, "registers.error_no_number", number=text, last="—")
    return int(text)


def _list(table: str | None, language: str) -> int:
    """Everything that was imported, then what waits for an answer."""
    from institute_lib import registers, terms
    from institute_lib.registers import screen
    from institute_lib.registers.districts import filed_name

    held = registers.holdings(table)
    if held.empty:
        say(words("nothing_held", language))
        return 0
    shown = held.copy()
    shown["table"] = [terms.label(name, language, column="table") for name in held["table"]]
    shown["district"] = [filed_name(code, language) for code in held["district"]]
    shown["state"] = [words(f"held_{state}", language) for state in held["state"]]
    headers = [words(f"held_{column}", language) for column in shown]
    say(screen.align(headers, shown.astype(str).to_numpy().tolist()))
    for gap in registers.gaps():
        if gap.open:
            name, day = filed_name(gap.district, language), terms.date(gap.last, language)
            say(words("waits", language, district=name, day=day, number=len(gap.open)))
    return 0


def _log() -> int:
    from institute_lib.tables import journal

    path = journal.folder() / journal.LOG
    say(path.read_text(encoding="utf-8").rstrip() if path.is_file() else "")
    return 0
