"""Certified workers in the years to come: a cohort model under stated rates of entry, pass and exit.

Those certified in one year are a cohort. Each year a cohort loses what its exit rate takes, and a new one enters:
candidates × pass rate × share placed. It is the cohort-component method of demography (Preston, Heuveline and Guillot
2001, Demography, chapter 6) with years since the certificate in the place of age and passes in that of births.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import areas, terms
from institute_lib.areas.reference import CENSUS
from institute_lib.errors import DataError, EstimationError, Fault, ParameterError, nearest
from institute_lib.result import Measure, Result, provenance_of
from institute_lib.tables.contracts import EXAM_LEVELS
from institute_lib.talent.checks import Framed, not_numbers, place_name, refuse, require, stated_once
from institute_lib.talent.community import COMMUNITY
from institute_lib.talent.examinations import check_exams

UNTIL = 2030
RATES = ("candidates", "growth", "pass_rate", "placed")
SHARES = ("pass_rate", "placed", "exit_rate")
BAND = (0.025, 0.975)
# What is counted, and per how many of whom: figures of different kinds are never set beside each other.
KINDS = {"certified": "residents", "community_workers": "urban_residents"}
YEARS = 3  # years whose mean rates a course keeps
OLDEST = 6  # years since the certificate from which exits are no longer told apart
TODAY, ELSEWHERE, RETENTION = "today", "suzhou", "retention"
# Names of the indicators in data/reference/other_facts.csv that state a target.
TARGETS = {
    "certified": ("talent.target_certified", "residents"),
    "community_workers": ("talent.target_community_workers", "urban_residents"),
}


@dataclass(frozen=True)
class Target:
    """A stated number per 10,000: of what ("certified" or "community_workers") and per whom (see `KINDS`)."""

    per_10000: float
    of: str
    per: str
    source: str = ""
    status: str = "read"

    def __post_init__(self) -> None:
        if self.of not in KINDS:
            raise ParameterError(f"target of {self.of!r}: {nearest(self.of, KINDS)}")
        if self.per != KINDS[self.of]:
            raise ParameterError(f"target of {self.of!r} per {self.per!r}: it is stated per 10,000 {KINDS[self.of]}")

    def persons(self, population: float | None) -> float:
        """The number of persons that meets the target.

        Raises:
            EstimationError: the population is not known.
        """
        if population is None or not population > 0:
            raise EstimationError(f"the target per 10,000 {self.per} has no denominator: their number is not published")
        return self.per_10000 * population / 10_000


@dataclass(frozen=True)
class Projection(Framed):
    """Persons by unit, scenario and year.

    `frame`: unit, scenario, year, expected (of the rates as stated), low, high (95 % of the simulated courses). Years
    begin with the opening stock. `cohorts`: unit, scenario, year, years_since, persons (expected). `draws`: unit,
    scenario, year by simulated course, for chances. `rates`: as they were given.
    """

    frame: pd.DataFrame
    cohorts: pd.DataFrame
    draws: pd.DataFrame
    rates: pd.DataFrame
    of: str
    start: int
    warnings: tuple[str, ...] = ()

    def totals(self) -> pd.DataFrame:
        """All units together: scenario, year, expected, low, high."""
        summed = self.draws.groupby(["scenario", "year"], sort=False).sum()
        expected = self.frame.groupby(["scenario", "year"], sort=False)["expected"].sum()
        low, high = (summed.quantile(share, axis=1) for share in BAND)
        return pd.DataFrame({"expected": expected, "low": low, "high": high}).reset_index()


def project(
    stock: pd.DataFrame,
    rates: pd.DataFrame,
    exits: pd.DataFrame,
    *,
    start: int,
    until: int = UNTIL,
    of: str = "certified",
    draws: int = 1000,
    seed: int = 0,
) -> Projection:
    """The course of each unit under each scenario.

    Args:
        stock: unit, years_since (0 for those certified in the year `start`), persons at the end of `start`.
        rates: one row a unit and scenario: candidates (persons sitting in the year after `start`), growth (of
            candidates, yearly share), pass_rate, placed (share of passes who become part of the stock). Optional:
            passes_known (candidates behind the pass rate) makes the band carry its uncertainty.
        exits: exit_rate by scenario, years_since (the last one holds for all beyond) and, optionally, unit: the share
            of those in that year that has left a year later. Optional: known (persons behind the rate).
        until: the last year.
        draws: simulated courses: candidates are Poisson, passes, placements and exits binomial.

    Raises:
        DataError: columns, negative numbers, shares above 1, a unit without stock or a scenario without exit rates.
        ParameterError: `until` not after `start`, or an unknown kind.
    """
    if of not in KINDS:
        raise ParameterError(f"projection of {of!r}: {nearest(of, KINDS)}")
    if until <= start:
        raise ParameterError(f"until {until}: a year after the stock's own, {start}")
    _check(stock, rates, exits)
    years = range(start, until + 1)
    frames, cohorts, simulated = [], [], []
    for row in rates.to_dict("records"):
        key = {"unit": row["unit"], "scenario": row["scenario"]}
        opening = _opening(stock, row["unit"])
        leave = _exits(exits, row["unit"], row["scenario"], len(opening))
        path = _expected(opening, row, leave["exit_rate"].to_numpy(float), len(years))
        # Units of one scenario share the draws of its rates, so that their sum is as uncertain as those; what befalls
        # the persons of a unit is its own, and the same in whatever company it is projected.
        shared, own = (
            np.random.default_rng([seed, zlib.crc32(name.encode())])
            for name in (str(row["scenario"]), f"{row['unit']} {row['scenario']}")
        )
        courses = _simulate(shared, own, opening, row, leave, years=len(years), draws=draws)
        low, high = np.quantile(courses, BAND, axis=1)
        frames.append(pd.DataFrame({**key, "year": years, "expected": path.sum(axis=1), "low": low, "high": high}))
        cohorts.append(_long(path, key, start))
        simulated.append(pd.DataFrame(courses, index=_index(key, years)))
    return Projection(
        frame=pd.concat(frames, ignore_index=True),
        cohorts=pd.concat(cohorts, ignore_index=True),
        draws=pd.concat(simulated),
        rates=rates.copy(),
        of=of,
        start=start,
    )


def _check(stock: pd.DataFrame, rates: pd.DataFrame, exits: pd.DataFrame) -> None:
    require(stock, ("unit", "years_since", "persons"), table="stock")
    require(rates, ("unit", "scenario", *RATES), table="rates")
    require(exits, ("scenario", "years_since", "exit_rate"), table="exits")
    growth = [
        Fault("rates", place + 2, "growth", value, "a share above -1")
        for place, value in enumerate(rates["growth"])
        if not value > -1
    ]
    refuse("stock", not_numbers(stock, ("years_since", "persons"), table="stock"))
    refuse("rates", not_numbers(rates, ("candidates", "pass_rate", "placed"), table="rates"), growth, _shares(rates))
    refuse("exits", not_numbers(exits, ("years_since", "exit_rate"), table="exits"), _shares(exits))
    for unit in dict.fromkeys(rates["unit"]):
        if unit not in set(stock["unit"]):
            raise DataError(f"rates: unit {unit!r} has no stock; its stock may be 0 persons, but must be given")


def _shares(frame: pd.DataFrame) -> list[Fault]:
    table = "exits" if "exit_rate" in frame else "rates"
    return [
        Fault(table, place + 2, name, value, "a share, 0 to 1")
        for name in SHARES
        if name in frame
        for place, value in enumerate(frame[name])
        if not value <= 1
    ]


def _opening(stock: pd.DataFrame, unit: object) -> np.ndarray:
    own = stock[stock["unit"] == unit]
    since = own["years_since"].astype(int)
    return np.bincount(since, weights=own["persons"].astype(float), minlength=1)


def _exits(exits: pd.DataFrame, unit: object, scenario: object, cohorts: int) -> pd.DataFrame:
    """The exit rate of each year since the certificate, from 0 to the oldest cohort of the opening stock at least."""
    own = exits[exits["scenario"] == scenario]
    if "unit" in own:
        own = own[(own["unit"] == unit) | own["unit"].isna()]
    if own.empty:
        raise DataError(f"exits: scenario {scenario!r} of unit {unit!r} has no exit rates")
    own = own.set_index(own["years_since"].astype(int)).sort_index()
    if own.index.duplicated().any():
        raise DataError(f"exits: years_since {own.index[own.index.duplicated()][0]} stands twice for {scenario!r}")
    last = max(own.index.max() + 1, cohorts)
    return own.reindex(range(last)).bfill().ffill()


def _leaving(rate: np.ndarray, cohorts: int) -> np.ndarray:
    return np.append(rate, np.repeat(rate[-1], max(cohorts - len(rate), 0)))[:cohorts]


def _expected(opening: np.ndarray, rates: dict, exit_rate: np.ndarray, years: int) -> np.ndarray:
    """(years, cohorts): expected persons by years since the certificate."""
    path = np.zeros((years, len(opening) + years - 1))
    path[0, : len(opening)] = opening
    stay = 1 - _leaving(exit_rate, path.shape[1])
    for year in range(1, years):
        path[year, 1:] = (path[year - 1] * stay)[:-1]
        path[year, 0] = entrants(rates, year)
    return path


def entrants(rates: dict, year: int) -> float:
    """Expected new persons in a year, 1 being the first after the opening stock's."""
    candidates = rates["candidates"] * (1 + rates["growth"]) ** (year - 1)
    return candidates * rates["pass_rate"] * rates["placed"]


