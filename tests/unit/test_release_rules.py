"""Each rule is needed: switch it off, and something leaves that should not."""

import hashlib
import json

import pytest

from institute_lib import registers, release, terms
from institute_lib.registers import digests
from institute_lib.release import names

NUMBER = "999999199003070012"
POINTS = {"type": "scatter", "mode": "markers", "x": [(i * 37) % 101 for i in range(120)], "y": list(range(120))}


def figure(*traces: dict) -> str:
    return json.dumps({"data": list(traces), "layout": {}})


# For each rule a file that only this rule holds back.
ALONE = {
    "identity": ("a.html", f"<p>{NUMBER}</p>"),
    "identity_mangled": ("a.html", "<p>999999199003070000</p>"),
    "identity_masked": ("a.html", "<p>320613********0012</p>"),
    "identity_hash": ("a.html", f"<p>SHA-256: {hashlib.sha256(NUMBER.encode()).hexdigest()}</p>"),
    "name": ("a.html", "<p>社工甄无名负责</p>"),
    "phone": ("a.html", "<p>138-0013-8000</p>"),
    "phone_masked": ("a.html", "<p>138****8000</p>"),
    "path": ("a.html", "<p>/home/lisi/x</p>"),
    "hash": ("a.html", f"<p>{hashlib.sha256(b'another').hexdigest()}</p>"),
    "person_field": ("a.html", "<p>姓名：李四</p>"),
    "document": ("a.html", "<p>台湾居民来往大陆通行证 08412345</p>"),
    "bank_card": ("a.html", "<p>工资卡 6222 0213 0700 1234 560</p>"),
    "home": ("a.html", "<p>家住崇川区人民中路12号</p>"),
    "email": ("a.html", "<p>lihua1980@163.com</p>"),
    "person_rows": ("a.csv", "性别,出生年份,月薪\n女,1971,4037\n男,1985,5210\n女,1990,6120\n女,1969,4480\n"),
    "person_column": ("a.csv", "姓名,区\n甲,乙\n"),
    "person_values": ("a.json", figure({"type": "box", "y": [5300, 7100, 99000]})),
    "person_cloud": ("a.json", figure(POINTS)),
    "person_labels": ("a.json", figure({"type": "scatter", "x": [1, 2], "y": [2, 1], "ids": ["w001", "w002"]})),
    "traceback": ("a.html", "<pre>Traceback (most recent call last):</pre>"),
    "formula": ("a.csv", "a,b\nx,=1+1\n"),
}
# For each that only warns a file that warns by it alone.
DOUBTS = {
    "identity_unchecked": ("a.html", "<p>32061319900307001</p>"),
    "identity_old": ("a.html", "<p>320613900307001</p>"),
    "certificate": ("a.html", "<p>证书编号：32201912345</p>"),
    "bank_account": ("a.html", "<p>账号 3205 0164 7612 0000</p>"),
    "plate": ("a.html", "<p>驾驶的车是 苏F12A45</p>"),
    "home_like": ("a.html", "<p>在文峰花园3幢502室</p>"),
    "birth": ("a.html", "<p>女，1980年9月27日生</p>"),
    "phone_home": ("a.html", "<p>家庭电话 85216000</p>"),
    "account": ("a.html", "<p>微信号 lihua_1980</p>"),
    "name_masked": ("a.html", "<p>喻*佳</p>"),
    "person_names": ("a.csv", "甲\n王小明\n李小红\n张大伟\n陈建国\n刘洋\n赵一曼\n"),
    "path_local": ("a.html", "<p>D:\\名册\\a.xlsx</p>"),
    "style_calls": ("a.html", "<style>@import 'x'</style>"),
}


@pytest.fixture
def register(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(tmp_path / "keys" / "pseudonym.key"))
    registers.new_key()
    digests.add(registers.load_key(), ["甄无名"], [NUMBER])
    names.known.cache_clear()
    yield
    names.known.cache_clear()


@pytest.mark.parametrize("rule", ALONE)
def test_without_its_rule_a_leak_would_leave(register, tmp_path, rule):
    name, content = ALONE[rule]
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert {one.rule for one in release.scan(tmp_path / name) if one.severity == "refuse"} == {rule}


@pytest.mark.parametrize("rule", DOUBTS)
def test_without_its_rule_a_doubt_would_leave_unasked(tmp_path, rule):
    name, content = DOUBTS[rule]
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert {(one.severity, one.rule) for one in release.scan(tmp_path / name)} == {("warn", rule)}


# What the gate finds by itself, beside the scan (test_release_gate).
OF_THE_GATE = {
    "failed",
    "changed",
    "demo",
    "unknown_source",
    "names_unknown",
    "names_stale",
    "internal",
    "unreadable",
    "unchecked",
}


def test_every_rule_has_its_example_and_says_what_clears_it():
    keys = terms.catalogue("release")
    listed = {key.removeprefix("rule_") for key in keys if key.startswith("rule_")}
    assert listed == set(ALONE) | set(DOUBTS) | OF_THE_GATE
    assert {rule for rule in listed if f"do_{rule}" not in keys} == set()
