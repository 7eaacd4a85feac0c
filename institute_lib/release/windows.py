"""The few places of a long text that are worth a closer look, found by mapping every character to its class.

A page of five million characters holds some hundred runs of digits long enough for a number of a person. Mapping
characters to classes and splitting is a hundred times faster than to try a regular expression at each of them.
"""

import re

from institute_lib.release.disguises import BREAK

_NUMBERS = "0123456789xX \n\r\t-_/\u00b7.*?\u00d7#+eE"  # what can stand in a number; other masks arrive as "?"
_HEXADECIMAL = "0123456789abcdefABCDEF"
LEAST_DIGITS = 7  # a masked phone shows seven


def _table(members: str) -> bytes:
    inside = set(members.encode("latin-1"))
    return bytes(code if code in inside else 0 for code in range(256))


_TABLES = {name: _table(members) for name, members in (("number", _NUMBERS), ("hex", _HEXADECIMAL))}
_RUNS = {name: re.compile(rb"[^\0]{%d,}" % least) for name, least in (("number", 11), ("hex", 32))}
_DIGITS = bytes(code for code in range(256) if not 48 <= code <= 57)
_DECIMALS = re.compile(r"(?<![\d.])\d{1,10}\.\d+(?![\d.eE])")


def condense(plain: str, kind: str) -> str:
    """The runs of one class of characters that are long enough to matter, each with a character around it.

    Args:
        kind: "number" or "hex".
    """
    codes = plain.encode("latin-1", "replace").translate(_TABLES[kind])
    found = []
    for match in _RUNS[kind].finditer(codes):
        run = match[0]
        if kind != "number" or len(run.translate(None, _DIGITS)) >= LEAST_DIGITS:
            found.append(plain[max(match.start() - 1, 0) : match.end() + 1])
    text = BREAK.join(found)
    return _DECIMALS.sub(BREAK, text) if kind == "number" and "." in text else text
