"""Districts too small for a model of their own: their estimates lean on the others as far as their own data are few.

District d's coefficients are drawn around common means, b_d ~ N(β, diag τ²), one τ for the level and one for each
driver. β is the mean of the districts, not of the rows, and is estimated together with them: given τ, β and all b_d
maximise Σ [log-likelihood of d − ½ (b_d − β)' T⁻¹ (b_d − β)], which has a maximum also where nobody leaves at a level;
τ, and the small shift of β that goes with it, maximise Laplace's approximation, as R's lme4 (glmer) does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, ParameterError, nearest
from institute_lib.retention.counting import Source, count
from institute_lib.retention.drivers import FEW_EVENTS, Drivers, aliased
from institute_lib.retention.fitting import Problem, build, invert, link_named
from institute_lib.retention.hazard import HazardModel, coefficient_table, hazard, level_sizes
from institute_lib.retention.spells import plain, require_columns

ROUNDS, STEPS, HALVINGS = 400, 60, 30
FIRST_SPREAD, LEAST_SPREAD = 0.2, 5e-3
SETTLED, HASTE = 1e-5, 1e4  # steps of EM are far too short where τ is small: longer ones as long as they agree
EVENTS_A_COEFFICIENT = 10


@dataclass(frozen=True)
class PooledModels:
    """One model a district, each leaning on the mean of the districts.

    models: district → HazardModel with the pooled estimates (marginal effects and charts as of any other).
    city: the model of all rows together. mean: term, level, estimate, se of the districts' common mean.
    spread: term, tau (standard deviation of the districts' coefficients).
    table: district, rows, events, own (share of the information on the district's level that is its own; the rest is
        the others'), enough (at least ten leavers for each coefficient: a model of its own would do).
    """

    table: pd.DataFrame
    spread: pd.DataFrame
    city: HazardModel
    models: Mapping[str, HazardModel] = field(repr=False)
    by: str
    mean: pd.DataFrame
    warnings: tuple[str, ...] = ()

    def model(self, district: str) -> HazardModel:
        """The pooled model of a district.

        Raises:
            ParameterError: no such district.
        """
        if district not in self.models:
            raise ParameterError(f"{self.by} {district!r}: {nearest(district, self.models)}")
        return self.models[district]


@dataclass(frozen=True)
class LocalModel:
    """model: what to show. basis: "own", "pooled" or "city". n_events: leavers in the area; needed: what a model of its
    own would take. level: the area's odds of leaving over the mean district's, drivers alike (missing for "own").
    """

    model: HazardModel
    basis: str
    n_events: int
    needed: int
    level: float
    warnings: tuple[str, ...] = ()


def pooled(
    data: Source,
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
        PooledModels. Errors are the posterior's, the uncertainty of the common mean included, without clustering.

    Raises:
        As `hazard` for the city; DataError: fewer than three districts, from which no spread can be learnt.

    Source: Gelman and Hill, Data Analysis Using Regression (2007), chapters 12–14; Breslow and Clayton (1993), Journal
    of the American Statistical Association 88, 9–25; one τ a driver as for the batches of Gelman (2005).
    """
    drivers = drivers if isinstance(drivers, (str, Mapping)) else list(drivers)
    counts = count(data, event=event, drivers=drivers, cluster=by, weights=weights, always=True)
    if counts.n_clusters < 3:
        raise DataError(f"pooling over {by!r} needs three districts or more; the rows hold {counts.n_clusters}")
    city = hazard(replace(counts, cluster=None), event=event, drivers=drivers, link=link)
    problems = {}
    for number, name in sorted(enumerate(counts.cluster_names), key=lambda pair: pair[1]):
        here = counts.cluster_codes == number
        codes = {driver: column[here] for driver, column in counts.codes.items()}
        design = build(counts.formula, city.problem.design.variables, codes)
        problems[name] = Problem(design, counts.rows[here], counts.events[here], link_named(link))
    names = list(dict.fromkeys(city.coefficients["term"]))
    batches = pd.factorize(city.coefficients["term"])[0]
    tau, beta, own = _joint(list(problems.values()), city.fit.beta, batches)
    precision = np.diag(1 / tau[batches] ** 2)
    common = invert(sum(precision - precision @ one.inverse @ precision for one in own))  # of β: (Σ (T + H⁻¹)⁻¹)⁻¹
    models, shares = {}, []
    for (name, problem), one in zip(problems.items(), own, strict=True):
        carried = one.inverse @ precision  # ∂b/∂β: how far the mean's own uncertainty moves the district
        models[name] = _model(name, problem, city, one, one.inverse + carried @ common @ carried.T)
        shares.append(float(one.information[0, 0] / (one.information[0, 0] + precision[0, 0])))
    table = pd.DataFrame(
        {
            by: list(models),
            "rows": [model.n_rows for model in models.values()],
            "events": [model.n_events for model in models.values()],
            "own": shares,
            "enough": [model.n_events >= EVENTS_A_COEFFICIENT * len(beta) for model in models.values()],
        }
    )
    mean = city.coefficients[["term", "level"]].assign(estimate=beta, se=np.sqrt(np.diag(common)))
    return PooledModels(table, pd.DataFrame({"term": names, "tau": tau}), city, models, by, mean)


@dataclass(frozen=True)
class _Mode:
    """A district's b, its log-likelihood there, its own information H, and the inverse of H + T⁻¹."""

    b: np.ndarray
    value: float
    information: np.ndarray
    inverse: np.ndarray

    def skew(self, problem: Problem) -> np.ndarray:
        """How the curvature changes with b, by its inverse: what Laplace's approximation adds to the mode."""
        link, eta = problem.link, problem.design.predictor(self.b)
        pull = problem.design.scores(problem.rows * link.curve(eta) * problem.design.leverage(self.inverse))
        return self.inverse @ pull


def _joint(
    problems: Sequence[Problem], beta: np.ndarray, batches: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[_Mode]]:
    """τ of each term, with β and b: where the derivatives of Laplace's approximation to the likelihood vanish."""
    tau = np.full(batches.max() + 1, FIRST_SPREAD)
    modes, drift = [beta.copy() for _ in problems], np.zeros(len(beta))
    haste, before = np.ones(len(tau)), np.zeros(len(tau))
    for _ in range(ROUNDS):
        beta, found = _modes(problems, beta, tau[batches], modes, drift)
        modes, skews = (
            [one.b for one in found],
            [one.skew(problem) for one, problem in zip(found, problems, strict=True)],
        )
        drift = -0.5 * sum(skews) / tau[batches] ** 2
        squares = np.array(
            [
                (one.b - beta) ** 2 + np.diag(one.inverse) - skew * (one.b - beta)
                for one, skew in zip(found, skews, strict=True)
            ]
        )
        means = np.array([squares[:, batches == one].mean() for one in range(len(tau))])
        change = np.log(np.maximum(means, LEAST_SPREAD**2)) / 2 - np.log(tau)
        onward = change * before > 0
        haste = np.where(onward, np.minimum(2 * haste, HASTE), 1.0)
        before, moved = change, np.maximum(tau * np.exp(np.clip(haste * change, -1, 1)), LEAST_SPREAD)
        settled = np.max(np.abs(moved - tau)) < SETTLED
        tau = moved
        if settled:
            break
    return tau, *_modes(problems, beta, tau[batches], modes, drift)


def _modes(
    problems: Sequence[Problem], beta: np.ndarray, tau: np.ndarray, modes: list[np.ndarray], drift: np.ndarray
) -> tuple[np.ndarray, list[_Mode]]:
    """β and every district's b that maximise the penalised likelihood plus drift @ β, given τ: Newton, b eliminated."""
    precision = 1 / tau**2
    sums = [problem.evaluate(b) for problem, b in zip(problems, modes, strict=True)]

    def total(sums: list, b: list[np.ndarray], centre: np.ndarray) -> float:
        parts = (one.value - 0.5 * precision @ (mode - centre) ** 2 for one, mode in zip(sums, b, strict=True))
        return sum(parts) + drift @ centre

    value = total(sums, modes, beta)
    for _ in range(STEPS):
        left, right, parts = np.zeros((len(beta), len(beta))), drift.copy(), []
        for one, mode in zip(sums, modes, strict=True):
            inverse = invert(one.information + np.diag(precision))
            score = one.score - precision * (mode - beta)
            left += np.diag(precision) - precision[:, None] * inverse * precision
            right += precision * (mode - beta) + precision * (inverse @ score)
            parts.append((inverse, score))
        step = np.linalg.solve(left, right)
        steps = [inverse @ (score + precision * step) for inverse, score in parts]
        size = max(np.abs(step).max(), *(np.abs(one).max() for one in steps))
        for _ in range(HALVINGS):
            tried = [mode + one for mode, one in zip(modes, steps, strict=True)]
            trial = [problem.evaluate(b) for problem, b in zip(problems, tried, strict=True)]
            reached = total(trial, tried, beta + step)
            if reached >= value - 1e-10 * abs(value):
                break
            step, steps = step / 2, [one / 2 for one in steps]
        beta, modes, sums, value = beta + step, tried, trial, reached
        if size < 1e-8:
            break
    return beta, [
        _Mode(mode, one.value, one.information, invert(one.information + np.diag(precision)))
        for mode, one in zip(modes, sums, strict=True)
    ]


def _model(name: str, problem: Problem, city: HazardModel, one: _Mode, errors: np.ndarray) -> HazardModel:
    """The city's model with the district's rows, estimates and errors."""
    levels = level_sizes(problem.design, problem.rows, problem.events)
    n_rows, n_events = round(float(problem.rows.sum(dtype=float))), round(float(problem.events.sum(dtype=float)))
    return replace(
        city,
        coefficients=coefficient_table(problem.design.labels, one.b, errors, levels, totals=(n_rows, n_events)),
        levels=levels,
        covariance=errors,
        n_rows=n_rows,
        n_events=n_events,
        log_likelihood=one.value,
        problem=problem,
        fit=replace(city.fit, beta=one.b, log_likelihood=one.value, covariance=errors),
        warnings=(f"{name}: partial pooling, estimates lean on all districts",),
    )


def local(
    data: pd.DataFrame,
    *,
    area: Sequence[str],
    event: str,
    drivers: Sequence[str],
    by: str = "district",
    cluster: str | Mapping[str, str] | None = None,
) -> LocalModel:
    """Fit the model that an area's data can bear.

    Parameters:
        data: the rows of all districts of the city. area: the districts asked about; all of them for the city.
        event, drivers, cluster: as `hazard`. by: the column of districts.

    Returns:
        LocalModel: its own model where there are ten leavers for each coefficient (Peduzzi and others 1996), some
        leave and some stay at each level, and no driver is decided by others; else the pooled one, if half of the
        drivers have ten leavers at each level; else the city's, with the area's own level by pooling.

    Raises:
        As `hazard`, and `pooled` where the area is too small.
    """
    data = plain(data)
    require_columns(data, [by, event, *drivers], table="data")
    area = [area] if isinstance(area, str) else list(area)
    here = data[data[by].isin(area)]
    leavers = {name: here.groupby(name, observed=True)[event].agg(["sum", "size"]) for name in drivers}
    estimable = all(len(one) > 1 and ((one["sum"] > 0) & (one["sum"] < one["size"])).all() for one in leavers.values())
    well_filled = np.mean([(one["sum"] >= FEW_EVENTS).all() for one in leavers.values()]) if leavers else 0.0
    width = 1 + sum(data[name].nunique() - 1 for name in drivers)
    events, needed = int(here[event].sum()), EVENTS_A_COEFFICIENT * width
    if len(here) == len(data) or (
        events >= needed and estimable and not any(aliased(here, drivers[: at + 1]) for at in range(len(drivers)))
    ):
        model = hazard(here, event=event, drivers=list(drivers), cluster=cluster)
        return LocalModel(model, "own", events, needed, float("nan"), model.warnings)
    models = pooled(data, event=event, drivers=list(drivers), by=by)
    known = len(area) == 1 and area[0] in models.models
    level = float(np.exp(models.models[area[0]].fit.beta[0] - models.mean["estimate"].iloc[0])) if known else 1.0
    if well_filled >= 0.5 and known:
        mine = models.models[area[0]]
        return LocalModel(mine, "pooled", events, needed, level, mine.warnings)
    city = hazard(data, event=event, drivers=list(drivers), cluster=cluster)
    return LocalModel(city, "city", events, needed, level, city.warnings)
