"""The command line: `institute import · check · run · status · brief · release · demo · new · lab · key · schedule`.

A wrong input ends with one clear message and status 2, a failed job with status 1, never with a traceback.
"""

import argparse
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from institute_lib.errors import InstituteError, ParameterError

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130
LAST = "last"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status: 0 well, 1 a job failed, 2 bad input."""
    top = parser()
    given, given_options = top.parse_known_args(arguments)
    if given_options and not getattr(given, "passes_on", False):
        top.error(f"unrecognized arguments: {' '.join(given_options)}")
    given.options = given_options
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    language = getattr(given, "language", None) or "zh"
    try:
        with _terminated_as_interrupted():
            return given.command(given) or 0
    except InstituteError as error:
        sys.stderr.write(f"institute: {_in_full(error, language)}\n")
        return BAD_INPUT
    except KeyboardInterrupt:
        sys.stderr.write(f"institute: {_text('interrupted', language)}\n")
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


def _in_full(error: InstituteError, language: str) -> str:
    """An error's words; of data that break their contract every fault, not only the first ones."""
    faults = getattr(error, "faults", ())
    said = error.say(language)
    return "\n".join([said.splitlines()[0], *(f"  {fault}" for fault in faults)]) if faults else said


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(prog="institute", description="Research workbench: registers in, briefs out.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Callable[[argparse.Namespace], int | None], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=function)
        return added

    _add_data_commands(command)
    _add_run_commands(command)
    command("setup", _setup, "create or update the virtual environment (.venv)")
    command("version", _version, "print the versions that a run records")
    return top


def _add_data_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    one = command("import", _import, "import a register from workbooks or CSV files; all of it or nothing")
    one.add_argument("files", nargs="*", type=Path, help="workbooks or CSV files; with --compare they may be left out")
    one.add_argument("--table", default="workers", help="the table it is (default: workers)")
    one.add_argument("--as-of", help="the day that the register describes, such as 2025-12-31 (default: today)")
    one.add_argument("--accept-warnings", action="store_true", help="keep it although there are warnings")
    one.add_argument("--compare", action="store_true", help="count joiners, leavers, corrections since the last one")
    one.add_argument("--dry-run", action="store_true", help="say what would be kept, and keep nothing")
    one.add_argument("--report", type=Path, metavar="FILE", help="write what was found to this .xlsx or .json too")
    _language(one)
    one = command("check", _check, "check every table that is there against its contract")
    one.add_argument("--as-of", help="as known on this day")
    _language(one)
    one = command("demo", _demo, "write the demo registers")
    _language(one)
    one = command("key", _key, "make the pseudonym key")
    one.add_argument("action", choices=["new"])
    _language(one)


def _add_run_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    one = command("run", _run, "run a quarter's plan")
    _quarter(one)
    _selection(one)
    one.add_argument("--plan", type=Path, help="another plan than papermill_runs/quarterly.toml")
    one.add_argument("--workers", type=int, help="jobs at once (default: what processors and memory allow)")
    one.add_argument("--scheduler", help="address of a Dask scheduler, such as tcp://host:8786")
    one.add_argument("--force", action="store_true", help="run unchanged jobs too")
    one.add_argument("--cold", action="store_true", help="start ordinary kernels instead of forked ones")
    one.add_argument("--single", action="store_true", default=None, help="briefs of one file each, to be sent alone")
    one.add_argument("--log", choices=["auto", "bar", "lines", "json", "none"], default="auto")
    one = command("report", _report, "demo registers if there are none, the run of a quarter, and where to look")
    one.add_argument("quarter", nargs="?", metavar="QUARTER", help="default: the last quarter that the data cover")
    one = command("status", _status, "what is current, stale, failed or missing in a quarter, and why")
    _quarter(one)
    _selection(one)
    one.add_argument("--plan", type=Path, help="another plan than papermill_runs/quarterly.toml")
    one.add_argument("--json", action="store_true", help="as JSON")
    one = command("brief", _brief, "export an executed notebook as one HTML file")
    one.add_argument("notebook", type=Path)
    one.add_argument("output", type=Path, nargs="?", help="default: beside the notebook, .html")
    one.add_argument("--single", action="store_true", help="one file, even where a quarter's briefs share plotly")
    _language(one, "zh")
    one = command("release", _release, "take a quarter's briefs through the release gate")
    _quarter(one)
    one.add_argument("--by", metavar="NAME", help="who answers for the release (default: this account)")
    one.add_argument("--accept", nargs="+", default=[], metavar="RULE", help="warnings of these rules may leave")
    one.add_argument("--why", default="", metavar="TEXT", help="why they may")
    _language(one, "zh")
    one = command("new", _new, "write a new notebook from the template, and its entry in the plan")
    one.add_argument("title", help='one title, or "Chinese / English"')
    one.add_argument("--name", default="", help="its file's name without number (default: from the English title)")
    _language(one)
    text = "open JupyterLab on the notebooks, on this computer alone; further options go to jupyter lab"
    command("lab", _lab, text).set_defaults(passes_on=True)
    one = command("schedule", _schedule, "print a systemd timer and a cron line that run the last closed quarter")
    one.add_argument("--install", type=Path, metavar="FOLDER", help="write the two systemd units into this folder")


def _quarter(command: argparse.ArgumentParser) -> None:
    command.add_argument("quarter", metavar="QUARTER", help="such as 2025Q4, or `last` for the last closed one")


def _selection(command: argparse.ArgumentParser) -> None:
    command.add_argument("--areas", nargs="+", help="only these areas of the plan, codes or names")
    command.add_argument("--notebooks", nargs="+", help="only these notebooks of the plan")
    _language(command)


def _language(command: argparse.ArgumentParser, default: str | None = None) -> None:
    command.add_argument("--language", default=default, help="zh or en (default: the plan's)")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _text(key: str, language: str | None, **values: Any) -> str:
    from institute_lib import terms

    return terms.text(f"cli.{key}", language or "zh", **values)


def _setup(given: argparse.Namespace) -> None:
    from institute_lib import environment

    environment.create(environment.PROJECT / ".venv")


def _version(given: argparse.Namespace) -> None:
    from importlib.metadata import version

    from institute_lib.runs.fingerprints import versions

    _say(f"institute-lib {version('institute-lib')}")
    for name, number in versions().items():
        _say(f"{name} {number}")


def _import(given: argparse.Namespace) -> int:
    """A refused register ends with all that was found in the reader's language; the report is written either way."""
    from institute_lib import registers, terms

    language = terms.check_language(given.language or "zh")
    if not given.files and given.compare:
        _say(registers.compare(given.table, day=given.as_of).summary(language))
        return 0
    if given.report:
        registers.check_report(given.report)
    options = {"table": given.table, "as_of": given.as_of, "accept_warnings": given.accept_warnings}
    try:
        receipt = registers.import_files(given.files, **options, keep=not given.dry_run)
    except registers.RegisterError as refused:
        _keep_report(refused.report, given.report, language)
        told = (_text("refused", language, table=given.table), refused.report.listing(language))
        sys.stderr.write("institute: " + "\n".join((*told, refused.report.summary(language))) + "\n")
        return BAD_INPUT
    _keep_report(receipt.report, given.report, language)
    told = receipt.report.listing(language) if receipt.report.found else ""
    _say("\n".join(filter(None, (told, receipt.report.summary(language), receipt.summary(language)))))
    for path in receipt.paths:
        _say(_text("imported", language, path=path))
    if given.compare:
        _say(receipt.comparison.summary(language) if receipt.comparison else _text("nothing_before", language))
    return 0


def _keep_report(report: Any, path: Path | None, language: str) -> None:
    if path:
        _say(_text("report", language, path=report.save(path, language=language)))


def _check(given: argparse.Namespace) -> int:
    """Every table that is there; faults of all of them, then status 2."""
    from institute_lib import tables, terms
    from institute_lib.errors import DataError

    language, failed = given.language or "zh", False
    for name in tables.CONTRACTS:
        try:
            tables.locate(name, given.as_of or "9999-12-31")
        except DataError:
            _say(_text("not_there", language, table=name))
            continue
        try:
            frame = tables.load(name, as_of=given.as_of)
        except DataError as error:
            failed = True
            sys.stderr.write(f"{_in_full(error, language)}\n")
            continue
        source = _text(f"source_{frame.attrs['source']}", language)
        _say(_text("sound", language, table=name, rows=terms.number(len(frame), language), source=source))
    return BAD_INPUT if failed else 0


def _demo(given: argparse.Namespace) -> None:
    from institute_lib import demo

    written = demo.write(progress=lambda name: sys.stderr.write(f"demo: {name}\n"))
    _say(written.summary(given.language or "zh"))


def _lack_registers() -> bool:
    """Whether a table of the plan has no imported register, so that the demo stands in for it."""
    from institute_lib import runs, tables
    from institute_lib.errors import DataError

    def lacks(name: str) -> bool:
        try:
            return tables.locate(name, "9999-12-31").source == "demo"
        except DataError:
            return True

    return any(lacks(name) for name in ("workers", *runs.load_plan().tables))


def _key(given: argparse.Namespace) -> None:
    from institute_lib import registers

    _say(str(registers.new_key()))


def _run(given: argparse.Namespace) -> int:
    from institute_lib import runs

    return _finish(
        runs.run(
            given.plan,
            quarter=_resolved(given.quarter),
            areas=given.areas,
            notebooks=given.notebooks,
            workers=given.workers,
            scheduler=given.scheduler,
            force=given.force,
            language=given.language,
            progress=given.log,
            warm=not given.cold,
            single=given.single,
        )
    )


def _report(given: argparse.Namespace) -> int:
    from institute_lib import runs, tables

    if _lack_registers():
        _demo(argparse.Namespace(language=None))
    return _finish(runs.run(quarter=_resolved(given.quarter or tables.covered_quarters()[-1])))


def _finish(summary: Any) -> int:
    """Tell what failed and where to look; a failed job's own words stay in its internal copy."""
    from institute_lib.runs.places import FAILED as COPY

    for outcome in summary.failed:
        copy = summary.folder / outcome.job.notebook / outcome.job.area / COPY
        where = f" [{outcome.failure.cell}]" if outcome.failure.cell else ""
        kind = f"{outcome.failure.kind}{where}"
        sys.stderr.write(_text("failed_where", summary.language, job=outcome.job, kind=kind, path=copy) + "\n")
    _say(summary.summary())
    _say(_text("open", summary.language, path=summary.index.resolve()))
    return FAILED if summary.exit_status else 0


def _resolved(quarter: str) -> str:
    """A quarter, `last` being the one that closed last by this computer's calendar."""
    if quarter != LAST:
        return quarter
    import pandas as pd

    return str(pd.Timestamp.now().to_period("Q") - 1)


def _status(given: argparse.Namespace) -> int:
    from institute_lib import areas, runs
    from institute_lib.runs.states import last_run, not_reported

    plan = runs.load_plan(given.plan)
    quarter, language = _resolved(given.quarter), given.language or plan.language
    jobs = runs.status(plan, quarter=quarter, areas=given.areas, notebooks=given.notebooks, language=given.language)
    if given.json:
        rows = [{**asdict(one.job), "state": one.state, "why": one.why, "made": one.made} for one in jobs]
        _say(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        for one in jobs:
            kept = _text("kept", language, made=one.made) if one.state == "failed" and one.made else ""
            _say(f"{one.state:8} {one.job!s:34} {one.why}{kept}".rstrip())
        if unfinished := last_run(quarter, language):
            _say(_text(f"run_{unfinished.state}", language, started=unfinished.started, holder=unfinished.holder))
        late = [areas.get(code).name(language) for code in not_reported(plan, quarter=quarter)]
        if late:
            _say(_text("late", language, names=("、" if language == "zh" else ", ").join(late)))
    return FAILED if any(one.state == "failed" for one in jobs) else 0


def _brief(given: argparse.Namespace) -> None:
    from institute_lib import brief

    if not given.notebook.is_file():
        raise ParameterError(f"no notebook at {given.notebook}")
    output = given.output or given.notebook.with_suffix(".html")
    shares = not given.single and (output.parent / f"../../{brief.SHARED_NAME}").is_file()
    shared = f"../../{brief.SHARED_NAME}" if shares else None
    _say(str(brief.export(given.notebook, output, language=given.language, shared=shared)))


def _release(given: argparse.Namespace) -> int:
    from institute_lib import release

    record = release.release(
        _resolved(given.quarter), by=given.by, language=given.language, accept=given.accept, why=given.why
    )
    for item in record.items:
        _say(item.describe(given.language))
    _say(record.summary())
    return FAILED if record.held else 0


def _new(given: argparse.Namespace) -> None:
    from institute_lib import runs, terms

    language = terms.check_language(given.language or "zh")
    path = runs.new_notebook(given.title, name=given.name)
    _say(_text("new_notebook", language, path=path))
    _say(_text("new_planned", language, python=_interpreter(), name=path.stem))


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
        _demo(argparse.Namespace(language=None))
    return lab.start(given.options)


def _schedule(given: argparse.Namespace) -> None:
    from institute_lib.runs import schedule

    if given.install:
        for path in schedule.install(given.install):
            _say(str(path))
    else:
        _say(schedule.text())
