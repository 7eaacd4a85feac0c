"""The life table: of those who reach each length of tenure, the share who leave in it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError
from institute_lib.results import Result
from institute_lib.retention.drivers import level_name, ordered_levels
from institute_lib.retention.spells import faults_where, plain, refuse_missing, require_columns


@dataclass(frozen=True)
class LifeTable(Result):
    """`table`: [group,] tenure, time, at_risk, events, censored, hazard, hazard_se, survival, survival_se.

    `time` is the end of the row's period, in periods since entry.
    `medians`: group → the time by which one half has left, by straight-line interpolation; missing if never.
    """

    table: pd.DataFrame
    medians: dict[str, float]
    n_rows: int
    n_events: int
    warnings: tuple[str, ...] = ()

    @property
    def median(self) -> float:
        """The median of the only group."""
        return next(iter(self.medians.values()))

    def summary(self, language: str = "zh") -> str:
        """Where the hazard is highest, and the median."""
        top = self.table.loc[self.table["hazard"].idxmax()]
        known = np.isfinite(self.median)
        return terms.text(
            "retention.life_table" if known else "retention.life_table_no_median",
            language,
            tenure=top["tenure"],
            hazard=terms.percent(float(top["hazard"]), language),
            median=terms.number(self.median, language, 1),
        )

    def to_frame(self) -> pd.DataFrame:
        """The table as a copy."""
        return self.table.copy()


def life_table(
    quarters: pd.DataFrame,
    *,
    tenure: str = "tenure_quarters",
    event: str = "left",
    by: str | None = None,
    weights: str | None = None,
    origin: int = 0,
) -> LifeTable:
    """Hazard and survival by completed tenure, from person-period rows.

    Parameters:
        quarters: one row a person-period, as `person_quarters` gives (late entrants have no early rows).
        tenure: whole number of the row's period.
        origin: the number of the first period: 0 where tenure counts completed periods, 1 where periods are numbered.
        event: 0/1. by: column of groups. weights: how many persons each row stands for, whole
            or fractional (survey weights; then at_risk, events and censored are fractional too).

    Returns:
        LifeTable; hazard = events / at_risk, se = sqrt(h (1 − h) / n); survival by the product, Greenwood's error.
        `survival` stands at the end of the row's period. `censored` counts those at risk in a period, without the
        event, who are not at risk in the next (net of late entrants it may be negative, and is then 0).

    Raises:
        DataError: no rows, or an event that is not 0/1. ParameterError: unknown column.

    Source: Singer and Willett, Applied Longitudinal Data Analysis (2003), section 10.2; median, equation 10.6.
    """
    quarters = plain(quarters)
    require_columns(quarters, [c for c in (tenure, event, by, weights) if c], table="quarters")
    if quarters.empty:
        raise DataError("quarters: no rows; nothing to tabulate")
    _check_rows(quarters, tenure=tenure, event=event, weights=weights)
    refuse_missing(quarters, [by] if by else [], table="quarters")
    counts = quarters[weights] if weights else pd.Series(1, index=quarters.index)
    groups = quarters[by].map(level_name) if by else pd.Series("all", index=quarters.index)
    rows = pd.DataFrame(
        {"group": groups, "tenure": quarters[tenure], "at_risk": counts, "events": counts * quarters[event]}
    )
    cells = rows.groupby(["group", "tenure"], observed=True).sum().reset_index().query("at_risk > 0")
    parts = dict(list(cells.groupby("group")))
    order = ordered_levels(by, parts) if by else list(parts)
    whole = not (cells[["at_risk", "events"]] % 1).any(axis=None)
    tables = [_one_group(parts[name].reset_index(drop=True), origin, int if whole else float) for name in order]
    medians = {part["group"].iloc[0]: _median(part) for part in tables}
    table = pd.concat(tables, ignore_index=True)
    return LifeTable(
        table=table if by else table.drop(columns="group"),
        medians=medians,
        n_rows=round(table["at_risk"].sum()),
        n_events=round(table["events"].sum()),
    )


def _check_rows(quarters: pd.DataFrame, *, tenure: str, event: str, weights: str | None) -> None:
    """Refuse tenures that are no whole numbers, events other than 0 and 1, and numbers of persons below 0, by row."""
    whole = pd.to_numeric(quarters[tenure], errors="coerce")
    checks = [
        (tenure, ~(whole % 1 == 0), "tenure is a whole number of periods"),
        (event, ~quarters[event].isin([0, 1]), "the event is 0 or 1"),
    ]
    if weights:
        checks.append(
            (weights, ~(pd.to_numeric(quarters[weights], errors="coerce") >= 0), "persons are counted from 0")
        )
    faults = [
        one for column, wrong, rule in checks for one in faults_where(quarters, wrong, column, rule, table="quarters")
    ]
    if faults:
        raise DataError(f"quarters: {len(faults)} faults in {len(quarters)} rows", tuple(faults))


def _one_group(cells: pd.DataFrame, origin: int, kind: type) -> pd.DataFrame:
    at_risk, events = cells["at_risk"].to_numpy(float), cells["events"].to_numpy(float)
    hazard = events / at_risk
    survival = np.cumprod(1 - hazard)
    following = np.append(at_risk[1:], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.sqrt(np.cumsum(np.where(hazard < 1, hazard / (at_risk * (1 - hazard)), 0.0)))
    cells.insert(2, "time", cells["tenure"].astype(int) - origin + 1)
    return cells.assign(
        at_risk=at_risk.astype(kind),
        events=events.astype(kind),
        censored=np.maximum(at_risk - events - following, 0).astype(kind),
        hazard=hazard,
        hazard_se=np.sqrt(hazard * (1 - hazard) / at_risk),
        survival=survival,
        survival_se=survival * greenwood,
    )


def _median(table: pd.DataFrame) -> float:
    """Straight-line between the two times around one half; the curve is 1 one period before its first time."""
    time = np.concatenate([[table["time"].iloc[0] - 1], table["time"]]).astype(float)
    survival = np.concatenate([[1.0], table["survival"].to_numpy(float)])
    below = np.flatnonzero(survival <= 0.5 + 1e-9)
    if not len(below):
        return float("nan")
    after = below[0]
    part = (survival[after - 1] - 0.5) / (survival[after - 1] - survival[after])
    return float(time[after - 1] + part * (time[after] - time[after - 1]))
