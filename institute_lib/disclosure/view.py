"""The protected view of a result: what a chart draws, a table lists and a sentence quotes."""

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import indicators, terms
from institute_lib.disclosure import show
from institute_lib.disclosure.figures import (
    ABOVE,
    BELOW,
    HIDDEN,
    MAKER,
    MISSING,
    SHOWN,
    Figure,
    SafeSentence,
    check_maker,
    made_figure,
    sentence,
)
from institute_lib.errors import DataError, DisclosureError, ParameterError, nearest
from institute_lib.result import Measure, Provenance, Result

THRESHOLD, BASE = 10, 5
RECORDED = ("value", "state", "limit", "error", "unit", "digits", "low", "high")  # what is kept of a figure for others
SHOW_UNITS = {"per_10000": "number1", "ratio": "number2", "number": "number2"}


@dataclass(frozen=True)
class Column:
    """One figure of every row: its value where it is shown, else its bound; how far rounding may have moved it."""

    value: np.ndarray
    state: np.ndarray
    limit: np.ndarray
    error: np.ndarray

    @classmethod
    def plain(cls, values: Any) -> "Column":
        """Values that need no protection; what has no bound is missing."""
        known = pd.to_numeric(pd.Series(values)).to_numpy(float, na_value=np.nan)
        known = np.where(np.isinf(known), np.nan, known)
        state = np.where(np.isnan(known), MISSING, SHOWN).astype(object)
        return cls(known, state, np.full(len(known), np.nan), np.zeros(len(known)))

    def where(self, guarded: np.ndarray, other: "Column") -> "Column":
        """This one in the guarded rows, the other elsewhere."""
        parts = ("value", "state", "limit", "error")
        return Column(*(np.where(guarded, getattr(self, one), getattr(other, one)) for one in parts))


