"""Districts too small for a model of their own: their estimates lean on the city's as far as their own data are few.

District d's coefficients are drawn around the city's, b_d ~ N(β, diag τ²), one τ for the level and one for each driver.
Given τ, b_d maximises the district's log-likelihood less ½ (b_d − β)' T⁻¹ (b_d − β), which has a maximum also where
nobody leaves at some level; τ² is estimated from all districts by the EM algorithm with Laplace's approximation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, ParameterError, nearest
from institute_lib.results import Result
from institute_lib.retention.cells import CellCounts, count
from institute_lib.retention.design import INTERCEPT, build
from institute_lib.retention.drivers import Drivers, parse
from institute_lib.retention.fitting import Fit, Problem, invert
from institute_lib.retention.hazard import HazardModel, coefficient_table, hazard, level_sizes
from institute_lib.retention.links import link_named

ROUNDS = 200
STEPS = 25
FIRST_SPREAD = 0.2
LEAST_SPREAD = 1e-3
SETTLED = 5e-4
EVENTS_A_COEFFICIENT = 10


@dataclass(frozen=True)
class PooledModels(Result):
    """One model a district, each leaning on the city's.

    models: district → HazardModel with the pooled estimates (marginal effects and charts as of any other).
    city: the model of all districts. spread: term, tau (standard deviation of the districts' coefficients).
    table: district, rows, events, own (share of the information on the district's level that is its own; the rest is
        the city's), enough (at least ten leavers for each coefficient: a model of its own would do).
    """

    table: pd.DataFrame
    spread: pd.DataFrame
    city: HazardModel
    models: Mapping[str, HazardModel] = field(repr=False)
    by: str
    warnings: tuple[str, ...] = ()

    def model(self, district: str) -> HazardModel:
        """The pooled model of a district.

        Raises:
            ParameterError: no such district.
        """
        if district not in self.models:
            raise ParameterError(f"{self.by} {district!r}: {nearest(district, self.models)}")
        return self.models[district]

    def summary(self, language: str = "zh") -> str:
        """How many districts, how many too small, and how far they differ."""
        level = self.spread.set_index("term").at[INTERCEPT, "tau"]
        return terms.text(
            "retention.pooled",
            language,
            districts=terms.count(len(self.table), language),
            small=terms.count(int((~self.table["enough"]).sum()), language),
            ratio=terms.number(float(np.exp(level)), language, 2),
        )

    def to_frame(self) -> pd.DataFrame:
        """Each district's coefficients, under each other."""
        frames = [model.coefficients.assign(**{self.by: name}) for name, model in self.models.items()]
        table = pd.concat(frames, ignore_index=True)
        return table[[self.by, *[column for column in table if column != self.by]]]


def pooled(
    data: pd.DataFrame | str | Path | Sequence[str | Path],
    *,
    event: str,
    drivers: Drivers,
    by: str = "district",
    weights: str | None = None,
    link: str = "logit",
) -> PooledModels:
    """Fit every district's hazard with partial pooling across districts.

    Parameters: as `hazard`, for the rows of all districts; by: the column of districts.

    Returns:
        PooledModels. Errors are the posterior's, the city's own uncertainty included, without clustering.

    Raises:
        As `hazard` for the city; DataError: fewer than three districts, from which no spread can be learnt.

    Source: Gelman and Hill, Data Analysis Using Regression (2007), chapters 12–14; Laird (1978) for EM with the
    posterior's mode; one τ a driver as for the batches of Gelman (2005), Annals of Statistics 33, 1–53.
    """
    formula = parse(drivers)
    counts = count(data, event=event, formula=formula, cluster=by, weights=weights, always=True)
    if counts.n_clusters < 3:
        raise DataError(f"pooling over {by!r} needs three districts or more; the rows hold {counts.n_clusters}")
    city = hazard(counts, event=event, drivers=drivers, link=link, cluster=by)
    problems = _problems(counts, city, link)
    batches = _batches(city)
    tau = _spread(list(problems.values()), city.fit.beta, batches)
    models = {name: _model(name, problem, city, tau[batches]) for name, problem in problems.items()}
    own = {name: _own_share(problem, models[name], tau[batches]) for name, problem in problems.items()}
    width = len(city.fit.beta)
    table = pd.DataFrame(
        [(n, m.n_rows, m.n_events, own[n], m.n_events >= EVENTS_A_COEFFICIENT * width) for n, m in models.items()],
        columns=[by, "rows", "events", "own", "enough"],
    )
    spread = pd.DataFrame({"term": list(dict.fromkeys(city.coefficients["term"])), "tau": tau})
    return PooledModels(table, spread, city, models, by, counts.warnings)


def _problems(counts: CellCounts, city: HazardModel, link: str) -> dict[str, Problem]:
    """Each district's cells under the city's levels."""
    formula, found = counts.formula, {}
    for number, name in sorted(enumerate(counts.cluster_names), key=lambda pair: pair[1]):
        here = counts.cluster_codes == number
        codes = {driver: column[here] for driver, column in counts.codes.items()}
        design = build(formula, city.problem.design.variables, codes)
        found[name] = Problem(design, counts.rows[here], counts.events[here], link_named(link))
    return found


def _batches(city: HazardModel) -> np.ndarray:
    """For each coefficient the number of its term."""
    return pd.factorize(city.coefficients["term"])[0]


def _spread(problems: list[Problem], beta: np.ndarray, batches: np.ndarray) -> np.ndarray:
    """τ of each term by EM: its square is the mean of the squared deviations and their posterior variances."""
    tau = np.full(batches.max() + 1, FIRST_SPREAD)
    modes = [beta.copy() for _ in problems]
    for _ in range(ROUNDS):
        squares = np.zeros((len(problems), len(beta)))
        for at, problem in enumerate(problems):
            modes[at], curvature, _ = _mode(problem, beta, tau[batches], modes[at])
            squares[at] = (modes[at] - beta) ** 2 + np.diag(invert(curvature))
        updated = np.array([np.sqrt(squares[:, batches == one].mean()) for one in range(len(tau))])
        updated = np.maximum(updated, LEAST_SPREAD)
        settled = np.max(np.abs(updated - tau)) < SETTLED
        tau = updated
        if settled:
            break
    return tau


def _mode(
    problem: Problem, beta: np.ndarray, tau: np.ndarray, begin: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """The district's penalised maximum, its curvature, and the district's log-likelihood there."""
    precision = 1 / tau**2
    b = begin
    here = problem.evaluate(b)
    for _ in range(STEPS):
        step = np.linalg.solve(here.information + np.diag(precision), here.score - precision * (b - beta))
        value = here.value - 0.5 * precision @ (b - beta) ** 2
        for _ in range(STEPS):
            trial = problem.evaluate(b + step)
            if trial.value - 0.5 * precision @ (b + step - beta) ** 2 >= value - 1e-10 * abs(value):
                break
            step = step / 2
        b, here = b + step, trial
        if np.max(np.abs(step)) < 1e-9:
            break
    return b, here.information + np.diag(precision), here.value


def _model(name: str, problem: Problem, city: HazardModel, tau: np.ndarray) -> HazardModel:
    """The city's model with the district's rows, estimates and errors."""
    beta = city.fit.beta
    b, curvature, value = _mode(problem, beta, tau, beta)
    inverse = invert(curvature)
    carried = inverse / tau**2  # ∂b/∂β: how far the city's own uncertainty moves the district
    errors = inverse + carried @ city.covariance @ carried.T
    levels = level_sizes(problem.design, problem.rows, problem.events)
    n_rows, n_events = int(problem.rows.sum()), int(problem.events.sum())
    return replace(
        city,
        coefficients=coefficient_table(problem.design.labels, b, errors, levels, (n_rows, n_events)),
        levels=levels,
        covariance=errors,
        cluster=None,
        n_clusters=None,
        n_rows=n_rows,
        n_events=n_events,
        log_likelihood=value,
        problem=problem,
        fit=Fit(b, value, curvature, city.iterations),
        warnings=(f"{name}: partial pooling, estimates lean on all districts",),
    )


def _own_share(problem: Problem, model: HazardModel, tau: np.ndarray) -> float:
    """The district's own share of what is known about its level: information / (information + 1/τ²)."""
    own = problem.evaluate(model.fit.beta).information[0, 0]
    return float(own / (own + 1 / tau[0] ** 2))
