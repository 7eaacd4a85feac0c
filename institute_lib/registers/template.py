"""Empty workbooks to fill in: headers with units, drop-down lists, text format for numbers of persons, a guide.

What is filled in and saved is imported without a question: the words of the lists are those that import knows, the day
stands in the title, the example row and the guide are passed over.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.errors import ParameterError
from institute_lib.registers import answers, vocabulary
from institute_lib.registers.report import EXAMPLE
from institute_lib.registers.vocabulary import Column
from institute_lib.registers.workbook import column_letters

ROWS = 20_000  # that have drop-down lists
DATED = ("workers", "stations")  # tables that describe a day
UNITS = {
    "yuan_month": "元/月",
    "yuan": "元",
    "person": "人",
    "post": "个",
    "school": "所",
    "hour": "学时",
    "degree": "度",
}
EXAMPLES = {
    "name": "王小明",
    "identity": "18位证件号",
    "district": "崇川区",
    "day": date(2024, 11, 8),
    "text": "某某社工站",
    "code": "A001",
    "quarter": "2025Q4",
    "share": 0.75,
    "town": "和平桥街道",
    "subjects": "综合能力、实务",
    "amount": 3,
}
OF_COLUMNS = {"monthly_pay": 5300, "subsidy": 200, "amount": 425_000, "x": 120.86, "y": 32.01}
TITLE_ROW, HEADER_ROW = 0, 1


def write(to: Path, tables: Sequence[str] = (), *, quarter: str | None = None) -> Path:
    """Write one workbook with a sheet for each table (all of them, if none is named) and a guide in front.

    Args:
        to: the file, which must not be there.
        tables: of `vocabulary.tables()`.
        quarter: whose last day the states describe; None for the quarter that closed last.

    Raises:
        ParameterError: no such table, or the file is there already.
    """
    import xlsxwriter

    tables = tuple(tables) or vocabulary.tables()
    columns = {table: _ordered(vocabulary.columns(table)) for table in tables}
    if to.exists():
        raise terms.error(ParameterError, "registers.error_template_exists", path=to)
    book = xlsxwriter.Workbook(str(to))
    looks = _looks(book)
    _guide(book.add_worksheet(answers.TEMPLATE_SHEETS["guide"]), columns, looks)
    lists = list(dict.fromkeys(_list_of(column) for every in columns.values() for column in every if _list_of(column)))
    sources = _options(book, lists)
    for table, every in columns.items():
        sheet = book.add_worksheet(terms.label(table, "zh", column="table"))
        _sheet(sheet, _title(table, quarter), every, sources, looks)
    book.get_worksheet_by_name(answers.TEMPLATE_SHEETS["options"]).hide()
    book.close()
    return to


def _ordered(columns: Sequence[Column]) -> list[Column]:
    return sorted(columns, key=lambda column: not column.required)


def _list_of(column: Column) -> str | None:
    """The list that a column's drop-down shows, if it has one."""
    if column.type in ("district", "town") or vocabulary.is_level_list(column.type):
        return column.type
    return None


def _looks(book: Any) -> dict[str, Any]:
    """Formats by the type of a column, and of headers, titles and examples."""
    head = {"bold": True, "border": 1, "text_wrap": True, "valign": "vcenter"}
    return {
        "title": book.add_format({"bold": True, "font_size": 14}),
        "required": book.add_format({**head, "bg_color": "#DDEBF7"}),
        "optional": book.add_format({**head, "bg_color": "#F2F2F2"}),
        "wrapped": book.add_format({"text_wrap": True, "valign": "top", "num_format": "@"}),
        "text": book.add_format({"num_format": "@"}),
        "day": book.add_format({"num_format": "yyyy-mm-dd"}),
        "share": book.add_format({"num_format": "0%"}),
        "number": book.add_format({"num_format": "General"}),
        "example": book.add_format({"italic": True, "font_color": "#7F7F7F", "num_format": "@"}),
        "example_day": book.add_format({"italic": True, "font_color": "#7F7F7F", "num_format": "yyyy-mm-dd"}),
    }


def _options(book: Any, lists: Sequence[str]) -> dict[str, str]:
    """A hidden sheet with the options of each list in a column; returns the formula of each."""
    name = answers.TEMPLATE_SHEETS["options"]
    sheet, sources = book.add_worksheet(name), {}
    for at, one in enumerate(lists):
        labels = _towns() if one == "town" else [label for _, label in answers.options(one)]
        sheet.write_column(0, at, labels)
        letters = column_letters(at + 1)
        sources[one] = f"={name}!${letters}$1:${letters}${len(labels)}"
    return sources


