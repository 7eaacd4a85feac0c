"""Small draws for simulation studies and exercises: true effects known, no published figure met."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from institute_lib.demo import hazard
from institute_lib.demo.careers import simulate
from institute_lib.demo.facts import third_saturday_of_june
from institute_lib.demo.people import STOCK_SHARE, YEARLY_ENTRIES, draw_people
from institute_lib.demo.policies import programme
from institute_lib.demo.quarters import COUNT, QUARTERS, YEARS, stream
from institute_lib.errors import ParameterError

EXPECTED_PER_PLACE = STOCK_SHARE + YEARLY_ENTRIES * COUNT / 4
SUBSIDY_YUAN = 150.0


def draw_person_quarters(seed: int, *, n: int = 2_000, units: int = 40) -> pd.DataFrame:
    """Person-quarters at risk from the planted hazard (`hazard` in `truth.toml`), over the demo's 28 quarters.

    Args:
        seed: of the draw.
        n: expected number of persons; the number drawn is Poisson.
        units: clusters they work in, of equal size. A third of them pays a subsidy from the start on, else the
            subsidy would not vary.

    Returns:
        One row a person and quarter: person, unit, quarter, event (left within the quarter), and every driver of
        `hazard.DRIVERS` as an ordered level, the reference first. Left truncated: those employed at the start entered
        before it.

    Raises:
        ParameterError: fewer persons than units, or fewer than three units.
    """
    if units < 3 or n < units:
        raise ParameterError(f"n {n!r}, units {units!r}: at least three units, and as many persons as units")
    rng = stream(seed, "person_quarters")
    counties = pd.DataFrame({"size": n / units / EXPECTED_PER_PLACE, "pay_level": 1.0}, index=range(units))
    rules = programme((), units)
    rules.loc[: units // 3, "start"] = pd.Timestamp("2019-01-01")
    rules.loc[: units // 3, "subsidy"] = SUBSIDY_YUAN
    everyone = draw_people(rng, counties)
    exam_days = np.array([third_saturday_of_june(year) for year in YEARS])
    careers = simulate(everyone, rules, exam_days)
    person, quarter = np.nonzero(careers.at_risk(everyone))
    codes = hazard.driver_codes(careers.drivers(everyone, person, quarter))
    levels = {name: pd.Categorical.from_codes(codes[name], hazard.levels(name), ordered=True) for name in codes}
    return pd.DataFrame(
        {
            "person": person,
            "unit": everyone.county[person],
            "quarter": np.array(QUARTERS)[quarter],
            "event": careers.exit[person] == quarter,
            **levels,
        }
    )


def draw_panel(
    seed: int,
    *,
    units: int = 95,
    periods: int = 24,
    cohorts: Mapping[int, int] | None = None,
    effect: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    noise: float = 0.02,
    persistence: float = 0.5,
    size_spread: float = 0.8,
    treat: str = "random",
) -> pd.DataFrame:
    """A balanced panel with both potential outcomes of every unit and period.

    The untreated outcome is a unit's level, plus a common path, plus a first-order autoregression whose spread falls
    with the square root of the unit's size: small units are noisier.

    Args:
        seed: of the draw.
        units, periods: its shape; periods count from 1.
        cohorts: first treated period to number of units; the rest are never treated. None: three cohorts of an eighth
            of the units each.
        effect: of (cohort's first period, periods since then, 0 in the first), vectorised; None: 0.02 in the first
            period, growing by 0.005 a period, more for earlier cohorts.
        noise: standard deviation of the autoregression for a unit of median size.
        persistence: its coefficient, from 0 to below 1.
        size_spread: standard deviation of log size.
        treat: "random" units, or the "largest" ones.

    Returns:
        unit, period, size, treated_from (missing if never), untreated, effect (0 where not treated), outcome
        (untreated + effect). `.attrs["att"]` is the mean effect over treated unit-periods.

    Raises:
        ParameterError: more treated units than units, a cohort outside the periods, or an unknown `treat`.
    """
    cohorts = dict(cohorts) if cohorts is not None else {periods // 3 * k // 2 + 2: units // 8 for k in (1, 2, 3)}
    _check_panel(units, periods, cohorts, treat)
    rng = stream(seed, "panel")
    size = np.exp(rng.normal(0, size_spread, units))
    treated_from = _adoption(rng, size, cohorts, treat)
    shocks = _autoregression(rng, units, periods, persistence) * (noise / np.sqrt(size))[:, None]
    path = np.cumsum(rng.normal(0.004, 0.005, periods))
    untreated = rng.normal(0.4, 0.08, units)[:, None] + path[None, :] + shocks
    since = np.arange(1, periods + 1)[None, :] - treated_from[:, None]
    grown = (effect or _growing_effect)(np.broadcast_to(treated_from[:, None], since.shape), since)
    true = np.where(since >= 0, grown, 0.0)
    frame = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(units), periods),
            "period": np.tile(np.arange(1, periods + 1), units),
            "size": np.repeat(size, periods),
            "treated_from": pd.array(np.repeat(treated_from, periods), dtype="Int64"),
            "untreated": untreated.ravel(),
            "effect": true.ravel(),
            "outcome": (untreated + true).ravel(),
        }
    )
    frame.attrs = {"att": float(true[since >= 0].mean()) if cohorts else 0.0, "seed": seed}
    return frame


def _adoption(rng: np.random.Generator, size: np.ndarray, cohorts: Mapping[int, int], treat: str) -> np.ndarray:
    """Each unit's first treated period, missing if never."""
    order = np.argsort(-size) if treat == "largest" else rng.permutation(len(size))
    treated_from = np.full(len(size), np.nan)
    treated_from[order[: sum(cohorts.values())]] = np.repeat(list(cohorts), list(cohorts.values()))
    return treated_from


def _growing_effect(first: np.ndarray, since: np.ndarray) -> np.ndarray:
    return (0.02 + 0.005 * since) * (1 + 2 / first)


def _check_panel(units: int, periods: int, cohorts: Mapping[int, int], treat: str) -> None:
    if treat not in ("random", "largest"):
        raise ParameterError(f"treat {treat!r}: 'random' or 'largest'")
    if sum(cohorts.values()) > units:
        raise ParameterError(f"cohorts {dict(cohorts)!r}: {sum(cohorts.values())} treated units of {units}")
    outside = [first for first in cohorts if not 1 <= first <= periods]
    if outside:
        raise ParameterError(f"cohorts start in {outside}: periods run from 1 to {periods}")


def _autoregression(rng: np.random.Generator, units: int, periods: int, persistence: float) -> np.ndarray:
    """Stationary, with standard deviation one."""
    shocks = rng.normal(0, 1, (units, periods))
    series = shocks.copy()
    for period in range(1, periods):
        series[:, period] = persistence * series[:, period - 1] + np.sqrt(1 - persistence**2) * shocks[:, period]
    return series
