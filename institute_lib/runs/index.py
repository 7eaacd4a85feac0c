"""The page from which every brief of a quarter opens: what is there, what failed and where. No network, no script."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from institute_lib import areas, terms
from institute_lib.runs import places
from institute_lib.runs.plan import Job, Plan
from institute_lib.runs.states import not_reported

CHINESE = re.compile(r"[\u3400-\u9fff]")
LONGEST_HEADLINE = 60


def write(plan: Plan, *, quarter: str, folder: Path, run: Mapping[str, Any]) -> Path:
    """Write `index.html` for all of a quarter's places, whichever run filled them.

    Args:
        run: the content of `summary.json`: this run's counts, seconds and failures.
    """
    language = plan.language
    page = _template().render(
        lang="zh-CN" if language == "zh" else "en",
        font=terms.FONT_STACK,
        title=terms.text("runs.index_title", language, quarter=terms.quarter(quarter, language)),
        words=_Words(language),
        run=_run_line(run, language),
        heads=[notebook_title(notebook.path, language) for notebook in plan.notebooks],
        rows=[_row(plan, area, folder) for area in plan.areas],
        late=[areas.get(code).name(language) for code in not_reported(plan, quarter=quarter)],
        demo=any(_demo(folder, job) for job in plan.jobs()),
    )
    places.write_whole(folder / "index.html", page)
    return folder / "index.html"


class _Words:
    """`words.demo` in the template is the text `runs.demo` in the page's language."""

    def __init__(self, language: str):
        self.language = language

    def __getattr__(self, key: str) -> str:
        return terms.text(f"runs.{key}", self.language)


@cache
def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("index.html.j2")


def _row(plan: Plan, area: str, folder: Path) -> dict[str, Any]:
    cells = [cell(folder, Job(notebook.name, area), plan.language) for notebook in plan.notebooks]
    level = areas.get(area).level
    return {"code": area, "name": areas.get(area).name(plan.language), "level": level, "cells": cells}


def cell(folder: Path, job: Job, language: str) -> dict[str, Any]:
    """What the grid shows of one job: its state, its headline, a link to its brief, and for a failure its kind."""
    place = folder / job.notebook / job.area
    manifest, failure = places.intact_manifest(place), places.read_json(place / places.FAILURE)
    headline = (manifest or {}).get("headline") or {}
    return {
        "state": "failed" if failure else "done" if manifest else "missing",
        "link": f"{job.notebook}/{job.area}/{places.BRIEF}" if manifest else "",
        "figure": _figure(headline, language),
        "text": _short(str(headline.get("text") or "")),
        "partial": bool((manifest or {}).get("partial")),
        "made": _day(manifest, language),
        "failure": _failure_text(failure, language) if failure else "",
    }


def _figure(headline: Mapping[str, Any], language: str) -> str:
    value, unit = headline.get("value"), headline.get("unit")
    if not isinstance(value, int | float):
        return ""
    if unit == "share":
        return terms.percent(value, language)
    if unit == "points":
        return terms.points(value, language)
    if unit in ("count", "yuan"):
        return terms.count(value, language)
    return terms.number(value, language, 0 if float(value).is_integer() else 2)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_HEADLINE else text[: LONGEST_HEADLINE - 1] + "…"


def _failure_text(failure: Mapping[str, Any], language: str) -> str:
    number = failure.get("cell")
    key = "failed_in_cell" if number else "failed_outside"
    return terms.text(f"runs.{key}", language, cell=number, kind=failure.get("kind"))


def _day(manifest: Mapping[str, Any] | None, language: str) -> str:
    finished = (manifest or {}).get("finished")
    return terms.date(str(finished)[:10], language) if finished else ""


def _demo(folder: Path, job: Job) -> bool:
    return bool((places.read_json(folder / job.notebook / job.area / places.MANIFEST) or {}).get("demo"))


def _run_line(run: Mapping[str, Any], language: str) -> str:
    return terms.text(
        "runs.run_line",
        language,
        date=terms.date(str(run["started"])[:10], language),
        time=str(run["started"])[11:16],
        seconds=terms.number(run["seconds"], language, 1),
        **{name: terms.number(n, language) for name, n in run["counts"].items()},
    )


def notebook_title(path: Path, language: str) -> str:
    """The notebook's own first heading in a language, else its name."""
    if not path.is_file():
        return path.stem
    cells = json.loads(path.read_text(encoding="utf-8")).get("cells", [])
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    headings = [part.strip() for line in re.findall(r"^# +(.+)$", prose, re.MULTILINE) for part in line.split(" / ")]
    fitting = [heading for heading in headings if bool(CHINESE.search(heading)) == (language == "zh")]
    return (fitting or [path.stem])[0]
