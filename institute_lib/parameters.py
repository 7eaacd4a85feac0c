"""A notebook's parameters: declared in its own parameters cell, checked before any kernel starts.

The cell is read with `ast`, never executed: papermill runs parameter *names* as code, so names may only come from the
declared schema. The core (area, quarter, language, as_of) is the same for every notebook; the rest belongs to each. A
trailing comment explains a parameter, and braces in it list the values allowed:

    design = "pilot"  # 研究设计 {pilot, staggered} / study design
"""

import ast
import functools
import io
import json
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import areas, terms
from institute_lib.areas import Area
from institute_lib.errors import ParameterError

CORE = ("area", "quarter", "language", "as_of")
_QUARTER = re.compile(r"\d{4}Q[1-4]")
# What a Chinese keyboard types where Python wants its plain sign.
HALF_WIDTH = str.maketrans("“”‘’＝，（）：【】", "\"\"''=,():[]")


@dataclass(frozen=True)
class Parameter:
    """One declared parameter: its default, its explanation in both languages, the values allowed (if listed)."""

    name: str
    default: Any
    help_zh: str = ""
    help_en: str = ""
    allowed: tuple[Any, ...] = ()

    def check(self, value: Any, notebook: str) -> Any:
        """The value, in the default's type.

        Raises:
            ParameterError: another type, or a value outside the list.
        """
        expected = type(self.default)
        if expected is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if expected in (list, tuple) and isinstance(value, list | tuple):  # a plan's TOML has lists only
            value = expected(value)
        if None not in (value, self.default) and type(value) is not expected:
            raise terms.error(
                ParameterError,
                "runs.error_parameter_type",
                notebook=notebook,
                name=self.name,
                value=repr(value),
                given=type(value).__name__,
                expected=expected.__name__,
                default=repr(self.default),
            )
        listed = value if isinstance(value, list | tuple) else [] if value is None else [value]
        for one in listed if self.allowed else ():
            if one not in self.allowed:
                raise terms.error(
                    ParameterError,
                    "runs.error_parameter_value",
                    notebook=notebook,
                    name=self.name,
                    value=repr(one),
                    nearest=(one, self.allowed),
                )
        return value


@dataclass(frozen=True)
class Schema:
    """The parameters that one notebook declares."""

    notebook: str
    parameters: tuple[Parameter, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters of a run, defaults filled in.

        Raises:
            ParameterError: a name that is not declared, or a value that is not allowed.
        """
        for name in values:
            if name not in self.names:
                raise terms.error(
                    ParameterError,
                    "runs.error_parameter_unknown",
                    notebook=self.notebook,
                    name=name,
                    nearest=(name, self.names),
                )
        filled = {
            parameter.name: parameter.check(values.get(parameter.name, parameter.default), self.notebook)
            for parameter in self.parameters
        }
        study(**{name: filled[name] for name in CORE})
        return filled


@dataclass(frozen=True)
class Study:
    """What a notebook looks at: the frozen core of its parameters."""

    area: Area
    quarter: str
    language: str
    as_of: str
    districts: tuple[str, ...]

    @property
    def is_city(self) -> bool:
        return self.area.level == "city"

    @property
    def city(self) -> str:
        """Code of the city that the area is, or lies in."""
        return areas.city_of(self.area.code)

    def quarters(self, number: int, *, until: str | None = None) -> tuple[str, ...]:
        """The last `number` quarters that end with the study's own (or with `until`), oldest first."""
        last = pd.Period(until or self.quarter, freq="Q")
        return tuple(str(last - back) for back in range(number - 1, -1, -1))

    def select(self, frame: pd.DataFrame, districts: tuple[str, ...] | None = None) -> pd.DataFrame:
        """The rows of the study's districts (or of some of them), with the table's attrs."""
        return frame[frame["district"].isin(self.districts if districts is None else districts)].reset_index(drop=True)

    @property
    def title(self) -> str:
        """Area and quarter in words: 南通市 · 2025年四季度."""
        return f"{self.area.name(self.language)} · {terms.quarter(self.quarter, self.language)}"


def study(*, area: str, quarter: str, language: str = "zh", as_of: str = "") -> Study:
    """The checked core of a notebook's parameters.

    Args:
        area: code or name of a city or a district.
        quarter: such as "2025Q4".
        language: "zh" or "en".
        as_of: an ISO day, not before the quarter's first; empty for the quarter's last.

    Raises:
        ParameterError: any of them is not allowed, naming what is.
    """
    place = areas.get(str(area))
    if place.level not in ("city", "district"):
        raise terms.error(ParameterError, "runs.error_area_level", area=area)
    period = check_quarter(quarter)
    terms.check_language(language)
    day = _check_day(as_of, period)
    districts = tuple(child.code for child in areas.districts(place.code)) if place.level == "city" else (place.code,)
    return Study(place, str(period), language, day, districts)


def check_quarter(quarter: str, covered: tuple[str, ...] | None = None) -> pd.Period:
    """The quarter as a pandas Period.

    Raises:
        ParameterError: not written as 2025Q4, or outside the quarters that the data cover.
    """
    if not isinstance(quarter, str) or not _QUARTER.fullmatch(quarter):
        key = "runs.error_quarter_form" if covered else "runs.error_quarter"
        raise terms.error(ParameterError, key, quarter=repr(quarter), nearest=(str(quarter), covered or ()))
    if covered is not None and quarter not in covered:
        raise terms.error(
            ParameterError,
            "runs.error_quarter_outside",
            quarter=quarter,
            nearest=(quarter, covered, "close"),
            first=covered[0],
            last=covered[-1],
        )
    return pd.Period(quarter, freq="Q")


def _check_day(as_of: str, quarter: pd.Period) -> str:
    if not as_of:
        return quarter.end_time.date().isoformat()
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(as_of)):
        raise terms.error(ParameterError, "runs.error_day_form", day=repr(as_of))
    try:
        day = pd.Timestamp(as_of)
    except ValueError as error:
        raise terms.error(ParameterError, "runs.error_day_unknown", day=repr(as_of)) from error
    if day < quarter.start_time:
        raise terms.error(
            ParameterError,
            "runs.error_day_early",
            day=repr(as_of),
            quarter=quarter,
            first=f"{quarter.start_time:%Y-%m-%d}",
        )
    return day.date().isoformat()


