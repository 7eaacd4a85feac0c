"""What a recipient of a quarter's briefs can work out of single persons, by arithmetic.

Made registers with small groups go through the command line: imported twice, all notebooks run for the city and its
districts in two quarters. The attacker then reads what a recipient has of 01 and 03 (tables, sentences, charts and
their hover texts, downloads, `result.json`), turns every published figure into an interval of a true count, joins what
adds up (districts, periods, parts and wholes), and asks with integer programs which values each count still may have.
Of 04, 05 and 07 he is given more than they hold (`attack_tables`); 06 only repeats figures of the others, and the
effects of 02 come from a panel of places.
"""

import itertools
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd

from institute_lib import areas, paths
from institute_lib.registers import identity
from tests.bench import attack_tables
from tests.bench.attack_registers import FIELDS, others
from tests.bench.attacker import HIDDEN, MOST, Interval, Page, Part, Program, count, read_pages, share
from tests.bench.lines import Bound

PROJECT = paths.PACKAGE.parent
SEED, CITY = 20251231, "320600"
QUARTERS = {"2025Q3": date(2025, 9, 30), "2025Q4": date(2025, 12, 31)}
OPENED = (date(2019, 3, 31), date(2023, 12, 31))  # earlier imports: those who came later are seen from their first day
NOTEBOOKS = ("01_data_quality", "03_retention_drivers")
EVERY = (*NOTEBOOKS, *attack_tables.NOTEBOOKS)
HEADERS = ("姓名", "身份证号", "区", "社工站", "人员类别", "性别", "级别", "月薪", "入职日期", "离职日期", "离职原因")
LATER = ("学历", "服务领域", "服务对象数", "接受督导", "继续教育学时", "持证津贴")
SIZES = (300, 210, 150, 100, 64, 40, 18)  # people by district, over all years
LEAVING = (0.16, 0.10, 0.06, 0.12, 0.05, 0.10, 0.08)  # a year, by district
KINDS = (("社区工作者", 0.72), ("机构社工", 0.2), ("禁毒社工", 0.06), ("驻校社工", 0.02))
LABELS = {"转行": "离开本行业", "调动": "调往其他区县", "晋升": "晋升调离", "退休": "退休", "其他": "未登记"}
REASONS = (("转行", 0.62), ("调动", 0.2), ("晋升", 0.08), ("退休", 0.03), ("其他", 0.07))
SURNAME, GIVEN = "甄", "珏珩珺琮琰瑭璟璩瓒昉昶晁晗晞煊焱熠燚"  # fictitious people all


@dataclass(frozen=True)
class Found:
    """A true count, the values that are left of it, and those left to one who knows every other count."""

    what: str
    name: str
    at: str
    true: int
    left: tuple[int, int]
    knowing: tuple[int, int]

    @property
    def told(self) -> bool:
        return self.left[0] == self.left[1]

    @property
    def number(self) -> int:
        return self.left[1] - self.left[0] + 1


def measure(*, large: bool, home: Path | None = None, code: Path = PROJECT) -> list[Bound]:
    """The attack on two whole quarters, of the city and its seven districts.

    Args:
        large: makes no difference.
        home: a project home with these runs, instead of making them: to see what an earlier version's briefs told.
        code: the checkout that makes them.
    """
    districts = areas.districts(CITY)
    register = people(SEED, [one.name_zh for one in districts])
    codes = [CITY, *(one.code for one in districts)]
    if home:
        return [*bounds(attack(home, register)), *bounds_of_tables(*attack_on_tables(home, codes, code))]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        write_project(home, code)
        more = others(SEED, register, list(QUARTERS))
        write_runs(home, register, codes, code, more=more, notebooks=EVERY)
        return [*bounds(attack(home, register)), *bounds_of_tables(*attack_on_tables(home, codes, code))]


def attack_on_tables(
    home: Path, codes: Sequence[str], code: Path = PROJECT
) -> tuple[list[attack_tables.Count], list[str]]:
    """The attack on the tables of the other notebooks, of a city (the first code) and of its districts.

    Returns:
        every true count of one to nine; rows of the pages that the attacker was not given.
    """
    shown = attack_tables.collected(home, codes, QUARTERS, environment(home, code), code)
    return attack_tables.attack(shown, codes[0], codes[1:]), attack_tables.not_given(read_pages(home), shown)


