"""The Lorenz curve: how much of the provision the least provided share of people has."""

from institute_lib import terms
from institute_lib.charts.chart import Chart, require_protected
from institute_lib.charts.look import BLUE, MUTED, finish, new_canvas, plain
from institute_lib.disclosure import Protected
from institute_lib.errors import ParameterError


def draw_lorenz(safe: Protected, *, language: str = "zh", title: str = "") -> Chart:
    """Cumulated provision over cumulated people, beside the line of equal shares.

    Args:
        safe: shares `people` (its row key) and its first figure, both from 0 to 1, such as `Equity.deciles()`.

    Raises:
        ParameterError: it holds no such columns.
    """
    frame = require_protected(safe).data
    if list(safe.rows) != ["people"]:
        raise ParameterError("a Lorenz curve needs the row key 'people', as Equity.deciles() has")
    people, value = frame["people"].astype(float), frame[safe.value].astype(float)
    pairs = zip(people, value, strict=True)
    words = [plain(terms.text("charts.lorenz_at", language, **_shares(pair, language))) for pair in pairs]
    canvas = new_canvas(right=24, height=420)
    even = {"mode": "lines", "line": {"color": MUTED, "width": 1, "dash": "dash"}, "hoverinfo": "skip"}
    canvas.add("scatter", x=[0, 1], y=[0, 1], **even)
    curve = {"mode": "lines+markers", "line": {"color": BLUE, "width": 2.2}, "marker": {"size": 6}}
    canvas.add("scatter", x=people, y=value, hovertext=words, hoverinfo="text", **curve)
    canvas.note(terms.text("charts.lorenz_even", language), x=0.5, y=0.5, xanchor="right", xshift=-8, font={"size": 12})
    square = {"range": (0, 1), "tickformat": ",.0%", "constrain": "domain"}
    canvas.x_axis(**square, title=terms.text("charts.lorenz_people", language))
    canvas.y_axis(**square, title=terms.text("charts.lorenz_value", language), scaleanchor="x", scaleratio=1)
    half = float(value[(people - 0.5).abs().idxmin()])
    title = title or safe.title or terms.text("charts.lorenz_title", language)
    alt = terms.text("charts.alt_lorenz", language, title=title, half=terms.percent(half, language))
    return finish(canvas, safe, language=language, title=title, alt=alt)


def _shares(pair: tuple[float, float], language: str) -> dict[str, str]:
    return {name: terms.percent(share, language, 0) for name, share in zip(("people", "value"), pair, strict=True)}
