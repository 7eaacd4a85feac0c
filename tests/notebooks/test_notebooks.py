"""The executed notebooks: each succeeds in both languages, and its figures are those of the registers behind it."""

import re
from pathlib import Path

import pandas as pd
import pytest

from institute_lib import areas, demo, indicators, policy, tables, talent, terms
from institute_lib.runs import compare, index
from institute_lib.runs.places import intact_manifest
from institute_lib.runs.plan import load_plan
from tests.rows import fives

NOTEBOOKS = sorted(path.stem for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
CITY, CHONGCHUAN, RUDONG = "320600", "320613", "320623"
QUARTER, LAST_DAY = "2025Q4", "2025-12-31"
# Examinations and purchases come from registers of their own, known whether or not a district has reported.
EXAMINATIONS, SERVICES = "05_talent_pipeline", "07_services"
PARTIAL = (
    "01_data_quality",
    "02_policy_evaluation",
    "03_retention_drivers",
    "04_station_coverage",
    EXAMINATIONS,
    SERVICES,
)
# A district's brief that shows its city's total beside it.
BESIDE_THE_CITY = ("03_retention_drivers", "04_station_coverage", EXAMINATIONS, SERVICES)
each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS)
each_area = pytest.mark.parametrize("area", [CITY, CHONGCHUAN])


@pytest.fixture(scope="module", params=["zh", "en"])
def run(request):
    return request.getfixturevalue(f"quarter_{request.param}")


@pytest.fixture(scope="module")
def reported():
    """The city's districts whose figures of the quarter there are."""
    return [district.code for district in areas.districts(CITY) if district.code != RUDONG]


@pytest.fixture(scope="module")
def panel(demo_home):
    return tables.load("district_panel", LAST_DAY, root=demo_home)


@pytest.fixture(scope="module")
def truth(demo_home):
    """The planted effects: (group, outcome) to effect."""
    planted = demo.truth(demo_home / "data" / "demo")
    return {(effect["group"], effect["outcome"]): effect["att"] for effect in planted["att"]}


def shown_number(text: str) -> float:
    """A number as a page writes it."""
    return float(text.replace("−", "-").replace(",", "").rstrip("%"))


def headcount(workers: pd.DataFrame, day: str) -> int:
    return int(((workers["entered"] <= day) & ~(workers["left"] <= day)).sum())


# --- each job ---------------------------------------------------------------------------------------------------------


@each_area
@each_notebook
def test_the_notebook_succeeds_and_leaves_a_result_and_a_brief(run, notebook, area):
    place = run.place(notebook, area)
    assert not (place / "failure.json").exists(), (place / "failure.json").read_text(encoding="utf-8")
    manifest = intact_manifest(place)
    assert manifest is not None
    assert manifest["demo"] is True
    result = run.result(notebook, area)
    assert [result[key] for key in ("notebook", "area", "quarter", "language")] == [
        notebook,
        area,
        QUARTER,
        run.language,
    ]
    assert result["findings"]
    assert (place / "brief.html").stat().st_size > 10_000


@each_area
@each_notebook
def test_the_page_says_that_its_data_are_a_demonstration(run, notebook, area):
    page = run.page(notebook, area)
    mark = terms.text("brief.mark_demo", run.language)
    assert mark in page.title.get_text()
    assert [one.get_text() for one in page.select("header .mark.demo")] == [mark]
    assert run.result(notebook, area)["demo"] is True


@each_area
@each_notebook
def test_the_findings_on_the_page_are_those_it_recorded(run, notebook, area):
    result = run.result(notebook, area)
    shown = run.findings(notebook, area)
    # The one page says who has not reported under a heading of its own.
    shown += [item.get_text() for item in run.page(notebook, area).select('[aria-labelledby="missing"] li')]
    assert [finding["text"] for finding in result["findings"] if finding["text"] not in shown] == []
    assert result["headline"]["text"] == shown[0]


# --- figures against the registers ------------------------------------------------------------------------------------


