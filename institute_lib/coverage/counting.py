"""Coverage: the share of the units on a stated list that have a working station, by level, district and date."""

from collections.abc import Iterable, Sequence

import pandas as pd

from institute_lib import areas, terms
from institute_lib.errors import DataError, Fault, InstituteError, ParameterError, nearest

BY = ("city", "district", "town")
LEVELS = ("city", "district", "town", "village")
_INSIDE = {"city": LEVELS, "district": LEVELS[1:], "town": LEVELS[2:]}
_COUNTS = ["covered", "stations", "outside_list", "posts", "posts_filled"]
_INDICATORS = {"town": ("town_stations", "town_coverage"), "village": ("village_rooms", "village_coverage")}


def rates(stations: pd.DataFrame, *, at: str, by: str = "district", denominators: pd.DataFrame) -> pd.DataFrame:
    """Coverage by level on one day.

    A unit is covered when at least one station of its level works in it: opened on or before the day, not closed by
    then (`closed` is the first day it no longer works). Coverage is covered units over units on the list, so two
    stations in one town count once and stations outside the list are counted apart.

    Args:
        stations: the `stations` table, of the same area as the list.
        at: a day (2023-12-31) or a quarter (2023Q4: its last day).
        by: "district", "city", or "town" (town stations and village rooms within each town).
        denominators: from `denominators`, or any list with columns level, unit, town, district, city and, if some
            units do not count, counts.

    Returns:
        One row a unit of `by` (a town with its name) and level: units, covered, coverage (0–1, missing where no unit
        counts), stations, outside_list, posts, posts_filled. `.attrs`: at, list, include, vintage, source.

    Raises:
        ParameterError: an unknown `by` or day.
        DataError: stations with faults (see `faults`), each named.
    """
    if by not in BY:
        raise ParameterError(f"coverage by {by!r}: {nearest(by, BY)}")
    found = faults(stations, denominators=denominators)
    if found:
        raise DataError(f"stations cannot be counted ({len(found)} faults)", found)
    return _count(stations, _day(at), by, _counted(denominators))


def over_time(
    stations: pd.DataFrame, *, quarters: Iterable[str], by: str = "district", denominators: pd.DataFrame
) -> pd.DataFrame:
    """Coverage at the end of each quarter, from opening and closing dates: `rates` with a `quarter` column in front.

    The list is the same in every quarter, so a change is a change of stations.
    """
    frames = []
    for quarter in quarters:
        frame = rates(stations, at=quarter, by=by, denominators=denominators)
        frame.insert(0, "quarter", quarter)
        frames.append(frame)
    history = pd.concat(frames, ignore_index=True)
    history.attrs = frames[-1].attrs
    return history


def working(stations: pd.DataFrame, *, at: str) -> pd.DataFrame:
    """The stations that work on a day: opened on or before it, and not closed by then."""
    day = _day(at)
    return stations[(stations["opened"] <= day) & (stations["closed"].isna() | (stations["closed"] > day))]


def faults(stations: pd.DataFrame, *, denominators: pd.DataFrame) -> tuple[Fault, ...]:
    """Every reason why stations cannot be counted: duplicate ids, dates out of order, codes that no list knows.

    Rows are named by station_id. Points are checked by `locate`.
    """
    known = {level: set(units["unit"]) for level, units in denominators.groupby("level")}
    districts = set(denominators["district"].dropna())
    duplicated = stations["station_id"].duplicated(keep=False)
    reversed_dates = stations["closed"] < stations["opened"]
    found = [
        *_each(stations[duplicated], "station_id", "an id stands once", "keep one row, or give each its own id"),
        *_each(stations[reversed_dates], "closed", "closed is not before opened", "correct one of the two dates"),
        *(_unknown_district(code) for code in stations["district"].drop_duplicates() if code not in districts),
    ]
    for level in ("town", "village"):
        rows = stations[(stations["level"] == level) & stations["district"].isin(districts)]
        unknown = rows[~rows[level].isin(known.get(level, set()))]
        found += _each(unknown, level, f"a {level} code of the list", "look the code up in the statistical list")
    return tuple(found)


