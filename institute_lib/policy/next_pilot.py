"""Where a further pilot would be expected to gain most, and how sure that is.

One pilot alone cannot say where a policy works better. Units that adopted at different times can: each has an effect of
its own, and how these effects go with the level before adoption carries over to units that have not adopted. The spread
that the level does not explain stays in the prediction interval (a random-effects meta-regression: DerSimonian and
Laird 1986 for the spread between units, Higgins, Thompson and Spiegelhalter 2009 for the prediction).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import EstimationError
from institute_lib.policy.panel import Panel, listed, read_adoption
from institute_lib.policy.results import LEVEL
from institute_lib.results import Result
from institute_lib.sharing import once_a_run

FEWEST_ADOPTERS = 5
FEWEST_CONTROLS = 2
FEWEST_BEFORE = 4
DRAWS = 20_000


@dataclass(frozen=True)
class NextPilot(Result):
    """Candidates by expected gain.

    Attributes:
        table: unit, level (against the comparison units, latest periods), gain, ci_low, ci_high (95 % prediction
            interval), size and total (gain times size; only with a size), probability (of being the largest).
        slope: how the effect changes with the level, its standard error, and its p.
        spread: standard deviation of effects between units that the level does not explain.
        horizon: periods since adoption that an effect averages over.
    """

    table: pd.DataFrame
    slope: tuple[float, float, float]
    spread: float
    horizon: int
    n_adopters: int
    n_controls: int
    warnings: tuple[str, ...] = ()

    def summary(self, language: str = "zh") -> str:
        """What the table holds, and from how many adopters it is learnt."""
        return f"{terms.text('policy.next_table', language)} (n = {self.n_adopters})"

    def to_frame(self) -> pd.DataFrame:
        """A copy of the table."""
        return self.table.copy()


@once_a_run
def where_next(
    panel: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    period: str,
    treated_from: str,
    candidates: Sequence[Any],
    size: str | None = None,
    seed: int = 0,
) -> NextPilot:
    """The candidates in order of the gain to be expected from the policy, with prediction intervals.

    Args:
        panel: one row a unit and period: adopters, units that never adopt, and the candidates.
        treated_from: each unit's first treated period, missing if never.
        candidates: units without the policy; they serve neither as adopters nor for comparison.
        size: a column by which a gain is multiplied (persons, for a share); the order is then by that total.
        seed: of the draws behind the probabilities.

    Raises:
        EstimationError: a candidate is missing or already treated, fewer than five adopters, fewer than two units to
            compare with, fewer than four periods before the first adoption.
    """
    from scipy.stats import t

    columns = {"outcome": outcome, "unit": unit, "period": period}
    data, start = read_adoption(panel, **columns, treated_from=treated_from, further=[size])
    chosen = _places(data, start, candidates)
    grid = data.wide()
    complete = ~np.isnan(grid).any(axis=1)
    rest = ~np.isin(np.arange(len(start)), chosen) & complete
    adopters, controls = np.flatnonzero(np.isfinite(start) & rest), np.flatnonzero(np.isinf(start) & rest)
    first = int(start[adopters].min()) if len(adopters) else 0
    for found, needed, what in (
        (len(adopters), FEWEST_ADOPTERS, "adopters without gaps: fewer do not show where a policy works better"),
        (len(controls), FEWEST_CONTROLS, "units without the policy to compare with"),
        (first, FEWEST_BEFORE, "periods before the first adoption: half show the level, half the way there"),
    ):
        if found < needed:
            raise EstimationError(f"{found} {what}; at least {needed} are needed")
    grid = grid - grid[controls].mean(axis=0)
    horizon = int(len(data.ordinals) - start[adopters].max())
    effects, noise = _effects(grid[:, first // 2 :], start - first // 2, adopters, controls, horizon)
    levels = grid[adopters][:, : first // 2].mean(axis=1)
    recent = np.nanmean(grid[chosen][:, -(first // 2) :], axis=1)
    coefficients, covariance, spread = _meta_regression(effects, noise, np.column_stack([np.ones(len(levels)), levels]))
    df, wanted = len(effects) - 2, np.column_stack([np.ones(len(recent)), recent])
    gain = wanted @ coefficients
    half = t.ppf(1 - LEVEL / 2, df) * np.sqrt(np.einsum("ij,jk,ik->i", wanted, covariance, wanted) + spread**2)
    table = pd.DataFrame({"unit": [data.units[one] for one in chosen], "level": recent, "gain": gain})
    table = table.assign(ci_low=gain - half, ci_high=gain + half)
    scale = np.ones(len(recent))
    if size is not None:
        scale = data.rows.groupby("unit")[f"x:{size}"].last().to_numpy(float)[chosen]  # the latest
        table = table.assign(size=scale, total=gain * scale)
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_normal(coefficients, covariance, DRAWS) @ wanted.T
    drawn = (drawn + spread * rng.standard_normal(drawn.shape)) * scale
    table["probability"] = np.bincount(drawn.argmax(axis=1), minlength=len(recent)) / DRAWS
    table = table.sort_values("gain" if size is None else "total", ascending=False, kind="stable", ignore_index=True)
    notes = [*data.warnings]
    if not complete.all():
        notes.append(f"left out for gaps: {listed(data.gaps())}")
    if recent.min() < levels.min() or recent.max() > levels.max():
        notes.append("some candidates lie outside the levels that adopters had: their gain is extrapolated")
    se = float(np.sqrt(covariance[1, 1]))
    slope = (float(coefficients[1]), se, float(2 * t.sf(abs(coefficients[1] / se), df)))
    return NextPilot(table, slope, spread, horizon, len(adopters), len(controls), tuple(notes))


def _places(data: Panel, start: np.ndarray, candidates: Sequence[Any]) -> list[int]:
    place = {name: row for row, name in enumerate(data.units)}
    missing = [one for one in candidates if one not in place]
    if missing or not len(candidates):
        raise EstimationError(f"candidates not in the panel: {listed(missing) or 'none given'}")
    treated = [one for one in candidates if np.isfinite(start[place[one]])]
    if treated:
        raise EstimationError(f"{listed(treated)} already have the policy and cannot be candidates")
    return [place[one] for one in candidates]


def _effects(
    grid: np.ndarray, start: np.ndarray, adopters: np.ndarray, controls: np.ndarray, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Each adopter's change against the comparison units, and the variance of the same among these.

    The periods that show the level are not used again: a low level by chance would else look like a high effect.
    """
    starts = start[adopters].astype(int)
    changes = [grid[:, at : at + horizon].mean(axis=1) - grid[:, :at].mean(axis=1) for at in starts]
    effects = np.array([change[one] for one, change in zip(adopters, changes, strict=True)])
    return effects, np.array([change[controls].var(ddof=1) for change in changes])


def _meta_regression(
    effects: np.ndarray, noise: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Coefficients of effects on columns, their covariance, and the spread between units that noise does not explain.

    Weighted by noise and spread (DerSimonian and Laird 1986).
    """
    weights = 1 / noise.clip(np.finfo(float).tiny)
    bread = np.linalg.inv(columns.T @ (columns * weights[:, None]))
    left = effects - columns @ (bread @ (columns.T @ (weights * effects)))
    squares = columns.T @ (columns * (weights**2)[:, None])
    excess = weights @ left**2 - (len(effects) - columns.shape[1])
    between = max(0.0, float(excess / (weights.sum() - np.trace(bread @ squares))))
    weights = 1 / (noise + between).clip(np.finfo(float).tiny)
    covariance = np.linalg.inv(columns.T @ (columns * weights[:, None]))
    return covariance @ (columns.T @ (weights * effects)), covariance, float(np.sqrt(between))
