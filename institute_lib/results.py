"""How a result shows itself in Jupyter: its sentence in both languages, its warnings, and its table.

A kernel that loads `charts` adds figures; nothing here draws, and nothing here enters a brief, which takes only what
disclosure control let through.
"""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from institute_lib import terms
from institute_lib.errors import ParameterError

ROWS = 20
STYLE = "border-left:3px solid #0f4c81;padding:.2em 1em;margin:.3em 0"
QUIET = "color:#55606c;margin:.2em 0"


class Result:
    """A result with `summary(language)`, `to_frame()` and `warnings` that is readable when a cell ends with it."""

    warnings: Sequence[str]
    summary: Callable[[str], str]
    to_frame: Callable[[], Any]

    def _repr_html_(self) -> str:
        zh, en = (escape(self.summary(language)) for language in terms.LANGUAGES)
        notes = "".join(f'<p style="{QUIET}">⚠ {escape(str(one))}</p>' for one in self.warnings)
        return f'<div style="{STYLE}"><p>{zh}</p><p style="{QUIET}">{en}</p>{notes}</div>{_table(self.to_frame())}'


def _table(frame: Any) -> str:
    """The first rows as an HTML table: headers in words, figures to four digits, nothing read as markup."""
    shown = frame.drop(columns="geometry", errors="ignore")
    rows = shown.head(ROWS).rename(columns=_header)
    named = not isinstance(rows.index, type(rows.reset_index().index))
    html = rows.to_html(border=0, index=named, na_rep=terms.MISSING["zh"], float_format="{:,.4g}".format)
    rest = len(shown) - len(rows)
    more = f'<p style="{QUIET}">{terms.text("labels.more_rows", "zh", n=terms.number(rest))}</p>' if rest else ""
    return html + more


def _header(name: Any) -> str:
    try:
        return terms.label(str(name), "zh")
    except ParameterError:  # a column of the reader's own
        return str(name)
