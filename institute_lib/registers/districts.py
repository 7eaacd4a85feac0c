"""A register's districts: full, short, traditional, with a prefix, by code, or abolished since; development zones by
their everyday names, towns for the district that they lie in, and the city itself where a row is the city's own.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from institute_lib.errors import ParameterError
from institute_lib.registers import values, vocabulary
from institute_lib.registers.values import Value
from institute_lib.tables import history

# The day on which a row's district was right: when the spell began, the contract was signed, the quarter began, …
DAY_OF = {
    "workers": "entered",
    "stations": "opened",
    "exams": "exam_date",
    "procurement": "signed",
    "talent": "awarded",
    "services": "quarter",
}
CITY = "320600"  # the institute's own: its stations and contracts may stand under no district
_WITHIN = re.compile(r"(?:江苏省?)?(?:南通市?)?(崇川区?|通州区|海门[区市]?|启东市?|如皋市?|海安市?|如东县?)(.{2,14})")
_CANDIDATE = re.compile(r"[^\s,:;]+ \(\d{6}\)")


def filed_name(code: str, language: str) -> str:
    """What a district is called that rows were filed under: one that was abolished since by today's, with its code."""
    from institute_lib import areas

    try:
        area = areas.get(code, on_retired="map")
    except ParameterError:  # divided since, or no district at all
        return code
    return area.name(language) if area.code == code else f"{area.name(language)} {code}"


def days_of(table: str, parsed: dict[str, list[Value]]) -> list[date | None] | None:
    """The day of each row that its district's name is to be understood by; None if the register has no such column."""
    column = parsed.get(DAY_OF.get(table, ""))
    return None if column is None else [_first_day(value.value) for value in column]


def _first_day(value: date | str | None) -> date | None:
    return date(int(value[:4]), 3 * int(value[5]) - 2, 1) if isinstance(value, str) else value


def parse(
    cells: Sequence[Any],
    days: Sequence[date | None] | None,
    *,
    levels: Sequence[str | None] | None = None,
    taught: Mapping[tuple[str, str], str] = MappingProxyType({}),
) -> list[Value]:
    """Six-digit codes of today. A name that is no longer in use is right for a row whose own day was before its end.

    Args:
        cells: as written.
        days: each row's own day, if the register has one.
        levels: of stations and contracts; a row of the city's own level may stand under the city (市本级).
        taught: words that the institute was taught, by ("district", word).
    """
    current = {cell: _today(cell, taught) for cell in dict.fromkeys(cells)}
    then: dict[tuple[Any, date | None], Value] = {}
    parsed = []
    for at, cell in enumerate(cells):
        value = current[cell]
        if value.fault == "district_retired" and days is not None:
            key = (cell, days[at])
            if key not in then:
                then[key] = _on(*key, otherwise=value)
            value = then[key]
        elif value.fault == "district_level" and value.detail and levels is not None and levels[at] == "city":
            value = Value(value.detail)
        parsed.append(value)
    return parsed


def filed(words: Sequence[str], codes: Sequence[str], days: Sequence[str]) -> list[str]:
    """The code that each row was filed under: that of the written name on its own day, where today's came of it.

    Args:
        words: as written. codes: of today. days: the ISO day that each row says something of.
    """
    return [_filed(*row) for row in zip(words, codes, days, strict=True)]


@lru_cache(maxsize=4096)
def _filed(word: str, code: str, day: str) -> str:
    from institute_lib import areas
    from institute_lib.errors import ParameterError

    if areas.get(code).in_use(day):
        return code
    try:
        then = areas.get(values.tidy(values.unmarked(word))[0], on=day).code
    except ParameterError:
        return code
    return then if history.current(then) == code else code


def find_in(text: str) -> list[str]:
    """The districts that a title, a sheet's or a file's name speaks of, as they are written there.

    >>> find_in("2025年崇川区名册"), find_in("海门"), find_in("汇总")
    (['崇川区'], ['海门'], [])
    """
    from institute_lib import areas

    plain = vocabulary.normal(text)
    words = [word for word in re.findall(r"[\u3400-\u9fff]+|(?<!\d)3206\d\d(?!\d)", plain) if word]
    whole = [word for word in words if word in vocabulary.district_words() or _is_district(word)]
    if not whole:
        names = {area.name_zh for area in areas.districts("320000")} | set(vocabulary.district_words())
        inside = sorted((name for name in names if len(name) > 2 and name in plain), key=len, reverse=True)
        whole = [name for at, name in enumerate(inside) if not any(name in longer for longer in inside[:at])]
    return list(dict.fromkeys(word for word in whole if vocabulary.district_words().get(word) != CITY))


def _is_district(word: str) -> bool:
    from institute_lib import areas

    return areas.is_known(word) and _today(word, {}).fault in ("", "district_retired")


