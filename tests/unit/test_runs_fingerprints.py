import nbformat

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
    one, other = notebook(tmp_path, "a = 1"), notebook(tmp_path, "a = 2")
    assert fingerprints.source_hash(one) != fingerprints.source_hash(other)


def test_any_edited_file_of_the_library_changes_its_hash(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprints.paths, "PACKAGE", tmp_path)
    found = []
    for text in ("a = 1", "a = 2"):
        (tmp_path / "one.toml").write_text(text, encoding="utf-8")
        fingerprints.library_hash.cache_clear()
        found.append(fingerprints.library_hash())
    (tmp_path / "one.toml").rename(tmp_path / "two.toml")
    fingerprints.library_hash.cache_clear()
    found.append(fingerprints.library_hash())
    fingerprints.library_hash.cache_clear()
    assert len(set(found)) == 3


def test_what_changed_is_said_by_name():
    read = {"kind": "tables", "as_of": "2025-12-31", "districts": []}
    exams = {**read, "name": "exams", "hash": "1"}
    before = {"notebook": "a", "reads": [{**read, "name": "workers", "hash": "1"}, exams], "versions": {}}
    after = {"notebook": "a", "reads": [exams, {**read, "name": "workers", "hash": "2"}], "versions": {}}
    assert fingerprints.changed(before, after) == {"tables": ["workers"]}


def test_the_fingerprint_does_not_depend_on_the_order_of_its_parts():
    assert fingerprints.fingerprint({"a": 1, "b": 2}) == fingerprints.fingerprint({"b": 2, "a": 1})
