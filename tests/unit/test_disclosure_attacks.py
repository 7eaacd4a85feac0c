"""Each attack first succeeds on the unprotected output, then fails on the protected one."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from institute_lib import disclosure
from institute_lib.disclosure.attack import bounds
from institute_lib.disclosure.structure import equations
from institute_lib.errors import DisclosureError, ParameterError

HIDDEN = ["primary", "secondary"]


def with_totals(counts: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame(
        counts, index=[f"r{i}" for i in range(counts.shape[0])], columns=[f"c{j}" for j in range(counts.shape[1])]
    )
    frame["total"] = frame.sum(axis=1)
    frame.loc["total"] = frame.sum()
    return frame.rename_axis("row").reset_index().melt("row", var_name="column", value_name="n")


def protect(counts: np.ndarray) -> disclosure.SafeTable:
    return disclosure.protect(with_totals(counts), rows="row", columns="column", value="n")


def attack(table: pd.DataFrame, keys: list[str], figure: str, hidden: np.ndarray) -> dict[int, tuple[float, float]]:
    return bounds(equations(table[keys]), table[figure].to_numpy(float), np.asarray(hidden, bool))


# the attacks on tables


def test_city_minus_districts_gives_the_blank_district_and_protected_it_does_not():
    codes = ["320600", "320612", "320613", "320614", "320681"]
    table = pd.DataFrame({"district": codes, "n": [160, 7, 60, 41, 52]})
    blank = (table["n"] < 10).to_numpy()
    assert attack(table, ["district"], "n", blank)[1] == pytest.approx((7, 7))  # hiding the small cell alone
    safe = disclosure.protect(table, rows="district", value="n")
    low, high = attack(table, ["district"], "n", safe.status.isin(HIDDEN))[1]
    assert (low, high >= 10) == (0, True)
    assert safe.frame["n"][0] == 160  # the true total stays


@pytest.mark.parametrize("word", ["合计", "All", "Total", "总计"])
def test_a_total_is_known_by_its_word(word):
    table = pd.DataFrame({"level": ["a", "b", "c", word], "n": [4, 50, 60, 114]})
    assert list(disclosure.protect(table, rows="level", value="n").status) == [
        "primary",
        "secondary",
        "shown",
        "shown",
    ]


def test_a_total_under_any_name_is_known_because_it_adds_up():
    counts = with_totals(np.array([[4, 30, 40], [25, 60, 33], [31, 22, 70]])).replace("total", "所有人")
    safe = disclosure.protect(counts, rows="row", columns="column", value="n")
    assert safe.hidden == 4


def test_a_quarter_is_never_the_total_of_the_others():
    table = pd.DataFrame({"quarter": ["2025Q1", "2025Q2", "2025Q3", "2025Q4"], "n": [4, 20, 30, 54]})
    assert list(disclosure.protect(table, rows="quarter", value="n").status) == ["primary", "shown", "shown", "shown"]


def test_districts_given_by_name_add_up_to_their_city():
    table = pd.DataFrame({"district": ["南通市", "崇川区", "海门区", "通州区"], "n": [120, 8, 52, 60]})
    assert list(disclosure.protect(table, rows="district", value="n").status) == [
        "shown",
        "primary",
        "secondary",
        "shown",
    ]


def test_a_mean_times_its_count_gives_the_blank_mean_and_protected_it_does_not():
    table = pd.DataFrame(
        {
            "district": ["320600", "320612", "320613", "320614"],
            "mean_pay": [5500.0, 9000.0, 5400.0, 5200.0],
            "n": [97, 9, 50, 38],
        }
    )
    table.loc[0, "mean_pay"] = (table["mean_pay"] * table["n"])[1:].sum() / 97
    city, blank, *shown = (table["mean_pay"] * table["n"]).tolist()
    assert (city - sum(shown)) / (97 - 50 - 38) == pytest.approx(9000)  # the attack
    safe = disclosure.protect(table, rows="district", value=("mean_pay", "n"), contributors="n")
    assert list(safe.status) == ["shown", "primary", "shown", "secondary"]
    pay = table.assign(pay=table["mean_pay"] * table["n"])
    low, high = attack(pay, ["district"], "pay", safe.status.isin(HIDDEN))[1]
    assert low <= 0.9 * blank
    assert high >= 1.1 * blank


def test_a_percentage_gives_its_count_and_protected_it_does_not():
    table = pd.DataFrame({"district": ["a", "b", "c"], "share": [0.04, 0.31, 0.97], "n": [100, 200, 100]})
    assert (table["share"] * table["n"]).round(6).tolist()[0] == 4  # four persons
    safe = disclosure.protect(table, rows="district", value=("share", "n"), contributors="n")
    assert list(safe.to_frame()["reason"]) == ["small_share", "", "small_share"]  # four in it; three not in it
    assert safe.frame["share"].isna().tolist() == [True, False, True]
    harmless = disclosure.protect(
        table, rows="district", value=("share", "n"), contributors="n", sensitive=False
    )  # whether a field is filled in says nothing of a person
    assert harmless.hidden == 0


def test_the_shares_of_a_composition_add_up_to_one_so_a_lone_blank_is_none():
    table = pd.DataFrame(
        {"district": "a", "level": ["junior", "middle", "senior"], "share": [0.60, 0.34, 0.06], "n": 100}
    )
    lone = 1 - 0.60 - 0.34  # the attack on a lone blank
    assert lone == pytest.approx(0.06)
    safe = disclosure.protect(table, rows="district", columns="level", value="share", contributors="n")
    assert safe.frame["share"].isna().sum() == 2


def test_a_group_that_lies_in_one_band_altogether_is_not_shown_to_do_so():
    table = with_totals(np.array([[40, 0, 0], [25, 60, 33], [31, 22, 70]]))
    everyone = table[table["row"] == "r0"].set_index("column")["n"]
    assert everyone["c0"] == everyone["total"]  # the attack: whoever is in r0 is in c0
    safe = disclosure.protect(table, rows="row", columns="column", value="n")
    frame = safe.to_frame()
    place = int(np.flatnonzero((frame["row"] == "r0") & (frame["column"] == "c0"))[0])
    assert frame["reason"][place] == "all_in_one"
    low, _ = attack(table, ["row", "column"], "n", frame["status"].isin(HIDDEN))[place]
    assert low <= 30  # ten of them may be elsewhere
    assert "同一类" in " ".join(safe.notes("zh"))


def test_persons_counted_by_cell_have_their_empty_cells_too():
    people = pd.DataFrame({"district": ["a"] * 30 + ["b"] * 40, "level": ["x"] * 30 + ["x"] * 20 + ["y"] * 20})
    safe = disclosure.protect(people, rows="district", columns="level", value="count")
    assert len(safe.frame) == 4
    assert safe.to_frame().query("district == 'a'")["status"].isin(HIDDEN).all()


@pytest.mark.parametrize(
    ("name", "persons", "hidden"),
    [
        ("min_pay", 500, True),
        ("pay_max", 500, True),
        ("median_pay", 19, True),
        ("median_pay", 20, False),
        ("pay_p10", 99, True),
        ("pay_p10", 100, False),
        ("q3", 39, True),
        ("mean_pay", 10, False),
    ],
)
def test_extremes_are_never_shown_and_a_quantile_needs_ten_persons_beyond_it(name, persons, hidden):
    table = pd.DataFrame({"district": ["a"], name: [5000.0], "n": [persons]})
    safe = disclosure.protect(table, rows="district", value=name, contributors="n")
    assert (safe.status[0] == "primary") is hidden


# money


def payments(amounts: dict[str, list[float]]) -> pd.DataFrame:
    rows = [(field, f"firm{i}", amount) for field, listed in amounts.items() for i, amount in enumerate(listed)]
    return pd.DataFrame(rows, columns=["field", "firm", "amount"])


@pytest.mark.parametrize(
    ("amounts", "reason"),
    [
        ([900.0, 50.0] + [5.0] * 12, "dominance"),
        ([600.0, 20.0] + [5.0] * 11, "dominance"),
        ([400.0, 300.0] + [4.0] * 9, "dominance"),
        ([100.0] * 12, ""),
        ([100.0] * 9, "few_persons"),
    ],
)
def test_a_sum_that_one_or_two_make_up_is_hidden(amounts, reason):
    safe = disclosure.protect(payments({"x": amounts}), rows="field", value="amount", contributors="firm")
    assert safe.to_frame()["reason"].tolist() == [reason]


def test_the_second_largest_cannot_estimate_the_largest():
    table = pd.DataFrame({"field": ["x"], "amount": [1050.0], "firms": [12], "first": [600.0], "second": [420.0]})
    rest = 1050 - 600 - 420
    assert rest / 600 < 0.1  # the attack: the second subtracts its own and knows the first to within a tenth
    options = {"rows": "field", "value": "amount", "contributors": "firms", "largest": ("first", "second")}
    assert disclosure.protect(table, **options, dominance=(2, 0.99)).to_frame()["reason"].tolist() == ["p_percent"]
    assert disclosure.protect(table, **options, dominance=(2, 0.99), p_percent=0.01).hidden == 0


def test_a_hidden_sum_of_money_stays_open_by_a_tenth():
    table = pd.DataFrame(
        {
            "field": ["a", "b", "c", "d", "total"],
            "amount": [500.0, 30.0, 800.0, 900.0, 2230.0],
            "firms": [4, 12, 40, 50, 106],
        }
    )
    safe = disclosure.protect(table, rows="field", value="amount", contributors="firms")
    low, high = attack(table, ["field"], "amount", safe.status.isin(HIDDEN))[0]
    assert low <= 450
    assert high >= 550


def test_single_payments_have_no_smallest_or_largest():
    with pytest.raises(ParameterError, match="one person"):
        disclosure.protect(
            payments({"x": [1.0] * 20}), rows="field", value="amount", contributors="firm", statistic="max"
        )


# linked tables, solved together


def linked_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    by_level = with_totals(np.array([[4, 56], [60, 44], [30, 31]])).rename(
        columns={"row": "district", "column": "level"}
    )
    by_kind = pd.DataFrame({"district": ["r0", "r1", "r2"], "kind": "x", "n": [41, 52, 28]})
    other = pd.DataFrame({"district": ["r0", "r1", "r2"], "kind": "y", "n": [19, 52, 33]})
    return by_level, pd.concat([by_kind, other], ignore_index=True)


def test_a_total_of_one_table_and_the_parts_of_another_are_one_equation():
    table = pd.DataFrame({"district": ["a", "b", "c"], "n": [33, 90, 80]})
    parts = pd.DataFrame(
        {"district": ["a", "a", "b", "b", "c", "c"], "sex": list("mf") * 3, "n": [30, 3, 50, 40, 60, 20]}
    )
    assert 33 - 30 == 3  # the attack: the district's total less the shown part
    first = disclosure.protect(table, rows="district", value="n")
    safe = disclosure.protect(parts, rows="district", columns="sex", value="n", linked=[first])
    assert list(safe.status) == ["secondary", "primary", "shown", "shown", "shown", "shown"]


def test_linked_plain_tables_are_protected_in_one_program():
    by_level, by_kind = linked_tables()
    safe = disclosure.protect(by_level, rows="district", columns="level", value="n", linked=[by_kind])
    assert len(safe.linked) == 1
    assert safe.linked[0].rows == ("district", "kind")
    hidden = safe.status.isin(HIDDEN)
    low, high = attack(by_level, ["district", "level"], "n", hidden)[0]
    assert (low, high >= 10) == (0, True)


def test_what_a_released_table_already_gives_away_is_refused():
    table = pd.DataFrame({"district": ["a", "b"], "sex": ["m", "m"], "n": [30, 50]})
    released = disclosure.protect(table, rows=["district", "sex"], value="n")
    total = pd.DataFrame({"district": ["a", "b"], "n": [33, 90]})
    whole = disclosure.protect(total, rows="district", value="n")
    parts = pd.DataFrame({"district": list("aabb"), "sex": list("mfmf"), "n": [30, 3, 50, 40]})
    with pytest.raises(DisclosureError, match="linked"):
        disclosure.protect(parts, rows="district", columns="sex", value="n", linked=[released, whole])


def test_rounded_and_suppressed_tables_are_not_linked():
    table = pd.DataFrame({"district": ["a", "b"], "n": [33, 90]})
    rounded = disclosure.protect(table, rows="district", value="n", method="round")
    with pytest.raises(ParameterError, match="one method"):
        disclosure.protect(table, rows="district", value="n", linked=[rounded])


def test_district_and_city_and_level_are_one_system():
    codes = {"320600": ["320612", "320613", "320614"], "320500": ["320505", "320506", "320507"]}
    rng = np.random.default_rng(3)
    rows = [(d, level, int(rng.integers(20, 90))) for ds in codes.values() for d in ds for level in ("j", "m", "s")]
    table = pd.DataFrame(rows, columns=["district", "level", "n"])
    table.loc[0, "n"] = 6
    cities = [
        table[table["district"].isin(ds)].groupby("level")["n"].sum().reset_index().assign(district=c)
        for c, ds in codes.items()
    ]
    whole = pd.concat([table, *cities], ignore_index=True)
    levels = whole.groupby("district")["n"].sum().reset_index().assign(level="total")
    whole = pd.concat([whole, levels], ignore_index=True)
    safe = disclosure.protect(whole, rows="district", columns="level", value="n")
    low, high = attack(whole, ["district", "level"], "n", safe.status.isin(HIDDEN))[0]
    assert (low, high >= 10) == (0, True)
    assert safe.to_frame().query("district in ('320600', '320500')")["status"].eq("shown").all()


# the program


def protects(table: pd.DataFrame, hidden: np.ndarray) -> bool:
    small = [i for i, n in enumerate(table["n"]) if 0 < n < 10]
    found = bounds(equations(table[["row", "column"]]), table["n"].to_numpy(float), hidden, small)
    return all(low <= 1e-6 and high >= 10 - 1e-6 for low, high in found.values())


@pytest.mark.parametrize("seed", range(4))
def test_the_pattern_is_the_smallest_that_brute_force_finds(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(10, 60, (3, 3))
    counts.flat[rng.choice(9, 1 + seed % 2, replace=False)] = rng.integers(1, 10)
    table = with_totals(counts)
    first = ((table["n"] > 0) & (table["n"] < 10)).to_numpy()
    inner = [i for i in range(len(table)) if not first[i] and "total" not in (table["row"][i], table["column"][i])]
    found = protect(counts).status.isin(HIDDEN).to_numpy()
    assert protects(table, found)
    share = table["n"].to_numpy(float) / table["n"].sum()
    price = float((1 + share)[found & ~first].sum())
    for size in range(int(found.sum() - first.sum()) + 1):
        for chosen in combinations(inner, size):
            pattern = first.copy()
            pattern[list(chosen)] = True
            cheaper = float((1 + share)[list(chosen)].sum()) < price - 1e-9
            assert not (cheaper and protects(table, pattern))


def test_sixteen_small_cells_in_sixteen_by_six_are_protected_within_ten_seconds():
    rng = np.random.default_rng(7)
    counts = rng.integers(10, 200, (16, 6))
    counts.flat[rng.choice(96, 16, replace=False)] = rng.integers(1, 10, 16)
    safe = protect(counts)
    assert protects(with_totals(counts), safe.status.isin(HIDDEN).to_numpy())
    assert safe.gap <= 0.05
    assert "%" in safe.summary("en")


# rounding


def test_rounding_keeps_every_total_the_sum_of_its_parts():
    rng = np.random.default_rng(1)
    table = with_totals(rng.integers(0, 60, (6, 4)))
    safe = disclosure.protect(table, rows="row", columns="column", value="n", method="round")
    rounded = safe.frame["n"].to_numpy()
    assert (rounded % 5 == 0).all()
    assert np.abs(rounded - table["n"].to_numpy()).max() < 5
    for whole, parts in equations(table[["row", "column"]]):
        assert rounded[whole] == rounded[parts].sum()
    nearest = np.round(table["n"].to_numpy() / 5) * 5
    assert any(nearest[whole] != nearest[parts].sum() for whole, parts in equations(table[["row", "column"]]))
