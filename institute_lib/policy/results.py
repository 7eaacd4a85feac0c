"""What a policy evaluation hands back: frozen results that say themselves in a sentence."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import ParameterError, nearest
from institute_lib.result import Measure, Provenance
from institute_lib.result import Result as Figures
from institute_lib.results import Result

FEW_TREATED = 6  # clusters; with fewer, errors by cluster say nothing (MacKinnon and Webb 2017)
FEW_CLUSTERS = 30
LEVEL = 0.05
BAD_FIT = 2.0  # times the donors' median error before the start


def few_clusters(n_clusters: int) -> str:
    """That the large-sample theory behind such errors wants more groups (Cameron, Gelbach and Miller 2008)."""
    return f"{n_clusters} clusters: with fewer than {FEW_CLUSTERS}, errors by cluster tend to be too small"


@dataclass(frozen=True)
class Verdict:
    """Whether the policy had an effect, by a rule that is stated before the estimate.

    key: "yes" where p, corrected for the number of outcomes, is at most 5 % and nothing seen before the start speaks
        against the comparison; "no" where the whole 95 % interval lies within the size that would matter; else
        "unsure". reason: a key of the sentence that says why.
    """

    key: Literal["yes", "no", "unsure"]
    reason: str

    @classmethod
    def of(cls, p: float, ci: tuple[float, float], *, relevant: float | None, sound: bool) -> "Verdict":
        """By a p, its interval, the size that would matter (None: any), and whether the comparison held before."""
        if relevant is not None and max(abs(ci[0]), abs(ci[1])) < relevant:
            return cls("no", "negligible")
        if not np.isfinite(p):
            return cls("unsure", "withheld")
        if p > LEVEL:
            return cls("unsure", "chance")
        return cls("yes", "found") if sound else cls("unsure", "before")

    def word(self, language: str = "zh") -> str:
        """有, 没有 or 不能确定."""
        return terms.text(f"policy.verdict_{self.key}", language)

    def sentence(self, language: str = "zh") -> str:
        """The word with its reason."""
        reason = terms.text(f"policy.because_{self.reason}", language)
        return terms.text("policy.verdict", language, word=self.word(language), reason=reason)


@dataclass(frozen=True)
class EventEstimates:
    """Event-study estimates against one common reference period, with their covariance.

    relative: observed periods from the start, ascending, the reference left out. covariance: same order.
    weights: how much each counts in the reported average, zero before the start. base: the reference.
    """

    relative: np.ndarray
    estimates: np.ndarray
    covariance: np.ndarray
    weights: np.ndarray
    base: int = -1


@dataclass(frozen=True)
class PreTrend:
    """A joint test that nothing happened before the start.

    p_value: of the largest |t| among the periods before, with errors as uncertain as the groups are small.
    wald, wald_p: the published χ² test of all group-time effects before the start (NaN where it is not defined).
    """

    n_periods: int
    largest: float
    p_value: float
    wald: float = float("nan")
    wald_p: float = float("nan")


class Estimate(Result):
    """An estimate with tables that `study.show` takes, each with its keys; the first is what is said."""

    @property
    def _tables(self) -> dict[str, tuple[pd.DataFrame, tuple[str, ...]]]:
        raise NotImplementedError

    def result(self, table: str = "event_study", **about: Any) -> Figures:
        """One of its tables, ready to show.

        Args:
            about: what `figures_of` asks for.
        """
        return figures_of(self._tables, table, **about)

    def as_result(self, provenance: Provenance) -> Figures:
        """The estimate as `study.show` takes it."""
        return self.result(next(iter(self._tables)), persons=None, provenance=provenance, outcome=self.outcome)

    def summary(self, language: str = "zh") -> str:
        """The effect, its interval and p, where there is one, and the verdict."""
        frame, keys = next(iter(self._tables.values()))
        row = frame.iloc[0]
        bounds = (row["ci_low"], row["ci_high"])
        interval = terms.interval(*bounds, language, terms.decimals(*bounds)) if np.isfinite(bounds).all() else None
        known = np.isfinite(row["p_value"])
        sentence = terms.text(
            "policy.estimated" if known else "policy.estimated_few",
            language,
            name=terms.text(f"policy.{self.method}", language) if hasattr(self, "method") else row[keys[0]],
            outcome=outcome_name(self.outcome, language),
            change=terms.text("policy.by", language, size=terms.significant(row["estimate"], language)),
            interval=interval or terms.text("policy.unbounded", language),
            p=terms.p_value(row["p_value"], language) if known else "",
        )
        verdict = getattr(self, "verdict", None)
        return sentence + (verdict().sentence(language) if verdict else "")


@dataclass(frozen=True)
class PolicyEffect(Estimate):
    """The effect of a policy on several units.

    att: average effect on the treated. se: clustered error, as published packages compute it. cluster_p_value: from it,
        with degrees of freedom for the size of the groups or clusters (see `intervals`).
    p_value, ci (95 %): the headline. inference says where they come from: "clusters", as cluster_p_value; "placebos",
        where fewer than six clusters (or units, if not clustered) are treated, or untreated: dealt out to all clusters
        (see `clusters`); "withheld": p is missing, since neither can say anything, and ci is unbounded.
    event_study: relative_period (observed periods since the start), estimate, se, ci_low, ci_high (pointwise),
        band_low, band_high (simultaneous over all periods), n_treated. pretrend: a joint test of those before.
    group_time: group, period, estimate, se, ci_low, ci_high. aggregations: kind, level, estimate, se, ci_low, ci_high.
    decomposition: kind, treated_group, control_group, weight, estimate (two-way fixed effects on balanced panels).
    n_units, n_treated, n_rows, n_clusters, n_treated_clusters: of those that the estimate rests on.
    """

    method: str
    outcome: str
    att: float
    se: float
    ci: tuple[float, float]
    p_value: float
    cluster_p_value: float
    event_study: pd.DataFrame
    group_time: pd.DataFrame
    aggregations: pd.DataFrame
    n_units: int
    n_treated: int
    n_periods: int
    n_rows: int
    n_clusters: int
    n_treated_clusters: int = 0
    inference: Literal["clusters", "placebos", "withheld"] = "clusters"
    pretrend: PreTrend | None = None
    decomposition: pd.DataFrame | None = None
    control: str | None = None
    warnings: tuple[str, ...] = ()
    for_sensitivity: EventEstimates | None = field(default=None, repr=False, compare=False)

    @property
    def _tables(self) -> dict[str, tuple[pd.DataFrame, tuple[str, ...]]]:
        return {
            "effect": (self.to_frame().rename(columns={"att": "estimate"}), ("method", "outcome")),
            "event_study": (self.event_study, ("relative_period",)),
            "group_time": (self.group_time, ("group", "period")),
            "aggregations": (self.aggregations, ("kind", "level")),
        }

    def verdict(self, *, relevant: float | None = None) -> Verdict:
        """Whether there was an effect: see `Verdict`. relevant: the smallest size that would matter."""
        sound = self.pretrend is None or not self.pretrend.p_value <= LEVEL
        return Verdict.of(self.p_value, self.ci, relevant=relevant, sound=sound)

    def to_frame(self) -> pd.DataFrame:
        """One row: the headline and what it rests on."""
        names = ("method", "outcome", "att", "se", "p_value", "cluster_p_value", "n_units", "n_treated", "n_periods")
        row = {name: getattr(self, name) for name in names}
        return pd.DataFrame([row | {"ci_low": self.ci[0], "ci_high": self.ci[1]}])


@dataclass(frozen=True)
class PilotEffect(Estimate):
    """The effect of a policy on one unit, judged by the donors' placebos.

    att: average gap from the start on. p_value: share of units, the treated one included, whose effect is at least as
        large relative to its modelled noise (see `placebos`); raw_p_value: the same without that scaling. ci: the
        effects that p_value does not reject, unbounded where the pool is too small to reject anything. se: standard
        deviation of the placebo effects.
    weights: unit, weight. time_weights: period, weight. path: period, observed, counterfactual, gap.
    event_study: relative_period, period, estimate, ci_low, ci_high (pointwise, from the placebos).
    placebos: unit, att, pre_rmspe, statistic. placebo_paths: unit, period, gap.
    leave_one_out: unit, weight, att, pre_rmspe (each donor left out in turn).
    in_time: start, att, pre_rmspe (the start moved back, pre-periods only).
    conformal: period, estimate, ci_low, ci_high, p_value (each later period against the pre-periods). conformal_p,
        conformal_ci: of one lasting effect, by moving blocks of periods; see the module `conformal`.
    statistic: att over its modelled noise, what p_value ranks among the donors' statistics.
    detectable: the effect that this design finds with 80 % power.
    """

    method: str
    outcome: str
    treated_unit: Any
    start: str | int
    att: float
    se: float
    ci: tuple[float, float]
    p_value: float
    raw_p_value: float
    smallest_p: float
    detectable: float
    pre_rmspe: float
    weights: pd.DataFrame
    time_weights: pd.DataFrame
    path: pd.DataFrame
    event_study: pd.DataFrame
    placebos: pd.DataFrame
    placebo_paths: pd.DataFrame
    leave_one_out: pd.DataFrame
    in_time: pd.DataFrame
    conformal: pd.DataFrame
    conformal_p: float
    conformal_ci: tuple[float, float]
    statistic: float
    n_donors: int
    n_pre: int
    n_post: int
    warnings: tuple[str, ...] = ()
    n_treated: int = 1

    @property
    def n_units(self) -> int:
        return self.n_donors + 1

    @property
    def n_periods(self) -> int:
        return self.n_pre + self.n_post

    @property
    def _tables(self) -> dict[str, tuple[pd.DataFrame, tuple[str, ...]]]:
        return {
            "effect": (self.to_frame().rename(columns={"att": "estimate"}), ("method", "treated_unit", "outcome")),
            "event_study": (self.event_study, ("relative_period",)),
            "conformal": (self.conformal, ("period",)),
        }

    @property
    def fits_badly(self) -> bool:
        """Whether the comparison misses the unit before the start twice as far as it misses the median donor."""
        return bool(len(self.placebos) and self.pre_rmspe > BAD_FIT * self.placebos["pre_rmspe"].median())

    def verdict(self, *, relevant: float | None = None, p: float | None = None) -> Verdict:
        """Whether there was an effect: see `Verdict`.

        Args:
            relevant: the smallest size that would matter. p: corrected for several outcomes; None: the placebo p.
        """
        p = float("nan") if self.smallest_p > LEVEL else self.p_value if p is None else p
        return Verdict.of(p, self.ci, relevant=relevant, sound=not self.fits_badly)

    def to_frame(self) -> pd.DataFrame:
        """One row: the headline and what it rests on."""
        names = ("method", "outcome", "treated_unit", "start", "att", "se", "p_value", "raw_p_value", "smallest_p")
        names += ("conformal_p", "detectable", "pre_rmspe", "n_donors", "n_pre", "n_post")
        row = {name: getattr(self, name) for name in names}
        return pd.DataFrame([row | {"ci_low": self.ci[0], "ci_high": self.ci[1]}])


@dataclass(frozen=True)
class DetectableEffect(Result):
    """What a design could find: `effect` with the power asked for; curve: effect, power."""

    effect: float
    power: float
    alpha: float
    n_treated: int
    n_donors: int
    smallest_p: float
    curve: pd.DataFrame
    warnings: tuple[str, ...] = ()

    def summary(self, language: str = "zh") -> str:
        """The smallest effect that the design would find."""
        return terms.text(
            "policy.detectable" if np.isfinite(self.effect) else "policy.undetectable",
            language,
            effect=terms.significant(self.effect, language),
            power=terms.percent(self.power, language, 0),
            alpha=terms.percent(self.alpha, language, 0),
            donors=terms.count(self.n_donors, language),
            smallest=terms.number(self.smallest_p, language, 3),
        )

    def to_frame(self) -> pd.DataFrame:
        return self.curve.copy()


def figures_of(
    tables: dict[str, tuple[pd.DataFrame, tuple[str, ...]]],
    name: str,
    *,
    persons: int | None,
    provenance: Provenance,
    share: bool = False,
    outcome: str = "",
) -> Figures:
    """Estimates with their intervals and p as a result that knows its keys, persons and sources.

    Args:
        tables: name to a table with estimate, ci_low and ci_high, and its keys.
        persons: distinct persons behind the smallest unit and period used; None where no persons are.
        provenance: of the panel. share: of a share, and so in percentage points. outcome: what was estimated, for the
            sentence of the first row.

    Raises:
        ParameterError: no such table.
    """
    if name not in tables:
        raise ParameterError(f"table {name!r}: {nearest(name, tables)}")
    frame, keys = tables[name]
    shown = frame.rename(columns={"ci_low": "estimate_low", "ci_high": "estimate_high"})
    unit, digits = ("points", None) if share else ("number", terms.decimals(*frame["estimate"]))
    measures = [Measure("estimate", unit, digits, interval="given", statistic="estimate")]
    if "p_value" in frame:
        measures.append(Measure("p_value", "number", 3, statistic="estimate"))
    counted = None if persons is None else "persons"
    if counted:
        shown = shown.assign(persons=persons)

    def sentence(view: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
        row = {key: view.data[key].iloc[0] for key in keys}
        names = {"name": view.name(keys[0], row[keys[0]]), "outcome": outcome_name(outcome, language)}
        words = judged(view, row, share)
        known = np.isfinite(frame["p_value"].iloc[0])
        return [("policy.estimated" if known else "policy.estimated_few", {**names, **words})]

    said = sentence if outcome and len(frame) else None
    chart = "event_study" if name == "event_study" else "table"
    title = "policy.effects_table"
    return Figures(shown, keys, measures, counted, provenance, title=title, chart=chart, sentence=said)


def judged(shown: Any, row: dict[str, Any], share: bool) -> dict[str, Any]:
    """The effect of a row and what judges it, as the sentences name them."""
    effect = shown.figure("effect" if "effect" in shown.figures_of else shown.value, **row)
    ends = {end: shown.figure(f"ci_{end}", **row) for end in ("low", "high")}
    interval = shown.words("policy.unbounded")
    if all(one.value is not None for one in ends.values()):
        pair = {end: one.bare(shown.language) for end, one in ends.items()}
        interval = shown.words("policy.interval_points" if share else "policy.interval", **pair)
    change = effect if share else shown.words("policy.by", size=effect.bare(shown.language))
    found = {"change": change, "interval": interval}
    if "p_value" in shown.figures_of:
        p = shown.figure("p_value", **row)
        tiny = p.value is not None and p.value < 0.001
        found["p"] = shown.words("policy.p_tiny") if tiny else shown.words("policy.p", p=p)
    if "detectable" in shown.figures_of:
        size = shown.figure("detectable", **row).bare(shown.language)
        found["detectable"] = shown.words("policy.points" if share else "policy.plain", size=size)
    return found


def outcome_name(outcome: str, language: str) -> str:
    """An outcome in the reader's words, or its column where the catalogue does not know it."""
    known = len(outcome) > 1 and outcome in terms.catalogue("labels")  # a plain y is no latitude
    return terms.label(outcome, language) if known else outcome
