"""Single figures and sentences: none leaves a study of persons that disclosure control has not judged."""

import copy
import json
import pickle

import pandas as pd
import pytest

from institute_lib import brief, disclosure, parameters, release, runs, terms
from institute_lib.disclosure import SafeFigure, SafeSentence
from institute_lib.errors import DisclosureError, ParameterError
from institute_lib.release import ledger

CITY, DISTRICTS = "320600", ("320612", "320613", "320614", "320623", "320681", "320682", "320685")
PASSED = dict(zip(DISTRICTS, (300, 280, 4, 150, 190, 120, 90), strict=True))  # four in Tongzhou


@pytest.fixture
def job(tmp_path, monkeypatch):
    """A running job that has read the register of workers."""
    monkeypatch.setenv("INSTITUTE_JOB_FOLDER", str(tmp_path))
    monkeypatch.setenv("INSTITUTE_READS", str(tmp_path / "reads"))
    read = {"kind": "tables", "name": "workers", "as_of": "", "districts": []}
    (tmp_path / "reads").write_text(json.dumps(read) + "\n", encoding="utf-8")
    return tmp_path


def study(area=CITY):
    return parameters.study(area=area, quarter="2025Q4")


def passes() -> disclosure.SafeTable:
    """Passes of a city and its districts, as every notebook of the city makes them."""
    rows = [{"year": 2025, "district": code, "passed": n, "sat": 4 * n} for code, n in PASSED.items()]
    rows.append({"year": 2025, "district": CITY, "passed": sum(PASSED.values()), "sat": 4 * sum(PASSED.values())})
    frame = pd.DataFrame(rows)
    frame["pass_rate"] = frame["passed"] / frame["sat"]
    units = {"passed": "count", "pass_rate": "share"}
    named = {"rows": ["year", "district"], "value": list(units), "contributors": "passed", "units": units}
    return disclosure.protect(frame, **named, source="考试登记")


# figures


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"value": 9, "n": 9, "unit": "count"}, "few_persons"),
        ({"value": 10, "n": 10, "unit": "count"}, ""),
        ({"value": 0, "n": 0, "unit": "count"}, ""),
        ({"value": 95, "n": 95, "of": 100, "unit": "count"}, "few_persons"),
        ({"value": 0.05, "n": 100, "unit": "share"}, "small_share"),
        ({"value": 0.95, "n": 100, "unit": "share"}, "small_share"),
        ({"value": 0.10, "n": 100, "unit": "share"}, ""),
        ({"value": 1.0, "n": 100, "unit": "share"}, ""),
        ({"value": 5200.0, "n": 400, "employers": 2, "unit": "yuan"}, "few_employers"),
        ({"value": 5200.0, "n": 400, "employers": 3, "unit": "yuan"}, ""),
    ],
)
def test_a_single_figure_passes_under_the_rules_of_a_table(asked, reason):
    figure = disclosure.protect_figure(**asked)
    assert (figure.reason, figure.hidden, figure.value is None) == (reason, bool(reason), bool(reason))


def test_more_persons_than_there_are_is_refused():
    with pytest.raises(ParameterError, match="n = 12 persons of 11"):
        disclosure.protect_figure(12, n=12, of=11)


def test_an_exempt_figure_says_where_it_comes_from():
    assert disclosure.exempt_figure(3671, reason="published", source="某报", unit="count").words("zh") == "3,671"
    with pytest.raises(DisclosureError, match="source"):
        disclosure.exempt_figure(3671, reason="published", source="")
    with pytest.raises(ParameterError, match="not_personal"):
        disclosure.exempt_figure(1, reason="personal", source="某报")


@pytest.mark.parametrize("kind", [SafeFigure, SafeSentence])
def test_nobody_else_makes_a_figure_or_a_sentence(kind):
    with pytest.raises(DisclosureError, match="made by disclosure"):
        kind(object(), "5")


def test_a_figure_of_a_table_is_hidden_where_the_table_hides_it():
    table = passes()
    figure = table.figure("passed", year=2025, district="320614")
    assert (figure.value, figure.status, figure.reason) == (None, "primary", "few_persons")
    assert (figure.words("zh"), figure.words("en")) == ("未列出", "not listed")
    assert table.figure("passed", year=2025, district=CITY).value == sum(PASSED.values())
    assert table.figure("passed", year=2020, district=CITY).status == "missing"
    with pytest.raises(ParameterError, match="8 rows"):
        table.figure("passed", year=2025)
    with pytest.raises(ParameterError, match="district"):
        table.figure("passed", distrct=CITY)


def test_the_rows_of_one_area_stay_as_hidden_as_they_are_in_the_table_of_all():
    table = passes()
    hidden = {code for code in DISTRICTS if table.figure("passed", year=2025, district=code).hidden}
    assert "320614" in hidden
    assert len(hidden) == 2
    for code in hidden:
        own = table.where(district=code)
        assert own.rows == ("year",)
        assert own.figure("passed", year=2025).hidden


