"""Files that no office should send: each is refused or read, quickly, in little memory, with one plain sentence."""

import json
import re
import resource
import subprocess
import sys
import time
import zipfile
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from institute_lib import registers
from institute_lib.registers import workbook
from tests.alone import run_alone
from tests.offices import (
    FIRST_SHEET,
    HEADERS,
    as_text,
    claim_size,
    number,
    people,
    person,
    repack,
    rewrite_rows,
    write_csv,
    write_workbook,
)

SECONDS, MEMORY = 10, 1_000_000_000
TODAY = "2026-01-01"


def check(path, **options):
    return registers.check(path, today=TODAY, **options)


def rules(problems):
    return [problem.rule for problem in problems]


def book(folder, rows=None, change=None, name="名册.xlsx"):
    return write_workbook(folder / name, people() if rows is None else rows, change=change)


def merge_everything(xml):
    ranges = b'<mergeCell ref="A1:A5000"/>' * 5_000
    return xml.replace(b"</sheetData>", b"</sheetData><mergeCells>" + ranges + b"</mergeCells>")


def put(row, column):
    return lambda made: made.active.cell(row, column, 1)


def content(folder, data, name="名册.csv"):
    path = folder / name
    path.write_bytes(data)
    return path


def with_document_type(xml):
    entities = b"".join(b'<!ENTITY %c "%s">' % (98 + at, b"&%c;" % (97 + at) * 10) for at in range(9))
    head, found, body = xml.rpartition(b"?>")
    return head + found + b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + entities + b"]>" + body


def with_strings(folder, strings, cells, rows):
    """A workbook whose cells point at shared strings."""
    letters = b"ABCDEFGH"[:cells]
    body = b"".join(
        b'<row r="%d">' % row
        + b"".join(b'<c r="%c%d" t="s"><v>0</v></c>' % (letter, row) for letter in letters)
        + b"</row>"
        for row in range(1, rows + 1)
    )
    head = b'<?xml version="1.0"?><sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    part = {"xl/sharedStrings.xml": head + strings + b"</sst>"}
    return repack(book(folder), {FIRST_SHEET: lambda xml: rewrite_rows(xml, body)}, part)


def package(folder, parts, name):
    with zipfile.ZipFile(folder / name, "w") as made:
        for part in parts:
            made.writestr(part, b"x")
    return folder / name


def flagged_as_encrypted(path):
    data = bytearray(path.read_bytes())
    for found in re.finditer(b"PK\x01\x02", bytes(data)):
        data[found.start() + 8] |= 1
    path.write_bytes(data)
    return path


