"""Exits and exposures by cell: all that the likelihood of a discrete-time hazard needs, counted by DuckDB.

Rows that agree in every driver (and cluster) become one cell with its number of rows and of events. The counts are
whole numbers, so that files counted apart and added up give the very same cells.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, ParameterError, nearest
from institute_lib.results import Result
from institute_lib.retention import counting, parquet
from institute_lib.retention.drivers import Drivers, Formula, parse

if TYPE_CHECKING:
    import distributed


@dataclass(frozen=True)
class Variable:
    """One driver as it stands in the cells: its levels (text) or its distinct values (numbers), in order."""

    name: str
    kind: str  # "factor" | "number"
    levels: np.ndarray


@dataclass(frozen=True)
class CellCounts(Result):
    """Cells: for each, a code per driver, the cluster, rows and events. `to_frame` shows them in words.

    Codes and numbers are held in the smallest whole-number types that they fit; convert before multiplying them.
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
    warnings: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        return int(self.rows.sum(dtype=np.int64))

    @property
    def n_events(self) -> int:
        return int(self.events.sum(dtype=np.int64))

    @property
    def n_cells(self) -> int:
        return len(self.rows)

    @property
    def n_clusters(self) -> int | None:
        return len(self.cluster_names) if self.cluster else None

    def summary(self, language: str = "zh") -> str:
        """How many rows and events became how many cells."""
        return terms.text(
            "retention.cells",
            language,
            rows=terms.count(self.n_rows, language),
            events=terms.count(self.n_events, language),
            cells=terms.count(self.n_cells, language),
        )

    def to_frame(self) -> pd.DataFrame:
        """One row a cell: the drivers, the cluster, rows, events."""
        frame = pd.DataFrame({name: self.variables[name].levels[codes] for name, codes in self.codes.items()})
        if self.cluster:
            name = self.cluster if self.cluster not in frame else f"cluster {self.cluster}"
            frame[name] = np.asarray(self.cluster_names, dtype=object)[self.cluster_codes]
        return frame.assign(rows=self.rows.astype(np.int64), events=self.events.astype(np.int64))


def cells(
    source: pd.DataFrame | str | Path | Sequence[str | Path],
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
        weights: column with the whole number of rows that each row stands for.
        scheduler: address of a Dask scheduler (or a Client): each file is counted on the cluster. Parquet only, on
            paths that the workers can read. The counts are added up in the order of the file names.

    Returns:
        CellCounts, in the order of the drivers' levels.

    Raises:
        ParameterError: unknown column, no such file, or a scheduler without the package `distributed`.
        DataError: missing or undeclared values, an event that is not 0/1, missing cluster ids, with rows and counts.
    """
    return count(
        source, event=event, formula=parse(drivers), cluster=cluster, weights=weights, scheduler=scheduler, always=True
    )


def count(
    source: pd.DataFrame | str | Path | Sequence[str | Path],
    *,
    event: str,
    formula: Formula,
    cluster: str | None,
    weights: str | None,
    scheduler: "str | distributed.Client | None" = None,
    always: bool,
) -> CellCounts:
    """As `cells`; unless `always`, rows that hardly ever agree stay rows, since grouping them would save nothing."""
    request = counting.Request(event, formula.drivers, formula.declared, formula.by_level, cluster, weights)
    if isinstance(source, pd.DataFrame):
        if scheduler is not None:
            raise ParameterError("cells: scheduler= counts Parquet files; write the DataFrame with to_parquet first")
        part = counting.encode(source, request)
    else:
        with _client(scheduler) as client:
            part = parquet.count_files(parquet_files(source), request, client=client)
    part = counting.counted(part, always=always)
    return CellCounts(
        event=event,
        formula=formula,
        variables=variables_of(part.levels),
        codes=part.codes,
        rows=np.ones(part.size, dtype=np.int8) if part.rows is None else part.rows,
        events=part.events,
        cluster=cluster,
        cluster_codes=part.cluster_codes,
        cluster_names=tuple(part.cluster_names) if cluster else (),
        warnings=part.warnings,
    )


def variables_of(levels: Mapping[str, np.ndarray]) -> dict[str, Variable]:
    """What each driver's codes stand for."""
    return {
        name: Variable(name, "number" if found.dtype.kind == "f" else "factor", found) for name, found in levels.items()
    }


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


def require_variation(counts: CellCounts, drivers: Sequence[str]) -> None:
    """Refuse a driver that takes one value only.

    Raises:
        DataError: naming it.
    """
    for name in drivers:
        levels = counts.variables[name].levels
        if len(levels) == 1:
            raise DataError(
                f"driver {name!r} is constant: all {counts.n_rows} rows hold {str(levels[0])!r}; leave it out"
            )
