"""The gate: only what passes leaves, two people let it, and what is held back is told what to change."""

import hashlib
import json
import os
import resource
import shutil
import signal
from datetime import timedelta
from pathlib import Path

import docx
import nbformat
import pandas as pd
import pytest

from institute_lib import areas, brief, charts, cli, disclosure, maps, paths, registers, release, terms
from institute_lib.errors import InstituteError, ReleaseError
from institute_lib.registers import digests
from institute_lib.release import chain, names, people
from tests.shown import opening, shown

NEW = nbformat.v4
NUMBER = "999999199003070012"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project in which Wang asks and Li approves; Wang is at the keyboard."""
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(tmp_path / "keys" / "pseudonym.key"))
    registers.new_key()
    digests.add(registers.load_key(), ["甄无名"], [])
    names.known.cache_clear()
    for account, name in (("li", "李批准"), ("wang", "王申请")):
        be(account, tmp_path, monkeypatch)
        people.new(name)
    yield tmp_path / "home"
    names.known.cache_clear()


def be(account: str, folder: Path, monkeypatch) -> None:
    """Sit down at another account, with the key that lies in its home."""
    monkeypatch.setenv("LOGNAME", account)
    monkeypatch.setenv("INSTITUTE_PERSON_KEY_FILE", str(folder / account / "person.key"))


@pytest.fixture
def as_person(home, tmp_path, monkeypatch):
    return lambda account: be(account, tmp_path, monkeypatch)


@pytest.fixture
def release_all(as_person):
    """Wang asks, Li approves."""

    def both(**options) -> chain.Record:
        as_person("wang")
        number = release.request("2025Q4", **options).number
        as_person("li")
        record = release.approve(number)
        as_person("wang")
        return record

    return both


def table(persons: dict[str, int] | None = None) -> disclosure.Protected:
    persons = persons or {"320613": 120, "320612": 80}
    frame = pd.DataFrame({"district": list(persons), "headcount": list(persons.values())})
    return shown(frame, persons="headcount", title="人数", source="登记表")


def job(home, notebook="03_x", area="320613", *, quarter="2025Q4", outputs=(), demo=False, finding="一切正常。"):
    """A finished job's folder, as a run leaves it."""
    place = home / "papermill_runs" / quarter / notebook / area
    place.mkdir(parents=True, exist_ok=True)
    head = opening(findings=[finding], demo=demo, area=area, quarter=quarter)
    cells = [
        NEW.new_code_cell("x", outputs=[NEW.new_output("display_data", data=one._repr_mimebundle_())])
        for one in (head, *(outputs or (table(),)))
    ]
    nbformat.write(NEW.new_notebook(cells=cells), place / "executed.ipynb")
    brief.export(place / "executed.ipynb", place / "brief.html", shared="../../plotly.min.js")
    (place / "result.json").write_text(json.dumps({"demo": demo, "numbers": {}}), encoding="utf-8")
    describe(place, demo=demo)
    return place


READ = {"as_of": "2025-12-31", "districts": [], "hash": "0" * 64}
REGISTER = {"kind": "tables", "name": "workers", "source": "register", "personal": True, **READ}


def describe(place, *reads: dict, **manifest) -> None:
    """The manifest, last: it names what was read, and the files as they are now."""
    manifest["inputs"] = {"reads": [*reads] or [REGISTER], "results": {}, "library": "x", "divisions": "y"}
    files = [place / name for name in ("brief.html", "executed.ipynb", "result.json", "brief.docx")]
    outputs = {
        one.name: {"sha256": hashlib.sha256(one.read_bytes()).hexdigest(), "bytes": one.stat().st_size}
        for one in files
        if one.is_file()
    }
    (place / "manifest.json").write_text(json.dumps({**manifest, "outputs": outputs}), encoding="utf-8")


def only(asked: release.Request):
    (item,) = asked.content["briefs"]
    return item


def rules(item) -> set[str]:
    return {one["rule"] for one in item["findings"]}


def page_of(home, number="2025Q4-1", brief_="03_x/320613") -> Path:
    return home / "papermill_runs" / "2025Q4" / "released" / number / brief_ / "brief.html"


