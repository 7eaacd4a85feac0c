"""The one page: its status rule, its words, and what it says where little is known."""

import pytest

from institute_lib import areas, overview, sharing
from institute_lib.brief.blocks import TILES
from institute_lib.errors import DataError, ParameterError
from institute_lib.runs.exchange import Results
from institute_lib.sharing import Read
from institute_lib.study import Earlier, Study

CITY, CHONGCHUAN, HAIMEN = "320600", "320613", "320614"
NOW, BEFORE = "2025Q4", "2024Q4"


def said(area, value, *, quarter=NOW, width=0.02, indicator="turnover", state="shown", unit="share"):
    """One recorded figure, with an interval of so many units to either side."""
    interval = [None, None] if width is None or value is None else [value - width, value + width]
    figure = {"value": value, "unit": unit, "state": state, "limit": None, "error": 0.001, "digits": None}
    return {
        "indicator": indicator,
        "area": area,
        "quarter": quarter,
        "words": str(value),
        "interval": interval,
        **figure,
    }


@pytest.fixture
def page_of(demo_home, monkeypatch):
    """The page of an area whose retention brief recorded some figures, and what its cells display."""
    monkeypatch.setenv("INSTITUTE_HOME", str(demo_home))
    shown: list[dict] = []
    monkeypatch.setattr("IPython.display.display", lambda one: shown.append(one._repr_mimebundle_()))

    def make(*recorded, area=CHONGCHUAN, tiles=("turnover",), language="zh"):
        study = Study(area=area, quarter=NOW, language=language)
        result = {"demo": True, "indicators": list(recorded), "sources": []}

        def results(quarter=""):
            sharing.note_read(Read("earlier", "03", source="result", title="demo"))
            around = {area: {"03_retention_drivers": result} if quarter in ("", NOW) else {}}
            return Earlier(Results(area, quarter or NOW, language, around))

        monkeypatch.setattr(study, "results", results)
        page = overview.page(study, tiles=list(tiles))
        page.show()
        return page, shown[-1][TILES]

    return make


@pytest.fixture
def set_targets(demo_home, tmp_path, monkeypatch):
    """Put a line into the institute's own targets, in a project of their own beside the demo's tables."""

    def put(line: str) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "targets.csv").write_text(f"indicator,area,target,source\n{line}\n", encoding="utf-8")
        monkeypatch.setattr("institute_lib.paths.root", lambda: tmp_path)
        monkeypatch.setattr("institute_lib.paths.demo", lambda: demo_home / "data" / "demo")

    return put


@pytest.mark.parametrize(
    ("before", "city", "status"),
    [
        (0.20, 0.20, "normal"),
        (0.10, 0.20, "watch"),
        (0.20, 0.10, "watch"),
        (0.10, 0.10, "alert"),
        (0.14, 0.14, "normal"),  # within the intervals
        (None, None, ""),
    ],
)
def test_the_status_follows_last_year_and_the_city_beyond_the_intervals(page_of, before, city, status):
    recorded = [said(CHONGCHUAN, 0.15)]
    recorded += [said(CHONGCHUAN, before, quarter=BEFORE), said(CITY, city)] if before else []
    _, content = page_of(*recorded)
    assert content["tiles"][0]["status"] == status
    assert len(content["advice"]) == (status in ("watch", "alert"))


def test_a_rate_of_which_less_is_better_is_no_alert_where_it_falls(page_of):
    recorded = [
        said(CHONGCHUAN, 0.9, indicator="stability"),
        said(CHONGCHUAN, 0.8, quarter=BEFORE, indicator="stability"),
    ]
    _, content = page_of(*recorded, tiles=["stability"])
    assert content["tiles"][0]["status"] == "normal"
    assert content["tiles"][0]["change"] == "比上年同期上升10.0个百分点"


