"""Faults of ordinary workbooks, one a kind: what each file of the index must give.

Files of a whole year's life (`life/`, `real_six/`) are tried where registers are kept.
"""

import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from institute_lib import cli, registers
from institute_lib.tables import journal
from tests.offices import HEADERS, person, write_csv, write_workbook

CASES = Path(__file__).parents[1] / "cases" / "registers_in_use"
TODAY = "2026-01-01"
# File, table, the faults by rule (row, column), the questions by rule (row, column), values that are read.
WORKERS, STATIONS, SERVICES, CONTRACTS, EXAMS = "workers", "stations", "services", "procurement", "exams"
READ = {
    "01_unit_in_title_line_procurement.xlsx": (CONTRACTS, {"amount": [425_000, 435_000, 445_000]}, []),
    "03_header_per_year.xlsx": (WORKERS, {"subsidy": [100, 100], "monthly_pay": [5000, 5100]}, []),
    "04_header_wanren.xlsx": (SERVICES, {"caseload": [12_000]}, []),
    "05_remark_last_rows_stations.xlsx": (STATIONS, {"station_id": ["S000", "S001", "S002", "S003"]}, []),
    "05c_remark_last_row_worker_permit.xlsx": (WORKERS, {"monthly_pay": [5000, 5100, 5200]}, []),
    "08_number_format_zero_padded_code.xlsx": (STATIONS, {"station_id": ["000012", "000013"]}, []),
    "08d_equals_quoted.csv": (WORKERS, {"station": ["001"], "birth_year": [1990]}, []),
    "13_workbook2.xlsx": (WORKERS, {"station": ["虚构站0", "虚构站1", "虚构站2"]}, []),
    "18_xls_hidden_rows.xls": (
        WORKERS,
        {"monthly_pay": [5000, 5100, 5200, 5300]},
        [("hidden_rows", None, None), ("hidden_column", 1, "级别")],
    ),
    "23b_left_words.xlsx": (WORKERS, {"left": [pd.NaT] * 3}, []),
    "24_cjk_radical_district.xlsx": (WORKERS, {"district": ["320614", "320614"]}, []),
    "24e_header_supplement.xlsx": (WORKERS, {"entered": [pd.Timestamp("2023-03-01")]}, []),
    "26_middle_dot_variants.xlsx": (WORKERS, {"monthly_pay": [5000, 5000, 5100, 5100]}, []),
    "30_taiwan_permit_8_digits.xlsx": (WORKERS, {"gender": ["unknown"]}, []),
    "30c_passport_digits.xlsx": (WORKERS, {"gender": ["unknown"]}, []),
    "31_entered_before_birth.xlsx": (
        WORKERS,
        {"birth_year": [2001, 1998, 1935]},
        [("entered_before_birth", 2, "入职日期"), ("age_odd", 3, "入职日期"), ("age_odd", 4, "入职日期")],
    ),
    "31b_gender_conflict.xlsx": (
        WORKERS,
        {"gender": ["male", "female"]},
        [("gender_conflict", 2, "性别"), ("gender_conflict", 3, "性别")],
    ),
    "33_sheet_per_district.xlsx": (WORKERS, {"district": ["320613", "320614"]}, []),
    "36_city_level_station_contract.xlsx": (
        STATIONS,
        {"district": ["320600", "320600", "320671", "320671", "320612", "320671", "320671"]},
        [],
    ),
    "36b_overstaffed.xlsx": (STATIONS, {"posts": [3], "posts_filled": [4]}, [("overstaffed", 2, "在岗人数")]),
    "37_csv_trailing_delimiters_omitted.csv": (WORKERS, {"monthly_pay": [5000, 5100, 5200, 5300]}, []),
    "37d_fullwidth_commas.csv": (WORKERS, {"monthly_pay": [5000]}, []),
    "37e_big5.csv": (WORKERS, {"district": ["320613"]}, []),
    "40_名册𠮷镇.xlsx": (WORKERS, {"monthly_pay": [5000, 5100, 5200, 5300, 5400]}, []),
    "42c_crs_unstated.xlsx": (STATIONS, {"x": [120.8653], "y": [32.0104]}, [("point_system", 2, "坐标系")]),
    "47_struck_through_leaver_and_comment.xlsx": (
        WORKERS,
        {"monthly_pay": [5000, 5100, 5200, 5300]},
        [("row_struck", 3, "姓名"), ("comment", 4, "姓名")],
    ),
    "48_share_header_percent.xlsx": (CONTRACTS, {"social_worker_share": [0.75], "labour_share": [0.6]}, []),
    "49b_header_unit_and_cell_unit.xlsx": (
        CONTRACTS,
        {"amount": [425_000, 4.25e9, 425_000]},
        [("amount_odd", 3, "金额")],
    ),
    "51_name_equals_place.xlsx": (
        WORKERS,
        {"station": ["陈桥街道社工站", "虚构站1"]},
        [("text_name_is_word", 2, "社工站")],
    ),
}
REFUSED = {
    "04c_quarter_month.xlsx": (SERVICES, [("quarter_month", 2, "季度"), ("quarter_month", 3, "季度")]),
    "06_merged_amount_services.xlsx": (SERVICES, [("amount_merged", 2, "服务对象数")]),
    "06c_merged_contract_amount.xlsx": (CONTRACTS, [("amount_merged", 2, "金额")]),
    "07_error_words.csv": (WORKERS, [("cell_error", 3, "社工站"), ("cell_error", 4, "社工站")]),
    "08c_contract_id_scientific.csv": (CONTRACTS, [("code_numeric", 2, "合同编号"), ("code_numeric", 3, "合同编号")]),
    "23_YYYYM_numbers.xlsx": (WORKERS, [("day_incomplete", row, "入职日期") for row in (2, 3, 4)]),
    "28_spaced_name_in_employer.xlsx": (WORKERS, [("text_personal", row, "用人单位") for row in (2, 3, 4, 5)]),
    "29a_phone_in_station.xlsx": (WORKERS, [("text_personal", 2, "社工站")]),
    "32_first_job_date_as_entry.xlsx": (WORKERS, [("headers_missing", 1, None)]),
    "32c_household_district.xlsx": (WORKERS, [("district_missing", 1, None)]),
    "33b_one_sheet_lacks_a_header.xlsx": (WORKERS, [("headers_missing", 1, None)]),
    "43c_exam_same_person_twice.xlsx": (EXAMS, [("person_twice", 2, "身份证号"), ("person_twice", 3, "身份证号")]),
    "45_education_words.xlsx": (WORKERS, [("level_unknown", 4, "学历"), ("level_unknown", 5, "学历")]),
    "45b_certificate_words.xlsx": (WORKERS, [("level_unknown", 6, "级别")]),
}
ELSEWHERE = {"39b_services_two_agencies_equal.xlsx", "46_one_unknown_word_5000_rows.xlsx"}  # tests of their own, below


