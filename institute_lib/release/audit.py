"""The audit: what somebody who holds everything ever released can compute of what was held back.

An attacker has the margins of every table, a city and its districts, the quarters before and after, means with the
counts behind them, and groups that overlap. Bounds are linear programs over the published numbers, each known to its
rounding. A finding names the cell, the bounds and the tables that give it away.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib.disclosure.structure import Identity, Line, equations, identities, matrix
from institute_lib.release.findings import Finding
from institute_lib.release.ledger import Figures, fresh, rows_of

CLOSE = 0.1  # a sum that is known to within a tenth is known
STOCKS = ("headcount", "stock", "workers", "employed", "n", "count")
JOINED = ("joined", "entered", "hires", "entries")
LEFT = ("left", "leavers", "exits", "separations")
_RANGE = re.compile(r"(?:(\d+)\s*[-–~至]\s*(\d+)|([<≤])\s*=?\s*(\d+)|([>≥])\s*=?\s*(\d+)|(\d+)\s*\+)\D*")
OPEN = 10**6


def audit(ledger: Figures, new: Figures, *, threshold: int = 10) -> list[Finding]:
    """What the new release gives away, alone or together with what was released before.

    Args:
        ledger: what was released before: a path of a ledger, a DataFrame, SafeTables (see `ledger.rows_of`).
        new: what is about to be released, in any of these forms.
        threshold: the fewest persons that a number may point at.

    Returns:
        Findings that touch the new release: the cell in `where`, the bounds in `what`, what gives it away in `tables`.
    """
    before = rows_of(ledger)
    now = fresh(rows_of(new), before)
    rows = pd.concat([before.assign(new=False), now.assign(new=True)], ignore_index=True)
    rows = rows[rows["method"] != "exempt"].reset_index(drop=True)
    found = [*_mixed(rows), *_cells(rows, threshold), *_between_quarters(rows, threshold), *_overlaps(rows, threshold)]
    return sorted(dict.fromkeys(found), key=lambda finding: finding.severity != "refuse")


def _finding(rule: str, cell: str, low: float, high: float, rows: pd.DataFrame) -> Finding:
    bounds = f"{low:.6g}" if high - low < 1e-6 * max(1.0, abs(high)) else f"{low:.6g} … {high:.6g}"
    tables = tuple(dict.fromkeys(f"{row['release']} {row['table']}".strip() for _, row in rows.iterrows()))
    return Finding("refuse", cell, bounds, rule, tables)


def _name(row: pd.Series) -> str:
    keys = {"district": row["district"], "quarter": row["quarter"], **row["keys"]}
    return " ".join([row["indicator"], *(f"{name}={value}" for name, value in keys.items() if value)])


def _mixed(rows: pd.DataFrame) -> Iterator[Finding]:
    """Rounded and suppressed tables of one indicator in one release: each undoes the other."""
    now = rows[rows["new"]]
    for indicator, part in now.groupby("indicator"):
        if {"round", "suppress"} <= set(part["method"]):
            yield _finding("audit_mixed", str(indicator), 0, 0, part.drop_duplicates("table"))


# margins, cities and districts, means times counts


@dataclass
class _System:
    """All published cells of one indicator in one quarter, and the ones that they leave open."""

    names: list[str]
    values: np.ndarray  # NaN where not published
    slack: np.ndarray  # half a rounding step
    lines: list[Line]
    rows: list[list[int]]  # for each cell the rows of the ledger that publish it

    def bounds(self, cell: int, floor: float = 0.0) -> tuple[float, float]:
        from scipy.optimize import linprog

        system = matrix(self.lines, len(self.values))
        low = np.where(np.isnan(self.values), floor, np.maximum(self.values - self.slack, floor))
        high = np.where(np.isnan(self.values), np.inf, self.values + self.slack)
        goal, ends = np.zeros(len(self.values)), []
        for sign in (1.0, -1.0):
            goal[cell] = sign
            solved = linprog(
                goal,
                A_eq=system,
                b_eq=np.zeros(len(self.lines)),
                bounds=np.column_stack([low, high]),
                method="highs",
            )
            # Totals that do not add up (an estimate, another date) are no equation: nothing follows from them.
            ends.append(sign * solved.fun if solved.status == 0 else sign * -np.inf)
        return ends[0], ends[1]

    def around(self, cell: int) -> list[int]:
        """The rows that speak of the cell or stand in a line with it."""
        near = {cell}.union(*({whole, *parts} for whole, parts in self.lines if cell in (whole, *parts)))
        return sorted({row for one in near for row in self.rows[one]})


def _cells(rows: pd.DataFrame, threshold: int) -> Iterator[Finding]:
    """Small counts, and sums behind small counts, that follow from margins and from city minus districts."""
    for quarter, part in rows.groupby("quarter", sort=False):
        if not part["new"].any():
            continue
        for _, own in part.groupby("indicator", sort=False):
            if _are_counts(own):
                yield from _small_counts(_system(own, own["value"], own["rounding"]), rows, threshold)
            elif own["count"].notna().any():
                yield from _close_sums(own, rows, threshold)
        for cell, (value, sources) in _flows(rows, str(quarter)).items():
            if 0 < value < threshold and rows.loc[sources, "new"].any():
                yield _finding("audit_flow", cell, value, value, rows.loc[sources])


def _are_counts(own: pd.DataFrame) -> bool:
    """Whether an indicator counts persons: whole numbers, and no more of them than stand behind the cell."""
    known = own[own["value"].notna()]
    whole = bool(len(known)) and bool((known["value"] == known["value"].round()).all())
    return whole and not (known["value"] > known["count"]).any()


def _system(own: pd.DataFrame, values: pd.Series, steps: pd.Series) -> _System:
    """The cells of all tables, by what they are; districts of a city that no table lists are cells too."""
    names: dict[Identity, int] = {}
    keys = _keys(own)
    lines: set[tuple[int, tuple[int, ...]]] = set()
    for columns, index in _shapes(keys).items():
        table = pd.DataFrame([keys[i] for i in index], columns=list(columns)).astype(str)
        table = _with_all_districts(table.drop_duplicates(ignore_index=True))
        at = [names.setdefault(name, len(names)) for name in identities(table)]
        for whole, parts in equations(table):
            lines.add((at[whole], tuple(at[i] for i in parts)))
    by_name: dict[Identity, list[int]] = {}
    for i, record in zip(own.index, keys, strict=True):
        by_name.setdefault(identities(pd.DataFrame([record]).astype(str))[0] if record else frozenset(), []).append(i)
    size = len(names)
    known, slack, places, said = np.full(size, np.nan), np.zeros(size), [[] for _ in range(size)], [""] * size
    for name, cell in names.items():
        places[cell] = by_name.get(name, [])
        said[cell] = " ".join(f"{key}={value}" for key, value in sorted(name)) or "total"
        shown = [i for i in places[cell] if not np.isnan(values[i])]
        if shown:
            best = min(shown, key=lambda i: steps[i])
            known[cell] = values[best]
            # A count is exact; controlled rounding moves one by less than its base; other figures by half a step.
            slack[cell] = steps[best] - 1 if steps[best] > 1 else steps[best] / 2 if values[best] % 1 else 0.0
    context = f"{own['indicator'].iloc[0]} {own['quarter'].iloc[0]}".strip()
    lines |= _sums_elsewhere(names)
    return _System([f"{context} {one}" for one in said], known, slack, [(w, list(p)) for w, p in lines], places)


def _keys(own: pd.DataFrame) -> list[dict[str, str]]:
    districts = own["district"].ne("").any()
    return [
        {**({"district": row["district"] or "total"} if districts else {}), **row["keys"]} for _, row in own.iterrows()
    ]


def _shapes(keys: Sequence[dict[str, str]]) -> dict[tuple[str, ...], list[int]]:
    shapes: dict[tuple[str, ...], list[int]] = {}
    for i, record in enumerate(keys):
        shapes.setdefault(tuple(record), []).append(i)
    return shapes


def _with_all_districts(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the districts that a city has but the table does not list: an attacker knows the map."""
    if "district" not in table:
        return table
    from institute_lib import areas

    listed, added = set(table["district"]), []
    for city in areas.cities():
        members = {area.code for area in areas.districts(city.code)}
        if city.code in listed and members & listed:
            for code in sorted(members - listed):
                added.append(table[table["district"] == city.code].assign(district=code))
    return pd.concat([table, *added], ignore_index=True)


