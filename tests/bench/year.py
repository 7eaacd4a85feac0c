"""A year of own registers: after each thing that happens, figures against a count by hand, and which briefs are stale.

Seven districts hand in four quarters with joiners, leavers, a returner, a transfer, a list of those in service, a
column that is missing and a number that changed; then a district comes late, a second file, a correction, an undo. No
demo is there. `tests/unit/test_registers_year.py` and `tests/runs/test_own_year.py` are the short form.
"""

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from shutil import copy, copytree
from unittest.mock import patch

import pandas as pd

from institute_lib import areas, paths, registers, retention, runs, sharing, tables, terms
from tests.bench.lines import Bound
from tests.bench.timing import steps
from tests.conftest import Run
from tests.offices import number, write_workbook
from tests.rows import fives
from tests.years import CHONGCHUAN, ENDS, HAIMEN, QIDONG, RUDONG, Office, Spell, tally

CITY, QUARTER, TONGZHOU, RUGAO = "320600", "2025Q4", "320612", "320682"
AREAS, NOTEBOOKS = (CITY, CHONGCHUAN, HAIMEN), ("01_data_quality", "03_retention_drivers")
JOBS = {f"{notebook}/{area}" for notebook in NOTEBOOKS for area in AREAS}
NEW_NUMBER = 9_000  # serial of a person whose identity number changed
PEOPLE, LATER_FILE = 200, 40


@dataclass
class Year:
    """The office, what it has told by now, and what was found to differ from it.

    `told` holds each district's spells; `held` the districts whose rates wait for an answer.
    """

    office: Office
    told: dict[str, list[Spell]] = field(default_factory=dict)
    held: tuple[str, ...] = ()
    compared: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, what: str, found: object, expected: object) -> None:
        self.compared += 1
        if not (found == expected or (isinstance(found, float) and abs(found - expected) < 1e-12)):
            self.wrong.append(f"{what}: {found}, expected {expected}")

    def check(self, step: str, stale: set[str]) -> None:
        """Counts, turnover and stability of every district and the city, and the jobs that are stale."""
        workers = tables.load("workers", ENDS[QUARTER])
        by = retention.rates(workers, quarter=QUARTER).set_index("district")
        city = retention.rates(workers, quarter=QUARTER, by=()).iloc[0]
        rated = {code: spells for code, spells in self.told.items() if code not in self.held}
        groups = [(code, by.loc[code], spells) for code, spells in rated.items()]
        for name, row, spells in (*groups, (CITY, city, [one for part in rated.values() for one in part])):
            counted = tally(spells)
            self.expect(f"{step}, {name}, headcount", int(row["headcount_end"]), counted.heads[-1])
            self.expect(f"{step}, {name}, turnover", float(row["turnover"]), counted.leavers / counted.average)
            self.expect(f"{step}, {name}, stability", float(row["stability"]), counted.stayers / counted.heads[0])
        for code in self.held:
            self.expect(f"{step}, {code}, no turnover", bool(pd.isna(by.loc[code, "turnover"])), True)
        late = tuple(area.code for area in areas.districts(CITY) if area.code not in self.told)
        self.expect(f"{step}, not reported", tables.unreported(QUARTER, [*self.told, *late]), late)
        asked = {"quarter": QUARTER, "areas": AREAS, "notebooks": NOTEBOOKS}
        found = {str(one.job) for one in runs.status(**asked) if one.state != "current"}
        self.expect(f"{step}, stale", sorted(found), sorted(stale))

    def run(self) -> None:
        """Run what is stale."""
        summary = runs.run(quarter=QUARTER, areas=AREAS, notebooks=NOTEBOOKS, progress="none")
        failed = sorted(str(one.job) for one in summary.outcomes if one.state not in ("done", "current"))
        self.expect("jobs that did not end well", failed, [])

    def bring(self, people: list[Spell], day: str, today: str = "", **options: object) -> registers.Receipt:
        """Import what a district writes on a day, in the week after it."""
        shape = {name: options.pop(name) for name in ("leavers", "without") if name in options}
        path = self.office.write(f"{day} {self.office_files}", day, people, **shape)
        handed_in = today or (date.fromisoformat(day) + timedelta(days=5)).isoformat()
        return registers.import_files(path, today=handed_in, accept_warnings=True, **options)

    @property
    def office_files(self) -> int:
        return len(list(self.office.folder.glob("*.xlsx")))


