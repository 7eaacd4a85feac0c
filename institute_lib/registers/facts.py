"""Tables of facts that the institute brings itself: policies, who reported, other counties, villages, published facts.

One header row of the contract's names or their Chinese labels, one row a fact, each with its source.
"""

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import areas, tables, terms
from institute_lib.errors import DataError, Fault, ParameterError
from institute_lib.registers import described, reading, vocabulary
from institute_lib.registers.refusal import Refused
from institute_lib.tables import journal, villages

# Columns that a file must have; the others of the contract may be left out.
REQUIRED = {
    "policies": ("policy_id", "name_zh", "area", "outcome", "design", "source"),
    "reporting": ("district", "quarter", "reported"),
    "district_panel": ("district", "quarter", "headcount", "source"),
    "village_population": ("village", "population", "source"),
    "published_facts": ("area", "period", "indicator", "value", "unit", "source"),
}
OPTIONAL = {"published_facts": ("bound", "status", "note"), "policies": ("note",)}
HEADERS = {  # how people head a column, besides its own name and its label
    "district": ("区", "区县", "县区"),
    "quarter": ("季度",),
    "headcount": ("在职人数", "从业人员数"),
    "certified_share": ("持证率",),
    "stay_rate": ("留任率", "季度留任率"),
    "village": ("村社区代码", "村代码"),
    "population": ("常住人口", "人口"),
    "source": ("来源", "出处"),
    "area": ("地区", "适用地区", "地区代码"),
    "period": ("时期", "年份"),
    "indicator": ("指标",),
    "value": ("数值",),
    "unit": ("单位",),
    "policy_id": ("政策编号",),
    "name_zh": ("政策名称", "名称"),
    "outcome": ("结果指标",),
    "design": ("研究设计",),
    "treated_from": ("首个完整处理季度", "起始季度"),
    "start": ("起始日期",),
    "reported": ("是否报送", "已报送"),
    "x": ("经度",),
    "y": ("纬度",),
}
FLAGS = {"是": True, "yes": True, "true": True, "1": True, "否": False, "no": False, "false": False, "0": False}


def read(files: Iterable[Path], table: str, *, today: date) -> pd.DataFrame:
    """The rows of such files in the contract's columns, with their `source` where the contract has none.

    Raises:
        DataError: a file cannot be read, lacks a column, or holds rows that break the contract (all at once).
    """
    parts = [part for path in files for part in _sheets(Path(path), table)]
    frame = pd.concat(parts, ignore_index=True)
    faults: list[Fault] = []
    for column in frame.columns.drop("source_row"):
        frame[column] = [
            _value(column, cell, table, row, faults)
            for cell, row in zip(frame[column], frame["source_row"], strict=True)
        ]
    if faults:
        raise _refusal(table, faults)
    frame = _complete(frame, table, today)
    sources = frame["source"].astype("str") if "source" in frame else None
    if table == "published_facts":
        return _checked_facts(frame)
    checked = tables.validate(table, frame).reset_index(drop=True)
    return checked if sources is None or "source" in checked else checked.assign(source=sources.reset_index(drop=True))


def _refusal(table: str, faults: list[Fault]) -> DataError:
    said = {"table": table, "number": len(faults)}
    refused = DataError(terms.text("registers.error_facts", "en", **said), tuple(faults))
    refused.chinese = terms.text("registers.error_facts", "zh", **said)
    return refused


def _sheets(path: Path, table: str) -> list[pd.DataFrame]:
    try:
        sheets = reading.read_sheets(path)
    except Refused as refused:
        rule = refused.rule, refused.detail
        said = {"rule": lambda language: terms.text(f"registers.rule_{rule[0]}", language, detail=rule[1])}
        raise terms.error(DataError, "registers.error_facts_file", name=path.name, **said) from None
    found = [_table(sheet.rows, table) for sheet in sheets]
    found = [part for part in found if part is not None]
    if not found:
        needed = "、".join(REQUIRED[table])
        raise terms.error(DataError, "registers.error_facts_header", name=path.name, columns=needed)
    return found


