"""The quarter at a glance, from what the other notebooks saved: compared, ordered, and put into one paragraph.

The three questions come in the articles' order; within each, what differs most from a year ago, from the last quarter
or from the peers comes first. Nothing is computed again from registers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import areas, terms
from institute_lib.errors import ParameterError
from institute_lib.results import Result
from institute_lib.talent.checks import require

QUESTIONS = ("stay", "placed", "effective")
COLUMNS = ("area", "name", "value")
EARLIER = ("last_quarter", "last_year")
HIDDEN = ("primary", "secondary")  # a recorded figure's status
FEWEST_PEERS = 3


@dataclass(frozen=True)
class Indicator:
    """A recorded number that answers a question: its name, unit, and whether more of it is better."""

    name: str
    question: str
    unit: str
    better: int = 1


INDICATORS = (
    Indicator("stability", "stay", "share"),
    Indicator("turnover", "stay", "share", better=-1),
    Indicator("certified_in_post", "placed", "share"),
    Indicator("exam_passed", "placed", "count"),
    Indicator("supervisor_share", "placed", "share"),
    Indicator("village_coverage", "placed", "share"),
    Indicator("outcome_reached", "effective", "share"),
    Indicator("purchase_per_resident", "effective", "yuan"),
)


@dataclass(frozen=True)
class Overview(Result):
    """One row an indicator that the area's notebooks recorded, questions in order, the most notable first in each.

    `frame`: question, indicator, unit, value, low, high (95 %, where recorded), last_quarter, last_year, median and
    peers (of the areas beside it), rank (1 the best; of a district), importance (how many standard errors or spreads
    the largest difference is worth), hidden (the value is held back to protect persons).
    """

    frame: pd.DataFrame
    area: str
    quarter: str
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def shown(self, language: str = "zh") -> pd.DataFrame:
        """The table in words: question, indicator, period, value, last quarter, last year, change, median, rank."""
        return pd.DataFrame([self._words(row, language) for row in self.frame.to_dict("records")])

    def findings(self, language: str = "zh") -> tuple[str, ...]:
        """One sentence an indicator, the most notable of all first."""
        ordered = self.frame.sort_values("importance", ascending=False, kind="stable")
        return tuple(self._sentence(row, language) for row in ordered.to_dict("records"))

    def summary(self, language: str = "zh") -> str:
        """The brief's first paragraph: the first indicator of each question, then what is most notable."""
        where = {"area": areas.get(self.area).name(language), "quarter": terms.quarter(self.quarter, language)}
        if self.frame.empty:
            return terms.text("talent.overview_nothing", language, **where)
        firsts = self.frame.sort_values("order").drop_duplicates("question").set_index("question")
        parts = [
            self._answer(firsts.loc[question].to_dict() | {"question": question}, language)
            for question in QUESTIONS
            if question in firsts.index
        ]
        joined = terms.text("talent.overview_joint", language).join(parts)
        notable = self.findings(language)[0]
        return terms.text("talent.overview", language, **where, answers=joined, notable=notable)

    def headline(self, language: str = "zh") -> dict[str, Any]:
        """The first paragraph with the figure that leads it, and its change on the year: the headline of a record."""
        if self.frame.empty:
            return {"text": self.summary(language)}
        lead = self.frame.sort_values("order").iloc[0]
        change = lead["value"] - lead["last_year"]
        if lead["unit"] != "share":
            change = change / lead["last_year"] if lead["last_year"] else math.nan
        figures = {"value": lead["value"], "change": change}
        known = {name: None if pd.isna(figure) else float(figure) for name, figure in figures.items()}
        return {"text": self.summary(language), "unit": lead["unit"], **known}

    def _answer(self, row: Mapping, language: str) -> str:
        words = self._words(row, language)
        key = "talent.overview_answer" if pd.isna(row["last_year"]) else "talent.overview_answer_change"
        return terms.text(key, language, **words)

    def _sentence(self, row: Mapping, language: str) -> str:
        words = self._words(row, language)
        parts = [terms.text("talent.overview_value", language, **words)]
        parts += [
            terms.text(f"talent.overview_{name}", language, **words) for name in EARLIER if not pd.isna(row[name])
        ]
        if row["peers"] >= FEWEST_PEERS:
            key = "talent.overview_rank" if not pd.isna(row["rank"]) else "talent.overview_median"
            parts.append(terms.text(key, language, **words))
        return terms.text("talent.overview_joint", language).join(parts) + terms.text("talent.overview_stop", language)

    def _words(self, row: Mapping, language: str) -> dict[str, str]:
        shown = {name: _figure(row[name], row["unit"], language) for name in ("value", *EARLIER, "median")}
        if row["hidden"]:
            shown["value"] = terms.text("talent.not_listed", language)
        changes = {f"{name}_change": _change(row["value"], row[name], row["unit"], language) for name in EARLIER}
        return {
            "question": terms.text(f"talent.question_{row['question']}", language),
            "indicator": _name(row["indicator"], language),
            "period": terms.quarter(self.quarter, language),
            **shown,
            **changes,
            "rank": terms.number(row["rank"], language),
            "standing": _standing(row, language),
            "peers": terms.number(row["peers"], language),
        }


