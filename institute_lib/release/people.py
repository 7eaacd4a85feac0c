"""Who asks for a release and who approves it: one Ed25519 key a person.

The private key lies beside the pseudonym key, outside the project, readable by its owner alone. The public key is a
small file in `data/people/`, which belongs in the repository: whoever reviews a change of that folder decides who may
sign. `data/people/office.toml` with `persons = 1` says that the office has one person only.
"""

import base64
import binascii
import getpass
import os
import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from institute_lib import paths, terms
from institute_lib.errors import ReleaseError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OFFICE = "office.toml"
SAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Person:
    """Somebody who may sign: the account of the computer, the name to print, the key, and since when (ISO)."""

    account: str
    name: str
    public: str
    since: str
    retired: str = ""

    @property
    def key(self) -> str:
        """The key's short name, which stands in what it signed."""
        return base64.b64decode(self.public).hex()[:12]

    def plain(self) -> dict[str, str]:
        return {"account": self.account, "name": self.name, "key": self.key}


def new(name: str = "") -> tuple[Path, Path]:
    """Make a key for this account; returns where the private and the public key lie.

    A key that was lost is replaced: the public keys that this account had before are marked as retired, and what they
    signed stays valid.

    Raises:
        ReleaseError: this account has a key already, or the place lies inside the project.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = paths.person_key()
    if private.resolve().is_relative_to(paths.root().resolve()):
        raise terms.error(ReleaseError, "release.error_key_inside", path=private)
    secret = Ed25519PrivateKey.generate()
    raw, only = serialization.Encoding.Raw, serialization.NoEncryption()
    private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise terms.error(ReleaseError, "release.error_key_exists", path=private) from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secret.private_bytes(raw, serialization.PrivateFormat.Raw, only).hex() + "\n")
    now, account = datetime.now(UTC).astimezone().isoformat(timespec="seconds"), getpass.getuser()
    for path, person in _listed():
        if person.account == account and not person.retired:
            path.write_text(path.read_text(encoding="utf-8") + f"retired = {_quoted(now)}\n", encoding="utf-8")
    public = base64.b64encode(secret.public_key().public_bytes(raw, serialization.PublicFormat.Raw)).decode()
    person = Person(account, name or account, public, now)
    path = paths.people() / f"{SAFE.sub('_', account)}-{person.key}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = ("account", "name", "public", "since")
    path.write_text("".join(f"{one} = {_quoted(getattr(person, one))}\n" for one in fields), encoding="utf-8")
    return private, path


def _quoted(text: str) -> str:
    """A TOML string: a line of text between quotes."""
    return '"' + "".join(one for one in text if one.isprintable()).replace("\\", "\\\\").replace('"', '\\"') + '"'


def known() -> dict[str, Person]:
    """Everybody whose public key stands in the repository, by key."""
    return {person.key: person for _, person in _listed()}


def _listed() -> list[tuple[Path, Person]]:
    found = []
    for path in sorted(paths.people().glob("*.toml")):
        if path.name == OFFICE:
            continue
        try:
            person = Person(**tomllib.loads(path.read_text(encoding="utf-8")))
            if len(base64.b64decode(person.public, validate=True)) != 32:
                raise ValueError("public")
        except (OSError, ValueError, TypeError, binascii.Error):
            raise terms.error(ReleaseError, "release.error_public_key", path=path) from None
        found.append((path, person))
    return found


def is_single() -> bool:
    """Whether the office has stated that it has one person only.

    Raises:
        ReleaseError: the file says something else than `persons = 1` or more.
    """
    path = paths.people() / OFFICE
    if not path.is_file():
        return False
    try:
        persons = tomllib.loads(path.read_text(encoding="utf-8")).get("persons")
    except (OSError, ValueError):
        persons = None
    if not isinstance(persons, int) or isinstance(persons, bool) or persons < 1:
        raise terms.error(ReleaseError, "release.error_office", path=path)
    return persons == 1


def me() -> tuple[Person, "Ed25519PrivateKey"]:
    """Who works on this account, with the private key.

    Raises:
        ReleaseError: no key, one that others can read, that is damaged, or that the repository does not know.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = paths.person_key()
    if not path.is_file():
        raise terms.error(ReleaseError, "release.error_no_key", path=path)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise terms.error(ReleaseError, "release.error_key_readable", path=path)
    try:
        secret = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text(encoding="ascii").strip()))
    except (OSError, ValueError):
        raise terms.error(ReleaseError, "release.error_key_damaged", path=path) from None
    public = secret.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    person = known().get(public.hex()[:12])
    if person is None or base64.b64decode(person.public) != public:
        raise terms.error(ReleaseError, "release.error_key_unknown", path=path, folder=paths.people())
    if person.retired:
        raise terms.error(ReleaseError, "release.error_key_retired", name=person.name, when=person.retired, path=path)
    if person.account != getpass.getuser():
        raise terms.error(
            ReleaseError, "release.error_key_account", path=path, account=person.account, own=getpass.getuser()
        )
    return person, secret


def sign(content: bytes, secret: "Ed25519PrivateKey") -> str:
    return base64.b64encode(secret.sign(content)).decode()


def is_signed(content: bytes, signature: Any, by: Any) -> bool:
    """Whether a signature is that of the person it names (`Person.plain`), whose public key the repository knows."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    person = known().get(by.get("key", "")) if isinstance(by, dict) else None
    if person is None or person.plain() != by or not isinstance(signature, str):
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(person.public))
        key.verify(base64.b64decode(signature, validate=True), content)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
