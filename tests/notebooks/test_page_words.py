"""The words of the pages: a Chinese page in Chinese, an English one in English, and nowhere a name of the code."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from institute_lib import terms

NOTEBOOKS = sorted(path.stem for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
CHINESE = re.compile(r"[\u3400-\u9fff]+")
CODE_NAME = re.compile(r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b")  # monthly_pay, 1_to_2, 03_retention_drivers
RAW_HEADER = re.compile(r"[a-z][a-z0-9]*(?:[ _-][a-z0-9]+)*")  # a column's own name, underscores shown or not
ENGLISH_CLAUSE = re.compile(r"(?:\b[a-z][a-z']+[ ,]+){4,}[a-z']+")
TEXT_KEYS = {"name", "text", "hovertext", "ticktext", "hovertemplate", "legendgroup", "x", "y", "labels"}
NAME_SLOT, FIGURE_SLOT = "%{text}", re.compile(r"%\{customdata[^}]*\}|<extra></extra>")  # plotly's, in a hover text
each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS)
each_area = pytest.mark.parametrize("area", ["320600", "320613"])


@pytest.fixture(scope="module", params=["zh", "en"])
def run(request):
    return request.getfixturevalue(f"quarter_{request.param}")


@pytest.fixture(scope="module")
def english_labels():
    """Every English word for a column or a category."""
    return {entry["en"] for room in ("labels", "disclosure") for entry in terms.catalogue(room).values()}


def headers(page) -> list[str]:
    return [f"{cell.find_parent('table').caption.get_text()}: {cell.get_text()}" for cell in page.select("main th")]


def words(page) -> list[str]:
    """Every text that a reader meets before the provenance: prose, findings, notes, cells, and words in the charts."""
    prose = page.select("title, header p, h1, main h2, main h3, main p, main li, main figcaption, main th, main td")
    shown = [element.get_text() for element in prose if not element.find("code")]
    figures = [json.loads(holder.string) for holder in page.select("script.figure")]
    return [*shown, *(text for figure in figures for text in drawn(figure))]


def drawn(value: Any, key: str = "") -> Iterator[str]:
    """The texts in a figure: names, hover texts, titles, notes, categories."""
    if isinstance(value, dict):
        hover = FIGURE_SLOT.sub("", value.get("hovertemplate") or "")
        if NAME_SLOT in hover:  # a name and what all names end with, put together as the reader sees them
            yield from (hover.replace(NAME_SLOT, name).replace("<br>", "") for name in value["text"])
            value = {name: part for name, part in value.items() if name not in ("hovertemplate", "text")}
        for name, part in value.items():
            yield from drawn(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from drawn(part, key)
    elif isinstance(value, str) and key in TEXT_KEYS:
        yield value.replace("<br>", "")  # which may break a name


def found_in(texts: list[str], pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    """What a pattern finds, each once, with the text around it."""
    found = {match.group(): text[:120] for text in texts for match in pattern.finditer(text)}
    return sorted(found.items())


@each_area
@each_notebook
def test_no_header_of_a_table_is_a_columns_own_name(run, notebook, area, english_labels):
    allowed = english_labels if run.language == "en" else set()
    raw = [header for header in headers(run.page(notebook, area)) if is_raw(header.partition(": ")[2], allowed)]
    assert raw == []


def is_raw(header: str, allowed: set[str]) -> bool:
    return bool(CODE_NAME.search(header) or RAW_HEADER.fullmatch(header)) and header not in allowed


@each_area
@each_notebook
def test_no_name_of_the_code_stands_among_the_words(run, notebook, area):
    assert found_in(words(run.page(notebook, area)), CODE_NAME) == []


@each_area
@each_notebook
def test_a_chinese_page_holds_no_english_clause(quarter_zh, notebook, area):
    assert found_in(words(quarter_zh.page(notebook, area)), ENGLISH_CLAUSE) == []


@each_area
@each_notebook
def test_an_english_page_holds_no_chinese_but_names_of_places_and_sources(quarter_en, chinese_names, notebook, area):
    texts = [chinese_names.sub("", text) for text in words(quarter_en.page(notebook, area))]
    assert found_in(texts, CHINESE) == []


@each_area
@each_notebook
def test_nothing_is_shown_that_is_no_value(run, notebook, area):
    broken = re.compile(r"\b(nan|NaN|NaT|None|inf|<NA>)\b|\{[a-z_]+\}|%-%")
    assert found_in(words(run.page(notebook, area)), broken) == []