def _simulate(
    shared: np.random.Generator,
    rng: np.random.Generator,
    opening: np.ndarray,
    rates: dict,
    leave: pd.DataFrame,
    *,
    years: int,
    draws: int,
) -> np.ndarray:
    """(years, draws): simulated totals. Each course keeps its own draw of the uncertain rates."""
    cohorts = len(opening) + years - 1
    passing = _uncertain(shared, np.full(draws, rates["pass_rate"]), rates.get("passes_known"))
    known = leave["known"].to_numpy(float)[:, None] if "known" in leave else None
    leaving = _uncertain(shared, np.tile(leave["exit_rate"].to_numpy(float)[:, None], (1, draws)), known)
    leaving = np.vstack([leaving, np.tile(leaving[-1:], (max(cohorts - len(leaving), 0), 1))])[:cohorts]
    persons = np.zeros((cohorts, draws), dtype=np.int64)
    persons[: len(opening)] = np.round(opening).astype(np.int64)[:, None]
    totals = [persons.sum(axis=0)]
    for year in range(1, years):
        persons[1:] = (persons - rng.binomial(persons, leaving))[:-1]
        candidates = rng.poisson(rates["candidates"] * (1 + rates["growth"]) ** (year - 1), draws)
        persons[0] = rng.binomial(rng.binomial(candidates, passing), rates["placed"])
        totals.append(persons.sum(axis=0))
    return np.array(totals)


