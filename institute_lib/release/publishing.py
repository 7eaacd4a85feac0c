"""A brief as it leaves: marked 可公开 with the number of its release, its boundary maps replaced."""

import copy
import tempfile
from pathlib import Path
from typing import Any

from institute_lib import terms
from institute_lib.brief import export
from institute_lib.brief.blocks import OPENING
from institute_lib.charts import CHART_MIME
from institute_lib.disclosure import TABLE_MIME
from institute_lib.runs.fingerprints import provenance


def public_page(notebook: Any, manifest: dict[str, Any], *, number: str, language: str) -> str:
    """The page of an executed notebook in one file.

    A map on boundaries without an approval number (审图号) is replaced by its tile map, and where a map has none, as
    one of towns, by its table.

    Args:
        notebook: the executed notebook; it stays as it is.
        number: of the release, such as 2025Q4-1.
    """
    notebook = copy.deepcopy(notebook)
    stamps = [terms.text("maps.stamp", one) for one in terms.LANGUAGES]
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if OPENING in data:
                data[OPENING] |= {"mark": "public", "release": number}
            elif CHART_MIME in data and any(stamp in data[CHART_MIME]["notes"] for stamp in stamps):
                output["data"] = _without_boundaries(data[CHART_MIME], stamps)
    inputs = manifest.get("inputs") or {}
    more = provenance(inputs, language) if inputs else {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "brief.html"
        export(notebook, path, language=language, provenance=more)
        return path.read_text(encoding="utf-8")


def _without_boundaries(chart: dict[str, Any], stamps: list[str]) -> dict[str, Any]:
    if chart.get("public"):
        return {CHART_MIME: chart["public"]}
    notes = [note for note in chart["notes"] if note not in stamps]
    table = {**chart["table"], "caption": chart["title"], "source": chart["source"], "notes": notes}
    return {TABLE_MIME: dict.fromkeys(terms.LANGUAGES, table)}
