"""JSON and notebooks: every key and value, pages inside as pages, pictures as files, numbers as numbers."""

import re
from typing import Any

import numpy as np

from institute_lib.release import figures
from institute_lib.release.disguises import BREAK
from institute_lib.release.findings import found
from institute_lib.release.parts import Found, Part
from institute_lib.release.patterns import find_in_number

PAGES = ("text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/xml", "text/markdown")
PERSON_KEYS = frozenset(
    {"operator", "user", "username", "user_name", "author", "authors", "creator", "owner", "logname"}
)
_MIME = re.compile(r"[a-z]+/[\w.+\-]+")
_BINARY = re.compile(r"(?:image|audio|video|font)/|application/(?:pdf|octet-stream|zip|x-)")
LINES = ("source", "text", "traceback")  # what a notebook keeps as a list of lines


def take_json(part: Part) -> Found:
    """The parts of a JSON value, by where they stand."""
    yield from _walk(part.content, part.where)


def _walk(value: Any, where: str) -> Found:
    if isinstance(value, dict):
        yield from _walk_object(value, where)
    elif isinstance(value, list):
        yield from _walk_list(value, where)
    elif isinstance(value, str):
        yield Part(where, "text", value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from find_in_number(value, where)


def _walk_object(value: dict[str, Any], where: str) -> Found:
    if figures.is_typed(value):
        yield from _numbers(figures.decode(value), where)
        value = {key: part for key, part in value.items() if key != "bdata"}
    if figures.is_trace(value):
        yield from figures.find_in_trace(value, where)
    if isinstance(value.get("data"), list) and figures.is_map(value.get("layout")):
        value = {**value, "data": [figures.on_map(trace) for trace in value["data"]]}
    if value.get("output_type") == "error":
        yield found("refuse", where, "traceback", "traceback")
    if isinstance(value.get("outputs"), list):
        yield Part(
            f"{where}.outputs", "text", "".join(_text(one.get("text", "")) for one in _objects(value["outputs"]))
        )
    if value.get("cell_type") == "markdown":
        yield Part(f"{where}.source", "page", _text(value.get("source", "")))
    scalars = []
    for key, inner in value.items():
        place = f"{where}.{key}" if where else str(key)
        if _MIME.fullmatch(str(key)) and isinstance(inner, str | list) and _is_text(inner):
            yield from _of_mime(str(key), _text(inner), place)
        elif isinstance(inner, str):
            scalars.append(f"{key}: {inner}")
        else:
            scalars.append(str(key))
            yield from _walk(inner, place)
        if str(key).casefold() in PERSON_KEYS and "metadata" in where and isinstance(inner, str) and inner.strip():
            yield found("refuse", place, inner, "person_field")
    if scalars:
        yield Part(where, "text", BREAK.join(scalars))


def _of_mime(mime: str, content: str, where: str) -> Found:
    if mime in PAGES:
        yield Part(where, "page", content)
    elif "javascript" in mime:
        yield Part(where, "script", content)
    elif _BINARY.match(mime):
        yield Part(where, "base64", content)
    else:
        yield Part(where, "text", content)


def _walk_list(value: list[Any], where: str) -> Found:
    texts = [one for one in value if isinstance(one, str)]
    numbers = [one for one in value if isinstance(one, int | float) and not isinstance(one, bool)]
    if texts:
        yield Part(where, "text", BREAK.join(texts))
        if len(texts) > 1 and (where.endswith(LINES) or all(len(one) == 1 for one in texts)):
            yield Part(where, "text", "".join(texts))
        elif len(texts) > 1:  # what a script may put together is judged as groups of digits are
            yield Part(where, "text", "\n".join(texts))
    if numbers:
        yield from _numbers(numbers, where)
    for index, inner in enumerate(value):
        if isinstance(inner, dict | list):
            yield from _walk(inner, f"{where}[{index}]")


def _numbers(values: list[Any], where: str) -> Found:
    """Numbers of a list: those as large as an identity number or a phone, and codes of characters."""
    try:
        array = np.asarray(values, float)
    except (OverflowError, ValueError):
        array = np.asarray([float(min(max(value, -1e300), 1e300)) for value in values])
    for index in np.flatnonzero((array >= 13e9) & (array < 1e18)):
        yield from find_in_number(values[index], where)
    if len(array) >= 11 and (((array >= 48) & (array <= 57)) | (array == 88) | (array == 120)).all():
        yield Part(where, "text", "".join(chr(int(value)) for value in array))
    if len(array) == 18 and ((array >= 0) & (array <= 9)).all():
        yield Part(where, "text", "".join(str(int(value)) for value in array))


def _objects(values: list[Any]) -> list[dict[str, Any]]:
    return [one for one in values if isinstance(one, dict)]


def _is_text(value: str | list[Any]) -> bool:
    return isinstance(value, str) or (bool(value) and all(isinstance(one, str) for one in value))


def _text(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)
