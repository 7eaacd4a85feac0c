"""Charts of policies: the specification curve, the simultaneous band, the donors' weights."""

import numpy as np
import pandas as pd
import pytest

from institute_lib import charts, disclosure, terms
from institute_lib.errors import DisclosureError, ParameterError


def safe(frame, rows, value):
    return disclosure.exempt(frame, reason="not_personal", rows=rows, value=value, source="test", demo=False)


@pytest.fixture
def curve():
    """Four choices; the last has an unbounded interval."""
    frame = pd.DataFrame(
        {
            "pool": ["province_pool", "province_pool", "siblings_pool", "siblings_pool"],
            "method": ["did", "synthetic_did"] * 2,
            "att": [0.05, 0.02, 0.03, 0.04],
            "ci_low": [0.01, -0.01, -0.02, -np.inf],
            "ci_high": [0.09, 0.05, 0.08, np.inf],
        }
    )
    return safe(frame, ["pool", "method"], ["att", "ci_low", "ci_high"])


def test_the_specification_curve_orders_estimates_and_dots_their_choices(curve):
    chart = charts.draw_specification_curve(curve, unit="share")
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
def test_the_curve_says_how_many_choices_exclude_no_effect(curve, language):
    chart = charts.draw_specification_curve(curve, language=language)
    assert chart.alt == terms.text("charts.curve_alt", language, choices="4", low="0.02", high="0.05", excluded="1")


def test_the_curve_needs_estimates_with_intervals_in_a_safe_table(curve):
    with pytest.raises(DisclosureError, match="SafeTable"):
        charts.draw_specification_curve(curve.to_frame())
    without = safe(curve.to_frame(), ["pool", "method"], ["att"])
    with pytest.raises(ParameterError, match="'ci_low'"):
        charts.draw_specification_curve(without)


def test_an_event_study_with_bands_draws_them_behind_in_points():
    frame = pd.DataFrame({"relative_period": [-2, 0, 1], "estimate": [0.0, 0.1, 0.2]})
    frame = frame.assign(ci_low=frame["estimate"] - 0.02, ci_high=frame["estimate"] + 0.02)
    banded = frame.assign(band_low=frame["estimate"] - 0.05, band_high=frame["estimate"] + 0.05)
    values = ["estimate", "ci_low", "ci_high"]
    plain = charts.draw_event_study(safe(frame, "relative_period", values), unit="share")
    chart = charts.draw_event_study(
        safe(banded, "relative_period", [*values, "band_low", "band_high"]), unit="share", language="en"
    )
    assert len(chart.figure.data) == len(plain.figure.data) + 2
    assert list(chart.figure.data[0].y) == pytest.approx([-5.0, 5.0, 15.0])
    assert terms.text("charts.simultaneous_note", "en") in chart.notes
