"""What it takes to reach a stated target: how many passes a year, and by when today's course gets there."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import EstimationError, ParameterError
from institute_lib.results import Result
from institute_lib.talent.projection import Projection, Target, scenario_name


@dataclass(frozen=True)
class Reaching(Result):
    """One row a scenario.

    `frame`: scenario, target (persons), expected (at the horizon), reached_in (first year at or above the target; NaN
    where none up to the horizon is), chance (share of simulated courses at or above it at the horizon), joining_needed
    (persons a year who join the stock, from the first year on, for the target at the horizon), passes_needed (passes a
    year that bring so many, at the scenario's placement).
    """

    frame: pd.DataFrame
    target: Target
    horizon: int
    start: int
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def summary(self, language: str = "zh") -> str:
        """One sentence of the first scenario: when it gets there, and what would be needed."""
        row = self.frame.iloc[0]
        never = pd.isna(row["reached_in"])
        already = row["reached_in"] == self.start
        return terms.text(
            "talent.reaching_not" if never else "talent.reaching_already" if already else "talent.reaching",
            language,
            scenario=scenario_name(row["scenario"], language),
            target=terms.number(row["target"], language),
            per_10000=terms.number(self.target.per_10000, language, 1),
            year=None if never else int(row["reached_in"]),
            horizon=self.horizon,
            chance=terms.percent(row["chance"], language, 0),
            passes=terms.number(row["passes_needed"], language),
        )


def reaching(projection: Projection, target: Target, *, population: float | None) -> Reaching:
    """When each scenario reaches a target, and what number of passes a year would reach it by the last year.

    All units together are compared. A yearly number p of persons who join adds p × (1 + s₁ + s₁s₂ + …) by the horizon,
    with the scenario's survival s, so that the number needed is solved exactly.

    Args:
        population: residents of the kind that the target is stated per.

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
        _row(projection, scenario, path.set_index("year")["expected"], persons, horizon)
        for scenario, path in totals.groupby("scenario", sort=False)
    ]
    return Reaching(pd.DataFrame(rows), target, horizon, projection.start)


def _row(
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
