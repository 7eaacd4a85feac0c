"""Axes by language: periods as places, figures as a reader says them, round ticks."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.charts.look import plain

MOST_TICKS = 4  # years that are named on a telephone's axis
IN_TEN_THOUSANDS = 100_000  # from here up Chinese readers count in 万


@dataclass(frozen=True)
class Axis:
    """Periods as places on an axis: quarters by their number, years as they are, anything else in its order."""

    places: dict[object, float]
    names: dict[object, str]
    ticks: dict[str, Any]

    def __call__(self, periods: Sequence[object]) -> list[float]:
        return [self.places[period] for period in periods]


def is_quarter(value: object) -> bool:
    return isinstance(value, pd.Period) or (isinstance(value, str) and len(value) == 6 and value[4] == "Q")


def time_axis(periods: Sequence[object], language: str) -> Axis:
    """The axis of a series: quarters are labelled by their year, at its first quarter."""
    ordered = list(dict.fromkeys(periods))
    if all(is_quarter(period) for period in ordered):
        places = {period: float(pd.Period(period, freq="Q").ordinal) for period in ordered}
        names = {period: terms.quarter(period, language) for period in ordered}
        first, last = int(min(places.values())), int(max(places.values()))
        years = [place for place in range(first, last + 1) if place % 4 == 0] or [first]
        years = years[:: -(-len(years) // MOST_TICKS)]
        text = [terms.text("charts.year", language, year=pd.Period(ordinal=place, freq="Q").year) for place in years]
        if len(ordered) <= 6:
            years = sorted({places[ordered[0]], places[ordered[-1]]})
            text = [terms.quarter(str(pd.Period(ordinal=int(place), freq="Q")), language) for place in years]
        return Axis(places, names, {"tickmode": "array", "tickvals": years, "ticktext": text, "tickangle": 0})
    if all(isinstance(period, int | float) or hasattr(period, "dtype") for period in ordered):
        names = {period: terms.figure(period, "integer", language) for period in ordered}
        return Axis({period: float(period) for period in ordered}, names, {"tickformat": "d", "nticks": 5})
    names = {period: _period(period, language) for period in ordered}
    places = {period: float(i) for i, period in enumerate(ordered)}
    every = -(-len(ordered) // MOST_TICKS) if all(isinstance(one, str) and one.isdigit() for one in ordered) else 1
    ticks = {"tickmode": "array", "tickvals": list(places.values())[::every]}
    ticks["ticktext"] = [plain(name) for name in names.values()][::every]
    return Axis(places, names, ticks)


def _period(period: object, language: str) -> str:
    year = isinstance(period, str) and re.fullmatch(r"[12]\d{3}", period)
    return terms.text("charts.year", language, year=period) if year else terms.key("period", period, language)


def value_axis(unit: str, title: str, span: tuple[float, float] = (0.0, 1.0), language: str = "en") -> dict[str, Any]:
    """The axis of a figure: percentages with as many decimals as its span needs, counts grouped, in Chinese by 万."""
    width = span[1] - span[0]
    if unit == "points":  # fractions, read in percentage points
        step = next(step for step in _steps(width) if width / step <= 6)
        places = np.arange(math.ceil(span[0] / step) * step, span[1] + step / 1e6, step)
        text = [f"{100 * place + 0.0:.6g}".replace("-", "−") for place in places]
        title = terms.text("disclosure.in_points", language, name=title)
        return {"title": title, "tickmode": "array", "tickvals": places.tolist(), "ticktext": text}
    if unit in ("count", "yuan") and language == "zh" and max(map(abs, span)) >= IN_TEN_THOUSANDS:
        step = next(step for step in _steps(width) if width / step <= 6)
        places = np.arange(math.ceil(span[0] / step) * step, span[1] + step / 1e6, step)
        text = [
            terms.text("charts.ten_thousands", language, n=f"{place / 10_000:,g}") if place else "0" for place in places
        ]
        return {"title": title, "tickmode": "array", "tickvals": places.tolist(), "ticktext": text}
    formats = {"share": f",.{0 if width > 0.05 else 1 if width > 0.005 else 2}%", "count": ",d"}
    formats["yuan"] = ",d" if width > 6 else f",.{1 if width > 0.6 else 2}f"
    axis = {"title": title, "nticks": 3 if width >= 10_000 else 6}
    return axis | ({"tickformat": formats[unit]} if unit in formats else {})


def _steps(width: float) -> Iterator[float]:
    """Round steps of an axis, from fine to coarse: 1, 2 and 5 times powers of ten."""
    power = 10.0 ** math.floor(math.log10(width / 10))
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def point_words(
    name: str, axis: Axis, periods: Sequence[object], values: Sequence[float], *, unit: str, language: str
) -> list[str]:
    """What the pointer shows at each place of a line: name, period, figure."""
    key = "charts.point_at" if name else "charts.point"
    return [
        plain(
            terms.text(
                key,
                language,
                name=name or axis.names[period],
                period=axis.names[period],
                value=terms.figure(value, unit, language, short=True),
            )
        )
        for period, value in zip(periods, values, strict=True)
    ]
