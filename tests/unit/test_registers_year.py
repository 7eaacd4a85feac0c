"""A year in the life of own registers, step by step, each against a hand count of what had been told by then."""

import json
import random
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from institute_lib import cli, registers, retention, tables
from institute_lib.errors import DataError, ParameterError
from institute_lib.registers import digests
from institute_lib.runs import contents
from tests.offices import keep, number, write_workbook
from tests.rows import WORKER
from tests.years import CHONGCHUAN, ENDS, HAIMEN, HEADERS, MARKS, QIDONG, RUDONG, Office, Spell, count, hand_count


@pytest.fixture
def office(project, tmp_path):
    """Forty people a district: in each quarter of 2025 some join and some leave."""
    draw, people = random.Random(7), []
    for at, district in enumerate((CHONGCHUAN, HAIMEN, RUDONG, QIDONG)):
        for one in range(40):
            entered = date(2020, 1, 1) + timedelta(days=draw.randrange(1500))
            left = date(2025, 1, 5) + timedelta(days=draw.randrange(350)) if one % 5 == 0 else None
            people.append(Spell(100 * at + one, district, entered, left, 4000 + 10 * one))
        for one in range(40, 46):
            people.append(Spell(100 * at + one, district, date(2025, 1, 10) + timedelta(days=60 * (one - 40))))
    return Office(tmp_path, people)


def rates(quarter: str = "2025Q4") -> pd.DataFrame:
    workers = tables.load("workers", ENDS[quarter])
    return retention.rates(workers, quarter=quarter).set_index("district")


def hashes() -> dict[str, str]:
    return {quarter: contents.table_hash("workers", end) for quarter, end in ENDS.items()}


def changed(before: dict[str, str]) -> list[str]:
    return [quarter for quarter, digest in hashes().items() if digest != before[quarter]]


def bring(path: Path, day: str, **options) -> registers.Receipt:
    """Import a file in the week after the day it describes."""
    handed_in = (date.fromisoformat(day) + timedelta(days=5)).isoformat()
    return registers.import_files(path, today=options.pop("today", handed_in), accept_warnings=True, **options)


def test_four_quarters_with_leaving_days_give_the_hand_counts(office):
    for quarter, day in ENDS.items():
        for district in (CHONGCHUAN, HAIMEN):
            bring(office.write(f"{quarter}{district}", day, office.of(district)), day)
    found = rates()
    for district in (CHONGCHUAN, HAIMEN):
        turnover, stability = hand_count(office.of(district))
        assert found.loc[district, "turnover"] == pytest.approx(turnover)
        assert found.loc[district, "stability"] == pytest.approx(stability)
        assert found.loc[district, "headcount_end"] == count(office.of(district), MARKS[-1])
    city = retention.rates(tables.load("workers", "2025-12-31"), quarter="2025Q4", by=())
    both = [*office.of(CHONGCHUAN), *office.of(HAIMEN)]
    assert city["turnover"][0] == pytest.approx(hand_count(both)[0])


def test_lists_of_those_in_service_give_no_rates_until_the_missing_are_answered_for(office):
    last = date(2024, 12, 31)
    for day in ENDS.values():
        receipt = bring(office.write(day, day, office.of(QIDONG), leavers=False), day)
        gone = [one for one in office.of(QIDONG) if one.left and last < one.left <= date.fromisoformat(day)]
        assert sum(len(gap.open) for gap in receipt.gaps) == len(gone)
        last = date.fromisoformat(day)
        if day == "2024-12-31":
            assert tables.withheld("2024Q4", [QIDONG]) == {QIDONG: "single_state"}
            assert rates("2024Q4").loc[QIDONG, ["turnover", "stability"]].isna().all()
    assert tables.withheld("2025Q4", [QIDONG]) == {QIDONG: "unanswered"}
    assert rates().loc[QIDONG, ["turnover", "stability"]].isna().all()
    for gap in registers.gaps():
        registers.answer("启东市", pd.Period(gap.last, freq="Q").strftime("%YQ%q"), "left")
    turnover, stability = hand_count(office.of(QIDONG))
    assert rates().loc[QIDONG, "turnover"] == pytest.approx(turnover)
    assert rates().loc[QIDONG, "stability"] == pytest.approx(stability)
    workers = tables.load("workers", "2025-12-31")
    assert set(workers.loc[workers["left"].notna(), "leave_reason"]) == {"unknown"}


