"""Few treated clusters: the effect is judged by what the same estimator finds if other clusters were treated.

Errors clustered by city say nothing where one city of forty is treated, however many districts it has: its own noise is
fitted away (MacKinnon and Webb 2017, Journal of Applied Econometrics 32(2)). So the treated clusters' starts are dealt
out to all clusters anew, and the p value is the share of deals whose effect is as large in units of its noise (Fisher
1935; MacKinnon and Webb 2020, Journal of Econometrics 218(2)). Noise of clusters is modelled as in `placebos`, with the
effect that is tested taken out of everybody first, so that under it the clusters are alike, treated or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from math import factorial, perm, prod
from typing import Any

import numpy as np

from institute_lib.policy.intervals import Noise, border
from institute_lib.policy.panel import Panel
from institute_lib.policy.placebos import variance_model
from institute_lib.policy.results import FEW_CLUSTERS, FEW_TREATED, LEVEL, few_clusters

INSTEAD = {
    "placebos": "p and interval come from placebos: the start dealt out to all {n} {what}s with data; for one treated "
    "unit policy.pilot looks closer",
    "withheld": "too few untreated {what}s for placebos, or treated {what}s hold untreated units: no p is given; use "
    "policy.pilot, or average the outcome by the level at which the policy was decided",
}
DEALS, TRIED, ENUMERATED = 1999, 40_000, 4000
HALVINGS = 14  # a hundredth of a standard error is known of the placebos, no more
ROUNDING = 1e-9


def headline_of(
    data: Panel,
    start: np.ndarray,
    *,
    att: float,
    se: float,
    noise: Noise,
    cluster: np.ndarray | None = None,
    mass: np.ndarray | None = None,
    last: bool = False,
    seed: int = 0,
    said: Sequence[str] = (),
    counts: tuple[int, int] | None = None,
    dealt: bool = True,
) -> dict[str, Any]:
    """The fields of a PolicyEffect that every estimator shares.

    Where few clusters are treated, p and interval come from deals of their starts, or are withheld with the reason.

    Args:
        start, cluster, mass, last: as in `deal`; without clusters each unit is one. noise: of the estimate.
        counts: of clusters and of treated ones, where units lie in several. dealt: whether starts can be dealt out.
    """
    treated, codes = np.isfinite(start), np.arange(len(start)) if cluster is None else cluster
    n_clusters, n_treated = counts or (int(codes.max()) + 1, len(np.unique(codes[treated])))
    later = start > start[treated].min()  # those the first to start are compared with
    n_others = len(np.unique(codes[later]))
    p, half = float(noise.p_values(np.array([att]))[0]), float(noise.half_widths()[0])
    found, inference, notes = Dealt(p, (att - half, att + half), n_clusters), "clusters", []
    if min(n_treated, n_others) < FEW_TREATED:
        what = "unit" if cluster is None and counts is None else "cluster"
        mass = np.ones(len(start)) if mass is None else mass
        placebos = deal(data, start, codes, mass, att=att, last=last, seed=seed) if dealt else None
        few, kind = (n_treated, "treated") if n_treated < FEW_TREATED else (n_others, "comparison")
        counted = f"{few} {kind} {what}{'s' if few > 1 else ''}"
        found, inference = placebos or Dealt(float("nan"), (-np.inf, np.inf), 0), "placebos" if placebos else "withheld"
        notes.append(
            f"{counted} of {n_clusters}: clustered errors are not to be trusted below {FEW_TREATED}; "
            f"{INSTEAD[inference].format(what=what, n=found.n_clusters)}"
        )
    if n_clusters < FEW_CLUSTERS:
        notes.append(few_clusters(n_clusters))
    if not se > 0:
        found = Dealt(float("nan"), (att, att), n_clusters)
        inference = "withheld"
        notes.append(
            "the standard error is zero: units that are compared change exactly alike, so nothing shows what chance "
            "does; no p is given, and the interval has no width"
        )
    return {
        "att": att,
        "se": se,
        "ci": found.ci,
        "p_value": found.p_value,
        "cluster_p_value": p,
        "inference": inference,
        "n_units": len(data.units),
        "n_treated": int(treated.sum()),
        "n_periods": len(data.ordinals),
        "n_rows": len(data.rows),
        "n_clusters": n_clusters,
        "n_treated_clusters": n_treated,
        "warnings": (*data.warnings, *notes, *said),
    }


@dataclass(frozen=True)
class Dealt:
    """p of no effect, the effects that are not rejected at 5 %, and how many clusters there are to deal to."""

    p_value: float
    ci: tuple[float, float]
    n_clusters: int


def deal(
    data: Panel, start: np.ndarray, cluster: np.ndarray, mass: np.ndarray, *, att: float, last: bool, seed: int = 0
) -> Dealt | None:
    """The test of no effect among clusters, and its inversion around the estimate.

    Args:
        start: each unit's first treated period, infinite if never. cluster: codes. mass: weights.
        last: compare with the last period before the start, as group-time effects do, or with all before it.

    Returns:
        None where clusters hold treated units beside others, or too few clusters are left to reject at 5 %.
    """
    treated = np.isfinite(start)
    own = np.unique(cluster[treated])
    if np.isin(cluster[~treated], own).any():
        return None
    starts, group = np.unique(start[treated], return_inverse=True)
    grid, on = data.wide(), (np.arange(len(data.ordinals)) >= start[:, None]).astype(float)
    on[np.isnan(grid)] = np.nan
    changes = [_changes(values, starts.astype(int), cluster, mass, last=last) for values in (grid, on)]
    noise = _noise(grid, int(starts.min()), cluster, mass)
    sizes = np.bincount(cluster, mass)
    usable = np.isfinite(changes[0]).all(axis=1) & np.isfinite(noise).all(axis=0)
    if not usable[own].all() or len(own) == usable.sum():
        return None
    pattern = np.zeros((len(own), len(starts)))
    np.add.at(pattern, (np.searchsorted(own, cluster[treated]), group), mass[treated])
    pattern *= (len(data.ordinals) - starts) / sizes[own][:, None]
    alike = np.unique(pattern, axis=0, return_counts=True)[1]  # clusters that change places without a difference
    if perm(int(usable.sum()), len(own)) // prod(factorial(int(one)) for one in alike) * LEVEL < 1:
        return None
    kept = np.flatnonzero(usable)
    changes, sizes, noise = [one[kept] for one in changes], sizes[kept], noise[:, kept]
    deals = _deals(np.searchsorted(kept, own), len(kept), seed)

    plain, moved = (_effects(one, sizes, deals, pattern) for one in changes)
    weight, main = sizes[deals] * pattern.sum(axis=1), pattern.sum(axis=0).argmax()
    shares = (weight / weight.sum(axis=1, keepdims=True)) ** 2
    others = (sizes.sum() - sizes[deals].sum(axis=1)) ** 2

    def p_of(effect: float) -> float:
        """The share of deals with an effect as large in units of its noise, once this effect is taken out."""
        left = changes[0][:, main] - effect * changes[1][:, main]
        variance = variance_model((left - np.average(left, weights=sizes)) ** 2, noise)
        outside = sizes**2 * variance
        spread = (shares * variance[deals]).sum(axis=1) + (outside.sum() - outside[deals].sum(axis=1)) / others
        found = np.abs(plain - effect * moved) / np.sqrt(spread)
        return float((found >= found[0] * (1 - ROUNDING)).mean())

    step = 2 * float(np.std(plain)) or 1.0
    low, high = (border(p_of, float(plain[0]), sign * step, HALVINGS) - plain[0] for sign in (-1.0, 1.0))
    return Dealt(p_of(0.0), (float(att + low), float(att + high)), len(kept))


def _changes(grid: np.ndarray, starts: np.ndarray, cluster: np.ndarray, mass: np.ndarray, *, last: bool) -> np.ndarray:
    """Clusters by starts: the mean change of a cluster's units from before that start to the periods since."""
    found = np.empty((cluster.max() + 1, len(starts)))
    for place, at in enumerate(starts):
        before = grid[:, at - 1] if last else _mean(grid[:, :at])
        found[:, place] = _by_cluster(_mean(grid[:, at:]) - before, cluster, mass)
    return found


