"""The shapes of a map as a screen shows them: bends too small to be seen are gone, rings are wound alike."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import geopandas as gpd
    from shapely.geometry.base import BaseGeometry


def to_screen(shapes: "gpd.GeoDataFrame", finest_m: float) -> "gpd.GeoDataFrame":
    """The shapes without bends too small to be seen: a map does not zoom, and its bytes are read by office computers.

    Bends of less than the area of `finest_m` squared go (Visvalingam and Whyatt, 1993), in both neighbours alike, so
    that shared edges stay shared; shapes that do not fit edge to edge are left as they are.
    """
    import shapely

    drawn = shapes.geometry.to_numpy()
    if not shapely.coverage_is_valid(drawn):
        return shapes
    coarse = shapes.set_geometry(shapely.coverage_simplify(drawn, finest_m), crs=shapes.crs)
    coarse.attrs = dict(shapes.attrs)
    return coarse


def rings(shape: "BaseGeometry") -> list[np.ndarray]:
    """The closed rings of a polygon, holes wound against their shells so that any fill rule leaves them open."""
    import shapely

    parts = [shapely.orient_polygons(part) for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return [np.asarray(ring.coords) for part in parts for ring in (part.exterior, *part.interiors)]


def label_place(shape: "BaseGeometry") -> tuple[float, float]:
    """Where a label stands best: the centre of the largest circle inside the shape."""
    import shapely

    largest = max(shapely.get_parts(shape), key=lambda part: part.area)
    centre = shapely.get_coordinates(shapely.maximum_inscribed_circle(largest))[0]
    return float(centre[0]), float(centre[1])
