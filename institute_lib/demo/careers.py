"""What happens to them: quarter by quarter, from the planted hazard and the policies in force.

Within a quarter those employed at its start leave or stay by their state at that start. Those who stay may pass the
examination (third quarter), are reviewed (fourth quarter: pay, caseload, supervision), or come under a policy (first
and second quarter). Newcomers bring a state with them and are at risk from the next quarter on.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib.demo import hazard
from institute_lib.demo.hazard import logistic
from institute_lib.demo.people import PAY_GROWTH, STOCK, People, pick
from institute_lib.demo.policies import LEVERS, SUBSIDY_STEPS
from institute_lib.demo.quarters import (
    COUNT,
    ONE_DAY,
    OPENING_INVENTORY,
    STARTS,
    YEARS,
    day_inside,
    quarter_of,
    season,
    year_index,
)

REASONS = ("left_field", "moved_district", "promoted_away", "retired")
NONE, ASSISTANT, SOCIAL_WORKER, SENIOR = range(4)
CERTIFIED_AT_ENTRY = {"stock": -1.45, "entrant": -0.95}
LEVEL_SHARES = (0.74, 0.25, 0.01)
REGISTER = (-1.15, -1.05, -2.6)  # log-odds for the next level up, by certificate held
PASSING = (-0.75, -1.0, -1.2)
SITTING = 0.82
SUPERVISED = -0.55
CASELOAD, CASELOAD_SPREAD = 37.0, 0.27
NEVER = COUNT
STATES = ("certificate", "monthly_pay", "subsidy", "caseload", "supervised")
TYPES = {"certificate": np.int8, "monthly_pay": np.float32, "subsidy": np.int16, "caseload": np.int16}


@dataclass(frozen=True)
class Careers:
    """One world's outcome, an entry a person.

    exit: quarter position in which they leave (`NEVER` if they stay). history: for each state an (n, quarters + 1)
    array, column t + 1 the state at the end of quarter t, column 0 the opening state. registered, sat, passed: (n,
    years), who tried the examination; target: (n, years) the level they tried for.
    """

    exit: np.ndarray
    left: np.ndarray
    reason: np.ndarray
    history: dict[str, np.ndarray]
    registered: np.ndarray
    sat: np.ndarray
    passed: np.ndarray
    target: np.ndarray

    def at_risk(self, people: People) -> np.ndarray:
        """(n, quarters): employed at the quarter's start."""
        quarter = np.arange(COUNT)
        return (people.entry[:, None] < quarter) & (self.exit[:, None] >= quarter)

    def drivers(self, people: People, who: np.ndarray, quarter: np.ndarray) -> dict[str, np.ndarray]:
        """The drivers' values of these people, each at the start of a quarter of its own."""
        return _drivers(people, self.history, who, quarter)

    def employed(self, people: People) -> np.ndarray:
        """(n, quarters): employed at the quarter's end."""
        quarter = np.arange(COUNT)
        return (people.entry[:, None] <= quarter) & (self.exit[:, None] > quarter)


def simulate(people: People, programme: pd.DataFrame, exam_days: np.ndarray) -> Careers:
    """Every career under a programme (`policies.programme`), from the people's own random numbers."""
    world = _World(people, programme, exam_days)
    world.open()
    for quarter in range(COUNT):
        who = np.flatnonzero((people.entry < quarter) & (world.exit == NEVER))
        stay = who[~world.leave(who, quarter)]
        world.carry(stay, quarter)
        if season(quarter) == 3:
            world.examine(stay, quarter)
        if season(quarter) == 4:
            world.review(stay, quarter)
        world.enter(np.flatnonzero(people.entry == quarter), quarter)
        world.subsidise(quarter)
    return world.careers()


def _drivers(
    people: People, history: Mapping[str, np.ndarray], who: np.ndarray, quarter: np.ndarray
) -> dict[str, np.ndarray]:
    return {name: history[name][who, quarter] for name in STATES} | {
        "supervised": history["supervised"][who, quarter].astype(int),
        "tenure": (quarter - quarter_of(people.entered[who]) - 1) // 4,
        "education": people.education[who],
        "contract": people.contract[who],
        "gender": people.gender[who],
        "age": YEARS[0] + year_index(quarter) - people.birth_year[who],
        "season": (season(quarter) == 1).astype(int),
    }


