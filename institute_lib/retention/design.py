"""Laying the terms of a formula out over cells, and what forbids a fit before it is tried."""

import math
from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd

from institute_lib.errors import EstimationError
from institute_lib.retention.blocks import Block, Design
from institute_lib.retention.cells import CellCounts, Variable
from institute_lib.retention.drivers import Formula, Term
from institute_lib.retention.grouping import packed_key, repay

PACKED = 1024
FEW = 32
INTERCEPT = "intercept"


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
    groups = _pack(_components(formula), variables, limit=min(PACKED, max(FEW, math.isqrt(n_cells))))
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
        block_codes = _joint([codes[name] for name in names], sizes)
    table = evaluate(members, variables, grid)
    if first:
        table = np.column_stack([np.ones(len(table)), table])
    return Block(tuple(names), members, columns, grid, block_codes, table)


def _joint(columns: list[np.ndarray], sizes: list[int]) -> np.ndarray:
    """Codes of combinations, worked out in the smallest type that holds them."""
    joint = np.zeros(len(columns[0]), dtype=np.min_scalar_type(int(np.prod(sizes))))
    for codes, size in zip(columns, sizes, strict=True):
        np.multiply(joint, joint.dtype.type(size), out=joint)
        np.add(joint, codes, out=joint, casting="unsafe")
    return joint


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


def _pack(groups: list[list[str]], variables: Mapping[str, Variable], *, limit: int) -> list[list[str]]:
    """Put groups together while their combinations stay few beside the cells: first fit, largest first."""

    def size(group: list[str]) -> float:
        return float(np.prod([len(variables[name].levels) for name in group], dtype=float))

    packed: list[list[str]] = []
    for group in sorted(groups, key=size, reverse=True):
        home = next((other for other in packed if size(other) * size(group) <= limit), None)
        if home is None:
            packed.append(list(group))
        else:
            home.extend(group)
    return packed


def collapse(
    counts: CellCounts, drivers: tuple[str, ...]
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray | None]:
    """Cells of the named drivers alone: codes, rows, events, and the new cell of each old one (None: its own).

    Where that would merge hardly any, cells stay as they are.
    """
    columns, sizes = [counts.codes[name] for name in drivers], [len(counts.variables[name].levels) for name in drivers]
    same = not counts.cluster and set(drivers) == set(counts.codes)
    if same or not repay(columns, sizes):
        return dict(zip(drivers, columns, strict=True)), counts.rows, counts.events, None
    cell, uniques = pd.factorize(packed_key(columns, sizes))
    first = np.zeros(len(uniques), dtype=np.int64)
    first[cell[::-1]] = np.arange(counts.n_cells)[::-1]
    rows = np.bincount(cell, weights=counts.rows, minlength=len(uniques))
    events = np.bincount(cell, weights=counts.events, minlength=len(uniques))
    return {name: codes[first] for name, codes in zip(drivers, columns, strict=True)}, rows, events, cell


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
