"""One treated unit with all its placebos, beside the same loop with a general optimiser for the weights."""

from unittest.mock import patch

import numpy as np
from scipy.optimize import minimize

from institute_lib import demo, policy
from tests.bench.lines import Bound, Line
from tests.bench.timing import in_turns

# California's states and years; the province's counties and quarters; the seconds each may take.
SIZES = ((39, 31, 20, 5.0), (95, 28, 21, 10.0))
STEPS = 1000
PRECISION = 1e-12


def measure(*, large: bool) -> list[Line | Bound]:
    """Both sides run `policy.pilot`; only the function that finds the weights differs."""
    found = []
    for *shape, allowed in SIZES:
        line = compare(*shape, repetitions=5 if large else 3)
        found += [
            line,
            Bound(line.what, line.ours, allowed, "s", "estimate, placebos, conformal sets, donors left out"),
        ]
    return found


def compare(units: int, periods: int, start: int, *, repetitions: int) -> Line:
    """One size."""
    panel = demo.draw_panel(units, units=units, periods=periods, cohorts={start: 1})
    treated = panel.loc[panel["treated_from"].notna(), "unit"].iloc[0]
    names = {"outcome": "outcome", "unit": "unit", "period": "period"}

    def ours() -> policy.PilotEffect:
        return policy.pilot(panel, **names, treated_unit=treated, start=start)

    def peer() -> policy.PilotEffect:
        with patch("institute_lib.policy.synthetic.simplex_weights", slsqp_weights):
            return ours()

    timed = in_turns(ours, peer, repetitions=repetitions, label=f"pilot {units} × {periods}")
    gap = abs(timed.our_result.att - timed.peer_result.att) / timed.our_result.se
    note = f"{timed.our_result.n_donors} placebos; |Δ effect| = {gap:.0e} placebo errors"
    return Line(f"pilot, {units} × {periods}", timed.ours, "same loop, scipy SLSQP", timed.peer, note)


def slsqp_weights(points: np.ndarray, target: np.ndarray, *, ridge: float = 0.0) -> np.ndarray:
    """What `simplex_weights` finds, by sequential quadratic programming with its gradient, in units of the target."""
    scale = float(target @ target) or 1.0
    gram = (points.T @ points + ridge * np.eye(points.shape[1])) / scale
    pull, size = points.T @ target / scale, points.shape[1]
    found = minimize(
        lambda w: (0.5 * w @ gram @ w - pull @ w, gram @ w - pull),
        np.full(size, 1 / size),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * size,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"maxiter": STEPS, "ftol": PRECISION},
    )
    return np.maximum(found.x, 0) / np.maximum(found.x, 0).sum()
