"""The protected view of a result: threshold and rounding, and everything else computed from what was rounded.

A count of persons under 10, zero included, reads "<10"; every other one is rounded to the nearest 5, and where the rest
of its whole is under 10 it reads as a bound. Shares, figures per 10,000, their intervals and changes are computed from
the rounded counts; money and quantiles need ten persons, three employers and no dominant one. So no subtraction between
tables, areas or quarters gives a small count, and no table need know of another one.

The kind of rule that OpenSAFELY asks of its users ("redact counts of seven or fewer, then round to the nearest five"),
here with a threshold of ten.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import areas, indicators, terms
from institute_lib.disclosure import show
from institute_lib.disclosure.structure import Line, equations, is_total
from institute_lib.disclosure.types import SafeTable
from institute_lib.disclosure.values import MAKER, SafeFigure, SafeSentence
from institute_lib.errors import DataError, DisclosureError, ParameterError, nearest
from institute_lib.result import Measure, Provenance, Result
from institute_lib.retention.intervals import exact_rate, normal_quantile, wilson

THRESHOLD, BASE = 10, 5
FEWEST_VALUES = 3  # that a "<10" cell keeps beside its total; else the total is rounded to ten
EMPLOYERS, DOMINANT = 3, 0.5
YUAN_STEP, EXACT_YUAN = 50, 10_000
CLOSED = re.compile(r"True|False|\d{4}-\d\d-\d\d|(?:19|20)\d\dQ[1-4]")  # texts that are no words: days, quarters
BAND = re.compile(r"[<>≤≥]?\d{1,2}(?:[-–~至]\d{1,2})?\+?(?:岁|年|及|以上|以下)*")
QUARTER_OR_FLAG = re.compile(r"|[A-Za-z]|True|False|(?:19|20)\d\d(?:Q[1-4]|-\d\d)?")
AREA_CODE = re.compile(r"(\d{6})(?:\d{3}|\d{6})?")
LARGEST_STEP = 100  # a number up to this one, or a year, is a step of a scale and points at nobody
SHOWN, BELOW, ABOVE, HIDDEN, MISSING, LEVEL = "shown", "below", "above", "hidden", "missing", "level"
RECORDED = ("value", "state", "limit", "error", "unit", "digits", "low", "high")  # what is kept of a figure for others
DIGITS = {"count": 0, "share": 1, "points": 1, "yuan": 0, "per_10000": 1, "ratio": 2, "number": 2}
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


def nearest_multiple(values: np.ndarray, base: float) -> np.ndarray:
    """To the nearest multiple, halves up."""
    return np.floor(np.asarray(values, float) / base + 0.5) * base


def three_digits(values: np.ndarray) -> np.ndarray:
    """To three significant digits."""
    known = np.asarray(values, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 10.0 ** (np.floor(np.log10(np.abs(known))) - 2)
        return np.where(np.isfinite(known) & (known != 0), np.round(known / scale) * scale, known)


def money_steps(values: np.ndarray) -> np.ndarray:
    """Steps of 50 yuan, from 10,000 yuan up three digits."""
    known = np.asarray(values, float)
    return np.where(np.abs(known) < EXACT_YUAN, nearest_multiple(known, YUAN_STEP), three_digits(known))


class Counts:
    """The counts of persons behind a result, each rounded once: whatever is computed takes the same rounded count."""

    def __init__(self, frame: pd.DataFrame, keys: Sequence[str], *, exact: bool) -> None:
        self.frame, self.keys, self.exact = frame, list(keys), exact
        self._rounded: dict[str, np.ndarray] = {}

    def true(self, name: str) -> np.ndarray:
        return pd.to_numeric(self.frame[name]).to_numpy(float, na_value=np.nan)

    def lines(self, name: str) -> list[Line]:
        """Which rows add up to which, by their keys or because their figures do."""
        return equations(self.frame[self.keys].astype(str), self.true(name)) if self.keys else []

    def rest(self, name: str, whole: str = "") -> np.ndarray:
        """What is left of each count's whole; infinite where it is part of none."""
        true = self.true(name)
        rest = self.true(whole) - true if whole else np.full(len(true), np.inf)
        for total, parts in self.lines(name):
            rest[parts] = np.fmin(rest[parts], true[total] - true[parts])
        return rest

    def rounded(self, name: str) -> np.ndarray:
        """To the nearest 5; a total to the nearest 10 where a small part of it would keep too few possible values."""
        if name in self._rounded:
            return self._rounded[name]
        true = self.true(name)
        rounded = true if self.exact else nearest_multiple(true, BASE)
        small = true < THRESHOLD
        low = np.where(small, 0, rounded - BASE // 2)
        high = np.where(small, THRESHOLD - 1, rounded + BASE // 2)
        for total, parts in () if self.exact else self.lines(name):
            for part in (one for one in parts if small[one] and not small[total]):
                others = [one for one in parts if one != part]
                least = max(0, low[total] - high[others].sum())
                most = min(THRESHOLD - 1, high[total] - low[others].sum())
                if most - least + 1 < FEWEST_VALUES:
                    rounded[total] = nearest_multiple(true[total], 2 * BASE)
        self._rounded[name] = rounded
        return rounded

    def column(self, name: str, whole: str = "") -> Column:
        """The count as it is shown."""
        true, shown = self.true(name), self.rounded(name).copy()
        state = np.full(len(true), SHOWN, dtype=object)
        limit = np.full(len(true), np.nan)
        bounded = self.rest(name, whole) < THRESHOLD
        # A part of a column's whole is bounded by that whole, one that only a total of the table leaves so by itself.
        nearly = self.true(whole) - true < THRESHOLD if whole else np.zeros(len(true), dtype=bool)
        least = np.where(nearly, self.rounded(whole), shown) if whole else shown
        state[bounded], limit[bounded] = ABOVE, np.maximum(THRESHOLD, least - 3 * BASE)[bounded]
        small = true < THRESHOLD
        state[small], limit[small] = BELOW, THRESHOLD
        state[np.isnan(true)] = MISSING
        shown[state != SHOWN] = np.nan
        return Column(shown, state, limit, np.full(len(true), BASE / 2))


def protected(
    result: Result, *, language: str = "zh", words: Mapping[str, str] | None = None, exact: bool = False
) -> "Protected":
    """What of a result may be shown.

    Args:
        result: figures of persons, of places or published ones; rows whose provenance is published, or in which no
            table of persons was read, are shown exactly.
        language: of its words.
        words: what is filled into its title, such as area and quarter.
        exact: for internal use: counts from 10 up as they are. Small groups may then follow by subtraction.

    Raises:
        DisclosureError: a text in a row about persons is not one of the closed vocabularies.
    """
    guarded = np.array([one.personal and not one.published for one in result.row_provenance()][: len(result.frame)])
    counts = Counts(result.frame, result.keys, exact=exact)
    columns: dict[str, Column] = {}
    measures: list[Measure] = []
    for place, measure in enumerate(result.measures):
        found = _figures(measure, result, counts, columns, guarded)
        prefix = "ci" if place == 0 else measure.name
        for suffix, column in found.items():
            name = measure.name if not suffix else f"{prefix}_{suffix}"
            columns[name] = column
            label = measure.label if not suffix else ""
            measures.append(replace(measure, name=name, interval="", of=measure.of, label=label))
    made = _made(result, measures, columns, guarded, language=language, words=dict(words or {}), exact=exact)
    return _without_few(made, result, counts, guarded, language)


def _without_few(made: "Protected", result: Result, counts: Counts, guarded: np.ndarray, language: str) -> "Protected":
    """The view without the rows of few persons whose keys could name them: ids, names, amounts and days.

    Raises:
        DisclosureError: no row of persons is left.
    """
    if not result.persons or not guarded.any():
        return made
    few = guarded & (counts.true(result.persons) < THRESHOLD)
    gone = np.zeros(len(few), dtype=bool)
    for key in result.keys:
        values = result.frame[key]
        most = pd.Series(counts.true(result.persons)).groupby(values.astype(str).to_numpy()).transform("max").to_numpy()
        opened = np.array([not is_closed(key, one) for one in values], dtype=bool)
        gone |= few & opened & (most < THRESHOLD)
    if not gone.any():
        return made
    if gone.all():
        raise terms.error(
            DisclosureError, "disclosure.few_behind_keys", column=", ".join(result.keys), threshold=THRESHOLD
        )
    note = terms.text("disclosure.left_out", language, n=int(gone.sum()), threshold=THRESHOLD)
    return replace(made._at(~gone), made_by=MAKER, methods=(*made.methods, note))


def is_closed(name: str, value: object) -> bool:
    """Whether a key is one of a fixed set of categories, which names nobody: no id, name, amount or day of a person.

    >>> [is_closed("kind", one) for one in ("agency", "320613", "2025Q4", 7, "20-29", "DEMO-000001", 5012.0)]
    [True, True, True, True, True, False, False]
    """
    if value is None or isinstance(value, bool | np.bool_ | pd.Period | pd.Interval) or pd.isna(value):
        return True
    if isinstance(value, int | float | np.number):
        return bool(abs(value) <= LARGEST_STEP or (2000 <= value <= 2100 and float(value).is_integer()))
    text, known = str(value), terms.catalogue("labels")
    for part in re.split(r":|\[T?\.?|\]", re.sub(r"^C\((\w+)\)", r"\1", text)):
        code = AREA_CODE.fullmatch(part)
        fixed = QUARTER_OR_FLAG.fullmatch(part) or BAND.fullmatch(part) or part in known or f"{name}_{part}" in known
        if not (fixed or is_total(part) or areas.is_known(code[1] if code else part)):
            return False
    return True


def _figures(
    measure: Measure, result: Result, counts: Counts, columns: Mapping[str, Column], guarded: np.ndarray
) -> dict[str, Column]:
    """The figure ("") and, where it has one, its interval ("low", "high")."""
    frame, ends = result.frame, ("low", "high")
    if measure.unit == "text":
        _check_texts(frame[measure.name][guarded], measure.name)
        known = frame[measure.name].notna().to_numpy()
        blank = np.full(len(frame), np.nan)
        texts = Column(blank, np.where(known, SHOWN, MISSING).astype(object), blank, np.zeros(len(frame)))
        return {"": _hidden_where(texts, guarded & _few(result, counts)) if result.persons else texts}
    estimated = measure.statistic == "estimate"
    if measure.unit == "points" and not estimated:
        return {"": _change(*(columns[name] for name in measure.of))}
    plain = {"": Column.plain(frame[measure.name])}
    if measure.interval == "given":
        plain |= {end: Column.plain(frame[f"{measure.name}_{end}"]) for end in ends}
    elif measure.interval:
        low, high = _interval(measure.interval, *(counts.true(name) for name in measure.of[:2]))
        plain |= {"low": Column.plain(low), "high": Column.plain(high)}
    if not guarded.any() or (measure.unit == "count" and measure.counts != "persons"):
        return plain
    if measure.unit == "count":
        found = {"": counts.column(measure.name, *measure.of[:1])}
    elif estimated:
        found = {suffix: replace(one, value=three_digits(one.value)) for suffix, one in plain.items()}
    elif measure.unit in ("share", "per_10000"):
        found = _rate(measure, counts)
    elif measure.unit == "yuan" or measure.of:
        found = {"": _amount(measure, counts)}
    else:
        found = {suffix: replace(one, value=three_digits(one.value)) for suffix, one in plain.items()}
    few = _few(result, counts) if measure.unit != "count" else np.zeros(len(frame), dtype=bool)
    return {suffix: _hidden_where(one, few).where(guarded, plain[suffix]) for suffix, one in found.items()}


def _few(result: Result, counts: Counts) -> np.ndarray:
    """The rows behind which too few stand; of a model all levels of a term of which one is too small."""
    few = counts.true(result.persons) < THRESHOLD
    if result.events:
        few |= counts.true(result.events) < THRESHOLD
        few = pd.Series(few).groupby(result.frame[result.keys[0]].to_numpy()).transform("any").to_numpy()
    if result.residual is not None and result.residual < THRESHOLD:
        few = np.ones(len(few), dtype=bool)
    return few


def _rate(measure: Measure, counts: Counts) -> dict[str, Column]:
    """A share or a figure per 10,000, of rounded counts; a bound where its numerator or its complement is small."""
    part, whole = measure.of[:2]
    scale = 10_000.0 if measure.unit == "per_10000" else 1.0
    top, bottom = counts.rounded(part), counts.rounded(whole)
    true_top, true_bottom = counts.true(part), counts.true(whole)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = scale * top / bottom
        # An effective count changes when somebody leaves; its bound is of the fewest at risk, who are never more.
        least = counts.rounded(measure.of[2] if len(measure.of) > 2 else whole)
        limit = scale * THRESHOLD / (least - (0 if counts.exact else BASE // 2))
        error = scale * (BASE / 2) * (1 + top / bottom) / bottom
    state = np.full(len(value), SHOWN, dtype=object)
    complement = true_bottom - true_top
    if measure.unit == "share" and measure.interval != "poisson":
        nearly_all = (complement >= 0) & (complement < THRESHOLD)
        state[nearly_all] = ABOVE
    state[true_top < THRESHOLD] = BELOW
    limit = np.where(state == ABOVE, scale - limit, limit)
    state[(true_bottom < THRESHOLD) | ((state != SHOWN) & ~((limit > 0) & (limit < scale)))] = HIDDEN
    state[np.isnan(true_top) | np.isnan(true_bottom)] = MISSING
    shown = state == SHOWN
    error = np.zeros(len(value)) if counts.exact else error
    found = {"": Column(np.where(shown, value, np.nan), state, np.where(shown, np.nan, limit), error)}
    if measure.interval:
        for end, values in zip(("low", "high"), _interval(measure.interval, top, bottom), strict=True):
            blank = np.full(len(value), np.nan)
            kept = np.where(shown, scale * values, np.nan)
            found[end] = Column(kept, np.where(shown, SHOWN, HIDDEN).astype(object), blank, error)
            found[end].state[state == MISSING] = MISSING
    return found


def _interval(method: str, top: np.ndarray, bottom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A 95 % interval of top / bottom: exact Poisson, Wilson's, or log(−log) of effective counts (Rothman 1978)."""
    if method == "poisson":
        return exact_rate(top, bottom)
    if method == "wilson":
        return wilson(np.minimum(top, bottom), bottom)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = top / bottom
        half = normal_quantile() * np.sqrt((1 - share) / (share * bottom)) / np.abs(np.log(share))
        low, high = share ** np.exp(half), share ** np.exp(-half)
    inside = (share > 0) & (share < 1)
    return np.where(inside, low, share), np.where(inside, high, share)


def _amount(measure: Measure, counts: Counts) -> Column:
    """Money and quantiles: of ten persons, of three employers where they are known, none of them dominant."""
    frame, people = counts.frame, counts.true(measure.of[0])
    known = counts.true(measure.name)
    steps = money_steps if measure.unit == "yuan" else three_digits
    if measure.statistic == "sum":  # the rounded count times the mean that is shown
        with np.errstate(divide="ignore", invalid="ignore"):
            value = counts.rounded(measure.of[0]) * steps(known / people)
    else:
        value = steps(known)
    state = np.where(people >= THRESHOLD, SHOWN, HIDDEN).astype(object)
    if measure.employers:
        state[frame[measure.employers].to_numpy(float) < EMPLOYERS] = HIDDEN
    if measure.largest:
        state[frame[measure.largest].to_numpy(float) > DOMINANT] = HIDDEN
    state[np.isnan(known)] = MISSING
    step = YUAN_STEP / 2 if measure.unit == "yuan" else 0.0
    blank = np.full(len(value), np.nan)
    return Column(np.where(state == SHOWN, value, np.nan), state, blank, np.full(len(value), step))


def _change(later: Column, earlier: Column) -> Column:
    """The difference of two figures as they are shown; within the rounding of both it reads as unchanged."""
    value, error = later.value - earlier.value, later.error + earlier.error
    both = (later.state == SHOWN) & (earlier.state == SHOWN)
    state = np.where(both, np.where(np.abs(value) <= error, LEVEL, SHOWN), HIDDEN).astype(object)
    state[(later.state == MISSING) | (earlier.state == MISSING)] = MISSING
    return Column(np.where(state == SHOWN, value, np.nan), state, np.full(len(value), np.nan), error)


def _hidden_where(column: Column, few: np.ndarray) -> Column:
    gone = few & (column.state != MISSING)
    blank = np.where(gone, np.nan, column.value)
    return replace(
        column, value=blank, state=np.where(gone, HIDDEN, column.state), limit=np.where(gone, np.nan, column.limit)
    )


def _check_texts(texts: pd.Series, name: str) -> None:
    """
    Raises:
        DisclosureError: a text that no catalogue of labels knows, in a row about persons.
    """
    known = terms.catalogue("labels")
    for text in texts.dropna().astype(str).unique():
        if CLOSED.fullmatch(text) or (AREA_CODE.fullmatch(text) and areas.is_known(text[:6])):
            continue
        if text not in known and f"{name}_{text}" not in known:
            raise terms.error(DisclosureError, "disclosure.free_text", column=name, text=text)


@dataclass(frozen=True, eq=False)
class Protected(SafeTable):
    """A result as it may be shown, in one language: what a chart draws, a table lists and a sentence quotes.

    `data` holds the keys and the figures that are shown, NaN for the others; `columns_of` says of every figure whether
    it is shown, a bound, hidden or missing. `measures` are the figures' units, `provenance` what was read.
    """

    figures_of: Mapping[str, Column] = None  # type: ignore[assignment]
    measures: tuple[Measure, ...] = ()
    language: str = "zh"
    chart: str = "table"
    look: Mapping[str, Any] = None  # type: ignore[assignment]
    methods: tuple[str, ...] = ()
    provenance: Provenance = None  # type: ignore[assignment]
    guarded: bool = True
    exact: bool = False
    own_sentence: Any = None

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
        return made_figure(measure, value, state, limit=limit, error=error, demo=self.demo, source=self.source)

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
        rows = {"data": self.data[at], "states": self.states[at], "reasons": self.reasons[at]}
        return replace(self, made_by=MAKER, figures_of=parts, **rows)

    def number(self) -> "Figure":
        """How many rows the table has."""
        return made_figure(Measure("rows", "count"), len(self.data), SHOWN, demo=self.demo, source=self.source)

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
        return made_figure(measure, float(np.nansum(self.figures_of[name].value)), SHOWN, demo=self.demo)

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
        return SafeSentence(MAKER, show.key("level" if key in ("before", "after") else key, value, self.language))

    def words(self, key: str, /, **parts: Any) -> SafeSentence:
        """A phrase of the catalogues, filled with figures and names of this view."""
        from institute_lib.disclosure.figures import sentence

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
            return show.key(name, self.data[name].iloc[place], self.language, self.labels)
        one = made_figure(
            measure, column.value[place], str(column.state[place]), limit=float(column.limit[place]), error=0.0
        )
        return one.cell(self.language)

    def text_table(self, language: str) -> show.Table:
        """Columns and rows of text; wide where one key stands across."""
        style = show.Style(language, self.labels)
        if self.columns:
            heads = list(dict.fromkeys(self.data[self.columns[0]]))
            columns = [{"key": name, "label": style.label(name), "numeric": False} for name in self.rows]
            columns += [
                {"key": str(one), "label": show.key(self.columns[0], one, language), "numeric": True} for one in heads
            ]
            lines: dict[tuple, dict[object, str]] = {}
            for place, record in enumerate(self.data[list(self.rows)].itertuples(index=False, name=None)):
                lines.setdefault(record, {})[self.data[self.columns[0]].iloc[place]] = self.text(place, self.value)
            rows = [
                [style.cell(name, part, "text") for name, part in zip(self.rows, record, strict=True)]
                + [line.get(one, terms.MISSING[language]) for one in heads]
                for record, line in lines.items()
            ]
            return columns, rows, []
        columns = [{"key": name, "label": style.label(name), "numeric": False} for name in self.rows]
        columns += [
            {"key": one.name, "label": style.label(one.name, one.unit), "numeric": one.unit != "text"}
            for one in self.measures
        ]
        rows = [
            [style.cell(name, self.data[name].iloc[place], "text") for name in self.rows]
            + [self.text(place, one.name) for one in self.measures]
            for place in range(len(self.data))
        ]
        return columns, rows, []

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
        from institute_lib.disclosure.figures import sentence

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
        return made_figure(Measure("derived", unit, digits), value, SHOWN, demo=self.demo, source=self.source)


@dataclass(frozen=True)
class Figure(SafeFigure):
    """One protected figure: a number, a bound, or the fact that it is not shown.

    Attributes:
        state: "shown", "below", "above", "level" (of a change: within the rounding), "hidden" or "missing".
        limit: the bound; error: how far rounding may have moved the value.
    """

    state: str = SHOWN
    limit: float = math.nan
    error: float = 0.0
    digits: int | None = None

    def cell(self, language: str) -> str:
        """The figure in a table's cell."""
        if self.state == MISSING:
            return terms.MISSING[language]
        if self.state == HIDDEN:
            return show.MASK
        if self.state == LEVEL:
            return terms.text("labels.nearly_unchanged", language)
        value = self.value if self.state == SHOWN else self.limit
        sign = {SHOWN: "", BELOW: "<", ABOVE: "≥" if self.unit == "count" else ">"}[self.state]
        if self.unit in ("share", "points"):
            digits = 1 if self.digits is None else self.digits
            scaled = 100 * value
            if sign == "<":  # a bound is rounded to the side on which it stays true
                scaled = math.ceil(scaled * 10**digits - 1e-9) / 10**digits
            elif sign == ">":
                scaled = math.floor(scaled * 10**digits + 1e-9) / 10**digits
            return f"{sign}{terms.number(scaled, language, digits)}" + ("%" if self.unit == "share" else "")
        digits = DIGITS[self.unit] if self.digits is None else self.digits
        return sign + terms.number(value, language, digits)

    def words(self, language: str = "zh") -> str:
        """The figure in a sentence."""
        if self.state == HIDDEN:
            return terms.text("disclosure.not_listed", language)
        if self.unit == "points" and self.state == SHOWN:
            return terms.points(self.value, language)
        if self.state in (BELOW, ABOVE):
            key = "below_words" if self.state == BELOW else "above_words"
            return terms.text(f"disclosure.{key}", language, limit=self.cell(language).lstrip("<>≥"))
        return self.cell(language)

    def bare(self, language: str = "zh") -> SafeSentence:
        """The figure without the sign or the words of its unit, for a sentence that says them."""
        return SafeSentence(MAKER, self.cell(language).removesuffix("%"))

    def __abs__(self) -> "Figure":
        return replace(self, made_by=MAKER, value=None if self.value is None else abs(self.value))

    def __sub__(self, other: "Figure") -> "Figure":
        """A change from one figure to another of the same job, as it may be said."""
        unit = "points" if self.unit == "share" else self.unit
        measure = Measure("change", unit, self.digits, of=("a", "b"))
        state, value = HIDDEN, None
        if MISSING in (self.state, other.state):
            state = MISSING
        elif self.state == other.state == SHOWN:
            value = self.value - other.value
            state = LEVEL if abs(value) <= self.error + other.error else SHOWN
            value = value if state == SHOWN else None
        return made_figure(measure, value, state, error=self.error + other.error, demo=self.demo or other.demo)

    def to_json(self) -> dict[str, Any]:
        """What a result keeps of it for others."""
        return {
            "value": self.value,
            "unit": self.unit,
            "state": self.state,
            "limit": None if math.isnan(self.limit) else self.limit,
            "error": self.error,
            "digits": self.digits,
        }


STATUS = {SHOWN: "shown", LEVEL: "shown", MISSING: "missing", BELOW: "primary", ABOVE: "primary", HIDDEN: "primary"}


def made_figure(
    measure: Measure,
    value: float | None,
    state: str,
    *,
    limit: float = math.nan,
    error: float = 0.0,
    demo: bool = False,
    source: str = "",
) -> Figure:
    """A figure of the protected view; a whole count is an int."""
    plain = None if value is None or not math.isfinite(value) else float(value)
    if plain is not None and measure.unit == "count" and plain.is_integer():
        plain = int(plain)
    reason = "few_persons" if STATUS[state] == "primary" else ""
    return Figure(
        MAKER, plain, measure.unit, STATUS[state], reason, THRESHOLD, source, demo, state, limit, error, measure.digits
    )


def _made(result, measures, columns, guarded, *, language, words, exact) -> Protected:
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
    first = columns[measures[0].name].state
    provenance = result.whole_provenance
    title = result.title
    if "." in title and " " not in title and title.partition(".")[2] in _catalogue(title.partition(".")[0]):
        title = terms.text(title, language, **{"area": "", "quarter": "", **words})
    return Protected(
        MAKER,
        data=data,
        rows=rows,
        columns=across,
        values=tuple(one.name for one in measures),
        states=pd.Series(
            np.where(first == MISSING, "missing", np.where(first == SHOWN, "shown", "primary")), dtype="str"
        ),
        method="round",
        threshold=THRESHOLD,
        title=title,
        source=provenance.cite(language),
        demo=provenance.demo,
        units={one.name: _show_unit(one) for one in measures},
        labels=_labels(measures, language),
        figures_of=columns,
        measures=tuple(measures),
        language=language,
        chart=result.chart,
        look={name: value for name, value in result.look.items() if name != "across"},
        methods=result.notes,
        provenance=provenance,
        guarded=bool(guarded.any()),
        exact=exact,
        own_sentence=result.sentence,
    )


def from_records(
    records: pd.DataFrame, *, by: str, language: str, provenance: Provenance, title: str = "", chart: str = "table"
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
    result = Result(frame, (by,), measures, None, provenance, title=title, chart=chart)
    guarded = np.zeros(len(frame), dtype=bool)
    return _made(result, measures, columns, guarded, language=language, words={}, exact=False)


def _labels(measures: Sequence[Measure], language: str) -> dict[str, str]:
    """The words of indicators, from their catalogue, and of measures that bring their own."""
    quoted = {name: one.name[language] for name, one in indicators.catalogue().items()}
    own = {one.name: one.label.split(" / ")[0 if language == "zh" else -1] for one in measures if one.label}
    own = {one.name: quoted[one.name] for one in measures if one.name in quoted} | own
    ends = {}
    for one in measures[1:]:  # the limits of the first figure's interval stand beside it as ci_low and ci_high
        base, _, end = one.name.rpartition("_")
        if end in ("low", "high") and base in {other.name for other in measures}:
            ends[one.name] = f"{own.get(base) or show.label(base, language)} {terms.label(f'ci_{end}', language)}"
    return ends | own


def _show_unit(measure: Measure) -> str:
    if measure.unit in SHOW_UNITS and measure.digits in (0, 1, 2):
        return f"number{measure.digits}"
    return SHOW_UNITS.get(measure.unit, measure.unit)


def _catalogue(room: str) -> Mapping[str, Any]:
    try:
        return terms.catalogue(room)
    except ParameterError:  # plain words with a dot in them
        return {}
