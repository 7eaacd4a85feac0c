"""From an office's register to a snapshot that the tables find."""

import json
import random
from datetime import date, timedelta
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from institute_lib import registers, tables
from institute_lib.errors import DataError, ParameterError
from institute_lib.registers import personal, values
from tests.offices import HEADERS, number, people, write_csv, write_workbook


def test_a_clean_workbook_becomes_workers_and_their_first_state(project, tmp_path):
    rows = [[*row[:7], date.fromisoformat(row[7]), row[8]] for row in people()]
    imported = registers.read(write_workbook(tmp_path / "名册.xlsx", rows))
    frame, changes = imported.frame, imported.changes
    assert frame["district"].tolist() == ["320613", "320614", "320623"]
    assert frame["entered"].dt.strftime("%Y-%m-%d").tolist() == ["2019-07-01", "2015-03-09", "2008-12-31"]
    assert frame["leave_reason"].tolist()[1] == "unknown"
    assert frame["left"].notna().tolist() == [False, True, False]
    assert frame["birth_year"].tolist() == [1990, 1990, 1990]
    assert frame["gender"].tolist() == ["male", "female", "male"]
    assert set(frame["kind"]) == {"unknown"}
    assert changes["certificate"].tolist() == ["assistant", "social_worker", "none"]
    assert changes["monthly_pay"].tolist()[:2] == [5300.5, 7100]
    assert changes["date"].tolist() == frame["entered"].tolist()
    assert imported.warnings == ()


def test_the_snapshot_is_what_tables_load_in_place_of_the_demo(project, tmp_path):
    receipt = registers.import_files(write_csv(tmp_path / "a.csv", people()), as_of="2025-12-31")
    loaded = tables.load("workers", "2025-12-31")
    assert loaded.attrs["source"] == "register"
    assert loaded.attrs["snapshot"] == receipt.snapshot == "2025-12-31"
    assert len(loaded) == receipt.rows == 3
    assert len(tables.load("worker_changes", "2025-12-31")) == 3
    assert tables.load("workers", "2016-01-01").empty


def test_nothing_that_an_import_writes_holds_a_name_a_phone_or_a_number(project, tmp_path):
    registers.import_files(write_csv(tmp_path / "a.csv", people()), as_of="2025-12-31")
    secrets = [text for row in people() for text in (row[0], row[1], row[2])]
    written = [path for path in project.rglob("*") if path.is_file()]
    assert len(written) == 4  # the rows, the report, the journal and the log
    for path in written:
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += pd.read_parquet(path).to_csv().encode()
        assert [secret for secret in secrets if secret.encode() in content] == []


def test_the_manifest_keeps_hash_encoding_rows_and_the_key_id(project, tmp_path):
    path = write_csv(tmp_path / "a.csv", people(), encoding="gb18030")
    registers.import_files(path, as_of="2025-12-31")
    manifest = json.loads((project / "data" / "registers" / "workers" / "000001.json").read_text(encoding="utf-8"))
    (source,) = manifest["sources"]
    assert (source["encoding"], source["rows_in"], source["rows_out"]) == ("gb18030", 3, 3)
    assert len(source["sha256"]) == 64
    assert manifest["key_id"] == registers.load_key().id
    assert manifest["accepted_warnings"] is False


def test_a_faulty_register_writes_nothing(project, tmp_path):
    rows = people()
    rows[1][1] = number(2)[:-1] + "x1"
    with pytest.raises(registers.RegisterError):
        registers.import_files(write_csv(tmp_path / "a.csv", rows), as_of="2025-12-31")
    assert not project.exists()


def test_all_faults_of_all_files_come_in_one_report_with_masked_values(project, tmp_path):
    first, second = people(), people()
    first[0][3], first[1][7], second[2][6] = "无此区", "05/06/2019", "面议"
    second = [[*row[:1], number(10 + at), *row[2:]] for at, row in enumerate(second)]
    paths = [write_csv(tmp_path / "a.csv", first), write_workbook(tmp_path / "b.xlsx", second)]
    with pytest.raises(registers.RegisterError) as caught:
        registers.read(paths)
    found = [(problem.file, problem.row, problem.column, problem.rule) for problem in caught.value.report.faults]
    assert found == [
        ("a.csv", 2, "区", "district_unknown"),
        ("a.csv", 3, "入职日期", "day_ambiguous"),
        ("b.xlsx", 4, "月薪", "amount_form"),
    ]
    assert [fault.value for fault in caught.value.report.faults] == ["无此区", "0********9", "面*"]


def test_a_file_handed_in_twice_changes_nothing_and_one_that_differs_needs_to_be_told_to_replace_it(project, tmp_path):
    path = write_csv(tmp_path / "a.csv", people())
    receipt = registers.import_files(path, as_of="2025-12-31")
    before = [path.read_bytes() for path in receipt.paths]
    assert registers.import_files(path, as_of="2025-12-31").paths == ()
    other = [*people()[:2], [*people()[2][:5], "助理", *people()[2][6:]]]
    with pytest.raises(DataError, match="--replace"):
        registers.import_files(write_csv(tmp_path / "b.csv", other), as_of="2025-12-31")
    assert [path.read_bytes() for path in receipt.paths] == before
    registers.import_files(tmp_path / "b.csv", as_of="2025-12-31", replace_states=True)
    assert sorted(tables.load("worker_changes")["certificate"]) == ["assistant", "assistant", "social_worker"]
    assert [path.read_bytes() for path in receipt.paths] == before


