"""What an import leaves for the release scan: keyed digests outside the project, never a name."""

import hashlib

import pytest

from institute_lib import paths, registers
from institute_lib.errors import DataError
from institute_lib.registers import digests, identity
from institute_lib.release import names

NAMES = ("甄无名", "买买提·吐尔逊")


def number(serial: int) -> str:
    digits = f"32061319900307{serial:03d}"
    return digits + identity.check_character(digits)


def imported(tmp_path):
    rows = [f"{name},{number(i)},崇川区,甲社工站,助理,2019-07-01" for i, name in enumerate(NAMES)]
    path = tmp_path / "register.csv"
    path.write_text("\n".join(["姓名,身份证号,区,社工站,级别,入职日期", *rows]), encoding="utf-8")
    return registers.import_files(path, as_of="2025-12-31", accept_warnings=True)


def test_an_import_leaves_digests_outside_the_project_and_no_name_anywhere(project, tmp_path):
    imported(tmp_path)
    kept = paths.digests().read_text(encoding="ascii")
    assert not paths.digests().is_relative_to(project)
    assert {line.split()[0] for line in kept.splitlines()} == {"file", "hash", "key", "name", "pinyin"}
    for text in (*NAMES, number(0), hashlib.sha256(number(0).encode()).hexdigest()):
        assert text not in kept
    assert paths.digests().stat().st_mode & 0o077 == 0


def test_the_digests_know_a_name_and_a_hash_and_nothing_else(project, tmp_path):
    imported(tmp_path)
    known = digests.load()
    assert known.is_name("甄无名")
    assert known.is_name(digests.plain_name("买买提 • 吐尔逊"))
    assert not known.is_name("甄有名")
    for kind in (hashlib.md5, hashlib.sha1, hashlib.sha256):
        assert known.is_hash(kind(number(1).encode()).hexdigest())
    assert known.lengths == {3, 6}


def test_a_later_import_keeps_the_earlier_digests(project):
    key = registers.load_key()
    digests.add(key, ["甲某人"], [])
    digests.add(key, ["乙某人"], [])
    known = digests.load()
    assert known.is_name("甲某人")
    assert known.is_name("乙某人")


def test_digests_that_are_older_than_the_register_are_noticed_until_its_file_is_imported_again(project, tmp_path):
    digests.add(registers.load_key(), ["甲某人"], [])
    older = paths.digests().read_text(encoding="ascii")
    imported(tmp_path)
    names.known.cache_clear()
    assert names.unknown_files() == []
    paths.digests().write_text(older, encoding="ascii")  # a back-up from before the import
    names.known.cache_clear()
    assert names.unknown_files() == ["register.csv"]
    imported(tmp_path)
    names.known.cache_clear()
    assert names.unknown_files() == []


def test_without_an_import_there_is_nothing_to_know(project):
    assert not digests.load()


def test_a_foreign_file_in_the_place_of_the_digests_is_refused(project):
    paths.digests().write_text("甄无名\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 1"):
        digests.load()
