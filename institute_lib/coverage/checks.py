"""Why stations cannot be counted: every fault, row by row, before anything is counted."""

from collections.abc import Iterable

import pandas as pd

from institute_lib import areas
from institute_lib.coverage.reasons import Breach, breach
from institute_lib.errors import DataError, Fault, InstituteError, nearest
from institute_lib.retention.spells import plain

LEVELS = ("city", "district", "town", "village")
LIST_COLUMNS = ("level", "unit", "town", "district", "city")
STATION_COLUMNS = ("station_id", "level", "district", "town", "village", "opened", "closed", "posts", "posts_filled")


def faults(stations: pd.DataFrame, *, denominators: pd.DataFrame) -> tuple[Fault, ...]:
    """Every reason why stations cannot be counted, row by row.

    Duplicate ids, a level or an opening date that is missing, dates out of order, districts that are abolished,
    unknown or not in the list, units that no list knows, units that lie in another district than the row says. Rows
    are named by station_id; points are checked by `locate`.

    Raises:
        DataError: stations or list lack a column, or dates are no dates.
    """
    require_columns(stations, STATION_COLUMNS, "stations")
    require_columns(denominators, LIST_COLUMNS, "denominators")
    stations = hosted(with_dates(stations))
    districts = set(denominators["district"].dropna())
    twice = stations["station_id"].duplicated(keep=False)
    unlevelled = ~stations["level"].isin(LEVELS)
    found = [
        *_each(stations[twice], "station_id", "id_twice"),
        *_each(stations[unlevelled], "level", "level"),
        *_each(stations[stations["opened"].isna()], "opened", "unopened"),
        *_each(stations[stations["closed"] < stations["opened"]], "closed", "closed_first"),
        *_district_faults(stations[~stations["district"].isin(districts)]),
    ]
    for level in ("town", "village"):
        rows = stations[(stations["level"] == level) & stations["district"].isin(districts)]
        found += _unit_faults(rows, level, denominators[denominators["level"] == level])
    return tuple(found)


def require_columns(frame: pd.DataFrame, columns: Iterable[str], table: str) -> None:
    """Refuse a table that lacks columns, naming all of them at once.

    Raises:
        DataError: with one fault a column.
    """
    missing = [name for name in columns if name not in frame]
    if missing:
        rule = f"required column is missing; {nearest(missing[0], frame.columns)}"
        raise DataError(
            f"{table}: {len(missing)} columns are missing",
            tuple(Fault(table, None, name, None, rule) for name in missing),
        )


def with_dates(stations: pd.DataFrame) -> pd.DataFrame:
    """Stations whose `opened` and `closed` are days, whatever type they came in.

    Raises:
        DataError: a text that is no date, row by row.
    """
    stations = plain(stations)
    texts = [name for name in ("opened", "closed") if not pd.api.types.is_datetime64_dtype(stations[name])]
    if not texts:
        return stations
    days = {name: pd.to_datetime(stations[name], errors="coerce") for name in texts}
    found = [
        fault
        for name, column in days.items()
        for fault in _each(stations[column.isna() & stations[name].notna()], name, "no_day")
    ]
    if found:
        raise DataError(f"stations: {len(found)} dates cannot be read", tuple(found))
    return stations.assign(**days)


def hosted(stations: pd.DataFrame) -> pd.DataFrame:
    """Stations of a development zone under the district in whose polygon it lies; other codes as they stand."""
    codes = {code: areas.host(code) for code in stations["district"].dropna().unique()}
    return stations.assign(district=stations["district"].map(codes).astype("str"))


def _district_faults(rows: pd.DataFrame) -> list[Breach]:
    reasons = {code: _why_no_district(code) for code in rows["district"].unique()}
    found = []
    for row, code in zip(rows["station_id"], rows["district"], strict=True):
        reason, details = reasons[code]
        found.append(breach("stations", row, "district", _shown(code), reason, **details))
    return found


def _why_no_district(code: str) -> tuple[str, dict[str, object]]:
    """The reason for a district that the list does not hold, and its details."""
    if pd.isna(code):
        return "no_district", {}
    try:
        return "district_not_listed", {"district": areas.get(code)}
    except InstituteError:
        pass
    try:
        today = areas.get(code, on_retired="map")
    except InstituteError:  # divided among several, or never a district
        return "district_unknown", {}
    return "district_retired", {"district": today, "code": today.code}


def _unit_faults(rows: pd.DataFrame, level: str, units: pd.DataFrame) -> list[Breach]:
    known = units.drop_duplicates("unit")
    place = pd.Index(known["unit"]).get_indexer(rows[level])
    found = _each(rows[place < 0], level, f"{level}_unknown")
    rows, place = rows[place >= 0], place[place >= 0]
    for column in ("district", "town") if level == "village" else ("district",):
        own, listed = rows[column].to_numpy(object), known[column].to_numpy(object)[place]
        elsewhere = (own != listed) & pd.notna(own) & pd.notna(listed)
        columns = (rows["station_id"][elsewhere], rows[level][elsewhere], own[elsewhere], listed[elsewhere])
        for row, unit, given, right in zip(*columns, strict=True):
            found.append(breach("stations", row, column, given, f"{level}_in_{column}", unit=unit, right=right))
    return found


def _each(rows: pd.DataFrame, column: str, reason: str) -> list[Breach]:
    pairs = zip(rows["station_id"], rows[column], strict=True)
    return [breach("stations", row, column, _shown(value), reason) for row, value in pairs]


def _shown(value: object) -> object:
    if pd.isna(value):
        return None
    return str(value.date()) if isinstance(value, pd.Timestamp) else value
