"""What a map is asked to show: which figure of which rows of a protected view, in which classes."""

from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from institute_lib import terms
from institute_lib.disclosure import Protected
from institute_lib.errors import DataError, ParameterError, nearest
from institute_lib.maps.classes import Classes, classify


@dataclass(frozen=True)
class Order:
    """What to draw: the figure `value` of `safe` where `where` holds, in one language, with stated classes.

    `highlight`: region and what it is; `others`: what further regions are of which the table says nothing.
    Classes are made of all rows of the table, so that the maps of its parts (before and after, quarters) compare.
    """

    safe: Protected
    value: str
    where: tuple[tuple[str, str], ...]
    language: str
    title: str
    scheme: str
    k: int
    highlight: tuple[tuple[str, str], ...] = ()
    others: str = ""

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The table's rows that have a shape, with their status: those of a whole have none beside its parts."""
        frame = self.safe.to_frame().rename(columns={self.key: "code"})
        codes = frame["code"].astype("str")
        return frame[~(codes.eq("total") | (codes.str.len() < codes.str.len().max()))].reset_index(drop=True)

    @cached_property
    def drawn(self) -> pd.Series:
        """Which of them the map shows.

        Raises:
            ParameterError: a column or a value that the table does not have.
            DataError: several rows for one region.
        """
        if self.value not in self.safe.values:
            raise ParameterError(f"map: figure {self.value!r}: {nearest(self.value, self.safe.values)}")
        at = pd.Series(True, index=self.rows.index)
        for name, wanted in self.where:
            if name not in self.rows:
                raise ParameterError(f"map: column {name!r}: {nearest(name, self.rows.columns)}")
            if wanted not in set(self.rows[name]):
                raise ParameterError(f"map: {name} {wanted!r}: {nearest(wanted, self.rows[name].unique())}")
            at &= self.rows[name] == wanted
        if self.rows.loc[at, "code"].duplicated().any():
            keys = (*self.safe.rows, *self.safe.columns)
            others = [name for name in keys if name not in (self.key, *dict(self.where))]
            raise DataError(f"map: several rows a {self.key}: choose one with {' and '.join(others)}=")
        return at

    def cells(self) -> pd.DataFrame:
        """The rows that the map shows."""
        return self.rows[self.drawn].reset_index(drop=True)

    @cached_property
    def classes(self) -> Classes:
        """The classes of the whole table, and what the rows shown have of them."""
        whole = classify(self.rows[self.value], scheme=self.scheme, k=self.k)
        of = whole.of[self.drawn.to_numpy()]
        return replace(whole, of=of, sizes=tuple(int((of == one).sum()) for one in range(len(whole.colours))))

    @property
    def key(self) -> str:
        """The column that names a region: the first key of the view."""
        return self.safe.rows[0]

    @property
    def whole_title(self) -> str:
        """What the table is about."""
        return self.title or self.safe.title or self.label(self.value)

    @property
    def part(self) -> str:
        """Which part of the table it shows, in words."""
        return " · ".join(terms.key(name, part, self.language, self.safe.labels) for name, part in self.where)

    @property
    def heading(self) -> str:
        return " · ".join(one for one in (self.whole_title, self.part) if one)

    def figure_text(self, figure: float, key: str = "") -> str:
        """A figure of the table in its unit: of the one that the map shows, or of another."""
        return terms.figure(figure, self.units[key or self.value], self.language)

    @cached_property
    def units(self) -> dict[str, str]:
        """The unit of each figure."""
        return {name: self.safe.unit(name) for name in self.safe.values}

    def label(self, name: str) -> str:
        return terms.word(name, self.language, self.safe.labels)
