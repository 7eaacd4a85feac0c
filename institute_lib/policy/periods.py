"""The calendar of a panel: how it writes its periods, and how far apart they are.

Quarters are "2024Q4", pandas' own quarters, or the codes 20244 and 202404; months are codes such as 202311; everything
else that is a whole number counts as it stands. Days are refused: nobody said which quarter a day stands for.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from institute_lib.errors import DataError

QUARTER, WHOLE = r"\d{4}Q[1-4]", r"[+-]?\d+(\.0+)?"
QUARTER_CODE, MONTH_CODE = r"(19|20)\d{2}[1-4]", r"(19|20)\d{2}(0[1-9]|1[0-2])"
EXACT = 2**53  # beyond, floating point cannot tell neighbours apart
FREQUENCIES = ("Q", "Y")
AGGREGATE = "aggregate to quarters first (.dt.to_period('Q') gives them), or to years"


@dataclass(frozen=True)
class Calendar:
    """How a panel writes its periods.

    base: by which a code counts on to the next year (10 for 20231, 100 for 202301); 0 for plain whole numbers.
    length: periods in a year of such codes. quarterly: written "2024Q4".
    """

    quarterly: bool = False
    base: int = 0
    length: int = 1

    @property
    def year(self) -> int:
        """Periods in a year."""
        return 4 if self.quarterly else self.length

    def ordinals(self, values: Sequence[Any] | pd.Series, *, name: str) -> np.ndarray:
        """Consecutive integers as floating point, NaN where missing.

        Raises:
            DataError: a value is not a period of this calendar.
        """
        values = pd.Series(values)
        known = values.notna()
        found = np.full(len(values), np.nan)
        if not known.any():
            return found
        text = values[known].astype(str)
        if self.quarterly:
            wrong = ~text.str.fullmatch(QUARTER)
            if wrong.any():
                raise DataError(f"{name}: {text[wrong].iloc[0]!r} is not a quarter; write quarters as '2024Q4'")
            found[known] = text.str[:4].astype(int) * 4 + text.str[5].astype(int) - 1
            return found
        numbers = pd.to_numeric(text, errors="coerce").to_numpy(float)
        wrong = np.isnan(numbers) | (np.isfinite(numbers) & (numbers != np.round(numbers)))
        if wrong.any():
            first = values[known][wrong].tolist()[0]
            raise DataError(f"{name}: {plain(first)} is not a whole number, as the panel's other periods are")
        large = np.isfinite(numbers) & (np.abs(numbers) > EXACT)
        if large.any():
            raise DataError(
                f"{name}: {text[large].iloc[0]} is too large to be told from its neighbours; number the periods 1, 2, 3"
            )
        found[known] = numbers
        coded = known.to_numpy() & np.isfinite(found) & (found > 0)
        if self.base:
            found[coded] = found[coded] // self.base * self.length + found[coded] % self.base - 1
        return found

    def ordinal(self, value: Any, *, name: str) -> int:
        """One period as an integer.

        Raises:
            DataError: missing, or not a period of this calendar.
        """
        found = self.ordinals([value], name=name)[0]
        if not np.isfinite(found):
            raise DataError(f"{name}: {plain(value)} is not a period; write {'2024Q4' if self.quarterly else 'a year'}")
        return int(found)

    def label(self, ordinal: float) -> str | int:
        """The period as the panel writes it."""
        one = int(ordinal)
        if self.quarterly:
            return f"{one // 4}Q{one % 4 + 1}"
        return one // self.length * self.base + one % self.length + 1 if self.base else one

    def labels(self, ordinals: Sequence[float]) -> list[str | int]:
        return [self.label(one) for one in ordinals]


def plain(value: Any) -> str:
    """A value as a reader would write it: text in quotes, numbers and dates without their type."""
    return repr(value) if isinstance(value, str) else str(value)


def calendar_of(values: pd.Series, *, name: str) -> Calendar:
    """The calendar that a column of periods is written in.

    Raises:
        DataError: neither quarters nor whole numbers.
    """
    known = values.dropna().drop_duplicates()
    if isinstance(known.dtype, pd.PeriodDtype) or (len(known) and known.map(type).eq(pd.Period).all()):
        frequency = str(known.iloc[0].freqstr)
        if frequency[0] not in FREQUENCIES:
            raise DataError(f"{name}: {known.iloc[0]} has frequency {frequency!r}: {AGGREGATE}")
        return Calendar(quarterly=frequency[0] == "Q")
    text = known.astype(str)
    if text.str.fullmatch(QUARTER).all():
        return Calendar(quarterly=True)
    numbers = pd.to_numeric(text, errors="coerce")
    whole = text.str.fullmatch(WHOLE) | (np.isfinite(numbers) & (numbers == numbers.round()))
    if not whole.all() or pd.api.types.is_bool_dtype(known):
        wrong = text[~whole].iloc[0] if not whole.all() else text.iloc[0]
        dated = isinstance(known.iloc[0], datetime.date)
        raise DataError(
            f"{name}: {wrong!r} is neither a quarter ('2024Q4') nor a whole number (a year){'; ' if dated else ''}"
            f"{AGGREGATE if dated else ''}"
        )
    code = text.str.replace(r"\.0+$", "", regex=True)
    if code.str.fullmatch(QUARTER_CODE).all():
        return Calendar(base=10, length=4)
    if code.str.fullmatch(MONTH_CODE).all():
        quarters = code.str[-2:].astype(int).max() <= 4 and code.str[:4].nunique() > 1
        return Calendar(base=100, length=4 if quarters else 12)
    return Calendar()