@each_area
def test_turnover_is_leavers_over_average_headcount(run, demo_home, reported, area):
    workers = tables.load("workers", LAST_DAY, root=demo_home)
    here = workers[workers["district"].isin(reported if area == CITY else [area])]
    marks = ["2025-01-01", "2025-04-01", "2025-07-01", "2025-10-01", "2026-01-01"]
    heads = [headcount(here, day) for day in marks]
    average = (heads[0] / 2 + sum(heads[1:4]) + heads[4] / 2) / 4
    leavers = here["left"].gt("2025-01-01") & here["left"].le("2026-01-01")
    # Who is employed again from the day on which the last spell ended, in the same place, has not left.
    again = pd.MultiIndex.from_frame(here[["worker_id", "left"]]).isin(
        pd.MultiIndex.from_frame(here[["worker_id", "entered"]])
    )
    turnover = fives((leavers & ~again).sum()) / fives(average)
    result = run.result("03_retention_drivers", area)
    assert result["numbers"]["turnover"] == pytest.approx(turnover, rel=1e-9)
    assert result["headline"]["value"] == pytest.approx(turnover, rel=1e-9)
    assert terms.percent(turnover, run.language) in run.findings("03_retention_drivers", area)[0]


@each_area
def test_village_coverage_is_villages_with_a_working_room_over_villages_on_the_list(run, demo_home, reported, area):
    districts = reported if area == CITY else [area]
    stations = tables.load("stations", LAST_DAY, root=demo_home)
    working = (stations["opened"] <= LAST_DAY) & ~(stations["closed"] <= LAST_DAY)
    rooms = stations[(stations["level"] == "village") & working & stations["district"].isin(districts)]
    listed = areas.villages(area)
    listed = listed[listed["host"].isin(districts) & ~listed["village"].str[9].isin(["4", "5"])]
    covered = listed["village"].isin(rooms["village"])
    assert run.result("04_station_coverage", area)["numbers"]["village_coverage"] == pytest.approx(covered.mean())
    empty = working[rooms.index] & (rooms["posts_filled"] == 0)
    headline = run.findings("04_station_coverage", area)[0]
    assert terms.number(empty.sum(), run.language) in headline
    for figure in (terms.percent(covered.mean(), run.language), terms.number(covered.sum(), run.language)):
        assert figure in headline


@each_area
def test_supervisors_in_post_stand_beside_the_certified_in_post_of_the_same_districts(run, demo_home, reported, area):
    """Titles of people who left, and of a district that has not reported, do not count."""
    districts = reported if area == CITY else [area]
    workers, changes, talent = (
        tables.load(name, LAST_DAY, root=demo_home) for name in ("workers", "worker_changes", "talent")
    )
    serving = workers[(workers["entered"] <= LAST_DAY) & ~(workers["left"] <= LAST_DAY)]
    serving = serving[serving["district"].isin(districts)]["worker_id"]
    newest = changes[changes["date"] <= LAST_DAY].sort_values("date", kind="stable").groupby("worker_id").last()
    certified = newest["certificate"].reindex(serving).isin(["assistant", "social_worker", "senior"]).sum()
    held = talent[talent["title"].isin(["supervisor", "supervisor_trainee"])]["person_id"]
    supervisors = serving.isin(held).sum()
    ratio = run.result("04_station_coverage", area)["numbers"]["supervisors_to_certified"]
    assert ratio == (pytest.approx(fives(supervisors) / fives(certified)) if supervisors >= 10 else None)


def test_the_table_of_examinations_shows_the_published_passes_of_2024(run, demo_home):
    facts = areas.reference("published_facts").set_index(["area", "period", "indicator"])["value"]
    published = int(facts[CITY, "2024", "exam_passed"])
    exams = tables.load("exams", LAST_DAY, root=demo_home)
    here = exams["district"].isin([district.code for district in areas.districts(CITY)])
    of_2024 = exams[here & ~exams["stock"] & (exams["exam_date"].dt.year == 2024)]
    assert of_2024["passed"].sum() == published
    title = terms.text("notebooks.funnel_table", run.language, area=areas.get(CITY).name(run.language))
    funnel = run.tables(EXAMINATIONS, CITY)[title].set_index(terms.label("year", run.language))
    for name in ("passed", "sat"):
        shown = terms.number(fives(of_2024[name].sum()), run.language)
        assert funnel.loc["2024", terms.label(name, run.language)] == shown


