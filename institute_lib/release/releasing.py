"""Two people: one asks for a release, another approves it."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from institute_lib import paths, terms
from institute_lib.errors import InstituteError, ReleaseError, nearest
from institute_lib.release import chain, gate, people
from institute_lib.release.chain import Record
from institute_lib.release.findings import Finding
from institute_lib.runs import places


@dataclass(frozen=True)
class Request:
    """What somebody asks to release: the content of its file. `number` is empty where nothing may leave."""

    content: dict[str, Any]

    @property
    def number(self) -> str:
        return self.content["number"]

    @property
    def leaving(self) -> list[dict[str, Any]]:
        return [one for one in self.content["briefs"] if one["leaves"]]

    @property
    def held(self) -> list[dict[str, Any]]:
        return [one for one in self.content["briefs"] if not one["leaves"]]

    def describe(self, language: str = "zh") -> str:
        """What would leave, how it was protected, declarations and warnings, each with what to do."""
        return describe(self.content, language)


def request(quarter: str, *, language: str = "zh", accept: Sequence[str] = (), why: str = "") -> Request:
    """Judge a quarter's briefs and ask that those which may leave do.

    The pages are laid ready as they would leave. An earlier request for the same quarter that still waits is replaced.

    Args:
        quarter: such as "2025Q4".
        accept: rules of warnings that are accepted, such as "person_cloud"; refusals cannot be.
        why: why they are; it stands in the record.

    Raises:
        ReleaseError: no key of one's own, no run, a broken chain, a full disk; rules accepted without a reason.
    """
    terms.check_language(language)
    rules = [key.removeprefix("rule_") for key in terms.catalogue("release") if key.startswith("rule_")]
    for rule in accept:
        if rule not in rules:
            raise terms.error(ReleaseError, "release.error_rule", rule=rule, hint=nearest(rule, rules))
    if accept and not why.strip():
        raise terms.error(ReleaseError, "release.error_why", rules=", ".join(accept))
    folder = paths.run_folder(quarter, language)
    if not folder.is_dir() or not chain.NUMBER.fullmatch(f"{folder.name}-1"):
        raise terms.error(ReleaseError, "release.error_no_run", quarter=quarter)
    person, secret = people.me()
    with chain.held(), places.locked(folder):
        records = chain.sound()
        _check_clock(records)
        waiting = [path.stem for path in chain.requests().glob(f"{folder.name}-*.json")]
        taken = [one.number for one in records] + waiting
        ours = [int(number.rpartition("-")[2]) for number in taken if number.rpartition("-")[0] == folder.name]
        number = f"{folder.name}-{max(ours, default=0) + 1}"
        ready = chain.requests() / number
        with _all_or_nothing(number):
            judged = gate.judge(folder, ready, language=language, number=number, accept=accept)
            if not judged:
                raise terms.error(ReleaseError, "release.error_no_run", quarter=quarter)
            content = {
                "number": number if any(one["leaves"] for one in judged) else "",
                "quarter": quarter,
                "language": language,
                "when": chain.now().isoformat(),
                "by": person.plain(),
                "head": records[-1].hash if records else "",
                "why": why.strip(),
                "briefs": judged,
            }
            if not content["number"]:
                _remove(number)
                return Request(content)
            content["signature"] = people.sign(chain.canonical(content), secret)
            places.write_json(chain.requests() / f"{number}.json", content)
        for old in waiting:
            if chain.NUMBER.fullmatch(old) and old.rpartition("-")[0] == folder.name:
                _remove(old)
    return Request(content)


@contextmanager
def _all_or_nothing(number: str) -> Iterator[None]:
    """Pages come first, the request last; what a full disk leaves of them makes room again."""
    try:
        yield
    except (OSError, InstituteError):
        _remove(number)
        raise


def _remove(number: str) -> None:
    """A request that was not finished, or is replaced: first its file, then what hangs on it."""
    (chain.requests() / f"{number}.json").unlink(missing_ok=True)
    shutil.rmtree(chain.requests() / number, ignore_errors=True)


def pending() -> list[str]:
    """The numbers of the requests that wait."""
    return sorted(path.stem for path in chain.requests().glob("*.json") if chain.NUMBER.fullmatch(path.stem))


def show(number: str) -> Request:
    """A request that waits, or the one of a release.

    Raises:
        ReleaseError: there is neither, or the file is damaged.
    """
    if (chain.folder() / f"{number}.json").is_file():
        return Request(chain.read_json(chain.folder() / f"{number}.json")["request"])
    path = chain.requests() / f"{number}.json"
    if not chain.NUMBER.fullmatch(number) or not path.is_file():
        raise terms.error(ReleaseError, "release.error_no_request", number=number, waiting=", ".join(pending()) or "–")
    return Request(chain.read_json(path))


def approve(number: str) -> Record:
    """Release what a request asks for, as another person than the one who asked.

    Args:
        number: of the request, such as "2025Q4-1".

    Raises:
        ReleaseError: no such request; it or its pages were changed; the approver asked for it; another release was
            made, or the quarter ran again, meanwhile; a clock that was set back; no key; a full disk.
    """
    person, secret = people.me()
    with chain.held():
        records = chain.sound()
        if any(one.number == number for one in records):
            raise terms.error(ReleaseError, "release.error_released", number=number)
        asked = show(number)
        _check_request(asked, records)
        single = people.is_single()
        by = asked.content["by"]
        if not single and (by["key"] == person.key or by["account"] == person.account):
            raise terms.error(ReleaseError, "release.error_same_person", number=number, name=person.name)
        _check_pages(asked)
        content = {
            "position": len(records) + 1,
            "before": records[-1].hash if records else "",
            "request": asked.content,
            "when": chain.now().isoformat(),
            "by": person.plain(),
            "single_person": single,
        }
        content["signature"] = people.sign(chain.canonical(content), secret)
        places.write_json(chain.folder() / f"{number}.json", content)
        chain.finish(number)
        return chain.sound()[-1]


def _check_clock(records: Sequence[Record], since: str = "") -> None:
    """
    Raises:
        ReleaseError: this computer's clock stands before the last release, or before the request.
    """
    earlier = [datetime.fromisoformat(one.content["when"]) for one in records]
    earlier += [datetime.fromisoformat(since)] if since else []
    if earlier and chain.now() < max(earlier):
        raise terms.error(ReleaseError, "release.error_clock", now=chain.now(), last=max(earlier))


def _check_request(asked: Request, records: Sequence[Record]) -> None:
    content, number = asked.content, asked.number
    if not chain.is_valid(content):
        raise terms.error(ReleaseError, "release.error_request_changed", number=number)
    if people.known()[content["by"]["key"]].retired:
        raise terms.error(ReleaseError, "release.error_requester_retired", number=number, name=content["by"]["name"])
    _check_clock(records, content["when"])
    if content["head"] != (records[-1].hash if records else ""):
        raise terms.error(ReleaseError, "release.error_overtaken", number=number, last=records[-1].number)


def _check_pages(asked: Request) -> None:
    """
    Raises:
        ReleaseError: a page is not the one that was judged, or its job ran again since.
    """
    run = paths.run_folder(asked.content["quarter"], asked.content["language"])
    pages = chain.requests() / asked.number
    expected = chain.files(asked.content)
    there = {path.relative_to(pages).as_posix(): path for path in pages.rglob("*") if not path.is_dir()}
    changed = sorted(
        name
        for name in {*expected, *there}
        if name not in there or there[name].is_symlink() or places.file_hash(there[name]) != expected.get(name)
    )
    if changed:
        listed = ", ".join(changed)
        raise terms.error(ReleaseError, "release.error_pages_changed", number=asked.number, pages=listed)
    again = [one["brief"] for one in asked.leaving if _manifest_hash(run / one["brief"]) != one["manifest"]]
    if again:
        raise terms.error(ReleaseError, "release.error_ran_again", number=asked.number, briefs=", ".join(again))


def _manifest_hash(place: Path) -> str:
    failed = (place / places.FAILURE).is_file() or not (place / places.MANIFEST).is_file()
    return "" if failed else places.file_hash(place / places.MANIFEST)


# in words


def describe(content: dict[str, Any], language: str = "zh") -> str:
    """A request in words: first what would leave, then what is held and how each is cleared."""

    def said(key: str, **values: Any) -> str:
        return terms.text(f"release.{key}", language, **values)

    lines = []
    for one in sorted(content["briefs"], key=lambda one: not one["leaves"]):
        lines.append(said("leaves" if one["leaves"] else "stays", brief=one["brief"]))
        for plain in one["findings"]:
            finding = Finding(**plain)
            if finding.rule in one["accepted"]:
                lines.append(
                    "    " + said("accepted", rule=finding.rule, finding=finding.describe(language), why=content["why"])
                )
            else:
                told = {"finding": finding.describe(language), "remedy": finding.remedy(language)}
                lines.append("    " + said("to_do", rule=finding.rule, **told))
        lines += ["    " + said("declared", text=text) for text in one["declarations"]]
    leaving = sum(one["leaves"] for one in content["briefs"])
    lines.append(
        said(
            "asked" if content["number"] else "nothing",
            number=content["number"],
            leaving=leaving,
            held=len(content["briefs"]) - leaving,
            name=content["by"]["name"],
            when=content["when"],
        )
    )
    return "\n".join(lines)


def record_text(record: Record, language: str = "zh") -> str:
    """A release in words, as it is printed: its request, and who approved it."""
    key = "approved_single" if record.content["single_person"] else "approved"
    content = record.content
    line = terms.text(
        f"release.{key}",
        language,
        number=record.number,
        name=content["by"]["name"],
        when=content["when"],
        folder=record.folder.relative_to(paths.root()).as_posix(),
        n=len(record.files),
    )
    return describe(content["request"], language) + "\n" + line
