"""The interactive map: plotly scatter polygons on plain axes in metres.

Not `go.Choropleth`: that one asks a CDN for a world topology even with its own shapes, projects again in the browser,
and needs a stub script in every page. Polygons on cartesian axes with one scale need neither network nor WebGL, keep
the metres of the analysis, take hatches for hidden regions, and print as they stand on the screen.
"""

from typing import TYPE_CHECKING

import numpy as np

from institute_lib.charts import look
from institute_lib.maps.drawing import STATE_COLOUR, Drawing, Region, stamp_size
from institute_lib.maps.labels import Label
from institute_lib.maps.marks import STYLES, Mark

if TYPE_CHECKING:
    import plotly.graph_objects as go

HATCH = {"hidden": "x", "missing": "/"}
EDGE = "#4d4d4d"
STAMP_COLOUR = "#b3261e"
HEAD, FOOT = 52, 64


TITLE = {"y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 10}}


def canvas(drawing: Drawing) -> look.Canvas:
    """The drawing as a chart in the making: a trace a region (with its hover text), marks, legend, stamp."""
    left, bottom, right, top = drawing.bounds
    picture = look.new_canvas(height=int(drawing.height) + HEAD + FOOT)
    regions = [_region(region, drawing) for region in drawing.regions]
    picture.traces += [trace.to_plotly_json() for trace in (*regions, *_legend(drawing), *_marks(drawing))]
    picture.margin |= {"l": 8, "r": 8, "t": HEAD, "b": FOOT}
    axis = {"visible": False, "fixedrange": True, "constrain": "domain"}
    picture.x_axis(**axis, range=[left, right], constraintoward="left")
    picture.y_axis(**axis, range=[bottom, top], constraintoward="top", scaleanchor="x", scaleratio=1)
    picture.layout |= {
        "hoverlabel": {"font": {"color": look.INK}},
        "legend": _legend_box(drawing),
        "showlegend": True,
        "annotations": [*map(_label, drawing.labels), *_stamp(drawing)],
    }
    return picture


def fill(of: int, drawing: Drawing) -> str:
    """The fill colour of a class; of regions without one, the hatch's ground."""
    return drawing.classes.colours[of] if of >= 0 else "#ffffff"


def opacity(mark: Mark) -> float | list[int]:
    """Of a mark's points: 1 where all are shown, else one a point."""
    return 1 if mark.shown.all() else mark.shown.astype(int).tolist()


def markup(text: str) -> str:
    """Text as plotly's markup: nothing in it is read as markup but its line breaks."""
    return look.plain(text).replace("\n", "<br>")


def _region(region: Region, drawing: Drawing) -> "go.Scatter":
    import plotly.graph_objects as go

    gap = np.array([[np.nan, np.nan]])
    line = np.concatenate([part for ring in region.rings for part in (ring, gap)])[:-1].round(0)
    hatch = {"shape": HATCH.get(region.state, ""), "fgcolor": STATE_COLOUR, "size": 7}
    return go.Scatter(
        x=line[:, 0],
        y=line[:, 1],
        mode="lines",
        fill="toself",
        fillcolor=fill(region.of, drawing),
        fillpattern=hatch,
        line={"color": EDGE, "width": 1},
        hoveron="fills",
        hoverinfo="text",
        text=markup(region.hover),
        name=markup(region.name),
        showlegend=False,
    )


def _legend(drawing: Drawing) -> list["go.Bar"]:
    """Squares for classes, hatched squares for regions without a figure: bars carry patterns where markers do not."""
    import plotly.graph_objects as go

    entries = []
    for key, words in drawing.legend:
        known = key.startswith("#")
        swatch = {
            "color": key if known else "#ffffff",
            "line": {"color": EDGE, "width": 1},
            "pattern": None if known else {"shape": HATCH[key], "fgcolor": STATE_COLOUR, "size": 5},
        }
        entries.append(go.Bar(x=[None], y=[None], marker=swatch, name=markup(words), hoverinfo="skip"))
    return entries


def _marks(drawing: Drawing) -> list["go.Scatter"]:
    import plotly.graph_objects as go

    marks = []
    for mark in drawing.marks:
        colour, size, symbol = STYLES[mark.level]
        edge = {"color": "white", "width": 1 if size > 4 else 0}
        marks.append(
            go.Scatter(
                x=mark.x.round(0),
                y=mark.y.round(0),
                mode="markers",
                marker={"symbol": symbol, "size": size, "color": colour, "line": edge, "opacity": opacity(mark)},
                hovertext=[markup(words) for words in mark.hover],
                hoverinfo="text",
                name=markup(mark.label),
            )
        )
    return marks


def _legend_box(drawing: Drawing) -> dict:
    return {
        "title": {"text": markup(drawing.legend_title), "font": {"size": 12}},
        "x": 1.02,
        "xanchor": "left",
        "y": 1,
        "yanchor": "top",
        "itemclick": False,
        "itemdoubleclick": False,
        "font": {"size": 12},
    }


def _label(label: Label) -> dict:
    """A name and a figure at a region, with a thin line to it where it had to move away."""
    moved = (
        {"showarrow": True, "ax": label.dx, "ay": label.dy, "arrowhead": 0, "arrowwidth": 0.8, "arrowcolor": EDGE}
        if label.led
        else {"showarrow": False, "xshift": label.dx, "yshift": -label.dy}
    )
    return moved | {
        "x": label.x,
        "y": label.y,
        "text": "<br>".join(map(markup, label.lines)),
        "font": {"size": label.size, "color": "#111111"},
        "bgcolor": "rgba(255,255,255,0.78)",
        "borderpad": 1,
    }


def _stamp(drawing: Drawing) -> list[dict]:
    """The stamp across the map and its labels, or the approval number under it."""
    if drawing.stamp:
        place = dict(zip(("x", "y", "textangle"), drawing.stamp_place, strict=True)) | {"opacity": 0.85}
        paint = {"bgcolor": "rgba(255,255,255,0.4)", "font": {"size": stamp_size(drawing.stamp), "color": STAMP_COLOUR}}
        return [place | paint | {"text": markup(drawing.stamp), "showarrow": False}]
    if drawing.approval:
        corner = {"xref": "paper", "yref": "paper", "x": 0, "y": 0, "xanchor": "left", "yanchor": "top", "yshift": -8}
        return [corner | {"text": markup(drawing.approval), "showarrow": False, "font": {"size": 12}}]
    return []
