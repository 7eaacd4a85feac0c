"""Single values that may be shown: a figure, a sentence. Like a table, they are made in this room alone."""

import math
from collections.abc import Callable
from dataclasses import InitVar, dataclass
from typing import Any

from institute_lib import terms
from institute_lib.errors import DisclosureError

MAKER = object()  # the token; `disclosure.__init__` does not export it
STATUSES = ("shown", "primary", "secondary", "missing", "exempt")
HIDDEN = ("primary", "secondary")


def check_maker(made_by: object, kind: str) -> None:
    if made_by is not MAKER:
        raise DisclosureError(
            f"{kind} is made by disclosure.protect, disclosure.protect_result or disclosure.exempt only; "
            "give one of them your table or result"
        )


def hidden_word(language: str) -> str:
    """How a figure reads that is not listed to protect persons."""
    return terms.text("disclosure.not_listed", language)


@dataclass(frozen=True)
class SafeFigure:
    """One figure that may be shown, or the fact that it may not.

    What is computed of protected figures alone is protected: a difference or a growth of two of them is one again,
    hidden where one of them is.

    Attributes:
        value: None where it is hidden or not there.
        unit: "share", "points" (a difference of shares), "count", "yuan", "integer", "number" or "number2".
        status: one of STATUSES; `reason` says why it is hidden, or exempt.
    """

    made_by: InitVar[object]
    value: float | int | None
    unit: str = "number"
    status: str = "shown"
    reason: str = ""
    threshold: int = 10
    source: str = ""
    demo: bool = False

    def __post_init__(self, made_by: object) -> None:
        check_maker(made_by, "SafeFigure")

    @property
    def hidden(self) -> bool:
        """Whether it is held back to protect persons."""
        return self.status in HIDDEN

    def words(self, language: str = "zh") -> str:
        """The figure in its unit; 未列出 where it is hidden, a dash where there is none."""
        from institute_lib.disclosure import show

        if self.hidden:
            return hidden_word(language)
        return (
            terms.points(self.value, language)
            if self.unit == "points"
            else show.number(self.value, self.unit, language)
        )

    def __sub__(self, other: "SafeFigure") -> "SafeFigure":
        unit = "points" if self.unit == "share" else self.unit
        return derive(lambda one, two: one - two, self, other, unit=unit)

    def growth(self, before: "SafeFigure") -> "SafeFigure":
        """How much larger it is than another, as a share of that."""
        return derive(lambda one, two: one / two - 1 if two else None, self, before, unit="share")


def derive(compute: Callable[..., Any], *figures: SafeFigure, unit: str = "number") -> Any:
    """What follows from protected figures alone: a figure again, hidden where one of them is.

    Args:
        compute: of the figures' values to a number, or to several; not called where one is hidden or not there.

    Returns:
        A SafeFigure, or a tuple of as many as `compute` returns.

    Raises:
        DisclosureError: one of them is no SafeFigure.
    """
    for one in figures:
        if not isinstance(one, SafeFigure):
            raise DisclosureError(
                f"derive: a {type(one).__name__}; allowed: SafeFigure, of a table or of protect_figure"
            )
    first = next((one for one in figures if one.hidden), figures[0])
    known = all(one.value is not None for one in figures)
    status = first.status if first.hidden else "missing" if not known else figures[0].status
    found = compute(*(one.value for one in figures)) if known else None

    def made(value: Any) -> SafeFigure:
        style = {"threshold": first.threshold, "source": first.source, "demo": any(one.demo for one in figures)}
        kept = None if value is None or not math.isfinite(value) else float(value)
        return SafeFigure(MAKER, kept, unit, "missing" if kept is None and known else status, first.reason, **style)

    return tuple(map(made, found)) if isinstance(found, tuple) else made(found)


class SafeSentence(str):
    """A sentence whose numbers are protected figures; what is cut out of it or added to it is plain text again."""

    __slots__ = ()

    def __new__(cls, made_by: object, text: str) -> "SafeSentence":
        check_maker(made_by, "SafeSentence")
        return super().__new__(cls, text)

    def __deepcopy__(self, memo: Any) -> "SafeSentence":
        return self  # it does not change

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return str, (str(self),)  # what comes back from a file is plain text
