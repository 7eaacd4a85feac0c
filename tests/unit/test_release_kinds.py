"""Kinds of personal data that careless authors leave in a page, and ordinary content that looks like them.

Everything here is invented. Each entry stands for its kind.
"""

import base64
import hashlib
import json
import tempfile
from pathlib import Path

import pytest

from institute_lib import registers
from institute_lib.registers import digests
from institute_lib.release import names, scan

ID = "320613198009271268"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def pay(n: int) -> list[int]:
    """Monthly pays of n persons."""
    return [3800 + ((i * 7919) % 4300) for i in range(n)]


def fig(*traces: dict, **layout) -> str:
    return f"<script>Plotly.newPlot('a',{json.dumps(traces)},{json.dumps(layout)})</script>"


def download(*rows: str) -> str:
    return f"<a href='data:text/csv;base64,{b64(chr(10).join(rows))}'>x</a>"


def table(*rows: str) -> str:
    """A table of rows whose cells stand between bars."""
    cells = (row.split("|") for row in rows)
    return f"<table>{''.join('<tr>' + ''.join(f'<td>{one}</td>' for one in row) + '</tr>' for row in cells)}</table>"


@pytest.fixture(scope="module", autouse=True)
def register(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTITUTE_KEY_FILE", str(tmp_path_factory.mktemp("keys") / "pseudonym.key"))
        registers.new_key()
        people = ["喻轩佳", "欧阳娜", "单雪", "王芳"]
        digests.add(registers.load_key(), people, [ID])
        names.known.cache_clear()
        yield
    names.known.cache_clear()


def found(content: str) -> list:
    with tempfile.TemporaryDirectory() as folder:  # the name of a file is looked into too
        page = Path(folder) / "page.html"
        page.write_text(f"<html><meta charset=utf-8><body>{content}", encoding="utf-8")
        return scan(page)


RECORDS = json.dumps([{"gender": "f", "birth_year": 1970 + at, "pay": one} for at, one in enumerate(pay(20))])
LEAKS = {
    "hk_permit": "<p>港澳居民来往内地通行证：H08123456</p>",
    "hk_permit2": "<p>回乡证号 H0812345601</p>",
    "passport": "<p>护照号码：E12345678</p>",
    "passport2": "<p>Passport No. G58213476</p>",
    "passport3": "<td>护照</td><td>EA1234567</td>",
    "residence": "<p>外国人永久居留证 932682198501011234</p>",
    "residence2": "<p>港澳台居民居住证 810000198501011235</p>",
    "bank19": "<p>6228 4800 1234 5678 915</p>",
    "bank_label": "<p>银行卡号：6217001234567890123</p>",
    "bank_label2": "<td>开户行账号</td><td>6217 0012 3456 7890 123</td>",
    "social": "<p>社会保障号码：320613198009271268</p>",
    "social2": "<p>社保卡号 A12345678</p>",
    "medical": "<p>医保卡号：1234567890</p>",
    "mail": "<p>li.hua@qq.com</p>",
    "mail2": "<a href='mailto:wangfang@gmail.com'>x</a>",
    "mail3": "<p>yxj（at）163.com</p>",
    "qq": "<p>QQ：1234567890</p>",
    "qq2": "<p>QQ号 87654321</p>",
    "wx": "<p>微信：yuxj_1980</p>",
    "wx2": "<p>加微信 wxid_abc123</p>",
    "wx3": "<td>微信号</td><td>yuxuan80</td>",
    "plate": "<p>苏F·8K321</p>",
    "plate2": "<p>车牌 苏FD12345</p>",
    "home": "<p>家庭住址：南通市崇川区人民中路12号3幢502室</p>",
    "home2": "<p>住址 崇川区文峰街道5幢302</p>",
    "home3": "<p>家住如皋市如城街道花园路8号</p>",
    "home4": "<p>现居住于启东市汇龙镇民乐中路12号</p>",
    "home5": "<td>家庭地址</td><td>海门街道解放东路88号2单元</td>",
    "cert": "<p>社会工作者职业资格证书编号：20190600532000123</p>",
    "cert2": "<p>管理号：2019063320123456</p>",
    "phone_bracket": "<p>(139) 1234-8765</p>",
    "phone_plus": "<p>+86 (139) 1234 8765</p>",
    "phone_slash": "<p>139/1234/8765</p>",
    "phone_4": "<p>139 12348 765</p>",
    "phone_li": "<ul><li>139</li><li>1234</li><li>8765</li></ul>",
    "phone_span": "<span>139</span><span>1234</span><span>8765</span>",
    "phone_svg": "<svg><text>13912348765</text></svg>",
    "phone_opt": "<select><option>13912348765</option></select>",
    "phone_cn": "<p>一三九一二三四八七六五</p>",
    "phone_star": "<p>139****8765</p>",
    "phone_en": "<p>one three nine one two three four eight seven six five</p>",
    "phone_x": "<p>1391234876五</p>",
    "phone_tel": "<p>tel:+8613912348765</p>",
    "phone_under": "<p>139_1234_8765</p>",
    "phone_tilde": "<p>139~1234~8765</p>",
    "phone_comma": "<p>139,1234,8765</p>",
    "birth": "<p>女，1980年9月27日出生，在崇川区民政局工作</p>",
    "birth2": "<p>张某，男，出生日期1980-09-27，工作单位：惠民社会工作服务中心</p>",
    "birth3": "<table><tr><th>性别</th><th>出生日期</th><th>工作单位</th></tr>"
    + "".join(f"<tr><td>女</td><td>19{60 + i}-0{1 + i % 9}-1{i % 9}</td><td>单位{i}</td></tr>" for i in range(12))
    + "</table>",
    "name_masked2": "<p>喻*</p>",
    "name_masked3": "<p>喻某佳，女</p>",
    "name_masked4": "<p>喻○佳</p>",
    "name_masked5": "<p>*轩佳</p>",
    "name_masked6": "<p>喻XX</p>",
    "pinyin": "<p>XUANJIA YU</p>",
    "pinyin2": "<p>Yu, Xuanjia</p>",
    "pinyin3": "<p>yu_xuanjia</p>",
    "pinyin4": "<p>Yu Xuan Jia</p>",
    "pinyin5": "<p>YuXuanjia</p>",
    "pinyin_tone": "<p>Yù Xuānjiā</p>",
    "spaced": "<p>喻 轩 佳</p>",
    "spaced2": "<p>喻　轩佳</p>",
    "spaced3": "<p>喻·轩·佳</p>",
    "dash": "<p>喻-轩-佳</p>",
    "split_li": "<ul><li>喻</li><li>轩</li><li>佳</li></ul>",
    "split_svg": "<svg><text>喻轩</text><text>佳</text></svg>",
    "split_td": "<tr><td>喻轩</td><td>佳</td></tr>",
    "br": "<p>喻<br>轩<br>佳</p>",
    "trad": "<p>喻軒佳</p>",
    "rev": "<p>佳轩喻</p>",
    "ruby": "<p><ruby>喻<rt>yu</rt></ruby><ruby>轩<rt>xuan</rt></ruby>佳</p>",
    "zero": "<p>喻\u200b轩\u200b佳</p>",
    "js": "<script>var n='喻'+'轩佳'</script>",
    "arr": fig({"type": "bar", "x": ["喻轩佳", "某人"], "y": [1, 2]}),
    "alt": "<img alt='喻轩佳' src=''>",
    "title": "<p title='由喻轩佳填'>x</p>",
    "name2": "<p>社工单雪负责</p>",
    "name2b": "<td>王芳</td>",
    "name_long": "<p>负责人是欧阳娜老师</p>",
    "interview": "<p>受访者：陈桂兰（化名否）</p>",
    "case": "<p>案主：李秀英，72岁</p>",
    "client": "<td>服务对象</td><td>赵国强</td>",
    "contact": "<p>联系人：周晓燕 电话0513-85216000</p>",
    "guardian": "<p>监护人: 吴建华</p>",
    "oper": "<p>操作人：李四</p>",
    "tbl_pay": "<table><tr><th>编号</th><th>性别</th><th>年龄</th><th>月薪（元）</th></tr>"
    + "".join(f"<tr><td>{i}</td><td>女</td><td>{22 + i}</td><td>{p}</td></tr>" for i, p in enumerate(pay(15)))
    + "</table>",
    "tbl_nohead": "<table>"
    + "".join(f"<tr><td>{i}</td><td>{1960 + (i * 7) % 40}</td><td>{p}</td></tr>" for i, p in enumerate(pay(40)))
    + "</table>",
    "tbl_names": table("姓名|级别", "欧阳若兰|助理", "司马相如|中级"),
    "tbl_en": "<table><tr><th>worker_id</th><th>gender</th><th>birth_year</th><th>pay</th></tr>"
    + "".join(f"<tr><td>w{i}</td><td>f</td><td>{1970 + i}</td><td>{p}</td></tr>" for i, p in enumerate(pay(12)))
    + "</table>",
    "csv_hire": download(
        "工号,入职日期,离职日期,学历", *(f"{i},20{10 + i % 10}-01-15,2024-02-0{1 + i % 8},本科" for i in range(30))
    ),
    "csv_phone": "<a href='data:text/csv;charset=utf-8,%E6%89%8B%E6%9C%BA%0A13912348765'>x</a>",
    "json_rec": f"<script type='application/json'>{RECORDS}</script>",
    "scatter": fig(
        {"type": "scatter", "mode": "markers", "x": [20 + (i * 13) % 40 for i in range(150)], "y": pay(150)}
    ),
    "scatter40": fig(
        {"type": "scatter", "mode": "markers", "x": [20 + (i * 13) % 40 for i in range(40)], "y": pay(40)}
    ),
    "bar_idx": fig({"type": "bar", "x": list(range(60)), "y": sorted(pay(60))}),
    "line_sorted": fig({"type": "scatter", "mode": "lines", "x": list(range(80)), "y": sorted(pay(80))}),
    "bar_nox": fig({"type": "bar", "y": pay(50)}),
    "pie": fig({"type": "pie", "labels": [f"员工{i}" for i in range(30)], "values": pay(30)}),
    "tree": fig({"type": "treemap", "labels": [f"W{i}" for i in range(40)], "parents": [""] * 40, "values": pay(40)}),
    "box_pts": fig({"type": "box", "y": pay(30), "boxpoints": False}),
    "hist": fig({"type": "histogram", "x": pay(200)}),
    "custom": fig({"type": "bar", "x": ["a", "b"], "y": [1, 2], "customdata": [pay(40), pay(40)]}),
    "meta_pay": fig({"type": "bar", "x": ["a", "b"], "y": [1, 2], "meta": {"raw": pay(60)}}),
    "err": fig(
        {"type": "scatter", "mode": "markers", "x": ["a"], "y": [1], "hovertext": [" ".join(map(str, pay(40)))]}
    ),
    "tabletrace": fig(
        {
            "type": "table",
            "header": {"values": ["姓名", "工资"]},
            "cells": {"values": [["欧阳若兰", "司马相如"], [5000, 6000]]},
        }
    ),
    "heat2": fig({"type": "heatmap", "z": [[3800 + (i * 397 + j * 91) % 4300 for j in range(12)] for i in range(12)]}),
    "parcoords": fig({"type": "parcoords", "dimensions": [{"values": pay(50)}, {"values": list(range(50))}]}),
    "visible_false": fig({"type": "violin", "visible": False, "y": pay(50)}),
    "violin_tpl": fig(template={"data": {"violin": [{"y": pay(50)}]}}),
    "id_letters": "<p>3206l3l98OO927l268</p>",
    "id_dots": "<p>320613.19800927.1268</p>",
    "id_cells": "<tr><td>320613</td><td>19800927</td><td>1268</td></tr>",
    "id15": "<p>身份证320602800927126</p>",
    "id_sci": "<p>3.20613198009271E+17</p>",
    "id_17": "<p>32061319800927126</p>",
    "sha": "<p>学员编码 " + hashlib.sha256(ID.encode()).hexdigest() + "</p>",
    "md5": "<p>" + hashlib.md5(ID.encode()).hexdigest() + "</p>",
    "sha_up": "<p>SHA256: " + hashlib.sha256(ID.encode()).hexdigest().upper() + "</p>",
    "path": "<p>C:/Users/yuxj/Desktop/名册.xlsx</p>",
    "coord": "<p>家庭坐标：31.980425，120.894137</p>",
    "coord2": "<td>住址经纬度</td><td>120.894137,31.980425</td>",
    "emp": "<p>员工编号：NT20190023</p>",
    "edu": "<p>学号 20191234</p>",
    "drive": "<p>驾驶证号 320613198009271268</p>",
    "disab": "<p>残疾证号：32061319800927126843</p>",
    "police": "<p>军官证：军字第1234567号</p>",
    "jpg": "<img src='data:image/jpeg;base64,"
    + base64.b64encode(b"\xff\xd8\xff\xe1\x00\x30Exif\0\0 Artist 13912348765 x").decode()
    + "'>",
    "vcard": "<p>BEGIN:VCARD FN:喻轩佳 TEL:13912348765</p>",
    "alipay": "<p>支付宝账号：13912348765</p>",
}
ORDINARY = {
    "amount1": "<p>合同总金额13912345678元</p>",
    "amount2": "<p>资金 15000000000（元）</p>",
    "amount3": "<td>合计</td><td>13800000000</td>",
    "author": "<p>作者：王思斌</p>",
    "author2": "<p>王思斌主编《社会工作导论》，2011</p>",
    "ref": "<p>Callaway, B. &amp; Sant'Anna, P. (2021). Difference-in-differences. J. Econom. 225(2), 200–230.</p>",
    "official": "<p>民政部部长唐登杰出席会议</p>",
    "official2": "<p>负责人：民政局局长</p>",
    "official3": "<p>联系人：办公室 电话：0513-85216000</p>",
    "contract": "<p>合同编号：NTZC2024-0123，签订日期2024-11-08</p>",
    "contract2": "<p>合同编号 2024110800123456</p>",
    "contract3": "<p>项目编号：JSZC-320600-2024-00123</p>",
    "hash_tbl": "<table><tr><th>文件</th><th>SHA-256</th></tr><tr><td>workers.parquet</td><td>"
    + "64e7f6573571f9d6ff1327e69cb1838c1175d11b028871c0a697fbf2d9f08d37"
    + "</td></tr></table>",
    "isbn": "<p>ISBN 978-7-302-12345-6</p>",
    "doi": "<p>doi:10.1016/j.jeconom.2020.12.001</p>",
    "url": "<a href='https://www.nantong.gov.cn/ntsrmzf/2024/content/a1b2c3d4-1234-5678-9abc-def012345678.html'>x</a>",
    "date": "<p>2024年9月27日发生效力；自2021年1月1日起实施</p>",
    "org": "<p>统一社会信用代码：91320602MA1XABCD2X</p>",
    "org2": "<p>社会团体登记证号：苏通社证字第010123号</p>",
    "hotline": "<p>12345 12349 12355 400-820-8820</p>",
    "office": "<p>地址：南通市崇川区世纪大道6号，邮编226018</p>",
    "office2": "<p>办公电话 0513-59000000</p>",
    "gzh": "<p>微信公众号：南通社工</p>",
    "counts": "<table><tr><th>区县</th><th>人数</th><th>平均月薪</th></tr>"
    + "".join(
        f"<tr><td>{d}</td><td>{100 + i}</td><td>{5000 + i * 37}</td></tr>"
        for i, d in enumerate(["崇川", "通州", "海门", "如东", "启东", "如皋", "海安"])
    )
    + "</table>",
    "byage": "<table><tr><th>性别</th><th>年龄组</th><th>学历</th><th>人数</th><th>平均月薪</th></tr>"
    + "".join(
        f"<tr><td>女</td><td>{a}–{a + 9}</td><td>本科</td><td>{30 + i}</td><td>{5000 + i * 50}</td></tr>"
        for i, a in enumerate(range(20, 60, 10))
    )
    + "</table>",
    "bylevel": table("级别|平均月薪（元）", "助理|5250", "中级|5900", "高级|7100", "无|4900"),
    "series": fig(
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": [f"{y}Q{q}" for y in range(2018, 2026) for q in (1, 2, 3, 4)],
            "y": [5000 + i * 31 for i in range(32)],
        }
    ),
    "towns": fig(
        {
            "type": "bar",
            "x": [f"{c}镇" for c in "石港平潮金沙四甲悦来墩头磨东海南莫十总"],
            "y": [21000 + i * 391 for i in range(19)],
        }
    ),
    "years": "<p>2019 2020 2021 2022 2023 2024 2025</p>",
    "coords": "<p>120.8940, 31.9800</p>",
    "model": "<table><tr><th>变量</th><th>系数</th><th>标准误</th></tr>"
    + "".join(f"<tr><td>x{i}</td><td>0.{i}23</td><td>0.0{i}1</td></tr>" for i in range(1, 9))
    + "</table>",
    "ministry": "<p>民发〔2024〕12号；苏民办〔2023〕45号</p>",
    "stations": table(
        "站点名称|地址|在岗人数",
        "石港镇社工站|石港镇人民路12号|5",
        "金沙街道社工站|金沙街道建设路8号|6",
        "平潮镇社工站|平潮镇通扬路3号|4",
    ),
    "en": "<p>China, Mali and Nantong: a wage income study, 95% CI 0.12 to 0.34, n=1,234</p>",
    "dob": "<p>出生率、生于斯长于斯、新生效的政策</p>",
    "peak": "<p>高峰时段服务量上升，方法见附录，黄金分割，周末，石材，金额，成本，江海，马上，安全，于是</p>",
    "persons": "<p>每万人持证 18.5 人，共 3,671 人</p>",
    "rows10": "<table><tr><th>序号</th><th>政策</th><th>实施日期</th><th>级别</th></tr>"
    + "".join(f"<tr><td>{i}</td><td>政策{i}</td><td>2023-0{i}-01</td><td>市级</td></tr>" for i in range(1, 9))
    + "</table>",
    "exam": "<table><tr><th>年份</th><th>级别</th><th>报考</th><th>合格</th></tr>"
    + "".join(
        f"<tr><td>{2015 + i}</td><td>助理</td><td>{1200 + i * 97}</td><td>{300 + i * 31}</td></tr>" for i in range(10)
    )
    + "</table>",
    "income": "<table><tr><th>县（市、区）</th><th>城镇居民收入（元）</th></tr>"
    + "".join(f"<tr><td>县{i}</td><td>{41000 + i * 397}</td></tr>" for i in range(30))
    + "</table>",
    "proc": "<table><tr><th>合同编号</th><th>签约日期</th><th>级别</th><th>金额（万元）</th></tr>"
    + "".join(
        f"<tr><td>NTZC2024-{i:04d}</td><td>2024-0{1 + i % 9}-1{i % 9}</td><td>市级</td><td>{12.5 + i}</td></tr>"
        for i in range(20)
    )
    + "</table>",
    "version": "<dl><dt>Python</dt><dd>3.11.7</dd><dt>pandas</dt><dd>3.1.1</dd></dl>",
    "order": "<p>订单号 20241108000012345678</p>",
    "ratio": "<p>1391234.8765 与 139.12348765</p>",
    "fw": "<p>（一）（二）（三）四五六七八九十</p>",
}


@pytest.mark.parametrize("name", LEAKS)
def test_each_kind_is_held(name):
    assert found(LEAKS[name])


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_content_passes_without_a_question(name):
    assert found(ORDINARY[name]) == []
