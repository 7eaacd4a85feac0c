"""What keeps a run going for years: schedules, hooks, folders that several share, clocks, cleaning, moving."""

import os
import shlex
import subprocess
import sys
import time

import pytest

from institute_lib import cli, kernels, paths, runs
from institute_lib.runs import clean, places, schedule
from tests.runs.conftest import Project

JOB = ["--areas", "320613", "--notebooks", "01_first"]
COMMAND = [sys.executable, "-m", "institute_lib"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    home = tmp_path / "it's 100% ours $HOME"
    monkeypatch.setenv("INSTITUTE_HOME", str(home))
    monkeypatch.setattr(kernels, "library_changed", lambda: False)
    return Project.in_folder(home)


def test_the_cron_line_runs_from_a_folder_of_any_name(project):
    line = schedule.cron()
    *when, command = line.strip().split(" ", 5)
    assert len(when) == 5
    shown = command.replace(r"\%", "%").replace("run last --scheduled", "version")
    assert "pandas" in subprocess.run(["sh", "-c", shown], capture_output=True, text=True, check=True, cwd="/").stdout


def test_the_systemd_unit_escapes_what_systemd_would_read(project):
    unit = schedule.service()
    assert "it's 100%% ours" in unit
    assert f'ExecStart="{sys.executable.replace("%", "%%")}" -m institute_lib run last --scheduled' in unit


def test_a_scheduled_run_is_silent_if_it_went_well_and_tells_somebody_if_not(project, tmp_path, capfd):
    told = tmp_path / "told"
    hook = f"[notify]\ncommand = {shlex.join(['sh', '-c', f'cat > {told}'])!r}\n"
    plan = paths.plan().read_text(encoding="utf-8")
    project.write_plan(plan.replace("[limits]", f"{hook}[limits]"))
    asked = ["run", "2025Q4", *JOB, "--scheduled"]
    assert cli.main(asked) == 0
    assert "".join(capfd.readouterr()) == ""
    assert not told.exists()
    project.write_notebook("01_first", "raise KeyError('合同')")
    assert cli.main(asked) == 1
    assert "KeyError" in told.read_text(encoding="utf-8")
    told.unlink()
    assert cli.main(["run", "2031Q4", *JOB, "--scheduled"]) == 2
    assert "2031Q4" in told.read_text(encoding="utf-8")


def test_cleaning_shows_first_and_keeps_registers_releases_plans_and_notebooks(project, capsys):
    runs.run(quarter="2025Q4", areas=["320613"], notebooks=["01_first"], progress="none")
    kept = [project.folder / "released" / "a.html", paths.registers() / "workers" / "a.parquet", paths.own_plan()]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# kept")
    everything = sorted(project.root.rglob("*"))
    assert cli.main(["clean"]) == 0
    assert sorted(project.root.rglob("*")) == everything
    assert "--yes" in capsys.readouterr().out
    assert cli.main(["clean", "--yes"]) == 0
    assert not list(project.root.rglob(places.MANIFEST))
    assert not paths.cache().exists()
    assert all(path.is_file() for path in (*kept, paths.plan(), project.root / "notebooks" / "01_first.ipynb"))
    assert clean.generated() == ()
    assert cli.main(["clean", "--quarter", "2024Q1"]) == 2


def test_two_colleagues_take_turns_in_a_folder_that_their_group_may_write(project):
    """With the usual umask, what one makes in it the other may replace."""
    before = os.umask(0o022)
    try:
        paths.runs().chmod(0o2775)
        runs.run(quarter="2025Q4", areas=["320613"], notebooks=["01_first"], progress="none")
    finally:
        os.umask(before)
    made = [path for path in project.folder.rglob("*") if path.name != places.LOCK]
    assert [path for path in made if not path.stat().st_mode & 0o020] == []


@pytest.mark.parametrize("command", [["status", "2025Q4"], ["run", "2025Q4", *JOB], ["new", "甲 / First"]])
def test_in_a_folder_of_somebody_else_each_command_ends_in_one_sentence(project, tmp_path, command):
    """A read-only mount, in a namespace of its own where even root may not write."""
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    shell = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(project.root)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*shell, *COMMAND, *command], capture_output=True, text=True, check=False, env=environment)
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if command[0] == "status" else 2)
    assert len(done.stderr.splitlines()) == (0 if command[0] == "status" else 1)


