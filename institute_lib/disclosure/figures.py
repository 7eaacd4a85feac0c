"""Single figures and sentences that may leave: taken from a protected table, or judged by the same rules.

What a study records for others, and what it says in words, is made of these. A figure too few persons stand behind has
no value and reads 未列出; a sentence is a template filled with figures, so that a number nobody judged cannot enter it.
"""

import math
import re
from collections.abc import Sequence
from numbers import Real
from typing import Any

import pandas as pd

from institute_lib import areas, terms
from institute_lib.disclosure import show
from institute_lib.disclosure.numbers import unknown_number
from institute_lib.disclosure.passed import REASONS
from institute_lib.disclosure.sensitivity import MIN_EMPLOYERS
from institute_lib.disclosure.values import MAKER, SafeFigure, SafeSentence, hidden_word
from institute_lib.errors import DisclosureError, ParameterError, nearest

KEY = re.compile(r"[a-z_]+\.\w+")


def protect_figure(
    value: float | None,
    *,
    n: float,
    of: float | None = None,
    employers: float | None = None,
    threshold: int = 10,
    unit: str = "number",
    source: str = "",
    demo: bool = False,
) -> SafeFigure:
    """One figure under the rules of `protect`; it is hidden where too few stand behind it, or beside it.

    Figures that add up (a city and its districts, quarters and their year) are taken from one protected table, with
    `SafeTable.figure`: only there what must be hidden beside a hidden one is known.

    Args:
        value: None or NaN stands for what is not there.
        n: the persons behind it: of a count the count, of a share its denominator.
        of: the group that the n persons are part of; so few others that they are known by what is left hide it too.
        employers: the employers behind it; fewer than 3 hide it.
        unit: "share" (then share × n, and n less that, are counts of persons too), "points", "count", "yuan", "number".

    Raises:
        ParameterError: a number of persons below zero or above the group's, a threshold below 2.
        DisclosureError: the value is no number.
    """
    if threshold < 2:
        raise ParameterError(f"protect_figure: threshold {threshold}; allowed: 2 or more")
    if not n >= 0 or (of is not None and n > of):
        raise ParameterError(f"protect_figure: n = {n} persons{'' if of is None else f' of {of}'}; allowed: 0 to all")
    plain = plain_number(value, "protect_figure")
    counts = [float(n)] + ([] if of is None else [float(of - n)])
    shares = [] if plain is None or unit != "share" or not 0 <= plain <= 1 else [plain * n, n - plain * n]
    reason = ""
    if any(0 < one < threshold for one in counts):
        reason = "few_persons"
    elif employers is not None and 0 < employers < MIN_EMPLOYERS:
        reason = "few_employers"
    elif any(0.5 < one < threshold - 1e-6 for one in shares):
        reason = "small_share"
    status = "primary" if reason else "missing" if plain is None else "shown"
    shown = None if reason else plain
    return SafeFigure(MAKER, shown, unit, status, reason, threshold=threshold, source=source, demo=demo)


def exempt_figure(
    value: float | None, *, reason: str, source: str, unit: str = "number", demo: bool = False
) -> SafeFigure:
    """A figure that needs no protection: a published fact, or one with no person behind it.

    Raises:
        ParameterError: an unknown reason.
        DisclosureError: no source, or the value is no number.
    """
    _check_exempt("exempt_figure", reason, source)
    plain = plain_number(value, "exempt_figure")
    return SafeFigure(MAKER, plain, unit, "missing" if plain is None else "exempt", reason, source=source, demo=demo)