@each_area
def test_the_tiles_of_the_one_page_are_what_the_technical_briefs_recorded(run, area):
    tiles = run.page("06_quarterly_overview", area).select(".tile")
    recorded = {
        (one["indicator"], one["area"], one["quarter"]): one["words"]
        for notebook in PARTIAL
        if run.place(notebook, area).exists()
        for one in run.result(notebook, area)["indicators"]
    }
    known = {indicators.get(key).name[run.language]: key for key in indicators.catalogue()}
    assert len(tiles) == 5
    for tile in tiles:
        name = next(tile.select_one(".name").children).strip()
        assert recorded[known[name], area, QUARTER] in tile.select_one(".value").get_text()


def test_an_indicator_has_one_value_in_all_briefs_of_a_quarter(run):
    plan = load_plan(run.home / "papermill_runs" / "quarterly.toml")
    found = index.claims(compare.records(plan, run.folder))
    assert indicators.contradictions(found) == []
    briefs: dict[tuple, set[str]] = {}
    for claim in found:
        briefs.setdefault((claim.indicator, claim.area, claim.quarter), set()).add(claim.where)
    assert sum(len(where) > 1 for where in briefs.values()) > 50


@pytest.mark.parametrize("notebook", [EXAMINATIONS, "06_quarterly_overview"])
def test_every_published_figure_stands_in_the_brief_as_the_bound_it_is(run, notebook):
    text = run.page(notebook, CITY).get_text()
    figures = talent.published_figures(areas.reference("published_facts"), run.language)
    lacking = [
        row["indicator"]
        for row in figures.to_dict("records")
        if not all(part in text for part in (row["indicator"], row["stated"], row["source"], row["period"]))
    ]
    assert lacking == []


# --- the policy notebook ----------------------------------------------------------------------------------------------


def test_the_pilots_effect_is_that_of_the_panel_of_rounded_counts(run, demo_home, panel):
    ledger = tables.load("policies", LAST_DAY, root=demo_home)
    untreated = panel.loc[panel["treated_from"].isna(), "district"].unique()
    donors = [code for code in untreated if areas.city_of(code) not in (CITY, "320500")]
    specification = policy.specify(ledger, policy_id="chongchuan_pilot")
    evaluation = policy.evaluate(policy.rounded(panel), specification, donors=donors)
    effect = evaluation.effects["certified_share"]
    for area in (CITY, CHONGCHUAN):
        result = run.result("02_policy_evaluation", area)
        assert result["numbers"]["pilot_effect"] == pytest.approx(effect.att, rel=5e-3)
        assert result["numbers"]["pilot_p"] == pytest.approx(effect.p_value, rel=5e-3)
        claimed = [(one["indicator"], one["area"]) for one in result["indicators"]]
        assert claimed == [("pilot_effect", CHONGCHUAN)]
    findings = run.findings("02_policy_evaluation", CITY)
    for place, outcome in enumerate(evaluation.effects):
        assert terms.label(outcome, run.language) in findings[place]
        assert evaluation.verdicts(relevant=0.01)[outcome].word(run.language) in findings[place]


def test_the_planted_effects_of_the_pilot_lie_in_the_intervals_shown(run, truth):
    title = terms.text("policy.effects_table", run.language)
    effects = run.tables("02_policy_evaluation", CITY)[title].set_index(terms.label("outcome", run.language))
    low, high = (
        terms.text("disclosure.in_points", run.language, name=terms.label(name, run.language))
        for name in ("ci_low", "ci_high")
    )
    for outcome in ("certified_share", "stay_rate", "town_money_share", "town_posts_share"):
        bounds = effects.loc[terms.label(outcome, run.language), [low, high]]
        assert shown_number(bounds[low]) <= 100 * truth["chongchuan", outcome] <= shown_number(bounds[high]), outcome


def test_the_planted_staggered_effect_lies_in_the_interval_of_the_estimate_recorded(run, panel, truth):
    outside = panel[[areas.city_of(code) not in (CITY, "320500") for code in panel["district"]]]
    columns = {"unit": "district", "period": "quarter", "treated_from": "treated_from"}
    effect = policy.staggered(policy.rounded(outside), outcome="certified_share", **columns)
    recorded = run.result("02_policy_evaluation", CITY)["numbers"]["staggered_effect"]
    assert recorded == pytest.approx(effect.att, rel=5e-3)
    assert effect.ci[0] <= truth["staggered", "certified_share"] <= effect.ci[1]


