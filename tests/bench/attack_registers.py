"""The other registers of the attack: examinations, titles, stations, services, purchase, with small groups in them."""

import random
from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd

from institute_lib import areas
from institute_lib.registers import identity

FIELDS = ("社区服务", "禁毒", "社区矫正", "居家养老", "困境儿童", "学校社工")
TITLES = (("见习督导", 40), ("督导", 26), ("讲师", 14), ("最美社工", 6))
EXAM_DAYS = tuple(date(year, 6, 14) for year in range(2021, 2026))
HEADS = {
    "exams": ("姓名", "身份证号", "区", "考试日期", "报考级别", "是否报名", "是否参考", "是否合格"),
    "talent": ("姓名", "身份证号", "区", "称号", "授予日期"),
    "stations": (
        "站点编号",
        "社工站",
        "层级",
        "区",
        "镇街代码",
        "村社区代码",
        "启用日期",
        "核定岗位",
        "在岗人数",
        "经度",
        "纬度",
        "坐标系",
    ),
    "services": ("区", "季度", "服务领域", "服务对象数", "达成人数", "评估人数", "覆盖学校数", "学校总数"),
    "procurement": (
        "合同编号",
        "区",
        "签约日期",
        "层级",
        "服务领域",
        "承接机构",
        "合同金额（万元）",
        "社工占比",
        "人力成本占比",
    ),
}


def others(seed: int, register: pd.DataFrame, quarters: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Registers of the same districts as the workers', by table; workers sit the examinations and earn the titles."""
    draw = random.Random(seed + 1)
    names = list(dict.fromkeys(register["区"]))
    codes = {one.name_zh: one.code for one in areas.districts("320600")}
    rows = {"exams": examinations(draw, register), "talent": titles(draw, register)}
    rows["stations"] = stations(draw, {name: codes[name] for name in names})
    rows["services"] = services(draw, names, quarters)
    rows["procurement"] = contracts(draw, names)
    return {name: pd.DataFrame(rows[name], columns=list(heads)) for name, heads in HEADS.items()}


def examinations(draw: random.Random, register: pd.DataFrame) -> list[tuple]:
    """Every year a quarter of the workers, and half as many others, of whom three in ten pass."""
    rows, serial = [], 0
    for day in EXAM_DAYS:
        for one in register.to_dict("records"):
            if one["入职日期"] < day and draw.random() < 0.25:
                level = "中级" if one["级别"] == "中级" else "助理"
                rows.append((one["姓名"], one["身份证号"], one["区"], day, level, *marks(draw)))
            if draw.random() < 0.12:
                born = date(1975 + serial % 28, 1 + serial % 12, 1 + serial // 28 % 28)
                digits = f"320613{born:%Y%m%d}{serial % 1000:03d}"
                serial += 1
                number = digits + identity.check_character(digits)
                rows.append(("冼晗", number, one["区"], day, draw.choice(("助理", "助理", "中级")), *marks(draw)))
    return rows


def marks(draw: random.Random) -> tuple[str, str, str]:
    """Entered, sat, passed."""
    sat = draw.random() < 0.8
    return "是", "是" if sat else "否", "是" if sat and draw.random() < 0.3 else "否"


def titles(draw: random.Random, register: pd.DataFrame) -> list[tuple]:
    holders = register[register["级别"] == "中级"].to_dict("records")
    rows = []
    for title, share in TITLES:
        for one in draw.sample(holders, max(1, len(holders) * share // 300)):
            day = max(date(2019 + draw.randrange(7), 1 + draw.randrange(11), 2), one["入职日期"])
            rows.append((one["姓名"], one["身份证号"], one["区"], title, day))
    return rows


def stations(draw: random.Random, codes: dict[str, str]) -> list[tuple]:
    """Eight stations a district, which the workers name, and rooms in half its villages."""
    towns, villages, rows = areas.towns("320600"), areas.villages("320600"), []
    shapes = areas.boundaries("320600").set_index("code").geometry
    for name, code in codes.items():
        middle = shapes[code].representative_point()
        own = towns.loc[towns["host"] == code, "town"].astype(str).tolist()
        rows.append(("", f"{name}社工指导站", "区级", name, None, None, date(2020, 6, 10), 5, 3, *near(draw, middle)))
        for i in range(1, 9):
            posts = draw.randrange(2, 7)
            rows.append(("", f"{name}第{i}社工站", "镇街级", name, own[i % len(own)], None, date(2021, i, 10), posts,
                         draw.randrange(posts), *near(draw, middle)))  # fmt: skip
        for one in villages[villages["host"] == code].to_dict("records"):
            if draw.random() < 0.5:
                day = date(2022 + draw.randrange(4), 1 + draw.randrange(6), 9)
                rows.append(("", f"{one['name']}社工室", "村（社区）", name, str(one["town"]), str(one["village"]), day,
                             1, draw.randrange(2), *near(draw, middle)))  # fmt: skip
    return [(f"NT{i:05d}", *row[1:]) for i, row in enumerate(rows, 1)]


def near(draw: random.Random, point: Any) -> tuple[float, float, str]:
    """Where a station stands: within some two kilometres of the middle of its district."""
    return round(point.x + draw.uniform(-0.02, 0.02), 6), round(point.y + draw.uniform(-0.02, 0.02), 6), "WGS-84"


def services(draw: random.Random, names: Sequence[str], quarters: Sequence[str]) -> list[tuple]:
    """By district, quarter and field: from a handful of clients to two hundred."""
    rows = []
    for i, name in enumerate(names):
        for quarter in pd.period_range("2023Q1", quarters[-1], freq="Q"):
            for field in FIELDS:
                clients = draw.randrange(2, 200 // (i + 1) + 12)
                judged = round(clients * draw.uniform(0.6, 1.0))
                reached = round(judged * draw.uniform(0.6, 1.0))
                schools = (draw.randrange(5, 20), 20) if field == "学校社工" else (None, None)
                rows.append((name, str(quarter), field, clients, reached, judged, *schools))  # fmt: skip
    return rows


def contracts(draw: random.Random, names: Sequence[str]) -> list[tuple]:
    rows = []
    for i in range(160):
        name = draw.choice(names)
        day = date(2021 + i % 5, 1 + i % 9, 1 + draw.randrange(28))
        rows.append((f"NTZC{i:04d}", name, day, draw.choice(("区县级", "镇街级")), draw.choice(FIELDS),
                     f"{name}{draw.choice('甲乙丙')}社会工作服务中心", round(draw.lognormvariate(2.7, 0.7), 2),
                     f"{draw.randrange(50, 95)}%", f"{draw.randrange(55, 90)}%"))  # fmt: skip
    return rows