def of_the_index():
    index = json.loads((CASES / "index.json").read_text(encoding="utf-8"))
    return [name for case in index for name in case["files"] if "/" not in name and (CASES / name).is_file()]


def places(problems):
    return [(problem.rule, problem.row, problem.column) for problem in problems]


def test_every_file_of_the_index_is_tried():
    assert set(of_the_index()) == set(READ) | set(REFUSED) | ELSEWHERE


@pytest.mark.parametrize("name", READ)
def test_a_file_is_read_as_its_office_means_it_and_what_is_doubtful_is_asked(project, name):
    table, values, questions = READ[name]
    imported = registers.read(CASES / name, table=table, today=TODAY)
    rows = (
        imported.frame
        if imported.changes is None
        else imported.frame.join(imported.changes, suffixes=("", "_of_the_state"))
    )
    for column, expected in values.items():
        pd.testing.assert_series_equal(
            rows[column].reset_index(drop=True), pd.Series(expected), check_dtype=False, check_names=False
        )
    assert places(imported.report.problems) == questions


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_whose_meaning_cannot_be_known_is_refused_where_it_stands(name):
    table, faults = REFUSED[name]
    assert places(registers.check(CASES / name, table=table, today=TODAY).faults) == faults


def test_two_agencies_with_the_same_number_are_two_rows():
    report = registers.check(CASES / "39b_services_two_agencies_equal.xlsx", table=SERVICES, today=TODAY)
    assert (report.rows_out, report.faults, report.problems) == (2, (), ())
    imported = registers.read(CASES / "39b_services_two_agencies_equal.xlsx", table=SERVICES, today=TODAY)
    assert imported.frame["caseload"].tolist() == [30, 30]


