"""A register of one's own: from an office's workbook through the command line to the briefs and out of the house."""

import hashlib
import json
import os
import random
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from institute_lib import areas, runs, tables, terms
from institute_lib.registers import identity
from tests.rows import fives

CITY, QUARTER, LAST_DAY, YEAR_BEFORE = "320600", "2025Q4", date(2025, 12, 31), date(2024, 12, 31)
HEADERS = ["姓名", "身份证号", "手机", "区", "社工站", "级别", "月薪", "入职日期", "离职日期"]
PEOPLE, SEED = 980, 20251231  # enough that ten and more leave each district in a year: fewer are not shown
SURNAME, GIVEN = "甄", "珏珩珺琮琰瑭璟璩瓒昉昶晁晗晞煊焱熠燚"  # fictitious people all, of one rare surname
PERSONAL = tuple(map(re.compile, (f"{SURNAME}[{GIVEN}]{{2}}", r"(?=(\d{17}[\dX]))", r"(?=(1[3-9]\d{9}))")))
ESCAPE = re.compile(r"\\u([0-9a-f]{4})")
OWN = ("01_data_quality", "03_retention_drivers")  # what stands on the workers' register alone


def a_person(draw: random.Random, serial: int, district: str) -> list[object]:
    """One row of the workbook; people leave more often the less they are paid."""
    born = date(1965, 1, 1) + timedelta(days=draw.randrange(35 * 365))
    digits = f"3206{draw.choice(['12', '13', '14', '23', '81', '82', '85'])}{born:%Y%m%d}{serial:03d}"
    entered = date(2019, 1, 1) + timedelta(days=draw.randrange(365 * 6 + 180))
    level = draw.choice(["未持证", "未持证", "助理", "助理", "中级", "高级"])
    pay = draw.randrange(3600, 9600, 100)
    left = entered + timedelta(days=1 + int(draw.expovariate(1 / (200 + pay / 6))))
    return [
        SURNAME + GIVEN[serial % len(GIVEN)] + GIVEN[serial // len(GIVEN) % len(GIVEN)],
        digits + identity.check_character(digits),
        f"139{draw.randrange(10**8):08d}",
        district,
        f"{district}第{draw.randrange(1, 9)}社工站" if serial % 9 else None,
        level,
        pay if serial % 12 else None,
        entered,
        left if left <= LAST_DAY else None,
    ]


def known_on(row: list[object], day: date) -> list[object]:
    """A row as the office wrote it on an earlier day."""
    return [*row[:-1], row[-1] if row[-1] and row[-1] <= day else None]


@dataclass(frozen=True)
class Office:
    """An office's workbook, its people, and what the command line said."""

    workbook: Path
    home: Path
    key: Path
    people: pd.DataFrame
    said: str

    @property
    def secrets(self) -> set[str]:
        return {str(value) for column in HEADERS[:3] for value in self.people[column]}


def institute(*arguments: str, home: Path, key: Path, more: dict[str, str] | None = None, status: int = 0) -> str:
    """The command as a user types it, in a process of its own; what it said."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("INSTITUTE_")}
    done = subprocess.run(
        [sys.executable, "-m", "institute_lib", *arguments],
        env=given | {"INSTITUTE_HOME": str(home), "INSTITUTE_KEY_FILE": str(key)} | (more or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def office(workshop, tmp_path_factory) -> Office:
    """A home with the demo's registers, in which an office has imported two states of its own register of workers."""
    home, folder = workshop.home("own"), tmp_path_factory.mktemp("office")
    key, workbook = folder / "keys" / "pseudonym.key", folder / "花名册.xlsx"
    draw = random.Random(SEED)
    districts = [district.name_zh for district in areas.districts(CITY)]
    rows = [a_person(draw, serial, districts[serial % len(districts)]) for serial in range(PEOPLE)]
    said = institute("key", "new", home=home, key=key)
    for day in (YEAR_BEFORE, LAST_DAY):
        book = openpyxl.Workbook()
        book.active.append([f"社会工作从业人员登记表（截至{day}）"])
        for row in (HEADERS, *(known_on(row, day) for row in rows if row[-2] <= day)):
            book.active.append(row)
        book.save(workbook)
        said += institute("import", str(workbook), home=home, key=key)
    return Office(workbook, home, key, pd.DataFrame(rows, columns=HEADERS), said)


@pytest.fixture(scope="module")
def run(workshop, office):
    """What stands on the workers' register alone, for the city: no demo stands in for the other tables."""
    return workshop.run(office.home, areas=(CITY,), notebooks=OWN)


def turnover(people: pd.DataFrame) -> float:
    """Leavers of 2025 over the average of the five headcounts, from the workbook, each rounded as it is shown."""
    entered, left = (pd.to_datetime(people[column]) for column in HEADERS[-2:])
    days = [pd.Timestamp(day) for day in ("2025-01-01", "2025-04-01", "2025-07-01", "2025-10-01", "2026-01-01")]
    heads = [int(((entered <= day) & ~(left <= day)).sum()) for day in days]
    leavers = int(((left > days[0]) & (left <= days[-1])).sum())
    return fives(leavers) / fives((heads[0] / 2 + sum(heads[1:-1]) + heads[-1] / 2) / 4)


def shown(share: str) -> float:
    return float(share.rstrip("%")) / 100


def test_what_stands_on_an_imported_register_succeeds(run):
    summary = json.loads((run.folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["failures"] == []
    assert {name: n for name, n in summary["counts"].items() if n} == {"done": len(run.notebooks)}


def test_the_register_takes_the_place_of_the_demos(office):
    loaded = tables.load("workers", str(LAST_DAY), root=office.home)
    assert (loaded.attrs["source"], loaded.attrs["snapshot"], len(loaded)) == ("register", str(LAST_DAY), PEOPLE)
    counts = office.people["区"].map(lambda name: areas.get(name).code).value_counts().to_dict()
    assert loaded["district"].value_counts().to_dict() == counts


def test_turnover_of_city_and_districts_is_that_of_the_workbook(run, office):
    result = run.result("03_retention_drivers", CITY)
    assert result["numbers"]["turnover"] == pytest.approx(turnover(office.people))
    table = run.tables("03_retention_drivers", CITY)[terms.text("notebooks.turnover_table", "zh")]
    printed = dict(zip(table.iloc[:, 0], table[terms.label("turnover", "zh")].map(shown), strict=True))
    expected = {name: turnover(people) for name, people in office.people.groupby("区")}
    assert {name: printed[name] for name in expected} == pytest.approx(expected, abs=0.0005)


def test_how_complete_the_register_is_is_counted_on_the_workbook(run, office):
    table = run.tables("01_data_quality", CITY)[terms.text("notebooks.filled_table", "zh")]
    printed = dict(zip(table.iloc[:, 0], table.iloc[:, 1], strict=True))
    filled = fives(office.people["社工站"].notna().sum()) / fives(len(office.people))
    assert shown(printed[terms.label("station", "zh")]) == pytest.approx(filled, abs=0.0005)
    assert printed[terms.label("kind", "zh")].startswith("<")  # nobody's kind is recorded
    numbers = run.result("01_data_quality", CITY)["numbers"]
    assert (numbers["faults"], numbers["reported"]) == (0, 7)


def test_what_the_office_records_becomes_a_driver_and_what_it_does_not_is_named(run):
    notebook = "03_retention_drivers"
    drivers = run.tables(notebook, CITY)[terms.text("notebooks.drivers", "zh")].iloc[:, 0]
    page = run.page(notebook, CITY).get_text()
    assert {terms.label(name, "zh") for name in ("monthly_pay_band", "gender")} <= set(drivers)
    for unrecorded in ("education", "contract", "caseload_band"):
        assert (
            terms.text(
                "retention.driver_constant",
                "zh",
                driver=terms.label(unrecorded, "zh"),
                value=terms.label("unknown", "zh"),
            )
            in page
        )


def test_a_brief_on_the_institutes_own_register_does_not_call_itself_a_demo(run):
    assert "演示" not in run.page("03_retention_drivers", CITY).get_text()
    assert [run.result(notebook, CITY)["demo"] for notebook in OWN] == [False, False]


def unescaped(text: str) -> str:
    """JSON may write Chinese as escapes."""
    return ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


def written(home: Path) -> dict[str, str]:
    """Everything that an import and a run left in a project home, as text; the demo's tables are no one's register."""
    files = [path for path in home.rglob("*") if path.is_file() and "demo" not in path.parts]
    return {
        str(path): pd.read_parquet(path).to_csv()
        if path.suffix == ".parquet"
        else unescaped(path.read_text(encoding="utf-8", errors="replace"))
        for path in files
    }


def test_no_name_number_or_phone_stands_in_anything_that_was_written(run, office):
    texts = written(office.home) | {"standard output": office.said}
    assert len(texts) > 20
    found = {(place, secret) for place, text in texts.items() for form in PERSONAL for secret in form.findall(text)} & {
        (place, secret) for place in texts for secret in office.secrets
    }
    assert found == set()
    assert [place for place, text in texts.items() if office.key.read_text().strip() in text] == []


def test_a_second_run_finds_everything_current(office, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(office.home))
    states = {one.state for one in runs.status(quarter=QUARTER, areas=[CITY], notebooks=OWN)}
    assert states == {"current"}


# --- what of it may leave the house -----------------------------------------------------------------------------------


def at_account(name: str, key: Path) -> dict[str, str]:
    """The variables of another person's account."""
    return {"LOGNAME": name, "INSTITUTE_PERSON_KEY_FILE": str(key.with_name(f"{name}.key"))}


@dataclass(frozen=True)
class Release:
    """What the commands of two people said, the folder of what left, and its record."""

    said: str
    folder: Path
    record: dict


@pytest.fixture(scope="module")
def released(run, office) -> Release:
    said = ""
    for name in ("wang", "li"):
        institute("key", "person", home=office.home, key=office.key, more=at_account(name, office.key))
    for name, command in (("wang", ("release", QUARTER)), ("li", ("approve", f"{QUARTER}-1"))):
        said += institute(*command, home=office.home, key=office.key, more=at_account(name, office.key))
    record = json.loads((run.folder.parent / "releases" / f"{QUARTER}-1.json").read_text(encoding="utf-8"))
    return Release(said, run.folder / "released" / f"{QUARTER}-1", record)


def test_briefs_on_the_institutes_own_register_leave(run, released):
    left = {path.parent.relative_to(released.folder).as_posix() for path in released.folder.rglob("brief.html")}
    assert left == {f"{notebook}/{CITY}" for notebook in OWN}
    assert [one["brief"] for one in released.record["request"]["briefs"] if not one["leaves"]] == []


def test_the_record_says_what_left_by_whom_and_verifies(run, released, office):
    by = (released.record["request"]["by"]["account"], released.record["by"]["account"])
    assert by == ("wang", "li")
    for one in released.record["request"]["briefs"]:
        if one["leaves"]:
            page = released.folder / one["brief"] / "brief.html"
            assert hashlib.sha256(page.read_bytes()).hexdigest() == one["sha256"]
    said = institute("release", "--verify", home=office.home, key=office.key, more=at_account("li", office.key))
    assert terms.text("release.all_well", "zh", n=1) in said


@pytest.mark.parametrize("notebook", OWN)
def test_what_left_is_one_file_under_its_policy_with_nobody_in_it_and_no_boundary(released, office, notebook):
    page = (released.folder / notebook / CITY / "brief.html").read_text(encoding="utf-8")
    assert "default-src &#39;none&#39;" in page
    assert "&#39;self&#39;" not in page
    assert f"可公开 · 放行 {QUARTER}-1" in page
    assert not any(terms.text("maps.stamp", language) in page for language in terms.LANGUAGES)
    assert not any(secret in page for secret in office.secrets)
