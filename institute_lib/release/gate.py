"""The gate: what may leave of a quarter's run, judged brief by brief on the page as it would leave.

Whether a brief rests on demo registers, on persons or on files of one's own is decided from what its job noted that it
read, never from what its author says.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.charts import CHART_MIME
from institute_lib.disclosure.types import TABLE_MIME
from institute_lib.errors import InstituteError, ReleaseError
from institute_lib.release import ledger, names
from institute_lib.release.audit import audit
from institute_lib.release.chain import RELEASED
from institute_lib.release.findings import Finding
from institute_lib.release.publishing import public_page
from institute_lib.release.scanning import scan_text
from institute_lib.result import Provenance
from institute_lib.runs import places
from institute_lib.sharing import Read

HIDDEN = "."  # how names of folders begin that jobs and releases use while they work


@dataclass(frozen=True)
class Judged:
    """One brief at the gate.

    Attributes:
        findings: what holds it back, or would if nobody had accepted it.
        accepted: rules of warnings that somebody answers for.
        declarations: what an author states about files of one's own, for the second person to judge.
        protected: how its tables were protected.
        page: as it would leave; `manifest` the hash of the run's record, which changes when the job runs again.
    """

    notebook: str
    area: str
    findings: tuple[Finding, ...] = ()
    accepted: tuple[str, ...] = ()
    declarations: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    page: str = ""
    manifest: str = ""

    @property
    def name(self) -> str:
        return f"{self.notebook}/{self.area}"

    @property
    def held_by(self) -> tuple[Finding, ...]:
        """The findings that keep it in: every refusal, and warnings that nobody accepted."""
        return tuple(one for one in self.findings if one.severity == "refuse" or one.rule not in self.accepted)

    @property
    def leaves(self) -> bool:
        return not self.held_by

    def plain(self) -> dict[str, Any]:
        """As a request keeps it."""
        return {
            "brief": self.name,
            "leaves": self.leaves,
            "sha256": hashlib.sha256(self.page.encode()).hexdigest() if self.leaves else "",
            "manifest": self.manifest,
            "findings": [one.plain() for one in self.findings],
            "accepted": list(self.accepted),
            "declarations": list(self.declarations),
            "protected": list(self.protected),
        }


def judge(
    folder: Path, *, quarter: str, language: str, number: str, accept: Collection[str] = (), before: pd.DataFrame
) -> tuple[list[Judged], pd.DataFrame]:
    """Every brief of a run folder, and the figures that those which may leave add to the ledger.

    Args:
        number: of the release that they would leave with.
        accept: rules of warnings that somebody answers for.
        before: the ledger of earlier releases.

    Raises:
        ReleaseError: there is no brief in the folder.
    """
    examined = [_examine(place, quarter=quarter, language=language, number=number) for place in briefs(folder)]
    if not examined:
        raise terms.error(ReleaseError, "release.error_no_run", quarter=quarter)
    found = [(_accepting(one, accept), figures, reads) for one, figures, reads in examined]
    ready = [figures for one, figures, _ in found if one.leaves]
    given_away = audit(before, pd.concat(ready, ignore_index=True)) if ready else []
    judged, leaving = [], []
    for one, figures, reads in found:
        own = [finding for finding in given_away if _concerns(finding, one, reads)] if one.leaves else []
        final = _accepting(_with(one, own), accept)
        judged.append(final)
        leaving += [figures] if final.leaves else []
    return judged, ledger.fresh(pd.concat(leaving, ignore_index=True), before) if leaving else ledger.rows_of(None)


def briefs(folder: Path) -> list[Path]:
    """The places of a run that hold a brief or a failure.

    Raises:
        ReleaseError: one of them is a link: what it points at is not what the run wrote.
    """
    found = []
    for place in sorted(folder.glob("*/*")):
        if place.parent.name == RELEASED or place.parent.name.startswith(HIDDEN) or not place.is_dir():
            continue
        if any(path.is_symlink() for path in (folder, place.parent, place, *place.iterdir())):
            raise terms.error(ReleaseError, "release.error_link", path=place)
        if any((place / name).is_file() for name in (places.BRIEF, places.FAILURE)):
            found.append(place)
    return found


def _with(one: Judged, findings: Sequence[Finding]) -> Judged:
    return Judged(**{**vars(one), "findings": (*one.findings, *findings)})


def _accepting(one: Judged, accept: Collection[str]) -> Judged:
    rules = {finding.rule for finding in one.findings if finding.severity == "warn" and finding.rule in accept}
    return Judged(**{**vars(one), "accepted": tuple(sorted(rules))})


def _concerns(finding: Finding, one: Judged, reads: Collection[str]) -> bool:
    # Tables of earlier releases start with the release's number.
    return any(f"{table} ".startswith(f"{name} ") for table in finding.tables for name in (one.name, *reads))


def _examine(place: Path, *, quarter: str, language: str, number: str) -> tuple[Judged, pd.DataFrame, tuple[str, ...]]:
    """What can be said of one brief by itself; its figures; and the briefs whose recorded numbers it shows too."""
    import nbformat

    names_ = {"notebook": place.parent.name, "area": place.name}
    if (place / places.FAILURE).is_file():
        return Judged(**names_, findings=(_held("failed"),)), ledger.rows_of(None), ()
    manifest = places.intact_manifest(place)
    if manifest is None:
        return Judged(**names_, findings=(_held("changed"),)), ledger.rows_of(None), ()
    result = places.read_json(place / places.RESULT) or {}
    notebook = nbformat.read(place / places.EXECUTED, as_version=4)
    findings, declarations = _provenance(manifest, language)
    try:
        page = public_page(notebook, manifest, number=number, language=language)
        findings += scan_text(page, places.BRIEF)
    except InstituteError as error:
        page = ""
        findings.append(Finding("refuse", places.BRIEF, error.say(language), "unreadable"))
    shown = [(exact, table) for exact, table in _shown(notebook, language) if "figures" in table]
    if not all(table["figures"]["checked"] for _, table in shown):
        findings.append(_held("unchecked"))
    brief, reads = f"{place.parent.name}/{place.name}", tuple(sorted((manifest.get("inputs") or {}).get("results", {})))
    recorded = {brief: result} | {name: places.read_json(place.parents[1] / name / places.RESULT) for name in reads}
    judged = Judged(
        **names_,
        findings=tuple(findings),
        declarations=tuple(declarations),
        protected=tuple(sorted({table["figures"]["method"] for _, table in shown})),
        page=page,
        manifest=places.file_hash(place / places.MANIFEST),
    )
    return judged, _figures(shown, recorded, brief=brief, area=place.name, quarter=quarter), reads


def _held(rule: str, what: str = "") -> Finding:
    return Finding("refuse", places.MANIFEST, what, rule)


def _provenance(manifest: Mapping[str, Any], language: str) -> tuple[list[Finding], list[str]]:
    """What the recorded reads keep in, and what an author declares: of files of one's own, and of typed numbers."""
    listed = (manifest.get("inputs") or {}).get("reads") or []
    names_of = {one.name for one in fields(Read)}
    plain = [
        {key: tuple(v) if isinstance(v, list) else v for key, v in one.items() if key in names_of} for one in listed
    ]
    read = Provenance(Read(**one) for one in plain)
    found = []
    if read.demo or manifest.get("demo") is not False:
        found.append(_held("demo", _listed(one.name for one in read.reads if one.source == "demo")))
    if read.unknown:
        unknown = [one.title or one.name for one in read.reads if one.source == "unknown"]
        found.append(_held("unknown_source", _listed(Path(one).name for one in unknown)))
    if read.personal and not read.demo and not names.known():
        found.append(_held("names_unknown"))
    if (manifest.get("inputs") or {}).get("audience") == "internal":
        found.append(_held("internal"))
    declared = [one.get("title") or one["name"] for one in plain if one.get("kind") == "declared"]
    for one in read.reads:
        if one.source == "own":
            row = terms.text("release.row_person" if one.personal else "release.row_other", language)
            declared.append(f"{Path(one.name).name}：{one.title}（{row}）")
    return found, list(dict.fromkeys(declared))


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(dict.fromkeys(words)))


def _figures(
    shown: Sequence[tuple[bool, dict[str, Any]]],
    recorded: Mapping[str, dict[str, Any] | None],
    *,
    brief: str,
    area: str,
    quarter: str,
) -> pd.DataFrame:
    """What a brief would add to the ledger: the figures of its tables, and the numbers that it and others recorded.

    What was protected by rounding follows from no subtraction, and needs no audit.
    """
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
        if table["figures"]["method"] != "round"
    ]
    tables += [
        ledger.from_result(one or {}, table=f"{name} {places.RESULT}", definition=name)
        for name, one in recorded.items()
        if "figures" not in (one or {})
    ]
    return pd.concat(tables, ignore_index=True) if tables else ledger.from_records([])


def _shown(notebook: Mapping[str, Any], language: str) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Every table of the brief; those of charts are exact, since a chart carries its figures unrounded."""
    for cell in notebook.get("cells", ()):
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if CHART_MIME in data:
                yield True, data[CHART_MIME]["table"]
            elif TABLE_MIME in data:
                yield False, data[TABLE_MIME][language]
