"""The documentation does what it says: every command and every piece of code on its pages is run here, but for these.

- `institute lab`, `setup`, `report`, `demo` and the runs of whole quarters: other tests run them (below, ELSEWHERE).
- `make …`: shown by `make -n` that its recipe is there; the recipes are the commands of the README's table.
- `conda …`: this computer may have no conda. Its words are parsed as conda parses them, and what they name is read:
  the file, the environment in it, and that environment's packages (tests/unit/test_environment.py compares them).
- `pip install -e .`: the project is built, but not put into the environment that the tests run in (`--dry-run`).
- `git pull`: there is nobody to pull from.

The cluster's scheduler, worker and run are started as the page says, on this computer and a free port, and for one
district and one notebook.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
import openpyxl
import pytest
import yaml

from institute_lib import charts, cli, coverage, disclosure, policy, retention, talent
from institute_lib.registers import identity

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", PROJECT / "data" / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
METHODS = sorted(path for path in (PROJECT / "docs" / "methods").glob("*.md") if path.name != "README.md")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:\.venv/bin/python|python3?) -m institute_lib [^`\n]+|make [a-z]+)`")
PYTHON = re.compile(r"(?:\.venv/bin/|\.venv\\Scripts\\)?python3? -m institute_lib ")
# Run by other tests: `lab` in tests/browser/test_lab.py, `demo` by tests/conftest.py, runs of README's seventh notebook
# in test_new_notebook.py, of whole quarters and a cluster in tests/runs; `setup` installs packages. Here their options
# are read, and kernels start for the researcher's story alone.
STORY = PROJECT / "docs" / "researcher.md"
ELSEWHERE = ("lab", "setup", "report", "demo", "clean")
OPERATOR = PROJECT / "docs" / "operator.md"
OTHER_PROGRAMS = ("conda", "pip", "git", "make", "cd", "tar", ".venv/bin/dask", ".venv/bin/ruff", ".venv/bin/jupyter")
LAST_COVERED = "2025Q4"  # `last` goes by the calendar, the demo registers end here


@dataclass(frozen=True)
class Command:
    page: Path
    line: str

    @property
    def institute(self) -> list[str] | None:
        """The arguments of a command of ours."""
        found = PYTHON.match(self.line)
        return shlex.split(self.line[found.end() :], comments=True) if found else None


def commands(page: Path) -> list[Command]:
    """Every command of a page: shell blocks line by line, and commands in running text."""
    text = page.read_text(encoding="utf-8")
    lines = [line for kind, body in BLOCK.findall(text) if kind in ("sh", "bat") for line in body.splitlines()]
    lines += INLINE.findall(re.sub(BLOCK, "", text))
    return [Command(page, line.strip()) for line in lines if line.strip() and not line.startswith("#")]


ALL = [command for page in PAGES for command in commands(page)]


@pytest.fixture
def at_home(demo_home, tmp_path, monkeypatch):
    """A project folder of its own for each page: demo registers, notebooks, the plan, and an office's workbook."""
    place = tmp_path / "home"
    shutil.copytree(demo_home, place, ignore=shutil.ignore_patterns("2*"))
    (place / "data" / "incoming").mkdir()
    book = openpyxl.Workbook()
    book.active.append(["姓名", "身份证号", "手机", "区", "社工站", "级别", "月薪", "入职日期", "离职日期"])
    for serial in range(40):
        digits = f"32061319900101{serial:03d}"
        person = ["甄珏珩", digits + identity.check_character(digits), f"139{serial:08d}"]
        book.active.append([*person, "崇川区", "第一社工站", "助理", 5200, "2021-03-01", None])
    book.save(place / "data" / "incoming" / "名册.xlsx")
    monkeypatch.setenv("INSTITUTE_HOME", str(place))
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(tmp_path / "pseudonym.key"))
    monkeypatch.chdir(place)
    return place


