"""Tables, downloads and charts that carry one row, one bar or one cell a person."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from institute_lib.release.findings import Finding, Found, Part
from institute_lib.release.names import looks_like_a_name

# Traces that compute their picture in the browser out of every single value.
RAW_TRACES = frozenset({"box", "violin", "histogram", "histogram2d", "histogram2dcontour", "strip", "ecdf"})
PERSON_TRACES = frozenset({"parcoords", "parcats", "splom", "scatterternary", "scatterpolar", "carpet"})
OTHERS = frozenset({"bar", "heatmap", "contour", "surface", "pie", "treemap", "sunburst", "icicle", "funnel", "table"})
CLOUD = frozenset({"scatter", "scattergl", "scatter3d", "scatterpolargl"})
LARGEST_CLOUD, LARGE_CLOUD, MANY, FEW_LEVELS = 100, 30, 20, 15
_SITES = re.compile(r"站|室|点|site|station", re.IGNORECASE)
PLACES = "__places__"  # marks a trace on hidden axes: its points are places on a map, and not values
ARRAYS = ("x", "y", "z", "values", "dimensions", "lat", "labels", "cells", "r", "theta")
PAY = (1_000, 100_000)  # yuan a month or a year

# Words of headers. A column that names persons is refused alone, one that describes them together with others.
NAMING = re.compile(
    r"姓名|名字|身份证号?码?|证件号码?|手机号?码?|联系电话|家庭住址|住址|name|full_?name|id_?card|phone|mobile",
    re.IGNORECASE,
)
LABELLED = re.compile(
    r".*(?:账[号户]|帐[号户]|证书|[证卡]号|证件|编号|号码|护照|通行证|社保|医保|公积金|微信|qq|住址|地址|车牌|出生|生日).*",
    re.IGNORECASE,
)
NUMBERED = re.compile(r"序号|编号|工号|员工号|人员编号|学号|no\.?|id|worker_?id|person_?id|#", re.IGNORECASE)
BIRTH = re.compile(
    r"出生(?:年份?|年月|日期)?|生日|年龄|(?:date_of_)?birth(?:_?(?:year|date|day))?|dob|age|"
    r"入职(?:日期|时间)|离职(?:日期|时间)|entered|left|hired",
    re.IGNORECASE,
)
TRAIT = re.compile(r"性别|学历|学位|民族|婚姻|职称|职务|岗位|级别|证书|gender|sex|education|title|level", re.IGNORECASE)
MONEY = re.compile(
    r".*(?:月薪|年薪|工资|薪酬|薪资|收入|实发|应发|津贴|奖金|补贴|pay|salary|wage|income).*", re.IGNORECASE
)
COUNTED = re.compile(
    r".*(?:人数|人次|户数|样本|合计|占比|比例|平均|均值|中位|分位|人均|count|persons|share|rate|mean|median|average|%).*|n",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"[(（].*?[)）]")

_PERSON_WORD = re.compile(
    r"worker|person|employee|staff|\bid\b|_id\b|\bname\b|姓名|工号|编号|身份证|人员", re.IGNORECASE
)
_TOKEN = re.compile(
    r"(?=.*\d)(?:[A-Za-z]{1,8}|员工|职工|社工|人员|个案|案主|学员|考生|居民|对象|受访者|工号|编号|样本)[-_ ]?\d+"
    r"|[0-9a-f]{8,}(?:-[0-9a-f]{4,}){0,4}|\d{7,}"
)
_NO_TOKEN = re.compile(r"\d{6}|\d{4}Q[1-4]|[Qq]\d|[A-Za-z]{1,8}[-_ ]?(?:19|20)\d\d")


def find_in_table(rows: Sequence[Sequence[Any]], where: str) -> Found:
    """A table whose rows are persons: by a column that names them, or by several that describe them; and the values
    whose label stands above them."""
    rows = [row for row in rows if any(_text(cell) for cell in row)]
    while len(rows) > 1 and sum(bool(_text(cell)) for cell in rows[0]) == 1 < max(map(len, rows)):
        rows = rows[1:]  # a title above the headers
    if len(rows) < 2:
        return
    heads = [_BRACKETS.sub("", _text(cell)).strip() for cell in rows[0]]
    body = rows[1:]
    for at, head in enumerate(heads):
        if LABELLED.fullmatch(head):
            yield from (Part(where, "text", f"{head}：{one}") for one in dict.fromkeys(_column(body, at)))
        if NAMING.fullmatch(head) and len(set(_column(body, at))) * 2 > len(body):
            yield Finding.masked("refuse", where, head, "person_column")
    kinds = [any(kind.fullmatch(head) for head in heads) for kind in (BIRTH, TRAIT, MONEY, NUMBERED)]
    counted = any(COUNTED.fullmatch(head) for head in heads)
    traits = [_column(body, at) for at, head in enumerate(heads) if TRAIT.fullmatch(head)]
    # One row a level, or a level and a sex: groups.
    grouped = not (kinds[0] or kinds[3]) and len(set(zip(*traits, strict=False))) == len(body)
    if len(body) >= 3 and not counted and not grouped and sum(kinds) >= 2 and (kinds[0] or kinds[2]):
        described = [at for at, head in enumerate(heads) if any(k.fullmatch(head) for k in (BIRTH, MONEY))]
        if any(_are_single(_column(body, at)) for at in described):
            yield Finding.masked("refuse", where, f"{len(body)} × {'/'.join(filter(None, heads))}", "person_rows")
            return
    columns = [_column(rows if _is_number(heads[0]) else body, at) for at in range(len(heads))]
    births = [one for one in columns if _are_births(one)]
    pays = [one for one in columns if are_pays(one)]
    if births and pays:
        yield Finding.masked("warn", where, f"{len(body)} × {len(heads)}", "person_values")
    for column in columns:
        named = [one for one in column if looks_like_a_name(one)]
        if len(set(named)) >= 5 and len(named) > 0.9 * len(column):
            yield Finding.masked("warn", where, f"{named[0]} … {len(named)}", "person_names")


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _column(rows: Sequence[Sequence[Any]], at: int) -> list[str]:
    return [_text(row[at]) for row in rows if len(row) > at and _text(row[at])]


def _is_number(text: str) -> bool:
    return _number(text) is not None


def _number(value: Any) -> float | None:
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(str(value).replace(",", ""))
    except ValueError:
        return None


def _are_single(column: Sequence[str]) -> bool:
    """Values of one person each: days or numbers, mostly different, and no bands such as 30–39."""
    single = [
        one for one in column if _is_number(one) or re.fullmatch(r"\d{4}[-/.年]\d{1,2}(?:[-/.月]\d{1,2}日?)?月?", one)
    ]
    return len(single) > 0.8 * len(column) > 0 and len(set(single)) > min(3, len(single) - 1)


def _are_births(values: Sequence[Any]) -> bool:
    """Whether numbers are years of birth: many different ones, before those that our series show."""
    years = [_number(one) for one in values]
    return len(years) >= MANY and all(one is not None and 1930 <= one <= 2010 for one in years) and len(set(years)) > 9


def are_pays(values: Sequence[Any]) -> bool:
    """Whether numbers are pays of single persons: many, nearly all different, whole yuan of that size, no years."""
    if len(values) < MANY or _number(values[0]) is None is _number(values[1]):
        return False
    numbers = [one for one in map(_number, values) if one is not None]
    if len(numbers) < MANY or len(numbers) < 0.9 * len(values):
        return False
    array = np.asarray(numbers)
    middle = float(np.median(array))
    is_year = bool(((array >= 1900) & (array <= 2100)).all())
    whole = float((np.abs(array * 100 - np.round(array * 100)) < 1e-6).mean()) > 0.95
    in_range = float(((array >= PAY[0] / 2) & (array <= PAY[1])).mean()) > 0.95
    different = len(set(numbers)) > 0.8 * len(numbers)
    return not is_year and whole and in_range and different and PAY[0] <= middle <= PAY[1] / 2


def is_trace(value: dict[str, Any]) -> bool:
    """Whether a JSON object is one trace of a figure, with data in it."""
    arrays = sum(isinstance(value.get(name), list | dict) and len(value[name]) > 0 for name in ARRAYS)
    kind = value.get("type")
    return arrays > 0 and (kind in RAW_TRACES | PERSON_TRACES | CLOUD | OTHERS or (kind is None and arrays > 1))


def find_in_trace(trace: dict[str, Any], where: str) -> Iterator[Finding]:
    """A trace from which every person's value can be read."""
    kind = trace.get("type", "scatter")
    if kind in RAW_TRACES:
        for axis in ("x", "y"):
            size = len(_list(trace.get(axis)))
            if size > 1 and not _is_aggregated(trace, axis):
                yield Finding.masked("refuse", f"{where}.{axis}", f"{kind} {size}", "person_values")
    elif kind in PERSON_TRACES:
        sizes = [len(_list(one.get("values"))) for one in trace.get("dimensions") or [] if isinstance(one, dict)]
        if max(sizes, default=0) > LARGE_CLOUD:
            yield Finding.masked("refuse", f"{where}.dimensions", f"{kind} {max(sizes)}", "person_values")
    elif kind == "table":
        columns = _list((trace.get("cells") or {}).get("values"))
        heads = [
            one[0] if isinstance(one, list) and one else one for one in _list((trace.get("header") or {}).get("values"))
        ]
        height = max((len(one) for one in columns if isinstance(one, list)), default=0)
        rows = [[one[at] if isinstance(one, list) and at < len(one) else "" for one in columns] for at in range(height)]
        yield from find_in_table([heads, *rows], where)
    elif kind in CLOUD:
        yield from _find_in_cloud(trace, kind, where)
    yield from _find_labels(trace, where)
    if PLACES in trace:
        return
    named = max((len(column) for _, column in _arrays(trace) if _are_named(column)), default=0)
    for name, column in _arrays(trace):
        is_grid = name == "x" and trace.get("mode") == "lines"  # where a curve is drawn
        if named < 0.8 * len(column) and not is_grid and are_pays(column):  # places have their names beside them
            yield Finding.masked("warn", f"{where}.{name}", f"{kind} {len(column)}", "person_values")
            return


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _arrays(value: Any, name: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Every array of a trace, column by column; a matrix as one."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _arrays(inner, f"{name}.{key}".strip("."))
    elif isinstance(value, list) and value and set(map(type, value)) == {list}:
        if name == "z":
            yield name, [cell for row in value for cell in row]
        else:
            yield from ((name, list(column)) for column in zip(*value, strict=False))
            yield from ((name, row) for row in value if len(row) >= MANY)
    elif isinstance(value, list) and value:
        yield name, value


def _are_named(column: Sequence[Any]) -> bool:
    words = [one for one in column if isinstance(one, str) and not _is_number(one) and not _TOKEN.fullmatch(one)]
    return len(words) > 0.8 * len(column) and len(set(words)) >= 0.5 * len(column)


def is_map(layout: Any) -> bool:
    """Whether a figure's axes are hidden coordinates of places, so that its points are places and not values."""
    axes = [layout.get(name) for name in ("xaxis", "yaxis")] if isinstance(layout, dict) else [None]
    return all(isinstance(axis, dict) and axis.get("visible") is False for axis in axes)


def _is_aggregated(trace: dict[str, Any], axis: str) -> bool:
    """A box of given quartiles, whose positions are on one axis; a histogram of given counts."""
    quartiles = {"q1", "median", "q3"} <= set(trace)
    if trace.get("type") == "box" and quartiles:
        return len(_list(trace.get(axis))) <= len(_list(trace["median"]))
    other = "y" if axis == "x" else "x"
    return trace.get("histfunc") == "sum" and len(_list(trace.get(other))) == len(_list(trace.get(axis)))


def _find_in_cloud(trace: dict[str, Any], kind: str, where: str) -> Iterator[Finding]:
    """Points that are neither a curve nor a few labelled places."""
    if "markers" not in str(trace.get("mode", "markers")):
        return
    x, y = (np.asarray(_list(trace.get(axis)), object) for axis in ("x", "y"))
    size = max(len(x), len(y))
    if size <= LARGE_CLOUD or not (_are_numbers(x) and _are_numbers(y)):
        return
    grid = np.diff(x.astype(float))
    if len(grid) and ((grid > 0).all() or (grid < 0).all()):
        return  # in the order of the axis: a curve
    if len(set(y.tolist())) <= FEW_LEVELS or len(set(x.tolist())) <= FEW_LEVELS:
        return  # marks in a grid of choices
    if PLACES in trace and (_SITES.search(str(trace.get("name", ""))) or _are_named(_list(trace.get("text")))):
        return  # stations on a map, by name
    grave = size >= LARGEST_CLOUD and PLACES not in trace
    yield Finding.masked("refuse" if grave else "warn", where, f"{kind} {size}", "person_cloud")


def _are_numbers(values: np.ndarray) -> bool:
    return len(values) > 0 and all(isinstance(one, int | float | np.number) for one in values[:50])


def _find_labels(trace: dict[str, Any], where: str) -> Iterator[Finding]:
    """Points that carry a token each, as persons do: an own identifier, or a hover text that names it."""
    said = " ".join(str(trace.get(name, "")) for name in ("hovertemplate", "texttemplate", "name"))
    for field, column in _arrays(trace):
        texts = [str(one) for one in column if isinstance(one, str | int) and not isinstance(one, bool)]
        least = 1 if field in ("ids", "customdata", "text", "hovertext") else 9
        words = [one for one in texts if least == 1 or not one.isdigit()]
        tokens = [one for one in words if _TOKEN.fullmatch(one) and not _NO_TOKEN.fullmatch(one)]
        many = len(set(tokens)) > least and len(tokens) * 2 > len(column)
        if many or (field == "customdata" and len(set(texts)) > 2 and _PERSON_WORD.search(said)):
            yield Finding.masked("refuse", f"{where}.{field}", f"{field} {len(column)}", "person_labels")
