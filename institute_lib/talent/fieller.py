"""Fieller's interval of a ratio: what one more certified worker costs, when the effect is uncertain."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from institute_lib import terms
from institute_lib.errors import ParameterError
from institute_lib.results import Result


@dataclass(frozen=True)
class Ratio(Result):
    """A ratio of two uncertain numbers, with Fieller's set of the ratios that the data do not contradict.

    kind: "bounded" (low to high); "exclusive" (below low, or above high: the denominator may be zero);
    "unbounded" (every ratio). g: squared share of the denominator's half width in it; from 1 up it holds zero.
    """

    estimate: float
    low: float
    high: float
    kind: str
    g: float
    level: float
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        names = ("estimate", "low", "high", "kind", "g", "level")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])

    @property
    def bounded(self) -> bool:
        return self.kind == "bounded"

    def contains(self, value: float) -> bool:
        """Whether a ratio lies in the set."""
        if self.kind == "exclusive":
            return value <= self.low or value >= self.high
        return self.low <= value <= self.high

    def words(self, language: str = "zh", digits: int = 0) -> str:
        """The set as text; without bounds it says so."""
        low, high = (terms.number(value, language, digits) for value in (self.low, self.high))
        return terms.text(f"talent.fieller_{self.kind}", language, low=low, high=high)

    def summary(self, language: str = "zh") -> str:
        """One sentence: the ratio and its set."""
        estimate = terms.number(self.estimate, language, 2)
        return terms.text("talent.fieller", language, estimate=estimate, interval=self.words(language, 2))


def fieller(
    numerator: float,
    denominator: float,
    *,
    se_numerator: float = 0.0,
    se_denominator: float,
    covariance: float = 0.0,
    level: float = 0.95,
    df: float | None = None,
) -> Ratio:
    """The ratio of two (jointly normal) estimates and its confidence set.

    A ratio r is in the set where numerator - r × denominator is not significantly different from zero:
    (b² - t²v_b) r² - 2 (ab - t²c) r + (a² - t²v_a) ≤ 0, with a over b.

    Args:
        se_numerator, se_denominator, covariance: of the two estimates; a cost that is known exactly has error 0.
        df: degrees of freedom of the errors; None for the normal distribution.

    Raises:
        ParameterError: a number that is not finite, a negative error, a covariance beyond the errors, a wrong level.

    Source: Fieller (1954), Journal of the Royal Statistical Society B 16, 175-185.
    """
    given = {
        "numerator": numerator,
        "denominator": denominator,
        "se_numerator": se_numerator,
        "se_denominator": se_denominator,
        "covariance": covariance,
    }
    _check(given, level)
    t = _quantile(level, df)
    a = denominator**2 - t**2 * se_denominator**2
    b = numerator * denominator - t**2 * covariance
    c = numerator**2 - t**2 * se_numerator**2
    g = (t * se_denominator / denominator) ** 2 if denominator else math.inf
    estimate = numerator / denominator if denominator else math.nan
    kind, low, high = _solve(a, b, c)
    warnings = () if kind == "bounded" else ("the denominator's interval holds zero: the ratio has no bounds",)
    return Ratio(estimate, low, high, kind, g, level, warnings)


def _solve(a: float, b: float, c: float) -> tuple[str, float, float]:
    """Where a r² - 2 b r + c ≤ 0."""
    root = b**2 - a * c
    if a > 0:
        half = math.sqrt(max(root, 0.0)) / a
        return "bounded", b / a - half, b / a + half
    if a == 0:  # the denominator touches zero: one side stays open
        if b == 0:
            return "unbounded", -math.inf, math.inf
        edge = c / (2 * b)
        return ("exclusive", -math.inf, edge) if b > 0 else ("exclusive", edge, math.inf)
    if root <= 0:
        return "unbounded", -math.inf, math.inf
    half = math.sqrt(root) / -a
    return "exclusive", b / a - half, b / a + half


def _quantile(level: float, df: float | None) -> float:
    from scipy.special import ndtri, stdtrit

    tail = 0.5 + level / 2
    return float(ndtri(tail) if df is None else stdtrit(df, tail))


def _check(given: Mapping[str, float], level: float) -> None:
    for name, value in given.items():
        if not math.isfinite(value):
            raise ParameterError(f"fieller: {name} {value!r}: a finite number is needed")
        if name.startswith("se_") and value < 0:
            raise ParameterError(f"fieller: {name} {value!r}: a standard error is 0 or more")
    if abs(given["covariance"]) > given["se_numerator"] * given["se_denominator"] * (1 + 1e-12):
        raise ParameterError(f"fieller: covariance {given['covariance']!r} is larger than the two errors allow")
    if not 0 < level < 1:
        raise ParameterError(f"fieller: level {level!r}: allowed: between 0 and 1")
