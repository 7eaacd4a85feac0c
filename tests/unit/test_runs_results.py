import pytest

from institute_lib import runs
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


def leave(home, notebook, area, value):
    """What a finished job leaves in its place."""
    private = home / "private"
    private.mkdir(exist_ok=True)
    figure = {"value": value, "unit": "share", "state": "shown", "limit": None, "error": 0.0, "digits": None}
    content = {
        "demo": True,
        "partial": False,
        "sources": ["S"],
        "numbers": {"rate": value},
        "figures": {"rate": figure},
    }
    content["headline"] = {"text": "一句话", "value": value, "unit": "share"}
    places.write_json(private / places.RESULT, content)
    for name in places.OUTPUTS:
        (private / name).touch()
    place = home / "papermill_runs" / "2025Q4" / notebook / area
    places.commit(private, place, {})
    return place


def test_results_hold_what_is_there_and_name_what_is_missing(home):
    leave(home, "01_first", "320613", 0.2)
    leave(home, "01_first", "320612", 0.3)
    failed = leave(home, "02_second", "320613", 0.4)
    places.write_json(failed / places.FAILURE, {"kind": "ValueError"})
    found = runs.results("2025Q4", "320613")
    assert list(found) == ["01_first"]
    assert ("320613", "02_second", "failed") in found.missing
    assert ("320612", "02_second", "not_run") in found.missing
    assert "崇川区 02_second" in found.summary("zh")
    assert found.to_frame().set_index("area")["value"].to_dict() == {"320613": 0.2, "320612": 0.3}


def test_results_of_nothing_are_empty_frames_with_their_columns(home):
    found = runs.results("2025Q4", "320600")
    assert found.to_frame().empty
    assert len(found.missing) == 6


def test_a_result_whose_file_was_tampered_with_is_not_used(home):
    place = leave(home, "01_first", "320613", 0.2)
    (place / places.RESULT).write_text('{"numbers": {"rate": 0.9}}')
    assert "01_first" not in runs.results("2025Q4", "320613")
