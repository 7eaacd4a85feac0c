"""Making a `SafeTable`: of cells with persons behind them, or of facts that need no protection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.disclosure.cells import COUNT, gather
from institute_lib.disclosure.linking import Part, Union, unite
from institute_lib.disclosure.rounding import controlled
from institute_lib.disclosure.sensitivity import DOMINANCE, P_PERCENT, PERSONS, judge, measures, shares_of, wholes
from institute_lib.disclosure.structure import equations
from institute_lib.disclosure.suppression import Measure, Pattern, solve
from institute_lib.disclosure.types import SafeTable
from institute_lib.disclosure.values import MAKER
from institute_lib.errors import DisclosureError, ParameterError, nearest
from institute_lib.result import provenance_of

METHODS = ("suppress", "round")


def protect(
    table: pd.DataFrame,
    *,
    rows: str | Sequence[str],
    columns: str | Sequence[str] = (),
    value: str | Sequence[str],
    contributors: str | None = None,
    weights: str | None = None,
    linked: Sequence[SafeTable | pd.DataFrame] = (),
    threshold: int = 10,
    method: str = "suppress",
    employers: str | None = None,
    largest: str | Sequence[str] = (),
    dominance: tuple[int, float] = DOMINANCE,
    p_percent: float = P_PERCENT,
    statistic: str = "sum",
    sensitive: bool = True,
    title: str = "",
    source: str = "",
    demo: bool | None = None,
    units: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> SafeTable:
    """A table that points at nobody, and from whose totals no hidden cell can be computed back.

    First the cells that point at persons are hidden (`reason` in `to_frame()` says why), then as few others as keep an
    attacker with all shown numbers, linked tables included, from bounding one of the first: a small count stays open
    from nobody to the threshold, a sum of money by a tenth either way. Shown figures, totals too, are the true ones.

    Totals are rows whose key says so ("total", 合计, All, …), a city among its districts, or a category that is the
    sum of all others wherever it stands.

    Args:
        table: one row a cell; or one row a person, when `value` is "count" (persons are counted); or one row a person
            or payment, when `contributors` names an identifier: `value` is summed (or averaged, see `statistic`).
        rows, columns: key columns; together they name a cell.
        value: the figure or figures to show, hidden together. A figure without `contributors` is a count of persons.
        contributors: column with the number of persons behind each cell (for a rate, its denominator); or of
            identifiers, when a row is a person.
        weights: column of survey weights, for one row a person: the weighted count is shown, the unweighted tested.
        linked: tables that share cells with this one. Of a SafeTable, which is out already, what it hides is hidden
            here and what it shows is known to the attacker. Plain tables of the same `value` and `contributors`
            (keys: their other columns) are protected together with this one, in one program; they are in `.linked`.
        threshold: the fewest persons a shown cell may rest on. A count of zero is shown; a rate of nobody is not there.
        method: "suppress" hides cells; "round" shows every count as a multiple of 5 that still adds up.
        employers: column with the number of employers behind each cell, or of their names; fewer than 3 hide it.
        largest: for sums of money by cell, the columns with the largest and second largest contribution.
        dominance: (n, k), n of 1 or 2: a cell is hidden when the n largest hold more than the share k.
        p_percent: a cell is hidden when the second largest could estimate the largest within this share.
        statistic: "sum" or "mean", for one row a person.
        sensitive: False where the figure says nothing of the persons (whether a field is filled in): shares then need
            a safe denominator only, and a group may lie in one cell.
        title, source, demo: for the caption and the line under it; `demo` is read from the table's attrs if left out.
        units, labels: column to unit ("share", "count", "number", "yuan", "text") and label, where not inferred.

    Raises:
        ParameterError: an unknown column or method, a threshold below 2, rates to be rounded, or rounded and
            suppressed tables linked.
        DisclosureError: two rows name the same cell, or a linked table gives a hidden cell away.

    Source of the method: Hundepool et al. (2012), Statistical Disclosure Control, ch. 4; Fischetti and
    Salazar-González (2001), Management Science 47(7), for the cells hidden beside the first.
    """
    rows, columns, values, largest = names_of(rows), names_of(columns), names_of(value), names_of(largest)
    counted = [name for name in values if not (name == COUNT and COUNT not in table)]
    check_columns(table, (*rows, *columns, *counted, contributors, weights, employers, *largest))
    _check_options(method, threshold, linked, weighted_counts=weights is not None and COUNT in counted)
    style = {"title": title, "source": source, "units": dict(units or {}), "labels": dict(labels or {})}
    style["demo"] = bool(provenance_of(table).demo if demo is None else demo)
    cells = gather(
        table,
        rows=rows,
        columns=columns,
        values=values,
        contributors=contributors,
        weights=weights,
        employers=employers,
        largest=largest,
        statistic=statistic,
    )
    shape = {"rows": rows, "columns": columns, "values": values, "threshold": threshold}
    if method == "round":
        return _rounded(cells, contributors or weights, shape, style)
    rules = {"dominance": dominance, "p_percent": p_percent, "sensitive": sensitive, "weighted": bool(weights)}
    first = _judged(cells, shape, contributors, style["units"], rules)
    plain = [one for one in linked if isinstance(one, pd.DataFrame)]
    others = [_judged(*_beside(one, shape, contributors), contributors, style["units"], rules) for one in plain]
    known = [one for one in linked if isinstance(one, SafeTable)]
    pattern, places = _suppress([first, *others], known, threshold)
    made = [_hide(one, pattern.hidden[at], pattern, style) for one, at in zip([first, *others], places, strict=True)]
    if len(made) > 1:
        object.__setattr__(made[0], "linked", tuple(made[1:]))
    return made[0]


@dataclass(frozen=True)
class _Judged:
    """A table's cells with the reason each is hidden for, before others are hidden beside them."""

    cells: pd.DataFrame
    shape: Mapping[str, Any]
    reasons: pd.Series
    shares: tuple[str, ...]
    wholes: list[list[int]]

    @property
    def keys(self) -> pd.DataFrame:
        return self.cells[[*self.shape["rows"], *self.shape["columns"]]]