def overview(
    numbers: pd.DataFrame,
    *,
    area: str,
    quarter: str,
    earlier: Mapping[str, pd.DataFrame] | None = None,
    indicators: tuple[Indicator, ...] = INDICATORS,
) -> Overview:
    """The recorded numbers of an area, compared and ordered by how much they matter.

    Args:
        numbers: area, name, value: what the notebooks recorded (`runs.results(…).figures()`). Beside a number `x` may
            stand x_low, x_high (95 % limits), x_last_quarter and x_last_year (the same figure then). With a column
            status, the area's own figures that are hidden to protect persons are listed as such.
        area: its code; of a city the peers are its own districts, of a district its siblings.
        earlier: the recorded numbers of "last_quarter" and "last_year", where those quarters were run; they come
            before what `numbers` says of them.

    Importance of an indicator: the largest of its change on the year and on the quarter, in standard errors (of the
    recorded interval; of a count, by Poisson; else in the peers' spread), and its distance from the peers' median in
    their spread (1.4826 × median absolute deviation).

    Raises:
        DataError: a column is missing.
        ParameterError: an unknown earlier period.
    """
    require(numbers, COLUMNS, table="numbers")
    for name in earlier or {}:
        if name not in EARLIER:
            raise ParameterError(f"earlier {name!r}: allowed: {', '.join(EARLIER)}")
    hidden = numbers["status"].isin(HIDDEN) if "status" in numbers else pd.Series(False, index=numbers.index)
    known = numbers[numbers["value"].notna() | hidden].drop_duplicates(["area", "name"]).set_index(["area", "name"])
    values = known["value"]
    rows = [
        _row(values, indicator, area, _earlier(values, earlier or {}, indicator, area))
        | {"order": place, "hidden": bool(pd.isna(values[area, indicator.name]))}
        for place, indicator in enumerate(indicators)
        if (area, indicator.name) in values.index
    ]
    names = ["question", "indicator", "unit", "value", "low", "high", *EARLIER, "median", "peers", "rank", "importance"]
    frame = pd.DataFrame(rows, columns=[*names, "order", "hidden"])
    rank = {question: place for place, question in enumerate(QUESTIONS)}
    frame = frame.assign(place=frame["question"].map(rank)).sort_values(
        ["place", "importance"], ascending=[True, False], kind="stable"
    )
    return Overview(frame.drop(columns="place").reset_index(drop=True), area, quarter)


def between(numbers: pd.DataFrame, *, name: str, quarter: str, city: str) -> pd.DataFrame:
    """A recorded number a year ago and now, of each district of a city that has both: area, quarter and the number.

    Args:
        numbers: as `overview`.
        name: of the number; its earlier value is recorded as name_last_year.
        city: whose own figure is left out.

    Raises:
        DataError: a column is missing.
    """
    require(numbers, COLUMNS, table="numbers")
    before = str(pd.Period(quarter, freq="Q") - 4)
    known = numbers.dropna(subset=["value"]).drop_duplicates(["area", "name"])
    sides = {
        period: known[known["name"] == recorded].set_index("area")["value"]
        for period, recorded in ((before, f"{name}_last_year"), (quarter, name))
    }
    wide = pd.DataFrame(sides).dropna().drop(index=city, errors="ignore")
    return wide.rename_axis(index="area", columns="quarter").stack().rename(name).reset_index()