def test_there_are_commands_to_run():
    assert sum(command.institute is not None for command in ALL) > 20


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.stem)
def test_the_commands_of_a_page_do_what_it_says(page, at_home, capsys):
    failed, done = [], set()
    for command in commands(page):
        typed = command.institute
        if command.line.startswith("tar "):
            (at_home / "data" / "registers").mkdir(exist_ok=True)
            subprocess.run(shlex.split(command.line), cwd=at_home, check=True, capture_output=True)
        if not typed or tuple(typed) in done:
            continue
        done.add(tuple(typed))
        if _is_run_elsewhere(typed, page):
            cli.parser().parse_known_args(typed)
            continue
        status, said = _run([LAST_COVERED if word == "last" else word for word in typed], capsys)
        if status:
            failed.append((command.line, status, said[-500:]))
        if page == STORY and typed[0] == "new":
            change_cells(at_home / "notebooks" / "08_contracts.ipynb", page)
    assert failed == []
    if page == STORY:
        run = at_home / "papermill_runs" / LAST_COVERED
        brief = (run / "08_contracts" / "320613" / "brief.html").read_text(encoding="utf-8")
        assert "项目制合同的社工，一年后还有多少人在岗？" in brief
        assert "08 合同与留任" in (run / "index.html").read_text(encoding="utf-8")


def change_cells(notebook: Path, page: Path) -> None:
    """As the page says: each piece of its code takes the place of the cell that begins like it."""
    made = nbformat.read(notebook, as_version=4)
    for kind, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind not in ("python", "markdown"):
            continue
        begins = {"python": body.split("\n")[0], "markdown": "**问题**："}[
            kind
        ]  # the one piece of prose is the question
        (cell,) = [one for one in made.cells if one.source.startswith(begins)]
        assert cell.source != body.rstrip("\n")
        cell.source = body.rstrip("\n")
    nbformat.write(made, notebook)


def _is_run_elsewhere(typed: list[str], page: Path) -> bool:
    return typed[0] in ELSEWHERE or (typed[0] == "run" and page != STORY)


