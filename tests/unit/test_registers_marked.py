"""The answer to a file: the office's own workbook, marked; mended or confirmed, it is handed in again."""

import itertools
import time
import zipfile
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from openpyxl.comments import Comment
from openpyxl.styles import PatternFill

from institute_lib import cli, registers
from institute_lib.registers import answers, marking
from tests.bench import office
from tests.offices import FIRST_SHEET, HEADERS, number, people, person, repack, write_csv, write_workbook

DAY = "2025-12-31"
RED, YELLOW = "FFFFC7CD", "FFFFEB9B"


def check(path, **options):
    return registers.check(path, today="2026-01-01", **options)


def marked(path, to=None, **options):
    """The marked workbook of a file, opened."""
    report = check(path, **options)
    (label,) = report.origins
    return openpyxl.load_workbook(marking.mark(report, label, to or path.with_name("核对.xlsx")))


def colours(sheet):
    return {
        cell.coordinate: cell.fill.fgColor.rgb
        for row in sheet.iter_rows()
        for cell in row
        if cell.fill.fgColor.rgb in (RED, YELLOW)
    }


def faulty(folder, change=None):
    """A workbook with one fault (E3), one word that nobody knows (F4) and one question (G4)."""
    rows = [person(0), person(1, 社工站="乙站 13800138000"), person(2, 级别="持证", 月薪="800000")]
    return write_workbook(folder / "名册.xlsx", rows, change=change)


def test_faulty_cells_are_coloured_and_commented_and_listed_on_a_sheet_in_front(tmp_path):
    book = marked(faulty(tmp_path))
    assert book.sheetnames == ["核对结果", "生词", "核对选项", "Sheet"]
    assert book["核对选项"].sheet_state == "hidden"
    assert colours(book["Sheet"]) == {"E3": RED, "F4": RED, "G4": YELLOW}
    assert book["Sheet"]["E3"].comment.text.startswith("【核对】错误：文字中含有姓名、电话或证件号")
    findings = [[cell.value for cell in row] for row in book["核对结果"].iter_rows(min_row=3)]
    assert [row[:4] for row in findings] == [
        ["错误", "Sheet", "E3", "社工站"],
        ["错误", "Sheet", "F4", "级别"],
        ["提醒", "Sheet", "G4", "月薪"],
    ]
    assert all(row[5] and row[6] for row in findings)
    assert book["核对结果"].auto_filter.ref == "A2:I5"
    assert [cell.hyperlink.location for cell in book["核对结果"]["C"][2:]] == ["'Sheet'!E3", "'Sheet'!F4", "'Sheet'!G4"]


def test_values_formulas_formats_and_the_offices_own_comments_stay_as_they_were(tmp_path):
    def look(book):
        sheet = book.active
        sheet["K2"], sheet["K3"] = "=1+1", date(2020, 1, 2)
        sheet["A2"].fill = PatternFill("solid", fgColor="FF00B050")
        sheet["E3"].comment = Comment("请核实", "经办")
        sheet.column_dimensions["B"].width = 30
        sheet.conditional_formatting.add("G2:G9", openpyxl.formatting.rule.CellIsRule("greaterThan", ["9000"]))
        book.create_sheet("说明")["A1"] = "填表说明"
        book.defined_names["月薪"] = openpyxl.workbook.defined_name.DefinedName("月薪", attr_text="Sheet!$G$2:$G$4")

    path = faulty(tmp_path, look)
    before, after = openpyxl.load_workbook(path), marked(path)
    for name in ("Sheet", "说明"):
        assert list(after[name].values) == list(before[name].values)
    sheet = after["Sheet"]
    assert (sheet["A2"].fill.fgColor.rgb, sheet["K3"].number_format) == (
        "FF00B050",
        before["Sheet"]["K3"].number_format,
    )
    assert sheet["E3"].comment.text == "请核实"
    assert sheet.column_dimensions["B"].width == 30
    assert len(sheet.conditional_formatting) == 1
    assert "月薪" in after.defined_names


def test_the_stored_result_of_a_formula_is_still_there(tmp_path):
    path = faulty(tmp_path, lambda book: book.active.__setitem__("K2", "=1+1"))
    stored = b'<c r="K2"><f>1+1</f><v>2</v></c>'
    repack(path, {FIRST_SHEET: lambda xml: xml.replace(b'<c r="K2"><f>1+1</f><v></v></c>', stored)})
    marked(path)
    with zipfile.ZipFile(tmp_path / "核对.xlsx") as package:
        assert any(stored in package.read(name) for name in package.namelist())


def test_what_is_mended_explained_and_confirmed_there_is_imported_from_there(project, tmp_path):
    marked(faulty(tmp_path))
    path = tmp_path / "核对.xlsx"
    book = openpyxl.load_workbook(path)
    book["Sheet"]["E3"] = "乙站"
    book["生词"]["D3"] = "助理"
    book["核对结果"]["H5"] = answers.CONFIRMED
    book.save(path)
    report = check(path)
    assert (report.faults, report.problems, len(report.confirmed)) == ((), (), 1)
    assert report.answers == (registers.report.Answer("certificate", "持证", "assistant"),)
    assert cli.main(["import", str(path), "--as-of", DAY]) == 0
    again = check(faulty(tmp_path))
    assert [fault.rule for fault in again.faults] == ["text_personal"]  # 持证 is known from now on
    assert answers.taught() == {("certificate", "持证"): "assistant"}


