"""The four-level network: who is covered, who can reach a station, how evenly, and where the next one should stand.

Every share names its denominator (`denominators`), every distance is in metres of a projected system (`locate`).
"""

from institute_lib.coverage.catchment import Access, access
from institute_lib.coverage.checks import faults
from institute_lib.coverage.comparing import access_choices, beside_published
from institute_lib.coverage.counting import denominator, over_time, rates, working
from institute_lib.coverage.inequality import Equity, Moran, equity
from institute_lib.coverage.lists import LISTS, denominators
from institute_lib.coverage.network import Network, network
from institute_lib.coverage.points import METRES, Located, locate
from institute_lib.coverage.reasons import fault_rows
from institute_lib.coverage.results import (
    choices,
    history,
    left_out,
    levels,
    posts,
    published_coverage,
    published_norms,
    reaching,
    sites,
    staff,
    units,
)
from institute_lib.coverage.siting import Siting, fewest_stations, next_stations
from institute_lib.coverage.staff import norms, staffing

__all__ = [
    "LISTS",
    "METRES",
    "Access",
    "Equity",
    "Located",
    "Moran",
    "Network",
    "Siting",
    "access",
    "access_choices",
    "beside_published",
    "choices",
    "denominator",
    "denominators",
    "equity",
    "fault_rows",
    "faults",
    "fewest_stations",
    "history",
    "left_out",
    "levels",
    "locate",
    "network",
    "next_stations",
    "norms",
    "over_time",
    "posts",
    "published_coverage",
    "published_norms",
    "rates",
    "reaching",
    "sites",
    "staff",
    "staffing",
    "units",
    "working",
]
