"""Titles and awards in both cities: supervisors, lecturers, leading talents, award holders.

Suzhou's counts are the published ones at the end of 2024; Nantong's are invented. Every holder is a worker who was
certified and employed on the day of the title.
"""

import numpy as np
import pandas as pd

from institute_lib.demo.careers import Careers
from institute_lib.demo.facts import NANTONG, SUZHOU, Facts
from institute_lib.demo.people import People
from institute_lib.demo.quarters import COUNT, day_inside, index
from institute_lib.demo.setting import Setting
from institute_lib.demo.spells import worker_ids

PUBLISHED = {
    "supervisor_trainee": "trainee_supervisors",
    "lecturer": "lecturers",
    "leading_national": "national_leading_talents",
    "leading_provincial": "provincial_leading_talents",
    "most_admired": "most_admired_social_workers",
    "city_award": "city_award_holders",
}
# Invented: Suzhou's supervisors, Nantong's counts, and titles given in 2025.
SUPERVISORS_IN_SUZHOU = 26
IN_NANTONG = {
    "supervisor_trainee": 31,
    "supervisor": 9,
    "lecturer": 12,
    "leading_national": 0,
    "leading_provincial": 6,
    "most_admired": 9,
    "city_award": 24,
}
SINCE = {"supervisor_trainee": 4, "supervisor": 2, "city_award": 3}
FIRST, END_2024 = index("2019Q2"), index("2024Q4")
LEAST_CERTIFICATE = 1


def counts(facts: Facts, city: str) -> dict[str, int]:
    """Titles held at the end of 2024, by title."""
    if city == NANTONG:
        return IN_NANTONG
    known = {title: int(facts.published(SUZHOU, indicator).value) for title, indicator in PUBLISHED.items()}
    return known | {"supervisor": SUPERVISORS_IN_SUZHOU}


def draw_talent(setting: Setting, everyone: People, careers: Careers) -> pd.DataFrame:
    """The talent table of both cities; nobody is given one title twice."""
    rng, ids = setting.stream("talent"), worker_ids(setting, len(everyone))
    parts = []
    for city in (NANTONG, SUZHOU):
        own = np.isin(everyone.county, setting.places.of_city(city))
        for title, number in counts(setting.facts, city).items():
            quarter = np.concatenate(
                [
                    rng.integers(FIRST, END_2024 + 1, number),
                    rng.integers(END_2024 + 1, COUNT, SINCE.get(title, 0)),
                ]
            )
            parts.append(_holders(rng, everyone, careers, own, quarter).assign(title=title))
    frame = pd.concat(parts, ignore_index=True)
    table = pd.DataFrame(
        {
            "person_id": ids[frame["person"]],
            "title": frame["title"],
            "district": setting.places.counties["code"].to_numpy()[everyone.county[frame["person"]]],
            "awarded": frame["awarded"],
        }
    )
    return table.sort_values(["awarded", "person_id", "title"], ignore_index=True)


def _holders(
    rng: np.random.Generator, everyone: People, careers: Careers, own: np.ndarray, quarter: np.ndarray
) -> pd.DataFrame:
    """For each quarter one more person who was certified at its start and employed throughout."""
    chosen: list[int] = []
    certificate = careers.history["certificate"]
    for when in quarter:
        eligible = own & (everyone.entry < when) & (careers.exit > when) & (certificate[:, when] >= LEAST_CERTIFICATE)
        eligible[chosen] = False
        chosen.append(int(rng.choice(np.flatnonzero(eligible))))
    awarded = day_inside(rng.random(len(quarter)), quarter.astype(int))
    return pd.DataFrame({"person": np.array(chosen, dtype=int), "awarded": awarded})