def test_people_who_were_left_out_are_kept_and_the_answer_falls_with_the_state_it_rests_on(office):
    people = office.of(QIDONG)
    bring(office.write("a", "2025-09-30", people, leavers=False), "2025-09-30")
    out = [one for one in people if one.serial % 100 != 1]
    receipt = bring(office.write("b", "2025-12-31", out, leavers=False), "2025-12-31", missing="keep")
    assert all(gap.open == () for gap in receipt.gaps)
    workers = tables.load("workers", "2025-12-31")
    gone = [one for one in people if one.left and one.left > date(2025, 9, 30)]
    assert workers["left"].isna().sum() == count(people, MARKS[-1]) + len(gone)
    undone = registers.undo(receipt.number)
    assert undone.asked_again == 1
    bring(office.write("c", "2025-12-31", out, leavers=False), "2025-12-31", today="2026-01-09")
    assert [len(gap.open) for gap in registers.gaps()] == [1 + len(gone)]


def test_a_late_district_and_a_second_file_join_their_quarter_and_touch_no_earlier_one(office):
    first, second = office.of(CHONGCHUAN)[:30], office.of(CHONGCHUAN)[30:]
    for day in ("2024-12-31", "2025-03-31"):
        bring(office.write(day, day, first), day)
        bring(office.write(f"{day} 第二份", day, second), day)
    assert tables.unreported("2025Q1", [CHONGCHUAN, RUDONG]) == (RUDONG,)
    before = hashes()
    late = bring(office.write("迟报", "2025-03-31", office.of(RUDONG)), "2025-03-31", today="2025-05-20")
    assert late.late == (RUDONG,)
    assert changed(before) == ["2025Q1", "2025Q2", "2025Q3", "2025Q4"]
    assert tables.unreported("2025Q1", [CHONGCHUAN, RUDONG]) == ()
    workers = tables.load("workers", "2025-03-31")
    for district in (CHONGCHUAN, RUDONG):
        here = workers[workers["district"] == district]
        assert here["left"].isna().sum() == count(office.of(district), date(2025, 3, 31))
    again = bring(office.write("又一次", "2025-03-31", second), "2025-03-31", today="2025-05-21")
    assert set(again.modes.values()) == {"same"}
    assert again.paths == ()


def test_a_correction_is_not_a_change_and_an_undo_leaves_no_trace(office):
    for day in ("2024-12-31", "2025-03-31", "2025-06-30"):
        bring(office.write(day, day, office.of(HAIMEN)), day)
    before, changes = hashes(), len(tables.load("worker_changes", "2025-06-30"))
    right = [replace(one, pay=one.pay + 100, entered=one.entered + timedelta(days=1)) for one in office.of(HAIMEN)]
    corrected = office.write("更正", "2025-06-30", right)
    with pytest.raises(DataError, match="--replace"):
        bring(corrected, "2025-06-30")
    receipt = bring(corrected, "2025-06-30", replace_states=True)
    assert changed(before) == ["2025Q2", "2025Q3", "2025Q4"]
    workers = tables.load("workers", "2025-06-30")
    assert len(workers) == len([one for one in right if one.entered <= date(2025, 6, 30)])
    with pytest.raises(DataError, match="undo that one first"):
        registers.undo(receipt.number - 1)
    registers.undo(receipt.number)
    assert changed(before) == []
    assert len(tables.load("worker_changes", "2025-06-30")) == changes
    with pytest.raises(ParameterError, match="cannot be undone"):
        registers.undo(receipt.number)


