"""Why a row can be neither counted nor drawn: the rule it breaks and what to do, in either language."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from institute_lib import areas, terms
from institute_lib.errors import Fault

COLUMNS = ["table", "row", "column", "value", "rule", "remedy"]


@dataclass(frozen=True)
class Breach(Fault):
    """A fault that says itself in both languages; `rule` and `remedy` are in English.

    `reason`: a key of the room's texts without "rule_" and "remedy_"; `details`: the fields of these texts.
    """

    reason: str = ""
    details: tuple[tuple[str, object], ...] = ()

    def say(self, language: str) -> tuple[str, str]:
        """The rule and the remedy."""
        return _said(self.reason, language, dict(self.details))

    def to_dict(self) -> dict[str, Any]:
        """As any fault: its English words, without what they are made of."""
        return {name: part for name, part in super().to_dict().items() if name in COLUMNS}


def breach(table: str, row: object, column: str, value: object, reason: str, **details: object) -> Breach:
    """A breach of one rule in one cell; an area among the details is named in each language."""
    rule, remedy = _said(reason, "en", details)
    return Breach(table, str(row), column, value, rule, remedy, reason, tuple(details.items()))


def fault_rows(*found: Fault, language: str = "en") -> pd.DataFrame:
    """Faults as a table, one a row: table, row, column, value, and in one language rule and remedy."""
    rows = []
    for fault in found:
        rule, remedy = fault.say(language) if isinstance(fault, Breach) else (fault.rule, fault.remedy)
        rows.append(fault.to_dict() | {"rule": rule, "remedy": remedy})
    return pd.DataFrame(rows, columns=COLUMNS)


def _said(reason: str, language: str, details: dict[str, object]) -> tuple[str, str]:
    named = {key: value.name(language) if isinstance(value, areas.Area) else value for key, value in details.items()}
    return tuple(terms.text(f"coverage.{part}_{reason}", language, **named) for part in ("rule", "remedy"))
