"""The two registers of people: one row a spell, and the dated changes of state within it."""

from dataclasses import replace

import numpy as np
import pandas as pd

from institute_lib import areas, terms
from institute_lib.demo import people
from institute_lib.demo.careers import REASONS, STATES, Careers
from institute_lib.demo.facts import SUZHOU
from institute_lib.demo.geography import Places, is_zone
from institute_lib.demo.people import FIELDS_OF_KIND, KINDS, STOCK, People
from institute_lib.demo.quarters import (
    COUNT,
    OPENING_INVENTORY,
    STARTS,
    YEARS,
    quarter_of,
    season,
    year_index,
)
from institute_lib.demo.setting import Setting

CERTIFICATES = ("none", "assistant", "social_worker", "senior")
# Invented: certificates are handed out this many days after the examination; reviews fall in this window.
RESULTS_AFTER = 95
REVIEW_FROM, REVIEW_DAYS = "11-10", 40
YEARLY_TRAINING, TRAINING_SPREAD = 26.0, 0.45
TRAINING_DONE = (0.10, 0.40, 0.65, 1.0)  # by season
END_OF_2024 = 4 * YEARS.index(2024) + 3
AGENCIES = 6
AT_STATION = 0.95


def worker_ids(setting: Setting, count: int) -> np.ndarray:
    """A pseudonym a person, in no order that says anything."""
    numbers = setting.stream("worker_ids").permutation(count) + 1
    return np.char.add("DEMO-", np.char.zfill(numbers.astype("U6"), 6))


def settle_drug_workers(setting: Setting, everyone: People, careers: Careers) -> People:
    """The same people with Suzhou's drug-rehabilitation workers at the end of 2024 brought to the published number.

    Agency workers and drug workers are exchangeable: neither kind bears on leaving, certificates or subsidies.
    """
    drug, agency = KINDS.index("drug"), KINDS.index("agency")
    wanted = int(setting.facts.published(SUZHOU, "drug_social_workers").value)
    here = careers.employed(everyone)[:, END_OF_2024] & np.isin(everyone.county, setting.places.of_city(SUZHOU))
    surplus = int((here & (everyone.kind == drug)).sum()) - wanted
    source, target = (drug, agency) if surplus > 0 else (agency, drug)
    pool = np.flatnonzero(here & (everyone.kind == source))
    kind = everyone.kind.copy()
    kind[setting.stream("drug").choice(pool, abs(surplus), replace=False)] = target
    return replace(everyone, kind=kind)


def workers(setting: Setting, everyone: People, careers: Careers, stations: pd.DataFrame) -> pd.DataFrame:
    """The workers table: one row a spell (nobody has two)."""
    rng, places = setting.stream("workers"), setting.places
    words = people.levels(everyone)
    frame = pd.DataFrame(
        {
            "worker_id": worker_ids(setting, len(everyone)),
            "kind": words["kind"],
            "employer": None,
            "station": None,
            "district": places.counties["code"].to_numpy()[everyone.county],
            "town": None,
            "entered": everyone.entered,
            "left": careers.left,
            "leave_reason": np.array([*REASONS, None], dtype=object)[careers.reason],
            "birth_year": everyone.birth_year,
            "gender": words["gender"],
            "education": words["education"],
            "contract": words["contract"],
            "field": _fields(rng, everyone.kind),
        }
    )
    frame["town"] = _towns(rng, frame, places)
    frame["employer"] = _employers(rng, frame, places)
    frame["station"] = _stations(rng, frame, stations)
    _man_workstations(rng, frame, careers.employed(everyone)[:, END_OF_2024], setting)
    return frame


def _fields(rng: np.random.Generator, kind: np.ndarray) -> np.ndarray:
    fields = np.empty(len(kind), dtype=object)
    for code, name in enumerate(KINDS):
        rows, shares = np.flatnonzero(kind == code), FIELDS_OF_KIND[name]
        fields[rows] = rng.choice(list(shares), size=len(rows), p=list(shares.values()))
    return fields


def _towns(rng: np.random.Generator, frame: pd.DataFrame, places: Places) -> pd.Series:
    """A town in proportion to its villages, in both cities; elsewhere none is known."""
    towns = pd.Series(None, index=frame.index, dtype="object")
    for code, villages in places.villages.groupby("host"):
        rows = frame.index[frame["district"] == code]
        towns.loc[rows] = rng.choice(villages["town"].to_numpy(dtype=object), size=len(rows))
    return towns


def _employers(rng: np.random.Generator, frame: pd.DataFrame, places: Places) -> pd.Series:
    """Community workers: their town's office (elsewhere their county's); the others: an invented agency."""
    county = {code: areas.get(code).name("zh") for code in places.counties["code"]}
    town = dict(zip(places.towns["town"], places.towns["name"], strict=True))
    office = frame["town"].map(town).fillna(frame["district"].map(county))
    offices = {name: terms.text("demo.office", place=name) for name in office.unique()}
    agency = [
        [terms.text("demo.agency", place=name, number=n + 1) for n in range(AGENCIES)] for name in county.values()
    ]
    position = frame["district"].map(places.position).to_numpy()
    # A few agencies hold most of the work: chances fall as 1, 1/2, 1/3 …
    chance = 1 / np.arange(1, AGENCIES + 1)
    drawn = np.array(agency, dtype=object)[position, rng.choice(AGENCIES, len(frame), p=chance / chance.sum())]
    return office.map(offices).where(frame["kind"] == "community", drawn)


