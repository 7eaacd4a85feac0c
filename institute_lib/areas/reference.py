"""Published facts and division lists, each row with its source and status.

`reference(name)` reads one file of `data/reference/` and checks it; `population`, `towns` and `villages` are the three
that most rooms need, in the shape they need them. What each file may be used for stands in `data/reference/README.md`.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from institute_lib import paths, sharing, terms
from institute_lib.areas.divisions import city_of, districts, get, host
from institute_lib.errors import DataError, Fault, ParameterError, nearest
from institute_lib.result import Provenance, with_provenance
from institute_lib.sharing import Read, once_a_run

STATUSES = ("published", "read", "excerpt", "recalled", "not_found", "derived", "demo")
BOUNDS = ("exact", "rounded", "lower", "upper", "approximate", "text", "missing")
CENSUS = "resident_population_2020-11-01"
TOWN_TYPES = {"街道": "subdistrict", "镇": "town", "乡": "township", "类似乡级单位(4xx/5xx)": "town_like"}


@dataclass(frozen=True)
class ReferenceFile:
    """What a reference file must hold, besides `source` and `status`."""

    columns: tuple[str, ...]
    numbers: tuple[str, ...] = ()
    key: tuple[str, ...] = ()


FILES: dict[str, ReferenceFile] = {
    "published_facts": ReferenceFile(
        ("area", "period", "indicator", "value", "bound", "unit", "note"),
        numbers=("value",),
        key=("area", "period", "indicator"),
    ),
    "other_facts": ReferenceFile(
        ("geo", "area", "period", "indicator", "value", "bound", "amount", "unit", "status_note", "note"),
        numbers=("amount",),
        key=("geo", "period", "indicator"),
    ),
    "population_2020": ReferenceFile(
        ("city", "code", "unit", CENSUS, "bound", "status_note"), numbers=(CENSUS,), key=("code", "unit")
    ),
    "towns": ReferenceFile(
        ("city", "county_code", "county", "town_code", "town", "town_type", "n_village_units"),
        numbers=("n_village_units",),
        key=("town_code",),
    ),
    "villages": ReferenceFile(
        ("city", "county_code", "county", "town_code", "village_code", "village"), key=("village_code",)
    ),
    "county_counts": ReferenceFile(
        ("city", "code", "name", "code_kind", "town_level_units", "village_level_units"),
        numbers=(
            "town_level_units",
            "subdistricts_街道",
            "towns_镇",
            "townships_乡",
            "town_like_units",
            "village_level_units",
            "居委会_code0xx-1xx",
            "村委会_code2xx-3xx",
            "village_like_other",
        ),
        key=("code",),
    ),
    "literature_turnover": ReferenceFile(("study", "sample", "finding"), key=("study",)),
    "districts": ReferenceFile(("code", "name_zh", "name_en", "level", "parent", "host"), key=("code",)),
    "area_aliases": ReferenceFile(
        ("kind", "code", "name", "valid_from", "valid_to", "change", "successor", "note"), key=("kind", "code", "name")
    ),
    "traditional_characters": ReferenceFile(("traditional", "simplified"), key=("traditional",)),
    "policies": ReferenceFile(
        ("policy_id", "area", "start", "treated_from", "outcome", "design", "recorded", "note"),
        key=("policy_id", "outcome"),
    ),
}


def reference(name: str) -> pd.DataFrame:
    """One reference file, checked.

    Args:
        name: a file of `data/reference/` without its ending, one of `FILES`.

    Returns:
        All columns of the file. Everything is text (codes keep their zeros, `>17000` stays text, an empty cell is an
        empty text), but for the file's numeric columns: float64, NaN where the cell is empty.

    Raises:
        ParameterError: no such file in `FILES`.
        DataError: the file is missing, or rows break its contract (all of them, with their line): a column is missing,
            a number is no number, a row has no source or an unknown status or bound, a key stands twice.
    """
    if name not in FILES:
        raise ParameterError(f"reference {name!r}: {nearest(name, FILES)}")
    path = paths.reference() / f"{name}.csv"
    read = Read("reference", name, source="published")
    sharing.note_read(read)
    if not path.is_file():
        raise DataError(f"reference file {path.name} is missing from {path.parent}; it ships with the project")
    stamp = path.stat()
    frame = _checked(name, path, (stamp.st_mtime_ns, stamp.st_size))
    return with_provenance(_with_own(name, frame), Provenance([read]))


def _with_own(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the file that ships with the project, and the institute's own, which take the place of their like."""
    own = paths.registers() / f"{name}.csv"
    if not own.is_file():
        return frame
    sharing.note_read(Read("files", str(own)))
    stamp = own.stat()
    added = _checked(name, own, (stamp.st_mtime_ns, stamp.st_size))
    joined = pd.concat([frame, added], ignore_index=True).drop_duplicates(list(FILES[name].key), keep="last")
    joined.attrs = dict(frame.attrs)
    return joined.reset_index(drop=True)


