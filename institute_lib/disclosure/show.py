"""How a protected view reads: labels and formats by language, as rows of text for a page and cells for a CSV file."""

import html
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, ParameterError

TABLE_MIME = "application/vnd.institute.table+json"
MASK = "＊"
QUARTERS = ("quarter", "period", "treated_from", "partial_quarter", "start", "group")
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


def view(shown: Any, language: str, *, caption: str = "") -> dict[str, Any]:
    """A protected view as text: `caption`, `columns` (label, numeric), `rows`, `csv` (no live formula), `notes`."""
    columns, rows = shown.text_table(language)
    numeric = [column["numeric"] for column in columns]
    return {
        "caption": caption or shown.title,
        "columns": columns,
        "rows": rows,
        "csv": [[csv_text(column["label"]) for column in columns]]
        + [[csv_cell(cell, kind) for cell, kind in zip(row, numeric, strict=True)] for row in rows],
        "notes": list(shown.notes(language)),
        "source": shown.source,
        "demo": shown.demo,
        "protection": "round" if shown.guarded else "exact",
    }


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


def bundle(shown: Any) -> dict[str, Any]:
    """What a notebook cell shows: HTML for the screen, and for a brief the table in both languages."""
    views = {language: view(shown, language) for language in terms.LANGUAGES}
    return {
        TABLE_MIME: views,
        "text/html": to_html(views["zh"]),
        "text/plain": shown.summary("en"),
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
