"""What may be shown: tables, results, figures and sentences that only this room can make.

They hold copies, hand out copies, and refuse to be built anywhere else: the constructor asks for a token that this room
keeps. A chart, a map or a brief takes nothing else, so whatever a reader sees has passed a rule of disclosure.
"""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.disclosure.values import HIDDEN, MAKER, SafeFigure, SafeSentence, check_maker
from institute_lib.errors import DisclosureError, ParameterError, nearest

NOTED = (  # the reasons that a note under the table gives, in its order
    "few_persons",
    "few_employers",
    "dominance",
    "p_percent",
    "extreme",
    "small_share",
    "all_in_one",
    "linked",
    "complement",
)
TABLE_MIME = "application/vnd.institute.table+json"


@dataclass(frozen=True, eq=False)
class SafeTable:
    """A table whose hidden cells are gone: `frame` is long, one row a cell, hidden figures are NaN.

    Attributes:
        rows, columns: names of the key columns; `columns` may be empty.
        values: names of the figures, hidden together; `value` is the first of them.
        status: one of STATUSES for each row of `frame`.
        method: "suppress", "round" or "exempt"; `reason` says why exempt ("published" or "not_personal").
        source: where the figures come from, as the line under the table says it.
        demo: whether they come from the demo registers.
        units: column to unit ("count", "share", "points", "number", "yuan", "text"); what is not named is inferred.
        labels: column to its label, where the catalogues do not know it.
        reasons: why each row of `frame` is hidden, a key of `terms/disclosure.toml` without "reason_"; "" where shown.
        gap: how much more was hidden than the least possible, at most, as a share.
        linked: the tables that were protected together with this one.
    """

    made_by: InitVar[object]
    data: pd.DataFrame
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[str, ...]
    states: pd.Series
    method: str
    threshold: int
    title: str = ""
    source: str = ""
    demo: bool = False
    reason: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    reasons: pd.Series | None = None
    gap: float = 0.0
    linked: tuple["SafeTable", ...] = ()

    def __post_init__(self, made_by: object) -> None:
        check_maker(made_by, "SafeTable")
        reasons = pd.Series("", index=self.states.index, dtype="str") if self.reasons is None else self.reasons
        object.__setattr__(self, "data", self.data.reset_index(drop=True).copy())
        object.__setattr__(self, "states", self.states.reset_index(drop=True).copy())
        object.__setattr__(self, "reasons", reasons.reset_index(drop=True).copy())

    @property
    def frame(self) -> pd.DataFrame:
        """A copy of the long table: changing it changes nothing that is shown."""
        return self.data.copy()

    @property
    def status(self) -> pd.Series:
        """The state of each row of `frame`."""
        return self.states.copy()

    @property
    def value(self) -> str:
        """The name of the first figure."""
        return self.values[0]

    @property
    def hidden(self) -> int:
        """How many cells are hidden to protect persons."""
        return int(self.states.isin(HIDDEN).sum())

    def figure(self, name: str | None = None, /, **keys: object) -> SafeFigure:
        """One figure of the table, the first if it is not named; that of no row is missing.

        Args:
            name: of the figure; `value` if left out.
            keys: columns to the values that together name one row.

        Raises:
            ParameterError: an unknown figure or key, or keys that name several rows.
        """
        name = self.value if name is None else name
        if name not in self.values:
            raise ParameterError(f"figure {name!r}: {nearest(name, self.values)}")
        at = self._rows(keys)
        if at.sum() > 1:
            raise ParameterError(f"figure {name!r}: {keys} names {at.sum()} rows of the table, not one")
        style = {"threshold": self.threshold, "source": self.source, "demo": self.demo}
        unit = self._unit(name)
        if not at.any():
            return SafeFigure(MAKER, None, unit, "missing", **style)
        place = int(at.to_numpy().argmax())
        known = self.data[name].iloc[place]
        value = None if pd.isna(known) or not np.isfinite(known) else float(known)
        if value is not None and unit == "count" and value.is_integer():
            value = int(value)
        state = self.states.iloc[place]
        state = "missing" if value is None and state not in HIDDEN else state
        return SafeFigure(MAKER, value, unit, state, self.reasons.iloc[place] or self.reason, **style)

    def figures(self, **keys: object) -> dict[str, SafeFigure]:
        """All figures of one row, by name."""
        return {name: self.figure(name, **keys) for name in self.values}

    def where(self, **keys: object) -> "SafeTable":
        """The rows of some keys, without those keys: what was hidden beside others stays hidden."""
        at = self._rows(keys)
        parts = {"data": self.data[at].drop(columns=list(keys)), "states": self.states[at], "reasons": self.reasons[at]}
        named = {axis: tuple(one for one in getattr(self, axis) if one not in keys) for axis in ("rows", "columns")}
        return replace(self, made_by=MAKER, **parts, **named)

    def _rows(self, keys: Mapping[str, object]) -> pd.Series:
        at = pd.Series(True, index=self.data.index)
        for name, wanted in keys.items():
            if name not in (*self.rows, *self.columns):
                raise ParameterError(f"key {name!r}: {nearest(name, (*self.rows, *self.columns))}")
            at &= self.data[name].astype(str) == str(wanted)
        return at

    def _unit(self, name: str) -> str:
        from institute_lib.disclosure import show

        return show.unit(name, self.data[name], self.units)

    def to_frame(self) -> pd.DataFrame:
        """The long table with its `status` and the `reason` for it."""
        return self.data.assign(status=self.states, reason=self.reasons)

    def notes(self, language: str = "zh") -> tuple[str, ...]:
        """What was done to the table, in plain words, for the lines under it."""
        found = set(self.states)
        lines = [
            terms.text(f"disclosure.reason_{reason}", language, threshold=self.threshold)
            for reason in NOTED
            if reason in set(self.reasons)
        ]
        if "missing" in found:
            lines.append(terms.text("disclosure.missing", language))
        if self.method == "round":
            lines.append(terms.text("disclosure.rounded", language))
        return tuple(lines)

    def summary(self, language: str = "zh") -> str:
        """How many cells are shown and how many hidden, in one sentence."""
        shown = int(self.states.isin(["shown", "exempt"]).sum())
        said = terms.text("disclosure.summary", language, shown=shown, hidden=self.hidden)
        if not self.hidden:
            return said
        return said + terms.text("disclosure.gap", language, gap=terms.percent(self.gap, language))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from institute_lib.disclosure import show

        return show.bundle(self)


