"""The notebook's one object: what it loads, shows and says carries its language, sources, marks and protection.

study = Study(area=area, quarter=quarter, language=language, as_of=as_of)
workers = study.load("workers")
turnover = study.show(retention.turnover(workers))
study.say("notebooks.turnover_now", rate=turnover.figure("turnover", district=study.own))
study.close(headline="rate")
"""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import areas, disclosure, indicators, parameters, paths, sharing, tables, terms
from institute_lib.brief.blocks import METHODS, OPENING, SOURCES, Block
from institute_lib.disclosure import Figure, Protected, SafeSentence
from institute_lib.disclosure.figures import LEVEL, MISSING, SHOWN, made_figure, recorded_figure
from institute_lib.disclosure.numbers import unknown_number
from institute_lib.errors import DataError, DisclosureError, ParameterError, nearest
from institute_lib.registers.personal import find_personal
from institute_lib.result import Measure, Provenance, Result, job_provenance, with_provenance
from institute_lib.runs import exchange, places
from institute_lib.runs.plan import PLAN_VARIABLE, NotebookPlan, Plan, load_plan, notebook_title
from institute_lib.sharing import Read
from institute_lib.tables.files import load_own

SCOPES = ("area", "city", "province")
PERSON_COLUMNS = ("worker_id", "person_id", "candidate_id")
PROVINCE = "320000"
WHOLE = ("exams", "talent", "procurement")  # registers of their own, whichever districts have reported their workers
MOST_SEEN = 2000  # values of a column of an own file that are looked at for persons
PSEUDONYM = re.compile(r"\b(?:DEMO-\d{6}|[0-9a-f]{32,64})\b")
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")  # of a figure that others may read
DRAWN = {  # how a result's `chart` is drawn
    "bars": ("charts", "draw_bars"),
    "dot": ("charts", "draw_dot"),
    "trend": ("charts", "draw_trend"),
    "multiples": ("charts", "draw_multiples"),
    "survival": ("charts", "draw_survival"),
    "forest": ("charts", "draw_forest"),
    "lorenz": ("charts", "draw_lorenz"),
    "funnel": ("charts", "draw_funnel"),
    "control": ("charts", "draw_control"),
    "pilot_path": ("charts", "draw_pilot_path"),
    "event_study": ("charts", "draw_event_study"),
    "placebos": ("charts", "draw_placebos"),
    "choices": ("charts", "draw_specification_curve"),
}
MAPS = ("map", "slider")  # drawn on shapes
ON_MAPS = ("boundaries", "layout", "stations", "sites")  # options that no other chart takes
PLACE_KEYS, TOTAL = ("district", "area", "town"), "total"
HIGHLIGHTED = ("bars", "dot", "trend", "multiples")


