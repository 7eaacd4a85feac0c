"""A year of quarters as an institute lives it: a late district, a correction, an import undone, a failed job mended, a
restore. Each change makes exactly its jobs stale, and the next run mends them.
"""

import os
import shutil
from datetime import date, timedelta

import pytest

from institute_lib import cli, kernels, paths, runs
from tests.offices import HEADERS, number, write_workbook
from tests.runs.conftest import Project

CITY, LATE, OTHER = "320600", "320682", "320613"
NAMES = {LATE: "如皋市", OTHER: "崇川区"}
COUNT = (
    "import pandas\nfrom institute_lib import areas, tables\n"
    "day = str(pandas.Period(quarter, 'Q').end_time.date())\n"
    "districts = [one.code for one in areas.districts(area)] or [area]\n"
    "reports = tables.reports(districts, quarter=quarter, as_of=day)\n"
    "workers = tables.load('workers', reports.as_of)\n"
    "print(len(workers), reports.late)"
)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    home = tmp_path / "home"
    monkeypatch.setenv("INSTITUTE_HOME", str(home))
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(tmp_path / "key" / "pseudonym.key"))
    monkeypatch.setattr(kernels, "library_changed", lambda: False)
    return Project(home)


def hand_in(tmp_path, day: str, *districts: str, station: str = "甲社工站", more: tuple[str, ...] = ()) -> None:
    """The state of some districts on a day, as their offices send it, through the command line."""
    rows = []
    for place, district in enumerate(districts):
        for serial in range(12):
            person = 100 * place + serial
            born = (date(1980, 1, 1) + timedelta(days=37 * person)).strftime("%Y%m%d")
            cells = [number(person, birth=born), "13900001111", NAMES[district], station, "助理", "5300"]
            rows.append(["甄" + "珏珩珺琮琰瑭璟璩瓒昉昶晁"[serial], *cells, "2019-07-01", ""])
    book = write_workbook(tmp_path / f"{day}-{len(list(tmp_path.iterdir()))}.xlsx", rows, HEADERS)
    assert cli.main(["import", str(book), "--table", "workers", "--as-of", day, "--yes", *more]) == 0


def states(quarter: str) -> dict[str, str]:
    return {str(one.job): one.state for one in runs.status(quarter=quarter)}


def run(quarter: str) -> int:
    return cli.main(["run", quarter, "--log", "none"])


def test_a_year_of_quarters_is_mended_run_by_run(project, tmp_path, capsys):
    project.write_plan(f'areas = ["{LATE}", "{OTHER}"]\n[notebooks.01_count]\n[notebooks.02_alone]\n')
    project.write_notebook("01_count", COUNT, last="del study")
    project.write_notebook("02_alone", "print('reads nothing')", last="del study")
    for name in ("01_count", "02_alone"):
        without_study(project, name)
    assert cli.main(["key", "new"]) == 0

    # First quarter: one district is late. That is a state, not a failure; its arrival runs what it touches.
    hand_in(tmp_path, "2025-03-31", OTHER)
    assert run("2025Q1") == 0
    assert states("2025Q1") == {
        f"01_count/{LATE}": "not_reported",
        f"02_alone/{LATE}": "current",
        f"01_count/{OTHER}": "current",
        f"02_alone/{OTHER}": "current",
    }
    capsys.readouterr()
    assert cli.main(["status", "2025Q1"]) == 0
    assert "未报送  如皋市" in capsys.readouterr().out
    hand_in(tmp_path, "2025-03-31", LATE)
    touched = {job for job, state in states("2025Q1").items() if state == "stale"}
    assert f"01_count/{LATE}" in touched
    assert not touched & {f"02_alone/{LATE}", f"02_alone/{OTHER}"}
    capsys.readouterr()
    cli.main(["status", "2025Q1"])
    assert "已过期  如皋市" in capsys.readouterr().out
    assert run("2025Q1") == 0
    assert set(states("2025Q1").values()) == {"current"}

    # Second quarter: a correction makes its readers stale, and the first quarter's briefs stay as they are.
    hand_in(tmp_path, "2025-06-30", OTHER, LATE)
    assert run("2025Q2") == 0
    hand_in(tmp_path, "2025-06-30", OTHER, station="乙社工站", more=("--replace",))
    assert states("2025Q2")[f"01_count/{OTHER}"] == "stale"
    assert states("2025Q2")[f"02_alone/{OTHER}"] == "current"
    assert run("2025Q2") == 0
    assert set(states("2025Q2").values()) == {"current"}

    # Third quarter: a job fails, the others finish; it is mended.
    hand_in(tmp_path, "2025-09-30", OTHER, LATE)
    project.write_notebook("02_alone", "raise KeyError('合同')", last="del study")
    without_study(project, "02_alone")
    assert run("2025Q3") == 1
    assert states("2025Q3")[f"01_count/{OTHER}"] == "current"
    project.write_notebook("02_alone", "print('mended')", last="del study")
    without_study(project, "02_alone")
    assert run("2025Q3") == 0

    # Fourth quarter, and the whole year restored into another folder.
    hand_in(tmp_path, "2025-12-31", OTHER, LATE)
    assert run("2025Q4") == 0
    shutil.copytree(project.root, tmp_path / "restored")
    os.environ["INSTITUTE_HOME"] = str(tmp_path / "restored")
    for quarter in ("2025Q1", "2025Q2", "2025Q3", "2025Q4"):
        assert run(quarter) == 0
        assert len(list((paths.runs() / quarter / "logs").glob("*.json"))) >= 2


def without_study(project: Project, name: str) -> None:
    """A plain notebook: its cells but those of the study."""
    import nbformat

    path = project.root / "notebooks" / f"{name}.ipynb"
    given = nbformat.read(path, as_version=4)
    given.cells = [cell for cell in given.cells if "study" not in cell.source]
    nbformat.write(given, path)
