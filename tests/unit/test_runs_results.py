import json
import math

import numpy as np
import pandas as pd
import pytest

from institute_lib import disclosure, parameters, runs
from institute_lib.errors import DisclosureError, ParameterError
from institute_lib.runs import places

PLAN = """
areas = ["320600", "320612", "320613"]
[notebooks.01_first]
[notebooks.02_second]
[notebooks.06_last]
after = ["01_first", "02_second"]
reads = "peers"
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    monkeypatch.delenv("INSTITUTE_JOB_FOLDER", raising=False)
    (tmp_path / "papermill_runs").mkdir()
    (tmp_path / "papermill_runs" / "quarterly.toml").write_text(PLAN, encoding="utf-8")
    return tmp_path


def study(area="320613"):
    return parameters.study(area=area, quarter="2025Q4")


def leave(home, notebook, area, value, monkeypatch):
    """What a finished job leaves in its place."""
    private = home / "private"
    private.mkdir(exist_ok=True)
    monkeypatch.setenv("INSTITUTE_JOB_FOLDER", str(private))
    runs.record(study(area), notebook=notebook, headline="一句话", numbers={"rate": value}, demo=True)
    monkeypatch.delenv("INSTITUTE_JOB_FOLDER")
    for name in places.OUTPUTS:
        (private / name).touch()
    place = home / "papermill_runs" / "2025Q4" / notebook / area
    places.commit(private, place, {})
    return place


def test_a_recorded_result_is_written_into_the_job_folder(home, monkeypatch):
    monkeypatch.setenv("INSTITUTE_JOB_FOLDER", str(home))
    given = runs.record(
        study(), notebook="01_first", headline={"text": "句", "value": 0.12, "unit": "share"}, demo=True
    )
    assert json.loads((home / "result.json").read_text(encoding="utf-8")) == given


def test_outside_a_run_nothing_is_written(home):
    before = sorted(home.rglob("*"))
    assert runs.record(study(), notebook="01_first", headline="句", demo=True)["area"] == "320613"
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize(
    "given",
    [pd.DataFrame({"a": [1]}), pd.Series([1.0]), [1, 2], {"a": 1}, "12", np.array([1.0, 2.0])],
)
def test_only_plain_numbers_are_recorded(home, given):
    with pytest.raises(DisclosureError, match="numbers"):
        runs.record(study(), notebook="01_first", headline="句", numbers={"x": given}, demo=True)


def test_a_table_is_no_headline_and_a_list_no_finding(home):
    with pytest.raises(DisclosureError, match="headline"):
        runs.record(study(), notebook="n", headline={"text": pd.DataFrame({"a": [1]})}, demo=True)
    with pytest.raises(DisclosureError, match="findings"):
        runs.record(study(), notebook="n", headline="句", findings=[{"text": ["a"]}], demo=True)


def test_an_unknown_key_of_the_headline_is_refused_with_the_nearest(home):
    with pytest.raises(ParameterError, match="did you mean 'value'"):
        runs.record(study(), notebook="n", headline={"text": "句", "valeu": 1}, demo=True)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, pd.NA])
def test_a_figure_that_is_not_there_becomes_null(home, value):
    assert runs.record(study(), notebook="n", headline="句", numbers={"x": value}, demo=True)["numbers"] == {"x": None}


def test_numpy_numbers_become_plain_ones(home):
    numbers = runs.record(
        study(), notebook="n", headline="句", numbers={"a": np.int64(3), "b": np.float64(0.5)}, demo=True
    )["numbers"]
    assert json.loads(json.dumps(numbers)) == {"a": 3, "b": 0.5}


def test_sources_and_the_demo_mark_come_from_the_safe_tables(home):
    safe = disclosure.exempt(
        pd.DataFrame({"district": ["320613"], "stations": [4]}), reason="published", source="某报", demo=True
    )
    given = runs.record(study(), notebook="n", headline="句", safe=[safe, safe])
    assert (given["demo"], given["sources"]) == (True, ["某报"])


def test_a_bare_frame_is_not_safe(home):
    with pytest.raises(DisclosureError, match="safe holds a DataFrame"):
        runs.record(study(), notebook="n", headline="句", safe=[pd.DataFrame({"a": [1]})], demo=True)


def test_results_hold_what_is_there_and_name_what_is_missing(home, monkeypatch):
    leave(home, "01_first", "320613", 0.2, monkeypatch)
    leave(home, "01_first", "320612", 0.3, monkeypatch)
    failed = leave(home, "02_second", "320613", 0.4, monkeypatch)
    places.write_json(failed / places.FAILURE, {"kind": "ValueError"})
    found = runs.results("2025Q4", "320613")
    assert list(found) == ["01_first"]
    assert ("320613", "02_second", "failed") in found.missing
    assert ("320612", "02_second", "not_run") in found.missing
    assert "崇川区 02_second" in found.summary("zh")
    numbers = found.numbers().set_index("area")["value"]
    assert numbers.to_dict() == {"320613": 0.2, "320612": 0.3}


def test_results_of_nothing_are_empty_frames_with_their_columns(home):
    found = runs.results("2025Q4", "320600")
    assert found.to_frame().empty
    assert list(found.numbers().columns) == ["area", "notebook", "name", "value"]
    assert len(found.missing) == 6


def test_a_result_whose_file_was_tampered_with_is_not_used(home, monkeypatch):
    place = leave(home, "01_first", "320613", 0.2, monkeypatch)
    (place / places.RESULT).write_text('{"numbers": {"rate": 0.9}}')
    assert "01_first" not in runs.results("2025Q4", "320613")
