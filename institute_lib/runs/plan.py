"""The plan of a quarterly run, and the graph of jobs it stands for."""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from institute_lib import areas as divisions
from institute_lib import paths, terms
from institute_lib.errors import ParameterError
from institute_lib.parameters import read_cells

PLAN_KEYS = ("areas", "language", "single", "word", "audience", "contact", "tables", "limits", "notify", "notebooks")
AUDIENCES = ("office", "internal")
OWN_KEYS = (*PLAN_KEYS, "without")
NOTIFY_KEYS = ("command", "mail")
LIMIT_KEYS = ("cell_seconds", "notebook_seconds")
NOTEBOOK_KEYS = ("areas", "after", "reads", "parameters", *LIMIT_KEYS)
READS = ("area", "peers")
LAST = "last"
PLAN_VARIABLE = "INSTITUTE_PLAN"
CHINESE = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, order=True)
class Job:
    """One notebook for one area."""

    notebook: str
    area: str

    def __str__(self) -> str:
        return f"{self.notebook}/{self.area}"


@dataclass(frozen=True)
class NotebookPlan:
    """How the plan runs one notebook.

    Attributes:
        areas: codes of the areas that it runs for; empty for all of the plan's.
        after: notebooks whose results it reads.
        reads: "area" (results of its own area) or "peers" (also of the districts and the city around it).
        parameters: its own parameters, beyond area, quarter, language.
        cell_seconds, notebook_seconds: time limits.
    """

    name: str
    after: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    reads: str = "area"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cell_seconds: int = 600
    notebook_seconds: int = 1800

    @property
    def path(self) -> Path:
        return paths.notebooks() / f"{self.name}.ipynb"

    def runs_for(self, area: str) -> bool:
        return not self.areas or area in self.areas


@dataclass(frozen=True)
class Plan:
    """Areas (codes), notebooks in order, tables checked first, the language of the briefs, and their form.

    Attributes:
        single: each brief holds plotly itself and may be sent alone; else a quarter's briefs share one file of it.
        word: each brief stands beside itself as a Word document too.
        audience: "office", or "internal": counts of persons from ten up are not rounded, every brief says that small
            groups may follow by subtraction, and none of them is ever released.
        contact: whom a reader of a brief may ask, as it is printed; empty for the institute alone.
        notify: who is told when a scheduled run fails: `command` (words; the text comes on its standard input) or
            `mail` (an address for the computer's own `mail`).
    """

    areas: tuple[str, ...]
    notebooks: tuple[NotebookPlan, ...]
    tables: tuple[str, ...] = ()
    language: str = "zh"
    path: Path | None = None
    single: bool = False
    word: bool = False
    audience: str = "office"
    contact: str = ""
    notify: Mapping[str, Any] = field(default_factory=dict)

    def notebook(self, name: str) -> NotebookPlan:
        """
        Raises:
            ParameterError: the plan has no such notebook.
        """
        for notebook in self.notebooks:
            if notebook.name == name:
                return notebook
        raise terms.error(
            ParameterError,
            "runs.error_notebook_unknown",
            name=name,
            nearest=(name, [one.name for one in self.notebooks]),
        )

    def jobs(self) -> tuple[Job, ...]:
        """Every notebook for every area that it runs for, in the plan's order."""
        return tuple(Job(one.name, area) for area in self.areas for one in self.notebooks if one.runs_for(area))

    def reads(self, job: Job) -> tuple[Job, ...]:
        """The jobs whose results a job reads, whether or not this run runs them."""
        notebook = self.notebook(job.notebook)
        around = related(job.area, self.areas) if notebook.reads == "peers" else (job.area,)
        return tuple(
            Job(name, area) for area in around for name in notebook.after if self.notebook(name).runs_for(area)
        )

    def readable(self, area: str) -> tuple[Job, ...]:
        """The jobs of an area and those around it that read no other job, for whoever looks at the results."""
        first = [notebook for notebook in self.notebooks if not notebook.after]
        return tuple(Job(one.name, code) for code in related(area, self.areas) for one in first if one.runs_for(code))

    def select(self, areas: Iterable[str] | None = None, notebooks: Iterable[str] | None = None) -> tuple[Job, ...]:
        """The jobs of some areas (codes or names) and notebooks; None selects all.

        Raises:
            ParameterError: an area or notebook that the plan does not hold, or a notebook that runs for none of them.
        """
        codes = self.areas if areas is None else tuple(self._area(area) for area in areas)
        names = None if notebooks is None else {self.notebook(_stem(name)).name for name in notebooks}
        for name in names or ():
            only = self.notebook(name).areas
            if only and not set(codes) & set(only):
                given, allowed = (", ".join(one) for one in (codes, only))
                raise terms.error(ParameterError, "runs.error_areas_alone", given=given, name=name, allowed=allowed)
        return tuple(job for job in self.jobs() if job.area in codes and (names is None or job.notebook in names))

    def _area(self, asked: str) -> str:
        code = divisions.get(str(asked)).code
        if code not in self.areas:
            raise terms.error(
                ParameterError, "runs.error_area_not_planned", asked=asked, code=code, nearest=(code, self.areas)
            )
        return code


