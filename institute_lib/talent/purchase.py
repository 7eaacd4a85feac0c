"""Government purchase: who buys what where, how few sell it, and whether the provincial floors are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from institute_lib import areas, terms
from institute_lib.results import Result
from institute_lib.tables.contracts import FIELDS, STATION_LEVELS
from institute_lib.talent.checks import check_by, not_numbers, refuse, require, stated_once, unknown_levels

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
class Purchase(Result):
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

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def summary(self, language: str = "zh") -> str:
        """One sentence: money, contracts, concentration, contracts below a floor."""
        return terms.text(
            "talent.purchase",
            language,
            amount=terms.count(self.total, language),
            contracts=terms.number(float(self.frame["contracts"].sum()), language),
            hhi=terms.number(self.hhi, language, 2),
            breaches=terms.number(float(self.breaches["contract_id"].nunique()), language),
        )


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
        *(_above_one(one, column) for column in FLOORS),
        unknown_levels(procurement, "level", STATION_LEVELS, table="procurement"),
        unknown_levels(procurement, "field", FIELDS, table="procurement"),
    )


def _above_one(frame: pd.DataFrame, column: str) -> list:
    from institute_lib.talent.checks import above

    return above(frame, column, "1", table="procurement")


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
