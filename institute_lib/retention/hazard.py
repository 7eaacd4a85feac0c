"""The discrete-time hazard: what goes with leaving in a quarter, exact on cells. Association, not cause."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, ParameterError, nearest
from institute_lib.results import Result
from institute_lib.retention.blocks import Design
from institute_lib.retention.cells import CellCounts, Variable, count, covered, require_variation
from institute_lib.retention.design import INTERCEPT, build, collapse, evaluate, require_full_rank
from institute_lib.retention.drivers import Drivers, as_levels, parse
from institute_lib.retention.effects import average_marginal_effects
from institute_lib.retention.fitting import (
    Fit,
    Problem,
    clustered_covariance,
    covariance,
    fit_cells,
    require_events,
    require_no_separation,
)
from institute_lib.retention.intervals import estimate_columns, holm
from institute_lib.retention.links import link_named
from institute_lib.retention.spells import require_columns
from institute_lib.tables import contracts

CATEGORIES = {
    "kind": contracts.KINDS,
    "field": contracts.FIELDS,
    "gender": contracts.GENDERS,
    "education": contracts.EDUCATIONS,
    "contract": contracts.EMPLOYMENT_CONTRACTS,
    "certificate": contracts.CERTIFICATES,
    "level": contracts.STATION_LEVELS,
}
UNKNOWN = ("unknown",)  # how `band` names a missing value
FEW_CLUSTERS = 30
FEW_EVENTS = 10


@dataclass(frozen=True)
class HazardModel(Result):
    """A fitted hazard.

    coefficients: term, level, estimate (log odds ratio, or log hazard ratio with cloglog), se, ci_low, ci_high,
        p_value, ratio, ratio_low, ratio_high, p_adjusted (Holm, over all but the intercept), rows, events (of the
        level; of all rows for a number). The reference levels stand in `levels`.
    levels: term, level, rows, events, reference. Every factor's cell sizes.
    marginal_effects: term, level, estimate (change in the hazard), se, ci_low, ci_high, p_value.
    """

    coefficients: pd.DataFrame
    levels: pd.DataFrame
    covariance: np.ndarray = field(repr=False)
    event: str
    link: str
    cluster: str | None
    penalty: str | None
    n_rows: int
    n_events: int
    n_clusters: int | None
    log_likelihood: float
    iterations: int
    problem: Problem = field(repr=False)
    fit: Fit = field(repr=False)
    warnings: tuple[str, ...] = ()

    @cached_property
    def marginal_effects(self) -> pd.DataFrame:
        """Average marginal effects, computed when first asked for."""
        return average_marginal_effects(self.problem, self.fit, self.covariance)

    def predict(self, data: pd.DataFrame) -> np.ndarray:
        """The hazard of each row.

        Raises:
            DataError: a level that the model has not seen. ParameterError: a column is missing.
        """
        design = self.problem.design
        require_columns(data, list(design.variables), table="data")
        read = {name: _read(data[name], variable) for name, variable in design.variables.items()}
        variables = {name: variable for name, (variable, _) in read.items()}
        eta = np.zeros(len(data))
        for block in design.blocks:
            table = evaluate(block.terms, variables, {name: read[name][1] for name in block.drivers})
            if table.shape[1] < len(block.columns):
                table = np.column_stack([np.ones(len(table)), table])
            eta += table @ self.fit.beta[block.columns]
        return self.problem.link.mean(eta)

    def summary(self, language: str = "zh") -> str:
        """What the model rests on and its strongest association, with a plain statement that it is association."""
        return terms.text(
            "retention.hazard",
            language,
            rows=terms.count(self.n_rows, language),
            events=terms.count(self.n_events, language),
            **clearest_in_words(self.coefficients, language),
            kind=terms.text(f"retention.ratio_{self.link}", language),
        )

    def to_frame(self) -> pd.DataFrame:
        """The coefficients as a copy."""
        return self.coefficients.copy()


def hazard(
    data: pd.DataFrame | CellCounts | str | Path | Sequence[str | Path],
    *,
    event: str,
    drivers: Drivers,
    weights: str | None = None,
    link: str = "logit",
    cluster: str | None = None,
    penalty: str | None = None,
) -> HazardModel:
    """Fit the probability of leaving in a quarter, given that one was employed on its first day.

    Parameters:
        data: person-quarters (a DataFrame, or Parquet path or glob), or the CellCounts of `cells`.
        event: 0/1 column. drivers: names and terms (see `institute_lib.retention.drivers`); numbers enter linearly,
            texts, categories and truth values by level against the first. Include tenure as the baseline.
        weights: column with the whole number of rows that each row stands for (frequency weights).
        link: "logit" (ratios are odds ratios) or "cloglog" (ratios are hazard ratios, those of Cox for grouped time).
        cluster: column whose rows hang together; errors are then robust to that, with rows in the small-sample factor.
        penalty: None, or "firth" for Firth's penalised likelihood (logit), finite under separation. With a cluster the
            sandwich is the likelihood's at the penalised estimate; where nobody leaves or stays in a level it knows
            nothing of that level, and the result warns.

    Returns:
        HazardModel. Estimates and errors are those of the raw rows: cells lose nothing.

    Raises:
        ParameterError: unknown column, link or penalty. DataError: missing values, constant drivers, unknown levels.
        EstimationError: no exits, levels at which nobody leaves or stays, collinear drivers, one cluster.

    Source: Singer and Willett (2003), chapters 11–12; Prentice and Gloeckler (1978) for cloglog; Liang and Zeger (1986)
    for clusters; Firth (1993), Heinze and Schemper (2002) for the penalty.
    """
    chosen = link_named(link)
    _check_penalty(penalty, link=link)
    formula = parse(drivers)
    counts = (
        data
        if isinstance(data, CellCounts)
        else count(data, event=event, formula=formula, cluster=cluster, weights=weights, always=False)
    )
    if isinstance(data, CellCounts):
        if weights is not None:
            raise ParameterError("hazard: cells already hold their rows; give weights= to `cells`")
        covered(counts, formula, event=event, cluster=cluster)
    require_events(counts.n_rows, counts.n_events, event)
    require_variation(counts, formula.drivers)
    codes, rows, events, cell = collapse(counts, formula.drivers)
    design = build(formula, {name: counts.variables[name] for name in formula.drivers}, codes)
    levels = level_sizes(design, rows, events)
    if penalty is None:
        require_no_separation(levels, counts, formula)
    require_full_rank(design, rows)
    problem = Problem(design, rows, events, chosen, firth=penalty == "firth")
    fit = fit_cells(problem)
    errors = clustered_covariance(problem, fit, counts, cell) if cluster else covariance(fit)
    return HazardModel(
        coefficients=coefficient_table(design.labels, fit.beta, errors, levels, (counts.n_rows, counts.n_events)),
        levels=levels,
        covariance=errors,
        event=event,
        link=link,
        cluster=cluster,
        penalty=penalty,
        n_rows=counts.n_rows,
        n_events=counts.n_events,
        n_clusters=counts.n_clusters if cluster else None,
        log_likelihood=fit.log_likelihood,
        iterations=fit.iterations,
        problem=problem,
        fit=fit,
        warnings=(*counts.warnings, *_thin(levels, counts, cluster)),
    )


def clearest_in_words(coefficients: pd.DataFrame, language: str) -> dict[str, str]:
    """Driver, ratio and interval (low, high) of the coefficient with the smallest p-value.

    The baseline (intercept and tenure) stands aside unless there is no other.
    """
    baseline = coefficients["term"].eq(INTERCEPT) | coefficients["term"].str.startswith("tenure")
    drivers = coefficients[~baseline] if not baseline.all() else coefficients
    clearest = drivers.sort_values("p_value", kind="stable").iloc[0]
    figures = {"ratio": "ratio", "low": "ratio_low", "high": "ratio_high"}
    return {
        "driver": driver_label(clearest["term"], clearest["level"], language),
        **{name: terms.number(float(clearest[column]), language, 2) for name, column in figures.items()},
    }


def driver_label(term: str, level: str, language: str) -> str:
    """A coefficient in the reader's words: drivers as far as the catalogue knows them, levels as `level_label` says."""
    known, drivers = terms.catalogue("labels"), term.split(":")
    name = " × ".join(terms.label(part, language) if part in known else part for part in drivers)
    if not level:
        return name
    parts = level.split(":")
    if len(parts) != len(drivers):  # a level whose own name holds a colon
        return terms.text("charts.level", language, term=name, level=level)
    shown = " × ".join(level_label(*pair, language) for pair in zip(drivers, parts, strict=True))
    return terms.text("charts.level", language, term=name, level=shown)


