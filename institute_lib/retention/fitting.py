"""Maximum likelihood on cells, by a design matrix that is never built.

The columns of a model fall into blocks of drivers that share terms. A cell's row of the design is a row of each block's
small table, so that X'WX needs only cross-tabulations of the weights by pairs of block codes, and one pass over the
cells gives the likelihood, its gradient and the information. Cells pass in stretches that fit a processor's cache, in a
fixed number of strands, so that sums do not depend on the number of processors. A block with too many combinations (a
number with very many values) is not cross-tabulated: its columns enter the sums as they are.

Fitting centres and scales numbers first: a year and its square are then told apart, and wide numbers lose nothing.
"""

import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np

from institute_lib.errors import DataError, EstimationError, ParameterError, nearest
from institute_lib.retention.counting import CellCounts, Variable, packed_key
from institute_lib.retention.drivers import Formula, Term

if TYPE_CHECKING:
    from scipy.sparse import csr_array

INTERCEPT = "intercept"
STRETCH = 1 << 19
STRANDS = 4
BINS = 1 << 22  # cross-tabulations up to this size are counted densely
PACKED = 1024  # combinations of a block at most
FEW = 32
STEPS, HALVINGS = 80, 30
TOLERANCE = 1e-10  # no cell's predictor moves by more: a maximum
ROUNDING = 1e-7
FLAT, MOVING = 1e-9, 0.05  # the likelihood gains less, relatively, while predictors move by more: there is none
MANY_CELLS, SHARE = 1 << 20, 16
COLLINEAR = 1e-9
FEW_CLUSTERS = 40  # under it, errors by leaving out one cluster at a time

Values = tuple[float, np.ndarray | None, np.ndarray | None]


