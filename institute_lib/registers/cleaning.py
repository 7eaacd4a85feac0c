"""From records to clean columns: every cell parsed, every fault with its place."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import Any

import pandas as pd

from institute_lib.registers import districts, values, vocabulary
from institute_lib.registers.layout import Records
from institute_lib.registers.personal import bare_name, find, find_names, mask, may_be_name, printable, squeezed
from institute_lib.registers.report import Problem
from institute_lib.registers.values import Parser, Value

# Remarks that need no decision: counted by column rather than listed by row, and no bar to an import.
NOTES = frozenset(
    {
        "identity_area",
        "identity_expanded",
        "identity_residence_permit",
        "identity_foreigner",
        "identity_travel_document",
        "day_serial_text",
        "district_mapped",
    }
)
WHERE = ["file", "sheet", "row"]
WRITTEN = "written"  # the district as it was written, which says under which code a row was filed
_LONGEST_NAME, OFTEN = 4, 3
_WORD = re.compile(r"[\w()·、/+\-. %]{1,20}")
NAME = "name"  # why a text is personal, where it is for the name of its row's own person
OF_THE_CITY = ("stations", "procurement")  # tables whose rows may be the city's own
PLACE_ENDINGS = ("街道", "镇", "乡", "村", "社区", "居委", "路", "园区", "新村", "苑", "小区", "花园", "港", "河", "桥")
_PARTS = re.compile(r"[·•∙●⋅・･‧.．]")
_PLACE_ENDING = re.compile(r"(?:社区)?(?:居民|村民)?(?:委员会|居委会|村委会)$|(?:街道|社区|镇|乡|村)$")
WORD_PARTS = (
    "科",
    "学",
    "证",
    "级",
    "师",
    "站",
    "工",
    "制",
    "编",
    "期",
    "职",
    "区",
    "县",
    "市",
    "镇",
    "街",
    "无",
    "未",
)
_PARSERS: dict[str, Parser] = {
    "name": values.parse_name,
    "text": values.parse_text,
    "code": values.parse_code,
    "identity": values.parse_identity,
    "quarter": values.parse_quarter,
    "subjects": values.parse_subjects,
    "flag": values.parse_flag,
}
# Faults of a word, not of a row: whoever teaches or mends the word mends every row that has it.
OF_WORDS = frozenset({"level_unknown", "district_unknown"})
Taught = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Cleaned:
    """Parsed columns, one row a record; `file`, `sheet` and `row` say where each stands."""

    frame: pd.DataFrame
    faults: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    mappings: tuple[tuple[tuple[str, str, str], int], ...] = ()


def clean(records: Records, table: str, *, today: date, taught: Taught = MappingProxyType({})) -> Cleaned:
    """One sheet's records as parsed columns.

    Args:
        today: the last day on which anything can have happened.
        taught: what the institute has taught: (list, word) to its meaning.
    """
    columns = {column.name: column for column in vocabulary.columns(table)}
    parsed = {
        name: _parse_all(cells, _parser(columns[name], records, today, taught))
        for name, cells in records.cells.items()
        if columns[name].type not in ("district", "town")
    }
    if "district" in records.cells:
        levels = [value.value for value in parsed["level"]] if "level" in parsed and table in OF_THE_CITY else None
        days = districts.days_of(table, parsed)
        parsed["district"] = districts.parse(records.cells["district"], days, levels=levels, taught=taught)
    for name in [name for name in records.cells if columns[name].type == "town"]:
        parsed[name] = districts.parse_towns(records.cells[name], parsed["district"])
    required = {name for name in parsed if columns[name].required}
    odd = {
        name: [(at, value) for at, value in enumerate(column) if value.value is None or value.remarks]
        for name, column in parsed.items()
    }
    people = parsed["name"] if "name" in parsed and columns["name"].type == "name" else []
    bare = [bare_name(value.value) if value.value else "" for value in people]
    names = frozenset(filter(None, bare))
    found = [*_problems(records, odd, required, names), *_notes(records, odd)]
    if people:
        texts = [name for name in parsed if columns[name].type == "text"]
        found += _names_in_texts(records, parsed, texts, bare, taught)
    frame = pd.DataFrame({name: pd.Series([v.value for v in column], dtype=object) for name, column in parsed.items()})
    if "district" in records.cells:
        frame[WRITTEN] = [values.written(cell) for cell in records.cells["district"]]
    frame["file"], frame["sheet"], frame["row"] = records.sheet.file, records.sheet.name, records.rows
    kinds = {severity: tuple(problem for kind, problem in found if kind == severity) for severity in "fwn"}
    mappings = tuple(_mappings(records, parsed, columns))
    return Cleaned(frame, kinds["f"], kinds["w"], kinds["n"], mappings)


def _parser(column: vocabulary.Column, records: Records, today: date, taught: Taught) -> Parser:
    kind, unit, blanks = column.type, records.units.get(column.name), frozenset(column.blanks)
    if kind == "day":
        return values.parse_day(today=today, epoch_1904=records.sheet.epoch_1904, blanks=blanks)
    if kind == "amount":
        return values.parse_amount(kept_in=column.unit, unit=unit)
    if kind == "share":
        return values.parse_share(unit=unit)
    return _PARSERS[kind] if kind in _PARSERS else values.parse_level(kind, taught, blanks)


def _parse_all(cells: list[Any], parse: Parser) -> list[Value]:
    """Each different cell once. True equals 1, so where truth values stand among numbers their kinds are told apart."""
    if bool in set(map(type, cells)):
        return [parse(cell) for cell in cells]
    different = dict.fromkeys(cells)
    is_identity = parse is values.parse_identity
    seen = values.parse_identities(different) if is_identity else {cell: parse(cell) for cell in different}
    return list(seen.values()) if len(seen) == len(cells) else [seen[cell] for cell in cells]


def _problems(
    records: Records, odd: dict[str, list[tuple[int, Value]]], required: set[str], names: frozenset[str]
) -> Iterator[tuple[str, Problem]]:
    """Faults and what needs a decision, among the blanks, faults and remarks of each column."""
    file, sheet = records.sheet.file, records.sheet.name
    for name, found in odd.items():
        header, cells = records.headers[name], records.cells[name]
        words: dict[tuple[str, str], list[tuple[int, Value]]] = {}
        for at, value in found:
            row, cell = records.rows[at], cells[at]
            if value.fault in OF_WORDS:
                words.setdefault((value.fault, vocabulary.normal(values.written(cell))), []).append((row, value))
            elif value.fault:
                yield "f", Problem(value.fault, file, sheet, row, header, mask(cell), value.detail)
            elif value.value is None and name in required and (row, header) not in records.excused:
                yield "f", Problem("required_missing", file, sheet, row, header, mask(cell))
            for remark in value.remarks:
                if remark not in NOTES:
                    yield "w", Problem(remark, file, sheet, row, header, mask(cell), value.detail)
        for (fault, word), places in words.items():
            rows = tuple(row for row, _ in places)
            shown = word if is_no_ones(word, len(rows), names) else mask(word)
            yield "f", Problem(fault, file, sheet, rows[0], header, shown, places[0][1].detail, rows=rows)


def is_no_ones(word: str, times: int, names: frozenset[str]) -> bool:
    """Whether a word of a column of words may be shown as it is: no number of a person, and no name."""
    if not _WORD.fullmatch(word) or find(word) or find_names(word, names):
        return False
    return times >= OFTEN or not may_be_name(word) or any(part in word for part in WORD_PARTS)


def _notes(records: Records, odd: dict[str, list[tuple[int, Value]]]) -> Iterator[tuple[str, Problem]]:
    """Remarks that need no decision, counted by column rather than listed by row."""
    counted = Counter(
        (name, remark)
        for name, found in odd.items()
        for _, value in found
        for remark in value.remarks
        if remark in NOTES
    )
    for (name, remark), rows in counted.items():
        header = records.headers[name]
        yield "n", Problem(remark, records.sheet.file, records.sheet.name, column=header, detail=str(rows))


def _names_in_texts(
    records: Records, parsed: dict[str, list[Value]], texts: list[str], bare: list[str], taught: Taught
) -> Iterator[tuple[str, Problem]]:
    """A text that reaches the tables must not hold a person: its own row's is a fault, another row's a warning.

    A name that is a place or a common word (陈桥 in 陈桥街道社工站) is asked about; once taught, a text is kept.
    """
    people = _forms([value.value for value in parsed["name"]], bare)
    known = frozenset(name for name in bare if 2 < len(name) <= _LONGEST_NAME)
    for name in texts:
        plain = {
            text: vocabulary.simplified(squeezed(text)) for text in {value.value for value in parsed[name]} if text
        }
        plain = {text: bare for text, bare in plain.items() if ("text", vocabulary.normal(text)) not in taught}
        holding = {text for text, bare in plain.items() if _holds(bare, known)}
        for at, (value, forms) in enumerate(zip(parsed[name], people, strict=True)):
            text = value.value
            if text not in plain:
                continue
            place = (records.sheet.file, records.sheet.name, records.rows[at], records.headers[name])
            person = next((form for form in forms if form in plain[text]), None)
            if person is None:
                if text in holding:
                    yield "w", Problem("text_names_somebody", *place, mask(text))
            elif is_place_or_word(person, plain[text]):
                yield "w", Problem("text_name_is_word", *place, printable(text))
            else:
                yield "f", Problem("text_personal", *place, mask(text), NAME)


def _forms(names: Sequence[str | None], bare: Sequence[str]) -> list[tuple[str, ...]]:
    """How each person may be called in a text: by the whole name, and of 阿依古丽·买买提 by 阿依古丽 too."""
    bare = vocabulary.converted("\n".join(bare)).split("\n")
    found: list[tuple[str, ...]] = []
    for name, whole in zip(names, bare, strict=True):
        forms = [whole] if len(whole) >= (6 if whole.isascii() else 2) else []
        if name and _PARTS.search(name):
            parts = (vocabulary.simplified(bare_name(part)) for part in _PARTS.split(name)[:-1])
            forms += [part for part in parts if len(part) > 2]
        found.append(tuple(forms))
    return found


def _holds(text: str, known: frozenset[str]) -> bool:
    return any(text[at : at + size] in known for size in range(3, _LONGEST_NAME + 1) for at in range(len(text)))


def is_place_or_word(name: str, text: str) -> bool:
    """Whether a name in a text is a place's, or a word that names of bodies are made of."""
    if name in vocabulary.declared()["common_words"] or name in _places():
        return True
    behind = text[text.find(name) + len(name) :]
    return behind.startswith(PLACE_ENDINGS)


