"""Words and number formats, Chinese and English: the one module that formats a figure, an interval, a p, a quarter, a
day, a key, and the only package that holds Chinese text.

Texts stand in one TOML catalogue a package (`terms/<package>.toml`), each entry with both languages:

    [headline]
    zh = "{area}{quarter}离职率为{rate}"
    en = "The turnover rate of {area} in {quarter} was {rate}"

`text("retention.headline", "en", area=…)` fills it in. Numbers are formatted before they are passed, with `number`,
`percent`, `count` and `quarter`, so that a sentence never shows the other language's format.
"""

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import pandas as pd

from institute_lib.errors import InstituteError, ParameterError, closest, nearest

Kind = TypeVar("Kind", bound=InstituteError)
LANGUAGES = ("zh", "en")
FONT_STACK = (
    "'Noto Sans CJK SC', 'Source Han Sans SC', 'Microsoft YaHei', 'PingFang SC', 'Hiragino Sans GB', "
    "'WenQuanYi Micro Hei', sans-serif"
)
HAN = re.compile(r"[\u3400-\u9fff]")
QUARTERS = ("quarter", "period", "treated_from", "partial_quarter", "start", "group")  # keys that hold one
MISSING = {"zh": "—", "en": "–"}


@cache
def catalogue(package: str) -> dict[str, dict[str, str]]:
    """All texts of one package: key to {zh, en}.

    Raises:
        ParameterError: the package has no catalogue.
    """
    path = Path(__file__).parent / f"{package}.toml"
    if not path.is_file():
        names = sorted(file.stem for file in Path(__file__).parent.glob("*.toml"))
        raise ParameterError(f"terms: no catalogue {package!r}: {nearest(package, names)}")
    with path.open("rb") as file:
        return tomllib.load(file)


def text(key: str, language: str = "zh", **values: object) -> str:
    """The text `package.key` in one language, with its {fields} filled in.

    Raises:
        ParameterError: unknown language, package, key, or a field without a value.
    """
    check_language(language)
    package, _, entry = key.partition(".")
    entries = catalogue(package)
    if entry not in entries:
        raise ParameterError(f"terms: no text {entry!r} in catalogue {package!r}: {nearest(entry, entries)}")
    try:
        return entries[entry][language].format(**values)
    except KeyError as missing:
        raise ParameterError(f"terms: text {key!r} ({language}) needs a value for {missing}") from missing


def error(kind: type[Kind], key: str, **values: object) -> Kind:
    """An error that says the text `package.key` in English and, to readers of Chinese, in Chinese (`say`).

    A value that differs between the languages is given as a function of the language; `nearest=(value, allowed)` ends
    the text with the nearest allowed value and all of them, or, with "close" as a third part, with the nearest alone.
    """

    def said(language: str) -> str:
        filled: dict[str, Any] = {name: value(language) if callable(value) else value for name, value in values.items()}
        if isinstance(filled.get("nearest"), tuple):
            filled["nearest"] = nearest_in(language, *filled["nearest"])
        return text(key, language, **filled)

    made = kind(said("en"))
    made.chinese = said("zh")
    return made


def nearest_in(language: str, value: str, allowed: Iterable[object], parts: str = "all") -> str:
    """The end of such a message: the nearest allowed value, then (unless `parts` is "close") all of them."""
    names = [str(name) for name in allowed]
    close = closest(value, names)
    hint = text("labels.did_you_mean", language, close=close) if close else ""
    every = text("labels.allowed", language, names=("、" if language == "zh" else ", ").join(names))
    return hint if parts == "close" else hint + every


def translate(sentence: str, language: str, *, package: str) -> str:
    """A sentence that the English texts of a package made, in another language; itself where none of them did."""
    for pattern, entry in _patterns(package):
        if found := pattern.fullmatch(sentence):
            return entry[language].format(**found.groupdict())
    return sentence


@cache
def _patterns(package: str) -> list[tuple[re.Pattern[str], dict[str, str]]]:
    """What each English text of a package looks like once its fields are filled in."""
    return [
        (re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(entry["en"])), re.DOTALL), entry)
        for entry in catalogue(package).values()
    ]


