"""What a recipient reads in a brief, and integer programs over it: which values a true count still may have."""

import base64
import csv
import functools
import html
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import bs4
import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from institute_lib.retention.intervals import exact_rate, normal_quantile

SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
DOWNLOAD = re.compile(r'href="data:text/csv[^,"]*;base64,([^"]+)"')
NUMBER = re.compile(r"-?\d+\.\d+(?:[eE]-?\d+)?")
ROUNDED = "按5取整"  # the rule, as a brief states it
HIDDEN = ("＊", "—", "", "**")
MOST = 2000  # no count here is larger


@dataclass(frozen=True)
class Page:
    """One brief as a recipient has it.

    Attributes:
        tables: rows of text, by the words of their heads.
        numbers: every decimal number that stands anywhere in it: arrays behind charts, downloads, result.json.
        base: to what counts are rounded, as the brief says: 5, or 1 where it says nothing.
        points: the points of curves as they are drawn, by the curve's name and where they stand.
        beside: the named numbers of result.json.
    """

    notebook: str
    area: str
    quarter: str
    tables: tuple[pd.DataFrame, ...]
    numbers: np.ndarray
    base: int
    points: dict[tuple[str, float], float]
    beside: dict[str, float]

    def table(self, *heads: str) -> pd.DataFrame:
        """The table that has these columns, empty if there is none."""
        return next((one for one in self.tables if set(heads) <= set(one)), pd.DataFrame(columns=list(heads)))

    def exact(self, text: str) -> np.ndarray:
        """The numbers of the page that a text may be a rounding of; the middle of the text if there are none."""
        digits = len(text.rstrip("%").partition(".")[2])
        scale = 100.0 if text.endswith("%") else 1.0
        middle, half = float(text.rstrip("%")) / scale, 0.5 * 10.0**-digits / scale
        return self.numbers[np.abs(self.numbers - middle) <= half * (1 + 1e-9)]


def read_pages(home: Path) -> list[Page]:
    """Every brief of a home's runs."""
    found = []
    for path in sorted((home / "papermill_runs").glob("*/*/*/brief.html")):
        text, place = path.read_text(encoding="utf-8"), path.parent
        scripts = [html.unescape(one) for one in SCRIPT.findall(text) if one.startswith(("{", "["))]
        files = [base64.b64decode(one).decode("utf-8-sig") for one in DOWNLOAD.findall(text)]
        beside = (place / "result.json").read_text(encoding="utf-8")
        numbers = {float(one) for part in (*scripts, *files, beside) for one in NUMBER.findall(part)}
        soup = bs4.BeautifulSoup(SCRIPT.sub("", text), "html.parser")
        cells = [[[c.get_text() for c in r.select("th, td")] for r in t.select("tr")] for t in soup.select("table")]
        tables = [_rows(one) for one in cells]
        tables += [_rows(list(csv.reader(io.StringIO(one)))) for one in files]
        base = 5 if ROUNDED in text else 1
        found.append(
            Page(
                place.parent.name,
                place.name,
                place.parents[1].name,
                tuple(tables),
                np.array(sorted(numbers)),
                base,
                _points(scripts),
                {name: value for name, value in json.loads(beside)["numbers"].items() if value is not None},
            )
        )
    return found


def _points(scripts: Iterable[str]) -> dict[tuple[str, float], float]:
    """Every drawn point whose hover text says of which curve it is."""
    found = {}
    for one in scripts:
        figure = json.loads(one)
        for trace in figure["data"] if isinstance(figure, dict) else ():
            if trace.get("mode") == "lines" and trace.get("hovertext"):
                for text, x, y in zip(trace["hovertext"], trace["x"], trace["y"], strict=True):
                    if y is not None:
                        found[text.partition("：")[0], round(float(x), 4)] = float(y)
    return found


def _rows(lines: list[list[str]]) -> pd.DataFrame:
    head, *body = lines
    return pd.DataFrame([one[: len(head)] for one in body], columns=head).map(lambda text: text.strip())


