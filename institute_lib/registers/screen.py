"""Tables of text on a terminal, in which a Chinese character is two columns wide."""

import unicodedata
from collections.abc import Sequence

GAP = "  "


def align(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Headers and rows below each other, each column as wide as its widest cell; columns without content left out."""
    kept = [at for at in range(len(headers)) if any(row[at] for row in rows)]
    lines = [[line[at] for at in kept] for line in (headers, *rows)]
    widths = [max(width(line[at]) for line in lines) for at in range(len(kept))]
    padded = (
        GAP.join(text + " " * (size - width(text)) for text, size in zip(line, widths, strict=True)) for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)


def width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
