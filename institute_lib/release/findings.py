"""What a scan finds."""

from dataclasses import dataclass

from institute_lib import terms
from institute_lib.registers.personal import mask

SEVERITIES = ("refuse", "warn")


@dataclass(frozen=True)
class Finding:
    """One thing that should not leave: how grave, where, what (masked), and by which rule."""

    severity: str
    where: str
    what: str
    rule: str

    def describe(self, language: str = "zh") -> str:
        """The finding in one sentence."""
        return terms.text(f"release.rule_{self.rule}", language, where=self.where, what=self.what)


def found(severity: str, where: str, value: object, rule: str) -> Finding:
    """A finding with its value masked to its first and last character."""
    return Finding(severity, where, mask(value) or "", rule)
