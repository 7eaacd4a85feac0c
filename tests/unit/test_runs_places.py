import errno
import os

import pytest

from institute_lib import paths
from institute_lib.errors import RunError
from institute_lib.runs import places


def fill(folder, mark="new"):
    folder.mkdir(parents=True, exist_ok=True)
    for name in places.OUTPUTS:
        (folder / name).write_text(f"{name} {mark}", encoding="utf-8")
    return folder


def no_space(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_earlier_file_whole_and_no_rest_beside_it(tmp_path, monkeypatch):
    places.write_whole(tmp_path / "a.json", "earlier")
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        places.write_whole(tmp_path / "a.json", "later")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "earlier"


def test_committed_files_count_and_the_private_ones_are_gone(tmp_path):
    places.commit(fill(tmp_path / "private"), tmp_path / "place", {"fingerprint": "f"})
    assert places.intact_manifest(tmp_path / "place")["fingerprint"] == "f"
    assert not (tmp_path / "private").exists()


def test_files_without_their_manifest_do_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "write_json", no_space)
    with pytest.raises(OSError, match="No space"):
        places.commit(fill(tmp_path / "private"), tmp_path / "place", {})
    assert places.intact_manifest(tmp_path / "place") is None


def test_a_move_that_was_cut_short_is_finished_by_the_next_run(tmp_path, monkeypatch):
    """Killed before the rename, the earlier files stand; killed after it, the new ones are put in place."""
    place = tmp_path / "01_first" / "320613"
    places.commit(fill(place.parent / f"{places.PRIVATE}a"), place, {"run": "1"})
    move, moved = places._move, []

    def killed(ready, _place):
        moved.append(ready)
        (ready / places.BRIEF).replace(place / places.BRIEF)
        raise KeyboardInterrupt

    monkeypatch.setattr(places, "_move", killed)
    with pytest.raises(KeyboardInterrupt):
        places.commit(fill(place.parent / f"{places.PRIVATE}b", "newer"), place, {"run": "2"})
    monkeypatch.setattr(places, "_move", move)
    places.sweep(tmp_path)
    assert places.intact_manifest(place)["run"] == "2"
    assert {(place / name).read_text() for name in places.OUTPUTS} == {f"{name} newer" for name in places.OUTPUTS}
    assert [path.name for path in place.parent.iterdir()] == ["320613"]


def test_a_job_tried_again_after_its_worker_was_killed_in_the_move_takes_its_place(tmp_path):
    place = tmp_path / "01_first" / "320613"
    fill(place.parent / f"{places.READY}320613", "half")
    places.commit(fill(place.parent / f"{places.PRIVATE}b", "newer"), place, {"run": "2"})
    assert places.intact_manifest(place)["run"] == "2"
    assert (place / places.BRIEF).read_text() == f"{places.BRIEF} newer"


def test_a_disk_that_is_full_when_the_manifest_is_written_leaves_the_earlier_files(tmp_path, monkeypatch):
    places.commit(fill(tmp_path / "private"), tmp_path / "place", {"run": "1"})
    monkeypatch.setattr(places, "write_json", no_space)
    with pytest.raises(OSError, match="No space"):
        places.commit(fill(tmp_path / "private", "newer"), tmp_path / "place", {"run": "2"})
    assert places.intact_manifest(tmp_path / "place")["run"] == "1"


def test_who_runs_a_folder_is_told_while_it_does(tmp_path):
    assert places.holder(tmp_path) == ""
    with places.locked(tmp_path):
        assert places.holder(tmp_path).startswith(f"process {os.getpid()} on ")
    assert places.holder(tmp_path) == ""


def test_the_reserve_is_there_until_it_is_given_back(tmp_path):
    with places.reserve(tmp_path) as give_back:
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) == places.RESERVED_BYTES
        give_back()
        assert not list(tmp_path.iterdir())


def test_where_the_disk_has_little_room_the_jobs_share_nothing(tmp_path, monkeypatch):
    with places.shared_folder(tmp_path) as shared:
        assert shared.is_dir()
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(places, "SHARING_BYTES", 10**18)
    with places.shared_folder(tmp_path) as shared:
        assert shared is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"outputs": 3}', '{"outputs": {"brief.html": {}}}', "\x00\x01"])
def test_a_corrupted_manifest_counts_as_none(tmp_path, text):
    places.commit(fill(tmp_path / "private"), tmp_path / "place", {})
    (tmp_path / "place" / places.MANIFEST).write_text(text)
    assert places.intact_manifest(tmp_path / "place") is None


def test_a_brief_that_was_changed_afterwards_no_longer_counts(tmp_path):
    places.commit(fill(tmp_path / "private"), tmp_path / "place", {})
    brief = tmp_path / "place" / places.BRIEF
    brief.write_text(brief.read_text().replace("new", "old"))
    assert places.intact_manifest(tmp_path / "place") is None


def test_a_place_that_was_only_copied_still_counts(tmp_path):
    places.commit(fill(tmp_path / "private"), tmp_path / "place", {})
    os.utime(tmp_path / "place" / places.BRIEF)
    assert places.intact_manifest(tmp_path / "place") is not None


def test_a_second_run_of_the_quarter_is_refused_and_told_who_holds_it(tmp_path):
    with (
        places.locked(tmp_path / "2025Q4"),
        pytest.raises(RunError, match=f"2025Q4 is being run by process {os.getpid()} on"),
        places.locked(tmp_path / "2025Q4"),
    ):
        pass


def test_the_lock_is_free_again_after_the_run(tmp_path):
    with places.locked(tmp_path):
        pass
    with places.locked(tmp_path):
        pass


def test_what_interrupted_jobs_left_is_swept_and_nothing_else(tmp_path):
    fill(tmp_path / "01_first" / f"{places.PRIVATE}abc")
    fill(tmp_path / "01_first" / "320613")
    places.sweep(tmp_path)
    assert [path.name for path in (tmp_path / "01_first").iterdir()] == ["320613"]


def test_a_run_that_will_not_fit_on_the_disk_is_refused(tmp_path):
    with pytest.raises(RunError, match="MB free"):
        places.check_free_space(tmp_path, 10**18)


def test_runs_in_another_language_have_a_folder_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    assert paths.run_folder("2025Q4", "zh") != paths.run_folder("2025Q4", "en")


@pytest.mark.parametrize(("folder", "internal", "brief"), [(0o755, 0o600, 0o644), (0o2775, 0o660, 0o664)])
def test_executed_notebooks_and_logs_are_read_by_their_owner_or_the_folders_group_alone(
    tmp_path, folder, internal, brief
):
    tmp_path.chmod(folder)
    for name, mode in {
        "executed.ipynb": internal,
        "failed.ipynb": internal,
        "logs/r.log": internal,
        "logs/r.json": internal,
        "brief.html": brief,
    }.items():
        path = tmp_path / name
        places.make_folder(path.parent)
        path.touch(mode=0o644)
        path.chmod(0o664 if folder & 0o020 else 0o644)
        places.share(path)
        assert oct(path.stat().st_mode & 0o777) == oct(mode), name


@pytest.mark.parametrize("link", [".lock", "", "03_x", "03_x/320613", "03_x/320613/brief.html"])
def test_a_run_follows_no_links(tmp_path, link):
    folder, elsewhere = tmp_path / "2025Q4", tmp_path / "elsewhere"
    (folder / link).parent.mkdir(parents=True, exist_ok=True)
    (folder / link).symlink_to(elsewhere)
    with pytest.raises(RunError, match="is a link"), places.locked(folder):
        pass
    assert not elsewhere.exists()
