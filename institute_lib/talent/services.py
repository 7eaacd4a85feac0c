"""What services achieve: outcome rates by field and district, control charts, schools covered, entry cohorts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import ParameterError, nearest
from institute_lib.results import Result
from institute_lib.retention.intervals import wilson
from institute_lib.tables.contracts import FIELDS
from institute_lib.talent.bayes import posterior, shrink
from institute_lib.talent.checks import above, check_by, not_numbers, refuse, require, unknown_levels
from institute_lib.talent.control import ControlChart, p_chart, p_limits
from institute_lib.talent.intervals import with_share

KEYS = ("district", "quarter", "field")
NUMBERS = ("caseload", "outcome_numerator", "outcome_denominator")
FEWEST_GROUPS = 3  # below that, how much districts differ cannot be told


@dataclass(frozen=True)
class Outcomes(Result):
    """Outcome rates of one quarter.

    `frame`: the columns of `by`, caseload, outcome_numerator, outcome_denominator, rate with rate_low and rate_high
    (Wilson); by district and field also shrunk, shrunk_low, shrunk_high and prior_cases.
    """

    frame: pd.DataFrame
    quarter: str
    by: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def summary(self, language: str = "zh") -> str:
        """One sentence: cases assessed and the share that reached its outcome."""
        reached, assessed = self.frame["outcome_numerator"].sum(), self.frame["outcome_denominator"].sum()
        low, high = wilson(reached, assessed)
        return terms.text(
            "talent.outcomes",
            language,
            quarter=terms.quarter(self.quarter, language),
            assessed=terms.count(float(assessed), language),
            rate=terms.percent(float(reached / assessed) if assessed else None, language),
            interval=terms.interval(float(low), float(high), language, scale=100),
        )


def check_services(services: pd.DataFrame) -> None:
    """Refuse services that cannot be, every row at once.

    Raises:
        DataError: an outcome above its denominator, schools covered above schools, an unknown field, text or a number
            below zero.
    """
    require(services, (*KEYS, *NUMBERS), table="services")
    parts = [("outcome_numerator", "outcome_denominator"), ("schools_covered", "schools")]
    parts = [part for part in parts if set(part) <= set(services)]
    numbers = [name for name in dict.fromkeys((*NUMBERS, "schools_covered", "schools")) if name in services]
    refuse(
        "services",
        unknown_levels(services, "field", FIELDS, table="services"),
        not_numbers(services, numbers, table="services"),
        *(above(services, part, whole, table="services") for part, whole in parts),
    )


def outcomes(services: pd.DataFrame, *, quarter: str, by: Sequence[str] = ("field",)) -> Outcomes:
    """Outcome rates of a quarter.

    Rates of districts within a field are shrunk towards the field's mean: a beta prior is fitted to all districts of
    the field (see `shrink`), and the posterior mean and 95 % interval are given beside the raw rate. Fewer than three
    districts cannot tell how much districts differ, so that nothing is shrunk.

    Args:
        services: district, quarter, field, caseload, outcome_numerator, outcome_denominator. Rows without an outcome
            count in the caseload only.
        quarter: such as 2025Q4.
        by: field, district, or both.

    Raises:
        DataError: a numerator above its denominator, a number that is none, or a column missing.
        ParameterError: another grouping.
    """
    check_services(services)
    groups = check_by(by, ("field", "district"))
    now = services[services["quarter"] == quarter]
    assessed = now["outcome_numerator"].notna() & now["outcome_denominator"].notna()
    counted = now.assign(**{name: now[name].where(assessed) for name in NUMBERS[1:]})
    numbers = list(NUMBERS)
    sums = counted.groupby(groups, observed=True)[numbers].sum().reset_index() if groups else _total(counted[numbers])
    frame = with_share(sums, numerator="outcome_numerator", denominator="outcome_denominator", name="rate")
    if set(groups) == {"field", "district"} and len(frame):
        frame = pd.concat([_with_shrunk(part) for _, part in frame.groupby("field", observed=True)]).sort_index()
    without = int((~assessed).sum())
    warnings = (f"{without} rows of {quarter} report no outcome and count in the caseload only",) if without else ()
    return Outcomes(frame, quarter, tuple(groups), warnings)


def _total(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sum().to_frame().T


def _with_shrunk(part: pd.DataFrame) -> pd.DataFrame:
    successes, trials = part["outcome_numerator"], part["outcome_denominator"]
    if (trials > 0).sum() < FEWEST_GROUPS:
        return part.assign(shrunk=np.nan, shrunk_low=np.nan, shrunk_high=np.nan, prior_cases=np.nan)
    return part.join(posterior(successes, trials, shrink(successes, trials)))


def control(
    services: pd.DataFrame, *, field: str, districts: Sequence[str] | None = None, baseline: Sequence[str] | None = None
) -> ControlChart:
    """The control chart of one field's outcome rate, quarter by quarter.

    Args:
        districts: whose cases are summed; None for all in the table.
        baseline: the quarters that set the centre; None for all.

    Raises:
        DataError: services that cannot be.
        ParameterError: an unknown field.
        EstimationError: nothing was assessed in the field.
    """
    check_services(services)
    own = services[services["field"] == _field(field)]
    own = own if districts is None else own[own["district"].isin(list(districts))]
    known = own[own["outcome_numerator"].notna() & own["outcome_denominator"].notna()]
    return p_chart(known.groupby("quarter", as_index=False)[list(NUMBERS[1:])].sum(), baseline=baseline)


def signals(services: pd.DataFrame, *, quarter: str | None = None) -> pd.DataFrame:
    """Every point beyond its control limits, by district and field.

    Returns:
        district, field, quarter, outcome_denominator, rate, centre, lower, upper; the last quarter first.

    Args:
        quarter: only points of that quarter; None for all.

    Raises:
        DataError: services that cannot be.
    """
    check_services(services)
    known = services[(services["outcome_denominator"] > 0) & services["outcome_numerator"].notna()]
    sums = known.groupby(["district", "field"], observed=True)[list(NUMBERS[1:])].transform("sum")
    centre = sums["outcome_numerator"] / sums["outcome_denominator"]
    lower, upper = p_limits(centre, known["outcome_denominator"])
    rate = known["outcome_numerator"] / known["outcome_denominator"]
    every = known[["district", "field", "quarter", "outcome_denominator"]]
    every = every.assign(rate=rate, centre=centre, lower=lower, upper=upper)[(rate < lower) | (rate > upper)]
    every = every.sort_values(["quarter", "district", "field"], ascending=[False, True, True], ignore_index=True)
    return every if quarter is None else every[every["quarter"] == quarter].reset_index(drop=True)


def cohorts(services: pd.DataFrame, *, field: str = "drug", years: int = 3, rolling: bool = False) -> pd.DataFrame:
    """Outcomes that take years, by the year in which their cases entered.

    A case that is assessed in a quarter entered so many years before, so that a year's cases are one entry cohort.
    Where the register reports rolling windows instead (each quarter everyone of the last three years), neighbouring
    quarters hold the same people: then only quarters a whole window apart are kept, counted back from the last one.

    Args:
        services: the contract's table.
        field: drug, whose outcome is three years without relapse.
        years: from entry to assessment.
        rolling: whether the quarters' windows overlap.

    Returns:
        entry_year, quarters (how many were assessed), outcome_numerator, outcome_denominator, rate, rate_low,
        rate_high; complete: whether all four quarters of the year were assessed. Empty where nothing was.

    Raises:
        DataError, ParameterError: as `control`.
    """
    check_services(services)
    own = services[(services["field"] == _field(field)) & services["outcome_numerator"].notna()]
    by_quarter = own.groupby("quarter", as_index=False)[list(NUMBERS[1:])].sum()
    number = pd.PeriodIndex(by_quarter["quarter"], freq="Q").astype("int64")
    if rolling:
        kept = (number.max() - number) % (4 * years) == 0
        by_quarter, number = by_quarter[kept], number[kept]
    # Quarter number 0 is the first of 1970.
    entry = 1970 + (np.asarray(number) - 4 * years) // 4
    grouped = (
        by_quarter.assign(entry_year=entry, quarters=1).drop(columns="quarter").groupby("entry_year", as_index=False)
    )
    rated = with_share(grouped.sum(), numerator="outcome_numerator", denominator="outcome_denominator", name="rate")
    return rated.assign(complete=(rated["quarters"] == 4) | rolling)


def schools(services: pd.DataFrame, *, quarter: str, by: Sequence[str] = ("district",)) -> pd.DataFrame:
    """Schools with a social worker over schools (one school, one social worker).

    Args:
        services: the contract's table, with schools_covered and schools in the rows of the field school.
        by: district, or () for one row over all.

    Returns:
        the columns of `by`, schools_covered, schools, share with share_low and share_high. Where a district does not
        say how many schools it has, the share is missing: covered schools alone are no coverage.

    Raises:
        DataError: services that cannot be, or a column missing.
    """
    require(services, ("schools_covered", "schools"), table="services")
    check_services(services)
    groups = check_by(by, ("district",))
    now = services[(services["quarter"] == quarter) & (services["field"] == "school")]
    numbers = ["schools_covered", "schools"]
    grouped = now.groupby(groups, observed=True)[numbers] if groups else now.groupby(lambda _: 0)[numbers]
    sums = grouped.agg(lambda column: column.sum(skipna=False))
    sums = sums.reset_index() if groups else sums.reset_index(drop=True)
    return with_share(sums, numerator="schools_covered", denominator="schools", name="share")


def _field(name: str) -> str:
    if name not in FIELDS:
        raise ParameterError(f"field {name!r}: {nearest(name, FIELDS)}")
    return name