def _today(cell: Any, taught: Mapping[tuple[str, str], str]) -> Value:
    from institute_lib import areas

    text, remarks = values.tidy(values.unmarked(values.written(cell)))
    if vocabulary.is_missing(text) or vocabulary.is_error(text):
        return Value(fault="cell_error" if vocabulary.is_error(text) else "")
    code = _code_of(text, taught) or _inside(text)
    if code == CITY:
        return Value(fault="district_level", detail=CITY)
    if code is not None:
        return Value(code, remarks=(*remarks, "district_mapped"), detail=code)
    if not areas.is_known(text):
        return Value(fault="district_unknown", detail=vocabulary.odd_characters(text))
    return _by_name(text, remarks)


def _by_name(text: str, remarks: tuple[str, ...]) -> Value:
    from institute_lib import areas
    from institute_lib.errors import ParameterError

    try:
        area = areas.get(text)
    except ParameterError as refused:
        return Value(fault=_why_not(text), detail="、".join(_CANDIDATE.findall(str(refused))))
    if area.level in ("district", "zone"):
        return Value(area.code, remarks=remarks)
    return Value(fault="district_level", detail=area.code if area.level == "city" else "")


def _code_of(text: str, taught: Mapping[tuple[str, str], str]) -> str | None:
    """The code of a name that is no district's own: taught, a development zone's, a town's."""
    from institute_lib import areas

    word = vocabulary.plain(vocabulary.simplified(text))
    code = taught.get(("district", vocabulary.normal(text))) or vocabulary.district_words().get(word)
    return code or (None if areas.is_known(text) else _towns().get(word.removeprefix("南通市")))


def _inside(text: str) -> str | None:
    """The district of a name that begins with it and goes on with its code, one of its towns, or one of its zones."""
    from institute_lib import areas

    if areas.is_known(text) or re.search("[<>]", text):
        return None
    plain_text = vocabulary.bare(text) if vocabulary.bare(text) else text
    aside = [part for part in re.findall(r"[\w]+", vocabulary.normal(text).removeprefix(plain_text)) if part]
    if plain_text != vocabulary.plain(text):
        code = areas.get(plain_text).code if _is_district(plain_text) else None
        return None if any(areas.is_known(part) and areas.get(part).code != code for part in aside) else code
    found = _WITHIN.fullmatch(vocabulary.simplified(plain_text))
    if found is None or not _is_district(found[1]):
        return None
    code = areas.get(found[1]).code
    return code if found[2].endswith(("开发区", "高新区", "园区", "新区")) or found[2] in _towns_of(code) else None


def parse_towns(cells: Sequence[Any], districts: Sequence[Value]) -> list[Value]:
    """Nine-digit codes of towns, written as such or by a name that the row's district has once."""
    seen: dict[tuple[Any, str | None], Value] = {}
    for cell, district in zip(cells, districts, strict=True):
        key = (cell, district.value)
        if key not in seen:
            seen[key] = _town(*key)
    return [seen[cell, district.value] for cell, district in zip(cells, districts, strict=True)]


def _town(cell: Any, district: str | None) -> Value:
    found = values.parse_code(cell)
    if found.value is None or re.fullmatch(r"\d{9,12}", found.value):
        return found
    code = _towns_of(district).get(vocabulary.plain(vocabulary.simplified(found.value)))
    return Value(code) if code else Value(remarks=("town_unknown",))


@cache
def _towns_of(district: str | None) -> dict[str, str]:
    from institute_lib import areas
    from institute_lib.errors import DataError, ParameterError

    try:
        towns = areas.towns(district or CITY)
    except (DataError, ParameterError):  # no other city's towns are listed
        return {}
    once = towns[~towns["name"].duplicated(keep=False)]
    return dict(zip(once["name"], once["town"], strict=True))


@cache
def _towns() -> dict[str, str]:
    """Towns and subdistricts whose name occurs once in the city, and the district or zone that each is listed under."""
    from institute_lib import areas

    towns = areas.towns(CITY)
    once = towns[~towns["name"].duplicated(keep=False)]
    return dict(zip(once["name"], once["district"], strict=True))


def _why_not(text: str) -> str:
    from institute_lib import areas
    from institute_lib.errors import ParameterError

    try:
        areas.get(text, on_retired="map")
    except ParameterError:
        return "district_unclear"
    return "district_retired"


def _on(cell: Any, day: date | None, *, otherwise: Value) -> Value:
    """A name no longer in use: right for a day on which it was, and mapped to today's district then."""
    from institute_lib import areas
    from institute_lib.errors import ParameterError

    if day is None:
        return otherwise
    text, remarks = values.tidy(values.unmarked(values.written(cell)))
    try:
        areas.get(text, on=day)
        area = areas.get(text, on=day, on_retired="map")
    except ParameterError:
        return otherwise
    return Value(area.code, remarks=(*remarks, "district_mapped"), detail=area.code)