def related(area: str, within: Iterable[str]) -> tuple[str, ...]:
    """An area, the districts beside it (of a city: inside it), and its city, as far as the plan holds them."""
    city = divisions.city_of(area)
    around = [area, *(district.code for district in divisions.districts(city)), city]
    planned = set(within) | {area}
    return tuple(code for code in dict.fromkeys(around) if code in planned)


def load_plan(plan: "Plan | Path | str | None" = None) -> Plan:
    """The plan, read and checked.

    Args:
        plan: a file, a Plan (returned as it is), or None for the running job's own plan, else `quarterly.toml`.

    Raises:
        ParameterError: an unknown key, area or notebook, or notebooks that wait for each other in a circle.
    """
    if isinstance(plan, Plan):
        return plan
    path = Path(plan or os.environ.get(PLAN_VARIABLE) or paths.plan())
    content = _read(path, PLAN_KEYS)
    shipped = content.get("areas", ())
    if path.resolve() == paths.plan().resolve() and paths.own_plan().is_file():
        content = _with_own(content, _read(paths.own_plan(), OWN_KEYS))
    for needed in ("areas", "notebooks"):
        if not content.get(needed):
            raise terms.error(ParameterError, "runs.error_plan_lacks", name=path.name, needed=needed)
    limits = content.get("limits", {})
    _known(limits, LIMIT_KEYS, f"{path.name} [limits]")
    _known(content.get("notify", {}), NOTIFY_KEYS, f"{path.name} [notify]")
    for name in ("single", "word"):
        if not isinstance(content.get(name, False), bool):
            raise terms.error(
                ParameterError, "runs.error_plan_flag", file=path.name, name=name, value=repr(content[name])
            )
    audience = content.get("audience", "office")
    if audience not in AUDIENCES:
        raise terms.error(
            ParameterError,
            "runs.error_plan_value",
            place=path.name,
            name="audience",
            value=repr(audience),
            nearest=(str(audience), AUDIENCES),
        )
    areas = tuple(dict.fromkeys(_place(area, path.name) for area in content["areas"]))
    known = {*areas, *(_place(area, path.name) for area in shipped)}
    notebooks = tuple(_notebook(name, given, limits, path.name) for name, given in content["notebooks"].items())
    notebooks = tuple(replace(one, areas=_areas_of(one, areas, known, path.name)) for one in notebooks)
    _check_order(notebooks, path.name)
    return Plan(
        areas=areas,
        notebooks=notebooks,
        tables=tuple(content.get("tables", ())),
        language=terms.check_language(content.get("language", "zh")),
        path=path,
        single=content.get("single", False),
        word=content.get("word", False),
        audience=audience,
        contact=str(content.get("contact", "")),
        notify=content.get("notify", {}),
    )


