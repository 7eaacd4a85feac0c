"""What a page of a quarter must be in a browser without a network; each function returns its faults, in words.

One source for the tests of some briefs (`test_quarter`) and the check of all (`python -m tests.bench briefs`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pypdfium2
from axe_playwright_python.sync_playwright import Axe

from institute_lib import brief

LANG = {"zh": "zh-CN", "en": "en"}
ENOUGH_ROWS = 15
DOTS_PER_POINT, DARK = 96 / 72, 200
MARGIN, MARGIN_SIDE = 76, 56  # pixels at 96 to the inch: where only page numbers and marks stand, and nothing
A4, A4_CONTENT = (1123, 794), 980  # pixels of a page, and between its upper and its lower margin
LEAST_INK = 0.002
OPEN_ALL = "document.querySelectorAll('details').forEach(fold => { fold.open = true; })"
# Rows of one table are alike: the first ones stand for all, and axe takes a second instead of fifteen.
SHORTEN = f"document.querySelectorAll('tbody tr:nth-child(n+{ENOUGH_ROWS})').forEach(row => row.remove())"
CHARTS = """() => Array.from(document.querySelectorAll('script.figure')).map(holder => {
    const place = document.getElementById(holder.dataset.plot), edge = place.getBoundingClientRect();
    const texts = Array.from(place.querySelectorAll('.main-svg text')).filter(text => {
        const box = text.getBoundingClientRect();
        const inside = box.left > edge.left - 1 && box.right < edge.right + 1
            && box.top > edge.top - 1 && box.bottom < edge.bottom + 1;
        return box.width && !inside;
    });
    return {
        stated: JSON.parse(holder.textContent).data.length,
        read: place._fullData.length,
        painted: place.querySelectorAll('.cartesianlayer .trace').length,
        alt: place.getAttribute('aria-label'),
        height: edge.height,
        cut: texts.map(text => text.textContent),
    };
})"""


@dataclass(frozen=True)
class Seen:
    """An open page, with everything that went over its console and the wire."""

    page: Any
    path: Path
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def opened(browser: Any, path: Path, *, scripts: bool = True) -> Iterator[Seen]:
    """A page in a browser without a network."""
    context = browser.new_context(offline=True, java_script_enabled=scripts, viewport={"width": 1100, "height": 900})
    seen = Seen(context.new_page(), path)
    seen.page.on("console", lambda message: seen.console.append(f"{message.type}: {message.text}"))
    seen.page.on("pageerror", lambda error: seen.console.append(f"error: {error}"))
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    try:
        seen.page.goto(path.as_uri())
        yield seen
    finally:
        context.close()


@contextmanager
def drawn(browser: Any, path: Path) -> Iterator[Seen]:
    """A brief, all of its charts drawn."""
    with opened(browser, path) as seen:
        charts = seen.page.locator("script.figure").count()
        seen.page.wait_for_function(f"document.querySelectorAll('.plot .main-svg .xy').length >= {charts}")
        yield seen


def faults(browser: Any, path: Path, language: str, folder: Path) -> list[str]:
    """Every fault of a brief; `folder` is a place for what it prints."""
    with drawn(browser, path) as seen:
        found = [
            *badly_drawn(seen),
            *noises(seen, brief.SHARED_NAME),
            *badly_titled(seen, language),
            *inaccessible(seen),
        ]
    return [*found, *lost_without_scripts(browser, path), *badly_printed(browser, path, folder / "brief.pdf")]


def badly_drawn(seen: Seen) -> list[str]:
    """Charts that do not paint every trace of their figure, that have no height, or whose texts are cut.

    The one page has tiles in their place.
    """
    charts = seen.page.evaluate(CHARTS)
    found = [] if charts or seen.page.locator(".tile").count() else ["no chart"]
    for chart in charts:
        traces = {chart["painted"], chart["read"], chart["stated"]}
        if len(traces) > 1 or 0 in traces or chart["height"] <= 100:
            found.append(
                f"chart {chart['alt']!r}: {chart['painted']} of {chart['stated']} traces, {chart['height']} high"
            )
        found += [f"chart {chart['alt']!r}: its text {text!r} is cut" for text in chart["cut"]]
    return found


def noises(seen: Seen, *beside: str) -> list[str]:
    """What went over the console, and requests for anything but the file and what its quarter's pages share."""
    files = [seen.path.as_uri(), *((seen.path.parents[2] / name).as_uri() for name in beside)]
    asked = [url for url in seen.requests if not url.startswith("data:")]
    return [*seen.console, *(f"asked for {url}" for url in asked if url not in files or asked.count(url) > 1)]


def badly_titled(seen: Seen, language: str) -> list[str]:
    """Another language than the page's, no title, or another number of main headings than one."""
    said, headings = seen.page.evaluate("document.documentElement.lang"), seen.page.locator("h1").count()
    found = [] if said == LANG[language] else [f"its language is {said!r}"]
    return found + ([] if seen.page.title() and headings == 1 else [f"title {seen.page.title()!r}, {headings} h1"])


def inaccessible(seen: Seen) -> list[str]:
    """What axe finds with everything folded out; long tables are shortened, so this comes last."""
    seen.page.evaluate(OPEN_ALL)
    seen.page.evaluate(SHORTEN)
    found = Axe().run(seen.page).response["violations"]
    return [f"{one['id']}: {one['help']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def lost_without_scripts(browser: Any, path: Path) -> list[str]:
    """Charts whose table does not show where no script may run, and places of charts that then stand empty."""
    with opened(browser, path, scripts=False) as seen:
        tables, charts = seen.page.locator("figure.chart table"), seen.page.locator("figure.chart .plot")
        found = [] if tables.count() >= charts.count() else [f"{tables.count()} tables of {charts.count()} charts"]
        for fold in seen.page.locator("details.appendix:not([open]) > summary").all():
            fold.click()  # a fold needs no script
        found += ["a table is hidden without scripts" for table in tables.all() if not table.is_visible()]
        return found + ["an empty chart shows without scripts" for chart in charts.all() if chart.is_visible()]


def badly_printed(browser: Any, path: Path, pdf: Path) -> list[str]:
    """Pages that are not A4, not numbered, empty or run over their margins, and charts that no page can hold whole."""
    with opened(browser, path) as seen:
        heights = seen.page.evaluate("Array.from(document.querySelectorAll('.plot')).map(one => one.clientHeight)")
        seen.page.pdf(path=pdf, prefer_css_page_size=True)
    # A chart that fits on a page is not divided: break-inside.
    found = [f"a chart is {height} pixels high, a page {A4_CONTENT}" for height in heights if height >= A4_CONTENT]
    with pypdfium2.PdfDocument(pdf) as document:
        pages = [page.render(scale=DOTS_PER_POINT, grayscale=True).to_numpy().squeeze() < DARK for page in document]
        texts = [page.get_textpage().get_text_range() for page in document]
    for number, (ink, text) in enumerate(zip(pages, texts, strict=True), start=1):
        wrong = {
            f"is {ink.shape}": ink.shape != A4,
            "has no number": f"{number} / {len(pages)}" not in text,
            "is empty": ink[MARGIN:-MARGIN].mean() <= LEAST_INK,
            "runs over its left margin": ink[:, :MARGIN_SIDE].any(),
            "runs over its right margin": ink[:, -MARGIN_SIDE:].any(),
        }
        found += [f"printed page {number} of {len(pages)} {what}" for what, is_so in wrong.items() if is_so]
    return found
