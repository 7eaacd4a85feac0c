"""statsmodels on the raw rows is the judge of what is counted in cells; lifelines and brute force of the rest."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.duration.hazard_regression import PHReg

from institute_lib import retention

FORMULA = "left ~ certificate * pay + caseload + I(caseload ** 2) + age + certificate:age"
DRIVERS = ("certificate*pay", "caseload", "caseload**2", "age", "certificate:age")
NAMES = {
    "Intercept": ("intercept", ""),
    "certificate[T.b]": ("certificate", "b"),
    "certificate[T.c]": ("certificate", "c"),
    "pay[T.low]": ("pay", "low"),
    "certificate[T.b]:pay[T.low]": ("certificate:pay", "b:low"),
    "certificate[T.c]:pay[T.low]": ("certificate:pay", "c:low"),
    "caseload": ("caseload", ""),
    "I(caseload ** 2)": ("caseload**2", ""),
    "age": ("age", ""),
    "certificate[T.b]:age": ("certificate:age", "b"),
    "certificate[T.c]:age": ("certificate:age", "c"),
}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """6,000 rows in 60 stations: factors, a number with few values and one with as many values as rows."""
    draw = np.random.default_rng(20240401)
    n = 6000
    frame = pd.DataFrame(
        {
            "certificate": draw.choice(["a", "b", "c"], n),
            "pay": draw.choice(["high", "low"], n),
            "caseload": draw.integers(0, 9, n) / 4,
            "age": draw.normal(size=n),
            "station": draw.integers(0, 60, n),
        }
    )
    station = draw.normal(scale=0.5, size=60)[frame["station"]]
    eta = -1.5 + 0.5 * (frame["pay"] == "low") + 0.4 * frame["caseload"] - 0.2 * frame["age"] + station
    return frame.assign(left=(draw.random(n) < 1 / (1 + np.exp(-eta))).astype(int))


def difference(model: retention.HazardModel, judge, column: str) -> float:
    ours = model.coefficients.set_index(["term", "level"])[column]
    theirs = judge.params if column == "estimate" else judge.bse
    return max(abs(ours[NAMES[name]] - value) for name, value in theirs.items())


@pytest.mark.parametrize("cluster", [None, "station"])
def test_logit_on_cells_agrees_with_statsmodels_on_rows(rows, cluster):
    options = {"cov_type": "cluster", "cov_kwds": {"groups": rows["station"]}} if cluster else {}
    judge = smf.logit(FORMULA, rows).fit(disp=0, tol=1e-14, maxiter=100, **options)
    model = retention.hazard(rows, event="left", drivers=DRIVERS, cluster=cluster)
    assert len(model.coefficients) == len(judge.params)
    assert difference(model, judge, "estimate") < 1e-8
    assert difference(model, judge, "se") < 1e-8
    assert model.log_likelihood == pytest.approx(judge.llf, abs=1e-8)


@pytest.mark.parametrize("cluster", [None, "station"])
def test_cloglog_on_cells_agrees_with_statsmodels_on_rows(rows, cluster):
    options = {"cov_type": "cluster", "cov_kwds": {"groups": rows["station"].to_numpy()}} if cluster else {}
    family = sm.families.Binomial(sm.families.links.CLogLog())
    judge = smf.glm(FORMULA, rows, family=family).fit(tol=1e-14, maxiter=200, **options)
    model = retention.hazard(rows, event="left", drivers=DRIVERS, link="cloglog", cluster=cluster)
    assert difference(model, judge, "estimate") < 1e-8
    assert difference(model, judge, "se") < 1e-8


def test_small_sample_factor_counts_rows_and_not_cells(rows):
    few = rows[["left", "certificate", "pay", "station"]]
    judge = smf.logit("left ~ certificate + pay", few).fit(
        disp=0, tol=1e-14, cov_type="cluster", cov_kwds={"groups": few["station"]}
    )
    counts = retention.cells(few, event="left", drivers=["certificate", "pay"], cluster="station")
    model = retention.hazard(counts, event="left", drivers=["certificate", "pay"], cluster="station")
    assert counts.n_cells < len(few) / 10
    assert difference(model, judge, "se") < 1e-10


def test_frequency_weights_stand_for_repeated_rows(rows):
    weighted = rows.assign(times=1 + np.arange(len(rows)) % 3)
    repeated = weighted.loc[weighted.index.repeat(weighted["times"])]
    once = retention.hazard(weighted, event="left", drivers=["pay", "age"], weights="times", cluster="station")
    often = retention.hazard(repeated, event="left", drivers=["pay", "age"], cluster="station")
    np.testing.assert_allclose(once.coefficients["se"], often.coefficients["se"], rtol=1e-12)
    assert once.n_rows == len(repeated)


def test_marginal_effects_of_levels_agree_with_statsmodels(rows):
    judge = smf.logit("left ~ pay + caseload", rows).fit(disp=0, tol=1e-14).get_margeff(dummy=True).summary_frame()
    effects = retention.hazard(rows, event="left", drivers=["pay", "caseload"]).marginal_effects
    np.testing.assert_allclose(effects["estimate"], judge["dy/dx"], atol=1e-10)
    np.testing.assert_allclose(effects["se"], judge["Std. Err."], atol=1e-10)


@pytest.mark.parametrize("link", ["logit", "cloglog"])
def test_marginal_effects_and_their_errors_are_those_of_numerical_differentiation(rows, link):
    from dataclasses import replace

    model = retention.hazard(rows, event="left", drivers=DRIVERS, link=link, cluster="station")

    def effects(beta: np.ndarray) -> np.ndarray:
        moved = replace(model, fit=replace(model.fit, beta=beta))
        step = 1e-4
        change = [moved.predict(rows.assign(certificate=level)).mean() for level in "abc"]
        pay = [moved.predict(rows.assign(pay=level)).mean() for level in ("high", "low")]
        slopes = [
            (
                moved.predict(rows.assign(**{c: rows[c] + step})) - moved.predict(rows.assign(**{c: rows[c] - step}))
            ).mean()
            / (2 * step)
            for c in ("caseload", "age")
        ]
        return np.array([change[1] - change[0], change[2] - change[0], pay[1] - pay[0], *slopes])

    table = model.marginal_effects
    assert list(table["term"]) == ["certificate", "certificate", "pay", "caseload", "age"]
    np.testing.assert_allclose(table["estimate"], effects(model.fit.beta), atol=1e-8)
    shift = 1e-5 * np.eye(len(model.fit.beta))
    gradient = np.array([(effects(model.fit.beta + s) - effects(model.fit.beta - s)) / 2e-5 for s in shift]).T
    errors = np.sqrt(np.diag(gradient @ model.covariance @ gradient.T))
    np.testing.assert_allclose(table["se"], errors, rtol=1e-4)


def test_firth_maximises_the_penalised_likelihood(rows):
    from scipy.optimize import minimize

    few = rows.head(60)
    model = retention.hazard(few, event="left", drivers=["certificate", "age"], penalty="firth")
    x = np.column_stack([np.ones(60), few["certificate"] == "b", few["certificate"] == "c", few["age"]]).astype(float)

    def negative(beta):
        eta = x @ beta
        p = 1 / (1 + np.exp(-eta))
        information = x.T @ ((p * (1 - p))[:, None] * x)
        return -(few["left"] @ eta - np.logaddexp(0, eta).sum() + 0.5 * np.linalg.slogdet(information)[1])

    best = minimize(negative, np.zeros(4), method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(model.coefficients["estimate"], best.x, atol=1e-5)


def test_firths_clustered_errors_on_cells_are_the_sandwich_of_the_raw_rows(rows):
    few = rows.head(400)
    model = retention.hazard(few, event="left", drivers=["certificate", "age"], penalty="firth", cluster="station")
    x = np.column_stack([np.ones(len(few)), few["certificate"] == "b", few["certificate"] == "c", few["age"]])
    x, y, beta = x.astype(float), few["left"].to_numpy(float), np.zeros(4)
    for _ in range(100):  # Firth's modified score, row by row
        p = 1 / (1 + np.exp(-x @ beta))
        bread = np.linalg.inv(x.T @ ((p * (1 - p))[:, None] * x))
        leverage = p * (1 - p) * np.einsum("ij,jk,ik->i", x, bread, x)
        beta = beta + bread @ (x.T @ (y - p + leverage * (0.5 - p)))
    sums = pd.DataFrame(x * (y - p)[:, None]).groupby(few["station"].to_numpy()).sum().to_numpy()
    groups, n = len(sums), len(few)
    errors = groups / (groups - 1) * (n - 1) / (n - 4) * bread @ (sums.T @ sums) @ bread
    np.testing.assert_allclose(model.fit.beta, beta, atol=1e-8)
    np.testing.assert_allclose(model.covariance, errors, atol=1e-8)


@pytest.fixture(scope="module")
def spells() -> pd.DataFrame:
    draw = np.random.default_rng(77)
    n = 400
    x = draw.normal(size=n)
    exit = draw.exponential(np.exp(-0.5 * x)) + 0.01
    entry = exit * draw.random(n) * (draw.random(n) < 0.6)
    return pd.DataFrame(
        {
            "entry": entry,
            "exit": exit,
            "gone": (draw.random(n) < 0.7).astype(int),
            "x": x,
            "k": draw.choice(["p", "q"], n),
        }
    ).assign(team=np.arange(n) // 5)


def test_cox_agrees_with_statsmodels_where_nothing_is_tied(spells):
    x = np.column_stack([spells["x"], spells["k"] == "q"]).astype(float)
    judge = PHReg(spells["exit"], x, spells["gone"], entry=spells["entry"], ties="efron").fit()
    model = retention.cox(spells, entry="entry", exit="exit", event="gone", drivers=["x", "k"])
    np.testing.assert_allclose(model.coefficients["estimate"], judge.params, atol=1e-8)
    np.testing.assert_allclose(model.coefficients["se"], judge.bse, atol=1e-8)
    times = np.sort(spells.loc[spells["gone"] == 1, "exit"])
    seen = np.searchsorted(times, spells["exit"], "right") > np.searchsorted(times, spells["entry"], "right")
    spells, x = spells[seen], x[seen]  # statsmodels divides by zero for people whom no event finds at risk
    grouped = PHReg(spells["exit"], x, spells["gone"], entry=spells["entry"], ties="efron").fit(
        groups=spells["team"].to_numpy()
    )
    robust = retention.cox(spells, entry="entry", exit="exit", event="gone", drivers=["x", "k"], cluster="team")
    np.testing.assert_allclose(robust.coefficients["se"], grouped.bse, atol=1e-8)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_with_ties_agrees_with_statsmodels_once_entries_are_put_after_exits(spells, ties):
    tied = spells.assign(entry=np.floor(spells["entry"] * 4), exit=np.floor(spells["exit"] * 4) + 1)
    x = np.column_stack([tied["x"], tied["k"] == "q"]).astype(float)
    judge = PHReg(tied["exit"], x, tied["gone"], entry=tied["entry"] + 0.5, ties=ties).fit()
    model = retention.cox(tied, entry="entry", exit="exit", event="gone", drivers=["x", "k"], ties=ties)
    np.testing.assert_allclose(model.coefficients["estimate"], judge.params, atol=1e-8)
    np.testing.assert_allclose(model.coefficients["se"], judge.bse, atol=1e-8)


def test_cox_score_residuals_with_ties_are_those_of_the_textbook_loop(spells):
    from institute_lib.retention.cox import RiskSets

    tied = spells.head(80).assign(entry=lambda f: np.floor(f["entry"] * 3), exit=lambda f: np.floor(f["exit"] * 3) + 1)
    entry, exit, gone = tied["entry"].to_numpy(), tied["exit"].to_numpy(), tied["gone"].to_numpy(bool)
    x = tied[["x"]].to_numpy()
    beta = np.array([0.3])
    found = RiskSets.lay_out(entry, exit, gone, x, efron=True).evaluate(beta)
    risk = np.exp(x @ beta)
    expected = np.zeros_like(x)
    for time in np.unique(exit[gone]):
        at_risk, dying = (entry < time) & (exit >= time), gone & (exit == time)
        for step in range(dying.sum()):
            down = step / dying.sum()
            weight = risk * (at_risk - down * dying)
            mean = (weight[:, None] * x).sum(axis=0) / weight.sum()
            expected += (x - mean) * (
                dying[:, None] / dying.sum() - (risk * (at_risk - down * dying) / weight.sum())[:, None]
            )
    np.testing.assert_allclose(found.residual, expected, atol=1e-12)
    np.testing.assert_allclose(found.residual.sum(axis=0), found.score, atol=1e-10)


def test_kaplan_meier_with_late_entry_agrees_with_lifelines(spells):
    from lifelines import KaplanMeierFitter

    from institute_lib.retention.survival import kaplan_meier, share_at

    late = spells[spells["exit"] > 0.2].assign(entry=lambda f: np.minimum(f["entry"], 0.9 * f["exit"]))
    judge = KaplanMeierFitter().fit(late["exit"], late["gone"], entry=late["entry"])
    curve = kaplan_meier(late["entry"], late["exit"], late["gone"])
    for time in np.quantile(late["exit"], [0.1, 0.5, 0.9]):
        assert share_at(curve, time) == pytest.approx(float(judge.predict(time)), abs=1e-10)


def test_cumulative_incidence_agrees_with_lifelines_where_nothing_is_tied(spells):
    from lifelines import AalenJohansenFitter

    from institute_lib.retention.survival import aalen_johansen

    cause = pd.Series(np.where(spells["gone"] == 0, None, np.where(spells["k"] == "p", "one", "two")))
    codes = cause.map({"one": 1, "two": 2}).fillna(0).astype(int)
    judge = AalenJohansenFitter(calculate_variance=True).fit(spells["exit"], codes, event_of_interest=1)
    ours = aalen_johansen(np.zeros(len(spells)), spells["exit"], cause, ["one", "two"])
    theirs = judge.cumulative_density_.iloc[1:, 0]
    np.testing.assert_allclose(ours[0]["incidence"], theirs.to_numpy(), atol=1e-10)
    variance = judge.variance_.iloc[1:].to_numpy()
    np.testing.assert_allclose(ours[0]["se"] ** 2, variance, rtol=0.02, atol=1e-6)


def test_reasons_and_staying_add_up_to_one(spells):
    from institute_lib.retention.survival import aalen_johansen, kaplan_meier

    tied = spells.assign(exit=np.ceil(spells["exit"] * 5), entry=0.0)
    cause = pd.Series(np.where(tied["gone"] == 0, None, np.where(tied["k"] == "p", "one", "two")))
    one, two = aalen_johansen(tied["entry"], tied["exit"], cause, ["one", "two"])
    staying = kaplan_meier(tied["entry"], tied["exit"], tied["gone"])["survival"]
    np.testing.assert_allclose(one["incidence"] + two["incidence"] + staying, 1.0, atol=1e-12)
