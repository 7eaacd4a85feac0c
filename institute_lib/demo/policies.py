"""The demo's policies: which counties they touch, from which day, and what they change.

A policy changes states only (who is certified, supervised, subsidised, how many cases, where money and posts go);
leaving depends on those states alone. One county is touched by one policy at most and nothing spills over, so the world
without policies, drawn with the same random numbers, is each county's untreated potential outcome.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import areas, terms
from institute_lib.demo.facts import CHONGCHUAN, SUZHOU, Facts
from institute_lib.demo.geography import Places
from institute_lib.demo.quarters import ONE_DAY, STARTS, index, stream

LEVERS = ("subsidy", "register", "passing", "hire", "supervise", "caseload", "money", "rooms")
# Subsidies by certificate level, as multiples of a policy's base amount.
SUBSIDY_STEPS = np.array([0, 1, 2, 3])
# Invented: of Suzhou's policy only the year is published.
SUZHOU_STARTS = np.datetime64("2022-01-04")
# Invented cohorts outside both cities: first treated quarter, number of counties, strength.
COHORTS = (("2020Q2", 8, 1.3), ("2021Q3", 10, 1.0), ("2022Q3", 10, 0.8), ("2023Q2", 10, 0.5))
COHORT_OUTCOMES = ("certified_share", "stay_rate")


@dataclass(frozen=True)
class Policy:
    """One policy, or one cohort of one: where, from which day, and what it adds from then on.

    subsidy: yuan a month for an assistant, two and three times that above (community workers only). register,
    passing, hire, supervise, money: added to the log-odds of registering for the examination, passing it, hiring a
    certified person, supervision, and a contract being signed at town or village level. caseload: share taken off.
    rooms: share of the villages without a room that open one within a year.
    """

    policy_id: str
    group: str
    counties: tuple[int, ...]
    start: np.datetime64
    first_quarter: str
    subsidy: float = 0.0
    register: float = 0.0
    passing: float = 0.0
    hire: float = 0.0
    supervise: float = 0.0
    caseload: float = 0.0
    money: float = 0.0
    rooms: float = 0.0

    @property
    def staggered(self) -> bool:
        return self.group == self.first_quarter


def draw_policies(seed: int, facts: Facts, places: Places) -> tuple[Policy, ...]:
    """The pilot, the subsidy of one city, and the invented adoption by cohorts of counties elsewhere."""
    pilot = Policy(
        policy_id="chongchuan_pilot",
        group="chongchuan",
        counties=(places.position[CHONGCHUAN],),
        start=facts.day_of(CHONGCHUAN, "pilot_started"),
        first_quarter=_ledger_quarter("chongchuan_pilot"),
        register=0.9,
        passing=0.5,
        hire=1.3,
        supervise=1.6,
        caseload=0.22,
        money=0.7,
        rooms=0.8,
    )
    subsidy = Policy(
        policy_id="suzhou_certificate_subsidy",
        group="suzhou",
        counties=tuple(map(int, places.of_city(SUZHOU))),
        start=SUZHOU_STARTS,
        first_quarter=_ledger_quarter("suzhou_certificate_subsidy"),
        subsidy=150,
        register=0.6,
        hire=0.3,
    )
    elsewhere = stream(seed, "adoption").permutation(np.flatnonzero(~places.counties["focus"]))
    ends = np.cumsum([count for _, count, _ in COHORTS])
    cohorts = zip(COHORTS, np.split(elsewhere, ends)[:-1], strict=True)
    return pilot, subsidy, *(_cohort(first, strength, own) for (first, _, strength), own in cohorts)


def _ledger_quarter(policy_id: str) -> str:
    rows = areas.reference("policies")
    return str(rows.loc[rows["policy_id"] == policy_id, "treated_from"].iloc[0])


def _cohort(first: str, strength: float, counties: np.ndarray) -> Policy:
    """Adoption takes effect at the close of the day before its first quarter, so that no quarter is partial."""
    return Policy(
        policy_id=f"county_programme_{first}",
        group=first,
        counties=tuple(map(int, counties)),
        start=STARTS[index(first)] - ONE_DAY,
        first_quarter=first,
        subsidy=round(180 * strength, -1),
        register=0.9 * strength,
        hire=0.8 * strength,
        supervise=0.9 * strength,
    )


def programme(policies: tuple[Policy, ...], counties: int, *, enacted: bool = True) -> pd.DataFrame:
    """What holds in each county: start (missing where no policy touches it, or none is enacted) and levers."""
    table = pd.DataFrame(0.0, index=range(counties), columns=list(LEVERS))
    table.insert(0, "start", pd.Series(pd.NaT, index=table.index, dtype="datetime64[s]"))
    for policy in policies if enacted else ():
        rows = list(policy.counties)
        table.loc[rows, "start"] = pd.Timestamp(policy.start)
        for lever in LEVERS:
            table.loc[rows, lever] = getattr(policy, lever)
    return table


def ledger(policies: tuple[Policy, ...], places: Places) -> pd.DataFrame:
    """The policies table: the published ledger as it stands, and a row for each invented cohort and outcome."""
    published = areas.reference("policies").replace("", None)
    days = {column: pd.to_datetime(published[column]) for column in ("start", "recorded")}
    invented = [
        _ledger_row(policy, places, name) for policy in policies if policy.staggered for name in COHORT_OUTCOMES
    ]
    return pd.concat([published.assign(**days), pd.DataFrame(invented)], ignore_index=True)


def _ledger_row(policy: Policy, places: Places, outcome: str) -> dict[str, object]:
    return {
        "policy_id": policy.policy_id,
        "name_zh": terms.text("demo.county_programme", "zh", quarter=terms.quarter(policy.group, "zh")),
        "name_en": terms.text("demo.county_programme", "en", quarter=terms.quarter(policy.group, "en")),
        "area": ";".join(places.counties["code"].iloc[list(policy.counties)]),
        "start": pd.Timestamp(policy.start),
        "treated_from": policy.first_quarter,
        "partial_quarter": None,
        "outcome": outcome,
        "design": "staggered",
        "amount": terms.text("demo.subsidy_amount", base=int(policy.subsidy)),
        "source": terms.text("demo.county_programme_source"),
        "status": "demo",
        "recorded": pd.Timestamp(policy.start),
    }
