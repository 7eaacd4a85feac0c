"""Government purchase: who buys what where, how few sell it, and whether the provincial floors are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import areas, terms
from institute_lib.result import Measure, Provenance, Result, described_quarter, provenance_of
from institute_lib.tables.contracts import FIELDS, STATION_LEVELS
from institute_lib.talent.checks import (
    TOTAL,
    Framed,
    above,
    check_by,
    not_numbers,
    place_name,
    refuse,
    require,
    stated_once,
    unknown_levels,
)

GROUPS = ("field", "district", "level", "year", "provider")
# Names of the floors' indicators in data/reference/other_facts.csv, by the column that they bind.
FLOORS = {
    "social_worker_share": "talent.floor_social_worker_share",
    "labour_share": "talent.floor_labour_share",
}
PROVINCE = "320000"


@dataclass(frozen=True)
class Floor:
    """A provincial lower bound: the share, the first year it binds, and where it stands."""

    share: float
    since: int
    source: str


@dataclass(frozen=True)
class Purchase(Framed):
    """Contracts of a period.

    `frame`: the columns of `by`, contracts, amount, share (of all money), providers, hhi (0 to 1), below_floor; with a
    population per_resident (yuan), with services per_case (yuan).
    `breaches`: contract_id, district, column, share, floor: one row for each floor that a contract misses.
    """

    frame: pd.DataFrame
    breaches: pd.DataFrame
    total: float
    hhi: float
    warnings: tuple[str, ...] = ()


def floors(facts: pd.DataFrame | None = None) -> dict[str, Floor]:
    """The province's floors for purchased projects, by column, as its published figures state them.

    Args:
        facts: `areas.reference("other_facts")`; None reads it.

    Raises:
        DataError: a floor is missing from the facts.
    """
    facts = areas.reference("other_facts") if facts is None else facts
    found = {}
    for column, key in FLOORS.items():
        row = stated_once(facts[facts["area"] == PROVINCE], terms.text(key, "zh"))
        found[column] = Floor(float(row["amount"]) / 100, int(str(row["period"])[:4]), str(row["source"]))
    return found


def check_procurement(procurement: pd.DataFrame) -> None:
    """Refuse contracts that cannot be, every row at once.

    Raises:
        DataError: money below zero or as text, an unknown level or field, a share outside 0 to 1.
    """
    needed = ("contract_id", "district", "signed", "level", "field", "provider", "amount", *FLOORS)
    require(procurement, needed, table="procurement")
    one = procurement.assign(**{"1": 1.0})
    refuse(
        "procurement",
        not_numbers(procurement, ("amount", *FLOORS), table="procurement"),
        *(above(one, column, "1", table="procurement") for column in FLOORS),
        unknown_levels(procurement, "level", STATION_LEVELS, table="procurement"),
        unknown_levels(procurement, "field", FIELDS, table="procurement"),
    )


def purchase(
    procurement: pd.DataFrame,
    *,
    by: Sequence[str] = ("field",),
    since: str | None = None,
    until: str | None = None,
    population: pd.DataFrame | None = None,
    services: pd.DataFrame | None = None,
    bounds: Mapping[str, Floor] | None = None,
) -> Purchase:
    """Money, contracts and concentration of providers by group.

    Concentration is the Herfindahl-Hirschman index: the sum of squared shares of the providers' money, 1 for a single
    seller (Hirschman 1964, American Economic Review 54, 761). Per case: yearly money over the mean caseload of the
    quarters in the years of the contracts (fields and districts of the group), since cases run on between quarters.

    Args:
        procurement: the contract's table.
        by: any of field, district, level, year, provider.
        since, until: ISO days of signature, both included.
        population: code, population by district (`areas.population()`), for yuan per resident.
        services: the contract's table, for yuan per case.
        bounds: floors by column; None for the province's (`floors`). A contract signed before a floor's first year is
            not bound by it.

    Raises:
        ParameterError: another grouping.
        DataError: a column is missing, or contracts that cannot be.
    """
    check_procurement(procurement)
    groups = check_by(by, GROUPS)
    signed = procurement["signed"]
    first = pd.Timestamp(since) if since else signed.min()
    last = pd.Timestamp(until) if until else signed.max()
    chosen = procurement[(signed >= first) & (signed <= last)].assign(year=lambda frame: frame["signed"].dt.year)
    bounds = floors() if bounds is None else bounds
    breaches = pd.concat([_below(chosen, column, floor) for column, floor in bounds.items()], ignore_index=True)
    chosen = chosen.assign(missed=chosen["contract_id"].isin(breaches["contract_id"]))
    total = float(chosen["amount"].sum())
    rows = [
        dict(zip(groups, key, strict=True)) | _row(part, total) | _per(part, chosen, groups, population, services)
        for key, part in (chosen.groupby(groups, observed=True) if groups else [((), chosen)])
    ]
    extra = [name for name, given in (("per_resident", population), ("per_case", services)) if given is not None]
    columns = [*groups, "contracts", "amount", "share", "providers", "hhi", "below_floor", *extra]
    return Purchase(pd.DataFrame(rows, columns=columns), breaches, total, concentration(chosen))


def concentration(contracts: pd.DataFrame) -> float:
    """The Herfindahl-Hirschman index of the providers' money; NaN without money."""
    money = contracts.groupby("provider")["amount"].sum()
    return float(((money / money.sum()) ** 2).sum()) if money.sum() > 0 else float("nan")