def bounds_of_tables(found: Sequence[attack_tables.Count], not_given: Sequence[str]) -> list[Bound]:
    """How many true counts behind each notebook's tables can be told, and how many values are left of the others."""
    lines = []
    for notebook in dict.fromkeys(one.series[0][:2] for one in found):
        small = [one for one in found if one.series[0].startswith(notebook)]
        told, fewest = sum(one.number == 1 for one in small), min(one.number for one in small)
        lines.append(Bound(f"tables of {notebook}: counts of 1 to 9 told exactly", told, 0, f"of {len(small)}", ""))
        few = sum(one.number < 3 for one in small)
        lines.append(Bound("  fewest values left", fewest, 3, "values", f"under three: {few} counts", least=True))
    return [*lines, Bound("rows of their pages that the attacker was not given", len(not_given), 0, "rows")]


def bounds(found: Sequence[Found]) -> list[Bound]:
    """How many true counts can be told, by kind of count, and how many values are left of the others."""
    lines = []
    for what in dict.fromkeys(one.what for one in found):
        small = [one for one in found if one.what == what and 1 <= one.true <= 9]
        if small:
            knowing = min(one.knowing[1] - one.knowing[0] + 1 for one in small)
            zeros = [one for one in found if one.what == what and one.true == 0]
            note = f"zeros told {sum(one.told for one in zeros)} of {len(zeros)}" if zeros else ""
            told, fewest = sum(one.told for one in small), min(one.number for one in small)
            lines.append(Bound(f"{what}: counts of 1 to 9 told exactly", told, 0, f"of {len(small)}", note))
            note = f"{knowing} to one who knows the other districts"
            lines.append(Bound("  fewest values left", fewest, 3, "values", note, least=True))
    return [*lines, Bound("single leavers read off curves or between quarters", len(singles(found)), 0, "leavers")]


def singles(found: Sequence[Found]) -> list[Found]:
    """The single leavers that can be told: of a tenure, of a reason, or of one quarter."""
    return [one for one in found if one.true == 1 and one.told and one.what in ALONE]


ALONE = ("left in a quarter", "left for a reason", "left at a tenure", "left at a tenure between quarters")


