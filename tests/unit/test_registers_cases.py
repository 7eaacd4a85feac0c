"""The hostile files: each does what the index says must happen."""

import json
from pathlib import Path

import pytest

from institute_lib import registers
from institute_lib.registers import layout, reading

CASES = Path(__file__).parents[1] / "cases" / "ingest"
INDEX = {case["file"]: case["expect"] for case in json.loads((CASES / "index.json").read_text(encoding="utf-8"))}
PLANTED = ("王测试", "李样例", "欧阳", "阿依古丽", "13800138000", "99999919900307001", "19780111", "11110132")


@pytest.fixture(autouse=True)
def key(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(tmp_path / "keys" / "pseudonym.key"))
    registers.new_key()


def refused(name):
    with pytest.raises(registers.RegisterError) as caught:
        registers.read(CASES / name)
    return caught.value


def rules(problems):
    return [problem.rule for problem in problems]


def cells(name, column):
    (sheet,) = reading.read_sheets(CASES / name)
    return layout.find_records(sheet, "workers").cells[column]


def test_every_case_of_the_index_is_named_in_this_file():
    tests = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in INDEX if name not in tests] == []


@pytest.mark.parametrize("name", INDEX)
def test_no_report_of_any_case_carries_a_name_a_phone_or_a_number(name):
    report = registers.check(CASES / name)
    written = json.dumps(report.to_dict(), ensure_ascii=False) + str([str(p.fault()) for p in report.faults])
    assert [planted for planted in PLANTED if planted in written] == []


def test_gb18030_is_decoded_and_its_encoding_recorded():
    imported = registers.read(CASES / "gb18030.csv")
    assert imported.report.sources[0].encoding == "gb18030"
    assert imported.frame["station"].tolist() == ["一号社工站", "二号社工站", "三号社工站"]
    assert "\ufffd" not in "".join(cells("gb18030.csv", "name"))


def test_rare_names_outside_gbk_are_kept_exactly():
    assert cells("gb18030_4byte.csv", "name") == ["王𬭎㛃"]
    assert len(registers.read(CASES / "gb18030_4byte.csv").frame) == 1


def test_mojibake_is_refused_with_the_hint_that_it_was_saved_through_a_wrong_encoding():
    assert "saved through wrong encoding" in str(refused("mojibake.csv"))


def test_a_file_cut_in_mid_row_is_refused_at_its_last_row():
    (fault,) = refused("truncated.csv").faults
    assert fault.row == 4
    assert "number of fields" in fault.rule


def test_a_newline_in_a_quoted_cell_leaves_one_record_and_a_warning():
    imported = registers.read(CASES / "quoted_newline.csv")
    assert len(imported.frame) == 1
    assert rules(imported.report.problems) == ["newline_in_cell"]


def test_fullwidth_digits_are_parsed_and_the_split_amount_is_warned_about():
    imported = registers.read(CASES / "fullwidth.csv")
    plain = registers.read(CASES / "gb18030_4byte.csv")
    assert imported.frame["worker_id"].tolist() == plain.frame["worker_id"].tolist()
    assert imported.changes["monthly_pay"].tolist() == [5300.5]
    assert rules(imported.report.problems) == ["unquoted_thousands"]


def test_formula_shaped_names_are_kept_as_text_with_a_warning_and_the_report_holds_no_live_formula(tmp_path):
    import openpyxl

    report = refused("formula_injection.csv").report
    assert rules(report.problems) == ["formula_shaped"] * 5
    assert set(rules(report.faults)) == {"identity_two_names", "spells_overlap"}
    book = openpyxl.load_workbook(report.save(tmp_path / "report.xlsx"))
    written = [cell for row in book.active.iter_rows() for cell in row]
    assert "=**1" in {cell.value for cell in written}
    assert "f" not in {cell.data_type for cell in written}


def test_nul_bytes_are_stripped_with_a_warning():
    imported = registers.read(CASES / "nul_bytes.csv")
    assert rules(imported.report.problems) == ["control_characters"]