def _uncertain(rng: np.random.Generator, share: np.ndarray, known: float | np.ndarray | None) -> np.ndarray:
    """Shares drawn from their posterior, given on how many persons each rests (Jeffreys' prior); else as stated."""
    if known is None or not np.all(np.isfinite(known)):
        return share
    return rng.beta(share * known + 0.5, (1 - share) * known + 0.5)


def _index(key: dict, years: Sequence[int]) -> pd.MultiIndex:
    return pd.MultiIndex.from_product([[key["unit"]], [key["scenario"]], years], names=["unit", "scenario", "year"])


def _long(path: np.ndarray, key: dict, start: int) -> pd.DataFrame:
    year, since = np.indices(path.shape)
    frame = pd.DataFrame({"year": start + year.ravel(), "years_since": since.ravel(), "persons": path.ravel()})
    return frame.assign(**key)[[*key, "year", "years_since", "persons"]]


# The rates of a projection, from the registers.


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
    among: Sequence[str] | None = None,
) -> Courses:
    """Courses of certified workers in post, from year-end counts of the last three years.

    Exits: of those certified and in post at a year's end, who is not in the city a year later, by years since the
    certificate. Entries: candidates of the last year, the mean pass rate, and newly certified in post over passes
    (`placed`). Districts of a city share its rates and differ in stock and candidates, so that a district's course is
    the same whether it is asked for alone or with the others, and the city's is that of its districts.

    Args:
        exams, workers, changes: the contract's tables, of both areas.
        at: a day; the last whole year by then is the stock's.
        here, elsewhere: district codes of the area, and of the city whose course is tried: its candidates per resident,
            pass rate, placement and exits.
        population: code, population by district, needed for `elsewhere`.
        retention_points: percentage points taken off every exit rate in the scenario "retention"; 0 for none.
        among: the districts whose rates are shared; None for all of the city that the tables hold.

    Raises:
        DataError: examinations or tables that cannot be.
    """
    check_exams(exams)
    require(workers, ("worker_id", "district", "entered", "left"), table="workers")
    require(changes, ("worker_id", "date", "certificate"), table="worker_changes")
    start, codes = _last_year(at), list(here)
    spells = _certified_spells(workers, changes)
    city = [one.code for one in areas.districts(areas.city_of(codes[0]))] if among is None else list(among)
    own = _rates(exams, _snapshots(spells, city, start), city, start)
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


