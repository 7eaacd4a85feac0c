"""Partial pooling: districts lean on the city as far as their own data are few."""

import numpy as np
import pandas as pd
import pytest

from institute_lib import retention
from institute_lib.errors import DataError, ParameterError

DISTRICTS = [f"32060{i}" for i in range(8)]
SHARES = [0.4, 0.25, 0.15, 0.1, 0.05, 0.03, 0.015, 0.005]


def simulate(seed: int, spread: float, n: int = 12_000) -> tuple[pd.DataFrame, pd.Series]:
    """Worker-quarters of districts whose level of leaving differs by `spread`, and the districts' levels."""
    draw = np.random.default_rng(seed)
    level = pd.Series(draw.normal(0, spread, len(DISTRICTS)), DISTRICTS)
    frame = pd.DataFrame(
        {
            "district": draw.choice(DISTRICTS, n, p=SHARES),
            "certificate": draw.choice(["no", "yes"], n),
            "band": draw.choice(["a", "b", "c"], n),
        }
    )
    eta = -2.7 + frame["district"].map(level) - 0.5 * (frame["certificate"] == "yes") + 0.4 * (frame["band"] == "c")
    return frame.assign(left=(draw.random(n) < 1 / (1 + np.exp(-eta))).astype(int)), level


def fit(rows: pd.DataFrame) -> retention.PooledModels:
    return retention.pooled(rows, event="left", drivers=["certificate", "band"])


@pytest.fixture(scope="module")
def pooled() -> retention.PooledModels:
    return fit(simulate(1, 0.5)[0])


def test_pooled_levels_are_nearer_the_truth_than_separate_or_common_ones():
    from scipy.special import logit

    errors = {"pooled": [], "separate": [], "common": []}
    for seed in range(8):
        rows, level = simulate(seed, 0.4)
        result = fit(rows)
        truth = level - 2.7
        mine = pd.Series({name: model.coefficients["estimate"].iloc[0] for name, model in result.models.items()})
        offset = result.city.fit.beta[1:] @ np.array([0.5, 0, 1 / 3])
        rates = rows.groupby("district")["left"].agg(["sum", "size"])
        alone = logit((rates["sum"] + 0.5) / (rates["size"] + 1)) - offset
        errors["pooled"].append(((mine - truth) ** 2).mean())
        errors["separate"].append(((alone - truth) ** 2).mean())
        errors["common"].append(((result.city.fit.beta[0] - truth) ** 2).mean())
    means = {name: np.mean(values) for name, values in errors.items()}
    assert means["pooled"] < 0.9 * means["separate"]
    assert means["pooled"] < 0.5 * means["common"]


def test_where_districts_do_not_differ_each_model_is_nearly_the_citys():
    result = fit(simulate(3, 0.0)[0])
    assert result.spread.set_index("term").at["intercept", "tau"] < 0.12
    for model in result.models.values():
        np.testing.assert_allclose(model.coefficients["estimate"], result.city.coefficients["estimate"], atol=0.2)


def test_the_smallest_district_leans_most_and_the_largest_stands_alone(pooled):
    own = pooled.table.set_index("district")["own"]
    assert own[DISTRICTS[0]] > 0.95
    assert own[DISTRICTS[-1]] < 0.8
    assert own.is_monotonic_decreasing
    assert pooled.table.set_index("district").at[DISTRICTS[-1], "enough"] is np.False_


def test_a_districts_estimates_maximise_its_penalised_likelihood(pooled):
    from scipy.optimize import minimize

    rows = simulate(1, 0.5)[0].query("district == @DISTRICTS[5]")
    x = np.column_stack([np.ones(len(rows)), rows["certificate"] == "yes", rows["band"] == "b", rows["band"] == "c"])
    x = x.astype(float)
    tau = pooled.spread.set_index("term")["tau"].loc[["intercept", "certificate", "band", "band"]].to_numpy()
    beta = pooled.mean["estimate"].to_numpy()

    def negative(b: np.ndarray) -> float:
        eta = x @ b
        return float(np.logaddexp(0, eta).sum() - rows["left"] @ eta + 0.5 * (((b - beta) / tau) ** 2).sum())

    best = minimize(negative, beta, method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(pooled.model(DISTRICTS[5]).coefficients["estimate"], best.x, atol=2e-5)


def test_a_district_without_leavers_at_a_level_still_has_estimates():
    rows = simulate(4, 0.3)[0]
    rows.loc[(rows["district"] == DISTRICTS[-1]) & (rows["band"] == "c"), "left"] = 0
    model = fit(rows).model(DISTRICTS[-1])
    assert np.isfinite(model.coefficients[["estimate", "se"]]).all(axis=None)
    assert np.isfinite(model.marginal_effects[["estimate", "se"]]).all(axis=None)
    assert model.levels.set_index(["term", "level"]).at[("band", "c"), "events"] == 0


def test_a_pooled_model_says_what_it_leans_on(pooled):
    assert "lean on all districts" in pooled.model(DISTRICTS[0]).warnings[0]


def test_too_few_districts_and_unknown_ones_are_refused(pooled):
    rows = simulate(1, 0.5)[0].query("district in @DISTRICTS[:2]")
    with pytest.raises(DataError, match="three districts"):
        fit(rows)
    with pytest.raises(ParameterError, match="'320699'"):
        pooled.model("320699")


def test_an_area_shows_the_model_that_its_data_can_bear():
    rows = simulate(1, 0.5)[0]
    bases = {
        name: retention.local(rows, area=name, event="left", drivers=["certificate", "band"]) for name in DISTRICTS
    }
    assert bases[DISTRICTS[0]].basis == "own"
    assert bases[DISTRICTS[0]].model.n_rows == (rows["district"] == DISTRICTS[0]).sum()
    assert bases[DISTRICTS[-1]].basis == "city"
    assert bases[DISTRICTS[-1]].model.n_rows == len(rows)
    middle = next(one for one in bases.values() if one.basis == "pooled")
    assert middle.n_events < middle.needed
    everywhere = retention.local(rows, area=DISTRICTS, event="left", drivers=["certificate", "band"])
    assert everywhere.basis == "own"
    pd.testing.assert_frame_equal(
        everywhere.model.to_frame(), retention.hazard(rows, event="left", drivers=["certificate", "band"]).coefficients
    )


def test_drivers_of_a_small_area_are_judged_where_its_model_leans():
    rows = simulate(4, 0.3)[0].assign(subsidy=lambda frame: np.where(frame["district"] == DISTRICTS[0], "yes", "no"))
    here = rows[rows["district"] == DISTRICTS[-1]].assign(left=0)
    alone, _ = retention.usable_drivers(here, event="left", drivers=["band", "subsidy"])
    leaning, why = retention.usable_drivers(here, event="left", drivers=["band", "subsidy"], within=rows)
    assert alone == ()
    assert leaning == ("band",)
    assert set(why) == {"subsidy"}
