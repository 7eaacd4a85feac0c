"""Every brief of the quarter's plan in both languages, in a browser: what the tests ask of some is asked of all."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from playwright.sync_api import Error, sync_playwright

from institute_lib.runs import load_plan
from tests import counted
from tests.bench.lines import Bound
from tests.bench.notebooks import QUARTER, started
from tests.bench.quarter import project
from tests.bench.timing import steps
from tests.browser import chromium, pages

LANGUAGES = ("zh", "en")


def measure(*, large: bool) -> list[Bound]:
    """Pages with a fault; each fault is written to standard error as it is found."""
    with project() as folder, sync_playwright() as playwright:
        jobs = load_plan(folder / "papermill_runs" / "quarterly.toml").jobs()
        runs = {language: run(folder, language) for language in LANGUAGES}
        found = [
            (runs[language] / job.notebook / job.area / "brief.html", language) for language in runs for job in jobs
        ]
        browser = playwright.chromium.launch(executable_path=chromium.find_or_install(), args=["--no-sandbox"])
        briefs = [told(path, faults(browser, path, language, folder)) for path, language in steps(found, "briefs")]
        indices = [told(runs[one] / "index.html", index_faults(browser, runs[one], one)) for one in runs]
        browser.close()
        said = list(counted_wrong(folder, runs["zh"]))
    return [
        Bound(
            "briefs with a fault", sum(briefs), 0, f"of {len(briefs)}", "drawn, quiet, axe, without scripts, printed"
        ),
        Bound(
            "sentences that differ from a count", sum(map(bool, said)), 0, f"of {len(said)}", "pandas on the registers"
        ),
        Bound("index pages with a fault", sum(indices), 0, f"of {len(indices)}", "quiet, axe"),
    ]


def run(folder: Path, language: str) -> Path:
    """The folder of the quarter, run in a language."""
    started(folder, "institute_lib", "run", QUARTER, "--language", language)
    return folder / "papermill_runs" / (QUARTER if language == "zh" else f"{QUARTER}-{language}")


def counted_wrong(folder: Path, run: Path) -> Iterator[list[str]]:
    """Of each finding that `tests.counted` can give, in every area, what is not as counted; each is told."""
    registers = counted.Registers(folder)
    for area in steps((counted.CITY, *counted.DISTRICTS), "sentences"):
        page = list(counted.one_page(registers, area))
        for one in (*counted.sentences(registers, area), *page):
            path = run / one.notebook / area / "brief.html"
            soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
            said = [item.get_text() for item in soup.select(".findings li")]
            if one not in page or any(one.about in text for text in said):
                found = counted.faults(said, one)
                told(path, found)
                yield found


def faults(browser: Any, path: Path, language: str, folder: Path) -> list[str]:
    """A brief's faults; one that the browser cannot open or draw has that one."""
    try:
        return pages.faults(browser, path, language, folder)
    except Error as error:
        return [str(error).splitlines()[0]]


def index_faults(browser: Any, folder: Path, language: str) -> list[str]:
    with pages.opened(browser, folder / "index.html") as seen:
        return [*pages.noises(seen), *pages.badly_titled(seen, language), *pages.inaccessible(seen)]


def told(path: Path, found: list[str]) -> bool:
    """Whether there is a fault; each is told."""
    for fault in found:
        sys.stderr.write(f"\n{'/'.join(path.parts[-4:])}: {fault}\n")
    return bool(found)
