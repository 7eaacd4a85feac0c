"""Which treated unit-periods can be imputed from what was observed without the policy."""

from dataclasses import replace

import numpy as np
import pandas as pd

from institute_lib.errors import EstimationError
from institute_lib.policy.panel import Panel, listed


def imputable(data: Panel, start: np.ndarray) -> tuple[Panel, np.ndarray]:
    """The panel without the treated rows whose untreated outcome nothing tells, and its units' starts.

    A warning names what is left out; a unit whose treated rows all are counts as not yet treated.

    A unit effect plus a period effect is known where the untreated rows link the unit to the period, through other
    units and periods if need be: where both lie in one component of the graph that these rows draw between them.

    Raises:
        EstimationError: no treated row is left.
    """
    rows = data.rows
    unit, period = rows["unit"].to_numpy(), np.searchsorted(data.periods, rows["period"].to_numpy())
    treated = rows["period"].to_numpy() >= start[unit]
    component = _components(unit[~treated], period[~treated], len(data.units), len(data.periods))
    lost = treated & (component[unit] != component[len(data.units) + period])
    if not lost.any():
        return data, start
    where = _reasons(data, unit, period, treated, lost)
    if lost.sum() == treated.sum():
        raise EstimationError(f"the effect is not identified: no treated outcome can be imputed; {where}")
    said = (
        f"{lost.sum()} of {treated.sum()} treated rows left out, since nothing tells their outcome untreated: {where}"
    )
    present, places = np.unique(unit[~lost], return_inverse=True)
    rows = rows[~lost].assign(unit=places).reset_index(drop=True)
    units = tuple(data.units[one] for one in present)
    start = np.where(np.isin(present, unit[treated & ~lost]), start[present], np.inf)
    return replace(data, rows=rows, units=units, warnings=(*data.warnings, said)), start


def _components(unit: np.ndarray, period: np.ndarray, n_units: int, n_periods: int) -> np.ndarray:
    """The component of each unit, then of each period, in the graph that these rows draw between them."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = n_units + n_periods
    edges = coo_array((np.ones(len(unit)), (unit, n_units + period)), shape=(size, size))
    return connected_components(edges, directed=False)[1]


def _reasons(data: Panel, unit: np.ndarray, period: np.ndarray, treated: np.ndarray, lost: np.ndarray) -> str:
    """The units never seen untreated, the periods in which nobody is, and who else cannot be linked."""
    untreated = pd.DataFrame({"unit": unit, "period": period})[~treated]
    alone = lost & ~np.isin(unit, untreated["unit"])
    empty = lost & ~np.isin(period, untreated["period"])
    other = lost & ~alone & ~empty
    parts = {
        "never observed before their start:": [data.units[one] for one in np.unique(unit[alone])],
        "nobody is untreated in": data.calendar.labels(data.periods[np.unique(period[empty])]),
        "no chain of comparisons reaches": [data.units[one] for one in np.unique(unit[other])],
    }
    return "; ".join(f"{words} {listed(names)}" for words, names in parts.items() if names)
