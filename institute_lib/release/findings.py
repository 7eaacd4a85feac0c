"""What a scan finds."""

from dataclasses import dataclass
from typing import Any

from institute_lib import terms
from institute_lib.registers.personal import mask

SEVERITIES = ("refuse", "warn")


@dataclass(frozen=True)
class Finding:
    """One thing that should not leave: how grave, where, what (masked), and by which rule.

    Of an audit: `where` is the cell, `what` the bounds that follow for it, `tables` what they follow from.
    """

    severity: str
    where: str
    what: str
    rule: str
    tables: tuple[str, ...] = ()

    def describe(self, language: str = "zh") -> str:
        """The finding in one sentence."""
        said = terms.text(f"release.rule_{self.rule}", language, where=self.where, what=self.what)
        tables = ("、" if language == "zh" else ", ").join(self.tables)
        return said + (terms.text("release.from_tables", language, tables=tables) if tables else "")

    def remedy(self, language: str = "zh") -> str:
        """What clears it: the change to make, or for a warning the option that accepts it by name."""
        change = terms.text(f"release.do_{self.rule}", language)
        if self.severity == "refuse":
            return change
        return change + terms.text("release.do_accept", language, rule=self.rule)

    def plain(self) -> dict[str, Any]:
        return {**vars(self), "tables": list(self.tables)}


def found(severity: str, where: str, value: object, rule: str) -> Finding:
    """A finding with its value masked to its first and last character."""
    return Finding(severity, where, mask(value) or "", rule)
