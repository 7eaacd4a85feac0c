"""The notebook of station coverage for both cities, and new sites at the size that the institute may ask for."""

import time
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import nbformat
import numpy as np

from institute_lib import coverage, demo, paths
from institute_lib.coverage.covering import Limits, distinct
from institute_lib.coverage.siting import reach_matrix
from tests.bench.lines import Bound, Line
from tests.bench.timing import in_turns

if TYPE_CHECKING:
    import geopandas as gpd

CITIES, NOTEBOOK, ALLOWED_S = ("320600", "320500"), "04_station_coverage", 5.0
DEMAND, CANDIDATES, SITES, SITING_S = 4_000, 1_000, 10, 30.0
SIDE_M, RADII_M = 90_000, (5_000, 9_000)
SEED = 11


def measure(*, large: bool) -> list[Line | Bound]:
    """Both cities' cells one after the other; ten sites beside HiGHS alone, and with `large` at a greater radius."""
    radii = RADII_M if large else RADII_M[:1]
    return [both_cities(), *(one for radius in radii for one in ten_sites(radius))]


def both_cities() -> Bound:
    """Every cell of the notebook: once to warm up, as a forked kernel is, then once to count."""
    demo.write()
    run(CITIES[0])
    seconds = sum(run(city) for city in CITIES)
    note = "processor seconds; 4,253 villages, about 4,000 stations and rooms"
    return Bound(f"{NOTEBOOK}, both cities", seconds, ALLOWED_S, "s", note)


def run(city: str) -> float:
    """Seconds of the processor that the cells of the notebook take for a city."""
    notebook = nbformat.read(paths.notebooks() / f"{NOTEBOOK}.ipynb", as_version=4)
    names: dict = {"display": lambda _: None}
    spent = 0.0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            begun = time.process_time()
            with redirect_stdout(StringIO()):
                exec(compile(cell.source, cell.id, "exec"), names)
            spent += time.process_time() - begun
        if "parameters" in cell.metadata.get("tags", ()):
            names["area"] = city
    return spent


def ten_sites(radius_m: float) -> tuple[Line, Bound]:
    """Proven optimal, beside the same integer programme handed to HiGHS as it stands."""
    demand, candidates = points(DEMAND), points(CANDIDATES)
    timed = in_turns(
        lambda: coverage.next_stations(demand, candidates, k=SITES, radius_m=radius_m, time_limit_s=SITING_S),
        lambda: by_highs(demand, candidates, radius_m),
        repetitions=1,
        label="siting",
    )
    siting, alone = timed.our_result, timed.peer_result
    what = f"{SITES} of {CANDIDATES:,} sites, {DEMAND:,} points, {radius_m / 1000:g} km"
    note = f"gap {siting.gap:.2g}, alone {alone:.2g} after {SITING_S:.0f} s at most"
    return (
        Line(what, timed.ours, "HiGHS alone", timed.peer, note),
        Bound(what, timed.ours, SITING_S, "s", "proven optimal" if siting.optimal else f"gap {siting.gap:.2g}"),
    )


def by_highs(demand: "gpd.GeoDataFrame", candidates: "gpd.GeoDataFrame", radius_m: float) -> float:
    """The gap that the whole integer programme is left with."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, eye_array, hstack

    rows, gains = distinct(reach_matrix(demand, candidates, radius_m), demand["population"].to_numpy(float))
    limits = Limits(SITES, np.zeros(CANDIDATES), np.inf, np.full(CANDIDATES, -1))
    table, caps = limits.rows()
    covered = len(gains)
    linked = LinearConstraint(hstack([-rows, eye_array(covered)], format="csr"), ub=0)
    capped = LinearConstraint(csr_array(np.column_stack([table, np.zeros((len(table), covered))])), ub=caps)
    found = milp(
        np.r_[np.zeros(CANDIDATES), -gains / gains.mean()],
        constraints=[linked, capped],
        integrality=np.r_[np.ones(CANDIDATES), np.zeros(covered)],
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0, "time_limit": SITING_S},
    )
    return float("inf") if found.mip_gap is None else float(found.mip_gap)


def points(count: int) -> "gpd.GeoDataFrame":
    """Evenly scattered points with invented residents, on a square as large as the city."""
    import geopandas as gpd

    random = np.random.default_rng([SEED, count])
    places = gpd.points_from_xy(*random.uniform(0, SIDE_M, (2, count)))
    return gpd.GeoDataFrame({"population": random.integers(100, 5000, count)}, geometry=places, crs=coverage.METRES)
