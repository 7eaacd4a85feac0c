"""One row a cell: of a table of cells as it is, or counted and summed from one row a person or a payment."""

from collections.abc import Sequence
from itertools import product

import pandas as pd

from institute_lib.disclosure.sensitivity import EMPLOYERS, LARGEST, PERSONS
from institute_lib.errors import DisclosureError, ParameterError, nearest

COUNT = "count"
STATISTICS = ("sum", "mean")


def gather(
    table: pd.DataFrame,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[str],
    contributors: str | None,
    weights: str | None,
    employers: str | None,
    largest: Sequence[str],
    statistic: str,
) -> pd.DataFrame:
    """The cells with what stands behind each: persons, and where known employers and the largest contributions.

    Raises:
        ParameterError: no way to tell how many persons stand behind a figure.
        DisclosureError: two rows name one cell.
    """
    keys = [*rows, *columns]
    if values == (COUNT,) and COUNT not in table:
        return _counted(table, rows, columns, contributors=contributors, weights=weights, employers=employers)
    if contributors and not pd.api.types.is_numeric_dtype(table[contributors]):
        return _summed(table, keys, values, contributors=contributors, employers=employers, statistic=statistic)
    cells = table.reset_index(drop=True)
    _refuse_twice(cells, keys)
    cells = cells.assign(**{PERSONS: _persons(cells, values, contributors)})
    if employers:
        cells[EMPLOYERS] = cells[employers]
    for name, given in zip(LARGEST, largest, strict=False):
        cells[name] = cells[given]
    if len(largest) == 1:
        cells[LARGEST[1]] = 0.0
    return cells


def _persons(cells: pd.DataFrame, values: Sequence[str], contributors: str | None) -> pd.Series:
    numeric = [name for name in values if pd.api.types.is_numeric_dtype(cells[name])]
    persons = cells[contributors] if contributors else cells[numeric].min(axis=1)
    if not contributors and (not numeric or (persons.dropna() != persons.dropna().round()).any()):
        raise ParameterError(
            f"protect: {values[0]!r} is no count of persons; name the column that counts them with contributors="
        )
    if (persons < 0).any():
        raise ParameterError(
            f"protect: {contributors or values[0]!r} holds {persons.min():g}; a number of persons is not negative"
        )
    return persons.astype(float)


def _refuse_twice(cells: pd.DataFrame, keys: list[str]) -> None:
    twice = cells.duplicated(keys)
    if twice.any():
        record = dict(zip(keys, cells.loc[twice.idxmax(), keys], strict=True))
        raise DisclosureError(
            f"protect: two rows name the cell {record}; add the missing key to rows or columns, or pass value='count'"
        )


def _counted(table, rows, columns, *, contributors, weights, employers) -> pd.DataFrame:
    """Persons counted by cell; over columns every combination is a cell, so that an empty one does not stand out."""
    keys = [*rows, *columns]
    grouped = table.groupby(keys, sort=False, observed=True, dropna=False)
    persons = grouped[contributors].nunique() if contributors else grouped.size()
    found = {COUNT: grouped[weights].sum() if weights else persons, PERSONS: persons.astype(float)}
    if employers:
        found[EMPLOYERS] = grouped[employers].nunique()
    cells = pd.DataFrame(found)
    if columns:
        down = table[list(rows)].drop_duplicates().itertuples(index=False, name=None)
        across = list(table[list(columns)].drop_duplicates().itertuples(index=False, name=None))
        every = [(*row, *column) for row, column in product(down, across)]
        cells = cells.reindex(pd.MultiIndex.from_tuples(every, names=keys), fill_value=0)
    return cells.reset_index()


def _summed(table, keys, values, *, contributors, employers, statistic) -> pd.DataFrame:
    """Payments summed by cell, with the two who contribute most to each."""
    if statistic not in STATISTICS:
        raise ParameterError(
            f"protect: statistic {statistic!r} of single persons: {nearest(statistic, STATISTICS)}; a smallest or "
            "largest value is one person's, and a quantile is computed before with the count behind it"
        )
    whole = table.groupby(keys, sort=False, observed=True, dropna=False)
    cells = whole[list(values)].agg(statistic)
    each = table.groupby([*keys, contributors], sort=False, observed=True, dropna=False)[values[0]].sum()
    if statistic == "sum":
        for rank, name in enumerate(LARGEST, start=1):
            top = each.groupby(level=keys, sort=False).apply(lambda s, k=rank: s.nlargest(k).iloc[k - 1 : k].sum())
            cells[name] = top
    cells[PERSONS] = whole[contributors].nunique().astype(float)
    if employers:
        cells[EMPLOYERS] = whole[employers].nunique()
    return cells.reset_index()
