"""The gate: which briefs of a quarter may leave, and a copy of those that may."""

import getpass
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import paths, terms
from institute_lib.brief import in_one_file
from institute_lib.charts import CHART_MIME
from institute_lib.disclosure.types import TABLE_MIME
from institute_lib.errors import ParameterError, ReleaseError
from institute_lib.registers.digests import load as load_digests
from institute_lib.release import ledger
from institute_lib.release.audit import audit
from institute_lib.release.findings import Finding
from institute_lib.release.record import RECORD, RELEASED, Item, ReleaseRecord, write_record
from institute_lib.release.scanning import scan, scan_text

BRIEF, EXECUTED, RESULT = "brief.html", "executed.ipynb", "result.json"
MANIFEST, FAILURE = "manifest.json", "failure.json"


@dataclass(frozen=True)
class _Candidate:
    """A brief with all that it shows; `reads` are the briefs whose recorded numbers it shows too."""

    place: Path
    notebook: str
    area: str
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]
    figures: pd.DataFrame
    page: str = ""
    reads: tuple[str, ...] = ()


def release(
    quarter: str,
    *,
    by: str | None = None,
    language: str = "zh",
    accept: Sequence[str] = (),
    why: str = "",
    threshold: int = 10,
) -> ReleaseRecord:
    """Copy the briefs of a quarter that may leave to `released/`, and write down what was decided.

    A brief leaves only if its last run succeeded and its files are the ones that the run wrote; it does not rest on
    demo registers; no map in it lacks an approval number; the persons behind its figures were checked; the scan finds
    nothing; and neither the tables nor the ledger of all earlier releases give a hidden figure away. Doubtful findings
    (warnings) hold a brief back until somebody accepts their rule and says why; refusals cannot be accepted.

    Args:
        quarter: such as "2025Q4".
        by: who answers for the release; by default the name of this computer's account.
        accept: rules of warnings that are accepted, such as "person_cloud".
        why: why they are.
        threshold: the fewest persons that a number may point at.

    Raises:
        ParameterError: nobody answers for it, or rules are accepted without a reason.
        ReleaseError: the quarter was not run, or the ledger was tampered with.
    """
    terms.check_language(language)
    by = getpass.getuser() if by is None else by
    if not by.strip():
        raise ParameterError("release: say who answers for it with by= (--by NAME)")
    if accept and not why.strip():
        raise ParameterError(f"release: say with why= (--why TEXT) why {', '.join(accept)} may leave")
    folder = paths.run_folder(quarter, language)
    found = [_examine(place, quarter, language) for place in _places(folder)]
    if not found:
        raise ReleaseError(f"{folder.name}: there is no brief to release; run `institute run {quarter}` first")
    before, when = ledger.read(), datetime.now(UTC).astimezone().isoformat(timespec="seconds")
    ready = [one for one in found if not _holding(one.reasons, one.findings, accept)]
    figures = [one.figures for one in ready]
    given_away = audit(before, pd.concat(figures, ignore_index=True), threshold=threshold) if figures else []
    items, leaving = [], []
    for one in found:
        own = _concerning(given_away, one) if one in ready else ()
        findings = (*one.findings, *own)
        held = _holding(one.reasons, findings, accept)
        copy = folder / RELEASED / one.notebook / one.area / BRIEF
        digest = "" if held else _copy(one, copy)
        if held:
            copy.unlink(missing_ok=True)  # what passed once and does not now may leave no longer
        accepted = tuple(sorted({finding.rule for finding in findings if finding.rule in accept}))
        items.append(Item(one.notebook, one.area, not held, one.reasons, findings, accepted, digest))
        leaving += [] if held else [one.figures]
    if leaving:
        ledger.append(ledger.fresh(pd.concat(leaving, ignore_index=True), before).assign(release=f"{quarter} {when}"))
    record = ReleaseRecord(quarter, language, by.strip(), when, tuple(items), why.strip(), folder / RECORD)
    write_record(record)
    return record


def _holding(reasons: Sequence[str], findings: Sequence[Finding], accept: Sequence[str]) -> bool:
    return bool(reasons) or any(one.severity == "refuse" or one.rule not in accept for one in findings)


