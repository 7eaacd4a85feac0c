"""Certified workers in the years to come: a cohort model under stated rates of entry, pass and exit.

Those certified in one year are a cohort. Each year a cohort loses what its exit rate takes, and a new one enters:
candidates × pass rate × share placed. It is the cohort-component method of demography (Preston, Heuveline and Guillot
2001, Demography, chapter 6) with years since the certificate in the place of age and passes in that of births.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, EstimationError, Fault, ParameterError, nearest
from institute_lib.results import Result
from institute_lib.talent.checks import not_numbers, refuse, require

UNTIL = 2030
RATES = ("candidates", "growth", "pass_rate", "placed")
SHARES = ("pass_rate", "placed", "exit_rate")
BAND = (0.025, 0.975)
# What is counted, and per how many of whom: figures of different kinds are never set beside each other.
KINDS = {"certified": "residents", "community_workers": "urban_residents"}


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
class Projection(Result):
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

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def totals(self) -> pd.DataFrame:
        """All units together: scenario, year, expected, low, high."""
        summed = self.draws.groupby(["scenario", "year"], sort=False).sum()
        expected = self.frame.groupby(["scenario", "year"], sort=False)["expected"].sum()
        low, high = (summed.quantile(share, axis=1) for share in BAND)
        return pd.DataFrame({"expected": expected, "low": low, "high": high}).reset_index()

    def summary(self, language: str = "zh") -> str:
        """One sentence: where each scenario ends."""
        last = self.totals().query("year == year.max()")
        ends = [
            terms.text(
                "talent.projection_end",
                language,
                scenario=scenario_name(row["scenario"], language),
                expected=terms.number(row["expected"], language),
                interval=terms.interval(row["low"], row["high"], language, 0),
            )
            for row in last.to_dict("records")
        ]
        joined = ("；" if language == "zh" else "; ").join(ends)
        return terms.text("talent.projection", language, year=int(last["year"].iloc[0]), ends=joined)


def scenario_name(name: str, language: str) -> str:
    """A scenario in words, or its own name where the catalogue does not know it."""
    key = f"scenario_{name}"
    return terms.text(f"talent.{key}", language) if key in terms.catalogue("talent") else str(name)


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
    rng = np.random.default_rng(seed)
    years = range(start, until + 1)
    frames, cohorts, simulated = [], [], []
    for row in rates.to_dict("records"):
        key = {"unit": row["unit"], "scenario": row["scenario"]}
        opening = _opening(stock, row["unit"])
        leave = _exits(exits, row["unit"], row["scenario"], len(opening))
        path = _expected(opening, row, leave["exit_rate"].to_numpy(float), len(years))
        courses = _simulate(rng, opening, row, leave, years=len(years), draws=draws)
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
    rng: np.random.Generator, opening: np.ndarray, rates: dict, leave: pd.DataFrame, *, years: int, draws: int
) -> np.ndarray:
    """(years, draws): simulated totals. Each course keeps its own draw of the uncertain rates."""
    cohorts = len(opening) + years - 1
    passing = _uncertain(rng, np.full(draws, rates["pass_rate"]), rates.get("passes_known"))
    known = leave["known"].to_numpy(float)[:, None] if "known" in leave else None
    leaving = _uncertain(rng, np.tile(leave["exit_rate"].to_numpy(float)[:, None], (1, draws)), known)
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
