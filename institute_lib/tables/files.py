"""A researcher's own file, described by a small .toml beside it.

    title = "2024年各县居民收入 / County incomes 2024"
    source = "江苏统计年鉴2025，表3-2"
    row = "place"          # what one row is: "person", "place" or "organisation"
    person = "id"          # the column that tells persons apart, where a row is a person and may recur

Without it the file is taken to hold persons, is cited as 来源不明, and what rests on it is held at release.
"""

import re
import tomllib
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pandas as pd

from institute_lib import areas, paths, sharing, terms
from institute_lib.errors import DataError
from institute_lib.result import Provenance, with_provenance
from institute_lib.sharing import Read

ROWS = ("person", "place", "organisation")
KEYS = ("title", "source", "row", "person")
CODES = ("district", "code", "area", "town")
ENDINGS = (".csv", ".parquet", ".xlsx")


def load_own(name: str | Path, *, language: str = "zh") -> pd.DataFrame:
    """A researcher's own file as it stands, with what its description says.

    Args:
        name: a .csv, .parquet or .xlsx file, looked for beside the notebook, then from the project's root.

    Returns:
        The table; six-digit codes and other text columns that hold a leading zero stay text.

    Raises:
        DataError: no such file, another kind of file, or a description that cannot be read.
    """
    file = next((one for one in _places(Path(name)) if one.is_file()), None)
    if file is None or file.suffix.lower() not in ENDINGS:
        looked = ", ".join(str(one) for one in dict.fromkeys(one.parent for one in _places(Path(name))))
        raise terms.error(DataError, "result.no_own_file", name=str(name), looked=looked, endings=" ".join(ENDINGS))
    described = _description(file.with_suffix(".toml"))
    words = [described.get("title", file.name), described.get("source", "")]
    cited = [one.split(" / ")[0 if language == "zh" else -1] for one in words if one]
    read = Read(
        "files",
        str(file),
        source="own" if described else "unknown",
        personal=described.get("row", "person") == "person",
        title=("，" if language == "zh" else ", ").join(cited),
    )
    sharing.note_read(read)
    sharing.note_read(Read("files", str(file.with_suffix(".toml"))))
    frame = with_provenance(content(file), Provenance([read]))
    frame.attrs |= {
        "file": str(file),
        "name": file.stem,
        "person": described.get("person", ""),
        "row": described.get("row", ""),
    }
    return frame


def _places(name: Path) -> Iterator[Path]:
    yield from (folder / name for folder in (Path.cwd(), paths.notebooks(), paths.root()))


def content(file: Path) -> pd.DataFrame:
    """The rows of a .csv, .parquet or .xlsx file; codes and other text that begins with a zero stay text.

    Raises:
        DataError: it cannot be read, such as text that is not UTF-8.
    """
    try:
        if file.suffix.lower() == ".parquet":
            return pd.read_parquet(file)
        if file.suffix.lower() == ".xlsx":
            return _with_codes(
                pd.read_excel(file, dtype="str", engine="calamine"), pd.read_excel(file, engine="calamine")
            )
        text = file.read_text(encoding="utf-8-sig")
        return _with_codes(pd.read_csv(StringIO(text), dtype="str"), pd.read_csv(StringIO(text)))
    except (ValueError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise terms.error(DataError, "result.own_file_unreadable", name=file.name, why=str(error)) from error


def _with_codes(texts: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame; columns of codes, which are all areas or of which one begins with a zero, stay text."""
    for name in texts.columns:
        known = texts[name].dropna().unique()
        zero = any(re.fullmatch(r"0\d+", one) for one in known)
        coded = len(known) > 0 and all(re.fullmatch(r"\d{6}", one) and areas.is_known(one) for one in known)
        if zero or coded or name in CODES:
            frame[name] = texts[name]
    return frame


def _description(path: Path) -> dict[str, str]:
    """The description of an own file, empty where there is none.

    Raises:
        DataError: it cannot be read, lacks a title, a source or what a row is, or says something else.
    """
    if not path.is_file():
        return {}
    try:
        described = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise terms.error(DataError, "result.description_unreadable", name=path.name, why=str(error)) from error
    wrong = [key for key in described if key not in KEYS]
    lacking = [key for key in KEYS[:3] if not str(described.get(key, "")).strip()]
    if wrong or lacking or described["row"] not in ROWS:
        raise terms.error(
            DataError,
            "result.description_wrong",
            name=path.name,
            wrong=", ".join(wrong or lacking or [described["row"]]),
        )
    return {key: str(value) for key, value in described.items()}
