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
from institute_lib.cli.saying import FAILED, say, words
from institute_lib.errors import ParameterError


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
    one = command("report", _report, "demo registers if there are none, the run of a quarter, and where to look")
    one.add_argument("quarter", nargs="?", metavar="QUARTER", help="default: the last quarter that the data cover")
    one = command("status", _status, "what is current, stale, failed or missing in a quarter, and why")
    quarter_option(one)
    selection_options(one)
    one.add_argument("--plan", type=Path, help="another plan than papermill_runs/quarterly.toml")
    one.add_argument("--json", action="store_true", help="as JSON")
    one = command("brief", _brief, "export an executed notebook as one HTML file")
    one.add_argument("notebook", type=Path)
    one.add_argument("output", type=Path, nargs="?", help="default: beside the notebook, .html")
    one.add_argument("--single", action="store_true", help="one file, even where a quarter's briefs share plotly")
    language_option(one, "zh")
    one = command("schedule", _schedule, "print a systemd timer and a cron line that run the last closed quarter")
    one.add_argument("--install", type=Path, metavar="FOLDER", help="write the two systemd units into this folder")


def _run(given: argparse.Namespace) -> int:
    from institute_lib import runs

    return _finish(
        runs.run(
            given.plan,
            quarter=resolved(given.quarter),
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
    """Tell what failed and where to look; a failed job's own words stay in its internal copy."""
    from institute_lib.runs.places import FAILED as COPY

    for outcome in summary.failed:
        copy = summary.folder / outcome.job.notebook / outcome.job.area / COPY
        where = f" [{outcome.failure.cell}]" if outcome.failure.cell else ""
        kind = f"{outcome.failure.kind}{where}"
        sys.stderr.write(words("failed_where", summary.language, job=outcome.job, kind=kind, path=copy) + "\n")
    say(summary.summary())
    say(words("open", summary.language, path=summary.index.resolve()))
    return FAILED if summary.exit_status else 0


def _status(given: argparse.Namespace) -> int:
    from institute_lib import areas, runs
    from institute_lib.runs.states import last_run, not_reported

    plan = runs.load_plan(given.plan)
    quarter, language = resolved(given.quarter), given.language or plan.language
    jobs = runs.status(plan, quarter=quarter, areas=given.areas, notebooks=given.notebooks, language=given.language)
    if given.json:
        rows = [{**asdict(one.job), "state": one.state, "why": one.why, "made": one.made} for one in jobs]
        say(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        for one in jobs:
            kept = words("kept", language, made=one.made) if one.state == "failed" and one.made else ""
            say(f"{one.state:8} {one.job!s:34} {one.why}{kept}".rstrip())
        if unfinished := last_run(quarter, language):
            say(words(f"run_{unfinished.state}", language, started=unfinished.started, holder=unfinished.holder))
        late = [areas.get(code).name(language) for code in not_reported(plan, quarter=quarter)]
        if late:
            say(words("late", language, names=("、" if language == "zh" else ", ").join(late)))
    return FAILED if any(one.state == "failed" for one in jobs) else 0


def _brief(given: argparse.Namespace) -> None:
    from institute_lib import brief

    if not given.notebook.is_file():
        raise ParameterError(f"no notebook at {given.notebook}")
    output = given.output or given.notebook.with_suffix(".html")
    shares = not given.single and (output.parent / f"../../{brief.SHARED_NAME}").is_file()
    shared = f"../../{brief.SHARED_NAME}" if shares else None
    say(str(brief.export(given.notebook, output, language=given.language, shared=shared)))


def _schedule(given: argparse.Namespace) -> None:
    from institute_lib.runs import schedule

    if given.install:
        for path in schedule.install(given.install):
            say(str(path))
    else:
        say(schedule.text())
