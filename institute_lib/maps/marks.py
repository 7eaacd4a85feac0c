"""Points on a map: stations by level, and sites proposed beside them, with their hover and the legend's line."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from institute_lib import terms
from institute_lib.areas.shapes import in_map_metres
from institute_lib.coverage import Located
from institute_lib.coverage.counting import works
from institute_lib.errors import DataError

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
ROUND = ("town", "village")


@dataclass(frozen=True)
class Mark:
    """Points of one level.

    Attributes:
        x, y: places in metres.
        names: of each point; its hover's first line.
        detail: the hover's second line, with {0}, {1} … for a point's `figures`; empty for none.
        figures: one row a point.
        kind: "illustrative" or "surveyed"; empty where it is not said.
        label: the legend's line.
        shown: which are shown, one truth value each.
    """

    level: str
    x: np.ndarray
    y: np.ndarray
    names: tuple[str, ...]
    detail: str
    figures: np.ndarray
    kind: str
    label: str
    shown: np.ndarray

    @property
    def hover(self) -> tuple[str, ...]:
        """Each point's name and figures, in words."""
        if not self.detail:
            return self.names
        lines = (self.detail.format(*(f"{figure:,g}" for figure in row)) for row in self.figures)
        return tuple(f"{name}\n{line}" for name, line in zip(self.names, lines, strict=True))


def marks_of(
    stations: Located | None, sites: "gpd.GeoDataFrame | None", language: str, *, at: str | None = None
) -> tuple[Mark, ...]:
    """The marks of stations (of those that work on a day or at a quarter's end, if given) and of new sites.

    Raises:
        DataError: `at` is given and the stations have no opening and closing dates.
    """
    found = []
    if stations is not None and len(stations.points):
        points = in_map_metres(stations.points.assign(code=stations.points["station_id"]))
        shown = _works(points, at)
        for level in STYLES:
            own = (points["level"] == level).to_numpy()
            if own.any():
                found.append(_station_mark(points[own], shown[own], level, language))
    if sites is not None and len(sites):
        places = in_map_metres(sites.assign(code=sites.index.astype("str")))
        found.append(_sites(places, sites, language))
    return tuple(found)


def marks_at(marks: tuple[Mark, ...], stations: Located | None, language: str, at: str) -> tuple[Mark, ...]:
    """The marks of `marks_of`, of which those are shown that work on another day."""
    if stations is None or not marks:
        return marks
    works_then, levels, found = _works(stations.points, at), stations.points["level"].to_numpy(), []
    for mark in marks:
        shown = works_then[levels == mark.level]
        found.append(replace(mark, shown=shown, label=_label(mark.level, int(shown.sum()), mark.kind, language)))
    return tuple(found)


def _works(points: "gpd.GeoDataFrame", at: str | None) -> np.ndarray:
    if at is None:
        return np.ones(len(points), bool)
    if not {"opened", "closed"} <= set(points):
        raise DataError("stations on a slider over quarters need the columns opened and closed")
    return works(points, at=at)


def _station_mark(points: "gpd.GeoDataFrame", shown: np.ndarray, level: str, language: str) -> Mark:
    kind = "illustrative" if (points["point_kind"] == "illustrative").any() else "surveyed"
    label = _label(level, int(shown.sum()), kind, language)
    x, y = points.geometry.x.to_numpy(), points.geometry.y.to_numpy()
    return Mark(level, x, y, tuple(points["name"]), *_posts(points, language), kind, label, shown)


def _label(level: str, size: int, kind: str, language: str) -> str:
    counted = terms.text(f"maps.station_{level}", language, size=terms.number(size, language))
    return counted + terms.text(f"maps.point_{kind}", language)


def _posts(points: "gpd.GeoDataFrame", language: str) -> tuple[str, np.ndarray]:
    """The line on a station's posts, and their numbers, where the table has them."""
    columns = ["posts_filled", "posts"]
    if not set(columns) <= set(points):
        return "", np.empty((len(points), 0))
    return terms.text("maps.posts", language, filled="{0}", posts="{1}"), points[columns].to_numpy(float)


def _sites(places: "gpd.GeoDataFrame", sites: "gpd.GeoDataFrame", language: str) -> Mark:
    names = sites["name"] if "name" in sites else [""] * len(sites)
    ranked = tuple(
        terms.text("maps.site_rank", language, rank=rank, name=name).strip() for rank, name in enumerate(names, 1)
    )
    counted = "people_added" in sites
    return Mark(
        level=SITE,
        x=places.geometry.x.to_numpy(),
        y=places.geometry.y.to_numpy(),
        names=ranked,
        detail=terms.text("maps.site_people", language, people="{0}") if counted else "",
        figures=sites[["people_added"] if counted else []].to_numpy(float),
        kind="",
        label=terms.text("maps.site", language, size=terms.number(len(places), language)),
        shown=np.ones(len(places), bool),
    )
