"""What a notebook says of its brief: opening, methods and sources.

Each shows itself in Jupyter as plain text lines and carries `application/vnd.institute.<kind>+json` for the export.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from institute_lib import terms
from institute_lib.errors import ParameterError, nearest

PREFIX = "application/vnd.institute."
OPENING, METHODS, SOURCES, TILES = (f"{PREFIX}{kind}+json" for kind in ("opening", "methods", "sources", "tiles"))
MARKS = ("internal", "public")


@dataclass(frozen=True)
class Block:
    """One piece of a brief: its MIME type, its content as plain JSON types, and its lines for the screen."""

    mime: str
    content: Mapping[str, Any]
    lines: tuple[str, ...]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            self.mime: dict(self.content),
            "text/html": "".join(f"<p>{escape(line)}</p>" for line in self.lines),
            "text/plain": "\n".join(self.lines),
        }


def opening(
    study: Any,
    *,
    title: str,
    findings: Sequence[str],
    demo: bool,
    question: str = "",
    mark: str = "internal",
) -> Block:
    """The head of a brief: title, area and quarter of the study, the question, the findings in plain words.

    Args:
        study: `parameters.study(…)`: its area, quarter, language and as_of.
        findings: one sentence each, numbers included, the three that matter first; results give them with
            `summary(language)`. In a job that read a register of persons they are written from protected figures
            (`disclosure.sentence`), or hold no number.
        demo: whether the figures come from the demo registers (`tables.is_demo(frame)`): every page says so.
        mark: "internal" or "public".

    Raises:
        ParameterError: no title, or another mark.
        DisclosureError: a finding with a number that nobody judged.
    """
    from institute_lib import disclosure, tables

    if tables.reads_persons():
        for finding in findings:
            if not isinstance(finding, disclosure.SafeSentence):
                disclosure.check_words(str(finding), "brief.opening: a finding")
    if mark not in MARKS:
        raise ParameterError(f"brief.opening: mark {mark!r}: {nearest(mark, MARKS)}")
    if not str(title).strip():
        raise ParameterError("brief.opening: give the brief a title")
    language = terms.check_language(study.language)
    content = {
        "title": str(title),
        "question": str(question),
        "findings": [str(finding) for finding in findings],
        "area": study.area.name(language),
        "area_code": study.area.code,
        "quarter": str(study.quarter),
        "as_of": str(getattr(study, "as_of", "") or ""),
        "language": language,
        "demo": bool(demo),
        "mark": mark,
    }
    where = f"{content['area']} · {terms.quarter(study.quarter, language)}"
    return Block(OPENING, content, (content["title"], where, *content["findings"]))


def methods(*paragraphs: str) -> Block:
    """How the figures were made and what they cannot say: paragraphs in the fold at the brief's end."""
    return Block(METHODS, {"paragraphs": [str(one) for one in paragraphs]}, tuple(map(str, paragraphs)))


def sources(items: Sequence[str | Mapping[str, str]]) -> Block:
    """Where the figures come from.

    Args:
        items: a sentence each, or a mapping with title and, where known, publisher, date and url.

    Raises:
        ParameterError: a source without a title.
    """
    listed = []
    for item in items:
        entry = {"title": item} if isinstance(item, str) else {key: str(value) for key, value in item.items()}
        if not entry.get("title"):
            raise ParameterError(f"brief.sources: {item!r} has no title")
        listed.append({key: entry.get(key, "") for key in ("title", "publisher", "date", "url")})
    lines = tuple(" · ".join(value for value in entry.values() if value) for entry in listed)
    return Block(SOURCES, {"items": listed}, lines)