def test_what_five_thousand_rows_have_in_common_is_asked_in_one_line_with_its_count():
    report = registers.check(CASES / "46_one_unknown_word_5000_rows.xlsx", today=TODAY)
    assert report.faults == ()  # 本科（全日制） is known by now
    (question,) = report.problems
    assert (question.rule, len(question.rows)) == ("amount_odd", 4_549)
    assert len(report.listing().splitlines()) == 2


# Others of the same kinds: (header, cell, what is read or the rule that it breaks).
UNSEEN = [
    ("月薪（元/季度）", "15000", 5_000),
    ("月薪（万元/年）", "6", 5_000),
    ("月薪（元/日）", "200", "unit_unclear"),
    ("月薪", "6万元/年", 5_000),
    ("月薪", "########", "cell_error"),
    ("月薪", "#DIV/0!", "cell_error"),
    ("月薪（大概）", "5300", "header_remark"),
    ("社工站", "Err:502", "cell_error"),
    ("社工站", "站（0513）8551-2345", "text_personal"),
    ("社工站", "站 E12345678", "text_personal"),
    ("社工站", "台胞证01234567", "text_personal"),
    ("身份证号", "12345678", "identity_form"),
    ("身份证号", "19900307", "identity_form"),
    ("离职日期", "仍在上班", "day_word"),
    ("离职日期（预计）", "2026-03-01", "header_aside"),
    ("入职日期", "201803", "day_incomplete"),
    ("月薪（元/人·月）", "5000", 5_000),
    ("月薪", "5.0千元", 5_000),
    ("月薪（元/小时）", "35", "unit_unclear"),
    ("身份证号", "13912345678", "identity_form"),
    ("社工站", "甲站 +86-513-85512345", "text_personal"),
    ("社工站", "甲站①13912345678", "text_personal"),
    ("级别", "中级会计师", "level_unknown"),
]


@pytest.mark.parametrize(("header", "cell", "expected"), UNSEEN)
def test_other_cells_of_the_same_kinds_do_the_same(project, tmp_path, header, cell, expected):
    row = person(0)
    at = next(at for at, own in enumerate(HEADERS) if header.startswith(own))
    row[at] = cell
    path = write_csv(tmp_path / "a.csv", [row], [header if place == at else own for place, own in enumerate(HEADERS)])
    report = registers.check(path, today=TODAY)
    if isinstance(expected, str):
        assert expected in {problem.rule for problem in (*report.faults, *report.problems)}
    else:
        assert registers.read(path, today=TODAY).changes["monthly_pay"].tolist() == [expected]


@pytest.mark.parametrize(
    ("code", "cell", "read"),
    [('"S"000', 7, "S007"), ("0000", 12, "0012"), ("00-00", 1234, "12-34"), ("General", 12, "12")],
)
def test_a_code_is_read_as_its_workbook_shows_it(tmp_path, code, cell, read):
    headers = ["站点编号", "社工站", "层级", "区", "启用日期", "岗位数", "在岗人数"]

    def show(book):
        book.active["A2"].number_format = code

    path = write_workbook(tmp_path / "a.xlsx", [[cell, "甲站", "镇街", "崇川区", "2020-01-02", 3, 2]], headers, show)
    assert registers.read(path, table=STATIONS, today=TODAY).frame["station_id"].tolist() == [read]


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("崇川区（320613）", "320613"),
        ("崇川区（市区）", "320613"),
        ("如皋高新区", "320682"),
        ("如东县洋口镇", "320623"),
        ("通州湾", "320612"),
        ("苏锡通科技产业园区", "320671"),
        ("海門區", "320614"),
        ("竹行街道", "320671"),
    ],
)
def test_zones_towns_and_traditional_names_stand_for_their_district(project, tmp_path, word, code):
    path = write_csv(tmp_path / "a.csv", [person(0, 区=word)])
    assert registers.read(path, today=TODAY).frame["district"].tolist() == [code]


def test_one_unknown_district_in_many_rows_is_one_line(tmp_path):
    path = write_csv(tmp_path / "a.csv", [person(at, 区="某某新区") for at in range(300)])
    (fault,) = registers.check(path, today=TODAY).faults
    assert (fault.value, len(fault.rows)) == ("某某新区", 300)


