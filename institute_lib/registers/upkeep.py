"""Living with what was imported: list it, undo it, answer for the missing, link changed numbers, new key, forget."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import areas, terms
from institute_lib.errors import DataError, ParameterError
from institute_lib.registers import digests, identity, keeping, reading, store
from institute_lib.registers.identity import IdentityFault, Key, load_key
from institute_lib.registers.personal import mask
from institute_lib.tables import history, journal, own
from institute_lib.tables.contracts import LAST_DAY
from institute_lib.tables.journal import CELL, Entry


def holdings(table: str | None = None, *, root: Path | None = None) -> pd.DataFrame:
    """What was imported, a row a cell: number, table, district, described, rows, file, known, by, state.

    `state` is "in_force", "replaced" or "withdrawn".
    """
    every = journal.entries(root)
    standing = {entry.number for entry in journal.standing(every)}
    force = {name: journal.in_force(name, every) for name in journal.KEPT}
    rows = []
    for entry in every:
        if entry.kind != "import" or table not in (None, entry.table):
            continue
        files = "、".join(dict.fromkeys(file["name"] for file in entry.body["files"]))
        for part in entry.parts:
            counts = entry in force[entry.table].get(part.cell, ())
            state = "in_force" if counts else "replaced" if entry.number in standing else "withdrawn"
            first, _, rest = part.cell.partition(" ")
            rows.append((entry.number, entry.table, first, rest, part.rows, files, entry.known, entry.by, state))
    columns = ["number", "table", "district", "described", "rows", "file", "known", "by", "state"]
    return pd.DataFrame(rows, columns=columns)


def show(number: int, *, root: Path | None = None) -> dict[str, Any]:
    """One line of the journal, and for an import the report that was written with it.

    Raises:
        ParameterError: there is no such line.
    """
    entry = _entry(number, root)
    report = (journal.folder(root) / entry.file).with_suffix(".json") if entry.file else None
    told = json.loads(report.read_text(encoding="utf-8")) if report and report.is_file() else {}
    return entry.to_dict() | {"report": told}


def _entry(number: int, root: Path | None) -> Entry:
    every = journal.entries(root)
    found = next((entry for entry in every if entry.number == number), None)
    if found is None:
        last = every[-1].number if every else 0
        raise terms.error(ParameterError, "registers.error_no_number", number=number, last=last)
    return found


@dataclass(frozen=True)
class Undone:
    """What an undo did: the entry that no longer counts, and how many answers are asked again."""

    entry: Entry
    asked_again: int


def undo(number: int, *, today: date | None = None, root: Path | None = None) -> Undone:
    """Withdraw an import, an answer or a link. It stays in the journal, and what was known before counts again.

    Raises:
        ParameterError: there is no such line, or it cannot be undone.
        DataError: later imports add to it or replace it; they are named.
    """
    folder = journal.folder(root)
    entry = _entry(number, root)
    with store.writing(folder):
        every = journal.entries(root)
        standing = journal.standing(every)
        if entry.kind not in ("import", "missing", "link") or entry not in standing:
            raise terms.error(ParameterError, "registers.error_not_undone", number=number)
        cells = {part.cell for part in entry.parts}
        later = [
            str(other.number)
            for other in standing
            if other.number > number and other.table == entry.table and cells & {part.cell for part in other.parts}
        ]
        if later:
            raise terms.error(DataError, "registers.error_rests", number=number, later="、".join(later))
        before = len(own.answers(root=root))
        line = store.line("undo", store.next_number(folder), day=_day(today), of=[number])
        store.commit(folder, [line], {})
        journal.log(folder, "undo", number=number)
        gone = before - len(own.answers(root=root)) if entry.kind == "import" else 0
    return Undone(entry, gone)


def _day(today: date | None) -> str | None:
    return today.isoformat() if today and today != date.today() else None


def gaps(*, root: Path | None = None) -> tuple[history.Gap, ...]:
    """The gaps between states in which people are no longer listed."""
    past = own.past(LAST_DAY, root=root)
    return tuple(gap for gap in past.gaps if gap.missing) if past else ()


def answer(
    district: str, quarter: str, answered: str, *, today: date | None = None, root: Path | None = None
) -> tuple[history.Gap, ...]:
    """Say of everybody whom a district's state of a quarter no longer lists whether they "left" or to "keep" them.

    Raises:
        ParameterError: another answer, no such district, or nobody is missing there.
    """
    if answered not in ("left", "keep"):
        raise terms.error(ParameterError, "registers.error_answer", answer=answered)
    code = areas.get(district).code
    folder = journal.folder(root)
    with store.writing(folder):
        found = [gap for gap in gaps(root=root) if gap.district == code and _quarter(gap) == quarter and gap.open]
        if not found:
            name = areas.get(code).name_zh
            raise terms.error(ParameterError, "registers.error_nobody_missing", district=name, quarter=quarter)
        cells = journal.in_force("workers", journal.entries(root))
        number = store.next_number(folder)
        lines = [
            keeping.answer_line(gap, answered, number + at, keeping.rests_of(gap, cells))
            for at, gap in enumerate(found)
        ]
        if day := _day(today):
            lines = [line | {"when": day + line["when"][10:]} for line in lines]
        store.commit(folder, lines, {})
        journal.log(folder, "missing", district=code, quarter=quarter, answer=answered)
    return tuple(found)


def _quarter(gap: history.Gap) -> str:
    return journal.quarter_of_state(gap.last)


def link(path: Path | str, *, root: Path | None = None) -> int:
    """Take each old identity number and the new one beside it, in a workbook of two columns, for one person.

    Returns:
        How many were linked.

    Raises:
        DataError: a number is none, nobody has the old one, or both are in service at once, with every such row.
    """
    key, folder = load_key(), journal.folder(root)
    pairs = [(old, new) for _, old, new in _pairs(path)]
    with store.writing(folder):
        store.check_key(folder, key.id)
        pseudonyms = [[key.pseudonym(old), key.pseudonym(new)] for old, new in pairs]
        _refuse_strangers(pairs, pseudonyms, root)
        line = store.line("link", store.next_number(folder), pairs=pseudonyms) | {"key_id": key.id}
        digests.add(key, (), (number for pair in pairs for number in pair))
        store.commit(folder, [line], {})
        journal.log(folder, "link", persons=len(pairs))
    return len(pairs)


def _pairs(path: Path | str) -> list[tuple[int, str, str]]:
    """Row, old and new number of each row that holds two identity numbers."""
    found, wrong = [], []
    for row, numbers in _numbers(path):
        if len(numbers) == 2 and None not in numbers:
            found.append((row, *numbers))
        elif numbers:
            wrong.append(str(row))
    if wrong or not found:
        rows = "、".join(wrong[:20]) or "—"
        raise terms.error(DataError, "registers.error_link_rows", name=Path(path).name, rows=rows)
    return found


def _numbers(path: Path | str) -> Iterable[tuple[int, list[str | None]]]:
    """The identity numbers in each row of a file's sheets below the header; None for a cell that should be one."""
    for sheet in reading.read_sheets(Path(path)):
        for row, cells in enumerate(sheet.rows, start=1):
            written = [str(cell).strip() for cell in cells if cell not in (None, "")]
            numbers: list[str | None] = []
            for text in written:
                try:
                    numbers.append(identity.parse(text).number)
                except IdentityFault:
                    if any(letter.isdigit() for letter in text) and len(text) > 6:
                        numbers.append(None)
            if row > 1 or any(numbers):
                yield row, numbers


