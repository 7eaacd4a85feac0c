"""The places of the demo: 95 real counties with invented sizes, and the real towns and villages of two cities.

Station points and village populations are invented under real names; the rule of the latter stands in every row.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from institute_lib import areas, terms
from institute_lib.demo.facts import NANTONG, SUZHOU
from institute_lib.demo.quarters import stream

PROVINCE = "320000"
CITIES = (NANTONG, SUZHOU)
# Invented: average number of workers employed at a time, and the pay level relative to the province.
HEADCOUNT = {NANTONG: 4_800, SUZHOU: 7_400}
HEADCOUNT_ELSEWHERE = 26_000
PAY_LEVEL = {NANTONG: 1.04, SUZHOU: 1.18}
# Residents a unit of a list stands for, relative to a villagers' committee.
RESIDENTS_COMMITTEE, VILLAGERS_COMMITTEE, ZONE_UNIT = 2.0, 1.0, 0.1
CRS = "EPSG:4326"


@dataclass(frozen=True)
class Places:
    """Where everything is.

    counties: code (index 0–94 by position), city, size (average headcount), pay_level, focus (in one of both cities).
    towns, villages: the reference lists of both cities with `county` (position), x, y (WGS-84, invented points).
    """

    counties: pd.DataFrame
    towns: pd.DataFrame
    villages: pd.DataFrame

    @cached_property
    def position(self) -> dict[str, int]:
        """County code to its position."""
        return {code: number for number, code in enumerate(self.counties["code"])}

    def of_city(self, city: str) -> np.ndarray:
        """Positions of a city's counties."""
        return np.flatnonzero(self.counties["city"] == city)


def draw_places(seed: int) -> Places:
    """All counties, and the towns and villages of both cities with their points."""
    counties = _counties(stream(seed, "counties"))
    towns = pd.concat([areas.towns(city) for city in CITIES], ignore_index=True)
    villages = pd.concat([areas.villages(city) for city in CITIES], ignore_index=True)
    position = {code: number for number, code in enumerate(counties["code"])}
    towns["county"] = towns["host"].map(position)
    villages["county"] = villages["host"].map(position)
    return Places(counties, *_with_points(stream(seed, "points"), towns, villages))


def _counties(rng: np.random.Generator) -> pd.DataFrame:
    codes = [area.code for area in areas.districts(PROVINCE)]
    frame = pd.DataFrame({"code": codes, "city": [areas.city_of(code) for code in codes]})
    census = areas.population(by="polygon").set_index("code")["population"]
    frame["focus"] = frame["city"].isin(CITIES)
    weight = np.where(frame["focus"], frame["code"].map(census), np.exp(rng.normal(0, 0.6, len(frame))))
    group = frame["city"].where(frame["focus"], "elsewhere")
    total = group.map({**HEADCOUNT, "elsewhere": HEADCOUNT_ELSEWHERE})
    frame["size"] = (weight / pd.Series(weight).groupby(group).transform("sum") * total).astype(float)
    frame["pay_level"] = frame["city"].map(PAY_LEVEL).fillna(0.97) * np.exp(rng.normal(0, 0.05, len(frame)))
    return frame


def is_zone(towns: pd.Series) -> pd.Series:
    """Whether a town code (or the town part of a village code) is a zone or farm treated as a town."""
    return towns.str[6].isin(["4", "5"])


def is_virtual(villages: pd.Series) -> pd.Series:
    """Whether a village code is a virtual community or the like, neither residents' nor villagers' committee."""
    return villages.str[9].isin(["4", "5"])


