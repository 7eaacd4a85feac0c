"""Effects of policies: event study, the observed and the counterfactual path, placebos."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.charts.axes import Axis, point_words, time_axis, value_axis
from institute_lib.charts.chart import Chart, require_safe
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
    new_canvas,
    plain,
    span_of,
    width,
)
from institute_lib.disclosure import SafeResult, SafeTable, show
from institute_lib.errors import ParameterError, nearest

COUNTERFACTUAL_BAND = "rgba(200,86,27,0.16)"
Safe = SafeTable | SafeResult


def frame_of(safe: Safe, name: str, columns: Sequence[str]) -> pd.DataFrame:
    """The named frame of a result (or the table itself), with the columns that the chart needs.

    Raises:
        DisclosureError: not a safe table or result.
        ParameterError: the frame or a column is not there.
    """
    require_safe(safe)
    if isinstance(safe, SafeResult) and name not in safe.tables:
        raise ParameterError(f"{safe.kind} result: frame {name!r}: {nearest(name, safe.tables)}")
    frame = safe.tables[name] if isinstance(safe, SafeResult) else safe.data
    for column in columns:
        if column not in frame:
            raise ParameterError(f"frame {name!r}: column {column!r}: {nearest(column, frame.columns)}")
    return frame.copy()


def draw_event_study(
    safe: Safe, *, language: str = "zh", title: str = "", unit: str = "number", source: str = ""
) -> Chart:
    """Estimates by period relative to adoption with their intervals; before adoption hollow, after it filled.

    Args:
        safe: a staggered-adoption result, or a table with relative_period, estimate, ci_low, ci_high; with band_low
            and band_high the band that holds for all periods at once is drawn behind.
        unit: "share" when the outcome is a share: effects are then in percentage points.

    Raises:
        DisclosureError: not a safe table or result.
        ParameterError: a column is missing.
    """
    frame = frame_of(safe, "event_study", ("relative_period", "estimate", "ci_low", "ci_high"))
    bands = [name for name in ("band_low", "band_high") if name in frame]
    frame = in_points(frame.sort_values("relative_period"), ("estimate", "ci_low", "ci_high", *bands), unit)
    canvas = new_canvas()
    if len(bands) == 2:
        add_band(canvas, list(frame["relative_period"]), (frame["band_low"], frame["band_high"]), colour=BLUE)
    for before, colour, symbol in ((True, MUTED, "circle-open"), (False, BLUE, "circle")):
        part = frame[(frame["relative_period"] < 0) == before]
        canvas.add(
            "scatter",
            x=part["relative_period"],
            y=part["estimate"],
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 8, "line": {"width": 1.8, "color": colour}},
            error_y=error_bars(part["estimate"], part["ci_low"], part["ci_high"], colour),
            hovertext=[plain(_estimate(row, unit, language)) for row in part.to_dict("records")],
            hoverinfo="text",
        )
    canvas.rule(y=0, colour=INK)
    _mark_start(canvas, -0.5, language)
    canvas.x_axis(title=terms.text("charts.relative_period", language), tickformat="d", nticks=13)
    canvas.y_axis(**value_axis("number", _difference_title("effect", unit, language)))
    notes = [terms.text("charts.interval_note", language), terms.text("charts.before_note", language)]
    notes += [terms.text("charts.simultaneous_note", language)] if len(bands) == 2 else []
    return finish(
        canvas,
        safe,
        language=language,
        title=title or safe.title or terms.text("charts.event_study_title", language),
        alt=safe.summary(language),
        source=source,
        notes=notes,
        frame="event_study",
    )


def in_points(frame: pd.DataFrame, columns: Sequence[str], unit: str) -> pd.DataFrame:
    """Differences of shares as percentage points; other units as they are."""
    return frame.assign(**{name: frame[name] * 100 for name in columns}) if unit == "share" else frame


def _difference_title(key: str, unit: str, language: str) -> str:
    return terms.text(f"charts.{key}_points" if unit == "share" else f"charts.{key}", language)


def _estimate(row: Mapping[str, Any], unit: str, language: str) -> str:
    """An estimate with its interval in words; shares are percentage points already."""
    values = [float(row[name]) for name in ("estimate", "ci_low", "ci_high")]
    decimals = show.unit("estimate", pd.Series(values), {}) if unit != "share" else "number2"
    shown, low, high = (show.number(value, decimals, language) for value in values)
    key = "charts.estimate_words_points" if unit == "share" else "charts.estimate_words"
    return terms.text(key, language, estimate=shown, low=low, high=high)


def _mark_start(canvas: Canvas, x: float, language: str) -> None:
    """The line at which the policy starts, and its word above the plot."""
    canvas.rule(x=x, colour=ORANGE, width=1.5, dash="dash")
    above = {"x": x, "y": 1, "yref": "paper", "yanchor": "bottom"}
    canvas.note(terms.text("charts.start", language), **above, font={"size": 12, "color": darker(ORANGE)})


def _fact(safe: Safe, name: str) -> str | None:
    """What a result says of itself, if it does."""
    return safe.facts.get(name) if isinstance(safe, SafeResult) else None


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
    safe: Safe,
    *,
    language: str = "zh",
    start: object = None,
    unit: str = "number",
    outcome: str = "",
    title: str = "",
    source: str = "",
) -> Chart:
    """The treated area's observed path and what it would have been without the pilot.

    Args:
        safe: a pilot result, or a table with period, observed, counterfactual; with ci_low and ci_high the
            counterfactual has its band.
        start: the first treated period, marked by a line; by default the result's own.
        unit: "share" shows per cent.
        outcome: the outcome's label for the axis.

    Raises:
        DisclosureError: not a safe table or result.
        ParameterError: a column is missing, or `start` is not on the axis.
    """
    frame = frame_of(safe, "path", ("period", "observed", "counterfactual"))
    axis = time_axis(list(frame["period"]), language)
    x = axis(frame["period"])
    names = {name: terms.text(f"charts.{name}", language) for name in ("observed", "counterfactual")}
    bounds = [frame[name] for name in ("ci_high", "ci_low") if name in frame]
    span = span_of([*frame["observed"], *frame["counterfactual"], *(v for bound in bounds for v in bound)])
    canvas = new_canvas(right=max(map(width, names.values())) + 22)
    if len(bounds) == 2:
        outline = [*bounds[0], *bounds[1].iloc[::-1]]
        fill = {"fill": "toself", "fillcolor": COUNTERFACTUAL_BAND, "line": {"width": 0}, "mode": "lines"}
        canvas.add("scatter", x=[*x, *x[::-1]], y=outline, hoverinfo="skip", **fill)
    for name, colour, dash in (("counterfactual", ORANGE, "dash"), ("observed", BLUE, "solid")):
        canvas.add(
            "scatter",
            x=x,
            y=frame[name],
            mode="lines",
            line={"color": colour, "width": 2.4, "dash": dash},
            hovertext=point_words(names[name], axis, frame["period"], frame[name], unit=unit, language=language),
            hoverinfo="text",
        )
    ends = ((name, ORANGE if name == "counterfactual" else BLUE) for name in names)
    label_ends(canvas, [(x[-1], float(frame[name].iloc[-1]), names[name], colour) for name, colour in ends], span)
    start = start if start is not None else _fact(safe, "start")
    if start is not None:
        _mark_start(canvas, _start_place(axis, start), language)
    canvas.x_axis(**axis.ticks)
    canvas.y_axis(range=span, **value_axis(unit, outcome, span))
    return finish(
        canvas,
        safe,
        language=language,
        title=title or safe.title or terms.text("charts.pilot_title", language),
        alt=safe.summary(language),
        source=source,
        notes=[*_mean_effect(safe, unit, language), terms.text("charts.counterfactual_note", language)],
        frame="path",
    )


def _mean_effect(safe: Safe, unit: str, language: str) -> list[str]:
    """The mean effect with its interval, which the path itself does not show."""
    numbers = safe.numbers if isinstance(safe, SafeResult) else {}
    if not {"att", "ci_low", "ci_high"} <= set(numbers):
        return []
    factor = 100 if unit == "share" else 1
    row = {"estimate": numbers["att"], "ci_low": numbers["ci_low"], "ci_high": numbers["ci_high"]}
    words = _estimate({name: value * factor for name, value in row.items()}, unit, language)
    return [terms.text("charts.mean_effect", language, words=words)]


def draw_placebos(
    safe: Safe,
    *,
    language: str = "zh",
    start: object = None,
    unit: str = "number",
    title: str = "",
    source: str = "",
) -> Chart:
    """The effect on the treated area among the effects on areas that had no pilot.

    Args:
        safe: a pilot result. `placebos` with unit, period, gap are drawn as lines, the treated area's gap (of `path`)
            over them; `placebos` with one effect a unit (unit, att) as dots in order.
        start: the first treated period, marked by a line; by default the result's own.
        unit: "share" when the outcome is a share: gaps are then in percentage points.

    Raises:
        DisclosureError: not a safe table or result.
        ParameterError: a column is missing, or `start` is not on the axis.
    """
    name = "placebo_paths" if isinstance(safe, SafeResult) and "placebo_paths" in safe.tables else "placebos"
    frame = frame_of(safe, name, ("unit",))
    if "period" in frame:
        canvas = _placebo_lines(safe, frame, start=start, unit=unit, language=language)
    else:
        canvas = _placebo_dots(safe, frame, unit=unit, language=language)
    return finish(
        canvas,
        safe,
        language=language,
        title=title or terms.text("charts.placebo_title", language),
        alt=safe.summary(language),
        source=source,
        notes=(terms.text("charts.placebo_note", language),),
        frame=name,
    )


def _placebo_lines(safe: Safe, frame: pd.DataFrame, *, start: object, unit: str, language: str) -> Canvas:
    """One grey line an area without a pilot, the treated area's over them."""
    frame = in_points(frame[frame["unit"].astype(str) != _fact(safe, "treated_unit")], ("gap",), unit)
    own = in_points(safe.tables["path"] if isinstance(safe, SafeResult) else frame.iloc[:0], ("gap",), unit)
    axis = time_axis([*own["period"], *frame["period"]], language)
    label = terms.text("charts.treated", language)
    canvas = new_canvas(right=width(label) + 22)
    grey: dict[str, list] = {"x": [], "y": [], "hovertext": []}  # one trace: lines are parted by gaps
    for key, part in frame.groupby("unit", sort=False):
        grey["x"] += [*axis(part["period"]), None]
        grey["y"] += [*part["gap"], None]
        grey["hovertext"] += [plain(show.key("unit", key, language))] * (len(part) + 1)
    canvas.add("scatter", **grey, mode="lines", line={"color": LINE, "width": 1.1}, hoverinfo="text")
    span = span_of([*frame["gap"], *own["gap"]])
    if len(own):
        x = axis(own["period"])
        words = point_words(label, axis, own["period"], own["gap"], unit="number2", language=language)
        line = {"color": BLUE, "width": 2.8}
        canvas.add("scatter", x=x, y=own["gap"], mode="lines", line=line, hovertext=words, hoverinfo="text")
        label_ends(canvas, [(x[-1], float(own["gap"].iloc[-1]), label, BLUE)], span)
    canvas.rule(y=0, colour=INK)
    start = start if start is not None else _fact(safe, "start")
    if start is not None:
        _mark_start(canvas, _start_place(axis, start), language)
    canvas.x_axis(**axis.ticks)
    canvas.y_axis(range=span, **value_axis("number", _difference_title("gap", unit, language)))
    return canvas


