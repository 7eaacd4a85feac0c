"""Nantong beside Suzhou: every published indicator, each figure with its source, date, status and as its bound."""

import math
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from institute_lib import areas, terms
from institute_lib.errors import DataError
from institute_lib.result import Measure, Result, provenance_of
from institute_lib.talent.checks import not_numbers, refuse, require

HERE, THERE = "320600", "320500"
COLUMNS = ("area", "period", "indicator", "value", "bound", "unit", "source", "status")
NOT_COMPARED = ("event",)  # that something happened, which is no quantity
EXACT = "exact"
GROWTH = "_growth"


def yardstick(published: pd.DataFrame) -> pd.DataFrame:
    """Nantong's figures beside Suzhou's, where both have published an exact one in the same unit.

    Years behind are log(there / here) / log(1 + growth), with Nantong's published growth of the same indicator, if it
    is exact: how long its yearly pace takes to bring it where Suzhou is.

    Args:
        published: `areas.reference("published_facts")`: area, period, indicator, value, bound, unit, source, status.
            Of several periods of one indicator the last that both cities have is taken, else each city's last.

    Returns:
        indicator, here_value, here_period, there_value, there_period, gap (there less here), years_behind.

    Raises:
        DataError: a column is missing, or a value is not a number (named with its row).
    """
    _check(published)
    facts = published[published["area"].isin([HERE, THERE]) & ~published["unit"].isin(NOT_COMPARED)]
    growth = _growth(facts)
    rows = []
    for indicator, of_one in facts.groupby("indicator", sort=False):
        found = _latest(of_one)
        sides = list(found.values())
        if len(found) < 2 or len({one["unit"] for one in sides}) > 1 or any(one["bound"] != EXACT for one in sides):
            continue
        here, there = (found[area] for area in (HERE, THERE))
        pace = growth.get(str(indicator), 0.0)
        reachable = pace > 0 and 0 < here["value"] < there["value"]
        rows.append(
            {
                "indicator": indicator,
                "here_value": here["value"],
                "here_period": here["period"],
                "there_value": there["value"],
                "there_period": there["period"],
                "gap": there["value"] - here["value"],
                "years_behind": math.log(there["value"] / here["value"]) / math.log1p(pace) if reachable else math.nan,
            }
        )
    columns = ["indicator", "here_value", "here_period", "there_value", "there_period", "gap", "years_behind"]
    return pd.DataFrame(rows, columns=columns)


def published_figures(published: pd.DataFrame, language: str = "zh") -> pd.DataFrame:
    """Every published figure in words, as the bound it is.

    Returns:
        area, period, indicator, stated (empty for an event), source: one row a row of `published`.

    Raises:
        DataError: as `yardstick`.
    """
    _check(published)
    rows = [
        {
            "area": row["area"],
            "period": period_words(row["period"], language),
            "indicator": terms.label(row["indicator"], language, column="indicator"),
            "stated": "" if row["unit"] in NOT_COMPARED else stated(row, language),
            "source": row["source"],
        }
        for row in published.to_dict("records")
    ]
    return pd.DataFrame(rows, columns=["area", "period", "indicator", "stated", "source"])


def _check(published: pd.DataFrame) -> None:
    require(published, COLUMNS, table="published_facts")
    if not pd.api.types.is_numeric_dtype(published["value"]):
        numbers = not_numbers(published, ("value",), table="published_facts")
        refuse("published_facts", numbers)
        raise DataError("published_facts: `value` is text; load it with areas.reference('published_facts')")
    refuse("published_facts", not_numbers(published, ("value",), table="published_facts"))


def _latest(facts: pd.DataFrame) -> dict[str, dict]:
    """Of each city the row to show: the last period that both have, else its own last."""
    periods = {area: set(rows["period"]) for area, rows in facts.groupby("area")}
    shared = set.intersection(*periods.values()) if len(periods) > 1 else set()
    found = {}
    for area, rows in facts.groupby("area"):
        chosen = rows[rows["period"].isin(shared)] if shared else rows
        found[str(area)] = max(chosen.to_dict("records"), key=lambda row: _day(row["period"]))
    return found