def label(name: str, language: str = "zh", *, column: str | None = None) -> str:
    """The label of a column, or of a category of `column` where the same word means two things.

    `label("drug", column="kind")` is a worker, `label("drug", column="field")` a field of service.

    Raises:
        ParameterError: the shared catalogue (`terms/labels.toml`) has no such label.
    """
    own = f"{column}_{name}"
    return text(f"labels.{own if own in catalogue('labels') else name}", language)


def check_language(language: str) -> str:
    """The language, if the workbench speaks it.

    Raises:
        ParameterError: any other language.
    """
    if language not in LANGUAGES:
        raise ParameterError(f"language {language!r}: {nearest(language, LANGUAGES)}")
    return language


def _is_given(value: float | None) -> TypeGuard[float]:
    return value is not None and value is not pd.NA and not (isinstance(value, float) and math.isnan(value))


def number(value: float | None, language: str = "zh", digits: int = 0) -> str:
    """A number with `digits` decimals and grouped thousands; a dash when missing, a true minus when negative."""
    if not _is_given(value):
        return MISSING[check_language(language)]
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    shown = f"{value:,.{digits}f}"
    return ("−" + shown[1:]) if shown.startswith("-") and shown.strip("-0.,") else shown.lstrip("-")


def count(value: float | None, language: str = "zh") -> str:
    """A count: from a hundred thousand up in 万 in Chinese (36.7万, 4,666万), grouped in English (367,100)."""
    if language == "zh" and _is_given(value) and abs(value) >= 100_000:
        return f"{number(value / 10_000, language, 1 if abs(value) < 10_000_000 else 0)}万"
    return number(value, language)


def percent(share: float | None, language: str = "zh", digits: int = 1) -> str:
    """A share between 0 and 1 as a percentage: 0.123 → 12.3%."""
    if not _is_given(share):
        return MISSING[check_language(language)]
    return f"{number(100 * share, language, digits)}%"


def points(difference: float | None, language: str = "zh", digits: int = 1) -> str:
    """A difference of two shares in words: 0.012 → 上升1.2个百分点, up 1.2 points."""
    if not _is_given(difference):
        return MISSING[check_language(language)]
    size = number(abs(100 * difference), language, digits)
    if not float(size.replace(",", "")):
        return text("labels.nearly_unchanged" if difference else "labels.unchanged", language)
    return text("labels.points_up" if difference > 0 else "labels.points_down", language, size=size)


def interval(low: float, high: float, language: str = "zh", digits: int = 1, scale: float = 1.0) -> str:
    """A confidence interval as text; an unbounded side is shown as unbounded."""
    joined = "至" if language == "zh" else " to "
    return f"{number(low * scale, language, digits)}{joined}{number(high * scale, language, digits)}"


def quarter(value: str | pd.Period, language: str = "zh") -> str:
    """A quarter in words: 2024Q4 → 2024年四季度, Q4 2024."""
    period = pd.Period(value, freq="Q")
    if check_language(language) == "zh":
        return f"{period.year}年{'一二三四'[period.quarter - 1]}季度"
    return f"Q{period.quarter} {period.year}"


def date(value: str | pd.Timestamp, language: str = "zh") -> str:
    """A day in words: 2024-11-08 → 2024年11月8日, 8 November 2024."""
    day = pd.Timestamp(value)
    if check_language(language) == "zh":
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {day.month_name()} {day.year}"


def significant(value: float, language: str = "zh") -> str:
    """A number of unknown size to three significant digits."""
    if not _is_given(value) or not math.isfinite(value) or value == 0:
        return number(value, language)
    return number(value, language, decimals(value))


def decimals(*values: float) -> int:
    """How many decimals show the largest of some values in three significant digits."""
    largest = max((abs(one) for one in values if _is_given(one) and math.isfinite(one)), default=0.0)
    return min(max(2 - math.floor(math.log10(largest)), 0), 6) if largest else 0


def p_value(value: float, language: str = "zh") -> str:
    """A p with its sign of relation, to three decimals, never as zero."""
    space = " " if language == "en" else ""
    return f"<{space}0.001" if value < 0.001 else f"={space}{number(value, language, 3)}"