def _table(rows: list[list[Any]], table: str) -> pd.DataFrame | None:
    """The rows below the first row that heads every required column; None where there is none."""
    names = {}
    contract = () if table == "published_facts" else tables.columns(table)
    for column in dict.fromkeys((*REQUIRED[table], *contract, *OPTIONAL.get(table, ()))):
        for written in (column, *HEADERS.get(column, ()), _label(column)):
            names[vocabulary.plain(written)] = column
    for at, row in enumerate(rows):
        heads = [names.get(vocabulary.plain(str(cell or ""))) for cell in row]
        if set(REQUIRED[table]) <= set(heads):
            body = [
                (number, cells) for number, cells in enumerate(rows[at + 1 :], start=at + 2) if any(map(_filled, cells))
            ]
            columns = {
                name: [cells[place] if place < len(cells) else None for _, cells in body]
                for place, name in enumerate(heads)
                if name
            }
            return pd.DataFrame(columns, dtype=object).assign(source_row=[number for number, _ in body])
    return None


def _filled(cell: Any) -> bool:
    return cell not in (None, "")


def _label(column: str) -> str:
    known = terms.catalogue("labels")
    return known[column]["zh"] if column in known else column


def _value(column: str, cell: Any, table: str, row: int, faults: list[Fault]) -> Any:
    """One cell in the contract's words; what cannot be read is a fault."""
    if isinstance(cell, datetime | date):
        return cell.strftime("%Y-%m-%d")
    text = vocabulary.normal(str(cell)) if _filled(cell) else ""
    if not text:
        return None
    if isinstance(cell, float) and cell.is_integer():
        text = str(int(cell))
    try:
        return _parse(column, text, table)
    except (ParameterError, KeyError, ValueError):
        faults.append(Fault(table, row, column, text, terms.text("registers.fault_fact", "zh")))
        return None


def _parse(column: str, text: str, table: str) -> Any:
    if column == "district" or (column == "area" and table == "policies"):
        return ";".join(areas.get(part.strip()).code for part in text.replace("、", ";").split(";"))
    if column in ("quarter", "treated_from", "partial_quarter"):
        return journal.quarter_of_state(described.in_texts([text]) or "none")
    if column == "reported":
        return FLAGS[text.lower()]
    return float(text[:-1]) / 100 if text.endswith("%") else text


def _complete(frame: pd.DataFrame, table: str, today: date) -> pd.DataFrame:
    """What follows of the rest, or is the same for every row."""
    frame = frame.copy()
    if table == "policies":
        defaults = {"status": "published", "recorded": today.isoformat(), "name_en": frame["name_zh"]}
    elif table == "village_population":
        code = frame["village"].astype("str")
        defaults = {"town": code.str[:9], "district": code.str[:6], "crs": "EPSG:4326", "rule": frame["source"]}
        if not {"x", "y"} <= set(frame):
            frame = villages.with_points(frame.assign(district=code.str[:6]))
    else:
        defaults = {"bound": "exact", "status": "published", "note": ""} if table == "published_facts" else {}
    for column, value in defaults.items():
        if column not in frame:
            frame[column] = value
    for column in () if table == "published_facts" else tables.columns(table):
        if column not in frame:
            frame[column] = None
    for column in ("start", "recorded"):
        if column in frame:
            frame[column] = pd.to_datetime(frame[column])
    return frame


def _checked_facts(frame: pd.DataFrame) -> pd.DataFrame:
    """Published facts, by the contract of the reference file that they join."""
    wrong = frame[pd.to_numeric(frame["value"], errors="coerce").isna()]
    if len(wrong):
        faults = [
            Fault("published_facts", row.source_row, "value", row.value, terms.text("registers.fault_fact", "zh"))
            for row in wrong.itertuples()
        ]
        raise _refusal("published_facts", faults)
    columns = ["area", "period", "indicator", "value", "bound", "unit", "source", "status", "note"]
    return frame[columns].fillna("").astype("str")
