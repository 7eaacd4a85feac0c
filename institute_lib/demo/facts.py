"""The published figures that the shipped draw must meet, read from the reference files.

A figure published as a bound (近, 接近, 超, >) stays a bound: the draw lies just inside it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import areas
from institute_lib.errors import DataError

NANTONG, SUZHOU, CHONGCHUAN = "320600", "320500", "320613"
# How far inside a bound the draw lies, as a share of the bound.
JUST_INSIDE = (0.002, 0.01)


@dataclass(frozen=True)
class Target:
    """A figure to meet: `bound` is "exact", "rounded", "lower" or "upper", as the reference file says."""

    value: float
    bound: str = "exact"

    def draw(self, rng: np.random.Generator) -> float:
        """A number that meets the figure: itself, or one just inside the bound."""
        share = rng.uniform(*JUST_INSIDE)
        return self.value * {"lower": 1 + share, "upper": 1 - share}.get(self.bound, 1.0)

    def met_by(self, value: float) -> bool:
        """Whether a drawn value meets the figure."""
        if self.bound == "lower":
            return value > self.value
        return value < self.value if self.bound == "upper" else value == self.value


@dataclass(frozen=True)
class Facts:
    """`published_facts.csv` and `other_facts.csv`, as `areas.reference` reads them."""

    published_facts: pd.DataFrame
    other_facts: pd.DataFrame

    @classmethod
    def read(cls) -> "Facts":
        return cls(areas.reference("published_facts"), areas.reference("other_facts"))

    def published(self, area: str, indicator: str) -> Target:
        """A figure of the two founding articles.

        Raises:
            DataError: the file does not hold it exactly once.
        """
        row = _only(self.published_facts, area=area, indicator=indicator)
        return Target(float(row["value"]), row["bound"])

    def other(self, area: str, period: str, indicator: str) -> Target:
        """A comparator's figure.

        Raises:
            DataError: the file does not hold it exactly once.
        """
        row = _only(self.other_facts, area=area, period=period, indicator=indicator)
        return Target(float(row["amount"]), row["bound"])

    def day_of(self, area: str, indicator: str) -> np.datetime64:
        """The day of a published event."""
        return np.datetime64(_only(self.published_facts, area=area, indicator=indicator)["period"], "D")

    def exam_day(self, year: int) -> np.datetime64:
        """The examination's first day: as published for some years, else the third Saturday of June by rule."""
        rows = self.other_facts[(self.other_facts["geo"] == "全国") & (self.other_facts["indicator"] == "考试日期")]
        known = {day[:4]: np.datetime64(day[:10]) for day in rows["value"]}
        return known.get(str(year), third_saturday_of_june(year))

    def passes_2023(self) -> tuple[int, int]:
        """Nantong's passes in 2023 that the published growth admits, lowest and highest: 反推, never published.

        3,671 after growth of 40 %, rounded to whole percent, admits 2,613 to 2,631.
        """
        passes = self.published(NANTONG, "exam_passed").value
        growth = self.published(NANTONG, "exam_passed_growth").value
        low, high = (passes / (1 + (growth + half) / 100) for half in (0.5, -0.5))
        return int(np.floor(low)) + 1, int(np.floor(high))


def third_saturday_of_june(year: int) -> np.datetime64:
    return np.busday_offset(np.datetime64(f"{year}-06-01"), 2, roll="forward", weekmask="Sat")


def _only(facts: pd.DataFrame, **wanted: str) -> pd.Series:
    chosen = facts[np.logical_and.reduce([facts[column] == value for column, value in wanted.items()])]
    if len(chosen) != 1:
        raise DataError(
            f"{facts.attrs['name']}.csv: {' '.join(wanted.values())} stands {len(chosen)} times; "
            "the demo registers meet this figure and need it exactly once"
        )
    return chosen.iloc[0]
