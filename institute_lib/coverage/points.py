"""Points: from recorded coordinates to metres, and every point that cannot be right, row by row."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from institute_lib import areas, terms
from institute_lib.coverage.checks import hosted, require_columns
from institute_lib.coverage.reasons import breach
from institute_lib.errors import DataError, Fault, ParameterError, nearest
from institute_lib.results import Result

if TYPE_CHECKING:
    import geopandas as gpd

METRES = areas.METRES
SYSTEMS = ("EPSG:4326", "GCJ-02")
ON_FAULT = ("refuse", "leave_out")
# Mainland China's longitudes and latitudes do not overlap, so a swapped pair is recognised for certain.
_LONGITUDE, _LATITUDE = (73, 136), (3, 54)


@dataclass(frozen=True)
class Located(Result):
    """Points in metres, and the faults of those left out.

    `points`: the frame's columns with a geometry in `METRES`; `faults`: one for each breach; `given`: rows given.
    """

    points: "gpd.GeoDataFrame"
    faults: tuple[Fault, ...]
    given: int
    warnings: tuple[str, ...] = ()

    @property
    def left_out(self) -> int:
        """How many rows are not among the points."""
        return self.given - len(self.points)

    def summary(self, language: str = "zh") -> str:
        values = {"points": len(self.points), "given": self.given, "left_out": self.left_out}
        return terms.text("coverage.located", language, **values)

    def to_frame(self) -> pd.DataFrame:
        """The points without their geometry."""
        return pd.DataFrame(self.points.drop(columns="geometry"))


def locate(
    frame: pd.DataFrame,
    *,
    boundaries: "gpd.GeoDataFrame | None" = None,
    identifier: str = "station_id",
    tolerance_m: float = 500,
    on_fault: str = "refuse",
    uncounted: Iterable[Fault] = (),
) -> Located:
    """The rows of a table as points in metres, each checked.

    Checked: each id stands once, coordinates are there, their system is declared and known, longitude and latitude are
    not swapped, the point lies in the area of `boundaries`, and within `tolerance_m` of its own district (that of the
    host, for a development zone).

    Args:
        frame: columns x, y (degrees), crs ("EPSG:4326" or "GCJ-02"), district, and the identifier.
        boundaries: districts (code, geometry) of the area; without them place is not checked.
        identifier: the column that names a row in a fault: "station_id", or "village" for populations.
        tolerance_m: how far outside its district a point may lie (simplified boundaries, survey error).
        on_fault: "refuse" raises with every fault; "leave_out" drops the rows and keeps the faults.
        uncounted: faults found before (see `faults`), whose rows are no points either.

    Raises:
        DataError: a column is missing; with `on_fault="refuse"`, when any point has a fault.
        ParameterError: an unknown `on_fault`.
    """
    import geopandas as gpd

    if on_fault not in ON_FAULT:
        raise ParameterError(f"on_fault {on_fault!r}: {nearest(on_fault, ON_FAULT)}")
    require_columns(frame, (identifier, "x", "y", "crs", "district"), _table(identifier))
    given, index = frame.reset_index(drop=True), frame.index  # a fault names a row by its place: labels may repeat
    known = {fault.row: fault for fault in uncounted}
    found = {row: known[name] for row, name in given[identifier].astype("str").items() if name in known}
    found |= {row: fault for row, fault in _coordinate_faults(given, identifier).items() if row not in found}
    usable = given[~given.index.isin(found)]
    geometry = gpd.points_from_xy(*_wgs84(usable), crs="EPSG:4326").to_crs(METRES)
    points = gpd.GeoDataFrame(usable, geometry=geometry)
    if boundaries is not None and len(points):
        misplaced = _place_faults(points, boundaries.to_crs(METRES), identifier, tolerance_m)
        found |= misplaced
        points = points[~points.index.isin(misplaced)]
    faults = tuple(found[row] for row in sorted(found))
    if faults and on_fault == "refuse":
        raise DataError(f"{len(faults)} of {len(frame)} points cannot be placed", faults)
    points = points.set_axis(index[points.index])
    points.attrs = dict(frame.attrs)
    warnings = (f"{len(faults)} of {len(frame)} points left out",) if faults else ()
    return Located(points, faults, len(frame), warnings)


def _coordinate_faults(frame: pd.DataFrame, identifier: str) -> dict[int, Fault]:
    """The first thing wrong with each row's coordinates, by the row's place."""
    x, y = (pd.to_numeric(frame[name], errors="coerce") for name in ("x", "y"))
    china = x.between(*_LONGITUDE) & y.between(*_LATITUDE)
    checks = (
        (frame[identifier].duplicated(), identifier, "id_twice"),
        (x.isna() | y.isna(), "x", "no_point"),
        (~frame["crs"].isin(SYSTEMS), "crs", "system"),
        (x.between(*_LATITUDE) & y.between(*_LONGITUDE), "x", "swapped"),
        (~china, "x", "not_in_china"),
    )
    found: dict[int, Fault] = {}
    for broken, column, reason in checks:
        for row in frame.index[broken].difference(list(found)):
            value = _pair(frame, row) if column == "x" else frame[column][row]
            found[row] = breach(*_named(frame, row, identifier), column, value, reason, systems=", ".join(SYSTEMS))
    return found


def _place_faults(
    points: "gpd.GeoDataFrame", polygons: "gpd.GeoDataFrame", identifier: str, tolerance_m: float
) -> dict[int, Fault]:
    import shapely

    shapely.prepare(polygons.geometry.to_numpy())
    shapes, places = dict(zip(polygons["code"], polygons.geometry, strict=True)), points.geometry.to_numpy()
    own = np.array([shapes.get(code) for code in hosted(points)["district"]], object)
    near_own = shapely.dwithin(own, places, tolerance_m)  # false where a district has no boundary
    far = np.flatnonzero(~near_own)
    found = {}
    for row, place, shape in zip(points.index[far], places[far], own[far], strict=True):
        pair, district = ("x", _pair(points, row)), points["district"][row]
        if shape is None:
            said = ("district", district, "no_boundary"), {}
        elif not shapely.dwithin(list(shapes.values()), place, tolerance_m).any():
            said = (*pair, "outside"), {}
        else:
            off = {"tolerance": f"{tolerance_m:.0f}", "district": district, "off": f"{place.distance(shape):.0f}"}
            said = (*pair, "off_district"), off
        found[row] = breach(*_named(points, row, identifier), *said[0], **said[1])
    return found


def _wgs84(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    x, y = frame["x"].astype("float64").copy(), frame["y"].astype("float64").copy()
    shifted = frame["crs"] == "GCJ-02"
    if shifted.any():
        x[shifted], y[shifted] = areas.gcj02_to_wgs84(x[shifted].to_numpy(), y[shifted].to_numpy())
    return x, y


def _pair(frame: pd.DataFrame, row: int) -> str | None:
    """The coordinates as they stand; nothing where both are missing."""
    pair = [frame["x"][row], frame["y"][row]]
    if all(map(pd.isna, pair)):
        return None
    words = ["–" if pd.isna(one) else f"{one:.5f}" if isinstance(one, float) else str(one) for one in pair]
    return ", ".join(words)


def _named(frame: pd.DataFrame, row: int, identifier: str) -> tuple[str, str]:
    """The table and the row as a fault names them."""
    return _table(identifier), str(frame[identifier][row])


def _table(identifier: str) -> str:
    return "stations" if identifier == "station_id" else "village_population"