def _sums_elsewhere(names: dict[Identity, int]) -> set[tuple[int, tuple[int, ...]]]:
    """Totals in one table of the parts in another: the same keys less one."""
    found = set()
    axes = {name for identity in names for name, _ in identity}
    for identity, whole in names.items():
        for axis in axes - {name for name, _ in identity}:
            parts = [
                cell
                for other, cell in names.items()
                if len(other) == len(identity) + 1 and identity < other and next(iter(other - identity))[0] == axis
            ]
            codes = {next(iter(other - identity))[1] for other in names if names[other] in set(parts)}
            nested = any(code.endswith("00") and code[:4] in {one[:4] for one in codes - {code}} for code in codes)
            if len(parts) > 1 and not nested:
                found.add((whole, tuple(parts)))
    return found


def _small_counts(system: _System, rows: pd.DataFrame, threshold: int) -> Iterator[Finding]:
    for cell in np.flatnonzero(np.isnan(system.values)):
        low, high = system.bounds(int(cell))
        near = system.around(int(cell))
        if 0 < high < threshold and near and rows.loc[near, "new"].any():
            yield _finding("audit_margins", system.names[cell], low, high, rows.loc[near])


def _close_sums(own: pd.DataFrame, rows: pd.DataFrame, threshold: int) -> Iterator[Finding]:
    """A mean times its count is a sum, and sums have margins too."""
    behind = own["count"]
    sums = _system(own, own["value"] * behind, own["rounding"] * behind.fillna(0))
    persons = _system(own, behind, own["rounding"] * 0)
    sums.slack = np.array(
        [
            max((own.at[i, "rounding"] * behind[i] / 2 for i in places if behind[i] > 0), default=0)
            for places in sums.rows
        ]
    )
    for cell in np.flatnonzero(np.isnan(sums.values)):
        few_low, few_high = persons.bounds(int(cell))
        asked = few_high < threshold or any(own.at[i, "status"] == "primary" for i in sums.rows[cell])
        if few_high <= 0 or not asked:
            continue
        low, high = sums.bounds(int(cell))
        near = sums.around(int(cell))
        if np.isfinite(high) and high - low <= CLOSE * abs(high + low) and high > 0 and rows.loc[near, "new"].any():
            size = few_high if few_high - few_low < 0.5 else 1.0
            yield _finding("audit_mean", sums.names[cell], low / size, high / size, rows.loc[near])