class _World:
    """The simulation's working memory: the history so far, written column by column."""

    def __init__(self, people: People, programme: pd.DataFrame, exam_days: np.ndarray):
        self.people, self.exam_days = people, exam_days
        self.lever = {name: programme[name].to_numpy()[people.county] for name in LEVERS}
        self.start = programme["start"].to_numpy().astype("datetime64[D]")[people.county]
        size, tried = (len(people), COUNT + 1), (len(people), len(YEARS))
        self.history = {name: np.zeros(size, dtype=TYPES.get(name, bool)) for name in STATES}
        self.exit = np.full(len(people), NEVER)
        self.registered, self.sat, self.passed = (np.zeros(tried, dtype=bool) for _ in range(3))
        self.target = np.zeros(tried, dtype=np.int8)

    def in_force(self, lever: str, who: np.ndarray, day: np.ndarray) -> np.ndarray:
        """A lever's value for these people on a day: zero before their county's start."""
        return np.where(self.start[who] <= day, self.lever[lever][who], 0.0)

    def leave(self, who: np.ndarray, quarter: int) -> np.ndarray:
        """Who leaves in this quarter, by the planted hazard."""
        codes = hazard.driver_codes(_drivers(self.people, self.history, who, np.full(len(who), quarter)))
        leaves = self.people.uniforms["leave"][who, quarter] < hazard.probability(codes)
        self.exit[who[leaves]] = quarter
        return leaves

    def carry(self, who: np.ndarray, quarter: int) -> None:
        """The state stays as it is unless an event changes it."""
        for past in self.history.values():
            past[who, quarter + 1] = past[who, quarter]

    def examine(self, who: np.ndarray, quarter: int) -> None:
        """The year's examination for the next level up; certificates come with its results."""
        year, uniforms = year_index(quarter), self.people.uniforms
        day, held = self.exam_days[year], self.history["certificate"][who, quarter]
        tries = held < SENIOR
        who, held = who[tries], held[tries]
        register = np.take(REGISTER, held) + self.in_force("register", who, day)
        passing = np.take(PASSING, held) + self.in_force("passing", who, day)
        registered = uniforms["register"][who, year] < logistic(register)
        sat = registered & (uniforms["sit"][who, year] < SITTING)
        passed = sat & (uniforms["passing"][who, year] < logistic(passing))
        self.registered[who, year], self.sat[who, year], self.passed[who, year] = registered, sat, passed
        self.target[who, year] = held + 1
        self.history["certificate"][who, quarter + 1] = held + passed

    def review(self, who: np.ndarray, quarter: int) -> None:
        """The year's review: pay, caseload and supervision for the next four quarters."""
        self._work(who, quarter + 1, year_index(quarter) + 1, STARTS[quarter + 1] - ONE_DAY)

    def enter(self, who: np.ndarray, quarter: int) -> None:
        """Newcomers with the state that they bring or are given."""
        entered = self.people.entered[who]
        hire = CERTIFIED_AT_ENTRY["entrant"] + self.in_force("hire", who, entered)
        self.history["certificate"][who, quarter + 1] = self._brought(who, hire)
        self._work(who, quarter + 1, year_index(quarter), entered)

    def open(self) -> None:
        """Those employed when the register opens."""
        who = np.flatnonzero(self.people.entry == STOCK)
        held = np.full(len(who), CERTIFIED_AT_ENTRY["stock"])
        self.history["certificate"][who, 0] = self._brought(who, held)
        self._work(who, 0, 0, OPENING_INVENTORY)

    def _brought(self, who: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
        uniforms = self.people.uniforms
        certified = uniforms["certified_at_entry"][who] < logistic(log_odds)
        level = 1 + pick(uniforms["level_at_entry"][who], np.array([LEVEL_SHARES]))
        return np.where(certified, level, NONE)

    def _work(self, who: np.ndarray, column: int, year: int, day: np.ndarray) -> None:
        uniforms, people = self.people.uniforms, self.people
        pay = people.log_pay[who] + PAY_GROWTH * year + 0.03 * (uniforms["pay"][who, year] - 0.5)
        self.history["monthly_pay"][who, column] = np.round(np.exp(pay), -1)
        cases = CASELOAD * np.exp(CASELOAD_SPREAD * uniforms["caseload"][who, year])
        cases *= 1 - self.in_force("caseload", who, day)
        self.history["caseload"][who, column] = np.round(cases)
        supervised = logistic(SUPERVISED + self.in_force("supervise", who, day))
        self.history["supervised"][who, column] = uniforms["supervised"][who, year] < supervised

    def subsidise(self, quarter: int) -> None:
        """Community workers are paid by certificate level from their county's start on."""
        last_day = STARTS[quarter + 1] - ONE_DAY
        who = np.flatnonzero(self.people.community & (self.start <= last_day) & (self.exit > quarter))
        steps = SUBSIDY_STEPS[self.history["certificate"][who, quarter + 1]]
        self.history["subsidy"][who, quarter + 1] = steps * self.lever["subsidy"][who]

    def careers(self) -> Careers:
        """The finished world, with each leaver's day and reason."""
        leaves = self.exit < NEVER
        left = np.full(len(self.exit), np.datetime64("NaT", "D"))
        left[leaves] = day_inside(self.people.uniforms["left_day"][leaves], self.exit[leaves]) + ONE_DAY
        reason = np.where(leaves, self._reasons(), -1)
        tried = (self.registered, self.sat, self.passed, self.target)
        return Careers(self.exit, left, reason, self.history, *tried)

    def _reasons(self) -> np.ndarray:
        """Competing ways out: the certified are promoted more often, from 50 on retirement comes first."""
        last = np.minimum(self.exit, COUNT - 1)
        certified = self.history["certificate"][np.arange(len(last)), last] > NONE
        age = np.take(YEARS, year_index(last)) - self.people.birth_year
        weight = np.tile([0.60, 0.25, 0.15, 0.0], (len(last), 1))
        weight[certified, 2] += 0.15
        weight[:, 3] = np.select([age >= 55, age >= 50], [3.0, 0.8], 0.0)
        return pick(self.people.uniforms["reason"], weight / weight.sum(axis=1, keepdims=True))
