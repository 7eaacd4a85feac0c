"""What may be shown: `SafeTable` and `SafeResult`, which only this room can make.

Both hold copies, hand out copies, and refuse to be built anywhere else: the constructor asks for a token that this
room keeps. A chart, a map or a brief takes nothing else, so whatever a reader sees has passed a rule of disclosure.
"""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.errors import DisclosureError

MAKER = object()  # the token; `disclosure.__init__` does not export it
STATUSES = ("shown", "primary", "secondary", "missing", "exempt")
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


def _check_maker(made_by: object, kind: str) -> None:
    if made_by is not MAKER:
        raise DisclosureError(
            f"{kind} is made by disclosure.protect, disclosure.protect_result or disclosure.exempt only; "
            "give one of them your table or result"
        )


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
        units: column to unit ("count", "share", "number", "yuan", "text"); what is not named is inferred.
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
        _check_maker(made_by, "SafeTable")
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
        return int(self.states.isin(["primary", "secondary"]).sum())

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
    facts: Mapping[str, str] = field(default_factory=dict)
    unchecked: bool = False
    warnings: tuple[str, ...] = ()

    def __post_init__(self, made_by: object) -> None:
        _check_maker(made_by, "SafeResult")
        object.__setattr__(self, "tables", {name: frame.copy() for name, frame in self.tables.items()})

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """Copies of the result's tables."""
        return {name: frame.copy() for name, frame in self.tables.items()}

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

    def summary(self, language: str = "zh") -> str:
        """The result's own sentence, said of what remains."""
        return self.sentences[terms.check_language(language)]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from institute_lib.disclosure import show

        return show.bundle(self)
