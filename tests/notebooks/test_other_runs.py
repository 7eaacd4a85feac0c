"""The same notebooks on other inputs: an early quarter, a district that is late, altered registers, another panel."""

import importlib.util
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from institute_lib import areas, indicators, talent, terms

POLICY, RETENTION, COVERAGE, TALENT = (
    "02_policy_evaluation",
    "03_retention_drivers",
    "04_station_coverage",
    "05_talent_pipeline",
)
CITY, CHONGCHUAN, RUDONG = "320600", "320613", "320623"
SUZHOU, TAICANG, OVERVIEW, SERVICES = "320500", "320585", "06_quarterly_overview", "07_services"
PROJECT = Path(__file__).parents[2]
FACTS = ("indicator", "stated", "period", "source")
PLAN = """
areas = ["320600"]
[notebooks.02_policy_evaluation.parameters]
policy_id = ""
panel = '{panel}'
outcome = "packs"
unit = "state"
period = "year"
treated_unit = "California"
start = "1989"
"""


def minus(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


# --- an early quarter -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["2024Q4", "2019Q2"])
def early(request, workshop, demo_home):
    """The policy notebook in a quarter that has not one full quarter of the pilot."""
    return workshop.run(demo_home, quarter=request.param, areas=(CITY,), notebooks=(POLICY,))


def test_before_the_pilot_the_policy_notebook_says_so_and_estimates_nothing_of_it(early):
    result = early.result(POLICY, CITY)
    not_begun = terms.text("policy.not_begun", "zh", quarter=terms.quarter(early.quarter, "zh"))
    assert early.findings(POLICY, CITY)[0] == not_begun
    assert result["headline"]["text"] == not_begun
    assert result["headline"]["value"] is None
    assert result["numbers"]["pilot_effect"] is None
    assert terms.text("policy.effects_table", "zh") not in early.tables(POLICY, CITY)


def test_the_staggered_programme_is_estimated_once_a_county_has_adopted_it(early):
    estimated = early.result(POLICY, CITY)["numbers"]["staggered_effect"] is not None
    charts = [title.get_text() for title in early.page(POLICY, CITY).select("figcaption")]
    title = terms.text("policy.programme", "zh", outcome=terms.label("certified_share", "zh"))
    drawn = any(title in one for one in charts)
    assert estimated is drawn is (early.quarter == "2024Q4")


# --- a district that has not reported ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def late(workshop):
    """Rudong, which has not reported 2025Q4, and the overview that reads its results."""
    overview = "06_quarterly_overview"
    return workshop.run(workshop.home("late"), areas=(RUDONG,), notebooks=(RETENTION, COVERAGE, overview))


@pytest.mark.parametrize("notebook", [RETENTION, COVERAGE])
def test_a_district_that_has_not_reported_shows_its_last_quarter_and_says_so(late, notebook):
    result = late.result(notebook, RUDONG)
    assert result["partial"] is True
    name, quarter = areas.get(RUDONG).name("zh"), terms.quarter("2025Q3", "zh")
    assert terms.text("tables.absent", "zh", names=name, quarter=quarter) in late.findings(notebook, RUDONG)
    figure = {RETENTION: "turnover", COVERAGE: "village_coverage"}[notebook]
    assert result["numbers"][figure] is None


def test_the_one_page_of_a_late_district_is_of_its_last_quarter_and_says_so(late):
    page = late.page("06_quarterly_overview", RUDONG)
    name, quarter = areas.get(RUDONG).name("zh"), terms.quarter("2025Q3", "zh")
    assert terms.text("tables.absent", "zh", names=name, quarter=quarter) in page.get_text()
    own = next(one for one in page.select(".tilemap li") if name in one.text)
    assert quarter in late.findings("06_quarterly_overview", RUDONG)[0]
    assert page.select_one(".tile .value").text in own.text


# --- nothing is typed in ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def altered(workshop):
    """Chongchuan in a home where one row of each of four registers differs from the demo's, and a published figure."""
    home = workshop.home("altered", alter)
    return workshop.run(home, areas=(CHONGCHUAN,), notebooks=(POLICY, RETENTION, COVERAGE, TALENT, OVERVIEW))


def alter(demo: Path) -> None:
    """Five workers leave, five candidates pass, a village loses its only room, a share is five points higher."""
    workers = pd.read_parquet(demo / "workers.parquet")
    staying = (workers["district"] == CHONGCHUAN) & workers["left"].isna() & (workers["entered"] < "2024-01-01")
    first = workers.index[staying][:5]
    workers.loc[first, "left"], workers.loc[first, "leave_reason"] = pd.Timestamp("2025-11-03"), "left_field"
    workers.to_parquet(demo / "workers.parquet")

    exams = pd.read_parquet(demo / "exams.parquet")
    failed = (exams["district"] == CHONGCHUAN) & (exams["exam_date"] >= "2025-01-01") & exams["sat"] & ~exams["passed"]
    exams.loc[exams.index[failed][:5], "passed"] = True
    exams.to_parquet(demo / "exams.parquet")

    stations = pd.read_parquet(demo / "stations.parquet")
    rooms = (stations["district"] == CHONGCHUAN) & (stations["level"] == "village") & stations["closed"].isna()
    single = rooms & ~stations["village"].duplicated(keep=False)
    stations.loc[stations.index[single][0], "closed"] = pd.Timestamp("2025-12-15")
    stations.to_parquet(demo / "stations.parquet")

    # A copy of the published figures in which one passes more.
    shutil.copytree(PROJECT / "data" / "reference", demo.parent / "reference")
    facts = demo.parent / "reference" / "published_facts.csv"
    text = facts.read_text(encoding="utf-8")
    facts.write_text(text.replace("320600,2024,exam_passed,3671,", "320600,2024,exam_passed,3672,"), encoding="utf-8")

    panel = pd.read_parquet(demo / "district_panel.parquet")
    last = (panel["district"] == CHONGCHUAN) & (panel["quarter"] == "2025Q4")
    panel.loc[last, "certified_share"] += 0.05
    panel.to_parquet(demo / "district_panel.parquet")


def test_five_more_leavers_raise_turnover_by_what_five_are_worth(altered, quarter_zh):
    before, after = (run.result(RETENTION, CHONGCHUAN)["numbers"] for run in (quarter_zh, altered))
    # Turnover is that of rounded counts, and five more are five more in them.
    leavers = before["turnover"] * before["average_headcount"]
    assert after["turnover"] == pytest.approx((leavers + 5) / after["average_headcount"])
    assert terms.percent(after["turnover"], "zh") in altered.findings(RETENTION, CHONGCHUAN)[0]


def test_one_more_in_a_published_figure_is_one_more_in_the_brief(altered, quarter_zh):
    """Nantong's published passes of 2024, in the row beside Suzhou's, and the gap that follows from them."""
    title = terms.text("notebooks.yardstick_table", "zh")
    tables = [run.tables(TALENT, CHONGCHUAN)[title] for run in (quarter_zh, altered)]
    assert [one[terms.label("published_figure", "zh")].iloc[0] for one in tables] == ["3,671", "3,672"]
    assert [one[terms.label("gap", "zh")].iloc[1] for one in tables] == ["1,421", "1,420"]


def test_one_more_in_a_published_figure_is_one_more_in_the_overview_and_nothing_else_is(altered, quarter_zh):
    title = terms.text("overview.published", "zh")
    before, after = (run.tables(OVERVIEW, CHONGCHUAN)[title] for run in (quarter_zh, altered))
    changed = [
        (old, new) for old, new in zip(before.to_numpy().ravel(), after.to_numpy().ravel(), strict=True) if old != new
    ]
    assert changed == [("3,671", "3,672")]


def test_one_row_of_a_register_changes_the_one_page_by_what_it_is_worth(altered, quarter_zh):
    """Five more passes, five leavers more, one village less: in its tiles as in the briefs that they come from."""
    shown = [
        {
            next(tile.select_one(".name").children).strip(): tile.select_one(".value").text
            for tile in run.page(OVERVIEW, CHONGCHUAN).select(".tile")
        }
        for run in (quarter_zh, altered)
    ]
    name = {key: indicators.get(key).name["zh"] for key in ("exam_passed", "turnover", "village_coverage")}
    passed = [int(re.sub(r"\D", "", one[name["exam_passed"]])) for one in shown]
    assert passed[1] == passed[0] + 5
    for key, notebook in (("turnover", RETENTION), ("village_coverage", COVERAGE)):
        recorded = [run.result(notebook, CHONGCHUAN)["numbers"][key] for run in (quarter_zh, altered)]
        assert [one[name[key]] for one in shown] == [terms.percent(one, "zh") for one in recorded]


def test_five_more_passes_are_five_more_in_the_brief(altered, quarter_zh):
    before, after = (run.result(TALENT, CHONGCHUAN)["numbers"]["exam_passed"] for run in (quarter_zh, altered))
    assert after == before + 5
    assert terms.number(after, "zh") in altered.findings(TALENT, CHONGCHUAN)[1]


def test_a_closed_room_is_one_village_less(altered, quarter_zh):
    shares = [run.result(COVERAGE, CHONGCHUAN)["numbers"]["village_coverage"] for run in (quarter_zh, altered)]
    villages = areas.villages(CHONGCHUAN)
    listed = (~villages["village"].str[9].isin(["4", "5"])).sum()
    assert shares[0] - shares[1] == pytest.approx(1 / listed)
    assert terms.number(shares[1] * listed, "zh") in altered.findings(COVERAGE, CHONGCHUAN)[0]


def test_five_points_in_one_of_four_quarters_move_the_effect_by_a_quarter_of_them(altered, quarter_zh):
    before, after = (run.result(POLICY, CHONGCHUAN)["numbers"]["pilot_effect"] for run in (quarter_zh, altered))
    # The weights rest on what came before; counts go in fives, and the figure in three digits.
    assert after - before == pytest.approx(0.05 / 4, abs=0.001)
    assert terms.points(after, "zh") in altered.findings(POLICY, CHONGCHUAN)[0]


# --- the other city ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def suzhou(workshop):
    """The notebooks of talent and services and the overview for Suzhou and one of its districts."""
    home = workshop.home("suzhou")
    plan = home / "papermill_runs" / "suzhou.toml"
    whole = (home / "papermill_runs" / "quarterly.toml").read_text(encoding="utf-8")
    plan.write_text(re.sub(r"areas = \[[^]]*\]", f'areas = ["{SUZHOU}", "{TAICANG}"]', whole), encoding="utf-8")
    return workshop.run(home, areas=(SUZHOU, TAICANG), notebooks=(TALENT, SERVICES, OVERVIEW), plan=plan)


@pytest.mark.parametrize("area", [SUZHOU, TAICANG])
def test_suzhou_is_described_as_nantong_is(suzhou, area):
    name = areas.get(area).name("zh")
    assert name in suzhou.findings(OVERVIEW, area)[0]
    numbers = suzhou.result(TALENT, area)["numbers"] | suzhou.result(SERVICES, area)["numbers"]
    assert {"certified_in_post", "outcome_reached", "exam_passed"} <= set(numbers)
    assert numbers["exam_passed"] > 0


@pytest.mark.parametrize("notebook", [TALENT, OVERVIEW])
@pytest.mark.parametrize("area", [SUZHOU, TAICANG])
def test_every_published_figure_stands_in_the_other_citys_briefs_too(suzhou, notebook, area):
    text = suzhou.page(notebook, area).get_text()
    figures = talent.published_figures(areas.reference("published_facts"), "zh")
    assert len(figures) > 20
    lacking = [row for row in figures.to_dict("records") if not all(str(row[name]) in text for name in FACTS)]
    assert lacking == []


# --- a panel that is not ours -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def california(workshop):
    """The policy notebook on the panel of Proposition 99, by parameters alone."""
    home = workshop.home("california")
    panel, plan = home / "states.csv", home / "papermill_runs" / "california.toml"
    described = (
        'title = "Packs a head / Packs a head"\nsource = "Abadie, Diamond and Hainmueller 2010"\nrow = "place"\n'
    )
    workshop.once("california-panel", lambda place: cigarettes().to_csv(panel, index=False))
    panel.with_suffix(".toml").write_text(described, encoding="utf-8")
    plan.write_text(PLAN.format(panel=panel), encoding="utf-8")
    return workshop.run(home, areas=(CITY,), notebooks=(POLICY,), language="en", plan=plan)


def cigarettes() -> pd.DataFrame:
    """Packs a head by state and year, from the package that the replications read it from."""
    path = Path(__file__).parents[1] / "replication" / "policy_data.py"
    spec = importlib.util.spec_from_file_location("policy_data", path)
    data = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(data)
    return data.cigarettes()


def test_the_policy_notebook_finds_the_published_effect_of_proposition_99(california):
    """Arkhangelsky et al. (2021), table 1: −15.6 packs by synthetic difference-in-differences, from 38 states."""
    effect = california.result(POLICY, CITY)["numbers"]["pilot_effect"]
    assert effect == pytest.approx(-15.6, abs=0.05)
    finding = california.findings(POLICY, CITY)[0]
    assert "California" in finding
    assert minus(effect, 1) in finding
    table = california.tables(POLICY, CITY)[terms.text("policy.effects_table", "en")]
    row = table.iloc[0]
    assert row[terms.label("effect", "en")] == "−15.6"
    assert row[terms.label("n_donors", "en")] == "38"


def test_other_estimators_of_the_robustness_table_give_their_published_values(california):
    """The same table: difference-in-differences −27.3, synthetic control −19.6."""
    tables = california.tables(POLICY, CITY)
    title = terms.text("policy.choices", "en", outcome="packs")
    whole = tables[title][tables[title][terms.label("window", "en")] == terms.label("window_all", "en")]
    effects = whole.set_index(terms.label("method", "en"))[terms.label("effect", "en")]
    for method, published, tolerance in (("did", -27.3, 0.1), ("synthetic_control", -19.6, 0.15)):
        shown = effects[terms.label(method, "en")].replace("−", "-")
        assert float(shown) == pytest.approx(published, abs=tolerance)


def test_a_panel_without_a_ledger_row_is_exploratory_and_a_demo_since_its_job_read_the_demos_ledger(california):
    assert terms.text("policy.exploratory", "en") in california.findings(POLICY, CITY)
    assert california.page(POLICY, CITY).select("header .mark.demo")
    assert not re.search("Chongchuan|percentage|points", california.findings(POLICY, CITY)[0])


# --- policies that are not the pilot ----------------------------------------------------------------------------------


def evaluate_in(workshop, demo_home, quarter, policy_id):
    """The policy notebook on another row of the ledger, in a quarter of its own so that nothing is written over."""
    plan = demo_home / "papermill_runs" / f"{policy_id}.toml"
    plan.write_text(
        f'areas = ["{CITY}"]\n[notebooks.{POLICY}.parameters]\npolicy_id = "{policy_id}"\n', encoding="utf-8"
    )
    return workshop.run(demo_home, quarter=quarter, areas=(CITY,), notebooks=(POLICY,), plan=plan)


def test_suzhous_subsidy_is_evaluated_among_cities_and_nothing_is_concluded_from_eleven(workshop, demo_home):
    suzhou = evaluate_in(workshop, demo_home, "2025Q2", "suzhou_certificate_subsidy")
    finding = suzhou.findings(POLICY, CITY)[0]
    assert areas.get("320500").name_zh in finding
    assert terms.text("policy.unbounded", "zh") in finding
    effects = suzhou.tables(POLICY, CITY)[terms.text("policy.effects_table", "zh")]
    assert effects[terms.label("n_donors", "zh")].tolist() == ["11", "11"]


def test_a_policy_without_a_date_is_refused_with_the_reason(workshop, demo_home):
    undated = evaluate_in(workshop, demo_home, "2025Q1", "taicang_leading_talent")
    place = undated.place(POLICY, CITY)
    assert '"kind": "EstimationError"' in (place / "failure.json").read_text(encoding="utf-8")
    said = (place / "failed.ipynb").read_text(encoding="utf-8")
    assert "policy 'taicang_leading_talent' has no date in the ledger: no estimate until it has one" in said
