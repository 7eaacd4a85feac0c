"""Least squares with effects: pyfixest's numbers, and what stands in the way of an estimate."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyfixest
import pytest

from institute_lib import policy
from institute_lib.errors import DataError, EstimationError, ParameterError

WITHIN = {"unit": "unit", "period": "year"}


@pytest.fixture(scope="module")
def panel():
    """Forty units over ten years, a tenth of the rows missing, one unit seen once; ten cities; two kinds."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"unit": np.repeat(np.arange(40), 10), "year": np.tile(np.arange(10), 40)})
    table["city"], table["kind"] = table["unit"] // 4, table["unit"] % 2
    table["x"], table["w"] = rng.normal(size=400), rng.uniform(1, 2, 400)
    table["z"], table["level"] = table["x"] + rng.normal(size=400), rng.integers(0, 3, 400)
    shocks = rng.normal(size=(10, 10))[table["city"], table["year"]]
    table["y"] = table["x"] + table["unit"] % 7 + 0.3 * table["year"] + shocks + rng.normal(size=400)
    once = table[(table["unit"] == 3) & (table["year"] == 0)]
    return pd.concat([table[table["unit"] != 3].sample(frac=0.9, random_state=1), once], ignore_index=True)


@pytest.mark.parametrize(
    ("formula", "effects", "ours", "errors", "weights"),  # the effects and errors as pyfixest writes them
    [
        ("y ~ x + z", "unit + year", WITHIN, {"CRV1": "unit"}, None),
        ("y ~ x + z", "unit + year", WITHIN | {"cluster": "city"}, {"CRV1": "city"}, "w"),
        ("y ~ x + z", "unit + year", WITHIN | {"cluster": ["city", "year"]}, {"CRV1": "city+year"}, None),
        ("y ~ x + z", "unit + year", WITHIN | {"cluster": ["unit", "year"]}, {"CRV1": "unit+year"}, "w"),
        ("y ~ x*z + I(x**2)", "unit + year", WITHIN | {"errors": "robust"}, "hetero", "w"),
        ("y ~ x + C(level)", "unit + year", WITHIN | {"errors": "classical"}, "iid", None),
        ("y ~ x + z", "", {"cluster": "city"}, {"CRV1": "city"}, None),
        ("y ~ x + z", "", {}, "hetero", None),
        ("y ~ x", "unit + kind^year", {"unit": "unit", "effects": [("kind", "year")]}, {"CRV1": "unit"}, None),
        (
            "y ~ x",
            "unit + kind^year + level",
            {"unit": "unit", "effects": [("kind", "year"), "level"], "cluster": "city"},
            {"CRV1": "city"},
            None,
        ),
        ("log(y**2) ~ year + I(year**2)", "unit", {"unit": "unit"}, {"CRV1": "unit"}, None),
    ],
)
def test_every_number_is_pyfixests(panel, formula, effects, ours, errors, weights):  # noqa: PLR0917
    theirs = pyfixest.feols(f"{formula} | {effects}" if effects else formula, panel, vcov=errors, weights=weights)
    found = policy.regression(panel, formula, weights=weights, **ours)
    table = found.coefficients
    assert table["estimate"].to_numpy() == pytest.approx(theirs.coef().to_numpy(), rel=1e-7)
    assert table["se"].to_numpy() == pytest.approx(theirs.se().to_numpy(), rel=1e-7)
    assert table["p_value"].to_numpy() == pytest.approx(theirs.pvalue().to_numpy(), rel=1e-5)
    assert table[["ci_low", "ci_high"]].to_numpy() == pytest.approx(theirs.confint().to_numpy(), rel=1e-6)
    assert found.n_rows == theirs._N


def test_a_triple_difference_is_the_difference_of_two(panel):
    """Kinds in treated and other cities, before and after, balanced: eight means."""
    rng = np.random.default_rng(2)
    cells = pd.MultiIndex.from_product([range(12), [0, 1], range(6)], names=["city", "kind", "year"]).to_frame(
        index=False
    )
    cells["on"] = ((cells["city"] < 6) & (cells["kind"] == 1) & (cells["year"] >= 3)).astype(int)
    cells["y"] = rng.normal(size=len(cells)) + 2 * cells["on"]
    found = policy.regression(
        cells, "y ~ on", effects=[("city", "kind"), ("city", "year"), ("kind", "year")], cluster="city"
    )
    own, late = cells["city"] < 6, cells["year"] >= 3
    means = cells.groupby([own.rename("own"), cells["kind"], late.rename("late")])["y"].mean()
    change = means.xs(True, level="late") - means.xs(False, level="late")
    expected = (change[True, 1] - change[True, 0]) - (change[False, 1] - change[False, 0])
    assert found.coefficients["estimate"].tolist() == pytest.approx([expected])


