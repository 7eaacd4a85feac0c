"""The hazard on counted cells beside statsmodels and pyfixest on raw rows: the same coefficients, time and memory.

Every fit runs in a process of its own, which draws the rows, fits once to warm up on a few of them, and then on all:
its seconds and its memory beyond the rows are those of that fit alone. `--large` takes 50 million rows from Parquet.
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import retention
from tests.bench.lines import Line

FACTORS, LEVELS = 16, 5  # with the intercept 65 parameters
CLUSTERS = 500
ROWS = 5_000_000
FILES = 10  # the large file holds so many times the rows
SEED = 4
DRIVERS = [f"driver_{at:02}" for at in range(FACTORS)]


def measure(*, large: bool) -> list[Line]:
    """Against statsmodels and pyfixest, both kinds of errors; or, `large`, the growth from 5 to 50 million rows."""
    return measure_files() if large else measure_peers()


def measure_peers() -> list[Line]:
    """The drivers are independent, the worst case: hardly two rows share a cell. Ours is the median of three."""
    lines = []
    for what, cluster in (("", None), (", clustered", "station")):
        ours = median_of([apart(partial(fit_ours, cluster=cluster)) for _ in range(3)])
        peers = {"statsmodels Logit, rows": fit_statsmodels, "pyfixest feglm, rows": fit_pyfixest}
        for name, peer in peers.items():
            size = f"hazard, {ROWS // 10**6} M person-quarters × {1 + FACTORS * (LEVELS - 1)}{what}"
            lines.append(compared(size, ours, name, apart(partial(peer, cluster=cluster))))
    return lines


def compared(what: str, ours: "Outcome", name: str, peer: "Outcome") -> Line:
    """Ratios of time and memory, and the largest difference between both results."""
    gap = np.abs(ours["estimate"] - peer["estimate"]).max()
    error = np.abs(ours["se"] / peer["se"] - 1).max()
    memory = f"{peer['memory'] / ours['memory']:.0f} × in memory beyond the rows (ours {ours['memory']:.2f} GB)"
    processor = f"{peer['processor'] / ours['processor']:.0f} × in processor time"
    note = f"{processor}; {memory}; |Δ coefficient| ≤ {gap:.0e}, |Δ se|/se ≤ {error:.0e}"
    return Line(what, ours["seconds"], name, peer["seconds"], note)


Outcome = dict[str, Any]
Fit = Callable[[pd.DataFrame], Callable[[], tuple[np.ndarray, np.ndarray]]]


def fit_ours(rows: pd.DataFrame, cluster: str | None = None) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    def fit() -> tuple[np.ndarray, np.ndarray]:
        table = retention.hazard(rows, event="left", drivers=DRIVERS, cluster=cluster).coefficients
        return table["estimate"].to_numpy(), table["se"].to_numpy()

    return fit


def fit_statsmodels(rows: pd.DataFrame, cluster: str | None = None) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """Its matrix is made before its time begins, but counts as its memory, since it cannot do without."""
    from statsmodels.discrete.discrete_model import Logit

    matrix, event = dummies(rows), rows["left"].to_numpy(float)
    errors = {"cov_type": "cluster", "cov_kwds": {"groups": rows[cluster].to_numpy()}} if cluster else {}

    def fit() -> tuple[np.ndarray, np.ndarray]:
        result = Logit(event, matrix).fit(disp=0, tol=1e-12, **errors)
        return result.params, result.bse

    return fit


def fit_pyfixest(rows: pd.DataFrame, cluster: str | None = None) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """It makes its matrix itself, from the formula."""
    import pyfixest

    formula = "left ~ " + " + ".join(f"C({driver})" for driver in DRIVERS)
    errors = {"CRV1": cluster} if cluster else "iid"

    def fit() -> tuple[np.ndarray, np.ndarray]:
        model = pyfixest.feglm(
            formula, rows, family="logit", vcov=errors, iwls_tol=1e-12, copy_data=False, store_data=False, lean=True
        )
        table = model.tidy()
        return table["Estimate"].to_numpy(), table["Std. Error"].to_numpy()

    return fit


def apart(fit: Fit) -> Outcome:
    """A fit in a process of its own: seconds, GB at most beyond the rows, estimates, standard errors."""
    import psutil

    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_fit_apart, args=(fit, there))
    process.start()
    there.close()
    watched, peak = psutil.Process(process.pid), 0
    base = here.recv()
    while not here.poll(0.01):
        peak = max(peak, watched.memory_info().rss)
    outcome = here.recv()
    process.join()
    return outcome | {"memory": max(peak - base, 1) / 1e9}


def _fit_apart(fit: Fit, channel: Connection) -> None:
    import psutil

    few = draw(20_000, SEED)
    fit(few)()
    rows = draw(ROWS, SEED)
    channel.send(psutil.Process().memory_info().rss)
    run = fit(rows)
    begun, worked = time.perf_counter(), time.process_time()
    estimate, se = run()
    spent = {"seconds": time.perf_counter() - begun, "processor": time.process_time() - worked}
    channel.send(spent | {"estimate": estimate, "se": se})


def median_of(outcomes: list[Outcome]) -> Outcome:
    """The outcome with the median time, and the largest memory of all."""
    middle = sorted(outcomes, key=lambda one: one["seconds"])[len(outcomes) // 2]
    return middle | {"memory": max(one["memory"] for one in outcomes)}


def measure_files() -> list[Line]:
    """5 and 50 million rows from Parquet, clustered; the peer is one scan of the file, the floor."""
    lines, seconds = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for times in (1, FILES):
            path = Path(folder) / f"{times}.parquet"
            write(path, times)
            outcome = apart(partial(fit_file, path=path))
            seconds[times] = outcome["seconds"]
            floor = scan_seconds(path)
            note = f"peak memory {outcome['memory']:.1f} GB beyond the start; floor: every column decoded once"
            if times > 1:
                note += f"; {seconds[times] / seconds[1]:.1f} × the time of {ROWS // 10**6} M"
            what = f"hazard, {times * ROWS // 10**6} M rows from Parquet × {1 + FACTORS * (LEVELS - 1)}, clustered"
            lines.append(Line(what, outcome["seconds"], "one scan of the file", floor, note))
    return lines


def fit_file(rows: pd.DataFrame, path: Path = Path()) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """The rows drawn are only for warming up; the file is what is fitted."""
    return fit_ours(rows if len(rows) < ROWS else path, cluster="station")


def write(path: Path, times: int) -> None:
    """A Parquet file of `times` draws, one after another."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = pa.Table.from_pandas(draw(ROWS, SEED))
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for seed in range(SEED + 1, SEED + times):
            writer.write_table(pa.Table.from_pandas(draw(ROWS, seed)))