def test_markup_is_refused_as_a_district_and_kept_as_free_text():
    (fault,) = refused("html_names.csv").faults
    assert (fault.row, fault.column) == (2, "区")
    assert "onerror" not in str(fault)
    assert cells("html_names.csv", "station") == ["</script><script>1"]


def test_names_that_pandas_takes_for_missing_are_names():
    report = refused("na_names.csv").report
    assert cells("na_names.csv", "name") == ["NA", "null", "None", "nan"]
    assert "required_missing" not in rules(report.faults)
    assert [problem.row for problem in report.faults if problem.rule == "identity_two_names"] == [4, 5]


def test_lunar_impossible_and_future_days_are_faults_with_their_rows():
    report = refused("rocdate_lunar.csv").report
    assert [(problem.row, problem.rule) for problem in report.faults] == [
        (2, "day_form"),
        (3, "day_impossible"),
        (4, "day_future"),
    ]


def test_an_empty_file_is_refused_as_such():
    assert "empty file" in str(refused("empty.csv"))


def test_identity_numbers_typed_as_numbers_have_lost_their_precision():
    faults = refused("id_as_number.xlsx").faults
    assert [fault.row for fault in faults] == [2, 3, 4]
    assert all("precision lost" in fault.rule for fault in faults)


def test_apostrophes_prefixes_and_spaces_around_a_number_are_cleaned():
    imported = registers.read(CASES / "id_apostrophe.xlsx")
    plain = registers.read(CASES / "gb18030.csv")
    assert imported.frame["worker_id"].tolist() == plain.frame["worker_id"].tolist()
    assert rules(imported.report.problems) == ["row_repeated"]


def test_numbers_are_typed_by_kind_and_only_the_bad_check_character_is_a_fault():
    report = refused("id_kinds.xlsx").report
    assert [(problem.row, problem.rule) for problem in report.faults] == [(3, "identity_check")]
    assert {
        "identity_expanded",
        "identity_foreigner",
        "identity_travel_document",
        "identity_residence_permit",
    } <= set(rules(report.notes))


def test_merged_headers_are_found_and_totals_and_signatures_left_out_and_counted():
    (source,) = registers.read(CASES / "merged_headers.xlsx").report.sources
    assert source.header_row == 3
    assert (source.rows_in, source.rows_out) == (5, 3)
    assert (source.excluded_totals, source.excluded_footers, source.personal_data_in_footers) == (1, 1, 1)


def test_a_formula_without_a_stored_value_is_refused_where_it_stands():
    faults = refused("formulas.xlsx").faults
    assert [(fault.row, fault.column) for fault in faults] == [(2, "月薪"), (3, "月薪"), (4, "月薪")]
    assert ["such as #REF!" in fault.rule for fault in faults] == [False, True, False]


def test_header_synonyms_are_mapped_and_duplicates_refused():
    (fault,) = refused("header_variants.xlsx").faults
    assert "月薪(元) = monthly_pay" in fault.rule


def test_district_names_with_prefix_short_traditional_and_abolished_are_mapped():
    report = registers.check(CASES / "districts.xlsx")
    mapped = {written: code for header, written, code, _ in report.mappings if header == "区"}
    assert mapped == {
        "南通市崇川区": "320613",
        "南通市海门区": "320614",
        "南通市如东县": "320623",
        "港闸区": "320613",
        "崇川": "320613",
        "如東縣": "320623",
    }
    assert rules(report.faults) == []  # one person in two districts counts in each


def test_a_web_page_saved_as_xls_is_refused_with_what_to_do():
    assert "save it as .xlsx" in str(refused("html_as_xls.xls"))


def test_an_encrypted_workbook_is_refused_without_a_path():
    message = str(refused("ole_encrypted.xlsx"))
    assert "encrypted or old format" in message
    assert str(CASES) not in message


def test_shell_characters_in_a_file_name_stay_out_of_every_path(tmp_path):
    receipt = registers.import_files(CASES / "名册 2026'Q3 $(id).csv", as_of="2026-09-30", root=tmp_path)
    assert all("$" not in str(path.relative_to(tmp_path)) for path in receipt.paths)
    assert {path.name for path in receipt.paths} == {"000001.parquet", "000001.json"}