def test_what_was_known_on_a_day_stays_what_was_known_then(office):
    bring(office.write("a", "2025-03-31", office.of(HAIMEN)), "2025-03-31", today="2025-04-03")
    then = tables.load("workers", "2025-03-31", known="2025-04-30")
    bring(office.write("b", "2025-03-31", office.of(RUDONG)), "2025-03-31", today="2025-05-20")
    assert tables.load("workers", "2025-03-31", known="2025-04-30").equals(then)
    assert set(tables.load("workers", "2025-03-31")["district"]) == {HAIMEN, RUDONG}
    assert tables.unreported("2025Q1", [RUDONG], known="2025-04-30") == (RUDONG,)
    asked = {"as_of": "2025-03-31", "known": "2025-04-30"}
    assert tables.reporting([HAIMEN, RUDONG], quarters=["2025Q1"], **asked).frame["reported"].tolist() == [True, False]
    assert tables.reporting_rate([HAIMEN, RUDONG], quarter="2025Q1", **asked).frame["reported"].tolist() == [1]
    assert tables.inventory(["workers"], **asked).frame["records"].tolist() == [len(then)]


def test_a_transfer_is_named_by_the_other_district_and_a_returner_has_two_spells(office):
    moves, returns = office.of(CHONGCHUAN)[1], office.of(CHONGCHUAN)[2]
    rest = [one for one in office.of(CHONGCHUAN) if one not in (moves, returns)]
    back = [replace(returns, left=date(2025, 2, 10)), replace(returns, entered=date(2025, 5, 2), left=None)]
    bring(office.write("a", "2025-03-31", [*rest, moves, *back]), "2025-03-31")
    bring(office.write("b", "2025-03-31", office.of(HAIMEN)), "2025-03-31")
    bring(office.write("c", "2025-06-30", [*rest, *back]), "2025-06-30")
    assert [gap.missing for gap in registers.gaps()] != []
    arrived = replace(moves, district=HAIMEN, entered=date(2025, 5, 20))
    bring(office.write("d", "2025-06-30", [*office.of(HAIMEN), arrived]), "2025-06-30")
    assert registers.gaps() == ()
    workers = tables.load("workers", "2025-06-30")
    (moved,) = workers.loc[workers["leave_reason"] == "moved_district", "left"]
    assert moved == pd.Timestamp("2025-05-20")
    twice = workers["worker_id"].value_counts()
    assert (twice == 2).sum() == 2


def test_a_changed_number_is_linked_in_every_table_and_two_people_are_not(office):
    people = office.of(HAIMEN)
    bring(office.write("a", "2025-03-31", people), "2025-03-31")
    new = [replace(one, serial=900) if one.serial == people[1].serial else one for one in people]
    bring(office.write("b", "2025-06-30", new), "2025-06-30")
    assert [len(gap.open) for gap in registers.gaps()] == [1]
    book = openpyxl.Workbook()
    book.active.append(["原证件号", "新证件号"])
    book.active.append([number(people[1].serial), number(900)])
    book.save(office.folder / "link.xlsx")
    assert registers.link(office.folder / "link.xlsx") == 1
    assert registers.gaps() == ()
    workers = tables.load("workers", "2025-06-30")
    assert not workers["worker_id"].duplicated().any()
    book.active.delete_rows(2)
    book.active.append([number(people[2].serial), number(people[3].serial)])
    book.save(office.folder / "wrong.xlsx")
    with pytest.raises(DataError, match="two people"):
        registers.link(office.folder / "wrong.xlsx")


def test_a_missing_column_carries_the_last_known_value_on(office):
    bring(office.write("a", "2025-03-31", office.of(HAIMEN)), "2025-03-31")
    receipt = bring(office.write("b", "2025-06-30", office.of(HAIMEN), without="级别"), "2025-06-30")
    assert receipt.lacking == ("certificate",)
    changes = tables.load("worker_changes", "2025-06-30")
    known = {number(one.serial): one for one in office.of(HAIMEN) if one.entered <= date(2025, 3, 31)}
    first = changes[changes["date"] == pd.Timestamp("2025-03-31")]
    assert len(first) == len(known)
    assert set(first["certificate"]) == {"assistant"}
    joined = changes[changes["date"] == pd.Timestamp("2025-06-30")]
    assert set(joined["certificate"]) == {"unknown"}
    assert len(joined) == len(
        [one for one in office.of(HAIMEN) if date(2025, 3, 31) < one.entered <= date(2025, 6, 30)]
    )