def test_a_confirmation_holds_for_the_rows_that_were_asked_about_and_no_others(tmp_path):
    marked(faulty(tmp_path))
    path = tmp_path / "核对.xlsx"
    book = openpyxl.load_workbook(path)
    book["核对结果"]["H5"] = answers.CONFIRMED
    book["Sheet"]["G4"] = "900000"
    book.save(path)
    assert [problem.rule for problem in check(path).problems] == ["amount_odd"]


def test_marking_a_marked_workbook_takes_the_earlier_marks_back(tmp_path):
    marked(faulty(tmp_path))
    book = openpyxl.load_workbook(tmp_path / "核对.xlsx")
    book["Sheet"]["E3"] = "乙站"
    book.save(tmp_path / "核对.xlsx")
    again = marked(tmp_path / "核对.xlsx", tmp_path / "核对2.xlsx")
    assert again.sheetnames == ["核对结果", "生词", "核对选项", "Sheet"]
    assert colours(again["Sheet"]) == {"F4": RED, "G4": YELLOW}
    assert again["Sheet"]["E3"].comment is None


@pytest.mark.parametrize("name", ["名册.csv", "名册.xls"])
def test_a_text_file_and_an_old_workbook_come_back_as_a_workbook_of_their_values(tmp_path, name):
    if name.endswith("csv"):
        path = write_csv(tmp_path / name, [person(0), person(1, 区="无此区", 入职日期="2020-02-03")])
    else:
        path = Path(__file__).parents[1] / "cases" / "registers_in_use" / "18_xls_hidden_rows.xls"
    before = check(path)
    marked(path, tmp_path / "核对.xlsx")
    after = check(tmp_path / "核对.xlsx")
    assert [(one.rule, one.row, one.column) for one in (*after.faults, *after.problems)] == [
        (one.rule, one.row, one.column) for one in (*before.faults, *before.problems)
    ]
    assert after.rows_out == before.rows_out


def test_a_refused_file_is_marked_beside_itself_and_never_written_over(project, tmp_path, capsys):
    path = faulty(tmp_path)
    content = path.read_bytes()
    for name in ("名册（核对）.xlsx", "名册（核对2）.xlsx"):
        assert cli.main(["import", str(path), "--as-of", DAY]) == 2
        assert (tmp_path / name).is_file()
        assert name in capsys.readouterr().out
    assert cli.main(["import", str(tmp_path / "名册（核对2）.xlsx"), "--as-of", DAY]) == 2
    assert (tmp_path / "名册（核对3）.xlsx").is_file()
    assert path.read_bytes() == content


def test_a_report_that_cannot_be_written_does_not_make_an_import_fail(project, tmp_path, capsys):
    path = write_csv(tmp_path / "a.csv", people())
    place = tmp_path / "核对.xlsx"
    place.mkdir()
    assert cli.main(["import", str(path), "--as-of", DAY, "--report", str(place)]) == 0
    assert "核对结果没有写成" in capsys.readouterr().out


def test_a_body_named_after_its_own_worker_is_kept_once_the_office_says_that_it_is_called_so(project, tmp_path):
    row = person(0, 社工站=f"{person(0)[0]}工作室")
    marked(write_workbook(tmp_path / "名册.xlsx", [row]))
    book = openpyxl.load_workbook(tmp_path / "核对.xlsx")
    assert book["生词"]["B3"].value == row[4]
    book["生词"]["D3"] = answers.options("text")[0][1]
    book.save(tmp_path / "核对.xlsx")
    assert cli.main(["import", str(tmp_path / "核对.xlsx"), "--as-of", DAY]) == 0
    assert check(write_workbook(tmp_path / "又.xlsx", [row])).faults == ()


def test_a_wrong_line_of_the_taught_words_is_named_with_what_to_do(project, tmp_path):
    words = answers.words_file()
    words.parent.mkdir(parents=True)
    words.write_text("list,word,meaning,day\neducation,本科在读,undergraduate,2026-01-01\n", encoding="utf-8")
    with pytest.raises(registers.answers.DataError) as caught:
        check(write_csv(tmp_path / "a.csv", people()))
    assert "第2行的“本科在读”" in caught.value.say("zh")


def test_a_word_that_holds_a_number_of_a_person_is_never_learned(project):
    answer = registers.report.Answer("text", f"站{number(1)}", answers.KEPT)
    assert answers.teach([answer]) == 0
    assert not answers.words_file().exists()


def test_five_thousand_rows_with_five_hundred_faults_are_marked_in_a_moment(tmp_path):
    rows = [list(row) for row in itertools.islice(office.rows(), 5_000)]
    for row in rows[::10]:
        row[7] = "面议"
    path = write_workbook(tmp_path / "名册.xlsx", rows, office.HEADERS)
    report = check(path)
    begun = time.process_time()
    marking.mark(report, path.name, tmp_path / "核对.xlsx")
    assert time.process_time() - begun < 5
    assert len(colours(openpyxl.load_workbook(tmp_path / "核对.xlsx")["Sheet"])) == 500


def test_a_marked_workbook_says_its_headers_where_the_offices_own_are_wrong(tmp_path):
    headers = ["证件" if header == "身份证号" else header for header in HEADERS]
    book = marked(write_workbook(tmp_path / "名册.xlsx", people(), headers))
    assert colours(book["Sheet"]) == {"A1": RED}
    assert "“证件”→“身份证号”" in book["核对结果"]["F3"].value