def test_warnings_must_be_accepted_and_the_acceptance_is_recorded(project, tmp_path):
    rows = people()
    path = write_csv(tmp_path / "a.csv", [*rows, rows[0]])
    with pytest.raises(registers.RegisterError, match="not accepted"):
        registers.import_files(path, as_of="2025-12-31")
    receipt = registers.import_files(path, as_of="2025-12-31", accept_warnings=True)
    assert receipt.rows == 3
    assert json.loads(receipt.paths[1].read_text(encoding="utf-8"))["accepted_warnings"] is True


def test_a_person_keeps_the_pseudonym_from_snapshot_to_snapshot_and_a_raise_becomes_a_dated_change(project, tmp_path):
    registers.import_files(write_csv(tmp_path / "a.csv", people()), as_of="2025-09-30")
    later = people()
    later[0][6], later[0][5] = "6000", "中级"
    registers.import_files(write_csv(tmp_path / "b.csv", later), as_of="2025-12-31")
    raised = tables.load("workers").iloc[0]["worker_id"]
    changes = tables.load("worker_changes")
    states = changes[changes["worker_id"] == raised].sort_values("date")
    assert states["monthly_pay"].tolist() == [5300.5, 6000]
    assert states["certificate"].tolist() == ["assistant", "social_worker"]
    assert states["date"].iloc[1] == pd.Timestamp("2025-12-31")
    assert len(changes) == 4


def test_a_second_spell_adds_its_state_on_the_day_that_first_names_it(project, tmp_path):
    registers.import_files(write_csv(tmp_path / "a.csv", people()), as_of="2025-09-30")
    back = [*people()[1][:5], "中级", "8000", "2025-10-08", ""]
    registers.import_files(write_csv(tmp_path / "b.csv", [*people(), back]), as_of="2025-12-31")
    changes = tables.load("worker_changes")
    again = changes[changes["monthly_pay"] == 8000]
    assert again["date"].tolist() == [pd.Timestamp("2025-12-31")]
    assert len(changes) == 4


def test_another_key_than_the_last_snapshots_is_refused(project, tmp_path):
    path = write_csv(tmp_path / "a.csv", people())
    registers.import_files(path, as_of="2025-09-30")
    registers.identity.paths.key().unlink()
    registers.new_key()
    with pytest.raises(DataError, match="Restore the key"):
        registers.import_files(path, as_of="2025-12-31")


def test_an_event_after_the_day_of_the_register_is_a_fault(project, tmp_path):
    with pytest.raises(registers.RegisterError, match="after the day"):
        registers.import_files(write_csv(tmp_path / "a.csv", people()), as_of="2018-12-31")


def test_an_abolished_district_is_refused_for_a_spell_begun_after_its_end(project, tmp_path):
    rows = people()
    rows[0][3], rows[1][3] = "港闸区", "港闸区"
    rows[0][7] = "2022-03-01"
    with pytest.raises(registers.RegisterError) as caught:
        registers.read(write_csv(tmp_path / "a.csv", rows))
    assert [(problem.row, problem.rule) for problem in caught.value.report.faults] == [(2, "district_retired")]


def test_a_table_that_cannot_be_imported_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(ParameterError, match="did you mean 'workers'"):
        registers.read(tmp_path / "a.csv", table="worker")


def test_amounts_below_a_header_in_ten_thousands_are_scaled(project, tmp_path):
    headers = [*HEADERS[:6], "月薪(万元)", *HEADERS[7:]]
    rows = people()[:1]
    rows[0][6] = "0.53"
    imported = registers.read(write_csv(tmp_path / "a.csv", rows, headers))
    assert imported.changes["monthly_pay"].tolist() == pytest.approx([5300])


SERVICES = ["区县", "季度", "服务领域", "服务对象数", "达成人数", "评估人数"]


def test_a_register_of_services_needs_no_key_and_refuses_a_part_above_its_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(tmp_path / "none" / "key"))
    good = write_csv(tmp_path / "a.csv", [["崇川区", "2025年第四季度", "禁毒", "120", "80", "90"]], SERVICES)
    row = registers.read(good, table="services").frame.iloc[0]
    assert (row["quarter"], row["field"], row["outcome_denominator"]) == ("2025Q4", "drug", 90)
    bad = write_csv(tmp_path / "b.csv", [["崇川区", "2025Q4", "禁毒", "120", "95", "90"]], SERVICES)
    with pytest.raises(registers.RegisterError, match="larger than its whole"):
        registers.read(bad, table="services")


