"""The ledger comes first: what is evaluated, on whom, from when, and with whom it may be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from institute_lib import areas, terms
from institute_lib.errors import DataError, EstimationError, ParameterError, nearest
from institute_lib.policy.panel import as_written, listed
from institute_lib.policy.periods import calendar_of

SIZE = "headcount"


@dataclass(frozen=True)
class Specification:
    """What an evaluation of one treated unit looks at.

    Attributes:
        policy_id: the ledger's code; empty for a panel that is not the institute's.
        outcomes: columns of the panel, as the ledger names them or as chosen.
        unit, period: columns of the panel.
        treated_unit, start: who is treated, and the first fully treated period.
        partial: a partly treated period that no estimate uses, if there is one.
        recorded: the day on which the ledger row was written. began: the day on which the policy started, if known.
        exploratory: what was chosen against the ledger, or without one.
        assumed: the ledger has no day of start, so that the first treated period is an assumption.
    """

    policy_id: str
    outcomes: tuple[str, ...]
    unit: str
    period: str
    treated_unit: Any
    start: str | int
    partial: str | None = None
    recorded: str = ""
    began: str = ""
    exploratory: tuple[str, ...] = ()
    assumed: bool = False

    @property
    def recorded_late(self) -> bool:
        """Whether the ledger row was written only when the policy had begun."""
        began = pd.Timestamp(self.began) if self.began else pd.Period(self.start, freq="Q").start_time
        return pd.Timestamp(self.recorded) >= began

    def provenance(self, language: str = "zh") -> str:
        """Where it comes from: the ledger's row and its date, or what was chosen against it."""
        if self.exploratory:
            choices = terms.text("policy.listed", language).join(terms.label(one, language) for one in self.exploratory)
            return terms.text("policy.deviation", language, choices=choices)
        days = {"day": terms.date(self.recorded, language)}
        sentence = terms.text("policy.recorded", language, **days)
        if self.began:
            days["began"] = terms.date(self.began, language)
            sentence += terms.text("policy.began", language, **days)
        if self.recorded_late:
            sentence += terms.text("policy.recorded_late", language)
        if self.assumed:
            sentence += terms.text("policy.start_assumed", language, start=terms.quarter(self.start, language))
        return sentence


def specify(
    ledger: pd.DataFrame,
    *,
    policy_id: str,
    outcome: str = "",
    treated_unit: str = "",
    start: str = "",
    unit: str = "district",
    period: str = "quarter",
) -> Specification:
    """The specification that the ledger gives a policy, or that the arguments give a panel without one.

    Args:
        ledger: the `policies` table, one row a policy and outcome.
        policy_id: the ledger's code; empty takes everything from the other arguments.
        outcome, treated_unit, start: a choice that differs from the ledger's is marked as exploratory.
        unit, period: columns of the panel.

    Raises:
        ParameterError: no such policy, or an argument missing for a panel without a ledger.
        EstimationError: the ledger gives no date, or more than one treated unit.
    """
    columns = {"unit": unit, "period": period}
    if not policy_id:
        given = {"outcome": outcome, "treated_unit": treated_unit, "start": start}
        missing = [name for name, value in (given | columns).items() if not value]
        if missing:
            raise ParameterError(f"a panel without a ledger row needs {', '.join(missing)}")
        begin = int(start) if start.isdigit() else start
        own = {"treated_unit": treated_unit, "start": begin, "exploratory": tuple(given)}
        return Specification(policy_id="", outcomes=(outcome,), **columns, **own)
    rows = ledger[ledger["policy_id"] == policy_id]
    if rows.empty:
        raise terms.error(
            ParameterError,
            "policy.error_unknown",
            policy=policy_id,
            allowed=lambda language: terms.nearest_in(language, policy_id, ledger["policy_id"].unique()),
        )
    first = rows.iloc[0]
    if pd.isna(first["treated_from"]):
        raise terms.error(EstimationError, "policy.error_undated", policy=policy_id)
    if ";" in first["area"]:
        raise EstimationError(f"policy {policy_id!r} treats several units; use policy.staggered")
    chosen = {
        "outcome": outcome if outcome and outcome not in set(rows["outcome"]) else "",
        "treated_unit": treated_unit if treated_unit not in ("", first["area"]) else "",
        "start": start if start not in ("", first["treated_from"]) else "",
    }
    return Specification(
        policy_id=policy_id,
        outcomes=(outcome,) if outcome else tuple(rows["outcome"]),
        **columns,
        treated_unit=treated_unit or first["area"],
        start=start or first["treated_from"],
        partial=None if pd.isna(first["partial_quarter"]) else first["partial_quarter"],
        recorded=str(pd.Timestamp(first["recorded"]).date()),
        began=str(pd.Timestamp(first["start"]).date()) if "start" in rows and pd.notna(first["start"]) else "",
        exploratory=tuple(name for name, value in chosen.items() if value),
        assumed="start" in rows and bool(pd.isna(first["start"])),
    )


def has_begun(panel: pd.DataFrame, specification: Specification) -> bool:
    """Whether the panel holds a fully treated period.

    A start chosen against the ledger counts as begun: where the panel does not reach it, the estimate says so.
    """
    if "start" in specification.exploratory:
        return True
    calendar = calendar_of(panel[specification.period], name=specification.period)
    start = calendar.ordinal(specification.start, name="start")
    return bool((calendar.ordinals(panel[specification.period], name=specification.period) >= start).any())


def sample(panel: pd.DataFrame, specification: Specification, *, donors: Sequence[Any] | None = None) -> pd.DataFrame:
    """The rows of the treated unit and its donors, without the partly treated period."""
    kept = panel[specification.period] != specification.partial if specification.partial else slice(None)
    rows = panel[kept]
    if donors is None:
        return rows
    units = rows[specification.unit]
    return rows[units.isin([as_written(specification.treated_unit, units.unique()), *donors])]


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
