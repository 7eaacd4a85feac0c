"""Confidence sets when trends after the start may differ by at most M̄ times the largest change seen before it.

Rambachan and Roth (2023), A more credible approach to parallel trends, Review of Economic Studies 90(5), 2555–2591,
section 3, with the conditional test made hybrid by a least-favourable first stage of Andrews, Roth and Pakes (2023),
Review of Economic Studies 90(6): as in the authors' package HonestDiD, size of the first stage a tenth of alpha.

The restriction is a union over which pre-period change is the largest and its sign; within each, moments of the later
periods say |change after| ≤ M̄ · that change. For a target l'τ the dual of the test's linear programme has as many
vertices as there are later periods, plus two, and they are known in closed form, so nothing is solved numerically: with
u_t the sum of l from t on, l'δ = Σ u_t·(change at t), so the vertices are the target with either sign, Σ|u_t| moments
together, and each moment with its mirror image.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from institute_lib.policy.results import LEVEL

FIRST_STAGE = LEVEL / 10
DRAWS = 20_000
GRID = 2001
FINE = 33
REFINEMENTS = 4
PARALLEL = 1e-12


@dataclass(frozen=True)
class Vertices:
    """The candidates of one polyhedron: statistic r at θ is rows[r] @ β + slope[r]·θ, its covariance rows Σ rows'."""

    rows: np.ndarray
    slope: np.ndarray
    covariance: np.ndarray
    first_stage: float


class RelativeMagnitudes:
    """95 % sets for target'τ if changes after the start are at most a bound times the largest one before.

    Args:
        pre, post: event-study estimates against the period before the start, in order of time. covariance: of both.
        seed: of the draws behind the first stage.
    """

    def __init__(self, pre: np.ndarray, post: np.ndarray, covariance: np.ndarray, target: np.ndarray, *, seed: int = 0):
        self.beta, self.n_pre = np.concatenate([pre, post]), len(pre)
        self.covariance, self.target = covariance, target
        self.draws = np.random.default_rng(seed).standard_normal((2 + 2 * len(pre), DRAWS))

    def interval(self, bound: float) -> tuple[float, float]:
        """From the smallest to the largest effect that is not rejected."""
        polyhedra = list(self._polyhedra(bound))
        grid = self._grid(bound)
        accepted = accepts(grid, self.beta, polyhedra)
        if not accepted.any():
            return float("nan"), float("nan")
        first, last = np.flatnonzero(accepted)[[0, -1]]
        low = -np.inf if first == 0 else self._edge(grid[first], grid[first - 1], polyhedra)
        high = np.inf if last == GRID - 1 else self._edge(grid[last], grid[last + 1], polyhedra)
        return float(low), float(high)

    def excludes_zero(self, bound: float) -> bool:
        """Whether no effect is incompatible with the estimates under this bound."""
        zero = np.zeros(1)
        return not any(_not_rejected(zero, self.beta, one)[0] for one in self._polyhedra(bound))

    def _grid(self, bound: float) -> np.ndarray:
        """Effects worth testing: the estimate, ten standard errors, and the largest plausible bias on either side."""
        centre = float(self.target @ self.beta[self.n_pre :])
        spread = np.sqrt(self.target @ self.covariance[self.n_pre :, self.n_pre :] @ self.target)
        changes = np.diff(np.append(self.beta[: self.n_pre], 0.0))
        noise = 6 * np.sqrt(np.diag(self.covariance)[: self.n_pre].max())
        half = 10 * spread + bound * np.abs(_remaining(self.target)).sum() * (np.abs(changes).max() + noise)
        return np.linspace(centre - half, centre + half, GRID)

    def _edge(self, inside: float, outside: float, polyhedra: list[Vertices]) -> float:
        """The border between an accepted and a rejected effect, on ever finer grids."""
        for _ in range(REFINEMENTS):
            grid = np.linspace(inside, outside, FINE)
            last = np.flatnonzero(accepts(grid, self.beta, polyhedra)).max(initial=0)
            inside, outside = grid[last], grid[min(last + 1, FINE - 1)]
        return float(inside)

    def _polyhedra(self, bound: float) -> Iterator[Vertices]:
        """One polyhedron for each pre-period change that may be the largest, and its sign."""
        size = len(self.beta)
        changes = np.eye(size) - np.eye(size, k=-1)
        changes[self.n_pre, self.n_pre - 1] = 0.0
        before = np.eye(size, k=1)[: self.n_pre] - np.eye(size)[: self.n_pre]
        before[-1] = -np.eye(size)[self.n_pre - 1]
        for row in before:
            for sign in (1.0, -1.0):
                yield _vertices(
                    changes[self.n_pre :],
                    before,
                    sign * row,
                    target=self.target,
                    covariance=self.covariance,
                    bound=bound,
                    draws=self.draws,
                )