def measure(*, large: bool) -> list[Bound]:
    """How many figures were compared, and how many of them differ."""
    with tempfile.TemporaryDirectory() as name, home(Path(name)) as folder:
        year = Year(Office(folder, people(2 * PEOPLE if large else PEOPLE)))
        for what in steps(STEPS, "year"):
            what(year)
        pages(year)
    note = "; ".join(year.wrong[:5]) or "districts, city, pages, stale jobs"
    return [
        Bound("a year of own registers: figures compared", year.compared, 20, "figures", least=True),
        Bound("  … that differ from the count by hand", len(year.wrong), 0, "figures", note),
    ]


@contextmanager
def home(folder: Path) -> Iterator[Path]:
    """A project without a demo, with a key of its own; files come from a folder beside it."""
    copytree(paths.PACKAGE.parent / "notebooks", folder / "home" / "notebooks")
    (folder / "home" / "papermill_runs").mkdir()
    copy(paths.PACKAGE.parent / "papermill_runs" / "quarterly.toml", folder / "home" / "papermill_runs")
    (folder / "in").mkdir()
    given = {"INSTITUTE_HOME": str(folder / "home"), "INSTITUTE_KEY_FILE": str(folder / "key" / "pseudonym.key")}
    with patch.dict(os.environ, given):
        registers.new_key()
        sharing.forget_reads()
        yield folder / "in"


def people(number_of: int) -> list[Spell]:
    """In each district one in five leaves in 2025 and some join; one returns to Haimen, one moves to Tongzhou."""
    draw, found = random.Random(11), []
    for at, area in enumerate(areas.districts(CITY)):
        for one in range(number_of):
            entered = date(2020, 1, 1) + timedelta(days=draw.randrange(1500))
            left = date(2025, 1, 5) + timedelta(days=draw.randrange(355)) if one % 5 == 0 else None
            found.append(Spell(1000 * at + one, area.code, entered, left, 4000 + 10 * one))
        joined = [date(2025, 1, 10) + timedelta(days=30 * month) for month in range(11)]
        found += [Spell(1000 * at + 900 + one, area.code, day) for one, day in enumerate(joined)]
    returner = next(one for one in found if one.district == HAIMEN and one.left is None)
    mover = next(one for one in found if one.district == CHONGCHUAN and one.left is None)
    returner.left, mover.left, mover.silent = date(2025, 2, 10), date(2025, 5, 20), True
    found.append(replace(returner, entered=date(2025, 6, 2), left=None))
    found.append(replace(mover, district=TONGZHOU, entered=date(2025, 5, 20), left=None, silent=False))
    return found


def four_quarters(year: Year) -> None:
    """Six districts on time: Qidong lists those in service, Haimen forgets a column, somebody in Rugao has a new
    number, and Chongchuan's second file is still to come."""
    of = year.office.of
    renumbered = next(one for one in of(RUGAO) if one.left is None)
    for quarter, day in ENDS.items():
        rest = [one for one in year.office.people if one.district not in (QIDONG, RUDONG, RUGAO, CHONGCHUAN, HAIMEN)]
        year.bring([*rest, *of(CHONGCHUAN)[:-LATER_FILE]], day)
        year.bring(of(HAIMEN), day, without="级别" if quarter == QUARTER else "")
        changed = quarter == QUARTER
        year.bring(
            [replace(one, serial=NEW_NUMBER) if one is renumbered and changed else one for one in of(RUGAO)], day
        )
        year.bring(of(QIDONG), day, leavers=False, missing="left")
    year.told = {area.code: of(area.code) for area in areas.districts(CITY) if area.code != RUDONG}
    year.told[CHONGCHUAN] = of(CHONGCHUAN)[:-LATER_FILE]
    year.held = (RUGAO,)
    known = tables.load("worker_changes", ENDS[QUARTER]).drop_duplicates("worker_id", keep="last")
    unknown = int(known["certificate"].eq("unknown").sum())
    new = [one for one in of(HAIMEN) if one.entered > date(2025, 9, 30)]
    year.expect("the missing column is carried on", unknown, len(new))
    year.run()
    year.check("four quarters", set())


