"""A brief as files of an office: all its tables as one workbook, and the whole as a Word document."""

import base64
import html
import io
import re
from pathlib import Path

import nbformat
import openpyxl
import pandas as pd
import pytest

from institute_lib import brief, charts, disclosure
from institute_lib.brief import tables
from institute_lib.brief.blocks import OPENING
from institute_lib.release import scan
from institute_lib.result import Measure, Provenance, Result
from institute_lib.sharing import Read

NEW = nbformat.v4
DEMO = Provenance([Read("tables", "workers", "2025-12-31", source="demo", personal=True)])


def staff(title: str = "Staff by district") -> disclosure.Protected:
    """A protected table: 1,200 in one district, 40 in another, 3 in a third, which reads "<10"."""
    frame = pd.DataFrame({"district": ["320612", "320613", "320614"], "persons": [1200, 40, 3]})
    return disclosure.protected(
        Result(frame, ("district",), (Measure("persons", "count"),), "persons", DEMO, title=title), language="en"
    )


def executed(*shown: object, markdown: tuple[str, ...] = ()) -> nbformat.NotebookNode:
    """An executed notebook: the opening that a study leaves, markdown, and things shown."""
    opening = {"title": "Staff", "question": "Who works here?", "findings": ["Most are agents.", "Few are students."]}
    opening |= {"area": "Chongchuan", "area_code": "320613", "quarter": "2025Q4", "as_of": "2025-12-31"}
    opening |= {"language": "en", "demo": True, "mark": "internal"}
    cells = [NEW.new_markdown_cell(text) for text in markdown]
    for one in ({OPENING: opening}, *shown):
        data = one if isinstance(one, dict) else one._repr_mimebundle_()
        cells.append(NEW.new_code_cell("code()", outputs=[NEW.new_output("display_data", data=data)]))
    return NEW.new_notebook(cells=cells)


def page(folder: Path, *shown: object) -> str:
    return brief.export(executed(*shown), folder / "brief.html", language="en").read_text(encoding="utf-8")


def chart() -> charts.Chart:
    return charts.draw_bars(staff(), language="en")


def workbook(page: str) -> openpyxl.Workbook:
    """The workbook that stands in a page."""
    (encoded,) = re.findall(r'href="data:application/vnd\.openxml[^;]+;base64,([^"]+)"', html.unescape(page))
    return openpyxl.load_workbook(io.BytesIO(base64.b64decode(encoded)))


@pytest.mark.parametrize(
    ("text", "number", "style"),
    [
        ("12.3%", 0.123, "0.0%"),
        ("−3.0", -3.0, "0.0"),
        ("3,840", 3840, "#,##0"),
        ("31,110.50", 31110.5, "#,##0.00"),
        ("0", 0, "0"),
    ],
)
def test_a_shown_figure_becomes_a_number_in_its_own_format(text, number, style):
    assert tables.figure(text) == (pytest.approx(number), style)


@pytest.mark.parametrize("text", ["<10", "≥90.0%", "—", "基本持平", "＊", "2025年四季度", "1,2", "5—8", "", "=1+1"])
def test_bounds_dashes_and_words_stay_text(text):
    assert tables.figure(text) is None


def test_the_workbook_of_a_page_holds_every_chart_and_table_behind_its_contents(tmp_path):
    book = workbook(page(tmp_path, chart(), staff("Again")))
    first = book.worksheets[0]
    assert [one.title for one in book.worksheets] == ["Contents", "Figure 1 Staff by district", "Table 1 Again"]
    assert first["A2"].value.endswith("Demonstration data · Internal")
    assert [first.cell(4, column).value for column in range(1, 5)] == ["Number", "Title", "Finding and notes", "Source"]
    assert first["A5"].hyperlink.location == "'Figure 1 Staff by district'!A1"
    for sheet, row in zip(book.worksheets[1:], (5, 6), strict=True):
        assert sheet["A1"].value.endswith(first.cell(row, 2).value)
        assert {"Demonstration data · Internal", first.cell(row, 4).value} <= {cell.value for cell in sheet["A"]}


def test_cells_of_the_workbook_are_numbers_and_a_bound_stays_text(tmp_path):
    sheet = workbook(page(tmp_path, staff())).worksheets[1]
    cells = [sheet.cell(row, 2) for row in (3, 4, 5)]
    assert [one.value for one in cells] == [1200, 40, "<10"]
    assert cells[0].number_format == "#,##0"


def test_a_page_without_a_table_offers_no_workbook(tmp_path):
    assert ".xlsx" not in page(tmp_path)


def test_the_scan_before_a_release_looks_into_the_workbook_of_a_page(tmp_path):
    number = "32061319900307211" + "5"
    block = {
        "number": "1",
        "title": "t",
        "alt": number,
        "notes": [],
        "source": "",
        "table": {"columns": [], "rows": []},
    }
    block["table"] = {"columns": [], "rows": []}
    made = tables.workbook({"title": "t", "page_title": "t", "where": "", "marks": []}, [block], "zh")
    path = tmp_path / "page.html"
    path.write_text(f'<a href="data:application/xlsx;base64,{base64.b64encode(made).decode()}">t</a>')
    assert "identity" in {one.rule for one in scan(path)}
