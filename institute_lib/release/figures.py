"""Plotly figures as data: every string, every number, typed arrays decoded, traces that carry one value a person."""

import base64
import struct
from collections.abc import Iterator
from typing import Any

from institute_lib.release.findings import Finding, found
from institute_lib.release.patterns import find_in_number, find_in_text

RAW_TRACES = {"box": ("y", "x"), "violin": ("y", "x"), "histogram": ("x", "y"), "histogram2d": ("x", "y")}
RAW_TRACES |= {"histogram2dcontour": ("x", "y"), "strip": ("x", "y")}
CLOUD = ("scatter", "scattergl", "scatter3d", "splom")
LARGEST_CLOUD = 200
_FORMATS = {
    "i1": "b",
    "u1": "B",
    "i2": "h",
    "u2": "H",
    "i4": "i",
    "u4": "I",
    "f4": "f",
    "f8": "d",
    "i8": "q",
    "u8": "Q",
}
_PROVENANCE_FIELDS = frozenset({"sha256", "fingerprint", "digest", "hash", "key_id", "code_hash", "data_hash"})


def find_in_figure(figure: Any, where: str) -> Iterator[Finding]:
    """Everything personal in a figure (`{"data": […], "layout": {…}}`) or a list of traces."""
    traces = figure.get("data", []) if isinstance(figure, dict) else figure
    for index, trace in enumerate(traces if isinstance(traces, list) else []):
        if isinstance(trace, dict):
            yield from _find_in_trace(trace, f"{where}.data[{index}]")
    yield from find_in_json(figure, where)


def _find_in_trace(trace: dict[str, Any], where: str) -> Iterator[Finding]:
    kind = trace.get("type", "scatter")
    for axis in RAW_TRACES.get(kind, ()):
        values = decode(trace.get(axis))
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if len(numbers) > 1 and not {"q1", "median", "q3"} <= set(trace):
            yield found("refuse", f"{where}.{axis}", f"{kind} {len(numbers)}", "person_values")
    if kind in CLOUD and "markers" in str(trace.get("mode", "markers")):
        size = max(len(decode(trace.get(axis))) for axis in ("x", "y"))
        if size > LARGEST_CLOUD:
            yield found("warn", where, f"{kind} {size}", "person_cloud")


def find_in_json(value: Any, where: str) -> Iterator[Finding]:
    """Everything personal in plain JSON: keys, strings, numbers, typed arrays."""
    if isinstance(value, str):
        yield from find_in_text(value, where)
    elif isinstance(value, dict):
        if "bdata" in value and "dtype" in value:
            value = {"bdata": decode(value)}
        for key, part in value.items():
            if key not in _PROVENANCE_FIELDS:
                yield from find_in_text(str(key), where)
                yield from find_in_json(part, f"{where}.{key}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from find_in_json(part, f"{where}[{index}]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from find_in_number(float(value), where)


def decode(values: Any) -> list[Any]:
    """A plotly array as a list; typed arrays (`{"dtype": "f8", "bdata": …}`) are decoded."""
    if isinstance(values, list):
        return values
    if not isinstance(values, dict) or values.get("dtype") not in _FORMATS:
        return []
    content = base64.b64decode(values.get("bdata", ""))
    kind = _FORMATS[values["dtype"]]
    return list(struct.unpack(f"<{len(content) // struct.calcsize(kind)}{kind}", content))
