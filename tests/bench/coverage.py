"""The notebook of station coverage for both cities, and new sites at the size that the institute may ask for."""

import time
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import nbformat
import numpy as np

from institute_lib import coverage, demo, paths
from tests.bench.lines import Bound

if TYPE_CHECKING:
    import geopandas as gpd

CITIES, NOTEBOOK, ALLOWED_S = ("320600", "320500"), "04_station_coverage", 5.0
DEMAND, CANDIDATES, SITES, SITING_S = 4_000, 1_000, 10, 30.0
SIDE_M, RADII_M = 90_000, (5_000, 9_000)
SEED = 11


def measure(*, large: bool) -> list[Bound]:
    """Both cities' cells one after the other; ten sites, and with `large` at a greater radius."""
    return [both_cities(), *(ten_sites(radius) for radius in (RADII_M if large else RADII_M[:1]))]


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


def ten_sites(radius_m: float) -> Bound:
    """Proven optimal, or within the time that may be asked for."""
    demand, candidates = points(DEMAND), points(CANDIDATES)
    begun = time.perf_counter()
    siting = coverage.next_stations(demand, candidates, k=SITES, radius_m=radius_m, time_limit_s=SITING_S)
    spent = time.perf_counter() - begun
    what = f"{SITES} of {CANDIDATES:,} sites, {DEMAND:,} points, {radius_m / 1000:g} km"
    return Bound(what, spent, SITING_S + 1, "s", "proven optimal" if siting.optimal else f"gap {siting.gap:.2g}")


def points(count: int) -> "gpd.GeoDataFrame":
    """Evenly scattered points with invented residents, on a square as large as the city."""
    import geopandas as gpd

    random = np.random.default_rng([SEED, count])
    places = gpd.points_from_xy(*random.uniform(0, SIDE_M, (2, count)))
    return gpd.GeoDataFrame({"population": random.integers(100, 5000, count)}, geometry=places, crs=coverage.METRES)
