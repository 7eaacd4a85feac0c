"""Counting cells, fitting hazards, and what is found before a fit is tried."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from institute_lib import retention
from institute_lib.errors import DataError, EstimationError, ParameterError

TRUTH = {("tenure", "2"): -0.4, ("tenure", "3"): -0.8, ("certificate", "yes"): -0.5, ("caseload", ""): 0.03}


def simulate(seed: int, n: int = 20_000) -> pd.DataFrame:
    """Worker-quarters whose log odds of leaving are −2.5 and TRUTH."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "tenure": draw.choice(["1", "2", "3"], n),
            "certificate": draw.choice(["no", "yes"], n, p=[0.7, 0.3]),
            "caseload": draw.integers(20, 60, n).astype(float),
            "station": draw.integers(0, 50, n),
        }
    )
    eta = -2.5 + 0.03 * frame["caseload"] - 0.5 * (frame["certificate"] == "yes")
    eta += frame["tenure"].map({"1": 0.0, "2": -0.4, "3": -0.8})
    return frame.assign(left=(draw.random(n) < 1 / (1 + np.exp(-eta))).astype(int))


DRIVERS = ["tenure", "certificate", "caseload"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return simulate(1)


def test_planted_coefficients_are_recovered_and_intervals_cover_as_they_say():
    from scipy.stats import binom

    draws = 120
    hits = dict.fromkeys(TRUTH, 0)
    sums = dict.fromkeys(TRUTH, 0.0)
    for seed in range(draws):
        table = retention.hazard(simulate(seed, 4000), event="left", drivers=DRIVERS).coefficients
        table = table.set_index(["term", "level"])
        for key, truth in TRUTH.items():
            hits[key] += table.at[key, "ci_low"] <= truth <= table.at[key, "ci_high"]
            sums[key] += table.at[key, "estimate"]
    for key, truth in TRUTH.items():
        tail = min(binom.cdf(hits[key], draws, 0.95), binom.sf(hits[key] - 1, draws, 0.95))
        assert tail > 0.001, f"{key}: {hits[key]} of {draws} intervals cover"
        assert sums[key] / draws == pytest.approx(truth, abs=0.05 * abs(truth) + 0.01)


def test_cells_hold_every_row_and_event_once(rows):
    counts = retention.cells(rows, event="left", drivers=DRIVERS, cluster="station")
    frame = counts.to_frame()
    assert (counts.n_rows, counts.n_events) == (len(rows), rows["left"].sum())
    assert counts.n_clusters == 50
    by_hand = rows.groupby(["tenure", "certificate", "caseload", "station"])["left"].agg(["size", "sum"]).reset_index()
    assert len(frame) == len(by_hand)
    merged = frame.assign(station=frame["station"].astype(int)).merge(by_hand, on=[*DRIVERS, "station"])
    assert len(merged) == len(frame)
    assert (merged["rows"] == merged["size"]).all()
    assert (merged["events"] == merged["sum"]).all()


def test_parquet_files_give_the_cells_of_the_frame(rows, tmp_path):
    for part in range(3):
        rows.iloc[part::3].to_parquet(tmp_path / f"part{part}.parquet")
    frame = retention.cells(rows, event="left", drivers=DRIVERS, cluster="station")
    files = retention.cells(str(tmp_path / "*.parquet"), event="left", drivers=DRIVERS, cluster="station")
    ours = retention.hazard(frame, event="left", drivers=DRIVERS, cluster="station").coefficients
    theirs = retention.hazard(files, event="left", drivers=DRIVERS, cluster="station").coefficients
    assert len(files.rows) == len(frame.rows)
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-11)
    direct = retention.hazard(tmp_path, event="left", drivers=DRIVERS).coefficients
    pd.testing.assert_frame_equal(
        direct, retention.hazard(rows, event="left", drivers=DRIVERS).coefficients, rtol=1e-11
    )


