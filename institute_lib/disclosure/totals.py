"""Which cells of a table add up to which: its totals, found by word, by division, or because they do add up.

A total less its parts is zero: where a total would leave a small part of it too few possible values, it is rounded to
ten.
"""

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd

from institute_lib import terms

TOTAL = "total"
TIMES = frozenset({"quarter", "period", "year", "month", "date", "half_year", "as_of"})
Line = tuple[int, list[int]]


@cache
def total_words() -> frozenset[str]:
    """Words that mean the whole, in both languages, in lower case."""
    return frozenset(word for language in terms.LANGUAGES for word in terms.text("disclosure.totals", language).split())


def is_total(value: object) -> bool:
    return str(value).strip().casefold() in total_words()


@cache
def _division(value: str) -> str:
    """The code of a division given by code or name, "" if it is none."""
    if re.fullmatch(r"\d{6}", value):
        return value
    if value.isascii():
        return ""
    from institute_lib import areas
    from institute_lib.errors import InstituteError

    try:
        return areas.get(value).code
    except InstituteError:  # a category that is no division
        return ""


def parents(values: Sequence[object]) -> dict[object, object]:
    """Each value's total among the others: divisions nest by their codes, all else adds up to a total if one is there.

    >>> parents(["320600", "320612", "320613"])
    {'320612': '320600', '320613': '320600'}
    """
    whole = next((value for value in values if is_total(value)), None)
    codes = {_division(str(value)): value for value in values if not is_total(value)}
    found: dict[object, object] = {}
    for value in values:
        code = _division(str(value))
        above = [codes.get(code[:4] + "00"), codes.get(code[:2] + "0000")] if code else []
        parent = next((one for one in (*above, whole) if one is not None and one != value), None)
        if not is_total(value) and parent is not None:
            found[value] = parent
    return found


def equations(keys: pd.DataFrame, figures: np.ndarray | None = None) -> list[Line]:
    """Every total of the table with the parts that add up to it, as positions of rows of `keys`.

    Args:
        keys: the key columns, one row a cell.
        figures: what adds up, one a row; with it a category that is the sum of all others counts as their total.
    """
    position = {record: i for i, record in enumerate(keys.itertuples(index=False, name=None))}
    found: dict[tuple, list[int]] = {}
    for axis, name in enumerate(keys.columns):
        values = list(dict.fromkeys(keys[name]))
        above = parents(values) or ({} if name in TIMES else _sums(position, axis, values, figures))
        for record, i in position.items():
            parent = above.get(record[axis])
            whole = (*record[:axis], parent, *record[axis + 1 :])
            if parent is not None and whole in position:
                found.setdefault((axis, whole), []).append(i)
    return [(position[whole], parts) for (_, whole), parts in found.items()]


def _sums(position: dict, axis: int, values: list, figures: np.ndarray | None) -> dict[object, object]:
    """A category whose figure is the sum of all others wherever it stands is their total, whatever it is called."""
    if figures is None or len(values) < 3:
        return {}
    slices: dict[tuple, dict[object, float]] = {}
    for record, i in position.items():
        if not np.isnan(figures[i]):
            slices.setdefault((*record[:axis], *record[axis + 1 :]), {})[record[axis]] = float(figures[i])
    if len(slices) < 2 and len(values) < 4:
        return {}  # three figures of which one is the sum of the others: chance
    for whole in values:
        if all(whole in part and 2 * part[whole] == sum(part.values()) for part in slices.values()):
            return {value: whole for value in values if value != whole}
    return {}
