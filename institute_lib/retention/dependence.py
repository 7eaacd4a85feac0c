"""Which drivers are nearly decided by others, and at which level each is set: person, station, town, district, city."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from institute_lib.errors import ParameterError
from institute_lib.retention.spells import require_columns

NEARLY = 0.9
WORTH = 0.02
TOGETHER = 3
PLACES = ("city", "district", "town", "station")  # the widest first
PERSONS = ("worker_id", "person", "worker")
TIMES = ("quarter", "year", "period")
SAMPLE = 200_000
SHARED = 0.1


def dependence(
    data: pd.DataFrame, *, drivers: Sequence[str], others: Sequence[str] = (), threshold: float = NEARLY
) -> pd.DataFrame:
    """How far each driver is decided by up to three others together (subsidy by level, city and date).

    Parameters:
        data: rows. drivers: columns of a model, by level (numbers too: band them first).
        others: further columns that may decide a driver without being one, such as district and quarter.
        threshold: the share from which a driver counts as nearly decided.

    Returns:
        driver, decided_by (names), share, nearly; the share is Goodman and Kruskal's tau of the driver given the joint
        levels of the others, adjusted for their number as R² is for parameters. Others are added as long as each adds
        0.02.

    Raises:
        ParameterError: unknown column.

    Source: Goodman and Kruskal (1954), Journal of the American Statistical Association 49, 732–764, section 9.
    """
    candidates = list(dict.fromkeys([*drivers, *others]))
    require_columns(data, candidates, table="data")
    codes = {name: pd.factorize(data[name])[0] + 1 for name in candidates}
    rows = []
    for driver in drivers:
        chosen, share = _deciders(driver, codes)
        rows.append((driver, chosen, share, share >= threshold))
    return pd.DataFrame(rows, columns=["driver", "decided_by", "share", "nearly"])


def assignment(data: pd.DataFrame, *, drivers: Sequence[str], person: str | None = None) -> pd.DataFrame:
    """The level at which each driver is set: the widest place that, with the quarter, decides a tenth of it or more.

    A subsidy that some districts pay from some quarter on, to those with a certificate, differs between their persons,
    but is set by district: what the persons of a district share beside it moves with it. Errors cluster at that level
    (Abadie, Athey, Imbens and Wooldridge 2023, Quarterly Journal of Economics 138, 1–35).

    Parameters:
        data: person-quarters with those of worker_id, station, town, district, city and quarter that there are.
        drivers: columns, by level. person: the narrowest unit, where it is not worker_id.

    Returns:
        driver, level (a column of places, else the person), units (how many of them there are), share (of the driver's
        variation that the level and the quarter decide and the quarter alone does not; Goodman and Kruskal's tau),
        by_time (the share that the quarter alone decides: what changed everywhere at once).
        `.attrs["person"]`: the narrowest column.

    Raises:
        ParameterError: unknown column, or nothing that could be a unit.
    """
    require_columns(data, list(drivers), table="data")
    person = person or next((name for name in (*PERSONS, *reversed(PLACES)) if name in data), None)
    if person is None:
        raise ParameterError(f"assignment: the rows hold none of {', '.join((*PERSONS, *reversed(PLACES)))}")
    persons = data[person].nunique()
    known = [name for name in PLACES if name in data and data[name].notna().all()]  # a cluster needs everyone's place
    units = {name: data[name].nunique() for name in known if name not in (person, *drivers)}
    sample = data.iloc[:: max(1, len(data) // SAMPLE)]
    time = next((pd.factorize(sample[name])[0] + 1 for name in TIMES if name in sample), np.zeros(len(sample), int))
    keys = {}
    for place, n in units.items():
        if 1 < n < persons:
            code = pd.factorize(sample[place])[0] + 1
            _, keys[place] = np.unique(code * (time.max() + 1) + time, return_inverse=True)
    rows = []
    for driver in drivers:
        own = pd.factorize(sample[driver])[0] + 1
        by_time = _tau(own, time)
        shares = ((place, _tau(own, key) - by_time) for place, key in keys.items())
        level, share = next((one for one in shares if one[1] >= SHARED), (person, 1.0))
        rows.append((driver, level, units.get(level, persons), share, by_time))
    table = pd.DataFrame(rows, columns=["driver", "level", "units", "share", "by_time"])
    table.attrs["person"] = person
    return table


def _deciders(driver: str, codes: dict[str, np.ndarray]) -> tuple[tuple[str, ...], float]:
    """Forward selection: the other that adds most, as long as it adds enough."""
    key, chosen, share = np.zeros(len(codes[driver]), dtype=np.int64), [], 0.0
    while len(chosen) < TOGETHER:
        trials = {
            name: _tau(codes[driver], key * (code.max() + 1) + code)
            for name, code in codes.items()
            if name not in (driver, *chosen)
        }
        if not trials:
            break
        best = max(trials, key=trials.get)
        if trials[best] < share + WORTH:
            break
        chosen, share = [*chosen, best], trials[best]
        _, key = np.unique(key * (codes[best].max() + 1) + codes[best], return_inverse=True)
    return tuple(chosen), share


def _tau(outcome: np.ndarray, key: np.ndarray) -> float:
    """The share of the outcome's Gini variation between the levels of the key, adjusted for their number."""
    joint, levels = key, int(key.max()) + 1
    if levels > 4 * len(key):
        _, joint = np.unique(key, return_inverse=True)
        levels = int(joint.max()) + 1
    size = int(outcome.max()) + 1
    table = np.bincount(joint * size + outcome, minlength=levels * size).reshape(levels, size).astype(float)
    n, by_level = table.sum(), table.sum(axis=1)
    occupied = by_level > 0
    total = 1 - np.sum((table.sum(axis=0) / n) ** 2)
    within = 1 - np.sum((table[occupied] ** 2).sum(axis=1) / by_level[occupied]) / n
    used = int(occupied.sum())
    if total <= 0 or n <= used:
        return 0.0
    return float(1 - within / total * (n - 1) / (n - used))
