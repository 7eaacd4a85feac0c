"""JSON and notebooks: every key and value, pages inside as pages, pictures as files, numbers as numbers, charts."""

import base64
import binascii
import re
from typing import Any

import numpy as np

from institute_lib.release.disguises import BREAK
from institute_lib.release.findings import Finding, Found, Part
from institute_lib.release.rows import PLACES, RAW_TRACES, is_map, is_trace

PAGES = ("text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/xml", "text/markdown")
PERSON_KEYS = frozenset(
    {"operator", "user", "username", "user_name", "author", "authors", "creator", "owner", "logname"}
)
LINES = ("source", "text", "traceback")  # what a notebook keeps as a list of lines
LEAST_RECORDS = 5
_MIME = re.compile(r"[a-z]+/[\w.+\-]+")
_BINARY = re.compile(r"(?:image|audio|video|font)/|application/(?:pdf|octet-stream|zip|x-)")
_TYPES = {f"{kind}{size}": f"<{kind}{size}" for kind in "iuf" for size in (1, 2, 4, 8)} | {"u1c": "<u1"}
_TYPES |= {f"{sign}int{8 * size}": f"<{sign or 'i'}{size}" for sign in ("", "u") for size in (1, 2, 4)}
_TYPES |= {"float32": "<f4", "float64": "<f8"}


def take_json(part: Part) -> Found:
    """The parts of a JSON value, by where they stand."""
    yield from _walk(_decoded(part.content), part.where)


def _decoded(value: Any) -> Any:
    """The value with plotly's typed arrays (`{"dtype": "f8", "bdata": …}`) as lists."""
    if isinstance(value, list):
        return [_decoded(one) for one in value] if {dict, list} & set(map(type, value)) else value
    if not isinstance(value, dict):
        return value
    if value.get("dtype") in _TYPES and isinstance(value.get("bdata"), str):
        kind = np.dtype(_TYPES[value["dtype"]])
        try:
            content = base64.b64decode(value["bdata"])
        except (binascii.Error, ValueError):
            return []
        return np.frombuffer(content[: len(content) // kind.itemsize * kind.itemsize], kind).tolist()
    return {key: _decoded(one) for key, one in value.items()}


def _walk(value: Any, where: str) -> Found:
    if isinstance(value, dict):
        yield from _walk_object(value, where)
    elif isinstance(value, list):
        yield from _walk_list(value, where)
    elif isinstance(value, str):
        yield Part(where, "text", value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _numbers([value], where)


def _walk_object(value: dict[str, Any], where: str) -> Found:
    if is_trace(value):
        yield Part(where, "trace", value)
    if isinstance(value.get("data"), list) and is_map(value.get("layout")):
        value = {**value, "data": [{**one, PLACES: True} if isinstance(one, dict) else one for one in value["data"]]}
    if value.get("output_type") == "error":
        yield Finding.masked("refuse", where, "traceback", "traceback")
    if isinstance(value.get("outputs"), list):
        streams = (_text(one.get("text", "")) for one in value["outputs"] if isinstance(one, dict))
        yield Part(f"{where}.outputs", "text", "".join(streams))
    if value.get("cell_type") == "markdown":
        yield Part(f"{where}.source", "page", _text(value.get("source", "")))
    scalars = []
    for key, given in value.items():
        inner = given
        if key in RAW_TRACES and isinstance(given, list):  # a template's traces have their kind as key
            inner = [{"type": key, **one} if isinstance(one, dict) else one for one in given]
        place = f"{where}.{key}" if where else str(key)
        if _MIME.fullmatch(str(key)) and isinstance(inner, str | list) and _is_text(inner):
            yield _of_mime(str(key), _text(inner), place)
        elif isinstance(inner, str):
            scalars.append(f"{key}: {inner}")
        else:
            scalars.append(str(key))
            yield from _walk(inner, place)
        if str(key).casefold() in PERSON_KEYS and "metadata" in where and isinstance(inner, str) and inner.strip():
            yield Finding.masked("refuse", place, inner, "person_field")
    if scalars:
        yield Part(where, "text", BREAK.join(scalars))


def _of_mime(mime: str, content: str, where: str) -> Part:
    if mime in PAGES:
        return Part(where, "page", content)
    if "javascript" in mime:
        return Part(where, "script", content)
    return Part(where, "base64" if _BINARY.match(mime) else "text", content)


def _walk_list(value: list[Any], where: str) -> Found:
    if set(map(type, value)) <= {int, float}:
        yield from _numbers(value, where)
        return
    texts = [one for one in value if isinstance(one, str)]
    numbers = [one for one in value if isinstance(one, int | float) and not isinstance(one, bool)]
    if texts:
        yield Part(where, "text", BREAK.join(texts))
        if len(texts) > 1:  # lines, characters, or pieces that a script may put together
            is_whole = where.endswith(LINES) or all(len(one) == 1 for one in texts)
            yield Part(where, "text", ("" if is_whole else "\n").join(texts))
    if numbers:
        yield from _numbers(numbers, where)
    records = [one for one in value if isinstance(one, dict)]
    if len(records) >= LEAST_RECORDS and not any(map(is_trace, records)):
        names = list(dict.fromkeys(name for one in records for name in one))
        yield Part(where, "table", [names, *([one.get(name) for name in names] for one in records)])
    rows = [one for one in value if isinstance(one, list)]
    if len(rows) >= LEAST_RECORDS and len(rows) == len(value):
        yield Part(where, "table", rows)
    for index, inner in enumerate(value):
        if isinstance(inner, dict | list):
            yield from _walk(inner, f"{where}[{index}]")


def _numbers(values: list[Any], where: str) -> Found:
    """Numbers as large as an identity number or a phone, as texts; codes of characters; single digits."""
    array = np.asarray([min(one, 1e300) if isinstance(one, int) else one for one in values], float)
    large = [int(values[at]) for at in np.flatnonzero((array >= 13e9) & (array < 1e18)) if array[at].is_integer()]
    if large:
        yield Part(where, "text", BREAK.join(map(str, large)))
    if len(values) >= 11 and (((array >= 48) & (array <= 57)) | (array == 88) | (array == 120)).all():
        yield Part(where, "text", "".join(chr(int(one)) for one in values))
    if len(values) == 18 and ((array >= 0) & (array <= 9)).all():
        yield Part(where, "text", "".join(str(int(one)) for one in values))


def _is_text(value: str | list[Any]) -> bool:
    return isinstance(value, str) or (bool(value) and all(isinstance(one, str) for one in value))


def _text(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)