@pytest.mark.parametrize(("target", "status"), [(0.16, "normal"), (0.14, "watch"), (0.10, "alert")])
def test_a_target_of_the_institute_comes_before_the_comparison(page_of, set_targets, target, status):
    set_targets(f"turnover,崇川区,{target},年度工作要点")
    _, content = page_of(said(CHONGCHUAN, 0.15), said(CHONGCHUAN, 0.05, quarter=BEFORE))
    assert content["tiles"][0]["status"] == status
    assert "目标" in content["rule"]


@pytest.mark.parametrize(
    ("line", "error", "words"),
    [
        ("turnover,,low,要点", DataError, "第2行的目标“low”"),
        ("turnover,,,要点", DataError, "第2行的目标“”"),
        ("turnovr,,0.1,要点", ParameterError, "turnovr"),
    ],
)
def test_a_wrong_target_is_named_with_its_row(set_targets, line, error, words):
    set_targets(line)
    with pytest.raises(error) as raised:
        overview._targets()
    assert words in raised.value.say("zh")


def test_targets_in_another_encoding_are_refused_with_one_sentence(set_targets, tmp_path):
    set_targets("turnover,崇川区,0.1,要点")
    file = tmp_path / "data" / "targets.csv"
    file.write_bytes(file.read_text(encoding="utf-8").encode("gb18030"))
    with pytest.raises(DataError) as raised:
        overview._targets()
    assert "targets.csv" in raised.value.say("zh")


def test_a_target_of_an_indicator_that_is_neither_good_nor_bad_judges_nothing(page_of, set_targets):
    people = {"indicator": "average_headcount", "unit": "count", "width": None}
    set_targets("average_headcount,,500,要点")
    _, content = page_of(said(CHONGCHUAN, 400, **people), tiles=["average_headcount"])
    assert (content["tiles"][0]["status"], content["advice"]) == ("", [])


def test_a_place_in_the_city_is_named_only_where_the_intervals_are_apart(page_of):
    districts = [one.code for one in areas.districts(CITY)]
    far = [said(code, 0.30) for code in districts if code != CHONGCHUAN]
    _, content = page_of(said(CHONGCHUAN, 0.10), *far, said(CITY, 0.28))
    assert content["tiles"][0]["standing"] == f"居全市{len(districts)}个区县第1位"
    near = [said(code, 0.11) for code in districts if code != CHONGCHUAN]
    _, content = page_of(said(CHONGCHUAN, 0.10), *near, said(CITY, 0.11))
    assert content["tiles"][0]["standing"] == "与全市（11.0%）没有明显差别"


def test_a_city_is_shown_with_the_range_of_its_districts(page_of):
    _, content = page_of(said(CITY, 0.2), said(CHONGCHUAN, 0.15), said(HAIMEN, 0.25), area=CITY)
    assert content["tiles"][0]["standing"] == "各区县在15.0%至25.0%之间"


def test_a_figure_of_few_people_stands_as_its_bound_and_is_not_judged(page_of):
    few = said(CHONGCHUAN, None, state="below") | {"limit": 0.05}
    page, content = page_of(few, said(CITY, 0.2))
    assert content["tiles"][0]["value"] == "不足5.0%"
    assert content["tiles"][0]["status"] == ""
    assert page.peers is not None
    page.say()
    assert page.study._said == ["崇川区2025年四季度年离职率不足5.0%。"]


def test_a_district_that_never_reported_still_gets_a_page(page_of):
    page, content = page_of()
    assert content["tiles"][0]["value"] == "暂无"
    assert page.peers is None
    page.say()
    assert "还没有可读的结果" in page.study._said[0]


def test_sentences_name_their_subject_period_and_unit(page_of):
    page, _ = page_of(said(CHONGCHUAN, 0.15), said(CHONGCHUAN, 0.18, quarter=BEFORE), said(CITY, 0.151))
    page.say()
    assert page.study._said == [
        "崇川区2025年四季度年离职率为15.0%，比上年同期下降3.0个百分点，与全市（15.1%）没有明显差别。"
    ]
    page, _ = page_of(said(CHONGCHUAN, 0.15), said(CITY, 0.151), language="en")
    page.say()
    assert str(page.study._said[0]).startswith("Annual turnover in Chongchuan District, Q4 2025: 15.0%")


