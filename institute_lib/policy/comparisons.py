"""With whom a treated unit is compared: who has no policy of its own, at the level of the policy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from institute_lib import areas
from institute_lib.errors import DataError, EstimationError, ParameterError, nearest
from institute_lib.policy.ledger import Specification, sample
from institute_lib.policy.panel import as_written, listed

SIZE = "headcount"


@dataclass(frozen=True)
class Comparison:
    """The panel at the treated unit's level, and the donors it may be compared with, the main pool first.

    Attributes:
        panel: districts, or cities where the policy is a city's.
        pools: name to donors; None for every other unit of an own panel.
        excluded: cities left out of the main pool because the ledger holds a policy of theirs.
    """

    panel: pd.DataFrame
    pools: Mapping[str, list[Any] | None]
    excluded: tuple[str, ...] = ()

    @property
    def donors(self) -> list[Any] | None:
        """The main pool."""
        return next(iter(self.pools.values()))


def compare(panel: pd.DataFrame, ledger: pd.DataFrame, specification: Specification) -> Comparison:
    """The panel and the donor pools of a policy.

    A district is compared with the province's districts that follow no programme, outside every city in which the
    ledger holds a policy of one unit (an agreement on one district may cover its city); beside them with its siblings,
    which the policy may touch. A city is compared with cities outside those, each made of the districts that follow no
    programme. A panel without a ledger row is taken as it is.

    Args:
        panel: district, quarter, headcount, outcomes, treated_from (missing where no programme holds).
        ledger: the `policies` table.

    Raises:
        EstimationError: nobody is left to compare with.
    """
    if not specification.policy_id:
        return Comparison(panel, {"all_pool": None})
    treated = areas.get(specification.treated_unit)
    touched = sorted({areas.city_of(area) for area in ledger["area"].dropna() if ";" not in area})
    free = panel.loc[panel["treated_from"].isna(), "district"].unique().tolist()
    outside = [code for code in free if areas.city_of(code) not in touched]
    if treated.level == "city":
        cities = by_city(panel[panel["district"].isin([*outside, *_of_city(panel, treated.code)])])
        pools = {"city_pool": [code for code in cities["district"].unique() if code != treated.code]}
        panel = cities
    else:
        siblings = [one.code for one in areas.peers(treated.code) if one.code in free]
        pools = {"province_pool": outside, "siblings_pool": siblings}
    pools = {name: [one for one in pool if one != treated.code] for name, pool in pools.items()}
    pools = {name: pool for name, pool in pools.items() if pool}
    if not pools:
        raise EstimationError(f"no donors for {treated.code}: every other unit has a policy of its own")
    return Comparison(panel, pools, tuple(touched))


def _of_city(panel: pd.DataFrame, city: str) -> list[str]:
    return [code for code in panel["district"].unique() if areas.city_of(code) == city]


def by_city(panel: pd.DataFrame, *, size: str = SIZE) -> pd.DataFrame:
    """A district panel as a city panel: sizes added up, everything else averaged by size.

    Args:
        panel: district, quarter, `size`, and figures; other columns are left out.

    Returns:
        district (the city's code, so that one column names the unit at either level), quarter, size, figures.

    Raises:
        ParameterError: no such size. DataError: a city is not made of the same districts in every quarter.
    """
    if size not in panel:
        raise ParameterError(f"panel: column {size!r}: {nearest(size, panel.columns)}")
    figures = [name for name in panel.select_dtypes("number") if name != size]
    cities = panel["district"].map({code: areas.city_of(code) for code in panel["district"].unique()})
    counted = panel.groupby([cities, "quarter"])["district"].nunique().groupby(level=0).nunique()
    changing = counted.index[counted > 1]
    if len(changing):
        raise DataError(f"{listed(changing)}: not the same districts in every quarter; leave the incomplete ones out")
    weighted = panel[figures].mul(panel[size], axis=0).where(panel[figures].notna())
    masses = panel[figures].notna().mul(panel[size], axis=0)
    keys = [cities.rename("district"), panel["quarter"]]
    means = weighted.groupby(keys).sum(min_count=1) / masses.groupby(keys).sum()
    return pd.concat([panel[size].groupby(keys).sum(), means], axis=1).reset_index()


def trends(
    panel: pd.DataFrame, specification: Specification, *, outcome: str, donors: list[Any] | None
) -> pd.DataFrame:
    """The treated unit's outcome and its donors' plain mean by period: what a reader looks at before any weighting.

    Returns:
        period, group ("treated", "comparison"), and the outcome.
    """
    rows = sample(panel, specification, donors=donors)
    units = rows[specification.unit]
    treated = units == as_written(specification.treated_unit, units.unique())
    group = treated.map({True: "treated", False: "comparison"})
    keys = [rows[specification.period].rename("period"), group.rename("group")]
    return rows.groupby(keys)[outcome].mean().reset_index()
