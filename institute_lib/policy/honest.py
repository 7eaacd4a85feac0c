"""How far the conclusion holds if trends were not parallel."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from institute_lib.errors import EstimationError, ParameterError, nearest
from institute_lib.policy.moments import RelativeMagnitudes
from institute_lib.policy.results import PolicyEffect
from institute_lib.policy.smooth import Smoothness
from institute_lib.sharing import once_a_run

KINDS = ("relative_magnitudes", "smoothness")
LARGEST = 64.0
HALVINGS = 12


@once_a_run
def sensitivity(
    effect: PolicyEffect,
    *,
    m: Sequence[float] | float = (0.5, 1, 1.5, 2),
    kind: Literal["relative_magnitudes", "smoothness"] = "relative_magnitudes",
    target: Literal["att", "average"] | int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """95 % sets for the effect when parallel trends fail by a bounded amount.

    Args:
        effect: of `staggered`, or of `two_way` where all start together; its event study against one common base
            period is used.
        m: the bounds. relative_magnitudes: changes after the start at most m times the largest change before it.
            smoothness: the slope changes by at most m (units of the outcome) from one period to the next; 0 allows
            linear trends.
        target: one relative period, by default the first treated one as in the authors' package; "att", the reported
            average over treated unit-periods; or "average", over all periods since the start alike.
        seed: of the draws behind the first stage of the relative-magnitudes test.

    Returns:
        m, ci_low, ci_high. `.attrs["breakdown"]`: the smallest bound at which no effect
        can no longer be excluded (0 where it never could, infinite where no bound tried reaches that).

    Raises:
        EstimationError: no event study, no pre-period besides the base, or periods missing in between.

    Source: Rambachan and Roth (2023); relative magnitudes by the conditional least-favourable hybrid test of Andrews,
    Roth and Pakes (2023), smoothness by optimal fixed-length intervals.
    """
    if kind not in KINDS:
        raise ParameterError(f"kind {kind!r}: {nearest(kind, KINDS)}")
    bounds = [float(one) for one in np.atleast_1d(m)]
    if not all(0 <= one < np.inf for one in bounds):
        raise ParameterError(f"m {bounds}: bounds must be numbers, none of them negative")
    pre, post, covariance, relative, shares = _parts(effect)
    weights = _target(target, relative, shares)
    if kind == "relative_magnitudes":
        bounded = RelativeMagnitudes(pre, post, covariance, weights, seed=seed)
        scale = 1.0
    else:
        bounded = Smoothness(pre, post, covariance, weights)
        scale = float(np.sqrt(np.diag(covariance).max()))
    intervals = [bounded.interval(one) for one in bounds]
    table = pd.DataFrame({"m": bounds, "ci_low": [a for a, _ in intervals], "ci_high": [b for _, b in intervals]})
    table.attrs["breakdown"] = _breakdown(bounded.excludes_zero, scale)
    return table


def _parts(effect: PolicyEffect) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Estimates before the base period and after it, the covariance of both in that order, and of those after it the
    relative periods and the part in the reported average."""
    study = effect.for_sensitivity
    if study is None:
        raise EstimationError(
            f"{effect.method} has no event study against a common base period; pass a result of policy.staggered, "
            "or of policy.two_way where all treated units start together"
        )
    kept = study.relative != study.base
    relative, estimates, weights = study.relative[kept], study.estimates[kept], study.weights[kept]
    before = relative < study.base
    if not before.any():
        raise EstimationError("no period before the base period: nothing shows how trends differed before the start")
    counted = np.concatenate([np.arange(-before.sum(), 0), np.arange((~before).sum()) + 1])
    if not np.array_equal(relative - study.base, counted):
        raise EstimationError(
            f"the event study has gaps (relative periods {', '.join(map(str, relative))}); leave out the groups or "
            "periods that cause them"
        )
    covariance = study.covariance[np.ix_(kept, kept)]
    exact = relative[np.diag(covariance) <= 0]
    if len(exact):
        raise EstimationError(
            f"the event study has no error in relative periods {', '.join(map(str, exact))}: units that are compared "
            "change exactly alike there, so no 95 % set can be drawn; were their outcomes computed from one series?"
        )
    return estimates[before], estimates[~before], covariance, relative[~before], weights[~before]


def _target(target: str | int, relative: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Weights of the periods after the base."""
    since = relative >= 0
    if target == "att":
        return shares
    if target == "average":
        return since / since.sum()
    if isinstance(target, str) or target not in relative[since]:
        raise ParameterError(
            f"target {target!r}: 'att', 'average', or a relative period from 0 to {relative[since].max()}"
        )
    return (relative == target).astype(float)


def _breakdown(excludes_zero: Callable[[float], bool], scale: float) -> float:
    """The smallest bound that no longer excludes zero, by halving."""
    if not excludes_zero(0.0):
        return 0.0
    high = scale
    while excludes_zero(high):
        high *= 2
        if high > LARGEST * scale:
            return float("inf")
    low = 0.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if excludes_zero(middle) else (low, middle)
    return high
