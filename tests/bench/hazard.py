"""The hazard on counted cells, beside statsmodels on raw rows: the same coefficients, in less time."""

import numpy as np
import pandas as pd

from institute_lib import retention
from tests.bench.lines import Line
from tests.bench.timing import in_turns

FACTORS, LEVELS = 16, 5  # with the intercept 65 parameters
CLUSTERS = 500
ROWS, MANY_ROWS = 500_000, 5_000_000
SEED = 4


def measure(*, large: bool) -> list[Line]:
    """Model-based errors and errors clustered by station. The peer's matrix is made before its time begins."""
    rows = draw(MANY_ROWS if large else ROWS)
    drivers = [column for column in rows if column.startswith("driver")]
    matrix, event, station = dummies(rows[drivers]), rows["left"].to_numpy(float), rows["station"].to_numpy()

    def ours(cluster: str | None) -> retention.HazardModel:
        return retention.hazard(rows, event="left", drivers=drivers, cluster=cluster)

    def peer(**errors: object):
        from statsmodels.discrete.discrete_model import Logit

        return Logit(event, matrix).fit(disp=0, tol=1e-12, **errors)

    size = f"{len(rows) // 1000:,}k person-quarters × {matrix.shape[1]}"
    clustered = {"cov_type": "cluster", "cov_kwds": {"groups": station}}
    return [
        line(f"hazard, {size}", in_turns(lambda: ours(None), peer, label="hazard")),
        line(
            f"hazard, {size}, clustered",
            in_turns(lambda: ours("station"), lambda: peer(**clustered), label="clustered"),
        ),
    ]


def line(what: str, timed) -> Line:
    """The comparison with the largest difference between both results."""
    table, judge = timed.our_result.coefficients, timed.peer_result
    gap = np.abs(table["estimate"].to_numpy() - judge.params).max()
    error = np.abs(table["se"].to_numpy() / judge.bse - 1).max()
    note = f"independent drivers, the worst case; |Δ coefficient| ≤ {gap:.0e}, |Δ se|/se ≤ {error:.0e}"
    return Line(what, timed.ours, "statsmodels Logit, rows", timed.peer, note)


def draw(n: int) -> pd.DataFrame:
    """Person-quarters whose drivers are independent of each other, so that hardly two rows share a cell."""
    random = np.random.default_rng(SEED)
    codes = random.integers(0, LEVELS, (FACTORS, n), dtype=np.int8)
    effects = random.normal(0, 0.2, (FACTORS, LEVELS))
    eta = -3.5 + sum(effect[code] for effect, code in zip(effects, codes, strict=True))
    names = [f"level {level}" for level in range(LEVELS)]
    columns = {f"driver_{at:02}": pd.Categorical.from_codes(code, names) for at, code in enumerate(codes)}
    left = (random.random(n) < 1 / (1 + np.exp(-eta))).astype(np.int64)
    return pd.DataFrame(columns | {"station": random.integers(0, CLUSTERS, n), "left": left})


def dummies(drivers: pd.DataFrame) -> np.ndarray:
    """The raw rows' matrix: an intercept, and every level but the first."""
    matrix = np.ones((len(drivers), 1 + FACTORS * (LEVELS - 1)))
    for at, column in enumerate(drivers):
        codes = drivers[column].cat.codes.to_numpy()
        for level in range(1, LEVELS):
            matrix[:, at * (LEVELS - 1) + level] = codes == level
    return matrix
