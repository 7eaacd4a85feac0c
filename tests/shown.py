"""Small tables as a notebook would show them: what `study.show` gives of a result, without a study."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from institute_lib import areas
from institute_lib.brief.blocks import OPENING, Block
from institute_lib.disclosure import Protected, protected
from institute_lib.disclosure.figures import MAKER
from institute_lib.result import Measure, Provenance, Result
from institute_lib.sharing import Read


def shown(
    frame: pd.DataFrame,
    *,
    rows: str | Sequence[str] | None = None,
    columns: str = "",
    value: str | Sequence[str] | None = None,
    units: Mapping[str, str] | None = None,
    persons: str = "",
    title: str = "",
    source: str = "S",
    labels: Mapping[str, str] | None = None,
    demo: bool = False,
    language: str = "zh",
) -> Protected:
    """A table of places or published figures; of persons, where `persons` names the column that counts them.

    Args:
        rows, value: by default the columns of text, and those of numbers. ci_low and ci_high belong to the first value.
        units: of the values; a number without one is a count where all of it is whole, else a share.
    """
    numeric = [name for name in frame if pd.api.types.is_numeric_dtype(frame[name])]
    named = [columns] if columns else []
    keys = [rows] if isinstance(rows, str) else list(rows or (one for one in frame if one not in (*numeric, *named)))
    values = [value] if isinstance(value, str) else list(value or (one for one in numeric if one not in keys))
    ends = [one for one in ("ci_low", "ci_high") if one in values]
    values = [one for one in values if one not in ends]
    given = frame.rename(columns={f"ci_{end}": f"{values[0]}_{end}" for end in ("low", "high")} if ends else {})
    measures = []
    for place, name in enumerate(values):
        whole = bool((given[name].dropna() % 1 == 0).all())
        unit = (units or {}).get(name, "count" if whole else "share")
        part = f"{name}_part"
        if unit in ("share", "per_10000", "points"):
            given = given.assign(**{part: given[name] * (given[persons] if persons else 1000.0)})
            given = given.assign(_whole=given[persons] if persons else 1000.0)
        of = {"yuan": (persons or name,)}.get(unit, (part, "_whole") if part in given else ())
        interval = "given" if ends and place == 0 else ""
        measures.append(Measure(name, unit, of=of, interval=interval, counts="persons" if persons else "places"))
    kind = "demo" if demo else "register" if persons else "own"
    read = Read("tables", "workers" if persons or demo else source, source=kind, personal=bool(persons), title=source)
    result = Result(given, (*keys, *named), measures, persons or None, Provenance([read]), title=title)
    result = replace(result, look={"across": columns} if columns else {})
    view = protected(result, language=language)
    return replace(view, made_by=MAKER, labels={**view.labels, **(labels or {})})


def opening(
    *,
    title: str = "简报",
    findings: Sequence[str] = (),
    question: str = "",
    demo: bool = False,
    area: str = "320613",
    quarter: str = "2025Q4",
    language: str = "zh",
    as_of: str = "",
    **more: object,
) -> Block:
    """The opening of a brief, as `study.close` leaves it; `more` are further parts of it."""
    content = {
        "title": title,
        "question": question,
        "findings": list(findings),
        "area": areas.get(area).name(language),
        "area_code": area,
        "quarter": quarter,
        "as_of": as_of,
        "language": language,
        "demo": demo,
        "mark": "internal",
    }
    return Block(OPENING, content | more, (title, *findings))
