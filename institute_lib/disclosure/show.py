"""How a safe table reads: labels and formats by language, as rows of text for a page and cells for a CSV file."""

import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.disclosure.types import TABLE_MIME, SafeResult, SafeTable
from institute_lib.errors import DataError, ParameterError

MASK = "＊"
SHARES = re.compile(r"(^|_)(share|rate|stay_rate|percent)$")
QUARTERS = ("quarter", "period", "treated_from", "partial_quarter", "start", "group")
PATHS = ("unit", "period")  # the keys of a result's paths of many units
SIZES = ("att", "estimate", "gain", "gap", "se", "pre_rmspe", "detectable")
SIZES += ("ci_low", "ci_high", "band_low", "band_high")
LEVELS = ("observed", "counterfactual")
MEASURES = ("number", "share")
FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def label(name: str, language: str, own: Mapping[str, str] | None = None, *, column: str = "") -> str:
    """The label of a column, or of a category of `column`: the table's own, the shared labels, else the name itself."""
    if own and name in own:
        return own[name]
    if " + " in name:  # levels that were merged, each by its own words
        return " + ".join(label(part, language, own, column=column) for part in name.split(" + "))
    for room, key in (("labels", f"{column}_{name}"), ("labels", name), ("disclosure", f"column_{name}")):
        found = _entry(room, key)
        if found:
            return found[language]
    return name.replace("_", " ")


def _entry(room: str, key: str) -> dict[str, str] | None:
    try:
        return terms.catalogue(room).get(key)
    except ParameterError:  # the room has no catalogue
        return None


def key(name: str, value: object, language: str, own: Mapping[str, str] | None = None) -> str:
    """A key of a table in words: a district's name, a quarter, a category's label, the total."""
    text = str(value)
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        text = terms.MISSING[language]
    elif own and text in own:
        text = own[text]
    elif text in ("True", "False"):
        text = terms.text("disclosure.yes" if text == "True" else "disclosure.no", language)
    elif isinstance(value, pd.Timestamp):
        text = terms.date(value, language)
    elif isinstance(value, pd.Period) or (name in QUARTERS and re.fullmatch(r"\d{4}Q[1-4]", text)):
        text = terms.quarter(value, language)
    elif isinstance(value, str) and re.fullmatch(r"\d{6}(\d{3})?", text):
        text = _area(text, language)
    elif re.fullmatch(r"(?=.*[a-z])[a-z0-9_]+", text):
        text = label(text, language, own, column=name)
    return text


@cache
def _area(code: str, language: str) -> str:
    from institute_lib import areas

    try:
        if len(code) > len("320613"):  # a town of the statistical list
            names = areas.towns(code[:6]).set_index("town")["name"]
            return str(names.get(code, code))
        return areas.get(code).name(language)
    except (ParameterError, DataError):  # digits that are no area: shown as they stand
        return code


def effect_units(measure: str, place: str) -> dict[str, str]:
    """Column to unit in tables of effects: of a share its levels are shares, and effects percentage points.

    Raises:
        ParameterError: a measure other than "number" and "share".
    """
    if measure not in MEASURES:
        raise ParameterError(f"{place}: measure {measure!r}: {' or '.join(MEASURES)}, for effects of policies")
    return dict.fromkeys(SIZES, "points") | dict.fromkeys(LEVELS, "share") if measure == "share" else {}


def number(value: object, unit: str, language: str) -> str:
    """A figure in its unit, "points" as a difference of shares without the word; a dash when there is none."""
    if value is None or pd.isna(value):
        return terms.MISSING[language]
    if unit == "share":
        return terms.percent(float(value), language)
    if unit == "points":
        return terms.number(100 * float(value), language, 1)
    if unit in ("count", "yuan"):
        return terms.number(float(value), language)
    if unit == "integer":
        return terms.number(float(value), language).replace(",", "")
    return terms.number(float(value), language, int(unit.removeprefix("number") or 3))