OLE = bytes.fromhex("d0cf11e0a1b11ae1")
LINE = ",".join(HEADERS).encode()
WIDE = ",二号社区社工站,"
REFUSED = {
    "a package that unpacks to more than any register": (
        lambda at: claim_size(book(at), FIRST_SHEET, workbook.MAX_UNPACKED + 1),
        "too_large",
    ),
    "a package of ten thousand parts": (
        lambda at: repack(book(at), {}, {f"xl/{i}.xml": b"" for i in range(workbook.MAX_ENTRIES)}),
        "too_large",
    ),
    "a part that lies about its size": (
        lambda at: claim_size(
            repack(book(at), {"xl/styles.xml": lambda xml: xml + b" " * 10**7}), "xl/styles.xml", 900
        ),
        "damaged",
    ),
    "a cell in the last row": (
        lambda at: book(at, change=lambda made: made.active.cell(1_048_576, 1, "x")),
        "stray_cell",
    ),
    "a cell in the last column": (
        lambda at: book(at, change=lambda made: made.active.cell(1, 16_384, "x")),
        "stray_cell",
    ),
    "a far cell between single quotes": (
        lambda at: repack(
            book(at, change=put(1_048_576, 16_384)),
            {FIRST_SHEET: lambda xml: xml.replace(b'"', b"'")},
        ),
        "stray_cell",
    ),
    "a far cell that only the parser understands": (
        lambda at: repack(
            book(at, change=put(1_048_576, 16_384)),
            {FIRST_SHEET: lambda xml: xml.replace(b' r="', b' r = "')},
        ),
        "too_heavy",
    ),
    "entities that double ten times over in the sheet": (
        lambda at: repack(book(at), {FIRST_SHEET: with_document_type}),
        "unsafe_package",
    ),
    "entities in the shared strings": (
        lambda at: repack(book(at), {}, {"xl/sharedStrings.xml": with_document_type(b"<sst/>")}),
        "unsafe_package",
    ),
    "an entity that names a file of this computer": (
        lambda at: repack(
            book(at), {"xl/workbook.xml": lambda xml: b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + xml}
        ),
        "unsafe_package",
    ),
    "a part with a path upwards": (lambda at: repack(book(at), {}, {"../../evil.txt": b"x"}), "unsafe_package"),
    "a part with an absolute path": (lambda at: repack(book(at), {}, {"/etc/evil.txt": b"x"}), "unsafe_package"),
    "a part with a Windows path": (lambda at: repack(book(at), {}, {"..\\evil.txt": b"x"}), "unsafe_package"),
    "an encrypted package": (lambda at: flagged_as_encrypted(book(at)), "encrypted_or_old"),
    "a package cut off": (lambda at: content(at, book(at).read_bytes()[:-400], "名册.xlsx"), "damaged"),
    "a package without its sheet": (lambda at: repack(book(at), {FIRST_SHEET: lambda _: b""}), "damaged"),
    "a Word document called .xlsx": (lambda at: package(at, ["word/document.xml"], "名册.xlsx"), "other_format"),
    "a binary workbook": (lambda at: package(at, ["xl/workbook.bin"], "名册.xlsb"), "other_format"),
    "an OpenDocument table": (lambda at: package(at, ["mimetype", "content.xml"], "名册.ods"), "other_format"),
    "an archive of registers": (lambda at: package(at, ["名册.csv"], "名册.zip"), "other_format"),
    "an empty archive": (lambda at: package(at, [], "名册.xlsx"), "other_format"),
    "a PDF called .csv": (lambda at: content(at, b"%PDF-1.4\n%\xe2\xe3\xcf\xd3"), "other_format"),
    "a picture called .xlsx": (
        lambda at: content(at, b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "名册.xlsx"),
        "other_format",
    ),
    "noise behind the old format's mark": (
        lambda at: content(at, OLE + bytes(range(256)) * 20, "名册.xls"),
        "encrypted_or_old",
    ),
    "zeros behind the old format's mark": (lambda at: content(at, OLE + bytes(5_000), "名册.xls"), "encrypted_or_old"),
    "a web page with a byte order mark": (lambda at: content(at, "\ufeff<html>".encode(), "名册.xls"), "markup"),
    "a web page in UTF-16": (lambda at: content(at, "<html>".encode("utf-16"), "名册.xls"), "markup"),
    "a web archive": (lambda at: content(at, b"MIME-Version: 1.0\r\n", "名册.xls"), "markup"),
    "a text called .xlsx": (lambda at: write_csv(at / "名册.xlsx", people()), "renamed"),
    "a folder": (lambda at: (at / "名册.xlsx").mkdir() or at / "名册.xlsx", "folder"),
    "what a spreadsheet program keeps beside an open file": (lambda at: book(at, name="~$名册.xlsx"), "lock_file"),
    "a name longer than any": (lambda at: at / f"{'长' * 300}.csv", "no_file"),
    "nothing but zeros": (lambda at: content(at, bytes(100_000)), "empty_file"),
    "nothing but a byte order mark": (lambda at: content(at, b"\xef\xbb\xbf\r\n"), "empty_file"),
    "one line of a hundred megabytes": (lambda at: content(at, b"a," * 50_000_000), "too_large"),
    "one line of ten million fields": (lambda at: content(at, b"a," * 10_000_000), "too_large"),
    "one line of a million fields": (lambda at: content(at, b"a," * 1_000_000), "stray_cell"),
    "a header of brackets that never close": (
        lambda at: write_workbook(at / "名册.xlsx", [["（" * 32_000] * 9] * 29, ["（" * 32_000] * 9),
        "headers_missing",
    ),
    "ranges merged over each other": (
        lambda at: repack(book(at, [[1]] * 5_000), {FIRST_SHEET: merge_everything}),
        "damaged",
    ),
    "ten million lines": (lambda at: content(at, LINE + b"\n" * 10_000_000), "too_large"),
    "one field of ten megabytes": (lambda at: content(at, LINE + b"\n" + b"a" * 10_000_000), "csv_form"),
    "a quotation mark that never closes": (
        lambda at: content(at, as_text(people()).replace("甄无名", '"甄无名', 1).encode()),
        "csv_form",
    ),
    "a UTF-16 file cut in a character": (
        lambda at: content(at, as_text(people()).encode("utf-16-le")[:-1]),
        "cut_off",
    ),
    "a line in UTF-8 below one in GBK": (
        lambda at: content(at, LINE.decode().encode("gb18030") + b"\n" + as_text(people(), []).encode()),
        "two_encodings",
    ),
    "a field in UTF-8 among fields in GBK": (
        lambda at: content(
            at, as_text(people()).encode("gb18030").replace("甲社工站".encode("gb18030"), WIDE.encode())
        ),
        "two_encodings",
    ),
    "Big5 that was read as GBK": (
        lambda at: write_csv(
            at / "a.csv",
            [],
            [text.encode("big5").decode("gb18030") for text in ("姓名", "身份證號", "學歷", "入職日期")],
        ),
        "headers_misdecoded",
    ),
    "UTF-8 encoded twice": (
        lambda at: content(at, as_text(people()).encode().decode("latin-1").encode()),
        "headers_misdecoded",
    ),
    "UTF-8 read as GBK": (
        lambda at: content(at, as_text(people()).encode().decode("gb18030", "replace").replace("\ufffd", "?").encode()),
        "headers_misdecoded",
    ),
    "characters lost on saving": (
        lambda at: content(at, as_text(people()).replace("甲社工站", "\ufffd\ufffd社工站").encode()),
        "replacement_character",
    ),
    "the same column twice": (
        lambda at: write_csv(at / "a.csv", [[*row, "1"] for row in people()], [*HEADERS, "工 资（元）"]),
        "headers_duplicate",
    ),
    "pay in dollars": (
        lambda at: write_csv(at / "a.csv", people(), [*HEADERS[:6], "月薪（美元）", *HEADERS[7:]]),
        "header_currency",
    ),
    "a header and nothing below": (lambda at: write_csv(at / "a.csv", []), "no_rows"),
    "a sheet without a header": (lambda at: write_csv(at / "a.csv", people()[1:], people()[0]), "headers_missing"),
}
# What a cell holds, under which header, and the rule that it breaks.
CELLS = [
    ("身份证号", 320613199003070000, "identity_numeric"),
    ("身份证号", 320613900307001, "identity_numeric"),
    ("身份证号", "3.20613E+17", "identity_numeric"),
    ("身份证号", number(1)[:-3] + "000", "identity_numeric"),
    ("身份证号", number(1, birth="19900230"), "identity_birth"),
    ("身份证号", number(1)[:-1] + "X", "identity_check"),
    ("身份证号", "12345678", "identity_form"),
    ("身份证号", "不详", "required_missing"),
    ("姓名", "—", "required_missing"),
    ("姓名", 12345, "name_form"),
    ("姓名", "13800138000", "name_form"),
    ("姓名", date(2020, 1, 1), "name_form"),
    ("社工站", "甲站 138-0013-8000", "text_personal"),
    ("社工站", "甄倀工作室", "text_personal"),
    ("社工站", f"负责人{number(7)}", "text_personal"),
    ("社工站", True, "text_form"),
    ("社工站", "南通社工站".encode().decode("latin-1"), "text_misdecoded"),
    ("社工站", "南通社工站".encode("gbk").decode("latin-1"), "text_misdecoded"),
    ("社工站", "站" * 201, "text_long"),
    ("社工站", f"a{' ' * 30_000}b\nc", "text_long"),
    ("姓名", "名" * 201, "name_form"),
    ("区", "浦东新区", "district_unknown"),
    ("区", "南通市", "district_level"),
    ("区", "鼓楼区", "district_unclear"),
    ("区", "吴县市", "district_unclear"),
    ("区", "<b>崇川区</b>", "district_unknown"),
    ("级别", "特级", "level_unknown"),
    ("月薪", "50%", "amount_form"),
    ("月薪", "-5300", "amount_negative"),
    ("月薪", "(5300)", "amount_form"),
    ("月薪", "$5300", "amount_form"),
    ("月薪", "5000-6000", "amount_form"),
    ("月薪", "面议", "amount_form"),
    ("月薪", True, "amount_form"),
    ("月薪", date(2020, 1, 1), "amount_form"),
    ("入职日期", "24.1.5", "day_form"),
    ("入职日期", "2024年1月", "day_incomplete"),
    ("入职日期", "2024", "day_form"),
    ("入职日期", "民国113年1月5日", "day_form"),
    ("入职日期", "甲辰年正月初五", "day_form"),
    ("入职日期", "01/02/2024", "day_ambiguous"),
    ("入职日期", "2023-02-29", "day_impossible"),
    ("入职日期", "1900-02-29", "day_impossible"),
    ("入职日期", 60, "day_form"),
    ("入职日期", 4_000_000, "day_form"),
    ("入职日期", True, "day_form"),
    ("入职日期", "2030-01-01", "day_future"),
    ("入职日期", date(1930, 1, 1), "day_old"),
    ("离职日期", "2019-07-01", "left_before_entered"),
]


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_no_register_is_refused_in_one_sentence(tmp_path, name):
    make, rule = REFUSED[name]
    path = make(tmp_path)
    begun = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    report = check(path)
    spent = time.process_time() - begun[0], resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begun[1]
    assert rules(report.faults) == [rule]
    assert "\n" not in str(report.faults[0].fault()).replace(path.name, "")
    assert str(tmp_path) not in json.dumps(report.to_dict())
    assert sum(spent) < SECONDS


