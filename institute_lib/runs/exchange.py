"""What a notebook leaves for others (`record`) and what a notebook finds of the others (`results`)."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from institute_lib import paths, sharing, terms
from institute_lib.errors import DisclosureError
from institute_lib.runs import places
from institute_lib.runs.plan import notebook_title

if TYPE_CHECKING:
    from institute_lib.disclosure import SafeFigure
    from institute_lib.parameters import Study

JOB_VARIABLE = "INSTITUTE_JOB_FOLDER"
AUDIENCE_VARIABLE = "INSTITUTE_AUDIENCE"  # "internal" where the plan says so: counts from 10 up are not rounded
RESULTS_VARIABLE = "INSTITUTE_JOB_RESULTS"  # the jobs whose results a running job may read


def record(
    study: "Study",
    *,
    notebook: str,
    headline: str | Mapping[str, Any],
    findings: Sequence[str | Mapping[str, Any]] = (),
    numbers: Mapping[str, "SafeFigure | float | None"] | None = None,
    safe: Sequence[Any] = (),
    sources: Sequence[str] = (),
    partial: bool = False,
    demo: bool | None = None,
) -> dict[str, Any]:
    """Leave a notebook's result: its headline, its findings, its numbers. No row about a person fits in it.

    Under `institute run` it is written as the job's `result.json`; elsewhere it is only returned. A job that read a
    register of persons (`tables.PERSONAL`) records protected figures only: `table.figure(…)` of a SafeTable,
    `disclosure.protect_figure` or `exempt_figure`, and sentences written from them. A hidden one is recorded as such,
    without its value. Whoever reads the result may therefore show all of it.

    Args:
        study: the notebook's frozen core (area, quarter, language).
        notebook: its name, such as "03_retention_drivers".
        headline: a sentence, or {text, value, unit, change}; unit is "share", "points", "count", "yuan", "number" …;
            change is against a year before: a difference for shares and points, else a relative one (0.12 for 12%).
        findings: sentences, or {text, name: number …} each.
        numbers: name to figure, for the notebooks that compare areas; None stands for "not reported".
        safe: the SafeTables and SafeResults behind them: their sources, and whether any of them is a demo.
        sources: further sources, as readers should see them.
        partial: whether a district is missing from the figures (未报送).
        demo: whether demo registers stand behind it; None asks `safe`, else the tables themselves.

    Raises:
        DisclosureError: a table, a list or an object stands where a number or a sentence belongs; or, in a job that
            read a register of persons, a number that nobody judged, by itself or in a sentence.
        ParameterError: an unknown key of the headline.
    """
    from institute_lib import tables
    from institute_lib.runs.taking import Taking, protection

    for item in safe:
        _check_safe(item)
    take = Taking(judged=tables.reads_persons())
    sources = [*sources, *(item.source for item in safe if item.source)]
    content = {
        "notebook": notebook,
        "area": study.area.code,
        "quarter": study.quarter,
        "language": study.language,
        "demo": bool(_is_demo(safe) if demo is None else demo),
        "partial": bool(partial),
        "headline": take.headline(headline),
        "findings": [take.finding(finding) for finding in findings],
        "numbers": {str(name): take.number(value, f"numbers[{name!r}]") for name, value in (numbers or {}).items()},
        "protection": protection(numbers or {}),
        "sources": list(dict.fromkeys(sources)),
    }
    folder = os.environ.get(JOB_VARIABLE)
    if folder:
        places.write_json(Path(folder) / places.RESULT, content)
    return content


def _check_safe(item: Any) -> None:
    from institute_lib.disclosure import SafeResult, SafeTable

    if not isinstance(item, SafeTable | SafeResult):
        raise DisclosureError(
            f"record: safe holds a {type(item).__name__}; allowed: what disclosure.protect, protect_result "
            "or exempt made"
        )


def _is_demo(safe: Sequence[Any]) -> bool:
    if safe:
        return any(item.demo for item in safe)
    from institute_lib import tables

    return tables.source("workers") == "demo"


@dataclass(frozen=True)
class Results(Mapping):
    """The results that other notebooks left for an area, and those of the areas around it.

    As a mapping: notebook to its result, for the area itself.

    Attributes:
        around: area to notebook to result, the area itself included.
        missing: (area, notebook, "failed" or "not_run") of each result that is not there.
    """

    area: str
    quarter: str
    language: str
    around: Mapping[str, Mapping[str, dict[str, Any]]]
    missing: tuple[tuple[str, str, str], ...] = ()
    warnings: tuple[str, ...] = field(default=())

    def __getitem__(self, notebook: str) -> dict[str, Any]:
        return self.around[self.area][notebook]

    def __iter__(self) -> Iterator[str]:
        return iter(self.around[self.area])

    def __len__(self) -> int:
        return len(self.around[self.area])

    @property
    def demo(self) -> bool:
        return any(result["demo"] for found in self.around.values() for result in found.values())

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of all results found, each once."""
        found = (result for area in self.around.values() for result in area.values())
        return tuple(dict.fromkeys(source for result in found for source in result["sources"]))

    def numbers(self) -> pd.DataFrame:
        """Every recorded number: area, notebook, name, value (NaN where there is none)."""
        return self.figures()[["area", "notebook", "name", "value"]]

    def figures(self) -> pd.DataFrame:
        """Every recorded number with how it was protected: the columns of `numbers`, status, reason, unit.

        A status of "primary" or "secondary" is a figure that was hidden to protect persons.
        """
        rows = [
            (area, notebook, name, value, *_protection(result, name, value))
            for area, found in self.around.items()
            for notebook, result in found.items()
            for name, value in result["numbers"].items()
        ]
        frame = pd.DataFrame(rows, columns=["area", "notebook", "name", "value", "status", "reason", "unit"])
        return frame.astype(dict.fromkeys(frame, "str") | {"value": "float64"})

    def to_frame(self) -> pd.DataFrame:
        """One row a result: area, notebook, text, value, unit, change, partial."""
        rows = [
            {
                "area": area,
                "notebook": notebook,
                "text": headline_text(result, self.language),
                **{name: result["headline"].get(name) for name in ("value", "unit", "change")},
                "partial": result["partial"],
            }
            for area, found in self.around.items()
            for notebook, result in found.items()
        ]
        names = ["area", "notebook", "text", "value", "unit", "change", "partial"]
        return pd.DataFrame(rows, columns=names).astype({"value": "float64", "change": "float64"})

    def summary(self, language: str | None = None) -> str:
        """Which results are there and which are lacking, in one sentence."""
        language = language or self.language
        found = sum(len(results) for results in self.around.values())
        if not self.missing:
            return terms.text("runs.results_complete", language, found=found)
        lacking = "、".join if language == "zh" else ", ".join
        names = lacking(
            f"{_area_name(area, language)} {notebook_title(paths.notebooks() / f'{notebook}.ipynb', language)}"
            for area, notebook, _ in self.missing[:12]
        )
        return terms.text("runs.results_lacking", language, found=found, n=len(self.missing), names=names)


