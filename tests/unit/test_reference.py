"""Published facts and division lists: what they hold, and that a spoiled file is refused."""

import re
import shutil

import pandas as pd
import pytest

from institute_lib import areas, paths, terms
from institute_lib.areas.reference import BOUNDS, CENSUS, STATUSES
from institute_lib.errors import DataError, ParameterError

SHIPPED = sorted(path.stem for path in paths.reference().glob("*.csv"))


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A project folder with its own copy of the reference data, to be spoiled."""
    folder = tmp_path / "data" / "reference"
    shutil.copytree(paths.reference(), folder)
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    return folder


def spoil(folder, name, old, new):
    path = folder / f"{name}.csv"
    text = path.read_text(encoding="utf-8-sig")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8-sig")


# --- every file


def test_every_file_has_a_contract_and_a_line_in_the_readme():
    readme = (paths.reference() / "README.md").read_text(encoding="utf-8")
    assert set(SHIPPED) == set(areas.FILES)
    for name in SHIPPED:
        assert readme.count(f"`{name}.csv`") >= 2, f"{name}.csv must be explained in Chinese and in English"


@pytest.mark.parametrize("name", SHIPPED)
def test_every_row_has_a_source_and_a_status(name):
    frame = areas.reference(name)
    assert len(frame) > 0
    assert (frame["source"].str.strip() != "").all()
    assert frame["status"].isin(STATUSES).all()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_file_is_utf8_with_a_byte_order_mark_and_no_polygon(name):
    path = paths.reference() / f"{name}.csv"
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert "POLYGON" not in path.read_text(encoding="utf-8-sig").upper()


@pytest.mark.parametrize("name", SHIPPED)
def test_codes_are_text(name):
    frame = areas.reference(name)
    for column in frame.columns.intersection(["code", "area", "county_code", "town_code", "village_code", "parent"]):
        assert frame[column].dtype == "str"


def test_bounds_have_words_in_both_languages():
    for language in terms.LANGUAGES:
        assert all("2" in areas.stated("2", bound, language) for bound in BOUNDS if bound != "missing")
    assert areas.stated("2万", "upper") == "近2万"
    assert areas.stated("20,000", "upper", "en") == "nearly 20,000"
    assert areas.stated("", "missing") == "未公布"
    with pytest.raises(ParameterError, match="did you mean 'upper'"):
        areas.stated("2", "uper")


# --- published facts


def test_published_figures_stand_as_the_bounds_they_are():
    facts = areas.reference("published_facts").set_index(["area", "indicator"])
    bounded = facts[facts["bound"] != "exact"]
    assert bounded["bound"].to_dict() == {
        ("320600", "exam_mobilised"): "upper",
        ("320500", "procurement_cumulative"): "lower",
        ("320500", "drug_three_year_non_relapse"): "upper",
    }
    assert facts.loc[("320600", "exam_passed"), "value"] == 3671
    assert facts.loc[("320500", "exam_passed_cumulative"), "value"] == 31110
    assert facts["value"].dtype == "float64"


def test_a_note_that_speaks_of_nearly_or_over_makes_a_bound():
    facts = areas.reference("published_facts")
    said = facts["note"].str.contains("近|超|bound")
    assert (facts.loc[said, "bound"] != "exact").all()
    assert (facts.loc[~said, "bound"] == "exact").all()


def test_text_values_stay_text_and_their_number_stands_beside_them():
    facts = areas.reference("other_facts")
    stations = facts[(facts["value"] == ">17000")]
    assert stations[["bound", "amount"]].to_numpy().tolist() == [["lower", 17000.0]]
    money = facts[facts["value"] == ">1亿"]
    assert money[["bound", "amount"]].to_numpy().tolist() == [["lower", 1e8]]
    assert facts.loc[facts["bound"].isin(["text", "missing"]), "amount"].isna().all()
    assert facts.loc[~facts["bound"].isin(["text", "missing"]), "amount"].notna().all()


def test_plain_numbers_are_their_own_amount():
    facts = areas.reference("other_facts").query("bound in ('exact', 'rounded')")
    assert (facts["value"].astype(float) == facts["amount"]).all()


def test_what_was_not_found_stays_blank():
    facts = areas.reference("other_facts").query("status == 'not_found'")
    assert len(facts) == 1
    assert (facts["value"] == "").all()
    assert facts["amount"].isna().all()


# --- residents


def test_the_districts_sum_exactly_to_the_published_city_totals():
    census = areas.reference("population_2020").set_index("unit")[CENSUS]
    totals = areas.reference("population_2020").query("unit == '全市'").set_index("code")[CENSUS]
    assert totals.to_dict() == {"320600": 7_726_635, "320500": 12_748_262}
    for by in ("polygon", "reported"):
        people = areas.population(by)
        cities = people.groupby(people["code"].map(areas.city_of))["population"].sum()
        assert cities.to_dict() == totals.astype(int).to_dict()
    assert census["全市:城镇"] + census["全市:乡村"] == totals["320500"]


def test_by_polygon_adds_the_zones_to_their_hosts_and_by_reported_leaves_them():
    polygon = areas.population().set_index("code")["population"]
    reported = areas.population("reported").set_index("code")["population"]
    assert tuple(polygon.index) == tuple(a.code for city in ("320500", "320600") for a in areas.districts(city))
    assert set(reported.index) - set(polygon.index) == {"320671", "320576"}
    assert polygon["320613"] == reported["320613"] + reported["320671"] == 1_183_740 + 332_273
    assert polygon["320506"] == reported["320506"] + reported["320576"]
    others = polygon.index.difference(["320613", "320506"])
    assert polygon[others].equals(reported[others])
    with pytest.raises(ParameterError, match="did you mean 'polygon'"):
        areas.population("polygons")


def test_suzhous_districts_are_marked_unconfirmed_and_nantongs_are_not():
    people = areas.population()
    status = people.groupby(people["code"].map(areas.city_of))["status"].unique()
    assert list(status["320500"]) == ["recalled"]
    assert list(status["320600"]) == ["read"]


# --- towns and villages


def test_there_are_136_and_118_towns_and_2005_and_2248_villages():
    assert len(areas.towns("320600")) == 136
    assert len(areas.towns("320500")) == 118
    assert len(areas.villages("320600")) == 2005
    assert len(areas.villages("320500")) == 2248
    assert len(areas.towns("320000")) == 136 + 118


def test_chongchuans_polygon_holds_sixteen_subdistricts_three_zones_and_the_seven_units_of_the_development_zone():
    units = areas.towns("320613")
    assert units.query("district == '320613'")["type"].value_counts().to_dict() == {"subdistrict": 16, "town_like": 3}
    assert len(units.query("district == '320671'")) == 7
    assert len(units) == 26
    assert (units["host"] == "320613").all()
    assert len(areas.towns("320671")) == 7
    assert len(areas.towns("320506")) == 20 + len(areas.towns("320576"))


def test_suzhous_denominators_can_be_told_apart():
    villages = areas.villages("苏州").merge(areas.towns("苏州")[["town", "type"]], on="town", suffixes=("", "_town"))
    committees = villages[villages["type"].isin(["residents", "villagers"])]
    assert len(committees) == 2226
    assert committees["type_town"].isin(["subdistrict", "town"]).sum() == 2013


def test_the_lists_agree_with_each_other_and_with_the_counts():
    counts = areas.reference("county_counts").set_index("code")
    for city in ("320600", "320500"):
        towns, villages = areas.towns(city), areas.villages(city)
        assert set(villages["town"]) == set(towns["town"])
        assert villages.groupby("town").size().to_dict() == towns.set_index("town")["villages"].to_dict()
        assert villages["village"].str.startswith(tuple(towns["town"])).all()
        for code, listed in towns.groupby("district"):
            row, kinds = counts.loc[code], villages[villages["district"] == code]["type"].value_counts()
            assert row["town_level_units"] == len(listed)
            assert row["subdistricts_街道"] == (listed["type"] == "subdistrict").sum()
            assert row["towns_镇"] == (listed["type"] == "town").sum()
            assert row["town_like_units"] == (listed["type"] == "town_like").sum()
            assert row["居委会_code0xx-1xx"] == kinds.get("residents", 0)
            assert row["村委会_code2xx-3xx"] == kinds.get("villagers", 0)
            assert row["village_like_other"] == kinds.get("village_like", 0)


def test_a_city_without_a_list_is_refused():
    with pytest.raises(DataError, match="the lists cover 320500 苏州市, 320600 南通市"):
        areas.towns("无锡市")
    with pytest.raises(ParameterError, match="merged into"):
        areas.villages("港闸区")


# --- divisions


def test_hosts_and_parents_in_the_list_exist():
    listed = areas.reference("districts").set_index("code")
    assert listed["level"].value_counts().to_dict() == {"district": 95, "city": 13, "zone": 2, "province": 1}
    assert set(listed["host"]) <= set(listed.index)
    assert set(listed["parent"]) - {""} <= set(listed.index)
    assert (listed.index[listed["host"] != listed.index] == ["320576", "320671"]).all()
    assert listed.loc[["320576", "320671"], "level"].eq("zone").all()


def test_english_names_say_what_kind_of_place_it_is():
    listed = areas.reference("districts").query("level == 'district'")
    words = {"区": "District", "市": "City", "县": "County"}
    expected = listed["name_zh"].str[-1].map(words)
    assert (listed["name_en"].str.split().str[-1] == expected).all()


def test_aliases_point_to_codes_that_are_or_were_in_use():
    aliases, listed = areas.reference("area_aliases"), areas.reference("districts")
    known = set(listed["code"]) | set(aliases["code"])
    targets = {code for successors in aliases["successor"] for code in successors.split(";")}
    assert targets <= known
    retired = aliases.query("kind == 'retired'")
    assert retired["valid_from"].str.fullmatch(r"\d{4}(-\d{2}){0,2}").all()
    assert (retired["valid_to"] >= retired["valid_from"]).all()
    assert (aliases.query("kind == 'alias'")["code"].isin(listed["code"])).all()


def test_every_place_name_in_traditional_characters_finds_its_area():
    pairs = areas.reference("traditional_characters").drop_duplicates("simplified")
    assert pairs["traditional"].str.len().eq(1).all()
    table = str.maketrans(dict(zip(pairs["simplified"], pairs["traditional"], strict=True)))
    for city in areas.cities():
        for area in areas.districts(city.code):
            spelling = (city.name_zh + area.name_zh).translate(table)
            assert areas.get(spelling) == area
            assert spelling != city.name_zh + area.name_zh or city.name_zh.translate(table) == city.name_zh


# --- the policy ledger


def test_the_ledger_names_one_outcome_a_row_and_when_it_was_recorded():
    ledger = areas.reference("policies")
    assert not ledger.duplicated(["policy_id", "outcome"]).any()
    assert (ledger["recorded"] == "2026-11-23").all()
    assert (ledger["outcome"] != "").all()
    assert set(ledger["area"].map(lambda code: areas.get(code).code)) == {"320613", "320500", "320585", "320583"}


def test_the_pilots_partial_quarter_holds_54_treated_days():
    pilot = areas.reference("policies").query("policy_id == 'chongchuan_pilot'")
    assert set(pilot["start"]) == {"2024-11-08"}
    assert set(pilot["partial_quarter"]) == {"2024Q4"}
    assert set(pilot["treated_from"]) == {"2025Q1"}
    quarter = pd.Period("2024Q4", freq="Q")
    assert (quarter.end_time.normalize() - pd.Timestamp("2024-11-08")).days + 1 == 54
    assert pilot["note"].str.contains("54").all()
    facts = areas.reference("published_facts").query("indicator == 'pilot_started'")
    assert set(facts["period"]) == set(pilot["start"])


def test_what_the_articles_do_not_say_stays_empty_in_the_ledger():
    ledger = areas.reference("policies")
    assert (ledger["amount"] == "").all()
    subsidy = ledger.query("policy_id == 'suzhou_certificate_subsidy'")
    assert (subsidy["start"] == "").all()
    assert subsidy["note"].str.contains("假设").all()
    undated = ledger.query("area in ('320585', '320583')")
    assert set(undated["design"]) == {"undated"}
    assert (undated[["start", "treated_from", "partial_quarter"]] == "").all().all()


def test_the_ledger_meets_the_contract_of_its_table():
    from institute_lib import tables

    frame = pd.read_csv(
        paths.reference() / "policies.csv", dtype="str", encoding="utf-8-sig", na_values=[""], keep_default_na=False
    )
    assert len(tables.validate("policies", frame)) == len(frame)


# --- spoiled files


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("published_facts", "3671", "三千", "row 2, column value: '三千' – not a number"),
        ("published_facts", ",published,", ",,", "row 2, column status: ''"),
        ("published_facts", ",exact,", ",around,", "row 2, column bound: 'around' – allowed: exact"),
        ("towns", ",国家统计局统计用区划代码2023,", ",,", "row 2, column source: '' – every row names its source"),
        ("districts", "320613,", "320612,", "'320612' – stands twice"),
        ("policies", "outcome", "outcomes", "column outcome: None – column is missing"),
    ],
)
def test_a_spoiled_file_is_refused_with_its_line(copy, name, old, new, said):
    spoil(copy, name, old, new)
    with pytest.raises(DataError, match=re.escape(said)):
        areas.reference(name)


def test_all_faults_of_a_file_are_told_at_once(copy):
    path = copy / "published_facts.csv"
    text = path.read_text(encoding="utf-8-sig")
    path.write_text(text.replace(",published,", ",,"), encoding="utf-8-sig")
    with pytest.raises(DataError) as refused:
        areas.reference("published_facts")
    assert len(refused.value.faults) == text.count(",published,") > 20
    assert "more" in str(refused.value)


def test_a_changed_figure_is_read_at_once(copy):
    assert areas.reference("published_facts")["value"][0] == 3671
    spoil(copy, "published_facts", "3671", "3672")
    assert areas.reference("published_facts")["value"][0] == 3672


def test_missing_files_and_unknown_names_are_refused(copy):
    (copy / "towns.csv").unlink()
    with pytest.raises(DataError, match=r"towns\.csv is missing"):
        areas.towns("320600")
    with pytest.raises(ParameterError, match="did you mean 'villages'"):
        areas.reference("vilages")
