"""What a notebook says of its brief: opening, tiles, methods and sources.

Each shows itself in Jupyter as plain text lines and carries `application/vnd.institute.<kind>+json` for the export.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

PREFIX = "application/vnd.institute."
OPENING, METHODS, SOURCES, TILES = (f"{PREFIX}{kind}+json" for kind in ("opening", "methods", "sources", "tiles"))


@dataclass(frozen=True)
class Block:
    """One piece of a brief: its MIME type, its content as plain JSON types, and its lines for the screen."""

    mime: str
    content: Mapping[str, Any]
    lines: tuple[str, ...]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            self.mime: dict(self.content),
            "text/html": "".join(f"<p>{escape(line)}</p>" for line in self.lines),
            "text/plain": "\n".join(self.lines),
        }
