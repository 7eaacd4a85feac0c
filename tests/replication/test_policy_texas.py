"""Texas prisons (Cunningham 2021, Causal Inference: The Mixtape, ch. 10): synthetic control on predictors.

The published run of the R package Synth (predictors poverty, income; bmprison 1988 and 1990–1992, alcohol 1990,
aidscapita 1990–1991, black 1990–1992, perc1519 1990; 1985–1993 before the start) prints the importance of predictors,
the donor weights and the error before the start.
"""

import numpy as np
import pytest
from causaldata import texas

from institute_lib import policy
from institute_lib.errors import EstimationError, ParameterError
from institute_lib.policy.pilots import read_design
from institute_lib.policy.predictors import nearest_mixture, predictor_weights

PREDICTORS = (
    "poverty",
    "income",
    ("bmprison", [1988, 1990, 1991, 1992]),
    ("alcohol", [1990]),
    ("aidscapita", [1990, 1991]),
    ("black", [1990, 1991, 1992]),
    ("perc1519", [1990]),
)
IMPORTANCE = (0.07154915, 0.02736536, 0.8923763, 5.5e-09, 2.42e-08, 0.008709159, 7.6e-09)
WEIGHTS = {"California": 0.3414498, "Florida": 0.2981352, "Louisiana": 0.3599649}
OTHERS = ("Arizona", "Colorado", "Georgia", "Illinois", "Michigan", "Mississippi", "New York", "Ohio")
ERROR = 2_015_107
NAMES = {"outcome": "bmprison", "unit": "state", "period": "year", "start": 1994, "method": "synthetic_control"}


@pytest.fixture(scope="module")
def states():
    return texas.load_pandas().data


@pytest.fixture(scope="module")
def design(states):
    return read_design(states, **NAMES, treated_units=["Texas"], donors=None, predictors=PREDICTORS)


def test_texas_donor_weights_under_the_published_importance_of_predictors(design):
    own, donors = design.traits(-1, range(len(design.donors)))
    found = nearest_mixture(own, donors, np.array(IMPORTANCE))
    weights = dict(zip(design.donor_units, found, strict=True))
    assert {state: weights[state] for state in WEIGHTS} == pytest.approx(WEIGHTS, abs=0.002)
    assert sum(weights[state] for state in WEIGHTS) == pytest.approx(1, abs=1e-6)
    gap = design.treated[0, : design.n_pre] - found @ design.donors[:, : design.n_pre]
    assert np.mean(gap**2) == pytest.approx(ERROR, rel=0.005)


def test_texas_importance_that_is_searched_for_tracks_texas_no_worse_than_the_published(states):
    effect = policy.pilot(states, **NAMES, treated_unit="Texas", donors=[*WEIGHTS, *OTHERS], predictors=PREDICTORS)
    assert effect.pre_rmspe**2 <= ERROR
    assert effect.pre_rmspe >= policy.pilot(states, **NAMES, treated_unit="Texas", donors=[*WEIGHTS, *OTHERS]).pre_rmspe
    assert effect.weights["weight"].sum() == pytest.approx(1)
    assert effect.att > 20_000


def test_texas_leans_on_the_published_states_when_all_may_be_donors(design):
    own, donors = design.traits(-1, range(len(design.donors)))
    path, before = design.treated[0, : design.n_pre], design.donors[:, : design.n_pre].T
    found = predictor_weights(own, donors, before, path)
    assert np.mean((path - before @ found) ** 2) <= ERROR
    weights = dict(zip(design.donor_units, found, strict=True))
    assert {state: weights[state] for state in WEIGHTS} == pytest.approx(WEIGHTS, abs=0.02)


def test_the_search_finds_what_a_grid_finds_where_two_predictors_leave_one_choice(design):
    own, donors = design.traits(-1, range(len(design.donors)))
    path, before = design.treated[0, : design.n_pre], design.donors[:, : design.n_pre].T
    for pair in ([0, 1], [1, 2], [0, 5]):
        some, others = own[pair], donors[pair]
        shares = np.exp(np.linspace(np.log(1e-9), 0, 400))
        grid = [np.array(one) for share in shares for one in ((share, 1.0), (1.0, share))]
        least = min(np.mean((path - before @ nearest_mixture(some, others, one)) ** 2) for one in grid)
        found = predictor_weights(some, others, before, path)
        assert np.mean((path - before @ found) ** 2) <= least * 1.001


def test_of_mixtures_that_match_every_predictor_the_best_on_outcomes_is_taken():
    rng = np.random.default_rng(4)
    donors, before = rng.normal(size=(2, 12)), rng.normal(size=(8, 12))
    true = np.r_[np.full(4, 0.25), np.zeros(8)]
    found = predictor_weights(donors @ true, donors, before, before @ true)
    assert found == pytest.approx(true, abs=1e-5)


@pytest.mark.parametrize(
    ("predictors", "method", "error", "words"),
    [
        (["incomes"], "synthetic_control", ParameterError, "did you mean 'income'"),
        (["income"], "synthetic_did", ParameterError, "only method='synthetic_control'"),
        ([("income", [1994])], "synthetic_control", EstimationError, "1994: a predictor must lie before the start"),
        (
            [("income", [1960])],
            "synthetic_control",
            EstimationError,
            "income has no value before the start for Alabama",
        ),
    ],
)
def test_predictors_that_cannot_be_used_are_refused(states, predictors, method, error, words):
    with pytest.raises(error, match=words):
        policy.pilot(states, **NAMES | {"method": method}, treated_unit="Texas", predictors=predictors)
