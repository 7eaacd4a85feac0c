"""How often intervals cover and tests reject in simulated draws, printed whatever it is.

Seeds are fixed: draw number k has seed k. The hazard's draws come from the planted hazard of the demo; the pilot's are
panels without an effect whose units differ in size and noise, one of them called treated: a random one, or the largest.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context

import numpy as np
from scipy import stats

from institute_lib import demo, kernels, policy, retention
from institute_lib.errors import EstimationError
from tests.bench.lines import Rate
from tests.bench.timing import steps

DRAWS, MANY_DRAWS = 200, 1000  # of a panel; the hazard's small design always takes the larger number
PERSONS = 3000
UNITS, PERIODS, START = 40, 28, 21  # with 39 donors, ranks reach 5 % and 10 % exactly
LEVEL = 0.95


def measure(*, large: bool) -> list[Rate]:
    """The hazard's 95 % intervals, and the size of the pilot's placebo test."""
    draws = MANY_DRAWS if large else DRAWS
    context = kernels.context() if kernels.available() else get_context("spawn")
    with ProcessPoolExecutor(mp_context=context) as pool:

        def each(function: Callable, label: str, draws: int = draws) -> list:
            return list(steps(pool.map(function, range(draws), chunksize=5), label, total=draws))

        rates = hazard_rates(each(hazard_draw, "hazard coverage", MANY_DRAWS))
        for treat in ("random", "largest"):
            p_values = np.array(each(partial(pilot_draw, treat=treat), f"pilot size, {treat}"))
            rates += [size_of(p_values, alpha, treat) for alpha in (0.05, 0.10)]
    return rates


def hazard_draw(seed: int) -> tuple[np.ndarray, bool] | None:
    """Which intervals hold the planted coefficient, and whether their joint region does; None if refused."""
    rows = demo.draw_person_quarters(seed, n=PERSONS)
    try:
        model = retention.hazard(rows, event="event", drivers=[driver.name for driver in demo.DRIVERS])
    except EstimationError:  # a level in which nobody leaves: counted, and shown in the note
        return None
    table = model.coefficients
    truth = np.array([planted(*place) for place in zip(table["term"], table["level"], strict=True)])
    gap = table["estimate"].to_numpy() - truth
    distance = float(gap @ np.linalg.solve(model.covariance, gap))
    covered = (table["ci_low"].to_numpy() <= truth) & (truth <= table["ci_high"].to_numpy())
    return covered, distance <= stats.chi2.ppf(LEVEL, len(gap))


@cache
def planted(term: str, level: str) -> float:
    """The coefficient behind the draws."""
    effects = {driver.name: dict(zip(driver.levels, driver.effects, strict=True)) for driver in demo.DRIVERS}
    return effects[term][level] if term in effects else demo.INTERCEPT


def hazard_rates(found: list[tuple[np.ndarray, bool] | None]) -> list[Rate]:
    """The joint region by an exact test; single intervals by the smallest p among them, times their number."""
    estimated = [one for one in found if one is not None]
    covered, joint = np.array([one[0] for one in estimated]), sum(one[1] for one in estimated)
    draws, number = covered.shape
    worst = min(binomial_p(count, draws, LEVEL) for count in covered.sum(axis=0))
    shares = covered.mean(axis=0)
    refused = f"{len(found) - draws} of {len(found)} draws refused: a level that nobody leaves"
    note = f"by coefficient {shares.min():.3f} to {shares.max():.3f}; p of the worst, times {number}"
    return [
        Rate("hazard, joint 95 % region", LEVEL, joint / draws, draws, binomial_p(joint, draws, LEVEL), refused),
        Rate(f"hazard, {number} intervals of 95 %", LEVEL, covered.mean(), draws, min(1.0, number * worst), note),
    ]


def binomial_p(count: int, draws: int, rate: float) -> float:
    """Two-sided, exact."""
    return float(stats.binomtest(int(count), draws, rate).pvalue)


def pilot_draw(seed: int, *, treat: str) -> float:
    """The placebo p of a policy that did nothing."""
    panel = demo.draw_panel(
        seed, units=UNITS, periods=PERIODS, cohorts={START: 1}, treat=treat, effect=lambda first, since: 0.0 * since
    )
    treated = panel.loc[panel["treated_from"].notna(), "unit"].iloc[0]
    return policy.pilot(
        panel, outcome="outcome", unit="unit", period="period", treated_unit=treated, start=START
    ).p_value


def size_of(p_values: np.ndarray, alpha: float, treat: str) -> Rate:
    """The share of rejections at a level."""
    draws, rejected = len(p_values), int((p_values <= alpha + 1e-9).sum())
    note = f"{UNITS} × {PERIODS}, no effect; treated: {'a random unit' if treat == 'random' else 'the largest unit'}"
    return Rate(
        f"pilot, rejections at {alpha:.0%}", alpha, rejected / draws, draws, binomial_p(rejected, draws, alpha), note
    )
