"""The examination funnel: registered, sat, passed; and how passes grow."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from institute_lib import terms
from institute_lib.errors import EstimationError
from institute_lib.results import Result
from institute_lib.retention.intervals import wilson
from institute_lib.talent.checks import check_by, require
from institute_lib.talent.intervals import poisson_ratio, with_share

DENOMINATORS = ("registered", "sat")


@dataclass(frozen=True)
class Funnel(Result):
    """Counts and rates of each group.

    `frame`: the columns of `by`, registered, sat, passed, and sit_rate and pass_rate (passed / sat), each with `_low`
    and `_high`.
    """

    frame: pd.DataFrame
    by: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def summary(self, language: str = "zh") -> str:
        """One sentence: the last year's candidates and passes, and the pass rate with its interval."""
        years = self.frame["year"] if "year" in self.frame else pd.Series(dtype=int)
        last = self.frame if years.empty else self.frame[years == years.max()]
        sat, passed = last["sat"].sum(), last["passed"].sum()
        low, high = wilson(passed, sat)
        return terms.text(
            "talent.funnel" if not years.empty else "talent.funnel_all",
            language,
            year=None if years.empty else int(years.max()),
            sat=terms.count(float(sat), language),
            passed=terms.count(float(passed), language),
            rate=terms.percent(float(passed / sat) if sat else None, language),
            interval=terms.interval(float(low), float(high), language, scale=100),
        )


def funnel(exams: pd.DataFrame, *, by: Sequence[str] = ("year",)) -> Funnel:
    """Registered, sat and passed of each group, with sitting and pass rates.

    Args:
        exams: the contract's table: one row a candidate and examination. The opening stock (`stock`) is left out: its
            candidates are known only because they passed, so it has no denominator.
        by: any of year, level, district; () for one row over all.

    Raises:
        ParameterError: another grouping.
        DataError: a column is missing.
    """
    require(exams, ("exam_date", "level", "district", "registered", "sat", "passed", "stock"), table="exams")
    groups = check_by(by, ("year", "level", "district"))
    open_exams = exams[~exams["stock"].astype(bool)].assign(year=lambda frame: frame["exam_date"].dt.year)
    flags = open_exams[["registered", "sat", "passed"]].astype(int)
    counted = pd.concat([open_exams[groups], flags], axis=1)
    sums = counted.groupby(groups, observed=True).sum().reset_index() if groups else counted.sum().to_frame().T
    rated = with_share(sums, numerator="sat", denominator="registered", name="sit_rate")
    rated = with_share(rated, numerator="passed", denominator="sat", name="pass_rate")
    left_out = int(exams["stock"].astype(bool).sum())
    warnings = (f"{left_out} passes of the opening stock have no denominator and are left out",) if left_out else ()
    return Funnel(rated, tuple(groups), warnings)


def pass_rate(passed: float, *, out_of: float | None, denominator: str) -> tuple[float, float, float]:
    """A pass rate with its Wilson interval: (rate, low, high).

    Args:
        passed: how many passed.
        out_of: how many could have; None where it is not known.
        denominator: what `out_of` counts: "sat" or "registered".

    Raises:
        EstimationError: the denominator is unknown, or counts something else (people mobilised are no candidates).
    """
    if denominator not in DENOMINATORS:
        raise EstimationError(
            f"a pass rate out of {denominator!r} is refused: those people need not have been candidates; "
            f"allowed denominators: {', '.join(DENOMINATORS)}"
        )
    if out_of is None or pd.isna(out_of):
        raise EstimationError(f"a pass rate without a denominator is refused: how many {denominator} is not known")
    if not 0 <= passed <= out_of or out_of == 0:
        raise EstimationError(f"{passed} passed out of {out_of} {denominator} cannot be")
    low, high = wilson(passed, out_of)
    return passed / out_of, float(low), float(high)


@dataclass(frozen=True)
class Growth(Result):
    """Passes of a year against the year before.

    `frame`: the columns of `by`, before, after, growth (after / before - 1), growth_low, growth_high.
    """

    frame: pd.DataFrame
    year: int
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def summary(self, language: str = "zh") -> str:
        """One sentence: all passes of the year, and the growth with its interval."""
        before, after = self.frame["before"].sum(), self.frame["after"].sum()
        low, high = poisson_ratio(after, before)
        return terms.text(
            "talent.growth",
            language,
            year=self.year,
            after=terms.count(float(after), language),
            growth=terms.percent(float(after / before - 1) if before else None, language),
            interval=terms.interval(float(low) - 1, float(high) - 1, language, scale=100),
        )


def growth(exams: pd.DataFrame, *, year: int, by: Sequence[str] = ()) -> Growth:
    """How passes grew from the year before, as a ratio of Poisson counts with an exact interval.

    Args:
        exams: the contract's table.
        year: the later year.
        by: level and district, either or both.

    Raises:
        EstimationError: no examination in one of the two years.
        ParameterError: another grouping.
    """
    groups = check_by(by, ("level", "district"))
    counted = funnel(exams, by=("year", *groups)).frame
    for wanted in (year - 1, year):
        if wanted not in set(counted["year"]):
            raise EstimationError(f"no examinations of {wanted} are on record, so growth to {year} is not known")
    sides = {
        name: counted[counted["year"] == wanted].set_index(groups)["passed"]
        if groups
        else counted.loc[counted["year"] == wanted, "passed"].reset_index(drop=True)
        for name, wanted in (("before", year - 1), ("after", year))
    }
    frame = pd.DataFrame(sides).fillna(0)
    frame = frame.reset_index() if groups else frame
    low, high = poisson_ratio(frame["after"], frame["before"])
    frame["growth"] = frame["after"] / frame["before"].where(frame["before"] > 0) - 1
    return Growth(frame.assign(growth_low=low - 1, growth_high=high - 1), year)