def unit(name: str, column: pd.Series, units: Mapping[str, str]) -> str:
    """The unit of a column: as stated, else by its name and type; "number3" is a number with three decimals."""
    if name in units:
        return units[name]
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        return "text"
    if SHARES.search(name):
        return "share"
    if name in ("relative_period", "period", "year", "horizon"):
        return "integer"
    known = column.dropna().astype(float)
    known = known[np.isfinite(known)]
    if len(known) and (known == known.round()).all():
        return "count"
    largest = float(known.abs().max()) if len(known) else 1.0
    return f"number{min(max(3 - math.ceil(math.log10(largest)), 0), 5)}" if largest > 0 else "number2"


def view(safe: SafeTable | SafeResult, language: str, *, caption: str = "", frame: str | None = None) -> dict[str, Any]:
    """The table as text: `caption`, `columns` (label, numeric), `rows`, `csv` (no live formula), `notes`.

    A table with column keys and one figure is shown wide, one column a key; so are the paths of many units of a
    result; others as they stand.
    """
    if isinstance(safe, SafeResult):
        table, style = safe.tables[frame] if frame else safe.to_frame(), Style(language, safe.names, safe.units)
        shown = pd.Series("shown", index=table.index)
        paths = tuple(table)[:2] == PATHS and len(table.columns) == 3
        columns, rows, notes = _wide(table, PATHS[:1], PATHS[1], shown, style) if paths else _long(table, style)
    elif hasattr(safe, "text_table"):  # the protected view of a result knows how each of its figures reads
        columns, rows, notes = safe.text_table(language)
    elif len(safe.columns) == 1 and len(safe.values) == 1:
        style = Style(language, safe.labels, safe.units)
        columns, rows, notes = _wide(
            safe.data[[*safe.rows, *safe.columns, safe.value]], safe.rows, *safe.columns, safe.states, style
        )
    else:
        keys = (*safe.rows, *safe.columns)
        style = Style(language, safe.labels, {**dict.fromkeys(keys, "text"), **safe.units})
        # In a row whose figures were judged one by one, the one that is not there is the hidden one.
        states = safe.states.mask((safe.states == "shown") & (safe.reasons != ""), "partly")
        columns, rows, notes = _long(safe.data[[*keys, *safe.values]], style, hidden=(safe.values, states))
    numeric = [column["numeric"] for column in columns]
    return {
        "caption": caption or safe.title,
        "columns": columns,
        "rows": rows,
        "csv": [[csv_text(column["label"]) for column in columns]]
        + [[csv_cell(cell, kind) for cell, kind in zip(row, numeric, strict=True)] for row in rows],
        "notes": [*notes, *safe.notes(language)],
        "source": safe.source,
        "demo": safe.demo,
        "figures": figures(safe, frame),
    }


def figures(safe: SafeTable | SafeResult, frame: str | None = None) -> dict[str, Any]:
    """What the table publishes, for the ledger of all published numbers: one record a figure, hidden ones empty.

    Returns:
        method ("suppress", "round", "exempt" or "result"), checked (False: the persons behind it are not known) and
        records of keys, indicator, unit, value (None where hidden) and status.
    """
    if isinstance(safe, SafeResult):
        table = safe.tables[frame] if frame else safe.to_frame()
        values = [name for name in table if pd.api.types.is_numeric_dtype(table[name])]
        states, method, units = ["shown"] * len(table), "result", safe.units
    else:
        table, values, states, method, units = safe.data, list(safe.values), safe.states, safe.method, safe.units
    values = [name for name in values if pd.api.types.is_numeric_dtype(table[name])]
    keys = [name for name in table if name not in values]
    records = [
        {
            "keys": {name: str(row[name]) for name in keys},
            "indicator": name,
            "unit": unit(name, table[name], units),
            "value": None if pd.isna(row[name]) else float(row[name]),
            "status": state,
        }
        for row, state in zip(table.to_dict("records"), states, strict=True)
        for name in values
    ]
    return {"method": method, "checked": not getattr(safe, "unchecked", False), "records": records}


