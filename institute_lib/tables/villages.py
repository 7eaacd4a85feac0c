"""The population of villages where nobody has counted it: an estimate by a stated rule, never a census."""

from functools import cache

import numpy as np
import pandas as pd

from institute_lib import areas, terms

# Residents that a village-level unit stands for, relative to a villagers' committee.
WEIGHTS = {"residents": 2.0, "villagers": 1.0, "village_like": 0.1}
TOWN_POPULATION = "resident_population"  # the indicator of a town's published figure


def estimate(districts: list[str], facts: pd.DataFrame | None = None) -> pd.DataFrame:
    """The contract's `village_population` for some districts: census or published totals, allocated over the villages.

    A residents' committee weighs 2, a villagers' committee 1, another unit 0.1. Where a town's own figure was published
    its villages share that, and the others share what is left of the county's census. Points are illustrative: they are
    spread evenly over the district, town by town, because no list of villages gives their places.

    Args:
        districts: six-digit codes of legal districts of Nantong or Suzhou.
        facts: published facts with rows of `resident_population` whose area is a nine-digit town; None for none.
    """
    census = areas.population(by="reported").set_index("code")["population"]
    of_town = _published(facts)
    parts = []
    for district in districts:
        listed = areas.villages(district)
        listed["population"] = 0.0
        for code, rows in listed.groupby("district"):
            weight = rows["type"].map(WEIGHTS)
            left = float(census.get(code, 0))
            told = rows["town"].isin(of_town)
            for town, own in rows[told].groupby("town"):
                listed.loc[own.index, "population"] = _allocate(weight[own.index], of_town[town])
                left -= of_town[town]
            rest = rows[~told]
            if len(rest):
                listed.loc[rest.index, "population"] = _allocate(weight[rest.index], max(left, 0.0))
        listed[["x", "y"]] = _points(district, len(listed))
        parts.append(listed)
    frame = pd.concat(parts, ignore_index=True)
    return pd.DataFrame(
        {
            "village": frame["village"],
            "town": frame["town"],
            "district": frame["host"],
            "population": frame["population"],
            "x": frame["x"],
            "y": frame["y"],
            "crs": "EPSG:4326",
            "rule": terms.text("tables.population_rule"),
        }
    )


def with_points(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with a `district` and an illustrative place each: points spread evenly over the district."""
    frame = frame.copy()
    for district, rows in frame.groupby("district"):
        frame.loc[rows.index, ["x", "y"]] = _points(areas.host(str(district)), len(rows))
    return frame


def _published(facts: pd.DataFrame | None) -> dict[str, float]:
    """The newest published figure of each town."""
    if facts is None or facts.empty:
        return {}
    own = facts[facts["indicator"].eq(TOWN_POPULATION) & facts["area"].str.fullmatch(r"\d{9}")]
    newest = own.sort_values("period").drop_duplicates("area", keep="last")
    return dict(zip(newest["area"], newest["value"].astype(float), strict=True))


def _allocate(weight: pd.Series, total: float) -> np.ndarray:
    """Whole numbers in proportion to weights that sum to a total (largest remainders)."""
    exact = weight / weight.sum() * total
    whole = np.floor(exact)
    short = round(total - whole.sum())
    whole[(exact - whole).nlargest(short, keep="first").index] += 1
    return whole.to_numpy()


@cache
def _points(district: str, count: int) -> np.ndarray:
    """So many points inside a district, spread evenly but not in line, ordered in strips from west to east."""
    import shapely

    shape = areas.boundaries(district)["geometry"].union_all()
    low_x, low_y, high_x, high_y = shape.bounds
    step, draw = np.sqrt(shape.area / count), np.random.default_rng(int(district))
    while True:
        across, up = np.arange(low_x + step / 2, high_x, step), np.arange(low_y + step / 2, high_y, step)
        grid = np.array([(x, y) for at, x in enumerate(across) for y in (up if at % 2 == 0 else up[::-1])])
        grid += draw.uniform(-0.35, 0.35, grid.shape) * step
        inside = grid[shapely.contains_xy(shape, grid[:, 0], grid[:, 1])]
        if len(inside) >= count:
            return inside[np.linspace(0, len(inside) - 1, count).round().astype(int)].round(6)
        step *= 0.97
