"""Government purchase in every county: contracts, and the share of the money that goes to towns and villages."""

import numpy as np
import pandas as pd

from institute_lib import areas, terms
from institute_lib.demo.facts import SUZHOU
from institute_lib.demo.hazard import logistic
from institute_lib.demo.people import FIELDS_OF_KIND
from institute_lib.demo.quarters import COUNT, YEARS, day_inside, year_index
from institute_lib.demo.setting import Setting
from institute_lib.demo.spells import AGENCIES

# Invented: contracts a quarter per worker, the smallest number, the usual amount, where contracts are signed.
CONTRACTS, FEWEST = 0.035, 6
AMOUNT, AMOUNT_SPREAD = 60_000, 0.5
TOWN_LEVEL, TOWN_TREND, TOWN_SPREAD = 0.0, 0.4, 0.3
VILLAGE_SHARE, CITY_SHARE = 0.4, 0.05
FIELDS = {**FIELDS_OF_KIND["agency"], "drug": 0.15, "school": 0.08, "community": 0.20}
UNTIL_2021, UNTIL_2024 = YEARS.index(2021), YEARS.index(2024)


def draw_procurement(setting: Setting, programme: pd.DataFrame) -> pd.DataFrame:
    """The procurement table of the whole province; Suzhou's sums lie just above the published lower bounds."""
    rng, counties = setting.stream("procurement"), setting.places.counties
    size = counties["size"].to_numpy()
    number = np.maximum(rng.poisson(CONTRACTS * size[:, None], (len(size), COUNT)), FEWEST)
    county, quarter = (np.repeat(grid.ravel(), number.ravel()) for grid in np.indices(number.shape))
    frame = pd.DataFrame({"county": county, "quarter": quarter})
    frame["signed"] = day_inside(rng.random(len(frame)), quarter)
    frame["level"] = _levels(rng, frame, programme, rng.normal(TOWN_LEVEL, TOWN_SPREAD, len(size)))
    frame["amount"] = AMOUNT * np.exp(rng.normal(0, AMOUNT_SPREAD, len(frame)))
    frame["amount"] = _meet_published_sums(setting, rng, frame)
    return _as_table(setting, rng, frame)


def _levels(
    rng: np.random.Generator, frame: pd.DataFrame, programme: pd.DataFrame, county_level: np.ndarray
) -> np.ndarray:
    """City, district, town or village; a policy in force on the day of signing moves contracts down."""
    started = programme["start"].to_numpy().astype("datetime64[D]")[frame["county"]] <= frame["signed"].to_numpy()
    money = np.where(started, programme["money"].to_numpy()[frame["county"]], 0.0)
    trend = TOWN_TREND * (frame["quarter"].to_numpy() / COUNT - 0.5)
    low = rng.random(len(frame)) < logistic(county_level[frame["county"]] + trend + money)
    which = rng.random(len(frame))
    local = np.where(which < VILLAGE_SHARE, "village", "town")
    return np.where(low, local, np.where(which < CITY_SHARE, "city", "district"))


def _meet_published_sums(setting: Setting, rng: np.random.Generator, frame: pd.DataFrame) -> pd.Series:
    """Suzhou's amounts are scaled in two steps, to the ends of 2021 and 2024; shares within a quarter stay as drawn."""
    to_2021 = setting.facts.other(SUZHOU, "累计至2021末", "社工站购买服务资金").draw(rng)
    to_2024 = setting.facts.published(SUZHOU, "procurement_cumulative").draw(rng)
    own = frame["county"].isin(setting.places.of_city(SUZHOU))
    year = year_index(frame["quarter"])
    amount = frame["amount"].copy()
    early, late = own & (year <= UNTIL_2021), own & (year > UNTIL_2021)
    amount[early] *= to_2021 / amount[early].sum()
    amount[late] *= (to_2024 - to_2021) / amount[late & (year <= UNTIL_2024)].sum()
    return np.ceil(amount / 100) * 100


def _as_table(setting: Setting, rng: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    count, codes = len(frame), setting.places.counties["code"]
    names = [areas.get(code).name("zh") for code in codes]
    agencies = [[terms.text("demo.agency", place=name, number=n + 1) for n in range(AGENCIES)] for name in names]
    chance = 1 / np.arange(1, AGENCIES + 1)
    provider = rng.choice(AGENCIES, count, p=chance / chance.sum())
    weights = np.array(list(FIELDS.values()))
    table = pd.DataFrame(
        {
            "contract_id": "DEMO-C" + pd.Series(range(1, count + 1)).astype(str).str.zfill(6),
            "district": codes.to_numpy()[frame["county"]],
            "signed": frame["signed"],
            "level": frame["level"],
            "field": rng.choice(list(FIELDS), count, p=weights / weights.sum()),
            "provider": np.array(agencies, dtype=object)[frame["county"], provider],
            "amount": frame["amount"],
            "social_worker_share": rng.beta(40, 8, count).round(3),
            "labour_share": rng.beta(50, 8, count).round(3),
        }
    )
    return table.sort_values(["signed", "contract_id"], ignore_index=True)


def town_money_share(setting: Setting, contracts: pd.DataFrame) -> np.ndarray:
    """(counties, quarters): money of contracts signed in the quarter at town and village level, over all of it."""
    county = contracts["district"].map(setting.places.position).to_numpy()
    quarter = contracts["signed"].dt.to_period("Q").astype("int64").to_numpy()
    cell = county * COUNT + quarter - quarter.min()
    size = len(setting.places.counties) * COUNT
    low = contracts["level"].isin(["town", "village"]).to_numpy()
    all_money, low_money = (np.bincount(cell, contracts["amount"] * part, size) for part in (1, low))
    return (low_money / all_money).reshape(-1, COUNT)