def beside_published(
    facts: pd.DataFrame, lists: Sequence[pd.DataFrame], *, area: str, stations: pd.DataFrame | None = None
) -> pd.DataFrame:
    """A published count as published, beside the same count over each list that could have been meant.

    A published "full coverage" without a denominator is not comparable with a rate computed here. This table keeps
    the two apart: basis "published" carries the stated share and no units; every other row divides the published
    count by the units of one list (a ratio of counts, which can exceed 1, not a coverage).

    Args:
        facts: published facts (area, period, indicator, value, source) with town_stations and village_rooms.
        lists: results of `denominators`.
        area: the six-digit code whose facts are shown.
        stations: if given, `registered` counts the register's working stations of that level on the fact's day.

    Returns:
        level, period, basis, count, units, share, registered (missing without stations), source.

    Raises:
        DataError: the facts hold no station count of the area.
    """
    own = facts[facts["area"] == area].set_index("indicator")
    rows = []
    for level, (counted, stated) in _INDICATORS.items():
        if counted not in own.index:
            continue
        fact, count = own.loc[counted], float(own.loc[counted, "value"])
        share = float(own.loc[stated, "value"]) / 100 if stated in own.index else None
        registered = None if stations is None else _registered(stations, level, fact["period"])
        shared = {"level": level, "period": fact["period"], "count": count, "registered": registered}
        rows.append(shared | {"basis": "published", "share": share, "source": fact["source"]})
        for frame in lists:
            units = int((_counted(frame)["level"] == level).sum())
            computed = {"basis": frame.attrs["list"], "units": units, "share": count / units}
            rows.append(shared | computed | {"source": frame.attrs["vintage"]})
    if not rows:
        raise DataError(f"published facts hold no station count of {area}: add town_stations or village_rooms")
    columns = ["level", "period", "basis", "count", "units", "share", "registered", "source"]
    return pd.DataFrame(rows, columns=columns).astype({"units": "float64", "registered": "float64"})


def compare_siblings(history: pd.DataFrame, *, district: str, start: str) -> pd.DataFrame:
    """One district against the other districts of `history`, before and since a quarter.

    Coverage is pooled (covered units over units, quarters and siblings summed). A description, not an effect: the
    policy room estimates effects.

    Args:
        history: from `over_time(…, by="district")`.
        district: the district compared, such as a pilot.
        start: the first quarter that counts as since.

    Returns:
        level, group ("district", "siblings"), before, since, change.

    Raises:
        DataError: the district, or either side of `start`, is not in the history.
    """
    if district not in set(history["district"]):
        raise DataError(
            f"district {district!r} is not in the history: {nearest(district, history['district'].unique())}"
        )
    since = pd.PeriodIndex(history["quarter"], freq="Q") >= pd.Period(start, freq="Q")
    if since.all() or not since.any():
        raise DataError(f"start {start!r} has no quarter {'before' if since.all() else 'since'} it in the history")
    group = history["district"].eq(district).map({True: "district", False: "siblings"})
    side = pd.Series(since, history.index).map({True: "since", False: "before"})
    sums = history.groupby(["level", group.rename("group"), side.rename("side")])[["covered", "units"]].sum()
    wide = (sums["covered"] / sums["units"]).unstack("side")[["before", "since"]].reset_index()
    wide["level"] = pd.Categorical(wide["level"], LEVELS, ordered=True)
    wide = wide.sort_values(["level", "group"], ignore_index=True).astype({"level": "str"})
    wide.columns.name = None
    return wide.assign(change=wide["since"] - wide["before"])


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
        list=terms.text(f"coverage.list_{rates.attrs['list']}", language),
        vintage=rates.attrs["vintage"],
    )


