"""Identity numbers and the pseudonyms that take their place."""

import hashlib
import hmac
import os
import random
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from institute_lib import registers
from institute_lib.errors import DataError
from institute_lib.registers import identity, values


def test_the_check_character_is_that_of_the_standards_own_example():
    assert identity.check_character("11010519491231002") == "X"
    assert identity.check_character("44052418800101001") == "4"


def test_a_fifteen_digit_number_becomes_the_eighteen_digit_number_of_the_same_person():
    assert identity.parse("320613900307003").number == identity.parse("32061319900307003X").number


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("830000199201300022", "residence_permit"),
        ("919999197811110132", "foreigner"),
        ("E12345678", "travel_document"),
        ("32061319900307003X", "resident"),
    ],
)
def test_numbers_are_typed_by_their_kind(written, kind):
    assert identity.parse(written).kind == kind


@pytest.mark.parametrize("written", ["'32061319900307003x\u00a0", "ID32061319900307003X", "320613 19900307 003X"])
def test_decorations_around_a_number_are_taken_off(written):
    assert identity.parse(written).number == "32061319900307003X"


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("320613199003070019", "identity_check"),
        ("320613199002300011", "identity_birth"),
        ("320613209903070011", "identity_birth"),
        ("1234", "identity_form"),
        ("3206131990030700188", "identity_form"),
    ],
)
def test_impossible_numbers_are_faults_with_their_rule(written, rule):
    with pytest.raises(identity.IdentityFault, match=rule):
        identity.parse(written)


def test_birth_year_and_gender_are_read_from_the_number():
    found = identity.parse("32061319900307003X")
    assert (found.birth_year, found.gender) == (1990, "male")


def test_neither_an_identity_nor_a_key_shows_itself():
    assert "32061319900307003X" not in repr(identity.parse("32061319900307003X"))
    assert "secret" not in repr(identity.Key(b"secret" * 8))


def test_numbers_judged_all_at_once_are_judged_as_one_by_one():
    draw = random.Random(11643)
    areas = ["320613", "320683", "110105", "329999", "810000", "910000", "001122", "320600"]
    births = ["19900307", "19000101", "18991231", "20260230", "29900307", "00000000"]
    numbers = []
    for _ in range(3_000):
        digits = f"{draw.choice(areas)}{draw.choice(births)}{draw.randrange(1_000):03d}"
        numbers.append(digits + draw.choice([identity.check_character(digits), *"0X9x A"]))
    numbers += ["32061319900307O03X", "3206 1199003070030", "-20613199003070031", "AAAAAAAAAAAAAAAAAA"]

    def is_ordinary(number):
        try:
            found = identity.parse(number)
        except identity.IdentityFault:
            return False
        return found.number == number and not found.remarks

    judged = identity.are_ordinary(numbers)
    assert judged.tolist() == [is_ordinary(number) for number in numbers]
    assert judged.any()
    cells = {
        number: values.parse_identity(number) for number in [*numbers, 3.2, "", "不详", "E12345678", date(1990, 1, 1)]
    }
    assert values.parse_identities(cells) == cells
    assert identity.are_ordinary([]).tolist() == []


@given(st.binary(min_size=32, max_size=200), st.text(st.characters(codec="utf-8")))
def test_a_pseudonym_is_the_hmac_of_the_number(secret, text):
    assert identity.Key(secret).pseudonym(text) == hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


@pytest.fixture
def key_file(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path / "project"))
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(tmp_path / "keys" / "pseudonym.key"))
    return tmp_path / "keys" / "pseudonym.key"


def test_a_new_key_is_readable_by_its_owner_alone_and_never_overwritten(key_file):
    assert registers.new_key() == key_file
    before = key_file.read_bytes()
    if os.name == "posix":
        assert key_file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(DataError, match="never overwritten"):
        registers.new_key()
    assert key_file.read_bytes() == before


def test_a_missing_key_names_the_command_that_makes_one(key_file):
    with pytest.raises(DataError, match="institute key new"):
        registers.load_key()


def test_a_key_inside_the_project_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(tmp_path / "data" / "key"))
    with pytest.raises(DataError, match="inside the project"):
        registers.new_key()


@pytest.mark.parametrize("content", ["not a key", "abcd"])
def test_a_file_that_is_no_key_is_refused(key_file, content):
    registers.new_key()
    key_file.write_text(content)
    with pytest.raises(DataError, match="key"):
        registers.load_key()


def test_a_key_that_others_can_read_is_refused_where_files_have_modes(key_file):
    registers.new_key().chmod(0o644)
    if os.name != "posix":
        assert registers.load_key().id
        return
    with pytest.raises(DataError, match="chmod 600"):
        registers.load_key()


def test_a_pseudonym_is_keyed_and_stable(key_file):
    registers.new_key()
    number = "32061319900307003X"
    pseudonym = registers.load_key().pseudonym(number)
    assert pseudonym == registers.load_key().pseudonym(number)
    assert pseudonym != hashlib.sha256(number.encode()).hexdigest()
    key_file.unlink()
    registers.new_key()
    assert pseudonym != registers.load_key().pseudonym(number)
