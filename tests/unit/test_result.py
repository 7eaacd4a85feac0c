"""A result knows its keys, its units, who stands behind it and what it was read from."""

import pandas as pd
import pytest

from institute_lib import areas, sharing
from institute_lib.errors import DisclosureError, ParameterError
from institute_lib.result import Measure, Provenance, Result, job_provenance, provenance_of, with_provenance
from institute_lib.sharing import Read

WORKERS = Read("tables", "workers", "2025-12-31", source="register", personal=True)
FACTS = Read("reference", "published_facts", source="published")


@pytest.fixture(autouse=True)
def _fresh_job():
    sharing.forget_reads()
    yield
    sharing.forget_reads()


def registered() -> pd.DataFrame:
    sharing.note_read(WORKERS)
    return with_provenance(pd.DataFrame({"district": ["320613", "320685"], "n": [40, 60]}), Provenance([WORKERS]))


@pytest.mark.parametrize("unit", ["share", "per_10000", "points", "yuan"])
def test_a_share_or_money_that_does_not_say_of_what_is_refused(unit):
    with pytest.raises(ParameterError, match="of="):
        Measure("x", unit)


def test_a_unit_that_does_not_exist_is_refused_with_the_nearest():
    with pytest.raises(ParameterError, match="did you mean 'share'"):
        Measure("x", "shares", of=("a", "b"))


def test_a_selection_of_rows_and_columns_keeps_what_it_was_read_from():
    frame = registered()
    assert provenance_of(frame[frame["n"] > 50]) == provenance_of(frame[["n"]]) == Provenance([WORKERS])


def test_a_table_with_columns_that_it_was_not_read_with_is_everything_the_job_has_read():
    facts = areas.reference("towns")
    registered()
    mixed = facts.assign(pay=1.0)
    assert provenance_of(facts).published
    assert provenance_of(mixed) == job_provenance()
    assert provenance_of(mixed).personal


def test_a_groupby_of_ones_own_is_everything_the_job_has_read():
    own = registered().groupby("district").size().rename("staff").reset_index()
    assert provenance_of(own) == Provenance([WORKERS])


def test_a_typed_table_of_which_nothing_is_known_is_personal_and_cited_as_unknown():
    known = provenance_of(pd.DataFrame({"x": [1]}))
    assert known.unknown
    assert known.personal
    assert not known.published
    assert known.cite("zh") == "来源不明"


def test_what_a_figure_rests_on_decides_demo_and_published():
    demo = Read("tables", "village_population", source="demo")
    assert (Provenance([FACTS]) | Provenance([demo])).demo
    assert not (Provenance([FACTS]) | Provenance([demo])).published
    assert Provenance([FACTS]).published


def test_the_divisions_that_name_an_area_are_no_source_of_its_figures():
    assert Provenance([Read("reference", "districts", source="published"), FACTS]) == Provenance([FACTS])


def test_a_table_of_persons_without_their_number_is_refused():
    with pytest.raises(DisclosureError, match="persons"):
        Result(registered(), ("district",), (Measure("n", "count"),), None, Provenance([WORKERS]))


def test_published_rows_stand_beside_register_rows_each_with_its_own_source():
    result = Result(
        pd.DataFrame({"area": ["苏州", "南通"], "n": [31110, 4321]}),
        ("area",),
        (Measure("n", "count"),),
        "n",
        (Provenance([FACTS]), Provenance([WORKERS])),
    )
    assert [one.published for one in result.row_provenance()] == [True, False]
    assert result.whole_provenance == Provenance([FACTS, WORKERS])


def test_two_rows_with_one_key_are_refused():
    frame = pd.DataFrame({"district": ["320613", "320613"], "n": [1, 2]})
    with pytest.raises(ParameterError, match="two rows"):
        Result(frame, ("district",), (Measure("n", "count"),), "n", Provenance([WORKERS]))


def test_a_result_without_keys_has_one_row():
    measure = [Measure("stations", "count", counts="stations")]
    assert len(Result(pd.DataFrame({"stations": [4]}), (), measure, None, Provenance([FACTS])).frame) == 1
    with pytest.raises(ParameterError, match="two rows have the key"):
        Result(pd.DataFrame({"stations": [4, 5]}), (), measure, None, Provenance([FACTS]))
