"""A new notebook: from a title to a file with its sections and an entry in the plan, or one refusal and nothing."""

import json
import re
import shutil

import nbformat
import pytest

from institute_lib import cli, parameters, paths, runs
from institute_lib.errors import ParameterError

PLAN = paths.PACKAGE.parent / "papermill_runs" / "quarterly.toml"
SECTIONS = ("参数", "数据", "结果", "结论")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    (tmp_path / "papermill_runs").mkdir()
    (tmp_path / "notebooks").mkdir()
    shutil.copy(PLAN, tmp_path / "papermill_runs")
    for path in (paths.PACKAGE.parent / "notebooks").glob("0*.ipynb"):
        shutil.copy(path, tmp_path / "notebooks")
    return tmp_path


def test_a_new_notebook_has_its_sections_its_parameters_and_no_leftover_field(home):
    path = runs.new_notebook("收入差距 / Income gap")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert path.name == "08_income_gap.ipynb"
    assert text.startswith("# 08 收入差距 / Income gap")
    assert re.findall(r"^## ([\u4e00-\u9fff]+)$", text, re.MULTILINE) == list(SECTIONS)
    assert parameters.schema(path).names == ("area", "quarter", "language", "as_of")
    assert not re.search(r"TITLE_|NOTEBOOK_NAME|\bNUMBER\b", text)
    assert len({cell["id"] for cell in notebook.cells}) == len(notebook.cells)


def test_it_stands_in_the_institutes_own_plan_whose_comments_are_kept(home):
    before = paths.plan().read_bytes()
    paths.own_plan().write_text("# ours\nareas = ['320613']\n", encoding="utf-8")
    runs.new_notebook("收入差距 / Income gap")
    assert paths.own_plan().read_text(encoding="utf-8") == "# ours\nareas = ['320613']\n\n[notebooks.08_income_gap]\n"
    assert (runs.load_plan().notebooks[-1].name, runs.load_plan().areas) == ("08_income_gap", ("320613",))
    assert paths.plan().read_bytes() == before


def test_the_next_one_gets_the_next_number(home):
    runs.new_notebook("甲 / First")
    assert runs.new_notebook("乙 / Second").stem == "09_second"


@pytest.mark.parametrize(
    ("title", "stem", "heading"),
    [
        ("收入差距", "08_question", "# 08 收入差距 / Question 08"),
        ("Income gap", "08_income_gap", "# 08 Income gap（请填中文题目） / Income gap"),
    ],
)
def test_a_title_in_one_language_leaves_the_other_to_be_filled_in(home, title, stem, heading):
    path = runs.new_notebook(title)
    assert path.stem == stem
    assert nbformat.read(path, as_version=4).cells[0].source == heading


@pytest.mark.parametrize(
    ("title", "name", "said"),
    [
        ("", "", "title ''"),
        ("a / b / c", "", "one line"),
        ("字" * 61, "", "60 characters"),
        ('引"号', "", "quotation marks"),
        ("第一行\n第二行", "", "one line"),
        ("数据 / Data", "Data Quality", "lower-case letters"),
        ("数据 / Data", "../data", "lower-case letters"),
        ("数据 / Data quality", "", "taken by 01_data_quality"),
    ],
)
def test_a_wrong_title_or_name_is_refused_and_nothing_is_written(home, title, name, said):
    before = sorted(home.rglob("*")), paths.plan().read_bytes()
    with pytest.raises(ParameterError, match=said):
        runs.new_notebook(title, name=name)
    assert (sorted(home.rglob("*")), paths.plan().read_bytes()) == before


def test_a_backslash_in_a_title_stays_text(home):
    path = runs.new_notebook("甲\\n乙 / A\\B")
    compile("".join(json.loads(path.read_text(encoding="utf-8"))["cells"][4]["source"]), "words", "exec")


def test_without_a_plan_the_command_says_so_and_writes_nothing(home, capsys):
    paths.plan().unlink()
    assert cli.main(["new", "收入差距 / Income gap"]) == 2
    assert "没有计划" in capsys.readouterr().err
    assert len(list(paths.notebooks().iterdir())) == 7


def test_the_command_says_where_it_is_and_how_to_try_it(home, capsys):
    assert cli.main(["new", "收入差距 / Income gap", "--language", "en"]) == 0
    said = capsys.readouterr().out
    assert "08_income_gap.ipynb" in said
    assert "run 2025Q4 --notebooks 08_income_gap" in said
