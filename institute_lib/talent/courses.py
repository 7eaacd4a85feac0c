"""The rates of a projection, estimated from the registers: today's course, another city's, and better retention."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import areas, terms
from institute_lib.errors import EstimationError
from institute_lib.tables.contracts import EXAM_LEVELS
from institute_lib.talent.checks import require, stated_once
from institute_lib.talent.examinations import check_exams
from institute_lib.talent.projection import Target

YEARS = 3  # years whose mean rates a course keeps
OLDEST = 6  # years since the certificate from which exits are no longer told apart
TODAY, ELSEWHERE, RETENTION = "today", "suzhou", "retention"
# Names of the indicators in data/reference/other_facts.csv that state a target.
TARGETS = {
    "certified": ("talent.target_certified", "residents"),
    "community_workers": ("talent.target_community_workers", "urban_residents"),
}


@dataclass(frozen=True)
class Courses:
    """What `project` takes: stock, rates and exits of each unit and scenario; `start` is the stock's year.

    Empty frames, and a warning that says why, where the registers do not reach back far enough.
    """

    stock: pd.DataFrame
    rates: pd.DataFrame
    exits: pd.DataFrame
    start: int
    of: str = "certified"
    warnings: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether there is anything to project."""
        return len(self.rates) > 0


def targets(facts: pd.DataFrame | None = None) -> dict[str, Target]:
    """The stated targets, by what they count, as the reference file gives them with their source and status.

    Args:
        facts: `areas.reference("other_facts")`; None reads it.

    Raises:
        DataError: a target is missing.
    """
    facts = areas.reference("other_facts") if facts is None else facts
    found = {}
    for of, (key, per) in TARGETS.items():
        row = stated_once(facts, terms.text(key, "zh"))
        found[of] = Target(float(row["amount"]), of, per, str(row["source"]), str(row["status"]))
    return found


def worker_courses(
    exams: pd.DataFrame,
    workers: pd.DataFrame,
    changes: pd.DataFrame,
    *,
    at: str,
    here: Sequence[str],
    elsewhere: Sequence[str] = (),
    population: pd.DataFrame | None = None,
    retention_points: float = 0.0,
) -> Courses:
    """Courses of certified workers in post, from year-end counts of the last three years.

    Exits: of those certified and in post at a year's end, who is not in the area a year later, by years since the
    certificate. Entries: candidates of the last year, the mean pass rate, and newly certified in post over passes
    (`placed`), all of the area together. Districts of a city share its rates and differ in stock and candidates.

    Args:
        exams, workers, changes: the contract's tables, of both areas.
        at: a day; the last whole year by then is the stock's.
        here, elsewhere: district codes of the area, and of the city whose course is tried: its candidates per resident,
            pass rate, placement and exits.
        population: code, population by district, needed for `elsewhere`.
        retention_points: percentage points taken off every exit rate in the scenario "retention"; 0 for none.

    Raises:
        DataError: examinations or tables that cannot be.
    """
    check_exams(exams)
    require(workers, ("worker_id", "district", "entered", "left"), table="workers")
    require(changes, ("worker_id", "date", "certificate"), table="worker_changes")
    start, codes = _last_year(at), list(here)
    spells = _certified_spells(workers, changes)
    own = _rates(exams, _snapshots(spells, codes, start), codes, start)
    if own is None:
        return _nothing(start, "the registers hold no two year-ends with certified workers and an examination between")
    stock = _stock(spells, codes, start)
    rates = [_by_unit(exams, codes, start, own, TODAY)]
    exits = [own["exits"].assign(scenario=TODAY)]
    other = _rates(exams, _snapshots(spells, list(elsewhere), start), list(elsewhere), start) if elsewhere else None
    if other is not None and population is not None:
        rates.append(_per_resident(exams, codes, list(elsewhere), start=start, found=other, population=population))
        exits.append(other["exits"].assign(scenario=ELSEWHERE))
    if retention_points:
        lower = (own["exits"]["exit_rate"] - retention_points / 100).clip(lower=0)
        rates.append(rates[0].assign(scenario=RETENTION))
        exits.append(own["exits"].assign(scenario=RETENTION, exit_rate=lower))
    return Courses(stock, pd.concat(rates, ignore_index=True), pd.concat(exits, ignore_index=True), start)


def holder_courses(exams: pd.DataFrame, *, at: str, here: Sequence[str]) -> Courses:
    """The course of persons who hold a certificate, in post or not: what a target per 10,000 residents counts.

    No register records that a certificate lapses, so nobody exits; the number is of certificates ever earned.

    Args:
        exams: the contract's table with candidate_id.
        at: a day; the last whole year by then is the stock's.
        here: district codes.

    Raises:
        DataError: examinations that cannot be.
    """
    check_exams(exams)
    require(exams, ("candidate_id",), table="exams")
    start, codes = _last_year(at), list(here)
    years = exams["exam_date"].dt.year
    own = exams[exams["district"].isin(codes) & (years <= start)].assign(year=years)
    first = own[own["passed"].astype(bool)].sort_values("exam_date").drop_duplicates("candidate_id")
    recent = own[~own["stock"].astype(bool) & (own["year"] > start - YEARS)]
    if recent.empty or not (recent["year"] == start).any():
        return _nothing(start, f"no examination of {start} is on record")
    new = first[~first["stock"].astype(bool) & (first["year"] > start - YEARS)]
    counted = first.assign(years_since=start - first["year"]).groupby(["district", "years_since"]).size()
    stock = counted.rename("persons").rename_axis(["unit", "years_since"]).reset_index()
    stock = pd.concat([stock, _zeros(codes)], ignore_index=True)
    sat, passed = float(recent["sat"].sum()), float(recent["passed"].sum())
    found = {"pass_rate": passed / sat, "passes_known": sat, "placed": min(len(new) / passed, 1.0) if passed else 0.0}
    exits = pd.DataFrame({"scenario": [TODAY], "years_since": [0], "exit_rate": [0.0]})
    return Courses(stock, _by_unit(exams, codes, start, found, TODAY), exits, start)


