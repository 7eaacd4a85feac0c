"""The design matrix that is never built: blocks of drivers, each a small table and one code a cell.

The columns of a model fall into blocks of drivers that share terms. A cell's row of the design is a row of each block's
table, so that X'WX needs only cross-tabulations of the weights by pairs of block codes. Small blocks are packed into
one, so that few cross-tabulations give all pairs of drivers. A block with too many combinations (a number with very
many values) keeps its own rows, one a cell, and `codes` is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from institute_lib.errors import EstimationError
from institute_lib.retention.cells import CellCounts, Variable
from institute_lib.retention.counting import packed_key
from institute_lib.retention.drivers import Formula, Term

PACKED = 1024
INTERCEPT = "intercept"


@dataclass(frozen=True)
class Block:
    """Drivers that stand together: `table` has a row a combination of levels (or a cell), a column a coefficient."""

    drivers: tuple[str, ...]
    terms: tuple[Term, ...]
    columns: np.ndarray
    grid: dict[str, np.ndarray]
    codes: np.ndarray | None
    table: np.ndarray

    def add(self, values: np.ndarray) -> np.ndarray:
        """Sum cell values by row of the table."""
        return values if self.codes is None else np.bincount(self.codes, weights=values, minlength=len(self.table))

    def spread(self, by_row: np.ndarray) -> np.ndarray:
        """Give each cell the value of its row of the table."""
        return by_row if self.codes is None else by_row[self.codes]


@dataclass(frozen=True)
class Design:
    """Blocks over the cells, and what each column stands for: (term, level)."""

    variables: Mapping[str, Variable]
    blocks: tuple[Block, ...]
    labels: tuple[tuple[str, str], ...]
    n_cells: int

    @property
    def width(self) -> int:
        return len(self.labels)

    def predictor(self, beta: np.ndarray) -> np.ndarray:
        """X β, one value a cell."""
        total = np.zeros(self.n_cells)
        for block in self.blocks:
            total += block.spread(block.table @ beta[block.columns])
        return total

    def scores(self, values: np.ndarray) -> np.ndarray:
        """X' v."""
        result = np.zeros(self.width)
        for block in self.blocks:
            result[block.columns] = block.table.T @ block.add(values)
        return result

    def information(self, weights: np.ndarray) -> np.ndarray:
        """X' diag(w) X."""
        result = np.zeros((self.width, self.width))
        for i, left in enumerate(self.blocks):
            result[np.ix_(left.columns, left.columns)] = left.table.T @ (left.add(weights)[:, None] * left.table)
            for j in range(i):
                right = self.blocks[j]
                cross = self._cross(i, j, weights)
                result[np.ix_(left.columns, right.columns)] = cross
                result[np.ix_(right.columns, left.columns)] = cross.T
        return result

    def _cross(self, i: int, j: int, weights: np.ndarray) -> np.ndarray:
        left, right = self.blocks[i], self.blocks[j]
        if left.codes is not None and right.codes is not None:
            size = (len(left.table), len(right.table))
            joint = np.bincount(self._joint[i, j], weights=weights, minlength=size[0] * size[1])
            return left.table.T @ joint.reshape(size) @ right.table
        if left.codes is None and right.codes is None:
            return left.table.T @ (weights[:, None] * right.table)
        coded, dense = (left, right) if left.codes is not None else (right, left)
        by_row = np.column_stack([coded.add(weights * column) for column in dense.table.T])
        cross = coded.table.T @ by_row
        return cross if coded is left else cross.T

    @cached_property
    def _joint(self) -> dict[tuple[int, int], np.ndarray]:
        return {
            (i, j): left.codes * len(self.blocks[j].table) + self.blocks[j].codes
            for i, left in enumerate(self.blocks)
            for j in range(i)
            if left.codes is not None and self.blocks[j].codes is not None
        }

    def cluster_scores(self, residuals: np.ndarray, cells: np.ndarray, clusters: np.ndarray, count: int) -> np.ndarray:
        """Scores summed by cluster (count × width); the arrays have one entry a cell within a cluster."""
        from scipy.sparse import csr_matrix

        result = np.zeros((count, self.width))
        for block in self.blocks:
            rows = cells if block.codes is None else block.codes[cells]
            by_row = csr_matrix((residuals, (clusters, rows)), shape=(count, len(block.table)))
            result[:, block.columns] = by_row @ block.table
        return result

    def leverage(self, covariance: np.ndarray) -> np.ndarray:
        """x' V x for each cell."""
        total = np.zeros(self.n_cells)
        for i, left in enumerate(self.blocks):
            for j, right in enumerate(self.blocks[: i + 1]):
                between = covariance[np.ix_(left.columns, right.columns)]
                total += (1 if i == j else 2) * _quadratic(left, right, between)
        return total


def _quadratic(left: Block, right: Block, between: np.ndarray) -> np.ndarray:
    if left.codes is not None and right.codes is not None:
        return (left.table @ between @ right.table.T)[left.codes, right.codes]
    return np.einsum("ij,ij->i", left.spread(left.table @ between), right.spread(right.table))


def build(formula: Formula, variables: Mapping[str, Variable], codes: Mapping[str, np.ndarray]) -> Design:
    """Lay the terms of a formula out over cells.

    Parameters:
        variables: levels or values of each driver. codes: one code a cell for each driver.
    """
    n_cells = len(next(iter(codes.values())))
    labels = [(INTERCEPT, "")]
    owner: dict[Term, np.ndarray] = {}
    for term in formula.terms:
        names = term_levels(term, variables)
        owner[term] = np.arange(len(labels), len(labels) + len(names))
        labels += [(term.name, level) for level in names]
    groups = _pack(_components(formula), variables)
    blocks = []
    for number, names in enumerate(groups):
        members = tuple(term for term in formula.terms if set(term.drivers) <= set(names))
        columns = np.concatenate([np.arange(1 if number == 0 else 0), *(owner[term] for term in members)]).astype(int)
        blocks.append(_block(names, members, columns, variables, codes, first=number == 0))
    return Design(variables, tuple(blocks), tuple(labels), n_cells)


