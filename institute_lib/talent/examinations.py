"""The examination funnel: registered, sat, passed; in post, and still there a year later; and how passes grow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.result import Measure, Result, provenance_of
from institute_lib.tables.contracts import EXAM_LEVELS
from institute_lib.talent.checks import (
    TOTAL,
    Framed,
    above,
    check_by,
    in_fives,
    not_numbers,
    place_name,
    poisson_ratio,
    refuse,
    require,
    unknown_levels,
    with_every,
    with_share,
)

DENOMINATORS = ("registered", "sat")
STEPS = ("registered", "sat", "passed")
GROUPS = ("year", "level", "district")


@dataclass(frozen=True)
class Funnel(Framed):
    """Counts and rates of each group.

    `frame`: the columns of `by`, registered, sat, passed, and sit_rate and pass_rate (passed / sat), each with `_low`
    and `_high`; with workers also in_post (of those who passed, employed after the examination) and year_later (of
    those, still employed a year on), followed (how many of in_post a year has passed for), in_post_rate and
    year_later_rate with limits.
    """

    frame: pd.DataFrame
    by: tuple[str, ...]
    warnings: tuple[str, ...] = ()


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
    open_exams = exams[~exams["stock"].astype(bool)].reset_index(drop=True)
    open_exams = open_exams.assign(year=open_exams["exam_date"].dt.year)
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


# Results: what a notebook shows. Candidates are persons.

COUNTED = (
    Measure("registered", "count"),
    Measure("sat", "count", of="registered"),
    Measure("passed", "count", of="sat"),
)


def passes(exams: pd.DataFrame, *, workers: pd.DataFrame, at: str) -> Result:
    """Registered, sat and passed by year, the pass rate beside the year before, and who then works, as `funnel`.

    Parameters:
        exams: of the area. workers: of the whole province, where who passed may work. at: an ISO day.

    Returns:
        Result by year: registered, sat, passed, passed_growth (per cent on the year before, with the exact interval of
        the ratio of two Poisson counts), pass_rate with its Wilson interval, pass_rate_before and pass_rate_change
        (points), in_post_rate, year_later_rate.
    """
    frame = funnel(exams, workers=workers, at=at).frame.sort_values("year", ignore_index=True)
    follows = frame["year"].diff() == 1
    # Of counts as they are shown, so that a growth tells no more than they do.
    told = in_fives(frame["passed"].where(frame["passed"] >= 10))
    before = told.shift().where(follows)
    low, high = poisson_ratio(told, before)
    grown = {"": told / before, "_low": low, "_high": high}
    frame = frame.assign(**{f"passed_growth{end}": 100 * (ratio - 1) for end, ratio in grown.items()})
    for name in ("passed", "sat", "pass_rate"):
        frame[f"{name}_before"] = frame[name].shift().where(follows)
    frame["year_later"] = frame["year_later"].where(frame["followed"] > 0)  # nobody's year is over yet
    return Result(
        frame.assign(year=frame["year"].astype(str)),
        ("year",),
        (
            *COUNTED,
            Measure("passed_growth", "number", digits=1, interval="given"),
            Measure("pass_rate", "share", of=("passed", "sat"), interval="wilson"),
            Measure("pass_rate_before", "share", of=("passed_before", "sat_before")),
            Measure("pass_rate_change", "points", of=("pass_rate", "pass_rate_before")),
            Measure("in_post_rate", "share", of=("in_post", "passed")),
            Measure("year_later_rate", "share", of=("year_later", "followed")),
        ),
        "sat",
        provenance_of(exams, workers),
        title="notebooks.funnel_table",
        sentence=_passes_sentence(exams),
    )


def _passes_sentence(exams: pd.DataFrame) -> Any:
    def said(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
        area = {"area": place_name(exams["district"].unique(), language, whole=True)}
        if not len(shown.data):
            return [("notebooks.no_examination", area)]
        year = str(shown.data["year"].iloc[-1])
        now = {name: shown.figure(name, year=year) for name in ("passed", "sat", "pass_rate", "pass_rate_change")}
        interval = (shown.figure("pass_rate_low", year=year), shown.figure("pass_rate_high", year=year))
        words = {"year": year, **area, **now, "interval": interval}
        growth, *ends = (shown.figure(f"passed_growth{end}", year=year) for end in ("", "_low", "_high"))
        if growth.state == "missing":
            return [("talent.funnel", words)]
        fell = growth.state == "shown" and growth.value < 0
        change = shown.words("talent.fell" if fell else "talent.grew", size=abs(growth))
        return [("talent.funnel_growth", words | {"growth": change, "growth_interval": tuple(ends)})]

    return said


def _newest(exams: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The examinations of the last year on record, and the year; 0 where there is none beside the opening stock."""
    held = exams[~exams["stock"].astype(bool)]
    year = int(held["exam_date"].dt.year.max()) if len(held) else 0
    return held[held["exam_date"].dt.year == year], year