def _judged(cells, shape, contributors, units, rules) -> _Judged:
    keys, values = (*shape["rows"], *shape["columns"]), shape["values"]
    shares = shares_of(cells, values, contributors, units) if rules["sensitive"] else ()
    distribution = rules["sensitive"] and contributors is None and not rules["weighted"] and len(values) == 1
    reasons = judge(
        cells,
        keys,
        values,
        threshold=shape["threshold"],
        shares=shares,
        dominance=rules["dominance"],
        p_percent=rules["p_percent"],
        distribution=distribution,
    )
    return _Judged(cells, shape, reasons, shares, wholes(cells, keys, shares, distribution))


def _beside(table: pd.DataFrame, shape: Mapping[str, Any], contributors: str | None) -> tuple[pd.DataFrame, dict]:
    """A linked plain table: its keys are the columns that are neither the figures nor the persons."""
    values = shape["values"]
    check_columns(table, (*values, contributors))
    keys = tuple(name for name in table if name not in (*values, contributors))
    cells = gather(
        table,
        rows=keys,
        columns=(),
        values=values,
        contributors=contributors,
        weights=None,
        employers=None,
        largest=(),
        statistic="sum",
    )
    return cells, {**shape, "rows": keys, "columns": ()}


def _suppress(tables: Sequence[_Judged], known: Sequence[SafeTable], threshold: int) -> tuple[Pattern, list]:
    """The pattern over the cells of all tables, and where each table's cells are in it."""
    parts = []
    for one in tables:
        marked = (one.reasons == "") & _hidden_elsewhere(one.keys, known)
        one.reasons[marked] = "linked"
        persons = one.cells[PERSONS].to_numpy(float)
        parts.append(Part(one.keys, persons, (one.reasons != "").to_numpy(), wholes=one.wholes))
    parts += [_fixed(one) for one in known if one.value == tables[0].shape["values"][0]]
    union = unite(parts)
    size, places = len(union.figures), union.places[: len(tables)]
    distances = []
    for one, at in zip(tables, places, strict=True):
        if not len(one.cells):  # a table without rows hides nothing
            continue
        if not len(at):
            raise DisclosureError("protect: a linked table shows other figures in the cells it shares with this one")
        lines = equations(one.keys, one.cells[PERSONS].to_numpy(float))
        for measure in measures(
            one.cells, one.shape["values"], one.reasons, lines, threshold=threshold, shares=one.shares
        ):
            distances.append(_spread(measure, at, union.figures if not distances else np.zeros(size)))
    given, allowed = np.array(union.given, bool), np.array(union.allowed, bool)
    pattern = solve(union.lines, distances, given=given, allowed=allowed, cost=_costs(union))
    if pattern.exposed and known:
        raise DisclosureError(
            f"protect: {len(pattern.exposed)} hidden cells follow from what the linked tables show; leave those tables "
            "out of the release, or merge the categories with few persons"
        )
    return pattern, places


def _fixed(safe: SafeTable) -> Part:
    hidden = safe.states.isin(["primary", "secondary"]).to_numpy()
    return Part(safe.data[[*safe.rows, *safe.columns]], safe.data[safe.value].to_numpy(float), hidden, fixed=True)