# --- a figure as intervals of true counts -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Interval:
    """The lowest and the highest that a true count may be."""

    low: float = 0.0
    high: float = MOST

    def __and__(self, other: "Interval") -> "Interval":
        return Interval(max(self.low, other.low), min(self.high, other.high))


@dataclass(frozen=True)
class Part:
    """What a share tells: of its numerator, of its denominator and of what is left of it."""

    top: Interval = field(default_factory=Interval)
    whole: Interval = field(default_factory=Interval)
    rest: Interval = field(default_factory=Interval)


def count(text: str, base: int, *, coarse: bool = False) -> Interval:
    """What a count tells. `coarse`: of a total that may be rounded to ten."""
    number = text.lstrip("<≥").replace(",", "")
    if text in HIDDEN:
        return Interval(0, 9.999) if base == 5 and text == "＊" else Interval()
    if text.startswith("<"):
        return Interval(0, float(number) - 1e-3)
    if text.startswith("≥"):
        return Interval(float(number), MOST)
    value = float(number)
    half = (5.0 if coarse and value % 10 == 0 else 2.5) if base == 5 else 0.5
    return Interval(max(value - half, 10 if base == 5 else 0), value + half)


def share(
    page: Page,
    text: str,
    ends: tuple[str, str] = ("", ""),
    *,
    whole: Interval | None = None,
    method: str = "poisson",
    coarse: bool = False,
    exact: np.ndarray | None = None,
) -> Part:
    """What a share tells.

    Args:
        page: where it stands. text: as it is shown. ends: its interval as it is shown.
        whole: what is known of its denominator. method: of the interval. coarse: as `count`.
        exact: the numbers that the text may be a rounding of; by default any of the page.
    """
    whole = whole or Interval()
    if text in HIDDEN:
        return Part()
    if text.startswith(("<", ">")):
        bottoms = _bottoms(text, whole)
        small = Interval(0, 9.999)
        return Part(rest=small, whole=bottoms) if text[0] == ">" else Part(top=small, whole=bottoms)
    values = page.exact(text) if exact is None else exact
    top, bottom = _fractions(page.base, values, text, whole)
    for end, shown in enumerate(ends):
        if len(top) and shown not in HIDDEN:
            computed = _ends(method, top, bottom)[end]
            values = page.exact(shown)
            near = np.abs(computed - float(shown.rstrip("%")) / 100) <= 0.00051
            if len(values):
                apart = np.abs(computed[:, None] - values).min(axis=1)
                near = apart <= 1e-9 if (apart <= 1e-9).any() else near
            top, bottom = top[near], bottom[near]
    if not len(top):
        return Part()
    half = (2.5 if page.base == 5 else 0.0) + 1e-6
    wide = 5.0 if coarse and page.base == 5 else half
    tens = bool(len(set(top)) == 1 and top[0] % 10 == 0)
    up, over = wide if tens else half, wide if (bottom % 10 == 0).any() else half
    least = 10 if page.base == 5 else 0
    rest = Interval(least, MOST) if page.base == 5 and method != "poisson" else Interval()
    return Part(
        Interval(max(least, top.min() - up), top.max() + up),
        Interval(max(least, bottom.min() - over), bottom.max() + over),
        rest,
    )


def _bottoms(text: str, known: Interval) -> Interval:
    """The denominators that give a bound: ten over the rounded count less two, rounded outwards to a tenth."""
    digits, shown = 1, float(text[1:].rstrip("%"))
    bottoms = np.arange(15.0, MOST, 5.0)
    limit = 1000.0 / (bottoms - 2)
    seen = np.ceil(limit * 10**digits - 1e-9) if text[0] == "<" else np.floor((100 - limit) * 10**digits + 1e-9)
    fits = bottoms[np.abs(seen / 10**digits - shown) < 1e-6]
    found = Interval(fits.min() - 5.0, fits.max() + 5.0) if len(fits) else Interval()
    if len(fits):
        tens = (fits % 10 == 0).any()
        half = 5.0 if tens and len(fits) == 1 else 2.5
        found = Interval(fits.min() - half, fits.max() + half)
    return found & known


