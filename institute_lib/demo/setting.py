"""What every register of one draw shares: the seed, the published figures, the places and the policies."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib.demo.facts import Facts
from institute_lib.demo.geography import Places, draw_places
from institute_lib.demo.policies import Policy, draw_policies, programme
from institute_lib.demo.quarters import YEARS, stream


@dataclass(frozen=True)
class Setting:
    """The frame of one draw. `exam_days`: one day a year of `quarters.YEARS`."""

    seed: int
    facts: Facts
    places: Places
    policies: tuple[Policy, ...]
    exam_days: np.ndarray

    def stream(self, name: str) -> np.random.Generator:
        """A register's own random numbers."""
        return stream(self.seed, name)

    def programme(self, *, enacted: bool = True) -> pd.DataFrame:
        """What holds in each county, with the policies or without."""
        return programme(self.policies, len(self.places.counties), enacted=enacted)


def set_up(seed: int) -> Setting:
    """The setting of a seed."""
    facts = Facts.read()
    places = draw_places(seed)
    exam_days = np.array([facts.exam_day(year) for year in YEARS])
    return Setting(seed, facts, places, draw_policies(seed, facts, places), exam_days)
