"""What a map shows, worked out once and drawn twice: as a plotly figure and as a static SVG."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.areas.shapes import TILE, in_map_metres
from institute_lib.coverage import Located
from institute_lib.errors import DataError, ParameterError
from institute_lib.maps.classes import STATES, Classes
from institute_lib.maps.labels import CROWDED, Label, place_labels
from institute_lib.maps.marks import Mark, marks_of
from institute_lib.maps.order import Order
from institute_lib.maps.regions import label_place, rings, to_screen

if TYPE_CHECKING:
    import geopandas as gpd

# The map's nominal size in pixels: labels are moved apart for it.
MAP_WIDTH, MAP_HEIGHT = 470, (260, 640)
NARROW = 330  # its width on a telephone, for which the labels of few regions are moved apart
TILE_HEIGHT = 96
FINEST = 1.5  # pixels: bends smaller than this are not drawn
# Colour and pattern of a region without a figure: hatched, so that it differs from every class in grey as well.
STATE_COLOUR = "#8a8a8a"


@dataclass(frozen=True)
class Region:
    """One shape: its rings in metres, its class (−1: none), its state, and its words."""

    code: str
    name: str
    rings: tuple[np.ndarray, ...]
    place: tuple[float, float]
    of: int
    state: str
    shown: str
    hover: str


@dataclass(frozen=True)
class Drawing:
    """Everything a map shows.

    `bounds`: least x and y, greatest x and y in metres; `height`: of the map in pixels; `legend`: colour or state, and
    words; `corner`: the approval number, or that the map is internal; empty on tiles.
    """

    title: str
    alt: str
    source: str
    demo: bool
    language: str
    regions: tuple[Region, ...]
    marks: tuple[Mark, ...]
    labels: tuple[Label, ...]
    bounds: tuple[float, float, float, float]
    height: float
    classes: Classes
    legend_title: str
    legend: tuple[tuple[str, str], ...]
    corner: str
    internal: bool
    notes: tuple[str, ...]


def compose(
    order: Order,
    shapes: "gpd.GeoDataFrame",
    stations: Located | None = None,
    sites: "gpd.GeoDataFrame | None" = None,
) -> Drawing:
    """A drawing of one view on shapes; on tiles, which are no places, points are left out.

    Raises:
        DataError: a region of the table without a shape.
    """
    cells = order.cells()
    strange = set(cells["code"]) - set(shapes["code"])
    if strange:
        raise DataError(f"no shape for {', '.join(sorted(strange))}; the boundaries have {', '.join(shapes['code'])}")
    for code, words in order.highlight:
        if code not in set(shapes["code"]) - set(cells["code"]):
            raise ParameterError(f"highlight {code!r} ({words}): highlight regions that have a shape and no row")
    classes, language = order.classes, order.language
    shapes = in_map_metres(shapes)
    shapes = to_screen(shapes, FINEST * _metres_a_pixel(shapes))
    regions = _regions(order, cells, shapes, classes)
    approval = shapes.attrs.get("approval") or ""
    free = bool(shapes.attrs.get("tiles"))
    stations, sites = (None, None) if free else (stations, sites)
    marks = marks_of(stations, sites, language)
    bounds, scale, height = _extent(regions, free)
    few = len(regions) <= CROWDED
    labels = _labels(regions, marks, scale * (MAP_WIDTH / NARROW if few else 1))
    internal = not (approval or free)
    corner = terms.text("maps.approval", language, number=approval) if approval else ""
    return Drawing(
        title=order.heading,
        alt=_alt(order, cells, regions),
        source=order.safe.source or (terms.text("charts.demo_source", language) if order.safe.demo else ""),
        demo=order.safe.demo,
        language=language,
        regions=regions,
        marks=marks,
        labels=labels,
        bounds=bounds,
        height=height,
        classes=classes,
        legend_title=f"{order.label(order.value)}\n{_method(order, classes)}",
        legend=_legend(order, classes, regions),
        corner=terms.text("maps.stamp", language) if internal else corner,
        internal=internal,
        notes=_notes(shapes, stations, language),
    )


def _labels(regions: tuple[Region, ...], marks: tuple[Mark, ...], scale: float) -> tuple[Label, ...]:
    texts, places = [(region.name, region.shown) for region in regions], [region.place for region in regions]
    around = [place for mark in marks for place in zip(mark.x, mark.y, strict=True)]
    return place_labels(texts, places, metres_a_pixel=scale, around=around)


def _metres_a_pixel(shapes: "gpd.GeoDataFrame") -> float:
    left, bottom, right, top = shapes.total_bounds
    return max((right - left) / MAP_WIDTH, (top - bottom) / MAP_HEIGHT[1])


def _extent(regions: tuple[Region, ...], free: bool) -> tuple[tuple[float, float, float, float], float, float]:
    """Bounds with a margin of 3 %, metres a pixel, and the map's height in pixels."""
    points = np.concatenate([ring for region in regions for ring in region.rings])
    (left, bottom), (right, top) = points.min(axis=0), points.max(axis=0)
    margin = 0.03 * max(right - left, top - bottom)
    across, down = right - left + 2 * margin, top - bottom + 2 * margin
    tallest = TILE_HEIGHT * round(down / TILE) if free else MAP_HEIGHT[1]
    height = float(np.clip(MAP_WIDTH * down / across, MAP_HEIGHT[0], tallest))
    bounds = (left - margin, bottom - margin, right + margin, top + margin)
    return bounds, max(across / MAP_WIDTH, down / height), height


