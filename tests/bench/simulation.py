"""How often intervals cover and tests reject in simulated draws, printed whatever it is.

Seeds are fixed: draw number k has seed k. The draws come from the planted hazard of the demo.
"""

from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

import numpy as np
import pandas as pd
from scipy import stats

from institute_lib import demo, kernels, retention
from institute_lib.errors import EstimationError
from tests.bench.lines import Rate
from tests.bench.timing import steps

DRAWS = 1000
PERSONS = 3000
LEVEL = 0.95
DISTRICTS, PAID, OF_A_DISTRICT, QUARTERS = 9, 4, 300, 8  # a city's districts, of which four pay a subsidy
SPREAD = 0.2  # of the districts' levels of leaving, in log odds


def measure(*, large: bool) -> list[Rate]:
    """The hazard's 95 % intervals, and its test of a driver that districts set; those of policies are in `policies`."""
    del large  # 1,000 draws either way
    context = kernels.context() if kernels.available() else get_context("spawn")
    with ProcessPoolExecutor(mp_context=context) as pool:
        drawn = pool.map(hazard_draw, range(DRAWS), chunksize=5)
        rates = hazard_rates(list(steps(drawn, "hazard coverage", total=DRAWS)))
        drawn = pool.map(district_draw, range(DRAWS), chunksize=5)
        return [*rates, *district_rates(list(steps(drawn, "driver set by district", total=DRAWS)))]


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


def district_draw(seed: int) -> dict[str, float]:
    """p of a subsidy that districts pay and that does nothing, by how errors are clustered."""
    random = np.random.default_rng(seed)
    level, paid = random.normal(0, SPREAD, DISTRICTS), random.permutation(DISTRICTS) < PAID
    person = np.repeat(np.arange(DISTRICTS * OF_A_DISTRICT), QUARTERS)
    rows = pd.DataFrame({"worker_id": person, "district": person // OF_A_DISTRICT})
    rows["quarter"] = np.tile(np.arange(QUARTERS), DISTRICTS * OF_A_DISTRICT)
    rows["left"] = (random.random(len(rows)) < 1 / (1 + np.exp(2.9 - level[rows["district"]]))).astype(int)
    rows = rows[rows.groupby("worker_id")["left"].cumsum() - rows["left"] == 0]
    rows = rows.assign(subsidy=np.where(paid[rows["district"]], "yes", "no"), late=rows["quarter"] >= QUARTERS // 2)
    found = {}
    for cluster in ("worker_id", "assignment"):
        model = retention.hazard(rows, event="left", drivers=["late", "subsidy"], cluster=cluster)
        found[cluster] = float(model.coefficients.set_index("term").at["subsidy", "p_value"])
    return found


def district_rates(found: list[dict[str, float]]) -> list[Rate]:
    """How often the subsidy is found at 5 %: with errors at its own level judged, by person shown beside it."""
    rejected = {name: np.array([one[name] for one in found]) < 1 - LEVEL for name in found[0]}
    own, person = rejected["assignment"], rejected["worker_id"]
    note = f"{PAID} of {DISTRICTS} districts pay it; clustered by person {person.mean():.3f}, with a warning"
    p = binomial_p(own.sum(), len(own), 1 - LEVEL)
    return [Rate("hazard, driver set by district, no effect", 1 - LEVEL, own.mean(), len(own), p, note)]
