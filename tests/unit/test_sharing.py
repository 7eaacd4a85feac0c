import json
import os
import subprocess
import sys
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from institute_lib import sharing
from institute_lib.sharing import Read, digest, note_read, noted, once_a_run

CALLS: list[object] = []


@once_a_run
def twice(value):
    CALLS.append(value)
    note_read(Read("tables", "workers", "2025-12-31"))
    warnings.warn("few units", UserWarning, stacklevel=1)
    return value * 2


@once_a_run
def maker(_value):
    CALLS.append("made")
    return lambda: 1  # cannot be pickled


@once_a_run
def listed(values):
    CALLS.append("listed")
    return list(values)


@once_a_run
def refuse(value):
    CALLS.append(value)
    raise ValueError(value)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """What a run gives to its jobs: a shared folder, and a file for their notes."""
    CALLS.clear()
    (tmp_path / "shared").mkdir()
    monkeypatch.setenv(sharing.SHARED_VARIABLE, str(tmp_path / "shared"))
    monkeypatch.setenv(sharing.READS_VARIABLE, str(tmp_path / "reads.jsonl"))
    return tmp_path


def test_outside_a_run_every_call_computes_and_nothing_is_noted(tmp_path, monkeypatch):
    CALLS.clear()
    for variable in (sharing.SHARED_VARIABLE, sharing.READS_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    with pytest.warns(UserWarning, match="few units"):
        assert (twice(2), twice(2)) == (4, 4)
    assert CALLS == [2, 2]


def test_in_a_run_the_first_computes_and_whoever_comes_later_reads(run):
    with pytest.warns(UserWarning, match="few units"):
        assert [twice(2), twice(2), twice(3)] == [4, 4, 6]
    assert CALLS == [2, 3]


def test_a_reader_meets_the_same_warnings_and_notes_the_same_reads_as_the_one_who_computed(run, monkeypatch):
    with pytest.warns(UserWarning, match="few units"):
        twice(2)
    monkeypatch.setenv(sharing.READS_VARIABLE, str(run / "reader.jsonl"))
    with pytest.warns(UserWarning, match="few units"):
        twice(2)
    assert noted(run / "reader.jsonl") == noted(run / "reads.jsonl") == (Read("tables", "workers", "2025-12-31"),)


def test_an_error_is_not_shared(run):
    for _ in range(2):
        with pytest.raises(ValueError, match="1"):
            refuse(1)
    assert CALLS == [1, 1]
    assert os.environ[sharing.READS_VARIABLE] == str(run / "reads.jsonl")


def test_what_cannot_be_stored_is_computed_by_each(run, caplog):
    assert [maker(1)(), maker(1)()] == [1, 1]
    assert CALLS == ["made", "made"]
    assert "not shared" in caplog.text


def test_what_cannot_be_read_is_computed_anew(run, caplog):
    with pytest.warns(UserWarning, match="few units"):
        twice(2)
    kept = next(path for path in (run / "shared").iterdir() if not path.suffix)
    kept.write_bytes(b"cut off")
    with pytest.warns(UserWarning, match="few units"):
        assert twice(2) == 4
    assert CALLS == [2, 2]
    assert "cannot be read" in caplog.text


def test_an_argument_that_can_be_used_once_is_left_to_its_call(run):
    assert [listed(one for one in (1, 2)), listed(one for one in (1, 2))] == [[1, 2], [1, 2]]
    assert CALLS == ["listed", "listed"]


def test_the_process_that_dies_while_it_computes_leaves_the_others_free(run):
    code = (
        "import os\nfrom institute_lib.sharing import once_a_run\n"
        "def twice(value):\n    os.kill(os.getpid(), 9)\n"
        "twice.__module__, twice.__qualname__ = {!r}, 'twice'\nonce_a_run(twice)(2)"
    )
    killed = subprocess.run([sys.executable, "-c", code.format(twice.__module__)], check=False)
    assert killed.returncode == -9
    with pytest.warns(UserWarning, match="few units"):
        assert twice(2) == 4


def test_what_is_noted_twice_counts_once(run):
    note_read(Read("reports", "2025Q4", "2025-12-31", ("320613",)))
    note_read(Read("reports", "2025Q4", "2025-12-31", ("320613",)))
    assert noted(run / "reads.jsonl") == (Read("reports", "2025Q4", "2025-12-31", ("320613",)),)
    assert noted(run / "absent.jsonl") == ()


@dataclass(frozen=True)
class Point:
    x: float
    names: tuple[str, ...] = ()


FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", None]})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        ("1", 1),
        ([1, 2], (1, 2)),
        ([1, 2], [2, 1]),
        ([[1], 2], [1, [2]]),
        (("ab", "c"), ("a", "bc")),
        ({"a": 1}, {"a": 2}),
        (Point(1.0), Point(2.0)),
        (Point(1.0, ("a",)), Point(1.0, ("b",))),
        (np.array([1, 2]), np.array([1.0, 2.0])),
        (np.array([[1, 2]]), np.array([1, 2])),
        (FRAME, FRAME.rename(columns={"a": "c"})),
        (FRAME, FRAME.astype({"a": "float64"})),
        (FRAME, FRAME.iloc[::-1]),
        (FRAME, FRAME.iloc[::-1].reset_index(drop=True)),
        (FRAME, FRAME.set_axis([1, 2])),
        (FRAME, FRAME.fillna("None")),
        (FRAME, FRAME[["b", "a"]]),
        (FRAME["a"], FRAME[["a"]]),
        (pd.Series(["a"], dtype="category"), pd.Series(pd.Categorical(["a"], categories=["a", "b"]))),
        (pd.Timestamp("2025-12-31"), pd.Timestamp("2025-12-30")),
    ],
)
def test_another_content_type_or_order_is_another_digest(one, other):
    assert digest(one) != digest(other)


@pytest.mark.parametrize(
    "value", [FRAME, FRAME["b"], {"b": {2, 1, 3}, "a": None}, Point(float("nan")), np.arange(3), [pd.Period("2025Q4")]]
)
def test_the_digest_of_a_copy_is_the_same(value):
    import copy

    assert digest(value) == digest(copy.deepcopy(value))


def test_the_digest_depends_on_neither_the_order_of_a_mapping_nor_the_process():
    code = "from institute_lib.sharing import digest; print(digest({'b': {'x', 'y', 'z'}, 'a': 1}))"
    said = {
        subprocess.check_output([sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, text=True)
        for seed in ("1", "2")
    }
    assert {one.strip() for one in said} == {digest({"a": 1, "b": {"z", "y", "x"}})}


def test_the_attributes_of_a_table_are_part_of_it():
    frame = FRAME.copy()
    frame.attrs = {"source": "demo"}
    assert digest(frame) != digest(FRAME)


def test_a_note_is_one_line_of_json(run):
    note_read(Read("reference", "published_facts", source="published"))
    line = json.loads((run / "reads.jsonl").read_text(encoding="utf-8"))
    assert (line["kind"], line["name"], line["source"], line["districts"]) == (
        "reference",
        "published_facts",
        "published",
        [],
    )
