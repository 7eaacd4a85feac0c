"""Counting Parquet files, larger than memory or spread over machines: two scans, and sums in the order of the files."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, ParameterError, nearest
from institute_lib.retention.counting import Counted, Request, declared_levels, group_rows
from institute_lib.retention.drivers import level_order

if TYPE_CHECKING:
    import distributed


def count_files(paths: list[str], request: Request, *, client: "distributed.Client | None" = None) -> Counted:
    """Count Parquet files: in one go by DuckDB, or file by file on a cluster and added up in order of file."""
    if client is None:
        seen = survey(paths, request)
        levels, notes = _levels(seen, request)
        return _finish([count_parquet(paths, request, levels)], request, levels, notes)
    surveys = client.gather([client.submit(survey, [path], request, pure=False) for path in paths])
    levels, notes = _levels(_merge_surveys(surveys), request)
    tasks = [client.submit(count_parquet, [path], request, levels, pure=False) for path in paths]
    return _finish(client.gather(tasks), request, levels, notes)


def survey(paths: list[str], request: Request) -> dict:
    """One scan: rows, faults and the levels of each driver. Plain types, so that it travels."""
    import duckdb

    with duckdb.connect() as connection:
        source = _relation(paths)
        types = dict(
            connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {source})").fetchall()
        )
        for column in (request.event, *request.drivers, *(c for c in (request.cluster, request.weights) if c)):
            if column not in types:
                raise ParameterError(f"{paths[0]} has no column {column!r}: {nearest(column, types)}")
        factors = [d for d in request.drivers if d in request.by_level or not _is_numeric(types[d])]
        event = _quote(request.event)
        asked = ["count(*)", f"count(*) FILTER (WHERE {event} IS NULL OR TRY_CAST({event} AS DOUBLE) NOT IN (0, 1))"]
        asked += [f"count(*) FILTER (WHERE {_quote(d)} IS NULL)" for d in request.drivers]
        asked += [f"count(*) FILTER (WHERE {_infinite(d, types[d])})" for d in request.drivers]
        asked.append(f"count(*) FILTER (WHERE {_quote(request.cluster)} IS NULL)" if request.cluster else "0")
        weight = _quote(request.weights) if request.weights else "1"
        asked.append(f"count(*) FILTER (WHERE {weight} IS NULL OR {weight} < 1 OR {weight} % 1 <> 0)")
        asked += [f"list(DISTINCT {_text(d, types[d])})" for d in factors]
        row = connection.execute(f"SELECT {', '.join(asked)} FROM {source}").fetchone()
    size = len(request.drivers)
    rest = row[2 + 2 * size :]
    return {
        "rows": row[0],
        "event": row[1],
        "missing": dict(zip(request.drivers, row[2:], strict=False)),
        "infinite": dict(zip(request.drivers, row[2 + size :], strict=False)),
        "cluster": rest[0],
        "weights": rest[1],
        "levels": {d: [v for v in found if v is not None] for d, found in zip(factors, rest[2:], strict=True)},
    }


def _merge_surveys(surveys: list[dict]) -> dict:
    first = surveys[0]
    merged = {key: sum(one[key] for one in surveys) for key in ("rows", "event", "cluster", "weights")}
    for kind in ("missing", "infinite"):
        merged[kind] = {d: sum(one[kind][d] for one in surveys) for d in first[kind]}
    merged["levels"] = {d: sorted({v for one in surveys for v in one["levels"].get(d, [])}) for d in first["levels"]}
    return merged


def _levels(seen: dict, request: Request) -> tuple[dict[str, list[str]], list[str]]:
    """The levels of each factor in order; refuses what the survey found wrong."""
    if not seen["rows"]:
        raise DataError("the Parquet source holds no rows; nothing to fit")
    faults = []
    if seen["event"]:
        faults.append(f"{request.event!r}: the event is 0 or 1 ({seen['event']} rows)")
    for driver, missing in seen["missing"].items():
        if missing == seen["rows"]:
            faults.append(f"driver {driver!r} is missing in all {missing} rows; leave it out")
        elif missing:
            faults.append(f"driver {driver!r} is missing in {missing} rows; give it a level 'unknown', or leave it out")
    faults += [f"{driver!r}: a number must be finite ({n} rows)" for driver, n in seen["infinite"].items() if n]
    if seen["cluster"]:
        faults.append(f"{request.cluster!r}: a cluster id is missing ({seen['cluster']} rows)")
    if seen["weights"]:
        faults.append(f"{request.weights!r}: a weight is a whole number of rows ({seen['weights']} rows)")
    if faults:
        raise DataError("data cannot be fitted: " + "; ".join(faults))
    levels, notes = {}, []
    for driver, found in seen["levels"].items():
        if driver in request.declared:
            levels[driver], more = declared_levels(driver, found, request)
            notes += more
        else:
            levels[driver] = level_order(found)
    return levels, notes


def count_parquet(paths: list[str], request: Request, levels: dict[str, list[str]]) -> pd.DataFrame:
    """The second scan: rows and events by code (factors), value (numbers) and cluster name."""
    import duckdb

    with duckdb.connect() as connection:
        source = _relation(paths)
        types = dict(
            connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {source})").fetchall()
        )
        atoms = {}
        for i, driver in enumerate(request.drivers):
            if driver not in levels:
                atoms[driver] = (f"CAST({_quote(driver)} AS DOUBLE)", None)
                continue
            names = ", ".join("'" + level.replace("'", "''") + "'" for level in levels[driver])
            connection.execute(f"CREATE TYPE levels_{i} AS ENUM ({names})")
            text = _text(driver, types[driver])
            atoms[driver] = (f"enum_code(CAST({text} AS levels_{i}))", len(levels[driver]))
        cluster = f"CAST({_quote(request.cluster)} AS VARCHAR)" if request.cluster else None
        event = f"CAST({_quote(request.event)} AS TINYINT)"
        weight = _quote(request.weights) if request.weights else None
        return group_rows(connection, source, atoms=atoms, cluster=cluster, event=event, weights=weight)


def _finish(parts: list[pd.DataFrame], request: Request, levels: dict[str, list[str]], notes: list[str]) -> Counted:
    """Add the parts up in their order, and give numbers and clusters their codes."""
    cells = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    if len(parts) > 1:
        keys = [column for column in cells if column not in ("rows", "events")]
        cells = cells.groupby(keys, sort=False, observed=True)[["rows", "events"]].sum().reset_index()
    named = {driver: np.asarray(found, dtype=object) for driver, found in levels.items()}
    for driver in request.drivers:
        if driver not in named:
            named[driver], cells[driver] = np.unique(cells[driver].to_numpy(float), return_inverse=True)
    names: tuple[str, ...] = ()
    if request.cluster:
        uniques, cells["cluster"] = np.unique(cells["cluster"].to_numpy(dtype=str), return_inverse=True)
        names = tuple(map(str, uniques))
    return Counted(cells, named, names, tuple(notes))


def _relation(paths: list[str]) -> str:
    files = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    return f"read_parquet([{files}])"


def _quote(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _is_numeric(kind: str) -> bool:
    return kind.startswith(
        (
            "TINYINT",
            "SMALLINT",
            "INTEGER",
            "BIGINT",
            "HUGEINT",
            "UTINY",
            "USMALL",
            "UINT",
            "UBIG",
            "FLOAT",
            "DOUBLE",
            "DECIMAL",
        )
    )


def _infinite(column: str, kind: str) -> str:
    return f"NOT isfinite({_quote(column)})" if kind in ("FLOAT", "DOUBLE") else "false"


def _text(column: str, kind: str) -> str:
    """A level as text, whole floats without their decimal point, as `level_name` writes them."""
    name = _quote(column)
    if kind in ("FLOAT", "DOUBLE"):
        whole = f"CAST(CAST({name} AS BIGINT) AS VARCHAR)"
        return f"CASE WHEN {name} = trunc({name}) THEN {whole} ELSE CAST({name} AS VARCHAR) END"
    return f"CAST({name} AS VARCHAR)"
