"""Charts of policies: paths, event studies, placebos and the specification curve, of protected results."""

import numpy as np
import pandas as pd
import pytest

from institute_lib import charts, disclosure, terms
from institute_lib.errors import DisclosureError, ParameterError
from institute_lib.result import Measure, Provenance, Result
from institute_lib.sharing import Read

OWN = Provenance([Read("files", "panel.csv", source="own", personal=False)])
QUARTERS = ["2024Q3", "2025Q1", "2025Q2"]


def shown(frame, keys, *measures, language="zh"):
    return disclosure.protected(Result(frame, keys, measures, None, OWN, title="T"), language=language)


def estimate(name, unit="number", **more):
    return Measure(name, unit, 2 if unit == "number" else None, statistic="estimate", **more)


def curve(unit="points", language="zh"):
    """Four choices; the last has an unbounded interval."""
    frame = pd.DataFrame(
        {
            "pool": ["province_pool", "province_pool", "siblings_pool", "siblings_pool"],
            "method": ["did", "synthetic_did"] * 2,
            "effect": [0.05, 0.02, 0.03, 0.04],
            "effect_low": [0.01, -0.01, -0.02, -np.inf],
            "effect_high": [0.09, 0.05, 0.08, np.inf],
        }
    )
    return shown(frame, ("pool", "method"), estimate("effect", unit, interval="given"), language=language)


def test_the_specification_curve_orders_estimates_and_dots_their_choices():
    chart = charts.draw_specification_curve(curve())
    bounded, unbounded, matrix = chart.figure.data
    assert list(bounded.y) == pytest.approx([2.0, 3.0, 5.0])
    assert (list(unbounded.x), list(unbounded.y)) == ([3], pytest.approx([4.0]))
    assert unbounded.marker.symbol == "circle-open"
    assert len(matrix.x) == 4 * 2
    names = list(chart.figure.layout.yaxis2.ticktext)
    # Smallest first: synthetic DiD in the province; rows count from the top.
    first = {y for x, y in zip(matrix.x, matrix.y, strict=True) if x == 1}
    ticks = dict(zip(chart.figure.layout.yaxis2.tickvals, names, strict=True))
    assert {ticks[y] for y in first} == {terms.label("province_pool", "zh"), terms.label("synthetic_did", "zh")}
    assert terms.text("charts.curve_unbounded", "zh") in chart.notes


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_curve_says_how_many_choices_exclude_no_effect(language):
    chart = charts.draw_specification_curve(curve("number", language), language=language)
    assert chart.alt == terms.text("charts.curve_alt", language, choices="4", low="0.02", high="0.05", excluded="1")


def test_a_chart_of_effects_takes_a_protected_result_alone():
    with pytest.raises(DisclosureError, match="study"):
        charts.draw_specification_curve(curve().to_frame())


def event_study(keys=("relative_period",), periods=(-2, 0, 1), **bands):
    frame = pd.DataFrame({keys[0]: periods, "effect": [0.0, 0.1, 0.2]})
    frame = frame.assign(effect_low=frame["effect"] - 0.12, effect_high=frame["effect"] + 0.12, **bands)
    measures = [estimate("effect", "points", interval="given"), *(estimate(name, "points") for name in bands)]
    return shown(frame, keys, *measures, language="en")


def test_an_event_study_is_drawn_in_points_and_its_words_count_the_intervals_without_zero():
    chart = charts.draw_event_study(event_study(), language="en")
    before, after = chart.figure.data
    assert (list(before.y), list(after.y)) == ([0.0], pytest.approx([10.0, 20.0]))
    assert "1 periods before the start and 2 after it, of which 1 have intervals without zero" in chart.alt
    assert "20.0 percentage points" in chart.alt


def test_an_event_study_with_bands_draws_them_behind():
    banded = event_study(band_low=[-0.2, -0.1, 0.0], band_high=[0.2, 0.3, 0.4])
    chart = charts.draw_event_study(banded, language="en")
    assert len(chart.figure.data) == 4
    assert list(chart.figure.data[0].y) == pytest.approx([-20.0, -10.0, 0.0])
    assert terms.text("charts.simultaneous_note", "en") in chart.notes


def test_an_event_study_by_the_panels_own_periods_begins_where_the_policy_does():
    view = event_study(("period",), QUARTERS)
    before, after = charts.draw_event_study(view, start="2025Q1").figure.data
    assert (len(before.x), len(after.x)) == (1, 2)
    with pytest.raises(ParameterError, match="start '2026Q1'"):
        charts.draw_event_study(view, start="2026Q1")


def test_a_path_names_what_was_observed_and_what_would_have_been():
    frame = pd.DataFrame({"period": QUARTERS, "observed": [0.4, 0.5, 0.6], "counterfactual": [0.4, 0.42, 0.431]})
    view = shown(frame, ("period",), estimate("observed", "share"), estimate("counterfactual", "share"))
    chart = charts.draw_pilot_path(view, start="2025Q1", outcome="持证率")
    assert chart.alt == "T：2025年二季度实际为60.0%，反事实为43.1%。"
    assert chart.to_json()["table"]["rows"][2][1:] == ["60.0%", "43.1%"]


def test_placebos_are_grey_lines_under_the_treated_units_own():
    rows = [
        (unit, period, gap * place)
        for unit, gap in (("A", 0.1), ("B", 0.2), ("C", -0.01))
        for place, period in enumerate(QUARTERS)
    ]
    frame = pd.DataFrame(rows, columns=["unit", "period", "gap"])
    chart = charts.draw_placebos(shown(frame, ("unit", "period"), estimate("gap")), treated="A", start="2025Q1")
    grey, own = chart.figure.data
    assert list(own.y) == pytest.approx([0.0, 0.1, 0.2])
    assert list(grey.y) == pytest.approx([0.0, 0.2, 0.4, None, 0.0, -0.01, -0.02, None], nan_ok=True)
    assert "2个未受政策影响的单位中有1个离零更远" in chart.alt


def test_an_axis_of_points_reads_in_percentage_points():
    frame = pd.DataFrame({"district": ["320612", "320613"], "gain": [0.05, 0.1]})
    frame = frame.assign(gain_low=frame["gain"] - 0.06, gain_high=frame["gain"] + 0.06)
    chart = charts.draw_dot(shown(frame, ("district",), estimate("gain", "points", interval="given"), language="zh"))
    axis = chart.figure.layout.xaxis
    ticks = dict(zip(axis.ticktext, axis.tickvals, strict=True))
    assert ticks["5"] == pytest.approx(0.05)
    assert ticks["0"] == pytest.approx(0, abs=1e-12)
    assert axis.title.text == "预期增益（百分点）"
