"""Charts take only what disclosure control let through, say their finding, and draw what their table holds."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from institute_lib import charts, disclosure, terms
from institute_lib.charts import axes, look
from institute_lib.errors import DisclosureError, ParameterError
from tests.shown import shown

DRAW = [getattr(charts, name) for name in charts.__all__ if name.startswith("draw_")]


def panel(values: dict[str, list[float]], quarters: list[str]) -> disclosure.Protected:
    rows = [(d, q, v) for d, line in values.items() for q, v in zip(quarters, line, strict=True)]
    return shown(pd.DataFrame(rows, columns=["district", "quarter", "stay_rate"]), columns="quarter")


def rates() -> disclosure.Protected:
    frame = pd.DataFrame(
        {
            "district": ["320612", "320613", "320614", "320623"],
            "turnover_rate": [0.08, 0.14, 0.09, 0.375],
            "headcount": [1400, 900, 1300, 8],
        }
    )
    return shown(frame, rows="district", persons="headcount")


@pytest.mark.parametrize("draw", DRAW, ids=lambda draw: draw.__name__)
@pytest.mark.parametrize("given", [pd.DataFrame({"a": [1]}), {"a": 1}, None])
def test_a_chart_of_anything_unprotected_is_refused(draw, given):
    with pytest.raises(DisclosureError, match=r"study\.show or disclosure\.protected"):
        draw(given)


def test_a_chart_cannot_be_built_around_an_unprotected_table():
    with pytest.raises(DisclosureError):
        charts.Chart(figure=None, table=pd.DataFrame(), title="t", alt="a")


def test_a_hidden_cell_is_in_neither_figure_nor_table():
    chart = charts.draw_funnel(rates(), language="en")
    text = json.dumps(chart.to_json())
    assert "0.375" not in text
    assert "37.5%" not in text
    assert len(chart.figure.data[-1].x) == 3


def test_a_missing_quarter_is_a_gap_and_never_a_zero():
    chart = charts.draw_trend(panel({"320612": [0.9, np.nan, 0.92]}, ["2024Q1", "2024Q2", "2024Q3"]))
    assert list(chart.figure.data[0].y) == [0.9, None, 0.92]


def test_the_trend_says_highest_lowest_and_who_moved():
    chart = charts.draw_trend(
        panel({"320612": [0.90, 0.91], "320613": [0.95, 0.94]}, ["2024Q1", "2024Q2"]), language="en"
    )
    assert "Chongchuan District is highest (94.0%)" in chart.alt
    assert "Tongzhou District moved most upwards (+1.0 percentage points)" in chart.alt


def test_the_funnel_names_the_district_outside_its_limits():
    assert "(Chongchuan District)" in charts.draw_funnel(rates(), language="en").alt


def test_the_control_chart_finds_the_quarter_outside_its_limits():
    rate = [0.03] * 8
    rate[5] = 0.09
    quarters = [str(q) for q in pd.period_range("2024Q1", periods=8, freq="Q")]
    frame = pd.DataFrame({"quarter": quarters, "turnover_rate": rate, "headcount": 1000})
    chart = charts.draw_control(shown(frame, rows="quarter"), language="en")
    mean = np.mean(rate)
    upper = mean + 3 * np.sqrt(mean * (1 - mean) / 1000)
    assert chart.figure.data[1].y[0] == pytest.approx(upper)
    assert "(Q2 2025)" in chart.alt


def test_the_control_chart_marks_the_eighth_quarter_on_one_side_of_the_mean():
    rate = [0.33, 0.28] * 4 + [0.31] * 8
    quarters = [str(q) for q in pd.period_range("2022Q1", periods=16, freq="Q")]
    frame = pd.DataFrame({"quarter": quarters, "rate": rate, "headcount": 1000})
    chart = charts.draw_control(shown(frame, rows="quarter"), language="en")
    assert "0 lie outside the limits. From the eighth in a row on one side of the mean: 1 (Q4 2025)." in chart.alt
    assert list(chart.figure.data[-1].marker.symbol) == ["circle"] * 15 + ["square"]


def test_bars_start_at_zero_and_stand_in_order_with_the_total_last():
    frame = pd.DataFrame({"level": ["a", "b", "total"], "n": [30, 50, 80]})
    chart = charts.draw_bars(shown(frame), language="en")
    assert list(chart.figure.data[0].x) == [50, 30, 80]
    assert chart.figure.layout.xaxis.range[0] == 0
    assert "of 2" in chart.alt


def test_intervals_are_drawn_when_the_table_holds_them():
    frame = pd.DataFrame({"district": ["a", "b"], "rate": [0.2, 0.3], "ci_low": [0.1, 0.25], "ci_high": [0.35, 0.5]})
    bars = charts.draw_dot(shown(frame)).figure.data[0].error_x
    assert list(bars.array) == pytest.approx([0.2, 0.15])
    assert list(bars.arrayminus) == pytest.approx([0.05, 0.1])


def test_markup_in_names_is_data():
    frame = pd.DataFrame({"provider": ["<b>x</b>", "y"], "amount": [20, 30]})
    chart = charts.draw_bars(shown(frame, source="<i>s</i>"), title="<u>t</u>")
    text = chart.figure.to_json().replace("\\u003c", "<").replace("\\u003e", ">")
    assert not re.search(r"<\s*/?[a-z]", text)


def test_a_chart_shows_itself_in_jupyter_and_in_a_brief():
    bundle = charts.draw_bars(shown(pd.DataFrame({"level": ["a"], "n": [3]})))._repr_mimebundle_()
    assert bundle["application/vnd.plotly.v1+json"]["config"]["showSendToCloud"] is False
    assert set(bundle[charts.CHART_MIME]) >= {"title", "alt", "source", "figure", "table", "svg", "notes"}
    json.dumps(bundle, allow_nan=False)


def test_labels_are_spread_apart_in_their_order():
    placed = look.spread([1.0, 1.01, 1.02, 5.0], gap=0.5, span=(0, 6))
    assert placed == sorted(placed)
    assert min(np.diff(placed)) >= 0.5 - 1e-9
    assert placed[3] == 5.0
    assert placed[1] == pytest.approx(1.01)


def test_labels_crowded_at_an_end_of_the_axis_stay_within_it():
    low = look.spread([0.1, 0.2, 0.3, 9.0], gap=1, span=(0, 10))
    assert low == pytest.approx([0.5, 1.5, 2.5, 9.0])
    assert look.spread([9.9, 9.8], gap=1, span=(0, 10)) == pytest.approx([9.5, 8.5])
    assert look.spread([], gap=1, span=(0, 10)) == []


def test_colours_keep_apart_in_grey_and_stand_out_on_white():
    def luminance(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in look.PALETTE:
        assert 1.05 / (luminance(colour) + 0.05) >= 3
        assert 1.05 / (luminance(look.darker(colour)) + 0.05) >= 4.5
    first = [luminance(colour) for colour in look.PALETTE[:3]]
    assert min(abs(a - b) for i, a in enumerate(first) for b in first[i + 1 :]) > 0.04


def test_a_series_needs_periods():
    with pytest.raises(ParameterError, match="periods"):
        charts.draw_trend(rates())


def test_a_trend_shows_its_whole_band():
    frame = pd.DataFrame(
        {"quarter": ["2024Q1", "2024Q2"], "rate": [0.2, 0.21], "ci_low": [0.05, 0.1], "ci_high": [0.4, 0.35]}
    )
    low, high = charts.draw_trend(shown(frame)).figure.layout.yaxis.range
    assert low < 0.05
    assert high > 0.4


def sums() -> disclosure.Protected:
    frame = pd.DataFrame({"provider": ["a", "b"], "amount": [1_240_000.0, 310_000.0]})
    return shown(frame, units={"amount": "yuan"})


def test_the_axis_of_large_sums_counts_in_ten_thousands_in_chinese_and_the_figures_stay_whole():
    chinese, english = (charts.draw_bars(sums(), language=language) for language in ("zh", "en"))
    assert "1,240,000" in chinese.alt
    assert list(chinese.figure.layout.xaxis.ticktext) == ["0", "50万", "100万"]
    assert chinese.to_json()["table"]["rows"][0][-1] == "1,240,000"
    assert "1,240,000" in english.alt
    assert english.figure.layout.xaxis.tickformat == ",d"


@pytest.mark.parametrize("top", [100_000, 123_456, 999_999, 7_726_635, 3e9])
def test_an_axis_in_ten_thousands_has_few_round_ticks_inside_its_span(top):
    axis = axes.value_axis("yuan", "", (0.0, float(top)), "zh")
    assert 3 <= len(axis["tickvals"]) <= 7
    assert max(axis["tickvals"]) <= top * 1.000001


@pytest.mark.parametrize(("last", "words"), [(0.91, "上升最少的是"), (0.85, "下降最多的是")])
def test_who_moved_least_is_said_by_its_direction(last, words):
    table = panel({"320612": [0.9, 0.95], "320613": [0.9, last]}, ["2024Q1", "2024Q2"])
    assert words in charts.draw_trend(table).alt


def test_a_lorenz_curve_stands_beside_equal_shares_and_says_what_half_the_people_have():
    frame = pd.DataFrame({"people": [0.0, 0.5, 1.0], "value": [0.0, 0.2, 1.0]})
    chart = charts.draw_lorenz(shown(frame, rows="people"), language="zh", title="可及性")
    even, curve = chart.figure.data
    assert (list(even.x), list(even.y)) == ([0, 1], [0, 1])
    assert list(curve.y) == [0, 0.2, 1]
    assert "可及性最低的一半居民占服务供给的20.0%" in chart.alt
    with pytest.raises(ParameterError, match="as Equity"):
        charts.draw_lorenz(shown(frame, rows="value"))


def test_a_band_of_simulated_courses_is_not_called_a_confidence_interval():
    table = pd.DataFrame({"year": ["2025", "2030"], "n": [20, 30], "ci_low": [20, 25], "ci_high": [20, 35]})
    notes = {band: charts.draw_trend(shown(table), band=band).notes for band in ("confidence", "simulation")}
    assert terms.text("charts.band_note", "zh") in notes["confidence"]
    assert terms.text("charts.band_simulation", "zh") in notes["simulation"]
    with pytest.raises(ParameterError, match="simulation"):
        charts.draw_trend(shown(table), band="simulated")


def test_small_multiples_share_their_axes_and_name_each_panel_with_its_last_figure():
    quarters = ["2024Q1", "2024Q2", "2024Q3"]
    chart = charts.draw_multiples(panel({"320612": [0.9, np.nan, 0.92], "320613": [0.5, 0.6, np.nan]}, quarters))
    layout = chart.figure.layout
    assert [note.text for note in layout.annotations[:2]] == ["通州区<br>92.0%", "崇川区<br>60.0%"]
    assert layout.yaxis.range == layout.yaxis2.range
    assert layout.xaxis.domain[1] < layout.xaxis2.domain[0]
    assert list(chart.figure.data[0].y) == [0.9, None, 0.92]
    assert "2024年三季度：通州区最高（92.0%）" in chart.alt
    with pytest.raises(ParameterError, match="periods"):
        charts.draw_multiples(rates())


def test_a_district_has_one_colour_in_every_chart_of_a_brief():
    quarters = ["2024Q1", "2024Q2"]
    many = charts.draw_trend(panel({"320612": [0.1, 0.2], "320613": [0.3, 0.4]}, quarters))
    one = charts.draw_trend(panel({"320613": [0.3, 0.4]}, quarters))
    assert many.figure.data[-1].line.color == one.figure.data[-1].line.color != many.figure.data[0].line.color


def test_names_of_points_that_lie_near_each_other_are_moved_apart():
    frame = rates().frame[["district", "turnover_rate", "headcount"]].head(3)
    frame["turnover_rate"], frame["headcount"] = [0.1, 0.1, 0.1], [1000, 1010, 1020]
    notes = charts.draw_funnel(shown(frame, rows="district", persons="headcount")).figure.layout.annotations
    named = [note for note in notes if note.showarrow]
    heights = sorted(note.ay for note in named)
    assert len(named) == 3
    assert min(np.diff(heights)) > 12
