"""Coverage: the share of the units on a stated list that have a working station, by level, district and date."""

from collections.abc import Iterable

import pandas as pd

from institute_lib import terms
from institute_lib.coverage.checks import LEVELS, faults, hosted, with_dates
from institute_lib.coverage.lists import counted_units, list_for
from institute_lib.errors import DataError, ParameterError, nearest

BY = ("city", "district", "town")
_INSIDE = {"city": LEVELS, "district": LEVELS[1:], "town": LEVELS[2:]}


def rates(
    stations: pd.DataFrame, *, at: str, by: str = "district", denominators: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Coverage by level on one day.

    A unit is covered when at least one station of its level works in it: opened on or before the day, not closed by
    then (`closed` is the first day it no longer works). Coverage is covered units over units on the list, so two
    stations in one town count once and stations outside the list are counted apart.

    Args:
        stations: the `stations` table, of the same area as the list. A station of a development zone counts in the
            district whose polygon holds the zone.
        at: a day (2023-12-31) or a quarter (2023Q4: its last day).
        by: "district", "city", or "town" (town stations and village rooms within each town).
        denominators: from `denominators`, or any list with columns level, unit, town, district, city and, if some
            units do not count, counts. Without one: the legal list of the cities that the stations stand in.

    Returns:
        One row a unit of `by` (a town with its name) and level: units, covered, coverage (0–1, missing where no unit
        counts), stations, outside_list, posts, posts_filled. `.attrs`: at, list, include, vintage, source.

    Raises:
        ParameterError: an unknown `by` or day.
        DataError: stations with faults (see `faults`), each named.
    """
    day = _day(at)
    stations, denominators = _checked(stations, by, denominators)
    return _count(stations, {at: day}, by, denominators).drop(columns="quarter")


def over_time(
    stations: pd.DataFrame, *, quarters: Iterable[str], by: str = "district", denominators: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Coverage at the end of each quarter, from opening and closing dates: `rates` with a `quarter` column in front.

    The list is the same in every quarter, so a change is a change of stations.

    Raises:
        ParameterError: no quarter, and as `rates`. DataError: as `rates`.
    """
    days = {quarter: _day(quarter) for quarter in quarters}
    if not days:
        raise ParameterError("coverage over time: no quarter is given; name at least one, such as 2023Q4")
    stations, denominators = _checked(stations, by, denominators)
    return _count(stations, days, by, denominators)


def working(stations: pd.DataFrame, *, at: str) -> pd.DataFrame:
    """The stations that work on a day: opened on or before it, and not closed by then."""
    return _open_on(with_dates(stations), _day(at))


def headline(rates: pd.DataFrame, language: str = "zh") -> str:
    """One sentence: towns and villages covered on the day, and the list they are a share of."""
    totals = rates.groupby("level")[["covered", "units"]].sum()
    parts = [
        terms.text(
            f"coverage.part_{level}",
            language,
            covered=terms.number(totals.loc[level, "covered"], language),
            units=terms.number(totals.loc[level, "units"], language),
            share=terms.percent(_share(totals).loc[level], language),
        )
        for level in ("town", "village")
        if level in totals.index
    ]
    return terms.text(
        "coverage.headline",
        language,
        date=terms.date(rates.attrs["at"], language),
        parts=terms.text("coverage.joint", language).join(parts),
        denominator=denominator(rates, language),
    )


def denominator(rates: pd.DataFrame, language: str = "zh") -> str:
    """Which list a coverage is a share of, in words: its name and its year, or that it is the caller's own."""
    name, vintage = rates.attrs.get("list"), rates.attrs.get("vintage")
    if name is None:
        return terms.text("coverage.list_own", language)
    listed = terms.text(f"coverage.list_{name}", language)
    return terms.text("coverage.of_vintage", language, list=listed, vintage=vintage)


def _checked(stations: pd.DataFrame, by: str, denominators: pd.DataFrame | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Stations fit to be counted, under the districts that host them, and their list."""
    if by not in BY:
        raise ParameterError(f"coverage by {by!r}: {nearest(by, BY)}")
    denominators = list_for(stations) if denominators is None else denominators
    found = faults(stations, denominators=denominators)
    if found:
        raise DataError(f"stations cannot be counted ({len(found)} faults)", found)
    return hosted(with_dates(stations)), denominators


def _open_on(stations: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    return stations[(stations["opened"] <= day) & (stations["closed"].isna() | (stations["closed"] > day))]


def _count(stations: pd.DataFrame, days: dict[str, pd.Timestamp], by: str, denominators: pd.DataFrame) -> pd.DataFrame:
    """Coverage on each of some days, under the name that each has in `days`."""
    counted = counted_units(denominators)
    levels = [level for level in _INSIDE[by] if level in set(counted["level"])]
    listed = counted[counted["level"].isin(levels)]
    placed = _placed(stations[stations["level"].isin(levels)], denominators)
    placed = placed.assign(inside=placed["unit"].isin(set(listed["unit"])))
    open_then = pd.concat([_open_on(placed, day).assign(quarter=name) for name, day in days.items()])
    keys = ["quarter", by, "level"]
    grouped = open_then.groupby(keys)
    table = grouped.agg(stations=("unit", "size"), posts=("posts", "sum"), posts_filled=("posts_filled", "sum"))
    table.insert(0, "covered", open_then[open_then["inside"]].drop_duplicates([*keys, "unit"]).groupby(keys).size())
    table.insert(2, "outside_list", table["stations"] - grouped["inside"].sum())
    units = listed.groupby([by, "level"])["unit"].nunique().rename("units").reset_index()
    every = units.merge(pd.Series(list(days), name="quarter", dtype="str"), how="cross").set_index(keys)
    table = every.join(table, how="outer").fillna(0).reset_index()
    table = table.astype(dict.fromkeys(["units", "covered", "stations", "outside_list"], "int64"))
    table.insert(5, "coverage", _share(table))
    table["level"] = pd.Categorical(table["level"], LEVELS, ordered=True)
    table["quarter"] = pd.Categorical(table["quarter"], list(days), ordered=True)
    table = table.sort_values(keys, ignore_index=True).astype({"level": "str", "quarter": "str"})
    if by == "town" and "name" in denominators:
        named = denominators[denominators["level"] == "town"].drop_duplicates("unit").set_index("unit")["name"]
        table.insert(2, "name", table["town"].map(named))
    attrs = {name: denominators.attrs.get(name) for name in ("list", "include", "vintage")}
    table.attrs = attrs | {"at": str(list(days.values())[-1].date()), "source": stations.attrs.get("source")}
    return table


def _placed(stations: pd.DataFrame, denominators: pd.DataFrame) -> pd.DataFrame:
    """Each station with the unit that it covers at its own level, and with that unit's town, district and city."""
    city = denominators.dropna(subset=["district"]).drop_duplicates("district").set_index("district")["city"]
    town = denominators[denominators["level"] == "village"].drop_duplicates("unit").set_index("unit")["town"]
    stations = stations.assign(city=stations["district"].map(city))
    stations["town"] = stations["village"].map(town).where(stations["level"] == "village", stations["town"])
    unit = pd.Series(index=stations.index, dtype="str")
    for level in LEVELS:
        unit = unit.mask(stations["level"] == level, stations[level].astype("str"))
    return stations.assign(unit=unit)


def _share(table: pd.DataFrame) -> pd.Series:
    return table["covered"] / table["units"].where(table["units"] > 0)


def _day(at: str) -> pd.Timestamp:
    try:
        return pd.Period(at, freq="Q").end_time.normalize() if "Q" in str(at) else pd.Timestamp(at).normalize()
    except ValueError as error:
        raise ParameterError(f"at {at!r}: not a day; write it as 2023-12-31 or 2023Q4") from error
