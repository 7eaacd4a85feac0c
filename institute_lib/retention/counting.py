"""Exits and exposures by cell: all that the likelihood of a discrete-time hazard needs.

Rows that agree in every driver (and cluster) become one cell with its number of rows and of events, counted by DuckDB
on one whole-number key. Parquet files, larger than memory or spread over machines, are read a stretch at a time, each
counted as it is read. Counts are sums, so that parts counted apart and put together by the names of their levels, in
the order of the files, give the very same cells.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, Fault, ParameterError, nearest
from institute_lib.retention.drivers import Drivers, Formula, is_number, level_name, ordered_levels, parse
from institute_lib.retention.spells import faults_where, plain, require_columns

if TYPE_CHECKING:
    import distributed

STRETCH = 1 << 21  # rows read from a file before they are counted
NAMED = 20  # faults of a kind named by row in each stretch
SAMPLE = 1 << 16
SMALL = 1 << 16  # below it, starting DuckDB takes longer than counting
WHOLE = 2**62
CLUSTER = "\0"  # begins the place of a cluster's column beside the drivers
MISSING = "a driver is missing"
Source = pd.DataFrame | str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Variable:
    """One driver as it stands in the cells: its levels (text) or its distinct values (numbers), in order."""

    name: str
    kind: str  # "factor" | "number"
    levels: np.ndarray


@dataclass(frozen=True)
class CellCounts:
    """Cells: for each, a code per driver, the cluster, rows and events. `to_frame` shows them in words.

    Codes and numbers are held in the smallest types that they fit; convert before multiplying them. With fractional
    weights rows and events are fractional too, and `n_records` is how many rows were read.
    """

    event: str
    formula: Formula
    variables: dict[str, Variable]
    codes: dict[str, np.ndarray] = field(repr=False)
    rows: np.ndarray = field(repr=False)
    events: np.ndarray = field(repr=False)
    cluster: str | None = None
    cluster_codes: np.ndarray | None = field(default=None, repr=False)
    cluster_names: tuple[str, ...] = field(default=(), repr=False)
    others: dict[str, tuple[np.ndarray, int]] = field(default_factory=dict, repr=False)  # wider clusters: codes, number
    warnings: tuple[str, ...] = ()
    n_records: int = 0

    @property
    def fractional(self) -> bool:
        return self.rows.dtype.kind == "f"

    @property
    def n_rows(self) -> int:
        return self.n_records if self.fractional else int(self.rows.sum(dtype=np.int64))

    @property
    def n_events(self) -> int:
        return round(float(self.events.sum(dtype=float))) if self.fractional else int(self.events.sum(dtype=np.int64))

    @property
    def n_cells(self) -> int:
        return len(self.rows)

    @property
    def n_clusters(self) -> int | None:
        return len(self.cluster_names) if self.cluster else None

    def to_frame(self) -> pd.DataFrame:
        """One row a cell: the drivers, the cluster, rows, events."""
        frame = pd.DataFrame({name: self.variables[name].levels[codes] for name, codes in self.codes.items()})
        if self.cluster:
            name = self.cluster if self.cluster not in frame else f"cluster {self.cluster}"
            frame[name] = np.asarray(self.cluster_names, dtype=object)[self.cluster_codes]
        kind = np.float64 if self.fractional else np.int64
        return frame.assign(rows=self.rows.astype(kind), events=self.events.astype(kind))


def cells(
    source: Source,
    *,
    event: str,
    drivers: Drivers,
    cluster: str | None = None,
    weights: str | None = None,
    scheduler: "str | distributed.Client | None" = None,
) -> CellCounts:
    """Count rows and events by the levels of the drivers (and by cluster).

    Parameters:
        source: rows as a DataFrame, or a Parquet path, glob or list of them, which may be larger than memory.
        event: 0/1 or truth-value column.
        drivers: names and terms, as `institute_lib.retention.drivers` explains.
        cluster: column of clusters; cells are then counted within clusters.
        weights: column with the number of rows that each row stands for, whole (frequencies) or not (survey weights).
        scheduler: address of a Dask scheduler (or a Client): each file is counted on the cluster. Parquet only, on
            paths that the workers can read. The counts are added up in the order of the file names.

    Returns:
        CellCounts, in the order of the drivers' levels.

    Raises:
        ParameterError: unknown column, no such file, or a scheduler without the package `distributed`.
        DataError: missing or undeclared values, an event that is not 0/1, missing cluster ids, with rows and counts.
    """
    return count(
        source, event=event, drivers=drivers, cluster=cluster, weights=weights, scheduler=scheduler, always=True
    )


def count(
    source: Source,
    *,
    event: str,
    drivers: Drivers,
    cluster: str | None,
    wider: Sequence[str] = (),
    weights: str | None,
    scheduler: "str | distributed.Client | None" = None,
    always: bool,
) -> CellCounts:
    """As `cells`, within the `wider` clusters too.

    Unless `always`, rows that hardly ever agree stay rows, since grouping them would save nothing.
    """
    if isinstance(source, pd.DataFrame):
        if scheduler is not None:
            raise ParameterError("cells: scheduler= counts Parquet files; write the DataFrame with to_parquet first")
        frame = plain(source)
        request = Request(event, parse(drivers, frame.columns), (cluster, *wider), weights)
        part = encode_frame(frame, request)
    else:
        import pyarrow.parquet as pq

        paths = parquet_files(source)
        request = Request(event, parse(drivers, pq.read_schema(paths[0]).names), (cluster, *wider), weights)
        with _client(scheduler) as client:
            part = _count_files(paths, request, client)
    return _as_counts(_grouped(part, always=always), request)


def codes_of(frame: pd.DataFrame, *, event: str, formula: Formula, cluster: str | None) -> CellCounts:
    """A frame's rows, each its own cell, in codes: for models that need every row's time."""
    request = Request(event, formula, (cluster,), None)
    return _as_counts(encode_frame(frame, request), request)


def covered(counts: CellCounts, formula: Formula, *, event: str, cluster: str | None) -> None:
    """Refuse counts that do not hold what a model asks for.

    Raises:
        ParameterError: other event, a driver or a cluster that was not counted.
    """
    if counts.event != event:
        raise ParameterError(f"the cells count {counts.event!r}, not {event!r}: count them again with event={event!r}")
    for driver in formula.drivers:
        if driver not in counts.codes:
            raise ParameterError(f"driver {driver!r} was not counted: {nearest(driver, counts.codes)}")
    if cluster and counts.cluster != cluster:
        raise ParameterError(
            f"the cells are counted with cluster={counts.cluster!r}: count them again with cluster={cluster!r}"
        )


@dataclass(frozen=True)
class Request:
    """What to count; the first of the clusters is the narrowest, or None."""

    event: str
    formula: Formula
    clusters: tuple[str | None, ...]
    weights: str | None

    @property
    def columns(self) -> list[str]:
        """All columns used, each once."""
        named = [self.event, *self.formula.drivers, *(c for c in (*self.clusters, self.weights) if c)]
        return list(dict.fromkeys(named))


@dataclass(frozen=True)
class Part:
    """Rows or cells as codes, by driver and CLUSTER; rows None: one row each, not grouped.

    levels: those that occur, text for factors, floats for numbers. order: of factors that are categories, all their
    levels in the category's order. records: how many rows were read.
    """

    codes: dict[str, np.ndarray]
    levels: dict[str, np.ndarray]
    order: dict[str, tuple[str, ...]]
    rows: np.ndarray | None
    events: np.ndarray
    records: int
    notes: tuple[str, ...] = ()

    def take(self, places: np.ndarray) -> "Part":
        """The rows at these places."""
        codes = {name: column[places] for name, column in self.codes.items()}
        rows = None if self.rows is None else self.rows[places]
        return replace(self, codes=codes, rows=rows, events=self.events[places])


@dataclass
class Faults:
    """What is wrong with the rows read: the first of each kind by row, how often by column and rule, of how many."""

    named: list[Fault] = field(default_factory=list)
    found: Counter = field(default_factory=Counter)
    total: int = 0
    table: str = "data"

    def note(self, frame: pd.DataFrame, wrong: np.ndarray, column: str, rule: str, remedy: str = "") -> None:
        """Rows of one column that break a rule."""
        if wrong.any():
            self.found[column, rule] += int(wrong.sum())
            first = frame.iloc[np.flatnonzero(wrong)[:NAMED]]
            self.named += faults_where(first, np.ones(len(first)), column, rule, remedy, table=self.table)

    def add(self, other: "Faults") -> None:
        self.named += other.named
        self.found += other.found
        self.total += other.total

    def refuse(self) -> None:
        """Raise what was found wrong: first how often, by column and rule, then row by row.

        Raises:
            DataError: if there is anything.
        """
        for (driver, rule), n in self.found.items():
            if rule == MISSING and n == self.total:
                raise DataError(f"driver {driver!r} is missing in all {n} rows; leave it out")
        if self.found:
            said = "; ".join(
                f"{column!r}: {rule} ({n} of {self.total} rows)" for (column, rule), n in self.found.items()
            )
            raise DataError(f"data cannot be fitted: {said}", tuple(self.named))


def encode_frame(frame: pd.DataFrame, request: Request) -> Part:
    """Check a DataFrame and give every driver and cluster its codes.

    Raises:
        ParameterError: unknown column. DataError: no rows, or faults by row.
    """
    require_columns(frame, request.columns, table="data")
    if frame.empty:
        raise DataError("data: no rows; nothing to fit")
    faults = Faults()
    part = _encode(frame, request, faults)
    faults.refuse()
    return _in_order(part, request)


def parquet_files(source: str | Path | Sequence[str | Path]) -> list[str]:
    """The Parquet files of a path, a folder, a glob or a list, in order of name.

    Raises:
        ParameterError: none is there.
    """
    import glob

    sources = [source] if isinstance(source, (str, Path)) else list(source)
    found: list[str] = []
    for one in sources:
        path = Path(one)
        found += sorted(map(str, path.glob("*.parquet"))) if path.is_dir() else sorted(glob.glob(str(one)))  # noqa: PTH207
    if not found:
        raise ParameterError(f"cells: no Parquet file at {', '.join(map(str, sources))}; give a path or a glob")
    return found


def _client(scheduler: "str | distributed.Client | None") -> "AbstractContextManager[distributed.Client | None]":
    """The cluster to count on, closed afterwards if it was opened here."""
    if not isinstance(scheduler, str):
        return nullcontext(scheduler)
    try:
        from distributed import Client
    except ImportError as missing:
        raise ParameterError(
            "cells: scheduler= needs the package `distributed`; install it with pip install 'institute-lib[cluster]'"
        ) from missing
    return Client(scheduler)


def _count_files(paths: list[str], request: Request, client: "distributed.Client | None") -> Part:
    """Read and count Parquet files here, or each file on a cluster; put together in order of file."""
    if client is None:
        scans = [scan_file(path, request) for path in paths]
    else:
        scans = client.gather([client.submit(scan_file, path, request, pure=False) for path in paths])
    faults = Faults()
    for _, found in scans:
        faults.add(found)
    if not faults.total:
        raise DataError(f"no rows in {', '.join(paths)}; nothing to fit")
    faults.refuse()
    return _merge([part for parts, _ in scans for part in parts if len(part.events)], request)


def scan_file(path: str, request: Request) -> tuple[list[Part], Faults]:
    """Read one file in stretches, check and count each; its rows are freed once they are counted."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, parts, faults = pq.read_schema(path), [], Faults(table=Path(path).name)
    for column in request.columns:
        if column not in schema.names:
            raise ParameterError(f"{path} has no column {column!r}: {nearest(column, schema.names)}")
    kinds = {name: schema.field(name).type for name in request.columns}
    texts = [name for name, kind in kinds.items() if pa.types.is_string(kind) or pa.types.is_large_string(kind)]
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for batches in _stretches(file, request.columns):
            frame = plain(pa.Table.from_batches(batches).unify_dictionaries().to_pandas(ignore_metadata=True))
            frame.index = pd.RangeIndex(faults.total, faults.total + len(frame))
            part = _encode(frame, request, faults, texts=texts)
            if not faults.found:
                parts.append(_grouped(part, always=False))
    return parts, faults


