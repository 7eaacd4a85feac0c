import nbformat
import pytest

from institute_lib import parameters
from institute_lib.errors import ParameterError

CORE = 'area = "320600"  # 地区 / area\nquarter = "2025Q4"\nlanguage = "zh"\nas_of = ""\n'


def notebook(folder, source, tags=("parameters",)):
    cell = nbformat.v4.new_code_cell(source)
    cell.metadata["tags"] = list(tags)
    path = folder / "09_example.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


def test_parameters_are_read_with_their_explanations(tmp_path):
    path = notebook(tmp_path, CORE + 'design = "pilot"  # 研究设计 {pilot, staggered} / study design\n')
    schema = parameters.schema(path)
    design = schema.parameters[-1]
    assert schema.names == ("area", "quarter", "language", "as_of", "design")
    assert (design.help_zh, design.help_en, design.allowed) == ("研究设计", "study design", ("pilot", "staggered"))


def test_the_parameters_cell_is_never_executed(tmp_path):
    marker = tmp_path / "executed"
    source = CORE + f"__import__('pathlib').Path({str(marker)!r}).touch()\n"
    with pytest.raises(ParameterError, match="line 5"):
        parameters.schema(notebook(tmp_path, source))
    assert not marker.exists()


def test_a_misspelt_name_is_refused_with_the_nearest_one(tmp_path):
    schema = parameters.schema(notebook(tmp_path, CORE))
    with pytest.raises(ParameterError, match="did you mean 'quarter'"):
        schema.check({"quater": "2025Q4"})


def test_a_name_that_is_code_is_refused(tmp_path):
    schema = parameters.schema(notebook(tmp_path, CORE))
    with pytest.raises(ParameterError, match="no parameter"):
        schema.check({"area; import os": "1"})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("area", "320699", "320699"),
        ("area", "320000", "allowed: a city or a district"),
        ("quarter", "2025Q5", "write it as 2025Q4"),
        ("quarter", "2025-4", "write it as 2025Q4"),
        ("language", "fr", "allowed: zh, en"),
        ("as_of", "2025-02-30", "no such day"),
        ("as_of", "31.12.2025", "write a day as"),
        ("as_of", "2024-12-31", "before 2025Q4 begins"),
        ("quarter", 2025, "is a int; allowed: str"),
    ],
)
def test_a_core_value_that_is_not_allowed_is_refused(tmp_path, name, value, message):
    schema = parameters.schema(notebook(tmp_path, CORE))
    with pytest.raises(ParameterError, match=message):
        schema.check({name: value})


def test_a_value_outside_the_listed_ones_is_refused(tmp_path):
    schema = parameters.schema(notebook(tmp_path, CORE + 'design = "pilot"  # 设计 {pilot, staggered} / design\n'))
    with pytest.raises(ParameterError, match="did you mean 'staggered'"):
        schema.check({"design": "stagered"})


def test_a_notebook_without_a_parameters_cell_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="0 cells are tagged"):
        parameters.schema(notebook(tmp_path, CORE, tags=()))


def test_a_missing_core_parameter_is_named(tmp_path):
    with pytest.raises(ParameterError, match="must declare as_of"):
        parameters.schema(notebook(tmp_path, CORE.replace('as_of = ""\n', "")))


def test_a_study_knows_its_districts_and_its_last_day():
    study = parameters.study(area="320600", quarter="2025Q4")
    assert len(study.districts) == 7
    assert study.as_of == "2025-12-31"
    assert study.title == "南通市 · 2025年四季度"
    assert parameters.study(area="崇川区", quarter="2025Q1").districts == ("320613",)


def test_a_quarter_outside_the_data_is_refused_with_the_range():
    with pytest.raises(ParameterError, match="the data cover 2024Q1 to 2024Q2"):
        parameters.check_quarter("2025Q1", ("2024Q1", "2024Q2"))
