"""Coverage: the share of the units on a stated list that have a working station, by level, district and date."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.coverage.checks import LEVELS, faults, hosted, with_dates
from institute_lib.coverage.lists import counted_units, list_for
from institute_lib.errors import DataError, ParameterError, nearest

BY = ("city", "district", "town")
_POSTS = ["posts", "posts_filled"]
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
    _day(at)
    stations, denominators = _checked(stations, by, denominators)
    return _count(stations, [at], by, denominators).drop(columns="quarter")


def over_time(
    stations: pd.DataFrame, *, quarters: Iterable[str], by: str = "district", denominators: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Coverage at the end of each quarter, from opening and closing dates: `rates` with a `quarter` column in front.

    The list is the same in every quarter, so a change is a change of stations.

    Raises:
        ParameterError: no quarter, and as `rates`. DataError: as `rates`.
    """
    days = list(dict.fromkeys(quarters))
    if not [_day(quarter) for quarter in days]:
        raise ParameterError("coverage over time: no quarter is given; name at least one, such as 2023Q4")
    stations, denominators = _checked(stations, by, denominators)
    return _count(stations, days, by, denominators)


def working(stations: pd.DataFrame, *, at: str) -> pd.DataFrame:
    """The stations that work on a day: opened on or before it, and not closed by then."""
    stations = with_dates(stations)
    return stations[works(stations, at=at)]


def works(stations: pd.DataFrame, *, at: str) -> np.ndarray:
    """Which stations work on a day, one truth value each."""
    dated, day = with_dates(stations), _day(at).to_datetime64()
    return (dated["opened"].to_numpy() <= day) & ~(dated["closed"].to_numpy() <= day)


def denominator(rates: pd.DataFrame, language: str = "zh") -> str:
    """Which list a coverage is a share of, in words: its name and its year, or that it is the caller's own."""
    name, vintage = rates.attrs.get("list"), rates.attrs.get("vintage")
    if name is None:
        return terms.text("coverage.list_own", language)
    listed = terms.text(f"labels.basis_{name}", language)
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


def _count(stations: pd.DataFrame, days: list[str], by: str, denominators: pd.DataFrame) -> pd.DataFrame:
    """Coverage on each of some days."""
    counted = counted_units(denominators)
    levels = [level for level in _INSIDE[by] if level in set(counted["level"].unique())]
    listed = counted[counted["level"].isin(levels)].drop_duplicates([by, "level", "unit"])
    placed = _placed(stations[stations["level"].isin(levels)], denominators)
    both = pd.concat([frame[[by, "level", "unit"]] for frame in (listed, placed)], ignore_index=True)
    grouped = both.groupby([by, pd.Categorical(both["level"], LEVELS, ordered=True)], observed=True)
    group, unit, n = grouped.ngroup().to_numpy(), pd.factorize(both["unit"])[0], len(listed)
    names = grouped[["level"]].first().reset_index(by)
    units = np.bincount(group[:n][group[:n] >= 0], minlength=len(names))
    posts = placed[_POSTS].fillna(0).to_numpy(float)
    tally = _Placed(placed, posts, group[n:], unit[n:], np.isin(unit[n:], unit[:n]), len(names))
    frames = [names.assign(quarter=day, units=units, **tally.on(day)) for day in days]
    table = pd.concat(frames, ignore_index=True)
    table = table[(table["units"] > 0) | (table["stations"] > 0)].reset_index(drop=True)
    columns = ["quarter", by, "level", "units", "covered", "coverage", "stations", "outside_list", *_POSTS]
    table = table.assign(coverage=_share(table))[columns].astype({"quarter": "str", "level": "str"})
    if by == "town" and "name" in denominators:
        named = denominators[denominators["level"] == "town"].drop_duplicates("unit").set_index("unit")["name"]
        table.insert(2, "name", table["town"].map(named))
    attrs = {name: denominators.attrs.get(name) for name in ("list", "include", "vintage")}
    table.attrs = attrs | {"at": str(_day(days[-1]).date()), "source": stations.attrs.get("source")}
    return table


@dataclass(frozen=True)
class _Placed:
    """Stations with the number of their group (−1: none) and of their unit, and whether that unit is on the list."""

    stations: pd.DataFrame
    posts: np.ndarray
    group: np.ndarray
    unit: np.ndarray
    inside: np.ndarray
    groups: int

    def on(self, day: str) -> dict[str, np.ndarray]:
        """What works in each group on a day."""
        of = works(self.stations, at=day) & (self.group >= 0)
        units = int(self.unit.max(initial=0)) + 1
        covered = np.unique((self.group * units + self.unit)[of & self.inside]) // units
        sums = {
            "covered": self._sum(covered),
            "stations": self._sum(self.group[of]),
            "outside_list": self._sum(self.group[of & ~self.inside]),
        }
        posts = (self._sum(self.group[of], column[of]).astype("float64") for column in self.posts.T)
        return sums | dict(zip(_POSTS, posts, strict=True))

    def _sum(self, group: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(group, weights, minlength=self.groups)


def _placed(stations: pd.DataFrame, denominators: pd.DataFrame) -> pd.DataFrame:
    """Each station with the unit that it covers at its own level, and with that unit's town, district and city."""
    known = denominators.dropna(subset=["district"]).drop_duplicates("district")
    city = dict(zip(known["district"], known["city"], strict=True))
    villages = denominators[denominators["level"] == "village"].drop_duplicates("unit")
    place = pd.Index(villages["unit"]).get_indexer(stations["village"])
    level, towns = stations["level"].to_numpy(object), np.append(villages["town"].to_numpy(object), None)
    placed = stations.assign(city=[city.get(code) for code in stations["district"]])
    placed["town"] = np.where(level == "village", towns[place], stations["town"].to_numpy(object))
    own = [placed[name].astype("str").to_numpy(object) for name in LEVELS]
    return placed.assign(unit=np.select([level == name for name in LEVELS], own, None))


def _share(table: pd.DataFrame) -> pd.Series:
    return table["covered"] / table["units"].where(table["units"] > 0)


def _day(at: str) -> pd.Timestamp:
    try:
        return pd.Period(at, freq="Q").end_time.normalize() if "Q" in str(at) else pd.Timestamp(at).normalize()
    except ValueError as error:
        raise ParameterError(f"at {at!r}: not a day; write it as 2023-12-31 or 2023Q4") from error
