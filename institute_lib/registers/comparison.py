"""What has changed from one state of a register to the next, as counts: joiners, leavers, corrections."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, ParameterError
from institute_lib.results import Result
from institute_lib.tables import history, journal

# What makes two rows of two states the same thing.
KEYS = {
    "workers": ["worker_id", "entered"],
    "stations": ["station_id"],
    "exams": ["candidate_id", "exam_date", "level"],
    "services": ["district", "quarter", "field"],
    "procurement": ["contract_id"],
    "talent": ["person_id", "title", "awarded"],
}
_END = {"workers": ["left", "leave_reason"], "stations": ["closed"]}


@dataclass(frozen=True)
class Comparison(Result):
    """Two states of one table.

    Attributes:
        joined: spells or rows that begin after the earlier state (other tables: that it did not have).
        late: spells that had begun by the earlier state's day and that it did not have (workers only).
        left: spells or stations that the earlier state shows open and the later one closed.
        gone: rows that the later state no longer has.
        corrected: rows of both that differ otherwise, and spells whose first day differs.
        unchanged: rows that are the same in both.
    """

    table: str
    before: str
    after: str
    joined: int
    late: int
    left: int
    gone: int
    corrected: int
    unchanged: int

    @property
    def warnings(self) -> tuple[str, ...]:
        return ()

    def to_frame(self) -> pd.DataFrame:
        counts = ("joined", "late", "left", "gone", "corrected", "unchanged")
        return pd.DataFrame({"change": counts, "rows": [getattr(self, name) for name in counts]})

    def summary(self, language: str = "zh") -> str:
        """One sentence: the two days and every count."""
        counts = {row.change: terms.number(row.rows, language) for row in self.to_frame().itertuples()}
        days = {name: terms.date(getattr(self, name), language) for name in ("before", "after")}
        kind = "workers" if self.table == "workers" else "rows"
        return terms.text(f"registers.compared_{kind}", language, table=self.table, **days, **counts)


def compare(table: str = "workers", *, day: str | None = None, root: Path | None = None) -> Comparison:
    """The states of a day (of the last one) against the one before each, all districts together.

    Raises:
        DataError: there is no state of that day, or none before it.
        ParameterError: the table has no states.
    """
    if table not in journal.STATES:
        allowed = partial(terms.nearest_in, value=table, allowed=journal.STATES)
        raise terms.error(ParameterError, "registers.error_table", table=table, nearest=allowed)
    rows = journal.rows(table, root=root)
    states = history.states(rows[journal.CELL].unique())
    known = journal.state_days(set(states.values()))
    days = sorted({one for of_district in known.values() for one in of_district})
    later = day or (days[-1] if days else None)
    pairs = [
        (f"{district} {of_district[at - 1]}", f"{district} {later}")
        for district, of_district in known.items()
        if later in of_district and (at := of_district.index(later))
    ]
    if not pairs:
        raise terms.error(DataError, "registers.error_no_snapshots", table=table, days=partial(_listed, days))
    state = rows[journal.CELL].map(states)
    before, after = (rows[state.isin(ends)] for ends in zip(*pairs, strict=True))
    return between(table, before, after, days=(max(first.partition(" ")[2] for first, _ in pairs), later))


def _listed(days: list[str], language: str) -> str:
    return terms.listed(days, language) or terms.text("registers.none", language)


def between(table: str, before: pd.DataFrame, after: pd.DataFrame, *, days: tuple[str, str]) -> Comparison:
    """Two states of one table as they are kept, and the days they stand for; districts are today's."""
    before, after = (
        _by_today(frame.drop(columns=[journal.CELL, "number"], errors="ignore")) for frame in (before, after)
    )
    keys, end = KEYS[table], _END.get(table, [])
    joint = before.merge(after, how="outer", on=keys, suffixes=("_before", "_after"), indicator=True)
    both = joint[joint["_merge"] == "both"]
    new, gone = (joint[joint["_merge"] == side] for side in ("right_only", "left_only"))
    others = [column for column in before.columns if column not in (*keys, *end) and column in after.columns]
    differs = _differs(both, others)
    closed = pd.Series(False, both.index)
    if end:
        closed = both[f"{end[0]}_before"].isna() & both[f"{end[0]}_after"].notna()
        differs |= _differs(both, end) & ~closed
    late = moved = 0
    if table == "workers":
        is_late = new["entered"] <= pd.Timestamp(days[0])
        moved = int(_pairs(new.loc[is_late, "worker_id"], gone["worker_id"]))
        late = int(is_late.sum()) - moved
    return Comparison(
        table,
        *days,
        joined=len(new) - late - moved,
        late=late,
        left=int(closed.sum()),
        gone=len(gone) - moved,
        corrected=int((differs & ~closed).sum()) + moved,
        unchanged=int((~differs & ~closed).sum()),
    )


def _by_today(frame: pd.DataFrame) -> pd.DataFrame:
    if "district" not in frame:
        return frame
    return frame.assign(
        district=frame["district"].map({one: history.current(one) for one in frame["district"].unique()})
    )


def _differs(both: pd.DataFrame, columns: list[str]) -> pd.Series:
    differs = pd.Series(False, both.index)
    for column in columns:
        one, other = both[f"{column}_before"], both[f"{column}_after"]
        differs |= ~((one == other).fillna(False).astype(bool) | (one.isna() & other.isna()))
    return differs


def _pairs(new: pd.Series, gone: pd.Series) -> int:
    """Spells of one person that went and came: the same spell under another first day."""
    came, went = new.value_counts(), gone.value_counts()
    return int(came.combine(went, min, fill_value=0).sum())