def _row(part: pd.DataFrame, total: float) -> dict[str, float]:
    amount = float(part["amount"].sum())
    return {
        "contracts": len(part),
        "amount": amount,
        "share": amount / total if total else float("nan"),
        "providers": part["provider"].nunique(),
        "hhi": concentration(part),
        "below_floor": int(part["missed"].sum()),
    }


def _per(
    part: pd.DataFrame,
    chosen: pd.DataFrame,
    groups: list[str],
    population: pd.DataFrame | None,
    services: pd.DataFrame | None,
) -> dict[str, float]:
    """Yuan per resident of the districts meant, and per case of their fields."""
    amount = float(part["amount"].sum())
    districts = (part if "district" in groups else chosen)["district"].unique()
    found = {}
    if population is not None:
        residents = population.loc[population["code"].isin(districts), "population"].sum()
        found["per_resident"] = amount / residents if residents else float("nan")
    if services is not None:
        here = services["district"].isin(districts) & services["field"].isin(part["field"].unique())
        years = (part if "year" in groups else chosen)["year"].unique()
        own = services[here & services["quarter"].str[:4].astype(int).isin(years)]
        cases = own.groupby("quarter")["caseload"].sum().mean() if len(own) else float("nan")
        found["per_case"] = amount / len(years) / cases if cases > 0 else float("nan")
    return found


def _below(contracts: pd.DataFrame, column: str, floor: Floor) -> pd.DataFrame:
    missed = contracts[(contracts[column] < floor.share) & (contracts["year"] >= floor.since)]
    frame = missed[["contract_id", "district"]].assign(column=column, share=missed[column])
    return frame.assign(floor=floor.share)


# Results: what a notebook shows. Contracts, providers and money are no persons, and are shown exactly.

CONTRACTS = Measure("contracts", "count", counts="contracts")
BELOW = Measure("below_floor", "count", counts="contracts")
AMOUNT = Measure("amount", "yuan", of="contracts", statistic="sum")
HHI = Measure("hhi", "number", digits=2)
MONEY = (CONTRACTS, AMOUNT, Measure("share", "share", of=("amount", "all_amount")), HHI, BELOW)


def _year_to(quarter: str, *, back: int = 0) -> dict[str, str]:
    """The first and the last day of the four quarters that end with a quarter, some years earlier if wanted."""
    last = pd.Period(quarter, freq="Q") - 4 * back
    return {"since": str((last - 3).start_time.date()), "until": str(last.end_time.date())}


def purchase_of_year(
    procurement: pd.DataFrame,
    *,
    population: pd.DataFrame,
    districts: Sequence[str],
    services: pd.DataFrame,
    quarter: str | None = None,
) -> Result | None:
    """What was bought in the four quarters to the quarter's end, by field and in all.

    Parameters:
        procurement: one row a contract, of the area. districts: of the area, whose residents are counted.
        services: of the districts that reported, for the money per case of theirs; caseloads are counted in fives, as
            they are shown.

    Returns:
        Result by field, the whole as "total": contracts, amount, share, hhi, below_floor, per_resident and
        per_resident_last_year (yuan), per_case (yuan a year and case). None where the register is younger.
    """
    now = described_quarter(procurement, quarter)
    if not _covered(procurement, pd.Period(now, freq="Q")):
        return None
    residents = float(population.loc[population["code"].isin(districts), "population"].sum())
    reported = procurement[procurement["district"].isin(services["district"].unique())]
    years = {"": _year_to(now), "_last_year": _year_to(now, back=1)}
    sums = {}
    for name, period in years.items():
        found = purchase(procurement, by=("field",), **period)
        whole = purchase(procurement, by=(), **period).frame.assign(field=TOTAL)
        sums[name] = pd.concat([found.frame, whole], ignore_index=True).assign(all_amount=found.total)
    theirs = purchase(reported, by=("field",), **years[""]).frame.set_index("field")["amount"]
    theirs[TOTAL] = theirs.sum()
    frame = sums[""]
    before = sums["_last_year"].set_index("field")["amount"]
    frame["residents"] = residents
    frame["per_resident"] = frame["amount"] / residents
    frame["per_resident_last_year"] = frame["field"].map(before) / residents
    frame["cases"] = [_mean_caseload(services, now, field) for field in frame["field"]]
    frame["per_case"] = frame["field"].map(theirs) / frame["cases"]
    reads = (*provenance_of(procurement).reads, *provenance_of(population).reads)
    counted = [replace(read, personal=False) for read in provenance_of(services).reads]  # caseloads in fives alone
    return Result(
        frame,
        ("field",),
        (
            *MONEY,
            Measure("per_resident", "yuan", digits=2, of="residents"),
            Measure("per_resident_last_year", "yuan", digits=2, of="residents"),
            Measure("per_case", "yuan", of="cases"),
        ),
        None,
        Provenance([*reads, *counted]),
        title="notebooks.purchase_table",
    )