# quarters


def _flows(rows: pd.DataFrame, quarter: str) -> dict[str, tuple[float, list[int]]]:
    """A hidden stock that follows from the one before, those who joined and those who left."""
    found = {}
    stocks = rows[rows["indicator"].isin(STOCKS)]
    for _, row in stocks[(stocks["quarter"] == quarter) & stocks["value"].isna()].iterrows():
        same = rows[(rows["district"] == row["district"]) & (rows["keys"] == row["keys"]) & rows["value"].notna()]
        earlier = same[(same["indicator"] == row["indicator"]) & (same["quarter"] == _shifted(quarter, -1))]
        joined = same[same["indicator"].isin(JOINED) & (same["quarter"] == quarter)]
        left = same[same["indicator"].isin(LEFT) & (same["quarter"] == quarter)]
        if len(earlier) and len(joined) and len(left):
            value = earlier["value"].iloc[0] + joined["value"].iloc[0] - left["value"].iloc[0]
            found[_name(row)] = (float(value), [row.name, earlier.index[0], joined.index[0], left.index[0]])
    return found


def _shifted(quarter: str, by: int) -> str:
    match = re.fullmatch(r"(\d{4})-?Q([1-4])", quarter)
    if not match:
        return ""
    number = int(match[1]) * 4 + int(match[2]) - 1 + by
    return f"{number // 4}Q{number % 4 + 1}"


