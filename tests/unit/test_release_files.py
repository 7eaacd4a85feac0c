"""Personal data inside files: workbooks, archives, pictures, PDF, Parquet, notebooks, and files inside those."""

import base64
import gzip
import io
import json
import struct
import zipfile
import zlib

import openpyxl
import pytest
from openpyxl.comments import Comment

from institute_lib import release
from institute_lib.errors import ReleaseError
from institute_lib.release import containers

NUMBER = "999999199003070012"
PHONE = "13800138000"


def refusals(path) -> set[str]:
    return {finding.rule for finding in release.scan(path) if finding.severity == "refuse"}


def encoded(content: bytes | str) -> str:
    return base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes, tail: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + body + chunk(b"IEND", b"") + tail


PICTURES = {
    "text": png(chunk(b"tEXt", b"Comment\0" + NUMBER.encode())),
    "packed_text": png(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(NUMBER.encode()))),
    "international": png(chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(NUMBER.encode()))),
    "exif": png(chunk(b"eXIf", b"MM\0*" + NUMBER.encode())),
    "tail": png(tail=NUMBER.encode()),
}


def workbook(fill) -> bytes:
    book = openpyxl.Workbook()
    fill(book)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def hidden_sheet(book):
    book.create_sheet("x").append([NUMBER])
    book["x"].sheet_state = "hidden"


def comment(book):
    book.active["A1"] = 1
    book.active["A1"].comment = Comment(NUMBER, "x")


WORKBOOKS = {
    "text": lambda book: book.active.append([NUMBER]),
    "number": lambda book: book.active.append([float(NUMBER)]),
    "phone": lambda book: book.active.append([int(PHONE)]),
    "hidden_sheet": hidden_sheet,
    "comment": comment,
    "sheet_name": lambda book: book.create_sheet(NUMBER),
    "property": lambda book: setattr(book.properties, "description", NUMBER),
    "formula": lambda book: book.active.append(['=HYPERLINK("http://x","y")']),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_read_beyond_its_pixels(tmp_path, name):
    path = tmp_path / "picture.png"
    path.write_bytes(PICTURES[name])
    assert refusals(path) == {"identity"}
    inside = tmp_path / "page.html"
    inside.write_text(f"<img src='data:image/png;base64,{encoded(PICTURES[name])}'>")
    assert refusals(inside) == {"identity"}


def test_a_plain_picture_passes(tmp_path):
    (tmp_path / "picture.png").write_bytes(png())
    assert release.scan(tmp_path / "picture.png") == []


@pytest.mark.parametrize("name", WORKBOOKS)
def test_a_workbook_is_read_in_every_corner(tmp_path, name):
    path = tmp_path / "book.xlsx"
    path.write_bytes(workbook(WORKBOOKS[name]))
    assert refusals(path)


def test_a_plain_workbook_passes(tmp_path):
    path = tmp_path / "book.xlsx"
    path.write_bytes(workbook(lambda book: book.active.append(["崇川区", 3671, 0.123])))
    assert refusals(path) == set()


def test_archives_are_unpacked_however_deep(tmp_path):
    content = f"<p>{NUMBER[:6]}<b>{NUMBER[6:]}</b></p>".encode()
    for depth in range(3):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a.zip" if depth else "page.html", content)
        content = file.getvalue()
    (tmp_path / "x.zip").write_bytes(content)
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(NUMBER.encode()))
    assert refusals(tmp_path / "x.zip") == {"identity"}
    assert refusals(tmp_path / "x.csv.gz") == {"identity"}


def test_an_archive_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "LARGEST", 1_000_000)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"\0" * 2_000_000)
    assert len(file.getvalue()) < 10_000
    (tmp_path / "bomb.zip").write_bytes(file.getvalue())
    with pytest.raises(ReleaseError, match="unpacks"):
        release.scan(tmp_path / "bomb.zip")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030", "utf-16-le"])