def test_what_follows_from_figures_is_hidden_where_one_of_them_is():
    table = passes()
    whole, small = (table.figure("passed", year=2025, district=code) for code in (CITY, "320614"))
    assert [(whole - small).hidden, whole.growth(small).hidden, (small - whole).words("zh")] == [True, True, "未列出"]
    half = disclosure.derive(lambda one: one / 2, whole, unit="number1")
    assert half.value == sum(PASSED.values()) / 2
    shares = [disclosure.protect_figure(one, n=1000, unit="share") for one in (0.30, 0.25)]
    assert (shares[0] - shares[1]).words("zh") == terms.points(0.05, "zh")
    with pytest.raises(DisclosureError, match="derive: a int"):
        disclosure.derive(max, whole, 4)


# sentences


def test_a_hidden_figure_reads_not_listed_in_its_sentence():
    table = passes()
    rate = table.figure("pass_rate", year=2025, district="320614")
    parts = {"passed": table.figure("passed", year=2025, district="320614"), "pass_rate": rate}
    said = disclosure.sentence("talent.funnel", "zh", area="崇川区", year="2025", **parts, interval=(rate, rate))
    assert said == "崇川区2025年职业资格考试参考人员中通过未列出，通过率未列出（95%区间未列出）。"
    assert isinstance(said, SafeSentence)


@pytest.mark.parametrize("part", [4, 4.0, "4人", "４人", "约 4.5%", "3,671"])
def test_a_number_that_nobody_judged_enters_no_sentence(part):
    with pytest.raises(DisclosureError, match="sentence"):
        disclosure.sentence("talent.all_districts", "zh", name=part)


@pytest.mark.parametrize(
    "words", ["崇川区", "2025Q4", "2025年第四季度", "2025年12月31日", "31 December 2025", "Q4 2025", "320613"]
)
def test_names_and_times_are_no_numbers(words):
    assert disclosure.sentence("talent.all_districts", "zh", name=words)


def test_a_template_of_ones_own_holds_no_number_either():
    figure = disclosure.protect_figure(0.25, n=1000, unit="share")
    assert disclosure.sentence("{n}在岗（95%区间）。", "zh", n=figure) == "25.0%在岗（95%区间）。"
    with pytest.raises(DisclosureError, match="template"):
        disclosure.sentence("4人在岗，{n}。", "zh", n=figure)


def test_what_is_cut_out_of_a_sentence_or_read_from_a_file_is_plain_text_again():
    said = disclosure.protect_sentence("共有400人。", persons=400)
    assert isinstance(copy.deepcopy(said), SafeSentence)
    for plain in (said[:3], said + "4人", pickle.loads(pickle.dumps(said))):
        assert not isinstance(plain, SafeSentence)


def test_a_sentence_of_a_small_group_is_not_said():
    said = disclosure.protect_sentence("甲组4人，乙组80人。", persons=pd.Series([4, 80]))
    assert said == terms.text("disclosure.too_few", "zh", threshold=10)


# what a study records


def test_a_study_of_persons_records_no_plain_number(job):
    for given in ({"numbers": {"passed": 4}}, {"headline": {"text": "句", "value": 0.4}}, {"findings": [{"n": 4}]}):
        with pytest.raises(DisclosureError, match="protect_figure"):
            runs.record(study(), **{"notebook": "05_x", "headline": "句", "demo": True} | given)
    assert not (job / "result.json").exists()


@pytest.mark.parametrize("given", [{"headline": "通过4人。"}, {"headline": "句", "findings": ["通过 4 人。"]}])
def test_nor_a_sentence_with_one(job, given):
    with pytest.raises(DisclosureError, match="holds the number '4'"):
        runs.record(study(), notebook="05_x", **given, demo=True)


def test_it_records_figures_with_how_they_were_protected(job):
    table = passes()
    small, whole = (table.figure("passed", year=2025, district=code) for code in ("320614", CITY))
    sentence = disclosure.sentence("{n}人通过。", "zh", n=small)
    notes = ["如东县尚未报送2025年第四季度数据。"]
    numbers = {"a": small, "b": whole, "c": None}
    runs.record(study(), notebook="05_x", headline=sentence, findings=notes, numbers=numbers, demo=True)
    left = json.loads((job / "result.json").read_text(encoding="utf-8"))
    assert left["numbers"] == {"a": None, "b": sum(PASSED.values()), "c": None}
    assert left["protection"]["a"] == {"status": "primary", "reason": "few_persons", "unit": "count"}
    assert left["headline"]["text"] == "未列出通过。"