def _day(period: str) -> str:
    """The day up to which a period such as 2024, to 2024 or 2023-12-31 runs, as text that sorts."""
    found = re.search(r"\d{4}(-\d{2}(-\d{2})?)?", str(period))
    return (found.group() if found else "").ljust(10, "9")


def _growth(facts: pd.DataFrame) -> dict[str, float]:
    """Nantong's published yearly growth by indicator, as a share; the last one where there are several."""
    own = facts[(facts["area"] == HERE) & facts["indicator"].str.endswith(GROWTH) & (facts["unit"] == "percent")]
    own = own[own["bound"] == EXACT].sort_values("period", key=lambda column: column.map(_day))
    return dict(zip(own["indicator"].str.removesuffix(GROWTH), own["value"] / 100, strict=True))


def _residents(population: pd.DataFrame) -> dict[str, float]:
    cities = population["code"].map(areas.city_of)
    return population.groupby(cities)["population"].sum().to_dict()


def period_words(period: str, language: str) -> str:
    """A period in words: 2024, to 2024, 2023-12-31."""
    text = str(period)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return terms.date(text, language)
    found = re.fullmatch(r"(to )?(\d{4})", text)
    if not found:
        return text
    return terms.text("talent.period_to" if found[1] else "talent.period_year", language, year=found[2])


def stated(row: Mapping[str, object], language: str) -> str:
    """A published figure as the bound it is: nearly 20,000 and never 20,000."""
    value = float(row["value"])
    written = terms.number(value, language, 0 if value.is_integer() else 1)
    return areas.stated(f"{written}%" if row["unit"] == "percent" else written, row["bound"], language)


# Nantong's own figures under the names of the published indicators, from its registers.

RANKS = {
    "national_leading_talents": "leading_national",
    "provincial_leading_talents": "leading_provincial",
    "most_admired_social_workers": "most_admired",
    "city_award_holders": "city_award",
    "trainee_supervisors": "supervisor_trainee",
    "lecturers": "lecturer",
}


def register_indicators(registers: Mapping[str, pd.DataFrame], *, at: str) -> dict[str, tuple[float, str]]:
    """Nantong's own figures by indicator, as of a day, each with the table that it comes from.

    Args:
        registers: any of the contract's tables exams, stations, workers, talent, services and procurement, by name, of
            any area; only Nantong's rows count, and a table that is not there gives no figure.
        at: an ISO day.
    """
    codes, day = [area.code for area in areas.districts(HERE)], pd.Timestamp(at)
    here = {name: frame[frame["district"].isin(codes)] for name, frame in registers.items()}
    here = {name: frame for name, frame in here.items() if len(frame)}
    found = {}
    if "exams" in here:
        passed = here["exams"]["passed"].astype(bool) & (here["exams"]["exam_date"] <= day)
        found["exam_passed_cumulative"] = (float(passed.sum()), "exams")
    if "stations" in here:
        stations = here["stations"]
        standing = stations[(stations["opened"] <= day) & ~(stations["closed"] <= day)]["level"].value_counts()
        found |= {
            name: (float(standing.get(level, 0)), "stations")
            for name, level in (("town_stations", "town"), ("village_rooms", "village"))
        }
    if "workers" in here:
        workers = here["workers"]
        drug = (workers["kind"] == "drug") & (workers["entered"] <= day) & ~(workers["left"] <= day)
        found["drug_social_workers"] = (float(workers.loc[drug, "worker_id"].nunique()), "workers")
    if "talent" in here:
        held = here["talent"][here["talent"]["awarded"] <= day].drop_duplicates(["person_id", "title"])
        titles = held["title"].value_counts()
        found |= {name: (float(titles.get(title, 0)), "talent") for name, title in RANKS.items()}
    if "procurement" in here:
        bought = here["procurement"]
        found["procurement_cumulative"] = (float(bought.loc[bought["signed"] <= day, "amount"].sum()), "procurement")
    return found


