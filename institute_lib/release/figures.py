"""Plotly figures as data: typed arrays decoded, and traces that carry one value a person."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from institute_lib.release.findings import Finding, found

# Traces that compute their picture in the browser out of every single value.
RAW_TRACES = frozenset({"box", "violin", "histogram", "histogram2d", "histogram2dcontour", "strip", "ecdf"})
PERSON_TRACES = frozenset({"parcoords", "parcats", "splom", "scatterternary", "scatterpolar", "carpet"})
CLOUD = frozenset({"scatter", "scattergl", "scatter3d", "scatterpolargl"})
LARGEST_CLOUD, LARGE_CLOUD = 100, 30
_FORMATS = {kind: f"<{kind}" for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")}
_FORMATS |= {"u1c": "<u1"} | {
    f"{sign}int{8 * size}": f"<{sign or 'i'}{size}" for sign in ("", "u") for size in (1, 2, 4)
}
_FORMATS |= {"float32": "<f4", "float64": "<f8"}
PLACES = "__places__"
_PERSON_WORD = re.compile(
    r"worker|person|employee|staff|\bid\b|_id\b|\bname\b|姓名|工号|编号|身份证|人员", re.IGNORECASE
)
_TOKEN = re.compile(r"(?=.*\d)[A-Za-z]{1,8}[-_ ]?\d{2,}|[0-9a-f]{8,}(?:-[0-9a-f]{4,}){0,4}|\d{7,}")


def is_trace(value: dict[str, Any]) -> bool:
    """Whether a JSON object is one trace of a figure, with data in it."""
    arrays = sum(len(decode(value.get(name))) > 0 for name in ("x", "y", "z", "values", "dimensions", "lat"))
    kind = value.get("type")
    return arrays > 0 and (kind in RAW_TRACES | PERSON_TRACES | CLOUD or (kind is None and arrays > 1))


def find_in_trace(trace: dict[str, Any], where: str) -> Iterator[Finding]:
    """A trace from which every person's value can be read."""
    kind = trace.get("type", "scatter")
    if kind in RAW_TRACES:
        for axis in ("x", "y"):
            size = len(decode(trace.get(axis)))
            if size > 1 and not _is_aggregated(trace, axis):
                yield found("refuse", f"{where}.{axis}", f"{kind} {size}", "person_values")
    elif kind in PERSON_TRACES:
        sizes = [len(decode(one.get("values"))) for one in trace.get("dimensions") or [] if isinstance(one, dict)]
        if max(sizes, default=0) > LARGE_CLOUD:
            yield found("refuse", f"{where}.dimensions", f"{kind} {max(sizes)}", "person_values")
    else:
        yield from _find_in_cloud(trace, kind, where)
    yield from _find_labels(trace, where)


def is_map(layout: Any) -> bool:
    """Whether a figure's axes are hidden coordinates of places, so that its points are places and not values."""
    axes = [layout.get(name) for name in ("xaxis", "yaxis")] if isinstance(layout, dict) else [None]
    return all(isinstance(axis, dict) and axis.get("visible") is False for axis in axes)


def on_map(trace: Any) -> Any:
    """The trace, marked as one of places."""
    return {**trace, PLACES: True} if isinstance(trace, dict) else trace


def _is_aggregated(trace: dict[str, Any], axis: str) -> bool:
    """A box of given quartiles, whose positions are on one axis; a histogram of given counts."""
    quartiles = {"q1", "median", "q3"} <= set(trace)
    if trace.get("type") == "box" and quartiles:
        size = len(decode(trace["median"]))
        return len(decode(trace.get(axis))) <= size
    other = "y" if axis == "x" else "x"
    return trace.get("histfunc") == "sum" and len(decode(trace.get(other))) == len(decode(trace.get(axis)))


def _find_in_cloud(trace: dict[str, Any], kind: str, where: str) -> Iterator[Finding]:
    """Points that are neither a curve nor a few labelled places."""
    if "markers" not in str(trace.get("mode", "markers")):
        return
    x, y = (np.asarray(decode(trace.get(axis)), object) for axis in ("x", "y"))
    size = max(len(x), len(y))
    if size <= LARGE_CLOUD or not (_are_numbers(x) and _are_numbers(y)):
        return
    grid = np.diff(x.astype(float))
    if len(grid) and ((grid > 0).all() or (grid < 0).all()):
        return  # in the order of the axis: a curve
    grave = size >= LARGEST_CLOUD and PLACES not in trace
    yield found("refuse" if grave else "warn", where, f"{kind} {size}", "person_cloud")


def _are_numbers(values: np.ndarray) -> bool:
    return len(values) > 0 and all(isinstance(one, int | float | np.number) for one in values[:50])


def _find_labels(trace: dict[str, Any], where: str) -> Iterator[Finding]:
    """Points that carry a token each, as persons do: an own identifier, or a hover text that names it."""
    said = " ".join(str(trace.get(name, "")) for name in ("hovertemplate", "texttemplate", "name"))
    for field in ("ids", "customdata", "text", "hovertext"):
        for column in _columns(decode(trace.get(field))):
            texts = [str(one) for one in column if isinstance(one, str | int)]
            tokens = [one for one in texts if _TOKEN.fullmatch(one) and not re.fullmatch(r"\d{6}|\d{4}Q[1-4]", one)]
            many = len(set(tokens)) > 1 and len(tokens) * 2 > len(column)
            if many or (field == "customdata" and len(set(texts)) > 2 and _PERSON_WORD.search(said)):
                yield found("refuse", f"{where}.{field}", f"{field} {len(column)}", "person_labels")


def _columns(values: list[Any]) -> list[list[Any]]:
    if values and isinstance(values[0], list):
        return [list(column) for column in zip(*(one for one in values if isinstance(one, list)), strict=False)]
    return [values] if values else []


def decode(values: Any) -> list[Any]:
    """A plotly array as a list; typed arrays (`{"dtype": "f8", "bdata": …}`) are decoded."""
    if isinstance(values, list):
        return values
    if not is_typed(values):
        return []
    dtype = np.dtype(_FORMATS[values["dtype"]])
    try:
        content = base64.b64decode(values["bdata"])
    except (binascii.Error, TypeError, ValueError):
        return []
    return np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype).tolist()


def is_typed(values: Any) -> bool:
    """Whether a JSON value is a typed array of a known type."""
    return isinstance(values, dict) and "bdata" in values and values.get("dtype") in _FORMATS
