"""The counting itself: rows into codes, checked on the way, and codes into rows and events by cell."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, Fault, nearest
from institute_lib.retention.drivers import as_levels, is_number
from institute_lib.retention.spells import require_columns

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Request:
    """What to count."""

    event: str
    drivers: tuple[str, ...]
    declared: dict[str, tuple[str, ...]]
    by_level: frozenset[str]
    cluster: str | None
    weights: str | None


@dataclass(frozen=True)
class Counted:
    """`cells`: a code per driver, `cluster` (code), rows, events. `levels`: text for factors, floats for numbers."""

    cells: pd.DataFrame
    levels: dict[str, np.ndarray]
    cluster_names: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Encoded:
    """A DataFrame's drivers as codes, a row each, with their levels and cluster names."""

    codes: dict[str, np.ndarray]
    levels: dict[str, np.ndarray]
    cluster_codes: np.ndarray | None
    cluster_names: tuple[str, ...]
    warnings: tuple[str, ...]


def encode(frame: pd.DataFrame, request: Request) -> Encoded:
    """Check a DataFrame and give every driver and cluster its codes.

    Raises:
        ParameterError: unknown column. DataError: no rows, or faults by row.
    """
    wanted = [request.event, *request.drivers, *(c for c in (request.cluster, request.weights) if c)]
    require_columns(frame, wanted, table="data")
    if frame.empty:
        raise DataError("data: no rows; nothing to fit")
    check_frame(frame, request)
    codes, levels, notes = {}, {}, []
    for name in request.drivers:
        codes[name], levels[name], more = _code_column(frame[name], name, request)
        notes += more
    cluster_codes, uniques = pd.factorize(frame[request.cluster]) if request.cluster else (None, ())
    return Encoded(codes, levels, cluster_codes, tuple(map(str, uniques)), tuple(notes))


def count_frame(frame: pd.DataFrame, request: Request) -> Counted:
    """Count a DataFrame's rows."""
    import duckdb

    encoded = encode(frame, request)
    coded = {f"d{i}": encoded.codes[name] for i, name in enumerate(request.drivers)}
    coded["event"] = frame[request.event].to_numpy(dtype=np.int8)
    if request.cluster:
        coded["cluster"] = encoded.cluster_codes
    if request.weights:
        coded["weight"] = frame[request.weights].to_numpy(dtype=np.int64)
    atoms = {name: (f"d{i}", len(encoded.levels[name])) for i, name in enumerate(request.drivers)}
    cluster, weight = "cluster" if request.cluster else None, "weight" if request.weights else None
    with duckdb.connect() as connection:
        connection.register("source", pd.DataFrame(coded))
        grouped = group_rows(connection, "source", atoms=atoms, cluster=cluster, event="event", weights=weight)
    return Counted(grouped, encoded.levels, encoded.cluster_names, encoded.warnings)


def _code_column(values: pd.Series, name: str, request: Request) -> tuple[np.ndarray, np.ndarray, list[str]]:
    if is_number(values) and name not in request.by_level:
        codes, uniques = pd.factorize(values.to_numpy(dtype=float), sort=True)
        return codes, np.asarray(uniques, float), []
    codes, found = as_levels(values)
    if name not in request.declared:
        return codes, np.asarray(found, dtype=object), []
    allowed, notes = declared_levels(name, found, request)
    place = np.array([allowed.index(level) for level in found], dtype=np.int64)
    return place[codes], np.asarray(allowed, dtype=object), notes


def declared_levels(name: str, found: list[str], request: Request) -> tuple[list[str], list[str]]:
    """The declared levels that occur, in their order, and a note on those that do not."""
    declared = request.declared[name]
    unknown = [level for level in found if level not in declared]
    if unknown:
        raise DataError(f"driver {name!r} holds an unknown level {unknown[0]!r}: {nearest(unknown[0], declared)}")
    absent = [level for level in declared if level not in found]
    notes = [f"driver {name!r}: level {level!r} does not occur" for level in absent]
    return [level for level in declared if level in found], notes


