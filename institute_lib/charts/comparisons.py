"""Comparisons at one time: bars, and dots with their intervals, in order of size."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.charts.axes import value_axis
from institute_lib.charts.chart import Chart, require_protected
from institute_lib.charts.look import (
    BLUE,
    FAINT,
    INK,
    MUTED,
    ORANGE,
    Canvas,
    error_bars,
    finish,
    new_canvas,
    plain,
    span_of,
    width,
)
from institute_lib.charts.trend import has_interval
from institute_lib.disclosure import TOTAL, Protected

ROW = 27  # pixels a row takes


def draw_bars(safe: Protected, *, language: str = "zh", highlight: Sequence[str] = (), title: str = "") -> Chart:
    """Horizontal bars in order of size with their figures; for counts and shares, from zero.

    Args:
        safe: one row a bar; a row whose key is "total" stands last, in grey.
        highlight: keys in the second colour.
    """
    rows, names = _ranked_rows(require_protected(safe), language)
    words, colours = _looks(safe, rows, highlight, language)
    canvas = _rows_figure(rows, names, right=max(map(width, words), default=0) + 14)
    y = list(range(len(rows), 0, -1))
    hover = [plain(f"{name} {word}") for name, word in zip(names, words, strict=True)]
    canvas.add(
        "bar", x=rows[safe.value], y=y, orientation="h", marker={"color": colours}, hovertext=hover, hoverinfo="text"
    )
    for place, value, text in zip(y, rows[safe.value], words, strict=True):
        end = {"x": max(value, 0) if pd.notna(value) else 0, "xanchor": "left", "xshift": 6}
        canvas.note(text, **end, y=place, font={"size": 12.5})
    span = span_of(rows[safe.value], zero=True, margin=0.0)
    alt = _extremes(names, words, rows["is_total"], language)
    return _finish_rows(canvas, safe, span, alt, notes=(), language=language, title=title)


def draw_dot(safe: Protected, *, language: str = "zh", highlight: Sequence[str] = (), title: str = "") -> Chart:
    """Dots in order of size, with intervals when the table's values hold ci_low and ci_high.

    Args:
        safe: one row a dot; a row whose key is "total" stands last, in grey.
        highlight: keys in the second colour.
    """
    rows, names = _ranked_rows(require_protected(safe), language)
    words, colours = _looks(safe, rows, highlight, language)
    canvas = _rows_figure(rows, names, right=max(map(width, words), default=0) + 18)
    y = list(range(len(rows), 0, -1))
    extent, bars = list(rows[safe.value]), {}
    if has_interval(safe):
        extent += [*rows["ci_low"], *rows["ci_high"]]
        bars = {"error_x": error_bars(rows[safe.value], rows["ci_low"], rows["ci_high"], INK)}
    hover = [plain(f"{name} {word}") for name, word in zip(names, words, strict=True)]
    look = {"color": colours, "size": 10, "opacity": 1}
    canvas.add(
        "scatter", x=rows[safe.value], y=y, mode="markers", marker=look, hovertext=hover, hoverinfo="text", **bars
    )
    for place, text in zip(y, words, strict=True):
        beside = {"x": 1, "xref": "paper", "xanchor": "left", "xshift": 6}
        canvas.note(text, **beside, y=place, font={"size": 12.5})
    notes = (terms.text("charts.interval_note", language),) if bars else ()
    alt = _extremes(names, words, rows["is_total"], language)
    return _finish_rows(canvas, safe, span_of(extent), alt, notes=notes, language=language, title=title)


def _ranked_rows(safe: Protected, language: str) -> tuple[pd.DataFrame, list[str]]:
    """The shown rows in order of their figure, totals last (`is_total`), with their names."""
    keys = [*safe.rows, *safe.columns]
    rows = safe.frame
    rows["is_total"] = rows[keys].astype(str).eq(TOTAL).any(axis=1)
    rows["words"] = [safe.text(place, safe.value) for place in range(len(rows))]
    column = safe.figures_of[safe.value]  # what reads as a bound keeps its row, last among the others, without a mark
    rows[safe.value] = rows[safe.value].fillna(pd.Series(np.where(column.state == "above", column.limit, np.nan)))
    rows = rows[np.isin(column.state, ("shown", "below", "above"))]
    rows = rows.sort_values(["is_total", safe.value], ascending=[True, False], kind="stable")
    records = rows[keys].to_dict("records")
    return rows, [" · ".join(terms.key(k, v, language, safe.labels) for k, v in one.items()) for one in records]


def _looks(safe: Protected, rows: pd.DataFrame, highlight: Sequence[str], language: str) -> tuple[list[str], list[str]]:
    """Each row's figure in words, and its colour."""
    words = list(rows["words"])
    marked = rows[[*safe.rows, *safe.columns]].astype(str).isin([str(one) for one in highlight]).any(axis=1)
    colours = [
        MUTED if is_total else ORANGE if mark else BLUE for is_total, mark in zip(rows["is_total"], marked, strict=True)
    ]
    return words, colours


def _rows_figure(rows: pd.DataFrame, names: Sequence[str], *, right: float) -> Canvas:
    """An empty figure with a named row each."""
    canvas = new_canvas(height=max(200, 118 + ROW * len(rows)), right=right)
    canvas.y_axis(
        tickmode="array",
        tickvals=list(range(len(rows), 0, -1)),
        ticktext=[plain(name) for name in names],
        range=[0.4, len(rows) + 0.6],
        showgrid=False,
        tickfont={"size": 13, "color": INK},
    )
    return canvas


def _finish_rows(canvas, safe, span, finding, *, notes, language, title) -> Chart:
    """Axis and title, the same for bars and dots."""
    unit = safe.unit(safe.value)
    axis = value_axis(unit, terms.word(safe.value, language, safe.labels), span, language)
    canvas.x_axis(range=span, showgrid=True, gridcolor=FAINT, **axis)
    title = title or safe.title or terms.text("charts.compare_title", language)
    alt = terms.text("charts.titled", language, title=title, finding=finding)
    return finish(canvas, safe, language=language, title=title, alt=alt, notes=notes)


def _extremes(names: Sequence[str], words: Sequence[str], is_total: pd.Series, language: str) -> str:
    """The highest and the lowest of rows in falling order, totals aside."""
    parts = [(name, word) for name, word, total in zip(names, words, is_total, strict=True) if not total]
    if not parts:
        return terms.text("charts.nothing", language)
    (high, high_value), (low, low_value) = parts[0], parts[-1]
    shown = {"high": high, "high_value": high_value, "low": low, "low_value": low_value, "n": len(parts)}
    return terms.text("charts.extremes" if len(parts) > 1 else "charts.only", language, **shown)
