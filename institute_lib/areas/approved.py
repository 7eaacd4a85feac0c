"""Approved boundary files: found in `data/boundaries/`, checked, and used as they are."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from institute_lib import paths
from institute_lib.areas.divisions import Area, cities, districts
from institute_lib.errors import DataError, Fault

if TYPE_CHECKING:
    import geopandas as gpd

SUFFIXES = (".geojson", ".json", ".gpkg")
APPROVAL_COLUMNS = ("approval_number", "审图号")
APPROVAL = re.compile(r"[A-Z\u4e00-\u9fff]+\s?[(（\[〔]\d{4}[)）\]〕]\s?\d+\s?号")
FRAME = (116.0, 30.5, 122.5, 35.5)  # longitude and latitude within which Jiangsu lies
EXAMPLE = "GS(2024)0650号"


def find_approved(members: tuple[Area, ...]) -> "gpd.GeoDataFrame | None":
    """The polygons of these districts from the approved file that holds them all, or None where no file does.

    Args:
        members: the districts wanted.

    Returns:
        code and geometry in EPSG:4326; `attrs`: `approval`, `source` (file name), `tolerance_m` (0).

    Raises:
        DataError: a file in the folder breaks the contract, or two of them hold the same districts.
    """
    folder = paths.approved_boundaries()
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    frames = [_read(path) for path in files]
    wanted = {member.code for member in members}
    holding = [frame for frame in frames if wanted <= set(frame["code"])]
    if len(holding) > 1:
        names = ", ".join(frame.attrs["source"] for frame in holding)
        raise DataError(f"data/boundaries: {names} hold the same districts; leave one of them there")
    return holding[0] if holding else None


def _read(path: Path) -> "gpd.GeoDataFrame":
    import geopandas as gpd
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        frame = gpd.read_file(path)
    except (DataSourceError, DataLayerError, UnicodeDecodeError) as error:
        raise DataError(f"boundary file {path.name} cannot be read as GeoJSON or GeoPackage: {error}") from error
    _check_columns(frame, path.name)
    frame["code"] = frame["code"].astype("str")
    column = next(name for name in APPROVAL_COLUMNS if name in frame)
    faults = (
        *_approval_faults(frame, column, path.name),
        *_division_faults(frame, path.name),
        *_geometry_faults(frame, path.name),
    )
    if faults:
        raise DataError(f"boundary file {path.name} breaks its contract ({len(faults)} faults)", faults)
    degrees = frame[["code", "geometry"]].to_crs("EPSG:4326")
    degrees.attrs = {"approval": str(frame[column].iloc[0]).strip(), "source": path.name, "tolerance_m": 0.0}
    return degrees


def _check_columns(frame: "gpd.GeoDataFrame", name: str) -> None:
    faults = []
    for column in ("code", "name"):
        if column not in frame:
            faults.append(Fault(name, None, column, None, "required property is missing", "add it to each feature"))
    if not any(column in frame for column in APPROVAL_COLUMNS):
        rule = "the approval number is missing"
        faults.append(Fault(name, None, "approval_number", None, rule, f"add it to each feature, such as {EXAMPLE}"))
    if "geometry" not in frame or frame.crs is None:
        faults.append(
            Fault(name, None, "crs", None, "no geometry, or no CRS declared", "declare EPSG:4326 or EPSG:4490")
        )
    if faults:
        raise DataError(f"boundary file {name} breaks its contract ({len(faults)} faults)", tuple(faults))


def _approval_faults(frame: "gpd.GeoDataFrame", column: str, name: str) -> list[Fault]:
    numbers = frame[column].astype("str").str.strip()
    faults = [
        Fault(name, row, column, number, "not an approval number", f"write it as {EXAMPLE}")
        for row, number in enumerate(numbers, 1)
        if not APPROVAL.fullmatch(number)
    ]
    if not faults and numbers.nunique() > 1:
        faults.append(Fault(name, None, column, ", ".join(numbers.unique()), "one file carries one approval number"))
    return faults


def _division_faults(frame: "gpd.GeoDataFrame", name: str) -> list[Fault]:
    known = {area.code: area for area in districts("320000")}
    faults = []
    for row, (code, label) in enumerate(zip(frame["code"], frame["name"], strict=True), 1):
        if code not in known:
            remedy = "use the codes of data/reference/districts.csv; leave out cities and development zones"
            faults.append(Fault(name, row, "code", code, "no county-level district in use", remedy))
        elif label != known[code].name_zh:
            faults.append(Fault(name, row, "name", label, f"{code} is {known[code].name_zh}"))
    for code in frame["code"][frame["code"].duplicated()]:
        faults.append(Fault(name, None, "code", code, "stands in more than one feature", "one feature a district"))
    present = set(frame["code"])
    for city in cities():
        members = {area.code: area.name_zh for area in districts(city.code)}
        missing = [f"{code} {members[code]}" for code in members if code not in present]
        if missing and len(missing) < len(members):
            rule = f"{city.name_zh} is incomplete"
            faults.append(Fault(name, None, "code", ", ".join(missing), rule, "add these districts"))
    return faults


def _geometry_faults(frame: "gpd.GeoDataFrame", name: str) -> list[Fault]:
    import shapely

    faults = []
    west, south, east, north = FRAME
    for row, shape in enumerate(frame.geometry.to_crs("EPSG:4326"), 1):
        if shape is None or shape.is_empty or shape.geom_type not in ("Polygon", "MultiPolygon"):
            kind = None if shape is None else shape.geom_type
            faults.append(Fault(name, row, "geometry", kind, "not a polygon"))
        elif not shape.is_valid:
            faults.append(Fault(name, row, "geometry", shapely.is_valid_reason(shape), "not a valid polygon"))
        else:
            left, low, right, high = shape.bounds
            if left < west or low < south or right > east or high > north:
                box = f"{left:.2f} {low:.2f} {right:.2f} {high:.2f}"
                remedy = "check the CRS and the order of longitude and latitude"
                faults.append(Fault(name, row, "geometry", box, "lies outside Jiangsu", remedy))
    return faults