def test_a_sparkline_needs_three_quarters(page_of):
    quarters = ("2025Q1", "2025Q2", "2025Q3")
    _, content = page_of(said(CHONGCHUAN, 0.15), *(said(CHONGCHUAN, 0.16, quarter=one) for one in quarters))
    assert content["tiles"][0]["past"] == [0.16, 0.16, 0.16, 0.15]
    _, content = page_of(said(CHONGCHUAN, 0.15), said(CHONGCHUAN, 0.16, quarter="2025Q3"))
    assert content["tiles"][0]["past"] == []


def test_the_tile_map_shows_the_first_indicator_alone(page_of):
    recorded = [said(CHONGCHUAN, 0.15, indicator=name) for name in ("average_headcount", "turnover")]
    recorded[0]["value"] = 0.045
    _, content = page_of(*recorded, said(CITY, 0.3), tiles=["turnover"])
    own = next(one for one in content["map"] if one["own"])
    assert (own["value"], own["standing"]) == ("15.0%", "better")


def test_a_districts_sum_is_not_judged_by_that_of_its_city(page_of):
    people = {"indicator": "exam_passed", "unit": "count", "width": None}
    _, content = page_of(said(CHONGCHUAN, 80, **people), said(CITY, 900, **people), tiles=["exam_passed"])
    assert (content["tiles"][0]["status"], content["tiles"][0]["standing"]) == ("", "")


def test_a_count_is_worse_only_beyond_chance(page_of):
    people = {"indicator": "exam_passed", "unit": "count", "width": None}
    for now, status in ((395, "normal"), (365, "watch")):
        recorded = [said(CHONGCHUAN, now, **people), said(CHONGCHUAN, 425, quarter=BEFORE, **people)]
        _, content = page_of(*recorded, tiles=["exam_passed"])
        assert content["tiles"][0]["status"] == status


def test_an_indicator_of_a_year_names_the_year_and_not_the_quarter(page_of):
    people = {"indicator": "exam_passed", "unit": "count", "width": None}
    page, _ = page_of(
        said(CHONGCHUAN, 480, **people), said(CHONGCHUAN, 400, quarter=BEFORE, **people), tiles=["exam_passed"]
    )
    page.say()
    assert page.study._said == ["崇川区2025年考试通过人数为480人，比上年增长20.0%。"]


def test_a_place_among_some_districts_says_that_they_are_those_that_reported(page_of):
    districts = [one.code for one in areas.districts(CITY)][:4]
    far = [said(code, 0.30) for code in districts if code != CHONGCHUAN]
    _, content = page_of(said(CHONGCHUAN, 0.10), *far, said(CITY, 0.28))
    assert content["tiles"][0]["standing"] == f"居已报送的{len({*districts, CHONGCHUAN})}个区县第1位"


def test_the_headline_is_that_of_the_first_sentence_and_the_title_names_the_area(page_of):
    recorded = [said(CHONGCHUAN, 0.15), said(CHONGCHUAN, 0.5, indicator="village_coverage")]
    recorded += [
        said(CHONGCHUAN, 0.16, quarter=BEFORE),
        said(CHONGCHUAN, 0.9, indicator="village_coverage", quarter=BEFORE),
    ]
    page, content = page_of(*recorded, tiles=["turnover", "village_coverage"])
    page.say()
    assert page.headline == "village_coverage"
    assert "社工室覆盖率为50.0%" in page.study._said[0]
    assert content["title"] == "崇川区社会工作人才一页纸"


def test_a_district_says_whom_its_citys_figures_leave_out(page_of):
    page, _ = page_of(said(CHONGCHUAN, 0.15), said(CITY, 0.2) | {"absent": [HAIMEN]})
    assert page.missing == ("全市数未计入海门区。",)
