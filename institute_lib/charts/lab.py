"""Results as figures on a researcher's screen: `%load_ext institute_lib.charts`; the project's kernel does so itself.

The screen is internal: what may leave is for a brief to show, and that takes protected views alone.
"""

from collections.abc import Callable
from typing import Any

from institute_lib import disclosure
from institute_lib.charts.effects import draw_event_study
from institute_lib.charts.models import draw_forest, draw_survival
from institute_lib.errors import InstituteError
from institute_lib.result import Measure, Provenance, Result
from institute_lib.sharing import Read

ON_SCREEN = Provenance([Read("declared", "screen", source="own", personal=False)])


def _effects(effect: Any) -> Result:
    return effect.result("event_study", persons=None, provenance=ON_SCREEN)


def _ratios(model: Any) -> Result:
    measure = Measure("ratio", "ratio", digits=2, interval="given")
    return Result(model.coefficients, ("term", "level"), (measure,), None, ON_SCREEN, title="notebooks.drivers")


def _curves(curves: Any) -> Result:
    from institute_lib.retention.results import curve_result

    return curve_result(curves, provenance=ON_SCREEN)


# Named, not imported: a kernel that never fits a model need not load the module that does.
DRAWN: dict[tuple[str, str], tuple[Callable[..., Any], Callable[..., Result]]] = {
    ("institute_lib.policy.results", "PolicyEffect"): (draw_event_study, _effects),
    ("institute_lib.policy.results", "PilotEffect"): (draw_event_study, _effects),
    ("institute_lib.retention.hazard", "HazardModel"): (draw_forest, _ratios),
    ("institute_lib.retention.cox", "CoxModel"): (draw_forest, _ratios),
    ("institute_lib.retention.survival", "SurvivalCurves"): (draw_survival, _curves),
}


def load_ipython_extension(shell: Any) -> None:
    """Let each kind of result show its sentence, its table and its figure when a cell ends with it."""
    formatter = shell.display_formatter.ipython_display_formatter
    for (module, name), (draw, made) in DRAWN.items():
        formatter.for_type_by_name(module, name, lambda result, draw=draw, made=made: show(result, draw, made))


def show(result: Any, draw: Callable[..., Any], made: Callable[..., Result]) -> None:
    """Display a result's words and table, then its figure, or why there is none."""
    from IPython.display import HTML, display

    display(HTML(result._repr_html_()))
    try:
        display(draw(disclosure.protected(made(result))))
    except InstituteError as error:
        display({"text/plain": f"no figure: {error}"}, raw=True)
