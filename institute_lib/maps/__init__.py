"""Maps of protected views: on boundaries, on cells around points, or on tiles with no boundary at all.

Until a boundary file carries an approval number (审图号), every map drawn on it says that it is internal.
"""

from institute_lib.maps.draw import draw_coverage_map, draw_slider

__all__ = [
    "draw_coverage_map",
    "draw_slider",
]
