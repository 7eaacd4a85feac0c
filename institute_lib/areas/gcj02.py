"""GCJ-02, the shifted coordinates of Chinese web maps, to and from WGS-84.

The forward formula is the published reconstruction that coordtransform, eviltransform and their kin share (Krasovsky
1940 ellipsoid). The inverse is found by iteration, so that a round trip is exact to a micrometre; the common shortcut
(subtracting the shift at the wrong place) is off by a few metres.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from institute_lib.errors import DataError, EstimationError

Coordinates = tuple[NDArray[np.float64], NDArray[np.float64]]

SEMI_MAJOR = 6378245.0
ECCENTRICITY_SQUARED = 0.00669342162296594323
WEST, EAST, SOUTH, NORTH = 72.004, 137.8347, 0.8293, 55.8271
CONVERGED = 1e-12  # degrees: a tenth of a micrometre
ITERATIONS = 20  # three to five are enough: the shift changes by less than 1 % of the step


def wgs84_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> Coordinates:
    """Shift WGS-84 coordinates to GCJ-02.

    Args:
        lon: longitudes in degrees, any shape (scalars too). NaN stays NaN.
        lat: latitudes in degrees, the same shape.

    Returns:
        Longitudes and latitudes in GCJ-02. Points outside the rectangle of China stay where they are.

    Raises:
        DataError: a latitude beyond ±90 or a longitude beyond ±180 (often the two are swapped).
    """
    lon, lat = _checked(lon, lat)
    shift_lon, shift_lat = _shift(lon, lat)
    return lon + shift_lon, lat + shift_lat


def gcj02_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> Coordinates:
    """Undo the shift of GCJ-02 by fixed-point iteration: wgs ← gcj − shift(wgs).

    Args:
        lon: longitudes in degrees, any shape (scalars too). NaN stays NaN.
        lat: latitudes in degrees, the same shape.

    Returns:
        Longitudes and latitudes in WGS-84, exact to a micrometre. Points outside the rectangle of China stay.

    Raises:
        DataError: a latitude beyond ±90 or a longitude beyond ±180 (often the two are swapped).
        EstimationError: the iteration did not converge.
    """
    lon, lat = _checked(lon, lat)
    inside = _in_china(lon, lat)
    wgs_lon, wgs_lat = lon.copy(), lat.copy()
    for _ in range(ITERATIONS):
        shift_lon, shift_lat = _offset(wgs_lon, wgs_lat)
        next_lon = np.where(inside, lon - shift_lon, lon)
        next_lat = np.where(inside, lat - shift_lat, lat)
        step = np.nanmax(np.abs([next_lon - wgs_lon, next_lat - wgs_lat]), initial=0.0)
        wgs_lon, wgs_lat = next_lon, next_lat
        if step < CONVERGED:
            return wgs_lon, wgs_lat
    raise EstimationError(f"GCJ-02 to WGS-84: not converged after {ITERATIONS} steps (last step {step:.2g} degrees)")


def _checked(lon: ArrayLike, lat: ArrayLike) -> Coordinates:
    lon, lat = np.broadcast_arrays(np.asarray(lon, float), np.asarray(lat, float))
    for name, values, limit in (("latitude", lat, 90), ("longitude", lon, 180)):
        beyond = np.abs(values) > limit
        if beyond.any():
            raise DataError(
                f"{name} {values[beyond].flat[0]:g} lies beyond ±{limit} degrees ({beyond.sum()} such points); "
                "longitude comes first: are the two swapped?"
            )
    return lon, lat


def _in_china(lon: NDArray, lat: NDArray) -> NDArray[np.bool_]:
    return (lon >= WEST) & (lon <= EAST) & (lat >= SOUTH) & (lat <= NORTH)


def _shift(lon: NDArray, lat: NDArray) -> Coordinates:
    inside = _in_china(lon, lat)
    shift_lon, shift_lat = _offset(lon, lat)
    return np.where(inside, shift_lon, 0.0), np.where(inside, shift_lat, 0.0)


def _offset(lon: NDArray, lat: NDArray) -> Coordinates:
    """The shift in degrees of the published formula, whatever the place."""
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    ripple = 20 * np.sin(6 * np.pi * x) + 20 * np.sin(2 * np.pi * x)
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (ripple + _waves(y, 20, 40, 160, 320)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (ripple + _waves(x, 20, 40, 150, 300)) * 2 / 3
    radians = np.radians(lat)
    magic = 1 - ECCENTRICITY_SQUARED * np.sin(radians) ** 2
    meridian = SEMI_MAJOR * (1 - ECCENTRICITY_SQUARED) / magic**1.5
    parallel = SEMI_MAJOR / np.sqrt(magic) * np.cos(radians)
    return np.degrees(east / parallel), np.degrees(north / meridian)


def _waves(t: NDArray, one: float, third: float, twelfth: float, thirtieth: float) -> NDArray:
    turn = np.pi * t
    return one * np.sin(turn) + third * np.sin(turn / 3) + twelfth * np.sin(turn / 12) + thirtieth * np.sin(turn / 30)
