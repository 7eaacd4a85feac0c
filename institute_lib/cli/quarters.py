"""Commands about a quarter: `run · report · status · brief · schedule`."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from institute_lib.cli.data import write_demo
from institute_lib.cli.options import language_option, quarter_option, resolved, selection_options
from institute_lib.cli.saying import BAD_INPUT, FAILED, say, words
from institute_lib.errors import InstituteError, ParameterError


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Their options."""
    one = command("run", _run, "run a quarter's plan")
    quarter_option(one)
    selection_options(one)
    one.add_argument("--plan", type=Path, help="another plan than papermill_runs/quarterly.toml")
    one.add_argument("--workers", type=int, help="jobs at once (default: what processors and memory allow)")
    one.add_argument("--scheduler", help="address of a Dask scheduler, such as tcp://host:8786")
    one.add_argument("--force", action="store_true", help="run unchanged jobs too")
    one.add_argument("--cold", action="store_true", help="start ordinary kernels instead of forked ones")
    one.add_argument("--single", action="store_true", default=None, help="briefs of one file each, to be sent alone")
    one.add_argument("--log", choices=["auto", "bar", "lines", "json", "none"], default="auto")
    text = "say nothing unless something fails; then tell whom the plan names under [notify]"
    one.add_argument("--scheduled", action="store_true", help=text)
    one = command("report", _report, "demo registers if there are none, the run of a quarter, and where to look")
    one.add_argument("quarter", nargs="?", metavar="QUARTER", help="default: the last quarter that the data cover")
    one = command("status", _status, "what is current, stale, failed or missing in a quarter, and why")
    quarter_option(one)
    selection_options(one)
    one.add_argument("--plan", type=Path, help="another plan than papermill_runs/quarterly.toml")
    one.add_argument("--json", action="store_true", help="as JSON")
    one = command("brief", _brief, "export an executed notebook as one HTML file, and as a Word document")
    one.add_argument("notebook", type=Path)
    one.add_argument("output", type=Path, nargs="?", help="default: beside the notebook, .html")
    one.add_argument("--single", action="store_true", help="one file, even where a quarter's briefs share plotly")
    one.add_argument("--word", action="store_true", help="a Word document (.docx) beside it too")
    language_option(one, "zh")
    one = command("schedule", _schedule, "print a systemd timer and a cron line that run the last closed quarter")
    one.add_argument("--install", type=Path, metavar="FOLDER", help="write the two systemd units into this folder")
    one = command("clean", _clean, "show what can be made again (runs, caches); remove it with --yes")
    one.add_argument("--quarter", help="only the run of this quarter")
    one.add_argument("--yes", action="store_true", help="remove it")
    language_option(one, "zh")


def _run(given: argparse.Namespace) -> int:
    from institute_lib import runs

    def run() -> Any:
        return runs.run(
            given.plan,
            quarter=resolved(given.quarter),
            areas=given.areas,
            notebooks=given.notebooks,
            workers=given.workers,
            scheduler=given.scheduler,
            force=given.force,
            language=given.language,
            progress="none" if given.scheduled else given.log,
            warm=not given.cold,
            single=given.single,
        )

    return _finish(run()) if not given.scheduled else _scheduled(given, run)


def _scheduled(given: argparse.Namespace, run: Callable[[], Any]) -> int:
    """A run that nobody watches: silent if it went well, else it tells somebody."""
    from institute_lib import runs
    from institute_lib.runs import schedule

    try:
        summary = run()
        status = summary.exit_status
        if not status:
            return status
        text = "\n".join([*map(_failed_line, [summary] * len(summary.failed), summary.failed), summary.summary()])
    except (InstituteError, OSError) as error:
        status, text = BAD_INPUT, error.say(given.language or "zh") if isinstance(error, InstituteError) else str(error)
    sys.stderr.write(f"{text}\n")
    subject = words("notify_subject", given.language, quarter=resolved(given.quarter))
    if why := schedule.notify(runs.load_plan(given.plan).notify, subject=subject, text=text):
        sys.stderr.write(words("notify_failed", given.language, why=why) + "\n")
    return status


def _report(given: argparse.Namespace) -> int:
    from institute_lib import runs, tables

    if _lack_registers():
        write_demo()
    return _finish(runs.run(quarter=resolved(given.quarter or tables.covered_quarters()[-1])))


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


def _finish(summary: Any) -> int:
    """Tell what failed and why, and where to look."""
    for outcome in summary.failed:
        sys.stderr.write(_failed_line(summary, outcome) + "\n")
    say(summary.summary())
    say(words("open", summary.language, path=summary.index.resolve()))
    return FAILED if summary.exit_status else 0


def _failed_line(summary: Any, outcome: Any) -> str:
    from institute_lib.runs.places import FAILED as COPY

    copy = summary.folder / outcome.job.notebook / outcome.job.area / COPY
    why = outcome.failure.say(summary.language)
    key = "failed_where" if copy.is_file() else "failed"
    return words(key, summary.language, job=outcome.job, why=why, path=copy)


def _status(given: argparse.Namespace) -> int:
    from institute_lib import areas, runs, terms
    from institute_lib.runs.plan import notebook_title
    from institute_lib.runs.states import last_run, not_reported

    plan = runs.load_plan(given.plan)
    quarter, language = resolved(given.quarter), given.language or plan.language
    jobs = runs.status(plan, quarter=quarter, areas=given.areas, notebooks=given.notebooks, language=given.language)
    if given.json:
        rows = [{**asdict(one.job), "state": one.state, "why": one.why, "made": one.made} for one in jobs]
        say(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        for one in jobs:
            state = terms.text(f"runs.state_{one.state}", language)
            title = notebook_title(plan.notebook(one.job.notebook).path, language)
            place = f"{areas.get(one.job.area).name(language)} {title}"
            say(f"{state}  {place} ({one.job})  {one.say(language)}".rstrip())
        if unfinished := last_run(quarter, language):
            say(words(f"run_{unfinished.state}", language, started=unfinished.started, holder=unfinished.holder))
        late = [areas.get(code).name(language) for code in not_reported(plan, quarter=quarter)]
        if late:
            say(words("late", language, names=terms.listed(late, language)))
    return FAILED if any(one.state == "failed" for one in jobs) else 0


def _brief(given: argparse.Namespace) -> None:
    from institute_lib import brief, terms

    if not given.notebook.is_file():
        raise terms.error(ParameterError, "runs.error_no_file", path=given.notebook)
    output = given.output or given.notebook.with_suffix(".html")
    shares = not given.single and (output.parent / f"../../{brief.SHARED_NAME}").is_file()
    shared = f"../../{brief.SHARED_NAME}" if shares else None
    document = output.with_suffix(".docx")
    word = document.name if given.word else ""
    say(str(brief.export(given.notebook, output, language=given.language, shared=shared, word=word)))
    if given.word:
        say(str(brief.export_word(given.notebook, document, language=given.language)))


def _schedule(given: argparse.Namespace) -> None:
    from institute_lib.runs import schedule

    if given.install:
        for path in schedule.install(given.install):
            say(str(path))
    else:
        say(schedule.text())


def _clean(given: argparse.Namespace) -> None:
    from institute_lib import terms
    from institute_lib.runs import clean

    found = clean.generated(given.quarter)
    size = terms.number(sum(one.bytes for one in found) / 1e6, given.language)
    for one in found:
        say(f"{one.bytes / 1e6:8.1f} MB  {one.path}")
    if given.yes:
        clean.remove(found)
    say(words("clean_done" if given.yes else "clean_would", given.language, n=len(found), size=size))