def _count(stations: pd.DataFrame, day: pd.Timestamp, by: str, counted: pd.DataFrame) -> pd.DataFrame:
    levels = [level for level in _INSIDE[by] if level in set(counted["level"])]
    listed = counted[counted["level"].isin(levels)]
    units = listed.groupby([by, "level"]).size().rename("units")
    open_now = _with_unit(working(stations, at=str(day.date())), counted)
    open_now = open_now[open_now["level"].isin(levels)]
    inside = open_now["unit"].isin(set(listed["unit"]))
    keys = [open_now[by], open_now["level"]]
    table = pd.DataFrame(
        {
            "covered": open_now[inside].groupby([by, "level"])["unit"].nunique(),
            "stations": open_now.groupby(keys).size(),
            "outside_list": (~inside).groupby(keys).sum(),
            "posts": open_now.groupby(keys)["posts"].sum(),
            "posts_filled": open_now.groupby(keys)["posts_filled"].sum(),
        }
    )
    table = pd.concat([units, table], axis=1).rename_axis([by, "level"]).fillna(0).reset_index()
    whole = ["units", "covered", "stations", "outside_list"]
    table = table.astype(dict.fromkeys(whole, "int64"))
    table.insert(4, "coverage", _share(table))
    table["level"] = pd.Categorical(table["level"], LEVELS, ordered=True)
    table = table.sort_values([by, "level"], ignore_index=True).astype({"level": "str"})
    if by == "town" and "name" in counted:
        named = counted[counted["level"] == "town"].set_index("unit")["name"]
        table.insert(1, "name", table["town"].map(named))
    attrs = {name: counted.attrs.get(name) for name in ("list", "include", "vintage")}
    table.attrs = attrs | {"at": str(day.date()), "source": stations.attrs.get("source")}
    return table


def _with_unit(stations: pd.DataFrame, counted: pd.DataFrame) -> pd.DataFrame:
    """Each station with its city and the code of the unit that it covers at its own level."""
    city = counted.dropna(subset=["district"]).drop_duplicates("district").set_index("district")["city"]
    stations = stations.assign(city=stations["district"].map(city))
    unit = pd.Series(index=stations.index, dtype="str")
    for level in LEVELS:
        unit = unit.mask(stations["level"] == level, stations[level].astype("str"))
    return stations.assign(unit=unit)


def _counted(denominators: pd.DataFrame) -> pd.DataFrame:
    return denominators[denominators["counts"]] if "counts" in denominators else denominators


def _share(table: pd.DataFrame) -> pd.Series:
    return table["covered"] / table["units"].where(table["units"] > 0)


def _registered(stations: pd.DataFrame, level: str, day: str) -> int:
    return int((working(stations, at=day)["level"] == level).sum())


def _day(at: str) -> pd.Timestamp:
    try:
        return pd.Period(at, freq="Q").end_time.normalize() if "Q" in str(at) else pd.Timestamp(at).normalize()
    except ValueError as error:
        raise ParameterError(f"at {at!r}: not a day; write it as 2023-12-31 or 2023Q4") from error


def _each(rows: pd.DataFrame, column: str, rule: str, remedy: str) -> list[Fault]:
    pairs = zip(rows["station_id"], rows[column], strict=True)
    return [Fault("stations", str(row), column, _shown(value), rule, remedy) for row, value in pairs]


def _shown(value: object) -> object:
    if pd.isna(value):
        return None
    return str(value.date()) if isinstance(value, pd.Timestamp) else value


def _unknown_district(code: str) -> Fault:
    try:
        name = areas.get(code).name_zh
    except InstituteError as error:
        return Fault("stations", None, "district", code, "a district in force", str(error))
    rule = f"a district of the denominator list, which lacks {name}"
    return Fault("stations", None, "district", code, rule, "add its units to the list, or select the area's stations")
