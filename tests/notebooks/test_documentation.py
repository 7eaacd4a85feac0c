"""The documentation does what it says: every command and every piece of code on its pages is run here."""

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pytest

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
ELSEWHERE = ("lab", "setup", "report", "demo")
# Commands of other programs: what they need is checked, since they fetch packages or wait for a network.
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
    assert failed == []


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
        assert program in OTHER_PROGRAMS, command
        if program == "make":
            done = subprocess.run(["make", "-n", *words[1:]], cwd=PROJECT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (command, done.stderr)
        if program.startswith(".venv/bin/"):
            assert (Path(sys.executable).parent / Path(program).name).exists(), command
        for word in words[1:]:
            if word.endswith((".yml", ".toml", ".txt")) or word in ("data/registers", "papermill_runs"):
                assert (PROJECT / word).exists() or word == "data/registers", command


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
    wanted |= {"cumulative_incidence", "access", "equity", "next_stations", "funnel", "growth", "outcomes", "purchase"}
    wanted |= {"yardstick", "protect", "draw_funnel"}
    assert wanted <= called
    rooms = (policy, retention, coverage, talent, disclosure, charts)
    assert all(any(hasattr(room, name) for room in rooms) for name in called)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_of_a_page_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
