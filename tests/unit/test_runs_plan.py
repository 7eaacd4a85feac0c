import pytest

from institute_lib import paths
from institute_lib.errors import ParameterError
from institute_lib.runs.plan import Job, load_plan

PLAN = """
areas = ["南通市", "320612", "320613"]
[notebooks.01_first]
[notebooks.06_last]
after = ["01_first"]
reads = "peers"
"""


def plan_file(tmp_path, text):
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_areas_may_be_written_as_names_and_become_codes(tmp_path):
    assert load_plan(plan_file(tmp_path, PLAN)).areas == ("320600", "320612", "320613")


def test_the_overview_of_a_district_reads_the_results_of_its_peers_and_its_city(tmp_path):
    reads = load_plan(plan_file(tmp_path, PLAN)).reads(Job("06_last", "320613"))
    assert set(reads) == {Job("01_first", area) for area in ("320600", "320612", "320613")}


def test_a_notebook_that_reads_nothing_waits_for_nothing(tmp_path):
    assert load_plan(plan_file(tmp_path, PLAN)).reads(Job("01_first", "320613")) == ()


def test_selecting_areas_and_notebooks_takes_names_codes_and_file_names(tmp_path):
    plan = load_plan(plan_file(tmp_path, PLAN))
    assert plan.select(["崇川区"], ["01_first.ipynb"]) == (Job("01_first", "320613"),)


@pytest.mark.parametrize(
    ("areas", "notebooks", "named"),
    [
        (["320506"], None, "320506"),
        (["崇川去"], None, "崇川区"),
        (None, ["06_lst"], "did you mean '06_last'"),
    ],
)
def test_what_the_plan_does_not_hold_is_refused_with_the_nearest_name(tmp_path, areas, notebooks, named):
    with pytest.raises(ParameterError, match=named):
        load_plan(plan_file(tmp_path, PLAN)).select(areas, notebooks)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("area = ['320600']\n" + PLAN, "did you mean 'areas'"),
        (PLAN + "reads_ = 1", "did you mean 'reads'"),
        (PLAN.replace('"peers"', '"pears"'), "did you mean 'peers'"),
        (PLAN.replace('after = ["01_first"]', 'after = ["01_frist"]'), "did you mean '01_first'"),
        (PLAN + "cell_seconds = 0", "cell_seconds = 0"),
        (PLAN.replace('["南通市", "320612", "320613"]', "[]"), "'areas' is missing"),
        ("areas = [", "not valid TOML"),
        ("language = 'de'\n" + PLAN, "language 'de'"),
        ("word = 'yes'\n" + PLAN, "word = 'yes'; allowed: true, false"),
    ],
)
def test_a_plan_with_a_mistake_is_refused_by_name(tmp_path, text, named):
    with pytest.raises(ParameterError, match=named):
        load_plan(plan_file(tmp_path, text))


def test_notebooks_that_wait_for_each_other_are_refused(tmp_path):
    circle = PLAN.replace("[notebooks.01_first]", '[notebooks.01_first]\nafter = ["06_last"]')
    with pytest.raises(ParameterError, match="wait for each other"):
        load_plan(plan_file(tmp_path, circle))


def test_a_plan_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ParameterError, match="no plan at"):
        load_plan(tmp_path / "absent.toml")


def test_the_plan_of_the_project_names_every_area_of_nantong():
    from institute_lib import areas, paths

    plan = load_plan(paths.PACKAGE.parent / "papermill_runs" / "quarterly.toml")
    assert set(plan.areas) == {"320600", *(district.code for district in areas.districts("320600"))}


ONE_AREA = PLAN + "[notebooks.02_second]\nareas = ['南通市', '崇川区']\n"


def test_a_notebook_that_names_areas_runs_for_these_alone_and_is_read_there_alone(tmp_path):
    text = ONE_AREA.replace('after = ["01_first"]', 'after = ["01_first", "02_second"]')
    plan = load_plan(plan_file(tmp_path, text))
    second = [Job("02_second", "320600"), Job("02_second", "320613")]
    assert [job for job in plan.jobs() if job.notebook == "02_second"] == second
    assert len(plan.jobs()) == 3 * 2 + 2
    assert [job for job in plan.reads(Job("06_last", "320612")) if job.notebook == "02_second"] == second[::-1]
    assert [job for job in plan.readable("320612") if job.notebook == "02_second"] == second[::-1]


def test_a_notebook_asked_for_an_area_that_it_does_not_run_for_is_refused(tmp_path):
    plan = load_plan(plan_file(tmp_path, ONE_AREA))
    with pytest.raises(ParameterError, match="areas 320612: the plan runs 02_second for 320600, 320613 alone"):
        plan.select(["320612"], ["02_second"])
    assert plan.select(["320612", "320613"], ["02_second"]) == (Job("02_second", "320613"),)


def test_a_notebook_may_not_name_an_area_outside_the_plan(tmp_path):
    with pytest.raises(ParameterError, match=r"\[notebooks.02_second\]: areas = '320685'"):
        load_plan(plan_file(tmp_path, ONE_AREA.replace("崇川区", "海安市")))


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A project whose plan came with the workbench."""
    monkeypatch.setenv("INSTITUTE_HOME", str(tmp_path))
    paths.runs().mkdir()
    paths.plan().write_text(PLAN, encoding="utf-8")


def test_the_institutes_own_plan_changes_adds_and_leaves_out(shipped):
    own = (
        "\ufeffareas = ['崇川区']\nwithout = ['02_second']\n[notify]\nmail = 'a@b'\n"
        "[notebooks.01_first]\ncell_seconds = 9\n[notebooks.07_own]\n"
    )
    text = PLAN.replace("[notebooks.01_first]", "[notebooks.02_second]\n[notebooks.01_first]")
    paths.plan().write_text(text, encoding="utf-8-sig")
    paths.own_plan().write_text(own, encoding="utf-8")
    plan = load_plan()
    assert plan.areas == ("320613",)
    assert [one.name for one in plan.notebooks] == ["01_first", "06_last", "07_own"]
    assert plan.notebook("01_first").cell_seconds == 9
    assert plan.notify == {"mail": "a@b"}


def test_the_institutes_own_plan_may_leave_out_some_of_a_notebooks_areas_but_not_all(shipped):
    paths.plan().write_text(ONE_AREA, encoding="utf-8")
    paths.own_plan().write_text("areas = ['320612', '320613']", encoding="utf-8")
    assert load_plan().notebook("02_second").areas == ("320613",)
    paths.own_plan().write_text("areas = ['320612']", encoding="utf-8")
    with pytest.raises(ParameterError, match="none of its areas"):
        load_plan()


@pytest.mark.parametrize(
    ("own", "named"),
    [
        ("without = ['01_frist']", "did you mean '01_first'"),
        ("area = ['320613']", "unknown key 'area'"),
        ("[notify]\nsms = '1'", "unknown key 'sms'"),
        ("areas = ['江苏省']", "no city or district"),
        ("[notebooks.07_own]\n[notebooks.07_own]", "07_own"),
        ("[notebooks.07_own]\n[notebooks.'07_own.ipynb']", "'07_own' is named twice"),
    ],
)
def test_a_mistake_in_the_institutes_own_plan_is_refused_by_name(shipped, own, named):
    paths.own_plan().write_text(own, encoding="utf-8")
    with pytest.raises(ParameterError, match=named):
        load_plan()