@pytest.mark.parametrize(("header", "cell", "rule"), CELLS)
def test_a_cell_that_needs_a_guess_is_a_fault_where_it_stands(tmp_path, header, cell, rule):
    rows = [person(1), person(0, **{header: cell})]
    faults = check(book(tmp_path, rows)).faults
    assert [(fault.rule, fault.row, fault.column) for fault in faults] == [(rule, 3, header)]
    is_word = rule in ("level_unknown", "district_unknown")  # nobody's, so that it may be shown
    assert faults[0].value is None or is_word or str(cell) != faults[0].value


GREEDY = {
    "one string of 32,000 letters in 320,000 cells": b"<si><t>" + b"a" * 32_000 + b"</t></si>",
    "four million strings": b"<si><t>a</t></si>" * 4_000_000,
}


@pytest.mark.parametrize("name", GREEDY)
def test_a_workbook_that_fills_memory_ends_with_its_own_process(tmp_path, name):
    path = with_strings(tmp_path, GREEDY[name], cells=8, rows=40_000)
    program = (
        "import resource, sys\n"
        "from institute_lib import registers\n"
        "rules = [fault.rule for fault in registers.check(sys.argv[1]).faults]\n"
        "times = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(rules, times.ru_utime + times.ru_stime)\n"
    )
    said, peak = run_alone(program, path)
    found, seconds = re.fullmatch(r"\[(.*)\] ([\d.]+)", said).groups()
    assert found in ("'too_heavy'", "'too_large'", "'headers_missing'")
    assert peak < MEMORY
    assert float(seconds) < SECONDS


