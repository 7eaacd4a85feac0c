"""Iteratively reweighted least squares on cells, checks before it, and its errors, clustered or not."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from institute_lib.errors import EstimationError
from institute_lib.retention.blocks import Design, Sums
from institute_lib.retention.cells import CellCounts
from institute_lib.retention.design import say
from institute_lib.retention.drivers import Formula
from institute_lib.retention.links import Cloglog, Logit

STEPS = 60
HALVINGS = 30
TOLERANCE = 1e-10
ROUNDING = 1e-7
MANY_CELLS = 1 << 20
SHARE = 16


@dataclass(frozen=True)
class Problem:
    """What is maximised: a design over cells, their rows and events, the link, and whether Firth's penalty applies."""

    design: Design
    rows: np.ndarray
    events: np.ndarray
    link: Logit | Cloglog
    firth: bool = False

    def evaluate(self, beta: np.ndarray) -> Sums:
        """The (penalised) log-likelihood, its gradient, and the expected information."""

        def function(eta: np.ndarray, part: slice) -> tuple[float, np.ndarray, np.ndarray]:
            return self.link.evaluate(eta, self.rows[part], self.events[part])

        sums = self.design.sweep(beta, function)
        if not self.firth:
            return sums
        eta = self.design.predictor(beta)
        sign, logarithm = np.linalg.slogdet(sums.information)
        value = sums.value + 0.5 * logarithm if sign > 0 else -np.inf
        hat = self.link.expected(eta, self.rows) * self.design.leverage(invert(sums.information))
        bias = self.design.scores(hat * (0.5 - self.link.mean(eta)))
        return Sums(value, sums.score + bias, sums.information)

    def every(self, step: int) -> "Problem":
        """The problem of each `step`-th cell."""
        return replace(
            self, design=self.design.every(step), rows=self.rows[::step], events=self.events[::step], firth=False
        )


@dataclass(frozen=True)
class Fit:
    """Estimates on cells: β, the log-likelihood, and the expected information there."""

    beta: np.ndarray
    log_likelihood: float
    information: np.ndarray
    iterations: int


def require_events(rows: float, events: float, event: str) -> None:
    """Refuse data in which nobody, or everybody, leaves.

    Raises:
        EstimationError: saying which.
    """
    if events == 0:
        raise EstimationError(f"no exits: {event!r} is 0 in all {rows:.0f} rows; there is no hazard to explain")
    if events == rows:
        raise EstimationError(f"only exits: {event!r} is 1 in all {rows:.0f} rows; nobody is seen to stay")


def require_no_separation(levels: pd.DataFrame, counts: CellCounts, formula: Formula, *, stayers: bool = True) -> None:
    """Refuse levels at which nobody leaves or (if `stayers`) nobody stays, and numbers that split the two.

    Parameters:
        levels: term, level, rows, events of every level, as `level_sizes` gives.

    Raises:
        EstimationError: every such level with its column, rows and events, and what to do.
    """
    found = []
    factors = {t.name for t in formula.terms if all(counts.variables[name].kind == "factor" for name in t.drivers)}
    for row in levels[levels["term"].isin(factors) & (levels["rows"] > 0)].itertuples():
        if row.events == 0 or (stayers and row.events == row.rows):
            who = "nobody leaves" if row.events == 0 else "nobody stays"
            found.append(f"{say((row.term, row.level))}: {who} ({row.events} of {row.rows} rows)")
    for name in formula.drivers if stayers else ():
        if counts.variables[name].kind == "number" and _splits(counts, name):
            found.append(f"{name}: one value splits leavers from stayers")
    if found:
        offer = ", or pass penalty='firth'" if stayers else ""
        raise EstimationError(
            f"quasi-separation, no finite estimate exists: {'; '.join(found)}; "
            f"merge such a level with a neighbour, leave the driver out{offer}"
        )


def _splits(counts: CellCounts, name: str) -> bool:
    code = counts.codes[name]
    gone, stayed = code[counts.events > 0], code[counts.rows > counts.events]
    return bool(gone.min() >= stayed.max() or stayed.min() >= gone.max())


def fit_cells(problem: Problem, *, tolerance: float = TOLERANCE) -> Fit:
    """Maximise the (penalised) likelihood by scoring, halving steps that do not climb.

    Done when no cell's predictor would move by `tolerance` any more, or when steps already small stop shrinking, which
    is rounding.

    Raises:
        EstimationError: no convergence, or estimates that run off, naming the columns.
    """
    design = problem.design
    beta = _start(problem)
    here = problem.evaluate(beta)
    before = np.inf
    for iteration in range(1, STEPS + 1):
        step = _solve(here.information, here.score)
        move = design.reach(step)
        if move < tolerance or (move < ROUNDING and move > before / 2):
            return Fit(beta, here.value, here.information, iteration)
        before = move
        for _ in range(HALVINGS):
            trial = problem.evaluate(beta + step)
            if trial.value >= here.value - 1e-10 * abs(here.value):
                break
            step = step / 2
        beta, here = beta + step, trial
        if not problem.firth and iteration > 12:
            _require_bounded(design, beta)
    _require_bounded(design, beta)
    raise EstimationError(
        f"the likelihood did not converge in {STEPS} steps; leave out drivers that say nearly the same"
    )


