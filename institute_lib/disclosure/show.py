"""A protected view as rows of text for a page, and as cells for a CSV file that no spreadsheet runs."""

import html
import re
from collections.abc import Mapping
from typing import Any

from institute_lib import terms

TABLE_MIME = "application/vnd.institute.table+json"
MASK = "＊"
FORMULA = tuple("=+-@\t\r\n＝＋－＠")


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
