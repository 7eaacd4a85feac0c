"""How often the policy room's intervals hold the truth, and how often its tests reject where nothing happened.

Seeds are fixed beforehand: draw number k has seed k. A nominal 95 % interval is judged by an exact two-sided binomial
test at 0.001; a method that promises at least its level (imputation errors, conformal sets over few periods, bounds on
trends, few treated clusters) by one side alone. Printed whatever they are.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context

import numpy as np
import pandas as pd

from institute_lib import demo, kernels, policy
from institute_lib.policy.conformal import by_period
from institute_lib.policy.moments import RelativeMagnitudes, accepts
from institute_lib.policy.pilots import headline, judge, read_design
from institute_lib.policy.smooth import Smoothness
from institute_lib.policy.synthetic import METHODS, fit_unit
from tests.bench.lines import Rate, judged
from tests.bench.simulation import district_draw, district_rates
from tests.bench.timing import steps

DRAWS = 1000
LEVEL = 0.95
UNITS, PERIODS, COHORTS = 95, 12, {5: 15, 8: 15}
PILOT_UNITS, PILOT_PERIODS, START = 40, 28, 21  # with 39 donors, ranks reach 5 % and 10 % exactly
NAMES = {"outcome": "outcome", "unit": "unit", "period": "period"}
EFFECT = 0.05
CITIES, DISTRICTS, YEARS, FIRST = 40, 3, 6, 3
TREATED_CITIES = (1, 2, 3, 6)


def measure(*, large: bool) -> list[Rate]:
    """Coverage of each estimator, and the size of tests where few are treated or a district sets a driver."""
    del large  # 1,000 draws either way: fewer could not tell 95 % from 93 %
    context = kernels.context() if kernels.available() else get_context("spawn")
    with ProcessPoolExecutor(mp_context=context) as pool:

        def each(function: Callable, label: str) -> np.ndarray:
            return np.array(list(steps(pool.map(function, range(DRAWS), chunksize=5), label, total=DRAWS)), float)

        return [
            *_adoption_rates(each(adoption_draw, "staggered coverage")),
            *_cluster_rates(each(clusters_draw, "few treated cities")),
            *district_rates(list(steps(pool.map(district_draw, range(DRAWS), chunksize=5), "driver", total=DRAWS))),
            *_bound_rates(each(bounds_draw, "bounds on trends")),
            *_conformal_rates(each(conformal_draw, "conformal coverage")),
            *(one for treat in ("random", "largest") for one in _pilot_rates(each, treat)),
        ]


def adoption_draw(seed: int) -> tuple[bool, ...]:
    """Which intervals hold the true average effect, the true effect in the first treated period, and whether the bands
    hold all true effects by period."""
    panel = demo.draw_panel(seed, units=UNITS, periods=PERIODS, cohorts=COHORTS)
    columns = {**NAMES, "treated_from": "treated_from"}
    found = policy.staggered(panel, **columns)
    weighted = policy.staggered(panel, **columns, weights="size")
    beside = policy.imputation(panel, **columns)
    level = demo.draw_panel(seed, units=UNITS, periods=PERIODS, cohorts=COHORTS, effect=lambda first, since: EFFECT)
    on = (level["period"] >= level["treated_from"]).fillna(False).astype(int)
    simple = policy.two_way(level.assign(on=on), **NAMES, treated="on")
    treated = panel[panel["effect"] > 0]
    size = np.average(treated["effect"], weights=treated["size"])
    truth = panel.attrs["att"]
    return (
        *(one.ci[0] <= true <= one.ci[1] for one, true in ((found, truth), (weighted, size))),
        _first_held(found.event_study, treated),
        _bands_hold(found.event_study, treated),
        beside.ci[0] <= truth <= beside.ci[1],
        simple.ci[0] <= EFFECT <= simple.ci[1],
    )


def _first_held(study, treated) -> bool:
    """Whether the pointwise interval of the first treated period holds its true mean effect."""
    truth = treated.loc[treated["period"] == treated["treated_from"], "effect"].mean()
    (first,) = study[study["relative_period"] == 0].itertuples()
    return bool(first.ci_low <= truth <= first.ci_high)


def _bands_hold(study, treated) -> bool:
    """Whether every period's true mean effect, none before the start, lies in its band."""
    by_period = treated["effect"].groupby(treated["period"] - treated["treated_from"]).mean()
    truth = study["relative_period"].map(by_period).fillna(0.0).astype(float)
    return bool(((study["band_low"] <= truth) & (truth <= study["band_high"])).all())


def _adoption_rates(held: np.ndarray) -> Iterator[Rate]:
    shape = f"{UNITS} × {PERIODS}, effects that grow, noisier small units"
    names = ("group-time effects", "group-time effects, weighted", "first treated period", "simultaneous bands")
    names += ("imputation", "two-way")
    for name, column in zip(names, held.T, strict=True):
        note = shape if name != "two-way" else shape.replace("effects that grow", "one effect")
        yield judged(f"{name}, 95 %", LEVEL, column, conservative=name == "imputation", note=note)