def test_the_clock_may_jump_and_the_folder_be_written_relatively(project, monkeypatch):
    workers = paths.demo() / "workers.parquet"
    project.write_notebook("01_first", 'people = tables.load("workers", as_of=study.as_of)', last="del study")
    project.write_notebook("01_first", "import pandas\npandas.read_parquet('../data/demo/workers.parquet')")
    later = time.time() + 3 * 86_400
    os.utime(workers, (later, later))
    monkeypatch.chdir(project.root.parent)
    monkeypatch.setenv("INSTITUTE_HOME", project.root.name)
    asked = {"quarter": "2025Q4", "areas": ["320613"], "notebooks": ["01_first"]}
    assert runs.run(**asked, progress="none").exit_status == 0
    assert [one.state for one in runs.status(**asked)] == ["current"]


def test_output_that_nobody_reads_on_and_a_terminal_without_chinese_are_no_traceback(project):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = subprocess.run([*COMMAND, "status", "2025Q4"], capture_output=True, check=True, env=environment)
    assert b"\\u5c1a\\u672a" in shown.stdout
    piped = f"{shlex.join([*COMMAND, 'status', '2025Q4'])} | head -1"
    assert subprocess.run(["sh", "-c", piped], capture_output=True, check=True).stderr == b""


def test_a_project_that_is_backed_up_and_restored_elsewhere_is_current(project, tmp_path, monkeypatch):
    (project.root / "data" / "own.txt").write_text("own")
    project.write_notebook("01_first", "print(open('../data/own.txt').read())")
    asked = {"quarter": "2025Q4", "areas": ["320613"], "notebooks": ["01_first"]}
    runs.run(**asked, progress="none")
    subprocess.run(
        ["tar", "-czf", tmp_path / "backup.tar.gz", "data", "notebooks", "papermill_runs"], check=True, cwd=project.root
    )
    clone = tmp_path / "clone"
    clone.mkdir()
    subprocess.run(["tar", "-xzf", tmp_path / "backup.tar.gz"], check=True, cwd=clone)
    monkeypatch.setenv("INSTITUTE_HOME", str(clone))
    assert [(one.state, one.why) for one in runs.status(**asked)] == [("current", "")]


def test_what_an_earlier_version_left_is_read_and_counts_as_stale(project):
    place = project.place("01_first")
    runs.run(quarter="2025Q4", areas=["320613"], notebooks=["01_first"], progress="none")
    manifest = places.read_json(place / places.MANIFEST)
    old = {**manifest, "inputs": {**manifest["inputs"], "library": "of an earlier version"}}
    old["inputs"]["reads"] = [
        {"kind": "tables", "name": "workers", "as_of": "2025-12-31", "districts": [], "hash": "1"}
    ]
    places.write_json(place / places.MANIFEST, old)
    (status,) = runs.status(quarter="2025Q4", areas=["320613"], notebooks=["01_first"])
    assert (status.state, set(status.changes)) == ("stale", {"library", "tables"})
    assert "登记表（" in status.say("zh")


def test_another_plan_extends_the_index_of_the_quarter(project, tmp_path):
    runs.run(quarter="2025Q4", areas=["320613"], notebooks=["01_first"], progress="none")
    other = tmp_path / "other.toml"
    other.write_text('areas = ["320612"]\n[notebooks.02_second]\n', encoding="utf-8")
    summary = runs.run(other, quarter="2025Q4", progress="none")
    page = summary.index.read_text(encoding="utf-8")
    assert {"崇川区", "通州区"} <= set(page.replace("<", ">").split(">"))
    assert 'href="01_first/320613/brief.html"' in page
    assert 'href="02_second/320612/brief.html"' in page
