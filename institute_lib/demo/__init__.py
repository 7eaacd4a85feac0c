"""Demo registers (演示数据): invented people and money under real names of places, their truths written beside them.

`write()` puts every table of the contract into `data/demo`, meeting the published figures exactly where they can be
met; `draw(seed)` gives the same in memory. `draw_person_quarters` and `draw_panel` are small draws for simulation
studies that meet no published figure. Planted are the effects of policies, from paired potential outcomes, and the
coefficients of the hazard of leaving; `truth()` reads them back.
"""

from institute_lib.demo.exercises import EXERCISES, Verdict, check
from institute_lib.demo.files import VERSION, Manifest, truth, write
from institute_lib.demo.hazard import DRIVERS, INTERCEPT, NULL_DRIVERS, Driver
from institute_lib.demo.registers import SEED, Registers, draw
from institute_lib.demo.studies import draw_panel, draw_person_quarters

__all__ = [
    "DRIVERS",
    "EXERCISES",
    "INTERCEPT",
    "NULL_DRIVERS",
    "SEED",
    "VERSION",
    "Driver",
    "Manifest",
    "Registers",
    "Verdict",
    "check",
    "draw",
    "draw_panel",
    "draw_person_quarters",
    "truth",
    "write",
]
