"""A brief as files of an office: all its tables as one workbook, and the whole as a Word document."""

import base64
import html
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import kaleido
import nbformat
import openpyxl
import pandas as pd
import pytest
from choreographer.errors import ChromeNotFoundError

from institute_lib import brief, charts, cli, disclosure
from institute_lib.brief import tables
from institute_lib.brief.blocks import OPENING, TILES
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


# Word


@pytest.fixture
def document(tmp_path, monkeypatch) -> Callable[..., Any]:
    """Writes a brief as a Word document, by default where there is no browser, and opens it."""

    def write(*shown: object, browser: bool = False, markdown: tuple[str, ...] = ()) -> Any:
        if not browser:

            def missing(*_: object, **__: object) -> None:
                raise ChromeNotFoundError

            monkeypatch.setattr(kaleido, "Kaleido", missing)
        made = executed(*shown, markdown=markdown)
        return docx.Document(brief.export_word(made, tmp_path / "brief.docx", language="en"))

    return write


def paragraphs(document: Any) -> dict[str, str]:
    """The words of a document's paragraphs, each to its style."""
    return {one.text: one.style.name for one in document.paragraphs if one.text}


def test_the_document_opens_with_title_place_findings_and_headings_in_order(document):
    made = document(staff(), markdown=("## Data\n\nRows **are** spells.\n\n- one\n- two\n\n### Detail\n\nMore.",))
    found = paragraphs(made)
    assert found["Staff"] == "Title"
    assert any(text.startswith("Chongchuan · Q4 2025") for text in found)
    headings = [text for text, style in found.items() if style.startswith("Heading")]
    assert headings == ["Main findings", "Data", "Detail", "Methods and limits"]
    assert found["Detail"] == "Heading 2"
    assert found["one"] == "List Bullet"
    assert {"1. Most are agents.", "2. Few are students.", "Rows are spells."} <= set(found)
    (bold,) = [run.text for one in made.paragraphs if one.text == "Rows are spells." for run in one.runs if run.bold]
    assert bold == "are"


def test_every_page_bears_the_marks_above_and_its_number_below(document):
    section = document(staff()).sections[0]
    assert section.header.paragraphs[0].text.endswith("\tDemonstration data · Internal")
    assert 'w:instr="PAGE"' in section.footer.paragraphs[0]._p.xml


def test_tables_are_real_and_their_header_row_comes_again_on_each_page(document):
    (table,) = document(staff()).tables
    cells = [[cell.text for cell in row.cells] for row in table.rows]
    assert [row[1] for row in cells] == ["Persons", "1,200", "40", "<10"]
    assert "<w:tblHeader/>" in table.rows[0]._tr.xml
    assert "<w:tblHeader/>" not in table.rows[1]._tr.xml
    assert all("<w:cantSplit/>" in row._tr.xml for row in table.rows)


def test_a_chart_that_no_browser_can_draw_leaves_a_line_and_its_table(document):
    made = document(chart())
    assert not made.inline_shapes
    assert len(made.tables) == 1
    assert any("no working Chromium, Chrome or Edge" in text for text in paragraphs(made))


def test_a_chart_is_drawn_by_the_browser_that_is_there_and_says_its_finding_to_who_cannot_see_it(document):
    made = document(chart(), browser=True)
    (picture,) = made.inline_shapes
    assert picture._inline.docPr.get("descr") == chart().alt
    assert not made.tables


def test_a_map_is_drawn_from_its_own_picture_without_a_browser(document):
    drawn = chart()._repr_mimebundle_()
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 40"><rect width="90" height="40" fill="red"/></svg>'
    drawn[charts.CHART_MIME]["svg"] = svg
    (picture,) = document(drawn).inline_shapes
    assert picture.width > 2 * picture.height


def test_a_figure_taller_than_a_page_is_made_to_fit_on_it(document):
    drawn = chart()._repr_mimebundle_()
    drawn[charts.CHART_MIME]["svg"] = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 40"></svg>'
    (picture,) = document(drawn).inline_shapes
    assert picture.height.mm == pytest.approx(190, abs=0.1)
    assert picture.width.mm == pytest.approx(47.5, abs=0.2)


def test_the_one_page_has_its_tiles_its_advice_and_its_districts_as_tables(document):
    tile = {"name": "Turnover", "value": "19.9%", "change": "down 1.0", "standing": "like the city"}
    tile |= {"status": "watch", "status_words": "Watch", "past": [], "past_words": ""}
    place = {"row": 2, "column": 1, "name": "Tongzhou", "value": "19.9%", "standing": "like", "meaning": "alike"}
    content = {"tiles": [tile], "rule": "By rule.", "advice": [{"text": "Look.", "title": "03", "href": ""}]}
    content |= {"missing": ["Nothing came."], "links": [], "map": [place | {"own": True}], "map_title": "Turnover"}
    made = document({TILES: content})
    tiles, districts = made.tables
    assert [cell.text for cell in tiles.rows[1].cells] == ["Turnover", "19.9%", "down 1.0", "like the city", "Watch"]
    assert districts.cell(1, 0).text == "Tongzhou 19.9%\nalike"
    assert {"Look. 03", "Nothing came.", "By rule."} <= set(paragraphs(made))


def test_the_same_notebook_gives_the_same_document(tmp_path):
    first = brief.export_word(executed(staff()), tmp_path / "a.docx", language="en").read_bytes()
    assert brief.export_word(executed(staff()), tmp_path / "b.docx", language="en").read_bytes() == first


def test_the_command_writes_the_document_beside_the_page_which_leads_to_it(tmp_path):
    nbformat.write(executed(staff()), tmp_path / "executed.ipynb")
    assert cli.main(["brief", str(tmp_path / "executed.ipynb"), "--word", "--language", "en"]) == 0
    assert 'href="executed.docx"' in (tmp_path / "executed.html").read_text(encoding="utf-8")
    assert docx.Document(tmp_path / "executed.docx").tables


def test_the_scan_before_a_release_reads_a_document(tmp_path):
    number = "32061319900307211" + "5"
    path = brief.export_word(executed(staff(number)), tmp_path / "brief.docx", language="en")
    assert "identity" in {one.rule for one in scan(path)}
