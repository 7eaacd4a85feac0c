"""The declared words of a register: what a header, a level or a blank means."""

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from institute_lib.errors import ParameterError, nearest

_BRACKETS = re.compile(r"[(\[【].*?[)\]】]")
_EDGES = "*:;.,、。*#"


@dataclass(frozen=True)
class Column:
    """One column that a table takes from a register."""

    name: str
    type: str
    headers: tuple[str, ...]
    required: bool = False


@cache
def declared() -> dict[str, Any]:
    """The whole of `headers.toml`."""
    with (Path(__file__).parent / "headers.toml").open("rb") as file:
        return tomllib.load(file)


def tables() -> tuple[str, ...]:
    """The tables that a register can be imported as."""
    return tuple(declared()["tables"])


@cache
def columns(table: str) -> tuple[Column, ...]:
    """The columns that a table takes from a register.

    Raises:
        ParameterError: no register is imported as that table.
    """
    if table not in tables():
        raise ParameterError(f"table {table!r} cannot be imported: {nearest(table, tables())}")
    return tuple(
        Column(name, entry["type"], tuple(entry["headers"]), entry.get("required", False))
        for name, entry in declared()["tables"][table].items()
    )


@cache
def _synonyms(table: str) -> dict[str, str]:
    return {plain(header): column.name for column in columns(table) for header in column.headers}


def column_of(table: str, header: str) -> str | None:
    """The column that a header means, or None: first as written, then without its bracketed remarks."""
    synonyms = _synonyms(table)
    return synonyms.get(plain(header)) or synonyms.get(plain(_BRACKETS.sub("", normal(header))))


def in_ten_thousands(header: str) -> bool:
    """Whether a header declares its amounts in 万, as 金额(万元) does."""
    return any("万" in bracket for bracket in _BRACKETS.findall(normal(header)))


def is_personal(header: str) -> bool:
    """Whether a header announces a phone, an address or the like: read by nobody, kept nowhere."""
    return plain(_BRACKETS.sub("", normal(header))) in declared()["personal_headers"]


def is_missing(text: str) -> bool:
    """Whether a text is one of the declared words for 'not recorded'. `NA` and `null` are not: they are names."""
    return normal(text) in _missing_words()


@cache
def _missing_words() -> frozenset[str]:
    return frozenset(normal(word) for word in declared()["missing"])


@cache
def levels(name: str) -> dict[str, str]:
    """Every declared word of a level list, and the level it means; a level's own code is a word too."""
    entries = declared()["levels"][name]
    words = {normal(word).lower(): level for level, listed in entries.items() for word in listed}
    return words | {level.lower(): level for level in entries}


def is_level_list(type_name: str) -> bool:
    return type_name in declared()["levels"]


def normal(text: str) -> str:
    """A text in NFKC (full-width digits become plain ones), without spaces at its ends."""
    return unicodedata.normalize("NFKC", text).strip()


def plain(header: str) -> str:
    """A header without spaces, line breaks and marks at its ends, in NFKC."""
    return re.sub(r"\s+", "", normal(header)).strip(_EDGES)
