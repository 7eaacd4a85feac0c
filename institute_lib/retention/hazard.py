"""The discrete-time hazard: what goes with leaving in a quarter, exact on cells. Association, not cause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, EstimationError, ParameterError, nearest
from institute_lib.results import Result
from institute_lib.retention.counting import CellCounts, Source, Variable, count, covered
from institute_lib.retention.dependence import SHARED, assignment
from institute_lib.retention.drivers import FEW_EVENTS, Drivers, Formula, as_levels, driver_label, level_label, parse
from institute_lib.retention.effects import average_marginal_effects
from institute_lib.retention.fitting import (
    FEW_CLUSTERS,
    INTERCEPT,
    Design,
    Fit,
    Problem,
    Sandwich,
    design_of,
    evaluate,
    fit_cells,
    link_named,
    profile,
    require_full_rank,
    say,
)
from institute_lib.retention.intervals import LEVEL, estimate_columns, holm
from institute_lib.retention.spells import plain, require_columns

__all__ = ["HazardModel", "driver_label", "hazard", "level_label"]

ASSIGNMENT = "assignment"
BASELINE = ("tenure", "quarter", "year", "season")  # what these begin a driver's name is the clock, not a finding


@dataclass(frozen=True)
class HazardModel(Result):
    """A fitted hazard.

    coefficients: term, level, estimate (log odds ratio, or log hazard ratio with cloglog), se, ci_low, ci_high,
        p_value, ratio, ratio_low, ratio_high, p_adjusted (Holm, over all but the intercept), rows, events (of the
        level; of all rows for a number); with clusters, clustered_by and clusters. The reference levels stand in
        `levels`. With penalty="firth" and no cluster, profile intervals and likelihood-ratio p.
    levels: term, level, rows, events, reference. Every factor's cell sizes.
    marginal_effects: term, level, estimate (change in the hazard), se, ci_low, ci_high, p_value.
    covariance: by the narrowest clusters; `covariances`: by the name of each clustering column that is used.
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
    clustered_by: Mapping[str, str] = field(default_factory=dict)
    covariances: Mapping[str, tuple[np.ndarray, float]] = field(default_factory=dict, repr=False)

    @cached_property
    def marginal_effects(self) -> pd.DataFrame:
        """Average marginal effects, computed when first asked for."""
        return average_marginal_effects(self)

    def errors_for(self, driver: str) -> tuple[np.ndarray, float]:
        """The covariance, clustered at the level at which a driver is set, and its degrees of freedom."""
        return self.covariances.get(self.clustered_by.get(driver, ""), (self.covariance, np.inf))

    def predict(self, data: pd.DataFrame) -> np.ndarray:
        """The hazard of each row.

        Raises:
            DataError: a level that the model has not seen. ParameterError: a column is missing.
        """
        design = self.problem.design
        data = plain(data)
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
            finding=clearest_in_words(self.coefficients, language, self.link),
        )

    def to_frame(self) -> pd.DataFrame:
        """The coefficients as a copy."""
        return self.coefficients.copy()


