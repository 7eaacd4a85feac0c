"""The declared words of a register: what a header, a level or a blank means."""

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from institute_lib import terms
from institute_lib.errors import ParameterError

_BRACKETS = re.compile(r"[(\[【].*?[)\]】]")
_EDGES = "*:;.,、。*#"
_MONEY = "亿元|百万元|万元|千元|百元|元|万|千"
_UNIT = re.compile(rf"(?:单位:?|人民币)?({_MONEY})(?:[/每].*)?")
_UNIT_AT_END = re.compile(rf"[/:,_-]?({_MONEY})$")

DERIVED = {"birth_year", "worker_id", "candidate_id", "person_id"}  # of the identity number


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
        allowed = partial(terms.nearest_in, value=table, allowed=tables())
        raise terms.error(ParameterError, "registers.error_table", table=table, nearest=allowed)
    return tuple(
        Column(name, entry["type"], tuple(entry["headers"]), entry.get("required", False))
        for name, entry in declared()["tables"][table].items()
    )


@cache
def _synonyms(table: str) -> dict[str, str]:
    return {plain(header): column.name for column in columns(table) for header in column.headers}


def column_of(table: str, header: str) -> str | None:
    """The column that a header means, or None: as written, without its bracketed remarks, without its unit."""
    return next((_synonyms(table)[form] for form in _forms(header) if form in _synonyms(table)), None)


def header_of(table: str, column: str | None) -> str | None:
    """The header under which an office finds a column of the contract; what is derived of a person, under the number.

    The column itself where no header declares it.
    """
    declared_as = {one.name: one.headers[0] for one in columns(table)}
    derived = declared_as.get("identity", column)
    return derived if column in DERIVED else declared_as.get(column or "", column)


def declared_form(table: str, header: str) -> str:
    """A header as people are shown it: the first of its forms that is declared, so that no remark comes along."""
    return next((form for form in _forms(header) if form in _synonyms(table)), bare(header))


def _forms(header: str) -> Iterator[str]:
    yield plain(header)
    yield bare(header)
    yield _UNIT_AT_END.sub("", bare(header))


def bare(header: str) -> str:
    """A header without bracketed remarks."""
    return plain(_BRACKETS.sub("", normal(header)))


def scale_of(header: str) -> float:
    """How many yuan one unit of a header's amounts is: 10,000 for 金额(万元) and 月薪/万元, 1 if it names none."""
    for remark in _remarks(header):
        if match := _UNIT.fullmatch(remark):
            return declared()["units"][match[1]]
    return 1.0


def in_other_currency(header: str) -> bool:
    """Whether a header declares amounts that are no yuan."""
    return any(word in remark for remark in _remarks(header) for word in declared()["other_currencies"])


def _remarks(header: str) -> list[str]:
    """What a header adds in brackets, or as a unit at its end."""
    text = plain(normal(header))
    at_end = _UNIT_AT_END.search(_BRACKETS.sub("", text))
    return [part[1:-1].upper() for part in _BRACKETS.findall(text)] + ([at_end[1]] if at_end else [])


def is_personal(header: str) -> bool:
    """Whether a header announces a phone, an address or the like: read by nobody, kept nowhere."""
    return bare(header) in declared()["personal_headers"]


def is_total(text: str) -> bool:
    """Whether the first text of a row says that the row sums others up: 合计, 崇川区小计, 合计:3人."""
    letter, whole = _totals()
    return bool(letter.search(text)) and whole.fullmatch(plain(text)) is not None


def is_signature(text: str) -> bool:
    """Whether a text is what stands below a register: 填表人:…, 审核:…, 备注:…."""
    return _signatures().match(plain(text)) is not None


@cache
def _totals() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """One letter of such a word, which nearly every row lacks, and the whole text."""
    words = declared()["totals"]
    whole = f".{{0,8}}(?:{'|'.join(words)})(?:人数|数|金额)?[:]?[\\d,.]*[人名元个]?"
    return re.compile(f"[{''.join(word[-1] for word in words)}]"), re.compile(whole)


@cache
def _signatures() -> re.Pattern[str]:
    return re.compile(f"[(]?(?:{'|'.join(declared()['signatures'])})[^:]{{0,8}}:")


def is_missing(text: str) -> bool:
    """Whether a text is one of the declared words for 'not recorded'. `NA` and `null` are not: they are names."""
    longest, words = _missing_words()
    return len(text) <= longest and normal(text) in words


@cache
def _missing_words() -> tuple[int, frozenset[str]]:
    """Those words, and the length of the longest."""
    words = frozenset(normal(word) for word in declared()["missing"])
    return max(map(len, words)), words


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
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFKC", text).strip()


def plain(header: str) -> str:
    """A header without spaces, line breaks and marks at its ends, in NFKC."""
    return re.sub(r"\s+", "", normal(header)).strip(_EDGES)
