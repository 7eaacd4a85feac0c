"""What a benchmark found, and how it is printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

JUDGED_AT = 0.001


@dataclass(frozen=True)
class Line:
    """One comparison: seconds of ours and of the peer, medians of the same run."""

    what: str
    ours: float
    peer: str
    peer_seconds: float
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times as long the peer takes; above one, ours is faster."""
        return self.peer_seconds / self.ours


@dataclass(frozen=True)
class Bound:
    """A figure beside the most, or the least, that it may be."""

    what: str
    found: float
    limit: float
    unit: str
    note: str = ""
    least: bool = False

    @property
    def held(self) -> bool:
        return self.found >= self.limit if self.least else self.found <= self.limit


@dataclass(frozen=True)
class Rate:
    """How often something happened in simulated draws, against how often it should; p of the binomial test."""

    what: str
    nominal: float
    found: float
    draws: int
    p_value: float
    note: str = ""
    conservative: bool = False

    @property
    def verdict(self) -> str:
        """Whether the rate found is one that the nominal rate would give, at 0.001."""
        return "as stated" if self.p_value >= JUDGED_AT else "not as stated"


def judged(what: str, nominal: float, happened: Any, *, conservative: bool = False, note: str = "") -> Rate:
    """A rate with its exact binomial p: two-sided, or one side alone where at least the level is promised.

    Of intervals it is the lower side, of rejections (a nominal rate below a half) the upper one.
    """
    from scipy.stats import binomtest

    draws, count = len(happened), int(np.sum(happened))
    side = "two-sided" if not conservative else "less" if nominal > 0.5 else "greater"
    p = float(binomtest(count, draws, nominal, alternative=side).pvalue)
    return Rate(what, nominal, count / draws, draws, p, note, conservative)


def show_lines(lines: Sequence[Line]) -> str:
    """The table of ratios (peer over ours)."""
    table = pd.DataFrame(
        {
            "what": [one.what for one in lines],
            "ours (s)": [seconds(one.ours) for one in lines],
            "peer": [one.peer for one in lines],
            "peer (s)": [seconds(one.peer_seconds) for one in lines],
            "ratio": [f"{one.ratio:.3g} ×" for one in lines],
            "note": [one.note for one in lines],
        }
    )
    return aligned(table, right=("ours (s)", "peer (s)", "ratio"))


def show_bounds(bounds: Sequence[Bound]) -> str:
    """The table of figures that have a limit."""
    table = pd.DataFrame(
        {
            "bound": [one.what for one in bounds],
            "found": [f"{one.found:{',.0f' if one.found >= 1000 else '.3g'}} {one.unit}" for one in bounds],
            "limit": [f"{'≥' if one.least else '≤'} {one.limit:g} {one.unit}" for one in bounds],
            "held": ["yes" if one.held else "NO" for one in bounds],
            "note": [one.note for one in bounds],
        }
    )
    return aligned(table, right=("found", "limit"))


def show_rates(rates: Sequence[Rate]) -> str:
    """The table of simulated rates."""
    table = pd.DataFrame(
        {
            "simulated": [one.what for one in rates],
            "nominal": [f"{one.nominal:.3f}" for one in rates],
            "found": [f"{one.found:.3f}" for one in rates],
            "draws": [f"{one.draws}" for one in rates],
            "binomial p": [f"{one.p_value:.3g}{' (one side)' * one.conservative}" for one in rates],
            "judged": [one.verdict for one in rates],
            "note": [one.note for one in rates],
        }
    )
    return aligned(table, right=("nominal", "found", "draws", "binomial p"))


def seconds(value: float) -> str:
    """Three digits, without an exponent.

    >>> seconds(0.012345), seconds(123.4)
    ('0.0123', '123')
    """
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3 if value >= 0.1 else 4
    return f"{value:.{digits}f}"


def aligned(table: pd.DataFrame, *, right: Sequence[str]) -> str:
    """Columns of equal width, numbers to the right; nothing for an empty table."""
    if table.empty:
        return ""
    widths = {column: max(len(column), *table[column].str.len()) for column in table}
    heads = [dict(zip(table, table, strict=True)), {column: "-" * width for column, width in widths.items()}]
    rows = heads + table.to_dict("records")
    written = [
        "  ".join(
            row[column].rjust(width) if column in right else row[column].ljust(width)
            for column, width in widths.items()
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in written)