def test_nor_does_a_brief_open_with_one(job):
    head = {"title": "简报", "demo": True}
    with pytest.raises(DisclosureError, match="a finding holds the number '4'"):
        brief.opening(study(), findings=["通过4人。"], **head)
    figure = disclosure.protect_figure(400, n=400, unit="count")
    said = [disclosure.sentence("{n}人通过。", "zh", n=figure), "如东县尚未报送2025年第四季度数据。"]
    assert brief.opening(study(), findings=said, **head).content["findings"] == ["400人通过。", said[1]]


def test_a_study_of_stations_records_plain_numbers_still(job):
    read = {"kind": "tables", "name": "stations", "as_of": "", "districts": []}
    (job / "reads").write_text(json.dumps(read) + "\n", encoding="utf-8")
    assert runs.record(study(), notebook="04_x", headline="41个站。", numbers={"stations": 41}, demo=True)


# the attack: the city's recorded number less those of its other districts


def attacker(numbers: dict[str, int | None]) -> tuple[float, float]:
    """What the numbers recorded by all areas of a run tell of Tongzhou: nothing below zero is hidden."""
    hidden = [code for code in DISTRICTS if numbers[code] is None]
    left = numbers[CITY] - sum(numbers[code] for code in DISTRICTS if numbers[code] is not None)
    return (0.0 if len(hidden) > 1 else left), left


def test_plain_numbers_of_a_city_and_its_districts_give_a_small_one_away():
    """Each brief by itself hides what is small; held together they do not."""
    alone = {code: None if n < 10 else n for code, n in PASSED.items()} | {CITY: sum(PASSED.values())}
    assert attacker(alone) == (4, 4)
    rows = pd.concat(
        ledger.from_result(
            {
                "area": area,
                "quarter": "2025Q4",
                "numbers": {"exam_passed": n},
                "protection": {"exam_passed": {"status": "primary" if n is None else "shown", "unit": "count"}},
            },
            table=f"05_x/{area} result.json",
        )
        for area, n in alone.items()
    )
    (found,) = release.audit(None, rows)
    assert (found.rule, found.what) == ("audit_margins", "4")
    assert "320614" in found.where


def test_figures_of_one_protected_table_do_not():
    table = passes()
    figures = {code: table.figure("passed", year=2025, district=code) for code in (*DISTRICTS, CITY)}
    low, high = attacker({code: figure.value for code, figure in figures.items()})
    assert (low, high >= 10) == (0, True)
    rows = pd.concat(
        ledger.from_result(
            {
                "area": area,
                "quarter": "2025Q4",
                "numbers": {"exam_passed": figure.value},
                "protection": {"exam_passed": {"status": figure.status, "unit": figure.unit}},
            },
            table=f"05_x/{area} result.json",
        )
        for area, figure in figures.items()
    )
    assert release.audit(None, rows) == []


def test_a_recorded_number_of_an_earlier_quarter_stands_under_that_quarter():
    result = {
        "area": CITY,
        "quarter": "2025Q4",
        "numbers": {"stability": 0.8, "stability_last_year": 0.7, "stability_last_quarter": None},
        "protection": {
            "stability": {"status": "shown", "unit": "share"},
            "stability_last_year": {"status": "shown", "unit": "share"},
            "stability_last_quarter": {"status": "missing", "unit": "share"},
        },
    }
    rows = ledger.from_result(result, table="t")
    assert rows[["indicator", "quarter", "value"]].to_numpy().tolist() == [
        ["stability", "2025Q4", 0.8],
        ["stability", "2024Q4", 0.7],
    ]


# what the overview shows of them


def figures() -> pd.DataFrame:
    rows = [
        ("320613", "stability", 0.8, "shown", "", "share"),
        ("320613", "exam_passed", float("nan"), "primary", "few_persons", "count"),
        ("320614", "stability", 0.7, "shown", "", "share"),
        ("320614", "exam_passed", 40.0, "shown", "", "count"),
    ]
    return pd.DataFrame(rows, columns=["area", "name", "value", "status", "reason", "unit"])


def test_a_table_of_recorded_figures_marks_the_hidden_one_and_counts_as_protected():
    table = disclosure.recorded(figures(), rows="area", columns=["stability", "exam_passed"], source="各简报")
    assert table.method == "suppress"
    shown = disclosure.show.view(table, "zh")
    assert [row[1:] for row in shown["rows"]] == [["80.0%", "＊"], ["70.0%", "40"]]
    assert terms.text("disclosure.reason_few_persons", "zh", threshold=10) in shown["notes"]


def test_figures_without_a_status_are_not_taken_for_recorded_ones():
    with pytest.raises(DisclosureError, match="status"):
        disclosure.recorded(figures()[["area", "name", "value"]], rows="area", columns=["stability"])
