"""One draw: every register, the world it would have been without policies, and the planted truths."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.demo import (
    exams,
    geography,
    panel,
    people,
    policies,
    procurement,
    services,
    spells,
    stations,
    talent,
)
from institute_lib.demo.careers import Careers, simulate
from institute_lib.demo.people import People
from institute_lib.demo.setting import Setting, set_up
from institute_lib.demo.truths import effects, truth

SEED = 2019


@dataclass(frozen=True)
class Registers:
    """All tables of the contract in memory.

    tables: name to frame. untreated_panel: the district panel had no policy been enacted (the other potential
    outcome). effects: effect on the treated by group, quarter and outcome. truth: what `truth.toml` holds.
    """

    seed: int
    tables: dict[str, pd.DataFrame]
    untreated_panel: pd.DataFrame
    effects: pd.DataFrame
    truth: dict[str, Any]

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables[name]


def draw(seed: int = SEED) -> Registers:
    """Every demo register, conditioned on the published figures, with its truths.

    Args:
        seed: of all random numbers; each register has its own stream of them.

    Returns:
        Registers with every table of the contract, each with `attrs` demo, seed.

    Raises:
        DataError: a published figure is missing from the reference files, or cannot be met.
    """
    setting = set_up(seed)
    everyone = people.draw_people(setting.stream("people"), setting.places.counties)
    careers = simulate(everyone, setting.programme(), setting.exam_days)
    everyone = spells.settle_drug_workers(setting, everyone, careers)
    world = _world(setting, everyone, careers, enacted=True)
    elsewhere = simulate(everyone, setting.programme(enacted=False), setting.exam_days)
    untreated = _world(setting, everyone, elsewhere, enacted=False)["district_panel"]
    tables = world | _people_tables(setting, everyone, careers, world["stations"]) | _city_tables(setting)
    tables["stations"] = stations.fill_posts(tables["stations"], tables["workers"])
    effect = effects(setting, tables["district_panel"], untreated)
    marked = {name: _mark(name, frame, seed) for name, frame in tables.items()}
    return Registers(seed, marked, untreated, effect, truth(setting, effect))


def _world(setting: Setting, everyone: People, careers: Careers, *, enacted: bool) -> dict[str, pd.DataFrame]:
    """What policies bear on: stations, contracts, and the panel of one world."""
    programme = setting.programme(enacted=enacted)
    network = stations.draw_stations(setting, programme)
    contracts = procurement.draw_procurement(setting, programme)
    money = procurement.town_money_share(setting, contracts)
    posts = stations.town_posts_share(setting, network)
    frame = panel.district_panel(setting, everyone, careers, money, posts)
    return {"stations": network, "procurement": contracts, "district_panel": frame}


def _people_tables(
    setting: Setting, everyone: People, careers: Careers, network: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    return {
        "workers": spells.workers(setting, everyone, careers, network),
        "worker_changes": spells.worker_changes(setting, everyone, careers, setting.programme()),
        "exams": exams.draw_exams(setting, everyone, careers),
        "talent": talent.draw_talent(setting, everyone, careers),
    }


def _city_tables(setting: Setting) -> dict[str, pd.DataFrame]:
    return {
        "policies": policies.ledger(setting.policies, setting.places),
        "services": services.draw_services(setting),
        "reporting": services.reporting(setting),
        "village_population": geography.village_population(setting.seed, setting.places),
    }


def _mark(name: str, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The table with its mark, days in one resolution."""
    days = frame.select_dtypes("datetime").columns
    marked = frame.astype(dict.fromkeys(days, "datetime64[us]"))
    marked.attrs = {"name": name, "demo": terms.text("demo.mark"), "seed": seed}
    return marked