class Study:
    """What a notebook looks at, and everything that the machine knows without being told.

    Args:
        area: code or name of a city or a district.
        quarter: such as "2025Q4".
        language: "zh" or "en".
        as_of: an ISO day: what had been imported by its end; empty for the newest.

    Attributes:
        area: the Area. language: as given.
        known: the day of knowledge, as given; None for the newest. as_of: the last day that is described.
        asked, quarter: the quarter asked for, and the one whose figures there are (an earlier one where none of the
            districts has reported).
        districts: the codes of those that reported it; `late` of those that have not.
        own_city: the code of the city that the area is or lies in.
        own: the key of the area's own row in a table by district: its code, or "total" for a city.

    Raises:
        ParameterError: a parameter that is not allowed, naming what is.
    """

    def __init__(self, *, area: str, quarter: str, language: str = "zh", as_of: str = "") -> None:
        self._core = parameters.study(area=area, quarter=quarter, language=language, as_of=as_of)
        self.area, self.language, self.asked = self._core.area, self._core.language, self._core.quarter
        self.is_city = self._core.is_city
        self.own_city = self._core.city
        self.own = TOTAL if self.is_city else self.area.code
        self.all_districts = self._core.districts
        self.known = as_of or None
        self._described = min(self._core.as_of, pd.Period(self.asked, freq="Q").end_time.date().isoformat())
        self._said: list[SafeSentence] = []
        self._figures: dict[str, Figure] = {}
        self._methods: list[str] = []
        self._shown: list[Protected] = []
        self._claims: dict[tuple[str, str, str], dict[str, Any]] = {}

    @cached_property
    def reports(self) -> tables.Reports:
        """Which of the area's districts have reported."""
        return tables.reports(self.all_districts, quarter=self.asked, as_of=self._described, known=self.known)

    @cached_property
    def city_reports(self) -> tables.Reports:
        """Which of the city's districts have reported the quarter that is shown."""
        codes = [one.code for one in areas.districts(self._core.city)]
        return tables.reports(codes, quarter=self.quarter, as_of=self.as_of, known=self.known)

    @property
    def opens(self) -> str:
        """The first quarter that the register of workers describes."""
        return tables.covered_quarters(as_of=self.as_of, known=self.known)[0]

    @property
    def quarter(self) -> str:
        return self.reports.quarter

    @property
    def as_of(self) -> str:
        return self.reports.as_of

    @property
    def districts(self) -> tuple[str, ...]:
        return self.reports.districts

    @property
    def late(self) -> tuple[str, ...]:
        return self.reports.late

    @property
    def absent(self) -> bool:
        """Whether none of the area's districts has reported the quarter asked for."""
        return self.reports.absent

    @property
    def area_name(self) -> str:
        return self.area.name(self.language)

    @property
    def _place(self) -> Path | None:
        """Where a run puts this job's files, in a folder named after its notebook; None outside a run."""
        folder = os.environ.get(exchange.JOB_VARIABLE)
        return Path(folder) if folder else None

    @cached_property
    def _plan(self) -> Plan | None:
        own = os.environ.get(PLAN_VARIABLE)
        return load_plan() if own or paths.plan().is_file() else None

    @cached_property
    def links(self) -> tuple[dict[str, str], ...]:
        """The run's other briefs of the area, or of its city where the area has none: notebook, title, href."""
        if not self._place or not self._plan:
            return ()
        quarter, found = self._place.parents[1], []
        for one in sorted(self._plan.notebooks, key=lambda one: (not one.after, one.name)):  # the one page first
            area = next((code for code in (self.area.code, self.own_city) if self._planned(one, code)), "")
            place = quarter / one.name / area
            failed = (place / places.FAILURE).is_file() and not (place / places.BRIEF).is_file()
            if area and not failed and one.name != self._place.parent.name:
                title = notebook_title(one.path, self.language)
                href = f"../../{one.name}/{area}/{places.BRIEF}"
                found.append({"notebook": one.name, "title": title, "href": href})
        return tuple(found)

    def _planned(self, notebook: NotebookPlan, area: str) -> bool:
        return area in self._plan.areas and notebook.runs_for(area)

    def quarters(self, number: int) -> tuple[str, ...]:
        """The last quarters up to the one that is shown, oldest first."""
        return self._core.quarters(number, until=self.quarter)

    # data

    def load(self, name: str | Path, scope: str = "area", *, past: Sequence[str] = ()) -> pd.DataFrame:
        """A table of the contract as it was known, of the districts that reported; or a file of one's own.

        Examinations, titles and purchases come from offices' own registers, which hold every district.

        Args:
            name: a table of `tables.CONTRACTS`, or a .csv, .parquet or .xlsx file beside the notebook or from the
                project's root, described by a .toml of the same name.
            scope: "area" (its districts), "city" (all districts of its city) or "province".
            past: quarters of a history: districts that are late for this quarter keep what they had reported before,
                and `.attrs["reported"]` says who has reported each.

        Raises:
            ParameterError: another scope. DataError: as `tables.load` and `tables.load_own`.
        """
        if scope not in SCOPES:
            raise ParameterError(f"scope {scope!r}: {nearest(scope, SCOPES)}")
        if str(name) not in tables.CONTRACTS:
            if not Path(name).suffix:
                raise ParameterError(f"table {str(name)!r}: {nearest(str(name), tables.CONTRACTS)}, or a file of yours")
            own = load_own(name, language=self.language)
            _refuse_persons(own)
            return own
        own_city = [one.code for one in areas.districts(self.own_city)]
        scoped = {"area": self.all_districts, "city": own_city, "province": ()}[scope]
        frame = tables.load(str(name), self.as_of, known=self.known, districts=scoped)
        reported = None  # who had reported is asked of the scope alone: a neighbour's report makes no other job stale
        if scope != "province":
            reported = self.reports if scope == "area" else self.city_reports
        if name == "stations" and reported:  # a state of its own, which may be up to four quarters old
            codes = (*reported.districts, *reported.late)
            asked = {"quarter": self.quarter, "as_of": self.as_of, "known": self.known}
            reported = tables.reports(codes, **asked, table="stations")
        if name in WHOLE and reported:
            reported = replace(reported, districts=(*reported.districts, *reported.late), late=())
            self.note("tables.whole")
        asked = {"as_of": self.as_of, "known": self.known, "table": str(name)}
        codes = (*reported.districts, *reported.late) if reported else ()
        told = {one: set(codes) - set(tables.unreported(one, codes, **asked)) for one in past}
        if name == "workers" and reported:
            self._note_withheld(reported.districts)
        attrs = frame.attrs
        if reported:
            self._note_described(str(name), attrs.get("described", {}), reported.districts)
        if reported and "district" in frame:
            there = {*reported.districts, *(code for one in told.values() for code in one)}
            frame = frame[frame["district"].isin(there)].reset_index(drop=True)
        if scope == "city" and not self.is_city and name not in WHOLE:
            self.note(*self.city_reports.notes(self.language))
        reads = [replace(one, absent=reported.late if reported else ()) for one in attrs["provenance"].reads]
        for one in reads:
            sharing.note_read(one)
        frame.attrs = {**attrs, "quarter": self.quarter} | ({"reported": told} if told else {})
        return with_provenance(frame, Provenance(reads))

    def _note_described(self, name: str, days: Mapping[str, str], districts: Sequence[str]) -> None:
        """Say which day a state of an own register describes; where districts differ, which of them describes which."""
        told: dict[str, list[str]] = {}
        for code in districts:
            if code in days:
                told.setdefault(days[code], []).append(areas.get(code).name(self.language))
        if not told:
            return
        joined, between = ("、", "；") if self.language == "zh" else (", ", "; ")
        words = [
            terms.date(day, self.language)
            if len(told) == 1
            else terms.text(
                "tables.described_by", self.language, day=terms.date(day, self.language), names=joined.join(names)
            )
            for day, names in sorted(told.items(), reverse=True)
        ]
        table = terms.label(name, self.language, column="table")
        self.note(terms.text("tables.described", self.language, table=table, days=between.join(words)))

    def _note_withheld(self, districts: Sequence[str]) -> None:
        """Say for which districts rates cannot be known, and why."""
        found = tables.withheld(self.quarter, districts, as_of=self.as_of, known=self.known)
        for why in dict.fromkeys(found.values()):
            names = [areas.get(code).name(self.language) for code, reason in found.items() if reason == why]
            joined = terms.listed(names, self.language)
            self.note(terms.text(f"tables.withheld_{why}", self.language, names=joined))

    def table(
        self,
        frame: pd.DataFrame,
        *,
        by: str | Sequence[str],
        measures: Iterable[Measure],
        from_: Sequence[pd.DataFrame] = (),
        title: str = "",
        chart: str = "table",
        persons: str = "",
    ) -> Result:
        """A researcher's own table as a result.

        With one row a person (a column worker_id or person_id, or an own file that says so) the distinct persons are
        counted here, and each measure is computed from its column: a share from one of true and false
        (`of=("member", "persons")`), an amount as the mean, median or sum of it (`of="persons"`), a count of the
        distinct values of what it `counts`. A table that is brought together already needs `persons`, which is then a
        declaration of the author that the gate shows to a second person; where no persons were read it needs nothing.

        Args:
            frame: the rows. by: the columns that name a row of the table.
            measures: its figures. from_: the tables it was made from, for its citation.
            persons: the column with the number of persons behind each row, where the author counted them.

        Raises:
            ParameterError: a column is missing, or rows repeat. DisclosureError: nothing says how many persons stand
            behind a row.
        """
        keys, measures = [by] if isinstance(by, str) else list(by), tuple(measures)
        self._require(frame, [*keys, *([persons] if persons else [])])
        provenance = Provenance(read for one in from_ for read in one.attrs.get("provenance", Provenance()).reads)
        provenance = provenance | job_provenance()
        if provenance.unknown:
            self._declare(terms.text("result.typed_table", self.language, title=title or ", ".join(keys)), "unknown")
            provenance = provenance | Provenance([Read("declared", title, source="unknown", personal=True)])
        identity = next((one for one in (frame.attrs.get("person"), *PERSON_COLUMNS) if one and one in frame), "")
        if not identity and frame.attrs.get("row") == "person":  # a file with one row a person, and no column for it
            frame, identity = frame.assign(person_id=range(len(frame))), "person_id"
        if identity and not provenance.personal:
            self._declare(terms.text("result.typed_table", self.language, title=title or ", ".join(keys)), "unknown")
            provenance = provenance | Provenance([Read("declared", title, source="unknown", personal=True)])
        if identity in keys:
            raise terms.error(DisclosureError, "result.row_a_person", column=identity)
        if identity:
            frame, measures = _counted(frame, keys, measures, identity, self._require)
            persons = "persons"
        elif provenance.personal and persons:
            self._declare(terms.text("result.declared_persons", self.language, title=title, column=persons))
        elif frame.duplicated(keys).any():
            record = ", ".join(map(str, frame.loc[frame.duplicated(keys), keys].iloc[0]))
            raise terms.error(ParameterError, "result.rows_repeat", by=", ".join(keys), record=record)
        return Result(frame, tuple(keys), measures, persons or None, provenance, title=title, chart=chart)

    def _require(self, frame: pd.DataFrame, columns: Iterable[str]) -> None:
        for name in columns:
            if name not in frame:
                listed = ", ".join(map(str, frame.columns))
                raise terms.error(ParameterError, "result.column_missing", column=name, columns=listed)

    def _declare(self, text: str, source: str = "") -> None:
        sharing.note_read(Read("declared", text, source=source, personal=True))

    def results(self, quarter: str = "") -> "Earlier":
        """What the jobs of a quarter left: protected figures of other notebooks and areas, with their status.

        Args:
            quarter: such as "2024Q4"; by default the one asked for.
        """
        return Earlier(exchange.results(quarter or self.asked, self.area.code, self.language))

    # showing and saying

    def show(self, result: Any, *, title: str = "", chart: str = "", **look: Any) -> Protected | None:
        """Show a result: its protected view, as a chart or a table, with title, source and marks; and return it.

        Args:
            result: a Result, an estimate of `policy`, a fitted statsmodels regression, or a protected view. Of None,
                nothing is shown.
            title: instead of the result's own. chart: one of `DRAWN` or `MAPS`, or
                "table". look: options of the drawing.

        Raises:
            DisclosureError: something else than a result, such as a plain table.
        """
        from IPython.display import display

        if result is None:
            return None
        _check_look(look)
        shown = self.view(result)
        shown = shown.titled(title) if title else shown
        display(self._drawn(shown, chart or shown.chart, {**shown.look, **look}))
        return shown

    def view(self, result: Any) -> Protected:
        """The protected view of a result, for its figures, without a chart or a table."""
        words = {"area": self.area_name, "quarter": terms.quarter(self.quarter, self.language)}
        exact = os.environ.get(exchange.AUDIENCE_VARIABLE) == "internal"
        shown = result
        if not isinstance(result, Protected):
            shown = disclosure.protected(self._result(result), language=self.language, words=words, exact=exact)
        self._claim(shown)
        self._shown.append(shown)
        self.note(*shown.methods)
        return shown

    def _claim(self, shown: Protected) -> None:
        """Note what a view says of the catalogue's indicators, by area and quarter, for the briefs that quote it.

        Raises:
            ParameterError: an indicator in another unit than its own, or with a second value.
        """
        keys = (*shown.rows, *shown.columns)
        for place, measure in enumerate(shown.measures):
            known = indicators.parse(measure.name, self.quarter)
            if not known or not set(keys) <= {*PLACE_KEYS, "quarter"}:
                continue
            unit = indicators.get(known[0]).unit
            if measure.unit != unit:
                raise terms.error(ParameterError, "result.indicator_unit", name=known[0], unit=unit, given=measure.unit)
            ends = [f"{'ci' if place == 0 else measure.name}_{end}" for end in ("low", "high")]
            for record in shown.data[list(keys)].astype(str).to_dict("records"):
                area = next((record[key] for key in PLACE_KEYS if key in record), self.area.code)
                area = self._whole_of(shown) if area == TOTAL else area
                if not area:
                    continue
                figure = shown.figure(measure.name, **record)
                if figure.state == MISSING:
                    continue
                interval = [shown.figure(end, **record).value if end in shown.figures_of else None for end in ends]
                claim = {"words": figure.cell(self.language), "where": shown.title, "interval": interval}
                claim["absent"] = list(self.city_reports.late) if area == self.own_city else []
                place_of = (known[0], area, indicators.parse(measure.name, record.get("quarter", self.quarter))[1])
                self._hold(place_of, claim | figure.to_json())

    def _whole_of(self, shown: Protected) -> str:
        """The area that the total of a table is: its only district, its city where all that reported are there.

        "" where it is neither, such as the total of a few districts that a researcher chose.
        """
        if "district" not in (*shown.rows, *shown.columns):
            return self.area.code
        listed = {str(one) for one in shown.data["district"]} - {TOTAL}
        if len(listed) == 1:
            return listed.pop()
        reported = {one.code for one in areas.districts(self.own_city)} - set(self.city_reports.late)
        return self.own_city if reported <= listed else ""

    def _hold(self, place: tuple[str, str, str], claim: dict[str, Any]) -> None:
        """Keep what an indicator is for an area and a quarter.

        Raises:
            ParameterError: it was something else before.
        """
        first = self._claims.setdefault(place, claim)
        known = first["state"] == claim["state"] == SHOWN
        # A total is rounded further beside small parts: so far apart two tables may be, and the index tells of it.
        rounded = known and abs(first["value"] - claim["value"]) <= first["error"] + claim["error"]
        if first["words"] != claim["words"] and not rounded:
            name, area, quarter = place
            raise terms.error(
                ParameterError,
                "result.indicator_twice",
                name=name,
                area=lambda language: areas.get(area).name(language),
                quarter=lambda language: terms.quarter(quarter, language),
                first=first["where"],
                one=first["words"],
                second=claim["where"],
                other=claim["words"],
            )

    def _result(self, given: Any) -> Result:
        if isinstance(given, Result):
            return given
        if disclosure.is_regression(given):
            return disclosure.regression_result(given, job_provenance())
        if hasattr(given, "as_result"):  # an estimate of `policy`
            return given.as_result(job_provenance())
        raise terms.error(DisclosureError, "result.not_a_result", what=type(given).__name__)

    def _drawn(self, shown: Protected, kind: str, look: Mapping[str, Any]) -> Any:
        if kind == "table":
            return shown
        if kind in MAPS:
            from institute_lib import maps

            boundaries = look.get("boundaries")
            if boundaries is None:
                cities = {areas.city_of(str(code)) for code in shown.data[shown.rows[0]]}
                boundaries = areas.boundaries(cities.pop() if len(cities) == 1 else PROVINCE)
            rest = {name: value for name, value in look.items() if name not in ("boundaries", "layout")}
            if "layout" in look:
                boundaries = areas.regions(boundaries, layout=look["layout"])
            draw = maps.draw_slider if kind == "slider" else maps.draw_coverage_map
            return draw(shown, boundaries=boundaries, language=self.language, **rest)
        if kind not in DRAWN:
            raise ParameterError(f"chart {kind!r}: {nearest(kind, (*DRAWN, *MAPS, 'table'))}")
        room, name = DRAWN[kind]
        marked = {"highlight": [self.area.code]} if kind in HIGHLIGHTED else {}
        options = {name: value for name, value in {**marked, **look}.items() if name not in ON_MAPS}
        return getattr(import_module(f"institute_lib.{room}"), name)(shown, language=self.language, **options)

    def say(
        self, text: str | Protected | Result | None, /, en: str = "", *, subject: bool = False, **figures: Any
    ) -> SafeSentence | None:
        """A finding, in the order in which they are said.

        Args:
            text: a text of the catalogues, or plain words with {fields}; or a result, shown or not, for its own
                sentence. Of None, nothing is said.
            en: the words in English.
            subject: name the area and the quarter before a result's own sentence, which knows neither.
            figures: protected figures (pairs of them are intervals), or words.

        Raises:
            DisclosureError: a number that nobody protected.
        """
        if text is None:
            return None
        text = self.view(text) if isinstance(text, Result) else text
        if isinstance(text, Protected):
            sentence = text.summary(self.language)
            if subject:
                about = {"area": self.area_name, "quarter": self.quarter}
                sentence = disclosure.sentence("result.subject", self.language, **about, said=sentence)
        else:
            for name, value in figures.items():
                _check_name(name)
                if isinstance(value, int | float | np.number):
                    raise terms.error(DisclosureError, "result.plain_number", name=name, value=value)
            self._figures |= {name: value for name, value in figures.items() if isinstance(value, Figure)}
            template = en if en and self.language == "en" else text
            known = {"area": self.area_name, "quarter": self.quarter}
            wanted = {name: value for name, value in known.items() if "{" + name + "}" in template or "." in template}
            sentence = disclosure.sentence(template, self.language, **{**wanted, **figures})
        self._said.append(sentence)
        return sentence

    def note(self, *paragraphs: str) -> None:
        """Lines for the section on methods: words without a number that nobody gave."""
        for one in paragraphs:
            text = terms.text(one, self.language) if disclosure.figures.KEY.fullmatch(one) else one
            self._methods += [text] if text not in self._methods else []

    def keep(self, **figures: Figure | None) -> None:
        """Figures that other notebooks may read, by name.

        Raises:
            DisclosureError: something else than a protected figure, or a name that is more than a name.
        """
        for name, value in figures.items():
            if value is not None and not isinstance(value, Figure):
                raise terms.error(DisclosureError, "result.plain_number", name=name, value=value)
            _check_name(name)
        self._figures |= {name: figure for name, figure in figures.items() if figure is not None}

    def close(self, *, headline: str, change: str = "") -> None:
        """The brief's opening, methods and sources, and the result that others may read.

        Args:
            headline: the name of the figure, said or kept, that the index shows.
            change: the name of its change on a year.

        Raises:
            ParameterError: nothing was said, or a name that no figure has.
        """
        from IPython.display import display

        if not self._said:
            raise terms.error(ParameterError, "result.nothing_said")
        for name in (headline, *([change] if change else [])):
            if name not in self._figures:
                names = ", ".join(self._figures)
                raise terms.error(ParameterError, "result.unknown_headline", name=name, names=names)
        provenance = job_provenance()
        late = self.reports.notes(self.language) if _of_registers(provenance) else ()
        findings = [*map(str, self._said), *late]
        display(self._opening(findings, provenance))
        quoted = list(dict.fromkeys(name for name, _, _ in self._claims))
        if self._methods or quoted:
            explained = tuple(indicators.get(name).explanation(self.language) for name in quoted)
            content = {"paragraphs": self._methods, "indicators": quoted}
            display(Block(METHODS, content, (*self._methods, *explained)))
        sources = list(dict.fromkeys(one.source for one in self._shown if one.source)) or [
            provenance.cite(self.language)
        ]
        items = [{"title": one, "publisher": "", "date": "", "url": ""} for one in sources]
        display(Block(SOURCES, {"items": items}, tuple(sources)))
        self._record(headline, change, findings, sources, provenance)

    def _opening(self, findings: Sequence[str], provenance: Provenance) -> Block:
        exact = any(one.exact for one in self._shown)
        content = {
            "title": "",  # the notebook's own heading, and its question: the brief reads them there
            "question": "",
            "findings": list(findings),
            "area": self.area_name,
            "area_code": self.area.code,
            "quarter": self.asked,
            "as_of": self.as_of if _of_registers(provenance) else self._described,
            "known": self.known or "",
            "language": self.language,
            "demo": provenance.demo,
            "personal": provenance.personal,
            "own": sharing.without_persons(sharing.reads_so_far()),
            "mark": "internal",
            "exact": exact,
            "made": date.today().isoformat(),
            "contact": self._plan.contact if self._plan else "",
            "links": list(self.links),
            "revision": self._revision(findings),
        }
        where = f"{self.area_name} · {terms.quarter(self.asked, self.language)}"
        marks = [terms.text("charts.demo", self.language)] if provenance.demo else []
        return Block(OPENING, content, (where, *marks, *findings))

    def _revision(self, findings: Sequence[str]) -> str:
        """What of the last release of the same brief is said no more."""
        if not self._place:
            return ""
        from institute_lib.release.chain import last_findings

        number, before = last_findings(self.asked, self.language, f"{self._place.parent.name}/{self.area.code}")
        gone = [one for one in before if one not in findings]
        key = "revised" if gone else "unrevised" if number else "unreleased"
        quoted = terms.text("result.revised_join", self.language).join(gone)
        return terms.text(f"result.{key}", self.language, number=number, gone=quoted)

    def _record(self, headline, change, findings, sources, provenance) -> None:
        """Leave `result.json` for others, under a run; protected figures only, with their status."""
        reads = _of_registers(provenance)  # else nobody need have reported, and the job does not rest on who has
        figures = {name: figure for name, figure in self._figures.items() if not (reads and self.absent)}
        first = self._figures[headline]
        content = {
            "notebook": self._place.parent.name if self._place else "",
            "area": self.area.code,
            "quarter": self.asked,
            "language": self.language,
            "demo": provenance.demo,
            "partial": bool((reads and self.late) or provenance.absent),
            "headline": {
                "text": next((one for one in findings if first.words(self.language) in one), findings[0]),
                "value": first.value,
                "unit": first.unit,
                "words": first.words(self.language),
                "name": _indicator_name(headline, self.language),
                "change": self._figures[change].value if change else None,
                "change_words": self._change_words(change),
            },
            "findings": [{"text": one} for one in findings],
            "numbers": {name: figures[name].value if name in figures else None for name in self._figures},
            "figures": {name: figure.to_json() for name, figure in figures.items()},
            "sources": list(sources),
            "indicators": [
                {"indicator": name, "area": area, "quarter": quarter, **claim}
                for (name, area, quarter), claim in self._claims.items()
            ],
        }
        if self._place:
            places.write_json(self._place / places.RESULT, json.loads(json.dumps(content)))

    def _change_words(self, change: str) -> str:
        figure = self._figures.get(change)
        known = figure is not None and (figure.value is not None or figure.state == LEVEL)
        return figure.words(self.language) if known else ""