def _regions(order: Order, cells: pd.DataFrame, shapes: "gpd.GeoDataFrame", classes: Classes) -> tuple[Region, ...]:
    states = _States(order, cells, classes)
    regions = []
    for shape in shapes.itertuples():
        name = terms.place(shape.name_zh if order.language == "zh" else shape.name_en, order.language)
        drawn = {"rings": tuple(rings(shape.geometry)), "place": label_place(shape.geometry)}
        regions.append(Region(code=shape.code, name=name, **drawn, **states(shape.code, name)))
    return tuple(regions)


class _States:
    """What each region shows: its class, its state, its figure and its hover."""

    def __init__(self, order: Order, cells: pd.DataFrame, classes: Classes):
        self.order, self.classes = order, classes
        self.rows = {row["code"]: (row, of) for row, of in zip(cells.to_dict("records"), classes.of, strict=True)}
        self.labels = {figure: order.label(figure) for figure in order.safe.values}

    def __call__(self, code: str, name: str) -> dict:
        without_row = (
            "highlight" if code in dict(self.order.highlight) else "outside" if self.order.others else "missing"
        )
        row, of = self.rows.get(code, ({"status": without_row}, -1))
        without = {"primary": "hidden", "secondary": "hidden"} | {one: one for one in STATES}
        state = without.get(row["status"], "shown" if of >= 0 else "missing")
        if state != "shown":
            long = _words(self.order, state, code)
            short = long if state == "highlight" else terms.text(f"maps.{state}_short", self.order.language)
            return {"of": -1, "state": state, "shown": short, "hover": f"{name}\n{long}"}
        figures = [f"{label} {self.order.figure_text(row[key], key)}" for key, label in self.labels.items()]
        shown = self.order.figure_text(row[self.order.value])
        return {"of": of, "state": state, "shown": shown, "hover": "\n".join([name, *figures])}


def _words(order: Order, state: str, code: str) -> str:
    """What a region without a figure is."""
    own = {"highlight": dict(order.highlight).get(code), "outside": order.others}
    return own[state] if state in own else terms.text(f"maps.{state}", order.language)