def level_label(driver: str, level: str, language: str) -> str:
    """A level in the reader's words where it is one of the registers' own; any other is the user's, and stays."""
    if level.lower() in ("true", "false"):
        return terms.text("disclosure.yes" if level.lower() == "true" else "disclosure.no", language)
    own = CATEGORIES.get(driver, UNKNOWN if driver.endswith("_band") else ())
    return terms.label(level, language) if level in own else level


def coefficient_table(
    labels: Sequence[tuple[str, str]],
    beta: np.ndarray,
    errors: np.ndarray,
    levels: pd.DataFrame,
    totals: tuple[float, float],
) -> pd.DataFrame:
    """Estimates with intervals, ratios, adjusted p-values and cell sizes, one row a coefficient."""
    table = pd.DataFrame(labels, columns=["term", "level"])
    table = pd.concat([table, estimate_columns(beta, np.sqrt(np.diag(errors)))], axis=1)
    with np.errstate(over="ignore"):
        table = table.assign(ratio=np.exp(beta), ratio_low=np.exp(table["ci_low"]), ratio_high=np.exp(table["ci_high"]))
    table["p_adjusted"] = holm(table["p_value"].where(table["term"] != INTERCEPT).to_numpy())
    sizes = levels.set_index(["term", "level"])[["rows", "events"]]
    matched = sizes.reindex(pd.MultiIndex.from_frame(table[["term", "level"]])).reset_index(drop=True)
    matched["rows"] = matched["rows"].fillna(totals[0]).astype(int)
    matched["events"] = matched["events"].fillna(totals[1]).astype(int)
    return pd.concat([table, matched], axis=1)