def test_a_sheet_that_claims_to_be_endless_is_read_as_it_is(tmp_path):
    endless = {FIRST_SHEET: lambda xml: re.sub(rb'dimension ref="[^"]*"', b'dimension ref="A1:XFD1048576"', xml)}
    report = check(repack(book(tmp_path), endless))
    assert (report.rows_out, report.faults) == (3, ())


def test_macros_are_never_run_and_a_workbook_with_some_is_read(tmp_path):
    path = repack(book(tmp_path, name="名册.xlsm"), {}, {"xl/vbaProject.bin": b"x"})
    assert check(path).rows_out == 3


def test_a_stored_result_is_read_whatever_its_formula_would_do_and_an_error_is_none(tmp_path):
    path = book(tmp_path, change=lambda made: made.active.__setitem__("E2", "=cmd|' /C calc'!A0"))
    assert rules(check(path).faults) == ["formula_unstored"]
    stored = re.compile(rb"(<c r=\"E2\")([^>]*>\s*<f>[^<]*</f>)<v\s*/?>(</v>)?")
    repack(path, {FIRST_SHEET: lambda xml: stored.sub(rb'\1 t="str"\2<v>x</v>', xml)})
    assert check(path).faults == ()
    path = book(tmp_path, [person(0, 月薪="#REF!")])
    assert [(fault.rule, fault.row, fault.column) for fault in check(path).faults] == [("cell_error", 2, "月薪")]


