"""Change over time: lines labelled at their ends."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.charts.axes import Axis, is_quarter, point_words, time_axis, value_axis
from institute_lib.charts.chart import Chart, require_protected
from institute_lib.charts.look import (
    DASHES,
    FAINT,
    INK,
    LINE,
    MUTED,
    PALETTE,
    Canvas,
    add_band,
    finish,
    label_ends,
    label_width,
    new_canvas,
    places_in_palette,
    span_of,
)
from institute_lib.disclosure import Protected
from institute_lib.errors import ParameterError, nearest

BANDS = {"confidence": "charts.band_note", "simulation": "charts.band_simulation"}

MOST_COLOURED = 7


def has_interval(safe: Protected) -> bool:
    return {"ci_low", "ci_high"} <= set(safe.values)


def series_of(safe: Protected) -> tuple[str, str | None]:
    """The key that is time, and the key that tells lines apart.

    Raises:
        ParameterError: no key holds periods, or more than one other key is left.
    """
    keys = [*safe.rows, *safe.columns]
    time = next((k for k in keys if len(safe.data) and all(is_quarter(v) for v in safe.data[k])), None)
    time = time or next((k for k in keys if k in ("quarter", "period", "year")), None)
    others = [key for key in keys if key != time]
    if time is None or len(others) > 1:
        raise ParameterError(f"a series needs one key of periods and at most one other, not {', '.join(keys)}")
    return time, others[0] if others else None


def draw_trend(
    safe: Protected,
    *,
    language: str = "zh",
    highlight: Sequence[str] = (),
    title: str = "",
    band: str = "confidence",
) -> Chart:
    """Lines over time, labelled at their ends; a missing or hidden quarter is a gap, never a zero.

    Args:
        safe: a table with a key of periods and at most one other key (districts).
        highlight: keys drawn in colour among grey others; by default the first seven.
        band: what the interval is, said under the chart: "confidence" or "simulation" (of simulated courses).

    Raises:
        ParameterError: its keys are no series, or another band.
    """
    if band not in BANDS:
        raise ParameterError(f"draw_trend: band {band!r}: {nearest(band, BANDS)}")
    time, across = series_of(require_protected(safe))
    unit = safe.unit(safe.value)
    axis = time_axis(sorted(set(safe.data[time]), key=str), language)
    groups = dict(list(safe.data.groupby(across, sort=False))) if across else {"": safe.data}
    chosen = [key for key in groups if str(key) in map(str, highlight)] or list(groups)[:MOST_COLOURED]
    names = {key: terms.key(across, key, language, safe.labels) if across else "" for key in groups}
    canvas = new_canvas(right=max((label_width(names[key]) for key in chosen), default=0) + 24, height=400)
    ends, colours = [], places_in_palette(list(groups))
    for key in [*(key for key in groups if key not in chosen), *chosen]:  # grey ones first, under the others
        rank = colours[key] if key in chosen else None
        colour = LINE if rank is None else PALETTE[rank]
        part = groups[key].sort_values(time, key=lambda column: column.map(axis.places))
        words = point_words(names[key], axis, part[time], part[safe.value], unit=unit, language=language)
        _line(canvas, safe, part, axis(part[time]), words=words, rank=rank)
        known = part[part[safe.value].notna()]
        if rank is not None and len(known) and across:
            ends.append((axis.places[known[time].iloc[-1]], float(known[safe.value].iloc[-1]), names[key], colour))
    drawn = [safe.value, *(("ci_low", "ci_high") if has_interval(safe) else ())]
    span = span_of(safe.data[drawn].to_numpy().ravel())
    label_ends(canvas, ends, span)
    canvas.x_axis(**axis.ticks)
    canvas.y_axis(range=span, **value_axis(unit, terms.word(safe.value, language, safe.labels), span, language))
    title = title or safe.title or terms.text("charts.trend_title", language)
    return finish(
        canvas,
        safe,
        language=language,
        title=title,
        alt=_trend_alt(safe, axis, names, unit=unit, title=title, language=language),
        notes=(terms.text(BANDS[band], language),) if has_interval(safe) else (),
    )


def _line(
    canvas: Canvas, safe: Protected, part: pd.DataFrame, x: list[float], *, words: list[str], rank: int | None
) -> None:
    """One line with its band; grey and thin where it is not among the chosen."""
    colour, dash = (LINE, "solid") if rank is None else (PALETTE[rank], DASHES[rank])
    if has_interval(safe) and rank is not None:
        add_band(canvas, x, (part["ci_low"], part["ci_high"]), colour=colour)
    line = {"color": colour, "width": 1 if rank is None else 2.2, "dash": dash}
    canvas.add("scatter", x=x, y=part[safe.value], mode="lines", line=line, hovertext=words, hoverinfo="text")


PANEL, ACROSS, ACROSS_NARROW, BELOW = 140, 4, 2, 560  # height of a panel, panels in a row; as wide as a telephone


def draw_multiples(safe: Protected, *, language: str = "zh", title: str = "", highlight: Sequence[str] = ()) -> Chart:
    """Small multiples: one panel a place on the same axes, with its last figure; lines of a panel in the same order.

    Args:
        safe: a key of periods, the key of the panels, and at most one further key, that of the lines in a panel.
        highlight: the places whose names stand out.

    Raises:
        ParameterError: no key holds periods, or more than two others are left.
    """
    keys = [*require_protected(safe).rows, *safe.columns]
    time = next((key for key in keys if key in ("quarter", "period", "year")), None)
    others = [key for key in keys if key != time]
    if time is None or not 1 <= len(others) <= 2:
        raise ParameterError(f"small multiples need a key of periods and one or two others, not {', '.join(keys)}")
    unit, axis = safe.unit(safe.value), time_axis(sorted(set(safe.data[time]), key=str), language)
    panels = dict(list(safe.data.groupby(others[0], sort=False)))
    canvas = new_canvas(height=PANEL * -(-len(panels) // ACROSS) + 100)
    span = span_of(safe.data[safe.value])
    ends = [min(axis.places.values()), max(axis.places.values())]
    lines = list(dict.fromkeys(safe.data[others[1]])) if len(others) == 2 else [None]
    wide, narrow = (_panels(len(panels), across) for across in (ACROSS, ACROSS_NARROW))
    update: dict[str, Any] = {"yaxis.tickfont.size": 11}
    said = []
    for number, ((place, rows), (x, y)) in enumerate(zip(panels.items(), wide, strict=True)):
        name = terms.key(others[0], place, language, safe.labels)
        tail = "" if number == 0 else str(number + 1)
        for rank, line in enumerate(lines):
            part = rows if line is None else rows[rows[others[1]] == line]
            part = part.sort_values(time, key=lambda column: column.map(axis.places))
            words = point_words(name, axis, part[time], part[safe.value], unit=unit, language=language)
            look = {"color": PALETTE[rank], "dash": DASHES[rank], "width": 1.8}
            of = {"xaxis": f"x{tail}", "yaxis": f"y{tail}"}
            figures = {"x": axis(part[time]), "y": part[safe.value], "hovertext": words, "hoverinfo": "text"}
            canvas.add("scatter", **figures, **of, mode="lines", line=look)
        known = rows[rows[safe.value].notna()].sort_values(time, key=lambda column: column.map(axis.places))
        last = terms.figure(known[safe.value].iloc[-1], unit, language, short=True) if len(known) else ""
        said.append((name, last, known[safe.value].iloc[-1] if len(known) else float("nan")))
        bold = {"color": INK if str(place) in map(str, highlight) else MUTED, "size": 12.5}
        spot = {"xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom", "font": bold}
        canvas.note(f"{name}\n{last}" if len(lines) == 1 else name, x=x[0], y=y[1], **spot)
        ticks = {"tickmode": "array", "tickvals": ends, "ticktext": ["", ""], "range": ends, "fixedrange": True}
        canvas.layout[f"xaxis{tail}"] = ticks | {"domain": x, "anchor": f"y{tail}", "linecolor": LINE}
        value = {"domain": y, "anchor": f"x{tail}", "range": span, "gridcolor": FAINT, "fixedrange": True}
        shown = value_axis(unit, "", span, language) | {"title": None, "nticks": 3}
        canvas.layout[f"yaxis{tail}"] = value | shown | {"showticklabels": x[0] == 0}
        (narrow_x, narrow_y) = narrow[number]
        update |= {f"xaxis{tail}.domain": narrow_x, f"yaxis{tail}.domain": narrow_y}
        update |= {f"yaxis{tail}.showticklabels": narrow_x[0] == 0}
        update |= {f"annotations[{number}].x": narrow_x[0], f"annotations[{number}].y": narrow_y[1]}
    tall = PANEL * -(-len(panels) // ACROSS_NARROW) + 100
    canvas.layout["meta"] = {"narrow": {"below": BELOW, "height": tall, "bottom": 60, "legend": {}, "update": update}}
    periods = sorted(axis.places, key=axis.places.get)
    first, last = axis.names[periods[0]], axis.names[periods[-1]]
    notes = [terms.text("charts.panels", language, first=first, last=last)]
    if len(lines) > 1:
        names = [terms.key(others[1], line, language, safe.labels) for line in lines]
        notes.append(terms.text("charts.panel_lines", language, names=terms.listed(names, language)))
    title = title or safe.title
    alt = terms.text("charts.titled", language, title=f"{title} · {last}", finding=_ends_words(said, language))
    return finish(canvas, safe, language=language, title=title, alt=alt, notes=notes)


def _ends_words(said: Sequence[tuple[str, str, float]], language: str) -> str:
    """Which panel ends highest and which lowest."""
    known = sorted((one for one in said if one[1]), key=lambda one: -one[2])
    if len(known) < 2:
        return terms.text("charts.nothing", language)
    (high, high_value, _), (low, low_value, _) = known[0], known[-1]
    ends = {"high": high, "high_value": high_value, "low": low, "low_value": low_value}
    return terms.text("charts.extremes", language, **ends, n=len(known))


def _panels(number: int, across: int) -> list[tuple[list[float], list[float]]]:
    """The domains of panels, row by row from the top."""
    down, places = -(-number // across), []
    for one in range(number):
        left, top = (one % across) / across, 1 - (one // across) / down
        places.append(([left, left + 0.9 / across], [top - 0.84 / down, top - 0.26 / down]))
    return places


def difference(value: float, unit: str, language: str) -> str:
    """A change with its sign; of shares in percentage points."""
    sign = "+" if value > 0 else ""
    if unit == "share":
        return terms.text("charts.points", language, value=sign + terms.number(100 * value, language, 1))
    return sign + terms.figure(value, unit, language, short=True)


def _trend_alt(safe: Protected, axis: Axis, names: dict[object, str], *, unit: str, title: str, language: str) -> str:
    """Highest and lowest at the end, and who moved most since the start."""
    time, across = series_of(safe)
    known = safe.data[safe.data[safe.value].notna()]
    if known.empty:
        return terms.text("charts.alt_none", language, title=title)
    ordered = sorted(known[time].unique(), key=axis.places.get)
    by = across or time
    start = known[known[time] == ordered[0]].set_index(by)[safe.value]
    end = known[known[time] == ordered[-1]].set_index(by)[safe.value].sort_values()
    words = {"title": title, "first": axis.names[ordered[0]], "period": axis.names[ordered[-1]]}
    values = {"first_value": start.iloc[0], "last_value": end.iloc[-1], "high_value": end.iloc[-1]}
    shown = {name: terms.figure(value, unit, language, short=True) for name, value in values.items()}
    if across is None or len(names) == 1:
        return terms.text("charts.alt_trend_one", language, **words, **shown)
    shown |= {"low_value": terms.figure(end.iloc[0], unit, language, short=True)}
    moved = _moved(start, end, names, unit=unit, language=language)
    places = {"high": names[end.index[-1]], "low": names[end.index[0]]}
    key = "charts.alt_trend" if moved else "charts.alt_trend_level"
    return terms.text(key, language, **words, **shown, **places, **moved)


def _moved(start: pd.Series, end: pd.Series, names: dict[object, str], *, unit: str, language: str) -> dict[str, str]:
    """Who moved most upwards and who most downwards; empty where nobody is in both periods."""
    moves = (end - start).dropna().sort_values()
    if moves.empty:
        return {}
    return {
        "up": names[moves.index[-1]],
        "up_value": difference(float(moves.iloc[-1]), unit, language),
        "down": names[moves.index[0]],
        "down_value": difference(float(moves.iloc[0]), unit, language),
        "least": terms.text("charts.fell_most" if moves.iloc[0] < 0 else "charts.rose_least", language),
    }
