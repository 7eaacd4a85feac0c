"""The page that sets areas side by side: the catalogue's indicators of a quarter, from saved results, offline."""

import base64
import hashlib
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import areas, indicators, terms
from institute_lib.brief.page import sparkline
from institute_lib.disclosure.figures import MISSING, SHOWN, Figure, recorded_figure
from institute_lib.runs import places
from institute_lib.runs.plan import Job, Plan

NAME = "compare.html"
FIRST = 3  # areas that are chosen when the page opens
HERE = Path(__file__).parent
HISTORY, FEWEST = 12, 3  # quarters of a line, at most, and that must be known
Recorded = list[tuple[Job, Mapping[str, Any]]]
Records = dict[tuple[str, str], dict[str, Mapping[str, Any]]]  # by indicator and area: by quarter what was recorded


def write(
    plan: Plan, template: Any, recorded: Recorded, *, late: Collection[str], quarter: str, folder: Path, demo: bool
) -> Path | None:
    """Write `compare.html` beside the index; None, and no page, where fewer than two areas have results.

    Args:
        recorded: as `records` finds them. late: the districts that have not reported the quarter.
    """
    found: Records = {}
    for _, one in recorded:
        found.setdefault((one["indicator"], one["area"]), {}).setdefault(one["quarter"], one)
    shown = [code for code in plan.areas if any(area == code for _, area in found)]
    if len(shown) < 2:
        (folder / NAME).unlink(missing_ok=True)
        return None
    language = plan.language
    script = (HERE / "compare.js").read_text(encoding="utf-8")
    place = {"late": late, "quarter": quarter, "language": language}
    named = [name for name in indicators.catalogue() if any(one == name for one, _ in found)]
    page = template.render(
        lang="zh-CN" if language == "zh" else "en",
        font=terms.FONT_STACK,
        title=terms.text("runs.compare_title", language, quarter=terms.quarter(quarter, language)),
        words={
            key: terms.text(f"runs.{key}", language) for key in ("institute", "demo", "choose", "indicator", "to_index")
        },
        areas=[
            {"code": code, "name": areas.get(code).name(language), "chosen": place < FIRST}
            for place, code in enumerate(shown)
        ],
        rows=[row for name in named if (row := _row(name, shown, found, **place))],
        demo=demo,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    places.write_whole(folder / NAME, page)
    return folder / NAME


def records(plan: Plan, folder: Path) -> Recorded:
    """What the jobs of a quarter recorded of the catalogue's indicators, and which job it was."""
    results = ((job, places.read_json(folder / job.notebook / job.area / places.RESULT) or {}) for job in plan.jobs())
    known = indicators.catalogue()
    return [(job, one) for job, result in results for one in result.get("indicators", ()) if one["indicator"] in known]


def _row(
    name: str, shown: list[str], found: Records, *, late: Collection[str], quarter: str, language: str
) -> dict[str, Any] | None:
    """One indicator of every area, its lines on one scale; None where no area has it in this quarter."""
    if not any(quarter in found.get((name, code), {}) for code in shown):
        return None
    pasts = {code: _values(found.get((name, code), {}), quarter) for code in shown}
    values = [value for line in pasts.values() for value in line if value is not None]
    known = indicators.get(name)
    return {
        "name": known.name[language],
        "definition": known.definition[language],
        "cells": [
            {"line": sparkline(pasts[code], min(values), max(values)) if pasts[code] else ""}
            | _cell(found.get((name, code), {}).get(quarter), language, late=code in late)
            for code in shown
        ],
    }


def in_unit(figure: Figure, language: str) -> str:
    """A recorded figure with its unit, as a sentence or a tile says it: 14.9%, 3,840人, 6.0元."""
    words = figure.words(language) if figure.state != MISSING else terms.text("runs.not_available", language)
    key = f"unit_{figure.unit}"
    known = figure.state == SHOWN and key in terms.catalogue("runs")
    return terms.text(f"runs.{key}", language, figure=words) if known else words


def past(values: Mapping[str, float | None], quarter: str, most: int = HISTORY) -> tuple[tuple[str, float | None], ...]:
    """The last quarters up to one and their values, None for one without; nothing where fewer than three are known."""
    known = {pd.Period(at, freq="Q"): one for at, one in values.items() if at <= quarter and one is not None}
    kept = [at for at in sorted(known) if (max(known) - at).n < most]
    if len(kept) < FEWEST:
        return ()
    return tuple((str(at), known.get(at)) for at in pd.period_range(kept[0], kept[-1], freq="Q"))


def _values(by_quarter: Mapping[str, Mapping[str, Any]], quarter: str) -> list[float | None]:
    return [value for _, value in past({at: one["value"] for at, one in by_quarter.items()}, quarter)]


def _cell(one: Mapping[str, Any] | None, language: str, *, late: bool) -> dict[str, str]:
    if one is None:
        return {
            "value": terms.text("runs.state_not_reported" if late else "runs.not_available", language),
            "interval": "",
        }
    figure, (low, high) = recorded_figure(one), one["interval"]
    interval = ""
    if low is not None and high is not None and not math.isnan(low):
        scale, digits = (100, 1) if figure.unit == "share" else (1, figure.digits or 1)
        limits = terms.interval(low, high, language, digits, scale) + ("%" if figure.unit == "share" else "")
        interval = terms.text("runs.compare_interval", language, limits=limits)
    return {"value": in_unit(figure, language), "interval": interval}
