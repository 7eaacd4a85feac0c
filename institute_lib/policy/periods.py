"""The calendar of a panel: quarters ("2024Q4") or whole numbers (years), as consecutive integers and back.

Years may be written as text, as files without types hold them; they come back as numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from institute_lib.errors import DataError

QUARTER = r"\d{4}Q[1-4]"
YEAR = r"\d{4}"


@dataclass(frozen=True)
class Calendar:
    """How a panel writes its periods; `ordinal` counts them, `label` writes them as the panel does."""

    quarterly: bool

    def ordinals(self, values: Sequence[Any] | pd.Series, *, name: str) -> np.ndarray:
        """Consecutive integers, NaN where missing.

        Raises:
            DataError: a value is not a period of this calendar.
        """
        values = pd.Series(values)
        known = values.notna()
        found = np.full(len(values), np.nan)
        if not known.any():
            return found
        if self.quarterly:
            text = values[known].astype(str)
            wrong = text[~text.str.fullmatch(QUARTER)]
            if len(wrong):
                raise DataError(f"{name}: {wrong.iloc[0]!r} is not a quarter; write quarters as '2024Q4'")
            found[known] = text.str[:4].astype(int) * 4 + text.str[5].astype(int) - 1
            return found
        numbers = pd.to_numeric(values[known], errors="coerce").astype(float)
        broken = numbers.isna() | (np.isfinite(numbers) & (numbers != numbers.round()))
        if broken.any():
            first = values[known][broken].iloc[0]
            raise DataError(f"{name}: {first!r} is not a whole number, as the panel's other periods are")
        found[known] = numbers
        return found

    def ordinal(self, value: Any, *, name: str) -> int:
        """One period as an integer.

        Raises:
            DataError: missing, or not a period of this calendar.
        """
        found = self.ordinals([value], name=name)[0]
        if not np.isfinite(found):
            raise DataError(f"{name}: {value!r} is not a period; write {'2024Q4' if self.quarterly else 'a year'}")
        return int(found)

    def label(self, ordinal: float) -> str | int:
        """The period as the panel writes it."""
        return f"{int(ordinal) // 4}Q{int(ordinal) % 4 + 1}" if self.quarterly else int(ordinal)

    def labels(self, ordinals: Sequence[float]) -> list[str | int]:
        return [self.label(one) for one in ordinals]


def calendar_of(values: pd.Series, *, name: str) -> Calendar:
    """The calendar that a column of periods is written in.

    Raises:
        DataError: neither quarters nor whole numbers.
    """
    known = values.dropna()
    if isinstance(known.dtype, pd.PeriodDtype) or (len(known) and known.map(type).eq(pd.Period).all()):
        return Calendar(quarterly=True)
    if pd.api.types.is_numeric_dtype(known) and not pd.api.types.is_bool_dtype(known):
        return Calendar(quarterly=False)
    text = known.astype(str)
    if text.str.fullmatch(QUARTER).all():
        return Calendar(quarterly=True)
    if text.str.fullmatch(YEAR).all():
        return Calendar(quarterly=False)
    wrong = text[~text.str.fullmatch(QUARTER)].iloc[0]
    raise DataError(f"{name}: {wrong!r} is neither a quarter ('2024Q4') nor a whole number (a year)")
