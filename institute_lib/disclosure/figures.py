"""Single figures and sentences that may leave: taken from the protected view of a result.

What a study records for others, and what it says in words, is made of these. A figure behind which too few persons
stand has no value and reads as a bound or 未列出; a sentence is a template filled with figures, so that a number that
nobody protected cannot enter it.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, replace
from typing import Any

import pandas as pd

from institute_lib import areas, terms
from institute_lib.disclosure import show
from institute_lib.disclosure.numbers import unknown_number
from institute_lib.errors import DisclosureError
from institute_lib.result import Measure

KEY = re.compile(r"[a-z_]+\.\w+")
MAKER = object()  # the token that makers of this package hold; `disclosure.__init__` does not export it
SHOWN, BELOW, ABOVE, HIDDEN, MISSING, LEVEL = "shown", "below", "above", "hidden", "missing", "level"
DIGITS = {"count": 0, "share": 1, "points": 1, "yuan": 0, "per_10000": 1, "ratio": 2, "number": 2}


def check_maker(made_by: object, kind: str) -> None:
    """
    Raises:
        DisclosureError: something outside this package builds what may be shown.
    """
    if made_by is not MAKER:
        raise DisclosureError(f"a {kind} is made by disclosure.protected alone; give study.show your result")


class SafeSentence(str):
    """A sentence whose numbers are protected figures; what is cut out of it or added to it is plain text again."""

    __slots__ = ()

    def __new__(cls, made_by: object, text: str) -> "SafeSentence":
        check_maker(made_by, "SafeSentence")
        return super().__new__(cls, text)

    def __deepcopy__(self, memo: Any) -> "SafeSentence":
        return self  # it does not change

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return str, (str(self),)  # what comes back from a file is plain text


@dataclass(frozen=True)
class Figure:
    """One protected figure: a number, a bound, or the fact that it is not shown.

    Attributes:
        value: None where it is a bound, hidden or not there. unit: one of `result.UNITS`.
        state: "shown", "below", "above", "level" (of a change: within the rounding), "hidden" or "missing".
        limit: the bound; error: how far rounding may have moved the value.
    """

    made_by: InitVar[object]
    value: float | int | None
    unit: str = "number"
    state: str = SHOWN
    limit: float = math.nan
    error: float = 0.0
    digits: int | None = None

    def __post_init__(self, made_by: object) -> None:
        check_maker(made_by, "Figure")

    def cell(self, language: str) -> str:
        """The figure in a table's cell."""
        if self.state == MISSING:
            return terms.MISSING[language]
        if self.state == HIDDEN:
            return show.MASK
        if self.state == LEVEL:
            return terms.text("labels.nearly_unchanged", language)
        value = self.value if self.state == SHOWN else self.limit
        sign = {SHOWN: "", BELOW: "<", ABOVE: "≥" if self.unit == "count" else ">"}[self.state]
        if self.unit in ("share", "points"):
            digits = 1 if self.digits is None else self.digits
            scaled = 100 * value
            if sign == "<":  # a bound is rounded to the side on which it stays true
                scaled = math.ceil(scaled * 10**digits - 1e-9) / 10**digits
            elif sign == ">":
                scaled = math.floor(scaled * 10**digits + 1e-9) / 10**digits
            return f"{sign}{terms.number(scaled, language, digits)}" + ("%" if self.unit == "share" else "")
        digits = DIGITS[self.unit] if self.digits is None else self.digits
        return sign + terms.number(value, language, digits)

    def words(self, language: str = "zh") -> str:
        """The figure in a sentence; large sums in 万 in Chinese."""
        if self.state == HIDDEN:
            return terms.text("disclosure.not_listed", language)
        if self.unit == "yuan" and self.state == SHOWN and self.digits is None:
            return terms.count(self.value, language)
        if self.unit == "points" and self.state == SHOWN:
            return terms.points(self.value, language)
        if self.state in (BELOW, ABOVE):
            key = "below_words" if self.state == BELOW else "above_words"
            return terms.text(f"disclosure.{key}", language, limit=self.cell(language).lstrip("<>≥"))
        return self.cell(language)

    def bare(self, language: str = "zh") -> SafeSentence:
        """The figure without the sign or the words of its unit, for a sentence that says them."""
        return SafeSentence(MAKER, self.cell(language).removesuffix("%"))

    def __abs__(self) -> "Figure":
        return replace(self, made_by=MAKER, value=None if self.value is None else abs(self.value))

    def __sub__(self, other: "Figure") -> "Figure":
        """A change from one figure to another of the same job, as it may be said."""
        unit = "points" if self.unit == "share" else self.unit
        measure = Measure("change", unit, self.digits, of=("a", "b"))
        state, value = HIDDEN, None
        if MISSING in (self.state, other.state):
            state = MISSING
        elif self.state == other.state == SHOWN:
            value = self.value - other.value
            state = LEVEL if abs(value) <= self.error + other.error else SHOWN
            value = value if state == SHOWN else None
        return made_figure(measure, value, state, error=self.error + other.error)

    def growth(self, before: "Figure") -> "Figure":
        """How much larger it is than another, as a share of that; unchanged where rounding alone may have made it."""
        measure = Measure("growth", "share", of=("a", "b"))
        change = self - before
        if change.state != SHOWN or not before.value:
            return made_figure(measure, None, change.state if change.state != SHOWN else MISSING)
        return made_figure(measure, self.value / before.value - 1, SHOWN)

    def to_json(self) -> dict[str, Any]:
        """What a result keeps of it for others."""
        return {
            "value": self.value,
            "unit": self.unit,
            "state": self.state,
            "limit": None if math.isnan(self.limit) else self.limit,
            "error": self.error,
            "digits": self.digits,
        }


