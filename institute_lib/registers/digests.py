"""Keyed digests of the names and of unkeyed hashes of a register, for the release scan; never the names themselves.

They lie beside the pseudonym key, outside the project. A line is a kind, a length and the first 128 bits of
HMAC-SHA256 in hexadecimal: `name 3 …` for a name of three characters, `pinyin 9 …` for one in Latin letters, `hash 64
…` for a hash of an identity number. `key 12 …` is the short name of the key: digests of another key are noticed.
"""

import hashlib
import heapq
import itertools
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from institute_lib import paths, terms
from institute_lib.errors import DataError
from institute_lib.registers.identity import Key, load_key
from institute_lib.registers.vocabulary import normal

HASHES = (hashlib.md5, hashlib.sha1, hashlib.sha256)
MOST_READINGS = 12  # of one name in Latin letters: 单 is read dan, shan or chan
_BETWEEN = re.compile(r"[\s·•‧・.\-']")


@dataclass(frozen=True)
class Digests:
    """What of a text is in the register, without the register."""

    key: Key | None = None
    names: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()
    lengths: frozenset[int] = frozenset()
    files: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.names or self.hashes)

    @cached_property
    def _asked(self) -> dict[str, bool]:
        return {}  # a scan meets the same words in every brief

    @cached_property
    def hits(self) -> dict[str, tuple[Any, ...]]:
        """What a scan found in a stretch of text, so that it asks once for what every brief says."""
        return {}

    def is_name(self, name: str) -> bool:
        found = self._asked.get(name)
        if found is None:
            found = self._asked[name] = self.key is not None and _keyed(self.key, name) in self.names
        return found

    def is_hash(self, text: str) -> bool:
        return self.key is not None and _keyed(self.key, text) in self.hashes

    def has_file(self, sha256: str) -> bool:
        """Whether the people of an imported file are among them."""
        return self.key is not None and _keyed(self.key, sha256) in self.files


def plain_name(name: str) -> str:
    """A name as it is compared: NFKC, without spaces and dots, in lower case."""
    return _BETWEEN.sub("", normal(name)).casefold()


def _keyed(key: Key, text: str) -> str:
    return key.authenticate(f"register {text}")[:32]


def lines(key: Key, names: Iterable[str], numbers: Iterable[str], files: Iterable[str] = ()) -> set[str]:
    """The lines for these names and identity numbers, which stood in files of these SHA-256."""
    plain = {one for one in map(plain_name, map(str, set(names))) if len(one) > 1}
    found = {f"key {len(key.id)} {key.id}", *(_of_file(key, one) for one in files)}
    found.update(_of_name(key, name) for name in plain)
    found.update(f"pinyin {len(one)} {_keyed(key, one)}" for one in romanised(plain))
    for number in set(numbers):
        found.update(_of_number(key, number, kind) for kind in HASHES)
    return found


def _of_name(key: Key, name: str) -> str:
    return f"name {len(name)} {_keyed(key, name)}"


def _of_number(key: Key, number: str, kind: Any = HASHES[0]) -> str:
    text = kind(number.encode()).hexdigest()
    return f"hash {len(text)} {_keyed(key, text)}"


def _of_file(key: Key, sha256: str) -> str:
    return f"file {len(sha256)} {_keyed(key, sha256)}"


def add(key: Key, names: Iterable[str], numbers: Iterable[str], files: Iterable[str] = ()) -> None:
    """Keep the lines for these names and numbers, from files of these SHA-256, beside those that are there.

    The next quarter names mostly the same people, and who is there by one line is there by all.

    Raises:
        DataError: the file of digests would lie inside the project.
    """
    path = _place()
    if not path.is_file() or not path.stat().st_size:
        _write(sorted(lines(key, names, numbers, files)))
        return
    of_names = {_of_name(key, name): name for name in {plain_name(str(name)) for name in set(names)} if len(name) > 1}
    of_numbers = {_of_number(key, number): number for number in set(numbers)}
    of_files = {_of_file(key, one): one for one in files}
    for line in _found(path, (*of_names, *of_numbers, *of_files)):
        for of_kind in (of_names, of_numbers, of_files):
            of_kind.pop(line, None)
    if of_names or of_numbers or of_files:
        new = sorted(lines(key, of_names.values(), of_numbers.values(), of_files.values()))
        with path.open(encoding="ascii") as file:
            both = heapq.merge((line[:-1] for line in file), new)
            _write(line for line, _ in itertools.groupby(both))


