from pathlib import Path

import pandas as pd
import pytest

from institute_lib import tables
from institute_lib.errors import DataError, ParameterError
from institute_lib.tables import contracts
from tests import offices

PROJECT = Path(__file__).parents[2]


def workers(**columns):
    frame = pd.DataFrame(
        {
            "worker_id": ["a", "b", "c"],
            "kind": "agency",
            "employer": "e1",
            "station": None,
            "district": ["320613", "320671", "320685"],
            "town": None,
            "entered": pd.to_datetime(["2020-01-01", "2024-06-01", "2025-02-01"]),
            "left": pd.to_datetime(["2025-03-01", None, None]),
            "leave_reason": ["retired", None, None],
            "birth_year": 1990,
            "gender": "female",
            "education": "college",
            "contract": "project",
            "field": "elderly",
        }
    )
    return frame.assign(**columns)


@pytest.fixture
def home(tmp_path):
    """Keep tables as own registers in an empty project folder."""
    return lambda name, frame, day="2025-12-31": offices.keep(tmp_path, name, frame, day)


def test_a_run_for_2024_never_sees_2025(home):
    home("workers", workers().iloc[:2], "2024-12-31")
    root = home("workers", workers(), "2025-12-31")
    known = tables.load("workers", "2024-12-31", root=root)
    assert list(known["worker_id"]) == ["a", "b"]
    assert known["left"].isna().all()
    assert known["leave_reason"].isna().all()


def test_a_day_later_the_leaver_is_seen(home):
    known = tables.load("workers", "2025-03-01", root=home("workers", workers(), "2025-03-01"))
    assert known.set_index("worker_id").loc["a", "leave_reason"] == "retired"


def test_a_development_zone_is_folded_into_the_district_whose_polygon_holds_it(home):
    known = tables.load("workers", root=home("workers", workers()))
    assert list(known["district"]) == ["320613", "320613", "320685"]


def test_a_state_of_a_later_quarter_does_not_describe_an_earlier_one(home):
    home("workers", workers(left=pd.NaT, leave_reason=None).iloc[:2], "2024-12-31")
    root = home("workers", workers(), "2025-12-31")
    assert tables.load("workers", "2025-06-30", root=root).attrs["snapshot"] == "2024-12-31"
    assert tables.load("workers", "2025-12-31", root=root).attrs["snapshot"] == "2025-12-31"
    assert tables.load("workers", "2025-06-30", root=root)["left"].isna().all()
    assert tables.load("workers", "2024-01-31", root=root).empty


def test_a_future_treatment_is_hidden_from_an_earlier_run(home):
    panel = pd.DataFrame(
        {
            "district": "320613",
            "quarter": ["2024Q3", "2024Q4", "2025Q1"],
            "headcount": 10.0,
            "certified_share": 0.4,
            "stay_rate": 0.9,
            "town_money_share": 0.5,
            "town_posts_share": 0.5,
            "treated_from": "2025Q1",
        }
    )
    known = tables.load("district_panel", "2024-12-31", root=home("district_panel", panel))
    assert list(known["quarter"]) == ["2024Q3", "2024Q4"]
    assert known["treated_from"].isna().all()


def test_every_fault_is_reported_at_once():
    frame = workers(
        kind=["agncy", "agency", "agency"],
        district=["320613", "320699", "320685"],
        left=pd.to_datetime(["2019-01-01", None, None]),
        gender=["female", "", "male"],
    )
    with pytest.raises(DataError) as caught:
        tables.validate("workers", frame)
    found = {(fault.row, fault.column) for fault in caught.value.faults}
    assert found == {(2, "kind"), (3, "district"), (2, "left"), (3, "gender")}


@pytest.mark.parametrize(
    ("columns", "column", "rule"),
    [
        ({"leave_reason": None}, "leave_reason", "exactly where"),
        ({"worker_id": ["a", "a", "c"], "district": "320613"}, "entered", "do not overlap"),
        ({"birth_year": 1066}, "birth_year", "1930 to 2020"),
        ({"entered": pd.to_datetime(["1900-01-01", "2024-06-01", "2025-02-01"])}, "entered", "1950-01-01"),
    ],
)
def test_a_breach_names_its_column_and_rule(columns, column, rule):
    with pytest.raises(DataError) as caught:
        tables.validate("workers", workers(**columns))
    assert any(fault.column == column and rule in fault.rule for fault in caught.value.faults)


def test_a_missing_column_is_named_with_the_contracts_columns():
    with pytest.raises(DataError, match="required column is missing") as caught:
        tables.validate("workers", workers().drop(columns="district"))
    assert caught.value.faults[0].column == "district"


