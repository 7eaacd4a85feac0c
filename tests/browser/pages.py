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
MARGIN, MARGIN_SIDE = 50, 50  # pixels at 96 to the inch: where only page numbers and marks stand, and nothing
A4, A4_CONTENT = (1123, 794), 1010  # pixels of a page, and between its upper and its lower margin
LEAST_INK = 0.002
OPEN_ALL = "document.querySelectorAll('details').forEach(fold => { fold.open = true; })"
# Rows of one table are alike: the first ones stand for all, and axe takes a second instead of fifteen.
SHORTEN = f"document.querySelectorAll('tbody tr:nth-child(n+{ENOUGH_ROWS})').forEach(row => row.remove())"
CHARTS = """() => Array.from(document.querySelectorAll('script.figure')).map(holder => {
    const place = document.getElementById(holder.dataset.plot), edge = place.getBoundingClientRect();
    return {
        stated: JSON.parse(holder.textContent).data.length,
        read: place._fullData.length,
        painted: place.querySelectorAll('.cartesianlayer .trace').length,
        alt: place.getAttribute('aria-label'),
        height: edge.height,
    };
})"""
# Texts outside their chart's box, two texts on each other, and tables or charts wider than the place they stand in.
MISPLACED = """() => {
    const found = [], name = place => (place.getAttribute('aria-label') || place.id).slice(0, 30);
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (wide > 1) { found.push(`the page is ${wide} pixels wider than its screen`); }
    document.querySelectorAll('.plot').forEach(place => {
        const edge = place.getBoundingClientRect();
        if (!edge.width) { return; }
        const texts = Array.from(place.querySelectorAll('.main-svg text')).filter(one => one.textContent.trim());
        const boxes = texts.map(one => [one.textContent, one.getBoundingClientRect()]).filter(([, box]) => box.width);
        boxes.forEach(([text, box]) => {
            const inside = box.left > edge.left - 1 && box.right < edge.right + 1
                && box.top > edge.top - 1 && box.bottom < edge.bottom + 1;
            if (!inside) { found.push(`chart ${name(place)}: its text ${text} is cut`); }
        });
        boxes.forEach(([text, one], at) => boxes.slice(at + 1).forEach(([other, two]) => {
            const across = Math.min(one.right, two.right) - Math.max(one.left, two.left);
            const down = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
            const most = Math.min(one.height, two.height);
            if (across > 2 && down > 0.3 * most) { found.push(`chart ${name(place)}: ${text} lies on ${other}`); }
        }));
    });
    return found;
}"""
TOO_WIDE = """() => Array.from(document.querySelectorAll('.scroll'))
    .filter(one => one.clientWidth && one.firstElementChild.scrollWidth > one.clientWidth + 1)
    .map(one => `table ${one.getAttribute('aria-label')} is wider than its column`)"""
SCREENS = (1366, 390)
NARROWED = """() => Array.from(document.querySelectorAll('.plot'))
    .every(one => !one.clientWidth || one._fullLayout.width === 455)"""
SETTLED = 300  # milliseconds in which charts take their new width
PAPER = 688  # pixels between the side margins of A4


@dataclass(frozen=True)
class Seen:
    """An open page, with everything that went over its console and the wire."""

    page: Any
    path: Path
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def opened(browser: Any, path: Path, *, scripts: bool = True, width: int = 1100) -> Iterator[Seen]:
    """A page in a browser without a network."""
    context = browser.new_context(offline=True, java_script_enabled=scripts, viewport={"width": width, "height": 900})
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
def drawn(browser: Any, path: Path, width: int = 1100) -> Iterator[Seen]:
    """A brief, all of its charts drawn."""
    with opened(browser, path, width=width) as seen:
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
    found += misplaced(browser, path)
    return [*found, *lost_without_scripts(browser, path), *badly_printed(browser, path, folder / "brief.pdf")]


def badly_drawn(seen: Seen) -> list[str]:
    """Charts that do not paint every trace of their figure, or that have no height.

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
    return found


def misplaced(browser: Any, path: Path) -> list[str]:
    """Texts that are cut or lie on each other, on an office screen, on a telephone and on paper."""
    found = []
    for width in SCREENS:
        with drawn(browser, path, width) as seen:
            seen.page.evaluate(OPEN_ALL)
            seen.page.wait_for_timeout(SETTLED)
            found += [f"at {width}: {one}" for one in seen.page.evaluate(MISPLACED)]
    with drawn(browser, path, PAPER) as seen:
        seen.page.emulate_media(media="print")
        seen.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        seen.page.wait_for_function(NARROWED)
        found += [f"on paper: {one}" for one in seen.page.evaluate(MISPLACED) + seen.page.evaluate(TOO_WIDE)]
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
        values = seen.page.locator(".tile .value").all_inner_texts()  # a one page is one: they stand on the first sheet
        seen.page.pdf(path=pdf, prefer_css_page_size=True)
    # A chart that fits on a page is not divided: break-inside.
    found = [f"a chart is {height} pixels high, a page {A4_CONTENT}" for height in heights if height >= A4_CONTENT]
    with pypdfium2.PdfDocument(pdf) as document:
        pages = [page.render(scale=DOTS_PER_POINT, grayscale=True).to_numpy().squeeze() < DARK for page in document]
        texts = [page.get_textpage().get_text_range() for page in document]
    found += [f"printed page 1 lacks the tile {value!r}" for value in values if value not in texts[0]]
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
