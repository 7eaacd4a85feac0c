"""The design matrix that is never built: blocks of drivers, each a small table and one code a cell.

The columns of a model fall into blocks of drivers that share terms. A cell's row of the design is a row of each block's
table, so that X'WX needs only cross-tabulations of the weights by pairs of block codes, and one pass over the cells
gives the likelihood, its gradient and the information. Cells pass in stretches that fit a processor's cache; the
stretches are shared out over a fixed number of strands, so that sums do not depend on the number of processors.
A block with too many combinations (a number with very many values) keeps its own rows, one a cell: `codes` is None.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np

from institute_lib.retention.cells import Variable
from institute_lib.retention.drivers import Term

if TYPE_CHECKING:
    from scipy.sparse import csr_array

STRETCH = 1 << 19
STRANDS = 4
BINS = 1 << 22  # cross-tabulations up to this size are counted densely

Values = tuple[float, np.ndarray | None, np.ndarray | None]


@dataclass(frozen=True)
class Block:
    """Drivers that stand together: `table` has a row a combination of levels (or a cell), a column a coefficient."""

    drivers: tuple[str, ...]
    terms: tuple[Term, ...]
    columns: np.ndarray
    grid: dict[str, np.ndarray]
    codes: np.ndarray | None
    table: np.ndarray

    @property
    def size(self) -> int:
        return len(self.table)

    @cached_property
    def folded(self) -> "csr_array":
        """The table's transpose, sparse: in products so small, threads of dense algebra cost more than they give."""
        from scipy.sparse import csr_array

        return csr_array(self.table.T)

    def add(self, values: np.ndarray) -> np.ndarray:
        """Sum cell values by row of the table."""
        if self.codes is None:
            return np.asarray(values, float)
        total = np.zeros(self.size)
        for part in stretches(0, len(values)):
            total += np.bincount(self.codes[part], weights=values[part], minlength=self.size)
        return total

    def spread(self, by_row: np.ndarray) -> np.ndarray:
        """Give each cell the value of its row of the table."""
        return by_row if self.codes is None else by_row[self.codes]

    def every(self, step: int) -> "Block":
        """Each `step`-th cell alone."""
        if self.codes is not None:
            return replace(self, codes=self.codes[::step])
        return replace(self, grid={k: v[::step] for k, v in self.grid.items()}, table=self.table[::step])


