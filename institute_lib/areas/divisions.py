"""Which divisions there are, what they are called, what they used to be called, and which lies in which."""

from collections.abc import Sequence
from datetime import date
from difflib import SequenceMatcher, get_close_matches

from institute_lib.areas.register import Area, Entry, Register, load, parents_of
from institute_lib.errors import ParameterError, nearest

PROVINCE = "320000"
ON_RETIRED = ("refuse", "map")
_VERBS = {
    "merged": "was merged into",
    "became": "became",
    "renamed": "was renamed",
    "divided": "was divided among",
}


def get(code_or_name: str, *, on: str | date | None = None, on_retired: str = "refuse") -> Area:
    """The area of a code or a name: full, short, with its city or province before it, traditional, or English.

    Args:
        code_or_name: such as "320613", "崇川区", "崇川", "江苏省南通市崇川区", "崇川區", "Chongchuan District".
        on: the day on which the name or code was written; None for today. A code or name that was in use on that day
            gives the area as it then was.
        on_retired: "refuse" a code or name that was not in use; "map" everything to today's area.

    Raises:
        ParameterError: unknown (with the nearest match), ambiguous, retired, not yet in use, or divided among several.
    """
    if on_retired not in ON_RETIRED:
        raise ParameterError(f"on_retired {on_retired!r}: {nearest(on_retired, ON_RETIRED)}")
    register, day = load(), _day(on)
    found = _lookup(register, code_or_name)
    valid = [(tier, entry) for tier, entry in found if entry.area.in_use(day)]
    if on_retired == "map":
        return _today(register, _one(register, valid or found, code_or_name), code_or_name)
    if not valid:
        raise ParameterError(_why_not(register, [entry for _, entry in found], code_or_name, day))
    return _one(register, valid, code_or_name).area


def is_known(code_or_name: str) -> bool:
    """Whether any area, of today or before, is written so; without `get`'s search for what was probably meant."""
    register = load()
    return register.speller.key(code_or_name) in register.index


def cities() -> tuple[Area, ...]:
    """The thirteen cities of the province, by code."""
    return tuple(area for area in load().current.values() if area.level == "city")


def districts(parent: str) -> tuple[Area, ...]:
    """The legal county-level districts of a city or of the province (95), by code; of a district, itself alone.

    Raises:
        ParameterError: unknown area, or a development zone, which is no legal district and has none.
    """
    area = get(parent)
    if area.level == "zone":
        raise ParameterError(
            f"zone {parent!r}: {area.name_zh} is a statistical zone, not a legal district; "
            f"its polygon is that of {host(area.code)}"
        )
    everything = (other for other in load().current.values() if other.level == "district")
    return tuple(other for other in everything if area.level == "province" or area.code in (other.parent, other.code))


def host(code: str) -> str:
    """The district whose polygon holds a development zone; any other code comes back as it is, unchecked."""
    return load().hosts.get(code, code)


def city_of(code: str) -> str:
    """The code of the city that an area is, or lies in.

    Raises:
        ParameterError: unknown area, or the province.
    """
    area = get(code)
    if area.level == "province":
        raise ParameterError(f"area {code!r}: a province lies in no city; name a city or a district")
    return area.code if area.level == "city" else area.parent


def peers(code: str) -> tuple[Area, ...]:
    """The sibling districts of a district (of a zone: of its host), or the other cities of a city.

    Raises:
        ParameterError: unknown area, or the province.
    """
    area = get(host(get(code).code))
    siblings = cities() if area.level == "city" else districts(city_of(area.code))
    return tuple(other for other in siblings if other.code != area.code)


def _day(on: str | date | None) -> str | None:
    if on is None:
        return None
    try:
        return date.fromisoformat(str(on)[:10]).isoformat()
    except ValueError as error:
        raise ParameterError(f"on {on!r}: not a day; write it as 2020-07-31") from error


def _lookup(register: Register, code_or_name: str) -> tuple[tuple[int, Entry], ...]:
    if not isinstance(code_or_name, str):
        raise ParameterError(
            f"area {code_or_name!r} is a {type(code_or_name).__name__}; allowed: text, such as '320613'"
        )
    key = register.speller.key(code_or_name)
    if key in register.index:
        return register.index[key]
    raise ParameterError(
        f"area {code_or_name!r}: {_hint(register, key)}allowed: a code or name of data/reference/districts.csv, "
        "such as 320600, 320613 or the name of a city or district"
    )


