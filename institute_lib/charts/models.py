"""Models: forest plots of ratios or estimates, survival curves."""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import cycle

import pandas as pd

from institute_lib import terms
from institute_lib.charts.chart import Chart, require_protected
from institute_lib.charts.look import (
    BLUE,
    DASHES,
    FAINT,
    INK,
    MUTED,
    PALETTE,
    Canvas,
    add_band,
    error_bars,
    finish,
    label_ends,
    label_width,
    new_canvas,
    plain,
    width,
)
from institute_lib.disclosure import Protected

ROW = 27  # pixels a row of a forest takes
INTERCEPT = "intercept"
ALL = "all"  # the key of a curve of everyone
BELOW, NARROW_ROW = 560, 34  # pixels: the width of a page under which names take two lines, and such a row's height
FEW_TICKS = [0.25, 0.5, 1, 2, 4]
TICKS = (0.1, 0.2, 0.33, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10)


def draw_forest(safe: Protected, *, language: str = "zh", unit: str = "", title: str = "") -> Chart:
    """Ratios or estimates of a model with their intervals, one row a level; a count among its figures beside them.

    Args:
        safe: its first figure has an interval; ratios stand on a logarithmic scale.
        unit: "people" where the estimates are people in a hundred.
    """
    require_protected(safe)
    shown = safe.data[safe.value].notna() & safe.data["ci_low"].notna()
    rows = safe.data[shown]
    ratio = safe.measure(safe.value).unit == "ratio"
    figures = rows[[safe.value, "ci_low", "ci_high"]].astype(float).set_axis(["estimate", "ci_low", "ci_high"], axis=1)
    names = [_key_words(record, language) for record in rows[list(safe.rows)].itertuples(index=False, name=None)]
    digits = safe.measure(safe.value).digits or 2
    words = [_estimate(record, language, digits) for record in figures.itertuples(index=False)]
    counts = next((one.name for one in safe.measures if one.unit == "count"), None)
    places = rows.index
    side = [
        f"{word}　{terms.text('charts.size', language, n=safe.text(place, counts))}" if counts else word
        for place, word in zip(places, words, strict=True)
    ]
    canvas = _forest(figures, names, side, neutral=1.0 if ratio else 0.0)
    canvas.layout["meta"] = {"narrow": _narrow(names, words, ratio=ratio)}
    label = "ratio" if ratio else "people_per_hundred" if unit == "people" else "estimate"
    _forest_axis(canvas, figures, ratio=ratio, title=terms.text(f"charts.{label}", language))
    title = title or safe.title
    notes = [terms.text("charts.interval_note", language)]
    notes += (
        [terms.text("charts.persons_note" if counts == "persons" else "charts.sizes_note", language)] if counts else []
    )
    reference = safe.data[safe.figures_of[safe.value].state == "missing"]
    joined = terms.text("charts.between_names", language).join(
        _key_words(record, language) for record in reference[list(safe.rows)].itertuples(index=False, name=None)
    )
    notes += [terms.text("charts.references", language, names=joined)] if joined else []
    return finish(
        canvas,
        safe,
        language=language,
        title=title,
        alt=_forest_alt(title, figures.reset_index(drop=True), names, words, language=language, ratio=ratio),
        notes=notes,
    )


def _key_words(record: tuple, language: str) -> str:
    """The key of an estimate: driver and level, or driver, level before and level after."""
    parts = [_crossed("term" if place == 0 else "level", one, {}, language) for place, one in enumerate(record)]
    parts = [one for one in parts if one]  # a term that is a number has no level
    if len(parts) == 2:
        return terms.text("charts.level", language, term=parts[0], level=parts[1])
    if len(parts) == 3:
        return terms.text("retention.lever_name", language, driver=parts[0], before=parts[1], after=parts[2])
    return " ".join(parts)


def _forest(figures: pd.DataFrame, names: Sequence[str], side: Sequence[str], *, neutral: float) -> Canvas:
    """The figure: squares with their intervals, names on the left, figures on the right."""
    y = list(range(len(figures), 0, -1))
    canvas = new_canvas(height=max(230, 130 + ROW * len(figures)), right=max(map(width, side), default=0) + 14)
    canvas.add(
        "scatter",
        x=figures["estimate"],
        y=y,
        mode="markers",
        marker={"color": BLUE, "size": 9, "symbol": "square"},
        error_x=error_bars(figures["estimate"], figures["ci_low"], figures["ci_high"], BLUE),
        hovertext=[plain(f"{name} {words}") for name, words in zip(names, side, strict=True)],
        hoverinfo="text",
    )
    canvas.rule(x=neutral, colour=INK, width=1)
    for place, text in zip(y, side, strict=True):
        beside = {"x": 1, "xref": "paper", "xanchor": "left", "xshift": 6}
        canvas.note(text, **beside, y=place, font={"size": 12, "color": MUTED})
    canvas.y_axis(
        tickmode="array",
        tickvals=y,
        ticktext=[plain(name) for name in names],
        tickfont={"size": 13, "color": INK},
        range=[0.3, len(y) + 0.7],
        showgrid=False,
    )
    return canvas


def _narrow(names: Sequence[str], words: Sequence[str], *, ratio: bool) -> dict:
    """A forest on a telephone, for the page's script: driver over level, the estimate alone beside, few ticks."""
    update: dict = {f"annotations[{place}].text": plain(text) for place, text in enumerate(words)}
    update |= {"yaxis.ticktext": [re.sub("([：，]|[:,] )", r"\1<br>", plain(name), count=1) for name in names]}
    update |= {"yaxis.tickfont.size": 11.5, "margin.r": max(map(width, words), default=0) * 12 / 13 + 8}
    if ratio:
        update |= {"xaxis.tickvals": FEW_TICKS, "xaxis.ticktext": [f"{tick:g}" for tick in FEW_TICKS]}
    return {"below": BELOW, "height": 130 + NARROW_ROW * len(names), "bottom": 60, "legend": {}, "update": update}