def people(seed: int, districts: Sequence[str]) -> pd.DataFrame:
    """A register with small groups: kinds of few people, districts with few leavers, rare reasons of leaving."""
    draw, rows = random.Random(seed), []
    for name, size, rate in zip(districts, SIZES, LEAVING, strict=False):
        for _ in range(size):
            serial = len(rows)
            born = date(1965, 1, 1) + timedelta(days=draw.randrange(35 * 365))
            digits = f"320612{born:%Y%m%d}{serial:03d}"
            entered = no_first(date(2019, 1, 1) + timedelta(days=draw.randrange(2520)))
            left = no_first(entered + timedelta(days=1 + int(draw.expovariate(rate / 365))))
            gone = left <= QUARTERS["2025Q4"]
            rows.append(
                (
                    SURNAME + GIVEN[serial % len(GIVEN)] + GIVEN[serial // len(GIVEN) % len(GIVEN)],
                    digits + identity.check_character(digits),
                    name,
                    f"{name}第{draw.randrange(1, 9)}社工站" if draw.random() > 0.015 else None,
                    one_of(draw, KINDS),
                    "男" if serial % 2 else "女",  # as the number says
                    draw.choice(("未持证", "助理", "中级")),
                    draw.randrange(3600, 9600, 100) if draw.random() > 0.02 else None,
                    entered,
                    left if gone else None,
                    one_of(draw, REASONS) if gone else None,
                )
            )
    return with_more(seed, pd.DataFrame(rows, columns=list(HEADERS)))


def with_more(seed: int, register: pd.DataFrame) -> pd.DataFrame:
    """With columns that other notebooks read, and the day since when each has the certificate."""
    draw = random.Random(seed + 2)
    drawn = [
        (
            draw.choice(("大专", "本科")),
            draw.choice(FIELDS),
            draw.randrange(15, 60),
            draw.choice(("是", "否")),
            draw.randrange(0, 60),
            draw.choice((0, 100, 300)),
            date(2019 + draw.randrange(7), 1 + draw.randrange(12), 20),
        )
        for _ in range(len(register))
    ]
    return register.assign(**dict(zip((*LATER, "持证日"), map(list, zip(*drawn, strict=True)), strict=True)))


def no_first(day: date) -> date:
    """The day, or the next one if a month begins with it: so that both quarters count a day in the same quarter."""
    return day + timedelta(days=1) if day.day == 1 else day


def one_of(draw: random.Random, shares: Sequence[tuple[str, float]]) -> str:
    """One of some words, by their shares."""
    words, weights = zip(*shares, strict=True)
    return draw.choices(words, weights)[0]


def as_known(register: pd.DataFrame, day: date) -> pd.DataFrame:
    """The register as an office would have it on a day: nobody who came, and no leaving that came, after it."""
    known = register[register["入职日期"] <= day].copy()
    later = known["离职日期"].notna() & (known["离职日期"].fillna(day) > day)
    known.loc[later, ["离职日期", "离职原因"]] = None
    known.loc[known["持证日"] > day, "级别"] = "未持证"
    return known


def write_project(home: Path, code: Path = PROJECT) -> None:
    """A project home with the demo's registers, the notebooks and the plan of some checkout."""
    home.mkdir(parents=True, exist_ok=True)
    shutil.copytree(code / "notebooks", home / "notebooks", ignore=shutil.ignore_patterns(".*"))
    (home / "papermill_runs").mkdir()
    shutil.copy(code / "papermill_runs" / "quarterly.toml", home / "papermill_runs")
    script = "import pathlib, sys; from institute_lib import demo; demo.write(pathlib.Path(sys.argv[1]))"
    python("-c", script, str(home / "data" / "demo"), home=home, code=code)


def write_runs(
    home: Path,
    register: pd.DataFrame,
    codes: Sequence[str],
    code: Path = PROJECT,
    *,
    more: dict[str, pd.DataFrame] | None = None,
    notebooks: Sequence[str] = NOTEBOOKS,
) -> None:
    """Import the workers and `more` registers as they were on each day, and run both quarters for some areas."""
    folder = home.parent / f"{home.name}-office"
    folder.mkdir(parents=True, exist_ok=True)
    command = ("-m", "institute_lib")
    python(*command, "key", "new", home=home, code=code)
    books = [(day, "workers", as_known(register, day)[[*HEADERS, *LATER]]) for day in (*OPENED, *QUARTERS.values())]
    for day, (name, table) in itertools.product(QUARTERS.values(), (more or {}).items()):
        when = next((table[one] for one in ("考试日期", "授予日期", "签约日期", "启用日期") if one in table), None)
        known = table["季度"] <= str(pd.Period(day, freq="Q")) if when is None else when <= day
        books.append((day, name, table[known]))
    for day, name, table in books:
        book, path = openpyxl.Workbook(), folder / f"{name}{day}.xlsx"
        for row in (table.columns, *table.astype(object).itertuples(index=False, name=None)):
            book.active.append([None if pd.isna(value) else value for value in row])
        book.save(path)
        python(*command, "import", str(path), "--table", name, "--as-of", str(day), home=home, code=code)
    for quarter in QUARTERS:
        asked = ("--areas", *codes, "--notebooks", *notebooks, "--log", "none")
        python(*command, "run", quarter, *asked, home=home, code=code)


def environment(home: Path, code: Path) -> dict[str, str]:
    """That of a process with a project home and the code of a checkout."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("INSTITUTE_")}
    key = home.parent / f"{home.name}-office" / "pseudonym.key"
    return given | {"INSTITUTE_HOME": str(home), "INSTITUTE_KEY_FILE": str(key), "PYTHONPATH": str(code)}


def python(*arguments: str, home: Path, code: Path) -> None:
    """A command in a process of its own, with the code of a checkout.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment(home, code),
        cwd=code,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments[:4])} ended with {done.returncode}: {done.stderr[-2000:]}")


# --- what was published, as lines of a program ------------------------------------------------------------------------

FIRST, STEP, TIES = pd.Period("2019Q1", freq="Q"), 0.25, 4  # TIES: so many may end their spell on one day of tenure
WHOLE = "合计"
RATE, LOW, HIGH, HEADS, STAY = "年离职率", "区间下限", "区间上限", "平均在职人数", "一年留任率"
BEFORE = {"上季度末年离职率": 1, "上年同期年离职率": 4}
TENURE, STAYING, AT_RISK, FILLED, REASON, GONE = "在职年数", "留任比例", "观察人数", "占比", "离职去向", "累积离开比例"


def number_of(quarter: str) -> int:
    """Quarters since the register opened."""
    return (pd.Period(quarter, freq="Q") - FIRST).n


