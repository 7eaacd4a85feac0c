"""Nantong beside Suzhou: every published indicator, each figure with its source, date, status and as its bound."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from institute_lib import areas, terms
from institute_lib.errors import DataError
from institute_lib.results import Result
from institute_lib.talent.checks import not_numbers, refuse, require

HERE, THERE = "320600", "320500"
COLUMNS = ("area", "period", "indicator", "value", "bound", "unit", "source", "status")
NOT_COMPARED = ("event",)  # that something happened, which is no quantity
EXACT = "exact"
GROWTH = "_growth"
PARTS = ("value", "bound", "period", "status", "source")


@dataclass(frozen=True)
class Yardstick(Result):
    """One row an indicator that Suzhou or Nantong has published.

    `frame`: indicator, unit; for `here` (Nantong) and `there` (Suzhou) each value, bound, period, status, source and
    per_10000 (by residents of the 2020 census; of a bound it is the same bound); gap (there - here), years_behind,
    comparable. Statuses: "published", "register", "demo" or "unpublished". Gap and years stand only where both are
    published, exact and in one unit.
    """

    frame: pd.DataFrame
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def shown(self, language: str = "zh") -> pd.DataFrame:
        """The table in words: both figures as bounds with their date, status and source, per 10,000, gap, years behind.

        `here_note` and `there_note` say all of a figure in one cell, its source by its number in `references`.
        """
        numbers = {source: number for number, source in enumerate(self._sources(), start=1)}
        return pd.DataFrame([_in_words(row, language, numbers) for row in self.frame.to_dict("records")])

    def references(self, language: str = "zh") -> str:
        """The sources of all figures with their numbers, in one line."""
        listed = [
            terms.text("talent.reference", language, number=number, source=source)
            for number, source in enumerate(self._sources(), start=1)
        ]
        return terms.text("talent.overview_joint", language).join(listed)

    def _sources(self) -> list[str]:
        """Each source once, in order of appearance."""
        both = self.frame[["here_source", "there_source"]].to_numpy().ravel() if len(self.frame) else []
        return list(dict.fromkeys(filter(None, both)))

    def summary(self, language: str = "zh") -> str:
        """One sentence: how many indicators can be compared, and the gap in the first of them."""
        compared = self.frame[self.frame["comparable"]]
        if compared.empty:
            return terms.text("talent.yardstick_none", language, indicators=len(self.frame))
        first = compared.iloc[0]
        return terms.text(
            "talent.yardstick",
            language,
            indicators=len(self.frame),
            compared=len(compared),
            indicator=indicator_name(first["indicator"], language),
            here=terms.number(first["here_value"], language),
            there=terms.number(first["there_value"], language),
        )


def yardstick(
    published: pd.DataFrame,
    *,
    registers: Mapping[str, float] | None = None,
    demo: bool = True,
    population: pd.DataFrame | None = None,
    at: str = "",
) -> Yardstick:
    """Nantong's figures beside Suzhou's.

    Args:
        published: `areas.reference("published_facts")`: area, period, indicator, value, bound, unit, source, status.
            Of several periods of one indicator the last that both cities have is taken, else each city's last.
        registers: Nantong's own figures by indicator (`register_indicators`), for what is not published.
        demo: whether those come from the demo registers; then they are shown as such and compared with nothing.
        population: `areas.population()`: code, population by district; None leaves the figures per 10,000 out.
        at: the registers' day.

    Years behind are log(there / here) / log(1 + growth), with Nantong's published growth of the same indicator, if it
    is exact: how long its yearly pace takes to bring it where Suzhou is.

    Raises:
        DataError: a column is missing, or a value is not a number (named with its row).
    """
    _check(published)
    facts = published[published["area"].isin([HERE, THERE]) & ~published["unit"].isin(NOT_COMPARED)]
    growth = _growth(facts)
    residents = {} if population is None else _residents(population)
    own = {name: value for name, value in (registers or {}).items() if value is not None and not pd.isna(value)}
    rows = []
    for indicator in dict.fromkeys(facts["indicator"]):
        found = _latest(facts[facts["indicator"] == indicator])
        kept = (own.get(indicator), "demo" if demo else "register", at)
        row = {"indicator": indicator, "unit": next(iter(found.values()))["unit"]}
        row |= _side("here", found.get(HERE), kept) | _side("there", found.get(THERE), (None, "", ""))
        row |= _per_10000(row, residents)
        units = {fact["unit"] for fact in found.values()}
        rows.append(row | _comparison(row, growth.get(indicator), same_unit=len(units) == 1))
    frame = pd.DataFrame(rows, columns=None if rows else ["indicator", "comparable"])
    order = frame.sort_values("comparable", ascending=False, kind="stable")
    return Yardstick(order.reset_index(drop=True), _other_periods(frame))


def milestones(published: pd.DataFrame, language: str = "zh") -> pd.DataFrame:
    """What was published that the yardstick does not hold: events, and figures of single districts.

    Returns:
        area, period, indicator (in words), stated (the figure as its bound; empty for an event), source.

    Raises:
        DataError: as `yardstick`.
    """
    _check(published)
    cities = published["area"].isin([HERE, THERE])
    return published_figures(published[~cities | published["unit"].isin(NOT_COMPARED)], language)


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
            "indicator": indicator_name(row["indicator"], language),
            "stated": "" if row["unit"] in NOT_COMPARED else _stated(row["value"], row["bound"], row["unit"], language),
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


def _side(side: str, fact: Mapping | None, own: tuple[float | None, str, str]) -> dict[str, object]:
    value, status, at = own
    if fact is not None and not pd.isna(fact["value"]):
        values = (fact["value"], fact["bound"], fact["period"], fact["status"], fact["source"])
    elif value is not None:
        values = (value, EXACT, at, status, "")
    else:
        values = (float("nan"), "missing", "", "unpublished", "")
    return {f"{side}_{name}": part for name, part in zip(PARTS, values, strict=True)}


def _per_10000(row: Mapping[str, object], residents: Mapping[str, float]) -> dict[str, float]:
    counted = row["unit"] not in ("percent", "department")
    return {
        f"{side}_per_10000": 10_000 * row[f"{side}_value"] / residents[area]
        if counted and area in residents
        else float("nan")
        for side, area in (("here", HERE), ("there", THERE))
    }


def _comparison(row: Mapping[str, object], growth: float | None, *, same_unit: bool) -> dict[str, object]:
    here, there = row["here_value"], row["there_value"]
    comparable = same_unit and all(
        row[f"{side}_status"] == "published" and row[f"{side}_bound"] == EXACT for side in ("here", "there")
    )
    gap = there - here if comparable else float("nan")
    known = comparable and growth and growth > 0 and here > 0 and there > here
    years = math.log(there / here) / math.log1p(growth) if known else float("nan")
    return {"gap": gap, "years_behind": years, "comparable": comparable}


def _other_periods(frame: pd.DataFrame) -> tuple[str, ...]:
    compared = frame[frame["comparable"].astype(bool)]
    if compared.empty:
        return ()
    differ = compared[compared["here_period"] != compared["there_period"]]
    return tuple(
        f"{row['indicator']}: Nantong's figure is of {row['here_period']}, Suzhou's of {row['there_period']}"
        for row in differ.to_dict("records")
    )


def indicator_name(indicator: str, language: str) -> str:
    """An indicator in words, or its own name where the catalogue does not know it."""
    key = f"indicator_{indicator}"
    return terms.text(f"talent.{key}", language) if key in terms.catalogue("talent") else indicator


def period_words(period: str, language: str) -> str:
    """A period in words: 2024, to 2024, 2023-12-31."""
    text = str(period)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return terms.date(text, language)
    found = re.fullmatch(r"(to )?(\d{4})", text)
    if not found:
        return text
    return terms.text("talent.period_to" if found[1] else "talent.period_year", language, year=found[2])


def _stated(value: float, bound: str, unit: str, language: str, digits: int = 0) -> str:
    written = terms.number(value, language, 0 if float(value).is_integer() and not digits else digits or 1)
    return areas.stated(f"{written}%" if unit == "percent" else written, bound, language)


def _in_words(row: Mapping[str, object], language: str, numbers: Mapping[str, int]) -> dict[str, str]:
    shown = {"indicator": indicator_name(row["indicator"], language)}
    for side in ("here", "there"):
        shown[side] = _figure(row, side, language)
        shown[f"{side}_basis"] = _basis(row, side, language)
        per, bound = row[f"{side}_per_10000"], row[f"{side}_bound"]
        known = not pd.isna(per) and bound != "missing"
        digits = 2 if not known or per < 100 else 0
        stated = areas.stated(terms.number(per, language, digits), bound, language) if known else ""
        shown[f"{side}_per_10000"] = _marked(stated, row[f"{side}_status"], language) or terms.MISSING[language]
        source = numbers.get(row[f"{side}_source"])
        reference = "" if source is None else terms.text("talent.reference", language, number=source, source="")
        parts = [terms.text("talent.per_10000", language, value=stated)] if stated else []
        note = terms.text("talent.overview_joint", language).join([*parts, shown[f"{side}_basis"]])
        shown[f"{side}_note"] = note + reference.strip()
    shown["gap"] = _gap(row, language)
    shown["years_behind"] = terms.number(row["years_behind"], language, 1)
    shown["source"] = "; ".join(dict.fromkeys(filter(None, (row["here_source"], row["there_source"]))))
    return shown


def _figure(row: Mapping[str, object], side: str, language: str) -> str:
    status = row[f"{side}_status"]
    if status == "unpublished":
        return terms.text("talent.unpublished", language)
    stated = _stated(row[f"{side}_value"], row[f"{side}_bound"], row["unit"], language)
    return _marked(stated, status, language)


def _marked(stated: str, status: str, language: str) -> str:
    """A register's or a demo's figure says so; a published one stands as it is."""
    known = stated and f"status_{status}" in terms.catalogue("talent")
    return terms.text(f"talent.status_{status}", language, value=stated) if known else stated


def _basis(row: Mapping[str, object], side: str, language: str) -> str:
    """When the figure holds and what it is: published, a register's, a demo's."""
    status = row[f"{side}_status"]
    if status == "unpublished":
        return terms.MISSING[language]
    words = (period_words(row[f"{side}_period"], language), terms.text(f"talent.basis_{status}", language))
    return terms.text("talent.basis", language, period=words[0], status=words[1]) if words[0] else words[1]


def _gap(row: Mapping[str, object], language: str) -> str:
    if row["comparable"]:
        return terms.number(row["gap"], language, 0 if float(row["gap"]).is_integer() else 1)
    demo = "demo" in (row["here_status"], row["there_status"])
    return terms.text("talent.not_compared_demo" if demo else "talent.not_compared", language)