# What it takes to reach a stated target.


def reaching(projection: Projection, target: Target, *, population: float | None) -> pd.DataFrame:
    """When each scenario reaches a target, and what number of passes a year would reach it by the last year.

    All units together are compared. A yearly number p of persons who join adds p × (1 + s₁ + s₁s₂ + …) by the horizon,
    with the scenario's survival s, so that the number needed is solved exactly.

    Args:
        population: residents of the kind that the target is stated per.

    Returns:
        scenario, target (persons), expected (at the horizon), reached_in (first year at or above the target; NaN where
        none up to the horizon is), chance (share of simulated courses at or above it at the horizon), joining_needed
        (persons a year who join the stock, from the first year on, for the target at the horizon), passes_needed
        (passes a year that bring so many, at the scenario's placement).

    Raises:
        ParameterError: the target counts another kind of person than the projection.
        EstimationError: the population is not known.
    """
    if target.of != projection.of:
        raise ParameterError(
            f"a target of {target.of!r} says nothing about a projection of {projection.of!r}: "
            "they count different persons and are never set on one axis"
        )
    persons = target.persons(population)
    totals = projection.totals()
    horizon = int(totals["year"].max())
    if horizon <= projection.start:
        raise EstimationError("the projection holds no year after its opening stock")
    rows = [
        _reached(projection, scenario, path.set_index("year")["expected"], persons, horizon)
        for scenario, path in totals.groupby("scenario", sort=False)
    ]
    return pd.DataFrame(rows)


def _reached(
    projection: Projection, scenario: object, expected: pd.Series, persons: float, horizon: int
) -> dict[str, object]:
    reached = expected.index[expected >= persons]
    courses = projection.draws.xs((scenario, horizon), level=("scenario", "year")).sum().to_numpy()
    joining = _needed(projection, scenario, persons, horizon)
    return {
        "scenario": scenario,
        "target": persons,
        "expected": expected[horizon],
        "reached_in": float(reached[0]) if len(reached) else float("nan"),
        "chance": float(np.mean(courses >= persons)),
        "joining_needed": joining,
        "passes_needed": joining / _placed(projection.rates, scenario),
    }


def _placed(rates: pd.DataFrame, scenario: object) -> float:
    """Of a scenario's passes, the share that joins the stock, all units together; NaN where nobody would pass."""
    own = rates[rates["scenario"] == scenario]
    passes = own["candidates"] * own["pass_rate"]
    share = float((passes * own["placed"]).sum() / passes.sum()) if passes.sum() > 0 else 0.0
    return share if share > 0 else float("nan")


