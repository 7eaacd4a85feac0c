"""What a job read, and whether it is still the same."""

import os
import time

import pandas as pd
import pytest

from institute_lib import areas, tables
from institute_lib.runs import contents
from institute_lib.sharing import READS_VARIABLE, Read, noted
from institute_lib.tables.files import load_own
from tests import offices
from tests.rows import WORKER

LAST_DAY = "2025-12-31"
DISTRICTS = ("320612", "320613")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    monkeypatch.setenv(READS_VARIABLE, str(tmp_path / "reads.jsonl"))
    write_workers(tmp_path)
    write_reporting(tmp_path)
    return tmp_path


def write_workers(home, *further, folder="demo", name="workers.parquet"):
    place = home / "data" / folder
    place.mkdir(parents=True, exist_ok=True)
    rows = [WORKER, *(WORKER | {"worker_id": f"w{number}"} | row for number, row in enumerate(further, start=2))]
    pd.DataFrame(rows).to_parquet(place / name)


def write_reporting(home, *late):
    quarters = ("2025Q3", "2025Q4", "2026Q1")
    rows = [(code, quarter, (code, quarter) not in late) for code in DISTRICTS for quarter in quarters]
    frame = pd.DataFrame(rows, columns=["district", "quarter", "reported"])
    frame.to_parquet(home / "data" / "demo" / "reporting.parquet")


def hash_of(read: Read) -> str:
    return contents.hashed([read])[0]["hash"]


def test_a_row_that_became_known_after_the_quarter_leaves_its_table_as_it_was(home):
    before = contents.table_hash("workers", LAST_DAY)
    write_workers(home, {"entered": pd.Timestamp("2026-02-01")})
    assert contents.table_hash("workers", LAST_DAY) == before
    assert contents.table_hash("workers", "2026-03-31") != before


def test_a_leaver_of_the_next_quarter_had_not_left_in_this_one(home):
    before = contents.table_hash("workers", LAST_DAY)
    row = pd.DataFrame([WORKER | {"left": pd.Timestamp("2026-01-15"), "leave_reason": "left_field"}])
    row.to_parquet(home / "data" / "demo" / "workers.parquet")
    assert contents.table_hash("workers", LAST_DAY) == before


def test_a_row_that_was_known_in_the_quarter_changes_its_table(home):
    before = contents.table_hash("workers", LAST_DAY)
    write_workers(home, {"entered": pd.Timestamp("2025-11-01")})
    assert contents.table_hash("workers", LAST_DAY) != before


def test_the_same_rows_as_a_register_are_another_source(home):
    before = contents.table_hash("workers", LAST_DAY)
    offices.keep(home, "workers", pd.DataFrame([WORKER]), LAST_DAY)
    assert contents.table_hash("workers", LAST_DAY) != before
    assert hash_of(Read("sources", "workers")) == "register"


def test_a_table_that_was_hashed_is_not_read_again(home, monkeypatch):
    found = contents.table_hash("workers", LAST_DAY)

    def read_again(*_given):
        raise AssertionError("the table was read again")

    monkeypatch.setattr(tables, "load", read_again)
    assert contents.table_hash("workers", LAST_DAY) == found


def test_who_has_reported_depends_on_the_districts_asked_about_alone(home):
    asked = Read("reports", "2025Q4", LAST_DAY, ("320613",))
    before = hash_of(asked)
    write_reporting(home, ("320612", "2025Q4"), ("320613", "2026Q1"))
    assert hash_of(asked) == before
    write_reporting(home, ("320613", "2025Q4"))
    assert hash_of(asked) == "late: 320613"


def test_a_faulty_table_counts_by_its_file_and_a_missing_one_as_absent(home):
    write_workers(home, {"gender": "unbekannt"})
    faulty = hash_of(Read("tables", "workers", LAST_DAY))
    write_workers(home, {"gender": "sconosciuto"})
    assert hash_of(Read("tables", "workers", LAST_DAY)) not in (faulty, contents.ABSENT)
    assert hash_of(Read("tables", "exams", LAST_DAY)) == contents.ABSENT
    assert hash_of(Read("files", str(home / "absent.csv"))) == contents.ABSENT


def test_what_was_changed_while_the_job_ran_never_counts_as_current(home):
    begun = time.time() - 60
    os.utime(home / "data" / "demo" / "workers.parquet", (begun - 60, begun - 60))  # as a copy that keeps its time
    found = contents.hashed([Read("tables", "workers", LAST_DAY)], since=begun)[0]["hash"]
    assert found == contents.CHANGED
    assert contents.hashed([Read("tables", "workers", LAST_DAY)], since=time.time() + 1)[0]["hash"] != found


def test_whatever_is_loaded_is_noted_with_its_day(home):
    (home / "panel.csv").write_text("unit,period,y\na,1,2\n", encoding="utf-8")
    tables.load("workers", LAST_DAY)
    tables.reports(DISTRICTS, quarter="2025Q4", as_of=LAST_DAY)
    load_own(home / "panel.csv")
    tables.source("workers")
    areas.reference("towns")
    assert noted(home / "reads.jsonl") == (
        Read("files", str(home / "panel.csv"), source="unknown", personal=True, title="panel.csv"),
        Read("files", str(home / "panel.toml")),
        Read("reference", "towns", source="published"),
        Read("reports", "2025Q4", LAST_DAY, DISTRICTS),
        Read("sources", "workers"),
        Read("tables", "workers", LAST_DAY, source="demo", personal=True),
    )


def test_another_projects_tables_are_not_noted(home, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    write_workers(other)
    tables.load("workers", LAST_DAY, root=other)
    assert noted(home / "reads.jsonl") == ()


def test_an_inventory_reads_every_table_that_it_lists(home):
    tables.inventory(("workers", "exams"), as_of=LAST_DAY)
    assert {read.name for read in noted(home / "reads.jsonl")} == {"workers", "exams"}
