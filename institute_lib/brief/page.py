"""From a brief's content to the names that its template uses; every text in it is data and is escaped there."""

import base64
import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from html import unescape
from importlib import metadata
from typing import Any

from institute_lib import terms
from institute_lib.brief import tables
from institute_lib.brief.reading import Content

LANG = {"zh": "zh-CN", "en": "en"}
MAIN_FINDINGS = 3  # what a reader takes along; the rest stands below them, smaller
VERSIONS = ("institute-lib", "pandas", "numpy", "statsmodels", "plotly")
XLSX_MIME = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ID = re.compile(r"[^\w\u3400-\u9fff-]+")
SVG_TAGS = {"svg", "g", "path", "rect", "circle", "line", "polyline", "polygon", "text", "tspan", "title", "desc"}
SVG_ATTRIBUTES = {
    "*": {
        "d",
        "x",
        "y",
        "x1",
        "x2",
        "y1",
        "y2",
        "cx",
        "cy",
        "r",
        "dx",
        "dy",
        "points",
        "fill",
        "fill-opacity",
        "fill-rule",
        "stroke",
        "stroke-width",
        "stroke-dasharray",
        "stroke-linecap",
        "paint-order",
        "opacity",
        "transform",
        "width",
        "height",
        "text-anchor",
        "font-size",
        "font-weight",
        "font-family",
        "dominant-baseline",
        "role",
    },
    "svg": {"viewBox", "width", "height", "preserveAspectRatio"},
}


def word(key: str, language: str, **values: object) -> str:
    return terms.text(f"brief.{key}", language, **values)


def words(language: str) -> dict[str, str]:
    """The page's fixed words."""
    keys = ("institute", "skip", "findings", "further", "contents", "show_data", "methods", "sources", "provenance")
    return {key: word(key, language) for key in keys}


def head(content: Content, language: str) -> dict[str, Any]:
    """Title, place and time, marks, findings."""
    opening = content.opening or {}
    demo = is_demo(content)
    marks = [{"kind": "demo", "text": word("mark_demo", language)}] if demo else []
    if opening:
        number = {"number": opening["release"]} if "release" in opening else {}
        mark = "mark_released" if number else f"mark_{opening['mark']}"
        marks.append({"kind": opening["mark"], "text": word(mark, language, **number)})
    title = (content.tiles or opening).get("title") or word("untitled", language)
    where = [opening["area"], terms.quarter(opening["quarter"], language)] if opening else []
    page_title = " · ".join([title, *where[bool(content.tiles) : 2], *(mark["text"] for mark in marks[:1])])
    where += [
        word(key, language, date=terms.date(opening[key], language)) for key in ("as_of", "known") if opening.get(key)
    ]
    if content.tiles:  # its title names the area; whoever acts on it sees whom to ask
        where = [*where[1:], *(text for _, text in _contact(opening, language))]
    missing = content.tiles["missing"] if content.tiles else []  # a one page says it under its own heading
    return {
        "title": title,
        "page_title": page_title,
        "marks": marks,
        "where": " · ".join(where),
        "question": opening.get("question", ""),
        "findings": opening.get("findings", [])[:MAIN_FINDINGS],
        "further": [one for one in opening.get("findings", [])[MAIN_FINDINGS:] if one not in missing],
        "links": opening.get("links", []) if opening.get("mark") == "internal" else [],
        "index": word("index", language),
        "beside": word("beside", language),
    }


def _contact(opening: Mapping[str, Any], language: str) -> list[tuple[str, str]]:
    """When the brief was made and whom to ask, each in words of its own."""
    made = opening.get("made")
    day = "released_on" if "release" in opening else "made_on"
    named = opening.get("contact") or word("institute", language)
    return (
        [(day, word(day, language, date=terms.date(made, language))), ("ask", word("ask", language, named=named))]
        if made
        else []
    )


def colophon(content: Content, language: str) -> list[str]:
    """How to cite the brief, when it was made and by whom, and what of its last release has changed."""
    opening, shown = content.opening or {}, head(content, language)
    if not opening.get("made"):
        return []
    words = {"title": shown["title"], "area": opening["area"], "quarter": terms.quarter(opening["quarter"], language)}
    marks = "，".join if language == "zh" else ", ".join
    words["marks"] = marks(mark["text"] for mark in shown["marks"])
    contact = dict(_contact(opening, language))
    cited = word("cite", language, institute=word("institute", language), made=next(iter(contact.values())), **words)
    asked = [] if content.tiles else [contact["ask"]]
    return [cited, *asked, *filter(None, [opening.get("revision")])]


def cautions(content: Content, language: str) -> list[str]:
    """What must be said of all figures of the brief, as HTML: that they are invented, or not rounded."""
    found = [word("demo_note", language)] if is_demo(content) else []
    if (content.opening or {}).get("exact"):
        found.append(terms.text("disclosure.exact_rule", language, threshold=10))
    return [f"<p>{one}</p>" for one in found]


