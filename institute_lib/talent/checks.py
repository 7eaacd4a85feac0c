"""Checks that every analysis of this room makes of its input."""

from collections.abc import Iterable

import pandas as pd

from institute_lib.errors import DataError, Fault, ParameterError, nearest


def require(frame: pd.DataFrame, columns: Iterable[str], *, table: str) -> None:
    """Refuse a table that lacks a column.

    Raises:
        DataError: naming every missing column.
    """
    missing = [column for column in columns if column not in frame]
    if missing:
        raise DataError(f"table {table!r} lacks columns: {', '.join(missing)}; it has {', '.join(map(str, frame))}")


def require_at_most(frame: pd.DataFrame, part: str, whole: str, *, table: str) -> None:
    """Refuse rows in which a part is larger than its whole, or below zero.

    Raises:
        DataError: with the row and value of each.
    """
    broken = frame.index[(frame[part] > frame[whole]) | (frame[part] < 0)]
    if len(broken):
        rule = f"{part} lies between 0 and {whole}"
        faults = tuple(Fault(table, int(row) + 2, part, frame.loc[row, part], rule) for row in broken)
        raise DataError(f"table {table!r}: {part} above {whole}, or negative", faults)


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