def test_categories_truth_values_and_odd_names_survive_parquet(tmp_path):
    draw = np.random.default_rng(3)
    frame = pd.DataFrame({'le\'vel "x"': draw.choice(["it's", "b"], 500), "on": draw.random(500) < 0.5, "n": 1.5})
    frame["n"] = draw.choice([1.0, 2.0], 500)
    frame["left"] = draw.random(500) < 0.3
    frame.to_parquet(tmp_path / "it's.parquet")
    drivers = ['le\'vel "x"', "on", "C(n)"]
    ours = retention.hazard(frame, event="left", drivers=drivers).coefficients
    pd.testing.assert_frame_equal(
        ours, retention.hazard(tmp_path / "it's.parquet", event="left", drivers=drivers).coefficients, rtol=1e-10
    )
    assert set(ours["level"]) == {"", "it's", "true", "2"}


def test_two_workers_of_a_cluster_count_what_one_scan_counts(rows, tmp_path):
    from distributed import LocalCluster

    for part in range(4):
        rows.iloc[part::4].to_parquet(tmp_path / f"part{part}.parquet")
    source = str(tmp_path / "*.parquet")
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        assert address.startswith("tcp://")
        spread = retention.cells(source, event="left", drivers=DRIVERS, cluster="station", scheduler=address)
    alone = retention.cells(source, event="left", drivers=DRIVERS, cluster="station")
    pd.testing.assert_frame_equal(spread.to_frame(), alone.to_frame())


def test_a_scheduler_is_refused_for_a_frame(rows):
    with pytest.raises(ParameterError, match="to_parquet"):
        retention.cells(rows, event="left", drivers=DRIVERS, scheduler="tcp://127.0.0.1:1")


def test_more_combinations_than_a_62_bit_key_holds_are_counted():
    draw = np.random.default_rng(8)
    frame = pd.DataFrame({f"d{i}": draw.integers(0, 100, 300).astype(str) for i in range(12)})
    frame["left"] = draw.integers(0, 2, 300)
    counts = retention.cells(frame, event="left", drivers=[f"d{i}" for i in range(12)])
    again = counts.to_frame().sort_values([f"d{i}" for i in range(12)]).reset_index(drop=True)
    expected = frame.sort_values([f"d{i}" for i in range(12)]).reset_index(drop=True)
    pd.testing.assert_frame_equal(
        again[[f"d{i}" for i in range(12)]], expected[[f"d{i}" for i in range(12)]], check_dtype=False
    )
    assert again["events"].tolist() == expected["left"].tolist()


def test_coefficients_show_cell_sizes_and_ratios(rows):
    model = retention.hazard(rows, event="left", drivers=DRIVERS, cluster="station")
    table = model.coefficients.set_index(["term", "level"])
    yes = rows[rows["certificate"] == "yes"]
    assert table.at[("certificate", "yes"), "rows"] == len(yes)
    assert table.at[("certificate", "yes"), "events"] == yes["left"].sum()
    assert table.at[("caseload", ""), "rows"] == len(rows)
    np.testing.assert_allclose(table["ratio"], np.exp(table["estimate"]))
    assert (table["p_adjusted"].dropna() >= table["p_value"].iloc[1:]).all()
    reference = model.levels.set_index(["term", "level"]).loc[("certificate", "no")]
    assert reference["reference"]
    assert reference["rows"] == len(rows) - len(yes)
    assert model.n_clusters == 50