def _covered(procurement: pd.DataFrame, last: pd.Period) -> bool:
    """Whether the register holds the whole year that ends with a quarter."""
    return len(procurement) > 0 and pd.Period(procurement["signed"].min(), freq="Q") <= last - 3


def _mean_caseload(services: pd.DataFrame, quarter: str, field: str) -> float:
    """The mean caseload of the year's quarters, to the nearest five; NaN under ten."""
    first = str(pd.Period(quarter, freq="Q") - 3)
    here = services[(services["quarter"] >= first) & (services["quarter"] <= quarter)]
    here = here if field == TOTAL else here[here["field"] == field]
    mean = here.groupby("quarter")["caseload"].sum().mean() if len(here) else 0.0
    return 5 * np.floor(mean / 5 + 0.5) if mean >= 10 else float("nan")


def purchase_total(
    procurement: pd.DataFrame, *, population: pd.DataFrame, districts: Sequence[str], quarter: str | None = None
) -> Result:
    """What was bought in each of the years that end with the quarter, per resident too.

    Returns:
        Result by quarter (the last of each four): purchase_per_resident, purchase_yuan, contracts, hhi, below_floor.
    """
    last = pd.Period(described_quarter(procurement, quarter), freq="Q")
    residents = float(population.loc[population["code"].isin(districts), "population"].sum())
    years = [last - 4 * back for back in range(30, -1, -1)]
    years = [one for one in years if _covered(procurement, one)] or [last]
    rows = [purchase(procurement, by=(), **_year_to(str(one))).frame.assign(quarter=str(one)) for one in years]
    frame = pd.concat(rows, ignore_index=True).rename(columns={"amount": "purchase_yuan"})
    if not _covered(procurement, last):
        frame[["purchase_yuan", "contracts", "hhi", "below_floor"]] = np.nan
    frame["purchase_per_resident"] = frame["purchase_yuan"] / residents

    def said(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
        names = ("purchase_yuan", "purchase_per_resident", "contracts", "hhi", "below_floor")
        words = {name: shown.figure(name, quarter=str(last)) for name in names}
        words["area"] = place_name(districts, language, whole=True)
        if words["purchase_yuan"].state == "missing":
            return [("talent.purchase_too_early", words)]
        return [("talent.purchase", {"quarter": str(last), **words})]

    return Result(
        frame.assign(residents=residents),
        ("quarter",),
        (
            Measure("purchase_per_resident", "yuan", digits=2, of="residents"),
            Measure("purchase_yuan", "yuan", of="contracts", statistic="sum"),
            CONTRACTS,
            HHI,
            BELOW,
        ),
        None,
        provenance_of(procurement, population),
        title="notebooks.purchase_years",
        chart="trend" if len(years) > 1 else "table",
        sentence=said,
    )


def largest_providers(procurement: pd.DataFrame, *, quarter: str | None = None, number: int = 10) -> Result | None:
    """The providers with most money in the four quarters to the quarter's end.

    Returns:
        Result by provider: amount, share, contracts, below_floor; None where nothing was bought.
    """
    found = purchase(procurement, by=("provider",), **_year_to(described_quarter(procurement, quarter)))
    frame = found.frame.assign(all_amount=found.total).nlargest(number, "amount")
    measures = (AMOUNT, MONEY[2], CONTRACTS, BELOW)
    title = "notebooks.sellers_table"
    return Result(frame, ("provider",), measures, None, provenance_of(procurement), title) if len(frame) else None


def floors_missed(procurement: pd.DataFrame, *, quarter: str | None = None, number: int = 20) -> Result | None:
    """The contracts of the four quarters to the quarter's end that miss a provincial floor, the lowest shares first.

    Returns:
        Result by contract_id, district and column: share_agreed, floor; None where none misses.
    """
    found = purchase(procurement, by=(), **_year_to(described_quarter(procurement, quarter))).breaches
    if found.empty:
        return None
    frame = found.assign(under=found["share"] - found["floor"], whole=1.0).nsmallest(number, "under")
    return Result(
        frame.rename(columns={"column": "floor_item", "share": "share_agreed"}),
        ("contract_id", "district", "floor_item"),
        (
            Measure("share_agreed", "share", of=("share_agreed", "whole")),
            Measure("floor", "share", of=("floor", "whole")),
        ),
        None,
        provenance_of(procurement),
        title="notebooks.breach_table",
    )
