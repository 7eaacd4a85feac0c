"""Where labels stand: at their regions, moved apart where they would lie on each other."""

import textwrap
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from institute_lib.charts.look import width

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

# Above this many regions names would cover the map; hover and the table beside the map still have them all.
MOST = 60
CROWDED = 14
LONG = 8
_ROUNDS = 400
_PAD = 2.0
LEADER = 12.0
ANGLES = (-24, 24, -40, 40, -58, 58)
STAMP_CLEARANCE = (42, 26)  # half a label and half a line of the stamp, in pixels


@dataclass(frozen=True)
class Label:
    """Lines of text at a place in metres, moved by (dx, dy) pixels (y down); a long move wants a leader line."""

    lines: tuple[str, ...]
    x: float
    y: float
    dx: float
    dy: float
    size: float

    @property
    def led(self) -> bool:
        return abs(self.dx) > LEADER or abs(self.dy) > LEADER


def place_labels(
    texts: list[tuple[str, str]], places: list[tuple[float, float]], *, metres_a_pixel: float
) -> tuple[Label, ...]:
    """A name over a figure for each place, none on another, each as near its place as pushing apart leaves it."""
    if len(texts) > MOST:
        return ()
    size = 12.0 if len(texts) <= CROWDED else 10.5
    lines = [(*_wrapped(name), figure) for name, figure in texts]
    boxes = np.array([[max(map(width, text)) * size / 13 + 2, len(text) * size * 1.3] for text in lines]) + _PAD
    home = np.array(places) / metres_a_pixel * [1, -1]
    moved = _apart(home, boxes) - home
    return tuple(
        Label(text, *place, dx=float(dx), dy=float(dy), size=size)
        for text, place, (dx, dy) in zip(lines, places, moved, strict=True)
    )


def clear_place(
    labels: tuple[Label, ...], shape: "BaseGeometry", *, metres_a_pixel: float, length: float
) -> tuple[float, float, float]:
    """Where a long line of text crosses the shape and fewest labels: its centre in metres, its angle (clockwise)."""
    import shapely

    left, bottom, right, top = shape.bounds
    centres = np.array([(label.x, label.y) for label in labels]).reshape(-1, 2)
    centres += np.array([(label.dx, -label.dy) for label in labels]).reshape(-1, 2) * metres_a_pixel
    along = np.linspace(-length / 2, length / 2, 41) * metres_a_pixel
    clearance = np.array(STAMP_CLEARANCE) * metres_a_pixel
    best = (np.inf, 0.0, 0.0, 0.0)
    for angle, up, side in product(ANGLES, (0.5, 0.42, 0.58, 0.34, 0.66), (0.5, 0.42, 0.58)):
        run, rise = np.cos(np.radians(angle)), -np.sin(np.radians(angle))
        x, y = left + side * (right - left), bottom + up * (top - bottom)
        line = np.column_stack([x + along * run, y + along * rise])
        crossed = (np.abs(line[:, None] - centres[None]) < clearance).all(axis=2).any(axis=1).sum()
        outside = (~shapely.contains_xy(shape, line)).sum()
        best = min(best, (float(crossed + 0.6 * outside), x, y, float(angle)))
    return best[1:]


def _apart(home: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Centres of boxes such that none overlap: each overlapping pair steps apart the shorter way, till none is left."""
    centres = home.copy()
    one, other = np.triu_indices(len(centres), k=1)
    reach = (boxes[one] + boxes[other]) / 2
    for _ in range(_ROUNDS):
        between = centres[other] - centres[one]
        over = reach - np.abs(between)
        pairs = np.flatnonzero((over > 0.5).all(axis=1))
        if not len(pairs):
            break
        for pair in pairs:
            axis = int(np.argmin(over[pair]))
            step = (0.25 * over[pair, axis] + 0.25) * (1 if between[pair, axis] >= 0 else -1)
            centres[one[pair], axis] -= step
            centres[other[pair], axis] += step
    return centres


def _wrapped(name: str) -> tuple[str, ...]:
    if " " in name:
        return tuple(textwrap.wrap(name, 16))
    rows = -(-len(name) // LONG)
    step = -(-len(name) // rows) if rows else 1
    return tuple(name[start : start + step] for start in range(0, len(name), step)) or ("",)
