"""Templates filled in by script, as a person fills them in: from the drop-down lists. Nobody in them exists."""

from datetime import date, timedelta
from pathlib import Path

import openpyxl

from institute_lib import terms
from institute_lib.registers import answers, template, vocabulary
from tests.offices import number

FIRST_ROW = 4  # below the title, the header and the example
DISTRICTS = ["崇川区", "通州区", "海门区", "如东县", "启东市", "如皋市", "海安市"]
FIELDS = [label for _, label in answers.options("field")]


def fill(path: Path, table: str, *, rows: int) -> Path:
    """Fill a table of a template with so many rows, in its own place."""
    book = openpyxl.load_workbook(path)
    sheet = book[terms.label(table, "zh", column="table")]
    heads = {cell.value: cell.column for cell in sheet[2]}
    columns = {template.header(column): column for column in vocabulary.columns(table)}
    for at in range(rows):
        for header, place in heads.items():
            value = _cell(table, columns[header], at)
            if value is not None:
                sheet.cell(FIRST_ROW + at, place, value)
    book.save(path)
    return path


def _cell(table: str, column: vocabulary.Column, at: int) -> object:
    """What stands in one cell of the row."""
    own = {
        ("services", "district"): DISTRICTS[at // 90 % 7],
        ("services", "field"): FIELDS[at % 9],
        ("services", "quarter"): f"{2020 + at // 9 % 10 // 4}Q{at // 9 % 10 % 4 + 1}",
        ("stations", "name"): f"虚构{at}号社工站",
        ("workers", "left"): None,
        ("workers", "leave_reason"): None,
        ("stations", "closed"): None,
        ("stations", "town"): None,
        ("stations", "village"): None,
        ("workers", "gender"): "男" if int(number(at % 900, birth=_birth(at))[16]) % 2 else "女",
        ("exams", "subjects_failed"): None,
        ("stations", "posts_filled"): 2,
        ("stations", "x"): 120.5 + at / 10_000,
        ("stations", "y"): 32.0 + at / 10_000,
        ("workers", "monthly_pay"): 5_000 + at,
        ("workers", "subsidy"): 200,
        ("procurement", "amount"): 100_000 + at,
        ("services", "outcome_numerator"): 10,
        ("services", "outcome_denominator"): 20,
        ("services", "schools_covered"): 1,
        ("services", "schools"): 2,
    }
    if (table, column.name) in own:
        return own[table, column.name]
    by_type = {
        "name": f"甄{chr(0x5000 + at)}",
        "identity": number(at % 900, birth=_birth(at)),
        "district": DISTRICTS[at % 7],
        "day": date(2019, 1, 1) + timedelta(days=at),
        "text": f"虚构{at % 9}号站",
        "code": f"A{at:05d}",
        "share": 0.5,
        "amount": 3,
    }
    if vocabulary.is_level_list(column.type):
        labels = [label for _, label in answers.options(column.type)]
        return labels[0] if column.type == "flag" else labels[at % len(labels)]
    return by_type[column.type]


def _birth(at: int) -> str:
    return f"{date(1985, 1, 1) + timedelta(days=at):%Y%m%d}"
