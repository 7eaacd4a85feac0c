"""Effects of policies: event study, the observed and the counterfactual path, placebos."""

from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.charts.axes import Axis, point_words, time_axis, value_axis
from institute_lib.charts.chart import Chart, require_protected
from institute_lib.charts.look import (
    BLUE,
    INK,
    LINE,
    MUTED,
    ORANGE,
    Canvas,
    add_band,
    darker,
    error_bars,
    finish,
    label_ends,
    label_width,
    new_canvas,
    plain,
    span_of,
)
from institute_lib.disclosure import Protected
from institute_lib.errors import ParameterError, nearest


def draw_event_study(shown: Protected, *, language: str = "zh", start: object = None, title: str = "") -> Chart:
    """Estimates by period with their intervals; before the start hollow, after it filled.

    Args:
        shown: one row a period, whole numbers relative to adoption or the panel's own; its first figure has an
            interval. With band_low and band_high the band that holds for all periods at once is drawn behind.
        start: the first treated period, where the periods are the panel's own.

    Raises:
        ParameterError: `start` is no period of the result.
    """
    rows, points = in_points(shown)
    axis = time_axis(list(rows[shown.rows[-1]]), language)
    x = np.array(axis(rows[shown.rows[-1]]))
    begins = -0.5 if start is None else _start_place(axis, start)
    bands = [name for name in ("band_low", "band_high") if name in rows]
    canvas = new_canvas()
    if bands:
        add_band(canvas, list(x), tuple(rows[name] for name in bands), colour=BLUE)
    hover = [f"{axis.names[one]}: {_estimate(shown, at)}" for at, one in enumerate(rows[shown.rows[-1]])]
    for chosen, colour, symbol in ((x < begins, MUTED, "circle-open"), (x > begins, BLUE, "circle")):
        part = rows[chosen]
        canvas.add(
            "scatter",
            x=x[chosen],
            y=part[shown.value],
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 8, "line": {"width": 1.8, "color": colour}},
            error_y=error_bars(part[shown.value], part["ci_low"], part["ci_high"], colour),
            hovertext=[plain(hover[at]) for at in np.flatnonzero(chosen)],
            hoverinfo="text",
        )
    canvas.rule(y=0, colour=INK)
    _mark_start(canvas, begins, language)
    if start is None:
        canvas.x_axis(title=terms.text("charts.relative_period", language), tickformat="d", nticks=13)
    else:
        canvas.x_axis(**axis.ticks)
    canvas.y_axis(**value_axis("number", difference("effect", points, language)))
    notes = [terms.text("charts.interval_note", language), terms.text("charts.before_note", language)]
    notes += [terms.text("charts.simultaneous_note", language)] if bands else []
    later = rows[x > begins]
    clear = ((later["ci_low"] > 0) | (later["ci_high"] < 0)).sum()
    counts = {"before": int((x < begins).sum()), "after": len(later), "clear": int(clear)}
    return _finish(
        canvas, shown, "alt_event_study", notes, language=language, title=title, **counts, last=_estimate(shown, -1)
    )


def in_points(shown: Protected) -> tuple[pd.DataFrame, bool]:
    """The rows of a result, differences of shares in percentage points; and whether they are that."""
    require_protected(shown)
    points = shown.measure(shown.value).unit == "points"
    measures = [one.name for one in shown.measures if one.unit == "points"]
    return shown.data.assign(**{name: 100 * shown.data[name] for name in measures}), points


def difference(key: str, points: bool, language: str) -> str:
    return terms.text(f"charts.{key}_points" if points else f"charts.{key}", language)


def _estimate(shown: Protected, place: int) -> str:
    """An estimate with its interval, as the table behind the chart shows them."""
    place = range(len(shown.data))[place]
    words = {"estimate": shown.value, "low": "ci_low", "high": "ci_high"}
    key = "estimate_words_points" if shown.measure(shown.value).unit == "points" else "estimate_words"
    return terms.text(f"charts.{key}", shown.language, **{name: shown.text(place, of) for name, of in words.items()})


def _finish(
    canvas: Canvas, shown: Protected, alt: str, notes: list[str], *, language: str, title: str, **words: Any
) -> Chart:
    """The chart with its title, and what it shows in words."""
    title = title or shown.title
    words = terms.text(f"charts.{alt}", language, title=title, **words)
    return finish(canvas, shown, language=language, title=title, alt=words, notes=notes)


def _mark_start(canvas: Canvas, x: float, language: str) -> None:
    """The line at which the policy starts, and its word above the plot."""
    canvas.rule(x=x, colour=ORANGE, width=1.5, dash="dash")
    above = {"x": x, "y": 1, "yref": "paper", "yanchor": "bottom"}
    canvas.note(terms.text("charts.start", language), **above, font={"size": 12, "color": darker(ORANGE)})