def _refuse_strangers(pairs: list[tuple[str, str]], pseudonyms: list[list[str]], root: Path | None) -> None:
    """
    Raises:
        DataError: nobody has an old number, or a state lists both persons as in service at once.
    """
    known = set()
    for table, columns in journal.PERSONS.items():
        rows = journal.rows(table, root=root)
        known |= {one for column in columns if column in rows for one in rows[column].dropna()}
    unknown = [mask(old) for (old, _), (one, _) in zip(pairs, pseudonyms, strict=True) if one not in known]
    if unknown:
        raise terms.error(DataError, "registers.error_link_unknown", numbers="、".join(unknown[:10]))
    rows = journal.rows("workers", root=root)
    both = []
    for (old, new), (one, other) in zip(pairs, pseudonyms, strict=True):
        first, second = rows[rows["worker_id"] == one], rows[rows["worker_id"] == other]
        joint = first.merge(second, on=CELL, suffixes=("", "_new"))
        open_end = pd.Timestamp.max
        meet = (joint["entered"] < joint["left_new"].fillna(open_end)) & (
            joint["entered_new"] < joint["left"].fillna(open_end)
        )
        if meet.any():
            both.append(f"{mask(old)} → {mask(new)}")
    if both:
        raise terms.error(DataError, "registers.error_link_overlap", pairs="、".join(both[:10]))