WIDE, HIGH, EDGE = 120, 28, 3  # of a sparkline, in its own units


def tiles(content: Content, language: str) -> dict[str, Any] | None:
    """The tiles of a one page with their sparklines, and the words of its headings."""
    if not content.tiles:
        return None
    heads = ("heading_advice", "heading_missing")
    none = "no_advice" if any(one["status"] for one in content.tiles["tiles"]) else "not_judged"
    made = [one | {"line": sparkline(one["past"])} for one in content.tiles["tiles"]]
    legend = list(
        {one["standing"]: {k: one[k] for k in ("standing", "meaning")} for one in content.tiles["map"]}.values()
    )
    words = {key: terms.text(f"overview.{key}", language) for key in heads}
    words["no_advice"] = terms.text(f"overview.{none}", language)
    return content.tiles | {"tiles": made, "legend": legend} | words


def sparkline(past: list[float | None], low: float | None = None, high: float | None = None) -> str:
    """The points of a line through some values on a scale, their own by default; None for a quarter without."""
    there = [one for one in past if one is not None]
    if not there:
        return ""
    low, high = min(there) if low is None else low, max(there) if high is None else high
    step, span = (WIDE - 2 * EDGE) / (len(past) - 1), (high - low) or 1
    known = [(i, one) for i, one in enumerate(past) if one is not None]
    at = [(EDGE + step * i, HIGH - EDGE - (one - low) / span * (HIGH - 2 * EDGE)) for i, one in known]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in at)


def is_demo(content: Content) -> bool:
    """Whether any figure of the brief comes from the demo registers."""
    shown = [block.get("demo") or block.get("table", {}).get("demo") for kind, block in content.body if kind != "prose"]
    return bool((content.opening or {}).get("demo")) or any(shown)


def body(content: Content, language: str) -> list[dict[str, Any]]:
    """Prose, charts and tables, numbered in order; charts with their figure as JSON for a data block."""
    done: list[dict[str, Any]] = []
    numbers = {"figure": 0, "table": 0}
    for kind, block in content.body:
        if kind == "prose":
            done += _sections(block, language)
            continue
        if kind == "own":
            address = {"kind": kind, "id": f"own-{len(done)}"}
            done.append(block | address | ({"html": "", "alt": block["title"]} if "figure" in block else {}))
            continue
        is_chart = kind == "chart"
        name = "figure" if is_chart else "table"
        numbers[name] += 1
        number = word(name, language, number=numbers[name])
        data = block["table"] if is_chart else block
        title = block["title"] if is_chart else data["caption"]
        entry = {"kind": kind, "id": f"{name}-{numbers[name]}", "number": number, "title": title}
        caption = title if is_chart else f"{number}　{title}".strip()
        entry |= _table(data | {"caption": caption}, number, title, demo=is_demo(content), language=language)
        source = block["source"]
        entry["source"] = word("source_line", language, source=source) if source else ""
        entry["notes"] = block["notes"]
        done.append(entry | (_figure(block) if is_chart else {}))
    return done


def _sections(html: str, language: str) -> list[dict[str, Any]]:
    """Prose with an address on each of its headings; from the heading 附录 on stands the appendix, closed on screen."""
    found: list[dict[str, Any]] = []
    for part in re.split(r"(?=<h2>)", html):
        heading = re.match(r"<h2>(.*?)</h2>\s*", part, flags=re.DOTALL)
        if not heading:
            found += [{"kind": "prose", "html": part}] if part.strip() else []
            continue
        title = re.sub(r"<[^>]+>", "", heading[1])
        address = "s-" + (ID.sub("-", unescape(title)).strip("-") or "section")
        if title == word("appendix", language):
            found.append({"kind": "appendix", "id": address, "title": title})
            found += [{"kind": "prose", "html": part[heading.end() :]}] if part[heading.end() :].strip() else []
        else:
            html = f'<h2 id="{address}">{heading[1]}</h2>{part[heading.end() :]}'
            found.append({"kind": "prose", "html": html, "id": address, "title": title})
    return found


