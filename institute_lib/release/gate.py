"""The gate: what may leave of a quarter's run, judged brief by brief on the files as they would leave.

Whether a brief rests on demo registers, on persons or on files of one's own is decided from what its job noted that it
read, never from what its author says.
"""

import copy
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import joblib

from institute_lib import brief, terms
from institute_lib.brief.blocks import OPENING
from institute_lib.charts import CHART_MIME
from institute_lib.disclosure import TABLE_MIME
from institute_lib.errors import InstituteError
from institute_lib.release import names
from institute_lib.release.chain import RELEASED, now
from institute_lib.release.findings import Finding
from institute_lib.release.scanning import scan
from institute_lib.result import Provenance
from institute_lib.runs import places
from institute_lib.runs.fingerprints import provenance
from institute_lib.sharing import Read

FILES_A_WORKER = 8
HIDDEN = "."  # how names of folders begin that jobs and releases use while they work


def judge(
    folder: Path, ready: Path, *, language: str, number: str, accept: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Every brief of a run folder, as a request keeps it.

    Args:
        ready: the folder in which the files that may leave are laid.
        number: of the release that they would leave with.
        accept: rules of warnings that somebody answers for.

    Returns:
        For each: `brief`; `leaves`; `sha256` of the page and `word` of the Word document, where they leave; `manifest`,
        the hash of the run's record, which changes when the job runs again; `findings`, what holds it back or would;
        `accepted`, the rules of those that somebody answers for; `declarations` of its author; `protected`, how its
        tables were protected.
    """
    laid = {}
    for place in sorted(folder.glob("*/*")):
        is_brief = any((place / name).is_file() for name in (places.BRIEF, places.FAILURE))
        if is_brief and place.parent.name != RELEASED and not place.parent.name.startswith(HIDDEN):
            laid[place] = _laid(place, ready / place.parent.name / place.name, language, number)
    files = [path for one in laid.values() for path in one.files.values()]
    workers = max(1, min(os.cpu_count() or 1, len(files) // FILES_A_WORKER))  # a worker takes a second to start
    scanned = joblib.Parallel(n_jobs=workers)(joblib.delayed(_scanned)(path, language) for path in files)
    findings = dict(zip(files, scanned, strict=True))
    return [_judged(place, one, findings, ready, accept) for place, one in laid.items()]


@dataclass(frozen=True)
class _Laid:
    """A brief as it would leave: its files, and what its record says of it."""

    files: dict[str, Path]
    findings: list[Finding]
    declarations: list[str]
    protected: set[str]


def _laid(place: Path, ready: Path, language: str, number: str) -> _Laid:
    import nbformat

    declarations: list[str] = []
    protected: set[str] = set()
    files: dict[str, Path] = {}
    manifest = places.intact_manifest(place)
    if (place / places.FAILURE).is_file():
        findings = [_held("failed")]
    elif manifest is None:
        findings = [_held("changed")]
    else:
        notebook = nbformat.read(place / places.EXECUTED, as_version=4)
        findings, declarations = _provenance(manifest, language)
        tables = [table for cell in notebook["cells"] for table in _tables(cell, language)]
        protected = {table.get("protection", "") for table in tables}
        if "" in protected:
            findings.append(_held("unchecked"))
        with_word = places.WORD in manifest["outputs"]
        files = _lay(public(notebook, number), ready, manifest, language=language, with_word=with_word)
    return _Laid(files, findings, declarations, protected)


def _judged(
    place: Path, laid: _Laid, scanned: Mapping[Path, list[Finding]], ready: Path, accept: Collection[str]
) -> dict[str, Any]:
    name = f"{place.parent.name}/{place.name}"
    findings = laid.findings + [one for path in laid.files.values() for one in scanned[path]]
    rules = {one.rule for one in findings if one.severity == "warn"} & set(accept)
    leaves = all(one.severity == "warn" and one.rule in rules for one in findings)
    hashes = {key: places.file_hash(path) for key, path in laid.files.items() if leaves}
    if not leaves:
        shutil.rmtree(ready / name, ignore_errors=True)
    return {
        "brief": name,
        "leaves": leaves,
        "sha256": "",
        **hashes,
        "manifest": places.file_hash(place / places.MANIFEST) if laid.files else "",
        "findings": [vars(one) for one in findings],
        "accepted": sorted(rules),
        "declarations": laid.declarations,
        "protected": sorted(laid.protected),
    }


def public(notebook: Any, number: str) -> Any:
    """An executed notebook as it leaves: marked 可公开 with the number of the release, its boundary maps replaced.

    A map on boundaries without an approval number (审图号) is replaced by its tile map, and where it has none, as one
    of towns, by its table.
    """
    notebook = copy.deepcopy(notebook)
    stamps = [terms.text("maps.stamp", one) for one in terms.LANGUAGES]
    for output in (output for cell in notebook["cells"] for output in cell.get("outputs", ())):
        data = output.get("data", {})
        if OPENING in data:
            data[OPENING] |= {"mark": "public", "release": number, "made": now().date().isoformat()}
        elif CHART_MIME in data and any(stamp in data[CHART_MIME]["notes"] for stamp in stamps):
            output["data"] = _without_boundaries(data[CHART_MIME], stamps)
    return notebook


def _without_boundaries(chart: dict[str, Any], stamps: list[str]) -> dict[str, Any]:
    if chart.get("public"):
        return {CHART_MIME: chart["public"]}
    notes = [note for note in chart["notes"] if note not in stamps]
    table = {**chart["table"], "caption": chart["title"], "source": chart["source"], "notes": notes}
    return {TABLE_MIME: dict.fromkeys(terms.LANGUAGES, table)}


def _lay(notebook: Any, ready: Path, manifest: Mapping[str, Any], *, language: str, with_word: bool) -> dict[str, Path]:
    """The page of a public notebook in one file, and its Word document where the run made one."""
    places.make_folder(ready)
    inputs = manifest.get("inputs") or {}
    more = provenance(inputs, language) if inputs else {}
    word = places.WORD if with_word else ""
    page = ready / places.BRIEF  # what carries no type of ours, such as a picture, nobody has checked: it stays
    files = {"sha256": brief.export(notebook, page, language=language, provenance=more, word=word, own=False)}
    if with_word:
        files["word"] = brief.export_word(notebook, ready / places.WORD, language=language, own=False)
    for path in files.values():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    return files


def _scanned(path: Path, language: str) -> list[Finding]:
    try:
        return scan(path)
    except InstituteError as error:
        return [Finding("refuse", path.name, error.say(language), "unreadable")]


def _held(rule: str, what: str = "") -> Finding:
    return Finding("refuse", places.MANIFEST, what, rule)


def _tables(cell: Mapping[str, Any], language: str) -> list[dict[str, Any]]:
    """Every table of a cell, those of its charts too."""
    shown = [output.get("data", {}) for output in cell.get("outputs", ())]
    charts = [data[CHART_MIME]["table"] for data in shown if CHART_MIME in data]
    return charts + [data[TABLE_MIME][language] for data in shown if TABLE_MIME in data and CHART_MIME not in data]


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
