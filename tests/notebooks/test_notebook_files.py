"""The notebooks as they are kept: clean, short, in both languages, and every one in the plan."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from institute_lib import parameters, runs

PROJECT = Path(__file__).parents[2]
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
TEMPLATE = PROJECT / "institute_lib" / "runs" / "template.ipynb"
LONGEST_CELL = 15
CHINESE = re.compile(r"[\u3400-\u9fff]")
DIVIDER = "<!-- en -->"
each_notebook = pytest.mark.parametrize("path", [*NOTEBOOKS, TEMPLATE], ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def test_the_plan_runs_every_notebook_the_overview_last():
    planned = [notebook.name for notebook in runs.load_plan(PROJECT / "papermill_runs" / "quarterly.toml").notebooks]
    assert sorted(planned) == [path.stem for path in NOTEBOOKS]
    assert [name[:2] for name in planned] == ["01", "02", "03", "04", "05", "07", "06"]


@each_notebook
def test_no_output_and_no_execution_count_is_kept(path):
    for cell in cells(path, "code"):
        assert cell.outputs == [], cell.source
        assert cell.execution_count is None, cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_begins_with_its_title_in_both_languages(path):
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# [^\n]*[\u3400-\u9fff][^\n]* / [A-Z]", first.source)


@each_notebook
def test_exactly_one_cell_holds_parameters(path):
    tagged = [cell for cell in cells(path, "code") if "parameters" in cell.metadata.get("tags", ())]
    assert len(tagged) == 1
    assert {"area", "quarter", "language", "as_of"} <= set(parameters.schema(path).names)


@each_notebook
def test_every_parameter_is_explained_in_both_languages(path):
    for parameter in parameters.schema(path).parameters:
        assert CHINESE.search(parameter.help_zh), parameter
        assert re.search(r"[a-z]{3}", parameter.help_en), parameter
        assert not CHINESE.search(parameter.help_en), parameter


@each_notebook
def test_no_cell_defines_a_function_or_a_class(path):
    defined = [
        f"{type(node).__name__} in: {cell.source.splitlines()[0]}"
        for cell in cells(path, "code")
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    assert defined == []


@each_notebook
def test_no_code_cell_is_longer_than_fifteen_lines(path):
    lengths = [(cell.source.splitlines()[0], len(cell.source.splitlines())) for cell in cells(path, "code")]
    assert [(first, lines) for first, lines in lengths if lines > LONGEST_CELL] == []


@each_notebook
def test_its_prose_stands_in_both_languages(path):
    for cell in cells(path, "markdown")[1:]:
        zh, divider, en = cell.source.partition(DIVIDER)
        assert divider, cell.source
        assert CHINESE.search(zh), cell.source
        assert en.strip(), cell.source
        assert not CHINESE.search(en), cell.source