@dataclass(frozen=True)
class Earlier:
    """The results of other jobs; `figure` gives one of them, protected as it was.

    Attributes:
        found: as `runs.results` finds them: by area and notebook, and which are missing.
    """

    found: exchange.Results

    def records(self) -> pd.DataFrame:
        """What the jobs recorded of the catalogue's indicators: one row an indicator, area and quarter, the area's own
        jobs first; columns as `disclosure.from_records`, absent (districts left out) and notebook.
        """
        own = self.found.around.get(self.found.area, {})
        jobs = [*own.items(), *(job for area in self.found.around.values() for job in area.items())]
        rows = [
            {**one, "low": one["interval"][0], "high": one["interval"][1], "notebook": notebook}
            for notebook, result in jobs
            for one in result.get("indicators", ())
        ]
        columns = ["indicator", "area", "quarter", *disclosure.RECORDED, "words", "absent", "notebook"]
        return pd.DataFrame(rows, columns=columns).drop_duplicates(["indicator", "area", "quarter"])

    def figure(self, notebook: str, name: str, *, area: str = "") -> Figure:
        """A figure that a notebook said or kept; missing where the job or the figure is not there."""
        result = self.found.around.get(area or self.found.area, {}).get(notebook)
        known = (result or {}).get("figures", {}).get(name)
        if known is None:
            return made_figure(Measure(name, "number"), None, MISSING)
        return recorded_figure(known)


