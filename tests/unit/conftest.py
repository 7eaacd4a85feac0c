"""What the tests of the registers share."""

import pytest

from institute_lib import registers


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder that holds nothing yet, with a key of its own."""
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path / "project"))
    monkeypatch.setenv("INSTITUTE_KEY_FILE", str(tmp_path / "keys" / "pseudonym.key"))
    registers.new_key()
    return tmp_path / "project"