def test_more_passed_than_sat_is_named_with_its_row(project, tmp_path):
    headers = ["姓名", "身份证号", "考试日期", "区", "报考级别", "报名", "参考", "通过"]
    rows = [["甄无名", number(1), "2024-05-25", "崇川区", "助理", "是", "否", "是"]]
    with pytest.raises(registers.RegisterError) as caught:
        registers.read(write_csv(tmp_path / "a.csv", rows, headers), table="exams")
    (fault,) = caught.value.faults
    assert (fault.row, fault.column) == (2, "通过")


def test_chinese_numerals_and_both_epochs_give_days():
    parse = values.parse_day(today=date(2026, 1, 1))
    assert parse("二〇一九年十二月二十一日").value == date(2019, 12, 21)
    assert parse("31/12/2019").value == date(2019, 12, 31)
    serial = 40000
    later = values.parse_day(today=date(2026, 1, 1), epoch_1904=True)(serial).value
    assert later - parse(serial).value == timedelta(days=1462)


def test_amounts_are_read_by_explicit_rules_only():
    parse = values.parse_amount()
    assert [parse(cell).value for cell in ("5,300.50", "￥5300元", "0.53万", 7)] == [5300.5, 5300, 5300, 7]
    assert [parse(cell).fault for cell in ("面议", "5,30", "-3", ">17000")] == [
        "amount_form",
        "amount_form",
        "amount_negative",
        "amount_form",
    ]


def test_a_hidden_sheet_is_named_and_not_read(project, tmp_path):
    path = write_workbook(tmp_path / "a.xlsx", people())
    book = openpyxl.load_workbook(path)
    hidden = book.create_sheet("旧表")
    hidden.append(HEADERS)
    hidden.sheet_state = "hidden"
    book.save(path)
    imported = registers.read(path)
    assert len(imported.frame) == 3
    assert [(problem.rule, problem.sheet) for problem in imported.report.problems] == [("hidden_sheet", "旧表")]


def test_headers_merged_over_two_rows_are_joined(project, tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["姓名", "身份证号", "单位", None, "入职日期"])
    sheet.append([None, None, "区", "社工站", None])
    sheet.append(["甄无名", number(1), "崇川区", "甲社工站", "2019-07-01"])
    for span in ("A1:A2", "B1:B2", "C1:D1", "E1:E2"):
        sheet.merge_cells(span)
    book.save(tmp_path / "a.xlsx")
    frame = registers.read(tmp_path / "a.xlsx").frame
    assert frame[["district", "station"]].values.tolist() == [["320613", "甲社工站"]]


@pytest.mark.parametrize(
    ("value", "masked"), [("王小明", "王*明"), ("王明", "王*"), ("王", "王*"), ("", ""), (None, None)]
)
def test_masking_never_shows_a_whole_value(value, masked):
    assert personal.mask(value) == masked


def test_every_rule_has_its_words_in_both_languages():
    from institute_lib import terms

    entries = terms.catalogue("registers")
    named = {key.partition("_")[2] for key in entries if key.startswith("rule_")}
    assert named == {key.partition("_")[2] for key in entries if key.startswith("remedy_")}
    assert {"ragged", "identity_check", "not_accepted"} <= named


OLD_FORMAT = Path(__file__).parents[1] / "cases" / "xls" / "register.xls"  # the three people, written by xlwt


def test_the_old_workbook_format_is_read_as_the_new_one(project, tmp_path):
    old, new = registers.read(OLD_FORMAT), registers.read(write_csv(tmp_path / "a.csv", people()))
    pd.testing.assert_frame_equal(old.frame, new.frame)
    assert [(problem.rule, problem.sheet) for problem in old.report.problems] == [("hidden_sheet", "旧表")]


def test_error_values_of_the_old_format_are_told_cell_by_cell():
    report = registers.check(OLD_FORMAT.with_name("error.xls"))
    assert [(fault.rule, fault.row, fault.column) for fault in report.faults] == [("cell_error", 4, "月薪")]


@pytest.mark.parametrize("seed", range(8))
def test_a_workbook_with_broken_bytes_is_read_or_refused_and_never_ends_the_program(tmp_path, seed, capfd):
    draw, content = random.Random(seed), bytearray(OLD_FORMAT.read_bytes())
    for _ in range(40):
        content[draw.randrange(512, len(content))] = draw.randrange(256)
    path = tmp_path / "broken.xls"
    path.write_bytes(content)
    assert registers.check(path).table == "workers"
    assert capfd.readouterr().err == ""


def test_what_breaks_the_contract_is_said_in_the_clerks_language_under_the_offices_header(project, tmp_path):
    headers = ["站点编号", "站点名称", "层级", "区", "启用日期", "岗位数", "在岗人数"]
    rows = [["S1", f"{name}社工站", "区级", "崇川区", "2020-01-01", "3", "2"] for name in "甲乙"]
    with pytest.raises(registers.RegisterError) as caught:
        registers.read(write_csv(tmp_path / "a.csv", rows, headers), table="stations")
    told = caught.value.report.to_frame("zh")
    assert told["column"].tolist() == ["站点编号"] * 2
    assert set(told["rule"]) == {"不符合数据表规定：不得重复，但在多行中出现"}
    assert "must be unique" in str(caught.value)
