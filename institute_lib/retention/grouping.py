"""Rows that agree in every code become one cell, counted on one whole-number key: by DuckDB, unless they are few."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SAMPLE = 1 << 16
SMALL = 1 << 16  # below it, starting DuckDB takes longer than counting
WHOLE = 2**62


@dataclass(frozen=True)
class Grouped:
    """Cells in the order of their codes: the first row that fell into each, its rows and its events."""

    first: np.ndarray
    rows: np.ndarray
    events: np.ndarray


def narrow(codes: np.ndarray, size: int) -> np.ndarray:
    """Codes below `size` in the smallest unsigned type that holds them."""
    return np.asarray(codes).astype(np.min_scalar_type(max(size - 1, 0)), copy=False)


def counts_type(largest: int) -> type:
    """Half the memory for rows and events where their numbers allow it."""
    return np.int32 if largest < 2**31 else np.int64


def packed_key(columns: Sequence[np.ndarray], sizes: Sequence[int]) -> np.ndarray:
    """One whole number for each combination of codes, in the order of the combinations."""
    key = np.zeros(len(columns[0]), dtype=np.int64)
    space = 1
    for codes, size in zip(columns, sizes, strict=True):
        if space * size > WHOLE:
            uniques, key = np.unique(key, return_inverse=True)
            space = len(uniques)
        key *= size
        key += codes
        space *= size
    return key


def repay(columns: Sequence[np.ndarray], sizes: Sequence[int]) -> bool:
    """Whether grouping at least halves the rows, judged by how often two rows of a sample agree.

    Among m rows drawn from K equally likely cells about m²/2K pairs agree; unequal cells agree more often.
    """
    n = len(columns[0])
    if n <= SAMPLE:
        return True
    some = slice(None, None, n // SAMPLE)
    key = packed_key([codes[some] for codes in columns], sizes)
    pairs = len(key) - len(np.unique(key))
    return pairs > 0 and len(key) ** 2 / (2 * pairs) < n / 2


def group(columns: Sequence[np.ndarray], sizes: Sequence[int], rows: np.ndarray | None, events: np.ndarray) -> Grouped:
    """Count the rows (each one, or as many as `rows` says) and events of every combination that occurs."""
    key = packed_key(columns, sizes)
    if len(key) <= SMALL:
        _, first, cell = np.unique(key, return_index=True, return_inverse=True)
        counted = [np.bincount(cell, weights=one, minlength=len(first)) for one in (rows, events)]
        return Grouped(first, *(np.rint(one).astype(np.int64) for one in counted))
    return _group_with_duckdb(key, rows, events)


def _group_with_duckdb(key: np.ndarray, rows: np.ndarray | None, events: np.ndarray) -> Grouped:
    """On all processors, and beyond memory if need be."""
    import duckdb
    import pyarrow as pa

    table = {"key": key, "place": np.arange(len(key)), "events": events}
    if rows is not None:
        table["rows"] = rows
    counted = "count(*)" if rows is None else "sum(rows)"
    query = (
        f"SELECT min(place) AS place, CAST({counted} AS BIGINT) AS rows, CAST(sum(events) AS BIGINT) AS events "
        "FROM source GROUP BY key ORDER BY key"
    )
    with duckdb.connect() as connection:
        connection.register("source", pa.table(table))
        found = connection.execute(query).fetchnumpy()
    return Grouped(*(np.asarray(found[name]) for name in ("place", "rows", "events")))
