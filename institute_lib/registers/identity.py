"""Identity numbers by GB 11643-1999, and the pseudonyms that take their place.

A pseudonym is HMAC-SHA256 over the normalised number with a secret key that lies outside the project. A plain hash
would not do: there are few enough identity numbers to try them all.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property, lru_cache
from operator import mul
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from institute_lib import paths, terms
from institute_lib.errors import DataError
from institute_lib.registers.vocabulary import normal

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_CHARACTERS = "10X98765432"
FIRST_BIRTH = date(1900, 1, 1)
PROVINCE = "32"
_ZEROS = ord("0") * sum(WEIGHTS)  # digits are summed by their ASCII codes, which is three times as fast as by `int`
# First two digits of GB/T 2260; 81 to 83 are residence permits for Hong Kong, Macao and Taiwan residents.
PROVINCES = frozenset(
    str(code)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83))
    for code in range(first, last + 1)
)
_RESIDENT = re.compile(r"\d{17}[\dX]", re.ASCII)
_OLD_RESIDENT = re.compile(r"\d{15}", re.ASCII)
# A letter first: passports, permits for Hong Kong, Macao and Taiwan residents, permanent residence permits of before
# 2023. Digits alone: Taiwan residents' permits (eight, before 2015 ten with a letter), passports (nine).
_TRAVEL_DOCUMENT = re.compile(r"(?=.*\d)[A-Z][A-Z0-9]{5,14}|\d{8}|\d{9}|\d{10}[A-Z0-9]{0,2}")
_MADE_UP = re.compile(r"(\d)\1+|0?123456789?0?|9?87654321")
_PREFIX = re.compile(
    r"^(?:(?:ID|PASSPORT|PERMIT|NO)\.?|[\u4e00-\u9fff]{1,20}[证照件民号码])+[::]?"
    r"(?=[A-Z]{0,3}\d{6,17}[\dX]?[A-Z]?$)"
)


class IdentityFault(ValueError):
    """An identity number that cannot be one; `args[0]` is the rule's key."""


class Identity(NamedTuple):
    """A checked identity number. It must never be written anywhere; `repr` hides it."""

    number: str
    kind: str
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Identity({self.kind})"

    @property
    def birth_year(self) -> int | None:
        return None if self.kind == "travel_document" else int(self.number[6:10])

    @property
    def gender(self) -> str:
        if self.kind == "travel_document":
            return "unknown"
        return "male" if int(self.number[16]) % 2 else "female"


def check_character(digits: str) -> str:
    """The eighteenth character of an identity number: mod 11-2 over its first seventeen digits (GB 11643, 5.2)."""
    return CHECK_CHARACTERS[(sum(map(mul, digits[:17].encode(), WEIGHTS)) - _ZEROS) % 11]


def parse(text: str) -> Identity:
    """A written identity number, normalised and checked.

    Fifteen-digit numbers are expanded (19 before the year, check character added); 81, 82, 83 are residence permits;
    9 with a province digit is a foreigner's permanent residence permit; a letter first is a travel document, and so are
    eight to ten digits that are neither a day of birth nor made up (12345678).

    Raises:
        IdentityFault: length, date of birth or check character cannot be right.
    """
    if _RESIDENT.fullmatch(text):
        return _checked(text, ())
    number = re.sub(r"[\s'’‘`()\u2010-\u2015\-]", "", normal(text)).upper()
    number = _PREFIX.sub("", number)
    if _OLD_RESIDENT.fullmatch(number):
        expanded = f"{number[:6]}19{number[6:]}"
        return _checked(expanded + check_character(expanded), ("identity_expanded",))
    if _RESIDENT.fullmatch(number):
        return _checked(number, ())
    is_phone = re.fullmatch(r"1[3-9]\d{9}", number) is not None
    if _TRAVEL_DOCUMENT.fullmatch(number) and not is_phone and not _MADE_UP.fullmatch(number) and not _is_birth(number):
        return Identity(number, "travel_document", ("identity_travel_document",))
    raise IdentityFault("identity_form")


def are_ordinary(numbers: Sequence[str]) -> np.ndarray:
    """Whether each number is a resident's in which `parse` finds neither fault nor remark; all at once, which is
    several times as fast as one by one.

    Args:
        numbers: of eighteen ASCII characters each.

    Returns:
        A truth value for each; where it is False, `parse` has to look for itself.
    """
    written = np.frombuffer("".join(numbers).encode("ascii"), dtype=np.uint8).reshape(-1, len(WEIGHTS) + 1)
    digits = written[:, :-1].astype(np.int64) - ord("0")
    expected = np.frombuffer(CHECK_CHARACTERS.encode("ascii"), dtype=np.uint8)[digits @ WEIGHTS % 11]
    ordinary = ((digits >= 0) & (digits <= 9)).all(axis=1) & (written[:, -1] == expected)
    for first, end, holds in ((0, 6, _is_ordinary_area), (6, 14, _is_birth)):
        at = np.flatnonzero(ordinary)
        ordinary[at] = _for_each_different(digits[at, first:end], holds)
    return ordinary