def _with_points(
    rng: np.random.Generator, towns: pd.DataFrame, villages: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    shapes = {}
    for city in CITIES:
        frame = areas.boundaries(city)
        shapes |= dict(zip(frame["code"], frame["geometry"], strict=True))
    towns, villages = towns.copy(), villages.copy()
    towns[["x", "y"]] = villages[["x", "y"]] = np.nan
    for code, rows in towns.groupby("host"):
        centres = _spread(rng, shapes[code], len(rows))
        towns.loc[rows.index, ["x", "y"]] = centres
        own = villages.index[villages["host"] == code]
        which = rows["town"].reset_index(drop=True)
        number = villages.loc[own, "town"].map(pd.Series(which.index, index=which)).to_numpy()
        villages.loc[own, ["x", "y"]] = _around(rng, shapes[code], centres[number], len(rows))
    return towns, villages


def _spread(rng: np.random.Generator, shape: object, count: int) -> np.ndarray:
    """Points inside a polygon that keep apart: each is the candidate farthest from those placed before."""
    import shapely

    candidates = _inside(rng, shape, 40 * count)
    chosen = [0]
    distance = np.full(len(candidates), np.inf)
    for _ in range(count - 1):
        distance = np.minimum(distance, ((candidates - candidates[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(distance.argmax()))
    # The farthest candidates hug the border: move each to the mean of the candidates nearest to it.
    nearest = ((candidates[:, None] - candidates[None, chosen]) ** 2).sum(axis=2).argmin(axis=1)
    means = np.array([candidates[nearest == number].mean(axis=0) for number in range(count)])
    kept = shapely.contains_xy(shape, means[:, 0], means[:, 1])
    return np.where(kept[:, None], means, candidates[chosen])


def _inside(rng: np.random.Generator, shape: object, count: int) -> np.ndarray:
    import shapely

    low_x, low_y, high_x, high_y = shape.bounds
    found = np.empty((0, 2))
    while len(found) < count:
        points = rng.uniform((low_x, low_y), (high_x, high_y), size=(2 * count, 2))
        found = np.vstack([found, points[shapely.contains_xy(shape, points[:, 0], points[:, 1])]])
    return found[:count]


def _around(rng: np.random.Generator, shape: object, centres: np.ndarray, towns: int) -> np.ndarray:
    """A point near each centre and inside the polygon; after ten misses the centre itself."""
    import shapely

    spread = 0.45 * np.sqrt(shape.area / towns)
    points = centres.copy()
    missing = np.arange(len(points))
    for _ in range(10):
        tried = centres[missing] + rng.normal(0, spread, size=(len(missing), 2))
        inside = shapely.contains_xy(shape, tried[:, 0], tried[:, 1])
        points[missing[inside]] = tried[inside]
        missing = missing[~inside]
    return points


def village_population(seed: int, places: Places) -> pd.DataFrame:
    """The census of each unit split over its villages, by the rule it names: invented numbers that sum to the census.

    Weights are 2 for a residents' committee, 1 for a villagers' committee, 0.1 for a zone's virtual community, times a
    lognormal spread of 0.3; shares are rounded by largest remainders within each unit of the bulletin.
    """
    rng = stream(seed, "village_population")
    villages = places.villages
    census = areas.population(by="reported").set_index("code")["population"]
    committee = np.where(villages["village"].str[9].isin(["0", "1"]), RESIDENTS_COMMITTEE, VILLAGERS_COMMITTEE)
    weight = np.where(is_virtual(villages["village"]), ZONE_UNIT, committee)
    weight = pd.Series(weight * np.exp(rng.normal(0, 0.3, len(villages))), index=villages.index)
    shares = [largest_remainders(weight[rows.index], int(census[code])) for code, rows in villages.groupby("district")]
    return pd.DataFrame(
        {
            "village": villages["village"],
            "town": villages["town"],
            "district": villages["host"],
            "population": pd.concat(shares).sort_index().astype(float),
            "x": villages["x"].round(6),
            "y": villages["y"].round(6),
            "crs": CRS,
            "rule": terms.text("demo.population_rule"),
        }
    )


def largest_remainders(weight: pd.Series, total: int) -> pd.Series:
    """Whole numbers in proportion to weights that sum to a total exactly (Hamilton's method)."""
    exact = weight / weight.sum() * total
    whole = np.floor(exact).astype(int)
    short = total - whole.sum()
    whole[(exact - whole).nlargest(short, keep="first").index] += 1
    return whole
