"""Two releases held together: each attack first succeeds by hand, then the audit finds it; what is safe passes."""

import json

import pandas as pd
import pytest

from institute_lib import disclosure, release
from institute_lib.release import ledger

EMPTY = pd.DataFrame(columns=["indicator", "district", "quarter", "value"])


def figures(indicator: str, quarter: str, values: dict, **more) -> pd.DataFrame:
    rows = [{"district": district, "value": value} for district, value in values.items()]
    return pd.DataFrame(rows).assign(indicator=indicator, quarter=quarter, **more)


def rules(findings) -> set[str]:
    return {finding.rule for finding in findings}


NANTONG = {
    "320600": 400,
    "320612": 60,
    "320613": 90,
    "320614": 70,
    "320623": 50,
    "320681": 60,
    "320682": 40,
    "320685": 30,
}


def test_city_minus_districts_gives_the_one_that_is_not_listed():
    values = {**NANTONG, "320600": 403}
    del values["320685"], values["320682"]
    values["320685"] = 66
    assert 403 - sum(v for k, v in values.items() if k != "320600") == 7  # the attack: only 启东 or 海安 is left
    (found,) = release.audit(EMPTY, figures("headcount", "2025Q4", values, table="heads"))
    assert found.rule == "audit_margins"
    assert "320682" in found.where
    assert found.what == "7"
    assert found.tables == ("heads",)
    assert "heads" in found.describe("zh")


def test_a_blank_that_another_release_of_the_quarter_fills_is_found():
    before = figures("headcount", "2025Q4", {"320600": 374}, table="city", release="a")
    values = {**NANTONG, "320685": None}
    del values["320600"]
    assert release.audit(None, figures("headcount", "2025Q4", values)) == []  # alone it gives nothing away
    (found,) = release.audit(before, figures("headcount", "2025Q4", values, table="districts", release="b"))
    assert (found.rule, found.what) == ("audit_margins", str(374 - 370))
    assert found.tables == ("a city", "b districts")


def test_the_sum_of_shown_and_hidden_districts_is_no_finding_when_two_are_hidden():
    values = {**NANTONG, "320685": None, "320682": None}
    assert release.audit(EMPTY, figures("headcount", "2025Q4", values)) == []


def test_two_hidden_cells_that_hold_few_together_are_found():
    values = {**NANTONG, "320600": 335, "320685": None, "320682": None}
    assert 335 - 330 == 5
    found = release.audit(EMPTY, figures("headcount", "2025Q4", values))
    assert [one.what for one in found] == ["0 … 5", "0 … 5"]


def test_what_disclosure_control_protected_passes_the_audit():
    table = pd.DataFrame({"district": list(NANTONG), "n": list(NANTONG.values())})
    table.loc[table["district"] == "320685", "n"] = 4
    table.loc[table["district"] == "320600", "n"] = 374
    blank = table.assign(n=table["n"].where(table["n"] >= 10))
    assert rules(release.audit([], blank.assign(quarter="2025Q4"))) == {"audit_margins"}
    assert release.audit([], disclosure.protect(table, rows="district", value="n", title="heads")) == []


def test_a_linked_table_released_earlier_gives_a_row_total_away():
    before = pd.DataFrame({"district": ["320613"], "quarter": ["2025Q4"], "headcount": [64]})
    now = pd.DataFrame(
        {
            "district": ["320613"] * 3,
            "quarter": "2025Q4",
            "level": ["junior", "middle", "senior"],
            "headcount": [30, 30, None],
        }
    )
    found = release.audit(before, now)
    assert [one.what for one in found] == ["4"]
    assert "level=senior" in found[0].where


def test_one_leaver_between_two_quarters_shows_his_pay():
    before = pd.DataFrame({"district": ["320613"], "quarter": ["2025Q3"], "headcount": [57], "mean_pay": [5600.0]})
    now = pd.DataFrame({"district": ["320613"], "quarter": ["2025Q4"], "headcount": [56], "mean_pay": [5550.0]})
    pay = 57 * 5600 - 56 * 5550
    assert pay == 8400  # the attack
    (found,) = release.audit(before, now)
    assert found.rule == "audit_quarters"
    assert float(found.what) == pytest.approx(8400)
    many = now.assign(headcount=40)
    assert release.audit(before, many) == []