def test_a_gap_longer_than_a_quarter_counts_only_in_rates_that_span_it(office):
    for day in ("2024-12-31", "2025-06-30"):
        bring(office.write(day, day, office.of(QIDONG), leavers=False), day, missing="left")
    assert tables.withheld("2025Q2", [QIDONG]) == {QIDONG: "gap"}
    bring(office.write("c", "2025-12-31", office.of(QIDONG), leavers=False), "2025-12-31", missing="left")
    found = rates().loc[QIDONG]
    leavers = [one for one in office.of(QIDONG) if one.left and one.left <= date(2025, 12, 31)]
    joined = [one for one in leavers if one.entered > date(2024, 12, 31)]
    assert found["leavers"] == len(leavers) - len([one for one in joined if one.left <= date(2025, 6, 30)])
    assert found["stability"] == pytest.approx(hand_count(office.of(QIDONG))[1])


def test_a_new_key_from_the_originals_changes_pseudonyms_and_nothing_else(office):
    files = [office.write(day, day, office.of(HAIMEN)) for day in ("2025-03-31", "2025-06-30")]
    for path, day in zip(files, ("2025-03-31", "2025-06-30"), strict=True):
        bring(path, day)
    before = tables.load("workers", "2025-06-30")
    registers.identity.paths.key().unlink()
    registers.new_key()
    with pytest.raises(DataError, match="rekey"):
        bring(files[1], "2025-06-30")
    with pytest.raises(DataError, match="original files are missing"):
        registers.rekey(files[:1])
    assert registers.rekey(files) == 2
    assert digests.load().is_name("甄无名")
    after = tables.load("workers", "2025-06-30")
    assert not set(before["worker_id"]) & set(after["worker_id"])
    assert before.drop(columns="worker_id").equals(after.drop(columns="worker_id"))


def test_a_person_and_a_quarter_are_forgotten_everywhere(office, project):
    people = office.of(HAIMEN)
    for day in ("2025-03-31", "2025-06-30"):
        bring(office.write(day, day, people), day)
    gone = registers.load_key().pseudonym(number(people[1].serial))
    book = openpyxl.Workbook()
    book.active.append(["证件号码"])
    book.active.append([number(people[1].serial)])
    book.save(office.folder / "forget.xlsx")
    assert registers.forget(office.folder / "forget.xlsx") == 2
    kept = [pd.read_parquet(path) for path in project.rglob("*.parquet")]
    assert len(kept) == 2
    assert not any(frame["worker_id"].eq(gone).any() for frame in kept)
    assert registers.gaps() == ()
    registers.forget(quarter="2025Q1")
    assert tables.covered_quarters() == ("2025Q2",)


BAD = [
    ({"as_of": "2099-12-31"}, "still to come"),
    ({"quarter": "2025Q2"}, "is not of 2025Q2"),
    ({"quarter": "2025-2"}, "write it as 2025Q4"),
    ({"as_of": "2025-03-31", "quarter": "2025Q4"}, "disagree"),
    ({"missing": "perhaps"}, "allowed: left"),
]


@pytest.mark.parametrize(("options", "said"), BAD)
def test_what_a_file_and_a_person_say_of_the_day_must_agree(office, options, said):
    path = office.write("a", "2025-03-31", office.of(HAIMEN))
    with pytest.raises((DataError, ParameterError), match=said):
        registers.import_files(path, **options)
    assert registers.holdings().empty


