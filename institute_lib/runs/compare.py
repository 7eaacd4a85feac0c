"""The page that sets areas side by side: the catalogue's indicators of a quarter, from saved results, offline."""

import base64
import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from institute_lib import areas, indicators, terms
from institute_lib.brief.page import sparkline
from institute_lib.runs import places
from institute_lib.runs.plan import Plan

NAME = "compare.html"
FIRST = 3  # areas that are chosen when the page opens
HERE = Path(__file__).parent
Records = dict[tuple[str, str], dict[str, Mapping[str, Any]]]  # by indicator and area: by quarter what was recorded


def write(plan: Plan, template: Any, *, quarter: str, folder: Path, demo: bool) -> Path | None:
    """Write `compare.html` beside the index; None, and no page, where fewer than two areas have results."""
    found = _records(plan, folder)
    shown = [code for code in plan.areas if any(area == code for _, area in found)]
    if len(shown) < 2:
        (folder / NAME).unlink(missing_ok=True)
        return None
    language = plan.language
    script = (HERE / "compare.js").read_text(encoding="utf-8")
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
        rows=[row for name in named if (row := _row(name, shown, found, quarter, language))],
        demo=demo,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    places.write_whole(folder / NAME, page)
    return folder / NAME


def _records(plan: Plan, folder: Path) -> Records:
    found: Records = {}
    for job in plan.jobs():
        result = places.read_json(folder / job.notebook / job.area / places.RESULT) or {}
        for one in result.get("indicators", ()):
            found.setdefault((one["indicator"], one["area"]), {}).setdefault(one["quarter"], one)
    return found


def _row(name: str, shown: list[str], found: Records, quarter: str, language: str) -> dict[str, Any] | None:
    """One indicator of every area, its lines on one scale; None where no area has it in this quarter."""
    if not any(quarter in found.get((name, code), {}) for code in shown):
        return None
    pasts = {code: _past(found.get((name, code), {}), quarter) for code in shown}
    values = [value for past in pasts.values() for value in past]
    known = indicators.get(name)
    return {
        "name": known.name[language],
        "definition": known.definition[language],
        "cells": [
            _cell(found.get((name, code), {}).get(quarter), pasts[code], values, known.unit, language) for code in shown
        ],
    }


def _past(by_quarter: Mapping[str, Mapping[str, Any]], quarter: str) -> list[float]:
    known = [one["value"] for at, one in sorted(by_quarter.items()) if at <= quarter and one["value"] is not None]
    return known if len(known) > 2 else []


def _cell(
    one: Mapping[str, Any] | None, past: list[float], values: list[float], unit: str, language: str
) -> dict[str, str]:
    if one is None:
        return {"value": terms.text("runs.state_not_reported", language), "interval": "", "line": ""}
    low, high = one["interval"]
    interval = ""
    if low is not None and high is not None and not math.isnan(low):
        scale, digits = (100, 1) if unit == "share" else (1, one["digits"] or 1)
        limits = terms.interval(low, high, language, digits, scale)
        interval = terms.text("runs.compare_interval", language, limits=limits + ("%" if unit == "share" else ""))
    line = sparkline(past, min(values), max(values)) if past else ""
    return {"value": one["words"], "interval": interval, "line": line}
