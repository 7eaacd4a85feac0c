"""What a notebook finds of the others: the results that their jobs left."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import paths, sharing, terms
from institute_lib.runs import places
from institute_lib.runs.plan import notebook_title

JOB_VARIABLE = "INSTITUTE_JOB_FOLDER"
AUDIENCE_VARIABLE = "INSTITUTE_AUDIENCE"  # "internal" where the plan says so: counts from 10 up are not rounded
RESULTS_VARIABLE = "INSTITUTE_JOB_RESULTS"  # the jobs whose results a running job may read


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
