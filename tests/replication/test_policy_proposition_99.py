"""California's Proposition 99: Arkhangelsky et al. (2021), table 1; outcomes of Abadie, Diamond and Hainmueller."""

import importlib.util
import time
from pathlib import Path

import pytest

from institute_lib import policy

spec = importlib.util.spec_from_file_location("policy_data", Path(__file__).with_name("policy_data.py"))
published = importlib.util.module_from_spec(spec)
spec.loader.exec_module(published)


@pytest.fixture(scope="module")
def states():
    return published.cigarettes()


def evaluate(states, method):
    columns = {"outcome": "packs", "unit": "state", "period": "year"}
    return policy.pilot(states, **columns, treated_unit="California", start=1989, method=method)


@pytest.mark.parametrize(
    ("method", "estimate", "tolerance", "error"),
    # The table's errors come from placebos drawn at random; here every donor is a placebo once.
    [("synthetic_did", -15.6, 0.05, 8.4), ("did", -27.3, 0.05, 17.7), ("synthetic_control", -19.6, 0.15, 9.9)],
)
def test_proposition_99_table_1(states, method, estimate, tolerance, error):
    effect = evaluate(states, method)
    assert effect.att == pytest.approx(estimate, abs=tolerance)
    assert effect.se == pytest.approx(error, abs=1.5)
    assert effect.n_donors == 38
    assert effect.smallest_p == pytest.approx(1 / 39)


def test_proposition_99_synthetic_control_leans_on_the_published_states(states):
    weights = evaluate(states, "synthetic_control").weights
    assert set(weights["unit"][:4]) == {"Utah", "Montana", "Nevada", "Connecticut"}


def test_proposition_99_weighs_the_years_just_before_the_law(states):
    times = evaluate(states, "synthetic_did").time_weights.set_index("period")["weight"]
    assert times[[1986, 1987, 1988]].sum() == pytest.approx(1, abs=0.001)


def test_all_placebos_of_39_states_take_less_than_five_seconds(states):
    began = time.process_time()
    evaluate(states, "synthetic_did")
    assert time.process_time() - began < 5