def test_each_warning_is_confirmed_by_its_name_on_the_command_line_and_recorded(project, tmp_path, capsys):
    """Both kinds must be named; what is unknown is told with the nearest name."""
    rows = [person(0, 入职日期="1999-07-01"), person(1, 月薪="120000")]
    given = ["import", str(write_csv(tmp_path / "a.csv", rows)), "--quarter", "2025Q4"]
    assert cli.main(given) == 2
    told = capsys.readouterr().err
    assert "--confirm age_odd" in told
    assert "--confirm amount_odd" in told
    assert cli.main([*given, "--confirm", "age_odd"]) == 2
    assert "--confirm age_odd" not in capsys.readouterr().err
    assert cli.main([*given, "--confirm", "age_old"]) == 2
    assert "age_odd" in capsys.readouterr().err
    assert cli.main([*given, "--confirm", "age_odd,amount_odd"]) == 0
    (entry,) = journal.entries()
    assert entry.body["accepted_warnings"] == ["age_odd", "amount_odd"]


def test_a_warning_that_is_accepted_with_all_others_is_asked_once_all_the_same(project, tmp_path):
    path = write_csv(tmp_path / "a.csv", [person(0, 姓名="陈桥", 社工站="陈桥街道社工站")])
    registers.hand_back(registers.import_files(path, quarter="2025Q4", accept_warnings=True).report, None)
    assert registers.check(path).problems == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("甄倀", "甄/倀工作室"),
        ("甄倀", "甄_倀站"),
        ("買買提", "买买提工作室"),
        ("阿依古丽·买买提", "阿依古丽工作室"),
        ("John Smith", "John Smith工作室"),
    ],
)
def test_a_persons_name_is_found_however_a_text_writes_it(tmp_path, name, text):
    path = write_csv(tmp_path / "a.csv", [person(0, 姓名=name, 社工站=text)])
    assert places(registers.check(path, today=TODAY).faults) == [("text_personal", 2, "社工站")]


@pytest.mark.parametrize("number", ["passport E12345678", "外国人永久居留身份证931320199003070015", "护照：G12345678"])
def test_a_document_with_its_name_before_it_is_an_identity(tmp_path, number):
    path = write_csv(tmp_path / "a.csv", [person(0, 身份证号=number)])
    assert registers.check(path, today=TODAY).faults == ()


@pytest.mark.parametrize(
    "header", ["市（县、区）", "区/县", "行政区划", "所属县区", "【区】", "1.区", "区（工作所在地）", "服务区县"]
)
def test_a_district_is_found_under_what_offices_call_it(tmp_path, header):
    headers = [header if own == "区" else own for own in HEADERS]
    path = write_csv(tmp_path / "a.csv", [person(0)], headers)
    assert (registers.check(path, today=TODAY).faults, registers.check(path, today=TODAY).problems) == ((), ())


@pytest.mark.parametrize("header", ["区（身份证地址）", "区（户籍）", "居住区县"])
def test_a_district_of_something_else_is_not_the_district_of_the_work(tmp_path, header):
    headers = [header if own == "区" else own for own in HEADERS]
    report = registers.check(write_csv(tmp_path / "a.csv", [person(0)], headers), today=TODAY)
    assert {problem.rule for problem in (*report.faults, *report.problems)} & {"district_missing", "header_remark"}


@pytest.mark.parametrize(
    "line", ["单位：万元", "单 位：万元", "金额:万元", "（万元）", "以万元计", "计量单位：万元、人"]
)
def test_a_line_above_the_header_states_the_unit(project, tmp_path, line):
    headers = ["合同编号", "区", "签约日期", "层级", "服务领域", "承接机构", "金额", "社工占比", "人力成本占比"]
    row = ["HT-1", "崇川区", "2025-03-01", "区级", "养老", "甲中心", 42.5, "75%", "60%"]

    def title(book):
        book.active.insert_rows(1)
        book.active["A1"] = line

    path = write_workbook(tmp_path / "a.xlsx", [row], headers, title)
    assert registers.read(path, table=CONTRACTS, today=TODAY).frame["amount"].tolist() == [425_000]


