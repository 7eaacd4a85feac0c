"""What the institute has taught: words of its offices, and the answers that come back in a marked workbook.

The words lie in `data/registers/words.csv`, a table that the institute owns and may edit in any spreadsheet program:
list, word, meaning, day. A list is one of `headers.toml`'s levels, `district`, or `text` for a text that may stay as it
is although a name or a place stands in it.
"""

import csv
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from institute_lib import paths, terms
from institute_lib.errors import DataError
from institute_lib.registers import values, vocabulary
from institute_lib.registers.personal import count_personal
from institute_lib.registers.reading import Sheet
from institute_lib.registers.report import MARK, Answer, Problem

COLUMNS = ("list", "word", "meaning", "day")
KEPT = "kept"  # the meaning of a text that may stay
OWN_SHEETS = {"findings": "核对结果", "words": "生词", "options": "核对选项"}
TEMPLATE_SHEETS = {"guide": "填表说明", "options": "填表选项"}
CONFIRMED = "确认无误"
TOKEN, WORD = "编号", "写法"  # headers by which the answers are found again
DIGITS = 12


def words_file() -> Path:
    return paths.registers() / "words.csv"


def taught() -> dict[tuple[str, str], str]:
    """What was taught: (list, word) to its meaning.

    Raises:
        DataError: a line names no list, or a meaning that the list does not have.
    """
    path = words_file()
    if not path.is_file():
        return {}
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except UnicodeDecodeError:
        rows = list(csv.DictReader(path.read_text(encoding="gb18030").splitlines()))
    known = {}
    for number, row in enumerate(rows, start=2):
        answer = Answer(*((row.get(column) or "").strip() for column in COLUMNS[:3]))
        if not _is_sound(answer):
            raise terms.error(DataError, "registers.error_words", path=path, number=number, word=answer.word)
        known[answer.list, vocabulary.normal(answer.word)] = answer.meaning
    return known


def _is_sound(answer: Answer) -> bool:
    if answer.list == "text":
        return bool(answer.word) and answer.meaning == KEPT
    if answer.list == "district":
        return answer.meaning.isdigit() and len(answer.meaning) == 6
    return vocabulary.is_level_list(answer.list) and answer.meaning in vocabulary.declared()["levels"][answer.list]


def teach(answers: Iterable[Answer]) -> int:
    """Keep answers beside those that are there; the last one for a word holds. Returns how many are new.

    Nothing is kept that holds a person's number.

    Raises:
        DataError: the file cannot be written, for it is open in another program.
    """
    before = taught()
    new = {
        (one.list, vocabulary.normal(one.word)): one.meaning
        for one in answers
        if _is_sound(one) and not count_personal(one.word)
    }
    new = {key: meaning for key, meaning in new.items() if before.get(key) != meaning}
    if not new:
        return 0
    path, today = words_file(), date.today().isoformat()
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows([*key, meaning, today] for key, meaning in sorted((before | new).items()))
        partial.replace(path)
    except OSError as error:
        raise terms.error(DataError, "registers.error_words_locked", path=path, why=error.strerror or "") from None
    return len(new)


def is_own(sheet: Sheet) -> bool:
    """Whether a sheet is one that the workbench wrote: findings, words, the guide of a template."""
    first = next((str(cell) for row in sheet.rows[:1] for cell in row if cell not in ("", None)), "")
    return first.startswith((MARK, f"【{TEMPLATE_SHEETS['guide']}】"))


def is_own_hidden(name: str) -> bool:
    return name in (OWN_SHEETS["options"], TEMPLATE_SHEETS["options"])


def read(sheets: Iterable[Sheet]) -> tuple[list[Answer], set[str]]:
    """The words explained and the questions confirmed in the sheets that `is_own`."""
    answers: list[Answer] = []
    confirmed: set[str] = set()
    for sheet in sheets:
        head = next((at for at, row in enumerate(sheet.rows[:5]) if TOKEN in map(str, row)), None)
        if head is None:
            continue
        columns = {str(text): at for at, text in enumerate(sheet.rows[head])}
        for row in sheet.rows[head + 1 :]:
            cells = {name: str(row[at]).strip() if at < len(row) else "" for name, at in columns.items()}
            token = cells[TOKEN]
            if WORD in cells:
                answers += _explained(token, cells)
            elif any(cell == CONFIRMED for cell in cells.values()):
                confirmed.add(token)
    return answers, confirmed


def _explained(list_name: str, cells: Mapping[str, str]) -> list[Answer]:
    """The meaning that was chosen for a word, by its label or its code."""
    chosen = list(cells.values())[-2]
    meaning = next((code for code, label in options(list_name) if chosen in (label, code)), None)
    word = cells[WORD]
    return [Answer(list_name, word, meaning)] if meaning and word else []


def options(list_name: str) -> list[tuple[str, str]]:
    """What a word of a list may mean: code and label."""
    if list_name == "text":
        return [(KEPT, "机构登记的名称就是这样，可以保存")]
    if list_name == "district":
        from institute_lib import areas
        from institute_lib.registers.districts import CITY

        zones = [code for code in vocabulary.declared()["districts"] if code != CITY]
        codes = dict.fromkeys([*(area.code for area in areas.districts(CITY)), *zones])
        return [(code, areas.get(code).name_zh) for code in codes]
    return [(code, words[0]) for code, words in vocabulary.declared()["levels"][list_name].items()]


def with_tokens(problems: Sequence[Problem], sheets: Mapping[tuple[str, str | None], Sheet]) -> list[Problem]:
    """The problems with the token of each: it stays the same as long as the rows that are asked about do."""
    from dataclasses import replace

    found = []
    for problem in problems:
        sheet = sheets.get((problem.file, problem.sheet))
        numbers = problem.rows or ((problem.row,) if problem.row else ())
        content = [_content(sheet.rows[number - 1]) for number in numbers if sheet and number <= len(sheet.rows)]
        told = repr((problem.rule, problem.column, problem.detail, content))
        found.append(replace(problem, token=hashlib.sha256(told.encode()).hexdigest()[:DIGITS]))
    return found


def _content(row: Sequence[Any]) -> list[str]:
    """A row's cells as they are however a program has saved them."""
    cells = [_same(cell) for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _same(cell: Any) -> str:
    if isinstance(cell, datetime) and not (cell.hour or cell.minute):
        return cell.date().isoformat()
    return "" if cell is None else values.written(cell).strip()