@dataclass(frozen=True, eq=False)
class Protected:
    """A result as it may be shown, in one language: what a chart draws, a table lists and a sentence quotes.

    `data` holds the keys and the figures that are shown, NaN for the others; `figures_of` says of every figure whether
    it is shown, a bound, hidden or missing. `measures` are the figures' units, `provenance` what was read.
    """

    made_by: InitVar[object]
    data: pd.DataFrame
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    measures: tuple[Measure, ...]
    figures_of: Mapping[str, Column]
    language: str
    provenance: Provenance
    title: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    chart: str = "table"
    look: Mapping[str, Any] = field(default_factory=dict)
    methods: tuple[str, ...] = ()
    guarded: bool = True
    exact: bool = False
    own_sentence: Any = None

    def __post_init__(self, made_by: object) -> None:
        check_maker(made_by, "Protected")
        object.__setattr__(self, "data", self.data.reset_index(drop=True).copy())

    @property
    def values(self) -> tuple[str, ...]:
        """The names of its figures; `value` is the first."""
        return tuple(one.name for one in self.measures)

    @property
    def value(self) -> str:
        return self.measures[0].name

    @property
    def frame(self) -> pd.DataFrame:
        """A copy of the table: changing it changes nothing that is shown."""
        return self.data.copy()

    def to_frame(self) -> pd.DataFrame:
        """A copy of the table with a column `status` for its first figure: "shown", "missing" or "primary"."""
        state = self.figures_of[self.value].state
        known = np.where(state == MISSING, "missing", np.where(state == SHOWN, "shown", "primary"))
        return self.data.assign(status=pd.Series(known, dtype="str"))

    @property
    def source(self) -> str:
        return self.provenance.cite(self.language)

    @property
    def demo(self) -> bool:
        return self.provenance.demo

    def unit(self, name: str) -> str:
        """The unit of a figure as axes and labels take it: that of its measure, with the digits of a plain number."""
        measure = self.measure(name)
        if measure.unit in SHOW_UNITS and measure.digits in (0, 1, 2):
            return f"number{measure.digits}"
        return SHOW_UNITS.get(measure.unit, measure.unit)

    def measure(self, name: str) -> Measure:
        """
        Raises:
            ParameterError: no figure has this name.
        """
        found = next((one for one in self.measures if one.name == name), None)
        if found is None:
            raise ParameterError(f"figure {name!r}: {nearest(name, self.values)}")
        return found

    def figure(self, name: str | None = None, /, **keys: object) -> "Figure":
        """One figure, the first if it is not named; that of no row is missing.

        Raises:
            ParameterError: an unknown figure or key, or keys that name several rows.
        """
        measure = self.measure(self.value if name is None else name)
        at = np.flatnonzero(self._rows(keys).to_numpy())
        if len(at) > 1:
            raise ParameterError(f"figure {measure.name!r}: {keys} names {len(at)} rows of the table, not one")
        column = self.figures_of[measure.name]
        state, value, limit, error = MISSING, None, np.nan, 0.0
        if len(at):
            place = at[0]
            state, limit, error = str(column.state[place]), float(column.limit[place]), float(column.error[place])
            value = float(column.value[place]) if state == SHOWN else None
        return made_figure(measure, value, state, limit=limit, error=error)

    def where(self, **keys: object) -> "Protected":
        """The rows of some keys, without those keys."""
        named = {axis: tuple(one for one in getattr(self, axis) if one not in keys) for axis in ("rows", "columns")}
        found = self._at(self._rows(keys).to_numpy())
        return replace(found, made_by=MAKER, data=found.data.drop(columns=list(keys)), **named)

    def _at(self, at: np.ndarray) -> "Protected":
        """The rows at some places."""
        parts = {
            name: Column(*(getattr(one, f)[at] for f in ("value", "state", "limit", "error")))
            for name, one in self.figures_of.items()
        }
        return replace(self, made_by=MAKER, figures_of=parts, data=self.data[at])

    def number(self) -> "Figure":
        """How many rows the table has."""
        return made_figure(Measure("rows", "count"), len(self.data), SHOWN)

    def total(self, name: str) -> "Figure":
        """The sum of what is shown; of counts of persons it is no total of the table's own, and is refused.

        Raises:
            ParameterError: the figure counts persons, or is no count.
        """
        measure = self.measure(name)
        if measure.unit != "count" or (self.guarded and measure.counts == "persons"):
            raise ParameterError(
                f"total of {name!r}: only counts of other things than persons add up; show a total row"
            )
        return made_figure(measure, float(np.nansum(self.figures_of[name].value)), SHOWN)

    def lowest(self, name: str) -> dict[str, Any]:
        """The row whose figure is the least: its keys in words, and the figure by its name."""
        return self._extreme(name, -1)

    def highest(self, name: str) -> dict[str, Any]:
        """The row whose figure is the greatest, as `lowest`."""
        return self._extreme(name, 1)

    def _extreme(self, name: str, sign: int) -> dict[str, Any]:
        column = self.figures_of[name]
        known = np.where(column.state == SHOWN, column.value, np.nan)
        bound = column.state == (ABOVE if sign > 0 else BELOW)  # the other kind may lie anywhere on its side
        known = np.where(bound, column.limit, known)
        totals = self.data[list(self.rows)].astype(str).eq("total").any(axis=1).to_numpy()
        known = np.where(totals, np.nan, sign * known)
        if np.isnan(known).all():
            return dict.fromkeys(self.rows, terms.MISSING[self.language]) | {
                name: self.figure(name, **dict.fromkeys(self.rows, ""))
            }
        record = {key: self.data[key].iloc[int(np.nanargmax(known))] for key in self.rows}
        return {key: self.name(key, value) for key, value in record.items()} | {name: self.figure(name, **record)}

    def name(self, key: str, value: object) -> SafeSentence:
        """A key of this table in words, for a sentence.

        Raises:
            ParameterError: no row has it.
        """
        if not self.data[key].astype(str).eq(str(value)).any():
            raise ParameterError(f"key {key!r} = {value!r}: {nearest(str(value), self.data[key].unique())}")
        return SafeSentence(MAKER, terms.key("level" if key in ("before", "after") else key, value, self.language))

    def words(self, key: str, /, **parts: Any) -> SafeSentence:
        """A phrase of the catalogues, filled with figures and names of this view."""
        return sentence(key, self.language, **parts)

    def titled(self, title: str) -> "Protected":
        """The same view under another title."""
        return replace(self, made_by=MAKER, title=title)

    @property
    def hidden(self) -> int:
        """How many figures are bounds or hidden."""
        return int(sum(np.isin(one.state, (BELOW, ABOVE, HIDDEN)).sum() for one in self.figures_of.values()))

    def text(self, place: int, name: str) -> str:
        """A figure of a row as the table shows it."""
        measure, column = self.measure(name), self.figures_of[name]
        if measure.unit == "text":
            if column.state[place] == HIDDEN:
                return show.MASK
            return terms.key(name, self.data[name].iloc[place], self.language, self.labels)
        one = made_figure(
            measure, column.value[place], str(column.state[place]), limit=float(column.limit[place]), error=0.0
        )
        return one.cell(self.language)

    def text_table(self, language: str) -> tuple[list[dict[str, Any]], list[list[str]]]:
        """Columns and rows of text; wide where one key stands across."""
        keys = [{"key": name, "label": terms.word(name, language, self.labels), "numeric": False} for name in self.rows]
        if self.columns:
            heads = list(dict.fromkeys(self.data[self.columns[0]]))
            across = [
                {"key": str(one), "label": terms.key(self.columns[0], one, language, self.labels), "numeric": True}
                for one in heads
            ]
            lines: dict[tuple, dict[object, str]] = {}
            for place, record in enumerate(self.data[list(self.rows)].itertuples(index=False, name=None)):
                lines.setdefault(record, {})[self.data[self.columns[0]].iloc[place]] = self.text(place, self.value)
            return [*keys, *across], [
                [
                    *(
                        terms.key(name, part, language, self.labels)
                        for name, part in zip(self.rows, record, strict=True)
                    ),
                    *(line.get(one, terms.MISSING[language]) for one in heads),
                ]
                for record, line in lines.items()
            ]
        figures = [
            {"key": one.name, "label": self._label(one, language), "numeric": one.unit != "text"}
            for one in self.measures
        ]
        return [*keys, *figures], [
            [
                *(terms.key(name, self.data[name].iloc[place], language, self.labels) for name in self.rows),
                *(self.text(place, one.name) for one in self.measures),
            ]
            for place in range(len(self.data))
        ]

    def _label(self, measure: Measure, language: str) -> str:
        """A figure's words, with its unit where the cells do not show it."""
        words = terms.word(measure.name, language, self.labels)
        return terms.text("disclosure.in_points", language, name=words) if measure.unit == "points" else words

    def notes(self, language: str = "zh") -> tuple[str, ...]:
        """What was done to the table, in plain words."""
        if not self.guarded:
            return ()
        key = "exact_rule" if self.exact else "rounding_rule"
        lines = [terms.text(f"disclosure.{key}", language, threshold=THRESHOLD, base=BASE)]
        states = {str(one) for column in self.figures_of.values() for one in column.state}
        lines += [terms.text("disclosure.hidden_rule", language, threshold=THRESHOLD)] if HIDDEN in states else []
        areas = "district" in (*self.rows, *self.columns)
        absent = areas and MISSING in self.figures_of[self.value].state
        lines += [terms.text("disclosure.missing", language)] if absent else []
        return tuple(lines)

    def summary(self, language: str = "zh") -> Any:
        """What the result finds, in a sentence of its own; else how much of it is shown."""
        if self.own_sentence is None:
            shown = sum(int((one.state == SHOWN).sum()) for one in self.figures_of.values())
            return terms.text("disclosure.summary", language, shown=shown, hidden=self.hidden)
        said = [sentence(key, language, **parts).strip() for key, parts in self.own_sentence(self, language)]
        nothing = terms.text("disclosure.too_few", language, threshold=THRESHOLD)
        return SafeSentence(MAKER, ("" if language == "zh" else " ").join(said) if said else nothing)

    def derive(self, value: float, unit: str, *, digits: int | None = None) -> "Figure":
        """A figure that stands in this view, in another unit: a key such as a time, or a figure that is shown.

        Raises:
            DisclosureError: the view does not hold the value.
        """
        held = self.data.apply(lambda column: pd.to_numeric(column, errors="coerce")).to_numpy(float)
        if not (held == value).any():
            raise terms.error(DisclosureError, "result.plain_number", name="derive", value=value)
        return made_figure(Measure("derived", unit, digits), value, SHOWN)

    def figures(self, **keys: object) -> dict[str, "Figure"]:
        """All figures of one row, by name."""
        return {name: self.figure(name, **keys) for name in self.values}

    def _rows(self, keys: Mapping[str, object]) -> pd.Series:
        at = pd.Series(True, index=self.data.index)
        for name, wanted in keys.items():
            if name not in (*self.rows, *self.columns):
                raise ParameterError(f"key {name!r}: {nearest(name, (*self.rows, *self.columns))}")
            at &= self.data[name].astype(str) == str(wanted)
        return at

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return show.bundle(self)