def test_a_file_for_two_quarters_splits_by_sheet_or_column_and_is_refused_otherwise(office):
    people = [one for one in office.of(HAIMEN) if one.left is None]
    one, two = (openpyxl.load_workbook(office.write(day, day, people)) for day in ("2025-03-31", "2025-06-30"))
    book = openpyxl.Workbook()
    for name, source in (("2025年一季度", one), ("2025Q2", two)):
        sheet = book.create_sheet(name)
        for row in source.active.iter_rows(min_row=2, values_only=True):
            sheet.append(row)
    book.remove(book.active)
    book.save(office.folder / "名册.xlsx")
    receipt = registers.import_files(office.folder / "名册.xlsx", accept_warnings=True)
    assert set(receipt.modes) == {f"{HAIMEN} 2025-03-31", f"{HAIMEN} 2025-06-30"}
    registers.undo(receipt.number)
    rows = list(two.active.iter_rows(min_row=3, values_only=True))
    book = openpyxl.Workbook()
    book.active.append([*HEADERS, "季度"])
    for quarter in ("2025Q1", "2025Q2"):
        for row in rows:
            if quarter == "2025Q2" or row[5].date() <= date(2025, 3, 31):
                book.active.append([*row, quarter])
    book.save(office.folder / "一列.xlsx")
    receipt = registers.import_files(office.folder / "一列.xlsx", accept_warnings=True)
    assert set(receipt.modes) == {f"{HAIMEN} 2025-03-31", f"{HAIMEN} 2025-06-30"}
    registers.undo(receipt.number)
    plain = office.write("2025年第一、二季度名册", "2025-03-31", people)
    book = openpyxl.load_workbook(plain)
    book.active.delete_rows(1)
    book.save(plain)
    with pytest.raises(DataError, match="more than one quarter"):
        registers.import_files(plain, accept_warnings=True)


def test_imports_and_loads_are_logged_by_account(office, project):
    bring(office.write("a", "2025-03-31", office.of(HAIMEN)), "2025-03-31")
    tables.load("workers", "2025-03-31")
    log = [json.loads(line) for line in (project / "data" / "registers" / "log.jsonl").read_text().splitlines()]
    assert [(one["what"], one["table"]) for one in log] == [("import", "workers"), ("load", "workers")]
    assert {one["by"] for one in log} == {tables.journal.account()}


def rename(path: Path, names: dict[str, str], row: int = 3) -> Path:
    """The workbook with its districts under other names."""
    book = openpyxl.load_workbook(path)
    for cells in book.active.iter_rows(min_row=row):
        cells[2].value = names.get(cells[2].value, cells[2].value)
    book.save(path)
    return path


def test_states_filed_before_a_reform_keep_their_code_and_are_read_by_todays_district(office, capsys):
    """In July 2020 Haimen city became Haimen district, and Gangzha was merged into Chongchuan."""
    before, after = "2020-06-30", "2020-09-30"
    people = [replace(one, entered=date(2018, 3, 1) + timedelta(days=one.serial), left=None) for one in office.people]
    haimen, chongchuan = ([one for one in people if one.district == code] for code in (HAIMEN, CHONGCHUAN))
    first, second = chongchuan[:20], chongchuan[20:]
    gone = {haimen[0].serial, chongchuan[1].serial, chongchuan[30].serial}
    files = {"海门市": haimen, "崇川区": first, "港闸区": second}
    numbers = {}
    for name, listed in files.items():
        path = rename(office.write(name, before, listed), {"海门区": name, "崇川区": name})
        numbers[name] = bring(path, before).number
    cells = registers.holdings().set_index("district")["described"].to_dict()
    assert cells == {"320684": before, "320602": before, "320611": before}
    cli.main(["registers", "list"])
    listed = capsys.readouterr().out.replace(" ", "")
    assert all(name in listed for name in ("海门区320684", "崇川区320602", "崇川区320611"))
    later = [one for one in (*haimen, *chongchuan) if one.serial not in gone]
    receipt = bring(office.write("新区划", after, later), after)
    assert {gap.district: len(gap.open) for gap in receipt.gaps} == {HAIMEN: 1, CHONGCHUAN: 2}

    workers = tables.load("workers", before)
    assert workers["district"].value_counts().to_dict() == {CHONGCHUAN: len(chongchuan), HAIMEN: len(haimen)}
    assert tables.unreported("2020Q2", [HAIMEN, CHONGCHUAN, RUDONG]) == (RUDONG,)
    assert workers.attrs["described"] == {HAIMEN: before, CHONGCHUAN: before}
    registers.answer("海门区", "2020Q3", "left")
    registers.answer("崇川区", "2020Q3", "left")
    workers = tables.load("workers", after)
    assert workers["left"].isna().sum() == len(later)
    assert len(workers) == len(haimen) + len(chongchuan)
    assert tables.withheld("2020Q3", [HAIMEN]) == {HAIMEN: "gap"}  # its history is one quarter, not four

    # A correction of what one of the two merged districts filed leaves the other's rows alone, and so does an undo.
    pays = [replace(one, pay=one.pay + 10) for one in second]
    path = rename(office.write("更正", before, pays), {"崇川区": "港闸区"})
    corrected = bring(path, before, replace_states=True)
    assert corrected.modes == {f"320611 {before}": "replace"}
    assert len(tables.load("workers", before)) == len(haimen) + len(chongchuan)
    assert registers.undo(corrected.number).asked_again == 0
    assert registers.undo(numbers["海门市"]).asked_again == 1
    assert tables.unreported("2020Q2", [HAIMEN, CHONGCHUAN]) == (HAIMEN,)


