"""Every disguise of an identity number, a phone or a path in a page is taken off; what only looks alike passes."""

import base64
import hashlib
import json
import struct
import urllib.parse

import pytest

from institute_lib import paths, registers, release
from institute_lib.registers import digests
from institute_lib.release import names

NUMBER, WITH_X, PHONE = "999999199003070012", "99999919900307008X", "13800138000"
SHA = hashlib.sha256(NUMBER.encode()).hexdigest()


def encoded(content: bytes | str) -> str:
    return base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()


def packed(form: str, values: list) -> str:
    return encoded(struct.pack(f"<{len(values)}{form}", *values))


def each(form: str, text: str = NUMBER) -> str:
    """Every character of a text in a form such as "&#{};", by its code."""
    return "".join(form.format(ord(character)) for character in text)


def in_digits(digits: str, text: str = NUMBER) -> str:
    return text.translate(str.maketrans("0123456789", digits))


def script(code: str) -> str:
    return f"<script>{code}</script>"


def figure(*traces: dict, **more) -> str:
    return script(f'Plotly.newPlot("a", {json.dumps(list(traces))}, {json.dumps(more)})')


MARKUP = {
    "plain_x": f"<p>{WITH_X.lower()}</p>",
    "in_a_sentence": f"<p>身份证{NUMBER}号</p>",
    "after_letters": f"<p>ID{NUMBER}</p>",
    "one_tag_a_digit": "".join(f"<b>{digit}</b>" for digit in NUMBER),
    "blocks": "<div>999999</div><div>19900307</div><div>0012</div>",
    "boxes_of_a_form": "".join(f"<td>{digit}</td>" for digit in NUMBER),
    "split_by_a_comment": "999999<!-- x -->199003070012",
    "wbr": "999999<wbr>199003070012",
    "line_breaks": "999999<br>19900307<br>0012",
    "decimal_entities": each("&#{};"),
    "without_semicolons": each("&#{}"),
    "hexadecimal_entities": each("&#x{:x};"),
    "padded_entities": each("&#000{};"),
    "entities_of_entities": each("&amp;#{};"),
    "named_entities": "999999&shy;19900307&zwnj;0012",
    "no_break_spaces": "999999&nbsp;19900307&nbsp;0012",
    "attribute": f"<p title='{each('&#{};')}'>",
    "attribute_name": f"<p data-{NUMBER}=1>",
    "link": "<a href='?id=" + each("%{:02x}") + "'>",
    "meta": f"<meta name=author content='{NUMBER}'>",
    "cdata": f"<svg><![CDATA[{NUMBER}]]></svg>",
    "instruction": f"<?xml {NUMBER}?>",
    "doctype": f"<!DOCTYPE html [{NUMBER}]>",
    "page_in_an_attribute": "<iframe srcdoc='&lt;p&gt;999999&lt;b&gt;199003070012&lt;/b&gt;'>",
    "template": f"<template>{NUMBER}</template>",
    "hidden_input": f"<input type=hidden value={NUMBER}>",
    "svg_metadata": f"<svg><metadata>{NUMBER}</metadata></svg>",
    "svg_spans": "<svg><text>" + "".join(f"<tspan>{digit}</tspan>" for digit in NUMBER) + "</text></svg>",
    "style_content": "<style>p:after{content:'" + each("\\{:x} ") + "'}</style>",
    "style_pieces": "<style>p:after{content:'999999' '19900307' '0012'}</style>",
    "style_attribute": f"<p style=\"--x:'{NUMBER}'\">",
    "page_as_data": f"<iframe src='data:text/html;base64,{encoded('999999<b>199003070012</b>')}'>",
    "page_as_percent_data": "<a href='data:text/html,%3Cp%3E999999%3Cb%3E199003070012%3C%2Fb%3E'>",
    "json_as_data": f"<a href='data:application/json;base64,{encoded(json.dumps([int(NUMBER)]))}'>",
    "text_as_data": "<a href='data:text/plain," + urllib.parse.quote(" ".join(NUMBER)) + "'>",
    "reversed_by_style": f"<span style='unicode-bidi:bidi-override;direction:rtl'>{NUMBER[::-1]}</span>",
}
SCRIPTS = {
    "x_escapes": f"a='{each(chr(92) + 'x{:02x}')}'",
    "u_escapes": f"a='{each(chr(92) + 'u{{{:x}}}')}'",
    "octal_escapes": f"a='{each(chr(92) + '{:o}')}'",
    "character_codes": "String.fromCharCode(" + ",".join(str(ord(one)) for one in NUMBER) + ")",
    "hexadecimal_codes": "String.fromCharCode(" + ",".join(hex(ord(one)) for one in NUMBER) + ")",
    "code_points": f"String.fromCodePoint(...{[ord(one) for one in NUMBER]})",
    "array_of_codes": json.dumps([ord(one) for one in NUMBER]),
    "array_of_digits": json.dumps([int(one) for one in NUMBER]),
    "array_of_texts": json.dumps(list(NUMBER)),
    "base64": f"atob('{encoded(NUMBER)}')",
    "base64_of_a_phone": f"atob('{encoded(PHONE)}')",
    "base64_of_json": f"atob('{encoded(json.dumps({'id': NUMBER}))}')",
    "base64_of_base64": f"atob(atob('{encoded(encoded(NUMBER))}'))",
    "percent": "decodeURIComponent('" + each("%{:02x}") + "')",
    "concatenation": "a='999999'+'19900307'+\"0012\"",
    "join": "a=['999999','19900307','0012'].join('')",
    "template_text": "a=`999999${''}199003070012`",
    "big_integer": f"a={NUMBER}n",
    "base_sixteen": f"a={hex(int(NUMBER))}",
    "separators": "a=999_999_199_003_070_012n",
    "hexadecimal_text": f"a='{NUMBER.encode().hex()}'",
    "colour_codes": "a='999999\\u001b[31m199003070012'",
}
CHARACTERS = {
    "full_width": in_digits("０１２３４５６７８９"),
    "arabic_indic": in_digits("٠١٢٣٤٥٦٧٨٩"),
    "devanagari": in_digits("०१२३४५६७८९"),
    "mathematical": in_digits("𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"),
    "circled": in_digits("⓪①②③④⑤⑥⑦⑧⑨"),
    "chinese": in_digits("〇一二三四五六七八九"),
    "chinese_phone": in_digits("零壹贰叁肆伍陆柒捌玖", PHONE),
    "zero_width": "\u200b".join(NUMBER),
    "soft_hyphens": "\u00ad".join(NUMBER),
    "joiners": "\u034f".join(NUMBER),
    "struck_through": "".join(f"{digit}\u0336" for digit in NUMBER),
    "key_caps": "".join(f"{digit}\ufe0f\u20e3" for digit in NUMBER),
    "tag_characters": "".join(chr(0xE0000 + ord(digit)) for digit in NUMBER),
    "right_to_left": f"\u202e{NUMBER[::-1]}\u202c",
    "control_characters": "\x01".join(NUMBER),
    "ansi": "999999\x1b[31m19900307\x1b[0m0012",
    "ansi_link": "999999\x1b]8;;http://x\x07199003070012",
    "thin_spaces": "999999\u200919900307\u20090012",
    "dashes": "999999—19900307–0012",
    "dots": "999999.19900307.0012",
    "one_by_one": " ".join(NUMBER),
    "odd_groups": "9999 9919 9003 0700 12",
    "quoted_printable": each("={:02X}"),
    "float": "9.9999919900307e+17",
    "spreadsheet": "999999199003070000",
    "decimal_zero": f"{NUMBER}.0",
}
OTHER = {
    "masked_end": "32061319900307＊＊＊＊",
    "masked_birth": "320613********0012",
    "masked_phone": "138****8000",
    "phone_in_groups": "138 0013 8000",
    "phone_with_country": "0086-138-0013-8000",
    "phone_in_brackets": "(+86)13800138000",
    "phone_link": f"<a href='tel:{PHONE}'>x</a>",
    "windows_path": "C:\\Users\\lisi\\x",
    "windows_path_in_script": script("a='C:\\\\Users\\\\lisi\\\\x'"),
    "file_address": "file:///home/zhangsan/x",
    "mac_path": "/Users/zhangsan/x",
    "path_in_percent": "C%3A%5CUsers%5Clisi%5Cx",
    "shared_folder": "\\\\srv\\users\\lisi\\x",
    "hash": f"<td>{SHA}</td>",
    "hash_md5": f"<td>{hashlib.md5(NUMBER.encode()).hexdigest()}</td>",
    "hash_in_base64": f"<td>{encoded(hashlib.sha256(NUMBER.encode()).digest())}</td>",
    "hash_of_a_declared_person": f"<td>身份证 SHA-256: {SHA}</td>",
    "name_in_its_field": "{'姓名': '欧阳阿依古丽'}",
    "traceback": "<pre>Traceback (most recent call last):</pre>",
}
FIGURES = {
    "violin_typed": figure({"type": "violin", "x": {"dtype": "i2", "bdata": packed("h", list(range(30)))}}),
    "box_as_code": script("Plotly.newPlot('a',[{type:'box',y:[5300,7100,99000]}],{})"),
    "histogram_parsed": script('JSON.parse(\'{"data":[{"type":"histogram","x":[1,2,3]}]}\')'),
    "histogram_of_words": figure({"type": "histogram", "x": ["a", "b", "a"]}),
    "box_with_its_points": figure({"type": "box", "q1": [1], "median": [2], "q3": [3], "y": [1, 2, 3, 4]}),
    "integers": figure({"x": [1], "customdata": {"dtype": "i8", "bdata": packed("q", [int(NUMBER)])}}),
    "floats": figure({"x": [1], "y": {"dtype": "f8", "bdata": packed("d", [float(NUMBER)])}}),
    "phones": figure({"x": [1], "customdata": {"dtype": "f8", "bdata": packed("d", [float(PHONE)])}}),
    "codes": figure({"x": [1], "z": {"dtype": "u1", "bdata": encoded(NUMBER)}}),
    "frames": script(json.dumps({"data": [], "frames": [{"data": [{"type": "box", "y": [1, 2, 3]}]}]})),
    "invisible_note": figure(annotations=[{"visible": False, "text": NUMBER}]),
    "hover_text": figure({"x": [1], "y": [1], "hovertext": [NUMBER]}),
    "meta": figure({"x": [1], "y": [1]}, meta={"path": "/home/lisi/x"}),
    "identifiers": figure({"type": "scatter", "x": [1, 2], "y": [1, 2], "ids": ["w001", "w002"]}),
    "names": figure(
        {
            "type": "scatter",
            "x": [1, 2, 3],
            "y": [3, 1, 2],
            "customdata": [["甲"], ["乙"], ["丙"]],
            "hovertemplate": "姓名=%{customdata[0]}",
        }
    ),
    "cloud": figure(
        {
            "type": "scatter",
            "mode": "markers",
            "x": [(i * 37) % 101 for i in range(120)],
            "y": [(i * 53) % 97 for i in range(120)],
        }
    ),
}
ATTACKS = MARKUP | {f"script_{name}": script(code) for name, code in SCRIPTS.items()} | CHARACTERS | OTHER | FIGURES
HARMLESS = {
    "order_numbers": "订单 2026112300000000012",
    "contract_number": "<p>合同编号 202411080000123456</p>",
    "hotlines": "12345 400-820-8820 0513-85216000 800-810-8888 10086 区号0513-8521-6000",
    "dates": "2024-11-08 2025-12-31 2024Q4",
    "years": "2019 2020 2021 2022 2023 2024 2025",
    "axis": "<svg>" + "".join(f"<text>{year}</text>" for year in range(2010, 2026)) + "</svg>",
    "cells": "<td>320613</td><td>19900307</td><td>0012</td>",
    "money": "200,000,000 元 1,234,567.89 13,800,138,000",
    "fractions": "0.13800138000 0.999999199003070012",
    "coordinates": "120.8940,31.9800 120.89401234 31.98012345",
    "declared_hash": f"<dt>笔记本（SHA-256）</dt><dd>{SHA}</dd>",
    "policy_hash": f"<meta content=\"script-src 'sha256-{encoded(hashlib.sha256(b'x').digest())}'\">",
    "identifier_of_a_chart": "<div id='b66823e1-1963-4727-a9ee-7e3d03cfc68c'>",
    "home_of_a_site": "<a href='https://www.mca.gov.cn/home/index.html'>",
    "contact": "联系人：办公室 负责人：见附件",
    "book": "978-7-302-12345-6",
    "numbers": script(json.dumps([i * 1.2345 for i in range(400)])),
    "line": figure({"type": "scatter", "mode": "lines+markers", "x": list(range(200)), "y": list(range(200))}),
    "bars": figure({"type": "bar", "x": ["320613", "320612"], "y": [1, 2], "customdata": ["320613", "320612"]}),
}