def test_an_empty_text_is_a_stored_result(tmp_path):
    path = book(tmp_path, change=lambda made: made.active.__setitem__("E2", '=""'))
    empty = re.compile(rb"(<c r=\"E2\")([^>]*>\s*<f>[^<]*</f>)<v\s*/?>(</v>)?")
    repack(path, {FIRST_SHEET: lambda xml: empty.sub(rb'\1 t="str"\2<v></v>', xml)})
    assert check(path).faults == ()


def test_formulas_in_columns_that_are_not_read_are_nobodys_business(tmp_path):
    rows = [[*row, "=1+1"] for row in people()]
    assert check(write_workbook(tmp_path / "a.xlsx", rows, [*HEADERS, "备注"])).faults == ()


def test_hidden_rows_and_columns_are_read_with_a_warning(tmp_path):
    def hide(made):
        made.active.row_dimensions[3].hidden = True
        made.active.column_dimensions["G"].hidden = True

    report = check(book(tmp_path, change=hide))
    assert [(problem.rule, problem.column, problem.detail) for problem in report.problems] == [
        ("hidden_rows", None, "1"),
        ("hidden_column", "月薪", ""),
    ]
    assert report.rows_out == 3


def test_a_cell_merged_downwards_holds_for_each_of_its_rows(tmp_path):
    report = check(book(tmp_path, change=lambda made: made.active.merge_cells("D2:D4")))
    assert report.faults == ()
    assert {written: rows for header, written, _, rows in report.mappings if header == "区"} == {"崇川区": 3}
    assert [(note.rule, note.detail) for note in report.notes if note.rule == "merged_filled"] == [
        ("merged_filled", "2")
    ]


def test_signatures_totals_and_repeated_headers_are_left_out_and_counted(tmp_path):
    first, *others = people()
    below = [
        ["崇川区小计：1人", *[""] * 8],
        ["合计", "", "", "", "", "", "12400.5", "", ""],
        ["填表人：甄某", "", "", "审核：贾某 13800138000", "", "", "", "日期：2026.1.5", ""],
        ["", "", "", "", "", "", "", "（盖章）", ""],
    ]
    report = check(write_csv(tmp_path / "a.csv", [first, HEADERS, *others, *below]))
    (source,) = report.sources
    assert (source.rows_out, source.excluded_totals, source.excluded_footers) == (3, 2, 2)
    assert source.personal_data_in_footers == 1
    assert report.faults == ()


def test_a_last_row_with_only_a_name_is_no_signature(tmp_path):
    report = check(write_csv(tmp_path / "a.csv", [*people(), ["甄半行", *[""] * 8]]))
    assert {(fault.rule, fault.row) for fault in report.faults} == {("required_missing", 5)}


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "gbk"]
)
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_every_encoding_line_end_and_delimiter_is_read(tmp_path, encoding, end, delimiter):
    report = check(content(tmp_path, as_text(people(), HEADERS, delimiter, end).encode(encoding)))
    assert (report.rows_out, report.faults, report.problems) == (3, (), ())


