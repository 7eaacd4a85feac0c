"""Where things are: divisions and their names, residents, towns and villages, boundaries, and the published facts.

Codes are six-digit strings. A retired code or name is refused with its successor, or mapped when asked. Boundaries come
from a package in GCJ-02, or from an approved file put into `data/boundaries/`, which takes its place.
"""

from institute_lib.areas.boundaries import boundaries, projected_crs
from institute_lib.areas.divisions import Area, cities, city_of, districts, get, host, is_known, peers
from institute_lib.areas.gcj02 import gcj02_to_wgs84, wgs84_to_gcj02
from institute_lib.areas.reference import FILES, population, reference, stated, towns, villages
from institute_lib.areas.shapes import LAYOUTS, METRES, TILES, regions, voronoi_cells

__all__ = [
    "FILES",
    "LAYOUTS",
    "METRES",
    "TILES",
    "Area",
    "boundaries",
    "cities",
    "city_of",
    "districts",
    "gcj02_to_wgs84",
    "get",
    "host",
    "is_known",
    "peers",
    "population",
    "projected_crs",
    "reference",
    "regions",
    "stated",
    "towns",
    "villages",
    "voronoi_cells",
    "wgs84_to_gcj02",
]