def test_what_one_person_asks_for_leaves_when_another_approves_it(home, as_person):
    job(home, outputs=[table(), charts.draw_bars(table(), language="zh")])
    asked = release.request("2025Q4")
    assert not (home / "papermill_runs" / "2025Q4" / "released").exists()
    as_person("li")
    record = release.approve(asked.number)
    page = page_of(home).read_text(encoding="utf-8")
    assert hashlib.sha256(page.encode()).hexdigest() == record.files["03_x/320613/brief.html"]
    assert "可公开 · 放行 2025Q4-1" in page
    assert terms.text("brief.mark_internal", "zh") not in page
    assert (record.content["request"]["by"]["name"], record.content["by"]["name"]) == ("王申请", "李批准")
    assert release.verify() == []


def test_what_left_opens_without_any_file_beside_it(home, release_all):
    job(home, outputs=[charts.draw_bars(table(), language="zh")])
    release_all()
    assert "plotly.min.js" not in page_of(home).read_text(encoding="utf-8")
    assert [path.name for path in page_of(home).parents[2].rglob("*") if path.is_file()] == ["brief.html"]


def test_the_one_who_asked_cannot_approve(home, tmp_path, monkeypatch):
    job(home)
    asked = release.request("2025Q4")
    with pytest.raises(ReleaseError, match="another person") as refused:
        release.approve(asked.number)
    assert "persons = 1" in refused.value.say("zh")
    # a second key on the same account is the same person
    monkeypatch.setenv("INSTITUTE_PERSON_KEY_FILE", str(tmp_path / "wang2" / "person.key"))
    people.new("王又")
    with pytest.raises(ReleaseError, match="ask anew with the new key"):
        release.approve(asked.number)


def test_an_office_of_one_person_can_say_so_and_the_record_says_it(home):
    job(home)
    (paths.people() / "office.toml").write_text("persons = 1\n", encoding="utf-8")
    record = release.approve(release.request("2025Q4").number)
    assert record.content["single_person"] is True
    assert "单人机构" in release.record_text(record)


def test_a_request_or_a_page_changed_after_it_was_made_is_refused(home, as_person):
    job(home, finding="编号 32061319900307001")
    asked = release.request("2025Q4", accept=["identity_unchecked"], why="合同编号")
    path, page = chain.requests() / "2025Q4-1.json", chain.requests() / "2025Q4-1" / "03_x" / "320613" / "brief.html"
    sound, as_it_was = path.read_text(encoding="utf-8"), page.read_text(encoding="utf-8")
    as_person("li")
    path.write_text(sound.replace("合同编号", "没有理由"), encoding="utf-8")
    with pytest.raises(ReleaseError, match="ask for the release anew"):
        release.approve(asked.number)
    path.write_text(sound, encoding="utf-8")
    page.write_text(as_it_was.replace("一切", "不"), encoding="utf-8")
    page.write_text(page.read_text(encoding="utf-8") + "x", encoding="utf-8")
    with pytest.raises(ReleaseError, match=r"03_x/320613/brief\.html"):
        release.approve(asked.number)
    assert not page_of(home).exists()
    page.write_text(as_it_was, encoding="utf-8")
    assert release.approve(asked.number).number == "2025Q4-1"


def test_a_quarter_that_ran_again_meanwhile_is_asked_for_anew(home, as_person):
    job(home)
    asked = release.request("2025Q4")
    job(home, finding="另一句。")
    as_person("li")
    with pytest.raises(ReleaseError, match="ran again"):
        release.approve(asked.number)


def test_a_clock_set_back_is_refused(home, as_person, monkeypatch):
    job(home)
    asked = release.request("2025Q4")
    as_person("li")
    now = chain.now()
    monkeypatch.setattr(chain, "now", lambda: now - timedelta(days=1))
    with pytest.raises(ReleaseError, match="set the clock"):
        release.approve(asked.number)


