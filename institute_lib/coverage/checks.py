"""Why stations cannot be counted: every fault, row by row, before anything is counted."""

from collections.abc import Iterable

import pandas as pd

from institute_lib import areas
from institute_lib.errors import DataError, Fault, InstituteError, nearest

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
        *_each(stations[twice], "station_id", "an id stands once", "keep one row, or give each its own id"),
        *_each(stations[unlevelled], "level", f"one of {', '.join(LEVELS)}", "correct the level"),
        *_each(stations[stations["opened"].isna()], "opened", "a station has an opening date", "enter it"),
        *_each(
            stations[stations["closed"] < stations["opened"]],
            "closed",
            "closed is not before opened",
            "correct one of the two dates",
        ),
        *_district_faults(stations[~stations["district"].isin(districts)]),
    ]
    for level in ("town", "village"):
        rows = stations[(stations["level"] == level) & stations["district"].isin(districts)]
        found += _unit_faults(rows, level, denominators[denominators["level"] == level])
    return tuple(found)


def fault_rows(*found: Fault) -> pd.DataFrame:
    """Faults as a table, one a row: table, row, column, value, rule, remedy."""
    columns = ["table", "row", "column", "value", "rule", "remedy"]
    return pd.DataFrame([fault.to_dict() for fault in found], columns=columns)


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
    texts = [name for name in ("opened", "closed") if not pd.api.types.is_datetime64_dtype(stations[name])]
    if not texts:
        return stations
    days = {name: pd.to_datetime(stations[name], errors="coerce") for name in texts}
    found = [
        fault
        for name, column in days.items()
        for fault in _each(stations[column.isna() & stations[name].notna()], name, "a day", "write it as 2023-12-31")
    ]
    if found:
        raise DataError(f"stations: {len(found)} dates cannot be read", tuple(found))
    return stations.assign(**days)


def hosted(stations: pd.DataFrame) -> pd.DataFrame:
    """Stations of a development zone under the district in whose polygon it lies; other codes as they stand."""
    codes = {code: areas.host(code) for code in stations["district"].dropna().unique()}
    return stations.assign(district=stations["district"].map(codes).astype("str"))


def _district_faults(rows: pd.DataFrame) -> list[Fault]:
    reasons = {code: _why_no_district(code) for code in rows["district"].unique()}
    return [
        Fault("stations", str(row), "district", _shown(code), *reasons[code])
        for row, code in zip(rows["station_id"], rows["district"], strict=True)
    ]


def _why_no_district(code: str) -> tuple[str, str]:
    """Rule and remedy for a district that the list does not hold."""
    if pd.isna(code):
        return "a station has a district", "enter its six-digit code"
    try:
        name = areas.get(code).name_zh
    except InstituteError as error:
        return "a district in force", str(error)
    rule = f"a district of the denominator list, which lacks {name}"
    return rule, "add its units to the list, or select the area's stations"


def _unit_faults(rows: pd.DataFrame, level: str, units: pd.DataFrame) -> list[Fault]:
    known = units.drop_duplicates("unit")
    place = pd.Index(known["unit"]).get_indexer(rows[level])
    found = _each(rows[place < 0], level, f"a {level} code of the list", "look the code up in the statistical list")
    rows, place = rows[place >= 0], place[place >= 0]
    for column in ("district", "town") if level == "village" else ("district",):
        own, listed = rows[column].to_numpy(object), known[column].to_numpy(object)[place]
        elsewhere = (own != listed) & pd.notna(own) & pd.notna(listed)
        columns = (rows["station_id"][elsewhere], rows[level][elsewhere], own[elsewhere], listed[elsewhere])
        for row, unit, given, right in zip(*columns, strict=True):
            rule = f"{level} {unit} lies in {column} {right}"
            found.append(Fault("stations", str(row), column, given, rule, "correct one of the two codes"))
    return found


def _each(rows: pd.DataFrame, column: str, rule: str, remedy: str) -> list[Fault]:
    pairs = zip(rows["station_id"], rows[column], strict=True)
    return [Fault("stations", str(row), column, _shown(value), rule, remedy) for row, value in pairs]


def _shown(value: object) -> object:
    if pd.isna(value):
        return None
    return str(value.date()) if isinstance(value, pd.Timestamp) else value