def _start(problem: Problem) -> np.ndarray:
    """Where to begin: for very many cells the estimates of a share of them, which saves passes over all."""
    beta = np.zeros(problem.design.width)
    beta[0] = problem.link.start(float(problem.events.sum() / problem.rows.sum()))
    if problem.design.n_cells < MANY_CELLS:
        return beta
    share = problem.every(SHARE)
    if not 0 < share.events.sum() < share.rows.sum():
        return beta
    try:
        return fit_cells(share, tolerance=1e-3).beta
    except EstimationError:  # a level too rare for the share says nothing about all cells
        return beta


def _solve(information: np.ndarray, score: np.ndarray) -> np.ndarray:
    scale = 1 / np.sqrt(np.maximum(np.diag(information), np.finfo(float).tiny))
    try:
        return scale * np.linalg.solve(information * np.outer(scale, scale), scale * score)
    except np.linalg.LinAlgError as singular:
        raise EstimationError(
            "the likelihood is flat in some direction: drivers nearly decide each other; leave one out"
        ) from singular


def _require_bounded(design: Design, beta: np.ndarray) -> None:
    """Estimates that run off betray separation by a combination of drivers."""
    moves = np.zeros(design.width)
    for block in design.blocks:
        moves[block.columns] = np.ptp(block.table * beta[block.columns], axis=0)
    wild = [say(label) for label, move in zip(design.labels, moves, strict=True) if move > 15]
    if wild:
        raise EstimationError(
            f"quasi-separation, no finite estimate exists: {', '.join(wild)} runs off to infinity, because some "
            "combination of drivers holds only stayers or only leavers; "
            "merge levels, leave one out, or pass penalty='firth'"
        )


def invert(matrix: np.ndarray) -> np.ndarray:
    """The inverse of an information matrix, scaled first.

    Raises:
        EstimationError: singular.
    """
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
    try:
        inverse = np.linalg.inv(matrix * np.outer(scale, scale)) * np.outer(scale, scale)
    except np.linalg.LinAlgError as singular:
        raise EstimationError(
            f"the information on {len(matrix)} coefficients is singular; leave out drivers that say nearly the same"
        ) from singular
    return (inverse + inverse.T) / 2


def covariance(fit: Fit) -> np.ndarray:
    """The inverse of the expected information."""
    return invert(fit.information)


def clustered_covariance(problem: Problem, fit: Fit, counts: CellCounts, cell: np.ndarray | None) -> np.ndarray:
    """The sandwich with scores summed by cluster, and rows (not cells) in its small-sample factor.

    V = G/(G−1) · (N−1)/(N−K) · H⁻¹ (Σ s s') H⁻¹ with the observed information H (Liang and Zeger 1986; the factor is
    Stata's and statsmodels').

    Parameters:
        counts: cells by cluster. cell: the problem's cell of each of them (None: the same).
    """
    groups = counts.n_clusters
    require_clusters(groups, counts.cluster)
    design, link = problem.design, problem.link

    def curvature(eta: np.ndarray, part: slice) -> tuple[float, None, np.ndarray]:
        return 0.0, None, link.observed(eta, problem.rows[part], problem.events[part])

    same = isinstance(link, Logit)
    bread = invert(fit.information if same else design.sweep(fit.beta, curvature).information)
    eta = design.predictor(fit.beta)
    residual = link.residual(eta if cell is None else eta[cell], counts.rows, counts.events)
    scores = design.cluster_scores(residual, cell, counts.cluster_codes, groups)
    total = counts.n_rows
    factor = groups / (groups - 1) * (total - 1) / (total - design.width)
    errors = factor * bread @ (scores.T @ scores) @ bread
    empty = np.diag(errors) < 1e-12 * np.diag(bread)
    if empty.any():
        raise EstimationError(
            f"clustered errors by {counts.cluster!r} are zero for {say(design.labels[int(np.argmax(empty))])}: the "
            "drivers give each cluster a coefficient of its own; cluster by something wider, or leave that driver out"
        )
    return errors


def require_clusters(groups: int, cluster: str) -> None:
    """Refuse errors clustered over a single cluster.

    Raises:
        EstimationError: naming the column.
    """
    if groups < 2:
        raise EstimationError(f"clustered errors need two clusters; {cluster!r} has {groups}")