def level_sizes(design: Design, rows: np.ndarray, events: np.ndarray) -> pd.DataFrame:
    """term, level, rows, events, reference for every level of every factor, and every combination that interacts."""
    found = []
    for block in design.blocks:
        block_rows, block_events = block.add(rows), block.add(events)
        for term in block.terms:
            names = [name for name in term.drivers if design.variables[name].kind == "factor"]
            if not names:
                continue
            sizes = [len(design.variables[name].levels) for name in names]
            code = np.ravel_multi_index([block.grid[name] for name in names], sizes)
            n = np.bincount(code, weights=block_rows, minlength=int(np.prod(sizes)))
            d = np.bincount(code, weights=block_events, minlength=int(np.prod(sizes)))
            for place in range(int(np.prod(sizes))):
                at = np.unravel_index(place, sizes)
                level = ":".join(str(design.variables[name].levels[i]) for name, i in zip(names, at, strict=True))
                found.append((term.name, level, int(n[place]), int(d[place]), 0 in at))
    return pd.DataFrame(found, columns=["term", "level", "rows", "events", "reference"])


def _thin(levels: pd.DataFrame, counts: CellCounts, cluster: str | None) -> list[str]:
    notes = [
        f"{row.term} = {row.level!r} rests on {row.events} events in {row.rows} rows"
        for row in levels.itertuples()
        if row.rows > 0 and row.events < FEW_EVENTS
    ]
    separated = [
        f"{row.term} = {row.level!r}"
        for row in levels[levels["rows"] > 0].itertuples()
        if row.events in (0, row.rows) and not row.reference
    ]
    if cluster and separated:
        notes.append(
            f"nobody leaves, or nobody stays: {', '.join(separated)}; errors clustered by {cluster!r} are far too "
            "small there, since nothing varies within it: judge such a level by the fit without cluster"
        )
    if cluster and counts.n_clusters < FEW_CLUSTERS:
        notes.append(f"only {counts.n_clusters} clusters by {cluster!r}: clustered errors are then often too small")
    return notes


def _check_penalty(penalty: str | None, *, link: str) -> None:
    if penalty not in (None, "firth"):
        raise ParameterError(f"penalty={penalty!r}: {nearest(str(penalty), ['firth'])}, or None")
    if penalty and link != "logit":
        raise ParameterError(f"penalty='firth' works with link='logit', not {link!r}")


def _read(values: pd.Series, variable: Variable) -> tuple[Variable, np.ndarray]:
    """A column in the codes of a fitted model (numbers get values of their own)."""
    missing = int(values.isna().sum())
    if missing:
        raise DataError(
            f"driver {variable.name!r} is missing in {missing} rows (first: {values.index[values.isna()][0]})"
        )
    if variable.kind == "number":
        codes, uniques = pd.factorize(values.to_numpy(dtype=float))
        return Variable(variable.name, "number", uniques), codes
    codes, found = as_levels(values)
    known = list(variable.levels)
    unknown = [level for level in found if level not in known]
    if unknown:
        raise DataError(f"driver {variable.name!r} holds an unknown level {unknown[0]!r}: {nearest(unknown[0], known)}")
    place = np.array([known.index(level) for level in found], dtype=np.int64)
    return variable, place[codes]