def _fractions(base: int, values: np.ndarray, text: str, whole: Interval) -> tuple[np.ndarray, np.ndarray]:
    """The numerators and denominators that a share may be of."""
    if base == 5:
        bottom, top = (one.ravel() for one in np.meshgrid(np.arange(10.0, MOST, 5), np.arange(10.0, 1000, 5)))
        of = top / bottom
        near = np.abs(of - float(text.rstrip("%")) / 100) <= 0.000501
        if len(values):
            at = np.clip(np.searchsorted(values, of), 1, len(values) - 1) if len(values) > 1 else np.zeros(len(of), int)
            apart = np.minimum(np.abs(values[at] - of), np.abs(values[np.maximum(at - 1, 0)] - of))
            near = near & (apart < 1e-9) if (near & (apart < 1e-9)).any() else near
        keep = near & (bottom >= whole.low - 5) & (bottom <= whole.high + 5) & (top <= bottom * 3)
        return top[keep], bottom[keep]
    tops, bottoms = [], []
    for value in values:
        top = np.arange(0.0, 1000)
        bottom = np.arange(1.0, MOST, 0.125) if value == 0 else top / value
        top = np.zeros(len(bottom)) if value == 0 else top
        keep = (np.abs(8 * bottom - np.round(8 * bottom)) < 1e-6) & (bottom >= whole.low) & (bottom <= whole.high)
        tops.append(top[keep & (bottom > 0)])
        bottoms.append(bottom[keep & (bottom > 0)])
    return (np.concatenate(tops), np.concatenate(bottoms)) if tops else (np.array([]), np.array([]))


