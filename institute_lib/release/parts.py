"""A part of a file on its way through the scan."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from institute_lib.release.findings import Finding


@dataclass(frozen=True)
class Part:
    """One thing to look into: where it stands, how to read it, its content.

    Attributes:
        kind: "text", "css", "script", "page", "json" or "bytes"; the key of a reader in `scanning`.
        name: a file's name, where the part is a file.
    """

    where: str
    kind: str
    content: Any
    name: str = ""


Found = Iterator[Part | Finding]
