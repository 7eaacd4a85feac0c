"""Data as people really have them: each case with the value that R or a calculation by hand gives."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from institute_lib import retention
from institute_lib.errors import DataError, EstimationError, ParameterError
from institute_lib.retention.survival import kaplan_meier, logrank, median_time, restricted_mean, snapped

CASES = Path(__file__).parents[1] / "cases" / "estimators"


def case(name: str, **options) -> pd.DataFrame:
    return pd.read_csv(CASES / f"{name}.csv", **options)


def spells(name: str) -> pd.DataFrame:
    return case(name, parse_dates=["entered", "left"])


def coefficient(model, term: str, level: str = "") -> pd.Series:
    return model.coefficients.set_index(["term", "level"]).loc[(term, level)]


def quarters(seed: int = 0, n: int = 4000) -> pd.DataFrame:
    """Person-quarters of 400 workers in 20 stations of 4 districts: about one in ten leaves."""
    draw = np.random.default_rng(seed)
    worker = draw.integers(0, 400, n)
    frame = pd.DataFrame(
        {
            "worker_id": [f"w{one}" for one in worker],
            "station": [f"s{one % 20}" for one in worker],
            "district": [f"32060{one % 4}" for one in worker],
            "quarter": draw.choice(["2024Q1", "2024Q2", "2024Q3", "2024Q4"], n),
            "certificate": draw.choice(["none", "assistant", "social_worker"], n),
            "pay": draw.normal(6000, 800, n),
        }
    )
    return frame.assign(left=(draw.random(n) < 0.1).astype(int))


# Cox: outliers, wide numbers, near ties


def test_one_worker_far_out_takes_no_digits_from_the_others():
    model = retention.cox(case("cox_outlier_wrong"), entry=None, exit="days", event="left", drivers=["cl"])
    assert coefficient(model, "cl")[["estimate", "se"]].tolist() == pytest.approx([0.099495, 0.009529], abs=1e-6)


@pytest.mark.parametrize(("scale", "shift"), [(1e6, 0.0), (1e-7, 0.0), (1.0, 1e6), (1e5, -1e9)])
def test_cox_does_not_care_in_which_units_a_driver_is_written(scale, shift):
    rows = case("cox_outlier_wrong")
    rows = rows.assign(wide=rows["cl"] * scale + shift)
    model = retention.cox(rows, entry=None, exit="days", event="left", drivers=["wide"])
    row = coefficient(model, "wide")
    assert row["estimate"] * scale == pytest.approx(0.099495, rel=1e-4)
    assert row["se"] * scale == pytest.approx(0.009529, rel=1e-4)


def test_times_that_differ_by_rounding_are_tied_as_in_r():
    model = retention.cox(case("near_ties"), entry=None, exit="t", event="e", drivers=["x"])
    assert coefficient(model, "x")[["estimate", "se"]].tolist() == pytest.approx([0.70889, 0.74302], abs=5e-6)


def test_an_entry_that_is_an_exit_but_for_rounding_does_not_overlap_the_risk_set():
    exact = pd.DataFrame(
        {"entry": [0, 3, 0, 0, 1], "exit": [3, 6, 4, 3, 5], "gone": [1, 1, 1, 0, 1], "x": [1, 2, 3, 5, 1]}
    )
    tenths = exact.assign(entry=exact["entry"] * 0.1, exit=[0.1 + 0.2, 0.6, 0.4, 0.3, 0.5])
    one, other = (
        retention.cox(rows, entry="entry", exit="exit", event="gone", drivers=["x"]) for rows in (exact, tenths)
    )
    assert coefficient(other, "x")["estimate"] == pytest.approx(coefficient(one, "x")["estimate"], abs=1e-9)


def test_times_are_snapped_to_the_first_of_their_kind_and_infinity_stays():
    entry, exit = snapped(np.array([-np.inf, 0.3]), np.array([0.1 + 0.2, 0.7]))
    assert entry.tolist() == [-np.inf, 0.3]
    assert exit.tolist() == [0.3, 0.7]


def test_cox_refuses_only_what_has_no_finite_maximum():
    draw = np.random.default_rng(1)
    rows = pd.DataFrame({"x": np.r_[np.zeros(30), np.ones(30)], "t": draw.exponential(1, 60), "e": 1})
    rows.loc[rows["x"] == 1, "t"] += rows["t"].max()
    with pytest.raises(EstimationError, match="no finite maximum: x"):
        retention.cox(rows, entry=None, exit="t", event="e", drivers=["x"])


# The hazard: squares, outliers, fractions, Firth


def test_a_year_and_its_square_are_told_apart():
    rows = case("year_square")
    raw = retention.hazard(rows, event="left", drivers=["year", "year**2"])
    judge = sm.GLM(rows["left"], sm.add_constant(_powers(rows["year"] - 2021)), sm.families.Binomial()).fit(tol=1e-14)
    assert coefficient(raw, "year**2")["estimate"] == pytest.approx(judge.params["square"], rel=1e-6)
    assert coefficient(raw, "year**2")["se"] == pytest.approx(judge.bse["square"], rel=1e-6)
    assert raw.log_likelihood == pytest.approx(judge.llf, abs=1e-8)
    assert coefficient(raw, "year")["se"] == pytest.approx(4042 * judge.bse["square"], rel=1e-3)
    centred = retention.hazard(rows.assign(year=rows["year"] - 2021), event="left", drivers=["year", "year**2"])
    np.testing.assert_allclose(centred.coefficients["estimate"], judge.params, rtol=1e-6)


def _powers(values: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"line": values, "square": values**2})


@pytest.mark.parametrize("link", ["logit", "cloglog"])
@pytest.mark.parametrize("cluster", [None, "station"])
def test_outliers_and_wide_numbers_are_fitted_as_statsmodels_fits_them(link, cluster):
    rows = quarters(3)
    pay = rows["pay"].where(rows.index > 2, [1e5, 2e5, 9e4][0]) * 1e4
    left = (np.random.default_rng(3).random(len(rows)) < 1 / (1 + np.exp(-(pay / 1e4 - 6500) / 300))).astype(int)
    rows = rows.assign(pay=pay, left=left, station=np.arange(len(rows)) % 60)
    family = sm.families.Binomial(sm.families.links.Logit() if link == "logit" else sm.families.links.CLogLog())
    z = sm.add_constant((rows["pay"] / 1e4 - 6500) / 300)
    options = {"cov_type": "cluster", "cov_kwds": {"groups": rows["station"]}} if cluster else {}
    if link == "logit":  # GLM's observed information is 0/0 where a hazard rounds to one
        judge = sm.Logit(rows["left"], z).fit(disp=0, tol=1e-14, **options)
    else:
        judge = sm.GLM(rows["left"], z, family).fit(tol=1e-14, maxiter=200, **options)
    model = retention.hazard(rows, event="left", drivers=["pay"], link=link, cluster=cluster)
    ours = coefficient(model, "pay")[["estimate", "se"]] * 1e4 * 300
    assert ours.tolist() == pytest.approx([judge.params["pay"], judge.bse["pay"]], rel=1e-6)


@pytest.mark.parametrize("link", ["logit", "cloglog"])
def test_fractional_weights_weight_the_likelihood_as_in_r(link):
    rows = quarters(4).assign(weight=lambda frame: 0.25 + (np.arange(len(frame)) % 7) / 3)
    family = sm.families.Binomial(sm.families.links.Logit() if link == "logit" else sm.families.links.CLogLog())
    x = sm.add_constant((rows["certificate"] != "none").astype(float))
    judge = sm.GLM(rows["left"], x, family, freq_weights=rows["weight"]).fit(tol=1e-14)
    held = rows.assign(certified=np.where(rows["certificate"] != "none", "yes", "no"))
    model = retention.hazard(held, event="left", drivers=["certified"], weights="weight", link=link)
    np.testing.assert_allclose(model.coefficients["estimate"], judge.params, atol=1e-9)
    np.testing.assert_allclose(model.coefficients["se"], judge.bse, atol=1e-9)
    assert model.n_rows == len(rows)


def test_fractional_weights_are_not_cut_off_in_a_life_table():
    rows = pd.DataFrame({"tenure_quarters": [0, 0, 1, 1], "left": [0, 1, 0, 1], "w": [6.5, 1.25, 4.5, 2.0]})
    table = retention.life_table(rows, weights="w").table
    assert table["at_risk"].tolist() == [7.75, 6.5]
    assert table["events"].tolist() == [1.25, 2.0]
    assert table["hazard"].tolist() == pytest.approx([1.25 / 7.75, 2 / 6.5])
    halves = retention.life_table(rows.assign(w=rows["w"] * 100), weights="w").table
    assert halves["hazard"].tolist() == pytest.approx(table["hazard"].tolist())


def test_firths_intervals_are_those_of_the_profile_and_its_p_the_likelihood_ratios():
    model = retention.hazard(case("firth"), event="left", drivers=["x", "z"], penalty="firth")
    row = coefficient(model, "z")
    assert row["estimate"] == pytest.approx(3.6534, abs=5e-5)
    assert row[["ci_low", "ci_high"]].tolist() == pytest.approx([1.478, 8.540], abs=5e-4)
    assert row["p_value"] == pytest.approx(0.0001, abs=5e-5)
    assert row["ratio_low"] == pytest.approx(np.exp(row["ci_low"]))


def test_firths_profile_stays_finite_where_nobody_leaves():
    rows = pd.DataFrame({"k": ["a"] * 12 + ["b"] * 8, "left": [1, 0] * 6 + [0] * 8})
    row = coefficient(retention.hazard(rows, event="left", drivers=["k"], penalty="firth"), "k", "b")
    assert np.isfinite(row[["ci_low", "ci_high", "p_value"]].astype(float)).all()
    assert row["ci_low"] < row["estimate"] < row["ci_high"] < 0


# Curves: one half, few at the start


def test_a_curve_at_exactly_one_half_has_r_s_median():
    curves = retention.survival(spells("median_half"), until="2025Q4")
    assert curves.groups["median"].tolist() == pytest.approx([3.422], abs=5e-4)


@pytest.mark.parametrize("n", [2, 6, 10, 14, 22, 26, 34])
def test_rounding_never_moves_a_median(n):
    curve = kaplan_meier(np.zeros(n), np.arange(1.0, n + 1), np.ones(n))
    assert median_time(curve) == (n / 2 + n / 2 + 1) / 2


def test_a_curve_that_starts_from_two_people_says_so_and_can_start_later():
    workers = spells("early_risk_set")
    curves = retention.survival(workers, until="2021Q4", since="2019Q1")
    assert any("only 2 of up to 30 are at risk" in note and "start=" in note for note in curves.warnings)
    later = retention.survival(workers, until="2021Q4", since="2019Q1", start=2)
    assert later.warnings == ()
    assert later.groups["retained_3"].iloc[0] == 1
    assert later.groups["events"].tolist() == [6]
    with pytest.raises(ParameterError, match="start=-1"):
        retention.survival(workers, until="2021Q4", start=-1)


def test_a_full_risk_set_from_the_first_day_needs_no_warning():
    workers = spells("median_half")
    assert retention.survival(workers, until="2025Q4").warnings == ()


def test_the_log_rank_test_is_coxs_score_test_with_late_entry():
    draw = np.random.default_rng(8)
    entry = draw.random(200)
    rows = pd.DataFrame({"entry": entry, "exit": entry + draw.exponential(1, 200), "e": draw.integers(0, 2, 200)})
    group = pd.Series(draw.choice(["a", "b"], 200))
    found = logrank(rows["entry"], rows["exit"], rows["e"], group)
    from institute_lib.retention.cox import RiskSets

    x = (group == "b").to_numpy(float)[:, None]
    sets = RiskSets.lay_out(rows["entry"].to_numpy(), rows["exit"].to_numpy(), rows["e"] == 1, x, efron=False)
    at_none = sets.evaluate(np.zeros(1))
    assert found["chi2"] == pytest.approx(float(at_none.score[0] ** 2 / at_none.information[0, 0]))
    assert found["df"] == 1


def test_a_restricted_mean_is_the_area_under_the_curve():
    curve = kaplan_meier(np.zeros(4), np.array([1.0, 2, 3, 4]), np.array([1, 0, 1, 0]))
    mean, se = restricted_mean(curve, 4.0)
    assert mean == pytest.approx(1 + 0.75 * 2 + 0.375)
    assert se == pytest.approx(np.sqrt((0.75 * 2 + 0.375) ** 2 / (4 * 3) + 0.375**2 / 2))


def test_groups_are_compared_beside_their_curves():
    days = pd.to_datetime("2015-01-05") + pd.to_timedelta(np.arange(1, 61) * 20, unit="D")
    workers = pd.DataFrame(
        {"worker_id": [f"w{i}" for i in range(60)], "entered": pd.Timestamp("2015-01-05"), "left": days}
    )
    workers = workers.assign(education=np.where(np.arange(60) < 30, "secondary", "bachelor"))
    curves = retention.survival(workers, by="education", until="2025Q4")
    assert curves.groups["group"].tolist() == ["secondary", "bachelor"], "in the contract's order"
    assert curves.logrank["p_value"] < 0.001
    assert "p=<0.001" in curves.difference().replace(" ", "")
    assert curves.restricted["mean"].is_monotonic_increasing
    assert retention.survival(workers, until="2025Q4").logrank is None


# Partial pooling


def test_the_mean_that_districts_lean_on_is_estimated_with_them():
    found = retention.pooled(case("pooled"), event="left", drivers=["x"], weights="n")
    assert found.mean["estimate"].iloc[0] == pytest.approx(-2.82, abs=5e-3)
    assert found.spread["tau"].iloc[0] == pytest.approx(0.29, abs=5e-3)
    assert found.model("d7").coefficients["estimate"].iloc[0] == pytest.approx(-2.73, abs=5e-3)


# What stopped the notebook


@pytest.mark.parametrize("order", [["subsidy", "certificate"], ["certificate", "subsidy"]])
def test_a_subsidy_that_follows_the_certificate_leaves_one_of_them_out(order):
    rows = quarters(5)
    rows["subsidy"] = np.where(rows["certificate"] == "social_worker", "yes", "no")
    kept, reasons = retention.usable_drivers(rows, event="left", drivers=order)
    assert kept == (order[0],)
    assert set(reasons) == {order[1]}
    retention.hazard(rows, event="left", drivers=kept)
    everything = retention.local(rows, area="320601", event="left", drivers=["certificate"])
    assert everything.basis in ("own", "pooled", "city")


def test_levels_that_are_missing_together_do_not_stop_the_model():
    rows = quarters(6)
    gone = rows.index % 9 == 0
    for name in ("a", "b"):
        rows[name] = np.where(gone, "unknown", np.random.default_rng(ord(name)).choice(["x", "y"], len(rows)))
    kept, reasons = retention.usable_drivers(rows, event="left", drivers=["a", "b"], language="en")
    assert kept == ("a",)
    assert "cannot be told apart" in reasons["b"]
    retention.hazard(rows, event="left", drivers=kept)


def test_a_calibration_that_diverges_is_missing_with_a_reason():
    rows = pd.DataFrame({"k": ["a"] * 40 + ["b"] * 40, "left": ([1] + [0] * 39) + ([0] + [1] * 39)})
    model = retention.hazard(rows, event="left", drivers=["k"])
    later = pd.DataFrame({"k": ["a"] * 5 + ["b"] * 5, "left": [0] * 5 + [1] * 5})
    judged = retention.judge(model, later)
    assert judged.auc == 1
    assert np.isnan(judged.slope)
    assert "no finite line" in judged.warnings[0]


def workers_of(zone: str | None) -> pd.DataFrame:
    entered = pd.Series(pd.to_datetime(["2020-01-01", "2020-04-01", "2021-01-01", "2021-07-01"]))
    left = pd.Series(pd.to_datetime(["2022-07-01", None, "2023-03-31", None]))
    if zone:
        entered, left = (one.dt.tz_localize("Asia/Shanghai").dt.tz_convert(zone) for one in (entered, left))
    frame = pd.DataFrame({"worker_id": list("abcd"), "entered": entered, "left": left})
    reasons = ["left_field", None, "retired", None]
    return frame.assign(leave_reason=reasons, district="320613", station="s1", birth_year=1990)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "UTC"])
def test_days_with_a_time_zone_are_days_of_chinas_calendar(zone):
    plain, zoned = workers_of(None), workers_of(zone)
    changes = pd.DataFrame({"worker_id": ["a"], "date": plain["entered"].head(1), "caseload": [Decimal("30.5")]})
    aware = changes.assign(date=zoned["entered"].head(1))
    pd.testing.assert_frame_equal(
        retention.person_quarters(zoned, until="2024Q4", changes=aware),
        retention.person_quarters(plain, until="2024Q4", changes=changes),
    )
    pd.testing.assert_frame_equal(
        retention.rates(zoned, quarter="2022Q4"), retention.rates(plain, quarter="2022Q4"), check_dtype=False
    )
    for analyse in (retention.survival, retention.cumulative_incidence):
        pd.testing.assert_frame_equal(analyse(zoned, until="2024Q4").table, analyse(plain, until="2024Q4").table)
    assert len(retention.tenure_spells(zoned, until="2024Q4", changes=aware)) == 4


def test_decimals_are_numbers():
    rows = quarters(7)
    decimals = rows.assign(pay=[Decimal(f"{one:.2f}") for one in rows["pay"]])
    floats = rows.assign(pay=rows["pay"].round(2))
    one, other = (retention.hazard(data, event="left", drivers=["pay"]).coefficients for data in (decimals, floats))
    pd.testing.assert_frame_equal(one, other)
    banded = retention.band(decimals, pay=(5000, 6000))
    assert banded["pay_band"].tolist() == retention.band(floats, pay=(5000, 6000))["pay_band"].tolist()


@pytest.mark.parametrize("name", ["月薪(元)", "月薪（元）", "pay:net", "C(pay)", "a*b"])
def test_a_column_is_taken_by_its_name_whatever_signs_it_holds(name, tmp_path):
    rows = quarters(8)
    named = rows.rename(columns={"pay": name})
    plain = retention.hazard(rows, event="left", drivers=["certificate*pay", "pay**2"]).coefficients
    odd = retention.hazard(named, event="left", drivers=[f"certificate*{name}", f"{name}**2"])
    np.testing.assert_allclose(odd.coefficients["estimate"], plain["estimate"], rtol=1e-9)
    named.to_parquet(tmp_path / "rows.parquet")
    from_file = retention.hazard(tmp_path, event="left", drivers=[name])
    assert from_file.coefficients["term"].tolist() == ["intercept", name]


def test_whole_numbers_too_large_for_a_float_still_make_levels_and_periods():
    rows = quarters(9).assign(period=lambda frame: 10**17 + frame["quarter"].str[-1].astype("int64"))
    model = retention.hazard(rows, event="left", drivers=["C(period)"])
    assert model.levels["level"].tolist() == [str(10**17 + at) for at in range(1, 5)]
    table = retention.life_table(rows, tenure="period", origin=10**17 + 1).table
    assert table["time"].tolist() == [1, 2, 3, 4]


# Levels, ways out, and the level at which a driver is set


def test_reference_levels_come_from_the_contract_and_not_the_alphabet():
    levels = retention.hazard(quarters(1), event="left", drivers=["certificate"]).levels
    assert levels["level"].tolist() == ["none", "assistant", "social_worker"]
    assert levels["reference"].tolist() == [True, False, False]


def test_thin_levels_join_a_neighbour_and_are_named():
    rows = quarters(2)
    caseload = np.where(np.arange(len(rows)) < 30, 55, np.where(np.arange(len(rows)) % 2, 25, 35))
    rows = retention.band(rows.assign(caseload=caseload), caseload=(30, 40, 50))
    rows.loc[rows["caseload"] == 55, "left"] = 0
    alone, _ = retention.usable_drivers(rows, event="left", drivers=["caseload_band"])
    assert alone == ()
    merged, notes = retention.merge_thin(rows, event="left", drivers=["caseload_band", "certificate"], language="en")
    assert list(notes) == ["caseload_band"]
    assert "30-40 + ≥50" in notes["caseload_band"]
    assert retention.usable_drivers(merged, event="left", drivers=["caseload_band"])[0] == ("caseload_band",)
    assert "30-40 + ≥50" in retention.hazard(merged, event="left", drivers=["caseload_band"]).levels["level"].tolist()


def test_each_way_out_has_a_hazard_of_its_own():
    rows = quarters(1)
    reason = np.random.default_rng(1).choice(["left_field", "retired", "promoted_away"], len(rows))
    rows = rows.assign(leave_reason=np.where(rows["left"] == 1, reason, None))
    exits = retention.exit_columns(rows)
    assert exits.attrs["exits"] == ("left_field", "promoted_away", "retired")
    assert (exits[list(exits.attrs["exits"])].sum(axis=1) == exits["left"]).all()
    model = retention.hazard(exits, event="left_field", drivers=["certificate"])
    assert model.n_rows == len(rows)
    assert model.n_events == (rows["leave_reason"] == "left_field").sum()


def test_the_calendar_can_stand_in_the_baseline():
    rows = retention.person_quarters(workers_of(None), until="2023Q2")
    assert rows.loc[rows["worker_id"] == "a", "season"].astype(str).head(4).tolist() == ["Q1", "Q2", "Q3", "Q4"]
    assert set(rows["year"]) == {2020, 2021, 2022, 2023}


def subsidised(seed: int, treated: int = 4) -> pd.DataFrame:
    """Nine districts that differ by chance; some pay a subsidy, which does nothing."""
    draw = np.random.default_rng(seed)
    level, paid = draw.normal(0, 0.2, 9), draw.permutation(9) < treated
    person = np.repeat(np.arange(9 * 200), 6)
    rows = pd.DataFrame({"worker_id": person, "district": person // 200, "quarter": np.tile(np.arange(6), 9 * 200)})
    chance = 1 / (1 + np.exp(2.9 - level[rows["district"]]))
    rows["left"] = (draw.random(len(rows)) < chance).astype(int)
    rows = rows[rows.groupby("worker_id")["left"].cumsum() - rows["left"] == 0]
    own = draw.choice(["x", "y"], 9 * 200)[rows["worker_id"]]
    return rows.assign(subsidy=np.where(paid[rows["district"]], "yes", "no"), own=own).reset_index(drop=True)


def test_the_level_at_which_a_driver_is_set_is_found():
    found = retention.assignment(subsidised(0), drivers=["subsidy", "own"]).set_index("driver")
    assert found["level"].to_dict() == {"subsidy": "district", "own": "worker_id"}
    rows = subsidised(1).assign(certificate=lambda frame: np.where(frame["own"] == "x", "none", "senior"))
    rows["subsidy"] = np.where((rows["own"] == "x") & (rows["quarter"] > 2), rows["subsidy"], "no")
    found = retention.assignment(rows, drivers=["subsidy", "certificate"]).set_index("driver")
    assert found.at["subsidy", "level"] == "district", "also where only some of its persons, and later, are paid"
    assert found.at["certificate", "level"] == "worker_id"


def test_errors_cluster_at_the_level_at_which_each_driver_is_set():
    model = retention.hazard(subsidised(3), event="left", drivers=["subsidy", "own"], cluster="assignment")
    table = model.coefficients.set_index("term")
    assert table["clustered_by"].to_dict() == {"intercept": "worker_id", "subsidy": "district", "own": "worker_id"}
    assert table.at["subsidy", "clusters"] == 9
    plain = retention.hazard(subsidised(3), event="left", drivers=["subsidy", "own"], cluster="district")
    assert coefficient(plain, "subsidy", "yes")["se"] == pytest.approx(table.at["subsidy", "se"], rel=1e-9)
    effect = model.marginal_effects.set_index("term")
    assert effect.at["subsidy", "p_value"] == pytest.approx(table.at["subsidy", "p_value"], abs=0.02)


def test_errors_by_person_warn_of_a_driver_that_districts_set():
    narrow = retention.hazard(subsidised(3), event="left", drivers=["subsidy", "own"], cluster="worker_id")
    assert any("subsidy is set by district (9 of them)" in note for note in narrow.warnings)


def test_a_driver_that_changes_everywhere_at_once_says_that_no_clustering_covers_it():
    rows = subsidised(3).assign(
        subsidy=lambda frame: np.where((frame["quarter"] > 2) & (frame["own"] == "x"), "yes", "no")
    )
    model = retention.hazard(rows, event="left", drivers=["subsidy", "own"], cluster="assignment")
    assert any(note.startswith("subsidy changed everywhere at once") for note in model.warnings)
    assert not any(note.startswith("own changed") for note in model.warnings)


def test_a_driver_of_one_district_alone_gets_no_p_value():
    model = retention.hazard(subsidised(5, treated=1), event="left", drivers=["subsidy", "own"], cluster="assignment")
    assert np.isnan(coefficient(model, "subsidy", "yes")[["se", "p_value"]].astype(float)).all()
    assert any("rests on one of the 9 clusters by 'district' alone" in note for note in model.warnings)
    assert np.isfinite(coefficient(model, "own", "y")["p_value"])


def test_a_driver_set_by_district_is_falsely_found_about_as_often_as_the_level_says():
    from scipy.stats import binom

    draws, found = 150, 0
    for seed in range(draws):
        model = retention.hazard(subsidised(seed), event="left", drivers=["subsidy"], cluster="assignment")
        found += coefficient(model, "subsidy", "yes")["p_value"] < 0.05
    assert binom.sf(found - 1, draws, 0.05) > 0.001, f"{found} of {draws}"


def test_a_finding_that_was_picked_is_given_the_wider_interval():
    rows = quarters(2)
    for at in range(8):
        rows[f"d{at}"] = np.random.default_rng(100 + at).choice(["x", "y"], len(rows))
    model = retention.hazard(rows, event="left", drivers=[f"d{at}" for at in range(8)])
    assert "no driver has a clear association" in model.summary("en")
    assert "8 comparisons" in model.summary("en")
    rows["strong"] = np.where(np.random.default_rng(0).random(len(rows)) < 0.2 + 0.5 * rows["left"], "yes", "no")
    clear = retention.hazard(rows, event="left", drivers=["strong", "d0", "d1"])
    assert "the clearest association with leaving is strong" in clear.summary("en")


# Errors


def test_faults_are_written_with_plain_numbers():
    rows = quarters(1).assign(left=lambda frame: frame["left"].where(frame.index != 5, 3))
    spell = pd.DataFrame({"t0": [0.0, 5.0], "t1": [1.0, 4.0], "e": [1, 1], "x": [0, 1]})
    for refused in (
        lambda: retention.hazard(rows, event="left", drivers=["pay"]),
        lambda: retention.judge(retention.hazard(quarters(1), event="left", drivers=["pay"]), rows),
        lambda: retention.cox(spell, entry="t0", exit="t1", event="e", drivers=["x"]),
        lambda: retention.life_table(pd.DataFrame({"tenure_quarters": [1, 2], "left": [0, 7]})),
    ):
        with pytest.raises(DataError, match="row") as wrong:
            refused()
        assert "np." not in str(wrong.value)


def test_drivers_may_be_given_once_only():
    rows = quarters(1)
    model = retention.hazard(rows, event="left", drivers=(name for name in ["certificate", "pay"]), cluster="station")
    assert set(model.coefficients["term"]) == {"intercept", "certificate", "pay"}
