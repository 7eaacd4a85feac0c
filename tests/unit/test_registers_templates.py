"""Templates: what is filled in by the lists and saved is imported without a question."""

import re
import shlex
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from institute_lib import cli, registers
from institute_lib.errors import ParameterError
from institute_lib.registers import template, vocabulary
from tests.offices import person, write_workbook
from tests.templates import fill

QUARTER = "2025Q4"


@pytest.fixture
def empty(tmp_path):
    return template.write(tmp_path / "模板.xlsx", quarter=QUARTER)


@pytest.mark.parametrize("table", vocabulary.tables())
def test_five_hundred_rows_filled_in_are_imported_without_a_question(project, tmp_path, table):
    path = template.write(tmp_path / "模板.xlsx", [table], quarter=QUARTER)
    fill(path, table, rows=500)
    imported = registers.read(path, table=table, today="2026-01-01")
    assert len(imported.frame) == 500
    assert (imported.report.faults, imported.report.problems) == ((), ())


def test_of_a_workbook_with_every_table_each_is_read_for_itself(project, tmp_path, empty):
    for table in vocabulary.tables():
        fill(empty, table, rows=20)
    for table in vocabulary.tables():
        report = registers.check(empty, table=table, today="2026-01-01")
        assert (report.rows_out, report.faults, report.problems) == (20, (), ())


def test_a_template_has_lists_text_format_dates_a_guide_and_an_example(empty):
    book = openpyxl.load_workbook(empty)
    assert book.sheetnames[0] == "填表说明"
    assert book["填表选项"].sheet_state == "hidden"
    sheet = book["从业人员登记"]
    heads = {cell.value: cell.column_letter for cell in sheet[2]}
    assert sheet["A1"].value == "从业人员登记（截至2025年12月31日）"
    assert sheet["A3"].value.startswith("【示例】")
    assert sheet.column_dimensions[heads["身份证号"]].width > 20
    rules = {str(rule.sqref).split(":")[0].rstrip("0123456789"): rule for rule in sheet.data_validations.dataValidation}
    for header, kind in (("级别", "list"), ("区", "list"), ("入职日期", "date"), ("月薪（元/月）", "decimal")):
        assert rules[heads[header]].type == kind
    districts = rules[heads["区"]].formula1
    letter = districts.split("$")[1]
    assert "崇川区" in [cell.value for cell in book["填表选项"][letter]]


def test_an_empty_template_says_that_nothing_stands_below_the_header(tmp_path, empty):
    report = registers.check(empty, table="workers")
    assert [fault.rule for fault in report.faults] == ["no_rows"]


def test_the_command_writes_one_table_or_all_and_never_over_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["template", "workers"]) == 0
    assert cli.main(["template", "--to", "全部.xlsx", "--quarter", QUARTER]) == 0
    assert (tmp_path / "从业人员登记模板.xlsx").is_file()
    assert len(openpyxl.load_workbook(tmp_path / "全部.xlsx").sheetnames) == len(vocabulary.tables()) + 2
    assert cli.main(["template", "--to", "全部.xlsx"]) == 2
    assert "不覆盖" in capsys.readouterr().err
    with pytest.raises(ParameterError, match="did you mean 'workers'"):
        template.write(tmp_path / "x.xlsx", ["worker"])


def test_a_town_is_written_by_its_name(project, tmp_path):
    path = template.write(tmp_path / "模板.xlsx", ["stations"], quarter=QUARTER)
    book = openpyxl.load_workbook(path)
    row = ["S1", "甲站", "乡镇", "崇川区", date(2020, 1, 2), 3, 2, "和平桥街道"]
    for at, value in enumerate(row, start=1):
        book["社工站（室）登记"].cell(4, at, value)
    book.save(path)
    assert registers.read(path, table="stations").frame["town"].tolist() == ["320613002"]


def test_a_clerk_goes_from_an_empty_template_to_an_accepted_register(project, tmp_path, monkeypatch, capsys):
    """The clerk's page, step by step, with the mistakes that people make."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["template", "workers", "--quarter", QUARTER, "--to", "从业人员.xlsx"]) == 0
    fill(tmp_path / "从业人员.xlsx", "workers", rows=30)
    book = openpyxl.load_workbook("从业人员.xlsx")
    sheet = book["从业人员登记"]
    heads = {cell.value: cell.column for cell in sheet[2]}
    sheet.cell(5, heads["身份证号"], 320613199003070000)  # typed as a number
    sheet.cell(6, heads["学历"], "本科在读")
    sheet.cell(7, heads["月薪（元/月）"], 600_000)
    book.save("从业人员.xlsx")
    assert cli.main(["import", "从业人员.xlsx"]) == 2
    assert "没有写入任何数据" in capsys.readouterr().err
    marked = openpyxl.load_workbook("从业人员（核对）.xlsx")
    told = [[cell.value for cell in row][:3] for row in marked["核对结果"].iter_rows(min_row=3)]
    assert [line[0] for line in told] == ["错误", "错误", "提醒"]
    marked["从业人员登记"].cell(5, heads["身份证号"], "H12345678")
    marked["生词"]["D3"] = "大专"
    marked["核对结果"]["H5"] = "确认无误"
    marked.save("从业人员（核对）.xlsx")
    assert cli.main(["import", "从业人员（核对）.xlsx"]) == 0
    assert cli.main(["registers"]) == 0
    assert "30" in capsys.readouterr().out


def test_the_commands_of_the_clerks_page_do_what_it_says(tmp_path, monkeypatch, capsys):
    """All of them, one after the other, in a fresh project without a key."""
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(tmp_path.parent / f"{tmp_path.name}.key"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "incoming").mkdir(parents=True)
    rows = [person(0, 月薪="120000"), person(1, 入职日期="1999-07-01")]
    write_workbook(tmp_path / "data" / "incoming" / "名册.xlsx", rows)
    page = (Path(__file__).parents[2] / "docs" / "clerk.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\.venv/bin/python -m institute_lib (.+)$", page, re.MULTILINE)
    codes = {command: cli.main(shlex.split(command)) for command in commands if command != "check"}
    refused = [command for command, code in codes.items() if code == 2]
    assert [command for command in refused if "--confirm" in command] == []
    assert len(refused) == 3  # the two warnings are asked about until they are confirmed
    assert (tmp_path / "data" / "incoming" / "核对.json").is_file()
    assert "2" in capsys.readouterr().out.splitlines()[-1]