def _ends(method: str, top: np.ndarray, bottom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The interval of a rate, or of a share of effective counts."""
    if method == "poisson":
        return exact_rate(top, bottom)
    with np.errstate(divide="ignore", invalid="ignore"):
        of = top / bottom
        half = normal_quantile() * np.sqrt((1 - of) / (of * bottom)) / np.abs(np.log(of))
        return of ** np.exp(half), of ** np.exp(-half)


# --- integer programs -------------------------------------------------------------------------------------------------

LIMIT = {"time_limit": 2.0}  # seconds; a program that is not done then has told less than it might
Terms = Mapping[object, float]


class Program:
    """True counts as whole numbers, with everything that is known of them."""

    def __init__(self) -> None:
        self.place: dict[object, int] = {}
        self.low: list[float] = []
        self.high: list[float] = []
        self.whole: list[bool] = []
        self.told: set[object] = set()
        self.lines: dict[tuple, tuple[dict[int, float], float, float]] = {}

    def variable(self, key: object, low: float = 0, high: float = MOST, *, whole: bool = True) -> object:
        if key not in self.place:
            self.place[key] = len(self.low)
            self.low.append(low)
            self.high.append(high)
            self.whole.append(whole)
        return key

    def know(self, terms: Terms, interval: Interval) -> None:
        """That a sum lies in an interval."""
        if interval.low > -MOST or interval.high < MOST:
            placed = {self.place[key]: float(factor) for key, factor in terms.items()}
            self.lines[tuple(placed.items()), interval.low, interval.high] = (placed, interval.low, interval.high)
            self.__dict__.pop("_matrix", None)

    @functools.cached_property
    def _matrix(self) -> LinearConstraint:
        rows = [row for row, (terms, _, _) in enumerate(self.lines.values()) for _ in terms]
        columns = [place for terms, _, _ in self.lines.values() for place in terms]
        values = [factor for terms, _, _ in self.lines.values() for factor in terms.values()]
        shape = (len(self.lines), len(self.low))
        return LinearConstraint(
            csr_array((values, (rows, columns)), shape=shape),
            [low - 1e-7 for _, low, _ in self.lines.values()],
            [high + 1e-7 for _, _, high in self.lines.values()],
        )

    def values_left(self, terms: Terms, known: Mapping[object, float] | None = None) -> tuple[int, int]:
        """The least and the greatest whole number that a sum may be; `known`: counts that one knows already.

        Linear programs, and where they leave fewer than six values, integer ones.

        Raises:
            RuntimeError: nothing fits: a figure was read wrongly.
        """
        low, high = _whole(*(self._end(terms, sign, known or {}) for sign in (1, -1)))
        if 0 < high - low < 5:
            ends = [self._end(terms, sign, known or {}, whole=True) for sign in (1, -1)]
            low, high = _whole(max(low, ends[0]), min(high, ends[1]))
        return low, high

    def between(self, terms: Terms) -> Interval:
        """Where a sum lies, by linear programs alone."""
        return Interval(*(self._end(terms, sign, {}) for sign in (1, -1)))

    def survey(
        self, asked: Sequence[Terms], known: Mapping[object, float] | None = None, *, enough: int = 6, rounds: int = 5
    ) -> list[tuple[int, int]]:
        """A least and a greatest value that each sum may be, the outermost ones where fewer than `enough` are left.

        Programs with random goals give points that fit everything that was read, and each point a value of every sum;
        a sum that is not seen to vary enough is then asked for by itself.
        """
        if not asked:
            return []
        draw, rows = np.random.default_rng(0), np.zeros((len(asked), len(self.low)))
        for row, terms in enumerate(asked):
            for key, factor in terms.items():
                rows[row, self.place[key]] = factor
        seen = []
        for _ in range(rounds):
            goal = draw.choice((-1.0, 1.0), len(asked)) @ rows
            seen += [rows @ self._solved(sign * goal, known or {}, whole=False)[0] for sign in (1, -1)]
        ends = zip(np.min(seen, axis=0), np.max(seen, axis=0), strict=True)
        found = [_whole(*one) for one in ends]
        return [
            one if one[1] - one[0] + 1 >= enough else self.values_left(terms, known)
            for one, terms in zip(found, asked, strict=True)
        ]

    def _end(self, terms: Terms, sign: int, known: Mapping[object, float], *, whole: bool = False) -> float:
        goal = np.zeros(len(self.low))
        for key, factor in terms.items():
            goal[self.place[key]] = sign * factor
        return sign * self._solved(goal, known, whole=whole)[1]

    def _solved(self, goal: np.ndarray, known: Mapping[object, float], *, whole: bool) -> tuple[np.ndarray, float]:
        """A point that fits, and the least that the goal may be.

        Raises:
            RuntimeError: nothing fits: a figure was read wrongly.
        """
        low, high = np.array(self.low, float), np.array(self.high, float)
        for key, value in known.items():
            low[self.place[key]] = high[self.place[key]] = value
        kinds = np.array(self.whole, int) if whole else np.zeros(len(goal))
        found = milp(goal, integrality=kinds, bounds=Bounds(low, high), constraints=self._matrix, options=LIMIT)
        if found.status == 2 or (found.x is None and not whole):
            raise RuntimeError(f"nothing fits what was read: {found.message}")
        bound = found.mip_dual_bound if whole else found.fun
        return found.x, float("-inf" if bound is None else bound)

    def broken(self, truth: Mapping[object, float]) -> list[str]:
        """What was read wrongly: lines that the truth does not keep."""
        names = list(self.place)
        values = [truth[key] for key in names]
        found = []
        for terms, low, high in self.lines.values():
            total = sum(values[place] * factor for place, factor in terms.items())
            if not low - 1e-6 <= total <= high + 1e-6:
                found.append(f"{[names[one] for one in list(terms)[:4]]}: {total} not in {low} … {high}")
        return found


def _whole(low: float, high: float) -> tuple[int, int]:
    """The whole numbers in a range."""
    return int(np.ceil(low - 1e-5)), int(np.floor(high + 1e-5))
