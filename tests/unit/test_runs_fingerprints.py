import nbformat
import pytest

from institute_lib.runs import fingerprints


def notebook(tmp_path, source, output=None):
    given = nbformat.v4.new_notebook()
    cell = nbformat.v4.new_code_cell(source, id="a")
    cell.outputs = [nbformat.v4.new_output("stream", text=output)] if output else []
    given.cells = [cell]
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.ipynb"
    nbformat.write(given, path)
    return path


def test_outputs_do_not_change_a_notebooks_hash(tmp_path):
    bare, shown = notebook(tmp_path, "a = 1"), notebook(tmp_path, "a = 1", output="hello")
    assert fingerprints.source_hash(bare) == fingerprints.source_hash(shown)


def test_code_changes_a_notebooks_hash(tmp_path):
    assert fingerprints.source_hash(notebook(tmp_path, "a = 1")) != fingerprints.source_hash(
        notebook(tmp_path, "a = 2")
    )


def test_magics_and_broken_cells_do_not_stop_the_reading():
    assert "coverage" in fingerprints.imported_rooms(
        ["%matplotlib inline\n!ls\nfrom institute_lib import coverage", "this is not python"]
    )


def test_the_words_that_a_notebook_says_are_part_of_it():
    named = fingerprints.catalogues_named(['terms.text("notebooks.quality_title", language)', "x = 'nothing.here'"])
    assert named == {"notebooks"}
    assert fingerprints.library_hash(frozenset(), named) != fingerprints.library_hash(frozenset())


@pytest.mark.parametrize(
    "source",
    [
        "from institute_lib import coverage",
        "import institute_lib.coverage",
        "from institute_lib.coverage import rates",
        "import institute_lib\ninstitute_lib.coverage.rates()",
        "def late():\n    from institute_lib import coverage",
    ],
)
def test_a_room_is_found_however_it_is_imported(source):
    rooms = fingerprints.imported_rooms([source])
    assert {"coverage", "errors", "brief", "runs"} <= rooms
    assert "release" not in rooms


def test_another_room_gives_another_hash():
    with_it = fingerprints.library_hash(frozenset({"terms", "coverage"}))
    assert with_it != fingerprints.library_hash(frozenset({"terms"}))


def test_what_changed_is_said_by_name():
    read = {"kind": "tables", "as_of": "2025-12-31", "districts": []}
    exams = {**read, "name": "exams", "hash": "1"}
    before = {"notebook": "a", "reads": [{**read, "name": "workers", "hash": "1"}, exams], "versions": {}}
    after = {"notebook": "a", "reads": [exams, {**read, "name": "workers", "hash": "2"}], "versions": {}}
    assert fingerprints.changed(before, after) == ["tables: workers"]


def test_the_fingerprint_does_not_depend_on_the_order_of_its_parts():
    assert fingerprints.fingerprint({"a": 1, "b": 2}) == fingerprints.fingerprint({"b": 2, "a": 1})
