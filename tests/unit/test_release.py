"""What the scan finds, and what it lets pass."""

import base64
import json
import struct
import time
from pathlib import Path

import pytest

from institute_lib import registers, release
from institute_lib.errors import ReleaseError
from institute_lib.registers import digests
from institute_lib.release import names

CASES = Path(__file__).parents[1] / "cases" / "leaks"
INDEX = json.loads((CASES / "index.json").read_text(encoding="utf-8"))
NUMBER = "999999199003070012"


def rules(findings, severity="refuse"):
    return {finding.rule for finding in findings if finding.severity == severity}


def page(tmp_path, content):
    path = tmp_path / "page.html"
    path.write_text(content, encoding="utf-8")
    return release.scan(path)


@pytest.mark.parametrize("case", INDEX, ids=lambda case: case["file"])
def test_each_leak_of_the_index_is_refused_and_each_look_alike_passes(case):
    refusals = rules(release.scan(CASES / case["file"]))
    assert bool(refusals) is case["must_refuse"], case["where"]


MORE = Path(__file__).parents[1] / "cases" / "leaks_more"


@pytest.fixture(scope="module")
def register(tmp_path_factory):
    """A register in which one person of the cases stands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTITUTE_KEY_FILE", str(tmp_path_factory.mktemp("keys") / "pseudonym.key"))
        registers.new_key()
        digests.add(registers.load_key(), ["喻轩佳"], ["320613198009271268"])
        names.known.cache_clear()
        yield
    names.known.cache_clear()


@pytest.mark.parametrize(
    "case", json.loads((MORE / "index.json").read_text(encoding="utf-8")), ids=lambda one: one["file"]
)
def test_each_disguise_of_the_second_index_is_held_and_ordinary_content_passes(register, case):
    assert bool(release.scan(MORE / case["file"])) is (case["must"] == "be held"), case["what"]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("plain_id.html", "identity"),
        ("id_float.html", "identity_mangled"),
        ("phone_grouped.html", "phone"),
        ("path_user.html", "path"),
        ("plotly_box_raw.html", "person_values"),
        ("plotly_meta_hidden.html", "path"),
        ("nb_traceback.ipynb", "identity"),
        ("nb_params.ipynb", "path"),
    ],
)
def test_each_kind_of_leak_is_found_by_its_own_rule(name, rule):
    assert rule in rules(release.scan(CASES / name))


@pytest.mark.parametrize("case", INDEX, ids=lambda case: case["file"])
def test_no_finding_shows_what_it_found(case):
    for finding in release.scan(CASES / case["file"]):
        said = finding.describe("zh") + finding.describe("en")
        assert NUMBER not in said
        assert "zhangsan" not in said


@pytest.mark.parametrize(
    "hidden",
    [
        f"<p>{NUMBER[:6]}<b>{NUMBER[6:]}</b></p>",
        f"<p title='{NUMBER}'>x</p>",
        f"<svg><path d='{NUMBER}'/></svg>",
        "<p>" + "\u200b".join(NUMBER) + "</p>",
        f"<script>var a = {json.dumps({'v': [float(NUMBER)]})}</script>",
        f"<svg><text><tspan>{NUMBER[:9]}</tspan><tspan>{NUMBER[9:]}</tspan></text></svg>",
        "<p>32061319900307****</p>",
    ],
)
def test_disguises_in_a_page_are_taken_off(tmp_path, hidden):
    assert rules(page(tmp_path, hidden))


@pytest.mark.parametrize(
    "harmless",
    [
        "<p>12345 热线, 400-820-8820, 0513-85216000</p>",
        "<td>320613</td><td>19900307</td><td>0012</td>",
        "<p>3,671 人; 200,000,000 元; 2024-11-08; 320600</p>",
        f"<p>sha256: {'ab' * 32}</p>",
        "<svg><path d='M999999 19900307 0012'/></svg>",
    ],
)
def test_figures_hotlines_and_provenance_pass(tmp_path, harmless):
    assert page(tmp_path, harmless) == []


def test_a_hash_without_a_declared_field_warns(tmp_path):
    findings = page(tmp_path, f"<p>{'ab' * 32}</p>")
    assert (rules(findings), rules(findings, "warn")) == (set(), {"hash"})


def test_a_typed_array_is_decoded_before_it_is_judged(tmp_path):
    packed = base64.b64encode(struct.pack("<20d", *range(20))).decode()
    figure = {"data": [{"type": "violin", "y": {"dtype": "f8", "bdata": packed}}], "layout": {}}
    path = tmp_path / "figure.json"
    path.write_text(json.dumps(figure))
    assert rules(release.scan(path)) == {"person_values"}


def test_a_box_of_summary_statistics_passes(tmp_path):
    trace = {"type": "box", "q1": [1], "median": [2], "q3": [3], "x": ["A"]}
    path = tmp_path / "figure.json"
    path.write_text(json.dumps({"data": [trace], "layout": {}}))
    assert release.scan(path) == []


def test_a_file_that_cannot_be_looked_into_cannot_be_released(tmp_path):
    (tmp_path / "table.parquet").write_bytes(b"PAR1")
    with pytest.raises(ReleaseError, match="cannot be scanned"):
        release.scan(tmp_path / "table.parquet")


def test_a_brief_of_five_megabytes_is_scanned_in_bounded_time(tmp_path):
    from plotly.offline import get_plotlyjs

    body = "<p>南通市 2025Q4 3,671</p>" * 2000
    started = time.process_time()
    findings = page(tmp_path, f"<html><script>{get_plotlyjs()}</script>{body}</html>")
    assert findings == []
    assert time.process_time() - started < 10