@dataclass(frozen=True)
class Style:
    """The language and the table's own labels and units: all that a cell needs to become text."""

    language: str
    labels: Mapping[str, str]
    units: Mapping[str, str] = field(default_factory=dict)

    def label(self, name: str, kind: str = "text") -> str:
        """Its words, with the unit where the cells do not show it."""
        words = label(name, self.language, self.labels)
        return terms.text("disclosure.in_points", self.language, name=words) if kind == "points" else words

    def cell(self, name: str, value: object, kind: str, state: str = "shown") -> str:
        if state in ("primary", "secondary") or (state == "partly" and pd.isna(value)):
            return MASK
        if state == "missing":
            return terms.text("disclosure.not_reported", self.language)
        if kind == "text":
            return key(name, value, self.language, self.labels)
        return number(value, kind, self.language)


Table = tuple[list[dict[str, Any]], list[list[str]], list[str]]  # columns, rows, and what must be said of them


def _long(frame: pd.DataFrame, style: Style, hidden: tuple[Sequence[str], pd.Series] | None = None) -> Table:
    """Rows in the frame's own order: keys in words, figures in their units; `hidden` says which values are gone."""
    values, states = hidden or ((), pd.Series("shown", index=frame.index))
    kinds = {name: unit(name, frame[name], style.units) for name in frame}
    columns = [
        {"key": name, "label": style.label(name, kind), "numeric": kind != "text"} for name, kind in kinds.items()
    ]
    rows = [
        [
            style.cell(name, value, kinds[name], state if name in values else "shown")
            for name, value in zip(kinds, record, strict=True)
        ]
        for record, state in zip(frame.itertuples(index=False, name=None), states, strict=True)
    ]
    return columns, rows, []


def _wide(frame: pd.DataFrame, keys: Sequence[str], across: str, states: pd.Series, style: Style) -> Table:
    """One row a row key, one column a column key, in order of appearance; the figure is the last column."""
    value = frame.columns[-1]
    kind = unit(value, frame[value], style.units)
    heads = list(dict.fromkeys(frame[across]))
    columns = [{"key": name, "label": style.label(name), "numeric": False} for name in keys] + [
        {"key": str(head), "label": style.cell(across, head, "text"), "numeric": True} for head in heads
    ]
    cells: dict[tuple, dict[object, str]] = {}
    records = frame[list(keys)].itertuples(index=False, name=None)
    for record, head, figure, state in zip(records, frame[across], frame[value], states, strict=True):
        cells.setdefault(record, {})[head] = style.cell(value, figure, kind, state)
    rows = [
        [style.cell(name, part, "text") for name, part in zip(keys, record, strict=True)]
        + [line.get(head, terms.MISSING[style.language]) for head in heads]
        for record, line in cells.items()
    ]
    return columns, rows, [terms.text("disclosure.all_in_points", style.language)] if kind == "points" else []


def csv_cell(text: str, numeric: bool) -> str:
    """A shown cell as a CSV cell: plain digits for a figure, and for text nothing a spreadsheet would run."""
    if numeric:
        plain = text.replace(",", "").replace("−", "-")
        if re.fullmatch(r"-?\d+(\.\d+)?%?", plain):
            return plain
    return csv_text(text)


def csv_text(text: str) -> str:
    """Text that a spreadsheet does not run: a leading = + - @ or control character gets an apostrophe."""
    return f"'{text}" if text.lstrip(" \ufeff\u200b").startswith(FORMULA) or text.startswith(("\t", "\r")) else text


def bundle(safe: SafeTable | SafeResult) -> dict[str, Any]:
    """What a notebook cell shows: HTML for the screen, and for a brief the table in both languages."""
    views = {language: view(safe, language) for language in terms.LANGUAGES}
    return {
        TABLE_MIME: views,
        "text/html": to_html(views["zh"]),
        "text/plain": safe.summary("en"),
    }


def to_html(table: Mapping[str, Any]) -> str:
    """A plain HTML table, everything in it escaped."""
    esc = html.escape
    head = "".join(f'<th scope="col">{esc(column["label"])}</th>' for column in table["columns"])
    body = "".join("<tr>" + "".join(f"<td>{esc(cell)}</td>" for cell in row) + "</tr>" for row in table["rows"])
    notes = "".join(f"<p>{esc(note)}</p>" for note in table["notes"])
    return (
        f"<table><caption>{esc(table['caption'])}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>{notes}"
    )