def _earlier(
    values: pd.Series, earlier: Mapping[str, pd.DataFrame], indicator: Indicator, area: str
) -> dict[str, float]:
    found = {}
    for name in EARLIER:
        saved = earlier.get(name)
        own = pd.Series(dtype=float)
        if saved is not None:
            own = saved[(saved["area"] == area) & (saved["name"] == indicator.name)]["value"].dropna()
        found[name] = float(own.iloc[0]) if len(own) else _get(values, area, f"{indicator.name}_{name}")
    return found


def _get(values: pd.Series, area: str, name: str) -> float:
    return float(values.get((area, name), math.nan))


def _row(values: pd.Series, indicator: Indicator, area: str, before: dict[str, float]) -> dict[str, object]:
    value, low, high = (_get(values, area, f"{indicator.name}{end}") for end in ("", "_low", "_high"))
    city = areas.city_of(area)
    own = values.xs(indicator.name, level="name").dropna()
    districts = own[[code for code in own.index if code != city]]
    peers = districts.drop(area, errors="ignore")
    median = float(peers.median()) if len(peers) else math.nan
    ranked = indicator.unit != "count" and area != city and len(peers) and not math.isnan(value)
    better = (districts * indicator.better > value * indicator.better).sum() if ranked else 0
    deviation = float((peers - median).abs().median()) if len(peers) else math.nan
    spread = 1.4826 * deviation
    return {
        "question": indicator.question,
        "indicator": indicator.name,
        "unit": indicator.unit,
        "value": value,
        "low": low,
        "high": high,
        **before,
        "median": median if indicator.unit != "count" else math.nan,
        "peers": len(peers) if indicator.unit != "count" else 0,
        "rank": float(better + 1) if ranked else math.nan,
        "importance": _importance(
            indicator,
            value,
            error=_error(low, high, spread),
            before=before,
            peers=(median, 0.0 if area == city else spread),
        ),
    }


def _error(low: float, high: float, spread: float) -> float:
    """The standard error of a figure: from its recorded interval, else the peers' spread."""
    from scipy.special import ndtri

    return (high - low) / (2 * float(ndtri(0.975))) if high > low else spread


def _importance(
    indicator: Indicator, value: float, *, error: float, before: Mapping[str, float], peers: tuple[float, float]
) -> float:
    sizes = [0.0]
    if math.isnan(value):
        return 0.0
    for past in before.values():
        if math.isnan(past):
            continue
        scale = math.sqrt(value + past) if indicator.unit == "count" else math.sqrt(2) * error
        sizes.append(abs(value - past) / scale if scale > 0 else 0.0)
    median, spread = peers
    if indicator.unit != "count" and spread > 0:
        sizes.append(abs(value - median) / spread)
    return float(np.nanmax(sizes))


def _standing(row: Mapping, language: str) -> str:
    """The rank and among how many others, or how many districts the median is of."""
    if not row["peers"]:
        return terms.MISSING[language]
    key = "talent.standing_median" if pd.isna(row["rank"]) else "talent.standing"
    words = {"rank": terms.number(row["rank"], language), "peers": terms.number(row["peers"], language)}
    return terms.text(key, language, **words)


def _name(indicator: str, language: str) -> str:
    return terms.label(indicator, language, column="indicator")


def _figure(value: float, unit: str, language: str) -> str:
    if unit == "share":
        return terms.percent(value, language)
    return terms.number(value, language, 0 if unit == "count" else 1)


def _change(value: float, past: float, unit: str, language: str) -> str:
    if pd.isna(past) or pd.isna(value):
        return terms.MISSING[language]
    if unit == "share":
        return terms.points(value - past, language)
    shown = terms.number(abs(value - past), language, 0 if unit == "count" else 1)
    if not float(shown.replace(",", "")):
        return terms.text("labels.unchanged" if value == past else "labels.nearly_unchanged", language)
    return terms.text("talent.more" if value > past else "talent.less", language, size=shown)
