"""The model of one area: its own if it has leavers enough, else one that leans on the city, or the city's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.results import Result
from institute_lib.retention.hazard import FEW_EVENTS, HazardModel, hazard
from institute_lib.retention.pooling import EVENTS_A_COEFFICIENT, pooled
from institute_lib.retention.spells import require_columns


@dataclass(frozen=True)
class LocalModel(Result):
    """model: what to show. basis: "own", "pooled" or "city". n_events: leavers in the area; needed: what a model of its
    own would take. level: the area's odds of leaving over the city's, drivers alike, by pooling (missing for "own").
    """

    model: HazardModel
    basis: str
    n_events: int
    needed: int
    level: float
    warnings: tuple[str, ...] = ()

    def summary(self, language: str = "zh") -> str:
        """Which model is shown and why."""
        return terms.text(
            f"retention.basis_{self.basis}",
            language,
            events=terms.count(self.n_events, language) if self.n_events >= FEW_EVENTS else f"<{FEW_EVENTS}",
            needed=terms.count(self.needed, language),
            level=terms.number(self.level, language, 2),
        )

    def to_frame(self) -> pd.DataFrame:
        """The model's coefficients as a copy."""
        return self.model.to_frame()


def local(
    data: pd.DataFrame,
    *,
    area: Sequence[str],
    event: str,
    drivers: Sequence[str],
    by: str = "district",
    cluster: str | None = None,
) -> LocalModel:
    """Fit the model that an area's data can bear.

    Parameters:
        data: the rows of all districts of the city. area: the districts asked about; all of them for the city.
        event, drivers, cluster: as `hazard`. by: the column of districts.

    Returns:
        LocalModel: its own model where there are ten leavers for each coefficient (Peduzzi and others 1996) and some
        leave and some stay at each level; else the pooled one, if half of the drivers have ten leavers at each level;
        else the city's, with the area's own level by pooling.

    Raises:
        As `hazard`, and `pooled` where the area is too small.
    """
    require_columns(data, [by, event, *drivers], table="data")
    area = [area] if isinstance(area, str) else list(area)
    here = data[data[by].isin(area)]
    leavers = {name: here.groupby(name, observed=True)[event].agg(["sum", "size"]) for name in drivers}
    estimable = all(((one["sum"] > 0) & (one["sum"] < one["size"])).all() for one in leavers.values())
    well_filled = np.mean([(one["sum"] >= FEW_EVENTS).all() for one in leavers.values()]) if leavers else 0.0
    width = 1 + sum(data[name].nunique() - 1 for name in drivers)
    events, needed = int(here[event].sum()), EVENTS_A_COEFFICIENT * width
    if len(here) == len(data) or (events >= needed and estimable):
        model = hazard(here, event=event, drivers=list(drivers), cluster=cluster)
        return LocalModel(model, "own", events, needed, float("nan"), model.warnings)
    models = pooled(data, event=event, drivers=list(drivers), by=by)
    mine = models.models[area[0]] if len(area) == 1 and area[0] in models.models else models.city
    level = float(np.exp(mine.fit.beta[0] - models.city.fit.beta[0]))
    if well_filled >= 0.5:
        return LocalModel(mine, "pooled", events, needed, level, mine.warnings)
    city = hazard(data, event=event, drivers=list(drivers), cluster=cluster)
    return LocalModel(city, "city", events, needed, level, city.warnings)