def _run(arguments: list[str], capsys) -> tuple[int, str]:
    """Run a command, one that starts kernels in a process of its own; its status and what it said."""
    if arguments[0] == "run":
        command = [sys.executable, "-m", "institute_lib", *arguments, "--log", "none"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr
    try:
        status = cli.main(arguments)
    except SystemExit as left:  # `--help`
        status = left.code or 0
    return status, capsys.readouterr().err


def test_every_other_command_has_what_it_needs():
    for command in ALL:
        if command.institute:
            continue
        words = shlex.split(command.line, comments=True)
        program = words[0]
        if program == "institute":  # two accounts take turns: tests/runs/test_own_register.py runs it
            cli.parser().parse_args(words[1:])
            continue
        assert program in OTHER_PROGRAMS, command
        if program == "make":
            done = subprocess.run(["make", "-n", *words[1:]], cwd=PROJECT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (command, done.stderr)
        if program.startswith(".venv/bin/"):
            assert (Path(sys.executable).parent / Path(program).name).exists(), command
        for word in words[1:]:
            if word.endswith((".yml", ".toml", ".txt")) or word in ("data/registers", "papermill_runs"):
                assert (PROJECT / word).exists() or word == "data/registers", command


def of_program(*words: str) -> list[Command]:
    """The commands, one of each line, that begin with these words."""
    found = {command.line: command for command in ALL if command.line.split()[: len(words)] == list(words)}
    return list(found.values())


def test_conda_makes_and_enters_the_environment_of_our_file():
    parser = argparse.ArgumentParser(exit_on_error=False)
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("env").add_subparsers(dest="action", required=True).add_parser("create")
    create.add_argument("-f", "--file", required=True)
    commands.add_parser("activate").add_argument("name")
    typed = [parser.parse_args(shlex.split(command.line, comments=True)[1:]) for command in of_program("conda")]
    made, entered = ([one for one in typed if one.command == name] for name in ("env", "activate"))
    assert made
    assert entered
    environments = [yaml.safe_load((PROJECT / one.file).read_text(encoding="utf-8")) for one in made]
    assert {one.name for one in entered} == {found["name"] for found in environments}
    assert all("pip" in found["dependencies"] and found["channels"] for found in environments)


def test_pip_installs_the_project_as_the_page_says(tmp_path):
    """From a copy, so that building it leaves nothing here; without an index, so that it cannot fetch anything."""
    shutil.copytree(PROJECT / "institute_lib", tmp_path / "institute_lib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(PROJECT / name, tmp_path)
    typed = of_program("pip")
    assert typed
    for command in typed:
        words = shlex.split(command.line, comments=True)
        full = [sys.executable, "-m", *words, "--dry-run", "--no-index", "--no-color"]
        done = subprocess.run(full, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Would install institute-lib" in done.stdout


@pytest.fixture
def small_plan(at_home):
    """A plan of one district and one notebook."""
    plan = 'language = "zh"\nareas = ["320613"]\n\n[notebooks.01_data_quality]\n'
    (at_home / "papermill_runs" / "quarterly.toml").write_text(plan, encoding="utf-8")
    return at_home


def test_the_cluster_of_the_operators_page_runs_the_plan(small_plan):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    here = [
        command.line.replace("host", "127.0.0.1").replace("8786", port)
        for command in commands(OPERATOR)
        if " dask" in f" {command.line.replace('/', ' ')}" or "--scheduler" in command.line
    ]
    scheduler, worker, run = (shlex.split(line) for line in here)
    setting = re.search(r"`(DASK_\w+)=(\w+)`", OPERATOR.read_text(encoding="utf-8"))
    with ExitStack() as running:
        for words, settings in ((scheduler, {}), (worker, {setting[1]: setting[2]})):
            running.enter_context(
                started([str(Path(sys.executable).parent / "dask"), *words[1:]], small_plan, settings)
            )
            wait_for(int(port))
        assert words_of(run) == ["run", "2025Q4", "--scheduler", f"tcp://127.0.0.1:{port}"]
        full = [sys.executable, "-m", "institute_lib", *words_of(run), "--log", "none"]
        done = subprocess.run(full, cwd=small_plan, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    summary = json.loads((small_plan / "papermill_runs" / "2025Q4" / "summary.json").read_text(encoding="utf-8"))
    assert [(job["state"], job["warm"]) for job in summary["jobs"]] == [("done", True)]


def words_of(run: list[str]) -> list[str]:
    return run[run.index("institute_lib") + 1 :]


@contextmanager
def started(words: list[str], folder: Path, settings: dict[str, str]):
    """A program that serves until it is told to stop."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, cwd=folder, env=os.environ | settings, **quiet) as process:
        try:
            yield process
        finally:
            process.terminate()


def wait_for(port: int, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as knocking:
            if knocking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"nothing listens on port {port} after {seconds} s")


@pytest.mark.parametrize("page", METHODS, ids=lambda page: page.stem)
def test_the_code_of_a_method_page_runs_on_the_demo_registers(page, demo_home, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(demo_home))
    blocks = [body for kind, body in BLOCK.findall(page.read_text(encoding="utf-8")) if kind == "python"]
    assert blocks
    for body in blocks:
        exec(compile(body, str(page), "exec"), {})


@pytest.mark.parametrize("page", METHODS, ids=lambda page: page.stem)
def test_a_method_page_has_its_parts_in_both_languages(page):
    text = page.read_text(encoding="utf-8")
    assert re.match(r"# [^\n]*[\u3400-\u9fff][^\n]* · [A-Z]", text)
    for part in ("**回答**", "**Answers**", "## 什么时候不该用 · When not to use it", "## 出处 · Source", "$"):
        assert part in text, part
    assert page.name in (page.parent / "README.md").read_text(encoding="utf-8")


def test_every_method_of_the_library_has_its_page():
    text = "\n".join(page.read_text(encoding="utf-8") for page in METHODS)
    called = set(re.findall(r"\b(?:policy|retention|coverage|talent|disclosure|charts)\.([a-z_]+)", text)) - {"md"}
    wanted = {"staggered", "pilot", "two_way", "sensitivity", "detectable_effect", "rates", "survival", "hazard", "cox"}
    wanted |= {"cumulative_incidence", "access", "equity", "next_stations", "funnel", "passes", "outcomes", "purchase"}
    wanted |= {"yardstick", "control_result", "outcome_spread"}
    assert wanted <= called
    rooms = (policy, retention, coverage, talent, disclosure, charts)
    assert all(any(hasattr(room, name) for room in rooms) for name in called)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_of_a_page_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
