"""The ledger: every number ever released, one file beside each release's record, which holds its hash.

A line is JSON: the release, district, quarter, indicator, further keys, value (empty where hidden), the count behind
it where that was released too, rounding, definition and table.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.disclosure import SafeTable, show
from institute_lib.errors import ParameterError, ReleaseError, nearest
from institute_lib.release import chain
from institute_lib.runs import places

FIELDS = ("release", "table", "indicator", "district", "quarter", "keys", "value", "count", "rounding")
FIELDS += ("definition", "status", "method")
ALIASES = {"area": "district", "district_code": "district", "period": "quarter", "n": "count", "contributors": "count"}
ALIASES |= {"name": "indicator", "measure": "indicator", "number": "value"}
COUNTS = re.compile(
    r"^(n|counts?|headcount|persons?|people|workers|heads|stock|employed|contributors|sat|rows)$|_count$"
)
STEPS = {"share": 0.001, "points": 0.001, "count": 1.0, "yuan": 1.0, "integer": 1.0}
BACK = {"_last_quarter": 1, "_last_year": 4}
Figures = pd.DataFrame | SafeTable | Path | str | Iterable[Any] | None


def read(path: Path | str | None = None) -> pd.DataFrame:
    """The figures of all releases, or of one file of them, as a table (FIELDS); empty where nothing was released yet.

    Raises:
        ReleaseError: a file is not the one whose hash stands in its record.
    """
    if path is not None:
        return _frame([json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()])
    parts = []
    for record in chain.sound():
        if not chain.has_figures(record):
            raise terms.error(ReleaseError, "release.error_figures", path=chain.figures(record.number))
        parts.append(read(chain.figures(record.number)))
    return pd.concat(parts, ignore_index=True) if parts else _frame([])


def write(rows: pd.DataFrame, number: str) -> str:
    """Keep the figures of a request; returns their hash."""
    lines = []
    for row in rows[list(FIELDS)].to_dict("records"):
        plain = {name: None if not isinstance(value, dict) and pd.isna(value) else value for name, value in row.items()}
        lines.append(json.dumps(plain, ensure_ascii=False, sort_keys=True))
    places.write_whole(chain.figures(number), "".join(f"{line}\n" for line in lines))
    return places.file_hash(chain.figures(number))


def fresh(rows: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """The rows that the ledger does not hold yet, whatever release they came with, each once."""
    names = ["table", "indicator", "district", "quarter", "keys", "value", "count", "rounding"]

    def said(frame: pd.DataFrame) -> pd.Series:
        return frame[names].map(repr).agg("|".join, axis=1) if len(frame) else pd.Series([], dtype="str")

    now = said(rows)
    return rows[~now.isin(set(said(before))) & ~now.duplicated()].reset_index(drop=True)


def rows_of(figures: Figures, *, table: str = "", **context: Any) -> pd.DataFrame:
    """Figures in any form as rows of the ledger.

    Args:
        figures: a ledger's path, a SafeTable, a list of these, or a DataFrame: long, with a column `value` (NaN where
            hidden) and `indicator` or `definition`; or wide, one column a figure. Columns that are no field of the
            ledger are keys of the cell.
        table: the name of the table, for findings; by default its title.
        context: fields that all rows share, such as district and quarter.
    """
    if figures is None:
        return _frame([])
    if isinstance(figures, SafeTable):
        listed = show.figures(figures)
        return from_records(listed["records"], table=table or figures.title, method=listed["method"], **context)
    if isinstance(figures, str | Path):
        return read(figures)
    if isinstance(figures, pd.DataFrame):
        return _of_frame(figures, table, context)
    if isinstance(figures, Mapping):
        parts = [rows_of(part, table=str(name), **context) for name, part in figures.items()]
    else:
        listed = list(figures)
        if listed and isinstance(listed[0], Mapping):
            return _of_frame(pd.DataFrame(listed), table, context)
        parts = [rows_of(part, table=table or f"table {i}", **context) for i, part in enumerate(listed, start=1)]
    return pd.concat(parts, ignore_index=True) if parts else _frame([])


def _of_frame(frame: pd.DataFrame, table: str, context: Mapping[str, Any]) -> pd.DataFrame:
    if "value" in frame and "count" not in frame and "n" in frame:
        frame = frame.rename(columns={"n": "count"})
    if "value" in frame:
        frame = frame.rename(columns={old: new for old, new in ALIASES.items() if old in frame and new not in frame})
        if "indicator" not in frame:
            frame = frame.assign(indicator=frame.get("definition", "value"))
    else:
        frame = _melted(frame)
    own = [name for name in frame if name not in (*FIELDS, "unit", "reason", "released", "by")]
    rows = []
    for record in frame.to_dict("records"):
        keys = {**(record["keys"] if isinstance(record.get("keys"), dict) else {}), **{k: str(record[k]) for k in own}}
        fields = {name: record[name] for name in FIELDS if name in record and name != "keys"}
        rows.append({"table": table, **context, **fields, "keys": keys})
    return _frame(rows)


def _melted(frame: pd.DataFrame) -> pd.DataFrame:
    """A wide table as a long one: every numeric column a figure, the first count among them behind the others."""
    frame = frame.rename(
        columns={old: new for old, new in ALIASES.items() if new in ("district", "quarter") and old in frame}
    )
    fixed = ("status", "reason", "rounding", "table", "release", "definition", "method")
    figures = [
        name
        for name in frame
        if pd.api.types.is_numeric_dtype(frame[name])
        and not pd.api.types.is_bool_dtype(frame[name])
        and name not in ("district", "quarter", "year", *fixed)
    ]
    if not figures:
        raise ParameterError(f"audit: no figure in {', '.join(map(str, frame.columns))}: {nearest('value', FIELDS)}")
    count = next((name for name in figures if COUNTS.search(str(name))), None)
    parts = []
    for name in figures:
        part = frame.drop(columns=figures).assign(indicator=str(name), value=frame[name])
        counted = bool(count) and (frame[name].dropna() % 1 == 0).all() and not (frame[name] > frame[count]).any()
        if count and name != count and not counted:
            part["count"] = frame[count]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def from_records(
    records: Iterable[Mapping[str, Any]], *, method: str = "suppress", exact: bool = False, **context: Any
):
    """Records as `disclosure.show.figures` lists them, as rows of the ledger.

    Args:
        exact: a chart carries its figures unrounded.
    """
    listed = list(records)
    counts = {}
    for one in listed:
        if one["unit"] == "count" and COUNTS.search(one["indicator"]):
            counts.setdefault(tuple(sorted(one["keys"].items())), one["value"])
    rows = []
    for one in listed:
        keys = dict(one["keys"])
        own = {name: keys.pop(name) for name in ("district", "quarter") if name in keys}
        own |= {"district": keys.pop("area")} if "area" in keys and "district" not in own else {}
        is_count = one["unit"] == "count"
        behind = None if is_count else counts.get(tuple(sorted(one["keys"].items())))
        step = 5.0 if method == "round" else 0.0 if exact else STEPS.get(one["unit"], _step(one["unit"]))
        fields = {"indicator": one["indicator"], "value": one["value"], "status": one["status"], "count": behind}
        rows.append({**context, **fields, **own, "keys": keys, "rounding": step, "method": method})
    return _frame(rows)


def from_result(result: Mapping[str, Any], **context: Any) -> pd.DataFrame:
    """The numbers that a study recorded (`result.json`), as rows of the ledger.

    A number `x_last_quarter` or `x_last_year` is x of that quarter. Numbers of no protection rest on no persons.
    """
    quarter, rows = str(result.get("quarter", "")), []
    for name, value in result.get("numbers", {}).items():
        how = result.get("protection", {}).get(name, {})
        back = next((one for end, one in BACK.items() if name.endswith(end)), 0)
        fields = {
            "indicator": re.sub("|".join(BACK), "", name),
            "district": str(result.get("area", "")),
            "quarter": str(pd.Period(quarter, freq="Q") - back) if back else quarter,
            "value": value,
            "status": how.get("status", "exempt"),
            "method": "exempt" if how.get("status", "exempt") == "exempt" else "suppress",
            "rounding": STEPS.get(how.get("unit", ""), 0.0),
        }
        if how.get("status") != "missing":  # not reported is nothing that an attacker could use
            rows.append({**context, **fields})
    return _frame(rows)


def _step(unit: str) -> float:
    digits = unit.removeprefix("number")
    return 10.0 ** -int(digits) if digits.isdigit() else 0.0


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(FIELDS))
    for name in ("value", "count", "rounding"):
        frame[name] = pd.to_numeric(frame[name]).astype(float)
    for name in ("release", "table", "indicator", "district", "quarter", "definition", "status", "method"):
        frame[name] = frame[name].map(lambda value: "" if value is None or pd.isna(value) else str(value)).astype("str")
    frame["rounding"] = frame["rounding"].fillna(0.0)
    frame["keys"] = frame["keys"].map(lambda keys: dict(keys) if isinstance(keys, dict) else {})
    hidden = frame["value"].isna() & (frame["status"].isin(["", "shown"]))
    frame.loc[hidden, "status"] = "primary"
    return frame
