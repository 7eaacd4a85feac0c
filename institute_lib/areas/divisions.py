"""Which divisions there are, what they are called, what they used to be called, and which lies in which."""

import functools
from collections.abc import Sequence
from datetime import date
from difflib import SequenceMatcher, get_close_matches

from institute_lib import terms
from institute_lib.areas.register import Area, Entry, Register, load, parents_of
from institute_lib.errors import ParameterError, nearest

PROVINCE = "320000"
ON_RETIRED = ("refuse", "map")


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
        raise _not_in_use(register, [entry for _, entry in found], code_or_name, day)
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
        zone = {"asked": parent, "name": area.name_zh, "host": host(area.code)}
        raise terms.error(ParameterError, "areas.error_zone", **zone)
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
        raise terms.error(ParameterError, "areas.error_province", code=code)
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
    hint = _hint(register, key)
    meant = functools.partial(terms.text, f"areas.{hint[0]}", **hint[1]) if hint else ""
    raise terms.error(ParameterError, "areas.error_unknown", asked=code_or_name, meant=meant)


def _hint(register: Register, key: str) -> tuple[str, dict[str, str]] | None:
    """What was probably meant, as a text and its fields: the district of another city, else the nearest spelling."""
    for city in (area for area in register.current.values() if area.level == "city"):
        prefix = register.speller.key(city.name_zh)
        rest = register.index.get(key.removeprefix(prefix), ()) if key.startswith(prefix) else ()
        found = [entry.area for _, entry in rest if entry.area.level == "district" and not entry.successors]
        if found:
            parent = register.current[found[0].parent]
            named = {"name": found[0].name_zh, "code": found[0].code, "city": city.name_zh}
            return "hint_elsewhere", named | {"parent": parent.name_zh}
    spellings = {
        register.speller.key(word): area
        for area in register.current.values()
        for word in (area.name_en, area.code, area.name_zh)
    }
    close = get_close_matches(key, spellings, n=10, cutoff=0.5)
    if not close:
        return None
    best = max(close, key=lambda word: (SequenceMatcher(None, key, word).ratio(), word[0] == key[0]))
    return "hint_close", {"code": spellings[best].code, "name": spellings[best].name_zh}


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
        raise terms.error(ParameterError, "areas.error_several", asked=asked, n=len(places), named=named)
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
        raise _retired_error(register, entry, asked)
    return register.current[ends[0]]


def _not_in_use(register: Register, entries: list[Entry], asked: str, day: str | None) -> ParameterError:
    retired = [entry for entry in entries if entry.successors and (day is None or entry.area.valid_to < day)]
    if retired:
        return _retired_error(register, max(retired, key=lambda entry: entry.area.valid_to), asked)
    area = min((entry.area for entry in entries), key=lambda area: area.valid_from)
    before = [entry.area for entry in register.retired if area.code in _end(register, entry) and entry.area.in_use(day)]
    then = ", ".join(f"{other.name_zh} ({other.code})" for other in before)
    given = {"asked": asked, "name": area.name_zh, "code": area.code, "since": area.valid_from}
    return terms.error(ParameterError, f"areas.error_early{'' if before else '_code'}", day=day, then=then, **given)


def _retired_error(register: Register, entry: Entry, asked: str) -> ParameterError:
    ends = _end(register, entry)
    named = ", ".join(f"{register.current[code].name_zh} ({code})" for code in ends)
    direct = ends == entry.successors or len(ends) > 1
    change = "replaced" if not direct else entry.change if len(ends) == 1 else "divided"
    given = {"asked": asked, "name": entry.area.name_zh, "year": entry.area.valid_to[:4], "named": named}
    remedy = {"use": ends[0]} if len(ends) == 1 else {"use": ", ".join(ends)}
    key = "areas.error_retired" if len(ends) == 1 else "areas.error_retired_several"
    return terms.error(
        ParameterError,
        key,
        **given,
        **remedy,
        what=lambda language: terms.text(f"areas.change_{change}", language, **given),
    )