def scan_seconds(path: Path) -> float:
    """Decoding every column of the file, batch by batch."""
    import pyarrow.parquet as pq

    begun = time.perf_counter()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1 << 18):
            len(batch)
    return time.perf_counter() - begun


def draw(n: int, seed: int) -> pd.DataFrame:
    """Person-quarters whose drivers are independent of each other, so that hardly two rows share a cell."""
    random = np.random.default_rng(seed)
    effects = np.random.default_rng(SEED).normal(0, 0.2, (FACTORS, LEVELS))
    eta = np.full(n, -3.5)
    columns = {}
    for driver, effect in zip(DRIVERS, effects, strict=True):
        codes = random.integers(0, LEVELS, n, dtype=np.int8)
        eta += effect[codes]
        columns[driver] = pd.Categorical.from_codes(codes, [f"level {level}" for level in range(LEVELS)])
    left = (random.random(n) < 1 / (1 + np.exp(-eta))).astype(np.int8)
    station = random.integers(0, CLUSTERS, n, dtype=np.int16)
    return pd.DataFrame(columns | {"station": station, "left": left})


def dummies(rows: pd.DataFrame) -> np.ndarray:
    """The raw rows' matrix: an intercept, and every level but the first."""
    matrix = np.ones((len(rows), 1 + FACTORS * (LEVELS - 1)))
    for at, driver in enumerate(DRIVERS):
        codes = rows[driver].cat.codes.to_numpy()
        for level in range(1, LEVELS):
            matrix[:, at * (LEVELS - 1) + level] = codes == level
    return matrix
