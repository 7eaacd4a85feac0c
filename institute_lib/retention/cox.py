"""Cox's proportional hazards, with drivers that change and people seen only from a later tenure on.

Risk sets are (entry, exit]. Sums over a risk set are made of additions alone, along a binary tree of the event times,
so that one person with a far-off driver takes no digits from the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, EstimationError, Fault, ParameterError, nearest
from institute_lib.results import Result
from institute_lib.retention.counting import codes_of
from institute_lib.retention.drivers import Drivers, is_number, parse
from institute_lib.retention.fitting import Sums, climb, design_of, invert, require_clusters, require_full_rank
from institute_lib.retention.hazard import clearest_in_words, coefficient_table, level_sizes, require_no_separation
from institute_lib.retention.spells import faults_where, overlapping, plain, require_columns
from institute_lib.retention.survival import snapped

if TYPE_CHECKING:
    from scipy.sparse import csr_array

TIES = ("efron", "breslow")


@dataclass(frozen=True)
class CoxModel(Result):
    """A fitted Cox model; `coefficients` and `levels` as in HazardModel, ratios being hazard ratios."""

    coefficients: pd.DataFrame
    levels: pd.DataFrame
    covariance: np.ndarray = field(repr=False)
    event: str
    cluster: str | None
    ties: str
    n_rows: int
    n_events: int
    n_clusters: int | None
    log_likelihood: float
    log_likelihood_null: float
    warnings: tuple[str, ...] = ()

    def summary(self, language: str = "zh") -> str:
        """What the model rests on and its strongest association."""
        return terms.text(
            "retention.cox",
            language,
            rows=terms.count(self.n_rows, language),
            events=terms.count(self.n_events, language),
            finding=clearest_in_words(self.coefficients, language, "cloglog"),
        )

    def to_frame(self) -> pd.DataFrame:
        """The coefficients as a copy."""
        return self.coefficients.copy()


def cox(
    spells: pd.DataFrame,
    *,
    entry: str | None,
    exit: str,
    event: str,
    drivers: Drivers,
    cluster: str | None = None,
    ties: str = "efron",
    person: str | None = None,
) -> CoxModel:
    """Fit Cox's model on rows that are each at risk over (entry, exit].

    Parameters:
        spells: one row a person, or a stretch of a person over which no driver changed (`tenure_spells`).
        entry, exit: numeric columns of time; entry None: everyone at risk from the beginning. Times that differ by
            rounding alone are tied, as R's `coxph` has them (timefix).
        event: 0/1, the event at `exit`. drivers: names and terms, as in `hazard`.
        cluster: column whose rows hang together; errors are then Lin and Wei's, without a small-sample factor, as R.
        ties: "efron" or "breslow".
        person: column of what must not overlap in time (one spell of employment); None: not checked.

    Returns:
        CoxModel.

    Raises:
        DataError: exit not after entry, missing values, overlaps of one person, all rows at once.
        EstimationError: no exits, levels at which nobody leaves, collinear drivers, no finite maximum.
        ParameterError: unknown column or ties.

    Source: Cox (1972); Efron (1977); Lin and Wei (1989); Therneau and Grambsch, Modeling Survival Data (2000).
    """
    if ties not in TIES:
        raise ParameterError(f"ties={ties!r}: {nearest(ties, TIES)}")
    spells = plain(spells)
    require_columns(spells, [c for c in (entry, exit, event, cluster, person) if c], table="spells")
    for column in (entry, exit):
        if column and not is_number(spells[column]):
            raise DataError(
                f"spells: column {column!r} holds {spells[column].dtype} and not numbers; give times since entry, "
                "such as days of tenure (`tenure_spells` makes them)"
            )
    formula = parse(drivers, spells.columns)
    counts = codes_of(spells, event=event, formula=formula, cluster=cluster)
    begin = spells[entry].to_numpy(dtype=float) if entry else np.full(len(spells), -np.inf)
    end = spells[exit].to_numpy(dtype=float)
    _check_times(spells, begin, end, entry=entry, exit=exit, person=person)
    begin, end = snapped(begin, end)
    gone = counts.events > 0
    if not gone.any():
        raise EstimationError(f"no exits: {event!r} is 0 in all {len(gone)} rows; there is no hazard to explain")
    design = design_of(formula, counts)
    levels = level_sizes(design, counts.rows, counts.events)
    require_no_separation(levels, counts, formula, stayers=False)
    require_full_rank(design, counts.rows)
    x = np.column_stack([block.spread(block.table) for block in design.blocks])
    x = x[:, np.argsort(np.concatenate([block.columns for block in design.blocks]))][:, 1:]
    scale = np.maximum(x.std(axis=0), np.finfo(float).tiny)
    z = (x - x.mean(axis=0)) / scale
    sets = RiskSets.lay_out(begin, end, gone, z, efron=ties == "efron", labels=design.labels[1:])
    beta, here, _ = climb(sets, np.zeros(x.shape[1]))
    errors = invert(here.information)
    if cluster:
        require_clusters(counts.n_clusters, cluster)
        scores = np.zeros((counts.n_clusters, len(beta)))
        np.add.at(scores, counts.cluster_codes, here.residual)
        errors = errors @ scores.T @ scores @ errors
    errors = errors / np.outer(scale, scale)
    return CoxModel(
        coefficients=coefficient_table(
            design.labels[1:], beta / scale, errors, levels, totals=(len(spells), gone.sum())
        ),
        levels=levels,
        covariance=errors,
        event=event,
        cluster=cluster,
        ties=ties,
        n_rows=len(spells),
        n_events=int(gone.sum()),
        n_clusters=counts.n_clusters,
        log_likelihood=here.value,
        log_likelihood_null=sets.evaluate(np.zeros(len(beta))).value,
        warnings=counts.warnings,
    )


@dataclass(frozen=True)
class Score(Sums):
    """The partial log-likelihood, its score and information, and each row's score residual."""

    residual: np.ndarray