@dataclass(frozen=True, eq=False)
class SafeResult:
    """A model, a curve or a path of which what could point at a few persons has been taken out.

    Attributes:
        kind: "staggered", "pilot", "hazard", "cox", "survival" or "frame".
        tables: name to frame, e.g. "coefficients", "event_study", "path", "placebos", "curves".
        numbers: name to number, e.g. "att", "ci_low", "n_units".
        hidden: what was taken out, as (place, what) pairs.
        names: column or category to its label, where the catalogues do not know it.
        units: column to unit, as of a SafeTable.
        facts: what the result says of itself in words: "start", "treated_unit", "outcome", where it has them.
        unchecked: the persons behind each district and period were not given, so they were not checked.
    """

    made_by: InitVar[object]
    kind: str
    tables: Mapping[str, pd.DataFrame]
    numbers: Mapping[str, float]
    sentences: Mapping[str, str]
    threshold: int
    hidden: tuple[tuple[str, str], ...] = ()
    title: str = ""
    source: str = ""
    demo: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    unchecked: bool = False
    warnings: tuple[str, ...] = ()

    def __post_init__(self, made_by: object) -> None:
        check_maker(made_by, "SafeResult")
        object.__setattr__(self, "tables", {name: frame.copy() for name, frame in self.tables.items()})

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """Copies of the result's tables."""
        return {name: frame.copy() for name, frame in self.tables.items()}

    def figure(self, name: str, *, unit: str = "number") -> SafeFigure:
        """One of `numbers`; one that the result has not is missing.

        Raises:
            DisclosureError: the persons behind the result were not checked.
        """
        if self.unchecked:
            raise DisclosureError(
                f"figure {name!r}: the persons behind the result are not known; pass contributors= to protect_result"
            )
        value = self.numbers.get(name)
        state = "missing" if value is None else "shown"
        style = {"threshold": self.threshold, "source": self.source, "demo": self.demo}
        return SafeFigure(MAKER, value, unit, state, **style)

    def to_frame(self) -> pd.DataFrame:
        """The result's main table (the first)."""
        return next(iter(self.tables.values())).copy()

    def notes(self, language: str = "zh") -> tuple[str, ...]:
        """What was taken out, in plain words."""
        lines = []
        if self.hidden:
            key = "disclosure.curve_cut" if self.kind == "survival" else "disclosure.terms_hidden"
            lines.append(terms.text(key, language, threshold=self.threshold, n=len(self.hidden)))
        if self.unchecked:
            lines.append(terms.text("disclosure.contributors_unknown", language))
        return tuple(lines)

    def summary(self, language: str = "zh") -> SafeSentence:
        """The result's own sentence, said of what remains."""
        return SafeSentence(MAKER, self.sentences[terms.check_language(language)])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from institute_lib.disclosure import show

        return show.bundle(self)
