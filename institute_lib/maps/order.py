"""What a map is asked to show: which figure of which rows of a safe table, in which classes."""

from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from institute_lib.disclosure import SafeTable, show
from institute_lib.errors import DataError, ParameterError, nearest
from institute_lib.maps.classes import Classes, classify


@dataclass(frozen=True)
class Order:
    """What to draw: the figure `value` of `safe` where `where` holds, in one language, with stated classes.

    `shared`: a key over all of whose values the classes are made, so that maps of one value each can be compared.
    `highlight`: region and what it is; `others`: what further regions are of which the table says nothing.
    """

    safe: SafeTable
    value: str
    where: tuple[tuple[str, str], ...]
    language: str
    title: str
    scheme: str
    k: int
    shared: str = ""
    highlight: tuple[tuple[str, str], ...] = ()
    others: str = ""

    def cells(self) -> pd.DataFrame:
        """The safe table's rows that the map shows, with key and status.

        Raises:
            ParameterError: a column or a value that the table does not have.
            DataError: several rows for one region.
        """
        frame = self.safe.to_frame()
        for name, wanted in self.where:
            frame = _only(frame, name, wanted)
        if self.value not in self.safe.values:
            raise ParameterError(f"map: figure {self.value!r}: {nearest(self.value, self.safe.values)}")
        frame = frame.rename(columns={self.key: "code"})
        frame = frame[~_is_whole(frame["code"].astype(str))]
        if frame["code"].duplicated().any():
            others = [
                name for name in (*self.safe.rows, *self.safe.columns) if name not in (self.key, *dict(self.where))
            ]
            raise DataError(f"map: several rows a {self.key}: choose one with {' and '.join(others)}=")
        return frame.reset_index(drop=True)

    def classes(self) -> Classes:
        """The classes of the rows shown; with `shared`, made of all of that key's values together."""
        if not self.shared:
            return classify(self.cells()[self.value], scheme=self.scheme, k=self.k)
        return self.part(self.shared_classes())

    def shared_classes(self) -> Classes:
        """The classes of every value of the shared key, in the order of the table's rows."""
        every = self._every()
        return classify(every[self.value].reset_index(drop=True), scheme=self.scheme, k=self.k)

    def part(self, shared: Classes) -> Classes:
        """Of shared classes, what the rows shown have of them."""
        own = (self._every()[self.shared] == dict(self.where)[self.shared]).to_numpy()
        sizes = tuple(int((shared.of[own] == one).sum()) for one in range(len(shared.colours)))
        return replace(shared, of=shared.of[own], sizes=sizes)

    def _every(self) -> pd.DataFrame:
        every = self.safe.to_frame()
        every = every[~_is_whole(every[self.key].astype(str))]
        for name, wanted in self.where:
            every = every if name == self.shared else _only(every, name, wanted)
        return every

    @property
    def key(self) -> str:
        """The column that names a region: the first key of the safe table."""
        return self.safe.rows[0]

    @property
    def heading(self) -> str:
        return self.title or self.safe.title or self.label(self.value)

    def figure_text(self, figure: float, key: str = "") -> str:
        """A figure of the table in its unit: of the one that the map shows, or of another."""
        return show.number(figure, self.units[key or self.value], self.language)

    @cached_property
    def units(self) -> dict[str, str]:
        """The unit of each figure."""
        frame = self.safe.frame
        return {name: show.unit(name, frame[name], self.safe.units) for name in self.safe.values}

    def label(self, name: str) -> str:
        return show.label(name, self.language, self.safe.labels)


def _is_whole(codes: pd.Series) -> pd.Series:
    """The rows of a whole, which has no shape beside its parts: a total, or a district among its towns."""
    return codes.eq("total") | (codes.str.len() < codes.str.len().max())


def _only(frame: pd.DataFrame, name: str, wanted: str) -> pd.DataFrame:
    if name not in frame:
        raise ParameterError(f"map: column {name!r}: {nearest(name, frame.columns)}")
    if wanted not in set(frame[name]):
        raise ParameterError(f"map: {name} {wanted!r}: {nearest(wanted, frame[name].unique())}")
    return frame[frame[name] == wanted]