def _read(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows' editor puts a mark before the text
    except FileNotFoundError as error:
        raise terms.error(ParameterError, "runs.error_no_plan", path=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise terms.error(ParameterError, "runs.error_plan_toml", name=path.name, reason=error) from error
    _known(content, keys, path.name)
    names = [_stem(name) for name in content.get("notebooks", {})]
    for name in names:
        if names.count(name) > 1:
            raise terms.error(ParameterError, "runs.error_plan_twice", file=path.name, name=name)
    return content


def _with_own(plan: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The plan with what the institute's own file changes, adds and, by `without`, leaves out."""
    notebooks = dict(plan.get("notebooks", {}))
    for name, given in own.get("notebooks", {}).items():
        notebooks[name] = {**notebooks.get(name, {}), **given}
    for name in own.get("without", ()):
        if name not in notebooks:
            place, value = paths.own_plan().name, repr(name)
            raise terms.error(
                ParameterError,
                "runs.error_plan_value",
                place=place,
                name="without",
                value=value,
                nearest=(name, notebooks),
            )
        del notebooks[name]
    changed = {name: value for name, value in own.items() if name != "without"}
    return {**plan, **changed, "notebooks": notebooks, "limits": {**plan.get("limits", {}), **own.get("limits", {})}}


def _place(asked: Any, source: str) -> str:
    area = divisions.get(str(asked))
    if area.level not in ("city", "district"):
        raise terms.error(ParameterError, "runs.error_plan_area", source=source, asked=asked)
    return area.code


def extended(plan: Plan, folder: Path) -> Plan:
    """The plan with the areas and notebooks of a quarter's folder that other plans have run."""
    from institute_lib.runs import places

    found = [place.parent for place in folder.glob(f"*/*/{places.MANIFEST}")]
    names = dict.fromkeys([one.name for one in plan.notebooks] + sorted(place.parent.name for place in found))
    known = {one.name: one for one in plan.notebooks}
    areas = dict.fromkeys([*plan.areas, *sorted(place.name for place in found)])
    notebooks = [known.get(name) or NotebookPlan(name) for name in names]
    for at, one in enumerate(notebooks):
        if one.areas:
            ran = [place.name for place in found if place.parent.name == one.name]
            notebooks[at] = replace(one, areas=tuple(dict.fromkeys([*one.areas, *sorted(ran)])))
    return replace(plan, areas=tuple(areas), notebooks=tuple(notebooks))


def resolved_quarter(quarter: str) -> str:
    """A quarter, `last` being the one that closed last by this computer's calendar."""
    if quarter != LAST:
        return quarter
    import pandas as pd

    return str(pd.Timestamp.now().to_period("Q") - 1)


def with_language(plan: Plan, language: str | None) -> Plan:
    """The plan in another language."""
    return plan if language is None else replace(plan, language=terms.check_language(language))


def notebook_title(path: Path, language: str) -> str:
    """The notebook's own first heading in a language, with its number, else its name."""
    try:
        cells = read_cells(path) if path.is_file() else []
    except ParameterError:  # its job fails and says so; the others still have an index
        cells = []
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    headings = [part.strip() for line in re.findall(r"^# +(.+)$", prose, re.MULTILINE) for part in line.split(" / ")]
    fitting = [heading for heading in headings if bool(CHINESE.search(heading)) == (language == "zh")]
    number = re.match(r"\d+ ", headings[0]) if headings else None
    title = (fitting or [path.stem])[0]
    return number[0] + title if number and fitting and not title.startswith(number[0]) else title


def _notebook(name: str, given: Mapping[str, Any], limits: Mapping[str, Any], source: str) -> NotebookPlan:
    name = _stem(name)
    place = f"{source} [notebooks.{name}]"
    _known(given, NOTEBOOK_KEYS, place)
    reads = given.get("reads", "area")
    if reads not in READS:
        raise terms.error(
            ParameterError,
            "runs.error_plan_value",
            place=place,
            name="reads",
            value=repr(reads),
            nearest=(reads, READS),
        )
    settings = {**limits, **given, **{key: tuple(given.get(key, ())) for key in ("after", "areas")}}
    for limit in LIMIT_KEYS:
        if limit in settings and not (type(settings[limit]) is int and settings[limit] > 0):
            raise terms.error(
                ParameterError, "runs.error_plan_seconds", place=place, name=limit, value=repr(settings[limit])
            )
    return NotebookPlan(name, **settings)


def _areas_of(notebook: NotebookPlan, planned: tuple[str, ...], known: set[str], source: str) -> tuple[str, ...]:
    """The areas of the plan that a notebook runs for; the institute's own plan may leave some of its areas out.

    Raises:
        ParameterError: it names an area that no plan holds, or none of those that this one runs.
    """
    named = tuple(dict.fromkeys(_place(area, source) for area in notebook.areas))
    for code in named:
        if code not in known:
            place = f"{source} [notebooks.{notebook.name}]"
            raise terms.error(
                ParameterError,
                "runs.error_plan_value",
                place=place,
                name="areas",
                value=repr(code),
                nearest=(code, planned),
            )
    kept = tuple(code for code in named if code in planned)
    if named and not kept:
        raise terms.error(
            ParameterError, "runs.error_plan_no_area", source=source, name=notebook.name, named=", ".join(named)
        )
    return kept


def _check_order(notebooks: tuple[NotebookPlan, ...], source: str) -> None:
    names = [notebook.name for notebook in notebooks]
    for notebook in notebooks:
        for before in notebook.after:
            if before not in names:
                raise terms.error(
                    ParameterError,
                    "runs.error_plan_after",
                    source=source,
                    name=notebook.name,
                    before=before,
                    nearest=(before, names),
                )
    try:
        TopologicalSorter({notebook.name: notebook.after for notebook in notebooks}).prepare()
    except CycleError as error:
        raise terms.error(
            ParameterError, "runs.error_plan_cycle", source=source, names=" → ".join(error.args[1])
        ) from error


def _known(given: Mapping[str, Any], allowed: tuple[str, ...], place: str) -> None:
    for name in given:
        if name not in allowed:
            raise terms.error(ParameterError, "runs.error_plan_key", place=place, name=name, nearest=(name, allowed))


def _stem(name: str) -> str:
    return str(name).removesuffix(".ipynb")
