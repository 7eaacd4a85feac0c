"""Charts of protected views, in one look; each carries its words, its table and its source.

Each `draw_` takes the view that `study.show` or `disclosure.protected` makes, and refuses
anything else (DisclosureError).
"""

from institute_lib.charts.chart import CHART_MIME, CONFIG, Chart
from institute_lib.charts.choices import draw_specification_curve
from institute_lib.charts.comparisons import draw_bars, draw_dot
from institute_lib.charts.effects import draw_event_study, draw_pilot_path, draw_placebos
from institute_lib.charts.lab import load_ipython_extension
from institute_lib.charts.lorenz import draw_lorenz
from institute_lib.charts.models import draw_forest, draw_survival
from institute_lib.charts.quality import draw_control, draw_funnel
from institute_lib.charts.trend import draw_multiples, draw_trend

__all__ = [
    "CHART_MIME",
    "CONFIG",
    "Chart",
    "draw_bars",
    "draw_control",
    "draw_dot",
    "draw_event_study",
    "draw_forest",
    "draw_funnel",
    "draw_lorenz",
    "draw_multiples",
    "draw_pilot_path",
    "draw_placebos",
    "draw_specification_curve",
    "draw_survival",
    "draw_trend",
    "load_ipython_extension",
]
