"""The talent room's methods against worked examples of the literature; every number is the source's own."""

import numpy as np
import pandas as pd
import pytest

from institute_lib import talent

# Open-heart operations on children under one year and deaths within 30 days, 12 hospitals, 1991-95, Hospital Episode
# Statistics: Aylin et al. (2001), Lancet 358, 181-187; as printed in Spiegelhalter (2019), The Art of Statistics,
# figure 2.5 and its data.
CHILD_HEART_SURGERY = {
    "Bristol": (143, 41),
    "Leicester": (187, 25),
    "Leeds": (323, 24),
    "Oxford": (122, 23),
    "Guys": (164, 25),
    "Liverpool": (405, 42),
    "Southampton": (239, 24),
    "Great Ormond St": (482, 53),
    "Newcastle": (195, 26),
    "Harefield": (177, 25),
    "Birmingham": (581, 58),
    "Brompton": (301, 31),
}
# Cans of orange juice that leak, 30 samples of 50: Montgomery, Introduction to Statistical Quality Control, table 7.1
# (2nd edition, pp. 152-155). Compared with the data of R's qcc, data/orangejuice.txt of luca-scr/qcc: the same samples.
ORANGE_JUICE = [12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9]
ORANGE_JUICE += [6]
# Bruised peaches in 25 shipments, a crate of 250 each, or two: Pyzdek and Keller, The Handbook for Quality Management
# (2nd edition, 2013), table 9.6, p. 178, with the shares that it prints.
CRATES = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2]
BRUISED = [47, 42, 55, 51, 46, 61, 39, 44, 41, 51, 88, 101, 101, 40, 48, 47, 50, 48, 57, 45, 43, 105, 98, 100, 96]
SHARES = [188, 168, 220, 204, 184, 244, 156, 176, 164, 204, 176, 202, 202, 160, 192, 188, 200, 192, 228, 180, 172, 210]
SHARES += [196, 200, 192]
# Women of Sweden by five-year age group in 1993, person-years lived, and the survivors of 1998: Preston, Heuveline and
# Guillot (2001), Demography, box 6.1, p. 125. Their sum, 4,397,428, is the one that Rodríguez (Princeton, ECO 572,
# Population Projections, https://data.princeton.edu/eco572/project) gets from the box's data.
WOMEN_1993 = [293395, 248369, 240012, 261346, 285209, 314388, 281290, 286923, 304108, 324946, 247613, 211351, 215140]
WOMEN_1993 += [221764, 223506, 183654, 141990, 112424]
PERSON_YEARS = [497487, 497138, 496901, 496531, 495902, 495168, 494213, 492760, 490447, 486613, 480665, 471786, 457852]
PERSON_YEARS += [436153, 402775, 350358, 271512, 291707]
WOMEN_1998 = [293574, 293189, 248251, 239833, 261015, 284787, 313782, 280463, 285576, 301731, 320974, 243039, 205109]
WOMEN_1998 += [204944, 204793, 194419, 142324, 131768]


def test_bristol_alone_lies_outside_the_funnel_of_child_heart_surgery():
    """Spiegelhalter (2005), and the Bristol inquiry's statisticians in Aylin et al. (2001)."""
    names, operations, deaths = zip(*((name, *counts) for name, counts in CHILD_HEART_SURGERY.items()), strict=True)
    overall = sum(deaths) / sum(operations)
    outside = talent.tail_probability(overall, deaths, operations) < (1 - talent.ALARM) / 2
    assert [name for name, out in zip(names, outside, strict=True) if out] == ["Bristol"]
    low, high = talent.control_limits(overall, operations, level=talent.ALARM)
    rates = np.divide(deaths, operations)
    assert rates[0].round(3) == 0.287
    assert ((rates < low) | (rates > high)).tolist() == outside.tolist()