def test_a_text_is_read_in_any_encoding(tmp_path, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes(f"名册：{NUMBER}".encode(encoding))
    assert refusals(path) == {"identity"}


def test_the_names_of_files_and_folders_are_read_too(tmp_path):
    folder = tmp_path / "released" / NUMBER
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("x")
    assert refusals(tmp_path / "released") == {"identity"}


@pytest.mark.parametrize(
    ("cell", "live"),
    [
        ("=1+1", True),
        ("+cmd", True),
        ("@SUM(A1)", True),
        ("-1+2", True),
        ("\t=1", True),
        ("＝1+1", True),
        ("-0.5", False),
        ("'=1+1", False),
        ("+3.2%", False),
        ("崇川区", False),
    ],
)
def test_a_csv_holds_no_live_formula(tmp_path, cell, live):
    (tmp_path / "a.csv").write_text(f'a,b\nx,"{cell}"\n', encoding="utf-8")
    assert ("formula" in refusals(tmp_path / "a.csv")) is live


def test_a_csv_with_a_column_of_names_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("姓名,区\n某人,崇川区\n", encoding="utf-8")
    assert refusals(tmp_path / "a.csv") == {"person_column"}


def notebook(cell: dict | None = None, **metadata) -> dict:
    cells = [{"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "source": ["x"], **(cell or {})}]
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def output(data: dict) -> dict:
    return {"outputs": [{"output_type": "display_data", "data": data, "metadata": {}}]}


SPLIT = [NUMBER[:9], NUMBER[9:]]
NOTEBOOKS = {
    "source_lines": notebook({"source": [f"a = '{NUMBER}'\n", "b"]}),
    "source_concatenation": notebook({"source": [f"a = '{SPLIT[0]}' \\\n", f"    '{SPLIT[1]}'"]}),
    "html": notebook(output({"text/html": [f"<b>{SPLIT[0]}</b>", f"<i>{SPLIT[1]}</i>"]})),
    "latex": notebook(output({"text/latex": NUMBER})),
    "javascript": notebook(output({"application/javascript": f"var a='{SPLIT[0]}'+'{SPLIT[1]}'"})),
    "json": notebook(output({"application/json": {"a": [{"b": int(NUMBER)}]}})),
    "vega": notebook(output({"application/vnd.vegalite.v5+json": {"data": {"values": [{"id": NUMBER}]}}})),
    "own_type": notebook(output({"application/x-unheard-of": NUMBER})),
    "svg": notebook(output({"image/svg+xml": [f"<svg><text><tspan>{SPLIT[0]}</tspan>", f"<tspan>{SPLIT[1]}</tspan>"]})),
    "picture": notebook(output({"image/png": encoded(PICTURES["text"])})),
    "stream_pieces": notebook(
        {"outputs": [{"output_type": "stream", "name": "stdout", "text": part} for part in SPLIT]}
    ),
    "attachment": notebook(
        {"cell_type": "markdown", "attachments": {"a.png": {"image/png": encoded(PICTURES["text"])}}}
    ),
    "markdown": notebook({"cell_type": "markdown", "source": f"{SPLIT[0]}<!-- -->{SPLIT[1]}"}),
    "cell_metadata": notebook({"metadata": {"tags": [NUMBER]}}),
    "output_metadata": notebook({"outputs": [{"output_type": "display_data", "data": {}, "metadata": {"a": NUMBER}}]}),
    "widget": notebook(
        widgets={"application/vnd.jupyter.widget-state+json": {"state": {"a": {"state": {"value": NUMBER}}}}}
    ),
    "operator": notebook(papermill={"parameters": {"operator": "lisi"}}),
    "environment": notebook(papermill={"environment_variables": {"HOME": "/home/lisi"}}),
    "authors": notebook(authors=[{"name": "x", "user": "lisi"}]),
    "traceback": notebook({"outputs": [{"output_type": "error", "ename": "E", "evalue": "x", "traceback": ["x"]}]}),
    "plotly": notebook(
        output({"application/vnd.plotly.v1+json": {"data": [{"type": "box", "y": [1, 2, 3]}], "layout": {}}})
    ),
}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_read_in_every_corner(tmp_path, name):
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(NOTEBOOKS[name]), encoding="utf-8")
    assert refusals(path)


def test_a_plain_notebook_passes(tmp_path):
    path = tmp_path / "a.ipynb"
    cell = {"id": "2504b967", **output({"text/html": "<p>3,671</p>", "image/png": encoded(png())})}
    path.write_text(json.dumps(notebook(cell, kernelspec={"name": "institute", "language": "python"})))
    assert release.scan(path) == []


def test_a_file_that_cannot_be_opened_or_read_is_refused(tmp_path):
    for name, content in {
        "a.pickle": b"\x80\x04",
        "a.zip": b"PK\x03\x04broken",
        "a.parquet": b"PAR1",
        "a.txt": b"\0\1\2\3\xff" * 50,
        "a.pdf": b"%PDF-1.4 /Encrypt",
        "a.json": b"{",
        "a.xls": b"\xd0\xcf\x11\xe0\xa1\xb1",
        "a.gz": b"\x1f\x8bx",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ReleaseError):
            release.scan(tmp_path / name)
    with pytest.raises(ReleaseError, match="no such file"):
        release.scan(tmp_path / "none.html")
