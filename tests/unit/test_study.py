"""The notebook's one object: what it loads, shows and says carries its sources, marks and protection."""

import json

import pandas as pd
import pytest
import statsmodels.formula.api as smf

from institute_lib import areas, retention, sharing, tables
from institute_lib.brief.blocks import METHODS, OPENING, SOURCES
from institute_lib.errors import DataError, DisclosureError, ParameterError
from institute_lib.result import Measure
from institute_lib.runs import exchange
from institute_lib.study import Study
from tests.offices import keep
from tests.rows import WORKER

CHONGCHUAN = "320613"


@pytest.fixture(autouse=True)
def displayed(monkeypatch):
    """What the cells show, as their MIME bundles; and a job that has read nothing yet."""
    found: list[dict] = []
    monkeypatch.setattr("IPython.display.display", lambda one: found.append(one._repr_mimebundle_()))
    sharing.forget_reads()
    yield found
    sharing.forget_reads()


@pytest.fixture
def home(demo_home, tmp_path, monkeypatch):
    """The demo's tables, and a folder beside the notebook for files of one's own."""
    monkeypatch.setenv("INSTITUTE_HOME", str(demo_home))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def study(home) -> Study:
    return Study(area=CHONGCHUAN, quarter="2025Q4")


def described(folder, *, row: str, **frame) -> None:
    pd.DataFrame(frame).to_csv(folder / "my.csv", index=False)
    (folder / "my.toml").write_text(
        f'title = "各县居民收入 / Incomes"\nsource = "统计年鉴，表3-2"\nrow = "{row}"\n', encoding="utf-8"
    )


def test_a_table_is_loaded_for_the_districts_that_reported_and_notes_its_read(study):
    here, city = study.load("workers"), study.load("workers", scope="city")
    assert set(here["district"]) == {CHONGCHUAN}
    assert set(city["district"]) == set(study.city_reports.districts)
    assert "320623" not in set(city["district"])  # Rudong has not reported
    noted = [read for read in sharing.reads_so_far() if read.name == "workers"]
    assert any(read.source == "demo" and read.personal and read.absent == ("320623",) for read in noted)


def test_what_is_shown_says_demo_source_and_title_though_nobody_typed_them(study, displayed):
    study.show(retention.turnover(study.load("workers", scope="city")))
    chart = displayed[0]["application/vnd.institute.chart+json"]
    assert chart["demo"]
    assert chart["source"] == "演示数据（从业人员登记），截至2025年12月31日"
    assert "演示" in json.dumps(chart["figure"], ensure_ascii=False)


def test_the_village_population_makes_a_brief_a_demo_too(study, displayed):
    study.load("stations")
    study.load("village_population")
    study.say("{area}的站点分布均匀。")
    study.keep(
        n=study.view(tables.reporting_rate([CHONGCHUAN], quarter="2025Q4", as_of="2025-12-31")).figure("reported")
    )
    study.close(headline="n")
    assert next(one[OPENING] for one in displayed if OPENING in one)["demo"]


def test_a_plain_table_cannot_be_shown_and_the_error_says_which_call_to_write(study):
    with pytest.raises(DisclosureError, match=r"study\.table\(frame, by="):
        study.show(study.load("workers").head())


def test_an_own_table_of_persons_counts_them_itself(study):
    workers = study.load("workers")
    twice = pd.concat([workers, workers])  # everyone on two rows
    own = study.table(twice, by="kind", measures=[Measure("persons", "count")], from_=[workers])
    assert own.frame["persons"].sum() == workers.groupby("kind")["worker_id"].nunique().sum()
    assert own.provenance.personal
    assert set(own.frame["kind"]) >= {"community", "agency", "drug", "school"}


def test_an_empty_group_of_a_closed_vocabulary_reads_as_a_small_one(study):
    agency = study.load("workers").query("kind == 'agency'")
    shown = study.show(study.table(agency, by="kind", measures=[Measure("persons", "count")], from_=[agency]))
    assert shown.figure("persons", kind="drug").cell("zh") == "<10"