def sentence(template: str, language: str = "zh", **parts: Any) -> SafeSentence:
    """A sentence written from protected figures; a hidden one reads 未列出.

    Args:
        template: a key of the catalogues such as "talent.funnel", or the template itself with {fields}.
        parts: a SafeFigure, a pair of them (an interval), a SafeSentence or several; or words: names, codes of areas,
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
    return SafeSentence(MAKER, re.sub(f"(?<={hidden_word(language)}){measures}", "", text))


def protect_sentence(text: str, *, persons: Any, threshold: int = 10, language: str = "zh") -> SafeSentence:
    """A sentence that a result says of itself, if none of the groups that it rests on is too small; else that it is.

    Args:
        persons: how many stand behind each group that the sentence speaks of: a number, or several.
    """
    counts = pd.Series(persons if isinstance(persons, pd.Series | Sequence) else [persons], dtype=float)
    few = ((counts > 0) & (counts < threshold)).any()
    return SafeSentence(MAKER, terms.text("disclosure.too_few", language, threshold=threshold) if few else str(text))


def exempt_sentence(text: str, *, reason: str, source: str) -> SafeSentence:
    """A sentence on published facts, or on what has no person behind it.

    Raises:
        ParameterError, DisclosureError: as `exempt_figure`.
    """
    _check_exempt("exempt_sentence", reason, source)
    return SafeSentence(MAKER, str(text))


def check_words(text: str, place: str) -> str:
    """Words without a number of their own, days, quarters, years and levels of intervals apart.

    Raises:
        DisclosureError: a number stands in them.
    """
    number = unknown_number(text, set())
    if number:
        raise DisclosureError(
            f"{place} holds the number {number!r}, which nobody judged; write it with disclosure.sentence(…) "
            "from figures of a protected table (safe_table.figure(…)) or disclosure.protect_figure(value, n=persons)"
        )
    return text


def plain_number(value: Any, place: str) -> float | int | None:
    """A number of plain Python; None where it is missing or not finite.

    Raises:
        DisclosureError: no number.
    """
    if value is None or value is pd.NA:
        return None
    if not isinstance(value, Real):
        raise DisclosureError(
            f"{place} is a {type(value).__name__}; allowed: a number: protect the table and take the figure you publish"
        )
    if isinstance(value, bool) or not math.isfinite(value):
        return int(value) if isinstance(value, bool) else None
    return int(value) if float(value).is_integer() and not isinstance(value, float) else float(value)


def _check_exempt(name: str, reason: str, source: str) -> None:
    if reason not in REASONS:
        raise ParameterError(f"{name}: reason {reason!r}: {nearest(reason, REASONS)}")
    if not source:
        raise DisclosureError(f"{name}: give the source; without one it must be protected")


def _part(name: str, part: Any, language: str) -> str:
    if isinstance(part, SafeFigure):
        return part.words(language)
    if isinstance(part, SafeSentence):
        return str(part)
    if isinstance(part, tuple | list) and part and all(isinstance(one, SafeSentence) for one in part):
        return terms.text("disclosure.joint", language).join(part)
    if isinstance(part, tuple) and len(part) == 2 and all(isinstance(one, SafeFigure) for one in part):
        return _interval(part, language)
    if isinstance(part, str):
        column = "quarter" if re.fullmatch(r"(?:19|20)\d\dQ[1-4]", part) else name
        coded = column == "quarter" or (re.fullmatch(r"\d{6}", part) is not None and areas.is_known(part))
        return show.key(column, part, language) if coded else check_words(part, f"sentence: {name}")
    raise DisclosureError(
        f"sentence: {name} is a {type(part).__name__}; allowed: a SafeFigure (safe_table.figure(…), "
        "disclosure.protect_figure(value, n=persons)), a pair of them, words"
    )


def _interval(ends: tuple[SafeFigure, SafeFigure], language: str) -> str:
    """Two figures in the unit and with the digits of their kind, the unit's sign left to the sentence."""
    if any(one.hidden for one in ends):
        return hidden_word(language)
    joined = "至" if language == "zh" else " to "
    bare = {"share": "points", "yuan": "count"}
    parts = []
    for one in ends:
        cell = getattr(one, "cell", None)
        parts.append(cell(language) if cell else show.number(one.value, bare.get(one.unit, one.unit), language))
    return joined.join(part.removesuffix("%") for part in parts)