def test_the_days_of_the_partly_treated_quarter_come_from_the_ledger(run):
    ledger = run.tables("02_policy_evaluation", CITY)[terms.text("policy.ledger_table", run.language)]
    assert set(ledger[terms.label("partial_days", run.language)]) == {"54"}
    said = terms.text("policy.partly_treated", run.language, quarter=terms.quarter("2024Q4", run.language), days="54")
    assert said in run.page("02_policy_evaluation", CITY).get_text()


def test_the_policy_brief_shows_every_doubt_that_an_econometrician_would_raise(run):
    shown = run.tables("02_policy_evaluation", CITY)
    outcome = terms.label("certified_share", run.language)
    for name in ("conformal", "leave_one_out", "in_time", "choices"):
        assert terms.text(f"policy.{name}", run.language, outcome=outcome) in shown, name
    for name in ("methods_table", "contrasts_table", "sensitivity_table", "pretrend_table", "next_table"):
        assert terms.text(f"policy.{name}", run.language) in shown, name
    figures = " ".join(one.get_text() for one in run.page("02_policy_evaluation", CITY).select("figcaption"))
    for name in ("trends", "path", "gap", "placebos", "weights", "choices", "programme"):
        assert terms.text(f"policy.{name}", run.language, outcome=outcome) in figures, name


def test_the_next_pilot_is_named_with_its_interval_among_those_that_have_reported(run):
    candidates = {one.name(run.language) for one in areas.peers(CHONGCHUAN) if one.code != RUDONG}
    table = run.tables("02_policy_evaluation", CITY)[terms.text("policy.next_table", run.language)]
    assert set(table[terms.label("district", run.language)]) == candidates
    assert any(table.iloc[0, 0] in one for one in run.findings("02_policy_evaluation", CITY))


# --- who has not reported ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("notebook", PARTIAL)
def test_the_city_is_marked_partial_and_names_the_district_that_is_missing(run, notebook):
    assert run.result(notebook, CITY)["partial"] is True
    # Chongchuan has reported; its brief is partial only where it shows the city's total beside it.
    assert run.result(notebook, CHONGCHUAN)["partial"] is (notebook in BESIDE_THE_CITY)
    name = areas.get(RUDONG).name(run.language)
    quarter = terms.quarter(QUARTER, run.language)
    assert terms.text("tables.partial", run.language, names=name, quarter=quarter) in run.findings(notebook, CITY)


def test_the_table_of_reports_says_who_has_not_reported(run):
    reports = run.tables("01_data_quality", CITY)[terms.text("notebooks.reporting_table", run.language)]
    reports = reports.set_index(terms.label("district", run.language))[terms.quarter(QUARTER, run.language)]
    said = reports.pop(areas.get(RUDONG).name(run.language))
    assert len(reports) == 6
    assert set(reports) == {terms.text("disclosure.yes", run.language)}
    assert said in (terms.text(f"disclosure.{key}", run.language) for key in ("no", "not_reported"))


@each_notebook
def test_no_table_gives_the_missing_district_a_figure(run, notebook):
    """It is absent or 未报送; above all it is not zero."""
    name = areas.get(RUDONG).name(run.language)
    figures = []
    for caption, table in run.tables(notebook, CITY).items():
        if is_whole(caption, table, run.language):
            continue
        now = terms.quarter("2025Q4", run.language)  # a district's past stands beside the quarter that it lacks
        known = indicators.get("exam_passed").name[run.language]  # of every district, on the one page too
        rows = table[table.iloc[:, 0] == name].drop(columns=known, errors="ignore")
        rows = (rows[[rows.columns[0], now]] if now in rows else rows).to_numpy()
        figures += [(caption, *row) for row in rows if any(re.search(r"\d", cell) for cell in row)]
    assert figures == []


def is_whole(caption: str, table: pd.DataFrame, language: str) -> bool:
    """Examinations and contracts come from their own registers, whoever has reported."""
    columns = [terms.label(name, language) for name in ("floor", "amount")]
    columns.append(indicators.get("exam_pass_rate").name[language])
    return any(column in table for column in columns)


def test_the_index_names_the_district_and_links_every_brief(run):
    index = (run.folder / "index.html").read_text(encoding="utf-8")
    assert terms.text("runs.not_reported", run.language) + areas.get(RUDONG).name(run.language) in index
    assert terms.text("runs.demo", run.language) in index
    for notebook, area in run.jobs:
        assert f'href="{notebook}/{area}/brief.html"' in index