def test_results_are_frozen_and_say_themselves_in_both_languages(rows):
    model = retention.hazard(rows, event="left", drivers=DRIVERS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.n_rows = 0
    assert "关联" in model.summary()
    assert "association" in model.summary("en")
    assert model.to_frame() is not model.coefficients


def test_declared_levels_set_the_reference(rows):
    model = retention.hazard(rows, event="left", drivers={"certificate": ("yes", "no"), "tenure": None})
    other = retention.hazard(rows, event="left", drivers=["certificate", "tenure"])
    flipped = model.coefficients.set_index(["term", "level"]).at[("certificate", "no"), "estimate"]
    assert flipped == pytest.approx(
        -other.coefficients.set_index(["term", "level"]).at[("certificate", "yes"), "estimate"]
    )


def test_an_interaction_expands_to_its_parts(rows):
    model = retention.hazard(rows, event="left", drivers=["certificate*caseload"])
    assert model.coefficients["term"].tolist() == ["intercept", "certificate", "caseload", "certificate:caseload"]


@pytest.mark.parametrize(
    ("drivers", "message"),
    [
        ([], "at least one"),
        (["certificate:caseload"], "certificate\\*caseload"),
        (["caseload:caseload"], "caseload\\*\\*2"),
        (["log(caseload)"], "cannot read"),
        (["certficate"], "did you mean 'certificate'"),
    ],
)
def test_drivers_that_cannot_be_read_are_refused(rows, drivers, message):
    with pytest.raises(ParameterError, match=message):
        retention.hazard(rows, event="left", drivers=drivers)


FAULTS = {
    "constant": ({"certificate": "no"}, DataError, "'certificate' is constant"),
    "all missing": ({"certificate": None}, DataError, "'certificate' is missing in all"),
    "no exits": ({"left": 0}, EstimationError, "no exits"),
    "only exits": ({"left": 1}, EstimationError, "only exits"),
    "event not 0/1": ({"left": 2}, DataError, "0 or 1"),
    "infinite": ({"caseload": np.inf}, DataError, "finite"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("source", ["frame", "parquet"])
def test_what_cannot_be_fitted_is_found_first(rows, tmp_path, fault, source):
    change, kind, message = FAULTS[fault]
    data = rows.head(500).assign(**change)
    if source == "parquet":
        data.to_parquet(tmp_path / "rows.parquet")
        data = tmp_path / "rows.parquet"
    with pytest.raises(kind, match=message):
        retention.hazard(data, event="left", drivers=DRIVERS)


def test_a_missing_driver_is_named_by_row_and_never_dropped(rows):
    data = rows.copy()
    data.loc[[17, 30], "certificate"] = None
    with pytest.raises(DataError, match="row 17, column certificate") as refused:
        retention.hazard(data, event="left", drivers=DRIVERS)
    assert len(refused.value.faults) == 2


@pytest.mark.parametrize("source", ["frame", "parquet"])
def test_missing_cluster_ids_are_refused(rows, tmp_path, source):
    data = rows.assign(station=rows["station"].where(rows["station"] > 0))
    if source == "parquet":
        data.to_parquet(tmp_path / "rows.parquet")
        data = tmp_path / "rows.parquet"
    with pytest.raises(DataError, match="a cluster id is missing"):
        retention.hazard(data, event="left", drivers=DRIVERS, cluster="station")


def test_an_unknown_level_is_named_with_the_nearest(rows):
    with pytest.raises(DataError, match="unknown level 'yes'"):
        retention.hazard(rows, event="left", drivers={"certificate": ("no", "yess")})
    model = retention.hazard(rows, event="left", drivers=["certificate"])
    with pytest.raises(DataError, match="unknown level 'maybe'"):
        model.predict(pd.DataFrame({"certificate": ["yes", "maybe"]}))


def test_a_level_with_nobody_leaving_is_named_and_firth_gives_it_a_finite_estimate(rows):
    data = rows.assign(left=rows["left"].where(rows["tenure"] != "3", 0))
    with pytest.raises(EstimationError, match=r"tenure = '3': nobody leaves .*merge.*penalty='firth'"):
        retention.hazard(data, event="left", drivers=DRIVERS)
    table = retention.hazard(data, event="left", drivers=DRIVERS, penalty="firth").coefficients
    assert np.isfinite(table[["estimate", "se"]]).all(axis=None)
    assert table.set_index(["term", "level"]).at[("tenure", "3"), "estimate"] < -5


def test_firth_with_a_cluster_warns_of_a_level_with_nobody_leaving(rows):
    data = rows.assign(left=rows["left"].where(rows["tenure"] != "3", 0))
    model = retention.hazard(data, event="left", drivers=DRIVERS, penalty="firth", cluster="station")
    assert any("tenure = '3'" in one and "too small" in one for one in model.warnings)
    assert np.isfinite(model.coefficients["se"]).all()
    assert not any("too small there" in one for one in _clustered(rows).warnings)


def _clustered(rows):
    return retention.hazard(rows, event="left", drivers=DRIVERS, penalty="firth", cluster="station")


def test_a_users_own_levels_are_not_put_into_the_registers_words(rows):
    named = rows.assign(own=rows["certificate"].map({"no": "x", "yes": "y"}))
    model = retention.hazard(named, event="left", drivers=["own"])
    assert "own：y" in model.summary("zh")
    assert "纬度" not in model.summary("zh")
    kinds = rows.assign(education=rows["certificate"].map({"no": "college", "yes": "master"}))
    assert "硕士" in retention.hazard(kinds, event="left", drivers=["education"]).summary("zh")


def test_a_number_that_splits_leavers_from_stayers_is_named():
    data = pd.DataFrame({"age": np.arange(40.0), "left": (np.arange(40) > 20).astype(int)})
    with pytest.raises(EstimationError, match="age: one value splits"):
        retention.hazard(data, event="left", drivers=["age"])


def test_separation_by_a_combination_of_drivers_is_found():
    draw = np.random.default_rng(2)
    a, b = draw.normal(size=300), draw.normal(size=300)
    data = pd.DataFrame({"a": a, "b": b, "left": (a + b > 0).astype(int)})
    with pytest.raises(EstimationError, match=r"quasi-separation.* a, b"):
        retention.hazard(data, event="left", drivers=["a", "b"])


@pytest.mark.parametrize("drivers", [["certificate", "copy"], ["caseload", "half"], ["tenure", "certificate", "copy"]])
def test_collinear_drivers_are_named_with_what_decides_them(rows, drivers):
    data = rows.assign(copy=rows["certificate"].map({"no": "0", "yes": "1"}), half=rows["caseload"] / 2 + 1)
    with pytest.raises(EstimationError, match=rf"{drivers[-1]}.* is decided by {drivers[-2]}"):
        retention.hazard(data, event="left", drivers=drivers)


def test_one_cluster_cannot_give_clustered_errors(rows):
    with pytest.raises(EstimationError, match="two clusters"):
        retention.hazard(rows.assign(station=1), event="left", drivers=DRIVERS, cluster="station")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"link": "probit"}, "link='probit'"),
        ({"penalty": "lasso"}, "penalty='lasso'"),
        ({"penalty": "firth", "link": "cloglog"}, "works with link='logit', not 'cloglog'"),
        ({"cluster": "statoin"}, "did you mean 'station'"),
        ({"weights": "n"}, "has no column 'n'"),
    ],
)
def test_wrong_options_are_refused(rows, options, message):
    with pytest.raises(ParameterError, match=message):
        retention.hazard(rows, event="left", drivers=DRIVERS, **options)