@pytest.mark.parametrize("quarter", ["2025年7月-9月", "2025年7月至9月", "Q3 2025", "2025年第Ⅲ季度", "2025年7—9月"])
def test_a_quarter_is_read_in_the_ways_offices_write_it(project, tmp_path, quarter):
    path = write_csv(tmp_path / "a.csv", [["崇川区", quarter, "养老", 12]], ["区", "季度", "服务领域", "服务对象数"])
    assert registers.read(path, table=SERVICES, today=TODAY).frame["quarter"].tolist() == ["2025Q3"]


@pytest.mark.parametrize(
    "below",
    [
        [["填表人：张三", "", "", "审核人：李四", "", "", "", "2025年12月31日", ""]],
        [["说明："], ["1. 本表一式两份，由区县民政局盖章后报送。"], ["2. 不得涂改。"]],
    ],
)
def test_what_stands_below_a_register_is_no_record(tmp_path, below):
    report = registers.check(write_workbook(tmp_path / "a.xlsx", [person(0), *below]), today=TODAY)
    assert (report.rows_out, report.faults) == (1, ())


def test_a_signature_between_records_is_not_passed_over(tmp_path):
    path = write_workbook(tmp_path / "a.xlsx", [person(0), ["填表人：张三"], person(1)])
    assert "required_missing" in {problem.rule for problem in registers.check(path, today=TODAY).faults}


def asked(path, table):
    return places(registers.check(path, table=table, today=TODAY).problems)


def test_a_code_without_the_zeros_of_the_others_is_asked_about(tmp_path):
    headers = ["站点编号", "社工站", "层级", "区", "启用日期", "岗位数", "在岗人数"]
    rows = [
        [code, name, "镇街", "崇川区", "2020-01-02", 3, 2] for code, name in (("001", "甲"), (2, "乙"), ("003", "丙"))
    ]
    path = write_workbook(tmp_path / "a.xlsx", rows, headers)
    assert asked(path, STATIONS) == [("code_zeros", 3, "站点编号")]


def test_one_examination_on_two_days_is_one_examination(tmp_path):
    headers = ["身份证号", "考试日期", "区", "级别", "报名", "参考", "通过"]
    rows = [[person(0)[1], day, "崇川区", "初级", "是", "是", "否"] for day in ("2025-06-14", "2025-06-15")]
    report = registers.check(write_csv(tmp_path / "a.csv", rows, headers), table=EXAMS, today=TODAY)
    assert [problem.rule for problem in report.faults] == ["person_twice", "person_twice"]


def test_a_reason_for_leaving_without_a_day_and_a_subsidy_above_the_pay_are_asked_about(tmp_path):
    headers, row = [*HEADERS, "离职原因", "持证津贴"], [*person(0), "转行", "6000"]
    path = write_csv(tmp_path / "a.csv", [row], headers)
    assert sorted(asked(path, WORKERS)) == [("reason_without_day", 2, "离职日期"), ("subsidy_above_pay", 2, "持证津贴")]


def test_a_piece_of_a_text_that_is_struck_through_is_asked_about(tmp_path):
    from openpyxl.cell.rich_text import CellRichText, TextBlock
    from openpyxl.cell.text import InlineFont

    def strike(book):
        book.active["E2"].value = CellRichText(
            TextBlock(InlineFont(strike=True), "甲站"), TextBlock(InlineFont(), "乙站")
        )

    path = write_workbook(tmp_path / "a.xlsx", [person(0), person(1)], change=strike)
    assert asked(path, WORKERS) == [("row_struck", 2, "姓名")]


def test_a_package_whose_parts_are_called_in_other_capitals_is_read_as_excel_reads_it(tmp_path):
    path = write_workbook(tmp_path / "a.xlsx", [person(0)])
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            package.writestr(name if name.startswith(("[", "_rels")) else name.upper(), content)
    assert (registers.check(path, today=TODAY).rows_out, registers.check(path, today=TODAY).faults) == (1, ())


def test_rows_whose_commas_are_of_the_other_width_than_the_headers_are_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        ",".join(HEADERS) + "\n" + "，".join(person(0)) + "\n" + ",".join(person(1)) + "\n", encoding="utf-8"
    )
    assert (registers.check(path, today=TODAY).rows_out, registers.check(path, today=TODAY).faults) == (2, ())