# Results: what a notebook shows.


def beside_suzhou(
    published: pd.DataFrame,
    *,
    population: pd.DataFrame,
    registers: Mapping[str, pd.DataFrame],
    at: str,
    language: str = "zh",
) -> Result:
    """Both cities' published figures as the bounds they are, and beside them what Nantong's registers hold.

    A register's figure is compared with nothing: gap and years behind stand only where both cities have published.

    Parameters:
        published: `areas.reference("published_facts")`. population: `areas.population()`.
        registers: as `register_indicators`; persons in them are protected, published rows stand exactly.

    Returns:
        Result by indicator, area and period: published_figure, register_figure, per_10000 residents of an exact figure,
        gap and years_behind (at Suzhou's row), source.
    """
    compared = yardstick(published).set_index("indicator")
    own = register_indicators(registers, at=at)
    residents = _residents(population)
    rows, provenance = [], []
    facts = published.sort_values("indicator", key=lambda column: ~column.isin(compared.index), kind="stable")
    for indicator, of_one in facts.groupby("indicator", sort=False):
        for fact in of_one.to_dict("records"):
            counted = fact["bound"] == EXACT and fact["unit"] not in ("percent", "department", "yuan", *NOT_COMPARED)
            last = fact["area"] == THERE and compared["there_period"].get(indicator) == fact["period"]
            rows.append(
                {
                    "indicator": indicator,
                    "area": fact["area"],
                    "period": period_words(fact["period"], language),
                    "published_figure": None if fact["unit"] in NOT_COMPARED else stated(fact, language),
                    "counted": fact["value"] if counted and fact["area"] in residents else math.nan,
                    "gap": compared["gap"].get(indicator) if last else math.nan,
                    "years_behind": compared["years_behind"].get(indicator) if last else math.nan,
                    "source": fact["source"],
                    "unit": fact["unit"],
                }
            )
            provenance.append(provenance_of(published))
        if indicator in own and HERE not in set(of_one["area"]):
            value, table = own[indicator]
            row = {"indicator": indicator, "area": HERE, "period": terms.date(at, language)}
            counted = math.nan if set(of_one["unit"]) == {"yuan"} else value
            rows.append(row | {"register_figure": value, "counted": counted})
            provenance.append(provenance_of(registers[table]))
    frame = pd.DataFrame(rows)
    frame["residents"] = frame["area"].map(residents)
    frame["per_10000"] = 10_000 * frame["counted"] / frame["residents"]

    def said(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
        both = frame[frame["gap"].notna()]
        found = []
        for row in both.to_dict("records"):
            of_row = {name: row[name] for name in ("indicator", "area", "period")}
            words = {name: shown.figure(name, **of_row) for name in ("gap", "years_behind")}
            key = "yardstick_years" if words["years_behind"].state != "missing" else "yardstick"
            words |= {"indicator": shown.name("indicator", row["indicator"]), "period": row["period"]}
            unit = "unit_person" if row["unit"] == "person" else "unit_other"
            found.append((f"talent.{key}", words | {"unit": terms.text(f"talent.{unit}", language)}))
        return found

    return Result(
        frame.reindex(columns=[*frame, *({"register_figure"} - set(frame))]),
        ("indicator", "area", "period"),
        (
            Measure("published_figure", "text"),
            Measure("register_figure", "count"),
            Measure("per_10000", "per_10000", digits=2, of=("counted", "residents")),
            Measure("gap", "number", digits=0),
            Measure("years_behind", "number", digits=1),
            Measure("source", "text"),
        ),
        "register_figure",
        tuple(provenance),
        title="notebooks.yardstick_table",
        notes=("talent.yardstick_rules",),
        sentence=said,
    )