def test_a_lost_key_is_replaced_and_what_it_signed_stays_valid(home, release_all, as_person):
    job(home)
    release_all()
    asked = release.request("2025Q4")
    paths.person_key().unlink()
    with pytest.raises(ReleaseError, match="institute key person"):
        release.request("2025Q4")
    people.new("王申请")
    as_person("li")
    with pytest.raises(ReleaseError, match="retired"):
        release.approve(asked.number)
    assert release.verify() == []


def test_two_requests_and_two_approvals_at_once_leave_one_release(home, as_person):
    """One after another by the lock: the later request takes the place of the earlier, a second approval is refused."""
    job(home)
    first, second = release.request("2025Q4"), release.request("2025Q4")
    as_person("li")
    with pytest.raises(ReleaseError, match="waiting: 2025Q4-2"):
        release.approve(first.number)
    release.approve(second.number)
    with pytest.raises(ReleaseError, match="released already"):
        release.approve(second.number)
    assert release.verify() == []


def test_another_release_meanwhile_makes_a_request_be_judged_again(home, as_person):
    job(home)
    job(home, quarter="2025Q3")
    first, other = release.request("2025Q4"), release.request("2025Q3")
    as_person("li")
    release.approve(other.number)
    with pytest.raises(ReleaseError, match="judged together"):
        release.approve(first.number)


# --- all or nothing ---------------------------------------------------------------------------------------------------

STEPS = ("fsync", "replace", "rename", "mkdir", "unlink", "chmod")


