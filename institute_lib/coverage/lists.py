"""Denominators: which units a coverage rate is a share of.

"All towns and villages are covered" means nothing without the list behind it. The statistical list counts, beside
subdistricts, towns and their committees, zones and farms treated as towns (town code 4xx, 5xx) and their virtual
communities (village code 4xx, 5xx). Whether those count is the caller's decision, and travels with every rate.
"""

from collections.abc import Iterable

import pandas as pd

from institute_lib import areas
from institute_lib.coverage.checks import hosted, require_columns
from institute_lib.errors import DataError, InstituteError, ParameterError, nearest

# What may be added to the legal units, and the name of each resulting list.
EXTRAS = ("zones", "virtual")
LISTS = {
    frozenset(): "legal",
    frozenset({"zones"}): "committees",
    frozenset({"virtual"}): "legal_and_virtual",
    frozenset({"zones", "virtual"}): "all",
}
VINTAGE = "2023"
_LIKE = ("4", "5")


def denominators(parent: str, *, include: Iterable[str] = ()) -> pd.DataFrame:
    """The units that a coverage rate of one area is a share of, at each of the four levels.

    Args:
        parent: a city or a district, by code or name.
        include: what counts beside the legal units (subdistricts, towns, townships; residents' and villagers'
            committees): "zones" adds town-like zones and farms with their committees, "virtual" adds the virtual
            communities of the statistical list.

    Returns:
        One row a known unit: level, unit, name, town, district (host), city, counts (bool: in this denominator).
        Units that do not count stay in the frame, so that a station outside the list is told from an unknown code.
        `.attrs`: list (a value of `LISTS`), include, vintage.

    Raises:
        ParameterError: an unknown area, or an unknown word in `include`.
    """
    extras = frozenset([include] if isinstance(include, str) else include)
    for word in extras - set(EXTRAS):
        raise ParameterError(f"denominators include {word!r}: {nearest(word, EXTRAS)}")
    place = areas.get(parent)
    frame = pd.concat([_upper_units(place), _towns(place, extras), _villages(place, extras)], ignore_index=True)
    frame["city"] = frame["district"].map({code: areas.city_of(code) for code in frame["district"].unique()})
    frame.loc[frame["level"] == "city", "district"] = None
    frame.attrs = {"list": LISTS[extras], "include": tuple(sorted(extras)), "vintage": VINTAGE}
    return frame


def list_for(stations: pd.DataFrame) -> pd.DataFrame:
    """The legal list of every city that stations stand in, for those who name no list.

    Raises:
        DataError: no station stands in a city whose list is here.
    """
    require_columns(stations, ("district",), "stations")
    cities = sorted({_city(code) for code in hosted(stations)["district"].dropna().unique()} - {""})
    if not cities:
        raise DataError("stations: none stands in a district in force; pass denominators=")
    frames = [denominators(city) for city in cities]
    listed = pd.concat(frames, ignore_index=True)
    listed.attrs = frames[0].attrs
    return listed


def counted_units(denominators: pd.DataFrame) -> pd.DataFrame:
    """The units of a list that count; all of them where it does not say."""
    return denominators[denominators["counts"].astype(bool)] if "counts" in denominators else denominators


def _city(code: str) -> str:
    try:
        return areas.city_of(code)
    except InstituteError:  # an abolished or unknown district: `faults` names its stations
        return ""


def _upper_units(place: "areas.Area") -> pd.DataFrame:
    districts = (place,) if place.level == "district" else areas.districts(place.code)
    rows = [("district", area.code, area.name_zh, area.code) for area in districts]
    if place.level == "city":
        rows.insert(0, ("city", place.code, place.name_zh, districts[0].code))
    return pd.DataFrame(rows, columns=["level", "unit", "name", "district"]).assign(town=None, counts=True)


def _towns(place: "areas.Area", extras: frozenset[str]) -> pd.DataFrame:
    towns = areas.towns(place.code)
    return pd.DataFrame(
        {
            "level": "town",
            "unit": towns["town"],
            "name": towns["name"],
            "town": towns["town"],
            "district": towns["host"],
            "counts": _counted_towns(towns["town"], extras),
        }
    )


def _villages(place: "areas.Area", extras: frozenset[str]) -> pd.DataFrame:
    villages = areas.villages(place.code)
    committees = ~villages["village"].str[9].isin(_LIKE)
    return pd.DataFrame(
        {
            "level": "village",
            "unit": villages["village"],
            "name": villages["name"],
            "town": villages["town"],
            "district": villages["host"],
            "counts": _counted_towns(villages["town"], extras) & (committees | ("virtual" in extras)),
        }
    )


def _counted_towns(codes: pd.Series, extras: frozenset[str]) -> pd.Series:
    return ~codes.str[6].isin(_LIKE) | ("zones" in extras)
