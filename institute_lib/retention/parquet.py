"""Parquet files, larger than memory or spread over machines: one scan, a stretch at a time, each grouped as it is read.

Texts stay in the dictionaries in which Parquet holds them, so that a row costs a code and not a string. The rows of a
stretch are freed once it is grouped. Parts are put together in the order of the files, wherever they were counted.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from institute_lib.errors import DataError, Fault, ParameterError, nearest
from institute_lib.retention.counting import Part, Request, counted, merge, refuse_faults, weighted
from institute_lib.retention.drivers import level_name
from institute_lib.retention.grouping import narrow

if TYPE_CHECKING:
    import distributed
    import pyarrow as pa

STRETCH = 1 << 21  # rows read before they are grouped
NAMED = 20  # faults of a kind named by row in each stretch


class Scan:
    """What one reading of some files found: parts, and faults with their places."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.faults: list[Fault] = []
        self.found: dict[tuple[str, str], int] = {}
        self.missing: dict[str, int] = {}
        self.total = 0


def count_files(paths: list[str], request: Request, *, client: "distributed.Client | None" = None) -> Part:
    """Read and group Parquet files here, or each file on a cluster; put together in order of file.

    Raises:
        ParameterError: unknown column. DataError: no rows, or faults by file and row.
    """
    if client is None:
        scans = [scan_file(path, request) for path in paths]
    else:
        scans = client.gather([client.submit(scan_file, path, request, pure=False) for path in paths])
    total = sum(scan.total for scan in scans)
    if not total:
        raise DataError(f"no rows in {', '.join(paths)}; nothing to fit")
    for driver in request.drivers:
        if sum(scan.missing.get(driver, 0) for scan in scans) == total:
            raise DataError(f"driver {driver!r} is missing in all {total} rows; leave it out")
    found: dict[tuple[str, str], int] = {}
    for key, n in chain.from_iterable(scan.found.items() for scan in scans):
        found[key] = found.get(key, 0) + n
    refuse_faults([fault for scan in scans for fault in scan.faults], total=total, found=found)
    return merge([part for scan in scans for part in scan.parts if part.size], request)


