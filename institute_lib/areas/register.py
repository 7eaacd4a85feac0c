"""The divisions as read from the reference files: once, on first use, without pandas.

`districts.csv` holds those in use, `area_aliases.csv` retired codes and other names with their dates,
`traditional_characters.csv` the characters that make no difference.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from institute_lib import paths, terms
from institute_lib.areas.names import Speller, forms
from institute_lib.errors import DataError


@dataclass(frozen=True)
class Area:
    """A province, city, district, or a statistical zone that is no legal district (`level` "zone").

    `valid_from` and `valid_to` bound the time in which the code carried this name, as precisely as is known ("2009",
    "2020-07"); an empty `valid_to` means it still does.
    """

    code: str
    name_zh: str
    name_en: str
    level: str
    parent: str
    valid_from: str = ""
    valid_to: str = ""

    def name(self, language: str = "zh") -> str:
        """The name in one language.

        Raises:
            ParameterError: any language but "zh" and "en".
        """
        return self.name_zh if terms.check_language(language) == "zh" else self.name_en

    def in_use(self, day: str | None) -> bool:
        """Whether the code carried this name on an ISO day (None: today).

        Changes are dated to a day, a month or a year: within that time the old and the new are both in use.
        """
        if day is None:
            return not self.valid_to
        begun = day[: len(self.valid_from)] >= self.valid_from
        return begun and (not self.valid_to or day[: len(self.valid_to)] <= self.valid_to)


@dataclass(frozen=True)
class Entry:
    """An area under one name; `successors` (codes) and `change` tell what became of it, and are empty while in use."""

    area: Area
    change: str = ""
    successors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Register:
    """All entries: those in use by code, the retired, and every spelling's key with its tier and entries."""

    current: dict[str, Area]
    hosts: dict[str, str]
    retired: tuple[Entry, ...]
    index: dict[str, tuple[tuple[int, Entry], ...]]
    speller: Speller


def load() -> Register:
    """The register of the project's reference folder.

    Raises:
        DataError: one of its files is missing.
    """
    return _read(paths.reference())


@cache
def _read(folder: Path) -> Register:
    current, hosts = {}, {}
    for row in _rows(folder / "districts.csv"):
        current[row["code"]] = _area(row, row["name_zh"])
        hosts[row["code"]] = row["host"]
    aliases = list(_rows(folder / "area_aliases.csv"))
    retired = tuple(
        Entry(_area(row, row["name"]), row["change"], tuple(row["successor"].split(";")))
        for row in aliases
        if row["kind"] == "retired"
    )
    other_names = [(row["name"], row["code"]) for row in aliases if row["kind"] == "alias"]
    pairs = {row["traditional"]: row["simplified"] for row in _rows(folder / "traditional_characters.csv")}
    speller = Speller(pairs)
    index = _index(current, retired, other_names, speller)
    return Register(current, hosts, retired, index, speller)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if not path.is_file():
        raise DataError(f"reference file {path.name} is missing from {path.parent}; it ships with the project")
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _area(row: dict[str, str], name: str) -> Area:
    fields = ("name_en", "level", "parent", "valid_from", "valid_to")
    return Area(row["code"], name, *(row[field] for field in fields))


def _index(
    current: dict[str, Area],
    retired: tuple[Entry, ...],
    other_names: list[tuple[str, str]],
    speller: Speller,
) -> dict[str, tuple[tuple[int, Entry], ...]]:
    entries = [Entry(area) for area in current.values()]
    index: dict[str, dict[Entry, int]] = {}
    for entry in (*entries, *retired):
        parents = parents_of(entry.area, current)
        names = [name for name, code in other_names if code == entry.area.code and not entry.successors]
        for form, tier in forms(entry.area, parents, names):
            tiers = index.setdefault(speller.key(form), {})
            tiers[entry] = min(tier, tiers.get(entry, tier))
    return {key: tuple((tier, entry) for entry, tier in tiers.items()) for key, tiers in index.items()}


def parents_of(area: Area, current: dict[str, Area]) -> list[Area]:
    """The areas that an area lies in, nearest first."""
    parents = []
    while area.parent:
        area = current[area.parent]
        parents.append(area)
    return parents