@dataclass(frozen=True)
class Block:
    """Drivers that stand together: `table` has a row a combination of levels, a column a coefficient; `codes` say which
    row is a cell's.
    """

    drivers: tuple[str, ...]
    terms: tuple[Term, ...]
    columns: np.ndarray
    grid: dict[str, np.ndarray]
    codes: np.ndarray
    table: np.ndarray

    @property
    def wide(self) -> bool:
        """Whether it has too many rows to be cross-tabulated."""
        return len(self.table) > PACKED

    @cached_property
    def folded(self) -> "csr_array":
        """Rows into columns; sparse, since threads of dense algebra cost more than they give in products so small."""
        from scipy.sparse import csr_array

        return csr_array(np.eye(len(self.columns)) if self.wide else self.table.T)

    def add(self, values: np.ndarray) -> np.ndarray:
        """Sum cell values by row of the table."""
        total = np.zeros(len(self.table))
        for part in stretches(0, len(values)):
            total += np.bincount(self.codes[part], weights=values[part], minlength=len(total))
        return total

    def spread(self, by_row: np.ndarray) -> np.ndarray:
        """Give each cell the value of its row of the table."""
        return by_row[self.codes]


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

    def take(self, cells: np.ndarray | slice) -> "Design":
        """The design of some cells."""
        blocks = tuple(replace(block, codes=block.codes[cells]) for block in self.blocks)
        return replace(self, blocks=blocks, n_cells=len(blocks[0].codes))

    def predictor(self, beta: np.ndarray) -> np.ndarray:
        """X β, one value a cell."""
        return sum(block.spread(block.table @ beta[block.columns]) for block in self.blocks)

    def reach(self, step: np.ndarray) -> float:
        """The most that a step can move any cell's predictor."""
        return float(sum(np.abs(block.table @ step[block.columns]).max() for block in self.blocks))

    def moves(self, step: np.ndarray) -> np.ndarray:
        """By coefficient, how far a step spreads the cells' predictors."""
        found = np.zeros(self.width)
        for block in self.blocks:
            found[block.columns] = np.ptp(block.table * step[block.columns], axis=0)
        return found

    def standardised(self, rows: np.ndarray, *, centre: bool = True) -> tuple["Design", np.ndarray]:
        """The design with numbers of mean 0 and variance 1 over the rows, levels as they are, and A: β = A β of such.

        `centre` False: numbers scaled alone.
        """
        total, back, blocks = rows.sum(dtype=float), np.eye(self.width), []
        for block in self.blocks:
            weight = block.add(rows) / total
            mean = weight @ block.table
            spread = np.sqrt(weight @ (block.table - mean) ** 2)
            factors = {t.name for t in block.terms if all(self.variables[n].kind == "factor" for n in t.drivers)}
            named = np.array([self.labels[column][0] in (INTERCEPT, *factors) for column in block.columns])
            fixed = named | (spread == 0)
            scale = np.where(fixed, 1.0, spread)
            mean = np.where(fixed | (not centre), 0.0, mean)
            back[block.columns, block.columns] = 1 / scale
            back[0, block.columns] -= mean / scale
            blocks.append(replace(block, table=(block.table - mean) / scale))
        return replace(self, blocks=tuple(blocks)), back

    def sweep(self, beta: np.ndarray, function: Callable[[np.ndarray, slice], Values]) -> Sums:
        """One pass over the cells, in a fixed number of strands.

        `function` gets the predictor of a stretch of cells and where it stands, and returns a number, residuals r and
        weights w of these cells (None where not wanted).
        """
        by_row = [block.table @ beta[block.columns] for block in self.blocks]
        bounds = np.linspace(0, self.n_cells, STRANDS + 1).astype(int) if self.n_cells > STRETCH else (0, self.n_cells)
        with ThreadPoolExecutor(min(STRANDS, os.cpu_count() or 1)) as pool:
            counted = list(pool.map(lambda ends: self._counted(*ends, by_row, function), pairwise(bounds)))
        score, information = np.zeros(self.width), np.zeros((self.width, self.width))
        tables = {key: sum(one[key] for one in counted) for key in counted[0]}
        for i, block in enumerate(self.blocks):
            score[block.columns] = block.folded @ tables[i]
            for j, other in enumerate(self.blocks[: i + 1]):
                cross = tables[i, j]
                cross = block.folded @ (cross if cross.ndim == 2 else cross[:, None] * block.table)
                cross = cross if i == j and tables[i, j].ndim == 1 else (other.folded @ cross.T).T
                information[np.ix_(block.columns, other.columns)] = cross
                information[np.ix_(other.columns, block.columns)] = cross.T
        return Sums(tables["value"], score, information)

    def _counted(self, first: int, last: int, by_row: list[np.ndarray], function: Callable) -> dict[Any, Any]:
        """What one strand counts: residuals by row of each block, weights by row of each pair; of wide ones by column.

        Keys: "value", the block, the pair of blocks.
        """
        found: dict[Any, Any] = defaultdict(float)
        sizes = [len(block.table) for block in self.blocks]
        for part in stretches(first, last):
            codes = [block.codes[part].astype(np.intp) for block in self.blocks]
            eta = sum(values.take(code) for values, code in zip(by_row, codes, strict=True))
            value, residuals, weights = function(eta, part)
            found["value"] += value
            held = [b.table[c] if b.wide else c for b, c in zip(self.blocks, codes, strict=True)]
            for i, one in enumerate(held):
                if residuals is not None:
                    found[i] += _tabulated(one, residuals, sizes[i])
                for j in range(i + 1) if weights is not None else ():
                    if i == j and one.ndim == 1:
                        found[i, j] += np.bincount(one, weights, sizes[i])
                    else:
                        found[i, j] += _crossed(one, held[j], weights, (sizes[i], sizes[j]))
        zeros = {
            i: np.zeros(len(block.columns) if block.wide else len(block.table)) for i, block in enumerate(self.blocks)
        }
        return zeros | {(i, j): 0.0 for i in zeros for j in range(i + 1)} | found

    def scores(self, values: np.ndarray) -> np.ndarray:
        """X' v."""
        result = np.zeros(self.width)
        for block in self.blocks:
            result[block.columns] = block.table.T @ block.add(values)
        return result

    def information(self, weights: np.ndarray) -> np.ndarray:
        """X' diag(w) X."""
        return self.sweep(np.zeros(self.width), lambda _, part: (0.0, None, weights[part].astype(float))).information

    def cluster_scores(self, residuals: np.ndarray, clusters: np.ndarray, count: int) -> np.ndarray:
        """Scores summed by cluster (count × width)."""
        from scipy.sparse import csr_array

        result = np.zeros((count, self.width))
        for block in self.blocks:
            size = len(block.table)
            if count * size <= BINS:
                by_row = np.zeros(count * size)
                for part in stretches(0, len(residuals)):
                    place = clusters[part].astype(np.intp) * size + block.codes[part]
                    by_row += np.bincount(place, weights=residuals[part], minlength=len(by_row))
                by_row = by_row.reshape(count, size)
            else:
                by_row = csr_array((residuals, (clusters, block.codes)), (count, size))
            result[:, block.columns] = by_row @ block.table
        return result

    def leverage(self, covariance: np.ndarray) -> np.ndarray:
        """x' V x for each cell."""
        total = np.zeros(self.n_cells)
        for i, left in enumerate(self.blocks):
            for j, right in enumerate(self.blocks[: i + 1]):
                between = left.table @ covariance[np.ix_(left.columns, right.columns)]
                if left.wide or right.wide:
                    found = np.einsum("ij,ij->i", between[left.codes], right.table[right.codes])
                else:
                    found = (between @ right.table.T)[left.codes, right.codes]
                total += (1 if i == j else 2) * found
        return total