def test_cells_refuse_a_model_that_they_do_not_hold(rows):
    counts = retention.cells(rows, event="left", drivers=["tenure"])
    with pytest.raises(ParameterError, match="'certificate' was not counted"):
        retention.hazard(counts, event="left", drivers=["tenure", "certificate"])
    with pytest.raises(ParameterError, match="cluster='station'"):
        retention.hazard(counts, event="left", drivers=["tenure"], cluster="station")


def test_a_model_is_judged_on_quarters_it_has_not_seen():
    early, late = simulate(11), simulate(12)
    judgement = retention.judge(retention.hazard(early, event="left", drivers=DRIVERS), late)
    assert judgement.intercept == pytest.approx(0, abs=0.2)
    assert judgement.slope == pytest.approx(1, abs=0.15)
    assert 0.55 < judgement.auc < 0.75
    assert judgement.calibration["rows"].sum() == len(late)
    blind = retention.judge(retention.hazard(early, event="left", drivers=["certificate"]), late)
    assert blind.auc < judgement.auc


def test_drivers_that_do_not_vary_are_left_out_with_a_reason(rows):
    data = rows.assign(subsidy=0.0, copy=rows["certificate"], gap=rows["certificate"].where(rows.index > 3))
    kept, reasons = retention.usable_drivers(
        data, event="left", drivers=["tenure", "certificate", "subsidy", "copy", "gap"], language="en"
    )
    assert kept == ("tenure", "certificate")
    assert "throughout" in reasons["subsidy"]
    assert "beside Certificate level it cannot be told apart" in reasons["copy"]
    assert "not recorded throughout" in reasons["gap"]