def test_lists_of_merged_districts_of_two_days_in_one_quarter_are_one_state(office):
    """Chongchuan and Gangzha, one district since July 2020, closed their lists on two days of June."""
    first, second, after = "2020-06-25", "2020-06-30", "2020-09-30"
    spells = (replace(one, entered=date(2018, 3, 1) + timedelta(days=one.serial), left=None) for one in office.people)
    people = [one for one in spells if one.district == CHONGCHUAN]
    bring(office.write("崇川", first, people[:20]), first)
    path = rename(office.write("港闸", second, people[20:]), {"崇川区": "港闸区"})
    assert bring(path, second).gaps == ()
    workers = tables.load("workers", second)
    assert (len(workers), workers["left"].notna().sum()) == (len(people), 0)
    assert workers.attrs["described"] == {CHONGCHUAN: second}

    new = replace(people[0], serial=people[0].serial + 5_000, entered=date(2020, 8, 1))
    receipt = bring(office.write("新区划", after, [*people[2:], new]), after, compare=True)
    assert [(gap.district, gap.first, gap.last, len(gap.open)) for gap in receipt.gaps] == [
        (CHONGCHUAN, second, after, 2)
    ]
    found = registers.compare("workers")
    assert (found.before, found.after) == (second, after)
    assert (found.joined, found.gone, found.corrected, found.unchanged) == (1, 2, 0, len(people) - 2)
    assert receipt.comparison == found
    registers.answer("崇川区", "2020Q3", "left")
    assert tables.load("workers", after)["left"].isna().sum() == len(people) - 1


def test_events_of_a_former_district_are_its_successors_and_a_divided_one_keeps_its_rows(project, tmp_path):
    headers = ["姓名", "身份证号", "称号", "区", "授予日期"]
    rows = [
        ["甄无名", number(1), "督导", "海门市", "2019-05-01"],
        ["甄别人", number(2), "督导", "海门区", "2021-05-01"],
    ]
    path = write_workbook(tmp_path / "称号.xlsx", rows, headers)
    registers.import_files(path, table="talent", accept_warnings=True)
    assert set(registers.holdings()["district"]) == {"320684", HAIMEN}
    assert set(tables.load("talent")["district"]) == {HAIMEN}
    divided = pd.DataFrame([WORKER | {"worker_id": "a", "district": "320304"}])  # 九里区, divided among three in 2010
    keep(project, "workers", divided, "2025-12-31")
    assert set(tables.load("workers", "2025-12-31")["district"]) == {"320304"}
    assert not tables.load("reporting", "2025-12-31")["district"].eq("320304").any()
