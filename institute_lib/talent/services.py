"""What services achieve: outcome rates by field and district, control charts, schools covered, entry cohorts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import ParameterError, nearest
from institute_lib.result import Measure, Provenance, Result, described_quarter, provenance_of
from institute_lib.tables.contracts import FIELDS
from institute_lib.talent.checks import (
    above,
    check_by,
    in_fives,
    not_numbers,
    place_name,
    refuse,
    require,
    unknown_levels,
    with_share,
    with_total,
)
from institute_lib.talent.control import p_limits, set_apart

KEYS = ("district", "quarter", "field")
COUNTS = ("outcome_numerator", "outcome_denominator")
NUMBERS = ("caseload", *COUNTS)


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


def outcomes(services: pd.DataFrame, *, quarter: str, by: Sequence[str] = ("field",)) -> pd.DataFrame:
    """Outcome rates of a quarter.

    Args:
        services: district, quarter, field, caseload, outcome_numerator, outcome_denominator. Rows without an outcome
            count in the caseload only.
        quarter: such as 2025Q4.
        by: field, district, or both.

    Returns:
        the columns of `by`, caseload, outcome_numerator, outcome_denominator, rate with rate_low and rate_high
        (Wilson).

    Raises:
        DataError: a numerator above its denominator, a number that is none, or a column missing.
        ParameterError: another grouping.
    """
    check_services(services)
    groups = check_by(by, ("field", "district"))
    if not groups:
        raise ParameterError("outcomes: by is empty; allowed: field, district, or both")
    now = services[services["quarter"] == quarter]
    assessed = now["outcome_numerator"].notna() & now["outcome_denominator"].notna()
    counted = now.assign(**{name: now[name].where(assessed) for name in COUNTS})
    numbers = list(NUMBERS)
    sums = counted.groupby(groups, observed=True)[numbers].sum().reset_index()
    return with_share(sums, numerator="outcome_numerator", denominator="outcome_denominator", name="rate")


def _assessed(services: pd.DataFrame) -> pd.DataFrame:
    return services[(services["outcome_denominator"] > 0) & services["outcome_numerator"].notna()]


def signals(services: pd.DataFrame, *, quarter: str | None = None) -> pd.DataFrame:
    """Every point beyond the control limits of its district and field, by the centre of the series' other quarters.

    Returns:
        district, field, quarter, outcome_numerator, outcome_denominator, baseline_numerator, baseline_denominator,
        rate, centre, lower, upper; the last quarter first.

    Args:
        quarter: only points of that quarter; None for all.

    Raises:
        DataError: services that cannot be.
    """
    check_services(services)
    known = _assessed(services)[["district", "field", "quarter", *COUNTS]].astype(dict.fromkeys(COUNTS, float))
    every = [_judged(part) for _, part in known.groupby(["district", "field"], observed=True)]
    columns = [*known, "baseline_numerator", "baseline_denominator", "rate", "centre", "lower", "upper"]
    found = pd.concat(every) if every else pd.DataFrame(columns=columns)
    found = found[(found["rate"] < found["lower"]) | (found["rate"] > found["upper"])]
    found = found.sort_values(["quarter", "district", "field"], ascending=[False, True, True], ignore_index=True)
    return found if quarter is None else found[found["quarter"] == quarter].reset_index(drop=True)


def _judged(series: pd.DataFrame) -> pd.DataFrame:
    """The quarters of one series beside the centre and the limits of those that are no signals."""
    events, trials = (series[name].to_numpy(float) for name in COUNTS)
    kept = ~set_apart(events, trials)
    sums = (events[kept].sum(), trials[kept].sum())
    centre = sums[0] / sums[1] if sums[1] else np.nan
    lower, upper = p_limits(centre, trials)
    return series.assign(
        baseline_numerator=sums[0],
        baseline_denominator=sums[1],
        rate=events / trials,
        centre=centre,
        lower=lower,
        upper=upper,
    )


def cohorts(services: pd.DataFrame, *, field: str = "drug", years: int = 3) -> pd.DataFrame:
    """Outcomes that take years, by the year in which their cases entered.

    A case that is assessed in a quarter entered so many years before, so that a year's cases are one entry cohort.

    Args:
        services: the contract's table.
        field: drug, whose outcome is three years without relapse.
        years: from entry to assessment.

    Returns:
        entry_year, quarters (how many were assessed), outcome_numerator, outcome_denominator, rate, rate_low,
        rate_high; complete: whether all four quarters of the year were assessed. Empty where nothing was.

    Raises:
        DataError: services that cannot be. ParameterError: an unknown field.
    """
    check_services(services)
    own = services[(services["field"] == _field(field)) & services["outcome_numerator"].notna()]
    by_quarter = own.groupby("quarter", as_index=False)[list(COUNTS)].sum()
    number = pd.PeriodIndex(by_quarter["quarter"], freq="Q").astype("int64")
    # Quarter number 0 is the first of 1970.
    entry = 1970 + (np.asarray(number) - 4 * years) // 4
    grouped = (
        by_quarter.assign(entry_year=entry, quarters=1).drop(columns="quarter").groupby("entry_year", as_index=False)
    )
    rated = with_share(grouped.sum(), numerator="outcome_numerator", denominator="outcome_denominator", name="rate")
    return rated.assign(complete=rated["quarters"] == 4)


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


# Results: what a notebook shows.

FEWEST = 10  # persons that are told as a figure
RECENT = 4  # quarters in which a signal is news
MEASURED = Measure("assessed", "count")


def outcome_history(services: pd.DataFrame, *, quarter: str | None = None, quarters: int = 8) -> Result:
    """The share of assessed cases that reached their outcome, all fields together, in the last quarters.

    Parameters:
        services: one row a district, quarter and field, of the districts that reported.
        quarter: the last quarter, such as 2025Q4; by default the one that `Study.load` read.

    Returns:
        Result by quarter: outcome_reached with its Wilson interval, assessed.
    """
    last = pd.Period(described_quarter(services, quarter), freq="Q")
    wanted = [str(last - back) for back in range(quarters - 1, -1, -1)]
    counted = _assessed(services).groupby("quarter")[list(COUNTS)].sum().reindex(wanted)
    frame = _rated(counted.reset_index(), "outcome_reached")

    def said(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
        now = {name: shown.figure(name, quarter=str(last)) for name in ("outcome_reached", "assessed")}
        interval = tuple(shown.figure(end, quarter=str(last)) for end in ("ci_low", "ci_high"))
        before = shown.figure("outcome_reached", quarter=str(last - 4))
        known = before.state != "missing" and now["outcome_reached"].state != "missing"
        place = {"area": place_name(services["district"].unique(), language)}
        words = now | {"interval": interval} | ({"change": now["outcome_reached"] - before} if known else {})
        return [("talent.outcomes_change" if known else "talent.outcomes", {"quarter": str(last), **place, **words})]

    return Result(
        frame,
        ("quarter",),
        (Measure("outcome_reached", "share", of=COUNTS, interval="wilson"), MEASURED),
        "assessed",
        provenance_of(services),
        title="talent.outcome_history",
        chart="trend",
        sentence=said,
    )


def _rated(counted: pd.DataFrame, name: str) -> pd.DataFrame:
    """The share of `COUNTS` under a name, and how many were assessed."""
    share = counted["outcome_numerator"] / counted["outcome_denominator"].where(counted["outcome_denominator"] > 0)
    return counted.assign(**{name: share.astype(float), "assessed": counted["outcome_denominator"]})


def outcomes_by_field(services: pd.DataFrame, *, quarter: str | None = None) -> Result:
    """Outcome rates of a quarter by field, with those of the year before.

    Returns:
        Result by field: rate with its Wilson interval, rate_last_year, rate_change (points), assessed, caseload.
    """
    now = described_quarter(services, quarter)
    frame = _rated(outcomes(services, quarter=now), "rate")
    before = outcomes(services, quarter=str(pd.Period(now, freq="Q") - 4)).set_index("field")
    names = [f"{name}_last_year" for name in COUNTS]
    frame[names] = before[list(COUNTS)].reindex(frame["field"]).to_numpy(float)
    frame["rate_last_year"] = frame[names[0]] / frame[names[1]]
    return Result(
        frame,
        ("field",),
        (
            Measure("rate", "share", of=COUNTS, interval="wilson"),
            Measure("rate_last_year", "share", of=tuple(names)),
            Measure("rate_change", "points", of=("rate", "rate_last_year")),
            MEASURED,
            Measure("caseload", "count"),
        ),
        "assessed",
        provenance_of(services),
        title="notebooks.outcome_table",
        chart="dot",
    )


def shown_signals(services: pd.DataFrame, *, quarter: str | None = None, recent: int = RECENT) -> pd.DataFrame:
    """`signals` of the last quarters, judged on counts in fives as they are shown, so that no list of them tells more.

    Returns:
        as `signals`.
    """
    check_services(services)
    last = pd.Period(described_quarter(services, quarter), freq="Q")
    counted = services.assign(**{name: in_fives(services[name]) for name in COUNTS})
    counted = counted[(counted["quarter"] <= str(last)) & _told(services)]
    found = signals(counted.assign(outcome_numerator=counted[list(COUNTS)].min(axis=1)))
    return found[found["quarter"] > str(last - recent)].reset_index(drop=True)


def _told(services: pd.DataFrame) -> pd.Series:
    """Whether a rate is told as a figure and not as a bound."""
    reached, assessed = (services[name].astype(float) for name in COUNTS)
    return (reached >= FEWEST) & (assessed - reached >= FEWEST)


def signal_list(services: pd.DataFrame, *, quarter: str | None = None) -> Result | None:
    """The points beyond their control limits in the last four quarters, by district and field.

    Returns:
        Result by district, field and quarter: rate, centre, assessed; None where there is none.
    """
    found = shown_signals(services, quarter=quarter)
    if found.empty:
        return None
    return Result(
        found.assign(assessed=found["outcome_denominator"]),
        ("district", "field", "quarter"),
        (
            Measure("rate", "share", of=COUNTS),
            Measure("centre", "share", of=("baseline_numerator", "baseline_denominator")),
            MEASURED,
        ),
        "assessed",
        provenance_of(services),
        title="talent.signals_table",
    )


def watched(services: pd.DataFrame, *, field: str = "", quarter: str | None = None) -> tuple[str, list[str]]:
    """Which field, and whose cases of it, a control chart should follow: those of the newest signal.

    Parameters:
        field: the field wanted; "" for that of the newest signal, else the one with most assessed cases.

    Returns:
        the field, and district codes: that of its newest signal, else all.

    Raises:
        ParameterError: an unknown field.
    """
    now = described_quarter(services, quarter)
    found = shown_signals(services, quarter=now)
    found = found[found["field"] == _field(field)] if field else found
    everywhere = sorted(services["district"].unique())
    if len(found):
        return str(found["field"].iloc[0]), [str(found["district"].iloc[0])]
    assessed = services[services["quarter"] == now].groupby("field", observed=True)["outcome_denominator"].sum()
    return field or str(assessed.idxmax()), everywhere


def control_result(
    services: pd.DataFrame, *, field: str = "", quarter: str | None = None, language: str = "zh"
) -> Result:
    """The control chart of a field where `watched` finds it worth following (limits as `signals`).

    Returns:
        Result by quarter: rate, centre (of the quarters that are no signals), assessed.

    Raises:
        ParameterError: an unknown field.
    """
    now = described_quarter(services, quarter)
    field, here = watched(services, field=field, quarter=now)
    known = services[services["district"].isin(here) & (services["quarter"] <= now) & (services["field"] == field)]
    summed = _assessed(known).groupby("quarter", as_index=False)[list(COUNTS)].sum()
    words = {"field": terms.label(field, language, column="field"), "area": place_name(here, language)}

    def said(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
        rate, centre, size = (shown.data[name].to_numpy(float) for name in ("rate", "centre", "assessed"))
        low, high = p_limits(centre, size)
        outside = [shown.name("quarter", one) for one in shown.data["quarter"][(rate < low) | (rate > high)]]
        shared = {**words, "centre": shown.figure("centre", quarter=shown.data["quarter"].iloc[-1])}
        return [("talent.control", {**shared, "signals": outside}) if outside else ("talent.control_none", shared)]

    return Result(
        _rated(_judged(summed), "rate"),
        ("quarter",),
        (
            Measure("rate", "share", of=COUNTS),
            Measure("centre", "share", of=("baseline_numerator", "baseline_denominator")),
            MEASURED,
        ),
        "assessed",
        provenance_of(services),
        title=terms.text("talent.control_title", language, **words),
        chart="control",
        sentence=said,
    )


def outcome_spread(
    services: pd.DataFrame, *, field: str = "", quarter: str | None = None, language: str = "zh"
) -> Result:
    """A field's outcome rate in each district beside the number assessed: which differ by more than chance.

    Parameters:
        services: of the whole city. field: as `watched`.

    Returns:
        Result by district: rate, assessed; drawn as a funnel plot.
    """
    now = described_quarter(services, quarter)
    field, _ = watched(services, field=field, quarter=now)
    here = services[(services["quarter"] == now) & (services["field"] == field)]
    words = {"field": terms.label(field, language, column="field"), "quarter": terms.quarter(now, language)}
    return Result(
        _rated(_assessed(here)[["district", *COUNTS]], "rate"),
        ("district",),
        (Measure("rate", "share", of=COUNTS, interval="wilson"), MEASURED),
        "assessed",
        provenance_of(services),
        title=terms.text("talent.spread_title", language, **words),
        chart="funnel",
    )


def entry_cohorts(services: pd.DataFrame) -> Result | None:
    """Three-year outcomes of drug rehabilitation by the year in which the cases entered, as `cohorts`.

    Returns:
        Result by entry_year: rate with its Wilson interval, quarters, assessed; None where nothing was assessed.
    """
    found = cohorts(services)
    if found.empty:
        return None
    return Result(
        _rated(found, "rate"),
        ("entry_year",),
        (
            Measure("rate", "share", of=COUNTS, interval="wilson"),
            Measure("quarters", "count", counts="quarters"),
            MEASURED,
        ),
        "assessed",
        provenance_of(services),
        title="notebooks.cohort_table",
    )


def schools_result(services: pd.DataFrame, *, quarter: str | None = None) -> Result | None:
    """Schools with a social worker by district, as `schools`; schools are no persons and are shown exactly.

    Returns:
        Result by district, the whole as "total": schools_covered, schools, share; None where no school is on record.
    """
    found = schools(services, quarter=described_quarter(services, quarter))
    if found.empty:
        return None
    numbers = ["schools_covered", "schools"]
    frame = with_total(found[["district", *numbers]], "district", numbers)
    reads = [replace(read, personal=False) for read in provenance_of(services).reads]  # two columns without a person
    return Result(
        frame.assign(share=frame["schools_covered"] / frame["schools"]),
        ("district",),
        (
            Measure("share", "share", of=("schools_covered", "schools")),
            *(Measure(name, "count", counts="schools") for name in numbers),
        ),
        None,
        Provenance(reads),
        title="notebooks.schools_table",
        chart="dot",
    )
