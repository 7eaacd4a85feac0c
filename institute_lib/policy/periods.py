"""The calendar of a panel: quarters ("2024Q4") or whole numbers (years), as consecutive integers and back.

Whole numbers may be written as text, as files without types hold them; they come back as numbers. pandas' own quarters
and years are read as what they are; days and months are refused, because nobody said which quarter a day stands for.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from institute_lib.errors import DataError

QUARTER = r"\d{4}Q[1-4]"
WHOLE = r"-?\d+"
FREQUENCIES = {"Q": True, "Y": False}
AGGREGATE = "aggregate to quarters first (.dt.to_period('Q') gives them), or to years"


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
        plain = values[known].map(lambda one: str(one) if isinstance(one, pd.Period) else one)
        numbers = pd.to_numeric(plain, errors="coerce").astype(float)
        broken = numbers.isna() | (np.isfinite(numbers) & (numbers != numbers.round()))
        if broken.any():
            first = values[known][broken].tolist()[0]
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
        frequency = str(known.iloc[0].freqstr)
        if frequency[0] not in FREQUENCIES:
            raise DataError(f"{name}: {known.iloc[0]} has frequency {frequency!r}: {AGGREGATE}")
        return Calendar(quarterly=FREQUENCIES[frequency[0]])
    if pd.api.types.is_numeric_dtype(known) and not pd.api.types.is_bool_dtype(known):
        return Calendar(quarterly=False)
    text = known.astype(str)
    if text.str.fullmatch(QUARTER).all():
        return Calendar(quarterly=True)
    if text.str.fullmatch(WHOLE).all():
        return Calendar(quarterly=False)
    wrong = text[~text.str.fullmatch(QUARTER)].iloc[0]
    dated = isinstance(known.iloc[0], datetime.date)
    raise DataError(
        f"{name}: {wrong!r} is neither a quarter ('2024Q4') nor a whole number (a year){'; ' if dated else ''}"
        f"{AGGREGATE if dated else ''}"
    )