@once_a_run
def _checked(name: str, path: Path, _stamp: tuple[int, int]) -> pd.DataFrame:
    contract = FILES[name]
    frame = pd.read_csv(path, dtype="str", encoding="utf-8-sig", keep_default_na=False)
    required = dict.fromkeys((*contract.columns, *contract.numbers, "source", "status"))
    missing = [Fault(path.name, None, column, None, "column is missing") for column in required if column not in frame]
    if missing:
        raise DataError(f"reference file {path.name} lacks columns", tuple(missing))
    faults = (*_row_faults(frame, path.name, contract), *_number_faults(frame, path.name, contract))
    if faults:
        raise DataError(f"reference file {path.name} breaks its contract ({len(faults)} faults)", faults)
    for column in contract.numbers:
        frame[column] = pd.to_numeric(frame[column].replace("", None)).astype("float64")
    frame.attrs = {"name": name, "source": "published"}
    return frame


def _row_faults(frame: pd.DataFrame, file: str, contract: ReferenceFile) -> list[Fault]:
    faults = []
    for column, allowed in (("status", STATUSES), ("bound", BOUNDS)):
        if column in frame:
            wrong = frame.loc[~frame[column].isin(allowed), column]
            faults += [
                Fault(file, row + 2, column, wrong[row], f"allowed: {', '.join(allowed)}") for row in wrong.index
            ]
    empty = frame.index[frame["source"].str.strip() == ""]
    faults += [Fault(file, row + 2, "source", "", "every row names its source") for row in empty]
    twice = frame.index[frame.duplicated(list(contract.key))]
    keys = ", ".join(contract.key)
    return faults + [
        Fault(file, row + 2, keys, "/".join(frame.loc[row, list(contract.key)]), "stands twice") for row in twice
    ]


def _number_faults(frame: pd.DataFrame, file: str, contract: ReferenceFile) -> list[Fault]:
    faults = []
    for column in contract.numbers:
        text = frame[column].str.strip()
        wrong = text[(text != "") & pd.to_numeric(text, errors="coerce").isna()]
        faults += [
            Fault(file, row + 2, column, wrong[row], "not a number", "write digits only; bounds stand in `bound`")
            for row in wrong.index
        ]
    return faults


def stated(value: str, bound: str, language: str = "zh") -> str:
    """A published figure as the bound that it is: nearly 20,000 and never 20,000.

    Args:
        value: the figure, already formatted for the language.
        bound: one of `BOUNDS`.
        language: "zh" or "en".

    Raises:
        ParameterError: unknown bound or language.
    """
    if bound not in BOUNDS:
        raise ParameterError(f"bound {bound!r}: {nearest(bound, BOUNDS)}")
    return terms.text(f"areas.bound_{bound}", language, value=value)