def _mean(values: np.ndarray) -> np.ndarray:
    """Means over the periods seen, NaN where there is none."""
    seen = np.isfinite(values)
    return np.divide(np.where(seen, values, 0).sum(1), seen.sum(1), out=np.full(len(values), np.nan), where=seen.any(1))


def _by_cluster(values: np.ndarray, cluster: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Weighted means over the units of each cluster that have a value."""
    seen, size = np.isfinite(values), cluster.max() + 1
    total = np.bincount(cluster[seen], mass[seen], size)
    sums = np.bincount(cluster[seen], mass[seen] * values[seen], size)
    return np.divide(sums, total, out=np.full(size, np.nan), where=total > 0)


def _noise(grid: np.ndarray, at: int, cluster: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Each cluster's mean squared deviation from its own mean and all clusters' path before `at`: in all, by halves."""
    own = grid[:, :at] - _mean(grid[:, :at])[:, None]
    path = np.column_stack([_by_cluster(own[:, when], cluster, mass) for when in range(at)])
    squares = (path - np.nanmean(path, axis=0)) ** 2 if at > 1 else np.ones((len(path), at))
    half = max(at // 2, 1)
    return np.array([_mean(squares), _mean(squares[:, :half]), _mean(squares[:, -half:])])


def _deals(own: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Deals by treated clusters, as positions: the true one first, then every other, or some at random."""
    if perm(size, len(own)) <= ENUMERATED:
        others = np.array(list(permutations(range(size), len(own))))
        return np.vstack([own, others[(others != own).any(axis=1)]])
    rng = np.random.default_rng(seed)
    if 2 * len(own) > size:  # most are treated
        return np.vstack([own, rng.permuted(np.tile(np.arange(size), (DEALS, 1)), axis=1)[:, : len(own)]])
    drawn = rng.integers(size, size=(TRIED, len(own)))
    different = (np.diff(np.sort(drawn, axis=1), axis=1) > 0).all(axis=1)
    return np.vstack([own, drawn[different][:DEALS]])


def _effects(changes: np.ndarray, sizes: np.ndarray, deals: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """What each deal's clusters changed more than all others, by size and length of treatment."""
    weight = sizes[deals][:, :, None] * pattern
    total = weight.sum(axis=(1, 2))
    dealt = (weight * changes[deals]).sum(axis=(1, 2)) / total
    rest = (sizes @ changes - (sizes[deals][:, :, None] * changes[deals]).sum(axis=1)) / (
        sizes.sum() - sizes[deals].sum(axis=1)
    )[:, None]
    return dealt - (weight.sum(axis=1) * rest).sum(axis=1) / total
