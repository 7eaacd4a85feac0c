"""An area's network on a day: its stations fit to be counted, the list they are a share of, and where they stand."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from institute_lib import areas
from institute_lib.coverage.checks import faults, hosted
from institute_lib.coverage.counting import over_time, rates, works
from institute_lib.coverage.lists import denominators
from institute_lib.coverage.points import Located, locate
from institute_lib.errors import Fault
from institute_lib.result import Provenance, provenance_of

if TYPE_CHECKING:
    import geopandas as gpd


@dataclass(frozen=True, eq=False)
class Network:
    """What the analyses of coverage take.

    Attributes:
        area: a city, whose units are its districts, or a district, whose units are its towns.
        at: the day of its figures. quarter: the quarter of that day.
        by: "district" or "town".
        given: the stations as they were loaded; `stations` are those that can be counted.
        listed: the units that coverage is a share of, of the districts that reported.
        villages: places and residents; None where only coverage is wanted.
        uncounted: why stations cannot be counted.
        layout: "boundaries" or "tiles".
        reported: by quarter the districts that have reported it, where the stations are those of a history.
    """

    area: areas.Area
    at: str
    quarter: str
    by: str
    given: pd.DataFrame
    stations: pd.DataFrame
    listed: pd.DataFrame
    villages: pd.DataFrame | None
    uncounted: tuple[Fault, ...]
    layout: str
    provenance: Provenance
    reported: Mapping[str, Collection[str]]

    @cached_property
    def boundaries(self) -> "gpd.GeoDataFrame":
        """The polygons of the area's districts."""
        return areas.boundaries(self.area.code)

    @cached_property
    def everywhere(self) -> Located:
        """Every station that was ever opened, with its point; those that cannot be placed are among its faults."""
        return self._located(self.given)

    def located(self, *levels: str) -> Located:
        """The stations of some levels that work on the day, with their points."""
        of_level = self.given["level"].isin(levels) & works(self.given, at=self.at)
        return self._located(self.given[of_level])

    def _located(self, rows: pd.DataFrame) -> Located:
        return locate(rows, boundaries=self.boundaries, on_fault="leave_out", uncounted=self.uncounted)

    @cached_property
    def halls(self) -> Located:
        """The stations of towns and above: what residents travel to."""
        return self.located("city", "district", "town")

    @property
    def placed(self) -> bool:
        """Whether any of these can be placed, or there is none: else nothing is known of who can reach a station."""
        return len(self.halls.points) > 0 or not self.halls.given

    @cached_property
    def people(self) -> Located:
        """The villages with their residents and the names of their towns."""
        found = locate(self.villages, identifier="village", boundaries=self.boundaries, on_fault="leave_out")
        named = found.points.merge(areas.towns(self.area.code)[["town", "name"]], on="town")
        return Located(named, found.faults, found.given, found.warnings)

    @cached_property
    def shapes(self) -> "gpd.GeoDataFrame":
        """The shapes of the units, as the layout has them; towns are tiles where places are invented."""
        if self.by == "district":
            return areas.regions(self.boundaries, layout=self.layout)
        invented = (self.given["point_kind"] == "illustrative").any()
        return areas.regions(self.boundaries, self.people.points, layout="tiles" if invented else self.layout)

    @cached_property
    def by_level(self) -> pd.DataFrame:
        """Coverage of each level of the whole area."""
        return self._counted("city" if self.by == "district" else "district")

    @cached_property
    def by_unit(self) -> pd.DataFrame:
        """Coverage of each unit and level."""
        return self._counted(self.by)

    def _counted(self, by: str) -> pd.DataFrame:
        """`rates` on the day, with unstaffed (stations that have nobody in post), staffed (units with a station that
        has somebody), covered_last_quarter and covered_last_year."""
        keys, options = [by, "level"], {"by": by, "denominators": self.listed}
        quarter = pd.Period(self.quarter, freq="Q")
        earlier = {"covered_last_quarter": str(quarter - 1), "covered_last_year": str(quarter - 4)}
        every = over_time(self.stations, quarters=[*earlier.values(), self.at], **options)
        days = {day: rows.drop(columns="quarter").set_index(keys) for day, rows in every.groupby("quarter")}
        frame, empty = days[self.at], self.stations["posts_filled"] == 0
        for name, rows, column in (
            ("unstaffed", rates(self.stations[empty], at=self.at, **options).set_index(keys), "stations"),
            ("staffed", rates(self.stations[~empty], at=self.at, **options).set_index(keys), "covered"),
            *((name, days[day], "covered") for name, day in earlier.items()),
        ):
            frame[name] = rows[column].reindex(frame.index).fillna(0)
        frame = frame.reset_index()
        frame.attrs = every.attrs
        return frame

    @property
    def whole(self) -> str:
        """The key of the whole area's row: "total" of a city, the code of a district."""
        return "total" if self.by == "district" else self.area.code


def network(
    stations: pd.DataFrame,
    villages: pd.DataFrame | None = None,
    *,
    area: str,
    at: str,
    include: Iterable[str] = (),
    layout: str = "boundaries",
) -> Network:
    """The network of a city or a district on a day.

    A station that cannot be counted (see `faults`) is left out, and named by `left_out`.

    Args:
        stations: the `stations` table of the districts that reported; with `.attrs["reported"]` (see `Study.load`) of
            those that reported any of its quarters, for `history`.
        villages: the `village_population` table, for maps, access and siting.
        area: a city or a district, by code or name.
        at: a day. include: what counts beside the legal units, as for `denominators`.
        layout: "boundaries", or "tiles" where no boundary may be shown.

    Raises:
        ParameterError: an unknown area, layout or part of a list. DataError: a column is missing.
    """
    place = areas.get(area)
    absent = set(provenance_of(stations).absent)
    members = {one.code for one in areas.districts(place.code)}
    past = stations.attrs.get("reported", {})
    reported = members & {code for codes in past.values() for code in codes} if past else members - absent or members
    listed = denominators(place.code, include=include)
    attrs = listed.attrs
    listed = listed[listed["district"].isin(reported) | listed["district"].isna()]
    listed.attrs = attrs
    here = stations[hosted(stations)["district"].isin(reported)].reset_index(drop=True)
    found = faults(here, denominators=listed)
    fit = here[~here["station_id"].isin([one.row for one in found])].reset_index(drop=True)
    shown = None if villages is None else villages[villages["district"].isin(reported)].reset_index(drop=True)
    return Network(
        area=place,
        at=at,
        quarter=str(pd.Timestamp(at).to_period("Q")),
        by="district" if place.level == "city" else "town",
        given=here,
        stations=fit,
        listed=listed,
        villages=shown,
        uncounted=found,
        layout=layout,
        provenance=provenance_of(stations),
        reported=past,
    )
