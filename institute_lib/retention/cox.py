"""Cox's proportional hazards, with drivers that change and people seen only from a later tenure on."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, EstimationError, Fault, ParameterError, nearest
from institute_lib.results import Result
from institute_lib.retention.blocks import Design
from institute_lib.retention.cells import CellCounts, require_variation, variables_of
from institute_lib.retention.counting import Part, Request, encode
from institute_lib.retention.design import build, require_full_rank, say
from institute_lib.retention.drivers import Drivers, Formula, is_number, parse
from institute_lib.retention.fitting import require_clusters, require_no_separation
from institute_lib.retention.hazard import clearest_in_words, coefficient_table, level_sizes
from institute_lib.retention.partial_likelihood import RiskSets
from institute_lib.retention.spells import overlapping, require_columns

TIES = ("efron", "breslow")
STEPS = 40


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
            **clearest_in_words(self.coefficients, language),
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
        entry, exit: numeric columns of time; entry None: everyone at risk from the beginning.
        event: 0/1, the event at `exit`. drivers: names and terms, as in `hazard`.
        cluster: column whose rows hang together; errors are then Lin and Wei's, without a small-sample factor, as R.
        ties: "efron" or "breslow".
        person: column of what must not overlap in time (one spell of employment); None: not checked.

    Returns:
        CoxModel.

    Raises:
        DataError: exit not after entry, missing values, overlaps of one person, all rows at once.
        EstimationError: no exits, levels at which nobody leaves, collinear drivers, no convergence.
        ParameterError: unknown column or ties.

    Source: Cox (1972); Efron (1977); Lin and Wei (1989); Therneau and Grambsch, Modeling Survival Data (2000).
    """
    if ties not in TIES:
        raise ParameterError(f"ties={ties!r}: {nearest(ties, TIES)}")
    require_columns(spells, [c for c in (entry, exit, event, cluster, person) if c], table="spells")
    for column in (entry, exit):
        if column and not is_number(spells[column]):
            raise DataError(
                f"spells: column {column!r} holds {spells[column].dtype} and not numbers; give times since entry, "
                "such as days of tenure (`tenure_spells` makes them)"
            )
    formula = parse(drivers)
    encoded = encode(spells, Request(event, formula.drivers, formula.declared, formula.by_level, cluster, None))
    begin = spells[entry].to_numpy(dtype=float) if entry else np.full(len(spells), -np.inf)
    end = spells[exit].to_numpy(dtype=float)
    _check_times(spells, begin, end, entry=entry, exit=exit, person=person)
    gone = spells[event].to_numpy(dtype=bool)
    design = _design(formula, encoded, gone, event=event)
    sets = RiskSets.lay_out(begin, end, gone, _matrix(design), efron=ties == "efron")
    beta, value, information, residual = _maximise(sets, design)
    errors = np.linalg.inv(information)
    if cluster:
        require_clusters(len(encoded.cluster_names), cluster)
        scores = np.zeros((len(encoded.cluster_names), len(beta)))
        np.add.at(scores, encoded.cluster_codes, residual)
        errors = errors @ scores.T @ scores @ errors
    levels = level_sizes(design, np.ones(len(spells)), gone.astype(float))
    return CoxModel(
        coefficients=coefficient_table(design.labels[1:], beta, errors, levels, (len(spells), gone.sum())),
        levels=levels,
        covariance=errors,
        event=event,
        cluster=cluster,
        ties=ties,
        n_rows=len(spells),
        n_events=int(gone.sum()),
        n_clusters=len(encoded.cluster_names) if cluster else None,
        log_likelihood=value,
        log_likelihood_null=sets.evaluate(np.zeros(len(beta)))[0],
        warnings=encoded.warnings,
    )


def _design(formula: Formula, encoded: Part, gone: np.ndarray, *, event: str) -> Design:
    """The rows' design, once nothing in it forbids a fit."""
    if not gone.any():
        raise EstimationError(f"no exits: {event!r} is 0 in all {len(gone)} rows; there is no hazard to explain")
    variables = variables_of(encoded.levels)
    ones = np.ones(len(gone))
    counts = CellCounts(event, formula, variables, encoded.codes, ones, gone.astype(float))
    require_variation(counts, formula.drivers)
    design = build(formula, variables, encoded.codes)
    require_no_separation(level_sizes(design, ones, counts.events), counts, formula, stayers=False)
    require_full_rank(design, ones)
    return design


def _matrix(design: Design) -> np.ndarray:
    """The rows of the design, without the intercept, which the baseline hazard takes up."""
    x = np.empty((design.n_cells, design.width))
    for block in design.blocks:
        x[:, block.columns] = block.spread(block.table)
    return x[:, 1:]


def _maximise(sets: RiskSets, design: Design) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Newton's method, halving steps that do not climb."""
    beta = np.zeros(design.width - 1)
    value, score, information, residual = sets.evaluate(beta)
    for _ in range(STEPS):
        try:
            step = np.linalg.solve(information, score)
        except np.linalg.LinAlgError as singular:
            raise EstimationError("drivers do not vary within any risk set; leave one of them out") from singular
        if np.max(np.abs(sets.x @ step)) < 1e-10:
            return beta, value, information, residual
        for _ in range(30):
            trial = sets.evaluate(beta + step)
            if trial[0] >= value - 1e-12 * abs(value):
                break
            step = step / 2
        beta = beta + step
        value, score, information, residual = trial
        if np.max(np.abs(beta) * np.ptp(sets.x, axis=0)) > 40:
            break
    wild = [
        say(label)
        for label, b, w in zip(design.labels[1:], beta, np.ptp(sets.x, axis=0), strict=True)
        if abs(b) * w > 15
    ]
    raise EstimationError(
        f"the partial likelihood has no finite maximum: {', '.join(wild) or 'drivers nearly decide each other'}; "
        "merge levels, or leave a driver out"
    )


def _check_times(
    spells: pd.DataFrame, begin: np.ndarray, end: np.ndarray, *, entry: str | None, exit: str, person: str | None
) -> None:
    faults = []
    for column, values in ((entry, begin), (exit, end)):
        if column:
            for row in spells.index[np.isnan(values)]:
                faults.append(Fault("spells", row, column, None, "a time is missing"))
            for row in spells.index[np.isinf(values)]:
                faults.append(Fault("spells", row, column, spells.at[row, column], "a time must be finite"))
    for row, value in spells.loc[end <= begin, exit].items():
        faults.append(Fault("spells", row, exit, value, "exit is not after entry"))
    if person and entry and not faults:
        for row in spells.index[overlapping(spells, person, entry, exit)]:
            faults.append(
                Fault("spells", row, entry, spells.at[row, entry], f"overlaps an earlier row of the same {person}")
            )
    if faults:
        raise DataError(f"spells: {len(faults)} faults in {len(spells)} rows", tuple(faults))
