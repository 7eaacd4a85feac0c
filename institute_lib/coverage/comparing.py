"""A published count beside each list it could mean, access under one choice beside others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from institute_lib.coverage.catchment import DECAYS, Access, access
from institute_lib.coverage.counting import working
from institute_lib.coverage.inequality import equity
from institute_lib.coverage.lists import counted_units
from institute_lib.errors import DataError

if TYPE_CHECKING:
    import geopandas as gpd

_INDICATORS = {"town": ("town_stations", "town_coverage"), "village": ("village_rooms", "village_coverage")}


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
            units = int((counted_units(frame)["level"] == level).sum())
            computed = {"basis": frame.attrs["list"], "units": units, "share": count / units}
            rows.append(shared | computed | {"source": frame.attrs["vintage"]})
    if not rows:
        raise DataError(f"published facts hold no station count of {area}: add town_stations or village_rooms")
    columns = ["level", "period", "basis", "count", "units", "share", "registered", "source"]
    return pd.DataFrame(rows, columns=columns).astype({"units": "float64", "registered": "float64"})


def access_choices(
    demand: "gpd.GeoDataFrame",
    supply: "gpd.GeoDataFrame",
    *,
    catchments_m: Sequence[float],
    decays: Sequence[str] = DECAYS,
    **columns: str,
) -> pd.DataFrame:
    """Access under other choices of decay and reach, to see how far its findings rest on them.

    Args:
        demand, supply, columns: as for `access` (people=, capacity=).

    Returns:
        decay, catchment_m, access (mean per 10,000 people), without (share out of reach), gini (over demand points;
        missing where nobody reaches anything).

    Raises:
        ParameterError, DataError: as `access`.
    """
    rows = []
    for decay in decays:
        for catchment_m in catchments_m:
            scores = access(demand, supply, catchment_m=catchment_m, decay=decay, **columns)
            people = columns.get("people", "population")
            found = Access(scores, people)
            uneven = float("nan")
            if (scores["access"] > 0).any():
                uneven = equity(pd.DataFrame(scores[["access", people]]), value="access", weight=people).gini
            rows.append((decay, catchment_m, found.mean, found.without, uneven))
    return pd.DataFrame(rows, columns=["decay", "catchment_m", "access", "without", "gini"])


def _registered(stations: pd.DataFrame, level: str, day: str) -> int:
    return int((working(stations, at=day)["level"] == level).sum())