def _crossed(name: str, value: object, own: Mapping[str, str], language: str) -> str:
    """A key in words; the parts of an interaction (`a:b`) one by one."""
    if isinstance(value, str) and ":" in value:
        return " × ".join(terms.key(name, part, language, own) for part in value.split(":"))
    return terms.key(name, value, language, own)


def _estimate(record: Sequence[float], language: str, digits: int = 2) -> str:
    estimate, low, high = (terms.number(value, language, digits) for value in record)
    return f"{estimate} [{low}, {high}]"


def _forest_axis(canvas: Canvas, figures: pd.DataFrame, *, ratio: bool, title: str) -> None:
    """Ratios on a logarithmic axis with plain ticks, estimates on a linear one."""
    canvas.x_axis(title=title, showgrid=True, gridcolor=FAINT)
    finite = figures.replace([math.inf, 0.0], math.nan)
    if not ratio or finite.isna().all(axis=None):
        return
    low, high = min(finite.min().min(), 0.9), max(finite.max().max(), 1.1)
    ticks = [tick for tick in TICKS if low * 0.9 <= tick <= high * 1.1]
    room = math.log10(high / low) * 0.05
    places = {"tickmode": "array", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks], "tickangle": 0}
    canvas.x_axis(type="log", range=[math.log10(low) - room, math.log10(high) + room], **places)


def _forest_alt(
    title: str, figures: pd.DataFrame, names: Sequence[str], words: Sequence[str], *, ratio: bool, language: str
) -> str:
    """How many intervals exclude no difference, and which estimate lies furthest from it."""
    if figures.empty:
        return terms.text("charts.alt_none", language, title=title)
    neutral = 1.0 if ratio else 0.0
    clear = int(((figures["ci_low"] > neutral) | (figures["ci_high"] < neutral)).sum())
    distance = figures["estimate"].map(lambda v: abs(math.log(v)) if ratio and v > 0 else abs(v - neutral))
    furthest = int(distance.to_numpy().argmax())
    return terms.text(
        "charts.alt_forest",
        language,
        title=title,
        n=len(figures),
        clear=clear,
        name=names[furthest],
        value=words[furthest],
    )


def draw_survival(safe: Protected, *, language: str = "zh", years: float = 10.0, title: str = "") -> Chart:
    """Survival curves as steps with their bands, named on the right; compared at the last time that all reach.

    Args:
        safe: survival with its interval by a key and time (years).
        years: how far the axis reaches; later times stay in the table.
    """
    require_protected(safe)
    curves = safe.data[(safe.data["time"] <= years) & safe.data["survival"].notna()]
    by = safe.rows[0]
    groups = dict(list(curves.groupby(by, sort=False)))
    every = terms.text("charts.all", language)
    labels = {key: every if key == ALL else terms.key(by, key, language, safe.labels) for key in groups}
    canvas = new_canvas(right=max(map(label_width, labels.values()), default=0) + 22, height=400)
    _steps(canvas, groups, labels, language)
    ends = {key: curve.sort_values("time").iloc[-1] for key, curve in groups.items() if len(curve)}
    low = min((end["survival"] for end in ends.values()), default=0.0)
    span = (0.0, 1.02) if low < 0.6 else (math.floor(low * 10 - 0.5) / 10, 1.005)
    last = max((end["time"] for end in ends.values()), default=0.0)
    colours = dict(zip(groups, cycle(PALETTE), strict=False))
    label_ends(canvas, [(last, end["survival"], labels[key], colours[key]) for key, end in ends.items()], span)
    canvas.x_axis(title=terms.text("charts.duration", language), rangemode="tozero", nticks=6)
    canvas.y_axis(title=terms.text("charts.survival", language), tickformat=".0%", range=span)
    title = title or safe.title or terms.text("charts.survival_title", language)
    return finish(
        canvas,
        safe,
        language=language,
        title=title,
        alt=_survival_alt(title, groups, labels, language) if len(ends) > 1 else safe.summary(language),
        notes=(terms.text("charts.band_note", language),),
    )


def _steps(canvas: Canvas, groups: Mapping[object, pd.DataFrame], labels: Mapping[object, str], language: str) -> None:
    """Each curve as a step line over its band."""
    for (key, curve), colour, dash in zip(groups.items(), cycle(PALETTE), cycle(DASHES), strict=False):
        add_band(canvas, curve["time"], (curve["ci_low"], curve["ci_high"]), colour=colour, shape="hv")
        words = [
            terms.text("charts.point", language, name=labels[key], value=terms.percent(value, language))
            for value in curve["survival"]
        ]
        canvas.add(
            "scatter",
            x=curve["time"],
            y=curve["survival"],
            mode="lines",
            hovertext=[plain(one) for one in words],
            hoverinfo="text",
            line={"color": colour, "width": 2.2, "shape": "hv", "dash": dash},
        )


def _survival_alt(
    title: str, groups: Mapping[object, pd.DataFrame], labels: Mapping[object, str], language: str
) -> str:
    """Which curve is highest and which lowest at the last time that all of them reach."""
    common = min(curve["time"].max() for curve in groups.values())
    there = {key: curve.loc[curve["time"] <= common, "survival"].iloc[-1] for key, curve in groups.items()}
    low, high = min(there, key=there.get), max(there, key=there.get)
    return terms.text(
        "charts.alt_survival",
        language,
        title=title,
        years=f"{common:g}",
        high=labels[high],
        high_value=terms.percent(there[high], language),
        low=labels[low],
        low_value=terms.percent(there[low], language),
    )
