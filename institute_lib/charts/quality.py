"""Variation and chance: funnel plot of districts, control chart of quarters."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from institute_lib import talent, terms
from institute_lib.charts.axes import time_axis, value_axis
from institute_lib.charts.chart import Chart, require_protected
from institute_lib.charts.look import (
    BLUE,
    INK,
    LINE_HEIGHT,
    MUTED,
    ORANGE,
    PAPER_HEIGHT,
    Canvas,
    finish,
    label_ends,
    label_width,
    new_canvas,
    plain,
    span_of,
    spread,
)
from institute_lib.charts.trend import series_of
from institute_lib.disclosure import TOTAL, Protected
from institute_lib.errors import ParameterError

MOST_NAMED = 12  # points that are all named
POINTS = 80  # of each limit's curve


def _rate_and_size(safe: Protected) -> tuple[str, str]:
    """The rate, and what it is out of: of a result the denominator that its first figure states."""
    counted = [one.name for one in safe.measures if one.unit == "count"]
    if not counted:
        raise ParameterError(
            "this chart needs a rate and its denominator: a result whose first measure is a share and another a count"
        )
    return safe.value, counted[0]


def draw_funnel(safe: Protected, *, language: str = "zh", title: str = "") -> Chart:
    """Rates against the number of persons behind them, with the limits that chance alone would keep.

    Args:
        safe: a table whose values are a rate (0 to 1) and its denominator.

    Raises:
        ParameterError: no denominator.

    Source of the method: Spiegelhalter (2005), "Funnel plots for comparing institutional performance"; the limits are
    the binomial's own (`talent.control_limits`).
    """
    rate, size = _rate_and_size(require_protected(safe))
    keys = [*safe.rows, *safe.columns]
    frame = safe.data[~safe.data[keys].astype(str).isin([TOTAL]).any(axis=1)].dropna(subset=[rate, size])
    frame = frame[frame[size] >= 1]
    overall = float((frame[rate] * frame[size]).sum() / frame[size].sum()) if len(frame) else float("nan")
    outside = _beyond(frame[rate], frame[size], overall)
    names = [
        " · ".join(terms.key(key, record[key], language, safe.labels) for key in keys)
        for record in frame[keys].to_dict("records")
    ]
    words = [
        terms.text("charts.point", language, name=name, value=terms.percent(value, language))
        for name, value in zip(names, frame[rate], strict=True)
    ]
    canvas = new_canvas(right=label_width(terms.text("charts.mean", language)) + 22, height=400)
    span = _funnel_limits(canvas, frame[size], overall, list(frame[rate]), language)
    canvas.add(
        "scatter",
        x=frame[size],
        y=frame[rate],
        mode="markers",
        cliponaxis=False,
        marker=_markers(outside, 9, 9),
        hovertext=[plain(word) for word in words],
        hoverinfo="text",
    )
    _name_points(canvas, frame[[rate, size]].assign(name=names, outside=outside), span)
    canvas.x_axis(title=terms.word(size, language, safe.labels), rangemode="tozero", tickformat=",d", nticks=5)
    canvas.y_axis(range=span, **value_axis("share", terms.word(rate, language, safe.labels), span))
    title = title or safe.title or terms.text("charts.funnel_title", language)
    return finish(
        canvas,
        safe,
        language=language,
        title=title,
        alt=_outside_alt("charts.alt_funnel", title, names, list(outside), language),
        notes=(terms.text("charts.funnel_note", language),),
    )


def _name_points(canvas: Canvas, points: pd.DataFrame, span: tuple[float, float]) -> None:
    """Names beside points (y, x, name, outside), moved apart so that none lies on another; of many, of those outside
    alone."""
    most = points.iloc[:, 1].max()
    named = points if len(points) <= MOST_NAMED else points[points["outside"]]
    height = min(canvas.height, PAPER_HEIGHT) - canvas.margin["t"] - canvas.margin["b"]
    a_pixel = (span[1] - span[0]) / height
    placed = spread(list(named.iloc[:, 0]), a_pixel * LINE_HEIGHT, span)
    for (rate, size, name, _), y in zip(named.itertuples(index=False, name=None), placed, strict=True):
        right = size < 0.6 * most
        to = {"ax": 14 if right else -14, "ay": (rate - y) / a_pixel, "xanchor": "left" if right else "right"}
        line = {"showarrow": True, "arrowhead": 0, "arrowwidth": 0.7, "arrowcolor": MUTED, "standoff": 5}
        canvas.note(name, x=size, y=rate, font={"size": 12, "color": INK}, **(line | to))


def _beyond(rates: pd.Series, sizes: pd.Series, overall: float) -> list[bool]:
    """Which rates lie outside the outer limits of their size."""
    if rates.empty:
        return []
    tail = talent.tail_probability(overall, rates * sizes, sizes)
    return [bool(out) for out in tail < (1 - talent.ALARM) / 2]


def _funnel_limits(
    canvas: Canvas, sizes: pd.Series, overall: float, rates: list[float], language: str
) -> tuple[float, float]:
    """Draw the overall level and its limits; the range of the axis."""
    top = float(sizes.max()) * 1.05 if len(sizes) else 1.0
    grid = np.unique(np.round(np.linspace(max(float(sizes.min()) * 0.8, 1.0) if len(sizes) else 1.0, top, POINTS)))
    ends = [(top, overall, terms.text("charts.mean", language), INK)]
    canvas.add(
        "scatter",
        x=[grid[0], top],
        y=[overall, overall],
        mode="lines",
        line={"color": INK, "width": 1.2},
        hoverinfo="skip",
    )
    bounds: list[float] = []
    known = 0 <= overall <= 1
    for level, dash, key in ((talent.WARNING, "dash", "limits_95"), (talent.ALARM, "dot", "limits_998")):
        limits = talent.control_limits(overall, grid, level=level) if known else (grid * np.nan, grid * np.nan)
        for curve in limits:
            bounds += [float(curve[0]), float(curve[-1])]
            canvas.add(
                "scatter",
                x=grid,
                y=curve,
                mode="lines",
                line={"color": MUTED, "width": 1.2, "dash": dash},
                hoverinfo="skip",
            )
        ends.append((top, float(limits[1][-1]), terms.text(f"charts.{key}", language), MUTED))
    span = span_of([*rates, *bounds])
    label_ends(canvas, ends, span)
    return span


def draw_control(safe: Protected, *, language: str = "zh", title: str = "") -> Chart:
    """A rate over the quarters with its mean and three-sigma limits (p-chart).

    Args:
        safe: a table with one key, periods, and as values a rate (0 to 1), its denominator and, where they are not to
            be the mean of all, the `centre` of the limits.

    Raises:
        ParameterError: no denominator, or a second key.

    Source of the method: Shewhart (1931); Montgomery, Statistical Quality Control, ch. 7, eq. 7.8.
    """
    rate, size = _rate_and_size(require_protected(safe))
    time, across = series_of(safe)
    if across is not None:
        raise ParameterError(f"a control chart follows one series; choose one {across} first")
    axis = time_axis(sorted(set(safe.data[time]), key=str), language)
    frame = safe.data.sort_values(time, key=lambda column: column.map(axis.places))
    known = frame.dropna(subset=[rate, size])
    mean = float((known[rate] * known[size]).sum() / known[size].sum()) if len(known) else float("nan")
    overall = frame["centre"] if "centre" in safe.values else frame[size] * 0 + mean
    low, high = talent.p_limits(overall, frame[size])
    outside = ((frame[rate] < low) | (frame[rate] > high)).to_numpy(bool)
    run = talent.runs_on_one_side(frame[rate] - overall)
    x = axis(frame[time])
    labels = {name: terms.text(f"charts.{name}", language) for name in ("lower", "upper", "mean")}
    canvas = new_canvas(right=max(map(label_width, labels.values())) + 22)
    span = span_of([*frame[rate], *low, *high])
    lines = dict(zip(labels.values(), (low, high, overall), strict=True))
    ends = _control_lines(canvas, x, lines)
    canvas.add(
        "scatter",
        x=x,
        y=frame[rate],
        mode="lines+markers",
        line={"color": BLUE, "width": 1.8},
        hoverinfo="text",
        marker=_markers(outside | run, 6, 10),
        hovertext=[
            plain(terms.text("charts.point", language, name=axis.names[period], value=terms.percent(value, language)))
            for period, value in zip(frame[time], frame[rate], strict=True)
        ],
    )
    label_ends(canvas, ends, span)
    canvas.x_axis(**axis.ticks)
    canvas.y_axis(range=span, **value_axis("share", terms.word(rate, language, safe.labels), span))
    title = title or safe.title or terms.text("charts.control_title", language)
    names = [axis.names[period] for period in frame[time]]
    alt = _outside_alt("charts.alt_control", title, names, list(outside), language)
    alt += _outside_alt("charts.alt_control_run", title, names, list(run), language) if run.any() else ""
    return finish(
        canvas,
        safe,
        language=language,
        title=title,
        alt=alt,
        notes=(terms.text("charts.control_note", language),),
    )


def _control_lines(canvas: Canvas, x: list[float], lines: dict[str, pd.Series]) -> list[tuple]:
    """Draw the lower and the upper limit and the mean, by their labels; where each ends."""
    for line, dash in zip(lines.values(), ("dash", "dash", "solid"), strict=True):
        look = {"color": MUTED, "width": 1.2, "dash": dash, "shape": "hvh"}
        canvas.add("scatter", x=x, y=line, mode="lines", line=look, hoverinfo="skip")
    return [(x[-1], float(line.iloc[-1]), label, MUTED) for label, line in lines.items()]


def _markers(outside: Sequence[bool], inner: float, outer: float) -> dict:
    """Points that lie outside differ from the others in colour and in shape, and stand out by size."""
    return {
        "size": [outer if out else inner for out in outside],
        "color": [ORANGE if out else BLUE for out in outside],
        "symbol": ["square" if out else "circle" for out in outside],
        "opacity": 1,
    }


def _outside_alt(key: str, title: str, names: list[str], outside: list[bool], language: str) -> str:
    found = [name for name, out in zip(names, outside, strict=True) if out]
    joined = terms.text("charts.between_few", language).join(found)
    listed = terms.text("charts.in_brackets", language, names=joined) if found else ""
    return terms.text(key, language, title=title, n=len(names), out=len(found), names=listed)
