"""Who they are: the part of the workers' draw that no policy changes.

The same people enter at the same days with and without policies, so both worlds can be compared person by person.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib.demo import hazard
from institute_lib.demo.quarters import COUNT, OPENS, YEARS, day_inside

STOCK = -1
# Invented shapes of the draw.
STOCK_SHARE, YEARLY_ENTRIES = 0.82, 0.26
ENTRY_SEASON = (0.22, 0.20, 0.36, 0.22)
KINDS = ("community", "agency", "drug", "school")
KIND_SHARES = (0.70, 0.18, 0.08, 0.04)
GENDER_SHARES = (0.74, 0.26)
EDUCATION_SHARES = {STOCK: (0.20, 0.42, 0.36, 0.02), 0: (0.09, 0.36, 0.49, 0.06)}
CONTRACT_SHARES = (0.15, 0.60, 0.25)
PAY, PAY_SPREAD = 4_700, 0.16
PAY_BY_EDUCATION = np.log([0.92, 1.0, 1.09, 1.24])
PAY_GROWTH = 0.032
FIELDS_OF_KIND = {
    "community": {"community": 0.55, "elderly": 0.20, "children": 0.10, "family": 0.08, "disability": 0.07},
    "agency": {
        "elderly": 0.30,
        "children": 0.18,
        "correction": 0.16,
        "family": 0.12,
        "disability": 0.12,
        "migrants": 0.12,
    },
    "drug": {"drug": 1.0},
    "school": {"school": 1.0},
}


@dataclass(frozen=True)
class People:
    """One entry a person (n), in the order of the register; codes are positions in the levels of `hazard`.

    entry: quarter position, −1 for those employed when the register opens. uniforms: named (n,) or (n, quarters) or
    (n, years) arrays that decide everything else, the same in every world (`caseload` is standard normal).
    """

    county: np.ndarray
    entry: np.ndarray
    entered: np.ndarray
    kind: np.ndarray
    gender: np.ndarray
    education: np.ndarray
    contract: np.ndarray
    birth_year: np.ndarray
    log_pay: np.ndarray
    uniforms: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.county)

    @property
    def community(self) -> np.ndarray:
        """Whether each person is a community worker (社区工作者)."""
        return self.kind == KINDS.index("community")


def draw_people(rng: np.random.Generator, counties: pd.DataFrame) -> People:
    """Everyone ever employed over the register's quarters.

    Args:
        counties: one row a county: size (average headcount) and pay_level (relative).
    """
    size = counties["size"].to_numpy()
    stock = rng.poisson(STOCK_SHARE * size)
    flow = size[:, None] * YEARLY_ENTRIES * np.tile(ENTRY_SEASON, COUNT // 4)[None, :]
    entries = np.column_stack([stock, rng.poisson(flow)])
    county = np.repeat(np.arange(len(size)), entries.sum(axis=1))
    entry = np.repeat(np.tile(np.arange(STOCK, COUNT), len(size)), entries.ravel())
    return _describe(rng, county, entry, np.log(counties["pay_level"].to_numpy()))


def _describe(rng: np.random.Generator, county: np.ndarray, entry: np.ndarray, pay_level: np.ndarray) -> People:
    count = len(county)
    entered = _entry_days(rng, entry)
    education = np.where(
        entry == STOCK, _choose(rng, EDUCATION_SHARES[STOCK], count), _choose(rng, EDUCATION_SHARES[0], count)
    )
    age_at_entry = np.minimum(22 + np.floor(rng.gamma(1.6, 5.5, count)), 50).astype(int)
    contract = _choose(rng, CONTRACT_SHARES, count)
    log_pay = (
        np.log(PAY)
        + pay_level[county]
        + PAY_BY_EDUCATION[education]
        + np.where(contract == 0, 0.10, 0.0)
        + rng.normal(0, PAY_SPREAD, count)
    )
    return People(
        county=county,
        entry=entry,
        entered=entered,
        kind=_choose(rng, KIND_SHARES, count),
        gender=_choose(rng, GENDER_SHARES, count),
        education=education,
        contract=contract,
        birth_year=pd.DatetimeIndex(entered).year.to_numpy() - age_at_entry,
        log_pay=log_pay,
        uniforms=_uniforms(rng, count),
    )


def _entry_days(rng: np.random.Generator, entry: np.ndarray) -> np.ndarray:
    before = OPENS - 2 - np.floor(np.minimum(rng.exponential(4.0, len(entry)), 18) * 365.25).astype(int)
    return np.where(entry == STOCK, before, day_inside(rng.random(len(entry)), np.maximum(entry, 0)))


def _uniforms(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    years = len(YEARS) + 1
    by_quarter = {"leave": rng.random((count, COUNT), dtype=np.float32)}
    names = ("register", "sit", "passing", "supervised", "pay")
    by_year = {name: rng.random((count, years), dtype=np.float32) for name in names}
    by_year["caseload"] = rng.standard_normal((count, years), dtype=np.float32)
    once = ("reason", "left_day", "certified_at_entry", "level_at_entry", "review_day", "training")
    return by_quarter | by_year | {name: rng.random(count) for name in once}


def _choose(rng: np.random.Generator, shares: tuple[float, ...], count: int) -> np.ndarray:
    return pick(rng.random(count), np.asarray(shares)[None, :])


def pick(uniform: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The position that each uniform number falls into, by rows of shares that sum to one."""
    return (uniform[:, None] >= np.cumsum(shares, axis=1)[:, :-1]).sum(axis=1)


def levels(people: People) -> dict[str, np.ndarray]:
    """The coded attributes as words."""
    words = {name: np.array(hazard.levels(name))[getattr(people, name)] for name in ("gender", "education", "contract")}
    return words | {"kind": np.array(KINDS)[people.kind]}