def _spread(measure: Measure, at: np.ndarray, elsewhere: Sequence[float]) -> Measure:
    """A table's measure over the cells of all tables."""
    values, down, up = np.array(elsewhere, float), np.zeros(len(elsewhere)), np.zeros(len(elsewhere))
    values[at], down[at], up[at] = measure.values, measure.down, measure.up
    return Measure(values, down, up)


def _costs(union: Union) -> np.ndarray:
    """As few cells as possible, of those the smallest, and totals last."""
    figures = np.array(union.figures)
    share = figures / max(figures.sum(), 1.0)
    totals = np.zeros(len(figures))
    for whole, parts in union.lines:
        totals[whole] = max(totals[whole], len(parts))
    return 1.0 + share + totals


def _hide(one: _Judged, hidden: np.ndarray, pattern: Pattern, style: Mapping[str, Any]) -> SafeTable:
    rows, columns, values, threshold = (one.shape[name] for name in ("rows", "columns", "values", "threshold"))
    states, reasons = _missing(one.cells[PERSONS]), one.reasons.copy()
    first = ~reasons.isin(["", "linked"])
    states[hidden] = "secondary"
    states[first] = "primary"
    reasons[hidden & (reasons == "").to_numpy()] = "complement"
    shown = one.cells[[*rows, *columns, *values]].copy()
    shown[list(values)] = shown[list(values)].mask(states.isin(["primary", "secondary"]))
    warnings = (terms.text("disclosure.exposed", "en", n=len(pattern.exposed)),) if pattern.exposed else ()
    return SafeTable(
        MAKER,
        data=shown,
        rows=rows,
        columns=columns,
        values=values,
        states=states,
        method="suppress",
        threshold=threshold,
        reasons=reasons,
        gap=pattern.gap,
        warnings=warnings,
        **style,
    )


def names_of(given: str | Sequence[str] | None) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)


def check_columns(table: pd.DataFrame, names: Sequence[str | None]) -> None:
    for name in names:
        if name is not None and name not in table:
            raise ParameterError(f"table: column {name!r}: {nearest(name, table.columns)}")


def _check_options(method: str, threshold: int, linked: Sequence[Any], *, weighted_counts: bool) -> None:
    if method not in METHODS:
        raise ParameterError(f"protect: method {method!r}: {nearest(method, METHODS)}")
    if threshold < 2:
        raise ParameterError(f"protect: threshold {threshold}: at least 2 persons stand behind a shown cell")
    if weighted_counts:
        raise ParameterError("protect: weights are for one row a person; the table holds counts already")
    for one in linked:
        if not isinstance(one, SafeTable | pd.DataFrame):
            raise ParameterError(f"protect: linked holds a {type(one).__name__}; allowed: SafeTable, DataFrame")
        other = getattr(one, "method", method)
        if {method, other} == set(METHODS):
            raise ParameterError(
                f"protect: method {method!r} beside a linked table with method {other!r}: what one rounds the other "
                "shows exactly; use one method for all tables of a release"
            )


def _missing(persons: pd.Series) -> pd.Series:
    return pd.Series(np.where(persons.isna(), "missing", "shown"), index=persons.index, dtype="str")


def _hidden_elsewhere(keys: pd.DataFrame, linked: Sequence[SafeTable]) -> pd.Series:
    """Cells of the same keys that a linked table hides."""
    found = pd.Series(False, index=keys.index)
    for other in linked:
        if {*other.rows, *other.columns} == set(keys.columns):
            gone = other.data.loc[other.states.isin(["primary", "secondary"]), list(keys.columns)]
            found |= pd.MultiIndex.from_frame(keys).isin(pd.MultiIndex.from_frame(gone))
    return found


def _rounded(cells: pd.DataFrame, rate_of: str | None, shape: Mapping[str, Any], style: Mapping[str, Any]) -> SafeTable:
    values, keys = shape["values"], cells[[*shape["rows"], *shape["columns"]]]
    if rate_of or ((cells[list(values)] - cells[list(values)].round()).abs() > 0).any(axis=None):
        raise ParameterError("protect: method 'round' is for counts of persons; rates take method='suppress'")
    shown = cells[[*keys.columns, *values]].copy()
    for name in values:
        figures = cells[name].to_numpy(float)
        there = np.flatnonzero(~np.isnan(figures))
        known = keys.iloc[there].reset_index(drop=True)
        shown[name] = shown[name].astype(float)
        shown.loc[shown.index[there], name] = controlled(figures[there], equations(known, figures[there]))
    states = _missing(cells[PERSONS])
    return SafeTable(MAKER, data=shown, states=states, method="round", **shape, **style)
