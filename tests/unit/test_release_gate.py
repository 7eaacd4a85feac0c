"""The gate: only what passes leaves, somebody answers for it, and what is held back is told what to change."""

import hashlib
import json
from dataclasses import dataclass
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest

from institute_lib import areas, brief, charts, cli, disclosure, paths, registers, release, terms
from institute_lib.errors import ParameterError, ReleaseError
from institute_lib.registers import digests
from institute_lib.release import ledger, names

NEW = nbformat.v4
NUMBER = "999999199003070012"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(tmp_path / "keys" / "pseudonym.key"))
    registers.new_key()
    digests.keep(digests.lines(registers.load_key(), ["甄无名"], []))
    names.known.cache_clear()
    yield tmp_path / "home"
    names.known.cache_clear()


def table(persons: dict[str, int] | None = None, **options) -> disclosure.SafeTable:
    persons = persons or {"320613": 120, "320612": 80}
    frame = pd.DataFrame({"district": list(persons), "headcount": list(persons.values())})
    return disclosure.protect(frame, rows="district", value="headcount", title="人数", source="登记表", **options)


def job(home, notebook="03_x", area="320613", *, quarter="2025Q4", shown=(), demo=False, finding="一切正常。"):
    """A finished job's folder, as a run leaves it."""
    place = home / "papermill_runs" / quarter / notebook / area
    place.mkdir(parents=True)
    study = SimpleNamespace(area=areas.get(area), quarter=quarter, language="zh", as_of="")
    head = brief.opening(study, title="简报", findings=[finding], demo=demo)
    cells = [
        NEW.new_code_cell("x", outputs=[NEW.new_output("display_data", data=one._repr_mimebundle_())])
        for one in (head, *(shown or (table(),)))
    ]
    nbformat.write(NEW.new_notebook(cells=cells), place / "executed.ipynb")
    brief.export(place / "executed.ipynb", place / "brief.html", shared="../../plotly.min.js")
    (place / "result.json").write_text(json.dumps({"demo": demo, "numbers": {}}), encoding="utf-8")
    outputs = {
        name: {"sha256": hashlib.sha256((place / name).read_bytes()).hexdigest()}
        for name in ("brief.html", "executed.ipynb", "result.json")
    }
    (place / "manifest.json").write_text(json.dumps({"demo": demo, "outputs": outputs}), encoding="utf-8")
    return place


def only(record: release.ReleaseRecord):
    (item,) = record.items
    return item


def test_a_brief_that_passes_leaves_in_one_file_and_is_signed_for(home):
    place = job(home, shown=[table(), charts.draw_bars(table(), language="zh")])
    record = release.release("2025Q4", by="王审核")
    copy = home / "papermill_runs" / "2025Q4" / "released" / "03_x" / "320613" / "brief.html"
    assert only(record).released
    assert copy.read_text(encoding="utf-8") == brief.in_one_file((place / "brief.html").read_text(encoding="utf-8"))
    assert "src=" not in copy.read_text(encoding="utf-8")[-2000:]
    (entry,) = json.loads(record.path.read_text(encoding="utf-8"))
    assert (entry["by"], entry["briefs"][0]["sha256"]) == ("王审核", hashlib.sha256(copy.read_bytes()).hexdigest())
    assert entry["when"]
    assert release.verify("2025Q4") == ()
    assert set(ledger.read()["indicator"]) == {"headcount"}
    assert {path.name for path in (home / "papermill_runs" / "2025Q4" / "released").rglob("*") if path.is_file()} == {
        "brief.html"
    }


