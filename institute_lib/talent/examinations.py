"""The examination funnel: registered, sat, passed; in post, and still there a year later; and how passes grow."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import EstimationError
from institute_lib.results import Result
from institute_lib.retention.intervals import wilson
from institute_lib.tables.contracts import EXAM_LEVELS
from institute_lib.talent.checks import above, check_by, not_numbers, refuse, require, unknown_levels
from institute_lib.talent.intervals import poisson_ratio, with_share

DENOMINATORS = ("registered", "sat")
STEPS = ("registered", "sat", "passed")
GROUPS = ("year", "level", "district")


@dataclass(frozen=True)
class Funnel(Result):
    """Counts and rates of each group.

    `frame`: the columns of `by`, registered, sat, passed, and sit_rate and pass_rate (passed / sat), each with `_low`
    and `_high`; with workers also in_post (of those who passed, employed after the examination) and year_later (of
    those, still employed a year on), followed (how many of in_post a year has passed for), in_post_rate and
    year_later_rate with limits.
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
        sat, passed = last["sat"].sum(min_count=1), last["passed"].sum()
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


def check_exams(exams: pd.DataFrame) -> None:
    """Refuse examinations that cannot be, every row at once.

    Raises:
        DataError: more passed than sat, more sat than registered, an unknown level, text or a number below zero.
    """
    require(exams, ("exam_date", "level", "district", *STEPS, "stock"), table="exams")
    refuse(
        "exams",
        unknown_levels(exams, "level", EXAM_LEVELS, table="exams"),
        not_numbers(exams, STEPS, table="exams"),
        above(exams, "passed", "sat", table="exams"),
        above(exams, "sat", "registered", table="exams"),
    )


def funnel(
    exams: pd.DataFrame,
    *,
    by: Sequence[str] = ("year",),
    workers: pd.DataFrame | None = None,
    at: str | None = None,
) -> Funnel:
    """Registered, sat and passed of each group, with sitting and pass rates; with workers, also who then works.

    People mobilised to sit are no candidates: their number is no step of the funnel and never a denominator. Where
    `registered` or `sat` is empty in a group, that denominator is not known and its rate is missing, with a warning.

    Args:
        exams: the contract's table: one row a candidate and examination, steps true or false; or counts a row. The
            opening stock (`stock`) is left out: its candidates are known only because they passed.
        by: any of year, level, district; () for one row over all.
        workers: worker_id, entered, left, for the steps after the pass; needs `worker_id` in `exams`, one row a pass.
        at: the day until which workers are known, for who is followed a whole year; None for the last day in `workers`.

    Raises:
        ParameterError: another grouping.
        DataError: a column is missing, or steps that cannot be.
    """
    check_exams(exams)
    groups = check_by(by, GROUPS)
    open_exams = exams[~exams["stock"].astype(bool)].assign(year=lambda frame: frame["exam_date"].dt.year)
    counted = open_exams[groups].join(open_exams[list(STEPS)].astype("float64"))
    if workers is not None:
        counted = counted.join(_afterwards(open_exams, workers, at))
    sums, unknown = _sums(counted, groups)
    rated = with_share(sums, numerator="sat", denominator="registered", name="sit_rate")
    rated = with_share(rated, numerator="passed", denominator="sat", name="pass_rate")
    if workers is not None:
        rated = with_share(rated, numerator="in_post", denominator="passed", name="in_post_rate")
        rated = with_share(rated, numerator="year_later", denominator="followed", name="year_later_rate")
    left_out = int(exams["stock"].astype(bool).sum())
    warnings = (f"{left_out} passes of the opening stock have no denominator and are left out",) if left_out else ()
    return Funnel(rated, tuple(groups), warnings + unknown)