def check_frame(frame: pd.DataFrame, request: Request) -> None:
    """Every missing or impossible value of the columns used, named by row.

    Raises:
        DataError: with one fault a row and column.
    """
    checks = [(request.event, ~frame[request.event].isin([0, 1]), "the event is 0 or 1", "")]
    for driver in request.drivers:
        values = frame[driver]
        if values.isna().all():
            raise DataError(f"driver {driver!r} is missing in all {len(frame)} rows; leave it out")
        checks.append((driver, values.isna(), "a driver is missing", "give it a level 'unknown', or leave it out"))
        if is_number(values) and driver not in request.by_level:
            infinite = np.isinf(values.to_numpy(dtype=float, na_value=np.nan))
            checks.append((driver, infinite, "a number must be finite", ""))
    if request.cluster:
        rule = "a cluster id is missing"
        checks.append(
            (request.cluster, frame[request.cluster].isna(), rule, "give each such row a cluster, or drop it")
        )
    if request.weights:
        weight = frame[request.weights]
        checks.append((request.weights, ~((weight >= 1) & (weight % 1 == 0)), "a weight is a whole number of rows", ""))
    faults = []
    for column, wrong, rule, remedy in checks:
        bad = frame.loc[np.asarray(wrong, dtype=bool), column]
        faults += [Fault("data", row, column, value, rule, remedy) for row, value in bad.items()]
    if faults:
        counted = pd.Series([(fault.column, fault.rule) for fault in faults]).value_counts()
        raise DataError(
            "data cannot be fitted: "
            + "; ".join(f"{column!r}: {rule} ({n} rows)" for (column, rule), n in counted.items()),
            tuple(faults),
        )


def group_rows(
    connection: "duckdb.DuckDBPyConnection",
    source: str,
    *,
    atoms: dict[str, tuple[str, int | None]],
    cluster: str | None,
    event: str,
    weights: str | None,
) -> pd.DataFrame:
    """GROUP BY on packed integer keys: drivers with a known number of levels share one 62-bit key."""
    weight = f"CAST({weights} AS BIGINT)" if weights else None
    rows = f"sum({weight})" if weight else "count(*)"
    events = f"sum({event} * {weight})" if weight else f"sum({event})"
    packs, loose = _packs(atoms)
    selected = []
    for number, pack in enumerate(packs):
        key = "0::BIGINT"
        for name in pack:
            expression, size = atoms[name]
            key = f"({key}) * {size} + {expression}"
        selected.append(f"{key} AS key_{number}")
    selected += [f"{atoms[name][0]} AS loose_{i}" for i, name in enumerate(loose)]
    if cluster:
        selected.append(f"{cluster} AS cluster")
    query = (
        f"SELECT {', '.join(selected)}, CAST({rows} AS BIGINT) AS rows, CAST({events} AS BIGINT) AS events "
        f"FROM {source} GROUP BY ALL"
    )
    counted = connection.execute(query).df()
    for number, pack in enumerate(packs):
        key = counted.pop(f"key_{number}").to_numpy()
        for name in reversed(pack):
            key, counted[name] = np.divmod(key, atoms[name][1])
    return counted.rename(columns={f"loose_{i}": name for i, name in enumerate(loose)})


def _packs(atoms: dict[str, tuple[str, int | None]]) -> tuple[list[list[str]], list[str]]:
    packs: list[list[str]] = []
    space = 0
    for name, (_, size) in atoms.items():
        if size is None:
            continue
        bits = max(size, 2).bit_length()
        if not packs or space < bits:
            packs.append([])
            space = 62
        packs[-1].append(name)
        space -= bits
    return packs, [name for name, (_, size) in atoms.items() if size is None]


def packed_key(columns: list[np.ndarray], sizes: list[int]) -> np.ndarray:
    """One whole number for each combination of codes, in the order of the combinations."""
    key = np.zeros(len(columns[0]), dtype=np.int64)
    space = 1
    for codes, size in zip(columns, sizes, strict=True):
        if space * size > 2**62:
            uniques, key = np.unique(key, return_inverse=True)
            space = len(uniques)
        key = key * size + codes
        space *= size
    return key
