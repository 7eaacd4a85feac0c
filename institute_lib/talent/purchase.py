"""Government purchase: who buys what where, how few sell it, and whether the provincial floors are kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from institute_lib import terms
from institute_lib.results import Result
from institute_lib.talent.checks import check_by, require

# Lower bounds of the province for purchased projects since 2021 (data/reference/other_facts.csv).
FLOORS = {"social_worker_share": 0.75, "labour_share": 0.80}


@dataclass(frozen=True)
class Purchase(Result):
    """Contracts of a period.

    `frame`: the columns of `by`, contracts, amount, share (of all money), providers, hhi (0 to 1), below_floor.
    `breaches`: contract_id, column, share, floor: one row for each floor that a contract misses.
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


def purchase(
    procurement: pd.DataFrame, *, by: Sequence[str] = ("field",), since: str | None = None, until: str | None = None
) -> Purchase:
    """Money, contracts and concentration of providers by group.

    Concentration is the Herfindahl-Hirschman index: the sum of squared shares of the providers' money, 1 for one seller
    (Hirschman 1964, American Economic Review 54, 761).

    Args:
        procurement: the contract's table.
        by: any of field, district, level, year.
        since, until: ISO days of signature, both included.

    Raises:
        ParameterError: another grouping.
        DataError: a column is missing.
    """
    needed = ("contract_id", "district", "signed", "level", "field", "provider", "amount", *FLOORS)
    require(procurement, needed, table="procurement")
    groups = check_by(by, ("field", "district", "level", "year"))
    signed = procurement["signed"]
    first = pd.Timestamp(since) if since else signed.min()
    last = pd.Timestamp(until) if until else signed.max()
    chosen = procurement[(signed >= first) & (signed <= last)].assign(year=lambda frame: frame["signed"].dt.year)
    breaches = pd.concat([_below(chosen, column, floor) for column, floor in FLOORS.items()], ignore_index=True)
    chosen = chosen.assign(missed=chosen["contract_id"].isin(breaches["contract_id"]))
    total = float(chosen["amount"].sum())
    rows = [
        dict(zip(groups, key, strict=True)) | _row(part, total)
        for key, part in (chosen.groupby(groups, observed=True) if groups else [((), chosen)])
    ]
    columns = [*groups, "contracts", "amount", "share", "providers", "hhi", "below_floor"]
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


def _below(contracts: pd.DataFrame, column: str, floor: float) -> pd.DataFrame:
    missed = contracts[contracts[column] < floor]
    return pd.DataFrame({"contract_id": missed["contract_id"], "column": column, "share": missed[column]}).assign(
        floor=floor
    )
