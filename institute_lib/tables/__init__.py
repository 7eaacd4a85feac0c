"""The contract of every table, and the one way to load it.

`load(name, as_of)` reads the institute's own registers if there are any, else the demo's, checks the table against its
contract, and shows only what describes the time up to that day.
"""

from institute_lib.tables.contracts import CONTRACTS, PERSONAL, columns, validate, vocabulary
from institute_lib.tables.files import load_own
from institute_lib.tables.loading import (
    Reports,
    cite,
    covered_quarters,
    is_demo,
    load,
    locate,
    reports,
    source,
    unreported,
    withheld,
)
from institute_lib.tables.quality import completeness, inventory, reporting, reporting_rate

__all__ = [
    "CONTRACTS",
    "PERSONAL",
    "Reports",
    "cite",
    "columns",
    "completeness",
    "covered_quarters",
    "inventory",
    "is_demo",
    "load",
    "load_own",
    "locate",
    "reporting",
    "reporting_rate",
    "reports",
    "source",
    "unreported",
    "validate",
    "vocabulary",
    "withheld",
]
