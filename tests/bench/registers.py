"""The demo registers, drawn and written, beside one pass that writes the same tables."""

import tempfile
from itertools import count
from pathlib import Path

import pandas as pd

from institute_lib import demo, retention, tables
from tests.bench.lines import Line
from tests.bench.timing import in_turns


def measure(*, large: bool) -> list[Line]:
    """Writing the demo, loading a checked table, and person-quarters, each beside the plain pass over the same data."""
    with tempfile.TemporaryDirectory() as folder:
        return [write(Path(folder)), *read(Path(folder), repetitions=7 if large else 3)]


def write(folder: Path) -> Line:
    """Drawing is most of it; the peer writes tables that stand in memory."""
    demo.write(folder / "data" / "demo")
    drawn = {path.name: pd.read_parquet(path) for path in (folder / "data" / "demo").glob("*.parquet")}
    numbers = count()

    def peer() -> None:
        for name, frame in drawn.items():
            frame.to_parquet(folder / name, compression="zstd")

    timed = in_turns(lambda: demo.write(folder / f"again {next(numbers)}"), peer, label="demo registers")
    rows = sum(map(len, drawn.values()))
    note = f"{len(drawn)} tables, {rows:,} rows; ours also draws both worlds, checks contracts, hashes"
    return Line("demo registers", timed.ours, "to_parquet of the same", timed.peer, note)


def read(folder: Path, *, repetitions: int) -> list[Line]:
    """A table checked and cut to what was known; quarters at risk with the drivers of each."""
    path, day = folder / "data" / "demo" / "workers.parquet", "2025-12-31"

    def load_anew() -> pd.DataFrame:
        path.touch()
        return tables.load("workers", day, root=folder)

    timed = in_turns(load_anew, lambda: pd.read_parquet(path), repetitions=repetitions, label="load")
    note = f"{len(timed.our_result):,} rows; ours checks the contract, once a process for each state of the file"
    loaded = Line("tables.load('workers')", timed.ours, "pandas.read_parquet", timed.peer, note)
    workers, changes = timed.our_result, tables.load("worker_changes", day, root=folder)

    def expand() -> pd.DataFrame:
        return retention.person_quarters(workers, until="2025Q4", since="2019Q1", changes=changes)

    def join_whole_rows() -> pd.DataFrame:
        rows = retention.person_quarters(workers, until="2025Q4", since="2019Q1")
        starts = {quarter: pd.Period(quarter).start_time for quarter in rows["quarter"].unique()}
        rows["start"] = rows["quarter"].map(starts).astype("datetime64[us]")
        ordered = changes.astype({"date": "datetime64[us]"}).sort_values("date")
        return pd.merge_asof(rows.sort_values("start"), ordered, left_on="start", right_on="date", by="worker_id")

    timed = in_turns(expand, join_whole_rows, repetitions=repetitions, label="person-quarters")
    note = f"{len(timed.our_result):,} rows with the drivers of each quarter's first day"
    return [loaded, Line("person_quarters, province", timed.ours, "pandas.merge_asof, whole rows", timed.peer, note)]
