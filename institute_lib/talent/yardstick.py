"""Nantong beside Suzhou: every published indicator, each figure with its source, its status and as the bound it is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from institute_lib import areas, terms
from institute_lib.errors import DataError
from institute_lib.results import Result
from institute_lib.talent.checks import require

HERE, THERE = "320600", "320500"
UNITS = ("person", "station", "room", "school", "branch", "yuan", "percent")
EXACT = "exact"


@dataclass(frozen=True)
class Yardstick(Result):
    """One row an indicator that Suzhou or Nantong has published.

    `frame`: indicator, unit; for `here` (Nantong) and `there` (Suzhou) each value, bound, period, status, source and
    per_10000 (persons and places by residents of the 2020 census); gap (there - here), years_behind, comparable.
    Statuses: "published", "register", "demo" or "unpublished". Gap and years stand only where both are published and
    exact.
    """

    frame: pd.DataFrame
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def shown(self, language: str = "zh") -> pd.DataFrame:
        """The table in words: indicator, both figures as bounds with their status, gap, years behind."""
        rows = [
            {
                "indicator": _label(row["indicator"], language),
                "here": _in_words(row, "here", language),
                "there": _in_words(row, "there", language),
                "gap": _gap_in_words(row, language),
                "years_behind": terms.number(row["years_behind"], language, 1),
                "source": "; ".join(dict.fromkeys(filter(None, (row["here_source"], row["there_source"])))),
            }
            for row in self.frame.to_dict("records")
        ]
        return pd.DataFrame(rows)

    def summary(self, language: str = "zh") -> str:
        """One sentence: how many indicators can be compared, and the gap in passes."""
        compared = self.frame[self.frame["comparable"]]
        if compared.empty:
            return terms.text("talent.yardstick_none", language, indicators=len(self.frame))
        first = compared.iloc[0]
        return terms.text(
            "talent.yardstick",
            language,
            indicators=len(self.frame),
            compared=len(compared),
            indicator=_label(first["indicator"], language),
            here=terms.number(first["here_value"], language),
            there=terms.number(first["there_value"], language),
        )


def yardstick(
    published: pd.DataFrame,
    *,
    registers: Mapping[str, float] | None = None,
    demo: bool = True,
    population: pd.DataFrame | None = None,
) -> Yardstick:
    """Nantong's figures beside Suzhou's.

    Args:
        published: `areas.reference("published_facts")`: area, period, indicator, value, bound, unit, source, status.
        registers: Nantong's own figures by indicator (`register_indicators`), for what is not published.
        demo: whether those come from the demo registers; then they are shown as such and compared with nothing.
        population: `areas.population()`: code, population by district; None leaves the figures per 10,000 out.

    Years behind are log(there / here) / log(1 + growth), with Nantong's published growth of the same indicator.

    Raises:
        DataError: a column is missing, or a value is not a number.
    """
    columns = ("area", "period", "indicator", "value", "bound", "unit", "source", "status")
    require(published, columns, table="published_facts")
    facts = published[published["area"].isin([HERE, THERE])]
    if not pd.api.types.is_numeric_dtype(facts["value"]):
        raise DataError("published_facts: `value` is text; load it with areas.reference('published_facts')")
    growth = _growth(facts)
    counted = facts[facts["unit"].isin(UNITS) & ~facts["indicator"].str.endswith("_growth")]
    residents = {} if population is None else _residents(population)
    own = {name: value for name, value in (registers or {}).items() if value is not None and not pd.isna(value)}
    rows = []
    for indicator in dict.fromkeys(counted["indicator"]):
        found = counted[counted["indicator"] == indicator].set_index("area")
        row = {"indicator": indicator, "unit": found["unit"].iloc[0]}
        row |= _side("here", found, HERE, own.get(indicator), demo) | _side("there", found, THERE, None, demo)
        row |= _per_10000(row, residents)
        rows.append(row | _comparison(row, growth.get(indicator)))
    frame = pd.DataFrame(rows)
    order = frame.sort_values("comparable", ascending=False, kind="stable")
    return Yardstick(order.reset_index(drop=True))


def register_indicators(
    *, exams: pd.DataFrame, stations: pd.DataFrame, workers: pd.DataFrame, talent: pd.DataFrame, at: str
) -> dict[str, float]:
    """Nantong's own figures under the published indicators' names, as of a day, from its registers."""
    day = pd.Timestamp(at)
    here = {area.code for area in areas.districts(HERE)}
    exams, stations, workers, talent = (
        frame[frame["district"].isin(here)] for frame in (exams, stations, workers, talent)
    )
    passed = exams[exams["passed"].astype(bool) & (exams["exam_date"] <= day)]
    standing = stations[(stations["opened"] <= day) & (stations["closed"].isna() | (stations["closed"] > day))]
    employed = workers[(workers["entered"] <= day) & (workers["left"].isna() | (workers["left"] > day))]
    held = talent[talent["awarded"] <= day].drop_duplicates(["person_id", "title"])["title"].value_counts()
    titles = {
        "national_leading_talents": "leading_national",
        "provincial_leading_talents": "leading_provincial",
        "most_admired_social_workers": "most_admired",
        "city_award_holders": "city_award",
        "trainee_supervisors": "supervisor_trainee",
        "lecturers": "lecturer",
    }
    return {
        "exam_passed_cumulative": float(len(passed)),
        "town_stations": float((standing["level"] == "town").sum()),
        "village_rooms": float((standing["level"] == "village").sum()),
        "drug_social_workers": float(employed.loc[employed["kind"] == "drug", "worker_id"].nunique()),
    } | {indicator: float(held.get(title, 0)) for indicator, title in titles.items()}


def _growth(facts: pd.DataFrame) -> dict[str, float]:
    """Nantong's published yearly growth by indicator, as a share."""
    own = facts[(facts["area"] == HERE) & facts["indicator"].str.endswith("_growth") & (facts["unit"] == "percent")]
    return dict(zip(own["indicator"].str.removesuffix("_growth"), own["value"] / 100, strict=True))


