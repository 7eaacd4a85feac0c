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
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
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
    found = {f"key {len(key.id)} {key.id}", *(f"file {len(one)} {_keyed(key, one)}" for one in files)}
    for name in {plain_name(str(name)) for name in names}:
        if len(name) > 1:
            found.add(_of_name(key, name))
            found.update(f"pinyin {len(one)} {_keyed(key, one)}" for one in romanised(name))
    for number in set(numbers):
        found.update(_of_number(key, number, kind) for kind in HASHES)
    return found


def _of_name(key: Key, name: str) -> str:
    return f"name {len(name)} {_keyed(key, name)}"


def _of_number(key: Key, number: str, kind: Any = HASHES[0]) -> str:
    text = kind(number.encode()).hexdigest()
    return f"hash {len(text)} {_keyed(key, text)}"


def add(key: Key, names: Iterable[str], numbers: Iterable[str], files: Iterable[str] = ()) -> None:
    """Keep the lines for these names and numbers, from files of these SHA-256, beside those that are there.

    The next quarter names mostly the same people: who is there by one line is there by all, and the file is read line
    by line, for a city's holds a million.

    Raises:
        DataError: the file of digests would lie inside the project.
    """
    path = _place()
    if not path.is_file():
        _write(sorted(lines(key, names, numbers, files)))
        return
    of_names = {_of_name(key, name): name for name in {plain_name(str(name)) for name in names} if len(name) > 1}
    of_numbers = {_of_number(key, number): number for number in set(numbers)}
    of_files = {f"file {len(one)} {_keyed(key, one)}": one for one in files}
    with path.open(encoding="ascii") as file:
        for line in file:
            of_names.pop(line[:-1], None)
            of_numbers.pop(line[:-1], None)
            of_files.pop(line[:-1], None)
    if of_names or of_numbers or of_files:
        new = sorted(lines(key, of_names.values(), of_numbers.values(), of_files.values()))
        with path.open(encoding="ascii") as file:
            both = heapq.merge((line[:-1] for line in file), new)
            _write(line for line, _ in itertools.groupby(both))


def romanised(name: str) -> set[str]:
    """A Chinese name in Latin letters without tones, joined; the surname in each of its readings.

    >>> sorted(romanised("单雪"))
    ['chanxue', 'danxue', 'shanxue']
    """
    if name.isascii() or len(name) > 4:
        return set()
    readings = [_read(letter)[: 3 if at == 0 else 2] for at, letter in enumerate(name)]
    return {"".join(one) for one in itertools.islice(itertools.product(*readings), MOST_READINGS)}


@lru_cache(maxsize=1 << 14)
def _read(letter: str) -> tuple[str, ...]:
    import pypinyin

    (found,) = pypinyin.pinyin(letter, style=pypinyin.Style.NORMAL, heteronym=True)
    return tuple(
        dict.fromkeys(form for one in found for form in (one, *({one.replace("v", "u")} if "v" in one else ())))
    )


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