def hazard(
    data: Source | CellCounts,
    *,
    event: str,
    drivers: Drivers,
    weights: str | None = None,
    link: str = "logit",
    cluster: str | Mapping[str, str] | None = None,
    penalty: str | None = None,
) -> HazardModel:
    """Fit the probability of leaving in a quarter, given that one was employed on its first day.

    Parameters:
        data: person-quarters (a DataFrame, or Parquet path or glob), or the CellCounts of `cells`.
        event: 0/1 column; one of `exit_columns` for one way out alone, the others then being censored.
        drivers: names and terms (see `institute_lib.retention.drivers`); numbers enter linearly, texts, categories and
            truth values by level against the first. Include tenure and the calendar as the baseline.
        weights: column with the number of rows that each row stands for: frequencies, or fractions as survey weights
            (the estimates are then the weighted ones, and rows counted, not weights, in small-sample factors).
        link: "logit" (ratios are odds ratios) or "cloglog" (ratios are hazard ratios, those of Cox for grouped time).
        cluster: column whose rows hang together; errors are then robust to that. "assignment": each driver's errors
            cluster at the level at which it is set (`assignment`); or a mapping from driver to column. With under 40
            clusters errors leave one out at a time; tests and intervals are Student's with as many clusters less one.
        penalty: None, or "firth" for Firth's penalised likelihood (logit), finite under separation. With a cluster the
            sandwich is the likelihood's at the penalised estimate; where nobody leaves or stays in a level it knows
            nothing of that level, and the result warns.

    Returns:
        HazardModel. Estimates and errors are those of the raw rows: cells lose nothing.

    Raises:
        ParameterError: unknown column, link or penalty. DataError: missing values, constant drivers, unknown levels.
        EstimationError: no exits, levels at which nobody leaves or stays, collinear drivers, one cluster.

    Source: Singer and Willett (2003), chapters 11–12; Prentice and Gloeckler (1978) for cloglog; Liang and Zeger (1986)
    for clusters, Abadie and others (2023) for their level; Firth (1993), Heinze and Schemper (2002) for the penalty.
    """
    chosen = link_named(link)
    if penalty not in (None, "firth"):
        raise ParameterError(f"penalty={penalty!r}: {nearest(str(penalty), ['firth'])}, or None")
    if penalty and link != "logit":
        raise ParameterError(f"penalty='firth' works with link='logit', not {link!r}")
    drivers = drivers if isinstance(drivers, (str, Mapping)) else list(drivers)
    data = plain(data) if isinstance(data, pd.DataFrame) else data
    base, wider, notes = _clusters(data, cluster, drivers)
    if isinstance(data, CellCounts):
        if weights is not None:
            raise ParameterError("hazard: cells already hold their rows; give weights= to `cells`")
        counts, formula = data, parse(drivers, data.codes)
        covered(counts, formula, event=event, cluster=base)
    else:
        levels = dict.fromkeys(one for one in wider.values() if one != base)
        counts = count(data, event=event, drivers=drivers, cluster=base, wider=levels, weights=weights, always=False)
        formula = counts.formula
    _require_events(counts, event)
    problem = Problem(design_of(formula, counts), counts.rows, counts.events, chosen, firth=penalty == "firth")
    levels = level_sizes(problem.design, problem.rows, problem.events)
    if penalty is None:
        require_no_separation(levels, counts, formula)
    require_full_rank(problem.design, problem.rows)
    fit, errors = fit_cells(problem), {}
    if base:
        sandwich = Sandwich(problem, fit, counts.n_rows)
        for level, (codes, n) in ({base: (counts.cluster_codes, counts.n_clusters)} | counts.others).items():
            errors[level] = (sandwich.covariance(level, codes, n), n - 1)
    clustered_by = {name: wider.get(name, base) for name in formula.drivers} if base else {}
    covariance = errors[base][0] if base else fit.covariance
    totals = (counts.n_rows, counts.n_events)
    table = coefficient_table(
        problem.design.labels, fit.beta, covariance, levels, totals=totals, errors=errors, clustered_by=clustered_by
    )
    if penalty and not base:
        table = _with_profiles(table, problem, fit)
    return HazardModel(
        coefficients=table,
        levels=levels,
        covariance=covariance,
        event=event,
        link=link,
        cluster=base,
        penalty=penalty,
        n_rows=counts.n_rows,
        n_events=counts.n_events,
        n_clusters=counts.n_clusters if base else None,
        log_likelihood=fit.log_likelihood,
        iterations=fit.iterations,
        problem=problem,
        fit=fit,
        warnings=(*counts.warnings, *notes, *_thin(levels, table, base)),
        clustered_by=clustered_by,
        covariances=errors,
    )


def _clusters(
    data: Source | CellCounts, cluster: str | Mapping[str, str] | None, drivers: Drivers
) -> tuple[str | None, dict[str, str], list[str]]:
    """The narrowest clusters, driver → wider ones, and what to say of them."""
    if cluster is None or not isinstance(data, pd.DataFrame):
        if isinstance(cluster, Mapping) or cluster == ASSIGNMENT:
            raise ParameterError("hazard: cluster by driver needs the rows as a DataFrame; name one column")
        return cluster, {}, []
    names = [name for name in parse(drivers, data.columns).drivers if name in data]
    if isinstance(cluster, Mapping):
        levels = list(dict.fromkeys(cluster.values()))
        require_columns(data, levels, table="data")
        base = max(levels, key=lambda level: data[level].nunique())
        return base, {name: level for name, level in cluster.items() if level != base}, []
    if cluster != ASSIGNMENT or cluster in data:
        require_columns(data, [cluster], table="data")
        found = assignment(data, drivers=names, person=cluster)
        wide = found[(found["level"] != cluster) & (found["level"].isin(["city", "district"]) | (found["share"] > 0.5))]
        notes = [
            f"{row.driver} is set by {row.level} ({row.units} of them), wider than {cluster!r}: its errors are too "
            "small; pass cluster='assignment', or leave its p-value out"
            for row in wide.itertuples()
        ]
        return cluster, {}, notes
    found = assignment(data, drivers=names)
    base = found.attrs["person"]
    wider = found[found["level"] != base]
    at_once = found[(found["level"] == base) & (found["by_time"] >= SHARED) & ~found["driver"].str.startswith(BASELINE)]
    notes = [
        f"{row.driver} changed everywhere at once (the quarter alone decides {100 * row.by_time:.0f} % of it): no "
        f"clustering covers what else changed then, so its errors, by {base!r}, are too small"
        for row in at_once.itertuples()
    ]
    return base, dict(zip(wider["driver"], wider["level"], strict=True)), notes


