import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import openpyxl
import pandas as pd
import pytest

from institute_lib import charts, cli, paths
from institute_lib.cli import quarters
from institute_lib.cli.options import resolved
from institute_lib.errors import DataError
from institute_lib.registers import identity
from institute_lib.runs import places
from institute_lib.runs.plan import load_plan
from tests.rows import WORKER
from tests.shown import opening, shown


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project folder with the real plan, no notebooks and no data."""
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    (tmp_path / "papermill_runs").mkdir()
    plan = (paths.PACKAGE.parent / "papermill_runs" / "quarterly.toml").read_text(encoding="utf-8")
    (tmp_path / "papermill_runs" / "quarterly.toml").write_text(plan, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["status", "2025Q4", "--areas", "320506"], "320506"),
        (["status", "2025Q4", "--notebooks", "06_quartely_overview"], "是否要写“06_quarterly_overview”"),
        (["run", "2025Q4", "--plan", "absent.toml"], "absent.toml没有计划"),
        (["run", "2025Q4"], "institute demo"),
        (["brief", "absent.ipynb"], "absent.ipynb"),
        (["schedule", "--install", "absent"], "没有文件夹absent"),
    ],
)
def test_a_wrong_input_ends_with_status_2_and_one_message(home, monkeypatch, capsys, arguments, named):
    monkeypatch.chdir(home)
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("institute: ")
    assert named in said
    assert "Traceback" not in said


@pytest.fixture
def project(home, monkeypatch):
    """The real plan and notebooks and a few workers; whatever would start work makes its test fail."""
    shutil.copytree(paths.PACKAGE.parent / "notebooks", home / "notebooks")
    write_workers(home, genders=["female"])

    def started(*_given, **_settings):
        raise AssertionError("work was started")

    monkeypatch.setattr("institute_lib.runs.execution.Work.through", started)
    return home


def write_workers(home, *, genders):
    rows = [WORKER | {"worker_id": f"w{number}", "gender": gender} for number, gender in enumerate(genders)]
    folder = home / "data" / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(folder / "workers.parquet")
    quarters = [str(quarter) for quarter in pd.period_range("2019Q1", "2025Q4", freq="Q")]
    reporting = pd.DataFrame({"district": "320613", "quarter": quarters, "reported": True})
    reporting.to_parquet(folder / "reporting.parquet")


def files(home):
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("run 2025Q5", "是否要写“2025Q4”"),
        ("run 2026Q1", "数据从2019Q1到2025Q4"),
        ("run 2025Q4 --areas 崇州区", "是否要写 320613 崇川区"),
        ("run 2025Q4 --areas 苏州", "计划里没有地区苏州（320500）"),
        ("run 2025Q4 --notebooks 03_retention", "是否要写“03_retention_drivers”"),
        ("run 2025Q4 --language ch", "allowed: zh, en"),
        ("run 2025Q4 --workers 0", "workers = 0；可以：1或更多"),
        ("run 2025Q4 --plan misspelt.toml", "是否要写“catchment_m”"),
        ("status 2025Q5", "是否要写“2025Q4”"),
        ("status 2025Q4 --areas 崇州区", "是否要写 320613 崇川区"),
        ("release 2025Q4", "institute run 2025Q4"),
        ("approve 2025Q4-1", "institute key person"),
    ],
)
def test_what_a_user_mistypes_is_refused_by_name_before_anything_starts(project, monkeypatch, capsys, typed, named):
    monkeypatch.chdir(project)
    plan = (project / "papermill_runs" / "quarterly.toml").read_text(encoding="utf-8")
    given = "[notebooks.04_station_coverage]\nparameters = { catchement_m = 3000 }"
    (project / "misspelt.toml").write_text(plan.replace("[notebooks.04_station_coverage]", given), encoding="utf-8")
    before = files(project)
    assert cli.main(typed.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith("institute: ")
    assert named in said
    assert files(project) == before


def test_a_register_that_breaks_its_contract_stops_the_run_with_every_fault(project, capsys):
    write_workers(project, genders=["f"] * 30)
    kept = project / "papermill_runs" / "2025Q4" / "brief.html"
    kept.parent.mkdir()
    kept.write_text("kept", encoding="utf-8")
    before = files(project)
    assert cli.main(["run", "2025Q4"]) == 2
    faults = [line for line in capsys.readouterr().err.splitlines() if "column gender: 'f' – allowed: female" in line]
    assert [f"workers: row {row}," in fault for row, fault in enumerate(faults, start=2)] == [True] * 30
    assert files(project) == before


@pytest.fixture
def workbook(project, tmp_path_factory, monkeypatch):
    """A register with thirty faulty rows and one sound one, a key to import it with, and a user in the project."""
    monkeypatch.chdir(project)
    folder = tmp_path_factory.mktemp("office")
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(folder / "pseudonym.key"))
    assert cli.main(["key", "new"]) == 0
    digits = "32061319900307003"
    number = digits + identity.check_character(digits)
    book = openpyxl.Workbook()
    book.active.append(["姓名", "身份证号", "区", "入职日期"])
    book.active.append(["甄无名", number, "崇川区", "2019-07-01"])
    for _ in range(30):
        book.active.append(["甄别人", number[:-1] + "?", "崇川区", "2019-07-01"])
    book.save(folder / "名册.xlsx")
    return folder / "名册.xlsx"


@pytest.mark.parametrize(("language", "severity"), [("zh", "错误"), ("en", "Fault")])
def test_a_refused_import_prints_every_fault_and_writes_nothing_but_its_report(
    project, workbook, capsys, language, severity
):
    before = files(project)
    report = workbook.with_name("report.json")
    arguments = ["import", str(workbook), "--as-of", "2025-12-31", "--report", str(report), "--language", language]
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    rows = re.findall(rf"^{severity}\s+名册\.xlsx\s+Sheet\s+(\d+)\s+身份证号\s+\d\*+\?\s", said, re.MULTILINE)
    assert [int(row) for row in rows] == list(range(3, 33))
    assert "甄别人" not in said
    assert files(project) == before
    problems = json.loads(report.read_text(encoding="utf-8"))["problems"]
    assert [problem["row"] for problem in problems if problem["severity"] == "fault"] == list(range(3, 33))


def test_an_accepted_import_writes_its_report_too(project, workbook, capsys):
    book = openpyxl.load_workbook(workbook)
    book.active.delete_rows(3, 30)
    book.save(workbook)
    report = workbook.with_name("report.xlsx")
    assert cli.main(["import", str(workbook), "--as-of", "2025-12-31", "--report", str(report)]) == 0
    assert report.is_file()
    assert str(report) in capsys.readouterr().out
    assert (project / "data" / "registers" / "workers" / "000001.parquet").is_file()


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        (["--report", "report.pdf"], "只能存为.xlsx或.json"),
        (["--report", "absent/report.json"], "没有文件夹absent"),
        (["--table", "worker"], "是否要写“workers”"),
        (["--as-of", "2025-13-31"], "请写成2025-12-31的形式"),
        (["--report", "report.pdf", "--language", "en"], "save it as .xlsx or .json"),
        (["--report", "absent/report.json", "--language", "en"], "no folder absent"),
        (["--table", "worker", "--language", "en"], "did you mean 'workers'"),
        (["--as-of", "2025-13-31", "--language", "en"], "write a day as 2025-12-31"),
    ],
)
def test_a_wrong_option_of_an_import_is_refused_by_name(project, workbook, capsys, extra, named):
    before = files(project)
    assert cli.main(["import", str(workbook), *extra]) == 2
    assert named in capsys.readouterr().err
    assert files(project) == before


def test_an_unknown_command_ends_with_status_2(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["rnu"])
    assert ended.value.code == 2


def test_status_names_every_job_of_the_plan(home, capsys):
    for name in ("01_data_quality", "02_policy_evaluation", "03_retention_drivers"):
        (home / "notebooks").mkdir(exist_ok=True)
        (home / "notebooks" / f"{name}.ipynb").write_text('{"cells": []}')
    assert cli.main(["status", "2025Q4", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["state"] for row in rows} == {"missing"}
    planned = {(job.notebook, job.area) for job in load_plan().jobs()}
    assert {(row["notebook"], row["area"]) for row in rows} == planned
    assert ("02_policy_evaluation", "320612") not in planned  # of the districts the pilot's alone


def test_status_says_that_the_last_run_did_not_end_or_is_going_on(home, capsys):
    folder = home / "papermill_runs" / "2025Q4"
    folder.mkdir()
    summary = {"state": "running", "started": "2026-01-05T02:00:00+08:00"}
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    cli.main(["status", "2025Q4"])
    assert "上次运行（2026-01-05T02:00:00+08:00开始）中途停止" in capsys.readouterr().out
    with places.locked(folder):
        cli.main(["status", "2025Q4"])
        assert f"正在运行：process {os.getpid()} on " in capsys.readouterr().out


def test_last_is_the_quarter_that_closed_last():
    import pandas as pd

    assert pd.Period(resolved("last"), freq="Q") == pd.Timestamp.now().to_period("Q") - 1


@pytest.mark.parametrize(("language", "said"), [("zh", "已完成的部分都保留着"), ("en", "what was finished is kept")])
def test_an_interrupt_says_that_what_was_finished_is_kept(home, monkeypatch, capsys, language, said):
    def interrupted(_given):
        raise KeyboardInterrupt

    monkeypatch.setattr(quarters, "_status", interrupted)
    assert cli.main(["status", "2025Q4", "--language", language]) == cli.INTERRUPTED
    assert said in capsys.readouterr().err


def test_a_broken_register_shows_every_fault_and_the_check_fails(home, monkeypatch, capsys):
    from institute_lib import tables

    def broken(name, as_of=None):
        raise DataError(f"table {name!r} breaks its contract")

    monkeypatch.setattr(tables, "locate", lambda *_: None)
    monkeypatch.setattr(tables, "load", broken)
    assert cli.main(["check"]) == 2
    said = capsys.readouterr().err
    assert all(f"{name!r}" in said for name in tables.CONTRACTS)


def test_the_schedule_prints_a_timer_and_a_cron_line_for_this_project(home, capsys):
    assert cli.main(["schedule"]) == 0
    said = capsys.readouterr().out
    assert "OnCalendar=*-01,04,07,10-05..31 02:00:00" in said
    assert "\n0 2 5-31 1,4,7,10 * cd " in said
    assert said.count(f"{sys.executable}") == 2
    assert str(home.resolve()) in said


def test_installing_the_schedule_twice_is_free_and_never_overwrites_another_unit(home, capsys):
    folder = home / "units"
    folder.mkdir()
    assert cli.main(["schedule", "--install", str(folder)]) == 0
    assert cli.main(["schedule", "--install", str(folder)]) == 0
    unit = next(folder.glob("*.timer"))
    unit.write_text("mine")
    assert cli.main(["schedule", "--install", str(folder)]) == 2
    assert unit.read_text() == "mine"


def test_a_new_key_is_made_once_and_never_overwritten(home, monkeypatch, capsys, tmp_path_factory):
    key = tmp_path_factory.mktemp("outside") / "pseudonym.key"
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(key))
    assert cli.main(["key", "new"]) == 0
    made = key.read_text()
    assert cli.main(["key", "new"]) == 2
    assert key.read_text() == made
    assert made.strip() not in "".join(capsys.readouterr())


def test_asking_for_help_imports_no_heavy_library():
    code = "import sys\nsys.argv = ['institute', '--help']\nfrom institute_lib import cli\ntry:\n    cli.main()\n"
    code += "except SystemExit:\n    assert 'pandas' not in sys.modules"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "status" in finished.stdout


def test_a_brief_beside_a_quarters_plotly_shares_it_unless_it_shall_go_alone(tmp_path):
    bundle = charts.draw_bars(shown(pd.DataFrame({"level": ["a"], "n": [9]})))._repr_mimebundle_()
    shows = [nbformat.v4.new_output("display_data", data=one) for one in (opening()._repr_mimebundle_(), bundle)]
    cell = nbformat.v4.new_code_cell("1", outputs=shows)
    place = tmp_path / "2025Q4" / "01_first" / "320613"
    place.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), place / "executed.ipynb")
    (tmp_path / "2025Q4" / "plotly.min.js").touch()
    for options, alone in (([], False), (["--single"], True)):
        assert cli.main(["brief", str(place / "executed.ipynb"), *options]) == 0
        page = (place / "executed.html").read_text(encoding="utf-8")
        assert ('src="../../plotly.min.js"' not in page) == alone == (len(page) > 4_000_000)


def test_a_python_without_the_packages_is_told_which_one_has_them():
    command = [sys.executable, "-S", "-E", "-m", "institute_lib", "status", "2025Q4"]  # -S: no installed package
    done = subprocess.run(command, cwd=paths.PACKAGE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.fullmatch(r"institute: \S+ does not have the workbench's packages: .+\n", done.stderr)
