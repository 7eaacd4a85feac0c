"""Making a `SafeTable`: of cells with persons behind them, or of facts that need no protection."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from institute_lib.disclosure.suppression import complement
from institute_lib.disclosure.types import MAKER, SafeTable
from institute_lib.errors import DisclosureError, ParameterError, nearest

COUNT = "count"
BASE = 5  # counts are rounded to multiples of this
MIN_EMPLOYERS = 3
METHODS = ("suppress", "round")
REASONS = ("published", "not_personal")


def protect(
    table: pd.DataFrame,
    *,
    rows: str | Sequence[str],
    columns: str | Sequence[str] = (),
    value: str | Sequence[str],
    contributors: str | None = None,
    weights: str | None = None,
    linked: Sequence[SafeTable] = (),
    threshold: int = 10,
    method: str = "suppress",
    employers: str | None = None,
    title: str = "",
    source: str = "",
    demo: bool | None = None,
    units: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> SafeTable:
    """A table in which no cell rests on fewer than `threshold` persons, and no total gives a hidden cell away.

    Totals are rows whose key is "total", or a city's code among the codes of its districts.

    Args:
        table: one row a cell; or one row a person, when `value` is "count" (persons are counted) or `contributors`
            names an identifier (`worker_id`: distinct ones are counted).
        rows, columns: key columns; together they name a cell.
        value: the figure or figures to show, hidden together. A figure without `contributors` is a count of persons.
        contributors: column with the number of persons behind each cell; for a rate, its denominator.
        weights: column of survey weights, for one row a person: the weighted count is shown, the unweighted tested.
        linked: tables already made that share cells with this one: what is hidden there is hidden here.
        threshold: the fewest persons a shown cell may rest on. A count of zero is shown; a rate of nobody is not there.
        method: "suppress" hides cells; "round" shows counts to the nearest 5 instead.
        employers: column with the number of employers behind each cell; fewer than 3 hide it.
        title, source, demo: for the caption and the line under it; `demo` is read from the table's attrs if left out.
        units, labels: column to unit ("share", "count", "number", "yuan", "text") and label, where not inferred.

    Raises:
        ParameterError: an unknown column or method, a threshold below 2, or rates to be rounded.
        DisclosureError: two rows name the same cell.

    Source of the method: Hundepool et al. (2012), Statistical Disclosure Control, ch. 4 (threshold rule, secondary
    suppression, rounding).
    """
    rows, columns, values = _names(rows), _names(columns), _names(value)
    counted = [name for name in values if not (name == COUNT and COUNT not in table)]
    _known(table, (*rows, *columns, *counted, contributors, weights, employers))
    _check_options(method, threshold, weighted_counts=weights is not None and COUNT in counted)
    cells = _cells(table, (*rows, *columns), values, contributors, weights)
    demo = table.attrs.get("source") == "demo" if demo is None else demo
    persons = cells["__persons__"]
    if method == "round":
        shown, states = _rounded(cells, values, contributors), _missing(persons)
    else:
        small = (persons > 0) & (persons < threshold)
        if employers:
            small |= (cells[employers] > 0) & (cells[employers] < MIN_EMPLOYERS)
        beside = _hidden_elsewhere(cells[[*rows, *columns]], linked)
        states = _missing(persons)
        states[complement(cells[[*rows, *columns]], persons, small | beside, threshold) | beside] = "secondary"
        states[small] = "primary"
        shown = cells.copy()
        shown[list(values)] = shown[list(values)].mask(states.isin(["primary", "secondary"]))
    return SafeTable(
        MAKER,
        data=shown[[*rows, *columns, *values]],
        rows=rows,
        columns=columns,
        values=values,
        states=states,
        method=method,
        threshold=threshold,
        title=title,
        source=source,
        demo=bool(demo),
        units=dict(units or {}),
        labels=dict(labels or {}),
    )


def exempt(
    frame: pd.DataFrame,
    *,
    reason: str,
    source: str,
    rows: str | Sequence[str] | None = None,
    columns: str | Sequence[str] = (),
    value: str | Sequence[str] | None = None,
    title: str = "",
    demo: bool | None = None,
    units: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> SafeTable:
    """A table that needs no protection: a published fact, or one with no person behind a cell (stations, boundaries).

    Args:
        frame: one row a cell, or any table. Columns that neither `rows`, `columns` nor `value` name are left out.
        reason: "published" (then `source` says where) or "not_personal".
        rows, value: by default the columns that are not numbers, and those that are.

    Raises:
        ParameterError: an unknown reason or column.
        DisclosureError: no source, or a column that identifies persons.
    """
    if reason not in REASONS:
        raise ParameterError(f"exempt: reason {reason!r}: {nearest(reason, REASONS)}")
    if not source:
        raise DisclosureError("exempt: give the source of the table; without one it must be protected")
    columns = _names(columns)
    numeric = [
        name
        for name in frame
        if pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
    ]
    values = _names(value) if value is not None else tuple(name for name in numeric if name not in columns)
    rows = _names(rows) if rows is not None else tuple(c for c in frame if c not in (*numeric, *columns))
    _known(frame, (*rows, *columns, *values))
    personal = [name for name in (*rows, *columns, *values) if name in ("worker_id", "person_id", "candidate_id")]
    if personal:
        raise DisclosureError(f"exempt: column {personal[0]!r} identifies persons; use disclosure.protect")
    values = values or rows[-1:]
    return SafeTable(
        MAKER,
        data=pd.DataFrame(frame[list(dict.fromkeys((*rows, *columns, *values)))]),
        rows=tuple(name for name in rows if name not in values),
        columns=columns,
        values=values,
        states=pd.Series("exempt", index=frame.index, dtype="str"),
        method="exempt",
        threshold=0,
        title=title,
        source=source,
        demo=bool(frame.attrs.get("source") == "demo" if demo is None else demo),
        reason=reason,
        units=dict(units or {}),
        labels=dict(labels or {}),
    )


def _names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)


def _known(table: pd.DataFrame, names: Sequence[str | None]) -> None:
    for name in names:
        if name is not None and name not in table:
            raise ParameterError(f"table: column {name!r}: {nearest(name, table.columns)}")


def _check_options(method: str, threshold: int, *, weighted_counts: bool) -> None:
    if method not in METHODS:
        raise ParameterError(f"protect: method {method!r}: {nearest(method, METHODS)}")
    if threshold < 2:
        raise ParameterError(f"protect: threshold {threshold}: at least 2 persons stand behind a shown cell")
    if weighted_counts:
        raise ParameterError("protect: weights are for one row a person; the table holds counts already")


def _cells(table, keys, values, contributors, weights) -> pd.DataFrame:
    """One row a cell, with the persons behind it in `__persons__`."""
    by_person = values == (COUNT,) and COUNT not in table
    if by_person:
        grouped = table.groupby(list(keys), sort=False, observed=True, dropna=False)
        persons = grouped[contributors].nunique() if contributors else grouped.size()
        shown = grouped[weights].sum() if weights else persons
        return pd.DataFrame({COUNT: shown, "__persons__": persons}).reset_index()
    cells = table.reset_index(drop=True)
    twice = cells.duplicated(list(keys))
    if twice.any():
        record = dict(zip(keys, cells.loc[twice.idxmax(), list(keys)], strict=True))
        raise DisclosureError(
            f"protect: two rows name the cell {record}; add the missing key to rows or columns, or pass value='count'"
        )
    persons = cells[contributors] if contributors else cells[list(values)].min(axis=1)
    if not contributors and (persons.dropna() != persons.dropna().round()).any():
        raise ParameterError(
            f"protect: {values[0]!r} is no count of persons; name the column that counts them with contributors="
        )
    if not pd.api.types.is_numeric_dtype(persons):
        raise ParameterError(f"protect: contributors {contributors!r} must be a number of persons a cell")
    return cells.assign(__persons__=persons.astype(float))


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


def _rounded(cells, values, contributors) -> pd.DataFrame:
    figures = cells[list(values)]
    if contributors or ((figures - figures.round()).abs() > 0).any(axis=None):
        raise ParameterError("protect: method 'round' is for counts of persons; rates take method='suppress'")
    return cells.assign(**{name: np.round(cells[name] / BASE) * BASE for name in values})
