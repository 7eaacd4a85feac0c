"""What every analysis returns: figures that know their keys, units, persons and sources.

`Measure` states a figure's unit and of what it is, `Provenance` what it was read from, and `Result` holds both with the
table. Whoever computes a figure states them; nothing is guessed from a column's name or from its values.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pandas as pd

from institute_lib import sharing, terms
from institute_lib.errors import DisclosureError, ParameterError, nearest
from institute_lib.sharing import Read

UNITS = ("count", "share", "points", "yuan", "per_10000", "ratio", "number", "text")
OF_SOMETHING = ("share", "points", "yuan", "per_10000")
INTERVALS = ("", "poisson", "wilson", "effective", "given")
STATISTICS = ("mean", "median", "sum", "estimate")
ATTRIBUTE = "provenance"  # where a table carries its Provenance, in `DataFrame.attrs`
DIVISIONS = ("districts", "area_aliases", "traditional_characters")  # read to name an area, never a figure's source


@dataclass(frozen=True)
class Measure:
    """One figure of a result: a column of its frame.

    Attributes:
        name: the column; its words come from the catalogue of labels.
        unit: one of `UNITS`. Shares are fractions, points differences of two shares, yuan amounts of money.
        digits: decimals that are shown; by default what the unit has.
        of: the columns that it is computed from. Of a share or a figure per 10,000 the numerator and the denominator,
            of an amount of money the number of persons, of points the two shares (later, earlier), of a count the whole
            that it is part of.
        interval: how its 95 % interval follows: "poisson" (exact, of a rate), "wilson" (of a share), "effective"
            (log(−log), of a share whose `of` are effective counts and the fewest persons at risk so far) or "given"
            (columns `<name>_low`, `<name>_high`).
        counts: what a count counts. Persons are protected; stations, contracts, schools and places are not persons.
        statistic: of an amount or a number: "mean", "median" or "sum"; "estimate" of what a model estimates, which is
            of no columns: it is shown in three digits, and needs ten persons behind it.
        employers: the column with the number of employers behind an amount of money.
        largest: the column with the largest employer's share of an amount of money.
        label: "中文 / English": its words, where no catalogue has them.
    """

    name: str
    unit: str
    digits: int | None = None
    of: tuple[str, ...] = ()
    interval: str = ""
    counts: str = "persons"
    statistic: str = "mean"
    employers: str = ""
    largest: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", (self.of,) if isinstance(self.of, str) else tuple(self.of))
        for value, allowed, what in (
            (self.unit, UNITS, "unit"),
            (self.interval, INTERVALS, "interval"),
            (self.statistic, STATISTICS, "statistic"),
        ):
            if value not in allowed:
                raise ParameterError(f"measure {self.name!r}: {what} {value!r}: {nearest(value, allowed)}")
        wanted = {"share": 2, "per_10000": 2, "points": 2, "yuan": 1}.get(self.unit, 0)
        if len(self.of) < wanted and self.statistic != "estimate":
            raise terms.error(ParameterError, "result.of_missing", name=self.name, unit=self.unit, n=wanted)


class Provenance:
    """What a figure was read from, and what follows of it: demo, personal, published, the day, who had not reported.

    Nothing of it is typed: `tables.load`, `areas.reference` and `Study.results` note each read, and a table carries
    what it was read from. Where that is lost it is everything that the job has read; where nothing is known it is
    unknown: treated as personal, cited as 来源不明, and held when a quarter is released.
    """

    reads: tuple[Read, ...]
    __slots__ = ("reads",)

    def __init__(self, reads: Iterable[Read] = ()) -> None:
        known = (read for read in reads if read.source and read.name not in DIVISIONS)
        object.__setattr__(self, "reads", tuple(dict.fromkeys(known)))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a provenance does not change; join two with |")

    def __deepcopy__(self, memo: Any) -> "Provenance":
        return self  # it does not change, and pandas copies attrs with every table

    def __reduce__(self) -> tuple[type, tuple]:
        return Provenance, (self.reads,)

    def __or__(self, other: "Provenance") -> "Provenance":
        return Provenance((*self.reads, *other.reads))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Provenance) and set(self.reads) == set(other.reads)

    def __hash__(self) -> int:
        return hash(frozenset(self.reads))

    def __repr__(self) -> str:
        return f"Provenance({', '.join(f'{read.source} {read.name}' for read in self.reads) or 'unknown'})"

    @property
    def unknown(self) -> bool:
        """Whether nothing, or something without a description, is known to stand behind it."""
        return not self.reads or any(read.source == "unknown" for read in self.reads)

    @property
    def demo(self) -> bool:
        """Whether anything of it comes from the demo."""
        return any(read.source == "demo" or (read.source == "result" and "demo" in read.title) for read in self.reads)

    @property
    def personal(self) -> bool:
        """Whether persons stand behind it, or may."""
        return self.unknown or any(read.personal for read in self.reads)

    @property
    def published(self) -> bool:
        """Whether all of it was published before, so that it is shown exactly."""
        return bool(self.reads) and all(read.source == "published" for read in self.reads)

    @property
    def absent(self) -> tuple[str, ...]:
        """The districts that had not reported."""
        return tuple(dict.fromkeys(code for read in self.reads for code in read.absent))

    @property
    def as_of(self) -> str:
        """The latest day of knowledge."""
        return max((read.as_of for read in self.reads), default="")

    def cite(self, language: str = "zh") -> str:
        """The source line: which tables, of which kind, as of which day."""
        if self.unknown:
            return terms.text("result.unknown_source", language)
        joined = "、" if language == "zh" else ", "
        parts = []
        for kind in dict.fromkeys(read.source for read in self.reads if read.source != "result"):
            of_kind = [read for read in self.reads if read.source == kind]
            names = joined.join(dict.fromkeys(_name(read, language) for read in of_kind))
            if kind == "own":
                parts.append(names)
                continue
            day = max((read.as_of for read in of_kind), default="")
            words = {"kinds": terms.label(kind, language), "names": names}
            key = "tables.cited" if day else "tables.cited_undated"
            parts.append(terms.text(key, language, **words, **({"day": terms.date(day, language)} if day else {})))
        if any(read.source == "result" for read in self.reads):
            parts.append(terms.text("result.other_results", language))
        return ("；" if language == "zh" else "; ").join(parts)


def _name(read: Read, language: str) -> str:
    if read.title:
        return read.title
    known = terms.catalogue("labels")
    key = next((key for key in (f"table_{read.name}", read.name) if key in known), None)
    return known[key][language] if key else read.name


def job_provenance() -> Provenance:
    """Everything that this job has read."""
    return Provenance(sharing.reads_so_far())


def with_provenance(frame: pd.DataFrame, provenance: Provenance) -> pd.DataFrame:
    """The same table, carrying what it was read from and which columns it had then."""
    frame.attrs = {**frame.attrs, ATTRIBUTE: provenance, "columns": tuple(frame.columns)}
    return frame


def provenance_of(*frames: pd.DataFrame) -> Provenance:
    """What tables were read from; where one has lost it or has columns that it was not read with, all the job read."""
    found = Provenance()
    for frame in frames:
        own = frame.attrs.get(ATTRIBUTE)
        if own is None or not set(frame.columns) <= set(frame.attrs.get("columns", ())):
            return job_provenance()
        found = found | own
    return found


def described_quarter(frame: pd.DataFrame, quarter: str | None) -> str:
    """The quarter that a table describes: as given, else as `Study.load` noted it.

    Raises:
        ParameterError: neither says one.
    """
    found = quarter or frame.attrs.get("quarter")
    if not found:
        raise terms.error(ParameterError, "result.quarter_unknown")
    return str(found)


@dataclass(frozen=True, eq=False)
class Result:
    """A table of figures with all that is needed to protect, title, cite and draw it.

    Attributes:
        frame: one row a cell, as computed; `internal()` shows it on a researcher's own screen.
        keys: the columns that name a row.
        measures: its figures, in the order in which they are shown; the first one is drawn.
        persons: the column with the number of distinct persons behind a row (for an estimator: behind the smallest
            unit and period used). None where no table of persons was read.
        provenance: what it was read from; one for each row where a table mixes sources.
        title: a text of the catalogues (`room.key`) or plain words; {area} and {quarter} are filled in.
        chart: how it is drawn, one of `charts.KINDS`, or "table".
        look: options of the drawing.
        notes: lines for the section on methods: texts of the catalogues or plain words.
        sentence: what it finds, of its protected view and a language: texts of the catalogues with their figures.
        events: of a model by term and level, the column with the events behind a row. Terms of which one level has
            fewer than ten persons or events are not shown.
        residual: of a model, the persons (or clusters) less the parameters; under ten nothing is shown.

    Raises:
        ParameterError: a key or a column of a measure is not in the frame, or two rows have one key.
        DisclosureError: nothing says how many persons stand behind figures of persons.
    """

    frame: pd.DataFrame
    keys: tuple[str, ...]
    measures: tuple[Measure, ...]
    persons: str | None
    provenance: Provenance | Sequence[Provenance]
    title: str = ""
    chart: str = "table"
    look: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sentence: Callable[[Any, str], Sequence[tuple[str, Mapping[str, Any]]]] | None = None
    events: str = ""
    residual: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", (self.keys,) if isinstance(self.keys, str) else tuple(self.keys))
        object.__setattr__(self, "measures", tuple(self.measures))
        object.__setattr__(self, "frame", self.frame.reset_index(drop=True))
        named = {one.name for one in self.measures}
        for name in (*self.keys, *self._columns()):
            if name not in self.frame and name not in named:
                raise ParameterError(f"result: column {name!r}: {nearest(name, self.frame.columns)}")
        twice = self.frame.duplicated(list(self.keys)) if self.keys else self.frame.index > 0
        if twice.any():
            record = self.frame.loc[twice, list(self.keys)].iloc[0].to_dict()
            raise ParameterError(f"result: two rows have the key {record}; add the key that tells them apart")
        if self.persons is None and any(one.personal for one in self.row_provenance()):
            raise terms.error(DisclosureError, "result.persons_missing", measures=", ".join(map(str, named)))

    def _columns(self) -> list[str]:
        """Every column that the frame must hold; points are computed from shares, and need none."""
        wanted = [one for one in (self.persons, self.events) if one]
        for one in self.measures:
            wanted += [] if one.unit == "points" and one.statistic != "estimate" else [one.name]
            wanted += [*one.of, *(name for name in (one.employers, one.largest) if name)]
            wanted += [f"{one.name}_low", f"{one.name}_high"] if one.interval == "given" else []
        return wanted

    def row_provenance(self) -> tuple[Provenance, ...]:
        """The provenance of each row."""
        if isinstance(self.provenance, Provenance):
            return (self.provenance,) * max(len(self.frame), 1)
        if len(self.provenance) != len(self.frame):
            raise ParameterError(f"result: {len(self.provenance)} provenances for {len(self.frame)} rows")
        return tuple(self.provenance)

    @property
    def whole_provenance(self) -> Provenance:
        """That of all rows together."""
        return Provenance(read for one in dict.fromkeys(self.row_provenance()) for read in one.reads)

    def internal(self) -> Any:
        """The figures as they are, for a researcher's own screen; no brief takes them."""
        return import_module("institute_lib.disclosure").internal(self.frame, title=self.title)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        # The one call upwards: a result that stands at a cell's end shows itself protected.
        return import_module("institute_lib.disclosure").protected(self)._repr_mimebundle_()
