"""A specification curve: one estimate under all choices, in order of size, and under each what was chosen."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.charts.axes import value_axis
from institute_lib.charts.chart import Chart
from institute_lib.charts.look import (
    BLUE,
    INK,
    LINE,
    MUTED,
    Canvas,
    error_bars,
    finish,
    new_canvas,
    plain,
    span_of,
    width,
)
from institute_lib.charts.trend import table_of
from institute_lib.disclosure import SafeTable, show
from institute_lib.errors import ParameterError, nearest

ESTIMATE, BOUNDS = "att", ("ci_low", "ci_high")
CURVE, ROW, FRAME = 230, 21, 130  # pixels: the curve, a row of choices, title and axis


def draw_specification_curve(
    safe: SafeTable, *, language: str = "zh", unit: str = "number", title: str = "", source: str = ""
) -> Chart:
    """Estimates with their intervals in order of size; below them, a dot for each choice behind an estimate.

    Args:
        safe: its keys are the dimensions of choice (pool, window, method); values att, ci_low, ci_high.
        unit: "share" when the outcome is a share: effects are then in percentage points.

    Raises:
        DisclosureError: not a safe table.
        ParameterError: a column is missing.
    """
    table = table_of(safe)
    for column in (ESTIMATE, *BOUNDS):
        if column not in table.data:
            raise ParameterError(f"specification curve: column {column!r}: {nearest(column, table.data.columns)}")
    rows = table.data.sort_values(ESTIMATE, kind="stable", ignore_index=True)
    factor = 100 if unit == "share" else 1
    rows = rows.assign(**{name: rows[name] * factor for name in (ESTIMATE, *BOUNDS)})
    choices = [(key, level) for key in table.rows for level in rows[key].unique()]
    names = [show.key(key, level, language) for key, level in choices]
    canvas = new_canvas(height=CURVE + ROW * len(choices) + FRAME)
    _curve(canvas, rows, table.rows, unit, language)
    _matrix(canvas, rows, choices, names)
    notes = [terms.text("charts.curve_note", language)]
    if not np.isfinite(rows[list(BOUNDS)].to_numpy(float)).all():
        notes.append(terms.text("charts.curve_unbounded", language))
    return finish(
        canvas,
        safe,
        language=language,
        title=title or safe.title or terms.text("charts.curve_title", language),
        alt=_words(rows, unit, language),
        source=source,
        notes=notes,
    )


def _curve(canvas: Canvas, rows: pd.DataFrame, keys: Sequence[str], unit: str, language: str) -> None:
    """The estimates; hollow where the interval has no bounds."""
    bounded = np.isfinite(rows[list(BOUNDS)].to_numpy(float)).all(axis=1)
    for chosen, symbol in ((bounded, "circle"), (~bounded, "circle-open")):
        part = rows[chosen]
        canvas.add(
            "scatter",
            x=(part.index + 1).to_numpy(),
            y=part[ESTIMATE],
            mode="markers",
            marker={"color": BLUE, "size": 8, "symbol": symbol, "line": {"width": 1.8, "color": BLUE}},
            error_y=error_bars(part[ESTIMATE], part["ci_low"], part["ci_high"], BLUE) if symbol == "circle" else None,
            hovertext=[plain(_hover(row, keys, language)) for row in part.to_dict("records")],
            hoverinfo="text",
        )
    shown = rows[[ESTIMATE, *BOUNDS]].to_numpy(float)
    span = span_of([*shown[np.isfinite(shown)], 0.0])
    key = "charts.effect_points" if unit == "share" else "charts.effect"
    canvas.y_axis(range=span, **value_axis("number", terms.text(key, language), span))
    level = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": 0}
    canvas.layout["shapes"].append({**level, "line": {"color": INK, "width": 1}})


def _hover(row: dict, keys: Sequence[str], language: str) -> str:
    chosen = " · ".join(show.key(key, row[key], language) for key in keys)
    return f"{chosen}: {terms.number(row[ESTIMATE], language, 2)}"


def _matrix(canvas: Canvas, rows: pd.DataFrame, choices: list[tuple[str, object]], names: list[str]) -> None:
    """One row a choice, a dot under each estimate that made it."""
    place = {choice: len(choices) - at for at, choice in enumerate(choices)}
    keys = list(dict.fromkeys(key for key, _ in choices))
    dots = [(at + 1, place[key, row[key]]) for at, row in enumerate(rows.to_dict("records")) for key in keys]
    canvas.add(
        "scatter",
        x=[x for x, _ in dots],
        y=[y for _, y in dots],
        yaxis="y2",
        mode="markers",
        marker={"color": MUTED, "size": 7},
        hoverinfo="skip",
    )
    plot = CURVE + ROW * len(choices)
    below = ROW * len(choices) / plot
    canvas.layout["yaxis"]["domain"] = [below + 0.04, 1]
    canvas.layout["yaxis2"] = {
        "domain": [0, below],
        "range": [0.4, len(choices) + 0.6],
        "tickmode": "array",
        "tickvals": [place[choice] for choice in choices],
        "ticktext": [plain(name) for name in names],
        "tickfont": {"size": 12, "color": INK},
        "showgrid": False,
        "linecolor": LINE,
        "automargin": True,
        "fixedrange": True,
    }
    firsts = [place[next(one for one in choices if one[0] == key)] for key in keys[1:]]
    for first in firsts:
        part = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y2", "y0": first + 0.5, "y1": first + 0.5}
        canvas.layout["shapes"].append({**part, "line": {"color": LINE, "width": 1}})
    canvas.margin["l"] = max(canvas.margin["l"], 12 + int(max(map(width, names), default=0)))
    canvas.x_axis(range=[0.4, len(rows) + 0.6], showticklabels=False, ticks="", anchor="y2")


def _words(rows: pd.DataFrame, unit: str, language: str) -> str:
    """How many choices, how far apart, and how many exclude no effect."""
    excluded = int(((rows["ci_low"] > 0) | (rows["ci_high"] < 0)).sum())
    low, high = (terms.number(end, language, 2) for end in (rows[ESTIMATE].min(), rows[ESTIMATE].max()))
    if unit == "share":
        high = terms.text("charts.points", language, value=high)
    return terms.text(
        "charts.curve_alt",
        language,
        choices=terms.count(len(rows), language),
        low=low,
        high=high,
        excluded=terms.count(excluded, language),
    )