class Heads:
    """Who came and left by district and quarter, and who stayed a year: what turnover and completeness tell."""

    def __init__(self, pages: Sequence[Page], districts: Sequence[str]) -> None:
        self.districts, self.last = list(districts), max(number_of(page.quarter) for page in pages)
        self.program = Program()
        for district in districts:
            for quarter in range(self.last + 1):
                self.program.variable(("came", district, quarter))
                self.program.variable(("left", district, quarter))
                self.program.know(self.present(district, quarter + 1), Interval())
        retention = [page for page in pages if page.notebook == NOTEBOOKS[1]]
        quality = [page for page in pages if page.notebook == NOTEBOOKS[0]]
        self.read = set()  # every brief of a quarter has the same table of districts
        for page in retention:
            self.read_turnover(page)
            self.read_history(page)
        for page in retention:
            self.read_stability(page)
        for page in quality:
            self.read_records(page)
        for page in quality:
            self.read_blanks(page)

    def of(self, name: str) -> list[str]:
        """The districts of an area."""
        return self.districts if name == WHOLE else [name]

    def present(self, name: str, quarter: int) -> dict:
        """Who is employed as a quarter begins."""
        return {(what, one, q): sign for one in self.of(name) for q in range(quarter) for what, sign in SIGNS}

    def leavers(self, name: str, quarter: int) -> dict:
        """Who left in the four quarters that end with one."""
        return {("left", one, q): 1 for one in self.of(name) for q in range(quarter - 3, quarter + 1)}

    def average(self, name: str, quarter: int) -> dict:
        """The mean of the five headcounts."""
        marks = [(quarter - 3 + i, weight / 4) for i, weight in enumerate((0.5, 1, 1, 1, 0.5))]
        return added(*((self.present(name, mark), weight) for mark, weight in marks))

    def stayed(self, name: str, quarter: int) -> dict:
        """Who was there when the four quarters began and still is when they end."""
        for one in self.of(name):
            if self.program.variable(key := ("stayed", one, quarter)) and key not in self.program.told:
                start, gone = self.present(one, quarter - 3), self.leavers(one, quarter)
                self.program.told.add(key)
                self.program.know(added((start, 1), ({key: 1}, -1)), Interval())
                self.program.know(added((start, -1), ({key: 1}, 1), (gone, 1)), Interval())
                self.program.know(added((self.present(one, quarter + 1), 1), ({key: 1}, -1)), Interval())
        return {("stayed", one, quarter): 1 for one in self.of(name)}

    def records(self, name: str, quarter: int) -> dict:
        """Who is on record."""
        return {("came", one, q): 1 for one in self.of(name) for q in range(quarter + 1)}

    def tell(self, top: dict, whole: dict, part: Part) -> None:
        self.program.know(top, part.top)
        self.program.know(whole, part.whole)
        self.program.know(added((whole, 1), (top, -1)), part.rest)

    def known_before(self, *figure: object) -> bool:
        """Whether a figure was read already; it is from now on."""
        known = figure in self.read
        self.read.add(figure)
        return known

    def read_turnover(self, page: Page) -> None:
        quarter = number_of(page.quarter)
        for row in page.table(RATE, HEADS).to_dict("records"):
            name = next(iter(row.values()))
            if self.known_before(page.quarter, *row.values()):
                continue
            coarse = name == WHOLE
            heads = count(row[HEADS], page.base, coarse=coarse)
            part = share(page, row[RATE], (row[LOW], row[HIGH]), whole=heads, coarse=coarse)
            self.program.know(self.average(name, quarter), heads)
            self.tell(self.leavers(name, quarter), self.average(name, quarter), part)
            for head, back in BEFORE.items():
                if head in row:
                    part = share(page, row[head], coarse=coarse, exact=NOT_DRAWN)
                    self.tell(self.leavers(name, quarter - back), self.average(name, quarter - back), part)

    def read_history(self, page: Page) -> None:
        name = area_name(page.area)
        for row in page.table("季度", RATE).to_dict("records"):
            quarter = number_of(quarter_of(row["季度"]))
            part = share(page, row[RATE], (row[LOW], row[HIGH]))
            self.tell(self.leavers(name, quarter), self.average(name, quarter), part)

    def read_stability(self, page: Page) -> None:
        quarter, own = number_of(page.quarter), area_name(page.area)
        rows = [(next(iter(row.values())), row[STAY], NOT_DRAWN) for row in page.table(RATE, STAY).to_dict("records")]
        if "stability" in page.beside:
            rows.append((own, f"{page.beside['stability']:.1%}", np.array([page.beside["stability"]])))
        for name, text, exact in rows:
            if self.known_before(page.quarter, STAY, name, text, len(exact)):
                continue
            start, coarse = self.present(name, quarter - 3), name == WHOLE
            known = self.program.between(start)
            part = share(page, text, whole=known, method="", coarse=coarse, exact=exact)
            self.tell(self.stayed(name, quarter), start, part)
        for key, back in (("turnover_last_quarter", 1), ("turnover_last_year", 4)):
            if key in page.beside:
                whole = self.average(own, quarter - back)
                known = self.program.between(whole)
                exact = np.array([page.beside[key]])
                part = share(page, f"{exact[0]:.1%}", whole=known, coarse=own == WHOLE, exact=exact)
                self.tell(self.leavers(own, quarter - back), whole, part)

    def read_records(self, page: Page) -> None:
        for row in page.table("数据表", "记录数").to_dict("records"):
            if row["数据表"] == "从业人员登记":
                self.program.know(self.records(WHOLE, number_of(page.quarter)), count(row["记录数"], page.base))

    def read_blanks(self, page: Page) -> None:
        quarter, name = number_of(page.quarter), area_name(page.area)
        for one in self.of(name):
            blank = self.program.variable(("blank", one, quarter))
            self.program.know(added((self.records(one, quarter), 1), ({blank: 1}, -1)), Interval())
            if ("blank", one, quarter - 1) in self.program.place:
                self.program.know({blank: 1, ("blank", one, quarter - 1): -1}, Interval())
        for row in page.table("列", FILLED).to_dict("records"):
            if row["列"].startswith("社工站"):
                rows = self.records(name, quarter)
                known = self.program.between(rows)
                filled = added((rows, 1), (self.blanks(name, quarter), -1))
                self.tell(filled, rows, share(page, row[FILLED], whole=known, method=""))

    def blanks(self, name: str, quarter: int) -> dict:
        return {("blank", one, quarter): 1 for one in self.of(name)}