def _indicator_name(key: str, language: str) -> str:
    known = indicators.catalogue().get(key)
    return known.name[language] if known else ""


def _refuse_persons(frame: pd.DataFrame) -> None:
    """
    Raises:
        DataError: an own file that is described as places or organisations holds persons.
    """
    file, row = Path(frame.attrs["file"]), frame.attrs["row"]
    if row in ("", "person"):
        return
    of_persons = set(terms.text("result.person_columns", "zh").split())
    registers = any(folder.resolve() in file.resolve().parents for folder in (paths.registers(), paths.demo()))
    for name in frame.columns:
        column = frame[name].dropna()
        measured = pd.api.types.is_float_dtype(column) and bool((column % 1).any())
        texts = "" if measured else " \n".join(column.astype(str).unique()[:MOST_SEEN])
        named = str(name).strip().lower() in of_persons
        if named or registers or PSEUDONYM.search(texts) or find_personal(texts):
            raise terms.error(DataError, "result.holds_persons", name=f"{file.stem}.toml", row=row, column=str(name))


def _of_registers(provenance: Provenance) -> bool:
    """Whether any of it is reported by districts, or nobody knows."""
    return provenance.unknown or any(one.source not in ("own", "published") for one in provenance.reads)


def _check_look(look: Mapping[str, Any]) -> None:
    """
    Raises:
        ParameterError: a source, which is known from what was read. DisclosureError: words with a number in them.
    """
    if "source" in look:
        raise terms.error(ParameterError, "result.typed_source")
    waiting = list(look.items())
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(name, part) for pair in value.items() for part in pair]
        elif isinstance(value, list | tuple | set):
            waiting += [(name, part) for part in value]
        elif isinstance(value, str) and not (value.isdigit() and areas.is_known(value)):
            number = unknown_number(value, set())
            if number:
                raise terms.error(DisclosureError, "result.number_in_look", name=name, number=number)


