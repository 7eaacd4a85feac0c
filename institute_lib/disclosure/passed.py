"""Tables that pass as they are: without a person behind a cell, or of figures that were protected before."""

from collections.abc import Mapping, Sequence

import pandas as pd

from institute_lib.disclosure import show
from institute_lib.disclosure.tables import check_columns, names_of
from institute_lib.disclosure.types import SafeTable
from institute_lib.disclosure.values import HIDDEN, MAKER
from institute_lib.errors import DisclosureError, ParameterError, nearest

REASONS = ("published", "not_personal")


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
    measure: str = "number",
) -> SafeTable:
    """A table that needs no protection: a published fact, or one with no person behind a cell (stations, boundaries).

    Args:
        frame: one row a cell, or any table. Columns that neither `rows`, `columns` nor `value` name are left out.
        reason: "published" (then `source` says where) or "not_personal".
        rows, value: by default the columns that are not numbers, and those that are.
        measure: of a table of effects, "share" where the outcome is one: they read in percentage points.

    Raises:
        ParameterError: an unknown reason, column or measure.
        DisclosureError: no source, or a column that identifies persons.
    """
    if reason not in REASONS:
        raise ParameterError(f"exempt: reason {reason!r}: {nearest(reason, REASONS)}")
    if not source:
        raise DisclosureError("exempt: give the source of the table; without one it must be protected")
    columns = names_of(columns)
    numeric = [
        name
        for name in frame
        if pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
    ]
    values = names_of(value) if value is not None else tuple(name for name in numeric if name not in columns)
    rows = names_of(rows) if rows is not None else tuple(c for c in frame if c not in (*numeric, *columns))
    check_columns(frame, (*rows, *columns, *values))
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
        units=show.effect_units(measure, "exempt") | dict(units or {}),
        labels=dict(labels or {}),
    )


def recorded(
    figures: pd.DataFrame,
    *,
    rows: str,
    columns: Sequence[str],
    title: str = "",
    source: str = "",
    demo: bool = False,
    units: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> SafeTable:
    """A table of figures that studies recorded, each protected when it was recorded.

    It counts for the ledger as protected, not as exempt: what it shows is weighed with all that was ever released.

    Args:
        figures: `runs.results(…).figures()`: `rows`, name, value, status, reason and, for units not given, unit.
        rows: the key column, such as "area".
        columns: the names to show, one column each.

    Raises:
        DisclosureError: figures that carry no status, so that nobody knows whether they were protected.
    """
    check_columns(figures, (rows, "name", "value"))
    if not {"status", "reason"} <= set(figures):
        raise DisclosureError("recorded: figures without status and reason; pass what runs.results(…).figures() gives")
    listed = figures[figures["name"].isin(columns)].drop_duplicates([rows, "name"])
    wide = listed.pivot(index=rows, columns="name", values="value").reindex(columns=list(columns))
    hidden = listed[listed["status"].isin(HIDDEN)]
    known = dict(zip(listed["name"], listed["unit"], strict=True)) if "unit" in listed else {}
    known = {name: unit for name, unit in known.items() if unit} | dict(units or {})
    reasons = hidden.drop_duplicates(rows).set_index(rows)["reason"].reindex(wide.index).fillna("")
    return SafeTable(
        MAKER,
        data=wide.reset_index().rename_axis(columns=None),
        rows=(rows,),
        columns=(),
        values=tuple(columns),
        states=pd.Series("shown", index=range(len(wide)), dtype="str"),
        method="suppress",
        threshold=10,
        title=title,
        source=source,
        demo=demo,
        units={name: known[name] for name in columns if name in known},
        labels=dict(labels or {}),
        reasons=reasons.reset_index(drop=True).astype("str"),
    )
