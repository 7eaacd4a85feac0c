"""The indicator catalogue: what each indicator means, once for every brief (`indicators.toml`).

A measure of a result that bears an indicator's name quotes it: its unit is checked, its words and its definition
(指标解释) come from here, and its value for an area and quarter must be the same wherever it stands.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path

from institute_lib import terms
from institute_lib.errors import ParameterError

CATALOGUE = Path(__file__).with_suffix(".toml")
OPTIONAL = ("advice", "beside", "yearly")  # parts that an entry may lack
BACK = {"_last_quarter": 1, "_last_year": 4}  # the same indicator, so many quarters before


@dataclass(frozen=True)
class Indicator:
    """One indicator.

    Attributes:
        key: its name in code, that of a measure.
        unit: one of `result.UNITS`. better: "up", "down", or "" where neither is better.
        question: which of the three questions it answers ("stay", "placed", "effective"), or "".
        computed: the function that gives it, such as "retention.turnover".
        name, definition, numerator, denominator, population, period: {zh, en}.
        advice: what to look at where it is worse than it should be, {zh, en}; may be left out.
        beside: key of the indicator that must be read with it, or "".
        yearly: whether it is of a calendar year, which a sentence then names in place of the quarter.
    """

    key: str
    unit: str
    better: str
    question: str
    computed: str
    name: Mapping[str, str]
    definition: Mapping[str, str]
    numerator: Mapping[str, str]
    denominator: Mapping[str, str]
    population: Mapping[str, str]
    period: Mapping[str, str]
    advice: Mapping[str, str] = field(default_factory=dict)
    beside: str = ""
    yearly: bool = False

    def explanation(self, language: str = "zh") -> str:
        """Its line under 指标解释: name, definition, numerator and denominator, population, period, direction."""
        words = {one.name: getattr(self, one.name)[language] for one in fields(self)[5:-3]}
        parts = [terms.text("result.indicator", language, **words)]
        parts += [terms.text("result.indicator_of", language, **words)] if words["denominator"] else []
        parts += [terms.text("result.indicator_scope", language, **words)]
        parts += [terms.text(f"result.better_{self.better}", language)] if self.better else []
        return ("" if language == "zh" else " ").join(parts)


@cache
def catalogue() -> dict[str, Indicator]:
    """Every indicator by its key, in the catalogue's order.

    Raises:
        ParameterError: an entry lacks a part, or has one that is unknown.
    """
    wanted = {one.name for one in fields(Indicator)} - {"key", *OPTIONAL}
    found = {}
    for key, entry in tomllib.loads(CATALOGUE.read_text(encoding="utf-8")).items():
        given = set(entry).difference(OPTIONAL)
        if given != wanted:
            parts = ", ".join(sorted(wanted ^ given))
            raise terms.error(ParameterError, "result.indicator_parts", name=key, parts=parts)
        found[key] = Indicator(key, **entry)
    return found


def get(key: str) -> Indicator:
    """
    Raises:
        ParameterError: the catalogue does not know it.
    """
    if key not in catalogue():
        nearest = {"nearest": lambda language: terms.nearest_in(language, key, catalogue())}
        raise terms.error(ParameterError, "result.indicator_unknown", name=key, **nearest)
    return catalogue()[key]


def parse(name: str, quarter: str) -> tuple[str, str] | None:
    """Which indicator a measure's name means and of which quarter; None where it is no indicator.

    >>> parse("turnover_last_year", "2025Q4")
    ('turnover', '2024Q4')
    """
    if name in catalogue():
        return name, quarter
    for ending, back in BACK.items():
        if name.endswith(ending) and name.removesuffix(ending) in catalogue():
            year, number = int(quarter[:4]), int(quarter[-1]) - 1
            before = 4 * year + number - back
            return name.removesuffix(ending), f"{before // 4}Q{before % 4 + 1}"
    return None


@dataclass(frozen=True)
class Claim:
    """What a result says an indicator is: for an area and a quarter, with the words in which it stands.

    `absent` are the districts that it leaves out, whose rows had not come: another basis is another figure.
    """

    indicator: str
    area: str
    quarter: str
    words: str
    where: str
    absent: tuple[str, ...] = ()


def contradictions(claims: Iterable[Claim]) -> list[tuple[Claim, Claim]]:
    """Pairs of claims that give one indicator of one area, quarter and basis in different words."""
    first: dict[tuple, Claim] = {}
    found = []
    for claim in claims:
        known = first.setdefault((claim.indicator, claim.area, claim.quarter, claim.absent), claim)
        if known.words != claim.words:
            found.append((known, claim))
    return found
