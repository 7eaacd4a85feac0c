"""The interactive map: plotly scatter polygons on plain axes in metres.

Not `go.Choropleth`: that one asks a CDN for a world topology even with its own shapes, projects again in the browser,
and needs a stub script in every page. Polygons on cartesian axes with one scale need neither network nor WebGL, keep
the metres of the analysis, take hatches for hidden regions, and print as they stand on the screen.
"""

import numpy as np

from institute_lib.charts import look
from institute_lib.maps.drawing import NARROW, STATE_COLOUR, Drawing, Region
from institute_lib.maps.labels import CROWDED, Label
from institute_lib.maps.marks import NAMED, STYLES

HATCH = {"hidden": "x", "missing": "/", "outside": "\\", "highlight": "-"}
EDGE = "#4d4d4d"
STAMP_COLOUR = "#b3261e"
HEAD, FOOT, CORNER = 52, 64, 24  # above and below a map; the line under it
LINE, BELOW = 19, 560  # pixels: a line of the legend, and the width under which it stands under the map
PLACE = np.float32  # whole metres up to 16,000 km, in half the bytes


OUTLINE = {"color": EDGE, "width": 1}
LABEL = {
    "showarrow": False,
    "arrowhead": 0,
    "arrowwidth": 0.8,
    "arrowcolor": EDGE,
    "bgcolor": "rgba(255,255,255,0.78)",
    "borderpad": 1,
}
TITLE = {"y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 10}}


def canvas(drawing: Drawing) -> look.Canvas:
    """The drawing as a chart in the making: a trace a region (with its hover text), marks, legend."""
    left, bottom, right, top = drawing.bounds
    picture = look.new_canvas(height=int(drawing.height) + HEAD + FOOT)
    _share(picture.layout["template"], drawing)
    picture.traces += [_region(region, drawing) for region in drawing.regions]
    picture.traces += [*_legend(drawing), *_marks(drawing)]
    picture.margin |= {"l": 8, "r": 8, "t": HEAD, "b": FOOT}
    axis = {"visible": False, "fixedrange": True, "constrain": "domain"}
    picture.x_axis(**axis, range=[left, right], constraintoward="left")
    picture.y_axis(**axis, range=[bottom, top], constraintoward="top", scaleanchor="x", scaleratio=1)
    picture.layout |= {
        "meta": {"narrow": _narrow(drawing)},
        "hoverlabel": {"font": {"color": look.INK}},
        "legend": _legend_box(drawing),
        "showlegend": True,
        "annotations": [*map(_label, drawing.labels), *_corner(drawing)],
    }
    return picture


def _narrow(drawing: Drawing) -> dict:
    """The layout of a telephone, for the page's script: the legend's lines under the map, in place of beside it, and
    the map of many regions without labels, which do not shrink (`bare`)."""
    left, bottom, right, top = drawing.bounds
    lines = drawing.legend_title.count("\n") + 1 + len(drawing.legend) + len(drawing.marks)
    height = int(NARROW * (top - bottom) / (right - left))
    tall = LINE * lines + 24
    place = {"x": 0, "xanchor": "left", "y": 0, "yanchor": "bottom", "yref": "container", "maxheight": tall}
    below = CORNER + tall
    bare = len(drawing.regions) > CROWDED
    return {"below": BELOW, "height": HEAD + height + below, "bottom": below, "legend": place, "bare": bare}


def _share(template: dict, drawing: Drawing) -> None:
    """Say in the template what all outlines and all labels of a map have in common."""
    size = {"size": drawing.labels[0].size} if drawing.labels else {}
    template["layout"]["annotationdefaults"] = LABEL | {"font": {"color": "#111111"} | size}
    template["layout"]["title"] |= TITLE
    template["data"] = {"scatter": [{"line": OUTLINE}]}


def fill(region: Region, drawing: Drawing) -> str:
    """The fill colour of a region's class; without one, the hatch's ground."""
    return drawing.classes.colours[region.of] if region.of >= 0 else ground(region.state)


def ground(state: str) -> str:
    """What lies under the hatch of a state."""
    return look.ORANGE if state == "highlight" else "#ffffff"


def stroke(state: str) -> str:
    """The colour of a state's hatch: a copier keeps the lines where it loses the colour."""
    return "#ffffff" if state == "highlight" else STATE_COLOUR


def markup(text: str) -> str:
    """Text as plotly's markup: nothing in it is read as markup but its line breaks."""
    return look.plain(text).replace("\n", "<br>")


def hatch(state: str) -> dict:
    """The pattern over a region whose figure is hidden or missing; of any other region, none."""
    return {"shape": HATCH.get(state, ""), "fgcolor": stroke(state), "bgcolor": ground(state), "size": 7}


def _region(region: Region, drawing: Drawing) -> dict:
    gap = np.array([[np.nan, np.nan]])
    line = np.concatenate([part for ring in region.rings for part in (ring, gap)])[:-1].round(0).astype(PLACE)
    trace = {
        "type": "scatter",
        "x": line[:, 0],
        "y": line[:, 1],
        "mode": "lines",
        "fill": "toself",
        "fillcolor": fill(region, drawing),
        "hoveron": "fills",
        "hoverinfo": "text",
        "text": markup(region.hover),
        "name": markup(region.name),
        "showlegend": False,
    }
    return trace | ({"fillpattern": hatch(region.state)} if region.state in HATCH else {})


def _legend(drawing: Drawing) -> list[dict]:
    """Squares for classes, hatched squares for regions without a figure: bars carry patterns where markers do not."""
    entries = []
    for key, words in drawing.legend:
        known = key.startswith("#")
        swatch = {"color": key if known else ground(key), "line": OUTLINE}
        if not known:
            swatch["pattern"] = hatch(key) | {"size": 5}
        entry = {"type": "bar", "x": [None], "y": [None], "marker": swatch, "name": markup(words)}
        entries.append(entry | {"hoverinfo": "skip"})
    return entries


def _marks(drawing: Drawing) -> list[dict]:
    marks = []
    for mark in drawing.marks:
        colour, size, symbol = STYLES[mark.level]
        edge = {"color": "white", "width": 1 if size > 4 else 0}
        look_of_it = {"symbol": symbol, "size": size, "color": colour, "line": edge}
        places = {"x": mark.x.round(0).astype(PLACE), "y": mark.y.round(0).astype(PLACE), "mode": "markers"}
        named = {"text": [markup(name) for name in mark.names], "hoverinfo": "text"}
        words = named if len(mark.names) <= NAMED else {"hoverinfo": "skip"}
        marks.append({"type": "scatter", **places, "marker": look_of_it, "name": markup(mark.label)} | words)
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
    """A name and a figure at a region, with a thin line to it where it had to move away; the rest says `template`."""
    dx, dy = round(label.dx), round(label.dy)
    moved = {"showarrow": True, "ax": dx, "ay": dy} if label.led else {"xshift": dx, "yshift": -dy}
    words = "<br>".join(map(markup, label.lines))
    return moved | {"x": round(label.x), "y": round(label.y), "text": words}


def _corner(drawing: Drawing) -> list[dict]:
    """Under the map at the left: its approval number, or that it is internal."""
    if not drawing.corner:
        return []
    place = {"xref": "paper", "yref": "paper", "x": 0, "y": 0, "xanchor": "left", "yanchor": "top", "yshift": -2}
    font = {"size": 12, "color": STAMP_COLOUR if drawing.internal else look.INK}
    return [place | {"text": markup(drawing.corner), "showarrow": False, "font": font, "name": "corner"}]