def _between_quarters(rows: pd.DataFrame, threshold: int) -> Iterator[Finding]:
    """The few by whom two quarters differ: what the sums of both say of them."""
    shown = rows[
        rows["value"].notna()
        & (rows["count"] > 0)
        & rows["quarter"].map(lambda one: bool(_shifted(one, 0))).astype(bool)
    ]
    cells = {}
    for i, row in shown.iterrows():
        cells.setdefault((row["indicator"], row["district"], tuple(sorted(row["keys"].items())), row["quarter"]), i)
    for (indicator, district, keys, quarter), i in cells.items():
        j = cells.get((indicator, district, keys, _shifted(quarter, -1)))
        if j is None or not (shown.at[i, "new"] or shown.at[j, "new"]):
            continue
        few = abs(shown.at[i, "count"] - shown.at[j, "count"])
        if not 0 < few < threshold:
            continue
        sums = [shown.at[k, "value"] * shown.at[k, "count"] for k in (j, i)]
        error = sum(shown.at[k, "rounding"] * shown.at[k, "count"] / 2 for k in (j, i))
        sign = np.sign(shown.at[j, "count"] - shown.at[i, "count"])
        middle = sign * (sums[0] - sums[1])
        is_share = all(0 <= shown.at[k, "value"] <= 1 for k in (j, i))
        if (is_share and error < 0.5) or (not is_share and error <= CLOSE * abs(middle)):
            low, high = sorted(((middle - error) / few, (middle + error) / few))
            yield _finding("audit_quarters", _name(shown.loc[i]), low, high, shown.loc[[j, i]])


# overlapping groups


def _overlaps(rows: pd.DataFrame, threshold: int) -> Iterator[Finding]:
    """Two groups of which one holds the other and few besides: the few are their difference."""
    shown = rows[rows["value"].notna() & rows["keys"].map(bool).astype(bool)]
    groups: dict[tuple, list[tuple[frozenset, int]]] = {}
    for i, row in shown.iterrows():
        for axis, value in row["keys"].items():
            members = _members(value)
            if members:
                rest = tuple(sorted((name, one) for name, one in row["keys"].items() if name != axis))
                groups.setdefault((row["indicator"], row["district"], row["quarter"], axis, rest), []).append(
                    (members, i)
                )
    for listed in groups.values():
        for inner, i in listed:
            for outer, j in listed:
                few = shown.at[j, "value"] - shown.at[i, "value"]
                counts = shown.at[j, "count"] - shown.at[i, "count"]
                persons = few if np.isnan(counts) else counts
                if inner < outer and 0 < persons < threshold and shown.loc[[i, j], "new"].any():
                    yield _finding(
                        "audit_overlap", f"{_name(shown.loc[j])} − {_name(shown.loc[i])}", few, few, shown.loc[[i, j]]
                    )


def _members(value: str) -> frozenset:
    """What a group holds: the years of a range, or the categories of a list such as "a+b"."""
    match = _RANGE.fullmatch(value.strip())
    if match:
        first, last, below, under, above, over, least = match.groups()
        if first:
            return frozenset(range(int(first), int(last) + 1)) if int(last) - int(first) < 1000 else frozenset()
        if below:
            return frozenset(range(int(under) + (below == "≤")))
        start = int(least) if least else int(over) + (above == ">")
        return frozenset((*range(start, max(start, 200)), OPEN))
    parts = [part.strip() for part in re.split(r"[+|、]", value) if part.strip()]
    return frozenset(parts)
