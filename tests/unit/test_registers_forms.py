"""A sound register comes back the same from every encoding, header form, date form and kind of file (hypothesis)."""

from datetime import date, timedelta

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from institute_lib import registers
from tests.offices import HEADERS, as_text, number

DIGITS = "〇一二三四五六七八九"
SMALL = ["", *DIGITS[1:], "十", *(f"十{digit}" for digit in DIGITS[1:])]
NUMERALS = [*SMALL, "二十", *(f"二十{digit}" for digit in DIGITS[1:]), "三十", "三十一"]
DATE_FORMS = {
    "iso": lambda day: day.isoformat(),
    "slashes": lambda day: f"{day.year}/{day.month}/{day.day}",
    "dots": lambda day: f"{day.year}.{day.month}.{day.day}",
    "compact": lambda day: f"{day:%Y%m%d}",
    "chinese": lambda day: f"{day.year}年{day.month}月{day.day}日",
    "spaced": lambda day: f"{day.year} 年 {day.month} 月 {day.day} 日",
    "numerals": lambda day: (
        "".join(DIGITS[int(d)] for d in str(day.year)) + f"年{NUMERALS[day.month]}月{NUMERALS[day.day]}日"
    ),
    "serial": lambda day: str((day - date(1899, 12, 30)).days),
    "midnight": lambda day: f"{day.isoformat()} 00:00:00",
}
CELL_FORMS = {
    "date": lambda day, _: day,
    "serial": lambda day, epoch: (day - epoch).days,
    "compact": lambda day, _: int(f"{day:%Y%m%d}"),
    "text": lambda day, _: f"{day.year}年{day.month}月{day.day}日",
}
HEADER_FORMS = {
    "plain": HEADERS,
    "synonyms": [
        "人员姓名",
        "公民身份号码",
        "联系电话",
        "所在区县",
        "社工站名称",
        "证书等级",
        "月工资",
        "到岗时间",
        "离岗日期",
    ],
    "remarks": [
        "姓 名*",
        "身份证号码\n(18位)",
        "手机（必填）",
        "县(市、区)",
        "社工站【全称】",
        "级 别",
        "月薪（元/月）",
        "入职时间：",
        "离职日期(在职不填)",
    ],
    "units": [*HEADERS[:6], "月薪/元", *HEADERS[7:]],
    "full width": ["　姓名　", "身份证号", "手机号", "区／县".replace("／", ""), *HEADERS[4:]],
}
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030"]
WIDE = str.maketrans("0123456789Xx.,", "０１２３４５６７８９Ｘｘ．，")
NAMES = ["NA", "null", "None", "nan", "王𬭎㛃", "𠮷野", "买买提·吐尔逊", "O'Brien", "欧阳", "龘靐"]

DISTRICTS = [("崇川区", "320613"), ("海门", "320614"), ("如東縣", "320623"), ("江苏省南通市启东市", "320681")]
LEVELS = [("助理", "assistant"), ("中级社会工作师", "social_worker"), ("未持证", "none"), ("不详", "unknown")]
PAY = [("5300.5", 5300.5), ("5,300.50", 5300.5), ("￥7100元", 7100), ("0.71万", 7100), ("7.1千元", 7100)]

# Compatibility forms are read as the characters that they look like; a test of their own has them.
characters = st.characters(codec="gb18030", categories=("L",)).filter(lambda one: not "\uf900" <= one <= "\ufaff")
letters = st.text(characters, min_size=3, max_size=6)
spells = st.tuples(
    st.dates(date(1960, 1, 1), date(2025, 6, 1)),
    st.none() | st.integers(1, 200),
    st.sampled_from(DISTRICTS),
    st.sampled_from(LEVELS),
    st.sampled_from(PAY),
    st.sampled_from(NAMES),
    letters.map(lambda text: f"𬭎{text}站"),
)
registers_of = st.lists(spells, min_size=1, max_size=5)


@pytest.fixture
def key(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(tmp_path / "keys" / "pseudonym.key"))
    registers.new_key()
    return registers.load_key()


def rows_of(drawn, written):
    """Rows as an office writes them; `written` turns a day into a cell."""
    for at, (entered, after, district, level, pay, name, station) in enumerate(drawn):
        left = "" if after is None else written(entered + timedelta(days=after))
        yield [name, number(at + 1), "13900001111", district[0], station, level[0], pay[0], written(entered), left]