def _concerning(findings: Sequence[Finding], one: _Candidate) -> tuple[Finding, ...]:
    own = tuple(f"{name} " for name in (f"{one.notebook}/{one.area}", *one.reads))
    # Tables of earlier releases start with the release's name.
    return tuple(finding for finding in findings if any(f"{table} ".startswith(own) for table in finding.tables))


def _places(folder: Path) -> Iterator[Path]:
    for place in sorted(folder.glob("*/*")):
        if place.is_dir() and place.parent.name != RELEASED and any((place / n).is_file() for n in (BRIEF, FAILURE)):
            yield place


def _examine(place: Path, quarter: str, language: str) -> _Candidate:
    """Everything that can be said of one brief by itself."""
    notebook, area = place.parent.name, place.name
    if (place / FAILURE).is_file():
        return _Candidate(place, notebook, area, ("failed",), (), ledger.rows_of([]))
    manifest, result = _read_json(place / MANIFEST), _read_json(place / RESULT)
    reasons = [] if _is_intact(place, manifest) else ["changed"]
    if manifest.get("demo", True) or result.get("demo", True):
        reasons.append("demo")
    elif not load_digests():
        reasons.append("names_unknown")
    page = in_one_file((place / BRIEF).read_text(encoding="utf-8")) if (place / BRIEF).is_file() else ""
    findings: list[Finding] = []
    try:
        findings = [*scan_text(page, BRIEF), *(scan(place / RESULT) if (place / RESULT).is_file() else ())]
    except ReleaseError:
        reasons.append("unreadable")
    if any(terms.text("maps.stamp", one) in page for one in terms.LANGUAGES):
        reasons.append("map")
    shown = [(exact, table) for exact, table in _shown(place / EXECUTED, language) if "figures" in table]
    if not all(table["figures"]["checked"] for _, table in shown):
        reasons.append("unchecked")
    reads = tuple(sorted(manifest.get("inputs", {}).get("results", {})))
    recorded = {f"{notebook}/{area}": result} | {name: _read_json(place.parents[1] / name / RESULT) for name in reads}
    figures = _figures(shown, recorded, brief=f"{notebook}/{area}", area=area, quarter=quarter)
    return _Candidate(place, notebook, area, tuple(reasons), tuple(findings), figures, page, reads)


def _figures(
    shown: Sequence[tuple[bool, dict[str, Any]]],
    recorded: Mapping[str, dict[str, Any]],
    *,
    brief: str,
    area: str,
    quarter: str,
) -> pd.DataFrame:
    """What a brief would add to the ledger: the figures of its tables, and the numbers that it and others recorded."""
    tables = [
        ledger.from_records(
            table["figures"]["records"],
            method=table["figures"]["method"],
            exact=exact,
            table=f"{brief} {table['caption']}".strip(),
            definition=table["caption"],
            district=area,
            quarter=quarter,
        )
        for exact, table in shown
    ]
    tables += [ledger.from_result(one, table=f"{name} {RESULT}", definition=name) for name, one in recorded.items()]
    return pd.concat(tables, ignore_index=True)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):  # not there, or no JSON: nothing is known of the run
        return {}
    return content if isinstance(content, dict) else {}


def _is_intact(place: Path, manifest: dict[str, Any]) -> bool:
    """Whether the files are the ones that the run wrote, by their hashes."""
    outputs = manifest.get("outputs", {})
    return BRIEF in outputs and all(
        (place / name).is_file() and hashlib.sha256((place / name).read_bytes()).hexdigest() == described.get("sha256")
        for name, described in outputs.items()
    )


def _shown(executed: Path, language: str) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Every table of the brief; those of charts are exact, since a chart carries its figures unrounded."""
    for cell in _read_json(executed).get("cells", ()):
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if CHART_MIME in data:
                yield True, data[CHART_MIME]["table"]
            elif TABLE_MIME in data:
                yield False, data[TABLE_MIME][language]


def _copy(one: _Candidate, target: Path) -> str:
    """Write the brief, whole or not at all, and return its hash."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{BRIEF}.{os.getpid()}.part")
    partial.write_text(one.page, encoding="utf-8", newline="\n")
    digest = hashlib.sha256(partial.read_bytes()).hexdigest()
    partial.replace(target)
    return digest