def view_of(result, measures, columns, guarded, *, language, words, exact) -> Protected:
    """The protected table of the figures."""
    across = tuple(one for one in (result.look.get("across"),) if one)
    rows = tuple(key for key in result.keys if key not in across)
    data = result.frame[[*rows, *across]].copy()
    for one in measures:
        words_of = result.frame[one.name].where(columns[one.name].state != HIDDEN) if one.unit == "text" else None
        data[one.name] = columns[one.name].value if words_of is None else words_of
    if result.chart == "survival":  # rounding may lift a curve a little; a share that stays never rises
        for name in ("ci_low", "ci_high", measures[0].name):
            curve = pd.Series(columns[name].value).groupby(result.frame[result.keys[0]].to_numpy()).cummin()
            columns[name] = replace(columns[name], value=curve.to_numpy())
            data[name] = curve.to_numpy()
    provenance = result.whole_provenance
    title = result.title
    if "." in title and " " not in title and title.partition(".")[2] in _catalogue(title.partition(".")[0]):
        title = terms.text(title, language, **{"area": "", "quarter": "", **words})
    return Protected(
        MAKER,
        data=data,
        rows=rows,
        columns=across,
        measures=tuple(measures),
        figures_of=columns,
        language=language,
        provenance=provenance,
        title=title,
        labels=_labels(measures, language),
        chart=result.chart,
        look={name: value for name, value in result.look.items() if name != "across"},
        methods=result.notes,
        guarded=bool(guarded.any()),
        exact=exact,
        own_sentence=result.sentence,
    )