def schema(notebook: Path) -> Schema:
    """The parameters that a notebook declares, read without executing it.

    Raises:
        ParameterError: not a notebook, no cell tagged `parameters`, more than one, a core name missing, or a default
            that is not a plain literal.
    """
    path = Path(notebook)
    code = [cell for cell in read_cells(path) if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
    tagged = [
        (number, "".join(cell["source"]))
        for number, cell in enumerate(code, start=1)
        if "parameters" in cell.get("metadata", {}).get("tags", [])
    ]
    if len(tagged) != 1:
        raise terms.error(ParameterError, "runs.error_parameter_cells", name=path.name, n=len(tagged))
    number, source = tagged[0]
    declared = tuple(_declarations(source, f"{path.name}, cell [{number}]"))
    missing = [name for name in CORE if name not in {parameter.name for parameter in declared}]
    if missing:
        raise terms.error(ParameterError, "runs.error_parameter_missing", name=path.name, missing=", ".join(missing))
    return Schema(path.stem, declared)


def read_cells(notebook: Path) -> list[dict[str, Any]]:
    """A notebook's cells as its JSON holds them (nbformat itself takes a second to import).

    Raises:
        ParameterError: not a notebook of format 4.
    """
    try:
        content = json.loads(notebook.read_text(encoding="utf-8-sig"))
        cells = content["cells"]
    except (ValueError, KeyError, TypeError) as error:
        kind = type(error).__name__
        raise terms.error(ParameterError, "runs.error_no_notebook", name=notebook.name, reason=kind) from error
    return cells


def _declarations(source: str, notebook: str) -> list[Parameter]:
    try:
        body = ast.parse(source).body
        comments = {
            token.start[0]: token.string.lstrip("# ").strip()
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        }
    except (SyntaxError, ValueError) as error:
        number = getattr(error, "lineno", None) or 1
        line = "".join(source.splitlines()[number - 1 : number]).strip()
        plain = line.translate(HALF_WIDTH)
        written = "write" if plain != line else "later"
        hint = functools.partial(terms.text, f"runs.error_parameter_{written}", plain=plain)
        raise terms.error(
            ParameterError, "runs.error_parameter_line", notebook=notebook, number=number, line=line, hint=hint
        ) from error
    parameters = []
    for node in body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [None])
        target = targets[0] if len(targets) == 1 else None
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(target, ast.Name):
            raise terms.error(ParameterError, "runs.error_parameter_code", notebook=notebook, number=node.lineno)
        try:
            default = ast.literal_eval(node.value)
        except (ValueError, TypeError, AttributeError) as error:
            raise terms.error(
                ParameterError, "runs.error_parameter_default", notebook=notebook, number=node.lineno, name=target.id
            ) from error
        if target.id in {parameter.name for parameter in parameters}:
            raise terms.error(
                ParameterError, "runs.error_parameter_twice", notebook=notebook, number=node.lineno, name=target.id
            )
        parameters.append(_parameter(target.id, default, comments.get(node.end_lineno, "")))
    return parameters


def _parameter(name: str, default: Any, comment: str) -> Parameter:
    braces = re.search(r"\{([^}]*)\}", comment)
    listed = re.split("[,，、]", braces.group(1)) if braces else ()
    allowed = tuple(_choice(value.strip(), default) for value in listed)
    plain = comment.replace(braces.group(0), "").strip() if braces else comment
    help_zh, _, help_en = plain.partition(" / ")
    return Parameter(name, default, help_zh.strip(), help_en.strip(), allowed)


def _choice(written: str, default: Any) -> Any:
    """One of the values listed in braces, in the type of the default or of a list's items."""
    like = next(iter(default), None) if isinstance(default, list | tuple) else default
    if isinstance(like, str):
        return written
    try:
        return ast.literal_eval(written.capitalize() if written in ("true", "false", "none") else written)
    except (ValueError, SyntaxError):
        return written