@pytest.mark.parametrize("name", ["$(id) `id` ; rm -rf ~ & '\".csv", "a\nb\x1b[31m.csv", f"{'长' * 80}.csv", "..csv"])
def test_no_file_name_reaches_a_command_a_path_or_the_terminal_as_it_is(tmp_path, name):
    report = check(write_csv(tmp_path / name, people()))
    (source,) = report.sources
    assert source.rows_out == 3
    assert source.file.isprintable()


def test_files_of_one_name_from_two_folders_are_told_apart_and_a_file_given_twice_is_refused(tmp_path):
    paths = [tmp_path / folder / "名册.csv" for folder in ("崇川", "海门")]
    for at, path in enumerate(paths):
        path.parent.mkdir()
        write_csv(path, [person(at), person(at + 10)])
    report = check(paths)
    assert [(source.file, source.rows_out) for source in report.sources] == [("崇川/名册.csv", 2), ("海门/名册.csv", 2)]
    assert rules(check([paths[0], paths[0]]).faults) == ["file_repeated"]


def test_sheets_and_files_with_other_headers_are_read_as_one_register(tmp_path):
    def add(made):
        made.create_sheet("海门").append(["身份证号码", "姓 名", "所属区", "到岗时间"])
        made["海门"].append([number(50), "甄五", "海门", date(2020, 1, 2)])
        made.create_sheet("说明").append(["填表说明"])

    paths = [
        book(tmp_path, [person(1)], add),
        write_csv(tmp_path / "b.tsv", [person(2)], encoding="gb18030", delimiter="\t"),
    ]
    report = check(paths)
    assert [source.rows_out for source in report.sources] == [1, 1, 1]
    assert rules(report.problems) == ["sheet_unread"]
    assert report.faults == ()


def test_a_hundred_thousand_faults_are_told_in_ten_thousand_lines_and_a_count(tmp_path):
    rows = b"a,b\n" * 100_000
    begun = time.process_time()
    report = check(content(tmp_path, LINE + b"\n" + rows))
    assert len(report.faults) == 10_001
    assert report.faults[-1].alike == 90_000
    assert "100,000" in report.summary("en")
    assert "100000" in str(registers.RegisterError(report)).splitlines()[0]
    report.listing()
    assert time.process_time() - begun < SECONDS


def test_a_column_of_districts_that_are_none_is_told_as_fast_as_any_other(tmp_path):
    rows = [person(at % 900, 区=f"崇川区第{at}号{'长' * (at % 50)}") for at in range(5_000)]
    begun = time.process_time()
    faults = check(write_csv(tmp_path / "a.csv", rows)).faults
    assert sum(fault.rule == "district_unknown" for fault in faults) == 5_000
    assert time.process_time() - begun < SECONDS


def test_a_report_as_a_workbook_holds_texts_alone_and_rows_as_numbers(tmp_path):
    rows = [person(0, 社工站="\x00\x1b=1+1", 级别="=cmd"), person(1, 区="\u202e+1")]
    report = check(write_csv(tmp_path / "a.csv", rows))
    sheet = openpyxl.load_workbook(report.save(tmp_path / "report.xlsx")).active
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n", "inlineStr"}
    header = [cell.value for cell in sheet[1]]
    assert {type(row[header.index("行")].value) for row in sheet.iter_rows(min_row=2)} <= {int, type(None), str}
    assert sheet.freeze_panes == "A2"
    assert {cell.fill.fgColor.rgb[2:] for cell in sheet["A"][1:]} == {"FFC7CE", "FFEB9C", "FFFFFF"}
    assert [row["row"] for row in report.to_dict()["problems"] if row["severity"] == "fault"] == [2, 3]


def test_the_reading_process_holds_no_more_than_it_may():
    program = "import resource, sys; sys.path.insert(0, sys.argv[1]); import workbook; workbook._limit()"
    program += "; print(*resource.getrlimit(resource.RLIMIT_AS), *resource.getrlimit(resource.RLIMIT_CPU))"
    folder = Path(workbook.__file__).parent
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    memory, _, seconds, _ = map(int, done.stdout.split())
    assert memory < MEMORY
    assert seconds < SECONDS