def contents(blocks: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The page's sections in order: address and title."""
    named = [one for one in blocks if one["kind"] in ("prose", "appendix") and "id" in one]
    return [{"id": one["id"], "title": unescape(one["title"])} for one in named]


def common(blocks: list[dict[str, Any]]) -> list[Any]:
    """What several figures of a page have in common, taken out of them: the look, and the outlines of regions.

    Each figure of `blocks` then holds {"common": k} in such a place. Nothing else is shared, so that whoever reads the
    page, the scan before a release above all, finds every point and every word in the figure where it stands.
    """
    places = [place for block in blocks if block["kind"] == "chart" for place in _shareable(block["figure"])]
    texts = [json_block(holder[key]) for holder, key in places]
    often = [text for text, count in Counter(texts).items() if count > 1]
    position = {text: index for index, text in enumerate(often)}
    for (holder, key), text in zip(places, texts, strict=True):
        if text in position:
            holder[key] = {"common": position[text]}
    return [json.loads(text) for text in often]


def _shareable(figure: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Where a figure holds its look, and the places of the outlines that it fills."""
    if "template" in figure["layout"]:
        yield figure["layout"], "template"
    for trace in figure["data"]:
        if (trace.get("mode"), trace.get("fill")) == ("lines", "toself"):
            yield from ((trace, axis) for axis in ("x", "y") if isinstance(trace.get(axis), dict))


def _table(data: dict[str, Any], number: str, title: str, *, demo: bool, language: str) -> dict[str, Any]:
    """A table with its download: CSV with a mark of UTF-8, so that spreadsheets read Chinese."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(data["csv"])
    encoded = base64.b64encode(("\ufeff" + text.getvalue()).encode()).decode()
    parts = [word("demo_prefix", language)] if demo else []
    return {
        "table": data,
        "region": word("region", language, title=f"{number} {title}"),
        "download": word("download_of", language, title=f"{number} {title}".strip()),
        "file": ID.sub("_", "-".join([*parts, number, title]))[:80].strip("_-") + ".csv",
        "href": f"data:text/csv;charset=utf-8;base64,{encoded}",
    }


def workbook(
    head: dict[str, Any], blocks: list[dict[str, Any]], content: Content, language: str
) -> dict[str, str] | None:
    """The download of all tables of the page as one .xlsx, which stands in the page itself; None without a table."""
    if not any("table" in block for block in blocks):
        return None
    opening = content.opening or {}
    parts = [word("demo_prefix", language)] if is_demo(content) else []
    parts += [head["title"], *(opening[key] for key in ("area", "quarter") if key in opening)]
    encoded = base64.b64encode(tables.workbook(head, blocks, language)).decode()
    return {
        "download": word("download_all", language),
        "file": ID.sub("_", "-".join(parts))[:80].strip("_-") + ".xlsx",
        "href": f"data:{XLSX_MIME};base64,{encoded}",
    }


def _figure(block: dict[str, Any]) -> dict[str, Any]:
    """The figure without what the page says in text: its title and its source line."""
    layout = {key: value for key, value in block["figure"]["layout"].items() if key not in ("title", "width")}
    notes = [one for one in layout.get("annotations", []) if one.get("name") != "source"]
    margin = dict(layout.get("margin", {}))
    cut = {"t": 30, "b": 36}
    height = int(layout.get("height", 400)) - sum(max(margin.get(side, size) - size, 0) for side, size in cut.items())
    layout |= {"annotations": notes, "margin": margin | cut, "height": height}
    figure = {"data": [dict(trace) for trace in block["figure"]["data"]], "layout": layout}
    if steps := layout.get("meta", {}).get("steps"):  # a slider's sentences go with it
        told = [one | {"alt": _without_title(one["alt"], one["title"])} for one in steps]
        layout["meta"] = layout["meta"] | {"steps": told}
    alts = {"alt": block["alt"], "finding": _without_title(block["alt"], block["title"])}
    return alts | {"figure": figure, "height": height, "svg": picture(block["svg"])}


def _without_title(sentence: str, title: str) -> str:
    """A chart's sentence without its title, which stands above it as the caption."""
    said = re.sub(f"^{re.escape(title)}[：:] *", "", sentence)
    return said[:1].upper() + said[1:]


def json_block(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def picture(svg: str | None) -> str:
    """A static picture with nothing in it but shapes and text."""
    import nh3

    return nh3.clean(svg, tags=SVG_TAGS, attributes=SVG_ATTRIBUTES, url_schemes=set()) if svg else ""


def sources(content: Content) -> list[dict[str, str]]:
    """The sources as one line each; only web addresses become links."""
    lines = []
    for item in content.sources:
        parts = [item["title"], item["publisher"], item["date"]]
        url = item["url"] if re.match(r"https?://", item["url"]) else ""
        lines.append({"text": " · ".join(part for part in parts if part), "url": url})
    return lines


def made(content: Content, language: str) -> str:
    """One line on how a brief was made: the notebook by the start of its hash, the library by its version."""
    version = metadata.version("institute-lib")
    return word("made", language, notebook=content.notebook_hash[:12], version=version)


def provenance(
    content: Content, parameters: dict[str, Any], more: dict[str, str], python: str, language: str
) -> list[dict[str, Any]]:
    """Parameters, versions and hashes, as groups of rows."""
    versions = [(name, metadata.version(name)) for name in VERSIONS]
    shown = [block for kind, block in content.body if kind != "prose"]
    digest = hashlib.sha256(json_block(shown).encode()).hexdigest()
    hashes = [
        (word("notebook_hash", language), content.notebook_hash),
        (word("content_hash", language), digest),
        *more.items(),
    ]
    groups = [
        ("parameters", [(name, _shown(value)) for name, value in parameters.items()]),
        ("versions", [(word("python", language), python), *versions]),
        ("hashes", hashes),
    ]
    return [{"title": word(key, language), "rows": rows} for key, rows in groups if rows]


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value or "–"
