"""A new question: a notebook that already has its sections and runs as it stands, and its entry in the plan."""

import json
import re
import tomllib
from pathlib import Path

from institute_lib import paths, terms
from institute_lib.errors import ParameterError
from institute_lib.runs import places
from institute_lib.runs.plan import load_plan

TEMPLATE = Path(__file__).parent / "template.ipynb"
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
CHINESE = re.compile(r"[\u3400-\u9fff]")
LONGEST_TITLE = 60
WRONG = re.compile(rf'["\r\n]|.{{{LONGEST_TITLE + 1}}}')


def new_notebook(title: str, *, name: str = "") -> Path:
    """Write `notebooks/NN_name.ipynb` from the template and add it to the plan.

    Args:
        title: "中文题目 / English title"; with one language alone the other is left to be filled in.
        name: lower-case letters, digits and underscores; by default from the English title.

    Returns:
        The notebook's path; its number is the first one after those that are there.

    Raises:
        ParameterError: no title, a name that is not allowed or is taken, or no plan; nothing was written.
    """
    zh, en = _titles(title)
    name = name or "_".join(re.findall(r"[a-z0-9]+", en.lower()))[:40].strip("_") or "question"
    if not NAME.fullmatch(name):
        raise terms.error(ParameterError, "runs.error_name_form", name=name)
    plan = load_plan()
    present = {path.stem for path in paths.notebooks().glob("*.ipynb")} | {one.name for one in plan.notebooks}
    taken = sorted(stem for stem in present if stem.partition("_")[2] == name)
    if taken:
        raise terms.error(ParameterError, "runs.error_name_taken", name=name, taken=taken[0])
    numbers = [int(stem[:2]) for stem in present if re.match(r"\d\d_", stem)]
    stem = f"{max(numbers, default=0) + 1:02d}_{name}"
    en = en or f"Question {stem[:2]}"
    own = paths.own_plan() if plan.path == paths.plan() else plan.path
    entry = _plan_with(own, stem)
    path = paths.notebooks() / f"{stem}.ipynb"
    fields = {"NOTEBOOK_NAME": stem, "NUMBER": stem[:2], "TITLE_ZH": zh, "TITLE_EN": en}
    places.write_whole(path, _filled(TEMPLATE.read_text(encoding="utf-8"), fields))
    places.write_whole(own, entry)
    return path


def _titles(title: str) -> tuple[str, str]:
    """The Chinese and the English title; what is not given is a prompt, or empty."""
    parts = [part.strip() for part in str(title).split(" / ")]
    if not parts[0] or len(parts) > 2 or any(WRONG.search(part) for part in parts):
        raise terms.error(ParameterError, "runs.error_title", title=title, n=LONGEST_TITLE)
    if len(parts) == 2:
        return parts[0], parts[1]
    chinese = bool(CHINESE.search(parts[0]))
    return (parts[0], "") if chinese else (terms.text("runs.title_wanted", "zh", title=parts[0]), parts[0])


def _plan_with(path: Path, stem: str) -> str:
    """The plan's text with one more notebook, its comments kept."""
    before = path.read_text(encoding="utf-8-sig") if path.is_file() else terms.text("runs.own_plan")
    text = before.rstrip("\n") + f"\n\n[notebooks.{stem}]\n"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise terms.error(ParameterError, "runs.error_append", file=path.name, stem=stem, reason=error) from error
    return text


def _filled(template: str, fields: dict[str, str]) -> str:
    """The template with its fields filled in; they stand inside JSON strings."""
    for field, value in fields.items():
        template = template.replace(field, json.dumps(value, ensure_ascii=False)[1:-1].replace("\\\\", "/"))
    return template
