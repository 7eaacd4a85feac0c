"""Points on a map: stations by level, and sites proposed beside them, with their hover and the legend's line."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from institute_lib import terms
from institute_lib.areas.shapes import in_map_metres
from institute_lib.coverage import Located

if TYPE_CHECKING:
    import geopandas as gpd

SITE = "site"
# Colour, size in pixels and plotly's symbol: levels differ in shape and size, so that they differ in grey as well.
STYLES = {
    "city": ("#7a1f1f", 12, "star"),
    "district": ("#7a1f1f", 10, "diamond"),
    "town": ("#c8501e", 8, "circle"),
    "village": ("#c8501e", 4, "circle"),
    SITE: ("#111111", 11, "x"),
}
MANY, NAMED = 60, 150  # points of one level: more are one shape in the static picture, and in the other say no names
ROUND = ("town", "village")


@dataclass(frozen=True)
class Mark:
    """Points of one level.

    Attributes:
        x, y: places in metres.
        names: of each point, what its hover says.
        label: the legend's line.
    """

    level: str
    x: np.ndarray
    y: np.ndarray
    names: tuple[str, ...]
    label: str


def marks_of(stations: Located | None, sites: "gpd.GeoDataFrame | None", language: str) -> tuple[Mark, ...]:
    """The marks of stations, of those whose places are real, and of new sites."""
    found = []
    known = None if stations is None else stations.points[stations.points["point_kind"] != "illustrative"]
    if known is not None and len(known):
        points = in_map_metres(known.assign(code=known["station_id"]))
        for level in STYLES:
            own = (points["level"] == level).to_numpy()
            if own.any():
                found.append(_station_mark(points[own], level, language))
    if sites is not None and len(sites):
        places = in_map_metres(sites.assign(code=sites.index.astype("str")))
        found.append(_sites(places, sites, language))
    return tuple(found)


def _station_mark(points: "gpd.GeoDataFrame", level: str, language: str) -> Mark:
    label = terms.text(f"maps.station_{level}", language, size=terms.number(len(points), language))
    return Mark(
        level,
        points.geometry.x.to_numpy(),
        points.geometry.y.to_numpy(),
        tuple(terms.place(one, language) for one in points["name"]),
        label,
    )


def _sites(places: "gpd.GeoDataFrame", sites: "gpd.GeoDataFrame", language: str) -> Mark:
    names = [terms.place(one, language) for one in sites["name"]] if "name" in sites else [""] * len(sites)
    ranked = tuple(
        terms.text("maps.site_rank", language, rank=rank, name=name).strip() for rank, name in enumerate(names, 1)
    )
    label = terms.text("maps.site", language, size=terms.number(len(places), language))
    return Mark(SITE, places.geometry.x.to_numpy(), places.geometry.y.to_numpy(), ranked, label)
