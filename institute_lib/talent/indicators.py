"""Nantong's own figures under the names of the published indicators, from its registers."""

import pandas as pd

from institute_lib import areas, coverage
from institute_lib.talent.yardstick import HERE

TITLES = {
    "national_leading_talents": "leading_national",
    "provincial_leading_talents": "leading_provincial",
    "most_admired_social_workers": "most_admired",
    "city_award_holders": "city_award",
    "trainee_supervisors": "supervisor_trainee",
    "lecturers": "lecturer",
}


def register_indicators(
    *,
    exams: pd.DataFrame,
    stations: pd.DataFrame,
    workers: pd.DataFrame,
    talent: pd.DataFrame,
    at: str,
    services: pd.DataFrame | None = None,
    procurement: pd.DataFrame | None = None,
) -> dict[str, float]:
    """Nantong's own figures by indicator, as of a day.

    Args:
        exams, stations, workers, talent: the contract's tables, of any area; only Nantong's rows count.
        services, procurement: likewise; without them their indicators are left out.
        at: an ISO day.

    Returns:
        indicator to figure: counts, yuan, and percent for coverage and the three-year outcome.
    """
    day = pd.Timestamp(at)
    exams, stations, workers, talent = (_here(frame) for frame in (exams, stations, workers, talent))
    passed = exams[exams["passed"].astype(bool) & (exams["exam_date"] <= day)]
    standing = stations[(stations["opened"] <= day) & (stations["closed"].isna() | (stations["closed"] > day))]
    employed = workers[(workers["entered"] <= day) & (workers["left"].isna() | (workers["left"] > day))]
    held = talent[talent["awarded"] <= day].drop_duplicates(["person_id", "title"])["title"].value_counts()
    found = {
        "exam_passed_cumulative": float(len(passed)),
        "town_stations": float((standing["level"] == "town").sum()),
        "village_rooms": float((standing["level"] == "village").sum()),
        "drug_social_workers": float(employed.loc[employed["kind"] == "drug", "worker_id"].nunique()),
    } | {indicator: float(held.get(title, 0)) for indicator, title in TITLES.items()}
    if {"station_id", "town", "village"} <= set(stations):
        found |= _coverage(stations, at)
    if services is not None:
        found |= _services(_here(services), at)
    if procurement is not None:
        bought = _here(procurement)
        found["procurement_cumulative"] = float(bought.loc[bought["signed"] <= day, "amount"].sum())
    return found


def _here(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["district"].isin([area.code for area in areas.districts(HERE)])]


def _coverage(stations: pd.DataFrame, at: str) -> dict[str, float]:
    rates = coverage.rates(stations, at=at, by="district", denominators=coverage.denominators(HERE, include=["zones"]))
    sums = rates.groupby("level", observed=True)[["covered", "units"]].sum()
    return {
        f"{level}_coverage": 100 * float(sums.loc[level, "covered"] / sums.loc[level, "units"])
        for level in ("town", "village")
        if level in sums.index and sums.loc[level, "units"] > 0
    }


def _services(services: pd.DataFrame, at: str) -> dict[str, float]:
    """Schools covered and the three-year outcome of the last quarter that had ended by the day."""
    day = pd.Timestamp(at) + pd.Timedelta(days=1)
    known = services[services["quarter"] < f"{day.year}Q{day.quarter}"]
    now = known[known["quarter"] == known["quarter"].max()]
    school, drug = (now[now["field"] == field] for field in ("school", "drug"))
    found = {}
    if "schools_covered" in school and school["schools_covered"].notna().any():
        found["school_social_work_schools"] = float(school["schools_covered"].sum())
    if drug["outcome_denominator"].sum() > 0:
        rate = drug["outcome_numerator"].sum() / drug["outcome_denominator"].sum()
        found["drug_three_year_non_relapse"] = 100 * float(rate)
    return found