def _for_each_different(digits: np.ndarray, holds: Callable[[str], bool]) -> np.ndarray:
    """Whether something holds of each row of digits, asked once of each different one."""
    width = digits.shape[1]
    codes, places = np.unique(digits @ 10 ** np.arange(width)[::-1], return_inverse=True)
    return np.array([holds(f"{code:0{width}}") for code in codes.tolist()], dtype=bool)[places]


def _is_ordinary_area(code: str) -> bool:
    return _kind(code) == "resident" and _is_known_area(code)


def _checked(number: str, remarks: tuple[str, ...]) -> Identity:
    if not _is_birth(number[6:14]):
        raise IdentityFault("identity_birth")
    kind = _kind(number)
    if check_character(number) != number[-1]:
        if number.endswith("000"):  # what a spreadsheet leaves of a number that was once typed as one
            raise IdentityFault("identity_numeric")
        if kind != "foreigner":
            raise IdentityFault("identity_check")
        remarks += ("identity_check_foreigner",)
    if kind == "resident" and not _is_known_area(number[:6]):
        remarks += ("identity_area",)
    if kind != "resident":
        remarks += (f"identity_{kind}",)
    return Identity(number, kind, remarks)


@cache
def _is_known_area(code: str) -> bool:
    """Whether a province has the first two digits and, within this province, an area of today or before all six."""
    from institute_lib import areas

    return areas.is_known(code) if code[:2] == PROVINCE else code[:2] in PROVINCES


@lru_cache(maxsize=1 << 15)
def _is_birth(digits: str) -> bool:
    """Whether eight digits write a day since 1900 that has come."""
    if len(digits) != 8:
        return False
    try:
        return FIRST_BIRTH <= date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) <= date.today()
    except ValueError:
        return False


def _kind(number: str) -> str:
    """81 to 83 open a residence permit; 9 and the first digit of a province a foreigner's number."""
    if number[0] == "9":
        return "foreigner" if number[1] in "12345678" else "resident"
    return "residence_permit" if number[:2] in ("81", "82", "83") else "resident"


@dataclass(frozen=True)
class Key:
    """The institute's secret key; `repr` hides it, `id` may be shown."""

    secret: bytes = field(repr=False)

    def __repr__(self) -> str:
        return f"Key(id={self.id!r})"

    @cached_property
    def id(self) -> str:
        return hmac.new(self.secret, b"institute key id", hashlib.sha256).hexdigest()[:12]

    def pseudonym(self, number: str) -> str:
        """HMAC-SHA256 of a normalised identity number, in hexadecimal."""
        return self.authenticate(number)

    def authenticate(self, text: str) -> str:
        """HMAC-SHA256 of a text, in hexadecimal.

        By the definition in RFC 2104, from its two padded keys: a register needs half a million of them, and the
        library's `hmac` sets the key up anew for each, which takes twice as long as the hashing.
        """
        inner, outer = self._padded
        inner, outer = inner.copy(), outer.copy()
        inner.update(text.encode())
        outer.update(inner.digest())
        return outer.hexdigest()

    @cached_property
    def _padded(self) -> tuple[Any, Any]:
        """SHA-256 after the key exclusive-or RFC 2104's `ipad` and `opad`, in one block of 64 bytes."""
        key = self.secret if len(self.secret) <= 64 else hashlib.sha256(self.secret).digest()
        block = key.ljust(64, b"\0")
        return tuple(hashlib.sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))


def new_key() -> Path:
    """Make the pseudonym key (256 random bits, readable by its owner alone) and return where it lies.

    Raises:
        DataError: a key is already there (never overwritten: the registers would lose their linkage), or the place lies
            inside the project.
    """
    path = _outside_the_project(paths.key())
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise terms.error(DataError, "registers.error_key_exists", path=path) from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
    return path


def load_key() -> Key:
    """The pseudonym key of this computer.

    Raises:
        DataError: there is none, others can read it, it lies inside the project, or it is not a key.
    """
    path = _outside_the_project(paths.key())
    if not path.is_file():
        raise terms.error(DataError, "registers.error_key_missing", path=path)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise terms.error(DataError, "registers.error_key_readable", path=path)
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        raise terms.error(DataError, "registers.error_key_form", path=path) from None
    if len(secret) < 32:
        raise terms.error(DataError, "registers.error_key_short", path=path, size=len(secret))
    return Key(secret)


def _outside_the_project(path: Path) -> Path:
    if path.resolve().is_relative_to(paths.root().resolve()):
        raise terms.error(DataError, "registers.error_key_inside", path=path)
    return path