@dataclass(frozen=True)
class Sums:
    """Over all cells: Σ value, X'r and X' diag(w) X."""

    value: float
    score: np.ndarray
    information: np.ndarray


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

    def every(self, step: int) -> "Design":
        """The design of each `step`-th cell."""
        return replace(self, blocks=tuple(b.every(step) for b in self.blocks), n_cells=-(-self.n_cells // step))

    def predictor(self, beta: np.ndarray) -> np.ndarray:
        """X β, one value a cell."""
        total = np.zeros(self.n_cells)
        for block in self.blocks:
            total += block.spread(block.table @ beta[block.columns])
        return total

    def reach(self, step: np.ndarray) -> float:
        """The most that a step can move any cell's predictor."""
        return float(sum(np.abs(block.table @ step[block.columns]).max() for block in self.blocks))

    def sweep(self, beta: np.ndarray, function: Callable[[np.ndarray, slice], Values]) -> Sums:
        """One pass over the cells.

        `function` gets the predictor of a stretch of cells and where it stands, and returns a number, residuals r and
        weights w of these cells (None where not wanted).
        """
        by_row = [block.table @ beta[block.columns] for block in self.blocks]
        bounds = np.linspace(0, self.n_cells, STRANDS + 1).astype(int) if self.n_cells > STRETCH else (0, self.n_cells)
        strands = list(pairwise(bounds))

        def work(strand: tuple[int, int]) -> _Tables:
            tables = _Tables(self.blocks)
            for part in stretches(*strand):
                tables.count(part, by_row, function)
            return tables

        if len(strands) == 1:
            return self._total([work(strands[0])])
        with ThreadPoolExecutor(min(STRANDS, os.cpu_count() or 1)) as pool:
            return self._total(list(pool.map(work, strands)))

    def _total(self, tables: "list[_Tables]") -> Sums:
        """Tables into the gradient and the information, by way of each block's few rows."""
        score, information = np.zeros(self.width), np.zeros((self.width, self.width))
        for i, block in enumerate(self.blocks):
            by_row = sum(one.residuals[i] for one in tables)
            score[block.columns] = by_row if block.codes is None else block.table.T @ by_row
            own = sum(one.own[i] for one in tables)
            if block.codes is not None:
                own = block.table.T @ (own[:, None] * block.table)
            information[np.ix_(block.columns, block.columns)] = own
        for i, j in combinations(range(len(self.blocks)), 2):
            left, right = self.blocks[i], self.blocks[j]
            cross = sum(one.cross[i, j] for one in tables)
            cross = cross if left.codes is None else left.folded @ cross
            cross = cross if right.codes is None else (right.folded @ cross.T).T
            information[np.ix_(left.columns, right.columns)] = cross
            information[np.ix_(right.columns, left.columns)] = cross.T
        return Sums(sum(one.value for one in tables), score, information)

    def scores(self, values: np.ndarray) -> np.ndarray:
        """X' v."""
        result = np.zeros(self.width)
        for block in self.blocks:
            result[block.columns] = block.table.T @ block.add(values)
        return result

    def information(self, weights: np.ndarray) -> np.ndarray:
        """X' diag(w) X."""
        return self.sweep(np.zeros(self.width), lambda _, part: (0.0, None, weights[part].astype(float))).information

    def cluster_scores(self, residuals: np.ndarray, cells: np.ndarray, clusters: np.ndarray, count: int) -> np.ndarray:
        """Scores summed by cluster (count × width); the arrays have one entry a cell within a cluster."""
        result = np.zeros((count, self.width))
        for block in self.blocks:
            rows = None if block.codes is None else block.codes
            if rows is not None and count * block.size <= BINS:
                by_row = np.zeros(count * block.size)
                for part in stretches(0, len(residuals)):
                    place = clusters[part].astype(np.intp) * block.size
                    place += rows[part] if cells is None else rows[cells[part]]
                    by_row += np.bincount(place, weights=residuals[part], minlength=len(by_row))
                result[:, block.columns] = by_row.reshape(count, block.size) @ block.table
                continue
            from scipy.sparse import csr_matrix

            where = np.arange(self.n_cells) if cells is None else cells
            where = where if rows is None else rows[where]
            result[:, block.columns] = csr_matrix((residuals, (clusters, where)), (count, block.size)) @ block.table
        return result

    def leverage(self, covariance: np.ndarray) -> np.ndarray:
        """x' V x for each cell."""
        total = np.zeros(self.n_cells)
        for i, left in enumerate(self.blocks):
            for j, right in enumerate(self.blocks[: i + 1]):
                between = covariance[np.ix_(left.columns, right.columns)]
                total += (1 if i == j else 2) * _quadratic(left, right, between)
        return total


def stretches(first: int, last: int) -> Iterator[slice]:
    """Cells first … last in slices that fit a cache."""
    for begin in range(first, last, STRETCH):
        yield slice(begin, min(begin + STRETCH, last))


class _Tables:
    """What one strand has counted: by row of each coded block, by pair of them, and by column where rows are own."""

    def __init__(self, blocks: tuple[Block, ...]) -> None:
        self.blocks, self.value = blocks, 0.0
        shape = [len(block.columns) if block.codes is None else block.size for block in blocks]
        self.residuals = [np.zeros(n) for n in shape]
        self.own = [np.zeros((n, n) if b.codes is None else n) for n, b in zip(shape, blocks, strict=True)]
        self.cross = {(i, j): np.zeros((shape[i], shape[j])) for i, j in combinations(range(len(blocks)), 2)}

    def count(self, part: slice, by_row: list[np.ndarray], function: Callable[[np.ndarray, slice], Values]) -> None:
        """Add a stretch of cells."""
        codes = [None if block.codes is None else block.codes[part].astype(np.intp) for block in self.blocks]
        eta = np.zeros(part.stop - part.start)
        for code, values in zip(codes, by_row, strict=True):
            eta += values[part] if code is None else values.take(code)
        value, residuals, weights = function(eta, part)
        self.value += value
        if residuals is not None:
            for i, (block, code) in enumerate(zip(self.blocks, codes, strict=True)):
                own = block.codes is None
                table = block.table[part].T @ residuals if own else np.bincount(code, residuals, block.size)
                self.residuals[i] += table
        if weights is not None:
            self._weigh(part, codes, weights)

    def _weigh(self, part: slice, codes: list[np.ndarray | None], weights: np.ndarray) -> None:
        dense = [block.table[part] if code is None else None for block, code in zip(self.blocks, codes, strict=True)]
        counted: set[int] = set()
        for i, j in self.cross:
            left, right = self.blocks[i], self.blocks[j]
            if codes[i] is not None and codes[j] is not None:
                joint = np.bincount(codes[i] * right.size + codes[j], weights, left.size * right.size)
                joint = joint.reshape(left.size, right.size)
                self.cross[i, j] += joint
                for at, axis in ((i, 1), (j, 0)):
                    if at not in counted:
                        self.own[at] += joint.sum(axis=axis)
                        counted.add(at)
            elif codes[i] is None and codes[j] is None:
                self.cross[i, j] += dense[i].T @ (weights[:, None] * dense[j])
            else:
                coded, other = (i, j) if codes[i] is not None else (j, i)
                sums = [np.bincount(codes[coded], weights * column, len(self.own[coded])) for column in dense[other].T]
                self.cross[i, j] += np.array(sums).T if coded == i else np.array(sums)
        for i, code in enumerate(codes):
            if code is None:
                self.own[i] += dense[i].T @ (weights[:, None] * dense[i])
            elif i not in counted:
                self.own[i] += np.bincount(code, weights, self.blocks[i].size)


def _quadratic(left: Block, right: Block, between: np.ndarray) -> np.ndarray:
    if left.codes is not None and right.codes is not None:
        return (left.table @ between @ right.table.T)[left.codes, right.codes]
    return np.einsum("ij,ij->i", left.spread(left.table @ between), right.spread(right.table))