def test_faults_in_a_file_are_named_by_row(rows, tmp_path):
    data = rows.head(300).copy()
    data.loc[[17, 30], "certificate"] = None
    data.loc[40, "left"] = 7
    data.to_parquet(tmp_path / "part.parquet", row_group_size=20)
    with pytest.raises(DataError, match=r"(?s)2 of 300 rows.*part.parquet: row 17, column certificate") as refused:
        retention.hazard(tmp_path, event="left", drivers=DRIVERS)
    assert {(fault.column, fault.row) for fault in refused.value.faults} == {
        ("certificate", 17),
        ("certificate", 30),
        ("left", 40),
    }


@pytest.mark.parametrize("source", ["frame", "parquet"])
def test_an_undeclared_level_is_named_by_row(rows, tmp_path, source):
    data = rows.head(300).copy()
    data.loc[5, "certificate"] = "yess"
    if source == "parquet":
        data.to_parquet(tmp_path / "rows.parquet")
        data = tmp_path
    with pytest.raises(DataError, match=r"(?s)unknown level 'yess'.*did you mean 'yes'.*row 5, column certificate"):
        retention.hazard(data, event="left", drivers={"certificate": ("no", "yes"), "tenure": None})


def test_files_read_in_stretches_give_the_estimates_of_the_frame(rows, tmp_path, monkeypatch):
    from institute_lib.retention import counting

    data = rows.assign(
        band=pd.Categorical(
            rows["tenure"].map({"1": "under", "2": "mid", "3": "over"}), ["none", "under", "mid", "over"]
        ),
        age=np.random.default_rng(4).normal(size=len(rows)),
        times=np.arange(len(rows)) % 3,
    )
    for part in range(2):
        data.iloc[part::2].to_parquet(tmp_path / f"{part}.parquet", row_group_size=700)
    monkeypatch.setattr(counting, "STRETCH", 1600)
    options = {"event": "left", "drivers": ["band", "age", "caseload"], "cluster": "station", "weights": "times"}
    files, frame = retention.hazard(tmp_path, **options), retention.hazard(data, **options)
    assert files.levels["level"].tolist() == ["under", "mid", "over"], "a category keeps its order"
    pd.testing.assert_frame_equal(files.coefficients, frame.coefficients, rtol=1e-9)
    assert any("'times' 0 and count for nothing" in note for note in files.warnings)


def test_many_cells_are_fitted_as_few_are(rows, monkeypatch):
    from institute_lib.retention import counting, fitting

    data = rows.assign(age=np.random.default_rng(4).integers(0, 900, len(rows)).astype(float))
    drivers = [*DRIVERS, "age", "certificate:age"]
    plain = retention.hazard(data, event="left", drivers=drivers, cluster="station")
    for module, name, value in ((fitting, "STRETCH", 999), (fitting, "MANY_CELLS", 1000), (counting, "SAMPLE", 500)):
        monkeypatch.setattr(module, name, value)
    many = retention.hazard(data, event="left", drivers=drivers, cluster="station")
    columns = ["estimate", "se"]
    np.testing.assert_allclose(many.coefficients[columns], plain.coefficients[columns], rtol=1e-9)