def scan(tmp_path, content: str) -> list[release.Finding]:
    path = tmp_path / "page.html"
    path.write_bytes(content.encode())
    return release.scan(path)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_disguise_is_taken_off(tmp_path, name):
    assert any(finding.severity == "refuse" for finding in scan(tmp_path, ATTACKS[name]))


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_alike_passes(tmp_path, name):
    assert scan(tmp_path, HARMLESS[name]) == []


@pytest.mark.parametrize("digits", ["999999199003070013", "32061319900307001", "320613900307001"])
def test_a_look_alike_that_nothing_confirms_warns(tmp_path, digits):
    assert {finding.severity for finding in scan(tmp_path, f"<p>{digits}</p>")} == {"warn"}


# names of the register


@pytest.fixture
def register(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(tmp_path / "keys" / "pseudonym.key"))
    registers.new_key()
    people = ["甄无名", "买买提·吐尔逊", "王芳", "政策", "Zhang Weimin"]
    digests.add(registers.load_key(), people, [NUMBER])
    names.known.cache_clear()
    yield
    names.known.cache_clear()


@pytest.mark.parametrize(
    "content",
    [
        "社工甄无名负责",
        "<b>甄</b><i>无名</i>",
        "甄 无 名",
        "\\u7504\\u65e0\\u540d",
        "买买提 · 吐尔逊",
        "由王芳填报",
        "by ZHANG Weimin, 2024",
        f"<script>a={{'x':'{encoded('甄无名')}'}}</script>",
    ],
)
def test_a_name_of_the_register_is_found_wherever_it_stands(register, tmp_path, content):
    assert {finding.rule for finding in scan(tmp_path, content)} & {"name"}


def test_a_name_that_is_a_word_warns_alone_and_passes_inside_a_known_word(register, tmp_path):
    assert {finding.severity for finding in scan(tmp_path, "<td>政策</td>")} == {"warn"}
    assert scan(tmp_path, "政策评估") == []


def test_a_word_that_the_institute_has_confirmed_is_no_name(register, tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path / "home"))
    path = paths.people() / names.CONFIRMED
    path.parent.mkdir(parents=True)
    path.write_text("王芳\n", encoding="utf-8")
    names.confirmed.cache_clear()
    assert scan(tmp_path, "<td>王芳</td>") == []
    names.confirmed.cache_clear()


def test_other_names_pass_and_no_finding_shows_one(register, tmp_path):
    assert scan(tmp_path, "社工张无忌负责") == []
    assert all("无" not in finding.what for finding in scan(tmp_path, "社工甄无名负责"))


def test_a_hash_of_a_registered_number_is_known_even_where_a_hash_is_declared(register, tmp_path):
    assert {finding.rule for finding in scan(tmp_path, f"<p>SHA-256: {SHA}</p>")} == {"identity_hash"}
    assert scan(tmp_path, f"<p>SHA-256: {hashlib.sha256(b'x').hexdigest()}</p>") == []
