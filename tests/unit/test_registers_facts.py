"""Tables of facts that the institute brings itself: policies, who reported, other counties, villages."""

import openpyxl
import pytest

from institute_lib import areas, cli, registers, tables
from institute_lib.errors import DataError
from tests.offices import people, write_csv


def write(path, header, *rows):
    book = openpyxl.Workbook()
    for row in (header, *rows):
        book.active.append(row)
    book.save(path)
    return path


@pytest.fixture
def office(project, tmp_path):
    """An institute with a register of its own and nothing else."""
    registers.import_files(write_csv(tmp_path / "workers.csv", people()), quarter="2025Q4")
    return tmp_path


def test_a_published_panel_of_other_counties_stands_beside_the_own_districts(office):
    header = ["区县", "季度", "在职人数", "持证率", "来源"]
    rows = [["江阴市", "2025Q4", 120, "41%", "江阴统计年鉴2025"], ["崇川区", "2025Q4", 9, "50%", "别处"]]
    registers.import_files(write(office / "a.xlsx", header, *rows), table="district_panel")
    panel = tables.load("district_panel", "2025-12-31").set_index("district")
    assert (panel.loc["320281", "headcount"], panel.loc["320281", "certified_share"]) == (120, 0.41)
    assert panel.loc["320613", "headcount"] == 1  # the own register's, never another's
    kept = tables.journal.rows("district_panel")
    assert set(kept["source"]) == {"江阴统计年鉴2025", "别处"}


def test_an_own_policy_joins_the_published_ledger_and_takes_the_place_of_its_namesake(office):
    published = tables.load("policies")
    header = ["policy_id", "政策名称", "地区", "结果指标", "研究设计", "treated_from", "来源"]
    own = ["haimen_subsidy", "海门补贴", "海门区", "certified_share", "pilot", "2025Q3", "海政发〔2025〕1号"]
    registers.import_files(write(office / "a.xlsx", header, own), table="policies")
    ledger = tables.load("policies").set_index("policy_id")
    assert ledger.loc["haimen_subsidy", ["area", "status"]].tolist() == ["320614", "published"]
    assert len(ledger) == len(published) + 1


def test_the_population_of_villages_is_the_imported_one_else_an_estimate_that_says_so(office):
    estimated = tables.load("village_population")
    assert estimated["rule"].str.startswith("估算").all()
    assert estimated.groupby("district")["population"].sum()["320613"] == 1_183_740 + 332_273
    village = estimated.loc[estimated["district"] == "320613", "village"].iloc[0]
    registers.import_files(
        write(office / "a.xlsx", ["村社区代码", "人口", "来源"], [village, 4321, "街道台账"]),
        table="village_population",
    )
    loaded = tables.load("village_population").set_index("village")
    assert loaded.loc[village, ["population", "rule"]].tolist() == [4321, "街道台账"]
    assert set(loaded.loc[loaded["district"] == "320614", "rule"]) == {estimated["rule"].iloc[0]}


def test_who_has_reported_may_be_told(office):
    assert tables.unreported("2025Q4", ["320613", "320612"]) == ("320612",)
    registers.import_files(
        write(office / "a.xlsx", ["区", "季度", "已报送"], ["通州区", "2025Q4", "是"]), table="reporting"
    )
    assert tables.unreported("2025Q4", ["320613", "320612"]) == ()


def test_a_published_figure_of_a_town_comes_between(office):
    header = ["地区", "时期", "指标", "数值", "单位", "来源"]
    town = "320613001"
    registers.import_files(
        write(office / "a.xlsx", header, [town, "2024", "resident_population", 50_000, "person", "统计公报"]),
        table="published_facts",
    )
    loaded = tables.load("village_population")
    assert loaded.loc[loaded["town"] == town, "population"].sum() == 50_000
    facts = areas.reference("published_facts")
    assert facts.loc[facts["area"] == town, ["value", "source"]].to_numpy().tolist() == [[50_000, "统计公报"]]
    registers.undo(2)
    assert town not in set(areas.reference("published_facts")["area"])


def test_faults_are_all_named_and_nothing_is_kept(office, capsys):
    header = ["区县", "季度", "在职人数", "来源"]
    path = write(office / "a.xlsx", header, ["南京路", "2025Q4", 1, "甲"], ["江阴市", "去年", 1, "乙"])
    with pytest.raises(DataError) as caught:
        registers.import_files(path, table="district_panel")
    assert [(fault.row, fault.column) for fault in caught.value.faults] == [(2, "district"), (3, "quarter")]
    assert cli.main(["import", str(path), "--table", "district_panel"]) == 2
    assert "没有写入" in capsys.readouterr().err
    lacking = write(office / "b.xlsx", header[:3], ["江阴市", "2025Q4", 1])
    assert cli.main(["import", str(lacking), "--table", "district_panel"]) == 2
    assert "来源" not in registers.holdings()["file"].to_string()


def test_no_demo_stands_in_for_a_table_that_was_not_imported(office, project):
    (project / "data" / "demo").mkdir(parents=True)
    (project / "data" / "demo" / "exams.parquet").write_bytes(b"whatever the demo holds")
    with pytest.raises(DataError, match="table 'exams' is missing") as caught:
        tables.load("exams")
    assert caught.value.table == "exams"