def _last_year(at: str) -> int:
    day = pd.Timestamp(at) + pd.Timedelta(days=1)
    return day.year - 1


def _nothing(start: int, why: str) -> Courses:
    columns = ["unit", "scenario", "candidates", "growth", "pass_rate", "placed"]
    return Courses(pd.DataFrame(), pd.DataFrame(columns=columns), pd.DataFrame(), start, warnings=(why,))


def _certified_spells(workers: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Spells of workers who are certified at some time, from the first day on which both hold."""
    certified = changes[changes["certificate"].isin(EXAM_LEVELS)].groupby("worker_id")["date"].min()
    spells = workers[["worker_id", "district", "entered", "left"]].merge(certified.rename("certified"), on="worker_id")
    return spells.assign(since=spells[["entered", "certified"]].max(axis=1))


def _in_post(spells: pd.DataFrame, codes: Sequence[str], year: int) -> pd.DataFrame:
    """Certified and in post at a year's end, each person once, with the year of the certificate."""
    day = pd.Timestamp(year, 12, 31)
    there = spells["district"].isin(codes) & (spells["since"] <= day) & ~(spells["left"] <= day)
    found = spells[there].sort_values("since").drop_duplicates("worker_id", keep="last")
    return found.assign(years_since=(year - found["certified"].dt.year).clip(lower=0))


def _snapshots(spells: pd.DataFrame, codes: Sequence[str], start: int) -> dict[int, pd.DataFrame]:
    return {year: _in_post(spells, codes, year) for year in range(start - YEARS, start + 1)}


def _rates(exams: pd.DataFrame, posts: dict[int, pd.DataFrame], codes: list[str], start: int) -> dict | None:
    """Exits, pass rate and placement over the years whose both ends hold certified workers; None without one."""
    years = [year for year in range(start - YEARS + 1, start + 1) if len(posts[year - 1])]
    open_exams = exams[~exams["stock"].astype(bool) & exams["district"].isin(codes)]
    held = open_exams[open_exams["exam_date"].dt.year.isin(years)]
    sat, passed = float(held["sat"].sum()), float(held["passed"].sum())
    if not years or not passed or not (held["exam_date"].dt.year == start).any():
        return None
    new = sum((~posts[year]["worker_id"].isin(posts[year - 1]["worker_id"])).sum() for year in years)
    gone = pd.concat(
        posts[year - 1].assign(gone=~posts[year - 1]["worker_id"].isin(posts[year]["worker_id"])) for year in years
    )
    grouped = gone.assign(years_since=gone["years_since"].clip(upper=OLDEST)).groupby("years_since")["gone"]
    exits = grouped.agg(exit_rate="mean", known="count").reset_index()
    return {"exits": exits, "pass_rate": passed / sat, "passes_known": sat, "placed": min(new / passed, 1.0)}


def _stock(spells: pd.DataFrame, codes: list[str], start: int) -> pd.DataFrame:
    counted = _in_post(spells, codes, start).groupby(["district", "years_since"]).size()
    stock = counted.rename("persons").rename_axis(["unit", "years_since"]).reset_index()
    return pd.concat([stock, _zeros(codes)], ignore_index=True)


def _zeros(codes: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"unit": codes, "years_since": 0, "persons": 0})


def _candidates(exams: pd.DataFrame, codes: list[str], start: int) -> pd.Series:
    """Who sat in the year, by district."""
    held = exams[~exams["stock"].astype(bool) & (exams["exam_date"].dt.year == start)]
    return held.groupby("district")["sat"].sum().reindex(codes).fillna(0).astype(float)


def _by_unit(exams: pd.DataFrame, codes: list[str], start: int, found: dict, scenario: str) -> pd.DataFrame:
    rates = {name: found[name] for name in ("pass_rate", "placed", "passes_known")}
    candidates = _candidates(exams, codes, start)
    return pd.DataFrame(
        {"unit": codes, "scenario": scenario, "candidates": candidates.to_numpy(), "growth": 0.0, **rates}
    )


def _per_resident(
    exams: pd.DataFrame, codes: list[str], elsewhere: list[str], *, start: int, found: dict, population: pd.DataFrame
) -> pd.DataFrame:
    """The other city's candidates per resident, times the residents here, with its rates."""
    residents = population.set_index("code")["population"].astype(float)
    if not set(codes) | set(elsewhere) <= set(residents.index):
        raise EstimationError("another city's course needs the residents of every district of both")
    per = _candidates(exams, elsewhere, start).sum() / residents[elsewhere].sum()
    rates = _by_unit(exams, codes, start, found, ELSEWHERE)
    return rates.assign(candidates=np.asarray(residents[codes]) * per)