NOT_DRAWN = np.array([])
SIGNS = (("came", 1), ("left", -1))


def added(*parts: tuple[dict, float]) -> dict:
    """A sum of sums, each times a factor."""
    found: dict = {}
    for terms, factor in parts:
        for key, value in terms.items():
            found[key] = found.get(key, 0) + factor * value
    return {key: value for key, value in found.items() if value}


def area_name(code: str) -> str:
    return WHOLE if code == CITY else areas.get(code).name_zh


def quarter_of(words: str) -> str:
    """2025Q3 of 2025年三季度."""
    return f"{words[:4]}Q{'一二三四'.index(words[words.index('年') + 1]) + 1}"


class Curves:
    """Who left at which tenure, of one kind, by district and in both quarters: what the curves tell."""

    def __init__(self, pages: Sequence[Page], kind: str, districts: Sequence[str], most: dict) -> None:
        self.program, self.kind, self.districts = Program(), kind, list(districts)
        pages = [page for page in pages if page.notebook == NOTEBOOKS[1]]
        points = [float(x) for page in pages for x in page.table(TENURE, AT_RISK)[TENURE]]
        self.times = [STEP * i for i in range(1, round(max(points) / STEP) + 1)]
        self.quarters = sorted({page.quarter for page in pages})
        for quarter in self.quarters:
            for one in districts:
                self.program.variable(("risk", one, 0, quarter), 0, most[one, quarter])
                for i, _ in enumerate(self.times, 1):
                    gone = self.program.variable(("gone", one, i, quarter))
                    here = self.program.variable(("risk", one, i, quarter))
                    before = ("risk", one, i - 1, quarter)
                    self.program.know({before: 1, here: -1, gone: -1}, Interval())
        for earlier, later in itertools.pairwise(self.quarters):
            for what, one, i, quarter in list(self.program.place):
                if quarter == later and (what == "gone" or i == 0):
                    self.program.know({(what, one, i, later): 1, (what, one, i, earlier): -1}, Interval())
        for page in pages:
            self.read(page)

    def of(self, name: str) -> list[str]:
        return self.districts if name == WHOLE else [name]

    def at(self, what: str, name: str, i: int, quarter: str) -> dict:
        return {(what, one, i, quarter): 1 for one in self.of(name)}

    def read(self, page: Page) -> None:
        name, quarter, program = area_name(page.area), page.quarter, self.program
        table = page.table(TENURE, AT_RISK, STAYING)
        rows = {
            round(float(row[TENURE]) / STEP): row
            for row in table.to_dict("records")
            if next(iter(row.values())) == self.kind
        }
        if not rows:
            return
        risk = {0: Interval(0, sum(program.high[program.place["risk", one, 0, quarter]] for one in self.of(name)))}
        steps = {("hazard", name, 0, quarter): (0.0, 0.0), ("variance", name, 0, quarter): (0.0, 0.0)}
        for key, (low, high) in steps.items():
            program.variable(key, low, high, whole=False)
        program.know(self.at("risk", name, 0, quarter), Interval(1, MOST))
        for i in sorted(rows):
            row = rows[i]
            seen = count(row[AT_RISK], page.base)
            if i == 0:
                program.know(self.at("risk", name, 0, quarter), seen)
                risk[0] = risk[0] & seen
                continue
            risk[i] = Interval(max(0, seen.low - TIES), seen.high)
            program.know(self.at("risk", name, i, quarter), risk[i])
            self.read_point(page, name, i, rows=rows, risk=risk)
        if page.base == 5:  # hidden points stand in the table too: the last one is where the longest spell ends
            last = max(rows)
            program.know(self.at("risk", name, last - 1, quarter), Interval(1, MOST))
            if last + 1 <= len(self.times):
                program.know(self.at("risk", name, last + 1, quarter), Interval(0, 0))

    def read_point(self, page: Page, name: str, i: int, *, rows: dict, risk: dict) -> None:
        program, quarter, row = self.program, page.quarter, rows[i]
        hazard = program.variable(("hazard", name, i, quarter), 0, 50, whole=False)
        variance = program.variable(("variance", name, i, quarter), 0, 50, whole=False)
        was, wide = ("hazard", name, i - 1, quarter), ("variance", name, i - 1, quarter)
        if was in program.place and i - 1 in risk:
            most, least = max(risk[i - 1].high, 2), max(risk[i].low + 1, 1)
            gone = self.at("gone", name, i, quarter)
            steps = added(({hazard: 1}, 1), ({was: 1}, -1))
            program.know(added((steps, 1), (gone, math.log1p(-1 / most))), Interval(0, MOST))
            if least >= 2:
                program.know(added((steps, -1), (gone, -math.log1p(-1 / least))), Interval(0, MOST))
            steps = added(({variance: 1}, 1), ({wide: 1}, -1))
            program.know(added((steps, 1), (gone, -1 / (most * (most - 1)))), Interval(0, MOST))
            if least >= 2:
                program.know(added((steps, -1), (gone, 1 / (least * (least - 1)))), Interval(0, MOST))
        text = row[STAYING]
        if text in HIDDEN:
            return
        if page.base == 1:
            value = page.points.get((self.kind, round(i * STEP, 4)), float(text))
            program.know({hazard: 1}, Interval(-math.log(value + 1e-9), -math.log(max(value - 1e-9, 1e-9))))
            return
        if text.startswith(">"):
            fewest = share(page, text).whole
            program.know({hazard: 1}, Interval(0, -math.log(max(1 - 10 / fewest.low, 1e-3))))
            program.know(self.at("risk", name, i, quarter), Interval(max(0, fewest.low - TIES), fewest.high))
            return
        flat = i - 1 in rows and text == rows[i - 1][STAYING]  # a curve never rises: this may be the point before it
        part = share(page, text, (row[LOW], row[HIGH]), method="effective")
        if not part.whole.high < MOST:
            return
        if flat:
            value = float(text.rstrip("%")) / 100
            program.know({hazard: 1}, Interval(0, -math.log(value - 2.5 * (1 + value) / (0.7 * part.whole.low))))
            return
        low, high = part.top.low / part.whole.high, min(1.0, part.top.high / part.whole.low)
        least, top = -math.log(high), -math.log(low)
        program.know({hazard: 1}, Interval(least, top))
        slope = (math.expm1(top) - math.expm1(least)) / (top - least)
        program.know({variance: -1, hazard: slope / part.whole.low},
                     Interval((slope * least - math.expm1(least)) / part.whole.low, MOST))  # fmt: skip
        middle = (least + top) / 2
        program.know({variance: 1, hazard: -math.exp(middle) / part.whole.high},
                     Interval((math.expm1(middle) - middle * math.exp(middle)) / part.whole.high, MOST))  # fmt: skip


