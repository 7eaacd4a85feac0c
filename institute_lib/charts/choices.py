"""A specification curve: one estimate under all choices, in order of size, and under each what was chosen."""

from collections.abc import Sequence

import pandas as pd

from institute_lib import terms
from institute_lib.charts.axes import value_axis
from institute_lib.charts.chart import Chart
from institute_lib.charts.effects import difference, in_points
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
from institute_lib.disclosure import Protected

CURVE, ROW, FRAME = 230, 21, 130  # pixels: the curve, a row of choices, title and axis


def draw_specification_curve(shown: Protected, *, language: str = "zh", title: str = "") -> Chart:
    """Estimates with their intervals in order of size; below them, a dot for each choice behind an estimate.

    Args:
        shown: its keys are the dimensions of choice (pool, window, method); its first figure has an interval.
    """
    rows, points = in_points(shown)
    rows = rows.sort_values(shown.value, kind="stable", ignore_index=True)
    rows = rows.rename(columns={shown.value: "estimate"})
    choices = [(key, level) for key in shown.rows for level in rows[key].unique()]
    names = [terms.key(key, level, language) for key, level in choices]
    canvas = new_canvas(height=CURVE + ROW * len(choices) + FRAME)
    _curve(canvas, rows, shown.rows, points, language)
    _matrix(canvas, rows, choices, names)
    notes = [terms.text("charts.curve_note", language)]
    if rows[["ci_low", "ci_high"]].isna().to_numpy().any():
        notes.append(terms.text("charts.curve_unbounded", language))
    title, words = title or shown.title, _words(rows, points, language)
    return finish(canvas, shown, language=language, title=title, alt=words, notes=notes)


def _curve(canvas: Canvas, rows: pd.DataFrame, keys: Sequence[str], points: bool, language: str) -> None:
    """The estimates; hollow where the interval has no bounds."""
    bounded = rows[["ci_low", "ci_high"]].notna().all(axis=1)
    for chosen, symbol in ((bounded, "circle"), (~bounded, "circle-open")):
        part = rows[chosen]
        canvas.add(
            "scatter",
            x=(part.index + 1).to_numpy(),
            y=part["estimate"],
            mode="markers",
            marker={"color": BLUE, "size": 8, "symbol": symbol, "line": {"width": 1.8, "color": BLUE}},
            error_y=error_bars(part["estimate"], part["ci_low"], part["ci_high"], BLUE) if symbol == "circle" else None,
            hovertext=[plain(_hover(row, keys, language)) for row in part.to_dict("records")],
            hoverinfo="text",
        )
    span = span_of([*rows[["estimate", "ci_low", "ci_high"]].to_numpy(float).ravel(), 0.0])
    canvas.y_axis(range=span, **value_axis("number", difference("effect", points, language), span))
    level = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": 0}
    canvas.layout["shapes"].append({**level, "line": {"color": INK, "width": 1}})


def _hover(row: dict, keys: Sequence[str], language: str) -> str:
    chosen = " · ".join(terms.key(key, row[key], language) for key in keys)
    return f"{chosen}: {terms.number(row['estimate'], language, 2)}"


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


def _words(rows: pd.DataFrame, points: bool, language: str) -> str:
    """How many choices, how far apart, and how many exclude no effect."""
    excluded = int(((rows["ci_low"] > 0) | (rows["ci_high"] < 0)).sum())
    low, high = (terms.number(end, language, 2) for end in (rows["estimate"].min(), rows["estimate"].max()))
    if points:
        high = terms.text("charts.points", language, value=high)
    return terms.text(
        "charts.curve_alt",
        language,
        choices=terms.count(len(rows), language),
        low=low,
        high=high,
        excluded=terms.count(excluded, language),
    )
