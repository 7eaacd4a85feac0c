"""Who leaves, when, and what goes with staying (留得住 is the measure): rates, curves and hazard models.

Describe: `person_quarters`, `rates`, `survival`, `life_table`, `cumulative_incidence`.
Explain: `hazard` (discrete time, exact on counted cells; one way out alone by `exit_columns`) and `cox` (continuous
time, drivers that change). Prepare: `band`, `tenure_spells`, `merge_thin`, `usable_drivers`, `dependence` and
`assignment`. Use: `change` (what a change in a lever goes with). Small districts: `pooled`, `local`.
Judge: `judge` and `out_of_time`, on quarters that the model has not seen.
"""

from institute_lib.retention.counting import CellCounts, cells
from institute_lib.retention.cox import CoxModel, cox
from institute_lib.retention.dependence import assignment, dependence
from institute_lib.retention.drivers import merge_thin, usable_drivers
from institute_lib.retention.effects import change
from institute_lib.retention.hazard import HazardModel, hazard
from institute_lib.retention.judgement import Judgement, judge, out_of_time
from institute_lib.retention.life_table import LifeTable, life_table
from institute_lib.retention.pooling import LocalModel, PooledModels, local, pooled
from institute_lib.retention.quarters import band, exit_columns, person_quarters, tenure_spells
from institute_lib.retention.rates import rates
from institute_lib.retention.results import (
    Drivers,
    compared,
    staying,
    turnover,
    turnover_history,
    turnover_sentence,
    ways_out,
    what_goes_with_leaving,
    workforce,
)
from institute_lib.retention.survival import IncidenceCurves, SurvivalCurves, cumulative_incidence, survival

__all__ = [
    "CellCounts",
    "CoxModel",
    "Drivers",
    "HazardModel",
    "IncidenceCurves",
    "Judgement",
    "LifeTable",
    "LocalModel",
    "PooledModels",
    "SurvivalCurves",
    "assignment",
    "band",
    "cells",
    "change",
    "compared",
    "cox",
    "cumulative_incidence",
    "dependence",
    "exit_columns",
    "hazard",
    "judge",
    "life_table",
    "local",
    "merge_thin",
    "out_of_time",
    "person_quarters",
    "pooled",
    "rates",
    "staying",
    "survival",
    "tenure_spells",
    "turnover",
    "turnover_history",
    "turnover_sentence",
    "usable_drivers",
    "ways_out",
    "what_goes_with_leaving",
    "workforce",
]