def test_clusters_that_have_a_coefficient_each_are_refused(rows):
    data = rows.assign(team=(rows["station"] % 4).astype(str))
    with pytest.raises(EstimationError, match="clustered errors by 'team' are zero"):
        retention.hazard(data, event="left", drivers=["team"], cluster="team")


def test_a_change_of_levers_is_the_difference_of_mean_predictions(rows):
    model = retention.hazard(rows, event="left", drivers=["tenure", "certificate*caseload", "caseload**2"])
    changes = retention.change(model, {"caseload": (40, 30), "certificate": ("no", "yes")}, quarters=1)
    for row, column in zip(changes.itertuples(), ("caseload", "certificate"), strict=True):
        means = [100 * model.predict(rows.assign(**{column: value})).mean() for value in (row.before, row.after)]
        assert row.rate_before == pytest.approx(means[0], abs=1e-9)
        assert row.estimate == pytest.approx(means[1] - means[0], abs=1e-9)
    effect = model.marginal_effects.set_index("term").loc["certificate"]
    assert changes.loc[1, ["estimate", "se"]].tolist() == pytest.approx([100 * effect["estimate"], 100 * effect["se"]])
    year = retention.change(model, {"caseload": (40, 30)}).iloc[0]
    stay = [(1 - model.predict(rows.assign(caseload=value))) ** 4 for value in (40.0, 30.0)]
    assert year["estimate"] == pytest.approx(100 * (stay[0].mean() - stay[1].mean()), abs=1e-9)


def test_errors_of_a_change_are_those_of_numerical_differentiation(rows):
    from dataclasses import replace

    model = retention.hazard(rows, event="left", drivers=["tenure", "caseload", "caseload**2"], cluster="station")

    def yearly(beta: np.ndarray) -> float:
        moved = replace(model, fit=replace(model.fit, beta=beta))
        return 100 * np.subtract(*(((1 - moved.predict(rows.assign(caseload=v))) ** 4).mean() for v in (40.0, 30.0)))

    beta = model.fit.beta
    shifts = np.diag(1e-6 * np.maximum(np.abs(beta), 1e-3))
    gradient = np.array([(yearly(beta + s) - yearly(beta - s)) / (2 * s.max()) for s in shifts])
    table = retention.change(model, {"caseload": (40, 30)})
    assert table.at[0, "se"] == pytest.approx(float(np.sqrt(gradient @ model.covariance @ gradient)), rel=1e-5)


def test_a_change_says_where_it_leaves_the_data(rows):
    model = retention.hazard(rows, event="left", drivers=DRIVERS)
    found = retention.change(model, {"caseload": (40, 90)})
    assert found.attrs["warnings"] == ("caseload = 90 lies beyond the data (20 to 59)",)


@pytest.mark.parametrize(
    ("levers", "message"),
    [
        ({}, "at least one lever"),
        ({"case": (40, 30)}, "did you mean 'caseload'"),
        ({"certificate": ("no", "yess")}, "did you mean 'yes'"),
        ({"caseload": (40, 40)}, "before and after"),
        ({"caseload": 30}, r"\(before, after\)"),
        ({"caseload": ("few", 30)}, "is a number"),
    ],
)
def test_levers_that_cannot_be_moved_are_refused(rows, levers, message):
    model = retention.hazard(rows, event="left", drivers=DRIVERS)
    with pytest.raises(ParameterError, match=message):
        retention.change(model, levers)


def test_a_driver_decided_by_others_together_is_found():
    draw = np.random.default_rng(6)
    data = pd.DataFrame({name: draw.integers(0, 4, 4000) for name in ("level", "city", "date", "mood")})
    paid = (data["level"] > 1) & (data["city"] == 2) | (data["date"] > 2)
    data["subsidy"] = np.where(draw.random(4000) < 0.02, ~paid, paid)
    found = retention.dependence(data, drivers=["subsidy", "mood"], others=["level", "city", "date"])
    table = found.set_index("driver")
    assert set(table.at["subsidy", "decided_by"]) == {"level", "city", "date"}
    assert 0.9 < table.at["subsidy", "share"] < 0.97
    assert table.at["mood", "decided_by"] == ()
    assert table["nearly"].to_dict() == {"subsidy": True, "mood": False}