@cache
def _places() -> frozenset[str]:
    """Towns, villages and communities of the city, without the word that says what they are."""
    from institute_lib import areas

    names = [*areas.towns(districts.CITY)["name"], *areas.villages(districts.CITY)["name"]]
    return frozenset(short for name in names for short in (name, _PLACE_ENDING.sub("", name)) if len(short) > 1)


def _mappings(
    records: Records, parsed: dict[str, list[Value]], columns: dict[str, vocabulary.Column]
) -> Iterator[tuple[tuple[str, str, str], int]]:
    for name, column in parsed.items():
        type_name = columns[name].type
        if type_name != "district" and not vocabulary.is_level_list(type_name):
            continue
        cells = records.cells[name]
        as_written = cells if set(map(type, cells)) == {str} else map(values.written, cells)
        counted = Counter(zip(as_written, (value.value for value in column), strict=True))
        for (cell, value), rows in counted.items():
            if value is not None:
                yield (records.headers[name], vocabulary.normal(cell), str(value)), rows


def concatenate(parts: Iterable[Cleaned]) -> Cleaned:
    """Several sheets as one."""
    parts = list(parts)
    if len(parts) == 1:
        return parts[0]
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    return Cleaned(
        frame.astype(object).where(frame.notna(), None),
        tuple(problem for part in parts for problem in part.faults),
        tuple(problem for part in parts for problem in part.problems),
        tuple(problem for part in parts for problem in part.notes),
        tuple(mapping for part in parts for mapping in part.mappings),
    )