@dataclass(frozen=True)
class RiskSets:
    """People, times and covariates laid out once.

    at: the event time of each event; tied: how many fall on each. nodes: a binary tree over the event times (node i
    has the children 2i and 2i + 1, the times are its leaves), and in each node the rows whose stretch at risk is made
    of it: few nodes make up any stretch, and a sum over a risk set is one over the nodes above its time.
    """

    x: np.ndarray
    event: np.ndarray
    at: np.ndarray
    tied: np.ndarray
    nodes: "csr_array"
    efron: bool
    labels: Sequence[tuple[str, str]] = ()
    firth = False
    unbounded = "the partial likelihood has no finite maximum: {wild}; merge levels, or leave a driver out"

    @property
    def design(self) -> "RiskSets":
        """What `climb` asks how far a step moves."""
        return self

    def reach(self, step: np.ndarray) -> float:
        """The most that a step can move any row's predictor."""
        return float(np.max(np.abs(self.x @ step)))

    def moves(self, step: np.ndarray) -> np.ndarray:
        """By coefficient, how far a step spreads the rows' predictors."""
        return np.abs(step) * np.ptp(self.x, axis=0)

    @classmethod
    def lay_out(
        cls,
        entry: np.ndarray,
        exit: np.ndarray,
        event: np.ndarray,
        x: np.ndarray,
        *,
        efron: bool,
        labels: Sequence[tuple[str, str]] = (),
    ) -> "RiskSets":
        """A row is at risk at event time t when entry < t ≤ exit."""
        from scipy.sparse import csr_array

        times = np.unique(exit[event])
        leaves = 1 << int(len(times) - 1).bit_length()
        left, right = (leaves + np.searchsorted(times, one, side="right") for one in (entry, exit))
        node, row = [], []
        while (left < right).any():
            for own in ((left < right) & (left % 2 == 1), (left < right) & (right % 2 == 1)):
                node.append((left if len(node) % 2 == 0 else right - 1)[own])
                row.append(np.flatnonzero(own))
            left, right = (left + 1) // 2, right // 2
        node, row = np.concatenate([[], *node]).astype(int), np.concatenate([[], *row]).astype(int)
        nodes = csr_array((np.ones(len(node)), (node, row)), shape=(2 * leaves, len(exit)))
        at = np.searchsorted(times, exit[event])
        return cls(x, event, at, np.bincount(at, minlength=len(times)), nodes, efron, labels)

    @cached_property
    def _draws(self) -> tuple[np.ndarray, np.ndarray]:
        """For each event in turn within its time: the time's index, and Efron's fraction already gone."""
        index = np.repeat(np.arange(len(self.tied)), self.tied)
        order = np.arange(len(index)) - np.repeat(np.cumsum(self.tied) - self.tied, self.tied)
        return index, (order / self.tied[index] if self.efron else np.zeros(len(index)))

    def _at_risk(self, values: np.ndarray) -> np.ndarray:
        """Sum over the risk set at each event time: down the tree, each node adds what stands above it."""
        total = self.nodes @ values
        level = 1
        while 2 * level < len(total):
            total[2 * level : 4 * level] += np.repeat(total[level : 2 * level], 2, axis=0)
            level *= 2
        return total[level : level + len(self.tied)]

    def _over_time(self, per_time: np.ndarray) -> np.ndarray:
        """Each row's sum over the event times at which it is at risk: up the tree, each node adds its two halves."""
        leaves = self.nodes.shape[0] // 2
        total = np.zeros((2 * leaves, *per_time.shape[1:]))
        total[leaves : leaves + len(per_time)] = per_time
        for node in (slice(one, 2 * one) for one in 1 << np.arange(int(leaves).bit_length() - 1)[::-1]):
            total[node] = total[2 * node.start : 2 * node.stop : 2] + total[2 * node.start + 1 : 2 * node.stop : 2]
        return self.nodes.T @ total

    def _by_time(self, place: np.ndarray, values: np.ndarray) -> np.ndarray:
        total = np.zeros((len(self.tied), *values.shape[1:]))
        np.add.at(total, place, values)
        return total

    def evaluate(self, beta: np.ndarray) -> Score:
        """The partial likelihood at some coefficients.

        The residual is the covariate less expected at the event, minus its compensator (Therneau and Grambsch 2000,
        section 4.6).
        """
        x, event, at = self.x, self.event, self.at
        eta = x @ beta
        shift = eta.max()
        risk = np.exp(eta - shift)
        index, gone = self._draws
        weighted = risk[:, None] * x
        sum0 = self._at_risk(risk)[index] - gone * self._by_time(at, risk[event])[index]
        if not (sum0 > 0).all():  # a trial step so far off that whole risk sets vanish
            return Score(-np.inf, np.zeros(len(beta)), np.eye(len(beta)), np.zeros_like(x))
        sum1 = self._at_risk(weighted)[index] - gone[:, None] * self._by_time(at, weighted[event])[index]
        mean = sum1 / sum0[:, None]
        value = float(eta[event].sum() - np.sum(np.log(sum0) + shift))
        score = x[event].sum(axis=0) - mean.sum(axis=0)
        exposure = risk * self._over_time(self._by_time(index, 1 / sum0))
        exposure[event] -= risk[event] * self._by_time(index, gone / sum0)[at]
        information = x.T @ (exposure[:, None] * x) - mean.T @ mean
        residual = risk[:, None] * self._over_time(self._by_time(index, mean / sum0[:, None])) - exposure[:, None] * x
        residual[event] += x[event] - self._by_time(index, mean / self.tied[index][:, None])[at]
        residual[event] -= risk[event][:, None] * self._by_time(index, gone[:, None] * mean / sum0[:, None])[at]
        return Score(value, score, information, residual)


def _check_times(
    spells: pd.DataFrame, begin: np.ndarray, end: np.ndarray, *, entry: str | None, exit: str, person: str | None
) -> None:
    """Refuse times that are missing or infinite, exits not after entry, and overlaps of one person, by row."""

    def named(wrong: np.ndarray, column: str, rule: str) -> list[Fault]:
        return faults_where(spells, wrong, column, rule, table="spells")

    faults = []
    for column, values in ((entry, begin), (exit, end)):
        if column:
            faults += named(np.isnan(values), column, "a time is missing")
            faults += named(np.isinf(values), column, "a time must be finite")
    faults += named(end <= begin, exit, "exit is not after entry")
    if person and entry and not faults:
        faults = named(overlapping(spells, person, entry, exit), entry, f"overlaps an earlier row of the same {person}")
    if faults:
        raise DataError(f"spells: {len(faults)} faults in {len(spells)} rows", tuple(faults))