def rekey(files: Iterable[Path | str], *, root: Path | None = None) -> int:
    """Give everybody a pseudonym by this computer's key, from the original files, in everything that is kept.

    Returns:
        How many imports were written anew.

    Raises:
        DataError: an original is not among the files, or no longer gives the rows that it gave.
    """
    from institute_lib.registers.importing import reread

    key, folder = load_key(), journal.folder(root)
    originals = {hashlib.sha256(Path(file).read_bytes()).hexdigest(): Path(file) for file in files}
    with store.writing(folder):
        every = journal.entries(root)
        personal = [entry for entry in every if entry.kind == "import" and entry.key_id is not None]
        lacking = {
            file["name"] for entry in personal for file in entry.body["files"] if file["sha256"] not in originals
        }
        if lacking:
            raise terms.error(DataError, "registers.error_originals", names="、".join(sorted(lacking)))
        newer: dict[str, str] = {}
        known: set[str] = set()
        for entry in personal:
            paths = list(dict.fromkeys(originals[file["sha256"]] for file in entry.body["files"]))
            kept = journal.read_file(folder / entry.file)
            again, lines = reread(entry, paths)
            known |= lines
            column = journal.PERSONS[entry.table][0]
            if len(again) > len(kept):
                raise terms.error(DataError, "registers.error_reread", number=entry.number)
            newer |= dict(zip(kept[column].head(len(again)), again[column], strict=True))
        unknown = _rewrite(folder, every, newer, key, None)
        if unknown:
            raise terms.error(DataError, "registers.error_reread", number="、".join(map(str, sorted(unknown))))
        digests.replace(known)
        journal.log(folder, "rekey", key_id=key.id)
    return len(personal)


