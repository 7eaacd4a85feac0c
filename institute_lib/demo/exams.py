"""The examinations of both cities: every candidate of every year, and the passes from before the register.

Passes meet the published totals exactly. Workers' own attempts come from their careers, a certificate brought to a job
from an earlier pass; everyone else is a candidate who never works in the register's posts. A cumulative count is of
passes, upgrades included, so it is neither a number of persons nor of workers.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib.demo.careers import LEVEL_SHARES, SITTING, Careers
from institute_lib.demo.facts import NANTONG, SUZHOU
from institute_lib.demo.geography import Places, largest_remainders
from institute_lib.demo.people import STOCK, People
from institute_lib.demo.quarters import OPENING_INVENTORY, YEARS
from institute_lib.demo.setting import Setting
from institute_lib.demo.spells import worker_ids
from institute_lib.errors import DataError

LEVELS = ("assistant", "social_worker", "senior")
SEPARATOR = ";"
# Invented: how passes grew where no figure is published, the share of those sitting who pass, earlier passes.
GROWTH = {NANTONG: {2019: 0.34, 2020: 0.40, 2021: 0.52, 2022: 0.72}, SUZHOU: {2019: 0.30, 2020: 0.33, 2021: 0.36}}
AFTER_2024 = 1.06
SPLIT_2022 = 0.45
NANTONG_STOCK = 2.1
PASS_RATE, PASS_RATE_SPREAD = (0.24, 0.31), 0.10
UPGRADES = 0.5
YEARS_SINCE_PASS = 0.45
BEFORE = -1
# Planted: how often each subject is failed by those who sat and did not pass, and one district's own weakness.
SUBJECT_FAILED = {
    "assistant": {"ability": 0.55, "practice": 0.80},
    "social_worker": {"ability": 0.50, "practice": 0.60, "law": 0.85},
    "senior": {"practice": 1.0},
}
WEAK = {"district": "320681", "level": "assistant", "subject": "ability", "share": 0.90}
LATEST, PREVIOUS = YEARS.index(2024), YEARS.index(2023)


def yearly_passes(setting: Setting, city: str) -> tuple[int, np.ndarray]:
    """A city's opening stock of passes, and its passes in each year: published where a figure is, else invented."""
    facts, rng = setting.facts, setting.stream(f"passes {city}")
    latest = int(facts.published(city, "exam_passed").value)
    passes = {2024: latest, 2025: round(latest * AFTER_2024 * rng.uniform(0.98, 1.02))}
    passes |= {year: round(latest * share * rng.uniform(0.98, 1.02)) for year, share in GROWTH[city].items()}
    if city == NANTONG:
        passes[2023] = int(rng.integers(*facts.passes_2023(), endpoint=True))
        stock = round(latest * NANTONG_STOCK * rng.uniform(0.98, 1.02))
    else:
        until_2021 = int(facts.other(city, "2021末", "持证社工").value)
        between = int(facts.published(city, "exam_passed_cumulative").value) - until_2021 - latest
        passes[2022] = round(between * SPLIT_2022)
        passes[2023] = between - passes[2022]
        stock = until_2021 - sum(passes[year] for year in (2019, 2020, 2021))
    return stock, np.array([passes[year] for year in YEARS])


def draw_exams(setting: Setting, everyone: People, careers: Careers) -> pd.DataFrame:
    """The exams table of both cities."""
    rng = setting.stream("exams")
    own = _workers_attempts(setting, everyone, careers)
    earlier = _brought_certificates(rng, setting, everyone, careers)
    linked = pd.concat([own, earlier], ignore_index=True)
    linked = linked[linked["county"].isin(np.flatnonzero(setting.places.counties["focus"]))]
    parts = [linked.assign(candidate_id="C" + linked["worker_id"].str.removeprefix("DEMO-"))]
    for city in (NANTONG, SUZHOU):
        parts.append(_others(rng, setting, city, linked))
    return _as_table(setting, pd.concat(parts, ignore_index=True))


def _workers_attempts(setting: Setting, everyone: People, careers: Careers) -> pd.DataFrame:
    person, year = np.nonzero(careers.registered)
    return pd.DataFrame(
        {
            "worker_id": worker_ids(setting, len(everyone))[person],
            "county": everyone.county[person],
            "year": year,
            "level": careers.target[person, year] - 1,
            "sat": careers.sat[person, year],
            "passed": careers.passed[person, year],
        }
    )


def _brought_certificates(
    rng: np.random.Generator, setting: Setting, everyone: People, careers: Careers
) -> pd.DataFrame:
    """A pass for each certificate held on entry: in a year before, or in the opening stock."""
    column = np.maximum(everyone.entry + 1, 0)
    held = careers.history["certificate"][np.arange(len(everyone)), column]
    person = np.flatnonzero(held > 0)
    latest = np.searchsorted(setting.exam_days + 100, everyone.entered[person]) - 1
    year = np.where(everyone.entry[person] == STOCK, BEFORE, latest - rng.geometric(YEARS_SINCE_PASS, len(person)) + 1)
    return pd.DataFrame(
        {
            "worker_id": worker_ids(setting, len(everyone))[person],
            "county": everyone.county[person],
            "year": np.maximum(year, BEFORE),
            "level": held[person] - 1,
            "sat": True,
            "passed": True,
        }
    )


