"""Drawing maps: a protected view on boundaries, on cells, on tiles, or on boundaries quarter by quarter."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from institute_lib import terms
from institute_lib.areas.shapes import tiles
from institute_lib.charts import Chart, look
from institute_lib.charts.chart import require_protected
from institute_lib.coverage import Located
from institute_lib.disclosure import Protected
from institute_lib.errors import ParameterError
from institute_lib.maps.drawing import Drawing, compose, restate, with_one_legend
from institute_lib.maps.figure import CORNER, HATCH, canvas, fill, hatch, markup
from institute_lib.maps.order import Order
from institute_lib.maps.svg import svg

if TYPE_CHECKING:
    import geopandas as gpd

SLIDER = 76  # pixels that a slider takes under a map


def draw_coverage_map(
    safe: Protected,
    *,
    boundaries: "gpd.GeoDataFrame",
    language: str = "zh",
    value: str | None = None,
    stations: Located | None = None,
    sites: "gpd.GeoDataFrame | None" = None,
    title: str = "",
    scheme: str = "fisher_jenks",
    k: int = 5,
    highlight: Mapping[str, str] | None = None,
    others: str = "",
    **where: str,
) -> Chart:
    """A choropleth of a protected view, with station points, class legend, direct labels and hover.

    Args:
        safe: its first row key names the regions (district or town codes); hidden and missing cells are hatched.
        boundaries: code, name_zh, name_en, geometry, from `areas.boundaries` or `areas.regions`. While
            `.attrs["approval"]` is empty the map says that it is internal; then the number is printed.
        value: the figure to show; by default the table's first.
        stations: points from `coverage.locate`; how many were left out is said under the map.
        sites: proposed sites, such as `Siting.chosen`, marked with a cross.
        scheme, k: how classes are made, stated in the legend (see `classify`); of the whole table.
        highlight: regions without a row that stand out, code to what they are ({"320613": "the treated district"}).
        others: what every other region without a row is ("not in the comparison pool"); else it is called missing.
        where: which rows, when the table has more keys: stage="before", quarter="2024Q4".

    Raises:
        DisclosureError: not a protected view.
        ParameterError: an unknown figure, key or scheme; a highlighted region that has a row.
        DataError: a region without a shape, or several rows a region.
    """
    apart = {"highlight": tuple((highlight or {}).items()), "others": others}
    order = _order(safe, value, where, language, title=title, scheme=scheme, k=k, **apart)
    return _with_tiles(_chart(safe, compose(order, boundaries, stations, sites)), order)


def draw_slider(
    safe: Protected,
    *,
    boundaries: "gpd.GeoDataFrame",
    language: str = "zh",
    value: str | None = None,
    title: str = "",
    scheme: str = "fisher_jenks",
    k: int = 5,
    **where: str,
) -> Chart:
    """A map with a slider over the quarters of a protected view; classes are those of all quarters together.

    The static picture is that of the last quarter; a page moves title and sentence with the slider.

    Raises:
        ParameterError: the table has no `quarter`, and as `draw_coverage_map`.
    """
    require_protected(safe)
    frame = safe.to_frame()
    if "quarter" not in frame:
        raise ParameterError("draw_slider: the table has no column 'quarter'; use draw_coverage_map")
    for name, wanted in where.items():
        frame = frame[frame[name] == wanted] if name in frame else frame
    quarters = sorted(frame["quarter"].unique())
    orders = [
        _order(safe, value, where | {"quarter": one}, language, title=title, scheme=scheme, k=k) for one in quarters
    ]
    last = compose(orders[-1], boundaries)
    drawings = with_one_legend([restate(last, order) for order in orders], orders[-1])
    chart = _chart(safe, drawings[-1])
    _add_slider(chart.figure, drawings, quarters)
    return _with_tiles(chart, orders[-1])


def _with_tiles(chart: Chart, order: Order) -> Chart:
    """A map that may not leave, with the tile map of its districts; towns have none and leave as their table."""
    if terms.text("maps.stamp", order.language) not in chart.notes:
        return chart
    try:
        shapes = tiles(pd.Series([*order.cells()["code"], *dict(order.highlight)]))
    except ParameterError:
        return chart
    return replace(chart, public=_chart(order.safe, compose(order, shapes)))


def _order(safe: Protected, value: str | None, where: dict, language: str, **options: object) -> Order:
    require_protected(safe)
    terms.check_language(language)
    return Order(safe, value or safe.value, tuple(where.items()), language, **options)


def _chart(safe: Protected, drawing: Drawing) -> Chart:
    notes = (*((drawing.corner,) if drawing.internal else ()), *drawing.notes)
    words = {"language": drawing.language, "title": drawing.title, "alt": drawing.alt, "notes": notes}
    chart = look.finish(canvas(drawing), safe, **words)
    # Beside the title: on a map the right end belongs to the legend.
    chart.figure.update_annotations({"x": 0, "xanchor": "left"}, selector={"name": look.DEMO})
    return replace(chart, svg=svg(drawing))


def _add_slider(picture, drawings: list[Drawing], quarters: list[str]) -> None:
    """Steps that restyle regions, and rewrite labels and the legend's title; no animation, no frames."""
    regions = [index for index, trace in enumerate(picture.data) if trace.type == "scatter"]
    for index, region in zip(regions, drawings[-1].regions, strict=True):
        picture.data[index].fillpattern = hatch(region.state)  # a step changes the shape alone
    steps, shown = [], list(zip(drawings, quarters, strict=True))
    for drawing, quarter in shown:
        style = {
            "fillcolor": [fill(region, drawing) for region in drawing.regions],
            "fillpattern.shape": [HATCH.get(region.state, "") for region in drawing.regions],
            "text": [markup(region.hover) for region in drawing.regions],
        }
        layout = {
            f"annotations[{index}].text": "<br>".join(map(markup, label.lines))
            for index, label in enumerate(drawing.labels)
        }
        layout["legend.title.text"] = markup(drawing.legend_title)
        steps.append({"method": "update", "args": [style, layout, regions], "label": quarter})
    slider = {"active": len(steps) - 1, "steps": steps, "x": 0.03, "len": 0.6, "pad": {"t": CORNER}}
    picture.update_layout(sliders=[slider | {"currentvalue": {"visible": False}}])
    picture.update_layout(height=picture.layout.height + SLIDER, margin={"b": picture.layout.margin.b + SLIDER})
    picture.update_annotations({"yshift": -48 - SLIDER}, selector={"name": look.SOURCE})
    narrow = picture.layout.meta["narrow"]
    told = [
        {"title": f"{one.title} · {terms.quarter(quarter, one.language)}", "alt": one.alt} for one, quarter in shown
    ]
    narrow |= {one: narrow[one] + SLIDER for one in ("height", "bottom")}
    picture.layout.meta = {"narrow": narrow, "steps": told}