def _block(
    names: list[str],
    members: tuple[Term, ...],
    columns: np.ndarray,
    variables: Mapping[str, Variable],
    codes: Mapping[str, np.ndarray],
    *,
    first: bool,
) -> Block:
    sizes = [len(variables[name].levels) for name in names]
    if np.prod(sizes, dtype=float) > PACKED:
        grid, block_codes = {name: codes[name] for name in names}, None
    else:
        combinations = np.indices(sizes).reshape(len(sizes), -1)
        grid = dict(zip(names, combinations, strict=True))
        block_codes = np.ravel_multi_index([codes[name] for name in names], sizes)
    table = evaluate(members, variables, grid)
    if first:
        table = np.column_stack([np.ones(len(table)), table])
    return Block(tuple(names), members, columns, grid, block_codes, table)


def term_levels(term: Term, variables: Mapping[str, Variable]) -> list[str]:
    """The names of a term's columns: a level each (the first is the reference), one blank for numbers alone."""
    parts = [[str(v) for v in variables[n].levels[1:]] if variables[n].kind == "factor" else None for n in term.drivers]
    return [":".join(level) for level in product(*(part for part in parts if part is not None))]


def evaluate(
    members: tuple[Term, ...],
    variables: Mapping[str, Variable],
    grid: Mapping[str, np.ndarray],
    *,
    derivative: str | None = None,
) -> np.ndarray:
    """The columns of terms at combinations of codes, or their derivatives with respect to one number."""
    size = len(next(iter(grid.values())))
    columns = []
    for term in members:
        base = np.zeros(size) if derivative and derivative not in term.drivers else np.ones(size)
        factors = []
        for name, power in term.atoms:
            variable, code = variables[name], grid[name]
            if variable.kind == "factor":
                factors.append([code == level for level in range(1, len(variable.levels))])
            elif name == derivative:
                base = base * power * variable.levels[code] ** (power - 1)
            else:
                base = base * variable.levels[code] ** power
        for chosen in product(*factors):
            columns.append(np.prod([base, *chosen], axis=0))
    return np.column_stack(columns) if columns else np.zeros((size, 0))


def _components(formula: Formula) -> list[list[str]]:
    """Drivers that share a term, directly or through others."""
    groups: list[list[str]] = []
    for term in formula.terms:
        touching = [group for group in groups if set(group) & set(term.drivers)]
        merged = list(dict.fromkeys([*(name for group in touching for name in group), *term.drivers]))
        groups = [group for group in groups if group not in touching] + [merged]
    return groups


def _pack(groups: list[list[str]], variables: Mapping[str, Variable]) -> list[list[str]]:
    """Put groups together while their combinations stay few: first fit, largest first."""

    def size(group: list[str]) -> float:
        return float(np.prod([len(variables[name].levels) for name in group], dtype=float))

    packed: list[list[str]] = []
    for group in sorted(groups, key=size, reverse=True):
        home = next((other for other in packed if size(other) * size(group) <= PACKED), None)
        if home is None:
            packed.append(list(group))
        else:
            home.extend(group)
    return packed


def collapse(
    counts: CellCounts, drivers: tuple[str, ...]
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Cells of the named drivers alone: codes, rows, events, and the new cell of each old one."""
    import pandas as pd

    if not counts.cluster and set(drivers) == set(counts.codes):
        return dict(counts.codes), counts.rows.astype(float), counts.events.astype(float), np.arange(counts.n_cells)
    sizes = [len(counts.variables[name].levels) for name in drivers]
    cell, uniques = pd.factorize(packed_key([counts.codes[name] for name in drivers], sizes))
    first = np.zeros(len(uniques), dtype=np.int64)
    first[cell[::-1]] = np.arange(counts.n_cells)[::-1]
    rows = np.bincount(cell, weights=counts.rows, minlength=len(uniques))
    events = np.bincount(cell, weights=counts.events, minlength=len(uniques))
    return {name: counts.codes[name][first] for name in drivers}, rows, events, cell


def require_full_rank(design: Design, rows: np.ndarray) -> None:
    """Refuse collinear drivers before fitting, naming the column and what decides it.

    Raises:
        EstimationError: the first column that the columns before it determine.
    """
    gram = design.information(rows)
    scale = np.sqrt(np.maximum(np.diag(gram), np.finfo(float).tiny))
    gram = gram / np.outer(scale, scale)
    kept: list[int] = []
    for column in range(design.width):
        basis = gram[np.ix_(kept, kept)]
        target = gram[kept, column]
        weights = np.linalg.solve(basis, target) if kept else np.zeros(0)
        if gram[column, column] - target @ weights > 1e-10:
            kept.append(column)
            continue
        deciding = [say(design.labels[k]) for k, w in zip(kept, weights, strict=True) if abs(w) > 1e-6]
        others = [name for name in deciding if name != INTERCEPT] or deciding
        raise EstimationError(
            f"collinear drivers: {say(design.labels[column])} is decided by {', '.join(others) or 'nothing: it is 0'}; "
            "leave one of them out"
        )


def say(label: tuple[str, str]) -> str:
    """A column in words: certificate = 'senior', or caseload."""
    term, level = label
    return f"{term} = {level!r}" if level else term
