"""Services by field, district and quarter, and who has reported."""

import numpy as np
import pandas as pd

from institute_lib import areas
from institute_lib.demo.facts import SUZHOU, Target
from institute_lib.demo.geography import largest_remainders
from institute_lib.demo.quarters import COUNT, QUARTERS, YEARS, index
from institute_lib.demo.setting import Setting

# Invented: cases a quarter per 10,000 residents, share with the field's outcome, spread between districts (log-odds).
FIELDS = {
    "community": (60, 0.82, 0.15),
    "drug": (9, 0.897, 0.05),
    "correction": (7, 0.93, 0.20),
    "elderly": (48, 0.78, 0.15),
    "children": (12, 0.74, 0.20),
    "school": (16, 0.71, 0.20),
    "family": (10, 0.66, 0.20),
    "disability": (11, 0.69, 0.20),
    "migrants": (14, 0.63, 0.20),
}
FOLLOWED_UP = 0.55
GROWTH = 0.35
SCHOOLS_PER_10000, SCHOOLS_LATER = 0.55, 6
SCHOOLS_NANTONG = 46
# A planted fall for control charts to find, and a district that has not reported its last quarter.
SIGNAL = {"district": "320682", "field": "elderly", "quarter": "2025Q2", "log_odds": -0.8}
LATE = {"district": "320623", "quarter": "2025Q4"}


def draw_services(setting: Setting) -> pd.DataFrame:
    """The services table of both cities; a district that has not reported has no rows in that quarter."""
    rng = setting.stream("services")
    frame = _grid(setting)
    frame["caseload"] = rng.poisson(_expected_cases(frame))
    frame["outcome_denominator"] = rng.binomial(frame["caseload"], FOLLOWED_UP)
    frame["outcome_numerator"] = rng.binomial(frame["outcome_denominator"], _rates(rng, frame))
    frame = _meet_published_rate(setting, frame)
    frame = frame.merge(_schools(rng, setting), how="left", on=["district", "quarter", "field"])
    reported = reporting(setting).set_index(["district", "quarter"])["reported"]
    known = pd.MultiIndex.from_frame(frame[["district", "quarter"]]).map(reported)
    return frame[np.asarray(known, dtype=bool)].drop(columns=["population", "time"]).reset_index(drop=True)


def reporting(setting: Setting) -> pd.DataFrame:
    """The reporting table: which district of both cities has reported which quarter."""
    districts = setting.places.counties.loc[setting.places.counties["focus"], "code"]
    frame = pd.MultiIndex.from_product([districts, QUARTERS], names=["district", "quarter"]).to_frame(index=False)
    late = (frame["district"] == LATE["district"]) & (frame["quarter"] == LATE["quarter"])
    return frame.assign(reported=~late)


def _grid(setting: Setting) -> pd.DataFrame:
    districts = setting.places.counties.loc[setting.places.counties["focus"], "code"]
    names = ["district", "quarter", "field"]
    frame = pd.MultiIndex.from_product([districts, QUARTERS, FIELDS], names=names).to_frame(index=False)
    census = areas.population(by="polygon").set_index("code")["population"]
    frame["population"] = frame["district"].map(census)
    frame["time"] = frame["quarter"].map({quarter: number for number, quarter in enumerate(QUARTERS)})
    return frame


def _expected_cases(frame: pd.DataFrame) -> pd.Series:
    per_10000 = frame["field"].map({field: cases for field, (cases, _, _) in FIELDS.items()})
    return per_10000 * frame["population"] / 10_000 * (1 + GROWTH * frame["time"] / COUNT)


def _rates(rng: np.random.Generator, frame: pd.DataFrame) -> pd.Series:
    mean = frame["field"].map({field: np.log(rate / (1 - rate)) for field, (_, rate, _) in FIELDS.items()})
    spread = frame["field"].map({field: width for field, (_, _, width) in FIELDS.items()})
    cell = frame.groupby(["district", "field"]).ngroup()
    log_odds = mean + spread * rng.normal(0, 1, cell.max() + 1)[cell]
    planted = np.logical_and.reduce([frame[name] == SIGNAL[name] for name in ("district", "field", "quarter")])
    return 1 / (1 + np.exp(-(log_odds + SIGNAL["log_odds"] * planted)))


def _meet_published_rate(setting: Setting, frame: pd.DataFrame) -> pd.DataFrame:
    """Suzhou's three-year non-relapse in each quarter of 2024 lies just below the published upper bound."""
    published = setting.facts.published(SUZHOU, "drug_three_year_non_relapse")
    rate = Target(published.value / 100, published.bound).draw(setting.stream("non_relapse"))
    own = frame["district"].isin(setting.places.counties["code"].iloc[setting.places.of_city(SUZHOU)])
    frame = frame.copy()
    for quarter in QUARTERS[4 * YEARS.index(2024) :][:4]:
        rows = frame[own & (frame["field"] == "drug") & (frame["quarter"] == quarter)]
        total = int(np.floor(rate * rows["outcome_denominator"].sum()))
        frame.loc[rows.index, "outcome_numerator"] = largest_remainders(rows["outcome_denominator"], total)
    return frame


def _schools(rng: np.random.Generator, setting: Setting) -> pd.DataFrame:
    """Schools with social work by district: the published number at the end of 2024 in Suzhou, invented in Nantong."""
    covered_in_suzhou = int(setting.facts.published(SUZHOU, "school_social_work_schools").value)
    end_2024 = index("2024Q4")
    counties = setting.places.counties[setting.places.counties["focus"]]
    census = counties["code"].map(areas.population(by="polygon").set_index("code")["population"])
    parts = []
    for city, own in counties.groupby("city"):
        weight = census[own.index] / census[own.index].sum()
        until = covered_in_suzhou if city == SUZHOU else SCHOOLS_NANTONG
        opening = np.concatenate(
            [rng.integers(0, end_2024 + 1, until), rng.integers(end_2024 + 1, COUNT, SCHOOLS_LATER)]
        )
        where = rng.choice(len(own), len(opening), p=weight)
        for number, code in enumerate(own["code"]):
            covered = np.searchsorted(np.sort(opening[where == number]), np.arange(COUNT), side="right")
            schools = round(SCHOOLS_PER_10000 * census[own.index[number]] / 10_000)
            row = {"district": code, "quarter": QUARTERS, "field": "school"}
            parts.append(pd.DataFrame(row | {"schools_covered": covered, "schools": schools}))
    return pd.concat(parts, ignore_index=True)
