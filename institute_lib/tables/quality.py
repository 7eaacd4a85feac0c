"""How complete the registers are: rows, filled columns, and who has not reported."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from institute_lib.errors import DataError
from institute_lib.tables.contracts import CONTRACTS, columns
from institute_lib.tables.loading import ENDS, KNOWN_FROM, load, source, unreported


def inventory(names: Iterable[str] = CONTRACTS, *, as_of: str, root: Path | None = None) -> pd.DataFrame:
    """What is on record by a day, a row a table.

    Returns:
        table, source ("register", "demo", "published" or "absent"), snapshot, rows, first and last (the first and last
        day or quarter on record), faults (breaches of the contract; the table's other figures are then missing).
    """
    return pd.DataFrame([_describe(name, as_of, root) for name in names])


def _describe(name: str, as_of: str, root: Path | None) -> dict[str, object]:
    empty = {"table": name, "source": "absent", "snapshot": None, "rows": None, "first": None, "last": None}
    try:
        frame = load(name, as_of, root=root)
    except DataError as error:
        return empty | {"faults": len(error.faults), "source": "faulty" if error.faults else "absent"}
    known = frame[KNOWN_FROM[name]].dropna() if name in KNOWN_FROM else pd.Series(dtype="str")
    first, last = (str(known.min())[:10], str(known.max())[:10]) if len(known) else (None, None)
    return empty | {
        "source": frame.attrs["source"],
        "snapshot": frame.attrs["snapshot"],
        "rows": len(frame),
        "first": first,
        "last": last,
        "faults": 0,
    }


def completeness(frame: pd.DataFrame) -> pd.DataFrame:
    """How many rows fill each column of a loaded table.

    Returns:
        column, rows, filled (neither empty nor 'unknown'), share.
    """
    end, dependents = ENDS.get(frame.attrs["name"], (None, ()))
    open_ended = (end, *dependents)  # a blank there says that the spell or the station goes on
    named = [column for column in columns(frame.attrs["name"]) if column in frame and column not in open_ended]
    filled = [int((frame[column].notna() & frame[column].ne("unknown")).sum()) for column in named]
    table = pd.DataFrame({"column": named, "rows": len(frame), "filled": filled})
    return table.assign(share=table["filled"] / table["rows"].where(table["rows"] > 0))


def reporting(
    districts: Iterable[str], *, quarters: Iterable[str], as_of: str, root: Path | None = None
) -> pd.DataFrame:
    """Which district reported which quarter: district, quarter, reported."""
    listed = tuple(districts)
    rows = []
    for quarter in quarters:
        late = unreported(quarter, listed, as_of=as_of, root=root)
        rows += [{"district": code, "quarter": quarter, "reported": code not in late} for code in listed]
    frame = pd.DataFrame(rows, columns=["district", "quarter", "reported"])
    frame.attrs = {"name": "reporting", "source": source("workers", root=root), "as_of": as_of}
    return frame