class Reasons:
    """Who left for which reason within three years, by district and in both quarters: what the ways out tell."""

    def __init__(self, pages: Sequence[Page], districts: Sequence[str], most: dict) -> None:
        self.program, self.districts, self.most = Program(), list(districts), most
        pages = [page for page in pages if page.notebook == NOTEBOOKS[1]]
        self.quarters = sorted({page.quarter for page in pages})
        self.reasons = list(dict.fromkeys(word for page in pages for word in page.table(REASON, GONE)[REASON]))
        for quarter, reason, one in itertools.product(self.quarters, self.reasons, districts):
            key = self.program.variable(("reason", one, reason, quarter))
            if quarter != self.quarters[0]:
                self.program.know({key: 1, ("reason", one, reason, self.quarters[0]): -1}, Interval())
        for page in pages:
            self.read(page)

    def at(self, name: str, reason: str, quarter: str) -> dict:
        return {("reason", one, reason, quarter): 1 for one in (self.districts if name == WHOLE else [name])}

    def read(self, page: Page) -> None:
        """Each leaver adds the share that had stayed, over those at risk, to the incidence of a reason."""
        name, table = area_name(page.area), page.table(REASON, GONE)
        people = sum(self.most[one, page.quarter] for one in (self.districts if name == WHOLE else [name]))
        curves = page.table(TENURE, AT_RISK)
        late = [count(row[AT_RISK], page.base) for row in curves.to_dict("records") if float(row[TENURE]) == 3]
        fewest = max(1.0, sum(one.low for one in late) - TIES)
        shares = {row[REASON]: incidence(page, row[GONE], (row[LOW], row[HIGH])) for row in table.to_dict("records")}
        stays = max(0.0, 1 - sum(one.high for one in shares.values()))
        for reason, one in shares.items():
            terms = self.at(name, reason, page.quarter)
            high = one.high * people / stays if stays else MOST
            self.program.know(terms, Interval(one.low * fewest, min(MOST, high)))


