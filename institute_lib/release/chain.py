"""The record of all releases: a chain of signed files, each with the hash of the one before.

    papermill_runs/releases/2025Q4-1.json              a release: the request, who approved it, the head before it
    papermill_runs/releases/requests/2025Q4-2.json     a request that waits, and
    papermill_runs/releases/requests/2025Q4-2/…        the pages as they would leave
    papermill_runs/2025Q4/released/2025Q4-1/…          the pages that left

The record is written first; then one rename moves the pages. Whoever next holds the lock finishes what was interrupted:
a record whose pages still wait gets them moved, pages without a request or a record are removed.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from institute_lib import paths, terms
from institute_lib.errors import ReleaseError
from institute_lib.release import people
from institute_lib.runs import places

RELEASED, SEEN = "released", "releases.seen.json"
NUMBER = re.compile(r"(\d{4}Q[1-4])(-en)?-(\d+)")
WAIT_SECONDS = 600


@dataclass(frozen=True)
class Record:
    """One release: its file's content and hash."""

    number: str
    content: dict[str, Any]
    hash: str

    @property
    def position(self) -> int:
        return self.content["position"]

    @property
    def folder(self) -> Path:
        """Where its pages lie."""
        return released(self.number)

    @property
    def files(self) -> dict[str, str]:
        """The hash of each file, by its path inside `folder`."""
        return files(self.content["request"])


@dataclass(frozen=True)
class Problem:
    """Something of the chain that is not as it was signed: which rule, where, and what to do."""

    rule: str
    place: str

    def describe(self, language: str = "zh") -> str:
        return terms.text(f"release.chain_{self.rule}", language, place=self.place)


def files(request: dict[str, Any]) -> dict[str, str]:
    """The hash of each page and Word document that leaves, by notebook, area and name."""
    leaving = [one for one in request["briefs"] if one["leaves"]]
    pages = {f"{one['brief']}/{places.BRIEF}": one["sha256"] for one in leaving}
    return pages | {f"{one['brief']}/{places.WORD}": one["word"] for one in leaving if "word" in one}


def folder() -> Path:
    return paths.runs() / "releases"


def requests() -> Path:
    return folder() / "requests"


def released(number: str) -> Path:
    """The folder of a release in its quarter."""
    quarter, english, _ = NUMBER.fullmatch(number).groups()
    return paths.runs() / f"{quarter}{english or ''}" / RELEASED / number


def last_findings(quarter: str, language: str, brief: str) -> tuple[str, list[str]]:
    """The number of a brief's last release, such as of 03_retention_drivers/320613, and the findings of its page.

    Returns:
        An empty number and no findings where it never left.
    """
    from lxml.html import fromstring

    folder = paths.run_folder(quarter, language) / RELEASED
    pages = {path.parents[2].name: path for path in folder.glob(f"*/{brief}/{places.BRIEF}")}
    if not pages:
        return "", []
    number = max(pages, key=lambda one: int(one.rpartition("-")[2]))
    page = fromstring(pages[number].read_text(encoding="utf-8"))
    return number, [one.text_content() for one in page.xpath("//section[@class='findings']//li")]


def now() -> datetime:
    return datetime.now(UTC).astimezone().replace(microsecond=0)


def canonical(content: dict[str, Any]) -> bytes:
    """What is signed: everything but the signature, in one fixed form."""
    plain = {name: value for name, value in content.items() if name != "signature"}
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


@contextmanager
def held() -> Iterator[None]:
    """Hold the chain alone, with everything finished that was interrupted.

    Raises:
        ReleaseError: another release holds it for ten minutes; the disk is full; a folder is not this account's.
    """
    import filelock

    try:
        for place in (paths.runs(), folder(), requests(), folder() / places.LOCK):
            if place.is_symlink():
                raise terms.error(ReleaseError, "runs.error_link", path=place)
        places.make_folder(requests())
        with filelock.FileLock(folder() / places.LOCK, timeout=WAIT_SECONDS, mode=0o666):
            resume()
            yield
    except filelock.Timeout:
        raise terms.error(ReleaseError, "release.error_locked", path=folder() / places.LOCK) from None
    except OSError as error:
        why, path = os.strerror(error.errno or 0), error.filename or folder()
        raise terms.error(ReleaseError, "release.error_disk", path=path, why=why) from error


def resume() -> None:
    """Finish interrupted releases, remove interrupted requests. Call it only while holding the chain."""
    for number in sorted({path.stem for path in requests().glob("2*")}):
        if (folder() / f"{number}.json").is_file():
            finish(number)
        elif not (requests() / f"{number}.json").is_file():
            shutil.rmtree(requests() / number)
    for leftover in (*folder().glob(f"{places.PRIVATE}*"), *requests().glob(f"{places.PRIVATE}*")):
        leftover.unlink()


