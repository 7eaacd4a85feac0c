"""Taking disguises off a text: entities, escapes, colours, invisible and look-alike characters, encodings.

`views` gives every reading of texts in which a number could stand plainly. A reading is only made where its signs are
there, so that a plain page costs next to nothing.
"""

import base64
import binascii
import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from urllib.parse import unquote

BREAK = "\x1f"  # between the cells of a row, the items of a list: texts that a reader might join
APART = "\x00"  # between texts that have nothing to do with each other
_ANSI = re.compile(r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_ESCAPE = re.compile(
    r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8})|([0-3]?[0-7]{2})"
    r"|N\{([A-Z0-9 \-]{3,60})\})"
)
_CSS_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})[ \t\n]?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1a\x1c-\x1e\x7f]")
_ENTITY = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]{1,30});?")
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
_QUOTED = re.compile(r"(?:=[0-9A-F]{2}){3,}")
_CODES = re.compile(r"from(?:CharCode|CodePoint)(?:\.apply\([^,\[]*,\s*\[|\s*\()([0-9a-fA-Fx,\s.\[\]]{2,4000})\)")
_BYTES = re.compile(r"\[((?:\s*(?:4[89]|5[0-7]|88|120|0x3[0-9])\s*,){10,}\s*(?:4[89]|5[0-7]|88|120|0x3[0-9])\s*)\]")
_JOINS = re.compile(r"[\"'`]\s*(?:\+|,|\.concat\(|\.)?\s*(?:\\\n)?\s*[\"'`]")
_EMPTY_SLOT = re.compile(r"\$\{\s*['\"]{0,2}\s*\}")
_HEX_TEXT = re.compile(r"(?<![0-9a-zA-Z])(?:3[0-9][\s:,]?){10,}(?:3[0-9]|58|78)(?![0-9a-fA-F])")
_HEX_NUMBER = re.compile(r"\b0x([0-9a-fA-F]{14,16})n?\b")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_\-%])[A-Za-z0-9+/_\-]{8,}={0,2}(?![A-Za-z0-9+/])")
_TWO_WAY = re.compile("[\u202d\u202e\u2066-\u2069\u200f]")
_CHINESE = dict(zip("〇零一二三四五六七八九壹贰叁肆伍陆柒捌玖两幺", "00123456789123456789" + "21", strict=True))
_SPOKEN = {"ling": "0", "yi": "1", "yao": "1", "er": "2", "liang": "2", "san": "3", "si": "4", "wu": "5", "liu": "6"}
_SPOKEN |= {"qi": "7", "ba": "8", "jiu": "9", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4"}
_SPOKEN |= {"five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "x": "X"}
_WORD = "|".join(sorted(_SPOKEN, key=len, reverse=True))
_SPOKEN_RUN = re.compile(rf"\b(?:(?:{_WORD})[\s,.\-]{{0,2}}){{11,}}", re.IGNORECASE)
# Letters that are drawn like digits, Cyrillic and Greek ones too.
_DRAWN = {"0": "OoОоΟο", "1": "lI|Іı", "2": "Zz", "3": "Зз", "5": "Ss", "6": "Ббb", "8": "B", "9": "gq"}
_ALIKE = {ord(letter): digit for digit, letters in _DRAWN.items() for letter in letters}
_ALIKE_RUN = re.compile(rf"(?<![A-Za-z0-9+/=_-])[0-9{''.join(map(chr, _ALIKE))}]{{11,18}}[Xx]?(?![A-Za-z0-9+/=_-])")
_CHINESE_RUN = re.compile(f"[{''.join(_CHINESE)}0-9][{''.join(_CHINESE)}0-9Xx \\-]{{9,}}")
DEEPEST = 4


class Starts:
    """Where the parts of a text begin that APART divides."""

    def __init__(self, text: str) -> None:
        self._ends = [match.start() for match in re.finditer(APART, text)]

    def part(self, at: int) -> int:
        """The number of the part that holds a place."""
        return bisect_right(self._ends, at)


def views(text: str, *, css: bool = False) -> Iterator[str]:
    """Texts divided by APART without their disguises, then every other reading that their signs call for; the parts of
    each reading are those of the text, empty where it has nothing to add."""
    plain = undisguise(text, css=css)
    yield plain
    parts = plain.split(APART)
    for read in (_joined, _decoded, _quoted, _hexadecimal, _chinese, _spelled, _alike, _backwards):
        found = [(read(part) or "") if len(part) > 7 else "" for part in parts]
        found = [new if new != part else "" for new, part in zip(found, parts, strict=True)]
        if any(found):
            yield APART.join(found)


def undisguise(text: str, *, css: bool = False) -> str:
    """A text without entities, script escapes, colour codes, invisible characters; digits of any script as 0 to 9."""
    for _ in range(DEEPEST):
        before = text
        if "&" in text:
            text = _ENTITY.sub(_unentity, text)
        if "\\" in text:
            text = _CSS_ESCAPE.sub(_uncss, text) if css else _ESCAPE.sub(_unescape, text)
        if "\x1b" in text:
            text = _ANSI.sub("", text)
        if "from" in text:
            text = _CODES.sub(_uncode, text)
        if text == before:
            break
    if _CONTROL.search(text):
        text = _CONTROL.sub("", text)
    if not text.isascii() and _TWO_WAY.search(text):
        text = APART.join(f"{part}{BREAK}{part[::-1]}" if _TWO_WAY.search(part) else part for part in text.split(APART))
    if "[" in text:
        text = _BYTES.sub(lambda match: _characters(match[1]), text)
    if not text.isascii():
        text = _plain_letters(text)
    return text


def _unentity(match: re.Match[str]) -> str:
    return html.unescape(match[0] if match[0].endswith(";") or not match[0].startswith("&#") else match[0] + ";")


def _unescape(match: re.Match[str]) -> str:
    if match[6]:
        try:
            return unicodedata.lookup(match[6])
        except KeyError:
            return match[0]
    code = int(match[5], 8) if match[5] else int(match[1] or match[2] or match[3] or match[4], 16)
    return _character(code, match[0])


def _uncss(match: re.Match[str]) -> str:
    return _character(int(match[1], 16), match[0])


def _character(code: int, otherwise: str) -> str:
    return chr(code) if 0 < code < 0x110000 else otherwise


def _uncode(match: re.Match[str]) -> str:
    return _characters(match[1])


def _characters(listed: str) -> str:
    codes = [
        int(part, 0)
        for part in re.findall(r"0x[0-9a-fA-F]+|\d+", listed)
        if part == "0" or part[0] != "0" or "x" in part
    ]
    return "".join(_character(code, "") for code in codes)


def _plain_letters(text: str) -> str:
    """NFKC, digits of every script as ASCII, nothing invisible, no marks that combine with a digit."""
    if _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = unicodedata.normalize("NFKC", text)
    return text.translate(_LETTERS)


class _Letters(dict):
    """What becomes of each character, found when first met."""

    def __missing__(self, code: int) -> int | str | None:
        found = _letter(code)
        self[code] = found
        return found


_LETTERS = _Letters()


def _letter(code: int) -> int | str | None:
    character = chr(code - 0xE0000 if 0xE0020 <= code <= 0xE007E else code)  # tags are an invisible copy of ASCII
    kind = unicodedata.category(character)
    if kind == "Nd" or 0x3021 <= code <= 0x3029:  # the numerals of Suzhou among them
        return str(int(unicodedata.numeric(character)))
    if kind in ("Cf", "Me", "Mn") or code in (0x3164, 0xFFA0, 0x2800, 0x115F, 0x1160, 0x180E):
        return None
    if 0xC0 <= code < 0x250 and kind in ("Lu", "Ll"):  # Yù: the letter without its tone
        return unicodedata.normalize("NFD", character)[0]
    if kind == "Pd" or code in (0x2212, 0x30FB, 0x00B7, 0x2022, 0x2027):
        return "·" if kind != "Pd" and code != 0x2212 else "-"
    return " " if kind == "Zs" else character


def _joined(plain: str) -> str | None:
    """Texts in quotes that a script would put together."""
    return _JOINS.sub("", _EMPTY_SLOT.sub("", plain)) if '"' in plain or "'" in plain or "`" in plain else None


def _decoded(plain: str) -> str | None:
    return undisguise(unquote(plain)) if "%" in plain and _PERCENT.search(plain) else None


def _quoted(plain: str) -> str | None:
    if "=3" not in plain:
        return None
    return _QUOTED.sub(lambda match: bytes.fromhex(match[0].replace("=", "")).decode("utf-8", "replace"), plain)


def _hexadecimal(plain: str) -> str | None:
    """Digits written as the hexadecimal codes of their characters, and whole numbers in base sixteen."""
    pairs = _HEX_TEXT.finditer(plain) if plain.count("3") > 10 else ()
    found = [re.sub(r"[\s:,]", "", match[0]) for match in pairs]
    texts = [bytes.fromhex(one[: len(one) // 2 * 2]).decode("latin-1") for one in found]
    texts += [str(int(match[1], 16)) for match in (_HEX_NUMBER.finditer(plain) if "0x" in plain else ())]
    return BREAK.join(texts) or None


def _chinese(plain: str) -> str | None:
    if plain.isascii():
        return None
    runs = [match[0] for match in _CHINESE_RUN.finditer(plain) if not match[0].isascii()]
    return BREAK.join("".join(_CHINESE.get(one, one) for one in run) for run in runs) or None


def _spelled(plain: str) -> str | None:
    """Digits as words: san er ling, three two zero."""
    runs = _SPOKEN_RUN.finditer(plain) if plain.count("i") > 4 or plain.count("e") > 4 else ()
    words = (re.findall(_WORD, match[0].lower()) for match in runs)
    return BREAK.join("".join(_SPOKEN[word] for word in run) for run in words) or None


def _alike(plain: str) -> str | None:
    """Letters in the place of digits: O for 0, l for 1, S for 5, B for 8."""
    runs = [match[0] for match in _ALIKE_RUN.finditer(plain) if not match[0].isdigit()]
    return BREAK.join(run.translate(_ALIKE) for run in runs if sum(one.isdigit() for one in run) > 5) or None


def _backwards(plain: str) -> str | None:
    """Numbers read from the end: eighteen characters, whose check character makes sure, or a mobile phone."""
    runs = re.findall(r"(?<![\w.])(?:[\dXx]\d{17}|\d{9}[3-9]1)(?![\w.])", plain)
    # A phone is told as digits one by one, which only warn: any amount of eleven digits might be one.
    return BREAK.join(run[::-1] if len(run) == 18 else " ".join(run[::-1]) for run in runs) or None


def encoded(plain: str) -> Iterator[bytes]:
    """What stands in a text as base64, decoded: texts and files, not mere identifiers."""
    for match in _BASE64.finditer(plain):
        token = match[0].rstrip("=").replace("-", "+").replace("_", "/")
        if len(token) % 4 == 1:
            continue
        try:
            content = base64.b64decode(token + "=" * (-len(token) % 4))
        except binascii.Error:
            continue
        if _is_content(content):
            yield content


def _is_content(content: bytes) -> bool:
    if content[:4] in MAGIC or content[:2] == b"\x1f\x8b":
        return True
    wide = content.count(0) * 2 >= len(content) - 2 and len(content) % 2 == 0  # every other byte of UTF-16 digits
    try:
        text = content.decode("utf-16-le" if wide else "utf-8")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\r\n" for character in text)


MAGIC = (b"PK\x03\x04", b"\x89PNG", b"%PDF", b"PAR1", b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xe1")