def _placebo_dots(safe: Safe, frame: pd.DataFrame, *, unit: str, language: str) -> Canvas:
    """One effect an area in order, the treated area's as a line."""
    effect = next((name for name in ("att", "estimate", "effect") if name in frame), None)
    if effect is None:
        raise ParameterError(f"placebos: column 'att': {nearest('att', frame.columns)}")
    frame = in_points(frame.sort_values(effect), (effect,), unit)
    canvas = new_canvas()
    canvas.add(
        "scatter",
        x=frame[effect],
        y=list(range(1, len(frame) + 1)),
        mode="markers",
        marker={"color": MUTED, "size": 7, "symbol": "circle-open"},
        hovertext=[plain(show.key("unit", key, language)) for key in frame["unit"]],
        hoverinfo="text",
    )
    canvas.rule(x=0, colour=INK, width=1)
    if isinstance(safe, SafeResult) and "att" in safe.numbers:
        att = safe.numbers["att"] * (100 if unit == "share" else 1)
        canvas.rule(x=att, colour=BLUE, width=2.4)
        place = {"x": att, "y": 1, "yref": "paper", "yanchor": "bottom"}
        canvas.note(terms.text("charts.treated", language), **place, font={"color": BLUE, "size": 12.5})
    canvas.x_axis(**value_axis("number", _difference_title("effect", unit, language)))
    canvas.y_axis(title=terms.text("charts.rank", language), nticks=6, tickformat="d")
    return canvas
