"""What a researcher sees when a cell ends with a result, and when it ends with an error of ours."""

import re
from dataclasses import dataclass

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from institute_lib import charts, parameters, policy
from institute_lib.charts import lab
from institute_lib.errors import DataError, Fault
from institute_lib.results import ROWS, Result


@dataclass(frozen=True)
class Small(Result):
    frame: pd.DataFrame
    warnings: tuple[str, ...] = ("a <b>warning</b>",)

    def summary(self, language: str = "zh") -> str:
        return {"zh": "结果<1>", "en": "A result < 1"}[language]

    def to_frame(self) -> pd.DataFrame:
        return self.frame


@pytest.fixture
def shell():
    made = InteractiveShell.instance()
    charts.load_ipython_extension(made)
    yield made
    InteractiveShell.clear_instance()


@pytest.fixture(scope="module")
def effect():
    rows = [
        (unit, f"{year}Q{k}", 10 + i + (1.5 if i == 0 and year == 2024 else 0) + (year * (i + 1) + k * k) % 3)
        for i, unit in enumerate("abcdef")
        for year in (2021, 2022, 2023, 2024)
        for k in (1, 2, 3, 4)
    ]
    panel = pd.DataFrame(rows, columns=["unit", "quarter", "y"])
    return policy.pilot(panel, outcome="y", unit="unit", period="quarter", treated_unit="a", start="2024Q1")


def test_a_result_says_its_sentence_in_both_languages_its_warnings_and_its_first_rows():
    frame = pd.DataFrame({"district": ["<i>x</i>"] * 50, "estimate": [1234.56789] * 50})
    html = Small(frame)._repr_html_()
    for words in ("结果&lt;1&gt;", "A result &lt; 1", "&lt;b&gt;warning", "区县", "1,235", f"另有{50 - ROWS}行"):
        assert words in html
    assert html.count("&lt;i&gt;x") == ROWS
    assert not re.search(r"<b>|<i>", html)


def test_an_estimate_shows_itself_as_a_table(effect):
    assert effect.summary("zh").replace("<", "&lt;") in effect._repr_html_()
    assert "<table" in effect._repr_html_()


def test_the_projects_kernel_shows_an_estimate_with_its_figure(shell, effect):
    with capture_output() as shown:
        shell.display_formatter.format(effect)
    kinds = [set(one.data) for one in shown.outputs]
    assert "text/html" in kinds[0]
    assert lab.__name__ == "institute_lib.charts.lab"
    assert {"application/vnd.plotly.v1+json", charts.CHART_MIME} <= kinds[1]


def test_every_kind_of_result_that_is_drawn_exists_under_its_name():
    from importlib import import_module

    for module, name in lab.DRAWN:
        assert issubclass(getattr(import_module(module), name), Result)


def test_an_error_of_ours_is_one_panel_with_the_readers_own_line(shell):
    source = "from institute_lib import parameters\n\nparameters.study(area='崇州区', quarter='2025Q4')"
    with capture_output() as shown:
        result = shell.run_cell(source)
    lines = "\n".join(result.error_in_exec._render_traceback_()).splitlines()
    assert len(lines) <= 6
    assert "ParameterError" in lines[0]
    assert "did you mean" in " ".join(lines)
    assert lines[-1] == "line 3: parameters.study(area='崇州区', quarter='2025Q4')"
    assert "Traceback" not in shown.stdout + shown.stderr
    assert "study.py" not in shown.stdout


def test_the_panel_of_faulty_data_lists_the_faults():
    faults = [Fault("workers", row, "kind", "x", "not allowed", "use agency") for row in range(3)]
    with pytest.raises(DataError) as raised:
        raise DataError("workers: 3 faults", tuple(faults))
    lines = "\n".join(raised.value._render_traceback_()).splitlines()
    assert sum("use agency" in line for line in lines) == 3


def test_the_public_names_are_found_by_completion():
    assert {"study", "schema"} <= set(dir(parameters))