def population(by: str = "polygon") -> pd.DataFrame:
    """Residents at the 2020 census, by county-level unit of Nantong and Suzhou.

    Args:
        by: "polygon" adds each development zone to the district whose polygon holds it, for anything that is drawn or
            joined to a polygon; "reported" leaves the zones apart, as the bulletins do.

    Returns:
        code, population (int64), status, source; ordered by code. The sum is the city's published total either way.
        Suzhou's rows are `recalled` (unconfirmed but for their sum); a sum is as weak as its weakest part.

    Raises:
        ParameterError: any other `by`.
    """
    if by not in ("polygon", "reported"):
        raise ParameterError(f"by {by!r}: {nearest(by, ('polygon', 'reported'))}")
    census = reference("population_2020")
    rows = census[[get(code).level in ("district", "zone") for code in census["code"]]]
    code = _hosts(rows["code"]) if by == "polygon" else rows["code"]
    frame = pd.DataFrame(
        {"code": code, "population": rows[CENSUS].astype("int64"), "status": rows["status"], "source": rows["source"]}
    )
    weakest = {"population": "sum", "status": lambda parts: max(parts, key=STATUSES.index), "source": "first"}
    found = frame.groupby("code", as_index=False, sort=True).agg(weakest).astype({"code": "str", "status": "str"})
    return with_provenance(found, Provenance(census.attrs["provenance"].reads))


def towns(parent: str) -> pd.DataFrame:
    """The town-level units of the 2023 statistical list: 136 in Nantong, 118 in Suzhou.

    Args:
        parent: a city; a district (with the development zone that lies in its polygon); a zone (alone); the province
            (both cities: no other city's list is here).

    Returns:
        town (nine digits), name, type (subdistrict, town, township, town_like), district (as listed, so zones stay),
        host (the district whose polygon holds it), villages (how many village-level units).

    Raises:
        ParameterError: unknown area. DataError: an area outside Nantong and Suzhou.
    """
    listed = reference("towns")
    frame = pd.DataFrame(
        {
            "town": listed["town_code"],
            "name": listed["town"],
            "type": listed["town_type"].map(TOWN_TYPES).astype("str"),
            "district": listed["county_code"],
            "host": _hosts(listed["county_code"]),
            "villages": listed["n_village_units"].astype("int64"),
        }
    )
    return _within(frame, parent)


def villages(parent: str) -> pd.DataFrame:
    """The village-level units of the 2023 statistical list: 2,005 in Nantong, 2,248 in Suzhou.

    Args:
        parent: as for `towns`.

    Returns:
        village (twelve digits), name, type (residents: 居委会, villagers: 村委会, village_like: neither, among them
        虚拟生活区), town, district, host. The type is read from the code's last three digits, as the list defines it.

    Raises:
        ParameterError: unknown area. DataError: an area outside Nantong and Suzhou.
    """
    listed = reference("villages")
    kinds = {"0": "residents", "1": "residents", "2": "villagers", "3": "villagers"}
    frame = pd.DataFrame(
        {
            "village": listed["village_code"],
            "name": listed["village"],
            "type": listed["village_code"].str[9].map(kinds).fillna("village_like").astype("str"),
            "town": listed["town_code"],
            "district": listed["county_code"],
            "host": _hosts(listed["county_code"]),
        }
    )
    return _within(frame, parent)


def _hosts(codes: pd.Series) -> pd.Series:
    """The host of each row's district; each district is looked up once."""
    return codes.map({code: host(code) for code in codes.unique()})


def _within(frame: pd.DataFrame, parent: str) -> pd.DataFrame:
    area = get(parent)
    column, codes = "host", {area.code}
    if area.level in ("city", "province"):
        codes = {district.code for district in districts(area.code)}
    elif area.level == "zone":
        column = "district"
    chosen = frame[frame[column].isin(codes)].reset_index(drop=True)
    if chosen.empty:
        covered = ", ".join(
            sorted({f"{city_of(code)} {get(city_of(code)).name_zh}" for code in frame["host"].unique()})
        )
        raise DataError(f"{area.level} {parent!r}: no town list of {area.name_zh} is here; the lists cover {covered}")
    chosen.attrs = {"source": "published"}
    return chosen
