"""What a scan finds, and the parts of a file on its way through it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from institute_lib import terms
from institute_lib.registers.personal import mask


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

    def remedy(self, language: str = "zh") -> str:
        """What clears it: the change to make, or for a warning the option that accepts it by name."""
        change = terms.text(f"release.do_{self.rule}", language)
        if self.severity == "refuse":
            return change
        return change + terms.text("release.do_accept", language, rule=self.rule)

    @classmethod
    def masked(cls, severity: str, where: str, value: object, rule: str) -> "Finding":
        """A finding with its value shown by its first and last character."""
        return cls(severity, where, mask(value) or "", rule)


@dataclass(frozen=True)
class Part:
    """One thing to look into: where it stands, how to read it, its content.

    Attributes:
        kind: "text", "css", "script", "page", "json", "base64", "bytes", "table" (rows of cells) or "trace".
        name: a file's name, where the part is a file.
    """

    where: str
    kind: str
    content: Any
    name: str = ""


Found = Iterator[Part | Finding]
