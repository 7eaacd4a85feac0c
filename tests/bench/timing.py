"""Two functions side by side, in turns, so that whatever else the computer does falls on both."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from tqdm import tqdm

LONG_SECONDS = 20.0


@dataclass(frozen=True)
class Timed:
    """Median seconds of each side, and what each returned the last time."""

    ours: float
    peer: float
    our_result: Any
    peer_result: Any


def in_turns(ours: Callable[[], Any], peer: Callable[[], Any], *, repetitions: int = 3, label: str = "") -> Timed:
    """Time both, ours first, `repetitions` times; a side that has taken LONG_SECONDS in all is not repeated again."""
    spent: tuple[list[float], list[float]] = ([], [])
    results: list[Any] = [None, None]
    for _ in steps(range(repetitions), label):
        for side, function in enumerate((ours, peer)):
            if sum(spent[side]) > LONG_SECONDS:
                continue
            begun = time.perf_counter()
            results[side] = function()
            spent[side].append(time.perf_counter() - begun)
    return Timed(median(spent[0]), median(spent[1]), *results)


def steps(items: Any, label: str, *, total: int | None = None) -> tqdm:
    """A progress bar below that of the benchmarks."""
    return tqdm(items, desc=label, total=total, file=sys.stderr, leave=False, position=1)
