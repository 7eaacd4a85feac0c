"""What may be shown: small cells hidden, totals that give nothing away, results without small groups."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from institute_lib import disclosure, retention, sharing
from institute_lib.disclosure import show
from institute_lib.disclosure.attack import bounds
from institute_lib.disclosure.structure import equations
from institute_lib.errors import DisclosureError, ParameterError
from institute_lib.result import Provenance, with_provenance
from institute_lib.sharing import Read


def cells(counts: np.ndarray) -> pd.DataFrame:
    """A table with its totals, one row a cell."""
    frame = pd.DataFrame(
        counts, index=[f"r{i}" for i in range(counts.shape[0])], columns=[f"c{j}" for j in range(counts.shape[1])]
    )
    frame["total"] = frame.sum(axis=1)
    frame.loc["total"] = frame.sum()
    return frame.rename_axis("row").reset_index().melt("row", var_name="column", value_name="n")


def protected(counts: np.ndarray, **options) -> disclosure.SafeTable:
    return disclosure.protect(cells(counts), rows="row", columns="column", value="n", **options)


def state(safe: disclosure.SafeTable, row: str, column: str) -> str:
    frame = safe.to_frame()
    return frame.loc[(frame["row"] == row) & (frame["column"] == column), "status"].item()


def test_a_cell_below_ten_is_hidden_and_one_of_ten_is_shown():
    safe = disclosure.protect(pd.DataFrame({"district": ["a", "b", "c"], "n": [9, 10, 0]}), rows="district", value="n")
    assert list(safe.status) == ["primary", "shown", "shown"]
    assert np.isnan(safe.frame["n"][0])


def test_a_single_blank_cannot_be_subtracted_back_from_the_totals():
    counts = np.array([[4, 30, 40], [25, 60, 33], [31, 22, 70]])
    unprotected = cells(counts).set_index(["row", "column"])["n"]
    assert unprotected["r0", "total"] - unprotected["r0", "c1"] - unprotected["r0", "c2"] == 4  # the attack
    frame = protected(counts).to_frame()
    hidden = frame["status"].isin(["primary", "secondary"]).to_numpy()
    assert hidden.sum() == 4
    found = bounds(equations(frame[["row", "column"]]), cells(counts)["n"].to_numpy(float), hidden)
    low, high = found[int(np.flatnonzero(frame["status"] == "primary")[0])]
    assert (low, high >= 10) == (0, True)
    assert state(protected(counts), "total", "total") == "shown"


def test_the_city_total_counts_as_the_sum_of_its_districts():
    frame = pd.DataFrame({"district": ["320612", "320613", "320614", "320600"], "n": [3, 50, 40, 93]})
    states = list(disclosure.protect(frame, rows="district", value="n").status)
    assert states == ["primary", "shown", "secondary", "shown"]


def test_blanks_of_one_total_hold_at_least_ten_persons_together():
    frame = pd.DataFrame({"level": ["a", "b", "c", "total"], "n": [1, 2, 50, 53]})
    safe = disclosure.protect(frame, rows="level", value="n")
    assert list(safe.status) == ["primary", "primary", "secondary", "shown"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=12, max_size=12))
def test_an_attacker_finds_everything_from_nobody_to_ten_possible_for_a_small_cell(numbers):
    counts = np.array(numbers).reshape(4, 3)
    frame = protected(counts).to_frame()
    hidden = frame["status"].isin(["primary", "secondary"]).to_numpy()
    true = cells(counts)["n"].to_numpy(float)
    assert frame.loc[~hidden, "n"].to_numpy() == pytest.approx(true[~hidden])  # what is shown is true, totals too
    small = [i for i in range(len(true)) if 0 < true[i] < 10]
    assert hidden[small].all()
    for low, high in bounds(equations(frame[["row", "column"]]), true, hidden, small).values():
        assert low <= 1e-6
        assert high >= 10 - 1e-6


def test_a_rate_is_hidden_when_its_denominator_is_small():
    frame = pd.DataFrame({"district": ["a", "b"], "rate": [0.5, 0.2], "heads": [8, 120]})
    safe = disclosure.protect(frame, rows="district", value=("rate", "heads"), contributors="heads")
    assert safe.frame.loc[0, ["rate", "heads"]].isna().all()
    assert safe.frame.loc[1, "rate"] == 0.2


def test_a_rate_without_its_denominator_is_refused():
    frame = pd.DataFrame({"district": ["a", "b"], "rate": [0.5, 0.2]})
    with pytest.raises(ParameterError, match="contributors"):
        disclosure.protect(frame, rows="district", value="rate")


def test_fewer_than_three_employers_hide_a_cell():
    frame = pd.DataFrame({"district": ["a", "b"], "n": [40, 50], "firms": [2, 3]})
    safe = disclosure.protect(frame, rows="district", value="n", employers="firms")
    assert list(safe.status) == ["primary", "shown"]


def test_persons_are_counted_when_one_row_is_a_person():
    people = pd.DataFrame({"district": ["a"] * 12 + ["b"] * 3, "worker_id": [f"w{i}" for i in range(15)]})
    safe = disclosure.protect(people, rows="district", value="count")
    assert list(safe.frame["count"].fillna(-1)) == [12, -1]
    twice = disclosure.protect(pd.concat([people, people]), rows="district", value="count", contributors="worker_id")
    assert list(twice.status) == ["shown", "primary"]


def test_weighted_counts_are_tested_unweighted():
    people = pd.DataFrame({"district": ["a"] * 4, "weight": [100.0] * 4})
    safe = disclosure.protect(people, rows="district", value="count", weights="weight")
    assert list(safe.status) == ["primary"]


def test_what_a_linked_table_hides_is_hidden_here_too():
    first = pd.DataFrame({"district": ["a", "b"], "n": [5, 80]})
    second = pd.DataFrame({"district": ["a", "b"], "n": [60, 80]})
    safe = disclosure.protect(
        second, rows="district", value="n", linked=[disclosure.protect(first, rows="district", value="n")]
    )
    assert list(safe.status) == ["secondary", "shown"]


def test_a_district_that_has_not_reported_is_missing_and_not_small():
    frame = pd.DataFrame({"district": ["a", "b"], "n": [np.nan, 50]})
    safe = disclosure.protect(frame, rows="district", value="n")
    assert list(safe.status) == ["missing", "shown"]
    assert show.view(safe, "zh")["rows"][0][-1] == "未报送"


def test_rounding_gives_multiples_of_five_and_refuses_rates():
    frame = pd.DataFrame({"district": ["a", "b", "c"], "n": [2, 13, 48]})
    safe = disclosure.protect(frame, rows="district", value="n", method="round")
    assert (safe.frame["n"] % 5 == 0).all()
    assert (safe.frame["n"] - frame["n"]).abs().max() <= 2.5
    with pytest.raises(ParameterError, match="suppress"):
        disclosure.protect(frame.assign(rate=0.31), rows="district", value="rate", contributors="n", method="round")


def test_two_rows_for_one_cell_are_refused():
    frame = pd.DataFrame({"district": ["a", "a"], "n": [20, 30]})
    with pytest.raises(DisclosureError, match="two rows"):
        disclosure.protect(frame, rows="district", value="n")


@pytest.mark.parametrize("wrong", [{"rows": "distrct"}, {"method": "blur"}, {"threshold": 1}])
def test_wrong_options_are_refused_by_name(wrong):
    frame = pd.DataFrame({"district": ["a"], "n": [20]})
    options = {"rows": "district", "value": "n"} | wrong
    with pytest.raises(ParameterError):
        disclosure.protect(frame, **options)


def test_nobody_else_can_make_a_safe_table_or_result():
    safe = protected(np.full((2, 2), 50))
    with pytest.raises(DisclosureError, match=r"disclosure\.protect"):
        disclosure.SafeTable(
            object(),
            data=safe.frame,
            rows=("row",),
            columns=(),
            values=("n",),
            states=safe.status,
            method="suppress",
            threshold=10,
        )
    with pytest.raises(DisclosureError):
        disclosure.SafeResult(None, kind="hazard", tables={}, numbers={}, sentences={}, threshold=10)
    with pytest.raises((DisclosureError, ValueError, TypeError)):
        replace(safe, data=cells(np.ones((2, 2))))


def test_changing_what_a_safe_table_hands_out_changes_nothing():
    safe = protected(np.full((2, 2), 50))
    handed_out = safe.frame
    handed_out["n"] = 1
    assert safe.frame["n"].min() == 50


def test_an_exemption_needs_a_reason_and_a_source_and_no_person():
    facts = pd.DataFrame({"city": ["320600"], "passes": [3671]})
    safe = disclosure.exempt(facts, reason="published", source="article")
    assert list(safe.status) == ["exempt"]
    with pytest.raises(ParameterError):
        disclosure.exempt(facts, reason="small", source="article")
    with pytest.raises(DisclosureError, match="source"):
        disclosure.exempt(facts, reason="published", source="")
    with pytest.raises(DisclosureError, match="worker_id"):
        disclosure.exempt(facts.assign(worker_id="w1"), reason="not_personal", source="register")


def test_notes_say_in_plain_words_what_was_hidden():
    safe = protected(np.array([[4, 30], [25, 60]]))
    assert "为保护个人信息，n<10 未列出" in " ".join(safe.notes("zh"))
    assert "n<10" in " ".join(safe.notes("en"))
    assert str(safe.hidden) in safe.summary("en")


def test_a_table_marks_demo_data_from_what_it_was_read_from():
    demo = Provenance([Read("tables", "workers", source="demo", personal=True)])
    frame = with_provenance(pd.DataFrame({"district": ["a"], "n": [20]}), demo)
    assert disclosure.protect(frame, rows="district", value="n").demo
    counted = frame.groupby("district").size().rename("n").reset_index()
    sharing.note_read(demo.reads[0])
    assert disclosure.protect(counted, rows="district", value="n").demo  # lost: all that the job has read


def test_csv_cells_hold_no_live_formula():
    for text in ("=1+1", "+1", "-1", "@x", "\t=1", " =1", "＝1"):
        assert show.csv_text(text).startswith("'")
    assert show.csv_cell("1,234", numeric=True) == "1234"
    assert show.csv_cell("−0.5", numeric=True) == "-0.5"
    assert show.csv_cell("-2+3", numeric=True) == "'-2+3"


# results


@dataclass(frozen=True)
class HazardModel:
    coefficients: pd.DataFrame
    levels: pd.DataFrame
    n_rows: int = 900
    n_events: int = 100
    warnings: tuple[str, ...] = ()

    def summary(self, language: str = "zh") -> str:
        return " ".join(self.coefficients["term"])

    def to_frame(self) -> pd.DataFrame:
        return self.coefficients


@dataclass(frozen=True)
class PilotEffect:
    path: pd.DataFrame
    att: float = 1.0
    ci: tuple[float, float] = (0.5, 1.5)
    warnings: tuple[str, ...] = ()

    def summary(self, language: str = "zh") -> str:
        return "effect"

    def to_frame(self) -> pd.DataFrame:
        return self.path


def model(reference_rows: int = 300, events: int = 20) -> HazardModel:
    terms_ = ["intercept", "kind", "education"]
    coefficients = pd.DataFrame({"term": terms_, "level": ["", "agency", "master"], "estimate": [-3.0, 0.4, 0.1]})
    levels = pd.DataFrame(
        {
            "term": ["kind", "kind", "education", "education"],
            "level": ["community", "agency", "college", "master"],
            "rows": [reference_rows, 200, 300, 200],
            "events": [30, events, 30, 25],
            "reference": [True, False, True, False],
        }
    )
    return HazardModel(coefficients, levels)


def test_a_model_of_large_groups_passes_whole():
    safe = disclosure.protect_result(model())
    assert list(safe.frames["coefficients"]["term"]) == ["intercept", "kind", "education"]
    assert safe.hidden == ()
    assert safe.notes() == ()


@pytest.mark.parametrize("small", [{"reference_rows": 1}, {"events": 3}])
def test_a_driver_with_one_small_group_leaves_the_model_and_its_sentence(small):
    safe = disclosure.protect_result(model(**small))
    assert list(safe.frames["coefficients"]["term"]) == ["education"]
    assert "kind" not in safe.summary()
    assert "10" in safe.notes("en")[0]


def test_a_driver_that_leaves_a_hazard_leaves_its_effects_in_people_too():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"kind": rng.choice(["a", "b"], 4000), "certificate": ["none"] * 3995 + ["senior"] * 5})
    rows["left"] = (rng.random(4000) < 0.1) | (rows.index >= 3998)
    fitted = retention.hazard(rows, event="left", drivers=["kind", "certificate"])
    assert "certificate" in set(fitted.marginal_effects["term"])  # the attack: three of five stayed
    safe = disclosure.protect_result(fitted)
    for name, frame in safe.frames.items():
        assert set(frame["term"]) == {"kind"}, name


def test_a_one_person_dummy_and_the_intercept_are_that_persons_pay_and_do_not_leave():
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(0)
    people = pd.DataFrame({"kind": ["community"] * 60 + ["agency"] * 40 + ["school"], "age": rng.integers(22, 60, 101)})
    people["pay"] = rng.normal(6000, 500, 101).round()
    fitted = smf.ols("pay ~ C(kind, Treatment('community'))", people).fit()
    assert fitted.params.iloc[0] + fitted.params.iloc[2] == pytest.approx(people["pay"].iloc[-1])  # the attack
    safe = disclosure.protect_result(fitted)
    assert safe.to_frame().empty
    assert safe.hidden
    with_age = disclosure.protect_result(smf.ols("pay ~ C(kind) + age", people).fit())
    assert list(with_age.to_frame()["term"]) == ["age"]
    enough = people[people["kind"] != "school"]
    assert len(disclosure.protect_result(smf.ols("pay ~ C(kind) + age", enough).fit()).to_frame()) == 3


def test_a_product_of_dummies_that_only_one_person_has_leaves_the_model():
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(0)
    people = pd.DataFrame({"a": [0] * 50 + [1] * 50, "b": [0] * 30 + [1] * 20 + [0] * 49 + [1]})
    people["pay"] = rng.normal(6000, 500, 100)
    shown = disclosure.protect_result(smf.ols("pay ~ a * b", people).fit()).to_frame()
    assert list(shown["term"]) == ["a", "b"]


def test_the_reference_group_counts_where_a_model_lists_only_the_others():
    coefficients = pd.DataFrame(
        {"term": ["kind"], "level": ["agency"], "estimate": [0.4], "rows": [895], "events": [80]}
    )
    known = replace(model(), coefficients=coefficients, levels=None, n_rows=900, n_events=100)
    assert disclosure.protect_result(known).to_frame().empty  # five rows are left for the reference


def test_a_model_that_does_not_say_its_group_sizes_is_refused():
    with pytest.raises(DisclosureError, match="sizes"):
        disclosure.protect_result(replace(model(), levels=pd.DataFrame({"term": ["kind"]})))


def test_a_curve_shows_no_single_leaver_and_ends_where_few_remain():
    """km_steps: 35 people of whom nine leave in a year, then as many again."""
    entered = pd.Timestamp("2020-01-01")
    days = [40, 120, 150, 230, 250, 260, 300, 330, 340, *range(370, 1270, 100)]
    left = [entered + pd.Timedelta(days=day) for day in days] + [pd.NaT] * (35 - len(days))
    people = {"worker_id": [f"w{i}" for i in range(35)], "entered": entered, "left": left}
    curves = retention.survival(pd.DataFrame(people), until="2025Q4", since="2019Q1")
    shown = disclosure.protect_result(curves).data
    assert shown.loc[shown["time"] < 1, "survival"].isna().all()  # nine leavers: a bound, no step
    known = shown.loc[shown["survival"].notna(), "survival"]
    assert known.nunique() > 1
    whole_fives = [k / n for n in range(10, 60, 5) for k in range(0, n + 1, 5)]
    assert all(np.isclose(value, whole_fives).any() for value in known)


def test_a_path_of_too_few_persons_is_refused_and_an_unchecked_one_says_so():
    path = pd.DataFrame({"period": ["2024Q1"], "observed": [0.9], "counterfactual": [0.8], "gap": [0.1]})
    few = pd.Series([4], index=[("320613", "2024Q1")])
    with pytest.raises(DisclosureError, match="320613"):
        disclosure.protect_result(PilotEffect(path), contributors=few)
    assert disclosure.protect_result(PilotEffect(path), contributors=few * 10).notes("en") == ()
    assert disclosure.protect_result(PilotEffect(path)).notes("en")


def test_a_result_of_another_kind_is_refused():
    with pytest.raises(ParameterError, match="DataFrame"):
        disclosure.protect_result(pd.DataFrame())


def test_a_table_without_rows_is_an_empty_safe_table():
    table = pd.DataFrame({"year": [], "rate": [], "persons": []})
    safe = disclosure.protect(table, rows="year", value=["rate", "persons"], contributors="persons", source="x")
    assert safe.frame.empty
    assert safe.hidden == 0


def test_a_difference_of_shares_is_shown_in_percentage_points_and_its_head_says_so():
    table = disclosure.exempt(
        pd.DataFrame({"outcome": ["certified_share"], "att": [0.0458], "change": [-0.004]}),
        reason="published",
        rows="outcome",
        value=["att", "change"],
        units={"att": "points", "change": "points"},
        source="s",
    )
    shown = show.view(table, "zh")
    assert shown["rows"] == [["社区工作者持证率", "4.6", "−0.4"]]
    assert [column["label"][-5:] for column in shown["columns"][1:]] == ["（百分点）"] * 2
    assert table.figure("change", outcome="certified_share").value == -0.004