def passes_by_level(exams: pd.DataFrame, *, language: str = "zh") -> Result | None:
    """The newest year's examinations by level.

    Returns:
        Result by level: pass_rate with its Wilson interval, registered, sat, passed; None without an examination.
    """
    newest, year = _newest(exams)
    if not year:
        return None
    words = {"area": place_name(exams["district"].unique(), language), "year": str(year)}
    counted = with_every(funnel(newest, by=("level",)).frame, ["level"], EXAM_LEVELS, ["registered", "sat", "passed"])
    return Result(
        counted,
        ("level",),
        (*COUNTED, Measure("pass_rate", "share", of=("passed", "sat"), interval="wilson")),
        "sat",
        provenance_of(exams),
        title=terms.text("notebooks.level_table", language, **words),
    )


def passes_by_district(exams: pd.DataFrame, *, population: pd.DataFrame, language: str = "zh") -> Result:
    """The newest year's passes by district of a city, and all who hold a certificate: every district, reported or not.

    Parameters:
        exams: of the whole city.

    Returns:
        Result by district, the city as "total": exam_pass_rate with its Wilson interval, sat, exam_passed and
        exam_passed_last_year, holders (persons who ever passed), holders_per_10000 residents. Drawn as a funnel plot.
    """
    newest, year = _newest(exams)
    before = exams[~exams["stock"].astype(bool) & (exams["exam_date"].dt.year == year - 1)]
    ever = exams[exams["passed"].astype(bool)]
    residents = population.set_index("code")["population"].astype(float)
    codes = sorted(exams["district"].unique())
    rows = []
    for code in (*codes, TOTAL):
        here = [code] if code != TOTAL else codes
        of_area = [one[one["district"].isin(here)] for one in (newest, before, ever)]
        sat, passed = (of_area[0][name].astype(float).sum() for name in ("sat", "passed"))
        earlier = of_area[1]["passed"].astype(float).sum() if len(before) else np.nan
        rows.append((code, sat, passed, earlier, of_area[2]["candidate_id"].nunique(), residents[here].sum()))
    columns = ["district", "sat", "exam_passed", "exam_passed_last_year", "holders", "residents"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["exam_pass_rate"] = frame["exam_passed"] / frame["sat"].where(frame["sat"] > 0)
    return Result(
        frame.assign(holders_per_10000=10_000 * frame["holders"] / frame["residents"]),
        ("district",),
        (
            Measure("exam_pass_rate", "share", of=("exam_passed", "sat"), interval="wilson"),
            Measure("sat", "count"),
            Measure("exam_passed", "count", of="sat"),
            Measure("exam_passed_last_year", "count"),
            Measure("holders", "count"),
            Measure("holders_per_10000", "per_10000", of=("holders", "residents")),
        ),
        "sat",
        provenance_of(exams, population),
        title=terms.text("notebooks.pass_rate_table", language, year=str(year)),
        chart="funnel" if year else "table",
    )
