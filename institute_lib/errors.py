"""Every error the workbench raises on purpose, in one family.

A message says the value, the place, what is allowed and what to do next, so that a reader needs no traceback.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from traceback import extract_tb
from typing import Any

LIBRARIES = re.compile(r"[\\/](site-packages|institute_lib|IPython)[\\/]|[\\/]lib[\\/]python3|^<(frozen|string)")
RED, PLAIN = "\x1b[1;31m", "\x1b[0m"


class InstituteError(Exception):
    """An error whose message is written for the person who can mend it.

    `chinese` is the same message in Chinese, where an office meets it (`terms.error`).
    """

    chinese: str | None = None

    def say(self, language: str) -> str:
        """The message in a reader's language, or in English where there is no other."""
        return self.chinese if language == "zh" and self.chinese else str(self)

    def _render_traceback_(self) -> list[str]:
        """What Jupyter shows: the kind, the message, and the reader's own line; `%debug` still enters the library."""
        own = [frame for frame in extract_tb(self.__traceback__) if not LIBRARIES.search(frame.filename)]
        rule = "─" * 72
        lines = [f"{RED}{type(self).__name__}{PLAIN}", rule, str(self), rule]
        return [*lines, *(f"line {frame.lineno}: {frame.line}" for frame in own[-1:] if frame.line)]


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


def nearest(value: str, allowed: Iterable[object]) -> str:
    """The end of an error message: the nearest allowed value, then all of them.

    >>> nearest("2025Q5", ["2025Q4"])
    "did you mean '2025Q4'? allowed: 2025Q4"
    """
    names = [str(name) for name in allowed]
    close = closest(value, names)
    hint = f"did you mean {close!r}? " if close else ""
    return f"{hint}allowed: {', '.join(names)}"


def closest(value: str, names: list[str]) -> str | None:
    """The name that somebody who wrote `value` most likely meant, if there is one."""
    return next(iter(get_close_matches(str(value), names, n=1, cutoff=0.5)), None)