def _hint(register: Register, key: str) -> str:
    """What was probably meant: the district with another city before it, else the nearest spelling."""
    for city in (area for area in register.current.values() if area.level == "city"):
        prefix = register.speller.key(city.name_zh)
        rest = register.index.get(key.removeprefix(prefix), ()) if key.startswith(prefix) else ()
        found = [entry.area for _, entry in rest if entry.area.level == "district" and not entry.successors]
        if found:
            parent = register.current[found[0].parent]
            return f"{found[0].name_zh} ({found[0].code}) lies in {parent.name_zh}, not in {city.name_zh}; "
    spellings = {
        register.speller.key(word): area
        for area in register.current.values()
        for word in (area.name_en, area.code, area.name_zh)
    }
    close = get_close_matches(key, spellings, n=10, cutoff=0.5)
    if not close:
        return ""
    best = max(close, key=lambda word: (SequenceMatcher(None, key, word).ratio(), word[0] == key[0]))
    return f"did you mean {spellings[best].code} {spellings[best].name_zh}? "


def _one(register: Register, found: Sequence[tuple[int, Entry]], asked: str) -> Entry:
    """The best spelled of the entries found, today's before yesterday's, the latest of one and the same place."""
    best = min(tier for tier, _ in found)
    entries = [entry for tier, entry in found if tier == best]
    entries = [entry for entry in entries if not entry.successors] or entries
    places = {_end(register, entry): entry for entry in sorted(entries, key=lambda entry: entry.area.valid_to)}
    if len(places) > 1:
        named = ", ".join(
            f"{''.join(parent.name_zh for parent in parents_of(entry.area, register.current)[:1])}"
            f"{entry.area.name_zh} ({entry.area.code})"
            for entry in places.values()
        )
        raise ParameterError(f"area {asked!r} names {len(places)} areas: {named}; give the code, or the city with it")
    return next(iter(places.values()))


def _end(register: Register, entry: Entry) -> tuple[str, ...]:
    """Codes of today that an entry's territory belongs to."""
    if not entry.successors:
        return (entry.area.code,)
    ends: list[str] = []
    for code in entry.successors:
        later = [other for other in register.retired if other.area.code == code and other.successors != (code,)]
        ends += [code] if code in register.current else [end for other in later for end in _end(register, other)]
    return tuple(dict.fromkeys(ends))


def _today(register: Register, entry: Entry, asked: str) -> Area:
    ends = _end(register, entry)
    if len(ends) > 1:
        raise ParameterError(_retired_message(register, entry, asked))
    return register.current[ends[0]]


def _why_not(register: Register, entries: list[Entry], asked: str, day: str | None) -> str:
    retired = [entry for entry in entries if entry.successors and (day is None or entry.area.valid_to < day)]
    if retired:
        return _retired_message(register, max(retired, key=lambda entry: entry.area.valid_to), asked)
    area = min((entry.area for entry in entries), key=lambda area: area.valid_from)
    before = [entry.area for entry in register.retired if area.code in _end(register, entry) and entry.area.in_use(day)]
    then = ", ".join(f"{other.name_zh} ({other.code})" for other in before)
    remedy = f"on {day} there was {then}; use it" if before else "use the code of that day"
    return (
        f"{area.level} {asked!r}: {area.name_zh} ({area.code}) is in use since {area.valid_from}; {remedy}, "
        "or pass on_retired='map' for today's area"
    )


def _retired_message(register: Register, entry: Entry, asked: str) -> str:
    ends = _end(register, entry)
    named = ", ".join(f"{register.current[code].name_zh} ({code})" for code in ends)
    if ends == entry.successors or len(ends) > 1:
        what = f"{_VERBS[entry.change if len(ends) == 1 else 'divided']} {named} in {entry.area.valid_to[:4]}"
    else:
        what = f"was replaced in {entry.area.valid_to[:4]} and is today {named}"
    remedy = f"use {ends[0]}, or pass on_retired='map'" if len(ends) == 1 else f"use one of {', '.join(ends)}"
    return f"{entry.area.level} {asked!r}: {entry.area.name_zh} {what}; {remedy}"