def made_figure(
    measure: Measure,
    value: float | None,
    state: str,
    *,
    limit: float = math.nan,
    error: float = 0.0,
) -> Figure:
    """A figure of the protected view; a whole count is an int."""
    plain = None if value is None or not math.isfinite(value) else float(value)
    if plain is not None and measure.unit == "count" and plain.is_integer():
        plain = int(plain)
    return Figure(MAKER, plain, measure.unit, state, limit, error, measure.digits)


def recorded_figure(record: Mapping[str, Any]) -> Figure:
    """A figure that another job recorded (`Figure.to_json`), protected as it was there."""
    plain = {name: None if pd.isna(record[name]) else record[name] for name in ("value", "limit", "digits")}
    whole = plain["value"] is not None and record["unit"] == "count" and float(plain["value"]).is_integer()
    return Figure(
        MAKER,
        int(plain["value"]) if whole else plain["value"],
        record["unit"],
        record["state"],
        math.nan if plain["limit"] is None else float(plain["limit"]),
        float(record["error"]),
        None if plain["digits"] is None else int(plain["digits"]),
    )


def sentence(template: str, language: str = "zh", **parts: Any) -> SafeSentence:
    """A sentence written from protected figures; a hidden one reads 未列出.

    Args:
        template: a key of the catalogues such as "talent.funnel", or the template itself with {fields}.
        parts: a Figure, a pair of them (an interval), a SafeSentence or several; or words: names, codes of areas,
            quarters and years. A number in words is refused, since nobody judged it.

    Raises:
        DisclosureError: a part is a plain number, or holds one.
        ParameterError: an unknown key, or a field without a part.
    """
    words = {name: _part(name, part, language) for name, part in parts.items()}
    plain = {name: word if isinstance(parts[name], str) else "" for name, word in words.items()}
    if KEY.fullmatch(template):
        text = terms.text(template, language, **words)
    else:
        check_words(template.format(**plain), "sentence: the template")  # what figures give is known; the rest is not
        text = template.format(**words)
    measures = terms.catalogue("disclosure")["measures"][language]
    not_listed = terms.text("disclosure.not_listed", language)
    return SafeSentence(MAKER, re.sub(f"(?<={not_listed}){measures}", "", text))


def check_words(text: str, place: str) -> str:
    """Words without a number of their own, days, quarters, years and levels of intervals apart.

    Raises:
        DisclosureError: a number stands in them.
    """
    number = unknown_number(text, set())
    if number:
        raise DisclosureError(
            f"{place} holds the number {number!r}, which nobody protected; take it as a figure of what study.show "
            "returns"
        )
    return text


def _part(name: str, part: Any, language: str) -> str:
    if isinstance(part, Figure):
        return part.words(language)
    if isinstance(part, SafeSentence):
        return str(part)
    if isinstance(part, tuple | list) and part and all(isinstance(one, SafeSentence) for one in part):
        return terms.text("disclosure.joint", language).join(part)
    if isinstance(part, tuple) and len(part) == 2 and all(isinstance(one, Figure) for one in part):
        return _interval(part, language)
    if isinstance(part, str):
        column = "quarter" if re.fullmatch(r"(?:19|20)\d\dQ[1-4]", part) else name
        coded = column == "quarter" or (re.fullmatch(r"\d{6}", part) is not None and areas.is_known(part))
        return terms.key(column, part, language) if coded else check_words(part, f"sentence: {name}")
    raise DisclosureError(
        f"sentence: {name} is a {type(part).__name__}; allowed: a figure of what study.show returns, a pair of them, "
        "words"
    )


def _interval(ends: tuple[Figure, Figure], language: str) -> str:
    """Two figures in the unit and with the digits of their kind, the unit's sign left to the sentence."""
    if any(one.state in (BELOW, ABOVE, HIDDEN) for one in ends):
        return terms.text("disclosure.not_listed", language)
    joined = "至" if language == "zh" else " to "
    return joined.join(one.cell(language).removesuffix("%") for one in ends)