def _require_events(counts: CellCounts, event: str) -> None:
    """Refuse data in which nobody, or everybody, leaves."""
    events, rows = counts.events.sum(dtype=float), counts.rows.sum(dtype=float)
    if events == 0:
        raise EstimationError(f"no exits: {event!r} is 0 in all {counts.n_rows} rows; there is no hazard to explain")
    if events == rows:
        raise EstimationError(f"only exits: {event!r} is 1 in all {counts.n_rows} rows; nobody is seen to stay")


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
            found.append(f"{say((row.term, row.level))}: {who} ({row.events:g} of {row.rows:g} rows)")
    for name in formula.drivers if stayers else ():
        if counts.variables[name].kind == "number":
            code = counts.codes[name]
            gone, stayed = code[counts.events > 0], code[counts.rows > counts.events]
            if gone.min() >= stayed.max() or stayed.min() >= gone.max():
                found.append(f"{name}: one value splits leavers from stayers")
    if found:
        offer = ", or pass penalty='firth'" if stayers else ""
        raise EstimationError(
            f"quasi-separation, no finite estimate exists: {'; '.join(found)}; "
            f"merge such a level with a neighbour (merge_thin), leave the driver out{offer}"
        )


def clearest_in_words(coefficients: pd.DataFrame, language: str, link: str) -> str:
    """The driver with the smallest p-value, its ratio, and the interval adjusted for having been picked.

    The baseline (intercept, tenure, calendar) stands aside unless there is no other. The interval is Bonferroni's over
    the coefficients among which it is the clearest; where it holds 1, no association is said to be clear.
    """
    clock = _clock(coefficients)
    drivers = with_picked(coefficients)[~clock | clock.all()]
    clearest = drivers.loc[drivers["p_value"].fillna(np.inf).idxmin()]
    low, high = clearest["picked_low"], clearest["picked_high"]
    clear = low > 1 or high < 1
    ratio = {"ratio": clearest["ratio"], "low": low, "high": high}
    return terms.text(
        f"retention.finding_{'clear' if clear else 'none'}",
        language,
        driver=driver_label(clearest["term"], clearest["level"], language),
        kind=terms.text(f"retention.ratio_{link}", language),
        number=terms.count(len(drivers), language),
        **{name: terms.number(float(value), language, 2) for name, value in ratio.items()},
    )


def with_picked(coefficients: pd.DataFrame) -> pd.DataFrame:
    """Coefficients with picked_low and picked_high: each ratio's interval as if it were the one picked among all.

    Bonferroni's, as wide as its own to the level 1 − 0.05/n among the n coefficients beside intercept and clock.
    """
    from scipy.special import stdtrit

    number, tail = max(int((~_clock(coefficients)).sum()), 1), (1 - LEVEL) / 2
    df = np.asarray(coefficients.get("clusters", pd.Series(np.inf, coefficients.index)), float) - 1
    stretch = stdtrit(df, 1 - tail / number) / stdtrit(df, 1 - tail)
    with np.errstate(over="ignore"):
        ends = {
            f"picked_{side}": np.exp(
                coefficients["estimate"] + (coefficients[f"ci_{side}"] - coefficients["estimate"]) * stretch
            )
            for side in ("low", "high")
        }
    return coefficients.assign(**ends)


def _clock(coefficients: pd.DataFrame) -> pd.Series:
    """The intercept, tenure and the calendar, which are no findings."""
    return coefficients["term"].eq(INTERCEPT) | coefficients["term"].str.startswith(BASELINE)