def _towns() -> list[str]:
    from institute_lib import areas
    from institute_lib.registers.districts import CITY

    return list(dict.fromkeys(areas.towns(CITY)["name"]))


def header(column: Column) -> str:
    """A column's header with its unit."""
    unit = UNITS.get(column.unit)
    return f"{column.headers[0]}（{unit}）" if unit else column.headers[0]


def _title(table: str, quarter: str | None) -> str:
    name = terms.label(table, "zh", column="table")
    if table not in DATED:
        return name
    period = pd.Period(quarter, freq="Q") if quarter else pd.Timestamp.now().to_period("Q") - 1
    return f"{name}（截至{period.end_time:%Y}年{period.end_time.month}月{period.end_time.day}日）"


def _sheet(sheet: Any, title: str, columns: Sequence[Column], sources: dict[str, str], looks: dict[str, Any]) -> None:
    sheet.write_string(TITLE_ROW, 0, title, looks["title"])
    sheet.freeze_panes(HEADER_ROW + 1, 1)
    for at, column in enumerate(columns):
        kind = "required" if column.required else "optional"
        sheet.write_string(HEADER_ROW, at, header(column), looks[kind])
        sheet.set_column(at, at, 22 if column.type in ("identity", "text") else 14, looks[_look_of(column)])
        _write_example(sheet, at, column, looks)
        rule = _validation(column, sources)
        if rule:
            sheet.data_validation(HEADER_ROW + 1, at, HEADER_ROW + ROWS, at, rule)


def _look_of(column: Column) -> str:
    return {"day": "day", "share": "share", "amount": "number"}.get(column.type, "text")


def _write_example(sheet: Any, at: int, column: Column, looks: dict[str, Any]) -> None:
    value = EXAMPLES.get(column.type)
    if vocabulary.is_level_list(column.type):
        value = answers.options(column.type)[0][1]
    if column.name in ("left", "closed", "leave_reason", "village"):
        return
    value = OF_COLUMNS.get(column.name, value)
    if at == 0:
        sheet.write_string(HEADER_ROW + 1, at, f"{EXAMPLE}{value}", looks["example"])
    elif isinstance(value, date):
        sheet.write_datetime(HEADER_ROW + 1, at, value, looks["example_day"])
    else:
        sheet.write(HEADER_ROW + 1, at, value, looks["share"] if column.type == "share" else looks["example"])


def _validation(column: Column, sources: dict[str, str]) -> dict[str, Any] | None:
    """What a spreadsheet program lets a person type into a column."""
    common = {"ignore_blank": True, "error_title": column.headers[0], "error_message": _hint(column)}
    if _list_of(column):
        return {"validate": "list", "source": sources[_list_of(column)], **common}
    if column.type == "day":
        return {"validate": "date", "criteria": ">=", "value": date(1950, 1, 1), **common}
    if column.type == "amount":
        return {"validate": "decimal", "criteria": ">=", "value": 0, **common}
    if column.type == "share":
        return {"validate": "decimal", "criteria": "between", "minimum": 0, "maximum": 1, **common}
    return None


def _hint(column: Column) -> str:
    if vocabulary.is_level_list(column.type):
        return terms.text("registers.type_choice", "zh")
    return terms.text(f"registers.type_{column.type}", "zh")


def _guide(sheet: Any, columns: dict[str, list[Column]], looks: dict[str, Any]) -> None:
    """The sheet in front: what to do, and for each column what to write."""
    texts = [terms.text(f"registers.guide_{number}", "zh") for number in range(1, 7)]
    title = f"【{answers.TEMPLATE_SHEETS['guide']}】{terms.text('registers.guide_title', 'zh')}"
    sheet.write_string(0, 0, title, looks["title"])
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 8)
    sheet.set_column(2, 2, 40)
    sheet.set_column(3, 3, 70)
    for row, text in enumerate(texts, start=1):
        sheet.write_string(row, 0, f"{row}. {text}")
    row = len(texts) + 2
    for table, every in columns.items():
        sheet.write_string(row, 0, terms.label(table, "zh", column="table"), looks["title"])
        heads = [terms.text(f"registers.guide_{name}", "zh") for name in ("header", "required", "how", "choices")]
        for at, text in enumerate(heads):
            sheet.write_string(row + 1, at, text, looks["required"])
        for number, column in enumerate(every, start=row + 2):
            is_level = vocabulary.is_level_list(column.type)
            choices = "、".join(label for _, label in answers.options(column.type)) if is_level else ""
            cells = [header(column), "是" if column.required else "", _hint(column), choices]
            for at, text in enumerate(cells):
                sheet.write_string(number, at, text, looks["wrapped"])
        row += len(every) + 3