def incidence(page: Page, text: str, ends: tuple[str, str]) -> Interval:
    """What a cumulative incidence is between."""
    if text in HIDDEN:
        return Interval(0, 1)
    if page.base == 1:
        values = page.exact(text)
        return Interval(values.min() - 1e-9, values.max() + 1e-9)
    part = share(page, text, ends, method="effective")
    return Interval(part.top.low / part.whole.high, min(1.0, part.top.high / max(part.whole.low, 1)))


# --- the truth, and what is left of it --------------------------------------------------------------------------------


def true_heads(register: pd.DataFrame, heads: Heads) -> dict:
    """The true value of every variable of `Heads`."""
    came = register.groupby(["区", quarters_of(register["入职日期"])]).size()
    left = register.dropna(subset="离职日期").groupby(["区", quarters_of(register["离职日期"])]).size()
    truth = {}
    for what, name, quarter in heads.program.place:
        if what in ("came", "left"):
            truth[what, name, quarter] = int({"came": came, "left": left}[what].get((name, quarter), 0))
        elif what == "stayed":
            here = register[register["区"] == name]
            was = quarters_of(here["入职日期"]) < quarter - 3
            truth[what, name, quarter] = int((was & ~(quarters_of(here["离职日期"]) <= quarter)).sum())
        else:
            known = as_known(register, QUARTERS[str(FIRST + quarter)])
            truth[what, name, quarter] = int((known["区"].eq(name) & known["社工站"].isna()).sum())
    return truth


def quarters_of(days: pd.Series) -> pd.Series:
    """The quarter of the day before each: a quarter's count runs up to the first day of the next."""
    before = (pd.to_datetime(days) - pd.Timedelta(days=1)).dt.to_period("Q")
    return before.map(lambda one: (one - FIRST).n if pd.notna(one) else math.nan)


def true_curves(register: pd.DataFrame, curves: Curves) -> dict:
    """The true value of every variable of `Curves`."""
    spells = {}
    for quarter, name in itertools.product(curves.quarters, [*curves.districts, WHOLE]):
        known = as_known(register, QUARTERS[quarter])
        known = known[(known["人员类别"] == curves.kind) & known["区"].isin(curves.of(name))]
        close = pd.Timestamp(QUARTERS[quarter]) + pd.Timedelta(days=1)
        ends = pd.to_datetime(known["离职日期"]).fillna(close)
        years = ((ends - pd.to_datetime(known["入职日期"])).dt.days / 365.25).to_numpy()
        spells[name, quarter] = (years, *increments(years, known["离职日期"].notna().to_numpy()))
    truth = {}
    for what, name, i, quarter in curves.program.place:
        years, times, gone, hazard, variance = spells[name, quarter]
        at, before = i * STEP + 1e-9, (i - 1) * STEP + 1e-9
        if what == "risk":
            truth[what, name, i, quarter] = int((years > at).sum()) if i else len(years)
        elif what == "gone":
            truth[what, name, i, quarter] = int(gone[(times > before) & (times <= at)].sum())
        else:
            truth[what, name, i, quarter] = float({"hazard": hazard, "variance": variance}[what][times <= at].sum())
    return truth


def increments(years: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, ...]:
    """When people left, how many then, and the steps of the log of a curve and of its variance (Greenwood)."""
    times, gone = np.unique(years[left], return_counts=True)
    risk = (years[None, :] >= times[:, None]).sum(axis=1)
    last = gone == risk  # the curve ends at zero
    stay = np.where(last, 1, risk - gone)
    hazard = np.where(last, EMPTIED, -np.log(stay / risk))
    return times, gone, hazard, np.where(last, EMPTIED, gone / (risk * stay))


EMPTIED = 30.0


def true_reasons(register: pd.DataFrame, reasons: Reasons) -> dict:
    """The true value of every variable of `Reasons`."""
    truth = {}
    for key in reasons.program.place:
        _, name, reason, quarter = key
        here = as_known(register, QUARTERS[quarter])
        years = (pd.to_datetime(here["离职日期"]) - pd.to_datetime(here["入职日期"])).dt.days / 365.25
        words = here["离职原因"].map(LABELS)
        truth[key] = int((here["区"].eq(name) & words.eq(reason) & (years <= 3)).sum())
    return truth


