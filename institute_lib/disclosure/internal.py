"""The unprotected table on a researcher's own screen: marked as internal, and of no type that a brief takes."""

from dataclasses import dataclass
from html import escape

import pandas as pd

from institute_lib import terms


@dataclass(frozen=True, eq=False)
class InternalTable:
    """A table as it is, for the screen only: it shows itself as HTML, and an exported brief leaves it behind."""

    table: pd.DataFrame
    title: str = ""
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        return self.table.copy()

    def summary(self, language: str = "zh") -> str:
        """The mark that stands over the table."""
        return terms.text("disclosure.internal", language)

    def _repr_html_(self) -> str:
        marks = " · ".join(escape(self.summary(language)) for language in terms.LANGUAGES)
        title = f"<p>{escape(self.title)}</p>" if self.title else ""
        return f"<p><strong>{marks}</strong></p>{title}{self.table.to_html(border=0, na_rep=terms.MISSING['zh'])}"


def internal(table: pd.DataFrame, *, title: str = "") -> InternalTable:
    """An unprotected table for a researcher's own screen, marked 内部; it does not survive the export of a brief."""
    return InternalTable(table.copy(), title)
