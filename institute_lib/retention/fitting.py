"""Iteratively reweighted least squares on cells, checks before it, and its errors, clustered or not."""

from dataclasses import dataclass

import numpy as np

from institute_lib.errors import EstimationError
from institute_lib.retention.cells import CellCounts
from institute_lib.retention.design import Design, say
from institute_lib.retention.drivers import Formula
from institute_lib.retention.links import Cloglog, Logit

STEPS = 60
HALVINGS = 30
TOLERANCE = 1e-10


@dataclass(frozen=True)
class Problem:
    """What is maximised: a design over cells, their rows and events, the link, and whether Firth's penalty applies."""

    design: Design
    rows: np.ndarray
    events: np.ndarray
    link: Logit | Cloglog
    firth: bool = False

    def objective(self, eta: np.ndarray) -> float:
        """The (penalised) log-likelihood."""
        value = self.link.log_likelihood(eta, self.rows, self.events)
        if not self.firth:
            return value
        sign, logarithm = np.linalg.slogdet(self.design.information(self.link.expected(eta, self.rows)))
        return value + 0.5 * logarithm if sign > 0 else -np.inf

    def step(self, eta: np.ndarray) -> np.ndarray:
        """One scoring step from here."""
        weights = self.link.expected(eta, self.rows)
        information = self.design.information(weights)
        residual = self.link.residual(eta, self.rows, self.events)
        if self.firth:
            hat = weights * self.design.leverage(invert(information))
            residual = residual + hat * (0.5 - self.link.mean(eta))
        scale = 1 / np.sqrt(np.maximum(np.diag(information), np.finfo(float).tiny))
        try:
            return scale * np.linalg.solve(information * np.outer(scale, scale), scale * self.design.scores(residual))
        except np.linalg.LinAlgError as singular:
            raise EstimationError(
                "the likelihood is flat in some direction: drivers nearly decide each other; leave one out"
            ) from singular


@dataclass(frozen=True)
class Fit:
    """Estimates on cells: β, the predictor, and the log-likelihood."""

    beta: np.ndarray
    eta: np.ndarray
    log_likelihood: float
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


def require_no_separation(counts: CellCounts, formula: Formula, *, stayers: bool = True) -> None:
    """Refuse levels at which nobody leaves or (if `stayers`) nobody stays, and numbers that split the two.

    Raises:
        EstimationError: every such level with its column, rows and events, and what to do.
    """
    found = []
    for term in formula.terms:
        names = [name for name in term.drivers if counts.variables[name].kind == "factor"]
        if len(names) < len(term.drivers) or not names:
            continue
        sizes = [len(counts.variables[name].levels) for name in names]
        code = np.ravel_multi_index([counts.codes[name] for name in names], sizes)
        rows = np.bincount(code, weights=counts.rows, minlength=int(np.prod(sizes)))
        events = np.bincount(code, weights=counts.events, minlength=int(np.prod(sizes)))
        for place in np.flatnonzero((rows > 0) & ((events == 0) | (stayers & (events == rows)))):
            at = np.unravel_index(place, sizes)
            level = ":".join(str(counts.variables[n].levels[i]) for n, i in zip(names, at, strict=True))
            who = "nobody leaves" if events[place] == 0 else "nobody stays"
            found.append(f"{say((term.name, level))}: {who} ({events[place]:.0f} of {rows[place]:.0f} rows)")
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


def fit_cells(problem: Problem) -> Fit:
    """Maximise the (penalised) likelihood by scoring, halving steps that do not climb.

    Raises:
        EstimationError: no convergence, or estimates that run off, naming the columns.
    """
    design = problem.design
    beta = np.zeros(design.width)
    beta[0] = problem.link.start(problem.events.sum() / problem.rows.sum())
    eta = design.predictor(beta)
    value = problem.objective(eta)
    for iteration in range(1, STEPS + 1):
        step = problem.step(eta)
        for _ in range(HALVINGS):
            trial_eta = design.predictor(beta + step)
            trial = problem.objective(trial_eta)
            if trial >= value - 1e-10 * abs(value):
                break
            step = step / 2
        moved = np.max(np.abs(trial_eta - eta))
        beta, eta, value = beta + step, trial_eta, trial
        if moved < TOLERANCE:
            log_likelihood = problem.link.log_likelihood(eta, problem.rows, problem.events)
            return Fit(beta, eta, log_likelihood, iteration)
        if not problem.firth and iteration > 12:
            _require_bounded(design, beta)
    _require_bounded(design, beta)
    raise EstimationError(
        f"the likelihood did not converge in {STEPS} steps; leave out drivers that say nearly the same"
    )


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


def covariance(problem: Problem, fit: Fit) -> np.ndarray:
    """The inverse of the expected information."""
    return invert(problem.design.information(problem.link.expected(fit.eta, problem.rows)))


def clustered_covariance(problem: Problem, fit: Fit, counts: CellCounts, cell: np.ndarray) -> np.ndarray:
    """The sandwich with scores summed by cluster, and rows (not cells) in its small-sample factor.

    V = G/(G−1) · (N−1)/(N−K) · H⁻¹ (Σ s s') H⁻¹ with the observed information H (Liang and Zeger 1986; the factor is
    Stata's and statsmodels').

    Parameters:
        counts: cells by cluster. cell: the problem's cell of each of them.
    """
    groups = counts.n_clusters
    if groups < 2:
        raise EstimationError(f"clustered errors need two clusters; {counts.cluster!r} has {groups}")
    design, link = problem.design, problem.link
    bread = invert(design.information(link.observed(fit.eta, problem.rows, problem.events)))
    residual = link.residual(fit.eta[cell], counts.rows.astype(float), counts.events.astype(float))
    scores = design.cluster_scores(residual, cell, counts.cluster_codes, groups)
    total = problem.rows.sum()
    factor = groups / (groups - 1) * (total - 1) / (total - design.width)
    return factor * bread @ (scores.T @ scores) @ bread
