"""The protected view of a result: threshold and rounding, and everything else computed from what was rounded.

A count of persons under 10, zero included, reads "<10"; every other one is rounded to the nearest 5, and where the rest
of its whole is under 10 it reads as a bound. Shares, figures per 10,000, their intervals and changes are computed from
the rounded counts; money and quantiles need ten persons, three employers and no dominant one. So no subtraction between
tables, areas or quarters gives a small count, and no table need know of another one.

The kind of rule that OpenSAFELY asks of its users ("redact counts of seven or fewer, then round to the nearest five"),
here with a threshold of ten.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from institute_lib import areas, terms
from institute_lib.disclosure.figures import ABOVE, BELOW, HIDDEN, LEVEL, MAKER, MISSING, SHOWN
from institute_lib.disclosure.totals import Line, equations, is_total
from institute_lib.disclosure.view import BASE, THRESHOLD, Column, Protected, view_of
from institute_lib.errors import DisclosureError
from institute_lib.result import Measure, Result
from institute_lib.retention.intervals import exact_rate, normal_quantile, wilson

FEWEST_VALUES = 3  # that a "<10" cell keeps beside its total; else the total is rounded to ten
EMPLOYERS, DOMINANT = 3, 0.5
YUAN_STEP, EXACT_YUAN = 50, 10_000
CLOSED = re.compile(r"True|False|\d{4}-\d\d-\d\d|(?:19|20)\d\dQ[1-4]")  # texts that are no words: days, quarters
BAND = re.compile(r"[<>≤≥]?\d{1,2}(?:[-–~至]\d{1,2})?\+?(?:岁|年|及|以上|以下)*")
QUARTER_OR_FLAG = re.compile(r"|[A-Za-z]|True|False|(?:19|20)\d\d(?:Q[1-4]|-\d\d)?")
AREA_CODE = re.compile(r"(\d{6})(?:\d{3}|\d{6})?")
LARGEST_STEP = 100  # a number up to this one, or a year, is a step of a scale and points at nobody


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
            if true[parts].sum() != true[total]:  # rows of no known place are missing: nothing follows by subtraction
                continue
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
    made = view_of(result, measures, columns, guarded, language=language, words=dict(words or {}), exact=exact)
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
