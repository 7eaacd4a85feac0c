"""The one look of all charts: template, palette, axes by language, direct labels, the lines around a figure.

Colours differ in lightness as well as hue, so that they survive grey print and colour blindness (after Okabe and Ito,
2008, "Color Universal Design"); nothing is said by colour alone.
"""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import areas, terms
from institute_lib.charts.chart import Chart
from institute_lib.disclosure import Protected

INK, MUTED, LINE, FAINT = "#1d2733", "#5b6672", "#c4cad1", "#e9ecef"
BLUE, ORANGE, TEAL, PLUM = "#0f4c81", "#c8561b", "#4a9c92", "#8a4f7d"
PALETTE = (BLUE, ORANGE, TEAL, PLUM, "#a08419", "#6b7f99", "#7a4b2a")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "solid", "dash")
MOST_LETTERS = 14  # of a line of a label
CHAR, CJK_CHAR, LINE_HEIGHT = 7.2, 13.2, 17
PAPER_HEIGHT = 346  # pixels, margins included: no chart is printed lower for which labels are moved apart
# Series that several charts of a brief draw: each keeps its place in the palette.
PLACE_IN_PALETTE = {"treated": 0, "observed": 0, "comparison": 1, "counterfactual": 1, "total": 5}
SOURCE, DEMO = "source", "demo"  # names of annotations that a brief writes as text instead


def plain(text: object) -> str:
    """Text as data: markup in it is shown, never read (plotly reads a few tags)."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def places_in_palette(keys: Sequence[object]) -> dict[object, int]:
    """Which colour each series has: a district that of its place among its city's, in every chart of a brief."""
    found: dict[object, int] = {}
    for place, key in enumerate(keys):
        fixed = PLACE_IN_PALETTE.get(str(key))
        if areas.is_known(str(key)) and len(str(key)) == 6:
            codes = [one.code for one in areas.districts(areas.city_of(str(key)))]
            fixed = codes.index(str(key)) if str(key) in codes else fixed
        found[key] = (place if fixed is None else fixed) % len(PALETTE)
    return found


def width(text: str) -> float:
    """About how many pixels a text takes at 13 px."""
    return sum(CJK_CHAR if ord(character) > 0x2E00 else CHAR for character in text)


def label_lines(text: str) -> list[str]:
    """A direct label in lines: names in words take several, so that the plot keeps its width on a telephone."""
    return textwrap.wrap(text, MOST_LETTERS, break_long_words=False) or [""]


def label_width(text: str) -> float:
    return max(map(width, label_lines(text)))


def layout() -> dict[str, Any]:
    """The template's layout: white, a faint grid along the figures, no legend, no frame."""
    axis = {
        "showgrid": False,
        "zeroline": False,
        "linecolor": LINE,
        "tickcolor": LINE,
        "ticks": "outside",
        "ticklen": 4,
        "tickfont": {"size": 12, "color": MUTED},
        "title": {"font": {"size": 12.5, "color": MUTED}, "standoff": 10},
        "automargin": True,
        "fixedrange": True,
    }
    return {
        "font": {"family": terms.FONT_STACK, "size": 13, "color": INK},
        "title": {
            "x": 0,
            "xanchor": "left",
            "xref": "paper",
            "y": 0.98,
            "yanchor": "top",
            "font": {"size": 16, "color": INK},
        },
        "colorway": list(PALETTE),
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "showlegend": False,
        "hovermode": "closest",
        "hoverlabel": {"font": {"family": terms.FONT_STACK, "size": 13}, "bgcolor": "white", "bordercolor": LINE},
        "margin": {"l": 12, "r": 16, "t": 52, "b": 60},
        "xaxis": axis,
        "yaxis": {**axis, "showgrid": True, "gridcolor": FAINT, "tickcolor": "white", "ticklen": 6},
        "bargap": 0.35,
        "separators": ".,",
        "dragmode": False,
    }


class Canvas:
    """A figure in the making, as plain lists and dicts: plotly checks it once, at the end, not at every stroke."""

    def __init__(self, *, height: int, right: float) -> None:
        margin = {"l": 12, "r": right, "t": 52, "b": 60}
        self.height, self.margin = height, margin
        self.traces: list[dict[str, Any]] = []
        self.layout: dict[str, Any] = {
            "template": {"layout": layout()},
            "height": height,
            "margin": margin,
            "xaxis": {},
            "yaxis": {},
            "shapes": [],
            "annotations": [],
        }

    def add(self, kind: str, **trace: Any) -> None:
        """A trace; its columns become lists, what is missing becomes null."""
        self.traces.append({"type": kind, **{name: _plain_list(value) for name, value in trace.items()}})

    def note(self, text: object, **annotation: Any) -> None:
        """A text in the figure, taken as data."""
        lines = plain(text).replace("\n", "<br>")
        self.layout["annotations"].append({"text": lines, "showarrow": False, "align": "left", **annotation})

    def rule(self, *, x: float | None = None, y: float | None = None, colour: str = INK, **line: Any) -> None:
        """A line across the whole plot, upright at `x` or level at `y`."""
        ends = {"x0": 0, "x1": 1, "xref": "paper", "y0": y, "y1": y} if x is None else {}
        ends = ends or {"x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper"}
        self.layout["shapes"].append({"type": "line", **ends, "line": {"color": colour, "width": 1, **line}})

    def x_axis(self, *, title: str | None = None, **axis: Any) -> None:
        self.layout["xaxis"] |= axis | ({"title": {"text": plain(title)}} if title else {})

    def y_axis(self, *, title: str | None = None, **axis: Any) -> None:
        self.layout["yaxis"] |= axis | ({"title": {"text": plain(title)}} if title else {})

    def figure(self) -> Any:
        import plotly.graph_objects as go

        return go.Figure({"data": self.traces, "layout": self.layout})


