"""Every brief of the quarter's plan in both languages, in a browser: what the tests ask of some is asked of all."""

import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, sync_playwright

from institute_lib.runs import load_plan
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
    return [
        Bound(
            "briefs with a fault", sum(briefs), 0, f"of {len(briefs)}", "drawn, quiet, axe, without scripts, printed"
        ),
        Bound("index pages with a fault", sum(indices), 0, f"of {len(indices)}", "quiet, axe"),
    ]


def run(folder: Path, language: str) -> Path:
    """The folder of the quarter, run in a language."""
    started(folder, "institute_lib", "run", QUARTER, "--language", language)
    return folder / "papermill_runs" / (QUARTER if language == "zh" else f"{QUARTER}-{language}")


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