def test_more_passed_than_sat_is_refused():
    exams = pd.DataFrame(
        {
            "candidate_id": ["x"],
            "exam_date": pd.to_datetime(["2024-06-15"]),
            "district": "320613",
            "level": "assistant",
            "registered": True,
            "sat": False,
            "passed": True,
            "worker_id": None,
            "stock": False,
        }
    )
    with pytest.raises(DataError, match="nobody passes without sitting"):
        tables.validate("exams", exams)


def test_an_unknown_table_names_the_nearest_one():
    with pytest.raises(ParameterError, match="did you mean 'workers'"):
        tables.load("worker")


def test_a_table_that_is_nowhere_says_how_to_make_it(tmp_path):
    with pytest.raises(DataError, match="table 'exams' is missing"):
        tables.load("exams", root=tmp_path)


def test_a_district_without_a_worker_has_not_reported(home):
    root = home("workers", workers())
    districts = ("320612", "320613", "320685")
    assert tables.unreported("2025Q4", districts, root=root) == ("320612",)


def test_a_register_covers_the_quarters_that_its_states_describe(home):
    """A state dated up to thirty days after a quarter's end is still that quarter's."""
    assert tables.covered_quarters(root=home("workers", workers(), "2025-07-30")) == ("2025Q2",)
    both = home("workers", workers(), "2025-12-31")
    assert tables.covered_quarters(root=both) == ("2025Q2", "2025Q3", "2025Q4")
    assert tables.covered_quarters(as_of="2025-09-30", root=both) == ("2025Q2", "2025Q3")


@pytest.mark.parametrize("name", contracts.CONTRACTS)
def test_the_data_dictionary_explains_every_column_and_level(name):
    text = (PROJECT / "data" / "README.md").read_text(encoding="utf-8")
    section = text.split(f"### `{name}`")[1].split("\n### ")[0]
    for column, contract in contracts.schema(name).columns.items():
        line = next(line for line in section.splitlines() if line.startswith(f"| `{column}` |"))
        allowed = [check.statistics["allowed_values"] for check in contract.checks if check.name == "isin"]
        assert all(f"`{level}`" in line for levels in allowed for level in levels), column
        assert ("是 yes" in line) == contract.nullable, column


def test_the_inventory_says_which_table_is_absent_and_which_breaks_its_contract(home):
    home("workers", workers().iloc[:2], "2024-12-31")
    root = home("talent", pd.DataFrame({"person_id": ["p"], "title": ["hero"], "district": ["320613"]}))
    found = tables.inventory(("workers", "talent", "exams"), as_of="2024-12-31", root=root).frame.set_index("table")
    assert list(found["source"]) == ["register", "faulty", "absent"]
    assert found.loc["workers", "records"] == 2
    assert found.loc["workers", "last"] == "2024Q2"
    assert found.loc["talent", "faults"] >= 2


def test_unknown_and_empty_do_not_count_as_filled(home):
    frame = workers(gender=["female", "unknown", "unknown"])
    loaded = tables.load("workers", root=home("workers", frame))
    shares = tables.completeness(loaded).frame.set_index("column")["share"]
    assert shares["gender"] == pytest.approx(1 / 3)
    assert shares["station"] == 0
    assert shares["worker_id"] == 1


def test_reporting_names_each_district_and_quarter(home):
    root = home("workers", workers())
    table = tables.reporting(("320613", "320612"), quarters=("2025Q4",), as_of="2025-12-31", root=root)
    assert table.frame.set_index("district")["reported"].to_dict() == {"320613": True, "320612": False}


def test_a_late_district_is_left_out_and_said(home):
    root = home("workers", workers())
    found = tables.reports(("320613", "320612"), quarter="2025Q4", as_of="2025-12-31", root=root)
    assert (found.quarter, found.districts, found.late, found.absent) == ("2025Q4", ("320613",), ("320612",), False)
    assert "通州区" in found.notes("zh")[0]
    assert "Tongzhou District" in found.notes("en")[0]


def test_districts_that_never_reported_are_refused(home):
    root = home("workers", workers())
    with pytest.raises(DataError, match="320612: none has reported"):
        tables.reports(("320612",), quarter="2025Q4", as_of="2025-12-31", root=root)


def test_a_late_district_falls_back_to_its_last_report(tmp_path):
    demo = tmp_path / "data" / "demo"
    demo.mkdir(parents=True)
    workers().to_parquet(demo / "workers.parquet")
    reported = {"district": "320613", "quarter": ["2025Q3", "2025Q4"], "reported": [True, False]}
    pd.DataFrame(reported).to_parquet(demo / "reporting.parquet")
    found = tables.reports(("320613",), quarter="2025Q4", as_of="2025-12-31", root=tmp_path)
    assert (found.quarter, found.as_of, found.absent) == ("2025Q3", "2025-09-30", True)
