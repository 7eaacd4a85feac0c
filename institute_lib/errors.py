"""Every error the workbench raises on purpose, in one family.

A message says the value, the place, what is allowed and what to do next, so that a reader needs no traceback.
"""

from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any


class InstituteError(Exception):
    """An error whose message is written for the person who can mend it."""


class ParameterError(InstituteError):
    """A parameter (area, quarter, notebook, option) has a name or a value that is not allowed."""


@dataclass(frozen=True)
class Fault:
    """One breach of a table's contract: where it stands, what stands there, which rule it breaks."""

    table: str
    row: int | str | None
    column: str | None
    value: Any
    rule: str
    remedy: str = ""

    def __str__(self) -> str:
        place = ", ".join(
            part
            for part in (
                f"row {self.row}" if self.row is not None else "",
                f"column {self.column}" if self.column else "",
            )
            if part
        )
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.table}{': ' + place if place else ''}: {self.value!r} – {self.rule}{remedy}"

    def to_dict(self) -> dict[str, Any]:
        """The fault as plain JSON types, for `summary.json` and the report files."""
        return asdict(self) | {"value": None if self.value is None else str(self.value)}


class DataError(InstituteError):
    """Data break their contract. `faults` holds all of them; the message shows the first twenty."""

    shown = 20

    def __init__(self, message: str, faults: tuple[Fault, ...] = ()):
        self.faults = tuple(faults)
        lines = [message, *(f"  {fault}" for fault in self.faults[: self.shown])]
        if len(self.faults) > self.shown:
            lines.append(f"  … and {len(self.faults) - self.shown} more")
        super().__init__("\n".join(lines))


class EstimationError(InstituteError):
    """A model cannot be estimated on these data; the message names the units, periods or levels."""


class DisclosureError(InstituteError):
    """Something that could identify a person was about to be written."""


class RunError(InstituteError):
    """A run could not start or could not finish."""


class ReleaseError(InstituteError):
    """A brief may not leave the institute; the message says what to change."""


def nearest(value: str, allowed: object) -> str:
    """The end of an error message: the nearest allowed value, then all of them.

    >>> nearest("2025Q5", ["2025Q4"])
    "did you mean '2025Q4'? allowed: 2025Q4"
    """
    names = [str(name) for name in allowed]
    close = get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(names)}"