def coefficient_table(
    labels: Sequence[tuple[str, str]],
    beta: np.ndarray,
    covariance: np.ndarray,
    levels: pd.DataFrame,
    *,
    totals: tuple[float, float],
    errors: Mapping[str, tuple[np.ndarray, float]] | None = None,
    clustered_by: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Estimates with intervals, ratios, adjusted p-values and cell sizes, one row a coefficient.

    errors: covariance and degrees of freedom by clustering column; clustered_by: driver → such a column.
    """
    table = pd.DataFrame(labels, columns=["term", "level"])
    se, df, by = np.sqrt(np.diag(covariance)), np.full(len(beta), np.inf), None
    if errors:
        base = next(iter(errors))
        by = [_widest([clustered_by.get(_bare(part), base) for part in term.split(":")], errors) for term, _ in labels]
        se = np.array([np.sqrt(errors[level][0][at, at]) for at, level in enumerate(by)])
        df = np.array([errors[level][1] for level in by], float)
    table = pd.concat([table, estimate_columns(beta, se, df)], axis=1)
    with np.errstate(over="ignore"):
        table = table.assign(ratio=np.exp(beta), ratio_low=np.exp(table["ci_low"]), ratio_high=np.exp(table["ci_high"]))
    table["p_adjusted"] = holm(table["p_value"].where(table["term"] != INTERCEPT).to_numpy())
    sizes = levels.set_index(["term", "level"])[["rows", "events"]]
    matched = sizes.reindex(pd.MultiIndex.from_frame(table[["term", "level"]])).reset_index(drop=True)
    for name, total in zip(("rows", "events"), totals, strict=True):
        matched[name] = matched[name].fillna(total).round().astype(int)
    table = pd.concat([table, matched], axis=1)
    return table if by is None else table.assign(clustered_by=by, clusters=(df + 1).astype(int))


def _widest(levels: Sequence[str], errors: Mapping[str, tuple[np.ndarray, float]]) -> str:
    return min(levels, key=lambda level: errors[level][1])


def _bare(part: str) -> str:
    return part.split("**", maxsplit=1)[0]


def _with_profiles(table: pd.DataFrame, problem: Problem, fit: Fit) -> pd.DataFrame:
    low, high, p_value = profile(problem, fit)
    with np.errstate(over="ignore"):
        table = table.assign(ci_low=low, ci_high=high, p_value=p_value, ratio_low=np.exp(low), ratio_high=np.exp(high))
    return table.assign(p_adjusted=holm(table["p_value"].where(table["term"] != INTERCEPT).to_numpy()))


def level_sizes(design: Design, rows: np.ndarray, events: np.ndarray) -> pd.DataFrame:
    """term, level, rows, events, reference for every level of every factor, and every combination that interacts."""
    found, whole = [], rows.dtype.kind != "f" or not (rows % 1).any()
    for block in design.blocks:
        block_rows, block_events = block.add(rows), block.add(events)
        for term in block.terms:
            names = [name for name in term.drivers if design.variables[name].kind == "factor"]
            if not names:
                continue
            sizes = [len(design.variables[name].levels) for name in names]
            code = np.ravel_multi_index([block.grid[name] for name in names], sizes)
            n, d = (np.bincount(code, weights=one, minlength=int(np.prod(sizes))) for one in (block_rows, block_events))
            for place, at in enumerate(np.ndindex(*sizes)):
                level = ":".join(str(design.variables[name].levels[i]) for name, i in zip(names, at, strict=True))
                found.append((term.name, level, n[place], d[place], 0 in at))
    table = pd.DataFrame(found, columns=["term", "level", "rows", "events", "reference"])
    return table.astype({"rows": int, "events": int}) if whole else table


def _thin(levels: pd.DataFrame, table: pd.DataFrame, cluster: str | None) -> list[str]:
    notes = [
        f"{row.term} = {row.level!r} rests on {row.events:g} events in {row.rows:g} rows"
        for row in levels.itertuples()
        if row.rows > 0 and row.events < FEW_EVENTS
    ]
    if not cluster:
        return notes
    occupied = levels[(levels["rows"] > 0) & ~levels["reference"].astype(bool)]
    separated = occupied[(occupied["events"] == 0) | (occupied["events"] == occupied["rows"])]
    if len(separated):
        named = ", ".join(f"{row.term} = {row.level!r}" for row in separated.itertuples())
        notes.append(
            f"nobody leaves, or nobody stays: {named}; errors clustered by {cluster!r} are far too "
            "small there, since nothing varies within it: judge such a level by the fit without cluster"
        )
    few = table[table["clusters"] < FEW_CLUSTERS].drop_duplicates("clustered_by")
    notes += [
        f"only {row.clusters} clusters by {row.clustered_by!r}: errors leave out one at a time, and intervals are "
        f"Student's with {row.clusters - 1} degrees of freedom"
        for row in few.itertuples()
    ]
    lost = table[table["se"].isna()]
    notes += [
        f"{say((row.term, row.level))} rests on one of the {row.clusters} clusters by {row.clustered_by!r} alone: no "
        "error can be given; compare it with others of its kind, or take it as a description"
        for row in lost.itertuples()
    ]
    return notes


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
