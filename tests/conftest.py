"""What tests of the whole share: a project home with the demo registers, and quarters run in it by the command line.

Under pytest-xdist each worker is a process with a session of its own; what is slow is made by whichever process needs
it first, and found by the others.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bs4
import pandas as pd
import pytest

from institute_lib import areas as divisions
from institute_lib import demo, sharing, tables
from institute_lib.errors import RunError
from institute_lib.runs import places

PROJECT = Path(__file__).parents[1]
QUARTER = "2025Q4"
AREAS = ("320600", "320613")  # the city, and Chongchuan
NOTEBOOKS = tuple(sorted(path.stem for path in (PROJECT / "notebooks").glob("*.ipynb")))
LONGEST_RUN = 600  # seconds
SCRIPT = re.compile(r"<script>.*?</script>", re.DOTALL)  # plotly: four megabytes that no parser need read


@dataclass(frozen=True)
class Workshop:
    """Makes each slow thing once a session, however many processes share the session."""

    folder: Path

    def once(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder `name`, filled by `make` when it is first asked for; a failure is remembered, not repeated."""
        place, made, failed = (self.folder / f"{name}{end}" for end in ("", ".made", ".failed"))
        with waiting_lock(self.folder / f"{name}.lock"):
            if not made.exists() and not failed.exists():
                try:
                    make(place)
                    made.touch()
                except Exception as error:
                    failed.write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
                    raise
        if failed.exists():
            raise RuntimeError(f"{name} could not be made in this session: {failed.read_text(encoding='utf-8')}")
        return place

    def home(self, name: str, change: Callable[[Path], None] | None = None) -> Path:
        """A project home of its own: the demo registers, the notebooks and the plan; `change` may alter its tables."""

        def make(place: Path) -> None:
            shutil.copytree(PROJECT / "notebooks", place / "notebooks", ignore=shutil.ignore_patterns(".*"))
            (place / "papermill_runs").mkdir()
            shutil.copy(PROJECT / "papermill_runs" / "quarterly.toml", place / "papermill_runs")
            shutil.copytree(self.once("registers", demo.write), place / "data" / "demo")
            if change:
                change(place / "data" / "demo")

        return self.once(name, make)

    def run(
        self,
        home: Path,
        *,
        quarter: str = QUARTER,
        areas: tuple[str, ...] = AREAS,
        notebooks: tuple[str, ...] = (),
        language: str = "zh",
        plan: Path | None = None,
    ) -> "Run":
        """`institute run` in a home: as a user types it, in a process of its own."""

        def make(place: Path) -> None:
            command = [sys.executable, "-m", "institute_lib", "run", quarter, "--language", language, "--log", "none"]
            command += ["--areas", *areas]
            command += ["--notebooks", *notebooks] if notebooks else []
            command += ["--plan", str(plan)] if plan else []
            environment = {key: value for key, value in os.environ.items() if not key.startswith("INSTITUTE_")}
            environment |= {"INSTITUTE_HOME": str(home)}
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=LONGEST_RUN, check=False
            )
            if done.returncode not in (0, 1):  # 1: a job failed, which the tests of that job tell
                raise RuntimeError(f"institute run {quarter} ended with {done.returncode}: {done.stderr[-2000:]}")
            place.mkdir()

        self.once(f"{home.name}-run-{quarter}-{language}", make)
        return Run(home, quarter, language, areas, notebooks or NOTEBOOKS)


@contextmanager
def waiting_lock(folder: Path):
    """Hold a lock that other processes may hold. The system frees it when its holder ends, so none is ever stale."""
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(places.locked(folder))
                break
            except RunError:
                time.sleep(0.2)
        yield


@dataclass(frozen=True)
class Run:
    """A quarter that was run: its folder and what stands in it."""

    home: Path
    quarter: str
    language: str
    areas: tuple[str, ...]
    notebooks: tuple[str, ...]

    @property
    def folder(self) -> Path:
        name = self.quarter if self.language == "zh" else f"{self.quarter}-{self.language}"
        return self.home / "papermill_runs" / name

    @property
    def jobs(self) -> list[tuple[str, str]]:
        return [(notebook, area) for area in self.areas for notebook in self.notebooks]

    def place(self, notebook: str, area: str) -> Path:
        return self.folder / notebook / area

    def result(self, notebook: str, area: str) -> dict[str, Any]:
        """What the notebook left for others."""
        return json.loads((self.place(notebook, area) / "result.json").read_text(encoding="utf-8"))

    def page(self, notebook: str, area: str) -> bs4.BeautifulSoup:
        """The brief, parsed, without the scripts that draw it."""
        return parsed(self.place(notebook, area) / "brief.html")

    def findings(self, notebook: str, area: str) -> list[str]:
        """The sentences at the head of the brief."""
        return [item.get_text() for item in self.page(notebook, area).select(".findings li")]

    def tables(self, notebook: str, area: str) -> dict[str, pd.DataFrame]:
        """The brief's tables as a reader sees them, text cells, by caption without its number."""
        found = {}
        for table in self.page(notebook, area).select("figure table"):
            head, *body = [[cell.get_text() for cell in row.select("th, td")] for row in table.select("tr")]
            caption = table.caption.get_text().split("\u3000")[-1]
            found[caption] = pd.DataFrame(body, columns=head)
        return found


@functools.lru_cache(maxsize=64)
def parsed(path: Path) -> bs4.BeautifulSoup:
    """An HTML file without its inline scripts; the figures' JSON stays."""
    return bs4.BeautifulSoup(SCRIPT.sub("", path.read_text(encoding="utf-8")), "html.parser")


@pytest.fixture(autouse=True)
def _a_job_that_has_read_nothing():
    """A process is a job and remembers what it has read; each test is one of its own."""
    sharing.forget_reads()


@pytest.fixture(scope="session")
def workshop(tmp_path_factory) -> Workshop:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder = shared / "workshop"
    folder.mkdir(exist_ok=True)
    return Workshop(folder)


@pytest.fixture(scope="session")
def demo_home(workshop) -> Path:
    """A project home for INSTITUTE_HOME: demo registers, the project's notebooks and its plan."""
    return workshop.home("home")


@pytest.fixture(scope="session")
def quarter_zh(workshop, demo_home) -> Run:
    """2025Q4 in Chinese: all notebooks, for the city and for Chongchuan."""
    return workshop.run(demo_home)


@pytest.fixture(scope="session")
def quarter_en(workshop, demo_home) -> Run:
    """The same in English."""
    return workshop.run(demo_home, language="en")


@pytest.fixture(scope="session")
def chinese_names(demo_home) -> re.Pattern[str]:
    """What stays Chinese on an English page: names of organisations, and titles of sources."""
    names = {*divisions.reference("published_facts")["source"], *divisions.reference("other_facts")["source"]}
    names |= set(tables.load("procurement", root=demo_home)["provider"])
    return re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
