"""The page from which every brief of a quarter opens: what is there, what changed, what failed and where.

It asks nothing of the network, and all of it shows without scripts; one small script sorts and filters its rows.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from institute_lib import areas, indicators, terms
from institute_lib.runs import compare, places
from institute_lib.runs.plan import Job, NotebookPlan, Plan, notebook_title
from institute_lib.runs.states import job_status, not_reported

LONGEST_HEADLINE = 60
MOST_NAMES = 6


def write(plan: Plan, *, quarter: str, folder: Path, run: Mapping[str, Any]) -> Path:
    """Write `index.html` for all of a quarter's places, whichever run filled them.

    Args:
        run: the content of `summary.json`: this run's counts, seconds and failures.
    """
    language = plan.language
    plan = replace(plan, notebooks=tuple(sorted(plan.notebooks, key=lambda one: not one.after)))  # the one page first
    rows = [_row(plan, area, quarter, folder) for area in plan.areas]
    script = (Path(__file__).parent / "index.js").read_text(encoding="utf-8")
    demo = any(_demo(folder, job) for job in plan.jobs())
    recorded = compare.records(plan, folder)
    late = not_reported(plan, quarter=quarter)
    place = {"quarter": quarter, "folder": folder, "demo": demo}
    beside = compare.write(plan, _template("compare"), recorded, late=late, **place)
    page = _template("index").render(
        lang="zh-CN" if language == "zh" else "en",
        font=terms.FONT_STACK,
        title=terms.text("runs.index_title", language, quarter=terms.quarter(quarter, language)),
        words=_Words(language),
        run=_run_line(run, language),
        heads=[notebook_title(notebook.path, language) for notebook in plan.notebooks],
        rows=rows,
        states=_states(rows, language),
        troubles=[*_troubles(plan, rows), *_contradictions(recorded, language)],
        late=[areas.get(code).name(language) for code in late],
        demo=demo,
        compare=beside.name if beside else "",
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
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
def _template(name: str) -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(f"{name}.html.j2")


def _row(plan: Plan, area: str, quarter: str, folder: Path) -> dict[str, Any]:
    cells = [
        cell(plan, Job(one.name, area), quarter=quarter, folder=folder)
        if one.runs_for(area)
        else elsewhere(one, area, folder)
        for one in plan.notebooks
    ]
    return {"code": area, "name": areas.get(area).name(plan.language), "level": areas.get(area).level, "cells": cells}


def cell(plan: Plan, job: Job, *, quarter: str, folder: Path) -> dict[str, Any]:
    """What the grid shows of one job: state, headline, change, a link to its brief, and what is wrong with it."""
    language, place = plan.language, folder / job.notebook / job.area
    status = job_status(plan, job, quarter=quarter, folder=folder)
    manifest = places.intact_manifest(place)
    headline, outputs = (manifest or {}).get("headline") or {}, (manifest or {}).get("outputs", {})
    return {
        "state": status.state,
        "link": f"{job.notebook}/{job.area}/{places.BRIEF}" if places.BRIEF in outputs else "",
        "value": headline.get("value"),
        "figure": str(headline.get("words") or ""),
        "figure_name": str(headline.get("name") or ""),
        "change": _change(headline, language),
        "text": _short(str(headline.get("text") or "")),
        "partial": bool((manifest or {}).get("partial")),
        "made": _day(manifest, language),
        "failure": status.failure.say(language) if status.state == "failed" else "",
        "stale": status.say(language) if status.state == "stale" else "",
    }


def elsewhere(notebook: NotebookPlan, area: str, folder: Path) -> dict[str, Any]:
    """What the grid shows where a notebook is not run for an area: a link to the brief of its city, if there is one."""
    city = areas.city_of(area)
    there = (places.intact_manifest(folder / notebook.name / city) or {}).get("outputs", {})
    link = f"{notebook.name}/{city}/{places.BRIEF}" if places.BRIEF in there else ""
    empty = dict.fromkeys(("figure", "figure_name", "change", "text", "made", "failure", "stale"), "")
    return {"state": "elsewhere", "link": link, "value": None, "partial": False, **empty}


def _states(rows: Sequence[Mapping[str, Any]], language: str) -> list[dict[str, Any]]:
    """The states that occur, in order of urgency, with their numbers."""
    found = [one["state"] for row in rows for one in row["cells"]]
    return [
        {"name": state, "label": terms.text(f"runs.state_{state}", language), "n": found.count(state)}
        for state in ("failed", "stale", "not_reported", "no_register", "missing", "current")
        if state in found
    ]


def _troubles(plan: Plan, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Failed and stale jobs, one line for each thing that is wrong with them."""
    heads = [notebook_title(notebook.path, plan.language) for notebook in plan.notebooks]
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for head, one in zip(heads, row["cells"], strict=True):
            if one["state"] in ("failed", "stale"):
                found.setdefault((one["state"], one["failure"] or one["stale"]), []).append(f"{row['name']} {head}")
    return [
        {"state": state, "why": why, "names": _listed(names, plan.language)}
        for (state, why), names in sorted(found.items())
    ]


def _contradictions(recorded: compare.Recorded, language: str) -> list[dict[str, str]]:
    """Indicators that two briefs of the quarter give in different words, one line each."""
    return [
        {
            "state": "contradiction",
            "why": terms.text(
                "runs.contradiction",
                language,
                name=indicators.get(one.indicator).name[language],
                area=areas.get(one.area).name(language),
                quarter=terms.quarter(one.quarter, language),
            ),
            "names": _listed([f"{claim.where} {claim.words}" for claim in (one, other)], language),
        }
        for one, other in indicators.contradictions(claims(recorded))
    ]


def claims(recorded: compare.Recorded) -> list[indicators.Claim]:
    """What the briefs of a quarter say of the catalogue's indicators, as `compare.records` finds it."""
    names = ("indicator", "area", "quarter", "words")
    return [indicators.Claim(*(one[name] for name in names), str(job), tuple(one["absent"])) for job, one in recorded]


def _listed(names: Sequence[str], language: str) -> str:
    joined = terms.text("runs.comma", language).join(names[:MOST_NAMES])
    rest = len(names) - MOST_NAMES
    return terms.text("runs.and_more", language, names=joined, n=len(names)) if rest > 0 else joined


def _change(headline: Mapping[str, Any], language: str) -> str:
    words = headline.get("change_words")
    return terms.text("runs.change", language, change=words) if words else ""


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_HEADLINE else text[: LONGEST_HEADLINE - 1] + "…"


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