def _residents(population: pd.DataFrame) -> dict[str, float]:
    cities = population["code"].map(areas.city_of)
    return population.groupby(cities)["population"].sum().to_dict()


def _label(indicator: str, language: str) -> str:
    key = f"indicator_{indicator}"
    return terms.text(f"talent.{key}", language) if key in terms.catalogue("talent") else indicator


def _side(side: str, found: pd.DataFrame, area: str, own: float | None, demo: bool) -> dict[str, object]:
    if area in found.index:
        fact = found.loc[area]
        values = (fact["value"], fact["bound"], fact["period"], fact["status"], fact["source"])
    elif own is not None:
        values = (own, EXACT, "", "demo" if demo else "register", "")
    else:
        values = (float("nan"), "missing", "", "unpublished", "")
    return {f"{side}_{name}": value for name, value in zip(_PARTS, values, strict=True)}


_PARTS = ("value", "bound", "period", "status", "source")


def _per_10000(row: Mapping[str, object], residents: Mapping[str, float]) -> dict[str, float]:
    counted = row["unit"] not in ("percent", "yuan")
    return {
        f"{side}_per_10000": 10_000 * row[f"{side}_value"] / residents[area]
        if counted and area in residents
        else float("nan")
        for side, area in (("here", HERE), ("there", THERE))
    }


def _comparison(row: Mapping[str, object], growth: float | None) -> dict[str, object]:
    here, there = row["here_value"], row["there_value"]
    comparable = all(
        row[f"{side}_status"] == "published" and row[f"{side}_bound"] == EXACT for side in ("here", "there")
    )
    gap = there - here if comparable else float("nan")
    known = comparable and growth and growth > 0 and here > 0 and there > here
    years = math.log(there / here) / math.log1p(growth) if known else float("nan")
    return {"gap": gap, "years_behind": years, "comparable": comparable}


def _in_words(row: Mapping[str, object], side: str, language: str) -> str:
    status = row[f"{side}_status"]
    if status == "unpublished":
        return terms.text("talent.unpublished", language)
    value = row[f"{side}_value"]
    written = f"{terms.number(value, language)}%" if row["unit"] == "percent" else terms.number(value, language)
    stated = areas.stated(written, row[f"{side}_bound"], language)
    return stated if status == "published" else terms.text(f"talent.status_{status}", language, value=stated)


def _gap_in_words(row: Mapping[str, object], language: str) -> str:
    if row["comparable"]:
        return terms.number(row["gap"], language)
    demo = row["here_status"] == "demo"
    return terms.text("talent.not_compared_demo" if demo else "talent.not_compared", language)