def _check_name(name: str) -> None:
    """
    Raises:
        DisclosureError: a name that others would read, and that is more than a name.
    """
    if not NAME.fullmatch(name):
        raise terms.error(DisclosureError, "result.not_a_name", name=name)


def _counted(frame, keys, measures, identity, require) -> tuple[pd.DataFrame, list[Measure]]:
    """Rows of persons brought together by the keys: distinct persons, and each measure from its column.

    Empty groups of a closed vocabulary are rows too, so that they read like any other small one.
    """
    groups = frame.groupby(keys, observed=True)
    columns = {"persons": groups[identity].nunique()}
    made = []
    for given in measures:
        one = given
        if one.unit == "count" and one.counts != "persons":
            require(frame, [one.counts])
            if frame.groupby(one.counts, observed=True)[identity].nunique().max() <= 1:  # it tells persons apart
                raise terms.error(ParameterError, "result.counts_persons", name=one.name, column=one.counts)
            columns[one.name] = groups[one.counts].nunique()
        elif one.unit in ("count", "share"):
            name = one.of[0] if one.unit == "share" else one.name
            if one.unit == "share" or name in frame:
                require(frame, [name])
                if not pd.api.types.is_bool_dtype(frame[name]):
                    raise terms.error(ParameterError, "result.not_boolean", column=name, what=str(frame[name].dtype))
                those = frame[frame[name]].groupby(keys, observed=True)[identity].nunique()
                columns[f"{one.name}_persons"] = those.reindex(columns["persons"].index, fill_value=0)
            whole = columns.get(f"{one.name}_persons", columns["persons"])
            columns[one.name] = whole / columns["persons"] if one.unit == "share" else whole
            one = replace(one, of=(f"{one.name}_persons", "persons") if one.unit == "share" else _whole(one, columns))
        elif one.unit == "per_10000":
            require(frame, [one.of[1]])
            columns[one.of[1]] = groups[one.of[1]].first()
            columns[one.name] = 10_000 * columns["persons"] / columns[one.of[1]]
            one = replace(one, of=("persons", one.of[1]))
        else:
            require(frame, [one.name])
            if frame[one.name].nunique() <= 2:  # the mean of a yes-or-no would give the exact count back
                raise terms.error(ParameterError, "result.two_values", column=one.name)
            columns[one.name] = groups[one.name].agg(one.statistic)
            one = replace(one, of=("persons",), **_employers(frame, keys, one, columns))
        made.append(one)
    counted = pd.DataFrame(columns)
    vocabulary = tables.vocabulary(keys[0]) if len(keys) == 1 else ()
    if vocabulary and set(map(str, counted.index)) <= set(vocabulary):
        counted = counted.reindex(
            pd.Index([one for one in vocabulary if one != "unknown" or one in counted.index], name=keys[0])
        )
        counts = [
            name for name in counted if name.endswith("persons") or name in {m.name for m in made if m.unit == "count"}
        ]
        counted[counts] = counted[counts].fillna(0)
    return counted.reset_index(), made


def _whole(measure: Measure, columns: Mapping[str, pd.Series]) -> tuple[str, ...]:
    """A count of some of the persons is part of all of them."""
    return ("persons",) if f"{measure.name}_persons" in columns else measure.of


def _employers(frame, keys, measure: Measure, columns: dict[str, pd.Series]) -> dict[str, str]:
    """For an amount of money, how many employers pay it and how much of it the largest one pays."""
    if measure.unit != "yuan" or "employer" not in frame:
        return {}
    paid = frame.groupby([*keys, "employer"], observed=True)[measure.name].sum()
    by_group = paid.groupby(level=list(range(len(keys))))
    columns["employers"] = by_group.size().reindex(columns["persons"].index, fill_value=0)
    columns["largest"] = (by_group.max() / by_group.sum()).reindex(columns["persons"].index)
    return {"employers": "employers", "largest": "largest"}