@dataclass(frozen=True)
class _Wanted:
    """How many more candidates a city needs in one year (BEFORE: the opening stock)."""

    year: int
    passed: int
    sat: int
    registered: int


def _others(rng: np.random.Generator, setting: Setting, city: str, linked: pd.DataFrame) -> pd.DataFrame:
    """Candidates who are not workers, as many as the city's totals still lack."""
    counties = setting.places.of_city(city)
    linked = linked[linked["county"].isin(counties)]
    stock, passes = yearly_passes(setting, city)
    rows = []
    for year, total in zip((BEFORE, *range(len(YEARS))), (stock, *passes), strict=True):
        rows.append(_candidates(rng, setting.places, counties, _lacking(rng, linked, year, int(total), city)))
    frame = pd.concat(rows, ignore_index=True)
    frame["candidate_id"] = [f"C{city}{number:07d}" for number in range(len(frame))]
    return _with_upgrades(rng, frame)


def _lacking(rng: np.random.Generator, linked: pd.DataFrame, year: int, passes: int, city: str) -> _Wanted:
    own = linked[linked["year"] == year]
    lacking = passes - int(own["passed"].sum())
    if lacking < 0:
        when = "before the register" if year == BEFORE else YEARS[year]
        raise DataError(
            f"exams: {city} {when}: workers alone pass {-lacking} times more than the total {passes} allows"
        )
    if year == BEFORE:
        return _Wanted(year, lacking, lacking, lacking)
    sat = round(passes / rng.uniform(*PASS_RATE))
    registered = round(sat / SITTING)
    return _Wanted(year, lacking, max(sat - int(own["sat"].sum()), lacking), max(registered - len(own), lacking))


def _candidates(rng: np.random.Generator, places: Places, counties: np.ndarray, wanted: _Wanted) -> pd.DataFrame:
    """Rows for one year: districts share candidates by size, and passes by size and a luck of their own."""
    size = pd.Series(places.counties["size"].to_numpy()[counties])
    luck = np.exp(rng.normal(0, PASS_RATE_SPREAD, len(size)))
    groups = [
        (largest_remainders(size * luck, wanted.passed), True, True),
        (largest_remainders(size / luck, max(wanted.sat - wanted.passed, 0)), True, False),
        (largest_remainders(size, max(wanted.registered - wanted.sat, 0)), False, False),
    ]
    county = np.concatenate([np.repeat(counties, counts) for counts, _, _ in groups])
    sizes = [int(counts.sum()) for counts, _, _ in groups]
    return pd.DataFrame(
        {
            "worker_id": None,
            "county": county,
            "year": wanted.year,
            "level": rng.choice(len(LEVELS), size=len(county), p=LEVEL_SHARES),
            "sat": np.repeat([sat for _, sat, _ in groups], sizes),
            "passed": np.repeat([passed for _, _, passed in groups], sizes),
        }
    )


def _with_upgrades(rng: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    """Half of the passes at the second level are by persons who passed the first one before, in the same district."""
    frame = frame.copy()
    passed = frame[frame["passed"]]
    for _, rows in passed.groupby("county"):
        first = rows[rows["level"] == 0]
        second = rows[(rows["level"] == 1) & (rng.random(len(rows)) < UPGRADES)]
        pool = first.sample(frac=1, random_state=rng)["year"]
        taken: set[int] = set()
        for year, later in second.groupby("year"):
            earlier = pool.index[(pool < year) & ~pool.index.isin(taken)][: len(later)]
            frame.loc[later.index[: len(earlier)], "candidate_id"] = frame.loc[earlier, "candidate_id"].to_numpy()
            taken |= set(earlier)
    return frame


def _as_table(setting: Setting, frame: pd.DataFrame) -> pd.DataFrame:
    days = np.append(setting.exam_days, OPENING_INVENTORY)
    table = pd.DataFrame(
        {
            "candidate_id": frame["candidate_id"],
            "exam_date": days[frame["year"]],
            "district": setting.places.counties["code"].to_numpy()[frame["county"]],
            "level": np.array(LEVELS)[frame["level"].astype(int)],
            "registered": True,
            "sat": frame["sat"].astype(bool),
            "passed": frame["passed"].astype(bool),
            "worker_id": frame["worker_id"],
            "stock": frame["year"] == BEFORE,
        }
    )
    table["subjects_failed"] = _subjects_failed(setting.stream("subjects"), table)
    return table.sort_values(["exam_date", "candidate_id", "level"], ignore_index=True)


def _subjects_failed(rng: np.random.Generator, table: pd.DataFrame) -> pd.Series:
    """Which subjects each candidate who sat and did not pass failed: one at least, each by its planted share."""
    failed = pd.Series(None, table.index, dtype="str")
    for level, shares in SUBJECT_FAILED.items():
        rows = table.index[table["sat"] & ~table["passed"] & (table["level"] == level)]
        share = np.tile(list(shares.values()), (len(rows), 1))
        if level == WEAK["level"]:
            here = (table.loc[rows, "district"] == WEAK["district"]).to_numpy()
            share[here, list(shares).index(WEAK["subject"])] = WEAK["share"]
        drawn = rng.random(share.shape) < share
        none = ~drawn.any(axis=1)
        drawn[none, share[none].argmax(axis=1)] = True
        names = np.array(list(shares))
        failed.loc[rows] = [SEPARATOR.join(names[own]) for own in drawn]
    return failed