def a_changed_number(year: Year) -> None:
    renumbered = next(one for one in year.office.of(RUGAO) if one.left is None)
    pair = [number(one % 1000, f"{1990 - one // 1000}0307") for one in (renumbered.serial, NEW_NUMBER)]
    registers.link(write_workbook(year.office.folder / "变更.xlsx", [pair], ["原证件号", "新证件号"]))
    year.held = ()
    year.check("a changed number", JOBS)
    year.run()


def a_late_district(year: Year) -> None:
    for day in ENDS.values():
        year.bring(year.office.of(RUDONG), day, today="2026-05-20")
    year.told[RUDONG] = year.office.of(RUDONG)
    year.check("a late district", JOBS)
    year.run()


def a_second_file(year: Year) -> None:
    for day in ENDS.values():
        year.bring(year.office.of(CHONGCHUAN)[-LATER_FILE:], day, today="2026-05-21")
    year.told[CHONGCHUAN] = year.office.of(CHONGCHUAN)
    year.check("a second file", JOBS)
    year.run()
    again = year.bring(year.office.of(CHONGCHUAN)[-LATER_FILE:], ENDS[QUARTER], today="2026-05-22")
    year.expect("the same file again", set(again.modes.values()), {"same"})
    year.check("the same file again", set())


def a_correction_and_its_undo(year: Year) -> None:
    """Three whom Tongzhou had recorded as leavers of the last quarter have not left."""
    before = year.told[TONGZHOU]
    gone = [one for one in before if one.left and one.left > date(2025, 10, 1)][:3]
    year.told[TONGZHOU] = [replace(one, left=None) if one in gone else one for one in before]
    corrected = year.bring(year.told[TONGZHOU], ENDS[QUARTER], replace_states=True)
    year.check("a correction", JOBS)
    registers.undo(corrected.number)
    year.told[TONGZHOU] = before
    year.check("the correction undone", set())


def other_things(year: Year) -> None:
    """A later quarter changes nothing here; a table of examinations only what asks how complete the tables are."""
    year.bring(year.office.of(HAIMEN), "2026-03-31")
    year.check("the next quarter", set())
    one = ["甄无名", number(1), "崇川区", "2025-06-14", "助理", "是", "是", "是"]
    heads = ["姓名", "身份证号", "区", "考试日期", "报考级别", "是否报名", "是否参考", "是否合格"]
    registers.import_files(write_workbook(year.office.folder / "考试.xlsx", [one], heads), table="exams")
    year.check("a table of examinations", {job for job in JOBS if job.startswith("01")})
    year.run()
    year.check("at the end", set())


STEPS = (four_quarters, a_changed_number, a_late_district, a_second_file, a_correction_and_its_undo, other_things)


def pages(year: Year) -> None:
    """Figures that the briefs print, against the count by hand rounded as they are; and no word of a demo."""
    made = Run(paths.root(), QUARTER, "zh", AREAS, NOTEBOOKS)
    every = [one for spells in year.told.values() for one in spells]
    for area in AREAS:
        counted = tally(every if area == CITY else year.told[area])
        numbers = made.result("03_retention_drivers", area)["numbers"]
        year.expect(f"03 {area}, turnover", numbers["turnover"], fives(counted.leavers) / fives(counted.average))
        year.expect(f"03 {area}, stability", numbers["stability"], fives(counted.stayers) / fives(counted.heads[0]))
    table = made.tables("03_retention_drivers", CITY)[terms.text("notebooks.turnover_table", "zh")]
    printed = dict(zip(table.iloc[:, 0], table[terms.label("turnover", "zh")], strict=True))
    for code, spells in year.told.items():
        counted = tally(spells)
        expected = f"{100 * fives(counted.leavers) / fives(counted.average):.1f}%"
        year.expect(f"03, turnover of {code}", printed[areas.get(code).name_zh], expected)
    demo = [f"{notebook}/{area}" for notebook, area in made.jobs if "演示" in made.page(notebook, area).get_text()]
    year.expect("briefs that speak of a demo", demo, [])
