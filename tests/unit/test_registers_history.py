"""What an import keeps: whole or not at all, never overwritten, comparable, and with no person in it."""

import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pandas as pd
import pyarrow.parquet
import pytest

from institute_lib import cli, registers, sharing, tables
from institute_lib.errors import DataError
from institute_lib.registers import comparison
from tests.offices import HEADERS, number, people, person, write_csv, write_workbook

FIRST, SECOND = "2025-09-30", "2025-12-31"


# Each child is killed before its n-th change of the registers' folder, until one has kept its snapshot. Forked from a
# process that has imported everything and started no thread.
KILLED = """
import os, signal, sys
from pathlib import Path
import pandas, pandera.pandas, pyarrow.parquet
from institute_lib import areas, registers, tables
tables.contracts.schema("workers"), tables.contracts.schema("worker_changes"), areas.get("320613")
CHANGES = {"os.mkdir", "os.rename", "os.link", "os.remove"}
path, root = sys.argv[1], Path(sys.argv[2])
def kill_before(change):
    counted = 0
    def hook(event, arguments):
        nonlocal counted
        is_written = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE
        if (event in CHANGES or is_written) and str(arguments[0]).startswith(str(root)):
            counted += 1
            if counted == change:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
kept = False
change = 0
while not kept:
    change += 1
    child = os.fork()
    if child == 0:
        kill_before(change)
        registers.import_files(path, as_of="2025-12-31")
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    kept = (root / "journal.jsonl").read_text().count('"number"') == 2
    print(change, status, *sorted(path.relative_to(root).as_posix() for path in root.rglob("*.parquet")))
"""


def test_a_kill_before_any_change_of_the_disk_leaves_the_last_snapshot_whole_and_the_import_can_be_repeated(
    project, tmp_path
):
    registers.import_files(write_csv(tmp_path / "a.csv", people()), as_of=FIRST)
    before = {name: tables.load(name, SECOND) for name in ("workers", "worker_changes")}
    rows = people()
    rows[0][6] = "6000"
    path = write_csv(tmp_path / "b.csv", [*rows, person(9)])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(project / "data" / "registers")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    *killed, last = [line.split() for line in done.stdout.splitlines()]
    assert len(killed) > 6
    assert {end[1] for end in (*killed, last)} == {"9"}
    assert "workers/000002.parquet" in killed[-1]  # written, and named by no line of the journal
    assert {"workers/000001.parquet", "workers/000002.parquet"} <= set(last)
    assert {len(frame) for frame in before.values()} == {3}
    after = {name: tables.load(name, SECOND) for name in before}
    assert (len(after["workers"]), len(after["worker_changes"])) == (4, 5)
    registers.import_files(path, as_of="2026-03-31", today="2026-04-02")
    assert list(project.rglob("*.partial")) == []


def test_rows_that_no_line_of_the_journal_names_are_not_seen_and_are_cleared_away(project, tmp_path):
    receipt = registers.import_files(write_csv(tmp_path / "a.csv", people()), as_of=FIRST)
    orphan = receipt.paths[0].with_name("000002.parquet")
    orphan.write_bytes(receipt.paths[0].read_bytes())
    assert len(tables.load("workers")) == 3
    table = write_csv(tmp_path / "b.csv", [["甄无名", number(1), "督导", "崇川区", "2020-01-01"]], TALENT)
    registers.import_files(table, table="talent")
    assert not orphan.exists()


def test_two_imports_at_once_do_not_mix(project, tmp_path):
    from institute_lib.registers import store

    with store.writing(project / "data" / "registers"), pytest.raises(DataError, match="another import"):
        registers.import_files(write_csv(tmp_path / "a.csv", people()), as_of=FIRST)
    assert registers.import_files(tmp_path / "a.csv", as_of=FIRST).rows == 3