def test_a_share_of_persons_comes_from_a_column_of_true_and_false(study):
    workers = study.load("workers")
    frame = workers.assign(graduate=workers["education"].isin(["bachelor", "master"]))
    share = Measure("graduates", "share", of=("graduate", "persons"), interval="wilson")
    shown = study.show(study.table(frame, by="kind", measures=[share], from_=[workers]))
    true = frame.groupby("kind").apply(
        lambda one: one.loc[one["graduate"], "worker_id"].nunique() / one["worker_id"].nunique()
    )
    assert shown.figure("graduates", kind="community").value == pytest.approx(true["community"], abs=0.01)
    with pytest.raises(ParameterError, match="true and false"):
        study.table(frame, by="kind", measures=[Measure("x", "share", of=("gender", "persons"))], from_=[workers])


def test_a_frame_without_persons_in_a_job_that_read_persons_is_refused(study):
    workers = study.load("workers")
    counted = workers.groupby("kind").size().rename("n").reset_index()
    with pytest.raises(DisclosureError, match="without the number of persons"):
        study.table(counted, by="kind", measures=[Measure("n", "count")], from_=[workers])


def test_a_number_of_persons_typed_by_the_author_is_a_declaration_for_the_gate(study):
    workers = study.load("workers")
    counted = workers.groupby("kind").size().rename("n").reset_index()
    study.table(counted, by="kind", measures=[Measure("n", "count")], from_=[workers], persons="n", title="人数")
    assert "人数列 n 由作者填写" in next(read for read in sharing.reads_so_far() if read.kind == "declared").name


def test_a_typed_table_is_of_unknown_source_personal_and_declared(study):
    typed = pd.DataFrame({"kind": ["agency", "drug"], "n": [40, 3]})
    result = study.table(typed, by="kind", measures=[Measure("n", "count")], persons="n", title="手工表")
    shown = study.show(result)
    assert (shown.source, shown.figure("n", kind="drug").cell("zh")) == ("来源不明", "<10")
    assert any(read.source == "unknown" for read in sharing.reads_so_far())


def test_a_described_file_of_places_is_shown_exactly_with_its_source(home, displayed):
    described(home, row="place", district=["320613", "320685"], income=[51234.5, 48765.4])
    study = Study(area="320600", quarter="2025Q4")
    incomes = study.load("my.csv")
    shown = study.show(
        study.table(incomes, by="district", measures=[Measure("income", "number", digits=1)]), chart="bars"
    )
    assert shown.figure("income", district="320613").words("zh") == "51,234.5"
    assert shown.source == "各县居民收入，统计年鉴，表3-2"
    assert str(home / "my.csv") in {
        read.name for read in sharing.reads_so_far()
    }  # a change of it makes the brief stale
    assert str(home / "my.toml") in {read.name for read in sharing.reads_so_far()}


