"""Staffing: certified workers, supervisors and caseload beside the residents they serve, and the norms for them."""

from collections.abc import Mapping

import pandas as pd

from institute_lib import areas, terms
from institute_lib.coverage.checks import hosted, require_columns
from institute_lib.errors import DataError, ParameterError, nearest
from institute_lib.retention.spells import plain

CERTIFIED = ("assistant", "social_worker", "senior")
SUPERVISORS = ("supervisor", "supervisor_trainee")
_PER_10K = ("certified", "community", "supervisors", "caseload")
# Which facts of the reference data (their words stand in the catalogue) speak of which measure, and whether they bind.
_NORMS = {
    "fact_community": ("community_per_10k", "norm"),
    "fact_certified": ("certified_per_10k", "comparator"),
    "fact_certified_residents": ("certified_per_10k", "comparator"),
}


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
        workers, changes: the `workers` and `worker_changes` tables; those of a development zone count in its host.
        at: a day.
        residents: columns code, population, one row a district shown (`areas.population()`).
        talent: the `talent` table; without it supervisors are missing, not zero.
        norms: a norm for a result column, such as {"community_per_10k": 18} (see `norms`); adds `<column>_norm` and
            `<column>_gap` (the rate less the norm).

    Returns:
        district, residents, workers, certified, community (community workers), supervisors, caseload, caseload_known
        (workers with a recorded caseload), certified_per_10k, community_per_10k, supervisors_per_10k,
        caseload_per_10k, caseload_per_worker.

    Raises:
        ParameterError: a norm for a column that does not exist.
        DataError: a column is missing; residents name a district twice, or hold none.
    """
    workers, changes, residents = plain(workers), plain(changes), plain(residents)
    talent = None if talent is None else plain(talent)
    require_columns(workers, ("worker_id", "kind", "district", "entered", "left"), "workers")
    require_columns(changes, ("worker_id", "date", "certificate", "caseload"), "worker_changes")
    require_columns(residents, ("code", "population"), "residents")
    if residents["code"].duplicated().any() or not (residents["population"] > 0).all():
        raise DataError("residents: one row a district, with a population above zero")
    day = pd.Timestamp(at)
    codes = pd.Index(residents["code"], name="district")
    own = [code for code in workers["district"].dropna().unique() if areas.host(code) in codes]
    grouped = in_service(hosted(workers[workers["district"].isin(own)]), changes, day).groupby("district")
    table = pd.DataFrame({"residents": residents["population"].to_numpy()}, index=codes)
    table["workers"] = grouped.size()
    table["certified"] = grouped["certified"].sum()
    table["community"] = grouped["community"].sum()
    table["supervisors"] = None if talent is None else _supervisors(hosted(talent), day)
    table["caseload"] = grouped["caseload"].sum(min_count=1)
    table["caseload_known"] = grouped["caseload"].count()
    whole = ["workers", "certified", "community", "caseload_known"] + ([] if talent is None else ["supervisors"])
    table[whole] = table[whole].fillna(0)
    table = table.astype("float64")
    for name in _PER_10K:
        table[f"{name}_per_10k"] = 10_000 * table[name] / table["residents"]
    table["caseload_per_worker"] = table["caseload"] / table["caseload_known"].where(table["caseload_known"] > 0)
    return _against(table, norms or {}).reset_index()


def norms(facts: pd.DataFrame | None = None) -> pd.DataFrame:
    """What the reference data hold to measure staffing by: the national norm, and what other cities published.

    The norm counts community workers per 10,000 urban residents; ours are per 10,000 residents, urban or not, so a
    district with villages looks worse beside it than it is.

    Args:
        facts: `areas.reference("other_facts")`, by default that.

    Returns:
        measure (a column of `staffing`), kind ("norm" or "comparator"), geo, area (code, empty for the nation and for
        cities of other provinces), period, value, source, status.
    """
    facts = areas.reference("other_facts") if facts is None else facts
    words = {terms.text(f"coverage.{name}"): found for name, found in _NORMS.items()}
    own = facts[facts["indicator"].isin(words)].reset_index(drop=True)
    table = own[["geo", "area", "period", "source", "status"]].assign(value=own["amount"])
    table["measure"], table["kind"] = ([words[name][part] for name in own["indicator"]] for part in (0, 1))
    return table[["measure", "kind", "geo", "area", "period", "value", "source", "status"]]


def in_service(workers: pd.DataFrame, changes: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """Workers in service on a day, with certificate and caseload as last recorded by then."""
    serving = workers[(workers["entered"] <= day) & (workers["left"].isna() | (workers["left"] > day))]
    columns = ["worker_id", "date", "certificate", "caseload"]
    state = changes.loc[(changes["date"] <= day) & changes["worker_id"].isin(serving["worker_id"]), columns]
    state = state.sort_values("date", kind="stable").drop_duplicates("worker_id", keep="last").drop(columns="date")
    serving = serving.merge(state, on="worker_id", how="left")
    certified, community = serving["certificate"].isin(CERTIFIED), serving["kind"] == "community"
    return serving.assign(certified=certified, community=community)


def _supervisors(talent: pd.DataFrame, day: pd.Timestamp) -> pd.Series:
    held = talent[(talent["awarded"] <= day) & talent["title"].isin(SUPERVISORS)]
    return held.groupby("district")["person_id"].nunique()


def _against(table: pd.DataFrame, norms: Mapping[str, float]) -> pd.DataFrame:
    for name, norm in norms.items():
        if name not in table:
            raise ParameterError(f"norm for {name!r}: {nearest(name, table.columns)}")
        table[f"{name}_norm"], table[f"{name}_gap"] = float(norm), table[name] - norm
    return table