def _needed(projection: Projection, scenario: object, persons: float, horizon: int) -> float:
    """Persons a year, the same number each year, that bring the expected total to the target at the horizon."""
    own = projection.cohorts[projection.cohorts["scenario"] == scenario]
    by_cohort = own.assign(cohort=own["year"] - own["years_since"]).groupby(["cohort", "year"])["persons"].sum()
    entered = by_cohort.unstack("year")
    old = entered.index <= projection.start
    stayed = float(entered.loc[old, horizon].sum())
    joined = np.diag(entered.loc[~old, entered.columns > projection.start])
    kept = entered.loc[~old, horizon].to_numpy()
    if not (joined > 0).all():
        return float("nan")
    return max(persons - stayed, 0.0) / float((kept / joined).sum())


# Results: what a notebook shows. Who is projected is a person; so is who is counted.


@dataclass(frozen=True)
class Outlook:
    """Certified workers in post in the years to come, of an area and of the districts of its city.

    Attributes:
        course: by scenario and year, of the area; None where the registers do not reach back far enough.
        ends: by district, scenario and year; None likewise.
        why: why there is none, for the section on methods.
    """

    course: Result | None
    ends: Result | None
    why: str = ""


def outlook(
    exams: pd.DataFrame,
    workers: pd.DataFrame,
    changes: pd.DataFrame,
    *,
    at: str,
    area: Sequence[str],
    among: Sequence[str],
    population: pd.DataFrame,
    beside: str = "320500",
    retention_points: float = 0.0,
    language: str = "zh",
) -> Outlook:
    """The projection of `worker_courses` to 2030: every district of the city once, each brief showing its own.

    Parameters:
        exams, workers, changes: of the whole province. at: an ISO day.
        area: the districts asked about. among: those of the city that have reported, which are all projected.
        beside: the city whose course is tried too.
        retention_points: percentage points off every exit rate in the scenario of better retention.

    Returns:
        Outlook: figures are expected persons with the band that holds 95 % of simulated courses. The opening stock is a
        count and not shown here.
    """
    here = list(among)
    elsewhere = [one.code for one in areas.districts(beside)] if beside != areas.city_of(here[0]) else []
    points = {"retention_points": retention_points, "population": population, "among": here}
    courses = worker_courses(exams, workers, changes, at=at, here=here, elsewhere=elsewhere, **points)
    if not courses.known:
        return Outlook(None, None, "talent.projection_too_early")
    found = project(courses.stock, courses.rates, courses.exits, start=courses.start)
    stock = courses.stock.groupby("unit")["persons"].sum()
    provenance = provenance_of(exams, workers, changes, population)
    measures = (Measure("expected", "number", digits=0, interval="given"),)
    own = [code for code in area if code in here]
    course = _band(found, own, start=courses.start) if own else None
    by_district = pd.concat(
        [_band(found, [code], start=courses.start).assign(district=code) for code in here], ignore_index=True
    )
    last = str(found.frame["year"].max())

    def said(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
        parts = {}
        for name in (TODAY, RETENTION, ELSEWHERE):
            figures = (shown.figure(one, scenario=name, year=last) for one in ("expected", "ci_low", "ci_high"))
            parts[name], low, high = figures
            parts[f"{name}_interval"] = (low, high)
        key = "projection_beside" if parts[ELSEWHERE].state != "missing" else "projection"
        return [(f"talent.{key}", {"year": last, "area": place_name(own, language), **parts})]

    return Outlook(
        None
        if course is None
        else Result(
            course.assign(persons=float(stock[own].sum())),
            ("scenario", "year"),
            measures,
            "persons",
            provenance,
            title="notebooks.projection_table",
            chart="trend",
            look={"band": "simulation"},
            sentence=said,
        ),
        Result(
            by_district.assign(persons=by_district["district"].map(stock).astype(float)),
            ("district", "scenario", "year"),
            measures,
            "persons",
            provenance,
            title="notebooks.projection_units",
            chart="multiples",
        ),
    )


def _band(found: Projection, units: Sequence[str], *, start: int) -> pd.DataFrame:
    """Scenario, year, expected with its band, of some units together in the years after `start`."""
    draws = found.draws[found.draws.index.get_level_values("unit").isin(list(units))]
    frame = found.frame[found.frame["unit"].isin(list(units))]
    whole = Projection(frame, found.cohorts, draws, found.rates, found.of, found.start).totals()
    whole = whole[whole["year"] > start].rename(columns={"low": "expected_low", "high": "expected_high"})
    return whole.assign(year=whole["year"].astype(int).astype(str)).reset_index(drop=True)


def against_targets(
    exams: pd.DataFrame,
    workers: pd.DataFrame,
    *,
    at: str,
    area: str,
    districts: Sequence[str],
    population: pd.DataFrame,
    target: float = 0.0,
) -> Result:
    """Holders of a certificate and community workers beside the number per 10,000 that is stated for each.

    They count different persons per 10,000 different residents, so that they stand in two rows and on no common axis.

    Parameters:
        exams: of the area, every district. workers: of the area's districts that reported.
        area: its code, for its urban residents. districts: those of the exams, whose residents are counted.
        target: holders per 10,000 residents aimed at; 0 for the stated one.

    Returns:
        Result by target_of ("certified", "community_workers"): counted, residents, per_10000, stated_target; of holders
        also target_persons, expected (persons at the horizon by today's course), chance_percent (of reaching the target
        by then) and passes_needed (a year).
    """
    stated = targets()
    if target:
        stated["certified"] = Target(target, "certified", "residents")
    residents = float(population.loc[population["code"].isin(list(districts)), "population"].sum())
    held = exams[exams["passed"].astype(bool) & (exams["exam_date"] <= at)]
    census = areas.reference("population_2020")
    urban = census[(census["code"] == area) & census["unit"].str.endswith(terms.text("talent.urban_unit", "zh"))]
    day = pd.Timestamp(at)
    here = workers[(workers["entered"] <= day) & ~(workers["left"] <= day) & (workers["kind"] == COMMUNITY)]
    rows = [
        ("certified", held["candidate_id"].nunique(), residents),
        ("community_workers", here["worker_id"].nunique(), float(urban[CENSUS].iloc[0]) if len(urban) else math.nan),
    ]
    frame = pd.DataFrame(rows, columns=["target_of", "counted", "residents"])
    frame["per_10000"] = 10_000 * frame["counted"] / frame["residents"]
    frame["stated_target"] = [stated[name].per_10000 for name in frame["target_of"]]
    reach = ["target_persons", "expected", "chance_percent", "passes_needed"]
    frame[reach] = math.nan
    courses = holder_courses(exams, at=at, here=districts)
    horizon, reached = "", math.nan
    if courses.known:
        found = project(courses.stock, courses.rates, courses.exits, start=courses.start)
        row = reaching(found, stated["certified"], population=residents).iloc[0]
        horizon, reached = str(found.frame["year"].max()), row["reached_in"]
        frame.loc[0, reach] = [row["target"], row["expected"], 100 * row["chance"], row["passes_needed"]]

    def said(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
        names = ("per_10000", "stated_target", "target_persons", "expected", "chance_percent", "passes_needed")
        words = {name: shown.figure(name, target_of="certified") for name in names}
        if not horizon:
            return [("talent.reaching_unknown", words)]
        now = frame["per_10000"].iloc[0] >= frame["stated_target"].iloc[0]
        key = "already" if now else "not" if math.isnan(reached) else "then"
        year = at[:4] if now else horizon if math.isnan(reached) else str(int(reached))
        return [(f"talent.reaching_{key}", {**words, "horizon": horizon, "year": year})]

    return Result(
        frame,
        ("target_of",),
        (
            Measure("counted", "count"),
            Measure("residents", "count", counts="residents"),
            Measure("per_10000", "per_10000", of=("counted", "residents")),
            Measure("stated_target", "number", digits=1),
            Measure("target_persons", "number", digits=0),
            Measure("expected", "number", digits=0),
            Measure("chance_percent", "number", digits=0),
            Measure("passes_needed", "number", digits=0),
        ),
        "counted",
        provenance_of(exams, workers, population, census),
        title="notebooks.reach_table",
        notes=("talent.targets_apart",),
        sentence=said,
    )