def test_rounded_means_keep_the_leavers_pay_open():
    before = figures("mean_pay", "2025Q3", {"320613": 5600.0}, count=57, rounding=100)
    now = figures("mean_pay", "2025Q4", {"320613": 5500.0}, count=56, rounding=100)
    assert release.audit(before, now) == []


def test_a_mean_times_its_count_gives_the_hidden_district():
    counts = {"320600": 99, "a": 50, "b": 40, "c": 9}
    means = {"320600": 5700.0, "a": 5400.0, "b": 5300.0, "c": None}
    table = pd.DataFrame({"group": ["total", "a", "b", "c"], "n": counts.values(), "mean_pay": means.values()})
    pay = (99 * 5700 - 50 * 5400 - 40 * 5300) / 9
    assert pay == pytest.approx(9144.4, abs=0.1)  # the attack
    long = table.melt("group", value_vars="mean_pay", var_name="indicator", value_name="value")
    long["count"], long["quarter"] = [99, 50, 40, None], "2025Q4"
    (found,) = release.audit([], long)
    assert found.rule == "audit_mean"
    assert float(found.what) == pytest.approx(pay, rel=0.001)


def test_a_hidden_stock_follows_from_the_flows():
    before = figures("headcount", "2025Q3", {"320613": 11})
    now = pd.concat(
        [
            figures("headcount", "2025Q4", {"320613": None}),
            figures("joined", "2025Q4", {"320613": 0}),
            figures("left", "2025Q4", {"320613": 3}),
        ]
    )
    found = release.audit(before, now)
    assert [(one.rule, one.what) for one in found] == [("audit_flow", "8")]


@pytest.mark.parametrize(
    ("inner", "outer"), [("18-29", "18-30"), ("<30", "≤30"), ("30+", "29+"), ("junior+middle", "junior+middle+senior")]
)
def test_two_overlapping_groups_show_the_few_between_them(inner, outer):
    before = pd.DataFrame({"district": ["320613"], "quarter": ["2025Q4"], "group": [inner], "headcount": [61]})
    now = pd.DataFrame({"district": ["320613"], "quarter": ["2025Q4"], "group": [outer], "headcount": [63]})
    found = release.audit(before, now)
    assert [(one.rule, one.what) for one in found] == [("audit_overlap", "2")]
    assert release.audit(before, now.assign(headcount=90)) == []


def test_rounded_and_suppressed_tables_do_not_leave_together():
    table = pd.DataFrame({"district": ["320613", "320612"], "n": [60, 70]})
    both = [disclosure.protect(table, rows="district", value="n", method=method) for method in ("round", "suppress")]
    assert rules(release.audit([], both)) == {"audit_mixed"}


def test_published_facts_are_no_findings():
    facts = pd.DataFrame({"city": ["320600"], "leading": [1], "quarter": ["2025Q4"]})
    safe = disclosure.exempt(facts, reason="published", source="news", rows=["city", "quarter"], value="leading")
    assert release.audit([], safe) == []


def test_only_what_the_new_release_touches_is_found():
    before = figures("headcount", "2024Q4", {**NANTONG, "320600": 335, "320685": None, "320682": None})
    assert release.audit(before, figures("headcount", "2025Q4", NANTONG)) == []


def test_a_safe_table_enters_the_ledger_with_its_rounding_and_without_hidden_figures():
    table = pd.DataFrame({"district": ["320613", "320612"], "rate": [0.5, 0.25], "n": [8, 120]})
    safe = disclosure.protect(table, rows="district", value=("rate", "n"), contributors="n")
    rows = ledger.rows_of(safe, quarter="2025Q4", table="rates")
    assert rows["value"].tolist()[:2] != [0.5, 8]
    shown = rows[(rows["district"] == "320612") & (rows["indicator"] == "rate")].iloc[0]
    assert (shown["rounding"], shown["count"], shown["quarter"]) == (0.001, 120, "2025Q4")
    assert "0.5" not in json.dumps(rows.to_dict("records"), default=str)
