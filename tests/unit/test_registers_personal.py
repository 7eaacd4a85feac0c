"""The one detector of personal data: what it tells in a text, whatever the writing, and what it leaves alone."""

import time

import pytest

from institute_lib.registers import personal
from tests.offices import number

PERSON = number(7)
TOLD = [
    ("虚构站+8613912345678", "phone"),
    ("+86 139 1234 5678", "phone"),
    ("0086-139-1234-5678", "phone"),
    ("（+86）139 1234 5678", "phone"),
    ("(139)1234-5678", "phone"),
    ("139.1234.5678", "phone"),
    ("139 12345 678", "phone"),
    ("1391234 5678", "phone"),
    ("1 3 9 1 2 3 4 5 6 7 8", "phone"),
    ("１３９１２３４５６７８", "phone"),
    ("①③⑨①②③④⑤⑥⑦⑧", "phone"),
    ("139\u200b1234\u200b5678", "phone"),
    ("站长手机13912345678，勿外传", "phone"),
    ("（0513）8551 2345", "landline"),
    ("0513-85512345", "landline"),
    (PERSON, "identity"),
    (f"{PERSON[:6]} {PERSON[6:14]} {PERSON[14:]}", "identity"),
    (" ".join(PERSON), "identity"),
    (PERSON[:6] + PERSON[8:17], "identity"),
    (PERSON[:17] + ("1" if PERSON[17] != "1" else "2"), "identity_like"),
    ("H1234567801", "permit"),
    ("USA110078010101", "permit"),
    ("台胞证：01234567", "permit"),
    ("E12345678", "passport"),
    ("EA1234567", "passport"),
    ("护照号 548123456", "passport"),
    ("卡号 4539 1488 0343 6467", "bank_card"),
    ("a.b@example.com", "email"),
    ("QQ：12345678", "account"),
    ("微信号 wx_abc123", "account"),
]
LEFT_ALONE = [
    "金额13812345678元",
    "2021-03-15 至 2022-04-16",
    "20250101000000120",
    "91320600MA1X5K8T0Y",
    "0.13912345678",
    "13.912345678",
    "1.3912345678",
    "第12345678号",
    "HT2025-0012-03",
    "12345热线",
    "120.8653, 32.0104",
    "甲社工站",
    "",
]


@pytest.mark.parametrize(("text", "kind"), TOLD)
def test_personal_numbers_are_told_however_they_are_written(text, kind):
    (found,) = personal.find(text)
    assert found[0] == kind
    assert personal.mask(text[found[1] : found[2]]) != text[found[1] : found[2]]


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_only_looks_like_one_is_left_alone(text):
    assert personal.find(text) == []


def test_places_are_those_of_the_text_as_written():
    text = f"联系（+86）139-1234-5678，证件{PERSON}"
    assert [text[start:end] for _, start, end in personal.find(text)] == ["86）139-1234-5678", PERSON]


@pytest.mark.parametrize("text", ["李青心理工作室", "由李 青负责", "李　青", "李·青站", "李\n青"])
def test_names_are_found_also_where_they_are_split(text):
    ((kind, start, end),) = personal.find_names(text, frozenset({"李青"}))
    assert (kind, text[start], text[end - 1]) == ("name", "李", "青")


@pytest.mark.parametrize(
    "name", ["陈雨桐", "陈 雨桐", "陈　雨　桐", "陈雨桐（女）", "陈雨桐*", "陈雨桐老师", "陈雨桐[兼]", "陈雨桐同志"]
)
def test_a_name_is_the_same_with_spaces_remarks_marks_and_titles(name):
    assert personal.bare_name(name) == "陈雨桐"


@pytest.mark.parametrize("dot", "·∙●•‧・．.⋅")
def test_every_dot_between_the_parts_of_a_name_is_one(dot):
    assert personal.bare_name(f"阿依古丽{dot}买买提") == "阿依古丽买买提"


def test_a_name_that_is_all_title_stays_a_name():
    assert personal.bare_name("任主任") == "任主任"


def test_a_long_page_is_read_in_a_fraction_of_a_second():
    page = "职业资格通过率2024年为12.5%，比上年高3.4个百分点；120,345 人 <td>1234</td><td>5678</td>" * 6_000
    begun = time.process_time()
    assert personal.find(page) == []
    assert time.process_time() - begun < 1
