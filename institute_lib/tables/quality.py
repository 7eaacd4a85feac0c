"""How complete the registers are: who has reported, what is on record, and which columns are filled."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from institute_lib.errors import DataError
from institute_lib.result import Measure, Provenance, Result, provenance_of
from institute_lib.sharing import Read
from institute_lib.tables.contracts import CONTRACTS, columns
from institute_lib.tables.loading import ENDS, KNOWN_FROM, load, source, unreported

IDENTITY = ("worker_id", "person_id", "candidate_id")


def reporting(
    districts: Iterable[str],
    *,
    quarters: Iterable[str],
    as_of: str,
    known: str | None = None,
    root: Path | None = None,
) -> Result:
    """Which district reported which quarter, of what was `known` by a day (None: the newest).

    Returns:
        Result by district and quarter: reported (yes or no).
    """
    listed, rows = tuple(districts), []
    for quarter in quarters:
        late = unreported(quarter, listed, as_of=as_of, known=known, root=root)
        rows += [{"district": code, "quarter": quarter, "reported": code not in late} for code in listed]
    return Result(
        pd.DataFrame(rows, columns=["district", "quarter", "reported"]),
        ("district", "quarter"),
        (Measure("reported", "text"),),
        None,
        _reports_read(as_of, known, root),
        title="notebooks.reporting_table",
        look={"across": "quarter"},
    )


def reporting_rate(
    districts: Iterable[str], *, quarter: str, as_of: str, known: str | None = None, root: Path | None = None
) -> Result:
    """How many districts have reported a quarter, and the year before, of what was `known` by a day.

    Returns:
        Result of one row by quarter: reported, districts, reported_share, reported_share_last_year, reported_change.
    """
    listed = tuple(districts)
    year_ago = str(pd.Period(quarter, freq="Q") - 4)
    asked = {"as_of": as_of, "known": known, "root": root}
    there, then = (len(listed) - len(unreported(one, listed, **asked)) for one in (quarter, year_ago))
    row = {"quarter": quarter, "reported": there, "districts": len(listed), "reported_last_year": then}
    row |= {"reported_share": there / len(listed), "reported_share_last_year": then / len(listed)}
    return Result(
        pd.DataFrame([row]),
        ("quarter",),
        (
            Measure("reported", "count", counts="districts"),
            Measure("districts", "count", counts="districts"),
            Measure("reported_share", "share", of=("reported", "districts")),
            Measure("reported_share_last_year", "share", of=("reported_last_year", "districts")),
            Measure("reported_change", "points", of=("reported_share", "reported_share_last_year")),
        ),
        None,
        _reports_read(as_of, known, root),
        title="notebooks.reporting_table",
    )


def _reports_read(as_of: str, known: str | None, root: Path | None) -> Provenance:
    """Who reported is known from the workers' register, and says nothing of a person."""
    read = Read("reports", "workers", as_of, source=source("workers", root=root), known=known or "")
    return Provenance([read])


def inventory(
    names: Iterable[str] = CONTRACTS, *, as_of: str, known: str | None = None, root: Path | None = None
) -> Result:
    """What is on record by a day, of what was `known` by another, a row a table, each row with its own source.

    Returns:
        Result by table: source ("register", "demo", "published", "faulty" or "absent"), first and last (quarter on
        record), records, faults (breaches of the contract; the table's other figures are then missing).
    """
    described = [_describe(name, as_of, known, root) for name in names]
    return Result(
        pd.DataFrame([row for row, _ in described]),
        ("table",),
        (
            Measure("source", "text"),
            Measure("first", "text"),
            Measure("last", "text"),
            Measure("records", "count"),
            Measure("faults", "count", counts="faults"),
        ),
        "records",
        tuple(provenance for _, provenance in described),
        title="notebooks.inventory_table",
    )


def _describe(name: str, as_of: str, known: str | None, root: Path | None) -> tuple[dict[str, object], Provenance]:
    empty = {"table": name, "source": "absent", "records": None, "first": None, "last": None}
    try:
        frame = load(name, as_of, known=known, root=root)
    except DataError as error:
        nothing = Provenance(
            [Read("tables", name, as_of, source="published")]
        )  # a table that is not there names nobody
        return empty | {"faults": len(error.faults), "source": "faulty" if error.faults else "absent"}, nothing
    known = frame[KNOWN_FROM[name]].dropna() if name in KNOWN_FROM else pd.Series(dtype="str")
    if pd.api.types.is_datetime64_any_dtype(known):
        known = known.dt.to_period("Q").astype(str)  # the first and the last day are one person's each
    first, last = (str(known.min()), str(known.max())) if len(known) else (None, None)
    row = {"table": name, "source": frame.attrs["source"], "records": len(frame), "first": first, "last": last}
    return row | {"faults": 0}, provenance_of(frame)


def completeness(frame: pd.DataFrame) -> Result:
    """How many rows of a loaded table fill each column, that is hold neither a blank nor 'unknown'.

    Returns:
        Result by column: share.
    """
    name = frame.attrs["name"]
    end, dependents = ENDS.get(name, (None, ()))
    open_ended = (end, *dependents)  # a blank there says that the spell or the station goes on
    named = [column for column in columns(name) if column in frame and column not in open_ended]
    filled = [int((frame[column].notna() & frame[column].ne("unknown")).sum()) for column in named]
    table = pd.DataFrame({"column": named, "rows": len(frame), "filled": filled})
    identity = next((one for one in IDENTITY if one in frame), None)
    return Result(
        table.assign(
            share=table["filled"] / table["rows"].where(table["rows"] > 0),
            persons=frame[identity].nunique() if identity else len(frame),
        ),
        ("column",),
        (Measure("share", "share", of=("filled", "rows")),),
        "persons",
        provenance_of(frame),
        title="notebooks.filled_table",
        chart="bars",
    )
