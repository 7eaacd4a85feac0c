"""Models: forest plots of ratios or estimates, survival curves."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle

import pandas as pd

from institute_lib import terms
from institute_lib.charts.chart import Chart, require_safe
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
    new_canvas,
    plain,
    width,
)
from institute_lib.disclosure import Protected, SafeResult, SafeTable, show
from institute_lib.errors import ParameterError, nearest

ROW = 27  # pixels a row of a forest takes
INTERCEPT = "intercept"
ALL = "all"  # the key of a curve of everyone
TICKS = (0.1, 0.2, 0.33, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10)


def frame_of(safe: SafeTable | SafeResult, name: str, columns: Sequence[str]) -> pd.DataFrame:
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


def draw_forest(
    safe: SafeTable | SafeResult,
    *,
    language: str = "zh",
    ratio: bool | None = None,
    unit: str = "",
    frame: str = "coefficients",
    title: str = "",
    source: str = "",
) -> Chart:
    """Ratios (or estimates) of a model with intervals, one row a category, its number of observations beside it.

    Args:
        safe: a hazard or Cox result, or a table with estimate, ci_low, ci_high and keys (term, level); `n_rows` is
            shown when it is there. For ratios the estimates are logarithms, as models give them.
        ratio: whether to show exp(estimate) on a logarithmic scale; by default for hazard and Cox results.
        unit: "share" when the estimates are shares (by default those of marginal effects), "people" when they are
            people in a hundred already; both are shown as people in a hundred.
        frame: which frame of the result, e.g. "marginal_effects".

    Raises:
        DisclosureError: not a safe table or result.
    """
    if isinstance(safe, Protected):  # its first figure is what is drawn; a ratio is one already
        return _draw_protected_forest(safe, language=language, unit=unit, title=title)
    rows = frame_of(safe, frame, ("estimate", "ci_low", "ci_high"))
    if ratio is None:
        ratio = isinstance(safe, SafeResult) and safe.kind in ("hazard", "cox") and frame == "coefficients"
    rows = rows[rows["estimate"].notna()]
    if "term" in rows:
        rows = rows[rows["term"] != INTERCEPT]
    names = _row_names(rows, safe, language)
    figures = rows[["estimate", "ci_low", "ci_high"]].astype(float)
    unit = unit or ("share" if frame == "marginal_effects" and not ratio else "number")
    figures = figures.map(_exp) if ratio else figures * (100 if unit == "share" else 1)
    words = [_estimate(record, language) for record in figures.itertuples(index=False)]
    sizes = next((rows[name] for name in ("rows", "n_rows") if name in rows), None)
    side = words if sizes is None else [f"{word}　{_size(n, language)}" for word, n in zip(words, sizes, strict=True)]
    canvas = _forest(figures, names, side, neutral=1.0 if ratio else 0.0)
    label = "ratio" if ratio else "estimate" if unit == "number" else "people_per_hundred"
    _forest_axis(canvas, figures, ratio=ratio, title=terms.text(f"charts.{label}", language))
    title = title or safe.title or terms.text("charts.forest_title", language)
    notes = [terms.text("charts.interval_note", language)]
    if sizes is not None:
        notes.append(terms.text("charts.sizes_note", language))
    notes += _references(safe, set(rows.get("term", ())), language)
    return finish(
        canvas,
        safe,
        language=language,
        title=title,
        alt=_forest_alt(title, figures, names, words, language=language, ratio=ratio),
        source=source,
        notes=notes,
        frame=frame if isinstance(safe, SafeResult) else None,
    )


def _draw_protected_forest(safe: Protected, *, language: str, unit: str, title: str) -> Chart:
    """The shown estimates of a protected result; a count among its figures stands beside them."""
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


def _references(safe: SafeTable | SafeResult, shown: set[str], language: str) -> list[str]:
    """Which category each driver is compared with."""
    levels = safe.tables.get("levels") if isinstance(safe, SafeResult) else None
    if levels is None or "reference" not in levels:
        return []
    rows = levels[levels["reference"].astype(bool) & levels["term"].isin(shown)]
    names = _row_names(rows[["term", "level"]], safe, language)
    joined = terms.text("charts.between_names", language).join(names)
    return [terms.text("charts.references", language, names=joined)] if names else []


def _size(n: float, language: str) -> str:
    return terms.text("charts.size", language, n=terms.number(n, language))


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


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


def _row_names(rows: pd.DataFrame, safe: SafeTable | SafeResult, language: str) -> list[str]:
    own = safe.names if isinstance(safe, SafeResult) else safe.labels
    keys = ("term", "level") if isinstance(safe, SafeResult) else (*safe.rows, *safe.columns)
    found = []
    for record in rows[[name for name in keys if name in rows]].to_dict("records"):
        given = {name: value for name, value in record.items() if not pd.isna(value) and value != ""}
        parts = [_crossed(name, value, own, language) for name, value in given.items()]
        pair = len(parts) == 2
        found.append(terms.text("charts.level", language, term=parts[0], level=parts[1]) if pair else " ".join(parts))
    return found


def _crossed(name: str, value: object, own: Mapping[str, str], language: str) -> str:
    """A key in words; the parts of an interaction (`a:b`) one by one."""
    if isinstance(value, str) and ":" in value:
        return " × ".join(show.key(name, part, language, own) for part in value.split(":"))
    return show.key(name, value, language, own)


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


def draw_survival(
    safe: SafeTable | SafeResult,
    *,
    language: str = "zh",
    by: str = "",
    years: float = 10.0,
    title: str = "",
    source: str = "",
) -> Chart:
    """Survival curves as steps with their bands, named on the right; compared at the last time that all reach.

    Args:
        safe: a survival result; its first frame holds time (years), survival, ci_low, ci_high, and a key if there are
            several curves.
        by: the key's column; by default the first column that is not a number.
        years: how far the axis reaches; later times stay in the table.

    Raises:
        DisclosureError: not a safe table or result.
        ParameterError: a column is missing.
    """
    name = next(iter(safe.tables)) if isinstance(safe, SafeResult) else ""
    curves = frame_of(safe, name, ("time", "survival", "ci_low", "ci_high"))
    curves = curves[(curves["time"] <= years) & curves["survival"].notna()]
    by = by or next((c for c in curves if not pd.api.types.is_numeric_dtype(curves[c])), "")
    groups = dict(list(curves.groupby(by, sort=False))) if by else {ALL: curves}
    own = safe.names if isinstance(safe, SafeResult) else safe.labels
    every = terms.text("charts.all", language)
    labels = {key: every if key == ALL else show.key(by, key, language, own) for key in groups}
    canvas = new_canvas(right=max(map(width, labels.values()), default=0) + 22, height=400)
    _steps(canvas, groups, labels, language)
    ends = {key: curve.sort_values("time").iloc[-1] for key, curve in groups.items() if len(curve)}
    low = min((end["survival"] for end in ends.values()), default=0.0)
    span = (0.0, 1.02) if low < 0.6 else (math.floor(low * 10 - 0.5) / 10, 1.005)
    last = max((end["time"] for end in ends.values()), default=0.0)
    colours = dict(zip(groups, cycle(PALETTE), strict=False))
    label_ends(canvas, [(last, end["survival"], labels[key], colours[key]) for key, end in ends.items()], span)
    canvas.x_axis(title=terms.text("charts.duration", language), rangemode="tozero", nticks=11)
    canvas.y_axis(title=terms.text("charts.survival", language), tickformat=".0%", range=span)
    title = title or safe.title or terms.text("charts.survival_title", language)
    return finish(
        canvas,
        safe,
        language=language,
        title=title,
        alt=_survival_alt(title, groups, labels, language) if len(ends) > 1 else safe.summary(language),
        source=source,
        notes=(terms.text("charts.band_note", language),),
        frame=name or None,
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