def _stretches(file: Any, columns: list[str]) -> Iterator[list]:
    held: list = []
    for batch in file.iter_batches(batch_size=max(STRETCH // 8, 1), columns=columns):
        held.append(batch)
        if sum(map(len, held)) >= STRETCH:
            yield held
            held = []
    if held:
        yield held


def _encode(frame: pd.DataFrame, request: Request, faults: Faults, *, texts: Sequence[str] = ()) -> Part | None:
    """Rows as codes, None where some are at fault; rows that count for nothing are left aside with a note.

    texts: categories that are mere texts, read as such to save memory: their order means nothing.
    """
    formula, codes, levels, order = request.formula, {}, {}, {}
    faults.total += len(frame)
    note = partial(faults.note, frame)
    events = numbers(frame[request.event])
    note(~((events == 0) | (events == 1)), request.event, "the event is 0 or 1")
    for driver in formula.drivers:
        values = frame[driver]
        if driver not in formula.by_level and (is_number(values) or _whole_objects(values)):
            found = numbers(values)
            note(np.isnan(found), driver, MISSING, "give it a level 'unknown', or leave it out")
            note(np.isinf(found), driver, "a number must be finite")
            codes[driver], levels[driver] = pd.factorize(found + 0.0)
            continue
        codes[driver], levels[driver], every = _levels(values)
        note(codes[driver] < 0, driver, MISSING, "give it a level 'unknown', or leave it out")
        if isinstance(values.dtype, pd.CategoricalDtype) and driver not in texts:
            order[driver] = every
        if driver in formula.declared:
            strange = [at for at, name in enumerate(levels[driver]) if name not in formula.declared[driver]]
            if strange:
                name = levels[driver][strange[0]]
                rule = f"unknown level {name!r}: {nearest(name, formula.declared[driver])}"
                note(np.isin(codes[driver], strange), driver, rule, "correct it, or declare it")
    for cluster in filter(None, request.clusters):
        codes[place := CLUSTER + cluster], levels[place], _ = _levels(frame[cluster])
        note(codes[place] < 0, cluster, "a cluster id is missing", "give each such row a cluster, or drop it")
    weights = numbers(frame[request.weights]) if request.weights else None
    if weights is not None:
        wrong = ~((weights >= 0) & np.isfinite(weights))
        note(wrong, request.weights, "a weight is a number of rows from 0 up", "correct it, or leave weights out")
    if faults.found:
        return None
    codes = {name: narrow(column, len(levels[name])) for name, column in codes.items()}
    part = Part(codes, levels, order, None, events.astype(np.int8), len(frame))
    if weights is None:
        return part
    weights = weights if (weights % 1).any() else weights.astype(np.int64)
    present = weights > 0
    part = replace(part, rows=weights, events=part.events * weights)
    if present.all():
        return part
    if not present.any():
        raise DataError(f"all {len(frame)} rows have {request.weights!r} 0; nothing to fit")
    said = f"{len(frame) - int(present.sum())} rows have {request.weights!r} 0 and count for nothing"
    return replace(part.take(np.flatnonzero(present)), notes=(said,), records=int(present.sum()))


def _whole_objects(values: pd.Series) -> bool:
    """Whether a column holds whole numbers too large for 64 bits."""
    return values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) == "integer"


def numbers(values: pd.Series) -> np.ndarray:
    """Values as floats, NaN where missing; what is neither a number nor a truth value is NaN too."""
    known = values.dtype != object or pd.api.types.infer_dtype(values, skipna=True) in (
        "boolean",
        "integer",
        "floating",
    )
    if not known or isinstance(values.dtype, (pd.StringDtype, pd.CategoricalDtype)):
        return np.full(len(values), np.nan)
    return values.astype("Float64").to_numpy(float, na_value=np.nan)


def _levels(values: pd.Series) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Codes (−1 where missing) and names of the levels that occur, and all names of a category, in its order."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes, found = values.cat.codes.to_numpy(), values.cat.categories
    else:
        codes, found = pd.factorize(values)
    names = [level_name(one) for one in found]
    every = tuple(dict.fromkeys(names))
    known = codes[codes >= 0] if len(codes) and codes.min() < 0 else codes
    there = np.bincount(known, minlength=len(names)) > 0
    index = {name: at for at, name in enumerate(dict.fromkeys(n for n, one in zip(names, there, strict=True) if one))}
    place = np.array([index.get(name, -1) for name in names])
    if not np.array_equal(place, np.arange(len(names))):
        codes = np.append(place, -1)[codes]
    return codes, np.array(list(index), dtype=object), every


def _merge(parts: Sequence[Part], request: Request) -> Part:
    """Put parts together, in their order, under one set of levels."""
    if len(parts) == 1:
        return _in_order(parts[0], request)
    codes, levels = {}, {}
    for name in parts[0].codes:
        levels[name], places = _common(name, [part.levels[name] for part in parts])
        pieces = [narrow(place, len(levels[name]))[part.codes[name]] for place, part in zip(places, parts, strict=True)]
        codes[name] = np.concatenate(pieces)
    rows = None
    if any(part.rows is not None for part in parts):
        ones = (np.ones(len(part.events), np.int32) if part.rows is None else part.rows for part in parts)
        rows = np.concatenate(list(ones))
    order = {
        name: tuple(dict.fromkeys(level for part in parts for level in part.order[name]))
        for name in codes
        if all(name in part.order for part in parts)
    }
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    events, records = np.concatenate([part.events for part in parts]), sum(part.records for part in parts)
    return _in_order(Part(codes, levels, order, rows, events, records, notes), request)


def _common(name: str, levels: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """All levels in order of appearance (numbers by size), and where each part's levels stand among them."""
    kinds = {one.dtype.kind for one in levels}
    if len(kinds) > 1:
        raise DataError(f"column {name!r} is a number in one file and a text in another; write it the same in all")
    if kinds == {"f"}:
        every = np.unique(np.concatenate(levels))
        return every, [np.searchsorted(every, one) for one in levels]
    index = {level: at for at, level in enumerate(dict.fromkeys(level for one in levels for level in one))}
    return np.array(list(index), dtype=object), [np.array([index[level] for level in one], int) for one in levels]


def _in_order(part: Part, request: Request) -> Part:
    """Levels that occur, in the order declared, or of their category, contract or values."""
    codes, levels, notes = dict(part.codes), dict(part.levels), list(part.notes)
    for name, found in part.levels.items():
        if name.startswith(CLUSTER):
            continue
        if found.dtype.kind == "f":
            order = np.argsort(found, kind="stable")
        else:
            names, declared = list(found), request.formula.declared.get(name, ())
            notes += [f"driver {name!r}: level {level!r} does not occur" for level in declared if level not in names]
            given = [level for level in declared or part.order.get(name, ()) if level in names]
            order = np.array([names.index(level) for level in given or ordered_levels(name, names)])
        if np.any(order != np.arange(len(order))):
            place = np.empty(len(order), dtype=np.min_scalar_type(len(order) - 1))
            place[order] = np.arange(len(order))
            codes[name], levels[name] = place[codes[name]], found[order]
    return replace(part, codes=codes, levels=levels, notes=tuple(notes))


def _as_counts(part: Part, request: Request) -> CellCounts:
    drivers = {name: column for name, column in part.codes.items() if not name.startswith(CLUSTER)}
    cluster, *wider = request.clusters
    kinds = {name: "number" if part.levels[name].dtype.kind == "f" else "factor" for name in drivers}
    return CellCounts(
        event=request.event,
        formula=request.formula,
        variables={name: Variable(name, kinds[name], part.levels[name]) for name in drivers},
        codes=drivers,
        rows=np.ones(len(part.events), dtype=np.int8) if part.rows is None else part.rows,
        events=part.events,
        cluster=cluster,
        cluster_codes=part.codes[CLUSTER + cluster] if cluster else None,
        cluster_names=tuple(part.levels[CLUSTER + cluster]) if cluster else (),
        others={one: (part.codes[CLUSTER + one], len(part.levels[CLUSTER + one])) for one in wider},
        warnings=part.notes,
        n_records=part.records,
    )


def _grouped(part: Part, *, always: bool) -> Part:
    """The part as cells; `always`, or only where that saves work. The order is that of the codes."""
    columns, sizes = list(part.codes.values()), [len(part.levels[name]) for name in part.codes]
    if not always and not repay(columns, sizes):
        return part
    key = packed_key(columns, sizes)
    if len(key) <= SMALL:
        _, first, cell = np.unique(key, return_index=True, return_inverse=True)
        rows, events = (np.bincount(cell, weights=one, minlength=len(first)) for one in (part.rows, part.events))
    else:
        first, rows, events = _with_duckdb(key, part.rows, part.events)
    if part.events.dtype.kind != "f":
        kind = np.int32 if rows.max() < 2**31 else np.int64
        rows, events = np.rint(rows).astype(kind), np.rint(events).astype(kind)
    return replace(part.take(first), rows=rows, events=events)


def _with_duckdb(key: np.ndarray, rows: np.ndarray | None, events: np.ndarray) -> tuple[np.ndarray, ...]:
    """First place, rows and events of each key, on all processors, and beyond memory if need be."""
    import duckdb
    import pyarrow as pa

    table = {"key": key, "place": np.arange(len(key)), "events": events} | ({} if rows is None else {"rows": rows})
    counted, kind = "count(*)" if rows is None else "sum(rows)", "DOUBLE" if events.dtype.kind == "f" else "BIGINT"
    query = (
        f"SELECT min(place) AS place, CAST({counted} AS {kind}) AS rows, CAST(sum(events) AS {kind}) AS events "
        "FROM source GROUP BY key ORDER BY key"
    )
    with duckdb.connect() as connection:
        connection.register("source", pa.table(table))
        found = connection.execute(query).fetchnumpy()
    return tuple(np.asarray(found[name]) for name in ("place", "rows", "events"))


def narrow(codes: np.ndarray, size: int) -> np.ndarray:
    """Codes below `size` in the smallest unsigned type that holds them."""
    return np.asarray(codes).astype(np.min_scalar_type(max(size - 1, 0)), copy=False)


def packed_key(columns: Sequence[np.ndarray], sizes: Sequence[int]) -> np.ndarray:
    """One whole number for each combination of codes, in the order of the combinations."""
    key, space = np.zeros(len(columns[0]), dtype=np.int64), 1
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
