"""Points: from recorded coordinates to metres, and every point that cannot be right, row by row."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from institute_lib import areas, terms
from institute_lib.errors import DataError, Fault, ParameterError, nearest
from institute_lib.results import Result

if TYPE_CHECKING:
    import geopandas as gpd

METRES = areas.projected_crs()
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
) -> Located:
    """The rows of a table as points in metres, each checked.

    Checked: coordinates are there, their system is declared and known, longitude and latitude are not swapped, the
    point lies in the area of `boundaries`, and within `tolerance_m` of its own district.

    Args:
        frame: columns x, y (degrees), crs ("EPSG:4326" or "GCJ-02"), district, and the identifier.
        boundaries: districts (code, geometry) of the area; without them place is not checked.
        identifier: the column that names a row in a fault: "station_id", or "village" for populations.
        tolerance_m: how far outside its district a point may lie (simplified boundaries, survey error).
        on_fault: "refuse" raises with every fault; "leave_out" drops the rows and keeps the faults.

    Raises:
        DataError: with `on_fault="refuse"`, when any point has a fault.
        ParameterError: an unknown `on_fault`.
    """
    import geopandas as gpd

    if on_fault not in ON_FAULT:
        raise ParameterError(f"on_fault {on_fault!r}: {nearest(on_fault, ON_FAULT)}")
    found = _coordinate_faults(frame, identifier)
    usable = frame[~frame.index.isin(found)]
    geometry = gpd.points_from_xy(*_wgs84(usable), crs="EPSG:4326").to_crs(METRES)
    points = gpd.GeoDataFrame(usable, geometry=geometry)
    if boundaries is not None and len(points):
        misplaced = _place_faults(points, boundaries.to_crs(METRES), identifier, tolerance_m)
        found |= misplaced
        points = points[~points.index.isin(misplaced)]
    faults = tuple(found[index] for index in frame.index if index in found)
    if faults and on_fault == "refuse":
        raise DataError(f"{len(faults)} of {len(frame)} points cannot be placed", faults)
    points.attrs = dict(frame.attrs)
    warnings = (f"{len(faults)} of {len(frame)} points left out",) if faults else ()
    return Located(points, faults, len(frame), warnings)


def _coordinate_faults(frame: pd.DataFrame, identifier: str) -> dict[object, Fault]:
    missing = frame["x"].isna() | frame["y"].isna()
    unknown = ~frame["crs"].isin(SYSTEMS)
    swapped = frame["x"].between(*_LATITUDE) & frame["y"].between(*_LONGITUDE)
    outside = ~(frame["x"].between(*_LONGITUDE) & frame["y"].between(*_LATITUDE))
    swap = "x is the longitude, y the latitude: exchange them"
    found: dict[object, Fault] = {}
    for index in frame.index[missing | unknown | swapped | outside]:
        row, pair = frame.loc[index], _pair(frame.loc[index])
        if missing[index]:
            rule = ("x", None, "a station on the map has a point", "survey it, or leave it out of access")
        elif unknown[index]:
            rule = ("crs", row["crs"], f"a declared system: {', '.join(SYSTEMS)}", "say where the point was read")
        elif swapped[index]:
            rule = ("x", pair, "longitude and latitude are not swapped", swap)
        else:
            rule = ("x", pair, "degrees within China", "give longitude and latitude in degrees")
        found[index] = Fault(*_named(row, identifier), *rule)
    return found


def _place_faults(
    points: "gpd.GeoDataFrame", polygons: "gpd.GeoDataFrame", identifier: str, tolerance_m: float
) -> dict[object, Fault]:
    area = polygons.geometry.union_all().buffer(tolerance_m)
    own = points["district"].map(polygons.set_index("code").geometry)
    unknown = own.isna()
    strayed = points.geometry.distance(own.set_axis(points.index), align=False).gt(tolerance_m) & ~unknown
    outside = ~points.geometry.within(area)
    found = {}
    for index in points.index[outside | strayed | unknown]:
        row = points.loc[index]
        if unknown[index]:
            rule = ("district", row["district"], "a district with a boundary", "give the area's own stations")
        elif outside[index]:
            rule = ("x", _pair(row), "the point lies in the area", "check the point and its crs")
        else:
            distance = row.geometry.distance(own[index])
            rule = (
                "x",
                _pair(row),
                f"at most {tolerance_m:.0f} m outside {row['district']}",
                f"it lies {distance:.0f} m off",
            )
        found[index] = Fault(*_named(row, identifier), *rule)
    return found


def _wgs84(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    x, y = frame["x"].astype("float64").copy(), frame["y"].astype("float64").copy()
    shifted = frame["crs"] == "GCJ-02"
    if shifted.any():
        x[shifted], y[shifted] = areas.gcj02_to_wgs84(x[shifted].to_numpy(), y[shifted].to_numpy())
    return x, y


def _pair(row: pd.Series) -> str:
    return f"{row['x']:.5f}, {row['y']:.5f}"


def _named(row: pd.Series, identifier: str) -> tuple[str, str]:
    """The table and the row as a fault names them."""
    return "stations" if identifier == "station_id" else "village_population", str(row[identifier])