def _plain_list(value: Any) -> Any:
    if isinstance(value, pd.Series | np.ndarray):
        return [None if pd.isna(one) else one for one in value.tolist()]
    return value


def new_canvas(*, height: int = 380, right: float = 16) -> Canvas:
    """An empty canvas in the look, with room on the right for direct labels."""
    return Canvas(height=height, right=right)


def error_bars(estimate: pd.Series, low: pd.Series, high: pd.Series, colour: str) -> dict[str, Any]:
    """Intervals as bars; an unbounded or unknown side has none."""
    sides = (high - estimate, estimate - low)
    above, below = ([float(v) if np.isfinite(v) else None for v in side.astype(float)] for side in sides)
    bars = {"type": "data", "symmetric": False, "array": above, "arrayminus": below}
    return bars | {"color": colour, "thickness": 1.6, "width": 4}


def rgba(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def darker(colour: str) -> str:
    """The colour mixed with ink, so that text in it keeps a contrast of 4.5 on white."""
    mixed = (round(0.6 * int(colour[k : k + 2], 16) + 0.4 * int(INK[k : k + 2], 16)) for k in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def add_band(
    canvas: Canvas, x: Sequence[float], bounds: tuple[Sequence, Sequence], *, colour: str, shape: str = "linear"
) -> None:
    """An interval, its lower and upper bounds, as a faint band."""
    for bound, fill in zip(bounds, (None, "tonexty"), strict=True):
        line = {"width": 0, "shape": shape}
        look = {"mode": "lines", "line": line, "fillcolor": rgba(colour, 0.13), "hoverinfo": "skip"}
        canvas.add("scatter", x=x, y=bound, fill=fill or "none", **look)


def spread(values: Sequence[float], gap: float, span: tuple[float, float]) -> list[float]:
    """The values moved apart so that labels do not overlap, as near their places as a stack within `span` allows.

    Least squares under an order is isotonic regression of what is left of the values when the gaps are taken off, and
    with bounds its values cut at them (Barlow et al., 1972).
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(values, kind="stable")
    steps = gap * np.arange(len(order))
    lowest, highest = span[0] + gap / 2, span[1] - gap / 2 - gap * (len(order) - 1)
    placed = np.empty(len(order))
    near = isotonic_regression(np.asarray(values, float)[order] - steps).x
    placed[order] = np.clip(near, lowest, max(lowest, highest)) + steps
    return placed.tolist()


def label_ends(canvas: Canvas, ends: Sequence[tuple[float, float, str, str]], span: tuple[float, float]) -> None:
    """Direct labels at the right ends of lines: (x, y, text, colour) each, moved apart within `span` of the y axis."""
    height = min(canvas.height, PAPER_HEIGHT) - canvas.margin["t"] - canvas.margin["b"]
    most = max((len(label_lines(end[2])) for end in ends), default=1)
    gap = (span[1] - span[0]) * LINE_HEIGHT * most / max(height, 1)
    for (x, _, text, colour), y in zip(ends, spread([end[1] for end in ends], gap, span), strict=True):
        canvas.note(
            "\n".join(label_lines(text)), x=x, y=y, xanchor="left", xshift=8, font={"size": 13, "color": darker(colour)}
        )


def span_of(values: Sequence[float], *, zero: bool = False, margin: float = 0.06) -> tuple[float, float]:
    """The range of an axis around all values, with a little room; from zero where bars stand on it."""
    known = [float(value) for value in values if value is not None and pd.notna(value) and abs(float(value)) < 1e12]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    low, high = (min(low, 0.0), max(high, 0.0)) if zero else (low, high)
    room = (high - low or abs(high) or 1.0) * margin
    return (low if zero and low == 0 else low - room), high + room


def finish(
    canvas: Canvas,
    safe: Protected,
    *,
    language: str,
    title: str,
    alt: str,
    notes: Sequence[str] = (),
) -> Chart:
    """The chart of a canvas: title, source line, the mark of demo data, and the view it came from."""
    source = safe.source or (terms.text("charts.demo_source", language) if safe.demo else "")
    canvas.layout["title"] = {"text": plain(title)}
    corner = {"xref": "paper", "yref": "paper", "font": {"size": 11.5, "color": MUTED}}
    if source:
        line = terms.text("charts.source", language, source=source)
        canvas.note(line, **corner, x=0, y=0, yshift=-48, xanchor="left", yanchor="top", name=SOURCE)
    if safe.demo:
        left = {"x": 0, "xanchor": "left"}
        above = {"y": 1, "yshift": 9, "yanchor": "bottom"}
        canvas.note(terms.text("charts.demo", language), **corner, **left, **above, name=DEMO)
    return Chart(
        figure=canvas.figure(),
        table=safe,
        title=title,
        alt=alt,
        source=source,
        notes=tuple(dict.fromkeys(notes)),
        language=language,
    )
