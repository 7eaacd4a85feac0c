"""The counting itself: rows into codes, checked on the way, parts into one, and codes into cells.

A part holds the rows of a DataFrame, or of a stretch of a Parquet file, with levels of its own. Parts are put together
by the names of their levels, so that it does not matter where each was counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, Fault, nearest
from institute_lib.retention.drivers import as_levels, is_number, level_name, level_order
from institute_lib.retention.grouping import counts_type, group, narrow, repay
from institute_lib.retention.spells import require_columns


@dataclass(frozen=True)
class Request:
    """What to count."""

    event: str
    drivers: tuple[str, ...]
    declared: dict[str, tuple[str, ...]]
    by_level: frozenset[str]
    cluster: str | None
    weights: str | None

    @property
    def columns(self) -> list[str]:
        """All columns used, each once."""
        return list(dict.fromkeys([self.event, *self.drivers, *(c for c in (self.cluster, self.weights) if c)]))


@dataclass(frozen=True)
class Part:
    """Codes of each driver (and of the cluster) with what they mean; rows None: one row each, not grouped.

    levels: those that occur, text for factors, floats for numbers. order: of factors that are categories, all their
    levels in the category's order.
    """

    codes: dict[str, np.ndarray]
    levels: dict[str, np.ndarray]
    events: np.ndarray
    rows: np.ndarray | None = None
    cluster_codes: np.ndarray | None = None
    cluster_names: np.ndarray | None = None
    order: dict[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return len(self.events)

    def columns(self) -> tuple[list[np.ndarray], list[int]]:
        """All codes with the number of their levels, the cluster last."""
        codes, sizes = list(self.codes.values()), [len(self.levels[name]) for name in self.codes]
        if self.cluster_codes is None:
            return codes, sizes
        return [*codes, self.cluster_codes], [*sizes, len(self.cluster_names)]


def encode(frame: pd.DataFrame, request: Request) -> Part:
    """Check a DataFrame and give every driver and cluster its codes.

    Raises:
        ParameterError: unknown column. DataError: no rows, or faults by row.
    """
    require_columns(frame, request.columns, table="data")
    if frame.empty:
        raise DataError("data: no rows; nothing to fit")
    check_frame(frame, request)
    codes, levels, order = {}, {}, {}
    for name in request.drivers:
        values = frame[name]
        if is_number(values) and name not in request.by_level:
            found, uniques = pd.factorize(values.to_numpy(dtype=float), sort=True)
            levels[name] = np.asarray(uniques, float)
        else:
            found, names = as_levels(values)
            levels[name] = np.asarray(names, dtype=object)
            if isinstance(values.dtype, pd.CategoricalDtype):
                order[name] = tuple(map(level_name, values.cat.categories))
        codes[name] = narrow(found, len(levels[name]))
    weights = frame[request.weights].to_numpy(dtype=np.int64) if request.weights else None
    events = frame[request.event].to_numpy(dtype=np.int8)
    cluster, uniques = pd.factorize(frame[request.cluster]) if request.cluster else (None, None)
    if cluster is not None:
        cluster, uniques = narrow(cluster, len(uniques)), np.asarray([str(one) for one in uniques], dtype=object)
    part = Part(codes, levels, events, weights, cluster, uniques, order)
    return _in_order(weighted(part, request), request)


def weighted(part: Part, request: Request) -> Part:
    """Events as often as the rows count, and rows that count for nothing left aside with a note."""
    if part.rows is None:
        return part
    present = part.rows > 0
    if present.all():
        return replace(part, events=part.events * part.rows)
    if not present.any():
        raise DataError(f"all {part.size} rows have {request.weights!r} 0; nothing to fit")
    note = f"{part.size - int(present.sum())} rows have {request.weights!r} 0 and count for nothing"
    kept = take(part, np.flatnonzero(present))
    return replace(kept, events=kept.events * kept.rows, warnings=(*part.warnings, note))


def take(part: Part, places: np.ndarray) -> Part:
    """The rows of a part at these places."""
    return replace(
        part,
        codes={name: codes[places] for name, codes in part.codes.items()},
        events=part.events[places],
        rows=None if part.rows is None else part.rows[places],
        cluster_codes=None if part.cluster_codes is None else part.cluster_codes[places],
    )


def merge(parts: Sequence[Part], request: Request) -> Part:
    """Put parts together, in their order, under one set of levels.

    Raises:
        DataError: an undeclared level, or a column that is a number in one part and a text in another.
    """
    if len(parts) == 1:
        return _in_order(parts[0], request)
    codes, levels = {}, {}
    for name in request.drivers:
        levels[name], places = _common(name, [part.levels[name] for part in parts])
        pieces = [narrow(place, len(levels[name]))[part.codes[name]] for place, part in zip(places, parts, strict=True)]
        codes[name] = np.concatenate(pieces)
    cluster = names = None
    if request.cluster:
        names, places = _common(request.cluster, [part.cluster_names for part in parts])
        pieces = [narrow(p, len(names))[part.cluster_codes] for p, part in zip(places, parts, strict=True)]
        cluster = np.concatenate(pieces)
    some = any(part.rows is not None for part in parts)
    rows = np.concatenate([_rows(part) for part in parts]) if some else None
    events = np.concatenate([part.events for part in parts])
    order = {
        name: tuple(dict.fromkeys(level for part in parts for level in part.order[name]))
        for name in request.drivers
        if all(name in part.order for part in parts)
    }
    notes = tuple(dict.fromkeys(note for part in parts for note in part.warnings))
    return _in_order(Part(codes, levels, events, rows, cluster, names, order, notes), request)


def _rows(part: Part) -> np.ndarray:
    return np.ones(part.size, dtype=np.int32) if part.rows is None else part.rows


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
    """Levels that occur, in the order declared, or of their category, or of their names; numbers by size."""
    codes, levels, notes = dict(part.codes), dict(part.levels), list(part.warnings)
    for name, found in part.levels.items():
        if found.dtype.kind == "f":
            order = np.argsort(found, kind="stable")
        else:
            names = list(found)
            if name in request.declared:
                wanted, more = declared_levels(name, names, request)
                notes += more
            else:
                wanted = [level for level in part.order.get(name, ()) if level in names] or level_order(names)
            order = np.array([names.index(level) for level in wanted])
        if np.any(order != np.arange(len(order))):
            place = np.empty(len(order), dtype=np.min_scalar_type(len(order) - 1))
            place[order] = np.arange(len(order))
            codes[name], levels[name] = place[codes[name]], found[order]
    return replace(part, codes=codes, levels=levels, warnings=tuple(notes))


def counted(part: Part, *, always: bool) -> Part:
    """The part grouped into cells; `always`, or only where that saves work. The order is that of the codes."""
    columns, sizes = part.columns()
    if not always and not repay(columns, sizes):
        return part
    cells = group(columns, sizes, part.rows, part.events)
    kind = counts_type(int(cells.rows.max()))
    return replace(take(part, cells.first), rows=cells.rows.astype(kind), events=cells.events.astype(kind))


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
    """Every missing, impossible or undeclared value of the columns used, named by row.

    Raises:
        DataError: with one fault a row and column.
    """
    checks = []
    for driver in request.drivers:
        values = frame[driver]
        missing = values.isna()
        if missing.all():
            raise DataError(f"driver {driver!r} is missing in all {len(frame)} rows; leave it out")
        checks.append((driver, missing, "a driver is missing", "give it a level 'unknown', or leave it out"))
        if driver in request.declared:
            checks.append((driver, *_undeclared(values, request.declared[driver])))
        if is_number(values) and driver not in request.by_level:
            infinite = np.isinf(values.to_numpy(dtype=float, na_value=np.nan))
            checks.append((driver, infinite, "a number must be finite", ""))
    if request.cluster:
        rule = "a cluster id is missing"
        checks.append(
            (request.cluster, frame[request.cluster].isna(), rule, "give each such row a cluster, or drop it")
        )
    if request.weights:
        weight = pd.to_numeric(frame[request.weights], errors="coerce")
        whole = (weight >= 0) & (weight % 1 == 0)
        checks.append((request.weights, ~whole, "a weight is a whole number of rows", "round it, or leave weights out"))
    faults = event_faults(frame, request.event)
    refuse_faults([*faults, *(fault for check in checks for fault in _faults(frame, *check))], total=len(frame))


def event_faults(frame: pd.DataFrame, event: str) -> list[Fault]:
    """The rows whose event is not 0 or 1."""
    return _faults(frame, event, ~frame[event].isin([0, 1]), "the event is 0 or 1", "")


def _undeclared(values: pd.Series, declared: Sequence[str]) -> tuple[np.ndarray, str, str]:
    """Where a level was not declared, and what to say of it."""
    codes, names = as_levels(values)
    strange = [at for at, level in enumerate(names) if level not in declared]
    wrong = np.isin(codes, strange)
    first = f"unknown level {names[strange[0]]!r}: {nearest(names[strange[0]], declared)}" if strange else ""
    return wrong, first, "correct it, or declare it"


def _faults(frame: pd.DataFrame, column: str, wrong: np.ndarray, rule: str, remedy: str) -> list[Fault]:
    bad = frame.loc[np.asarray(wrong, dtype=bool), column]
    return [Fault("data", row, column, None if pd.isna(value) else value, rule, remedy) for row, value in bad.items()]


def refuse_faults(faults: Sequence[Fault], *, total: int, found: dict[tuple[str, str], int] | None = None) -> None:
    """Raise what was found wrong: first how often, by column and rule, then row by row.

    Raises:
        DataError: if there is anything. `found` gives the numbers where `faults` holds only the first of them.
    """
    if found is None:
        found = {}
        for fault in faults:
            found[fault.column, fault.rule] = found.get((fault.column, fault.rule), 0) + 1
    if found:
        said = "; ".join(f"{column!r}: {rule} ({n} of {total} rows)" for (column, rule), n in found.items())
        raise DataError(f"data cannot be fitted: {said}", tuple(faults))