def stretches(first: int, last: int) -> Iterator[slice]:
    """Cells first … last in slices that fit a cache."""
    for begin in range(first, last, STRETCH):
        yield slice(begin, min(begin + STRETCH, last))


def _tabulated(held: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """Values by code (one dimension) or times columns (two)."""
    return np.bincount(held, values, size) if held.ndim == 1 else held.T @ values


def _crossed(left: np.ndarray, right: np.ndarray, weights: np.ndarray, sizes: tuple[int, int]) -> np.ndarray:
    """Weights cross-tabulated by two blocks, each by its codes or by its own columns."""
    if left.ndim == right.ndim == 1:
        return np.bincount(left * sizes[1] + right, weights, sizes[0] * sizes[1]).reshape(sizes)
    if left.ndim == 1:
        return _crossed(right, left, weights, sizes[::-1]).T
    return np.array([_tabulated(right, weights * column, sizes[1]) for column in left.T])


def design_of(formula: Formula, counts: CellCounts) -> Design:
    """Lay the terms of a formula out over cells.

    Raises:
        DataError: a driver that takes one value only.
    """
    variables = {name: counts.variables[name] for name in formula.drivers}
    for name, variable in variables.items():
        if len(variable.levels) == 1:
            held = str(variable.levels[0])
            raise DataError(f"driver {name!r} is constant: all {counts.n_rows} rows hold {held!r}; leave it out")
    return build(formula, variables, counts.codes)


def build(formula: Formula, variables: Mapping[str, Variable], codes: Mapping[str, np.ndarray]) -> Design:
    """The design of cells with one code a driver; `variables` say what the codes stand for."""
    n_cells = len(next(iter(codes.values())))
    labels, owner = [(INTERCEPT, "")], {}
    for term in formula.terms:
        levels = [[str(v) for v in variables[n].levels[1:]] for n in term.drivers if variables[n].kind == "factor"]
        names = [":".join(level) for level in product(*levels)]
        owner[term] = np.arange(len(labels), len(labels) + len(names))
        labels += [(term.name, level) for level in names]
    blocks = []
    for number, names in enumerate(_packed(formula, variables, min(PACKED, max(FEW, math.isqrt(n_cells))))):
        members = tuple(term for term in formula.terms if set(term.drivers) <= set(names))
        columns = np.concatenate([np.arange(1 if number == 0 else 0), *(owner[term] for term in members)]).astype(int)
        sizes, own = [len(variables[name].levels) for name in names], [codes[name] for name in names]
        if np.prod(sizes, dtype=float) <= PACKED or len(names) == 1:
            grid = dict(zip(names, np.indices(sizes).reshape(len(sizes), -1), strict=True))
            joint = _joint(own, sizes)
        else:  # of very many combinations those that occur
            _, first, joint = np.unique(packed_key(own, sizes), return_index=True, return_inverse=True)
            grid = {name: column[first] for name, column in zip(names, own, strict=True)}
        table = evaluate(members, variables, grid)
        if number == 0:
            table = np.column_stack([np.ones(len(table)), table])
        blocks.append(Block(tuple(names), members, columns, grid, joint, table))
    return Design(variables, tuple(blocks), tuple(labels), n_cells)


def _joint(columns: list[np.ndarray], sizes: list[int]) -> np.ndarray:
    """Codes of combinations, worked out in the smallest type that holds them."""
    joint = np.zeros(len(columns[0]), dtype=np.min_scalar_type(int(np.prod(sizes))))
    for codes, size in zip(columns, sizes, strict=True):
        np.multiply(joint, joint.dtype.type(size), out=joint)
        np.add(joint, codes, out=joint, casting="unsafe")
    return joint


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


def _packed(formula: Formula, variables: Mapping[str, Variable], limit: int) -> list[list[str]]:
    """Drivers that share a term, directly or through others; then put together while combinations stay few."""

    def size(group: Sequence[str]) -> float:
        return float(np.prod([len(variables[name].levels) for name in group], dtype=float))

    groups: list[list[str]] = []
    for term in formula.terms:
        touching = [group for group in groups if set(group) & set(term.drivers)]
        merged = list(dict.fromkeys([*(name for group in touching for name in group), *term.drivers]))
        groups = [group for group in groups if group not in touching] + [merged]
    packed: list[list[str]] = []
    for group in sorted(groups, key=size, reverse=True):
        home = next((other for other in packed if size(other) * size(group) <= limit), None)
        if home is None:
            packed.append(list(group))
        else:
            home.extend(group)
    return packed


def require_full_rank(design: Design, rows: np.ndarray) -> None:
    """Refuse collinear drivers before fitting, naming the column and what decides it.

    Raises:
        EstimationError: the first column that the columns before it determine.
    """
    share = slice(None, None, SHARE)
    if design.n_cells >= MANY_CELLS and _decided(design.take(share), rows[share]) is None:
        return  # what a share of the cells tells apart, all of them do
    found = _decided(design, rows)
    if found is not None:
        column, deciding = found
        others = [name for name in deciding if name != INTERCEPT] or deciding
        raise EstimationError(
            f"collinear drivers: {say(design.labels[column])} is decided by {', '.join(others) or 'nothing: it is 0'}; "
            "leave one of them out"
        )


def _decided(design: Design, rows: np.ndarray) -> tuple[int, list[str]] | None:
    """The first column that is fixed by those before it, and which of them fix it."""
    gram = design.standardised(rows)[0].information(rows)
    scale = np.sqrt(np.maximum(np.diag(gram), np.finfo(float).tiny))
    gram = gram / np.outer(scale, scale)
    kept: list[int] = []
    for column in range(design.width):
        target = gram[kept, column]
        weights = np.linalg.solve(gram[np.ix_(kept, kept)], target) if kept else np.zeros(0)
        if not gram[column, column] - target @ weights > COLLINEAR:
            return column, [say(design.labels[k]) for k, w in zip(kept, weights, strict=True) if abs(w) > 1e-6]
        kept.append(column)
    return None


def say(label: tuple[str, str]) -> str:
    """A column in words: certificate = 'senior', or caseload."""
    term, level = label
    return f"{term} = {level!r}" if level else term


@dataclass(frozen=True)
class Logit:
    """h = 1 / (1 + exp(−η)). All functions take one value a cell."""

    def start(self, share: float) -> float:
        return float(np.log(share / (1 - share)))

    def mean(self, eta: np.ndarray) -> np.ndarray:
        from scipy.special import expit

        return expit(eta)

    def slope(self, eta: np.ndarray) -> np.ndarray:
        """Derivative of the mean by η."""
        decay = np.exp(-np.abs(eta))
        return decay / (1 + decay) ** 2

    def curve(self, eta: np.ndarray) -> np.ndarray:
        """Second derivative of the mean."""
        return self.slope(eta) * (1 - 2 * self.mean(eta))

    def evaluate(self, eta: np.ndarray, rows: np.ndarray, events: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """The log-likelihood, its derivative by η, and minus its expected second derivative, from one exponential."""
        decay = np.exp(-np.abs(eta))
        larger = 1 / (1 + decay)
        mean = np.where(eta >= 0, larger, decay * larger)
        value = float(np.sum(events * eta - rows * (np.maximum(eta, 0) + np.log1p(decay))))
        return value, events - rows * mean, rows * (decay * larger * larger)

    def observed(self, eta: np.ndarray, rows: np.ndarray, events: np.ndarray) -> np.ndarray:
        """Minus the second derivative; for the logit it does not depend on the events."""
        del events
        return rows * self.slope(eta)


@dataclass(frozen=True)
class Cloglog:
    """h = 1 − exp(−exp(η)), as `Logit`."""

    def start(self, share: float) -> float:
        return float(np.log(-np.log1p(-share)))

    def mean(self, eta: np.ndarray) -> np.ndarray:
        return -np.expm1(-self._rate(eta))

    def slope(self, eta: np.ndarray) -> np.ndarray:
        rate = self._rate(eta)
        return rate * np.exp(-rate)

    def curve(self, eta: np.ndarray) -> np.ndarray:
        return self.slope(eta) * (1 - self._rate(eta))

    def evaluate(self, eta: np.ndarray, rows: np.ndarray, events: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        rate = self._rate(eta)
        relative = self._relative(rate)
        gone = np.where(events > 0, events * np.log(np.maximum(-np.expm1(-rate), 1e-300)), 0.0)
        stayed = (rows - events) * rate
        return float(np.sum(gone - stayed)), events * relative - stayed, rows * rate * relative

    def observed(self, eta: np.ndarray, rows: np.ndarray, events: np.ndarray) -> np.ndarray:
        rate = self._rate(eta)
        relative = self._relative(rate)
        return (rows - events) * rate - events * relative * (1 - rate - relative)

    @staticmethod
    def _rate(eta: np.ndarray) -> np.ndarray:
        return np.exp(np.minimum(eta, 300.0))

    @staticmethod
    def _relative(rate: np.ndarray) -> np.ndarray:
        """slope / mean, 1 as the rate goes to 0."""
        return np.where(rate > 1e-300, rate / np.expm1(np.clip(rate, 1e-300, 700.0)), 1.0)


LINKS = {"logit": Logit(), "cloglog": Cloglog()}


def link_named(name: str) -> Logit | Cloglog:
    """The link of that name.

    Raises:
        ParameterError: another name.
    """
    if name not in LINKS:
        raise ParameterError(f"link={name!r}: {nearest(name, LINKS)}")
    return LINKS[name]


@dataclass(frozen=True)
class Problem:
    """What is maximised: a design over cells, their rows and events, the link, and whether Firth's penalty applies."""

    design: Design
    rows: np.ndarray
    events: np.ndarray
    link: Logit | Cloglog
    firth: bool = False
    unbounded = (
        "quasi-separation, no finite estimate exists: {wild} runs off to infinity, because some combination of drivers "
        "holds only stayers or only leavers; merge levels, leave one out, or pass penalty='firth'"
    )

    def evaluate(self, beta: np.ndarray) -> Sums:
        """The (penalised) log-likelihood, its gradient, and the expected information."""
        link = self.link
        sums = self.design.sweep(beta, lambda eta, part: link.evaluate(eta, self.rows[part], self.events[part]))
        if not self.firth:
            return sums
        eta = self.design.predictor(beta)
        sign, logarithm = np.linalg.slogdet(sums.information)
        value = sums.value + 0.5 * logarithm if sign > 0 else -np.inf
        hat = self.rows * link.slope(eta) * self.design.leverage(invert(sums.information))
        bias = self.design.scores(hat * (0.5 - link.mean(eta)))
        return Sums(value, sums.score + bias, sums.information)

    def take(self, cells: np.ndarray | slice) -> "Problem":
        """The problem of some cells."""
        return replace(self, design=self.design.take(cells), rows=self.rows[cells], events=self.events[cells])


@dataclass(frozen=True)
class Fit:
    """Estimates on cells: β, the log-likelihood, and the covariance by the expected information.

    `standard`: the problem in numbers of mean 0 and variance 1; `inner`: its estimates, `information` there;
    `back` @ inner = beta.
    """

    beta: np.ndarray
    log_likelihood: float
    covariance: np.ndarray
    iterations: int
    standard: Problem
    inner: np.ndarray
    information: np.ndarray
    back: np.ndarray


def fit_cells(problem: Problem) -> Fit:
    """Maximise the (penalised) likelihood by scoring, in standardised columns, halving steps that do not climb.

    Raises:
        EstimationError: no finite maximum, naming the columns that run off, or no convergence.
    """
    design, back = problem.design.standardised(problem.rows)
    standard = replace(problem, design=design)
    inner, here, iterations = climb(standard, _start(standard))
    value = here.value - np.linalg.slogdet(back)[1] if problem.firth else here.value  # of the penalty in raw columns
    covariance = back @ invert(here.information) @ back.T
    return Fit(back @ inner, value, covariance, iterations, standard, inner, here.information, back)


def climb(
    problem: Problem, beta: np.ndarray, *, tolerance: float = TOLERANCE, fixed: int | None = None
) -> tuple[np.ndarray, Sums, int]:
    """Newton's method from `beta`, one coefficient held if `fixed`: the maximum, the sums there, the steps it took.

    Done when no cell's predictor would move by `tolerance` any more, or when steps already small stop shrinking, which
    is rounding. Where the likelihood has stopped rising and predictors still move, estimates run off: separation.
    """
    free = np.array([at for at in range(len(beta)) if at != fixed])
    here, before = problem.evaluate(beta), np.inf
    for iteration in range(1, STEPS + 1):
        step = np.zeros(len(beta))
        step[free] = invert(here.information[np.ix_(free, free)]) @ here.score[free]
        move = problem.design.reach(step)
        if move < tolerance or (move < ROUNDING and move > before / 2):
            return beta, here, iteration
        before = move
        for _ in range(HALVINGS):
            trial = problem.evaluate(beta + step)
            if trial.value >= here.value - 1e-10 * abs(here.value):
                break
            step = step / 2
        still = move > MOVING and abs(trial.value - here.value) < FLAT * (1 + abs(here.value) * 1e-6)
        if still and not problem.firth:
            moves = problem.design.moves(step)
            wild = [say(label) for label, one in zip(problem.design.labels, moves, strict=True) if one > MOVING / 2]
            raise EstimationError(problem.unbounded.format(wild=", ".join(wild)))
        beta, here = beta + step, trial
    raise EstimationError(
        f"the likelihood did not converge in {STEPS} steps; leave out drivers that say nearly the same"
    )


def _start(problem: Problem) -> np.ndarray:
    """Where to begin: for very many cells the estimates of a share of them, which saves passes over all."""
    beta = np.zeros(problem.design.width)
    beta[0] = problem.link.start(float(problem.events.sum(dtype=float) / problem.rows.sum(dtype=float)))
    if problem.design.n_cells < MANY_CELLS:
        return beta
    share = replace(problem.take(slice(None, None, SHARE)), firth=False)
    if not 0 < share.events.sum() < share.rows.sum():
        return beta
    try:
        return climb(share, beta, tolerance=1e-3)[0]
    except EstimationError:  # a level too rare for the share says nothing about all cells
        return beta


def invert(matrix: np.ndarray) -> np.ndarray:
    """The inverse of an information matrix, scaled first.

    Raises:
        EstimationError: singular: the likelihood is flat in some direction.
    """
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
    try:
        inverse = np.linalg.inv(matrix * np.outer(scale, scale)) * np.outer(scale, scale)
    except np.linalg.LinAlgError as singular:
        raise EstimationError(
            f"the information on {len(matrix)} coefficients is singular; leave out drivers that say nearly the same"
        ) from singular
    return (inverse + inverse.T) / 2


def profile(problem: Problem, fit: Fit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Limits of 95 % profile penalised-likelihood intervals, and likelihood-ratio p, one a coefficient.

    Source: Heinze and Schemper (2002), Statistics in Medicine 21, 2409–2419, as R's logistf.
    """
    from scipy.stats import chi2

    design, back = problem.design.standardised(problem.rows, centre=False)
    standard, scale = replace(problem, design=design), np.diag(back)
    best, errors = fit.beta / scale, np.sqrt(np.diag(fit.covariance)) / scale
    top, target = standard.evaluate(best).value, np.sqrt(chi2.ppf(0.95, 1))

    def held(start: np.ndarray, at: int, value: float) -> tuple[float, np.ndarray]:
        """The root of the deviance with one coefficient held, and where it is reached."""
        beta = start.copy()
        beta[at] = value
        beta, here, _ = climb(standard, beta, tolerance=1e-8, fixed=at)
        return np.sqrt(2 * max(top - here.value, 0.0)), beta

    def limit(at: int, step: float) -> float:
        """Where the root, which is nearly straight, reaches the target: by secants from the estimate."""
        (before, root_before), value, beta = (best[at], 0.0), best[at] + target * step, best
        for _ in range(STEPS):
            root, beta = held(beta, at, value)
            if abs(root - target) < 1e-7:
                return value * scale[at]
            length, slope = abs(value - best[at]), (root - root_before) / (value - before)
            before, root_before = value, root
            value += np.clip((target - root) / slope if slope else np.inf, -4 * length, 4 * length)
            if (value - best[at]) * step <= 0:  # beyond the estimate: back to half the way
                value = best[at] + np.sign(step) * length / 2
        return float("nan")

    limits = np.array([[limit(at, sign * errors[at]) for sign in (-1, 1)] for at in range(len(best))])
    deviance = np.array([held(best, at, 0.0)[0] ** 2 for at in range(len(best))])
    return limits[:, 0], limits[:, 1], chi2.sf(deviance, 1)


@dataclass(frozen=True)
class Sandwich:
    """What errors by any clusters are made of: the observed information, and each cell's residual and curvature."""

    problem: Problem
    fit: Fit
    n_rows: int

    @cached_property
    def _parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        standard, fit, link = self.fit.standard, self.fit, self.problem.link
        eta = standard.design.predictor(fit.inner)
        weights = link.observed(eta, standard.rows, standard.events)
        residual = [
            link.evaluate(eta[part], standard.rows[part], standard.events[part])[1] for part in stretches(0, len(eta))
        ]
        information = fit.information if isinstance(link, Logit) else standard.design.information(weights)
        return information, np.concatenate(residual), weights

    def covariance(self, column: str, codes: np.ndarray, groups: int) -> np.ndarray:
        """The sandwich with scores summed by cluster, and rows (not cells) in its small-sample factor.

        V = G/(G−1) · (N−1)/(N−K) · H⁻¹ (Σ s s') H⁻¹ with the observed information H (Liang and Zeger 1986; the factor
        is Stata's and statsmodels'). With fewer than 40 clusters the estimate is worked out anew without each of them,
        and V = (G−1)/G · Σ (β₋g − β)(β₋g − β)', by one step (MacKinnon, Nielsen and Webb 2023, Journal of Econometrics
        232, CV3); a coefficient that rests on one cluster alone gets no error (NaN).
        """
        require_clusters(groups, column)
        design, back, total = self.fit.standard.design, self.fit.back, self.n_rows
        information, residual, weights = self._parts
        bread, scores = invert(information), design.cluster_scores(residual, codes, groups)
        factor = groups / (groups - 1) * (total - 1) / (total - design.width)
        raw = back @ (factor * bread @ (scores.T @ scores) @ bread) @ back.T
        empty = np.diag(raw) < 1e-12 * np.diag(self.fit.covariance)
        if empty.any():
            raise EstimationError(
                f"clustered errors by {column!r} are zero for {say(design.labels[int(np.argmax(empty))])}: the drivers "
                "give each cluster a coefficient of its own; cluster by something wider, or leave that driver out"
            )
        if groups >= FEW_CLUSTERS:
            return raw
        shifts, lost = np.zeros((groups, design.width)), np.zeros(design.width, bool)
        for group in range(groups):
            own = codes == group
            rest = information - design.take(own).information(weights[own])
            inverse = np.linalg.pinv(rest, rcond=1e-10, hermitian=True)
            known = back @ inverse @ rest  # a coefficient is known without the group if its row comes back whole
            lost |= np.abs(known - back).max(axis=1) > 1e-6 * np.abs(back).max(axis=1)
            shifts[group] = inverse @ scores[group]
        raw = (groups - 1) / groups * back @ shifts.T @ shifts @ back.T
        raw[lost] = raw[:, lost] = np.nan
        return raw


def require_clusters(groups: int, cluster: str) -> None:
    """Refuse errors clustered over a single cluster.

    Raises:
        EstimationError: naming the column.
    """
    if groups < 2:
        raise EstimationError(f"clustered errors need two clusters; {cluster!r} has {groups}")
