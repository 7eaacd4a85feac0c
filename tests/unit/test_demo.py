"""The written demo registers: published figures met, nothing out of order in time, marked, whole, repeatable."""

import json
import shutil
from functools import cache

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from institute_lib import areas, demo, paths, tables
from institute_lib.demo import exams, facts, files, setting
from institute_lib.errors import DataError

SEED = 2019
NANTONG, SUZHOU, CHONGCHUAN = "320600", "320500", "320613"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project folder that holds the written registers."""
    top = tmp_path_factory.mktemp("project")
    demo.write(top / "data" / "demo", seed=SEED)
    return top


@pytest.fixture(scope="module")
def registers():
    return demo.draw(SEED)


@pytest.fixture(scope="module")
def known():
    return facts.Facts.read()


@pytest.fixture(scope="module")
def load(root):
    """`tables.load` on the written registers; each table and day is read once, and tests leave it as it is."""

    @cache
    def read(name, as_of=None):
        return tables.load(name, as_of=as_of, root=root)

    return read


def cities(districts: pd.Series) -> pd.Series:
    """The city of each district."""
    return districts.map({code: areas.city_of(code) for code in districts.unique()})


def of_city(frame: pd.DataFrame, city: str) -> pd.DataFrame:
    return frame[cities(frame["district"]) == city]


def working(stations: pd.DataFrame, level: str) -> int:
    """Stations of a level that are open at the end of the day they were loaded for."""
    return int(((stations["level"] == level) & stations["closed"].isna()).sum())


# --- published figures


@pytest.mark.parametrize("city", [NANTONG, SUZHOU])
def test_passes_in_2024_are_the_published_number(load, known, city):
    rows = of_city(load("exams"), city)
    passed = rows[rows["passed"] & (rows["exam_date"].dt.year == 2024)]
    assert known.published(city, "exam_passed").met_by(len(passed))


def test_suzhous_cumulative_passes_are_the_published_numbers_opening_stock_included(load, known):
    to_2024, to_2021 = (of_city(load("exams", f"{year}-12-31"), SUZHOU)["passed"].sum() for year in (2024, 2021))
    assert known.published(SUZHOU, "exam_passed_cumulative").met_by(to_2024)
    assert known.other(SUZHOU, "2021末", "持证社工").met_by(to_2021)


def test_nantongs_passes_in_2023_are_inferred_from_the_growth_and_marked_so(load, known, root):
    low, high = known.passes_2023()
    rows = of_city(load("exams"), NANTONG)
    passed = int(rows.loc[rows["exam_date"].dt.year == 2023, "passed"].sum())
    growth = 100 * (known.published(NANTONG, "exam_passed").value / passed - 1)
    assert low <= passed <= high
    assert round(growth) == known.published(NANTONG, "exam_passed_growth").value
    marked = demo.truth(root / "data" / "demo")["inferred"]["nantong_passes_2023"]
    assert marked == {"low": low, "high": high, "drawn": passed, "status": "inferred"}


def test_the_inferred_interval_is_all_that_the_rounded_growth_admits(known):
    low, high = known.passes_2023()
    latest = known.published(NANTONG, "exam_passed").value
    rounded = [round(100 * (latest / passes - 1)) for passes in (low - 1, low, high, high + 1)]
    assert rounded[1] == rounded[2] == known.published(NANTONG, "exam_passed_growth").value
    assert rounded[0] != rounded[1]
    assert rounded[3] != rounded[2]


def test_suzhous_stations_and_rooms_are_the_published_numbers_at_both_dates(load, known):
    at_2023, at_2021 = (of_city(load("stations", day), SUZHOU) for day in ("2023-12-31", "2021-12-31"))
    assert known.published(SUZHOU, "town_stations").met_by(working(at_2023, "town"))
    assert known.published(SUZHOU, "village_rooms").met_by(working(at_2023, "village"))
    assert known.other(SUZHOU, "2021末", "基层社工站").met_by(working(at_2021, "town"))
    rooms = known.other(SUZHOU, "2021末", "村(社区)社工室")
    assert rooms.bound == "upper"
    assert rooms.met_by(working(at_2021, "village"))
    assert working(at_2021, "village") > 0.95 * rooms.value


def test_suzhous_drug_workers_branches_and_workstations_are_the_published_numbers(load, known):
    workers = of_city(load("workers", "2024-12-31"), SUZHOU)
    drug = workers[(workers["kind"] == "drug") & workers["left"].isna()]
    assert known.published(SUZHOU, "drug_social_workers").met_by(len(drug))
    assert known.published(SUZHOU, "drug_branches").met_by(drug["employer"].nunique())
    assert known.published(SUZHOU, "drug_workstations").met_by(drug["station"].nunique())


def test_suzhous_schools_and_non_relapse_stand_as_published(load, known):
    services = of_city(load("services"), SUZHOU)
    at_end = services[services["quarter"] == "2024Q4"].groupby("field").sum(numeric_only=True)
    assert known.published(SUZHOU, "school_social_work_schools").met_by(at_end.loc["school", "schools_covered"])
    rate = known.published(SUZHOU, "drug_three_year_non_relapse")
    share = 100 * at_end.loc["drug", "outcome_numerator"] / at_end.loc["drug", "outcome_denominator"]
    assert rate.bound == "upper"
    assert rate.met_by(share)
    assert share > rate.value - 1


def test_suzhous_purchase_lies_just_above_both_published_lower_bounds(load, known):
    contracts = of_city(load("procurement"), SUZHOU)
    for day, bound in (
        ("2024-12-31", known.published(SUZHOU, "procurement_cumulative")),
        ("2021-12-31", known.other(SUZHOU, "累计至2021末", "社工站购买服务资金")),
    ):
        spent = contracts.loc[contracts["signed"] <= day, "amount"].sum()
        assert bound.bound == "lower"
        assert bound.met_by(spent)
        assert spent < 1.02 * bound.value


@pytest.mark.parametrize(
    ("title", "indicator"),
    [
        ("supervisor_trainee", "trainee_supervisors"),
        ("lecturer", "lecturers"),
        ("leading_national", "national_leading_talents"),
        ("leading_provincial", "provincial_leading_talents"),
        ("most_admired", "most_admired_social_workers"),
        ("city_award", "city_award_holders"),
    ],
)
def test_suzhous_titles_at_the_end_of_2024_are_the_published_numbers(load, known, title, indicator):
    talent = of_city(load("talent", "2024-12-31"), SUZHOU)
    holders = talent.loc[talent["title"] == title, "person_id"]
    assert known.published(SUZHOU, indicator).met_by(holders.nunique())
    assert holders.is_unique


def test_a_changed_published_figure_changes_the_draw(tmp_path, monkeypatch):
    reference = tmp_path / "data" / "reference"
    shutil.copytree(paths.reference(), reference)
    file = reference / "published_facts.csv"
    text = file.read_text(encoding="utf-8-sig")
    assert text.count("exam_passed,3671,") == 1
    file.write_text(text.replace("exam_passed,3671,", "exam_passed,4000,"), encoding="utf-8-sig")
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    _, passes = exams.yearly_passes(setting.set_up(SEED), NANTONG)
    assert passes[-2] == 4000


def test_a_missing_published_figure_is_named(known):
    lacking = facts.Facts(known.published_facts[known.published_facts["indicator"] != "lecturers"], known.other_facts)
    with pytest.raises(DataError, match=r"published_facts\.csv: 320500 lecturers stands 0 times"):
        lacking.published(SUZHOU, "lecturers")


# --- order in time, and agreement between the registers


def test_turnover_is_that_of_the_literature(load):
    workers, panel = load("workers"), load("district_panel")
    headcount = panel.groupby("quarter")["headcount"].sum().mean()
    yearly = workers["left"].notna().sum() / 7 / headcount
    rows = areas.reference("other_facts")
    published = rows.loc[rows["indicator"].str.contains("流失率|离职率"), "amount"] / 100
    assert published.min() <= yearly <= published.max() + 0.01


def test_about_a_hundred_thousand_people_worked_in_all_95_counties(load):
    workers = load("workers")
    assert workers["worker_id"].is_unique
    assert 95_000 < len(workers) < 105_000
    assert set(workers["district"]) == {area.code for area in areas.districts("320000")}


@pytest.mark.parametrize("name", ["workers", "worker_changes", "stations", "exams", "procurement", "talent"])
def test_nothing_after_a_day_is_seen_on_that_day(load, name):
    day = pd.Timestamp("2022-06-30")
    seen, everything = load(name, "2022-06-30"), load(name)
    dates = seen.select_dtypes("datetime")
    assert 0 < len(seen) < len(everything)
    assert not (dates > day).any(axis=None)


def test_no_event_falls_on_the_first_day_of_a_quarter(load):
    for name, column in (("workers", "entered"), ("workers", "left"), ("worker_changes", "date")):
        days = load(name)[column].dropna()
        inside = days[days >= "2019-01-01"]
        assert not (inside == inside.dt.to_period("Q").dt.start_time).any()


def test_every_change_of_state_lies_within_its_workers_spell(load):
    rows = load("worker_changes").merge(load("workers")[["worker_id", "entered", "left"]], on="worker_id")
    assert len(rows) == len(load("worker_changes"))
    assert (rows["date"] >= rows["entered"]).all()
    assert not (rows["date"] >= rows["left"]).any()
    first = rows.groupby("worker_id")["date"].min().reindex(load("workers")["worker_id"])
    began = load("workers")["entered"].clip(lower=pd.Timestamp("2018-12-31"))
    assert (first.to_numpy() == began.to_numpy()).all()


def test_nobody_is_subsidised_before_the_policy_of_the_county_starts(load, root):
    starts = {
        district: pd.Timestamp(policy["start"])
        for policy in demo.truth(root / "data" / "demo")["policy"]
        for district in policy["districts"]
        if "subsidy" in policy["levers"]
    }
    districts = load("workers").set_index("worker_id")[["district", "kind"]]
    paid = load("worker_changes").query("subsidy > 0").join(districts, on="worker_id")
    assert set(paid["district"]) == set(starts)
    assert (paid["date"] >= paid["district"].map(starts)).all()
    assert set(paid["kind"]) == {"community"}


def test_every_higher_certificate_has_its_passed_examination(load):
    changes = load("worker_changes").sort_values(["worker_id", "date"])
    rank = changes["certificate"].map({"none": 0, "assistant": 1, "social_worker": 2, "senior": 3})
    rose = changes[(changes["worker_id"] == changes["worker_id"].shift()) & (rank > rank.shift())]
    workers = load("workers").set_index("worker_id")["district"]
    rose = rose[cities(rose["worker_id"].map(workers)).isin([NANTONG, SUZHOU])]
    passed = load("exams").query("passed and not stock")
    keys = pd.MultiIndex.from_arrays([passed["worker_id"], passed["level"], passed["exam_date"].dt.year])
    wanted = pd.MultiIndex.from_arrays([rose["worker_id"], rose["certificate"], rose["date"].dt.year])
    assert len(rose) > 1000
    assert wanted.isin(keys).all()
    assert (rank.diff()[changes["worker_id"] == changes["worker_id"].shift()] >= 0).all()


def test_title_holders_were_certified_and_employed_on_the_day(load):
    held = load("talent").rename(columns={"person_id": "worker_id", "awarded": "date"}).sort_values("date")
    held = held.merge(load("workers")[["worker_id", "entered", "left", "district"]], on=["worker_id", "district"])
    assert len(held) == len(load("talent"))
    assert (held["entered"] < held["date"]).all()
    assert not (held["left"] <= held["date"]).any()
    states = load("worker_changes").sort_values("date")
    assert (pd.merge_asof(held.sort_values("date"), states, on="date", by="worker_id")["certificate"] != "none").all()


def test_workers_stand_in_stations_of_their_town_that_were_open_when_they_came(load):
    stations = load("stations").set_index("station_id")[["town", "opened"]]
    placed = (
        load("workers")
        .query("kind != 'drug'")
        .dropna(subset="station")
        .join(stations, on="station", suffixes=("", "_s"))
    )
    assert len(placed) > 5000
    assert (placed["town"] == placed["town_s"]).all()
    assert (placed["opened"] <= placed["entered"]).all()


def test_cells_of_the_district_panel_are_what_the_registers_say(load):
    panel = load("district_panel").set_index(["district", "quarter"])
    workers, states = load("workers"), load("worker_changes").sort_values("date")
    for district, quarter in ((CHONGCHUAN, "2025Q3"), ("320505", "2022Q4"), ("320102", "2023Q2"), ("320623", "2019Q1")):
        period = pd.Period(quarter, freq="Q")
        begins, ends = period.start_time, period.end_time.normalize()
        own = workers[workers["district"] == district]
        at_start = own[(own["entered"] < begins) & ~(own["left"] <= begins)]
        at_end = own[(own["entered"] <= ends) & ~(own["left"] <= ends)].assign(date=ends.as_unit("ns"))
        community = at_end[at_end["kind"] == "community"]
        state = pd.merge_asof(community, states.astype({"date": "datetime64[ns]"}), on="date", by="worker_id")
        cell = panel.loc[(district, quarter)]
        assert cell["headcount"] == len(at_end)
        assert cell["certified_share"] == pytest.approx((state["certificate"] != "none").mean())
        assert cell["stay_rate"] == pytest.approx(at_start["worker_id"].isin(at_end["worker_id"]).mean())
        assert cell["town_money_share"] == pytest.approx(money_below_district(load, district, begins, ends))


def money_below_district(load, district, begins, ends) -> float:
    contracts = load("procurement")
    signed = contracts[(contracts["district"] == district) & contracts["signed"].between(begins, ends)]
    return signed.loc[signed["level"].isin(["town", "village"]), "amount"].sum() / signed["amount"].sum()


@pytest.mark.parametrize("quarter", ["2021Q4", "2025Q4"])
def test_shares_of_posts_follow_from_the_stations_open_at_the_quarters_end(load, quarter):
    day = pd.Period(quarter, freq="Q").end_time.date().isoformat()
    stations = load("stations", day)
    local = stations[stations["closed"].isna() & (stations["level"] != "city")]
    low = local["posts"].where(local["level"].isin(["town", "village"]), 0)
    share = low.groupby(local["district"]).sum() / local.groupby("district")["posts"].sum()
    panel = load("district_panel").query("quarter == @quarter").set_index("district")["town_posts_share"]
    pd.testing.assert_series_equal(panel[share.index], share, check_names=False)


# --- places


def test_points_lie_in_the_polygon_of_their_district_and_say_that_they_are_illustrative(load):
    import shapely

    stations, villages = load("stations"), load("village_population")
    assert set(stations["point_kind"]) == {"illustrative"}
    shapes = pd.concat([areas.boundaries(city) for city in (NANTONG, SUZHOU)]).set_index("code")["geometry"]
    for frame in (stations, villages):
        assert set(frame["crs"]) == {"EPSG:4326"}
        points = shapely.points(frame["x"], frame["y"])
        assert shapely.dwithin(points, frame["district"].map(shapes).to_numpy(), 1e-5).all()


def test_chongchuans_polygon_holds_its_towns_its_zones_and_the_development_zones(load):
    towns = areas.towns(CHONGCHUAN)
    stations = load("stations").query("level == 'town' and district == @CHONGCHUAN")
    assert set(stations["town"]) == set(towns["town"])
    assert stations["town"].str[:6].value_counts().to_dict() == towns["district"].value_counts().to_dict()


def test_stations_stand_on_all_four_levels_of_both_cities(load):
    levels = load("stations").assign(city=lambda frame: cities(frame["district"]))
    counts = levels.groupby(["city", "level"]).size().unstack()
    assert set(counts.index) == {NANTONG, SUZHOU}
    assert (counts[["city", "district", "town", "village"]] > 0).all(axis=None)
    assert set(levels["village"].dropna()) <= set(load("village_population")["village"])


def test_village_populations_sum_to_the_census(load):
    villages = load("village_population")
    census = areas.population(by="polygon").set_index("code")["population"]
    summed = villages.groupby("district")["population"].sum()
    assert (summed == census[summed.index]).all()
    assert len(summed) == len(census)
    assert villages["rule"].str.startswith("虚构").all()


def test_a_district_that_has_not_reported_has_no_services_in_that_quarter(load):
    late = load("reporting").query("not reported")
    services = load("services").set_index(["district", "quarter"]).index
    assert len(late) >= 1
    assert set(cities(late["district"])) == {NANTONG}
    assert not pd.MultiIndex.from_frame(late[["district", "quarter"]]).isin(services).any()
    reported = load("reporting").query("reported")
    assert pd.MultiIndex.from_frame(reported[["district", "quarter"]]).isin(services).all()


def test_the_ledger_keeps_published_rows_as_they_are_and_marks_invented_ones(load):
    ledger = load("policies")
    published = areas.reference("policies")
    kept = ledger[ledger["status"] == "published"]
    assert kept["policy_id"].tolist() == published["policy_id"].tolist()
    assert kept["treated_from"].fillna("").tolist() == published["treated_from"].tolist()
    invented = ledger[ledger["status"] == "demo"]
    panel = load("district_panel").drop_duplicates("district").set_index("district")["treated_from"].dropna()
    listed = {code: row.treated_from for row in invented.itertuples() for code in row.area.split(";")}
    assert listed == panel.to_dict()
    assert invented["name_zh"].str.contains("虚构日期").all()


# --- files


def test_every_file_is_marked_as_demo_data(root):
    for path in (root / "data" / "demo").glob("*.parquet"):
        metadata = pq.read_schema(path).metadata
        assert metadata[b"demo"].decode() == "演示数据"
        assert metadata[b"seed"].decode() == str(SEED)
    assert tables.is_demo(tables.load("workers", root=root))


def test_every_table_of_the_contract_is_written_beside_its_truths(root):
    names = {path.name for path in (root / "data" / "demo").iterdir()}
    assert names == {f"{name}.parquet" for name in tables.CONTRACTS} | {"truth.toml", "manifest.json"}


def test_the_written_truths_are_those_of_the_draw(root, registers):
    assert demo.truth(root / "data" / "demo") == json.loads(json.dumps(registers.truth))


def test_the_same_seed_gives_the_same_values_and_the_same_bytes(root, registers, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "draw", lambda seed: registers)
    again = demo.write(tmp_path, seed=SEED)
    once = json.loads((root / "data" / "demo" / "manifest.json").read_text(encoding="utf-8"))
    assert again.to_frame().to_dict("records") == once["files"]


def test_another_seed_gives_other_people():
    once, other = (demo.draw_person_quarters(seed, n=400) for seed in (1, 2))
    assert not np.array_equal(once["event"].to_numpy(), other["event"].to_numpy())


def test_writing_again_does_nothing_until_a_file_is_damaged(root, registers, monkeypatch):
    folder = root / "data" / "demo"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert not demo.write(folder, seed=SEED).fresh
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    whole = (folder / "talent.parquet").read_bytes()
    (folder / "talent.parquet").write_bytes(whole[:-10])
    monkeypatch.setattr(files, "draw", lambda seed: registers)
    assert demo.write(folder, seed=SEED).fresh
    assert (folder / "talent.parquet").read_bytes() == whole


def test_a_stopped_write_leaves_the_former_files_whole(root, registers, monkeypatch):
    folder = root / "data" / "demo"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "draw", lambda seed: registers)
    monkeypatch.setattr(files, "_write_manifest", stop)
    with pytest.raises(KeyboardInterrupt):
        demo.write(folder, seed=SEED + 1)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_progress_names_each_file_and_the_summary_counts_them(registers, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "draw", lambda seed: registers)
    named: list[str] = []
    manifest = demo.write(tmp_path, seed=SEED, progress=named.append)
    assert named == [file.name for file in manifest.files]
    assert str(len(tables.CONTRACTS)) in manifest.summary("zh")
    assert str(SEED) in manifest.summary("en")


def test_truths_that_are_not_there_are_asked_for(tmp_path):
    with pytest.raises(DataError, match="institute demo"):
        demo.truth(tmp_path)