def _rewrite(
    folder: Path, every: tuple[Entry, ...], newer: dict[str, str] | None, key: Key | None, keep: Any
) -> set[int]:
    """Write every kept file of persons anew, and the journal that names them, by one rename.

    Returns:
        Imports with a person whom `newer` does not know; then nothing was written.
    """
    number = store.next_number(folder)
    files: dict[str, pd.DataFrame | dict] = {}
    lines: list[dict[str, Any]] = []
    unknown: set[int] = set()
    for entry in every:
        line = entry.to_dict()
        if entry.kind == "import":
            kept = journal.read_file(folder / entry.file)
            rows = keep(kept, entry) if newer is None else kept.copy()
            if newer is not None and entry.key_id is not None:
                for column in journal.PERSONS[entry.table]:
                    renamed = rows[column].map(newer)
                    unknown |= {entry.number} if (renamed.isna() & rows[column].notna()).any() else set()
                    rows[column] = renamed.astype("str")
                line["key_id"] = key.id
            counts = rows[CELL].value_counts()
            line["parts"] = [
                [part.cell, int(counts.get(part.cell, 0)), part.mode]
                for part in entry.parts
                if part.cell in counts or not part.rows or newer is not None
            ]
            line["file"] = store.file_of(entry.table, entry.number, f"{number}.parquet")
            rows.attrs = {"key_id": line["key_id"]}
            files[line["file"]] = rows
            told = (folder / entry.file).with_suffix(".json")
            if told.is_file():
                report = json.loads(told.read_text(encoding="utf-8")) | {"key_id": line["key_id"]}
                files[store.file_of(entry.table, entry.number, f"{number}.json")] = report
        elif newer is not None and entry.kind == "missing":
            line["persons"] = [newer[one] for one in entry.body["persons"] if one in newer]
        elif newer is not None and entry.kind == "link":
            line["pairs"] = [[newer[old], newer[new]] for old, new in entry.body["pairs"] if {old, new} <= set(newer)]
            line["key_id"] = key.id
        lines.append(line)
    if unknown:
        return unknown
    lines.append(store.line("rekey" if newer is not None else "forget", number))
    store.commit(folder, lines, files, anew=True)
    store.sweep(folder)
    return set()


def forget(
    path: Path | str | None = None, *, quarter: str | None = None, keep: bool = True, root: Path | None = None
) -> int:
    """Remove persons (a file of identity numbers) or everything that describes a quarter, from all that is kept.

    Rows of undone imports go too; nothing of it can be brought back. What was run or released before is not touched.

    Args:
        path: a workbook or CSV file with one identity number a row; a name beside it is forgotten too.
        quarter: such as 2019Q4.
        keep: False to count only.

    Returns:
        How many rows go.

    Raises:
        DataError: nobody and nothing of it is kept.
    """
    folder = journal.folder(root)
    key = load_key() if path else None
    numbers = [number for _, row in _numbers(path) for number in row if number] if path else []
    with store.writing(folder):
        every = journal.entries(root)
        persons = {key.pseudonym(number) for number in numbers} if key else set()
        for entry in every:
            if entry.kind == "link":
                persons |= {one for pair in entry.body["pairs"] if persons & set(pair) for one in pair}
        gone = 0

        def rest(frame: pd.DataFrame, entry: Entry) -> pd.DataFrame:
            nonlocal gone
            go = pd.Series(False, frame.index)
            for column in journal.PERSONS.get(entry.table, ()):
                go |= frame[column].isin(persons)
            if quarter:
                go |= frame[CELL].map({cell: _is_of(entry.table, cell, quarter) for cell in frame[CELL].unique()})
            gone += int(go.sum())
            return frame[~go.astype(bool)]

        for entry in every:
            if entry.kind == "import":
                rest(journal.read_file(folder / entry.file), entry)
        if not gone:
            raise terms.error(DataError, "registers.error_nothing_to_forget")
        total = gone
        if keep:
            cleaned = [_without(entry, persons) for entry in every]
            _rewrite(folder, tuple(cleaned), None, key, rest)
            if key:
                digests.drop(digests.lines(key, (), numbers))
            journal.log(folder, "forget", rows=total, quarter=quarter or "")
    return total


def _is_of(table: str, cell: str, quarter: str) -> bool:
    described = cell.split(" ")[1] if " " in cell else ""
    return (journal.quarter_of_state(described) if table in journal.STATES else described) == quarter


def _without(entry: Entry, persons: set[str]) -> Entry:
    """An answer or a link without some persons."""
    if entry.kind not in ("missing", "link") or not persons:
        return entry
    body = dict(entry.body)
    if entry.kind == "missing":
        body["persons"] = [one for one in body["persons"] if one not in persons]
    else:
        body["pairs"] = [pair for pair in body["pairs"] if not persons & set(pair)]
    own_names = {name: getattr(entry, name) for name in ("number", "kind", "when", "by", "table", "file", "key_id")}
    return Entry(**own_names, parts=entry.parts, columns=entry.columns, body=body)