def scan_file(path: str, request: Request) -> Scan:
    """Read one file in stretches, check and group each."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    for column in request.columns:
        if column not in schema.names:
            raise ParameterError(f"{path} has no column {column!r}: {nearest(column, schema.names)}")
    scan = Scan()
    texts = [name for name in request.columns if _is_text(schema.field(name).type) and name != request.event]
    categories = {name for name in request.columns if _is_category(schema.field(name).type)}
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for table in _stretches(file, request.columns):
            before = len(scan.found)
            _check(table, request, scan, path)
            if not scan.found and before == 0:
                scan.parts.append(counted(weighted(_encode(table, request, categories), request), always=False))
            scan.total += len(table)
    return scan


def _stretches(file: Any, columns: list[str]) -> "Iterator[pa.Table]":
    import pyarrow as pa

    held: list = []
    for batch in file.iter_batches(batch_size=STRETCH // 8, columns=columns):
        held.append(batch)
        if sum(len(one) for one in held) >= STRETCH:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _check(table: "pa.Table", request: Request, scan: Scan, path: str) -> None:
    """Count what is missing, infinite or impossible, and name the first rows of each kind."""

    def note(column: str, wrong: np.ndarray, rule: str, remedy: str = "") -> None:
        places = np.flatnonzero(wrong)
        if not len(places):
            return
        scan.found[column, rule] = scan.found.get((column, rule), 0) + len(places)
        for place in places[:NAMED]:
            value = table[column][int(place)].as_py()
            scan.faults.append(Fault(Path(path).name, scan.total + int(place), column, value, rule, remedy))

    events = _numbers(table[request.event])
    note(request.event, ~((events == 0) | (events == 1)), "the event is 0 or 1")
    for driver in request.drivers:
        column = table[driver]
        number = _is_number(column.type) and driver not in request.by_level
        if column.null_count or number:
            values = _numbers(column) if number else None
            gone = np.isnan(values) if number else _nulls(column)
            scan.missing[driver] = scan.missing.get(driver, 0) + int(gone.sum())
            note(driver, gone, "a driver is missing", "give it a level 'unknown', or leave it out")
            if number:
                note(driver, np.isinf(values), "a number must be finite")
        if driver in request.declared:
            _check_declared(column, driver, request, note)
    if request.cluster and table[request.cluster].null_count:
        rule = "a cluster id is missing"
        note(request.cluster, _nulls(table[request.cluster]), rule, "give each such row a cluster, or drop it")
    if request.weights:
        weights = _numbers(table[request.weights])
        whole = (weights >= 0) & (weights % 1 == 0)
        note(request.weights, ~whole, "a weight is a whole number of rows", "round it, or leave weights out")


def _check_declared(column: "pa.ChunkedArray", driver: str, request: Request, note: Any) -> None:
    codes, names = _dictionary(column)
    declared = request.declared[driver]
    strange = [at for at, level in enumerate(names) if level not in declared and (codes == at).any()]
    if strange:
        first = names[strange[0]]
        note(driver, np.isin(codes, strange), f"unknown level {first!r}: {nearest(first, declared)}")


def _encode(table: "pa.Table", request: Request, categories: set[str]) -> Part:
    """A checked stretch as codes."""
    codes, levels, order = {}, {}, {}
    for driver in request.drivers:
        column = table[driver]
        if _is_number(column.type) and driver not in request.by_level:
            found = _combined(column.cast("float64").dictionary_encode())
            levels[driver] = found.dictionary.to_numpy(zero_copy_only=False)
            codes[driver] = narrow(found.indices.to_numpy(), len(levels[driver]))
            continue
        codes[driver], levels[driver], every = _levels(column)
        if driver in categories:
            order[driver] = tuple(every)
    cluster, names, _ = _levels(table[request.cluster]) if request.cluster else (None, None, None)
    weights = _numbers(table[request.weights]).astype(np.int64) if request.weights else None
    return Part(codes, levels, _numbers(table[request.event]).astype(np.int8), weights, cluster, names, order)


def _levels(column: "pa.ChunkedArray") -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Codes and names of the levels that occur, and all names of the column's dictionary, in its order."""
    codes, names = _dictionary(column)
    every = list(dict.fromkeys(names))
    occurring = np.bincount(codes, minlength=len(names)) > 0
    present = {name for name, there in zip(names, occurring, strict=True) if there}
    levels = [name for name in every if name in present]
    index = {name: at for at, name in enumerate(levels)}
    place = np.array([index.get(name, 0) for name in names], dtype=np.min_scalar_type(max(len(levels) - 1, 0)))
    return place[codes], np.array(levels, dtype=object), every


def _dictionary(column: "pa.ChunkedArray") -> tuple[np.ndarray, list[str]]:
    """Codes (−1 where missing) into a list of names, in which a name may stand twice or for no row."""
    import pyarrow as pa

    found = _combined(column if pa.types.is_dictionary(column.type) else column.dictionary_encode())
    codes = found.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes, [level_name(value) for value in found.dictionary.to_pylist()]


def _combined(column: "pa.ChunkedArray") -> "pa.DictionaryArray":
    import pyarrow as pa

    whole = column.unify_dictionaries().combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole


def _numbers(column: "pa.ChunkedArray") -> np.ndarray:
    """Values as floats, NaN where missing; what is no number is NaN too."""
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        column = column.cast("int8")
    if not _is_number(column.type):
        return np.full(len(column), np.nan)
    return column.cast("float64", safe=False).to_numpy()


def _nulls(column: "pa.ChunkedArray") -> np.ndarray:
    return column.is_null().to_numpy()


def _is_number(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _is_category(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return pa.types.is_dictionary(kind)


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