def test_two_imports_at_once_do_not_mix_where_the_system_is_windows(project, tmp_path, monkeypatch):
    held = set()

    def locking(handle, _mode, _size):
        place = os.fstat(handle)
        if (place.st_dev, place.st_ino) in held:
            raise PermissionError(13, "Permission denied")
        held.add((place.st_dev, place.st_ino))

    monkeypatch.setattr(sharing, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    path = write_csv(tmp_path / "a.csv", people())
    assert registers.import_files(path, as_of=FIRST).rows == 3
    with pytest.raises(DataError, match="another import"):
        registers.import_files(path, as_of=SECOND)


def test_a_place_that_cannot_be_written_to_is_said_plainly(project, tmp_path):
    project.mkdir()
    (project / "data").write_text("a file where a folder should be")
    with pytest.raises(DataError, match="nothing was kept"):
        registers.import_files(write_csv(tmp_path / "a.csv", people()), as_of=FIRST)


def test_each_table_carries_the_id_of_the_key_and_never_the_key(project, tmp_path):
    receipt = registers.import_files(write_csv(tmp_path / "a.csv", people()), as_of=FIRST)
    key = registers.load_key()
    for path in receipt.paths:
        content = path.read_bytes()
        assert key.id.encode() in content
        assert key.secret not in content
        assert key.secret.hex().encode() not in content
        if path.suffix == ".parquet":
            assert key.id in str(pyarrow.parquet.read_metadata(path).metadata)


def test_pseudonyms_of_every_table_come_from_one_key(project, tmp_path):
    registers.import_files(write_csv(tmp_path / "a.csv", people()), as_of=FIRST)
    registers.identity.paths.key().unlink()
    registers.new_key()
    talent = write_csv(tmp_path / "b.csv", [["甄无名", number(1), "督导", "崇川区", "2020-01-01"]], TALENT)
    with pytest.raises(DataError, match="Restore the key"):
        registers.import_files(talent, table="talent", as_of=FIRST)


TALENT = ["姓名", "身份证号", "称号", "区", "授予日期"]
EXAMS = ["姓名", "身份证号", "考试日期", "区", "报考级别", "报名", "参考", "通过"]
STATIONS = ["站点编号", "站点名称", "层级", "区", "启用日期", "岗位数", "在岗人数", "关闭日期", "经度", "纬度"]
PROCUREMENT = [
    "合同编号",
    "区",
    "签约日期",
    "层级",
    "服务领域",
    "承接机构",
    "合同金额（万元）",
    "社工占比",
    "人力成本占比",
]
SERVICES = ["区县", "季度", "服务领域", "服务对象数", "达成人数", "评估人数"]
OTHERS = {
    "talent": (TALENT, ["甄无名", number(1), "督导", "港闸区", "2018-01-01"]),
    "exams": (EXAMS, ["甄无名", number(1), date(2019, 6, 1), "港闸区", "助理", "是", "是", "否"]),
    "stations": (
        [*STATIONS, "坐标系"],
        ["S1", "甲站", "镇级", "320611", "2018-03-01", 4, 3, "", 120.86, 32.01, "WGS84"],
    ),
    "procurement": (PROCUREMENT, ["C1", "港闸区", 43160, "区级", "禁毒", "甲机构", "12.5", "80%", 0.6]),
    "services": (SERVICES, ["港闸区", "2018年第四季度", "禁毒", 120, 80, 90]),
}


@pytest.mark.parametrize("table", OTHERS)
def test_every_other_table_is_imported_and_a_former_district_is_right_for_its_own_day(project, tmp_path, table):
    headers, row = OTHERS[table]
    receipt = registers.import_files(write_workbook(tmp_path / "a.xlsx", [row], headers), table=table, as_of=FIRST)
    loaded = tables.load(table)
    assert (len(loaded), loaded.attrs["source"], loaded["district"].tolist()) == (1, "register", ["320613"])
    assert receipt.report.problems == ()
    if table == "procurement":
        assert loaded["amount"].tolist() == [125_000]
    late = [
        value if value not in ("2018-01-01", "2018-03-01", date(2019, 6, 1), 43160) else "2024-01-01" for value in row
    ]
    late = ["2024Q1" if value == "2018年第四季度" else value for value in late]
    with pytest.raises(registers.RegisterError) as caught:
        registers.read(write_csv(tmp_path / "b.csv", [late], headers), table=table)
    assert [fault.rule for fault in caught.value.report.faults] == ["district_retired"]


def test_joiners_leavers_and_corrections_are_counted_against_the_last_snapshot(project, tmp_path):
    before = [person(at) for at in range(8)]
    registers.import_files(write_csv(tmp_path / "a.csv", before), as_of=FIRST)
    after = [person(at) for at in range(8)]
    after[0][8] = "2025-11-01"  # left
    after[1][4] = "乙社工站"  # another station
    after[2][7] = "2018-07-01"  # another first day
    after.pop(3)  # no longer listed
    added = [person(20, 入职日期="2025-11-03"), person(21, 入职日期="2025-12-01"), person(22, 入职日期="2020-01-01")]
    path = write_csv(tmp_path / "b.csv", [*after, *added])
    receipt = registers.import_files(path, as_of=SECOND, compare=True)
    found = registers.compare("workers")
    assert found == receipt.comparison
    counts = dict(found.to_frame().itertuples(index=False))
    assert counts == {"joined": 2, "late": 1, "left": 1, "gone": 1, "corrected": 2, "unchanged": 4}
    assert "2 joined, 1 left" in found.summary("en")
    with pytest.raises(DataError, match="an earlier one"):
        registers.compare("workers", day=FIRST)


def test_a_table_without_persons_is_compared_by_its_own_keys():
    before = pd.DataFrame({"contract_id": ["a", "b", "c"], "amount": [1.0, 2.0, None]})
    after = pd.DataFrame({"contract_id": ["a", "c", "d"], "amount": [1.5, None, 4.0]})
    found = comparison.between("procurement", before, after, days=(FIRST, SECOND))
    assert (found.joined, found.gone, found.corrected, found.unchanged, found.left) == (1, 1, 1, 1, 0)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_command_compares_with_and_without_files_and_a_dry_run_writes_nothing(project, tmp_path, capsys):
    one, two = write_csv(tmp_path / "a.csv", people()), write_csv(tmp_path / "b.csv", [*people(), person(9)])
    assert cli.main(["import", str(one), "--as-of", FIRST, "--compare"]) == 0
    assert "无从比较" in capsys.readouterr().out
    kept = files(project)
    assert cli.main(["import", str(two), "--as-of", SECOND, "--compare", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "补录1段" in said
    assert "未写入" in said
    assert files(project) == kept
    assert cli.main(["import", str(two), "--as-of", SECOND, "--compare"]) == 0
    assert cli.main(["import", "--compare", "--language", "en"]) == 0
    assert "1 entered late" in capsys.readouterr().out
    assert cli.main(["import"]) == 2
    assert "没有指定文件" in capsys.readouterr().err


PLANTED = ["甄无名", "贾有名", "甄别人", "𬭎㛃玥", "买买提·吐尔逊", "13900001111", "13900002222", "13800138000"]


def test_nothing_that_an_import_writes_or_says_holds_a_name_a_number_or_a_phone(project, tmp_path, capsys):
    rows = [*people(), person(7, 姓名="𬭎㛃玥"), person(8, 姓名="买买提·吐尔逊")]
    secrets = {*PLANTED, *(row[1] for row in rows)}
    headers = ["姓名（甄无名填）", *HEADERS[1:2], "手机（13800138000）", *HEADERS[3:]]
    folder, reports = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    reports.mkdir()

    def add(book):
        book.active.title = "甄无名"
        book.active.append(["填表人：贾有名 13800138000"])
        book.create_sheet("买买提·吐尔逊").append(["旧表"])
        book["买买提·吐尔逊"].sheet_state = "hidden"

    good = write_workbook(folder / "甄无名13800138000.xlsx", rows, headers, add)
    bad = [person(1, 社工站="甄无名 13800138000", 区="贾有名"), ["甄别人", number(1), *person(1)[2:]], ["贾有名", ""]]
    bad = [*bad, person(3, 姓名="贾有名", 月薪="甄无名", 入职日期="13900002222")]
    bad = write_csv(folder / f"贾有名{number(2)}.csv", bad, headers)
    for path, status in ((good, 0), (bad, 2)):
        for kind in ("json", "xlsx"):
            options = ["--as-of", FIRST, "--accept-warnings", "--dry-run", "--report", f"{reports}/{status}.{kind}"]
            assert cli.main(["import", str(path), *options]) == status
    assert cli.main(["import", str(good), "--as-of", FIRST, "--accept-warnings"]) == 0
    said = capsys.readouterr()
    texts = {"output": said.out.replace(str(tmp_path), ""), "errors": said.err}
    # A marked workbook is the office's own, with its people in it; what is kept and what machines read is ours.
    for path in (*project.rglob("*"), *reports.rglob("*.json"), *(tmp_path / "keys").rglob("*")):
        if path.is_file():
            texts[str(path)] = text_of(path)
    assert len(texts) >= 2 + 3 + 2 + 2
    assert {(place, secret) for place, text in texts.items() for secret in secrets if secret in text} == set()


def text_of(path: Path) -> str:
    if path.suffix == ".parquet":
        return pd.read_parquet(path).to_csv() + str(pyarrow.parquet.read_metadata(path).metadata)
    if path.suffix == ".xlsx":
        return str([[cell.value for cell in row] for row in openpyxl.load_workbook(path).active.iter_rows()])
    if path.suffix == ".json":
        return json.dumps(json.loads(path.read_text(encoding="utf-8")), ensure_ascii=False)
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("language", "restore"), [("zh", "恢复当时的密钥"), ("en", "restore the key")])
def test_a_lost_key_is_said_plainly(project, tmp_path, capsys, language, restore):
    path = write_csv(tmp_path / "a.csv", people())
    registers.import_files(path, as_of=FIRST)
    registers.identity.paths.key().unlink()
    assert cli.main(["import", str(path), "--as-of", SECOND, "--language", language]) == 2
    said = capsys.readouterr().err
    assert "institute key new" in said
    assert restore in said
    assert "Traceback" not in said
    kept = {path.name for path in (project / "data" / "registers" / "workers").iterdir()}
    assert kept == {"000001.parquet", "000001.json"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda key: key.chmod(0o644), "可被他人读取"),
        (lambda key: key.write_text("no key"), "不是化名密钥"),
        (lambda key: key.write_text("ab" * 8), "太短（8字节）"),
        (lambda key: (key.unlink(), registers.new_key()), "请恢复密钥"),
    ],
)
def test_whatever_is_wrong_with_the_key_is_said_in_the_clerks_language(project, tmp_path, capsys, changed, said):
    path = write_csv(tmp_path / "a.csv", people())
    registers.import_files(path, as_of=FIRST)
    changed(registers.identity.paths.key())
    assert cli.main(["import", str(path), "--as-of", SECOND]) == 2
    refused = capsys.readouterr().err
    assert said in refused
    assert not re.search(
        r"[a-z]+ [a-z]+ [a-z]+", refused.replace("institute key new", "").replace("institute registers rekey", "")
    )
