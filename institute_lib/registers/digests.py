"""Keyed digests of the names and of unkeyed hashes of a register, for the release scan; never the names themselves.

They lie beside the pseudonym key, outside the project. A line is a kind, a length and the first 128 bits of
HMAC-SHA256 in hexadecimal: `name 3 …` for a name of three characters, `hash 64 …` for a hash of an identity number.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from institute_lib import paths, terms
from institute_lib.errors import DataError
from institute_lib.registers.identity import Key, load_key
from institute_lib.registers.vocabulary import normal

HASHES = (hashlib.md5, hashlib.sha1, hashlib.sha256)
_BETWEEN = re.compile(r"[\s·•‧・.\-']")


@dataclass(frozen=True)
class Digests:
    """What of a text is in the register, without the register."""

    key: Key | None = None
    names: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()
    lengths: frozenset[int] = field(default_factory=frozenset)

    def __bool__(self) -> bool:
        return bool(self.names or self.hashes)

    def is_name(self, name: str) -> bool:
        return bool(self.key) and _digest(self.key, name) in self.names

    def is_hash(self, text: str) -> bool:
        return bool(self.key) and _digest(self.key, text) in self.hashes


def plain_name(name: str) -> str:
    """A name as it is compared: NFKC, without spaces and dots, in lower case."""
    return _BETWEEN.sub("", normal(name)).casefold()


def _keyed(key: Key, text: str) -> str:
    return key.authenticate(f"register {text}")[:32]


_digest = lru_cache(maxsize=1 << 18)(_keyed)  # a scan meets the same words in every brief


def lines(key: Key, names: Iterable[str], numbers: Iterable[str]) -> set[str]:
    """The lines for these names and identity numbers."""
    found = set()
    for name in {plain_name(str(name)) for name in names}:
        if len(name) > 1:
            found.add(f"name {len(name)} {_keyed(key, name)}")
    for number in set(numbers):
        for kind in HASHES:
            text = kind(number.encode()).hexdigest()
            found.add(f"hash {len(text)} {_keyed(key, text)}")
    return found


def keep(added: Iterable[str]) -> Path:
    """Add lines to the file of digests; what is in it stays.

    Raises:
        DataError: the file would lie inside the project.
    """
    return _write({*_kept(), *added})


def drop(gone: Iterable[str]) -> Path:
    """Take lines out of the file of digests: of persons who are to be forgotten."""
    return _write(_kept() - set(gone))


def _kept() -> set[str]:
    path = _place()
    return set(path.read_text(encoding="ascii").splitlines()) if path.is_file() else set()


def _write(lines: set[str]) -> Path:
    path = _place()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    every = sorted(lines)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in every)
    partial.replace(path)
    return path


def load() -> Digests:
    """The digests kept on this computer; empty where no register was imported here.

    Raises:
        DataError: the file is not what `keep` wrote, or its key is gone.
    """
    path = _place()
    if not path.is_file():
        return Digests()
    kept: dict[str, set[str]] = {"name": set(), "hash": set()}
    lengths = set()
    for number, line in enumerate(path.read_text(encoding="ascii", errors="replace").splitlines(), start=1):
        kind, _, rest = line.partition(" ")
        length, _, digest = rest.partition(" ")
        if kind not in kept or not length.isdigit() or not re.fullmatch(r"[0-9a-f]{32}", digest):
            raise terms.error(DataError, "registers.error_digests_form", path=path, number=number)
        kept[kind].add(digest)
        lengths |= {int(length)} if kind == "name" else set()
    return Digests(load_key(), frozenset(kept["name"]), frozenset(kept["hash"]), frozenset(lengths))


def _place() -> Path:
    path = paths.digests()
    if path.resolve().is_relative_to(paths.root().resolve()):
        raise terms.error(DataError, "registers.error_digests_inside", path=path)
    return path
