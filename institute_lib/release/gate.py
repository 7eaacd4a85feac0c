"""The gate: what may leave of a quarter's run, judged brief by brief on the page as it would leave.

Whether a brief rests on demo registers, on persons or on files of one's own is decided from what its job noted that it
read, never from what its author says.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from institute_lib import terms
from institute_lib.charts import CHART_MIME
from institute_lib.disclosure import TABLE_MIME
from institute_lib.errors import InstituteError, ReleaseError
from institute_lib.release import names
from institute_lib.release.chain import RELEASED
from institute_lib.release.findings import Finding
from institute_lib.release.publishing import public_page
from institute_lib.release.scanning import scan_page
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
            "findings": [vars(one) for one in self.findings],
            "accepted": list(self.accepted),
            "declarations": list(self.declarations),
            "protected": list(self.protected),
        }


def judge(folder: Path, *, quarter: str, language: str, number: str, accept: Collection[str] = ()) -> list[Judged]:
    """Every brief of a run folder.

    Args:
        number: of the release that they would leave with.
        accept: rules of warnings that somebody answers for.

    Raises:
        ReleaseError: there is no brief in the folder.
    """
    examined = [_examine(place, language=language, number=number) for place in briefs(folder)]
    if not examined:
        raise terms.error(ReleaseError, "release.error_no_run", quarter=quarter)
    return [_accepting(one, accept) for one in examined]


def briefs(folder: Path) -> list[Path]:
    """The places of a run that hold a brief or a failure."""
    return [
        place
        for place in sorted(folder.glob("*/*"))
        if place.parent.name not in (RELEASED, places.LOGS)
        and not place.parent.name.startswith(HIDDEN)
        and any((place / name).is_file() for name in (places.BRIEF, places.FAILURE))
    ]


def _accepting(one: Judged, accept: Collection[str]) -> Judged:
    rules = {finding.rule for finding in one.findings if finding.severity == "warn" and finding.rule in accept}
    return Judged(**{**vars(one), "accepted": tuple(sorted(rules))})


def _examine(place: Path, *, language: str, number: str) -> Judged:
    """What can be said of one brief."""
    import nbformat

    names_ = {"notebook": place.parent.name, "area": place.name}
    if (place / places.FAILURE).is_file():
        return Judged(**names_, findings=(_held("failed"),))
    manifest = places.intact_manifest(place)
    if manifest is None:
        return Judged(**names_, findings=(_held("changed"),))
    notebook = nbformat.read(place / places.EXECUTED, as_version=4)
    findings, declarations = _provenance(manifest, language)
    try:
        page = public_page(notebook, manifest, number=number, language=language)
        findings += scan_page(page)
    except InstituteError as error:
        page = ""
        findings.append(Finding("refuse", places.BRIEF, error.say(language), "unreadable"))
    shown = [table.get("protection", "") for table in _shown(notebook, language)]
    if not all(shown):
        findings.append(_held("unchecked"))
    return Judged(
        **names_,
        findings=tuple(findings),
        declarations=tuple(declarations),
        protected=tuple(sorted(set(shown))),
        page=page,
        manifest=places.file_hash(place / places.MANIFEST),
    )


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
    if not read.demo and (read.personal or any(one.source == "result" for one in read.reads)):
        if not names.known():
            found.append(_held("names_unknown"))
        elif older := names.unknown_files():
            found.append(_held("names_stale", _listed(older)))
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


def _shown(notebook: Mapping[str, Any], language: str) -> Iterator[dict[str, Any]]:
    """Every table of the brief, those of its charts too."""
    for cell in notebook.get("cells", ()):
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if CHART_MIME in data:
                yield data[CHART_MIME]["table"]
            elif TABLE_MIME in data:
                yield data[TABLE_MIME][language]
