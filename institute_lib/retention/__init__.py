"""Who leaves, when, and what goes with staying (留得住 is the measure): rates, curves and hazard models.

Describe: `person_quarters`, `rates`, `vacancies`, `survival`, `life_table`, `cumulative_incidence`.
Explain: `hazard` (discrete time, exact on counted cells) and `cox` (continuous time, drivers that change).
Prepare: `band`, `tenure_spells`, `usable_drivers`, `dependence`. Use: `change` (what a change in a lever goes with).
Small districts: `pooled`, `local`. Judge: `judge` and `out_of_time`, on quarters that the model has not seen.
"""

from institute_lib.retention.cells import CellCounts, cells
from institute_lib.retention.cox import CoxModel, cox
from institute_lib.retention.dependence import Dependence, dependence
from institute_lib.retention.drivers import usable_drivers
from institute_lib.retention.hazard import HazardModel, hazard
from institute_lib.retention.incidence import IncidenceCurves, cumulative_incidence
from institute_lib.retention.judgement import Judgement, judge, out_of_time
from institute_lib.retention.levers import LeverChanges, change
from institute_lib.retention.life_table import LifeTable, life_table
from institute_lib.retention.local import LocalModel, local
from institute_lib.retention.pooling import PooledModels, pooled
from institute_lib.retention.quarters import band, person_quarters, tenure_spells
from institute_lib.retention.rates import rates, vacancies
from institute_lib.retention.survival import SurvivalCurves, survival

__all__ = [
    "CellCounts",
    "CoxModel",
    "Dependence",
    "HazardModel",
    "IncidenceCurves",
    "Judgement",
    "LeverChanges",
    "LifeTable",
    "LocalModel",
    "PooledModels",
    "SurvivalCurves",
    "band",
    "cells",
    "change",
    "cox",
    "cumulative_incidence",
    "dependence",
    "hazard",
    "judge",
    "life_table",
    "local",
    "out_of_time",
    "person_quarters",
    "pooled",
    "rates",
    "survival",
    "tenure_spells",
    "usable_drivers",
    "vacancies",
]