def listed(names: Iterable[str], language: str = "zh") -> str:
    """Names one after the other: 甲、乙 in Chinese, a, b in English."""
    return ("、" if language == "zh" else ", ").join(names)


def word(name: str, language: str, own: Mapping[str, str] | None = None, *, column: str = "") -> str:
    """The label of a column, or of a category of `column`: the table's own, the shared labels, else the name itself."""
    if own and name in own:
        return own[name]
    if " + " in name:  # levels that were merged, each by its own words
        return " + ".join(word(part, language, own, column=column) for part in name.split(" + "))
    for package, key in (("labels", f"{column}_{name}"), ("labels", name), ("disclosure", f"column_{name}")):
        found = _entry(package, key)
        if found:
            return found[language]
    return name.replace("_", " ")


def _entry(package: str, key: str) -> dict[str, str] | None:
    try:
        return catalogue(package).get(key)
    except ParameterError:  # the package has no catalogue
        return None


def place(name: str, language: str) -> str:
    """The name of a town, village or station: in English its kind, and the rest in pinyin.

    >>> place("和平桥街道", "en")
    'Hepingqiao Subdistrict'
    """
    if language == "zh" or not HAN.search(name):
        return name
    for kind in (entry for key, entry in catalogue("areas").items() if key.startswith("place_")):
        ending = kind["zh"].removeprefix("{name}")
        if name.endswith(ending) and name != ending:
            return kind["en"].format(name=place(name.removesuffix(ending), language))
    import pypinyin

    parts = [pypinyin.lazy_pinyin(part) for part in re.findall(r"[\u3400-\u9fff]+|[^\u3400-\u9fff]+", name)]
    joined = ["".join(f"'{one}" if at and one[0] in "aeo" else one for at, one in enumerate(part)) for part in parts]
    return "".join(one[:1].upper() + one[1:] for one in joined)


def key(name: str, value: object, language: str, own: Mapping[str, str] | None = None) -> str:
    """A key of a table in words: a district's name, a quarter, a category's label, the total."""
    shown = str(value)
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        shown = MISSING[language]
    elif own and shown in own:
        shown = own[shown]
    elif name == "site":
        shown = place(shown, language)
    elif shown in ("True", "False"):
        shown = text("disclosure.yes" if shown == "True" else "disclosure.no", language)
    elif isinstance(value, pd.Timestamp):
        shown = date(value, language)
    elif isinstance(value, pd.Period) or (name in QUARTERS and re.fullmatch(r"\d{4}Q[1-4]", shown)):
        shown = quarter(value, language)
    elif isinstance(value, str) and re.fullmatch(r"\d{6}(\d{3})?", shown):
        shown = _area(shown, language)
    elif re.fullmatch(r"(?=.*[a-z])[a-z0-9_]+", shown):
        shown = word(shown, language, own, column=name)
    return shown


@cache
def _area(code: str, language: str) -> str:
    areas = import_module("institute_lib.areas")  # the one call upwards: what a code is called stands there
    try:
        if len(code) > len("320613"):  # a town of the statistical list
            names = areas.towns(code[:6]).set_index("town")["name"]
            return place(str(names.get(code, code)), language)
        return areas.get(code).name(language)
    except InstituteError:  # digits that are no area: shown as they stand
        return code


def figure(value: Any, unit: str, language: str, *, short: bool = False) -> str:
    """A figure in its unit, "points" as a difference of shares without the word; a dash when there is none.

    Args:
        unit: one of `result.UNITS`, "integer", or "number2": a number with two decimals.
        short: large counts and sums in 万 in Chinese, as a sentence or an axis says them.
    """
    if value is None or pd.isna(value):
        return MISSING[language]
    if unit == "share":
        return percent(float(value), language)
    if unit == "points":
        return number(100 * float(value), language, 1)
    if unit in ("count", "yuan"):
        return count(float(value), language) if short else number(float(value), language)
    if unit == "integer":
        return number(float(value), language).replace(",", "")
    return number(float(value), language, int(unit.removeprefix("number") or 3))
