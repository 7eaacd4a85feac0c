"""Areas side by side, and contradictions between briefs, from what the jobs of a quarter recorded."""

import bs4
import pytest

from institute_lib.runs import compare, index, places
from institute_lib.runs.plan import Job, NotebookPlan, Plan

PLAN = Plan(
    areas=("320600", "320613", "320614"), notebooks=(NotebookPlan("01_first"), NotebookPlan("02_second", ("01_first",)))
)
RUN = {"started": "2026-01-05T02:00:00+08:00", "seconds": 12.3, "counts": {"done": 1, "current": 2, "failed": 0}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    return tmp_path / "papermill_runs" / "2025Q4"


def recorded(area, value, quarter="2025Q4"):
    interval = [value - 0.02, value + 0.02]
    words = f"{100 * value:.1f}%"
    figure = {"value": value, "words": words, "interval": interval, "digits": None, "unit": "share", "absent": []}
    figure |= {"state": "shown", "limit": None, "error": 0.001}
    return {"indicator": "turnover", "area": area, "quarter": quarter, **figure}


def leave(folder, notebook, area, *said):
    places.write_json(folder / notebook / area / places.RESULT, {"indicators": list(said)})


def page(folder, name):
    index.write(PLAN, quarter="2025Q4", folder=folder, run=RUN)
    return bs4.BeautifulSoup((folder / name).read_text(encoding="utf-8"), "html.parser")


def test_areas_stand_side_by_side_with_their_intervals_and_lines(folder):
    past = [recorded("320613", value, f"2025Q{n}") for n, value in enumerate((0.2, 0.18, 0.16), start=1)]
    leave(folder, "01_first", "320613", *past, recorded("320613", 0.15))
    leave(folder, "01_first", "320600", recorded("320600", 0.19))
    found = page(folder, compare.NAME)
    cells = {cell["data-of"]: cell for cell in found.select("tbody td")}
    assert set(cells) == {"320600", "320613"}
    assert cells["320613"].select_one(".value").text == "15.0%"
    assert "95%区间13.0至17.0%" in cells["320613"].text
    assert len(cells["320613"].select("polyline")) == 1
    assert not cells["320600"].select("polyline")
    assert page(folder, "index.html").select_one(f'a[href="{compare.NAME}"]')


def test_a_line_keeps_the_gap_of_a_quarter_without_the_figure():
    values = {"2024Q4": 0.2, "2025Q1": None, "2025Q2": 0.18, "2025Q4": 0.15, "2026Q1": 0.9}
    assert compare.past(values, "2025Q4") == (
        ("2024Q4", 0.2),
        ("2025Q1", None),
        ("2025Q2", 0.18),
        ("2025Q3", None),
        ("2025Q4", 0.15),
    )
    assert compare.past(values, "2025Q4", 4) == ()  # two are known in a year
    assert compare.past(values, "2025Q2") == ()


@pytest.mark.parametrize(("late", "words"), [((), "暂无"), (("320613",), "未报送")])
def test_an_area_without_the_figure_says_that_it_has_none_or_has_not_reported(folder, monkeypatch, late, words):
    monkeypatch.setattr(index, "not_reported", lambda plan, quarter: late)
    leave(folder, "01_first", "320600", recorded("320600", 0.19), recorded("320613", 0.15, "2024Q4"))
    cells = {cell["data-of"]: cell.text.strip() for cell in page(folder, compare.NAME).select("tbody td")}
    assert cells["320613"] == words


def test_a_count_stands_with_its_unit(folder):
    people = {"indicator": "average_headcount", "value": 3840, "unit": "count", "interval": [None, None]}
    leave(folder, "01_first", "320600", recorded("320600", 0.19) | people)
    leave(folder, "01_first", "320613", recorded("320613", 0.19))
    values = [one.text for one in page(folder, compare.NAME).select(".value")]
    assert "3,840人" in values


def test_one_area_alone_has_nothing_beside_it(folder):
    leave(folder, "01_first", "320613", recorded("320613", 0.15))
    assert not page(folder, "index.html").select(f'a[href="{compare.NAME}"]')
    assert not (folder / compare.NAME).exists()


def test_two_briefs_that_contradict_each_other_are_named_at_the_head_of_the_index(folder):
    leave(folder, "01_first", "320613", recorded("320613", 0.15))
    leave(folder, "02_second", "320613", recorded("320613", 0.16))
    trouble = page(folder, "index.html").select_one(".trouble").text
    assert "崇川区2025年四季度的“年离职率”在两份简报里不一样" in trouble
    assert f"{Job('01_first', '320613')} 15.0%" in trouble
    leave(folder, "02_second", "320613", recorded("320613", 0.15))
    assert not page(folder, "index.html").select(".trouble")


def test_the_one_page_comes_first_in_the_index(folder):
    heads = [head.text for head in page(folder, "index.html").select("thead th")]
    assert heads[1:] == ["02_second", "01_first"]