def restate(drawing: Drawing, order: Order) -> Drawing:
    """The same map with the figures of another quarter, which the legend names: shapes and places stay."""
    states = _States(order, order.cells(), order.classes)
    regions = tuple(replace(region, **states(region.code, region.name)) for region in drawing.regions)
    labels = tuple(
        replace(label, lines=(*label.lines[:-1], region.shown))
        for label, region in zip(drawing.labels, regions, strict=bool(drawing.labels))
    )
    words = {"title": order.whole_title, "alt": _alt(order, order.cells(), regions)}
    words |= {"legend_title": f"{order.part}\n{drawing.legend_title}"}
    return replace(drawing, **words, regions=regions, labels=labels, classes=states.classes)


def with_one_legend(drawings: list[Drawing], order: Order) -> list[Drawing]:
    """The drawings of several quarters with a legend that holds for each: no counts, and every state that occurs."""
    regions = [region for drawing in drawings for region in drawing.regions]
    legend = tuple((key, words) for key, words, _ in _entries(order, drawings[-1].classes, regions))
    return [replace(drawing, legend=legend) for drawing in drawings]


def _alt(order: Order, cells: pd.DataFrame, regions: tuple[Region, ...]) -> str:
    shown = [region for region in regions if region.state == "shown"]
    language = order.language
    if not shown:
        return terms.text("maps.alt_empty", language, title=order.heading, regions=len(regions))
    figures = cells.set_index("code")[order.value]
    low, high = (pick(shown, key=lambda region: figures[region.code]) for pick in (min, max))
    words = {"title": order.heading, "regions": len(regions), "rest": _rest(order, regions)}
    if figures[low.code] == figures[high.code]:
        return terms.text("maps.alt_same", language, value=high.shown, **words)
    ends = {"high": high.name, "high_value": high.shown, "low": low.name, "low_value": low.shown}
    return terms.text("maps.alt", language, **words, **ends)


def _rest(order: Order, regions: tuple[Region, ...]) -> str:
    """How many regions have no figure, or what they are."""
    states = _states(order, regions)
    if order.others and states:
        return terms.text("maps.alt_and", order.language).join(_counted(order, *one[1:]) for one in states)
    return terms.text("maps.alt_without", order.language, without=sum(size for _, _, size in states))


def _method(order: Order, classes: Classes) -> str:
    """How the classes are made."""
    scheme = terms.text(f"maps.scheme_{classes.scheme}", order.language)
    return terms.text("maps.method", order.language, scheme=scheme, k=len(classes.colours))


def _legend(order: Order, classes: Classes, regions: tuple[Region, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((key, _counted(order, words, size)) for key, words, size in _entries(order, classes, regions))


def _counted(order: Order, words: str, size: int) -> str:
    return terms.text("maps.class", order.language, range=words, size=size)


def _entries(order: Order, classes: Classes, regions: Sequence[Region]) -> list[tuple[str, str, int]]:
    """Colour or state, words and number of regions, of each class and of each state without a figure that occurs."""
    entries = []
    for colour, (low, high), size in zip(classes.colours, classes.ranges, classes.sizes, strict=True):
        words = " – ".join(dict.fromkeys((order.figure_text(low), order.figure_text(high))))
        entries.append((colour, words, size))
    return [*entries, *_states(order, regions)]


def _states(order: Order, regions: Sequence[Region]) -> list[tuple[str, str, int]]:
    """State, words and number of regions of each that occurs."""
    found = Counter((region.state, _words(order, region.state, region.code)) for region in regions if region.of < 0)
    return [(*one, found[one]) for one in sorted(found, key=lambda one: STATES.index(one[0]))]


def _notes(shapes: "gpd.GeoDataFrame", stations: Located | None, language: str) -> tuple[str, ...]:
    notes = []
    if shapes.attrs.get("cells"):
        notes.append(terms.text("maps.cells", language))
    if shapes.attrs.get("tiles"):
        notes.append(terms.text("maps.tiles", language))
    if shapes.attrs.get("source"):
        notes.append(terms.text("maps.boundary_source", language, source=shapes.attrs["source"]))
    if stations is not None and stations.left_out:
        notes.append(stations.summary(language))
    if stations is not None and (stations.points["point_kind"] == "illustrative").any():
        notes.append(terms.text("maps.illustrative", language))
    return tuple(notes)