def _protection(result: Mapping[str, Any], name: str, value: float | None) -> tuple[str, str, str]:
    known = result.get("protection", {}).get(name, {})
    plain = "missing" if value is None else "shown"
    return known.get("status", plain), known.get("reason", ""), known.get("unit", "")


def headline_text(result: Mapping[str, Any], language: str) -> str:
    """The headline's sentence in a language, else in the one it was recorded in."""
    headline = result["headline"]
    return headline.get(f"text_{language}") or headline.get("text") or headline.get("text_zh") or ""


def results(quarter: str, area: str, language: str = "zh") -> Results:
    """What the other notebooks found for an area and the areas around it.

    A notebook that `institute run` runs is shown what the plan says that it reads, and so depends on; elsewhere it is
    shown every notebook that reads no other one.

    Args:
        quarter: such as "2025Q4".
        area: code of a city or a district.
        language: the run's language.

    Returns:
        Results; a notebook whose last run failed counts as missing, even where its earlier brief is kept.
    """
    from institute_lib.runs.plan import Job, load_plan

    folder = paths.run_folder(quarter, language)
    allowed = os.environ.get(RESULTS_VARIABLE)
    jobs = load_plan().readable(area) if allowed is None else [Job(*named) for named in json.loads(allowed)]
    around: dict[str, dict[str, dict[str, Any]]] = {area: {}}
    missing = []
    for job in jobs:
        found, why = usable_result(folder, job)
        _note_result(folder, job, found)
        of_area = around.setdefault(job.area, {})
        if found:
            of_area[job.notebook] = found
        else:
            missing.append((job.area, job.notebook, why))
    found = Results(area, quarter, language, around, tuple(missing))
    return found if not missing else Results(area, quarter, language, around, tuple(missing), (found.summary(),))


def _note_result(folder: Path, job: Any, found: Mapping[str, Any] | None) -> None:
    """Note the result of another job as a read: a demo one makes its reader's brief a demo too."""
    demo = "demo" if found and found["demo"] else ""
    name = f"{folder.name}/{job.notebook}/{job.area}"
    sharing.note_read(sharing.Read("earlier", name, source="result", title=demo))


def result_hash(folder: Path, job: Any) -> str:
    """Hash of a job's result, or why there is none."""
    found, why = usable_result(folder, job)
    return places.file_hash(folder / job.notebook / job.area / places.RESULT) if found else why


def usable_result(folder: Path, job: Any) -> tuple[dict[str, Any] | None, str]:
    """A job's result if its last run succeeded, else None and why: "failed" or "not_run"."""
    place = folder / job.notebook / job.area
    if (place / places.FAILURE).is_file():
        return None, "failed"
    found = places.read_json(place / places.RESULT) if places.intact_manifest(place) else None
    return found, "" if found else "not_run"


def _area_name(code: str, language: str) -> str:
    from institute_lib import areas

    return areas.get(code).name(language)
