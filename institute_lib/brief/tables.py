"""All tables of a brief as one .xlsx: a first sheet with titles, notes and sources, then one sheet a table."""

import io
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from institute_lib import terms

LONGEST_NAME = 31  # characters of a sheet's name
FORBIDDEN = re.compile(r"[\[\]:*?/\\']")
FIGURE = re.compile(r"(-?)(\d+|\d{1,3}(?:,\d{3})+)(\.\d+)?(%?)")
CONTENTS_WIDTHS = (10, 44, 70, 60)
LINE = 15  # points
NARROW, WIDE = 9, 40  # columns of a table, in characters
WRITTEN = datetime(2000, 1, 1)  # the same brief gives the same bytes


def figure(text: str) -> tuple[float, str] | None:
    """A shown figure as a number and its number format; None for a bound, a dash or words.

    >>> figure("12.3%"), figure("3,840"), figure("<10")
    ((0.123, '0.0%'), (3840.0, '#,##0'), None)
    """
    found = FIGURE.fullmatch(text.replace("−", "-"))
    if not found:
        return None
    sign, whole, decimals, percent = found.groups(default="")
    value = float(f"{sign}{whole.replace(',', '')}{decimals}" + ("e-2" if percent else ""))
    style = ("#,##0" if "," in whole else "0") + re.sub(r"\d", "0", decimals) + percent
    return value, style


def workbook(head: Mapping[str, Any], blocks: Sequence[Mapping[str, Any]], language: str) -> bytes:
    """The bytes of the workbook.

    Args:
        head: of `page.head`: title, where, marks.
        blocks: of `page.body`; its charts and tables become sheets.
    """
    import xlsxwriter

    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        book.set_properties({"title": head["page_title"], "created": WRITTEN})
        styles = _Styles(book)
        marks = " · ".join(mark["text"] for mark in head["marks"])
        shown = [block for block in blocks if "table" in block]
        names = [FORBIDDEN.sub(" ", f"{one['number']} {one['title']}")[:LONGEST_NAME].strip() for one in shown]
        first = book.add_worksheet(terms.text("brief.contents", language))
        for column, width in enumerate(CONTENTS_WIDTHS):
            first.set_column(column, column, width)
        _paper(first, 3)
        first.write_string(0, 0, head["title"], styles(bold=True, font_size=14))
        first.write_string(1, 0, " · ".join(filter(None, (head["where"], marks))))
        for column, key in enumerate(("number", "title", "notes", "source")):
            first.write_string(3, column, terms.text(f"brief.column_{key}", language), styles(bold=True, bottom=1))
        link = styles(valign="top", underline=1, font_color="#0f4c81")
        wrapped = styles(text_wrap=True, valign="top")
        for row, (block, name) in enumerate(zip(shown, names, strict=True), start=4):
            first.write_url(row, 0, f"internal:'{name}'!A1", link, block["number"])
            for column, text in enumerate((block["title"], _notes(block), block["source"]), start=1):
                first.write_string(row, column, text, wrapped)
            lines = [1 + _width(one) // CONTENTS_WIDTHS[2] for one in _notes(block).split("\n")]
            first.set_row(row, LINE * sum(lines))  # not every program fits a row to its text
            _sheet(book.add_worksheet(name), block, marks, styles)
    return file.getvalue()


def _notes(block: Mapping[str, Any]) -> str:
    """The finding of a chart, and the lines under it."""
    return "\n".join([*([block["alt"]] if "alt" in block else []), *block["notes"]])


def _sheet(sheet: Any, block: Mapping[str, Any], marks: str, styles: "_Styles") -> None:
    """Title, header row, figures as numbers in their format; then marks, notes and the source."""
    columns, rows = block["table"]["columns"], block["table"]["rows"]
    sheet.write_string(0, 0, f"{block['number']}　{block['title']}", styles(bold=True))
    for at, column in enumerate(columns):
        texts = [row[at] for row in rows]
        width = max((_width(text) for text in (column["label"], *texts)), default=0)
        sheet.set_column(at, at, min(max(width + 1, NARROW), WIDE))
        head = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}
        sheet.write_string(1, at, column["label"], styles(**head, align="right" if column["numeric"] else "left"))
        for row, text in enumerate(texts, start=2):
            known = figure(text) if column["numeric"] else None
            if known:
                sheet.write_number(row, at, known[0], styles(num_format=known[1]))
            else:
                sheet.write_string(row, at, text, styles(align="right" if column["numeric"] else "left"))
    sheet.freeze_panes(2, 0)
    _paper(sheet, 1)
    sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})  # keys such as a code or a year are texts
    for row, text in enumerate(filter(None, (marks, *_notes(block).split("\n"), block["source"])), len(rows) + 3):
        sheet.write_string(row, 0, text)


def _paper(sheet: Any, header: int) -> None:
    """A4 across, as wide as the page, the header row on each."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(header)


def _width(text: str) -> int:
    return sum(2 if ord(letter) > 0x2E80 else 1 for letter in text)


class _Styles:
    """A workbook's formats, each made once."""

    def __init__(self, book: Any) -> None:
        self.book, self.known = book, {}

    def __call__(self, **style: Any) -> Any:
        key = tuple(sorted(style.items()))
        if key not in self.known:
            self.known[key] = self.book.add_format(style)
        return self.known[key]
