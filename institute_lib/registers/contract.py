"""From clean columns to the tables of the contract, with a pseudonym in place of each person."""

import pandas as pd

from institute_lib import tables
from institute_lib.registers import vocabulary
from institute_lib.registers.identity import Key
from institute_lib.tables.journal import PERSONS


def build(table: str, frame: pd.DataFrame, key: Key | None) -> dict[str, pd.DataFrame]:
    """The contract's tables that a register fills: itself, and `worker_changes` out of a register of workers.

    Args:
        table: the register's table.
        frame: parsed columns, index 0, 1, …; attributes the office does not record are absent or None.
        key: the pseudonym key; None for tables without persons.

    Returns:
        Table name to frame, with a column `source_row` (the index) for messages.
    """
    personal = [] if table == "stations" else ["name"]
    source = frame.drop(columns=["file", "sheet", "row", *personal], errors="ignore")
    identities = source.pop("identity") if "identity" in source else None
    if identities is not None and key is not None:
        numbers = [found.number for found in identities]
        known = {number: key.pseudonym(number) for number in dict.fromkeys(numbers)}
        for column in PERSONS[table]:
            source[column] = pd.Series([known[number] for number in numbers], source.index, dtype="str")
    if table == "workers":
        source = _derive_worker(source, identities)
        changes = _fill("worker_changes", source.assign(date=source["entered"]))
        return {"workers": _fill("workers", source), "worker_changes": changes}
    return {table: _fill(table, source)}


def _derive_worker(source: pd.DataFrame, identities: pd.Series) -> pd.DataFrame:
    derived = source.assign(birth_year=[found.birth_year for found in identities])
    recorded = derived["gender"] if "gender" in derived else pd.Series(None, derived.index, dtype=object)
    computed = pd.Series([found.gender for found in identities], derived.index, dtype=object)
    derived["gender"] = recorded.where(recorded.notna(), computed)
    left = derived["left"] if "left" in derived else pd.Series(None, derived.index, dtype=object)
    reason = derived["leave_reason"] if "leave_reason" in derived else pd.Series(None, derived.index, dtype=object)
    derived["left"] = left
    derived["leave_reason"] = reason.where(reason.notna() | left.isna(), "unknown").where(left.notna(), None)
    return derived


def _fill(table: str, source: pd.DataFrame) -> pd.DataFrame:
    unrecorded = vocabulary.declared()["unrecorded"]
    filled = {}
    schema = tables.contracts.schema(table)
    for name, column in schema.columns.items():
        if name not in source:
            value = None if column.nullable else unrecorded.get(name)
            filled[name] = _typed(pd.Series(value, source.index, dtype=object), str(column.dtype))
            continue
        values = source[name]
        if name in unrecorded and not column.nullable:
            values = values.where(values.notna(), unrecorded[name])
        filled[name] = _typed(values, str(column.dtype))
    return pd.DataFrame(filled).assign(source_row=source.index)


def _typed(values: pd.Series, dtype: str) -> pd.Series:
    if dtype.startswith("datetime"):
        return pd.to_datetime(values).astype("datetime64[us]")
    if dtype == "float64":
        return values.astype("float64")
    if dtype == "boolean":
        return values.astype("boolean")
    return values if dtype == "bool" else values.astype("str")
