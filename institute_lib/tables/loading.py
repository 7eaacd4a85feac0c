"""Loading a table as it describes a quarter, out of what was known.

Two times: `as_of` is the last day that is described, `known` the day of knowledge: what had been imported by then. The
institute's own registers (`own`) come before the demo's; an institute that keeps its own register of workers never
falls back on the demo for another table.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import pandas as pd

from institute_lib import areas, paths, sharing, terms
from institute_lib.errors import DataError, ParameterError, nearest
from institute_lib.result import Provenance, with_provenance
from institute_lib.sharing import Read
from institute_lib.tables import history, journal, own
from institute_lib.tables.contracts import CONTRACTS, LAST_DAY, PERSONAL, validate

# The day on which a row becomes known, and the columns that stay hidden while their own day has not come.
KNOWN_FROM = {
    "workers": "entered",
    "worker_changes": "date",
    "stations": "opened",
    "exams": "exam_date",
    "policies": "start",
    "services": "quarter",
    "procurement": "signed",
    "talent": "awarded",
    "district_panel": "quarter",
    "reporting": "quarter",
}
ENDS = {"workers": ("left", ("leave_reason",)), "stations": ("closed", ())}


@dataclass(frozen=True)
class Location:
    """Where a table's rows come from: the journal of the institute's own registers, the demo, or a published ledger.

    `snapshot` is the last day that an own register describes.
    """

    path: Path
    source: str
    snapshot: str | None


def locate(name: str, as_of: str, *, known: str | None = None, root: Path | None = None) -> Location:
    """The file that answers for a table on a day; a job that asks for it is taken to read all of it.

    Raises:
        ParameterError: no contract has this name.
        DataError: neither a register nor a demo table is there.
    """
    place = _locate(name, as_of, known, root)
    if root is None:
        sharing.note_read(Read("files", str(place.path)))
    return place


def source(name: str, *, root: Path | None = None) -> str:
    """Where a table's rows come from: "register", "demo" or "published".

    Raises:
        ParameterError: no contract has this name.
        DataError: the table is not there.
    """
    if root is None:
        sharing.note_read(Read("sources", name))
    return _locate(name, LAST_DAY, None, root).source


def _locate(name: str, as_of: str, known: str | None, root: Path | None, districts: Sequence[str] = ()) -> Location:
    if name not in CONTRACTS:
        raise ParameterError(f"table {name!r}: {nearest(name, CONTRACTS)}")
    if own.there(name, known=known, root=root):
        source, days = own.DERIVED.get(name, name), []
        if source in journal.STATES:
            cells = journal.in_force(source, journal.entries(root), known)
            days = [
                day
                for code, of_district in journal.state_days(cells, as_of).items()
                if not districts or areas.host(history.current(code)) in districts
                for day in of_district
            ]
        return Location(journal.folder(root) / journal.JOURNAL, "register", max(days, default=None))
    ledger = paths.reference() / f"{name}.csv"
    demo = (Path(root) / "data" / "demo" if root else paths.demo()) / f"{name}.parquet"
    if demo.is_file() and not own.kept(root):  # on no day of knowledge does a demo stand in for an own register
        return Location(demo, "demo", None)
    if ledger.is_file():
        return Location(ledger, "published", None)
    error = terms.error(DataError, "tables.missing", table=lambda language: _in_words(name, language))
    error.table = name  # 缺登记表: what is to be imported
    raise error


def _in_words(name: str, language: str) -> str:
    return f"{terms.label(name, language, column='table')} ({name})" if language == "zh" else repr(name)


def load(
    name: str,
    as_of: str | None = None,
    *,
    known: str | None = None,
    districts: Sequence[str] = (),
    root: Path | None = None,
) -> pd.DataFrame:
    """One table, checked, as it describes the time up to a day.

    Args:
        name: a table of the contract (`tables.CONTRACTS`).
        as_of: an ISO day, the last one that is described; None shows everything.
        known: an ISO day: what had been imported by its end; None for the newest.
        districts: codes of the districts whose rows (of `worker_changes`: whose persons' rows) are wanted, so that a
            job which reads them is stale only when theirs change; empty for all. Policies name areas and stay whole.
        root: another project folder to read from.

    Returns:
        The rows, with development zones folded into the district whose polygon holds them. `attrs`: source
        ("register", "demo" or "published"), snapshot, name, as_of; of own states also `described` (each district's last
        day), and of `workers` `observed` (the quarters between which everyone who left is known, see `history`).

    Raises:
        DataError: the table was not imported, and no demo is there or may stand in for it (`.table` names it), or it
            breaks its contract (every fault at once).
        ParameterError: a day is none, or the table does not exist.
    """
    if name not in CONTRACTS:
        raise ParameterError(f"table {name!r}: {nearest(name, CONTRACTS)}")
    if known is not None:
        _day(known)
    listed = tuple(sorted(districts)) if name != "policies" else ()
    read = Read("tables", name, as_of or "", listed, personal=name in PERSONAL, known=known or "")
    try:
        place = _locate(name, _day(as_of).date().isoformat(), known, root)
    except DataError:  # a job may show that a table is lacking, and depends on that
        if root is None:
            sharing.note_read(read)
        raise
    read = replace(read, source=place.source)
    if place.source == "register" and name in PERSONAL:
        journal.log_load(journal.folder(root), name, os.getpid())
    if root is None:
        sharing.note_read(read)
    return with_provenance(_load(name, as_of, known, root, listed), Provenance([read]))


def _load(
    name: str, as_of: str | None, known: str | None, root: Path | None, districts: Sequence[str] = ()
) -> pd.DataFrame:
    day = _day(as_of)
    place = _locate(name, day.date().isoformat(), known, root, districts)
    if place.source == "register":
        frame = own.table(name, day.date().isoformat(), known=known, root=root)
    else:
        stamp = place.path.stat()
        frame = _checked(name, place.path, (stamp.st_mtime_ns, stamp.st_size))
    attrs = {"name": name, "source": place.source, "snapshot": place.snapshot, "as_of": as_of}
    shown, told = _known_by(name, frame, day), dict(frame.attrs)
    if districts:
        shown = _of_districts(shown, districts, as_of, known, root)
        by_district = {key: value for key, value in told.items() if isinstance(value, dict)}
        told |= {key: {code: one[code] for code in districts if code in one} for key, one in by_district.items()}
    if told.get("begun"):  # certificate, pay and caseload are known from the first quarter that all districts tell
        told["since"] = str((pd.Timestamp(max(told["begun"].values())) + pd.Timedelta(days=1)).to_period("Q"))
    shown = shown.reset_index(drop=True)
    shown.attrs = {**told, **attrs}
    return shown


def _of_districts(
    frame: pd.DataFrame, districts: Sequence[str], as_of: str | None, known: str | None, root: Path | None
) -> pd.DataFrame:
    """The rows of some districts, or of the persons who work or worked in them."""
    if "district" in frame:
        return frame[frame["district"].isin(districts)]
    persons = _load("workers", as_of, known, root, districts)["worker_id"]
    return frame[frame["worker_id"].isin(persons)]


@lru_cache(maxsize=len(CONTRACTS))
@sharing.once_a_run
def _checked(name: str, path: Path, _stamp: tuple[int, int]) -> pd.DataFrame:
    """The whole table, checked once a process for each state of its file; callers take a selection, never change it."""
    frame = validate(name, _read(path))
    if "district" in frame:
        hosts = {code: areas.host(code) for code in frame["district"].unique()}
        frame["district"] = frame["district"].map(hosts).astype("str")
    return frame


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return pd.read_csv(path, dtype="str", encoding="utf-8-sig", na_values=[""], keep_default_na=False)
    return pd.read_parquet(path)


def _day(as_of: str | None) -> pd.Timestamp:
    if as_of is None:
        return pd.Timestamp(LAST_DAY)
    try:
        return pd.Timestamp(pd.Period(as_of, freq="D").end_time.floor("s"))
    except ValueError as error:
        raise ParameterError(f"as_of {as_of!r}: not a day; write it as 2025-12-31") from error


def _known_by(name: str, frame: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    column = KNOWN_FROM.get(name)
    if column is None:
        return frame
    if column == "quarter":
        known = frame["quarter"] < _quarter(day + pd.Timedelta(days=1))
    else:
        known = (frame[column] <= day) | frame[column].isna()
    frame = frame[known].copy()
    if name in ENDS:
        end, dependents = ENDS[name]
        later = frame[end] > day
        frame.loc[later, [end, *dependents]] = None
    if name == "district_panel":
        frame.loc[_begins_after(frame["treated_from"], day), "treated_from"] = None
    if name == "policies":  # a policy dated by its quarter alone
        frame = frame[frame["start"].notna() | ~_begins_after(frame["treated_from"], day)]
    return frame


def _begins_after(quarters: pd.Series, day: pd.Timestamp) -> pd.Series:
    return quarters.fillna("") > _quarter(day)


def _quarter(day: pd.Timestamp) -> str:
    """The quarter that holds a day; as text, because quarters such as 2024Q4 sort as they follow each other."""
    return f"{day.year}Q{day.quarter}"


def cite(*frames: pd.DataFrame, language: str = "zh") -> str:
    """The source line of figures made from these tables: which registers, as of which day."""
    names = dict.fromkeys(terms.label(frame.attrs["name"], language, column="table") for frame in frames)
    kinds = dict.fromkeys(terms.label(frame.attrs["source"], language) for frame in frames)
    days = [frame.attrs["as_of"] for frame in frames if frame.attrs["as_of"]]
    joined = "、" if language == "zh" else ", "
    words = {"kinds": joined.join(kinds), "names": joined.join(names)}
    if not days:
        return terms.text("tables.cited_undated", language, **words)
    return terms.text("tables.cited", language, **words, day=terms.date(max(days), language))


def is_demo(*frames: pd.DataFrame) -> bool:
    """Whether any of these tables comes from the demo registers."""
    return any(frame.attrs.get("source") == "demo" for frame in frames)


def covered_quarters(
    *, as_of: str | None = None, known: str | None = None, root: Path | None = None
) -> tuple[str, ...]:
    """The quarters that the registers of workers describe, first to last (`2019Q1` … `2025Q4`).

    The demo covers its own quarters; own registers cover those from the first to the last one handed in. With `as_of`
    only those up to that day's, and a later quarter that comes in is no concern of a job that asked.
    """
    if root is None:  # what a job depends on is the answer, not every row of the table behind it
        sharing.note_read(Read("quarters", "workers", as_of or "", known=known or ""))
    last = _quarter(_day(as_of))
    return tuple(quarter for quarter in _covered(known, root) if quarter <= last)


def _place_of_workers(known: str | None, root: Path | None) -> Location:
    """Where the workers come from; a job that asks before any was imported lacks that table (缺登记表)."""
    try:
        return _locate("workers", LAST_DAY, known, root)
    except DataError:
        if root is None:
            sharing.note_read(Read("tables", "workers", known=known or ""))
        raise


def _covered(known: str | None, root: Path | None) -> tuple[str, ...]:
    place = _place_of_workers(known, root)
    if place.source == "demo":
        quarters = pd.read_parquet(place.path.with_name("reporting.parquet"), columns=["quarter"])["quarter"]
        first, last = quarters.min(), quarters.max()
    else:
        reported = own.quarters_reported("workers", known=known, root=root)
        every = [quarter for quarters in reported.values() for quarter in quarters]
        first, last = min(every), max(every)
    return tuple(str(quarter) for quarter in pd.period_range(first, last, freq="Q"))


def unreported(
    quarter: str,
    districts: Iterable[str],
    *,
    as_of: str | None = None,
    known: str | None = None,
    table: str = "workers",
    root: Path | None = None,
) -> tuple[str, ...]:
    """The districts (codes) that have not reported for a quarter: 未报送. Their figures are absent, never zero.

    With demo registers their reporting table says so. Of own registers a district has reported if a state of the table
    answers for the quarter: for `workers` its own, for `stations` one of the four quarters that end with it.
    """
    listed = tuple(districts)
    if root is None:  # what a job depends on is the answer, not every row of the table behind it
        sharing.note_read(
            Read("reports", quarter, as_of or "", listed, known=known or "", title=_unless_workers(table))
        )
    place = _place_of_workers(known, root)
    if place.source == "demo":
        reporting = _load("reporting", None, known, root)
        late = reporting[(reporting["quarter"] == quarter) & ~reporting["reported"]]
        missing = set(late["district"])
    else:
        reported = own.quarters_reported(table, known=known, root=root)
        allowed = {str(pd.Period(quarter, freq="Q") - back) for back in range(own.AGE[table] + 1)}
        told = _load("reporting", None, known, root) if table == "workers" else None
        if told is not None:
            there = told[(told["quarter"] == quarter) & told["reported"]]
            missing = set(listed) - set(there["district"])
        else:
            missing = {code for code in listed if not allowed & reported.get(code, set())}
    return tuple(code for code in listed if code in missing)


def _unless_workers(table: str) -> str:
    return "" if table == "workers" else table


def withheld(
    quarter: str,
    districts: Iterable[str],
    *,
    as_of: str | None = None,
    known: str | None = None,
    root: Path | None = None,
) -> dict[str, str]:
    """The districts whose turnover and stability over the four quarters that end with one cannot be known, and why.

    Returns:
        district to "single_state" (one list without leaving days), "unanswered" (people no longer listed, and nobody
        said whether they left), or "gap" (a leaver's day is known only to a longer time than the rate covers).
    """
    listed = tuple(districts)
    workers = load("workers", as_of or _last_day(quarter), known=known, districts=listed, root=root)
    observed = workers.attrs.get("observed")
    if observed is None:
        return {}
    before = str(pd.Period(quarter, freq="Q") - 4)
    found = {}
    past = own.past(as_of or _last_day(quarter), known=known, root=root)
    unanswered = {areas.host(gap.district) for gap in past.gaps if gap.open} if past else set()
    for code in listed:
        runs = observed.get(code)
        if runs is None or history.is_observed(observed, code, before, quarter):
            continue
        quarters = {one for run in runs for one in run}
        found[code] = "unanswered" if code in unanswered else "single_state" if len(quarters) == 1 else "gap"
    return found


def _last_day(quarter: str) -> str:
    return pd.Period(quarter, freq="Q").end_time.date().isoformat()


@dataclass(frozen=True)
class Reports:
    """Whose figures a study may show, and for which quarter.

    Attributes:
        quarter: the quarter asked for, or the last one before it that any of the districts reported.
        as_of: the day of knowledge that goes with it.
        districts: those that reported it.
        late: those that have not reported the quarter asked for (未报送).
        absent: whether none of them has, so that `quarter` is an earlier one.
    """

    quarter: str
    as_of: str
    districts: tuple[str, ...]
    late: tuple[str, ...]
    absent: bool

    @property
    def partial(self) -> bool:
        """Whether totals lack a district."""
        return bool(self.late)

    def notes(self, language: str = "zh") -> tuple[str, ...]:
        """Who is missing, in words; nothing when everyone has reported."""
        if not self.late:
            return ()
        names = terms.listed((areas.get(code).name(language) for code in self.late), language)
        key = "tables.absent" if self.absent else "tables.partial"
        return (terms.text(key, language, names=names, quarter=terms.quarter(self.quarter, language)),)


def reports(
    districts: Iterable[str],
    *,
    quarter: str,
    as_of: str,
    known: str | None = None,
    table: str = "workers",
    root: Path | None = None,
) -> Reports:
    """Whose figures of a quarter there are.

    Raises:
        DataError: none of the districts has ever reported by then.
    """
    listed = tuple(districts)
    asked = {"known": known, "table": table, "root": root}
    late = unreported(quarter, listed, as_of=as_of, **asked)
    first = _covered(known, root)[0]
    shown, missing = quarter, late
    while len(missing) == len(listed):
        if shown <= first:
            raise terms.error(
                DataError, "tables.error_none_reported", names=", ".join(listed), first=first, last=quarter
            )
        shown = str(pd.Period(shown, freq="Q") - 1)
        missing = unreported(shown, listed, as_of=as_of, **asked)
    described = as_of if shown == quarter else _last_day(shown)
    return Reports(shown, described, tuple(code for code in listed if code not in missing), late, shown != quarter)
