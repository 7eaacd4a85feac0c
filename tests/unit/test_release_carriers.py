"""More kinds of personal data and of ordinary content (`cases/leaks_kinds.json`), and the files that carry them."""

import base64
import io
import json
from pathlib import Path

import docx
import openpyxl
import pytest
from openpyxl.comments import Comment

from institute_lib import registers
from institute_lib.registers import digests
from institute_lib.release import names, scan

KINDS = json.loads((Path(__file__).parents[1] / "cases" / "leaks_kinds.json").read_text(encoding="utf-8"))
NUMBER = "320684197511230025"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module", autouse=True)
def register(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTITUTE_KEY_FILE", str(tmp_path_factory.mktemp("keys") / "pseudonym.key"))
        registers.new_key()
        people = ["陆怡婷", "司徒浩宇", "瞿敏", "茅建国", "单玉兰"]
        digests.add(registers.load_key(), people, [NUMBER])
        names.known.cache_clear()
        yield
    names.known.cache_clear()


@pytest.mark.parametrize("kind", KINDS["held"])
def test_each_kind_in_a_page_is_held(tmp_path, kind):
    (tmp_path / "brief.html").write_text(f"<meta charset=utf-8>{KINDS['held'][kind]}", encoding="utf-8")
    assert scan(tmp_path / "brief.html")


@pytest.mark.parametrize("kind", KINDS["pass"])
def test_ordinary_content_of_a_page_passes_without_a_question(tmp_path, kind):
    (tmp_path / "brief.html").write_text(f"<meta charset=utf-8>{KINDS['pass'][kind]}", encoding="utf-8")
    assert scan(tmp_path / "brief.html") == []


def workbook(tmp_path, change=lambda book: None) -> Path:
    book = openpyxl.Workbook()
    for row in (["项目", "金额（元）"], ["购买服务", 13812345678], ["培训", 4560000]):
        book.active.append(row)
    change(book)
    book.save(tmp_path / "tables.xlsx")
    return tmp_path / "tables.xlsx"


def hidden_sheet(book):
    book.create_sheet("备查").append([NUMBER])
    book["备查"].sheet_state = "hidden"


def hidden_column(book):
    book.active["F1"] = "茅建国报"
    book.active.column_dimensions["F"].hidden = True


def comment(book):
    book.active["A1"].comment = Comment("打 13812345678 核实", "x")


def creator(book):
    book.properties.creator = "陆怡婷"


def sheet_name(book):
    book.active.title = "陆怡婷"


def number_cell(book):
    book.create_sheet("二").append(["手机", 13812345678])


def one_row_a_person(book):
    rows = [["工号", "月薪"], *([at, 4100 + at * 6113 % 3900] for at in range(30))]
    for row in rows:
        book.active.append(row)
    book.active.delete_rows(1, 3)


@pytest.mark.parametrize(
    "change", [hidden_sheet, hidden_column, comment, creator, sheet_name, number_cell, one_row_a_person]
)
def test_what_a_workbook_carries_is_held_wherever_it_hides(tmp_path, change):
    assert scan(workbook(tmp_path)) == []
    assert scan(workbook(tmp_path, change))


def document(tmp_path, change=lambda document: None) -> Path:
    made = docx.Document()
    made.core_properties.author = "南通市社会工作人才发展研究院"
    made.add_paragraph("2025年四季度，全市在岗3420人，采购金额 13812345678 元。")
    change(made)
    made.save(tmp_path / "brief.docx")
    return tmp_path / "brief.docx"


def runs(document):
    for piece in ("陆", "怡", "婷"):
        document.paragraphs[0].add_run(piece)


def cells(document):
    table = document.add_table(2, 1)
    table.cell(0, 0).text, table.cell(1, 0).text = "手机", "138-1234-5678"


def alt_text(document):
    document.add_picture(io.BytesIO(PIXEL))._inline.docPr.set("descr", "陆怡婷在站里")


def header(document):
    document.sections[0].header.paragraphs[0].text = "填报人：陆怡婷"


def author(document):
    document.core_properties.author = "茅建国"


def remark(document):
    document.add_comment(document.paragraphs[0].runs[0], text="问 13812345678", author="a", initials="a")


@pytest.mark.parametrize("change", [runs, cells, alt_text, header, author, remark])
def test_what_a_document_carries_is_held_wherever_it_hides(tmp_path, change):
    assert scan(document(tmp_path)) == []
    assert scan(document(tmp_path, change))
