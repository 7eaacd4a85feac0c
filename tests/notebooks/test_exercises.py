"""The students' exercises: open as they are kept, solved by the method that they teach, and never by a wrong answer."""

from pathlib import Path

import nbformat
import pytest

from institute_lib import areas, demo, paths, policy, retention, tables, talent, terms
from institute_lib.errors import ParameterError

FOLDER = Path(__file__).parents[2] / "notebooks" / "exercises"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NANTONG, SUZHOU = ([district.code for district in areas.districts(city)] for city in ("320600", "320500"))
NO_PEOPLE = {"kind", "field", "contract", "education", "gender"}
WRONG = {
    "late_district": {"district": "320612", "quarter": "2020Q1"},
    "service_signal": {"district": "320612", "field": "drug", "quarter": "2020Q1"},
    "passes_before": (2622, 2622),
    "pilot_effect": (0.5, 0.6),
    "null_drivers": ["gender", "contract"],
    "weak_subject": {"district": "320613", "subject": "practice"},
}


@pytest.fixture
def home(demo_home, monkeypatch):
    monkeypatch.setenv("INSTITUTE_HOME", str(demo_home))
    return demo_home


def late_district():
    services = tables.load("services")
    here = services[services["district"].isin(NANTONG)]
    present = here.groupby("quarter")["district"].unique()
    return next(
        {"district": code, "quarter": quarter}
        for quarter, codes in present.items()
        for code in NANTONG
        if code not in set(codes)
    )


def service_signal():
    services = tables.load("services")
    found = talent.signals(services[services["district"].isin(NANTONG)])
    outside = (found["rate"] - found["centre"]).abs() / (found["upper"] - found["centre"])
    return found.loc[outside.idxmax(), ["district", "field", "quarter"]].to_dict()


def passes_before():
    facts = areas.reference("published_facts").set_index(["area", "indicator"])["value"]
    passes, growth = facts["320600", "exam_passed"], facts["320600", "exam_passed_growth"]
    possible = [n for n in range(1, int(passes)) if (growth - 0.5) <= 100 * (passes / n - 1) < (growth + 0.5)]
    return min(possible), max(possible)


def pilot_effect():
    panel = tables.load("district_panel")
    chosen = policy.specify(tables.load("policies"), policy_id="chongchuan_pilot", outcome="certified_share")
    untreated = panel.loc[panel["treated_from"].isna(), "district"].unique()
    donors = [code for code in untreated if areas.city_of(code) not in ("320600", "320500")]
    return policy.evaluate(panel, chosen, donors=donors).effects["certified_share"].ci


def null_drivers():
    workers = tables.load("workers")
    here = workers[workers["district"].isin(SUZHOU)]
    rows = retention.person_quarters(here, until="2025Q4", changes=tables.load("worker_changes"))
    evidence = {}
    for one in ("kind", "field"):
        model = retention.hazard(rows, event="left", drivers=[one, "contract", "education", "gender"])
        found = model.coefficients[model.coefficients["term"] != "intercept"].groupby("term")["p_value"]
        evidence |= (found.min() * found.size()).to_dict()  # Bonferroni over the levels of each
    return sorted(evidence, key=evidence.get)[-2:]  # two there are: those that the data speak least against


def weak_subject():
    exams = tables.load("exams")
    assistants = exams[exams["district"].isin(NANTONG) & (exams["level"] == "assistant")]
    found = talent.subjects_failed(assistants, by=("district",))
    whole = talent.subjects_failed(assistants).set_index("subject")["share"]
    excess = found["share"] - found["subject"].map(whole)
    return found.loc[excess.idxmax(), ["district", "subject"]].to_dict()


SOLUTIONS = {
    function.__name__: function
    for function in (late_district, service_signal, passes_before, pilot_effect, null_drivers, weak_subject)
}


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def exercise_of(path):
    return cells(path, "code")[-1].source.split('"')[1]


def run(path, answer=None):
    """The verdict of the notebook's last cell, its answer replaced where one is given."""
    names = {}
    *steps, last = cells(path, "code")
    for cell in steps:
        exec(compile(cell.source, path.stem, "exec"), names)
        if answer is not None and "answer" in cell.metadata.get("tags", ()):
            names["answer"] = answer
    exec(compile(f"verdict = {last.source}", path.stem, "exec"), names)
    return names["verdict"]


def test_there_is_an_exercise_for_every_planted_truth_that_is_checked():
    assert {exercise_of(path) for path in NOTEBOOKS} == set(demo.EXERCISES) == set(SOLUTIONS) == set(WRONG)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_exercise_is_open_as_it_is_kept_and_solved_by_its_method(path, home):
    name = exercise_of(path)
    assert run(path).state == "open"
    assert run(path, SOLUTIONS[name]()).right
    assert run(path, WRONG[name]).state == "wrong"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_exercise_is_kept_clean_and_in_both_languages(path):
    for cell in cells(path, "code"):
        assert cell.outputs == []
        assert cell.execution_count is None
        assert len(cell.source.splitlines()) <= 15
    for cell in cells(path, "markdown")[1:]:
        assert "<!-- en -->" in cell.source


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_wrong_answer_gets_a_hint_and_not_the_truth(name, language, demo_home):
    folder = demo_home / "data" / "demo"
    said = demo.check(name, WRONG[name], folder=folder).summary(language)
    assert terms.text(f"demo.{name}_hint", language) in said
    planted = demo.truth(folder)
    for key in ("not_reported", "service_signal", "weak_subject"):
        assert str(planted[key]["district"]) not in said


def test_an_answer_of_another_shape_is_refused(demo_home):
    folder = demo_home / "data" / "demo"
    for name, answer, message in (
        ("service_signal", {"district": "320682"}, "field"),
        ("pilot_effect", 0.05, "two numbers"),
        ("null_drivers", "kind", "list"),
        ("service_signals", {}, "did you mean 'service_signal'"),
    ):
        with pytest.raises(ParameterError, match=message):
            demo.check(name, answer, folder=folder)
    assert paths.demo()  # the project's own registers are the default