def _stations(rng: np.random.Generator, frame: pd.DataFrame, stations: pd.DataFrame) -> pd.Series:
    """A town station or village room of one's town that was open on the day of entry, in proportion to its posts."""
    chosen = pd.Series(None, index=frame.index, dtype="object")
    local = stations[stations["level"].isin(["town", "village"])]
    eligible = frame["town"].notna() & frame["kind"].isin(["community", "agency"])
    eligible &= rng.random(len(frame)) < AT_STATION
    by_town = dict(list(local.groupby("town")))
    for town, rows in frame[eligible].groupby("town"):
        if town in by_town:
            chosen.loc[rows.index] = _open_station(rng, rows["entered"].to_numpy(), by_town[town])
    return chosen


def _open_station(rng: np.random.Generator, entered: np.ndarray, stations: pd.DataFrame) -> np.ndarray:
    lasting = stations["closed"].isna().to_numpy()
    is_open = (stations["opened"].to_numpy()[None, :] <= entered[:, None]) & lasting[None, :]
    weight = np.cumsum(is_open * stations["posts"].to_numpy()[None, :], axis=1)
    number = (weight <= (rng.random(len(entered)) * weight[:, -1])[:, None]).sum(axis=1)
    names = np.append(stations["station_id"].to_numpy(dtype=object), None)
    return names[np.where(weight[:, -1] > 0, number, len(names) - 1)]


def _man_workstations(rng: np.random.Generator, frame: pd.DataFrame, end_of_2024: np.ndarray, setting: Setting) -> None:
    """Suzhou's drug-rehabilitation workers stand in the published numbers of workstations and branches.

    Branches are the city's reporting units (nine districts and the industrial park), workstations its towns, the legal
    ones first. Everyone employed at the end of 2024 is dealt round in turn, so that no workstation is empty.
    """
    towns = setting.places.towns
    towns = towns[towns["county"].isin(setting.places.of_city(SUZHOU))]
    wanted = int(setting.facts.published(SUZHOU, "drug_workstations").value)
    order = is_zone(towns["town"]).astype(int).to_numpy() + rng.random(len(towns)) / 2
    chosen = towns.iloc[np.argsort(order)[:wanted]]
    drug = (frame["kind"] == "drug") & frame["district"].isin(chosen["host"])
    for code, own in chosen.groupby("host"):
        for present in (True, False):
            rows = frame.index[drug & (frame["district"] == code) & (end_of_2024 == present)]
            dealt = own.iloc[np.arange(len(rows)) % len(own)]
            frame.loc[rows, "town"] = dealt["town"].to_numpy()
            frame.loc[rows, "station"] = [terms.text("demo.workstation", town=town) for town in dealt["town"]]
            frame.loc[rows, "employer"] = [
                terms.text("demo.branch", place=areas.get(unit).name("zh")) for unit in dealt["district"]
            ]


def worker_changes(setting: Setting, everyone: People, careers: Careers, programme: pd.DataFrame) -> pd.DataFrame:
    """The worker_changes table: the state on entry (or when the register opens), then at every change and review."""
    starts = programme["start"].to_numpy().astype("datetime64[D]")[everyone.county]
    person, column, day = _moments(setting, everyone, careers, starts)
    ids = worker_ids(setting, len(everyone))
    frame = pd.DataFrame({"worker_id": ids[person], "date": day})
    for name in STATES:
        frame[name] = careers.history[name][person, column]
    # The history knows a quarter's end; who came earlier in the quarter of a start was not paid from the first day on.
    frame.loc[day < starts[person], "subsidy"] = 0
    frame["certificate"] = np.array(CERTIFICATES)[frame["certificate"]]
    frame["training_hours"] = _training(everyone, person, day)
    return frame.sort_values(["worker_id", "date"], ignore_index=True)


def _moments(
    setting: Setting, everyone: People, careers: Careers, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Person, history column and day of every row."""
    stock, entrants = np.flatnonzero(everyone.entry == STOCK), np.flatnonzero(everyone.entry != STOCK)
    paid = careers.history["subsidy"][np.arange(len(everyone)), everyone.entry + 1] > 0
    late = np.flatnonzero(paid & (everyone.entered < starts))
    moments = [
        (stock, np.zeros(len(stock), int), np.full(len(stock), OPENING_INVENTORY)),
        (entrants, everyone.entry[entrants] + 1, everyone.entered[entrants]),
        (late, everyone.entry[late] + 1, starts[late]),
    ]
    for quarter in range(COUNT):
        before = (everyone.entry < quarter) & (careers.exit > quarter)
        changed = np.full(len(everyone), season(quarter) == 4)
        for past in careers.history.values():
            changed |= past[:, quarter + 1] != past[:, quarter]
        who = np.flatnonzero(before & changed)
        day = _change_days(setting, everyone, starts, who, quarter)
        moments.append((who, np.full(len(who), quarter + 1), day))
    return tuple(np.concatenate(parts) for parts in zip(*moments, strict=True))


def _change_days(setting: Setting, everyone: People, starts: np.ndarray, who: np.ndarray, quarter: int) -> np.ndarray:
    """Reviews in the fourth quarter, results in the third; in the others only a policy changes a state."""
    if season(quarter) == 4:
        first = np.datetime64(f"{YEARS[year_index(quarter)]}-{REVIEW_FROM}")
        return first + (everyone.uniforms["review_day"][who] * REVIEW_DAYS).astype(int)
    if season(quarter) == 3:
        results = setting.exam_days[year_index(quarter)] + RESULTS_AFTER
        return np.full(len(who), np.clip(results, STARTS[quarter] + 1, STARTS[quarter + 1] - 2))
    return starts[who]


def _training(everyone: People, person: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Hours of continuing education in the calendar year so far; none on the day of entry."""
    spread = np.exp(TRAINING_SPREAD * (everyone.uniforms["training"][person] - 0.5) * 3)
    done = np.take(TRAINING_DONE, quarter_of(day) % 4)
    return np.round(YEARLY_TRAINING * spread * done * (day != everyone.entered[person]))