def test_orange_juice_has_the_limits_of_montgomery_example_7_1():
    samples = pd.DataFrame({"quarter": [f"{n:02d}" for n in range(1, 31)], "bad": ORANGE_JUICE, "size": 50})
    series = {"numerator": "bad", "denominator": "size"}
    first = talent.p_chart(samples, **series)
    assert first.centre == pytest.approx(0.2313, abs=5e-5)
    assert first.frame["upper"].iloc[0] == pytest.approx(0.4102, abs=1e-4)
    assert first.frame["lower"].iloc[0] == pytest.approx(0.0524, abs=1e-4)
    assert list(first.frame.loc[first.frame["signal"], "quarter"]) == ["15", "23"]
    # Samples 15 and 23 had assignable causes: the limits are set anew without them.
    kept = [one for one in samples["quarter"] if one not in ("15", "23")]
    revised = talent.p_chart(samples, baseline=kept, **series)
    assert revised.centre == pytest.approx(0.2150, abs=5e-5)
    assert revised.frame["upper"].iloc[0] == pytest.approx(0.3893, abs=1e-4)
    assert revised.frame["lower"].iloc[0] == pytest.approx(0.0407, abs=1e-4)


def test_bruised_peaches_in_shipments_of_unequal_size_have_the_chart_of_pyzdek_table_9_6():
    """Its text: p-bar is all bruised over all peaches, and limits come closer together as n increases."""
    sizes = 250 * np.array(CRATES)
    shipments = pd.DataFrame({"quarter": [f"{n:02d}" for n in range(1, 26)], "bad": BRUISED, "size": sizes})
    chart = talent.p_chart(shipments, numerator="bad", denominator="size")
    assert (chart.frame["rate"] * 1000).round().astype(int).tolist() == SHARES
    assert (sum(BRUISED), sizes.sum(), round(chart.centre, 3)) == (1544, 8000, 0.193)
    half = 3 * np.sqrt(0.193 * 0.807 / sizes)
    assert chart.frame["upper"].to_numpy() == pytest.approx(0.193 + half)
    assert chart.frame["lower"].to_numpy() == pytest.approx(0.193 - half)
    assert not chart.frame["signal"].any()


def test_the_women_of_sweden_in_1998_are_those_of_preston_heuveline_and_guillot_box_6_1():
    """Age stands for years since the certificate, births for passes; the oldest group is open."""
    survival = [PERSON_YEARS[age + 1] / PERSON_YEARS[age] for age in range(16)]
    survival += [PERSON_YEARS[17] / (PERSON_YEARS[16] + PERSON_YEARS[17])] * 2
    stock = pd.DataFrame({"unit": "Sweden", "years_since": range(18), "persons": WOMEN_1993})
    exits = pd.DataFrame({"scenario": "1993", "years_since": range(18), "exit_rate": 1 - np.array(survival)})
    births = {"candidates": WOMEN_1998[0], "growth": 0.0, "pass_rate": 1.0, "placed": 1.0}
    rates = pd.DataFrame([{"unit": "Sweden", "scenario": "1993", **births}])
    found = talent.project(stock, rates, exits, start=0, until=1, draws=10)
    assert sum(WOMEN_1993) == 4_397_428
    women = found.cohorts.query("year == 1")["persons"].to_numpy()
    assert np.round(women[:17]).astype(int).tolist() == WOMEN_1998[:17]
    assert women[17:].sum() == pytest.approx(WOMEN_1998[17], abs=1)


def test_fiellers_limits_are_those_of_the_dc_stats_example():
    """Colquhoun's DC-stats (method of Colquhoun 1971, section 13.5): 14 ± 3 over 7 ± 2, 10 degrees of freedom."""
    found = talent.fieller(14, 7, se_numerator=3, se_denominator=2, df=10, level=0.90)
    assert found.g == pytest.approx(0.268164, abs=1e-6)
    assert (found.low, found.high) == (pytest.approx(1.051413, abs=1e-6), pytest.approx(4.414296, abs=1e-6))


def test_fiellers_limits_are_those_of_the_graphpad_example():
    """Motulsky's GraphPad QuickCalcs: means 14 and 7, standard errors 1.22 and 0.82, six observations each."""
    errors = {"se_numerator": 3 / np.sqrt(6), "se_denominator": 2 / np.sqrt(6), "df": 10}
    for level, low, high in ((0.90, 1.54, 2.64), (0.95, 1.46, 2.83), (0.99, 1.27, 3.36)):
        found = talent.fieller(14, 7, level=level, **errors)
        assert (round(found.low, 2), round(found.high, 2)) == (low, high)