def test_an_interrupted_series_has_a_level_and_a_slope():
    months = np.arange(24)
    series = pd.DataFrame({"t": months, "after": (months >= 12).astype(int), "since": np.maximum(months - 12, 0)})
    series["y"] = 3 + 0.5 * series["t"] + 2 * series["after"] - 0.4 * series["since"]
    series["y"] += np.random.default_rng(0).normal(0, 0.01, 24)
    found = policy.regression(series, "y ~ t + after + since")
    assert found.errors == "robust"
    assert found.coefficients["estimate"].tolist() == pytest.approx([3, 0.5, 2, -0.4], abs=0.02)
    assert found.joint("after", "since")[1] < 0.001
    with pytest.raises(ParameterError, match="did you mean 'after'"):
        found.joint("afters")


def test_columns_in_chinese_with_brackets_and_decimals_are_columns(panel):
    named = {"y": "持证率（%）", "x": "补贴(万元)"}
    chinese = panel.rename(columns=named)
    chinese["补贴(万元)"] = [Decimal(repr(one)) for one in chinese["补贴(万元)"]]
    found = policy.regression(chinese, "持证率（%） ~ 补贴(万元) + z", **WITHIN)
    plain = policy.regression(panel, "y ~ x + z", **WITHIN)
    assert found.coefficients["estimate"].tolist() == plain.coefficients["estimate"].tolist()
    assert found.coefficients["term"].tolist() == ["补贴(万元)", "z"]
    assert "持证率（%）" in found.summary("zh")


def test_a_regressor_that_few_clusters_decide_has_no_p(panel):
    treated = panel.assign(on=((panel["city"] < 2) & (panel["year"] > 4)).astype(int))
    found = policy.regression(treated, "y ~ on + x", **WITHIN, cluster="city")
    table = found.coefficients.set_index("term")
    assert np.isnan(table.loc["on", "p_value"])
    assert table.loc["x", "p_value"] < 0.05
    assert any("effective clusters decide on (" in one for one in found.warnings)
    assert "不报告p值" in found.summary("zh")


@pytest.mark.parametrize(
    ("formula", "options", "error", "words"),
    [
        ("y ~ xx", {}, ParameterError, r"column 'xx': did you mean 'x'"),
        ("y = x", {}, ParameterError, "write 'outcome ~ regressors'"),
        ("y ~ x +* z", {}, ParameterError, "cannot be read"),
        ("y ~ x + I(2*x)", WITHIN, EstimationError, r"I\(2 \* x\) is collinear: it is decided by .*x; leave it out"),
        ("y ~ city", WITHIN, EstimationError, "city is collinear: it is decided by the fixed effects"),
        ("y ~ log(level)", {}, DataError, r"log\(level\): \d+ values are not finite numbers"),
        ("y ~ x", {"cluster": ["unit", "city", "year"]}, ParameterError, "one or two columns, not 3"),
        ("y ~ x", {"cluster": "one"}, EstimationError, "at least two clusters"),
        ("y ~ x", {"errors": "clusters"}, ParameterError, "did you mean 'cluster'"),
        ("y ~ 1", WITHIN, ParameterError, "name at least one regressor"),
        ("day ~ x", {}, DataError, "not numbers"),
        ("name ~ x", {}, DataError, "one column of numbers, not of groups"),
    ],
)
def test_what_cannot_be_estimated_is_refused_in_words(panel, formula, options, error, words):
    table = panel.assign(
        one=1, day=pd.Timestamp("2024-01-01", tz="Asia/Shanghai"), name=panel["kind"].map(["a", "b"].__getitem__)
    )
    with pytest.raises(error, match=words):
        policy.regression(table, formula, **options)


def test_missing_rows_and_rows_alone_are_counted(panel):
    holed = panel.assign(x=panel["x"].where(panel.index > 4))
    found = policy.regression(holed, "y ~ x", **WITHIN)
    assert found.warnings[0] == f"5 of {len(panel)} rows dropped for missing values: x 5"
    assert "carry no information and are left out: each is the only one of its unit or year" in found.warnings[1]
    assert found.n_rows == len(panel) - 6


def test_the_two_way_number_is_a_special_case(panel):
    treated = panel.assign(on=((panel["city"] % 2 == 0) & (panel["year"] > 4)).astype(int))
    found = policy.regression(treated, "y ~ on + x", **WITHIN, cluster="city")
    simple = policy.two_way(
        treated, outcome="y", unit="unit", period="year", treated="on", covariates=["x"], cluster="city"
    )
    assert (simple.att, simple.se) == pytest.approx(tuple(found.coefficients.loc[0, ["estimate", "se"]]))
