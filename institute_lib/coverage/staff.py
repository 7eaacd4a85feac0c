"""Staffing: certified workers, supervisors and caseload beside the residents they serve."""

from collections.abc import Mapping

import pandas as pd

from institute_lib.errors import DataError, ParameterError, nearest

CERTIFIED = ("assistant", "social_worker", "senior")
SUPERVISORS = ("supervisor", "supervisor_trainee")
_PER_10K = ("certified", "supervisors", "caseload")


def staffing(
    workers: pd.DataFrame,
    changes: pd.DataFrame,
    *,
    at: str,
    residents: pd.DataFrame,
    talent: pd.DataFrame | None = None,
    norms: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """People in service on a day, by district, per 10,000 residents.

    A worker counts when entered on or before the day and not left by then; certificate and caseload are those of the
    newest change on or before the day. Residents are a census count of another year: the rates compare districts,
    they are no population estimate of the day.

    Args:
        workers, changes: the `workers` and `worker_changes` tables.
        at: a day.
        residents: columns code, population, one row a district shown.
        talent: the `talent` table; without it supervisors are missing, not zero.
        norms: a norm for a result column, such as {"certified_per_10k": 18}; adds `<column>_norm` and `<column>_gap`.

    Returns:
        district, residents, workers, certified, supervisors, caseload, caseload_known (workers with a recorded
        caseload), certified_per_10k, supervisors_per_10k, caseload_per_10k, caseload_per_worker.

    Raises:
        ParameterError: a norm for a column that does not exist.
        DataError: residents name a district twice, or hold none.
    """
    if residents["code"].duplicated().any() or not (residents["population"] > 0).all():
        raise DataError("residents: one row a district, with a population above zero")
    day = pd.Timestamp(at)
    serving = workers[(workers["entered"] <= day) & (workers["left"].isna() | (workers["left"] > day))]
    state = changes[changes["date"] <= day].sort_values("date").drop_duplicates("worker_id", keep="last")
    serving = serving.merge(state[["worker_id", "certificate", "caseload"]], on="worker_id", how="left")
    grouped = serving.assign(certified=serving["certificate"].isin(CERTIFIED)).groupby("district")
    codes = pd.Index(residents["code"], name="district")
    table = pd.DataFrame({"residents": residents["population"].to_numpy()}, index=codes)
    table["workers"] = grouped.size()
    table["certified"] = grouped["certified"].sum()
    table["supervisors"] = None if talent is None else _supervisors(talent, day)
    table["caseload"] = grouped["caseload"].sum(min_count=1)
    table["caseload_known"] = grouped["caseload"].count()
    whole = ["workers", "certified", "caseload_known"] + ([] if talent is None else ["supervisors"])
    table[whole] = table[whole].fillna(0)
    table = table.astype("float64")
    for name in _PER_10K:
        table[f"{name}_per_10k"] = 10_000 * table[name] / table["residents"]
    table["caseload_per_worker"] = table["caseload"] / table["caseload_known"].where(table["caseload_known"] > 0)
    return _against(table, norms or {}).reset_index()


def _supervisors(talent: pd.DataFrame, day: pd.Timestamp) -> pd.Series:
    held = talent[(talent["awarded"] <= day) & talent["title"].isin(SUPERVISORS)]
    return held.groupby("district")["person_id"].nunique()


def _against(table: pd.DataFrame, norms: Mapping[str, float]) -> pd.DataFrame:
    for name, norm in norms.items():
        if name not in table:
            raise ParameterError(f"norm for {name!r}: {nearest(name, table.columns)}")
        table[f"{name}_norm"], table[f"{name}_gap"] = float(norm), table[name] - norm
    return table