SPELLS = pd.DataFrame(
    {
        "id": ["a", "a", "b", "c"],
        "entry": [0.0, 3.0, 0.0, 1.0],
        "exit": [3.0, 6.0, 4.0, 5.0],
        "gone": [0, 1, 1, 0],
        "x": [1.0, 2, 3, 1],
    }
)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"exit": [3.0, 2.0, 4.0, 5.0]}, DataError, "row 1, column exit"),
        ({"entry": [0.0, 2.0, 0.0, 1.0]}, DataError, "row 1, column entry.*overlaps"),
        ({"gone": 0}, EstimationError, "no exits"),
        ({"x": 1.0}, DataError, "constant"),
        ({"exit": [3.0, None, 4.0, 5.0]}, DataError, "a time is missing"),
    ],
)
def test_cox_refuses_impossible_spells_by_row(change, kind, message):
    with pytest.raises(kind, match=message):
        retention.cox(SPELLS.assign(**change), entry="entry", exit="exit", event="gone", drivers=["x"], person="id")


def test_cox_names_a_level_at_which_nobody_leaves(rows):
    data = rows.head(200).assign(exit=1.0 + np.arange(200) % 7, k=np.where(np.arange(200) < 20, "none", "some"))
    data.loc[data["k"] == "none", "left"] = 0
    with pytest.raises(EstimationError, match="k = 'none': nobody leaves"):
        retention.cox(data, entry=None, exit="exit", event="left", drivers=["k"])


def test_cox_says_itself(rows):
    data = rows.head(400).assign(exit=1.0 + np.arange(400) % 7)
    model = retention.cox(
        data, entry=None, exit="exit", event="left", drivers=["caseload", "certificate"], cluster="station"
    )
    assert model.n_rows == 400
    assert "hazard ratio" in model.summary("en")
    assert "风险比" in model.summary()


@pytest.mark.parametrize("weighted", [False, True])
def test_duckdb_counts_the_cells_that_numpy_counts(rows, monkeypatch, weighted):
    from institute_lib.retention import counting

    data = rows.assign(times=1 + np.arange(len(rows)) % 3)
    options = {"event": "left", "drivers": DRIVERS, "cluster": "station", "weights": "times" if weighted else None}
    few = retention.cells(data, **options).to_frame()
    monkeypatch.setattr(counting, "SMALL", 10)
    pd.testing.assert_frame_equal(retention.cells(data, **options).to_frame(), few)


def test_a_model_is_judged_on_the_last_four_quarters_by_what_came_before(rows):
    quarters = [f"20{year}Q{q}" for year in (23, 24) for q in range(1, 5)]
    data = rows.assign(quarter=np.array(quarters)[np.arange(len(rows)) % 8], late="no")
    data.loc[data["quarter"].str.startswith("2024") & (data["station"] < 9), "late"] = "yes"
    judged = retention.out_of_time(data, event="left", drivers=[*DRIVERS, "late"])
    early, late = data[data["quarter"] < "2024"], data[data["quarter"] >= "2024"]
    by_hand = retention.judge(retention.hazard(early, event="left", drivers=DRIVERS), late)
    assert (judged.n_rows, judged.auc, judged.slope) == (len(late), by_hand.auc, by_hand.slope)
    assert any("Late" in note or "late" in note for note in judged.warnings)
    with pytest.raises(DataError, match="the rows hold 4 in all"):
        retention.out_of_time(late, event="left", drivers=DRIVERS)


def test_a_judgement_names_rows_without_an_event(rows):
    model = retention.hazard(rows, event="left", drivers=DRIVERS)
    later = rows.head(50).assign(left=rows["left"].where(rows.index != 7))
    with pytest.raises(DataError, match="row 7, column left"):
        retention.judge(model, later)