def _found(path: Path, wanted: Sequence[str]) -> list[str]:
    """Which lines stand in the file; a city's holds a million, so that Arrow looks through it."""
    import pyarrow as pa
    from pyarrow import compute, csv

    kept = csv.read_csv(
        path,
        read_options=csv.ReadOptions(column_names=["line"]),
        parse_options=csv.ParseOptions(delimiter="\t", quote_char=False, invalid_row_handler=lambda row: "skip"),
        convert_options=csv.ConvertOptions(column_types={"line": pa.string()}),
    )["line"]
    return kept.filter(compute.is_in(kept, value_set=pa.array(wanted, pa.string()))).to_pylist()


def romanised(names: Iterable[str]) -> set[str]:
    """Chinese names in Latin letters without tones, joined; the surname in each of its readings.

    >>> sorted(romanised(["单雪"]))
    ['chanxue', 'danxue', 'shanxue']
    """
    written = (name for name in names if len(name) <= 4 and not name.isascii())
    read = {tuple(map(_read, name)) for name in written}  # most readings are several persons'
    spelled = (itertools.product(first[:3], *(one[:2] for one in others)) for first, *others in read)
    return {"".join(one) for of_name in spelled for one in itertools.islice(of_name, MOST_READINGS)}


@cache
def _read(letter: str) -> tuple[str, ...]:
    """The readings of a character, without tones; ü as v and as u."""
    forms = (_without_tones(one) for one in _readings().get(ord(letter), letter).split(","))
    return tuple(dict.fromkeys(form for one in forms for form in (one, one.replace("v", "u"))))


@cache
def _readings() -> dict[int, str]:
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")  # a second to load, and no name is a phrase
    from pypinyin.constants import PINYIN_DICT

    return PINYIN_DICT


def _without_tones(reading: str) -> str:
    letters = unicodedata.normalize("NFD", reading).replace("u\u0308", "v")
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def drop(gone: Iterable[str]) -> Path:
    """Take lines out of the file of digests: of persons who are to be forgotten."""
    return _write(sorted(_kept() - {line for line in gone if not line.startswith("key ")}))


def replace(lines: Iterable[str]) -> Path:
    """The file of digests anew, of these lines alone: everybody has been given pseudonyms by another key."""
    return _write(sorted(set(lines)))


def _kept() -> set[str]:
    path = _place()
    return set(path.read_text(encoding="ascii").splitlines()) if path.is_file() else set()


def _write(ordered: Iterable[str]) -> Path:
    path = _place()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in ordered)
    partial.replace(path)
    return path


def load() -> Digests:
    """The digests kept on this computer; empty where no register was imported here.

    Raises:
        DataError: the file is not what `keep` wrote, or was made with another key than this computer's.
    """
    path = _place()
    if not path.is_file():
        return Digests()
    kept: dict[str, set[str]] = {"name": set(), "pinyin": set(), "hash": set(), "key": set(), "file": set()}
    lengths = set()
    for number, line in enumerate(path.read_text(encoding="ascii", errors="replace").splitlines(), start=1):
        kind, _, rest = line.partition(" ")
        length, _, digest = rest.partition(" ")
        if kind not in kept or not length.isdigit() or not re.fullmatch(r"[0-9a-f]{12}(?:[0-9a-f]{20})?", digest):
            raise terms.error(DataError, "registers.error_digests_form", path=path, number=number)
        kept[kind].add(digest)
        lengths |= {int(length)} if kind == "name" else set()
    key = load_key()
    if kept["key"] != {key.id}:
        raise terms.error(DataError, "registers.error_digests_key", path=path, ours=key.id)
    names = frozenset(kept["name"] | kept["pinyin"])
    return Digests(key, names, frozenset(kept["hash"]), frozenset(lengths), frozenset(kept["file"]))


def _place() -> Path:
    path = paths.digests()
    if path.resolve().is_relative_to(paths.root().resolve()):
        raise terms.error(DataError, "registers.error_digests_inside", path=path)
    return path