def accepts(theta: np.ndarray, beta: np.ndarray, polyhedra: list[Vertices]) -> np.ndarray:
    """Which values of θ at least one polyhedron does not reject."""
    return np.any([_not_rejected(theta, beta, one) for one in polyhedra], axis=0)


def _remaining(target: np.ndarray) -> np.ndarray:
    """How often the change at each later period enters the target: the sum of its weights from then on."""
    return np.cumsum(target[::-1])[::-1]


def _vertices(
    after: np.ndarray,
    before: np.ndarray,
    largest: np.ndarray,
    *,
    target: np.ndarray,
    covariance: np.ndarray,
    bound: float,
    draws: np.ndarray,
) -> Vertices:
    """The vertices' statistics where pre-period change `largest` bounds the changes after the start."""
    up, down = after - bound * largest, -after - bound * largest
    sd_up, sd_down = (np.sqrt(np.einsum("ij,jk,ik->i", one, covariance, one)) for one in (up, down))
    weight = _remaining(target)
    plus, minus = weight.clip(0), (-weight).clip(0)
    rows = [plus @ up + minus @ down, minus @ up + plus @ down]
    norms = [plus @ sd_up + minus @ sd_down, minus @ sd_up + plus @ sd_down]
    slopes = [-1.0, 1.0]
    if len(target) > 1:
        ends = np.argsort(sd_up + sd_down)[[0, -1]]  # all pairs are parallel: those between can never be the largest
        rows += list((up + down)[ends])
        norms += list((sd_up + sd_down)[ends])
    else:
        limits = np.vstack([before - largest, -before - largest])
        limits = limits[np.abs(limits).max(axis=1) > 0]
        rows += list(limits)
        norms += list(np.sqrt(np.einsum("ij,jk,ik->i", limits, covariance, limits)))
    norms = np.array(norms)
    kept = norms > 0
    scaled = (np.array(rows)[kept].T / norms[kept]).T
    slope = np.array(slopes + [0.0] * (len(norms) - 2))[kept] / norms[kept]
    of_rows = scaled @ covariance @ scaled.T
    return Vertices(scaled, slope, of_rows, _first_stage(of_rows, draws))


def _first_stage(covariance: np.ndarray, draws: np.ndarray) -> float:
    """What the largest of the rows exceeds with the first stage's probability if all their means are zero."""
    values, vectors = np.linalg.eigh(covariance)
    highest = ((vectors * np.sqrt(values.clip(0))) @ draws[: len(values)]).max(axis=0)
    return float(np.quantile(highest, 1 - FIRST_STAGE))


def _not_rejected(theta: np.ndarray, beta: np.ndarray, vertices: Vertices) -> np.ndarray:
    """The hybrid test at each θ: reject beyond the first stage, or beyond the truncated normal's critical value."""
    values = (vertices.rows @ beta)[:, None] + np.outer(vertices.slope, theta)
    best = values.argmax(axis=0)
    highest = values[best, np.arange(len(theta))]
    variance = np.diag(vertices.covariance)
    share = vertices.covariance[:, best] / variance[best]
    with np.errstate(divide="ignore", invalid="ignore"):
        border = (values - share * highest) / (1 - share)
    low = np.where(share < 1 - PARALLEL, border, -np.inf).max(axis=0)
    high = np.where(share > 1 + PARALLEL, border, vertices.first_stage).min(axis=0)
    sd = np.sqrt(variance[best])
    size = (LEVEL - FIRST_STAGE) / (1 - FIRST_STAGE)
    limit = np.maximum(0.0, _truncated_quantile(1 - size, low / sd, high / sd))
    return ~((highest > vertices.first_stage) | (highest / sd > limit))


def _truncated_quantile(share: float, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The quantile of a standard normal between two bounds, stable in both tails."""
    from scipy.special import log_ndtr, ndtri

    upper = low > 0
    a, b = np.where(upper, -high, low), np.where(upper, -low, high)
    part = np.where(upper, 1 - share, share)
    log_a, log_b = log_ndtr(a), log_ndtr(b)
    mass = log_b + np.log(part + (1 - part) * np.exp(log_a - log_b))
    found = ndtri(np.exp(mass))
    tiny = mass < -600
    found = np.where(tiny, b, found)
    return np.where(upper, -found, found)
