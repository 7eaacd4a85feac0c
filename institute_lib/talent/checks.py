"""What the analyses share: checks of their input, each breach named with its row and column, and a base of results."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from institute_lib import areas, terms
from institute_lib.errors import DataError, Fault, ParameterError, nearest
from institute_lib.retention.intervals import wilson

DIGITS = "write digits; a bound stands in a column of its own"
TOTAL = "total"
SUPERVISORS = ("supervisor_trainee", "supervisor")  # the titles of who supervises


class Framed:
    """A result whose figures stand in `frame`; a notebook's cell that ends with it shows them."""

    frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def _repr_html_(self) -> Any:
        return self.frame._repr_html_()


def require(frame: pd.DataFrame, columns: Iterable[str], *, table: str) -> None:
    """Refuse a table that lacks a column.

    Raises:
        DataError: naming every missing column.
    """
    missing = [column for column in columns if column not in frame]
    if missing:
        raise DataError(f"table {table!r} lacks columns: {', '.join(missing)}; it has {', '.join(map(str, frame))}")


def refuse(table: str, *faults: Iterable[Fault]) -> None:
    """Raise what the checks below found, all of it at once.

    Raises:
        DataError: with one `Fault` for each breach.
    """
    found = tuple(dict.fromkeys(fault for part in faults for fault in part))
    if found:
        raise DataError(f"table {table!r} holds values that cannot be (faults: {len(found)})", found)


def not_numbers(frame: pd.DataFrame, columns: Iterable[str], *, table: str) -> list[Fault]:
    """Texts where a number is needed (`>17000`: a bound is no number), and numbers below zero."""
    faults = []
    for column in columns:
        values = pd.to_numeric(frame[column], errors="coerce")
        text = values.isna() & frame[column].notna()
        faults += _faults(frame, text, column, table=table, rule="a number", remedy=DIGITS)
        faults += _faults(frame, values < 0, column, table=table, rule="a number from 0 up")
    return faults


def above(frame: pd.DataFrame, part: str, whole: str, *, table: str) -> list[Fault]:
    """Rows in which a part is larger than its whole."""
    numbers = frame[[part, whole]].apply(pd.to_numeric, errors="coerce").astype("float64")
    return _faults(frame, numbers[part] > numbers[whole], part, table=table, rule=f"{part} is at most {whole}")


def unknown_levels(frame: pd.DataFrame, column: str, allowed: Iterable[str], *, table: str) -> list[Fault]:
    """Values outside the levels of a column."""
    known = tuple(allowed)
    return _faults(frame, ~frame[column].isin(known), column, table=table, rule=f"allowed: {', '.join(known)}")


def stated_once(facts: pd.DataFrame, indicator: str) -> pd.Series:
    """The row of the published facts (`areas.reference("other_facts")`) that states an indicator, by its name there.

    Raises:
        DataError: no row does, or several.
    """
    rows = facts[facts["indicator"] == indicator]
    if len(rows) != 1:
        raise DataError(f"other_facts: {indicator} stands {len(rows)} times, not once")
    return rows.iloc[0]


def _faults(
    frame: pd.DataFrame, broken: pd.Series, column: str, *, table: str, rule: str, remedy: str = ""
) -> list[Fault]:
    """One fault a broken row; rows are counted as an office sees them, below one header row."""
    rows = frame["source_row"] if "source_row" in frame else pd.Series(range(2, len(frame) + 2), frame.index)
    chosen = broken.fillna(False).to_numpy(bool)
    values = frame.loc[chosen, column]
    return [
        Fault(table, int(row), column, value, rule, remedy) for row, value in zip(rows[chosen], values, strict=True)
    ]


def check_by(by: Iterable[str], allowed: Iterable[str]) -> list[str]:
    """The grouping columns, if they are allowed.

    Raises:
        ParameterError: any other, naming the nearest.
    """
    names, known = list(by), list(allowed)
    for name in names:
        if name not in known:
            raise ParameterError(f"by {name!r}: {nearest(name, known)}")
    return names


def place_name(codes: Iterable[str], language: str, *, whole: bool = False) -> str:
    """The name of one district, or of the city that several lie in; `whole` says that these are all it has."""
    codes = list(codes)
    if not codes:
        return terms.MISSING[language]
    name = areas.get(codes[0] if len(codes) == 1 else areas.city_of(codes[0])).name(language)
    return terms.text("talent.all_districts", language, name=name) if whole and len(codes) > 1 else name


def with_total(frame: pd.DataFrame, key: str, numbers: list[str]) -> pd.DataFrame:
    """The rows and, where there are several, their sums as "total"; a sum with an unknown part is unknown."""
    if len(frame) < 2:
        return frame
    total = frame[numbers].sum(skipna=False).to_frame().T.assign(**{key: TOTAL})
    return pd.concat([frame, total], ignore_index=True)[list(frame)].astype(dict.fromkeys(numbers, float))


def in_fives(counts: pd.Series) -> pd.Series:
    """Counts of persons to the nearest five, as they are shown, for what is judged of them before they are."""
    return 5 * np.floor(counts.astype(float) / 5 + 0.5)


def with_every(frame: pd.DataFrame, keys: Sequence[str], records: Iterable[Any], counts: Sequence[str]) -> pd.DataFrame:
    """One row a record of the keys, in their order: a group without anybody reads like one with a few."""
    index = pd.MultiIndex.from_tuples([one if isinstance(one, tuple) else (one,) for one in records], names=list(keys))
    found = frame.set_index(list(keys))
    found.index = pd.MultiIndex.from_tuples([one if isinstance(one, tuple) else (one,) for one in found.index])
    return found.reindex(index).fillna(dict.fromkeys(counts, 0.0)).reset_index()


def poisson_ratio(after: ArrayLike, before: ArrayLike, *, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Exact conditional intervals of the ratio of two Poisson means (Przyborowski and Wilenski 1940).

    Given their sum, the later count is binomial; Clopper and Pearson's limits p give the ratio p / (1 - p). The high
    limit is infinite where the earlier count is zero.
    """
    from scipy.stats import beta

    later, earlier = np.asarray(after, dtype=float), np.asarray(before, dtype=float)
    tail = (1 - level) / 2
    low = np.where(later == 0, 0.0, beta.ppf(tail, np.maximum(later, 1e-300), earlier + 1))
    high = np.where(earlier == 0, 1.0, beta.ppf(1 - tail, later + 1, np.maximum(earlier, 1e-300)))
    with np.errstate(divide="ignore"):
        return low / (1 - low), high / (1 - high)


def with_share(frame: pd.DataFrame, *, numerator: str, denominator: str, name: str) -> pd.DataFrame:
    """The frame with a share and its Wilson interval: `name`, `name_low`, `name_high`; NaN without a denominator."""
    low, high = wilson(frame[numerator], frame[denominator])
    share = frame[numerator] / frame[denominator].where(frame[denominator] > 0)
    return frame.assign(**{name: share.astype(float), f"{name}_low": low, f"{name}_high": high})
