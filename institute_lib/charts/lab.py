"""Results as figures on a researcher's screen: `%load_ext institute_lib.charts`; the project's kernel does so itself.

The screen is internal: what may leave is for a brief to show, and that takes only safe tables and results.
"""

from collections.abc import Callable
from typing import Any

from institute_lib import disclosure
from institute_lib.charts.effects import draw_event_study
from institute_lib.charts.models import draw_forest, draw_survival
from institute_lib.errors import InstituteError
from institute_lib.result import Provenance
from institute_lib.sharing import Read

# Named, not imported: a kernel that never fits a model need not load the room that does.
DRAWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("institute_lib.policy.results", "PolicyEffect"): draw_event_study,
    ("institute_lib.policy.results", "PilotEffect"): draw_event_study,
    ("institute_lib.retention.hazard", "HazardModel"): draw_forest,
    ("institute_lib.retention.cox", "CoxModel"): draw_forest,
    ("institute_lib.retention.survival", "SurvivalCurves"): draw_survival,
}

ON_SCREEN = Provenance([Read("declared", "screen", source="own", personal=False)])


def load_ipython_extension(shell: Any) -> None:
    """Let each kind of result show its sentence, its table and its figure when a cell ends with it."""
    formatter = shell.display_formatter.ipython_display_formatter
    for (module, name), draw in DRAWN.items():
        formatter.for_type_by_name(module, name, lambda result, draw=draw: show(result, draw))


def show(result: Any, draw: Callable[..., Any]) -> None:
    """Display a result's words and table, then its figure, or why there is none."""
    from IPython.display import HTML, display

    display(HTML(result._repr_html_()))
    try:
        if draw is draw_event_study:
            safe = disclosure.protected(result.result("event_study", persons=None, provenance=ON_SCREEN))
        else:
            safe = disclosure.protect_result(result)
        display(draw(safe))
    except InstituteError as error:
        display({"text/plain": f"no figure: {error}"}, raw=True)
