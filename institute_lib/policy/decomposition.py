"""What the two-way fixed-effects number is made of: the two-by-two comparisons and their weights.

Goodman-Bacon, A. (2021), Difference-in-differences with variation in treatment timing, Journal of Econometrics 225(2),
254–277, equation 10. Exact on balanced, unweighted panels with an absorbing treatment.
"""

import numpy as np
import pandas as pd

NEVER = np.inf


def decompose(outcomes: np.ndarray, start: np.ndarray) -> pd.DataFrame:
    """Every two-by-two comparison with its weight.

    Args:
        outcomes: units by periods, no gaps.
        start: for each unit the position of its first treated period, infinite if never.

    Returns:
        kind ("treated_vs_never", "earlier_vs_later", "later_vs_earlier"), treated_group, control_group (positions of
        first treated periods), weight, estimate; weights sum to one.
    """
    n_periods = outcomes.shape[1]
    groups = np.unique(start)
    share = {group: float((start == group).mean()) for group in groups}
    path = {group: outcomes[start == group].mean(axis=0) for group in groups}
    rows = []
    for treated in groups[np.isfinite(groups)]:
        for control in groups[groups != treated]:
            rows.append(_comparison(treated, control, share, path, n_periods))
    table = pd.DataFrame(rows, columns=["kind", "treated_group", "control_group", "weight", "estimate"])
    table["weight"] /= table["weight"].sum()
    return table


def _comparison(treated: float, control: float, share: dict, path: dict, n_periods: int) -> tuple:
    """One group that starts, against one that does not change in the window; its weight is not yet normalised."""
    begin, other = int(treated), control
    if other == NEVER:
        kind, window = "treated_vs_never", slice(0, n_periods)
    elif treated < other:
        kind, window = "earlier_vs_later", slice(0, int(other))
    else:
        kind, window = "later_vs_earlier", slice(int(other), n_periods)
    before, after = slice(window.start, begin), slice(begin, window.stop)
    effect = _change(path[treated], before, after) - _change(path[control], before, after)
    length = window.stop - window.start
    in_window = length / n_periods
    treated_time = (window.stop - begin) / length
    both = share[treated] + share[control]
    own = share[treated] / both
    variance = own * (1 - own) * treated_time * (1 - treated_time)
    return kind, treated, control, (both * in_window) ** 2 * variance, effect


def _change(path: np.ndarray, before: slice, after: slice) -> float:
    return float(path[after].mean() - path[before].mean())