def from_records(
    records: pd.DataFrame, *, by: str, language: str, provenance: Provenance, title: str = ""
) -> Protected:
    """The recorded figures of indicators as one table, protected as they were where they were computed.

    Args:
        records: indicator, the column `by`, and the columns RECORDED; one row a figure.
        by: what names a row of the table: "area" or "quarter".
        provenance: of the results that they were read from.

    Raises:
        DataError: there is no record.
    """
    if records.empty:
        raise terms.error(DataError, "result.nothing_recorded")
    keys, names = list(dict.fromkeys(records[by])), list(dict.fromkeys(records["indicator"]))
    columns: dict[str, Column] = {}
    measures: list[Measure] = []
    for place, name in enumerate(names):
        own = records[records["indicator"] == name].drop_duplicates(by).set_index(by).reindex(keys)
        unit, digits = own["unit"].dropna().iloc[0], own["digits"].dropna()
        of = (name, name) if unit in ("share", "points", "per_10000", "yuan") else ()
        measure = Measure(name, unit, int(digits.iloc[0]) if len(digits) else None, of=of)
        state = own["state"].fillna(MISSING).to_numpy(dtype=object)
        values = [own[one].to_numpy(float) for one in ("value", "limit", "error")]
        columns[name] = Column(values[0], state, values[1], values[2])
        measures.append(measure)
        if own["low"].notna().any():
            for end in ("low", "high"):
                shown = f"{'ci' if place == 0 else name}_{end}"
                columns[shown] = Column.plain(own[end])
                measures.append(replace(measure, name=shown))
    frame = pd.DataFrame({by: keys} | {name: one.value for name, one in columns.items()})
    result = Result(frame, (by,), measures, None, provenance, title=title)
    guarded = np.zeros(len(frame), dtype=bool)
    return view_of(result, measures, columns, guarded, language=language, words={}, exact=False)


def _labels(measures: Sequence[Measure], language: str) -> dict[str, str]:
    """The words of indicators, from their catalogue, and of measures that bring their own."""
    quoted = {name: one.name[language] for name, one in indicators.catalogue().items()}
    own = {one.name: one.label.split(" / ")[0 if language == "zh" else -1] for one in measures if one.label}
    own = {one.name: quoted[one.name] for one in measures if one.name in quoted} | own
    ends = {}
    for one in measures[1:]:  # the limits of the first figure's interval stand beside it as ci_low and ci_high
        base, _, end = one.name.rpartition("_")
        if end in ("low", "high") and base in {other.name for other in measures}:
            ends[one.name] = f"{own.get(base) or terms.word(base, language)} {terms.label(f'ci_{end}', language)}"
    return ends | own


def _catalogue(room: str) -> Mapping[str, Any]:
    try:
        return terms.catalogue(room)
    except ParameterError:  # plain words with a dot in them
        return {}