def assert_same(imported, drawn, key):
    frame, changes = imported.frame, imported.changes
    assert frame["worker_id"].tolist() == [key.pseudonym(number(at + 1)) for at in range(len(drawn))]
    assert frame["entered"].dt.date.tolist() == [spell[0] for spell in drawn]
    left = [
        None if day is None else day.date() for day in frame["left"].astype(object).where(frame["left"].notna(), None)
    ]
    assert left == [None if spell[1] is None else spell[0] + timedelta(days=spell[1]) for spell in drawn]
    assert frame["district"].tolist() == [spell[2][1] for spell in drawn]
    assert frame["station"].tolist() == [spell[6] for spell in drawn]
    assert changes["certificate"].tolist() == [spell[3][1] for spell in drawn]
    assert changes["monthly_pay"].tolist() == [spell[4][1] for spell in drawn]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=registers_of,
    encoding=st.sampled_from(ENCODINGS),
    headers=st.sampled_from(sorted(HEADER_FORMS)),
    form=st.sampled_from(sorted(DATE_FORMS)),
    delimiter=st.sampled_from(",\t;"),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
    wide=st.booleans(),
)
def test_from_text(key, tmp_path, *, drawn, encoding, headers, form, delimiter, end, wide):
    rows = list(rows_of(drawn, DATE_FORMS[form]))
    if wide:
        rows = [
            [row[0], row[1].translate(WIDE), *row[2:6], *(cell.translate(WIDE) for cell in row[6:])] for row in rows
        ]
    path = tmp_path / "any.txt"
    path.write_bytes(as_text(rows, HEADER_FORMS[headers], delimiter, end).encode(encoding))
    imported = registers.read(path, today="2026-01-01")
    assert_same(imported, drawn, key)
    assert imported.report.sources[0].encoding == encoding


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=registers_of,
    headers=st.sampled_from(sorted(HEADER_FORMS)),
    form=st.sampled_from(sorted(CELL_FORMS)),
    is_1904=st.booleans(),
    title=st.booleans(),
)
def test_from_a_workbook(key, tmp_path, *, drawn, headers, form, is_1904, title):
    book = openpyxl.Workbook()
    if is_1904:
        book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    epoch = date(1904, 1, 1) if is_1904 else date(1899, 12, 30)
    if title:
        book.active.append(["2026年第三季度名册"])
    book.active.append(HEADER_FORMS[headers])
    for row in rows_of(drawn, lambda day: CELL_FORMS[form](day, epoch)):
        book.active.append(row)
    book.save(tmp_path / "any.xlsx")
    assert_same(registers.read(tmp_path / "any.xlsx", today="2026-01-01"), drawn, key)


def test_a_header_over_two_rows_is_read_by_its_lower_row_and_what_stands_above(key, tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["姓名", "身份证号", "工作单位", None, "入职", "离职", "其他", None])
    sheet.append([None, None, "区", "社工站", "日期", "日期", "籍贯", "爱好"])
    sheet.append(["甄无名", number(1), "崇川区", "甲社工站", "2019-07-01", "2020-01-01", "南通", "乒乓"])
    for span in ("A1:A2", "B1:B2", "C1:D1", "G1:H1"):
        sheet.merge_cells(span)
    book.save(tmp_path / "a.xlsx")
    frame = registers.read(tmp_path / "a.xlsx").frame
    assert frame[["district", "station"]].values.tolist() == [["320613", "甲社工站"]]
    assert frame["left"].dt.date.tolist() == [date(2020, 1, 1)]


@pytest.mark.parametrize(
    ("header", "written", "yuan"),
    [
        ("月薪", "5,300.50", 5300.5),
        ("月薪", "￥4,500.00", 4500),
        ("月薪", "3.5千元", 3500),
        ("月薪", "5千", 5000),
        ("月薪", "0.57万", 5700),
        ("月薪", "5300元/月", 5300),
        ("月薪", "人民币5300元整", 5300),
        ("月薪（千元）", "5.3", 5300),
        ("月薪(单位：万元)", "0.53", 5300),
        ("月薪（万元）", "5300元", 5300),
        ("月薪/千元", "5.3", 5300),
    ],
)
def test_units_are_read_from_the_cell_or_else_from_the_header(key, tmp_path, header, written, yuan):
    path = tmp_path / "a.csv"
    path.write_text(
        as_text(
            [["甄无名", number(1), "崇川区", "2019-07-01", written]], ["姓名", "身份证号", "区", "入职日期", header]
        )
    )
    assert registers.read(path).changes["monthly_pay"].tolist() == [yuan]