def clusters_draw(seed: int) -> tuple[bool, ...]:
    """Which of three estimators reject a policy without effect on all districts of some cities, which share shocks.

    One draw serves all numbers of treated cities: what each rejects is judged by itself.
    """
    rng = np.random.default_rng(seed)
    units = CITIES * DISTRICTS
    panel = pd.DataFrame({"unit": np.repeat(np.arange(units), YEARS), "period": np.tile(np.arange(YEARS), units)})
    panel["city"] = panel["unit"] // DISTRICTS
    shocks = rng.normal(size=(CITIES, YEARS))[panel["city"], panel["period"]]
    panel["outcome"] = shocks + rng.normal(size=len(panel))
    found = []
    for treated in TREATED_CITIES:
        rows = panel.assign(treated_from=np.where(panel["city"] < treated, FIRST, np.nan))
        rows["on"] = (rows["period"] >= rows["treated_from"]).astype(int)
        found += [
            policy.staggered(rows, **NAMES, treated_from="treated_from", cluster="city"),
            policy.imputation(rows, **NAMES, treated_from="treated_from", cluster="city"),
            policy.two_way(rows, **NAMES, treated="on", cluster="city"),
        ]
    return tuple(bool(one.p_value <= 0.05) for one in found)


def _cluster_rates(rejected: np.ndarray) -> Iterator[Rate]:
    note = f"{CITIES} cities of {DISTRICTS} districts over {YEARS} years, no effect, shocks by city and year"
    names = ("group-time effects", "imputation", "two-way")
    for column, (treated, name) in zip(rejected.T, product(TREATED_CITIES, names), strict=True):
        yield judged(f"{name}, {treated} treated cities, p ≤ 5 %", 0.05, column, conservative=True, note=note)


def bounds_draw(seed: int) -> tuple[bool, bool]:
    """Whether the sets hold the true effect when trends bend as far as the bound allows, and no further."""
    rng = np.random.default_rng(seed)
    size, n_pre = 8, 5
    covariance = 0.02**2 * (0.5 * np.eye(size) + 0.5)
    target = np.eye(size - n_pre)[0]
    steps_before = rng.choice([-1.0, 1.0], n_pre) * 0.03
    before = -np.cumsum(steps_before[::-1])[::-1]
    after = np.cumsum(np.full(size - n_pre, 0.03))  # as large as the largest before, always upwards
    beta = rng.multivariate_normal(np.concatenate([before, after + EFFECT]), covariance)
    relative = RelativeMagnitudes(beta[:n_pre], beta[n_pre:], covariance, target)
    bent = 0.01 * np.arange(1, size - n_pre + 1) * np.arange(2, size - n_pre + 2) / 2  # second differences of 0.01
    beta = rng.multivariate_normal(np.concatenate([np.zeros(n_pre), bent + EFFECT]), covariance)
    low, high = Smoothness(beta[:n_pre], beta[n_pre:], covariance, target).interval(0.01)
    return bool(accepts(np.array([EFFECT]), relative.beta, list(relative._polyhedra(1.0)))[0]), low <= EFFECT <= high


def _bound_rates(held: np.ndarray) -> Iterator[Rate]:
    for name, column in zip(("relative magnitudes", "smoothness"), held.T, strict=True):
        note = "5 periods before, 3 after; trends bend as far as the bound allows"
        yield judged(f"sensitivity, {name}, 95 %", LEVEL, column, conservative=True, note=note)


def conformal_draw(seed: int) -> tuple[bool, ...]:
    """Whether each estimator's conformal interval for one period, after nineteen, holds the true effect."""
    rng = np.random.default_rng(seed)
    own, donors = rng.normal(size=20), rng.normal(size=(10, 20))
    own[19] += 1
    found = []
    for method in METHODS:
        gap = fit_unit(own, donors, 19, method=method).gap[19:]
        low, high = by_period(own, donors, 19, gap, method=method)[0].ci
        found.append(low <= 1 <= high)
    return tuple(found)


def _conformal_rates(held: np.ndarray) -> Iterator[Rate]:
    for name, column in zip(METHODS, held.T, strict=True):
        yield judged(f"conformal, {name}, 95 %", LEVEL, column, note="19 periods before, 1 after; independent noise")


def pilot_draw(seed: int, *, treat: str) -> tuple[float, ...]:
    """For each estimator the placebo p of a policy that did nothing, and whether its interval holds no effect."""
    panel = demo.draw_panel(
        seed,
        units=PILOT_UNITS,
        periods=PILOT_PERIODS,
        cohorts={START: 1},
        treat=treat,
        effect=lambda first, since: 0.0 * since,
    )
    treated = panel.loc[panel["treated_from"].notna(), "unit"].iloc[0]
    found = []
    for method in METHODS:
        design = read_design(panel, **NAMES, treated_units=[treated], start=START, method=method, donors=None)
        result = headline(judge(design, method))
        found += [result["p_value"], float(result["ci"][0] <= 0 <= result["ci"][1])]
    return tuple(found)


def _pilot_rates(each: Callable, treat: str) -> Iterator[Rate]:
    found = each(partial(pilot_draw, treat=treat), f"pilot size, {treat}")
    who = "a random unit" if treat == "random" else "the largest unit, as Chongchuan is"
    note = f"{PILOT_UNITS} × {PILOT_PERIODS}, no effect; treated: {who}"
    for place, method in enumerate(METHODS):
        p_values, held = found[:, 2 * place], found[:, 2 * place + 1]
        for alpha in (0.05, 0.10):
            yield judged(f"pilot, {method}, rejections at {alpha:.0%}", alpha, p_values <= alpha + 1e-9, note=note)
        yield judged(f"pilot, {method}, 95 %", LEVEL, held, note=note)