def _start_place(axis: Axis, start: object) -> float:
    """Half a period before the first treated one.

    Raises:
        ParameterError: the period is not on the axis.
    """
    found = next((place for period, place in axis.places.items() if str(period) == str(start)), None)
    if found is None:
        raise ParameterError(f"start {start!r}: {nearest(str(start), axis.places)}")
    return found - 0.5


def draw_pilot_path(
    shown: Protected, *, language: str = "zh", start: object = None, outcome: str = "", title: str = ""
) -> Chart:
    """The treated unit's observed path and what it would have been without the policy.

    Args:
        shown: one row a period; observed, counterfactual.
        start: the first treated period, marked by a line. outcome: the label of the axis.

    Raises:
        ParameterError: `start` is no period of the result.
    """
    require_protected(shown)
    frame, unit = shown.data, shown.measure("observed").unit
    period = frame[shown.rows[-1]]
    axis = time_axis(list(period), language)
    x = axis(period)
    names = {name: terms.text(f"charts.{name}", language) for name in ("observed", "counterfactual")}
    span = span_of([*frame["observed"], *frame["counterfactual"]])
    canvas = new_canvas(right=max(map(label_width, names.values())) + 22)
    looks = {"counterfactual": (ORANGE, "dash"), "observed": (BLUE, "solid")}
    for name, (colour, dash) in looks.items():
        canvas.add(
            "scatter",
            x=x,
            y=frame[name],
            mode="lines",
            line={"color": colour, "width": 2.4, "dash": dash},
            hovertext=point_words(names[name], axis, period, frame[name], unit=unit, language=language),
            hoverinfo="text",
        )
    label_ends(canvas, [(x[-1], float(frame[one].iloc[-1]), names[one], looks[one][0]) for one in names], span)
    if start is not None:
        _mark_start(canvas, _start_place(axis, start), language)
    canvas.x_axis(**axis.ticks)
    canvas.y_axis(range=span, **value_axis(unit, outcome, span))
    last = {name: shown.text(len(frame) - 1, name) for name in names}
    notes = [terms.text("charts.counterfactual_note", language)]
    return _finish(
        canvas, shown, "alt_path", notes, language=language, title=title, period=axis.names[period.iloc[-1]], **last
    )


def draw_placebos(
    shown: Protected, *, language: str = "zh", treated: object = "", start: object = None, title: str = ""
) -> Chart:
    """The treated unit's gap by period among the gaps of units without the policy: a grey line each, its own over them.

    Args:
        shown: one row a unit and period; its first figure is the gap.
        treated: the treated unit. start: the first treated period, marked by a line.

    Raises:
        ParameterError: `start` is no period of the result.
    """
    rows, points = in_points(shown)
    unit, period = (*shown.rows, *shown.columns)[:2]
    is_own = rows[unit].astype(str) == str(treated)
    own, others = rows[is_own], rows[~is_own]
    axis = time_axis(sorted(set(rows[period]), key=list(rows[period]).index), language)
    label = terms.text("charts.treated", language)
    canvas = new_canvas(right=label_width(label) + 22)
    grey: dict[str, list] = {"x": [], "y": [], "hovertext": []}  # one trace: lines are parted by gaps
    for key, part in others.groupby(unit, sort=False):
        grey["x"] += [*axis(part[period]), None]
        grey["y"] += [*part[shown.value], None]
        grey["hovertext"] += [plain(str(shown.name(unit, key)))] * (len(part) + 1)
    canvas.add("scatter", **grey, mode="lines", line={"color": LINE, "width": 1.1}, hoverinfo="text")
    span = span_of(list(rows[shown.value]))
    x = axis(own[period])
    words = point_words(label, axis, own[period], own[shown.value], unit="number2", language=language)
    line = {"color": BLUE, "width": 2.8}
    canvas.add("scatter", x=x, y=own[shown.value], mode="lines", line=line, hovertext=words, hoverinfo="text")
    if len(own):
        label_ends(canvas, [(x[-1], float(own[shown.value].iloc[-1]), label, BLUE)], span)
    canvas.rule(y=0, colour=INK)
    if start is not None:
        _mark_start(canvas, _start_place(axis, start), language)
    canvas.x_axis(**axis.ticks)
    canvas.y_axis(range=span, **value_axis("number", difference("gap", points, language)))
    last = rows[rows[period] == rows[period].iloc[-1]]
    further = int((last.loc[~is_own, shown.value].abs() >= last.loc[is_own, shown.value].abs().max()).sum())
    counts = {"units": int(others[unit].nunique()), "further": further}
    notes = [terms.text("charts.placebo_note", language)]
    return _finish(canvas, shown, "alt_placebos", notes, language=language, title=title, **counts)
