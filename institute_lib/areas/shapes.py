"""The shapes of units, in metres: boundaries, cells around points, tiles that show no boundary."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from institute_lib.areas.boundaries import projected_crs
from institute_lib.areas.divisions import get
from institute_lib.errors import DataError, ParameterError, nearest

if TYPE_CHECKING:
    import geopandas as gpd

METRES = projected_crs()
# Where each district stands in a grid that keeps neighbours near each other: (column, row from the north).
TILES = {
    "320685": (0, 0),
    "320682": (0, 1),
    "320623": (1, 1),
    "320613": (0, 2),
    "320612": (1, 2),
    "320614": (1, 3),
    "320681": (2, 3),
    "320582": (0, 0),
    "320581": (1, 0),
    "320585": (2, 0),
    "320505": (0, 1),
    "320507": (1, 1),
    "320583": (2, 1),
    "320506": (0, 2),
    "320508": (1, 2),
    "320509": (1, 3),
}
LAYOUTS = ("boundaries", "tiles")
TILE = 10_000.0
_GAP = 400.0
OUTSIDE_M = 500.0


def in_map_metres(boundaries: "gpd.GeoDataFrame") -> "gpd.GeoDataFrame":
    """Boundaries in the map's metres, their attrs kept.

    Raises:
        DataError: no declared system, or a shape that is missing or empty.
    """
    if boundaries.crs is None:
        raise DataError("boundaries declare no coordinate system: 400 m off looks right on a map and is not")
    bad = boundaries.geometry.isna() | boundaries.geometry.is_empty
    if bad.any():
        raise DataError(f"boundaries without a shape: {', '.join(boundaries.loc[bad, 'code'])}")
    shapes = boundaries.to_crs(METRES)
    shapes.attrs = dict(boundaries.attrs)
    return shapes


def regions(
    boundaries: "gpd.GeoDataFrame", units: "gpd.GeoDataFrame | None" = None, *, layout: str = "boundaries"
) -> "gpd.GeoDataFrame":
    """The shapes of a map: districts, or the units of one district, on boundaries or on tiles.

    Args:
        boundaries: from `areas.boundaries`.
        units: points of the units (town, name) that are to be the regions; by default the districts are.
        layout: "boundaries" (units: cells clipped to them), or "tiles" (no boundary, for briefs that leave the house).

    Raises:
        ParameterError: another layout; a district without a tile.
        DataError: as `voronoi_cells`.
    """
    if layout not in LAYOUTS:
        raise ParameterError(f"layout {layout!r}: {nearest(layout, LAYOUTS)}")
    if layout == "tiles":
        return tiles(boundaries["code"]) if units is None else unit_tiles(units)
    return boundaries if units is None else voronoi_cells(units, boundaries)


def voronoi_cells(
    points: "gpd.GeoDataFrame", boundaries: "gpd.GeoDataFrame", *, code: str = "town", name: str = "name"
) -> "gpd.GeoDataFrame":
    """One region a unit, holding what lies nearest to its points, clipped to the boundary: no administrative border.

    Args:
        points: columns `code` and `name`, in any declared system; a unit may have one point (its station) or several
            (its villages), whose cells are joined.
        boundaries: the polygons to fill, such as one district's; their approval number goes with the cells.

    Returns:
        code, name_zh, name_en, geometry in metres; `.attrs["cells"]` is True, which maps say in words.

    Raises:
        DataError: two units in one place, a point more than 500 m outside the boundary, or fewer than two units.
    """
    import geopandas as gpd
    import shapely

    shapes = in_map_metres(boundaries)
    outline, sites = shapes.geometry.union_all(), points.to_crs(METRES).drop_duplicates([code, "geometry"])
    sites = sites.sort_values(code, kind="stable", ignore_index=True)
    shapely.prepare(outline)
    wrong = ~shapely.dwithin(outline, sites.geometry.to_numpy(), OUTSIDE_M) | sites.geometry.duplicated(keep=False)
    if sites[code].nunique() < 2 or wrong.any():
        named = ", ".join(sites.loc[wrong, code].astype(str).unique()) or f"{sites[code].nunique()} unit"
        raise DataError(f"cells need two or more units, in different places inside the boundary: {named}")
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(list(sites.geometry)), extend_to=outline))
    own, cell = shapely.STRtree(cells).query(sites.geometry.to_numpy(), predicate="within")
    units = sites.drop_duplicates(code)
    joined = [shapely.coverage_union_all(part) for part in np.split(cells[cell[np.argsort(own)]], units.index[1:])]
    shape = {"code": units[code], "name_zh": units[name], "name_en": units[name]}
    frame = gpd.GeoDataFrame(shape, geometry=shapely.intersection(joined, outline), crs=METRES).reset_index(drop=True)
    frame.attrs = shapes.attrs | {"cells": True}
    return frame


def tiles(codes: pd.Series) -> "gpd.GeoDataFrame":
    """One square a district in the place of `TILES`: a layout with no boundary, which needs no approval number.

    Raises:
        ParameterError: a district with no place in the grid, or districts of two cities.
    """
    for code in codes:
        if code not in TILES:
            raise ParameterError(f"district {code!r} has no tile: {nearest(code, TILES)}")
    if len({TILES[code] for code in codes}) < len(codes):
        raise ParameterError("tiles: districts of one city at a time; two of these share a place in the grid")
    names = {f"name_{language}": [get(code).name(language) for code in codes] for language in ("zh", "en")}
    return _squares({"code": list(codes)} | names, [TILES[code] for code in codes])


def unit_tiles(points: "gpd.GeoDataFrame", *, code: str = "town", name: str = "name") -> "gpd.GeoDataFrame":
    """One square a unit of a district, each near where its points lie among the others': a layout with no boundary.

    Units are assigned to the places of the smallest square grid that holds them so that they move least (linear sum
    assignment of ranks).

    Args:
        points: columns `code` and `name`, in any declared system, as for `voronoi_cells`.
    """
    from scipy.optimize import linear_sum_assignment

    centres = points.to_crs(METRES).dissolve(code, aggfunc="first").centroid
    units = points.drop_duplicates(code).set_index(code).loc[centres.index]
    side = int(np.ceil(np.sqrt(len(units))))
    ranks = [pd.Series(values).rank().to_numpy() / len(units) * side - 0.5 for values in (centres.x, -centres.y)]
    grid = np.array([(x, y) for y in range(side) for x in range(side)])
    distance = ((np.column_stack(ranks)[:, None] - grid[None]) ** 2).sum(axis=2)
    places = grid[linear_sum_assignment(distance)[1]]
    shape = {"code": list(units.index), "name_zh": list(units[name]), "name_en": list(units[name])}
    return _squares(shape, [(int(x), int(y)) for x, y in places])


def _squares(columns: dict, places: list[tuple[int, int]]) -> "gpd.GeoDataFrame":
    """Squares at (column, row from the north) of a grid."""
    import geopandas as gpd
    import shapely

    squares = [
        shapely.box(TILE * x + _GAP, -TILE * (y + 1) + _GAP, TILE * (x + 1) - _GAP, -TILE * y - _GAP) for x, y in places
    ]
    frame = gpd.GeoDataFrame(columns, geometry=squares, crs=METRES)
    frame.attrs = {"tiles": True}
    return frame