def leave_numbers(place, numbers: dict[str, float | None], reads=()):
    """What a study recorded, and what it read of others."""
    area = place.name
    status = {name: {"status": "primary" if n is None else "shown", "unit": "count"} for name, n in numbers.items()}
    content = {"demo": False, "area": area, "quarter": "2025Q4", "numbers": numbers, "protection": status}
    (place / "result.json").write_text(json.dumps(content), encoding="utf-8")
    manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    manifest["outputs"]["result.json"] = {"sha256": hashlib.sha256((place / "result.json").read_bytes()).hexdigest()}
    manifest["inputs"] = {"results": dict.fromkeys(reads, "hash")}
    (place / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_numbers_recorded_by_all_areas_of_a_run_are_audited_together(home):
    """Each district hides its small number by itself; the city's less the others' gives it away."""
    passed = {"320600": 1014, "320612": 300, "320613": 280, "320614": None, "320623": 150, "320681": 100}
    passed |= {"320682": 100, "320685": 80}
    for area, n in passed.items():
        leave_numbers(job(home, "05_x", area), {"exam_passed": n})
    record = release.release("2025Q4", by="a")
    assert {finding.rule for item in record.held for finding in item.findings} == {"audit_margins"}
    assert "320614" in record.held[0].findings[0].where
    assert not ledger.place().exists() or "exam_passed" not in set(ledger.read()["indicator"])


def test_what_a_brief_reads_of_others_is_audited_and_released_with_it(home):
    leave_numbers(job(home, "05_x", demo=True), {"exam_passed": 280})  # held back itself
    leave_numbers(job(home, "06_y"), {}, reads=["05_x/320613"])
    record = release.release("2025Q4", by="a")
    assert [(item.notebook, item.released) for item in record.items] == [("05_x", False), ("06_y", True)]
    rows = ledger.read()
    assert rows.loc[rows["indicator"] == "exam_passed", ["table", "district", "value"]].to_numpy().tolist() == [
        ["05_x/320613 result.json", "320613", 280.0]
    ]


def test_a_changed_record_or_copy_is_noticed(home):
    job(home)
    record = release.release("2025Q4", by="王审核")
    copy = record.path.parent / "released" / "03_x" / "320613" / "brief.html"
    copy.write_text("x", encoding="utf-8")
    assert release.verify("2025Q4") == ("released/03_x/320613/brief.html",)
    text = record.path.read_text(encoding="utf-8")
    record.path.write_text(text.replace("王审核", "李审核"), encoding="utf-8")
    assert len(release.verify("2025Q4")) == 2


def held_reasons(record) -> tuple[str, ...]:
    item = only(record)
    assert not item.released
    assert not (record.path.parent / "released").exists()
    assert not ledger.place().exists()
    assert "未放行" in item.describe("zh")
    return item.reasons


def test_what_rests_on_demo_registers_stays(home):
    job(home, demo=True)
    record = release.release("2025Q4", by="a")
    assert held_reasons(record) == ("demo",)
    assert "演示" in only(record).describe("zh")


def test_a_failed_job_stays_and_so_does_its_traceback(home):
    place = job(home)
    (place / "failure.json").write_text("{}")
    (place / "failed.ipynb").write_text(NUMBER)
    assert held_reasons(release.release("2025Q4", by="a")) == ("failed",)


def test_a_brief_that_was_edited_after_the_run_stays(home):
    place = job(home)
    with (place / "brief.html").open("a", encoding="utf-8") as file:
        file.write("<!-- -->")
    assert held_reasons(release.release("2025Q4", by="a")) == ("changed",)


def test_a_map_without_an_approval_number_stays(home):
    job(home, finding=terms.text("maps.stamp", "zh"))
    assert held_reasons(release.release("2025Q4", by="a")) == ("map",)


def test_names_that_cannot_be_checked_hold_everything_back(home):
    job(home)
    paths.digests().unlink()
    names.known.cache_clear()
    assert held_reasons(release.release("2025Q4", by="a")) == ("names_unknown",)


@dataclass(frozen=True)
class PilotEffect:
    path: pd.DataFrame
    warnings: tuple[str, ...] = ()

    def summary(self, language: str = "zh") -> str:
        return "effect"

    def to_frame(self) -> pd.DataFrame:
        return self.path


def test_a_result_whose_persons_were_not_checked_stays(home):
    path = pd.DataFrame({"period": ["2024Q1"], "observed": [0.9], "counterfactual": [0.8], "gap": [0.1]})
    job(home, shown=[disclosure.protect_result(PilotEffect(path))])
    assert held_reasons(release.release("2025Q4", by="a")) == ("unchecked",)


@pytest.mark.parametrize(("said", "rule"), [(f"见 {NUMBER}", "identity"), ("由甄无名填报", "name")])
def test_a_leak_holds_its_brief_back_and_says_where(home, said, rule):
    job(home, finding=said)
    record = release.release("2025Q4", by="a")
    assert held_reasons(record) == ()
    assert {finding.rule for finding in only(record).findings} == {rule}
    assert NUMBER not in record.path.read_text(encoding="utf-8")
    with pytest.raises(ParameterError, match="why"):
        release.release("2025Q4", by="a", accept=[rule])
    assert not only(release.release("2025Q4", by="a", accept=[rule], why="x")).released  # a refusal is no opinion


def test_a_doubt_holds_a_brief_back_until_somebody_answers_for_it(home):
    job(home, finding="编号 32061319900307001")
    assert not only(release.release("2025Q4", by="a")).released
    record = release.release("2025Q4", by="a", accept=["identity_unchecked"], why="合同编号")
    assert only(record).accepted == ("identity_unchecked",)
    entries = json.loads(record.path.read_text(encoding="utf-8"))
    assert [entry["why"] for entry in entries] == ["", "合同编号"]
    assert release.verify("2025Q4") == ()


def test_two_briefs_that_give_a_blank_away_together_stay_both(home):
    parts = {"320613": 64, "320612": 80, "320614": 55}
    shown = pd.DataFrame({"level": ["junior", "middle", "senior"], "headcount": [30, 30, 4]})
    levels = disclosure.protect(shown, rows="level", value="headcount", title="级别")
    job(home, "03_x", shown=[table(parts)])
    job(home, "05_x", shown=[levels])
    record = release.release("2025Q4", by="a")
    assert [item.released for item in record.items] == [False, False]
    assert {finding.rule for item in record.items for finding in item.findings} == {"audit_margins"}
    assert "320613" in record.items[0].describe("zh")


def test_an_earlier_release_counts(home):
    job(home, "03_x", shown=[table({"320613": 64, "320612": 80})])
    assert only(release.release("2025Q4", by="a")).released
    shown = pd.DataFrame({"level": ["junior", "middle", "senior"], "headcount": [30, 30, 4]})
    job(home, "05_x", shown=[disclosure.protect(shown, rows="level", value="headcount", title="级别")])
    later = {item.notebook: item.released for item in release.release("2025Q4", by="a").items}
    assert later == {"03_x": True, "05_x": False}


def test_what_passed_once_and_does_not_now_is_taken_back_from_the_folder(home):
    place = job(home)
    record = release.release("2025Q4", by="a")
    copy = record.path.parent / "released" / "03_x" / "320613" / "brief.html"
    assert copy.is_file()
    (place / "failure.json").write_text("{}")
    assert not only(release.release("2025Q4", by="a")).released
    assert not copy.exists()


def test_nobody_releases_without_a_name_and_nothing_without_a_run(home):
    with pytest.raises(ParameterError, match="by="):
        release.release("2025Q4", by=" ")
    with pytest.raises(ReleaseError, match="institute run 2025Q4"):
        release.release("2025Q4", by="a")


def test_the_command_says_what_left_and_what_to_change(home, capsys):
    job(home, "03_x")
    job(home, "04_x", demo=True)
    assert cli.main(["release", "2025Q4", "--by", "王审核"]) == 1
    said = capsys.readouterr().out
    assert "03_x/320613：已放行" in said
    assert "04_x/320613：未放行：依据演示数据" in said
    assert "放行1份，未放行1份" in said