def killed_after(steps: int, work) -> bool:
    """Whether a process of its own that does this work was killed before it could change the disk once more."""
    child = os.fork()
    if child == 0:
        left = [steps]

        def counted(function):
            def call(*args, **kwargs):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)

            return call

        for name in STEPS:
            setattr(os, name, counted(getattr(os, name)))
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("command", ["request", "approve"])
def test_a_kill_at_any_step_leaves_all_of_it_or_nothing(home, as_person, tmp_path, command):
    job(home)
    if command == "approve":
        release.request("2025Q4")
    runs, started, steps, done = home / "papermill_runs", tmp_path / "started", 0, []
    shutil.copytree(runs, started)
    work = {"request": lambda: release.request("2025Q4"), "approve": lambda: release.approve("2025Q4-1")}[command]
    person = {"request": "wang", "approve": "li"}[command]
    as_person(person)
    while killed_after(steps, work):
        steps += 1
        assert release.verify() == []
        done.append(bool(release.pending()) if command == "request" else page_of(home).is_file())
        number = "2025Q4-1" if done[-1] or command == "approve" else release.request("2025Q4").number
        as_person("li")
        if not page_of(home).is_file():
            release.approve(number)
        assert chain.sound()[0].files == {"03_x/320613/brief.html": hash_of(page_of(home, number))}
        assert not list(chain.requests().glob("2*"))
        shutil.rmtree(runs)
        shutil.copytree(started, runs)
        (tmp_path / "li" / chain.SEEN).unlink(missing_ok=True)
        (tmp_path / "wang" / chain.SEEN).unlink(missing_ok=True)
        as_person(person)
    assert (done[0], done[-1]) == (False, True)


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("command", ["request", "approve"])
def test_a_full_disk_releases_nothing_and_the_same_command_works_when_there_is_room(home, as_person, command):
    """A limit on the size of files stands in for the full disk: the write fails in the middle."""
    job(home)
    asked = release.request("2025Q4") if command == "approve" else None
    as_person("li" if asked else "wang")
    before, limits = tree(home), resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    try:
        with pytest.raises(ReleaseError, match="make room"):
            release.approve(asked.number) if asked else release.request("2025Q4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert tree(home) == before
    if not asked:
        asked = release.request("2025Q4")
        as_person("li")
    release.approve(asked.number)
    assert release.verify() == []


def tree(home) -> set[str]:
    return {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file() and path.name != ".lock"}


def tampered(home, how: str) -> Path:
    folder = chain.folder()
    first, last = folder / "2025Q4-1.json", folder / "2025Q4-2.json"
    if how == "cut":
        last.unlink()
        shutil.rmtree(page_of(home, "2025Q4-2").parents[2])
    elif how == "broken":
        first.unlink()
    elif how == "damaged":
        last.write_text(last.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    elif how == "signature":
        first.write_text(first.read_text(encoding="utf-8").replace("王申请", "王某某"), encoding="utf-8")
    elif how == "unrecorded":
        shutil.copytree(page_of(home).parents[2], page_of(home, "2025Q4-9").parents[2])
    elif how == "files_missing":
        shutil.rmtree(page_of(home).parents[2])
    elif how == "file_changed":
        page_of(home).write_text("x", encoding="utf-8")
    elif how == "file_missing":
        page_of(home).unlink()
    elif how == "file_added":
        page_of(home).with_name("more.html").write_text("x", encoding="utf-8")


@pytest.mark.parametrize(
    "how",
    [
        *("cut", "broken", "damaged", "signature", "unrecorded"),
        *("files_missing", "file_changed", "file_missing", "file_added"),
    ],
)
def test_what_is_not_as_it_was_signed_is_named_with_how_to_mend_it(home, release_all, as_person, how):
    job(home)
    release_all()
    release_all()
    as_person("li")
    tampered(home, how)
    wrong = {one.rule: one for one in release.verify()}
    assert how in wrong
    assert "→" in wrong[how].describe("zh")
    assert "→" in wrong[how].describe("en")
    if how in ("cut", "broken", "damaged", "signature"):
        with pytest.raises(ReleaseError, match="--verify"):
            release.request("2025Q4")


def test_an_interrupted_approval_is_not_a_file_without_record(home, as_person):
    job(home)
    asked = release.request("2025Q4")
    as_person("li")
    copied = home / "copied"
    shutil.copytree(chain.requests(), copied)
    release.approve(asked.number)
    shutil.rmtree(page_of(home).parents[2])
    shutil.rmtree(chain.requests())
    copied.rename(chain.requests())  # as a kill between record and rename leaves it
    assert release.verify() == []
    assert page_of(home).is_file()


def test_a_link_in_the_run_folder_is_not_followed(home, tmp_path):
    place = job(home)
    outside = tmp_path / "outside.html"
    shutil.move(place / "brief.html", outside)
    (place / "brief.html").symlink_to(outside)
    with pytest.raises(InstituteError, match="link"):
        release.request("2025Q4")


def test_a_key_that_others_can_read_or_that_is_damaged_is_refused_in_a_sentence(home):
    job(home)
    path = paths.person_key()
    path.chmod(0o644)
    with pytest.raises(ReleaseError, match="chmod 600"):
        release.request("2025Q4")
    path.chmod(0o600)
    path.write_text("no key", encoding="utf-8")
    with pytest.raises(ReleaseError, match="damaged"):
        release.request("2025Q4")
    (public,) = paths.people().glob("li-*.toml")
    public.write_text("account = ", encoding="utf-8")
    with pytest.raises(ReleaseError, match="git checkout"):
        people.known()


def test_a_colleagues_account_can_write_where_this_one_can(home):
    runs = home / "papermill_runs"
    job(home)
    runs.chmod(0o2775)
    release.request("2025Q4")
    made = [chain.folder(), chain.requests(), chain.requests() / "2025Q4-1"]
    assert {oct(place.stat().st_mode & 0o7777) for place in made} == {"0o2775"}
    assert os.access(made[0], os.W_OK)


# --- what is held, and why --------------------------------------------------------------------------------------------


def held_by(asked: release.Request) -> set[str]:
    item = only(asked)
    assert (item["leaves"], asked.number, release.pending()) == (False, "", [])
    for language in terms.LANGUAGES:
        assert "→" in asked.describe(language)
    return rules(item)


def test_what_rests_on_demo_registers_stays(home):
    job(home, demo=True)
    asked = release.request("2025Q4")
    assert held_by(asked) == {"demo"}
    assert "institute import" in asked.describe("zh")


def test_demo_personal_and_own_are_decided_from_what_the_job_read(home):
    """Never from a flag: this manifest says that nothing is demo."""
    place = job(home)
    demo = {**REGISTER, "name": "stations", "source": "demo", "personal": False}
    own = {"kind": "files", "name": "/x/incomes.csv", "source": "own", "personal": False, **READ}
    own["title"] = "各县收入，年鉴2025"
    typed = {"kind": "declared", "name": "persons", "source": "declared", "title": "人数由作者填写", **READ}
    unknown = {"kind": "files", "name": "/x/my.csv", "source": "unknown", "personal": True, **READ}
    describe(place, REGISTER, demo, demo=False)
    assert held_by(asked := release.request("2025Q4")) == {"demo"}
    assert "stations" in asked.describe()
    describe(place, REGISTER, unknown, demo=False)
    assert held_by(asked := release.request("2025Q4")) == {"unknown_source"}
    assert "my.csv" in asked.describe()
    paths.digests().unlink()
    names.known.cache_clear()
    describe(place, own, typed, demo=False)
    asked = release.request("2025Q4")  # no person was read: no names are needed
    assert only(asked)["leaves"]
    assert "声明：incomes.csv：各县收入，年鉴2025（一行不是个人）" in asked.describe()
    assert "声明：人数由作者填写" in asked.describe()
    describe(place, REGISTER, demo=False)
    assert rules(only(release.request("2025Q4"))) == {"names_unknown"}


def test_what_the_plan_keeps_for_internal_use_never_leaves(home):
    place = job(home)
    manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    manifest["inputs"]["audience"] = "internal"
    (place / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert held_by(release.request("2025Q4", accept=["internal"], why="x")) == {"internal"}


def test_a_failed_job_stays_and_so_does_its_traceback(home):
    place = job(home)
    (place / "failure.json").write_text("{}")
    (place / "failed.ipynb").write_text(NUMBER)
    assert held_by(release.request("2025Q4")) == {"failed"}


@pytest.mark.parametrize("manifest", [None, "", "{", "[]", '{"outputs": 3}'])
def test_a_brief_that_was_edited_or_whose_record_is_damaged_stays(home, manifest):
    place = job(home)
    if manifest is None:
        with (place / "brief.html").open("a", encoding="utf-8") as file:
            file.write("<!-- -->")
    else:
        (place / "manifest.json").write_text(manifest)
    assert held_by(release.request("2025Q4")) == {"changed"}


@pytest.mark.parametrize("codes", [("320613", "320612"), ("320602001", "320602002")])
def test_a_boundary_map_without_an_approval_number_leaves_as_tiles_or_as_its_table(home, release_all, codes):
    boundaries = areas.boundaries("320600")
    boundaries["code"] = boundaries["code"].replace(dict(zip(("320613", "320612"), codes, strict=True)))
    key = "district" if len(codes[0]) == 6 else "town"
    frame = pd.DataFrame({key: list(codes), "headcount": [120, 80]})
    safe = shown(frame, persons="headcount", title="人数", source="登记表")
    place = job(home, outputs=[maps.draw_coverage_map(safe, boundaries=boundaries)])
    stamp = terms.text("maps.stamp", "zh")
    assert stamp in (place / "brief.html").read_text(encoding="utf-8")
    release_all()
    page = page_of(home).read_text(encoding="utf-8")
    assert stamp not in page
    assert "120" in page
    assert ('class="plot"' in page) is (key == "district")


def word_of(home, number="2025Q4-1") -> str:
    document = docx.Document(page_of(home, number).with_name("brief.docx"))
    above = [one.text for section in document.sections for one in section.header.paragraphs]
    return "\n".join(above + [one.text for one in document.paragraphs])


def test_a_word_document_leaves_with_its_page_under_the_same_number(home, release_all, as_person):
    place = job(home)
    (place / "brief.docx").write_bytes(b"the internal one")
    describe(place, demo=False)
    record = release_all()
    assert set(record.files) == {"03_x/320613/brief.html", "03_x/320613/brief.docx"}
    assert terms.text("brief.mark_released", "zh", number="2025Q4-1") in word_of(home)
    assert "一切正常" in word_of(home)
    assert 'href="brief.docx"' in page_of(home).read_text(encoding="utf-8")
    asked = release.request("2025Q4")
    with (chain.requests() / asked.number / "03_x" / "320613" / "brief.docx").open("ab") as file:
        file.write(b"x")
    as_person("li")
    with pytest.raises(ReleaseError, match=r"brief\.docx"):
        release.approve(asked.number)


def test_a_word_document_is_judged_like_its_page(home, monkeypatch):
    place = job(home)
    (place / "brief.docx").write_bytes(b"the internal one")
    describe(place, demo=False)

    def written(notebook, path, **_):
        document = docx.Document()
        document.add_paragraph("手机 139-1234-8765")
        document.save(path)
        return path

    monkeypatch.setattr(brief, "export_word", written)
    assert held_by(release.request("2025Q4")) == {"phone"}
    assert list(chain.requests().glob("*")) == []


def test_names_that_cannot_be_checked_hold_everything_back(home):
    job(home)
    paths.digests().unlink()
    names.known.cache_clear()
    assert held_by(release.request("2025Q4")) == {"names_unknown"}


def test_digests_older_than_the_register_hold_everything_back(home, monkeypatch):
    job(home)
    monkeypatch.setattr(names, "unknown_files", lambda: ["名册2025Q4.xlsx"])
    assert held_by(asked := release.request("2025Q4")) == {"names_stale"}
    assert "名册2025Q4.xlsx" in asked.describe()


class Foreign:
    """A table that says nothing of how it was protected."""

    def _repr_mimebundle_(self):
        bundle = table()._repr_mimebundle_()
        for view in bundle[disclosure.TABLE_MIME].values():
            del view["protection"]
        return bundle


def test_a_table_that_does_not_say_how_it_was_protected_stays(home):
    job(home, outputs=[Foreign()])
    assert held_by(release.request("2025Q4")) == {"unchecked"}


@pytest.mark.parametrize(("said", "rule"), [(f"见 {NUMBER}", "identity"), ("由甄无名填报", "name")])
def test_a_leak_holds_its_brief_back_and_says_where(home, said, rule):
    job(home, finding=said)
    asked = release.request("2025Q4", accept=[rule], why="x")  # a refusal is no opinion
    assert held_by(asked) == {rule}
    assert NUMBER not in json.dumps(asked.content)


def test_a_doubt_holds_a_brief_back_until_somebody_answers_for_it(home, release_all):
    job(home, finding="编号 32061319900307001")
    assert held_by(asked := release.request("2025Q4")) == {"identity_unchecked"}
    assert "--accept identity_unchecked --why" in asked.describe("zh")
    with pytest.raises(ReleaseError, match="--why"):
        release.request("2025Q4", accept=["identity_unchecked"])
    with pytest.raises(ReleaseError, match="did you mean 'identity_unchecked'"):
        release.request("2025Q4", accept=["identity_uncheked"], why="x")
    record = release_all(accept=["identity_unchecked"], why="合同编号")
    assert "合同编号" in release.record_text(record, "zh")
    assert release.verify() == []


def test_nothing_is_released_without_a_key_or_a_run(home, monkeypatch, tmp_path):
    with pytest.raises(ReleaseError, match="institute run 2025Q4"):
        release.request("2025Q4")
    job(home)
    be("nobody", tmp_path, monkeypatch)
    with pytest.raises(ReleaseError, match="institute key person"):
        release.request("2025Q4")


def test_the_commands_say_what_may_leave_what_to_change_and_who_approved(home, capsys, as_person):
    job(home, "03_x")
    job(home, "04_x", demo=True)
    assert cli.main(["release", "2025Q4"]) == 0
    said = capsys.readouterr().out
    assert "03_x/320613：可以放行" in said
    assert "04_x/320613：未放行\n    [demo] 依据演示数据： → 先用 institute import" in said
    assert "institute approve 2025Q4-1" in said
    as_person("li")
    assert cli.main(["approve", "2025Q4-1"]) == 0
    assert "由李批准于" in capsys.readouterr().out
    assert cli.main(["release", "--verify"]) == 0
    assert cli.main(["release", "--show", "2025Q4-1"]) == 0
    page_of(home).unlink()
    assert cli.main(["release", "--verify"]) == 1