def test_a_file_without_a_description_holds_persons_and_its_source_is_unknown(home):
    pd.DataFrame({"district": ["320613"], "n": [3]}).to_csv(home / "my.csv", index=False)
    study = Study(area="320600", quarter="2025Q4")
    frame = study.load("my.csv")
    with pytest.raises(DisclosureError, match="persons"):
        study.table(frame, by="district", measures=[Measure("n", "count")])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [('title = "a"\nsource = "b"\nrow = "row"', "row"), ('title = "a"\nrow = "place"', "source"), ("title = ", "TOML")],
)
def test_a_description_that_says_something_else_is_refused(home, text, wrong):
    described(home, row="place", district=["320613"], n=[3])
    (home / "my.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=wrong):
        Study(area="320600", quarter="2025Q4").load("my.csv")


def test_a_file_that_is_nowhere_names_where_it_was_looked_for(study, home):
    with pytest.raises(DataError, match=str(home)):
        study.load("nowhere.csv")


def test_a_sentence_takes_protected_figures_alone(study):
    turnover = study.view(retention.turnover(study.load("workers", scope="city")))
    said = study.say("{area}年离职率{rate}。", rate=turnover.figure("turnover", district=CHONGCHUAN))
    assert said == f"崇川区年离职率{turnover.figure('turnover', district=CHONGCHUAN).words('zh')}。"
    with pytest.raises(DisclosureError, match="plain number"):
        study.say("{n}人离开。", n=37)
    with pytest.raises(DisclosureError, match="37"):
        study.say("其中37人离开。")


def test_closing_without_a_finding_or_with_an_unknown_headline_is_refused(study):
    with pytest.raises(ParameterError, match="no finding"):
        study.close(headline="x")
    study.say("{area}无变化。")
    with pytest.raises(ParameterError, match="'rate'"):
        study.close(headline="rate")


def test_closing_leaves_opening_sources_and_a_result_with_the_status_of_each_figure(
    study, displayed, tmp_path, monkeypatch
):
    folder = tmp_path / "08_x" / "private"
    folder.mkdir(parents=True)
    monkeypatch.setenv(exchange.JOB_VARIABLE, str(folder))
    shown = study.show(retention.turnover(study.load("workers", scope="city")))
    study.say("{area}年离职率{rate}。", rate=shown.figure("turnover", district=CHONGCHUAN))
    study.note("区间为泊松精确区间。")
    study.close(headline="rate")
    kinds = {mime for one in displayed for mime in one}
    assert {OPENING, METHODS, SOURCES} <= kinds
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert (result["notebook"], result["demo"], result["partial"]) == ("08_x", True, True)
    assert result["figures"]["rate"]["state"] == "shown"
    assert result["headline"]["words"] == shown.figure("turnover", district=CHONGCHUAN).words("zh")


def test_a_fitted_regression_is_shown_without_its_intercept_and_counts_persons(study):
    workers = study.load("workers").dropna(subset=["birth_year"])
    agency = workers[workers["kind"] == "agency"].assign(
        tenure=lambda d: (pd.Timestamp("2025-12-31") - d["entered"]).dt.days
    )
    fitted = smf.ols("tenure ~ C(gender) + birth_year", agency).fit()
    shown = study.show(fitted)
    assert "Intercept" not in set(shown.data["term"])
    assert shown.figure("estimate", term="birth_year", level="").value == pytest.approx(
        fitted.params["birth_year"], rel=0.01
    )


def test_a_regression_with_a_parameter_for_every_person_shows_nothing(study):
    few = study.load("workers").head(14).assign(y=range(14))
    with pytest.raises(DisclosureError, match="every row"):
        study.show(smf.ols("y ~ C(worker_id)", few).fit())
    shown = study.show(smf.ols("y ~ gender * kind * education * field", few).fit())
    assert shown.data["estimate"].isna().all()


def test_a_map_of_an_own_indicator_draws_every_county_of_the_province(home, displayed):
    codes = [area.code for area in areas.districts("320000")]
    described(home, row="place", district=codes, income=[40_000.0 + 100 * i for i, _ in enumerate(codes)])
    study = Study(area="320600", quarter="2025Q4")
    study.show(
        study.table(study.load("my.csv"), by="district", measures=[Measure("income", "number", digits=0)]),
        chart="map",
        title="居民收入",
    )
    chart = displayed[0]["application/vnd.institute.chart+json"]
    assert len(chart["table"]["rows"]) == len(codes)
    assert chart["svg"]


def test_for_internal_use_counts_from_ten_up_are_exact_and_the_brief_says_so(study, displayed, monkeypatch):
    monkeypatch.setenv(exchange.AUDIENCE_VARIABLE, "internal")
    workers = study.load("workers")
    shown = study.show(study.table(workers, by="kind", measures=[Measure("persons", "count")], from_=[workers]))
    count = workers.loc[workers["kind"] == "community", "worker_id"].nunique()
    study.say("社区工作者{n}人。", n=shown.figure("persons", kind="community"))
    study.close(headline="n")
    assert shown.figure("persons", kind="community").value == count
    assert next(one[OPENING] for one in displayed if OPENING in one)["exact"]
    assert "不得对外" in " ".join(shown.notes("zh"))


COUNT = [Measure("persons", "count")]


def test_a_table_with_one_row_a_person_is_refused_by_every_key(study):
    workers = study.load("workers").assign(
        name=lambda d: "张" + d["worker_id"].str[-4:], pay=lambda d: 5000.0 + d.index
    )
    with pytest.raises(DisclosureError, match="a row would be a person"):
        study.table(workers, by="worker_id", measures=COUNT, from_=[workers])
    for key in ("name", "pay"):
        with pytest.raises(DisclosureError, match="fewer than 10 persons stand behind every row"):
            study.show(study.table(workers, by=key, measures=COUNT, from_=[workers]))


def test_a_row_of_few_persons_named_by_free_words_is_left_out_and_that_is_said(study):
    workers = study.load("workers")
    group = pd.Series("年长", index=workers.index).where(workers.index > 2, "王小明")
    shown = study.show(study.table(workers.assign(group=group), by="group", measures=COUNT, from_=[workers]))
    assert list(shown.data["group"]) == ["年长"]
    assert "1 rows with fewer than 10 persons" in " ".join(shown.methods) or "有1行背后不足10人" in " ".join(
        shown.methods
    )


def test_a_text_measure_of_few_persons_is_hidden_and_six_digits_are_an_area_or_refused(study):
    workers = study.load("workers")
    found = pd.DataFrame({"kind": ["agency", "drug"], "n": [40, 1], "education": ["master", "master"]})
    measures = [Measure("n", "count"), Measure("education", "text")]
    shown = study.show(study.table(found, by="kind", measures=measures, from_=[workers], persons="n"))
    assert [shown.text(place, "education") for place in (0, 1)] == ["硕士及以上", "＊"]
    assert shown.data["education"].isna().tolist() == [False, True]
    coded = found.assign(education=["005012", "005013"])
    with pytest.raises(DisclosureError, match="005012"):
        study.show(study.table(coded, by="kind", measures=measures, from_=[workers], persons="n"))


def test_counting_ids_or_the_mean_of_a_yes_or_no_gives_no_exact_count_of_persons(study):
    workers = study.load("workers").assign(left_now=lambda d: d["left"].notna().astype(int))
    with pytest.raises(ParameterError, match="counts persons"):
        study.table(workers, by="kind", measures=[Measure("n", "count", counts="worker_id")], from_=[workers])
    for unit in ("number", "ratio"):
        with pytest.raises(ParameterError, match="exact count"):
            study.table(workers, by="kind", measures=[Measure("left_now", unit)], from_=[workers])


def test_nearly_all_of_a_group_reads_as_a_bound_as_a_count_too(study):
    workers = study.load("workers").query("kind == 'agency'")
    most = workers.assign(flag=range(len(workers)))
    most["flag"] = most["flag"] >= 3
    shown = study.show(
        study.table(most, by="kind", measures=[Measure("persons", "count"), Measure("flag", "count")], from_=[workers])
    )
    assert shown.figure("flag", kind="agency").state == "above"


@pytest.mark.parametrize(
    "words",
    [
        "三 名女性离职。",
        "叁名女性离职。",
        "俩人离职。",
        "离职者占百分之三。",
        "共③人。",
        "`3`人离职。",
        "&#51;人离职。",
        "Three women left.",
        "three agency workers left.",
        "代表3人。",
        "x3人。",
    ],
)
def test_a_number_in_disguise_is_no_finding(study, words):
    with pytest.raises(DisclosureError):
        study.say(words)


@pytest.mark.parametrize(("unit", "n"), [("名", "三"), ("人", "000007"), ("人", "0007Q1")])
def test_words_filled_into_a_sentence_make_no_number_with_what_follows(study, unit, n):
    with pytest.raises(DisclosureError):
        study.say("有{n}{unit}离职。", n=n, unit=unit)


def test_figures_are_kept_under_plain_names_and_only_protected_ones(study):
    rate = study.view(retention.turnover(study.load("workers", scope="city"))).figure("turnover", district=CHONGCHUAN)
    with pytest.raises(DisclosureError, match="cannot name a figure"):
        study.keep(**{"DEMO-000001 earns 5012": rate})
    with pytest.raises(DisclosureError, match="plain number"):
        study.keep(rate=3)
    with pytest.raises(DisclosureError, match="plain number"):
        study.view(retention.turnover(study.load("workers", scope="city"))).derive(7.0, "count")


def test_options_of_a_drawing_hold_no_number_and_no_source(study):
    turnover = retention.turnover(study.load("workers", scope="city"))
    with pytest.raises(ParameterError, match="source"):
        study.show(turnover, chart="bars", source="省厅公布")
    with pytest.raises(DisclosureError, match="'3'"):
        study.show(turnover, chart="map", others="3人离职")


def test_a_file_of_places_with_persons_in_it_is_refused(home):
    study = Study(area="320600", quarter="2025Q4")
    for column, values in (("worker_id", ["a1", "a2"]), ("who", ["DEMO-000001", "DEMO-000002"])):
        described(home, row="place", **{"district": ["320613", "320685"], column: values})
        with pytest.raises(DataError, match=column):
            study.load("my.csv")


def test_a_register_read_past_the_library_is_still_of_persons(home, demo_home):
    described(home, row="place", district=["320613", "320685"], income=[1.5, 2.5])
    study = Study(area="320600", quarter="2025Q4")
    study.load("my.csv")
    workers = pd.read_parquet(demo_home / "data" / "demo" / "workers.parquet").drop_duplicates("worker_id")
    few = workers.groupby("kind").head(3)
    shown = study.show(study.table(few, by="kind", measures=COUNT))
    assert {shown.figure("persons", kind=one).cell("zh") for one in few["kind"]} == {"<10"}


def test_a_file_with_one_row_a_person_is_counted_by_its_rows(home):
    described(home, row="person", kind=["agency"] * 12 + ["drug"] * 3)
    study = Study(area="320600", quarter="2025Q4")
    shown = study.show(study.table(study.load("my.csv"), by="kind", measures=COUNT))
    assert [shown.figure("persons", kind=one).cell("zh") for one in ("agency", "drug")] == ["10", "<10"]


def test_codes_of_areas_and_leading_zeros_stay_text_under_any_column_name(home):
    described(home, row="place", county=["320613", "320685"], number=["007", "012"], score=[1, 2])
    frame = Study(area="320600", quarter="2025Q4").load("my.csv")
    assert frame["county"].tolist() == ["320613", "320685"]
    assert frame["number"].tolist() == ["007", "012"]
    assert frame["score"].sum() == 3


def test_two_groups_that_differ_by_one_person_do_not_give_that_person_by_a_regression(study):
    workers = study.load("workers").dropna(subset=["birth_year"]).head(300).reset_index(drop=True)
    workers = workers.assign(
        y=workers.index % 17.0, one=(workers.index < 50).astype(int), two=(workers.index < 49).astype(int)
    )
    shown = study.show(smf.ols("y ~ one + two + birth_year", workers).fit())
    assert shown.figure("estimate", term="one", level="").state == "hidden"
    assert shown.figure("estimate", term="two", level="").state == "hidden"
    assert shown.figure("estimate", term="birth_year", level="").state == "shown"


def test_a_regression_names_the_group_of_comparison_and_no_worker(study, displayed):
    workers = study.load("workers").dropna(subset=["birth_year"]).assign(y=lambda d: d.index % 17)
    shown = study.show(smf.ols("y ~ gender + birth_year", workers).fit())
    assert shown.figure("persons", term="gender", level="female").value > 0
    notes = displayed[-1]["application/vnd.institute.chart+json"]["notes"]
    assert "参照组——性别：女。" in notes
    with pytest.raises(DisclosureError, match="every row"):
        study.show(smf.ols("y ~ C(worker_id)", workers.head(14)).fit())


def test_an_own_measure_has_its_words_and_digits_and_an_own_brief_waits_for_no_register(home, displayed):
    described(home, row="place", district=["320613", "320685"], score=[51.25, 48.5])
    study = Study(area="320600", quarter="2025Q4", language="en")
    score = Measure("score", "number", digits=1, label="服务得分 / Access score")
    shown = study.show(study.table(study.load("my.csv"), by="district", measures=[score]), chart="map")
    chart = displayed[0]["application/vnd.institute.chart+json"]
    assert (chart["title"], "48.5" in chart["alt"], "48.50" in chart["alt"]) == ("Access score", True, False)
    study.say("得分{score}。", en="It is {score}.", score=shown.figure("score", district="320613"))
    study.close(headline="score")
    opening = next(one[OPENING] for one in displayed if OPENING in one)
    assert len(opening["findings"]) == 1  # no word of districts that have not reported: no register was read


def test_a_day_of_knowledge_is_said_and_the_quarter_described_stays_its_own(home, displayed):
    study = Study(area=CHONGCHUAN, quarter="2025Q4", as_of="2026-03-01")
    assert (study.known, study.as_of) == ("2026-03-01", "2025-12-31")
    assert study.load("workers").attrs["as_of"] == "2025-12-31"
    assert {one.known for one in sharing.reads_so_far() if one.kind == "tables"} == {"2026-03-01"}
    earlier = Study(area=CHONGCHUAN, quarter="2025Q4", as_of="2025-11-15")
    assert earlier._described == "2025-11-15"


def test_the_methods_say_which_day_each_districts_own_register_describes(project, displayed):
    for district, day in (("320613", "2025-12-31"), ("320614", "2025-12-30")):
        keep(project, "workers", pd.DataFrame([WORKER | {"worker_id": district, "district": district}]), day)
    city = Study(area="320600", quarter="2025Q4")
    city.load("workers")
    assert "从业人员登记所述日期：2025年12月31日（崇川区）；2025年12月30日（海门区）。" in city._methods
    one = Study(area=CHONGCHUAN, quarter="2025Q4", language="en")
    one.load("workers")
    assert "Workers: the day described is 31 December 2025." in one._methods


@pytest.fixture
def running(study, tmp_path, monkeypatch):
    """The study as a job of a run, in a project of its own, and where its last released pages would lie."""
    place = tmp_path / "papermill_runs" / "2025Q4" / "03_retention_drivers" / ".private"
    place.mkdir(parents=True)
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    monkeypatch.setenv(exchange.JOB_VARIABLE, str(place))
    return tmp_path / "papermill_runs" / "2025Q4" / "released"


def released(folder, number: str, *findings: str) -> None:
    page = folder / number / "03_retention_drivers" / CHONGCHUAN / "brief.html"
    page.parent.mkdir(parents=True)
    items = "".join(f"<li>{one}</li>" for one in findings)
    page.write_text(f"<html><section class='findings'><ol>{items}</ol></section></html>", encoding="utf-8")


def test_a_brief_says_which_sentences_of_its_last_release_have_changed(study, running):
    assert study._revision(["甲。"]) == "本简报尚未放行过，没有修订。"
    released(running, "2025Q4-9", "丙。")
    released(running, "2025Q4-10", "甲。", "乙。")
    assert study._revision(["甲。"]) == "放行稿2025Q4-10中的这些话已改：乙。"
    assert study._revision(["甲。", "乙。"]) == "与放行稿2025Q4-10的主要发现相同。"


def test_the_briefs_of_a_run_link_to_each_other_the_one_page_first(study, running):
    plan = running.parents[1] / "quarterly.toml"
    plan.write_text(
        'areas = ["320600", "320613"]\n[notebooks.02_policy]\nareas = ["320600"]\n'
        '[notebooks.03_retention_drivers]\n[notebooks.06_page]\nafter = ["02_policy"]\n',
        encoding="utf-8",
    )
    addresses = [one["href"] for one in study.links]
    assert addresses == ["../../06_page/320613/brief.html", "../../02_policy/320600/brief.html"]