def finish(number: str) -> None:
    """Move the pages of a recorded release to where it is read; nothing happens to what was moved already."""
    pages, target = requests() / number, released(number)
    if pages.is_dir():
        places.make_folder(target.parent)
        pages.rename(target)
        places.sync_folder(target.parent)
    (requests() / f"{number}.json").unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """
    Raises:
        ReleaseError: the file is damaged.
    """
    content = places.read_json(path)
    if content is None:
        raise terms.error(ReleaseError, "release.error_damaged", path=path)
    return content


def records() -> tuple[list[Record], list[Problem]]:
    """All releases in the order of the chain, and what is wrong with it: damaged, changed or missing records."""
    found, wrong = [], []
    for path in sorted(folder().glob("*.json")):
        content = places.read_json(path)
        if not NUMBER.fullmatch(path.stem) or not _is_record(content, path.stem):
            wrong.append(Problem("damaged", path.name))
            continue
        found.append(Record(path.stem, content, hashlib.sha256(path.read_bytes()).hexdigest()))
        if not is_valid(content) or not is_valid(content["request"]):
            wrong.append(Problem("signature", path.name))
    found.sort(key=lambda one: one.position)
    before = ""
    for place, one in enumerate(found, start=1):
        if one.position != place or one.content["before"] != before:
            wrong.append(Problem("broken", f"{one.number}.json"))
            break  # what follows hangs on it
        before = one.hash
    known = seen()
    if known and known["position"] > len(found):
        wrong.append(Problem("cut", f"{known['number']}.json"))
    elif known and found[known["position"] - 1].hash != known["hash"]:
        wrong.append(Problem("rewritten", f"{known['number']}.json"))
    return found, wrong


def _is_record(content: dict[str, Any] | None, number: str) -> bool:
    request = (content or {}).get("request")
    return (
        isinstance(request, dict)
        and request.get("number") == number
        and isinstance(content.get("position"), int)
        and isinstance(content.get("before"), str)
        and isinstance(request.get("briefs"), list)
        and all(isinstance(one, dict) and {"brief", "leaves", "sha256"} <= one.keys() for one in request["briefs"])
    )


def is_valid(content: dict[str, Any]) -> bool:
    """Whether a request or a record was signed by the person it names and not changed since."""
    return people.is_signed(canonical(content), content.get("signature"), content.get("by"))


def sound() -> list[Record]:
    """All releases.

    Raises:
        ReleaseError: the chain is not as it was signed; nothing may be added to it until it is mended.
    """
    found, wrong = records()
    if wrong:
        first = wrong[0]
        raise terms.error(ReleaseError, "release.error_chain", problem=first.describe)
    if found:
        remember(found[-1])
    return found


def verify() -> list[Problem]:
    """What of the record or of the released files is not as it was signed; empty when all is."""
    with held():
        found, wrong = records()
        if found and not wrong:
            remember(found[-1])
        for one in found:
            if not one.folder.is_dir():
                wrong.append(Problem("files_missing", _shown(one.folder)))
                continue
            there = {path.relative_to(one.folder).as_posix(): path for path in one.folder.rglob("*") if _is_file(path)}
            for name, digest in one.files.items():
                if name not in there:
                    wrong.append(Problem("file_missing", _shown(one.folder / name)))
                elif hashlib.sha256(there[name].read_bytes()).hexdigest() != digest:
                    wrong.append(Problem("file_changed", _shown(there[name])))
            wrong += [Problem("file_added", _shown(there[name])) for name in sorted(set(there) - set(one.files))]
        numbers = {one.number for one in found}
        for place in sorted(paths.runs().glob(f"*/{RELEASED}/*")):
            if place.name not in numbers or not NUMBER.fullmatch(place.name) or place != released(place.name):
                wrong.append(Problem("unrecorded", _shown(place)))
    return wrong


def _is_file(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()


def _shown(path: Path) -> str:
    return path.relative_to(paths.runs()).as_posix()


# The last release that this account has seen lies beside its key: a chain that ends before it was cut.


def _seen_file() -> Path:
    return paths.person_key().with_name(SEEN)


def seen() -> dict[str, Any] | None:
    """The last release of this project that this account has seen: position, number, hash."""
    every = places.read_json(_seen_file()) or {}
    known = every.get(str(paths.runs().resolve()))
    return known if isinstance(known, dict) and {"position", "number", "hash"} <= known.keys() else None


def remember(record: Record) -> None:
    """Keep in mind that the chain reached this release."""
    now_seen = {"position": record.position, "number": record.number, "hash": record.hash}
    if paths.person_key().is_file() and seen() != now_seen:
        every = places.read_json(_seen_file()) or {}
        places.write_json(_seen_file(), {**every, str(paths.runs().resolve()): now_seen})
