"""Several tables as one set of cells: what they share is one cell, what one of them adds up is an equation for all.

A cell is what its keys say without "total": the row total of district × level is the same cell as the district's
figure in another table. A table without totals still adds up to them when another table shows them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from institute_lib.disclosure.structure import Identity, Line, equations, identities, is_total


@dataclass(frozen=True)
class Part:
    """One table's cells: keys, figures (NaN where unknown), and which may be hidden.

    A table that is out already is `fixed`: what it shows stays shown, what it hides stays hidden.
    """

    keys: pd.DataFrame
    figures: np.ndarray
    hidden: np.ndarray
    fixed: bool = False
    wholes: Sequence[Sequence[int]] = ()


@dataclass
class Union:
    """All cells of all parts, each once.

    Attributes:
        places: for each part the position of each of its rows among all cells.
        figures: the figure of each cell, 0 where unknown; `lines` what adds up.
        given, allowed: hidden already; may be hidden.
    """

    places: list[np.ndarray] = field(default_factory=list)
    figures: list[float] = field(default_factory=list)
    given: list[bool] = field(default_factory=list)
    allowed: list[bool] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def add(self, figure: float, *, hidden: bool, allowed: bool) -> int:
        self.figures.append(0.0 if np.isnan(figure) else float(figure))
        self.given.append(bool(hidden))
        self.allowed.append(bool(allowed))
        return len(self.figures) - 1


def unite(parts: Sequence[Part]) -> Union:
    """The first part and those of the others whose shown figures agree with it, as one set of equations."""
    union, known = Union(), {}
    for number, part in enumerate(parts):
        names = identities(part.keys)
        if number and not _agree(names, part, known, union):
            union.places.append(np.array([], int))
            continue
        places = []
        for i, name in enumerate(names):
            missing = np.isnan(part.figures[i]) and not part.hidden[i]
            if name not in known:
                known[name] = union.add(part.figures[i], hidden=part.hidden[i], allowed=not part.fixed and not missing)
            elif part.fixed and not part.hidden[i]:
                union.allowed[known[name]] = union.given[known[name]] = False
            elif part.hidden[i]:
                union.given[known[name]] = True
            places.append(known[name])
        union.places.append(np.array(places, int))
        _add_lines(union, part, union.places[-1])
    for number, part in enumerate(parts):
        if len(union.places[number]):
            union.lines += _sums_elsewhere(part, union.places[number], known, union.figures)
    union.lines = _once(union.lines)
    return union


def _agree(names: Sequence[Identity], part: Part, known: dict[Identity, int], union: Union) -> bool:
    """Whether a table shares cells with those before it, and shows the same figures there."""
    shared = [i for i, name in enumerate(names) if name in known]
    shown = [i for i in shared if not part.hidden[i] and not np.isnan(part.figures[i])]
    return all(abs(part.figures[i] - union.figures[known[names[i]]]) <= 0.5 for i in shown)


def _add_lines(union: Union, part: Part, places: np.ndarray) -> None:
    unknown = np.isnan(part.figures) & ~part.hidden
    for whole, line in equations(part.keys, None if part.fixed else part.figures):
        reported = [i for i in line if not unknown[i]]
        if not unknown[whole] and reported:
            union.lines.append((int(places[whole]), [int(places[i]) for i in reported]))
    for group in part.wholes:  # a sum that is known although no cell shows it
        virtual = union.add(float(np.nansum(part.figures[list(group)])), hidden=False, allowed=False)
        union.lines.append((virtual, [int(places[i]) for i in group if not unknown[i]]))


def _sums_elsewhere(
    part: Part, places: np.ndarray, known: dict[Identity, int], figures: Sequence[float]
) -> Iterable[Line]:
    """Totals that this table does not show and another one does."""
    columns = list(part.keys.columns)
    flat = ~part.keys.map(is_total).any(axis=1).to_numpy()
    nested = {whole for whole, _ in equations(part.keys)}
    own = set(places.tolist())
    for size in range(1, len(columns) + 1):
        for dropped in combinations(columns, size):
            kept = [name for name in columns if name not in dropped]
            groups: dict[Identity, list[int]] = {}
            for i, record in enumerate(part.keys[kept].itertuples(index=False, name=None)):
                if flat[i] and i not in nested:
                    name = frozenset((column, str(value)) for column, value in zip(kept, record, strict=True))
                    groups.setdefault(name, []).append(int(places[i]))
            for name, cells in groups.items():
                whole = known.get(name)
                if whole is not None and whole not in own:
                    total = sum(figures[cell] for cell in cells)
                    if part.fixed or abs(total - figures[whole]) <= 0.5:
                        yield whole, cells


def _once(lines: Sequence[Line]) -> list[Line]:
    return [(whole, list(cells)) for whole, cells in dict.fromkeys((whole, tuple(cells)) for whole, cells in lines)]
