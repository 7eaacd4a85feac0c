"""Where labels stand: at their regions, moved apart where they would lie on each other."""

import textwrap
from dataclasses import dataclass, replace

import numpy as np

from institute_lib.charts.look import width

# Above this many regions names would cover the map; hover and the table beside the map still have them all.
MOST = 60
CROWDED = 14
LONG = 8
MOST_POINTS = 60  # above this many points, labels cannot but cover some
REACHES = (25.0, 40.0, 60.0, 90.0)  # how far a label may move, in pixels
COVERED, DISTANT = 6.0, 4.0  # what a covered point and a move of the full reach cost, in square pixels of overlap
_PASSES = 25
_PAD = 2.0
LEADER = 12.0
POINT = 9.0  # a station's mark with its white edge, in pixels


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
    def box(self) -> tuple[float, float]:
        """About how wide and high the label is, in pixels."""
        return max(map(width, self.lines)) * self.size / 13 + 2 + _PAD, len(self.lines) * self.size * 1.3 + _PAD

    @property
    def led(self) -> bool:
        return abs(self.dx) > LEADER or abs(self.dy) > LEADER


def place_labels(
    texts: list[tuple[str, str]],
    places: list[tuple[float, float]],
    *,
    metres_a_pixel: float,
    around: list[tuple[float, float]] = (),
) -> tuple[Label, ...]:
    """A name over a figure for each place, none on another, each as near its place as pushing apart leaves it.

    Points in `around` are kept clear as well, unless there are so many that no label would find room.
    """
    if len(texts) > MOST:
        return ()
    size = 12.0 if len(texts) <= CROWDED else 10.5
    still = [
        Label((*_wrapped(name), figure), *place, 0, 0, size)
        for (name, figure), place in zip(texts, places, strict=True)
    ]
    boxes = np.array([label.box for label in still]).reshape(-1, 2)
    home = np.array(places) / metres_a_pixel * [1, -1]
    points = np.array(around if len(around) <= MOST_POINTS else []).reshape(-1, 2) / metres_a_pixel * [1, -1]
    moved = _apart(home, boxes, points) - home
    return tuple(replace(label, dx=float(dx), dy=float(dy)) for label, (dx, dy) in zip(still, moved, strict=True))


def _apart(home: np.ndarray, boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Centres of boxes such that none lies on another or on a point, each near its home; looked for further and further
    until there are such, and taken as they are where there are none."""
    centres = home
    for reach in REACHES:
        centres = _settled(home, boxes, points, reach)
        one, other = np.triu_indices(len(home), k=1)
        overlapping = ((boxes[one] + boxes[other]) / 2 - np.abs(centres[one] - centres[other]) > 0).all(axis=1)
        if not overlapping.any() and not _covered(centres, boxes, points).any():
            break
    return centres


def _settled(home: np.ndarray, boxes: np.ndarray, points: np.ndarray, reach: float) -> np.ndarray:
    """Each box in turn moved to the place within reach that costs least beside the others', until none moves."""
    steps = np.linspace(-reach, reach, 13)
    moves = np.array([(x, y) for x in 1.2 * steps for y in steps])
    far = np.hypot(*moves.T) / reach
    centres = home.copy()
    for _ in range(_PASSES):
        before = centres.copy()
        for index, box in enumerate(boxes):
            others = np.arange(len(home)) != index
            tried = home[index] + moves
            over = (box + boxes[others]) / 2 - np.abs(tried[:, None] - centres[others])
            shared = np.clip(over, 0, None).prod(axis=2).sum(axis=1)
            cost = shared + COVERED * _covered(tried, box, points) + DISTANT * far
            centres[index] = tried[np.argmin(cost)]
        if np.array_equal(centres, before):
            break
    return centres


def _covered(centres: np.ndarray, boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How many points each box covers, or touches with their marks."""
    reach = np.broadcast_to(boxes, centres.shape)[:, None] / 2 + POINT / 2
    return (np.abs(centres[:, None] - points) < reach).all(axis=2).sum(axis=1)


def _wrapped(name: str) -> tuple[str, ...]:
    if " " in name:
        return tuple(textwrap.wrap(name, 16))
    rows = -(-len(name) // LONG)
    step = -(-len(name) // rows) if rows else 1
    return tuple(name[start : start + step] for start in range(0, len(name), step)) or ("",)