def attack(home: Path, register: pd.DataFrame) -> list[Found]:
    """Every true count from 0 to 9 of the made register with what a recipient can tell of it.

    Raises:
        RuntimeError: a figure was read wrongly, so that the truth does not fit what was read.
    """
    pages = read_pages(home)
    districts = list(register["区"].unique())
    heads = Heads(pages, districts)
    truth = true_heads(register, heads)
    check(heads.program, truth)
    found = attack_heads(heads, truth)
    most = {
        (one, quarter): math.floor(heads.program.between(heads.records(one, number_of(quarter))).high + 1e-6)
        for one in districts
        for quarter in QUARTERS
    }
    reasons = Reasons(pages, districts, most)
    truth = true_reasons(register, reasons)
    check(reasons.program, truth)
    asked = itertools.product(reasons.quarters, [*districts, WHOLE], reasons.reasons)
    placed = [("left for a reason", name, f"{word} {q}", reasons.at(name, word, q)) for q, name, word in asked]
    found += answered(reasons.program, truth, placed)
    for kind, _ in KINDS:
        curves = Curves(pages, kind, districts, most)
        truth = true_curves(register, curves)
        check(curves.program, truth)
        found += attack_curves(curves, truth)
    return found


def check(program: Program, truth: dict) -> None:
    """
    Raises:
        RuntimeError: the truth does not fit what was read.
    """
    if broken := program.broken(truth):
        raise RuntimeError(f"{len(broken)} figures were read wrongly, such as {'; '.join(broken[:5])}")


def attack_heads(heads: Heads, truth: dict) -> list[Found]:
    names, last = [*heads.districts, WHOLE], heads.last
    asked = [
        (what, name, quarter, terms(name, quarter))
        for name in names
        for quarter in range(3, last + 1)
        for what, terms in (
            ("left in four quarters", heads.leavers),
            ("left in a quarter", lambda name, q: {("left", one, q): 1 for one in heads.of(name)}),
        )
    ]
    for name in names:
        asked += [("no station", name, q, heads.blanks(name, q)) for q in map(number_of, QUARTERS)]
        gone = added((heads.present(name, last - 3), 1), (heads.stayed(name, last), -1))
        asked.append(("left of those there a year ago", name, last, gone))
    placed = [(what, name, str(FIRST + quarter), terms) for what, name, quarter, terms in asked]
    return answered(heads.program, truth, placed)


def answered(program: Program, truth: dict, asked: Sequence[tuple[str, str, str, dict]]) -> list[Found]:
    """What is left of the true counts up to nine, and what to one who knows all of the other districts."""
    asked = [(*one, round(sum(truth[key] * factor for key, factor in one[3].items()))) for one in asked]
    asked = [one for one in asked if one[4] <= 9 and (one[4] or one[0] not in ZEROS_ASIDE)]
    left = program.survey([one[3] for one in asked])
    knowing: dict[int, tuple[int, int]] = dict(enumerate(left))
    for name in dict.fromkeys(one[1] for one in asked if one[1] != WHOLE):
        places = [place for place, one in enumerate(asked) if one[1] == name]
        others = {key: value for key, value in truth.items() if key[0] in COUNTED and key[1] != name}
        knowing |= dict(zip(places, program.survey([asked[one][3] for one in places], others), strict=True))
    return [Found(*one[:3], one[4], left[place], knowing[place]) for place, one in enumerate(asked)]


ZEROS_ASIDE = ("left at a tenure", "left at a tenure between quarters")  # a thousand of them, which may be told
COUNTED = ("came", "left", "stayed", "blank", "gone", "risk", "reason")


def attack_curves(curves: Curves, truth: dict) -> list[Found]:
    asked = []
    for quarter, name in itertools.product(curves.quarters, [*curves.districts, WHOLE]):
        if sum(truth[key] for key in curves.at("risk", name, 0, quarter)):
            asked.append(("people of a kind", name, f"{curves.kind} {quarter}", curves.at("risk", name, 0, quarter)))
            asked += [
                ("left at a tenure", name, f"{curves.kind} {quarter} {i * STEP:g}", curves.at("gone", name, i, quarter))
                for i in range(1, len(curves.times) + 1)
            ]
    first, last = curves.quarters[0], curves.quarters[-1]
    for name, i in itertools.product([*curves.districts, WHOLE], range(1, len(curves.times) + 1)):
        more = added((curves.at("gone", name, i, last), 1), (curves.at("gone", name, i, first), -1))
        asked.append(("left at a tenure between quarters", name, f"{curves.kind} {i * STEP:g}", more))
    return answered(curves.program, truth, asked)