def _sums(counted: pd.DataFrame, groups: list[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Totals of each group; a step with an empty row is not known for its group, and said so."""
    steps = [name for name in counted if name not in groups]
    if "level" in groups:  # as the ladder goes up, not as its names are spelt
        counted = counted.assign(level=pd.Categorical(counted["level"], EXAM_LEVELS, ordered=True))
    grouped = counted.groupby(groups, observed=True) if groups else counted.groupby(lambda _: 0)
    sums, filled, rows = grouped[steps].sum(), grouped[steps].count(), grouped.size()
    warnings = tuple(
        f"{name} is not recorded in full for {_names(missing)}: its rates are refused, the denominator is not known"
        for name in DENOMINATORS
        if len(missing := rows.index[filled[name] < rows])
    )
    sums = sums.mask(filled.lt(rows, axis=0))
    sums = sums.reset_index(drop=not groups)
    return sums.astype({"level": "str"} if "level" in groups else {}), warnings


def _names(index: pd.Index) -> str:
    return ", ".join(" ".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in index)


def _afterwards(exams: pd.DataFrame, workers: pd.DataFrame, at: str | None) -> pd.DataFrame:
    """Of each pass: whether its candidate works after it, is followed for a year, and is still there then.

    In post: employed on the day of the examination or within the year after it, by the day `at`. The year is counted
    from the examination for those employed then, else from their first day.
    """
    require(exams, ("worker_id",), table="exams")
    require(workers, ("worker_id", "entered", "left"), table="workers")
    last = pd.Timestamp(at) if at else max(workers["entered"].max(), workers["left"].max())
    passes = exams.loc[exams["passed"].astype(bool), ["worker_id", "exam_date"]].reset_index()
    spells = passes.merge(workers[["worker_id", "entered", "left"]], on="worker_id", how="inner")
    spells = spells[spells["worker_id"].notna() & ~(spells["left"] <= spells["exam_date"])]
    begins = spells[["entered", "exam_date"]].max(axis=1)
    year = pd.DateOffset(years=1)
    spells = spells.assign(begins=begins)[(begins <= spells["exam_date"] + year) & (begins <= last)]
    first = spells.sort_values("begins").drop_duplicates("index").set_index("index")
    due = first["begins"] + year
    # Still there: in any spell on that day, so that who changes posts within the area has not gone.
    there = spells.merge(due.rename("due"), left_on="index", right_index=True)
    there = set(there.loc[(there["entered"] <= there["due"]) & ~(there["left"] <= there["due"]), "index"])
    followed = due <= last
    stayed = followed & first.index.isin(there)
    steps = {"in_post": pd.Series(True, first.index), "followed": followed, "year_later": stayed}
    return pd.DataFrame(steps).reindex(exams.index).fillna(False).astype("float64")


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


def growth_limits(after: float, before: float) -> tuple[float, float]:
    """The 95 % limits of a growth from one count to another: those of the ratio of two Poisson means, less one."""
    low, high = poisson_ratio(after, before)
    return float(low) - 1, float(high) - 1


def growth(exams: pd.DataFrame, *, year: int, by: Sequence[str] = ()) -> Growth:
    """How passes grew from the year before, as a ratio of Poisson counts with an exact interval.

    Args:
        exams: the contract's table.
        year: the later year.
        by: level and district, either or both.

    Raises:
        EstimationError: no examination in one of the two years.
        ParameterError: another grouping.
        DataError: examinations that cannot be.
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


def changes_in_rate(exams: pd.DataFrame, *, by: Sequence[str] = ()) -> pd.DataFrame:
    """How the pass rate changed from each year to the next, with the interval of a difference of two shares.

    Args:
        exams: the contract's table.
        by: level and district, either or both.

    Returns:
        the columns of `by`, year, pass_rate, before, change, change_low, change_high; the first year has no change.

    Source: Newcombe (1998), Statistics in Medicine 17, 873-890, method 10 (of two Wilson intervals).
    """
    groups = check_by(by, ("level", "district"))
    rated = funnel(exams, by=("year", *groups)).frame.sort_values([*groups, "year"], ignore_index=True)
    sides = ["pass_rate", "pass_rate_low", "pass_rate_high"]
    shifted = (
        rated.groupby(groups, observed=True)[[*sides, "year"]].shift() if groups else rated[[*sides, "year"]].shift()
    )
    follows = rated["year"] == shifted["year"] + 1
    before, low, high = (shifted[name].where(follows) for name in sides)
    now = rated["pass_rate"]
    down = np.sqrt((now - rated["pass_rate_low"]) ** 2 + (high - before) ** 2)
    up = np.sqrt((rated["pass_rate_high"] - now) ** 2 + (before - low) ** 2)
    change = now - before
    columns = {"change": change, "change_low": change - down, "change_high": change + up}
    return rated[[*groups, "year", "pass_rate"]].assign(before=before, **columns)
